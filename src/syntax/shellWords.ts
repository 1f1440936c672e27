import { type Range, range } from '../text/range.ts';
import type { Comment } from './node.ts';
import { lineEnd, maximumDepth, type Problems } from './problems.ts';

/** A stretch of a word. `text` of a literal is as long as its range unless `escaped`. */
export type Piece =
  | { readonly kind: 'text'; readonly text: string; readonly at: Range; readonly quoted: boolean; readonly escaped: boolean }
  | {
      readonly kind: 'variable';
      readonly name: string;
      readonly at: Range;
      readonly quoted: boolean;
      /** What stands in when the variable is not set: `${NAME:-fallback}`. */
      readonly fallback: readonly Piece[] | undefined;
      /** `${NAME[@]}` or `${NAME[*]}`. */
      readonly all: boolean;
    }
  | { readonly kind: 'arithmetic'; readonly expression: string; readonly at: Range; readonly quoted: boolean }
  /** Command substitution and expansions that only a shell can do. */
  | { readonly kind: 'unknown'; readonly at: Range; readonly quoted: boolean };

export interface Word {
  readonly pieces: readonly Piece[];
  readonly at: Range;
}

export interface Assignment {
  readonly name: string;
  readonly at: Range;
  /** Offset where the assignment takes effect. */
  readonly offset: number;
  /** Words of an array; one word, or none for a value that the shell makes (`for`, `read`). */
  readonly words: readonly Word[];
  readonly isArray: boolean;
  readonly isAppend: boolean;
  readonly known: boolean;
  /** The branches that hold it, outermost first; empty where it always runs. */
  readonly branches: readonly number[];
}

export interface Command {
  readonly words: readonly Word[];
  readonly at: Range;
  readonly branches: readonly number[];
}

export interface Script {
  readonly commands: readonly Command[];
  readonly assignments: readonly Assignment[];
}

/** Unclosed quotes that are ended at their line; after that many a quote runs to the end of the file. */
const quoteRepairs = 20;

/** Cuts a shell script into simple commands and assignments, in order. Never throws; O(length). */
export function splitScript(text: string, problems: Problems, comments: Comment[]): Script {
  return new ScriptReader(text, problems, comments).read();
}

const openers: ReadonlySet<string> = new Set(['if', 'while', 'until', 'for', 'select', 'case']);
const closers: ReadonlySet<string> = new Set(['fi', 'done', 'esac', '}']);
const declarations: ReadonlySet<string> = new Set(['export', 'local', 'declare', 'readonly', 'typeset', 'env', 'set']);

class ScriptReader {
  readonly #text: string;
  readonly #problems: Problems;
  readonly #comments: Comment[];
  readonly #commands: Command[] = [];
  readonly #assignments: Assignment[] = [];
  #branches: readonly number[] = [];
  #branchCount = 0;
  #at = 0;
  #limit: number;
  #repairs = 0;
  readonly #heredocs: { readonly mark: string; readonly indented: boolean }[] = [];

  constructor(text: string, problems: Problems, comments: Comment[]) {
    this.#text = text;
    this.#problems = problems;
    this.#comments = comments;
    this.#limit = text.length;
  }

  read(): Script {
    if (this.#text.charCodeAt(0) === 0xfeff) this.#at = 1;
    while (this.#at < this.#text.length) this.#command();
    return { commands: this.#commands, assignments: this.#assignments };
  }

  #push(): void {
    if (this.#branches.length < maximumDepth) this.#branches = [...this.#branches, ++this.#branchCount];
  }

  #pop(): void {
    this.#branches = this.#branches.slice(0, -1);
  }

  /** Reads to the next separator: one simple command, its assignments, or a keyword. */
  #command(): void {
    const words: Word[] = [];
    const start = this.#at;
    let declares = false;
    for (;;) {
      this.#blanks();
      if (this.#at >= this.#limit) break;
      const char = this.#text.charAt(this.#at);
      if (char === '#') {
        const end = lineEnd(this.#text, this.#at);
        this.#comments.push({ range: range(this.#at, end), text: this.#text.slice(this.#at + 1, end) });
        this.#at = end;
        continue;
      }
      if (char === '\n' || char === '\r') {
        this.#at++;
        if (char === '\n') this.#skipHeredocs();
        break;
      }
      if (char === '<' || char === '>') {
        this.#redirection();
        continue;
      }
      if (';&|()'.includes(char)) {
        this.#at++;
        // `name() {` and a `case` pattern both end here; only alternatives of `case` are branches of their own.
        if (char === ';' && this.#text.charAt(this.#at) === ';') {
          this.#pop();
          this.#push();
        }
        break;
      }
      if (words.length === 0 || declares) {
        const assigned = this.#assignment();
        if (assigned) continue;
      }
      const word = this.#word();
      if (word.at.end === word.at.start) {
        this.#at++;
        continue;
      }
      // `2>&1`: the number belongs to the redirection.
      if (/[<>]/.test(this.#text.charAt(this.#at)) && /^\d+$/.test(this.#text.slice(word.at.start, word.at.end))) continue;
      if (words.length === 0) {
        const keyword = this.#text.slice(word.at.start, word.at.end);
        if (openers.has(keyword)) {
          this.#push();
          if (keyword === 'for' || keyword === 'select') this.#loopVariable();
          if (keyword === 'case') words.push(word);
          continue;
        }
        if (keyword === 'elif' || keyword === 'else') {
          this.#pop();
          this.#push();
          continue;
        }
        if (closers.has(keyword)) {
          this.#pop();
          continue;
        }
        if (keyword === '{') {
          this.#push();
          continue;
        }
        if (keyword === 'then' || keyword === 'do' || keyword === '!' || keyword === 'time' || keyword === 'function') continue;
        if (declarations.has(keyword)) declares = true;
        if (keyword === 'read') {
          this.#commandRead();
          continue;
        }
      }
      words.push(word);
    }
    if (words.length > 0) {
      this.#commands.push({ words, at: range(words[0]?.at.start ?? start, words.at(-1)?.at.end ?? start), branches: this.#branches });
    }
    if (this.#at === start) this.#at++;
  }

  #blanks(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === 32 || code === 9) this.#at++;
      else if (code === 92 && this.#continuation(this.#at) > 0) this.#at += this.#continuation(this.#at);
      else return;
    }
  }

  /** Length of a backslash and line break at `at`; blanks between them are a common slip and mean the same. */
  #continuation(at: number): number {
    const pattern = /\\[ \t]*(?:\r?\n|$)/y;
    pattern.lastIndex = at;
    return pattern.exec(this.#text)?.[0].length ?? 0;
  }

  #redirection(): void {
    const pattern = /<<(-?)[ \t]*(["']?)([\w.-]+)\2|<<<|[<>]+&?\d?-?/y;
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    this.#at += match?.[0].length ?? 1;
    if (match?.[3] !== undefined) this.#heredocs.push({ mark: match[3], indented: match[1] === '-' });
    else if (this.#text.charAt(this.#at) === '(') this.#at = this.#skipParentheses(this.#at);
    else {
      this.#blanks();
      if (!/[\s;&|()]/.test(this.#text.charAt(this.#at))) this.#word();
    }
  }

  #skipHeredocs(): void {
    for (let document = this.#heredocs.shift(); document !== undefined; document = this.#heredocs.shift()) {
      while (this.#at < this.#text.length) {
        const end = lineEnd(this.#text, this.#at);
        const line = this.#text.slice(this.#at, end);
        this.#at = Math.min(this.#text.length, end + (this.#text.startsWith('\r\n', end) ? 2 : 1));
        if ((document.indented ? line.replace(/^\t+/, '') : line) === document.mark) break;
      }
    }
  }

  #loopVariable(): void {
    this.#blanks();
    const name = /[A-Za-z_]\w*/y;
    name.lastIndex = this.#at;
    const match = name.exec(this.#text);
    if (match === null) return;
    this.#unknownAssignment(match[0], this.#at);
    this.#at += match[0].length;
    // The words of the list are no command.
    const end = /[\n;]/g;
    end.lastIndex = this.#at;
    this.#at = end.exec(this.#text)?.index ?? this.#text.length;
  }

  #commandRead(): void {
    const end = lineEnd(this.#text, this.#at);
    for (const match of this.#text
      .slice(this.#at, end)
      .split(/[;|&<]/, 1)[0]
      ?.matchAll(/(?<![\w-])[A-Za-z_]\w*/g) ?? []) {
      this.#unknownAssignment(match[0], this.#at + match.index);
    }
  }

  #unknownAssignment(name: string, at: number): void {
    const where = range(at, at + name.length);
    this.#assignments.push({
      name,
      at: where,
      offset: where.end,
      words: [],
      isArray: false,
      isAppend: false,
      known: false,
      branches: this.#branches,
    });
  }

  #assignment(): boolean {
    const head = /([A-Za-z_]\w*)(\[[^\]\n]*\])?(\+?)=/y;
    head.lastIndex = this.#at;
    const match = head.exec(this.#text);
    if (match === null) return false;
    const start = this.#at;
    const name = match[1] ?? '';
    this.#at += match[0].length;
    const words: Word[] = [];
    const isArray = this.#text.charAt(this.#at) === '(';
    if (isArray) {
      this.#at++;
      for (;;) {
        const code = this.#text.charCodeAt(this.#at);
        if (this.#at >= this.#limit) {
          this.#problems.add(start, start + match[0].length, 'This list is not closed by `)`.');
          break;
        }
        if (code === 41) {
          this.#at++;
          break;
        }
        if (code === 35) {
          const end = lineEnd(this.#text, this.#at);
          this.#comments.push({ range: range(this.#at, end), text: this.#text.slice(this.#at + 1, end) });
          this.#at = end;
        } else if (code === 32 || code === 9 || code === 10 || code === 13) this.#at++;
        else if (this.#continuation(this.#at) > 0) this.#at += this.#continuation(this.#at);
        else {
          const word = this.#word();
          if (word.at.end === word.at.start) this.#at++;
          else words.push(word);
        }
      }
    } else words.push(this.#word());
    this.#assignments.push({
      name,
      at: range(start, this.#at),
      offset: this.#at,
      words,
      isArray,
      isAppend: match[3] === '+',
      // One element of an array says nothing that is followed here.
      known: match[2] === undefined,
      branches: this.#branches,
    });
    return true;
  }

  /** A word up to unquoted white space or a separator; empty when one stands right here. */
  #word(): Word {
    const start = this.#at;
    const pieces: Piece[] = [];
    this.#pieces(pieces, /[\s;&|()<>]/, false, 0);
    return { pieces, at: range(start, this.#at) };
  }

  /** Reads pieces until a character that `stop` matches, or the limit. */
  #pieces(pieces: Piece[], stop: RegExp, quoted: boolean, depth: number): void {
    const text = this.#text;
    let from = this.#at;
    const flush = (): void => {
      if (this.#at > from)
        pieces.push({ kind: 'text', text: text.slice(from, this.#at), at: range(from, this.#at), quoted, escaped: false });
    };
    while (this.#at < this.#limit) {
      const char = text.charAt(this.#at);
      if (stop.test(char)) break;
      if (char === '\\') {
        flush();
        const skip = this.#continuation(this.#at);
        const length = skip > 0 ? skip : Math.min(2, this.#limit - this.#at);
        // A continued line inside quotes separates words once the text is split; outside, the caller sees the break.
        if (skip > 0 && !quoted) break;
        const escaped = skip > 0 ? ' ' : text.slice(this.#at + 1, this.#at + 2);
        const literal = quoted && skip === 0 && !/["$`\\]/.test(escaped) ? `\\${escaped}` : escaped;
        pieces.push({ kind: 'text', text: literal, at: range(this.#at, this.#at + length), quoted, escaped: true });
        this.#at += length;
        from = this.#at;
      } else if (char === '$' || char === '`') {
        flush();
        const before = this.#at;
        const piece = this.#expansion(quoted, depth);
        if (this.#at === before) this.#at++;
        pieces.push(piece ?? { kind: 'text', text: text.slice(before, this.#at), at: range(before, this.#at), quoted, escaped: false });
        from = this.#at;
      } else if (!quoted && char === "'") {
        flush();
        this.#singleQuotes(pieces);
        from = this.#at;
      } else if (!quoted && char === '"') {
        flush();
        this.#doubleQuotes(pieces, depth);
        from = this.#at;
      } else this.#at++;
    }
    flush();
  }

  #singleQuotes(pieces: Piece[]): void {
    const start = this.#at;
    let end = this.#text.indexOf("'", start + 1);
    if (end < 0 || end >= this.#limit) {
      this.#unclosed(start);
      end = Math.min(this.#limit, lineEnd(this.#text, start));
      this.#at = end;
    } else this.#at = end + 1;
    pieces.push({ kind: 'text', text: this.#text.slice(start + 1, end), at: range(start + 1, end), quoted: true, escaped: false });
  }

  #doubleQuotes(pieces: Piece[], depth: number): void {
    const start = this.#at;
    const before = pieces.length;
    this.#at++;
    this.#pieces(pieces, /"/, true, depth);
    if (this.#text.charAt(this.#at) === '"' && this.#at < this.#limit) {
      if (pieces.length === before) {
        pieces.push({ kind: 'text', text: '', at: range(this.#at, this.#at), quoted: true, escaped: false });
      }
      this.#at++;
      return;
    }
    this.#unclosed(start);
    if (this.#repairs++ >= quoteRepairs) return;
    // Half-typed: the string ends with its line.
    pieces.length = before;
    const limit = this.#limit;
    this.#limit = Math.min(limit, lineEnd(this.#text, start));
    this.#at = start + 1;
    this.#pieces(pieces, /"/, true, depth);
    this.#at = Math.min(this.#at, this.#limit);
    this.#limit = limit;
  }

  #unclosed(start: number): void {
    this.#problems.add(start, lineEnd(this.#text, start), 'The quote is not closed.');
  }

  /** `$NAME`, `${...}`, `$((...))`, `$(...)`, backticks; undefined for a plain dollar sign. */
  #expansion(quoted: boolean, depth: number): Piece | undefined {
    const text = this.#text;
    const start = this.#at;
    const done = (end: number): Range => {
      this.#at = Math.min(end, this.#limit);
      return range(start, this.#at);
    };
    if (text.charAt(start) === '`') {
      const end = text.indexOf('`', start + 1);
      return { kind: 'unknown', at: done(end < 0 ? this.#limit : end + 1), quoted };
    }
    if (text.startsWith('$((', start)) {
      const end = text.indexOf('))', start);
      if (end > 0 && end < this.#limit && end - start < 1000) {
        let stop = end;
        // Inner parentheses may end right before the outer ones.
        while (text.charAt(stop + 2) === ')' && count(text, '(', start, stop) - 2 > count(text, ')', start, stop)) stop++;
        return { kind: 'arithmetic', expression: text.slice(start + 3, stop), at: done(stop + 2), quoted };
      }
    }
    if (text.startsWith('$(', start)) return { kind: 'unknown', at: done(this.#skipParentheses(start + 1)), quoted };
    if (text.startsWith("$'", start) && !quoted) {
      const end = quoteEnd(text, start + 1, true);
      if (end > 0) return { kind: 'unknown', at: done(end + 1), quoted };
    }
    if (text.charAt(start + 1) === '{') return this.#braced(start, quoted, depth);
    const name = /\$([A-Za-z_]\w*|[0-9@*#?$!-])/y;
    name.lastIndex = start;
    const match = name.exec(text);
    if (match === null) return undefined;
    const at = done(start + match[0].length);
    if (!/^[A-Za-z_]/.test(match[1] ?? '')) return { kind: 'unknown', at, quoted };
    return { kind: 'variable', name: match[1] ?? '', at, quoted, fallback: undefined, all: false };
  }

  #braced(start: number, quoted: boolean, depth: number): Piece {
    const text = this.#text;
    const head = /\$\{(\w+)(\[[@*]\])?/y;
    head.lastIndex = start;
    const match = head.exec(text);
    const name = match?.[1] ?? '';
    const after = start + (match?.[0].length ?? 2);
    const operator = /^:?[-=]/.exec(text.slice(after, after + 2))?.[0];
    if (match !== null && operator !== undefined && depth < maximumDepth / 4) {
      this.#at = after + operator.length;
      const fallback: Piece[] = [];
      this.#pieces(fallback, quoted ? /[}"]/ : /}/, quoted, depth + 1);
      if (text.charAt(this.#at) === '}' && this.#at < this.#limit) this.#at++;
      return { kind: 'variable', name, at: range(start, this.#at), quoted, fallback, all: match[2] !== undefined };
    }
    const simple = match !== null && text.charAt(after) === '}';
    const end = simple ? after : text.indexOf('}', after);
    const newline = lineEnd(text, start);
    this.#at = Math.min(this.#limit, end < 0 || end > newline ? newline : end + 1);
    const at = range(start, this.#at);
    if (!simple || /^\d/.test(name)) return { kind: 'unknown', at, quoted };
    return { kind: 'variable', name, at, quoted, fallback: undefined, all: match[2] !== undefined };
  }

  /** Past the parenthesis that closes the one at `from`; quotes inside may hold others. */
  #skipParentheses(from: number): number {
    let level = 0;
    for (let i = from; i < this.#limit; i++) {
      const char = this.#text.charAt(i);
      if (char === '\\') i++;
      else if (char === "'" || char === '"') {
        const end = quoteEnd(this.#text, i, char === '"');
        if (end < 0) return Math.min(this.#limit, lineEnd(this.#text, from));
        i = end;
      } else if (char === '(') level++;
      else if (char === ')' && --level === 0) return i + 1;
    }
    return Math.min(this.#limit, lineEnd(this.#text, from));
  }
}

/** Offset of the quote that closes the one at `from`; -1 when there is none. */
function quoteEnd(text: string, from: number, escapes: boolean): number {
  const quote = text.charAt(from);
  for (let i = from + 1; i < text.length; i++) {
    const char = text.charAt(i);
    if (char === quote) return i;
    if (char === '\\' && escapes) i++;
  }
  return -1;
}

function count(text: string, char: string, from: number, to: number): number {
  let found = 0;
  for (let i = from; i < to; i++) if (text.charAt(i) === char) found++;
  return found;
}
