import { formatDim } from '../../../dims/format.ts';
import { overFeatures } from '../../code/headOrder.ts';
import { attentionOverHeads as findAttentionOverHeads } from '../../code/layouts.ts';
import { rangeIn, shown } from '../../code/places.ts';
import { defineRule } from '../../rule.ts';
import { fusedAttention, groupedAttention } from './examples.ts';

export const attentionOverHeads = defineRule({
  code: 'HW233',
  name: 'attention-over-heads',
  category: 'projections',
  severity: 'error',
  since: '0.2.0',
  docs: {
    what: 'Attention goes over the heads of one token instead of over the tokens, because the heads were not moved in front of them.',
    why: 'Products and scaled_dot_product_attention work on the last two axes. On (B, T, h, d) each token mixes its own heads and never sees another token; the shapes of the result fit all the same.',
    bad: [
      fusedAttention({ heads: 'view(B, T, self.n_head, C // self.n_head)', merge: 'y.reshape(B, T, C)' }),
      groupedAttention({
        splitQuery: 'view(B, T, self.num_heads, self.head_dim)',
        splitKey: 'view(B, T, self.num_heads, self.head_dim)',
        splitValue: 'view(B, T, self.num_heads, self.head_dim)',
        key: 'num_heads * head_dim',
        value: 'num_heads * head_dim',
        before: 'assert T > 1',
        merge: 'y.reshape(B, T, self.num_heads * self.head_dim)',
      }),
    ],
    good: [fusedAttention(), groupedAttention()],
    references: ['https://pytorch.org/docs/stable/generated/torch.nn.functional.scaled_dot_product_attention.html'],
  },
  messages: {
    heads: 'Attention goes over the {heads} heads of each token, not over the {length} tokens: `{text}` is not transposed.',
  },
  checkCode({ code, report }) {
    const bySize = findAttentionOverHeads(code);
    const known = new Set(bySize.map(({ attention }) => attention.node));
    const others = overFeatures(code).filter(({ attention }) => !known.has(attention.node));
    for (const { attention, node, contracted, across } of [...bySize, ...others]) {
      const at = rangeIn(code, node.site) ?? rangeIn(code, attention.node.site);
      if (at === undefined) continue;
      report({
        at,
        message: 'heads',
        data: { text: shown(code, at, 50), heads: formatDim(contracted), length: formatDim(across) },
        related: [{ range: rangeIn(code, attention.node.site), message: 'The attention that uses it.' }],
      });
    }
  },
});
