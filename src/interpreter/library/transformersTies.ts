/** Weights that transformers' models share: `_tied_weights_keys` says which name takes the parameter of which other. */
import type { Machine } from '../operation.ts';
import type { InstanceValue, TensorValue, Value } from '../value.ts';

interface Held {
  readonly owner: InstanceValue;
  readonly key: string;
  readonly tensor: TensorValue;
}

/** Every parameter and buffer under its full name. */
function heldBy(model: InstanceValue, machine: Machine): ReadonlyMap<string, Held> {
  const held = new Map<string, Held>();
  const around = new Set<InstanceValue>();
  const visit = (owner: InstanceValue, prefix: string): void => {
    if (around.has(owner)) return;
    around.add(owner);
    for (const [key, value] of owner.attributes) {
      if (value.kind === 'tensor' && (value.isParameter === true || value.isBuffer === true))
        held.set(`${prefix}${key}`, { owner, key, tensor: value });
      else if (machine.isModule(value)) visit(value, `${prefix}${key}.`);
    }
    around.delete(owner);
  };
  visit(model, '');
  return held;
}

const pattern = (text: string): RegExp | undefined => {
  try {
    return new RegExp(`^${text}`);
  } catch {
    return undefined;
  }
};

/** Name of the target to that of the source, patterns and names of modules spelt out as `tie_weights` does. */
function expand(keys: ReadonlyMap<string, string>, names: readonly string[]): ReadonlyMap<string, string> {
  const known = new Set(names);
  const ties = new Map<string, string>();
  for (const [target, source] of keys) {
    if (known.has(target) && known.has(source)) {
      ties.set(target, source);
      continue;
    }
    const [to, from] = [pattern(target), pattern(source)];
    if (to === undefined || from === undefined) continue;
    const targets = names.filter((name) => to.test(name)).sort();
    const sources = names.filter((name) => from.test(name)).sort();
    if (targets.length === 0 || sources.length === 0 || targets.length % sources.length !== 0) continue;
    for (const [i, name] of targets.entries()) {
      const chosen = sources[i % sources.length] as string;
      ties.set(name, ties.get(chosen) ?? chosen);
    }
  }
  return ties;
}

/** Ties the weights of one model as its class and its configuration's `tie_word_embeddings` say. */
export function tieParameters(model: InstanceValue, machine: Machine): void {
  const config = model.attributes.get('config');
  const wanted = config === undefined ? undefined : machine.attribute(config, 'tie_word_embeddings');
  if (wanted === undefined || machine.truth(wanted) !== true) return;
  const written: Value | undefined = machine.attribute(model, '_tied_weights_keys');
  if (written?.kind !== 'dict') return;
  const keys = new Map<string, string>();
  for (const { key, value } of written.entries.values()) {
    if (key.kind === 'string' && value.kind === 'string' && key.value !== undefined && value.value !== undefined)
      keys.set(key.value, value.value);
  }
  if (keys.size === 0) return;
  const held = heldBy(model, machine);
  for (const [target, source] of expand(keys, [...held.keys()])) {
    const [to, from] = [held.get(target), held.get(source)];
    if (to !== undefined && from !== undefined && to.tensor !== from.tensor)
      machine.writeEntry(to.owner.attributes, to.key, from.tensor as Value);
  }
}
