import { deepEqual } from 'node:assert/strict';
import { expectAtLines, findingsIn } from './atLines.ts';

/** A head as lectures write it: every size is a number of the module. */
const head = (scores: string): string => `import torch
from torch import nn

n_embd = 384
head_size = 64
block_size = 256


class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.key = nn.Linear(n_embd, head_size, bias=False)
        self.query = nn.Linear(n_embd, head_size, bias=False)
        self.value = nn.Linear(n_embd, head_size, bias=False)
        self.register_buffer('tril', torch.tril(torch.ones(block_size, block_size)))

    def forward(self, x):
        B, T, C = x.shape
        k, q, v = self.key(x), self.query(x), self.value(x)
${scores}
        weights = scores.masked_fill(self.tril[:T, :T] == 0, float('-inf')).softmax(dim=-1)
        return weights @ v
`;

describe('sizes that are numbers', () => {
  it('a length is not taken for the width of a head', () => {
    expectAtLines(head('        scores = q @ k * head_size**-0.5  # HW210'));
    expectAtLines(head('        scores = torch.bmm(q, k) / 8  # HW210'));
    expectAtLines(head('        scores = q @ k.mT * head_size**-0.5'));
  });

  it('a number of tokens may be fixed by a weight', () => {
    expectAtLines(`import torch
from torch import nn


class Mixes(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(196, 196))

    def forward(self, x):
        B, T, C = x.shape
        return self.weight @ x.view(B, T, C)
`);
  });
});

describe('a number beside a size that may come to it', () => {
  const tower = (given: string, width: string, embed: string): string => `import torch
from torch import nn


class Tower(nn.Module):
    def __init__(self, ${given}):
        super().__init__()
        self.embed = nn.Linear(48, ${embed})
        self.norm = nn.LayerNorm(${embed})
        self.proj = nn.Linear(${width}, 256)

    def forward(self, x):
        return self.proj(self.norm(self.embed(x)))
`;
  const severities = (text: string): readonly string[] =>
    findingsIn(text).flatMap(({ code, severity }) => (/^HW2/.test(code) ? [severity] : []));

  it('is left alone where nothing tells what the setting is', () => {
    deepEqual(severities(tower('config', "config['vision_width']", '768')), []);
    deepEqual(severities(tower('config', 'config.vision_width', '768')), []);
  });

  it('is worth a look where the defaults make it that number, or it is None unless it is given', () => {
    deepEqual(severities(tower('width: int = 768', 'width', '768')), ['information']);
    deepEqual(severities(tower('width: int = None', 'width', '768')), ['information']);
    deepEqual(severities(tower('heads: int = 12, head_dim: int = 64', 'heads * head_dim', '768')), ['information']);
  });

  it('is a mistake where the size is another by default', () => {
    deepEqual(severities(tower('width: int = 512', 'width', '768')), ['warning']);
    deepEqual(severities(tower('heads: int = 12, head_dim: int = 48', 'heads * head_dim', '768')), ['warning']);
  });

  it('may be the number of channels of an image', () => {
    const mapper = (channels: string): string => `import torch
from torch import nn


class Mapper(nn.Module):
    def __init__(self, width: int, channels: ${channels}):
        super().__init__()
        self.width = width
        if channels is not None:
            self.pixels = nn.Conv2d(channels, width, kernel_size=1)

    def forward(self, x):
        return self.pixels(x.new_zeros(x.size(0), 3, 8, 8))
`;
    deepEqual(severities(mapper('int = None')), ['information']);
  });
});

describe('a table that is tied to a head', () => {
  const model = (head: string): string => `import torch.nn as nn


class Model(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.embed = nn.Embedding(config.vocab_size, config.hidden_size)
        self.mlp = nn.Linear(config.hidden_size, config.hidden_size)
        self.head = ${head}
        self.head.weight = self.embed.weight

    def forward(self, input_ids):
        return self.head(self.mlp(self.embed(input_ids)))
`;

  // In PyTorch the second runs, and gives what the right one gives; the third fails when it adds its bias.
  it('works without a bias however the head was made', () => {
    const severities = (text: string): readonly string[] =>
      findingsIn(text).flatMap(({ code, severity }) => (code === 'HW236' ? [severity] : []));
    deepEqual(severities(model('nn.Linear(config.hidden_size, config.vocab_size, bias=False)')), []);
    deepEqual(severities(model('nn.Linear(config.vocab_size, config.hidden_size, bias=False)')), ['information']);
    deepEqual(severities(model('nn.Linear(config.vocab_size, config.hidden_size)')), ['error']);
    deepEqual(severities(model('nn.Linear(config.intermediate_size, config.vocab_size, bias=False)')), ['error']);
  });
});

describe('keys from a cache', () => {
  const cached = (scores: string): string => `import torch
from torch import nn


class Cached(nn.Module):
    def __init__(self, width, heads, longest):
        super().__init__()
        self.heads, self.each = heads, width // heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.register_buffer('keys', torch.zeros(4, longest, heads, self.each))
        self.register_buffer('values', torch.zeros(4, longest, heads, self.each))

    def forward(self, x, start: int = 0):
        b, t, _ = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, self.each).unbind(2)
        self.keys[:b, start : start + t] = k
        self.values[:b, start : start + t] = v
        k, v = self.keys[:b, : start + t], self.values[:b, : start + t]
        q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)


        scores = ${scores}
        y = scores.softmax(-1) @ v
        return self.out(y.transpose(1, 2).reshape(b, t, -1))
`;

  it('are to be transposed where they are multiplied', () => {
    expectAtLines(cached('torch.matmul(q, k) / self.each**0.5  # HW210'));
    expectAtLines(cached('torch.matmul(q, k.transpose(2, 3)) / self.each**0.5'));
  });
});

describe('a width that two settings tell, beside sizes that are not known', () => {
  it('is not doubted', () => {
    const text = `import torch
import torch.nn as nn


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.heads, self.size = config.num_heads, config.hidden_size // config.num_heads
        self.qkv = nn.Linear(config.hidden_size, 3 * config.hidden_size)
        self.out = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, x, cos, sin):
        length = x.shape[0]
        q, k, v = self.qkv(x).view(length, 3, self.heads, self.size).unbind(1)
        q = q * cos + torch.cat((-q[..., self.size // 2 :], q[..., : self.size // 2]), -1) * sin
        k = k * cos + torch.cat((-k[..., self.size // 2 :], k[..., : self.size // 2]), -1) * sin
        q, k, v = (u.transpose(0, 1) for u in (q, k, v))
        y = (q @ k.transpose(1, 2) / self.size**0.5).softmax(-1) @ v
        return self.out(y.transpose(0, 1).reshape(length, -1))


class Encoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.attention = Attention(config)
        self.register_buffer("steps", 1.0 / 10000 ** (torch.arange(0, config.head_dim, 2) / config.head_dim))

    def forward(self, x, sides):
        places = torch.cat([torch.arange(int(side)) for side in sides])
        angles = torch.outer(places, self.steps)
        table = torch.cat((angles, angles), -1)[:, None]
        return x + self.attention(x, table.cos(), table.sin())
`;
    deepEqual(
      findingsIn(text).map(({ code }) => code),
      [],
    );
  });
});
