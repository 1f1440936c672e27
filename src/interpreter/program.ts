import type { Statement, Unit } from '../syntax/python/ast.ts';
import { eachChildStatement, eachExpression, targetNames } from '../syntax/python/walk.ts';
import type { SourceFile, Value } from './value.ts';

/** Finds the source of modules. */
export interface SourceLoader {
  /** The file of a dotted module name, or undefined. The same object for the same file. */
  load(moduleName: string): SourceFile | undefined;
  /** False where the text of the module, and of those of which it takes all names, shows that it does not have the name: they need not be loaded. */
  mentions?(moduleName: string, name: string): boolean;
}

/** Names that a unit of a module binds when it runs. */
export interface UnitNames {
  readonly names: ReadonlySet<string>;
  /** Modules of `from m import *`, as written: level and name. */
  readonly stars: readonly { readonly level: number; readonly module: string }[];
}

const cache = new WeakMap<Unit['body'], UnitNames>();

/** The names that running a top-level statement binds in its module. Worked out once per statement. */
export function namesOf(unit: Unit): UnitNames {
  const known = cache.get(unit.body);
  if (known !== undefined) return known;
  const names = new Set<string>();
  const stars: { level: number; module: string }[] = [];
  const visit = (statement: Statement): void => {
    switch (statement.kind) {
      case 'function':
      case 'class':
        names.add(statement.name.name);
        return;
      case 'import':
        for (const { name, alias } of statement.names) names.add(alias?.name ?? (name.split('.')[0] as string));
        return;
      case 'importFrom':
        for (const { name, alias } of statement.names) {
          if (name === '*') stars.push({ level: statement.level, module: statement.module });
          else names.add(alias?.name ?? name);
        }
        return;
      case 'assign':
        for (const target of statement.targets) for (const name of targetNames(target)) names.add(name);
        break;
      case 'annotatedAssign':
      case 'augmentedAssign':
        for (const name of targetNames(statement.target)) names.add(name);
        break;
      case 'for':
        for (const name of targetNames(statement.target)) names.add(name);
        break;
      case 'with':
        for (const { target } of statement.items) if (target !== undefined) for (const name of targetNames(target)) names.add(name);
        break;
      case 'typeAlias':
        if (statement.name.kind === 'name') names.add(statement.name.name);
        break;
    }
    eachExpression(statement, (expression) => {
      if (expression.kind === 'named') for (const name of targetNames(expression.target)) names.add(name);
    });
    // `registry["name"] = ...` and `registry.update(...)` at top level belong to the name they change.
    if (statement.kind === 'assign') {
      for (const target of statement.targets) {
        if (target.kind === 'subscript' && target.object.kind === 'name') names.add(target.object.name);
      }
    }
    if (statement.kind === 'expression' && statement.value.kind === 'call' && statement.value.callee.kind === 'attribute') {
      const { object } = statement.value.callee;
      if (object.kind === 'name') names.add(object.name);
    }
    eachChildStatement(statement, visit);
  };
  visit(unit.body.statement);
  const found = { names, stars };
  cache.set(unit.body, found);
  return found;
}

/** The import by which `if TYPE_CHECKING:` gives a name its value, where the statement is one. */
export function importForTypes(
  statement: Statement,
  name: string,
): { readonly level: number; readonly module: string; readonly name: string } | undefined {
  if (statement.kind !== 'if') return undefined;
  const [first] = statement.branches;
  const test = first?.test;
  if (first === undefined || (test?.kind === 'name' ? test.name : test?.kind === 'attribute' ? test.name.name : '') !== 'TYPE_CHECKING')
    return undefined;
  for (const each of first.body) {
    if (each.kind !== 'importFrom') continue;
    const found = each.names.find(({ name: imported, alias }) => (alias?.name ?? imported) === name);
    if (found !== undefined) return { level: each.level, module: each.module, name: found.name };
  }
  return undefined;
}

/** A module whose statements run when a name that they bind is asked for. */
export interface ModuleState {
  readonly name: string;
  readonly file: SourceFile;
  readonly globals: Map<string, Value>;
  /** Indices into `file.module.units` by the name that they bind, in order. */
  readonly binders: ReadonlyMap<string, readonly number[]>;
  readonly stars: readonly { readonly level: number; readonly module: string }[];
  readonly ran: Set<number>;
  /** Names that are being worked out: a circular import finds them missing. */
  readonly pending: Set<string>;
}

export function moduleState(file: SourceFile): ModuleState {
  const binders = new Map<string, number[]>();
  const stars: { level: number; module: string }[] = [];
  for (const [i, unit] of file.module.units.entries()) {
    const found = namesOf(unit);
    stars.push(...found.stars);
    for (const name of found.names) {
      const known = binders.get(name);
      if (known === undefined) binders.set(name, [i]);
      else known.push(i);
    }
  }
  return { name: file.name, file, globals: new Map(), binders, stars, ran: new Set(), pending: new Set() };
}

/** The absolute name of what `from <level dots><module> import` in the file names. */
export function absoluteName(file: Pick<SourceFile, 'name' | 'isPackage'>, level: number, module: string): string {
  if (level === 0) return module;
  const parts = file.name.split('.');
  const keep = parts.length - level + (file.isPackage ? 1 : 0);
  const base = parts.slice(0, Math.max(0, keep));
  return module === '' ? base.join('.') : [...base, module].join('.');
}
