/** Widths that a class of the file's own is told: the constructor that decides them is where they are wrong. */
import { expectHere } from './atLines.ts';

const normed = (width: string, parts = ['self.query = Scaled(width)', 'self.key = Scaled(width)']): string => `import torch
from torch import nn


class Scaled(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.gain


class Both(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        ${parts[0]}
        ${parts[1]}

    def forward(self, q, k):
        return self.query(q), self.key(k)


class Attention(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads, self.size = heads, width // heads
        self.qkv = nn.Linear(width, 3 * width)

        self.norm = ${width}

        self.out = nn.Linear(width, width)

    def forward(self, x):
        rows, tokens, width = x.shape
        q, k, v = self.qkv(x).view(rows, tokens, 3, self.heads, self.size).permute(2, 0, 3, 1, 4)
        q, k = self.norm(q, k)
        y = nn.functional.scaled_dot_product_attention(q, k, v)
        return self.out(y.transpose(1, 2).reshape(rows, tokens, width))
`;

describe('a class that is told one width', () => {
  it('is silent where it fits', () => expectHere(normed('Both(width // heads)')));
  it('is wrong where it is told another', () => expectHere(normed('Both(width)  # here')));
});

const weighed = (down: string): string => `import torch
from torch import nn
import torch.nn.functional as F


class Plain(nn.Module):
    def __init__(self, takes: int, gives: int, is_small: bool):
        super().__init__()
        if is_small:
            self.weight = nn.Parameter(torch.empty((gives, takes), dtype=torch.int8), requires_grad=False)
            self.sizes = nn.Parameter(torch.Tensor(gives))
        else:
            self.weight = nn.Parameter(torch.empty((gives, takes)), requires_grad=False)
        self.is_small = is_small

    def forward(self, x):
        weight = self.weight
        if self.is_small:
            weight = weight * self.sizes.unsqueeze(-1)
        return F.linear(x, weight)


class Gated(nn.Module):
    def __init__(self, d_model: int, d_ff: int, is_small: bool):
        super().__init__()
        self.gate = Plain(d_model, d_ff, is_small)
        self.up = ${down}


        self.down = Plain(d_ff, d_model, is_small)

    def forward(self, x):
        return self.down(F.silu(self.gate(x)) * self.up(x))
`;

describe('a layer of the code itself', () => {
  it('is silent where it fits', () => expectHere(weighed('Plain(d_model, d_ff, is_small)')));
  it('is wrong where it is made', () => expectHere(weighed('Plain(d_model, d_model, is_small)  # here')));
});

const skipping = (layer: string): string => `import torch
from torch import nn


class Step(nn.Module):
    def __init__(self, width: int, joins: bool):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.inner = nn.Linear(width, 4 * width)
        self.outer = nn.Linear(4 * width, width)
        self.join = ${layer} if joins else None


    def forward(self, x, earlier=None):
        if self.join is not None:
            x = self.join(torch.cat([x, earlier], dim=-1))
        return x + self.outer(self.inner(self.norm(x)).relu())


class Net(nn.Module):
    def __init__(self, words: int, width: int):
        super().__init__()
        self.embed = nn.Embedding(words, width)
        self.down = Step(width, False)
        self.up = Step(width, True)

    def forward(self, ids):
        x = self.embed(ids)
        below = self.down(x)
        return self.up(below, x)
`;

describe('a layer that is given what is put together', () => {
  it('is silent where it takes all', () => expectHere(skipping('nn.Linear(2 * width, width)')));
  it('is wrong where it takes one part', () =>
    expectHere(skipping('nn.Linear(width, width)').replace('if joins else None', 'if joins else None  # here')));
});

const gated = (first: string): string => `from torch import nn


class Halves(nn.Module):
    def __init__(self, takes: int, gives: int):
        super().__init__()
        self.project = nn.Linear(takes, ${first}


    def forward(self, x):
        x, gate = self.project(x).chunk(2, dim=-1)
        return x * nn.functional.gelu(gate)


class Feed(nn.Module):
    def __init__(self, width: int, times: int = 4):
        super().__init__()
        inner = width * times


        self.net = nn.Sequential(Halves(width, inner), nn.Dropout(0.1), nn.Linear(inner, width))

    def forward(self, x):
        return x + self.net(x)


class Net(nn.Module):
    def __init__(self, words: int, width: int):
        super().__init__()
        self.embed = nn.Embedding(words, width)
        self.feed = Feed(width)

    def forward(self, ids):
        return self.feed(self.embed(ids))
`;

describe('a projection that is cut in two', () => {
  it('is silent where it gives both halves', () => expectHere(gated('gives * 2)')));
  it('is wrong where it gives one', () => expectHere(gated('gives)  # here')));
});

const joined = (sizes: string): string => `from torch import nn
from transformers.pytorch_utils import Conv1D


class Attention(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads, self.size = heads, width // heads
        self.c_attn = Conv1D(${sizes}


        self.c_proj = Conv1D(width, width)

    def forward(self, x):
        q, k, v = self.c_attn(x).split(x.shape[-1], dim=-1)
        q, k, v = (part.view(*x.shape[:-1], self.heads, self.size).transpose(1, 2) for part in (q, k, v))
        y = nn.functional.scaled_dot_product_attention(q, k, v)
        return self.c_proj(y.transpose(1, 2).reshape(x.shape))


class Net(nn.Module):
    def __init__(self, words: int, width: int, heads: int):
        super().__init__()
        self.embed = nn.Embedding(words, width)
        self.attn = Attention(width, heads)

    def forward(self, ids):
        return self.attn(self.embed(ids))
`;

describe('layers with their weight the other way round', () => {
  it('are silent where they fit', () => expectHere(joined('3 * width, width)')));
  it('are wrong where their sizes are exchanged', () => expectHere(joined('width, 3 * width)  # here')));
});
