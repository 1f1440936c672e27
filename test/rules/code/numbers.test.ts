import { expectAtLines } from './atLines.ts';

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
