import { normaliseName } from '../../design/section.ts';
import { type ConfigNode, type EntryNode, isMapping, isScalar, isSequence, type MappingNode } from '../../syntax/node.ts';
import type { TextEdit } from '../../text/edit.ts';
import { defineRule } from '../rule.ts';

/** A file with more is not written by hand. */
const maximumReports = 20;
const maximumDepth = 60;

export const duplicateKey = defineRule({
  code: 'HW803',
  name: 'duplicate-key',
  category: 'file',
  severity: 'warning',
  since: '0.1.0',
  docs: {
    what: 'A key is written twice in one mapping.',
    why: 'JSON and YAML loaders keep the last of two equal keys without a word, so the first value is never used; a TOML loader refuses the file. Whoever edits the first one wonders why nothing changes.',
    bad: [
      {
        language: 'json',
        code: '{"model_type": "llama", "hidden_size": 4096, "num_attention_heads": 32, "num_hidden_layers": 32, "hidden_size": 5120, "num_key_value_heads": 8}',
      },
      {
        language: 'yaml',
        code: 'model_type: llama\nhidden_size: 4096\nnum_attention_heads: 32\nnum_hidden_layers: 32\nnum_hidden_layers: 40\n',
      },
    ],
    good: [
      {
        language: 'json',
        code: '{"model_type": "llama", "hidden_size": 4096, "num_attention_heads": 32, "num_hidden_layers": 32}',
      },
    ],
    fixSafety: 'Safe: the entry that is removed is the one that loaders drop.',
    references: [
      'https://docs.python.org/3/library/json.html',
      'https://yaml.org/spec/1.2.2/#3213-node-comparison',
      'https://toml.io/en/v1.0.0#keyvalue-pair',
    ],
  },
  messages: {
    different: '"{key}" is written again below with another value: {lost} is lost, {kept} is kept.',
    same: '"{key}" is written again below with the same value.',
    refused: '"{key}" is written again below: TOML does not allow a key twice.',
  },
  checkFile({ reading, report }) {
    const { format, text } = reading.parsed;
    // A script may set an option per command, and in gin a later binding is how a file overrides what it includes.
    if (format === 'shell' || format === 'gin' || reading.parsed.root === undefined) return;
    // GPT-NeoX reads `num-layers` and `num_layers` as one.
    const nameOf = reading.dialect === 'gpt-neox' ? normaliseName : (key: string): string => key;
    let reports = 0;
    const visit = (node: ConfigNode, depth: number): void => {
      if (depth > maximumDepth || reports >= maximumReports) return;
      if (isSequence(node)) for (const item of node.items) visit(item, depth + 1);
      if (!isMapping(node)) return;
      const last = new Map<string, EntryNode>();
      for (const entry of node.entries) if (entry.merged !== true) last.set(nameOf(entry.key), entry);
      node.entries.forEach((entry, i) => {
        if (entry.merged === true) return;
        if (entry.value !== undefined) visit(entry.value, depth + 1);
        const kept = last.get(nameOf(entry.key));
        if (kept === undefined || kept === entry || reports >= maximumReports) return;
        // A variable that is read before it is set again was not set in vain.
        if (format === 'python' && isReadBefore(entry, kept, text)) return;
        reports++;
        const [a, b] = [shown(entry), shown(kept)];
        report({
          at: entry.keyRange,
          message: format === 'toml' ? 'refused' : a !== undefined && a === b ? 'same' : 'different',
          severity: format === 'toml' ? 'error' : a !== undefined && a === b ? 'information' : 'warning',
          data: { key: entry.key, lost: a ?? 'the first', kept: b ?? 'the last' },
          related: [{ range: kept.keyRange, message: 'This one is used.' }],
          fixes: removal(node, i, text).map((edit) => ({ title: `Remove this "${entry.key}"`, safe: format !== 'toml', edits: [edit] })),
          tags: ['unnecessary'],
        });
      });
    };
    visit(reading.parsed.root, 0);
  },
});

/** Whether the name that the entry binds, if it is one and no quoted key, stands again before the next binding has run. */
function isReadBefore(entry: EntryNode, next: EntryNode, text: string): boolean {
  if (!/^[A-Za-z_]\w*$/.test(text.slice(entry.keyRange.start, entry.keyRange.end))) return false;
  const isNamed = (part: string): boolean => new RegExp(`\\b${entry.key}\\b`).test(part);
  return isNamed(text.slice(entry.range.end, next.keyRange.start)) || isNamed(text.slice(next.keyRange.end, next.range.end));
}

const shown = (entry: EntryNode): string | undefined =>
  isScalar(entry.value) && entry.value.raw.length <= 40 ? entry.value.raw : undefined;

/** Removes an entry that another follows, up to that other; nothing where a comment or other text stands between. */
function removal(mapping: MappingNode, index: number, text: string): TextEdit[] {
  const entry = mapping.entries[index];
  const next = mapping.entries[index + 1];
  if (entry === undefined || next === undefined || next.merged === true || next.range.start < entry.range.end) return [];
  if (!/^[\s,]*["']?$/.test(text.slice(entry.range.end, next.range.start))) return [];
  const end = next.range.start;
  return [{ range: { start: entry.range.start, end }, newText: '' }];
}
