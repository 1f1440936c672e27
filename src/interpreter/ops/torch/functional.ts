/** torch.nn.functional: layers as functions, attention, convolutions, pools, losses. */
import { add, ceilDiv, type Dim, floorDiv, multiply, multiplyAll, number, one, subtract, unknownDim, zero } from '../../../dims/dim.ts';
import { divideWhole, simplify } from '../../../dims/facts.ts';
import {
  broadcast,
  type Judgement,
  linear,
  locateAxis,
  openShape,
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
import { isInOneRow } from '../../lengths.ts';
import { dimOf, none, numberOf, tuple } from '../../make.ts';
import type { Call, Machine } from '../../operation.ts';
import type { Value } from '../../value.ts';
import {
  axesIn,
  axisIn,
  broadcastAll,
  isNumber,
  itemsOf,
  judged,
  keep,
  keepFractional,
  operandShape,
  perAxis,
  promote,
  type Run,
  scalar,
  shapeIn,
  tensorIn,
} from './support.ts';

const notKnown = (what: string): Dim => unknownDim(`${what} is not known`);

/** The last `count` sizes of a shape; undefined where they may be hidden. */
function lastDims(shape: Shape, count: number): readonly Dim[] | undefined {
  const from = shape.dims.length - count;
  if (from < 0 || (shape.ellipsis !== undefined && shape.ellipsis > from)) return undefined;
  return shape.dims.slice(from);
}

const applyLinear: Run = (call, machine) => {
  const shape = shapeIn(call);
  const weight = shapeIn(call, 'weight');
  const dtype = tensorIn(call)?.dtype;
  const [outputs, inputs] = weight.dims;
  if (rankOf(weight) === 1 && outputs !== undefined) {
    const last = locateAxis(shape, -1);
    const result = typeof last === 'number' ? replaceAt(shape, last, []) : unknownShape;
    return machine.tensor('linear', call, result, { dtype });
  }
  if (rankOf(weight) !== 2 || outputs === undefined || inputs === undefined) {
    const last = locateAxis(shape, -1);
    const result =
      typeof last === 'number' ? replaceAt(shape, last, [notKnown('the width of the layer')]) : openShape([], [notKnown('the width')]);
    return machine.tensor('linear', call, rankOf(weight) === undefined ? result : unknownShape, { dtype });
  }
  const result = linear(
    isInOneRow(shape) ? replaceAt(shape, -1 + shape.dims.length, [notKnown('all rows stand in one')]) : shape,
    inputs,
    outputs,
    machine.context,
  );
  const bias = tensorIn(call, 'bias')?.shape;
  if (result.status === 'mismatch' || bias === undefined || rankOf(bias) !== 1) return machine.settle('linear', call, result, { dtype });
  const added = broadcast(shapeOf(outputs), bias, { ...machine.context, substitution: result.substitution });
  return machine.settle('linear', call, added.status === 'mismatch' ? { ...added, shape: result.shape } : result, { dtype });
};

const bilinear: Run = (call, machine) => {
  const shape = shapeIn(call);
  const weight = shapeIn(call, 'weight');
  const last = locateAxis(shape, -1);
  const [outputs] = weight.dims;
  if (typeof last !== 'number' || rankOf(weight) !== 3 || outputs === undefined) return machine.tensor('bilinear', call, unknownShape);
  return machine.tensor('bilinear', call, replaceAt(shape, last, [outputs]));
};

const embedding: Run = (call, machine) => {
  const weight = tensorIn(call, 'weight');
  const { dims, ellipsis } = shapeIn(call);
  const width = weight === undefined ? undefined : lastDims(weight.shape, 1)?.[0];
  const rank = weight === undefined ? undefined : rankOf(weight.shape);
  const last = width !== undefined && (rank === 2 || rank === undefined) ? width : notKnown('the width of the table');
  return machine.tensor('embedding', call, { dims: [...dims, last], ellipsis }, { dtype: weight?.dtype });
};

const embeddingBag: Run = (call, machine) => {
  const [shape, weight] = [shapeIn(call), tensorIn(call, 'weight')];
  const width = weight === undefined ? undefined : lastDims(weight.shape, 1)?.[0];
  const [bags] = shape.dims;
  if (rankOf(shape) !== 2 || bags === undefined || width === undefined) return machine.tensor('embedding_bag', call, unknownShape);
  return machine.tensor('embedding_bag', call, shapeOf(bags, width), { dtype: weight?.dtype });
};

/** The last axes must be as large as the norm was made for, and so must its weight be. */
const normed =
  (op: string): Run =>
  (call, machine) => {
    const shape = shapeIn(call);
    const items =
      itemsOf(call.value('normalized_shape')) ?? (isNumber(call.value('normalized_shape')) ? [call.value('normalized_shape')] : []);
    const sizes = items.map((item) => dimOf(item) ?? notKnown('the width of the norm'));
    const weight = tensorIn(call, 'weight')?.shape;
    const result = judged(machine, (judgement) => {
      const dims = lastDims(shape, sizes.length);
      if (dims === undefined) {
        if (rankOf(shape) !== undefined) judgement.failOfAxes(`the norm is over ${sizes.length} axes, and there are ${shape.dims.length}`);
        // What is normed ends in the axes for which the norm is made.
        return shape.dims.length === 0 && shape.ellipsis !== undefined ? { dims: sizes, ellipsis: 0 } : shape;
      }
      for (const [i, size] of sizes.entries()) {
        judgement.same(dims[i] ?? one, size, (x, y) => `the last axis is ${x}, and the norm is made for ${y}`);
      }
      if (weight !== undefined && rankOf(weight) === sizes.length) {
        for (const [i, size] of sizes.entries()) {
          judgement.same(weight.dims[i] ?? one, size, (x, y) => `the weight of the norm has ${x}, and it is made for ${y}`);
        }
      }
      return shape;
    });
    return machine.settle(op, call, result, { dtype: tensorIn(call)?.dtype });
  };

/** Norms over channels, the second axis. */
function channelNorm(op: string, judge?: (call: Call, judgement: Judgement, channels: Dim) => void): Run {
  return (call, machine) => {
    const shape = shapeIn(call);
    const weight = tensorIn(call, 'weight')?.shape;
    const result = judged(machine, (judgement) => {
      const at = locateAxis(shape, 1);
      const channels = typeof at === 'number' ? shape.dims[at] : undefined;
      if (channels === undefined) return shape;
      const [size] = weight?.dims ?? [];
      if (size !== undefined && weight !== undefined && rankOf(weight) === 1) {
        judgement.same(channels, size, (x, y) => `the tensor has ${x} channels, and the norm is made for ${y}`);
      }
      judge?.(call, judgement, channels);
      return shape;
    });
    return machine.settle(op, call, result, { dtype: tensorIn(call)?.dtype });
  };
}

const groupsDivide = (call: Call, judgement: Judgement, channels: Dim): void => {
  const [groups, count] = [call.number('num_groups'), judgement.read(channels).constant];
  if (groups !== undefined && count !== undefined && groups > 0 && count % groups !== 0) {
    judgement.fail(`${groups} groups do not divide ${count} channels`);
  }
};

/** The number of places at which a window of `kernel` fits, `(length + 2 p - d (k - 1) - 1) // stride + 1`. */
function windows(
  length: Dim,
  kernel: Dim | undefined,
  stride: Dim | undefined,
  padding: Dim | undefined,
  dilation: Dim | undefined,
  isCeil: boolean | undefined,
  machine: Machine,
): Dim {
  if (kernel === undefined || stride === undefined || padding === undefined || dilation === undefined || isCeil === undefined) {
    return notKnown('the size of the window');
  }
  const { facts } = machine.context;
  const padded = add(machine.read(length), multiply(number(2), padding));
  const span = subtract(padded, add(multiply(dilation, subtract(kernel, one)), one));
  // Patches that do not overlap: exactly length / stride where that is known to be whole.
  const whole = kernel.key === stride.key && dilation.constant === 1 ? divideWhole(padded, stride, facts) : undefined;
  if (whole !== undefined) return whole;
  if (!isCeil) return simplify(add(floorDiv(span, stride), one), facts);
  const count = add(ceilDiv(span, stride), one);
  const [s, p, l] = [stride.constant, padding.constant, length.constant];
  if (s === undefined || p === undefined || l === undefined || count.constant === undefined) return notKnown('the last window');
  // The last window must start inside the input or its padding on the left.
  return number((count.constant - 1) * s >= l + p ? count.constant - 1 : count.constant);
}

/** `(N, C, ...)` or `(C, ...)`: where the spatial axes start; undefined where the rank is not known or does not fit. */
const spatialStart = (shape: Shape, axes: number): number | undefined => {
  const rank = rankOf(shape);
  return rank === axes + 2 || rank === axes + 1 ? rank - axes : undefined;
};

const wrongRank = (judgement: Judgement, op: string, shape: Shape, axes: number): Shape => {
  if (rankOf(shape) !== undefined) judgement.failOfAxes(`${op} takes ${axes + 1} or ${axes + 2} axes, and there are ${shape.dims.length}`);
  else judgement.doubt('the number of axes is not known');
  return unknownShape;
};

const convolution =
  (axes: number): Run =>
  (call, machine) => {
    const op = `conv${axes}d`;
    const shape = shapeIn(call);
    const weight = shapeIn(call, 'weight');
    const groups = call.dim('groups');
    const mode = call.text('padding');
    const result = judged(machine, (judgement) => {
      const start = spatialStart(shape, axes);
      if (start === undefined) return wrongRank(judgement, op, shape, axes);
      const [outputs, inputs, ...kernel] = rankOf(weight) === axes + 2 ? weight.dims : [];
      const channels = shape.dims[start - 1];
      if (inputs !== undefined && groups !== undefined && channels !== undefined) {
        judgement.same(channels, multiply(inputs, groups), (x, y) => `the tensor has ${x} channels, and the convolution takes ${y}`);
      }
      const [stride, padding, dilation] = ['stride', 'padding', 'dilation'].map((name) => perAxis(call.value(name), axes));
      const spatial = shape.dims.slice(start).map((length, i) => {
        if (mode === 'same') return length;
        return windows(length, kernel[i], stride?.[i], mode === 'valid' ? zero : padding?.[i], dilation?.[i], false, machine);
      });
      return shapeOf(...shape.dims.slice(0, start - 1), outputs ?? notKnown('the number of channels'), ...spatial);
    });
    return machine.settle(op, call, result, { dtype: tensorIn(call)?.dtype });
  };

/** `(length - 1) stride - 2 p + d (k - 1) + output_padding + 1`. */
const transposedConvolution =
  (axes: number): Run =>
  (call, machine) => {
    const op = `conv_transpose${axes}d`;
    const shape = shapeIn(call);
    const weight = shapeIn(call, 'weight');
    const groups = call.dim('groups');
    const result = judged(machine, (judgement) => {
      const start = spatialStart(shape, axes);
      if (start === undefined) return wrongRank(judgement, op, shape, axes);
      const [inputs, outputs, ...kernel] = rankOf(weight) === axes + 2 ? weight.dims : [];
      const channels = shape.dims[start - 1];
      if (inputs !== undefined && channels !== undefined) {
        judgement.same(channels, inputs, (x, y) => `the tensor has ${x} channels, and the convolution takes ${y}`);
      }
      const [stride, padding, dilation, extra] = ['stride', 'padding', 'dilation', 'output_padding'].map((name) =>
        perAxis(call.value(name), axes),
      );
      const spatial = shape.dims.slice(start).map((length, i) => {
        const [k, s, p, d, e] = [kernel[i], stride?.[i], padding?.[i], dilation?.[i], extra?.[i]];
        if (k === undefined || s === undefined || p === undefined || d === undefined || e === undefined)
          return notKnown('the size of the window');
        const reach = add(multiply(subtract(length, one), s), multiply(d, subtract(k, one)));
        return simplify(add(subtract(reach, multiply(number(2), p)), add(e, one)), judgement.facts);
      });
      const made = outputs === undefined || groups === undefined ? notKnown('the number of channels') : multiply(outputs, groups);
      return shapeOf(...shape.dims.slice(0, start - 1), made, ...spatial);
    });
    return machine.settle(op, call, result, { dtype: tensorIn(call)?.dtype });
  };

const pool =
  (op: string, axes: number): Run =>
  (call, machine) => {
    const shape = shapeIn(call);
    const kernel = perAxis(call.value('kernel_size'), axes);
    const stride = call.isNone('stride') || itemsOf(call.value('stride'))?.length === 0 ? kernel : perAxis(call.value('stride'), axes);
    const padding = perAxis(call.value('padding'), axes);
    const dilation = op.startsWith('max') ? perAxis(call.value('dilation'), axes) : kernel.map(() => one);
    const result = judged(machine, (judgement) => {
      const start = spatialStart(shape, axes);
      if (start === undefined) return wrongRank(judgement, op, shape, axes);
      const isCeil = call.boolean('ceil_mode');
      const spatial = shape.dims
        .slice(start)
        .map((length, i) => windows(length, kernel[i], stride[i], padding[i], dilation[i], isCeil, machine));
      return shapeOf(...shape.dims.slice(0, start), ...spatial);
    });
    return pooled(op, call, machine, result);
  };

/** Pools answer the places too where they are asked for. */
function pooled(op: string, call: Call, machine: Machine, result: ShapeResult): Value {
  const values = machine.settle(op, call, result, { dtype: tensorIn(call)?.dtype, index: 0 });
  if (call.boolean('return_indices') !== true) return values;
  return tuple([values, machine.tensor(op, call, result.shape, { dtype: 'int64', index: 1 })]);
}

const adaptivePool =
  (op: string, axes: number): Run =>
  (call, machine) => {
    const shape = shapeIn(call);
    const wanted = call.value('output_size');
    const items = itemsOf(wanted);
    const result = judged(machine, (judgement) => {
      const start = spatialStart(shape, axes);
      if (start === undefined) return wrongRank(judgement, op, shape, axes);
      const spatial = shape.dims.slice(start).map((length, i) => {
        const item = items === undefined ? wanted : items.length === 1 ? items[0] : items[i];
        if (item?.kind === 'none') return length;
        return (item !== undefined && isNumber(item) ? dimOf(item) : undefined) ?? notKnown('the size of the result');
      });
      return shapeOf(...shape.dims.slice(0, start), ...spatial);
    });
    return pooled(op, call, machine, result);
  };

/** Spatial axes resized to `size`, or by `scale_factor`, rounded down. */
const interpolated: Run = (call, machine) => {
  const shape = shapeIn(call);
  const rank = rankOf(shape);
  if (rank === undefined) return machine.tensor('interpolate', call, unknownShape);
  const [size, scale] = [call.value('size'), call.value('scale_factor')];
  const axes = rank - 2;
  const sizes = size.kind === 'none' ? undefined : perAxis(size, axes);
  const scales = itemsOf(scale);
  const spatial = shape.dims.slice(2).map((length, i) => {
    if (sizes !== undefined) return sizes[i] ?? notKnown('the size of the result');
    const item = scales === undefined ? scale : (scales[i] ?? none);
    const factor = numberOf(item);
    const dim = machine.read(length);
    if (factor === undefined) {
      const whole = item.kind === 'int' ? dimOf(item) : undefined;
      return whole === undefined ? notKnown('the scale') : multiply(dim, whole);
    }
    if (Number.isInteger(factor)) return multiply(dim, number(factor));
    return dim.constant === undefined ? notKnown('the scaled size') : number(Math.floor(dim.constant * factor));
  });
  return machine.tensor('interpolate', call, shapeOf(...shape.dims.slice(0, 2), ...spatial));
};

const gridSampled: Run = (call, machine) => {
  const [shape, grid] = [shapeIn(call), shapeIn(call, 'grid')];
  if (rankOf(shape) === undefined || rankOf(grid) === undefined || rankOf(shape) !== rankOf(grid)) {
    return machine.tensor('grid_sample', call, unknownShape);
  }
  return machine.tensor('grid_sample', call, shapeOf(...shape.dims.slice(0, 2), ...grid.dims.slice(1, -1)));
};

const affineGrid: Run = (call, machine) => {
  const sizes = itemsOf(call.value('size'))?.map((item) => dimOf(item) ?? notKnown('the size'));
  const [batch, , ...spatial] = sizes ?? [];
  if (batch === undefined) return machine.tensor('affine_grid', call, unknownShape);
  return machine.tensor('affine_grid', call, shapeOf(batch, ...spatial, number(spatial.length)));
};

const oneHot: Run = (call, machine) => {
  const { dims, ellipsis } = shapeIn(call);
  const classes = call.dim('num_classes');
  const last = classes === undefined || classes.constant === -1 ? notKnown('the number of classes') : classes;
  return machine.tensor('one_hot', call, { dims: [...dims, last], ellipsis }, { dtype: 'int64' });
};

/** Gated linear units halve an axis. */
const glu: Run = (call, machine) => {
  const shape = shapeIn(call);
  const axis = axisIn(call);
  const result = judged(machine, (judgement) => {
    const at = axis === undefined ? undefined : requireAxis(judgement, shape, axis);
    const dim = at === undefined ? undefined : judgement.read(shape.dims[at] ?? one);
    if (at === undefined || dim === undefined) return unknownShape;
    if (dim.constant !== undefined && dim.constant % 2 === 1) judgement.fail(`an axis of ${dim.constant} has no halves`);
    return replaceAt(shape, at, [divideWhole(dim, number(2), judgement.facts) ?? floorDiv(dim, number(2))]);
  });
  return machine.settle('glu', call, result);
};

/**
 * `softmax(query @ key.T * scale + mask) @ value`: query `(..., L, E)`, key `(..., S, E)`, value `(..., S, Ev)`. With
 * `enable_gqa` the heads of key and value are repeated to those of the query.
 */
export const attention =
  (op: string): Run =>
  (call, machine) => {
    const [query, key, value] = ['query', 'key', 'value'].map((name) => shapeIn(call, name)) as [Shape, Shape, Shape];
    const mask = tensorIn(call, 'attn_mask')?.shape;
    const isGrouped = call.boolean('enable_gqa');
    const dtype = tensorIn(call, 'query')?.dtype;
    const result = judged(machine, (judgement) => {
      const [q, k, v] = [lastDims(query, 2), lastDims(key, 2), lastDims(value, 2)];
      if (q === undefined || k === undefined || v === undefined) {
        const last = v?.[1] ?? q?.[1] ?? k?.[1];
        judgement.doubt('the number of axes is not known');
        if (q !== undefined && v !== undefined) return { dims: [...query.dims.slice(0, -1), v[1] ?? one], ellipsis: query.ellipsis };
        return last === undefined || v === undefined ? unknownShape : openShape([], [v[1] ?? last]);
      }
      const [length = one, width = one] = q;
      const [keys = one, keyWidth = one] = k;
      const [values = one, valueWidth = one] = v;
      judgement.same(width, keyWidth, (x, y) => `queries are ${x} wide, and keys ${y}`);
      judgement.same(keys, values, (x, y) => `there are ${x} keys and ${y} values`);
      const outer = (shape: Shape): Shape => ({ dims: shape.dims.slice(0, -2), ellipsis: shape.ellipsis });
      const fronts = [query, key, value].map(outer);
      let batch = fronts[0] ?? unknownShape;
      if (isGrouped === false) {
        const joined = broadcastAll(fronts, machine.context);
        if (joined.status === 'mismatch') judgement.failAs(joined);
        else if (joined.status === 'unknown') judgement.doubt(joined.reason ?? 'heads or batches may differ');
        batch = joined.shape;
      } else if (isGrouped === true) {
        const heads = fronts.map((shape) =>
          shape.dims.length > 0 ? judgement.read(shape.dims[shape.dims.length - 1] ?? one).constant : undefined,
        );
        const [h, kv] = heads;
        if (h !== undefined && kv !== undefined && kv > 0 && h % kv !== 0) judgement.fail(`${h} query heads cannot share ${kv} key heads`);
      }
      if (mask !== undefined) {
        const scores = { dims: [...batch.dims, length, keys], ellipsis: batch.ellipsis };
        const masked = broadcastAll([scores, mask], machine.context);
        if (masked.status === 'mismatch') judgement.failAs(masked, (reason) => `the mask does not fit the scores: ${reason}`);
        else if (masked.status === 'unknown') judgement.doubt(masked.reason ?? 'the mask may not fit the scores');
        if (isGrouped === false && rankOf(mask) !== undefined && rankOf(batch) !== undefined && rankOf(masked.shape) !== undefined) {
          batch = { dims: masked.shape.dims.slice(0, -2), ellipsis: undefined };
        }
      }
      return { dims: [...batch.dims, length, valueWidth], ellipsis: batch.ellipsis };
    });
    return machine.settle(op, call, result, { dtype });
  };

/** Flash attention's layout: `(batch, length, heads, dim)`; the result is as long as the queries and as wide as the values. */
const flash: Run = (call, machine) => {
  const [query, value] = [shapeIn(call, 'q'), shapeIn(call, 'v')];
  const width = lastDims(value, 1)?.[0];
  const last = locateAxis(query, -1);
  const shape = typeof last === 'number' && width !== undefined ? replaceAt(query, last, [width]) : unknownShape;
  return machine.tensor('flash_attention', call, shape);
};

/** `(L, N, E)` in, `(L, N, E)` and weights `(N, L, S)` out; without a batch axis one less. */
const multiHeadAttention: Run = (call, machine) => {
  const query = shapeIn(call, 'query');
  const key = shapeIn(call, 'key');
  const dtype = tensorIn(call, 'query')?.dtype;
  const op = 'multi_head_attention_forward';
  const width = call.dim('embed_dim_to_check');
  const output = judged(machine, (judgement) => {
    const last = locateAxis(query, -1);
    const dim = typeof last === 'number' ? query.dims[last] : undefined;
    if (dim !== undefined && width !== undefined) {
      judgement.same(dim, width, (x, y) => `queries are ${x} wide, and the attention is made for ${y}`);
    }
    return query;
  });
  const values = machine.settle(op, call, output, { dtype, index: 0 });
  const needed = call.boolean('need_weights');
  if (needed === false) return tuple([values, none]);
  const [rank, keyRank] = [rankOf(query), rankOf(key)];
  const heads = call.dim('num_heads') ?? notKnown('the number of heads');
  const isAveraged = call.boolean('average_attn_weights');
  let weights = unknownShape;
  if (rank !== undefined && rank === keyRank && isAveraged !== undefined) {
    const [length = one, batch] = query.dims;
    const [source = one] = key.dims;
    // Added zero and bias positions make the keys longer.
    const extra = call.isNone('bias_k') && call.boolean('add_zero_attn') === false ? source : notKnown('the number of keys');
    weights = shapeOf(...(rank === 3 && batch !== undefined ? [batch] : []), ...(isAveraged ? [] : [heads]), length, extra);
  }
  const second = machine.tensor(op, call, weights, { dtype, index: 1 });
  return needed === undefined ? tuple([values, { kind: 'union', options: [second, none] }]) : tuple([values, second]);
};

/** Element-wise losses: `none` keeps the broadcast shape, other reductions leave a scalar. */
const pointwiseLoss =
  (op: string, names: readonly string[]): Run =>
  (call, machine) => {
    const values = names.map((name) => call.value(name));
    const result = broadcastAll(values.map(operandShape), machine.context);
    return machine.settle(op, call, afterReduction(call, result), { dtype: promote(values) });
  };

function afterReduction(call: Call, result: ShapeResult): ShapeResult {
  const reduction = call.text('reduction');
  if (reduction === 'none') return result;
  return { ...result, shape: reduction === undefined ? unknownShape : scalar };
}

/** Class scores `(N, C, ...)` against places `(N, ...)` or probabilities of the same shape. */
const classLoss =
  (op: string): Run =>
  (call, machine) => {
    const [scores, target] = [shapeIn(call), shapeIn(call, 'target')];
    const [rank, targetRank] = [rankOf(scores), rankOf(target)];
    const result = judged(machine, (judgement) => {
      if (rank === undefined || targetRank === undefined) return unknownShape;
      const reason = (x: string, y: string): string => `there are ${x} predictions and ${y} targets`;
      if (targetRank === rank - 1) {
        const dims = rank === 1 ? [] : [scores.dims[0] ?? one, ...scores.dims.slice(2)];
        for (const [i, dim] of dims.entries()) judgement.same(dim, target.dims[i] ?? one, reason);
        return target;
      }
      if (targetRank !== rank) {
        judgement.fail(`predictions of rank ${rank} do not go with targets of rank ${targetRank}`);
        return unknownShape;
      }
      for (const [i, dim] of scores.dims.entries()) judgement.same(dim, target.dims[i] ?? one, reason);
      return rank === 1 ? scalar : shapeOf(scores.dims[0] ?? one, ...scores.dims.slice(2));
    });
    return machine.settle(op, call, afterReduction(call, result), { dtype: tensorIn(call)?.dtype });
  };

const otherLoss =
  (op: string): Run =>
  (call, machine) => {
    const reduction = call.text('reduction');
    return machine.tensor(op, call, reduction !== undefined && reduction !== 'none' ? scalar : unknownShape);
  };

const similarity: Run = (call, machine) => {
  const joined = broadcastAll([shapeIn(call), shapeIn(call, 'x2')], machine.context);
  const axes = axesIn(call);
  if (joined.status === 'mismatch' || axes === undefined || axes === 'all') {
    return machine.settle('cosine_similarity', call, { ...joined, shape: unknownShape });
  }
  const context = { facts: machine.context.facts, substitution: joined.substitution };
  return machine.settle('cosine_similarity', call, reduce(joined.shape, axes, false, context));
};

const distance: Run = (call, machine) => {
  const joined = broadcastAll([shapeIn(call), shapeIn(call, 'x2')], machine.context);
  const keeps = call.boolean('keepdim');
  if (joined.status === 'mismatch' || keeps === undefined)
    return machine.settle('pairwise_distance', call, { ...joined, shape: unknownShape });
  const context = { facts: machine.context.facts, substitution: joined.substitution };
  return machine.settle('pairwise_distance', call, reduce(joined.shape, [-1], keeps, context));
};

/** Patches as columns: `(N, C, H, W)` to `(N, C * kH * kW, places)`. */
const unfolded: Run = (call, machine) => {
  const shape = shapeIn(call);
  const rank = rankOf(shape);
  if (rank !== 4 && rank !== 3) return machine.tensor('unfold', call, unknownShape);
  const [kernel, stride, padding, dilation] = ['kernel_size', 'stride', 'padding', 'dilation'].map((name) => perAxis(call.value(name), 2));
  const places = shape.dims
    .slice(rank - 2)
    .map((length, i) => windows(length, kernel?.[i], stride?.[i], padding?.[i], dilation?.[i], false, machine));
  const area = multiplyAll((kernel ?? []).map((size) => size ?? notKnown('the size of the window')));
  const channels = multiply(shape.dims[rank - 3] ?? one, area);
  return machine.tensor('unfold', call, shapeOf(...shape.dims.slice(0, rank - 3), channels, multiplyAll(places)));
};

const folded: Run = (call, machine) => {
  const shape = shapeIn(call);
  const rank = rankOf(shape);
  if (rank !== 3 && rank !== 2) return machine.tensor('fold', call, unknownShape);
  const kernel = perAxis(call.value('kernel_size'), 2).map((size) => size ?? notKnown('the size of the window'));
  const sizes = perAxis(call.value('output_size'), 2).map((size) => size ?? notKnown('the size of the result'));
  const columns = machine.read(shape.dims[rank - 2] ?? one);
  const area = multiplyAll(kernel);
  const channels = divideWhole(columns, area, machine.context.facts) ?? floorDiv(columns, area);
  return machine.tensor('fold', call, shapeOf(...shape.dims.slice(0, rank - 2), channels, ...sizes));
};

/** `(..., C r^2, H, W)` to `(..., C, H r, W r)`, and back. */
const shuffled =
  (op: string): Run =>
  (call, machine) => {
    const shape = shapeIn(call);
    const factor = call.dim(op === 'pixel_shuffle' ? 'upscale_factor' : 'downscale_factor');
    const dims = lastDims(shape, 3);
    if (dims === undefined || factor === undefined) return machine.tensor(op, call, unknownShape);
    const [channels = one, height = one, width = one] = dims.map((dim) => machine.read(dim));
    const area = multiply(factor, factor);
    const { facts } = machine.context;
    const part = (dim: Dim, by: Dim): Dim => divideWhole(dim, by, facts) ?? floorDiv(dim, by);
    const after =
      op === 'pixel_shuffle'
        ? [part(channels, area), multiply(height, factor), multiply(width, factor)]
        : [multiply(channels, area), part(height, factor), part(width, factor)];
    const at = shape.dims.length - 3;
    return machine.tensor(op, call, { dims: [...shape.dims.slice(0, at), ...after], ellipsis: shape.ellipsis });
  };

const channelShuffle: Run = keep('channel_shuffle');

/** The frames of a short-time Fourier transform: `(..., n_fft // 2 + 1, 1 + length // hop)`. */
const stft: Run = (call, machine) => {
  const shape = shapeIn(call);
  const rank = rankOf(shape);
  const window = call.dim('n_fft');
  if (rank === undefined || rank === 0 || window === undefined) return machine.tensor('stft', call, unknownShape);
  const hop = call.isNone('hop_length') ? floorDiv(window, number(4)) : call.dim('hop_length');
  const [centered, oneSided, complex] = [call.boolean('center'), call.value('onesided'), call.boolean('return_complex')];
  const length = machine.read(shape.dims[rank - 1] ?? one);
  const frames =
    hop === undefined || centered === undefined
      ? notKnown('the number of frames')
      : simplify(add(floorDiv(centered ? length : subtract(length, window), hop), one), machine.context.facts);
  const isHalf = oneSided.kind === 'none' ? true : oneSided.kind === 'bool' ? oneSided.value : undefined;
  const bins = isHalf === undefined ? notKnown('the number of bins') : isHalf ? add(floorDiv(window, number(2)), one) : window;
  const last = call.isNone('return_complex') || complex === true ? [] : [number(2)];
  return machine.tensor('stft', call, shapeOf(...shape.dims.slice(0, -1), bins, frames, ...last), { dtype: 'complex64' });
};

/** Activations that keep everything: name to the arguments after `input`. */
const activations: Readonly<Record<string, string>> = {
  relu: 'inplace=False',
  relu6: 'inplace=False',
  gelu: "approximate='none'",
  silu: 'inplace=False',
  mish: 'inplace=False',
  elu: 'alpha=1.0, inplace=False',
  selu: 'inplace=False',
  celu: 'alpha=1.0, inplace=False',
  leaky_relu: 'negative_slope=0.01, inplace=False',
  rrelu: 'lower=0.125, upper=0.333, training=False, inplace=False',
  prelu: 'weight',
  softplus: 'beta=1, threshold=20',
  softsign: '',
  hardswish: 'inplace=False',
  hardsigmoid: 'inplace=False',
  hardtanh: 'min_val=-1.0, max_val=1.0, inplace=False',
  hardshrink: 'lambd=0.5',
  softshrink: 'lambd=0.5',
  tanhshrink: '',
  threshold: 'threshold, value, inplace=False',
  logsigmoid: '',
};

const activationEntries = Object.fromEntries(
  Object.entries(activations).map(([name, rest]) => [
    `torch.nn.functional.${name} torch.nn.functional.${name}_ torch.${name} torch.${name}_ Tensor.${name}_`,
    [rest === '' ? 'input' : `input, ${rest}`, keep(name)] as const,
  ]),
);

const loss = "size_average=None, reduce=None, reduction='mean'";
const poolArguments = 'input, kernel_size, stride=None, padding=0';

const perAxes = (make: (axes: number) => Record<string, readonly [string, Run]>): Record<string, readonly [string, Run]> =>
  Object.assign({}, ...[1, 2, 3].map(make)) as Record<string, readonly [string, Run]>;

export const functionalOperations = operations({
  ...activationEntries,
  ...perAxes((axes) => ({
    [`torch.nn.functional.conv${axes}d torch.conv${axes}d`]: [
      'input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1',
      convolution(axes),
    ],
    [`torch.nn.functional.conv_transpose${axes}d torch.conv_transpose${axes}d`]: [
      'input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1',
      transposedConvolution(axes),
    ],
    [`torch.nn.functional.max_pool${axes}d torch.max_pool${axes}d`]: [
      `${poolArguments}, dilation=1, ceil_mode=False, return_indices=False`,
      pool(`max_pool${axes}d`, axes),
    ],
    [`torch.nn.functional.avg_pool${axes}d torch.avg_pool${axes}d`]: [
      `${poolArguments}, ceil_mode=False, count_include_pad=True, divisor_override=None`,
      pool(`avg_pool${axes}d`, axes),
    ],
    [`torch.nn.functional.lp_pool${axes}d`]: [
      'input, norm_type, kernel_size, stride=None, ceil_mode=False, padding=0',
      pool(`lp_pool${axes}d`, axes),
    ],
    [`torch.nn.functional.adaptive_avg_pool${axes}d torch.adaptive_avg_pool${axes}d`]: [
      'input, output_size',
      adaptivePool(`adaptive_avg_pool${axes}d`, axes),
    ],
    [`torch.nn.functional.adaptive_max_pool${axes}d torch.adaptive_max_pool${axes}d`]: [
      'input, output_size, return_indices=False',
      adaptivePool(`adaptive_max_pool${axes}d`, axes),
    ],
  })),
  'torch.nn.functional.tanh': ['input', keepFractional('tanh')],
  'torch.nn.functional.sigmoid': ['input', keepFractional('sigmoid')],
  'torch.nn.functional.glu torch.glu': ['input, dim=-1', glu],
  'torch.nn.functional.linear': ['input, weight, bias=None', applyLinear],
  'torch.nn.functional.bilinear': ['input, input2, weight, bias=None', bilinear],
  'torch.nn.functional.embedding': [
    'input, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, sparse=False',
    embedding,
  ],
  'torch.nn.functional.embedding_bag': ['input, weight, offsets=None, *args, **kwargs', embeddingBag],
  'torch.nn.functional.layer_norm torch.layer_norm': ['input, normalized_shape, weight=None, bias=None, eps=1e-5', normed('layer_norm')],
  'torch.nn.functional.rms_norm torch.rms_norm': ['input, normalized_shape, weight=None, eps=None', normed('rms_norm')],
  'torch.nn.functional.group_norm torch.group_norm': [
    'input, num_groups, weight=None, bias=None, eps=1e-5',
    channelNorm('group_norm', groupsDivide),
  ],
  'torch.nn.functional.batch_norm torch.batch_norm': [
    'input, running_mean=None, running_var=None, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5',
    channelNorm('batch_norm'),
  ],
  'torch.nn.functional.instance_norm': [
    'input, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True, momentum=0.1, eps=1e-5',
    channelNorm('instance_norm'),
  ],
  'torch.nn.functional.local_response_norm': ['input, size, alpha=0.0001, beta=0.75, k=1.0', keep('local_response_norm')],
  'torch.nn.functional.normalize': ['input, p=2.0, dim=1, eps=1e-12, out=None', keep('normalize')],
  'torch.nn.functional.dropout torch.dropout': ['input, p=0.5, training|train=True, inplace=False', keep('dropout')],
  'torch.nn.functional.dropout1d torch.nn.functional.dropout2d torch.nn.functional.dropout3d': [
    'input, p=0.5, training=True, inplace=False',
    keep('dropout'),
  ],
  'torch.nn.functional.alpha_dropout torch.nn.functional.feature_alpha_dropout': [
    'input, p=0.5, training=False, inplace=False',
    keep('dropout'),
  ],
  'torch.nn.functional.scaled_dot_product_attention': [
    'query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False',
    attention('scaled_dot_product_attention'),
  ],
  'flash_attn.flash_attn_func': ['q, k, v, dropout_p=0.0, softmax_scale=None, causal=False, **kwargs', flash],
  'xformers.ops.memory_efficient_attention xformers.ops.fmha.memory_efficient_attention': [
    'q|query, k|key, v|value, attn_bias=None, p=0.0, scale=None, *, op=None',
    flash,
  ],
  'torch.nn.functional.multi_head_attention_forward': [
    'query, key, value, embed_dim_to_check, num_heads, in_proj_weight, in_proj_bias, bias_k, bias_v, add_zero_attn, dropout_p, out_proj_weight, out_proj_bias, training=True, key_padding_mask=None, need_weights=True, attn_mask=None, use_separate_proj_weight=False, q_proj_weight=None, k_proj_weight=None, v_proj_weight=None, static_k=None, static_v=None, average_attn_weights=True, is_causal=False',
    multiHeadAttention,
  ],
  'torch.nn.functional.interpolate torch.nn.functional.upsample': [
    "input, size=None, scale_factor=None, mode='nearest', align_corners=None, recompute_scale_factor=None, antialias=False",
    interpolated,
  ],
  'torch.nn.functional.grid_sample': ["input, grid, mode='bilinear', padding_mode='zeros', align_corners=None", gridSampled],
  'torch.nn.functional.affine_grid': ['theta, size, align_corners=None', affineGrid],
  'torch.nn.functional.one_hot': ['input|tensor, num_classes=-1', oneHot],
  'torch.nn.functional.unfold': ['input, kernel_size, dilation=1, padding=0, stride=1', unfolded],
  'torch.nn.functional.fold': ['input, output_size, kernel_size, dilation=1, padding=0, stride=1', folded],
  'torch.nn.functional.pixel_shuffle torch.pixel_shuffle': ['input, upscale_factor', shuffled('pixel_shuffle')],
  'torch.nn.functional.pixel_unshuffle torch.pixel_unshuffle': ['input, downscale_factor', shuffled('pixel_unshuffle')],
  'torch.nn.functional.channel_shuffle torch.channel_shuffle': ['input, groups', channelShuffle],
  'torch.nn.functional.cosine_similarity torch.cosine_similarity': ['input|x1, x2, dim=1, eps=1e-8', similarity],
  'torch.nn.functional.pairwise_distance': ['input|x1, x2, p=2.0, eps=1e-6, keepdim=False', distance],
  'torch.nn.functional.cross_entropy': [
    "input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction='mean', label_smoothing=0.0",
    classLoss('cross_entropy'),
  ],
  'torch.nn.functional.nll_loss': [
    "input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction='mean'",
    classLoss('nll_loss'),
  ],
  'torch.nn.functional.mse_loss': [`input, target, ${loss}, weight=None`, pointwiseLoss('mse_loss', ['input', 'target'])],
  'torch.nn.functional.l1_loss': [`input, target, ${loss}, weight=None`, pointwiseLoss('l1_loss', ['input', 'target'])],
  'torch.nn.functional.smooth_l1_loss': [`input, target, ${loss}, beta=1.0`, pointwiseLoss('smooth_l1_loss', ['input', 'target'])],
  'torch.nn.functional.huber_loss': [
    "input, target, reduction='mean', delta=1.0, weight=None",
    pointwiseLoss('huber_loss', ['input', 'target']),
  ],
  'torch.nn.functional.kl_div': [`input, target, ${loss}, log_target=False`, pointwiseLoss('kl_div', ['input', 'target'])],
  'torch.nn.functional.binary_cross_entropy': [
    "input, target, weight=None, size_average=None, reduce=None, reduction='mean'",
    pointwiseLoss('binary_cross_entropy', ['input', 'target']),
  ],
  'torch.nn.functional.binary_cross_entropy_with_logits torch.binary_cross_entropy_with_logits': [
    "input, target, weight=None, size_average=None, reduce=None, reduction='mean', pos_weight=None",
    pointwiseLoss('binary_cross_entropy_with_logits', ['input', 'target']),
  ],
  'torch.nn.functional.soft_margin_loss': [`input, target, ${loss}`, pointwiseLoss('soft_margin_loss', ['input', 'target'])],
  'torch.nn.functional.gaussian_nll_loss': ["input, target, var, full=False, eps=1e-6, reduction='mean'", otherLoss('gaussian_nll_loss')],
  'torch.nn.functional.ctc_loss': [
    "log_probs, targets, input_lengths, target_lengths, blank=0, reduction='mean', zero_infinity=False",
    otherLoss('ctc_loss'),
  ],
  'torch.nn.functional.cosine_embedding_loss torch.nn.functional.margin_ranking_loss': [
    `input|input1, input2, target, margin=0, ${loss}`,
    otherLoss('cosine_embedding_loss'),
  ],
  'torch.nn.functional.triplet_margin_loss': [
    `input|anchor, positive, negative, margin=1.0, p=2, eps=1e-6, swap=False, ${loss}`,
    otherLoss('triplet_margin_loss'),
  ],
  'torch.nn.functional.hinge_embedding_loss torch.nn.functional.poisson_nll_loss torch.nn.functional.multilabel_margin_loss': [
    "input, target, *args, reduction='mean', **kwargs",
    otherLoss('loss'),
  ],
  'torch.stft': [
    "input, n_fft, hop_length=None, win_length=None, window=None, center=True, pad_mode='reflect', normalized=False, onesided=None, return_complex=None, align_to_window=None",
    stft,
  ],
  'torch.istft': ['input, n_fft, *args, **kwargs', (call, machine) => machine.tensor('istft', call, unknownShape)],
});
