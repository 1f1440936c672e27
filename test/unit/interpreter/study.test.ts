import assert from 'node:assert/strict';
import { formatShape } from '../../../src/dims/shape.ts';
import { studyFile } from '../../../src/interpreter/student.ts';
import type { CodeReading } from '../../../src/interpreter/study.ts';
import type { PythonParser } from '../../../src/syntax/python/parse.ts';
import { analyse } from '../../../src/workspace/analyse.ts';
import { pythonReader } from '../../../src/workspace/python.ts';
import { defaultSettings } from '../../../src/workspace/settings.ts';
import { pythonParser } from '../python/parser.ts';

let parser: PythonParser;
before(async () => {
  parser = await pythonParser();
});

function studied(text: string): CodeReading {
  const file = { path: 'model.py', name: 'model', isPackage: false, isPrelude: false, module: parser.parse(text) };
  return studyFile(file, { loader: { load: () => undefined }, parse: (source) => parser.parse(source) });
}

/** The shape of the last value that a local variable held. */
function shapeOf(reading: CodeReading, name: string): string | undefined {
  const value = reading.variables.findLast((variable) => variable.name === name)?.value;
  return value?.kind === 'tensor' ? formatShape(value.shape) : value?.kind;
}

const cached = `
import torch
from torch import nn

class Attention(nn.Module):
    def __init__(self, dim: int, n_heads: int, n_kv_heads: int, max_batch_size: int, max_seq_len: int):
        super().__init__()
        self.n_heads, self.n_kv_heads, self.head_dim = n_heads, n_kv_heads, dim // n_heads
        self.wq = nn.Linear(dim, n_heads * self.head_dim)
        self.wk = nn.Linear(dim, n_kv_heads * self.head_dim)
        self.wo = nn.Linear(n_heads * self.head_dim, dim)
        self.cache = torch.zeros(max_batch_size, max_seq_len, n_kv_heads, self.head_dim)

    def forward(self, x: torch.Tensor, start_pos: int):
        bsz, seqlen, _ = x.shape
        q = self.wq(x).view(bsz, seqlen, self.n_heads, self.head_dim).transpose(1, 2)
        self.cache[:bsz, start_pos : start_pos + seqlen] = self.wk(x).view(bsz, seqlen, self.n_kv_heads, self.head_dim)
        keys = self.cache[:bsz, : start_pos + seqlen].repeat_interleave(self.n_heads // self.n_kv_heads, dim=2).transpose(1, 2)
        scores = torch.matmul(q, keys.transpose(2, 3)) / self.head_dim**0.5
        output = torch.matmul(scores.softmax(-1), keys).transpose(1, 2).reshape(bsz, seqlen, -1)
        return self.wo(output)
`;

const pair = `
import torch
from torch import nn

class Embed(nn.Module):
    def __init__(self, vocab_size, d_model):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, d_model)

    def forward(self, x):
        return self.embedding(x)

class Translator(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads):
        super().__init__()
        self.src_embed = Embed(vocab_size, d_model)
        self.tgt_embed = Embed(vocab_size, d_model)
        self.attention = nn.MultiheadAttention(d_model, n_heads, batch_first=True)
        self.head = nn.Linear(d_model, vocab_size)

    def encode(self, src):
        states = self.src_embed(src)
        return states

    def decode(self, encoder_output, tgt):
        x = self.tgt_embed(tgt)
        return self.head(self.attention(x, encoder_output, encoder_output)[0])
`;

const tokens = `
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, dim, grid, pool='cls'):
        super().__init__()
        count = 1 if pool == 'cls' else 0
        self.cls = nn.Parameter(torch.randn(count, dim))
        self.pos = nn.Parameter(torch.randn(grid * grid + count, dim))
        self.norm = nn.LayerNorm(dim)

    def forward(self, x):
        b, n, _ = x.shape
        x = torch.cat((self.cls.expand(b, -1, -1), x), dim=1)
        x = x + self.pos[: x.shape[1]]
        y = self.norm(x)
        return y
`;

const vision = `
from torch import nn
from timm.layers import Attention, DropPath, Mlp, to_2tuple

class Block(nn.Module):
    def __init__(self, dim, drop_path=0.1, mlp_ratio=4.0, qk_norm=False, norm_layer=None):
        super().__init__()
        self.norm = norm_layer(dim) if qk_norm else nn.Identity()
        self.drop_path = DropPath(drop_path) if drop_path > 0.0 else nn.Identity()
        self.mlp = Mlp(in_features=dim, hidden_features=int(dim * mlp_ratio))

    def forward(self, x):
        b, n, c = x.shape
        normed = self.norm(x)
        x = x + self.drop_path(self.mlp(normed))
        return x

class Patches(nn.Module):
    def __init__(self, img_size=224, patch_size=16, dim=96):
        super().__init__()
        grid = to_2tuple(img_size // patch_size)
        self.count = grid[0] * grid[1]
        self.proj = nn.Linear(patch_size * patch_size * 3, dim)

    def forward(self, x):
        b, n, c = x.shape
        y = self.proj(x)[:, :1].expand(b, self.count, -1)
        return y

class Mixed(nn.Module):
    def __init__(self, dim=386, out=72):
        super().__init__()
        # 386 is no multiple of 8: the width of a head is given.
        self.attention = Attention(dim=dim, num_heads=8, attn_head_dim=32, dim_out=out)

    def forward(self, x):
        b, n, c = x.shape
        mixed = self.attention(x)
        return mixed

def build():
    return Mixed()
`;

const script = `
import torch
from torch import nn

n_embd = 384

class Head(nn.Module):
    def __init__(self, head_size):
        super().__init__()
        self.key = nn.Linear(n_embd, head_size)

    def forward(self, x):
        return self.key(x)

class Block(nn.Module):
    def __init__(self, n_embd, n_head):
        super().__init__()
        self.heads = nn.ModuleList([Head(n_embd // n_head) for _ in range(n_head)])

    def forward(self, x):
        out = torch.cat([h(x) for h in self.heads], dim=-1)
        return x + out

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(65, n_embd)
        self.blocks = nn.Sequential(*[Block(n_embd, n_head=6) for _ in range(12)])

    def forward(self, idx):
        x = self.blocks(self.embedding(idx))
        return x

model = Model()
`;

const heads = `
import math
import torch
from torch import nn

class Attention(nn.Module):
    def forward(self, query, key, value):
        scores = torch.matmul(query, key.transpose(-2, -1)) / math.sqrt(query.size(-1))
        mixed = torch.matmul(scores.softmax(dim=-1), value)
        return mixed

class Heads(nn.Module):
    def __init__(self, h, d_model):
        super().__init__()
        self.d_k = d_model // h
        self.h = h
        self.linears = nn.ModuleList([nn.Linear(d_model, d_model) for _ in range(3)])

    def forward(self, query, key, value):
        n = query.size(0)
        query, key, value = [l(x).view(n, -1, self.h, self.d_k).transpose(1, 2) for l, x in zip(self.linears, (query, key, value))]
        joined = torch.matmul(torch.matmul(query, key.transpose(-2, -1)).softmax(-1), value)
        return joined
`;

const decoder = `
import torch
from torch import nn

class Decoder(nn.Module):
    def __init__(self, d_model, nhead):
        super().__init__()
        self.attn = nn.MultiheadAttention(d_model, nhead)
        self.norm = nn.LayerNorm(d_model)

    def forward(self, src, query_embed):
        bs, c, h, w = src.shape
        src = src.flatten(2).permute(2, 0, 1)
        query_embed = query_embed.unsqueeze(1).repeat(1, bs, 1)
        tgt = torch.zeros_like(query_embed)
        tgt = self.norm(tgt + self.attn(tgt + query_embed, src, src)[0])
        return tgt
`;

const images = `
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, image_size, patch_size, width):
        super().__init__()
        self.conv = nn.Conv2d(3, width, kernel_size=patch_size, stride=patch_size)
        self.cls = nn.Parameter(torch.zeros(width))
        self.pos = nn.Parameter(torch.zeros((image_size // patch_size) ** 2 + 1, width))

    def forward(self, x):
        x = self.conv(x)
        x = x.reshape(x.shape[0], x.shape[1], -1).permute(0, 2, 1)
        x = torch.cat([self.cls + torch.zeros(x.shape[0], 1, x.shape[-1]), x], dim=1)
        return x + self.pos
`;

const optional = `
from torch import nn

def exists(value):
    return value is not None

def default(value, other):
    return value if exists(value) else other

class Cross(nn.Module):
    def __init__(self, dim, inner_dim=None, key_dim=None):
        super().__init__()
        inner_dim = default(inner_dim, dim)
        key_dim = dim if key_dim is None else key_dim
        self.up = nn.Linear(dim, inner_dim)
        self.keys = nn.Linear(inner_dim, key_dim)
        self.values = nn.Linear(inner_dim, key_dim)

    def forward(self, x):
        inner = self.up(x)
        both = self.keys(inner) + self.values(inner)
        return both
`;

const modulated = `
import torch
from torch import nn

def modulate(x, shift, scale):
    return x * (1 + scale.unsqueeze(1)) + shift.unsqueeze(1)

class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.fc = nn.Linear(width, width)
        self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 3 * width))

    def forward(self, x, c):
        shift, scale, gate = self.modulation(c).chunk(3, dim=1)
        x = x + gate.unsqueeze(1) * self.fc(modulate(self.norm(x), shift, scale))
        return x
`;

/** What comes to the mixer has been through something that cannot be read. */
const windowed = `
import torch
from torch import nn
from tiling import gather_tiles

class Mixer(nn.Module):
    def __init__(self, channels, groups):
        super().__init__()
        self.groups, self.size = groups, channels // groups
        self.project = nn.Linear(channels, 3 * channels)
        self.merge = nn.Linear(channels, channels)

    def forward(self, x, bias=None):
        b, tokens, channels = x.shape
        if bias is None:
            bias = x
        q, k, v = self.project(x).view(b, tokens, 3, self.groups, self.size).permute(2, 0, 3, 1, 4).unbind(0)
        weights = (q @ k.transpose(-2, -1) * self.size**-0.5).softmax(-1)
        mixed = (weights @ v).transpose(1, 2).reshape(b, tokens, channels)
        return self.merge(mixed) + bias.unsqueeze(0)

class Network(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        assert width % heads == 0
        self.mix = Mixer(width, heads)

    def forward(self, images):
        tiles = gather_tiles(images)
        return self.mix(tiles, torch.zeros(1, 1))
`;

const chosen = `
import torch
from torch import nn
from kernels import fused_mix

class Plain(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.inner = nn.Linear(config.width, config.width)

    def forward(self, x):
        return self.inner(x).softmax(-1)

class Fused(Plain):
    def forward(self, x):
        return fused_mix(self.inner.weight, x)

WAYS = {"fused": Fused, "eager": Plain}

class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.mix = WAYS[config.way](config)

    def forward(self, x):
        mixed = self.mix(x)
        return x + mixed
`;

describe('studying a file of model code', () => {
  it('takes what is cut from a cache to be as long as what was put in, and repeated heads to be all heads', () => {
    const reading = studied(cached);
    assert.deepEqual(reading.failures, []);
    assert.equal(shapeOf(reading, 'scores'), '(B, n_heads, T, T + start_pos)');
    assert.equal(shapeOf(reading, 'output'), '(B, T, dim)');
  });

  // PyTorch: mat1 and mat2 shapes cannot be multiplied, with 6 heads and 3 for keys.
  it('sees that the output projection has the width of fewer heads behind a cache', () => {
    const reading = studied(cached.replace('nn.Linear(n_heads * self.head_dim, dim)', 'nn.Linear(n_kv_heads * self.head_dim, dim)'));
    assert.deepEqual(
      reading.failures.map(({ problem }) => problem.kind),
      ['torch.nn.functional.linear'],
    );
  });

  it('follows the methods of a model that has no forward', () => {
    const reading = studied(pair);
    assert.deepEqual(
      reading.studies.map((study) => study.class.name),
      ['Translator'],
    );
    assert.equal(shapeOf(reading, 'states'), '(B, T, d_model)');
    const [study] = reading.studies;
    assert.equal(study?.output?.kind === 'tensor' && formatShape(study.output.shape), '(B, T, vocab_size)');
  });

  it('gives one of several sizes one name wherever it is used', () => {
    assert.equal(shapeOf(studied(tokens), 'y'), '(B, (1 or 0) + T, dim)');
  });

  // PyTorch: the size of tensor a (64) must match the size of tensor b (128), for a width of 64 and nothing else given.
  it('keeps the width that is given or taken from another, however the code asks for it', () => {
    const reading = studied(optional);
    assert.deepEqual(reading.failures, []);
    assert.equal(shapeOf(reading, 'inner'), '(B, T, inner_dim)');
    assert.equal(shapeOf(reading, 'both'), '(B, T, key_dim)');
    const wider = studied(
      optional.replace('self.values = nn.Linear(inner_dim, key_dim)', 'self.values = nn.Linear(inner_dim, 2 * key_dim)'),
    );
    assert.deepEqual(
      wider.failures.map(({ problem }) => problem.kind),
      ['torch.add'],
    );
  });

  // PyTorch: the size of tensor a (64) must match the size of tensor b (43), for a width of 64 and two widths in three pieces.
  it('takes what is cut into widths along axis 1 to have one row for each sample', () => {
    const reading = studied(modulated);
    assert.deepEqual(reading.failures, []);
    assert.equal(shapeOf(reading, 'gate'), '(B, width)');
    assert.equal(shapeOf(reading, 'x'), '(B, T, width)');
    const narrow = studied(modulated.replace('3 * width', '2 * width'));
    assert.equal(narrow.failures[0]?.problem.kind, 'torch.mul');
  });

  it('knows by their names what layers do that cannot be read', () => {
    const reading = studied(vision);
    assert.deepEqual(reading.failures, []);
    assert.equal(shapeOf(reading, 'normed'), '(B, T, c)');
    assert.equal(shapeOf(reading, 'y'), '(B, (img_size // patch_size) ** 2, dim)');
    assert.equal(shapeOf(reading, 'mixed'), '(B, T, out)');
  });

  it('studies the model that a script builds at its end, with the numbers above it', () => {
    const reading = studied(script);
    assert.deepEqual(
      reading.studies.map((study) => study.class.name),
      ['Model'],
    );
    assert.deepEqual(reading.failures, []);
    assert.equal(shapeOf(reading, 'out'), '(B, T, 384)');
  });

  it('takes queries, keys and values for what they are multiplied as, and follows them through a list of layers', () => {
    const reading = studied(heads);
    assert.deepEqual(reading.failures, []);
    assert.equal(shapeOf(reading, 'mixed'), '(..., T, Dv)');
    assert.equal(shapeOf(reading, 'joined'), '(B, h, T, d_model // h)');
  });

  // PyTorch: expected size for first two dimensions of batch2 tensor to be [heads, size] but got [heads, tokens].
  it('follows by itself, as it is made there, what a model hands nothing of known sizes', () => {
    const reading = studied(windowed);
    assert.deepEqual(reading.failures, []);
    const part = reading.studies.find(({ class: of }) => of.name === 'Mixer');
    assert.equal(part?.isPart, true);
    const mixed = part?.variables.find(({ name }) => name === 'mixed')?.value;
    assert.equal(mixed?.kind === 'tensor' && formatShape(mixed.shape), '(B, T, width)');
    // The model gives a bias of two axes: it is not the input that stands for none.
    const bias = part?.variables.findLast(({ name }) => name === 'bias')?.value;
    assert.equal(bias?.kind === 'tensor' && bias.op, 'input');
    const swapped = studied(windowed.replace('q @ k.transpose(-2, -1)', 'q @ k'));
    assert.equal(swapped.failures[0]?.problem.kind, 'torch.matmul');
  });

  it('follows the class of plain operations where a setting chooses one from a table', () => {
    assert.match(shapeOf(studied(chosen), 'mixed') ?? '', /, config\.width\)$/);
    // Without a plain one, what all of them have in common is known.
    const others = studied(chosen.replaceAll('"eager"', '"other"').replace('fused_mix(self.inner.weight, x)', 'self.inner(x)'));
    assert.match(shapeOf(others, 'mixed') ?? '', /, config\.width\)$/);
    // Any class at all may be in a table that code adds to.
    assert.equal(shapeOf(studied(chosen.replace('WAYS[config.way]', '{**WAYS, **kernels}[config.way]')), 'mixed'), 'unknown');
  });

  it('takes for a tensor what is used as one', () => {
    const reading = studied(decoder);
    assert.deepEqual(reading.failures, []);
    const embedded = reading.variables.findLast(({ name }) => name === 'query_embed')?.value;
    assert.equal(embedded?.kind === 'tensor' && embedded.op, 'repeat');
  });

  // PyTorch: the size of tensor a (17) must match the size of tensor b (16), for images of 8 and patches of 2.
  it('takes images to be as large as the model is made for', () => {
    assert.deepEqual(studied(images).failures, []);
    const reading = studied(images.replace('** 2 + 1, width', '** 2, width'));
    assert.deepEqual(
      reading.failures.map(({ problem }) => problem.kind),
      ['torch.add'],
    );
  });
});

const oldLayer = `
import torch
from torch import nn
from transformers.modeling_utils import Conv1D

class Old(nn.Module):
    def __init__(self, nx: int, n_head: int):
        super().__init__()
        self.n_head = n_head
        self.c_attn = Conv1D(3 * nx, nx)

    def forward(self, hidden_states):
        query, key, value = self.c_attn(hidden_states).split(hidden_states.size(-1), dim=2)
        return query
`;

const spatial = `
import torch
from torch import nn

class Spatial(nn.Module):
    def __init__(self, dim: int):
        super().__init__()
        self.norm = nn.LayerNorm(dim)

    def forward(self, x, H, W):
        B, N, C = x.shape
        image = self.norm(x).permute(0, 2, 1).reshape(B, C, H, W)
        return image
`;

const handed = `import torch
import torch.nn.functional as F


def turn(q, k):
    return q * 2, k * 2


def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    q, k = turn(q, k)
    y = F.scaled_dot_product_attention(q, k, v)
    return y
`;

describe('what files written for others need', () => {
  it('finds layers of transformers where they stood before version 4.27', () => {
    assert.equal(shapeOf(studied(oldLayer), 'query'), '(B, T, nx)');
  });

  it('studies a function that attends in a file without classes, with heads beside the rows', () => {
    assert.equal(shapeOf(studied(handed), 'k'), '(B, h, S, D)');
    const { code } = analyse({ text: handed, path: 'math.py', python: pythonReader(parser) }, defaultSettings);
    assert.equal(code?.studies.length, 1);
  });

  it('takes height and width that are given for numbers', () => {
    assert.equal(shapeOf(studied(spatial), 'image'), '(B, dim, H, W)');
  });
});

const blockWith = (norm: string): string => `
import torch
from torch import nn

class Block(nn.Module):
    def __init__(self, width: int = 64, norm_first: bool = True):
        super().__init__()
        self.pre_norm = nn.LayerNorm(width)
        self.inner = nn.Linear(width, width)
        ${norm}

    def forward(self, x: torch.Tensor):
        return x + self.inner(self.pre_norm(x))

class Plain(nn.Module):
    def __init__(self, width: int = 64):
        super().__init__()
        self.pre_norm = nn.LayerNorm(width)

    def forward(self, x: torch.Tensor):
        return self.pre_norm(x)
`;

describe('flags that wire sublayers', () => {
  it('are set both ways for what asks for them, and not for what calls a norm so', () => {
    const wired = studied(blockWith('self.norm_first = norm_first')).studies.map(
      ({ class: of, wiring }) => `${of.name} ${wiring?.normsFirst}`,
    );
    assert.deepEqual(wired.sort(), ['Block false', 'Block true', 'Block undefined', 'Plain undefined']);
  });
});

/** An attention that answers more when a flag is set, and a layer around it that asks for the same flag. */
const flagged = (asked: string, given: string): string => `
import torch
from torch import nn

class Attention(nn.Module):
    def __init__(self, width, heads, keeps: bool = False):
        super().__init__()
        self.keeps, self.heads = keeps, heads
        self.qkv = nn.Linear(width, 3 * width)

    def forward(self, x, return_weights: bool = False):
        b, t, c = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        weights = torch.softmax(q @ k.transpose(2, 3), dim=-1)
        mixed = (weights @ v).transpose(1, 2).reshape(b, t, c)
        if ${asked}:
            return mixed, weights, b
        return mixed, weights

class Layer(nn.Module):
    def __init__(self, width, heads, keeps: bool = False):
        super().__init__()
        self.keeps = keeps
        self.attention = Attention(width, heads, keeps)
        self.out = nn.Linear(width, width)

    def forward(self, x, return_weights: bool = False):
        if not ${asked}:
            short, scores = self.attention(x${given})
            x = self.out(short)
        else:
            long, scores, rows = self.attention(x${given})
            x = self.out(long)
        return x
`;

describe('flags that a path asks for more than once', () => {
  for (const [asked, given] of [
    ['self.keeps', ''],
    ['return_weights', ', return_weights'],
  ] as const) {
    it(`answer alike each time: ${asked}`, () => {
      const reading = studied(flagged(asked, given));
      // By Python each of the two calls answers a tuple of another length.
      assert.deepEqual(
        ['short', 'long'].map((name) => shapeOf(reading, name)),
        ['(B, T, width)', '(B, T, width)'],
      );
      assert.deepEqual(reading.failures, []);
    });
  }

  it('may answer otherwise in the next round of a loop, and behind the branch', () => {
    const reading = studied(`
import torch
from torch import nn

class Heads(nn.Module):
    def __init__(self, width, other: bool = False):
        super().__init__()
        self.other = other
        self.first, self.second = nn.Linear(width, 7), nn.Linear(width, 9)

    def forward(self, x: torch.Tensor):
        for scale in (1, 2):
            if self.other:
                one = self.first(x)
                continue
            two = self.second(x)
        if self.other:
            three = self.first(x)
        return x
`);
    const shapes = reading.variables.filter(({ name }) => /^(?:one|two|three)$/.test(name)).map(({ name }) => name);
    assert.deepEqual(shapes, ['one', 'two', 'one', 'two', 'three']);
  });
});
