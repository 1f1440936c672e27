import { rangeIn } from '../../code/places.ts';
import { defineRule } from '../../rule.ts';
import { rotaryExample } from './examples.ts';
import { rotaryVerdicts } from './rotaryOperands.ts';

export const rotaryOnValues = defineRule({
  code: 'HW420',
  name: 'rotary-embedding-on-values',
  category: 'positions',
  severity: 'warning',
  since: '0.2.0',
  docs: {
    what: 'Rotary position embeddings are applied to the values.',
    why: 'Turning queries and keys by their positions makes their product depend on the distance alone. Turned values carry their absolute position into the output, and nothing turns them back: the sum mixes values in different frames. RoFormer can do so by a setting of its own; where both ways exist nothing is reported.',
    bad: [
      rotaryExample({ apply: 'q = apply_rope(q, cos, sin)\nk = apply_rope(k, cos, sin)\nv = apply_rope(v, cos, sin)' }),
      rotaryExample({ apply: 'q = apply_rope(q, cos, sin)\nv = apply_rope(v, cos, sin)' }),
    ],
    good: [rotaryExample()],
    references: ['https://arxiv.org/abs/2104.09864'],
  },
  messages: {
    values: 'The values are turned by the rotary embedding too: only queries and keys are to be.',
    valuesForKeys: 'The rotary embedding turns queries and values: it is to turn queries and keys.',
  },
  checkCode({ code, report }) {
    for (const { kind, site, node } of rotaryVerdicts(code)) {
      if (kind !== 'values' && kind !== 'valuesForKeys') continue;
      const used = rangeIn(code, node.site);
      const at = rangeIn(code, site) ?? used;
      if (at !== undefined)
        report({ at, message: kind, related: [{ range: at === used ? undefined : used, message: 'The values are used here.' }] });
    }
  },
});
