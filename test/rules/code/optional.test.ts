/** Attention of which parts are optional: a cache, an encoder's states, scores of positions, weights that are asked for. */
import { expectAtLines } from './atLines.ts';

interface Parts {
  readonly scale?: string;
  readonly values?: string;
  readonly sum?: string;
}

const model = ({
  scale = 'scores = scores / math.sqrt(self.size)',
  values = 'value',
  sum = 'states + given',
}: Parts): string => `import math
import torch
from torch import nn


class Attends(nn.Module):
    def __init__(self, config, is_cross=False):
        super().__init__()
        self.heads = config.num_attention_heads
        self.size = config.hidden_size // config.num_attention_heads
        self.query = nn.Linear(config.hidden_size, config.hidden_size)
        if is_cross:
            self.key = nn.Linear(config.encoder_width, config.hidden_size)
            self.value = nn.Linear(config.encoder_width, config.hidden_size)
        else:
            self.key = nn.Linear(config.hidden_size, config.hidden_size)
            self.value = nn.Linear(config.hidden_size, config.hidden_size)
        self.kind = config.position_embedding_type
        self.distance = nn.Embedding(2 * config.max_position_embeddings - 1, self.size)
        self.max_positions = config.max_position_embeddings

    def split(self, x):
        return x.view(*x.size()[:-1], self.heads, self.size).permute(0, 2, 1, 3)

    def forward(self, states, others=None, past=None, wants_weights=False):
        query = self.split(self.query(states))
        if others is not None:
            key, value = self.split(self.key(others)), self.split(self.value(others))
        elif past is not None:
            key = torch.cat([past[0], self.split(self.key(states))], dim=2)
            value = torch.cat([past[1], self.split(self.value(states))], dim=2)
        else:
            key, value = self.split(self.key(states)), self.split(self.value(states))
        past = (key, value)
        scores = torch.matmul(query, key.transpose(-1, -2))
        if self.kind == "relative":
            at = torch.arange(states.shape[1], device=states.device)
            table = self.distance(at[:, None] - at[None, :] + self.max_positions - 1)
            scores = scores + torch.einsum("bhld,lrd->bhlr", query, table)
        ${scale}
        weights = nn.Softmax(dim=-1)(scores)
        mixed = torch.matmul(weights, ${values})
        mixed = mixed.permute(0, 2, 1, 3).contiguous()
        mixed = mixed.view(*mixed.size()[:-2], self.heads * self.size)
        found = (mixed, weights) if wants_weights else (mixed,)
        return found + (past,)


class Adds(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.norm = nn.LayerNorm(config.hidden_size)

    def forward(self, states, given):
        states = self.dense(states)
        return self.norm(${sum})


class Attention(nn.Module):
    def __init__(self, config, is_cross=False):
        super().__init__()
        self.inner = Attends(config, is_cross)
        self.output = Adds(config)

    def forward(self, states, others=None, past=None, wants_weights=False):
        found = self.inner(states, others, past, wants_weights)
        return (self.output(found[0], states),) + found[1:]


class AddsWide(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.dense = nn.Linear(config.intermediate_size, config.hidden_size)
        self.norm = nn.LayerNorm(config.hidden_size)

    def forward(self, states, given):
        return self.norm(self.dense(states) + given)


class Layer(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.attention = Attention(config)
        if config.add_cross_attention:
            self.cross = Attention(config, is_cross=config.add_cross_attention)
        self.up = nn.Linear(config.hidden_size, config.intermediate_size)
        self.down = AddsWide(config)

    def forward(self, states, others=None, past=None, wants_weights=False, mode="both"):
        found = self.attention(states, None, past, wants_weights)
        states = found[0]
        if mode == "both":
            states = self.cross(states, others)[0]
        states = self.down(nn.functional.gelu(self.up(states)), states)
        return (states,) + found[1:]
`;

describe('attention with optional parts', () => {
  it('is right as it is', () => expectAtLines(model({})));

  it('is to be scaled whether or not scores of positions are added', () => {
    expectAtLines(model({ scale: 'scores = scores.clone()' }).replace('key.transpose(-1, -2))', '$&  # HW150'));
  });

  it('is to mix the values, though both are kept', () => expectAtLines(model({ values: 'key)  # HW162\n        mixed = (mixed' })));

  it('is added back in a helper that gets both', () => expectAtLines(model({ sum: 'states)  # HW322\n        _ = (given' })));
});

const video = (scale: string, merge: string): string => `from einops import rearrange
import torch
from torch import nn


class Attention(nn.Module):
    def __init__(self, dim=768, heads=12, scale=None):
        super().__init__()
        self.heads = heads
        self.scale = scale or (dim // heads) ** -0.5
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x):
        b, n, c = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        weights = (${scale}).softmax(dim=-1)
        x = ${merge}
        return self.out(x)


class Clips(nn.Module):
    def __init__(self, frames=8):
        super().__init__()
        self.attention = Attention(dim=768, heads=12)
        self.frames = frames

    def forward(self, x, is_split=False):
        x = rearrange(x, 'b t n c -> (b t) n c')
        if is_split:
            x = rearrange(x, '(b t) n c -> (b n) t c', t=self.frames)
        return self.attention(x)
`;

describe('attention over tokens or over frames', () => {
  const [scale, merge] = ['(q @ k.transpose(-2, -1)) * self.scale', '(weights @ v).transpose(1, 2).reshape(b, n, c)'];

  it('is right as it is', () => expectAtLines(video(scale, merge)));

  it('keeps tokens together however many there are', () => expectAtLines(video(scale, '(weights @ v).reshape(b, n, c)  # HW230')));

  it('is scaled once, if by a number', () => {
    const twice = '(q * self.scale) @ k.transpose(-2, -1) * self.scale';
    expectAtLines(video(twice, merge).replace('softmax(dim=-1)', '$&  # HW153'));
  });
});

const handed = (width: string): string => `import torch
from torch import nn


class Encoder(nn.Module):
    def __init__(self, *, depth, dim, heads=8, head_dim=64):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(dim, dim) for _ in range(depth)])
        self.into = nn.Linear(dim, heads * head_dim)
        self.out = nn.Linear(${width}, dim)

    def forward(self, x):
        for layer in self.layers:
            x = x + layer(x)
        return x + self.out(self.into(x).relu())


class Model(nn.Module):
    def __init__(self, *, dim, tokens, **kwargs):
        super().__init__()
        self.embed = nn.Embedding(tokens, dim)
        self.encoder = Encoder(dim=dim, **kwargs)

    def forward(self, x):
        return self.encoder(self.embed(x))
`;

describe('what a constructor hands on', () => {
  it('is known to be given where nothing could be made without it', () => {
    expectAtLines(handed('heads * head_dim'));
    expectAtLines(handed('heads').replace('nn.Linear(heads, dim)', '$&  # HW223'));
  });
});

describe('one of two kinds of layer', () => {
  // Run in PyTorch: the sizes of the gate and of what it gates do not broadcast in either kind.
  const model = (up: string): string => `import torch
from torch import nn


class Gated(nn.Module):
    def __init__(self, config, inner=None):
        super().__init__()
        inner = config.intermediate_size if inner is None else inner
        self.gate = nn.Linear(config.hidden_size, inner)
        self.up = ${up}
        self.down = nn.Linear(inner, config.hidden_size)

    def forward(self, x):
        return self.down(nn.functional.silu(self.gate(x)) * self.up(x))


class Routed(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.shared = Gated(config, config.moe_intermediate_size)
        self.router = nn.Linear(config.hidden_size, 1)

    def forward(self, x):
        return self.router(x).sigmoid() * self.shared(x)


class Layer(nn.Module):
    def __init__(self, config, index):
        super().__init__()
        self.mlp = Routed(config) if index >= config.first_routed else Gated(config)
        self.norm = nn.LayerNorm(config.hidden_size)

    def forward(self, x, mask=None):
        if mask is not None:
            x = x * mask.unsqueeze(-1)
        return x + self.mlp(self.norm(x))


class Model(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.embed = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Layer(config, i) for i in range(config.num_layers))
        self.norm = nn.LayerNorm(config.hidden_size)
        self.head = nn.Linear(config.hidden_size, config.vocab_size)

    def forward(self, input_ids, attention_mask=None):
        x = self.embed(input_ids)
        for layer in self.layers:
            x = layer(x, attention_mask)
        return self.head(self.norm(x))
`;

  it('fails in both where both fail, however often it is followed', () => {
    expectAtLines(model('nn.Linear(config.hidden_size, config.hidden_size)  # HW224'));
    expectAtLines(model('nn.Linear(config.hidden_size, inner)'));
  });
});

describe('a table of classes', () => {
  const model = (out: string): string => `import torch
from torch import nn
from .elsewhere import OtherAttention


class PlainAttention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.heads, self.size = config.num_attention_heads, config.head_dim
        self.qkv = nn.Linear(config.hidden_size, 3 * self.heads * self.size)

    def forward(self, x):
        b, t, _ = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, self.size).permute(2, 0, 3, 1, 4).unbind(0)
        y = (q @ k.transpose(-2, -1) / self.size**0.5).softmax(-1) @ v
        return y.transpose(1, 2).reshape(b, t, self.heads * self.size)


KINDS = {'eager': PlainAttention, 'sdpa': PlainAttention, 'other': OtherAttention}


class Layer(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.norm = nn.LayerNorm(config.hidden_size)
        self.attend = KINDS['mha_'[:0] + config._attn_implementation](config)
        self.out = ${out}

    def forward(self, x):
        return x + self.out(self.attend(self.norm(x)))
`;

  it('is read though a class of it is not', () => {
    expectAtLines(model('nn.Linear(config.intermediate_size, config.hidden_size)  # HW221'));
    expectAtLines(model('nn.Linear(config.num_attention_heads * config.head_dim, config.hidden_size)'));
  });
});
