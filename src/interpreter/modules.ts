import type { Interpreter } from './interpreter.ts';
import type { InstanceValue, TensorValue, Value } from './value.ts';

/** A tensor of a module under the name by which checkpoints know it. */
export interface NamedTensor {
  readonly name: string;
  readonly tensor: TensorValue;
  /** The module that holds it. */
  readonly owner: InstanceValue;
}

/**
 * The parameters of a module and of those inside it, as `named_parameters(remove_duplicate=False)` lists them; `complete` is false
 * where an attribute may hold others. A module inside itself is listed once.
 */
export function parametersOf(
  interpreter: Interpreter,
  module: InstanceValue,
): { readonly parameters: readonly NamedTensor[]; readonly buffers: readonly NamedTensor[]; readonly unknown: readonly string[] } {
  const parameters: NamedTensor[] = [];
  const buffers: NamedTensor[] = [];
  const unknown: string[] = [];
  const around = new Set<InstanceValue>();
  const visit = (owner: InstanceValue, prefix: string): void => {
    if (around.has(owner)) return;
    around.add(owner);
    if (owner.open || owner.class.isOpen) unknown.push(`${prefix}*`);
    for (const [key, value] of owner.attributes) see(owner, `${prefix}${key}`, value);
    around.delete(owner);
  };
  const see = (owner: InstanceValue, name: string, value: Value): void => {
    if (value.kind === 'tensor') {
      if (value.isParameter === true) parameters.push({ name, tensor: value, owner });
      else if (value.isBuffer === true) buffers.push({ name, tensor: value, owner });
    } else if (value.kind === 'union') {
      const options = value.options.filter((option) => mayHold(option));
      if (options.length > 0) unknown.push(name);
    } else if (interpreter.isModule(value)) visit(value, `${name}.`);
  };
  /** `DropPath(rate) if rate > 0 else Identity()` holds no parameters either way. */
  const mayHold = (option: Value): boolean => {
    if (option.kind === 'tensor') return option.isParameter === true;
    if (!interpreter.isModule(option)) return false;
    const inside = parametersOf(interpreter, option);
    return inside.parameters.length > 0 || inside.unknown.length > 0;
  };
  visit(module, '');
  return { parameters, buffers, unknown };
}
