import { unknownDim } from '../dims/dim.ts';
import { unknownShape } from '../dims/shape.ts';
import type { Expression } from '../syntax/python/ast.ts';
import { classMember, putAnywhere } from './attributes.ts';
import { either } from './choices.ts';
import { Raised } from './errors.ts';
import { evaluate, indexValue } from './expressions.ts';
import type { Frame } from './frame.ts';
import type { Interpreter } from './interpreter.ts';
import { iterate } from './iteration.ts';
import { join, unite } from './join.ts';
import { dimOf, keyOf, likelyKeyOf, list, text, tuple, unknown } from './make.ts';
import type { DictValue, ListValue, TensorValue, TupleValue, Value } from './value.ts';

const maximumChosen = 4;

/** The class that a table gives for a setting: by its default, in plain tensor operations where the table names such a way, or any of them. */
function chosenClass({ entries, open }: DictValue, index: Value): Value | undefined {
  const values = [...entries.values()].map(({ value }) => value);
  if (open || values.length === 0) return undefined;
  const plain = entries.get(likelyKeyOf(index) ?? 'eager') ?? entries.get('eager');
  if (plain?.value.kind === 'class') return plain.value;
  // What is imported from elsewhere may be any of the others.
  if (!values.every((value) => value.kind === 'class')) return undefined;
  return plain?.value ?? (values.length > maximumChosen ? undefined : unite(values));
}

/** `object[written]`. */
export function subscript(interpreter: Interpreter, object: Value, written: Value): Value {
  let index = written;
  if (interpreter.options.witness !== undefined && object.kind !== 'tensor' && object.kind !== 'instance') {
    const item = interpreter.options.witness.item(object, index);
    if (item !== undefined) return item;
    index = interpreter.options.witness.fixed(index);
  }
  switch (object.kind) {
    case 'tensor': {
      const operation = interpreter.names.builtin('Tensor.__getitem__');
      return operation === undefined ? unknown('indexing') : interpreter.call(operation, [object, index]);
    }
    case 'tuple':
      return tupleItem(interpreter, object, index);
    case 'list':
      return listItem(object, index);
    case 'dict': {
      const key = keyOf(index);
      const entry = key === undefined ? undefined : object.entries.get(key);
      if (entry !== undefined) return entry.value;
      if (key !== undefined && !object.open) throw new Raised('KeyError', key, undefined);
      return (
        (interpreter.assumesShapes && key === undefined ? chosenClass(object, index) : undefined) ?? unknown('an entry of a dictionary')
      );
    }
    case 'string': {
      if (index.kind === 'slice') {
        if (object.value === undefined) return object;
        const letters = interpreter.subscript(list([...object.value].map(text)), index);
        const all =
          letters.kind === 'list' && !letters.open ? letters.items.map((each) => (each.kind === 'string' ? each.value : '')) : undefined;
        return text(all?.join(''));
      }
      const at = dimOf(index)?.constant;
      return text(object.value === undefined || at === undefined ? undefined : object.value.at(at));
    }
    case 'instance': {
      const method = classMember(object.class, '__getitem__');
      return method === undefined ? unknown(`an item of ${object.class.name}`) : interpreter.call(method, [object, index]);
    }
    case 'class':
    case 'opaque':
    case 'builtin':
      return object;
    case 'range': {
      const iteration = iterate(interpreter, object);
      return iteration.repeat !== undefined || iteration.open
        ? unknown('an item of a range')
        : interpreter.subscript(list(iteration.items), index);
    }
    case 'union': {
      const options = object.options.filter(({ kind }) => kind !== 'none');
      return either(interpreter, options, (option) => interpreter.subscript(option, index));
    }
    case 'unknown':
      if (object.path !== undefined) {
        const key = index.kind === 'string' ? index.value : numericKey(index);
        if (key !== undefined)
          return {
            kind: 'unknown',
            reason: `${object.path}[${key}]`,
            path: index.kind === 'string' ? `${object.path}.${key}` : `${object.path}[${key}]`,
            scope: object.scope ?? '',
          };
      }
      return unknown(`an item of ${object.reason}`);
    default:
      return unknown(`an item of ${object.kind}`);
  }
}

/** What a slice surely holds where any number of items stand before the index `at`. */
function openSlice({ items, isSize }: TupleValue, at: number, lower: number | null, upper: number | null): Value {
  const made = (known: readonly Value[], hidden: number | undefined): TupleValue => ({
    ...tuple(known, hidden),
    ...(isSize === true ? { isSize: true } : {}),
  });
  let front = items.slice(0, at);
  let back = items.slice(at);
  if (lower !== null && lower < 0) {
    if (upper !== null && upper >= 0) return unknown('a slice of a tuple');
    // An end is an end however many items stand before it.
    if (-lower <= back.length) return made(back.slice(lower, upper ?? undefined), undefined);
    front = [];
  } else if (upper !== null && upper >= 0) {
    if (upper <= at) return made(front.slice(lower ?? 0, upper), undefined);
    return made(front.slice(lower ?? 0), Math.max(0, at - (lower ?? 0)));
  } else {
    // Where the slice begins behind what is known to be in front, it may begin among what is known of the end.
    back = back.slice(Math.max(0, (lower ?? 0) - at));
    front = front.slice(lower ?? 0);
  }
  const cut = upper === null ? 0 : -upper;
  const left = front.slice(0, Math.max(0, front.length - Math.max(0, cut - back.length)));
  return made([...left, ...back.slice(0, Math.max(0, back.length - cut))], left.length);
}

function tupleItem(interpreter: Interpreter, object: TupleValue, index: Value): Value {
  const { items, ellipsis: at, names, isSize } = object;
  if (index.kind === 'slice') {
    const bounds = [index.lower, index.upper, index.step].map((each) => (each.kind === 'none' ? null : dimOf(each)?.constant));
    const [lower, upper, step] = bounds;
    if (bounds.includes(undefined) || (step !== null && step !== 1 && at !== undefined)) return unknown('a slice of a tuple');
    if (at === undefined)
      return {
        kind: 'tuple',
        items: sliceOf(items, lower ?? null, upper ?? null, step ?? null),
        ellipsis: undefined,
        ...(isSize === true ? { isSize: true } : {}),
      };
    return openSlice(object, at, lower ?? null, upper ?? null);
  }
  const position = dimOf(index)?.constant;
  if (position === undefined) {
    if (index.kind === 'string') {
      const found = names?.indexOf(index.value ?? '') ?? -1;
      return items[found] ?? unknown('an item of a tuple');
    }
    if (at !== undefined || items.length === 0 || items.length > 16) return unknown('an item of a tuple');
    return items.reduce((a, b) => join(a, b));
  }
  if (at !== undefined) {
    if (position >= 0) return position < at ? (items[position] as Value) : unknown('an item of a tuple');
    const fromEnd = items.length + position;
    return fromEnd >= at ? (items[fromEnd] as Value) : unknown('an item of a tuple');
  }
  const item = items[position < 0 ? position + items.length : position];
  if (item === undefined) {
    const what = isSize === true ? `the tensor has ${items.length} axes` : `the tuple has ${items.length} items`;
    // How many tensors tell the places of what is true hangs on a rank that is seldom known for sure.
    const isKnown = items.length > 0 && items.every((each) => each.kind !== 'tensor' || each.op !== 'nonzero');
    const message = `${what}, and number ${position} is asked for`;
    if (isKnown)
      interpreter.complain(isSize === true ? { kind: 'axis_number', message, isOfAxes: true } : { kind: 'item_number', message });
    throw new Raised('IndexError', 'tuple index out of range', undefined);
  }
  return item;
}

function listItem(object: ListValue, index: Value): Value {
  const { items, repeat, open } = object;
  if (index.kind === 'slice') {
    // A part of a list of like items is one, too.
    if (repeat !== undefined)
      return {
        kind: 'list',
        items,
        repeat: index.lower.kind === 'none' && dimOf(index.upper)?.key === repeat.key ? repeat : unknownDim('a part of a list'),
        open: false,
      };
    if (open) return { kind: 'list', items: [], repeat: undefined, open: true };
    const bounds = [index.lower, index.upper, index.step].map((each) => (each.kind === 'none' ? null : dimOf(each)?.constant));
    const [lower, upper, step] = bounds;
    if (bounds.includes(undefined)) return { kind: 'list', items: [], repeat: undefined, open: true };
    return list(sliceOf(items, lower ?? null, upper ?? null, step ?? null));
  }
  if (repeat !== undefined) return items[0] ?? unknown('an item of a list');
  const position = dimOf(index)?.constant;
  if (position === undefined) {
    if (open || items.length === 0 || items.length > 64) return unknown('an item of a list');
    return items.reduce((a, b) => join(a, b));
  }
  if (open) {
    const first = position < 0 ? undefined : object.head?.[position];
    const isHead = object.head?.every((each, i) => i >= items.length || items[i] === each) === true;
    return first !== undefined && isHead ? first : unknown('an item of a list');
  }
  const item = items[position < 0 ? position + items.length : position];
  if (item === undefined) throw new Raised('IndexError', 'list index out of range', undefined);
  return item;
}

function numericKey(index: Value): string | undefined {
  const value = dimOf(index)?.constant;
  return value === undefined ? undefined : String(value);
}

function sliceOf(items: readonly Value[], lower: number | null, upper: number | null, step: number | null): readonly Value[] {
  const { length } = items;
  const stride = step ?? 1;
  if (stride === 1) return items.slice(lower ?? 0, upper ?? length);
  const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value < 0 ? value + length : value));
  const picked: Value[] = [];
  if (stride > 0)
    for (let i = lower === null ? 0 : clamp(lower, 0, length); i < (upper === null ? length : clamp(upper, 0, length)); i += stride)
      picked.push(items[i] as Value);
  else if (stride < 0) {
    const end = upper === null ? -1 : clamp(upper, -1, length - 1);
    for (let i = lower === null ? length - 1 : clamp(lower, -1, length - 1); i > end; i += stride) picked.push(items[i] as Value);
  }
  return picked;
}

/** What comes in under a name and is given new axes, as in `mask[:, None, None, :]`, is a tensor: nothing else takes such an index. */
export function tensorByIndex(interpreter: Interpreter, frame: Frame, written: Expression, object: Value, index: Value): Value | undefined {
  if (!interpreter.assumesShapes || object.kind !== 'unknown' || written.kind !== 'name' || object.reason !== written.name)
    return undefined;
  if (index.kind !== 'tuple' || !index.items.some(({ kind }) => kind === 'none')) return undefined;
  if (!index.items.every(({ kind }) => kind === 'none' || kind === 'slice' || kind === 'ellipsis')) return undefined;
  if (frame.unit === undefined) return undefined;
  const site = { file: frame.file, unit: frame.unit, node: written };
  return { kind: 'tensor', id: 0, shape: unknownShape, dtype: undefined, op: 'input', arguments: new Map(), inputs: [], site };
}

/**
 * The tensor that something unknown must be where tokens are stored in it, as in `cache[:, start:end] = keys` and
 * `cache.index_copy_(1, positions, keys)`: as long as what is stored along every axis of which all is written. `isWhole` tells which.
 */
export function storeOf(frame: Frame, written: Expression, stored: Value, isWhole: readonly boolean[]): TensorValue | undefined {
  if (stored.kind !== 'tensor' || stored.shape.ellipsis !== undefined || stored.shape.dims.length < 3 || frame.unit === undefined)
    return undefined;
  const dims = stored.shape.dims.map((dim, at) => ((isWhole[at] ?? true) ? dim : unknownDim('how much is stored is not known')));
  const site = { file: frame.file, unit: frame.unit, node: written };
  return { kind: 'tensor', id: 0, shape: { ...stored.shape, dims }, dtype: undefined, op: 'input', arguments: new Map(), inputs: [], site };
}

/** The same for what an index says; undefined where it does not pick tokens of a tensor. */
export function storeByIndex(frame: Frame, written: Expression, index: Value, stored: Value): TensorValue | undefined {
  const items = index.kind === 'tuple' ? index.items : [index];
  if (!items.every(({ kind }) => kind === 'slice')) return undefined;
  const isAll = (item: Value): boolean => item.kind === 'slice' && item.lower.kind === 'none' && item.upper.kind === 'none';
  return storeOf(frame, written, stored, items.map(isAll));
}

/** `object[index] = value`. */
export function setItem(interpreter: Interpreter, object: Value, index: Value, value: Value): void {
  switch (object.kind) {
    case 'dict': {
      const key = keyOf(index);
      if (key === undefined) putAnywhere(interpreter, object, value);
      else interpreter.writeEntry(object.entries, key, { key: index, value });
      return;
    }
    case 'list': {
      const position = index.kind === 'int' ? index.dim.constant : undefined;
      if (position !== undefined && !object.open && object.repeat === undefined) {
        const place = position < 0 ? position + object.items.length : position;
        interpreter.write(
          object,
          'items',
          object.items.map((item, i) => (i === place ? value : item)),
        );
      } else if (object.repeat === undefined) {
        interpreter.write(object, 'items', []);
        interpreter.write(object, 'open', true);
      }
      return;
    }
    case 'instance': {
      const method = classMember(object.class, '__setitem__');
      if (method !== undefined) interpreter.call(method, [object, index, value]);
      return;
    }
    case 'tensor': {
      const operation = interpreter.names.builtin('Tensor.__setitem__');
      if (operation !== undefined) interpreter.call(operation, [object, index, value]);
    }
  }
}

/** `self._modules[name] = value`: what a module holds under a name is its attribute. False where the target is something else. */
export function putInModule(
  interpreter: Interpreter,
  frame: Frame,
  target: Extract<Expression, { kind: 'subscript' }>,
  value: Value,
): boolean {
  if (target.object.kind !== 'attribute' || !/^_(?:modules|parameters|buffers)$/.test(target.object.name.name)) return false;
  const owner = evaluate(interpreter, frame, target.object.object);
  const name = indexValue(interpreter, frame, target.indices, target.isTuple);
  if (!interpreter.isModule(owner) || name.kind !== 'string' || name.value === undefined) return false;
  const items = owner.attributes.get('_items');
  const place = Number(name.value);
  if (items?.kind === 'list' && items.items[place] !== undefined) interpreter.write(items, 'items', items.items.with(place, value));
  interpreter.setAttribute(owner, name.value, value);
  return true;
}
