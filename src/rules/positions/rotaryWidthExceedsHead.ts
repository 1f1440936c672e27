import { defineRule } from '../rule.ts';
import { setValue } from '../suggest.ts';

/** EfficientLoFTR's frequencies span four heads: its factor of 4 is no share (modeling_efficientloftr.py, compute_default_rope_parameters). */
const otherMeaning = new Set(['efficientloftr']);

export const rotaryWidthExceedsHead = defineRule({
  code: 'HW402',
  name: 'rotary-width-exceeds-head',
  category: 'positions',
  severity: 'error',
  since: '0.1.0',
  docs: {
    what: 'The share of a head that is rotated is not between 0 and 1, or the rotary width is larger than the head.',
    why: 'A partial rotary factor is a share, not a percentage. Above 1 the cosine table is wider than the head, and the first forward pass fails when the two are multiplied.',
    bad: [
      {
        language: 'json',
        code: '{"model_type": "stablelm", "hidden_size": 2560, "num_attention_heads": 32, "num_hidden_layers": 32, "partial_rotary_factor": 25}',
      },
      { language: 'json', code: '{"model_type": "gptj", "n_embd": 256, "n_head": 16, "n_layer": 4, "rotary_dim": 64}' },
    ],
    good: [
      {
        language: 'json',
        code: '{"model_type": "stablelm", "hidden_size": 2560, "num_attention_heads": 32, "num_hidden_layers": 32, "partial_rotary_factor": 0.25}',
      },
    ],
    references: ['https://arxiv.org/abs/2104.09864'],
  },
  messages: {
    factor: 'The rotated share of a head must lie between 0 and 1, not at {factor}.',
    width: 'The rotary width {width} is larger than the head dimension {headDim}.',
  },
  checkDesign(design, { report }) {
    const { rotaryFactor, rotaryDim, headDim } = design.fields;
    if (otherMeaning.has(design.family ?? '')) return;
    if (rotaryFactor?.range !== undefined && (rotaryFactor.value > 1 || rotaryFactor.value < 0)) {
      const share = rotaryFactor.value / 100;
      report({
        at: rotaryFactor.range,
        message: 'factor',
        data: { factor: rotaryFactor.value },
        fixes: rotaryFactor.value > 1 && share <= 1 ? [{ title: `Use ${share}`, safe: false, edits: setValue(rotaryFactor, share) }] : [],
      });
      return;
    }
    if (rotaryDim === undefined || headDim === undefined || rotaryDim.source !== 'written' || rotaryDim.range === undefined) return;
    if (design.fields.ropeHeadDim !== undefined || rotaryDim.value <= headDim.value) return;
    report({
      at: rotaryDim.range,
      message: 'width',
      data: { width: rotaryDim.value, headDim: headDim.value },
      related: [{ range: headDim.keyRange ?? headDim.range, message: `The head dimension is ${headDim.value}.` }],
      fixes: [{ title: `Rotate the whole head: ${headDim.value}`, safe: false, edits: setValue(rotaryDim, headDim.value) }],
    });
  },
});
