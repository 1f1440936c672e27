import { defineRule } from '../rule.ts';

/** Rows of the output matrix; its product with the last hidden states runs in these steps. */
const step = 8;
const padding = 64;
const smallest = 4096;

export const vocabularyOffTensorCores = defineRule({
  code: 'HW504',
  name: 'vocabulary-off-tensor-cores',
  category: 'kernels',
  severity: 'hint',
  since: '0.1.0',
  docs: {
    what: 'The vocabulary is not a multiple of 8.',
    why: 'The output layer is the largest matrix product of a small model, and an odd vocabulary keeps it off the fast kernels. nanoGPT gained about 25 % in training speed by padding 50257 to 50304, a multiple of 64. It is a hint: a published checkpoint has the rows it has, and rows that no token uses only matter to a model still to be trained.',
    bad: [
      {
        language: 'json',
        code: '{"model_type": "gpt2", "n_embd": 768, "n_head": 12, "n_layer": 12, "vocab_size": 50257}',
      },
    ],
    good: [
      {
        language: 'json',
        code: '{"model_type": "gpt2", "n_embd": 768, "n_head": 12, "n_layer": 12, "vocab_size": 50304}',
      },
    ],
    references: [
      'https://docs.nvidia.com/deeplearning/performance/dl-performance-matrix-multiplication/index.html',
      'https://github.com/karpathy/nanoGPT/blob/master/model.py',
      'https://x.com/karpathy/status/1621578354024677377',
    ],
  },
  messages: {
    odd: 'A vocabulary of {vocabulary} is not a multiple of {step}; padded to {padded}, the output layer runs on faster kernels.',
  },
  checkDesign(design, { reading, report }) {
    const { vocabularySize } = design.fields;
    if (vocabularySize?.source !== 'written' || vocabularySize.range === undefined || design !== reading.designs[0]) return;
    const count = vocabularySize.value;
    if (!Number.isInteger(count) || count < smallest || count % step === 0) return;
    // Code that pads by itself says so.
    if (reading.format === 'shell' || reading.dialect === 'gpt-neox' || design.section.has('make_vocab_size_divisible_by')) return;
    const padded = Math.ceil(count / padding) * padding;
    report({
      at: vocabularySize.range,
      message: 'odd',
      data: { vocabulary: count, step, padded },
      fixes: [{ title: `Pad the vocabulary to ${padded}`, safe: false, edits: [{ range: vocabularySize.range, newText: String(padded) }] }],
    });
  },
});
