/** Attention that is found although something on the way is not known: a cache that comes in, sizes that are numbers, callers. */
import assert from 'node:assert/strict';
import { expectAtLines, findingsIn } from './atLines.ts';

const head = 'import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n\n';

describe('attention whose keys are stored in what comes in', () => {
  const stored = (store: string, keys: string, changes: Readonly<Record<string, string>> = {}): string => {
    const line = (text: string): string => changes[text] ?? text;
    return `${head}
class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.num_heads = config.num_heads
        self.head_dim = config.head_dim
        self.qkv = nn.Linear(config.hidden_size, 3 * config.num_heads * config.head_dim)
        self.out = nn.Linear(config.num_heads * config.head_dim, config.hidden_size)

    def forward(self, x, places, cache, start, mask):
        B, T, _ = x.shape
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        q = q.view(B, T, self.num_heads, self.head_dim)
        k = k.view(B, T, self.num_heads, self.head_dim)
        v = v.view(B, T, self.num_heads, self.head_dim)
        k_cache, v_cache = cache
        ${store}
        q, k, v = q.transpose(1, 2), ${keys}
        ${line('scores = q @ k.transpose(2, 3) * self.head_dim ** -0.5')}
        ${line('weights = F.softmax(scores + mask, dim=-1)')}
        ${line('y = weights @ v')}
        return self.out(y.transpose(1, 2).reshape(B, T, -1))
`;
  };
  const ways = [
    ['k_cache.index_copy_(1, places, k)\n        v_cache.index_copy_(1, places, v)', 'k_cache.transpose(1, 2), v_cache.transpose(1, 2)'],
    [
      'k_cache[:, start:start + T] = k\n        v_cache[:, start:start + T] = v',
      'k_cache[:, :start + T].transpose(1, 2), v_cache[:, :start + T].transpose(1, 2)',
    ],
  ] as const;

  for (const [store, keys] of ways) {
    it(`is followed through ${store.split('\n')[0]}`, () => {
      expectAtLines(stored(store, keys));
      for (const [right, wrong] of [
        ['scores = q @ k.transpose(2, 3) * self.head_dim ** -0.5', 'scores = q @ k.transpose(2, 3)  # HW150'],
        ['scores = q @ k.transpose(2, 3) * self.head_dim ** -0.5', 'scores = q @ v.transpose(2, 3) * self.head_dim ** -0.5  # HW163'],
        ['weights = F.softmax(scores + mask, dim=-1)', 'weights = F.softmax(scores + mask, dim=1)  # HW154'],
        ['y = weights @ v', 'y = weights @ k  # HW162'],
      ] as const)
        expectAtLines(stored(store, keys, { [right]: wrong }));
    });
  }
});

describe('a scale of numbers alone', () => {
  const script = (scale: string): string => `${head}
n_embd = 384
n_head = 6


class Head(nn.Module):
    def __init__(self, head_size):
        super().__init__()
        self.key = nn.Linear(n_embd, head_size, bias=False)
        self.query = nn.Linear(n_embd, head_size, bias=False)
        self.value = nn.Linear(n_embd, head_size, bias=False)

    def forward(self, x):
        B, T, C = x.shape
        k, q, v = self.key(x), self.query(x), self.value(x)
        weights = F.softmax(q @ k.transpose(-2, -1) * ${scale}
        , dim=-1)
        return weights @ v


class Heads(nn.Module):
    def __init__(self):
        super().__init__()
        self.heads = nn.ModuleList([Head(n_embd // n_head) for _ in range(n_head)])
        self.out = nn.Linear(n_embd, n_embd)

    def forward(self, x):
        return self.out(torch.cat([head(x) for head in self.heads], dim=-1))
`;

  it('is the root of a size that there is, or says nothing', () => {
    for (const fine of ['k.shape[-1] ** -0.5', '0.125', '0.25', '10.0', '1 / 64']) expectAtLines(script(fine));
    expectAtLines(script('C ** -0.5  # HW151'));
    expectAtLines(script('k.shape[-1] ** 0.5  # HW152'));
  });
});

describe('attention in a function or module that is given queries, keys and values', () => {
  const alone = (changes: Readonly<Record<string, string>> = {}): string => {
    const line = (text: string): string => changes[text] ?? text;
    return `${head}import math


def attend(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, softmax_scale=None, causal: bool = False):
    if softmax_scale is None:
        softmax_scale = 1 / math.sqrt(query.size(-1))
    ${line('scores = torch.matmul(query, key.transpose(-2, -1)) * softmax_scale')}
    ${line('weights = torch.softmax(scores, dim=-1)')}
    ${line('return torch.matmul(weights, value)')}


class Project(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.out = nn.Linear(width, width)

    def forward(self, x):
        return self.out(x)
`;
  };
  const [scores, weights, result] = [
    'scores = torch.matmul(query, key.transpose(-2, -1)) * softmax_scale',
    'weights = torch.softmax(scores, dim=-1)',
    'return torch.matmul(weights, value)',
  ] as const;

  it('is judged where nothing in the file calls it', () => {
    expectAtLines(alone());
    expectAtLines(alone({ [scores]: 'scores = torch.matmul(query, key.transpose(-2, -1)) / softmax_scale  # HW152' }));
    expectAtLines(alone({ [weights]: 'weights = torch.softmax(scores, dim=-2)  # HW154' }));
    expectAtLines(alone({ [result]: 'return torch.matmul(weights, key)  # HW162' }));
  });

  const module = (name: string, factor: string): string => `${head}
class ${name}(nn.Module):
    def forward(self, query, key, value, mask=None):
        scores = torch.matmul(query, key.transpose(-2, -1))${factor}
        if mask is not None:
            scores = scores.masked_fill(mask == 0, float("-inf"))
        return torch.matmul(F.softmax(scores, dim=-1), value)
`;
  const unscaled = (text: string): boolean => findingsIn(text).some(({ code }) => code === 'HW150');

  it('lacks a scale only where the code speaks of one: who calls it may have scaled the queries', () => {
    assert.ok(unscaled(module('ScaledDotProduct', '')));
    assert.ok(!unscaled(module('ScaledDotProduct', ' * query.size(-1) ** -0.5')));
    assert.ok(!unscaled(module('Weigher', '')));
    assert.ok(unscaled(alone({ [scores]: 'scores = torch.matmul(query, key.transpose(-2, -1))' })));
  });
});

describe('what is made and left out', () => {
  const codes = (text: string): readonly string[] => findingsIn(text).map(({ code }) => code);

  const sublayer = (end: string): string => `${head}
class SelfAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.attend = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm = nn.LayerNorm(width)

    def forward(self, q):
        residual = q
        q, _ = self.attend(q, q, q)
        ${end}
        return q
`;

  it('is a residual that nothing reads', () => {
    assert.deepEqual(codes(sublayer('q = self.norm(q)')), ['HW322']);
    for (const fine of [
      'q = self.norm(q + residual)',
      'q += residual\n        q = self.norm(q)',
      'q = self.norm(q)\n        return q, residual',
    ])
      assert.deepEqual(codes(sublayer(fine)), [], fine);
  });

  const normed = (queries: string): string => `${head}
class Attention(nn.Module):
    def __init__(self, width, heads, qk_norm=False):
        super().__init__()
        self.heads, self.head_dim = heads, width // heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        if qk_norm:
            self.q_norm = nn.LayerNorm(width // heads)
            self.k_norm = nn.LayerNorm(width // heads)
        else:
            self.q_norm = self.k_norm = None

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = self.qkv(x).view(B, T, 3, self.heads, C // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        if self.q_norm:
            q = ${queries}(q)
        if self.k_norm:
            k = self.k_norm(k)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(y.transpose(1, 2).reshape(B, T, C))


def load(layer, weights):
    if hasattr(layer, "q_norm") and layer.q_norm is not None:
        layer.q_norm.weight = weights["q"]
`;

  it('is a norm that is only asked for and loaded', () => {
    assert.deepEqual(codes(normed('self.q_norm')), []);
    assert.ok(codes(normed('self.k_norm')).includes('HW324'));
  });
});
