/** Constructors whose arguments are the object's settings, as those of diffusers are. */
import { setPlain } from './attributes.ts';
import { decoratorName } from './classes.ts';
import type { Interpreter } from './interpreter.ts';
import type { FunctionValue, InstanceValue, Value } from './value.ts';

/** Under `@register_to_config` what the constructor is given is `self.config`, before anything else runs; that of a base adds to it. */
export function registerSettings(
  interpreter: Interpreter,
  { definition, name }: FunctionValue,
  self: Value | undefined,
  bound: ReadonlyMap<string, Value>,
): void {
  if (name !== '__init__' || self?.kind !== 'instance' || definition.kind !== 'function') return;
  if (!definition.decorators.some((each) => /(?:^|\.)register_to_config$/.test(decoratorName(each)))) return;
  const known = self.attributes.get('config');
  const settings = known?.kind === 'instance' ? known : newSettings(interpreter);
  if (settings === undefined) return;
  for (const [key, value] of bound) if (value !== self) setPlain(interpreter, settings, key, value);
  setPlain(interpreter, self, 'config', settings);
}

function newSettings(interpreter: Interpreter): InstanceValue | undefined {
  const record = interpreter.names.library('types.SimpleNamespace');
  const settings = record.kind === 'class' ? interpreter.instance(record) : undefined;
  if (settings !== undefined) settings.open = true;
  return settings;
}
