import type { ConfigFormat, ParsedConfig } from '../syntax/node.ts';
import type { TextEdit } from '../text/edit.ts';
import type { Finding } from '../text/finding.ts';
import { LineIndex } from '../text/lineIndex.ts';
import { overlaps, type Range } from '../text/range.ts';
import type { Analysis } from '../workspace/analyse.ts';
import { fixEdits } from '../workspace/fixes.ts';
import { english, type Translate } from './messages.ts';

export interface Action {
  readonly title: string;
  readonly kind: 'quickfix' | 'source.fixAll.headwise';
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
    const suppression = suppress(analysis.parsed, finding, options, t);
    if (suppression !== undefined) suppressions.push(suppression);
  }
  return [...fixes, ...suppressions];
}

/** One action that applies every safe fix of the file; undefined when there is none. */
export function fixAll(analysis: Analysis, t: Translate = english): Action | undefined {
  const edits = fixEdits(analysis.findings);
  if (edits.length === 0) return undefined;
  return {
    title: t('Fix all safe Headwise problems'),
    kind: 'source.fixAll.headwise',
    findings: analysis.findings.filter((finding) => finding.fixes.some((fix) => fix.safe)),
    edits,
    preferred: false,
  };
}

const commentMarker = (format: ConfigFormat, languageId: string | undefined): string | undefined => {
  if (format !== 'json') return '#';
  return languageId === 'jsonc' || languageId === 'json5' ? '//' : languageId === 'yaml' ? '#' : undefined;
};

function suppress(parsed: ParsedConfig, finding: Finding, options: ActionOptions, t: Translate): Action | undefined {
  const { code } = finding;
  const marker = commentMarker(parsed.format, options.languageId);
  const base = { kind: 'quickfix', findings: [finding], preferred: false } as const;
  if (marker === undefined) {
    if (options.canIgnoreInSettings !== true) return undefined;
    return { ...base, title: t('Ignore {code} in this file (workspace setting)', { code }), edits: [], ignore: { code } };
  }
  const index = new LineIndex(parsed.text);
  const { line } = index.positionAt(finding.range.end);
  const end = lineEnd(parsed.text, index.lineStart(line));
  const extended = extendComment(parsed, index, line, code);
  const title = t('Ignore {code} on this line', { code });
  if (extended !== undefined) return { ...base, title, edits: [extended] };
  if (parsed.format === 'shell') {
    // Arguments stand in continued commands and quoted strings, where a comment would end or join them: only the file's top is safe.
    const top = parsed.text.startsWith('#!') ? index.lineStart(1) : 0;
    const edit = { range: { start: top, end: top }, newText: `# headwise: ignore-file[${code}]\n` };
    return { ...base, title: t('Ignore {code} in this file', { code }), edits: [edit] };
  }
  // A line that already ends in another comment takes the directive into that comment: `#` starts one only once.
  const newText = `${endsInComment(parsed, index, line) ? ' ' : '  '}${marker} headwise: ignore[${code}]`;
  return { ...base, title, edits: [{ range: { start: end, end }, newText }] };
}

/** Offset after the line's last character that is not white space. */
function lineEnd(text: string, start: number): number {
  let end = start;
  for (let i = start; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit === 10 || unit === 13) break;
    if (unit !== 32 && unit !== 9) end = i + 1;
  }
  return end;
}

const endsInComment = (parsed: ParsedConfig, index: LineIndex, line: number): boolean =>
  parsed.comments.some((comment) => index.positionAt(comment.range.start).line === line);

/** `ignore[HW101]` on this line already: the code joins its list. */
function extendComment(parsed: ParsedConfig, index: LineIndex, line: number, code: string): TextEdit | undefined {
  for (const comment of parsed.comments) {
    if (index.positionAt(comment.range.start).line !== line) continue;
    const text = parsed.text.slice(comment.range.start, comment.range.end);
    const found = /headwise:\s*ignore\s*\[[^\]]*(?=\])/.exec(text);
    if (found === null) continue;
    const at = comment.range.start + found.index + found[0].length;
    return { range: { start: at, end: at }, newText: `, ${code}` };
  }
  return undefined;
}
