/** Each line of a code that ends in `# HW123` has that finding as an error or a warning, and no other line has one. */
import assert from 'node:assert/strict';
import type { Finding } from '../../../src/text/finding.ts';
import { LineIndex } from '../../../src/text/lineIndex.ts';
import { analyse } from '../../../src/workspace/analyse.ts';
import { type PythonReader, pythonReader } from '../../../src/workspace/python.ts';
import { defaultSettings } from '../../../src/workspace/settings.ts';
import { pythonParser } from '../../unit/python/parser.ts';

let python: PythonReader;
before(async () => {
  python = pythonReader(await pythonParser());
});

/** All findings in a text of model code. */
export const findingsIn = (text: string): readonly Finding[] => analyse({ text, path: 'model.py', python }, defaultSettings).findings;

/** The one mistake stands on the line that ends in `# here`: the rules about shapes say it there, and nothing elsewhere. */
export function expectHere(text: string): void {
  const lines = new LineIndex(text);
  const found = findingsIn(text).filter(({ code }) => /^HW2[123]\d$/.test(code));
  const seen = [...new Set(found.map(({ range }) => lines.positionAt(range.start).line + 1))];
  const expected = text.split('\n').flatMap((line, i) => (line.endsWith('# here') ? [i + 1] : []));
  assert.deepEqual(seen, expected, found.map(({ code, message }) => `${code} ${message}`).join('\n'));
}

const isAlarm = ({ severity }: Finding): boolean => severity === 'error' || severity === 'warning';

/** Those that `counts` alone, whatever their severity, where it is given. */
export function expectAtLines(text: string, counts: (finding: Finding) => boolean = isAlarm): void {
  const expected = text.split('\n').flatMap((line, i) => {
    const mark = /#\s*((?:HW\d+\s*)+)$/.exec(line);
    return (mark?.[1] ?? '')
      .split(/\s+/)
      .filter(Boolean)
      .map((code) => `${i + 1} ${code}`);
  });
  const lines = new LineIndex(text);
  const found = findingsIn(text).filter(counts);
  const seen = [...new Set(found.map(({ code, range }) => `${lines.positionAt(range.start).line + 1} ${code}`))];
  assert.deepEqual(seen.sort(), expected.sort(), found.map(({ code, message }) => `${code} ${message}`).join('\n'));
}
