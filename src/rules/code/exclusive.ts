/** Places of one function of which a run reaches only one, because the same thing is asked before each and answered otherwise. */
import type { Site } from '../../interpreter/value.ts';
import { type Expression, type Statement, spanIn } from '../../syntax/python/ast.ts';
import { eachChildStatement } from '../../syntax/python/walk.ts';

/** Whether the code asks the same before both places, and reaches them on different answers: `if a: ...` and `if not a: ...`. */
export function areExclusive(one: Site, other: Site): boolean {
  if (one.file !== other.file || one.unit.body !== other.unit.body) return false;
  const conditions = answersAt(one);
  return [...answersAt(other)].some(([asked, answer]) => conditions.has(asked) && conditions.get(asked) !== answer);
}

/** What the statements around a place ask, in the code's words, and the answer under which it is reached. */
function answersAt({ file, unit, node }: Site): ReadonlyMap<string, boolean> {
  const found = new Map<string, boolean>();
  const holds = (statements: readonly Statement[]): boolean => statements.some((each) => each.start <= node.start && node.end <= each.end);
  const note = (test: Expression, answer: boolean): void => {
    if (test.kind === 'unary' && test.operator === 'not') note(test.operand, !answer);
    else {
      const { start, end } = spanIn(unit, test);
      found.set(file.module.text.slice(start, end), answer);
    }
  };
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
  return found;
}
