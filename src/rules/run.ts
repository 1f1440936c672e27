import type { ConfigReading } from '../design/design.ts';
import type { CodeReading } from '../interpreter/study.ts';
import { spanIn } from '../syntax/python/ast.ts';
import type { TextEdit } from '../text/edit.ts';
import type { Finding, Related } from '../text/finding.ts';
import { rules } from './registry.ts';
import type { CodeContext, Report, Rule, RuleSettings } from './rule.ts';

/** Fills `{name}` with `data.name`; numbers are written plainly, without separators, as in the file. */
export const fillTemplate = (template: string, data: Readonly<Record<string, string | number>>): string =>
  template.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = data[name];
    return value === undefined ? whole : String(value);
  });

/** Every finding of every rule for one file, in source order. Severities are the rules' own. */
export function runRules(reading: ConfigReading, settings: RuleSettings): Finding[] {
  const findings: Finding[] = [];
  for (const rule of rules) {
    const context = { reading, settings, report: (report: Report<string>) => findings.push(toFinding(rule, report)) };
    rule.checkFile?.(context);
    if (rule.checkDesign !== undefined) for (const design of reading.designs) rule.checkDesign(design, context);
  }
  return inOrder(findings);
}

/** Every finding of every rule about model code for one file, in source order. */
export function runCodeRules(code: CodeReading, settings: RuleSettings): Finding[] {
  const findings: Finding[] = [];
  const rangeOf: CodeContext<string>['rangeOf'] = (site) => (site?.file === code.file ? spanIn(site.unit, site.node) : undefined);
  for (const rule of rules) {
    rule.checkCode?.({ code, settings, rangeOf, report: (report: Report<string>) => findings.push(toFinding(rule, report)) });
  }
  return inOrder(findings);
}

function inOrder(findings: Finding[]): Finding[] {
  findings.sort((a, b) => a.range.start - b.range.start || a.range.end - b.range.end || (a.code < b.code ? -1 : a.code > b.code ? 1 : 0));
  // Stacks that share a key (an encoder and a decoder of one width, instances of a class with its defaults) say the same of it.
  const seen = new Set<string>();
  return findings.filter(({ code, message, range }) => {
    const key = `${code} ${range.start} ${range.end} ${message}`;
    return !seen.has(key) && seen.add(key);
  });
}

function toFinding(rule: Rule, report: Report<string>): Finding {
  const related: Related[] = [];
  for (const { range, message } of report.related ?? []) if (range !== undefined) related.push({ range, message });
  return {
    code: rule.code,
    rule: rule.name,
    severity: report.severity ?? rule.severity,
    message: fillTemplate(rule.messages[report.message] ?? report.message, report.data ?? {}),
    range: report.at,
    related,
    fixes: (report.fixes ?? []).map((fix) => ({ ...fix, edits: distinct(fix.edits) })),
    tags: report.tags ?? [],
  };
}

/** One edit where two numbers are one text: a rule that sets both would write it twice. */
const distinct = (edits: readonly TextEdit[]): readonly TextEdit[] =>
  edits.filter(
    (edit, i) =>
      !edits
        .slice(0, i)
        .some(({ range, newText }) => range.start === edit.range.start && range.end === edit.range.end && newText === edit.newText),
  );
