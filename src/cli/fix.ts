import { applyEdits, type TextEdit } from '../text/edit.ts';
import type { Finding, Severity } from '../text/finding.ts';
import type { Analysis } from '../workspace/analyse.ts';
import { fixEdits } from '../workspace/fixes.ts';

/** One fix may make room for the next; a file that still changes after this many passes is left as it then is. */
const maximumPasses = 10;

export interface FixResult {
  readonly text: string;
  /** How many fixes were applied. */
  readonly applied: number;
  readonly analysis: Analysis;
}

/**
 * Applies fixes until none is left. A pass that would make the file worse (more findings of a severity, or a mistake of syntax that was
 * not there) is taken back and its fixes are tried one by one. Never throws.
 */
export function fixText(text: string, analyse: (text: string) => Analysis, options: { readonly unsafe: boolean }): FixResult {
  let current = { text, analysis: analyse(text) };
  let applied = 0;
  const seen = new Set([text]);
  const attempt = (edits: readonly TextEdit[]): boolean => {
    const changed = applyEdits(current.text, edits);
    if (seen.has(changed)) return false;
    const analysis = analyse(changed);
    if (isWorse(current.analysis, analysis)) return false;
    seen.add(changed);
    current = { text: changed, analysis };
    return true;
  };
  for (let pass = 0; pass < maximumPasses; pass++) {
    const { findings } = current.analysis;
    const edits = fixEdits(findings, options);
    if (edits.length === 0) break;
    if (attempt(edits)) {
      applied += findings.filter((finding) =>
        finding.fixes.some((fix) => fix.edits.length > 0 && fix.edits.every((edit) => edits.includes(edit))),
      ).length;
      continue;
    }
    // Offsets hold for one edit of this text only, so the first that helps starts the next pass.
    if (!findings.some((finding) => attempt(fixEdits([finding], options)))) break;
    applied++;
  }
  return { ...current, applied };
}

const severities: readonly Severity[] = ['error', 'warning', 'information', 'hint'];

function isWorse(before: Analysis, after: Analysis): boolean {
  if (after.reading === undefined && before.reading !== undefined) return true;
  if (after.parsed.problems.length > before.parsed.problems.length) return true;
  const count = (findings: readonly Finding[], severity: Severity): number =>
    findings.filter((finding) => finding.severity === severity).length;
  for (const severity of severities) {
    const difference = count(after.findings, severity) - count(before.findings, severity);
    if (difference !== 0) return difference > 0;
  }
  return false;
}
