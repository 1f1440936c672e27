import type { Rule } from '../rules/rule.ts';
import type { Severity } from '../text/finding.ts';
import type { Settings } from './settings.ts';

/** What a setting or a suppression may call a rule: its code, a prefix of it (`HW1`), its name, its category, or `*` for all. */
export type RuleSelector = string;

type NamedRule = Pick<Rule, 'code' | 'name' | 'category'>;

/** How exactly `selector` names `rule`; 0 when it does not. Larger is more specific: category and `*` < prefix < code or name. */
export function specificity(selector: RuleSelector, rule: NamedRule): number {
  if (selector === '*') return 1;
  if (selector === rule.category) return 2;
  if (selector === rule.name) return 100;
  const code = selector.toUpperCase();
  if (code === rule.code) return 100;
  return code.length >= 2 && rule.code.startsWith(code) ? code.length + 2 : 0;
}

export const selects = (selectors: readonly RuleSelector[], rule: NamedRule): boolean =>
  selectors.some((selector) => specificity(selector, rule) > 0);

/** The level that the settings give to a rule; undefined where they say nothing and the rule's own severity holds. */
export function levelOf(rule: NamedRule, levels: Settings['rules']): Severity | 'off' | undefined {
  let best = 0;
  let level: Severity | 'off' | undefined;
  for (const [selector, value] of Object.entries(levels)) {
    const score = specificity(selector, rule);
    if (score > best) {
      best = score;
      level = value;
    }
  }
  return level;
}

/** True for a selector that names at least one rule. */
export const isKnownSelector = (selector: RuleSelector, all: readonly NamedRule[]): boolean =>
  all.some((rule) => specificity(selector, rule) > 0);

/** The names nearest to `wanted`, nearest first; only those near enough to be what was meant. */
export function nearest(wanted: string, names: Iterable<string>, count = 3): string[] {
  const limit = Math.max(1, Math.floor(wanted.length / 3));
  const scored: { readonly name: string; readonly distance: number }[] = [];
  for (const name of new Set(names)) {
    const distance = editDistance(wanted.toLowerCase(), name.toLowerCase(), limit);
    if (distance <= limit) scored.push({ name, distance });
  }
  return scored
    .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
    .slice(0, count)
    .map(({ name }) => name);
}

/** Insertions, deletions, replacements and swaps of neighbours between two words; `limit + 1` as soon as it exceeds the limit. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min((previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1, (previous[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, (before[j - 2] ?? 0) + 1);
      current.push(cost);
    }
    before = previous;
    previous = current;
  }
  return previous[b.length] ?? limit + 1;
}
