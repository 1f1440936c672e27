import { groupedAttention } from './examples.ts';
import { faultRule } from './fault.ts';

export const operandsDoNotBroadcast = faultRule('broadcast', 'HW216', 'operands-do-not-broadcast', {
  what: 'The operands of an element-wise operation have sizes that do not broadcast.',
  why: 'Axes are aligned at the end and must be equal, or 1 in one operand; anything else stops with a RuntimeError.',
  bad: [
    groupedAttention({
      before:
        'k = k.repeat_interleave(self.num_heads // self.num_kv_heads, dim=1)\nv = v.repeat_interleave(self.num_heads // self.num_kv_heads, dim=1)\nq = q * k.transpose(-2, -1)',
    }),
  ],
  good: [
    groupedAttention({
      before:
        'k = k.repeat_interleave(self.num_heads // self.num_kv_heads, dim=1)\nv = v.repeat_interleave(self.num_heads // self.num_kv_heads, dim=1)\nq = q * k.mean(dim=-1, keepdim=True)',
    }),
  ],
  references: ['https://pytorch.org/docs/stable/notes/broadcasting.html'],
});
