import type { Context } from '../dims/shape.ts';
import type { Frame } from './frame.ts';
import type { Call, Problem } from './operation.ts';
import type { FunctionValue, InstanceValue, ModuleCall, Site, TensorValue, Value } from './value.ts';

/** A value that was given a name, in the order of evaluation. */
export interface Variable {
  readonly frame: Frame;
  readonly site: Site;
  readonly name: string;
  readonly value: Value;
  /** True for a parameter that took an argument. */
  readonly isArgument: boolean;
}

/** Something that fails, where, and by which calls it came there. */
export interface Failure {
  readonly problem: Problem;
  readonly call: Call;
  /** Innermost first. */
  readonly sites: readonly Site[];
  readonly context: Context;
  /** Conditions of the branches around it that are not certain to be taken. */
  readonly depth: number;
}

/** Something fits one length of what comes in alone. */
export interface Fixing {
  /** The lengths by their keys. */
  readonly lengths: readonly string[];
  /** By its key the size of the code that a length would have to be, where that is a table's. */
  readonly size?: string;
  /** How it fails for other lengths, where it is a table as a whole that fits one of them. */
  readonly failure?: Failure;
}

export interface Recorder {
  variable?(variable: Variable): void;
  failure?(failure: Failure): void;
  /** Every tensor that is made, in order. */
  tensor?(tensor: TensorValue): void;
  /** Every instance that is made, in order. */
  instance?(instance: InstanceValue): void;
  /** Lengths of what comes in, by their keys, that fit one size of the code alone. */
  fixed?(fixing: Fixing): void;
  called?(callee: FunctionValue): void;
  returned?(frame: Frame, value: Value): void;
  /** A module is about to be called. */
  moduleCalled?(call: ModuleCall): void;
}

/** What is recorded while code is followed. */
export type Happening =
  | TensorValue
  | ModuleCall
  | { readonly happened: 'variable'; readonly variable: Variable }
  | { readonly happened: 'failure'; readonly failure: Failure }
  | { readonly happened: 'fixed'; readonly fixing: Fixing }
  | { readonly happened: 'instance'; readonly instance: InstanceValue }
  | { readonly happened: 'called'; readonly callee: FunctionValue }
  | { readonly happened: 'returned'; readonly frame: Frame; readonly value: Value };

/** Tells the recorder what happens, and those who want to tell of it again. */
export class Recording {
  readonly #recorder: Recorder | undefined;
  /** What happens while something is followed that is to be told again. */
  #log: Happening[] | undefined;
  /** Failures of which it is not known yet whether they count. */
  #held: Failure[] | undefined;
  #count = 0;
  /** An operation is being tried: what happens in it did not happen. */
  isPaused = false;

  constructor(recorder: Recorder | undefined) {
    this.#recorder = recorder;
  }

  /** How much was noted. */
  get count(): number {
    return this.#count;
  }

  /** Whether anyone wants to know of this. */
  asksFor(what: 'failure' | 'variable'): boolean {
    return this.#recorder?.[what] !== undefined;
  }

  /** Tells the recorder, and remembers it for those who take over the call in which it happened. */
  note(happening: Happening): void {
    if (this.isPaused) return;
    this.#count += 1;
    this.#log?.push(happening);
    this.#tell(happening);
  }

  /** Notes a failure; it is held back while it is not known whether it counts. */
  fail(failure: Failure): void {
    this.note({ happened: 'failure', failure });
  }

  /** Holds back the failures in some work. */
  holding(failures: Failure[], work: () => void): void {
    const [held, log] = [this.#held, this.#log];
    this.#held = failures;
    // What is taken over of a call in the work fails as it did; around it the failures are those that come to count.
    const own: Happening[] = [];
    if (log !== undefined) this.#log = own;
    try {
      work();
    } finally {
      this.#held = held;
      this.#log = log;
      for (const happening of own) if (!('happened' in happening && happening.happened === 'failure')) log?.push(happening);
    }
  }

  /** Does some work, and gathers what happened in it. */
  logged<Result>(work: () => Result): { readonly result: Result; readonly made: readonly Happening[] } {
    const log = this.#log;
    const start = log?.length ?? 0;
    this.#log ??= [];
    try {
      const result = work();
      return { result, made: this.#log.slice(start) };
    } finally {
      this.#log = log;
    }
  }

  #tell(happening: Happening): void {
    const recorder = this.#recorder;
    if (recorder === undefined) return;
    if ('happened' in happening) {
      switch (happening.happened) {
        case 'variable':
          recorder.variable?.(happening.variable);
          break;
        case 'failure':
          if (this.#held === undefined) recorder.failure?.(happening.failure);
          else this.#held.push(happening.failure);
          break;
        case 'instance':
          recorder.instance?.(happening.instance);
          break;
        case 'fixed':
          recorder.fixed?.(happening.fixing);
          break;
        case 'called':
          recorder.called?.(happening.callee);
          break;
        case 'returned':
          recorder.returned?.(happening.frame, happening.value);
      }
    } else if ('kind' in happening) recorder.tensor?.(happening);
    else recorder.moduleCalled?.(happening);
  }
}
