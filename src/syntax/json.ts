import { createScanner, SyntaxKind } from 'jsonc-parser';
import { type Range, range } from '../text/range.ts';
import type { Comment, ConfigNode, EntryNode, ParsedConfig, ScalarNode, ScalarValue, SyntaxProblem } from './node.ts';

/** Deeper than any config; beyond it a value is skipped with a problem, so that nesting cannot exhaust the stack of any later walk. */
const maximumDepth = 200;

interface Frame {
  readonly kind: 'mapping' | 'sequence';
  readonly start: number;
  readonly entries: EntryNode[];
  readonly items: ConfigNode[];
  /** Key read, its value not yet. */
  key: { readonly name: string; readonly keyRange: Range } | undefined;
}

/** Python's `json` writes these three; standard JSON has no such literals. */
const pythonLiterals: Readonly<Record<string, ScalarValue>> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
};

/**
 * Reads JSON with comments and trailing commas, tolerating what is still to be typed.
 * Iterative, so any nesting is read in bounded stack; O(length).
 */
export function parseJson(text: string): ParsedConfig {
  const scanner = createScanner(text, false);
  const problems: SyntaxProblem[] = [];
  const comments: Comment[] = [];
  const stack: Frame[] = [];
  let root: ConfigNode | undefined;
  let skippedDepth = 0;
  let depthReported = false;
  let extraReported = false;
  /** Whether a separator was seen since the last element of the open container. */
  let separated = true;

  const problem = (start: number, end: number, message: string): void => {
    if (problems.length < 100) problems.push({ range: range(start, end), message });
  };

  const finishKey = (frame: Frame, value: ConfigNode | undefined, end: number): void => {
    const key = frame.key;
    if (key === undefined) return;
    frame.entries.push({ key: key.name, keyRange: key.keyRange, range: range(key.keyRange.start, end), value });
    frame.key = undefined;
  };

  const place = (value: ConfigNode): void => {
    const frame = stack.at(-1);
    if (frame === undefined) {
      if (root === undefined) root = value;
      else if (!extraReported) {
        extraReported = true;
        problem(value.range.start, value.range.end, 'Text after the end of the JSON document.');
      }
    } else if (frame.kind === 'sequence') {
      if (!separated) problem(value.range.start, value.range.end, 'Expected a comma.');
      frame.items.push(value);
    } else if (frame.key !== undefined) finishKey(frame, value, value.range.end);
    else problem(value.range.start, value.range.end, 'Expected a property name in double quotes.');
    separated = false;
  };

  const close = (kind: Frame['kind'], end: number, closed: boolean): void => {
    const frame = stack.at(-1);
    if (frame === undefined) return;
    if (frame.kind !== kind) {
      problem(end - 1, end, kind === 'mapping' ? 'Expected a closing bracket.' : 'Expected a closing brace.');
      // A brace that closes an outer mapping closes the sequence inside it too; otherwise the stray token is dropped.
      if (!stack.some((other) => other.kind === kind)) return;
    }
    let open = stack.pop();
    while (open !== undefined) {
      if (open.key !== undefined) {
        if (closed) problem(open.key.keyRange.start, open.key.keyRange.end, 'Expected a value.');
        finishKey(open, undefined, open.key.keyRange.end);
      }
      const node: ConfigNode =
        open.kind === 'mapping'
          ? { kind: 'mapping', range: range(open.start, end), entries: open.entries }
          : { kind: 'sequence', range: range(open.start, end), items: open.items };
      place(node);
      if (open.kind === kind || stack.length === 0) break;
      open = stack.pop();
    }
  };

  for (let token = scanner.scan(); token !== SyntaxKind.EOF; token = scanner.scan()) {
    const start = scanner.getTokenOffset();
    const end = start + scanner.getTokenLength();
    if (token === SyntaxKind.Trivia || token === SyntaxKind.LineBreakTrivia) continue;
    if (token === SyntaxKind.LineCommentTrivia || token === SyntaxKind.BlockCommentTrivia) {
      comments.push({
        range: range(start, end),
        text: text.slice(start + 2, token === SyntaxKind.BlockCommentTrivia ? Math.max(start + 2, end - 2) : end),
      });
      continue;
    }
    if (skippedDepth > 0) {
      if (token === SyntaxKind.OpenBraceToken || token === SyntaxKind.OpenBracketToken) skippedDepth++;
      else if (token === SyntaxKind.CloseBraceToken || token === SyntaxKind.CloseBracketToken) skippedDepth--;
      continue;
    }
    const frame = stack.at(-1);
    switch (token) {
      case SyntaxKind.OpenBraceToken:
      case SyntaxKind.OpenBracketToken: {
        if (stack.length >= maximumDepth) {
          if (!depthReported) problem(start, end, `Nested deeper than ${maximumDepth} levels; what is inside is not read.`);
          depthReported = true;
          skippedDepth = 1;
          break;
        }
        if (frame?.kind === 'sequence' && !separated) problem(start, end, 'Expected a comma.');
        stack.push({ kind: token === SyntaxKind.OpenBraceToken ? 'mapping' : 'sequence', start, entries: [], items: [], key: undefined });
        separated = true;
        break;
      }
      case SyntaxKind.CloseBraceToken:
      case SyntaxKind.CloseBracketToken:
        if (frame === undefined) {
          if (!extraReported) problem(start, end, 'Nothing is open here.');
          extraReported = true;
        } else close(token === SyntaxKind.CloseBraceToken ? 'mapping' : 'sequence', end, true);
        break;
      case SyntaxKind.CommaToken:
        if (frame?.key !== undefined) {
          problem(frame.key.keyRange.start, frame.key.keyRange.end, 'Expected a value.');
          finishKey(frame, undefined, frame.key.keyRange.end);
        }
        separated = true;
        break;
      case SyntaxKind.ColonToken:
        if (frame?.kind !== 'mapping' || frame.key === undefined) problem(start, end, 'Unexpected colon.');
        break;
      case SyntaxKind.StringLiteral: {
        if (scanner.getTokenError() !== 0) problem(start, end, 'The string is not closed or holds an invalid escape.');
        if (frame?.kind === 'mapping' && (frame.key === undefined || isKeyAhead(text, end))) {
          if (frame.key !== undefined) {
            problem(frame.key.keyRange.start, frame.key.keyRange.end, 'Expected a value.');
            finishKey(frame, undefined, frame.key.keyRange.end);
          } else if (!separated) problem(start, end, 'Expected a comma before this property.');
          const inner = text.charCodeAt(end - 1) === 34 && end - start > 1 ? end - 1 : end;
          frame.key = { name: scanner.getTokenValue(), keyRange: range(start + 1, inner) };
          separated = false;
        } else place(scalar(text, start, end, scanner.getTokenValue(), true));
        break;
      }
      case SyntaxKind.NumericLiteral:
        place(scalar(text, start, end, Number(text.slice(start, end)), false));
        break;
      case SyntaxKind.TrueKeyword:
        place(scalar(text, start, end, true, false));
        break;
      case SyntaxKind.FalseKeyword:
        place(scalar(text, start, end, false, false));
        break;
      case SyntaxKind.NullKeyword:
        place(scalar(text, start, end, null, false));
        break;
      default: {
        const raw = text.slice(start, end);
        const literal = pythonLiterals[raw];
        if (literal !== undefined) place(scalar(text, start, end, literal, false));
        else if (frame !== undefined || root === undefined) problem(start, end, 'Not a JSON value.');
        else if (!extraReported) {
          extraReported = true;
          problem(start, text.length, 'Text after the end of the JSON document.');
        }
      }
    }
  }
  if (stack.length > 0 || skippedDepth > 0) {
    problem(text.length, text.length, 'The document ends before everything that was opened is closed.');
    while (stack.length > 0) close(stack.at(-1)?.kind ?? 'mapping', text.length, false);
  }
  return { format: 'json', text, root, problems, comments };
}

const scalar = (text: string, start: number, end: number, value: ScalarValue, quoted: boolean): ScalarNode => ({
  kind: 'scalar',
  range: range(start, end),
  value,
  raw: text.slice(start, end),
  quoted,
});

/** A string followed by a colon is a key even where a value was due: the value before it is still to be typed. */
function isKeyAhead(text: string, from: number): boolean {
  for (let i = from; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 58) return true;
    if (code !== 32 && code !== 9 && code !== 10 && code !== 13) return false;
  }
  return false;
}
