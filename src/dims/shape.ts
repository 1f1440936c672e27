/**
 * Tensor shapes: a list of sizes, at one place of which there may be an ellipsis for axes nobody knows.
 *
 * An operation answers 'ok' (it succeeds wherever the facts hold), 'mismatch' (it fails for every config and input, with a
 * reason), or 'unknown'. Each answer carries a shape: what the result is if the operation succeeds, so that one mistake
 * is not reported again at every later line.
 */
import { add, type Dim, maximum, multiplyAll, number, one, subtract, unknownDim } from './dim.ts';
import { atLeast, compare, Facts } from './facts.ts';
import { formatDim } from './format.ts';
import { Substitution, unify } from './unify.ts';

export interface Shape {
  readonly dims: readonly Dim[];
  /** Index in `dims` before which any number of unknown axes stands; undefined when the rank is known. */
  readonly ellipsis: number | undefined;
}

/** Facts and bindings under which shapes are judged. Sizes are read through the substitution. */
export interface Context {
  readonly facts: Facts;
  readonly substitution: Substitution;
  /** What to take for granted where neither algebra nor the facts decide; nothing where it is absent. */
  readonly assumptions?: Assumptions;
}

/** What code that works is likely to rest on. It never makes an operation fail or succeed: it says which size stands for the result. */
export interface Assumptions {
  /** The plainer one of two sizes, of last axes or of others, that are likely the same. */
  agree(a: Dim, b: Dim, isLast: boolean): Dim | undefined;
  /** Whether a bound likely lies within a length. */
  fits(bound: Dim, length: Dim): boolean;
}

export type Outcome = 'ok' | 'mismatch' | 'unknown';

/** What an operation on shapes answers. */
export interface ShapeResult {
  readonly status: Outcome;
  /** The result's shape if the operation succeeds. */
  readonly shape: Shape;
  /** The bindings after it: sizes that had to be equal were unified. */
  readonly substitution: Substitution;
  /** Why it fails, or what is not known. Absent for 'ok'. */
  readonly reason?: string;
  /** It fails by the number of axes that a tensor has. */
  readonly isOfAxes?: true;
}

/** The same for operations with several results; `shapes` is undefined when their number is not known. */
export interface ShapesResult extends Omit<ShapeResult, 'shape'> {
  readonly shapes: readonly Shape[] | undefined;
}

export const noContext: Context = { facts: Facts.none, substitution: Substitution.empty };

/** A shape of known rank. */
export const shapeOf = (...dims: readonly Dim[]): Shape => ({ dims, ellipsis: undefined });

/** `(before..., ..., after...)`. */
export const openShape = (before: readonly Dim[], after: readonly Dim[]): Shape => ({
  dims: [...before, ...after],
  ellipsis: before.length,
});

/** A tensor of which nothing is known. */
export const unknownShape: Shape = { dims: [], ellipsis: 0 };

/** The number of axes, or undefined when there is an ellipsis. */
export const rankOf = (shape: Shape): number | undefined => (shape.ellipsis === undefined ? shape.dims.length : undefined);

/** `(B, T, 3 * n_embd)`, `(T,)`, `()`, `(..., T, C)`: as Python prints a tuple. */
export function formatShape(shape: Shape): string {
  const parts = shape.dims.map(formatDim);
  if (shape.ellipsis !== undefined) parts.splice(shape.ellipsis, 0, '...');
  return parts.length === 1 && shape.ellipsis === undefined ? `(${parts[0]},)` : `(${parts.join(', ')})`;
}

/** The shape with bound symbols replaced. */
export const applyToShape = (shape: Shape, substitution: Substitution): Shape =>
  shape.dims.every((dim) => substitution.apply(dim) === dim)
    ? shape
    : { dims: shape.dims.map((dim) => substitution.apply(dim)), ellipsis: shape.ellipsis };

/** The number of elements; unknown behind an ellipsis. */
export const elementsOf = (shape: Shape): Dim =>
  shape.ellipsis === undefined ? multiplyAll(shape.dims) : unknownDim('the number of axes is not known');

/** Index in `dims` of the axis (negative counts from the end): undefined when it may lie in the ellipsis; 'outside' when no such axis can be. */
export function locateAxis(shape: Shape, axis: number): number | 'outside' | undefined {
  const { dims, ellipsis } = shape;
  if (ellipsis === undefined) {
    const index = axis < 0 ? axis + dims.length : axis;
    return index >= 0 && index < dims.length ? index : 'outside';
  }
  if (axis >= 0) return axis < ellipsis ? axis : undefined;
  const index = axis + dims.length;
  return index >= ellipsis ? index : undefined;
}

/** The size of the axis; a new unknown where it is not known. */
export function dimAt(shape: Shape, axis: number): Dim {
  const index = locateAxis(shape, axis);
  return (typeof index === 'number' ? shape.dims[index] : undefined) ?? unknownDim('the axis is not known');
}

/** The shape with this many axes: the ellipsis becomes unknown sizes. Undefined when the shape cannot have that rank. */
export function withRank(shape: Shape, rank: number): Shape | undefined {
  const { dims, ellipsis } = shape;
  if (ellipsis === undefined) return dims.length === rank ? shape : undefined;
  if (dims.length > rank) return undefined;
  const filled = Array.from({ length: rank - dims.length }, () => unknownDim('the axis is not known'));
  return shapeOf(...dims.slice(0, ellipsis), ...filled, ...dims.slice(ellipsis));
}

/** Builds an answer while sizes are required to be equal; the worst outcome so far stands, with its first reason. */
export class Judgement {
  readonly facts: Facts;
  readonly assumptions: Assumptions | undefined;
  #substitution: Substitution;
  #status: Outcome = 'ok';
  #reason: string | undefined;
  #isOfAxes = false;

  constructor(context: Context) {
    this.facts = context.facts;
    this.assumptions = context.assumptions;
    this.#substitution = context.substitution;
  }

  get status(): Outcome {
    return this.#status;
  }

  /** The dim as bound so far. */
  read(dim: Dim): Dim {
    return this.#substitution.apply(dim);
  }

  fail(reason: string): void {
    if (this.#status !== 'mismatch') this.#reason = reason;
    this.#status = 'mismatch';
  }

  /** Fails by the number of axes that a tensor has. */
  failOfAxes(reason: string): void {
    if (this.#status !== 'mismatch') this.#isOfAxes = true;
    this.fail(reason);
  }

  /** Fails as a part of it does. */
  failAs({ reason, isOfAxes }: Pick<ShapeResult, 'reason' | 'isOfAxes'>, phrase: (reason: string) => string = (given) => given): void {
    if (isOfAxes === true) this.failOfAxes(phrase(reason ?? ''));
    else this.fail(phrase(reason ?? ''));
  }

  doubt(reason: string): void {
    if (this.#status !== 'ok') return;
    this.#status = 'unknown';
    this.#reason = reason;
  }

  /** Requires two sizes to be the same, binding flexible ones. `describe` gives the reason from the sizes as they print. */
  same(a: Dim, b: Dim, describe: (a: string, b: string) => string): void {
    const result = unify(a, b, this.#substitution, this.facts);
    this.#substitution = result.substitution;
    if (result.status === 'unified') return;
    const reason = describe(formatDim(this.read(a)), formatDim(this.read(b)));
    if (result.status === 'conflict') this.fail(reason);
    else this.doubt(reason);
  }

  compare(a: Dim, b: Dim): 'equal' | 'different' | 'unknown' {
    return compare(this.read(a), this.read(b), this.facts);
  }

  isAtLeast(a: Dim, b: Dim): boolean {
    return atLeast(this.read(a), this.read(b), this.facts);
  }

  result(shape: Shape): ShapeResult {
    const answer = { status: this.#status, shape: applyToShape(shape, this.#substitution), substitution: this.#substitution };
    return { ...answer, ...this.#why() };
  }

  #why(): Pick<ShapeResult, 'reason' | 'isOfAxes'> {
    if (this.#reason === undefined) return {};
    return this.#isOfAxes ? { reason: this.#reason, isOfAxes: true } : { reason: this.#reason };
  }

  results(shapes: readonly Shape[] | undefined): ShapesResult {
    const applied = shapes?.map((shape) => applyToShape(shape, this.#substitution));
    const answer = { status: this.#status, shapes: applied, substitution: this.#substitution };
    return { ...answer, ...this.#why() };
  }
}

const axisText = (shape: Shape): string => (shape.dims.length === 0 ? 'a scalar' : `${formatShape(shape)}, of rank ${shape.dims.length}`);

/** The index of the axis, or undefined after saying why there is none. */
export function requireAxis(judgement: Judgement, shape: Shape, axis: number): number | undefined {
  const index = locateAxis(shape, axis);
  if (index === 'outside') judgement.fail(`axis ${axis} does not exist in ${axisText(shape)}`);
  else if (index === undefined) judgement.doubt('the number of axes is not known');
  return typeof index === 'number' ? index : undefined;
}

/** The shape with the axis at `index` of `dims` replaced by others, the ellipsis kept where it was. */
export function replaceAt(shape: Shape, index: number, dims: readonly Dim[]): Shape {
  const { ellipsis } = shape;
  return {
    dims: [...shape.dims.slice(0, index), ...dims, ...shape.dims.slice(index + 1)],
    ellipsis: ellipsis !== undefined && ellipsis > index ? ellipsis + dims.length - 1 : ellipsis,
  };
}

/** The size that two operands take together when one of them may be 1. */
function broadcastDims(judgement: Judgement, a: Dim, b: Dim, axis: number): Dim {
  const x = judgement.read(a);
  const y = judgement.read(b);
  if (x.constant === 1) return y;
  if (y.constant === 1) return x;
  const comparison = judgement.compare(x, y);
  if (comparison === 'equal') return x;
  // What holds nothing does not stretch either.
  const xIsWide = x.constant === 0 || judgement.isAtLeast(x, number(2));
  const yIsWide = y.constant === 0 || judgement.isAtLeast(y, number(2));
  const [left, right, where] = [formatDim(x), formatDim(y), ` at axis ${axis}`];
  if (comparison === 'different') {
    if (xIsWide && yIsWide) judgement.fail(`${left} and ${right} do not broadcast${where}`);
    else judgement.doubt(`${left} and ${right} broadcast only where one of them is 1${where}`);
  } else judgement.doubt(`nothing says that ${left} is ${right}, or that one of them is 1${where}`);
  const agreed = comparison === 'unknown' ? judgement.assumptions?.agree(x, y, axis === -1) : undefined;
  if (agreed !== undefined) return agreed;
  // The wide one is the result if there is any; otherwise the greater, since the smaller can only be 1 or the same.
  if (xIsWide) return x;
  if (yIsWide) return y;
  // What is known stands: it is the result unless it is 1.
  if (x.unknown !== y.unknown && x.min >= 0 && y.unknown) return x;
  if (x.unknown !== y.unknown && y.min >= 0 && x.unknown) return y;
  return x.min < 1 || y.min < 1 ? unknownDim('a size is not known') : maximum(x, y);
}

/**
 * The shape of an element-wise operation: axes are aligned at the end, 1 stretches. 'mismatch' only where two sizes surely
 * differ and surely neither is 1, so `d` and `2 * d` is 'unknown' unless the facts say `d >= 2`. Linear in the ranks.
 */
export function broadcast(a: Shape, b: Shape, context: Context = noContext): ShapeResult {
  const judgement = new Judgement(context);
  const shape = broadcastInto(judgement, a, b);
  return judgement.result(shape);
}

function broadcastInto(judgement: Judgement, a: Shape, b: Shape): Shape {
  const dims: Dim[] = [];
  const trailing = Math.max(a.dims.length, b.dims.length) + 1;
  let aligned = 0;
  for (; aligned < trailing; aligned++) {
    const x = fromEnd(a, aligned);
    const y = fromEnd(b, aligned);
    if (x === undefined && y === undefined) break;
    if (x === 'hidden' || y === 'hidden') {
      const shown = x === 'hidden' ? y : x;
      if (shown === 'hidden' || shown === undefined) break;
      // What stretches to a wide axis is as wide as it; what stretches an axis of 1 may have any size.
      dims.unshift(judgement.isAtLeast(shown, number(2)) ? judgement.read(shown) : unknownDim('the axis is not known'));
      continue;
    }
    const axis = -1 - aligned;
    dims.unshift(x === undefined ? (y as Dim) : y === undefined ? x : broadcastDims(judgement, x, y, axis));
  }
  if (a.ellipsis === undefined && b.ellipsis === undefined) return shapeOf(...dims);
  // In front of the axes that both show, what one shape hides may be anything.
  judgement.doubt('the number of axes is not known');
  return { dims, ellipsis: 0 };
}

function fromEnd(shape: Shape, index: number): Dim | 'hidden' | undefined {
  const at = shape.dims.length - 1 - index;
  if (shape.ellipsis !== undefined && at < shape.ellipsis) return 'hidden';
  return shape.dims[at];
}

/**
 * The product of two tensors by NumPy's rules: vectors are completed, the inner sizes must be the same (flexible ones are
 * bound), the axes in front broadcast. Linear in the ranks.
 */
export function matmul(a: Shape, b: Shape, context: Context = noContext): ShapeResult {
  const judgement = new Judgement(context);
  if (rankOf(a) === 0 || rankOf(b) === 0) {
    judgement.fail('a scalar has no axis to multiply over');
    return judgement.result(unknownShape);
  }
  const left = splitBatch(a, 'left');
  const right = splitBatch(b, 'right');
  if (left === undefined || right === undefined) {
    judgement.doubt('the number of axes is not known');
    return judgement.result(unknownShape);
  }
  judgement.same(left.inner, right.inner, (x, y) => `${formatShape(a)} @ ${formatShape(b)} multiplies ${x} with ${y}`);
  const batch = broadcastInto(judgement, left.batch, right.batch);
  return judgement.result({ dims: [...batch.dims, ...left.outer, ...right.outer], ellipsis: batch.ellipsis });
}

interface Operand {
  readonly batch: Shape;
  readonly inner: Dim;
  readonly outer: readonly Dim[];
}

function splitBatch(shape: Shape, side: 'left' | 'right'): Operand | undefined {
  const { dims, ellipsis } = shape;
  const last = dims[dims.length - 1];
  if (rankOf(shape) === 1 && last !== undefined) return { batch: shapeOf(), inner: last, outer: [] };
  const before = dims[dims.length - 2];
  if (last === undefined || before === undefined || (ellipsis !== undefined && ellipsis > dims.length - 2)) return undefined;
  const batch = { dims: dims.slice(0, -2), ellipsis };
  return side === 'left' ? { batch, inner: last, outer: [before] } : { batch, inner: before, outer: [last] };
}

/** A layer on the last axis: it must be `inputs` wide and becomes `outputs` wide. */
export function linear(shape: Shape, inputs: Dim, outputs: Dim, context: Context = noContext): ShapeResult {
  const judgement = new Judgement(context);
  if (rankOf(shape) === 0) {
    judgement.fail(`a scalar has no last axis of ${formatDim(inputs)}`);
    return judgement.result(shape);
  }
  const index = shape.dims.length - 1;
  const last = shape.ellipsis === shape.dims.length ? undefined : shape.dims[index];
  if (last === undefined) {
    judgement.doubt('the last axis is not known');
    return judgement.result({ dims: [...shape.dims, outputs], ellipsis: shape.ellipsis });
  }
  judgement.same(last, inputs, (x, y) => `the last axis is ${x}, and the layer takes ${y}`);
  return judgement.result(replaceAt(shape, index, [outputs]));
}

/** The size of an axis that all shapes share, from one that knows it. */
const firstKnown = (shapes: readonly Shape[], index: number): Dim | undefined =>
  shapes.find((shape) => shape.dims[index]?.unknown === false)?.dims[index];

/** Tensors joined along an axis: its sizes add up, all others must be the same. Linear in the number of tensors and their rank. */
export function concatenate(shapes: readonly Shape[], axis: number, context: Context = noContext): ShapeResult {
  const judgement = new Judgement(context);
  const rank = shapes.map(rankOf).find((value) => value !== undefined);
  if (shapes.length === 0) judgement.fail('there is nothing to concatenate');
  if (rank === undefined) {
    judgement.doubt('the number of axes is not known');
    return judgement.result(unknownShape);
  }
  const known: Shape[] = [];
  for (const shape of shapes) {
    const filled = withRank(shape, rank);
    if (filled !== undefined) known.push(filled);
    else judgement.failOfAxes(`${formatShape(shape)} has ${shape.dims.length} axes where another tensor has ${rank}`);
  }
  const [first] = known;
  const index = first && requireAxis(judgement, first, axis);
  if (first === undefined || index === undefined) return judgement.result(first ?? unknownShape);
  const dims = first.dims.map((dim, i) => {
    if (i === index) return known.map((shape) => shape.dims[i] as Dim).reduce(add);
    for (const shape of known.slice(1)) {
      judgement.same(dim, shape.dims[i] as Dim, (x, y) => `axis ${i} is ${x} in one tensor and ${y} in another`);
    }
    return firstKnown(known, i) ?? dim;
  });
  return judgement.result(shapeOf(...dims));
}

/** Tensors of one shape joined along a new axis. */
export function stack(shapes: readonly Shape[], axis: number, context: Context = noContext): ShapeResult {
  const judgement = new Judgement(context);
  const rank = shapes.map(rankOf).find((value) => value !== undefined);
  if (shapes.length === 0) judgement.fail('there is nothing to stack');
  if (rank === undefined) {
    judgement.doubt('the number of axes is not known');
    return judgement.result(unknownShape);
  }
  const index = axis < 0 ? axis + rank + 1 : axis;
  if (index < 0 || index > rank) judgement.fail(`axis ${axis} does not exist in a stack of tensors of rank ${rank}`);
  const [first, ...others] = shapes.map((shape) => withRank(shape, rank));
  for (const other of others) {
    if (first === undefined || other === undefined) {
      judgement.fail('tensors of different rank cannot be stacked');
      continue;
    }
    for (const [i, dim] of first.dims.entries()) {
      judgement.same(dim, other.dims[i] as Dim, (x, y) => `axis ${i} is ${x} in one tensor and ${y} in another`);
    }
  }
  const all = [first, ...others].flatMap((shape) => shape ?? []);
  const dims = (first?.dims ?? []).map((dim, i) => firstKnown(all, i) ?? dim);
  return judgement.result(shapeOf(...dims.slice(0, index), number(shapes.length), ...dims.slice(index)));
}

/** The axes in another order, as `permute` takes it: `order[i]` is the old axis at place `i`. */
export function permute(shape: Shape, order: readonly number[], context: Context = noContext): ShapeResult {
  const judgement = new Judgement(context);
  const rank = order.length;
  const filled = withRank(shape, rank);
  if (filled === undefined) {
    judgement.failOfAxes(`${formatShape(shape)} has ${shape.dims.length} axes, and ${rank} are named`);
    return judgement.result(unknownShape);
  }
  const places = order.map((axis) => (axis < 0 ? axis + rank : axis));
  const outside = order.find((_, i) => filled.dims[places[i] ?? -1] === undefined);
  if (outside !== undefined) judgement.fail(`axis ${outside} does not exist in ${axisText(filled)}`);
  else if (new Set(places).size !== rank) judgement.fail(`an axis is named twice in (${order.join(', ')})`);
  return judgement.result(shapeOf(...places.map((place) => filled.dims[place] ?? unknownDim())));
}

/** Two axes swapped. */
export function transpose(shape: Shape, first: number, second: number, context: Context = noContext): ShapeResult {
  const judgement = new Judgement(context);
  const i = requireAxis(judgement, shape, first);
  const j = requireAxis(judgement, shape, second);
  const [x, y] = [i === undefined ? undefined : shape.dims[i], j === undefined ? undefined : shape.dims[j]];
  if (i === undefined || j === undefined || x === undefined || y === undefined) {
    return judgement.result(rankOf(shape) === undefined ? unknownShape : shape);
  }
  return judgement.result({ dims: shape.dims.map((dim, k) => (k === i ? y : k === j ? x : dim)), ellipsis: shape.ellipsis });
}

/** Sums, means, maxima: the axes vanish, or become 1 with `keep`. No axes means all. */
export function reduce(shape: Shape, axes: readonly number[] | undefined, keep: boolean, context: Context = noContext): ShapeResult {
  const judgement = new Judgement(context);
  if (axes === undefined) {
    if (!keep) return judgement.result(shapeOf());
    return judgement.result({ dims: shape.dims.map(() => one), ellipsis: shape.ellipsis });
  }
  const indices = axes.map((axis) => requireAxis(judgement, shape, axis));
  if (indices.includes(undefined)) return judgement.result(rankOf(shape) === undefined ? unknownShape : shape);
  if (new Set(indices).size !== indices.length) judgement.fail(`an axis is named twice in (${axes.join(', ')})`);
  let result = shape;
  for (const index of [...new Set(indices as number[])].sort((a, b) => b - a)) result = replaceAt(result, index, keep ? [one] : []);
  return judgement.result(result);
}

/** One element along an axis, which vanishes: `x[:, i]`. A number outside a known size is a mismatch. */
export function select(shape: Shape, axis: number, position: Dim | undefined, context: Context = noContext): ShapeResult {
  const judgement = new Judgement(context);
  const index = requireAxis(judgement, shape, axis);
  const dim = index === undefined ? undefined : shape.dims[index];
  if (index === undefined || dim === undefined) return judgement.result(rankOf(shape) === undefined ? unknownShape : shape);
  const at = position && judgement.read(position);
  const size = judgement.read(dim);
  if (at !== undefined) {
    const isBehind = judgement.isAtLeast(at, size);
    const isBefore = judgement.isAtLeast(subtract(number(-1), at), size);
    if (isBehind || isBefore) judgement.fail(`position ${formatDim(at)} is outside an axis of ${formatDim(size)}`);
  }
  return judgement.result(replaceAt(shape, index, []));
}

/** A new axis of 1; `axis` counts in the result. */
export function unsqueeze(shape: Shape, axis: number, context: Context = noContext): ShapeResult {
  const judgement = new Judgement(context);
  const { dims, ellipsis } = shape;
  const index = axis < 0 ? axis + dims.length + 1 : axis;
  if (ellipsis === undefined ? index < 0 || index > dims.length : axis < 0 ? index < ellipsis : index > ellipsis) {
    if (ellipsis === undefined) judgement.fail(`a new axis cannot stand at ${axis} in ${axisText(shape)}`);
    else judgement.doubt('the number of axes is not known');
    return judgement.result(unknownShape);
  }
  return judgement.result({
    dims: [...dims.slice(0, index), one, ...dims.slice(index)],
    ellipsis: ellipsis === undefined ? undefined : axis < 0 ? ellipsis : ellipsis + 1,
  });
}

/** Axes of 1 removed: the named ones where they are 1 (others stay), or all. An axis that may be 1 makes the result unknown. */
export function squeeze(shape: Shape, axes: readonly number[] | undefined, context: Context = noContext): ShapeResult {
  const judgement = new Judgement(context);
  const rank = rankOf(shape);
  const named = axes?.map((axis) => requireAxis(judgement, shape, axis));
  if (judgement.status !== 'ok' || (rank === undefined && named === undefined)) {
    judgement.doubt('the number of axes is not known');
    return judgement.result(unknownShape);
  }
  let result = shape;
  for (let i = shape.dims.length - 1; i >= 0; i--) {
    if (named !== undefined && !named.includes(i)) continue;
    const comparison = judgement.compare(shape.dims[i] as Dim, one);
    if (comparison === 'equal') result = replaceAt(result, i, []);
    else if (comparison === 'unknown' && !judgement.isAtLeast(shape.dims[i] as Dim, number(2))) {
      judgement.doubt(`an axis of ${formatDim(judgement.read(shape.dims[i] as Dim))} is removed only where it is 1`);
    }
  }
  return judgement.result(judgement.status === 'ok' ? result : unknownShape);
}
