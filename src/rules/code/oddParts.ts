/**
 * Parts that do not fit: the wrong part of a width, a piece cut from or joined to what was right before, an axis that is missing or too
 * many. The operation that made the part is blamed, not the one that it does not fit.
 */
import { type Dim, divideExactly, loneAtom, multiply, subtract } from '../../dims/dim.ts';
import { formatDim } from '../../dims/format.ts';
import { isRows } from '../../interpreter/samples.ts';
import type { TensorValue } from '../../interpreter/value.ts';
import type { Range } from '../../text/range.ts';
import { axisPath, isMatrixProduct, type Place, reductions, sizeAt } from './axes.ts';
import type { Blame } from './blame.ts';
import { chainOf, rangeOfNode, sameSize, textOf, traceSites } from './chains.ts';
import type { Clash } from './clashes.ts';
import { elementwiseOps, type Find, inputsOf, opOf, pieceOps, read, viewOps } from './failing.ts';
import { isLength, roleOfAxis } from './layouts.ts';
import { aliasOf, isCopy, placeAt, placeOf, rangeIn } from './places.ts';
import { dimFromEnd, fromEnd, isWeight } from './tensors.ts';

type Side = readonly [place: Place, own: Dim, wanted: Dim];

const sidesOf = ({ left, right, x, y }: Clash): readonly Side[] => [
  [left, x, y],
  [right, y, x],
];

const cuts = /^(?:split|chunk|tensor_split|getitem|narrow)$/;

/** Pieces that differ along one axis alone, which is not the one along which they are joined: they can be joined along that one only. */
export function joinedAlong(find: Find, clashes: readonly Clash[]): Blame | undefined {
  const axes = new Set(clashes.map(({ left }) => left.axis));
  const [axis] = axes;
  const pieces = inputsOf(find.failure);
  if (!/^(?:cat|concat)$/.test(find.op) || axis === undefined || axes.size !== 1) return undefined;
  const [rank] = pieces.map(({ shape }) => shape.dims.length);
  const isWhole = (dim: Dim): boolean => !dim.unknown;
  if (!pieces.every(({ shape }) => shape.ellipsis === undefined && shape.dims.length === rank && shape.dims.every(isWhole)))
    return undefined;
  const dim = find.failure.call.arguments.get('dim');
  const joined =
    dim?.kind === 'int' && dim.dim.constant !== undefined && pieces[0] !== undefined ? fromEnd(dim.dim.constant, pieces[0]) : undefined;
  // Joined along an axis that is as long in all, as tokens are: that is where they should be alike.
  const [first, ...others] = pieces.map((piece) => (joined === undefined ? undefined : dimFromEnd(piece, joined)));
  if (joined === undefined || first === undefined || !others.every((each) => each !== undefined && sameSize(find, each, first)))
    return undefined;
  return { at: find.use, hint: `Along axis ${axis} they fit.` };
}

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

/** Parts of one cut have each other's widths: this one is as wide as the view of another asks, or the other way round, and both views fail. */
export function isExchanged(find: Find, cut: TensorValue): boolean {
  const place = placeOf(cut);
  const [own, wanted] = [dimFromEnd(cut, -1), headsAskedFor(find, find.failure)];
  if (own === undefined || wanted === undefined) return false;
  return find.study.failures.some((other) => {
    const asked = other === find.failure || !viewOps.test(opOf(other)) ? undefined : headsAskedFor(find, other);
    const part = inputsOf(other)
      .flatMap(chainOf)
      .find((each) => each.op === cut.op && each.index !== cut.index && placeOf(each) === place);
    const size = part === undefined ? undefined : dimFromEnd(part, -1);
    return asked !== undefined && size !== undefined && (sameSize(find, own, asked) || sameSize(find, size, wanted));
  });
}

/** The width of the heads that a view makes, all together. */
function headsAskedFor({ study }: Find, { call: { site } }: Find['failure']): Dim | undefined {
  const view = site === undefined ? undefined : study.tensors.find((each) => viewOps.test(each.op) && placeOf(each) === placeAt(site));
  const [heads, width] = [-2, -1].map((axis) => (view === undefined ? undefined : dimFromEnd(view, axis)));
  return heads === undefined || width === undefined || heads.unknown || width.unknown ? undefined : multiply(heads, width);
}

const resizes = /^(?:getitem|narrow|cat|concat)$/;

/** A size that fitted until an operation cut it or added to it, of the two sides the one whose size is the rarer. */
export function resized(find: Find, clash: Clash): Blame | undefined {
  if (find.op === 'linear' || pieceOps.test(find.op)) return undefined;
  const held = [clash.left, clash.right].filter(({ node }) => isWeight(node, false));
  const found = sidesOf(clash).flatMap((side) => {
    const [place, own, wanted] = side;
    // What a table is added to is as it should be; a table is cut to a length, and not to a width.
    if (held.length > 0 && (!held.includes(place) || !isLength(own))) return [];
    if (isLength(own) && isLength(wanted)) return [];
    const path = axisPath(place);
    const at = path.findIndex((each) => !sameSize(find, sizeAt(each) ?? own, own));
    const changed = path[at - 1]?.node;
    if (at < 1 || changed === undefined) return [];
    // Parts are cut on purpose: that one stands for the whole is said where it gets the name.
    const isNamed = cuts.test(changed.op) && path.slice(0, at).some(({ node }) => aliasOf(find.code, node) !== undefined);
    if (!resizes.test(changed.op) && !isNamed) return [];
    const before = changed.inputs.some((input) => input.shape.dims.some((dim) => sameSize(find, dim, wanted)));
    return before || hasSibling(find, path[at - 1] as Place, wanted) ? [{ side, path: path.slice(0, at), changed }] : [];
  });
  if (found.length === 0) return undefined;
  const counts = new Map(found.map((each) => [each, standing(find, each.side[1])]));
  const [odd, other] = [...found].sort((a, b) => (counts.get(a) ?? 0) - (counts.get(b) ?? 0));
  if (odd === undefined || (other !== undefined && counts.get(odd) === counts.get(other))) return undefined;
  const [, own, wanted] = odd.side;
  if (other === undefined && held.length === 0 && standing(find, own) > standing(find, wanted)) return undefined;
  const alias = odd.path.flatMap(({ node }) => aliasOf(find.code, node) ?? [])[0];
  const at = alias?.at ?? rangeOfNode(find, odd.changed);
  return at === undefined ? undefined : { at, hint: `\`${textOf(find, at)}\` gives ${formatDim(own)}; with ${formatDim(wanted)} it fits.` };
}

/** Whether another piece that is cut from the same has the size. */
function hasSibling(find: Find, { node, axis }: Place, wanted: Dim): boolean {
  const [from] = node.inputs;
  if (node.op !== 'getitem' || from === undefined) return false;
  return find.study.tensors.some((each) => {
    const [other] = each.op === 'getitem' && placeOf(each) !== placeOf(node) ? each.inputs : [];
    const size = other !== undefined && isCopy(other, from) ? sizeAt({ node: each, axis }) : undefined;
    return size !== undefined && read(find, size).key === wanted.key;
  });
}

/** A tensor under a new name that is not what the name says: what the other operand is made for lies beside it. */
export function misnamed(find: Find, { left, right, y, x }: Clash): Blame | undefined {
  if (!elementwiseOps.test(find.op) || left.axis !== -1) return undefined;
  for (const [place, other, wanted] of [
    [left, right, y],
    [right, left, x],
  ] as const) {
    const alias = aliasOf(find.code, place.node);
    if (alias === undefined) continue;
    const from = placeOf(place.node);
    const own = sizeAt(place) ?? wanted;
    const works = find.study.tensors.some(
      (node) =>
        node.op === find.op &&
        node.inputs.some((input) => isCopy(input, other.node)) &&
        node.inputs.some(
          (input) => placeOf(input) !== from && !isCopy(input, other.node) && sameSize(find, dimFromEnd(input, -1) ?? own, wanted),
        ),
    );
    if (works) return { at: alias.at, hint: `\`${alias.name}\` is not ${formatDim(wanted)} wide.` };
  }
  return undefined;
}

const makers = /^(?:arange|zeros|ones|empty|full|randn|rand|tril|triu)$/;

/** A table that has its axes in other places than rows, heads and tokens have theirs: where it is made. */
export function madeOtherwise(find: Find, clash: Clash): Blame | undefined {
  for (const [place, own, wanted] of sidesOf(clash)) {
    const path = axisPath(place);
    const [first, other] = [path.at(-1), axisPath(place === clash.left ? clash.right : clash.left).at(-1)];
    // One that was cut is wrong where it was cut.
    if (path.some((each) => sizeAt(each)?.key !== sizeAt(place)?.key)) continue;
    if (first === undefined || !makers.test(first.node.op) || (other !== undefined && makers.test(other.node.op))) continue;
    const isTurned = isRows(own) ? isLength(wanted) : !isLength(own) && (isRows(wanted) || roleOfAxis(wanted) === 'heads');
    if (!isTurned || own.constant !== undefined) continue;
    const at = rangeOfNode(find, first.node);
    if (at !== undefined) return { at, hint: `Its axis of ${formatDim(own)} comes to stand where ${formatDim(wanted)} is.` };
  }
  return undefined;
}

/** A table that is cut to another size than the length of what it meets: the call that says to what. */
export function cutTo(find: Find, clash: Clash): Blame | undefined {
  for (const [place, own, wanted] of sidesOf(clash)) {
    const least = loneAtom(own);
    if (!isLength(wanted) || least?.kind !== 'minimum' || least.operands.some((each) => read(find, each).key === wanted.key)) continue;
    const path = axisPath(place);
    const at = path.findIndex((each) => (sizeAt(each) ?? own).key !== (sizeAt(place) ?? own).key);
    const cut = path[at - 1]?.node;
    const calls = cut?.op === 'getitem' ? traceSites(cut.trace) : [];
    const range = rangeIn(find.code, calls[0]);
    const [, call] = find.failure.sites;
    // Where it is cut right before it is used, that is the place.
    if (range !== undefined && calls[0] !== undefined && (call === undefined || placeAt(call) !== placeAt(calls[0])))
      return { at: range, hint: `The table is cut to ${formatDim(own)}; with ${formatDim(wanted)} it fits.` };
  }
  return undefined;
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
  if (rank < 2 || !isRows(few.shape.dims[0]) || !isRows(many.shape.dims[0])) return undefined;
  if (!clashes.some(({ left, right }) => (left.node === few ? left : right).axis === -rank) && !isMatrixProduct(find.op)) return undefined;
  const change = chainOf(few).find(
    (node) =>
      (ranks.test(node.op) || reductions.test(node.op)) &&
      node.shape.dims.length === rank &&
      // What is looked up by tokens has the axes of the tokens.
      (node.op !== 'getitem' || node.inputs.length === 1) &&
      node.inputs[0] !== undefined &&
      node.inputs[0].shape.ellipsis === undefined &&
      node.inputs[0].shape.dims.length !== rank,
  );
  const at = change === undefined ? undefined : rangeOfNode(find, change);
  if (at !== undefined) return { at, hint: `\`${textOf(find, at)}\` leaves ${rank} axes, and the other has ${many.shape.dims.length}.` };
  const added = isMatrixProduct(find.op) ? undefined : addedAxis(find, many, rank);
  if (added !== undefined) return { at: added, hint: `\`${textOf(find, added)}\` leaves an axis of 1.` };
  const kept = isMatrixProduct(find.op) ? undefined : givenBack(find, many);
  return kept === undefined ? undefined : { at: kept, hint: `It has ${many.shape.dims.length} axes here, and the other ${rank}.` };
}

/** Where a sum over an axis, or the like, left an axis of 1 that the other operand does not have. */
function addedAxis(find: Find, many: TensorValue, rank: number): Range | undefined {
  const ones = many.shape.dims.flatMap(({ constant }, i) => (constant === 1 ? [i - many.shape.dims.length] : []));
  const [axis] = ones;
  if (axis === undefined || ones.length > 1 || many.shape.dims.length !== rank + 1) return undefined;
  const kept = axisPath({ node: many, axis }).filter((place) => sizeAt(place)?.constant === 1);
  const made = kept.at(-1)?.node;
  return made !== undefined && reductions.test(made.op) ? rangeOfNode(find, made) : undefined;
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
