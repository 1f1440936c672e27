import { turnedAlone } from '../../code/namedRotary.ts';
import { rangeIn } from '../../code/places.ts';
import { defineRule } from '../../rule.ts';
import { rotaryExample } from './examples.ts';
import { rotaryVerdicts } from './rotaryOperands.ts';

export const rotaryOnOne = defineRule({
  code: 'HW421',
  name: 'rotary-embedding-on-one-side',
  category: 'positions',
  severity: 'warning',
  since: '0.2.0',
  docs: {
    what: 'Rotary position embeddings are applied to queries and not to keys, or to keys and not to queries.',
    why: 'The product of a query and a key depends on their distance only when both are turned by their positions. With one of them turned the scores depend on one absolute position and not on the distance, and the model does not learn order as it should.',
    bad: [rotaryExample({ apply: 'q = apply_rope(q, cos, sin)' }), rotaryExample({ apply: 'k = apply_rope(k, cos, sin)' })],
    good: [rotaryExample()],
    references: ['https://arxiv.org/abs/2104.09864'],
  },
  messages: {
    queriesOnly: 'The rotary embedding turns the queries and not the keys: both are to be turned.',
    keysOnly: 'The rotary embedding turns the keys and not the queries: both are to be turned.',
  },
  checkCode({ code, report }) {
    for (const { kind, site, node } of rotaryVerdicts(code)) {
      if (kind !== 'queriesOnly' && kind !== 'keysOnly') continue;
      const used = rangeIn(code, node.site);
      const at = rangeIn(code, site) ?? used;
      if (at !== undefined)
        report({ at, message: kind, related: [{ range: at === used ? undefined : used, message: 'Queries and keys meet here.' }] });
    }
    if (rotaryVerdicts(code).length > 0) return;
    for (const { kind, site } of turnedAlone(code)) {
      const at = rangeIn(code, site);
      if (at !== undefined) report({ at, message: kind, severity: 'information' });
    }
  },
});
