import { expectHere } from './atLines.ts';

interface Rotary {
  readonly joined?: string;
  readonly counted?: string;
  readonly given?: string;
  readonly key?: string;
  readonly splitKey?: string;
  readonly repeatedValue?: string;
  readonly merged?: string;
  readonly scores?: string;
  readonly half?: string;
}

/** A decoder as transformers writes them: a class for the table of angles, functions for turning and for attention. */
const decoder = (parts: Rotary = {}): string => `import torch
from torch import nn


class Rotary(nn.Module):
    def __init__(self, dim, theta=10000.0):
        super().__init__()
        frequencies = 1.0 / (theta ** (${parts.counted ?? 'torch.arange(0, dim, 2).float()'} / dim))
        self.register_buffer("frequencies", frequencies, persistent=False)

    def forward(self, positions):
        angles = torch.outer(positions.float(), self.frequencies)
        table = ${parts.joined ?? 'torch.cat((angles, angles), dim=-1)'}
        return table.cos(), table.sin()


def rotate_half(x):
    half = x.shape[-1] // 2
    return ${parts.half ?? 'torch.cat((-x[..., half:], x[..., :half]), dim=-1)'}


def turn(q, k, cos, sin):
    turned_q = (q * cos) + (rotate_half(q) * sin)
    turned_k = (k * cos) + (rotate_half(k) * sin)
    return turned_q, turned_k


def repeat_heads(x, times):
    batch, heads, length, width = x.shape
    x = x[:, :, None, :, :].expand(batch, heads, times, length, width)
    return x.reshape(batch, heads * times, length, width)


def attend(groups, query, key, value, scaling):
    keys = repeat_heads(key, groups)
    values = ${parts.repeatedValue ?? 'repeat_heads(value, groups)'}
    scores = ${parts.scores ?? 'torch.matmul(query, keys.transpose(2, 3)) * scaling'}


    weights = nn.functional.softmax(scores, dim=-1)
    y = torch.matmul(weights, values)
    return ${parts.merged ?? 'y.transpose(1, 2).contiguous()'}


class Attention(nn.Module):
    def __init__(self, hidden_size, num_heads, num_kv_heads, head_dim):
        super().__init__()
        self.head_dim = head_dim
        self.groups = num_heads // num_kv_heads
        self.q_proj = nn.Linear(hidden_size, num_heads * head_dim)
        self.k_proj = ${parts.key ?? 'nn.Linear(hidden_size, num_kv_heads * head_dim)'}
        self.v_proj = nn.Linear(hidden_size, num_kv_heads * head_dim)
        self.o_proj = nn.Linear(num_heads * head_dim, hidden_size)

    def forward(self, x, cos, sin):
        shape = (*x.shape[:-1], -1, self.head_dim)
        q = self.q_proj(x).view(shape).transpose(1, 2)
        k = ${parts.splitKey ?? 'self.k_proj(x).view(shape).transpose(1, 2)'}
        v = self.v_proj(x).view(shape).transpose(1, 2)
        q, k = turn(q, k, cos, sin)
        y = attend(self.groups, q, k, v, self.head_dim**-0.5)
        return self.o_proj(y.reshape(*x.shape[:-1], -1))


class Model(nn.Module):
    def __init__(self, vocab_size, hidden_size, num_heads, num_kv_heads, head_dim):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, hidden_size)
        self.rotary = ${parts.given ?? 'Rotary(head_dim)'}
        self.attention = Attention(hidden_size, num_heads, num_kv_heads, head_dim)
        self.head = nn.Linear(hidden_size, vocab_size)

    def forward(self, input_ids):
        x = self.embed(input_ids)
        cos, sin = self.rotary(torch.arange(input_ids.shape[1]))
        return self.head(x + self.attention(x, cos, sin))
`;

describe('where mistakes in shapes are reported', () => {
  it('leaves the decoder alone', () => expectHere(decoder()));
  it('blames halves of angles that are not joined', () => expectHere(decoder({ joined: 'angles  # here' })));
  it('blames angles that are joined along the positions', () =>
    expectHere(decoder({ joined: 'torch.cat((angles, angles), dim=0)  # here' })));
  it('blames angles for every feature instead of every pair', () =>
    expectHere(decoder({ counted: 'torch.arange(0, dim).float() / dim))  # here\n        frequencies = (frequencies + (0' })));
  it('blames the width that the table is made with', () => expectHere(decoder({ given: 'Rotary(hidden_size)  # here' })));
  it('blames the one of three splits that is not transposed', () =>
    expectHere(decoder({ splitKey: 'self.k_proj(x).view(shape)  # here' })));
  it('blames the assignment where the repetition of the heads was left out', () => expectHere(decoder({ repeatedValue: 'value  # here' })));
  it('blames the copy that stands where the heads should move back', () => expectHere(decoder({ merged: 'y.contiguous()  # here' })));
  it('blames a product without its transpose', () => expectHere(decoder({ scores: 'torch.matmul(query, keys) * scaling  # here' })));
  it('blames the helper that joins halves along the tokens', () =>
    expectHere(decoder({ half: 'torch.cat((-x[..., half:], x[..., :half]), dim=-2)  # here' })));
  it('blames the projection with as many heads as the queries', () =>
    expectHere(decoder({ key: 'nn.Linear(hidden_size, num_heads * head_dim)  # here' })));
});

interface Block {
  readonly norm?: string;
  readonly up?: string;
  readonly down?: string;
  readonly call?: string;
  readonly feed?: string;
  readonly scale?: string;
}

/** A pre-norm block whose norm, FFN and scale are small classes of their own. */
const block = (parts: Block = {}): string => `import torch
from torch import nn
import torch.nn.functional as F


class Norm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.weight


class Scale(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * self.gamma


class FeedForward(nn.Module):
    def __init__(self, hidden_size, intermediate_size):
        super().__init__()
        self.gate = nn.Linear(hidden_size, intermediate_size)
        self.up = nn.Linear(${parts.up ?? 'hidden_size, intermediate_size)'}


        self.down = nn.Linear(${parts.down ?? 'intermediate_size, hidden_size)'}

    def forward(self, x):
        return ${parts.feed ?? 'self.down(F.silu(self.gate(x)) * self.up(x))'}


class Block(nn.Module):
    def __init__(self, hidden_size, intermediate_size):
        super().__init__()
        self.norm = ${parts.norm ?? 'Norm(hidden_size)'}
        self.ffn = ${parts.call ?? 'FeedForward(hidden_size, intermediate_size)'}
        self.scale = ${parts.scale ?? 'Scale(hidden_size)'}

    def forward(self, x):
        return x + self.scale(self.ffn(self.norm(x)))


class Model(nn.Module):
    def __init__(self, vocab_size, hidden_size, intermediate_size):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, hidden_size)
        self.blocks = nn.ModuleList([Block(hidden_size, intermediate_size) for _ in range(4)])
        self.norm = Norm(hidden_size)
        self.head = nn.Linear(hidden_size, vocab_size)

    def forward(self, input_ids):
        x = self.embed(input_ids)
        for each in self.blocks:
            x = each(x)
        return self.head(self.norm(x))
`;

describe('where mistakes in widths are reported', () => {
  it('leaves the block alone', () => expectHere(block()));
  it('blames the constructor call of a norm, not the norm', () => expectHere(block({ norm: 'Norm(intermediate_size)  # here' })));
  it('blames the scale that the residual does not agree with', () => expectHere(block({ scale: 'Scale(intermediate_size)  # here' })));
  it('blames the layer that the scale and the residual do not agree with', () =>
    expectHere(block({ down: 'intermediate_size, intermediate_size)  # here' })));
  it('blames the layer that differs from the one that is fed the same', () =>
    expectHere(block({ up: 'intermediate_size, intermediate_size)  # here' })));
  it('blames the call that gives widths in the wrong order', () =>
    expectHere(block({ call: 'FeedForward(intermediate_size, hidden_size)  # here' })));
  it('blames a call of layers in the wrong order', () => expectHere(block({ feed: 'self.down(self.up(F.silu(self.gate(x))))  # here' })));
});

interface Grouped {
  readonly groups?: string;
  readonly values?: string;
  readonly scores?: string;
  readonly mean?: string;
  readonly keys?: string;
  readonly repeated?: string;
  readonly keyWidth?: string;
  readonly up?: string;
  readonly down?: string;
}

/** Layers of the file's own that extend the library's, grouped heads, and an activation that is chosen by name. */
const grouped = (parts: Grouped = {}): string => `import torch
import torch.nn.functional as F
from torch import nn


class Linear(nn.Linear):
    def forward(self, x):
        return F.linear(x, self.weight.to(x.dtype), None if self.bias is None else self.bias.to(x.dtype))


class Norm(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, x):
        mean = ${parts.mean ?? 'x.mean(dim=-1, keepdim=True)'}
        return (x - mean) * self.scale


def activation_by_name(name):
    if name == "relu":
        return F.relu
    if name == "glu":
        return F.glu
    raise ValueError(name)


class Block(nn.Module):
    def __init__(self, d_model: int, n_heads: int, n_kv_heads: int, d_ff: int, activation="relu"):
        super().__init__()
        assert d_model % n_heads == 0 and n_heads % n_kv_heads == 0
        self.n_heads, self.n_kv_heads = n_heads, n_kv_heads
        self.head_dim = d_model // n_heads
        self.group_size = ${parts.groups ?? 'n_heads // n_kv_heads'}
        self.norm = Norm(d_model)
        self.query = Linear(d_model, n_heads * self.head_dim)
        self.key = Linear(d_model, ${parts.keyWidth ?? 'n_kv_heads * self.head_dim'})
        self.value = Linear(d_model, n_kv_heads * self.head_dim)
        self.out = Linear(n_heads * self.head_dim, d_model)
        self.mlp_norm = Norm(d_model)
        self.up = Linear(d_model, ${parts.up ?? 'd_ff)'}
        self.down = Linear(d_ff, ${parts.down ?? 'd_model)'}
        self.activation = activation_by_name(activation)

    def attend(self, query, key, value):
        scores = query @ ${parts.scores ?? 'key.transpose(2, 3)'}
        return torch.softmax(scores / self.head_dim**0.5, dim=-1) @ value

    def forward(self, x):
        B, T, C = x.shape
        y = self.norm(x)
        query = self.query(y)
        key = self.key(y)
        value = self.value(y)
        query = query.view(B, T, self.n_heads, self.head_dim).transpose(1, 2)
        key = key.view(B, T, ${parts.keys ?? 'self.n_kv_heads, self.head_dim).transpose(1, 2)'}
        value = value.view(B, T, self.n_kv_heads, self.head_dim).transpose(1, 2)
        key = ${parts.repeated ?? 'key.repeat_interleave(self.group_size, dim=1)'}
        value = value.repeat_interleave(${parts.values ?? 'self.group_size, dim=1)'}
        attended = self.attend(query, key, value)
        x = x + self.out(attended.transpose(1, 2).reshape(B, T, C))
        return x + self.down(self.activation(self.up(self.mlp_norm(x))))


class Model(nn.Module):
    def __init__(self, vocab_size: int, d_model: int, n_heads: int, n_kv_heads: int, d_ff: int):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, d_model)
        self.block = Block(d_model, n_heads, n_kv_heads, d_ff)
        self.head = nn.Linear(d_model, vocab_size)

    def forward(self, input_ids):
        return self.head(self.block(self.embed(input_ids)))
`;

describe('where mistakes in axes and repetitions are reported', () => {
  it('leaves the model alone', () => expectHere(grouped()));
  it('blames the mean that drops its axis', () => expectHere(grouped({ mean: 'x.mean(dim=-1)  # here' })));
  it('blames the transposition of other axes than the last two', () => expectHere(grouped({ scores: 'key.transpose(1, 2)  # here' })));
  it('blames the one use of another number of repetitions', () => expectHere(grouped({ values: 'self.n_kv_heads, dim=1)  # here' })));
  it('blames the number of repetitions that all use', () => expectHere(grouped({ groups: 'n_kv_heads  # here' })));
  it('blames the view that splits heads in the wrong order, not the transposition of its result further in', () =>
    expectHere(
      grouped({
        keys: 'self.head_dim, self.n_heads).transpose(1, 2)  # here',
        repeated: 'key.contiguous()',
        keyWidth: 'n_heads * self.head_dim',
      }),
    ));
  it('follows the activation that stands as the default, into layers of the file that extend the library', () =>
    expectHere(grouped({ up: 'd_model)  # here' })));
  it('takes what goes into a part to be as wide as what comes out, and not as what is inside', () =>
    expectHere(`import torch.nn.functional as F
from torch import nn


class FeedForward(nn.Module):
    def __init__(self, d_in, d_hid):
        super().__init__()
        self.up = nn.Linear(d_in, d_hid)
        self.down = nn.Linear(d_in, d_hid)  # here

    def forward(self, x):
        return self.down(F.relu(self.up(x))) + x
`));
  it('blames the place that makes a layer of the class that only hands on its widths', () => {
    const wrapped = (down: string): string => `import torch.nn.functional as F
from torch import nn


class Dense(nn.Module):
    def __init__(self, fan_in, fan_out, bias=True):
        super().__init__()
        self.inner = nn.Linear(fan_in, fan_out, bias=bias)
        nn.init.xavier_uniform_(self.inner.weight)

    def forward(self, x):
        return self.inner(x)


class FeedForward(nn.Module):
    def __init__(self, d_model=512, expand=4):
        super().__init__()
        self.norm = nn.LayerNorm(d_model)
        self.up = Dense(d_model, d_model * expand)
        self.down = Dense(${down}

    def forward(self, x):
        return x + self.down(F.silu(self.up(self.norm(x))))
`;
    expectHere(wrapped('d_model * expand, d_model)'));
    expectHere(wrapped('d_model, d_model * expand)  # here'));
  });
});
