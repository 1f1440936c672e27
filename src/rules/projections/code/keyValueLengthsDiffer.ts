import { groupedAttention } from './examples.ts';
import { faultRule } from './fault.ts';

export const keyValueLengthsDiffer = faultRule('keyValueLength', 'HW219', 'key-value-lengths-differ', {
  what: 'The weights over the keys meet values of another length.',
  why: 'Each key has one value: the last axis of the weights is the number of keys, and must be the number of values. Keys from one sequence and values from another, or values with their last axes swapped, stop with a RuntimeError.',
  bad: [groupedAttention({ sum: 'weights @ v.transpose(-2, -1)' })],
  good: [groupedAttention()],
  references: ['https://arxiv.org/abs/1706.03762'],
});
