import type { Finding } from '../../text/finding.ts';
import { LineIndex } from '../../text/lineIndex.ts';
import { count, type FileReport, linesOf, printedSeverity, type Report, shownFinding } from '../report.ts';

export interface TextOptions {
  readonly color: boolean;
  readonly quiet: boolean;
  readonly statistics: boolean;
  /** Whether --fix or --diff was given; otherwise the summary says what they could do. */
  readonly fixing: boolean;
  readonly unsafe: boolean;
}

type Style = 'bold' | 'error' | 'warning' | 'information' | 'faint' | 'help';

const codes: Readonly<Record<Style, string>> = {
  bold: '1',
  error: '1;31',
  warning: '1;33',
  information: '1;36',
  faint: '34',
  help: '1;32',
};

type Paint = (style: Style, text: string) => string;

export function* renderText(report: Report, options: TextOptions): Generator<string> {
  const paint: Paint = options.color ? (style, text) => `\u001b[${codes[style]}m${text}\u001b[0m` : (_, text) => text;
  if (options.statistics) yield* statistics(report, paint);
  else for (const file of report.files) for (const finding of file.findings) yield renderFinding(file, finding, paint);
  if (!options.quiet) yield summary(report, options, paint);
}

/** Text from a file, made safe to print: control characters would drive the terminal. */
export const printable = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced.
  text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '\ufffd');

function renderFinding(report: FileReport, found: Finding, paint: Paint): string {
  const { file, finding } = shownFinding(report, found);
  const severity = printedSeverity(finding.severity);
  const at = linesOf(file).positionAt(finding.range.start);
  const place = paint('bold', `${printable(file.file)}:${at.line + 1}:${at.character + 1}:`);
  const out = [`${place} ${paint(severity, finding.code)} ${paint(severity, severity)}: ${printable(finding.message)}`];
  out.push(...snippet(file, finding, paint));
  for (const related of finding.related) {
    if (related.file === undefined) continue;
    const { line, character } = new LineIndex(related.file.text).positionAt(related.range.start);
    const where = `${related.file.uri}:${line + 1}:${character + 1}`;
    out.push(`   ${paint('faint', '=')} ${paint('bold', 'see')}: ${printable(`${where}: ${related.message}`)}`);
  }
  for (const fix of finding.fixes) {
    if (fix.edits.length === 0) continue;
    const how = fix.safe ? '--fix' : '--unsafe-fixes';
    out.push(`   ${paint('faint', '=')} ${paint('help', 'fix')}: ${printable(fix.title)} (${how})`);
  }
  return `${out.join('\n')}\n\n`;
}

interface Mark {
  readonly line: number;
  readonly start: number;
  /** Column after the last marked character; on a range of several lines the end of its first. */
  readonly end: number;
  readonly message: string;
  readonly primary: boolean;
}

/** Room for source text; longer lines are cut around what is marked. */
const sourceWidth = 110;

function snippet(file: FileReport, finding: Finding, paint: Paint): string[] {
  const lines = linesOf(file);
  const lineText = (line: number): string => file.text.slice(lines.lineStart(line), lines.lineStart(line + 1)).replace(/[\r\n]+$/, '');
  const marks: Mark[] = [
    { range: finding.range, message: '', primary: true },
    ...finding.related.filter(({ file: other }) => other === undefined).map((related) => ({ ...related, primary: false })),
  ].map(({ range, message, primary }) => {
    const start = lines.positionAt(range.start);
    const end = lines.positionAt(range.end);
    const last = end.line === start.line ? end.character : lineText(start.line).trimEnd().length;
    return { line: start.line, start: start.character, end: Math.max(last, start.character + 1), message, primary };
  });
  marks.sort((a, b) => a.line - b.line || Number(b.primary) - Number(a.primary) || a.start - b.start);
  const width = String((marks.at(-1)?.line ?? 0) + 1).length;
  const bar = paint('faint', '|');
  const out = [`${' '.repeat(width)} ${bar}`];
  let shown = -1;
  for (const mark of marks) {
    const text = lineText(mark.line);
    const [from, to] = window(text, mark);
    // A long line is cut differently around each of its marks.
    if (mark.line !== shown || text.length > sourceWidth) {
      if (shown >= 0 && mark.line > shown + 1)
        out.push(paint('faint', `${'.'.repeat(Math.min(3, width + 1)).padEnd(width + 1)}`.trimEnd()));
      const content = `${from > 0 ? '…' : ''}${expand(text.slice(from, to))}${to < text.length ? '…' : ''}`;
      out.push(`${paint('faint', String(mark.line + 1).padStart(width))} ${bar} ${content}`.trimEnd());
      shown = mark.line;
    }
    const before = (from > 0 ? 1 : 0) + columns(text.slice(from, mark.start));
    const length = Math.max(1, columns(text.slice(mark.start, Math.min(mark.end, to))));
    const carets = (mark.primary ? '^' : '-').repeat(length);
    const style: Style = mark.primary ? printedSeverity(finding.severity) : 'faint';
    const label = mark.message === '' ? carets : `${carets} ${printable(mark.message)}`;
    out.push(`${' '.repeat(width)} ${bar} ${' '.repeat(before)}${paint(style, label)}`);
  }
  return out;
}

function window(text: string, mark: Mark): readonly [number, number] {
  if (text.length <= sourceWidth) return [0, text.length];
  const from = Math.max(0, Math.min(mark.start - 40, text.length - sourceWidth));
  return [from, Math.min(text.length, from + sourceWidth)];
}

const expand = (text: string): string => printable(text.replaceAll('\t', '    '));

/** East Asian wide and fullwidth characters take two columns (Unicode UAX #11); combining marks take none. */
const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;

function columns(text: string): number {
  let sum = 0;
  for (const character of expand(text)) sum += wide.test(character) ? 2 : /\p{M}/u.test(character) ? 0 : 1;
  return sum;
}

function* statistics(report: Report, paint: Paint): Generator<string> {
  const rows = new Map<string, { readonly finding: Finding; count: number; fixable: number }>();
  for (const finding of report.files.flatMap((file) => file.findings)) {
    const key = `${finding.code}\0${finding.severity}`;
    const row = rows.get(key) ?? { finding, count: 0, fixable: 0 };
    row.count++;
    if (finding.fixes.some((fix) => fix.safe && fix.edits.length > 0)) row.fixable++;
    rows.set(key, row);
  }
  const sorted = [...rows.values()].sort((a, b) => b.count - a.count || (a.finding.code < b.finding.code ? -1 : 1));
  const width = String(sorted[0]?.count ?? 0).length;
  for (const { finding, count: times, fixable } of sorted) {
    const severity = printedSeverity(finding.severity);
    const mark = fixable === times ? '[*]' : fixable > 0 ? '[-]' : '[ ]';
    yield `${String(times).padStart(width)}  ${paint('bold', finding.code)}  ${mark}  ${paint(severity, severity.padEnd(11))}  ${finding.rule}\n`;
  }
  if (sorted.some(({ fixable }) => fixable > 0)) yield '[*] fixable with --fix, [-] in part\n';
  if (sorted.length > 0) yield '\n';
}

function summary(report: Report, options: TextOptions, paint: Paint): string {
  const findings = report.files.flatMap((file) => file.findings);
  const out: string[] = [];
  if (report.fixed.findings > 0)
    out.push(
      `${options.fixing ? 'Fixed' : 'Would fix'} ${count(report.fixed.findings, 'finding')} in ${count(report.fixed.files, 'file')}.`,
    );
  const read = `Checked ${count(report.filesRead, 'file')} (${count(report.modelFiles, 'model configuration')})`;
  const known = report.known > 0 ? ` ${count(report.known, 'finding')} of the baseline not shown.` : '';
  if (findings.length === 0) out.push(`${read}: ${paint('help', 'no findings')}.${known}`);
  else {
    const parts = (['error', 'warning', 'information'] as const).flatMap((severity) => {
      const number = findings.filter((finding) => printedSeverity(finding.severity) === severity).length;
      if (number === 0) return [];
      return [paint(severity, severity === 'information' ? `${number} information` : count(number, severity))];
    });
    out.push(`${read}: ${parts.join(', ')} in ${count(report.files.length, 'file')}.${known}`);
    const safe = findings.filter((finding) => finding.fixes.some((fix) => fix.safe && fix.edits.length > 0)).length;
    const any = findings.filter((finding) => finding.fixes.some((fix) => fix.edits.length > 0)).length;
    if (!options.fixing && safe > 0)
      out.push(`${safe} fixable with --fix${any > safe ? `, ${any - safe} more with --fix --unsafe-fixes` : ''}.`);
    else if (!options.unsafe && any > safe) out.push(`${any - safe} fixable with --fix --unsafe-fixes, which change the model.`);
  }
  return `${out.join('\n')}\n`;
}
