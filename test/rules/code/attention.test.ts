import assert from 'node:assert/strict';
import { attentionsOf } from '../../../src/rules/code/attention.ts';
import { type Analysis, analyse } from '../../../src/workspace/analyse.ts';
import { type PythonReader, pythonReader } from '../../../src/workspace/python.ts';
import { defaultSettings } from '../../../src/workspace/settings.ts';
import { pythonParser } from '../../unit/python/parser.ts';
import { expectAtLines } from './atLines.ts';

let python: PythonReader;
before(async () => {
  python = pythonReader(await pythonParser());
});

const read = (text: string): Analysis => analyse({ text, path: 'model.py', python }, defaultSettings);

/** Codes of the rules about attention and rotary embeddings. */
const isOwn = (code: string): boolean => /^HW1[56]\d$|^HW42\d$/.test(code);

/** A line that ends in `# HW154` has that finding, and no other line has any. */
const expectOwn = (text: string): void => expectAtLines(text, ({ code }) => isOwn(code));

const head = 'import math\nimport torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n';

/** Separate projections with a helper method. */
const separate = (body: string, helper = 'return t.view(B, T, self.heads, self.head_dim).transpose(1, 2)'): string => `${head}
class Attention(nn.Module):
    def __init__(self, width, heads, dropout=0.0):
        super().__init__()
        assert width % heads == 0
        self.heads, self.head_dim = heads, width // heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)
        self.drop = nn.Dropout(dropout)

    def split(self, t):
        B, T, _ = t.shape
        ${helper}

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
${body
  .split('\n')
  .map((line) => `        ${line}`)
  .join('\n')}
        return self.out(y.transpose(1, 2).reshape(B, T, C))
`;

/** einops and einsum. */
const einsum = (body: string): string => `${head}from einops import rearrange
from torch import einsum


class Attention(nn.Module):
    def __init__(self, dim, heads=8, dim_head=64):
        super().__init__()
        self.heads = heads
        self.scale = dim_head ** -0.5
        self.to_qkv = nn.Linear(dim, heads * dim_head * 3, bias=False)
        self.to_out = nn.Linear(heads * dim_head, dim)

    def forward(self, x):
        b, n, _ = x.shape
        q, k, v = map(lambda t: rearrange(t, "b n (h d) -> b h n d", h=self.heads), self.to_qkv(x).chunk(3, dim=-1))
${body
  .split('\n')
  .map((line) => `        ${line}`)
  .join('\n')}
        return self.to_out(rearrange(out, "b h n d -> b n (h d)"))
`;

/** A function that gets tensors and a scale, called by a class. */
const eager = (body: string, call = 'eager(self, q, k, v, self.scaling)'): string => `${head}

def repeat_kv(x, n):
    b, h, s, d = x.shape
    if n == 1:
        return x
    return x[:, :, None, :, :].expand(b, h, n, s, d).reshape(b, h * n, s, d)


def eager(module, query, key, value, scaling, dropout=0.0):
    key_states = repeat_kv(key, module.groups)
    value_states = repeat_kv(value, module.groups)
${body
  .split('\n')
  .map((line) => `    ${line}`)
  .join('\n')}
    return attn_output.transpose(1, 2).contiguous(), attn_weights


class Attention(nn.Module):
    def __init__(self, hidden_size: int, num_heads: int, num_kv_heads: int, head_dim: int):
        super().__init__()
        self.head_dim = head_dim
        self.groups = num_heads // num_kv_heads
        self.scaling = head_dim**-0.5
        self.q_proj = nn.Linear(hidden_size, num_heads * head_dim)
        self.k_proj = nn.Linear(hidden_size, num_kv_heads * head_dim)
        self.v_proj = nn.Linear(hidden_size, num_kv_heads * head_dim)
        self.o_proj = nn.Linear(num_heads * head_dim, hidden_size)

    def forward(self, hidden_states):
        input_shape = hidden_states.shape[:-1]
        q = self.q_proj(hidden_states).view(*input_shape, -1, self.head_dim).transpose(1, 2)
        k = self.k_proj(hidden_states).view(*input_shape, -1, self.head_dim).transpose(1, 2)
        v = self.v_proj(hidden_states).view(*input_shape, -1, self.head_dim).transpose(1, 2)
        out, weights = ${call}
        return self.o_proj(out.reshape(*input_shape, -1))
`;

const scores = 'scores = q @ k.transpose(-2, -1) / math.sqrt(self.head_dim)';
const rest = 'w = F.softmax(scores, dim=-1)\ny = w @ v';
const sim = 'sim = einsum("b h i d, b h j d -> b h i j", q, k) * self.scale';
const out = 'out = einsum("b h i j, b h j d -> b h i d", attn, v)';
const eagerScores = 'attn_weights = torch.matmul(query, key_states.transpose(2, 3)) * scaling';
const eagerRest = 'attn_weights = F.softmax(attn_weights, dim=-1)\nattn_output = torch.matmul(attn_weights, value_states)';

describe('attention in model code', () => {
  it('is found in each style, with its operands', () => {
    for (const text of [
      separate(`${scores}\n${rest}`),
      einsum(`${sim}\nattn = sim.softmax(dim=-1)\n${out}`),
      eager(`${eagerScores}\n${eagerRest}`),
    ]) {
      const { code } = read(text);
      assert.ok(code !== undefined);
      const [attention, ...others] = attentionsOf(code);
      assert.equal(others.length, 0);
      assert.ok(attention?.kind === 'softmax' && attention.sums.length === 1);
      assert.deepEqual(
        attention.paths.flat().map(({ kind }) => kind),
        ['scale'],
      );
      const sources = [attention.query, attention.key, attention.sums[0]?.value].map(
        (operand) => `${operand?.source?.node.id} ${operand?.source?.part}`,
      );
      assert.equal(new Set(sources).size, 3, sources.join(', '));
    }
  });

  it('knows which operand holds the keys by what meets the values', () => {
    const { code } = read(
      separate('scores = k @ q.transpose(-2, -1) / math.sqrt(self.head_dim)\nw = F.softmax(scores, dim=-2)\ny = w.transpose(-2, -1) @ v'),
    );
    assert.ok(code !== undefined);
    const [attention] = attentionsOf(code);
    const layer = attention?.key.source?.node.layer;
    assert.equal(code.variables.find(({ value }) => value === layer)?.name, 'self.key');
  });

  it('is right as it stands', () => {
    expectOwn(separate(`${scores}\n${rest}`));
    expectOwn(separate('y = F.scaled_dot_product_attention(q, k, v)'));
    expectOwn(einsum(`${sim}\nattn = sim.softmax(dim=-1)\n${out}`));
    expectOwn(eager(`${eagerScores}\n${eagerRest}`));
  });
});

describe('scales', () => {
  it('are missed in each style', () => {
    expectOwn(separate(`scores = q @ k.transpose(-2, -1)  # HW150\n${rest}`));
    expectOwn(einsum(`sim = einsum("b h i d, b h j d -> b h i j", q, k)  # HW150\nattn = sim.softmax(dim=-1)\n${out}`));
    expectOwn(eager(`attn_weights = torch.matmul(query, key_states.transpose(2, 3))  # HW150\n${eagerRest}`));
  });

  it('are by the head dim', () => {
    expectOwn(separate(`scores = q @ k.transpose(-2, -1) / math.sqrt(C)  # HW151\n${rest}`));
    expectOwn(separate(`scores = q @ k.transpose(-2, -1) / math.sqrt(self.heads)  # HW151\n${rest}`));
    expectOwn(separate(`scores = q @ k.transpose(-2, -1) * C ** -0.5 * self.heads ** 0.5\n${rest}`));
  });

  it('divide', () => {
    expectOwn(separate(`scores = q @ k.transpose(-2, -1) * math.sqrt(self.head_dim)  # HW152\n${rest}`));
    expectOwn(einsum(`sim = einsum("b h i d, b h j d -> b h i j", q, k) / self.scale  # HW152\nattn = sim.softmax(dim=-1)\n${out}`));
    expectOwn(eager(`attn_weights = torch.matmul(query, key_states.transpose(2, 3)) / scaling  # HW152\n${eagerRest}`));
  });

  it('come once', () => {
    expectOwn(
      separate(`q = q * self.head_dim ** -0.5  # HW153\nscores = q @ k.transpose(-2, -1) / math.sqrt(self.head_dim)  # HW153\n${rest}`),
    );
    expectOwn(separate('q = q / math.sqrt(self.head_dim)  # HW153\ny = F.scaled_dot_product_attention(q, k, v)'));
  });

  it('may be split, be a temperature, be that of muP, be undone, or make way for norms', () => {
    expectOwn(separate(`q, k = q * self.head_dim ** -0.25, k * self.head_dim ** -0.25\nscores = q @ k.transpose(-2, -1)\n${rest}`));
    expectOwn(separate(`scores = q @ k.transpose(-2, -1) / self.head_dim\n${rest}`));
    expectOwn(separate('y = F.scaled_dot_product_attention(q * math.sqrt(self.head_dim), k, v)'));
    expectOwn(separate(`q, k = F.normalize(q, dim=-1), F.normalize(k, dim=-1)\nscores = q @ k.transpose(-2, -1)\n${rest}`));
    expectOwn(
      separate(`scores = q @ k.transpose(-2, -1) * self.temperature\n${rest}`).replace(
        'self.drop =',
        'self.temperature = nn.Parameter(torch.ones(heads, 1, 1))\n        self.drop =',
      ),
    );
  });

  it('may be left out where a learned bias of positions is added, as in T5', () => {
    expectOwn(
      separate(`scores = q @ k.transpose(-2, -1)\nscores = scores + self.bias[:, :T, :T]\n${rest}`).replace(
        'self.drop =',
        'self.bias = nn.Parameter(torch.zeros(heads, 64, 64))\n        self.drop =',
      ),
    );
  });

  it('are not those of a soft cap', () => {
    expectOwn(separate(`${scores}\nscores = 30.0 * torch.tanh(scores / 30.0)\n${rest}`));
  });
});

describe('softmax and what stands around it', () => {
  it('goes over the keys', () => {
    expectOwn(separate(`${scores}\nw = F.softmax(scores, dim=1)  # HW154\ny = w @ v`));
    expectOwn(einsum(`${sim}\nattn = sim.softmax(dim=-2)  # HW154\n${out}`));
    expectOwn(
      eager(
        `${eagerScores}\nattn_weights = F.softmax(attn_weights, dim=-2)  # HW154\nattn_output = torch.matmul(attn_weights, value_states)`,
      ),
    );
  });

  it('may go over features, over experts, or over slots that are normed again', () => {
    expectOwn(
      separate(
        `w = F.softmax(F.normalize(q, dim=-1).transpose(-2, -1) @ F.normalize(k, dim=-1) * self.drop.p, dim=-1)\ny = (w @ v.transpose(-2, -1)).transpose(-2, -1)`,
      ),
    );
    expectOwn(separate(`${scores}\nw = F.softmax(scores, dim=-2)\nw = w / w.sum(dim=-1, keepdim=True)\ny = w @ v`));
  });

  it('comes after the mask and before dropout', () => {
    const mask = 'keep = torch.ones(T, T, dtype=torch.bool, device=x.device).tril()';
    expectOwn(separate(`${mask}\n${scores}\nw = F.softmax(scores, dim=-1)\nw = w.masked_fill(~keep, 0.0)  # HW155\ny = w @ v`));
    expectOwn(
      separate(
        `${mask}\n${scores}\nscores = scores.masked_fill(~keep, float("-inf"))\nw = F.softmax(scores, dim=-1).masked_fill(~keep, 0.0)\ny = w @ v`,
      ),
    );
    expectOwn(separate(`${scores}\nw = F.softmax(self.drop(scores), dim=-1)  # HW164\ny = w @ v`).replace('dropout=0.0', 'dropout=0.1'));
    // softmax(s) * keep / sum(softmax(s) * keep) is the softmax over the keys that are kept: the exponentials' sum cancels.
    for (const made of ['w / w.sum(dim=-1, keepdim=True)', 'w / (w.sum(-1, keepdim=True) + 1e-9)', 'w / w.sum(-1, True).clamp(min=1e-6)'])
      expectOwn(separate(`${mask}\n${scores}\nw = F.softmax(scores, dim=-1)\nw = w * keep\nw = ${made}\ny = w @ v`));
    expectOwn(
      separate(`${mask}\n${scores}\nw = F.softmax(scores, dim=-1)\nw = w / w.sum(-1, keepdim=True)\nw = w * keep  # HW155\ny = w @ v`),
    );
    expectOwn(separate(`${scores}\nw = F.softmax(scores, dim=-1)\ny = scores @ v  # HW155`));
    // Queries that are padding have no weights; that hides no keys.
    const rows = 'rows = torch.zeros(B, 1, T, dtype=torch.bool, device=x.device)';
    expectOwn(separate(`${rows}\n${scores}\nw = F.softmax(scores, dim=-1)\nw = w.masked_fill(rows.unsqueeze(-1), 0.0)\ny = w @ v`));
    expectOwn(separate(`${rows}\n${scores}\nw = F.softmax(scores, dim=-1)\nw = w.masked_fill(rows.unsqueeze(2), 0.0)  # HW155\ny = w @ v`));
  });
});

describe('masks', () => {
  it('hide the future, by triangles, comparisons and sums', () => {
    for (const [keep, wrong] of [
      ['torch.tril(torch.ones(T, T))', 'torch.triu(torch.ones(T, T), diagonal=1)'],
      ['torch.arange(T)[:, None] >= torch.arange(T)[None, :]', 'torch.arange(T)[:, None] < torch.arange(T)[None, :]'],
      ['torch.triu(torch.ones(T, T), diagonal=1) == 0', 'torch.tril(torch.ones(T, T)) == 0'],
    ] as const) {
      expectOwn(separate(`keep = ${keep}\n${scores}\nscores = scores.masked_fill(keep == 0, float("-inf"))\n${rest}`));
      expectOwn(separate(`keep = ${wrong}\n${scores}\nscores = scores.masked_fill(keep == 0, float("-inf"))  # HW158\n${rest}`));
    }
    expectOwn(
      separate(
        `mask = torch.full((T, T), float("-inf"))\nmask = torch.triu(mask, diagonal=1)\n${scores}\n${rest.replace('scores', 'scores + mask')}`,
      ),
    );
    expectOwn(separate(`mask = torch.full((T, T), float("-inf"))\nmask.triu_(1)\n${scores}\n${rest.replace('scores', 'scores + mask')}`));
    expectOwn(
      separate(`mask = torch.tril(torch.full((T, T), float("-inf")), diagonal=-1)\n${scores}\nscores = scores + mask  # HW158\n${rest}`),
    );
    expectOwn(
      separate(`keep = torch.ones(T, T, dtype=torch.bool).tril()\n${scores}\nscores = torch.where(keep, scores, float("-inf"))\n${rest}`),
    );
    expectOwn(
      separate(
        `keep = torch.ones(T, T, dtype=torch.bool).tril()\n${scores}\nscores = torch.where(keep, float("-inf"), scores)  # HW158\n${rest}`,
      ),
    );
  });

  it('have their boundary at the diagonal', () => {
    expectOwn(
      separate(
        `keep = torch.tril(torch.ones(T, T), diagonal=-1)  # HW157\n${scores}\nscores = scores.masked_fill(keep == 0, float("-inf"))\n${rest}`,
      ),
    );
    expectOwn(
      separate(
        `hide = torch.triu(torch.ones(T, T, dtype=torch.bool))  # HW157\n${scores}\nscores = scores.masked_fill(hide, float("-inf"))\n${rest}`,
      ),
    );
    expectOwn(
      separate(
        `keep = torch.arange(T)[:, None] > torch.arange(T)[None, :]  # HW157\n${scores}\nscores = scores.masked_fill(~keep, float("-inf"))\n${rest}`,
      ),
    );
    // A window may be cut out of it on another way.
    for (const [written, code] of [
      ['diagonal=1)', ''],
      ['diagonal=0)', '  # HW157'],
    ] as const)
      expectOwn(
        separate(
          `mask = torch.triu(q.new_full((T, T), float("-inf")), ${written}${code}\nif self.drop.p > 0:\n    mask = mask + torch.tril(mask.new_full((T, T), float("-inf")), diagonal=-4)\n${scores}\nscores = scores + mask\n${rest}`,
        ),
      );
    // A window has two boundaries.
    expectOwn(
      separate(
        `band = torch.tril(torch.ones(T, T)) * torch.triu(torch.ones(T, T), diagonal=-4)\n${scores}\nscores = scores.masked_fill(band == 0, float("-inf"))\n${rest}`,
      ),
    );
  });

  it('are read as their taker reads them', () => {
    const keep = 'keep = torch.ones(T, T, dtype=torch.bool, device=x.device).tril()';
    expectOwn(separate(`${keep}\ny = F.scaled_dot_product_attention(q, k, v, attn_mask=keep)`));
    expectOwn(separate(`${keep}\ny = F.scaled_dot_product_attention(q, k, v, attn_mask=~keep)  # HW156`));
    expectOwn(separate(`keep = torch.ones(T, T).tril()\ny = F.scaled_dot_product_attention(q, k, v, attn_mask=keep)  # HW156`));
    expectOwn(separate(`${keep}\ny = F.scaled_dot_product_attention(q, k, v, attn_mask=keep, is_causal=True)  # HW160`));
  });

  it('hide with numbers that hide', () => {
    const keep = 'keep = torch.ones(T, T, dtype=torch.bool, device=x.device).tril()';
    const fill = (value: string, mark: string): string =>
      separate(`${keep}\n${scores}\nscores = scores.masked_fill(~keep, ${value})${mark}\n${rest}`);
    for (const value of ['float("-inf")', '-torch.inf', '-1e4', 'torch.finfo(scores.dtype).min', '-torch.finfo(scores.dtype).max'])
      expectOwn(fill(value, ''));
    for (const value of ['0', '1e9', '-10', '-1e9', 'float("inf")', 'torch.finfo(scores.dtype).max', 'torch.finfo(scores.dtype).tiny'])
      expectOwn(fill(value, '  # HW161'));
  });
});

describe('queries, keys and values', () => {
  it('stay in their places', () => {
    expectOwn(separate(`${scores}\nw = F.softmax(scores, dim=-1)\ny = w @ k  # HW162`));
    expectOwn(separate(`scores = q @ v.transpose(-2, -1) / math.sqrt(self.head_dim)  # HW163\n${rest}`));
    expectOwn(separate(`scores = q @ q.transpose(-2, -1) / math.sqrt(self.head_dim)  # HW163\n${rest}`));
    expectOwn(einsum(`${sim}\nattn = sim.softmax(dim=-1)\nout = einsum("b h i j, b h j d -> b h i d", attn, k)  # HW162`));
    expectOwn(separate('y = F.scaled_dot_product_attention(q, v, k)  # HW163'));
  });

  it('may be shared on purpose', () => {
    expectOwn(
      separate(`k = q\n${scores}\n${rest}`)
        .replace('self.split(self.key(x)), ', '')
        .replace('q, k, v', 'q, v')
        .replace('        self.key = nn.Linear(width, width)\n', ''),
    );
    expectOwn(
      separate(`v = k\n${scores}\n${rest}`)
        .replace(', self.split(self.value(x))', '')
        .replace('q, k, v', 'q, k')
        .replace('        self.value = nn.Linear(width, width)\n', ''),
    );
  });
});
