/** What kind of thing a value is. */
import { answerTo, questionOf } from './answers.ts';
import { classMember } from './attributes.ts';
import type { Interpreter } from './interpreter.ts';
import { truthOf } from './make.ts';
import type { InstanceValue, Value } from './value.ts';

export function truthFor(interpreter: Interpreter, value: Value): boolean | undefined {
  if (value.kind === 'instance') {
    const length = classMember(value.class, '__bool__') ?? classMember(value.class, '__len__');
    return length === undefined ? (value.class.isOpen ? undefined : true) : truthFor(interpreter, interpreter.call(length, [value]));
  }
  if (value.kind === 'int' && interpreter.options.witness !== undefined)
    return truthOf(value) ?? interpreter.options.witness.truth(value.dim);
  return truthOf(value) ?? answerTo(questionOf(value), interpreter.answers);
}

export function isInstanceOf(value: Value, qualifiedName: string): boolean | undefined {
  const short = qualifiedName.slice(qualifiedName.lastIndexOf('.') + 1);
  if (value.kind === 'unknown') return undefined;
  if (value.kind === 'union') {
    const [first, ...others] = value.options.map((option) => isInstanceOf(option, qualifiedName));
    return others.every((other) => other === first) ? first : undefined;
  }
  if (value.kind === 'tensor') {
    if (short === 'Parameter') return value.isParameter === true;
    if (/Tensor$|^Array$/.test(short)) return short === 'Tensor' || short === 'Array' || undefined;
    return false;
  }
  if (value.kind === 'instance') {
    if (value.class.mro.some((each) => each.qualifiedName === qualifiedName)) return true;
    return value.class.isOpen ? undefined : false;
  }
  const names = builtinTypes[value.kind];
  if (names === undefined) return short === 'object' ? true : undefined;
  return names.includes(short);
}

export function isModuleValue(value: Value): value is InstanceValue {
  return value.kind === 'instance' && value.class.mro.some(({ qualifiedName }) => moduleClasses.has(qualifiedName));
}

/** The classes whose instances are modules with parameters. */
const moduleClasses: ReadonlySet<string> = new Set([
  'torch.nn.Module',
  'flax.linen.Module',
  'flax.nnx.Module',
  'keras.Layer',
  'mlx.nn.Module',
]);

const builtinTypes: Readonly<Partial<Record<Value['kind'], readonly string[]>>> = {
  none: ['NoneType', 'object'],
  bool: ['bool', 'int', 'Number', 'Integral', 'object'],
  int: ['int', 'Number', 'Integral', 'Real', 'object'],
  float: ['float', 'Number', 'Real', 'object'],
  string: ['str', 'object', 'Sequence', 'Iterable'],
  tuple: ['tuple', 'object', 'Sequence', 'Iterable', 'Size', 'Collection'],
  list: ['list', 'object', 'Sequence', 'Iterable', 'MutableSequence', 'Collection'],
  dict: ['dict', 'object', 'Mapping', 'Iterable', 'MutableMapping', 'OrderedDict'],
  set: ['set', 'object', 'Iterable'],
  slice: ['slice', 'object'],
  range: ['range', 'object', 'Sequence', 'Iterable'],
  function: ['object', 'Callable', 'FunctionType', 'LambdaType'],
  builtin: ['object', 'Callable'],
  class: ['type', 'object'],
  partial: ['partial', 'object', 'Callable'],
  opaque: ['object', 'dtype', 'device'],
};
