/** Python's operators on numbers, strings and sequences; tensors are the operations' business. */
import {
  add,
  ceilDiv,
  type Dim,
  floorDiv,
  mod,
  multiply,
  negate,
  number,
  raise,
  sameDim,
  subtract,
  unknownDim,
  zero,
} from '../dims/dim.ts';
import { atLeast, compare, type Facts } from '../dims/facts.ts';
import { bool, dimOf, float, int, numberOf, text, tuple, unknown } from './make.ts';
import { dividePowers, multiplyPowers, raisePowers } from './powers.ts';
import type { BoolValue, Value } from './value.ts';

const maximumItems = 100_000;

/** `left operator right` for values without methods of their own. */
export function arithmetic(operator: string, left: Value, right: Value): Value {
  if (left.kind === 'string' || right.kind === 'string') return textual(operator, left, right);
  if (isSequence(left) || isSequence(right)) return sequential(operator, left, right);
  if (left.kind === 'bool' && right.kind === 'bool' && /^[&|^]$/.test(operator)) {
    if (left.value === undefined || right.value === undefined) return bool(undefined);
    const [a, b] = [left.value, right.value];
    return bool(operator === '&' ? a && b : operator === '|' ? a || b : a !== b);
  }
  if (left.kind === 'float' || right.kind === 'float') {
    const [a, b] = [numberOf(left), numberOf(right)];
    if (a !== undefined && b !== undefined) return floating(operator, a, b);
    const isTerm = operator === '+' || operator === '-';
    if (isTerm && (left.kind === 'union' || right.kind === 'union')) return float(undefined);
    if ([left, right].some(mayBeTensor)) return unknown(`${left.kind} ${operator} ${right.kind}`);
    return powersOf(operator, left, right);
  }
  const [a, b] = [dimOf(left), dimOf(right)];
  if (a === undefined || b === undefined) {
    const maybeNumber = (value: Value): boolean => value.kind === 'int' || value.kind === 'bool' || value.kind === 'float';
    return (maybeNumber(left) || maybeNumber(right)) && operator === '/' && ![left, right].some(mayBeTensor)
      ? float(undefined)
      : unknown(`${left.kind} ${operator} ${right.kind}`);
  }
  return integral(operator, a, b, left, right);
}

/** Nothing is known of it, not even a name under which it could be a number: items of what is unknown are tensors as often. */
const mayBeTensor = (value: Value): boolean => value.kind === 'unknown' && value.path === undefined;

function integral(operator: string, a: Dim, b: Dim, left: Value, right: Value): Value {
  const [x, y] = [a.constant, b.constant];
  switch (operator) {
    case '+':
      return int(add(a, b));
    case '-':
      return int(subtract(a, b));
    case '*':
      return int(multiply(a, b));
    case '//':
      return y === 0 ? unknown('a division by zero') : int(floorDiv(a, b));
    case '%':
      return y === 0 ? unknown('a division by zero') : int(mod(a, b));
    case '/':
      if (x !== undefined && y !== undefined && y !== 0) return float(x / y);
      return powersOf(operator, left, right);
    case '**':
      if (y !== undefined && y >= 0) return int(raise(a, b));
      if (x !== undefined && y !== undefined) return float(x ** y);
      return y !== undefined ? powersOf(operator, left, right) : unknown('an unknown power');
    case '<<':
      return x !== undefined && y !== undefined && y < 50 ? int(x * 2 ** y) : int(unknownDim('a shift'));
    case '>>':
      return y !== undefined && y < 50 ? int(floorDiv(a, number(2 ** y))) : int(unknownDim('a shift'));
    case '&':
    case '|':
    case '^':
      if (x === undefined || y === undefined || Math.abs(x) > 2 ** 30 || Math.abs(y) > 2 ** 30) return int(unknownDim('a bit operation'));
      return int(operator === '&' ? x & y : operator === '|' ? x | y : x ^ y);
    default:
      return unknown(`the operator ${operator}`);
  }
}

function floating(operator: string, a: number, b: number): Value {
  const value = ((): number | undefined => {
    switch (operator) {
      case '+':
        return a + b;
      case '-':
        return a - b;
      case '*':
        return a * b;
      case '/':
        return b === 0 ? undefined : a / b;
      case '//':
        return b === 0 ? undefined : Math.floor(a / b);
      case '%':
        return b === 0 ? undefined : a - b * Math.floor(a / b);
      case '**':
        return a ** b;
      default:
        return undefined;
    }
  })();
  return float(value !== undefined && Number.isNaN(value) ? undefined : value);
}

function powersOf(operator: string, left: Value, right: Value): Value {
  switch (operator) {
    case '*':
      return multiplyPowers(left, right);
    case '/':
      return dividePowers(left, right);
    case '**':
      return raisePowers(left, right);
    default:
      return float(undefined);
  }
}

function textual(operator: string, left: Value, right: Value): Value {
  if (operator === '%' && left.kind === 'string') return text(undefined);
  if (operator === '+' && left.kind === 'string' && right.kind === 'string') {
    return text(left.value === undefined || right.value === undefined ? undefined : left.value + right.value);
  }
  if (operator === '*') {
    const [word, count] =
      left.kind === 'string' ? [left.value, numberOf(right)] : [right.kind === 'string' ? right.value : undefined, numberOf(left)];
    return text(
      word === undefined || count === undefined || word.length * count > maximumItems ? undefined : word.repeat(Math.max(0, count)),
    );
  }
  return unknown(`a string ${operator} something`);
}

const isSequence = (value: Value): boolean => value.kind === 'tuple' || value.kind === 'list';

function sequential(operator: string, left: Value, right: Value): Value {
  if (operator === '+' && left.kind === 'tuple' && right.kind === 'tuple') {
    if (left.ellipsis !== undefined && right.ellipsis !== undefined) {
      const known = [...left.items.slice(0, left.ellipsis), ...right.items.slice(right.ellipsis)];
      return { ...tuple(known, left.ellipsis), ...(left.isSize === true ? { isSize: true } : {}) };
    }
    const items = [...left.items, ...right.items];
    if (items.length > maximumItems) return unknown('a long tuple');
    return {
      ...tuple(items, left.ellipsis ?? (right.ellipsis === undefined ? undefined : left.items.length + right.ellipsis)),
      ...(left.isSize === true ? { isSize: true } : {}),
    };
  }
  // Only a tuple can be added to one.
  if (operator === '+' && left.kind === 'tuple' && right.kind === 'unknown') {
    const front = left.items.slice(0, left.ellipsis);
    return tuple(front, front.length);
  }
  if (operator === '+' && left.kind === 'unknown' && right.kind === 'tuple') return tuple(right.items.slice(right.ellipsis ?? 0), 0);
  if (operator === '+' && left.kind === 'list' && right.kind === 'list') {
    if (left.repeat !== undefined || right.repeat !== undefined) return { kind: 'list', items: [], repeat: undefined, open: true };
    const items = [...left.items, ...right.items];
    if (items.length > maximumItems) return unknown('a long list');
    const open = left.open || right.open;
    return {
      kind: 'list',
      items,
      repeat: undefined,
      open,
      ...(open ? { head: left.open ? left.head?.slice(0, left.items.length) : left.items } : {}),
    };
  }
  if (operator === '*') {
    const [sequence, count] = isSequence(left) ? [left, right] : [right, left];
    const times = dimOf(count);
    if (sequence.kind === 'tuple' && times?.constant !== undefined && sequence.ellipsis === undefined) {
      if (sequence.items.length * times.constant > maximumItems) return unknown('a long tuple');
      return tuple(Array.from({ length: Math.max(0, times.constant) }, () => sequence.items).flat());
    }
    if (sequence.kind === 'list' && sequence.repeat === undefined && !sequence.open && times !== undefined) {
      if (times.constant === undefined || sequence.items.length * times.constant > maximumItems) {
        const single = sequence.items.length === 1;
        return { kind: 'list', items: single ? sequence.items : [], repeat: single ? times : undefined, open: !single };
      }
      const items = Array.from({ length: Math.max(0, times.constant) }, () => sequence.items).flat();
      return { kind: 'list', items, repeat: undefined, open: false };
    }
  }
  return unknown(`a sequence ${operator} something`);
}

export function negated(value: Value): Value {
  const dim = dimOf(value);
  if (value.kind === 'float') return value.value === undefined ? multiplyPowers(int(-1), value) : float(-value.value);
  return dim === undefined ? unknown('a negative of something') : int(negate(dim));
}

/** `left operator right` as a truth value, with the facts that hold either way. */
export function comparison(operator: string, left: Value, right: Value, facts: Facts): BoolValue {
  if (operator === '==' || operator === '!=') {
    const equal = equality(left, right, facts);
    return operator === '==' ? equal : inverse(equal);
  }
  const [x, y] = [numberOf(left), numberOf(right)];
  if (x !== undefined && y !== undefined)
    return bool(operator === '<' ? x < y : operator === '<=' ? x <= y : operator === '>' ? x > y : x >= y);
  const [a, b] = [dimOf(left), dimOf(right)];
  if (a === undefined || b === undefined) return bool(undefined);
  switch (operator) {
    case '>=':
      return ordered(a, b, facts);
    case '<=':
      return ordered(b, a, facts);
    case '>':
      return inverse(ordered(b, a, facts));
    case '<':
      return inverse(ordered(a, b, facts));
    default:
      return bool(undefined);
  }
}

/** Whether `a >= b`. */
function ordered(a: Dim, b: Dim, facts: Facts): BoolValue {
  if (atLeast(a, b, facts)) return bool(true);
  const below = subtract(b, number(1));
  if (atLeast(below, a, facts)) return bool(false);
  return bool(undefined, {
    whenTrue: [{ kind: 'atLeast', left: a, right: b }],
    whenFalse: [{ kind: 'atLeast', left: below, right: a }],
  });
}

export const inverse = (value: BoolValue): BoolValue => {
  if (value.value !== undefined) return bool(!value.value);
  const { condition } = value;
  if (condition === undefined) return bool(undefined);
  const { asks } = condition;
  return bool(undefined, {
    whenTrue: condition.whenFalse,
    whenFalse: condition.whenTrue,
    ...(asks === undefined ? {} : { asks: { what: asks.what, is: !asks.is } }),
  });
};

function equality(left: Value, right: Value, facts: Facts): BoolValue {
  if (left === right && left.kind !== 'unknown' && left.kind !== 'float' && left.kind !== 'bool' && left.kind !== 'string')
    return bool(true);
  const [x, y] = [numberOf(left), numberOf(right)];
  if (x !== undefined && y !== undefined) return bool(x === y);
  const [a, b] = [dimOf(left), dimOf(right)];
  if (
    a !== undefined &&
    b !== undefined &&
    (left.kind === 'int' || right.kind === 'int' || (left.kind === 'unknown' && right.kind === 'unknown'))
  ) {
    if (sameDim(a, b)) return bool(true);
    const result = compare(a, b, facts);
    if (result === 'equal') return bool(true);
    if (result === 'different') return bool(false);
    return bool(undefined, { whenTrue: [{ kind: 'equal', left: a, right: b }], whenFalse: unequal(a, b) });
  }
  if (left.kind === 'unknown' || right.kind === 'unknown' || left.kind === 'union' || right.kind === 'union') {
    // `kdim or embed_dim` stands under one name: code that asks for it to be another size goes on where it is.
    const isOneSize = a !== undefined && b !== undefined && !a.unknown && !b.unknown && compare(a, b, facts) === 'unknown';
    return isOneSize ? bool(undefined, { whenTrue: [{ kind: 'equal', left: a, right: b }], whenFalse: [] }) : bool(undefined);
  }
  if (left.kind === 'string' && right.kind === 'string') {
    return left.value === undefined || right.value === undefined ? bool(undefined) : bool(left.value === right.value);
  }
  if (left.kind === 'none' || right.kind === 'none') return bool(left.kind === right.kind);
  if (left.kind === 'opaque' && right.kind === 'opaque') return bool(left.name === right.name);
  if ((left.kind === 'tuple' && right.kind === 'tuple') || (left.kind === 'list' && right.kind === 'list')) {
    const closed = (value: Value): boolean =>
      value.kind === 'tuple' ? value.ellipsis === undefined : value.kind === 'list' && !value.open && value.repeat === undefined;
    if (!closed(left) || !closed(right)) return bool(undefined);
    if (left.items.length !== right.items.length) return bool(false);
    const parts = left.items.map((item, i) => equality(item, right.items[i] as Value, facts).value);
    return bool(parts.includes(false) ? false : parts.includes(undefined) ? undefined : true);
  }
  const plain: ReadonlySet<Value['kind']> = new Set(['int', 'float', 'bool', 'string', 'none', 'tuple', 'list', 'dict']);
  if (plain.has(left.kind) && plain.has(right.kind) && left.kind !== right.kind) {
    const numeric = (value: Value): boolean => value.kind === 'int' || value.kind === 'float' || value.kind === 'bool';
    return numeric(left) && numeric(right) ? bool(undefined) : bool(false);
  }
  return bool(undefined);
}

/** What `a != b` says where one is the least the other can be: `d % h != 0` is `d % h >= 1`. */
function unequal(a: Dim, b: Dim): readonly { readonly kind: 'atLeast'; readonly left: Dim; readonly right: Dim }[] {
  const difference = subtract(a, b);
  if (difference.min >= 0) return [{ kind: 'atLeast', left: difference, right: number(1) }];
  if (difference.max <= 0) return [{ kind: 'atLeast', left: zero, right: add(difference, number(1)) }];
  return [];
}

/** The number of steps of a range; undefined where it is not known. */
export function rangeLength(start: Dim, stop: Dim, step: Dim): Dim | undefined {
  if (step.constant === undefined || step.constant === 0) return undefined;
  const length = step.constant > 0 ? ceilDiv(subtract(stop, start), step) : ceilDiv(subtract(start, stop), negate(step));
  return length.constant !== undefined ? number(Math.max(0, length.constant)) : length;
}
