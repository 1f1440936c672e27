/** What a constructor hands on under `**kwargs`, and whoever is given it cannot do without. */
import type { Call, Statement } from '../syntax/python/ast.ts';
import { eachExpressionWithin } from '../syntax/python/walk.ts';
import type { Interpreter } from './interpreter.ts';
import type { Symbols } from './symbols.ts';
import type { ClassValue, FunctionValue, Value } from './value.ts';

const maximumDepth = 3;

/**
 * Adds what the constructors need to which this one hands on all that it is given besides: without that nothing could be made. What has
 * a default keeps it.
 */
export function addHandedOn(
  interpreter: Interpreter,
  of: ClassValue,
  initializer: FunctionValue,
  symbols: Symbols,
  keywords: Map<string, Value>,
  depth = 0,
): void {
  const { definition } = initializer;
  const named = (kind: 'args' | 'kwargs'): string | undefined => definition.parameters.find((each) => each.kind === kind)?.name?.name;
  const [rest, items] = [named('kwargs'), named('args')];
  if (rest === undefined || definition.kind !== 'function' || depth >= maximumDepth) return;
  for (const call of callsWith(definition.body, rest)) {
    const target = targetOf(interpreter, of, initializer, call);
    const member = target?.mro.map(({ members }) => members.get('__init__')).find((each) => each !== undefined);
    if (target === undefined || member?.kind !== 'function') continue;
    const isOpen = call.arguments.some(({ kind, value }) => kind === 'args' && !(value.kind === 'name' && value.name === items));
    let positional = call.arguments.filter(({ kind }) => kind === 'positional').length;
    if (isOpen) continue;
    for (const [at, parameter] of member.definition.parameters.slice(1).entries()) {
      const name = parameter.name?.name;
      if (parameter.kind !== 'plain' || name === undefined || positional-- > 0) continue;
      const isGiven = keywords.has(name) || call.arguments.some((each) => each.kind === 'keyword' && each.name?.name === name);
      if (!isGiven && !member.defaults.has(name)) keywords.set(name, symbols.argument(target, parameter, at, undefined));
    }
    addHandedOn(interpreter, target, member, symbols, keywords, depth + 1);
  }
}

/** The calls that are given all of a function's `**kwargs`. */
function callsWith(body: readonly Statement[], rest: string): readonly Call[] {
  const found: Call[] = [];
  for (const statement of body)
    eachExpressionWithin(statement, (expression) => {
      if (expression.kind !== 'call') return;
      if (expression.arguments.some(({ kind, value }) => kind === 'kwargs' && value.kind === 'name' && value.name === rest))
        found.push(expression);
    });
  return found;
}

/** The class that a call makes, or whose constructor `super().__init__(...)` is. */
function targetOf(interpreter: Interpreter, of: ClassValue, { owner, globals }: FunctionValue, { callee }: Call): ClassValue | undefined {
  if (callee.kind === 'name') {
    const value = interpreter.guard(() => interpreter.names.global(globals, callee.name));
    return value?.kind === 'class' ? value : undefined;
  }
  const isSuper =
    callee.kind === 'attribute' &&
    callee.name.name === '__init__' &&
    callee.object.kind === 'call' &&
    callee.object.callee.kind === 'name' &&
    callee.object.callee.name === 'super';
  const at = owner === undefined ? -1 : of.mro.indexOf(owner);
  return isSuper && at >= 0 ? of.mro.slice(at + 1).find(({ members }) => members.has('__init__')) : undefined;
}
