import { unusedSuppression } from '../rules/file/unusedSuppression.ts';
import type { Rule } from '../rules/rule.ts';
import { fillTemplate } from '../rules/run.ts';
import type { Comment, ConfigFormat, ParsedConfig } from '../syntax/node.ts';
import type { TextEdit } from '../text/edit.ts';
import type { Finding, Fix } from '../text/finding.ts';
import { LineIndex } from '../text/lineIndex.ts';
import { nearest } from '../text/nearest.ts';
import { type Range, range } from '../text/range.ts';
import { isKnownSelector, specificity } from './levels.ts';

/** One `headwise: ignore` or `headwise: file-ignore` comment. */
export interface Suppression {
  readonly scope: 'line' | 'file';
  /** `headwise: ignore[...]` without the comment's marker. */
  readonly range: Range;
  readonly comment: Comment;
  /** The zero-based line it holds for; -1 for the whole file. */
  readonly line: number;
  /** Absent: every rule. */
  readonly codes: readonly SuppressedCode[] | undefined;
  /** True when nothing but the comment stands on its line. */
  readonly ownLine: boolean;
}

export interface SuppressedCode {
  readonly code: string;
  readonly range: Range;
}

/** The directive stands at the comment's start or after another comment's text and a marker of its own (`# fmt: off # headwise: ignore`). */
const directive = /(?<=^\s*|[#/*]\s*)headwise:\s*(file-ignore|ignore)(?![\w-])(\[[^\]\r\n]*\])?/i;

/** Beyond these a file is not written by hand; the rest is not read, so that none can take long. */
const maximumCodes = 100;
const maximumUnused = 100;

export function readSuppressions(parsed: ParsedConfig, lines: LineIndex): Suppression[] {
  const { text } = parsed;
  const suppressions: Suppression[] = [];
  const commentStarts = new Map<number, Comment>();
  const targets = new Map<number, number>();
  for (const comment of parsed.comments) commentStarts.set(comment.range.start, comment);
  for (const comment of parsed.comments) {
    const written = text.slice(comment.range.start, comment.range.end);
    if (!written.includes('eadwise')) continue;
    const match = directive.exec(written.replace(/^(#+|\/\/|\/\*)/, (marker) => ' '.repeat(marker.length)));
    if (match === null) continue;
    const start = comment.range.start + match.index;
    const end = start + match[0].length;
    const scope = match[1]?.toLowerCase() === 'file-ignore' ? 'file' : 'line';
    const ownLine = isBlank(text, lines.lineStart(lines.positionAt(comment.range.start).line), comment.range.start);
    const line =
      scope === 'file' ? -1 : ownLine ? nextCodeLine(text, lines, comment, commentStarts, targets) : lines.positionAt(start).line;
    const list = match[2];
    suppressions.push({
      scope,
      range: range(start, end),
      comment,
      line,
      ownLine,
      codes: list === undefined ? undefined : splitCodes(list.slice(1, -1), end - list.length + 1),
    });
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

/** The next line that is neither blank nor only a comment, so that suppressions can be stacked. `known` keeps the answers: O(lines) in all. */
function nextCodeLine(
  text: string,
  lines: LineIndex,
  comment: Comment,
  commentStarts: ReadonlyMap<number, Comment>,
  known: Map<number, number>,
): number {
  const passed: number[] = [];
  let line = lines.positionAt(comment.range.end).line + 1;
  while (line < lines.lineCount) {
    const answer = known.get(line);
    if (answer !== undefined) {
      line = answer;
      break;
    }
    passed.push(line);
    const start = lines.lineStart(line);
    const content = text.slice(start, lines.lineStart(line + 1));
    const trimmed = content.trimStart();
    const other = commentStarts.get(start + content.length - trimmed.length);
    if (trimmed !== '' && other === undefined) break;
    line = (other === undefined ? line : lines.positionAt(other.range.end).line) + 1;
  }
  for (const each of passed) known.set(each, line);
  return line;
}

/**
 * Takes out the findings that a comment suppresses and adds one for every suppression, or part of one, that suppresses nothing.
 * `isActive` tells whether a rule is reported in this file at all: a suppression of one that is not is left alone.
 */
export function applySuppressions(
  parsed: ParsedConfig,
  findings: readonly Finding[],
  rules: readonly Rule[],
  isActive: (rule: Rule) => boolean,
): readonly Finding[] {
  if (!parsed.comments.some(({ text }) => text.includes('eadwise'))) return findings;
  const lines = new LineIndex(parsed.text);
  const suppressions = readSuppressions(parsed, lines);
  if (suppressions.length === 0) return findings;
  const byCode = new Map<string, Rule>(rules.map((rule) => [rule.code, rule]));
  const used = new Set<Suppression | SuppressedCode>();
  const byLine = new Map<number, Suppression[]>();
  for (const suppression of suppressions) {
    const others = byLine.get(suppression.line);
    if (others === undefined) byLine.set(suppression.line, [suppression]);
    else if (others.length < maximumCodes) others.push(suppression);
  }
  const suppressed = (finding: Finding): boolean => {
    const rule = byCode.get(finding.code);
    if (rule === undefined) return false;
    const first = lines.positionAt(finding.range.start).line;
    const last = lines.positionAt(finding.range.end).line;
    let found = false;
    const atEnd = last === first ? [] : (byLine.get(last) ?? []).filter(({ ownLine }) => !ownLine);
    for (const suppression of [...(byLine.get(-1) ?? []), ...(byLine.get(first) ?? []), ...atEnd]) {
      if (suppression.codes === undefined) {
        // A comment for every rule does not hide that it is idle itself.
        if (rule === unusedSuppression) continue;
        used.add(suppression);
        found = true;
      } else {
        for (const code of suppression.codes) {
          if (specificity(code.code, rule) === 0) continue;
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
    unused.push(...unusedFindings(parsed.text, lines, suppression, used, rules, isActive));
  }
  return [...kept, ...unused.filter((finding) => !suppressed(finding))];
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
    if (used.has(code)) return false;
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
export function suppressionEdit(parsed: ParsedConfig, path: string, finding: Pick<Finding, 'code' | 'range'>): TextEdit | undefined {
  const marker = commentMarker(parsed.format, path);
  if (marker === undefined) return undefined;
  const lines = new LineIndex(parsed.text);
  const line = lines.positionAt(finding.range.start).line;
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
