import picomatch from 'picomatch';
import { rules } from '../rules/registry.ts';
import type { ParsedConfig } from '../syntax/node.ts';
import type { Finding, Severity } from '../text/finding.ts';
import { LineIndex } from '../text/lineIndex.ts';
import type { Settings } from './settings.ts';

/** Names by which settings and comments may mean a rule: its code, any prefix of it that keeps a digit (`HW1`), its name, its category, or `*`. */
function matches(selector: string, code: string, rule: string, category: string | undefined): boolean {
  const wanted = selector.trim();
  if (wanted === '*' || wanted === rule || wanted === category) return true;
  return /^HW\d+$/i.test(wanted) && code.startsWith(wanted.toUpperCase());
}

/** How exactly a selector names the rule: a longer prefix beats a shorter one, a name beats a category, anything beats `*`. */
function weight(selector: string, code: string, rule: string): number {
  const wanted = selector.trim();
  if (wanted === '*') return 0;
  if (wanted === rule || wanted.toUpperCase() === code) return 100;
  return /^HW\d+$/i.test(wanted) ? 10 + wanted.length : 5;
}

let categories: ReadonlyMap<string, string> | undefined;
const categoryOf = (code: string): string | undefined => {
  categories ??= new Map(rules.map((rule) => [rule.code, rule.category]));
  return categories.get(code);
};

const matchers = new Map<string, (path: string) => boolean>();

/** Glob as in .gitignore's spirit: one without a slash matches a file of that name at any depth. Case-sensitive; dot files match. */
export function matchesGlob(glob: string, path: string): boolean {
  let matcher = matchers.get(glob);
  if (matcher === undefined) {
    if (matchers.size > 500) matchers.clear();
    try {
      matcher = picomatch(glob.replace(/^\.?\//, ''), { dot: true, basename: !glob.includes('/') });
    } catch {
      matcher = () => false;
    }
    matchers.set(glob, matcher);
  }
  return matcher(path);
}

/** True when settings say that this file is not read at all. */
export const isExcluded = (path: string, settings: Settings): boolean =>
  settings.exclude.some((glob) => matchesGlob(glob, path) || matchesGlob(`${glob.replace(/\/$/, '')}/**`, path));

/** The model type that settings give this file, where the file itself says none. The last glob that matches wins. */
export function familyOf(path: string, settings: Settings): string | undefined {
  let family: string | undefined;
  for (const [glob, name] of Object.entries(settings.families)) if (matchesGlob(glob, path)) family = name;
  return family;
}

/** Selectors that comments switch off, by zero-based line; `file` holds for every line. */
export interface Suppressions {
  readonly file: readonly string[];
  readonly lines: ReadonlyMap<number, readonly string[]>;
}

const directive = /\bheadwise:\s*(ignore-file|ignore)\b(?:\s*\[([^\]]*)\])?/;

/**
 * Reads `headwise: ignore[HW101, HW2]` comments. At a line's end it holds for that line; alone on a line for the next line;
 * `ignore-file[...]` holds for the whole file. Without brackets it means every rule.
 */
export function readSuppressions(parsed: ParsedConfig): Suppressions {
  const file: string[] = [];
  const lines = new Map<number, string[]>();
  let index: LineIndex | undefined;
  for (const comment of parsed.comments) {
    const found = directive.exec(comment.text);
    if (found === null) continue;
    const selectors = (found[2] ?? '*')
      .split(',')
      .map((selector) => selector.trim())
      .filter((selector) => selector !== '');
    if (found[1] === 'ignore-file') {
      file.push(...selectors);
      continue;
    }
    index ??= new LineIndex(parsed.text);
    const { line } = index.positionAt(comment.range.start);
    const alone = parsed.text.slice(index.lineStart(line), comment.range.start).trim() === '';
    const target = alone ? index.positionAt(comment.range.end).line + 1 : line;
    lines.set(target, [...(lines.get(target) ?? []), ...selectors]);
  }
  return { file, lines };
}

/** What is left of the rules' findings, at the severities the user asked for. Order is kept. */
export function filterFindings(findings: readonly Finding[], parsed: ParsedConfig, path: string, settings: Settings): Finding[] {
  if (findings.length === 0) return [];
  const suppressions = readSuppressions(parsed);
  const ignored = Object.entries(settings.perFileIgnores)
    .filter(([glob]) => matchesGlob(glob, path))
    .flatMap(([, selectors]) => selectors);
  const everywhere = [...ignored, ...suppressions.file];
  const levels = Object.entries(settings.rules);
  const index = suppressions.lines.size > 0 ? new LineIndex(parsed.text) : undefined;
  const kept: Finding[] = [];
  for (const finding of findings) {
    const category = categoryOf(finding.code);
    const meant = (selector: string): boolean => matches(selector, finding.code, finding.rule, category);
    if (everywhere.some(meant)) continue;
    if (index !== undefined) {
      const first = index.positionAt(finding.range.start).line;
      const last = index.positionAt(finding.range.end).line;
      if (suppressions.lines.get(first)?.some(meant) || suppressions.lines.get(last)?.some(meant)) continue;
    }
    let severity: Severity | 'off' = finding.severity;
    let best = -1;
    for (const [selector, level] of levels) {
      if (!meant(selector)) continue;
      const exactness = weight(selector, finding.code, finding.rule);
      if (exactness < best) continue;
      best = exactness;
      severity = level;
    }
    if (severity !== 'off') kept.push(severity === finding.severity ? finding : { ...finding, severity });
  }
  return kept;
}
