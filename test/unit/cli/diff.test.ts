import assert from 'node:assert/strict';
import fc from 'fast-check';
import { unifiedDiff } from '../../../src/cli/diff.ts';

/** Applies a unified diff as patch(1) does, checking every line it removes or keeps. */
function applyPatch(before: string, patch: string): string {
  const old = before.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  const lines = patch.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  const result: string[] = [];
  let at = 0;
  let i = 2;
  while (i < lines.length) {
    const header = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@\n$/.exec(lines[i++] ?? '');
    assert.ok(header !== null, patch);
    const oldCount = Number(header[2] ?? 1);
    const newCount = Number(header[4] ?? 1);
    const start = oldCount === 0 ? Number(header[1]) : Number(header[1]) - 1;
    result.push(...old.slice(at, start));
    at = start;
    assert.equal(result.length, newCount === 0 ? Number(header[3]) : Number(header[3]) - 1, patch);
    let seenOld = 0;
    let seenNew = 0;
    while (seenOld < oldCount || seenNew < newCount) {
      const line = lines[i++] ?? '';
      const open = lines[i]?.startsWith('\\') === true;
      if (open) i++;
      const text = open ? line.slice(1).replace(/\n$/, '') : line.slice(1);
      if (line[0] !== '+') {
        assert.equal(old[at++], text, patch);
        seenOld++;
      }
      if (line[0] !== '-') {
        result.push(text);
        seenNew++;
      }
    }
  }
  return [...result, ...old.slice(at)].join('');
}

describe('unified diffs', () => {
  it('are as diff -u writes them', () => {
    const before = 'a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl\nm\n';
    assert.equal(unifiedDiff(before, before, 'x', 'y'), '');
    assert.equal(
      unifiedDiff(before, before.replace('b\n', 'B\n').replace('l\n', ''), 'x', 'y'),
      '--- x\n+++ y\n@@ -1,5 +1,5 @@\n a\n-b\n+B\n c\n d\n e\n@@ -9,5 +9,4 @@\n i\n j\n k\n-l\n m\n',
    );
    assert.equal(unifiedDiff('a', 'b\n', 'x', 'y'), '--- x\n+++ y\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n');
    assert.equal(unifiedDiff('', 'b\n', 'x', 'y'), '--- x\n+++ y\n@@ -0,0 +1 @@\n+b\n');
  });

  it('turn one text into the other', () => {
    const text = fc
      .array(fc.constantFrom('a\n', 'b\n', 'c\r\n', '\n', 'dd\n'), { maxLength: 40 })
      .chain((lines) => fc.constantFrom(lines.join(''), `${lines.join('')}end`));
    fc.assert(
      fc.property(text, text, (before, after) => {
        assert.equal(before === after ? after : applyPatch(before, unifiedDiff(before, after, 'x', 'y')), after);
      }),
      { numRuns: 1000 },
    );
  });

  it('stay quick on texts that share nothing', () => {
    const lines = (seed: number): string => Array.from({ length: 20_000 }, (_, i) => `${i * seed}\n`).join('');
    const [before, after] = [lines(2.5), lines(3.7)];
    const start = performance.now();
    const patch = unifiedDiff(before, after, 'x', 'y');
    assert.ok(performance.now() - start < 3000);
    assert.equal(applyPatch(before, patch), after);
  });
});
