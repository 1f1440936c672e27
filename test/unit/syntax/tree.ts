import assert from 'node:assert/strict';
import type { ConfigNode, EntryNode, ParsedConfig } from '../../../src/syntax/node.ts';

/** A value that is not known, as `plain` shows it. */
export const unknown = (value: string): unknown => ({ unknown: value });

/** The tree without ranges. Missing values are `undefined`; of duplicate keys the last wins, as in a loader. */
export function plain(node: ConfigNode | undefined): unknown {
  if (node === undefined) return undefined;
  if (node.kind === 'mapping') return Object.fromEntries(node.entries.map((entry) => [entry.key, plain(entry.value)]));
  if (node.kind === 'sequence') return node.items.map(plain);
  return node.unresolved ? unknown(String(node.value)) : node.value;
}

/** `start..end` as text, so that an expectation shows what is underlined. */
export const problemsOf = (parsed: ParsedConfig): readonly (readonly [string, string])[] =>
  parsed.problems.map(({ range, message }) => [parsed.text.slice(range.start, range.end), message]);

export function entryAt(parsed: ParsedConfig, ...path: readonly string[]): EntryNode {
  let node = parsed.root;
  let found: EntryNode | undefined;
  for (const key of path) {
    assert.ok(node?.kind === 'mapping', `no mapping above ${key}`);
    found = node.entries.findLast((entry) => entry.key === key);
    node = found?.value;
  }
  assert.ok(found, `no entry ${path.join('.')}`);
  return found;
}

/** Key, whole entry and value as they stand in the text. */
export function written(parsed: ParsedConfig, ...path: readonly string[]): readonly [string, string, string | undefined] {
  const { keyRange, range, value } = entryAt(parsed, ...path);
  const { text } = parsed;
  return [
    text.slice(keyRange.start, keyRange.end),
    text.slice(range.start, range.end),
    value && text.slice(value.range.start, value.range.end),
  ];
}

/** What holds for every tree of every reader, whatever the text. */
export function assertSound(parsed: ParsedConfig): void {
  const { text, problems } = parsed;
  assert.ok(problems.length <= 100, 'too many problems');
  let last = 0;
  for (const { range, message } of problems) {
    assert.ok(
      range.start >= last && range.end >= range.start && range.end <= text.length,
      `problem at ${range.start}-${range.end}: ${message}`,
    );
    assert.match(message, /^[A-Z`].*\.$/s, `not a sentence: ${message}`);
    last = range.start;
  }
  for (const { range } of parsed.comments) assert.ok(range.start >= 0 && range.start <= range.end && range.end <= text.length);
  if (parsed.root !== undefined) assertNode(parsed.root, text, 0);
}

function assertNode(node: ConfigNode, text: string, depth: number): void {
  const { start, end } = node.range;
  assert.ok(Number.isInteger(start) && start >= 0 && start <= end && end <= text.length, `range ${start}-${end} of ${text.length}`);
  assert.ok(depth <= 210, 'nested too deep to be walked');
  if (node.kind === 'scalar') {
    assert.equal(node.raw, text.slice(start, end), 'raw is not the text of the range');
    if (node.origin) assert.ok(node.origin.start >= 0 && node.origin.start <= node.origin.end && node.origin.end <= text.length);
    return;
  }
  // Brought from elsewhere by an alias, `${...}` or `%macro`: what is inside lies where it is written.
  const brought = /^[*$%'"|>]/.test(text.slice(start, end));
  const inside = (child: { start: number; end: number }): boolean => brought || (child.start >= start && child.end <= end);
  if (node.kind === 'sequence') {
    for (const item of node.items) {
      assert.ok(inside(item.range), 'an item lies outside its sequence');
      assertNode(item, text, depth + 1);
    }
    return;
  }
  for (const entry of node.entries) {
    const { keyRange, range, value } = entry;
    assert.ok(
      range.start <= keyRange.start && keyRange.start <= keyRange.end && keyRange.end <= range.end,
      `key ${entry.key} outside its entry`,
    );
    assert.ok(entry.merged || inside(range), `entry ${entry.key} outside its mapping`);
    if (value === undefined) continue;
    assert.ok(range.start <= value.range.start && value.range.end <= range.end, `value of ${entry.key} outside its entry`);
    assertNode(value, text, depth + 1);
  }
}
