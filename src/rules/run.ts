import type { ConfigReading } from '../design/design.ts';
import { type CodeReading, readingOf, type Study } from '../interpreter/study.ts';
import type { UnitBody } from '../syntax/python/ast.ts';
import type { TextEdit } from '../text/edit.ts';
import type { Finding, Related } from '../text/finding.ts';
import { type Range, range } from '../text/range.ts';
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

const judged = new WeakMap<Study, { readonly settings: RuleSettings; readonly anchored: readonly Anchored[] }>();

/** A finding of a study, with each of its places as an offset in the statement that holds it: it moves with the statement. */
interface Anchored {
  readonly finding: Finding;
  readonly bodies: readonly UnitBody[];
}

/** Every finding of every rule about model code for one file, in source order. What was found in a study that still holds is kept. */
export function runCodeRules(code: CodeReading, settings: RuleSettings): Finding[] {
  const starts = new Map(code.file.module.units.map(({ start, body }) => [body, start] as const));
  const findings: Finding[] = [];
  const said = new Set<string>();
  // One mistake seen in two studies, with the sizes of each, is one mistake.
  const add = (found: readonly Finding[]): void => {
    const others = found.filter((each) => !said.has(placeOf(each)));
    for (const each of others) said.add(placeOf(each));
    findings.push(...others);
  };
  for (const study of code.studies) {
    let known = judged.get(study);
    if (known?.settings !== settings) {
      code.interpreter.substitution = study.substitution;
      known = { settings, anchored: judge(readingOf(code, study), settings, starts).map((finding) => anchor(code, finding)) };
      judged.set(study, known);
    }
    add(standing(known.anchored, starts));
  }
  for (const study of code.stale ?? []) add(standing(judged.get(study)?.anchored ?? [], starts));
  for (const rule of rules) {
    rule.checkFileCode?.({ code, settings, report: (report: Report<string>) => findings.push(toFinding(rule, report)) });
  }
  return inOrder(withoutRestatements(findings));
}

/** Of two rules that say the same of a place one is enough. */
function withoutRestatements(findings: readonly Finding[]): Finding[] {
  const pairs = rules.flatMap(({ code, restates }) => (restates === undefined ? [] : [[code, restates] as const]));
  const at = (code: string, { range: { start, end } }: Finding): Finding | undefined =>
    findings.find((each) => each.code === code && each.range.start === start && each.range.end === end);
  return findings.filter((finding) =>
    pairs.every(([code, restated]) => {
      if (finding.code !== code && finding.code !== restated) return true;
      const other = at(finding.code === code ? restated : code, finding);
      if (other === undefined) return true;
      const [own, others] = [gravity(finding), gravity(other)];
      return own === others ? finding.code === restated : own > others;
    }),
  );
}

const gravity = ({ severity }: Finding): number => ['hint', 'information', 'warning', 'error'].indexOf(severity);

const placeOf = ({ code, range: { start, end } }: Finding): string => `${code} ${start} ${end}`;

function judge(code: CodeReading, settings: RuleSettings, starts: ReadonlyMap<UnitBody, number>): Finding[] {
  const findings: Finding[] = [];
  const rangeOf: CodeContext<string>['rangeOf'] = (site) => {
    const start = site === undefined ? undefined : starts.get(site.unit.body);
    return site === undefined || start === undefined ? undefined : range(start + site.node.start, start + site.node.end);
  };
  for (const rule of rules) {
    rule.checkCode?.({ code, settings, rangeOf, report: (report: Report<string>) => findings.push(toFinding(rule, report)) });
  }
  const [study] = code.studies;
  if (study?.wiring?.isConfigured !== true || code.settings === undefined) return findings;
  const chosen: Related = { range: range(0, 0), message: 'This configuration chooses the branches.', file: code.settings.file };
  return findings.map((finding) => ({ ...finding, related: [...finding.related, chosen] }));
}

/** The finding with ranges relative to their statements. */
function anchor({ file }: CodeReading, finding: Finding): Anchored {
  const bodies: UnitBody[] = [];
  const { units } = file.module;
  const moved = mapRanges(finding, (at) => {
    const unit = units.findLast(({ start }) => start <= at.start) ?? units[0];
    if (unit === undefined) return at;
    bodies.push(unit.body);
    return range(at.start - unit.start, at.end - unit.start);
  });
  return { finding: moved, bodies };
}

const standing = (anchored: readonly Anchored[], starts: ReadonlyMap<UnitBody, number>): readonly Finding[] =>
  anchored.flatMap(({ finding, bodies }) => place(finding, bodies, starts) ?? []);

/** The finding where its statements stand now; undefined when one of them is gone. */
function place(finding: Finding, bodies: readonly UnitBody[], starts: ReadonlyMap<UnitBody, number>): Finding | undefined {
  let next = 0;
  let isLost = false;
  const placed = mapRanges(finding, (at) => {
    const body = bodies[next++];
    const start = body === undefined ? undefined : starts.get(body);
    if (start === undefined) isLost = true;
    return start === undefined ? at : range(start + at.start, start + at.end);
  });
  return isLost ? undefined : placed;
}

/** The finding with each of its ranges in this file replaced, in a fixed order. */
const mapRanges = (finding: Finding, replace: (at: Range) => Range): Finding => ({
  ...finding,
  range: replace(finding.range),
  related: finding.related.map((related) => (related.file === undefined ? { ...related, range: replace(related.range) } : related)),
  fixes: finding.fixes.map((fix) => ({ ...fix, edits: fix.edits.map((edit) => ({ ...edit, range: replace(edit.range) })) })),
});

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
  for (const { range, message, file } of report.related ?? [])
    if (range !== undefined) related.push(file === undefined ? { range, message } : { range, message, file });
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
