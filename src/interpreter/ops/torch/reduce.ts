/** Operations along axes: sums, maxima, softmax, sorting, and what picks places by value. */
import { type Dim, number, unknownDim } from '../../../dims/dim.ts';
import {
  elementsOf,
  type Judgement,
  rankOf,
  reduce,
  replaceAt,
  requireAxis,
  type Shape,
  type ShapeResult,
  shapeOf,
  unknownShape,
} from '../../../dims/shape.ts';
import { operations } from '../../define.ts';
import { bool, tuple } from '../../make.ts';
import type { Call, Machine, TensorOptions } from '../../operation.ts';
import type { Dtype, TensorValue, Value } from '../../value.ts';
import {
  axesIn,
  axisIn,
  broadcastAll,
  dtypeIn,
  fractional,
  isIntegral,
  isNumber,
  judged,
  keep,
  operandShape,
  pair,
  promote,
  type Run,
  scalar,
  shapeIn,
  tensorIn,
} from './support.ts';

type DtypeOf = (call: Call, input: TensorValue | undefined) => Dtype | undefined;

const same: DtypeOf = (_, input) => input?.dtype;
const boolean: DtypeOf = () => 'bool';
const places: DtypeOf = () => 'int64';
const summed: DtypeOf = (call, input) => dtypeIn(call, isIntegral(input?.dtype) === true ? 'int64' : input?.dtype);
const averaged: DtypeOf = (call, input) => dtypeIn(call, fractional(input?.dtype));

/** The shape without the axes that the call names. Undefined axes leave nothing known. */
function reduced(call: Call, machine: Machine): ShapeResult {
  const axes = axesIn(call);
  const shape = shapeIn(call);
  const keeps = call.boolean('keepdim');
  if (axes === undefined || keeps === undefined) return judged(machine, () => unknownShape);
  return reduce(shape, axes === 'all' ? undefined : axes, keeps, machine.context);
}

const over =
  (op: string, dtype: DtypeOf): Run =>
  (call, machine) =>
    machine.settle(op, call, reduced(call, machine), { dtype: dtype(call, tensorIn(call)) });

/** `(values, indices)` where an axis is named, one value over everything where it is not. */
const withPlaces =
  (op: string): Run =>
  (call, machine) => {
    const input = tensorIn(call);
    if (call.isNone('dim')) return machine.tensor(op, call, scalar, { dtype: input?.dtype });
    return both(op, call, machine, reduced(call, machine));
  };

function both(op: string, call: Call, machine: Machine, result: ShapeResult): Value {
  const input = tensorIn(call);
  return pair(
    ['values', 'indices'],
    machine.settle(op, call, result, { dtype: input?.dtype, index: 0 }),
    machine.tensor(op, call, result.shape, { dtype: 'int64', index: 1 }),
  );
}

/** `max(x)`, `max(x, dim)` and `max(x, other)`. */
const extreme =
  (op: string, pairwise: string): Run =>
  (call, machine) => {
    const input = call.value('input');
    const other = call.value('dim');
    // The method of an array gives values alone.
    if (other.kind !== 'tensor')
      return input.kind === 'tensor' && input.isArray === true ? over(op, same)(call, machine) : withPlaces(op)(call, machine);
    const values = [input, other];
    return machine.settle(pairwise, call, broadcastAll(values.map(operandShape), machine.context), { dtype: promote(values) });
  };

/** Keeps the shape; the axis must exist. */
function along(call: Call, machine: Machine, name = 'dim'): ShapeResult {
  const axis = axisIn(call, name);
  const shape = shapeIn(call);
  return judged(machine, (judgement) => {
    if (axis !== undefined && rankOf(shape) !== 0) requireExisting(judgement, shape, axis);
    return shape;
  });
}

/** Like `requireAxis`, but an ellipsis is no reason to doubt: the shape stays what it is. */
function requireExisting(judgement: Judgement, shape: Shape, axis: number): void {
  if (rankOf(shape) !== undefined) requireAxis(judgement, shape, axis);
}

const alongAxis =
  (op: string, dtype: DtypeOf = same): Run =>
  (call, machine) =>
    machine.settle(op, call, along(call, machine), { dtype: dtype(call, tensorIn(call)) });

const normalised: DtypeOf = (call, input) => dtypeIn(call, fractional(input?.dtype));

const topk: Run = (call, machine) => {
  const shape = shapeIn(call);
  const axis = axisIn(call);
  const count: Dim = (isNumber(call.value('k')) ? call.dim('k') : undefined) ?? unknownDim('k is not known');
  const result = judged(machine, (judgement) => {
    const at = axis === undefined ? undefined : requireAxis(judgement, shape, axis);
    if (at === undefined) return unknownShape;
    const dim = shape.dims[at];
    if (dim !== undefined && judgement.isAtLeast(count, dim) && judgement.compare(count, dim) === 'different') {
      judgement.fail('k is larger than the axis');
    }
    return replaceAt(shape, at, [count]);
  });
  return both('topk', call, machine, result);
};

const sorted: Run = (call, machine) => both('sort', call, machine, along(call, machine));

/** The standard deviation and the variance: `std(dim)` or `std(unbiased)`, which both may stand first. */
const spread =
  (op: string): Run =>
  (call, machine) => {
    const dtype = fractional(tensorIn(call)?.dtype);
    if (call.value('dim').kind === 'bool') return machine.tensor(op, call, scalar, { dtype });
    return machine.settle(op, call, reduced(call, machine), { dtype });
  };

const spreadAndMean =
  (op: string): Run =>
  (call, machine) => {
    const dtype = fractional(tensorIn(call)?.dtype);
    const result = call.value('dim').kind === 'bool' ? judged(machine, () => scalar) : reduced(call, machine);
    return tuple([machine.settle(op, call, result, { dtype, index: 0 }), machine.settle(op, call, result, { dtype, index: 1 })]);
  };

const normed: Run = (call, machine) =>
  machine.settle('norm', call, reduced(call, machine), { dtype: dtypeIn(call, magnitude(tensorIn(call)?.dtype)) });

const magnitude = (dtype: Dtype | undefined): Dtype | undefined =>
  dtype === 'complex64' ? 'float32' : dtype === 'complex128' ? 'float64' : dtype;

/** The places of what is not zero: their number depends on the values. */
export function nonzeroTuple(call: Call, machine: Machine, name: string): Value {
  const rank = rankOf(shapeIn(call, name));
  const shape = shapeOf(unknownDim('the number of places that hold'));
  if (rank === undefined)
    return machine.settleAll('nonzero', call, { status: 'unknown', shapes: undefined, substitution: machine.context.substitution });
  return tuple(Array.from({ length: Math.max(1, rank) }, (_, index) => machine.tensor('nonzero', call, shape, { dtype: 'int64', index })));
}

const nonzero: Run = (call, machine) => {
  if (call.boolean('as_tuple') === true) return nonzeroTuple(call, machine, 'input');
  const rank = rankOf(shapeIn(call));
  const columns = rank === undefined ? unknownDim('the number of axes is not known') : number(rank);
  return machine.tensor('nonzero', call, shapeOf(unknownDim('the number of places that hold'), columns), { dtype: 'int64' });
};

const some =
  (op: string, dtype?: Dtype): Run =>
  (call, machine) =>
    machine.tensor(op, call, shapeOf(unknownDim('it depends on the values')), dtype === undefined ? {} : { dtype });

/** `unique`: the values, and where asked for their places and counts. */
const unique: Run = (call, machine) => {
  const input = tensorIn(call);
  const shape = call.isNone('dim') ? shapeOf(unknownDim('the number of distinct values')) : unknownShape;
  const values = machine.tensor('unique', call, shape, { dtype: input?.dtype });
  const [inverse, counts] = [call.boolean('return_inverse'), call.boolean('return_counts')];
  if (inverse === false && counts === false) return values;
  if (inverse === undefined || counts === undefined) return { kind: 'unknown', reason: 'the number of results of unique' };
  const more: Value[] = [];
  if (inverse) more.push(machine.tensor('unique', call, input?.shape ?? unknownShape, { dtype: 'int64', index: 1 }));
  if (counts) more.push(machine.tensor('unique', call, shapeOf(unknownDim('the number of distinct values')), { dtype: 'int64', index: 2 }));
  return tuple([values, ...more]);
};

const bincount: Run = some('bincount', 'int64');

const cumulated =
  (op: string): Run =>
  (call, machine) =>
    both(op, call, machine, along(call, machine));

const quantile: Run = (call, machine) => {
  const q = tensorIn(call, 'q')?.shape;
  const { shape, ...rest } = reduced(call, machine);
  const front = q === undefined ? (isNumber(call.value('q')) ? [] : undefined) : rankOf(q) === undefined ? undefined : q.dims;
  if (front === undefined) return machine.tensor('quantile', call, unknownShape);
  const ellipsis = shape.ellipsis === undefined ? undefined : shape.ellipsis + front.length;
  return machine.settle(
    'quantile',
    call,
    { ...rest, shape: { dims: [...front, ...shape.dims], ellipsis } },
    { dtype: tensorIn(call)?.dtype },
  );
};

const aminmax: Run = (call, machine) => {
  const result = reduced(call, machine);
  const options: TensorOptions = { dtype: tensorIn(call)?.dtype };
  return pair(
    ['min', 'max'],
    machine.settle('aminmax', call, result, { ...options, index: 0 }),
    machine.tensor('aminmax', call, result.shape, { ...options, index: 1 }),
  );
};

const axes = 'dim|axis=None, keepdim|keepdims=False';

export const reduceOperations = operations({
  'torch.sum torch.nansum': [`input, ${axes}, *, dtype=None, out=None`, over('sum', summed)],
  'torch.mean torch.nanmean': [`input, ${axes}, *, dtype=None, out=None`, over('mean', averaged)],
  'torch.prod': [`input, ${axes}, *, dtype=None, out=None`, over('prod', summed)],
  'torch.amax': [`input, ${axes}, *, out=None`, over('amax', same)],
  'torch.amin': [`input, ${axes}, *, out=None`, over('amin', same)],
  'torch.aminmax': [`input, *, ${axes}, out=None`, aminmax],
  'torch.all': [`input, ${axes}, *, out=None`, over('all', boolean)],
  'torch.any': [`input, ${axes}, *, out=None`, over('any', boolean)],
  'torch.argmax': [`input, ${axes}`, over('argmax', places)],
  'torch.argmin': [`input, ${axes}`, over('argmin', places)],
  'torch.count_nonzero': ['input, dim|axis=None, keepdim=False', over('count_nonzero', places)],
  'torch.logsumexp torch.special.logsumexp': [`input, ${axes}, *, out=None`, over('logsumexp', averaged)],
  'torch.max': [`input, dim|axis|other=None, keepdim=False, *, out=None`, extreme('max', 'maximum')],
  'torch.min': [`input, dim|axis|other=None, keepdim=False, *, out=None`, extreme('min', 'minimum')],
  'torch.median torch.nanmedian': [`input, ${axes}, *, out=None`, withPlaces('median')],
  'torch.mode': ['input, dim=-1, keepdim=False', withPlaces('mode')],
  'torch.kthvalue': ['input, k, dim=-1, keepdim=False', withPlaces('kthvalue')],
  'torch.std': ['input, dim|axis=None, unbiased=True, keepdim=False, *, correction=1, out=None', spread('std')],
  'torch.var': ['input, dim|axis=None, unbiased=True, keepdim=False, *, correction=1, out=None', spread('var')],
  'torch.std_mean': ['input, dim|axis=None, unbiased=True, keepdim=False, *, correction=1', spreadAndMean('std_mean')],
  'torch.var_mean': ['input, dim|axis=None, unbiased=True, keepdim=False, *, correction=1', spreadAndMean('var_mean')],
  'torch.norm': [`input, p='fro', ${axes}, out=None, dtype=None`, normed],
  'torch.linalg.norm torch.linalg.vector_norm': [`input|x|A, ord=None, ${axes}, *, dtype=None, out=None`, normed],
  'torch.linalg.matrix_norm': ["input|A, ord='fro', dim=(-2, -1), keepdim=False, *, dtype=None, out=None", normed],
  'torch.quantile torch.nanquantile': [`input, q, ${axes}, *, interpolation='linear'`, quantile],
  'torch.topk': ['input, k, dim=-1, largest=True, sorted=True, *, out=None', topk],
  'torch.sort torch.msort': ['input, dim=-1, descending=False, stable=False, *, out=None', sorted],
  'torch.argsort': ['input, dim=-1, descending=False, stable=False', alongAxis('argsort', places)],
  'torch.cumsum Tensor.cumsum_': ['input, dim|axis, *, dtype=None, out=None', alongAxis('cumsum', summed)],
  'torch.cumprod Tensor.cumprod_': ['input, dim|axis, *, dtype=None, out=None', alongAxis('cumprod', summed)],
  'torch.logcumsumexp': ['input, dim, *, out=None', alongAxis('logcumsumexp')],
  'torch.cummax': ['input, dim', cumulated('cummax')],
  'torch.cummin': ['input, dim', cumulated('cummin')],
  'torch.softmax torch.special.softmax torch.nn.functional.softmax': [
    'input, dim|axis=None, dtype=None, _stacklevel=3',
    alongAxis('softmax', normalised),
  ],
  'torch.nn.functional.gumbel_softmax': ['input|logits, tau=1, hard=False, eps=1e-10, dim=-1', alongAxis('softmax', normalised)],
  'torch.nn.functional.softmin': ['input, dim=None, _stacklevel=3, dtype=None', alongAxis('softmin', normalised)],
  'torch.log_softmax torch.special.log_softmax torch.nn.functional.log_softmax': [
    'input, dim|axis=None, dtype=None, _stacklevel=3',
    alongAxis('log_softmax', normalised),
  ],
  'torch.renorm': ['input, p, dim, maxnorm', keep('renorm')],
  'torch.diff': [
    'input, n=1, dim=-1, prepend=None, append=None',
    (call, machine) => {
      const [axis, n] = [axisIn(call), call.number('n')];
      const shape = shapeIn(call);
      if (axis === undefined || n === undefined || rankOf(shape) === undefined) return machine.tensor('diff', call, unknownShape);
      const added = (['prepend', 'append'] as const).some((name) => !call.isNone(name));
      return machine.settle(
        'diff',
        call,
        judged(machine, (judgement) => {
          const at = requireAxis(judgement, shape, axis);
          const dim = at === undefined ? undefined : shape.dims[at];
          if (at === undefined || dim?.constant === undefined || added) {
            return at === undefined ? unknownShape : replaceAt(shape, at, [unknownDim('the differences')]);
          }
          return replaceAt(shape, at, [number(Math.max(0, dim.constant - n))]);
        }),
      );
    },
  ],
  'torch.nonzero torch.argwhere': ['input, *, out=None, as_tuple=False', nonzero],
  'torch.masked_select': ['input, mask, *, out=None', some('masked_select')],
  'torch.bincount': ['input, weights=None, minlength=0', bincount],
  'torch.unique': ['input, sorted=True, return_inverse=False, return_counts=False, dim=None', unique],
  'torch.unique_consecutive': ['input, return_inverse=False, return_counts=False, dim=None', unique],
  'torch.numel': ['input', (call, machine) => ({ kind: 'int', dim: machine.read(elementsOf(shapeIn(call))) })],
  'torch.is_nonzero': ['input', () => bool(undefined)],
  'torch.trace': ['input', (call, machine) => machine.tensor('trace', call, scalar)],
});
