/** Modules of a model that it hands nothing of known sizes: followed on inputs of their own, they say more. */
import type { Parameter } from '../syntax/python/ast.ts';
import type { Study } from './study.ts';
import type { ClassValue, InstanceValue, ModuleCall, Value } from './value.ts';

/** A module of a model as it is made there. */
export interface Part {
  readonly kind: 'part';
  readonly instance: InstanceValue;
  /** The study of the model. */
  readonly whole: Study;
}

/** Whether all that a module is called with has sizes that are known: none is what it takes for the rest to work. */
function isOfKnownSizes({ positional, keywords }: ModuleCall): boolean {
  const given = [...positional, ...keywords.values()];
  const tensors = given.filter((value) => value.kind === 'tensor');
  return (
    given[0]?.kind === 'tensor' &&
    tensors.every(({ shape }) => shape.ellipsis === undefined && shape.dims.every((dim) => !dim.unknown && !dim.flexible))
  );
}

const clears = new WeakMap<Study['calls'], ReadonlySet<ClassValue>>();

/** The classes that a study calls with known sizes, and its own. */
function clearIn({ calls, instance }: Study): ReadonlySet<ClassValue> {
  const known = clears.get(calls);
  if (known !== undefined) return known;
  const found = new Set<ClassValue>([instance.class]);
  for (const call of calls) if (!found.has(call.instance.class) && isOfKnownSizes(call)) found.add(call.instance.class);
  clears.set(calls, found);
  return found;
}

/** The first module, the outermost of those that it is made of, of one of the classes that no study calls with known sizes. */
export function vaguePart(studies: readonly Study[], classes: readonly ClassValue[], but: ReadonlySet<ClassValue>): Part | undefined {
  const clear = new Set<ClassValue>(but);
  for (const study of studies) for (const each of clearIn(study)) clear.add(each);
  for (const whole of studies) {
    // Which of several classes is made, and how, may hang together.
    for (const { instance } of whole.calls)
      if (!instance.isUncertain && !clear.has(instance.class) && classes.includes(instance.class)) return { kind: 'part', instance, whole };
  }
  return undefined;
}

/** How the model calls the module. */
export const callsOf = ({ instance, whole }: Part): readonly ModuleCall[] => whole.calls.filter((call) => call.instance === instance);

/** What a parameter is given in each of the calls; undefined where a call does not give it. */
export function argumentsFor(
  calls: readonly ModuleCall[],
  parameters: readonly Parameter[],
  parameter: Parameter,
): readonly (Value | undefined)[] {
  const at = parameters.indexOf(parameter);
  return calls.map(({ positional, keywords }) => positional[at] ?? keywords.get(parameter.name?.name ?? ''));
}

/** One value for several: the flag or the absence that all of them are, or one of the tensors; undefined where it is open. */
export function commonArgument(values: readonly (Value | undefined)[]): Value | undefined {
  const [first] = values;
  if (first === undefined) return undefined;
  if (values.every((value) => value?.kind === 'tensor') || values.every((value) => value?.kind === 'none')) return first;
  const isFlag = first.kind === 'bool' && first.value !== undefined;
  return isFlag && values.every((value) => value?.kind === 'bool' && value.value === first.value) ? first : undefined;
}
