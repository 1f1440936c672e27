import { createScanner, ScanError, SyntaxKind } from 'jsonc-parser';
import { type Range, range } from '../text/range.ts';
import type { Comment, ConfigNode, EntryNode, ParsedConfig, ScalarValue } from './node.ts';
import { lineEnd, maximumDepth, Problems } from './problems.ts';

interface Key {
  readonly name: string;
  readonly keyRange: Range;
  /** The key with its quotes. */
  readonly whole: Range;
}

interface Frame {
  readonly kind: 'mapping' | 'sequence';
  readonly start: number;
  readonly entries: EntryNode[];
  readonly items: ConfigNode[];
  /** Key read, its value not yet. */
  key: Key | undefined;
  colon: boolean;
  /** End of the last thing read inside. */
  end: number;
}

/** Python's `json` writes these; standard JSON has no such literals. `-Infinity` is read as two tokens. */
const pythonLiterals: Readonly<Record<string, ScalarValue>> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
};

/** The scanner also takes what is still to be typed: `1.`, `1e`. */
const jsonNumber = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** True where `,`, `:`, a bracket, white space or the end follows: a literal does not go on. */
const endsLiteral = (text: string, at: number): boolean => at >= text.length || /[\s,:[\]{}]/.test(text.charAt(at));

/**
 * Reads JSON with comments and trailing commas, tolerating what is still to be typed.
 * Iterative, so any nesting is read in bounded stack; O(length).
 */
export function parseJson(text: string): ParsedConfig {
  const scanner = createScanner(text, false);
  if (text.charCodeAt(0) === 0xfeff) scanner.setPosition(1);
  const problems = new Problems();
  const comments: Comment[] = [];
  const stack: Frame[] = [];
  let root: ConfigNode | undefined;
  let skippedDepth = 0;
  let depthReported = false;
  /** Text after the document was found; only comments are still of interest. */
  let over = false;
  /** Whether a separator was seen since the last element of the open container. */
  let separated = true;
  /** The last token was a separator inside a container, so another one misses its value. */
  let afterComma = false;
  /** An unreadable literal was reported and nothing readable came since. */
  let unreadable = false;

  const finishKey = (frame: Frame, value: ConfigNode | undefined, report: boolean): void => {
    const key = frame.key;
    if (key === undefined) return;
    if (report) problems.add(key.keyRange.start, key.keyRange.end, 'Expected a value.');
    const end = value?.range.end ?? key.whole.end;
    frame.entries.push({ key: key.name, keyRange: key.keyRange, range: range(key.whole.start, end), value });
    frame.end = end;
    frame.key = undefined;
  };

  const afterTheEnd = (start: number): void => {
    if (!over) problems.add(start, lineEnd(text, start), 'Text after the end of the JSON document.');
    over = true;
  };

  /** A value is about to begin at `start`; false when there is no place for it. */
  const makeRoom = (start: number, end: number): boolean => {
    const frame = stack.at(-1);
    if (frame === undefined) {
      if (root === undefined) return true;
      afterTheEnd(start);
      return false;
    }
    if (frame.kind === 'sequence') {
      if (!separated && !unreadable) problems.add(start, end, 'Expected a comma.');
      return true;
    }
    if (frame.key === undefined) {
      if (!unreadable) problems.add(start, end, 'Expected a property name in double quotes.');
      return false;
    }
    if (!frame.colon) problems.add(start, end, 'Expected a colon before this value.');
    return true;
  };

  const place = (value: ConfigNode): void => {
    const frame = stack.at(-1);
    if (frame === undefined) root ??= value;
    else if (frame.kind === 'sequence') {
      frame.items.push(value);
      frame.end = value.range.end;
    } else if (frame.key !== undefined) finishKey(frame, value, false);
    separated = false;
    afterComma = false;
    unreadable = false;
  };

  const placeScalar = (start: number, end: number, value: ScalarValue, quoted: boolean, raw = text.slice(start, end)): void => {
    if (makeRoom(start, end)) place({ kind: 'scalar', range: range(start, end), value, raw, quoted });
    else {
      separated = false;
      afterComma = false;
    }
  };

  const finish = (frame: Frame, end: number): void => {
    place(
      frame.kind === 'mapping'
        ? { kind: 'mapping', range: range(frame.start, end), entries: frame.entries }
        : { kind: 'sequence', range: range(frame.start, end), items: frame.items },
    );
  };

  const close = (kind: Frame['kind'], start: number, end: number): void => {
    const top = stack.at(-1);
    if (top === undefined) {
      if (root === undefined) {
        if (!over) problems.add(start, end, 'Nothing is open here that this could close.');
        over = true;
      } else afterTheEnd(start);
      return;
    }
    if (!stack.some((frame) => frame.kind === kind)) {
      problems.add(start, end, `Nothing is open here that this could close; expected ${top.kind === 'mapping' ? '`}`' : '`]`'}.`);
      return;
    }
    for (let frame = stack.pop(); frame !== undefined; frame = stack.pop()) {
      finishKey(frame, undefined, true);
      if (frame.kind === kind) {
        finish(frame, end);
        return;
      }
      // A brace that closes an outer mapping closes the sequences inside it too.
      problems.add(start, end, frame.kind === 'mapping' ? 'Expected `}` before this.' : 'Expected `]` before this.');
      finish(frame, start);
    }
  };

  const openKey = (frame: Frame, name: string, keyRange: Range, whole: Range): void => {
    if (frame.key !== undefined) finishKey(frame, undefined, true);
    else if (!separated && !unreadable) problems.add(whole.start, whole.end, 'Expected a comma before this property.');
    frame.key = { name, keyRange, whole };
    frame.colon = false;
    frame.end = whole.end;
    separated = false;
    afterComma = false;
    unreadable = false;
  };

  /** An unclosed string ends with its line; what was meant to follow it there is not part of it. */
  const unclosedString = (start: number, end: number): void => {
    const frame = stack.at(-1);
    const isKey = frame?.kind === 'mapping' && frame.key === undefined;
    const written = text.slice(start + 1, end);
    const stop = isKey ? written.search(/[:,{}[\]]/) : written.search(/[,\s}\]]*$/);
    const inner = range(start + 1, start + 1 + (stop < 0 ? written.length : stop));
    const name = text.slice(inner.start, inner.end);
    problems.add(start, inner.end, 'The string is not closed.');
    if (isKey) {
      openKey(frame, name, inner, range(start, inner.end));
      if (stop >= 0) finishKey(frame, undefined, false);
    } else placeScalar(start, inner.end, name, true);
    // The closing quote took the separator with it.
    if (end < text.length) separated = true;
  };

  const string = (start: number, end: number): void => {
    const error = scanner.getTokenError();
    if (error === ScanError.UnexpectedEndOfString) {
      unclosedString(start, end);
      return;
    }
    if (error !== ScanError.None) problems.add(start, end, 'The string holds an invalid escape or character.');
    const frame = stack.at(-1);
    if (frame?.kind === 'mapping' && (frame.key === undefined || isKeyAhead(text, end))) {
      openKey(frame, scanner.getTokenValue(), range(start + 1, end - 1), range(start, end));
    } else placeScalar(start, end, scanner.getTokenValue(), true);
  };

  const unknown = (start: number, end: number): void => {
    const raw = text.slice(start, end);
    if (raw === '-' && text.startsWith('Infinity', end) && endsLiteral(text, end + 8)) {
      scanner.setPosition(end + 8);
      placeScalar(start, end + 8, Number.NEGATIVE_INFINITY, false);
      return;
    }
    if (Object.hasOwn(pythonLiterals, raw)) {
      placeScalar(start, end, pythonLiterals[raw] ?? null, false);
      return;
    }
    const frame = stack.at(-1);
    if (frame === undefined && root !== undefined) {
      afterTheEnd(start);
      return;
    }
    if (frame?.kind === 'mapping' && isKeyAhead(text, end) && !unreadable) {
      problems.add(start, end, 'Expected a property name in double quotes.');
      const bare = /^'(.*)'$/.exec(raw)?.[1];
      separated = true;
      openKey(frame, bare ?? raw, bare === undefined ? range(start, end) : range(start + 1, end - 1), range(start, end));
      return;
    }
    if (!unreadable) {
      const more = frame?.kind === 'mapping' && frame.key === undefined;
      problems.add(start, end, more ? 'Expected a property name in double quotes.' : 'Not a JSON value.');
    }
    if (frame?.kind === 'mapping') finishKey(frame, undefined, false);
    unreadable = true;
    separated = false;
    afterComma = false;
  };

  for (let token = scanner.scan(); token !== SyntaxKind.EOF; token = scanner.scan()) {
    const start = scanner.getTokenOffset();
    const end = start + scanner.getTokenLength();
    if (token === SyntaxKind.Trivia || token === SyntaxKind.LineBreakTrivia) continue;
    if (token === SyntaxKind.LineCommentTrivia || token === SyntaxKind.BlockCommentTrivia) {
      const open = scanner.getTokenError() === ScanError.UnexpectedEndOfComment;
      if (open) problems.add(start, start + 2, 'The comment is not closed.');
      // For `/*` alone the scanner counts one character more than there is.
      const whole = range(start, Math.min(end, text.length));
      const closing = token === SyntaxKind.BlockCommentTrivia && !open ? 2 : 0;
      comments.push({ range: whole, text: text.slice(start + 2, whole.end - closing) });
      continue;
    }
    if (over) continue;
    if (skippedDepth > 0) {
      if (token === SyntaxKind.OpenBraceToken || token === SyntaxKind.OpenBracketToken) skippedDepth++;
      else if (token === SyntaxKind.CloseBraceToken || token === SyntaxKind.CloseBracketToken) skippedDepth--;
      continue;
    }
    const frame = stack.at(-1);
    switch (token) {
      case SyntaxKind.OpenBraceToken:
      case SyntaxKind.OpenBracketToken: {
        const room = makeRoom(start, end);
        if (over) break;
        if (stack.length >= maximumDepth || !room) {
          if (room && !depthReported) {
            problems.add(start, end, `Nested deeper than ${maximumDepth} levels; what is inside is not read.`);
            depthReported = true;
          }
          if (frame !== undefined) finishKey(frame, undefined, false);
          skippedDepth = 1;
          separated = false;
          afterComma = false;
          break;
        }
        const kind = token === SyntaxKind.OpenBraceToken ? 'mapping' : 'sequence';
        stack.push({ kind, start, entries: [], items: [], key: undefined, colon: false, end });
        separated = true;
        afterComma = false;
        unreadable = false;
        break;
      }
      case SyntaxKind.CloseBraceToken:
        close('mapping', start, end);
        break;
      case SyntaxKind.CloseBracketToken:
        close('sequence', start, end);
        break;
      case SyntaxKind.CommaToken:
        if (frame === undefined) {
          if (root !== undefined) afterTheEnd(start);
          else problems.add(start, end, 'Unexpected comma.');
          break;
        }
        if (frame.key !== undefined) finishKey(frame, undefined, true);
        else if (afterComma || (frame.items.length === 0 && frame.entries.length === 0 && separated)) {
          problems.add(start, end, 'Unexpected comma.');
        }
        separated = true;
        afterComma = true;
        unreadable = false;
        break;
      case SyntaxKind.ColonToken:
        if (frame === undefined && root !== undefined) afterTheEnd(start);
        else if (frame?.key === undefined || frame.colon) {
          if (!unreadable && !(frame?.kind === 'mapping' && separated && frame.entries.length > 0)) {
            problems.add(start, end, 'Unexpected colon.');
          }
        } else frame.colon = true;
        break;
      case SyntaxKind.StringLiteral:
        string(start, end);
        break;
      case SyntaxKind.NumericLiteral:
        if (endsLiteral(text, end) && jsonNumber.test(text.slice(start, end)))
          placeScalar(start, end, Number(text.slice(start, end)), false);
        else unknown(start, end);
        break;
      case SyntaxKind.TrueKeyword:
        placeScalar(start, end, true, false);
        break;
      case SyntaxKind.FalseKeyword:
        placeScalar(start, end, false, false);
        break;
      case SyntaxKind.NullKeyword:
        placeScalar(start, end, null, false);
        break;
      default:
        unknown(start, end);
    }
  }
  if (stack.length > 0 || skippedDepth > 0) {
    problems.add(text.length, text.length, 'The document ends before everything that was opened is closed.');
    for (let frame = stack.pop(); frame !== undefined; frame = stack.pop()) {
      finishKey(frame, undefined, false);
      finish(frame, text.length);
    }
  }
  return { format: 'json', text, root, problems: problems.sorted(), comments };
}

/** A string followed by a colon is a key even where a value was due: the value before it is still to be typed. */
function isKeyAhead(text: string, from: number): boolean {
  for (let i = from; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 58) return true;
    if (code !== 32 && code !== 9 && code !== 10 && code !== 13) return false;
  }
  return false;
}
