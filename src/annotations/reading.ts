/** What the interpreter read off a file of model code, held against the contracts in it. */
import type { Dim } from '../dims/dim.ts';
import { Facts } from '../dims/facts.ts';
import { applyToShape, rankOf, type Shape } from '../dims/shape.ts';
import { ancestors } from '../interpreter/graph.ts';
import { dimOf } from '../interpreter/make.ts';
import type { Variable } from '../interpreter/recording.ts';
import type { CodeReading, Study } from '../interpreter/study.ts';
import type { TensorValue, Value } from '../interpreter/value.ts';
import type { Expression, FunctionDefinition, Span, Statement, Unit } from '../syntax/python/ast.ts';
import { blocksIn, eachChildStatement } from '../syntax/python/walk.ts';
import { type ContractReport, type Contradiction, combineReports, judgeContracts, type Reading, sizeNamed, sizeNamesOf } from './check.ts';
import { annotationsOf } from './code.ts';
import type { Contract } from './contract.ts';
import type { PlacedContract, Subject, UnitAnnotations } from './place.ts';
import { measured, pathOf } from './targets.ts';

/** A contradiction with the top-level statement that its ranges are relative to. */
export interface CodeContradiction extends Contradiction {
  readonly unit: Unit;
}

const maxRounds = 4;
const maxFrames = 16;

/**
 * The contracts of the file that the code contradicts, in source order. What a study says of a statement is worked out once, so that
 * an edit costs what it touches. Linear in what was read.
 */
export function contradictionsIn(code: CodeReading): readonly CodeContradiction[] {
  const { text, units } = code.file.module;
  const typed = typedParameters(code);
  const found: CodeContradiction[] = [];
  for (const unit of units) {
    const annotations = annotationsOf(unit, text);
    if (contractsOf(annotations).size === 0) continue;
    const reports = new Map<FunctionDefinition, ContractReport[]>();
    const add = (study: Study, found: Reports): void => {
      // What comes into a part by itself is assumed, where the model gives it something.
      if (study.isPart === true) return;
      for (const [definition, list] of found) reports.set(definition, [...(reports.get(definition) ?? []), ...list]);
    };
    for (const study of code.studies) add(study, reportsOf(study, annotations, typed));
    // What was last said of a statement that was not edited stands until it is followed again.
    for (const study of code.stale ?? []) add(study, known.get(study.tensors)?.get(annotations) ?? nothing);
    for (const list of reports.values()) for (const each of combineReports(list)) if (!isOfWhole(each)) found.push({ ...each, unit });
  }
  const isFirst = isFirstWrong(code, found);
  // Of a comment with an arrow the result comes first; one finding for a comment is enough.
  const said = new Set<Contract>();
  return found
    .filter(isFirst)
    .sort((a, b) => Number(a.placed.shape !== a.placed.contract.to) - Number(b.placed.shape !== b.placed.contract.to))
    .filter(({ placed: { contract } }) => !said.has(contract) && said.add(contract))
    .sort((a, b) => a.unit.start + a.range.start - (b.unit.start + b.range.start))
    .filter(isFirstOf());
}

/** False of what a type contradicts because what it was made of was wrong, or failed: that is said where it is. */
function isFirstWrong(code: CodeReading, found: readonly CodeContradiction[]): (each: CodeContradiction) => boolean {
  const failed = new Set(code.studies.flatMap(({ failures }) => failures.map(({ call }) => call.arguments)));
  const typed = found.filter(({ placed }) => placed.place === 'type');
  return (each) => {
    if (each.placed.place !== 'type' || each.value?.kind !== 'tensor') return true;
    const before = new Set(ancestors(each.value));
    if ([...before].some((tensor) => failed.has(tensor.arguments))) return false;
    const { site } = each.value;
    return !typed.some((other) => {
      if (other.placed.contract === each.placed.contract || other.value?.kind !== 'tensor') return false;
      if (before.has(other.value) && other.value !== each.value) return true;
      // What another call of the function gave.
      const definition = other.placed.function;
      return (
        other.subject.kind === 'return' &&
        each.subject.kind !== 'return' &&
        definition !== undefined &&
        site?.unit === other.unit &&
        definition.start <= site.node.start &&
        site.node.end <= definition.end
      );
    });
  };
}

/** `q, k, v = qkv.permute(2, 0, 1, 3)  # (3, B, T, C)` speaks of what is taken apart. */
function isOfWhole({ placed, shape }: Contradiction): boolean {
  const target = placed.statement?.kind === 'assign' ? placed.statement.targets[0] : undefined;
  const isTakenApart = (target?.kind === 'tuple' || target?.kind === 'list') && target.items.length > 1;
  return isTakenApart && shape.ellipsis === undefined && placed.shape.dims.length === shape.dims.length + 1;
}

/** The names that the comments of a function, and its own variables, use for sizes; by the sizes' keys. */
export function namedSizesOf(code: CodeReading, unit: Unit, definition: FunctionDefinition): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  const annotations = annotationsOf(unit, code.file.module.text);
  const typed = typedParameters(code);
  for (const study of code.studies) {
    for (const report of reportsOf(study, annotations, typed).get(definition) ?? []) {
      for (const [key, name] of report.names) if (!names.has(key)) names.set(key, name);
    }
    for (const { events } of traceOf(study, typed).frames.get(definition) ?? []) {
      for (const { name, value } of events) {
        if (value.kind !== 'int' || name.includes('.')) continue;
        const dim = study.substitution.apply(value.dim);
        if (dim.constant === undefined && !dim.unknown && !names.has(dim.key)) names.set(dim.key, name);
      }
    }
  }
  return names;
}

/** The shape of a variable after a statement, where all calls agree; it may rest on what is assumed of inputs. */
export function shapeAfter(code: CodeReading, { node }: Subject & { readonly kind: 'variable' }): Shape | undefined {
  let found: Shape | undefined;
  for (const study of code.studies) {
    for (const { site, value } of study.variables) {
      if (site.node !== node) continue;
      if (value.kind !== 'tensor') return undefined;
      const shape = applyToShape(value.shape, study.substitution);
      if (found !== undefined && !sameShape(found, shape)) return undefined;
      found = shape;
    }
  }
  return found;
}

type Reports = ReadonlyMap<FunctionDefinition, readonly ContractReport[]>;

const known = new WeakMap<Study['tensors'], WeakMap<UnitAnnotations, Reports>>();
const nothing: Reports = new Map();

/** What a study says of the contracts of one top-level statement, by function. */
function reportsOf(study: Study, annotations: UnitAnnotations, typed: TypedParameters): Reports {
  const contracts = contractsOf(annotations);
  if (contracts.size === 0) return nothing;
  let ofStudy = known.get(study.tensors);
  if (ofStudy === undefined) {
    ofStudy = new WeakMap();
    known.set(study.tensors, ofStudy);
  }
  const done = ofStudy.get(annotations);
  if (done !== undefined) return done;
  const trace = traceOf(study, typed);
  const reports = new Map<FunctionDefinition, ContractReport[]>();
  for (const [definition, placed] of contracts) {
    for (const frame of trace.frames.get(definition) ?? []) {
      const call = new CallTrace(definition, frame, trace);
      const observations = placed.map((each) => ({ placed: each, readings: each.subjects.map((subject) => call.read(each, subject)) }));
      const list = reports.get(definition) ?? [];
      reports.set(definition, list);
      list.push(judgeContracts(observations, study.substitution));
    }
  }
  ofStudy.set(annotations, reports);
  return reports;
}

const grouped = new WeakMap<UnitAnnotations, ReadonlyMap<FunctionDefinition, readonly PlacedContract[]>>();

/** The contracts that may be compared, by function: parameters and results first, then as the code stands. */
function contractsOf(annotations: UnitAnnotations): ReadonlyMap<FunctionDefinition, readonly PlacedContract[]> {
  const done = grouped.get(annotations);
  if (done !== undefined) return done;
  const found = new Map<FunctionDefinition, PlacedContract[]>();
  for (const list of [...annotations.functions.values(), ...annotations.statements.values()]) {
    for (const placed of list) {
      if (placed.function === undefined || placed.contract.stated === 'prose') continue;
      const entry = found.get(placed.function);
      if (entry === undefined) found.set(placed.function, [placed]);
      else entry.push(placed);
    }
  }
  const order = ({ statement }: PlacedContract): number => statement?.start ?? -1;
  for (const list of found.values()) list.sort((a, b) => order(a) - order(b));
  grouped.set(annotations, found);
  return found;
}

/** True for the first contradiction about a value: what is made of a wrong shape, and read again, is not told again. */
function isFirstOf(): (each: CodeContradiction) => boolean {
  const told = new Map<FunctionDefinition | undefined, Set<string>>();
  return ({ placed, subject, inferred }) => {
    const name = subject.kind === 'variable' || subject.kind === 'parameter' ? subject.name : undefined;
    const values = told.get(placed.function) ?? new Set<string>();
    told.set(placed.function, values);
    const key = `${name} ${inferred}`;
    if (name === undefined || !values.has(key)) {
      values.add(key);
      return true;
    }
    return false;
  };
}

/** One call of a function: what was bound to its names in order, and what it answered. */
interface FrameTrace {
  readonly events: readonly Variable[];
  readonly result: Value | undefined;
}

/** What a study holds, as contracts ask for it. */
interface StudyTrace {
  readonly frames: ReadonlyMap<FunctionDefinition, readonly FrameTrace[]>;
  /** What each expression gave, in whichever call. */
  readonly made: ReadonlyMap<Span, readonly TensorValue[]>;
  /** Inputs whose number of axes the code itself tells. */
  readonly certain: ReadonlySet<TensorValue>;
}

const traces = new WeakMap<Study['tensors'], StudyTrace>();

function traceOf(study: Study, typed: TypedParameters): StudyTrace {
  const done = traces.get(study.tensors);
  if (done !== undefined) return done;
  const byFrame = new Map<Variable['frame'], Variable[]>();
  for (const variable of study.variables) {
    const list = byFrame.get(variable.frame);
    if (list === undefined) byFrame.set(variable.frame, [variable]);
    else list.push(variable);
  }
  const results = new Map(study.runs.map(({ frame, result }) => [frame, result]));
  const frames = new Map<FunctionDefinition, FrameTrace[]>();
  for (const [frame, events] of byFrame) {
    const definition = frame.function?.definition;
    if (definition?.kind !== 'function') continue;
    const list = frames.get(definition) ?? [];
    frames.set(definition, list);
    if (list.length < maxFrames) list.push({ events, result: results.get(frame) });
  }
  const made = new Map<Span, TensorValue[]>();
  for (const tensor of study.tensors) {
    if (tensor.site === undefined) continue;
    const list = made.get(tensor.site.node);
    if (list === undefined) made.set(tensor.site.node, [tensor]);
    else if (list.length < maxFrames) list.push(tensor);
  }
  const trace: StudyTrace = { frames, made, certain: new Set([...certainInputs(frames), ...typedInputs(study, typed)]) };
  traces.set(study.tensors, trace);
  return trace;
}

/** The number of axes that types of arrays state of parameters, by the parameter's name where it stands. */
type TypedParameters = ReadonlyMap<Span, number>;

/** What types state of the parameters of the file: they are meant to be checked when the code runs. */
function typedParameters({ file: { module } }: CodeReading): TypedParameters {
  const found = new Map<Span, number>();
  for (const unit of module.units) {
    for (const list of annotationsOf(unit, module.text).functions.values()) {
      for (const { place, subjects, shape } of list) {
        const [subject] = subjects;
        const name = subject?.kind === 'parameter' ? subject.parameter.name : undefined;
        if (place === 'type' && name !== undefined && shape.dims.every(({ kind }) => kind !== 'rest')) found.set(name, shape.dims.length);
      }
    }
  }
  return found;
}

/** Inputs that have as many axes as their type says. */
const typedInputs = ({ inputs }: Study, typed: TypedParameters): readonly TensorValue[] =>
  inputs.filter(({ site, shape }) => site !== undefined && typed.get(site.node) === rankOf(shape));

/**
 * The inputs of a study have shapes that are assumed. One whose sizes the code takes apart (`B, T, C = x.shape`), of itself or of
 * what has as many axes, has that number of axes for sure.
 */
function certainInputs(frames: ReadonlyMap<FunctionDefinition, readonly FrameTrace[]>): ReadonlySet<TensorValue> {
  const certain = new Set<TensorValue>();
  const seen = new Set<TensorValue>();
  for (const [definition, calls] of frames) {
    for (const { name, target, count } of unpackings(definition)) {
      for (const { events } of calls) {
        const at = events.findIndex(({ site }) => site.node === target);
        const value = events.slice(0, Math.max(0, at)).findLast((event) => event.name === name)?.value;
        // Under a wrong assumption the code fails here.
        if (value?.kind !== 'tensor' || rankOf(value.shape) !== count) continue;
        const waiting: TensorValue[] = [value];
        for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
          if (seen.has(next) || seen.size > maxGraph) continue;
          seen.add(next);
          if (next.op === 'input') certain.add(next);
          else if (keepsAxes.test(next.op)) waiting.push(...next.inputs.slice(0, 1));
        }
      }
    }
  }
  return certain;
}

/** Operations whose result has as many axes as their first tensor. */
const keepsAxes =
  /^(?:layer_norm|rms_norm|group_norm|batch_norm|dropout|linear|gelu|relu|silu|softmax|to|contiguous|float|half|type_as|transpose|permute|mul|div|add|sub|clone|detach|identity)$/;

const unpacked = new WeakMap<FunctionDefinition, readonly Unpacking[]>();

/** `B, T, C = x.shape`: whose sizes are taken apart, the first of the targets and their number. */
interface Unpacking {
  readonly name: string;
  readonly target: Expression;
  readonly count: number;
}

function unpackings(definition: FunctionDefinition): readonly Unpacking[] {
  const done = unpacked.get(definition);
  if (done !== undefined) return done;
  const found: Unpacking[] = [];
  const visit = (statement: Statement): void => {
    eachChildStatement(statement, visit);
    if (statement.kind !== 'assign') return;
    const [target] = statement.targets;
    const tensor = measured(statement.value);
    const name = tensor === undefined ? undefined : pathOf(tensor);
    if (name === undefined || (target?.kind !== 'tuple' && target?.kind !== 'list')) return;
    const [first] = target.items;
    if (first !== undefined && target.items.every(({ kind }) => kind === 'name'))
      found.push({ name, target: first, count: target.items.length });
  };
  definition.body.forEach(visit);
  unpacked.set(definition, found);
  return found;
}

type Seen = Shape | 'none' | undefined;

/** Operations whose result has as many axes as they themselves say. */
const shaping = /^(?:view|reshape|einsum|rearrange|zeros|ones|empty|full|arange|randn|rand|tril|triu|parameter|buffer)$/;

const maxGraph = 20_000;
const guesses = new WeakMap<TensorValue, boolean>();

/**
 * Whether the number of axes rests on a guess: that of an input, or that what was added to something unknown keeps its shape.
 * Iterative; linear in the graph, each tensor once.
 */
function isGuessed(tensor: TensorValue, certain: ReadonlySet<TensorValue>): boolean {
  const waiting: TensorValue[] = [tensor];
  let steps = 0;
  while (waiting.length > 0) {
    const top = waiting[waiting.length - 1] as TensorValue;
    if (guesses.has(top)) {
      waiting.pop();
      continue;
    }
    if (++steps > maxGraph) return true;
    if (shaping.test(top.op)) guesses.set(top, false);
    else if (top.op === 'input') guesses.set(top, !certain.has(top));
    else if (mixesUnknown(top)) guesses.set(top, true);
    else {
      const open = top.inputs.filter((input) => !guesses.has(input) && input !== top);
      if (open.length === 0)
        guesses.set(
          top,
          top.inputs.some((input) => guesses.get(input) === true),
        );
      else waiting.push(...open);
    }
  }
  return guesses.get(tensor) === true;
}

/** The result has a known number of axes though an operand has none. */
function mixesUnknown({ shape, arguments: given }: TensorValue): boolean {
  if (shape.ellipsis !== undefined) return false;
  return [given.get('input'), given.get('other')].some(
    (operand) => operand?.kind === 'unknown' || (operand?.kind === 'tensor' && operand.shape.ellipsis !== undefined),
  );
}

/** The shape of a value: 'none' for what is surely no tensor. */
function shapeOfValue(value: Value, certain: ReadonlySet<TensorValue>): Seen {
  switch (value.kind) {
    case 'tensor':
      // A scalar is mostly where a sum or a count begins that goes on to have axes.
      return rankOf(value.shape) === 0 || isGuessed(value, certain) ? undefined : value.shape;
    case 'unknown':
      return undefined;
    case 'union': {
      const shapes = value.options.map((option) => shapeOfValue(option, certain));
      if (shapes.every((shape) => shape === 'none')) return 'none';
      const [first] = shapes;
      return first !== undefined && shapes.every((shape) => shape !== undefined && sameShape(shape, first)) ? first : undefined;
    }
    default:
      return 'none';
  }
}

const keyOfShape = (shape: Shape): string => `${shape.ellipsis ?? ''} ${shape.dims.map(({ key }) => key).join(',')}`;
const sameShape = (a: Shape | 'none', b: Shape | 'none'): boolean =>
  a === b || (a !== 'none' && b !== 'none' && keyOfShape(a) === keyOfShape(b));

/** What a subject was at one time, with the number of events before it and the place. */
interface Moment {
  readonly value: Value;
  readonly index: number;
  readonly node: Span;
}

/** Reads what contracts speak of off one call. */
class CallTrace {
  readonly #events: readonly Variable[];
  readonly #result: Value | undefined;
  readonly #study: StudyTrace;
  /** Compound statements around each simple statement of the function, by its start. */
  readonly #around: readonly { readonly statement: Statement; readonly blocks: readonly object[] }[];

  constructor(definition: FunctionDefinition, { events, result }: FrameTrace, study: StudyTrace) {
    this.#events = events;
    this.#result = result;
    this.#study = study;
    this.#around = blocksAround(definition);
  }

  #shapeOf(value: Value): Seen {
    return shapeOfValue(value, this.#study.certain);
  }

  read(placed: PlacedContract, subject: Subject): readonly Reading[] | 'none' | undefined {
    const at = this.#moments(subject);
    if (at === undefined) return undefined;
    const readings: Reading[] = [];
    for (const { value, index, node } of at) {
      const seen = this.#shapeOf(value);
      if (seen === undefined) return undefined;
      if (seen === 'none') {
        if (at.length === 1) return 'none';
        return undefined;
      }
      if (readings.some(({ shape }) => sameShape(shape, seen))) continue;
      if (readings.length === maxRounds) return undefined;
      readings.push({ shape: seen, facts: Facts.none, names: this.#names(placed, index, node), value });
    }
    return readings;
  }

  #moments(subject: Subject): readonly Moment[] | undefined {
    switch (subject.kind) {
      case 'parameter': {
        const index = this.#events.findIndex(({ isArgument, name }) => isArgument && name === subject.name);
        const event = this.#events[index];
        return event === undefined ? undefined : [{ value: event.value, index: index + 1, node: subject.parameter }];
      }
      case 'return': {
        const value = this.#result;
        if (value === undefined) return undefined;
        const item = subject.item;
        const index = this.#events.length;
        const node = { start: Number.MAX_SAFE_INTEGER, end: Number.MAX_SAFE_INTEGER };
        if (item === undefined) return value.kind === 'none' ? undefined : [{ value, index, node }];
        const part = value.kind === 'tuple' && value.ellipsis === undefined ? value.items[item] : undefined;
        return part === undefined ? undefined : [{ value: part, index, node }];
      }
      case 'expression': {
        const made = this.#study.made.get(subject.node) ?? [];
        const shapes = made.map((tensor) => this.#shapeOf(tensor));
        const [value] = made;
        const [first] = shapes;
        // Calls of other frames are among them; only what is the same in all of them is sure.
        if (value === undefined || first === undefined || first === 'none') return undefined;
        if (!shapes.every((shape) => shape !== undefined && sameShape(shape, first))) return undefined;
        return [{ value, index: this.#positionOf(subject.statement), node: subject.statement }];
      }
      case 'variable': {
        if (subject.when === 'before') {
          const index = this.#positionOf(subject.statement);
          const found = this.#latest(subject.name, index, subject.statement);
          return found === undefined ? undefined : [{ value: found, index, node: subject.statement }];
        }
        const moments = this.#events.flatMap(({ site, value }, index) =>
          site.node === subject.node ? [{ value, index: index + 1, node: subject.statement }] : [],
        );
        return moments.length === 0 ? undefined : moments;
      }
    }
  }

  /** The number of events before the statement first runs. */
  #positionOf(statement: Statement): number {
    const index = this.#events.findIndex(({ isArgument, site }) => !isArgument && site.node.start >= statement.start);
    return index < 0 ? this.#events.length : index;
  }

  /** What a name stands for before an event; undefined where that hangs on the branch taken. */
  #latest(name: string, before: number, place: Span): Value | undefined {
    const around = this.#blocksAt(place);
    let found: Value | undefined;
    for (let i = before - 1; i >= 0; i--) {
      const event = this.#events[i] as Variable;
      if (event.name !== name) continue;
      if (found === undefined) found = event.value;
      else {
        const [a, b] = [this.#shapeOf(found), this.#shapeOf(event.value)];
        if (a === undefined || b === undefined || !sameShape(a, b)) return undefined;
        if (a === 'none' && dimOf(found)?.key !== dimOf(event.value)?.key) return undefined;
      }
      if (event.isArgument || this.#blocksAt(event.site.node).every((block) => around.includes(block))) return found;
    }
    // Only branches bind it.
    return undefined;
  }

  /** The blocks that hold a place, innermost last. */
  #blocksAt({ start }: Span): readonly object[] {
    let low = 0;
    let high = this.#around.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#around[middle]?.statement.start ?? 0) <= start) low = middle;
      else high = middle - 1;
    }
    return this.#around[low]?.blocks ?? [];
  }

  #names(placed: PlacedContract, index: number, node: Span): ReadonlyMap<string, Dim> {
    const names = new Map<string, Dim>();
    for (const name of sizeNamesOf(placed.shape)) {
      const dim = sizeNamed(name, (path) => this.#size(path, index, node));
      if (dim !== undefined) names.set(name, dim);
    }
    return names;
  }

  /** The whole number that a path of the code stands for. */
  #size(path: string, index: number, node: Span): Dim | undefined {
    const [root = '', ...rest] = path.split('.');
    let value = this.#latest(path, index, node);
    if (value === undefined) {
      value = this.#latest(root, index, node);
      for (const part of rest) value = value?.kind === 'instance' ? value.attributes.get(part) : undefined;
    }
    if (value === undefined) return undefined;
    if (value.kind === 'int') return value.dim;
    return rest.length > 0 && value.kind === 'unknown' ? dimOf(value) : undefined;
  }
}

/** For each statement of a function in source order, the blocks of compound statements inside the function that hold it. */
function blocksAround(definition: FunctionDefinition): readonly { readonly statement: Statement; readonly blocks: readonly object[] }[] {
  const found: { statement: Statement; blocks: readonly object[] }[] = [];
  const visit = (statement: Statement, blocks: readonly object[], depth: number): void => {
    found.push({ statement, blocks });
    if (depth > 100) return;
    const bodies = bodiesOf(statement);
    eachChildStatement(statement, (child) => {
      const body = bodies.find((list) => list.includes(child));
      visit(child, body === undefined ? blocks : [...blocks, body], depth + 1);
    });
  };
  for (const statement of definition.body) visit(statement, [], 0);
  return found;
}

/** The blocks that may or may not run, or run several times; those of `with` surely run. */
function bodiesOf(statement: Statement): readonly (readonly Statement[])[] {
  if (statement.kind === 'with' || statement.kind === 'function' || statement.kind === 'class') return [];
  return blocksIn(statement).filter((body) => statement.kind !== 'try' || body !== statement.finally);
}

/** The name that an expression is, for a sentence about it. */
export const nameOf = (subject: Subject): string | undefined =>
  subject.kind === 'variable' || subject.kind === 'parameter'
    ? subject.name
    : subject.kind === 'expression'
      ? pathOf(subject.node as Expression)
      : undefined;
