/** Flags that a constructor takes and does not look at, though what it makes has a flag of that name. */
import type { CodeReading } from '../../interpreter/study.ts';
import { type Call, type ClassDefinition, type FunctionDefinition, type Statement, spanIn } from '../../syntax/python/ast.ts';
import { eachChildStatement, eachExpression, eachExpressionWithin } from '../../syntax/python/walk.ts';
import type { Range } from '../../text/range.ts';

export interface UnheardFlag {
  readonly name: string;
  readonly parameter: Range;
  /** Where the flag is set to a constant, or the end of what the base class is given without it. */
  readonly at: Range;
  readonly isSet: boolean;
}

/** Layers of torch that are told where their norms stand. */
const torchLayers = /^Transformer(?:En|De)coderLayer$/;

export function unheardFlags({ file }: CodeReading, pattern: RegExp): readonly UnheardFlag[] {
  const classes = file.module.units.flatMap((unit) =>
    unit.body.statement.kind === 'class' ? [{ unit, definition: unit.body.statement }] : [],
  );
  const takes = (name: string, flag: string): boolean => {
    const own = classes.find(({ definition }) => definition.name.name === name)?.definition;
    if (own === undefined) return torchLayers.test(name);
    return constructorOf(own)?.parameters.some((each) => each.name?.name === flag) === true;
  };
  return classes.flatMap(({ unit, definition }): readonly UnheardFlag[] => {
    const maker = constructorOf(definition);
    const flag = maker?.parameters.find(({ name }) => name !== undefined && pattern.test(name.name))?.name;
    if (maker === undefined || flag === undefined) return [];
    const { calls, set, isRead } = mentionsOf(maker, flag.name);
    if (isRead) return [];
    const found = { name: flag.name, parameter: spanIn(unit, flag) };
    // A flag that nothing looks at may be kept for who makes the module.
    if (set !== undefined) return isAsked(definition, flag.name) ? [{ ...found, at: spanIn(unit, set), isSet: true }] : [];
    const bases = definition.arguments.flatMap(({ value }) =>
      value.kind === 'attribute' ? [value.name.name] : value.kind === 'name' ? [value.name] : [],
    );
    const given = bases.some((base) => takes(base, flag.name)) ? calls.find(isOfBase)?.arguments : undefined;
    const last = given?.at(-1);
    // What is handed on as a whole may hold it.
    if (last === undefined || given?.some(({ kind }) => kind === 'args' || kind === 'kwargs') === true) return [];
    return [{ ...found, at: spanIn(unit, last), isSet: false }];
  });
}

const constructorOf = (definition: ClassDefinition): FunctionDefinition | undefined =>
  definition.body.find((each): each is FunctionDefinition => each.kind === 'function' && each.name.name === '__init__');

/** Whether other methods than the constructor look at the attribute. */
function isAsked(definition: ClassDefinition, name: string): boolean {
  let found = false;
  for (const member of definition.body)
    if (member.kind === 'function' && member.name.name !== '__init__')
      eachExpressionWithin(member, (each) => {
        if (each.kind === 'attribute' && each.name.name === name) found = true;
      });
  return found;
}

/** `super().__init__(...)`. */
const isOfBase = ({ callee }: Call): boolean =>
  callee.kind === 'attribute' &&
  callee.name.name === '__init__' &&
  callee.object.kind === 'call' &&
  callee.object.callee.kind === 'name' &&
  callee.object.callee.name === 'super';

/** What a constructor does with a parameter, and whom it calls. */
function mentionsOf(
  { body }: FunctionDefinition,
  name: string,
): { readonly calls: readonly Call[]; readonly set: Statement | undefined; readonly isRead: boolean } {
  const calls: Call[] = [];
  let set: Statement | undefined;
  let isRead = false;
  const visit = (statement: Statement): void => {
    eachExpression(statement, (each) => {
      if (each.kind === 'call') calls.push(each);
      // All names at once.
      if (each.kind === 'name' && (each.name === name || each.name === 'locals')) isRead = true;
    });
    const [target] = statement.kind === 'assign' ? statement.targets : [];
    if (statement.kind === 'assign' && target?.kind === 'attribute' && target.name.name === name && statement.value.kind === 'constant')
      set ??= statement;
    if (statement.kind === 'unknown') isRead = true;
    eachChildStatement(statement, visit);
  };
  body.forEach(visit);
  return { calls, set, isRead };
}
