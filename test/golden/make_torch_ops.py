"""What PyTorch and einops really answer to many calls: the shapes and dtypes of the results, or that they fail.

Remake:  python3 -m venv venv && venv/bin/pip install torch numpy einops && venv/bin/python test/golden/make_torch_ops.py
It rewrites torch-ops.generated.jsonl beside itself, one call a line. Values: null, true, numbers, strings, [list], {"t": [tuple]}, {"f": float}, {"s": [slice]}, {"e": 0} (Ellipsis),
{"dtype": name}, {"T": shape, "d": dtype} (tensor). `r` is the result in the same notation, or {"error": message}.
"""

import itertools
import json
import pathlib
import random
import warnings

import einops
import torch
import torch.nn.functional as F

warnings.filterwarnings("ignore")
rng = random.Random(20260)
torch.manual_seed(0)
rows = []


class T:
    """A tensor argument; whole numbers are all zero, so that they are valid places."""

    def __init__(self, *shape, d="float32", of=None):
        self.shape, self.dtype, self.of = list(shape), d, of


class Dtype:
    def __init__(self, name):
        self.name = name


def real(value):
    if isinstance(value, T):
        dtype = getattr(torch, value.dtype)
        if value.dtype.startswith(("float", "bfloat", "complex")):
            return torch.randn(value.shape, dtype=torch.float32).to(dtype)
        return torch.zeros(value.shape, dtype=dtype)
    if isinstance(value, Dtype):
        return getattr(torch, value.name)
    if isinstance(value, list):
        return [real(each) for each in value]
    if isinstance(value, tuple):
        return tuple(real(each) for each in value)
    return value


def written(value):
    if isinstance(value, T):
        return {"T": value.shape, "d": value.dtype}
    if isinstance(value, torch.Tensor):
        return {"T": list(value.shape), "d": str(value.dtype).removeprefix("torch.")}
    if isinstance(value, Dtype):
        return {"dtype": value.name}
    if isinstance(value, torch.dtype):
        return {"dtype": str(value).removeprefix("torch.")}
    if isinstance(value, (tuple, torch.Size)):
        return {"t": [written(each) for each in value]}
    if isinstance(value, list):
        return [written(each) for each in value]
    if isinstance(value, slice):
        return {"s": [value.start, value.stop, value.step]}
    if value is Ellipsis:
        return {"e": 0}
    if isinstance(value, float):
        return {"f": value if abs(value) < 1e300 else str(value)}
    return value


def find(name):
    at = {"torch": torch, "Tensor": torch.Tensor, "einops": einops}
    found = None
    for i, part in enumerate(name.split(".")):
        found = at[part] if i == 0 else getattr(found, part)
    return found


def call(name, *args, **kwargs):
    row = {"op": name, "a": [written(each) for each in args]}
    if kwargs:
        row["k"] = {key: written(each) for key, each in kwargs.items()}
    try:
        arguments = [real(each) for each in args]
        if name.startswith("Tensor.attribute:"):
            result = getattr(arguments[0], name.removeprefix("Tensor.attribute:"))
        else:
            result = find(name)(*arguments, **{key: real(each) for key, each in kwargs.items()})
        row["r"] = written(result)
    except Exception as error:  # noqa: BLE001 - any failure is the answer
        row["r"] = {"error": str(error).split("\n")[0][:120]}
    rows.append(json.dumps(row, separators=(",", ":")))


def dims(rank, low=1, high=6):
    return [rng.randint(low, high) for _ in range(rank)]


def tensor(rank=None, low=1, high=6, d="float32"):
    return T(*dims(rng.randint(1, 4) if rank is None else rank, low, high), d=d)


FN = "torch.nn.functional."

# Element-wise
for name in ("add", "sub", "mul", "div", "floor_divide", "remainder", "pow", "maximum", "eq", "lt", "logical_and", "atan2", "bitwise_and"):
    for _ in range(3):
        shape = dims(rng.randint(1, 4), 2)
        other = [1 if rng.random() < 0.4 else each for each in shape[rng.randint(0, len(shape)) :]]
        kinds = ("int64", "bool") if name.startswith("bitwise") else ("float32", "int64", "float16", "bool") if name != "sub" else ("float32", "int64")
        call(f"torch.{name}", T(*shape, d=rng.choice(kinds)), T(*other, d=rng.choice(kinds)))
    call(f"torch.{name}", T(2, 3, d="int64"), T(4, d="int64"))
for name in ("add", "mul", "div", "pow", "floor_divide", "eq", "bitwise_and"):
    for d, number in itertools.product(("int64", "float16", "bool"), (2, 0.5, True)):
        call(f"torch.{name}", T(2, 3, d=d), number)
call("torch.pow", 10000.0, T(4, d="int64"))
call("torch.pow", 2, T(4, d="int64"))
for name in ("exp", "log", "sqrt", "rsqrt", "sin", "cos", "tanh", "sigmoid", "neg", "abs", "floor", "isnan", "logical_not", "bitwise_not", "relu", "erf", "sign", "square", "reciprocal", "log1p", "isfinite", "nan_to_num"):
    call(f"torch.{name}", tensor(d="bool" if name == "bitwise_not" else "float32"))
    if name not in ("bitwise_not",):
        call(f"torch.{name}", tensor(2, d="int64"))
call("torch.where", T(2, 1, d="bool"), T(3), 0.0)
call("torch.where", T(2, 3, d="bool"), T(2, 3, d="float16"), T(2, 3))
call("torch.where", T(2, 3, d="bool"), 1.0, 0.0)
call("torch.where", T(4, 3, d="bool"))
call("Tensor.where", T(2, 3), T(3, d="bool"), 0)
call("torch.masked_fill", T(2, 3), T(3, d="bool"), -1e9)
call("Tensor.masked_fill", T(2, 3, 4, 4), T(1, 1, 4, 4, d="bool"), float("-inf"))
call("Tensor.masked_fill", T(3), T(2, 3, d="bool"), 0)
call("Tensor.masked_fill_", T(2, 3), T(2, 3, d="bool"), 0)
call("Tensor.masked_fill_", T(3), T(2, 3, d="bool"), 0)
call("Tensor.masked_fill", T(2, 3), T(4, d="bool"), 0)
call("torch.clamp", T(2, 3), min=0.0)
call("torch.clamp", T(2, 3, d="int64"), 0, 5)
call("torch.clamp", T(2, 3), T(3), T(1))
call("torch.lerp", T(2, 3), T(3), 0.5)
call("torch.addcmul", T(2, 3), T(3), T(2, 1), value=2)
call("torch.polar", T(3, 4), T(3, 4))
call("torch.complex", T(3, 4), T(3, 4))
call("Tensor.add_", T(2, 3), T(3))
call("Tensor.add_", T(3), T(2, 3))
call("Tensor.mul_", T(2, 3), 2.0)
call("Tensor.div_", T(2, 3), T(2, 1))
call("torch.bucketize", T(2, 3), T(5))
call("torch.isin", T(2, 3, d="int64"), T(4, d="int64"))

# Creation
call("torch.zeros", 2, 3)
call("torch.zeros", (2, 3), dtype=Dtype("int64"))
call("torch.ones", [4])
call("torch.ones", ())
call("torch.empty", 3, 0, 2)
call("torch.randn", size=(2, 5))
call("torch.full", (2, 3), 1.5)
call("torch.full", (2,), 7)
call("torch.full", (2, 2), True)
call("torch.full_like", T(2, 3, d="float16"), -1.0)
for name in ("zeros_like", "ones_like", "empty_like", "rand_like"):
    call(f"torch.{name}", tensor())
call("torch.zeros_like", T(2, 3), dtype=Dtype("bool"))
call("Tensor.new_zeros", T(2, 3, d="float16"), 4, 5)
call("Tensor.new_zeros", T(2, 3), (4, 5), dtype=Dtype("int64"))
call("Tensor.new_ones", T(2), 3)
call("Tensor.new_full", T(2, 3), (1, 2), 3.0)
call("Tensor.new_tensor", T(2, 3), [1, 2, 3])
for args in ((5,), (2, 9), (0, 10, 2), (0, 9, 2), (1, 8, 3), (10, 0, -3), (0.0, 1.0, 0.25), (0, 1, 0.3), (3.5,)):
    call("torch.arange", *args)
call("torch.arange", end=6)
call("torch.arange", 0, 7, dtype=Dtype("float32"))
call("torch.linspace", 0, 1, 7)
call("torch.linspace", 0, 1, steps=3)
call("torch.eye", 4)
call("torch.eye", 3, 5)
call("torch.randint", 10, (2, 3))
call("torch.randint", 0, 10, (2, 3))
call("torch.randint", 0, 10, size=(4,))
call("torch.randperm", 6)
for data in (1, 2.5, True, [1, 2], [1.0, 2], [[1, 2, 3], [4, 5, 6]], [], [[True], [False]], (1, 2, 3)):
    call("torch.tensor", data)
call("torch.tensor", [1, 2], dtype=Dtype("float32"))
call("torch.as_tensor", T(2, 3, d="int64"))
call("torch.tril", T(3, 4))
call("torch.triu", T(2, 3, 3), diagonal=1)
for n, k in ((4, 0), (5, -1), (3, 0)):
    call("torch.tril_indices", n, n, k)
    call("torch.triu_indices", n, n, -k)
call("torch.hann_window", 400)
call("torch.cartesian_prod", T(2), T(3))

# Shape
for _ in range(12):
    shape = dims(rng.randint(1, 4))
    total = 1
    for each in shape:
        total *= each
    divisors = [k for k in range(1, total + 1) if total % k == 0]
    part = rng.choice(divisors)
    call("Tensor.view", T(*shape), part, -1)
    call("torch.reshape", T(*shape), (-1, part))
    call("Tensor.reshape", T(*shape), [part, total // part])
    call("Tensor.view", T(*shape), total + 1)
    call("Tensor.reshape", T(*shape), -1, total + 1)
call("Tensor.view", T(2, 3), -1, -1)
call("Tensor.view", T(2, 8), Dtype("int32"))
call("Tensor.view", T(2, 8, d="float32"), Dtype("uint8"))
call("Tensor.view", T(2, 8, d="float16"), Dtype("float32"))
call("Tensor.view_as", T(2, 6), T(3, 4))
call("Tensor.reshape_as", T(2, 6), T(12))
call("Tensor.view", T(), 1, 1)
for _ in range(10):
    shape = dims(rng.randint(2, 4))
    rank = len(shape)
    i, j = rng.randrange(-rank, rank), rng.randrange(-rank, rank)
    call("torch.transpose", T(*shape), i, j)
    order = list(range(rank))
    rng.shuffle(order)
    call("Tensor.permute", T(*shape), *order)
    call("torch.permute", T(*shape), tuple(each - rank for each in order))
    call("torch.movedim", T(*shape), i, j)
    call("torch.unsqueeze", T(*shape), rng.randrange(-rank - 1, rank + 1))
    call("torch.flatten", T(*shape), rng.randrange(rank))
    call("torch.flatten", T(*shape), 0, rng.randrange(-rank, rank))
    call("torch.unbind", T(*shape), i)
    call("torch.roll", T(*shape), 1, i)
    call("torch.flip", T(*shape), [i])
    call("torch.select", T(*shape), i, 0)
    call("torch.narrow", T(*shape), i, 0, 1)
    call("torch.swapaxes", T(*shape), i, j)
call("torch.transpose", T(2, 3), 0, 2)
call("Tensor.permute", T(2, 3, 4), 0, 2)
call("Tensor.permute", T(2, 3, 4), 0, 1, 1)
call("torch.movedim", T(2, 3, 4, 5), (0, 1), (2, 3))
call("torch.unsqueeze", T(2, 3), 4)
call("Tensor.attribute:T", T(2, 3))
call("Tensor.attribute:mT", T(4, 2, 3))
call("Tensor.t", T(2, 3))
for shape in ((1, 3, 1), (2, 1), (1,), (2, 3)):
    call("torch.squeeze", T(*shape))
    for i in range(-len(shape), len(shape)):
        call("torch.squeeze", T(*shape), i)
call("torch.squeeze", T(1, 2, 1, 3), (0, 2))
call("torch.flatten", T())
call("torch.ravel", T(2, 3))
call("Tensor.expand", T(2, 1), 2, 5)
call("Tensor.expand", T(1, 3), -1, -1)
call("Tensor.expand", T(3, 1), 4, -1, 7)
call("Tensor.expand", T(3), 4, 2)
call("Tensor.expand", T(2, 3), 3)
call("Tensor.expand", T(1, 4), (6, 4))
call("Tensor.expand_as", T(2, 1), T(2, 5))
call("torch.broadcast_to", T(3), (2, 3))
call("Tensor.repeat", T(2, 3), 2, 1)
call("Tensor.repeat", T(3), 4, 2, 1)
call("Tensor.repeat", T(2, 3), 2)
call("Tensor.repeat", T(2, 3), (1, 2, 3))
call("torch.tile", T(2, 3), (2,))
call("torch.tile", T(3), (2, 2))
call("torch.repeat_interleave", T(2, 3), 2)
call("torch.repeat_interleave", T(2, 3), 2, dim=1)
call("torch.repeat_interleave", T(2, 3), 3, 0)
call("torch.repeat_interleave", T(2, 3), T(3, d="int64"), dim=1)
for count, length in itertools.product((1, 2, 3, 4), (3, 6, 7)):
    call("torch.chunk", T(2, length), count, dim=-1)
    call("torch.tensor_split", T(length, 2), count)
    call("torch.split", T(2, length), count, 1)
call("torch.split", T(2, 9), [2, 3, 4], dim=1)
call("torch.split", T(2, 9), (4, 4), dim=1)
call("Tensor.split", T(2, 9), 3, -1)
call("Tensor.split", T(2, 6, 4), [1, 5], dim=1)
call("torch.tensor_split", T(9, 2), [2, 5])
call("torch.unflatten", T(2, 12), 1, (3, 4))
call("torch.unflatten", T(2, 12), -1, (3, -1))
call("torch.unflatten", T(2, 12), 1, (5, 2))
call("torch.cat", [T(2, 3), T(2, 4)], 1)
call("torch.cat", (T(2, 3), T(4, 3)))
call("torch.cat", [T(2, 3), T(2, 4)])
call("torch.cat", [T(2, 3, d="int64"), T(2, 3)], dim=-1)
call("torch.cat", [T(0), T(2, 4)], dim=1)
call("torch.cat", [T(2, 3), T(2, 3, 1)], dim=-1)
call("torch.stack", [T(2, 3), T(2, 3)])
call("torch.stack", [T(2, 3), T(2, 3), T(2, 3)], dim=-1)
call("torch.stack", [T(2, 3), T(2, 4)])
for name in ("hstack", "vstack", "dstack", "column_stack"):
    call(f"torch.{name}", [T(3), T(3)])
    call(f"torch.{name}", [T(2, 3), T(2, 3)])
    call(f"torch.{name}", [T(2, 3, 4), T(2, 3, 4)])
call("torch.index_select", T(3, 4), 1, T(2, d="int64"))
call("torch.gather", T(3, 4), 1, T(3, 2, d="int64"))
call("torch.gather", T(3, 4), 1, T(3, d="int64"))
call("torch.take_along_dim", T(3, 4), T(3, 2, d="int64"), dim=1)
call("torch.take_along_dim", T(3, 4), T(1, 4, d="int64"), dim=0)
call("torch.scatter", T(3, 4), 1, T(3, 2, d="int64"), 1.0)
call("torch.scatter_add", T(3, 4), 1, T(3, 2, d="int64"), T(3, 2))
call("torch.index_add", T(3, 4), 0, T(2, d="int64"), T(2, 4))
for pad in ((1, 2), (1, 2, 3, 4), (0, -1), (-1, 1, 2, 0)):
    call(FN + "pad", T(2, 3, 5), pad)
call(FN + "pad", T(3), (1, 1, 1, 1))
call(FN + "pad", T(2, 3), (1, 1), value=0.0)
call(FN + "pad", T(1, 2, 4, 4), (1, 1, 2, 2), "reflect")
call("torch.meshgrid", T(2), T(3), indexing="ij")
call("torch.meshgrid", T(2), T(3), T(4), indexing="xy")
call("torch.meshgrid", [T(2), T(3)])
call("torch.diagonal", T(3, 3))
call("torch.diagonal", T(2, 3, 4), 1, 1, 2)
call("torch.diagonal", T(2, 4, 3), dim1=-2, dim2=-1, offset=-2)
call("torch.diag", T(3))
call("torch.diag", T(3, 3))
call("torch.diag_embed", T(2, 3))
call("torch.diag_embed", T(2, 3), offset=1)
call("Tensor.unfold", T(2, 10), 1, 4, 2)
call("Tensor.unfold", T(2, 11, 3), -2, 4, 3)
call("torch.broadcast_tensors", T(2, 1), T(3))
call("torch.broadcast_shapes", (2, 1), (3,), (1, 1, 3))
call("torch.block_diag", T(2, 3), T(1, 4))
call("torch.atleast_2d", T(3))
call("torch.atleast_3d", T(2, 3))
call("torch.view_as_real", T(2, 3, d="complex64"))
call("torch.view_as_complex", T(2, 3, 2))
call("torch.rot90", T(2, 3))

# Indexing
I = T(4, d="int64")
J = T(2, 1, d="int64")
one = T(d="int64")
items = [
    0, -1, 5, None, Ellipsis, slice(None), slice(1, None), slice(-1, None), slice(None, -1), slice(None, 100), slice(-100, 2), slice(0, None, 2),
    slice(1, None, 3), slice(3, 1), I, J, one, [0, 1], [[0], [1]], (0,), (slice(None), 0), (Ellipsis, 0), (Ellipsis, None), (None, Ellipsis, None, 0),
    (Ellipsis, None, slice(None)), (slice(None), None, 0), (0, 0, 0), (0, 0, 0, 0, 0), (slice(None), slice(None), -1), (slice(None), -1),
    (Ellipsis, slice(None, -1), slice(None)), (slice(None), I), (I, slice(None), I), (slice(None), I, I), (I, 0), (0, slice(None), I),
    (slice(None), 0, slice(None), I), (I, None, I), (None, I), (I, J), (slice(None), I, J), (I, Ellipsis, J), (slice(None), one), (Ellipsis, I),
    (slice(None), slice(None), [0, 1]), (slice(1, 2), Ellipsis, slice(0, None, 2)), (0, Ellipsis), (Ellipsis, 1, slice(None)), (slice(None), I, 0, slice(None)),
    (T(3, d="int64"), T(2, d="int64")), (slice(None), [True, False, True, True]), T(4, d="bool"), T(4, 4, d="bool"), (slice(None), T(4, d="bool")),
    (slice(0, 3, None), slice(None), None, I),
]
for item in items:
    call("Tensor.__getitem__", T(4, 4, 5, 6), item)
for item in (0, slice(None), None, Ellipsis, (Ellipsis, None), I, (0, 0)):
    call("Tensor.__getitem__", T(7), item)
call("Tensor.__getitem__", T(), None)
call("Tensor.__getitem__", T(), Ellipsis)
call("Tensor.__getitem__", T(), 0)
call("Tensor.__getitem__", T(1000, 16), T(3, 5, d="int64"))

for item, value in (
    ((slice(None), 0), T(5)), (0, T(4, 5)), (0, T(5)), (0, T(3)), ((slice(None), slice(1, 3)), T(2, 5)), ((slice(None), slice(1, 3)), T(3, 5)), (Ellipsis, 0.0),
    ((slice(None), None), T(1, 4, 5)), ((slice(None), [0, 1]), T(2, 5)), (T(3, 4, 5, d="bool"), 1.0), ((slice(None), 4), T(5)),
):
    call("Tensor.__setitem__", T(3, 4, 5), item, value)

# Reductions
for name in ("sum", "mean", "amax", "logsumexp", "all", "any", "argmax", "prod", "std", "var", "median", "max", "min", "norm", "cumsum", "softmax"):
    for _ in range(3):
        shape = dims(rng.randint(1, 4), 2)
        axis = rng.randrange(-len(shape), len(shape))
        keyword = {} if name in ("cumsum", "softmax") else {"keepdim": rng.random() < 0.5}
        call(f"torch.{name}", T(*shape), dim=axis, **keyword)
    if name not in ("cumsum", "softmax", "logsumexp"):
        call(f"torch.{name}", T(2, 3))
    call(f"torch.{name}", T(2, 3), dim=2)
call("torch.sum", T(2, 3, 4), (0, 2))
call("torch.sum", T(2, 3, 4), dim=(0, -1), keepdim=True)
call("torch.mean", T(2, 3, 4), [1, 2], True)
call("torch.sum", T(2, 3, 4), dim=(1, 1))
call("torch.sum", T(2, 3), ())
call("torch.mean", T(2, 3), axis=-1, keepdims=True)
call("torch.sum", T(2, 3, d="bool"))
call("torch.sum", T(2, 3, d="int64"), -1)
call("torch.mean", T(2, 3, d="float16"), -1, dtype=Dtype("float32"))
call("torch.std", T(2, 3), 1, unbiased=False, keepdim=True)
call("torch.var", T(2, 3), -1, keepdim=True, correction=0)
call("torch.std", T(2, 3), False)
call("torch.var_mean", T(2, 3), 1)
call("torch.max", T(2, 3), T(3))
call("torch.min", T(2, 3), 1, True)
call("torch.topk", T(2, 7), 3)
call("torch.topk", T(2, 7), k=2, dim=0)
call("torch.topk", T(2, 7), 8)
call("torch.sort", T(2, 7), descending=True)
call("torch.argsort", T(2, 7), dim=0)
call("torch.cummax", T(2, 7), 1)
call("torch.kthvalue", T(2, 7), 2)
call("torch.aminmax", T(2, 3))
call("torch.quantile", T(2, 3), 0.5, dim=1)
call("torch.norm", T(2, 3), 2, -1, True)
call("torch.linalg.vector_norm", T(2, 3, 4), dim=(1, 2))
call("torch.linalg.norm", T(2, 3, 4), dim=-1, keepdim=True)
call("torch.log_softmax", T(2, 3), -1)
call(FN + "softmax", T(2, 3, d="float16"), dim=-1, dtype=Dtype("float32"))
call("torch.nonzero", T(2, 3))
call("torch.nonzero", T(2, 3), as_tuple=True)
call("torch.masked_select", T(2, 3), T(2, 3, d="bool"))
call("torch.unique", T(2, 3, d="int64"), return_counts=True)
call("torch.bincount", T(4, d="int64"))
call("torch.numel", T(2, 3))
call("torch.diff", T(2, 5))
call("torch.count_nonzero", T(2, 5), 1)

# Products
for a, b in (((2, 3), (3, 4)), ((3,), (3,)), ((3,), (3, 4)), ((2, 3), (3,)), ((5, 2, 3), (3, 4)), ((5, 2, 3), (5, 3, 4)), ((6, 1, 2, 3), (5, 3, 4)), ((2, 3), (2, 3)), ((2, 2, 3), (5, 3, 4)), ((), (3,))):
    call("torch.matmul", T(*a), T(*b))
call("torch.mm", T(2, 3), T(3, 4))
call("torch.mm", T(1, 2, 3), T(3, 4))
call("torch.bmm", T(5, 2, 3), T(5, 3, 4))
call("torch.bmm", T(2, 3), T(3, 4))
call("torch.mv", T(2, 3), T(3))
call("torch.dot", T(3), T(3))
call("torch.addmm", T(4), T(2, 3), T(3, 4))
call("torch.baddbmm", T(5, 1, 4), T(5, 2, 3), T(5, 3, 4), beta=0.5)
call("torch.baddbmm", T(5, 2, 4), T(5, 2, 3), T(5, 4, 4))
for equation, shapes in (
    ("ij,jk->ik", ((2, 3), (3, 4))), ("bij,bjk->bik", ((5, 2, 3), (5, 3, 4))), ("ij,jk", ((2, 3), (3, 4))), ("ba", ((2, 3),)), ("bhid, bhjd -> bhij", ((2, 4, 5, 8), (2, 4, 6, 8))),
    ("...ij,...jk->...ik", ((2, 7, 3, 4), (7, 4, 5))), ("...d,de->...e", ((2, 3, 4), (4, 5))), ("ii->i", ((3, 3),)), ("i,j->ij", ((3,), (4,))), ("ij->", ((3, 4),)),
    ("bnqd,bnkd->bnqk", ((1, 2, 3, 4), (5, 2, 6, 4))), ("ij,jk->ik", ((2, 3), (4, 5))), ("ij,jk->ik", ((2, 3, 1), (3, 4))), ("b...->...b", ((2, 3, 4),)), ("ij,kj", ((2, 3), (4, 3))),
    ("bhwc,hkc->bhwk", ((2, 3, 4, 5), (3, 6, 5))), ("...,...->...", ((2, 3), (3,))), ("ij,ik->iz", ((2, 3), (2, 4))),
):
    call("torch.einsum", equation, *[T(*shape) for shape in shapes])
call("torch.einsum", T(2, 3), [0, 1], T(3, 4), [1, 2], [0, 2])
call("torch.einsum", T(2, 3), [1, 0])
call("torch.outer", T(3), T(4))
call("torch.tensordot", T(2, 3, 4), T(3, 4, 5))
call("torch.tensordot", T(2, 3, 4), T(4, 5), dims=1)
call("torch.tensordot", T(2, 3, 4), T(4, 2, 5), dims=([2, 0], [0, 1]))
call("torch.cdist", T(2, 3, 4), T(2, 5, 4))
call("torch.cross", T(2, 3), T(2, 3))
call("torch.linalg.inv", T(2, 3, 3))
call("torch.linalg.det", T(2, 3, 3))
call("torch.linalg.pinv", T(2, 3, 4))
for n in (7, 8):
    call("torch.fft.fft", T(2, n))
    call("torch.fft.rfft", T(2, n))
    call("torch.fft.rfft", T(2, n, 3), dim=1)
    call("torch.fft.irfft", T(2, n, d="complex64"))
    call("torch.fft.irfft", T(2, n, d="complex64"), n=9)
    call("torch.fft.rfft2", T(2, n, n))
    call("torch.fft.fftn", T(2, n), dim=(0, 1))
    call("torch.fft.rfft", T(2, n), n=16)
    call("torch.stft", T(2, 100), 8 * 2, hop_length=n, window=T(16), return_complex=True)

# torch.nn.functional
call(FN + "linear", T(2, 5, 3), T(4, 3), T(4))
call(FN + "linear", T(3), T(4, 3))
call(FN + "linear", T(2, 5), T(4, 3))
call(FN + "linear", T(2, 3), T(3))
call(FN + "bilinear", T(2, 3), T(2, 4), T(5, 3, 4))
call(FN + "embedding", T(2, 3, d="int64"), T(10, 4))
call(FN + "embedding", T(d="int64"), T(10, 4))
for name in ("relu", "gelu", "silu", "elu", "softplus", "leaky_relu", "mish", "hardswish", "logsigmoid", "relu6", "selu"):
    call(FN + name, tensor())
call(FN + "glu", T(2, 6))
call(FN + "glu", T(2, 6, 5), 1)
call(FN + "glu", T(2, 5))
call(FN + "dropout", T(2, 3), 0.1, True)
call(FN + "layer_norm", T(2, 3, 4), (4,), T(4), T(4))
call(FN + "layer_norm", T(2, 3, 4), (3, 4))
call(FN + "layer_norm", T(2, 3, 4), (5,))
call(FN + "layer_norm", T(2, 3, 4), [4], T(3))
call(FN + "rms_norm", T(2, 3, 4), (4,), T(4))
call(FN + "rms_norm", T(2, 3, 4), (3,))
call(FN + "group_norm", T(2, 6, 4), 3, T(6), T(6))
call(FN + "group_norm", T(2, 6, 4), 4)
call(FN + "batch_norm", T(2, 6, 4), T(6), T(6), T(6), T(6), True)
call(FN + "batch_norm", T(2, 6, 4), T(5), T(5), T(5), T(5), True)
call(FN + "normalize", T(2, 3), dim=-1)
Q = (2, 4, 5, 8)
for shapes, keyword in (
    ((Q, (2, 4, 6, 8), (2, 4, 6, 3)), {}),
    ((Q, (2, 4, 6, 8), (2, 4, 6, 8)), {"attn_mask": T(5, 6)}),
    ((Q, (2, 4, 6, 8), (2, 4, 6, 8)), {"attn_mask": T(2, 1, 5, 6, d="bool")}),
    ((Q, (2, 4, 6, 8), (2, 4, 6, 8)), {"attn_mask": T(6, 5)}),
    ((Q, (2, 1, 6, 8), (2, 1, 6, 8)), {}),
    ((Q, (2, 2, 6, 8), (2, 2, 6, 8)), {"enable_gqa": True}),
    ((Q, (2, 3, 6, 8), (2, 3, 6, 8)), {"enable_gqa": True}),
    ((Q, (2, 2, 6, 8), (2, 2, 6, 8)), {}),
    ((Q, (2, 4, 6, 7), (2, 4, 6, 8)), {}),
    (((5, 8), (6, 8), (6, 8)), {"is_causal": True}),
    (((4, 5, 8), (4, 6, 8), (4, 6, 8)), {"attn_mask": T(4, 5, 6)}),
):
    call(FN + "scaled_dot_product_attention", *[T(*shape) for shape in shapes], **keyword)
for n in (1, 2, 3):
    for _ in range(6):
        cin, cout, groups = rng.choice(((4, 6, 1), (4, 6, 2), (3, 5, 1), (4, 4, 4)))
        kernel = dims(n, 1, 4)
        batch = [2] if rng.random() < 0.8 else []
        spatial = dims(n, 9, 14)
        stride, padding, dilation = [rng.choice((rng.randint(1, 3), tuple(dims(n, 1, 3)))) for _ in range(3)]
        call(FN + f"conv{n}d", T(*batch, cin, *spatial), T(cout, cin // groups, *kernel), T(cout), stride, padding, dilation, groups)
        call(FN + f"conv{n}d", T(*batch, cin, *spatial), T(cout, cin // groups, *kernel), padding="same", groups=groups)
        call(FN + f"conv_transpose{n}d", T(*batch, cin, *spatial), T(cin, cout // groups, *kernel), None, stride, 0, 0, groups, dilation)
        size = rng.randint(2, 4)
        call(FN + f"max_pool{n}d", T(*batch, cin, *spatial), size, rng.randint(1, 3), rng.randint(0, size // 2), ceil_mode=rng.random() < 0.5)
        call(FN + f"avg_pool{n}d", T(*batch, cin, *spatial), size)
        call(FN + f"avg_pool{n}d", T(*batch, cin, *spatial), size, 3, 1, rng.random() < 0.5)
    call(FN + f"adaptive_avg_pool{n}d", T(2, 3, *dims(n, 5, 9)), 1)
    call(FN + f"adaptive_avg_pool{n}d", T(2, 3, *dims(n, 5, 9)), tuple([None] + [4] * (n - 1)) if n > 1 else 4)
    call(FN + f"adaptive_max_pool{n}d", T(2, 3, *dims(n, 5, 9)), 2, True)
    call(FN + f"interpolate", T(2, 3, *dims(n, 5, 9)), scale_factor=2)
    call(FN + f"interpolate", T(2, 3, *dims(n, 5, 9)), scale_factor=0.5)
    call(FN + f"interpolate", T(2, 3, *dims(n, 5, 9)), size=tuple(dims(n, 3, 9)))
    call(FN + f"interpolate", T(2, 3, *dims(n, 5, 9)), 7)
call(FN + "conv2d", T(2, 3, 8, 8), T(5, 4, 3, 3))
call(FN + "conv1d", T(2, 3, 8, 8), T(5, 3, 3))
call(FN + "grid_sample", T(2, 3, 8, 8), T(2, 5, 6, 2), align_corners=False)
call(FN + "affine_grid", T(2, 2, 3), (2, 3, 5, 6), align_corners=False)
call(FN + "one_hot", T(2, 3, d="int64"), 5)
call(FN + "unfold", T(2, 3, 8, 9), 3, 1, 1, 2)
call(FN + "unfold", T(2, 3, 8, 8), (2, 2), stride=(2, 2))
call(FN + "fold", T(2, 12, 16), (8, 8), (2, 2), stride=2)
call(FN + "pixel_shuffle", T(2, 8, 3, 4), 2)
call(FN + "pixel_unshuffle", T(2, 2, 6, 4), 2)
for reduction in ("mean", "sum", "none"):
    call(FN + "cross_entropy", T(4, 5), T(4, d="int64"), reduction=reduction)
    call(FN + "cross_entropy", T(4, 5, 6), T(4, 6, d="int64"), reduction=reduction)
    call(FN + "cross_entropy", T(4, 5), T(4, 5), reduction=reduction)
    call(FN + "mse_loss", T(4, 5), T(4, 5), reduction=reduction)
    call(FN + "binary_cross_entropy_with_logits", T(4, 5), T(4, 5), reduction=reduction)
    call(FN + "nll_loss", T(4, 5), T(4, d="int64"), reduction=reduction)
call(FN + "cross_entropy", T(4, 5), T(3, d="int64"))
call(FN + "cross_entropy", T(2, 7, 5), T(2, 7, d="int64"))
call(FN + "cross_entropy", T(5), T(d="int64"))
call(FN + "cosine_similarity", T(2, 3, 4), T(2, 3, 4), dim=-1)
call(FN + "pairwise_distance", T(2, 3), T(2, 3))
call(
    FN + "multi_head_attention_forward", T(5, 2, 8), T(6, 2, 8), T(6, 2, 8), 8, 4, T(24, 8), T(24), None, None, False, 0.0, T(8, 8), T(8), need_weights=True
)

# Attributes and casts
call("Tensor.size", T(2, 3))
call("Tensor.size", T(2, 3), -1)
call("Tensor.attribute:shape", T(2, 3))
call("Tensor.dim", T(2, 3))
call("Tensor.attribute:ndim", T())
call("Tensor.numel", T(2, 3))
call("Tensor.attribute:dtype", T(2, 3, d="float16"))
call("Tensor.__len__", T(2, 3))
for name in ("float", "half", "bfloat16", "bool", "long", "int", "double", "contiguous", "clone", "detach", "cpu"):
    call(f"Tensor.{name}", T(2, 3, d="int64"))
call("Tensor.to", T(2, 3), Dtype("float16"))
call("Tensor.to", T(2, 3), dtype=Dtype("bool"))
call("Tensor.to", T(2, 3), "cpu")
call("Tensor.to", T(2, 3), "cpu", Dtype("float64"))
call("Tensor.to", T(2, 3), T(4, d="int64"))
call("Tensor.type_as", T(2, 3), T(4, d="int64"))
call("Tensor.type", T(2, 3), Dtype("int64"))

# einops
for pattern, shape, sizes in (
    ("b n (h d) -> b h n d", (2, 5, 12), {"h": 4}), ("b h n d -> b n (h d)", (2, 4, 5, 3), {}), ("b c (h p1) (w p2) -> b (h w) (p1 p2 c)", (2, 3, 8, 6), {"p1": 4, "p2": 2}),
    ("b n (qkv h d) -> qkv b h n d", (2, 5, 24), {"qkv": 3, "h": 2}), ("... d -> d ...", (2, 3, 4), {}), ("b n d -> b n d ()", (2, 3, 4), {}), ("b 1 d -> b d", (2, 1, 4), {}),
    ("b n (h d) -> b h n d", (2, 5, 13), {"h": 4}), ("b n d -> b n", (2, 5, 13), {}), ("b n -> n b", (2, 5, 3), {}), ("b ... (h d) -> b h ... d", (2, 5, 6, 8), {"h": 2}),
    ("(b t) d -> b t d", (6, 4), {"t": 3}), ("b d -> b () d", (6, 4), {}),
):
    call("einops.rearrange", T(*shape), pattern, **sizes)
call("einops.rearrange", [T(2, 3), T(2, 3)], "n b d -> b (n d)")
call("einops.repeat", T(2, 3), "b d -> b n d", n=5)
call("einops.repeat", T(4), "d -> b d", b=2)
call("einops.repeat", T(2, 3), "b d -> b n d")
call("einops.repeat", T(2, 3), "b d -> b (d k)", k=2)
call("einops.reduce", T(2, 6, 4), "b n d -> b d", "mean")
call("einops.reduce", T(2, 6, 4), "b (n k) d -> b n d", "max", k=3)
call("einops.reduce", T(2, 6, 4), "b n d -> b () d", "sum")
call("einops.einsum", T(2, 3), T(3, 4), "b i, i o -> b o")
call("einops.einsum", T(2, 5, 3), T(4, 3), "... i, o i -> ... o")
call("einops.pack", [T(2, 3, 4), T(2, 4)], "b * d")
call("einops.unpack", T(2, 7, 4), [(3,), (4,)], "b * d")
pathlib.Path(__file__).with_name("torch-ops.generated.jsonl").write_text("\n".join(rows) + "\n")
