import { defineRule } from '../rule.ts';
import { setValue } from '../suggest.ts';
import { isSplit, otherNumber, placeOf, smallerSizes, splitSize, splitsEvenly } from './sizes.ts';

/** Head dimensions that every attention kernel takes; another count of heads is only offered where it leaves one. */
const usualHeadDims = [32, 64, 80, 96, 128, 192, 256];

export const headsDoNotSplit = defineRule({
  code: 'HW601',
  name: 'heads-do-not-split',
  category: 'parallelism',
  severity: 'error',
  since: '0.1.0',
  docs: {
    what: 'The attention heads do not divide over the tensor-parallel ranks.',
    why: 'Tensor parallelism gives each rank whole heads (Shoeybi et al. 2019). Megatron-LM, GPT-NeoX, DeepSpeed, vLLM and torchtitan all refuse to start when the number of heads is not a multiple of the number of ranks.',
    bad: [
      {
        language: 'json',
        code: '{"model_type": "llama", "hidden_size": 6656, "num_attention_heads": 52, "num_hidden_layers": 60, "intermediate_size": 17920, "tensor_parallel_size": 8}',
      },
    ],
    good: [
      {
        language: 'json',
        code: '{"model_type": "llama", "hidden_size": 6656, "num_attention_heads": 52, "num_hidden_layers": 60, "intermediate_size": 17920, "tensor_parallel_size": 4}',
      },
    ],
    references: [
      'https://arxiv.org/abs/1909.08053',
      'https://github.com/vllm-project/vllm/issues/596',
      'https://github.com/NVIDIA/Megatron-LM/blob/main/megatron/core/transformer/transformer_config.py',
    ],
  },
  messages: {
    uneven: '{heads} heads do not split over {ranks} tensor-parallel ranks: {heads} % {ranks} = {remainder}.',
  },
  checkDesign(design, { reading, settings, report }) {
    const size = splitSize(reading, settings, 'tensor');
    const { queryHeads, hiddenSize, keyValueHeads, headDim } = design.fields;
    if (size === undefined || queryHeads === undefined || !isSplit(design, reading)) return;
    const heads = queryHeads.value;
    if (!Number.isInteger(heads) || heads <= 0 || heads % size.value === 0) return;
    const at = placeOf(size, queryHeads);
    if (at === undefined) return;
    const above = Math.ceil(heads / size.value) * size.value;
    const groups = keyValueHeads === undefined || keyValueHeads.source === 'derived' ? 1 : keyValueHeads.value;
    const fits =
      hiddenSize !== undefined &&
      (headDim?.source !== 'derived' || (hiddenSize.value % above === 0 && usualHeadDims.includes(hiddenSize.value / above))) &&
      above % groups === 0;
    report({
      at,
      message: 'uneven',
      data: { heads, ranks: size.value, remainder: heads % size.value },
      related: otherNumber(size, queryHeads, `The ${heads} heads are set here.`),
      fixes: [
        ...smallerSizes(size, heads, (value) => splitsEvenly(design, value)),
        ...(fits && queryHeads.source === 'written'
          ? [{ title: `Use ${above} heads`, safe: false, edits: setValue(queryHeads, above) }]
          : []),
      ],
    });
  },
});
