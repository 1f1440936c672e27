/**
 * Studies a file of model code on its own, for linting: each module class is constructed with symbols for what it is given, and its
 * `forward` is followed on inputs of unknown shape. Classes that others in the file construct are seen where they are used; only what
 * was not seen there is studied alone.
 */
import { loneAtom } from '../dims/dim.ts';
import { Facts } from '../dims/facts.ts';
import { Substitution } from '../dims/unify.ts';
import { symbolsOf } from '../dims/visit.ts';
import type { PythonModule, UnitBody } from '../syntax/python/ast.ts';
import { noAnswers } from './answers.ts';
import { flagValue, isWiringFlag, type Wiring, wiringsOf } from './flags.ts';
import { type Choice, type Followed, type Root, studyClass } from './following.ts';
import type { StatedAxes } from './inputs.ts';
import { Interpreter, type InterpreterOptions } from './interpreter.ts';
import { bool, text } from './make.ts';
import { areAmong, givenSettings, openSettings } from './memory.ts';
import type { Problem } from './operation.ts';
import { vaguePart } from './parts.ts';
import type { Failure, Fixing, Recorder, Variable } from './recording.ts';
import { attentionFunctions, definitionsOf, entriesOf, hasForward, isUsed, makersOf, maskMakers } from './roots.ts';
import { Defaults, lengthScope, type Sample } from './samples.ts';
import { type CodeReading, type FunctionRun, type Settings, type Study, withAll } from './study.ts';
import { Symbols } from './symbols.ts';
import type { ClassValue, FunctionValue, InstanceValue, ModuleCall, SourceFile, TensorValue } from './value.ts';

/**
 * Whether there is no time for a study of about so much work, in steps; 0 where nothing is known of it. `isBegun` where the study was
 * looked at once, and wants to be looked at again under other assumptions.
 */
export type IsOver = (work: number, isBegun?: boolean) => boolean;

const never: IsOver = () => false;

/** There is no time for the rest of a study. */
class PutOff extends Error {}

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
  /** Steps of the attempts at the study that is being made, and whether there is time for another. */
  #attempts: number[] = [];
  #isOver = never;

  constructor(options: StudyOptions) {
    this.#options = options;
    const assumes = this.#assumptions(options);
    const recorder: Recorder = {
      variable: (variable) => this.#now.variables.push(variable),
      failure: (failure) => this.#now.failures.push(failure),
      fixed: (fixing) => this.#now.fixings.push(fixing),
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
    if (this.#file === file && this.#module !== undefined) interpreter.names.update(file, this.#module);
    interpreter.names.study(file);
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
    const globals = interpreter.names.globalsOf(file);
    const classes = definitionsOf(file)
      .map((definition) => interpreter.guard(() => interpreter.names.global(globals, definition.name.name)))
      .filter((value) => value?.kind === 'class')
      .filter((value) => value.file === file && hasForward(value));
    const known = new Set(elsewhere.map(keyOf));
    const studies: Study[] = [];
    const stale: Study[] = [];
    let isPartial = false;
    const isOpen = (key: string): boolean => !known.has(key) && !kept.has(key) && !this.#failed.has(key);
    const workOf = (key: string): number => before.get(key)?.work ?? 0;
    const make = (key: string, of: Root): void => {
      const started = interpreter.work;
      const { result, rests } = interpreter.memory.tracked(() => this.#inTime(of, isOver));
      if (result === 'put off') isPartial = true;
      else if (result !== undefined) kept.set(key, { ...result, work: interpreter.work - started + result.tensors.length });
      else {
        for (const each of of.kind === 'class' ? of.mro : of.kind === 'function' ? [of] : [])
          if (each.unit !== undefined && each.file === file) rests.add(each.unit.body);
        this.#failed.set(key, { rests });
      }
    };
    const study = (key: string, of: Root): void => {
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
      ...classes.filter((of) => !isUsed(file, of)).map((of) => [of.qualifiedName, of] as const),
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
      const [entry] = entriesOf(of);
      const isReached = ({ reached }: Study): boolean => reached.has(entry?.definition);
      if (studies.some(isReached) || elsewhere.some(isReached)) continue;
      // Where studies are put off it is not known yet whether one of them comes here.
      if (!isPartial || kept.has(of.qualifiedName)) study(of.qualifiedName, of);
      else if (before.has(of.qualifiedName)) stale.push(before.get(of.qualifiedName) as Study);
    }
    for (const definition of attentionFunctions(file)) {
      const isReached = ({ reached }: Study): boolean => reached.has(definition);
      if (isPartial || studies.some(isReached) || elsewhere.some(isReached)) continue;
      const of = interpreter.guard(() => interpreter.names.global(globals, definition.name.name));
      if (of?.kind === 'function' && of.definition === definition) study(`def ${of.name}`, of);
    }
    for (const { name } of isPartial ? [] : maskMakers(file)) {
      const of = interpreter.guard(() => interpreter.names.global(globals, name.name));
      if (of?.kind === 'function' && makesMask(of, file)) study(`def ${of.name}`, of);
      else if (of?.kind === 'class' && makesMask(of, file)) study(of.qualifiedName, of);
    }
    const parted = new Set<ClassValue>();
    for (let part = vaguePart(studies, classes, parted); part !== undefined; part = vaguePart(studies, classes, parted)) {
      const key = partKey(part.instance.class);
      parted.add(part.instance.class);
      if (!isPartial || kept.has(key)) study(key, part);
      else if (before.has(key)) stale.push(before.get(key) as Study);
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
    const wirings: (readonly [Wiring, readonly Study[]])[] = [];
    // What never asked for such a flag is the same whatever it is.
    const varyBy = (asked: UnitBody, ways: readonly Wiring[]): void => {
      const others = this.#studies.filter(({ rests }) => !rests.has(asked));
      if (others.length < this.#studies.length) for (const wiring of ways) wirings.push([wiring, others]);
    };
    varyBy(openSettings, wiringsOf(file.module));
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

  /** The study, unless looking at it again, as it turns out to be needed, takes more time than there is. */
  #inTime(of: Root, isOver: IsOver): Study | undefined | 'put off' {
    this.#attempts = [];
    this.#isOver = isOver;
    try {
      return this.#study(of);
    } catch (error) {
      if (error instanceof PutOff) return 'put off';
      throw error;
    }
  }

  #study(of: Root): Study | undefined {
    const chosen = this.#chosen(of);
    // How a mask is asked for is not seen from where it is made: what goes wrong may go wrong for these inputs alone.
    const isMask = chosen !== undefined && of.kind !== 'part' && this.#file !== undefined && makesMask(of, this.#file);
    if (isMask) return { ...chosen, failures: [] };
    if (chosen === undefined || chosen.failures.length === 0) return chosen;
    const found = chosen.failures.some(isOfMaskAxes)
      ? { ...chosen, failures: chosen.failures.filter((failure) => !isOfMaskAxes(failure)) }
      : chosen;
    if (found.choices === 0) return found;
    // A number of axes that is only assumed proves nothing wrong, and one that is usual no number of axes.
    const others = found.isUnusual ? this.#without(found.failures, of, 'unusual') : found.failures;
    const fewer = others.some(isOfAxes) ? this.#without(others, of, 'all') : others;
    const failures = others.filter(isOfAxes).every((failure) => fewer.includes(failure)) ? others : fewer;
    return failures.length === found.failures.length ? found : { ...found, failures };
  }

  /** What of this goes wrong even where inputs whose axes nothing counts have any number of them. */
  #without(failures: readonly Failure[], of: Root, uncounted: 'unusual' | 'all'): readonly Failure[] {
    const other = this.#attempt(of, { at: 0, uncounted });
    if (other?.output === undefined) return failures;
    const still = new Set(other.failures.map(placeOf));
    return failures.filter((failure) => still.has(placeOf(failure)));
  }

  #chosen(of: Root): Attempt | undefined {
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
    const places = new Set(first.failures.map(placeOf));
    let best: Attempt | undefined;
    for (const at of others) {
      const other = this.#attempt(of, { at, masksAt });
      if (other === undefined || contradictsNames(named, other)) continue;
      if (holds(other)) return other;
      // Where less goes wrong and nothing else does, the rest was that of the assumption.
      const least = new Set((best ?? first).failures.map(placeOf));
      const own = new Set(other.failures.map(placeOf));
      if (other.output !== undefined && own.size < least.size && [...own].every((place) => places.has(place))) best = other;
    }
    // What rests on the name of an input alone does not count where it fails.
    const sure = this.#attempt(of, { at: 0, onlySure: true, masksAt });
    if (best !== undefined && (sure === undefined || !holds(sure))) return best;
    if (sure !== undefined && (holds(sure) || (first.failures.length > 0 && sure.output !== undefined))) return sure;
    const plain = this.#attempt(of, undefined);
    return first.output === undefined && first.failures.length === 0 && plain?.output !== undefined ? plain : first;
  }

  /** Studies the class with the shapes that its inputs have by one choice, or none. */
  #attempt(of: Root, choice: Choice | undefined): Attempt | undefined {
    const last = this.#attempts.at(-1);
    if (last !== undefined && this.#isOver(last, true)) throw new PutOff();
    this.#now = fresh();
    const interpreter = this.#interpreter;
    const before = interpreter.work;
    interpreter.memory.beginStudy();
    interpreter.facts = of.kind === 'part' ? of.whole.facts : Facts.none;
    interpreter.substitution = Substitution.empty;
    interpreter.answers = noAnswers;
    const { result, rests } = interpreter.memory.tracked(() => studyClass(interpreter, of, this.#symbols, choice, this.#stated));
    this.#attempts.push(interpreter.work - before + this.#now.tensors.length);
    if (result === undefined) return undefined;
    const made = result.instance.class;
    const { fixings, ...now } = this.#now;
    const cuts = fixings.some(({ size }) => size !== undefined) ? cutSizes(now.tensors) : new Set();
    const isCutToo = ({ size }: Fixing): boolean => size !== undefined && cuts.has(size);
    const fixed = new Set(fixings.flatMap((fixing) => (isCutToo(fixing) ? [] : fixing.lengths)));
    const uncut = fixings.flatMap((fixing) => (isCutToo(fixing) && fixing.failure !== undefined ? [fixing.failure] : []));
    for (const each of made.mro) if (each.unit !== undefined && each.file === this.#file) rests.add(each.unit.body);
    if (of.kind === 'function') rests.add(of.unit.body);
    if (of.kind === 'part') for (const body of of.whole.rests) rests.add(body);
    return {
      class: made,
      ...(of.kind === 'function' ? { maker: of } : {}),
      ...(of.kind === 'part' ? { isPart: true } : {}),
      ...(this.#options.wiring === undefined ? {} : { wiring: this.#options.wiring }),
      ...result,
      ...now,
      // What fits one length alone is not to work for others.
      failures: [...now.failures, ...uncut].filter(
        ({ problem }) => problem.lengths?.some((each) => fixed.has(each)) !== true && (of.kind !== 'part' || !isOfWholeGroups(problem)),
      ),
      work: interpreter.work - before,
      rests,
      substitution: interpreter.substitution,
    };
  }
}

type Attempt = Study & Followed;

const makesMask = (of: ClassValue | FunctionValue, file: SourceFile): boolean =>
  of.file === file && !(of.kind === 'class' && hasForward(of)) && maskMakers(file).some((each) => each === of.definition);

const keyOf = ({ class: of, maker, isPart = false }: Study): string =>
  isPart ? partKey(of) : maker === undefined ? of.qualifiedName : `def ${maker.name}`;

const partKey = ({ qualifiedName }: ClassValue): string => `part ${qualifiedName}`;

const rowNames = /^(?:b|bs|bsz|n?_?batch(?:es|_?sizes?)?)$/i;

const lengthNames = /^(?:t|seq\w*|\w*_?seq_?len\w*|[qkst]_?len|(?:tgt|src|query|key)_?len\w*|n_?tokens|num_tokens)$/i;

/** By their keys, sizes of tables that are cut to a length of what comes in. */
function cutSizes(tensors: readonly TensorValue[]): ReadonlySet<unknown> {
  const found = new Set<unknown>();
  for (const { op, shape, inputs } of tensors) {
    const [whole] = inputs;
    if (op !== 'getitem' || whole?.shape.dims.length !== shape.dims.length) continue;
    for (const [i, dim] of whole.shape.dims.entries()) {
      const left = shape.dims[i];
      const isCut =
        left !== undefined && left.key !== dim.key && symbolsOf(left).some(({ scope, name }) => scope === lengthScope && name !== 'B');
      if (isCut && dim.constant === undefined && loneAtom(dim)?.kind === 'symbol') found.add(dim.key);
    }
  }
  return found;
}

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

/** What comes in is cut into groups: how many tokens a model hands to a part of it may be made for that. */
const isOfWholeGroups = ({ kind, basis }: Problem): boolean => basis === 'lengths' && /\.(?:view|reshape|unflatten|rearrange)$/.test(kind);

const isOfAxes = ({ problem }: Failure): boolean => problem.isOfAxes === true;

/** It goes wrong by the axes that a mask is assumed to have. */
const isOfMaskAxes = (failure: Failure): boolean =>
  isOfAxes(failure) &&
  [...failure.call.arguments.values()].some(
    (value) => value.kind === 'tensor' && value.op === 'input' && value.shape.dims.some(({ constant }) => constant === 1),
  );

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
  fixings: Fixing[];
} => ({ tensors: [], failures: [], variables: [], runs: [], calls: [], instances: [], reached: new Set(), fixings: [] });
