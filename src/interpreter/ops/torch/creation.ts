/** Tensors made from sizes, numbers and lists. */
import { add, ceilDiv, type Dim, floorDiv, multiply, number, one, subtract, unknownDim } from '../../../dims/dim.ts';
import { divideWhole, simplify } from '../../../dims/facts.ts';
import { rankOf, type Shape, shapeOf, unknownShape } from '../../../dims/shape.ts';
import { operations } from '../../define.ts';
import { dimOf, none, numberOf } from '../../make.ts';
import type { Machine } from '../../operation.ts';
import type { Dtype, TensorValue, Value } from '../../value.ts';
import {
  dtypeIn,
  heldBy,
  isNumber,
  itemsOf,
  keep,
  plainSizes,
  type Run,
  scalar,
  shapeOfSizes,
  sizesIn,
  sizeValue,
  tensorIn,
  tensorOf,
} from './support.ts';

const sized =
  (op: string, content: string | undefined, dtype: Dtype): Run =>
  (call, machine) =>
    machine.tensor(op, call, shapeOfSizes(plainSizes(sizesIn(call, 'size'))), {
      dtype: dtypeIn(call, dtype),
      ...(content === undefined ? {} : { content }),
    });

const like = (op: string, content?: string): Run =>
  keep(op, (call, input) => ({ dtype: dtypeIn(call, input?.dtype), ...(content === undefined ? {} : { content }) }));

/** `x.new_zeros(sizes)`: the dtype is that of `x`, the shape is not. */
const fresh =
  (op: string, content?: string): Run =>
  (call, machine) =>
    machine.tensor(op, call, shapeOfSizes(plainSizes(sizesIn(call, 'size'))), {
      dtype: dtypeIn(call, tensorIn(call)?.dtype),
      ...(content === undefined ? {} : { content }),
    });

const dtypeOfNumber = (value: Value): Dtype | undefined =>
  value.kind === 'bool' ? 'bool' : value.kind === 'int' ? 'int64' : value.kind === 'float' ? 'float' : tensorOf(value)?.dtype;

const contentOfFill = (value: Value): string => {
  const filled = numberOf(value);
  return filled === 0 ? 'zeros' : filled === 1 ? 'ones' : 'full';
};

const full: Run = (call, machine) => {
  const fill = call.value('fill_value');
  return machine.tensor('full', call, shapeOfSizes(plainSizes(sizesIn(call, 'size'))), {
    dtype: dtypeIn(call, dtypeOfNumber(fill)),
    content: contentOfFill(fill),
  });
};

/** The number of steps from `start` to `end`, rounded up. */
function stepsBetween(start: Value, end: Value, step: Value, machine: Machine): Dim {
  const [a, b, by] = [sizeValue(start), sizeValue(end), sizeValue(step)];
  if (a !== undefined && b !== undefined && by !== undefined) {
    const span = subtract(machine.read(b), machine.read(a));
    const each = machine.read(by);
    const { facts } = machine.context;
    return divideWhole(span, each, facts) ?? simplify(ceilDiv(span, each), facts);
  }
  const [x, y, z] = [numberOf(start), numberOf(end), numberOf(step)];
  if (x === undefined || y === undefined || z === undefined || z === 0) return unknownDim('the bounds are not known');
  return number(Math.max(0, Math.ceil((y - x) / z)));
}

const arange: Run = (call, machine) => {
  const ends = !call.isNone('end');
  const start: Value = ends ? call.value('start') : { kind: 'int', dim: number(0) };
  const end = ends ? call.value('end') : call.value('start');
  const step = call.value('step');
  const width = dimOf(end);
  const by = dimOf(step)?.constant;
  // `torch.arange(0, dim, 2)` takes every second of an even number of features.
  if (machine.assumesShapes && width !== undefined && width.constant === undefined && !width.unknown && (by ?? 1) > 1)
    machine.assumeDivides(number(by ?? 1), width);
  const bounds = [start, end, step];
  const kind = bounds.some(({ kind }) => kind === 'float') ? 'float' : bounds.every(({ kind }) => kind === 'int') ? 'int64' : undefined;
  return machine.tensor('arange', call, shapeOf(stepsBetween(start, end, step, machine)), {
    dtype: dtypeIn(call, kind),
    content: 'arange',
  });
};

const steps =
  (op: string): Run =>
  (call, machine) =>
    machine.tensor(op, call, shapeOf(call.dim('steps') ?? unknownDim('the number of steps is not known')), {
      dtype: dtypeIn(call, 'float'),
    });

const maximumDepth = 8;

/** The shape and dtype of nested lists of numbers. */
function nested(value: Value, depth = 0): { readonly shape: Shape; readonly dtype: Dtype | undefined } {
  const tensor = tensorOf(value);
  if (tensor !== undefined) return { shape: tensor.shape, dtype: tensor.dtype };
  // A setting that is only named may be a list here.
  if (value.kind !== 'unknown' && isNumber(value)) return { shape: scalar, dtype: dtypeOfNumber(value) };
  const unsure = { shape: unknownShape, dtype: undefined };
  if (depth > maximumDepth) return unsure;
  if (value.kind === 'range') {
    const length = value.step.constant === 1 ? subtract(value.stop, value.start) : unknownDim('the length of a range');
    return { shape: shapeOf(length), dtype: 'int64' };
  }
  const [count, inner] =
    value.kind === 'list' && !value.open && value.repeat !== undefined ? [value.repeat, value.items] : [undefined, itemsOf(value)];
  if (inner === undefined) return unsure;
  const [first] = inner;
  // An empty list was most likely filled by code that could not be followed.
  if (first === undefined) return unsure;
  const parts = inner.slice(0, 64).map((item) => nested(item, depth + 1));
  const [head] = parts;
  if (head === undefined || head.shape.ellipsis !== undefined) return unsure;
  const ranks = new Set(parts.map(({ shape }) => rankOf(shape)));
  if (ranks.size !== 1) return unsure;
  const dtypes = new Set(parts.map(({ dtype }) => dtype));
  const dtype = dtypes.size === 1 ? head.dtype : dtypes.has(undefined) ? undefined : dtypes.has('float') ? 'float' : undefined;
  return { shape: shapeOf(count ?? number(inner.length), ...head.shape.dims), dtype };
}

const fromData =
  (op: string): Run =>
  (call, machine) => {
    const { shape, dtype } = nested(call.value('data'));
    return machine.tensor(op, call, shape, { dtype: dtypeIn(call, dtype) });
  };

const newTensor: Run = (call, machine) => {
  const { shape } = nested(call.value('data'));
  return machine.tensor('new_tensor', call, shape, { dtype: dtypeIn(call, tensorIn(call)?.dtype) });
};

/** `torch.Tensor(2, 3)` takes sizes, `torch.Tensor([2, 3])` values. */
const construct =
  (dtype: Dtype | undefined): Run =>
  (call, machine) => {
    const items = itemsOf(call.value('data'));
    const [only] = items ?? [];
    // `torch.Tensor(weight.size())` is as large as the weight; any other tuple holds numbers.
    const isSize = only?.kind === 'tuple' && only.isSize === true;
    const isData = items?.length === 1 && only !== undefined && !isNumber(only) && !isSize;
    const sizes = plainSizes(sizesIn(call, 'data'));
    // `x.new()` is empty, and `torch.cat` passes over it.
    const shape = isData ? nested(only).shape : items?.length === 0 ? unknownShape : shapeOfSizes(sizes);
    return machine.tensor('tensor', call, shape, { dtype });
  };

/** The lower or upper triangle of what is all ones (or one number) is a causal mask. */
const triangle = (op: string): Run => keep(op, (_, input) => (input !== undefined && isUniform(input) ? { content: 'causal' } : {}));

/** True where all elements are one number that is not 0, or are already a triangle of it: `torch.ones(n, n) * float('-inf')`. */
function isUniform(tensor: TensorValue, depth = 0): boolean {
  const at = tensor.content === undefined ? heldBy(tensor) : tensor;
  if (at.content === 'ones' || at.content === 'full' || at.content === 'causal') return true;
  if (depth > 4 || !['mul', 'div', 'neg', 'add', 'sub'].includes(at.op)) return false;
  const [input, other] = ['input', 'other'].map((name) => at.arguments.get(name));
  const inner = tensorOf(input) ?? tensorOf(other);
  const number = tensorOf(input) === undefined ? input : other;
  const isSum = at.op === 'add' || at.op === 'sub';
  if (inner === undefined || (at.op !== 'neg' && (number === undefined || !isNumber(number)))) return false;
  return isUniform(inner, depth + 1) || (isSum && inner.content === 'zeros');
}

const randint: Run = (call, machine) => {
  // `randint(high, size)` and `randint(low, high, size)`.
  const name = call.isNone('size') ? 'high' : 'size';
  return machine.tensor('randint', call, shapeOfSizes(plainSizes(sizesIn(call, name))), { dtype: dtypeIn(call, 'int64') });
};

const eye: Run = (call, machine) => {
  const n = call.dim('n') ?? unknownDim('not known');
  const m = call.isNone('m') ? n : (call.dim('m') ?? unknownDim('not known'));
  return machine.tensor('eye', call, shapeOf(n, m), { dtype: dtypeIn(call, 'float'), content: 'eye' });
};

const triangleIndices =
  (op: string): Run =>
  (call, machine) => {
    const [rows, columns, offset] = [call.dim('row'), call.dim('col'), call.dim('offset')];
    let count = unknownDim('the number of places is not known');
    if (rows !== undefined && columns !== undefined && rows.key === columns.key && offset?.constant !== undefined) {
      // n (n + 1) / 2 places on and under the main diagonal of a square; one diagonal less without it.
      const side = op === 'tril_indices' ? add(rows, offset) : subtract(rows, offset);
      if (offset.constant === 0 || (op === 'tril_indices' ? offset.constant === -1 : offset.constant === 1)) {
        count = floorDiv(multiply(side, add(side, one)), number(2));
      }
    }
    return machine.tensor(op, call, shapeOf(number(2), count), { dtype: 'int64' });
  };

const multinomial: Run = (call, machine) => {
  const shape = tensorIn(call)?.shape ?? unknownShape;
  const samples = call.dim('num_samples') ?? unknownDim('the number of samples is not known');
  if (rankOf(shape) === undefined) return machine.tensor('multinomial', call, unknownShape, { dtype: 'int64' });
  return machine.tensor('multinomial', call, shapeOf(...shape.dims.slice(0, -1), samples), { dtype: 'int64' });
};

const normal: Run = (call, machine) => {
  if (!call.isNone('size')) return machine.tensor('normal', call, shapeOfSizes(plainSizes(sizesIn(call, 'size'))), { dtype: 'float' });
  return machine.tensor('normal', call, (tensorOf(call.value('mean')) ?? tensorOf(call.value('std')))?.shape ?? unknownShape);
};

const options =
  'out=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False, generator=None, memory_format=None, names=None';
const likeOptions = 'dtype=None, layout=None, device=None, requires_grad=False, memory_format=None, pin_memory=False, generator=None';

/** A tensor that a module learns. The layer that holds it is found by its `setattr`. */
const parameter: Run = (call, machine) => {
  const data = tensorIn(call, 'data');
  const shape = data?.shape ?? (call.isNone('data') ? shapeOf(number(0)) : unknownShape);
  return machine.tensor('parameter', call, shape, { dtype: data?.dtype ?? 'float', isParameter: true });
};

const buffer: Run = (call, machine) =>
  machine.tensor('buffer', call, tensorIn(call, 'data')?.shape ?? unknownShape, { dtype: tensorIn(call, 'data')?.dtype, isBuffer: true });

/** All one number from here on; a parameter or buffer stays what it is. */
const filledInPlace: Run = (call, machine) => {
  const input = tensorIn(call);
  if (input === undefined || input.isParameter === true || input.isBuffer === true || input.op === 'data') return input ?? none;
  return machine.tensor('full_like', call, input.shape, { dtype: input.dtype, content: contentOfFill(call.value('fill_value')) });
};

/** Functions of `torch.nn.init` fill the tensor and answer it. */
const fills: Run = (call) => tensorIn(call, 'tensor') ?? none;

const cartesian: Run = (call, machine) => {
  const tensors = call.tensors('tensors');
  const sizes = tensors?.map(({ shape }) => (rankOf(shape) === 1 ? shape.dims[0] : undefined));
  if (sizes === undefined || sizes.some((dim) => dim === undefined)) return machine.tensor('cartesian_prod', call, unknownShape);
  const count = (sizes as Dim[]).reduce(multiply, one);
  return machine.tensor('cartesian_prod', call, sizes.length === 1 ? shapeOf(count) : shapeOf(count, number(sizes.length)));
};

export const creationOperations = operations({
  'torch.empty': [`*size, ${options}`, sized('empty', undefined, 'float')],
  'torch.zeros': [`*size, ${options}`, sized('zeros', 'zeros', 'float')],
  'torch.ones': [`*size, ${options}`, sized('ones', 'ones', 'float')],
  'torch.randn': [`*size, ${options}`, sized('randn', undefined, 'float')],
  'torch.rand': [`*size, ${options}`, sized('rand', undefined, 'float')],
  'torch.empty_strided': [`size, stride, *, ${options}`, sized('empty', undefined, 'float')],
  'torch.full': [`size, fill_value, *, ${options}`, full],
  'torch.empty_like': [`input, *, ${likeOptions}`, like('empty_like')],
  'torch.zeros_like': [`input, *, ${likeOptions}`, like('zeros_like', 'zeros')],
  'torch.ones_like': [`input, *, ${likeOptions}`, like('ones_like', 'ones')],
  'torch.rand_like': [`input, *, ${likeOptions}`, like('rand_like')],
  'torch.randn_like': [`input, *, ${likeOptions}`, like('randn_like')],
  'torch.randint_like': [`input, low=0, high=None, *, ${likeOptions}`, like('randint_like')],
  'torch.full_like': [
    `input, fill_value, *, ${likeOptions}`,
    keep('full_like', (call, input) => ({
      dtype: dtypeIn(call, input?.dtype),
      content: contentOfFill(call.value('fill_value')),
    })),
  ],
  'Tensor.new_empty': [`input, *size, ${options}`, fresh('new_empty')],
  'Tensor.new_zeros': [`input, *size, ${options}`, fresh('new_zeros', 'zeros')],
  'Tensor.new_ones': [`input, *size, ${options}`, fresh('new_ones', 'ones')],
  'Tensor.new_full': [`input, size, fill_value, *, ${options}`, fresh('new_full', 'full')],
  'Tensor.new_tensor': [`input, data, *, ${options}`, newTensor],
  'Tensor.new': ['input, *data, device=None', (call, machine) => construct(tensorIn(call)?.dtype)(call, machine)],
  'torch.arange': [`start=0, end=None, step=1, *, ${options}`, arange],
  'torch.linspace': [`start, end, steps=100, *, ${options}`, steps('linspace')],
  'torch.logspace': [`start, end, steps=100, base=10.0, *, ${options}`, steps('logspace')],
  'torch.eye': [`n, m=None, *, ${options}`, eye],
  'torch.randint': [`low=0, high=None, size=None, *, ${options}`, randint],
  'torch.randperm': [
    `n, *, ${options}`,
    (call, machine) => machine.tensor('randperm', call, shapeOf(call.dim('n') ?? unknownDim()), { dtype: dtypeIn(call, 'int64') }),
  ],
  'torch.normal': [`mean=0.0, std=1.0, size=None, *, ${options}`, normal],
  'torch.bernoulli torch.poisson': ['input, p=None, *, generator=None, out=None', keep('bernoulli')],
  'torch.multinomial': ['input, num_samples, replacement=False, *, generator=None, out=None', multinomial],
  'torch.tensor': [`data, *, ${options}`, fromData('tensor')],
  'torch.as_tensor torch.asarray': [`data, dtype=None, device=None, *, copy=None, requires_grad=False`, fromData('as_tensor')],
  // Takes arrays only: what looks like a truth value is a comparison of arrays.
  'torch.from_numpy': [
    'data',
    (call, machine) => {
      const data = tensorIn(call, 'data');
      return machine.tensor('from_numpy', call, data?.shape ?? unknownShape, { dtype: data?.dtype });
    },
  ],
  'torch.scalar_tensor': [`data, *, ${options}`, fromData('tensor')],
  'torch.Tensor torch.FloatTensor torch.cuda.FloatTensor': ['*data, device=None', construct('float32')],
  'torch.LongTensor torch.cuda.LongTensor': ['*data, device=None', construct('int64')],
  'torch.IntTensor': ['*data, device=None', construct('int32')],
  'torch.BoolTensor': ['*data, device=None', construct('bool')],
  'torch.ByteTensor': ['*data, device=None', construct('uint8')],
  'torch.HalfTensor': ['*data, device=None', construct('float16')],
  'torch.DoubleTensor': ['*data, device=None', construct('float64')],
  'torch.tril Tensor.tril_': ['input, diagonal=0, *, out=None', triangle('tril')],
  'torch.triu Tensor.triu_': ['input, diagonal=0, *, out=None', triangle('triu')],
  'torch.tril_indices': ['row, col, offset=0, *, dtype=None, device=None, layout=None', triangleIndices('tril_indices')],
  'torch.triu_indices': ['row, col, offset=0, *, dtype=None, device=None, layout=None', triangleIndices('triu_indices')],
  'torch.cartesian_prod': ['*tensors', cartesian],
  'torch.hann_window torch.hamming_window torch.blackman_window torch.bartlett_window torch.kaiser_window': [
    `window_length, periodic=True, *args, ${options}`,
    (call, machine) =>
      machine.tensor('window', call, shapeOf(call.dim('window_length') ?? unknownDim()), { dtype: dtypeIn(call, 'float') }),
  ],
  'torch.nn.Parameter torch.nn.parameter.Parameter torch.nn.UninitializedParameter': ['data=None, requires_grad=True', parameter],
  'torch.nn.Buffer torch.nn.parameter.Buffer': ['data=None, *, persistent=True', buffer],
  'torch.nn.init.normal_ torch.nn.init.uniform_ torch.nn.init.trunc_normal_ torch.nn.init.constant_ torch.nn.init.ones_ torch.nn.init.zeros_':
    ['tensor, *args, **kwargs', fills],
  'torch.nn.init.eye_ torch.nn.init.dirac_ torch.nn.init.xavier_uniform_ torch.nn.init.xavier_normal_ torch.nn.init.kaiming_uniform_': [
    'tensor, *args, **kwargs',
    fills,
  ],
  'torch.nn.init.kaiming_normal_ torch.nn.init.orthogonal_ torch.nn.init.sparse_ torch.nn.init.copy_': ['tensor, *args, **kwargs', fills],
  // In place, and the tensor stays what it was: a parameter, a buffer.
  'Tensor.fill_': ['input|tensor, fill_value|value', filledInPlace],
  'Tensor.normal_ Tensor.uniform_ Tensor.zero_ Tensor.random_ Tensor.bernoulli_ Tensor.exponential_ Tensor.requires_grad_': [
    'tensor|input, *args, **kwargs',
    fills,
  ],
  'Tensor.copy_ Tensor.share_memory_ Tensor.retain_grad Tensor.set_ Tensor.fill_diagonal_ Tensor.trunc_normal_': [
    'tensor|input, *args, **kwargs',
    fills,
  ],
});
