import { formatDim } from '../../../dims/format.ts';
import { reorderedHeads } from '../../code/headOrder.ts';
import { swappedHeads } from '../../code/layouts.ts';
import { rangeIn, shown } from '../../code/places.ts';
import { defineRule } from '../../rule.ts';
import { fusedAttention, groupedAttention } from './examples.ts';

export const headAxesSwapped = defineRule({
  code: 'HW232',
  name: 'heads-and-head-dim-swapped',
  category: 'projections',
  severity: 'error',
  since: '0.2.0',
  docs: {
    what: 'The axis of the heads and that of the features of a head are swapped: attention sums over heads, or heads are merged feature by feature.',
    why: 'Heads times head dim is the same as head dim times heads, so every size fits. The scores are then sums over the heads, with as many attention patterns as a head has features, and a scale that is made for another sum.',
    bad: [
      fusedAttention({ heads: 'view(B, T, C // self.n_head, self.n_head).transpose(1, 2)', merge: 'y.transpose(1, 2).reshape(B, T, C)' }),
      groupedAttention({ merge: 'y.permute(0, 2, 3, 1).reshape(B, T, self.num_heads * self.head_dim)' }),
    ],
    good: [fusedAttention(), groupedAttention()],
    references: ['https://arxiv.org/abs/1706.03762'],
  },
  messages: {
    summed: '`{text}` puts the heads where the features of a head belong: attention sums over {heads} and has {headDim} heads.',
    merged: '`{text}` merges the features of the heads as {order}, but the width was split as {other}.',
    split: '`{text}` splits the width as {other}, and the heads are merged as {order}.',
  },
  checkCode({ code, report }) {
    for (const { attention, node, contracted, across } of swappedHeads(code)) {
      const at = rangeIn(code, node.site) ?? rangeIn(code, attention.node.site);
      if (at === undefined) continue;
      report({
        at,
        message: 'summed',
        data: { text: shown(code, at, 50), heads: formatDim(contracted), headDim: formatDim(across) },
        related: [{ range: rangeIn(code, attention.node.site), message: 'The attention that uses it.' }],
      });
    }
    for (const { node, isSplit, order } of reorderedHeads(code)) {
      const at = rangeIn(code, node.site);
      if (at === undefined) continue;
      report({
        at,
        message: isSplit ? 'split' : 'merged',
        // The output projection can learn any order.
        severity: 'information',
        data: {
          text: shown(code, at, 50),
          order: order.map(formatDim).join(' x '),
          other: [...order].reverse().map(formatDim).join(' x '),
        },
      });
    }
  },
});
