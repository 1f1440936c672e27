import type { Field } from '../../design/design.ts';
import { defineRule } from '../rule.ts';

/** Tensor Cores take 16 bytes at a time: 8 features of 16 bits (NVIDIA, Matrix Multiplication Background, "Requirements to use Tensor Cores"). */
const step = 8;
/** Narrower models are for tests. */
const smallest = 64;

export const widthOffTensorCores = defineRule({
  code: 'HW503',
  name: 'width-off-tensor-cores',
  category: 'kernels',
  severity: 'information',
  since: '0.1.0',
  docs: {
    what: 'The model width or the FFN width is not a multiple of 8.',
    why: 'Tensor Cores are used best when every dimension of a matrix product is a multiple of 16 bytes, which is 8 features in 16 bits. Other widths run on slower kernels: Anthony et al. report up to 39 % more throughput for models of the same size whose shapes fit the hardware.',
    bad: [
      {
        language: 'json',
        code: '{"model_type": "llama", "hidden_size": 1020, "num_attention_heads": 10, "num_hidden_layers": 12, "intermediate_size": 2730}',
      },
    ],
    good: [
      {
        language: 'json',
        code: '{"model_type": "llama", "hidden_size": 1024, "num_attention_heads": 16, "num_hidden_layers": 12, "intermediate_size": 2736}',
      },
    ],
    references: [
      'https://docs.nvidia.com/deeplearning/performance/dl-performance-matrix-multiplication/index.html',
      'https://arxiv.org/abs/2401.14489',
    ],
  },
  messages: {
    width: 'A model width of {width} is not a multiple of {step}: 16-bit Tensor Core kernels work in steps of {step}.',
    ffn: 'An FFN width of {width} is not a multiple of {step}: 16-bit Tensor Core kernels work in steps of {step}.',
  },
  checkDesign(design, { report }) {
    const { hiddenSize, intermediateSize } = design.fields;
    const check = (field: Field<number> | undefined, message: 'width' | 'ffn', fix: boolean): void => {
      if (field === undefined || field.range === undefined || field.source !== 'written') return;
      if (!Number.isInteger(field.value) || field.value < smallest || field.value % step === 0) return;
      const { range } = field;
      const below = Math.floor(field.value / step) * step;
      report({
        at: range,
        message,
        data: { width: field.value, step },
        fixes: fix
          ? [below + step, below].map((width) => ({
              title: `Use an FFN width of ${width}`,
              safe: false,
              edits: [{ range, newText: String(width) }],
            }))
          : [],
      });
    };
    // A width that its heads do not divide has a graver finding (HW101); mending that mends this.
    const { queryHeads } = design.fields;
    const indivisible =
      design.headDimIsQuotient && hiddenSize !== undefined && queryHeads !== undefined && hiddenSize.value % queryHeads.value !== 0;
    if (!indivisible) check(hiddenSize, 'width', false);
    check(intermediateSize, 'ffn', true);
  },
});
