/** Whether heads stay what they are on their way through an attention: told from the pieces that axes are made of. */
import type { Dim } from '../../dims/dim.ts';
import { isDropout, sameElements } from '../../interpreter/graph.ts';
import type { CodeReading } from '../../interpreter/study.ts';
import type { TensorValue } from '../../interpreter/value.ts';
import { type Attention, attentionsOf, type Operand } from './attention.ts';
import { equationOf } from './contractions.ts';
import { dimsIn, isView, type Misplaced } from './layouts.ts';
import { type Piece, piecesOf } from './pieces.ts';

/** Features that leave an attention in another order than the one in which they were split into heads. */
export interface Reordered {
  /** The view or rearrangement that differs from the others. */
  readonly node: TensorValue;
  /** It is where the width is split rather than where the heads are merged. */
  readonly isSplit: boolean;
  /** How the features stand at the end, outermost first. */
  readonly order: readonly Dim[];
}

/** Merges that put features in another order than the split had them in. */
export function reorderedHeads(code: CodeReading): readonly Reordered[] {
  const found: Reordered[] = [];
  for (const { tensors } of code.studies) {
    for (const projection of tensors) {
      const [input] = projection.op === 'linear' ? projection.inputs : [];
      const pieces = input === undefined ? undefined : piecesOf(code, input);
      if (input === undefined || pieces?.isAttended !== true) continue;
      const features = (pieces.axes.at(-1) ?? []).filter(({ kind }) => kind === 'feature');
      if (features.length < 2 || isAscending(features)) continue;
      const merge = lastLayout(input);
      const split = oddSplit(code, features);
      const node = split ?? merge;
      if (node !== undefined) found.push({ node, isSplit: split !== undefined, order: features.map(({ size }) => size) });
    }
  }
  return found;
}

const isAscending = (pieces: readonly Piece[]): boolean =>
  pieces.every((piece, i) => {
    const before = pieces[i - 1];
    return before === undefined || before.from !== piece.from || partOf(before) !== partOf(piece) || before.path < piece.path;
  });

/** The part of a projection that was split before its axes were: queries and keys of one projection have no order between them. */
const partOf = ({ path }: Piece): string => path.slice(0, path.lastIndexOf('.') + 1);

/** The view or rearrangement that made the tensor. */
function lastLayout(tensor: TensorValue): TensorValue | undefined {
  let at = tensor;
  for (let i = 0; i < 12; i++) {
    if (isView(at) || at.op === 'rearrange') return at;
    const [first] = at.inputs;
    if (first === undefined || !(sameElements.has(at.op) || isDropout(at))) return undefined;
    at = first;
  }
  return undefined;
}

/** The split that puts heads behind the features of a head, where an attention sums over the outer of the two. */
function oddSplit(code: CodeReading, features: readonly Piece[]): TensorValue | undefined {
  for (const attention of attentionsOf(code)) {
    const summed = axisPieces(code, attention.key, attention.key.axis);
    const heads = headPieces(code, attention);
    const [inner, outer] = [summed?.[0], heads?.find(({ kind }) => kind === 'feature')];
    if (inner === undefined || outer === undefined || inner.from !== outer.from || inner.path >= outer.path) continue;
    const { value } = attention.kind === 'called' ? attention : { value: attention.sums[0]?.value };
    if (value?.source?.node !== features[0]?.from) continue;
    return value?.source?.passed.findLast((node) => isView(node) || node.op === 'rearrange');
  }
  return undefined;
}

function axisPieces(code: CodeReading, { tensor }: Operand, axis: number | undefined): readonly Piece[] | undefined {
  return axis === undefined ? undefined : piecesOf(code, tensor)?.axes.at(axis);
}

/** What stands before the last two axes of the keys. */
const headPieces = (code: CodeReading, { key }: Attention): readonly Piece[] | undefined =>
  key.axis === -1 || key.axis === -2 ? piecesOf(code, key.tensor)?.axes.at(-3) : undefined;

export interface Repeated {
  readonly attention: Attention;
  /** The operation that repeats. */
  readonly node: TensorValue;
  readonly heads: Dim;
  readonly times: Dim;
  /** Keys and values are not repeated alike. */
  readonly differs: boolean;
}

/** KV heads that are repeated as a whole, so that query head i meets KV head i modulo their number instead of i // group. */
export function tiledHeads(code: CodeReading): readonly Repeated[] {
  const found: Repeated[] = [];
  for (const attention of attentionsOf(code)) {
    const { value } = attention.kind === 'called' ? attention : { value: attention.sums[0]?.value };
    const [keys, values] = [attention.key, value].map((operand) => (operand === undefined ? undefined : orderOfCopies(code, operand)));
    const differs = keys !== undefined && values !== undefined && keys.isTiled !== values.isTiled;
    for (const each of [keys, values]) {
      if (each?.isTiled !== true || found.some(({ node }) => node === each.copy.from)) continue;
      found.push({ attention, node: each.copy.from, heads: each.head.size, times: each.copy.size, differs });
    }
  }
  return found;
}

function orderOfCopies(
  code: CodeReading,
  { tensor }: Operand,
): { readonly copy: Piece; readonly head: Piece; readonly isTiled: boolean } | undefined {
  for (const axis of piecesOf(code, tensor)?.axes ?? []) {
    const copy = axis.findIndex(({ kind }) => kind === 'copy');
    const head = axis.findIndex(({ kind, size }) => kind === 'feature' && size.constant !== 1);
    if (copy < 0 || head < 0 || axis.length !== 2) continue;
    return { copy: axis[copy] as Piece, head: axis[head] as Piece, isTiled: copy < head };
  }
  return undefined;
}

/** Attention that goes over pieces of the width, and sums over others: over the heads of each token. */
export function overFeatures(code: CodeReading): readonly Misplaced[] {
  return attentionsOf(code).flatMap((attention) => {
    if (attention.kind === 'softmax' && attention.sums.length === 0) return [];
    const { key } = attention;
    const axes = keyAxes(attention);
    const pieces = piecesOf(code, key.tensor)?.axes;
    const dims = dimsIn(code, key.tensor);
    if (axes === undefined || pieces === undefined || dims === undefined) return [];
    const isOf = (axis: number, kind: Piece['kind']): boolean => {
      const found = pieces[axis];
      return found !== undefined && found.length > 0 && found.every((piece) => piece.kind === kind);
    };
    // The batch, and the tokens, each of which attends by itself.
    const rows = axes.shared.filter((axis) => isOf(axis, 'lead') || dims[axis]?.constant === 1);
    const tokens = rows.findLast((axis) => isOf(axis, 'lead'));
    if (!isOf(axes.summed, 'feature') || !isOf(axes.own, 'feature') || tokens === undefined || rows.length < 2) return [];
    const [contracted, across] = [dims[axes.own], dims[tokens]];
    if (contracted === undefined || across === undefined || contracted.constant === 1) return [];
    const node = key.source?.passed.findLast((each) => isView(each) || each.op === 'rearrange') ?? key.tensor;
    return [{ attention, node, contracted, across }];
  });
}

/** The axes of the keys that are summed over, that attention goes over, and that queries and keys share. */
function keyAxes(attention: Attention): { readonly summed: number; readonly own: number; readonly shared: readonly number[] } | undefined {
  const { key } = attention;
  const rank = key.tensor.shape.dims.length;
  if (attention.kind === 'softmax' && attention.product.op === 'einsum') {
    const equation = equationOf(attention.product);
    const place = attention.product.inputs.indexOf(key.tensor);
    const [mine, others] = [equation?.inputs[place], equation?.inputs[1 - place]];
    if (equation === undefined || mine === undefined || others === undefined || mine.includes('...') || mine.length !== rank)
      return undefined;
    const summed = mine.findIndex((label) => others.includes(label) && !equation.output.includes(label));
    const own = mine.findIndex((label) => !others.includes(label) && equation.output.includes(label));
    const shared = mine.flatMap((label, i) => (others.includes(label) && equation.output.includes(label) ? [i] : []));
    return summed < 0 || own < 0 ? undefined : { summed, own, shared };
  }
  if ((key.axis !== -1 && key.axis !== -2) || rank !== 4) return undefined;
  const own = key.axis === -1 ? rank - 2 : rank - 1;
  return { summed: rank + key.axis, own, shared: Array.from({ length: Math.max(0, rank - 2) }, (_, i) => i) };
}
