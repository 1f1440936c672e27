/** What of a file is studied: its classes, the functions that make models of them, and those that attend. */
import type { ClassDefinition, Expression, FunctionDefinition, Statement, UnitBody } from '../syntax/python/ast.ts';
import { eachChildStatement, eachExpression } from '../syntax/python/walk.ts';
import { classMember } from './attributes.ts';
import type { Interpreter } from './interpreter.ts';
import type { ClassValue, FunctionValue, SourceFile } from './value.ts';

const maximumMakers = 3;

/** Functions of the file that build models out of its classes and answer them. */
export function makersOf(interpreter: Interpreter, file: SourceFile, classes: readonly ClassValue[]): readonly FunctionValue[] {
  const names = new Set(classes.map(({ name }) => name));
  const found: FunctionValue[] = [];
  for (const { body } of file.module.units) {
    const { statement } = body;
    if (statement.kind !== 'function' || found.length >= maximumMakers) continue;
    const mentioned = mentionedIn(body);
    let count = 0;
    for (const name of names) if (mentioned.has(name)) count += 1;
    // One class that a function makes can be studied without it.
    if (count < 2) continue;
    const value = interpreter.guard(() => interpreter.names.global(interpreter.names.globalsOf(file), statement.name.name));
    if (value?.kind === 'function') found.push(value);
  }
  return found;
}

const maximumFunctions = 4;

/** Functions of the file that attend, which nothing in it may call: those that a library or another file chooses by name. */
export const attentionFunctions = ({ module }: SourceFile): readonly FunctionDefinition[] =>
  module.units
    .flatMap(({ start, body }) => (body.statement.kind === 'function' && attends(body, module.text, start) ? [body.statement] : []))
    .slice(0, maximumFunctions);

/** Names of what makes causal masks. */
export const causalNames = /causal_?(?:\w+_)?mask|triangular_?mask|subsequent|look_?ahead|(?:^|_)future_?mask/i;

const triangles = /\btri[ul]_?\(|\barange\(/;

/** Functions of the file that make causal masks, and classes that are such masks: who uses them may be in another file. */
export const maskMakers = ({ module }: SourceFile): readonly (FunctionDefinition | ClassDefinition)[] =>
  module.units
    .flatMap(({ start, body: { statement } }) => {
      if (statement.kind !== 'class' && (statement.kind !== 'function' || statement.decorators.length > 0)) return [];
      if (!causalNames.test(statement.name.name)) return [];
      return triangles.test(module.text.slice(start, start + statement.end)) ? [statement] : [];
    })
    .slice(0, maximumFunctions);

const attending = new WeakMap<UnitBody, boolean>();

/** Whether what is written of a function says that it attends. Looked at once per statement. */
function attends(body: UnitBody, text: string, start: number): boolean {
  let known = attending.get(body);
  if (known === undefined) {
    const { statement } = body;
    const isPlain = statement.kind === 'function' && statement.decorators.length === 0 && statement.parameters.length >= 3;
    const written = isPlain ? text.slice(start, start + statement.end) : '';
    // What samples a token takes a softmax, too, and multiplies nothing.
    const isAttention =
      /scaled_dot_product_attention/.test(written) || (/softmax/.test(written) && /matmul|bmm|einsum|\s@\s/.test(written));
    known = isAttention && !/\bself\b/.test(written) && !/nn\.Module\b/.test(written);
    attending.set(body, known);
  }
  return known;
}

function* classDefinitions(statements: readonly Statement[]): Generator<ClassDefinition> {
  for (const statement of statements) {
    if (statement.kind === 'class') yield statement;
    else if (statement.kind === 'if' || statement.kind === 'try') {
      const inner: Statement[] = [];
      eachChildStatement(statement, (child) => inner.push(child));
      yield* classDefinitions(inner);
    }
  }
}

export const definitionsOf = (file: SourceFile): readonly ClassDefinition[] =>
  file.module.units.flatMap(({ body }) => [...classDefinitions([body.statement])]);

export function hasForward(value: ClassValue): boolean {
  const forward = forwardMember(value);
  if (forward === undefined) return entriesOf(value).length > 0;
  return (value.isOpen && forward.name === 'forward') || value.mro.some(({ qualifiedName }) => forwardNames.has(qualifiedName));
}

/** The method in which each library's modules say what they compute. */
const forwardNames: ReadonlyMap<string, string> = new Map([
  ['torch.nn.Module', 'forward'],
  ['flax.linen.Module', '__call__'],
  ['flax.nnx.Module', '__call__'],
  ['keras.Layer', 'call'],
  ['mlx.nn.Module', '__call__'],
]);

/** Whether every module of a library is one of these. */
export const isModuleBase = ({ qualifiedName }: ClassValue): boolean => forwardNames.has(qualifiedName);

/** The user's own method that runs when a module is called. */
export function forwardMember(of: ClassValue): FunctionValue | undefined {
  const library = of.mro.find(({ qualifiedName }) => forwardNames.has(qualifiedName));
  const member = classMember(of, (library === undefined ? undefined : forwardNames.get(library.qualifiedName)) ?? 'forward');
  return member?.kind === 'function' && !member.file.isPrelude ? member : undefined;
}

const mentions = new WeakMap<UnitBody, ReadonlySet<string>>();

/** Names that the body of a class, a function or an assignment mentions. Worked out once per statement. */
function mentionedIn(body: UnitBody): ReadonlySet<string> {
  const known = mentions.get(body);
  if (known !== undefined) return known;
  const { statement } = body;
  const found = new Set<string>();
  const own = statement.kind === 'class' ? statement.name.name : undefined;
  const built = new Set<Expression>();
  const visit = (child: Statement): void => {
    eachExpression(child, (expression) => {
      if (expression.kind === 'name' && expression.name !== own && !built.has(expression)) found.add(expression.name);
      // `model = GPT(config)` at the end of a script makes what nothing else in the file is made of.
      if (statement.kind === 'assign' && expression.kind === 'call') built.add(expression.callee);
    });
    eachChildStatement(child, visit);
  };
  if (statement.kind === 'class') statement.body.forEach(visit);
  else if (statement.kind === 'function' || statement.kind === 'assign') visit(statement);
  mentions.set(body, found);
  return found;
}

/** Whether the class is constructed in the file: something else mentions it there. */
export const isUsed = ({ module }: SourceFile, { name }: ClassValue): boolean =>
  module.units.some(({ body }) => mentionedIn(body).has(name));

const maximumEntries = 4;

/** What runs when a model is used: its `forward`, or the methods of one that has none, `encode` and `decode`. */
export function entriesOf(of: ClassValue): readonly FunctionValue[] {
  const forward = forwardMember(of);
  if (forward !== undefined) return [forward];
  if (!of.mro.some(({ qualifiedName }) => qualifiedName === 'torch.nn.Module')) return [];
  const found: FunctionValue[] = [];
  for (const member of of.members.values()) {
    const isEntry =
      member.kind === 'function' &&
      member.wraps === 'plain' &&
      /^(?:encode|decode|embed|project|compute|apply|run)(?:_\w+)?$/.test(member.name);
    if (isEntry && member.definition.parameters.length > 1) found.push(member);
  }
  return found.slice(0, maximumEntries);
}
