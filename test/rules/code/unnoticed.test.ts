/** What runs and computes something else, each mistake beside the same code without it. What is right is right by PyTorch's own results. */
import { deepEqual } from 'node:assert/strict';
import { expectAtLines, findingsIn } from './atLines.ts';

const head = 'import math\nimport torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n\n\n';

const indented = (text: string, by: number): string =>
  text
    .split('\n')
    .map((line) => `${' '.repeat(by)}${line}`)
    .join('\n');

describe('a norm that nothing applies', () => {
  const model = (tail: string): string => `${head}class Mixer(nn.Module):
    def __init__(self, dim, classes, depth):
        super().__init__()
        self.layers = nn.ModuleList([nn.Conv1d(dim, dim, 3, padding=1) for _ in range(depth)])
        self.final = nn.LayerNorm(dim)
        self.drop = nn.Dropout(0.1)
        self.classify = nn.Linear(dim, classes)

    def forward(self, x):
        for layer in self.layers:
            x = x + layer(x.transpose(1, 2)).transpose(1, 2)
        x = x.mean(dim=1)
${indented(tail, 8)}
`;

  it('is told where what is made after it runs', () => {
    expectAtLines(model('x = self.drop(x)\nreturn self.classify(x)  # HW324'));
    expectAtLines(model('x = self.drop(self.final(x))\nreturn self.classify(x)'));
    // Behind the last of the modules who calls may norm; a setting may leave the norm out.
    const last = (norm: string): string =>
      model('return self.classify(x)')
        .replace(/ {8}self\.final.*\n/, '')
        .replace('dim, classes)\n', `dim, classes)\n        self.final = ${norm}\n`);
    expectAtLines(last('nn.LayerNorm(dim)'));
    expectAtLines(last('nn.LayerNorm(dim) if depth > 2 else None'));
  });

  it('may be inherited without need', () => {
    const inherited = `${model('x = self.drop(self.final(x))\nreturn self.classify(x)')}

class Plain(Mixer):
    def forward(self, x):
        return self.classify(x.mean(dim=1))
`;
    expectAtLines(inherited);
  });

  const pair = (keys: string): string => `${head}class Scores(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.to_q = nn.Linear(dim, dim)
        self.to_k = nn.Linear(dim, dim)
        self.q_norm = nn.LayerNorm(dim)
        self.k_norm = nn.LayerNorm(dim)

    def forward(self, x, context):
        q = self.q_norm(self.to_q(x))
        k = self.to_k(context)
${indented(keys, 8)}
        return q @ k.transpose(1, 2)
`;

  it('is told once where the norm beside it is applied in its place', () => {
    expectAtLines(pair('k = self.q_norm(k)  # HW325'));
    expectAtLines(pair('k = self.k_norm(k)'));
  });
});

const attention = `class Attend(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(dim, dim)
        self.to_kv = nn.Linear(dim, 2 * dim)
        self.to_out = nn.Linear(dim, dim)

    def forward(self, x, context):
        B, T, C = x.shape
        q = self.to_q(x).view(B, T, self.heads, C // self.heads).transpose(1, 2)
        k, v = self.to_kv(context).chunk(2, dim=-1)
        k = k.reshape(B, -1, self.heads, C // self.heads).transpose(1, 2)
        v = v.reshape(B, -1, self.heads, C // self.heads).transpose(1, 2)
        y = F.scaled_dot_product_attention(q, k, v)
        return self.to_out(y.transpose(1, 2).reshape(B, T, C))


`;

describe('the stream', () => {
  const decoder = (cross: string): string => `${head}${attention}class DecoderLayer(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.own = Attend(dim, heads)
        self.cross = Attend(dim, heads)
        self.up = nn.Linear(dim, 4 * dim)
        self.down = nn.Linear(4 * dim, dim)
        self.norm1, self.norm2, self.norm3 = nn.LayerNorm(dim), nn.LayerNorm(dim), nn.LayerNorm(dim)

    def forward(self, target, memory):
        target = self.norm1(target + self.own(target, target))
        found = self.cross(target, memory)
        ${cross}
        return self.norm3(target + self.down(F.relu(self.up(target))))
`;

  it('is kept by attention between two sums whose norms stand behind them', () => {
    expectAtLines(decoder('target = self.norm2(found)  # HW322'));
    expectAtLines(decoder('target = self.norm2(target + found)'));
  });

  const placed = (behind: string): string => `${head}class Feed(nn.Module):
    def __init__(self, dim, inner, norm_first):
        super().__init__()
        self.norm_first = norm_first
        self.norm = nn.LayerNorm(dim)
        self.inner = nn.Sequential(nn.Linear(dim, inner), nn.GELU(), nn.Linear(inner, dim))

    def forward(self, stream):
        if self.norm_first:
            out = stream + self.inner(self.norm(stream))
        else:
            made = self.inner(stream)
            ${behind}
        return out
`;

  it('is added in both branches where a setting places the norm', () => {
    expectAtLines(placed('out = self.norm(made)  # HW322'));
    expectAtLines(placed('out = self.norm(stream + made)'));
    // A setting that leaves the stream out altogether places no norm.
    expectAtLines(placed('out = made'));
    // Where the norm is the sublayer's own, the setting chooses the sum.
    expectAtLines(placed('out = self.norm(made)').replace('self.inner(self.norm(stream))', 'self.norm(self.inner(stream))'));
  });

  const skipped = (feed: string): string => `${head}${attention}class Decoding(nn.Module):
    def __init__(self, dim, heads, skip):
        super().__init__()
        self.merge = nn.Linear(2 * dim, dim) if skip else None
        self.norm1 = nn.LayerNorm(dim)
        self.attend = Attend(dim, heads)
        self.norm2 = nn.LayerNorm(dim)
        self.feed = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

    def forward(self, x, earlier=None):
        if self.merge is not None:
            x = self.merge(torch.cat([x, earlier], dim=-1))
        y = self.norm1(x)
        x = x + self.attend(y, y)
        ${feed}
        return x


class UNet(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.first = Decoding(dim, heads, False)
        self.second = Decoding(dim, heads, True)

    def forward(self, x):
        a = self.first(x)
        return self.second(a, x)
`;

  it('may come from one of two places: the norms of a block are known all the same', () => {
    expectAtLines(skipped('x = self.norm2(x + self.feed(x))  # HW320'));
    expectAtLines(skipped('x = x + self.feed(self.norm2(x))'));
  });

  const chosen = (tail: string): string => `${head}from elsewhere import FastAttention


class PlainAttention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.qkv = nn.Linear(config.hidden_size, 3 * config.hidden_size)
        self.proj = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, x):
        q, k, v = self.qkv(x)[:, None].chunk(3, dim=-1)
        return self.proj(F.scaled_dot_product_attention(q, k, v)[:, 0])


KINDS = {"eager": PlainAttention, "flash": FastAttention}


class Layer(nn.Module):
    def __init__(self, config):
        super().__init__()
        kind = "flash" if config.use_flash else config.kind
        self.attention = KINDS[kind](config)
        self.norm1 = nn.LayerNorm(config.hidden_size)
        self.norm2 = nn.LayerNorm(config.hidden_size)
        self.up = nn.Linear(config.hidden_size, config.intermediate_size)
        self.down = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
${indented(tail, 8)}
        return kept + self.down(F.gelu(self.up(x)))
`;

  it('is followed through the plain one of the kinds of attention that a table names', () => {
    expectAtLines(chosen('x = self.norm2(x)  # HW321\nkept = x'));
    expectAtLines(chosen('kept = x\nx = self.norm2(x)'));
  });
});

describe('a sublayer that is given from outside', () => {
  const layer = (cross: string): string => `${head}class Layer(nn.Module):
    def __init__(self, width: int, cross: nn.Module, heads: int):
        super().__init__()
        self.attend = nn.MultiheadAttention(width, heads)
        self.cross = cross
        self.dropout = nn.Dropout(0.1)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.norm3 = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)

    def forward(self, x, memory):
        x = self.norm1(x + self.attend(x, x, x)[0])
${indented(cross, 8)}
        return self.norm3(x + self.down(F.relu(self.up(x))))
`;

  it('stands between the norms around it', () => {
    for (const sum of ['x + y', 'x + self.dropout(y)'])
      deepEqual(
        findingsIn(layer(`y = self.cross(query=x, key=memory, value=memory)[0]\nx = self.norm2(${sum})`)).filter(
          ({ severity }) => severity !== 'hint',
        ),
        [],
      );
    expectAtLines(layer('x = self.norm2(x)  # HW326'));
  });
});

describe('heads that are mixed', () => {
  const talking = (scores: string, weights: string): string => `${head}class Talking(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.scale = (dim // heads) ** -0.5
        self.qkv = nn.Linear(dim, 3 * dim)
        self.before = nn.Parameter(torch.randn(heads, heads))
        self.behind = nn.Parameter(torch.randn(heads, heads))
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = self.qkv(x).view(B, T, 3, self.heads, C // self.heads).permute(2, 0, 3, 1, 4)
        ${scores}
        scores = torch.einsum("bhij,hg->bgij", scores, self.before)
        ${weights}
        weights = torch.einsum("bhij,hg->bgij", weights, self.behind)
        y = torch.einsum("bhij,bhjd->bhid", weights, v)
        return self.proj(y.transpose(1, 2).reshape(B, T, C))
`;
  const scores = 'scores = torch.einsum("bhid,bhjd->bhij", q, k)';

  it('have weights that add up over the keys, and a scale that is used', () => {
    expectAtLines(talking(`${scores} * self.scale`, 'weights = scores.softmax(dim=-1)'));
    expectAtLines(talking(`${scores} * self.scale`, 'weights = scores.softmax(dim=-2)  # HW154'));
    expectAtLines(talking(`${scores}  # HW150`, 'weights = scores.softmax(dim=-1)'));
  });
});

describe('a softmax in a helper', () => {
  const helped = (own: string, other: string): string => `${head}def stable(x, axis):
    top = x.max(dim=axis, keepdim=True).values
    return torch.softmax(x - top, dim=axis)


class Attention(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.qkv = nn.Linear(dim, 3 * dim)

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        weights = stable(q @ k.transpose(-2, -1) / math.sqrt(k.size(-1)), ${own}
        return weights @ v


class Pooling(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.kv = nn.Linear(dim, 2 * dim)
        self.q = nn.Linear(dim, dim)

    def forward(self, x):
        k, v = self.kv(x).chunk(2, dim=-1)
        weights = stable(k @ self.q(x).transpose(-2, -1) / math.sqrt(k.size(-1)), ${other}
        return weights.transpose(-2, -1) @ v
`;

  it('goes over the axis that its caller names', () => {
    expectAtLines(helped('-1)', '-2)'));
    expectAtLines(helped('-2)  # HW154', '-2)'));
  });
});

describe('a scale that a setting changes', () => {
  const stretched = (exponent: string): string => `${head}def stretch(factor, weight):
    return 0.1 * weight * math.log(factor) + 1.0


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.heads, self.head_dim = config.heads, config.head_dim
        self.qkv = nn.Linear(config.dim, 3 * config.heads * config.head_dim)
        self.scale = self.head_dim ** ${exponent}
        if config.stretching is not None:
            factor = stretch(config.stretching["factor"], config.stretching["weight"])
            self.scale = self.scale * factor * factor

    def forward(self, x):
        B, T, _ = x.shape
        q, k, v = self.qkv(x).view(B, T, 3, self.heads, self.head_dim).permute(2, 0, 3, 1, 4)
        weights = F.softmax(q @ k.transpose(-2, -1) * self.scale, dim=-1)
        return weights @ v
`;

  it('divides where the setting is not made', () => {
    expectAtLines(stretched('-0.5'));
    expectAtLines(stretched('0.5  # HW152'));
  });
});

describe('heads that einops names', () => {
  const named = (split: string, merge: string): string => `${head}from einops import rearrange
from torch import einsum


class Attention(nn.Module):
    def __init__(self, dim, heads=8, dim_head=64):
        super().__init__()
        self.heads = heads
        self.scale = dim_head ** -0.5
        self.to_qkv = nn.Linear(dim, 3 * heads * dim_head)
        self.to_out = nn.Linear(heads * dim_head, dim)

    def forward(self, x):
        q, k, v = self.to_qkv(x).chunk(3, dim=-1)
        q, k, v = (${split} for t in (q, k, v))
        weights = (einsum("b h i d, b h j d -> b h i j", q, k) * self.scale).softmax(dim=-1)
        y = einsum("b h i j, b h j d -> b h i d", weights, v)
        y = ${merge}
        return self.to_out(y)
`;
  const split = 'rearrange(t, "b n (h d) -> b h n d", h=self.heads)';
  const merge = 'rearrange(y, "b h n d -> b n (h d)")';

  it('are not summed over', () => {
    expectAtLines(named(split, merge));
    const swapped = named(split.replace('h=', 'd='), merge).replace('for t in (q, k, v))', 'for t in (q, k, v))  # HW232');
    expectAtLines(swapped);
    // Another width that is split the other way round, and merged so.
    expectAtLines(named(split.replace('(h d)', '(d h)'), merge.replace('(h d)', '(d h)')));
  });
});

describe('rotary embeddings that a setting turns on', () => {
  const turned = (call: string): string => `${head}def turn(x):
    a, b = x.chunk(2, dim=-1)
    return torch.cat((-b, a), dim=-1)


def rotate(x, y, cos, sin):
    return x * cos + turn(x) * sin, y * cos + turn(y) * sin


class Attention(nn.Module):
    def __init__(self, dim, heads, rotary):
        super().__init__()
        self.heads, self.head_dim = heads, dim // heads
        self.rotary = rotary
        self.q, self.k, self.v = nn.Linear(dim, dim), nn.Linear(dim, dim), nn.Linear(dim, dim)

    def forward(self, x):
        B, T, C = x.shape
        angles = torch.arange(T)[:, None] * 10000 ** (-torch.arange(0, self.head_dim) / self.head_dim)
        cos, sin = angles.cos(), angles.sin()
        q = self.q(x).view(B, T, self.heads, self.head_dim).transpose(1, 2)
        k = self.k(x).view(B, T, self.heads, self.head_dim).transpose(1, 2)
        v = self.v(x).view(B, T, self.heads, self.head_dim).transpose(1, 2)
        if self.rotary:
            ${call}
        y = F.scaled_dot_product_attention(q, k, v)
        return y.transpose(1, 2).reshape(B, T, C)
`;

  it('turn queries and keys', () => {
    expectAtLines(turned('q, k = rotate(q, k, cos, sin)'));
    expectAtLines(turned('q, v = rotate(q, v, cos, sin)  # HW420'));
  });
});
