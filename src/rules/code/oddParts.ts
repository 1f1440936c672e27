/**
 * Parts that do not fit: the wrong part of a width, a piece cut from or joined to what was right before, an axis that is missing or too
 * many. The operation that made the part is blamed, not the one that it does not fit.
 */
import { type Dim, divideExactly, multiply, subtract } from '../../dims/dim.ts';
import { formatDim } from '../../dims/format.ts';
import type { TensorValue } from '../../interpreter/value.ts';
import type { Range } from '../../text/range.ts';
import { axisPath, isMatrixProduct, type Place, reductions, sizeAt } from './axes.ts';
import type { Blame } from './blame.ts';
import { chainOf, rangeOfNode, sameSize, textOf } from './chains.ts';
import type { Clash } from './clashes.ts';
import { elementwiseOps, type Find, inputsOf, pieceOps, read } from './failing.ts';
import { isBatch, isLength } from './layouts.ts';
import { aliasOf, placeOf } from './places.ts';
import { isWeight } from './tensors.ts';

type Side = readonly [place: Place, own: Dim, wanted: Dim];

const sidesOf = ({ left, right, x, y }: Clash): readonly Side[] => [
  [left, x, y],
  [right, y, x],
];

const cuts = /^(?:split|chunk|tensor_split|getitem|narrow)$/;

/** The part of a width whose other part fits: the two have changed places. */
export function otherPart(find: Find, clash: Clash): Blame | undefined {
  if (pieceOps.test(find.op)) return undefined;
  for (const [place, own, wanted] of sidesOf(clash)) {
    const path = axisPath(place);
    for (const [i, each] of path.entries()) {
      const from = path[i + 1];
      const [size, whole] = [sizeAt(each), from === undefined ? undefined : sizeAt(from)];
      if (!cuts.test(each.node.op) || size === undefined || whole === undefined || size.key === whole.key) continue;
      const times = divideExactly(own, read(find, size));
      if (times === undefined) break;
      if (read(find, multiply(times, subtract(whole, size))).key !== wanted.key) break;
      const at = rangeOfNode(find, each.node);
      if (at !== undefined)
        return { at, hint: `\`${textOf(find, at)}\` gives ${formatDim(size)} of ${formatDim(read(find, whole))}; the other part fits.` };
    }
  }
  return undefined;
}

const resizes = /^(?:getitem|narrow|cat|concat)$/;

/** A size that fitted until an operation cut it or added to it, of the two sides the one whose size is the rarer. */
export function resized(find: Find, clash: Clash): Blame | undefined {
  if (find.op === 'linear' || pieceOps.test(find.op) || [clash.left, clash.right].some(({ node }) => isWeight(node, false)))
    return undefined;
  const found = sidesOf(clash).flatMap((side) => {
    const [place, own, wanted] = side;
    if (isLength(own) && isLength(wanted)) return [];
    const path = axisPath(place);
    const at = path.findIndex((each) => !sameSize(find, sizeAt(each) ?? own, own));
    const changed = path[at - 1]?.node;
    if (at < 1 || changed === undefined) return [];
    // Parts are cut on purpose: that one stands for the whole is said where it gets the name.
    const isNamed = cuts.test(changed.op) && path.slice(0, at).some(({ node }) => aliasOf(find.code, node) !== undefined);
    if (!resizes.test(changed.op) && !isNamed) return [];
    const before = changed.inputs.some((input) => input.shape.dims.some((dim) => sameSize(find, dim, wanted)));
    return before ? [{ side, path: path.slice(0, at), changed }] : [];
  });
  if (found.length === 0) return undefined;
  const counts = new Map(found.map((each) => [each, standing(find, each.side[1])]));
  const [odd, other] = [...found].sort((a, b) => (counts.get(a) ?? 0) - (counts.get(b) ?? 0));
  if (odd === undefined || (other !== undefined && counts.get(odd) === counts.get(other))) return undefined;
  const [, own, wanted] = odd.side;
  if (other === undefined && standing(find, own) > standing(find, wanted)) return undefined;
  const alias = odd.path.flatMap(({ node }) => aliasOf(find.code, node) ?? [])[0];
  const at = alias?.at ?? rangeOfNode(find, odd.changed);
  return at === undefined ? undefined : { at, hint: `\`${textOf(find, at)}\` gives ${formatDim(own)}; with ${formatDim(wanted)} it fits.` };
}

/** At how many places of the code something has this size. */
function standing(find: Find, size: Dim): number {
  const key = read(find, size).key;
  const places = new Set<string>();
  for (const node of find.study.tensors)
    if (node.shape.dims.some((dim) => dim.key === size.key || read(find, dim).key === key)) places.add(placeOf(node));
  return places.size;
}

const ranks = /^(?:view|reshape|flatten|rearrange|squeeze|unsqueeze|getitem|select|unbind)$/;

/** Rows of a batch that meet another axis, because one operand has an axis less than the other, or one too many. */
export function misaligned(find: Find, clashes: readonly Clash[]): Blame | undefined {
  const [a, b] = inputsOf(find.failure);
  if (a === undefined || b === undefined || inputsOf(find.failure).length !== 2) return undefined;
  if (!elementwiseOps.test(find.op) && !isMatrixProduct(find.op)) return undefined;
  if ([a, b].some(({ shape }) => shape.ellipsis !== undefined) || a.shape.dims.length === b.shape.dims.length) return undefined;
  const [few, many] = a.shape.dims.length < b.shape.dims.length ? [a, b] : [b, a];
  const rank = few.shape.dims.length;
  if (rank < 2 || !isBatch(few.shape.dims[0]) || !isBatch(many.shape.dims[0])) return undefined;
  if (!clashes.some(({ left, right }) => (left.node === few ? left : right).axis === -rank) && !isMatrixProduct(find.op)) return undefined;
  const change = chainOf(few).find(
    (node) =>
      (ranks.test(node.op) || reductions.test(node.op)) &&
      node.shape.dims.length === rank &&
      node.inputs[0] !== undefined &&
      node.inputs[0].shape.ellipsis === undefined &&
      node.inputs[0].shape.dims.length !== rank,
  );
  const at = change === undefined ? undefined : rangeOfNode(find, change);
  if (at !== undefined) return { at, hint: `\`${textOf(find, at)}\` leaves ${rank} axes, and the other has ${many.shape.dims.length}.` };
  const kept = isMatrixProduct(find.op) ? undefined : givenBack(find, many);
  return kept === undefined ? undefined : { at: kept, hint: `It has ${many.shape.dims.length} axes here, and the other ${rank}.` };
}

/** What a function answers, where the operand is that. */
function givenBack(find: Find, node: TensorValue): Range | undefined {
  const depth = find.failure.sites.length - 1;
  const sites = (each: TensorValue): number => {
    let count = 0;
    for (let at = each.trace; at !== undefined; at = at.parent) count += 1;
    return count;
  };
  return sites(node) > depth ? rangeOfNode(find, node) : undefined;
}
