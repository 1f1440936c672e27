import { groupedAttention } from './examples.ts';
import { faultRule } from './fault.ts';

export const projectionIsNotHeadsTimesHeadDim = faultRule('projection', 'HW222', 'projection-is-not-heads-times-head-dim', {
  what: 'The projection of queries, keys or values is not as wide as the heads that it is viewed into.',
  why: 'Queries need `heads * head dim` features, keys and values `key-value heads * head dim`. A key projection of the width of the queries cannot be viewed into fewer heads.',
  bad: [
    groupedAttention({ key: 'num_heads * head_dim' }),
    groupedAttention({ splitValue: 'view(B, T, self.num_heads, self.head_dim).transpose(1, 2)' }),
  ],
  good: [groupedAttention()],
  references: ['https://arxiv.org/abs/2305.13245'],
});
