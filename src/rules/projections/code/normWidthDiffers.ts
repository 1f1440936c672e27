import { gatedBlock } from './examples.ts';
import { faultRule } from './fault.ts';

export const normWidthDiffers = faultRule('norm', 'HW215', 'norm-width-differs', {
  what: 'A norm is made for another width than that of the tensor it gets.',
  why: 'LayerNorm and RMSNorm hold one weight per feature of the last axis: another width stops with a RuntimeError.',
  bad: [gatedBlock({ norm: 'intermediate_size' })],
  good: [gatedBlock()],
  references: ['https://pytorch.org/docs/stable/generated/torch.nn.LayerNorm.html'],
});
