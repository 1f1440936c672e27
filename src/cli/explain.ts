import { documentationOf } from '../features/diagnostics.ts';
import { rules } from '../rules/registry.ts';
import type { Rule } from '../rules/rule.ts';
import { nearest } from '../text/nearest.ts';
import { column, lastOf, type ParsedOptions, UsageError, wrap } from './options.ts';
import type { Output } from './output.ts';
import { ruleMarkdown } from './ruleText.ts';

/** `headwise explain CODE`. Throws UsageError for a rule that does not exist. */
export async function explain(options: ParsedOptions, output: Output): Promise<number> {
  const [wanted, ...others] = options.positionals;
  if (wanted === undefined || others.length > 0) throw new UsageError('Name one rule: headwise explain HW101. headwise rules lists them.');
  const rule = rules.find((candidate) => candidate.code === wanted.toUpperCase() || candidate.name === wanted.toLowerCase());
  if (rule === undefined) throw new UsageError(unknownRule(wanted));
  const format = lastOf(options, 'format') ?? 'text';
  if (format === 'json') output.write(`${JSON.stringify(ruleJson(rule), null, 2)}\n`);
  else output.write(format === 'markdown' ? ruleMarkdown(rule) : ruleText(rule));
  return 0;
}

/** `headwise rules`. */
export async function listRules(options: ParsedOptions, output: Output): Promise<number> {
  if (options.positionals.length > 0) throw new UsageError('headwise rules takes no argument. For one rule: headwise explain RULE');
  const format = lastOf(options, 'format') ?? 'text';
  if (format === 'json') output.write(`${JSON.stringify(rules.map(ruleJson), null, 2)}\n`);
  else if (format === 'markdown') output.write(rulesTable(rules, documentationOf));
  else {
    const width = Math.max(...rules.map((rule) => rule.name.length));
    for (const rule of rules) {
      const head = `${rule.code}  ${rule.severity.padEnd(11)}  ${rule.name.padEnd(width)}  `;
      output.write(`${head}${rule.docs.what}\n`);
    }
  }
  return 0;
}

/** One row for each rule, the code linked by `link`. */
export function rulesTable(list: readonly Rule[], link: (rule: Rule) => string): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|');
  const rows = list.map(
    (rule) => `| [${rule.code}](${link(rule)}) | ${rule.name} | ${rule.category} | ${rule.severity} | ${cell(rule.docs.what)} |\n`,
  );
  return `| Code | Name | Category | Severity | Reports |\n| --- | --- | --- | --- | --- |\n${rows.join('')}`;
}

function unknownRule(wanted: string): string {
  const prefixed = rules.filter((rule) => rule.code.startsWith(wanted.toUpperCase())).map((rule) => rule.code);
  const near =
    prefixed.length > 0 ? prefixed.slice(0, 5) : nearest(wanted, [...rules.map((rule) => rule.code), ...rules.map((rule) => rule.name)]);
  const byWord =
    near.length > 0
      ? near
      : rules
          .filter((rule) => rule.name.includes(wanted.toLowerCase()))
          .map((rule) => rule.name)
          .slice(0, 5);
  return `No rule is called ${JSON.stringify(wanted)}. ${byWord.length === 0 ? 'headwise rules lists them.' : `Did you mean ${byWord.join(', ')}?`}`;
}

function ruleJson(rule: Rule) {
  const { code, name, category, severity, since, docs, messages } = rule;
  return { code, name, category, severity, since, url: documentationOf(rule), ...docs, messages };
}

function ruleText(rule: Rule): string {
  const { docs } = rule;
  const indent = '  ';
  const examples = (title: string, list: Rule['docs']['bad']): string[] =>
    list.flatMap((example) => [
      '',
      `${title} (${example.language}):`,
      ...example.code
        .trimEnd()
        .split('\n')
        .map((line) => indent + line),
    ]);
  return `${[
    `${rule.code} ${rule.name}`,
    `${rule.severity}, ${rule.category}, since ${rule.since}`,
    '',
    ...wrap(docs.what, ''),
    '',
    ...wrap(docs.why, ''),
    ...examples('Reported', docs.bad),
    ...examples('Not reported', docs.good),
    ...(docs.fixSafety === undefined ? [] : ['', ...column('Fix: ', docs.fixSafety, 5)]),
    ...(docs.references.length === 0 ? [] : ['', 'References:', ...docs.references.map((reference) => indent + reference)]),
    '',
    `${documentationOf(rule)}`,
  ].join('\n')}\n`;
}
