import { classMember, setPlain } from './attributes.ts';
/** Configurations as the objects that model code reads: from the values of a JSON file and the class that takes them. */
import { fieldsOf, isDataclass } from './classes.ts';
import type { Interpreter } from './interpreter.ts';
import { bool, dict, float, int, list, named, none, text } from './make.ts';
import type { ClassValue, InstanceValue, Value } from './value.ts';

/** A number that was written with a point or an exponent: Python takes `4.0` for another type than `4`. */
export interface ConfigFloat {
  readonly $float: number;
}

export type ConfigValue = null | boolean | number | string | ConfigFloat | readonly ConfigValue[] | ConfigObject;
export interface ConfigObject {
  readonly [key: string]: ConfigValue;
}

const isList = (value: ConfigValue): value is readonly ConfigValue[] => Array.isArray(value);
const isFloat = (value: ConfigObject | ConfigFloat): value is ConfigFloat => typeof value.$float === 'number';

/** The values of a JSON text. Undefined when it is no JSON, or no object. `NaN` and `Infinity`, which Python writes, are read. */
export function readConfiguration(source: string): ConfigObject | undefined {
  const tagged = source.replace(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|-?\bInfinity\b|\bNaN\b/g, (token) => {
    if (token.startsWith('"')) return token;
    if (token === 'NaN' || token.endsWith('Infinity')) return '{"$float":null}';
    return /[.eE]/.test(token) ? `{"$float":${token}}` : token;
  });
  try {
    const value: unknown = JSON.parse(tagged);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as ConfigObject) : undefined;
  } catch {
    return undefined;
  }
}

/** The value that Python code would hold after reading it. */
export function pythonValue(value: ConfigValue): Value {
  if (value === null) return none;
  if (typeof value === 'boolean') return bool(value);
  if (typeof value === 'string') return text(value);
  if (typeof value === 'number') return Number.isInteger(value) ? int(value) : float(value);
  if (isList(value)) return list(value.map(pythonValue));
  if ('$float' in value) return float(isFloat(value) ? value.$float : undefined);
  return dict(Object.entries(value).map(([key, item]) => [text(key), pythonValue(item)] as const));
}

/** True for a configuration class of transformers. */
export const isLibraryConfiguration = (of: ClassValue): boolean =>
  of.mro.some(({ qualifiedName }) => /^transformers\.configuration_utils\.Pre[tT]rainedConfig$/.test(qualifiedName));

/** What a library notes in the file and no class takes. */
const notes: ReadonlySet<string> = new Set([
  'transformers_version',
  'auto_map',
  'torch_dtype',
  'dtype',
  '_name_or_path',
  '_commit_hash',
  'quantization_config',
]);

/**
 * The object that the class makes of the values. A class of transformers takes every key; a dataclass or plain class those that it
 * names. Values that a constructor refuses, or that the library itself wrote, stand as they are. Undefined when the class cannot be built.
 */
export function makeConfiguration(interpreter: Interpreter, of: ClassValue, values: ConfigObject): InstanceValue | undefined {
  const keywords = new Map<string, Value>();
  const isLibrary = isLibraryConfiguration(of);
  const takes = isLibrary ? undefined : parametersTaken(of);
  for (const [key, value] of Object.entries(values)) {
    if (takes === undefined ? !notes.has(key) : takes === 'any' || takes.has(key)) keywords.set(key, pythonValue(value));
  }
  const made = interpreter.guard(() => interpreter.call(of, [], keywords));
  if (made?.kind !== 'instance') {
    const plain = isLibrary ? interpreter.guard(() => interpreter.call(of, [])) : undefined;
    if (plain?.kind !== 'instance') return undefined;
    overwrite(interpreter, plain, values);
    return plain;
  }
  for (const [key, value] of keywords) {
    const known = interpreter.guard(() => interpreter.attribute(made, key));
    if (known === undefined || known.kind === 'unknown') setPlain(interpreter, made, key, value);
  }
  if (isLibrary && isWrittenByLibrary(interpreter, values)) overwrite(interpreter, made, values);
  return made;
}

/** Saved by the version that is read: the file holds what the object held, and what a constructor would make of it again is not asked. */
function isWrittenByLibrary(interpreter: Interpreter, values: ConfigObject): boolean {
  const version = interpreter.guard(() => interpreter.library('transformers.__version__'));
  return typeof values.transformers_version === 'string' && version?.kind === 'string' && version.value === values.transformers_version;
}

const isObject = (value: ConfigValue): value is ConfigObject =>
  typeof value === 'object' && value !== null && !isList(value) && !('$float' in value);

/** Sets the values as attributes, those of nested configurations too. */
function overwrite(interpreter: Interpreter, made: InstanceValue, values: ConfigObject): void {
  for (const [key, value] of Object.entries(values)) {
    if (notes.has(key) || key === 'model_type' || key === 'per_layer_config' || key.endsWith('2label') || key.startsWith('_')) continue;
    const current = interpreter.guard(() => interpreter.attribute(made, key));
    if (current?.kind === 'instance' && isObject(value)) overwrite(interpreter, current, value);
    else if (current?.kind !== 'instance') interpreter.guard(() => interpreter.setAttribute(made, key, pythonValue(value)));
  }
  const layers = made.attributes.get('per_layer_config');
  const overrides = layers?.kind === 'instance' ? layers.attributes.get('overrides') : undefined;
  if (overrides?.kind === 'dict' && values.per_layer_config === undefined)
    for (const key of [...overrides.entries.keys()]) interpreter.writeEntry(overrides.entries, key, undefined);
}

/** The names that the constructor takes. */
function parametersTaken(of: ClassValue): ReadonlySet<string> | 'any' {
  const initializer = classMember(of, '__init__');
  if (initializer?.kind === 'function' && !isDataclass(of)) {
    const { parameters } = initializer.definition;
    if (parameters.some(({ kind }) => kind === 'kwargs')) return 'any';
    return new Set(parameters.flatMap(({ name }) => (name === undefined ? [] : [name.name])));
  }
  return new Set(fieldsOf(of).map(({ name }) => name));
}

/** A class that says nothing about its instances. */
const namespaceClass: ClassValue = {
  kind: 'class',
  name: 'Namespace',
  qualifiedName: 'argparse.Namespace',
  definition: undefined,
  file: undefined,
  unit: undefined,
  bases: [],
  mro: [],
  isOpen: false,
  members: new Map(),
  fields: [],
  decorators: [],
  keywords: [],
};

/**
 * An object with the values as attributes, nested objects too: what `argparse` or `OmegaConf` would give. Other attributes stand under
 * their names, which start with `path`.
 */
export function makeNamespace(interpreter: Interpreter, path: string, values: ConfigObject): InstanceValue {
  const made = interpreter.instance(namespaceClass);
  setPlain(interpreter, made, '__path__', named(path, path));
  for (const [key, value] of Object.entries(values)) {
    setPlain(interpreter, made, key, isObject(value) ? makeNamespace(interpreter, `${path}.${key}`, value) : pythonValue(value));
  }
  return made;
}

/** The class of configuration that a model's class takes: what it declares, or what its constructor's first parameter is annotated with. */
export function configurationClassOf(interpreter: Interpreter, model: ClassValue): ClassValue | undefined {
  for (const each of model.mro) {
    const declared = each.members.get('config_class');
    if (declared?.kind === 'class') return declared;
    const annotation = each.fields.find(({ name }) => name === 'config')?.annotation;
    const initializer = each.members.get('__init__');
    const parameters = initializer?.kind === 'function' ? initializer.definition.parameters : [];
    const own = parameters.find(({ name }) => name !== undefined && /^(?:config|args|cfg|hparams|params)$/.test(name.name))?.annotation;
    for (const written of [annotation, own]) {
      const name = written?.kind === 'name' ? written.name : written?.kind === 'string' ? written.value : undefined;
      if (name === undefined || each.file === undefined) continue;
      const { file } = each;
      const found = interpreter.guard(() => interpreter.names.global(interpreter.names.globalsOf(file), name));
      if (found?.kind === 'class' && !/^Pre[tT]rainedConfig$/.test(found.name)) return found;
    }
  }
  return undefined;
}
