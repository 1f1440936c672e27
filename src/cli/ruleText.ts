import type { Rule, RuleExample } from '../rules/rule.ts';

/** A rule's page, as in docs/rules. */
export function ruleMarkdown(rule: Rule): string {
  const { docs } = rule;
  const out = [
    `# ${rule.code}: ${rule.name}`,
    '',
    `Severity: ${rule.severity}. Category: ${rule.category}. Since ${rule.since}.`,
    '',
    '## What it reports',
    '',
    docs.what,
    '',
    '## Why',
    '',
    docs.why,
    '',
    '## Examples',
    '',
    ...docs.bad.flatMap((example) => ['Reported:', '', ...fence(example), '']),
    ...docs.good.flatMap((example) => ['Not reported:', '', ...fence(example), '']),
  ];
  if (docs.fixSafety !== undefined) out.push('## Fix', '', docs.fixSafety, '');
  if (docs.references.length > 0) {
    out.push(
      '## References',
      '',
      ...docs.references.map((reference) => `- ${/^https?:/.test(reference) ? `<${reference}>` : reference}`),
      '',
    );
  }
  return `${out.join('\n').trimEnd()}\n`;
}

function fence(example: RuleExample): string[] {
  const language = example.language === 'gin' ? 'python' : example.language;
  return [`\`\`\`${language}`, example.code.trimEnd(), '```'];
}
