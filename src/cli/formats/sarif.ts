import { relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { documentationOf } from '../../features/diagnostics.ts';
import { rules } from '../../rules/registry.ts';
import type { Rule } from '../../rules/rule.ts';
import type { Finding, Severity } from '../../text/finding.ts';
import { LineIndex } from '../../text/lineIndex.ts';
import type { Range } from '../../text/range.ts';
import { fingerprint } from '../baseline.ts';
import { slashes } from '../files.ts';
import { type FileReport, linesOf, type Report, regionOf } from '../report.ts';
import { ruleMarkdown } from '../ruleText.ts';

const levels: Readonly<Record<Severity, 'error' | 'warning' | 'note'>> = {
  error: 'error',
  warning: 'warning',
  information: 'note',
  hint: 'note',
};

/** SARIF 2.1.0 (https://docs.oasis-open.org/sarif/sarif/v2.1.0/), as GitHub code scanning and other viewers read it. */
export function renderSarif(report: Report, version: string, homepage: string): string {
  const base = process.cwd();
  const used = rules.filter((rule) => report.files.some((file) => file.findings.some((finding) => finding.code === rule.code)));
  const indexOf = new Map(used.map((rule, index) => [rule.code as string, index]));
  const log = {
    $schema: 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'Headwise', semanticVersion: version, informationUri: homepage, rules: used.map(descriptor) } },
        columnKind: 'utf16CodeUnits',
        originalUriBaseIds: { SRCROOT: { uri: directoryUri(base) } },
        invocations: [
          {
            executionSuccessful: !report.unread.some(({ named }) => named),
            toolExecutionNotifications: report.unread.map(({ file, reason }) => ({
              level: 'warning',
              message: { text: `${file} was not read. ${reason}` },
            })),
          },
        ],
        results: report.files.flatMap((file) => file.findings.map((finding) => result(file, finding, base, indexOf))),
      },
    ],
  };
  return `${JSON.stringify(log, null, 2)}\n`;
}

function descriptor(rule: Rule) {
  const url = documentationOf(rule);
  return {
    id: rule.code,
    name: rule.name.replace(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    shortDescription: { text: rule.docs.what },
    fullDescription: { text: `${rule.docs.what} ${rule.docs.why}` },
    help: { text: `${rule.docs.what} ${rule.docs.why}`, markdown: ruleMarkdown(rule) },
    helpUri: url,
    defaultConfiguration: { level: levels[rule.severity] },
    properties: { tags: [rule.category] },
  };
}

function result(file: FileReport, finding: Finding, base: string, indexOf: ReadonlyMap<string, number>) {
  const lines = linesOf(file);
  const artifactLocation = locationOf(file, base);
  const fixes = finding.fixes.filter((fix) => fix.edits.length > 0);
  const index = indexOf.get(finding.code);
  return {
    ruleId: finding.code,
    ...(index === undefined ? {} : { ruleIndex: index }),
    level: levels[finding.severity],
    message: { text: finding.message },
    locations: [{ physicalLocation: { artifactLocation, region: region(lines, finding.range) } }],
    ...(finding.related.length === 0
      ? {}
      : {
          relatedLocations: finding.related.map((related, id) => ({
            id,
            message: { text: related.message },
            physicalLocation:
              related.file === undefined
                ? { artifactLocation, region: region(lines, related.range) }
                : {
                    artifactLocation: locationOf({ file: related.file.uri, path: resolve(related.file.uri) }, base),
                    region: region(new LineIndex(related.file.text), related.range),
                  },
          })),
        }),
    partialFingerprints: { 'headwise/v1': fingerprint(file, finding) },
    ...(fixes.length === 0
      ? {}
      : {
          fixes: fixes.map((fix) => ({
            description: { text: fix.title },
            artifactChanges: [
              {
                artifactLocation,
                replacements: fix.edits.map((edit) => ({
                  deletedRegion: region(lines, edit.range),
                  insertedContent: { text: edit.newText },
                })),
              },
            ],
          })),
        }),
  };
}

/** SARIF has the names startLine and startColumn where this project says line and column. */
function region(lines: LineIndex, range: Range) {
  const { line, column, endLine, endColumn } = regionOf(lines, range);
  return { startLine: line, startColumn: column, endLine, endColumn };
}

function locationOf(file: Pick<FileReport, 'file' | 'path'>, base: string) {
  if (file.path === undefined) return { uri: encodePath(file.file) };
  const below = slashes(relative(base, file.path));
  if (below.startsWith('../') || below.includes(':')) return { uri: pathToFileURL(file.path).href };
  return { uri: encodePath(below), uriBaseId: 'SRCROOT' };
}

const encodePath = (path: string): string => path.split('/').map(encodeURIComponent).join('/');

const directoryUri = (path: string): string => pathToFileURL(path).href.replace(/\/?$/, '/');
