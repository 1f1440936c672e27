import { defineRule } from '../rule.ts';
import { isSplit, isWritten, otherNumber, placeOf, splitSize, stackOf } from './sizes.ts';

/** vLLM pads the table to this before it splits it (vocab_parallel_embedding.py, DEFAULT_VOCAB_PADDING_SIZE). */
const servingPadding = 64;

export const vocabularyDoesNotSplit = defineRule({
  code: 'HW604',
  name: 'vocabulary-does-not-split',
  category: 'parallelism',
  severity: 'warning',
  since: '0.1.0',
  docs: {
    what: 'The vocabulary does not divide over the tensor-parallel ranks, and nothing in the file pads it.',
    why: 'The embedding table is split by rows. Megatron-LM and GPT-NeoX pad the vocabulary to make_vocab_size_divisible_by times the ranks, vLLM pads it to 64; code that takes the number as it is, Megatron-Bridge and older vLLM among it, refuses a remainder.',
    bad: [
      {
        language: 'json',
        code: '{"num_layers": 36, "hidden_size": 2560, "num_attention_heads": 32, "vocab_size": 151669, "tensor_model_parallel_size": 4}',
      },
    ],
    good: [
      {
        language: 'json',
        code: '{"num_layers": 36, "hidden_size": 2560, "num_attention_heads": 32, "vocab_size": 151936, "tensor_model_parallel_size": 4}',
      },
      {
        language: 'yaml',
        code: 'num_layers: 36\nhidden_size: 2560\nnum_attention_heads: 32\nvocab_size: 151669\nmake_vocab_size_divisible_by: 128\ntensor_model_parallel_size: 4\n',
      },
    ],
    references: ['https://github.com/NVIDIA-NeMo/Megatron-Bridge/issues/1331', 'https://github.com/vllm-project/vllm/issues/440'],
  },
  messages: {
    uneven: 'A vocabulary of {vocabulary} does not split over {ranks} tensor-parallel ranks: {vocabulary} % {ranks} = {remainder}.',
    padded:
      'A vocabulary of {vocabulary}, padded to {padded}, does not split over {ranks} tensor-parallel ranks: {padded} % {ranks} = {remainder}.',
  },
  checkDesign(design, { reading, settings, report }) {
    const size = splitSize(reading, settings, 'tensor');
    const vocabulary = design.fields.vocabularySize;
    if (size === undefined || vocabulary === undefined || vocabulary.source !== 'written' || !isSplit(design, reading)) return;
    const stack = stackOf(reading, settings);
    const count = vocabulary.value;
    if (!Number.isInteger(count) || count <= 0) return;
    const at = placeOf(size, vocabulary);
    if (at === undefined) return;
    const related = otherNumber(size, vocabulary, `The vocabulary of ${count} is set here.`);
    if (stack === 'vllm') {
      const padded = Math.ceil(count / servingPadding) * servingPadding;
      if (padded % size.value !== 0)
        report({
          at,
          message: 'padded',
          severity: 'warning',
          data: { vocabulary: count, padded, ranks: size.value, remainder: padded % size.value },
          related,
        });
      return;
    }
    if (count % size.value === 0 || stack === 'torchtitan' || stack === 'gpt-neox' || reading.dialect === 'megatron-arguments') return;
    const { section } = design;
    if (isWritten(reading.root.mapping, ['make_vocab_size_divisible_by', 'pad_vocab_size_multiple'])) return;
    if (section.boolean('should_pad_vocab') === true) return;
    const unit = leastCommonMultiple(size.value, servingPadding);
    const padded = Math.ceil(count / unit) * unit;
    report({
      at,
      message: 'uneven',
      // A size from the settings says nothing of the code that will read this file.
      severity: size.field === undefined && stack === undefined ? 'information' : 'warning',
      data: { vocabulary: count, ranks: size.value, remainder: count % size.value },
      related,
      fixes:
        vocabulary.range === undefined
          ? []
          : [{ title: `Pad the vocabulary to ${padded}`, safe: false, edits: [{ range: vocabulary.range, newText: String(padded) }] }],
    });
  },
});

function leastCommonMultiple(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y !== 0) [x, y] = [y, x % y];
  return (a / x) * b;
}
