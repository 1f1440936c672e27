import { numberOf } from '../../../interpreter/make.ts';
import { attentionsOf, type SoftmaxAttention } from '../../code/attention.ts';
import { byPlace, rangeIn } from '../../code/places.ts';
import { defineRule } from '../../rule.ts';
import { attentionExample } from './examples.ts';

export const dropoutOnScores = defineRule({
  code: 'HW164',
  name: 'dropout-before-softmax',
  category: 'heads',
  severity: 'warning',
  since: '0.2.0',
  docs: {
    what: 'Dropout is applied to attention scores before the softmax.',
    why: 'Dropout sets scores to 0, which hides nothing: a dropped score gets exp(0), often more than the others, and a masked score of minus infinity becomes 0 and is seen. The rest are scaled up, which sharpens the softmax. Attention dropout goes on the weights, after the softmax.',
    bad: [
      attentionExample({ weights: 'scores = self.dropout(scores)\nweights = F.softmax(scores, dim=-1)', drop: '' }),
      attentionExample({ weights: 'weights = F.softmax(self.dropout(scores), dim=-1)', drop: '' }),
    ],
    good: [attentionExample()],
    references: ['https://arxiv.org/abs/1706.03762'],
  },
  messages: {
    dropout: 'Dropout on scores: a dropped score is 0 and still takes part in the softmax. Apply it to the weights.',
  },
  checkCode({ code, report }) {
    const all = attentionsOf(code).filter((each): each is SoftmaxAttention => each.kind === 'softmax' && each.sums.length > 0);
    for (const [attention] of byPlace(all, ({ node }) => node)) {
      for (const { kind, node } of attention?.paths.flat() ?? []) {
        const p = node.arguments.get('p');
        const at = kind === 'dropout' ? rangeIn(code, node.site) : undefined;
        if (at === undefined || (p !== undefined && numberOf(p) === 0)) continue;
        report({ at, message: 'dropout', related: [{ range: rangeIn(code, attention?.node.site), message: 'The softmax is here.' }] });
      }
    }
  },
});
