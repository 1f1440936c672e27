import assert from 'node:assert/strict';
import { LineIndex } from '../../../src/text/lineIndex.ts';
import { analyse } from '../../../src/workspace/analyse.ts';
import { type PythonReader, pythonReader } from '../../../src/workspace/python.ts';
import { defaultSettings } from '../../../src/workspace/settings.ts';
import { pythonParser } from '../../unit/python/parser.ts';

let python: PythonReader;
before(async () => {
  python = pythonReader(await pythonParser());
});

/** A line that ends in `# HW230` has that finding, and no other line has any of the rules about shapes. */
function expectAtLines(text: string): void {
  const expected = text.split('\n').flatMap((line, i) => {
    const mark = /#\s*(HW\d+)$/.exec(line);
    return mark === null ? [] : [`${i + 1} ${mark[1]}`];
  });
  const lines = new LineIndex(text);
  const found = analyse({ text, path: 'model.py', python }, defaultSettings).findings.filter(({ code }) => /^HW2[123]\d$/.test(code));
  const seen = [...new Set(found.map(({ code, range }) => `${lines.positionAt(range.start).line + 1} ${code}`))];
  assert.deepEqual(seen.sort(), expected.sort(), found.map(({ code, message }) => `${code} ${message}`).join('\n'));
}

const head = 'import math\nimport torch\nimport torch.nn as nn\nimport torch.nn.functional as F\nfrom einops import rearrange\n';

interface Helper {
  readonly key?: string;
  readonly split?: string;
  readonly scores?: string;
  readonly merge?: string;
}

/** Projections with a helper method, and a model around it. */
const withHelper = ({ key, split, scores, merge }: Helper): string => `${head}
class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        assert width % heads == 0
        self.heads, self.head_dim = heads, width // heads
        self.query = nn.Linear(width, width)
        self.key = ${key ?? 'nn.Linear(width, width)'}
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def split(self, t):
        B, T, _ = t.shape
        return ${split ?? 't.view(B, T, self.heads, self.head_dim).transpose(1, 2)'}

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
        weights = (${scores ?? 'q @ k.transpose(-2, -1)'} / math.sqrt(self.head_dim)).softmax(-1)
        y = weights @ v
        return self.out(${merge ?? 'y.transpose(1, 2).reshape(B, T, C)'})


class Model(nn.Module):
    def __init__(self, vocab, width, heads):
        super().__init__()
        self.embed = nn.Embedding(vocab, width)
        self.layers = nn.ModuleList([Attention(width, heads) for _ in range(4)])
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens):
        x = self.embed(tokens)
        for layer in self.layers:
            x = x + layer(x)
        return self.norm(x)
`;

describe('shapes in model code', () => {
  it('leaves attention with a helper alone', () => expectAtLines(withHelper({})));
  it('finds heads merged without a transpose', () => expectAtLines(withHelper({ merge: 'y.reshape(B, T, C))  # HW230\n        (y' })));
  it('finds heads split without a transpose', () =>
    expectAtLines(withHelper({ split: 't.view(B, self.heads, T, self.head_dim)  # HW231' })));
  it('finds a product without a transpose', () => expectAtLines(withHelper({ scores: 'q @ k  # HW210\n                   ' })));
  it('finds the projection that differs from its partners', () =>
    expectAtLines(withHelper({ key: 'nn.Linear(width, width // 2)  # HW222' })));

  it('takes windows, merged batches and sequence-first data as they are', () =>
    expectAtLines(`${head}
class Merged(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        assert width % heads == 0
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x):
        T, B, C = x.shape
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        q = q.contiguous().view(T, B * self.heads, C // self.heads).transpose(0, 1)
        k = k.contiguous().view(T, B * self.heads, C // self.heads).transpose(0, 1)
        v = v.contiguous().view(T, B * self.heads, C // self.heads).transpose(0, 1)
        weights = torch.bmm(q, k.transpose(1, 2)).softmax(dim=-1)
        y = torch.bmm(weights, v).transpose(0, 1).contiguous().view(T, B, C)
        return self.out(y)


class Einops(nn.Module):
    def __init__(self, dim, heads=8, dim_head=64):
        super().__init__()
        self.heads = heads
        self.to_qkv = nn.Linear(dim, heads * dim_head * 3, bias=False)
        self.to_out = nn.Linear(heads * dim_head, dim)

    def forward(self, x):
        qkv = self.to_qkv(x).chunk(3, dim=-1)
        q, k, v = map(lambda t: rearrange(t, 'b n (h d) -> b h n d', h=self.heads), qkv)
        out = F.scaled_dot_product_attention(q, k, v)
        return self.to_out(rearrange(out, 'b h n d -> b n (h d)'))
`));
});
