/** `functools`, `itertools`, `collections`, `copy`, `dataclasses`, `contextlib` and what else constructors of models import. */
import type { Dim } from '../../../dims/dim.ts';
import { makeCall, operations } from '../../define.ts';
import { bool, dict, dimOf, list, none, numberOf, openList, text, tuple, unknown } from '../../make.ts';
import type { Call, Machine, OperationTable } from '../../operation.ts';
import type { ClassValue, InstanceValue, ListValue, Value } from '../../value.ts';
import { dictFrom, gathered, wrap } from './builtins.ts';
import { chainSequences, eachOf, lengthOf, listOf, mapSequence, type Sequence, sequenceOf, someInt, zipSequences } from './sequences.ts';

const limit = 4096;

const functionLike = (value: Value | undefined): boolean =>
  value !== undefined && ['function', 'builtin', 'bound', 'class', 'partial', 'instance'].includes(value.kind);

/** A decorator that leaves the function as it is, with or without arguments of its own. */
const plainDecorator = (call: Call, machine: Machine): Value => {
  const given = gathered(call) ?? [];
  const [only] = given;
  return given.length === 1 && only !== undefined && functionLike(only) ? only : machine.library('headwise.identity');
};

const sequences = (call: Call, machine: Machine): readonly Sequence[] | undefined =>
  gathered(call)?.map((value) => sequenceOf(value, machine));

const openResult = (): ListValue => openList();

function accumulate(call: Call, machine: Machine): Value {
  const found = sequenceOf(call.value('iterable'), machine);
  if (found.items === undefined) return listOf({ items: undefined, each: someInt('a running total'), count: lengthOf(found) });
  const combine = call.value('func');
  const totals: Value[] = call.isNone('initial') ? [] : [call.value('initial')];
  for (const item of found.items) {
    const last = totals.at(-1);
    totals.push(
      last === undefined ? item : combine.kind === 'none' ? machine.binary('+', last, item) : machine.call(combine, [last, item]),
    );
  }
  return list(totals);
}

function productOf(call: Call, machine: Machine): Value {
  const found = sequences(call, machine)?.map(({ items }) => items);
  const repeats = call.number('repeat') ?? 1;
  if (found === undefined || found.includes(undefined)) return openResult();
  const each = Array.from({ length: repeats }, () => found as (readonly Value[])[]).flat();
  if (each.reduce((count, items) => count * items.length, 1) > limit) return openResult();
  const rows = each.reduce<readonly (readonly Value[])[]>((all, items) => all.flatMap((row) => items.map((item) => [...row, item])), [[]]);
  return list(rows.map((row) => tuple(row)));
}

/** Pairs and the like: the choices of so many items, in order. */
function combinations(call: Call, machine: Machine): Value {
  const items = sequenceOf(call.value('iterable'), machine).items;
  const size = call.number('r');
  if (items === undefined || size === undefined || items.length > 16 || size > 4) return openResult();
  const choose = (from: number, left: number): readonly (readonly Value[])[] =>
    left === 0 ? [[]] : items.flatMap((item, i) => (i < from ? [] : choose(i + 1, left - 1).map((rest) => [item, ...rest])));
  return list(choose(0, size).map((row) => tuple(row)));
}

function islice(call: Call, machine: Machine): Value {
  const found = sequenceOf(call.value('iterable'), machine);
  const [first = none, second, third] = gathered(call) ?? [];
  const bounds = second === undefined ? [none, first, none] : [first, second, third ?? none];
  const [from, to, step] = bounds.map((bound) => (bound.kind === 'none' ? undefined : (numberOf(bound) ?? Number.NaN)));
  if (found.items === undefined || [from, to, step].some((bound) => bound !== undefined && Number.isNaN(bound))) {
    return listOf({ items: undefined, each: eachOf(found), count: undefined });
  }
  return list(found.items.slice(from ?? 0, to ?? found.items.length).filter((_, i) => i % (step ?? 1) === 0));
}

/** The names of a namedtuple: a list of strings, or one string with spaces or commas. */
function fieldNames(value: Value, machine: Machine): readonly string[] | undefined {
  if (value.kind === 'string') return value.value?.split(/[\s,]+/).filter((name) => name !== '');
  const items = sequenceOf(value, machine).items?.map((item) => (item.kind === 'string' ? item.value : undefined));
  return items === undefined || items.includes(undefined) ? undefined : (items as string[]);
}

function namedTuple(call: Call, machine: Machine): Value {
  const names = fieldNames(call.value('field_names'), machine);
  if (names === undefined) return unknown('a namedtuple');
  const defaults = sequenceOf(call.value('defaults'), machine).items ?? [];
  return {
    kind: 'partial',
    callee: machine.library('headwise.named_tuple'),
    positional: [list(names.map(text)), list(call.isNone('defaults') ? [] : defaults)],
    keywords: new Map(),
  };
}

function makeNamedTuple(call: Call, machine: Machine): Value {
  const names = fieldNames(call.value('names'), machine) ?? [];
  const defaults = sequenceOf(call.value('defaults'), machine).items ?? [];
  const given = gathered(call);
  const keywords = call.value('kwargs');
  const items = names.map((name, i) => {
    const byName = keywords.kind === 'dict' ? keywords.entries.get(name)?.value : undefined;
    return given?.[i] ?? byName ?? defaults[i - names.length + defaults.length] ?? unknown(name);
  });
  return { ...tuple(items), names };
}

// ---------------------------------------------------------------------------------------------------------------------
// Copies

/** A copy in which every list, dict, instance and parameter is new; what occurs twice is one in the copy too. */
function deepCopy(value: Value, call: Call, machine: Machine, copies: Map<Value, Value>, depth: number): Value {
  const known = copies.get(value);
  if (known !== undefined) return known;
  if (depth > 40) return unknown('a deep copy');
  const copy = (part: Value): Value => deepCopy(part, call, machine, copies, depth + 1);
  switch (value.kind) {
    case 'tensor': {
      const { dtype, content, isParameter, isBuffer } = value;
      const op = isParameter === true ? 'parameter' : value.op;
      const made = machine.tensor(op, makeCall(call.name, value.arguments, new Set(), call.site), value.shape, {
        dtype,
        inputs: value.inputs,
        ...(isParameter === true ? { isParameter } : {}),
        ...(isBuffer === true ? { isBuffer } : {}),
        ...(content === undefined ? {} : { content }),
      });
      copies.set(value, made);
      return made;
    }
    case 'instance': {
      const made: InstanceValue = { ...value, id: machine.freshId(), attributes: new Map() };
      copies.set(value, made);
      for (const [name, part] of value.attributes) made.attributes.set(name, copy(part));
      return made;
    }
    case 'list':
    case 'set': {
      const made = { ...value };
      copies.set(value, made);
      made.items = value.items.map(copy);
      return made;
    }
    case 'dict': {
      const made = dict([], value.open);
      copies.set(value, made);
      for (const [key, entry] of value.entries) made.entries.set(key, { key: entry.key, value: copy(entry.value) });
      return made;
    }
    case 'tuple':
      return { ...value, items: value.items.map(copy) };
    case 'bound':
      return { ...value, self: copy(value.self) };
    case 'partial':
      return {
        ...value,
        positional: value.positional.map(copy),
        keywords: new Map([...value.keywords].map(([name, part]) => [name, copy(part)])),
      };
    case 'union':
      return { ...value, options: value.options.map(copy) };
    default:
      return value;
  }
}

function shallowCopy(value: Value, machine: Machine): Value {
  switch (value.kind) {
    case 'instance':
      return { ...value, id: machine.freshId(), attributes: new Map(value.attributes) };
    case 'list':
    case 'set':
      return { ...value };
    case 'dict':
      return { ...value, entries: new Map(value.entries) };
    default:
      return value;
  }
}

/** The fields of a dataclass by name: of a name without a value nothing is known. */
const classFields = (of: ClassValue): readonly string[] => {
  const names = new Set<string>();
  for (const each of [...of.mro].reverse()) for (const { name } of each.fields) names.add(name);
  return [...names];
};

function replaced(call: Call, machine: Machine): Value {
  const object = call.value('obj');
  const changes = call.value('kwargs');
  if (object.kind !== 'instance' || changes.kind !== 'dict') return unknown('a copy of a dataclass');
  const made: InstanceValue = { ...object, id: machine.freshId(), attributes: new Map(object.attributes) };
  for (const [name, { value }] of changes.entries) made.attributes.set(name, value);
  const after = machine.attribute(made, '__post_init__');
  if (after !== undefined && after.kind !== 'unknown') machine.call(after, []);
  return made;
}

function asDict(value: Value): Value {
  if (value.kind !== 'instance') return dict([], true);
  const entries = [...value.attributes].filter(([name]) => !name.startsWith('_')).map(([name, part]) => [text(name), part] as const);
  return dict(entries, value.open || value.class.isOpen);
}

const unknownContext = (name: string) => (): Value => unknown(name);

export const standardOperations: OperationTable = operations({
  'functools.partial': [
    'callee, *args, **kwargs',
    (call) => {
      const [positional, keywords] = [gathered(call), call.value('kwargs')];
      if (positional === undefined || keywords.kind !== 'dict' || keywords.open) return unknown('a partial with unknown arguments');
      return {
        kind: 'partial',
        callee: call.value('callee'),
        positional,
        keywords: new Map([...keywords.entries].map(([name, { value }]) => [name, value])),
      };
    },
  ],
  'functools.wraps functools.update_wrapper': ['*args, **kwargs', (_, machine) => machine.library('headwise.identity')],
  'functools.lru_cache functools.cache functools.singledispatch functools.total_ordering': ['*args, **kwargs', plainDecorator],
  'abc.abstractmethod typing.overload typing.final typing.no_type_check typing.runtime_checkable typing_extensions.override': [
    '*args, **kwargs',
    plainDecorator,
  ],
  'warnings.deprecated typing_extensions.deprecated': ['*args, **kwargs', (_, machine) => machine.library('headwise.identity')],
  'contextlib.contextmanager': ['value', (call) => wrap(call.value('value'), 'context')],
  'functools.reduce': [
    'function, iterable, initial=None',
    (call, machine) => {
      const found = sequenceOf(call.value('iterable'), machine).items;
      const start = call.given('initial') ? [call.value('initial')] : [];
      if (found === undefined) return unknown('a reduction');
      const [first, ...others] = [...start, ...found];
      return others.reduce(
        (total, item) => machine.call(call.value('function'), [total, item]),
        first ?? unknown('a reduction of nothing'),
      );
    },
  ],

  'itertools.chain': [
    '*args',
    (call, machine) => {
      const found = sequences(call, machine);
      return found === undefined ? openResult() : listOf(chainSequences(found));
    },
  ],
  'itertools.chain.from_iterable': [
    'iterable',
    (call, machine) => {
      const found = sequenceOf(call.value('iterable'), machine).items;
      return found === undefined ? openResult() : listOf(chainSequences(found.map((value) => sequenceOf(value, machine))));
    },
  ],
  'itertools.repeat': [
    'object, times=None',
    (call) => {
      const times: Dim | undefined = call.isNone('times') ? undefined : dimOf(call.value('times'));
      if (times?.constant !== undefined && times.constant <= limit)
        return list(Array.from({ length: Math.max(0, times.constant) }, () => call.value('object')));
      return listOf({ items: undefined, each: call.value('object'), count: times });
    },
  ],
  'itertools.product': ['*args, repeat=1', productOf],
  'itertools.combinations': ['iterable, r', combinations],
  'itertools.permutations itertools.combinations_with_replacement itertools.groupby itertools.takewhile itertools.dropwhile': [
    '*args, **kwargs',
    openResult,
  ],
  'itertools.accumulate': ['iterable, func=None, *, initial=None', accumulate],
  'itertools.count': ['start=0, step=1', () => listOf({ items: undefined, each: someInt('a counter'), count: undefined })],
  'itertools.cycle': [
    'iterable',
    (call, machine) => listOf({ items: undefined, each: eachOf(sequenceOf(call.value('iterable'), machine)), count: undefined }),
  ],
  'itertools.islice': ['iterable, *args', islice],
  'itertools.starmap': [
    'function, iterable',
    (call, machine) =>
      listOf(
        mapSequence(sequenceOf(call.value('iterable'), machine), (item) => {
          const parts = sequenceOf(item, machine).items;
          return parts === undefined ? unknown('a call with unknown arguments') : machine.call(call.value('function'), parts);
        }),
      ),
  ],
  'itertools.zip_longest': [
    '*args, fillvalue=None',
    (call, machine) => {
      const found = sequences(call, machine);
      const lengths = found?.map(({ items }) => items?.length);
      if (found === undefined || lengths === undefined || lengths.includes(undefined)) return openResult();
      const longest = Math.max(0, ...(lengths as number[]));
      const filled = found.map(({ items = [] }) => ({
        items: [...items, ...Array.from({ length: longest - items.length }, () => call.value('fillvalue'))],
      }));
      return listOf(zipSequences(filled));
    },
  ],
  'itertools.pairwise': [
    'iterable',
    (call, machine) => {
      const { items } = sequenceOf(call.value('iterable'), machine);
      return items === undefined ? openResult() : listOf(zipSequences([{ items }, { items: items.slice(1) }]));
    },
  ],
  'itertools.tee': [
    'iterable, n=2',
    (call, machine) =>
      tuple(Array.from({ length: Math.min(8, call.number('n') ?? 2) }, () => listOf(sequenceOf(call.value('iterable'), machine)))),
  ],

  'collections.OrderedDict typing.OrderedDict': [
    'iterable=None, /, **kwargs',
    (call, machine) => dictFrom(call.value('iterable'), call.value('kwargs'), machine),
  ],
  // A key that was not set has the factory's value.
  'collections.defaultdict': [
    'factory=None, iterable=None, /, **kwargs',
    (call, machine) => {
      const made = dictFrom(call.value('iterable'), call.value('kwargs'), machine);
      made.open = true;
      return made;
    },
  ],
  'collections.Counter collections.ChainMap': ['*args, **kwargs', () => dict([], true)],
  'collections.deque': [
    'iterable=(), maxlen=None',
    (call, machine) => (call.isNone('maxlen') ? listOf(sequenceOf(call.value('iterable'), machine)) : openResult()),
  ],
  'collections.namedtuple': ['typename, field_names, *, rename=False, defaults=None, module=None', namedTuple],
  'headwise.named_tuple': ['names, defaults, *args, **kwargs', makeNamedTuple],

  'copy.deepcopy': ['x, memo=None', (call, machine) => deepCopy(call.value('x'), call, machine, new Map(), 0)],
  'copy.copy': ['x', (call, machine) => shallowCopy(call.value('x'), machine)],

  'dataclasses.dataclass': ['*args, **kwargs', plainDecorator],
  'dataclasses.field': [
    '**kwargs',
    (call, machine) => {
      const keywords = call.value('kwargs');
      const given = keywords.kind === 'dict' ? [...keywords.entries].map(([name, { value }]) => [name, value] as const) : [];
      return { kind: 'partial', callee: machine.library('dataclasses.field'), positional: [], keywords: new Map(given) };
    },
  ],
  'dataclasses.replace copy.replace': ['obj, **kwargs', replaced],
  'builtins.vars': ['obj=None', (call, machine) => machine.attribute(call.value('obj'), '__dict__') ?? dict([], true)],
  'dataclasses.asdict': ['obj=None, **kwargs', (call) => asDict(call.value('obj'))],
  'dataclasses.fields': [
    'obj',
    (call, machine) => {
      const object = call.value('obj');
      const of = object.kind === 'instance' ? object.class : object;
      if (of.kind !== 'class') return openResult();
      const make = machine.library('headwise.named_tuple');
      return list(classFields(of).map((name) => machine.call(make, [list([text('name')]), list([]), text(name)])));
    },
  ],
  'headwise.field_values': [
    'self',
    (call) => {
      const self = call.value('self');
      if (self.kind !== 'instance') return openResult();
      return list(classFields(self.class).map((name) => self.attributes.get(name) ?? unknown(`the field ${name}`)));
    },
  ],
  'dataclasses.is_dataclass': ['obj', () => bool(undefined)],

  'torch.jit.annotate': ['type, value', (call) => call.value('value')],
  'typing.cast': ['type, value', (call) => call.value('value')],
  'typing.get_args': ['type', () => unknown('the arguments of a type')],
  'warnings.warn warnings.filterwarnings warnings.simplefilter warnings.warn_explicit': ['*args, **kwargs', () => none],
  'logging.warning logging.info logging.debug logging.error logging.basicConfig gc.collect': ['*args, **kwargs', () => none],
  'contextlib.nullcontext': ['enter_result=None', (call) => call.value('enter_result')],
  'contextlib.suppress contextlib.ExitStack contextlib.closing': ['*args, **kwargs', unknownContext('a context')],
  'random.random random.uniform random.gauss random.betavariate': ['*args, **kwargs', () => ({ kind: 'float', value: undefined })],
  'random.randint random.randrange': ['*args, **kwargs', () => someInt('a random number')],
  'random.choice': ['seq', (call, machine) => eachOf(sequenceOf(call.value('seq'), machine)) ?? unknown('an item')],
  'random.seed random.shuffle': ['*args, **kwargs', () => none],
  'enum.auto': ['', () => someInt('the value of an enumeration')],
  'time.time time.perf_counter': ['', () => ({ kind: 'float', value: undefined })],
});
