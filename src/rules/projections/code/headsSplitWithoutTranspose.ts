import { formatDim } from '../../../dims/format.ts';
import { eatenTokens } from '../../code/eatenTokens.ts';
import { oddOrders } from '../../code/einopsOrder.ts';
import { rangeIn, shown } from '../../code/places.ts';
import { defineRule } from '../../rule.ts';
import { fusedAttention, groupedAttention } from './examples.ts';
import { allScrambles, shapesOf, splitFix } from './scrambled.ts';

export const headsSplitWithoutTranspose = defineRule({
  code: 'HW231',
  name: 'heads-split-without-transpose',
  category: 'projections',
  severity: 'error',
  since: '0.2.0',
  docs: {
    what: 'A width is split into heads by a view that puts the heads before the tokens.',
    why: 'A view keeps the order of the elements: the features of a token lie together, so they can only be cut where they stand, as (B, T, h, d), and moved afterwards. (B, h, T, d) has the same sizes, but each of its heads is a stretch of whole tokens.',
    bad: [
      groupedAttention({
        splitQuery: 'view(B, self.num_heads, T, self.head_dim)',
        splitKey: 'view(B, self.num_kv_heads, T, self.head_dim)',
        splitValue: 'view(B, self.num_kv_heads, T, self.head_dim)',
      }),
      fusedAttention({ heads: 'view(B, self.n_head, T, C // self.n_head)' }),
    ],
    good: [groupedAttention(), fusedAttention()],
    fixSafety: 'The fix splits where the features stand and transposes. It changes what the model computes, which is the point.',
    references: ['https://arxiv.org/abs/1706.03762', 'https://pytorch.org/docs/stable/generated/torch.Tensor.view.html'],
  },
  messages: {
    split: '`{text}` cuts {before} into {after}: the tokens are not where the view puts them, so heads get other tokens.',
    eaten: '`{text}` makes heads of {asked} features, and a token has {width}: it takes those of other tokens.',
    order: 'This pattern has ({order}) where the others of this function have ({usual}): the axes come out mixed.',
    moved: '`{text}` makes {after} of {before}: the tokens do not stay together.',
  },
  checkCode({ code, report }) {
    for (const scramble of allScrambles(code)) {
      const at = rangeIn(code, scramble.node.site);
      if (scramble.kind === 'merge' || at === undefined) continue;
      report({
        at,
        message: scramble.kind === 'split' ? 'split' : 'moved',
        data: { text: shown(code, at, 50), ...shapesOf(scramble) },
        fixes: scramble.kind === 'split' ? splitFix(code, scramble) : [],
      });
    }
    for (const { site, order, usual, other } of oddOrders(code)) {
      const at = rangeIn(code, site);
      const related = [{ range: rangeIn(code, other), message: `Here the order is (${usual}).` }];
      if (at !== undefined) report({ at, message: 'order', severity: 'information', data: { order, usual }, related });
    }
    for (const { node, width, asked, site } of eatenTokens(code)) {
      const used = rangeIn(code, node.site);
      const at = rangeIn(code, site) ?? used;
      if (at === undefined) continue;
      report({
        at,
        message: 'eaten',
        data: { text: shown(code, used, 50), asked: formatDim(asked), width: formatDim(width) },
        related: used === at ? [] : [{ range: used, message: 'The view is here.' }],
      });
    }
  },
});
