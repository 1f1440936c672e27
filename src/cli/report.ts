import type { Finding, Severity } from '../text/finding.ts';
import { LineIndex } from '../text/lineIndex.ts';
import type { Range } from '../text/range.ts';
import type { CellFinding } from '../workspace/notebook.ts';
import type { Unread } from './files.ts';

/** One file that was looked at, as the formats need it. */
export interface FileReport {
  readonly file: string;
  /** Absolute path; undefined for standard input without a name. */
  readonly path: string | undefined;
  readonly text: string;
  readonly isModel: boolean;
  readonly findings: readonly Finding[];
  /** Of a notebook: each finding in its cell. */
  readonly cells?: ReadonlyMap<Finding, CellFinding>;
}

/** A finding as a reader looks for it: in a notebook that is in a cell, whose name and text stand for the file's. */
export function shownFinding(
  file: FileReport,
  finding: Finding,
): { readonly file: FileReport; readonly finding: Finding; readonly cell: number | undefined } {
  const place = file.cells?.get(finding);
  if (place === undefined) return { file, finding, cell: undefined };
  const { cell, source, finding: local } = place;
  const name = `${file.file}:cell ${cell}`;
  return { file: { file: name, path: file.path, text: source, isModel: file.isModel, findings: [local] }, finding: local, cell };
}

export interface Report {
  /** Those with findings. */
  readonly files: readonly FileReport[];
  readonly filesRead: number;
  readonly modelFiles: number;
  readonly unread: readonly Unread[];
  /** Findings that the baseline holds. */
  readonly known: number;
  readonly fixed: { readonly findings: number; readonly files: number };
}

/** Lines and columns from 1; columns in UTF-16 units, the end exclusive. */
export interface Region {
  readonly line: number;
  readonly column: number;
  readonly endLine: number;
  readonly endColumn: number;
}

export function regionOf(lines: LineIndex, range: Range): Region {
  const start = lines.positionAt(range.start);
  const end = lines.positionAt(range.end);
  return { line: start.line + 1, column: start.character + 1, endLine: end.line + 1, endColumn: end.character + 1 };
}

const indices = new WeakMap<FileReport, LineIndex>();

export function linesOf(file: FileReport): LineIndex {
  let lines = indices.get(file);
  if (lines === undefined) {
    lines = new LineIndex(file.text);
    indices.set(file, lines);
  }
  return lines;
}

/** Severities as printed: editors' hints count as information. */
export const printedSeverity = (severity: Severity): 'error' | 'warning' | 'information' =>
  severity === 'hint' ? 'information' : severity;

const ranks: Readonly<Record<'error' | 'warning' | 'information', number>> = { error: 3, warning: 2, information: 1 };

export const isAtLeast = (severity: Severity, level: 'error' | 'warning' | 'information'): boolean =>
  ranks[printedSeverity(severity)] >= ranks[level];

/** "1 file", "2 files". */
export const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? '' : 's'}`;
