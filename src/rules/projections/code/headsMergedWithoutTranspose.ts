import { rangeIn, shown } from '../../code/places.ts';
import { defineRule } from '../../rule.ts';
import { fusedAttention, groupedAttention } from './examples.ts';
import { allScrambles, mergeFix, shapesOf } from './scrambled.ts';

export const headsMergedWithoutTranspose = defineRule({
  code: 'HW230',
  name: 'heads-merged-without-transpose',
  category: 'projections',
  severity: 'error',
  since: '0.2.0',
  docs: {
    what: 'Heads are merged by a view straight from (batch, heads, tokens, head dim), without moving the heads behind the tokens first.',
    why: 'A view keeps the order of the elements. From (B, h, T, d) to (B, T, h * d) every size fits, but the new row of a token holds features of other tokens of one head: the model trains, and is much worse.',
    bad: [
      groupedAttention({ merge: 'y.reshape(B, T, self.num_heads * self.head_dim)' }),
      fusedAttention({ merge: 'y.contiguous().view(B, T, C)' }),
    ],
    good: [groupedAttention(), fusedAttention(), fusedAttention({ merge: 'y.permute(0, 2, 1, 3).flatten(2)' })],
    fixSafety: 'The fix inserts the transpose. It changes what the model computes, which is the point.',
    references: ['https://arxiv.org/abs/1706.03762', 'https://pytorch.org/docs/stable/generated/torch.Tensor.view.html'],
  },
  messages: {
    merged: '`{text}` merges {before} to {after} without a transpose: the rows of {after} mix different tokens.',
  },
  checkCode({ code, report }) {
    for (const scramble of allScrambles(code)) {
      const at = rangeIn(code, scramble.node.site);
      if (scramble.kind !== 'merge' || at === undefined) continue;
      report({
        at,
        message: 'merged',
        data: { text: shown(code, at, 50), ...shapesOf(scramble) },
        fixes: mergeFix(code, scramble),
      });
    }
  },
});
