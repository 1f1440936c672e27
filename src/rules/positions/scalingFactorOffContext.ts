import { defineRule } from '../rule.ts';
import { isFirstOfMapping, originalLengthKey, ropeBlocks, ropeType } from './rope.ts';

export const scalingFactorOffContext = defineRule({
  code: 'HW409',
  name: 'scaling-factor-off-context',
  category: 'positions',
  severity: 'information',
  since: '0.1.0',
  docs: {
    what: 'The YaRN factor is not the ratio of the extended to the original context length.',
    why: 'YaRN stretches the original length by its factor (Peng et al. 2023). When max_position_embeddings says another length, serving stacks that derive the context from the factor and those that read the length disagree about how much the model can take.',
    bad: [
      {
        language: 'json',
        code: '{"model_type": "llama", "hidden_size": 4096, "num_attention_heads": 32, "num_hidden_layers": 32, "max_position_embeddings": 65536, "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8192}}',
      },
    ],
    good: [
      {
        language: 'json',
        code: '{"model_type": "llama", "hidden_size": 4096, "num_attention_heads": 32, "num_hidden_layers": 32, "max_position_embeddings": 65536, "rope_scaling": {"rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 8192}}',
      },
    ],
    references: [
      'https://arxiv.org/abs/2309.00071',
      'https://github.com/huggingface/transformers/blob/main/src/transformers/modeling_rope_utils.py',
    ],
  },
  messages: {
    ratio: 'Factor {factor} * original length {original} = {reach}, but max_position_embeddings is {maximum}.',
  },
  checkDesign(design, { reading, report }) {
    if (!isFirstOfMapping(design, reading)) return;
    const maximum = design.fields.maxPositions;
    if (maximum?.source !== 'written') return;
    for (const { section } of ropeBlocks(design)) {
      if (ropeType(section) !== 'yarn') continue;
      const factor = section.number('factor');
      const original = section.number(originalLengthKey);
      const at = section.entry('factor')?.value?.range;
      if (factor === undefined || original === undefined || at === undefined || original <= 0 || factor < 1) continue;
      // Equal lengths are how a model is published whose users switch the extension on.
      if (maximum.value === original || maximum.value === factor * original) continue;
      const ratio = maximum.value / original;
      report({
        at,
        message: 'ratio',
        data: { factor, original, reach: factor * original, maximum: maximum.value },
        related: [{ range: maximum.keyRange, message: `The extended length ${maximum.value} is set here.` }],
        fixes: [
          ...(ratio >= 1 && Number.isInteger(ratio * 4)
            ? [
                {
                  title: `Set factor to ${ratio}`,
                  safe: false,
                  edits: [{ range: at, newText: Number.isInteger(ratio) ? `${ratio}.0` : String(ratio) }],
                },
              ]
            : []),
          ...(maximum.range !== undefined && Number.isInteger(factor * original)
            ? [
                {
                  title: `Set ${maximum.key ?? 'max_position_embeddings'} to ${factor * original}`,
                  safe: false,
                  edits: [{ range: maximum.range, newText: String(factor * original) }],
                },
              ]
            : []),
        ],
      });
    }
  },
});
