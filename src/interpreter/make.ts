/** Constructors of values, and the questions asked about them everywhere. */
import { type Dim, loneAtom, number, rigid, unknownDim } from '../dims/dim.ts';
import { formatDim } from '../dims/format.ts';
import type { Shape } from '../dims/shape.ts';
import { mentions } from '../dims/visit.ts';
import type {
  BoolValue,
  Condition,
  DictValue,
  EllipsisValue,
  FloatValue,
  IntValue,
  ListValue,
  NoneValue,
  OpaqueValue,
  Powers,
  StringValue,
  TupleValue,
  UnionValue,
  UnknownValue,
  Value,
} from './value.ts';

export const none: NoneValue = { kind: 'none' };
/** What a function answers that computes something last and forgets to return it. */
export const nothingReturned: NoneValue = { kind: 'none' };
export const ellipsis: EllipsisValue = { kind: 'ellipsis' };
const yes: BoolValue = { kind: 'bool', value: true };
const no: BoolValue = { kind: 'bool', value: false };
const either: BoolValue = { kind: 'bool', value: undefined };

/** A value of which nothing is known. */
export const unknown = (reason: string): UnknownValue => ({ kind: 'unknown', reason });

/** A value that stands under a name: used as a size it is the symbol of that name. */
export const named = (path: string, scope: string): UnknownValue => ({ kind: 'unknown', reason: `the value of ${path}`, path, scope });

export const bool = (value: boolean | undefined, condition?: Condition): BoolValue =>
  condition !== undefined && value === undefined ? { kind: 'bool', value, condition } : value === undefined ? either : value ? yes : no;

export const int = (dim: Dim | number): IntValue => ({ kind: 'int', dim: typeof dim === 'number' ? number(dim) : dim });
export const float = (value: number | undefined, powers?: Powers): FloatValue =>
  powers === undefined ? { kind: 'float', value } : { kind: 'float', value, powers };
export const text = (value: string | undefined): StringValue => ({ kind: 'string', value });
export const opaque = (name: string): OpaqueValue => ({ kind: 'opaque', name });
export const tuple = (items: readonly Value[], at?: number): TupleValue => ({ kind: 'tuple', items, ellipsis: at });
export const list = (items: readonly Value[]): ListValue => ({ kind: 'list', items, repeat: undefined, open: false });
/** A list of which neither length nor items are known. */
export const openList = (): ListValue => ({ kind: 'list', items: [], repeat: undefined, open: true });
export const dict = (entries: Iterable<readonly [Value, Value]> = [], open = false): DictValue => {
  const map: DictValue['entries'] = new Map();
  let isOpen = open;
  for (const [key, value] of entries) {
    const at = keyOf(key);
    if (at === undefined) isOpen = true;
    else map.set(at, { key, value });
  }
  return { kind: 'dict', entries: map, open: isOpen };
};

/** The key under which a value is looked up: of a setting that is not known, that of its default. */
export const likelyKeyOf = (value: Value): string | undefined => keyOf(value) ?? (value.kind === 'string' ? value.likely : undefined);

/** A tensor's shape as the tuple that `x.shape` answers. */
export const sizeTuple = ({ dims, ellipsis: at }: Shape): TupleValue => ({
  kind: 'tuple',
  items: dims.map((dim) => int(dim)),
  ellipsis: at,
  isSize: true,
});

/** The key of a dict entry: equal for values that Python finds equal; undefined where that is not known. */
export function keyOf(value: Value): string | undefined {
  switch (value.kind) {
    case 'string':
      return value.value;
    case 'int':
      return value.dim.constant === undefined ? undefined : `#${value.dim.constant}`;
    case 'bool':
      return value.value === undefined ? undefined : `#${value.value ? 1 : 0}`;
    case 'float':
      return value.value === undefined ? undefined : `#${value.value}`;
    case 'none':
      return '#None';
    case 'opaque':
      return `#${value.name}`;
    case 'class':
      return `#class ${value.qualifiedName}`;
    case 'builtin':
      return `#builtin ${value.name}`;
    case 'tuple': {
      const parts = value.items.map(keyOf);
      return value.ellipsis !== undefined || parts.includes(undefined) ? undefined : `#(${parts.join(',')})`;
    }
    default:
      return undefined;
  }
}

/** Names of values that are seldom whole numbers: used as a size they stay unknown, since arithmetic on sizes is that of integers. */
const fractional =
  /(?:^|_)(?:ratio|rate|factor|mult|multiplier|multiple|scale|scaling|pct|percent|percentage|fraction|prob|probability|dropout|drop|eps|epsilon|theta|base|std|alpha|beta|gamma|expand|expansion|temperature|temp|momentum|init|lr|decay|p)$|_(?:pdrop|coef|coeff|weight)$/;

/** The size that a value is: `named` values become the symbol of their name. Undefined when it is no whole number. */
export function dimOf(value: Value): Dim | undefined {
  switch (value.kind) {
    case 'int':
      return value.dim;
    case 'bool':
      return value.value === undefined ? undefined : number(value.value ? 1 : 0);
    case 'float':
      return value.value !== undefined && Number.isInteger(value.value) ? number(value.value) : undefined;
    case 'unknown': {
      if (value.path === undefined) return undefined;
      const last = value.path.slice(value.path.lastIndexOf('.') + 1);
      return fractional.test(last) ? undefined : rigid(value.path, { scope: value.scope ?? '' });
    }
    case 'union':
      return unionDim(value);
    default:
      return undefined;
  }
}

const unionDims = new WeakMap<UnionValue, Dim>();

/** One size for all uses of a value that may be one of several: `n_kv_head or n_head` stands under the name that was given. */
function unionDim(value: UnionValue): Dim | undefined {
  const known = unionDims.get(value);
  if (known !== undefined) return known;
  const present = value.options.filter(({ kind }) => kind !== 'none');
  const dims = present.map(dimOf);
  if (dims.length === 0 || dims.includes(undefined)) return undefined;
  const [first] = dims as Dim[];
  const named = present.filter((option) => option.kind === 'unknown');
  const given = named.find(({ isGiven }) => isGiven === true) ?? (named.length === 1 ? named[0] : undefined);
  const symbol = given === undefined ? undefined : loneAtom(dimOf(given) ?? number(0));
  // What is computed from the size that was given is another size, and does not stand in for it.
  const isComputed = dims.some(
    (each) => each !== undefined && symbol !== undefined && loneAtom(each)?.key !== symbol.key && mentions(each, symbol.key),
  );
  const name = isComputed ? undefined : given;
  const dim = dims.every((each) => each?.key === first?.key) ? first : name === undefined ? oneOf(dims as Dim[]) : dimOf(name);
  if (dim !== undefined) unionDims.set(value, dim);
  return dim;
}

/** A setting whose name says that it is seldom a whole number. */
export const isFraction = (value: Value): boolean =>
  value.kind === 'unknown' && value.path !== undefined && fractional.test(value.path.slice(value.path.lastIndexOf('.') + 1));

/** Names of settings that say which part of a size another is. */
const shareNames = /(?:^|_)(?:pct|percent|percentage|fraction|ratio|partial_rotary_factor)$/;
/** How the scopes of symbols begin that count thousandths. */
export const shareScope = 'thousandths ';

/**
 * A fraction of sizes that is not known, as a power: `int(head_dim * rotary_pct)` is then a quotient of sizes. Undefined for settings
 * that are called otherwise.
 */
export function shareOf(path: string, scope: string): FloatValue | undefined {
  if (!shareNames.test(path.slice(path.lastIndexOf('.') + 1))) return undefined;
  const thousandths = rigid(`(1000 * ${path})`, { scope: `${shareScope}${scope}` });
  const factors = [
    { base: thousandths, exponent: 1 },
    { base: number(1000), exponent: -1 },
  ];
  return float(undefined, { coefficient: 1, factors });
}

/** How the scopes of sizes begin that are one of several. */
export const choiceScope = 'choice ';
let choices = 0;
const isPlain = (dim: Dim): boolean => dim.constant !== undefined || loneAtom(dim)?.kind === 'symbol';

/** `1 if pool == 'cls' else 0`: one of these wherever the value is used. */
function oneOf(dims: readonly Dim[]): Dim {
  // A choice between expressions makes what is computed from it unreadable, and tells little.
  if (dims.some((dim) => dim.unknown || dim.flexible || !isPlain(dim))) return unknownDim('one of several');
  choices += 1;
  return rigid(`(${dims.map(formatDim).join(' or ')})`, {
    scope: `${choiceScope}${choices}`,
    min: Math.min(...dims.map(({ min }) => min)),
  });
}

/** The same, with a new unknown where it is not known. */
export const dimOrUnknown = (value: Value): Dim => dimOf(value) ?? unknownDim('not a known whole number');

/** The number that a value is, when it is known: whole, fractional or a truth value. */
export function numberOf(value: Value): number | undefined {
  if (value.kind === 'int') return value.dim.constant;
  if (value.kind === 'float') return value.value;
  if (value.kind === 'bool') return value.value === undefined ? undefined : Number(value.value);
  return undefined;
}

/** Whether a value counts as true; undefined when that is not known. */
export function truthOf(value: Value): boolean | undefined {
  switch (value.kind) {
    case 'none':
      return false;
    case 'bool':
      return value.value;
    case 'int': {
      const { constant, min, max } = value.dim;
      if (constant !== undefined) return constant !== 0;
      return min > 0 || max < 0 ? true : undefined;
    }
    case 'float':
      return value.value === undefined ? undefined : value.value !== 0;
    case 'string':
      return value.value === undefined ? undefined : value.value !== '';
    case 'tuple':
      return value.items.length > 0 ? true : value.ellipsis === undefined ? false : undefined;
    case 'list':
      if (value.repeat !== undefined) return value.repeat.min > 0 ? true : undefined;
      return value.items.length > 0 ? true : value.open ? undefined : false;
    case 'set':
      return value.items.length > 0 ? true : value.open ? undefined : false;
    case 'dict':
      return value.entries.size > 0 ? true : value.open ? undefined : false;
    case 'range':
      return value.start.constant === 0 && value.stop.constant !== undefined ? value.stop.constant > 0 : undefined;
    case 'function':
    case 'builtin':
    case 'bound':
    case 'class':
    case 'partial':
    case 'namespace':
    case 'slice':
    case 'ellipsis':
    case 'opaque':
      return true;
    case 'union': {
      const [first, ...others] = value.options.map(truthOf);
      return others.every((other) => other === first) ? first : undefined;
    }
    default:
      return undefined;
  }
}
