import { expectAtLines } from './atLines.ts';

/** A gated feed-forward in a model whose settings have names that no format knows; its own numbers decide. */
const gated = (up: string, settings: string): string => `import torch
from torch import nn


class Gated(nn.Module):
    def __init__(self, width, inner):
        super().__init__()
        self.opens = nn.Linear(width, inner)
        self.carries = nn.Linear(width, ${up}
        self.closes = nn.Linear(inner, width)

    def forward(self, x):
        return self.closes(torch.sigmoid(self.opens(x)) * self.carries(x))


class Model(nn.Module):
    def __init__(self, ${settings}):
        super().__init__()
        self.table = nn.Embedding(vocab, width)
        self.gated = Gated(width, inner)

    def forward(self, ids):
        x = self.table(ids)
        return x + self.gated(x)
`;

/** A model of one class whose heads share keys and values, without a word on which counts fit. */
const shared = (keys: string): string => `import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, vocab=100, wide=24, amount=6, few=2):
        super().__init__()
        self.amount, self.few, self.each = amount, few, wide // amount
        self.table = nn.Embedding(vocab, wide)
        self.q = nn.Linear(wide, amount * self.each)
        self.k = nn.Linear(wide, ${keys}
        self.v = nn.Linear(wide, few * self.each)
        self.out = nn.Linear(amount * self.each, wide)

    def forward(self, ids):
        x = self.table(ids)
        b, t, _ = x.shape
        q = self.q(x).view(b, t, self.amount, self.each).transpose(1, 2)
        k = self.k(x).view(b, t, self.few, self.each).transpose(1, 2).repeat_interleave(self.amount // self.few, 1)
        v = self.v(x).view(b, t, self.few, self.each).transpose(1, 2).repeat_interleave(self.amount // self.few, 1)
        weights = ((q @ k.transpose(-2, -1)) / self.each**0.5).softmax(-1)
        return self.out((weights @ v).transpose(1, 2).reshape(b, t, -1))
`;

describe('what fails with all of the numbers that a class gives itself', () => {
  it('is said, and what works with them is not', () => {
    expectAtLines(gated('width)  # HW224', 'vocab=100, width=24, inner=64'));
    expectAtLines(gated('inner)', 'vocab=100, width=24, inner=64'));
    expectAtLines(shared('amount * self.each)  # HW222'));
    expectAtLines(shared('few * self.each)'));
  });

  it('is left alone where one of the numbers comes from elsewhere, or where they fit', () => {
    expectAtLines(gated('width)', 'vocab, width, inner'));
    expectAtLines(gated('width)', 'inner, vocab=100, width=24'));
    expectAtLines(gated('width)', 'vocab=100, width=24, inner=24'));
  });
});
