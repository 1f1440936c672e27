/** Operations that rearrange, join, cut and pick elements. */
import { add, type Dim, floorDiv, multiply, number, one, subtract, unknownDim, zero } from '../../../dims/dim.ts';
import { simplify } from '../../../dims/facts.ts';
import { chunk, expand, flatten, repeat, reshape, split, splitSizes, unflatten, type ViewDim } from '../../../dims/reshape.ts';
import {
  concatenate,
  dimAt,
  elementsOf,
  locateAxis,
  permute,
  rankOf,
  replaceAt,
  requireAxis,
  type Shape,
  select,
  shapeOf,
  squeeze,
  stack,
  transpose,
  unknownShape,
  unsqueeze,
  withRank,
} from '../../../dims/shape.ts';
import { operations } from '../../define.ts';
import { joinShapes } from '../../join.ts';
import { dimOf } from '../../make.ts';
import type { Call, Machine, TensorOptions } from '../../operation.ts';
import type { Dtype, TensorValue, Value } from '../../value.ts';
import {
  axesIn,
  axisIn,
  bitsOf,
  broadcastAll,
  dtypeOf,
  isNumber,
  itemsOf,
  judged,
  keep,
  plainSizes,
  promote,
  type Run,
  shapeIn,
  sizesIn,
  tensorIn,
  tensorOf,
} from './support.ts';

const unknownSize = (): Dim => unknownDim('the size is not known');

/** What is known of the values stays so while the elements keep their order. */
const content = (input: TensorValue | undefined): { readonly content?: string } =>
  input?.content === undefined ? {} : { content: input.content };

/** The result has as many axes as the input, and that is all that is known. */
const sameRank = (shape: Shape): Shape =>
  rankOf(shape) === undefined ? unknownShape : shapeOf(...shape.dims.map(() => unknownDim('the axis is not known')));

const reshaped =
  (op: string): Run =>
  (call, machine) => {
    const input = tensorIn(call);
    const sizes = sizesIn(call, 'shape');
    if (sizes === undefined) return machine.tensor(op, call, unknownShape, content(input));
    return machine.settle(op, call, reshape(shapeIn(call), sizes, machine.context), content(input));
  };

const view: Run = (call, machine) => {
  const items = itemsOf(call.value('shape'));
  const [only] = items ?? [];
  const dtype = items?.length === 1 && only !== undefined ? dtypeOf(only) : undefined;
  return dtype === undefined ? reshaped('view')(call, machine) : viewAs(call, machine, dtype);
};

/** The same bytes read as another dtype: the last axis shrinks or grows with the width of the elements. */
function viewAs(call: Call, machine: Machine, dtype: string): Value {
  const input = tensorIn(call);
  const shape = shapeIn(call);
  const [before, after] = [bitsOf(input?.dtype), bitsOf(dtype)];
  const last = shape.dims.length - 1;
  if (before !== undefined && before === after) return machine.tensor('view', call, shape, { dtype });
  if (rankOf(shape) === undefined || last < 0) return machine.tensor('view', call, unknownShape, { dtype });
  const dim = shape.dims[last] ?? one;
  const scaled =
    before === undefined || after === undefined
      ? unknownSize()
      : before > after
        ? multiply(dim, number(before / after))
        : floorDiv(dim, number(after / before));
  return machine.tensor('view', call, replaceAt(shape, last, [scaled]), { dtype });
}

/** `x.view_as(other)`, `x.reshape_as(other)`. */
const reshapedAs =
  (op: string): Run =>
  (call, machine) => {
    const other = tensorIn(call, 'other')?.shape;
    if (other === undefined || rankOf(other) === undefined) return machine.tensor(op, call, other ?? unknownShape);
    return machine.settle(op, call, reshape(shapeIn(call), other.dims, machine.context));
  };

const expanded: Run = (call, machine) => {
  const sizes = sizesIn(call, 'size');
  const input = tensorIn(call);
  if (sizes === undefined) return machine.tensor('expand', call, unknownShape, content(input));
  return machine.settle('expand', call, expand(shapeIn(call), sizes, machine.context), content(input));
};

const expandedAs: Run = (call, machine) => {
  const other = tensorIn(call, 'other')?.shape;
  if (other === undefined || rankOf(other) === undefined) return machine.tensor('expand', call, other ?? unknownShape);
  return machine.settle('expand', call, expand(shapeIn(call), other.dims, machine.context));
};

const repeated: Run = (call, machine) => {
  const counts = plainSizes(sizesIn(call, 'repeats'));
  // Arrays of NumPy and JAX are repeated along an axis.
  const input = call.value('input');
  if (counts === undefined || call.given('axis') || (input.kind === 'tensor' && input.isArray === true))
    return machine.tensor('repeat', call, unknownShape);
  return machine.settle('repeat', call, repeat(filled(shapeIn(call), counts.length), counts, machine.context));
};

/** Without a known rank the number of counts is only an upper bound: sizes stay unknown, their number does not. */
const filled = (shape: Shape, rank: number): Shape =>
  rankOf(shape) === undefined ? shapeOf(...Array.from({ length: rank }, () => unknownDim('the axis is not known'))) : shape;

/** `tile` adds counts of 1 in front where there are fewer than axes. */
const tiled: Run = (call, machine) => {
  const counts = plainSizes(sizesIn(call, 'dims'));
  const shape = shapeIn(call);
  const rank = rankOf(shape);
  if (counts === undefined || rank === undefined) return machine.tensor('repeat', call, unknownShape);
  const missing = Array.from({ length: Math.max(0, rank - counts.length) }, () => one);
  return machine.settle('repeat', call, repeat(shape, [...missing, ...counts], machine.context));
};

const repeatedInterleaved: Run = (call, machine) => {
  const op = 'repeat_interleave';
  const shape = shapeIn(call);
  if (call.isNone('repeats') && !call.given('repeats')) return machine.tensor(op, call, shapeOf(unknownSize()), { dtype: 'int64' });
  const counts = tensorOf(call.value('repeats'));
  const perElement = counts !== undefined ? undefined : isNumber(call.value('repeats')) ? call.dim('repeats') : undefined;
  const outputSize = call.isNone('output_size') ? undefined : call.dim('output_size');
  const size = (dim: Dim): Dim => outputSize ?? (perElement === undefined ? unknownSize() : multiply(dim, perElement));
  if (call.isNone('dim')) return machine.tensor(op, call, shapeOf(size(elementsOf(shape))));
  const axis = axisIn(call);
  if (axis === undefined) return machine.tensor(op, call, sameRank(shape));
  return machine.settle(
    op,
    call,
    judged(machine, (judgement) => {
      const index = requireAxis(judgement, shape, axis);
      return index === undefined ? unknownOrSame(shape) : replaceAt(shape, index, [size(shape.dims[index] ?? unknownSize())]);
    }),
  );
};

const unknownOrSame = (shape: Shape): Shape => (rankOf(shape) === undefined ? unknownShape : shape);

const transposed =
  (op: string, first: string, second: string): Run =>
  (call, machine) => {
    const [i, j] = [axisIn(call, first), axisIn(call, second)];
    const shape = shapeIn(call);
    if (i === undefined || j === undefined) return machine.tensor(op, call, sameRank(shape));
    return machine.settle(op, call, transpose(shape, i, j, machine.context));
  };

const permuted: Run = (call, machine) => {
  const order = numbersOf(call, 'dims');
  if (order === undefined) return machine.tensor('permute', call, sameRank(shapeIn(call)));
  return machine.settle('permute', call, permute(shapeIn(call), order, machine.context));
};

/** Axes given as `*dims` or as one tuple. */
function numbersOf(call: Call, name: string): readonly number[] | undefined {
  const sizes = sizesIn(call, name)?.map((size) => (size === 'infer' ? -1 : size.constant));
  return sizes === undefined || sizes.includes(undefined) ? undefined : (sizes as number[]);
}

const moved: Run = (call, machine) => {
  const shape = shapeIn(call);
  const rank = rankOf(shape);
  const from = call.numbers('source');
  const to = call.numbers('destination');
  if (rank === undefined || from === undefined || to === undefined || from.length !== to.length) {
    return machine.tensor('movedim', call, sameRank(shape));
  }
  const place = (axis: number): number => (axis < 0 ? axis + rank : axis);
  const order: (number | undefined)[] = Array.from({ length: rank }, () => undefined);
  for (const [i, axis] of from.entries()) order[place(to[i] ?? 0)] = place(axis);
  const rest = Array.from({ length: rank }, (_, i) => i).filter((i) => !from.map(place).includes(i));
  const complete = order.map((axis) => axis ?? rest.shift() ?? 0);
  return machine.settle('movedim', call, permute(shape, complete, machine.context));
};

const reversed =
  (op: string): Run =>
  (call, machine) => {
    const shape = shapeIn(call);
    const { dims, ellipsis } = shape;
    const at = ellipsis === undefined ? undefined : dims.length - ellipsis;
    return machine.tensor(op, call, { dims: [...dims].reverse(), ellipsis: at });
  };

/** `x.t()` takes matrices alone. */
const matrixTurned: Run = (call, machine) =>
  (rankOf(shapeIn(call)) ?? 3) <= 2 ? reversed('t')(call, machine) : machine.tensor('t', call, unknownShape);

const lastTwoSwapped =
  (op: string): Run =>
  (call, machine) =>
    machine.settle(op, call, transpose(shapeIn(call), -2, -1, machine.context));

const unsqueezed: Run = (call, machine) => {
  const axis = axisIn(call);
  const shape = shapeIn(call);
  const input = tensorIn(call);
  if (axis !== undefined) return machine.settle('unsqueeze', call, unsqueeze(shape, axis, machine.context), content(input));
  const rank = rankOf(shape);
  return machine.tensor('unsqueeze', call, rank === undefined ? unknownShape : filled(unknownShape, rank + 1), content(input));
};

const squeezed: Run = (call, machine) => {
  const axes = axesIn(call);
  if (axes === undefined) return machine.tensor('squeeze', call, unknownShape);
  return machine.settle('squeeze', call, squeeze(shapeIn(call), axes === 'all' ? undefined : axes, machine.context));
};

const flattened: Run = (call, machine) => {
  const [start, end] = [axisIn(call, 'start_dim'), axisIn(call, 'end_dim')];
  const shape = shapeIn(call);
  if (start === undefined || end === undefined) return machine.tensor('flatten', call, unknownShape);
  // All axes of a tensor that may have any number of them make one.
  if (rankOf(shape) === undefined && start === 0 && end === -1) return machine.tensor('flatten', call, shapeOf(unknownSize()));
  return machine.settle('flatten', call, flatten(shape, start, end, machine.context));
};

const raveled: Run = (call, machine) => {
  const shape = shapeIn(call);
  return machine.tensor('flatten', call, shapeOf(elementsOf(shape)));
};

const unflattened: Run = (call, machine) => {
  const axis = axisIn(call);
  const sizes = sizesIn(call, 'sizes');
  if (axis === undefined || sizes === undefined) return machine.tensor('unflatten', call, unknownShape);
  return machine.settle('unflatten', call, unflatten(shapeIn(call), axis, sizes, machine.context));
};

const chunked: Run = (call, machine) => {
  const [count, axis] = [call.number('chunks'), axisIn(call)];
  const { context } = machine;
  if (axis === undefined) return machine.settleAll('chunk', call, unknownPieces(machine));
  if (count === undefined) return somePieces('chunk', call, machine, shapeIn(call), axis);
  return machine.settleAll('chunk', call, chunk(shapeIn(call), count, axis, context));
};

/** Pieces of which it is not known how many there are: in linting, all alike along the other axes. */
function somePieces(op: string, call: Call, machine: Machine, shape: Shape, axis: number): Value {
  if (!machine.assumesShapes) return machine.settleAll(op, call, unknownPieces(machine));
  const index = locateAxis(shape, axis);
  const piece = typeof index === 'number' ? replaceAt(shape, index, [unknownSize()]) : unknownShape;
  return { kind: 'list', items: [machine.tensor(op, call, piece)], repeat: unknownSize(), open: false };
}

const unknownPieces = ({ context }: Machine) => ({ status: 'unknown', shapes: undefined, substitution: context.substitution }) as const;

const cut: Run = (call, machine) => {
  const input = call.value('input');
  // An array is split into so many parts, or at places.
  if (input.kind === 'tensor' && input.isArray === true)
    return machine.call(machine.library('torch.tensor_split'), [input, call.value('split_size_or_sections'), call.value('dim')]);
  const sizes = call.value('split_size_or_sections');
  const axis = axisIn(call);
  const shape = shapeIn(call);
  if (axis === undefined) return machine.settleAll('split', call, unknownPieces(machine));
  if (sizes.kind === 'list' || sizes.kind === 'tuple') {
    const parts = itemsOf(sizes)?.map((size) => dimOf(size) ?? unknownSize());
    if (parts === undefined) return somePieces('split', call, machine, shape, axis);
    return machine.settleAll('split', call, splitSizes(shape, parts, axis, machine.context));
  }
  const each = isNumber(sizes) ? dimOf(sizes) : undefined;
  if (each === undefined) return somePieces('split', call, machine, shape, axis);
  const pieces = split(shape, each, axis, machine.context);
  const index = locateAxis(shape, axis);
  if (pieces.status !== 'unknown' || pieces.shapes !== undefined || !machine.assumesShapes) return machine.settleAll('split', call, pieces);
  if (typeof index !== 'number') return somePieces('split', call, machine, shape, axis);
  const length = machine.read(dimAt(shape, axis));
  return manyPieces('split', call, machine, replaceAt(shape, index, [unknownSize()]), floorDiv(subtract(add(length, each), one), each));
};

/** As many pieces as a size says, all alike. */
const manyPieces = (op: string, call: Call, machine: Machine, shape: Shape, count: Dim): Value =>
  count.unknown && !machine.assumesShapes
    ? machine.settleAll(op, call, unknownPieces(machine))
    : { kind: 'list', items: [machine.tensor(op, call, shape)], repeat: count, open: false };

/** `tensor_split`: equal parts, the first ones one larger; or cuts at the given places. */
const tensorSplit: Run = (call, machine) => {
  const axis = axisIn(call);
  const shape = shapeIn(call);
  const { context } = machine;
  const given = call.value('indices_or_sections');
  if (axis === undefined) return machine.settleAll('tensor_split', call, unknownPieces(machine));
  const length = machine.read(dimAt(shape, axis));
  if (given.kind === 'int') {
    const [total, count] = [length.constant, given.dim.constant];
    if (count === undefined || count < 1 || count > 256) return somePieces('tensor_split', call, machine, shape, axis);
    const sizes = Array.from({ length: count }, (_, i) =>
      total === undefined ? unknownSize() : number(Math.floor(total / count) + (i < total % count ? 1 : 0)),
    );
    return machine.settleAll('tensor_split', call, splitSizes(shape, sizes, axis, context));
  }
  const cuts = itemsOf(given)?.map(dimOf);
  const isOrdered = cuts?.every((each) => each !== undefined && !each.unknown && each.min >= 0) === true;
  if (cuts !== undefined && isOrdered && machine.assumesShapes && cuts.some((each) => each?.constant === undefined)) {
    const bounds = [zero, ...(cuts as Dim[]), length];
    const sizes = bounds.slice(1).map((to, i) => subtract(to, bounds[i] ?? zero));
    if (sizes.every(({ max }) => max >= 0)) return machine.settleAll('tensor_split', call, splitSizes(shape, sizes, axis, context));
  }
  const places = cuts?.map((place) => place?.constant);
  const total = length.constant;
  if (places === undefined || places.includes(undefined) || total === undefined) {
    return machine.settleAll('tensor_split', call, unknownPieces(machine));
  }
  const bounds = [0, ...(places as number[]).map((place) => Math.max(0, Math.min(total, place < 0 ? place + total : place))), total];
  const sizes = bounds.slice(1).map((to, i) => number(Math.max(0, to - (bounds[i] ?? 0))));
  return machine.settleAll('tensor_split', call, splitSizes(shape, sizes, axis, context));
};

const maximumPieces = 256;

const unbound: Run = (call, machine) => {
  const axis = axisIn(call);
  const shape = shapeIn(call);
  if (axis === undefined) return machine.settleAll('unbind', call, unknownPieces(machine));
  const length = machine.read(dimAt(shape, axis));
  const count = length.constant;
  const { status, shape: piece, substitution, reason } = select(shape, axis, undefined, machine.context);
  if (count === undefined && status !== 'mismatch' && machine.assumesShapes) return manyPieces('unbind', call, machine, piece, length);
  if (count === undefined || count > maximumPieces) return machine.settleAll('unbind', call, unknownPieces(machine));
  const shapes = Array.from({ length: count }, () => piece);
  return machine.settleAll(
    'unbind',
    call,
    reason === undefined ? { status, shapes, substitution } : { status, shapes, substitution, reason },
  );
};

interface Operands {
  readonly values: readonly Value[];
  readonly shapes: readonly Shape[];
  /** The tensors among the values. */
  readonly inputs: readonly TensorValue[];
  readonly dtype: Dtype | undefined;
}

/** Shapes of a list of tensors; those that are no tensors are unknown. Undefined when their number is not known. */
function shapesOf(call: Call, name = 'tensors'): Operands | undefined {
  const value = call.value(name);
  let values = itemsOf(value);
  const [only] = values ?? [];
  if (values?.length === 1 && (only?.kind === 'tuple' || only?.kind === 'list')) values = itemsOf(only);
  if (values === undefined) return undefined;
  const shapes = values.map((item) => tensorOf(item)?.shape ?? unknownShape);
  return { values, shapes, inputs: values.flatMap((item) => tensorOf(item) ?? []), dtype: promote(values) };
}

const held = ({ inputs, dtype }: Operands): TensorOptions => ({ inputs, dtype });

interface Repeated {
  /** Undefined where the others are known to fit this one and no more. */
  readonly count: Dim | undefined;
  readonly tensor: TensorValue;
  readonly shape: Shape;
}

/** Tensors of one list that repeats an unknown number of times, or of which only some are known: what is joined is of one rank. */
function repeatedTensor(value: Value): Repeated | undefined {
  if (value.kind !== 'list') return undefined;
  if (!value.open) {
    const tensor = value.repeat === undefined ? undefined : tensorOf(value.items[0]);
    return tensor === undefined ? undefined : { count: value.repeat, tensor, shape: tensor.shape };
  }
  const [tensor, ...others] = value.items.flatMap((item) => tensorOf(item) ?? []);
  if (tensor === undefined || others.length + 1 < value.items.length) return undefined;
  const shape = others.reduce((known, each) => joinShapes(known, each.shape), tensor.shape);
  return (rankOf(shape) ?? 0) < 2 ? undefined : { count: undefined, tensor, shape };
}

const joined: Run = (call, machine) => {
  const axis = axisIn(call);
  const tensors = shapesOf(call);
  if (axis === undefined) return machine.tensor('cat', call, unknownShape);
  if (tensors === undefined) {
    const many = repeatedTensor(call.value('tensors'));
    const index = many === undefined ? undefined : locateAxis(many.shape, axis);
    if (many === undefined || typeof index !== 'number') return machine.tensor('cat', call, unknownShape);
    const size = many.count === undefined ? unknownSize() : multiply(many.count, many.shape.dims[index] ?? unknownSize());
    return machine.tensor('cat', call, replaceAt(many.shape, index, [size]), { dtype: many.tensor.dtype, inputs: [many.tensor] });
  }
  // torch skips tensors of shape (0,), which caches start from.
  const shapes = tensors.shapes.filter(({ dims, ellipsis }) => !(ellipsis === undefined && dims.length === 1 && dims[0]?.constant === 0));
  const [first] = tensors.shapes;
  // A list that is empty here was most likely filled by code that could not be followed.
  if (shapes.length === 0) return machine.tensor('cat', call, first ?? unknownShape);
  return machine.settle('cat', call, concatenate(shapes, axis, machine.context), held(tensors));
};

const stacked: Run = (call, machine) => {
  const axis = axisIn(call);
  const tensors = shapesOf(call);
  if (axis === undefined) return machine.tensor('stack', call, unknownShape);
  if (tensors === undefined) {
    const many = repeatedTensor(call.value('tensors'));
    if (many === undefined) return machine.tensor('stack', call, unknownShape);
    const result = unsqueeze(many.shape, axis, machine.context);
    const index = locateAxis(result.shape, axis);
    const shape = typeof index === 'number' ? replaceAt(result.shape, index, [many.count ?? unknownSize()]) : unknownShape;
    return machine.tensor('stack', call, shape, { dtype: many.tensor.dtype, inputs: [many.tensor] });
  }
  if (tensors.shapes.length === 0) return machine.tensor('stack', call, unknownShape);
  return machine.settle('stack', call, stack(tensors.shapes, axis, machine.context), held(tensors));
};

/** `hstack`, `vstack`, `dstack`: axes are added first, then the tensors are joined. */
const stackedAlong =
  (op: string): Run =>
  (call, machine) => {
    const tensors = shapesOf(call);
    const ranks = tensors?.shapes.map(rankOf);
    if (tensors === undefined || ranks === undefined || ranks.length === 0 || ranks.includes(undefined)) {
      return machine.tensor(op, call, unknownShape);
    }
    const raised = tensors.shapes.map((shape) => {
      const { dims } = shape;
      if (op === 'hstack') return dims.length === 0 ? shapeOf(one) : shape;
      if (op === 'vstack') return dims.length === 0 ? shapeOf(one, one) : dims.length === 1 ? shapeOf(one, ...dims) : shape;
      if (op === 'column_stack') return dims.length === 0 ? shapeOf(one, one) : dims.length === 1 ? shapeOf(...dims, one) : shape;
      return dims.length === 0
        ? shapeOf(one, one, one)
        : dims.length === 1
          ? shapeOf(one, ...dims, one)
          : dims.length === 2
            ? shapeOf(...dims, one)
            : shape;
    });
    const first = raised[0]?.dims.length ?? 0;
    const axis = op === 'hstack' ? (first === 1 ? 0 : 1) : op === 'vstack' ? 0 : op === 'column_stack' ? 1 : 2;
    return machine.settle(op, call, concatenate(raised, axis, machine.context), held(tensors));
  };

/** A quarter turn swaps two axes, a half turn none. */
const turned: Run = (call, machine) => {
  const [count, axes] = [call.number('k'), call.numbers('dims')];
  const [i, j] = axes ?? [];
  const shape = shapeIn(call);
  if (count === undefined || i === undefined || j === undefined) return machine.tensor('rot90', call, sameRank(shape));
  if (count % 2 === 0) return machine.tensor('rot90', call, shape);
  return machine.settle('rot90', call, transpose(shape, i, j, machine.context));
};

const narrowed: Run = (call, machine) => {
  const axis = axisIn(call);
  const shape = shapeIn(call);
  const length = isNumber(call.value('length')) ? call.dim('length') : undefined;
  if (axis === undefined) return machine.tensor('narrow', call, sameRank(shape));
  return machine.settle(
    'narrow',
    call,
    judged(machine, (judgement) => {
      const index = requireAxis(judgement, shape, axis);
      if (index === undefined) return unknownOrSame(shape);
      const dim = shape.dims[index] ?? unknownSize();
      if (length !== undefined && judgement.isAtLeast(subtract(length, one), dim)) judgement.fail('the piece is longer than the axis');
      return replaceAt(shape, index, [length ?? unknownSize()]);
    }),
  );
};

const selected: Run = (call, machine) => {
  const axis = axisIn(call);
  if (axis === undefined) return machine.tensor('select', call, unknownShape);
  return machine.settle('select', call, select(shapeIn(call), axis, call.dim('index'), machine.context));
};

const indexSelected: Run = (call, machine) => {
  const axis = axisIn(call);
  const shape = shapeIn(call);
  const index = tensorIn(call, 'index')?.shape;
  if (axis === undefined) return machine.tensor('index_select', call, sameRank(shape));
  const count = index === undefined ? unknownSize() : elementsOf(index);
  return machine.settle(
    'index_select',
    call,
    judged(machine, (judgement) => {
      const at = requireAxis(judgement, shape, axis);
      return at === undefined ? unknownOrSame(shape) : replaceAt(shape, at, [count]);
    }),
  );
};

/** `gather`: as large as the index; both have the same number of axes. */
const gathered: Run = (call, machine) => {
  const index = tensorIn(call, 'index')?.shape;
  const shape = shapeIn(call);
  return machine.settle(
    'gather',
    call,
    judged(machine, (judgement) => {
      const [a, b] = [rankOf(shape), index === undefined ? undefined : rankOf(index)];
      if (a !== undefined && b !== undefined && a !== b && a > 0 && b > 0) judgement.failOfAxes(`the index has ${b} axes, the tensor ${a}`);
      return index ?? sameRank(shape);
    }),
    { dtype: tensorIn(call)?.dtype },
  );
};

const takenAlong: Run = (call, machine) => {
  const index = tensorIn(call, 'indices')?.shape;
  const shape = shapeIn(call);
  const axis = axisIn(call);
  if (index === undefined) return machine.tensor('take_along_dim', call, unknownShape);
  if (call.isNone('dim')) return machine.tensor('take_along_dim', call, shapeOf(elementsOf(index)));
  const at = axis === undefined ? undefined : locateAxis(shape, axis);
  const rank = rankOf(shape);
  if (rank === undefined || rank !== rankOf(index) || typeof at !== 'number')
    return machine.tensor('take_along_dim', call, sameRank(shape));
  // All other axes broadcast.
  const length = index.dims[at] ?? unknownSize();
  const result = broadcastAll([replaceAt(shape, at, [length]), index], machine.context);
  return machine.settle('take_along_dim', call, result, { dtype: tensorIn(call)?.dtype });
};

/** Pads in pairs from the last axis backwards; negative ones cut. */
const padded: Run = (call, machine) => {
  const shape = shapeIn(call);
  const pads = itemsOf(call.value('pad'));
  if (pads === undefined) return machine.tensor('pad', call, sameRank(shape));
  const rank = rankOf(shape);
  const count = Math.floor(pads.length / 2);
  return machine.settle(
    'pad',
    call,
    judged(machine, (judgement) => {
      if (pads.length % 2 !== 0) judgement.fail('pads come in pairs');
      if (rank !== undefined && count > rank) {
        judgement.failOfAxes(`${count} pairs of pads, and ${rank} axes`);
        return shape;
      }
      let result = shape;
      for (let i = 0; i < count; i++) {
        const at = locateAxis(shape, -1 - i);
        if (typeof at !== 'number') return unknownShape;
        const [before, after] = [pads[2 * i], pads[2 * i + 1]].map((pad) => (pad !== undefined && isNumber(pad) ? dimOf(pad) : undefined));
        const size =
          before === undefined || after === undefined
            ? unknownSize()
            : simplify(add(judgement.read(shape.dims[at] ?? one), add(before, after)), judgement.facts);
        result = replaceAt(result, at, [size]);
      }
      return result;
    }),
  );
};

const meshed: Run = (call, machine) => {
  const tensors = shapesOf(call);
  const ranks = tensors?.shapes.map(rankOf);
  if (tensors === undefined || ranks?.some((rank) => rank === undefined || rank > 1)) {
    return machine.settleAll('meshgrid', call, unknownPieces(machine));
  }
  const dims = tensors.shapes.map(({ dims }) => dims[0] ?? one);
  const isXy = call.text('indexing') === 'xy' && dims.length > 1;
  const isKnown = call.isNone('indexing') || call.text('indexing') !== undefined;
  const ordered = isXy ? [dims[1] ?? one, dims[0] ?? one, ...dims.slice(2)] : dims;
  const shape = isKnown ? shapeOf(...ordered) : filled(unknownShape, dims.length);
  const { substitution } = machine.context;
  return machine.settleAll('meshgrid', call, { status: 'ok', shapes: dims.map(() => shape), substitution }, held(tensors));
};

const diagonal: Run = (call, machine) => {
  const shape = shapeIn(call);
  const offset = call.number('offset');
  const [i, j] = [axisIn(call, 'dim1'), axisIn(call, 'dim2')].map((axis) => (axis === undefined ? undefined : locateAxis(shape, axis)));
  const rank = rankOf(shape);
  if (rank === undefined || typeof i !== 'number' || typeof j !== 'number') return machine.tensor('diagonal', call, unknownShape);
  const [a, b] = [shape.dims[i] ?? one, shape.dims[j] ?? one].map((dim) => machine.read(dim)) as [Dim, Dim];
  const rest = shape.dims.filter((_, at) => at !== i && at !== j);
  const length =
    offset === 0 && a.key === b.key
      ? a
      : a.constant !== undefined && b.constant !== undefined && offset !== undefined
        ? number(Math.max(0, offset >= 0 ? Math.min(a.constant, b.constant - offset) : Math.min(a.constant + offset, b.constant)))
        : unknownSize();
  return machine.tensor('diagonal', call, shapeOf(...rest, length));
};

/** A vector becomes a matrix, a matrix its diagonal. */
const diag: Run = (call, machine) => {
  const shape = shapeIn(call);
  const offset = call.number('diagonal');
  const [first, second] = shape.dims;
  if (rankOf(shape) === 1 && first !== undefined) {
    const side = offset === undefined ? unknownSize() : add(first, number(Math.abs(offset)));
    return machine.tensor('diag', call, shapeOf(side, side));
  }
  if (rankOf(shape) !== 2 || first === undefined || second === undefined) return machine.tensor('diag', call, unknownShape);
  const length = offset === 0 && first.key === second.key ? first : unknownSize();
  return machine.tensor('diag', call, shapeOf(length));
};

const diagEmbed: Run = (call, machine) => {
  const shape = shapeIn(call);
  const offset = call.number('offset');
  const last = shape.dims[shape.dims.length - 1];
  if (rankOf(shape) === undefined || last === undefined || axisIn(call, 'dim1') !== -2 || axisIn(call, 'dim2') !== -1) {
    return machine.tensor('diag_embed', call, unknownShape);
  }
  const side = offset === undefined ? unknownSize() : add(last, number(Math.abs(offset)));
  return machine.tensor('diag_embed', call, shapeOf(...shape.dims.slice(0, -1), side, side));
};

/** Windows along one axis: `(size - window) // step + 1` of them, and the window as a new last axis. */
const unfolded: Run = (call, machine) => {
  const shape = shapeIn(call);
  const axis = axisIn(call, 'dimension');
  const [window, step] = [call.dim('size'), call.dim('step')];
  if (axis === undefined || rankOf(shape) === undefined) return machine.tensor('unfold', call, unknownShape);
  return machine.settle(
    'unfold',
    call,
    judged(machine, (judgement) => {
      const at = requireAxis(judgement, shape, axis);
      if (at === undefined) return unknownShape;
      const dim = judgement.read(shape.dims[at] ?? one);
      const count =
        window === undefined || step === undefined
          ? unknownSize()
          : simplify(add(floorDiv(subtract(dim, window), step), one), judgement.facts);
      return shapeOf(...replaceAt(shape, at, [count]).dims, window ?? unknownSize());
    }),
  );
};

const broadcastTogether: Run = (call, machine) => {
  const tensors = shapesOf(call);
  if (tensors === undefined) return machine.settleAll('broadcast_tensors', call, unknownPieces(machine));
  const { shape, ...rest } = broadcastAll(tensors.shapes, machine.context);
  return machine.settleAll('broadcast_tensors', call, { ...rest, shapes: tensors.shapes.map(() => shape) }, held(tensors));
};

const broadcastShapes: Run = (call, machine) => {
  const shapes = itemsOf(call.value('shapes'))?.map((value) => itemsOf(value)?.map((item) => dimOf(item) ?? unknownSize()));
  if (shapes === undefined || shapes.includes(undefined)) return { kind: 'tuple', items: [], ellipsis: 0, isSize: true };
  const { shape } = broadcastAll(
    (shapes as Dim[][]).map((dims) => shapeOf(...dims)),
    machine.context,
  );
  return { kind: 'tuple', items: shape.dims.map((dim) => ({ kind: 'int', dim }) as const), ellipsis: shape.ellipsis, isSize: true };
};

const blockDiagonal: Run = (call, machine) => {
  const shapes = shapesOf(call)?.shapes;
  if (shapes === undefined || shapes.some((shape) => rankOf(shape) !== 2))
    return machine.tensor('block_diag', call, withRank(unknownShape, 2) ?? unknownShape);
  const sum = (at: number): Dim => shapes.map(({ dims }) => dims[at] ?? one).reduce(add, number(0));
  return machine.tensor('block_diag', call, shapeOf(sum(0), sum(1)));
};

const atLeast =
  (op: string, rank: number): Run =>
  (call, machine) => {
    const shape = shapeIn(call);
    const known = rankOf(shape);
    if (known === undefined) return machine.tensor(op, call, unknownShape);
    if (known >= rank) return machine.tensor(op, call, shape);
    const [first = one] = shape.dims;
    if (rank === 3 && known === 1) return machine.tensor(op, call, shapeOf(one, first, one));
    if (rank === 3 && known === 2) return machine.tensor(op, call, shapeOf(...shape.dims, one));
    return machine.tensor(op, call, shapeOf(...Array.from({ length: rank - known }, () => one), ...shape.dims));
  };

/** Sequences of different lengths made into one tensor as long as the longest. */
const padSequence: Run = (call, machine) => {
  const sequences = call.value('sequences');
  const items = itemsOf(sequences);
  const many = repeatedTensor(sequences);
  const first = tensorOf(items?.[0]) ?? many?.tensor;
  const shape = items === undefined ? many?.shape : first?.shape;
  const count = items !== undefined ? number(items.length) : (many?.count ?? unknownSize());
  const batchFirst = call.boolean('batch_first');
  if (first === undefined || shape === undefined || rankOf(shape) === undefined || batchFirst === undefined)
    return machine.tensor('pad_sequence', call, unknownShape);
  const longest = unknownDim('the longest of several sequences');
  const front: ViewDim[] = batchFirst ? [count, longest] : [longest, count];
  return machine.tensor('pad_sequence', call, shapeOf(...(plainSizes(front) ?? []), ...shape.dims.slice(1)), {
    dtype: first.dtype,
  });
};

export const shapeOperations = operations({
  'Tensor.view': ['input, *shape|size|dtype', view],
  'torch.reshape Tensor.reshape': ['input, *shape|size', reshaped('reshape')],
  'Tensor.view_as': ['input, other', reshapedAs('view')],
  'Tensor.reshape_as': ['input, other', reshapedAs('reshape')],
  'Tensor.expand torch.broadcast_to Tensor.broadcast_to': ['input, *size|shape, implicit=False', expanded],
  'Tensor.expand_as': ['input, other', expandedAs],
  'Tensor.repeat': ['input, *repeats, axis=None', repeated],
  'torch.tile Tensor.tile': ['input, *dims', tiled],
  'torch.repeat_interleave': ['input, repeats=None, dim=None, *, output_size=None', repeatedInterleaved],
  'torch.transpose Tensor.transpose_ torch.swapaxes torch.swapdims': [
    'input, dim0|axis0, dim1|axis1',
    transposed('transpose', 'dim0', 'dim1'),
  ],
  'torch.t Tensor.t_': ['input', matrixTurned],
  'Tensor.attribute:T': ['input', reversed('t')],
  'Tensor.attribute:mT torch.adjoint Tensor.attribute:mH Tensor.attribute:H': ['input', lastTwoSwapped('mT')],
  'torch.permute Tensor.permute Tensor.permute_': ['input, *dims', permuted],
  'torch.movedim torch.moveaxis': ['input, source, destination', moved],
  'torch.unsqueeze Tensor.unsqueeze_': ['input, dim|axis', unsqueezed],
  'torch.squeeze Tensor.squeeze_': ['input, dim|axis=None', squeezed],
  'torch.flatten': ['input, start_dim=0, end_dim=-1', flattened],
  'torch.ravel': ['input', raveled],
  'torch.unflatten': ['input, dim, sizes|unflattened_size', unflattened],
  'torch.chunk': ['input, chunks, dim=0', chunked],
  'torch.unsafe_chunk': ['input, chunks, dim=0', chunked],
  'torch.split torch.unsafe_split torch.split_with_sizes': ['input|tensor, split_size_or_sections|split_size|split_sizes, dim=0', cut],
  'torch.tensor_split': ['input, indices_or_sections|sections|indices, dim=0', tensorSplit],
  'torch.unbind': ['input, dim=0', unbound],
  'torch.cat torch.concat torch.concatenate': ['tensors, dim|axis=0, *, out=None', joined],
  'torch.stack': ['tensors, dim|axis=0, *, out=None', stacked],
  'torch.hstack': ['tensors', stackedAlong('hstack')],
  'torch.vstack torch.row_stack': ['tensors', stackedAlong('vstack')],
  'torch.dstack': ['tensors', stackedAlong('dstack')],
  'torch.column_stack': ['tensors', stackedAlong('column_stack')],
  'torch.roll': ['input, shifts, dims=None', keep('roll')],
  'torch.flip Tensor.flip': ['input, *dims', keep('flip')],
  'torch.fliplr torch.flipud': ['input', keep('flip')],
  'torch.rot90': ['input, k=1, dims=(0, 1)', turned],
  'torch.narrow': ['input, dim, start, length', narrowed],
  'torch.select': ['input, dim, index', selected],
  'torch.index_select': ['input, dim, index, *, out=None', indexSelected],
  'torch.gather': ['input, dim, index, *, sparse_grad=False, out=None', gathered],
  'torch.take_along_dim': ['input, indices, dim=None, *, out=None', takenAlong],
  'torch.take': [
    'input, index',
    (call, machine) => machine.tensor('take', call, tensorIn(call, 'index')?.shape ?? unknownShape, { dtype: tensorIn(call)?.dtype }),
  ],
  'torch.scatter Tensor.scatter_': ['input, dim, index, src|value=None, *, reduce=None', keep('scatter')],
  'torch.scatter_add Tensor.scatter_add_': ['input, dim, index, src', keep('scatter_add')],
  'torch.scatter_reduce Tensor.scatter_reduce_': ['input, dim, index, src, reduce=None, *, include_self=True', keep('scatter_reduce')],
  'torch.index_add Tensor.index_add_': ['input, dim, index, source, *, alpha=1', keep('index_add')],
  'torch.index_copy Tensor.index_copy_': ['input, dim, index, source', keep('index_copy')],
  'torch.index_fill Tensor.index_fill_': ['input, dim, index, value', keep('index_fill')],
  'torch.index_put Tensor.index_put_': ['input, indices, values, accumulate=False', keep('index_put')],
  'torch.slice_scatter': ['input, src, dim=0, start=None, end=None, step=1', keep('slice_scatter')],
  'torch.select_scatter': ['input, src, dim, index', keep('select_scatter')],
  'torch.nn.functional.pad': ["input, pad, mode='constant', value=None", padded],
  'torch.meshgrid': ['*tensors, indexing=None', meshed],
  'torch.diagonal': ['input, offset=0, dim1=0, dim2=1', diagonal],
  'torch.linalg.diagonal': ['input, *, offset=0, dim1=-2, dim2=-1', diagonal],
  'torch.diag': ['input, diagonal=0', diag],
  'torch.diag_embed': ['input, offset=0, dim1=-2, dim2=-1', diagEmbed],
  'Tensor.unfold': ['input, dimension, size, step', unfolded],
  'torch.broadcast_tensors': ['*tensors', broadcastTogether],
  'torch.broadcast_shapes': ['*shapes', broadcastShapes],
  'torch.block_diag': ['*tensors', blockDiagonal],
  'torch.atleast_1d': ['input', atLeast('atleast_1d', 1)],
  'torch.atleast_2d': ['input', atLeast('atleast_2d', 2)],
  'torch.atleast_3d': ['input', atLeast('atleast_3d', 3)],
  'torch.nn.utils.rnn.pad_sequence': ["sequences, batch_first=False, padding_value=0.0, padding_side='right'", padSequence],
  'torch.view_as_real': [
    'input',
    (call, machine) => {
      const { dims, ellipsis } = shapeIn(call);
      return machine.tensor('view_as_real', call, { dims: [...dims, number(2)], ellipsis }, { dtype: 'float32' });
    },
  ],
  'torch.view_as_complex': [
    'input',
    (call, machine) => {
      const shape = shapeIn(call);
      const last = locateAxis(shape, -1);
      return machine.tensor('view_as_complex', call, typeof last === 'number' ? replaceAt(shape, last, []) : unknownShape, {
        dtype: 'complex64',
      });
    },
  ],
  'Tensor.as_strided torch.as_strided': [
    'input, size, stride, storage_offset=None',
    (call, machine) => {
      const sizes = plainSizes(sizesIn(call, 'size'));
      return machine.tensor('as_strided', call, sizes === undefined ? unknownShape : shapeOf(...sizes));
    },
  ],
  'torch.combinations': ['input, r=2, with_replacement=False', (call, machine) => machine.tensor('combinations', call, unknownShape)],
});
