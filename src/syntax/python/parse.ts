import { Edit, Language, Parser, type Point, type Tree, type TreeCursor } from 'web-tree-sitter';
import type { PythonModule, Span, Unit } from './ast.ts';
import { convertStatement } from './convert.ts';
import { aloneInClass, memberAround, moved, placeOfText, withMember } from './member.ts';
import { type NodeTypes, nodeTypes, RawReader } from './raw.ts';
import { isTooDeep, startsAnew, withoutLongComments } from './screen.ts';

/** Code units beyond which a text is not parsed. */
const maximumLength = 6_000_000;

/** The bytes of the two WebAssembly modules that do the parsing. */
export interface ParserFiles {
  /** web-tree-sitter.wasm */
  readonly runtime: Uint8Array;
  /** tree-sitter-python.wasm */
  readonly grammar: Uint8Array;
}

/** A parsed text, kept so that the next version of it costs less. Call `dispose` when it is no longer needed. */
export interface PythonDocument {
  readonly module: PythonModule;
  /** Parses the next version of the text; every unit that the change did not touch keeps its body. This document is spent. */
  update(text: string): PythonDocument;
  dispose(): void;
}

export interface PythonParser {
  /** Parses for once; nothing to dispose of. Never throws on any text. */
  parse(text: string): PythonModule;
  /** Parses for repeated updates. */
  open(text: string): PythonDocument;
}

let started: Promise<void> | undefined;

/** Starts the parser; nothing is fetched. Rejects when the modules do not load. */
export async function createPythonParser(files: ParserFiles): Promise<PythonParser> {
  started ??= Parser.init({
    wasmBinary: files.runtime as unknown as ArrayBuffer,
    // The bytes are given; a name keeps the loader from working out an address.
    locateFile: (name: string) => name,
  });
  await started;
  const language = await Language.load(files.grammar);
  return new TreeSitterParser(language);
}

class TreeSitterParser implements PythonParser {
  readonly #types: NodeTypes;
  readonly #parser: Parser;

  constructor(language: Language) {
    this.#types = nodeTypes(language);
    this.#parser = new Parser().setLanguage(language);
  }

  parse(text: string): PythonModule {
    const tree = this.tree(text, undefined);
    try {
      return this.convert(tree, text, undefined);
    } finally {
      tree?.delete();
    }
  }

  open(text: string): PythonDocument {
    const tree = this.tree(text, undefined);
    return new OpenDocument(this, tree, this.convert(tree, text, undefined));
  }

  /** Undefined for a text that is not parsed. */
  tree(text: string, old: Tree | undefined): Tree | undefined {
    if (text.length > maximumLength || isTooDeep(text)) return undefined;
    const given = withoutLongComments(text);
    if (given === undefined) return undefined;
    try {
      return this.#parser.parse(given, given === text ? old : undefined) ?? undefined;
    } catch {
      // A parser that failed in the middle would go on there.
      this.#parser.reset();
      return undefined;
    }
  }

  /**
   * The one statement that a part of a text holds, which begins at `base`, and the comments behind it. Another statement follows there
   * where it `isFollowed`. Undefined where it is not one, or has errors.
   */
  statement(part: string, base: number, isFollowed: boolean): { readonly unit: Unit; readonly comments: readonly Span[] } | undefined {
    const text = isFollowed ? `${part}pass\n` : part;
    if (withoutLongComments(text) !== text) return undefined;
    const tree = this.tree(text, undefined);
    try {
      if (tree === undefined || tree.rootNode.hasError) return undefined;
      const { units, comments } = this.convert(tree, text, undefined);
      const [unit, next] = units;
      if (unit?.start !== 0 || unit.body.hasErrors || units.length > 2 || next?.start !== (isFollowed ? part.length : undefined))
        return undefined;
      return { unit, comments: comments.map(({ start, end }) => ({ start: base + start, end: base + end })) };
    } finally {
      tree?.delete();
    }
  }

  convert(tree: Tree | undefined, text: string, previous: Previous | undefined): PythonModule {
    if (tree === undefined) return unreadable(text);
    const root = tree.rootNode;
    const cursor = tree.walk();
    try {
      const reader = new RawReader(cursor, this.#types, root.hasError);
      reader.text = text;
      return root.type === 'module' ? readModule(cursor, reader, this.#types, text, previous, root.hasError) : unreadable(text);
    } finally {
      cursor.delete();
    }
  }
}

/** What came before, and where the texts differ: `[start, end)` became `[start, newEnd)`. */
interface Previous {
  readonly module: PythonModule;
  readonly change: Change;
  /** Statements of versions before that one, which may come again. */
  readonly gone: readonly Gone[];
}

/** A statement that was edited, as it was: an edit that is taken back brings it back, and all that is known of it. */
interface Gone {
  readonly text: string;
  readonly unit: Unit;
}

/** Statements that are remembered when they are gone. */
const maximumGone = 8;

const unreadable = (text: string): PythonModule => ({
  text,
  units:
    text.trim() === ''
      ? []
      : [{ start: 0, body: { statement: { kind: 'unknown', start: 0, end: text.length }, comments: [], hasErrors: true } }],
  comments: [],
});

function readModule(
  cursor: TreeCursor,
  reader: RawReader,
  types: NodeTypes,
  text: string,
  previous: Previous | undefined,
  isBroken: boolean,
): PythonModule {
  const units: Unit[] = [];
  const comments: Span[] = [];
  const kept = previous === undefined ? undefined : new KeptUnits(previous);
  let open:
    | {
        readonly start: number;
        readonly end: number;
        readonly statement: Unit['body']['statement'];
        readonly inner: Span[];
        hasErrors: boolean;
      }
    | undefined;
  const close = (): void => {
    if (open === undefined) return;
    units.push({ start: open.start, body: { statement: open.statement, comments: open.inner, hasErrors: open.hasErrors } });
    open = undefined;
  };
  if (!cursor.gotoFirstChild()) return { text, units, comments };
  do {
    const start = cursor.startIndex;
    const end = cursor.endIndex;
    if (types[cursor.nodeTypeId]?.treatment === 'comment') {
      if (open !== undefined && isSameLine(text, open.end, start)) open.inner.push({ start: start - open.start, end: end - open.start });
      else comments.push({ start, end });
      continue;
    }
    close();
    reader.base = start;
    reader.comments = [];
    reader.hasErrors = false;
    // The same text may be read in one broken file and not in the next.
    const isSound = !isBroken || !cursor.currentNode.hasError;
    const body = isSound ? kept?.find(text, start, end) : undefined;
    if (body !== undefined) {
      // Comments inside the statement are its own; one behind it comes again.
      open = {
        start,
        end,
        statement: body.statement,
        inner: body.comments.filter((comment) => comment.start < end - start),
        hasErrors: false,
      };
      continue;
    }
    const raw = reader.read(false, 0);
    if (raw === undefined) continue;
    const { statement, hasErrors } = convertStatement(raw, text, start);
    open = { start, end, statement, inner: reader.comments, hasErrors: hasErrors || reader.hasErrors };
  } while (cursor.gotoNextSibling());
  close();
  return { text, units: kept === undefined ? units : units.map((unit) => kept.identical(unit)), comments };
}

const isSameLine = (text: string, from: number, to: number): boolean => {
  for (let i = from; i < to; i++) {
    const code = text.charCodeAt(i);
    if (code === 10 || code === 13) return false;
  }
  return true;
};

/** The units of the text before that lie outside the change, found by where they are now. */
class KeptUnits {
  readonly #byStart = new Map<number, Unit>();
  readonly #gone: Gone[];

  constructor({ module, change, gone }: Previous) {
    this.#gone = [...gone];
    const shift = change.newEnd - change.end;
    for (const unit of module.units) {
      if (unit.body.hasErrors) continue;
      const end = unit.start + unit.body.statement.end;
      // A character that touches a statement may become a part of it.
      if (end < change.start) this.#byStart.set(unit.start, unit);
      else if (unit.start > change.end) this.#byStart.set(unit.start + shift, unit);
    }
  }

  find(text: string, start: number, end: number): Unit['body'] | undefined {
    const body = this.#byStart.get(start)?.body;
    if (body !== undefined && body.statement.end === end - start) return body;
    const again = this.#gone.findIndex((each) => each.text.length === end - start && text.startsWith(each.text, start));
    const [found] = again < 0 ? [] : this.#gone.splice(again, 1);
    if (found !== undefined) this.#byStart.set(start, found.unit);
    return found?.unit.body;
  }

  /** The old unit itself, moved, where nothing differs, its trailing comment included: what refers to it stands where it does. */
  identical(unit: Unit): Unit {
    const old = this.#byStart.get(unit.start);
    const body = old?.body;
    if (old === undefined || body === undefined || body.statement !== unit.body.statement) return unit;
    const same =
      body.comments.length === unit.body.comments.length &&
      body.comments.every((comment, i) => comment.start === unit.body.comments[i]?.start && comment.end === unit.body.comments[i]?.end);
    if (!same) return unit;
    old.start = unit.start;
    return old;
  }
}

/** Whether a statement begins at the start of a line, outside all brackets. */
const standsAlone = (text: string, { start }: Unit): boolean =>
  (start === 0 || text.charCodeAt(start - 1) === 10) && startsAnew(text, start);

/** The unit with these comments behind its statement; itself where it has them. */
function withComments(unit: Unit, behind: readonly Span[]): Unit {
  const { statement, comments, hasErrors } = unit.body;
  const inside = comments.filter(({ start }) => start < statement.end);
  const isSame =
    comments.length === inside.length + behind.length &&
    behind.every(({ start, end }, i) => start === comments[inside.length + i]?.start && end === comments[inside.length + i]?.end);
  return isSame ? unit : { start: unit.start, body: { statement, comments: [...inside, ...behind], hasErrors } };
}

/** The statements that a change touches, before it; none where it is more than typing. */
function touchedBy({ start, end }: Change, { text, units }: PythonModule): readonly Gone[] {
  const touched = units.filter((unit) => unit.start <= end && unit.start + unit.body.statement.end >= start && !unit.body.hasErrors);
  if (touched.length > maximumGone) return [];
  return touched.map((unit) => ({ text: text.slice(unit.start, unit.start + unit.body.statement.end), unit }));
}

class OpenDocument implements PythonDocument {
  readonly module: PythonModule;
  readonly #parser: TreeSitterParser;
  readonly #gone: readonly Gone[];
  #tree: Tree | undefined;

  constructor(parser: TreeSitterParser, tree: Tree | undefined, module: PythonModule, gone: readonly Gone[] = []) {
    this.#parser = parser;
    this.#gone = gone;
    this.#tree = tree;
    this.module = module;
  }

  update(text: string): PythonDocument {
    const before = this.module.text;
    const old = this.#tree;
    if (text === before) {
      this.#tree = undefined;
      return new OpenDocument(this.#parser, old, this.module, this.#gone);
    }
    const change = changeBetween(before, text);
    const touched = touchedBy(change, this.module);
    const isPlain = old !== undefined && withoutLongComments(before) === before;
    if (isPlain) {
      const edit = { startIndex: change.start, oldEndIndex: change.end, newEndIndex: change.newEnd, ...editPoints(before, text, change) };
      old.edit(new Edit(edit));
    }
    const isSound = isPlain && !old.rootNode.hasError;
    const alone = isSound ? this.#updateAlone(text, change) : undefined;
    if (alone !== undefined) {
      // The tree stays behind: it knows what was edited, and is brought up to date when more than one statement changes.
      this.#tree = undefined;
      return new OpenDocument(this.#parser, old, alone, this.#goneBefore(alone, touched));
    }
    // Error recovery depends on what was there before; a tree with errors is made anew, so that it says the same as a first parse.
    let tree = this.#parser.tree(text, isSound ? old : undefined);
    if (isSound && tree?.rootNode.hasError === true) {
      tree.delete();
      tree = this.#parser.tree(text, undefined);
    }
    const module = this.#parser.convert(tree, text, {
      module: this.module,
      change,
      gone: tree?.rootNode.hasError === true ? [] : this.#gone,
    });
    this.dispose();
    return new OpenDocument(this.#parser, tree, module, this.#goneBefore(module, touched));
  }

  /** The next version where the change lies inside one statement, and leaves it one: nothing else is parsed. Undefined elsewhere. */
  #updateAlone(text: string, change: Change): PythonModule | undefined {
    const { units, comments, text: before } = this.module;
    const i = units.findLastIndex(({ start }) => start < change.start);
    const [unit, next] = [units[i], units[i + 1]];
    if (unit === undefined || unit.body.hasErrors || text.length > maximumLength) return undefined;
    if (!standsAlone(before, unit) || (next !== undefined && !standsAlone(before, next))) return undefined;
    const { start } = unit;
    const end = start + unit.body.statement.end;
    if (change.end >= end) return undefined;
    const to = next?.start ?? before.length;
    const shift = change.newEnd - change.end;
    const again = this.#gone.find((each) => each.text.length === end + shift - start && text.startsWith(each.text, start));
    let made: { readonly unit: Unit; readonly comments: readonly Span[] } | undefined;
    if (again === undefined) {
      made =
        this.#memberAlone(text, change, unit, to, next !== undefined) ??
        this.#parser.statement(text.slice(start, to + shift), start, next !== undefined);
    } else {
      const behind = unit.body.comments.filter((comment) => comment.start >= unit.body.statement.end).map((each) => moved(each, shift));
      made = {
        unit: withComments(again.unit, behind),
        comments: comments.filter((each) => each.start >= end && each.start < to).map((each) => moved(each, shift)),
      };
    }
    if (made === undefined) return undefined;
    made.unit.start = start;
    for (const each of units.slice(i + 1)) each.start += shift;
    return {
      text,
      units: units.map((each) => (each === unit ? made.unit : each)),
      comments: [
        ...comments.filter((each) => each.start < start),
        ...made.comments,
        ...comments.filter((each) => each.start >= to).map((each) => moved(each, shift)),
      ],
    };
  }

  /** The same where the change lies inside one statement of a class, which ends before `to`: only that is parsed. */
  #memberAlone(
    text: string,
    change: Change,
    unit: Unit,
    to: number,
    isFollowed: boolean,
  ): { readonly unit: Unit; readonly comments: readonly Span[] } | undefined {
    const member = memberAround(this.module, unit, change.start, change.end, to);
    if (member === undefined) return undefined;
    const { start, end, indent } = member;
    const shift = change.newEnd - change.end;
    const lines = text.slice(start, end + shift);
    const isLast = indent === undefined;
    const parsed = this.#parser.statement(aloneInClass(member, lines), placeOfText(member), isLast && isFollowed);
    const made = parsed === undefined ? undefined : withMember(member, parsed.unit, unit, lines.length);
    if (parsed === undefined || made === undefined) return undefined;
    if (isLast) return { unit: made, comments: parsed.comments };
    const behind = this.module.comments.filter((each) => each.start >= unit.start + unit.body.statement.end && each.start < to);
    return parsed.comments.length > 0 ? undefined : { unit: made, comments: behind.map((each) => moved(each, shift)) };
  }

  /** What is not in the next version, newest first. */
  #goneBefore({ units }: PythonModule, touched: readonly Gone[]): readonly Gone[] {
    const bodies = new Set(units.map(({ body }) => body));
    return [...touched, ...this.#gone].filter(({ unit }) => !bodies.has(unit.body)).slice(0, maximumGone);
  }

  dispose(): void {
    this.#tree?.delete();
    this.#tree = undefined;
  }
}

export interface Change {
  readonly start: number;
  /** End of what was replaced, in the text before. */
  readonly end: number;
  /** End of what replaces it, in the new text. */
  readonly newEnd: number;
}

/** Characters that are compared at once. */
const stride = 2048;

/** The one replacement that makes `after` of `before`. O(length). */
export function changeBetween(before: string, after: string): Change {
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start + stride <= shorter && before.slice(start, start + stride) === after.slice(start, start + stride)) start += stride;
  while (start < shorter && before.charCodeAt(start) === after.charCodeAt(start)) start++;
  let tail = 0;
  const most = shorter - start;
  const tailOf = (text: string): string => text.slice(text.length - tail - stride, text.length - tail);
  while (tail + stride <= most && tailOf(before) === tailOf(after)) tail += stride;
  while (tail < most && before.charCodeAt(before.length - 1 - tail) === after.charCodeAt(after.length - 1 - tail)) tail++;
  return { start, end: before.length - tail, newEnd: after.length - tail };
}

function editPoints(before: string, after: string, change: Change): { startPosition: Point; oldEndPosition: Point; newEndPosition: Point } {
  const startPosition = pointFrom(before, { row: 0, column: 0 }, 0, change.start);
  return {
    startPosition,
    oldEndPosition: pointFrom(before, startPosition, change.start, change.end),
    newEndPosition: pointFrom(after, startPosition, change.start, change.newEnd),
  };
}

function pointFrom(text: string, from: Point, start: number, end: number): Point {
  let row = from.row;
  let lineStart = start - from.column;
  for (let at = text.indexOf('\n', start); at >= 0 && at < end; at = text.indexOf('\n', at + 1)) {
    row++;
    lineStart = at + 1;
  }
  return { row, column: end - lineStart };
}
