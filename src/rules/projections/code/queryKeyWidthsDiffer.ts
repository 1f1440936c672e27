import { groupedAttention } from './examples.ts';
import { faultRule } from './fault.ts';

export const queryKeyWidthsDiffer = faultRule('queryKey', 'HW218', 'query-key-widths-differ', {
  what: 'Queries and keys come out of projections of different widths and cannot be multiplied.',
  why: 'A score is the product of a query and a key of one head: both need the same head dim. Values may be wider or narrower, keys may not.',
  bad: [groupedAttention({ key: 'num_kv_heads * (head_dim // 2)', splitKey: 'view(B, T, self.num_kv_heads, -1).transpose(1, 2)' })],
  good: [groupedAttention()],
  references: ['https://arxiv.org/abs/1706.03762'],
});
