import type { Changes } from './heap.ts';
import type { Value } from './value.ts';

/** Python's `raise` on the path that is being followed. */
export class Raised {
  /** What the branch that it ended had changed until then. */
  changes: Changes | undefined;

  // No Error: nobody sees its stack, and taking it costs more than what it interrupts.
  constructor(
    readonly type: string,
    readonly detail: string,
    readonly value: Value | undefined,
  ) {}
}

/** The time or depth allowed for an evaluation is used up: what it would have told stays unknown. */
export class BudgetExceeded extends Error {}
