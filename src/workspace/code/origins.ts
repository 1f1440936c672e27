/** Where the numbers stand of which findings about model code speak: in a configuration, a comment, a class of settings of another file. */
import { bindingsIn } from '../../annotations/bound.ts';
import { symbolOfKey } from '../../dims/dim.ts';
import type { CodeReading } from '../../interpreter/study.ts';
import type { SourceFile } from '../../interpreter/value.ts';
import type { Span, Statement } from '../../syntax/python/ast.ts';
import type { Finding, Related } from '../../text/finding.ts';
import type { Imports } from '../python.ts';
import { givenOf } from './given.ts';

/** More places than these explain nothing. */
const maximumOrigins = 3;

/** The findings with files named as the reader knows them, and each with the places of the numbers that it mentions. Linear in the messages. */
export function withOrigins(findings: readonly Finding[], code: CodeReading, imports: Imports | undefined): readonly Finding[] {
  if (findings.length === 0) return findings;
  const shown = imports?.shown ?? ((path: string): string => path);
  const origins = originsOf(code, imports, shown);
  return findings.map((finding) => {
    const own = finding.related.map((related) =>
      related.file === undefined ? related : { ...related, file: { ...related.file, uri: shown(related.file.uri) } },
    );
    const said = [finding.message, ...own.map(({ message }) => message)].join(' ');
    const found = new Map<string, Related>();
    for (const [word] of said.matchAll(/[A-Za-z_][\w.]*/g)) {
      if (found.size === maximumOrigins) break;
      const origin = origins.get(word.slice(word.lastIndexOf('.') + 1));
      if (origin !== undefined) found.set(`${origin.file?.uri} ${origin.range.start}`, origin);
    }
    return { ...finding, related: [...own, ...found.values()] };
  });
}

/** By the last part of a name; one that stands for several numbers is left out. */
function originsOf(code: CodeReading, imports: Imports | undefined, shown: (path: string) => string): ReadonlyMap<string, Related> {
  const origins = new Map<string, Related | undefined>();
  const add = (path: string, origin: Related | undefined): void => {
    if (origin === undefined) return;
    const name = path.slice(path.lastIndexOf('.') + 1);
    const known = origins.get(name);
    if (!origins.has(name)) origins.set(name, origin);
    else if (known?.range.start !== origin.range.start || known.file?.uri !== origin.file?.uri) origins.set(name, undefined);
  };
  const given = givenOf(code);
  const comments = given === undefined ? [] : bindingsIn(code.file.module).bindings;
  const isGiven = new Set<string>();
  for (const [path, { name, value, range, file }] of given?.used() ?? []) {
    isGiven.add(path);
    const message = `${name} is ${value} here.`;
    if (file !== undefined) add(path, { range, message, file });
    else {
      // The file may have been edited since the numbers were read.
      const now = comments.find((each) => each.name === name && each.value === value);
      add(path, now === undefined ? undefined : { range: now.range, message });
    }
  }
  for (const [key, value] of code.defaults) {
    const { name, scope } = symbolOfKey(key);
    if (isGiven.has(name) || !name.includes('.')) continue;
    const field = name.slice(name.lastIndexOf('.') + 1);
    const place = fieldOf(code, imports, scope, field);
    if (place !== undefined) {
      const { file, at } = place;
      add(name, { range: at, message: `${field} is ${value} by default.`, file: { uri: shown(file.path), text: file.module.text } });
    }
  }
  const found = new Map<string, Related>();
  for (const [name, origin] of origins) if (origin !== undefined) found.set(name, origin);
  return found;
}

/** Where a class of another file says what a field of it is. */
function fieldOf(
  code: CodeReading,
  imports: Imports | undefined,
  of: string,
  field: string,
): { readonly file: SourceFile; readonly at: Span } | undefined {
  const dot = of.lastIndexOf('.');
  const module = of.slice(0, Math.max(0, dot));
  const file = module === '' || module === code.file.name ? undefined : imports?.loader.load(module);
  const unit = file?.module.units.find(
    ({ body: { statement } }) => statement.kind === 'class' && statement.name.name === of.slice(dot + 1),
  );
  if (file === undefined || unit === undefined) return undefined;
  const { statement } = unit.body;
  const node = statement.kind === 'class' ? declarationIn(statement.body, field) : undefined;
  return node === undefined ? undefined : { file, at: { start: unit.start + node.start, end: unit.start + node.end } };
}

/** `hidden_size: int = 4096` in the body of a class, or the parameter of its constructor. */
function declarationIn(body: readonly Statement[], field: string): Span | undefined {
  for (const statement of body) {
    if (statement.kind === 'annotatedAssign' && statement.target.kind === 'name' && statement.target.name === field) return statement;
    if (statement.kind === 'assign' && statement.targets.some((target) => target.kind === 'name' && target.name === field))
      return statement;
    if (statement.kind !== 'function' || statement.name.name !== '__init__') continue;
    const parameter = statement.parameters.find(({ name }) => name?.name === field);
    if (parameter?.name !== undefined) return { start: parameter.name.start, end: parameter.default?.end ?? parameter.name.end };
  }
  return undefined;
}
