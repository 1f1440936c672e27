/** `math`, `operator`, and the parts of NumPy that constructors of models use. */
import { number } from '../../../dims/dim.ts';
import { type OperationEntry, operations } from '../../define.ts';
import { dimOf, float, int, list, none, numberOf, text, tuple, unknown } from '../../make.ts';
import type { Call, Machine, OperationTable } from '../../operation.ts';
import { raisePowers, sqrtOf, wholeOf } from '../../powers.ts';
import type { Value } from '../../value.ts';
import { gathered } from './builtins.ts';
import { listOf, sequenceOf, someInt } from './sequences.ts';

/** A function of a known number; of a tensor it is torch's. */
const elementary = (name: string, calculate: (x: number) => number): OperationEntry => [
  'x, *args, **kwargs',
  (call, machine) => {
    const x = call.value('x');
    if (x.kind === 'tensor') return machine.call(machine.library(`torch.${name}`), [x]);
    const known = numberOf(x);
    const value = known === undefined ? undefined : calculate(known);
    return float(value === undefined || Number.isNaN(value) ? undefined : value);
  },
];

const roundTo = (rounding: 'down' | 'up' | 'zero', name: string): OperationEntry => [
  'x, *args, **kwargs',
  (call, machine) => {
    const x = call.value('x');
    if (x.kind === 'tensor') return machine.call(machine.library(`torch.${name}`), [x]);
    const dim = wholeOf(x, rounding) ?? (x.kind === 'unknown' ? dimOf(x) : undefined);
    return dim === undefined ? someInt('a rounded number') : int(dim);
  },
];

const root: OperationEntry = [
  'x, *args, **kwargs',
  (call, machine) => {
    const x = call.value('x');
    return x.kind === 'tensor' ? machine.call(machine.library('torch.sqrt'), [x]) : sqrtOf(x);
  },
];

function logarithm(call: Call): Value {
  const [x, base] = [call.number('x'), call.number('base')];
  if (x === undefined || x <= 0 || (call.given('base') && (base === undefined || base <= 0))) return float(undefined);
  return float(call.given('base') ? Math.log(x) / Math.log(base ?? Math.E) : Math.log(x));
}

/** The product of all items. */
function product(value: Value, start: Value, machine: Machine): Value {
  if (value.kind === 'tensor') return machine.call(machine.library('torch.prod'), [value]);
  if (dimOf(value) !== undefined && value.kind === 'int') return value;
  const items = sequenceOf(value, machine).items;
  return items === undefined ? someInt('a product') : items.reduce((all, item) => machine.binary('*', all, item), start);
}

const gcdOf = (a: number, b: number): number => (b === 0 ? Math.abs(a) : gcdOf(b, a % b));

/** A function of whole numbers that are all known. */
const ofIntegers = (fold: (a: number, b: number) => number): OperationEntry => [
  '*args',
  (call) => {
    const numbers = gathered(call)?.map(numberOf);
    if (numbers === undefined || numbers.length === 0 || !numbers.every(Number.isSafeInteger)) return someInt('a number');
    return int((numbers as number[]).reduce(fold));
  },
];

const test = (answer: (x: number) => boolean): OperationEntry => [
  'x',
  (call) => {
    const x = call.number('x');
    return { kind: 'bool', value: x === undefined ? undefined : answer(x) };
  },
];

const binary = (operator: string): OperationEntry => [
  'a, b',
  (call, machine) => machine.binary(operator, call.value('a'), call.value('b')),
];
const compare = (operator: string): OperationEntry => [
  'a, b',
  (call, machine) => machine.compare(operator, call.value('a'), call.value('b')),
];

/** Evenly spaced numbers: their count is known. */
function spaced(call: Call): Value {
  const count = call.dim('num');
  const [start, stop, whole] = [call.number('start'), call.number('stop'), call.number('num')];
  if (count === undefined) return listOf({ items: undefined, each: float(undefined), count: undefined });
  if (start === undefined || stop === undefined || whole === undefined || whole > 4096)
    return listOf({ items: undefined, each: float(undefined), count });
  const step = whole > 1 ? (stop - start) / (whole - 1) : 0;
  return list(Array.from({ length: whole }, (_, i) => float(start + i * step)));
}

/** A name's attribute or item getter: `itemgetter(1)` applied later. */
const getter = (name: string): OperationEntry => [
  '*args',
  (call, machine) => ({ kind: 'partial', callee: machine.library(name), positional: gathered(call) ?? [], keywords: new Map() }),
];

export const mathOperations: OperationTable = operations({
  'math.sqrt numpy.sqrt cmath.sqrt': root,
  'math.isqrt': ['n', (call) => (call.number('n') === undefined ? someInt('a root') : int(Math.floor(Math.sqrt(call.number('n') ?? 0))))],
  'math.cbrt': ['x', (call) => raisePowers(call.value('x'), float(1 / 3))],
  'math.pow numpy.power': [
    'x, y',
    (call, machine) =>
      call.value('x').kind === 'tensor'
        ? machine.binary('**', call.value('x'), call.value('y'))
        : raisePowers(call.value('x'), call.value('y')),
  ],
  'math.exp numpy.exp': elementary('exp', Math.exp),
  'math.expm1': elementary('expm1', Math.expm1),
  'math.log': ['x, base=None', logarithm],
  'numpy.log': elementary('log', Math.log),
  'math.log2 numpy.log2': elementary('log2', Math.log2),
  'math.log10 numpy.log10': elementary('log10', Math.log10),
  'math.log1p': elementary('log1p', Math.log1p),
  'math.sin numpy.sin': elementary('sin', Math.sin),
  'math.cos numpy.cos': elementary('cos', Math.cos),
  'math.tan numpy.tan': elementary('tan', Math.tan),
  'math.atan math.atan2 numpy.arctan': ['*args', () => float(undefined)],
  'math.tanh numpy.tanh': elementary('tanh', Math.tanh),
  'math.fabs numpy.abs numpy.absolute': elementary('abs', Math.abs),
  'math.erf math.erfc math.gamma math.lgamma math.hypot math.dist math.fsum math.copysign math.radians math.degrees math.ldexp math.fmod': [
    '*args',
    () => float(undefined),
  ],
  'math.floor': roundTo('down', 'floor'),
  'math.ceil': roundTo('up', 'ceil'),
  'math.trunc': roundTo('zero', 'trunc'),
  'numpy.floor': roundTo('down', 'floor'),
  'numpy.ceil': roundTo('up', 'ceil'),
  'math.prod': ['iterable, *, start=1', (call, machine) => product(call.value('iterable'), call.value('start'), machine)],
  'numpy.prod numpy.product': [
    'iterable, axis=None, **kwargs',
    (call, machine) => (call.given('axis') ? unknown('a product along an axis') : product(call.value('iterable'), int(1), machine)),
  ],
  'math.gcd numpy.gcd': ofIntegers(gcdOf),
  'math.lcm numpy.lcm': ofIntegers((a, b) => (a === 0 || b === 0 ? 0 : Math.abs(a * b) / gcdOf(a, b))),
  'math.comb math.perm math.factorial': ['*args', () => someInt('a count')],
  'math.isnan': test(Number.isNaN),
  'math.isinf': test((x) => !Number.isFinite(x) && !Number.isNaN(x)),
  'math.isfinite': test(Number.isFinite),
  'math.isclose': ['*args, **kwargs', () => ({ kind: 'bool', value: undefined })],
  'math.modf math.frexp': ['x', () => tuple([float(undefined), float(undefined)])],

  'operator.add': binary('+'),
  'operator.sub': binary('-'),
  'operator.mul': binary('*'),
  'operator.truediv': binary('/'),
  'operator.floordiv': binary('//'),
  'operator.mod': binary('%'),
  'operator.pow': binary('**'),
  'operator.matmul': binary('@'),
  'operator.and_': binary('&'),
  'operator.or_': binary('|'),
  'operator.eq': compare('=='),
  'operator.ne': compare('!='),
  'operator.lt': compare('<'),
  'operator.le': compare('<='),
  'operator.gt': compare('>'),
  'operator.ge': compare('>='),
  'operator.getitem': ['a, b', (call, machine) => machine.subscript(call.value('a'), call.value('b'))],
  'operator.itemgetter': getter('headwise.item_of'),
  'operator.attrgetter': getter('headwise.attribute_of'),
  'headwise.item_of': [
    '*args',
    (call, machine) => {
      const given = gathered(call) ?? [];
      const object = given.at(-1) ?? none;
      const items = given.slice(0, -1).map((key) => machine.subscript(object, key));
      return items.length === 1 ? (items[0] ?? none) : tuple(items);
    },
  ],
  'headwise.attribute_of': [
    '*args',
    (call, machine) => {
      const [key = none, object = none, ...more] = gathered(call) ?? [];
      if (more.length > 0 || key.kind !== 'string' || key.value === undefined) return unknown('an attribute');
      return key.value.split('.').reduce<Value>((value, name) => machine.attribute(value, name) ?? unknown(name), object);
    },
  ],

  'numpy.linspace': [
    'start, stop, num=50, endpoint=True, **kwargs',
    (call) => (call.given('endpoint') ? unknown('numpy.linspace') : spaced(call)),
  ],
  'numpy.float32 numpy.float64 numpy.float16': [
    'x=0.0',
    (call) => (call.value('x').kind === 'float' ? call.value('x') : float(call.number('x'))),
  ],
  'numpy.int32 numpy.int64 numpy.int_': [
    'x=0',
    (call) => (call.dim('x') === undefined ? someInt('a number') : int(call.dim('x') ?? number(0))),
  ],
  'numpy.gcd': ofIntegers(gcdOf),
});

/** Constants of these modules, by qualified name. */
export const mathConstants: ReadonlyMap<string, Value> = new Map<string, Value>([
  ...(['math', 'numpy', 'cmath'] as const).flatMap((module): [string, Value][] => [
    [`${module}.pi`, float(Math.PI)],
    [`${module}.e`, float(Math.E)],
    [`${module}.inf`, float(Infinity)],
    [`${module}.nan`, float(undefined)],
  ]),
  ['math.tau', float(2 * Math.PI)],
  ['numpy.newaxis', none],
  ['sys.maxsize', int(Number.MAX_SAFE_INTEGER)],
  ['sys.platform', text(undefined)],
]);
