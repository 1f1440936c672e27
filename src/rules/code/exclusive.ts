/** What the code asks before it reaches a place. */
import type { Site } from '../../interpreter/value.ts';
import { type Expression, type Statement, spanIn } from '../../syntax/python/ast.ts';
import { eachChildExpression, eachChildStatement } from '../../syntax/python/walk.ts';

/** Whether the code asks before a place how one size compares with another. */
export function isBehindComparison(site: Site): boolean {
  let found = false;
  const visit = (test: Expression): void => {
    if (test.kind === 'compare') {
      const isOfNames = test.operands.some(({ kind }) => kind === 'string');
      if (!isOfNames && test.operators.some((operator) => /^(?:[<>]=?|[!=]=)$/.test(operator))) found = true;
    } else eachChildExpression(test, visit);
  };
  eachTest(site, visit);
  return found;
}

/** Whether the code asks the same before both places, and reaches them on different answers: `if a: ...` and `if not a: ...`. */
export function areExclusive(one: Site, other: Site): boolean {
  if (one.file !== other.file || one.unit.body !== other.unit.body) return false;
  const conditions = answersAt(one);
  return [...answersAt(other)].some(([asked, answer]) => conditions.has(asked) && conditions.get(asked) !== answer);
}

/** What the statements around a place ask, in the code's words, and the answer under which it is reached. */
function answersAt(site: Site): ReadonlyMap<string, boolean> {
  const found = new Map<string, boolean>();
  const note = (test: Expression, answer: boolean): void => {
    if (test.kind === 'unary' && test.operator === 'not') note(test.operand, !answer);
    else {
      const { start, end } = spanIn(site.unit, test);
      found.set(site.file.module.text.slice(start, end), answer);
    }
  };
  eachTest(site, note);
  return found;
}

/** Visits what the statements around a place ask, with the answer under which it is reached. */
function eachTest({ unit, node }: Site, note: (test: Expression, answer: boolean) => void): void {
  const holds = (statements: readonly Statement[]): boolean => statements.some((each) => each.start <= node.start && node.end <= each.end);
  const visit = (statement: Statement): void => {
    if (node.start < statement.start || statement.end < node.end) return;
    if (statement.kind === 'if') {
      const at = statement.branches.findIndex(({ body }) => holds(body));
      if (at >= 0 || holds(statement.otherwise))
        for (const [i, { test }] of statement.branches.entries()) if (at < 0 || i <= at) note(test, i === at);
    }
    eachChildStatement(statement, visit);
  };
  visit(unit.body.statement);
}
