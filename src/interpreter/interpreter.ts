import { type Dim, mod, zero } from '../dims/dim.ts';
import { compare, Facts } from '../dims/facts.ts';
import { type Assumptions, applyToShape, type Context, type Shape, type ShapeResult, type ShapesResult } from '../dims/shape.ts';
import { Substitution } from '../dims/unify.ts';
import type { Statement } from '../syntax/python/ast.ts';
import { type Answers, noAnswers, sharedAnswers, withAnswer } from './answers.ts';
import { assumptionsOf } from './assumptions.ts';
import { attribute, setAttribute } from './attributes.ts';
import { callValue } from './calls.ts';
import { isOfOneFile } from './classes.ts';
import { makeCall } from './define.ts';
import { BudgetExceeded, Raised } from './errors.ts';
import type { Frame } from './frame.ts';
import { Heap } from './heap.ts';
import { iterate } from './iteration.ts';
import type { Preference } from './join.ts';
import { isInstanceOf, isModuleValue, truthFor } from './kinds.ts';
import { tuple, unknown } from './make.ts';
import { Memory } from './memory.ts';
import { Names } from './names.ts';
import type { Call, Machine, Problem, TensorOptions } from './operation.ts';
import { applyComparison, applyOperator } from './operators.ts';
import type { SourceLoader } from './program.ts';
import { type Failure, type Recorder, Recording } from './recording.ts';
import type { Samples } from './samples.ts';
import { runBody } from './statements.ts';
import { subscript } from './subscripts.ts';
import { Trials } from './trials.ts';
import type { ClassValue, InstanceValue, ListValue, ModuleCall, Question, Site, SourceFile, TensorValue, Trace, Value } from './value.ts';
import type { Witness } from './witness.ts';

export interface InterpreterOptions {
  readonly loader: SourceLoader;
  /** Parses the descriptions of libraries. */
  readonly parse: (text: string) => SourceFile['module'];
  readonly recorder?: Recorder;
  /** Statements and calls that may be evaluated. */
  readonly budget?: number;
  /** Rounds of a loop whose number is known; beyond them the loop runs once, for all of its rounds. */
  readonly rounds?: number;
  /** Numbers to try where symbols decide nothing. */
  readonly samples?: Samples;
  /** Follow a module that several studied classes build in the same way only once. */
  readonly shares?: boolean;
  /** The value to take for a setting that is not known, by its name. */
  readonly assumes?: (path: string, scope: string) => Value | undefined;
  /** Take what broadcasts with something unknown to keep its shape: for linting, where optional inputs are not known. */
  readonly assumesShapes?: boolean;
  /** Numbers that decide what symbols leave open. */
  readonly witness?: Witness;
}

/** What it takes to record what happened, in steps. */
const workOfNoting = 1 / 8;

/** What held on the path on which something was made. */
interface MadeUnder {
  readonly facts: Facts;
  readonly answers: Answers;
  /** Branches around it of which others may be taken. */
  readonly depth: number;
}

/**
 * Evaluates Python code without running it: sizes are symbols, tensors are shapes with a record of how they were computed, and where
 * a condition is not known both branches are followed and joined. Never throws but for `Raised` and `BudgetExceeded`, which `guard` catches.
 */
export class Interpreter implements Machine {
  readonly heap = new Heap();
  readonly options: InterpreterOptions;
  facts: Facts = Facts.none;
  substitution: Substitution = Substitution.empty;
  /** What flags are taken to be on the path that is followed; only in linting. */
  answers: Answers = noAnswers;
  /** The place in the user's code that is being evaluated, and those that called it, innermost last. */
  readonly sites: Site[] = [];
  site: Site | undefined;
  /** Library layers whose calls are being evaluated, innermost last; undefined for the user's modules that they call. */
  readonly layers: (InstanceValue | undefined)[] = [];
  /** The innermost call of a module that is being evaluated. */
  within: ModuleCall | undefined;
  /** The user's functions that are being evaluated. */
  trace: Trace | undefined;
  /** How many undecided branches surround the code. */
  uncertain = 0;
  /** The same with those that are as good as sure to be taken, as where an input is given that need not be. */
  branches = 0;
  /** How many `try` statements that catch something surround it. */
  tries = 0;
  /** The arguments of the call that is being followed stand in the code one by one. */
  isWritten = false;
  /** What runs is NumPy's. */
  makesArrays = false;
  /** Definitions of the functions that are being evaluated, innermost last. */
  readonly running: unknown[] = [];
  readonly names = new Names(this);
  readonly recording: Recording;
  readonly trials = new Trials(this);
  /** What calls gave, and what they rested on. */
  readonly memory = new Memory(this);
  #steps = 0;
  #work = 0;
  #tensors = 0;
  #instances = 0;
  readonly #assumptions: Assumptions | undefined;
  readonly #made = new WeakMap<TensorValue, MadeUnder>();

  constructor(options: InterpreterOptions) {
    this.options = options;
    this.recording = new Recording(options.recorder);
    this.#assumptions = options.assumesShapes === true && options.samples !== undefined ? assumptionsOf(options.samples) : undefined;
  }

  get context(): Context {
    const { facts, substitution } = this;
    return this.#assumptions === undefined ? { facts, substitution } : { facts, substitution, assumptions: this.#assumptions };
  }

  /** How branches are joined. */
  get preference(): Preference {
    return this.options.assumesShapes === true ? 'known' : 'none';
  }

  get assumesShapes(): boolean {
    return this.options.assumesShapes === true;
  }

  get steps(): number {
    return this.#steps;
  }

  /** How much was done, in steps, what was tried on numbers and taken over from earlier calls included; `renew` does not change it. */
  get work(): number {
    return this.#work + this.recording.count * workOfNoting;
  }

  /** An operation is tried once more: it counts as work, but as no step. */
  countTry(): void {
    this.#work += 1;
  }

  /** Counts one step; ends the evaluation when too many were taken. */
  step(): void {
    this.#steps += 1;
    this.#work += 1;
    if (this.#steps > (this.options.budget ?? 2_000_000)) throw new BudgetExceeded('too many steps');
  }

  /** Grants the next evaluation a budget of its own. */
  renew(): void {
    this.#steps = 0;
  }

  /** The result, or undefined when Python would have raised or the budget was used up. */
  guard<Result>(work: () => Result): Result | undefined {
    const sites = this.sites.length;
    const layers = this.layers.length;
    const running = this.running.length;
    const { site, tries } = this;
    try {
      return work();
    } catch (error) {
      if (!(error instanceof Raised || error instanceof BudgetExceeded || error instanceof RangeError)) throw error;
      this.tries = tries;
      this.sites.length = sites;
      this.layers.length = layers;
      this.running.length = running;
      this.site = site;
      return undefined;
    }
  }

  /** Lets go of all that was read and followed: nothing more is asked of this interpreter. */
  dispose(): void {
    this.memory.forget();
    this.names.forget();
    this.facts = Facts.none;
    this.substitution = Substitution.empty;
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Branches

  /**
   * Follows branches of which one will run: each on its own, from the same state; afterwards the state is what holds whichever ran.
   * A branch that raises did not run. Raises when all do.
   */
  branch(branches: readonly (() => void)[], prefer: Preference = this.preference): void {
    const { facts, substitution, answers } = this;
    const live: { changes: Parameters<Heap['apply']>[0]; facts: Facts; substitution: Substitution; answers: Answers }[] = [];
    let raised: Raised | undefined;
    this.uncertain += 1;
    this.branches += 1;
    try {
      for (const work of branches) {
        this.facts = facts;
        this.substitution = substitution;
        this.answers = answers;
        const { site } = this;
        const sites = this.sites.length;
        const layers = this.layers.length;
        const { result, changes } = this.heap.attempt(() => {
          try {
            work();
            return true;
          } catch (error) {
            if (!(error instanceof Raised)) throw error;
            this.sites.length = sites;
            this.layers.length = layers;
            this.site = site;
            raised = error;
            return false;
          }
        });
        if (result) live.push({ changes, facts: this.facts, substitution: this.substitution, answers: this.answers });
        else if (raised !== undefined) (raised as Raised).changes = changes;
      }
    } finally {
      this.uncertain -= 1;
      this.branches -= 1;
      this.facts = facts;
      this.substitution = substitution;
      this.answers = answers;
    }
    const [first, ...others] = live;
    if (first === undefined) {
      if (raised !== undefined) throw raised;
      return;
    }
    if (others.length === 0) {
      this.heap.apply(first.changes);
      this.facts = first.facts;
      this.substitution = first.substitution;
      this.answers = first.answers;
      return;
    }
    // In linting, a loop runs: what it found sizes to be holds behind it.
    const runs = prefer === 'first' && this.assumesShapes;
    this.heap.join(
      live.map(({ changes }) => changes),
      prefer,
      runs ? (shape) => applyToShape(shape, first.substitution) : undefined,
    );
    this.facts = others.reduce((known, other) => (known === other.facts ? known : known.join(other.facts)), first.facts);
    this.answers = sharedAnswers(live.map((each) => each.answers));
    let shared = substitution;
    for (const { symbol, value } of first.substitution.bindings) {
      if (substitution.valueOf(symbol) !== undefined) continue;
      if (others.every((other) => other.substitution.valueOf(symbol)?.key === value.key)) shared = shared.bind(symbol, value);
    }
    this.substitution = runs ? first.substitution : shared;
  }

  /** From here on the path is one on which a question has this answer. */
  answer(question: Question | undefined, outcome: boolean): void {
    if (question !== undefined && this.assumesShapes) this.answers = withAnswer(this.answers, question, outcome);
  }

  /** Follows code inside a branch that is no less certain for that. */
  certainly<Result>(work: () => Result): Result {
    this.uncertain -= 1;
    try {
      return work();
    } finally {
      this.uncertain += 1;
    }
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Tensors

  tensor(op: string, call: Call, shape: Shape, options: TensorOptions = {}): TensorValue {
    const inputs = options.inputs ?? tensorsIn(call.arguments);
    const [first] = inputs;
    const layer = this.layers[this.layers.length - 1];
    const site = call.site ?? this.site;
    const isArray =
      this.makesArrays ||
      (!tensorsOfArrays.has(op) && inputs.some((each) => each.isArray === true)) ||
      (site !== undefined && holdsArrays(site.file));
    // All have the same properties: what reads them everywhere is quick where it meets one kind of object.
    const tensor: TensorValue = {
      kind: 'tensor',
      id: this.nextTensor(),
      shape: this.substitution.size === 0 ? shape : applyToShape(shape, this.substitution),
      dtype: 'dtype' in options ? options.dtype : first?.dtype,
      op,
      arguments: call.arguments,
      inputs,
      site,
      index: options.index,
      layer,
      call: this.within,
      trace: this.trace,
      isArray: isArray ? true : undefined,
      isParameter: options.isParameter === true ? true : undefined,
      isBuffer: options.isBuffer === true ? true : undefined,
      content: options.content,
    };
    if (this.branches > 0 && this.assumesShapes) this.#made.set(tensor, { facts: this.facts, answers: this.answers, depth: this.branches });
    this.recording.note(tensor);
    return tensor;
  }

  /** What held where a tensor was made inside a branch that is not certain to be taken; undefined for others. */
  madeUnder(tensor: TensorValue): MadeUnder | undefined {
    return this.#made.get(tensor);
  }

  settle(op: string, call: Call, result: ShapeResult, options: TensorOptions = {}): TensorValue {
    this.judge(op, call, result);
    return this.tensor(op, call, result.shape, options);
  }

  settleAll(op: string, call: Call, result: ShapesResult, options: TensorOptions = {}): Value {
    this.judge(op, call, result);
    if (result.shapes === undefined) return unknown(`the number of results of ${op}`);
    return tuple(result.shapes.map((shape, index) => this.tensor(op, call, shape, { ...options, index })));
  }

  judge(op: string, call: Call, result: Omit<ShapeResult, 'shape'>): void {
    this.substitution = result.substitution;
    if (result.status === 'unknown') this.trials.isDoubtful = true;
    if (result.status !== 'mismatch') return;
    const { reason = 'the sizes do not fit', isOfAxes } = result;
    this.report(call, { kind: op, message: reason, ...(isOfAxes === true ? { isOfAxes } : {}) });
  }

  report(call: Call, problem: Problem): void {
    if (this.recording.isPaused) {
      this.trials.mismatch ??= problem;
      return;
    }
    if (!this.recording.asksFor('failure') || this.facts.contradictory) return;
    this.recording.fail(this.failureOf(call, problem));
  }

  /** The problem with how the code came there. */
  failureOf(call: Call, problem: Problem): Failure {
    const sites = this.site === undefined ? [...this.sites] : [...this.sites, this.site];
    return { problem, call, sites: sites.reverse(), context: this.context, depth: this.uncertain };
  }

  /** Notes that Python raises here, where the code is sure to run and nothing catches it. */
  complain(problem: Problem, about: ReadonlyMap<string, Value> = new Map()): void {
    if (!this.assumesShapes || this.uncertain > 0 || this.tries > 0 || this.site === undefined || !this.isWhole) return;
    this.report(makeCall(problem.kind, about, new Set(about.keys()), this.site), problem);
  }

  /** False where classes are followed that a base in another file completes: such code may be a template that no one runs. */
  get isWhole(): boolean {
    for (let call = this.within; call !== undefined; call = call.parent) if (!isOfOneFile(call.instance.class)) return false;
    return true;
  }

  read(dim: Dim): Dim {
    return this.substitution.apply(dim);
  }

  // -------------------------------------------------------------------------------------------------------------------
  // What operations ask

  raise(type: string, message: string): never {
    throw new Raised(type, message, undefined);
  }

  call(callee: Value, positional: readonly Value[], keywords: ReadonlyMap<string, Value> = new Map(), openArguments = false): Value {
    this.step();
    return callValue(this, callee, positional, keywords, openArguments);
  }

  library(qualifiedName: string): Value {
    return this.names.library(qualifiedName);
  }

  attribute(object: Value, name: string): Value | undefined {
    return attribute(this, object, name);
  }

  setAttribute(object: Value, name: string, value: Value): void {
    setAttribute(this, object, name, value);
  }

  truth(value: Value): boolean | undefined {
    return truthFor(this, value);
  }

  isInstance(value: Value, qualifiedName: string): boolean | undefined {
    return isInstanceOf(value, qualifiedName);
  }

  isModule(value: Value): value is InstanceValue {
    return isModuleValue(value);
  }

  binary(operator: string, left: Value, right: Value): Value {
    this.step();
    return applyOperator(this, operator, left, right);
  }

  compare(operator: string, left: Value, right: Value): Value {
    return applyComparison(this, operator, left, right);
  }

  items(value: Value): readonly Value[] | undefined {
    const iteration = iterate(this, value);
    return iteration.open && iteration.repeat === undefined ? undefined : iteration.items;
  }

  assumeDivides(divisor: Dim, dividend: Dim): void {
    if (compare(mod(dividend, divisor), zero, this.facts) === 'unknown') this.facts = this.facts.assumeDivides(divisor, dividend);
  }

  subscript(object: Value, written: Value): Value {
    this.step();
    return subscript(this, object, written);
  }

  append(list: ListValue, item: Value): void {
    this.heap.append(list, item);
  }

  write<Owner extends object, Key extends keyof Owner>(owner: Owner, key: Key, value: Owner[Key]): void {
    this.heap.write(owner, key, value);
  }

  writeEntry<Key, Entry>(map: Map<Key, Entry>, key: Key, value: Entry | undefined): void {
    this.heap.writeEntry(map, key, value);
  }

  nextTensor(): number {
    this.#tensors += 1;
    return this.#tensors;
  }

  freshId(): number {
    this.#instances += 1;
    return this.#instances;
  }

  instance(of: ClassValue): InstanceValue {
    const instance: InstanceValue = {
      kind: 'instance',
      id: this.freshId(),
      class: of,
      attributes: new Map(),
      open: false,
      site: this.site,
      isUncertain: this.uncertain > 0,
    };
    this.recording.note({ happened: 'instance', instance });
    for (const each of of.mro) if (each.unit !== undefined && this.names.isStudied(each.file)) this.memory.rest(each.unit.body);
    return instance;
  }

  /** Runs statements in a frame, for tests and for code at the top of a file. */
  run(frame: Frame, statements: readonly Statement[]): void {
    this.guard(() => runBody(this, frame, statements));
  }
}

/** What makes torch's tensors of arrays. */
const tensorsOfArrays: ReadonlySet<string> = new Set(['from_numpy', 'tensor', 'as_tensor']);

const arrayFiles = new WeakMap<SourceFile['module'], boolean>();

/** Whether all tensors in a file are arrays of JAX or MLX. */
export function holdsArrays({ module, isPrelude }: SourceFile): boolean {
  let answer = arrayFiles.get(module);
  if (answer === undefined) {
    answer = !isPrelude && !/\btorch\b/.test(module.text) && /\b(?:jax|flax|mlx)\b/.test(module.text);
    arrayFiles.set(module, answer);
  }
  return answer;
}

function tensorsIn(bound: ReadonlyMap<string, Value>): readonly TensorValue[] {
  const found: TensorValue[] = [];
  for (const value of bound.values()) {
    if (value.kind === 'tensor') found.push(value);
    else if (value.kind === 'tuple' || value.kind === 'list') {
      for (const item of value.items) if (item.kind === 'tensor') found.push(item);
    }
  }
  return found;
}
