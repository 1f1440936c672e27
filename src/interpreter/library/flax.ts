import { arrayFunctions } from './arrays.ts';

/** What `linen` and `nnx` share: layers as functions of their parameters. Kernels of Flax are (inputs, outputs). */
const functions = `
def _axes(axis):
    return axis if isinstance(axis, (tuple, list)) else (axis,)


def _dense(x, kernel, bias):
    return F.linear(x, kernel.T, bias)


def _dense_general(module, x, features, axis, use_bias):
    features = features if isinstance(features, (tuple, list)) else (features,)
    count = len(_axes(axis))
    lead = x.shape[:-count]
    width = 1
    for size in x.shape[-count:]:
        width = width * size
    outputs = 1
    for size in features:
        outputs = outputs * size
    if count > 1:
        x = x.reshape(*lead, width)
    module.kernel = torch.nn.Parameter(torch.empty(width, outputs))
    module.bias = torch.nn.Parameter(torch.empty(outputs)) if use_bias else None
    x = _dense(x, module.kernel, module.bias)
    if len(features) > 1:
        x = x.reshape(*lead, *features)
    return x


def dot_product_attention(query, key, value, bias=None, mask=None, **kwargs):
    # (..., length, heads, head dim) throughout.
    out = F.scaled_dot_product_attention(query.transpose(-3, -2), key.transpose(-3, -2), value.transpose(-3, -2), attn_mask=bias if mask is None else mask)
    return out.transpose(-3, -2)


def dot_product_attention_weights(query, key, bias=None, mask=None, **kwargs):
    query = query / (query.shape[-1] ** 0.5)
    weights = torch.einsum('...qhd,...khd->...hqk', query, key)
    if bias is not None:
        weights = weights + bias
    if mask is not None:
        weights = torch.where(mask, weights, torch.finfo(torch.float32).min)
    return torch.softmax(weights, dim=-1)


def make_causal_mask(x, *args, **kwargs):
    length = x.shape[-1]
    mask = torch.tril(torch.ones(length, length)).bool()
    return mask.expand(*x.shape[:-1], 1, length, length)


def make_attention_mask(query_input, key_input, *args, **kwargs):
    return headwise.unknown('an attention mask')


def combine_masks(*masks, **kwargs):
    return headwise.unknown('combined masks')


def avg_pool(inputs, *args, **kwargs):
    return headwise.unknown('pooling')


max_pool = avg_pool
`;

const linen = `
from dataclasses import dataclass
from jax.nn import initializers


def compact(f):
    return f


def nowrap(f):
    return f


def remat(target=None, *args, **kwargs):
    return target


checkpoint = jit = remat


def scan(target, *args, **kwargs):
    return headwise.unknown('a scan')


def with_logical_partitioning(f, *args, **kwargs):
    return f


def with_logical_constraint(x, *args, **kwargs):
    return x


with_partitioning = with_logical_partitioning


@dataclass
class Module:
    def __post_init__(self):
        self.setup()

    def setup(self):
        pass

    def param(self, name, init_fn, *args, **kwargs):
        value = headwise.unknown('a parameter')
        if len(args) > 0 and isinstance(args[0], (tuple, list)):
            value = torch.nn.Parameter(torch.empty(args[0]))
        setattr(self, name, value)
        return value

    def variable(self, col, name, init_fn=None, *args, **kwargs):
        return headwise.unknown('a variable')

    def sow(self, *args, **kwargs):
        return None

    def make_rng(self, *args, **kwargs):
        return None

    def has_variable(self, *args):
        return False

    def is_initializing(self):
        return False

    def apply(self, variables, *args, **kwargs):
        return headwise.unknown('applied')

    def init(self, *args, **kwargs):
        return headwise.unknown('variables')


class Dense(Module):
    def __init__(self, features, use_bias=True, **kwargs):
        self.features = features
        self.use_bias = use_bias

    def __call__(self, inputs):
        self.kernel = torch.nn.Parameter(torch.empty(inputs.shape[-1], self.features))
        self.bias = torch.nn.Parameter(torch.empty(self.features)) if self.use_bias else None
        return _dense(inputs, self.kernel, self.bias)


class DenseGeneral(Module):
    def __init__(self, features, axis=-1, batch_dims=(), use_bias=True, **kwargs):
        self.features = features
        self.axis = axis
        self.use_bias = use_bias

    def __call__(self, inputs):
        return _dense_general(self, inputs, self.features, self.axis, self.use_bias)


class Embed(Module):
    def __init__(self, num_embeddings, features, **kwargs):
        self.num_embeddings = num_embeddings
        self.features = features
        self.embedding = torch.nn.Parameter(torch.empty(num_embeddings, features))

    def __call__(self, inputs):
        return F.embedding(inputs, self.embedding)

    def attend(self, query):
        return F.linear(query, self.embedding)


class LayerNorm(Module):
    def __init__(self, epsilon=1e-6, dtype=None, param_dtype=None, use_bias=True, use_scale=True, **kwargs):
        self.epsilon = epsilon
        self.use_bias = use_bias
        self.use_scale = use_scale

    def __call__(self, x, **kwargs):
        width = x.shape[-1]
        self.scale = torch.nn.Parameter(torch.empty(width)) if self.use_scale else None
        self.bias = torch.nn.Parameter(torch.empty(width)) if self.use_bias else None
        return F.layer_norm(x, (width,), self.scale, self.bias, self.epsilon)


class RMSNorm(Module):
    def __init__(self, epsilon=1e-6, dtype=None, param_dtype=None, use_scale=True, **kwargs):
        self.epsilon = epsilon
        self.use_scale = use_scale

    def __call__(self, x, **kwargs):
        width = x.shape[-1]
        self.scale = torch.nn.Parameter(torch.empty(width)) if self.use_scale else None
        return F.rms_norm(x, (width,), self.scale, self.epsilon)


class Dropout(Module):
    def __init__(self, rate, broadcast_dims=(), deterministic=None, **kwargs):
        self.rate = rate

    def __call__(self, inputs, deterministic=None, rng=None):
        return F.dropout(inputs, self.rate)


class Sequential(Module):
    def __init__(self, layers, **kwargs):
        self.layers = layers

    def __call__(self, *args, **kwargs):
        first, *rest = self.layers
        outputs = first(*args, **kwargs)
        for layer in rest:
            outputs = layer(outputs)
        return outputs


class Conv(Module):
    def __init__(self, features, kernel_size, strides=1, padding='SAME', use_bias=True, **kwargs):
        self.features = features

    def __call__(self, inputs):
        return headwise.unknown('a convolution with channels last')


class MultiHeadDotProductAttention(Module):
    def __init__(self, num_heads, dtype=None, param_dtype=None, qkv_features=None, out_features=None, use_bias=True, **kwargs):
        self.num_heads = num_heads
        self.qkv_features = qkv_features
        self.out_features = out_features
        self.use_bias = use_bias

    def __call__(self, inputs_q, inputs_k=None, inputs_v=None, mask=None, deterministic=None, inputs_kv=None, **kwargs):
        inputs_k = inputs_kv if inputs_k is None else inputs_k
        inputs_k = inputs_q if inputs_k is None else inputs_k
        inputs_v = inputs_k if inputs_v is None else inputs_v
        features = self.out_features or inputs_q.shape[-1]
        width = self.qkv_features or inputs_q.shape[-1]
        head_dim = width // self.num_heads
        self.query = DenseGeneral((self.num_heads, head_dim), use_bias=self.use_bias)
        self.key = DenseGeneral((self.num_heads, head_dim), use_bias=self.use_bias)
        self.value = DenseGeneral((self.num_heads, head_dim), use_bias=self.use_bias)
        x = dot_product_attention(self.query(inputs_q), self.key(inputs_k), self.value(inputs_v), mask=mask)
        self.out = DenseGeneral(features, axis=(-2, -1), use_bias=self.use_bias)
        return self.out(x)


MultiHeadAttention = MultiHeadDotProductAttention


class SelfAttention(MultiHeadDotProductAttention):
    def __call__(self, inputs_q, mask=None, deterministic=None, **kwargs):
        return super().__call__(inputs_q, mask=mask)
`;

const nnx = `
class Module:
    def __init__(self, *args, **kwargs):
        pass

    def train(self, *args, **kwargs):
        return None

    def eval(self, *args, **kwargs):
        return None


class Rngs:
    def __init__(self, *args, **kwargs):
        pass

    def __getattr__(self, name):
        return headwise.nothing


def Param(value, **kwargs):
    return torch.nn.Parameter(value)


def Variable(value, **kwargs):
    return value


def List(items=()):
    return list(items)


def jit(f=None, **kwargs):
    return f


remat = checkpoint = jit


class Linear(Module):
    def __init__(self, in_features, out_features, *, use_bias=True, **kwargs):
        self.in_features = in_features
        self.out_features = out_features
        self.kernel = torch.nn.Parameter(torch.empty(in_features, out_features))
        self.bias = torch.nn.Parameter(torch.empty(out_features)) if use_bias else None

    def __call__(self, inputs):
        return _dense(inputs, self.kernel, self.bias)


class LinearGeneral(Module):
    def __init__(self, in_features, out_features, *, axis=-1, use_bias=True, **kwargs):
        self.out_features = out_features
        self.axis = axis
        self.use_bias = use_bias

    def __call__(self, inputs):
        return _dense_general(self, inputs, self.out_features, self.axis, self.use_bias)


class Embed(Module):
    def __init__(self, num_embeddings, features, **kwargs):
        self.embedding = torch.nn.Parameter(torch.empty(num_embeddings, features))

    def __call__(self, inputs):
        return F.embedding(inputs, self.embedding)

    def attend(self, query):
        return F.linear(query, self.embedding)


class LayerNorm(Module):
    def __init__(self, num_features, *, epsilon=1e-6, use_bias=True, use_scale=True, **kwargs):
        self.num_features = num_features
        self.epsilon = epsilon
        self.scale = torch.nn.Parameter(torch.empty(num_features)) if use_scale else None
        self.bias = torch.nn.Parameter(torch.empty(num_features)) if use_bias else None

    def __call__(self, x, **kwargs):
        return F.layer_norm(x, (self.num_features,), self.scale, self.bias, self.epsilon)


class RMSNorm(Module):
    def __init__(self, num_features, *, epsilon=1e-6, use_scale=True, **kwargs):
        self.num_features = num_features
        self.epsilon = epsilon
        self.scale = torch.nn.Parameter(torch.empty(num_features)) if use_scale else None

    def __call__(self, x, **kwargs):
        return F.rms_norm(x, (self.num_features,), self.scale, self.epsilon)


class Dropout(Module):
    def __init__(self, rate, **kwargs):
        self.rate = rate

    def __call__(self, inputs, **kwargs):
        return F.dropout(inputs, self.rate)


class Sequential(Module):
    def __init__(self, *fns):
        self.layers = list(fns)

    def __call__(self, x, **kwargs):
        for f in self.layers:
            x = f(x)
        return x


class Conv(Module):
    def __init__(self, in_features, out_features, kernel_size, *args, **kwargs):
        self.out_features = out_features

    def __call__(self, inputs):
        return headwise.unknown('a convolution with channels last')


class MultiHeadAttention(Module):
    def __init__(self, num_heads, in_features, qkv_features=None, out_features=None, *, use_bias=True, **kwargs):
        self.num_heads = num_heads
        width = in_features if qkv_features is None else qkv_features
        head_dim = width // num_heads
        self.query = LinearGeneral(in_features, (num_heads, head_dim), use_bias=use_bias)
        self.key = LinearGeneral(in_features, (num_heads, head_dim), use_bias=use_bias)
        self.value = LinearGeneral(in_features, (num_heads, head_dim), use_bias=use_bias)
        self.out = LinearGeneral((num_heads, head_dim), in_features if out_features is None else out_features, axis=(-2, -1), use_bias=use_bias)

    def __call__(self, inputs_q, inputs_k=None, inputs_v=None, mask=None, **kwargs):
        inputs_k = inputs_q if inputs_k is None else inputs_k
        inputs_v = inputs_k if inputs_v is None else inputs_v
        x = dot_product_attention(self.query(inputs_q), self.key(inputs_k), self.value(inputs_v), mask=mask)
        return self.out(x)
`;

/** Flax's modules by name. */
export const flax: readonly (readonly [string, string])[] = [
  ['flax.linen', [arrayFunctions, functions, linen].join('\n\n')],
  ['flax.linen.initializers', 'from jax.nn.initializers import *\n'],
  ['flax.nnx', [arrayFunctions, functions, nnx].join('\n\n')],
  ['flax.nnx.initializers', 'from jax.nn.initializers import *\n'],
  ['flax', 'import flax.linen as linen\nimport flax.nnx as nnx\n'],
  ['flax.struct', 'from dataclasses import dataclass, field\n'],
];
