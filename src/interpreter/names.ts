import type { Unit, UnitBody } from '../syntax/python/ast.ts';
import { noAnswers } from './answers.ts';
import { type Frame, nothingYet } from './frame.ts';
import type { Interpreter } from './interpreter.ts';
import { prelude } from './library/prelude.ts';
import { unknown } from './make.ts';
import { constantNamed, isNamespace, operationNamed } from './ops/tables.ts';
import { absoluteName, importForTypes, type ModuleState, moduleState, namesOf } from './program.ts';
import { runStatement } from './statements.ts';
import type { BuiltinValue, NamespaceValue, SourceFile, Value } from './value.ts';

/** Preludes are the same for every interpreter. */
const preludeFiles = new Map<string, SourceFile>();

/** The names of the modules that code imports. A module's statements run when a name that they bind is asked for. */
export class Names {
  readonly #interpreter: Interpreter;
  readonly #modules = new Map<string, NamespaceValue | undefined>();
  readonly #states = new Map<Map<string, Value>, ModuleState>();
  readonly #files = new Map<SourceFile, Map<string, Value>>();
  readonly #builtins = new Map<string, Value>();
  #studied: SourceFile | undefined;

  constructor(interpreter: Interpreter) {
    this.#interpreter = interpreter;
  }

  isStudied(file: SourceFile | undefined): boolean {
    return file !== undefined && file === this.#studied;
  }

  forget(): void {
    this.#modules.clear();
    this.#states.clear();
    this.#files.clear();
    this.#studied = undefined;
  }

  /** The module of this dotted name: Headwise's description of it first, then its source. Undefined when nothing is known of it. */
  module(name: string): NamespaceValue | undefined {
    if (this.#modules.has(name)) return this.#modules.get(name);
    const described = this.#preludeFile(name);
    const file = described ?? this.#interpreter.options.loader.load(name);
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
    const file: SourceFile = { path: `<${name}>`, name, isPackage: true, module: this.#interpreter.options.parse(source), isPrelude: true };
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
      for (const i of binders) this.#interpreter.memory.rest((state.file.module.units[i] as Unit).body);
    }
    const found = globals.get(name);
    if (found !== undefined) return found;
    if (state.file.isPrelude) {
      // What a description leaves out may be in the source.
      const source = this.#interpreter.options.loader.load(state.name);
      const value = source === undefined ? undefined : this.global(this.globalsOf(source), name);
      if (value !== undefined) return value;
    }
    for (const star of state.stars) {
      const from = absoluteName(state.file, star.level, star.module);
      if (!prelude.has(from) && this.#interpreter.options.loader.mentions?.(from, name) === false) continue;
      const module = this.module(from);
      if (module === undefined || module.globals === globals) continue;
      if (state.pending.has(`*${name}`)) continue;
      state.pending.add(`*${name}`);
      const value = this.member(module, name);
      state.pending.delete(`*${name}`);
      if (value !== undefined) return value;
    }
    return undefined;
  }

  #runUnit(state: ModuleState, unit: Unit): void {
    const frame = this.moduleFrame(state.file, state.globals, unit);
    const interpreter = this.#interpreter;
    const { site, facts, substitution, answers, uncertain } = interpreter;
    interpreter.uncertain = 0;
    interpreter.answers = noAnswers;
    const run = (): void => {
      interpreter.guard(() => interpreter.heap.lasting(() => runStatement(interpreter, frame, unit.body.statement)));
    };
    if (state.file === this.#studied) interpreter.memory.running(unit.body, run);
    else run();
    interpreter.site = site;
    interpreter.facts = facts;
    interpreter.substitution = substitution;
    interpreter.answers = answers;
    interpreter.uncertain = uncertain;
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
      ...nothingYet(),
      self: undefined,
    };
  }

  /** A member of a module; undefined when it is not known. */
  member(module: NamespaceValue, name: string): Value | undefined {
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
      (module === undefined ? undefined : this.member(module, qualifiedName.slice(at + 1))) ??
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
      const value = this.member(found, name);
      if (value !== undefined) return value;
    }
    return this.builtin(`${absolute}.${name}`) ?? this.module(`${absolute}.${name}`) ?? unknown(`${absolute}.${name}`);
  }

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
    return this.global(frame.globals, name) ?? this.ofLanguage(name) ?? unknown(name);
  }

  ofLanguage(name: string): Value | undefined {
    const value = this.builtin(`builtins.${name}`);
    if (value !== undefined) return value;
    const module = this.module('builtins');
    return module?.globals === undefined ? undefined : this.global(module.globals, name);
  }

  assign(frame: Frame, name: string, value: Value): void {
    const target = frame.redirected.get(name) ?? frame.locals;
    this.#interpreter.heap.writeEntry(target, name, value);
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
      if (bodies.has(unit.body) && this.#interpreter.memory.holds(unit.body, bodies)) ran.add(unit.body);
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
    if (isNew) this.#interpreter.memory.forget();
    this.#interpreter.memory.keep(bodies);
  }
}
