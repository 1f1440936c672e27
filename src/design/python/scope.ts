import type { Expression, FunctionDefinition, Statement } from '../../syntax/python/ast.ts';
import { eachChildStatement, eachExpression, targetNames } from '../../syntax/python/walk.ts';
import type { Range } from '../../text/range.ts';

/** An expression with the offset of the unit it stands in. */
export interface Located {
  readonly expression: Expression;
  readonly base: number;
}

interface Binding {
  /** Places that give the name a value; two mean that no value is certain. */
  count: number;
  readonly value: Located | undefined;
}

/** What a name may be, in a module, a class body or a function. */
export class Scope {
  readonly #parent: Scope | undefined;
  readonly #bindings = new Map<string, Binding>();

  constructor(parent: Scope | undefined) {
    this.#parent = parent;
  }

  bind(name: string, value?: Located): void {
    const known = this.#bindings.get(name);
    if (known === undefined) this.#bindings.set(name, { count: value === undefined ? 2 : 1, value });
    else known.count++;
  }

  /** The one value that the name is ever given here or, where it is not bound here, further out. */
  lookup(name: string): Located | undefined {
    const binding = this.#bindings.get(name);
    if (binding !== undefined) return binding.count === 1 ? binding.value : undefined;
    return this.#parent?.lookup(name);
  }

  isBound(name: string): boolean {
    return this.#bindings.has(name) || this.#parent?.isBound(name) === true;
  }

  /** Takes in what the statements of a body bind, those below `if`, `for`, `with` and `try` included. */
  read(body: readonly Statement[], base: number): void {
    this.#bindAll(boundBy(body), base);
  }

  /** The same of one statement. */
  readOne(statement: Statement, base: number): void {
    const found: Bound[] = [];
    addBound(statement, found);
    this.#bindAll(found, base);
  }

  #bindAll(all: readonly Bound[], base: number): void {
    for (const { name, value } of all) this.bind(name, value === undefined ? undefined : { expression: value, base });
  }

  readParameters({ parameters }: Pick<FunctionDefinition, 'parameters'>): void {
    for (const { name } of parameters) if (name !== undefined) this.bind(name.name);
  }
}

/** A name that a statement binds, and what to where that is one value. */
interface Bound {
  readonly name: string;
  readonly value: Expression | undefined;
}

const known = new WeakMap<readonly Statement[], readonly Bound[]>();

/** What the statements of a body bind, in their order. Worked out once, while an edit leaves them alone. */
function boundBy(body: readonly Statement[]): readonly Bound[] {
  const found = known.get(body);
  if (found !== undefined) return found;
  const all: Bound[] = [];
  for (const statement of body) addBound(statement, all);
  known.set(body, all);
  return all;
}

function addBound(statement: Statement, found: Bound[]): void {
  const add = (name: string, value?: Expression): void => {
    found.push({ name, value });
  };
  switch (statement.kind) {
    case 'assign':
      for (const target of statement.targets) {
        if (target.kind === 'name') add(target.name, statement.value);
        else for (const name of targetNames(target)) add(name);
      }
      break;
    case 'annotatedAssign':
      if (statement.target.kind === 'name' && statement.value !== undefined) add(statement.target.name, statement.value);
      break;
    case 'augmentedAssign':
    case 'for':
      for (const name of targetNames(statement.target)) add(name);
      break;
    case 'delete':
      for (const target of statement.targets) for (const name of targetNames(target)) add(name);
      break;
    case 'with':
      for (const { target } of statement.items) if (target !== undefined) for (const name of targetNames(target)) add(name);
      break;
    case 'try':
      for (const { alias } of statement.handlers) if (alias !== undefined) for (const name of targetNames(alias)) add(name);
      break;
    case 'function':
    case 'class':
      add(statement.name.name);
      return;
    case 'import':
    case 'importFrom':
      for (const { name, alias } of statement.names) add(alias?.name ?? name.split('.')[0] ?? name);
      break;
    case 'global':
    case 'nonlocal':
      for (const { name } of statement.names) add(name);
      break;
    case 'match':
      for (const { binds } of statement.cases) for (const { name } of binds) add(name);
      break;
  }
  eachExpression(statement, (expression) => {
    if (expression.kind === 'named') for (const name of targetNames(expression.target)) add(name);
  });
  eachChildStatement(statement, (child) => addBound(child, found));
}

/** A value that is certain before the program runs. `origin` is where the number stands when the expression only names it. */
export interface Folded {
  readonly value: string | number | boolean | null;
  readonly origin?: Range;
}

const maximumSteps = 40;

/** Literals, arithmetic on them, and names that are given one such value; undefined for everything else. */
export function fold(expression: Expression, base: number, scope: Scope, steps = 0): Folded | undefined {
  if (steps > maximumSteps) return undefined;
  switch (expression.kind) {
    case 'number':
      return Number.isFinite(expression.value) ? { value: expression.value } : undefined;
    case 'string':
      return expression.value === undefined ? undefined : { value: expression.value };
    case 'constant':
      return expression.value === '...' ? undefined : { value: expression.value };
    case 'name': {
      const bound = scope.lookup(expression.name);
      if (bound === undefined) return undefined;
      const folded = fold(bound.expression, bound.base, scope, steps + 8);
      if (folded === undefined) return undefined;
      const { start, end } = bound.expression;
      return { value: folded.value, origin: folded.origin ?? { start: bound.base + start, end: bound.base + end } };
    }
    case 'unary': {
      const operand = fold(expression.operand, base, scope, steps + 1)?.value;
      if (typeof operand !== 'number') return undefined;
      return expression.operator === '-' ? { value: -operand } : expression.operator === '+' ? { value: operand } : undefined;
    }
    case 'binary': {
      const left = fold(expression.left, base, scope, steps + 1)?.value;
      const right = fold(expression.right, base, scope, steps + 1)?.value;
      if (typeof left !== 'number' || typeof right !== 'number') return undefined;
      const value = arithmetic(expression.operator, left, right);
      return value === undefined || !Number.isFinite(value) || Math.abs(value) > Number.MAX_SAFE_INTEGER ? undefined : { value };
    }
    case 'call': {
      const [only, second] = expression.arguments;
      if (expression.callee.kind !== 'name' || expression.callee.name !== 'int' || scope.isBound('int')) return undefined;
      if (only?.kind !== 'positional' || second !== undefined) return undefined;
      const value = fold(only.value, base, scope, steps + 1)?.value;
      return typeof value === 'number' ? { value: Math.trunc(value) } : undefined;
    }
    default:
      return undefined;
  }
}

function arithmetic(operator: string, left: number, right: number): number | undefined {
  switch (operator) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '/':
      return right === 0 ? undefined : left / right;
    case '//':
      return right === 0 ? undefined : Math.floor(left / right);
    case '%':
      return right === 0 ? undefined : left - right * Math.floor(left / right);
    case '**':
      return left ** right;
    case '<<':
      return Number.isInteger(left) && Number.isInteger(right) && right >= 0 && right < 53 ? left * 2 ** right : undefined;
    default:
      return undefined;
  }
}
