/** Element-wise operations: one, two or three operands that broadcast. Names of operators are those under which the evaluator calls them. */
import { unknownDim } from '../../../dims/dim.ts';
import { type Context, Judgement, type ShapeResult, shapeOf } from '../../../dims/shape.ts';
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
  promote,
  type Run,
  scalar,
  tensorIn,
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

const within = (shape: ShapeResult['shape'], result: ShapeResult, context: Context): ShapeResult =>
  result.status === 'mismatch' ? { ...result, shape } : { ...new Judgement(context).result(shape), substitution: result.substitution };

/** Keeps its shape; fractions come out. */
const fractionalFunctions = [
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
] as const;

/** Keeps its shape and dtype. */
const plainFunctions = [
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
  'relu',
  'conj',
  'resolve_conj',
  'resolve_neg',
  'nan_to_num',
  'bitwise_not',
  'conj_physical',
] as const;

const predicates = ['isnan', 'isinf', 'isfinite', 'isposinf', 'isneginf', 'isreal', 'logical_not', 'signbit'] as const;

const unaries: Record<string, OperationEntry> = {};
for (const name of fractionalFunctions) {
  unaries[`torch.${name} torch.special.${name} Tensor.${name}_`] = ['input, *args, **kwargs', keepFractional(name)];
}
for (const name of plainFunctions) unaries[`torch.${name} torch.special.${name} Tensor.${name}_`] = ['input, *args, **kwargs', keep(name)];
for (const name of predicates) unaries[`torch.${name} Tensor.${name}_`] = ['input, *, out=None', keep(name, () => ({ dtype: 'bool' }))];

const comparisons: Record<string, OperationEntry> = {};
const compared: Readonly<Record<string, string>> = {
  eq: '',
  ne: 'not_equal',
  lt: 'less',
  le: 'less_equal',
  gt: 'greater',
  ge: 'greater_equal',
};
for (const [name, other] of Object.entries(compared)) {
  const names = other === '' ? `torch.${name}` : `torch.${name} torch.${other}`;
  comparisons[names] = ['input, other, *, out=None', elementwise(name, ['input', 'other'], boolean)];
  comparisons[`Tensor.${name}_`] = ['input, other', inPlace(name, ['input', 'other'])];
}
for (const name of ['logical_and', 'logical_or', 'logical_xor', 'isclose', 'isin']) {
  comparisons[`torch.${name}`] = ['input, other, *args, **kwargs', elementwise(name, ['input', 'other'], boolean)];
  comparisons[`Tensor.${name}_`] = ['input, other', inPlace(name, ['input', 'other'])];
}
comparisons['torch.isin'] = [
  'elements, test_elements, *, assume_unique=False, invert=False',
  (call, machine) => machine.tensor('isin', call, operandShape(call.value('elements')), { dtype: 'bool' }),
];

/** Operators on two operands: name in the graph to the names in torch, and how the dtype comes about. */
const binaries: Record<string, OperationEntry> = {};
const two = (op: string, aliases: readonly string[], dtype?: (values: readonly Value[]) => Dtype | undefined): void => {
  const names = [op, ...aliases];
  const signature = 'input, other, *, alpha=1, rounding_mode=None, out=None';
  binaries[names.map((name) => `torch.${name}`).join(' ')] = [signature, elementwise(op, ['input', 'other'], dtype)];
  binaries[names.map((name) => `Tensor.${name}_`).join(' ')] = [signature, inPlace(op, ['input', 'other'])];
};
two('add', []);
two('sub', ['subtract']);
two('mul', ['multiply']);
two('floor_divide', []);
two('remainder', []);
two('fmod', []);
two('bitwise_and', []);
two('bitwise_or', []);
two('bitwise_xor', []);
two('bitwise_left_shift', ['__lshift__']);
two('bitwise_right_shift', ['__rshift__']);
two('atan2', ['arctan2'], fractions);
two('maximum', []);
two('minimum', []);
two('fmax', []);
two('fmin', []);
two('hypot', [], fractions);
two('logaddexp', ['logaddexp2'], fractions);
two('xlogy', [], fractions);
two('copysign', [], fractions);
two('float_power', [], () => 'float64');
two('heaviside', []);
two('gcd', []);
two('lcm', []);

const division: Run = (call, machine) => {
  const values = [call.value('input'), call.value('other')];
  const dtype = call.isNone('rounding_mode') ? fractions(values) : promote(values);
  return machine.settle('div', call, broadcastAll(values.map(operandShape), machine.context), { dtype });
};

const where: Run = (call, machine) => {
  if (call.isNone('input') && call.isNone('other')) return nonzeroTuple(call, machine, 'condition');
  const values = [call.value('input'), call.value('other')];
  const result = broadcastAll([call.value('condition'), ...values].map(operandShape), machine.context);
  return machine.settle('where', call, result, { dtype: promote(values) });
};

/** Fills come from numbers or scalars; the mask may be larger than the input. */
const maskedFill: Run = (call, machine) => {
  const result = broadcastAll([operandShape(call.value('input')), operandShape(call.value('mask'))], machine.context);
  return machine.settle('masked_fill', call, result, { dtype: tensorIn(call)?.dtype });
};

const closeness: Run = () => bool(undefined);

export const arithmeticOperations = operations({
  ...unaries,
  ...comparisons,
  ...binaries,
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
