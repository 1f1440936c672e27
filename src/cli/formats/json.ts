import { LineIndex } from '../../text/lineIndex.ts';
import { linesOf, printedSeverity, type Report, regionOf, shownFinding } from '../report.ts';

/** `model.ipynb:cell 3` as file and cell. */
function placeOf(name: string): { readonly file: string; readonly cell?: number } {
  const [, file, cell] = /^(.*\.ipynb):cell (\d+)$/i.exec(name) ?? [];
  return file === undefined ? { file: name } : { file, cell: Number(cell) };
}

/**
 * The report as one JSON document of version 1; lines and columns from 1, columns in UTF-16 units, ends exclusive. In a notebook they
 * are those of the cell, which is counted from 1.
 */
export function renderJson(report: Report): string {
  const findings = report.files.flatMap((whole) =>
    whole.findings.map((found) => {
      const { file, finding, cell } = shownFinding(whole, found);
      const lines = linesOf(file);
      return {
        file: whole.file,
        ...(cell === undefined ? {} : { cell }),
        ...regionOf(lines, finding.range),
        code: finding.code,
        rule: finding.rule,
        severity: printedSeverity(finding.severity),
        message: finding.message,
        related: finding.related.map((related) => ({
          ...placeOf(related.file?.uri ?? file.file),
          ...regionOf(related.file === undefined ? lines : new LineIndex(related.file.text), related.range),
          message: related.message,
        })),
        fixes: finding.fixes.map((fix) => ({
          title: fix.title,
          safe: fix.safe,
          edits: fix.edits.map((edit) => ({ ...regionOf(lines, edit.range), newText: edit.newText })),
        })),
      };
    }),
  );
  const unread = report.unread.map(({ file, reason }) => ({ file, reason }));
  return `${JSON.stringify({ version: 1, files: report.filesRead, findings, unread }, null, 2)}\n`;
}
