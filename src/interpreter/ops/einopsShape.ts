/** The shapes that einops patterns make. */
import { type Dim, multiplyAll, number, one, unknownDim } from '../../dims/dim.ts';
import { simplify } from '../../dims/facts.ts';
import { unflatten, type ViewDim } from '../../dims/reshape.ts';
import { type Context, Judgement, noContext, rankOf, type Shape, type ShapeResult, unknownShape, withRank } from '../../dims/shape.ts';
import type { EinopsAxis, EinopsPattern } from '../../syntax/einops.ts';

/**
 * The shape that `rearrange`, `repeat` or `reduce` gives for an input of this shape, with the sizes given by name. 'mismatch'
 * where the rank differs, a size given does not fit, or a composed axis cannot be divided; 'unknown' where that is not sure.
 */
export function einopsShape(
  pattern: EinopsPattern,
  input: Shape,
  sizes: ReadonlyMap<string, Dim> = new Map(),
  context: Context = noContext,
): ShapeResult {
  const judgement = new Judgement(context);
  const [left, ...more] = pattern.inputs;
  if (left === undefined || more.length > 0) {
    judgement.doubt('the pattern has several inputs');
    return judgement.result(unknownShape);
  }
  const known = new Map(sizes);
  const dots = left.findIndex(({ axes }) => axes.some(({ kind }) => kind === 'ellipsis'));
  // Without an ellipsis the pattern says how many axes there are.
  const ranked = dots < 0 && rankOf(input) === undefined ? (withRank(input, left.length) ?? input) : input;
  const rank = rankOf(ranked);
  const least = dots < 0 ? left.length : left.length - 1;
  if (rank !== undefined && (dots < 0 ? rank !== least : rank < least)) {
    judgement.failOfAxes(`the pattern has ${dots < 0 ? '' : 'at least '}${least} axes, the tensor has ${rank}`);
    return judgement.result(unknownShape);
  }
  const composedDots = dots >= 0 && left[dots]?.composed === true;
  if (rank === undefined || composedDots) {
    judgement.doubt('the number of axes is not known');
    return judgement.result(unknownShape);
  }
  const hidden = ranked.dims.slice(Math.max(0, dots), dots < 0 ? 0 : dots + rank - least);
  let current: Context = context;
  let worst: ShapeResult | undefined;
  for (const [i, group] of left.entries()) {
    if (i === dots) continue;
    const dim = ranked.dims[dots >= 0 && i > dots ? i + hidden.length - 1 : i];
    if (dim === undefined) continue;
    const missing = new Set(group.axes.filter(({ kind, text }) => kind === 'name' && !known.has(text)).map(({ text }) => text));
    const parts: ViewDim[] = group.axes.map((axis) => (axis.kind === 'name' ? (known.get(axis.text) ?? 'infer') : one));
    if (missing.size > 1) {
      judgement.fail(`the sizes of ${[...missing].join(' and ')} cannot both be found`);
      return judgement.result(unknownShape);
    }
    const split = unflatten({ dims: [dim], ellipsis: undefined }, 0, parts.length === 0 ? [one] : parts, current);
    current = { facts: current.facts, substitution: split.substitution };
    if (split.status === 'mismatch' || (split.status === 'unknown' && worst === undefined)) worst = split;
    for (const [j, axis] of group.axes.entries()) {
      const size = split.shape.dims[j];
      if (axis.kind === 'name' && size !== undefined) known.set(axis.text, size);
    }
    if (worst?.status === 'mismatch') break;
  }
  const dims: Dim[] = [];
  for (const { axes, composed } of pattern.output) {
    const parts = axes.flatMap((axis) =>
      axis.kind === 'ellipsis'
        ? hidden
        : [axis.kind === 'number' ? numberOf(axis) : (known.get(axis.text) ?? unknownDim('the size is not given'))],
    );
    if (composed) dims.push(simplify(multiplyAll(parts), context.facts));
    else dims.push(...parts);
  }
  const shape: Shape = { dims: dims.map((dim) => current.substitution.apply(dim)), ellipsis: undefined };
  const answer = { status: worst?.status ?? 'ok', shape, substitution: current.substitution };
  if (worst?.reason === undefined) return answer;
  return worst.isOfAxes === true ? { ...answer, reason: worst.reason, isOfAxes: true } : { ...answer, reason: worst.reason };
}

const numberOf = ({ text }: EinopsAxis): Dim => number(Number(text));
