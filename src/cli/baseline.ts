import { createHash } from 'node:crypto';
import type { Finding } from '../text/finding.ts';
import { type FileReport, linesOf } from './report.ts';

/** A longer line is most likely the whole document: what is near the finding identifies it better. */
const longLine = 200;

/**
 * Identifies a finding by its rule and the text it stands on, not by its line number or message, so that it survives moved lines,
 * changed indentation and reworded rules. Equal findings of one file share a fingerprint; how many there are counts.
 */
export function fingerprint(file: FileReport, finding: Finding): string {
  const lines = linesOf(file);
  const line = lines.positionAt(finding.range.start).line;
  const start = lines.lineStart(line);
  const whole = file.text.slice(start, lines.lineStart(line + 1));
  const text =
    whole.length <= longLine
      ? whole
      : file.text.slice(Math.max(start, finding.range.start - 60), Math.min(finding.range.end, finding.range.start + 140));
  const normal = text.replace(/\s+/g, ' ').trim().replace(/,$/, '');
  return createHash('sha256').update(`${finding.code}\0${normal}`).digest('hex').slice(0, 16);
}

export interface BaselineEntry {
  readonly file: string;
  readonly code: string;
  readonly fingerprint: string;
  readonly count: number;
}

/** Findings that were there before; file names relative to the baseline's own directory. */
export interface Baseline {
  readonly version: 1;
  readonly findings: readonly BaselineEntry[];
}

export function makeBaseline(files: readonly FileReport[], nameOf: (file: FileReport) => string): Baseline {
  const entries = new Map<string, { file: string; code: string; fingerprint: string; count: number }>();
  for (const file of files) {
    const name = nameOf(file);
    for (const finding of file.findings) {
      const id = fingerprint(file, finding);
      const key = `${name}\0${id}`;
      const entry = entries.get(key);
      if (entry === undefined) entries.set(key, { file: name, code: finding.code, fingerprint: id, count: 1 });
      else entry.count++;
    }
  }
  const order = (a: BaselineEntry, b: BaselineEntry): number =>
    a.file !== b.file
      ? a.file < b.file
        ? -1
        : 1
      : a.code !== b.code
        ? a.code < b.code
          ? -1
          : 1
        : a.fingerprint < b.fingerprint
          ? -1
          : 1;
  return { version: 1, findings: [...entries.values()].sort(order) };
}

/** Reads a baseline file's text. Throws Error with a sentence for the user. */
export function parseBaseline(text: string): Baseline {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`It is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  const root = value as { readonly version?: unknown; readonly findings?: unknown } | null;
  if (typeof root !== 'object' || root === null || root.version !== 1 || !Array.isArray(root.findings)) {
    throw new Error('It is not a baseline of version 1, which --write-baseline writes.');
  }
  const findings = root.findings.filter(
    (entry: Partial<BaselineEntry> | null): entry is BaselineEntry =>
      typeof entry?.file === 'string' &&
      typeof entry.code === 'string' &&
      typeof entry.fingerprint === 'string' &&
      Number.isInteger(entry.count),
  );
  return { version: 1, findings };
}

/** The reports without what the baseline holds, and how many findings that took out. */
export function subtractBaseline(
  files: readonly FileReport[],
  baseline: Baseline,
  nameOf: (file: FileReport) => string,
): { readonly files: readonly FileReport[]; readonly known: number } {
  const left = new Map(baseline.findings.map((entry) => [`${entry.file}\0${entry.fingerprint}`, entry.count]));
  let known = 0;
  const reports = files.map((file) => {
    const name = nameOf(file);
    const findings = file.findings.filter((finding) => {
      const key = `${name}\0${fingerprint(file, finding)}`;
      const count = left.get(key) ?? 0;
      if (count === 0) return true;
      left.set(key, count - 1);
      known++;
      return false;
    });
    return findings.length === file.findings.length ? file : { ...file, findings };
  });
  return { files: reports, known };
}
