import type { Expression } from '../syntax/python/ast.ts';
import { eachChildExpression } from '../syntax/python/walk.ts';

/** The names that an expression mentions; 'zipped' where a comprehension gives names to what it runs through. */
type Mentions = ReadonlySet<string> | 'zipped';

const known = new WeakMap<Expression, Mentions>();

/** Whether an expression may tell something about what these names hold: it mentions one of them, or names layers. Worked out once. */
export function mayTell(expression: Expression, names: ReadonlySet<string>): boolean {
  if (expression.kind === 'name') return names.has(expression.name);
  let found = known.get(expression);
  if (found === undefined) {
    found = mentionsIn(expression);
    known.set(expression, found);
  }
  if (found === 'zipped') return true;
  for (const name of names) if (found.has(name)) return true;
  return false;
}

function mentionsIn(expression: Expression): Mentions {
  const found = new Set<string>();
  let isZipped = false;
  const visit = (each: Expression): void => {
    if (each.kind === 'name') found.add(each.name);
    else if (each.kind === 'comprehension') isZipped = true;
    eachChildExpression(each, visit);
  };
  visit(expression);
  return isZipped ? 'zipped' : found;
}
