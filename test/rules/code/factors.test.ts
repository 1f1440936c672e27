import { expectAtLines } from './atLines.ts';

/** Sizes to which neither a default nor a name gives a number. Each change was run in PyTorch with small numbers: it crashes. */
describe('sizes that have no number', () => {
  const widened = (down: string): string => `from torch import nn


class Transition(nn.Module):
    def __init__(self, c_pair, n):
        super().__init__()
        self.norm = nn.LayerNorm(c_pair)
        self.widen = nn.Linear(c_pair, n * c_pair)
        self.act = nn.ReLU()
        self.narrow = ${down}

    def forward(self, pair):
        return self.narrow(self.act(self.widen(self.norm(pair))))
`;

  it('a factor that one layer has and the next has not', () => {
    expectAtLines(widened('nn.Linear(c_pair, c_pair)  # HW223'));
    expectAtLines(widened('nn.Linear(n * c_pair, c_pair)'));
  });

  const divided = (out: string): string => `import torch
from torch import nn


class Attend(nn.Module):
    def __init__(self, parts, width):
        super().__init__()
        assert width % parts == 0
        self.parts, self.each = parts, width // parts
        self.to_q, self.to_k, self.to_v = (nn.Linear(width, width) for _ in range(3))
        self.join = ${out}

    def forward(self, x):
        b, t, _ = x.shape
        q, k, v = (f(x).view(b, t, self.parts, self.each).transpose(1, 2) for f in (self.to_q, self.to_k, self.to_v))
        y = (q @ k.transpose(-2, -1) / self.each**0.5).softmax(-1) @ v
        return self.join(y.transpose(1, 2).reshape(b, t, self.parts * self.each))
`;

  it('a divisor that the view before has taken back', () => {
    expectAtLines(divided('nn.Linear(width // parts, width)  # HW221'));
    expectAtLines(divided('nn.Linear(width, width)'));
  });

  it('one of two factors that the code chooses may be meant', () => {
    expectAtLines(`import torch
from torch import nn


class Recurrent(nn.Module):
    def __init__(self, size, both=False):
        super().__init__()
        self.lstm = nn.LSTM(size, size, bidirectional=both)
        ways = 2 if both else 1
        self.out = nn.Linear(ways * size, size)

    def forward(self, x):
        y, _ = self.lstm(x)
        return self.out(y) + x
`);
  });

  const grouped = (keys: string): string => `from torch import nn


class Grouped(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.heads, self.groups = cfg.text_n_heads, cfg.text_n_kv_heads
        self.each = cfg.text_hidden_dim // self.heads
        self.q = nn.Linear(cfg.text_hidden_dim, cfg.text_hidden_dim)
        self.k = ${keys}
        self.v = nn.Linear(cfg.text_hidden_dim, self.each * self.groups)
        self.o = nn.Linear(cfg.text_hidden_dim, cfg.text_hidden_dim)

    def forward(self, x):
        b, t, _ = x.size()
        q = self.q(x).view(b, t, self.heads, self.each).transpose(1, 2)
        k = self.k(x).view(b, t, self.groups, self.each).transpose(1, 2)
        v = self.v(x).view(b, t, self.groups, self.each).transpose(1, 2)
        k, v = (each.repeat_interleave(self.heads // self.groups, dim=1) for each in (k, v))
        y = nn.functional.scaled_dot_product_attention(q, k, v)
        return self.o(y.transpose(1, 2).reshape(b, t, -1))
`;

  it('heads of one part of a model, by what it calls them', () => {
    expectAtLines(grouped('nn.Linear(cfg.text_hidden_dim, self.each * self.heads)  # HW222'));
    expectAtLines(grouped('nn.Linear(cfg.text_hidden_dim, self.each * self.groups)'));
  });
});

describe('what an early return leaves behind', () => {
  const rounded = (norm: string): string => `import torch
from torch import nn


def round_up(n: int, k: int) -> int:
    if n % k == 0:
        return n
    return n + k - (n % k)


class Scaled(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(size))

    def forward(self, x):
        return self.scale * x / x.pow(2).mean(-1, keepdim=True).sqrt()


class Block(nn.Module):
    def __init__(self, n_head, dim_per_head):
        super().__init__()
        width = n_head * dim_per_head
        hidden = round_up(int(8 * width / 3), 256)
        self.norm = ${norm}
        self.gate, self.up = nn.Linear(width, hidden), nn.Linear(width, hidden)
        self.down = nn.Linear(hidden, width)
        self.first = nn.Linear(width, width)

    def forward(self, x):
        b, t, _ = x.shape
        x = x + self.first(x)
        y = self.norm(x)
        return x + self.down(self.gate(y).sigmoid() * self.up(y))
`;

  it('holds on one of the ways out', () => {
    expectAtLines(rounded('Scaled(dim_per_head)  # HW215'));
    expectAtLines(rounded('Scaled(width)'));
  });
});
