import { rangeIn } from '../../code/places.ts';
import { defineRule } from '../../rule.ts';
import { attentionExample, calledExample } from './examples.ts';
import { mixUpsOf } from './mixedUp.ts';

export const queriesTimesValues = defineRule({
  code: 'HW163',
  name: 'queries-do-not-meet-keys',
  category: 'heads',
  severity: 'error',
  since: '0.2.0',
  docs: {
    what: 'Attention scores are products of queries with values or with queries, and the keys come to nothing or take the place of the values.',
    why: 'Scores compare queries with keys. Values and queries have the same shape, so that the product works; the key projection gets no gradient and stays as it was initialised. Reported where a key was computed and is not used, or where keys and values by their own names have changed places.',
    bad: [
      attentionExample({ scores: 'scores = (q @ v.transpose(-2, -1)) / math.sqrt(self.head_dim)' }),
      attentionExample({ scores: 'scores = (q @ q.transpose(-2, -1)) / math.sqrt(self.head_dim)' }),
      calledExample('F.scaled_dot_product_attention(q, v, k, is_causal=True)'),
    ],
    good: [attentionExample(), calledExample('F.scaled_dot_product_attention(q, k, v, is_causal=True)')],
    references: ['https://arxiv.org/abs/1706.03762'],
  },
  messages: {
    values: 'The queries are multiplied with the values; the keys{name} are not used.',
    queries: 'The queries are multiplied with themselves; the keys{name} are not used.',
    swapped: 'Keys and values have changed places: the queries meet what the code calls values, and the weights what it calls keys.',
  },
  checkCode({ code, report }) {
    for (const { kind, site, unused, node } of mixUpsOf(code)) {
      if (kind === 'keysForValues' || kind === 'queriesForValues') continue;
      const at = rangeIn(code, site) ?? rangeIn(code, node.site);
      if (at === undefined) continue;
      report({
        at,
        message: kind === 'swapped' ? 'swapped' : kind === 'valuesForKeys' ? 'values' : 'queries',
        ...(kind === 'swapped' ? { severity: 'warning' as const } : {}),
        data: { name: typeof unused === 'string' ? ` of \`${unused}\`` : '' },
        related: typeof unused === 'object' ? [{ range: rangeIn(code, unused.site), message: 'The keys are computed here.' }] : [],
      });
    }
  },
});
