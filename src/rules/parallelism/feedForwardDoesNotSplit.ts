import { defineRule } from '../rule.ts';
import { isSplit, otherNumber, placeOf, smallerSizes, splitSize, splitsEvenly, stackOf } from './sizes.ts';

export const feedForwardDoesNotSplit = defineRule({
  code: 'HW603',
  name: 'ffn-does-not-split',
  category: 'parallelism',
  severity: 'warning',
  since: '0.1.0',
  docs: {
    what: 'The FFN width does not divide over the tensor-parallel ranks.',
    why: 'The first FFN matrix is split by columns and the second by rows (Shoeybi et al. 2019), so each rank holds width / ranks of them. Megatron-LM, GPT-NeoX and vLLM assert that this is a whole number.',
    bad: [
      {
        language: 'yaml',
        code: 'num_layers: 12\nhidden_size: 1024\nnum_attention_heads: 16\nffn_hidden_size: 2730\ntensor_model_parallel_size: 4\n',
      },
    ],
    good: [
      {
        language: 'yaml',
        code: 'num_layers: 12\nhidden_size: 1024\nnum_attention_heads: 16\nffn_hidden_size: 2736\ntensor_model_parallel_size: 4\n',
      },
    ],
    references: ['https://arxiv.org/abs/1909.08053', 'https://github.com/NVIDIA/Megatron-LM/blob/main/megatron/core/utils.py'],
  },
  messages: {
    uneven: 'The FFN width {width} does not split over {ranks} tensor-parallel ranks: {width} % {ranks} = {remainder}.',
    expert: 'The expert width {width} does not split over {ranks} tensor-parallel ranks: {width} % {ranks} = {remainder}.',
  },
  checkDesign(design, { reading, settings, report }) {
    const size = splitSize(reading, settings, 'tensor');
    // DTensor pads uneven shards, so torchtitan runs on.
    if (size === undefined || !isSplit(design, reading) || stackOf(reading, settings) === 'torchtitan') return;
    const { experts, intermediateSize, expertIntermediateSize } = design.fields;
    const sparse = experts !== undefined && experts.value > 1;
    // Experts may be spread whole over an expert-parallel group instead.
    if (sparse && splitSize(reading, settings, 'expert') !== undefined) return;
    const width = sparse ? (expertIntermediateSize ?? intermediateSize) : intermediateSize;
    if (width === undefined || !Number.isInteger(width.value) || width.value <= 0 || width.value % size.value === 0) return;
    const at = placeOf(size, width);
    if (at === undefined) return;
    const above = Math.ceil(width.value / size.value) * size.value;
    report({
      at,
      message: sparse ? 'expert' : 'uneven',
      data: { width: width.value, ranks: size.value, remainder: width.value % size.value },

      related: otherNumber(size, width, `The width ${width.value} ${width.source === 'derived' ? 'follows from here' : 'is set here'}.`),
      fixes: [
        ...smallerSizes(size, width.value, (value) => splitsEvenly(design, value)),
        ...(width.source === 'written' && width.range !== undefined
          ? [{ title: `Use an FFN width of ${above}`, safe: false, edits: [{ range: width.range, newText: String(above) }] }]
          : []),
      ],
    });
  },
});
