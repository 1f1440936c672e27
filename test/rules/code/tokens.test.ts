/** Keys, values and caches: along which axis tokens lie, and whose tokens they are. In PyTorch each marked line raises a RuntimeError. */
import { expectAtLines, type findingsIn } from './atLines.ts';

const counts =
  (...codes: readonly string[]) =>
  ({ code }: ReturnType<typeof findingsIn>[number]): boolean =>
    codes.includes(code);

const cached = (key: string, value: string): string => `import torch
from torch import nn


class Attention(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.size = width // heads
        self.qkv = nn.Linear(width, 3 * width)

    def forward(self, x, cache=None):
        rows, length, width = x.shape
        q, k, v = (part.reshape(rows, length, self.heads, self.size).transpose(1, 2) for part in self.qkv(x).chunk(3, dim=-1))
        if cache is not None:
            older, oldest = cache["keys"], cache["values"]
            ${key}
            ${value}
        scores = q @ k.transpose(-2, -1) * self.size**-0.5
        return (scores.softmax(dim=-1) @ v).transpose(1, 2).reshape(rows, length, width)
`;

describe('a cache that one branch joins', () => {
  const [key, value] = ['k = torch.cat((older, k), dim=2)', 'v = torch.cat((oldest, v), dim=-2)'];
  const check = (text: string): void => expectAtLines(text, counts('HW425'));

  it('grows along the tokens', () => check(cached(key, value)));

  it('does not grow along heads or features', () => {
    check(cached('k = torch.cat((older, k), dim=1)  # HW425', value));
    check(cached(key, 'v = torch.cat((oldest, v), dim=-1)  # HW425'));
  });
});

const model = (given: string): string => `import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.own = nn.MultiheadAttention(width, heads, batch_first=True)
        self.cross = nn.MultiheadAttention(width, heads, batch_first=True)

    def forward(self, y, seen):
        y = y + self.own(y, y, y)[0]
        return y + self.cross(${given})[0]


class Translator(nn.Module):
    def __init__(self, words: int, width: int, heads: int):
        super().__init__()
        self.embed = nn.Embedding(words, width)
        self.reads = nn.MultiheadAttention(width, heads, batch_first=True)
        self.block = Block(width, heads)

    def forward(self, source_ids, target_ids):
        seen = self.embed(source_ids)
        seen = seen + self.reads(seen, seen, seen)[0]
        return self.block(self.embed(target_ids), seen)
`;

describe('keys and values', () => {
  const check = (text: string): void => expectAtLines(text, counts('HW170'));

  it('are of the same tokens', () => {
    check(model('y, seen, seen'));
    check(model('y, seen + self.own(seen, seen, seen)[0], seen'));
    check(model('y, y, y'));
  });

  it('are not of one sequence each, where both attend to themselves', () => {
    check(model('y, seen, y').replace('seen, y)[0]', 'seen, y)[0]  # HW170'));
    check(model('query=y, key=y, value=seen').replace('value=seen)[0]', 'value=seen)[0]  # HW170'));
  });

  it('may be of two that only come in side by side', () => {
    check(`import torch
from torch import nn


class Spread(nn.Module):
    """Features say to which places flow spreads."""

    def __init__(self, width: int):
        super().__init__()
        self.q = nn.Linear(width, width)
        self.k = nn.Linear(width, width)

    def forward(self, x, flow):
        scores = self.q(x) @ self.k(x).transpose(-2, -1) * x.shape[-1] ** -0.5
        return scores.softmax(dim=-1) @ flow
`);
  });
});

describe('queries and keys as they come in', () => {
  const scores = (written: string): string => `import math
from torch import nn


class Scores(nn.Module):
    def forward(self, q, k, v):
        rows, heads, length, size = k.size()
        ${written}
        return scores.softmax(-1) @ v
`;
  const check = (text: string): void => expectAtLines(text, counts('HW169'));

  it('are multiplied over their features', () => {
    check(scores('scores = q @ k.transpose(2, 3) / math.sqrt(size)'));
    check(scores('scores = (q @ k) / math.sqrt(size)  # HW169'));
  });
});
