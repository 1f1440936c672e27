import { defineRule } from '../rule.ts';
import { isSplit, otherNumber, placeOf, smallerSizes, splitSize, splitsEvenly, stackOf } from './sizes.ts';

export const keyValueHeadsDoNotSplit = defineRule({
  code: 'HW602',
  name: 'kv-heads-do-not-split',
  category: 'parallelism',
  severity: 'warning',
  since: '0.1.0',
  docs: {
    what: 'The key-value heads neither divide over the tensor-parallel ranks nor the ranks over them.',
    why: 'With fewer KV heads than ranks, vLLM and Megatron-Core since 0.16 give several ranks a copy of the same head, so the ranks must be a multiple of the KV heads; torchtitan, GPT-NeoX and older Megatron refuse. With more KV heads than ranks every stack needs a whole number per rank.',
    bad: [
      {
        language: 'json',
        code: '{"model_type": "phi3", "hidden_size": 5120, "num_attention_heads": 40, "num_key_value_heads": 10, "num_hidden_layers": 40, "intermediate_size": 17920, "tp_size": 4}',
      },
      {
        language: 'yaml',
        code: 'num_layers: 60\nhidden_size: 4096\nnum_attention_heads: 32\nnum_query_groups: 2\nffn_hidden_size: 16384\ntensor_model_parallel_size: 8\n',
      },
    ],
    good: [
      {
        language: 'json',
        code: '{"model_type": "phi3", "hidden_size": 5120, "num_attention_heads": 40, "num_key_value_heads": 10, "num_hidden_layers": 40, "intermediate_size": 17920, "tp_size": 2}',
      },
    ],
    references: [
      'https://github.com/NVIDIA-NeMo/Automodel/issues/799',
      'https://github.com/modelscope/ms-swift/issues/8219',
      'https://github.com/pytorch/torchtitan/issues/2574',
      'https://github.com/NVIDIA/Megatron-LM/blob/main/megatron/core/transformer/transformer_config.py',
    ],
  },
  messages: {
    uneven: '{kv} KV heads do not split over {ranks} tensor-parallel ranks: {kv} % {ranks} = {remainder}.',
    fewer: '{kv} KV heads are fewer than {ranks} tensor-parallel ranks, and {stack} gives every rank whole heads of its own.',
    copied:
      '{kv} KV heads are fewer than {ranks} tensor-parallel ranks: vLLM and Megatron-Core since 0.16 give each head to {copies} ranks, {refusing} refuse.',
  },
  checkDesign(design, { reading, settings, report }) {
    const size = splitSize(reading, settings, 'tensor');
    const { keyValueHeads, queryHeads, ropeHeadDim } = design.fields;
    if (size === undefined || keyValueHeads === undefined || !isSplit(design, reading)) return;
    // Latent attention splits query heads; a KV count that follows from the query heads is theirs to report.
    if (ropeHeadDim !== undefined || (queryHeads !== undefined && keyValueHeads.value === queryHeads.value)) return;
    const kv = keyValueHeads.value;
    const ranks = size.value;
    if (!Number.isInteger(kv) || kv <= 0 || kv % ranks === 0) return;
    const at = placeOf(size, keyValueHeads);
    if (at === undefined) return;
    const related = otherNumber(size, keyValueHeads, `The ${kv} KV heads are set here.`);
    const stack = stackOf(reading, settings);
    if (ranks % kv !== 0) {
      report({
        at,
        message: 'uneven',
        data: { kv, ranks, remainder: kv % ranks },
        related,
        fixes: smallerSizes(size, kv, (value) => splitsEvenly(design, value)),
      });
      return;
    }
    if (stack === 'vllm' || stack === 'neuron') return;
    const fixes = smallerSizes(size, kv, (value) => splitsEvenly(design, value));
    if (stack === 'torchtitan' || stack === 'gpt-neox') {
      report({ at, message: 'fewer', data: { kv, ranks, stack: stack === 'torchtitan' ? 'torchtitan' : 'GPT-NeoX' }, related, fixes });
      return;
    }
    report({
      at,
      message: 'copied',
      data: { kv, ranks, copies: ranks / kv, refusing: stack === 'megatron' ? 'older versions' : 'torchtitan and older Megatron' },
      severity: stack === 'megatron' ? 'warning' : 'information',
      related,
      fixes,
    });
  },
});
