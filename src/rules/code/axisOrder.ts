/** Axes that stand in another order than the failing operation wants: the operation that put them so. */

import { symbolsOf } from '../../dims/visit.ts';
import { ancestors, sameElements } from '../../interpreter/graph.ts';
import { lengthScope } from '../../interpreter/samples.ts';
import type { TensorValue, Value } from '../../interpreter/value.ts';
import type { Range } from '../../text/range.ts';
import { axisPath, isMatrixProduct, productOperands } from './axes.ts';
import type { Blame } from './blame.ts';
import { chainOf, isProductOp, keysOf, rangeOfNode, sameSize, textOf, traceSites } from './chains.ts';
import { type Clash, clashesOf, type Swap, swapsThatFit } from './clashes.ts';
import { type Find, firstOf, inputsOf, tensorOf } from './failing.ts';
import { isLength, roleOfAxis } from './layouts.ts';
import { aliasOf, defaultOf, definitionOf, isCopy, placeAt, placeOf } from './places.ts';
import { dimFromEnd, isWeight } from './tensors.ts';

/** Queries and keys, features last in both, multiplied as they are: the product itself. */
export function untransposed(find: Find): Blame | undefined {
  if (!/^(?:matmul|bmm)$/.test(find.op)) return undefined;
  const [left, right] = productOperands({ arguments: find.failure.call.arguments }) ?? [];
  if (left === undefined || right === undefined || isWeight(left, false) || isWeight(right, false)) return undefined;
  const [own, theirs, rows] = [dimFromEnd(left, -1), dimFromEnd(right, -1), dimFromEnd(right, -2)];
  if (own === undefined || theirs === undefined || rows === undefined || !sameSize(find, own, theirs) || sameSize(find, own, rows))
    return undefined;
  const isLengths =
    symbolsOf(rows).some(({ scope }) => scope === lengthScope) && !symbolsOf(own).some(({ scope }) => scope === lengthScope);
  return isLengths ? { at: find.use, hint: 'With the last axes of the second exchanged it fits.' } : undefined;
}

/** The second operand of a product, transposed along other axes than the last two. */
export function turnedOtherwise(find: Find): Blame | undefined {
  const [left, right] = isMatrixProduct(find.op) ? (productOperands({ arguments: find.failure.call.arguments }) ?? []) : [];
  const from = right?.inputs[0];
  if (left === undefined || right === undefined || from === undefined || !/^(?:transpose|permute|swapaxes)$/.test(right.op))
    return undefined;
  const rank = from.shape.dims.length;
  if (rank < 3 || rank !== left.shape.dims.length || [left, from].some(({ shape }) => shape.ellipsis !== undefined)) return undefined;
  for (let axis = -rank; axis < 0; axis++) {
    const [a, b] = [dimFromEnd(left, axis), dimFromEnd(from, axis)];
    if (axis !== -2 && (a === undefined || b === undefined || !sameSize(find, a, b))) return undefined;
  }
  const at = rangeOfNode(find, right);
  return at === undefined ? undefined : { at, hint: `With the last two axes transposed it fits.` };
}

/** What was transposed on its way from what it is added to, and not back: the last that was done to it. */
export function notTurnedBack(find: Find, clashes: readonly Clash[]): Blame | undefined {
  const [left, right] = /^(?:add|sub)$/.test(find.op) ? inputsOf(find.failure) : [];
  if (left === undefined || right === undefined || clashes.length < 2) return undefined;
  for (const [own, other] of [
    [left, right],
    [right, left],
  ] as const) {
    const isStart = (node: TensorValue): boolean => isCopy(node, other);
    const behind = ancestors(own, (node) => !isStart(node), 200);
    if (!behind.some(isStart) || !behind.some((node) => orders.test(node.op) || /^m?T$/.test(node.op))) continue;
    if (!swapsThatFit(find, clashes).some(({ node }) => node === own)) continue;
    const at = firstOf(chainOf(own), (node) => rangeOfNode(find, node));
    if (at !== undefined) return { at, hint: 'Its axes were exchanged before; exchanged again it fits.' };
  }
  return undefined;
}

export const moves = /^(?:transpose|permute|swapaxes|movedim|T|mT|view|reshape|unflatten|flatten|rearrange|getitem|unsqueeze|select)$/;

/** Two axes of one operand stand in each other's place. */
export function swapped(find: Find, clashes: readonly Clash[]): Blame | undefined {
  const swaps = swapsThatFit(find, clashes);
  const nodes = new Set(swaps.map(({ node }) => node));
  // The order of a weight's axes is for those who compare weights; a mask is cut out of one.
  const mask = tensorOf(find, 'attn_mask');
  if (swaps.length === 0 || swaps.some(({ node }) => node !== mask && isWeight(node, true)) || failsStraight(find)) return undefined;
  const isMatrix = isMatrixProduct(find.op);
  if (isMatrix && clashes.every(({ left, right }) => left.axis >= -2 && right.axis >= -2)) {
    const earlier = firstOf(inputsOf(find.failure), (operand) => productBehind(find, operand));
    if (earlier !== undefined) return earlier;
  }
  if (nodes.size === 1 && isMatrix && [...nodes].every((node) => isProper(node) && !isProduct(node))) return undefined;
  const trusted = nodes.size > 1 ? [...nodes].filter((node) => isTrusted(find, node)) : [];
  const left = swaps.filter(({ node }) => trusted.length === nodes.size || !trusted.includes(node));
  // Queries times keys where neither is transposed: the product is what lacks it.
  if (isMatrix && swaps.filter(({ axes }) => axes[0] === -2).length > 1) return undefined;
  // What a product gave has its axes from its operands.
  const split = left.filter(({ node }) => !isProduct(node));
  const [swap] = [...(split.length > 0 ? split : left)].sort((a, b) => b.node.id - a.node.id);
  return swap === undefined ? undefined : movedAt(find, swap);
}

/** The same code fails on other sizes that no swap makes fit: that it would here is by the numbers. */
function failsStraight(find: Find): boolean {
  const { site } = find.failure.call;
  if (site === undefined) return false;
  return find.study.failures.some((failure) => {
    if (failure === find.failure || failure.call.site === undefined || placeAt(failure.call.site) !== placeAt(site)) return false;
    const other = { ...find, failure };
    const clashes = clashesOf(other);
    return clashes.length > 0 && swapsThatFit(other, clashes).length === 0;
  });
}

const isProduct = (node: TensorValue): boolean => isProductOp(chainOf(node).at(-1)?.op ?? '');

/** Heads in front of tokens, as attention wants them. */
function isProper({ shape: { dims } }: Pick<TensorValue, 'shape'>): boolean {
  const [heads, length] = [dims.at(-3), dims.at(-2)];
  return dims.length === 4 && heads !== undefined && length !== undefined && roleOfAxis(heads) === 'heads' && isLength(length);
}

/** Another operation of the kind takes the tensor, or one of the same shape, as it is. */
export function isTrusted(find: Find, { shape, id }: TensorValue): boolean {
  const keys = shape.dims.map(({ key }) => key).join(' ');
  const shapesOf = (inputs: readonly TensorValue[]): string => inputs.map((input) => keysOf(input).join(' ')).join(', ');
  const failing = new Set(
    find.study.failures.map(
      (failure) => `${failure.call.site === undefined ? '' : placeAt(failure.call.site)} ${shapesOf(inputsOf(failure))}`,
    ),
  );
  if (isProper({ shape })) return true;
  return find.study.tensors.some(
    (node) =>
      node.op === find.op &&
      node.inputs.length > 1 &&
      !failing.has(`${placeOf(node)} ${shapesOf(node.inputs)}`) &&
      node.inputs.some((input) => input.id === id || (input.shape.ellipsis === undefined && keysOf(input).join(' ') === keys)),
  );
}

function movedAt(find: Find, { node, axes }: Swap): Blame | undefined {
  const chain = chainOf(node);
  const innocent = passedBy(node, axes);
  const isMove = (each: TensorValue): boolean =>
    moves.test(each.op) &&
    !innocent.has(each) &&
    each.shape.dims.length >= 2 &&
    (each.op !== 'getitem' || each.shape.dims.length !== each.inputs[0]?.shape.dims.length);
  const depth = find.failure.sites.length - 1;
  // What a function further in made of it is not where it was put in order.
  const outside = chain.filter(({ trace }) => traceSites(trace).length <= depth);
  const moved =
    outside.find((each) => isMove(each) || (each.op === 'getitem' && definitionOf(find.code, each) !== undefined)) ?? chain.find(isMove);
  const hint = (name: string): string => `With axes ${axes[0]} and ${axes[1]} of ${name} swapped, it fits.`;
  const alias = firstOf(chain.slice(0, moved === undefined ? chain.length : chain.indexOf(moved) + 1), (each) => aliasOf(find.code, each));
  if (alias !== undefined) return { at: alias.at, hint: hint(`\`${alias.name}\``) };
  const copied = chain.find(({ op, site }) => sameElements.has(op) && op === 'contiguous' && site !== undefined);
  if (copied !== undefined && moved === undefined) {
    const at = rangeOfNode(find, copied);
    if (at !== undefined) return { at, hint: hint('its result') };
  }
  if (moved === undefined) return undefined;
  const byDefault = firstOf([...moved.arguments.values()], (value) => defaultOf(find.code, value));
  if (byDefault !== undefined) return { at: byDefault.at, hint: hint(`what \`${byDefault.name}\` places`) };
  const at = rangeOfNode(find, moved);
  const beside = at === undefined ? undefined : besideAt(find, node, at);
  if (beside !== undefined) return { at: beside, hint: 'The other operand is transposed here, and this one is not.' };
  return at === undefined ? undefined : { at, hint: hint('its result') };
}

/** Transpositions of one of two axes with a third: without them the two would stand in each other's place all the same. */
function passedBy(node: TensorValue, axes: readonly [number, number]): ReadonlySet<TensorValue> {
  const found = new Set<TensorValue>();
  const [left, right] = axes.map((axis) => axisPath({ node, axis }));
  for (const [i, a] of (left ?? []).entries()) {
    const [b, x, y] = [right?.[i], left?.[i + 1], right?.[i + 1]];
    if (b === undefined || x === undefined || y === undefined || a.node !== b.node || x.node !== y.node) break;
    const isOneMoved = (a.axis === x.axis) !== (b.axis === y.axis);
    if (/^(?:transpose|swapaxes|mT|T)$/.test(a.node.op) && isOneMoved) found.add(a.node);
  }
  return found;
}

/** Where the other operand gets its axes in a statement of its own, after this one was made: the like of it was left out. */
function besideAt(find: Find, node: TensorValue, made: Range): Range | undefined {
  const others = inputsOf(find.failure).filter((each) => each !== node);
  const transposed = others.flatMap(chainOf).flatMap((each) => {
    const at = /^(?:transpose|permute|swapaxes)$/.test(each.op) ? definitionOf(find.code, each)?.at : undefined;
    return at === undefined || at.start < made.end || at.end > find.use.start ? [] : [at];
  });
  return transposed[0];
}

/** Weights that have no axis of tokens, because the product before summed over it. */
function productBehind(find: Find, node: TensorValue): Blame | undefined {
  const chain = chainOf(node);
  const product = chain.at(-1);
  if (product === undefined || !isMatrixProduct(product.op) || chain.some(({ op }) => op === 'linear')) return undefined;
  const [rows, columns] = [dimFromEnd(product, -2), dimFromEnd(product, -1)];
  if (rows === undefined || columns === undefined || isLength(rows) || isLength(columns)) return undefined;
  const at = rangeOfNode(find, product);
  return at === undefined ? undefined : { at, hint: `\`${textOf(find, at)}\` sums over the tokens.` };
}

const orders = /^(?:transpose|permute|swapaxes|movedim|rearrange)$/;

/** Of three tensors whose axes are put in order side by side, as queries, keys and values are, the one that is ordered otherwise. */
export function oddOne(find: Find): Blame | undefined {
  for (const operand of inputsOf(find.failure)) {
    const node = chainOf(operand).find(({ op, shape }) => orders.test(op) && shape.dims.length >= 3);
    if (node === undefined || node.trace === undefined) continue;
    const beside = find.study.tensors.filter(
      (each) =>
        each !== node &&
        orders.test(each.op) &&
        each.trace?.site === node.trace?.site &&
        each.call === node.call &&
        each.inputs[0]?.shape.dims.length === node.inputs[0]?.shape.dims.length &&
        chainOf(each).at(-1)?.op === chainOf(node).at(-1)?.op,
    );
    const own = orderOf(node);
    const counts = new Map<string, number>();
    for (const each of beside) counts.set(orderOf(each), (counts.get(orderOf(each)) ?? 0) + 1);
    const [other, count] = [...counts].sort((a, b) => b[1] - a[1])[0] ?? ['', 0];
    if (count < 2 || counts.has(own) || other === own) continue;
    const at = rangeOfNode(find, node);
    if (at !== undefined) return { at, hint: `\`${textOf(find, at)}\` orders the axes otherwise than what stands beside it.` };
  }
  return undefined;
}

function orderOf(node: TensorValue): string {
  const parts: string[] = [];
  for (const [name, value] of node.arguments) if (value.kind !== 'tensor') parts.push(`${name}=${orderText(value)}`);
  return `${node.op} ${parts.join(' ')}`;
}

function orderText(value: Value): string {
  if (value.kind === 'int') return value.dim.key;
  if (value.kind === 'string') return value.value ?? '';
  return value.kind === 'tuple' || value.kind === 'list' ? value.items.map(orderText).join(',') : value.kind;
}
