import { rangeIn } from '../../code/places.ts';
import { defineRule } from '../../rule.ts';
import { attentionExample, calledExample } from './examples.ts';
import { mixUpsOf } from './mixedUp.ts';

export const weightsTimesKeys = defineRule({
  code: 'HW162',
  name: 'weights-do-not-meet-values',
  category: 'heads',
  severity: 'error',
  since: '0.2.0',
  docs: {
    what: 'Attention weights are multiplied with the keys or the queries, and the values come to nothing.',
    why: 'The output of attention is a weighted sum of the values. Keys have the same shape, so that the product works and the loss goes down; the value projection gets no gradient and stays as it was initialised. Reported only where a value was computed and is not used: attention that shares keys and values on purpose is left alone.',
    bad: [attentionExample({ sum: 'y = weights @ k' }), calledExample('F.scaled_dot_product_attention(q, k, k, is_causal=True)')],
    good: [attentionExample(), calledExample('F.scaled_dot_product_attention(q, k, v, is_causal=True)')],
    references: ['https://arxiv.org/abs/1706.03762'],
  },
  messages: {
    keys: 'The weights are multiplied with the keys; the values{name} are not used.',
    queries: 'The weights are multiplied with the queries; the values{name} are not used.',
  },
  checkCode({ code, report }) {
    for (const { kind, site, unused, node } of mixUpsOf(code)) {
      if (kind !== 'keysForValues' && kind !== 'queriesForValues') continue;
      const at = rangeIn(code, site) ?? rangeIn(code, node.site);
      if (at === undefined) continue;
      report({
        at,
        message: kind === 'keysForValues' ? 'keys' : 'queries',
        data: { name: typeof unused === 'string' ? ` of \`${unused}\`` : '' },
        related: typeof unused === 'object' ? [{ range: rangeIn(code, unused.site), message: 'The values are computed here.' }] : [],
      });
    }
  },
});
