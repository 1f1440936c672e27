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
