/** Which axes of the operands of an operation must be equally long, and where they are not. */
import type { Dim } from '../../dims/dim.ts';
import { symbolsOf } from '../../dims/visit.ts';
import { lengthScope } from '../../interpreter/samples.ts';
import type { TensorValue } from '../../interpreter/value.ts';
import { isMatrixProduct, type Place, productOperands, sizeAt } from './axes.ts';
import { equationOf } from './contractions.ts';
import { elementwiseOps, type Find, inputsOf, normOps, pieceOps, read, tensorOf } from './failing.ts';
import { isLength } from './layouts.ts';
import { compareSizes, seemSame } from './sizes.ts';
import { fromEnd } from './tensors.ts';

/** Two axes that must be equally long. */
interface Pair {
  readonly left: Place;
  readonly right: Place;
  /** Either may be 1. */
  readonly broadcasts: boolean;
}

/** Two axes that must be equally long, and are not. */
export interface Clash extends Pair {
  readonly x: Dim;
  readonly y: Dim;
}

type SizeOf = (place: Place) => Dim | undefined;

const pair = (left: TensorValue, i: number, right: TensorValue, j: number, broadcasts = false): Pair => ({
  left: { node: left, axis: i },
  right: { node: right, axis: j },
  broadcasts,
});

/** What the operation asks of its operands' axes. */
function pairsOf(find: Find): readonly Pair[] {
  const { op, failure } = find;
  const all = inputsOf(failure);
  if (op === 'linear') {
    const [input, weight] = [tensorOf(find, 'input'), tensorOf(find, 'weight')];
    return input === undefined || weight === undefined ? [] : [pair(input, -1, weight, -1)];
  }
  if (isMatrixProduct(op)) {
    const [left, right] = productOperands({ arguments: failure.call.arguments }) ?? [];
    if (left === undefined || right === undefined) return [];
    return [pair(left, -1, right, -2), ...aligned(left, right, -3)];
  }
  if (op === 'scaled_dot_product_attention') {
    const [query, key, value] = ['query', 'key', 'value'].map((name) => tensorOf(find, name));
    if (query === undefined || key === undefined || value === undefined) return [];
    const gqa = failure.call.arguments.get('enable_gqa');
    const heads = gqa?.kind === 'bool' && gqa.value === false ? aligned(query, key, -3) : [];
    const mask = tensorOf(find, 'attn_mask');
    const masked = mask === undefined || mask.shape.dims.length < 2 ? [] : [pair(mask, -1, key, -2, true), pair(mask, -2, query, -2, true)];
    return [pair(query, -1, key, -1), pair(key, -2, value, -2), ...heads, ...aligned(key, value, -3), ...masked];
  }
  if (op === 'einsum') return einsumPairs(find, all);
  if (normOps.test(op)) {
    const [input, weight] = [tensorOf(find, 'input'), tensorOf(find, 'weight')];
    return input === undefined || weight === undefined || op === 'group_norm' ? [] : [pair(input, -1, weight, -1)];
  }
  if (pieceOps.test(op)) return piecePairs(find, all);
  if (!elementwiseOps.test(op) || op === 'setitem') return [];
  return all.flatMap((left, i) => all.slice(i + 1).flatMap((right) => aligned(left, right, -1)));
}

/** Pairs of axes from this one to the front. */
function aligned(left: TensorValue, right: TensorValue, from: number): readonly Pair[] {
  const pairs: Pair[] = [];
  for (let axis = from; sizeAt({ node: left, axis }) !== undefined && sizeAt({ node: right, axis }) !== undefined; axis--)
    pairs.push(pair(left, axis, right, axis, true));
  return pairs;
}

function einsumPairs({ failure }: Find, operands: readonly TensorValue[]): readonly Pair[] {
  const equation = equationOf({ op: 'einsum', arguments: failure.call.arguments });
  if (equation === undefined) return [];
  const places = new Map<string, Place[]>();
  for (const [i, labels] of equation.inputs.entries()) {
    const node = operands[i];
    if (node === undefined || labels.includes('...')) continue;
    for (const [at, label] of labels.entries()) places.set(label, [...(places.get(label) ?? []), { node, axis: at - labels.length }]);
  }
  return [...places.values()].flatMap(([left, ...others]) =>
    left === undefined ? [] : others.map((right) => ({ left, right, broadcasts: true })),
  );
}

function piecePairs(find: Find, pieces: readonly TensorValue[]): readonly Pair[] {
  const [first] = pieces;
  const dim = find.failure.call.arguments.get('dim');
  const joined = dim?.kind === 'int' ? dim.dim.constant : undefined;
  if (first === undefined || joined === undefined) return [];
  const axis = /^(?:stack|[hv]stack)$/.test(find.op) ? undefined : fromEnd(joined, first);
  return pieces
    .slice(1)
    .flatMap((each) => (each.shape.dims.length === first.shape.dims.length ? aligned(first, each, -1) : []))
    .filter(({ left }) => left.axis !== axis)
    .map((each) => ({ ...each, broadcasts: false }));
}

function differs(find: Find, { left, right, broadcasts }: Pair, sizeOf: SizeOf): Clash | 'unknown' | undefined {
  const [a, b] = [sizeOf(left), sizeOf(right)];
  if (a === undefined || b === undefined) return 'unknown';
  const [x, y] = [read(find, a), read(find, b)];
  if (x.key === y.key || (broadcasts && (x.constant === 1 || y.constant === 1))) return undefined;
  if (x.unknown || y.unknown) return 'unknown';
  // A length that comes in may be any number; what is made with the model may not.
  if (isLength(x) !== isLength(y) && (isFixed(x) || isFixed(y))) return { left, right, broadcasts, x, y };
  const answer = compareSizes(find.code, x, y);
  if (answer === 'same') return undefined;
  return answer === 'unknown' ? 'unknown' : { left, right, broadcasts, x, y };
}

const isFixed = (dim: Dim): boolean => symbolsOf(dim).every(({ flexible, scope }) => !flexible && scope !== lengthScope);

/** The pairs of axes that surely differ; where none does, those that may, since some do. */
export function clashesOf(find: Find): readonly Clash[] {
  const pairs = pairsOf(find);
  const sure = pairs.flatMap((each) => {
    const clash = differs(find, each, sizeAt);
    return clash === undefined || clash === 'unknown' ? [] : [clash];
  });
  if (sure.length > 0) return sure;
  return pairs.flatMap((each) => {
    const [x, y] = [sizeAt(each.left), sizeAt(each.right)];
    if (x === undefined || y === undefined || x.unknown || y.unknown || differs(find, each, sizeAt) !== 'unknown') return [];
    return [{ ...each, x: read(find, x), y: read(find, y) }];
  });
}

/** Two axes of one operand, which fit when they change places. */
export interface Swap {
  readonly node: TensorValue;
  readonly axes: readonly [number, number];
}

/** The exchanges of two axes of one operand after which the operation works. */
export function swapsThatFit(find: Find, clashes: readonly Clash[]): readonly Swap[] {
  const pairs = pairsOf(find);
  const nodes = new Set(clashes.flatMap(({ left, right }) => [left.node, right.node]));
  const mask = tensorOf(find, 'attn_mask');
  const swaps: Swap[] = [];
  for (const node of nodes) {
    const rank = node.shape.dims.length;
    if (node.shape.ellipsis !== undefined || rank > 5) continue;
    const own = [
      ...new Set(clashes.flatMap(({ left, right }) => [left, right].flatMap((each) => (each.node === node ? [each.axis] : [])))),
    ];
    const tried = new Set<string>();
    for (const i of own) {
      for (let j = -rank; j < 0; j++) {
        const axes = i < j ? ([i, j] as const) : ([j, i] as const);
        // The batch stays in front; of a mask only queries and keys are held against something.
        if (node === mask && axes[0] < -2) continue;
        if (i === j || tried.has(`${axes}`) || (rank > 3 && axes[0] === -rank)) continue;
        tried.add(`${axes}`);
        const sizeOf: SizeOf = (place) =>
          sizeAt(place.node !== node ? place : place.axis === i ? { node, axis: j } : place.axis === j ? { node, axis: i } : place);
        const works = pairs.every((each) => {
          const answer = differs(find, each, sizeOf);
          if (answer !== 'unknown') return answer === undefined;
          const [x, y] = [sizeOf(each.left), sizeOf(each.right)];
          if (x !== undefined && y !== undefined && seemSame(find.code, read(find, x), read(find, y))) return true;
          return differs(find, each, sizeAt) === 'unknown';
        });
        if (works && sizeAt({ node, axis: i })?.key !== sizeAt({ node, axis: j })?.key) swaps.push({ node, axes });
      }
    }
  }
  return swaps;
}
