import { isSequence } from '../../syntax/node.ts';
import { defineRule } from '../rule.ts';
import { canonicalType, isFirstOfMapping, isLibraryRope, ropeBlocks, ropeType } from './rope.ts';

export const ropeFactorLength = defineRule({
  code: 'HW406',
  name: 'rope-factor-length',
  category: 'positions',
  severity: 'error',
  since: '0.1.0',
  docs: {
    what: 'LongRoPE has not one factor for each rotated pair of features.',
    why: 'LongRoPE multiplies the inverse frequencies by a list of factors, one per pair: rotary width / 2 of them. A list of another length fails in that multiplication while the model is built. The usual cause is a head dimension or a partial rotary factor that was changed without the lists.',
    bad: [
      {
        language: 'json',
        code: '{"model_type": "phi3", "hidden_size": 128, "num_attention_heads": 16, "num_hidden_layers": 2, "rope_scaling": {"type": "longrope", "factor": 4.0, "short_factor": [1.0, 1.0, 1.0], "long_factor": [1.0, 1.1, 1.2, 1.3]}}',
      },
    ],
    good: [
      {
        language: 'json',
        code: '{"model_type": "phi3", "hidden_size": 128, "num_attention_heads": 16, "num_hidden_layers": 2, "rope_scaling": {"type": "longrope", "factor": 4.0, "short_factor": [1.0, 1.0, 1.0, 1.0], "long_factor": [1.0, 1.1, 1.2, 1.3]}}',
      },
    ],
    references: [
      'https://arxiv.org/abs/2402.13753',
      'https://github.com/huggingface/transformers/blob/main/src/transformers/modeling_rope_utils.py',
    ],
  },
  messages: {
    length: '{key} holds {count} factors, but the rotary width {width} has {pairs} pairs.',
  },
  checkDesign(design, { reading, report }) {
    if (!isFirstOfMapping(design, reading)) return;
    const { headDim, rotaryDim, rotaryFactor } = design.fields;
    const width = rotaryDim ?? headDim;
    if (width === undefined || design.fields.ropeHeadDim !== undefined) return;
    for (const { section } of ropeBlocks(design)) {
      if (canonicalType(ropeType(section) ?? '') !== 'longrope') continue;
      for (const key of ['short_factor', 'long_factor']) {
        const found = section.lookup(key);
        if (found.state !== 'value' || !isSequence(found.node)) continue;
        const count = found.node.items.length;
        const pairs = Math.floor(width.value / 2);
        // A longer table of a family whose share of the head is not written here may be meant for it.
        if (count === pairs || count === 0) continue;
        report({
          at: found.entry.keyRange,
          message: 'length',
          data: { key, count, width: width.value, pairs },
          severity: isLibraryRope(design) ? 'error' : 'warning',
          related: [
            { range: headDim?.keyRange ?? headDim?.range, message: `The head dimension is ${headDim?.value ?? 0}.` },
            { range: rotaryFactor?.range, message: `Of it ${rotaryFactor?.value ?? 1} is rotated.` },
          ],
        });
      }
    }
  },
});
