import type { Argument, Expression, Parameter, Statement } from './ast.ts';

/** The names that an assignment to this target binds. */
export function* targetNames(target: Expression): Generator<string> {
  if (target.kind === 'name') yield target.name;
  else if (target.kind === 'tuple' || target.kind === 'list') for (const item of target.items) yield* targetNames(item);
  else if (target.kind === 'starred') yield* targetNames(target.value);
}

/** The lists of statements directly inside a compound statement. */
export function blocksIn(statement: Statement | undefined): readonly (readonly Statement[])[] {
  switch (statement?.kind) {
    case 'if':
      return [...statement.branches.map(({ body }) => body), statement.otherwise];
    case 'for':
    case 'while':
      return [statement.body, statement.otherwise];
    case 'try':
      return [statement.body, ...statement.handlers.map(({ body }) => body), statement.otherwise, statement.finally];
    case 'with':
    case 'function':
    case 'class':
      return [statement.body];
    case 'match':
      return statement.cases.map(({ body }) => body);
    default:
      return [];
  }
}

/** The statements directly inside a compound statement. */
export function eachChildStatement(statement: Statement, visit: (child: Statement) => void): void {
  for (const body of blocksIn(statement)) body.forEach(visit);
}

/** Whether a name stands anywhere in an expression. */
export const mentionsName = (expression: Expression, name: string): boolean =>
  (expression.kind === 'name' && expression.name === name) || childExpressions(expression).some((child) => mentionsName(child, name));

/** The expressions that stand directly in a statement, outermost first; those of statements inside it are not visited. */
export function statementExpressions(statement: Statement): readonly Expression[] {
  const present = (...list: readonly (Expression | undefined)[]): Expression[] => list.filter((item) => item !== undefined);
  switch (statement.kind) {
    case 'expression':
      return [statement.value];
    case 'assign':
      return [...statement.targets, statement.value];
    case 'annotatedAssign':
      return present(statement.target, statement.annotation, statement.value);
    case 'augmentedAssign':
      return [statement.target, statement.value];
    case 'return':
      return present(statement.value);
    case 'raise':
      return present(statement.value, statement.cause);
    case 'assert':
      return present(statement.test, statement.message);
    case 'delete':
      return statement.targets;
    case 'if':
      return statement.branches.map(({ test }) => test);
    case 'for':
      return [statement.target, statement.iterable];
    case 'while':
      return [statement.test];
    case 'try':
      return statement.handlers.flatMap(({ type, alias }) => present(type, alias));
    case 'with':
      return statement.items.flatMap(({ value, target }) => present(value, target));
    case 'function':
      return [...statement.decorators, ...parameterExpressions(statement.parameters), ...present(statement.returns)];
    case 'class':
      return [...statement.decorators, ...statement.arguments.map(({ value }: Argument) => value)];
    case 'match':
      return [statement.subject, ...statement.cases.flatMap(({ guard }) => present(guard))];
    case 'typeAlias':
      return [statement.value];
    default:
      return [];
  }
}

const parameterExpressions = (parameters: readonly Parameter[]): Expression[] =>
  parameters.flatMap(({ annotation, default: value }) => [annotation, value].filter((item) => item !== undefined));

/** Visits the expressions directly inside one. */
export function eachChildExpression(expression: Expression, visit: (child: Expression) => void): void {
  const maybe = (child: Expression | undefined): void => {
    if (child !== undefined) visit(child);
  };
  switch (expression.kind) {
    case 'tuple':
    case 'list':
    case 'set':
      for (const item of expression.items) visit(item);
      break;
    case 'dict':
      for (const { key, value } of expression.items) {
        maybe(key);
        maybe(value);
      }
      break;
    case 'string':
      for (const part of expression.parts ?? []) if (typeof part !== 'string') visit(part);
      break;
    case 'unary':
      visit(expression.operand);
      break;
    case 'binary':
    case 'boolean':
      visit(expression.left);
      visit(expression.right);
      break;
    case 'compare':
      for (const operand of expression.operands) visit(operand);
      break;
    case 'conditional':
      visit(expression.value);
      visit(expression.test);
      visit(expression.otherwise);
      break;
    case 'lambda':
      for (const child of parameterExpressions(expression.parameters)) visit(child);
      visit(expression.body);
      break;
    case 'call':
      visit(expression.callee);
      for (const { value } of expression.arguments) visit(value);
      break;
    case 'attribute':
      visit(expression.object);
      break;
    case 'subscript':
      visit(expression.object);
      for (const index of expression.indices) visit(index);
      break;
    case 'slice':
      maybe(expression.lower);
      maybe(expression.upper);
      maybe(expression.step);
      break;
    case 'starred':
    case 'await':
      visit(expression.value);
      break;
    case 'yield':
      maybe(expression.value);
      break;
    case 'named':
      visit(expression.target);
      visit(expression.value);
      break;
    case 'comprehension':
      maybe(expression.key);
      visit(expression.element);
      for (const { target, iterable, conditions } of expression.clauses) {
        visit(target);
        visit(iterable);
        for (const condition of conditions) visit(condition);
      }
      break;
  }
}

/** The expressions directly inside one. */
export function childExpressions(expression: Expression): readonly Expression[] {
  const found: Expression[] = [];
  eachChildExpression(expression, (child) => found.push(child));
  return found;
}

/** Visits every expression of a statement itself, not of statements inside it. Iterative. */
export function eachExpression(statement: Statement, visit: (expression: Expression) => void): void {
  const waiting: Expression[] = [...statementExpressions(statement)];
  const wait = (child: Expression): void => {
    waiting.push(child);
  };
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    visit(next);
    eachChildExpression(next, wait);
  }
}

/** The same of statements inside it, too; of one statement after the other, as they stand. */
export function eachExpressionWithin(statement: Statement, visit: (expression: Expression) => void): void {
  eachExpression(statement, visit);
  eachChildStatement(statement, (child) => eachExpressionWithin(child, visit));
}
