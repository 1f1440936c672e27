import { LineIndex } from '../../text/lineIndex.ts';
import { linesOf, printedSeverity, type Report, regionOf } from '../report.ts';

const commands = { error: 'error', warning: 'warning', information: 'notice' } as const;

/** GitHub Actions workflow commands: one annotation for each finding. */
export function* renderGithub(report: Report, nameOf: (file: string, path: string | undefined) => string): Generator<string> {
  for (const file of report.files) {
    const lines = linesOf(file);
    for (const finding of file.findings) {
      const region = regionOf(lines, finding.range);
      const properties: Record<string, string | number> = {
        file: nameOf(file.file, file.path),
        line: region.line,
        endLine: region.endLine,
      };
      // GitHub refuses columns on an annotation of several lines.
      if (region.line === region.endLine) {
        properties.col = region.column;
        properties.endColumn = region.endColumn;
      }
      properties.title = `${finding.code} ${finding.rule}`;
      const list = Object.entries(properties).map(([key, value]) => `${key}=${escapeProperty(String(value))}`);
      const related = finding.related.map(({ message, range, file: other }) =>
        other === undefined ? message : `${other.uri}:${new LineIndex(other.text).positionAt(range.start).line + 1}: ${message}`,
      );
      yield `::${commands[printedSeverity(finding.severity)]} ${list.join(',')}::${escapeData([finding.message, ...related].join('\n'))}\n`;
    }
  }
  for (const { file, reason } of report.unread) {
    yield `::warning file=${escapeProperty(file)},title=Not read::${escapeData(reason)}\n`;
  }
}

/** https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts */
const escapeData = (text: string): string => text.replace(/%/g, '%25').replace(/\r/g, '%0D').replace(/\n/g, '%0A');
const escapeProperty = (text: string): string => escapeData(text).replace(/:/g, '%3A').replace(/,/g, '%2C');
