/** Methods of Python's own values. Their value is the parameter `self`. */
import { type Dim, number, subtract } from '../../../dims/dim.ts';
import { type OperationEntry, operations } from '../../define.ts';
import { unite } from '../../join.ts';
import { bool, dict, int, keyOf, likelyKeyOf, list, none, numberOf, openList, text, tuple, unknown } from '../../make.ts';
import type { Call, Machine, OperationTable } from '../../operation.ts';
import type { DictValue, ListValue, SetValue, Value } from '../../value.ts';
import { dictFrom, gathered, setFrom, textOf } from './builtins.ts';
import { chainSequences, listOf, sequenceOf, someInt } from './sequences.ts';

// ---------------------------------------------------------------------------------------------------------------------
// Strings

const word = (call: Call, name = 'self'): string | undefined => call.text(name);

/** A method from one known string to another. */
const stringMethod = (signature: string, change: (self: string, call: Call) => Value): OperationEntry => [
  signature === '' ? 'self' : `self, ${signature}`,
  (call) => {
    const self = word(call);
    return self === undefined ? text(undefined) : change(self, call);
  },
];

/** A question about a string. */
const stringTest = (signature: string, answer: (self: string, call: Call) => boolean | undefined): OperationEntry => [
  `self, ${signature}`,
  (call) => {
    const self = word(call);
    return bool(self === undefined ? undefined : answer(self, call));
  },
];

/** The strings that an affix argument lists. */
function affixes(call: Call): readonly string[] | undefined {
  const value = call.value('affix');
  if (value.kind === 'string') return value.value === undefined ? undefined : [value.value];
  const items =
    value.kind === 'tuple' && value.ellipsis === undefined
      ? value.items.map((item) => (item.kind === 'string' ? item.value : undefined))
      : [undefined];
  return items.includes(undefined) ? undefined : (items as string[]);
}

const hasAffix = (test: (self: string, affix: string) => boolean): OperationEntry =>
  stringTest('affix, *args', (self, call) => affixes(call)?.some((affix) => test(self, affix)));

function split(call: Call, fromRight: boolean): Value {
  const self = word(call);
  const separator = call.value('sep');
  const most = call.number('maxsplit') ?? -1;
  if (self === undefined || (separator.kind === 'string' && !separator.value) || !['string', 'none'].includes(separator.kind))
    return openList();
  const parts =
    separator.kind === 'none'
      ? self.split(/\s+/).filter((part) => part !== '')
      : self.split(separator.kind === 'string' ? (separator.value ?? '') : '');
  if (most < 0 || parts.length <= most + 1) return list(parts.map(text));
  if (separator.kind === 'none') return openList();
  const by = separator.kind === 'string' ? (separator.value ?? '') : '';
  const kept = fromRight
    ? [parts.slice(0, parts.length - most).join(by), ...parts.slice(parts.length - most)]
    : [...parts.slice(0, most), parts.slice(most).join(by)];
  return list(kept.map(text));
}

/** `'{}.{name}'.format(...)` without format specifications. */
function format(call: Call): Value {
  const self = word(call);
  const positional = gathered(call);
  const keywords = call.value('kwargs');
  if (self === undefined || positional === undefined || /\{[^}]*[:!.[]/.test(self)) return text(undefined);
  let next = 0;
  let known = true;
  const filled = self.replace(/\{\{|\}\}|\{([^{}]*)\}/g, (match, field: string | undefined) => {
    if (field === undefined) return match.charAt(0);
    const value =
      field === ''
        ? positional[next++]
        : /^\d+$/.test(field)
          ? positional[Number(field)]
          : keywords.kind === 'dict'
            ? keywords.entries.get(field)?.value
            : undefined;
    const written = value && textOf(value);
    if (written === undefined) known = false;
    return written ?? '';
  });
  return text(known ? filled : undefined);
}

const strings: Readonly<Record<string, OperationEntry>> = {
  'str.lower str.casefold': stringMethod('', (self) => text(self.toLowerCase())),
  'str.upper': stringMethod('', (self) => text(self.toUpperCase())),
  'str.capitalize': stringMethod('', (self) => text(self.charAt(0).toUpperCase() + self.slice(1).toLowerCase())),
  'str.title str.swapcase str.center str.ljust str.rjust str.zfill str.expandtabs str.translate str.encode str.decode': [
    'self, *args, **kwargs',
    () => text(undefined),
  ],
  'str.strip': stringMethod('chars=None', (self, call) => (call.isNone('chars') ? text(self.trim()) : trimmed(self, call, true, true))),
  'str.lstrip': stringMethod('chars=None', (self, call) =>
    call.isNone('chars') ? text(self.trimStart()) : trimmed(self, call, true, false),
  ),
  'str.rstrip': stringMethod('chars=None', (self, call) =>
    call.isNone('chars') ? text(self.trimEnd()) : trimmed(self, call, false, true),
  ),
  'str.removeprefix': stringMethod('affix', (self, call) => {
    const affix = call.text('affix');
    return text(affix === undefined ? undefined : self.startsWith(affix) ? self.slice(affix.length) : self);
  }),
  'str.removesuffix': stringMethod('affix', (self, call) => {
    const affix = call.text('affix');
    return text(affix === undefined ? undefined : affix !== '' && self.endsWith(affix) ? self.slice(0, -affix.length) : self);
  }),
  'str.replace': stringMethod('old, new, count=-1', (self, call) => {
    const [before, after] = [call.text('old'), call.text('new')];
    return text(before === undefined || after === undefined || call.given('count') ? undefined : self.split(before).join(after));
  }),
  'str.split': ['self, sep=None, maxsplit=-1', (call) => split(call, false)],
  'str.rsplit': ['self, sep=None, maxsplit=-1', (call) => split(call, true)],
  'str.splitlines': [
    'self, keepends=False',
    (call) => (word(call) === undefined ? openList() : list((word(call) ?? '').split('\n').map(text))),
  ],
  'str.partition': ['self, sep', (call) => partition(call, false)],
  'str.rpartition': ['self, sep', (call) => partition(call, true)],
  'str.join': [
    'self, iterable',
    (call, machine) => {
      const self = word(call);
      const items = sequenceOf(call.value('iterable'), machine).items?.map((item) => (item.kind === 'string' ? item.value : undefined));
      return text(self === undefined || items === undefined || items.includes(undefined) ? undefined : items.join(self));
    },
  ],
  'str.format': ['self, *args, **kwargs', format],
  'str.startswith': hasAffix((self, affix) => self.startsWith(affix)),
  'str.endswith': hasAffix((self, affix) => self.endsWith(affix)),
  'str.isdigit str.isnumeric str.isdecimal': stringTest('*args', (self) => /^\d+$/.test(self)),
  'str.isalpha': stringTest('*args', (self) => (/^[A-Za-z]+$/.test(self) ? true : undefined)),
  'str.isupper': stringTest('*args', (self) => self !== self.toLowerCase() && self === self.toUpperCase()),
  'str.islower': stringTest('*args', (self) => self !== self.toUpperCase() && self === self.toLowerCase()),
  'str.count': ['self, sub, *args', (call) => counted(call)],
  'str.find str.index': ['self, sub, *args', (call) => found(call)],
};

function trimmed(self: string, call: Call, left: boolean, right: boolean): Value {
  const chars = call.text('chars');
  if (chars === undefined) return text(undefined);
  const letters = [...self];
  while (left && letters[0] !== undefined && chars.includes(letters[0])) letters.shift();
  while (right && letters.length > 0 && chars.includes(letters.at(-1) ?? '')) letters.pop();
  return text(letters.join(''));
}

function partition(call: Call, fromRight: boolean): Value {
  const [self, separator] = [word(call), call.text('sep')];
  if (self === undefined || separator === undefined || separator === '') return tuple([text(undefined), text(undefined), text(undefined)]);
  const at = fromRight ? self.lastIndexOf(separator) : self.indexOf(separator);
  if (at < 0) return tuple((fromRight ? ['', '', self] : [self, '', '']).map(text));
  return tuple([self.slice(0, at), separator, self.slice(at + separator.length)].map(text));
}

function counted(call: Call): Value {
  const [self, part] = [word(call), call.text('sub')];
  return self === undefined || part === undefined || part === '' ? someInt('a count') : int(self.split(part).length - 1);
}

function found(call: Call): Value {
  const [self, part] = [word(call), call.text('sub')];
  const more = gathered(call)?.length !== 0;
  return self === undefined || part === undefined || more ? someInt('a place in a string') : int(self.indexOf(part));
}

// ---------------------------------------------------------------------------------------------------------------------
// Lists and tuples

const listSelf = (call: Call): ListValue | undefined => {
  const value = call.value('self');
  return value.kind === 'list' ? value : undefined;
};

/** Every item may be anywhere from now on. */
function opened(self: ListValue, items: readonly Value[], machine: Machine): void {
  machine.write(self, 'items', items);
  machine.write(self, 'repeat', undefined);
  machine.write(self, 'head', undefined);
  machine.write(self, 'open', true);
}

/** Puts items into a list at a place that is known, or anywhere. */
function insert(self: ListValue, at: number | undefined, items: readonly Value[], machine: Machine): void {
  if (self.repeat !== undefined || self.open || at === undefined) {
    const head = self.head?.slice(0, self.items.length);
    const isAtEnd = self.repeat === undefined && at === self.items.length;
    opened(self, [...self.items, ...items], machine);
    if (isAtEnd) machine.write(self, 'head', head);
    return;
  }
  machine.write(self, 'items', [...self.items.slice(0, at), ...items, ...self.items.slice(at)]);
}

/** The place that an index means: from 0 to the length. */
function place(index: number | undefined, length: number): number | undefined {
  if (index === undefined) return undefined;
  return index < 0 ? Math.max(0, index + length) : Math.min(index, length);
}

const listMethod = (signature: string, run: (self: ListValue, call: Call, machine: Machine) => Value): OperationEntry => [
  signature === '' ? 'self' : `self, ${signature}`,
  (call, machine) => {
    const self = listSelf(call);
    return self === undefined ? unknown(call.name) : run(self, call, machine);
  },
];

const takenFrom = (self: ListValue, at: number, machine: Machine): Value => {
  if (self.repeat !== undefined) {
    // One fewer of the same.
    machine.write(self, 'repeat', subtract(self.repeat, number(1)));
    return self.items[0] ?? unknown('an item');
  }
  const index = at < 0 ? at + self.items.length : at;
  const item = self.items[index];
  if (self.open || item === undefined) {
    opened(self, self.items, machine);
    return unknown('an item of a list');
  }
  machine.write(self, 'items', [...self.items.slice(0, index), ...self.items.slice(index + 1)]);
  return item;
};

function extend(self: ListValue, value: Value, machine: Machine): void {
  const added = sequenceOf(value, machine);
  if (added.items !== undefined) {
    insert(self, self.items.length, added.items, machine);
    return;
  }
  const isEmpty = self.items.length === 0 && self.repeat === undefined && !self.open;
  const whole = listOf(isEmpty ? added : chainSequences([sequenceOf(self, machine), added]));
  machine.write(self, 'items', whole.items);
  machine.write(self, 'repeat', whole.repeat);
  machine.write(self, 'open', whole.open);
}

/** The place of the first item that surely equals; undefined where an earlier one may. */
function indexOf(items: readonly Value[], wanted: Value, machine: Machine): number | undefined {
  for (const [i, item] of items.entries()) {
    const equal = machine.truth(machine.compare('==', item, wanted));
    if (equal === true) return i;
    if (equal === undefined) return undefined;
  }
  return undefined;
}

const lists: Readonly<Record<string, OperationEntry>> = {
  'list.append': listMethod('item', (self, call, machine) => {
    if (self.open || self.repeat !== undefined) insert(self, self.items.length, [call.value('item')], machine);
    else machine.append(self, call.value('item'));
    return none;
  }),
  'list.appendleft': listMethod('item', (self, call, machine) => {
    insert(self, 0, [call.value('item')], machine);
    return none;
  }),
  'list.extend list.__iadd__': listMethod('iterable', (self, call, machine) => {
    extend(self, call.value('iterable'), machine);
    return none;
  }),
  'list.insert': listMethod('index, item', (self, call, machine) => {
    insert(self, place(call.number('index'), self.items.length), [call.value('item')], machine);
    return none;
  }),
  'list.pop': listMethod('index=-1', (self, call, machine) => {
    const at = call.number('index');
    if (at !== undefined) return takenFrom(self, at, machine);
    const item = self.items.length > 0 && !self.open ? unite(self.items) : unknown('an item of a list');
    opened(self, self.items, machine);
    return item;
  }),
  'list.popleft': listMethod('', (self, _, machine) => takenFrom(self, 0, machine)),
  'list.remove': listMethod('item', (self, call, machine) => {
    const at = self.open || self.repeat !== undefined ? undefined : indexOf(self.items, call.value('item'), machine);
    if (at === undefined) opened(self, self.items, machine);
    else machine.write(self, 'items', [...self.items.slice(0, at), ...self.items.slice(at + 1)]);
    return none;
  }),
  'list.clear': listMethod('', (self, _, machine) => {
    machine.write(self, 'items', []);
    machine.write(self, 'repeat', undefined);
    machine.write(self, 'open', false);
    return none;
  }),
  'list.reverse': listMethod('', (self, _, machine) => {
    if (self.repeat === undefined) machine.write(self, 'items', [...self.items].reverse());
    machine.write(self, 'head', undefined);
    return none;
  }),
  'list.sort': listMethod('*, key=None, reverse=False', (self, call, machine) => {
    const numbers = self.items.map(numberOf);
    machine.write(self, 'head', undefined);
    if (self.repeat !== undefined || self.open) return none;
    if (numbers.includes(undefined) || !call.isNone('key') || call.boolean('reverse') === undefined) opened(self, [], machine);
    else {
      const order = [...numbers.keys()].sort((a, b) => (numbers[a] ?? 0) - (numbers[b] ?? 0));
      if (call.boolean('reverse') === true) order.reverse();
      machine.write(
        self,
        'items',
        order.map((i) => self.items[i] ?? none),
      );
    }
    return none;
  }),
  'list.tolist': listMethod('', (self) => self),
  'list.copy': listMethod('', (self) => ({ kind: 'list', items: self.items, repeat: self.repeat, open: self.open })),
  'list.index tuple.index': [
    'self, item, *args',
    (call, machine) => {
      const items = sequenceOf(call.value('self'), machine).items;
      const at = items === undefined ? undefined : indexOf(items, call.value('item'), machine);
      return at === undefined ? someInt('a place in a list') : int(at);
    },
  ],
  'list.count tuple.count': [
    'self, item',
    (call, machine) => {
      const answers = sequenceOf(call.value('self'), machine).items?.map((item) =>
        machine.truth(machine.compare('==', item, call.value('item'))),
      );
      return answers === undefined || answers.includes(undefined)
        ? someInt('a count')
        : int(answers.filter((answer) => answer === true).length);
    },
  ],
  'tuple.numel': [
    'self',
    (call, machine) =>
      (sequenceOf(call.value('self'), machine).items ?? [someInt('a size')]).reduce(
        (product, item) => machine.binary('*', product, item),
        int(1),
      ),
  ],
  // A namedtuple answers a copy with some fields changed.
  'tuple._replace': ['self, **kwargs', (call) => replaced(call)],
  'tuple._asdict': [
    'self',
    (call) => {
      const self = call.value('self');
      if (self.kind !== 'tuple' || self.names === undefined) return dict([], true);
      return dict(self.names.map((name, i) => [text(name), self.items[i] ?? unknown(name)] as const));
    },
  ],
};

function replaced(call: Call): Value {
  const [self, changes] = [call.value('self'), call.value('kwargs')];
  if (self.kind !== 'tuple' || self.names === undefined || changes.kind !== 'dict' || changes.open) return unknown('a namedtuple');
  return { ...self, items: self.items.map((item, i) => changes.entries.get(self.names?.[i] ?? '')?.value ?? item) };
}

// ---------------------------------------------------------------------------------------------------------------------
// Dicts and sets

const dictMethod = (signature: string, run: (self: DictValue, call: Call, machine: Machine) => Value): OperationEntry => [
  signature === '' ? 'self' : `self, ${signature}`,
  (call, machine) => {
    const self = call.value('self');
    return self.kind === 'dict' ? run(self, call, machine) : unknown(call.name);
  },
];

const shared = (self: DictValue, items: readonly Value[]): ListValue => ({ kind: 'list', items, repeat: undefined, open: self.open });

/** Sets an entry; a key that is not known may be any. */
export function putEntry(self: DictValue, key: Value, value: Value, machine: Machine): void {
  const at = keyOf(key);
  if (at !== undefined) machine.writeEntry(self.entries, at, { key, value });
  else {
    machine.write(self, 'open', true);
    // What was known of a key may have been replaced.
    for (const [known, entry] of [...self.entries])
      machine.writeEntry(self.entries, known, { key: entry.key, value: unite([entry.value, value]) });
  }
}

/** The value of a key: undefined where there is surely none. */
function look(self: DictValue, key: Value): Value | undefined {
  const at = keyOf(key);
  const entry = self.entries.get(likelyKeyOf(key) ?? '');
  if (entry !== undefined) return entry.value;
  if (self.open) return unknown('the value of a key that may be there');
  if (at !== undefined || self.entries.size === 0) return undefined;
  return unite([...self.entries.values()].map(({ value }) => value));
}

function takeEntry(self: DictValue, call: Call, machine: Machine): Value {
  const key = keyOf(call.value('key'));
  const value = look(self, call.value('key'));
  if (value === undefined) return call.given('default') ? call.value('default') : unknown('a key that is missing');
  if (key === undefined) machine.write(self, 'open', true);
  else if (self.entries.has(key)) machine.writeEntry(self.entries, key, undefined);
  return key === undefined && call.given('default') ? unite([value, call.value('default')]) : value;
}

const dicts: Readonly<Record<string, OperationEntry>> = {
  'dict.get': dictMethod('key, default=None', (self, call) => {
    const found = look(self, call.value('key'));
    if (found === undefined) return call.value('default');
    return keyOf(call.value('key')) === undefined && !self.open ? unite([found, call.value('default')]) : found;
  }),
  'dict.keys dict.__iter__': dictMethod('', (self) =>
    shared(
      self,
      [...self.entries.values()].map(({ key }) => key),
    ),
  ),
  'dict.values': dictMethod('', (self) =>
    shared(
      self,
      [...self.entries.values()].map(({ value }) => value),
    ),
  ),
  'dict.items': dictMethod('', (self) =>
    shared(
      self,
      [...self.entries.values()].map(({ key, value }) => tuple([key, value])),
    ),
  ),
  'dict.update': dictMethod('iterable=None, /, **kwargs', (self, call, machine) => {
    const added = dictFrom(call.value('iterable'), call.value('kwargs'), machine);
    for (const entry of added.entries.values()) putEntry(self, entry.key, entry.value, machine);
    if (added.open) machine.write(self, 'open', true);
    return none;
  }),
  'dict.pop': dictMethod('key, default=None', takeEntry),
  'dict.setdefault': dictMethod('key, default=None', (self, call, machine) => {
    const found = look(self, call.value('key'));
    if (found !== undefined) return found;
    putEntry(self, call.value('key'), call.value('default'), machine);
    return call.value('default');
  }),
  'dict.popitem': dictMethod('last=True', (self, _, machine) => {
    machine.write(self, 'open', true);
    return tuple([unknown('a key'), unknown('a value')]);
  }),
  'dict.clear': dictMethod('', (self, _, machine) => {
    for (const key of [...self.entries.keys()]) machine.writeEntry(self.entries, key, undefined);
    machine.write(self, 'open', false);
    return none;
  }),
  'dict.copy': dictMethod('', (self) => ({ kind: 'dict', entries: new Map(self.entries), open: self.open })),
  'dict.move_to_end': dictMethod('key, last=True', () => none),
  'dict.fromkeys builtins.dict.fromkeys': [
    'iterable, value=None',
    (call, machine) => {
      const keys = sequenceOf(call.value('iterable'), machine).items;
      return keys === undefined ? dict([], true) : dict(keys.map((key) => [key, call.value('value')] as const));
    },
  ],
};

const setMethod = (signature: string, run: (self: SetValue, call: Call, machine: Machine) => Value): OperationEntry => [
  `self, ${signature}`,
  (call, machine) => {
    const self = call.value('self');
    return self.kind === 'set' ? run(self, call, machine) : unknown(call.name);
  },
];

/** The items of other sets; undefined when one is not known. */
function others(call: Call, machine: Machine): readonly Value[] | undefined {
  const each = gathered(call)?.map((value) => sequenceOf(value, machine).items);
  return each === undefined || each.includes(undefined) ? undefined : (each as (readonly Value[])[]).flat();
}

const openSet: SetValue = { kind: 'set', items: [], open: true };

function difference(self: SetValue, call: Call, machine: Machine, keepsShared: boolean): Value {
  const removed = others(call, machine)?.map(keyOf);
  const keys = self.items.map(keyOf);
  if (self.open || removed === undefined || removed.includes(undefined) || keys.includes(undefined)) return { ...openSet };
  return { kind: 'set', items: self.items.filter((_, i) => removed.includes(keys[i]) === keepsShared), open: false };
}

const sets: Readonly<Record<string, OperationEntry>> = {
  'set.add': setMethod('item', (self, call, machine) => {
    const next = setFrom({ items: [...self.items, call.value('item')] });
    machine.write(self, 'items', next.items);
    if (next.open) machine.write(self, 'open', true);
    return none;
  }),
  'set.update': setMethod('*args', (self, call, machine) => {
    const added = others(call, machine);
    if (added === undefined) machine.write(self, 'open', true);
    else machine.write(self, 'items', setFrom({ items: [...self.items, ...added] }).items);
    return none;
  }),
  'set.remove set.discard': setMethod('item', (self, call, machine) => {
    const key = keyOf(call.value('item'));
    if (key === undefined) machine.write(self, 'open', true);
    machine.write(
      self,
      'items',
      self.items.filter((item) => key !== undefined && keyOf(item) !== key),
    );
    return none;
  }),
  'set.union': setMethod('*args', (self, call, machine) => {
    const added = others(call, machine);
    return self.open || added === undefined ? { ...openSet } : setFrom({ items: [...self.items, ...added] });
  }),
  'set.difference': setMethod('*args', (self, call, machine) => difference(self, call, machine, false)),
  'set.intersection': setMethod('*args', (self, call, machine) => difference(self, call, machine, true)),
  'set.symmetric_difference': setMethod('*args', () => ({ ...openSet })),
  'set.issubset set.issuperset set.isdisjoint': setMethod('*args', () => bool(undefined)),
  'set.copy': setMethod('*args', (self) => ({ ...self })),
  'set.clear': setMethod('*args', (self, _, machine) => {
    machine.write(self, 'items', []);
    machine.write(self, 'open', false);
    return none;
  }),
  'set.pop': setMethod('*args', (self, _, machine) => {
    machine.write(self, 'open', true);
    return unknown('an item of a set');
  }),
};

// ---------------------------------------------------------------------------------------------------------------------
// Numbers

const bits = (dim: Dim | undefined): Value =>
  dim?.constant === undefined
    ? someInt('a number of bits')
    : int(dim.constant === 0 ? 0 : Math.floor(Math.log2(Math.abs(dim.constant))) + 1);

const numbers: Readonly<Record<string, OperationEntry>> = {
  'int.bit_length': ['self', (call) => bits(call.dim('self'))],
  'int.is_integer': ['self', () => bool(true)],
  'int.conjugate int.item int.__index__ int.__int__ float.conjugate float.item': ['self', (call) => call.value('self')],
  'float.is_integer': [
    'self',
    (call) => {
      const known = call.number('self');
      return bool(known === undefined ? undefined : Number.isInteger(known));
    },
  ],
};

export const methodOperations: OperationTable = operations({ ...strings, ...lists, ...dicts, ...sets, ...numbers });
