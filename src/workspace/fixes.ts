import type { TextEdit } from '../text/edit.ts';
import type { Finding } from '../text/finding.ts';

/**
 * The edits that `source.fixAll.headwise` and `--fix` apply in one pass: of each finding its first safe fix
 * (with `unsafe`, its first fix), skipping one that touches text another already changes; a further pass sees to it.
 */
export function fixEdits(findings: readonly Finding[], options: { readonly unsafe?: boolean } = {}): TextEdit[] {
  const taken: TextEdit[] = [];
  for (const finding of findings) {
    const fix = finding.fixes.find((candidate) => candidate.edits.length > 0 && (candidate.safe || options.unsafe === true));
    if (fix === undefined || fix.edits.some((edit) => taken.some((other) => collides(edit, other)))) continue;
    taken.push(...fix.edits);
  }
  return taken.sort((a, b) => a.range.start - b.range.start || a.range.end - b.range.end);
}

/** Touching counts too: two insertions at one place have no order, and a deletion may reach a neighbour's comma. */
const collides = (a: TextEdit, b: TextEdit): boolean => a.range.start <= b.range.end && b.range.start <= a.range.end;
