import { expectAtLines } from './atLines.ts';

const layer = (check: string): string => `import torch
from torch import nn


class Attends(nn.Module):
    def __init__(self, width, heads, groups):
        super().__init__()
        self.each = width // heads
        self.heads, self.groups = heads, groups
${check}
        self.q = nn.Linear(width, heads * self.each)
        self.kv = nn.Linear(width, 2 * groups * self.each)
        self.out = nn.Linear(heads * self.each, width)

    def forward(self, x):
        b, t, _ = x.shape
        q = self.q(x).view(b, t, self.heads, self.each).transpose(1, 2)
        k, v = self.kv(x).view(b, t, 2, self.groups, self.each).permute(2, 0, 3, 1, 4)
        y = nn.functional.scaled_dot_product_attention(q, k, v, enable_gqa=True)
        return self.out(y.transpose(1, 2).flatten(2))
`;

const checks = [
  '        assert width % heads == 0 and heads % groups == 0',
  '        if width % heads or heads % groups:\n            raise ValueError("cannot be split")',
  '        if width % heads != 0:\n            raise ValueError("width")\n        elif heads % groups != 0:\n            raise ValueError("groups")',
  '        assert self.each * heads == width, "width"\n        assert not heads % groups',
];

const withDefaults = (settings: string): string => `

class Model(nn.Module):
    def __init__(self, ${settings}):
        super().__init__()
        self.table = nn.Embedding(100, width)
        self.attends = Attends(width, heads, groups)

    def forward(self, ids):
        x = self.table(ids)
        return x + self.attends(x)
`;

const withNumbers = (numbers: string): string => `

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.attends = Attends(${numbers}

    def forward(self, x):
        return x + self.attends(x)
`;

describe('a check of sizes that the code makes itself', () => {
  for (const check of checks) {
    it(`holds defaults and numbers against ${check.trim().split('\n')[0]}`, () => {
      const code = layer(check);
      expectAtLines(code + withDefaults('\n            width=96,\n            heads=7,  # HW238\n            groups=1'));
      expectAtLines(code + withDefaults('\n            width=96,\n            heads=8,\n            groups=3  # HW238\n'));
      expectAtLines(code + withNumbers('96, 7, 1)  # HW238'));
      expectAtLines(code + withDefaults('width=96, heads=8, groups=2'));
      expectAtLines(code + withNumbers('96, 8, 2)'));
      // Whoever makes it gives the numbers.
      expectAtLines(code + withDefaults('width, heads=7, groups=1'));
    });
  }

  it('is not held against numbers in code that is there to fail', () => {
    const code = layer(checks[0] ?? '');
    expectAtLines(`${code}

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        try:
            self.attends = Attends(96, 7, 1)
        except AssertionError:
            self.attends = Attends(96, 8, 1)

    def forward(self, x):
        return x + self.attends(x)
`);
  });
});
