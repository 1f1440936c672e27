/** Element-wise operations: one, two or three operands that broadcast. Names of operators are those under which the evaluator calls them. */
import { type Dim, number, unknownDim } from '../../../dims/dim.ts';
import { type Context, formatShape, Judgement, rankOf, type Shape, type ShapeResult, shapeOf, unknownShape } from '../../../dims/shape.ts';
import { type OperationEntry, operations } from '../../define.ts';
import { bool } from '../../make.ts';
import type { Dtype, Value } from '../../value.ts';
import { nonzeroTuple } from './reduce.ts';
import {
  broadcastAll,
  elementwise,
  fractional,
  isFloating,
  keep,
  keepFractional,
  operandShape,
  operandShapes,
  promote,
  type Run,
  scalar,
  tensorIn,
  tensorOf,
} from './support.ts';

const boolean = (): Dtype => 'bool';
const fractions = (values: readonly Value[]): Dtype | undefined => fractional(promote(values));

/** In place: the result is as large as the input, whatever the other operands are. */
const inPlace =
  (op: string, names: readonly string[]): Run =>
  (call, machine) => {
    const input = tensorIn(call);
    const values = names.map((name) => call.value(name)).filter(({ kind }) => kind !== 'none');
    if (input === undefined) return machine.tensor(op, call, operandShape(call.value('input')));
    const result = broadcastAll(values.map(operandShape), machine.context);
    return machine.settle(op, call, within(input.shape, result, machine.context), { dtype: input.dtype });
  };

function within(shape: Shape, result: ShapeResult, context: Context): ShapeResult {
  if (result.status === 'mismatch') return { ...result, shape };
  const judgement = new Judgement({ facts: context.facts, substitution: result.substitution });
  const [rank, grown] = [rankOf(shape), rankOf(result.shape)];
  if (rank !== undefined && grown !== undefined) {
    const grows =
      grown > rank || shape.dims.some((dim, i) => isOne(judgement.read(dim)) && judgement.isAtLeast(result.shape.dims[i] ?? dim, two));
    if (grows) judgement.fail(`the result ${formatShape(result.shape)} does not fit into ${formatShape(shape)} in place`);
  }
  return judgement.result(shape);
}

const isOne = (dim: Dim): boolean => dim.constant === 1;
const two = number(2);

/** Keeps its shape; fractions come out. */
const fractionalFunctions: readonly string[] = [
  'exp',
  'exp2',
  'expm1',
  'log',
  'log2',
  'log10',
  'log1p',
  'sqrt',
  'rsqrt',
  'sin',
  'cos',
  'tan',
  'asin',
  'acos',
  'atan',
  'sinh',
  'cosh',
  'tanh',
  'asinh',
  'acosh',
  'atanh',
  'erf',
  'erfc',
  'erfinv',
  'sigmoid',
  'reciprocal',
  'lgamma',
  'digamma',
  'logit',
  'sinc',
  'i0',
  'deg2rad',
  'rad2deg',
  'expit',
  'ndtr',
];

/** Keeps its shape and dtype. */
const plainFunctions: readonly string[] = [
  'neg',
  'square',
  'sign',
  'sgn',
  'floor',
  'ceil',
  'round',
  'trunc',
  'fix',
  'frac',
  'positive',
  'conj',
  'resolve_conj',
  'resolve_neg',
  'nan_to_num',
  'bitwise_not',
  'conj_physical',
];

const predicates: readonly string[] = ['isnan', 'isinf', 'isfinite', 'isposinf', 'isneginf', 'isreal', 'logical_not', 'signbit'];

type Entries = Record<string, OperationEntry>;

function unaries(): Entries {
  const entries: Entries = {};
  for (const name of fractionalFunctions) {
    // `torch.arcsin` is `torch.asin`.
    if (/^a(?:sin|cos|tan)h?$/.test(name)) entries[`torch.arc${name.slice(1)}`] = ['input, *, out=None', keepFractional(name)];
    entries[`torch.${name} torch.special.${name} torch.${name}_ Tensor.${name}_`] = ['input, *args, **kwargs', keepFractional(name)];
  }
  for (const name of plainFunctions)
    entries[`torch.${name} torch.special.${name} torch.${name}_ Tensor.${name}_`] = ['input, *args, **kwargs', keep(name)];
  for (const name of predicates) entries[`torch.${name} Tensor.${name}_`] = ['input, *, out=None', keep(name, () => ({ dtype: 'bool' }))];
  return entries;
}

/** Comparisons, with the longer names that torch also has for them. */
const comparisonNames: Readonly<Record<string, readonly string[]>> = {
  eq: [],
  ne: ['not_equal'],
  lt: ['less'],
  le: ['less_equal'],
  gt: ['greater'],
  ge: ['greater_equal'],
  logical_and: [],
  logical_or: [],
  logical_xor: [],
  isclose: [],
};

type DtypeRule = (values: readonly Value[]) => Dtype | undefined;

/** Operators on two operands: name in the graph, other names in torch, and how the dtype comes about. */
const operatorNames: readonly (readonly [op: string, aliases?: readonly string[], dtype?: DtypeRule])[] = [
  ['add'],
  ['sub', ['subtract']],
  ['mul', ['multiply']],
  ['floor_divide'],
  ['remainder'],
  ['fmod'],
  ['bitwise_and'],
  ['bitwise_or'],
  ['bitwise_xor'],
  ['bitwise_left_shift'],
  ['bitwise_right_shift'],
  ['atan2', ['arctan2'], fractions],
  ['maximum'],
  ['minimum'],
  ['fmax'],
  ['fmin'],
  ['hypot', [], fractions],
  ['logaddexp', ['logaddexp2'], fractions],
  ['xlogy', [], fractions],
  ['copysign', [], fractions],
  ['float_power', [], () => 'float64'],
  ['heaviside'],
  ['gcd'],
  ['lcm'],
];

function binaries(): Entries {
  const entries: Entries = {};
  const define = (op: string, aliases: readonly string[], signature: string, dtype?: DtypeRule): void => {
    const names = [op, ...aliases];
    entries[names.map((name) => `torch.${name}`).join(' ')] = [signature, elementwise(op, ['input', 'other'], dtype)];
    entries[names.map((name) => `Tensor.${name}_`).join(' ')] = [signature, inPlace(op, ['input', 'other'])];
  };
  for (const [op, aliases = [], dtype] of operatorNames)
    define(op, aliases, 'input, other, *, alpha=1, rounding_mode=None, out=None', dtype);
  for (const [op, aliases] of Object.entries(comparisonNames)) define(op, aliases, 'input, other, *args, **kwargs', boolean);
  return entries;
}

const division: Run = (call, machine) => {
  const values = [call.value('input'), call.value('other')];
  const dtype = call.isNone('rounding_mode') ? fractions(values) : promote(values);
  return machine.settle('div', call, broadcastAll(values.map(operandShape), machine.context), { dtype });
};

const where: Run = (call, machine) => {
  if (call.isNone('input') && call.isNone('other')) return nonzeroTuple(call, machine, 'condition');
  const values = [call.value('input'), call.value('other')];
  const condition = call.value('condition');
  // A comparison of something unknown may be one of tensors.
  const isHidden = condition.kind === 'bool' && condition.value === undefined;
  const shapes = isHidden ? [unknownShape, ...operandShapes(values, machine)] : operandShapes([condition, ...values], machine);
  const result = broadcastAll(shapes, machine.context);
  return machine.settle('where', call, result, { dtype: promote(values) });
};

/** Fills come from numbers or scalars; the mask may be larger than the input. */
const maskedFill: Run = (call, machine) => {
  const mask = call.value('mask');
  const input = operandShape(call.value('input'));
  // In linting, a mask of which nothing is known is taken to fit.
  const isAssumed = machine.assumesShapes && (tensorOf(mask) === undefined || rankOf(operandShape(mask)) === undefined);
  const result = broadcastAll(isAssumed ? [input] : [input, operandShape(mask)], machine.context);
  return machine.settle('masked_fill', call, result, { dtype: tensorIn(call)?.dtype });
};

const closeness: Run = () => bool(undefined);

export const arithmeticOperations = operations({
  ...unaries(),
  ...binaries(),
  'torch.isin': [
    'elements, test_elements, *, assume_unique=False, invert=False',
    (call, machine) => machine.tensor('isin', call, operandShape(call.value('elements')), { dtype: 'bool' }),
  ],
  'torch.negative Tensor.negative_': ['input, *, out=None', keep('neg')],
  'torch.invert': ['input', keep('bitwise_not')],
  'torch.abs torch.absolute Tensor.abs_ Tensor.absolute_': [
    'input, *, out=None',
    keep('abs', (_, input) => {
      const dtype = input?.dtype;
      return { dtype: dtype === 'complex64' ? 'float32' : dtype === 'complex128' ? 'float64' : dtype };
    }),
  ],
  'torch.div torch.divide torch.true_divide': ['input, other, *, rounding_mode=None, out=None', division],
  'Tensor.div_ Tensor.divide_ Tensor.true_divide_': ['input, other, *, rounding_mode=None', inPlace('div', ['input', 'other'])],
  'torch.rsub': ['input, other, *, alpha=1', (call, machine) => machine.binary('-', call.value('other'), call.value('input'))],
  'torch.pow': ['input, exponent|other, *, out=None', elementwise('pow', ['input', 'exponent'])],
  'Tensor.pow_': ['input, exponent', inPlace('pow', ['input', 'exponent'])],
  'torch.clamp torch.clip Tensor.clamp_ Tensor.clip_': [
    'input, min=None, max=None, *, out=None',
    elementwise('clamp', ['input', 'min', 'max'], promote),
  ],
  'torch.clamp_min Tensor.clamp_min_': ['input, min, *, out=None', elementwise('clamp', ['input', 'min'])],
  'torch.clamp_max Tensor.clamp_max_': ['input, max, *, out=None', elementwise('clamp', ['input', 'max'])],
  'torch.where': ['condition, input|self|x=None, other|y=None, *, out=None', where],
  'Tensor.where': ['input, condition, other', where],
  'torch.masked_fill': ['input, mask, value', maskedFill],
  'Tensor.masked_fill_': ['input, mask, value', inPlace('masked_fill', ['input', 'mask'])],
  'torch.masked_scatter Tensor.masked_scatter_': ['input, mask, source', keep('masked_scatter')],
  'torch.lerp': ['input, end, weight, *, out=None', elementwise('lerp', ['input', 'end', 'weight'])],
  'Tensor.lerp_': ['input, end, weight', inPlace('lerp', ['input', 'end', 'weight'])],
  'torch.addcmul': ['input, tensor1, tensor2, *, value=1, out=None', elementwise('addcmul', ['input', 'tensor1', 'tensor2'])],
  'torch.addcdiv': ['input, tensor1, tensor2, *, value=1, out=None', elementwise('addcdiv', ['input', 'tensor1', 'tensor2'], fractions)],
  'Tensor.addcmul_': ['input, tensor1, tensor2, *, value=1', inPlace('addcmul', ['input', 'tensor1', 'tensor2'])],
  'Tensor.addcdiv_': ['input, tensor1, tensor2, *, value=1', inPlace('addcdiv', ['input', 'tensor1', 'tensor2'])],
  'torch.polar torch.complex': [
    'abs|real, angle|imag, *, out=None',
    (call, machine) => {
      const values = [call.value('abs'), call.value('angle')];
      const dtype = promote(values);
      const result = broadcastAll(values.map(operandShape), machine.context);
      return machine.settle(call.name.endsWith('complex') ? 'complex' : 'polar', call, result, {
        dtype: dtype === 'float64' ? 'complex128' : isFloating(dtype) === true ? 'complex64' : undefined,
      });
    },
  ],
  'torch.equal torch.allclose': ['input, other, *args, **kwargs', closeness],
  'torch.bucketize': ['input, boundaries, *, out_int32=False, right=False, out=None', keep('bucketize', () => ({ dtype: 'int64' }))],
  'torch.searchsorted': [
    'sorted_sequence, input, *, out_int32=False, right=False, side=None, out=None, sorter=None',
    keep('searchsorted', () => ({ dtype: 'int64' })),
  ],
  'torch.angle': ['input', keepFractional('angle')],
  'torch.histc': [
    'input, bins=100, min=0, max=0',
    (call, machine) => machine.tensor('histc', call, shapeOf(call.dim('bins') ?? unknownDim())),
  ],
  'torch.is_tensor': ['obj', (call, machine) => bool(machine.isInstance(call.value('obj'), 'torch.Tensor'))],
  'torch.dist': ['input, other, p=2', (call, machine) => machine.tensor('dist', call, scalar)],
});
