/** What one of two branches gives, masks that are spread out, tables that are cut in one place and whole in another, and caches of one side. */
import assert from 'node:assert/strict';
import { expectAtLines, expectHere, findingsIn } from './atLines.ts';

const head = `import math
import torch
import torch.nn as nn
import torch.nn.functional as F
from einops import rearrange, repeat
from einops.layers.torch import Rearrange

`;

interface Parts {
  readonly merge?: string;
  readonly pooled?: string;
  readonly whole?: string;
  readonly head?: string;
}

/** A classifier with a mask that need not be given. */
const classifier = ({
  merge = 'B, h, T, d = x.shape',
  pooled = 'x.mean(dim=1)',
  whole = '(x * keep).sum(dim=1) / keep.sum(dim=1)',
  head: last = 'self.classes(pooled)',
}: Parts): string => `${head}
class Attends(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.width, self.heads = width, heads
        self.q, self.k, self.v, self.o = (nn.Linear(width, width) for _ in range(4))

    def split(self, x):
        B, T, C = x.shape
        return x.view(B, T, self.heads, C // self.heads).transpose(1, 2)

    def merge(self, x):
        ${merge}
        return x.transpose(1, 2).reshape(B, T, self.width)${merge.startsWith('B, T') ? '  # here' : ''}

    def forward(self, x, padding=None):
        q, k, v = self.split(self.q(x)), self.split(self.k(x)), self.split(self.v(x))
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        if padding is not None:
            scores = scores.masked_fill(padding[:, None, None, :], float("-inf"))
        return self.o(self.merge(scores.softmax(dim=-1) @ v))


class Classifier(nn.Module):
    def __init__(self, vocab_size, num_classes, width=256, heads=8, use_wide=False, wide=512):
        super().__init__()
        self.use_wide = use_wide
        self.tokens = nn.Embedding(vocab_size, width)
        self.attends = Attends(width, heads)
        self.norm = nn.LayerNorm(width)
        self.wide = nn.Linear(width, wide)
        self.classes = nn.Linear(width, num_classes)
        self.wide_classes = nn.Linear(wide, num_classes)

    def forward(self, ids, padding_mask=None):
        x = self.tokens(ids)
        x = self.norm(x + self.attends(x, padding_mask))
        if padding_mask is not None:
            keep = (~padding_mask).unsqueeze(-1).to(x.dtype)
            pooled = ${whole}
        else:
            pooled = ${pooled}
        return ${last}
`;

/** Nothing is said of shapes. */
const expectFits = (text: string): void => expectAtLines(text, ({ code }) => /^HW2[12]\d$/.test(code));

describe('one of two branches', () => {
  it('is blamed where what it gives does not fit, and what the other gives does', () => {
    expectHere(classifier({}));
    // RuntimeError: mat1 and mat2 shapes cannot be multiplied, where no mask is given.
    expectHere(classifier({ pooled: 'x.mean(dim=2)  # here' }));
    expectHere(classifier({ whole: '(x * keep).sum(dim=2)  # here' }));
  });

  it('may be asked for again', () => {
    const asked = 'self.wide_classes(pooled) if self.use_wide else self.classes(pooled)';
    const chosen = classifier({ head: asked }).replace(
      'if padding_mask is not None:\n            keep',
      'if self.use_wide:\n            keep',
    );
    expectFits(chosen.replace('(x * keep).sum(dim=1) / keep.sum(dim=1)', 'self.wide(x[:, 0])'));
    expectFits(classifier({ head: 'self.wide_classes(pooled) if pooled.shape[-1] == 512 else self.classes(pooled)' }));
  });

  it('may rest on settings that go with it', () => {
    // Whoever sets the flag sets the widths alike.
    const set = classifier({}).replace('if padding_mask is not None:\n            keep', 'if self.use_wide:\n            keep');
    expectFits(set.replace('(x * keep).sum(dim=1) / keep.sum(dim=1)', 'self.wide(x[:, 0])'));
  });

  it('hides no mistake behind the axes of a mask that the code spreads out', () => {
    expectHere(classifier({ merge: 'B, T, h, d = x.shape' }));
  });
});

describe('tables of positions', () => {
  const rotary = (parts: {
    readonly rows?: string;
    readonly count?: string;
    readonly cut?: string;
    readonly keys?: string;
  }): string => `${head}
def turn(x, cos, sin):
    a, b = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-b, a), dim=-1) * sin


class Rotary(nn.Module):
    def __init__(self, size, max_position_embeddings):
        super().__init__()
        rates = 1.0 / 10000 ** (torch.arange(0, size, 2).float() / size)
        places = torch.arange(${parts.count ?? 'max_position_embeddings'}).float()${parts.count === undefined ? '' : '  # HW427'}
        angles = torch.outer(places, rates)
        angles = torch.cat((angles, angles), dim=-1)
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())


class Decoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.heads = config.num_attention_heads
        self.tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.q = nn.Linear(config.hidden_size, config.hidden_size)
        self.k = nn.Linear(config.hidden_size, config.hidden_size)
        self.v = nn.Linear(config.hidden_size, config.hidden_size)
        self.rotary = Rotary(config.hidden_size // config.num_attention_heads, ${parts.rows ?? 'config.max_position_embeddings'})

    def split(self, x):
        B, T, C = x.shape
        return x.view(B, T, self.heads, C // self.heads).transpose(1, 2)

    def forward(self, input_ids):
        x = self.tokens(input_ids)
        T = input_ids.shape[1]
        cos, sin = self.rotary.cos, self.rotary.sin
        q = turn(self.split(self.q(x)), ${parts.cut ?? 'cos[:T], sin[:T]'})
        k = turn(self.split(self.k(x)), ${parts.keys ?? 'cos[:T], sin[:T]'})
        return F.scaled_dot_product_attention(q, k, self.split(self.v(x)), is_causal=True)
`;

  it('are as long as the context, or longer', () => {
    expectAtLines(rotary({}));
    expectAtLines(rotary({ rows: '2 * config.max_position_embeddings' }));
    expectAtLines(rotary({ count: 'size' }));
    expectAtLines(rotary({ count: 'max_position_embeddings // 2' }));
  });

  it('are cut everywhere where they are cut at all', () => {
    const isShown = ({ severity }: { readonly severity: string }): boolean => severity !== 'hint';
    // RuntimeError: The size of tensor a (5) must match the size of tensor b (32) at non-singleton dimension 2.
    expectAtLines(rotary({ cut: 'cos, sin)  # HW216' }).replace(')  # HW216)', ')  # HW216'), isShown);
    // What is whole everywhere may be made for the one length that all inputs have.
    expectAtLines(rotary({ cut: 'cos, sin', keys: 'cos, sin' }), isShown);
  });

  it('have a row for each patch and one for the class', () => {
    const patches = (rows: string): string => `${head}
class Patches(nn.Module):
    def __init__(self, image_size, patch_size, channels, width, text_width, vocab_size):
        super().__init__()
        assert image_size % patch_size == 0
        num_patches = (image_size // patch_size) ** 2
        self.embed = nn.Sequential(
            Rearrange("b c (h p1) (w p2) -> b (h w) (p1 p2 c)", p1=patch_size, p2=patch_size),
            nn.Linear(patch_size * patch_size * channels, width),
        )
        self.places = nn.Parameter(torch.randn(${rows}, width))
        self.first = nn.Parameter(torch.randn(width))
        self.words = nn.Embedding(vocab_size, width)

    def forward(self, text, image):
        x = self.embed(image)
        x = torch.cat((repeat(self.first, "d -> b 1 d", b=x.shape[0]), x), dim=1)
        x = x + self.places
        return torch.cat((x, self.words(text)), dim=1)
`;
    expectHere(patches('num_patches + 1'));
    expectHere(patches('num_patches').replace(', width))\n        self.first', ', width))  # here\n        self.first'));
  });
});

describe('patterns', () => {
  it('may be given the sizes of axes together', () =>
    expectHere(`${head}
class Grid(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.mix = nn.Conv2d(width, width, 3, padding=1, groups=width)

    def forward(self, x, sides):
        x = rearrange(x, "b (h w) d -> b d h w", **sides)
        return rearrange(self.mix(x), "b d h w -> b (h w) d")


class Grids(nn.Module):
    def __init__(self, patch_size, channels, width):
        super().__init__()
        self.patch_size = patch_size
        self.embed = nn.Sequential(
            Rearrange("b c (h p1) (w p2) -> b (h w) (p1 p2 c)", p1=patch_size, p2=patch_size),
            nn.Linear(patch_size * patch_size * channels, width),
        )
        self.layers = nn.ModuleList([Grid(width) for _ in range(4)])

    def forward(self, image, scale):
        x = self.embed(image)
        for layer in self.layers:
            x = layer(x, scale)
        return x
`));
});

describe('inputs that go with tokens', () => {
  const embedded = (first: string): string => `${head}
class Encoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.words = nn.Embedding(config.vocab_size, config.hidden_size)
        self.kinds = nn.Embedding(config.type_vocab_size, config.hidden_size)
        self.norm = nn.LayerNorm(config.hidden_size)
        self.pooler = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, input_ids, token_type_ids):
        x = self.norm(self.words(input_ids) + self.kinds(token_type_ids))
        return torch.tanh(self.pooler(${first}
`;

  it('are as many as they', () => {
    expectHere(embedded('x[:, 0]))'));
    // RuntimeError: mat1 and mat2 shapes cannot be multiplied.
    expectHere(embedded('x[..., 0]))  # here'));
  });
});

describe('caches', () => {
  const cached = (keys: string, values: string): string => `${head}
class Cached(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)

    def forward(self, x, layer_past=None):
        B, T, C = x.shape
        q, k, v = (each.view(B, T, self.heads, C // self.heads).transpose(1, 2) for each in self.qkv(x).chunk(3, dim=-1))
        if layer_past is not None:
            past_k, past_v = layer_past
            k = ${keys}
            v = ${values}
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(B, T, C)
`;

  it('hold keys and values, or neither', () => {
    expectAtLines(cached('torch.cat((past_k, k), dim=2)', 'torch.cat((past_v, v), dim=2)'));
    expectAtLines(cached('k', 'v'));
    expectAtLines(cached('torch.cat((past_k, k), dim=2)  # HW425', 'v'));
    expectAtLines(cached('k', 'torch.cat((past_v, v), dim=2)  # HW425'));
    expectAtLines(cached('torch.cat((past_k, k), dim=2)', 'self.join(past_v, v)'));
  });
});

describe('caches of a size of their own', () => {
  const stored = (size: string): string => `${head}
class Cache(nn.Module):
    def __init__(self, rows, length, heads, size):
        super().__init__()
        self.register_buffer("k", torch.zeros(rows, heads, length, size))

    def update(self, places, k):
        self.k[: k.size(0), :, places] = k
        return self.k[: k.size(0)]


class Stores(nn.Module):
    def __init__(self, rows, length, dim, num_heads, head_dim):
        super().__init__()
        self.num_heads, self.head_dim = num_heads, head_dim
        self.keys = nn.Linear(dim, num_heads * head_dim)
        self.cache = Cache(rows, length, num_heads, ${size}

    def forward(self, x, input_pos):
        B, T, _ = x.shape
        return self.cache.update(input_pos, self.keys(x).view(B, T, self.num_heads, self.head_dim).transpose(1, 2))
`;

  it('are blamed where they are made', () => {
    expectHere(stored('head_dim)'));
    // RuntimeError: shape mismatch: value tensor cannot be broadcast to indexing result.
    expectHere(stored('dim // num_heads)  # here'));
  });
});

describe('comments', () => {
  const flat = (order: string, written: string): string => `${head}
class Flat(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, features):
        bs, c, h, w = features.shape
        x = features.flatten(2).permute(${order})  # (${written})
        return x
`;

  it('may name products of sizes in another order', () => {
    const said = (order: string, written: string): number => findingsIn(flat(order, written)).filter(({ code }) => code === 'HW290').length;
    assert.equal(said('2, 0, 1', 'h * w, bs, c'), 0);
    assert.equal(said('1, 0, 2', 'h * w, bs, c'), 1);
  });
});
