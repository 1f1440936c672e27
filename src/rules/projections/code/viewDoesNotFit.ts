import { fusedAttention, groupedAttention } from './examples.ts';
import { faultRule } from './fault.ts';

export const viewDoesNotFit = faultRule('view', 'HW212', 'view-does-not-fit', {
  what: 'A view or reshape asks for another number of elements than the tensor has.',
  why: 'The product of the sizes must be that of the tensor: a merge into the width of one head, or a split into the wrong number of heads, stops with a RuntimeError.',
  bad: [
    fusedAttention({ merge: 'y.transpose(1, 2).reshape(B, T, C // self.n_head)' }),
    fusedAttention({ heads: 'view(B, T, self.n_head, C).transpose(1, 2)' }),
  ],
  good: [groupedAttention(), fusedAttention()],
  references: ['https://pytorch.org/docs/stable/generated/torch.Tensor.view.html'],
});
