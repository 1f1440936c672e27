import type { Interpreter } from './interpreter.ts';
import type { ClassValue, SourceFile, Value } from './value.ts';

/** A class of a file by its name; undefined when the file defines none, or it could not be read. */
export function classNamed(interpreter: Interpreter, file: SourceFile, name: string): ClassValue | undefined {
  const value = interpreter.guard(() => interpreter.names.global(interpreter.names.globalsOf(file), name));
  return value?.kind === 'class' ? value : undefined;
}

/** The result of calling something, with what was raised taken for unknown. Starts a new budget. */
export function evaluateCall(
  interpreter: Interpreter,
  callee: Value,
  positional: readonly Value[],
  keywords: ReadonlyMap<string, Value> = new Map(),
): Value | undefined {
  interpreter.renew();
  return interpreter.guard(() => interpreter.call(callee, positional, keywords));
}
