/** How the classes of a file are made in it. */
import type { Call, UnitBody } from '../syntax/python/ast.ts';
import { eachExpressionWithin } from '../syntax/python/walk.ts';
import type { Interpreter } from './interpreter.ts';
import type { ClassValue } from './value.ts';

const known = new WeakMap<UnitBody, ReadonlyMap<string, readonly Call[]>>();

/** The calls of plain names in a top-level statement, by name. */
function callsIn(body: UnitBody): ReadonlyMap<string, readonly Call[]> {
  let calls = known.get(body);
  if (calls === undefined) {
    const found = new Map<string, Call[]>();
    eachExpressionWithin(body.statement, (expression) => {
      if (expression.kind !== 'call' || expression.callee.kind !== 'name') return;
      const { name } = expression.callee;
      found.set(name, [...(found.get(name) ?? []), expression]);
    });
    calls = found;
    known.set(body, calls);
  }
  return calls;
}

/** Whether the file makes the class, and never without this parameter: what it is by default does not matter then. */
export function isAlwaysGiven(interpreter: Interpreter, of: ClassValue, parameter: string, at: number): boolean {
  let isMade = false;
  for (const { body } of of.file?.module.units ?? []) {
    const calls = callsIn(body).get(of.name);
    if (calls === undefined) continue;
    interpreter.memory.rest(body);
    for (const { arguments: given } of calls) {
      const isGiven =
        given.some(({ kind, name }) => kind !== 'positional' && (name === undefined || name.name === parameter)) ||
        given.filter(({ kind }) => kind === 'positional').length > at;
      if (!isGiven) return false;
      isMade = true;
    }
  }
  return isMade;
}
