import { gatedBlock } from './examples.ts';
import { faultRule } from './fault.ts';

export const layerFedWrongWidth = faultRule('layerInput', 'HW211', 'layer-fed-wrong-width', {
  what: 'A layer is fed a tensor that is wider or narrower than it was made for.',
  why: '`nn.Linear(in_features, ...)` multiplies the last axis with its weight: another width stops with a RuntimeError when the code first runs.',
  bad: [
    gatedBlock({ down: 'intermediate_size, intermediate_size', answer: 'self.head(h)' }),
    gatedBlock({ gate: 'intermediate_size, intermediate_size', hidden: 'self.gate_proj(h)', answer: 'x' }),
  ],
  good: [gatedBlock()],
  references: ['https://pytorch.org/docs/stable/generated/torch.nn.Linear.html'],
});
