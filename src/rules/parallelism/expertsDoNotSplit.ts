import { defineRule } from '../rule.ts';
import { isSplit, otherNumber, placeOf, smallerSizes, splitSize, stackOf } from './sizes.ts';

export const expertsDoNotSplit = defineRule({
  code: 'HW605',
  name: 'experts-do-not-split',
  category: 'parallelism',
  severity: 'warning',
  since: '0.1.0',
  docs: {
    what: 'The experts do not divide over the expert-parallel ranks.',
    why: 'Expert parallelism gives each rank whole experts, the same number on each. Megatron-LM, DeepSpeed and torchtitan refuse to start otherwise; vLLM gives some ranks one expert more.',
    bad: [
      {
        language: 'yaml',
        code: 'num_layers: 24\nhidden_size: 2048\nnum_attention_heads: 16\nffn_hidden_size: 1408\nnum_moe_experts: 60\nmoe_router_topk: 4\nexpert_model_parallel_size: 8\n',
      },
    ],
    good: [
      {
        language: 'yaml',
        code: 'num_layers: 24\nhidden_size: 2048\nnum_attention_heads: 16\nffn_hidden_size: 1408\nnum_moe_experts: 64\nmoe_router_topk: 4\nexpert_model_parallel_size: 8\n',
      },
    ],
    references: [
      'https://github.com/NVIDIA/Megatron-LM/blob/main/megatron/training/arguments.py',
      'https://github.com/pytorch/torchtitan/blob/main/torchtitan/models/common/decoder.py',
    ],
  },
  messages: {
    uneven: '{experts} experts do not split over {ranks} expert-parallel ranks: {experts} % {ranks} = {remainder}.',
  },
  checkDesign(design, { reading, settings, report }) {
    const size = splitSize(reading, settings, 'expert');
    const { experts } = design.fields;
    if (size === undefined || experts === undefined || !isSplit(design, reading) || stackOf(reading, settings) === 'vllm') return;
    const count = experts.value;
    if (!Number.isInteger(count) || count <= 1 || count % size.value === 0) return;
    const at = placeOf(size, experts);
    if (at === undefined) return;
    report({
      at,
      message: 'uneven',
      data: { experts: count, ranks: size.value, remainder: count % size.value },
      related: otherNumber(size, experts, `The ${count} experts are set here.`),
      fixes: smallerSizes(size, count, () => true),
    });
  },
});
