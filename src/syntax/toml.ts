import { type AST, ParseError, parseTOML } from 'toml-eslint-parser';
import { type Range, range } from '../text/range.ts';
import type { Comment, ConfigNode, EntryNode, ParsedConfig, ScalarNode } from './node.ts';
import { lineEnd, maximumDepth, maximumProblems, Problems } from './problems.ts';

/** A table or array of tables while it grows. */
interface Table {
  readonly kind: 'table';
  readonly entries: Slot[];
  readonly byKey: Map<string, Slot>;
  start: number;
  end: number;
  /** Levels below the root. */
  readonly depth: number;
}

interface TableArray {
  readonly kind: 'tables';
  readonly tables: Table[];
}

interface Slot {
  readonly key: string;
  readonly keyRange: Range;
  readonly start: number;
  end: number;
  readonly value: Table | TableArray | ConfigNode | undefined;
}

/**
 * Reads TOML. The library throws at the first error; then each statement is parsed by itself, so that what is wrong
 * costs its own statement only. Tables become nested mappings; a table's range runs from its first header to its last
 * value, so tables written in turns overlap. O(length).
 */
export function parseToml(text: string): ParsedConfig {
  const problems = new Problems();
  const comments: Comment[] = [];
  const bom = text.charCodeAt(0) === 0xfeff ? 1 : 0;
  const whole = splitStatements(text, bom);
  const builder = new TomlBuilder(text);
  const valid = whole.tooDeep ? undefined : parse(text.slice(bom));
  if (valid !== undefined && !(valid instanceof ParseError)) {
    for (const node of valid.body[0].body) {
      if (node.type === 'TOMLTable') {
        builder.header(node, bom);
        for (const line of node.body) builder.keyValue(line, bom);
      } else builder.keyValue(node, bom);
    }
    takeComments(valid, bom, comments);
  } else readStatements(text, whole.statements, builder, problems, comments);
  return { format: 'toml', text, root: builder.finish(), problems: problems.sorted(), comments };
}

function takeComments(program: AST.TOMLProgram, base: number, comments: Comment[]): void {
  for (const { range: at, value } of program.comments) comments.push({ range: range(at[0] + base, at[1] + base), text: value });
}

/** The library's tree or its error; any other failure (its recursion) counts as an error at the start. */
function parse(source: string): AST.TOMLProgram | ParseError | undefined {
  try {
    return parseTOML(source);
  } catch (error) {
    return error instanceof ParseError ? error : undefined;
  }
}

function readStatements(
  text: string,
  statements: readonly Statement[],
  builder: TomlBuilder,
  problems: Problems,
  comments: Comment[],
): void {
  const seen = new Set<string>();
  let table = '';
  for (const { start, end, deep } of statements) {
    // Errors are the library's slow path, and a text with so many of them is no TOML.
    if (problems.count >= maximumProblems) break;
    const source = text.slice(start, end);
    if (deep) {
      problems.add(start, lineEnd(text, start), `Nested deeper than ${maximumDepth} levels; this is not read.`);
      continue;
    }
    const parsed = parse(source);
    if (parsed !== undefined && !(parsed instanceof ParseError)) {
      takeComments(parsed, start, comments);
      for (const node of parsed.body[0].body) {
        if (node.type === 'TOMLTable') {
          const name = JSON.stringify(names(node.key));
          table = node.kind === 'array' ? `${start} ${name}` : name;
          if (node.kind === 'standard' && seen.has(name)) {
            problems.add(start + node.key.range[0], start + node.key.range[1], 'This table is defined twice.');
          }
          seen.add(name);
          builder.header(node, start);
        } else {
          const name = `${table} ${JSON.stringify(names(node.key))}`;
          if (seen.has(name)) problems.add(start + node.key.range[0], start + node.key.range[1], 'This key is defined twice.');
          seen.add(name);
          builder.keyValue(node, start);
        }
      }
      continue;
    }
    // The library often notices an error only on the line after it; what is wrong is in this statement.
    const stop = start + source.trimEnd().length;
    const at = parsed === undefined ? start : Math.min(start + parsed.index, Math.max(start, stop - 1));
    problems.add(at, Math.max(at, lineEnd(text, at)), parsed === undefined ? 'This cannot be read.' : sentence(parsed.message));
    const key = /^[ \t]*(?:([\w-]+)|"([^"\\\r\n]*)"|'([^'\r\n]*)')[ \t]*=/.exec(source);
    if (key !== null) {
      const name = key[1] ?? key[2] ?? key[3] ?? '';
      const from = start + source.indexOf(name);
      builder.keyOnly(name, range(from, from + name.length));
    } else if (/^[ \t]*\[/.test(source)) {
      // What follows a header that cannot be read belongs to no table that is known.
      const repaired = parse(`${source.slice(0, lineEnd(source, 0)).replace(/[\s\]#]*$/, '')}${/^[ \t]*\[\[/.test(source) ? ']]' : ']'}`);
      const node = repaired === undefined || repaired instanceof ParseError ? undefined : repaired.body[0].body[0];
      if (node?.type === 'TOMLTable') builder.header(node, start);
      else builder.lose();
      table = `${start}`;
    }
  }
}

const sentence = (message: string): string => (message.endsWith('.') ? message : `${message}.`);

const names = (key: AST.TOMLKey): readonly string[] => key.keys.map((part) => (part.type === 'TOMLBare' ? part.name : part.value));

class TomlBuilder {
  readonly #text: string;
  readonly #root: Table;
  #current: Table;

  constructor(text: string, depth = 0) {
    this.#text = text;
    this.#root = newTable(0, text.length, depth);
    this.#current = this.#root;
  }

  finish(): ConfigNode {
    return freezeTable(this.#root, this.#text.length);
  }

  /** Entries up to the next header go nowhere. */
  lose(): void {
    this.#current = newTable(0, 0, 0);
  }

  header(node: AST.TOMLTable, base: number): void {
    const start = base + node.range[0];
    const end = Math.min(this.#text.length, base + node.key.range[1] + (node.kind === 'array' ? 2 : 1));
    this.#current = this.#descend(this.#root, node.key.keys, base, start, end, node.kind === 'array');
  }

  keyValue(node: AST.TOMLKeyValue, base: number): void {
    const keys = node.key.keys;
    const last = keys.at(-1);
    if (last === undefined) return;
    const start = base + node.range[0];
    const end = base + node.range[1];
    const owner = this.#descend(this.#current, keys.slice(0, -1), base, start, end, false);
    const keyRange = innerRange(last, base);
    push(owner, { key: nameOf(last), keyRange, start: base + last.range[0], end, value: this.#value(node.value, base, owner.depth + 1) });
    this.#stretch(this.#current, start, end);
  }

  keyOnly(key: string, keyRange: Range): void {
    push(this.#current, { key, keyRange, start: keyRange.start, end: keyRange.end, value: undefined });
    this.#stretch(this.#current, keyRange.start, keyRange.end);
  }

  /** The table at a path below `from`, made where it is missing. Where a value is in the way, a table of its own. */
  #descend(
    from: Table,
    keys: readonly (AST.TOMLBare | AST.TOMLQuoted)[],
    base: number,
    start: number,
    end: number,
    asArray: boolean,
  ): Table {
    let table = from;
    keys.forEach((part, index) => {
      // Too deep to be walked: the rest stays out of the tree.
      if (table.depth >= maximumDepth) table = newTable(start, end, 0);
      const key = nameOf(part);
      const known = table.byKey.get(key)?.value;
      const isLast = index === keys.length - 1;
      this.#stretch(table, start, end);
      if (known?.kind === 'table' && !(asArray && isLast)) table = known;
      else if (known?.kind === 'tables') {
        const newest = known.tables.at(-1);
        if (asArray && isLast) {
          table = newTable(start, end, table.depth + 1);
          known.tables.push(table);
        } else table = newest ?? table;
      } else {
        const next = newTable(start, end, table.depth + 1);
        // A header's entry begins at its bracket only where the key is the header's own.
        const slotStart = index === 0 ? start : base + part.range[0];
        const value: Table | TableArray = asArray && isLast ? { kind: 'tables', tables: [next] } : next;
        push(table, { key, keyRange: innerRange(part, base), start: slotStart, end, value });
        table = next;
      }
    });
    this.#stretch(table, start, end);
    return table;
  }

  #stretch(table: Table, start: number, end: number): void {
    table.start = Math.min(table.start, start);
    table.end = Math.max(table.end, end);
  }

  #value(node: AST.TOMLContentNode, base: number, depth: number): ConfigNode {
    const at = range(base + node.range[0], base + node.range[1]);
    if (node.type === 'TOMLArray') {
      return {
        kind: 'sequence',
        range: at,
        items: depth > maximumDepth ? [] : node.elements.map((item) => this.#value(item, base, depth + 1)),
      };
    }
    if (node.type === 'TOMLInlineTable') {
      const inner = new TomlBuilder(this.#text, depth);
      inner.#root.start = at.start;
      inner.#root.end = at.end;
      if (depth <= maximumDepth) for (const line of node.body) inner.#inline(line, base);
      return { ...freezeTable(inner.#root, at.end), range: at };
    }
    return tomlScalar(node, at, this.#text.slice(at.start, at.end));
  }

  #inline(node: AST.TOMLKeyValue, base: number): void {
    const last = node.key.keys.at(-1);
    if (last === undefined) return;
    const end = base + node.range[1];
    const owner = this.#descend(this.#root, node.key.keys.slice(0, -1), base, base + node.range[0], end, false);
    push(owner, {
      key: nameOf(last),
      keyRange: innerRange(last, base),
      start: base + last.range[0],
      end,
      value: this.#value(node.value, base, owner.depth + 1),
    });
  }
}

function tomlScalar(node: AST.TOMLValue, at: Range, raw: string): ScalarNode {
  const value = node.value instanceof Date ? raw : node.value;
  return { kind: 'scalar', range: at, value, raw, quoted: node.kind === 'string' };
}

const newTable = (start: number, end: number, depth: number): Table => ({
  kind: 'table',
  entries: [],
  byKey: new Map(),
  start,
  end,
  depth,
});

function push(table: Table, slot: Slot): void {
  table.entries.push(slot);
  table.byKey.set(slot.key, slot);
}

const nameOf = (key: AST.TOMLBare | AST.TOMLQuoted): string => (key.type === 'TOMLBare' ? key.name : key.value);

/** Quotes excluded. */
function innerRange(key: AST.TOMLBare | AST.TOMLQuoted, base: number): Range {
  const quote = key.type === 'TOMLBare' ? 0 : 1;
  return range(base + key.range[0] + quote, base + key.range[1] - quote);
}

/** Recursion is bounded by the depth of dotted keys and headers, which `splitStatements` limits. */
function freezeTable(table: Table, limit: number): ConfigNode {
  const entries = table.entries.map((slot): EntryNode => {
    const value = slot.value;
    if (value?.kind === 'table') return entryOfSlot(slot, freezeTable(value, limit));
    if (value?.kind === 'tables') {
      const items = value.tables.map((item) => freezeTable(item, limit));
      const end = Math.max(...[slot.end, items.at(-1)?.range.end ?? 0]);
      return entryOfSlot(slot, { kind: 'sequence', range: range(items[0]?.range.start ?? slot.start, end), items });
    }
    return entryOfSlot(slot, value);
  });
  // A table below this one may go on after its own last line.
  let { start, end } = table;
  for (const entry of entries) {
    start = Math.min(start, entry.range.start);
    end = Math.max(end, entry.range.end);
  }
  return { kind: 'mapping', range: range(start, Math.min(limit, end)), entries };
}

const entryOfSlot = ({ key, keyRange, start, end }: Slot, value: ConfigNode | undefined): EntryNode => ({
  key,
  keyRange,
  range: range(Math.min(start, value?.range.start ?? start), Math.max(end, value?.range.end ?? end)),
  value,
});

interface Statement {
  readonly start: number;
  readonly end: number;
  readonly deep: boolean;
}

/** A line that begins a statement even where a bracket above it is still open. */
const beginsStatement =
  /^[ \t]*(?:(?:[\w-]+|"[^"\r\n]*"|'[^'\r\n]*')(?:[ \t]*\.[ \t]*[\w"'-]+)*[ \t]*=|\[\[?[ \t]*[A-Za-z_][\w. "'-]*\]\]?[ \t]*(?:#.*)?$)/;

/** Cuts the text into key-value lines, headers and comments; values run on while their brackets or strings are open. */
function splitStatements(text: string, from: number): { readonly statements: readonly Statement[]; readonly tooDeep: boolean } {
  const statements: Statement[] = [];
  let tooDeep = false;
  let at = from;
  while (at < text.length) {
    const start = at;
    const brackets: number[] = [];
    let dots = 0;
    let inKey = true;
    let deep = false;
    while (at < text.length) {
      const code = text.charCodeAt(at);
      if (code === 10) {
        at++;
        if (brackets.length === 0 || (!brackets.includes(123) && beginsStatement.test(text.slice(at, lineEnd(text, at))))) break;
        continue;
      }
      if (code === 35) at = lineEnd(text, at);
      else if (code === 34 || code === 39) at = stringEnd(text, at, code);
      else {
        if (code === 91 || code === 123) brackets.push(code);
        else if (code === 93 || code === 125) brackets.pop();
        else if (code === 46 && inKey) dots++;
        else if (code === 61) inKey = false;
        if (brackets.length > maximumDepth / 2) {
          deep = true;
          brackets.pop();
        }
        at++;
      }
    }
    // Dotted keys nest too.
    if (dots > maximumDepth / 2) deep = true;
    tooDeep ||= deep;
    statements.push({ start, end: at, deep });
  }
  return { statements, tooDeep };
}

/** Past the closing quote; single-line strings end with their line at the latest. */
function stringEnd(text: string, from: number, quote: number): number {
  const mark = quote === 34 ? '"' : "'";
  if (text.startsWith(mark.repeat(3), from)) {
    for (let i = from + 3; i < text.length; i++) {
      if (quote === 34 && text.charCodeAt(i) === 92) i++;
      else if (text.startsWith(mark.repeat(3), i)) {
        while (text.charAt(i + 3) === mark) i++;
        return i + 3;
      }
    }
    return text.length;
  }
  for (let i = from + 1; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 10 || code === 13) return i;
    if (code === 92 && quote === 34) i++;
    else if (code === quote) return i + 1;
  }
  return text.length;
}
