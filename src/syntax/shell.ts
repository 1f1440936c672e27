import { type Range, range } from '../text/range.ts';
import type { Comment, ConfigNode, EntryNode, ParsedConfig, ScalarNode, ScalarValue } from './node.ts';
import { Problems } from './problems.ts';
import { type Assignment, type Command, type Piece, splitScript, type Word } from './shellWords.ts';

/** Words that variables may expand to in one file, and how often one expansion may lead to the next. */
const wordBudget = 20_000;
const hopLimit = 20;
const lengthLimit = 10_000;

/** One word of a command after expansion. */
interface Argument {
  readonly text: string;
  readonly at: Range;
  /** Where the value is written, when a variable brought it. */
  readonly origin: Range | undefined;
  readonly unresolved: boolean;
}

/**
 * Reads the command-line options of the command with the most of them: `--num-layers 24`, `--tp=2`, `-tp 2`, arrays and
 * strings of options expanded where they are used. Variables, defaults (`${N:-24}`) and integer arithmetic are followed
 * inside the file; a variable that branches set to different values is unresolved. Root is a mapping over the whole
 * text, one entry per option in the command's order, keys without their dashes; an option without a value is `true`.
 * Commands are not run and nothing is looked up outside the file. O(length) plus a bounded expansion.
 */
export function parseShell(text: string): ParsedConfig {
  const problems = new Problems();
  const comments: Comment[] = [];
  const script = splitScript(text, problems, comments);
  const scope = new Scope(script.assignments);
  let best: readonly Argument[] = [];
  let most = 0;
  const consider = (words: readonly Word[], offset: number, branches: readonly number[]): void => {
    const found = scope.expand(words, { offset, branches, hops: 0 });
    const options = found.reduce((sum, argument) => sum + (isOption(argument.text) ? 1 : 0), 0);
    if (options > most) {
      most = options;
      best = found;
    }
  };
  for (const command of script.commands) if (mayHoldOptions(command)) consider(command.words, command.at.start, command.branches);
  // Options that are only collected here and used by another file.
  for (const { words, offset, branches, isArray } of script.assignments) {
    const split = isArray ? words : words.flatMap((word) => splitWord(word, true));
    if (split.some((word) => startsOption(word))) consider(split, offset, branches);
  }
  const root: ConfigNode = { kind: 'mapping', range: range(0, text.length), entries: readOptions(best, text) };
  return { format: 'shell', text, root, problems: problems.sorted(), comments };
}

const isOption = (text: string): boolean => /^--?[A-Za-z]/.test(text);

const startsOption = (word: Word): boolean => {
  const [first] = word.pieces;
  return first?.kind === 'text' && isOption(first.text);
};

const mayHoldOptions = (command: Command): boolean =>
  command.words.some((word) => startsOption(word) || word.pieces.some((piece) => piece.kind === 'variable'));

/** Launchers take a script among their own options; what follows it belongs to the script. */
const isScript = (text: string): boolean => /\.py$/.test(text);

function readOptions(words: readonly Argument[], text: string): readonly EntryNode[] {
  const entries: EntryNode[] = [];
  let sawScript = false;
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    if (word === undefined || !isOption(word.text)) {
      if (word !== undefined && isScript(word.text)) sawScript = true;
      continue;
    }
    const dashes = word.text.startsWith('--') ? 2 : 1;
    const equals = word.text.indexOf('=');
    const keyEnd = equals < 0 ? word.text.length : equals;
    const key = word.text.slice(dashes, keyEnd);
    // A word that was put together from pieces has no character for character place in the text.
    const literal = text.startsWith(word.text.slice(0, keyEnd), word.at.start);
    const keyRange = literal ? range(word.at.start + dashes, word.at.start + keyEnd) : word.at;
    if (equals >= 0) {
      const at = literal ? range(word.at.start + keyEnd + 1, word.at.end) : word.at;
      const value = scalarOf({ ...word, text: word.text.slice(equals + 1), at: at.start > at.end ? range(at.end, at.end) : at }, text);
      entries.push({ key, keyRange, range: word.at, value });
      continue;
    }
    const values: Argument[] = [];
    for (let next = words[i + 1]; next !== undefined && !isOption(next.text); next = words[i + 1 + values.length]) values.push(next);
    const script = sawScript ? -1 : values.findIndex((value) => isScript(value.text));
    if (script >= 0) {
      sawScript = true;
      values.length = Math.min(values.length, script, 1);
    }
    i += values.length;
    entries.push({ key, keyRange, range: hullOf([word.at, ...values.map((value) => value.at)]), value: optionValue(word, values, text) });
  }
  return entries;
}

function optionValue(option: Argument, values: readonly Argument[], text: string): ConfigNode {
  const [first] = values;
  if (first === undefined) {
    const at = range(option.at.end, option.at.end);
    return { kind: 'scalar', range: at, value: true, raw: '', quoted: false, ...(option.unresolved ? { unresolved: true } : {}) };
  }
  if (values.length === 1) return scalarOf(first, text);
  return { kind: 'sequence', range: hullOf(values.map((value) => value.at)), items: values.map((value) => scalarOf(value, text)) };
}

function hullOf(ranges: readonly Range[]): Range {
  let start = Number.POSITIVE_INFINITY;
  let end = 0;
  for (const at of ranges) {
    start = Math.min(start, at.start);
    end = Math.max(end, at.end);
  }
  return range(start, end);
}

/** Shells have no types: quotes group, they do not make a string of a number. So `quoted` is never set. */
function scalarOf(argument: Argument, text: string): ScalarNode {
  const { at, origin, unresolved } = argument;
  const raw = text.slice(at.start, at.end);
  const base = { kind: 'scalar', range: at, raw, quoted: false } as const;
  if (unresolved) return { ...base, value: raw, unresolved: true };
  const value = typed(argument.text);
  return origin === undefined ? { ...base, value } : { ...base, value, origin };
}

function typed(text: string): ScalarValue {
  if (/^[-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/.test(text)) return Number(text.replaceAll('_', ''));
  if (text === 'true' || text === 'True') return true;
  if (text === 'false' || text === 'False') return false;
  return text;
}

interface Place {
  readonly offset: number;
  readonly branches: readonly number[];
  readonly hops: number;
}

/** What a variable holds at a place. */
interface Held {
  readonly words: readonly Word[];
  readonly isArray: boolean;
  /** Where the assignment stands: its own variables are those before it. */
  readonly place: Place;
  /** From a branch that may not run; its options are known by name only. */
  readonly unsure: boolean;
}

class Scope {
  /** In textual order. */
  readonly #byName = new Map<string, Assignment[]>();
  #left = wordBudget;

  constructor(assignments: readonly Assignment[]) {
    for (const assignment of assignments) {
      const known = this.#byName.get(assignment.name);
      if (known === undefined) this.#byName.set(assignment.name, [assignment]);
      else known.push(assignment);
    }
  }

  /** A command's words with variables replaced and unquoted ones split. */
  expand(words: readonly Word[], place: Place): readonly Argument[] {
    const found: Argument[] = [];
    this.#expandInto(found, words, place, false);
    return found;
  }

  #expandInto(found: Argument[], words: readonly Word[], place: Place, unsure: boolean): void {
    for (const word of words) {
      if (this.#left-- <= 0) return;
      const [only] = word.pieces;
      const splits = only?.kind === 'variable' && word.pieces.length === 1 && (!only.quoted || only.all);
      const held = splits && place.hops < hopLimit ? this.#held(only.name, place) : undefined;
      if (held !== undefined) {
        for (const part of held) {
          const parts = part.isArray ? part.words : part.words.flatMap((inner) => splitWord(inner, true));
          const expanded: Argument[] = [];
          this.#expandInto(expanded, parts, part.place, unsure || part.unsure);
          const [value] = expanded;
          if (held.length === 1 && expanded.length === 1 && value !== undefined && !isOption(value.text)) {
            // A plain value: its place is where the variable is used, its origin where it is written.
            found.push({ ...value, at: word.at, origin: value.unresolved ? undefined : (value.origin ?? value.at) });
          } else for (const argument of expanded) found.push(argument);
        }
      } else if (splits && only.fallback !== undefined && this.#byName.get(only.name) === undefined) {
        const inner = splitWord({ pieces: only.fallback, at: hullOf(only.fallback.map((piece) => piece.at)) }, false);
        if (inner.some(startsOption)) this.#expandInto(found, inner, { ...place, hops: place.hops + 1 }, unsure);
        else found.push(this.#argument(word, place, unsure));
      } else found.push(this.#argument(word, place, unsure));
    }
  }

  #argument(word: Word, place: Place, unsure: boolean): Argument {
    const value = this.#text(word.pieces, place);
    const first = word.pieces[0];
    const raw = first?.kind === 'text' ? first.text : '';
    if (value === undefined) return { text: isOption(raw) ? raw : '?', at: word.at, origin: undefined, unresolved: true };
    return { text: value.text, at: word.at, origin: value.origin, unresolved: unsure };
  }

  /** The word as one string; undefined when a part of it is not known in this file. */
  #text(pieces: readonly Piece[], place: Place): { readonly text: string; readonly origin: Range | undefined } | undefined {
    let text = '';
    let origin: Range | undefined;
    for (const piece of pieces) {
      if (this.#left-- <= 0) return undefined;
      if (piece.kind === 'text') text += piece.text;
      else if (piece.kind === 'unknown') return undefined;
      else if (piece.kind === 'arithmetic') {
        const result = evaluate(piece.expression, (name) => {
          const value = this.#variable(name, undefined, place)?.text;
          return value !== undefined && /^\s*[-+]?\d+\s*$/.test(value) ? Number(value) : undefined;
        });
        if (result === undefined) return undefined;
        text += String(result);
      } else {
        const value = this.#variable(piece.name, piece.fallback, place);
        if (value === undefined) return undefined;
        text += value.text;
        origin ??= value.origin;
      }
      if (text.length > lengthLimit) return undefined;
    }
    return { text, origin: pieces.length === 1 ? origin : undefined };
  }

  #variable(
    name: string,
    fallback: readonly Piece[] | undefined,
    place: Place,
  ): { readonly text: string; readonly origin: Range | undefined } | undefined {
    if (place.hops >= hopLimit) return undefined;
    const held = this.#held(name, place);
    if (held === undefined) {
      // Set somewhere, but not to one known value.
      if (fallback === undefined || this.#before(name, place).length > 0) return undefined;
      const value = this.#text(fallback, { ...place, hops: place.hops + 1 });
      // `${NAME:-}` falls back to nothing, which stands nowhere.
      const written = fallback.length === 0 ? undefined : hullOf(fallback.map((piece) => piece.at));
      return value === undefined ? undefined : { text: value.text, origin: value.origin ?? written };
    }
    const [only] = held;
    if (held.length !== 1 || only === undefined || only.isArray || only.unsure) return undefined;
    const [word] = only.words;
    if (word === undefined) return undefined;
    const value = this.#text(word.pieces, only.place);
    return value === undefined ? undefined : { text: value.text, origin: value.origin ?? word.at };
  }

  #before(name: string, place: Place): readonly Assignment[] {
    const all = this.#byName.get(name) ?? [];
    let low = 0;
    let high = all.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((all[middle]?.offset ?? 0) <= place.offset) low = middle + 1;
      else high = middle;
    }
    return low === all.length ? all : all.slice(0, low);
  }

  /**
   * Assignments whose words make up the variable at a place: the last that sets it, then what is appended. Undefined
   * when none is known, or when branches that may or may not run leave different values.
   */
  #held(name: string, place: Place): readonly Held[] | undefined {
    const before = this.#before(name, place);
    const found: Held[] = [];
    let candidate: Assignment | undefined;
    for (let i = before.length - 1; i >= 0; i--) {
      const assignment = before[i];
      if (assignment === undefined || this.#left-- <= 0) return undefined;
      if (!assignment.known) return undefined;
      // It surely ran when each branch around it also surrounds the place.
      const sure = assignment.branches.every((branch, index) => place.branches[index] === branch);
      const at: Place = { offset: assignment.at.start, branches: assignment.branches, hops: place.hops + 1 };
      if (assignment.isAppend) {
        if (candidate === undefined) found.unshift({ words: assignment.words, isArray: assignment.isArray, place: at, unsure: !sure });
        continue;
      }
      if (candidate === undefined) {
        found.unshift({ words: assignment.words, isArray: assignment.isArray, place: at, unsure: false });
        candidate = assignment;
      } else if (!this.#same(candidate, assignment, place.hops)) return undefined;
      if (sure) break;
    }
    return found.length === 0 ? undefined : found;
  }

  #same(a: Assignment, b: Assignment, hops: number): boolean {
    if (a.isArray || b.isArray) return false;
    const [left] = a.words;
    const [right] = b.words;
    if (left === undefined || right === undefined) return false;
    const of = (word: Word, assignment: Assignment): string | undefined =>
      this.#text(word.pieces, { offset: assignment.at.start, branches: assignment.branches, hops: hops + 1 })?.text;
    const value = of(left, a);
    return value !== undefined && value === of(right, b);
  }
}

/** Cuts a word at white space: the shell's splitting of an unquoted expansion. `inQuotes` also cuts quoted text. */
function splitWord(word: Word, inQuotes: boolean): readonly Word[] {
  const words: Word[] = [];
  let pieces: Piece[] = [];
  const end = (): void => {
    if (pieces.length > 0) words.push({ pieces, at: hullOf(pieces.map((piece) => piece.at)) });
    pieces = [];
  };
  for (const piece of word.pieces) {
    if (piece.kind !== 'text') {
      // Inside the string's own quotes a variable is split with the rest.
      pieces.push(inQuotes ? { ...piece, quoted: false } : piece);
      continue;
    }
    if (piece.escaped || (piece.quoted && !inQuotes)) {
      if (piece.escaped && piece.text.trim() === '') end();
      else pieces.push(piece);
      continue;
    }
    for (const match of piece.text.matchAll(/\s+|[^\s]+/g)) {
      if (match[0].trim() === '') end();
      else {
        const start = piece.at.start + match.index;
        pieces.push({ ...piece, text: match[0], at: range(start, start + match[0].length) });
      }
    }
  }
  end();
  return words;
}

/** Integer arithmetic of the shell: `+ - * / % **`, parentheses, names with or without `$`; undefined where it is more. */
function evaluate(expression: string, lookUp: (name: string) => number | undefined): number | undefined {
  const tokens = expression.match(/\d+|\$?\{?[A-Za-z_]\w*\}?|\*\*|[-+*/%()]|\S/g) ?? [];
  if (tokens.length > 200) return undefined;
  let at = 0;
  const primary = (): number | undefined => {
    const token = tokens[at++];
    if (token === undefined) return undefined;
    if (token === '(') {
      const inner = sum();
      return tokens[at++] === ')' ? inner : undefined;
    }
    if (token === '-' || token === '+') {
      const inner = primary();
      return inner === undefined ? undefined : token === '-' ? -inner : inner;
    }
    if (/^\d/.test(token)) return Number(token);
    const name = /^\$?\{?([A-Za-z_]\w*)\}?$/.exec(token)?.[1];
    return name === undefined ? undefined : lookUp(name);
  };
  const power = (): number | undefined => {
    const base = primary();
    if (base === undefined || tokens[at] !== '**') return base;
    at++;
    const exponent = power();
    return exponent === undefined || exponent < 0 ? undefined : base ** exponent;
  };
  const product = (): number | undefined => {
    let left = power();
    for (let operator = tokens[at]; operator === '*' || operator === '/' || operator === '%'; operator = tokens[at]) {
      at++;
      const right = power();
      if (left === undefined || right === undefined || (right === 0 && operator !== '*')) return undefined;
      left = operator === '*' ? left * right : operator === '/' ? Math.trunc(left / right) : left % right;
    }
    return left;
  };
  const sum = (): number | undefined => {
    let left = product();
    for (let operator = tokens[at]; operator === '+' || operator === '-'; operator = tokens[at]) {
      at++;
      const right = product();
      if (left === undefined || right === undefined) return undefined;
      left = operator === '+' ? left + right : left - right;
    }
    return left;
  };
  const result = sum();
  return at === tokens.length && result !== undefined && Number.isSafeInteger(result) ? result : undefined;
}
