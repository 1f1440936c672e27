/** What reading configurations asks of a statement, whatever stands around it: worked out once, while an edit leaves the statement alone. */
import type { Expression, Statement } from '../../syntax/python/ast.ts';
import { eachChildStatement, eachExpression } from '../../syntax/python/walk.ts';

/** What a statement, and all inside it, may hold of configurations. */
export interface Sketch {
  readonly hasDict: boolean;
  /** What is called by a name of its own, and what is called as classes are: `nn.MultiheadAttention`, but not `self.norm`. */
  readonly callees: readonly string[];
}

/** How a statement, and all inside it, changes what others state. */
export interface Changes {
  /** Name of what changes, and the key; '*' where that cannot be followed. */
  readonly keys: readonly (readonly [name: string, key: string])[];
  /** Names that a function gives a value further out. */
  readonly rebound: readonly string[];
  /** Names of what is given as `**name`. */
  readonly spread: readonly string[];
}

const sketches = new WeakMap<Statement, Sketch>();
const changes = new WeakMap<Statement, Changes>();

/** Of statements that hold nothing. */
const nothing: Sketch = { hasDict: false, callees: [] };

export function sketchOf(statement: Statement): Sketch {
  const known = sketches.get(statement);
  if (known !== undefined) return known;
  const found = sketch(statement);
  sketches.set(statement, found);
  return found;
}

function sketch(statement: Statement): Sketch {
  let hasDict = false;
  const callees = new Set<string>();
  eachExpression(statement, (expression) => {
    hasDict ||= expression.kind === 'dict';
    const callee = expression.kind === 'call' ? dottedName(expression.callee) : undefined;
    if (callee !== undefined && (!callee.includes('.') || /\.[A-Z]\w*$/.test(callee))) callees.add(callee);
  });
  eachChildStatement(statement, (child) => {
    // Those that are asked for again.
    const inner = child.kind === 'class' || child.kind === 'function' ? sketchOf(child) : sketch(child);
    hasDict ||= inner.hasDict;
    for (const callee of inner.callees) callees.add(callee);
  });
  return hasDict || callees.size > 0 ? { hasDict, callees: [...callees] } : nothing;
}

export function changesIn(statement: Statement): Changes {
  const known = changes.get(statement);
  if (known !== undefined) return known;
  const keys: (readonly [string, string])[] = [];
  const rebound: string[] = [];
  const spread: string[] = [];
  const note = (holder: Expression, key: string): void => {
    const name = lastName(holder);
    if (name !== undefined && name !== 'self' && name !== 'cls') keys.push([name, key]);
  };
  /** What is given as `**name` goes to parameters that are not seen here: `**configs[size]`, `**dict(defaults, **kwargs)`. */
  const noteSpread = (value: Expression): void => {
    const name = lastName(value);
    if (name !== undefined) spread.push(name);
    if (value.kind === 'call' && lastName(value.callee) === 'dict') for (const argument of value.arguments) noteSpread(argument.value);
    if (value.kind === 'binary') for (const side of [value.left, value.right]) noteSpread(side);
  };
  const target = (expression: Expression): void => {
    if (expression.kind === 'attribute') note(expression.object, expression.name.name);
    else if (expression.kind === 'subscript') {
      const [index] = expression.indices;
      note(expression.object, index?.kind === 'string' && index.value !== undefined ? index.value : '*');
    } else if (expression.kind === 'tuple' || expression.kind === 'list') expression.items.forEach(target);
  };
  const waiting: Statement[] = [statement];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (next.kind === 'global' || next.kind === 'nonlocal') for (const { name } of next.names) rebound.push(name);
    if (next.kind === 'assign') next.targets.forEach(target);
    else if (next.kind === 'annotatedAssign' || next.kind === 'augmentedAssign') {
      target(next.target);
      if (next.kind === 'augmentedAssign' && next.target.kind === 'name') note(next.target, '*');
    } else if (next.kind === 'delete') next.targets.forEach(target);
    else if (next.kind === 'for') target(next.target);
    eachExpression(next, (expression) => {
      if (expression.kind !== 'call') return;
      const { callee } = expression;
      for (const { kind, value } of expression.arguments) if (kind === 'kwargs') noteSpread(value);
      if (callee.kind === 'attribute' && /^(update|pop|popitem|clear|setdefault|merge|merge_with|override)$/.test(callee.name.name))
        note(callee.object, '*');
      else if (callee.kind === 'name' && callee.name === 'setattr') {
        const [holder, key] = expression.arguments;
        if (holder !== undefined) note(holder.value, key?.value.kind === 'string' && key.value.value !== undefined ? key.value.value : '*');
      }
    });
    eachChildStatement(next, (child) => waiting.push(child));
  }
  const found = { keys, rebound, spread };
  changes.set(statement, found);
  return found;
}

/** `nn.Linear` of that expression; undefined for what is not names and dots. */
export function dottedName(expression: Expression): string | undefined {
  if (expression.kind === 'name') return expression.name;
  if (expression.kind !== 'attribute') return undefined;
  const parts: string[] = [];
  let at: Expression = expression;
  while (at.kind === 'attribute') {
    parts.unshift(at.name.name);
    at = at.object;
  }
  return at.kind === 'name' ? [at.name, ...parts].join('.') : undefined;
}

/** `c` of `a.b.c`, of `c[0]` and of `c`. */
export function lastName(expression: Expression): string | undefined {
  if (expression.kind === 'name') return expression.name;
  if (expression.kind === 'attribute') return expression.name.name;
  if (expression.kind === 'subscript') return lastName(expression.object);
  return undefined;
}
