/** `residual = x`, or a parameter of that name, that nothing adds back. */
import type { CodeReading } from '../../interpreter/study.ts';
import type { Site } from '../../interpreter/value.ts';
import type { Expression, Statement } from '../../syntax/python/ast.ts';
import { childExpressions, eachChildStatement, statementExpressions, targetNames } from '../../syntax/python/walk.ts';
import { functionsThatRan } from './places.ts';

export interface IdleResidual {
  readonly name: string;
  /** The last step of the stream from there on: the sum belongs behind it. */
  readonly site: Site;
  readonly kept: Site;
}

const residualNames = /^(?:residual|shortcut|identity|skip)(?:_\w+)?$/;
const givenNames = /^(?:input_tensor|residual|shortcut)$/;
const normNames = /(?:^|_)(?:\w*norm|ln)(?:_?\w{1,4})?$/i;

/** What is kept under the name of a residual in the functions that were followed, and never read. */
export function idleResiduals(code: CodeReading): readonly IdleResidual[] {
  const { file } = code;
  const found: IdleResidual[] = [];
  for (const { definition, unit } of functionsThatRan(code)) {
    // The stream comes in beside what a sublayer computed, for the sum under a norm.
    const given = definition.parameters.find(({ name }) => name !== undefined && givenNames.test(name.name))?.name;
    const normed = definition.body.flatMap((each) =>
      (each.kind === 'assign' || each.kind === 'return') && each.value !== undefined ? [each.value] : [],
    );
    const norm = normed.find(isNormed);
    if (given !== undefined && norm !== undefined && !definition.body.some((each) => reads(each, given.name)))
      found.push({ name: given.name, site: { file, unit, node: norm }, kept: { file, unit, node: given } });
    for (const [kept, after] of idleIn(definition.body)) {
      if (kept.kind !== 'assign' || kept.targets[0]?.kind !== 'name' || kept.value.kind !== 'name') continue;
      const stream = kept.value.name;
      const last = after.filter((each) => boundBy(each).has(stream)).at(-1);
      if (last === undefined || last.kind !== 'assign') continue;
      found.push({ name: kept.targets[0].name, site: { file, unit, node: last.value }, kept: { file, unit, node: kept } });
    }
  }
  return found;
}

/** Assignments to residuals that are not read before the next one in the same body, with the statements up to there. */
function idleIn(body: readonly Statement[]): readonly (readonly [Statement, readonly Statement[]])[] {
  return body.flatMap((statement, i) => {
    const [target] = statement.kind === 'assign' && statement.targets.length === 1 ? statement.targets : [];
    if (target?.kind !== 'name' || !residualNames.test(target.name) || statement.kind !== 'assign' || statement.value.kind !== 'name')
      return [];
    const rest = body.slice(i + 1);
    const next = rest.findIndex((each) => each.kind === 'assign' && boundBy(each).has(target.name));
    const after = next < 0 ? rest : rest.slice(0, next + 1);
    return after.some((each) => reads(each, target.name)) ? [] : [[statement, next < 0 ? after : after.slice(0, -1)] as const];
  });
}

/** `self.norm(x)` */
const isNormed = (value: Expression): boolean =>
  value.kind === 'call' && value.callee.kind === 'attribute' && normNames.test(value.callee.name.name);

const boundBy = (statement: Statement): ReadonlySet<string> =>
  new Set(statement.kind === 'assign' ? statement.targets.flatMap((target) => [...targetNames(target)]) : []);

export function reads(statement: Statement, name: string): boolean {
  let found = false;
  const see = (expression: Expression): void => {
    if (expression.kind === 'name' && expression.name === name) found = true;
    else if (expression.kind === 'string' || expression.kind === 'unknown') return;
    for (const child of childExpressions(expression)) see(child);
  };
  const visit = (each: Statement): void => {
    const targets: readonly unknown[] = each.kind === 'assign' ? each.targets : [];
    for (const expression of statementExpressions(each)) if (!targets.includes(expression) || expression.kind !== 'name') see(expression);
    if (each.kind === 'unknown') found = true;
    eachChildStatement(each, visit);
  };
  visit(statement);
  return found;
}
