/**
 * Where a view keeps every size and yet mixes what belongs to different tokens or heads. A view cuts the same row of elements in
 * other places: an axis survives it only where as many elements stand before it as did before.
 */
import { type Dim, divideExactly, loneAtom, mapAtoms, multiplyAll, zero } from '../../dims/dim.ts';
import { applyToShape, type Shape } from '../../dims/shape.ts';
import { Substitution } from '../../dims/unify.ts';
import { someAtom, symbolsOf } from '../../dims/visit.ts';
import { isDropout, plain, sameElements } from '../../interpreter/graph.ts';
import { conceptOf, lengthScope } from '../../interpreter/samples.ts';
import type { CodeReading } from '../../interpreter/study.ts';
import type { TensorValue } from '../../interpreter/value.ts';
import { type Attention, attentionsOf, type Operand } from './attention.ts';
import { equationOf } from './contractions.ts';
import { studyOf } from './layers.ts';

export const isView = ({ op }: TensorValue): boolean => op === 'view' || op === 'reshape' || op === 'unflatten' || op === 'flatten';

const lengthNames = /^(?:t|l|s|n|seq\w*|len\w*|length|\w*_len(?:gth)?|n_?ctx|time\w*|num_tokens|tgt_\w+|src_\w+)$/i;

/** The length of a sequence that came in. */
export function isLength(dim: Dim): boolean {
  const atom = loneAtom(dim);
  if (atom?.kind !== 'symbol') return false;
  return atom.scope === lengthScope ? atom.name !== 'B' : atom.flexible && lengthNames.test(atom.name);
}

export const mentionsLength = (dim: Dim): boolean => symbolsOf(dim).some(({ scope, name }) => scope === lengthScope && name !== 'B');

/** Dims with what sizes were found to be. Divisions are taken to leave nothing: the code works only then. */
export const dimsIn = (code: CodeReading, { shape }: TensorValue): readonly Dim[] | undefined => {
  const read: Shape = applyToShape(shape, studyOf(code)?.substitution ?? Substitution.empty);
  return read.ellipsis === undefined ? read.dims.map(exact) : undefined;
};

export const exact = (dim: Dim): Dim =>
  dim.constant !== undefined ? dim : mapAtoms(dim, (atom) => (atom.kind === 'remainder' ? zero : undefined));

export interface Scramble {
  readonly node: TensorValue;
  readonly input: TensorValue;
  readonly before: readonly Dim[];
  readonly after: readonly Dim[];
  readonly axis: Dim;
  /** Where the axis stands in each. */
  readonly from: number;
  readonly to: number;
  readonly kind: 'split' | 'merge' | 'other';
}

/** Views in which the tokens do not stay together. */
export function scramblesOf(code: CodeReading): readonly Scramble[] {
  const study = studyOf(code);
  if (study === undefined) return [];
  const outputs = new Set(attentionsOf(code).flatMap((each) => (each.kind === 'called' ? [each.node] : each.sums.map(({ node }) => node))));
  return study.tensors.flatMap((node) => scrambleOf(code, node) ?? mergeOf(code, node, outputs) ?? []);
}

/** Heads of an attention that are put beside one another while the tokens stand behind them, however many tokens there are. */
function mergeOf(code: CodeReading, node: TensorValue, outputs: ReadonlySet<TensorValue>): Scramble | undefined {
  if (!isView(node) || node.layer !== undefined) return undefined;
  const [input] = node.inputs;
  let made = input;
  while (made !== undefined && sameElements.has(made.op)) [made] = made.inputs;
  if (input === undefined || made === undefined || !outputs.has(made) || made.op === 'einsum') return undefined;
  const [before, after] = [dimsIn(code, input), dimsIn(code, node)];
  if (before?.length !== 4 || after?.length !== 3) return undefined;
  const [rows, heads, axis, width] = before as readonly [Dim, Dim, Dim, Dim];
  const [first, second, last] = after as readonly [Dim, Dim, Dim];
  if (heads.unknown || width.unknown || heads.constant === 1 || axis.constant === 1) return undefined;
  // Sizes that are not known are the same where they came from one place.
  if (first.key !== rows.key || second.key !== axis.key || last.key !== exact(multiplyAll([heads, width])).key) return undefined;
  return { node, input, before, after, axis, from: 2, to: 1, kind: 'merge' };
}

function scrambleOf(code: CodeReading, node: TensorValue): Scramble | undefined {
  if (!isView(node) || node.layer !== undefined) return undefined;
  const [input] = node.inputs;
  if (input === undefined || node.inputs.length > 1) return undefined;
  const [before, after] = [dimsIn(code, input), dimsIn(code, node)];
  if (before === undefined || after === undefined || [...before, ...after].some(({ unknown }) => unknown)) return undefined;
  // Tricks with two lengths, as for relative positions, shift rows on purpose.
  const lengths = (dims: readonly Dim[]): readonly number[] => dims.flatMap((dim, i) => (isLength(dim) || mentionsLength(dim) ? [i] : []));
  const [from, ...moreBefore] = lengths(before);
  const [to, ...moreAfter] = lengths(after);
  if (from === undefined || to === undefined || moreBefore.length > 0 || moreAfter.length > 0) return undefined;
  if (isRowShift(input, before, after)) return undefined;
  const [x, y] = [before[from] as Dim, after[to] as Dim];
  if (x.key !== y.key || !isLength(x)) return undefined;
  const [p, q] = [multiplyAll(before.slice(0, from)), multiplyAll(after.slice(0, to))];
  if (p.key === q.key) return undefined;
  // The whole before and after must be the same number, or it would fail rather than scramble.
  if (exact(multiplyAll(before)).key !== exact(multiplyAll(after)).key) return undefined;
  const [grown, shrunk] = [divideExactly(q, p), divideExactly(p, q)];
  if (mayHaveComeTurned(input, from, to)) return undefined;
  const factor = grown ?? shrunk;
  if (factor === undefined || factor.constant === 1 || mentionsLength(factor) || mayBeOne(factor)) return undefined;
  const kind =
    grown !== undefined && after.length > before.length
      ? 'split'
      : shrunk !== undefined && after.length < before.length
        ? 'merge'
        : 'other';
  return { node, input, before, after, axis: x, from, to, kind };
}

/**
 * The length is moved from behind the rows to the front of states that came in and kept their axes: that rows come first in them is
 * assumed, and for attention that is written so they may as well have come with their length in front.
 */
export function mayHaveComeTurned(tensor: TensorValue, from: number, to: number): boolean {
  if (from !== 1 || to !== 0) return false;
  let at: TensorValue | undefined = tensor;
  const [rows, length] = tensor.shape.dims;
  while (at !== undefined && at.op !== 'input') {
    const { dims } = at.shape;
    if (dims[0]?.key !== rows?.key || dims[1]?.key !== length?.key) return false;
    [at] = at.inputs;
  }
  return at?.shape.dims.length === 3;
}

/** What is left of a size beside one that another tensor brings along: nothing, where the two are the same. */
const mayBeOne = (factor: Dim): boolean =>
  someAtom(factor, (atom) => atom.kind === 'quotient' && symbolsOf(atom.divisor).some(({ flexible }) => flexible));

/** Scores with a column put in front, viewed with their last axes exchanged: each row moves on by one (Dai et al. 2019, appendix B). */
function isRowShift(input: TensorValue, before: readonly Dim[], after: readonly Dim[]): boolean {
  const [x, y] = [before.at(-2), before.at(-1)];
  const isPadded = /^(?:cat|concat|pad)$/.test(plain(input).op);
  return isPadded && before.length === after.length && after.at(-2)?.key === y?.key && after.at(-1)?.key === x?.key;
}

// ---------------------------------------------------------------------------------------------------------------------
// Heads and head dims

export type AxisRole = 'heads' | 'headDim' | 'length' | undefined;

const headNames = /(?:^|_)(?:n_?|num_?)?(?:kv_?|q_?|key_value_|local_|query_)?(?:attention_)?heads?$|^nheads?$|^h$/i;
const headDimNames =
  /head_?(?:dim|size|width|features|channels)|dim_?(?:per_?)?head|d_head|^d_?[kvq]$|^d_?kv$|attention_head_size|^hs$|^hd$/i;

/** What a size counts, by how it came about: a width that is divided by a number of heads is a head's. */
export function roleOfAxis(dim: Dim): AxisRole {
  if (isLength(dim)) return 'length';
  const atom = loneAtom(dim);
  if (atom === undefined) return undefined;
  if (atom.kind === 'symbol') {
    const name = atom.name.slice(atom.name.lastIndexOf('.') + 1);
    const concept = conceptOf(atom.name);
    if (concept === 'queryHeads' || concept === 'keyValueHeads') return 'heads';
    if (concept === 'headDim') return 'headDim';
    if (headDimNames.test(name)) return 'headDim';
    return headNames.test(name) ? 'heads' : undefined;
  }
  if (atom.kind === 'quotient') {
    const divisor = roleOfAxis(atom.divisor);
    if (divisor === 'heads') return 'headDim';
    return divisor === 'headDim' ? 'heads' : undefined;
  }
  return undefined;
}

export interface Misplaced {
  readonly attention: Attention;
  /** The view or the rearrangement of axes at which it goes wrong. */
  readonly node: TensorValue;
  readonly contracted: Dim;
  readonly across: Dim;
}

/** The operation that made the axes as they are: the view that split the width, or what permuted its result. */
function splitOf({ source, tensor }: Operand): readonly TensorValue[] {
  const found: TensorValue[] = [];
  for (const node of source?.passed ?? [tensor]) {
    if (sameElements.has(node.op) || isDropout(node)) continue;
    if (/^(?:view|reshape|unflatten|rearrange|permute|transpose|movedim|swapaxes)$/.test(node.op)) found.push(node);
  }
  return found;
}

/** Axes of the queries of an attention: what is summed over, what the attention goes over, and what stands before. */
export function attentionAxes(
  code: CodeReading,
  attention: Attention,
): { readonly summed: Dim; readonly over: Dim; readonly before: Dim | undefined } | undefined {
  const { query, key } = attention;
  if (attention.kind === 'softmax' && attention.product.op === 'einsum') return undefined;
  if (attention.kind === 'called' && attention.node.op !== 'scaled_dot_product_attention') return undefined;
  const [q, k] = [dimsIn(code, query.tensor), dimsIn(code, key.tensor)];
  if (q === undefined || k === undefined || q.length < 3 || q.length !== k.length) return undefined;
  const axis = attention.kind === 'called' ? -1 : query.axis;
  const keyAxis = attention.kind === 'called' ? -1 : key.axis;
  if (axis === undefined || keyAxis === undefined || axis < -2 || keyAxis < -2) return undefined;
  const summed = q.at(axis);
  const over = k.at(keyAxis === -1 ? -2 : -1);
  return summed === undefined || over === undefined ? undefined : { summed, over, before: q.at(-3) };
}

/** The same of an einsum, whose letters name the axes in any order: the last that queries and keys share stands for what is before. */
function namedAxes(
  code: CodeReading,
  attention: Attention,
): { readonly summed: Dim; readonly over: Dim; readonly before: Dim | undefined } | undefined {
  if (attention.kind !== 'softmax' || attention.product.op !== 'einsum') return undefined;
  const equation = equationOf(attention.product);
  const { inputs } = attention.product;
  const read = ({ tensor }: Operand): { readonly labels: readonly string[]; readonly dims: readonly Dim[] } | undefined => {
    const [labels, dims] = [equation?.inputs[inputs.indexOf(tensor)], dimsIn(code, tensor)];
    return labels === undefined || dims === undefined || labels.length !== dims.length || labels.includes('...')
      ? undefined
      : { labels, dims };
  };
  const [q, k] = [read(attention.query), read(attention.key)];
  if (equation === undefined || q === undefined || k === undefined) return undefined;
  const isKept = (label: string): boolean => equation.output.includes(label);
  const summed = q.dims[q.labels.findIndex((label) => k.labels.includes(label) && !isKept(label))];
  const over = k.dims[k.labels.findIndex((label) => !q.labels.includes(label) && isKept(label))];
  const before = q.dims[q.labels.findLastIndex((label) => k.labels.includes(label) && isKept(label))];
  return summed === undefined || over === undefined ? undefined : { summed, over, before };
}

/** Attention that sums over heads where it should over the features of a head. */
export function swappedHeads(code: CodeReading): readonly Misplaced[] {
  return attentionsOf(code).flatMap((attention) => {
    const axes = attentionAxes(code, attention) ?? namedAxes(code, attention);
    if (axes?.before === undefined || roleOfAxis(axes.summed) !== 'heads') return [];
    if (roleOfAxis(axes.before) !== 'headDim') return [];
    const splits = splitOf(attention.query);
    const ordered = splits.find((node) => {
      const dims = dimsIn(code, node);
      const [a, b] = [dims?.at(-2), dims?.at(-1)];
      return isView(node) && a !== undefined && b !== undefined && roleOfAxis(a) === 'headDim' && roleOfAxis(b) === 'heads';
    });
    const node =
      ordered ?? splits.find(({ op }) => op === 'permute' || op === 'rearrange' || op === 'movedim') ?? splits[0] ?? attention.query.tensor;
    return [{ attention, node, contracted: axes.summed, across: axes.before }];
  });
}

/** Attention whose weights go over heads, for each token on its own. */
export function attentionOverHeads(code: CodeReading): readonly Misplaced[] {
  return attentionsOf(code).flatMap((attention) => {
    const axes = attentionAxes(code, attention);
    if (axes?.before === undefined || roleOfAxis(axes.over) !== 'heads' || roleOfAxis(axes.before) !== 'length') return [];
    const splits = splitOf(attention.query);
    const node = splits.find(isView) ?? splits[0] ?? attention.query.tensor;
    return [{ attention, node, contracted: axes.over, across: axes.before }];
  });
}

// ---------------------------------------------------------------------------------------------------------------------
// Views of what does not lie in one row

const rowMakers: ReadonlySet<string> = new Set([
  'linear',
  'matmul',
  'bmm',
  'einsum',
  'embedding',
  'conv1d',
  'softmax',
  'layer_norm',
  'rms_norm',
  'cat',
  'contiguous',
  'reshape',
]);

/** Views that join axes which a transpose took apart: torch refuses them. */
export function viewsOfTransposed(code: CodeReading): readonly { readonly node: TensorValue; readonly by: TensorValue }[] {
  const study = studyOf(code);
  if (study === undefined) return [];
  return study.tensors.flatMap((node) => {
    if (node.op !== 'view' || node.layer !== undefined) return [];
    const [input] = node.inputs;
    const target = dimsIn(code, node);
    const shape = input === undefined ? undefined : dimsIn(code, input);
    if (input === undefined || target === undefined || shape === undefined) return [];
    const order = storedOrder(input, shape.length);
    if (order?.by === undefined) return [];
    const groups = joined(shape, target);
    const isSplit = groups?.some((group) =>
      group.some((axis, i) => i > 0 && order.axes[axis] !== (order.axes[group[i - 1] as number] as number) + 1),
    );
    return isSplit === true ? [{ node, by: order.by }] : [];
  });
}

/** For each axis its place in memory, and what changed the order. */
function storedOrder(
  tensor: TensorValue,
  rank: number,
): { readonly axes: readonly number[]; readonly by: TensorValue | undefined } | undefined {
  const path: TensorValue[] = [];
  let at: TensorValue | undefined = tensor;
  for (let i = 0; at !== undefined && i < 16; i++) {
    if (rowMakers.has(at.op)) break;
    if (!/^(?:transpose|permute|dropout|to|float|half|type_as|swapaxes)$/.test(at.op)) return undefined;
    path.push(at);
    at = at.inputs[0];
  }
  if (at === undefined || !rowMakers.has(at.op) || at.shape.ellipsis !== undefined || at.shape.dims.length !== rank) return undefined;
  let axes = at.shape.dims.map((_, i) => i);
  let by: TensorValue | undefined;
  for (const node of path.reverse()) {
    if (node.op === 'transpose' || node.op === 'swapaxes') {
      const [i, j] = ['dim0', 'dim1'].map((name) => axisOf(node, name, rank));
      if (i === undefined || j === undefined) return undefined;
      axes = axes.map((axis, k) => (k === i ? (axes[j] as number) : k === j ? (axes[i] as number) : axis));
      by = node;
    } else if (node.op === 'permute') {
      const given = node.arguments.get('dims');
      const items = given?.kind === 'tuple' || given?.kind === 'list' ? given.items : [];
      const [only] = items;
      const list = items.length === 1 && (only?.kind === 'tuple' || only?.kind === 'list') ? only.items : items;
      const order = list.map((item) => (item.kind === 'int' ? item.dim.constant : undefined));
      if (order.length !== rank || order.includes(undefined)) return undefined;
      axes = order.map((k) => axes[(k as number) < 0 ? (k as number) + rank : (k as number)] as number);
      by = node;
    } else if (node.op === 'to' || node.op === 'float' || node.op === 'half' || node.op === 'type_as' || node.op === 'dropout') continue;
  }
  return { axes, by };
}

function axisOf(node: TensorValue, name: string, rank: number): number | undefined {
  const value = node.arguments.get(name);
  const axis = value?.kind === 'int' ? value.dim.constant : undefined;
  return axis === undefined ? undefined : axis < 0 ? axis + rank : axis;
}

/** The axes of the input that each axis of the result joins; undefined where it is not plain. */
function joined(shape: readonly Dim[], target: readonly Dim[]): readonly (readonly number[])[] | undefined {
  const groups: number[][] = [];
  let at = 0;
  for (const dim of target) {
    const group: number[] = [];
    let product = multiplyAll([]);
    while (at < shape.length && product.key !== dim.key) {
      product = exact(multiplyAll([product, shape[at] as Dim]));
      group.push(at);
      at += 1;
    }
    if (product.key !== dim.key) return undefined;
    groups.push(group);
  }
  return at === shape.length ? groups : undefined;
}
