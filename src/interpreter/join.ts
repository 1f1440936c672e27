import { type Dim, sameDim, unknownDim } from '../dims/dim.ts';
import { rankOf, type Shape, unknownShape } from '../dims/shape.ts';
import { symbolsOf } from '../dims/visit.ts';
import { bool, keyOf, openList, unknown } from './make.ts';
import { eitherFloat } from './powers.ts';
import type { BoolValue, DictValue, ListValue, TensorValue, TupleValue, UnionValue, UnknownValue, Value } from './value.ts';

const maximumOptions = 4;
/** Of functions a table of activations holds more, each of which answers what the others do. */
const maximumFunctions = 12;
let joins = 0;

/** Sizes on which both agree; others are unknown. Shapes of different rank have nothing in common. */
export function joinShapes(a: Shape, b: Shape): Shape {
  if (a === b) return a;
  if (rankOf(a) === undefined || rankOf(b) === undefined) {
    return a.ellipsis === b.ellipsis && a.dims.length === b.dims.length
      ? { dims: joinDims(a.dims, b.dims), ellipsis: a.ellipsis }
      : unknownShape;
  }
  return a.dims.length === b.dims.length ? { dims: joinDims(a.dims, b.dims), ellipsis: undefined } : unknownShape;
}

const joinDims = (a: readonly Dim[], b: readonly Dim[]): readonly Dim[] =>
  a.map((dim, i) => (sameDim(dim, b[i] as Dim) ? dim : unknownDim('it differs between branches')));

const isEmpty = ({ dims }: Shape): boolean => dims.some(({ constant }) => constant === 0);

/** The same where what is known of one branch stands for what is not known of the other. */
function knownShape(a: Shape, b: Shape): Shape {
  const [hidesA, hidesB] = [a, b].map(({ dims, ellipsis }) => ellipsis !== undefined && dims.length === 0);
  // `return torch.empty(0)` where there is nothing to compute says nothing of what is computed.
  if (hidesA) return isEmpty(b) ? a : b;
  if (hidesB) return isEmpty(a) ? b : a;
  if (a.ellipsis !== undefined || b.ellipsis !== undefined || a.dims.length !== b.dims.length) return joinShapes(a, b);
  if (sameShape(a, b)) return a;
  // Branches that give other sizes on one axis need not agree on another.
  if (a.dims.some((dim, i) => !(sameDim(dim, b.dims[i] as Dim) || isVague(dim) || isVague(b.dims[i] as Dim)))) return joinShapes(a, b);
  const standsIn = (dim: Dim, other: Dim): boolean => (other.unknown ? !dim.unknown : isVague(other) && !isVague(dim));
  const [ofA, ofB] = [a, b].map((from, side) => {
    const others = side === 0 ? b : a;
    return from.dims.filter((dim, i) => standsIn(dim, others.dims[i] as Dim)).map(({ key }) => key);
  }) as [string[], string[]];
  // One size here in one branch and there in the other: the axes are exchanged.
  if (ofA.some((key) => ofB.includes(key))) return joinShapes(a, b);
  const dims = a.dims.map((dim, i) => {
    const other = b.dims[i] as Dim;
    if (sameDim(dim, other) || standsIn(dim, other)) return dim;
    return standsIn(other, dim) ? other : unknownDim('branches differ');
  });
  return { dims, ellipsis: undefined };
}

/** Not known, or computed from a size that was merely read off what is not known. */
const isVague = (dim: Dim): boolean => dim.unknown || symbolsOf(dim).some((symbol) => symbol.anonymous && symbol.min === 0);

const sameShape = (a: Shape, b: Shape): boolean =>
  a.ellipsis === b.ellipsis && a.dims.length === b.dims.length && a.dims.every((dim, i) => sameDim(dim, b.dims[i] as Dim));

/**
 * How branches are joined where they differ. 'first': a tensor of the first whose shape the second has too stays itself. 'known': a
 * tensor stands for itself and for what is not known, since the branch that made it is one that can be taken.
 */
export type Preference = 'none' | 'first' | 'known';

/** A shape with what is known of its sizes by now. */
export type ReadShape = (shape: Shape) => Shape;

/** The value that holds whichever of two branches ran. */
export function join(a: Value, b: Value, prefer: Preference = 'none', read: ReadShape = (shape) => shape): Value {
  if (a === b) return a;
  if (a.kind === 'unknown' && isGiven(a) && b.kind === 'none') return join(asked(a), b, prefer, read);
  if (b.kind === 'unknown' && isGiven(b) && a.kind === 'none') return join(a, asked(b), prefer, read);
  if (prefer === 'known' && a.kind !== b.kind) {
    if (a.kind === 'unknown' && (b.kind === 'tensor' || b.kind === 'tuple')) return b;
    if (b.kind === 'unknown' && (a.kind === 'tensor' || a.kind === 'tuple')) return a;
    if (a.kind === 'unknown' && a.path === undefined && b.kind === 'int') return b;
    if (b.kind === 'unknown' && b.path === undefined && a.kind === 'int') return a;
  }
  if (prefer === 'known' && a.kind === 'int' && b.kind === 'int' && a.dim.unknown !== b.dim.unknown) return a.dim.unknown ? b : a;
  if (a.kind === 'union' || b.kind === 'union') return unite([...besides(a, b), ...besides(b, a)]);
  if (a.kind !== b.kind) return unite([a, b]);
  switch (a.kind) {
    case 'none':
    case 'ellipsis':
      return a;
    case 'tensor': {
      const other = b as TensorValue;
      if (prefer === 'first' && sameShape(a.shape, read(other.shape))) return a;
      joins += 1;
      return {
        kind: 'tensor',
        // Between the ids of what it joins and what comes after, which are whole; those of joins of joins, too.
        id: Math.floor(Math.max(a.id, other.id)) + 1 - 1 / (1 + joins),
        shape: prefer === 'known' ? knownShape(a.shape, other.shape) : joinShapes(a.shape, read(other.shape)),
        dtype: a.dtype === other.dtype ? a.dtype : undefined,
        op: 'join',
        arguments: new Map(),
        inputs: [a, other],
        site: undefined,
        ...(a.isParameter === true && other.isParameter === true ? { isParameter: true } : {}),
        ...(prefer === 'known' ? { isOfBranches: true as const } : {}),
      };
    }
    case 'bool': {
      const other = b as typeof a;
      const isSame = a.value === undefined ? sameQuestion(a, other) : a.value === other.value;
      return isSame ? a : bool(undefined);
    }
    case 'int':
      return sameDim(a.dim, (b as typeof a).dim) ? a : unite([a, b]);
    case 'float':
      return eitherFloat(a, b as typeof a);
    case 'string':
      return a.value !== undefined && a.value === (b as typeof a).value ? a : a.value === undefined ? a : unite([a, b]);
    case 'tuple': {
      const other = b as typeof a;
      if (a.items.length !== other.items.length || a.ellipsis !== other.ellipsis) return joinLengths(a, other, prefer, read);
      return { ...a, items: a.items.map((item, i) => join(item, other.items[i] as Value, prefer, read)) };
    }
    case 'list': {
      const other = b as ListValue;
      const sameRepeat =
        a.repeat === other.repeat || (a.repeat !== undefined && other.repeat !== undefined && sameDim(a.repeat, other.repeat));
      if (a.items.length !== other.items.length || !sameRepeat) return { ...openList(), items: [] };
      const items = a.items.map((item, i) => join(item, other.items[i] as Value, prefer, read));
      return { kind: 'list', items, repeat: a.repeat, open: a.open || other.open };
    }
    case 'dict': {
      const other = b as DictValue;
      const entries: DictValue['entries'] = new Map();
      let open = a.open || other.open;
      for (const [key, entry] of a.entries) {
        const match = other.entries.get(key);
        if (match === undefined) open = true;
        else entries.set(key, { key: entry.key, value: join(entry.value, match.value, prefer, read) });
      }
      for (const key of other.entries.keys()) if (!a.entries.has(key)) open = true;
      return { kind: 'dict', entries, open };
    }
    case 'opaque':
      return a.name === (b as typeof a).name ? a : unite([a, b]);
    case 'unknown': {
      const other = b as typeof a;
      if (a.path === undefined || other.path === undefined) return unknown(a.reason);
      if (a.path !== other.path || a.scope !== other.scope) return unite([a, other]);
      return a.isGiven === true ? other : a;
    }
    default:
      return unite([a, b]);
  }
}

/** What tuples of different length have in common: those begin and end alike, with any number of items between. */
function joinLengths(a: TupleValue, b: TupleValue, prefer: Preference, read: ReadShape): TupleValue {
  const front = Math.min(a.ellipsis ?? a.items.length, b.ellipsis ?? b.items.length);
  const backOf = ({ items, ellipsis }: TupleValue): number => items.length - (ellipsis ?? front);
  const back = Math.min(backOf(a), backOf(b));
  const meet = (item: Value | undefined, other: Value | undefined): Value => join(item as Value, other as Value, prefer, read);
  const items = [
    ...Array.from({ length: front }, (_, i) => meet(a.items[i], b.items[i])),
    ...Array.from({ length: back }, (_, i) => meet(a.items.at(i - back), b.items.at(i - back))),
  ];
  return { kind: 'tuple', items, ellipsis: front, ...(a.isSize === true && b.isSize === true ? { isSize: true } : {}) };
}

const sameQuestion = ({ condition: a }: BoolValue, { condition: b }: BoolValue): boolean =>
  a?.asks !== undefined && a.asks.what === b?.asks?.what && a.asks.is === b.asks.is;

const optionsOf = (value: Value): readonly Value[] => (value.kind === 'union' ? value.options : [value]);

/** The options of a value where others may stand in for it: beside these, what was given is no longer the name of whatever is taken. */
function besides(value: Value, other: Value): readonly Value[] {
  if (value.kind !== 'union' || optionsOf(other).every((each) => value.options.some((option) => same(option, each))))
    return optionsOf(value);
  return value.options.map((option) =>
    option.kind === 'unknown' && option.isGiven === true ? { ...option, isGiven: false, isRequired: true } : option,
  );
}

/** One of these; values of the same kind that can be told apart only by where they came from are joined. */
export function unite(all: readonly Value[]): Value {
  const options: Value[] = [];
  for (const value of all) {
    if (value.kind === 'unknown' && value.path === undefined) return value.isGiven === true ? unknown(value.reason) : value;
    if (options.some((other) => same(other, value))) continue;
    const merge = options.findIndex((other) => other.kind === value.kind && mergeable.has(value.kind));
    const other = options[merge];
    if (other === undefined) options.push(value);
    else options[merge] = join(other, value);
  }
  if (options.length > (options.every(isFunction) ? maximumFunctions : maximumOptions) || options.length === 0)
    return unknown('one of many');
  const kinds = new Set(options.map(({ kind }) => kind));
  if (kinds.has('unknown') && kinds.has('tensor')) {
    // `if inputs_embeds is None: inputs_embeds = self.embed(ids)`: what is given instead is like what the code makes itself.
    const tensor = options.find(({ kind }) => kind === 'tensor');
    if (tensor !== undefined && [...kinds].every((kind) => kind === 'unknown' || kind === 'tensor' || kind === 'none')) return tensor;
    return unknown('it may be something else than a tensor');
  }
  const [only] = options;
  if (options.length === 1 && only !== undefined) return only;
  const union: UnionValue = { kind: 'union', options };
  return union;
}

const isFunction = ({ kind }: Value): boolean => kind === 'function' || kind === 'builtin';

const mergeable: ReadonlySet<Value['kind']> = new Set(['tensor', 'float', 'bool', 'tuple', 'dict', 'list']);

function same(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (a.kind !== b.kind) return false;
  if (a.kind === 'int') return sameDim(a.dim, (b as typeof a).dim);
  if (a.kind === 'unknown') return a.path !== undefined && a.path === (b as typeof a).path && a.scope === (b as typeof a).scope;
  const key = keyOf(a);
  return key !== undefined && key === keyOf(b);
}

/** What one changeable place holds after branches; `undefined` values are entries that are not there. */
export function joinCells(
  owner: object,
  key: unknown,
  values: readonly unknown[],
  prefer: Preference,
  read?: ReadShape,
): { readonly value: unknown; readonly open: boolean; readonly head?: readonly Value[] } {
  const [first, ...others] = values;
  if (others.every((value) => value === first)) return { value: first, open: false };
  const kind = (owner as { readonly kind?: unknown }).kind;
  if (kind === 'tensor') return { value: (values as Shape[]).reduce(joinShapes), open: false };
  if (kind === 'list' || kind === 'set') {
    if (key === 'open') return { value: values.includes(true), open: false };
    if (key === 'repeat') return { value: undefined, open: true };
    if (key === 'head') return { value: undefined, open: false };
    const lists = values as (readonly Value[])[];
    const length = Math.min(...lists.map((items) => items.length));
    const columns = Array.from({ length }, (_, i) => lists.map((each) => each[i] as Value));
    // A chain of layers and another chain: no layer of one stands behind a layer of the other.
    const isChain = columns.filter(areOtherLayers).length > 1;
    const items = columns.map((each) =>
      isChain && areOtherLayers(each) ? unknown('a layer of one of several chains') : each.reduce((a, b) => join(a, b, prefer, read)),
    );
    const isOpen = lists.some((each) => each.length !== length);
    // `outputs = [x]; if wanted: outputs.append(weights)`: what was there before is where it was, and what was added, if at all, behind it.
    const isAppended =
      kind === 'list' && isOpen && !(owner as ListValue).open && items.every((item, i) => lists.every((each) => each[i] === item));
    const longest =
      prefer === 'known' ? lists.find((each) => lists.every((other) => other.every((item, i) => item === each[i]))) : undefined;
    const head = longest ?? items;
    return { value: items, open: isOpen, ...(isAppended && head.length > 0 ? { head } : {}) };
  }
  if (key === 'open') return { value: values.includes(true), open: false };
  const present = values.filter((value) => value !== undefined);
  const [one] = present;
  if (isEntry(one)) {
    const value = (present as { key: Value; value: Value }[]).map((entry) => entry.value).reduce((a, b) => join(a, b, prefer, read));
    return { value: { key: one.key, value }, open: false };
  }
  return { value: (present as Value[]).reduce((a, b) => join(a, b, prefer, read)), open: false };
}

/** Instances of different classes, of which one is the code's own. */
function areOtherLayers(values: readonly Value[]): boolean {
  const [first] = values;
  if (first?.kind !== 'instance') return false;
  const classes = values.map((value) => (value.kind === 'instance' ? value.class : undefined));
  return classes.some((of) => of !== first.class) && classes.some((of) => of?.file !== undefined && !of.file.isPrelude);
}

const isEntry = (value: unknown): value is { readonly key: Value; readonly value: Value } =>
  typeof value === 'object' && value !== null && !('kind' in value) && 'key' in value && 'value' in value;

const isGiven = (value: UnknownValue): boolean => value.isGiven === true || value.isRequired === true;

/** What may be None after all. */
const asked = (value: UnknownValue): UnknownValue => ({ ...value, isGiven: false, isRequired: false });
