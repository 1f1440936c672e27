import { groupedAttention } from './examples.ts';
import { faultRule } from './fault.ts';

export const joinedTensorsDoNotFit = faultRule('pieces', 'HW213', 'joined-tensors-do-not-fit', {
  what: 'Tensors are concatenated or stacked that differ on another axis than the joined one.',
  why: 'All axes but the joined one must be equal; a query joined to a key of other heads, or a class token of another width, stops with a RuntimeError.',
  bad: [groupedAttention({ before: 'k = torch.cat([k, q], dim=2)\nv = torch.cat([v, q], dim=2)' })],
  good: [
    groupedAttention({
      before:
        'k = torch.cat([k, v], dim=1)\nv = torch.cat([v, v], dim=1)\nq = torch.cat([q, q], dim=1)\nk = k.repeat_interleave(q.shape[1] // k.shape[1], dim=1)\nv = v.repeat_interleave(q.shape[1] // v.shape[1], dim=1)',
      merge: 'y[:, : self.num_heads].transpose(1, 2).reshape(B, T, self.num_heads * self.head_dim)',
    }),
  ],
  references: ['https://pytorch.org/docs/stable/generated/torch.cat.html'],
});
