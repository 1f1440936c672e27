import { type Range, range } from '../text/range.ts';
import { Expansion, unresolvedScalar } from './expansion.ts';
import type { Comment, ConfigNode, EntryNode, ParsedConfig, ScalarNode, ScalarValue } from './node.ts';
import { lineEnd, maximumDepth, Problems } from './problems.ts';

/** Macros that may stand for one another before the last is a value. */
const hopLimit = 50;

interface Binding {
  readonly key: string;
  readonly keyRange: Range;
  readonly start: number;
  readonly value: ConfigNode | undefined;
}

/**
 * Reads gin: `scope/module.Class.param = value`, the block form `module.Class:` with indented parameters, macros
 * (`NAME = 3`, `%NAME`) and references (`@name()`, unresolved). One entry per selector holds its parameters; macros are
 * entries of the root. A selector bound in several places has one entry from the first to the last. O(length).
 */
export function parseGin(text: string): ParsedConfig {
  return new GinReader(text).read();
}

const selector = /[A-Za-z_][\w./-]*/y;

class GinReader {
  readonly #text: string;
  readonly #problems = new Problems();
  readonly #comments: Comment[] = [];
  readonly #macros: Binding[] = [];
  readonly #selectors = new Map<string, { readonly keyRange: Range; readonly start: number; end: number; readonly bindings: Binding[] }>();
  /** Selectors and macros in order of their first appearance. */
  readonly #order: (string | Binding)[] = [];
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(): ParsedConfig {
    const text = this.#text;
    if (text.charCodeAt(0) === 0xfeff) this.#at = 1;
    let block: { readonly name: string; readonly keyRange: Range } | undefined;
    while (this.#at < text.length) {
      const lineBegin = this.#at;
      this.#blanks();
      const start = this.#at;
      const code = text.charCodeAt(start);
      if (start >= text.length) break;
      if (code === 10 || code === 13) {
        this.#at++;
        continue;
      }
      if (code === 35) {
        this.#comment();
        continue;
      }
      const indented = start > lineBegin;
      if (!indented) block = undefined;
      const name = this.#selector();
      if (name === undefined) this.#skipLine('Expected a parameter, a macro or a statement of gin.');
      else if ((name.name === 'include' || name.name === 'import' || name.name === 'from') && !this.#sees(/[ \t]*[=:]/y)) {
        this.#endOfLine(lineEnd(text, this.#at));
      } else if (this.#sees(/[ \t]*:[ \t]*(?=#|\r?\n|$)/y)) {
        this.#at = text.indexOf(':', this.#at) + 1;
        block = { name: name.name, keyRange: name.at };
        this.#group(block.name, block.keyRange);
      } else this.#binding(name, block);
    }
    return { format: 'gin', text, root: this.#root(), problems: this.#problems.sorted(), comments: this.#comments };
  }

  #binding(
    name: { readonly name: string; readonly at: Range },
    block: { readonly name: string; readonly keyRange: Range } | undefined,
  ): void {
    let value: ConfigNode | undefined;
    this.#blanks();
    if (this.#text.charCodeAt(this.#at) !== 61) {
      this.#problems.add(name.at.start, lineEnd(this.#text, this.#at), 'Expected `=` and a value after this name.');
      this.#at = lineEnd(this.#text, this.#at);
    } else {
      this.#at++;
      // The value may stand on the next, indented line.
      this.#sees(/[ \t]*(?:\\?\r?\n[ \t]+)?(?=[^\s#])/y, true);
      value = this.#value(1, false);
      if (value === undefined) this.#problems.add(name.at.start, name.at.end, 'Expected a value.');
      const stop = this.#at;
      this.#blanks();
      if (this.#at < this.#text.length && !/[#\r\n]/.test(this.#text.charAt(this.#at)) && !this.#atNewStatement()) {
        this.#at = stop;
        this.#skipLine(value === undefined ? undefined : 'Text after the end of the value.');
      }
    }
    if (block !== undefined) {
      this.#add(block.name, block.keyRange, { key: name.name, keyRange: name.at, start: name.at.start, value });
      return;
    }
    const dot = name.name.lastIndexOf('.');
    if (dot < 0) {
      const macro: Binding = { key: name.name, keyRange: name.at, start: name.at.start, value };
      this.#macros.push(macro);
      this.#order.push(macro);
      return;
    }
    const keyRange = range(name.at.start + dot + 1, name.at.end);
    const owner = range(name.at.start, name.at.start + dot);
    this.#add(name.name.slice(0, dot), owner, { key: name.name.slice(dot + 1), keyRange, start: keyRange.start, value });
  }

  #group(name: string, keyRange: Range): { end: number; readonly bindings: Binding[] } {
    let group = this.#selectors.get(name);
    if (group === undefined) {
      group = { keyRange, start: keyRange.start, end: keyRange.end, bindings: [] };
      this.#selectors.set(name, group);
      this.#order.push(name);
    }
    return group;
  }

  #add(name: string, keyRange: Range, binding: Binding): void {
    const group = this.#group(name, keyRange);
    group.bindings.push(binding);
    group.end = Math.max(group.end, binding.value?.range.end ?? binding.keyRange.end);
  }

  #root(): ConfigNode {
    const resolve = new MacroResolver(this.#macros);
    const entries = this.#order.map((item): EntryNode => {
      if (typeof item !== 'string') return toEntry(item, resolve.node(item.value, 1));
      const group = this.#selectors.get(item);
      if (group === undefined) throw new Error('selector without its group');
      const inner = group.bindings.map((binding) => toEntry(binding, resolve.node(binding.value, 2)));
      const at = range(group.start, group.end);
      return { key: item, keyRange: group.keyRange, range: at, value: { kind: 'mapping', range: at, entries: inner } };
    });
    return { kind: 'mapping', range: range(0, this.#text.length), entries };
  }

  #value(depth: number, nested: boolean): ConfigNode | undefined {
    if (nested) this.#space();
    const text = this.#text;
    const start = this.#at;
    const char = text.charAt(start);
    if (char === '[' || char === '(') return this.#sequence(char === '[' ? ']' : ')', depth);
    if (char === '{') return this.#dictionary(depth);
    if (char === '"' || char === "'") return this.#string();
    const stop = nested ? /[^,()\]}:#\s]*(?:\(\s*\))?/y : /[^#\s]*(?:\(\s*\))?/y;
    stop.lastIndex = start;
    const raw = stop.exec(text)?.[0] ?? '';
    if (raw === '') return undefined;
    this.#at = start + raw.length;
    const at = range(start, this.#at);
    if (raw.startsWith('%') || raw.startsWith('@')) return unresolvedScalar(at, raw);
    const value = pythonValue(raw);
    if (value === undefined) return unresolvedScalar(at, raw);
    return { kind: 'scalar', range: at, value, raw, quoted: false };
  }

  #sequence(closing: string, depth: number): ConfigNode | undefined {
    const start = this.#at++;
    if (depth > maximumDepth) return this.#tooDeep(start);
    const items: ConfigNode[] = [];
    let commas = 0;
    for (;;) {
      this.#space();
      const char = this.#text.charAt(this.#at);
      if (char === closing) {
        this.#at++;
        break;
      }
      if (char === ',') {
        commas++;
        this.#at++;
        continue;
      }
      const item = this.#atNewStatement() ? undefined : this.#value(depth + 1, true);
      if (item === undefined) {
        this.#problems.add(start, start + 1, `This is not closed by \`${closing}\`.`);
        break;
      }
      items.push(item);
    }
    const [only] = items;
    // Parentheses around one value only group it.
    if (closing === ')' && items.length === 1 && commas === 0 && only !== undefined) return only;
    return { kind: 'sequence', range: range(start, this.#at), items };
  }

  #dictionary(depth: number): ConfigNode | undefined {
    const start = this.#at++;
    if (depth > maximumDepth) return this.#tooDeep(start);
    const entries: EntryNode[] = [];
    for (;;) {
      this.#space();
      const char = this.#text.charAt(this.#at);
      if (char === '}') {
        this.#at++;
        break;
      }
      if (char === ',') {
        this.#at++;
        continue;
      }
      const key = this.#atNewStatement() ? undefined : this.#value(depth + 1, true);
      if (key === undefined) {
        this.#problems.add(start, start + 1, 'This is not closed by `}`.');
        break;
      }
      this.#space();
      let value: ConfigNode | undefined;
      if (this.#text.charAt(this.#at) === ':') {
        this.#at++;
        value = this.#value(depth + 1, true);
      }
      if (value === undefined) this.#problems.add(key.range.start, key.range.end, 'Expected a value.');
      const quote = key.kind === 'scalar' && key.quoted && key.range.end - key.range.start > 1 ? 1 : 0;
      entries.push({
        key: key.kind === 'scalar' ? String(key.value) : this.#text.slice(key.range.start, key.range.end),
        keyRange: range(key.range.start + quote, key.range.end - quote),
        range: range(key.range.start, value?.range.end ?? key.range.end),
        value,
      });
    }
    return { kind: 'mapping', range: range(start, this.#at), entries };
  }

  #tooDeep(start: number): undefined {
    this.#problems.add(start, start + 1, `Nested deeper than ${maximumDepth} levels; what follows is not read.`);
    this.#at = this.#text.length;
    return undefined;
  }

  #string(): ScalarNode {
    const start = this.#at;
    const text = this.#text;
    const quote = text.charAt(start);
    const mark = text.startsWith(quote.repeat(3), start) ? quote.repeat(3) : quote;
    let i = start + mark.length;
    let closed = false;
    for (; i < text.length; i++) {
      if (text.charAt(i) === '\\') i++;
      else if (text.startsWith(mark, i)) {
        closed = true;
        break;
      } else if (mark.length === 1 && /[\r\n]/.test(text.charAt(i))) break;
    }
    const inner = text.slice(start + mark.length, Math.min(i, text.length));
    this.#at = Math.min(text.length, closed ? i + mark.length : i);
    if (!closed) this.#problems.add(start, lineEnd(text, start), 'The string is not closed.');
    const value = inner.replace(/\\(\r?\n|[\\'"nt])/g, (_, char: string) => (char === 'n' ? '\n' : char === 't' ? '\t' : char.trim()));
    return { kind: 'scalar', range: range(start, this.#at), value, raw: text.slice(start, this.#at), quoted: true };
  }

  /** Inside an open bracket: a line at the margin that binds a name ends what was left open above it. */
  #atNewStatement(): boolean {
    const before = this.#at === 0 ? '\n' : this.#text.charAt(this.#at - 1);
    if (before !== '\n') return false;
    const statement = /[A-Za-z_][\w./-]*[ \t]*(?:=|:[ \t]*\r?$)/my;
    statement.lastIndex = this.#at;
    return statement.test(this.#text);
  }

  #selector(): { readonly name: string; readonly at: Range } | undefined {
    selector.lastIndex = this.#at;
    const name = selector.exec(this.#text)?.[0];
    if (name === undefined) return undefined;
    const at = range(this.#at, this.#at + name.length);
    this.#at = at.end;
    return { name, at };
  }

  #sees(pattern: RegExp, take = false): boolean {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match !== null && take) this.#at += match[0].length;
    return match !== null;
  }

  #blanks(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 32 && code !== 9) return;
      this.#at++;
    }
  }

  /** White space, line breaks, continuations and comments. */
  #space(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === 35) this.#comment();
      else if (code === 32 || code === 9 || code === 10 || code === 13 || code === 92) this.#at++;
      else return;
    }
  }

  #comment(): void {
    const end = lineEnd(this.#text, this.#at);
    this.#comments.push({ range: range(this.#at, end), text: this.#text.slice(this.#at + 1, end) });
    this.#at = end;
  }

  #endOfLine(end: number): void {
    const hash = this.#text.slice(this.#at, end).search(/\s#/);
    this.#at = hash < 0 ? end : this.#at + hash + 1;
    if (hash >= 0) this.#comment();
  }

  #skipLine(message: string | undefined): void {
    const end = lineEnd(this.#text, this.#at);
    const start = this.#at;
    this.#endOfLine(end);
    if (message !== undefined) this.#problems.add(start, Math.max(start, Math.min(this.#at, end)), message);
  }
}

const toEntry = (binding: Binding, value: ConfigNode | undefined): EntryNode => ({
  key: binding.key,
  keyRange: binding.keyRange,
  range: range(binding.start, value?.range.end ?? binding.keyRange.end),
  value,
});

/** Python literal of one word; undefined for any other expression. */
function pythonValue(raw: string): ScalarValue | undefined {
  switch (raw) {
    case 'True':
      return true;
    case 'False':
      return false;
    case 'None':
      return null;
  }
  if (/^[-+]?(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][-+]?\d+)?$/.test(raw) || /^0[xX][\da-fA-F_]+$/.test(raw)) {
    return Number(raw.replaceAll('_', ''));
  }
  return undefined;
}

class MacroResolver {
  /** gin looks a macro up when it is used, so the last binding of a name holds everywhere. */
  readonly #macros: ReadonlyMap<string, ConfigNode | undefined>;
  readonly #expansion = new Expansion();

  constructor(macros: readonly Binding[]) {
    this.#macros = new Map(macros.map((macro) => [macro.key, macro.value]));
  }

  node(node: ConfigNode | undefined, depth: number, hops = 0): ConfigNode | undefined {
    if (node === undefined) return undefined;
    if (node.kind === 'mapping') {
      return { ...node, entries: node.entries.map((entry) => ({ ...entry, value: this.node(entry.value, depth + 1, hops) })) };
    }
    if (node.kind === 'sequence') return { ...node, items: node.items.map((item) => this.node(item, depth + 1, hops) ?? item) };
    if (!node.unresolved || !node.raw.startsWith('%') || hops > hopLimit) return node;
    const target = this.#macros.get(node.raw.slice(1));
    // A container that holds a macro in turn is placed as written; a chain of scalars is followed to its end.
    const end = target?.kind === 'scalar' ? this.node(target, depth, hops + 1) : target;
    if (end === undefined || (end.kind === 'scalar' && end.unresolved)) return node;
    return this.#expansion.place(end, node.range, node.raw, depth);
  }
}
