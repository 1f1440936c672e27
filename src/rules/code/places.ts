/** Where things stand in the text of model code, and how findings name them. */
import type { Frame } from '../../interpreter/frame.ts';
import type { Variable } from '../../interpreter/recording.ts';
import type { CodeReading } from '../../interpreter/study.ts';
import type { Site, TensorValue, Value } from '../../interpreter/value.ts';
import { type ClassDefinition, type Expression, type FunctionDefinition, spanIn, type Unit } from '../../syntax/python/ast.ts';
import type { Range } from '../../text/range.ts';

/** The place in the file under study; undefined elsewhere. */
export const rangeIn = (code: CodeReading, site: Site | undefined): Range | undefined =>
  site?.file === code.file ? spanIn(site.unit, site.node) : undefined;

export const textAt = (code: CodeReading, at: Range | undefined): string =>
  at === undefined ? '' : code.file.module.text.slice(at.start, at.end);

/** The code of a place on one line, shortened in the middle of long ones. */
export function shown(code: CodeReading, at: Range | undefined, longest = 60): string {
  const text = textAt(code, at).replace(/\s+/g, ' ');
  return text.length <= longest ? text : `${text.slice(0, longest - 21)} ... ${text.slice(-16)}`;
}

/** The class of the file that gives the settings of a scope their numbers. */
export function settingsOf(
  { file }: CodeReading,
  scope: string,
): { readonly unit: Unit; readonly definition: ClassDefinition } | undefined {
  for (const unit of file.module.units) {
    const { statement } = unit.body;
    if (statement.kind === 'class' && scope.endsWith(`.${statement.name.name}`)) return { unit, definition: statement };
  }
  return undefined;
}

/** A function of the file that ran, in the first call of it. */
export interface FunctionThatRan {
  readonly frame: Frame;
  readonly definition: FunctionDefinition;
  readonly unit: Unit;
}

/** The functions of the file that ran, each once. */
export function* functionsThatRan({ runs, file }: CodeReading): Generator<FunctionThatRan> {
  const seen = new Set<FunctionDefinition>();
  for (const { frame } of runs) {
    const { definition, file: from, unit } = frame.function ?? {};
    if (definition?.kind !== 'function' || from !== file || unit === undefined || seen.has(definition)) continue;
    seen.add(definition);
    yield { frame, definition, unit };
  }
}

const definitions = new WeakMap<CodeReading, Map<Value, Variable[]>>();

/** The variables that were given this very value, in order. Numbers and tensors only: others are shared. */
export function variablesOf(code: CodeReading, value: Value | undefined): readonly Variable[] {
  if (value === undefined || !['float', 'int', 'tensor', 'union'].includes(value.kind)) return [];
  let known = definitions.get(code);
  if (known === undefined) {
    known = new Map();
    for (const variable of code.variables) {
      const all = known.get(variable.value);
      if (all === undefined) known.set(variable.value, [variable]);
      else all.push(variable);
    }
    definitions.set(code, known);
  }
  return known.get(value) ?? [];
}

/** The variables that were given the value. Of calls that are taken over from an earlier run the tensors are others. */
function copiesOf(code: CodeReading, value: Value | undefined): readonly Variable[] {
  const known = variablesOf(code, value);
  if (known.length > 0 || value?.kind !== 'tensor') return known;
  return code.variables.filter((each) => each.value.kind === 'tensor' && isCopy(each.value, value));
}

/** The assignment that made the value, as the range from its target to the end of the line. */
export function definitionOf(
  code: CodeReading,
  value: Value | undefined,
): { readonly at: Range; readonly name: string; readonly value: string } | undefined {
  const first = copiesOf(code, value).find(({ isArgument, site }) => !isArgument && site.file === code.file);
  const at = rangeIn(code, first?.site);
  if (first === undefined || at === undefined) return undefined;
  const { text } = code.file.module;
  const end = lineEnd(text, at.end);
  const assigned = /^\s*(?::[^=]*)?=\s*(.*)$/.exec(text.slice(at.end, end))?.[1] ?? '';
  return { at: { start: at.start, end }, name: first.name, value: assigned };
}

/** The argument of a constructor's call that is the value, where the call itself computes it: `Attention(scale=d_k ** -0.5)`. */
export function givenAt(code: CodeReading, value: Value | undefined): Range | undefined {
  const [first] = variablesOf(code, value);
  const { self, function: called } = first?.frame ?? {};
  const site =
    self?.kind === 'instance' && first?.isArgument === true && called?.defaults.get(first.name) !== value ? self.site : undefined;
  const definition = called?.definition;
  if (site === undefined || first === undefined || definition?.kind !== 'function' || definition.name.name !== '__init__') return undefined;
  const node = site.node as Expression;
  const place = definition.parameters.findIndex(({ name }) => name?.name === first.name) - 1;
  const given = (node.kind === 'call' ? node.arguments : []).find((argument, i) =>
    argument.kind === 'positional' ? i === place : argument.name?.name === first.name,
  );
  return rangeIn(code, { ...site, node: given?.value ?? node });
}

/** The last statement that gives the tensor, as it is, another name: `values = value`. */
export function aliasOf(code: CodeReading, tensor: TensorValue): { readonly at: Range; readonly name: string } | undefined {
  const { text } = code.file.module;
  const last = copiesOf(code, tensor)
    .filter(({ isArgument, site }) => !isArgument && site.file === code.file)
    .at(-1);
  const at = rangeIn(code, last?.site);
  if (last === undefined || at === undefined) return undefined;
  const line = text.slice(at.end, lineEnd(text, at.end));
  return /^\s*=\s*[A-Za-z_]\w*$/.test(line) ? { at: { start: at.start, end: at.end + line.length }, name: last.name } : undefined;
}

/** The same tensor, or the one that stands in its place where a call is taken over from an earlier run. */
export const isCopy = (left: TensorValue, right: TensorValue): boolean => left === right || sameMaking(left, right);

const sameMaking = (left: TensorValue, right: TensorValue): boolean =>
  left.op === right.op &&
  left.index === right.index &&
  (left.op === 'join' ? haveSameMaking(left.inputs, right.inputs) : sameCall(left, right));

const haveSameMaking = (some: readonly TensorValue[], others: readonly TensorValue[]): boolean =>
  some.length === others.length && some.every((each, i) => each.op !== 'join' && isCopy(each, others[i] as TensorValue));

const sameCall = (left: TensorValue, right: TensorValue): boolean =>
  placeOf(left) !== '' && placeOf(left) === placeOf(right) && left.trace?.site.node.start === right.trace?.site.node.start;

/** The parameter whose default the number is: no call gives another. */
export function defaultOf(code: CodeReading, value: Value): { readonly at: Range; readonly name: string } | undefined {
  if (value.kind !== 'int') return undefined;
  const given = variablesOf(code, value).find(
    ({ isArgument, name, frame, site }) => isArgument && site.file === code.file && frame.function?.defaults.get(name) === value,
  );
  const at = rangeIn(code, given?.site);
  return given === undefined || at === undefined ? undefined : { at, name: given.name };
}

/** The end of the line without a comment on it. */
export function lineEnd(text: string, from: number): number {
  const newline = text.indexOf('\n', from);
  const line = text.slice(from, newline < 0 ? text.length : newline);
  return from + line.replace(/\s+#[^'"]*$/, '').trimEnd().length;
}

/** One key per place in the code. */
export const placeAt = ({ file, unit, node }: Site): string => `${file.path}:${unit.start + node.start}:${unit.start + node.end}`;
export const placeOf = ({ site }: Pick<TensorValue, 'site'>): string => (site === undefined ? '' : placeAt(site));

/** Groups by place: code that is met in several classes, or in both branches of something, is judged as a whole. */
export function byPlace<Item>(items: readonly Item[], nodeOf: (item: Item) => Pick<TensorValue, 'site'>): readonly (readonly Item[])[] {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const key = placeOf(nodeOf(item));
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return [...groups.values()];
}
