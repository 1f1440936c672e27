import { groupedAttention } from './examples.ts';
import { faultRule } from './fault.ts';

export const axisDoesNotExist = faultRule('axis', 'HW225', 'axis-does-not-exist', {
  what: 'A transpose, permute, index or similar names an axis that the tensor does not have, or not all of its axes.',
  why: 'The tensor has fewer or more axes than the line takes for granted, mostly because a split into heads or an unsqueeze was left out. It stops with an error.',
  bad: [
    groupedAttention({ splitQuery: 'transpose(2, 3)' }),
    groupedAttention({ merge: 'y.permute(0, 2, 1).reshape(B, T, self.num_heads * self.head_dim)' }),
  ],
  good: [groupedAttention()],
  references: ['https://pytorch.org/docs/stable/generated/torch.permute.html'],
});
