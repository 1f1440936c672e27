import type { ClassDefinition, Expression } from '../syntax/python/ast.ts';
import { classMember, setPlain } from './attributes.ts';
import { evaluate } from './expressions.ts';
import { type Frame, nothingYet } from './frame.ts';
import type { Interpreter } from './interpreter.ts';
import { unknown } from './make.ts';
import { runBody } from './statements.ts';
import type { ClassValue, InstanceValue, Value } from './value.ts';

/** Bases that add nothing that is looked up. */
const plainBases: ReadonlySet<string> = new Set([
  'object',
  'str',
  'int',
  'float',
  'ABC',
  'Generic',
  'Protocol',
  'Exception',
  'ValueError',
  'RuntimeError',
  'NotImplementedError',
]);

/** Runs a class statement: its body in a frame of its own, then the class with its bases. */
export function defineClass(interpreter: Interpreter, frame: Frame, definition: ClassDefinition): ClassValue {
  const bases: Value[] = [];
  for (const argument of definition.arguments) {
    if (argument.kind === 'positional') bases.push(evaluate(interpreter, frame, argument.value));
  }
  const members = new Map<string, Value>();
  const fields: { name: string; annotation: Expression; hasDefault: boolean }[] = [];
  for (const statement of definition.body) {
    if (statement.kind !== 'annotatedAssign' || statement.target.kind !== 'name') continue;
    fields.push({ name: statement.target.name, annotation: statement.annotation, hasDefault: statement.value !== undefined });
  }
  const known: ClassValue[] = [];
  let isOpen = false;
  for (const base of bases) {
    const derived =
      base.kind === 'builtin' && /^(?:builtins\.dict|collections\.OrderedDict)$/.test(base.name) ? dictClass(interpreter) : undefined;
    if (derived !== undefined) known.push(derived);
    else if (base.kind === 'class') known.push(base);
    else if (!isPlain(base)) isOpen = true;
  }
  const value: ClassValue = {
    kind: 'class',
    name: definition.name.name,
    qualifiedName: `${frame.file.name}.${definition.name.name}`,
    definition,
    file: frame.file,
    unit: frame.unit,
    bases,
    mro: [],
    isOpen: isOpen || known.some((base) => base.isOpen),
    members,
    fields,
    decorators: definition.decorators.map(decoratorName),
    keywords: definition.arguments.filter(({ kind }) => kind === 'keyword'),
  };
  (value as { mro: readonly ClassValue[] }).mro = [value, ...linearise(known)];
  // Functions of the body see the names around the class, not those in it.
  const body: Frame = {
    ...frame,
    locals: members,
    owner: value,
    parent: frame.locals === frame.globals ? undefined : frame,
    ...nothingYet(),
    self: undefined,
  };
  runBody(interpreter, body, definition.body);
  const hook = value.mro
    .slice(1)
    .find((each) => each.members.has('__init_subclass__'))
    ?.members.get('__init_subclass__');
  if (hook?.kind === 'function' && !hook.file.isPrelude) interpreter.guard(() => interpreter.call(hook, [value], new Map(), true));
  return value;
}

/** The description of `dict` as a class: its name stands for the operation. */
function dictClass(interpreter: Interpreter): ClassValue | undefined {
  const globals = interpreter.names.module('builtins')?.globals;
  const value = globals === undefined ? undefined : interpreter.names.global(globals, 'dict');
  return value?.kind === 'class' ? value : undefined;
}

function isPlain(base: Value): boolean {
  const name = base.kind === 'opaque' || base.kind === 'builtin' ? base.name : base.kind === 'unknown' ? base.reason : undefined;
  return name !== undefined && plainBases.has(name.slice(name.lastIndexOf('.') + 1));
}

export function decoratorName(decorator: Expression): string {
  if (decorator.kind === 'call') return decoratorName(decorator.callee);
  if (decorator.kind === 'name') return decorator.name;
  if (decorator.kind === 'attribute') return `${decoratorName(decorator.object)}.${decorator.name.name}`;
  return '?';
}

/** C3 where it exists; otherwise each class once, the later place of a base winning. */
function linearise(bases: readonly ClassValue[]): readonly ClassValue[] {
  const lists = [...bases.map(({ mro }) => [...mro]), [...bases]];
  const result: ClassValue[] = [];
  for (;;) {
    const waiting = lists.filter(({ length }) => length > 0);
    if (waiting.length === 0) return result;
    const next = waiting.map((each) => each[0] as ClassValue).find((head) => !waiting.some((each) => each.indexOf(head) > 0));
    const chosen = next ?? (waiting[0]?.[0] as ClassValue);
    result.push(chosen);
    for (const each of lists) {
      const at = each.indexOf(chosen);
      if (at >= 0) each.splice(at, 1);
    }
  }
}

/** What calling a class answers. */
export function instantiate(
  interpreter: Interpreter,
  of: ClassValue,
  positional: readonly Value[],
  keywords: ReadonlyMap<string, Value>,
  openArguments: boolean,
): Value {
  const creator = classMember(of, '__new__');
  if (creator?.kind === 'function' && !of.isOpen && classMember(of, '__init__') === undefined) {
    return interpreter.call(creator, [of, ...positional], keywords, openArguments);
  }
  const instance = interpreter.instance(of);
  const initializer = classMember(of, '__init__');
  if (initializer !== undefined && !dataclassBefore(of)) {
    if (openArguments) instance.open = true;
    interpreter.call(initializer, [instance, ...positional], keywords, openArguments);
  } else if (isRecord(of)) fillFields(interpreter, instance, positional, keywords, openArguments);
  else if (initializer !== undefined) interpreter.call(initializer, [instance, ...positional], keywords, openArguments);
  else if (of.isOpen) instance.open = true;
  return instance;
}

/** True when the class is a dataclass without an `__init__` of its own, even where a base has one. */
function dataclassBefore(of: ClassValue): boolean {
  for (const each of of.mro) {
    if (each.members.has('__init__')) return false;
    if (isDataclass(each)) return true;
  }
  return false;
}

export const isDataclass = (of: ClassValue): boolean =>
  of.decorators.some((name) => /(?:^|\.)(?:dataclass|struct|attrs|define|frozen|s)$/.test(name)) ||
  of.bases.some((base) =>
    /NamedTuple|BaseModel|(?:^|\.)Struct$|ModelOutput|TypedDict/.test(
      base.kind === 'unknown'
        ? base.reason
        : base.kind === 'opaque' || base.kind === 'builtin'
          ? base.name
          : base.kind === 'class'
            ? base.name
            : '',
    ),
  );

const isRecord = (of: ClassValue): boolean => of.mro.some(isDataclass);

/** The fields of a dataclass in order, those of bases first. */
export function fieldsOf(
  of: ClassValue,
): readonly { readonly name: string; readonly owner: ClassValue; readonly annotation: Expression }[] {
  const fields = new Map<string, { name: string; owner: ClassValue; annotation: Expression }>();
  for (const each of [...of.mro].reverse()) {
    for (const { name, annotation } of each.fields) {
      if (annotationHead(annotation) !== 'ClassVar') fields.set(name, { name, owner: each, annotation });
    }
  }
  return [...fields.values()];
}

function annotationHead(annotation: Expression): string | undefined {
  const head = annotation.kind === 'subscript' ? annotation.object : annotation;
  return head.kind === 'name' ? head.name : head.kind === 'attribute' ? head.name.name : undefined;
}

function fillFields(
  interpreter: Interpreter,
  instance: InstanceValue,
  positional: readonly Value[],
  keywords: ReadonlyMap<string, Value>,
  openArguments: boolean,
): void {
  let next = 0;
  for (const { name, owner } of fieldsOf(instance.class)) {
    const given = keywords.get(name) ?? positional[next++];
    const value = given ?? defaultOf(interpreter, owner.members.get(name));
    setPlain(interpreter, instance, name, value ?? unknown(openArguments ? `the argument ${name}` : `the field ${name}`));
  }
  const after = classMember(instance.class, '__post_init__');
  if (after !== undefined) interpreter.call(after, [instance]);
}

/** The value of a field's default: `field(default_factory=list)` makes it anew. */
export function defaultOf(interpreter: Interpreter, member: Value | undefined): Value | undefined {
  if (
    member?.kind !== 'partial' ||
    !(member.callee.kind === 'opaque' || member.callee.kind === 'builtin') ||
    !member.callee.name.endsWith('field')
  )
    return member;
  const factory = member.keywords.get('default_factory') ?? member.keywords.get('factory');
  return factory === undefined ? (member.keywords.get('default') ?? member.keywords.get('init_value')) : interpreter.call(factory, []);
}

/** Whether the class and its bases stand in one file, or in libraries that Headwise describes. */
export const isOfOneFile = ({ mro, file: own }: ClassValue): boolean =>
  mro.every(({ file }) => file === undefined || file === own || file.isPrelude);
