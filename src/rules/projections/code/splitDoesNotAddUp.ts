import { fusedAttention } from './examples.ts';
import { faultRule } from './fault.ts';

export const splitDoesNotAddUp = faultRule('split', 'HW214', 'split-does-not-add-up', {
  what: 'A fused projection is split into parts that do not add up to its width, or into another number of parts than there are names.',
  why: 'Three parts of the model width need a projection three times as wide (or `(heads + 2 * key-value heads) * head_dim`, with grouped heads); otherwise the split or the unpacking stops with an error.',
  bad: [fusedAttention({ qkv: '2 * n_embd' }), fusedAttention({ split: 'split([self.n_embd, self.n_embd, self.n_head], dim=2)' })],
  good: [fusedAttention(), fusedAttention({ split: 'chunk(3, dim=-1)' })],
  references: ['https://pytorch.org/docs/stable/generated/torch.split.html'],
});
