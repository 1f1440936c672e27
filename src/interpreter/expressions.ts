import { number } from '../dims/dim.ts';
import type { Argument, Comprehension, Expression, StringLiteral } from '../syntax/python/ast.ts';
import { childExpressions } from '../syntax/python/walk.ts';
import { presenceOf, questionOf } from './answers.ts';
import { inverse, negated } from './arithmetic.ts';
import { classMember } from './attributes.ts';
import { isOfOneFile } from './classes.ts';
import type { Frame } from './frame.ts';
import type { Interpreter } from './interpreter.ts';
import { type Iteration, iterate } from './iteration.ts';
import { join } from './join.ts';
import { bool, dict, ellipsis, float, int, keyOf, list, none, nothingReturned, text, tuple, unknown } from './make.ts';
import { refineAxis } from './ranks.ts';
import { bindTarget, given, makeFunction, narrow } from './statements.ts';
import { tensorByIndex } from './subscripts.ts';
import type { ClassValue, Condition, Question, TupleValue, Value } from './value.ts';

/** The text of an f-string whose values are known. */
function filledIn(interpreter: Interpreter, frame: Frame, { parts }: StringLiteral): string | undefined {
  let filled: string | undefined = parts === undefined ? undefined : '';
  for (const part of parts ?? []) {
    const filler = typeof part === 'string' ? undefined : interpreter.guard(() => evaluate(interpreter, frame, part));
    const { witness } = interpreter.options;
    const value = typeof part === 'string' ? part : asText(witness === undefined || filler === undefined ? filler : witness.spelt(filler));
    if (value === undefined) return undefined;
    filled += value;
  }
  return filled;
}

function asText(value: Value | undefined): string | undefined {
  if (value?.kind === 'string') return value.value;
  if (value?.kind === 'int') return value.dim.constant?.toString();
  if (value?.kind === 'bool') return value.value === undefined ? undefined : value.value ? 'True' : 'False';
  return value?.kind === 'none' ? 'None' : undefined;
}

/** The value of an expression. */
export function evaluate(interpreter: Interpreter, frame: Frame, expression: Expression): Value {
  switch (expression.kind) {
    case 'name':
      return interpreter.names.lookup(frame, expression.name);
    case 'number':
      if (Number.isNaN(expression.value)) return unknown('an imaginary number');
      return expression.isInteger && Number.isSafeInteger(expression.value) ? int(expression.value) : float(expression.value);
    case 'string':
      return text(expression.value ?? filledIn(interpreter, frame, expression));
    case 'constant':
      return expression.value === null ? none : expression.value === '...' ? ellipsis : bool(expression.value);
    case 'tuple':
      return display(interpreter, frame, expression.items);
    case 'list': {
      const value = display(interpreter, frame, expression.items);
      return value.kind === 'tuple' && value.ellipsis === undefined
        ? list(value.items)
        : { kind: 'list', items: [], repeat: undefined, open: true };
    }
    case 'set': {
      const value = display(interpreter, frame, expression.items);
      return {
        kind: 'set',
        items: value.kind === 'tuple' ? distinct(value.items) : [],
        open: value.kind !== 'tuple' || value.ellipsis !== undefined,
      };
    }
    case 'dict': {
      const entries: [Value, Value][] = [];
      let open = false;
      for (const { key, value } of expression.items) {
        const held = evaluate(interpreter, frame, value);
        if (key !== undefined) entries.push([evaluate(interpreter, frame, key), held]);
        else if (held.kind === 'dict') {
          for (const entry of held.entries.values()) entries.push([entry.key, entry.value]);
          open ||= held.open;
        } else open = true;
      }
      return dict(entries, open);
    }
    case 'unary': {
      const operand = evaluate(interpreter, frame, expression.operand);
      if (expression.operator === 'not') {
        const truth = interpreter.truth(operand);
        if (truth !== undefined) return bool(!truth);
        const asks = questionOf(operand);
        return operand.kind === 'bool' ? inverse(operand) : asked(asks === undefined ? undefined : { ...asks, is: false });
      }
      if (operand.kind === 'tensor') {
        return at(interpreter, frame, expression, () => {
          const name = expression.operator === '-' ? 'torch.neg' : expression.operator === '~' ? 'torch.bitwise_not' : 'torch.positive';
          const operation = interpreter.names.builtin(name);
          return operation === undefined ? operand : interpreter.call(operation, [operand]);
        });
      }
      if (expression.operator === '-') return negated(operand);
      return expression.operator === '+' ? operand : unknown('a complement');
    }
    case 'binary': {
      const left = evaluate(interpreter, frame, expression.left);
      const right = evaluate(interpreter, frame, expression.right);
      return at(interpreter, frame, expression, () => interpreter.binary(expression.operator, left, right));
    }
    case 'boolean':
      return booleanOperation(interpreter, frame, expression);
    case 'compare': {
      let left = evaluate(interpreter, frame, expression.operands[0] as Expression);
      let result: Value = bool(true);
      for (const [i, operator] of expression.operators.entries()) {
        const right = evaluate(interpreter, frame, expression.operands[i + 1] as Expression);
        const before = left;
        const next = at(interpreter, frame, expression, () => compareValues(interpreter, operator, before, right));
        if (i === 0) result = next;
        else {
          const a: boolean | undefined = interpreter.truth(result);
          const b: boolean | undefined = interpreter.truth(next);
          const whenTrue: Condition['whenTrue'] = [result, next].flatMap((each) =>
            each.kind === 'bool' ? (each.condition?.whenTrue ?? []) : [],
          );
          const isOpen: boolean = a !== false && b !== false && (a !== true || b !== true);
          result = isOpen ? bool(undefined, { whenTrue, whenFalse: [] }) : bool(a === true && b === true);
        }
        left = right;
      }
      return result;
    }
    case 'conditional': {
      const test = evaluate(interpreter, frame, expression.test);
      const truth = interpreter.truth(test);
      if (truth !== undefined) return evaluate(interpreter, frame, truth ? expression.value : expression.otherwise);
      return either(interpreter, frame, expression.test, test, expression.value, expression.otherwise);
    }
    case 'lambda':
      return makeFunction(interpreter, frame, expression, '<lambda>');
    case 'call':
      return evaluateCall(interpreter, frame, expression);
    case 'attribute': {
      const object = evaluate(interpreter, frame, expression.object);
      const value = at(interpreter, frame, expression, () => interpreter.attribute(object, expression.name.name));
      if (value !== undefined) return value;
      if (holdsTensors(object) || object === nothingReturned) {
        const what = object.kind === 'tuple' ? `a tuple of ${object.items.length}` : 'None';
        const about = new Map([['input', object]]);
        at(interpreter, frame, expression, () =>
          interpreter.complain({ kind: 'no_tensor', message: `${what} has no ${expression.name.name}` }, about),
        );
      }
      return unknown(`there is no ${expression.name.name}`);
    }
    case 'subscript': {
      if (expression.object.kind === 'attribute' && expression.object.name.name === 'shape' && expression.indices.length === 1)
        refineAxis(interpreter, frame, expression.object.object, expression.indices[0]);
      const object = evaluate(interpreter, frame, expression.object);
      const index = indexValue(interpreter, frame, expression.indices, expression.isTuple);
      const indexed = tensorByIndex(interpreter, frame, expression.object, object, index) ?? object;
      return at(interpreter, frame, expression, () => interpreter.subscript(indexed, index));
    }
    case 'slice': {
      const part = (bound: Expression | undefined): Value => (bound === undefined ? none : evaluate(interpreter, frame, bound));
      return { kind: 'slice', lower: part(expression.lower), upper: part(expression.upper), step: part(expression.step) };
    }
    case 'starred':
      return evaluate(interpreter, frame, expression.value);
    case 'await':
      return evaluate(interpreter, frame, expression.value);
    case 'yield': {
      const value = expression.value === undefined ? none : evaluate(interpreter, frame, expression.value);
      if (expression.isFrom) frame.yielded.push(...iterate(interpreter, value).items);
      else frame.yielded.push(value);
      return unknown('what a generator is sent');
    }
    case 'named': {
      const value = evaluate(interpreter, frame, expression.value);
      bindTarget(interpreter, frame, expression.target, value);
      return value;
    }
    case 'comprehension':
      return comprehension(interpreter, frame, expression);
    default:
      return unknown('code that could not be read');
  }
}

/** A tuple of tensors as modules answer it: neither a size nor a record with names. */
const holdsTensors = (value: Value): value is TupleValue =>
  value.kind === 'tuple' &&
  value.ellipsis === undefined &&
  value.names === undefined &&
  value.isSize !== true &&
  value.items[0]?.kind === 'tensor';

/** Runs the work with the site set to this expression, where it stands in user code. */
export function at<Result>(interpreter: Interpreter, frame: Frame, node: Expression, work: () => Result): Result {
  if (frame.file.isPrelude || frame.unit === undefined) return work();
  const { site } = interpreter;
  interpreter.site = { file: frame.file, unit: frame.unit, node };
  const result = work();
  interpreter.site = site;
  return result;
}

function display(interpreter: Interpreter, frame: Frame, items: readonly Expression[]): Value {
  const values: Value[] = [];
  let hidden: number | undefined;
  let lost = false;
  for (const item of items) {
    if (item.kind !== 'starred') {
      values.push(evaluate(interpreter, frame, item));
      continue;
    }
    const inner = evaluate(interpreter, frame, item.value);
    if (inner.kind === 'tuple' && inner.ellipsis !== undefined) {
      if (hidden !== undefined) lost = true;
      hidden = values.length + inner.ellipsis;
      values.push(...inner.items);
      continue;
    }
    const { items: each, repeat, open } = iterate(interpreter, inner);
    if (repeat !== undefined || open) {
      if (hidden !== undefined) lost = true;
      hidden = values.length;
    } else values.push(...each);
  }
  return lost ? unknown('a sequence of unknown length') : tuple(values, hidden);
}

/** Each item once. */
function distinct(items: readonly Value[]): readonly Value[] {
  const keys = items.map(keyOf);
  return items.filter((_, i) => keys[i] === undefined || keys.indexOf(keys[i]) === i);
}

/** The index of `x[a, b:c]` as one value. */
export function indexValue(interpreter: Interpreter, frame: Frame, indices: readonly Expression[], isTuple: boolean): Value {
  const [only] = indices;
  if (indices.length === 1 && !isTuple && only !== undefined && only.kind !== 'starred') return evaluate(interpreter, frame, only);
  return display(interpreter, frame, indices);
}

function booleanOperation(interpreter: Interpreter, frame: Frame, expression: Extract<Expression, { kind: 'boolean' }>): Value {
  const left = evaluate(interpreter, frame, expression.left);
  const truth = interpreter.truth(left);
  const isAnd = expression.operator === 'and';
  if (truth !== undefined) return truth === isAnd ? evaluate(interpreter, frame, expression.right) : left;
  const results: Value[] = [];
  const learned = left.kind === 'bool' ? left.condition : undefined;
  const { facts } = interpreter;
  interpreter.branch([
    () => {
      narrow(interpreter, frame, expression.left, isAnd);
      interpreter.facts = interpreter.facts.assume((isAnd ? learned?.whenTrue : learned?.whenFalse) ?? []);
      results.push(evaluate(interpreter, frame, expression.right));
    },
    () => undefined,
  ]);
  interpreter.facts = facts;
  const [right] = results;
  if (right === undefined) return left;
  const asBool = (value: Value): boolean | undefined => interpreter.truth(value);
  if (left.kind === 'bool' && (right.kind === 'bool' || right.kind === 'tensor')) {
    const other = right.kind === 'bool' ? right : undefined;
    const second = other === undefined ? undefined : asBool(other);
    if (isAnd && second === false) return bool(false);
    if (!isAnd && second === true) return bool(true);
    const conditions = [learned, other?.condition].filter((each) => each !== undefined);
    const both = conditions.length === 0 ? undefined : conditions;
    return bool(
      undefined,
      both === undefined
        ? undefined
        : isAnd
          ? { whenTrue: both.flatMap(({ whenTrue }) => whenTrue), whenFalse: [] }
          : { whenTrue: [], whenFalse: both.flatMap(({ whenFalse }) => whenFalse) },
    );
  }
  // `n_kv_head or n_head`: what is left of the first when it counts as true.
  const options = left.kind === 'union' ? left.options : [left];
  const kept = isAnd ? options : options.flatMap((each) => (each.kind === 'none' ? [] : each.kind === 'unknown' ? given(each) : each));
  return [...kept, right].reduce((a, b) => join(a, b));
}

function either(interpreter: Interpreter, frame: Frame, test: Expression, condition: Value, first: Expression, second: Expression): Value {
  const results: Value[] = [];
  const learned = condition.kind === 'bool' ? condition.condition : undefined;
  interpreter.branch([
    () => {
      narrow(interpreter, frame, test, true);
      interpreter.facts = interpreter.facts.assume(learned?.whenTrue ?? []);
      results.push(evaluate(interpreter, frame, first));
    },
    () => {
      narrow(interpreter, frame, test, false);
      interpreter.facts = interpreter.facts.assume(learned?.whenFalse ?? []);
      results.push(evaluate(interpreter, frame, second));
    },
  ]);
  const [a, b] = results;
  if (a === undefined) return b ?? unknown('neither branch');
  return b === undefined ? a : join(a, b, interpreter.preference);
}

function compareValues(interpreter: Interpreter, operator: string, left: Value, right: Value): Value {
  switch (operator) {
    case 'is':
    case 'is not': {
      const same = identical(interpreter, left, right);
      if (same !== undefined) return bool(same === (operator === 'is'));
      const asks = right.kind === 'none' ? presenceOf(left) : undefined;
      return asked(asks === undefined ? undefined : { ...asks, is: operator === 'is' });
    }
    case 'in':
    case 'not in': {
      const found = contains(interpreter, right, left);
      return bool(found === undefined ? undefined : found === (operator === 'in'));
    }
    default:
      return interpreter.compare(operator, left, right);
  }
}

const asked = (asks: Question | undefined): Value =>
  asks === undefined ? bool(undefined) : bool(undefined, { whenTrue: [], whenFalse: [], asks });

function identical(interpreter: Interpreter, left: Value, right: Value): boolean | undefined {
  if (left === right && left.kind !== 'unknown') return true;
  if (left.kind === 'unknown' && (left.isGiven === true || left.isRequired === true) && right.kind === 'none') return false;
  if (left.kind === 'unknown' || right.kind === 'unknown') return undefined;
  if (left.kind === 'union' || right.kind === 'union') {
    const union = left.kind === 'union' ? left : right.kind === 'union' ? right : undefined;
    const other = left.kind === 'union' ? right : left;
    const answers = union?.options.map((option) => identical(interpreter, option, other)) ?? [];
    return answers.every((answer) => answer === answers[0]) ? answers[0] : undefined;
  }
  if (left.kind !== right.kind) return false;
  if (left.kind === 'none') return true;
  if (left.kind === 'bool' || left.kind === 'int' || left.kind === 'opaque' || left.kind === 'string') {
    const answer = interpreter.compare('==', left, right);
    return answer.kind === 'bool' ? answer.value : undefined;
  }
  return left.kind === 'class' || left.kind === 'function' || left.kind === 'instance' || left.kind === 'tensor' ? false : undefined;
}

function contains(interpreter: Interpreter, container: Value, item: Value): boolean | undefined {
  if (container.kind === 'instance') {
    const method = classMember(container.class, '__contains__');
    return method === undefined ? undefined : interpreter.truth(interpreter.call(method, [container, item]));
  }
  if (container.kind === 'string') {
    return container.value === undefined || item.kind !== 'string' || item.value === undefined
      ? undefined
      : container.value.includes(item.value);
  }
  const isOpen =
    (container.kind === 'tuple' && container.ellipsis !== undefined) ||
    ((container.kind === 'list' || container.kind === 'set' || container.kind === 'dict') && container.open);
  if (!['tuple', 'list', 'set', 'dict', 'range'].includes(container.kind)) return undefined;
  if (container.kind === 'dict' && !container.open) {
    const key = keyOf(item);
    if (key !== undefined) return container.entries.has(key);
  }
  let doubtful = isOpen;
  const known =
    container.kind === 'tuple' || container.kind === 'list' || container.kind === 'set'
      ? container.items
      : iterate(interpreter, container).items;
  for (const each of known) {
    if (each.kind === 'string' && item.kind === 'string' && each.value !== undefined && item.value !== undefined) {
      if (each.value === item.value) return true;
      continue;
    }
    const answer = interpreter.compare('==', each, item);
    const equal = answer.kind === 'bool' ? answer.value : undefined;
    if (equal === true) return true;
    if (equal === undefined) doubtful = true;
  }
  return doubtful ? undefined : false;
}

/** The arguments of a call as they are written, unpacked. `open` where something unknown is unpacked. */
export function evaluateArguments(
  interpreter: Interpreter,
  frame: Frame,
  written: readonly Argument[],
  /** It takes sizes one by one or as one tuple: `view(*shape)` is `view(shape)`. */
  isOperation: boolean,
): { readonly positional: readonly Value[]; readonly keywords: ReadonlyMap<string, Value>; readonly open: boolean } {
  const positional: Value[] = [];
  const keywords = new Map<string, Value>();
  let open = false;
  /** What stands after arguments of which it is not known how many there are has no known place. */
  let isPlaced = true;
  for (const argument of written) {
    const value = evaluate(interpreter, frame, argument.value);
    switch (argument.kind) {
      case 'positional':
        if (isPlaced) positional.push(value);
        break;
      case 'keyword':
        if (argument.name !== undefined) keywords.set(argument.name.name, value);
        break;
      case 'args': {
        if (value.kind === 'tuple' && value.ellipsis !== undefined) {
          if (written.length === 1 && isOperation) positional.push(value);
          else {
            if (isPlaced) positional.push(...value.items.slice(0, value.ellipsis));
            open = true;
            isPlaced = false;
          }
          break;
        }
        if (!isPlaced) break;
        const iteration = iterate(interpreter, value);
        if (iteration.open || iteration.repeat !== undefined) {
          open = true;
          // `Sequential(*[Block() for _ in range(depth)])`: in linting, one stands for all.
          const isLast = argument === written.findLast(({ kind }) => kind === 'positional' || kind === 'args');
          if (interpreter.options.assumesShapes === true && isLast && iteration.repeat !== undefined) positional.push(...iteration.items);
          isPlaced = false;
        } else positional.push(...iteration.items);
        break;
      }
      case 'kwargs':
        if (value.kind === 'dict') {
          for (const [key, entry] of value.entries) if (!key.startsWith('#')) keywords.set(key, entry.value);
          open ||= value.open;
        } else if (value.kind === 'instance' && value.attributes.get('_entries')?.kind === 'dict') {
          const entries = value.attributes.get('_entries');
          if (entries?.kind === 'dict')
            for (const [key, entry] of entries.entries) if (!key.startsWith('#')) keywords.set(key, entry.value);
        } else if (value.kind === 'instance') {
          for (const [key, entry] of value.attributes) keywords.set(key, entry);
        } else if (value.kind !== 'none') open = true;
    }
  }
  return { positional, keywords, open };
}

const isOperation = (target: Value): boolean =>
  target.kind === 'bound' ? isOperation(target.callee) : target.kind === 'builtin' || target.kind === 'unknown' || target.kind === 'union';

function evaluateCall(interpreter: Interpreter, frame: Frame, expression: Extract<Expression, { kind: 'call' }>): Value {
  const { callee } = expression;
  if (callee.kind === 'name' && callee.name === 'super') {
    const found = superOf(interpreter, frame, expression.arguments);
    if (found !== undefined) return found;
  }
  if (callee.kind === 'name' && callee.name === 'locals' && frame.locals !== frame.globals) {
    return dict([...frame.locals].map(([name, value]) => [text(name), value] as const));
  }
  if (callee.kind === 'attribute' && callee.name.name === 'size' && expression.arguments.length === 1)
    refineAxis(interpreter, frame, callee.object, expression.arguments[0]?.value);
  const target = evaluate(interpreter, frame, callee);
  const { positional, keywords, open } = evaluateArguments(interpreter, frame, expression.arguments, isOperation(target));
  if (!frame.file.isPrelude) {
    const isInherited = callee.kind === 'attribute' && callee.object.kind === 'call' && target.kind === 'bound';
    const isOwn = frame.self?.kind !== 'instance' || isOfOneFile(frame.self.class);
    interpreter.isWritten = isOwn && !isInherited && expression.arguments.every(({ kind }) => kind === 'positional' || kind === 'keyword');
  }
  return at(interpreter, frame, expression, () => interpreter.call(target, positional, keywords, open));
}

function superOf(interpreter: Interpreter, frame: Frame, written: readonly Argument[]): Value | undefined {
  let owner: ClassValue | undefined = frame.owner;
  let self = frame.self;
  for (let outer = frame.parent; (owner === undefined || self === undefined) && outer !== undefined; outer = outer.parent) {
    owner ??= outer.owner;
    self ??= outer.self;
  }
  const [first, second] = written;
  if (first !== undefined && second !== undefined) {
    const named = evaluate(interpreter, frame, first.value);
    if (named.kind === 'class') owner = named;
    self = evaluate(interpreter, frame, second.value);
  }
  return owner === undefined || self === undefined ? undefined : { kind: 'super', self, after: owner };
}

/** `[Block(config) for _ in range(12)]`: what is made of one round is made of each. A few may be told apart by their place. */
function areAlike({ target, conditions }: Comprehension['clauses'][number], element: Expression, items: readonly Value[]): boolean {
  if (items.length <= 4 || conditions.length > 0 || target.kind !== 'name' || items.some(({ kind }) => kind !== 'int')) return false;
  const mentions = (expression: Expression): boolean =>
    (expression.kind === 'name' && expression.name === target.name) || childExpressions(expression).some(mentions);
  return !mentions(element);
}

function comprehension(interpreter: Interpreter, frame: Frame, { type, key, element, clauses }: Comprehension): Value {
  const inner: Frame = {
    ...frame,
    locals: new Map(),
    parent: frame.locals === frame.globals ? frame.parent : frame,
    redirected: new Map(),
    returned: [],
  };
  const scope: Frame = frame.owner !== undefined && frame.function === undefined ? { ...inner, parent: frame } : inner;
  const values: Value[] = [];
  const entries: [Value, Value][] = [];
  let repeat: Iteration['repeat'];
  let open = false;
  /** How many stand before the first that may be left out. */
  let sure: number | undefined;
  let counter: Value | undefined;
  const visit = (depth: number): void => {
    const clause = clauses[depth];
    if (clause === undefined) {
      const value = evaluate(interpreter, scope, element);
      if (key === undefined) values.push(value);
      else entries.push([evaluate(interpreter, scope, key), value]);
      return;
    }
    const iterable = evaluate(interpreter, depth === 0 ? frame : scope, clause.iterable);
    const each = iterate(interpreter, iterable);
    const isAlike = interpreter.assumesShapes && clauses.length === 1 && key === undefined && areAlike(clause, element, each.items);
    const iteration = isAlike ? { items: each.items.slice(0, 1), repeat: number(each.items.length), open: each.open } : each;
    if (iteration.repeat !== undefined && depth === 0 && clauses.length === 1) repeat = iteration.repeat;
    else if (iteration.repeat !== undefined) open = true;
    if (iteration.open) open = true;
    for (const item of iteration.items) {
      interpreter.step();
      interpreter.options.witness?.enter(item);
      bindTarget(interpreter, scope, clause.target, item);
      let passes = true;
      for (const condition of clause.conditions) {
        const truth = interpreter.truth(evaluate(interpreter, scope, condition));
        if (truth === undefined) sure ??= values.length;
        if (truth === false) {
          passes = false;
          break;
        }
      }
      if (passes) visit(depth + 1);
    }
    interpreter.options.witness?.leave(iteration.items[0]);
    if (depth === 0 && clauses.length === 1 && clause.conditions.length === 0) counter = iteration.items[0];
  };
  visit(0);
  // `tuple(v for v in [states, cache] if v is not None)`: what is sure to be there stands in front.
  if (type === 'generator' && sure !== undefined && repeat === undefined && !open) return tuple(values.slice(0, sure), sure);
  open ||= sure !== undefined;
  if (key !== undefined || type === 'dict') return dict(entries, open || repeat !== undefined);
  if (type === 'set') return { kind: 'set', items: values, open: open || repeat !== undefined };
  if (repeat !== undefined && values.length === 1 && !open) return { kind: 'list', items: values, repeat, open: false };
  if (repeat !== undefined || open) return { kind: 'list', items: [], repeat: undefined, open: true };
  const made = list(values);
  interpreter.options.witness?.count(made, counter);
  return made;
}
