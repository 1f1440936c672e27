import { numberOf } from '../../design/section.ts';
import { isSequence } from '../../syntax/node.ts';
import { defineRule } from '../rule.ts';
import { isFirstOfMapping, isLibraryRope, ropeBlocks } from './rope.ts';

/** Families that cut the doubled table, so that twice the sum must be the rotary width: the same condition. */
export const ropeSections = defineRule({
  code: 'HW407',
  name: 'rope-sections-do-not-fill-head',
  category: 'positions',
  severity: 'error',
  since: '0.1.0',
  docs: {
    what: 'The multimodal rope sections (time, height, width) do not add up to the rotated pairs of a head.',
    why: 'Multimodal rope gives each axis its own share of the frequencies (Wang et al. 2024). The table of frequencies has rotary width / 2 columns and is split by the sections; a split whose parts do not add up to it is refused at the first forward pass. Where the axes are interleaved nothing fails, but an axis keeps frequencies that are not its own.',
    bad: [
      {
        language: 'json',
        code: '{"model_type": "qwen2_vl_text", "hidden_size": 1024, "num_attention_heads": 16, "num_key_value_heads": 4, "num_hidden_layers": 2, "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]}}',
      },
    ],
    good: [
      {
        language: 'json',
        code: '{"model_type": "qwen2_vl_text", "hidden_size": 2048, "num_attention_heads": 16, "num_key_value_heads": 4, "num_hidden_layers": 2, "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]}}',
      },
    ],
    references: ['https://arxiv.org/abs/2409.12191'],
  },
  messages: {
    sum: 'The sections add up to {sum}, but a rotary width of {width} has {pairs} pairs.',
  },
  checkDesign(design, { reading, report }) {
    if (!isFirstOfMapping(design, reading)) return;
    const { headDim, rotaryDim } = design.fields;
    const width = rotaryDim ?? headDim;
    if (width === undefined || width.value % 2 !== 0) return;
    for (const { section } of ropeBlocks(design)) {
      const found = section.lookup('mrope_section');
      if (found.state !== 'value' || !isSequence(found.node)) continue;
      const parts = found.node.items.map(numberOf);
      if (parts.length === 0 || !parts.every((part): part is number => part !== undefined && part >= 0)) continue;
      const sum = parts.reduce((total, part) => total + part, 0);
      const pairs = width.value / 2;
      if (sum === pairs) continue;
      const interleaved = section.boolean('mrope_interleaved') === true || /qwen3|qwen3_5|qwen4|cosmos/.test(design.family ?? '');
      // A sum scaled in proportion keeps the shares of the axes.
      const scaled = parts.map((part) => (part * pairs) / sum);
      const whole = sum > 0 && scaled.every(Number.isInteger);
      report({
        at: found.node.range,
        message: 'sum',
        data: { sum, width: width.value, pairs },
        severity: !interleaved && isLibraryRope(design) ? 'error' : 'warning',
        related: [{ range: width.keyRange ?? headDim?.range, message: `The rotary width is ${width.value}.` }],
        fixes: whole
          ? [{ title: `Use [${scaled.join(', ')}]`, safe: false, edits: [{ range: found.node.range, newText: `[${scaled.join(', ')}]` }] }]
          : [],
      });
    }
  },
});
