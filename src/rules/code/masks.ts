/**
 * What a mask means, from how it was made. Causal masks are triangles with a boundary; padding masks are comparisons with the padding
 * token.
 */
import { add, type Dim, negate, number, subtract } from '../../dims/dim.ts';
import { alternatives, sameElements } from '../../interpreter/graph.ts';
import { dimOf, numberOf } from '../../interpreter/make.ts';
import type { TensorValue, Value } from '../../interpreter/value.ts';
import { ordered, positionOf } from './maskPositions.ts';
import { namedInput, namedSlice, paddingComparison } from './paddingMasks.ts';
import {
  addition,
  type Cell,
  combine,
  conjunction,
  constant,
  disjunction,
  type Meaning,
  mapMeaning,
  multiplication,
  type Region,
  same,
  truth,
} from './regions.ts';
import { asTensor, dimFromEnd } from './tensors.ts';

const maximumDepth = 40;

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
      if (one !== undefined && all.every((each) => each !== undefined && same(each, one))) return one;
      // A triangle is what it is where nothing was given for it, or where no window was cut out of it.
      const triangles = all.filter((each) => each?.regions.some(({ kind }) => kind === 'causal'));
      const [triangle] = triangles;
      return triangle !== undefined && triangles.every((each) => each !== undefined && same(each, triangle)) ? triangle : undefined;
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
    case 'from_numpy':
      if (first !== undefined) return of(first);
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
