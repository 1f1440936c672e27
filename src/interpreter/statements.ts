import { number, one, subtract, zero } from '../dims/dim.ts';
import type { Expression, FunctionDefinition, If, Lambda, Statement } from '../syntax/python/ast.ts';
import { eachChildStatement, eachExpression } from '../syntax/python/walk.ts';
import { presenceOf, questionOf } from './answers.ts';
import { classMember, setPlain } from './attributes.ts';
import { asksForParts, isRefusal, noteCheck } from './checks.ts';
import { decoratorName, defineClass } from './classes.ts';
import { Raised } from './errors.ts';
import { at, evaluate, indexValue } from './expressions.ts';
import type { Frame } from './frame.ts';
import type { Interpreter } from './interpreter.ts';
import type { Iteration } from './iteration.ts';
import { iterate } from './iteration.ts';
import { join } from './join.ts';
import { keyOf, none, numberOf, unknown } from './make.ts';
import { absoluteName } from './program.ts';
import { refine, refined } from './ranks.ts';
import { putInModule, setItem, storeByIndex, storeOf } from './subscripts.ts';
import { unpack } from './unpacking.ts';
import type { FunctionValue, ListValue, UnknownValue, Value } from './value.ts';

/** What holds where nothing is reached. */
const never = [{ kind: 'equal', left: zero, right: one }] as const;

/** How a run of statements ended. */
export type Completion = { readonly kind: 'normal' | 'break' | 'continue' } | { readonly kind: 'return'; readonly value: Value };

const normal: Completion = { kind: 'normal' };
const maximumRounds = 20_000;

/** `del axes[-1]`; where it is not known which goes, those that are left are not either. */
function deleteItem(interpreter: Interpreter, list: ListValue, at: number | undefined): void {
  const index = at !== undefined && at < 0 ? at + list.items.length : at;
  if (index !== undefined && !list.open && list.repeat === undefined && list.items[index] !== undefined)
    interpreter.heap.write(list, 'items', [...list.items.slice(0, index), ...list.items.slice(index + 1)]);
  else if (list.repeat !== undefined && index !== undefined) interpreter.heap.write(list, 'repeat', subtract(list.repeat, number(1)));
  else {
    interpreter.heap.write(list, 'repeat', undefined);
    interpreter.heap.write(list, 'open', true);
  }
}

/** Runs statements until one of them leaves. */
export function runBody(interpreter: Interpreter, frame: Frame, body: readonly Statement[]): Completion {
  for (const [i, statement] of body.entries()) {
    if (statement.kind === 'if') {
      const truth = decide(interpreter, frame, statement);
      if (truth === undefined) {
        // What follows belongs to the branches that go on: an early return leaves its facts behind for it.
        const completion = runUndecided(interpreter, frame, statement, 0);
        if (completion.kind !== 'normal') return completion;
        continue;
      }
      const completion = runBody(interpreter, frame, truth);
      if (completion.kind !== 'normal') return completion;
      continue;
    }
    const completion = runStatement(interpreter, frame, statement);
    if (completion.kind !== 'normal') return completion;
    if (i > 50_000) break;
  }
  return normal;
}

/** The body of the branch that is surely taken; undefined when that is not known. */
function decide(interpreter: Interpreter, frame: Frame, statement: If): readonly Statement[] | undefined {
  const [first] = statement.branches;
  if (first === undefined) return statement.otherwise;
  for (const branch of statement.branches) {
    if (!isSimple(branch.test) && branch !== first) return undefined;
    const condition = evaluate(interpreter, frame, branch.test);
    const truth = interpreter.truth(condition);
    if (truth === true && isRefusal(branch.body) && takesAsSet(interpreter, frame, branch.test, true)) continue;
    if (isRefusal(branch.body) && asksForParts(branch.test)) {
      at(interpreter, frame, branch.test, () => noteCheck(interpreter, frame, branch.test, false));
      // What comes after is followed all the same, so that what was noted is not lost; nothing is said of it.
      if (truth === true && interpreter.assumesShapes) {
        interpreter.facts = interpreter.facts.assume(never);
        continue;
      }
    }
    if (truth === undefined) return undefined;
    if (truth) return branch.body;
  }
  return statement.otherwise;
}

/** Evaluating it again costs little and changes nothing. */
const isSimple = (test: Expression): boolean => test.kind !== 'named';

function runUndecided(interpreter: Interpreter, frame: Frame, statement: If, index: number): Completion {
  const branch = statement.branches[index];
  if (branch === undefined) return runBody(interpreter, frame, statement.otherwise);
  const condition = evaluate(interpreter, frame, branch.test);
  const truth = interpreter.truth(condition) ?? (namesFunction(branch.body) ? likelyTruth(interpreter, frame, branch.test) : undefined);
  if (truth === true) return runBody(interpreter, frame, branch.body);
  if (truth === false) return runUndecided(interpreter, frame, statement, index + 1);
  const learned = condition.kind === 'bool' ? condition.condition : undefined;
  const completions: Completion[] = [];
  let special: Completion | undefined;
  // A mask that need not be given is given sometimes, and sometimes not.
  const isCertain = interpreter.assumesShapes && asksForNone(branch.test, (name) => interpreter.names.lookup(frame, name));
  const follow = (outcome: boolean, work: () => Completion) => (): void => {
    interpreter.facts = interpreter.facts.assume((outcome ? learned?.whenTrue : learned?.whenFalse) ?? []);
    narrow(interpreter, frame, branch.test, outcome);
    const completion = isCertain ? interpreter.certainly(work) : work();
    completions.push(completion);
    if (outcome && completion.kind === 'return' && learned?.whenTrue.some(({ kind }) => kind === 'equal') === true) special = completion;
    // A branch that leaves the function does not go on behind the `if`.
    if (completion.kind === 'return') throw new Left(completion.value);
    if (completion.kind !== 'normal') throw new Left(undefined);
  };
  const outcomes = [
    follow(true, () => runBody(interpreter, frame, branch.body)),
    follow(false, () => runUndecided(interpreter, frame, statement, index + 1)),
  ];
  const left: { readonly completion: Completion; readonly error: Left }[] = [];
  const live = outcomes.map((work) => () => {
    try {
      work();
    } catch (error) {
      if (!(error instanceof Left)) throw error;
      left.push({ completion: completions[completions.length - 1] as Completion, error });
      throw error;
    }
  });
  try {
    // A module's flag, set one way or another, is no size of which one branch knows more.
    // Nor does what holds for one size alone stand for what is not known of the others.
    const isSpecial = learned?.whenTrue.some(({ kind, right }) => kind === 'equal' && right.constant !== undefined) === true;
    interpreter.branch(live, frame.locals === frame.globals || isSpecial ? 'none' : interpreter.preference);
  } catch (error) {
    if (!(error instanceof Raised) || left.length === 0) throw error;
    interpreter.heap.join(
      left.map((each) => each.error.changes ?? new Map()),
      interpreter.preference,
    );
    return merge(
      interpreter,
      left.map((each) => each.completion),
    );
  }
  for (const each of left) {
    if (each.completion.kind !== 'return') continue;
    frame.returned.push(each.completion.value);
    if (each.completion === special) frame.special.add(each.completion.value);
    if (each.error.changes !== undefined) frame.exits.push(each.error.changes);
  }
  return normal;
}

/** `return F.gelu`, `return nn.ReLU()`: one of the functions that a setting has names for. */
function namesFunction(body: readonly Statement[]): boolean {
  const [only] = body;
  if (body.length !== 1 || only?.kind !== 'return') return false;
  const value = only.value?.kind === 'call' && only.value.arguments.length === 0 ? only.value.callee : only.value;
  return value?.kind === 'name' || value?.kind === 'attribute' || value?.kind === 'lambda';
}

/** `activation == "relu"` where that is, or is not, what the setting is unless it is given. */
function likelyTruth(interpreter: Interpreter, frame: Frame, test: Expression): boolean | undefined {
  if (test.kind !== 'compare' || test.operators.length !== 1 || test.operators[0] !== '==') return undefined;
  const [left, right] = test.operands;
  const value = left?.kind === 'name' ? interpreter.names.lookup(frame, left.name) : undefined;
  if (value?.kind !== 'string' || value.likely === undefined || right?.kind !== 'string' || right.value === undefined) return undefined;
  return value.likely === right.value;
}

/** `mask is None`, `mask is not None`. */
function asksForNone(test: Expression, lookup: (name: string) => Value): boolean {
  if (test.kind !== 'compare' || test.operators.length !== 1 || !/^is(?: not)?$/.test(test.operators[0] ?? '')) return false;
  const [left, right] = test.operands;
  if (left?.kind !== 'name' || right?.kind !== 'constant' || right.value !== null) return false;
  const value = lookup(left.name);
  return value.kind === 'union' && value.options.some((option) => option.kind === 'tensor' && option.content === 'mask');
}

/** All branches left: what the statement as a whole does. */
function merge(interpreter: Interpreter, left: readonly Completion[]): Completion {
  const values = left.flatMap((completion) => (completion.kind === 'return' ? [completion.value] : []));
  const [first, ...others] = values;
  if (first === undefined) return left[0] ?? normal;
  return { kind: 'return', value: others.reduce((a, b) => join(a, b, interpreter.preference), first) };
}

/** A branch that left by `return`, `break` or `continue`; to those who follow branches it is one that did not reach the end. */
class Left extends Raised {
  constructor(readonly result: Value | undefined) {
    super('left', '', undefined);
  }
}

/** `scores.masked_fill_(mask, value)` as a statement: the variable holds the result from here on. */
function changeInPlace(interpreter: Interpreter, frame: Frame, expression: Expression, result: Value): void {
  if (expression.kind !== 'call' || expression.callee.kind !== 'attribute' || result.kind !== 'tensor') return;
  const { object, name } = expression.callee;
  if (object.kind !== 'name' || !/[a-z0-9]_$/.test(name.name)) return;
  const before = interpreter.names.lookup(frame, object.name);
  if (before.kind !== 'tensor' || before === result || before.isParameter === true || !result.inputs.includes(before)) return;
  interpreter.names.assign(frame, object.name, result);
}

/** `cache.index_copy_(1, positions, keys)`: what was unknown is a tensor that holds such keys. */
function openStore(interpreter: Interpreter, frame: Frame, expression: Expression): void {
  if (expression.kind !== 'call' || expression.callee.kind !== 'attribute' || expression.callee.name.name !== 'index_copy_') return;
  const { object } = expression.callee;
  const [axis, , source] = expression.arguments.map(({ value }) => value);
  if (
    object.kind !== 'name' ||
    source?.kind !== 'name' ||
    axis === undefined ||
    interpreter.names.lookup(frame, object.name).kind !== 'unknown'
  )
    return;
  const at = numberOf(evaluate(interpreter, frame, axis));
  if (at === undefined || at < 0) return;
  const isWhole = Array.from({ length: at + 1 }, (_, i) => i !== at);
  const store = storeOf(frame, object, interpreter.names.lookup(frame, source.name), isWhole);
  if (store !== undefined) interpreter.names.assign(frame, object.name, store);
}

/** Runs one statement. */
export function runStatement(interpreter: Interpreter, frame: Frame, statement: Statement): Completion {
  interpreter.step();
  switch (statement.kind) {
    case 'expression': {
      openStore(interpreter, frame, statement.value);
      const value = evaluate(interpreter, frame, statement.value);
      changeInPlace(interpreter, frame, statement.value, value);
      return normal;
    }
    case 'assign': {
      const value = evaluate(interpreter, frame, statement.value);
      for (const target of statement.targets) {
        refine(interpreter, frame, target, statement.value);
        bindTarget(interpreter, frame, target, refined(interpreter, frame, statement.value, value, target));
      }
      return normal;
    }
    case 'annotatedAssign':
      if (statement.value !== undefined) bindTarget(interpreter, frame, statement.target, evaluate(interpreter, frame, statement.value));
      return normal;
    case 'augmentedAssign': {
      const before = evaluate(interpreter, frame, statement.target);
      const operand = evaluate(interpreter, frame, statement.value);
      if (before.kind === 'list' && statement.operator === '+' && (operand.kind === 'list' || operand.kind === 'tuple')) {
        const { items, repeat, open } = iterate(interpreter, operand);
        const isOpen = open || repeat !== undefined || before.repeat !== undefined;
        interpreter.write(before, 'items', isOpen ? [] : [...before.items, ...items]);
        if (isOpen) {
          interpreter.write(before, 'open', true);
          interpreter.write(before, 'repeat', undefined);
        }
        return normal;
      }
      const value = at(interpreter, frame, statement.value, () => interpreter.binary(statement.operator, before, operand));
      bindTarget(interpreter, frame, statement.target, value);
      return normal;
    }
    case 'return':
      return { kind: 'return', value: statement.value === undefined ? none : evaluate(interpreter, frame, statement.value) };
    case 'raise': {
      const value = statement.value === undefined ? undefined : evaluate(interpreter, frame, statement.value);
      throw new Raised(statement.value === undefined ? '' : decoratorName(statement.value), '', value);
    }
    case 'assert': {
      const condition = evaluate(interpreter, frame, statement.test);
      if (asksForParts(statement.test)) at(interpreter, frame, statement.test, () => noteCheck(interpreter, frame, statement.test, true));
      if (condition.kind === 'bool' && condition.value === undefined)
        interpreter.facts = interpreter.facts.assume(condition.condition?.whenTrue ?? []);
      // What comes after is reached with other sizes than those assumed here.
      else if (condition.kind === 'bool' && condition.value === false && !takesAsSet(interpreter, frame, statement.test, false))
        interpreter.facts = interpreter.facts.assume(never);
      narrow(interpreter, frame, statement.test, true);
      return normal;
    }
    case 'delete':
      for (const target of statement.targets) {
        if (target.kind === 'name') interpreter.heap.writeEntry(frame.redirected.get(target.name) ?? frame.locals, target.name, undefined);
        else if (target.kind === 'attribute') {
          const object = evaluate(interpreter, frame, target.object);
          if (object.kind === 'instance') interpreter.heap.writeEntry(object.attributes, target.name.name, undefined);
        } else if (target.kind === 'subscript') {
          const object = evaluate(interpreter, frame, target.object);
          const index = indexValue(interpreter, frame, target.indices, target.isTuple);
          const key = keyOf(index);
          if (object.kind === 'dict' && key !== undefined) interpreter.heap.writeEntry(object.entries, key, undefined);
          if (object.kind === 'list') deleteItem(interpreter, object, numberOf(index));
        }
      }
      return normal;
    case 'break':
    case 'continue':
      return { kind: statement.kind };
    case 'global':
      for (const { name } of statement.names) frame.redirected.set(name, frame.globals);
      return normal;
    case 'nonlocal':
      for (const { name } of statement.names) {
        for (let outer = frame.parent; outer !== undefined; outer = outer.parent) {
          if (!outer.locals.has(name)) continue;
          frame.redirected.set(name, outer.locals);
          break;
        }
      }
      return normal;
    case 'import':
      for (const { name, alias } of statement.names) {
        const [head = name] = name.split('.');
        const bound = alias === undefined ? head : name;
        interpreter.names.assign(
          frame,
          alias?.name ?? head,
          interpreter.names.module(bound) ?? { kind: 'namespace', name: bound, globals: undefined },
        );
      }
      return normal;
    case 'importFrom':
      for (const { name, alias } of statement.names) {
        if (name === '*') {
          if (frame.locals !== frame.globals) continue;
          const module = interpreter.names.module(absoluteName(frame.file, statement.level, statement.module));
          if (module?.globals === undefined) continue;
          continue;
        }
        interpreter.names.assign(
          frame,
          alias?.name ?? name,
          interpreter.names.imported(frame.file, statement.level, statement.module, name),
        );
      }
      return normal;
    case 'if':
      return runBody(interpreter, frame, [statement]);
    case 'for':
      return runFor(interpreter, frame, statement);
    case 'while':
      return runWhile(interpreter, frame, statement);
    case 'try':
      return runTry(interpreter, frame, statement);
    case 'with': {
      for (const { value, target } of statement.items) {
        const manager = evaluate(interpreter, frame, value);
        const entered = enter(interpreter, manager);
        if (target !== undefined) bindTarget(interpreter, frame, target, entered);
      }
      return runBody(interpreter, frame, statement.body);
    }
    case 'function': {
      const plain = makeFunction(interpreter, frame, statement, statement.name.name);
      const value = decorate(interpreter, frame, statement, plain);
      if (value !== undefined) interpreter.names.assign(frame, statement.name.name, value);
      // Assigning to the property calls it; no name holds a dot.
      else if (statement.decorators.some((decorator) => decoratorName(decorator).endsWith('.setter'))) {
        interpreter.names.assign(frame, `${statement.name.name}.setter`, plain);
      }
      return normal;
    }
    case 'class': {
      const value = defineClass(interpreter, frame, statement);
      interpreter.names.assign(frame, statement.name.name, value);
      return normal;
    }
    case 'match': {
      evaluate(interpreter, frame, statement.subject);
      const completions: Completion[] = [];
      const returned: Value[] = [];
      interpreter.branch([
        ...statement.cases.map(({ binds, body }) => () => {
          for (const { name } of binds) interpreter.names.assign(frame, name, unknown(name));
          const completion = runBody(interpreter, frame, body);
          completions.push(completion);
          if (completion.kind === 'return') returned.push(completion.value);
        }),
        () => undefined,
      ]);
      frame.returned.push(...returned);
      return normal;
    }
    default:
      return normal;
  }
}

function enter(interpreter: Interpreter, manager: Value): Value {
  if (manager.kind === 'instance') {
    const method = classMember(manager.class, '__enter__');
    return method === undefined ? manager : interpreter.call(method, [manager]);
  }
  return manager.kind === 'list' && manager.items.length === 1 ? (manager.items[0] as Value) : unknown('a context');
}

function runFor(interpreter: Interpreter, frame: Frame, statement: Extract<Statement, { kind: 'for' }>): Completion {
  const iterable = evaluate(interpreter, frame, statement.iterable);
  const iteration: Iteration = iterate(interpreter, iterable);
  if (iteration.repeat !== undefined || iteration.open) {
    const rounds = iteration.items.length === 0 ? [] : iteration.items;
    for (const item of rounds) {
      const completion = runOnce(interpreter, frame, statement, item, iteration.repeat);
      if (completion.kind === 'return') frame.returned.push(completion.value);
    }
    return runBody(interpreter, frame, statement.otherwise);
  }
  let rounds = 0;
  const { answers } = interpreter;
  for (const item of iteration.items) {
    interpreter.step();
    rounds += 1;
    if (rounds > maximumRounds) break;
    interpreter.options.witness?.enter(item);
    bindTarget(interpreter, frame, statement.target, item);
    const completion = runBody(interpreter, frame, statement.body);
    if (completion.kind === 'return') return completion;
    // A round that was left early says nothing of the next one.
    interpreter.answers = answers;
    if (completion.kind === 'break') {
      interpreter.options.witness?.leave(item);
      return normal;
    }
  }
  interpreter.options.witness?.leave(iteration.items[0]);
  return runBody(interpreter, frame, statement.otherwise);
}

/** The lists that the names of a frame stand for, and those in the objects and containers of modules that they stand for. */
function listsWithin(frame: Frame): readonly ListValue[] {
  const found = new Set<ListValue>();
  const add = (value: Value, depth: number): void => {
    if (value.kind === 'list') found.add(value);
    else if (value.kind === 'instance' && depth < 2) {
      const isContainer = value.class.file?.isPrelude === true;
      if (depth === 0 || isContainer)
        for (const [name, each] of value.attributes) if (!isContainer || name === '_items') add(each, depth + 1);
    }
  };
  for (const value of frame.locals.values()) add(value, 0);
  return [...found];
}

/** One round that stands for any number of them: what it changes in size is not known afterwards. */
function runOnce(
  interpreter: Interpreter,
  frame: Frame,
  statement: Extract<Statement, { kind: 'for' }>,
  item: Value,
  repeat: Iteration['repeat'],
): Completion {
  let completion: Completion = normal;
  const lists = listsWithin(frame);
  const lengths = new Map(lists.map((value) => [value, value.items.length] as const));
  let appended: readonly (readonly [Extract<Value, { kind: 'list' }>, readonly Value[]])[] = [];
  interpreter.branch(
    [
      () => {
        bindTarget(interpreter, frame, statement.target, item);
        // A loop over layers runs: only branches make code uncertain.
        completion = interpreter.certainly(() => runBody(interpreter, frame, statement.body));
        appended = lists.filter((value) => value.items.length > (lengths.get(value) ?? 0)).map((value) => [value, value.items] as const);
      },
      () => undefined,
    ],
    'first',
  );
  for (const [value, items] of appended) {
    // `for _ in range(n): layers.append(...)`: as many as the rounds, all alike.
    const single = (lengths.get(value) ?? 0) === 0 && items.length === 1 && repeat !== undefined && value.repeat === undefined;
    // In linting, what was put in stands for all that may be there.
    interpreter.write(value, 'items', single || interpreter.options.assumesShapes === true ? items : []);
    interpreter.write(value, 'repeat', single ? repeat : undefined);
    interpreter.write(value, 'open', !single);
  }
  return completion;
}

function runWhile(interpreter: Interpreter, frame: Frame, statement: Extract<Statement, { kind: 'while' }>): Completion {
  const { answers } = interpreter;
  for (let round = 0; round < maximumRounds; round++) {
    interpreter.step();
    const condition = evaluate(interpreter, frame, statement.test);
    const truth = interpreter.truth(condition);
    if (truth === false) return runBody(interpreter, frame, statement.otherwise);
    if (truth === undefined || round > 1000) {
      let completion: Completion = normal;
      interpreter.branch([
        () => {
          completion = runBody(interpreter, frame, statement.body);
        },
        () => undefined,
      ]);
      const ended = completion as Completion;
      if (ended.kind === 'return') frame.returned.push(ended.value);
      return normal;
    }
    const completion = runBody(interpreter, frame, statement.body);
    if (completion.kind === 'return') return completion;
    interpreter.answers = answers;
    if (completion.kind === 'break') return normal;
  }
  return normal;
}

function runTry(interpreter: Interpreter, frame: Frame, statement: Extract<Statement, { kind: 'try' }>): Completion {
  let completion: Completion = normal;
  const { tries, answers } = interpreter;
  try {
    if (statement.handlers.length > 0) interpreter.tries += 1;
    completion = runBody(interpreter, frame, statement.body);
    interpreter.tries = tries;
    if (completion.kind === 'normal') completion = runBody(interpreter, frame, statement.otherwise);
  } catch (error) {
    interpreter.tries = tries;
    if (!(error instanceof Raised) || error instanceof Left) throw error;
    const handler = statement.handlers.find(({ type }) => type === undefined || catches(type, error.type));
    if (handler === undefined) throw error;
    interpreter.answers = answers;
    if (handler.alias?.kind === 'name') interpreter.names.assign(frame, handler.alias.name, unknown('an exception'));
    completion = runBody(interpreter, frame, handler.body);
  }
  const last = runBody(interpreter, frame, statement.finally);
  return last.kind === 'normal' ? completion : last;
}

function catches(type: Expression, raised: string): boolean {
  if (type.kind === 'tuple') return type.items.some((item) => catches(item, raised));
  const name = decoratorName(type);
  const short = raised.slice(raised.lastIndexOf('.') + 1);
  return (
    name === short ||
    name === 'Exception' ||
    name === 'BaseException' ||
    (name === 'LookupError' && /^(?:Key|Index)Error$/.test(short)) ||
    raised === ''
  );
}

/** A function or lambda as a value; its defaults are worked out now, as Python does. */
export function makeFunction(interpreter: Interpreter, frame: Frame, definition: FunctionDefinition | Lambda, name: string): FunctionValue {
  const defaults = new Map<string, Value>();
  for (const { name: parameter, default: value } of definition.parameters) {
    if (parameter === undefined || value === undefined) continue;
    const made = evaluate(interpreter, frame, value);
    // `cache=torch.zeros((0, 0, 0, 0))` says that there is none; the code is read for what is given in its place.
    const isPlaceholder = made.kind === 'tensor' && interpreter.assumesShapes;
    defaults.set(parameter.name, isPlaceholder ? unknown(`${parameter.name}, a tensor by default`) : made);
  }
  const inClassBody = frame.owner !== undefined && frame.function === undefined;
  return {
    kind: 'function',
    name,
    definition,
    file: frame.file,
    unit: frame.unit ?? (frame.file.module.units[0] as NonNullable<Frame['unit']>),
    closure: inClassBody ? frame.parent : frame.locals === frame.globals ? undefined : frame,
    globals: frame.globals,
    defaults,
    owner: inClassBody || definition.kind === 'function' ? (inClassBody ? frame.owner : undefined) : undefined,
    wraps: 'plain',
  };
}

/** The function under its decorators: those that change how it is called are known, others are taken to keep it as it is. */
function decorate(interpreter: Interpreter, _frame: Frame, { decorators }: FunctionDefinition, value: FunctionValue): Value | undefined {
  let result = value;
  for (const decorator of [...decorators].reverse()) {
    const name = decoratorName(decorator);
    const last = name.slice(name.lastIndexOf('.') + 1);
    if (last === 'setter' || last === 'deleter' || last === 'overload') return undefined;
    if (last === 'staticmethod') result = { ...result, wraps: 'static' };
    else if (last === 'classmethod') result = { ...result, wraps: 'class' };
    else if (/^(?:cached_)?property$|^getter$/.test(last)) result = { ...result, wraps: 'property' };
    else if (last === 'contextmanager') result = { ...result, wraps: 'context' };
  }
  void interpreter;
  return result;
}

const generators = new WeakMap<FunctionDefinition, boolean>();

/** Whether the function yields. Worked out once. */
export function yields(definition: FunctionDefinition): boolean {
  const known = generators.get(definition);
  if (known !== undefined) return known;
  let found = false;
  const visit = (statement: Statement): void => {
    if (found || statement.kind === 'function' || statement.kind === 'class') return;
    eachExpression(statement, (expression) => {
      if (expression.kind === 'yield') found = true;
    });
    eachChildStatement(statement, visit);
  };
  definition.body.forEach(visit);
  generators.set(definition, found);
  return found;
}

// ---------------------------------------------------------------------------------------------------------------------
// Assignment

/** Gives a value to a target: a name, an attribute, an item, or several of them. */
export function bindTarget(interpreter: Interpreter, frame: Frame, target: Expression, value: Value): void {
  switch (target.kind) {
    case 'name':
      interpreter.names.assign(frame, target.name, value);
      record(interpreter, frame, target, target.name, value);
      return;
    case 'attribute': {
      const object = evaluate(interpreter, frame, target.object);
      // `out = torch.empty(1); out.data = x.data`: it holds what x holds.
      if (object.kind === 'tensor' && target.name.name === 'data' && target.object.kind === 'name') {
        interpreter.names.assign(frame, target.object.name, value);
        return;
      }
      // `self.weight.data = self.weight.data.T`: a parameter stays one, and has the other shape.
      if (object.kind === 'tensor' && target.name.name === 'data' && target.object.kind === 'attribute') {
        if (value.kind === 'tensor') bindTarget(interpreter, frame, target.object, { ...object, shape: value.shape });
        return;
      }
      interpreter.setAttribute(object, target.name.name, value);
      if (target.object.kind === 'name') record(interpreter, frame, target, `${target.object.name}.${target.name.name}`, value);
      return;
    }
    case 'subscript': {
      if (putInModule(interpreter, frame, target, value)) return;
      const object = evaluate(interpreter, frame, target.object);
      const index = indexValue(interpreter, frame, target.indices, target.isTuple);
      const store =
        object.kind === 'unknown' && target.object.kind === 'name' ? storeByIndex(frame, target.object, index, value) : undefined;
      if (store !== undefined && target.object.kind === 'name') interpreter.names.assign(frame, target.object.name, store);
      at(interpreter, frame, target, () => setItem(interpreter, store ?? object, index, value));
      return;
    }
    case 'tuple':
    case 'list':
      unpack(interpreter, frame, target.items, value);
      return;
    case 'starred':
      bindTarget(interpreter, frame, target.value, value);
  }
}

function record(interpreter: Interpreter, frame: Frame, node: Expression, name: string, value: Value): void {
  const { recorder } = interpreter.options;
  if (recorder?.variable === undefined || frame.file.isPrelude || frame.unit === undefined) return;
  const site = { file: frame.file, unit: frame.unit, node };
  interpreter.recording.note({ happened: 'variable', variable: { frame, site, name, value, isArgument: false } });
}

/** What a condition says about the variables it names, in the branch where it came out so. */
export function narrow(interpreter: Interpreter, frame: Frame, test: Expression, outcome: boolean): void {
  switch (test.kind) {
    case 'unary':
      if (test.operator === 'not') narrow(interpreter, frame, test.operand, !outcome);
      return;
    case 'boolean':
      if ((test.operator === 'and') === outcome) {
        narrow(interpreter, frame, test.left, outcome);
        narrow(interpreter, frame, test.right, outcome);
      }
      return;
    case 'name':
    case 'attribute':
      interpreter.answer(questionOf(evaluate(interpreter, frame, test)), outcome);
      narrowTo(interpreter, frame, test, (option) => interpreter.truth(option) !== !outcome, outcome ? given : undefined);
      return;
    case 'compare': {
      const asked = askedOfNone(test);
      if (asked === undefined) return;
      if (isPlace(asked.of)) interpreter.answer(presenceOf(evaluate(interpreter, frame, asked.of)), asked.isNone === outcome);
      narrowToNone(interpreter, frame, asked.of, asked.isNone === outcome);
      return;
    }
    case 'call': {
      // `exists(x)`
      const [argument] = test.arguments;
      if (test.callee.kind !== 'name' || test.arguments.length !== 1 || argument?.kind !== 'positional') return;
      const asked = askedBy(evaluate(interpreter, frame, test.callee));
      if (asked !== undefined) narrowToNone(interpreter, frame, argument.value, asked === outcome);
    }
  }
}

/** `x is None` and its likes: what is asked for, and whether it is None where that holds. */
function askedOfNone(test: Expression): { readonly of: Expression; readonly isNone: boolean } | undefined {
  if (test.kind !== 'compare' || test.operators.length !== 1) return undefined;
  const [left, right] = test.operands;
  const [operator] = test.operators;
  if (left === undefined || right?.kind !== 'constant' || right.value !== null) return undefined;
  if (operator === 'is' || operator === '==') return { of: left, isNone: true };
  return operator === 'is not' || operator === '!=' ? { of: left, isNone: false } : undefined;
}

/**
 * `assert self.angles is not None` where the constructor leaves None: another method is to be called before, and what it sets is not
 * known. False where something else is asked.
 */
function takesAsSet(interpreter: Interpreter, frame: Frame, test: Expression, isNone: boolean): boolean {
  const asked = askedOfNone(test);
  if (!interpreter.assumesShapes || asked?.isNone !== isNone || asked.of.kind !== 'attribute' || !isPlace(asked.of)) return false;
  const { object: owner, name } = asked.of;
  const object = evaluate(interpreter, frame, owner);
  if (object.kind !== 'instance' || object.attributes.get(name.name)?.kind !== 'none') return false;
  setPlain(interpreter, object, name.name, given(unknown(`what is set as ${name.name}`)));
  return true;
}

/** Whether what a function is given is None where it answers yes; undefined for a function that does anything else than ask for that. */
function askedBy(callee: Value): boolean | undefined {
  if (callee.kind !== 'function' || callee.definition.kind !== 'function') return undefined;
  const { parameters, body } = callee.definition;
  const [only] = body;
  if (parameters.length !== 1 || body.length !== 1 || only?.kind !== 'return' || only.value === undefined) return undefined;
  const asked = askedOfNone(only.value);
  return asked?.of.kind === 'name' && asked.of.name === parameters[0]?.name?.name ? asked.isNone : undefined;
}

const narrowToNone = (interpreter: Interpreter, frame: Frame, place: Expression, isNone: boolean): void =>
  narrowTo(
    interpreter,
    frame,
    place,
    (option) => (option.kind === 'none') === isNone || option.kind === 'unknown',
    isNone ? () => none : given,
  );

/** What is not None, where the code asked for that. */
export const given = (value: UnknownValue): Value => ({ ...value, isGiven: true });

const isPlace = (place: Expression): place is Extract<Expression, { kind: 'name' | 'attribute' }> =>
  place.kind === 'name' || (place.kind === 'attribute' && place.object.kind === 'name');

function narrowTo(
  interpreter: Interpreter,
  frame: Frame,
  place: Expression,
  keep: (option: Value) => boolean,
  of?: (value: UnknownValue) => Value,
): void {
  if (!isPlace(place)) return;
  const value = evaluate(interpreter, frame, place);
  let narrowed: Value | undefined;
  if (value.kind === 'union') {
    const options = value.options.filter(keep);
    const [first, ...others] = options;
    if (first === undefined || options.length === value.options.length) return;
    narrowed = others.reduce((a, b) => join(a, b), first);
  } else if (value.kind === 'unknown' && (place.kind === 'name' || of !== given)) narrowed = of?.(value);
  if (narrowed === undefined) return;
  if (place.kind === 'name') {
    if (frame.locals.has(place.name)) interpreter.names.assign(frame, place.name, narrowed);
    return;
  }
  const object = evaluate(interpreter, frame, place.object);
  if (object.kind === 'instance' && object.attributes.has(place.name.name)) setPlain(interpreter, object, place.name.name, narrowed);
}
