import { gatedBlock } from './examples.ts';
import { faultRule } from './fault.ts';

export const residualWidthDiffers = faultRule('residual', 'HW217', 'residual-width-differs', {
  what: 'The operands of a sum, as the residual and what a sublayer gives, have different widths.',
  why: 'What is added to the residual must be as wide as the model. A sublayer that ends in another width stops with a RuntimeError at the sum.',
  bad: [gatedBlock({ down: 'intermediate_size, intermediate_size' })],
  good: [gatedBlock()],
  references: ['https://arxiv.org/abs/1706.03762'],
});
