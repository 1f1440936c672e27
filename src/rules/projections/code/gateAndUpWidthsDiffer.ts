import { gatedBlock } from './examples.ts';
import { faultRule } from './fault.ts';

export const gateAndUpWidthsDiffer = faultRule('gate', 'HW224', 'gate-and-up-widths-differ', {
  what: 'The gate of a gated FFN has another width than what it gates.',
  why: 'SwiGLU and its relatives multiply the two element by element: both projections need the same width.',
  bad: [gatedBlock({ gate: 'hidden_size, hidden_size' }), gatedBlock({ up: 'hidden_size, hidden_size' })],
  good: [gatedBlock()],
  references: ['https://arxiv.org/abs/2002.05202'],
});
