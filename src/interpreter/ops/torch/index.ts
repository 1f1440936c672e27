/** Indexing of tensors by torch's rules: whole numbers pick first, then masks and index tensors are taken together. */
import { type Dim, number, one, unknownDim } from '../../../dims/dim.ts';
import { slice } from '../../../dims/reshape.ts';
import {
  type Context,
  formatShape,
  Judgement,
  rankOf,
  type Shape,
  type ShapeResult,
  select,
  shapeOf,
  unknownShape,
} from '../../../dims/shape.ts';
import { operations } from '../../define.ts';
import { dimOf, numberOf } from '../../make.ts';
import type { Machine } from '../../operation.ts';
import { isRows } from '../../samples.ts';
import type { TensorValue, Value } from '../../value.ts';
import { broadcastAll, isNumber, itemsOf, type Run, tensorIn, tensorOf } from './support.ts';

/** One axis of the result, or where index tensors put theirs. */
type Placed = { readonly dim: Dim } | 'rest' | 'advanced';

/** What one item of an index does. */
type Item =
  | { readonly kind: 'number'; readonly at: Dim | undefined }
  | { readonly kind: 'slice'; readonly value: Value & { readonly kind: 'slice' } }
  | { readonly kind: 'new' }
  | { readonly kind: 'dots' }
  | { readonly kind: 'tensor'; readonly shape: Shape }
  /** Places, or a mask: the dtype is not known. */
  | { readonly kind: 'either'; readonly shape: Shape }
  | { readonly kind: 'mask'; readonly rank: number };

/** The shape of nested lists of numbers as an index; undefined where they are not that. */
function shapeOfList(value: Value): { readonly dims: readonly Dim[]; readonly isMask: boolean } | undefined {
  if (value.kind === 'range') return { dims: [unknownDim('the length of a range')], isMask: false };
  if (value.kind === 'list' && !value.open && value.repeat !== undefined) {
    const [item] = value.items;
    return item?.kind === 'int' ? { dims: [value.repeat], isMask: false } : undefined;
  }
  const items = itemsOf(value);
  const [first] = items ?? [];
  if (items === undefined || first === undefined) return undefined;
  if (items.every((item) => item.kind === 'int')) return { dims: [number(items.length)], isMask: false };
  if (items.every((item) => item.kind === 'bool')) return { dims: [number(items.length)], isMask: true };
  const inner = first.kind === 'list' || first.kind === 'tuple' ? shapeOfList(first) : undefined;
  return inner === undefined ? undefined : { dims: [number(items.length), ...inner.dims], isMask: inner.isMask };
}

/** Undefined where it is not known what the item does. */
function read(value: Value): Item | undefined {
  switch (value.kind) {
    case 'none':
      return { kind: 'new' };
    case 'ellipsis':
      return { kind: 'dots' };
    case 'slice':
      return { kind: 'slice', value };
    case 'bool':
      return undefined;
    case 'list':
    case 'tuple':
    case 'range': {
      const found = shapeOfList(value);
      if (found === undefined) return undefined;
      return found.isMask ? { kind: 'mask', rank: found.dims.length } : { kind: 'tensor', shape: shapeOf(...found.dims) };
    }
    default: {
      const tensor = tensorOf(value);
      if (tensor !== undefined) return readTensor(tensor);
      return isNumber(value) ? { kind: 'number', at: dimOf(value) } : undefined;
    }
  }
}

function readTensor({ shape, dtype }: TensorValue): Item | undefined {
  const rank = rankOf(shape);
  if (rank === undefined) return undefined;
  const isMask = dtype === 'bool' || dtype === 'uint8';
  if (rank === 0) return isMask || dtype === undefined ? undefined : { kind: 'number', at: undefined };
  if (isMask) return { kind: 'mask', rank };
  if (dtype !== undefined) return { kind: 'tensor', shape };
  return { kind: 'either', shape };
}

const consumed = (item: Item): number =>
  item.kind === 'mask'
    ? item.rank
    : item.kind === 'number' || item.kind === 'slice' || item.kind === 'tensor' || item.kind === 'either'
      ? 1
      : 0;

/** Takes axes off the front (or back) of a shape; where they are hidden they are unknown, and what follows is too. */
class Axes {
  #front: Dim[];
  #back: Dim[];
  readonly #hidden: boolean;
  #torn = false;

  constructor(shape: Shape) {
    const at = shape.ellipsis ?? shape.dims.length;
    this.#front = shape.dims.slice(0, at);
    this.#back = shape.dims.slice(at);
    this.#hidden = shape.ellipsis !== undefined;
  }

  /** The next axis; undefined when there is none. */
  first(): Dim | undefined {
    const dim = this.#front.shift();
    if (dim !== undefined) return dim;
    if (!this.#hidden) return this.#back.shift();
    this.#torn = true;
    return unknownDim('the axis is not known');
  }

  /** The last `count` axes in order; undefined when there are not as many. */
  last(count: number): readonly Dim[] | undefined {
    const dims: Dim[] = [];
    for (let i = 0; i < count; i++) {
      const dim = this.#back.pop() ?? (this.#hidden ? undefined : this.#front.pop());
      if (dim !== undefined) dims.unshift(dim);
      else if (this.#hidden) {
        this.#torn = true;
        this.#front = [];
        dims.unshift(unknownDim('the axis is not known'));
      } else return undefined;
    }
    return dims;
  }

  /** What is left over. */
  rest(): readonly (Dim | 'rest')[] {
    if (!this.#hidden) return [...this.#front, ...this.#back];
    return this.#torn ? ['rest'] : [...this.#front, 'rest', ...this.#back];
  }
}

/** The shape of `x[index]`. */
export function indexed(shape: Shape, index: Value, machine: Machine): { readonly result: ShapeResult; readonly keepsOrder: boolean } {
  const judgement = new Judgement(machine.context);
  const unknown = { result: judgement.result(unknownShape), keepsOrder: false };
  const values = indicesOf(index);
  if (values === undefined) return unknown;
  const items = values.map(read);
  if (items.includes(undefined)) return unknown;
  const decided = decide(shape, items as readonly Item[], judgement);
  return decided === undefined ? unknown : place(shape, decided, judgement, machine);
}

/** A mask is as large as the axes that it picks from: what is not is places. Undefined where that leaves it open. */
function decide(shape: Shape, items: readonly Item[], judgement: Judgement): readonly Item[] | undefined {
  if (items.every(({ kind }) => kind !== 'either')) return items;
  const decided: Item[] = [];
  // Axes are counted from the front as long as every item takes a known number of them.
  let at: number | undefined = 0;
  for (const item of items) {
    if (item.kind === 'dots') at = undefined;
    if (item.kind !== 'either') {
      decided.push(item);
      if (at !== undefined) at += consumed(item);
      continue;
    }
    const { dims } = item.shape;
    const from: number | undefined = at;
    const isPlaces =
      from !== undefined &&
      dims.some((dim, i) => {
        const axis = from + i < (shape.ellipsis ?? Number.POSITIVE_INFINITY) ? shape.dims[from + i] : undefined;
        return axis !== undefined && judgement.compare(dim, axis) === 'different';
      });
    if (isPlaces) decided.push({ kind: 'tensor', shape: item.shape });
    // Of rank 1 both leave one axis in its place.
    else if (dims.length === 1) decided.push({ kind: 'tensor', shape: shapeOf(unknownDim('a mask or places')) });
    else return undefined;
    if (at !== undefined) at += 1;
  }
  return decided;
}

/** A list that holds lists, slices or tensors is taken for a tuple of indices. */
function indicesOf(index: Value): readonly Value[] | undefined {
  if (index.kind === 'tuple') return index.ellipsis === undefined ? index.items : undefined;
  const items = index.kind === 'list' ? itemsOf(index) : undefined;
  return items?.some(({ kind }) => nested.has(kind)) === true ? items : [index];
}

const nested: ReadonlySet<Value['kind']> = new Set(['list', 'tuple', 'slice', 'tensor', 'none', 'ellipsis']);

function place(
  shape: Shape,
  items: readonly Item[],
  judgement: Judgement,
  machine: Machine,
): { readonly result: ShapeResult; readonly keepsOrder: boolean } {
  const fail = (reason: string) => {
    judgement.fail(reason);
    return { result: judgement.result(unknownShape), keepsOrder: false };
  };
  const total = items.reduce((sum, item) => sum + consumed(item), 0);
  const rank = rankOf(shape);
  if (rank !== undefined && total > rank) return fail(`${total} indices for a tensor of rank ${rank}`);
  const dots = items.findIndex(({ kind }) => kind === 'dots');
  if (items.filter(({ kind }) => kind === 'dots').length > 1) return fail('an index can have one ellipsis');
  const behind = dots < 0 ? [] : items.slice(dots + 1);
  const axes = new Axes(shape);
  const lastDims = axes.last(behind.reduce((sum, item) => sum + consumed(item), 0));
  if (lastDims === undefined) return { result: judgement.result(unknownShape), keepsOrder: false };
  const placed: Placed[] = [];
  const advanced: Shape[] = [];
  const apply = (item: Item, next: () => Dim | undefined): void => {
    if (item.kind === 'new') placed.push({ dim: one });
    else if (item.kind === 'number') {
      const dim = next();
      if (dim === undefined) return;
      const picked = select(shapeOf(dim), 0, item.at, { facts: judgement.facts, substitution: machine.context.substitution });
      if (picked.status === 'mismatch') judgement.failAs(picked);
    } else if (item.kind === 'slice') {
      const dim = next();
      if (dim !== undefined) placed.push({ dim: sliced(dim, item.value, machine) });
    } else if (item.kind === 'tensor') {
      next();
      advanced.push(item.shape);
      placed.push('advanced');
    } else if (item.kind === 'mask') {
      for (let i = 0; i < item.rank; i++) next();
      advanced.push(shapeOf(unknownDim('the number of places that a mask picks')));
      placed.push('advanced');
    }
  };
  const ahead = dots < 0 ? items : items.slice(0, dots);
  for (const item of ahead) apply(item, () => axes.first());
  const middle = axes.rest().map((dim): Placed => (dim === 'rest' ? 'rest' : { dim }));
  placed.push(...middle);
  const remaining = [...lastDims];
  for (const item of behind) apply(item, () => remaining.shift());
  return { result: assemble(placed, advanced, judgement, machine), keepsOrder: advanced.length === 0 };
}

/** Axes of index tensors stand where these stood side by side, else in front. */
function assemble(placed: readonly Placed[], advanced: readonly Shape[], judgement: Judgement, machine: Machine): ShapeResult {
  const places = placed.flatMap((each, i) => (each === 'advanced' ? [i] : []));
  const [first = 0] = places;
  const isAdjacent = places.every((at, i) => at === first + i);
  const joined = advanced.length === 0 ? undefined : broadcastAll(advanced, machine.context);
  if (joined?.status === 'mismatch') judgement.failAs(joined);
  const inserted = joined?.shape.dims ?? [];
  const dims: Dim[] = isAdjacent ? [] : [...inserted];
  let at: number | undefined;
  for (const [i, each] of placed.entries()) {
    if (each === 'rest') at = dims.length;
    else if (each !== 'advanced') dims.push(each.dim);
    else if (isAdjacent && i === first) dims.push(...inserted);
  }
  const answer = judgement.result({ dims, ellipsis: at });
  return joined === undefined ? answer : { ...answer, substitution: joined.substitution };
}

function sliced(dim: Dim, { lower, upper, step }: Value & { readonly kind: 'slice' }, machine: Machine): Dim {
  const by = step.kind === 'none' ? 1 : numberOf(step);
  const bound = (value: Value): Dim | undefined =>
    value.kind === 'none' ? undefined : isNumber(value) ? (dimOf(value) ?? notKnown()) : notKnown();
  if (lower.kind === 'none' && upper.kind === 'none' && by === 1) return dim;
  // torch refuses steps backwards; lists take them, and what is taken for a tensor here may be one.
  if (by === undefined || !Number.isInteger(by) || by < 1) return notKnown();
  const { shape } = slice(shapeOf(dim), 0, bound(lower), bound(upper), by, machine.context);
  return shape.dims[0] ?? notKnown();
}

const notKnown = (): Dim => unknownDim('the bounds of a slice are not known');

const getItem: Run = (call, machine) => {
  const input = tensorIn(call);
  const { result, keepsOrder } = indexed(input?.shape ?? unknownShape, call.value('index'), machine);
  const content = keepsOrder ? input?.content : undefined;
  return machine.settle('getitem', call, result, { dtype: input?.dtype, ...(content === undefined ? {} : { content }) });
};

/** What is assigned must broadcast to what is picked. Answers the tensor as it is afterwards. */
const setItem: Run = (call, machine) => {
  const input = tensorIn(call);
  const shape = input?.shape ?? unknownShape;
  const { result } = indexed(shape, call.value('index'), machine);
  const value = tensorIn(call, 'value');
  const context = { ...machine.context, substitution: result.substitution };
  const fit = result.status === 'mismatch' || value === undefined ? result : broadcastAll([result.shape, value.shape], context);
  const judged = fit.status === 'mismatch' || value === undefined ? fit : stretched(result.shape, value.shape, fit, context);
  return machine.settle('setitem', call, { ...judged, shape }, { dtype: input?.dtype });
};

/** What is assigned stretches to what is picked, and not the other way round. */
function stretched(picked: Shape, value: Shape, fit: ShapeResult, context: Context): ShapeResult {
  if (picked.ellipsis !== undefined || value.ellipsis !== undefined) return fit;
  const judgement = new Judgement(context);
  for (const [i, dim] of value.dims.entries()) {
    const place = picked.dims[picked.dims.length - value.dims.length + i];
    if (dim.constant === 1 || (place !== undefined && judgement.read(place).constant !== 1)) continue;
    const reason = `${formatShape(value)} does not fit into ${formatShape(picked)}`;
    if (place === undefined && context.assumptions !== undefined && isRows(dim)) {
      judgement.failOfAxes(reason);
      break;
    }
    if (judgement.isAtLeast(dim, number(2))) judgement.fail(reason);
    else judgement.doubt(reason);
  }
  return judgement.status === 'ok' ? fit : { ...judgement.result(picked), substitution: fit.substitution };
}

export const indexOperations = operations({
  'Tensor.__getitem__': ['input, index', getItem],
  'Tensor.__setitem__': ['input, index, value', setItem],
});
