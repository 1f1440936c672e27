import type { Dim } from '../dims/dim.ts';
import { number, unknownDim } from '../dims/dim.ts';
import type { ViewDim } from '../dims/reshape.ts';
import { bool, dict, dimOf, float, int, none, numberOf, text, tuple } from './make.ts';
import type { Call, Machine, Operation, OperationTable, Signature, SignatureParameter } from './operation.ts';
import type { Site, TensorValue, Value } from './value.ts';

/** One operation: its signature without brackets, and what it does. */
export type OperationEntry = readonly [signature: string, run: (call: Call, machine: Machine) => Value];

/** A table from `'name otherName'` to operations. */
export function operations(entries: Readonly<Record<string, OperationEntry>>): OperationTable {
  const table = new Map<string, Operation>();
  for (const [names, [signature, run]] of Object.entries(entries)) {
    const operation: Operation = { signature: parseSignature(signature), run };
    for (const name of names.split(/\s+/)) if (name !== '') table.set(name, operation);
  }
  return table;
}

/**
 * Reads `input, dim|axis=0, *sizes, keepdim=False, **kwargs`. A bare `*` makes what follows keyword-only; names after `|` are taken as
 * keywords for the first.
 */
export function parseSignature(signature: string): Signature {
  const parameters: SignatureParameter[] = [];
  let keywordOnly = false;
  for (const part of signature.split(/,(?![^(]*\))/).map((each) => each.trim())) {
    if (part === '' || part === '/') continue;
    if (part === '*') keywordOnly = true;
    else if (part.startsWith('**')) parameters.push({ name: part.slice(2), kind: 'kwargs', default: undefined });
    else if (part.startsWith('*')) {
      const [name = '', ...aliases] = part.slice(1).split('|');
      parameters.push({ name, aliases, kind: 'args', default: undefined });
      keywordOnly = true;
    } else {
      const [names = '', written] = part.split('=').map((each) => each.trim());
      const [name = '', ...aliases] = names.split('|');
      const value = written === undefined ? undefined : constant(written);
      parameters.push({ name, aliases, kind: keywordOnly ? 'keyword' : 'positional', default: value });
    }
  }
  return parameters;
}

function constant(written: string): Value {
  if (written === 'None') return none;
  if (written === 'True' || written === 'False') return bool(written === 'True');
  if (/^-?\d+$/.test(written)) return int(Number(written));
  if (/^-?[\d.]+(?:e-?\d+)?$/.test(written)) return float(Number(written));
  if (/^\(.*\)$/.test(written)) {
    const inner = written.slice(1, -1);
    return tuple(inner.split(',').flatMap((each) => (each.trim() === '' ? [] : [constant(each.trim())])));
  }
  return text(written.replace(/^['"]|['"]$/g, ''));
}

/** How arguments failed to fit a signature. */
export interface BindingProblem {
  readonly message: string;
}

/** Torch takes NumPy's names of arguments too (torch/csrc/utils/python_arg_parser.cpp). */
const numpyNames: ReadonlyMap<string, string> = new Map([
  ['dim', 'axis'],
  ['keepdim', 'keepdims'],
]);

/** Binds arguments to a signature by Python's rules. With `openArguments`, others may have been given that are not known. */
export function bindArguments(
  signature: Signature,
  positional: readonly Value[],
  keywords: ReadonlyMap<string, Value>,
  openArguments = false,
): { readonly bound: ReadonlyMap<string, Value>; readonly given: ReadonlySet<string>; readonly problem: BindingProblem | undefined } {
  const bound = new Map<string, Value>();
  const given = new Set<string>();
  let problem: BindingProblem | undefined;
  let next = 0;
  const rest = keywords.size === 0 ? undefined : new Map(keywords);
  const take = (name: string): Value | undefined => {
    const value = rest?.get(name);
    if (value !== undefined) rest?.delete(name);
    return value;
  };
  const keyword = ({ name, aliases }: SignatureParameter): Value | undefined => {
    if (rest === undefined || rest.size === 0) return undefined;
    let value = take(name);
    for (let i = 0; value === undefined && aliases !== undefined && i < aliases.length; i++) value = take(aliases[i] as string);
    const numpyName = value === undefined ? numpyNames.get(name) : undefined;
    return numpyName === undefined ? value : take(numpyName);
  };
  for (const parameter of signature) {
    if (parameter.kind === 'args') {
      // `x.permute(dims=(0, 2, 1))` names what `x.permute(0, 2, 1)` collects.
      const named = next >= positional.length && !openArguments ? keyword(parameter) : undefined;
      const collected = named === undefined ? positional.slice(next) : [named];
      bound.set(parameter.name, tuple(collected, openArguments ? Math.max(positional.length - next, 0) : undefined));
      if (collected.length > 0) given.add(parameter.name);
      next = positional.length;
    } else if (parameter.kind === 'kwargs') continue;
    else {
      const byPosition = parameter.kind === 'positional' && next < positional.length ? positional[next++] : undefined;
      const value = byPosition ?? keyword(parameter);
      if (value !== undefined) given.add(parameter.name);
      if (value !== undefined) bound.set(parameter.name, value);
      else if (parameter.default !== undefined) bound.set(parameter.name, parameter.default);
      else {
        bound.set(parameter.name, { kind: 'unknown', reason: `${parameter.name} was not given` });
        if (!openArguments) problem ??= { message: `missing argument ${parameter.name}` };
      }
    }
  }
  const catchAll = signature.find(({ kind }) => kind === 'kwargs');
  if (catchAll !== undefined) {
    const entries = dict([...(rest ?? [])].map(([key, value]) => [text(key), value] as const));
    bound.set(catchAll.name, openArguments ? { ...entries, open: true } : entries);
  }
  if (next < positional.length) problem ??= { message: `${positional.length} positional arguments where ${next} are taken` };
  return { bound, given, problem };
}

/** A call of an operation with its arguments bound. */
export const makeCall = (name: string, bound: ReadonlyMap<string, Value>, given: ReadonlySet<string>, site: Site | undefined): Call =>
  new BoundCall(name, bound, given, site);

class BoundCall implements Call {
  readonly name: string;
  readonly arguments: ReadonlyMap<string, Value>;
  readonly site: Site | undefined;
  readonly #given: ReadonlySet<string>;

  constructor(name: string, bound: ReadonlyMap<string, Value>, given: ReadonlySet<string>, site: Site | undefined) {
    this.name = name;
    this.arguments = bound;
    this.site = site;
    this.#given = given;
  }

  value(key: string): Value {
    return this.arguments.get(key) ?? none;
  }

  given(key: string): boolean {
    return this.#given.has(key);
  }

  tensor(key: string): TensorValue | undefined {
    return asTensor(this.value(key));
  }

  dim(key: string): Dim | undefined {
    return dimOf(this.value(key));
  }

  number(key: string): number | undefined {
    return numberOf(this.value(key));
  }

  boolean(key: string): boolean | undefined {
    const found = this.value(key);
    return found.kind === 'bool' ? found.value : found.kind === 'none' ? false : undefined;
  }

  text(key: string): string | undefined {
    const found = this.value(key);
    return found.kind === 'string' ? found.value : undefined;
  }

  isNone(key: string): boolean {
    return this.value(key).kind === 'none';
  }

  list(key: string): readonly Value[] | undefined {
    const found = this.value(key);
    if (found.kind === 'tuple') {
      const [only] = found.items;
      // `x.view(sizes)` and `x.view(*sizes)` are the same.
      if (found.items.length === 1 && found.ellipsis === undefined && only !== undefined) {
        if (only.kind === 'tuple') return only.ellipsis === undefined ? only.items : undefined;
        if (only.kind === 'list') return only.open || only.repeat !== undefined ? undefined : only.items;
      }
      return found.ellipsis === undefined ? found.items : undefined;
    }
    if (found.kind === 'list') return found.open || found.repeat !== undefined ? undefined : found.items;
    return undefined;
  }

  tensors(key: string): readonly TensorValue[] | undefined {
    const items = this.list(key)?.map(asTensor);
    return items === undefined || items.includes(undefined) ? undefined : (items as TensorValue[]);
  }

  sizes(key: string): readonly ViewDim[] | undefined {
    const found = this.value(key);
    return found.kind === 'int' || found.kind === 'unknown' ? [sizeOf(found)] : this.list(key)?.map(sizeOf);
  }

  numbers(key: string): readonly number[] | undefined {
    const found = this.value(key);
    const one = numberOf(found);
    if (one !== undefined) return [one];
    const items = this.list(key)?.map(numberOf);
    return items === undefined || items.includes(undefined) ? undefined : (items as number[]);
  }
}

const sizeOf = (item: Value): ViewDim => {
  const dim: Dim | undefined = dimOf(item);
  if (dim === undefined) return unknownDim('not a known whole number');
  return dim.constant === -1 ? 'infer' : dim;
};

const asTensor = (value: Value): TensorValue | undefined => (value.kind === 'tensor' ? value : undefined);

/** A whole number as a value. */
export const whole = (value: number): Value => int(number(value));
