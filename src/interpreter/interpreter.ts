import { add, type Dim, loneAtom, mod, multiply, number, rigid, type SymbolAtom, unknownDim, zero } from '../dims/dim.ts';
import { compare, Facts } from '../dims/facts.ts';
import {
  type Assumptions,
  applyToShape,
  type Context,
  type Shape,
  type ShapeResult,
  type ShapesResult,
  unknownShape,
} from '../dims/shape.ts';
import { Substitution } from '../dims/unify.ts';
import { symbolsOf } from '../dims/visit.ts';
import type { Statement, Unit, UnitBody } from '../syntax/python/ast.ts';
import { arithmetic, comparison, rangeLength } from './arithmetic.ts';
import { assumptionsOf } from './assumptions.ts';
import { attributesAsDict } from './attributeView.ts';
import { bindFunction } from './binding.ts';
import { decoratorName, instantiate } from './classes.ts';
import { bindArguments, makeCall } from './define.ts';
import { BudgetExceeded, Raised } from './errors.ts';
import { evaluate } from './expressions.ts';
import type { Frame } from './frame.ts';
import { Heap } from './heap.ts';
import { join, type Preference, unite } from './join.ts';
import { isInOneRow, isWeight, lengthConflict } from './lengths.ts';
import { prelude } from './library/prelude.ts';
import { standInFor, standInModule } from './library/standIns.ts';
import {
  bool,
  dict,
  dimOf,
  float,
  int,
  isFraction,
  list,
  named as namedValue,
  none,
  nothingReturned,
  opaque,
  shareOf,
  text,
  truthOf,
  tuple,
  unknown,
} from './make.ts';
import { type Happening, Memory } from './memory.ts';
import type { Call, Machine, Problem, TensorOptions } from './operation.ts';
import { constantNamed, isNamespace, operationNamed } from './ops/tables.ts';
import { isOfWeight, stretchable } from './ops/torch/support.ts';
import { absoluteName, importForTypes, type ModuleState, moduleState, namesOf, type SourceLoader } from './program.ts';
import {
  beginNames,
  conceptOf,
  isContext,
  isFreeSide,
  isHeads,
  isModelSide,
  isReached,
  lengthScope,
  type SampleGroup,
  type Samples,
  sampled,
  sampleGroups,
  separateWidths,
  withContext,
  withoutSides,
} from './samples.ts';
import { type Completion, runBody, runStatement, yields } from './statements.ts';
import { subscript } from './subscripts.ts';
import type {
  BuiltinValue,
  ClassValue,
  DictValue,
  FunctionValue,
  InstanceValue,
  ListValue,
  ModuleCall,
  NamespaceValue,
  Site,
  SourceFile,
  TensorValue,
  Trace,
  Value,
} from './value.ts';
import type { Witness } from './witness.ts';

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

export interface Recorder {
  variable?(variable: Variable): void;
  failure?(failure: Failure): void;
  /** Every tensor that is made, in order. */
  tensor?(tensor: TensorValue): void;
  /** Every instance that is made, in order. */
  instance?(instance: InstanceValue): void;
  /** Lengths of what comes in, by their keys, that fit one number of the code alone. */
  fixed?(lengths: readonly string[]): void;
  called?(callee: FunctionValue): void;
  returned?(frame: Frame, value: Value): void;
  /** A module is about to be called. */
  moduleCalled?(call: ModuleCall): void;
}

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

/** A number of the code, or a setting. */
const isSetting = (value: Value): boolean =>
  value.kind === 'int' || value.kind === 'float' || (value.kind === 'unknown' && value.path !== undefined);

/** What it takes to record what happened, in steps. */
const workOfNoting = 1 / 8;

const maximumDepth = 120;
const maximumRecursion = 12;

/** Preludes are the same for every interpreter. */
const preludeFiles = new Map<string, SourceFile>();

/** What iterating over a value gives. */
export interface Iteration {
  readonly items: readonly Value[];
  /** The items stand for this many rounds, all alike. */
  readonly repeat: Dim | undefined;
  /** There may be other rounds. */
  readonly open: boolean;
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
  /** How many `try` statements that catch something surround it. */
  tries = 0;
  /** The arguments of the call that is being followed stand in the code one by one. */
  isWritten = false;
  #studied: SourceFile | undefined;
  /** What calls gave, and what they rested on. */
  readonly memory = new Memory(this);
  #steps = 0;
  #work = 0;
  #depth = 0;
  /** The last operation left open whether it fits. */
  #doubtful = false;
  /** What runs is NumPy's. */
  #makesArrays = false;
  /** An operation is being tried on numbers; its first problem is kept, and nothing is recorded. */
  #isTrying = false;
  #mismatch: string | undefined;
  /** Failures of which it is not known yet whether they count. */
  #heldFailures: Failure[] | undefined;
  #tensors = 0;
  #instances = 0;
  readonly #modules = new Map<string, NamespaceValue | undefined>();
  readonly #states = new Map<Map<string, Value>, ModuleState>();
  readonly #files = new Map<SourceFile, Map<string, Value>>();
  readonly #builtins = new Map<string, Value>();
  readonly #running: unknown[] = [];

  readonly #assumptions: Assumptions | undefined;

  constructor(options: InterpreterOptions) {
    this.options = options;
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
    return this.#work;
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
    const depth = this.#depth;
    const sites = this.sites.length;
    const layers = this.layers.length;
    const running = this.#running.length;
    const { site, tries } = this;
    try {
      return work();
    } catch (error) {
      if (!(error instanceof Raised || error instanceof BudgetExceeded || error instanceof RangeError)) throw error;
      this.tries = tries;
      this.sites.length = sites;
      this.layers.length = layers;
      this.#running.length = running;
      this.site = site;
      this.#depth = depth;
      return undefined;
    }
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Modules

  /** The module of this dotted name: Headwise's description of it first, then its source. Undefined when nothing is known of it. */
  module(name: string): NamespaceValue | undefined {
    if (this.#modules.has(name)) return this.#modules.get(name);
    const described = this.#preludeFile(name);
    const file = described ?? this.options.loader.load(name);
    const namespace: NamespaceValue | undefined =
      file === undefined
        ? isNamespace(name) || [...prelude.keys()].some((each) => each.startsWith(`${name}.`))
          ? { kind: 'namespace', name, globals: undefined }
          : undefined
        : { kind: 'namespace', name, globals: this.globalsOf(file) };
    this.#modules.set(name, namespace);
    return namespace;
  }

  #preludeFile(name: string): SourceFile | undefined {
    const known = preludeFiles.get(name);
    if (known !== undefined) return known;
    const source = prelude.get(name);
    if (source === undefined) return undefined;
    const file: SourceFile = { path: `<${name}>`, name, isPackage: true, module: this.options.parse(source), isPrelude: true };
    preludeFiles.set(name, file);
    return file;
  }

  /** The names of a file's module; its statements run when they are asked for. */
  globalsOf(file: SourceFile): Map<string, Value> {
    const known = this.#files.get(file);
    if (known !== undefined) return known;
    const state = moduleState(file);
    this.#states.set(state.globals, state);
    this.#files.set(file, state.globals);
    return state.globals;
  }

  /** A name of a module; undefined when the module does not bind it. */
  global(globals: Map<string, Value>, name: string): Value | undefined {
    const state = this.#states.get(globals);
    if (state === undefined) return globals.get(name);
    const binders = state.binders.get(name);
    const waiting = binders?.filter((i) => !state.ran.has(i));
    if (waiting !== undefined && waiting.length > 0 && !state.pending.has(name)) {
      state.pending.add(name);
      for (const i of waiting) {
        if (state.ran.has(i)) continue;
        const unit = state.file.module.units[i] as Unit;
        const shown = state.file === this.#studied ? undefined : importForTypes(unit.body.statement, name);
        if (shown !== undefined) {
          // What stands for those who only read stands for itself: the rest of such a block imports a whole library.
          globals.set(name, this.imported(state.file, shown.level, shown.module, shown.name));
          continue;
        }
        state.ran.add(i);
        this.#runUnit(state, unit);
      }
      state.pending.delete(name);
    }
    if (state.file === this.#studied && binders !== undefined) {
      for (const i of binders) this.memory.rest((state.file.module.units[i] as Unit).body);
    }
    const found = globals.get(name);
    if (found !== undefined) return found;
    if (state.file.isPrelude) {
      // What a description leaves out may be in the source.
      const source = this.options.loader.load(state.name);
      const value = source === undefined ? undefined : this.global(this.globalsOf(source), name);
      if (value !== undefined) return value;
    }
    for (const star of state.stars) {
      const from = absoluteName(state.file, star.level, star.module);
      if (!prelude.has(from) && this.options.loader.mentions?.(from, name) === false) continue;
      const module = this.module(from);
      if (module === undefined || module.globals === globals) continue;
      if (state.pending.has(`*${name}`)) continue;
      state.pending.add(`*${name}`);
      const value = this.#member(module, name);
      state.pending.delete(`*${name}`);
      if (value !== undefined) return value;
    }
    return undefined;
  }

  #runUnit(state: ModuleState, unit: Unit): void {
    const frame = this.moduleFrame(state.file, state.globals, unit);
    const { site, facts, substitution, uncertain } = this;
    this.uncertain = 0;
    const run = (): void => {
      this.guard(() => this.heap.lasting(() => runStatement(this, frame, unit.body.statement)));
    };
    if (state.file === this.#studied) this.memory.running(unit.body, run);
    else run();
    this.site = site;
    this.facts = facts;
    this.substitution = substitution;
    this.uncertain = uncertain;
  }

  moduleFrame(file: SourceFile, globals: Map<string, Value>, unit: Unit | undefined): Frame {
    return {
      locals: globals,
      function: undefined,
      owner: undefined,
      file,
      unit,
      globals,
      parent: undefined,
      redirected: new Map(),
      returned: [],
      exits: [],
      special: new Set(),
      yielded: [],
      self: undefined,
    };
  }

  /** A member of a module; undefined when it is not known. */
  #member(module: NamespaceValue, name: string): Value | undefined {
    const qualified = `${module.name}.${name}`;
    if (module.globals !== undefined) {
      const value = this.global(module.globals, name);
      if (value !== undefined) return value;
    }
    return this.builtin(qualified) ?? this.module(qualified);
  }

  /** A constant or operation of the tables. */
  builtin(name: string): Value | undefined {
    const known = this.#builtins.get(name);
    if (known !== undefined) return known;
    const constant = constantNamed(name);
    const operation = constant === undefined ? operationNamed(name) : undefined;
    const value: Value | undefined =
      constant ?? (operation === undefined ? undefined : ({ kind: 'builtin', name, operation } satisfies BuiltinValue));
    if (value !== undefined) this.#builtins.set(name, value);
    return value;
  }

  library(qualifiedName: string): Value {
    const at = qualifiedName.lastIndexOf('.');
    const module = at < 0 ? undefined : this.module(qualifiedName.slice(0, at));
    return (
      (module === undefined ? undefined : this.#member(module, qualifiedName.slice(at + 1))) ??
      this.builtin(qualifiedName) ??
      this.module(qualifiedName) ??
      unknown(qualifiedName)
    );
  }

  /** What `from module import name` binds. */
  imported(file: SourceFile, level: number, module: string, name: string): Value {
    const absolute = absoluteName(file, level, module);
    const found = this.module(absolute);
    if (found !== undefined) {
      const value = this.#member(found, name);
      if (value !== undefined) return value;
    }
    return this.builtin(`${absolute}.${name}`) ?? this.module(`${absolute}.${name}`) ?? unknown(`${absolute}.${name}`);
  }

  // -------------------------------------------------------------------------------------------------------------------
  // What an evaluation rests on

  /** Lets go of all that was read and followed: nothing more is asked of this interpreter. */
  dispose(): void {
    this.memory.forget();
    this.#modules.clear();
    this.#states.clear();
    this.#files.clear();
    this.#studied = undefined;
    this.facts = Facts.none;
    this.substitution = Substitution.empty;
  }

  /** From now on the statements of this file are tracked. */
  study(file: SourceFile): void {
    this.#studied = file;
    if (!this.#modules.has(file.name)) this.#modules.set(file.name, { kind: 'namespace', name: file.name, globals: this.globalsOf(file) });
  }

  /** The file holds other statements than before: what rested on those that are gone is forgotten, the rest stays. */
  update(file: SourceFile, before: SourceFile['module']): void {
    const globals = this.globalsOf(file);
    const state = this.#states.get(globals);
    if (state === undefined || file.module === before) return;
    const bodies = new Set(file.module.units.map(({ body }) => body));
    const old = new Set(before.units.map(({ body }) => body));
    const ran = new Set<UnitBody>();
    const lost = new Set<string>();
    for (const [i, unit] of before.units.entries()) {
      if (!state.ran.has(i)) continue;
      if (bodies.has(unit.body) && this.memory.holds(unit.body, bodies)) ran.add(unit.body);
      else for (const name of namesOf(unit).names) lost.add(name);
    }
    let isNew = false;
    for (const unit of file.module.units) {
      if (old.has(unit.body)) continue;
      for (const name of namesOf(unit).names) {
        lost.add(name);
        isNew ||= !state.binders.has(name);
      }
    }
    for (const name of lost) globals.delete(name);
    const next = moduleState(file);
    for (const [i, unit] of file.module.units.entries()) {
      // All statements that bind a name run again when one of them does.
      if (ran.has(unit.body) && ![...namesOf(unit).names].some((name) => lost.has(name))) next.ran.add(i);
    }
    this.#states.set(globals, { ...next, globals });
    if (isNew) this.memory.forget();
    this.memory.keep(bodies);
  }

  /** Tells the recorder, and remembers it for those who take over the call in which it happened. */
  note(happening: Happening): void {
    if (this.#isTrying) return;
    this.#work += workOfNoting;
    this.memory.log(happening);
    this.#tell(happening);
  }

  #tell(happening: Happening): void {
    const { recorder } = this.options;
    if (recorder === undefined) return;
    if ('happened' in happening) {
      switch (happening.happened) {
        case 'variable':
          recorder.variable?.(happening.variable);
          break;
        case 'failure':
          if (this.#heldFailures === undefined) recorder.failure?.(happening.failure);
          else this.#heldFailures.push(happening.failure);
          break;
        case 'instance':
          recorder.instance?.(happening.instance);
          break;
        case 'fixed':
          recorder.fixed?.(happening.lengths);
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

  // -------------------------------------------------------------------------------------------------------------------
  // Names

  lookup(frame: Frame, name: string): Value {
    const redirect = frame.redirected.get(name);
    if (redirect !== undefined) return redirect.get(name) ?? this.global(redirect, name) ?? unknown(name);
    if (frame.locals !== frame.globals) {
      const local = frame.locals.get(name);
      if (local !== undefined) return local;
      for (let at = frame.parent; at !== undefined; at = at.parent) {
        if (at.locals === at.globals) break;
        const outer = at.locals.get(name);
        if (outer !== undefined) return outer;
      }
    }
    return this.global(frame.globals, name) ?? this.library_builtin(name) ?? unknown(name);
  }

  library_builtin(name: string): Value | undefined {
    const value = this.builtin(`builtins.${name}`);
    if (value !== undefined) return value;
    const module = this.module('builtins');
    return module?.globals === undefined ? undefined : this.global(module.globals, name);
  }

  assign(frame: Frame, name: string, value: Value): void {
    const target = frame.redirected.get(name) ?? frame.locals;
    this.heap.writeEntry(target, name, value);
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Calls

  call(callee: Value, positional: readonly Value[], keywords: ReadonlyMap<string, Value> = new Map(), openArguments = false): Value {
    this.step();
    switch (callee.kind) {
      case 'builtin':
        return this.#callOperation(callee, positional, keywords, openArguments);
      case 'function':
        return this.#callFunction(callee, positional, keywords, openArguments);
      case 'bound':
        return this.call(callee.callee, [callee.self, ...positional], keywords, openArguments);
      case 'partial': {
        const merged = new Map([...callee.keywords, ...keywords]);
        return this.call(callee.callee, [...callee.positional, ...positional], merged, openArguments);
      }
      case 'class':
        return openArguments || this.options.shares !== true || callee.file?.isPrelude !== false || this.uncertain > 0
          ? instantiate(this, callee, positional, keywords, openArguments)
          : this.memory.made(callee, positional, keywords, () => instantiate(this, callee, positional, keywords, openArguments));
      case 'instance': {
        const method = this.classMember(callee.class, '__call__');
        if (method === undefined) {
          // A module whose base is not known is called as modules are.
          const forward = callee.class.isOpen ? this.classMember(callee.class, 'forward') : undefined;
          return forward === undefined
            ? unknown(`a call of ${callee.class.name}`)
            : this.#callModule(callee, forward, positional, keywords, openArguments);
        }
        if (!this.isModule(callee)) return this.call(method, [callee, ...positional], keywords, openArguments);
        const isLayer = callee.class.file?.isPrelude === true;
        this.layers.push(isLayer ? callee : undefined);
        const follow = (): Value => this.#callModule(callee, method, positional, keywords, openArguments);
        const isShared = this.options.shares === true && !openArguments && callee.class.file?.isPrelude === false;
        const result = isShared ? this.memory.called(callee, positional, keywords, follow) : follow();
        this.layers.pop();
        return result;
      }
      case 'union':
        return this.either(
          callee.options.filter(({ kind }) => kind !== 'none'),
          (option) => this.call(option, positional, keywords, openArguments),
        );
      case 'unknown':
        // The number of cached tokens stands under its own name.
        if (callee.path !== undefined && /\.get_(?:seq|usable)_length$/.test(callee.path))
          return namedValue(`${callee.path}()`, callee.scope ?? '');
        return this.#standIn(callee.path ?? callee.reason, positional, keywords) ?? unknown(`a call of ${callee.reason}`);
      case 'opaque':
        return this.#standIn(callee.name, positional, keywords) ?? unknown(`a call of ${callee.name}`);
      default:
        return unknown(`a call of ${callee.kind}`);
    }
  }

  /** In linting, what is usually meant by the name of something that cannot be read. */
  #standIn(name: string, positional: readonly Value[], keywords: ReadonlyMap<string, Value>): Value | undefined {
    const described = this.assumesShapes ? standInFor(name) : undefined;
    return described === undefined ? undefined : this.call(this.library(`${standInModule}.${described}`), positional, keywords);
  }

  #callModule(
    instance: InstanceValue,
    method: Value,
    positional: readonly Value[],
    keywords: ReadonlyMap<string, Value>,
    openArguments: boolean,
  ): Value {
    const parent = this.within;
    const call: ModuleCall = { instance, site: this.site, parent, trace: this.trace, positional, keywords, result: undefined };
    this.note(call);
    this.within = call;
    try {
      call.result = this.call(method, [instance, ...positional], keywords, openArguments);
      return call.result;
    } finally {
      this.within = parent;
    }
  }

  /** Follows each option on its own and joins what comes of them. */
  either(options: readonly Value[], follow: (option: Value) => Value): Value {
    const [only] = options;
    if (options.length === 1 && only !== undefined) return follow(only);
    if (options.length === 0) return unknown('nothing to choose from');
    const results: Value[] = [];
    // Of layers of one kind in other sizes, or of a library's, the code takes the one that fits: what fails with all of them fails.
    // What passes everything on says nothing of whether the others fit.
    const real = options.filter((option) => !isIdentity(option));
    const [first] = real;
    const isAlike =
      first?.kind === 'instance' &&
      real.every((option) => option.kind === 'instance' && (option.class === first.class || (isOfLibrary(option) && isOfLibrary(first))));
    // Of layers that differ more, it takes the one for as many axes as there are.
    const isChosen = isAlike || options.every(({ kind }) => kind === 'instance');
    const held = this.#heldFailures;
    const failures: Failure[][] = [];
    this.branch(
      options.map((option) => () => {
        if (isChosen && !isIdentity(option)) {
          this.#heldFailures = [];
          failures.push(this.#heldFailures);
        }
        try {
          results.push(follow(option));
        } finally {
          this.#heldFailures = held;
        }
      }),
    );
    const isHopeless = failures.every(({ length }) => length > 0);
    const counted = isHopeless && isAlike ? (failures[0] ?? []) : isAlike ? [] : failures.flat();
    for (const failure of counted) {
      if (!isAlike && !isHopeless && isOfAxes(failure)) continue;
      if (held !== undefined) held.push(failure);
      else this.note({ happened: 'failure', failure });
    }
    // What one kind of container holds says nothing of what another does.
    const prefer = options.every(({ kind }) => kind === options[0]?.kind || kind === 'none') ? this.preference : 'none';
    return results.length === 0 ? unknown('no option works') : results.reduce((a, b) => join(a, b, prefer));
  }

  #callOperation(callee: BuiltinValue, positional: readonly Value[], keywords: ReadonlyMap<string, Value>, openArguments: boolean): Value {
    const plain = positional.some(isUnion) ? positional.map(withoutNone) : positional;
    let named = keywords;
    for (const [key, value] of keywords) {
      if (!isUnion(value)) continue;
      if (named === keywords) named = new Map(keywords);
      (named as Map<string, Value>).set(key, withoutNone(value));
    }
    const { bound, given } = bindArguments(callee.operation.signature, plain, named, openArguments);
    const call = makeCall(callee.name, bound, given, this.site);
    this.#doubtful = false;
    const { isWritten } = this;
    this.isWritten = false;
    const wereArrays = this.#makesArrays;
    this.#makesArrays ||= callee.name.startsWith('numpy.');
    let value: Value;
    try {
      value = callee.operation.run(call, this);
    } finally {
      this.#makesArrays = wereArrays;
    }
    this.isWritten = isWritten;
    const out = named.get('out');
    // What is written into takes the result's shape.
    if (out?.kind === 'tensor') this.write(out, 'shape', value.kind === 'tensor' ? value.shape : unknownShape);
    const { witness } = this.options;
    if (witness !== undefined) {
      const length = callee.name === 'builtins.len' ? witness.lengthOf(bound.get('obj')) : undefined;
      if (length !== undefined) return length;
      value = witness.settle(value, [...bound.values()], (numbers) => {
        const names = [...bound.keys()];
        const again = new Map(numbers.map((each, i) => [names[i] as string, each]));
        return callee.operation.run(makeCall(callee.name, again, given, this.site), this);
      });
    }
    if (this.#doubtful && this.options.samples !== undefined && !this.#isTrying)
      this.#try(callee, call, bound, given, this.options.samples);
    return value;
  }

  /** Runs an operation about which the symbols say nothing on numbers; reports it when it fails on them. */
  #try(callee: BuiltinValue, call: Call, bound: ReadonlyMap<string, Value>, given: ReadonlySet<string>, samples: Samples): void {
    const { facts, substitution } = this;
    const input = callee.name === 'torch.nn.functional.linear' ? bound.get('input') : undefined;
    if (input?.kind === 'tensor' && isInOneRow(applyToShape(input.shape, substitution))) return;
    let isGiven = false;
    const asked = samples.given;
    const noting =
      asked === undefined
        ? samples
        : {
            ...samples,
            given: (symbol: SymbolAtom): number | undefined => {
              const value = asked(symbol);
              isGiven ||= value !== undefined;
              return value;
            },
          };
    this.#isTrying = true;
    try {
      let byDefaults: string | undefined;
      // Channels of convolutions change from stage to stage in ways that defaults tell best.
      const isStaged = /\.(?:group_norm|batch_norm|conv[123]d)$/.test(callee.name);
      const groups: (SampleGroup & { readonly hasFreeSides?: true })[] = [...sampleGroups(noting), separateWidths];
      for (const [i, { basis, members, hasFreeSides }] of groups.entries()) {
        if (byDefaults !== undefined && (isStaged || basis === 'widths')) break;
        const messages: string[] = [];
        // A number of an axis that the constructor is given is no size, whatever it is called.
        if (basis !== 'defaults' && basis !== 'given' && isAxisOpen(bound)) continue;
        const fixesLength = basis === 'lengths' && mayFixLength(callee.name, bound, this.uncertain);
        if (fixesLength && !isAddedTable(callee.name, bound)) continue;
        const isCut = basis === 'lengths' && [...bound.values()].some(isPartlyCut);
        for (const member of members) {
          const sample = isCut ? withContext(member) : member;
          if (!isReached(facts, sample)) continue;
          const numbers = new Map<string, Value>();
          let changed = false;
          for (const [name, value] of bound) {
            const tried = valued(value, (dim) => {
              const size = sampled(substitution.apply(dim), sample);
              changed ||= size !== dim;
              // Beside the number of a length, a size without a number may be any.
              return basis === 'lengths' && size.constant === undefined && !size.flexible ? unknownDim('a size') : size;
            });
            numbers.set(name, tried);
          }
          if (!changed) break;
          this.#mismatch = undefined;
          this.facts = Facts.none;
          this.#work += 1;
          const result = this.guard(() =>
            this.heap.attempt(() => callee.operation.run(makeCall(call.name, numbers, given, call.site), this)),
          );
          this.facts = facts;
          this.substitution = substitution;
          if (result === undefined || this.#mismatch === undefined) break;
          messages.push(this.#mismatch);
        }
        const [message] = messages;
        if (message === undefined || messages.length < members.length) continue;
        if (fixesLength) {
          this.#isTrying = false;
          this.note({ happened: 'fixed', lengths: lengthsIn(bound, substitution) });
          this.#isTrying = true;
          continue;
        }
        if (basis === 'samples' && hasFreeSides === undefined && sidesAreFree(bound, substitution)) {
          // Nothing says how large images are: any size that fits will do.
          groups.splice(i + 1, 0, { basis, members: members.map(withoutSides), hasFreeSides: true });
          continue;
        }
        // Which branch runs under what is given is not known: there it shows no more than defaults do.
        if (basis === 'defaults' || (basis === 'given' && (!isGiven || this.uncertain > 0))) {
          byDefaults = message;
          continue;
        }
        this.#isTrying = false;
        this.report(call, {
          kind: callee.name,
          message,
          basis,
          ...(basis === 'lengths' ? { lengths: lengthsIn(bound, substitution) } : {}),
        });
        return;
      }
      if (byDefaults !== undefined) {
        this.#isTrying = false;
        this.report(call, { kind: callee.name, message: byDefaults, basis: 'defaults' });
        return;
      }
      const conflict = lengthConflict(callee.name, bound, (dim) => substitution.apply(dim));
      if (conflict === undefined || (this.uncertain > 0 && !products.test(callee.name))) return;
      this.#isTrying = false;
      this.report(call, { kind: callee.name, message: conflict, basis: 'lengths', lengths: lengthsIn(bound, substitution) });
    } finally {
      this.#isTrying = false;
      this.facts = facts;
      this.substitution = substitution;
    }
  }

  #callFunction(callee: FunctionValue, positional: readonly Value[], keywords: ReadonlyMap<string, Value>, openArguments: boolean): Value {
    if (this.#depth >= maximumDepth) return unknown('calls go too deep');
    let recursion = 0;
    for (const running of this.#running) if (running === callee.definition) recursion += 1;
    if (recursion >= maximumRecursion) return unknown('a recursion');
    const bound = bindFunction(callee, positional, keywords, openArguments);
    if (typeof bound === 'string') {
      if (this.isWritten && !callee.file.isPrelude && mayBeCalledAsWritten(callee))
        this.complain('arguments', `\`${callee.name}\`: ${bound}`);
      return unknown(`arguments that do not fit ${callee.name}`);
    }
    const { definition } = callee;
    const frame: Frame = {
      locals: new Map(bound),
      function: callee,
      owner: callee.owner,
      file: callee.file,
      unit: callee.unit,
      globals: callee.globals,
      parent: callee.closure,
      redirected: new Map(),
      returned: [],
      exits: [],
      special: new Set(),
      yielded: [],
      self: callee.owner === undefined ? undefined : positional[0],
    };
    this.note({ happened: 'called', callee });
    this.#depth += 1;
    this.#running.push(definition);
    const { site, isWritten } = this;
    const isUser = !callee.file.isPrelude;
    if (callee.file === this.#studied) this.memory.rest(callee.unit.body);
    const trace = this.trace;
    if (isUser && site !== undefined) {
      this.sites.push(site);
      this.trace = { site, parent: trace };
    }
    try {
      if (definition.kind === 'lambda') return evaluate(this, frame, definition.body);
      if (isUser) this.#recordArguments(frame, definition.parameters);
      const completion = this.#runFunction(frame, definition.body);
      const value = this.#result(frame, completion, callee);
      for (const changes of frame.exits) this.heap.admit(changes, frame.locals, this.preference);
      this.note({ happened: 'returned', frame, value });
      return value;
    } finally {
      this.#depth -= 1;
      this.#running.pop();
      this.isWritten = isWritten;
      if (isUser && site !== undefined) this.sites.pop();
      this.trace = trace;
      this.site = site;
    }
  }

  /** Undefined where the path to the end raises and only an earlier return is left. */
  #runFunction(frame: Frame, body: readonly Statement[]): Completion | undefined {
    const [sites, layers] = [this.sites.length, this.layers.length];
    try {
      return runBody(this, frame, body);
    } catch (error) {
      if (!(error instanceof Raised) || frame.returned.length === 0) throw error;
      this.sites.length = sites;
      this.layers.length = layers;
      return undefined;
    }
  }

  #recordArguments(
    frame: Frame,
    parameters: readonly { readonly name: { readonly name: string; readonly start: number; readonly end: number } | undefined }[],
  ): void {
    const { recorder } = this.options;
    if (recorder?.variable === undefined || frame.unit === undefined) return;
    for (const { name } of parameters) {
      const value = name === undefined ? undefined : frame.locals.get(name.name);
      if (name === undefined || value === undefined) continue;
      const site = { file: frame.file, unit: frame.unit, node: name };
      this.note({ happened: 'variable', variable: { frame, site, name: name.name, value, isArgument: true } });
    }
  }

  #result(frame: Frame, completion: Completion | undefined, callee: FunctionValue): Value {
    const isGenerator = callee.definition.kind === 'function' && yields(callee.definition);
    if (isGenerator) return list(frame.yielded);
    const last = completion?.kind === 'return' ? completion.value : completion?.kind === 'normal' ? none : undefined;
    const values = last === undefined ? frame.returned : [...frame.returned, last];
    if (values.length === 0) return none;
    if (completion?.kind === 'normal' && values.length === 1 && endsWithAssignment(callee)) return nothingReturned;
    return values.reduceRight((general, value) => {
      // A result under an equality of sizes is a special case of what comes after: `if n_rep == 1: return x`.
      const isSpecial = this.assumesShapes && frame.special.has(value) && general.kind === 'tensor' && value.kind === 'tensor';
      return isSpecial && sameRank(general.shape, value.shape) ? general : join(value, general, this.preference);
    });
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Branches

  /**
   * Follows branches of which one will run: each on its own, from the same state; afterwards the state is what holds whichever ran.
   * A branch that raises did not run. Raises when all do.
   */
  branch(branches: readonly (() => void)[], prefer: Preference = this.preference): void {
    const { facts, substitution } = this;
    const live: { changes: Parameters<Heap['apply']>[0]; facts: Facts; substitution: Substitution }[] = [];
    let raised: Raised | undefined;
    this.uncertain += 1;
    try {
      for (const work of branches) {
        this.facts = facts;
        this.substitution = substitution;
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
        if (result) live.push({ changes, facts: this.facts, substitution: this.substitution });
        else if (raised !== undefined) (raised as Raised).changes = changes;
      }
    } finally {
      this.uncertain -= 1;
      this.facts = facts;
      this.substitution = substitution;
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
    let shared = substitution;
    for (const { symbol, value } of first.substitution.bindings) {
      if (substitution.valueOf(symbol) !== undefined) continue;
      if (others.every((other) => other.substitution.valueOf(symbol)?.key === value.key)) shared = shared.bind(symbol, value);
    }
    this.substitution = runs ? first.substitution : shared;
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
  // Attributes

  attribute(object: Value, name: string): Value | undefined {
    switch (object.kind) {
      case 'namespace': {
        const value = this.#member(object, name);
        return value ?? unknown(`${object.name}.${name}`);
      }
      case 'instance':
        return this.#instanceAttribute(object, name);
      case 'super': {
        const { mro } = this.classOf(object.self) ?? object.after;
        const start = mro.indexOf(object.after) + 1;
        for (const each of mro.slice(start)) {
          const member = each.members.get(name);
          if (member !== undefined) return this.bind(member, object.self, each);
        }
        if (name === '__init__' || name === '__post_init__' || name === '__init_subclass__')
          return this.builtin('headwise.nothing') ?? nothing;
        if (name === '__setattr__') return { kind: 'bound', self: object.self, callee: setAttributeOperation };
        if (name === '__getattribute__' || name === '__getattr__')
          return { kind: 'bound', self: object.self, callee: getAttributeOperation };
        return unknown(`super().${name}`);
      }
      case 'class': {
        if (name === '__name__' || name === '__qualname__') return text(object.name);
        if (name === '__module__') return text(object.file?.name);
        if (name === '__mro__') return tuple(object.mro);
        if (name === '__bases__') return tuple(object.bases);
        if (name === '__dict__')
          return dict(
            [...object.members].map(([key, value]) => [text(key), value] as const),
            true,
          );
        for (const each of object.mro) {
          const member = each.members.get(name);
          if (member !== undefined) return member.kind === 'function' && member.wraps === 'class' ? this.bound(object, member) : member;
        }
        return object.isOpen ? unknown(`${object.name}.${name}`) : undefined;
      }
      case 'tensor': {
        const getter = operationNamed(`Tensor.attribute:${name}`);
        if (getter !== undefined) {
          const { bound, given } = bindArguments(getter.signature, [object], new Map());
          return getter.run(makeCall(name, bound, given, this.site), this);
        }
        const method = this.builtin(`Tensor.${name}`) ?? this.builtin(`torch.${name}`);
        return method?.kind === 'builtin' ? { kind: 'bound', self: object, callee: method } : unknown(`Tensor.${name}`);
      }
      case 'union': {
        const options = object.options.filter(({ kind }) => kind !== 'none');
        const values: Value[] = [];
        for (const option of options) {
          const value = this.attribute(option, name);
          if (value !== undefined) values.push(value);
        }
        return values.length === 0 ? undefined : unite(values);
      }
      case 'unknown':
        return object.path !== undefined
          ? (this.options.assumes?.(`${object.path}.${name}`, object.scope ?? '') ?? {
              kind: 'unknown',
              reason: `${object.path}.${name}`,
              path: `${object.path}.${name}`,
              scope: object.scope ?? '',
            })
          : unknown(`${object.reason}.${name}`);
      case 'function':
      case 'builtin':
      case 'bound':
        if (name === '__name__' || name === '__qualname__') return text(object.kind === 'bound' ? object.callee.name : object.name);
        // `chain.from_iterable`, `dict.fromkeys`.
        return (object.kind === 'builtin' ? this.builtin(`${object.name}.${name}`) : undefined) ?? unknown(name);
      case 'partial':
        if (name === 'func') return object.callee;
        if (name === 'args') return tuple(object.positional);
        if (name === 'keywords') return dict([...object.keywords].map(([key, value]) => [text(key), value] as const));
        return unknown(name);
      case 'opaque': {
        const qualified = `${object.name}.${name}`;
        const found = this.builtin(qualified) ?? (/(?:^|\.)\w*Tensor$/.test(object.name) ? this.builtin(`Tensor.${name}`) : undefined);
        return found ?? opaque(qualified);
      }
      case 'tuple': {
        const at = object.names?.indexOf(name) ?? -1;
        if (at >= 0) return object.items[at];
        break;
      }
      case 'slice':
        return name === 'start' ? object.lower : name === 'stop' ? object.upper : name === 'step' ? object.step : undefined;
      case 'string':
        if (name === 'value' || name === 'name') return object;
        break;
    }
    const type = typeNames[object.kind];
    const method = type === undefined ? undefined : this.builtin(`${type}.${name}`);
    if (method?.kind === 'builtin') return { kind: 'bound', self: object, callee: method };
    return undefined;
  }

  bound(self: Value, callee: Value): Value {
    return callee.kind === 'function' || callee.kind === 'builtin' ? { kind: 'bound', self, callee } : callee;
  }

  /** A member of a class as an attribute of `self`. */
  bind(member: Value, self: Value, _owner: ClassValue): Value {
    if (member.kind === 'builtin') return { kind: 'bound', self, callee: member };
    if (member.kind !== 'function') return member;
    switch (member.wraps) {
      case 'static':
        return member;
      case 'class':
        return this.bound(this.classOf(self) ?? self, member);
      case 'property':
        return this.call(member, [self]);
      default:
        return { kind: 'bound', self, callee: member };
    }
  }

  /** The class of an instance, or the class itself. */
  classOf(value: Value): ClassValue | undefined {
    return value.kind === 'instance' ? value.class : value.kind === 'class' ? value : undefined;
  }

  classMember(of: ClassValue, name: string): Value | undefined {
    for (const each of of.mro) {
      const member = each.members.get(name);
      if (member !== undefined) return member;
    }
    return undefined;
  }

  #instanceAttribute(object: InstanceValue, name: string): Value | undefined {
    const own = object.attributes.get(name);
    if (own !== undefined) return own;
    if (name === '__class__') return object.class;
    if (name === '__dict__') return attributesAsDict(object);
    for (const each of object.class.mro) {
      const member = each.members.get(name);
      if (member !== undefined) return this.bind(member, object, each);
    }
    const fallback = this.classMember(object.class, '__getattr__');
    if (fallback !== undefined && !name.startsWith('__')) {
      const value = this.guard(() => this.call(fallback, [object, text(name)]));
      if (value !== undefined) return value;
    }
    const path = object.attributes.get('__path__');
    if (path?.kind === 'unknown' && path.path !== undefined) return this.attribute(path, name);
    if (object.open || object.class.isOpen) return unknown(`${object.class.name}.${name}`);
    return undefined;
  }

  setAttribute(object: Value, name: string, value: Value): void {
    if (object.kind === 'instance') {
      const setter = this.classMember(object.class, '__setattr__');
      if (name === '__dict__') {
        this.#setAll(object, value);
        return;
      }
      const property = this.classMember(object.class, `${name}.setter`);
      if (setter !== undefined && setter.kind === 'function') this.call(setter, [object, text(name), value]);
      else if (property !== undefined) this.call(property, [object, value]);
      else this.setPlain(object, name, value);
    } else if (object.kind === 'class') this.heap.writeEntry(object.members, name, value);
    else if (object.kind === 'union') for (const option of object.options) this.setAttribute(option, name, value);
  }

  /** `self.__dict__ = value`: what the dict holds becomes attributes. */
  #setAll(object: InstanceValue, value: Value): void {
    const own = value.kind === 'instance' ? value.attributes.get('_entries') : value;
    const entries = own?.kind === 'dict' ? own : undefined;
    for (const [key, entry] of entries?.entries ?? []) if (!key.startsWith('#')) this.setPlain(object, key, entry.value);
    if (entries === undefined || entries.open || value.kind === 'instance') this.heap.write(object, 'open', true);
  }

  /** Sets an entry of a dict under a key that is not known: any of them may have been replaced. */
  putAnywhere(object: DictValue, value: Value): void {
    this.heap.write(object, 'open', true);
    for (const [key, entry] of [...object.entries]) {
      this.heap.writeEntry(object.entries, key, { key: entry.key, value: join(entry.value, value) });
    }
  }

  /** Sets the attribute as `object.__setattr__` does. */
  setPlain(object: InstanceValue, name: string, value: Value): void {
    this.heap.writeEntry(object.attributes, name, value);
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Tensors

  tensor(op: string, call: Call, shape: Shape, options: TensorOptions = {}): TensorValue {
    const inputs = options.inputs ?? tensorsIn(call.arguments);
    const [first] = inputs;
    const layer = this.layers[this.layers.length - 1];
    const site = call.site ?? this.site;
    const isArray =
      this.#makesArrays ||
      (!tensorsOfArrays.has(op) && inputs.some((each) => each.isArray === true)) ||
      (site !== undefined && holdsArrays(site.file));
    const tensor: TensorValue = {
      kind: 'tensor',
      id: this.nextTensor(),
      shape: this.substitution.size === 0 ? shape : applyToShape(shape, this.substitution),
      dtype: 'dtype' in options ? options.dtype : first?.dtype,
      op,
      arguments: call.arguments,
      inputs,
      site,
      ...(isArray ? { isArray } : {}),
      ...(options.index === undefined ? {} : { index: options.index }),
      ...(layer === undefined ? {} : { layer }),
      ...(this.within === undefined ? {} : { call: this.within }),
      ...(this.trace === undefined ? {} : { trace: this.trace }),
      ...(options.isParameter === true ? { isParameter: true } : {}),
      ...(options.isBuffer === true ? { isBuffer: true } : {}),
      ...(options.content === undefined ? {} : { content: options.content }),
    };
    this.note(tensor);
    return tensor;
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
    if (result.status === 'unknown') this.#doubtful = true;
    if (result.status === 'mismatch' && this.#isTrying) this.#mismatch ??= result.reason ?? '';
    else if (result.status === 'mismatch') this.report(call, { kind: op, message: result.reason ?? 'the sizes do not fit' });
  }

  report(call: Call, problem: Problem): void {
    const { recorder } = this.options;
    if (this.#isTrying) {
      this.#mismatch ??= problem.message;
      return;
    }
    if (recorder?.failure === undefined || this.facts.contradictory) return;
    const sites = this.site === undefined ? [...this.sites] : [...this.sites, this.site];
    const failure = { problem, call, sites: sites.reverse(), context: this.context, depth: this.uncertain };
    if (this.#heldFailures === undefined) this.note({ happened: 'failure', failure });
    else this.#heldFailures.push(failure);
  }

  /** Notes that Python raises here, where the code is sure to run and nothing catches it. */
  complain(kind: string, message: string, about: ReadonlyMap<string, Value> = new Map()): void {
    if (!this.assumesShapes || this.uncertain > 0 || this.tries > 0 || this.site === undefined || !this.isWhole) return;
    this.report(makeCall(kind, about, new Set(about.keys()), this.site), { kind, message });
  }

  /** False where classes are followed that a base in another file completes: such code may be a template that no one runs. */
  get isWhole(): boolean {
    for (let call = this.within; call !== undefined; call = call.parent) if (!this.isOfOneFile(call.instance.class)) return false;
    return true;
  }

  isOfOneFile({ mro, file: own }: ClassValue): boolean {
    return mro.every(({ file }) => file === undefined || file === own || file.isPrelude);
  }

  read(dim: Dim): Dim {
    return this.substitution.apply(dim);
  }

  isModule(value: Value): value is InstanceValue {
    return value.kind === 'instance' && value.class.mro.some(({ qualifiedName }) => moduleClasses.has(qualifiedName));
  }

  // -------------------------------------------------------------------------------------------------------------------
  // What operations ask

  raise(type: string, message: string): never {
    throw new Raised(type, message, undefined);
  }

  truth(value: Value): boolean | undefined {
    if (value.kind === 'instance') {
      const length = this.classMember(value.class, '__bool__') ?? this.classMember(value.class, '__len__');
      return length === undefined ? (value.class.isOpen ? undefined : true) : this.truth(this.call(length, [value]));
    }
    if (value.kind === 'int' && this.options.witness !== undefined) return truthOf(value) ?? this.options.witness.truth(value.dim);
    return truthOf(value);
  }

  isInstance(value: Value, qualifiedName: string): boolean | undefined {
    const short = qualifiedName.slice(qualifiedName.lastIndexOf('.') + 1);
    if (value.kind === 'unknown') return undefined;
    if (value.kind === 'union') {
      const [first, ...others] = value.options.map((option) => this.isInstance(option, qualifiedName));
      return others.every((other) => other === first) ? first : undefined;
    }
    if (value.kind === 'tensor') {
      if (short === 'Parameter') return value.isParameter === true;
      if (/Tensor$|^Array$/.test(short)) return short === 'Tensor' || short === 'Array' || undefined;
      return false;
    }
    if (value.kind === 'instance') {
      if (value.class.mro.some((each) => each.qualifiedName === qualifiedName)) return true;
      return value.class.isOpen ? undefined : false;
    }
    const names = builtinTypes[value.kind];
    if (names === undefined) return short === 'object' ? true : undefined;
    return names.includes(short);
  }

  items(value: Value): readonly Value[] | undefined {
    const iteration = this.iterate(value);
    return iteration.open && iteration.repeat === undefined ? undefined : iteration.items;
  }

  /** What a loop over the value runs through. */
  iterate(value: Value): Iteration {
    const nothing: Iteration = { items: [unknown('an item of something')], repeat: undefined, open: true };
    this.options.witness?.look(value);
    switch (value.kind) {
      case 'list':
        if (value.open && value.items.length === 0) return nothing;
        return { items: value.items, repeat: value.repeat, open: value.open };
      case 'set':
        return value.open && value.items.length === 0 ? nothing : { items: value.items, repeat: undefined, open: value.open };
      case 'tuple':
        return value.ellipsis === undefined ? { items: value.items, repeat: undefined, open: false } : nothing;
      case 'dict':
        return { items: [...value.entries.values()].map(({ key }) => key), repeat: undefined, open: value.open };
      case 'string':
        return value.value === undefined || value.value.length > 10_000
          ? nothing
          : { items: [...value.value].map(text), repeat: undefined, open: false };
      case 'range': {
        const count = rangeLength(value.start, value.stop, value.step);
        if (count?.constant !== undefined && value.start.constant !== undefined && value.step.constant !== undefined) {
          const limit = Math.min(count.constant, this.options.rounds ?? 20_000);
          if (count.constant > limit)
            return { items: [int(rigid('index', { scope: `loop ${count.constant}`, min: 0 }))], repeat: count, open: false };
          const [start, step] = [value.start.constant, value.step.constant];
          return { items: Array.from({ length: count.constant }, (_, i) => int(number(start + i * step))), repeat: undefined, open: false };
        }
        const { start, step } = value;
        const rounds = count === undefined ? undefined : this.options.witness?.roundsOf(count, start, (i) => add(start, multiply(i, step)));
        if (rounds !== undefined) return { items: rounds, repeat: undefined, open: false };
        const index = value.start.constant === 0 ? rigid('index', { scope: `loop ${count?.key ?? ''}`, min: 0 }) : undefined;
        return { items: [index === undefined ? unknown('an index') : int(index)], repeat: count, open: count === undefined };
      }
      case 'tensor': {
        const [first] = value.shape.dims;
        if (first === undefined || value.shape.ellipsis === 0) return nothing;
        const count = this.read(first);
        const rounds = count.constant !== undefined && count.constant <= 64 ? count.constant : 1;
        const items = Array.from({ length: rounds }, (_, i) => this.subscript(value, int(i)));
        return { items, repeat: rounds === count.constant ? undefined : count, open: false };
      }
      case 'instance': {
        const method = this.classMember(value.class, '__iter__');
        if (method !== undefined) {
          const result = this.call(method, [value]);
          return result.kind === 'instance' ? nothing : this.iterate(result);
        }
        const length = this.classMember(value.class, '__len__');
        const getter = this.classMember(value.class, '__getitem__');
        if (length === undefined || getter === undefined) return nothing;
        const count = dimOf(this.call(length, [value]))?.constant;
        if (count === undefined || count > 10_000) return nothing;
        return { items: Array.from({ length: count }, (_, i) => this.call(getter, [value, int(i)])), repeat: undefined, open: false };
      }
      case 'union': {
        const options = value.options.filter(({ kind }) => kind !== 'none');
        const [only] = options;
        if (options.length === 1 && only !== undefined) return this.iterate(only);
        // A list of which nothing is known holds what the other does.
        const known = this.assumesShapes ? options.filter((option) => option.kind !== 'list' || option.items.length > 0) : [];
        return known.length === 1 && known[0] !== undefined ? this.iterate(known[0]) : nothing;
      }
      default:
        return nothing;
    }
  }

  binary(operator: string, left: Value, right: Value): Value {
    this.step();
    if (left.kind === 'tensor' || right.kind === 'tensor') return this.#tensorOperator(operator, left, right);
    if (left.kind === 'instance' || right.kind === 'instance') {
      const method = left.kind === 'instance' ? this.classMember(left.class, operatorMethods[operator]?.[0] ?? '') : undefined;
      if (method !== undefined) return this.call(method, [left, right]);
      const reflected = right.kind === 'instance' ? this.classMember(right.class, operatorMethods[operator]?.[1] ?? '') : undefined;
      return reflected === undefined ? unknown(`${left.kind} ${operator} ${right.kind}`) : this.call(reflected, [right, left]);
    }
    if (left.kind === 'class' || right.kind === 'class' || left.kind === 'none' || right.kind === 'none') return unknown('a type');
    if (left.kind === 'dict' && right.kind === 'dict' && operator === '|') {
      return { kind: 'dict', entries: new Map([...left.entries, ...right.entries]), open: left.open || right.open };
    }
    if (left.kind === 'set' && right.kind === 'set') return { kind: 'set', items: [...left.items, ...right.items], open: true };
    if (operator === '//' && this.assumesShapes) this.#assumeExact(dimOf(left), dimOf(right));
    // What is computed from two settings is a number, whatever they are.
    if (this.assumesShapes && (isFraction(left) || isFraction(right))) {
      const [a, b] = [left, right].map((each) => (each.kind === 'unknown' ? (shareOf(each.path ?? '', each.scope ?? '') ?? each) : each));
      if (operator === '*' && a !== undefined && b !== undefined && (a !== left) !== (b !== right)) return arithmetic(operator, a, b);
      if (isSetting(left) && isSetting(right)) return float(undefined);
    }
    const result = arithmetic(operator, left, right);
    return (
      this.options.witness?.settle(result, [left, right], (numbers) => arithmetic(operator, numbers[0] as Value, numbers[1] as Value)) ??
      result
    );
  }

  /** In linting, a size that is divided by another is taken to be a multiple of it; one that is halved, to be even. */
  #assumeExact(dividend: Dim | undefined, divisor: Dim | undefined): void {
    if (dividend === undefined || divisor === undefined) return;
    const [over, under] = [loneAtom(dividend), loneAtom(divisor)];
    if (over?.kind !== 'symbol' || over.scope === lengthScope) return;
    if (over.flexible && !isHeads(under)) return;
    const isSized = under?.kind === 'symbol' && !under.flexible && under.scope !== lengthScope;
    const isHalved = (divisor.constant === 2 || divisor.constant === 4) && wholeWidths.has(conceptOf(over.name) ?? '');
    if (isSized || isHalved) this.assumeDivides(divisor, dividend);
  }

  assumeDivides(divisor: Dim, dividend: Dim): void {
    if (compare(mod(dividend, divisor), zero, this.facts) === 'unknown') this.facts = this.facts.assumeDivides(divisor, dividend);
  }

  #tensorOperator(operator: string, left: Value, right: Value): Value {
    const name = tensorOperators[operator];
    const operation = name === undefined ? undefined : this.builtin(name);
    if (operation === undefined) return unknown(`the operator ${operator} of tensors`);
    const known = left.kind === 'tensor' ? left : right.kind === 'tensor' ? right : undefined;
    const other = known === left ? right : left;
    const isDoubtful = other.kind === 'unknown' || other.kind === 'union' || other.kind === 'instance';
    const result = this.call(operation, [left, right]);
    if (!isDoubtful || known === undefined || operator === '@' || result.kind !== 'tensor') return result;
    const isNumber = other.kind === 'unknown' && other.path !== undefined;
    if (this.options.assumesShapes !== true && !isNumber) return result;
    // An optional input that is added has, where it is given, a shape that stretches to this one; a table or scale stretches to the input.
    const isTable = known.shape.ellipsis === undefined && (known.shape.dims.length < 3 || isOfWeight(known)) && !isNumber;
    this.heap.write(result, 'shape', isNumber ? known.shape : stretchable(isTable ? { dims: known.shape.dims, ellipsis: 0 } : known.shape));
    return result;
  }

  compare(operator: string, left: Value, right: Value): Value {
    if (left.kind === 'tensor' || right.kind === 'tensor') {
      const name = tensorComparisons[operator];
      const operation = name === undefined ? undefined : this.builtin(name);
      return operation === undefined ? bool(undefined) : this.call(operation, [left, right]);
    }
    if (left.kind === 'instance') {
      const method = this.classMember(left.class, comparisonMethods[operator] ?? '');
      if (method !== undefined && method.kind === 'function' && !method.file.isPrelude) return this.call(method, [left, right]);
      if (left === right && operator === '==') return bool(true);
      return bool(undefined);
    }
    if ((left.kind === 'class' || left.kind === 'function') && (operator === '==' || operator === '!=')) {
      if (right.kind === 'unknown' || right.kind === 'union') return bool(undefined);
      return bool((left === right) === (operator === '=='));
    }
    const result = comparison(operator, left, right, this.facts);
    return result.value === undefined ? (this.options.witness?.compare(operator, left, right) ?? result) : result;
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
    };
    this.note({ happened: 'instance', instance });
    for (const each of of.mro) if (each.unit !== undefined && each.file === this.#studied) this.memory.rest(each.unit.body);
    return instance;
  }

  /** Runs statements in a frame, for tests and for code at the top of a file. */
  run(frame: Frame, statements: readonly Statement[]): void {
    this.guard(() => runBody(this, frame, statements));
  }
}

/** The classes whose instances are modules with parameters. */
const moduleClasses: ReadonlySet<string> = new Set([
  'torch.nn.Module',
  'flax.linen.Module',
  'flax.nnx.Module',
  'keras.Layer',
  'mlx.nn.Module',
]);

/** What the function computes last is lost, as where `return` was forgotten. */
const endsWithAssignment = ({ definition }: FunctionValue): boolean =>
  definition.kind === 'function' && definition.body.at(-1)?.kind === 'assign';

const plainDecorators = /^(?:staticmethod|classmethod|(?:cached_)?property|(?:torch\.)?(?:no_grad|inference_mode|enable_grad))$/;

/** No decorator, and no class that is not known, may change what the function takes. */
const mayBeCalledAsWritten = ({ definition, owner }: FunctionValue): boolean =>
  (definition.kind === 'lambda' || definition.decorators.every((each) => plainDecorators.test(decoratorName(each)))) &&
  (owner === undefined || (!owner.isOpen && owner.decorators.length === 0 && owner.keywords.length === 0));

/** Widths that nobody makes odd. */
const wholeWidths: ReadonlySet<string> = new Set(['hiddenSize', 'headDim', 'intermediateSize']);

const sameRank = (a: Shape, b: Shape): boolean => a.ellipsis === undefined && b.ellipsis === undefined && a.dims.length === b.dims.length;

/** The value with its sizes replaced; itself when none is. */
/** What makes torch's tensors of arrays. */
const tensorsOfArrays: ReadonlySet<string> = new Set(['from_numpy', 'tensor', 'as_tensor']);

const arrayFiles = new WeakMap<SourceFile['module'], boolean>();

/** Whether all tensors in a file are arrays of JAX or MLX. */
function holdsArrays({ module, isPrelude }: SourceFile): boolean {
  let answer = arrayFiles.get(module);
  if (answer === undefined) {
    answer = !isPrelude && !/\btorch\b/.test(module.text) && /\b(?:jax|flax|mlx)\b/.test(module.text);
    arrayFiles.set(module, answer);
  }
  return answer;
}

/** Keys of the lengths of what comes in, but not of the number of rows. */
function lengthsIn(bound: ReadonlyMap<string, Value>, substitution: Substitution): readonly string[] {
  const found: string[] = [];
  for (const value of bound.values()) {
    valued(value, (dim) => {
      for (const symbol of symbolsOf(substitution.apply(dim)))
        if (symbol.scope === lengthScope && symbol.name !== 'B') found.push(symbol.key);
      return dim;
    });
  }
  return found;
}

/** Whether what is added has a number of the code for the length of what comes in: a table of positions, of biases between them. */
const isAddedTable = (name: string, bound: ReadonlyMap<string, Value>): boolean =>
  name.endsWith('.add') &&
  [...bound.values()].some(
    (value) =>
      value.kind === 'tensor' &&
      value.shape.dims.filter(({ constant }) => constant !== undefined && constant > 8).length > 1 &&
      !value.shape.dims.some((dim) => symbolsOf(dim).some(({ scope }) => scope === lengthScope)),
  );

/** Whether which axis is meant depends on a symbol. */
const isAxisOpen = (bound: ReadonlyMap<string, Value>): boolean =>
  ['dim', 'dim0', 'dim1'].some((name) => {
    const value = bound.get(name);
    return value?.kind === 'unknown' || (value?.kind === 'int' && value.dim.constant === undefined);
  });

/** Whether a size rests on an image's height or width, and none on what the model is made for. */
function sidesAreFree(bound: ReadonlyMap<string, Value>, substitution: Substitution): boolean {
  let areFree = false;
  let areTied = false;
  for (const value of bound.values()) {
    valued(value, (dim) => {
      for (const symbol of symbolsOf(substitution.apply(dim))) {
        areFree ||= isFreeSide(symbol);
        areTied ||= isModelSide(symbol);
      }
      return dim;
    });
  }
  return areFree && !areTied;
}

function valued(value: Value, replace: (dim: Dim) => Dim): Value {
  switch (value.kind) {
    case 'int': {
      const dim = replace(value.dim);
      return dim === value.dim ? value : { kind: 'int', dim };
    }
    // One of several sizes stands under the name of the one that is given.
    case 'union':
    case 'unknown': {
      const named = dimOf(value);
      const dim = named === undefined ? undefined : replace(named);
      return dim === undefined || dim === named ? value : { kind: 'int', dim };
    }
    case 'tensor': {
      const dims = value.shape.dims.map(replace);
      return dims.every((dim, i) => dim === value.shape.dims[i]) ? value : { ...value, shape: { dims, ellipsis: value.shape.ellipsis } };
    }
    case 'tuple':
    case 'list': {
      const items = value.items.map((item) => valued(item, replace));
      return items.every((item, i) => item === value.items[i]) ? value : { ...value, items };
    }
    default:
      return value;
  }
}

const views = /\.(?:view|reshape|unflatten)$/;
/** Operations whose operands have the same axes. */
const sums = /\.(?:add|sub|mul|div|masked_fill_?|where|cat|concat|stack)$/;
const products = /\.(?:matmul|bmm|mm|baddbmm|einsum|scaled_dot_product_attention)$/;

/**
 * Whether a number in the code, or the size of a weight, may be the length of all that comes in. Where it is not certain that the code is
 * reached, it may be meant for one token at a time.
 */
function mayFixLength(name: string, bound: ReadonlyMap<string, Value>, uncertain: number): boolean {
  const isProduct = products.test(name);
  const isView = views.test(name);
  if (name === 'headwise.take_parts') return uncertain > 0;
  const input = name.endsWith('.linear') ? bound.get('input') : undefined;
  if (input?.kind === 'tensor')
    return uncertain > 0 || isWeight(input) || input.shape.dims.some(({ constant }) => constant !== undefined && constant > 8);
  if (!isProduct && !(isView || sums.test(name))) return true;
  if (!isProduct && uncertain > 0 && (isView || ![...bound.values()].some((value) => isCached(value) || isPartlyCut(value)))) return true;
  // A number of tokens that what was added to the scores fixed.
  const [left, right] = /matmul$|bmm$/.test(name) ? [...bound.values()].filter((value) => value.kind === 'tensor') : [];
  const summed = new Map<Value, Dim | undefined>();
  if (left !== undefined) summed.set(left, left.shape.dims.at(-1));
  if (right !== undefined) summed.set(right, right.shape.dims.at(-2));
  const fixes = (value: Value): boolean => {
    if (value.kind === 'tensor') {
      if (isProduct) return value.isParameter === true || value.isBuffer === true || (summed.get(value)?.constant ?? 0) > 8;
      if (!isView && isWeight(value) && !isPartlyCut(value)) return true;
      return value.shape.dims.some(({ constant }) => constant !== undefined && constant > 8);
    }
    if (value.kind === 'tuple' || value.kind === 'list') return value.items.some(fixes);
    return isView && value.kind === 'int' && value.dim.constant !== undefined && value.dim.constant > 8;
  };
  return [...bound.values()].some(fixes);
}

/** A table, as of a mask, that is cut to what came in along one axis, and is as long as it may ever be along another. */
const isPartlyCut = (value: Value): boolean =>
  value.kind === 'tensor' &&
  value.shape.dims.some((dim) => {
    const atom = loneAtom(dim);
    return atom?.kind === 'symbol' && atom.scope === lengthScope && atom.name !== 'B';
  }) &&
  value.shape.dims.some((dim) => symbolsOf(dim).some(({ name }) => isContext(name)));

/** Along one of its axes stands what came in now behind what came in before. */
const isCached = (value: Value): boolean =>
  value.kind === 'tensor' &&
  value.shape.dims.some((dim) => symbolsOf(dim).some(({ scope, name }) => scope === lengthScope && beginNames.test(name)));

const isOfLibrary = ({ class: of }: InstanceValue): boolean => of.file?.isPrelude === true;

const isIdentity = (value: Value): boolean => value.kind === 'instance' && isOfLibrary(value) && value.class.name === 'Identity';

/** It goes wrong by the number of axes that something has. */
export const isOfAxes = ({ problem }: Failure): boolean => / axes\b/.test(problem.message);

const isUnion = (value: Value): boolean => value.kind === 'union';

/** An operation that gets something or None works on the something. */
function withoutNone(value: Value): Value {
  if (value.kind !== 'union') return value;
  const options = value.options.filter(({ kind }) => kind !== 'none');
  const [only] = options;
  return options.length === 1 && only !== undefined ? only : value;
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

const tensorOperators: Readonly<Record<string, string>> = {
  '+': 'torch.add',
  '-': 'torch.sub',
  '*': 'torch.mul',
  '/': 'torch.div',
  '//': 'torch.floor_divide',
  '%': 'torch.remainder',
  '**': 'torch.pow',
  '@': 'torch.matmul',
  '&': 'torch.bitwise_and',
  '|': 'torch.bitwise_or',
  '^': 'torch.bitwise_xor',
  '<<': 'torch.bitwise_left_shift',
  '>>': 'torch.bitwise_right_shift',
};

const tensorComparisons: Readonly<Record<string, string>> = {
  '==': 'torch.eq',
  '!=': 'torch.ne',
  '<': 'torch.lt',
  '<=': 'torch.le',
  '>': 'torch.gt',
  '>=': 'torch.ge',
};

const operatorMethods: Readonly<Record<string, readonly [string, string]>> = {
  '+': ['__add__', '__radd__'],
  '-': ['__sub__', '__rsub__'],
  '*': ['__mul__', '__rmul__'],
  '/': ['__truediv__', '__rtruediv__'],
  '//': ['__floordiv__', '__rfloordiv__'],
  '@': ['__matmul__', '__rmatmul__'],
  '%': ['__mod__', '__rmod__'],
  '**': ['__pow__', '__rpow__'],
  '|': ['__or__', '__ror__'],
};

const comparisonMethods: Readonly<Record<string, string>> = {
  '==': '__eq__',
  '!=': '__ne__',
  '<': '__lt__',
  '<=': '__le__',
  '>': '__gt__',
  '>=': '__ge__',
};

const typeNames: Readonly<Partial<Record<Value['kind'], string>>> = {
  string: 'str',
  list: 'list',
  dict: 'dict',
  set: 'set',
  tuple: 'tuple',
  int: 'int',
  float: 'float',
  bool: 'int',
  range: 'range',
};

const builtinTypes: Readonly<Partial<Record<Value['kind'], readonly string[]>>> = {
  none: ['NoneType', 'object'],
  bool: ['bool', 'int', 'Number', 'Integral', 'object'],
  int: ['int', 'Number', 'Integral', 'Real', 'object'],
  float: ['float', 'Number', 'Real', 'object'],
  string: ['str', 'object', 'Sequence', 'Iterable'],
  tuple: ['tuple', 'object', 'Sequence', 'Iterable', 'Size', 'Collection'],
  list: ['list', 'object', 'Sequence', 'Iterable', 'MutableSequence', 'Collection'],
  dict: ['dict', 'object', 'Mapping', 'Iterable', 'MutableMapping', 'OrderedDict'],
  set: ['set', 'object', 'Iterable'],
  slice: ['slice', 'object'],
  range: ['range', 'object', 'Sequence', 'Iterable'],
  function: ['object', 'Callable', 'FunctionType', 'LambdaType'],
  builtin: ['object', 'Callable'],
  class: ['type', 'object'],
  partial: ['partial', 'object', 'Callable'],
  opaque: ['object', 'dtype', 'device'],
};

const nothing: BuiltinValue = {
  kind: 'builtin',
  name: 'headwise.nothing',
  operation: {
    signature: [
      { name: 'args', kind: 'args', default: undefined },
      { name: 'kwargs', kind: 'kwargs', default: undefined },
    ],
    run: () => none,
  },
};

const setAttributeOperation: BuiltinValue = {
  kind: 'builtin',
  name: 'object.__setattr__',
  operation: {
    signature: ['self', 'name', 'value'].map((name) => ({ name, kind: 'positional', default: undefined })),
    run: (call, machine) => {
      const self = call.value('self');
      const name = call.text('name');
      if (self.kind === 'instance' && name !== undefined) machine.writeEntry(self.attributes, name, call.value('value'));
      return none;
    },
  },
};

const getAttributeOperation: BuiltinValue = {
  kind: 'builtin',
  name: 'object.__getattribute__',
  operation: {
    signature: ['self', 'name'].map((name) => ({ name, kind: 'positional', default: undefined })),
    run: (call) => {
      const self = call.value('self');
      const name = call.text('name');
      return (self.kind === 'instance' && name !== undefined ? self.attributes.get(name) : undefined) ?? unknown('an attribute');
    },
  },
};
