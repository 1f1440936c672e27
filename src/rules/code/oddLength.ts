/**
 * Lengths that should be one: keys and values of one memory, a mask and the keys it is for. The one that what stands around it does not
 * have is blamed, where it got its length, or where what has another length was handed over.
 */
import type { Dim } from '../../dims/dim.ts';
import { formatDim } from '../../dims/format.ts';
import { symbolsOf } from '../../dims/visit.ts';
import { lengthScope } from '../../interpreter/samples.ts';
import type { TensorValue } from '../../interpreter/value.ts';
import type { Range } from '../../text/range.ts';
import { axisPath, isMatrixProduct, type Place, productOperands, sizeAt } from './axes.ts';
import type { Blame } from './blame.ts';
import { chainOf, isProductOp, rangeOfNode, sameSize, textOf, traceSites } from './chains.ts';
import type { Clash } from './clashes.ts';
import { elementwiseOps, type Find, read } from './failing.ts';
import { isCopy, placeOf, rangeIn } from './places.ts';
import { dimFromEnd } from './tensors.ts';
import { demandsOn } from './witnesses.ts';

/** Made of lengths of what comes in alone. */
function spansTokens(dim: Dim): boolean {
  if (dim.unknown || dim.constant !== undefined) return false;
  const symbols = symbolsOf(dim);
  return symbols.length > 0 && symbols.every(({ scope, name }) => scope === lengthScope && name !== 'B');
}

export function oddLength(find: Find, clash: Clash): Blame | undefined {
  if (!spansTokens(clash.x) || !spansTokens(clash.y)) return undefined;
  const odd = oddSide(find, clash);
  if (odd === undefined) return undefined;
  const [own, wanted, other] = odd === clash.left ? [clash.x, clash.y, clash.right] : [clash.y, clash.x, clash.left];
  // Queries that stand in the place of values are not of another length by mistake.
  const scores = odd === clash.right ? chainOf(clash.left.node).at(-1) : undefined;
  const queries = scores !== undefined && isMatrixProduct(scores.op) ? productOperands(scores)?.[0] : undefined;
  if (queries !== undefined && chainOf(queries).some(({ id }) => id === odd.node.id)) return undefined;
  const fits = `with ${formatDim(wanted)} it fits.`;
  const path = axisPath(odd);
  const until = path.findIndex((_, i) => {
    const next = path[i + 1];
    const size = next === undefined ? undefined : sizeAt(next);
    return size !== undefined && read(find, size).key !== own.key;
  });
  const last = path.at(until);
  if (last === undefined) return undefined;
  // It was cut or joined to this length, or made so.
  const isMade = last.node.op !== 'input' && (until >= 0 || last.node.inputs.length === 0);
  if (isMade && last.node.op !== 'linear') {
    const at = rangeOfNode(find, last.node);
    if (at !== undefined) return { at, hint: `\`${textOf(find, at)}\` gives ${formatDim(own)}; ${fits}` };
  }
  const memory = (elementwiseOps.test(find.op) ? valuesBeside(find, path) : undefined) ?? other;
  const at = handedAt(find, odd, memory) ?? besideAt(find, path, axisPath(memory));
  return at === undefined ? undefined : { at, hint: `Here is what is ${formatDim(own)} long; ${fits}` };
}

/** The side with a length that the other tensors around do not have. */
function oddSide(find: Find, { left, right, x, y }: Clash): Place | undefined {
  const choose = (wanted: readonly Dim[]): Place | undefined => {
    const [isLeft, isRight] = [x, y].map((size) => wanted.some((each) => sameSize(find, each, size)));
    return isLeft === isRight ? undefined : isLeft ? right : left;
  };
  if (elementwiseOps.test(find.op)) return left.axis === -1 ? choose(demandsOn(find)) : undefined;
  if (!isProductOp(find.op)) return undefined;
  // Weights that fit a mask, and queries times keys that have the length of the queries where keys have another.
  const masked = chainOf(left.node).flatMap((node) => (elementwiseOps.test(node.op) && node.inputs.length > 1 ? node.inputs : []));
  const masks = masked.flatMap((node) =>
    axisPath({ node, axis: -1 }).some((each) => isProductOp(each.node.op)) ? [] : [dimFromEnd(node, -1)],
  );
  const byMask = choose(masks.flatMap((size) => (size === undefined || size.constant !== undefined ? [] : [size])));
  if (byMask !== undefined) return byMask;
  const queries = isMatrixProduct(find.op) ? dimFromEnd(left.node, -2) : undefined;
  if (queries === undefined || !spansTokens(read(find, queries))) return undefined;
  // What looks at a memory and is as long as what looks is not of the memory.
  return choose([x, y].filter((size) => !sameSize(find, size, queries)));
}

/** Of scores: what the weights that they become are multiplied with. */
function valuesBeside({ study }: Find, path: readonly Place[]): Place | undefined {
  const scores = path.find(({ node }) => isMatrixProduct(node.op))?.node;
  if (scores === undefined) return undefined;
  const product = study.tensors.find((node) => {
    const [weights] = isMatrixProduct(node.op) && node !== scores ? (productOperands(node) ?? []) : [];
    const from = weights === undefined ? undefined : chainOf(weights).at(-1);
    return from !== undefined && isCopy(from, scores);
  });
  const values = product === undefined ? undefined : productOperands(product)?.[1];
  return values === undefined ? undefined : { node: values, axis: -2 };
}

/** Where a projection, or the call that holds it, is given the wrong tensor. */
function handedAt(find: Find, odd: Place, other: Place): Range | undefined {
  const [own, beside] = [odd, other].map((place) => axisPath(place).find(({ node }) => node.op === 'linear')?.node);
  const call = own?.call?.parent;
  if (own === undefined || beside === undefined || call === undefined || call !== beside.call?.parent) return undefined;
  const fed = (node: TensorValue): TensorValue | undefined => node.inputs[0];
  const given = [...call.positional, ...call.keywords.values()].flatMap((value) => (value.kind === 'tensor' ? [value] : []));
  const [a, b] = [fed(own), fed(beside)];
  // Of three inputs of their own one was handed over wrong; of one or two the projection takes the wrong one.
  const isSpread = a !== undefined && b !== undefined && given.length > 2 && [a, b].every((each) => given.some((one) => isCopy(one, each)));
  return isSpread ? rangeIn(find.code, call.site) : rangeOfNode(find, own);
}

/** What is done to the other after it got its length is done here to something else. */
function besideAt(find: Find, path: readonly Place[], other: readonly Place[]): Range | undefined {
  const made = other.findIndex((each, i) => {
    const next = other[i + 1];
    return next !== undefined && sizeAt(next)?.key !== sizeAt(each)?.key;
  });
  const setter = other[made]?.node;
  const next = other[made - 1]?.node;
  if (setter === undefined || next === undefined) return undefined;
  const alike = path.find(({ node }) => node.op === next.op && placeOf(node) === placeOf(next));
  const site = alike === undefined ? undefined : traceSites(alike.node.trace)[0];
  // The function that both go through, where it is called.
  if (alike !== undefined && traceSites(next.trace)[0] !== site) return rangeIn(find.code, site);
  const own = path.findLast(({ node }) => node.op === next.op && node.trace?.site === next.trace?.site);
  return own === undefined ? undefined : rangeOfNode(find, own.node);
}
