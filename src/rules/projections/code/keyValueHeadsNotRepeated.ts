import { groupedAttention } from './examples.ts';
import { faultRule } from './fault.ts';

export const keyValueHeadsNotRepeated = faultRule('heads', 'HW220', 'key-value-heads-not-repeated', {
  what: 'Query heads meet fewer key-value heads that were not repeated.',
  why: 'With grouped-query attention each key-value head serves several query heads. A plain product needs it repeated that often along the head axis, or the query heads grouped; otherwise it stops with a RuntimeError, or works only with as many key-value heads as query heads.',
  bad: [groupedAttention({ before: 'v = v.repeat_interleave(self.num_heads // self.num_kv_heads, dim=1)' })],
  good: [groupedAttention()],
  references: ['https://arxiv.org/abs/2305.13245'],
});
