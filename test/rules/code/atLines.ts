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

export function expectAtLines(text: string): void {
  const expected = text.split('\n').flatMap((line, i) => {
    const mark = /#\s*((?:HW\d+\s*)+)$/.exec(line);
    return (mark?.[1] ?? '')
      .split(/\s+/)
      .filter(Boolean)
      .map((code) => `${i + 1} ${code}`);
  });
  const lines = new LineIndex(text);
  const found = findingsIn(text).filter(({ severity }) => severity === 'error' || severity === 'warning');
  const seen = [...new Set(found.map(({ code, range }) => `${lines.positionAt(range.start).line + 1} ${code}`))];
  assert.deepEqual(seen.sort(), expected.sort(), found.map(({ code, message }) => `${code} ${message}`).join('\n'));
}
