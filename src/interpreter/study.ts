/**
 * Studies a file of model code on its own, for linting: each module class is constructed with symbols for what it is given, and its
 * `forward` is followed on inputs of unknown shape. Classes that others in the file construct are seen where they are used; only what
 * was not seen there is studied alone.
 */
import { type Dim, loneAtom, rigid } from '../dims/dim.ts';
import { Facts } from '../dims/facts.ts';
import { type Shape, unknownShape } from '../dims/shape.ts';
import { Substitution } from '../dims/unify.ts';
import type {
  ClassDefinition,
  Expression,
  FunctionDefinition,
  Parameter,
  PythonModule,
  Span,
  Statement,
  UnitBody,
} from '../syntax/python/ast.ts';
import { eachChildStatement, eachExpression } from '../syntax/python/walk.ts';
import type { Range } from '../text/range.ts';
import { isAlwaysGiven } from './callers.ts';
import { defaultOf, fieldsOf, isDataclass } from './classes.ts';
import type { Frame } from './frame.ts';
import { type InputShapes, inputShapes, type StatedAxes } from './inputs.ts';
import { type Failure, Interpreter, type InterpreterOptions, isOfAxes, type Recorder, type Variable } from './interpreter.ts';
import { unite } from './join.ts';
import { bool, float, int, named, none, numberOf, shareOf, text, unknown } from './make.ts';
import { areAmong, givenSettings, openSettings } from './memory.ts';
import { beginNames, Defaults, lengthScope, type Sample } from './samples.ts';
import type { ClassValue, FunctionValue, InstanceValue, ModuleCall, SourceFile, TensorValue, Value } from './value.ts';

/** What flags are taken to be that say where norms stand, and whether sublayers read the same stream. */
export interface Wiring {
  readonly normsFirst?: boolean;
  readonly isParallel?: boolean;
  /** Every switch is what the config says. */
  readonly isConfigured?: boolean;
}

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
  /** What the flags were taken to be that say how sublayers are put together; undefined where they are left open. */
  readonly wiring?: Wiring;
  readonly instance: InstanceValue;
  /** What `forward` answered; undefined when it was not reached, or raised. */
  readonly output: Value | undefined;
  readonly inputs: readonly TensorValue[];
  /** Every tensor made on the way, constructor included, in order. */
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

/** Whether there is no time for a study of about so much work, in steps; 0 where nothing is known of it. */
export type IsOver = (work: number) => boolean;

const never: IsOver = () => false;

export interface StudyOptions extends Pick<InterpreterOptions, 'loader' | 'parse'> {
  /** Statements and calls for each class. */
  readonly budget?: number;
  readonly wiring?: Wiring;
  /** Numbers that a config or a comment gives. */
  readonly given?: Sample;
  readonly settings?: Settings;
  /** What comments and types say of parameters, in a version of the file. */
  readonly stated?: (module: PythonModule) => StatedAxes;
}

/** Settings that choose between norms before the sublayers and norms behind them. */
const placementFlag =
  /^(?:\w+_)?(?:norm_first|normali[sz]e_before|pre_?norm|prenorm|pre_ln|pre_layer_?norm|layer_?norm_first|layer_norm_before)$/i;
/** Settings that choose between sublayers beside one another and sublayers behind one another. */
const parallelFlag = /^(?:use_)?parallel_(?:residual|attn|attention|block|layers?)(?:_connections?)?$/i;
const mentionsParallel = /\b(?:use_)?parallel_(?:residual|attn|attention|block|layers?)(?:_connections?)?\b/;
/** Of sublayers beside one another: whether both read one norm. */
const sharingFlag = /^shared?_(?:\w+_)?(?:norm|ln|layer_?norm)$/i;
const mentionsPlacement = /\b\w*(?:norm_first|normali[sz]e_before|pre_?norm|pre_ln|pre_layer_?norm|layer_?norm_first|layer_norm_before)\b/;

interface Mentions {
  readonly placement: boolean;
  readonly parallel: boolean;
}

const flagMentions = new WeakMap<UnitBody, Mentions>();

/** The statements that mention a flag that wires sublayers, with which. Looked for once in each. */
function flaggedUnits({ text, units }: PythonModule): ReadonlyMap<UnitBody, Mentions> {
  const found = new Map<UnitBody, Mentions>();
  for (const { start, body } of units) {
    let known = flagMentions.get(body);
    if (known === undefined) {
      const written = text.slice(start, start + body.statement.end);
      known = { placement: mentionsPlacement.test(written), parallel: mentionsParallel.test(written) };
      flagMentions.set(body, known);
    }
    if (known.placement || known.parallel) found.set(body, known);
  }
  return found;
}

/** What the flags are set to in turn, where a file has such flags. */
function wiringsOf(flagged: ReadonlyMap<UnitBody, Mentions>): readonly Wiring[] {
  const [placement, parallel] = [[...flagged.values()].some((each) => each.placement), [...flagged.values()].some((each) => each.parallel)];
  if (!parallel) return placement ? [{ normsFirst: true }, { normsFirst: false }] : [];
  if (!placement) return [{ isParallel: false }, { isParallel: true }];
  return [{ normsFirst: true, isParallel: false }, { normsFirst: false, isParallel: false }, { isParallel: true }];
}

const isWiringFlag = (name: string): boolean => placementFlag.test(name) || parallelFlag.test(name) || sharingFlag.test(name);

function flagValue(name: string, { normsFirst, isParallel }: Wiring): Value | undefined {
  if (normsFirst !== undefined && placementFlag.test(name)) return bool(normsFirst);
  if (isParallel === undefined) return undefined;
  return parallelFlag.test(name) ? bool(isParallel) : sharingFlag.test(name) ? bool(false) : undefined;
}

/** The reading with what happened in all of the studies. It holds on to nothing else of whoever made them. */
const withAll = (reading: Omit<CodeReading, 'failures' | 'variables' | 'runs'>, studies: readonly Study[]): CodeReading => ({
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

/** Follows all model code of a file. Never throws; bounded by the budget. */
export const studyFile = (file: SourceFile, options: StudyOptions): CodeReading => new Student(options).read(file);

/** Studies the versions of one file, whose `module` is replaced between them: what an edit does not touch is not studied again. */
export class Student {
  readonly #options: StudyOptions;
  readonly #interpreter: Interpreter;
  /** Those who take the flags that wire sublayers to be set, and not to be; by what they take them to be. */
  readonly #variants = new Map<string, Student>();
  readonly #defaults = new Defaults();
  #file: SourceFile | undefined;
  #module: SourceFile['module'] | undefined;
  #studies: readonly Study[] = [];
  /** Those of versions before that this one has no use for. */
  #earlier: readonly Study[] = [];
  /** What could not be studied, and what that rests on. */
  readonly #failed = new Map<string, Pick<Study, 'rests'>>();
  #symbols: Symbols;
  #stated: StatedAxes | undefined;
  #now = fresh();

  constructor(options: StudyOptions) {
    this.#options = options;
    const assumes = this.#assumptions(options);
    const recorder: Recorder = {
      variable: (variable) => this.#now.variables.push(variable),
      failure: (failure) => this.#now.failures.push(failure),
      fixed: (lengths) => {
        for (const each of lengths) this.#now.fixed.add(each);
      },
      tensor: (tensor) => this.#now.tensors.push(tensor),
      instance: (instance) => this.#now.instances.push(instance),
      moduleCalled: (call) => this.#now.calls.push(call),
      called: (callee) => this.#now.reached.add(callee.definition),
      returned: (frame, result) => {
        if (frame.file === this.#file) this.#now.runs.push({ frame, result });
      },
    };
    this.#interpreter = new Interpreter({
      ...options,
      recorder,
      samples: { defaults: this.#defaults, ...(options.given === undefined ? {} : { given: options.given }) },
      budget: options.budget ?? 60_000,
      rounds: 8,
      assumesShapes: true,
      shares: true,
      assumes,
    });
    this.#symbols = new Symbols(this.#interpreter, this.#defaults);
  }

  /** Lets go of all that was followed; readings that were handed out keep their own. */
  dispose(): void {
    for (const variant of this.#variants.values()) variant.dispose();
    this.#variants.clear();
    this.#failed.clear();
    this.#studies = [];
    this.#earlier = [];
    this.#now = fresh();
    this.#symbols = new Symbols(this.#interpreter, this.#defaults);
    this.#interpreter.dispose();
  }

  /** What settings are taken to be, by the path that the code writes and the class whose setting it is. */
  #assumptions({ wiring, settings }: StudyOptions): InterpreterOptions['assumes'] {
    if (wiring !== undefined && wiring.isConfigured !== true) return (path) => flagValue(path.slice(path.lastIndexOf('.') + 1), wiring);
    return (path, scope) => {
      if (wiring === undefined && isWiringFlag(path.slice(path.lastIndexOf('.') + 1))) this.#interpreter.memory.rest(openSettings);
      const value = settings?.valueOf(path, scope);
      if (value === undefined) return undefined;
      // Whoever leaves switches open reads both branches; how it is with the config, another reads besides.
      if (wiring === undefined) {
        this.#interpreter.memory.rest(givenSettings);
        return undefined;
      }
      return typeof value === 'boolean' ? bool(value) : text(value);
    };
  }

  /**
   * `elsewhere`: studies of the file that another made, and that are not made again here. Once time `isOver`, what is left is put off to
   * the next time that the file is read: the reading is `partial` then.
   */
  read(file: SourceFile, elsewhere: readonly Study[] = [], isOver: IsOver = never): CodeReading {
    const interpreter = this.#interpreter;
    if (this.#file === file && this.#module !== undefined) interpreter.update(file, this.#module);
    interpreter.study(file);
    this.#file = file;
    this.#stated = this.#options.stated?.(file.module);
    this.#module = file.module;
    const bodies = new Set(file.module.units.map(({ body }) => body));
    const holds = ({ rests }: Pick<Study, 'rests'>): boolean => areAmong(rests, bodies);
    const kept = new Map<string, Study>();
    /** The last studies under each key, of what may have changed since. */
    const before = new Map<string, Study>();
    for (const study of [...this.#earlier, ...this.#studies]) {
      before.set(keyOf(study), study);
      if (holds(study)) kept.set(keyOf(study), study);
    }
    for (const [key, failed] of this.#failed) if (!holds(failed)) this.#failed.delete(key);
    const globals = interpreter.globalsOf(file);
    const classes = definitionsOf(file)
      .map((definition) => interpreter.guard(() => interpreter.global(globals, definition.name.name)))
      .filter((value) => value?.kind === 'class')
      .filter((value) => value.file === file && hasForward(interpreter, value));
    const used = usedClasses(file);
    const known = new Set(elsewhere.map(keyOf));
    const studies: Study[] = [];
    const stale: Study[] = [];
    let isPartial = false;
    const isOpen = (key: string): boolean => !known.has(key) && !kept.has(key) && !this.#failed.has(key);
    const workOf = (key: string): number => before.get(key)?.work ?? 0;
    const make = (key: string, of: ClassValue | FunctionValue): void => {
      const started = interpreter.work;
      const { result, rests } = interpreter.memory.tracked(() => this.#study(of));
      if (result !== undefined) kept.set(key, { ...result, work: interpreter.work - started + result.tensors.length });
      else {
        for (const each of of.kind === 'class' ? of.mro : [of])
          if (each.unit !== undefined && each.file === file) rests.add(each.unit.body);
        this.#failed.set(key, { rests });
      }
    };
    const study = (key: string, of: ClassValue | FunctionValue): void => {
      if (isOpen(key)) {
        isPartial ||= isOver(workOf(key));
        if (!isPartial) make(key, of);
      }
      const found = known.has(key) ? undefined : kept.get(key);
      const old = before.get(key);
      if (found !== undefined) studies.push(found);
      else if (isPartial && old !== undefined) stale.push(old);
    };
    const roots: (readonly [string, ClassValue | FunctionValue])[] = [
      ...classes.filter((of) => !used.has(of.name)).map((of) => [of.qualifiedName, of] as const),
      ...makersOf(interpreter, file, classes).map((maker) => [`def ${maker.name}`, maker] as const),
    ];
    if (isOver !== never) {
      // Whoever waits sees something of what changed: what takes least comes first.
      const open = roots.filter(([key]) => isOpen(key)).sort(([a], [b]) => workOf(a) - workOf(b));
      for (const [key, of] of open) {
        isPartial ||= isOver(workOf(key));
        if (isPartial) break;
        make(key, of);
      }
    }
    for (const [key, of] of roots) study(key, of);
    for (const of of classes) {
      const [entry] = entriesOf(interpreter, of);
      const isReached = ({ reached }: Study): boolean => reached.has(entry?.definition);
      if (studies.some(isReached) || elsewhere.some(isReached)) continue;
      // Where studies are put off it is not known yet whether one of them comes here.
      if (!isPartial || kept.has(of.qualifiedName)) study(of.qualifiedName, of);
      else if (before.has(of.qualifiedName)) stale.push(before.get(of.qualifiedName) as Study);
    }
    for (const definition of attentionFunctions(file)) {
      const isReached = ({ reached }: Study): boolean => reached.has(definition);
      if (isPartial || studies.some(isReached) || elsewhere.some(isReached)) continue;
      const of = interpreter.guard(() => interpreter.global(globals, definition.name.name));
      if (of?.kind === 'function' && of.definition === definition) study(`def ${of.name}`, of);
    }
    this.#earlier = [...before.values()].filter((old) => !studies.includes(old));
    this.#studies = studies;
    const varied = this.#varied(file, isPartial, isOver);
    const { given, settings } = this.#options;
    const reading = {
      file,
      interpreter,
      studies: [...studies, ...varied.studies],
      defaults: this.#defaults,
      ...(given === undefined ? {} : { given }),
      ...(settings === undefined ? {} : { settings }),
      ...(isPartial || varied.stale !== undefined ? { stale: [...stale, ...(varied.stale ?? [])] } : {}),
    };
    return withAll(reading, studies);
  }

  /** The same with the flags that wire sublayers set either way, where the file has such flags, and with all as a config sets it. */
  #varied(file: SourceFile, isPutOff: boolean, isOver: IsOver): Pick<CodeReading, 'studies' | 'stale'> {
    if (this.#options.wiring !== undefined) return { studies: [] };
    const flagged = flaggedUnits(file.module);
    const wirings: (readonly [Wiring, readonly Study[]])[] = [];
    // What never asked for such a flag is the same whatever it is.
    const varyBy = (asked: UnitBody, ways: readonly Wiring[]): void => {
      const others = this.#studies.filter(({ rests }) => !rests.has(asked));
      if (others.length < this.#studies.length) for (const wiring of ways) wirings.push([wiring, others]);
    };
    varyBy(openSettings, wiringsOf(flagged));
    varyBy(givenSettings, [{ isConfigured: true }]);
    if (wirings.length === 0) return { studies: [] };
    if (isPutOff) return { studies: [], stale: [...this.#variants.values()].flatMap((variant) => variant.#studies) };
    const readings = wirings.map(([wiring, elsewhere]) => {
      const key = JSON.stringify(wiring);
      const variant = this.#variants.get(key) ?? new Student({ ...this.#options, wiring });
      this.#variants.set(key, variant);
      return variant.read(file, elsewhere, isOver);
    });
    const stale = readings.some((reading) => reading.stale !== undefined) ? readings.flatMap((reading) => reading.stale ?? []) : undefined;
    return { studies: readings.flatMap(({ studies }) => studies), ...(stale === undefined ? {} : { stale }) };
  }

  #study(of: ClassValue | FunctionValue): Study | undefined {
    const found = this.#chosen(of);
    if (found === undefined || found.failures.length === 0 || found.choices === 0) return found;
    // A number of axes that is only assumed proves nothing wrong, and one that is usual no number of axes.
    const others = found.isUnusual ? this.#without(found.failures, of, 'unusual') : found.failures;
    const fewer = others.some(isOfAxes) ? this.#without(others, of, 'all') : others;
    const failures = others.filter(isOfAxes).every((failure) => fewer.includes(failure)) ? others : fewer;
    return failures.length === found.failures.length ? found : { ...found, failures };
  }

  /** What of this goes wrong even where inputs whose axes nothing counts have any number of them. */
  #without(failures: readonly Failure[], of: ClassValue | FunctionValue, uncounted: 'unusual' | 'all'): readonly Failure[] {
    const other = this.#attempt(of, { at: 0, uncounted });
    if (other?.output === undefined) return failures;
    const still = new Set(other.failures.map(placeOf));
    return failures.filter((failure) => still.has(placeOf(failure)));
  }

  #chosen(of: ClassValue | FunctionValue): Attempt | undefined {
    const whole = this.#attempt(of, { at: 0 });
    if (whole === undefined || holds(whole) || (whole.choices === 0 && !whole.hasMasks)) return whole;
    const other = whole.hasMasks ? this.#attempt(of, { at: 0, masksAt: 1 }) : undefined;
    const first = other !== undefined && other.failures.length <= whole.failures.length ? other : whole;
    if (first.choices === 0 || holds(first)) return first;
    // What goes wrong under an assumed shape counts only where it does under every other that what things are called does not speak against.
    const masksAt = first === whole ? 0 : 1;
    const apart = first.inputs.length > 1 ? this.#attempt(of, { at: 0, isApart: true, masksAt }) : undefined;
    if (apart !== undefined && holds(apart)) return first.output === undefined ? apart : { ...first, failures: apart.failures };
    const named = namedSizes(first);
    const others = Array.from({ length: first.choices - 1 }, (_, i) => i + 1);
    for (const at of others) {
      const other = this.#attempt(of, { at, masksAt });
      if (other !== undefined && holds(other) && !contradictsNames(named, other)) return other;
    }
    // What rests on the name of an input alone does not count where it fails.
    const sure = this.#attempt(of, { at: 0, onlySure: true, masksAt });
    if (sure !== undefined && (holds(sure) || (first.failures.length > 0 && sure.output !== undefined))) return sure;
    const plain = this.#attempt(of, undefined);
    return first.output === undefined && first.failures.length === 0 && plain?.output !== undefined ? plain : first;
  }

  /** Studies the class with the shapes that its inputs have by one choice, or none. */
  #attempt(of: ClassValue | FunctionValue, choice: Choice | undefined): Attempt | undefined {
    this.#now = fresh();
    const interpreter = this.#interpreter;
    const before = interpreter.work;
    interpreter.memory.beginStudy();
    interpreter.facts = Facts.none;
    interpreter.substitution = Substitution.empty;
    const { result, rests } = interpreter.memory.tracked(() => studyClass(interpreter, of, this.#symbols, choice, this.#stated));
    if (result === undefined) return undefined;
    const made = result.instance.class;
    const { fixed, ...now } = this.#now;
    for (const each of made.mro) if (each.unit !== undefined && each.file === this.#file) rests.add(each.unit.body);
    if (of.kind === 'function') rests.add(of.unit.body);
    return {
      class: made,
      ...(of.kind === 'function' ? { maker: of } : {}),
      ...(this.#options.wiring === undefined ? {} : { wiring: this.#options.wiring }),
      ...result,
      ...now,
      // What fits one length alone is not to work for others.
      failures: now.failures.filter(({ problem }) => problem.lengths?.some((each) => fixed.has(each)) !== true),
      work: interpreter.work - before,
      rests,
      substitution: interpreter.substitution,
    };
  }
}

/** Which of the shapes that inputs may have. */
interface Choice {
  /** The most plausible, or another. */
  readonly at: number;
  /** Those that code tells alone. */
  readonly onlySure?: boolean;
  /** Inputs that nothing ties together have sizes of their own. */
  readonly isApart?: boolean;
  /** Inputs whose axes nothing counts have any number of them. */
  readonly uncounted?: 'unusual' | 'all';
  /** The same for masks. */
  readonly masksAt?: number;
}

type Attempt = Study & {
  /** How many ways there are to choose the inputs' shapes. */
  readonly choices: number;
  readonly hasMasks: boolean;
  /** An input's number of axes is assumed, and its name is none that says it. */
  readonly isUnusual: boolean;
};

const keyOf = ({ class: of, maker }: Study): string => (maker === undefined ? of.qualifiedName : `def ${maker.name}`);

const maximumMakers = 3;

/** Functions of the file that build models out of its classes and answer them. */
function makersOf(interpreter: Interpreter, file: SourceFile, classes: readonly ClassValue[]): readonly FunctionValue[] {
  const names = new Set(classes.map(({ name }) => name));
  const found: FunctionValue[] = [];
  for (const { body } of file.module.units) {
    const { statement } = body;
    if (statement.kind !== 'function' || found.length >= maximumMakers) continue;
    const mentioned = mentionedIn(body);
    let count = 0;
    for (const name of names) if (mentioned.has(name)) count += 1;
    // One class that a function makes can be studied without it.
    if (count < 2) continue;
    const value = interpreter.guard(() => interpreter.global(interpreter.globalsOf(file), statement.name.name));
    if (value?.kind === 'function') found.push(value);
  }
  return found;
}

const maximumFunctions = 4;

/** Functions of the file that attend, which nothing in it may call: those that a library or another file chooses by name. */
const attentionFunctions = ({ module }: SourceFile): readonly FunctionDefinition[] =>
  module.units
    .flatMap(({ start, body }) => (body.statement.kind === 'function' && attends(body, module.text, start) ? [body.statement] : []))
    .slice(0, maximumFunctions);

const attending = new WeakMap<UnitBody, boolean>();

/** Whether what is written of a function says that it attends. Looked at once per statement. */
function attends(body: UnitBody, text: string, start: number): boolean {
  let known = attending.get(body);
  if (known === undefined) {
    const { statement } = body;
    const isPlain = statement.kind === 'function' && statement.decorators.length === 0 && statement.parameters.length >= 3;
    const written = isPlain ? text.slice(start, start + statement.end) : '';
    known = /softmax|scaled_dot_product_attention/.test(written) && !/\bself\b/.test(written) && !/nn\.Module\b/.test(written);
    attending.set(body, known);
  }
  return known;
}

const rowNames = /^(?:b|bs|bsz|n?_?batch(?:es|_?sizes?)?)$/i;
const lengthNames = /^(?:t|seq\w*|\w*_?seq_?len\w*|[qkst]_?len|(?:tgt|src|query|key)_?len\w*|n_?tokens|num_tokens)$/i;

/** Places where a number of rows or a length of what comes in is called so. */
function namedSizes({ variables }: Study): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const { name, value, site } of variables) {
    const symbol = value.kind === 'int' ? loneAtom(value.dim) : undefined;
    if (symbol?.kind !== 'symbol' || symbol.scope !== lengthScope) continue;
    if ((symbol.name === 'B' ? rowNames : lengthNames).test(name)) found.set(`${site.unit.start + site.node.start}`, symbol.name);
  }
  return found;
}

/** Whether one size stands, under these inputs, where the code speaks of rows and where it speaks of lengths, or a number where it speaks of rows. */
function contradictsNames(named: ReadonlyMap<string, string>, { variables }: Study): boolean {
  const rows = new Set<string>();
  const lengths = new Set<string>();
  for (const { value, site } of variables) {
    const expected = named.get(`${site.unit.start + site.node.start}`);
    if (expected === undefined || value.kind !== 'int' || value.dim.unknown) continue;
    if (expected === 'B' && value.dim.constant !== undefined) return true;
    (expected === 'B' ? rows : lengths).add(value.dim.key);
  }
  return [...rows].some((key) => lengths.has(key));
}

/** Where it happens, and from where it was called. */
const placeOf = ({ sites }: Failure): string => sites.map(({ file, unit, node }) => `${file.path}:${unit.start + node.start}`).join(' ');

/** Whether all that was followed works. */
const holds = ({ output, failures }: Study): boolean => output !== undefined && failures.every(({ problem }) => problem.basis === 'widths');

const fresh = (): {
  tensors: TensorValue[];
  failures: Failure[];
  variables: Variable[];
  runs: FunctionRun[];
  calls: ModuleCall[];
  instances: InstanceValue[];
  reached: Set<unknown>;
  fixed: Set<string>;
} => ({ tensors: [], failures: [], variables: [], runs: [], calls: [], instances: [], reached: new Set(), fixed: new Set() });

function* classDefinitions(statements: readonly Statement[]): Generator<ClassDefinition> {
  for (const statement of statements) {
    if (statement.kind === 'class') yield statement;
    else if (statement.kind === 'if' || statement.kind === 'try') {
      const inner: Statement[] = [];
      eachChildStatement(statement, (child) => inner.push(child));
      yield* classDefinitions(inner);
    }
  }
}

const definitionsOf = (file: SourceFile): readonly ClassDefinition[] =>
  file.module.units.flatMap(({ body }) => [...classDefinitions([body.statement])]);

function hasForward(interpreter: Interpreter, value: ClassValue): boolean {
  const forward = forwardMember(interpreter, value);
  if (forward === undefined) return entriesOf(interpreter, value).length > 0;
  return (value.isOpen && forward.name === 'forward') || value.mro.some(({ qualifiedName }) => forwardNames.has(qualifiedName));
}

/** The method in which each library's modules say what they compute. */
const forwardNames: ReadonlyMap<string, string> = new Map([
  ['torch.nn.Module', 'forward'],
  ['flax.linen.Module', '__call__'],
  ['flax.nnx.Module', '__call__'],
  ['keras.Layer', 'call'],
  ['mlx.nn.Module', '__call__'],
]);

/** The user's own method that runs when a module is called. */
function forwardMember(interpreter: Interpreter, of: ClassValue): FunctionValue | undefined {
  const library = of.mro.find(({ qualifiedName }) => forwardNames.has(qualifiedName));
  const member = interpreter.classMember(of, (library === undefined ? undefined : forwardNames.get(library.qualifiedName)) ?? 'forward');
  return member?.kind === 'function' && !member.file.isPrelude ? member : undefined;
}

const mentions = new WeakMap<UnitBody, ReadonlySet<string>>();

/** Names that the body of a class, a function or an assignment mentions. Worked out once per statement. */
function mentionedIn(body: UnitBody): ReadonlySet<string> {
  const known = mentions.get(body);
  if (known !== undefined) return known;
  const { statement } = body;
  const found = new Set<string>();
  const own = statement.kind === 'class' ? statement.name.name : undefined;
  const built = new Set<Expression>();
  const visit = (child: Statement): void => {
    eachExpression(child, (expression) => {
      if (expression.kind === 'name' && expression.name !== own && !built.has(expression)) found.add(expression.name);
      // `model = GPT(config)` at the end of a script makes what nothing else in the file is made of.
      if (statement.kind === 'assign' && expression.kind === 'call') built.add(expression.callee);
    });
    eachChildStatement(child, visit);
  };
  if (statement.kind === 'class') statement.body.forEach(visit);
  else if (statement.kind === 'function' || statement.kind === 'assign') visit(statement);
  mentions.set(body, found);
  return found;
}

/** What among the names is mentioned elsewhere in the file is constructed there. */
export function usedClasses(file: SourceFile): ReadonlySet<string> {
  const used = new Set<string>();
  for (const { body } of file.module.units) for (const name of mentionedIn(body)) used.add(name);
  return used;
}

/** Makes the symbols under which a class is studied, and remembers the numbers that the code gives for them. */
/** A class or function of the user's own. */
function isUserCallable(value: Value | undefined): boolean {
  if (value?.kind === 'partial') return isUserCallable(value.callee);
  return (value?.kind === 'class' || value?.kind === 'function') && value.file !== undefined && !value.file.isPrelude;
}

class Symbols {
  readonly #interpreter: Interpreter;
  readonly #defaults: Map<string, number>;
  readonly #configs = new Map<ClassValue, { readonly instance: InstanceValue; readonly rests: ReadonlySet<UnitBody> }>();

  constructor(interpreter: Interpreter, defaults: Map<string, number>) {
    this.#interpreter = interpreter;
    this.#defaults = defaults;
  }

  /** The symbol for a whole number of this name. */
  number(path: string, scope: string, value: number | undefined): Value {
    const dim: Dim = rigid(path, { scope });
    const symbol = loneAtom(dim);
    if (value !== undefined && value > 0 && symbol !== undefined) this.#defaults.set(symbol.key, value);
    return int(dim);
  }

  /** A fraction, of which the default tells thousandths. */
  share(path: string, scope: string, value: number | undefined): Value {
    const share = shareOf(path, scope);
    const base = share?.powers?.factors[0]?.base;
    const symbol = base === undefined ? undefined : loneAtom(base);
    const thousandths = value === undefined ? undefined : Math.round(value * 1000);
    if (
      share === undefined ||
      symbol?.kind !== 'symbol' ||
      thousandths === undefined ||
      thousandths < 1 ||
      thousandths !== (value as number) * 1000
    )
      return float(undefined);
    this.#defaults.set(symbol.key, thousandths);
    return share;
  }

  /** A value about which its default tells the type. */
  like(fallback: Value | undefined, path: string, scope: string): Value {
    const assumed = this.#interpreter.options.assumes?.(path, scope);
    if (assumed !== undefined && (fallback === undefined || fallback.kind === 'none' || fallback.kind === assumed.kind)) return assumed;
    switch (fallback?.kind) {
      case 'int': {
        const value = numberOf(fallback);
        return value !== undefined && value < 1 ? named(path, scope) : this.number(path, scope, value);
      }
      case 'float':
        return fallback.value !== undefined && fallback.value >= 1 && fallback.value <= 64 && Number.isInteger(fallback.value)
          ? this.number(path, scope, fallback.value)
          : this.share(path, scope, fallback.value);
      case 'bool':
        return bool(undefined);
      case 'string':
        return fallback.value === undefined ? text(undefined) : { kind: 'string', value: undefined, likely: fallback.value };
      case 'class':
      case 'function':
      case 'builtin':
      case 'partial':
      case 'tuple':
      case 'list':
        return fallback;
      default:
        return named(path, scope);
    }
  }

  /** What the constructor is given for a parameter, the one at this place among those that a call gives. */
  argument(of: ClassValue, parameter: Parameter, at: number, fallback: Value | undefined): Value {
    const name = parameter.name?.name ?? '';
    const scope = of.qualifiedName;
    // What nobody takes says nothing.
    if (isUserCallable(fallback) && isAlwaysGiven(this.#interpreter, of, name, at)) return named(name, scope);
    const annotated =
      parameter.annotation !== undefined
        ? this.#configClass(of, parameter.annotation)
        : (this.#declaredConfig(of, name) ?? this.#impliedConfig(of, name));
    if (annotated !== undefined) return this.config(annotated, name);
    const assumed = this.#interpreter.options.assumes?.(name, scope);
    if (assumed !== undefined && fallback === undefined) return assumed;
    if (fallback === undefined && annotationName(parameter.annotation) === 'int') return this.number(name, scope, undefined);
    if (fallback === undefined && annotationName(parameter.annotation) === 'bool') return bool(undefined);
    if (fallback === undefined && annotationName(parameter.annotation) === 'float') return float(undefined);
    if (fallback === undefined && annotationName(parameter.annotation) === 'str') return text(undefined);
    return this.like(fallback, name, scope);
  }

  field(of: ClassValue, name: string, annotation: Expression): Value {
    const config = this.#configClass(of, annotation);
    if (config !== undefined) return this.config(config, name);
    const fallback = this.#interpreter.guard(() => defaultOf(this.#interpreter, of.members.get(name)));
    return fallback === undefined && annotationName(annotation) === 'int'
      ? this.number(name, of.qualifiedName, undefined)
      : this.like(fallback, name, of.qualifiedName);
  }

  /** The one class of the file that holds every field which the class reads from its unannotated `config`. */
  #impliedConfig(of: ClassValue, parameter: string): ClassValue | undefined {
    if (
      of.file === undefined ||
      of.definition === undefined ||
      !/^(?:config|cfg|args|conf|hparams|hps|params|opts?|model_args)$/.test(parameter)
    )
      return undefined;
    const { file } = of;
    const read = fieldsRead(of.definition, parameter);
    if (read.size === 0) return undefined;
    const fits = definitionsOf(file).flatMap((definition) => {
      // What says what it computes holds no settings; whoever takes some need not be followed again when it changes.
      const computes = definition.body.some((each) => each.kind === 'function' && /^(?:forward|call|__call__)$/.test(each.name.name));
      const isRecord = !computes && (definition.decorators.length > 0 || /(?:Config|Args|Params)$/.test(definition.name.name));
      const value = isRecord
        ? this.#interpreter.guard(() => this.#interpreter.global(this.#interpreter.globalsOf(file), definition.name.name))
        : undefined;
      if (value?.kind !== 'class') return [];
      const has = (name: string): boolean =>
        value.mro.some((each) => each.members.has(name) || each.fields.some((field) => field.name === name));
      return [...read].every(has) ? [value] : [];
    });
    return fits.length === 1 ? fits[0] : undefined;
  }

  /** `config: LlamaConfig` in the body of the class or of a base of it. */
  #declaredConfig(of: ClassValue, parameter: string): ClassValue | undefined {
    for (const each of of.mro) {
      const field = each.fields.find(({ name }) => name === parameter);
      if (field !== undefined) return this.#configClass(each, field.annotation);
    }
    return undefined;
  }

  #configClass(of: ClassValue, annotation: Expression): ClassValue | undefined {
    const name = annotationName(annotation);
    if (name === undefined || of.file === undefined) return undefined;
    const { file } = of;
    const value = this.#interpreter.guard(() => this.#interpreter.global(this.#interpreter.globalsOf(file), name));
    if (value?.kind !== 'class') return undefined;
    const isConfig = value.mro.some(isDataclass) || value.mro.some((each) => /Config$/.test(each.name));
    return isConfig ? value : undefined;
  }

  /** A config whose numbers are symbols with the class's defaults. */
  config(of: ClassValue, path: string): InstanceValue {
    const { memory } = this.#interpreter;
    let known = this.#configs.get(of);
    if (known === undefined) {
      const { result: instance, rests } = memory.tracked(() => this.#newConfig(of, path));
      known = { instance, rests };
      this.#configs.set(of, known);
    } else for (const body of known.rests) memory.rest(body);
    return known.instance;
  }

  #newConfig(of: ClassValue, path: string): InstanceValue {
    const interpreter = this.#interpreter;
    // One scope for all who take it: its sizes are the same for each of them.
    const scope = of.qualifiedName;
    const instance = interpreter.instance(of);
    instance.open = true;
    const attributes = instance.attributes;
    for (const { name, owner } of fieldsOf(of)) {
      const fallback = interpreter.guard(() => defaultOf(interpreter, owner.members.get(name)));
      attributes.set(name, this.like(fallback, `${path}.${name}`, scope));
    }
    for (const each of of.mro) {
      if (each.file?.isPrelude === true) continue;
      for (const [name, member] of each.members) {
        if (!attributes.has(name) && member.kind === 'int') attributes.set(name, this.like(member, `${path}.${name}`, scope));
      }
    }
    attributes.set('__path__', named(path, scope));
    return instance;
  }
}

/** The attributes of a parameter that the methods of a class read. */
function fieldsRead(definition: ClassDefinition, parameter: string): ReadonlySet<string> {
  const read = new Set<string>();
  const visit = (statement: Statement): void => {
    eachExpression(statement, (expression) => {
      if (expression.kind === 'attribute' && expression.object.kind === 'name' && expression.object.name === parameter)
        read.add(expression.name.name);
    });
    eachChildStatement(statement, visit);
  };
  definition.body.forEach(visit);
  return read;
}

function annotationName(annotation: Expression | undefined): string | undefined {
  if (annotation === undefined) return undefined;
  if (annotation.kind === 'name') return annotation.name;
  if (annotation.kind === 'string') return annotation.value;
  if (annotation.kind === 'attribute') return annotation.name.name;
  return undefined;
}

/** The module that a function makes when it is called with symbols; undefined where it makes none. */
function makerResult(interpreter: Interpreter, maker: FunctionValue, symbols: Symbols): InstanceValue | undefined {
  const keywords = new Map<string, Value>();
  for (const { name, kind } of maker.definition.parameters) {
    if (name !== undefined && kind === 'plain') keywords.set(name.name, symbols.like(maker.defaults.get(name.name), name.name, maker.name));
  }
  const result = interpreter.guard(() => interpreter.call(maker, [], keywords));
  return interpreter.isModule(result ?? none) && result?.kind === 'instance' && !result.class.file?.isPrelude ? result : undefined;
}

function studyClass(
  interpreter: Interpreter,
  root: ClassValue | FunctionValue,
  symbols: Symbols,
  choice: Choice | undefined,
  stated: StatedAxes | undefined,
): Pick<Attempt, 'instance' | 'output' | 'inputs' | 'choices' | 'hasMasks' | 'isUnusual'> | undefined {
  interpreter.renew();
  if (root.kind === 'function' && attentionFunctions(root.file).some((each) => each === root.definition))
    return studyFunction(interpreter, root, choice, stated);
  const made = root.kind === 'function' ? makerResult(interpreter, root, symbols) : undefined;
  if (root.kind === 'function' && made === undefined) return undefined;
  const of = root.kind === 'class' ? root : (made as InstanceValue).class;
  const initializer = made === undefined ? interpreter.classMember(of, '__init__') : undefined;
  const positional: Value[] = [];
  const keywords = new Map<string, Value>();
  if (initializer?.kind === 'function') {
    for (const [at, parameter] of initializer.definition.parameters.slice(1).entries()) {
      if (parameter.name === undefined) continue;
      const fallback = initializer.defaults.get(parameter.name.name);
      if (parameter.kind === 'plain') keywords.set(parameter.name.name, symbols.argument(of, parameter, at - 1, fallback));
    }
  } else if (made === undefined) {
    // A record of settings, as modules of Flax are.
    for (const { name, owner, annotation } of fieldsOf(of)) keywords.set(name, symbols.field(owner, name, annotation));
  }
  const instance = made ?? interpreter.guard(() => interpreter.call(of, positional, keywords));
  if (instance?.kind !== 'instance') return undefined;
  const inputs: TensorValue[] = [];
  let output: Value | undefined;
  let choices = 0;
  let hasMasks = false;
  let isUnusual = false;
  for (const entry of entriesOf(interpreter, of)) {
    const run = follow(interpreter, instance, entry, choice, stated);
    output = run.output;
    inputs.push(...run.inputs);
    choices = Math.max(choices, run.choices);
    hasMasks ||= run.hasMasks;
    isUnusual ||= run.isUnusual;
    // What fails is followed no further.
    if (output === undefined) break;
  }
  return { instance, output, inputs, choices, hasMasks, isUnusual };
}

/** Follows a function that attends as if it were a module without layers. */
function studyFunction(
  interpreter: Interpreter,
  root: FunctionValue,
  choice: Choice | undefined,
  stated: StatedAxes | undefined,
): ReturnType<typeof studyClass> {
  const { globals } = interpreter.module('torch.nn') ?? {};
  const holder = globals === undefined ? undefined : interpreter.guard(() => interpreter.global(globals, 'Module'));
  if (holder?.kind !== 'class') return undefined;
  const instance = interpreter.instance(holder);
  return { instance, ...follow(interpreter, instance, root, choice, stated) };
}

/** Calls one method of an instance, or a function, with inputs of the shapes that they have by the choice. */
function follow(
  interpreter: Interpreter,
  instance: InstanceValue,
  entry: FunctionValue,
  choice: Choice | undefined,
  stated: StatedAxes | undefined,
): Pick<Attempt, 'output' | 'inputs' | 'choices' | 'hasMasks' | 'isUnusual'> {
  const of = instance.class;
  const isAlone = entry.owner === undefined && of.file?.isPrelude === true;
  const inputs: TensorValue[] = [];
  const given = new Map<string, Value>();
  const parameters = isAlone ? entry.definition.parameters : entry.definition.parameters.slice(1);
  const names = parameters.flatMap(({ name, kind }) => (name === undefined || kind !== 'plain' ? [] : [name.name]));
  const shapes =
    choice === undefined || entry.definition.kind !== 'function'
      ? new Map<string, InputShapes>()
      : inputShapes(interpreter, isAlone ? undefined : instance, entry, names, stated, choice.onlySure);
  let hasMasks = false;
  for (const parameter of parameters) {
    if (parameter.name === undefined || parameter.kind !== 'plain') continue;
    const fallback = entry.defaults.get(parameter.name.name);
    const known = shapes.get(parameter.name.name);
    const { shapes: likely, isMask } = known ?? { shapes: [], isMask: false };
    const shape =
      (choice?.uncounted === 'all' || (choice?.uncounted === 'unusual' && known?.isUsual === false) ? known?.uncounted : undefined) ??
      (choice?.isApart === true ? known?.apart : undefined) ??
      likely[(isMask ? choice?.masksAt : choice?.at) ?? 0] ??
      likely.at(-1);
    const isOptional = fallback?.kind === 'none';
    if (isMask && shape !== undefined) {
      hasMasks = true;
      const mask: TensorValue = { ...inputTensor(parameter.name, isAlone ? entry : of, shape, undefined), content: 'mask' };
      given.set(parameter.name.name, isOptional ? unite([mask, none]) : mask);
      continue;
    }
    const isStated =
      (fallback === undefined && parameter.annotation === undefined && likely.length > 0) ||
      (entry.definition.kind === 'function' && stated?.(entry.definition, parameter.name.name) !== undefined);
    const plain = forwardArgument(parameter, fallback, isAlone ? entry : of, shape, isStated);
    const argument = plain.kind === 'tensor' && known?.uncounted !== undefined ? { ...plain, isUncounted: true } : plain;
    // Of inputs that need not be given, one stands for all: some exclude each other.
    const value = argument.kind === 'tensor' && isOptional && inputs.length > 0 ? unknown(parameter.name.name) : argument;
    if (value.kind === 'tensor') inputs.push(value);
    given.set(parameter.name.name, value);
  }
  const isForward = forwardMember(interpreter, of) === entry;
  // How many inputs `*inputs` collects is not known.
  const takesMore = parameters.some(({ kind }) => kind === 'args');
  const output = interpreter.guard(() =>
    interpreter.call(isAlone ? entry : isForward ? instance : { kind: 'bound', self: instance, callee: entry }, [], given, takesMore),
  );
  const choices = inputs.reduce((most, { site }) => {
    const name = parameters.find((parameter) => parameter.name === site?.node)?.name?.name ?? '';
    return Math.max(most, shapes.get(name)?.shapes.length ?? 0);
  }, 0);
  const isUnusual = [...shapes.values()].some((known) => known.uncounted !== undefined && !known.isUsual);
  return { output, inputs, choices, hasMasks, isUnusual };
}

const maximumEntries = 4;

/** What runs when a model is used: its `forward`, or the methods of one that has none, `encode` and `decode`. */
function entriesOf(interpreter: Interpreter, of: ClassValue): readonly FunctionValue[] {
  const forward = forwardMember(interpreter, of);
  if (forward !== undefined) return [forward];
  if (!of.mro.some(({ qualifiedName }) => qualifiedName === 'torch.nn.Module')) return [];
  const found: FunctionValue[] = [];
  for (const member of of.members.values()) {
    const isEntry =
      member.kind === 'function' &&
      member.wraps === 'plain' &&
      /^(?:encode|decode|embed|project|compute|apply|run)(?:_\w+)?$/.test(member.name);
    if (isEntry && member.definition.parameters.length > 1) found.push(member);
  }
  return found.slice(0, maximumEntries);
}

/** Inputs that are tensors by their name, and what they hold. */
const tensorNames =
  /^(?:x\d?|y|q|k|v|h|z|src|tgt|inp|inputs?|input_ids|ids|idx|tokens|targets|labels|query|queries|keys?|values?|context|memory|hidden|hidden_states?|inputs_embeds|embeds?|embeddings|pixel_values|images?|img|pixels|patches|features?|residual|encoder_hidden_states|encoder_outputs?|enc_output|dec_input|enc_input|feats|xs|cond|latents?|x_\w+|token_ids|position_ids|residual_\w+|attn_output|hidden_state)$/;
const countNames =
  /^(?:n|t|h|w|b|idx|i|step|pos|start|end)$|(?:_pos|_?len(?:gth)?|_?size|^num_\w+|^n_\w+|offset|start_\w+|_idx|_index|height|width|_step|timestep)$/;
const scaleNames = /^(?:\w+_)?(?:scale|scaling|sm_scale)$/;
const wholeNumberNames = /^(?:input_pos|cache_pos(?:ition)?s?)$|(?:_ids|^ids|^idx|^tokens|^targets|^labels|^src_tokens|token_ids)$/;

function forwardArgument(
  parameter: Parameter,
  fallback: Value | undefined,
  of: ClassValue | FunctionValue,
  shape: Shape = unknownShape,
  isStated = false,
): Value {
  const name = parameter.name?.name ?? '';
  const scope = of.kind === 'class' ? of.qualifiedName : of.name;
  const type = annotationText(parameter.annotation);
  const isTensor =
    isStated ||
    (type === undefined
      ? tensorNames.test(name)
      : /Tensor|Array\b|Float\[|Int\[/.test(type) && !/(?:tuple|list|dict|Tuple|List|Dict)\b/.test(type));
  const isOptional = fallback !== undefined;
  if (!isTensor || (isOptional && !tensorNames.test(name))) {
    // A name under which it may stand as a number, where it may be one.
    if (beginNames.test(name) && (/\bint\b/.test(type ?? '') || (fallback?.kind === 'int' && numberOf(fallback) === 0)))
      return int(rigid(name, { scope: lengthScope, min: 0 }));
    if (scaleNames.test(name) && (fallback === undefined || fallback.kind === 'none' || fallback.kind === 'float'))
      return named(name, scope);
    if (fallback === undefined || fallback.kind === 'none')
      return /\bint\b/.test(type ?? '') || (type === undefined && countNames.test(name)) ? named(name, scope) : unknown(name);
    return fallback.kind === 'bool' ? bool(undefined) : fallback.kind === 'int' ? named(name, scope) : fallback;
  }
  // A mask may be of any kind; what is known for a tensor by its use alone, too.
  const dtype = wholeNumberNames.test(name) ? 'int64' : type === undefined && !tensorNames.test(name) ? undefined : 'float';
  return parameter.name === undefined ? unknown(name) : inputTensor(parameter.name, of, shape, dtype);
}

/** What comes in for a parameter. */
const inputTensor = (node: Span, of: ClassValue | FunctionValue, shape: Shape, dtype: string | undefined): TensorValue => ({
  kind: 'tensor',
  id: 0,
  shape,
  dtype,
  op: 'input',
  arguments: new Map(),
  inputs: [],
  site: of.file === undefined || of.unit === undefined ? undefined : { file: of.file, unit: of.unit, node },
});

function annotationText(annotation: Expression | undefined): string | undefined {
  if (annotation === undefined) return undefined;
  switch (annotation.kind) {
    case 'name':
      return annotation.name;
    case 'attribute':
      return `${annotationText(annotation.object) ?? ''}.${annotation.name.name}`;
    case 'string':
      return annotation.value;
    case 'subscript':
      return `${annotationText(annotation.object) ?? ''}[${annotation.indices.map((index) => annotationText(index) ?? '').join(', ')}]`;
    case 'binary':
      return `${annotationText(annotation.left) ?? ''} | ${annotationText(annotation.right) ?? ''}`;
    default:
      return '';
  }
}

/** The definition that runs when a module is called. */
export const forwardOf = (interpreter: Interpreter, of: ClassValue): FunctionDefinition | undefined => {
  const forward = forwardMember(interpreter, of);
  return forward?.definition.kind === 'function' ? forward.definition : undefined;
};
