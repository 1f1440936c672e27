/**
 * Array functions of JAX, Keras and MLX, which follow NumPy: `axis`, `keepdims`, `transpose(axes)`. Each is what PyTorch's function of
 * the same meaning is, so that one dataflow speaks one language.
 */

const elementwise =
  'exp exp2 expm1 log log2 log10 log1p sin cos tan tanh sinh cosh abs sign floor ceil round square reciprocal sigmoid erf negative logical_not isnan isinf isfinite'.split(
    ' ',
  );

const renamed: Readonly<Record<string, string>> = { negative: 'neg' };

const binary: Readonly<Record<string, string>> = {
  add: '+',
  subtract: '-',
  multiply: '*',
  divide: '/',
  true_divide: '/',
  floor_divide: '//',
  power: '**',
  mod: '%',
  remainder: '%',
  equal: '==',
  not_equal: '!=',
  less: '<',
  less_equal: '<=',
  greater: '>',
  greater_equal: '>=',
};

const logical = ['logical_and', 'logical_or', 'logical_xor', 'maximum', 'minimum'];
const reductions = ['sum', 'mean', 'prod', 'var', 'std', 'all', 'any', 'logsumexp'];

/** Functions with NumPy's names and arguments. */
export const arrayFunctions = [
  'import torch\nimport torch.nn.functional as F\nimport headwise\n',
  ...elementwise.map((name) => `def ${name}(x, *args, **kwargs):\n    return torch.${renamed[name] ?? name}(x)\n`),
  // Of a number they are a number: a scale.
  'import math\n\n\ndef sqrt(x):\n    return math.sqrt(x) if isinstance(x, (int, float)) else torch.sqrt(x)\n',
  'def rsqrt(x):\n    return 1 / math.sqrt(x) if isinstance(x, (int, float)) else torch.rsqrt(x)\n',
  ...Object.entries(binary).map(([name, operator]) => `def ${name}(x, y, **kwargs):\n    return x ${operator} y\n`),
  ...logical.map((name) => `def ${name}(x, y, **kwargs):\n    return torch.${name}(x, y)\n`),
  ...reductions.map(
    (name) => `def ${name}(a, axis=None, keepdims=False, **kwargs):\n    return torch.${name}(a, dim=axis, keepdim=keepdims)\n`,
  ),
  `
def max(a, axis=None, keepdims=False, **kwargs):
    return torch.amax(a, dim=axis, keepdim=keepdims)


def min(a, axis=None, keepdims=False, **kwargs):
    return torch.amin(a, dim=axis, keepdim=keepdims)


amax = max
amin = min


def argmax(a, axis=None, keepdims=False, **kwargs):
    return torch.argmax(a, dim=axis, keepdim=keepdims)


def argmin(a, axis=None, keepdims=False, **kwargs):
    return torch.argmin(a, dim=axis, keepdim=keepdims)


def cumsum(a, axis=None, **kwargs):
    return torch.cumsum(a, dim=axis)


def matmul(a, b, **kwargs):
    return torch.matmul(a, b)


def dot(a, b, **kwargs):
    return torch.matmul(a, b)


def einsum(subscripts, *operands, **kwargs):
    return torch.einsum(subscripts, *operands)


def outer(a, b, **kwargs):
    return torch.outer(a, b)


def reshape(a, *shape, newshape=None, **kwargs):
    if newshape is not None:
        return torch.reshape(a, newshape)
    return a.reshape(*shape)


def transpose(a, axes=None, **kwargs):
    if axes is None:
        return a.T
    return torch.permute(a, axes)


def swapaxes(a, axis1, axis2, **kwargs):
    return torch.transpose(a, axis1, axis2)


def moveaxis(a, source, destination, **kwargs):
    return torch.movedim(a, source, destination)


def expand_dims(a, axis, **kwargs):
    if isinstance(a, bool):
        return headwise.unknown('a comparison of something')
    if isinstance(axis, (tuple, list)):
        for each in axis:
            a = torch.unsqueeze(a, each)
        return a
    return torch.unsqueeze(a, axis)


def squeeze(a, axis=None, **kwargs):
    return torch.squeeze(a) if axis is None else torch.squeeze(a, axis)


def concatenate(arrays, axis=0, **kwargs):
    return torch.cat(arrays, dim=axis)


concat = concatenate


def stack(arrays, axis=0, **kwargs):
    return torch.stack(arrays, dim=axis)


def split(ary, indices_or_sections, axis=0, **kwargs):
    if isinstance(indices_or_sections, int):
        return torch.chunk(ary, indices_or_sections, dim=axis)
    return torch.tensor_split(ary, tuple(indices_or_sections), dim=axis)


def repeat(a, repeats, axis=None, **kwargs):
    return torch.repeat_interleave(a, repeats, dim=axis)


def tile(A, reps, **kwargs):
    return torch.tile(A, reps)


def broadcast_to(array, shape, **kwargs):
    return torch.broadcast_to(array, shape)


def where(condition, x=None, y=None, x1=None, x2=None, **kwargs):
    return torch.where(condition, x1 if x is None else x, x2 if y is None else y)


def tril(m, k=0, **kwargs):
    return torch.tril(m, diagonal=k)


def triu(m, k=0, **kwargs):
    return torch.triu(m, diagonal=k)


def clip(a, *bounds, **kwargs):
    return torch.clamp(a)


def take(a, indices, axis=None, **kwargs):
    if axis == 0:
        return F.embedding(indices, a)
    return headwise.unknown('take')


def take_along_axis(arr, indices, axis, **kwargs):
    return torch.take_along_dim(arr, indices, dim=axis)


def roll(a, shift, axis=None, **kwargs):
    return torch.roll(a, shift, axis)


def flip(a, axis=None, **kwargs):
    return torch.flip(a, (axis,) if isinstance(axis, int) else axis)


def array(object, dtype=None, **kwargs):
    return torch.tensor(object, dtype=dtype)


asarray = array


def zeros(shape, dtype=None, **kwargs):
    return torch.zeros(shape)


def ones(shape, dtype=None, **kwargs):
    return torch.ones(shape)


def full(shape, fill_value, dtype=None, **kwargs):
    return torch.full(shape, fill_value)


def zeros_like(a, dtype=None, **kwargs):
    return torch.zeros_like(a)


def ones_like(a, dtype=None, **kwargs):
    return torch.ones_like(a)


def full_like(a, fill_value, dtype=None, **kwargs):
    return torch.full_like(a, fill_value)


def eye(N, M=None, **kwargs):
    return torch.eye(N) if M is None else torch.eye(N, M)


def arange(*args, dtype=None, **kwargs):
    return torch.arange(*args)


def linspace(start, stop, num=50, **kwargs):
    if isinstance(start, torch.Tensor) or isinstance(stop, torch.Tensor):
        return headwise.unknown('steps between arrays')
    return torch.linspace(start, stop, num)


def sort(a, axis=-1, **kwargs):
    return torch.sort(a, dim=axis)[0]


def argsort(a, axis=-1, **kwargs):
    return torch.argsort(a, dim=axis)


def shape(a):
    return a.shape


def ndim(a):
    return a.ndim


def softmax(x, axis=-1, **kwargs):
    return torch.softmax(x, dim=axis)


def log_softmax(x, axis=-1, **kwargs):
    return torch.log_softmax(x, dim=axis)


def one_hot(x, num_classes, *args, **kwargs):
    return F.one_hot(x, num_classes)


def relu(x, **kwargs):
    return F.relu(x)


def gelu(x, approximate=True, **kwargs):
    return F.gelu(x)


def silu(x, **kwargs):
    return F.silu(x)


swish = silu


def leaky_relu(x, *args, **kwargs):
    return F.leaky_relu(x)


def softplus(x, **kwargs):
    return F.softplus(x)


def elu(x, *args, **kwargs):
    return F.elu(x)


def stop_gradient(x):
    return x.detach()


def cast(x, dtype):
    return x.to(dtype)
`,
].join('\n\n');

const initializers = `
def _initializer(*args, **kwargs):
    return None


lecun_normal = xavier_uniform = xavier_normal = glorot_uniform = glorot_normal = he_normal = he_uniform = _initializer
normal = truncated_normal = uniform = variance_scaling = constant = orthogonal = kaiming_normal = kaiming_uniform = _initializer
zeros = ones = zeros_init = ones_init = None
`;

const random = `
import torch


def PRNGKey(seed):
    return None


key = PRNGKey


def split(key, num=2):
    return [None] * num


def normal(key, shape=(), dtype=None):
    return torch.randn(shape)


def uniform(key, shape=(), dtype=None, *args, **kwargs):
    return torch.rand(shape)


def bernoulli(key, p=0.5, shape=None):
    return torch.rand(shape)


def randint(key, shape, minval, maxval, dtype=None):
    return torch.zeros(shape).long()
`;

const lax = `
import torch


def stop_gradient(x):
    return x.detach()


def rsqrt(x):
    return torch.rsqrt(x)


def select(pred, on_true, on_false):
    return torch.where(pred, on_true, on_false)


def broadcasted_iota(dtype, shape, dimension):
    return torch.zeros(shape).long()


def with_sharding_constraint(x, *args):
    return x
`;

const jaxAttention = `
def dot_product_attention(query, key, value, bias=None, mask=None, *, scale=None, is_causal=False, **kwargs):
    out = F.scaled_dot_product_attention(
        query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2), attn_mask=bias if mask is None else mask, is_causal=is_causal, scale=scale, enable_gqa=True
    )
    return out.transpose(1, 2)
`;

const jaxTransformations = `
def jit(f=None, **kwargs):
    return f


checkpoint = remat = named_call = jit


# What it is given loses an axis inside, and what it answers has one more.
def vmap(f=None, *args, **kwargs):
    return headwise.unknown('a function over a further axis')


pmap = grad = value_and_grad = jacfwd = jacrev = vmap
`;

/** JAX's modules by name. */
export const jax: readonly (readonly [string, string])[] = [
  ['jax', jaxTransformations],
  ['jax.numpy', arrayFunctions],
  ['jax.nn', [arrayFunctions, jaxAttention].join('\n\n')],
  ['jax.nn.initializers', initializers],
  ['jax.random', random],
  ['jax.lax', lax],
];
