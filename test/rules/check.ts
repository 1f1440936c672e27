import assert from 'node:assert/strict';
import { applyEdits } from '../../src/text/edit.ts';
import type { Finding } from '../../src/text/finding.ts';
import { LineIndex } from '../../src/text/lineIndex.ts';
import { analyse } from '../../src/workspace/analyse.ts';
import { defaultSettings, type Settings } from '../../src/workspace/settings.ts';

export interface CheckOptions {
  /** Chooses the format; `config.json` unless told. */
  readonly path?: string;
  readonly settings?: Partial<Settings>;
  /** Codes of information that a fix may bring: what follows from the choice it makes. */
  readonly mayInform?: readonly string[];
}

/** Findings of a text or of an object that is written as indented JSON. */
export function check(source: string | object, options: CheckOptions = {}): readonly Finding[] {
  const text = textOf(source);
  return analyse({ text, path: options.path ?? 'config.json' }, { ...defaultSettings, ...options.settings }).findings;
}

export const textOf = (source: string | object): string => (typeof source === 'string' ? source : JSON.stringify(source, null, 2));

/** Exactly these findings of one rule, each as `severity at message-part`; what the part leaves out may be anything. */
export function expectFindings(
  source: string | object,
  code: string,
  expected: readonly { readonly at: string; readonly says: string; readonly severity?: string }[],
  options: CheckOptions = {},
): readonly Finding[] {
  const text = textOf(source);
  const found = check(text, options).filter((finding) => finding.code === code);
  const seen = found.map((finding) => `${finding.severity} "${text.slice(finding.range.start, finding.range.end)}" ${finding.message}`);
  assert.equal(found.length, expected.length, `${text}\n${seen.join('\n')}`);
  expected.forEach((want, i) => {
    const finding = found[i];
    assert.ok(finding);
    assert.equal(text.slice(finding.range.start, finding.range.end), want.at);
    assert.ok(finding.message.includes(want.says), `${finding.message} does not say: ${want.says}`);
    if (want.severity !== undefined) assert.equal(finding.severity, want.severity, finding.message);
  });
  return found;
}

/** Every fix of the rule's findings removes the finding it belongs to and adds none. Returns the fixed texts, in order. */
export function expectFixes(source: string | object, code: string, titles: readonly string[], options: CheckOptions = {}): string[] {
  const text = textOf(source);
  const before = check(text, options);
  const fixes = before.filter((finding) => finding.code === code).flatMap((finding) => finding.fixes);
  assert.deepEqual(
    fixes.map((fix) => fix.title),
    titles,
  );
  const key = (finding: Finding): string => `${finding.code} ${finding.message}`;
  const known = new Set(before.map(key));
  return fixes.map((fix) => {
    const fixed = applyEdits(text, fix.edits);
    assert.notEqual(fixed, text, fix.title);
    const after = check(fixed, options);
    const added = after.filter(
      (finding) => !known.has(key(finding)) && !(finding.severity === 'information' && options.mayInform?.includes(finding.code) === true),
    );
    assert.deepEqual(added.map(key), [], `${fix.title} adds findings to:\n${fixed}`);
    assert.ok(
      after.filter((finding) => finding.code === code).length < before.filter((finding) => finding.code === code).length,
      `${fix.title} leaves the finding in:\n${fixed}`,
    );
    return fixed;
  });
}

/**
 * Text whose comments say what is found on the line above: `#    ^^^ HW101: part of the message`. Carets stand under the range.
 * Every finding must be expected and every expectation found.
 */
export function expectMarked(text: string, options: CheckOptions = {}): void {
  const lines = text.split('\n');
  const expected: string[] = [];
  const parts: string[] = [];
  let source = 0;
  lines.forEach((line, i) => {
    const mark = /^(\s*(?:#|\/\/)\s*)(\^+)\s+(HW\d+)(?::\s*(.*))?$/.exec(line);
    if (mark === null) {
      source = i;
      return;
    }
    const [, before = '', carets = '', code = '', part = ''] = mark;
    expected.push(`${source + 1}:${before.length + 1}-${before.length + carets.length + 1} ${code}`);
    parts.push(part);
  });
  const index = new LineIndex(text);
  const found = check(text, options);
  const seen = found.map((finding) => {
    const start = index.positionAt(finding.range.start);
    const end = index.positionAt(finding.range.end);
    return `${start.line + 1}:${start.character + 1}-${end.character + 1} ${finding.code}`;
  });
  assert.deepEqual([...seen].sort(), [...expected].sort(), found.map((finding) => finding.message).join('\n'));
  expected.forEach((want, i) => {
    const part = parts[i] ?? '';
    const finding = found[seen.indexOf(want)];
    assert.ok(finding?.message.includes(part), `${finding?.message} does not say: ${part}`);
  });
}
