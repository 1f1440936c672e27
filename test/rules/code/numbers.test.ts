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
