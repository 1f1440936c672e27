import { type Range, range } from '../text/range.ts';
import { Expansion } from './expansion.ts';
import { parseJson } from './json.ts';
import type { Comment, ConfigNode, EntryNode } from './node.ts';
import { lineEnd } from './problems.ts';
import { plainScalarValue } from './yamlScalar.ts';

/** What a config needs of YAML nests far less; beyond it the full reader decides. */
const depthLimit = 50;

export interface PlainYaml {
  readonly root: ConfigNode;
  /** What aliases took of the file's budget. */
  readonly expansion: Expansion;
  readonly comments: readonly Comment[];
}

/**
 * Reads the YAML that nearly all configs are written in, some ten times as fast as the full reader: block mappings and
 * sequences of one-line scalars and lists, or one JSON object with `#` comments. Undefined for everything else, valid or
 * not; where it answers, it answers exactly as the full reader does (a test holds this). O(length).
 */
export function readPlainYaml(text: string): PlainYaml | undefined {
  if (/[\t\r\uFEFF\u0085\u2028\u2029]/.test(text)) return undefined;
  return beginsWithBrace(text) ? readJsonObject(text) : new PlainReader(text).read();
}

/** True where `{` is the first thing but for white space and `#` comments. */
export function beginsWithBrace(text: string): boolean {
  const space = /[\s\uFEFF]*/y;
  for (let at = 0; at < text.length; ) {
    space.lastIndex = at;
    at += space.exec(text)?.[0].length ?? 0;
    if (text.charCodeAt(at) !== 35) return text.charCodeAt(at) === 123;
    at = lineEnd(text, at);
  }
  return false;
}

/** JSON is YAML where it has no `//` comment and no literal of Python. */
function readJsonObject(text: string): PlainYaml | undefined {
  const comments: Comment[] = [];
  let blanked = '';
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 34) {
      for (i++; i < text.length && text.charCodeAt(i) !== 34; i++) {
        // Escapes differ in corners, and YAML folds lines inside quotes.
        if (text.charCodeAt(i) === 92 || text.charCodeAt(i) === 10) return undefined;
      }
    } else if (code === 35) {
      if (i > 0 && !/\s/.test(text.charAt(i - 1))) return undefined;
      const newline = text.indexOf('\n', i);
      const end = newline < 0 ? text.length : newline;
      comments.push({ range: range(i, end), text: text.slice(i + 1, end) });
      blanked += text.slice(from, i) + ' '.repeat(end - i);
      from = end;
      i = end - 1;
    }
  }
  blanked += text.slice(from);
  const json = parseJson(blanked);
  if (json.root === undefined || json.problems.length > 0 || json.comments.length > 0 || /NaN|Infinity/.test(text)) return undefined;
  // YAML wants a space after the colon of an unquoted key only, but a key and its colon on one line.
  if (/"\s*\n\s*:/.test(blanked)) return undefined;
  return { root: json.root, comments, expansion: new Expansion() };
}

/** Thrown nowhere: a reader that meets what it does not know sets this and unwinds. */
const giveUp = Symbol('not plain');
type Read<T> = T | typeof giveUp;

const keyPattern = /(?:((?:[A-Za-z0-9_]|<(?!<))(?:[\w./<>@-]| (?=[\w<]))*)|"([^"\\\n]+)"|'([^'\n]+)'):(?=[ \n]|$)/y;
/** First characters that begin nothing but a plain scalar; what follows runs to a comment or the end of the line. */
const plainPattern = /(?:[A-Za-z0-9_./~$+(<^;]|[-?][^\s])[^\n]*/y;
const anchorPattern = /&([\w-]+)(?=[ \n])/y;
const aliasPattern = /\*[\w-]+(?= *(?:\n|$))/y;
const quotedPattern = /"[^"\\\n]*"|'[^'\n]*'(?!')/y;
const itemPattern = /("[^"\\\n]*"|'[^'\n]*'(?!'))|((?:[A-Za-z0-9_./~+]|-[\w.])(?:[^,[\]{}"'#:&*!?|>%@`\s]| +(?![ ,\]]))*)/y;

class PlainReader {
  readonly #text: string;
  readonly #comments: Comment[] = [];
  readonly #expansion = new Expansion();
  readonly #anchors = new Map<string, ConfigNode>();
  /** Content of the current line and its column; `#end` after the last line. */
  #at = 0;
  #column = 0;
  #end = false;

  constructor(text: string) {
    this.#text = text;
  }

  read(): PlainYaml | undefined {
    this.#skipBlank(0);
    if (!this.#end && this.#column === 0 && /---[ ]*(?:\n|$)/y.test(this.#text.slice(this.#at, this.#at + 5))) this.#nextLine(this.#at + 3);
    if (this.#end || this.#column !== 0) return undefined;
    const root = this.#block(0, 0);
    return root === giveUp || !this.#end ? undefined : { root, comments: this.#comments, expansion: this.#expansion };
  }

  /** To the first content at or after `from`, the beginning of a line; takes the comments on the way. */
  #skipBlank(from: number): void {
    const text = this.#text;
    let start = from;
    while (start < text.length) {
      let at = start;
      while (text.charCodeAt(at) === 32) at++;
      const code = text.charCodeAt(at);
      if (code === 10) start = at + 1;
      else if (code === 35) start = this.#comment(at) + 1;
      else if (at < text.length) {
        this.#at = at;
        this.#column = at - start;
        return;
      } else break;
    }
    this.#at = text.length;
    this.#end = true;
  }

  #comment(at: number): number {
    const newline = this.#text.indexOf('\n', at);
    const end = newline < 0 ? this.#text.length : newline;
    this.#comments.push({ range: range(at, end), text: this.#text.slice(at + 1, end) });
    return end;
  }

  /** From the end of a value to the next content; false when something else stands on the line. */
  #nextLine(from: number): boolean {
    let at = from;
    while (this.#text.charCodeAt(at) === 32) at++;
    const code = this.#text.charCodeAt(at);
    if (code === 35 && at > from) at = this.#comment(at);
    else if (code !== 10 && at < this.#text.length) return false;
    this.#skipBlank(at + 1);
    return true;
  }

  #isDash(): boolean {
    if (this.#text.charCodeAt(this.#at) !== 45) return false;
    const next = this.#text.charCodeAt(this.#at + 1);
    return next === 32 || next === 10 || this.#at + 1 >= this.#text.length;
  }

  #block(column: number, depth: number): Read<ConfigNode> {
    if (depth > depthLimit) return giveUp;
    return this.#isDash() ? this.#sequence(column, depth) : this.#mapping(column, depth);
  }

  #mapping(column: number, depth: number): Read<ConfigNode> {
    const entries: EntryNode[] = [];
    const start = this.#at;
    let end = start;
    while (!this.#end && this.#column === column && !this.#isDash()) {
      keyPattern.lastIndex = this.#at;
      const match = keyPattern.exec(this.#text);
      if (match === null) return giveUp;
      const key = match[1] ?? match[2] ?? match[3] ?? '';
      const quote = match[1] === undefined ? 1 : 0;
      const keyRange = range(this.#at + quote, this.#at + quote + key.length);
      const entryStart = this.#at;
      const value = this.#value(this.#at + match[0].length, column, depth, true);
      if (value === giveUp) return giveUp;
      end = value.range.end;
      entries.push({ key, keyRange, range: range(entryStart, end), value });
    }
    if (entries.length === 0 || (!this.#end && this.#column > column)) return giveUp;
    return { kind: 'mapping', range: range(start, end), entries };
  }

  #sequence(column: number, depth: number): Read<ConfigNode> {
    const items: ConfigNode[] = [];
    const start = this.#at;
    let end = start;
    while (!this.#end && this.#column === column && this.#isDash()) {
      const after = this.#at + 1;
      let at = after;
      while (this.#text.charCodeAt(at) === 32) at++;
      let item: Read<ConfigNode>;
      keyPattern.lastIndex = at;
      const inner = at - this.#at;
      const begins = this.#text.charCodeAt(at) === 45 && /[ \n]/.test(this.#text.charAt(at + 1) || '\n');
      if (begins || keyPattern.test(this.#text)) {
        this.#at = at;
        this.#column = column + inner;
        item = this.#block(this.#column, depth + 1);
      } else item = this.#value(after, column, depth, false);
      if (item === giveUp) return giveUp;
      items.push(item);
      end = Math.max(item.range.end, after);
    }
    if (!this.#end && this.#column > column) return giveUp;
    return { kind: 'sequence', range: range(start, end), items };
  }

  /** The value behind a colon or dash that ends at `after`. */
  #value(after: number, column: number, depth: number, inMapping: boolean, anchored = false): Read<ConfigNode> {
    const text = this.#text;
    let at = after;
    while (text.charCodeAt(at) === 32) at++;
    const code = text.charCodeAt(at);
    if (code === 38) {
      anchorPattern.lastIndex = at;
      const name = anchorPattern.exec(text)?.[1];
      if (name === undefined || anchored) return giveUp;
      this.#anchors.delete(name);
      const node = this.#value(at + 1 + name.length, column, depth, inMapping, true);
      if (node !== giveUp) this.#anchors.set(name, node);
      return node;
    }
    if (at >= text.length || code === 10 || code === 35) {
      if (!this.#nextLine(after)) return giveUp;
      // A sequence may stand in the column of its key.
      if (!this.#end && (this.#column > column || (inMapping && this.#column === column && this.#isDash()))) {
        return this.#block(this.#column, depth + 1);
      }
      return scalar(text, after, after, null, false);
    }
    const node =
      code === 91
        ? this.#list(at)
        : code === 123
          ? this.#emptyMapping(at)
          : code === 42 && !anchored
            ? this.#alias(at, depth)
            : this.#scalar(at);
    if (node === giveUp || !this.#nextLine(node.range.end)) return giveUp;
    // A deeper line goes on with the scalar.
    return !this.#end && this.#column > column ? giveUp : node;
  }

  #scalar(at: number): Read<ConfigNode> {
    const text = this.#text;
    quotedPattern.lastIndex = at;
    const quoted = quotedPattern.exec(text)?.[0];
    if (quoted !== undefined) return scalar(text, at, at + quoted.length, quoted.slice(1, -1), true);
    plainPattern.lastIndex = at;
    const line = plainPattern.exec(text)?.[0];
    if (line === undefined) return giveUp;
    const comment = line.indexOf(' #');
    const source = (comment < 0 ? line : line.slice(0, comment)).trimEnd();
    if (/:(?: |$)/.test(source)) return giveUp;
    return scalar(text, at, at + source.length, plainScalarValue(source), false);
  }

  #alias(at: number, depth: number): Read<ConfigNode> {
    aliasPattern.lastIndex = at;
    const raw = aliasPattern.exec(this.#text)?.[0];
    const target = this.#anchors.get(raw?.slice(1) ?? '');
    if (raw === undefined || target === undefined) return giveUp;
    return this.#expansion.place(target, range(at, at + raw.length), raw, depth + 2);
  }

  #emptyMapping(at: number): Read<ConfigNode> {
    return this.#text.charCodeAt(at + 1) === 125 ? { kind: 'mapping', range: range(at, at + 2), entries: [] } : giveUp;
  }

  #list(start: number, depth = 0): Read<ConfigNode> {
    if (depth > depthLimit) return giveUp;
    const text = this.#text;
    const items: ConfigNode[] = [];
    let at = start + 1;
    for (;;) {
      while (text.charCodeAt(at) === 32) at++;
      const code = text.charCodeAt(at);
      if (code === 93) return { kind: 'sequence', range: range(start, at + 1), items };
      if (code === 91) {
        const inner = this.#list(at, depth + 1);
        if (inner === giveUp) return giveUp;
        items.push(inner);
        at = inner.range.end;
      } else {
        itemPattern.lastIndex = at;
        const match = itemPattern.exec(text);
        if (match === null) return giveUp;
        const [whole, quoted, plain] = match;
        if (plain !== undefined) items.push(scalar(text, at, at + plain.length, plainScalarValue(plain), false));
        else items.push(scalar(text, at, at + whole.length, quoted?.slice(1, -1) ?? '', true));
        at += whole.length;
      }
      while (text.charCodeAt(at) === 32) at++;
      const next = text.charCodeAt(at);
      if (next === 44) at++;
      else if (next !== 93) return giveUp;
    }
  }
}

function scalar(text: string, start: number, end: number, value: string | number | boolean | null, quoted: boolean): ConfigNode {
  const at: Range = range(start, end);
  return { kind: 'scalar', range: at, value, raw: text.slice(start, end), quoted };
}
