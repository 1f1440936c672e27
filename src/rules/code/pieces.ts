/**
 * What the axes of a tensor are made of. A projection gives axes of its input (batch, tokens) and one axis of features; views cut and
 * join them, in the order of the elements, transposes move them. So each axis is a row of pieces, and it can be told, whatever sizes
 * are called, whether heads are merged as they were split, whether attention goes over tokens, and how heads were repeated.
 */
import { type Dim, divideExactly, floorDiv, multiply, multiplyAll, number } from '../../dims/dim.ts';
import { alternatives, isDropout, sameElements } from '../../interpreter/graph.ts';
import { numberOf } from '../../interpreter/make.ts';
import type { CodeReading } from '../../interpreter/study.ts';
import type { TensorValue, Value } from '../../interpreter/value.ts';
import { parseEinops } from '../../syntax/einops.ts';
import { equationOf } from './contractions.ts';
import { dimsIn, exact, isView } from './layouts.ts';
import { asTensor, isWeight } from './tensors.ts';

/** A part of one axis of a projection's result, or copies that a repetition made. */
export interface Piece {
  readonly kind: 'lead' | 'feature' | 'copy';
  readonly size: Dim;
  /** Where it lies within what it was cut from: pieces in this order are in the order of the elements. */
  readonly path: string;
  /** The projection, or the repetition. */
  readonly from: TensorValue;
}

type Axis = readonly Piece[];

export interface Pieces {
  readonly axes: readonly Axis[];
  /** Products with the weights of an attention are behind it. */
  readonly isAttended: boolean;
}

/** A view that keeps sizes, but cuts the row of elements elsewhere: what it calls tokens are parts of several. */
export interface Misaligned {
  readonly node: TensorValue;
  readonly input: TensorValue;
  readonly before: readonly Dim[];
  readonly after: readonly Dim[];
  /** Of the axis that does not stay together. */
  readonly from: number;
  readonly to: number;
  readonly kind: 'split' | 'merge' | 'other';
}

const known = new WeakMap<CodeReading, PieceReader>();

export function piecesOf(code: CodeReading, tensor: TensorValue): Pieces | undefined {
  return readerOf(code).of(tensor);
}

/** Views of projections, and of what attention gives, whose axes are other ones than their sizes say. */
export function misalignedViews(code: CodeReading): readonly Misaligned[] {
  const reader = readerOf(code);
  return code.studies.flatMap(({ tensors }) =>
    tensors.flatMap((node) => {
      if (!isView(node) || node.layer !== undefined) return [];
      reader.of(node);
      return reader.misaligned.get(node) ?? [];
    }),
  );
}

function readerOf(code: CodeReading): PieceReader {
  const found = known.get(code) ?? new PieceReader(code);
  known.set(code, found);
  return found;
}

const elementwise: ReadonlySet<string> = new Set([
  'mul',
  'div',
  'add',
  'sub',
  'neg',
  'softmax',
  'masked_fill',
  'where',
  'layer_norm',
  'rms_norm',
  'normalize',
  'clamp',
  'tanh',
  'cache_update',
]);

const maximumDepth = 400;

class PieceReader {
  readonly #code: CodeReading;
  readonly #found = new Map<TensorValue, Pieces | undefined>();
  readonly misaligned = new Map<TensorValue, Misaligned>();
  #depth = 0;

  constructor(code: CodeReading) {
    this.#code = code;
  }

  of(tensor: TensorValue | undefined): Pieces | undefined {
    if (tensor === undefined) return undefined;
    if (this.#found.has(tensor)) return this.#found.get(tensor);
    this.#found.set(tensor, undefined);
    if (this.#depth > maximumDepth) return undefined;
    this.#depth += 1;
    const read = this.#read(tensor);
    this.#depth -= 1;
    const dims = dimsIn(this.#code, tensor);
    const fits = dims !== undefined && read?.axes.length === dims.length;
    const found = fits ? read : undefined;
    this.#found.set(tensor, found);
    return found;
  }

  #read(node: TensorValue): Pieces | undefined {
    const [first] = node.inputs;
    if (node.op === 'linear') return this.#projected(node);
    if (node.op === 'join') return this.#joined(node);
    if (first === undefined || isWeight(node, false)) return undefined;
    if (sameElements.has(node.op) || isDropout(node)) return this.of(first);
    if (isView(node)) return this.#regrouped(node, first);
    switch (node.op) {
      case 'transpose':
      case 'swapaxes':
      case 'swapdims':
      case 'T':
      case 'mT':
        return this.#transposed(node, first);
      case 'permute':
        return this.#moved(first, listOf(node.arguments.get('dims')));
      case 'unsqueeze':
        return this.#changed(first, (axes) => inserted(axes, placeOf(node, 'dim', axes.length + 1)));
      case 'squeeze':
        return this.#changed(first, (axes) => removed(axes, placeOf(node, 'dim', axes.length)));
      case 'unbind':
        return this.#changed(first, (axes) => removed(axes, placeOf(node, 'dim', axes.length) ?? 0));
      case 'split':
      case 'chunk':
        return this.#changed(first, (axes) => this.#part(axes, node, placeOf(node, 'dim', axes.length) ?? 0));
      case 'getitem':
        return this.#indexed(node, first);
      case 'expand':
        return this.#repeated(node, first, 'before');
      case 'repeat':
        return this.#repeated(node, first, 'before');
      case 'repeat_interleave':
        return this.#repeated(node, first, 'behind');
      case 'rearrange':
        return this.#rearranged(node, first);
      case 'matmul':
      case 'bmm':
        return this.#multiplied(node);
      case 'einsum':
        return this.#summed(node);
      case 'scaled_dot_product_attention': {
        const [query, value] = ['query', 'value'].map((name) => this.of(asTensor(node.arguments.get(name))));
        if (query === undefined || value === undefined) return undefined;
        return { axes: [...query.axes.slice(0, -1), value.axes.at(-1) ?? []], isAttended: true };
      }
      default:
        return elementwise.has(node.op) || node.op === 'cat' ? this.#elementwise(node) : undefined;
    }
  }

  #projected(node: TensorValue): Pieces | undefined {
    const dims = dimsIn(this.#code, node);
    if (dims === undefined || dims.length < 2) return undefined;
    const last = dims.length - 1;
    const axes = dims.map((size, i): Axis => [{ kind: i === last ? 'feature' : 'lead', size, path: `${i}`, from: node }]);
    return { axes, isAttended: false };
  }

  /** Branches that agree. */
  #joined(node: TensorValue): Pieces | undefined {
    const all = alternatives(node).map((each) => this.of(each));
    const [one] = all;
    const text = (pieces: Pieces): string =>
      pieces.axes.map((axis) => axis.map(({ kind, path, size }) => `${kind}${path}:${size.key}`).join('.')).join('|');
    return one !== undefined && all.every((each) => each !== undefined && text(each) === text(one)) ? one : undefined;
  }

  #elementwise(node: TensorValue): Pieces | undefined {
    const rank = dimsIn(this.#code, node)?.length;
    for (const input of node.inputs) {
      const found = this.of(input);
      if (found !== undefined && found.axes.length === rank) return found;
    }
    return undefined;
  }

  #changed(input: TensorValue, change: (axes: readonly Axis[]) => readonly Axis[] | undefined): Pieces | undefined {
    const before = this.of(input);
    const axes = before === undefined ? undefined : change(before.axes);
    return axes === undefined || before === undefined ? undefined : { ...before, axes };
  }

  #transposed(node: TensorValue, input: TensorValue): Pieces | undefined {
    return this.#changed(input, (axes) => {
      const isLast = node.op === 'T' || node.op === 'mT';
      const [a, b] = isLast
        ? [axes.length - 1, axes.length - 2]
        : [placeOf(node, 'dim0', axes.length) ?? placeOf(node, 'axis0', axes.length), placeOf(node, 'dim1', axes.length)];
      if (a === undefined || b === undefined) return undefined;
      return axes.map((axis, i) => (i === a ? (axes[b] ?? []) : i === b ? (axes[a] ?? []) : axis));
    });
  }

  #moved(input: TensorValue, order: readonly number[] | undefined): Pieces | undefined {
    return this.#changed(input, (axes) =>
      order?.length === axes.length ? order.map((from) => axes[from < 0 ? from + axes.length : from] ?? []) : undefined,
    );
  }

  /** A part of an axis: pieces of its own, in the order of the parts. */
  #part(axes: readonly Axis[], node: TensorValue, place: number): readonly Axis[] | undefined {
    const size = dimsIn(this.#code, node)?.[place];
    const [only] = axes[place] ?? [];
    if (size === undefined || only === undefined || axes[place]?.length !== 1 || node.index === undefined) return undefined;
    return axes.map((axis, i) => (i === place ? [{ ...only, size, path: `${only.path}s${node.index}.` }] : axis));
  }

  #indexed(node: TensorValue, input: TensorValue): Pieces | undefined {
    const index = node.arguments.get('index');
    const items = index?.kind === 'tuple' ? index.items : index === undefined ? [] : [index];
    const result = dimsIn(this.#code, node);
    return this.#changed(input, (axes) => {
      const counted = items.filter(({ kind }) => kind !== 'none' && kind !== 'ellipsis').length;
      const found: Axis[] = [];
      let at = 0;
      for (const item of items) {
        if (item.kind === 'none') found.push([]);
        else if (item.kind === 'ellipsis') {
          const skipped = axes.length - counted;
          for (let i = 0; i < skipped; i++) found.push(axes[at++] ?? []);
        } else if (item.kind === 'int') at += 1;
        else if (item.kind === 'slice') {
          const axis = axes[at++];
          const isWhole = [item.lower, item.upper, item.step].every(({ kind }) => kind === 'none');
          const size = result?.[found.length];
          if (axis === undefined || (!isWhole && (axis.length !== 1 || size === undefined))) return undefined;
          const lower = item.lower.kind === 'int' ? item.lower.dim.key : 'none';
          found.push(isWhole ? axis : axis.map((piece) => ({ ...piece, size: size as Dim, path: `${piece.path}i${lower}.` })));
        } else return undefined;
      }
      return [...found, ...axes.slice(at)];
    });
  }

  /** `repeat` puts its copies before the axis, so that the whole comes again; `repeat_interleave` behind it. */
  #repeated(node: TensorValue, input: TensorValue, where: 'before' | 'behind'): Pieces | undefined {
    const [before, after] = [dimsIn(this.#code, input), dimsIn(this.#code, node)];
    return this.#changed(input, (axes) => {
      if (before === undefined || after === undefined || after.length < axes.length) return undefined;
      const added = after.length - axes.length;
      return after.map((size, i): Axis => {
        const axis = axes[i - added] ?? [];
        const old = before[i - added] ?? number(1);
        if (size.key === old.key) return axis;
        const copy: Piece = { kind: 'copy', size: divideExactly(size, old) ?? floorDiv(size, old), path: `c${node.id}`, from: node };
        return where === 'before' ? [copy, ...axis] : [...axis, copy];
      });
    });
  }

  #rearranged(node: TensorValue, input: TensorValue): Pieces | undefined {
    const pattern = node.arguments.get('pattern');
    const parsed = pattern?.kind === 'string' && pattern.value !== undefined ? parseEinops(pattern.value) : undefined;
    const [side] = parsed?.inputs ?? [];
    const [before, after] = [dimsIn(this.#code, input), dimsIn(this.#code, node)];
    if (parsed === undefined || side === undefined || before === undefined || after === undefined) return undefined;
    if ([...side, ...parsed.output].some(({ axes }) => axes.some(({ kind }) => kind !== 'name'))) return undefined;
    return this.#changed(input, (axes) => {
      if (side.length !== axes.length) return undefined;
      const named = new Map<string, Axis>();
      for (const [i, group] of side.entries()) {
        const [only] = group.axes;
        if (only !== undefined && group.axes.length === 1) named.set(only.text, axes[i] ?? []);
        else {
          // Sizes of single names are those of the result.
          const sizes = group.axes.map(({ text }) => {
            const at = parsed.output.findIndex((each) => each.axes.length === 1 && each.axes[0]?.text === text);
            return after[at];
          });
          const whole = before[i] as Dim;
          const missing = sizes.filter((size) => size === undefined).length;
          const rest = divideExactly(whole, multiplyAll(sizes.flatMap((size) => size ?? [])));
          if (missing > 1 || (missing === 1 && rest === undefined)) return undefined;
          const cut = cutInto(
            axes[i] ?? [],
            sizes.map((size) => size ?? (rest as Dim)),
          );
          if (cut === undefined) return undefined;
          for (const [j, { text }] of group.axes.entries()) named.set(text, cut[j] as Axis);
        }
      }
      return parsed.output.map((group): Axis => group.axes.flatMap(({ text }) => named.get(text) ?? []));
    });
  }

  #multiplied(node: TensorValue): Pieces | undefined {
    const [left, right] = node.inputs;
    const [a, b] = [this.of(left), this.of(right)];
    if (a === undefined || b === undefined || a.axes.length < 2 || b.axes.length < 2) return undefined;
    // What the weights and the values share is as the values have it.
    const lead = a.axes.length > b.axes.length ? a.axes : b.axes;
    return { axes: [...lead.slice(0, -2), a.axes.at(-2) ?? [], b.axes.at(-1) ?? []], isAttended: true };
  }

  #summed(node: TensorValue): Pieces | undefined {
    const equation = equationOf(node);
    if (equation === undefined || node.inputs.length !== 2) return undefined;
    const named = new Map<string, Axis>();
    for (const [i, labels] of equation.inputs.entries()) {
      const found = this.of(node.inputs[i]);
      if (found === undefined || labels.includes('...') || labels.length !== found.axes.length) return undefined;
      for (const [j, label] of labels.entries()) named.set(label, found.axes[j] ?? []);
    }
    return { axes: equation.output.map((label) => named.get(label) ?? []), isAttended: true };
  }

  #regrouped(node: TensorValue, input: TensorValue): Pieces | undefined {
    const before = this.of(input);
    const target = dimsIn(this.#code, node);
    if (before === undefined || target === undefined || target.some(({ unknown }) => unknown)) return undefined;
    const axes = cutInto(before.axes.flat(), target);
    if (axes !== undefined) return { ...before, axes };
    const found = this.#misalignment(node, input, before, target);
    if (found !== undefined) this.misaligned.set(node, found);
    return undefined;
  }

  /** The sizes are those of the pieces in another order: the view was meant for a tensor whose axes were moved. */
  #misalignment(node: TensorValue, input: TensorValue, { axes }: Pieces, target: readonly Dim[]): Misaligned | undefined {
    const before = dimsIn(this.#code, input);
    if (before === undefined || before.some(({ unknown }) => unknown) || new Set(before.map(({ key }) => key)).size !== before.length)
      return undefined;
    // The axis of tokens, or of the batch, comes out at another place with its size unchanged.
    // Scores are shifted by views of that kind, on purpose.
    if (axes.flat().filter(({ kind }) => kind === 'lead').length > 2 || !axes.flat().some(({ kind }) => kind === 'feature'))
      return undefined;
    const rows = axes.flatMap((axis, i) => (axis.length === 1 && axis[0]?.kind === 'lead' ? [i] : []));
    for (const from of rows) {
      const size = before[from] as Dim;
      const to = target.findIndex(({ key }) => key === size.key);
      if (size.constant !== undefined || to < 0) continue;
      const [p, q] = [exact(multiplyAll(before.slice(0, from))), exact(multiplyAll(target.slice(0, to)))];
      if (p.key === q.key) continue;
      const rest = exact(multiplyAll(before.filter((_, i) => i !== from)));
      if (rest.key !== exact(multiplyAll(target.filter((_, i) => i !== to))).key) continue;
      // Other axes of the input come out too, whole or joined.
      const others = rows.filter((row) => row !== from && before[row]?.constant === undefined);
      if (!others.every((row) => target.some((dim) => divideExactly(dim, before[row] as Dim) !== undefined))) continue;
      const kind = target.length > before.length ? 'split' : target.length < before.length ? 'merge' : 'other';
      return { node, input, before, after: target, from, to, kind };
    }
    return undefined;
  }
}

/**
 * A row of pieces cut into axes of these sizes, in order; undefined where a cut would go through a piece unevenly. Both rows are walked to
 * the places where as many elements stand before: between two of them pieces are joined, or one is cut.
 */
function cutInto(row: readonly Piece[], target: readonly Dim[]): readonly Axis[] | undefined {
  const pieces = row.filter(({ size }) => size.constant !== 1);
  const sizes = target.flatMap((size, i) => (size.constant === 1 ? [] : [{ size, i }]));
  const axes: Axis[] = target.map(() => []);
  let [p, t] = [0, 0];
  while (p < pieces.length || t < sizes.length) {
    const next = meeting(pieces, sizes, p, t);
    if (next === undefined) return undefined;
    const [group, cuts] = [pieces.slice(p, next.p), sizes.slice(t, next.t)];
    const [piece] = group;
    const [cut] = cuts;
    if (piece === undefined || cut === undefined) return undefined;
    if (cuts.length === 1) axes[cut.i] = group;
    else if (group.length === 1 && piece.kind !== 'copy')
      for (const [j, { size, i }] of cuts.entries()) axes[i] = [{ ...piece, size, path: `${piece.path}${String.fromCharCode(97 + j)}` }];
    else return undefined;
    [p, t] = [next.p, next.t];
  }
  return axes;
}

/** The next places in both rows with as many elements before them. */
function meeting(
  pieces: readonly Piece[],
  sizes: readonly { readonly size: Dim }[],
  fromPiece: number,
  fromSize: number,
): { readonly p: number; readonly t: number } | undefined {
  const ends = new Map<string, number>();
  let product = number(1);
  for (let t = fromSize; t < sizes.length; t++) {
    product = exact(multiply(product, (sizes[t] as { size: Dim }).size));
    if (!ends.has(product.key)) ends.set(product.key, t + 1);
  }
  product = number(1);
  for (let p = fromPiece; p < pieces.length; p++) {
    product = exact(multiply(product, (pieces[p] as Piece).size));
    const t = ends.get(product.key);
    if (t !== undefined) return { p: p + 1, t };
  }
  return undefined;
}

function placeOf(node: TensorValue, name: string, rank: number): number | undefined {
  const value = node.arguments.get(name);
  const axis = value === undefined ? undefined : numberOf(value);
  return axis === undefined ? undefined : axis < 0 ? axis + rank : axis;
}

function listOf(value: Value | undefined): readonly number[] | undefined {
  const [only] = value?.kind === 'tuple' && value.items.length === 1 ? value.items : [];
  const list = only?.kind === 'tuple' || only?.kind === 'list' ? only : value;
  if (list?.kind !== 'tuple' && list?.kind !== 'list') return undefined;
  const numbers = list.items.map((item) => numberOf(item));
  return numbers.includes(undefined) ? undefined : (numbers as number[]);
}

const inserted = (axes: readonly Axis[], place: number | undefined): readonly Axis[] | undefined =>
  place === undefined ? undefined : [...axes.slice(0, place), [], ...axes.slice(place)];

const removed = (axes: readonly Axis[], place: number | undefined): readonly Axis[] | undefined =>
  place === undefined ? undefined : axes.filter((_, i) => i !== place);
