import { numericString } from '../../design/section.ts';
import { type EntryNode, isScalar } from '../../syntax/node.ts';
import { isFirstOfMapping } from '../positions/rope.ts';
import { defineRule } from '../rule.ts';
import { sizeNames } from './sizeNames.ts';

export const quotedNumber = defineRule({
  code: 'HW804',
  name: 'number-in-quotes',
  category: 'file',
  severity: 'warning',
  since: '0.1.0',
  docs: {
    what: 'A size is written in quotes, so it is text.',
    why: 'Text is not divided or multiplied: the first layer that is built from it fails with a TypeError, and strict config classes refuse it while the file is read. Sometimes it is worse: "8" * 2 is "88" in Python.',
    bad: [
      {
        language: 'json',
        code: '{"model_type": "llama", "hidden_size": "4096", "num_attention_heads": 32, "num_hidden_layers": 32}',
      },
      { language: 'yaml', code: 'model_type: llama\nhidden_size: 4096\nnum_attention_heads: "32"\nnum_hidden_layers: 32\n' },
    ],
    good: [{ language: 'json', code: '{"model_type": "llama", "hidden_size": 4096, "num_attention_heads": 32, "num_hidden_layers": 32}' }],
    fixSafety: 'Safe: only the quotes are removed.',
    references: ['https://github.com/huggingface/transformers/blob/main/src/transformers/configuration_utils.py'],
  },
  messages: {
    quoted: '{key} is the text {raw}, not the number {value}.',
  },
  checkDesign(design, { reading, report }) {
    // A shell passes every argument as text, and gin's strings may be macros' names.
    if (reading.parsed.format === 'shell' || !isFirstOfMapping(design, reading)) return;
    const { section, knowledge } = design;
    const sizes = sizeNames(design);
    for (const name of section.names) {
      const entry = section.entry(name);
      if (entry === undefined || !isNumeric(entry)) continue;
      const numeric = knowledge !== undefined && typeof knowledge.fields.get(name) === 'number';
      if (!numeric && !sizes.has(name)) continue;
      quoted(entry, report, knowledge !== undefined && !design.custom);
    }
  },
});

const isNumeric = (entry: EntryNode): boolean =>
  isScalar(entry.value) &&
  entry.value.quoted &&
  entry.value.origin === undefined &&
  entry.merged !== true &&
  typeof entry.value.value === 'string' &&
  numericString(entry.value.value) !== undefined;

function quoted(entry: EntryNode, report: Parameters<NonNullable<typeof quotedNumber.checkDesign>>[1]['report'], strict: boolean): void {
  const node = entry.value;
  if (!isScalar(node) || typeof node.value !== 'string') return;
  const text = node.value.trim().replace(/_/g, '').replace(/^\+/, '');
  report({
    at: node.range,
    message: 'quoted',
    data: { key: entry.key, raw: node.raw, value: text },
    severity: strict ? 'error' : 'warning',
    fixes: /^-?(0|[1-9]\d*)(\.\d+)?(e[-+]?\d+)?$/i.test(text)
      ? [{ title: `Write ${text} without quotes`, safe: true, edits: [{ range: node.range, newText: text }] }]
      : [],
  });
}
