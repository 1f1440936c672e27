/** Operations that change how elements are arranged: view, flatten, unflatten, split, chunk, slice, expand, repeat. */
import {
  add,
  type Dim,
  floorDiv,
  maximum,
  minimum,
  multiply,
  multiplyAll,
  negate,
  number,
  one,
  sameDim,
  subtract,
  unknownDim,
  zero,
} from './dim.ts';
import { divideWhole, simplify } from './facts.ts';
import { formatDim } from './format.ts';
import {
  type Context,
  formatShape,
  Judgement,
  noContext,
  rankOf,
  replaceAt,
  requireAxis,
  type Shape,
  type ShapeResult,
  type ShapesResult,
  shapeOf,
  unknownShape,
} from './shape.ts';

/** A size of a view: `'infer'` is -1. */
export type ViewDim = Dim | 'infer';

/**
 * The same elements in another shape. Sizes that both sides share are cancelled; the products of the rest must be equal
 * (a flexible size is bound where that follows), and one `'infer'` becomes the exact quotient where the facts prove it whole.
 *
 * 'mismatch' when the numbers of elements differ for every config and input, or a known remainder is left; 'unknown' when
 * they may differ, as for `h * (d // h)` and `d` without `d % h == 0`. Quadratic in the rank.
 */
export function reshape(shape: Shape, target: readonly ViewDim[], context: Context = noContext): ShapeResult {
  const judgement = new Judgement(context);
  const inferred = target.filter((dim) => dim === 'infer').length;
  const numeric = target.filter((dim) => dim !== 'infer');
  const unknown = (): Dim => unknownDim('the size of -1 is not known');
  const fill = (dim: Dim): Shape => shapeOf(...target.map((each) => (each === 'infer' ? dim : each)));
  if (inferred > 1) {
    judgement.fail('only one size of a view can be -1');
    return judgement.result(fill(unknown()));
  }
  if (rankOf(shape) === undefined) {
    judgement.doubt('the number of axes is not known');
    return judgement.result(fill(unknown()));
  }
  const { left, right, sure } = cancelShared(
    shape.dims.map((dim) => judgement.read(dim)),
    numeric.map((dim) => judgement.read(dim)),
  );
  const elements = multiplyAll(left);
  const wanted = multiplyAll(right);
  const text = (): string => `${formatShape(shape)} has ${formatDim(multiplyAll(shape.dims))} elements`;
  if (inferred === 0) {
    const reason = (): string => `${text()}, and the view ${formatShape(shapeOf(...numeric))} ${formatDim(multiplyAll(numeric))}`;
    // `x.view(x.size(0), x.size(1), 1)` of three axes leaves one out: the code takes the tensor for one of two.
    const leavesOut = right.length < numeric.length && right.every(({ constant }) => constant === 1);
    if (leavesOut && judgement.compare(elements, wanted) === 'different') judgement.failOfAxes(reason());
    else judgement.same(elements, wanted, reason);
    return finish(judgement, fill(one), sure);
  }
  // What has no elements may be cut in any way; a size of 0 among the others stands where the code does not come with it.
  if (wanted.constant === 0 || left.some((dim) => dim.unknown) || right.some((dim) => dim.unknown)) {
    judgement.doubt('a size is not known');
    return judgement.result(fill(unknown()));
  }
  const whole = divideWhole(elements, wanted, judgement.facts);
  if (whole !== undefined) return judgement.result(fill(whole));
  const reason = `${text()}, which ${formatDim(multiplyAll(numeric))} ${sureRemainder(judgement, elements, wanted) ? 'does' : 'may'} not divide`;
  if (sureRemainder(judgement, elements, wanted)) judgement.fail(reason);
  else judgement.doubt(reason);
  return finish(judgement, fill(simplify(floorDiv(elements, wanted), judgement.facts)), sure);
}

/** Cancelling sizes that may be 0 hides that nothing at all may be rearranged: then a mismatch is not certain. */
function finish(judgement: Judgement, shape: Shape, sure: boolean): ShapeResult {
  const result = judgement.result(shape);
  return sure || result.status !== 'mismatch' ? result : { ...result, status: 'unknown' };
}

/** True when a remainder is left for every value: numbers, or fewer elements than the divisor. */
function sureRemainder(judgement: Judgement, elements: Dim, wanted: Dim): boolean {
  if (judgement.compare(wanted, zero) === 'equal') return true;
  const remainder = subtract(elements, multiply(wanted, floorDiv(elements, wanted)));
  return judgement.compare(remainder, zero) === 'different';
}

function cancelShared(
  left: readonly Dim[],
  right: readonly Dim[],
): { readonly left: readonly Dim[]; readonly right: readonly Dim[]; readonly sure: boolean } {
  const rest: Dim[] = [...right];
  let sure = true;
  const kept = left.filter((dim) => {
    const at = rest.findIndex((other) => other.key === dim.key);
    if (at < 0) return true;
    rest.splice(at, 1);
    if (dim.min < 1) sure = false;
    return false;
  });
  return { left: kept, right: rest, sure };
}

/** Axes from `start` to `end`, both included, merged into one. */
export function flatten(shape: Shape, start: number, end: number, context: Context = noContext): ShapeResult {
  const judgement = new Judgement(context);
  if (rankOf(shape) === 0) return judgement.result(shapeOf(one));
  const i = requireAxis(judgement, shape, start);
  const j = requireAxis(judgement, shape, end);
  const { ellipsis } = shape;
  if (i === undefined || j === undefined) return judgement.result(unknownShape);
  if (j < i) {
    judgement.fail(`axis ${end} stands before axis ${start}`);
    return judgement.result(unknownShape);
  }
  const hides = ellipsis !== undefined && ellipsis > i && ellipsis <= j;
  const merged = hides
    ? unknownDim('the number of axes is not known')
    : simplify(multiplyAll(shape.dims.slice(i, j + 1).map((dim) => judgement.read(dim))), judgement.facts);
  const shift = ellipsis === undefined || hides ? undefined : ellipsis > j ? ellipsis - (j - i) : ellipsis;
  return judgement.result({ dims: [...shape.dims.slice(0, i), merged, ...shape.dims.slice(j + 1)], ellipsis: shift });
}

/** One axis taken apart into several whose product it must be; one of them may be inferred. */
export function unflatten(shape: Shape, axis: number, sizes: readonly ViewDim[], context: Context = noContext): ShapeResult {
  const judgement = new Judgement(context);
  const index = requireAxis(judgement, shape, axis);
  const dim = index === undefined ? undefined : shape.dims[index];
  if (index === undefined || dim === undefined) return judgement.result(unknownShape);
  const parts = reshape(shapeOf(dim), sizes, context);
  return { ...parts, shape: replaceAt(shape, index, parts.shape.dims) };
}

/** Pieces of the given sizes along an axis; they must add up to it. */
export function splitSizes(shape: Shape, sizes: readonly Dim[], axis: number, context: Context = noContext): ShapesResult {
  const judgement = new Judgement(context);
  const index = requireAxis(judgement, shape, axis);
  const dim = index === undefined ? undefined : shape.dims[index];
  if (index === undefined || dim === undefined) return judgement.results(sizes.map(() => unknownShape));
  const total = sizes.reduce(add, zero);
  judgement.same(dim, total, (x, y) => `the axis is ${x}, and the pieces add up to ${y}`);
  return judgement.results(sizes.map((size) => replaceAt(shape, index, [size])));
}

/** Pieces of one size along an axis, the last of which may be smaller. The number of pieces must be a known number, else the shapes are undefined. */
export function split(shape: Shape, size: Dim, axis: number, context: Context = noContext): ShapesResult {
  const judgement = new Judgement(context);
  const index = requireAxis(judgement, shape, axis);
  const dim = index === undefined ? undefined : shape.dims[index];
  if (index === undefined || dim === undefined) return judgement.results(undefined);
  const length = judgement.read(dim);
  const each = judgement.read(size);
  const whole = divideWhole(length, each, judgement.facts);
  if (whole?.constant !== undefined && whole.constant > 0 && whole.constant <= maxPieces) {
    return judgement.results(Array.from({ length: whole.constant }, () => replaceAt(shape, index, [each])));
  }
  const x = simplify(length, judgement.facts).constant;
  const y = simplify(each, judgement.facts).constant;
  if (x !== undefined && y !== undefined && y > 0 && x / y <= maxPieces) {
    const pieces = Array.from({ length: Math.ceil(x / y) }, (_, i) => Math.min(y, x - i * y));
    return judgement.results(pieces.map((piece) => replaceAt(shape, index, [number(piece)])));
  }
  judgement.doubt('the number of pieces is not known');
  return judgement.results(undefined);
}

const maxPieces = 256;

/** As many pieces as named, by torch's rule: all as wide as the quotient rounded up, the last what is left. 'unknown' where the number may not divide the axis. */
export function chunk(shape: Shape, count: number, axis: number, context: Context = noContext): ShapesResult {
  const judgement = new Judgement(context);
  const index = requireAxis(judgement, shape, axis);
  const dim = index === undefined ? undefined : shape.dims[index];
  if (!Number.isInteger(count) || count < 1 || count > maxPieces) {
    if (count < 1) judgement.fail(`a tensor cannot be cut into ${count} pieces`);
    else judgement.doubt('the number of pieces is not known');
    return judgement.results(undefined);
  }
  if (index === undefined || dim === undefined) return judgement.results(Array.from({ length: count }, () => unknownShape));
  const length = judgement.read(dim);
  const whole = divideWhole(length, number(count), judgement.facts);
  if (whole !== undefined) return judgement.results(Array.from({ length: count }, () => replaceAt(shape, index, [whole])));
  const known = simplify(length, judgement.facts).constant;
  if (known !== undefined) return split(shape, number(Math.max(1, Math.ceil(known / count))), axis, context);
  judgement.doubt(`${count} pieces of ${formatDim(length)} are the same size only where ${count} divides it`);
  return judgement.results(Array.from({ length: count }, () => replaceAt(shape, index, [floorDiv(length, number(count))])));
}

/**
 * `x[start:stop:step]` along an axis, by Python's rules for what lies outside; it never fails. An undefined bound is one that
 * was left out. The length is exact where the signs of the bounds are known, else unknown.
 */
export function slice(
  shape: Shape,
  axis: number,
  start: Dim | undefined,
  stop: Dim | undefined,
  step = 1,
  context: Context = noContext,
): ShapeResult {
  const judgement = new Judgement(context);
  const index = requireAxis(judgement, shape, axis);
  const dim = index === undefined ? undefined : shape.dims[index];
  if (index === undefined || dim === undefined) return judgement.result(rankOf(shape) === undefined ? unknownShape : shape);
  const length = judgement.read(dim);
  const to = stop === undefined ? length : clamp(judgement, judgement.read(stop), length);
  const from = start === undefined ? zero : clamp(judgement, judgement.read(start), length, within(judgement, stop, to));
  if (from === undefined || to === undefined || step < 1) {
    return judgement.result(replaceAt(shape, index, [unknownDim('the bounds of a slice are not known')]));
  }
  const span = subtract(to, from);
  const isForward = judgement.isAtLeast(span, zero) || (start !== undefined && judgement.assumptions?.fits(from, to) === true);
  const whole = isForward ? span : maximum(span, zero);
  const count = step === 1 ? whole : floorDiv(add(whole, number(step - 1)), number(step));
  return judgement.result(replaceAt(shape, index, [simplify(count, judgement.facts)]));
}

/** The end of a slice that lies within the axis: what lies before it does, too. */
const within = (judgement: Judgement, stop: Dim | undefined, to: Dim | undefined): Dim | undefined =>
  stop !== undefined && to !== undefined && sameDim(judgement.read(stop), to) ? to : undefined;

/** A bound of a slice as a position from 0 to the length, or to an end within it. */
function clamp(judgement: Judgement, bound: Dim, length: Dim, end: Dim = length): Dim | undefined {
  if (judgement.isAtLeast(bound, zero)) {
    const fits = judgement.isAtLeast(end, bound) || judgement.assumptions?.fits(bound, length) === true;
    return fits ? bound : minimum(bound, end);
  }
  if (!judgement.isAtLeast(negate(bound), one)) return undefined;
  const position = add(length, bound);
  return judgement.isAtLeast(position, zero) ? position : maximum(position, zero);
}

/** Axes of 1 stretched to `sizes`; `'infer'` (-1) keeps a size. New axes may stand in front. */
export function expand(shape: Shape, sizes: readonly ViewDim[], context: Context = noContext): ShapeResult {
  const judgement = new Judgement(context);
  const extra = sizes.length - shape.dims.length;
  if (rankOf(shape) === undefined || extra < 0) {
    if (rankOf(shape) === undefined) judgement.doubt('the number of axes is not known');
    else judgement.failOfAxes(`${formatShape(shape)} has more axes than the ${sizes.length} it is expanded to`);
    return judgement.result(shapeOf(...sizes.map((size) => (size === 'infer' ? unknownDim() : size))));
  }
  const dims = sizes.map((size, i) => {
    const dim = shape.dims[i - extra];
    if (dim === undefined) {
      if (size === 'infer') judgement.fail('a new axis in front needs a size');
      return size === 'infer' ? unknownDim() : size;
    }
    if (size === 'infer' || judgement.compare(dim, size) === 'equal') return dim;
    const reason = `an axis of ${formatDim(judgement.read(dim))} does not expand to ${formatDim(judgement.read(size))}`;
    if (judgement.compare(dim, one) !== 'equal') {
      if (judgement.compare(dim, one) === 'different' && judgement.compare(dim, size) === 'different') judgement.fail(reason);
      else judgement.doubt(reason);
    }
    return size;
  });
  return judgement.result(shapeOf(...dims));
}

/** Every axis repeated; further counts add axes in front, as `Tensor.repeat` does. */
export function repeat(shape: Shape, counts: readonly Dim[], context: Context = noContext): ShapeResult {
  const judgement = new Judgement(context);
  const extra = counts.length - shape.dims.length;
  if (rankOf(shape) === undefined || extra < 0) {
    if (rankOf(shape) === undefined) judgement.doubt('the number of axes is not known');
    else judgement.fail(`${counts.length} counts cannot repeat ${formatShape(shape)}`);
    return judgement.result(unknownShape);
  }
  return judgement.result(shapeOf(...counts.map((count, i) => multiply(count, shape.dims[i - extra] ?? one))));
}
