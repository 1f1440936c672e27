import assert from 'node:assert/strict';
import { LineIndex } from '../../../src/text/lineIndex.ts';
import { analyse } from '../../../src/workspace/analyse.ts';
import { type PythonReader, pythonReader } from '../../../src/workspace/python.ts';
import { defaultSettings } from '../../../src/workspace/settings.ts';
import { pythonParser } from '../../unit/python/parser.ts';
import { expectAtLines, findingsIn } from './atLines.ts';

let python: PythonReader;
before(async () => {
  python = pythonReader(await pythonParser());
});

/** Lines that end in `# here` have a finding about shapes or caches, and no other line has one. */
function expectHere(text: string): void {
  const lines = new LineIndex(text);
  const found = analyse({ text, path: 'model.py', python }, defaultSettings).findings.filter(({ code }) =>
    /^HW(?:2[123]\d|42\d)$/.test(code),
  );
  const seen = new Set(found.map(({ range }) => lines.positionAt(range.start).line + 1));
  const expected = text.split('\n').flatMap((line, i) => (line.endsWith('# here') ? [i + 1] : []));
  assert.deepEqual(
    [...seen].filter((line) => expected.length === 0 || expected.includes(line)),
    expected,
    found.map(({ code, message }) => `${code} ${message}`).join('\n'),
  );
}

interface Parts {
  readonly mask?: string;
  readonly keys?: string;
  readonly values?: string;
  readonly repeated?: string;
  readonly keyView?: string;
  readonly keyWidth?: string;
}

/** Keys and values are kept from call to call; `start_pos` says how many. */
const cached = (parts: Parts = {}): string => `import math
from typing import Optional

import torch
import torch.nn.functional as F
from torch import nn


def repeat_heads(x, times):
    batch, length, heads, width = x.shape
    return x[:, :, :, None, :].expand(batch, length, heads, times, width).reshape(batch, length, heads * times, width)


class Attention(nn.Module):
    def __init__(self, dim: int, n_heads: int, n_kv_heads: Optional[int], max_batch_size: int, max_seq_len: int):
        super().__init__()
        self.n_heads = n_heads
        self.n_kv_heads = n_heads if n_kv_heads is None else n_kv_heads
        self.head_dim = dim // n_heads
        self.wq = nn.Linear(dim, n_heads * self.head_dim)
        self.wk = nn.Linear(dim, ${parts.keyWidth ?? 'self.n_kv_heads * self.head_dim)'}
        self.wv = nn.Linear(dim, self.n_kv_heads * self.head_dim)
        self.wo = nn.Linear(n_heads * self.head_dim, dim)
        self.cache_k = torch.zeros(max_batch_size, max_seq_len, self.n_kv_heads, self.head_dim)
        self.cache_v = torch.zeros(max_batch_size, max_seq_len, self.n_kv_heads, self.head_dim)

    def forward(self, x, start_pos: int, mask):
        bsz, seqlen, _ = x.shape
        q = self.wq(x).view(bsz, seqlen, self.n_heads, self.head_dim)
        k = self.wk(x)${parts.keyView ?? '.view(bsz, seqlen, self.n_kv_heads, self.head_dim)'}
        v = self.wv(x).view(bsz, seqlen, self.n_kv_heads, self.head_dim)
        self.cache_k[:bsz, start_pos : start_pos + seqlen] = k
        self.cache_v[:bsz, start_pos : start_pos + seqlen] = v
        keys = self.cache_k${parts.keys ?? '[:bsz, : start_pos + seqlen]'}
        values = self.cache_v${parts.values ?? '[:bsz, : start_pos + seqlen]'}
        keys = repeat_heads(${parts.repeated ?? 'keys, self.n_heads // self.n_kv_heads)'}
        values = repeat_heads(values, self.n_heads // self.n_kv_heads)
        q, keys, values = q.transpose(1, 2), keys.transpose(1, 2), values.transpose(1, 2)
        scores = q @ keys.transpose(2, 3) / math.sqrt(self.head_dim)
        if mask is not None:
            scores = scores + mask
        weights = F.softmax(scores, dim=-1)
        output = (weights @ values).transpose(1, 2).reshape(bsz, seqlen, -1)
        return self.wo(output)


class Model(nn.Module):
    def __init__(self, vocab_size: int, dim: int, n_heads: int, n_kv_heads: Optional[int], max_batch_size: int, max_seq_len: int):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, dim)
        self.attention = Attention(dim, n_heads, n_kv_heads, max_batch_size, max_seq_len)
        self.head = nn.Linear(dim, vocab_size)

    def forward(self, tokens, start_pos: int):
        bsz, seqlen = tokens.shape
        mask = None
        if seqlen > 1:
            mask = torch.full((seqlen, seqlen), float("-inf")).triu(1)
            mask = ${parts.mask ?? 'torch.hstack([torch.zeros((seqlen, start_pos)), mask])'}
        x = self.embed(tokens)
        return self.head(x + self.attention(x, start_pos, mask))
`;

/** A cache that a module of its own holds, filled at given places. */
const placed = (
  parts: { readonly index?: string; readonly mask?: string; readonly used?: string; readonly shape?: string } = {},
): string => `import torch
import torch.nn.functional as F
from torch import nn


class Cache(nn.Module):
    def __init__(self, batch_size, max_length, heads, head_dim):
        super().__init__()
        shape = ${parts.shape ?? '(batch_size, heads, max_length, head_dim)'}
        self.register_buffer("keys", torch.zeros(shape))
        self.register_buffer("values", torch.zeros(shape))

    def update(self, input_pos, k, v):
        self.keys[${parts.index ?? ': k.size(0), :, input_pos] = k'}
        self.values[: v.size(0), :, input_pos] = v
        return self.keys[: k.size(0)], self.values[: v.size(0)]


class Model(nn.Module):
    def __init__(self, vocab_size, dim, num_heads, head_dim, batch_size, max_length):
        super().__init__()
        self.num_heads, self.head_dim = num_heads, head_dim
        self.embed = nn.Embedding(vocab_size, dim)
        self.q = nn.Linear(dim, num_heads * head_dim)
        self.k = nn.Linear(dim, num_heads * head_dim)
        self.v = nn.Linear(dim, num_heads * head_dim)
        self.o = nn.Linear(num_heads * head_dim, dim)
        self.cache = Cache(batch_size, max_length, num_heads, head_dim)
        self.register_buffer("causal_mask", torch.tril(torch.ones(max_length, max_length, dtype=torch.bool)))

    def forward(self, idx, input_pos):
        x = self.embed(idx)
        B, T, _ = x.shape
        q, k, v = (layer(x).view(B, T, self.num_heads, self.head_dim).transpose(1, 2) for layer in (self.q, self.k, self.v))
        ${parts.used ?? 'k, v = self.cache.update(input_pos, k, v)'}
        mask = self.causal_mask[${parts.mask ?? 'None, None, input_pos]'}
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)${parts.used === undefined ? '' : '  # here'}
        return x + self.o(y.transpose(1, 2).reshape(B, T, self.num_heads * self.head_dim))
`;

describe('lengths of what is cached', () => {
  it('leaves a cache with its mask alone', () => expectHere(cached()));
  it('sees a mask without the cached columns', () => expectHere(cached({ mask: 'mask.float()' }).replace('.triu(1)', '.triu(1)  # here')));
  it('sees a mask with the cached rows for columns', () =>
    expectHere(cached({ mask: 'torch.vstack([torch.zeros((start_pos, seqlen)), mask])  # here' })));
  it('sees keys that are read from the new ones on', () => expectHere(cached({ keys: '[:bsz, start_pos : start_pos + seqlen]  # here' })));
  it('sees values that are read up to the new ones', () => expectHere(cached({ values: '[:bsz, :start_pos]  # here' })));
  it('sees keys that come past the cache', () => expectHere(cached({ repeated: 'k, self.n_heads // self.n_kv_heads)  # here' })));
  it('sees keys of as many heads as queries where fewer are given', () =>
    expectHere(cached({ keyWidth: 'n_heads * self.head_dim)  # here' })));
  it('sees keys whose heads and width have changed places', () =>
    expectHere(cached({ keyView: '.view(bsz, seqlen, self.head_dim, self.n_kv_heads)  # here' })));
  it('leaves a cache that is filled at given places alone', () => expectHere(placed()));
  it('sees an index along the wrong axis of the cache', () => expectHere(placed({ index: ': k.size(0), input_pos] = k  # here' })));
  it('sees a cache whose axes are in another order', () =>
    expectHere(
      placed({ shape: '(batch_size, max_length, heads, head_dim)' }).replace(
        'torch.zeros(shape))\n        self.register_buffer("values"',
        'torch.zeros(shape))  # here\n        self.register_buffer("values"',
      ),
    ));
  it('sees a mask that is cut along the wrong axis', () => expectHere(placed({ mask: 'None, None, :, input_pos]  # here' })));
  it('sees keys that are not taken from the cache under a mask for the cache', () =>
    expectHere(placed({ used: 'self.cache.update(input_pos, k, v)' })));
});

describe('a table that is cut to a length', () => {
  const coder = (cut: string): string => `import torch
from torch import nn


class Coder(nn.Module):
    def __init__(self, vocabulary, width, longest):
        super().__init__()
        self.words = nn.Embedding(vocabulary, width)
        self.places = nn.Parameter(torch.zeros(1, longest, width))

    def forward(self, source, target):
        x = self.words(source) + self.places[:, : source.size(1)]
${cut}
        return x, y
`;

  it('is of the length of what it is added to', () => {
    expectAtLines(coder('        y = self.words(target) + self.places[:, : target.size(1)]'));
    expectAtLines(coder('        y = self.words(target) + self.places[:, : source.size(1)]  # HW217'));
    expectAtLines(coder('        y = self.words(target) + self.places[:, : target.size(0)]  # HW217'));
    expectAtLines(
      coder('        places = self.places[:, : source.shape[1]]  # HW217\n        y = self.words(target)\n        y = y + places'),
    );
  });
});

describe('tokens of all rows in one axis', () => {
  const block = (result: string): string => `import torch
from torch import nn


class Mixed(nn.Module):
    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.width = width
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, hidden)
        self.down = nn.Linear(hidden, width)

    def mix(self, x):
        b, t, c = x.shape
        y = self.down(torch.relu(self.up(x.view(-1, self.width))))
        return ${result}

    def forward(self, x):
        return x + self.mix(self.norm(x))
`;

  // In PyTorch the second runs for one row, as code for generation is run, and fails for two.
  it('are worth a look where they are added to rows of tokens', () => {
    const severities = (text: string): readonly string[] => findingsIn(text).map(({ code, severity }) => `${code} ${severity}`);
    assert.deepEqual(severities(block('y.view(b, t, c)')), []);
    assert.deepEqual(severities(block('y')), ['HW217 information']);
  });
});
