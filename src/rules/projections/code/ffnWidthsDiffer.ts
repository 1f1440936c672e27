import { feedForward } from './examples.ts';
import { faultRule } from './fault.ts';

export const ffnWidthsDiffer = faultRule('ffn', 'HW223', 'ffn-widths-differ', {
  what: 'The second layer of an FFN does not take what the first one gives.',
  why: 'The width inside an FFN is free, but both layers must agree on it.',
  bad: [feedForward({ first: 'd_model, d_model' }), feedForward({ second: 'd_model, d_model' })],
  good: [feedForward()],
  references: ['https://arxiv.org/abs/1706.03762'],
});
