import type { Unit } from '../syntax/python/ast.ts';
import type { Changes } from './heap.ts';
import type { ClassValue, FunctionValue, SourceFile, Value } from './value.ts';

/** One call of a function, or the body of a module or class. */
export interface Frame {
  readonly locals: Map<string, Value>;
  readonly function: FunctionValue | undefined;
  /** The class whose body runs, or to which the running method belongs. */
  readonly owner: ClassValue | undefined;
  readonly file: SourceFile;
  readonly unit: Unit | undefined;
  readonly globals: Map<string, Value>;
  readonly parent: Frame | undefined;
  /** Names that `global` and `nonlocal` send elsewhere. */
  readonly redirected: Map<string, Map<string, Value>>;
  /** Values of `return` on paths that may or may not have been taken. */
  readonly returned: Value[];
  /** Those among them that stand under an equality of sizes. */
  readonly special: Set<Value>;
  /** What those paths had changed. */
  readonly exits: Changes[];
  /** Values of `yield`. */
  readonly yielded: Value[];
  /** The value that the method's first parameter was given. */
  readonly self: Value | undefined;
}

/** What a run of code gathers, before it has run. */
export const nothingYet = (): Pick<Frame, 'redirected' | 'returned' | 'exits' | 'special' | 'yielded'> => ({
  redirected: new Map(),
  returned: [],
  exits: [],
  special: new Set(),
  yielded: [],
});
