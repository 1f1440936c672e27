import type { TextEdit } from '../text/edit.ts';
import type { Finding } from '../text/finding.ts';
import { LineIndex } from '../text/lineIndex.ts';
import { overlaps, type Range } from '../text/range.ts';
import type { Analysis } from '../workspace/analyse.ts';
import { fixEdits } from '../workspace/fixes.ts';
import { suppressionEdit } from '../workspace/suppress.ts';
import { english, type Translate } from './messages.ts';

export interface Action {
  readonly title: string;
  readonly kind: 'quickfix' | 'refactor.rewrite' | 'source.fixAll.headwise';
  /** The findings it answers. */
  readonly findings: readonly Finding[];
  readonly edits: readonly TextEdit[];
  /** True for the one fix that can be applied without a second thought. */
  readonly preferred: boolean;
  /** Instead of edits: the client stores in its settings that this file does not get these codes. */
  readonly ignore?: { readonly code: string };
}

export interface ActionOptions {
  /** Language of the document where the client names one: `jsonc` may hold comments, `json` may not. */
  readonly languageId?: string;
  /** Whether the client can write settings (`headwise.ignoreInFile`). */
  readonly canIgnoreInSettings?: boolean;
}

/** Quick fixes and suppressions for the findings that touch `at`, in the order an editor should list them. */
export function quickFixes(analysis: Analysis, at: Range, options: ActionOptions, t: Translate = english): Action[] {
  const here = analysis.findings.filter((finding) => overlaps(finding.range, at));
  const fixes: Action[] = [];
  const suppressions: Action[] = [];
  const suppressed = new Set<string>();
  for (const finding of here) {
    const safe = finding.fixes.filter((fix) => fix.safe && fix.edits.length > 0);
    for (const fix of finding.fixes) {
      if (fix.edits.length === 0) continue;
      const preferred = safe.length === 1 && fix === safe[0];
      fixes.push({ title: fix.title, kind: 'quickfix', findings: [finding], edits: fix.edits, preferred });
    }
    const { line } = new LineIndex(analysis.parsed.text).positionAt(finding.range.start);
    if (suppressed.has(`${finding.code}:${line}`)) continue;
    suppressed.add(`${finding.code}:${line}`);
    const suppression = suppress(analysis, finding, options, t);
    if (suppression !== undefined) suppressions.push(suppression);
  }
  return [...fixes, ...suppressions];
}

/** One action that applies every safe fix of the file, or of the part of it that is `shown`; undefined when there is none. */
export function fixAll(analysis: Analysis, t: Translate = english, shown: (range: Range) => boolean = () => true): Action | undefined {
  const findings = analysis.findings.filter(
    ({ range, fixes }) => shown(range) && fixes.every(({ edits }) => edits.every((edit) => shown(edit.range))),
  );
  const edits = fixEdits(findings);
  if (edits.length === 0) return undefined;
  return {
    title: t('Fix all safe Headwise problems'),
    kind: 'source.fixAll.headwise',
    findings: findings.filter((finding) => finding.fixes.some((fix) => fix.safe)),
    edits,
    preferred: false,
  };
}

function suppress(analysis: Analysis, finding: Finding, options: ActionOptions, t: Translate): Action | undefined {
  const { parsed } = analysis;
  const { code } = finding;
  const base = { kind: 'quickfix', findings: [finding], preferred: false } as const;
  const commented = parsed.format !== 'json' || options.languageId === 'jsonc' || options.languageId === 'json5';
  if (!commented) {
    if (options.canIgnoreInSettings !== true) return undefined;
    return { ...base, title: t('Ignore {code} in this file (workspace setting)', { code }), edits: [], ignore: { code } };
  }
  // Shell arguments stand in continued commands and quoted strings, where a comment would end or join them: only the file's top is safe.
  const atLine =
    parsed.format === 'shell' ? undefined : suppressionEdit(parsed, commented && parsed.format === 'json' ? 'x.jsonc' : 'x', finding);
  if (atLine !== undefined) return { ...base, title: t('Ignore {code} on this line', { code }), edits: [atLine] };
  const top = parsed.text.startsWith('#!') ? new LineIndex(parsed.text).lineStart(1) : 0;
  const newText = `${parsed.format === 'json' ? '//' : '#'} headwise: file-ignore[${code}]\n`;
  return { ...base, title: t('Ignore {code} in this file', { code }), edits: [{ range: { start: top, end: top }, newText }] };
}
