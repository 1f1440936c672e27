import { LineIndex } from '../../text/lineIndex.ts';
import { linesOf, printedSeverity, type Report, regionOf } from '../report.ts';

/** The report as one JSON document of version 1; lines and columns from 1, columns in UTF-16 units, ends exclusive. */
export function renderJson(report: Report): string {
  const findings = report.files.flatMap((file) => {
    const lines = linesOf(file);
    return file.findings.map((finding) => ({
      file: file.file,
      ...regionOf(lines, finding.range),
      code: finding.code,
      rule: finding.rule,
      severity: printedSeverity(finding.severity),
      message: finding.message,
      related: finding.related.map((related) => ({
        file: related.file?.uri ?? file.file,
        ...regionOf(related.file === undefined ? lines : new LineIndex(related.file.text), related.range),
        message: related.message,
      })),
      fixes: finding.fixes.map((fix) => ({
        title: fix.title,
        safe: fix.safe,
        edits: fix.edits.map((edit) => ({ ...regionOf(lines, edit.range), newText: edit.newText })),
      })),
    }));
  });
  const unread = report.unread.map(({ file, reason }) => ({ file, reason }));
  return `${JSON.stringify({ version: 1, files: report.filesRead, findings, unread }, null, 2)}\n`;
}
