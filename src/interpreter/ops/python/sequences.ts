/** What iterating a value gives, and lists made from that. Iterators are lists here: `next` takes the first item off. */
import { add, ceilDiv, type Dim, minimum, number, subtract, unknownDim } from '../../../dims/dim.ts';
import { unite } from '../../join.ts';
import { int, list, openList, text, tuple, unknown } from '../../make.ts';
import type { Machine } from '../../operation.ts';
import type { ListValue, TupleValue, Value } from '../../value.ts';

/** All items in order, or one that stands for each of `count`; undefined parts are not known. */
export type Sequence =
  | { readonly items: readonly Value[] }
  | { readonly items: undefined; readonly each: Value | undefined; readonly count: Dim | undefined };

const longest = 4096;
const nothing: Sequence = { items: undefined, each: undefined, count: undefined };

/** A whole number of which nothing is known but that it is one. */
export const someInt = (reason: string): Value => int(unknownDim(reason));

/** What iterating the value gives. */
export function sequenceOf(value: Value, machine: Machine, depth = 0): Sequence {
  switch (value.kind) {
    case 'tuple':
      return value.ellipsis === undefined ? { items: value.items } : nothing;
    case 'list':
      if (value.repeat !== undefined) return { items: undefined, each: value.items[0], count: value.repeat };
      return value.open ? nothing : { items: value.items };
    case 'set':
      return value.open ? nothing : { items: value.items };
    case 'dict':
      return value.open ? nothing : { items: [...value.entries.values()].map(({ key }) => key) };
    case 'range': {
      const count = rangeLength(value.start, value.stop, value.step);
      const [start, step] = [value.start.constant, value.step.constant];
      if (count?.constant === undefined || start === undefined || step === undefined || count.constant > longest) {
        return { items: undefined, each: someInt('an index of a range'), count };
      }
      return { items: Array.from({ length: count.constant }, (_, i) => int(start + i * step)) };
    }
    case 'string':
      return value.value === undefined || value.value.length > longest ? nothing : { items: [...value.value].map(text) };
    case 'tensor': {
      const [first] = value.shape.dims;
      if (value.shape.ellipsis === 0 || first === undefined) return nothing;
      const size = machine.read(first);
      if (size.constant === undefined) return { items: undefined, each: machine.subscript(value, someInt('an index')), count: size };
      if (size.constant > 256) return { items: undefined, each: machine.subscript(value, int(0)), count: size };
      return { items: Array.from({ length: size.constant }, (_, i) => machine.subscript(value, int(i))) };
    }
    case 'instance': {
      const method = machine.attribute(value, '__iter__');
      if (method === undefined || method.kind === 'unknown' || depth > 4) return nothing;
      const made = machine.call(method, []);
      return made === value ? nothing : sequenceOf(made, machine, depth + 1);
    }
    default:
      return nothing;
  }
}

/** The number of items that `range` gives; undefined for a step of unknown sign. */
export function rangeLength(start: Dim, stop: Dim, step: Dim): Dim | undefined {
  const by = step.constant;
  if (by === undefined || by === 0) return undefined;
  const span = by > 0 ? subtract(stop, start) : subtract(start, stop);
  const count = ceilDiv(span, number(Math.abs(by)));
  if (count.constant !== undefined) return number(Math.max(0, count.constant));
  // An empty range has 0 items, and its difference may be less than that.
  return count.min >= 0 || start.constant === 0 ? count : unknownDim('the length of a range that may be empty');
}

/** The number of items; undefined where that is not known. */
export const lengthOf = (sequence: Sequence): Dim | undefined =>
  sequence.items === undefined ? sequence.count : number(sequence.items.length);

/** One value that stands for every item: the item itself where all are alike. */
export function eachOf(sequence: Sequence): Value | undefined {
  if (sequence.items === undefined) return sequence.each;
  return sequence.items.length === 0 ? undefined : unite(sequence.items);
}

/** A list of the items. */
export function listOf(sequence: Sequence): ListValue {
  if (sequence.items !== undefined) return list(sequence.items);
  if (sequence.each === undefined && sequence.count === undefined) return openList();
  const each = sequence.each ?? unknown('an item');
  return { kind: 'list', items: [each], repeat: sequence.count ?? unknownDim('the number of items'), open: false };
}

/** A tuple of the items. */
export const tupleOf = (sequence: Sequence): TupleValue => (sequence.items === undefined ? tuple([], 0) : tuple(sequence.items));

/** Every item through a function. */
export function mapSequence(sequence: Sequence, change: (item: Value, index: Dim) => Value): Sequence {
  if (sequence.items !== undefined) return { items: sequence.items.map((item, i) => change(item, number(i))) };
  if (sequence.each === undefined && sequence.count === undefined) return nothing;
  const each = sequence.each ?? unknown('an item');
  return { items: undefined, each: change(each, unknownDim('an index')), count: sequence.count };
}

/** Tuples of the items at the same place, up to the shortest. */
export function zipSequences(sequences: readonly Sequence[]): Sequence {
  const exact = sequences.every(({ items }) => items !== undefined);
  if (sequences.length === 0) return { items: [] };
  if (exact) {
    const length = Math.min(...sequences.map(({ items }) => items?.length ?? 0));
    return { items: Array.from({ length }, (_, i) => tuple(sequences.map(({ items }) => items?.[i] ?? unknown('an item')))) };
  }
  const each = tuple(sequences.map((sequence) => eachOf(sequence) ?? unknown('an item')));
  const counts = sequences.map(lengthOf).filter((count) => count !== undefined);
  // Those of unknown length may be the shortest, but for iterators without end there is no telling.
  const count = counts.length === sequences.length ? minimum(...counts) : undefined;
  return { items: undefined, each, count };
}

/** One after the other. */
export function chainSequences(sequences: readonly Sequence[]): Sequence {
  const filled = sequences.filter((sequence) => sequence.items === undefined || sequence.items.length > 0);
  const [first] = filled;
  if (first === undefined) return { items: [] };
  if (filled.length === 1) return first;
  if (filled.every(({ items }) => items !== undefined)) return { items: filled.flatMap(({ items }) => items ?? []) };
  const eaches = filled.map(eachOf);
  const counts = filled.map(lengthOf);
  const each = eaches.includes(undefined) ? undefined : unite(eaches as Value[]);
  return { items: undefined, each, count: counts.includes(undefined) ? undefined : (counts as Dim[]).reduce(add) };
}
