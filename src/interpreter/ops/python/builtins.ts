/** Python's built-in functions. `super`, and calls of classes and functions, are the evaluator's. */
import { add, type Dim, maximum, minimum, multiply, negate, number } from '../../../dims/dim.ts';
import { flag } from '../../answers.ts';
import { operations } from '../../define.ts';
import { unite } from '../../join.ts';
import { bool, dict, dimOf, float, int, keyOf, none, numberOf, opaque, text, tuple, unknown } from '../../make.ts';
import type { Call, Machine, OperationTable } from '../../operation.ts';
import { wholeOf } from '../../powers.ts';
import type { DictValue, InstanceValue, ListValue, SetValue, Value } from '../../value.ts';
import {
  eachOf,
  lengthOf,
  listOf,
  mapSequence,
  rangeLength,
  type Sequence,
  sequenceOf,
  someInt,
  tupleOf,
  zipSequences,
} from './sequences.ts';

/** The positional arguments that a signature's `*args` gathered; undefined when there may be others. */
export function gathered(call: Call, name = 'args'): readonly Value[] | undefined {
  const value = call.value(name);
  return value.kind === 'tuple' && value.ellipsis === undefined ? value.items : undefined;
}

const sequence = (call: Call, machine: Machine, name: string): Sequence => sequenceOf(call.value(name), machine);

/** `len(value)`. A name's length is a number under that name. */
function length(value: Value, machine: Machine): Value {
  switch (value.kind) {
    case 'tensor': {
      const [first] = value.shape.dims;
      return value.shape.ellipsis === 0 || first === undefined ? someInt('the length of a tensor') : int(first);
    }
    case 'string':
      return value.value === undefined ? someInt('the length of a string') : int(value.value.length);
    case 'range':
      return int(rangeLength(value.start, value.stop, value.step) ?? dimOf(someInt('the length of a range')) ?? number(0));
    case 'dict':
      return value.open ? someInt('the length of a dict') : int(value.entries.size);
    case 'instance': {
      const method = machine.attribute(value, '__len__');
      return method === undefined ? unknown('a length') : machine.call(method, []);
    }
    case 'list':
    case 'tuple':
    case 'set': {
      const dim = lengthOf(sequenceOf(value, machine));
      return dim === undefined ? someInt('a length') : int(dim);
    }
    case 'unknown':
      return value.path === undefined
        ? someInt('a length')
        : { ...value, path: `len(${value.path})`, reason: `the length of ${value.path}` };
    default:
      return someInt('a length');
  }
}

/** `min` and `max` of what was given, or of the items of the only argument. */
function extreme(kind: 'minimum' | 'maximum', call: Call, machine: Machine): Value {
  const given = gathered(call);
  if (given === undefined || !call.isNone('key')) return unknown(`${call.name} of something`);
  const [only] = given;
  const found: Sequence = given.length === 1 && only !== undefined ? sequenceOf(only, machine) : { items: given };
  const candidates = found.items ?? (found.each === undefined ? [] : [found.each]);
  if (candidates.length === 0)
    return found.items !== undefined && call.given('default') ? call.value('default') : unknown(`${call.name} of nothing known`);
  const [first] = candidates;
  if (candidates.length === 1 && first !== undefined) return first;
  const numbers = candidates.map(numberOf);
  if (!numbers.includes(undefined)) {
    const best = Math[kind === 'minimum' ? 'min' : 'max'](...(numbers as number[]));
    return candidates[numbers.indexOf(best)] ?? unknown('a number');
  }
  const dims = candidates.map((candidate) => (candidate.kind === 'float' ? undefined : dimOf(candidate)));
  if (!dims.includes(undefined)) return int((kind === 'minimum' ? minimum : maximum)(...(dims as Dim[])));
  const words = candidates.map((candidate) => (candidate.kind === 'string' ? candidate.value : undefined));
  if (!words.includes(undefined)) {
    const sorted = [...(words as string[])].sort(byCodePoint);
    return text(kind === 'minimum' ? sorted[0] : sorted.at(-1));
  }
  return candidates.every(({ kind: each }) => each === 'float' || each === 'int') ? float(undefined) : unknown(`${call.name} of something`);
}

const byCodePoint = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function total(call: Call, machine: Machine): Value {
  const found = sequence(call, machine, 'iterable');
  const start = call.given('start') ? call.value('start') : int(0);
  if (found.items !== undefined) return found.items.reduce((sum, item) => machine.binary('+', sum, item), start);
  const [each, begin] = [found.each && dimOf(found.each), dimOf(start)];
  if (each === undefined || found.count === undefined || begin === undefined || each.unknown) {
    return each === undefined ? unknown('a sum') : someInt('a sum');
  }
  return int(add(begin, multiply(each, found.count)));
}

/** `int(value)`, which rounds towards zero. */
function whole(value: Value): Value {
  switch (value.kind) {
    case 'int':
      return value;
    case 'bool':
      return value.value === undefined ? someInt('a truth value') : int(value.value ? 1 : 0);
    case 'float': {
      const dim = wholeOf(value, 'zero');
      return dim === undefined ? someInt('a rounded number') : int(dim);
    }
    case 'string': {
      const written = value.value?.trim().replace(/_/g, '');
      return written !== undefined && /^[+-]?\d+$/.test(written) ? int(Number(written)) : someInt('a number in a string');
    }
    case 'union': {
      const dim = dimOf(value);
      return dim === undefined ? someInt('a number') : int(dim);
    }
    default: {
      const dim = dimOf(value);
      return dim === undefined ? someInt('a number') : int(dim);
    }
  }
}

function fractional(value: Value): Value {
  switch (value.kind) {
    case 'float':
      return value;
    case 'int':
      return float(
        value.dim.constant,
        value.dim.constant === undefined ? { coefficient: 1, factors: [{ base: value.dim, exponent: 1 }] } : undefined,
      );
    case 'bool':
      return float(numberOf(value));
    case 'string': {
      const written = value.value?.trim().toLowerCase().replace(/_/g, '');
      if (written === undefined) return float(undefined);
      const infinite = /^([+-]?)inf(?:inity)?$/.exec(written);
      if (infinite !== null) return float(infinite[1] === '-' ? -Infinity : Infinity);
      return float(/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/.test(written) ? Number(written) : undefined);
    }
    default: {
      const dim = dimOf(value);
      return dim === undefined ? float(undefined) : fractional(int(dim));
    }
  }
}

/** Python rounds halves to the even neighbour. */
function rounded(value: Value, digits: Value): Value {
  if (digits.kind !== 'none') {
    if (value.kind === 'int') return value;
    return float(undefined);
  }
  const known = numberOf(value);
  if (known !== undefined && Number.isFinite(known)) {
    const below = Math.floor(known);
    const rest = known - below;
    return int(rest < 0.5 || (rest === 0.5 && below % 2 === 0) ? below : below + 1);
  }
  const dim = wholeOf(value, 'exact');
  return dim === undefined ? someInt('a rounded number') : int(dim);
}

function absolute(value: Value, machine: Machine): Value {
  if (value.kind === 'tensor') return machine.call(machine.library('torch.abs'), [value]);
  const known = numberOf(value);
  if (value.kind === 'float') return float(known === undefined ? undefined : Math.abs(known));
  const dim = dimOf(value);
  if (dim === undefined) return unknown('an absolute value');
  return int(dim.min >= 0 ? dim : maximum(dim, negate(dim)));
}

/** The qualified names of the classes that the second argument of `isinstance` lists; undefined when one is not known. */
function classNames(value: Value): readonly string[] | undefined {
  switch (value.kind) {
    case 'class':
      return [value.qualifiedName];
    case 'builtin':
    case 'opaque':
      return [value.name];
    case 'tuple': {
      if (value.ellipsis !== undefined) return undefined;
      const names = value.items.map(classNames);
      return names.includes(undefined) ? undefined : (names as (readonly string[])[]).flat();
    }
    default:
      return undefined;
  }
}

/** True where one holds, false where none does. */
function anyOf(answers: readonly (boolean | undefined)[]): boolean | undefined {
  return answers.includes(true) ? true : answers.includes(undefined) ? undefined : false;
}

function isInstance(call: Call, machine: Machine): Value {
  const classes = call.value('classinfo');
  const each = classes.kind === 'tuple' && classes.ellipsis === undefined ? classes.items : [classes];
  const answers = each.flatMap((one) => {
    const names = classNames(one);
    return names === undefined ? [undefined] : names.map((name) => machine.isInstance(call.value('object'), name));
  });
  return bool(anyOf(answers));
}

function isSubclass(call: Call): Value {
  const value = call.value('class');
  const names = classNames(call.value('classinfo'));
  if (value.kind !== 'class' || names === undefined) return bool(undefined);
  if (value.mro.some(({ qualifiedName }) => names.includes(qualifiedName)) || names.includes('builtins.object')) return bool(true);
  return bool(value.isOpen ? undefined : false);
}

function isCallable(value: Value, machine: Machine): boolean | undefined {
  switch (value.kind) {
    case 'function':
    case 'builtin':
    case 'bound':
    case 'partial':
    case 'class':
      return true;
    case 'instance':
      return machine.attribute(value, '__call__') === undefined ? (value.open || value.class.isOpen ? undefined : false) : true;
    case 'unknown':
    case 'opaque':
    case 'union':
      return undefined;
    default:
      return false;
  }
}

const builtinTypes: Partial<Record<Value['kind'], string>> = {
  int: 'int',
  float: 'float',
  bool: 'bool',
  string: 'str',
  list: 'list',
  dict: 'dict',
  set: 'set',
  range: 'range',
  slice: 'slice',
};

function typeOf(value: Value, machine: Machine): Value {
  if (value.kind === 'instance') return value.class;
  if (value.kind === 'tensor') return machine.library('torch.Tensor');
  if (value.kind === 'none') return opaque('builtins.NoneType');
  if (value.kind === 'tuple' && value.names === undefined && value.isSize !== true) return machine.library('builtins.tuple');
  const name = builtinTypes[value.kind];
  return name === undefined ? unknown('a type') : machine.library(`builtins.${name}`);
}

/** The text that `str` makes of a value; undefined where it is not known. */
export function textOf(value: Value): string | undefined {
  switch (value.kind) {
    case 'string':
      return value.value;
    case 'int':
      return value.dim.constant === undefined ? undefined : String(value.dim.constant);
    case 'bool':
      return value.value === undefined ? undefined : value.value ? 'True' : 'False';
    case 'none':
      return 'None';
    default:
      return undefined;
  }
}

/** A dict from a mapping or pairs, with the keywords after them. */
export function dictFrom(value: Value, keywords: Value, machine: Machine): DictValue {
  const made = dict();
  const add = (key: Value, item: Value): void => {
    const at = keyOf(key);
    if (at === undefined) made.open = true;
    else made.entries.set(at, { key, value: item });
  };
  if (value.kind === 'dict') {
    for (const entry of value.entries.values()) add(entry.key, entry.value);
    made.open ||= value.open;
  } else if (value.kind !== 'none') {
    const pairs = sequenceOf(value, machine).items;
    if (pairs === undefined) made.open = true;
    for (const pair of pairs ?? []) {
      const parts = sequenceOf(pair, machine).items;
      const [key, item] = parts ?? [];
      if (parts?.length !== 2 || key === undefined || item === undefined) made.open = true;
      else add(key, item);
    }
  }
  if (keywords.kind === 'dict') {
    for (const entry of keywords.entries.values()) add(entry.key, entry.value);
    made.open ||= keywords.open;
  }
  return made;
}

/** A set of the items, each once. */
export function setFrom(found: Sequence): SetValue {
  if (found.items === undefined) return { kind: 'set', items: [], open: true };
  const seen = new Set<string>();
  let open = false;
  const items = found.items.filter((item) => {
    const key = keyOf(item);
    if (key === undefined) open = found.items.length > 1;
    else if (seen.has(key)) return false;
    else seen.add(key);
    return true;
  });
  return { kind: 'set', items, open };
}

function sorted(call: Call, machine: Machine): Value {
  const found = sequence(call, machine, 'iterable');
  if (found.items === undefined) return listOf(found);
  const key = call.value('key');
  const keyed = found.items.map((item) => {
    const by = key.kind === 'none' ? item : machine.call(key, [item]);
    return { item, by: numberOf(by) ?? (by.kind === 'string' ? by.value : undefined) };
  });
  const reverse = call.boolean('reverse');
  const kinds = new Set(keyed.map(({ by }) => typeof by));
  if (reverse === undefined || kinds.size > 1 || kinds.has('undefined')) {
    return listOf({ items: undefined, each: eachOf(found), count: lengthOf(found) });
  }
  const order = (a: { by: unknown }, b: { by: unknown }): number =>
    typeof a.by === 'string' ? byCodePoint(a.by, b.by as string) : (a.by as number) - (b.by as number);
  const ordered = [...keyed].sort((a, b) => (reverse ? order(b, a) : order(a, b)));
  return listOf({ items: ordered.map(({ item }) => item) });
}

function filtered(call: Call, machine: Machine): Value {
  const found = sequence(call, machine, 'iterable');
  const test = call.value('function');
  const holds = (item: Value): boolean | undefined => machine.truth(test.kind === 'none' ? item : machine.call(test, [item]));
  const answers = found.items?.map(holds);
  if (found.items === undefined || answers === undefined || answers.includes(undefined)) {
    return listOf({ items: undefined, each: eachOf(found), count: undefined });
  }
  return listOf({ items: found.items.filter((_, i) => answers[i] === true) });
}

/** Takes the first item off an iterator. */
function takeNext(call: Call, machine: Machine): Value {
  const iterator = call.value('iterator');
  if (iterator.kind === 'list') {
    if (iterator.repeat !== undefined) return iterator.items[0] ?? unknown('an item');
    const [first, ...rest] = iterator.items;
    if (iterator.open) return unknown('an item');
    if (first === undefined) return call.given('default') ? call.value('default') : unknown('an item of an empty iterator');
    machine.write(iterator, 'items', rest);
    return first;
  }
  const method = iterator.kind === 'instance' ? machine.attribute(iterator, '__next__') : undefined;
  return method === undefined ? unknown('an item') : machine.call(method, []);
}

function getAttribute(call: Call, machine: Machine): Value {
  const written = call.value('name');
  const name = call.text('name') ?? (written.kind === 'string' ? written.likely : undefined);
  const object = call.value('object');
  if (name === undefined) return unknown('an attribute whose name is not known');
  const found = machine.attribute(object, name);
  if (found === undefined) return call.given('default') ? call.value('default') : unknown(`no attribute ${name}`);
  return found;
}

/** Sets an attribute whose name is not known: settings with a value of their own may have been replaced. */
function setAnywhere(object: InstanceValue, machine: Machine): void {
  machine.write(object, 'open', true);
  for (const [name, value] of [...object.attributes]) {
    const isSetting = value.kind === 'int' ? value.dim.constant !== undefined : ['float', 'string', 'bool', 'none'].includes(value.kind);
    if (isSetting) machine.writeEntry(object.attributes, name, unknown(`the attribute ${name}, which may have been set again`));
  }
}

const identity = (call: Call): Value => call.value('value');

export const builtinOperations: OperationTable = operations({
  'builtins.len': ['obj', (call, machine) => length(call.value('obj'), machine)],
  'builtins.range': [
    '*args',
    (call) => {
      const given = gathered(call)?.map((value) => dimOf(value) ?? dimOf(someInt('a bound of a range')));
      const [first, second, third] = given ?? [];
      if (first === undefined) return unknown('a range');
      return { kind: 'range', start: second === undefined ? number(0) : first, stop: second ?? first, step: third ?? number(1) };
    },
  ],
  'builtins.min': ['*args, key=None, default=None', (call, machine) => extreme('minimum', call, machine)],
  'builtins.max': ['*args, key=None, default=None', (call, machine) => extreme('maximum', call, machine)],
  'builtins.sum': ['iterable, start=0', total],
  'builtins.abs': ['value', (call, machine) => absolute(call.value('value'), machine)],
  'builtins.int': ['value=0, base=10', (call) => (call.given('base') ? someInt('a number in another base') : whole(call.value('value')))],
  'builtins.float': ['value=0.0', (call) => fractional(call.value('value'))],
  'builtins.bool': ['value=False', (call, machine) => bool(machine.truth(call.value('value')))],
  'builtins.str builtins.repr builtins.ascii': ["object=''", (call) => text(textOf(call.value('object')))],
  'builtins.bytes builtins.bytearray builtins.chr builtins.hex builtins.bin builtins.oct': ['*args, **kwargs', () => text(undefined)],
  'builtins.format': ["value, spec=''", (call) => text(call.text('spec') === '' ? textOf(call.value('value')) : undefined)],
  'builtins.ord builtins.hash builtins.id': ['*args', () => someInt('a number')],
  'builtins.round': ['number, ndigits=None', (call) => rounded(call.value('number'), call.value('ndigits'))],
  'builtins.divmod': [
    'a, b',
    (call, machine) =>
      tuple([machine.binary('//', call.value('a'), call.value('b')), machine.binary('%', call.value('a'), call.value('b'))]),
  ],
  'builtins.pow': [
    'base, exp, mod=None',
    (call, machine) => (call.isNone('mod') ? machine.binary('**', call.value('base'), call.value('exp')) : someInt('a power modulo')),
  ],
  'builtins.zip': [
    '*args, strict=False',
    (call, machine) => {
      const given = gathered(call)?.map((value) => sequenceOf(value, machine));
      return given === undefined ? listOf({ items: undefined, each: undefined, count: undefined }) : listOf(zipSequences(given));
    },
  ],
  'builtins.enumerate': [
    'iterable, start=0',
    (call, machine) => {
      const start = dimOf(call.value('start'));
      return listOf(
        mapSequence(sequence(call, machine, 'iterable'), (item, i) =>
          tuple([start === undefined || i.unknown ? someInt('an index') : int(add(start, i)), item]),
        ),
      );
    },
  ],
  'builtins.map': [
    'function, *args',
    (call, machine) => {
      const given = gathered(call)?.map((value) => sequenceOf(value, machine));
      const [first, ...others] = given ?? [];
      if (first === undefined) return listOf({ items: undefined, each: undefined, count: undefined });
      if (others.length === 0) return listOf(mapSequence(first, (item) => machine.call(call.value('function'), [item])));
      return listOf(
        mapSequence(zipSequences([first, ...others]), (items) =>
          machine.call(call.value('function'), items.kind === 'tuple' ? items.items : []),
        ),
      );
    },
  ],
  'builtins.filter': ['function, iterable', filtered],
  'builtins.reversed': [
    'sequence',
    (call, machine) => {
      const found = sequence(call, machine, 'sequence');
      return listOf(found.items === undefined ? found : { items: [...found.items].reverse() });
    },
  ],
  'builtins.sorted': ['iterable, *, key=None, reverse=False', sorted],
  'builtins.list': ['iterable=()', (call, machine): ListValue => listOf(sequence(call, machine, 'iterable'))],
  'builtins.iter': ['iterable, sentinel=None', (call, machine) => listOf(sequence(call, machine, 'iterable'))],
  'builtins.next': ['iterator, default=None', takeNext],
  'builtins.tuple': [
    'iterable=()',
    (call, machine) => {
      const value = call.value('iterable');
      return value.kind === 'tuple' && value.names === undefined ? tuple(value.items, value.ellipsis) : tupleOf(sequenceOf(value, machine));
    },
  ],
  'builtins.dict': ['iterable=None, /, **kwargs', (call, machine) => dictFrom(call.value('iterable'), call.value('kwargs'), machine)],
  'builtins.set builtins.frozenset': ['iterable=()', (call, machine) => setFrom(sequence(call, machine, 'iterable'))],
  'builtins.slice': [
    '*args',
    (call) => {
      const [first = none, second, third = none] = gathered(call) ?? [];
      return { kind: 'slice', lower: second === undefined ? none : first, upper: second ?? first, step: third };
    },
  ],
  'builtins.any': [
    'iterable',
    (call, machine) => {
      const found = sequence(call, machine, 'iterable');
      return bool(found.items === undefined ? undefined : anyOf(found.items.map((item) => machine.truth(item))));
    },
  ],
  'builtins.all': [
    'iterable',
    (call, machine) => {
      const found = sequence(call, machine, 'iterable');
      const answers = found.items?.map((item) => machine.truth(item));
      return bool(answers === undefined ? undefined : answers.includes(false) ? false : answers.includes(undefined) ? undefined : true);
    },
  ],
  'builtins.getattr': ['object, name, default=None', getAttribute],
  'builtins.hasattr': [
    'object, name',
    (call, machine) => {
      const name = call.text('name');
      if (name === undefined) return bool(undefined);
      const object = call.value('object');
      // Which functions there are is up to the release of the library that runs the code: older ones take the other branch.
      if (machine.assumesShapes && object.kind === 'namespace' && object.name === 'torch.nn.functional') return flag(name, object.name);
      const found = machine.attribute(object, name);
      return bool(found === undefined ? false : found.kind === 'unknown' ? undefined : true);
    },
  ],
  'builtins.setattr builtins.object.__setattr__': [
    'object, name, value',
    (call, machine) => {
      const object = call.value('object');
      const name = call.text('name');
      if (name !== undefined) machine.setAttribute(object, name, call.value('value'));
      else if (object.kind === 'instance') setAnywhere(object, machine);
      return none;
    },
  ],
  'builtins.delattr': [
    'object, name',
    (call, machine) => {
      const object = call.value('object');
      const name = call.text('name');
      if (object.kind === 'instance' && name !== undefined) machine.writeEntry(object.attributes, name, undefined);
      return none;
    },
  ],
  'builtins.isinstance': ['object, classinfo', isInstance],
  'builtins.issubclass': ['class, classinfo', isSubclass],
  'builtins.callable': ['object', (call, machine) => bool(isCallable(call.value('object'), machine))],
  'builtins.type': [
    'object, bases=None, dict=None',
    (call, machine) => (call.given('bases') ? unknown('a class made by type') : typeOf(call.value('object'), machine)),
  ],
  'builtins.print builtins.breakpoint': ['*args, **kwargs', () => none],
  'builtins.staticmethod': ['value', (call) => wrap(call.value('value'), 'static')],
  'builtins.classmethod': ['value', (call) => wrap(call.value('value'), 'class')],
  'builtins.property functools.cached_property abc.abstractproperty': [
    'value=None, *args, **kwargs',
    (call) => wrap(call.value('value'), 'property'),
  ],
  'headwise.identity': ['value=None, *args, **kwargs', identity],
  'headwise.one_of': ['*args', (call) => unite(gathered(call) ?? [])],
});

/** The function as a method of another kind. */
export const wrap = (value: Value, wraps: 'static' | 'class' | 'property' | 'context'): Value =>
  value.kind === 'function' ? { ...value, wraps } : value;
