import { unusedSuppression } from '../rules/file/unusedSuppression.ts';
import type { Rule } from '../rules/rule.ts';
import { fillTemplate } from '../rules/run.ts';
import type { Comment, ConfigFormat } from '../syntax/node.ts';
import type { LogicalLine } from '../syntax/python/logicalLines.ts';
import type { TextEdit } from '../text/edit.ts';
import type { Finding, Fix } from '../text/finding.ts';
import { LineIndex } from '../text/lineIndex.ts';
import { nearest } from '../text/nearest.ts';
import { type Range, range } from '../text/range.ts';
import { isKnownSelector, specificity } from './levels.ts';

/** A text with comments: any parsed file. */
export interface SuppressionSource {
  readonly format: ConfigFormat;
  readonly text: string;
  readonly comments: readonly Comment[];
  /** Python: what stands on several lines. Asked for only where a comment suppresses something. */
  readonly logicalLines?: (() => readonly LogicalLine[]) | undefined;
}

/** One `headwise: ignore` or `headwise: file-ignore` comment, or in Python a `noqa` that names rules of Headwise. */
export interface Suppression {
  readonly scope: 'line' | 'file';
  /** `headwise: ignore[...]` or `noqa: ...` without the comment's marker. */
  readonly range: Range;
  readonly comment: Comment;
  /** The zero-based line it holds for; -1 for the whole file. */
  readonly line: number;
  /** Absent: every rule. */
  readonly codes: readonly SuppressedCode[] | undefined;
  /** True when nothing but the comment stands on its line. */
  readonly ownLine: boolean;
  /** The line the comment itself stands on. */
  readonly commentLine: number;
}

export interface SuppressedCode {
  readonly code: string;
  readonly range: Range;
  /** Another linter's, which a `noqa` names too. */
  readonly isForeign?: boolean;
}

/** The directive stands at the comment's start or after another comment's text and a marker of its own (`# fmt: off # headwise: ignore`). */
const directive = /(?<=^\s*|[#/*]\s*)headwise:\s*(file-ignore|ignore)(?![\w-])(\[[^\]\r\n]*\])?/i;

/**
 * `noqa: HW215, E501`, as Ruff reads it. One that names no rule of ours is other linters' own, and so is one without codes: it was
 * written for them.
 */
const noqa = /(?<=^\s*|#\s*)noqa\s*:\s*([A-Z]+[0-9]+(?:[,\s]+[A-Z]+[0-9]+)*)/i;

const suppressesAnything = /eadwise|noqa\s*:[^#]*\bHW\d/i;

/** Beyond these a file is not written by hand; the rest is not read, so that none can take long. */
const maximumCodes = 100;
const maximumUnused = 100;

export function readSuppressions(source: SuppressionSource, lines: LineIndex): Suppression[] {
  const { text } = source;
  const suppressions: Suppression[] = [];
  const following = new FollowingLines(source, lines);
  for (const comment of source.comments) {
    const written = text.slice(comment.range.start, comment.range.end);
    if (!suppressesAnything.test(written)) continue;
    const blanked = written.replace(/^(#+|\/\/|\/\*)/, (marker) => ' '.repeat(marker.length));
    const commentLine = lines.positionAt(comment.range.start).line;
    const ownLine = isBlank(text, lines.lineStart(commentLine), comment.range.start);
    const match = directive.exec(blanked);
    if (match !== null) {
      const start = comment.range.start + match.index;
      const end = start + match[0].length;
      const scope = match[1]?.toLowerCase() === 'file-ignore' ? 'file' : 'line';
      const line = scope === 'file' ? -1 : ownLine ? following.codeBehind(comment) : lines.positionAt(start).line;
      const list = match[2];
      const codes = list === undefined ? undefined : splitCodes(list.slice(1, -1), end - list.length + 1);
      suppressions.push({ scope, range: range(start, end), comment, commentLine, line, ownLine, codes });
    }
    const other = source.format === 'python' ? noqa.exec(blanked) : null;
    if (other?.[1] === undefined) continue;
    const start = comment.range.start + other.index;
    const end = start + other[0].length;
    const codes = splitCodes(other[1], end - other[1].length).map((each) => (/^HW/i.test(each.code) ? each : { ...each, isForeign: true }));
    // For Ruff a `noqa` on a line of its own holds for nothing but that line.
    if (codes.some(({ isForeign }) => isForeign !== true))
      suppressions.push({ scope: 'line', range: range(start, end), comment, commentLine, line: commentLine, ownLine: false, codes });
  }
  return suppressions;
}

function splitCodes(list: string, offset: number): SuppressedCode[] {
  const codes: SuppressedCode[] = [];
  for (const match of list.matchAll(/[^,\s]+/g)) {
    if (codes.length === maximumCodes) break;
    codes.push({ code: match[0], range: range(offset + match.index, offset + match.index + match[0].length) });
  }
  return codes;
}

const isBlank = (text: string, start: number, end: number): boolean => text.slice(start, end).trim() === '';

/** The next line that is neither blank nor only a comment, so that suppressions can be stacked. Keeps the answers: O(lines) in all. */
class FollowingLines {
  readonly #text: string;
  readonly #lines: LineIndex;
  readonly #starts = new Map<number, Comment>();
  readonly #known = new Map<number, number>();

  constructor({ text, comments }: SuppressionSource, lines: LineIndex) {
    this.#text = text;
    this.#lines = lines;
    for (const comment of comments) this.#starts.set(comment.range.start, comment);
  }

  /** The comment that the line starts with. */
  commentAt(line: number): Comment | undefined {
    const start = this.#lines.lineStart(line);
    const content = this.#text.slice(start, this.#lines.lineStart(line + 1));
    return this.#starts.get(start + content.length - content.trimStart().length);
  }

  codeBehind(comment: Comment): number {
    const passed: number[] = [];
    let line = this.#lines.positionAt(comment.range.end).line + 1;
    while (line < this.#lines.lineCount) {
      const answer = this.#known.get(line);
      if (answer !== undefined) {
        line = answer;
        break;
      }
      passed.push(line);
      const other = this.commentAt(line);
      const blank = isBlank(this.#text, this.#lines.lineStart(line), this.#lines.lineStart(line + 1));
      if (!blank && other === undefined) break;
      line = (other === undefined ? line : this.#lines.positionAt(other.range.end).line) + 1;
    }
    for (const each of passed) this.#known.set(each, line);
    return line;
  }
}

/**
 * Takes out the findings that a comment suppresses and adds one for every suppression, or part of one, that suppresses nothing.
 * `isActive` tells whether a rule is reported in this file at all: a suppression of one that is not is left alone.
 */
export function applySuppressions(
  source: SuppressionSource,
  findings: readonly Finding[],
  rules: readonly Rule[],
  isActive: (rule: Rule) => boolean,
): readonly Finding[] {
  if (!source.comments.some(({ text }) => suppressesAnything.test(text))) return findings;
  const lines = new LineIndex(source.text);
  const suppressions = readSuppressions(source, lines);
  if (suppressions.length === 0) return findings;
  const byCode = new Map<string, Rule>(rules.map((rule) => [rule.code, rule]));
  const used = new Set<Suppression | SuppressedCode>();
  const byLine = new Map<number, Suppression[]>();
  for (const suppression of suppressions) {
    const others = byLine.get(suppression.line);
    if (others === undefined) byLine.set(suppression.line, [suppression]);
    else if (others.length < maximumCodes) others.push(suppression);
  }
  const at = (line: number): readonly Suppression[] => byLine.get(line) ?? [];
  const around = source.format === 'python' ? pythonLines(source, lines, at) : undefined;
  const suppressed = (finding: Finding): boolean => {
    const rule = byCode.get(finding.code);
    if (rule === undefined) return false;
    const first = lines.positionAt(finding.range.start).line;
    const last = lines.positionAt(finding.range.end).line;
    let found = false;
    const atEnd = last === first ? [] : at(last).filter(({ ownLine }) => !ownLine);
    for (const suppression of new Set([...at(-1), ...at(first), ...atEnd, ...(around?.(finding.range.start, first) ?? [])])) {
      if (suppression.codes === undefined) {
        // A comment for every rule does not hide that it is idle itself.
        if (rule === unusedSuppression) continue;
        used.add(suppression);
        found = true;
      } else {
        for (const code of suppression.codes) {
          if (code.isForeign === true || specificity(code.code, rule) === 0) continue;
          used.add(code);
          found = true;
        }
      }
    }
    return found;
  };
  const kept = findings.filter((finding) => !suppressed(finding));
  if (!isActive(unusedSuppression)) return kept;
  const unused: Finding[] = [];
  for (const suppression of suppressions) {
    if (unused.length >= maximumUnused) break;
    unused.push(...unusedFindings(source.text, lines, suppression, used, rules, isActive));
  }
  return [...kept, ...unused.filter((finding) => !suppressed(finding))];
}

/**
 * The suppressions that hold for a place in Python by what stands around it. As in Ruff, a comment above a statement or a header holds
 * for all of its lines, and one behind a string of several lines for all of those; here one behind the first or the last line of any
 * simple statement holds for the statement. Comments between a suppression and the code below it are covered too.
 */
function pythonLines(
  source: SuppressionSource,
  lines: LineIndex,
  at: (line: number) => readonly Suppression[],
): (offset: number, line: number) => readonly Suppression[] {
  const logical = source.logicalLines?.() ?? [];
  const following = new FollowingLines(source, lines);
  return (offset, line) => {
    const comment = following.commentAt(line);
    if (comment !== undefined) {
      return at(following.codeBehind(comment)).filter(({ ownLine, commentLine }) => ownLine && commentLine <= line);
    }
    const around = logicalLineAt(logical, offset);
    if (around === undefined) return [];
    const first = lines.positionAt(around.start).line;
    const above = at(first).filter(({ ownLine }) => ownLine);
    if (around.kind === 'header') return above;
    const ends = [...at(first), ...at(lines.positionAt(around.end).line)].filter(({ ownLine }) => !ownLine);
    return [...above, ...ends];
  };
}

function logicalLineAt(logical: readonly LogicalLine[], offset: number): LogicalLine | undefined {
  let low = 0;
  let high = logical.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((logical[middle]?.start ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  const found = logical[low];
  return found !== undefined && found.start <= offset && offset <= found.end ? found : undefined;
}

function unusedFindings(
  text: string,
  lines: LineIndex,
  suppression: Suppression,
  used: ReadonlySet<Suppression | SuppressedCode>,
  rules: readonly Rule[],
  isActive: (rule: Rule) => boolean,
): Finding[] {
  const { codes } = suppression;
  const removeAll: Fix = { title: 'Remove the suppression', safe: true, edits: [removal(text, lines, suppression)] };
  const finding = (at: Range, message: keyof typeof unusedSuppression.messages, data: Record<string, string>, fix: Fix): Finding => ({
    code: unusedSuppression.code,
    rule: unusedSuppression.name,
    severity: unusedSuppression.severity,
    message: fillTemplate(unusedSuppression.messages[message], data),
    range: at,
    related: [],
    fixes: [fix],
    tags: ['unnecessary'],
  });
  if (codes === undefined || codes.length === 0) {
    return used.has(suppression) ? [] : [finding(suppression.range, suppression.scope === 'file' ? 'file' : 'line', {}, removeAll)];
  }
  const idle = codes.filter((code) => {
    if (used.has(code) || code.isForeign === true) return false;
    const named = rules.filter((rule) => specificity(code.code, rule) > 0);
    return named.length === 0 || named.every((rule) => isActive(rule) && rule !== unusedSuppression);
  });
  return idle.map((code) => {
    const kept = codes.filter((other) => !idle.includes(other));
    const fix: Fix =
      kept.length === 0
        ? removeAll
        : {
            title: `Remove ${idle.map((other) => other.code).join(', ')} from the suppression`,
            safe: true,
            edits: [listEdit(codes, kept)],
          };
    if (isKnownSelector(code.code, rules)) return finding(code.range, 'code', { code: code.code }, fix);
    const [near] = nearest(code.code, [...rules.map((rule) => rule.code), ...rules.map((rule) => rule.name)], 1);
    return near === undefined
      ? finding(code.range, 'unknown', { code: code.code }, fix)
      : finding(code.range, 'unknownNear', { code: code.code, near }, fix);
  });
}

/** Writes the list anew with the codes that still suppress something. */
function listEdit(codes: readonly SuppressedCode[], kept: readonly SuppressedCode[]): TextEdit {
  const start = codes[0]?.range.start ?? 0;
  const end = codes.at(-1)?.range.end ?? start;
  return { range: range(start, end), newText: kept.map(({ code }) => code).join(', ') };
}

/** Removes the comment with the blank before it, its whole line when it stands alone, or only the directive where the comment says more. */
function removal(text: string, lines: LineIndex, suppression: Suppression): TextEdit {
  const { comment } = suppression;
  const before = text.slice(comment.range.start, suppression.range.start).replace(/^(#+|\/\/|\/\*)/, '');
  const after = text.slice(suppression.range.end, comment.range.end).replace(/\*\/$/, '');
  if (before.trim() !== '' || after.trim() !== '') {
    let start = suppression.range.start;
    // A marker that opened only this directive goes with it.
    const marker = /\s*(#|\/\/)\s*$/.exec(before);
    if (marker !== null && before.trim() !== '') start -= marker[0].length;
    const end = marker !== null && after.trim() === '' ? comment.range.end : suppression.range.end;
    return { range: range(start, end), newText: '' };
  }
  const line = lines.positionAt(comment.range.start).line;
  const lineStart = lines.lineStart(line);
  const nextStart = lines.lineStart(lines.positionAt(comment.range.end).line + 1);
  if (suppression.ownLine && isBlank(text, comment.range.end, nextStart)) return { range: range(lineStart, nextStart), newText: '' };
  const start = lineStart + text.slice(lineStart, comment.range.start).trimEnd().length;
  return { range: range(start, comment.range.end), newText: '' };
}

/** How a comment starts where it runs to the line's end; undefined for plain JSON, which loaders refuse with comments in it. */
export function commentMarker(format: ConfigFormat, path: string): string | undefined {
  if (format !== 'json') return '#';
  return /\.(jsonc|json5|code-workspace)$/i.test(path) ? '//' : undefined;
}

/** The edit that suppresses a finding by a comment at its line's end; undefined where the format has no comments or the line cannot take one. */
export function suppressionEdit(parsed: SuppressionSource, path: string, finding: Pick<Finding, 'code' | 'range'>): TextEdit | undefined {
  const marker = commentMarker(parsed.format, path);
  if (marker === undefined) return undefined;
  const lines = new LineIndex(parsed.text);
  // Inside a string or a continued line no comment can stand; behind the statement's last line one holds for all of it.
  const around = logicalLineAt(parsed.logicalLines?.() ?? [], finding.range.start);
  const line = lines.positionAt(around?.kind === 'statement' ? around.end : finding.range.start).line;
  for (const suppression of readSuppressions(parsed, lines)) {
    if (suppression.line !== line || suppression.codes === undefined) continue;
    const last = suppression.codes.at(-1);
    if (last !== undefined) return { range: range(last.range.end, last.range.end), newText: `, ${finding.code}` };
  }
  const start = lines.lineStart(line);
  const content = parsed.text.slice(start, lines.lineStart(line + 1)).replace(/[\r\n]+$/, '');
  const code = content.trimEnd();
  const commented = parsed.comments.some((comment) => comment.range.start < start + content.length && comment.range.end > start);
  // After a line continuation a comment would swallow the rest of the command; a block scalar would take it as text.
  if (code.endsWith('\\') || /[|>][+-]?\d*$/.test(code)) return undefined;
  const at = start + code.length;
  return { range: range(at, at), newText: `${commented ? ' ' : '  '}${marker} headwise: ignore[${finding.code}]` };
}
