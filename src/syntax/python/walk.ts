import type { Argument, Expression, Parameter, Statement } from './ast.ts';

/** The names that an assignment to this target binds. */
export function* targetNames(target: Expression): Generator<string> {
  if (target.kind === 'name') yield target.name;
  else if (target.kind === 'tuple' || target.kind === 'list') for (const item of target.items) yield* targetNames(item);
  else if (target.kind === 'starred') yield* targetNames(target.value);
}

/** The statements directly inside a compound statement. */
export function eachChildStatement(statement: Statement, visit: (child: Statement) => void): void {
  const all = (body: readonly Statement[]): void => body.forEach(visit);
  switch (statement.kind) {
    case 'if':
      for (const branch of statement.branches) all(branch.body);
      all(statement.otherwise);
      break;
    case 'for':
    case 'while':
      all(statement.body);
      all(statement.otherwise);
      break;
    case 'try':
      all(statement.body);
      for (const handler of statement.handlers) all(handler.body);
      all(statement.otherwise);
      all(statement.finally);
      break;
    case 'with':
    case 'function':
    case 'class':
      all(statement.body);
      break;
    case 'match':
      for (const { body } of statement.cases) all(body);
      break;
  }
}

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

/** The expressions directly inside one. */
export function childExpressions(expression: Expression): readonly Expression[] {
  const present = (...list: readonly (Expression | undefined)[]): Expression[] => list.filter((item) => item !== undefined);
  switch (expression.kind) {
    case 'tuple':
    case 'list':
    case 'set':
      return expression.items;
    case 'dict':
      return expression.items.flatMap(({ key, value }) => present(key, value));
    case 'string':
      return expression.parts?.filter((part) => typeof part !== 'string') ?? [];
    case 'unary':
      return [expression.operand];
    case 'binary':
    case 'boolean':
      return [expression.left, expression.right];
    case 'compare':
      return expression.operands;
    case 'conditional':
      return [expression.value, expression.test, expression.otherwise];
    case 'lambda':
      return [...parameterExpressions(expression.parameters), expression.body];
    case 'call':
      return [expression.callee, ...expression.arguments.map(({ value }) => value)];
    case 'attribute':
      return [expression.object];
    case 'subscript':
      return [expression.object, ...expression.indices];
    case 'slice':
      return present(expression.lower, expression.upper, expression.step);
    case 'starred':
    case 'await':
      return [expression.value];
    case 'yield':
      return present(expression.value);
    case 'named':
      return [expression.target, expression.value];
    case 'comprehension':
      return [
        ...present(expression.key),
        expression.element,
        ...expression.clauses.flatMap(({ target, iterable, conditions }) => [target, iterable, ...conditions]),
      ];
    default:
      return [];
  }
}

/** Visits every expression of a statement itself, not of statements inside it. Iterative. */
export function eachExpression(statement: Statement, visit: (expression: Expression) => void): void {
  const waiting: Expression[] = [...statementExpressions(statement)];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    visit(next);
    for (const child of childExpressions(next)) waiting.push(child);
  }
}
