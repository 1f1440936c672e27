import { groupedAttention } from './examples.ts';
import { faultRule } from './fault.ts';

export const productDoesNotFit = faultRule('product', 'HW210', 'product-does-not-fit', {
  what: 'A matrix product, einsum or attention call gets operands whose axes do not fit each other.',
  why: 'The last axis of the left operand must be as long as the second to last of the right, and the axes in front must be equal or 1. Queries times keys without the transpose works only where a sequence happens to be as long as a head is wide; everything else stops with a RuntimeError.',
  bad: [groupedAttention({ scores: 'q @ k' }), groupedAttention({ scores: "torch.einsum('bhid,bhdj->bhij', q, k)" })],
  good: [groupedAttention(), groupedAttention({ scores: "torch.einsum('bhid,bhjd->bhij', q, k)" })],
  references: ['https://pytorch.org/docs/stable/generated/torch.matmul.html'],
});
