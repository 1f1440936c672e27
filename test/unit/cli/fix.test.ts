import assert from 'node:assert/strict';
import { fixText } from '../../../src/cli/fix.ts';
import { parseConfig } from '../../../src/syntax/read.ts';
import type { Finding, Fix, Severity } from '../../../src/text/finding.ts';
import { type Analysis, analyse } from '../../../src/workspace/analyse.ts';
import { defaultSettings } from '../../../src/workspace/settings.ts';
import { fixableConfig, fixedConfig } from './cli.ts';

/** A rule of the test: every match of `pattern` is a finding, which `fix` replaces. */
interface Wish {
  readonly pattern: RegExp;
  readonly severity?: Severity;
  readonly fix?: (match: string) => string;
  readonly safe?: boolean;
}

const wishes =
  (...list: readonly Wish[]) =>
  (text: string): Analysis => {
    const findings = list.flatMap(({ pattern, severity = 'warning', fix, safe = true }) =>
      [...text.matchAll(pattern)].map((match): Finding => {
        const range = { start: match.index, end: match.index + match[0].length };
        const fixes: Fix[] = fix === undefined ? [] : [{ title: 'Mend', safe, edits: [{ range, newText: fix(match[0]) }] }];
        return { code: 'HW1', rule: 'x', severity, message: match[0], range, related: [], fixes, tags: [] };
      }),
    );
    findings.sort((a, b) => a.range.start - b.range.start);
    return { parsed: parseConfig('{}', { path: 'x.json' }), reading: undefined, code: undefined, findings };
  };

describe('fixing a text', () => {
  const safe = { unsafe: false };

  it('applies every safe fix and leaves the others', () => {
    const run = wishes({ pattern: /a/g, fix: () => 'b' }, { pattern: /x/g, fix: () => 'y', safe: false });
    const result = fixText('a a x a', run, safe);
    assert.equal(result.text, 'b b x b');
    assert.equal(result.applied, 3);
    assert.equal(fixText('a a x a', run, { unsafe: true }).text, 'b b y b');
  });

  it('goes on while fixes make room for others', () => {
    const run = wishes({ pattern: /a+/g, fix: (match) => match.slice(1) });
    assert.equal(fixText('aaaa', run, safe).text, '');
  });

  it('leaves overlapping edits to the next pass', () => {
    const run = wishes({ pattern: /ab/g, fix: () => 'c' }, { pattern: /bd/g, fix: () => 'e' });
    assert.equal(fixText('abd', run, safe).text, 'cd');
  });

  it('ends on fixes that undo each other', () => {
    const run = wishes({ pattern: /a/g, fix: () => 'b' }, { pattern: /b/g, fix: () => 'a' });
    assert.ok(['a', 'b'].includes(fixText('a', run, safe).text));
  });

  it('takes back what makes the file worse, and keeps the rest', () => {
    const run = wishes(
      { pattern: /bad/g, fix: () => 'worse' },
      { pattern: /worse/g, severity: 'error' },
      { pattern: /mend/g, fix: () => 'good' },
    );
    assert.equal(fixText('bad mend bad', run, safe).text, 'bad good bad');
  });

  it('works on a real file', () => {
    const run = (text: string): Analysis => analyse({ text, path: 'config.yaml' }, defaultSettings);
    const result = fixText(fixableConfig, run, safe);
    assert.equal(result.text, fixedConfig);
    assert.equal(result.applied, 1);
    assert.equal(fixText(fixedConfig, run, safe).applied, 0);
  });
});
