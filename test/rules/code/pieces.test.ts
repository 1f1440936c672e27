import assert from 'node:assert/strict';
import { type Dim, number, rigid, unknownDim } from '../../../src/dims/dim.ts';
import { shapeOf } from '../../../src/dims/shape.ts';
import { join } from '../../../src/interpreter/join.ts';
import type { TensorValue } from '../../../src/interpreter/value.ts';
import { LineIndex } from '../../../src/text/lineIndex.ts';
import { analyse } from '../../../src/workspace/analyse.ts';
import { type PythonReader, pythonReader } from '../../../src/workspace/python.ts';
import { defaultSettings } from '../../../src/workspace/settings.ts';
import { pythonParser } from '../../unit/python/parser.ts';

let python: PythonReader;
before(async () => {
  python = pythonReader(await pythonParser());
});

/** Findings that are no remarks: line and code. */
function findings(text: string): readonly string[] {
  const index = new LineIndex(text);
  const { findings } = analyse({ text, path: 'model.py', python }, defaultSettings);
  return findings
    .filter(({ severity }) => severity !== 'hint')
    .map(({ code, range }) => `${index.positionAt(range.start).line + 1} ${code}`);
}

/** Attention of queries that a model holds, whose number is no symbol of its own, in an nn.Sequential. */
const vision = (qkv: string, merge: string): string => `import torch
import torch.nn as nn


class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.head_dim = dim // heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        B, N, C = x.shape
        q, k, v = ${qkv}.unbind(0)
        weights = (q @ k.transpose(-2, -1) * self.head_dim**-0.5).softmax(dim=-1)
        x = weights @ v
        return self.proj(${merge})


class Model(nn.Module):
    def __init__(self, image, patch, dim, heads, depth):
        super().__init__()
        self.pos = nn.Parameter(torch.zeros(1, (image // patch) ** 2, dim))
        self.blocks = nn.Sequential(*[Attention(dim, heads) for _ in range(depth)])

    def forward(self, pixels):
        return self.blocks(self.pos.expand(pixels.shape[0], -1, -1))
`;
const split = 'self.qkv(x).reshape(B, N, 3, self.heads, self.head_dim).permute(2, 0, 3, 1, 4)';
const merged = 'x.transpose(1, 2).reshape(B, N, C)';

describe('the pieces of axes', () => {
  it('leave attention alone that splits and merges in one order', () => {
    assert.deepEqual(findings(vision(split, merged)), []);
  });

  it('tell a merge that mixes tokens, however the transpose went wrong', () => {
    assert.deepEqual(findings(vision(split, 'x.reshape(B, N, C)')), ['18 HW230']);
    assert.deepEqual(findings(vision(split, 'x.transpose(2, 3).reshape(B, N, C)')), ['18 HW230']);
    assert.deepEqual(findings(vision(split, 'x.transpose(0, 2).reshape(B, N, C)')), ['18 HW230']);
  });

  it('tell a split that mixes tokens, and attention that goes over heads', () => {
    assert.deepEqual(findings(vision('self.qkv(x).reshape(3, B, self.heads, N, self.head_dim)', merged)), ['15 HW231']);
    assert.deepEqual(
      findings(vision('self.qkv(x).reshape(B, N, 3, self.heads, self.head_dim).permute(2, 0, 1, 3, 4)', 'x.reshape(B, N, C)')),
      ['15 HW233'],
    );
  });
});

/** A model that makes an additive mask of the mask of tokens that it is given. */
const masked = (mask: string): string => `import torch
import torch.nn as nn


class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.head_dim = dim // heads
        self.q = nn.Linear(dim, dim)
        self.k = nn.Linear(dim, dim)
        self.v = nn.Linear(dim, dim)

    def split(self, x):
        return x.view(x.shape[0], x.shape[1], self.heads, self.head_dim).transpose(1, 2)

    def forward(self, x, mask):
        q, k, v = self.split(self.q(x)), self.split(self.k(x)), self.split(self.v(x))
        scores = q @ k.transpose(-2, -1) / self.head_dim**0.5 + mask
        return scores.softmax(dim=-1) @ v


class Model(nn.Module):
    def __init__(self, vocab, dim, heads):
        super().__init__()
        self.embed = nn.Embedding(vocab, dim)
        self.attn = Attention(dim, heads)

    def forward(self, input_ids, attention_mask):
        x = self.embed(input_ids)
        mask = attention_mask[:, None, None, :].to(x.dtype)
        mask = ${mask}
        return self.attn(x, mask)
`;

describe('masks that come in', () => {
  it('are 1 at the tokens to attend to, once they are given axes', () => {
    assert.deepEqual(findings(masked('(1.0 - mask) * torch.finfo(x.dtype).min')), []);
    assert.deepEqual(findings(masked('mask * torch.finfo(x.dtype).min')), ['32 HW156']);
    assert.deepEqual(findings(masked('(1.0 - mask) * torch.finfo(x.dtype).max')), ['32 HW156']);
    assert.deepEqual(findings(masked('(1.0 - mask) * -1.0')), ['32 HW156']);
  });
});

describe('joined branches', () => {
  const tensor = (...dims: readonly Dim[]): TensorValue => ({
    kind: 'tensor',
    id: 1,
    shape: shapeOf(...dims),
    dtype: 'float',
    op: 'input',
    arguments: new Map(),
    inputs: [],
    site: undefined,
  });
  const middle = (a: TensorValue, b: TensorValue): Dim | undefined => {
    const joined = join(a, b, 'known');
    return joined.kind === 'tensor' ? joined.shape.dims[1] : undefined;
  };
  const [batch, width, wider] = [rigid('B'), rigid('width'), rigid('wider')];

  it('lend each other sizes where all else agrees', () => {
    assert.equal(middle(tensor(batch, unknownDim(), width), tensor(batch, number(64), width))?.constant, 64);
  });

  it('lend none where they differ in another', () => {
    // Pooled where the width grows: the branch that does not pool says nothing of how many tokens are left.
    assert.equal(middle(tensor(batch, unknownDim(), wider), tensor(batch, number(64), width))?.unknown, true);
  });
});
