import { groupedAttention } from './examples.ts';
import { faultRule } from './fault.ts';

export const outputProjectionWidth = faultRule('output', 'HW221', 'output-projection-width', {
  what: 'The output projection of attention does not take heads times head dim.',
  why: 'What the heads give is joined to `query heads * head dim` features. That is the model width only where the head dim is the width divided by the heads.',
  bad: [groupedAttention({ out: 'num_kv_heads * head_dim' }), groupedAttention({ out: 'head_dim' })],
  good: [groupedAttention()],
  references: [
    'https://arxiv.org/abs/1706.03762',
    'https://github.com/huggingface/transformers/blob/main/src/transformers/models/llama/modeling_llama.py',
  ],
});
