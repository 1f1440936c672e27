/** What came of studying a file of model code: what the rules look at. */
import type { Facts } from '../dims/facts.ts';
import type { Substitution } from '../dims/unify.ts';
import type { UnitBody } from '../syntax/python/ast.ts';
import type { Range } from '../text/range.ts';
import type { Wiring } from './flags.ts';
import type { Frame } from './frame.ts';
import type { Interpreter } from './interpreter.ts';
import type { Failure, Variable } from './recording.ts';
import type { Sample } from './samples.ts';
import type { ClassValue, FunctionValue, InstanceValue, ModuleCall, SourceFile, TensorValue, Value } from './value.ts';

/** What a config sets that is no number: what the branches of the code ask for. */
export interface Settings {
  /** The value of `config.use_bias`, by the path that the code writes and the class whose setting it is. */
  readonly valueOf: (path: string, scope: string) => boolean | string | undefined;
  readonly file: { readonly uri: string; readonly text: string };
  /** All that the config sets. */
  readonly names: readonly string[];
  /** The switches of the config as a whole, with the places that set them. */
  readonly switches: readonly { readonly name: string; readonly value: boolean; readonly range: Range }[];
}

/** One class followed from its constructor through `forward`, with all that happened on the way. */
export interface Study {
  readonly class: ClassValue;
  /** The function that makes the instance, where that is not the class alone. */
  readonly maker?: FunctionValue;
  /** The instance is a part of a model that another study follows. */
  readonly isPart?: boolean;
  /** What the flags were taken to be that say how sublayers are put together; undefined where they are left open. */
  readonly wiring?: Wiring;
  readonly instance: InstanceValue;
  /** What `forward` answered; undefined when it was not reached, or raised. */
  readonly output: Value | undefined;
  readonly inputs: readonly TensorValue[];
  /** Every tensor made on the way, constructor included, in order. What is worked out of a study is kept by this list, and goes with it. */
  readonly tensors: readonly TensorValue[];
  readonly failures: readonly Failure[];
  readonly variables: readonly Variable[];
  readonly runs: readonly FunctionRun[];
  /** Every call of a module, in the order in which they began. */
  readonly calls: readonly ModuleCall[];
  /** Instances made on the way; those of an earlier study that were met again are not among them. */
  readonly instances: readonly InstanceValue[];
  /** Definitions of the functions that were called. */
  readonly reached: ReadonlySet<unknown>;
  /** What it takes to follow it and to judge what came of it, in steps. */
  readonly work: number;
  /** The file's own statements that it rests on: while they stay, it holds. */
  readonly rests: ReadonlySet<UnitBody>;
  /** What sizes were found to be by its end. */
  readonly substitution: Substitution;
  /** What the construction says of sizes. */
  readonly facts: Facts;
}

/** A call of a function of the file, with what came in and what went out. */
export interface FunctionRun {
  readonly frame: Frame;
  readonly result: Value;
}

/** What is known about a file of model code. */
export interface CodeReading {
  readonly file: SourceFile;
  readonly interpreter: Interpreter;
  readonly studies: readonly Study[];
  readonly failures: readonly Failure[];
  readonly variables: readonly Variable[];
  readonly runs: readonly FunctionRun[];
  /** Numbers that the code gives as defaults, by symbol key. */
  readonly defaults: ReadonlyMap<string, number>;
  /** Numbers that a config or a comment gives: they stand before the defaults. */
  readonly given?: Sample;
  readonly settings?: Settings;
  /** Present where some of the file is still to be studied: what was last known of that. */
  readonly stale?: readonly Study[];
}

/** The reading with what happened in all of the studies. It holds on to nothing else of whoever made them. */
export const withAll = (reading: Omit<CodeReading, 'failures' | 'variables' | 'runs'>, studies: readonly Study[]): CodeReading => ({
  ...reading,
  // The rules look at one study after the other: few ask for all at once.
  get failures() {
    return studies.flatMap(({ failures }) => failures);
  },
  get variables() {
    return studies.flatMap(({ variables }) => variables);
  },
  get runs() {
    return studies.flatMap(({ runs }) => runs);
  },
});

/** The reading with one study alone: what rules look at. */
export const readingOf = ({ file, interpreter, defaults, given, settings }: CodeReading, study: Study): CodeReading => ({
  file,
  interpreter,
  defaults,
  ...(given === undefined ? {} : { given }),
  ...(settings === undefined ? {} : { settings }),
  studies: [study],
  failures: study.failures,
  variables: study.variables,
  runs: study.runs,
});
