/**
 * What a mask means, from how it was made: which values it holds at keys that a query may see (the past, real tokens) and at keys that
 * it may not (the future, padding). Causal masks are triangles with a boundary; padding masks are comparisons with the padding token.
 */
import { add, type Dim, negate, number, subtract } from '../../dims/dim.ts';
import { alternatives, sameElements } from '../../interpreter/graph.ts';
import { dimOf, numberOf } from '../../interpreter/make.ts';
import type { TensorValue, Value } from '../../interpreter/value.ts';
import { asTensor, dimFromEnd } from './tensors.ts';

/** A value of the mask; undefined where it is not known, or differs. Truth is 1, falsehood 0. */
type Cell = number | undefined;

export interface Region {
  /** 'causal': `seen` holds where key <= query + boundary. 'padding': `seen` holds at real tokens. */
  readonly kind: 'causal' | 'padding';
  readonly boundary: Dim | undefined;
  readonly seen: Cell;
  readonly unseen: Cell;
  /** Queries and keys, where the mask's own size says so. */
  readonly rows: Dim | undefined;
  readonly columns: Dim | undefined;
  /** Where the triangle or the comparison was made. */
  readonly made: TensorValue;
  /** Rows are those of some positions: the boundary counts from the position. */
  readonly isPicked?: boolean;
  /** Only a name says what it is. */
  readonly isNamed: boolean;
}

export interface Meaning {
  readonly regions: readonly Region[];
  /** The same value everywhere. */
  readonly constant: Cell;
}

const constant = (value: Cell): Meaning | undefined => (value === undefined ? undefined : { regions: [], constant: value });

const maximumDepth = 40;

const truth = (cell: Cell): Cell => (cell === undefined ? undefined : cell !== 0 ? 1 : 0);

const mapMeaning = (meaning: Meaning | undefined, follow: (cell: Cell) => Cell): Meaning | undefined =>
  meaning === undefined
    ? undefined
    : {
        regions: meaning.regions.map((region) => ({ ...region, seen: follow(region.seen), unseen: follow(region.unseen) })),
        constant: meaning.constant === undefined ? undefined : follow(meaning.constant),
      };

/** Two operands; what is not known of one is any value. */
function combine(a: Meaning | undefined, b: Meaning | undefined, follow: (x: Cell, y: Cell) => Cell): Meaning | undefined {
  if (a === undefined && b === undefined) return undefined;
  const one = (meaning: Meaning | undefined): Cell => meaning?.constant;
  if ((a?.regions.length ?? 0) === 0) return mapMeaning(b, (cell) => follow(one(a), cell));
  if ((b?.regions.length ?? 0) === 0) return mapMeaning(a, (cell) => follow(cell, one(b)));
  const regions: Region[] = [];
  for (const region of a?.regions ?? []) {
    const other = b?.regions.find(({ kind }) => kind === region.kind);
    if (other === undefined) {
      regions.push({ ...region, seen: follow(region.seen, undefined), unseen: follow(region.unseen, undefined) });
    } else if (region.kind === 'causal') {
      // Two triangles make a band or a block unless they have the same boundary.
      if (region.boundary === undefined || other.boundary?.key !== region.boundary.key) return undefined;
      regions.push({ ...region, seen: follow(region.seen, other.seen), unseen: follow(region.unseen, other.unseen) });
    } else regions.push({ ...region, seen: follow(region.seen, undefined), unseen: follow(region.unseen, undefined) });
  }
  for (const region of b?.regions ?? []) {
    if (a?.regions.some(({ kind }) => kind === region.kind) === true) continue;
    regions.push({ ...region, seen: follow(undefined, region.seen), unseen: follow(undefined, region.unseen) });
  }
  return { regions, constant: undefined };
}

const isHuge = (cell: Cell): boolean => cell !== undefined && Math.abs(cell) >= 1000;

const addition = (x: Cell, y: Cell): Cell => {
  if (isHuge(x)) return x;
  if (isHuge(y)) return y;
  return x === undefined || y === undefined ? undefined : x + y;
};
const multiplication = (x: Cell, y: Cell): Cell => {
  // 0 * -inf is not a number, and torch says so; what was meant is 0.
  if (x === 0 || y === 0) return 0;
  return x === undefined || y === undefined ? undefined : x * y;
};
const conjunction = (x: Cell, y: Cell): Cell => (x === 0 || y === 0 ? 0 : x === undefined || y === undefined ? undefined : 1);
const disjunction = (x: Cell, y: Cell): Cell => (truth(x) === 1 || truth(y) === 1 ? 1 : x === undefined || y === undefined ? undefined : 0);

/** The number that fills: -inf, the smallest number of a type. */
export function fillOf(value: Value | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (value.kind === 'float' && value.value === undefined && value.powers !== undefined && value.powers.factors.length === 0)
    return value.powers.coefficient;
  const known = numberOf(value);
  if (known !== undefined) return known;
  if (value.kind === 'tensor') {
    const meaning = meaningOf(value);
    return meaning?.regions.length === 0 ? meaning.constant : undefined;
  }
  return undefined;
}

const meanings = new WeakMap<TensorValue, Meaning | 'none'>();

/** The meaning of a mask; undefined where it is not made of triangles, comparisons and constants. */
export function meaningOf(value: Value | undefined, depth = 0): Meaning | undefined {
  const tensor = asTensor(value);
  if (tensor === undefined) {
    const known = value === undefined || value.kind === 'tensor' ? undefined : numberOf(value);
    return constant(known);
  }
  const known = meanings.get(tensor);
  if (known !== undefined) return known === 'none' ? undefined : known;
  if (depth > maximumDepth) return undefined;
  const found = read(tensor, depth + 1);
  const sized = found === undefined ? undefined : withSizes(found, tensor);
  meanings.set(tensor, sized ?? 'none');
  return sized;
}

/** Once the mask has both axes, its own sizes say how many queries and keys there are. */
function withSizes(meaning: Meaning, tensor: TensorValue): Meaning {
  const [rows, columns] = [dimFromEnd(tensor, -2), dimFromEnd(tensor, -1)];
  if (!meaning.regions.some(({ kind }) => kind === 'causal')) return meaning;
  return {
    ...meaning,
    regions: meaning.regions.map((region) =>
      region.kind !== 'causal' || region.isPicked === true || rows?.constant === 1
        ? region
        : { ...region, rows: rows ?? region.rows, columns: columns ?? region.columns },
    ),
  };
}

function read(tensor: TensorValue, depth: number): Meaning | undefined {
  const at = (name: string): Value | undefined => tensor.arguments.get(name);
  const of = (value: Value | undefined): Meaning | undefined => meaningOf(value, depth);
  const [first] = tensor.inputs;
  switch (tensor.op) {
    case 'join': {
      const all = alternatives(tensor).map((each) => of(each));
      const [one] = all;
      return one !== undefined && all.every((each) => each !== undefined && same(each, one)) ? one : undefined;
    }
    case 'ones':
    case 'ones_like':
    case 'new_ones':
      return constant(1);
    case 'zeros':
    case 'zeros_like':
    case 'new_zeros':
      return constant(0);
    case 'full':
    case 'full_like':
    case 'new_full':
      return constant(fillOf(at('fill_value')));
    case 'tensor':
    case 'as_tensor':
      return at('data')?.kind === 'list' ? undefined : constant(fillOf(at('data')));
    case 'buffer':
    case 'parameter':
      return tensor.isParameter === true ? undefined : of(at('data') ?? first);
    case 'tril':
    case 'triu':
      return triangle(tensor, of(first));
    case 'bool':
      return mapMeaning(of(first), truth);
    case 'input':
      return namedInput(tensor);
    case 'to':
    case 'type':
      return tensor.dtype === 'bool' ? mapMeaning(of(first), truth) : of(first);
    case 'logical_not':
      return mapMeaning(of(first), (cell) => (cell === undefined ? undefined : cell === 0 ? 1 : 0));
    case 'bitwise_not':
      if (/int/.test(first?.dtype ?? '')) return undefined;
      return mapMeaning(of(first), (cell) => (cell === undefined ? undefined : cell === 0 ? 1 : 0));
    case 'neg':
      return mapMeaning(of(first), (cell) => (cell === undefined ? undefined : -cell));
    case 'eq':
    case 'ne':
    case 'lt':
    case 'le':
    case 'gt':
    case 'ge':
      return comparison(tensor, depth);
    case 'logical_and':
    case 'bitwise_and':
      return combine(of(at('input')), of(at('other')), conjunction);
    case 'logical_or':
    case 'bitwise_or':
      return combine(of(at('input')), of(at('other')), disjunction);
    case 'mul':
      return combine(of(at('input')), of(at('other')), multiplication);
    case 'add':
      return combine(of(at('input')), of(at('other')), addition);
    case 'sub':
      return combine(
        of(at('input')),
        mapMeaning(of(at('other')), (cell) => (cell === undefined ? undefined : -cell)),
        addition,
      );
    case 'div':
      return combine(
        of(at('input')),
        mapMeaning(of(at('other')), (cell) => (cell === undefined || cell === 0 ? undefined : 1 / cell)),
        multiplication,
      );
    case 'masked_fill':
      return filled(of(at('mask')), fillOf(at('value')), of(at('input')));
    case 'where':
      return chosen(of(at('condition')), of(at('input')), of(at('other')));
    case 'getitem':
      return namedSlice(tensor) ?? sliced(tensor, of(first));
    case 'cat':
    case 'hstack':
      return joined(tensor, depth);
    case 'unsqueeze': {
      const axis = at('dim');
      const place = axis === undefined ? undefined : numberOf(axis);
      // A new axis in front leaves rows and columns.
      const meaning = of(first);
      if (meaning === undefined || !meaning.regions.some(({ kind }) => kind === 'causal')) return meaning;
      return place === 0 || place === 1 || (place !== undefined && place <= -3) ? meaning : undefined;
    }
    case 'transpose':
    case 'T':
    case 'mT':
    case 't':
      return transposed(of(first), tensor);
    case 'view':
    case 'reshape': {
      const meaning = of(first);
      if (meaning === undefined || !meaning.regions.some(({ kind }) => kind === 'causal')) return meaning;
      const isKept = [-1, -2].every((axis) => first !== undefined && dimFromEnd(first, axis)?.key === dimFromEnd(tensor, axis)?.key);
      return isKept ? meaning : undefined;
    }
    case 'expand':
    case 'expand_as':
    case 'repeat':
    case 'broadcast_to':
    case 'rearrange':
      return of(first);
    default:
      return sameElements.has(tensor.op) || tensor.op === 'int' || tensor.op === 'long' || tensor.op === 'byte' ? of(first) : undefined;
  }
}

const same = (a: Meaning, b: Meaning): boolean =>
  a.constant === b.constant &&
  a.regions.length === b.regions.length &&
  a.regions.every((region, i) => {
    const other = b.regions[i];
    return (
      other?.kind === region.kind &&
      other.boundary?.key === region.boundary?.key &&
      other.seen === region.seen &&
      other.unseen === region.unseen
    );
  });

function triangle(tensor: TensorValue, input: Meaning | undefined): Meaning | undefined {
  if (input !== undefined && input.regions.length > 0) return undefined;
  const diagonal = tensor.arguments.get('diagonal');
  const offset = diagonal === undefined ? number(0) : dimOf(diagonal);
  const value = input?.constant;
  const isLower = tensor.op === 'tril';
  const boundary = offset === undefined ? undefined : isLower ? offset : subtract(offset, number(1));
  const region: Region = {
    kind: 'causal',
    boundary,
    seen: isLower ? value : 0,
    unseen: isLower ? 0 : value,
    rows: dimFromEnd(tensor, -2),
    columns: dimFromEnd(tensor, -1),
    made: tensor,
    isNamed: false,
  };
  return { regions: [region], constant: undefined };
}

const comparisons: Readonly<Record<string, (x: number, y: number) => boolean>> = {
  eq: (x, y) => x === y,
  ne: (x, y) => x !== y,
  lt: (x, y) => x < y,
  le: (x, y) => x <= y,
  gt: (x, y) => x > y,
  ge: (x, y) => x >= y,
};

function comparison(tensor: TensorValue, depth: number): Meaning | undefined {
  const [a, b] = [tensor.arguments.get('input'), tensor.arguments.get('other')];
  const holds = comparisons[tensor.op] as (x: number, y: number) => boolean;
  const [p, q] = [positionOf(a), positionOf(b)];
  if (p !== undefined && q !== undefined && p.axis !== q.axis) return ordered(tensor, p, q);
  const other = b === undefined ? undefined : numberOf(b);
  const padding = paddingComparison(tensor, a, b);
  if (padding !== undefined) return padding;
  if (other === undefined) return undefined;
  return mapMeaning(meaningOf(a, depth), (cell) => (cell === undefined ? undefined : holds(cell, other) ? 1 : 0));
}

/** Numbers that are places along one axis, from an offset on. */
interface Position {
  readonly axis: 'row' | 'column';
  readonly offset: Dim;
  readonly length: Dim | undefined;
}

function positionOf(value: Value | undefined, depth = 0): Position | undefined {
  const tensor = asTensor(value);
  if (tensor === undefined || depth > 12) return undefined;
  const [first] = tensor.inputs;
  const argument = (name: string): Value | undefined => tensor.arguments.get(name);
  switch (tensor.op) {
    case 'arange': {
      const [start, end, step] = [argument('start'), argument('end'), argument('step')];
      if (step !== undefined && numberOf(step) !== 1) return undefined;
      const offset = end === undefined || end.kind === 'none' ? number(0) : start === undefined ? number(0) : dimOf(start);
      return offset === undefined ? undefined : { axis: 'column', offset, length: tensor.shape.dims[0] };
    }
    case 'getitem': {
      const inner = positionOf(first, depth + 1);
      const index = argument('index');
      if (inner === undefined || index?.kind !== 'tuple') return undefined;
      const kinds = index.items.map((item) =>
        item.kind === 'slice' && [item.lower, item.upper, item.step].every(({ kind }) => kind === 'none') ? 'all' : item.kind,
      );
      if (!kinds.every((kind) => kind === 'all' || kind === 'none' || kind === 'ellipsis')) return undefined;
      const last = kinds[kinds.length - 1];
      if (inner.axis === 'row') return last === 'none' ? undefined : inner;
      return last === 'none' ? { ...inner, axis: 'row' } : inner;
    }
    case 'unsqueeze': {
      const inner = positionOf(first, depth + 1);
      const dim = argument('dim');
      const place = dim === undefined ? undefined : numberOf(dim);
      if (inner === undefined || place === undefined) return undefined;
      if (inner.axis === 'row') return place === 0 ? inner : undefined;
      const isLast = place === -1 || (tensor.shape.ellipsis === undefined && place === tensor.shape.dims.length - 1);
      return isLast ? { ...inner, axis: 'row' } : inner;
    }
    case 'view':
    case 'reshape': {
      const inner = positionOf(first, depth + 1);
      const { dims, ellipsis } = tensor.shape;
      if (inner === undefined || ellipsis !== undefined || dims.length !== 2) return undefined;
      return dims[1]?.constant === 1 ? { ...inner, axis: 'row' } : { ...inner, axis: 'column' };
    }
    case 'add':
    case 'sub': {
      const [a, b] = [argument('input'), argument('other')];
      const inner = positionOf(a, depth + 1);
      const shift = b === undefined ? undefined : b.kind === 'tensor' ? undefined : dimOf(b);
      if (inner === undefined || shift === undefined) return undefined;
      return { ...inner, offset: tensor.op === 'add' ? add(inner.offset, shift) : subtract(inner.offset, shift) };
    }
    case 'expand':
    case 'T':
    case 't':
    case 'transpose': {
      const inner = positionOf(first, depth + 1);
      if (inner === undefined || tensor.op === 'expand') return inner;
      return { ...inner, axis: inner.axis === 'row' ? 'column' : 'row' };
    }
    default:
      return sameElements.has(tensor.op) || tensor.op === 'long' || tensor.op === 'int' ? positionOf(first, depth + 1) : undefined;
  }
}

/** `rows >= columns` and the like as a triangle. */
function ordered(tensor: TensorValue, left: Position, right: Position): Meaning | undefined {
  const isRowFirst = left.axis === 'row';
  const [row, column] = isRowFirst ? [left, right] : [right, left];
  const mirrored: Readonly<Record<string, string>> = { lt: 'gt', le: 'ge', gt: 'lt', ge: 'le' };
  const op = isRowFirst ? tensor.op : (mirrored[tensor.op] ?? tensor.op);
  // i + a >= j + b, where i counts queries and j keys.
  const reach = subtract(row.offset, column.offset);
  const boundary = op === 'ge' || op === 'lt' ? reach : subtract(reach, number(1));
  const isSeen = op === 'ge' || op === 'gt';
  if (op === 'eq' || op === 'ne') return undefined;
  // `i < j` is false on and under the diagonal; `i <= j` is true on it.
  const region: Region = {
    kind: 'causal',
    boundary: op === 'lt' ? reach : op === 'le' ? subtract(reach, number(1)) : boundary,
    seen: isSeen ? 1 : 0,
    unseen: isSeen ? 0 : 1,
    rows: row.length,
    columns: column.length,
    made: tensor,
    isNamed: false,
  };
  return { regions: [region], constant: undefined };
}

const tokenNames = /(?:^|_)(?:ids|idx|tokens?|src|tgt|source|target|seq|sequence|input|x|labels)$|^src_|^tgt_/;

/** `tokens == pad`: true at padding. */
function paddingComparison(tensor: TensorValue, a: Value | undefined, b: Value | undefined): Meaning | undefined {
  if (tensor.op !== 'eq' && tensor.op !== 'ne') return undefined;
  const tokens = asTensor(a);
  if (tokens === undefined || b === undefined || b.kind === 'tensor') return undefined;
  let at = tokens;
  for (
    let i = 0;
    i < 8 && (sameElements.has(at.op) || ['getitem', 'transpose', 't', 'T', 'unsqueeze'].includes(at.op)) && at.inputs[0] !== undefined;
    i++
  )
    at = at.inputs[0];
  if (at.op !== 'input' || !tokenNames.test(nameOf(at) ?? '')) return undefined;
  const isPadding = b.kind === 'unknown' ? /pad/i.test(b.path ?? '') : b.kind === 'int' && (/pad/i.test(b.dim.key) || b.dim.constant === 0);
  const asSymbol = dimOf(b);
  if (!isPadding && !(asSymbol !== undefined && /pad/i.test(asSymbol.key))) return undefined;
  const isTrueAtPadding = tensor.op === 'eq';
  return {
    regions: [paddingRegion(tensor, isTrueAtPadding, false)],
    constant: undefined,
  };
}

const nameOf = ({ site }: TensorValue): string | undefined => {
  const node = site?.node as { readonly kind?: string; readonly name?: string } | undefined;
  return node?.kind === 'name' ? node.name : undefined;
};

/** An input whose name says that it is true, or 1, at padding. */
function namedInput(tensor: TensorValue): Meaning | undefined {
  const name = nameOf(tensor) ?? '';
  const isPadding = /padding_mask$|pad_mask$|_padding$|^padding$|^is_pad/.test(name) && !/non|not|valid/.test(name);
  const isKept = /^valid$|^valid_mask$|^keep$|^keep_mask$/.test(name);
  return isPadding || isKept ? { regions: [paddingRegion(tensor, isPadding, true)], constant: undefined } : undefined;
}

const paddingRegion = (made: TensorValue, isTrueAtPadding: boolean, isNamed: boolean): Region => ({
  kind: 'padding',
  boundary: undefined,
  seen: isTrueAtPadding ? 0 : 1,
  unseen: isTrueAtPadding ? 1 : 0,
  rows: undefined,
  columns: undefined,
  made,
  isNamed,
});

/** `attention_mask[:, None, None, :]`: a mask of tokens, 1 at those to attend to. One that comes with its axes may hold anything. */
function namedSlice(tensor: TensorValue): Meaning | undefined {
  const [first] = tensor.inputs;
  const index = tensor.arguments.get('index');
  if (first?.op !== 'input' || index?.kind !== 'tuple' || !/(?:^|_)attention_mask$/.test(nameOf(first) ?? '')) return undefined;
  const kinds = index.items.map(({ kind }) => kind);
  const isOfTokens = kinds.filter((kind) => kind === 'slice').length === 2 && kinds.filter((kind) => kind === 'none').length === 2;
  return isOfTokens && kinds.length === 4 ? { regions: [paddingRegion(tensor, false, true)], constant: undefined } : undefined;
}

function filled(mask: Meaning | undefined, fill: number | undefined, input: Meaning | undefined): Meaning | undefined {
  if (mask === undefined) return undefined;
  const choose = (condition: Cell, value: Cell): Cell => (truth(condition) === 1 ? fill : truth(condition) === 0 ? value : undefined);
  return combine(mask, input ?? { regions: [], constant: undefined }, choose);
}

function chosen(condition: Meaning | undefined, yes: Meaning | undefined, no: Meaning | undefined): Meaning | undefined {
  if (condition === undefined) return undefined;
  if ((yes?.regions.length ?? 0) > 0 || (no?.regions.length ?? 0) > 0) return undefined;
  return mapMeaning(condition, (cell) => (truth(cell) === 1 ? yes?.constant : truth(cell) === 0 ? no?.constant : undefined));
}

function transposed(meaning: Meaning | undefined, tensor: TensorValue): Meaning | undefined {
  if (meaning === undefined) return undefined;
  if (!meaning.regions.some(({ kind }) => kind === 'causal')) return meaning;
  const axes = [tensor.arguments.get('dim0'), tensor.arguments.get('dim1')].map((value) =>
    value === undefined ? undefined : numberOf(value),
  );
  const isLast =
    tensor.op !== 'transpose' ||
    (axes.includes(-1) && axes.includes(-2)) ||
    (axes.includes(0) && axes.includes(1) && tensor.shape.dims.length === 2);
  if (!isLast) return undefined;
  return {
    ...meaning,
    regions: meaning.regions.map((region) =>
      region.kind === 'padding'
        ? region
        : {
            ...region,
            boundary: region.boundary === undefined ? undefined : subtract(negate(region.boundary), number(1)),
            seen: region.unseen,
            unseen: region.seen,
          },
    ),
  };
}

/** Rows and columns from some place on: the boundary moves with them. Rows that are picked by their positions keep theirs. */
function sliced(tensor: TensorValue, meaning: Meaning | undefined): Meaning | undefined {
  if (meaning === undefined || !meaning.regions.some(({ kind }) => kind === 'causal')) return meaning;
  const index = tensor.arguments.get('index');
  const items = index?.kind === 'tuple' ? index.items : index === undefined ? [] : [index];
  const [first] = tensor.inputs;
  const rank = first?.shape.ellipsis === undefined ? first?.shape.dims.length : undefined;
  const dots = items.findIndex(({ kind }) => kind === 'ellipsis');
  if (items.some(({ kind }) => kind === 'list' || kind === 'union') || (rank === undefined && dots < 0)) return undefined;
  const places: (Value | undefined)[] = [undefined, undefined];
  const taken = (dots < 0 ? items : items.slice(dots + 1)).filter(({ kind }) => kind !== 'none');
  const count = dots < 0 ? (rank ?? 0) : taken.length;
  if (taken.length > count) return undefined;
  for (const [i, axis] of [-2, -1].entries()) places[i] = taken[count + axis];
  const [row, column] = places;
  const start = (item: Value | undefined): Dim | undefined => {
    if (item === undefined) return number(0);
    const lower = item.kind !== 'slice' ? undefined : item.lower.kind === 'none' ? number(0) : dimOf(item.lower);
    return lower?.constant !== undefined && lower.constant < 0 ? undefined : lower;
  };
  const isPicked = row?.kind === 'unknown' || row?.kind === 'tensor';
  if ((row !== undefined && row.kind !== 'slice' && !isPicked) || (column !== undefined && column.kind !== 'slice')) return undefined;
  const [above, before] = [isPicked ? number(0) : start(row), start(column)];
  const isMoved = items.findLastIndex(({ kind }) => kind === 'none') > items.findIndex((item) => item === row || item === column);
  return {
    ...meaning,
    regions: meaning.regions.map((region) => {
      if (region.kind === 'padding') return region;
      const shift = above === undefined || before === undefined ? undefined : subtract(above, before);
      const boundary = region.boundary === undefined || shift === undefined ? undefined : add(region.boundary, shift);
      if (isPicked) return { ...region, boundary, rows: undefined, columns: undefined, isPicked: true };
      return { ...region, boundary, ...(isMoved ? {} : { rows: undefined, columns: undefined }) };
    }),
  };
}

/** Zeros before a causal mask: keys of the past that all queries see. */
function joined(tensor: TensorValue, depth: number): Meaning | undefined {
  const dim = tensor.arguments.get('dim');
  const axis = tensor.op === 'hstack' ? -1 : dim === undefined ? undefined : numberOf(dim);
  const [before, mask] = tensor.inputs;
  if (before === undefined || mask === undefined || tensor.inputs.length !== 2) return undefined;
  const isLast = axis === -1 || (axis !== undefined && tensor.shape.ellipsis === undefined && axis === tensor.shape.dims.length - 1);
  const [front, meaning] = [meaningOf(before, depth), meaningOf(mask, depth)];
  const width = dimFromEnd(before, -1);
  const [region] = meaning?.regions ?? [];
  if (!isLast || front?.regions.length !== 0 || meaning === undefined || region === undefined || width === undefined) return undefined;
  if (meaning.regions.length !== 1 || region.kind !== 'causal' || region.boundary === undefined || front.constant === undefined)
    return undefined;
  return { ...meaning, regions: [{ ...region, boundary: add(region.boundary, width), columns: dimFromEnd(tensor, -1) }] };
}

// ---------------------------------------------------------------------------------------------------------------------

/** Whether keys are hidden at a region's two sides; undefined where that is not known. */
export interface Hiding {
  readonly region: Region;
  readonly hidesSeen: boolean | undefined;
  readonly hidesUnseen: boolean | undefined;
}

/** What is added hides where it is a large negative number. */
export const hiddenByAdding = (meaning: Meaning, sign: 1 | -1): readonly Hiding[] => {
  const hides = (cell: Cell): boolean | undefined => (cell === undefined ? undefined : cell * sign <= -1000);
  // What is raised takes all weight, so that the rest is hidden.
  const isRaised = (cell: Cell): boolean => cell !== undefined && cell * sign >= 1000;
  return meaning.regions.map((region) => ({
    region,
    hidesSeen: isRaised(region.unseen) ? true : hides(region.seen),
    hidesUnseen: isRaised(region.seen) ? true : hides(region.unseen),
  }));
};

/** A condition hides where it holds, or where it does not. */
export const hiddenByCondition = (meaning: Meaning, hidesWhere: boolean): readonly Hiding[] => {
  const hides = (cell: Cell): boolean | undefined => (cell === undefined ? undefined : (cell !== 0) === hidesWhere);
  return meaning.regions.map((region) => ({ region, hidesSeen: hides(region.seen), hidesUnseen: hides(region.unseen) }));
};

/** How far the mask's boundary is from that of a causal mask: 0 is right, -1 hides the token itself, 1 shows the next. */
export function boundaryError({ boundary, rows, columns }: Region, read: (dim: Dim) => Dim): number | 'cached' | undefined {
  if (boundary === undefined) return undefined;
  const at = read(boundary);
  if (rows === undefined || columns === undefined) return at.constant === 0 || at.constant === -1 ? at.constant : undefined;
  const [queries, keys] = [read(rows), read(columns)];
  if (queries.constant === 1) return undefined;
  const expected = queries.key === keys.key ? number(0) : subtract(keys, queries);
  const off = subtract(at, expected);
  if (off.constant !== undefined) return off.constant;
  // A mask for as many keys as queries, used on more keys than queries.
  const more = subtract(keys, queries);
  const isExtended = more.terms.every(({ coefficient }) => coefficient > 0) && !mentionsAny(more, queries);
  return at.constant === 0 && isExtended && !more.unknown ? 'cached' : undefined;
}

const mentionsAny = (dim: Dim, other: Dim): boolean => {
  const keys = new Set(other.terms.flatMap(({ monomial }) => monomial.factors.map(({ atom }) => atom.key)));
  return dim.terms.some(({ monomial }) => monomial.factors.some(({ atom }) => keys.has(atom.key)));
};

const takesType = ({ arguments: given }: TensorValue): boolean =>
  [...given.values()].some((value) =>
    (value.kind === 'tuple' ? value.items : [value]).some((each) => each.kind === 'unknown' && /dtype/.test(each.reason)),
  );

/** The type of a mask, where the code says it: that of an input is only known when it is annotated as whole or boolean. */
export function maskType(tensor: TensorValue, depth = 0): string | undefined {
  if (depth > 20) return undefined;
  if (tensor.op === 'input') return /int|bool/.test(tensor.dtype ?? '') ? tensor.dtype : undefined;
  if (/^logical_|^(?:eq|ne|lt|le|gt|ge)$/.test(tensor.op)) return 'bool';
  // And, or and not are for whole numbers and booleans: one boolean makes the other one.
  if (/^bitwise_/.test(tensor.op)) return tensor.inputs.some((input) => maskType(input, depth + 1) === 'bool') ? 'bool' : undefined;
  // One operand of fractions makes the product one.
  if (tensor.op === 'mul' && tensor.dtype === undefined)
    return tensor.inputs.some((input) => /^(?:b?float|half)/.test(maskType(input, depth + 1) ?? '')) ? 'float' : undefined;
  const [first] = tensor.inputs;
  // `mask.to(x.dtype)`: the type of a tensor that the code computes with.
  if (tensor.op === 'to' && tensor.dtype === undefined && first !== undefined && maskType(first, depth + 1) === 'bool')
    return takesType(tensor) ? 'float' : undefined;
  const keeps = ['getitem', 'unsqueeze', 'expand', 'view', 'reshape', 'transpose', 'repeat', 'contiguous', 'squeeze'].includes(tensor.op);
  return keeps && first !== undefined ? maskType(first, depth + 1) : tensor.dtype;
}
