import { rules } from '../rules/registry.ts';
import type { Rule } from '../rules/rule.ts';
import type { ParsedConfig } from '../syntax/node.ts';
import type { Finding } from '../text/finding.ts';
import { matchesGlob } from './ignore.ts';
import { levelOf, selects } from './levels.ts';
import type { Settings } from './settings.ts';
import { applySuppressions } from './suppress.ts';

export { matchesGlob };

/** True when settings say that this file is not read at all. */
export const isExcluded = (path: string, settings: Settings): boolean => settings.exclude.some((glob) => matchesGlob(glob, path));

/** The model type that settings give this file, where the file itself says none. The last glob that matches wins. */
export function familyOf(path: string, settings: Settings): string | undefined {
  let family: string | undefined;
  for (const [glob, name] of Object.entries(settings.families)) if (matchesGlob(glob, path)) family = name;
  return family;
}

/**
 * Where the configuration lies whose numbers hold for model code at this path, relative to the same root or absolute: the one that settings
 * choose, else the `config.json` beside it. Undefined where settings say that none does.
 */
export function configFor(path: string, settings: Settings): string | undefined {
  let chosen: string | undefined;
  for (const [glob, config] of Object.entries(settings.configs)) if (matchesGlob(glob, path)) chosen = config;
  if (chosen !== undefined) return chosen === '' ? undefined : chosen;
  return `${path.slice(0, path.lastIndexOf('/') + 1)}config.json`;
}

let rulesByCode: ReadonlyMap<string, Rule> | undefined;
const ruleOf = (code: string): Rule | undefined => {
  rulesByCode ??= new Map(rules.map((rule) => [rule.code, rule]));
  return rulesByCode.get(code);
};

/**
 * What is left of the rules' findings, at the severities the user asked for: without those that a setting or a comment takes out, and
 * with one for each comment that takes out nothing. A severity from the settings replaces the rule's own in every case it reports.
 * Order is kept.
 */
export function filterFindings(findings: readonly Finding[], parsed: ParsedConfig, path: string, settings: Settings): Finding[] {
  const ignored = Object.entries(settings.perFileIgnores)
    .filter(([glob]) => matchesGlob(glob, path))
    .flatMap(([, selectors]) => selectors);
  const isActive = (rule: Rule): boolean => !selects(ignored, rule) && levelOf(rule, settings.rules) !== 'off';
  const active = findings.filter((finding) => {
    const rule = ruleOf(finding.code);
    return rule === undefined || isActive(rule);
  });
  const left = applySuppressions(parsed, active, rules, isActive);
  return left
    .map((finding) => {
      const rule = ruleOf(finding.code);
      const level = rule === undefined ? undefined : levelOf(rule, settings.rules);
      return level === undefined || level === 'off' || level === finding.severity ? finding : { ...finding, severity: level };
    })
    .sort((a, b) => a.range.start - b.range.start || a.range.end - b.range.end || (a.code < b.code ? -1 : a.code > b.code ? 1 : 0));
}
