/** What the tables of torch share: reading tensors, axes, sizes and dtypes off a call. */
import { add, type Dim, floorDiv, multiply, subtract, unknownDim } from '../../../dims/dim.ts';
import type { ViewDim } from '../../../dims/reshape.ts';
import {
  broadcast,
  type Context,
  formatShape,
  Judgement,
  rankOf,
  type Shape,
  type ShapeResult,
  shapeOf,
  unknownShape,
} from '../../../dims/shape.ts';
import { dimOf, int, tuple } from '../../make.ts';
import type { Call, Machine, Operation, TensorOptions } from '../../operation.ts';
import { isRows } from '../../samples.ts';
import type { Dtype, TensorValue, TupleValue, Value } from '../../value.ts';

export type Run = Operation['run'];

export const scalar: Shape = shapeOf();

/** The tensor that a value is; one that may also be None is taken for it, since the code would stop on None. */
export function tensorOf(value: Value | undefined): TensorValue | undefined {
  if (value?.kind === 'tensor') return value;
  if (value?.kind !== 'union') return undefined;
  const options = value.options.filter(({ kind }) => kind !== 'none');
  return options.length === 1 ? tensorOf(options[0]) : undefined;
}

export const tensorIn = (call: Call, name = 'input'): TensorValue | undefined => tensorOf(call.value(name));

/** True for what broadcasts like a number: an unknown value that has a name is a setting, hence no tensor. */
export function isNumber(value: Value): boolean {
  if (value.kind === 'unknown') return value.path !== undefined;
  if (value.kind === 'union') return value.options.every(isNumber);
  return value.kind === 'int' || value.kind === 'float' || value.kind === 'bool';
}

/** The shape of an operand: that of a scalar for numbers, of unknown rank for what is not known. */
export function operandShape(value: Value): Shape {
  const tensor = tensorOf(value);
  if (tensor !== undefined) return tensor.shape;
  return isNumber(value) ? scalar : unknownShape;
}

/** The shape of an argument that must be a tensor: one that is only named is a tensor of which nothing is known. */
export function shapeIn(call: Call, name = 'input'): Shape {
  const value = call.value(name);
  return value.kind === 'unknown' || value.kind === 'union' ? (tensorOf(value)?.shape ?? unknownShape) : operandShape(value);
}

/** The operands broadcast together; the worst outcome of any step stands. */
export function broadcastAll(shapes: readonly Shape[], context: Context): ShapeResult {
  const judgement = new Judgement(context);
  let answer: ShapeResult = judgement.result(shapes[0] ?? scalar);
  for (const shape of shapes.slice(1)) {
    const next = broadcastTwo(answer.shape, shape, { ...context, substitution: answer.substitution });
    // In linting, code that pairs every row of a batch with every other by a missing axis does not work.
    const paired = context.assumptions === undefined || next.status === 'mismatch' ? undefined : pairedRows(answer.shape, shape);
    const { status, reason, isOfAxes }: Pick<ShapeResult, 'status' | 'reason' | 'isOfAxes'> =
      answer.status === 'mismatch'
        ? answer
        : paired !== undefined
          ? { status: 'mismatch', reason: paired, isOfAxes: true }
          : answer.status === 'unknown' && next.status === 'ok'
            ? answer
            : next;
    answer = {
      status,
      shape: next.shape,
      substitution: next.substitution,
      ...(reason === undefined ? {} : { reason }),
      ...(isOfAxes === true ? { isOfAxes } : {}),
    };
  }
  return answer;
}

/** Why two operands do not go together whose batches come to stand along different axes, because one of them has an axis more. */
function pairedRows(a: Shape, b: Shape): string | undefined {
  const [more, fewer] = a.dims.length > b.dims.length ? [a, b] : [b, a];
  const extra = more.dims.length - fewer.dims.length;
  if (a.ellipsis !== undefined || b.ellipsis !== undefined || extra === 0 || fewer.dims.length < 3) return undefined;
  if (!isRows(more.dims[0]) || !isRows(fewer.dims[0]) || more.dims[extra]?.constant !== 1) return undefined;
  return `${formatShape(more)} has ${more.dims.length} axes and ${formatShape(fewer)} has ${fewer.dims.length}: each row of the batch meets every other`;
}

function broadcastTwo(a: Shape, b: Shape, context: Context): ShapeResult {
  // A scalar changes nothing, whatever the rank of the other.
  if (a.ellipsis === undefined && a.dims.length === 0) return new Judgement(context).result(b);
  if (b.ellipsis === undefined && b.dims.length === 0) return new Judgement(context).result(a);
  return broadcast(a, b, context);
}

/** The axis as a number; undefined where it is not known. */
export function axisIn(call: Call, name = 'dim'): number | undefined {
  const value = call.number(name);
  return value !== undefined && Number.isInteger(value) ? value : undefined;
}

/** The axes: 'all' where none is named (None, or an empty tuple), undefined where they are not known. */
export function axesIn(call: Call, name = 'dim'): readonly number[] | 'all' | undefined {
  if (call.isNone(name)) return 'all';
  const axes = call.numbers(name);
  if (axes === undefined || !axes.every(Number.isInteger)) return undefined;
  return axes.length === 0 ? 'all' : axes;
}

/** The items of a tuple, list or size; undefined when their number is not known. */
export function itemsOf(value: Value | undefined): readonly Value[] | undefined {
  if (value?.kind === 'tuple') return value.ellipsis === undefined ? value.items : undefined;
  if (value?.kind !== 'list' || value.open) return undefined;
  if (value.repeat === undefined) return value.items;
  const count = value.repeat.constant;
  const [item] = value.items;
  return count === undefined || item === undefined || count > 64 ? undefined : Array.from({ length: count }, () => item);
}

/** The whole number that a tensor without axes holds, where it was computed from known sizes: `torch.div(n, 2, rounding_mode='floor')`. */
function heldNumber(value: Value, depth = 0): Dim | undefined {
  const tensor = tensorOf(value);
  if (tensor === undefined) return isNumber(value) && value.kind !== 'float' ? dimOf(value) : undefined;
  if (tensor.shape.ellipsis !== undefined || tensor.shape.dims.length > 0 || depth > 8) return undefined;
  const argument = (name: string): Dim | undefined => {
    const found = tensor.arguments.get(name);
    return found === undefined ? undefined : heldNumber(found, depth + 1);
  };
  const [a, b] = [argument('input'), argument('other')];
  const mode = tensor.arguments.get('rounding_mode');
  switch (tensor.op) {
    case 'tensor':
    case 'as_tensor':
      return argument('data');
    case 'to':
    case 'long':
    case 'int':
    case 'detach':
    case 'clone':
      return a;
    case 'add':
      return a === undefined || b === undefined || argument('alpha')?.constant !== 1 ? undefined : add(a, b);
    case 'sub':
      return a === undefined || b === undefined || argument('alpha')?.constant !== 1 ? undefined : subtract(a, b);
    case 'mul':
      return a === undefined || b === undefined ? undefined : multiply(a, b);
    case 'floor_divide':
      return a === undefined || b === undefined ? undefined : floorDiv(a, b);
    case 'div': {
      if (a === undefined || b === undefined || mode?.kind !== 'string') return undefined;
      // Rounding towards zero and down are the same for what is not negative.
      const isSame = mode.value === 'floor' || (mode.value === 'trunc' && a.min >= 0 && b.min >= 1);
      return isSame ? floorDiv(a, b) : undefined;
    }
    default:
      return undefined;
  }
}

/** A size, where it is a number, a name that stands for one, or a tensor that holds one. */
export const sizeValue = (value: Value): Dim | undefined => (tensorOf(value) === undefined ? dimOf(value) : heldNumber(value));

const sizeOf = (item: Value): ViewDim => {
  const dim = sizeValue(item) ?? unknownOf(item);
  return dim.constant === -1 ? 'infer' : dim;
};

const unknownSizes = new WeakMap<Value, Dim>();

/** The size that is not known: one for all uses of the value, so that `torch.ones(n, n)` is square. */
function unknownOf(item: Value): Dim {
  const known = unknownSizes.get(item);
  if (known !== undefined) return known;
  const made = unknownDim('not a known whole number');
  if (item.kind === 'unknown') unknownSizes.set(item, made);
  return made;
}

/** Sizes given as `*sizes` or as one tuple, -1 as 'infer'; undefined when their number is not known. */
export function sizesIn(call: Call, name: string): readonly ViewDim[] | undefined {
  const value = call.value(name);
  if (value.kind === 'tuple' || value.kind === 'list') {
    const items = itemsOf(value);
    const [only] = items ?? [];
    if (items?.length !== 1 || only === undefined) return items?.map(sizeOf);
    if (only.kind === 'tuple' || only.kind === 'list') return itemsOf(only)?.map(sizeOf);
    return isLoneSize(only) ? [sizeOf(only)] : undefined;
  }
  return isLoneSize(value) ? [sizeOf(value)] : undefined;
}

/** A lone value of which nothing is known may be a tuple of any length; so may a setting that is named in the plural. */
const isLoneSize = (value: Value): boolean =>
  isNumber(value) && !(value.kind === 'unknown' && /(?:shape|sizes|dims|resolution|grid|kernel)$/.test(value.path ?? ''));

/** The same where -1 has no meaning. */
export const plainSizes = (sizes: readonly ViewDim[] | undefined): readonly Dim[] | undefined =>
  sizes?.map((size) => (size === 'infer' ? unknownDim('a size of -1') : size));

export const shapeOfSizes = (sizes: readonly Dim[] | undefined): Shape => (sizes === undefined ? unknownShape : shapeOf(...sizes));

/** Several numbers per axis, as kernels and strides are given: one number stands for all. Undefined entries are not known. */
export function perAxis(value: Value, axes: number): readonly (Dim | undefined)[] {
  const items = itemsOf(value);
  if (items === undefined) return Array.from({ length: axes }, () => (isNumber(value) ? dimOf(value) : undefined));
  if (items.length === 1) return Array.from({ length: axes }, () => dimOf(items[0] as Value));
  return Array.from({ length: axes }, (_, i) => (items[i] === undefined ? undefined : dimOf(items[i])));
}

const kinds: ReadonlyMap<string, number> = new Map([
  ['bool', 0],
  ['uint8', 1],
  ['int8', 1],
  ['int16', 1],
  ['int32', 1],
  ['int64', 1],
  ['float', 2],
  ['float8_e4m3fn', 2],
  ['float8_e5m2', 2],
  ['float16', 2],
  ['bfloat16', 2],
  ['float32', 2],
  ['float64', 2],
  ['complex64', 3],
  ['complex128', 3],
]);
const bits: Readonly<Record<string, number>> = {
  bool: 8,
  uint8: 8,
  int8: 8,
  int16: 16,
  int32: 32,
  int64: 64,
  float16: 16,
  bfloat16: 16,
  float32: 32,
  float64: 64,
  complex64: 64,
  complex128: 128,
  float8_e4m3fn: 8,
  float8_e5m2: 8,
};

/** The names of all dtypes that torch knows and that models use. `float` is the kind alone. */
export const dtypeNames: readonly string[] = [...kinds.keys()].filter((name) => name !== 'float');

export const bitsOf = (dtype: Dtype | undefined): number | undefined => (dtype === undefined ? undefined : bits[dtype]);
export const isFloating = (dtype: Dtype | undefined): boolean | undefined => {
  const kind = dtype === undefined ? undefined : kinds.get(dtype);
  return kind === undefined ? undefined : kind === 2;
};
export const isIntegral = (dtype: Dtype | undefined): boolean | undefined => {
  const kind = dtype === undefined ? undefined : kinds.get(dtype);
  return kind === undefined ? undefined : kind <= 1;
};

const pythonTypes: Readonly<Record<string, Dtype>> = { bool: 'bool', int: 'int64', float: 'float64', complex: 'complex128' };

const tensorTypes: Readonly<Record<string, Dtype>> = {
  FloatTensor: 'float32',
  DoubleTensor: 'float64',
  HalfTensor: 'float16',
  BFloat16Tensor: 'bfloat16',
  LongTensor: 'int64',
  IntTensor: 'int32',
  ShortTensor: 'int16',
  CharTensor: 'int8',
  ByteTensor: 'uint8',
  BoolTensor: 'bool',
};

/** The dtype that a value names: `torch.float16`, Python's `float`. */
export function dtypeOf(value: Value): Dtype | undefined {
  if (value.kind === 'opaque') {
    const name = value.name.slice(value.name.lastIndexOf('.') + 1);
    return kinds.has(name) ? name : undefined;
  }
  const name = value.kind === 'class' || value.kind === 'builtin' ? value.name : value.kind === 'string' ? (value.value ?? '') : '';
  const last = name.slice(name.lastIndexOf('.') + 1);
  // `x.type('torch.FloatTensor')` and `x.type(torch.FloatTensor)`.
  if (value.kind === 'string') return tensorTypes[last];
  return pythonTypes[last] ?? tensorTypes[last] ?? (kinds.has(last) && last !== 'float' ? last : undefined);
}

/** The argument `dtype`, `fallback` where it was left out, undefined where it is not known. */
export const dtypeIn = (call: Call, fallback: Dtype | undefined, name = 'dtype'): Dtype | undefined =>
  call.isNone(name) ? fallback : dtypeOf(call.value(name));

const wider: readonly string[] = [
  'uint8',
  'int8',
  'int16',
  'int32',
  'int64',
  'float16',
  'bfloat16',
  'float32',
  'float64',
  'complex64',
  'complex128',
];

function promoteTwo(a: Dtype, b: Dtype): Dtype | undefined {
  if (a === b) return a;
  const [x, y] = [kinds.get(a), kinds.get(b)];
  if (x === undefined || y === undefined) return undefined;
  if (x !== y) return x > y ? a : b;
  if (a === 'float' || b === 'float') return 'float';
  if ((a === 'float16' && b === 'bfloat16') || (a === 'bfloat16' && b === 'float16')) return 'float32';
  if (a === 'uint8' || b === 'uint8') return a === 'int8' || b === 'int8' ? 'int16' : a === 'uint8' ? b : a;
  return wider.indexOf(a) > wider.indexOf(b) ? a : b;
}

/** The dtype of an element-wise operation; tensors without axes count as numbers where others are there. Undefined where it is not known. */
export function promote(values: readonly Value[]): Dtype | undefined {
  let wide: Dtype | undefined;
  let narrow: Dtype | undefined;
  let isUnsure = false;
  for (const value of values) {
    const tensor = tensorOf(value);
    if (tensor === undefined) {
      if (!isNumber(value)) return undefined;
      continue;
    }
    const { dtype, shape } = tensor;
    if (dtype === undefined) return undefined;
    if (shape.ellipsis === undefined && shape.dims.length === 0) {
      const sum = narrow === undefined ? dtype : promoteTwo(narrow, dtype);
      isUnsure ||= sum === undefined;
      narrow = sum ?? narrow;
    } else {
      const sum = wide === undefined ? dtype : promoteTwo(wide, dtype);
      isUnsure ||= sum === undefined;
      wide = sum ?? wide;
    }
  }
  if (isUnsure) return undefined;
  let result = wide === undefined || kindOf(narrow) > kindOf(wide) ? narrow : wide;
  for (const value of values) {
    // A named setting may be whole or fractional.
    if (value.kind === 'unknown' || (value.kind === 'union' && tensorOf(value) === undefined)) {
      if (kindOf(result) < 2) return undefined;
    } else if (value.kind === 'float') result = kindOf(result) < 2 ? 'float' : result;
    else if (value.kind === 'int') result = kindOf(result) < 1 ? 'int64' : result;
  }
  return result;
}

const kindOf = (dtype: Dtype | undefined): number => (dtype === undefined ? -1 : (kinds.get(dtype) ?? -1));

/** The dtype after a function that needs fractions: whole numbers become the default float. */
export const fractional = (dtype: Dtype | undefined): Dtype | undefined => (isIntegral(dtype) === true ? 'float' : dtype);

/** An operation that keeps the shape of its input. */
export const keep =
  (op: string, options?: (call: Call, input: TensorValue | undefined) => TensorOptions): Run =>
  (call, machine) => {
    const input = tensorIn(call);
    return machine.tensor(op, call, input?.shape ?? unknownShape, options?.(call, input));
  };

/** The same, for functions that answer fractions. */
export const keepFractional = (op: string): Run => keep(op, (_, input) => ({ dtype: fractional(input?.dtype) }));

/** An operation on operands that broadcast. */
export const elementwise =
  (op: string, names: readonly string[], dtype: (values: readonly Value[]) => Dtype | undefined = promote): Run =>
  (call, machine) => {
    const values = names.map((name) => call.value(name)).filter(({ kind }) => kind !== 'none');
    return machine.settle(op, call, broadcastAll(operandShapes(values, machine), machine.context), { dtype: dtype(values) });
  };

/** Beside an operand of which nothing is known, an axis of 1 may be of any size. */
export const stretchable = ({ dims, ellipsis }: Shape): Shape => ({
  dims: dims.map((dim) => (dim.constant === 1 ? unknownDim('an axis that may be stretched') : dim)),
  ellipsis,
});

/** A weight, as it is or with other axes: `weight[:, None, None]`. */
export const isOfWeight = ({ op, inputs, isParameter }: TensorValue): boolean =>
  isParameter === true || (/^(?:getitem|view|reshape|unsqueeze|to)$/.test(op) && inputs[0] !== undefined && isOfWeight(inputs[0]));

/** The operands' shapes. When linting, what is not known is taken to stretch to activations: an optional mask, a scale. */
export function operandShapes(values: readonly Value[], machine: Machine): readonly Shape[] {
  if (machine.assumesShapes) {
    const known = values.filter((value) => tensorOf(value) !== undefined || isNumber(value));
    // A weight is given axes to stretch to what it is multiplied with: it may have fewer.
    const rankFrom = (value: Value): number => {
      const tensor = tensorOf(value);
      return tensor !== undefined && isOfWeight(tensor) ? 0 : (rankOf(operandShape(value)) ?? 0);
    };
    if (known.length < values.length && known.some((value) => rankFrom(value) >= 3)) {
      return known.map((value) => stretchable(operandShape(value)));
    }
    const shapes = values.map(operandShape);
    const most = Math.max(0, ...values.map(rankFrom));
    const isOpen = ({ dims, ellipsis }: Shape): boolean => ellipsis !== undefined && dims.length <= most;
    if (most >= 3 && shapes.some(isOpen))
      return shapes.map((shape) => (isOpen(shape) ? { dims: shape.dims.slice(shape.ellipsis), ellipsis: undefined } : stretchable(shape)));
    return shapes;
  }
  return values.map(operandShape);
}

/** A judged shape in two steps: `judge` says what must hold and answers the result's shape. */
export function judged(machine: Machine, judge: (judgement: Judgement) => Shape): ShapeResult {
  const judgement = new Judgement(machine.context);
  const shape = judge(judgement);
  return judgement.result(shape);
}

/** Two results under the names that torch gives them. */
export const pair = (names: readonly [string, string], first: Value, second: Value): TupleValue => ({ ...tuple([first, second]), names });

/** The sizes as they are bound so far. */
export const size = (machine: Machine, dim: Dim): Value => int(machine.read(dim));

/** Looks through operations that only change how a tensor is held. */
export function heldBy(tensor: TensorValue): TensorValue {
  let at = tensor;
  for (let i = 0; i < 8; i++) {
    const [first] = at.inputs;
    if (first === undefined || !holders.has(at.op)) return at;
    at = first;
  }
  return at;
}

const holders = new Set([
  'to',
  'type',
  'type_as',
  'bool',
  'float',
  'half',
  'bfloat16',
  'double',
  'int',
  'long',
  'contiguous',
  'clone',
  'detach',
  'cpu',
  'cuda',
]);
