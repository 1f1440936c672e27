/** What the interpreter read off a file of model code, held against the contracts in it. */
import type { Dim } from '../dims/dim.ts';
import { Facts } from '../dims/facts.ts';
import type { Shape } from '../dims/shape.ts';
import type { Variable } from '../interpreter/interpreter.ts';
import { dimOf } from '../interpreter/make.ts';
import type { CodeReading } from '../interpreter/study.ts';
import type { TensorValue, Value } from '../interpreter/value.ts';
import type { Expression, FunctionDefinition, Span, Statement, Unit } from '../syntax/python/ast.ts';
import { eachChildStatement } from '../syntax/python/walk.ts';
import {
  type ContractReport,
  type Contradiction,
  combineReports,
  judgeContracts,
  type Observation,
  type Reading,
  sizeNamed,
  sizeNamesOf,
} from './check.ts';
import { annotationsOf } from './code.ts';
import type { Contract } from './contract.ts';
import type { PlacedContract, Subject, UnitAnnotations } from './place.ts';
import { pathOf } from './targets.ts';

/** A contradiction with the top-level statement that its ranges are relative to. */
export interface CodeContradiction extends Contradiction {
  readonly unit: Unit;
}

const maxRounds = 4;

/** The contracts of the file that the code contradicts, in source order. Linear in what was read. */
export function contradictionsIn(code: CodeReading): readonly CodeContradiction[] {
  const { text, units } = code.file.module;
  const unitOf = new Map<FunctionDefinition, Unit>();
  const stated = new Map<FunctionDefinition, { readonly annotations: UnitAnnotations; readonly contracts: PlacedContract[] }>();
  for (const unit of units) {
    const annotations = annotationsOf(unit, text);
    for (const list of [...annotations.functions.values(), ...annotations.statements.values()]) {
      for (const placed of list) {
        if (placed.function === undefined || placed.contract.stated === 'prose') continue;
        unitOf.set(placed.function, unit);
        const entry = stated.get(placed.function);
        if (entry === undefined) stated.set(placed.function, { annotations, contracts: [placed] });
        else entry.contracts.push(placed);
      }
    }
  }
  if (stated.size === 0) return [];
  const results = new Map(code.runs.map(({ frame, result }) => [frame, result]));
  const made = tensorsByNode(code);
  const reports = new Map<FunctionDefinition, ContractReport[]>();
  for (const [frame, events] of byFrame(code)) {
    const definition = frame.function?.definition;
    if (definition?.kind !== 'function') continue;
    const entry = stated.get(definition);
    if (entry === undefined) continue;
    const trace = new Trace(definition, events, made, results.get(frame));
    const observations = entry.contracts
      .map((placed) => ({ placed, readings: placed.subjects.map((subject) => trace.read(placed, subject)) }) satisfies Observation)
      .map((observation) => ({ observation, order: trace.orderOf(observation.placed) }))
      .sort((a, b) => a.order - b.order)
      .map(({ observation }) => observation);
    const report = judgeContracts(observations, code.interpreter.substitution);
    const list = reports.get(definition);
    if (list === undefined) reports.set(definition, [report]);
    else list.push(report);
  }
  const found = [...reports].flatMap(([definition, list]) =>
    combineReports(list).map((each) => ({ ...each, unit: unitOf.get(definition) as Unit })),
  );
  // Of a comment with an arrow the result comes first; one finding for a comment is enough.
  const said = new Set<Contract>();
  return found
    .sort((a, b) => Number(a.placed.shape !== a.placed.contract.to) - Number(b.placed.shape !== b.placed.contract.to))
    .filter(({ placed: { contract } }) => !said.has(contract) && said.add(contract))
    .sort((a, b) => a.unit.start + a.range.start - (b.unit.start + b.range.start))
    .filter(isFirstOf());
}

/** True for the first contradiction about a value: what is made of a wrong shape, and read again, is not told again. */
function isFirstOf(): (each: CodeContradiction) => boolean {
  const known = new Map<FunctionDefinition | undefined, Set<string>>();
  return ({ placed, subject, inferred }) => {
    const name = subject.kind === 'variable' || subject.kind === 'parameter' ? subject.name : undefined;
    const values = known.get(placed.function) ?? new Set<string>();
    known.set(placed.function, values);
    const key = `${name} ${inferred}`;
    if (name === undefined || !values.has(key)) {
      values.add(key);
      return true;
    }
    return false;
  };
}

type FrameEvents = ReadonlyMap<Variable['frame'], readonly Variable[]>;

function byFrame(code: CodeReading): FrameEvents {
  const frames = new Map<Variable['frame'], Variable[]>();
  for (const variable of code.variables) {
    if (variable.frame.file !== code.file) continue;
    const list = frames.get(variable.frame);
    if (list === undefined) frames.set(variable.frame, [variable]);
    else list.push(variable);
  }
  return frames;
}

/** What each expression of the file gave, in whichever call. */
function tensorsByNode(code: CodeReading): ReadonlyMap<Span, readonly TensorValue[]> {
  const made = new Map<Span, TensorValue[]>();
  for (const { tensors } of code.studies) {
    for (const tensor of tensors) {
      const { site } = tensor;
      if (site === undefined || site.file !== code.file) continue;
      const list = made.get(site.node);
      if (list === undefined) made.set(site.node, [tensor]);
      else if (list.length < 16) list.push(tensor);
    }
  }
  return made;
}

type Seen = Shape | 'none' | undefined;

/** Operations whose result has as many axes as they themselves say. */
const shaping = /^(?:view|reshape|einsum|rearrange|zeros|ones|empty|full|arange|randn|rand|tril|triu|input|parameter)$/;

const maxGraph = 20_000;
const guesses = new WeakMap<TensorValue, boolean>();

/**
 * Whether the number of axes rests on the guess that what was added to something unknown keeps its shape. Iterative; linear in
 * the graph, each tensor once.
 */
function isGuessed(tensor: TensorValue): boolean {
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
function shapeOfValue(value: Value): Seen {
  switch (value.kind) {
    case 'tensor':
      return isGuessed(value) ? undefined : value.shape;
    case 'unknown':
      return undefined;
    case 'union': {
      const shapes = value.options.map(shapeOfValue);
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

/** One call of a function: what was bound to its names, in order. */
class Trace {
  readonly #events: readonly Variable[];
  readonly #made: ReadonlyMap<Span, readonly TensorValue[]>;
  readonly #result: Value | undefined;
  /** Compound statements around each simple statement of the function, by its start. */
  readonly #around: readonly { readonly statement: Statement; readonly blocks: readonly object[] }[];

  constructor(
    definition: FunctionDefinition,
    events: readonly Variable[],
    made: ReadonlyMap<Span, readonly TensorValue[]>,
    result: Value | undefined,
  ) {
    this.#events = events;
    this.#made = made;
    this.#result = result;
    this.#around = blocksAround(definition);
  }

  /** When a contract is first of interest: parameters first, then as the code stands. */
  orderOf({ statement }: PlacedContract): number {
    return statement === undefined ? -1 : statement.start;
  }

  read(placed: PlacedContract, subject: Subject): readonly Reading[] | 'none' | undefined {
    const at = this.#moments(subject);
    if (at === undefined) return undefined;
    const readings: Reading[] = [];
    for (const { seen, index, node } of at) {
      if (seen === undefined) return undefined;
      if (seen === 'none') {
        if (at.length === 1) return 'none';
        return undefined;
      }
      if (readings.some(({ shape }) => sameShape(shape, seen))) continue;
      if (readings.length === maxRounds) return undefined;
      readings.push({ shape: seen, facts: Facts.none, names: this.#names(placed, index, node) });
    }
    return readings;
  }

  /** The shapes that a subject had, with the number of events before it and the place. */
  #moments(subject: Subject): readonly { readonly seen: Seen; readonly index: number; readonly node: Span }[] | undefined {
    switch (subject.kind) {
      case 'parameter': {
        const index = this.#events.findIndex(({ isArgument, name }) => isArgument && name === subject.name);
        const event = this.#events[index];
        return event === undefined ? undefined : [{ seen: shapeOfValue(event.value), index: index + 1, node: subject.parameter }];
      }
      case 'return': {
        const value = this.#result;
        if (value === undefined) return undefined;
        const item = subject.item;
        const index = this.#events.length;
        const node = { start: Number.MAX_SAFE_INTEGER, end: Number.MAX_SAFE_INTEGER };
        if (item === undefined) return value.kind === 'none' ? undefined : [{ seen: shapeOfValue(value), index, node }];
        const part = value.kind === 'tuple' && value.ellipsis === undefined ? value.items[item] : undefined;
        return part === undefined ? undefined : [{ seen: shapeOfValue(part), index, node }];
      }
      case 'expression': {
        const shapes = this.#made.get(subject.node)?.map(shapeOfValue);
        const first = shapes?.[0];
        // Calls of other frames are among them; only what is the same in all of them is sure.
        if (shapes === undefined || first === undefined || first === 'none') return undefined;
        if (!shapes.every((shape) => shape !== undefined && sameShape(shape, first))) return undefined;
        return [{ seen: first, index: this.#positionOf(subject.statement), node: subject.statement }];
      }
      case 'variable': {
        if (subject.when === 'before') {
          const index = this.#positionOf(subject.statement);
          const found = this.#latest(subject.name, index, subject.statement);
          return found === undefined ? undefined : [{ seen: shapeOfValue(found), index, node: subject.statement }];
        }
        const moments = this.#events.flatMap(({ site, value }, index) =>
          site.node === subject.node ? [{ seen: shapeOfValue(value), index: index + 1, node: subject.statement }] : [],
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
        const [a, b] = [shapeOfValue(found), shapeOfValue(event.value)];
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
  switch (statement.kind) {
    case 'if':
      return [...statement.branches.map(({ body }) => body), statement.otherwise];
    case 'for':
    case 'while':
      return [statement.body, statement.otherwise];
    case 'try':
      return [statement.body, ...statement.handlers.map(({ body }) => body), statement.otherwise];
    case 'match':
      return statement.cases.map(({ body }) => body);
    default:
      return [];
  }
}

/** The name that an expression is, for a sentence about it. */
export const nameOf = (subject: Subject): string | undefined =>
  subject.kind === 'variable' || subject.kind === 'parameter'
    ? subject.name
    : subject.kind === 'expression'
      ? pathOf(subject.node as Expression)
      : undefined;
