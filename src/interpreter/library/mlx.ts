import { arrayFunctions } from './arrays.ts';

const fast = `
import torch
import torch.nn.functional as F


def scaled_dot_product_attention(q, k, v, *, scale=None, mask=None, **kwargs):
    return F.scaled_dot_product_attention(q, k, v, attn_mask=None if isinstance(mask, str) else mask, is_causal=mask == 'causal', scale=scale, enable_gqa=True)


def rms_norm(x, weight, eps):
    return F.rms_norm(x, (x.shape[-1],), weight, eps)


def layer_norm(x, weight, bias, eps):
    return F.layer_norm(x, (x.shape[-1],), weight, bias, eps)


def rope(a, dims, *args, **kwargs):
    return a.clone()
`;

const nn = `
class Module:
    def __init__(self, *args, **kwargs):
        pass

    def update(self, *args):
        return self

    def train(self, *args):
        return self

    def eval(self):
        return self

    def freeze(self, *args, **kwargs):
        return self


class Linear(Module):
    def __init__(self, input_dims, output_dims, bias=True):
        self.weight = torch.nn.Parameter(torch.empty(output_dims, input_dims))
        self.bias = torch.nn.Parameter(torch.empty(output_dims)) if bias else None

    def __call__(self, x):
        return F.linear(x, self.weight, self.bias)


class Embedding(Module):
    def __init__(self, num_embeddings, dims):
        self.weight = torch.nn.Parameter(torch.empty(num_embeddings, dims))

    def __call__(self, x):
        return F.embedding(x, self.weight)

    def as_linear(self, x):
        return F.linear(x, self.weight)


class LayerNorm(Module):
    def __init__(self, dims, eps=1e-5, affine=True, bias=True):
        self.dims = dims
        self.eps = eps
        self.weight = torch.nn.Parameter(torch.empty(dims)) if affine else None
        self.bias = torch.nn.Parameter(torch.empty(dims)) if affine and bias else None

    def __call__(self, x):
        return F.layer_norm(x, (self.dims,), self.weight, self.bias, self.eps)


class RMSNorm(Module):
    def __init__(self, dims, eps=1e-5):
        self.dims = dims
        self.eps = eps
        self.weight = torch.nn.Parameter(torch.empty(dims))

    def __call__(self, x):
        return F.rms_norm(x, (self.dims,), self.weight, self.eps)


class Dropout(Module):
    def __init__(self, p=0.5):
        self.p = p

    def __call__(self, x):
        return F.dropout(x, self.p)


class GELU(Module):
    def __init__(self, *args):
        pass

    def __call__(self, x):
        return F.gelu(x)


class SiLU(Module):
    def __call__(self, x):
        return F.silu(x)


class ReLU(Module):
    def __call__(self, x):
        return F.relu(x)


class RoPE(Module):
    def __init__(self, dims, traditional=False, base=10000, scale=1.0):
        self.dims = dims

    def __call__(self, x, offset=0):
        return x.clone()


class Sequential(Module):
    def __init__(self, *modules):
        self.layers = list(modules)

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class MultiHeadAttention(Module):
    def __init__(self, dims, num_heads, query_input_dims=None, key_input_dims=None, value_input_dims=None, value_dims=None, value_output_dims=None, bias=False):
        self.num_heads = num_heads
        value_dims = value_dims or dims
        self.query_proj = Linear(query_input_dims or dims, dims, bias)
        self.key_proj = Linear(key_input_dims or query_input_dims or dims, dims, bias)
        self.value_proj = Linear(value_input_dims or key_input_dims or query_input_dims or dims, value_dims, bias)
        self.out_proj = Linear(value_dims, value_output_dims or dims, bias)

    def __call__(self, queries, keys, values, mask=None):
        q = self.query_proj(queries).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
        k = self.key_proj(keys).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
        v = self.value_proj(values).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.out_proj(out.transpose(1, 2).flatten(-2))

    @staticmethod
    def create_additive_causal_mask(N, dtype=None):
        return torch.triu(torch.full((N, N), float('-inf')), diagonal=1)
`;

/** MLX's modules by name. */
export const mlx: readonly (readonly [string, string])[] = [
  ['mlx.core', arrayFunctions],
  ['mlx.core.fast', fast],
  ['mlx.nn', [arrayFunctions, nn].join('\n\n')],
];
