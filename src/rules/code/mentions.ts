/** Which attributes of its modules the code of a file reads. */
import type { CodeReading } from '../../interpreter/study.ts';
import type { ClassValue } from '../../interpreter/value.ts';
import type { ClassDefinition, Expression, Statement } from '../../syntax/python/ast.ts';
import { childExpressions, eachChildStatement, statementExpressions } from '../../syntax/python/walk.ts';

/** Whether any code that may belong to the class reads the attribute, or reads attributes by names that are worked out. */
export function isMentioned(code: CodeReading, of: ClassValue, name: string): boolean {
  const related = new Set<ClassDefinition>();
  for (const each of of.mro) if (each.definition !== undefined && each.file?.isPrelude !== true) related.add(each.definition);
  for (const { body } of code.file.module.units) {
    const { statement } = body;
    if (statement.kind === 'class') {
      const isRelated = related.has(statement) || inherits(statement, of.name);
      if (classReads(statement, name, isRelated)) return true;
    } else if (reads([statement], name, false)) return true;
  }
  for (const each of related) if (classReads(each, name, true)) return true;
  return false;
}

const inherits = (definition: ClassDefinition, name: string): boolean =>
  definition.arguments.some(({ value }) => value.kind === 'name' && value.name === name);

const makers = /^(?:__init__|_?init_\w*|_?reset_\w*|_?initiali[sz]e\w*|extra_repr|setup)$/;

const classReads = (definition: ClassDefinition, name: string, isRelated: boolean): boolean =>
  definition.body.some((statement) =>
    statement.kind === 'function' && makers.test(statement.name.name) ? false : reads([statement], name, isRelated),
  );

function reads(statements: readonly Statement[], name: string, ofSelf: boolean): boolean {
  let found = false;
  const see = (expression: Expression, isTarget: boolean): void => {
    if (found) return;
    if (expression.kind === 'attribute' && expression.name.name === name && !isTarget) {
      const isSelf = expression.object.kind === 'name' && expression.object.name === 'self';
      if (ofSelf || !isSelf) found = true;
    }
    if (
      ofSelf &&
      expression.kind === 'call' &&
      expression.callee.kind === 'name' &&
      /^(?:getattr|vars|setattr)$/.test(expression.callee.name)
    )
      found = true;
    if (
      ofSelf &&
      expression.kind === 'attribute' &&
      /^(?:children|named_children|modules|named_modules|_modules|__dict__)$/.test(expression.name.name)
    )
      found = true;
    if (expression.kind === 'string' && expression.value === name) found = true;
    // `layer.q_norm.weight` elsewhere loads weights and applies nothing.
    if (
      expression.kind === 'attribute' &&
      isWeightOf(expression.object, name) &&
      /^(?:weight|bias|scale|shift)$/.test(expression.name.name)
    )
      return;
    for (const child of childExpressions(expression)) see(child, false);
  };
  const visit = (statement: Statement): void => {
    // `if self.q_norm:` only asks whether there is one.
    const asked: readonly Expression[] = statement.kind === 'if' ? statement.branches.flatMap(({ test }) => presencesIn(test)) : [];
    for (const expression of statementExpressions(statement)) if (!asked.includes(expression)) see(expression, false);
    eachChildStatement(statement, visit);
  };
  statements.forEach(visit);
  return found;
}

const isPresence = (test: Expression, found: readonly Expression[]): boolean =>
  found.length > 0 || (test.kind === 'call' && test.callee.kind === 'name' && test.callee.name === 'hasattr');

/** The attribute of this name of something other than `self`, whose own weights are at most judged by what is computed with them. */
const isWeightOf = (object: Expression, name: string): boolean =>
  object.kind === 'attribute' && object.name.name === name && !(object.object.kind === 'name' && object.object.name === 'self');

/** The test itself where it asks for nothing but an attribute's being there. */
function presencesIn(test: Expression): readonly Expression[] {
  if (test.kind === 'attribute') return [test];
  if (test.kind === 'boolean') {
    const [left, right] = [presencesIn(test.left), presencesIn(test.right)];
    return isPresence(test.left, left) && isPresence(test.right, right) ? [test] : [];
  }
  if (test.kind !== 'compare' || test.operators.length !== 1 || !/^is(?: not)?$/.test(test.operators[0] ?? '')) return [];
  const [left, right] = test.operands;
  return left?.kind === 'attribute' && right?.kind === 'constant' && right.value === null ? [test] : [];
}
