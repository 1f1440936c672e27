import { rangeIn } from '../../code/places.ts';
import { defineRule } from '../../rule.ts';
import { attentionExample, calledExample } from './examples.ts';
import { judgedScales, nodeOf, sizeText, withoutScale } from './scale.ts';

export const scaledTwice = defineRule({
  code: 'HW153',
  name: 'attention-scaled-twice',
  category: 'heads',
  severity: 'error',
  since: '0.2.0',
  docs: {
    what: 'Attention scores are scaled twice: on queries and on scores, on both operands, or before a function that scales by itself.',
    why: '`scaled_dot_product_attention` divides by the root of the head dim unless `scale` says otherwise. With a scale before it, or with two of them, the scores are too small by sqrt(d) and attention is close to uniform. Nothing fails. Half of the scale on queries and half on keys is right, and is not reported.',
    bad: [
      calledExample('F.scaled_dot_product_attention(q, k, v, is_causal=True)', 'q = q * self.head_dim ** -0.5'),
      attentionExample({ project: 'q = q / math.sqrt(self.head_dim)' }),
      attentionExample({
        scale: 'self.head_dim ** -0.5',
        project: 'q = q * self.scale\nk = k * self.scale',
        scores: 'scores = q @ k.transpose(-2, -1)',
      }),
    ],
    good: [
      calledExample('F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=1.0)', 'q = q * self.head_dim ** -0.5'),
      attentionExample({ project: 'q = q / math.sqrt(self.head_dim)', scores: 'scores = q @ k.transpose(-2, -1)' }),
      attentionExample({ scores: 'scores = q @ k.transpose(-2, -1) / self.head_dim' }),
    ],
    fixSafety:
      'The fix changes what the model computes, which is the point: weights that were trained with the code as it is no longer fit.',
    references: ['https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.scaled_dot_product_attention.html'],
  },
  messages: {
    called: 'The scores are scaled here, and `scaled_dot_product_attention` divides by sqrt({width}) once more.',
    twice: 'The scores are scaled by 1/sqrt({width}) more than once: here and in another place.',
  },
  checkCode({ code, report }) {
    for (const { attention, verdict } of judgedScales(code, 'twice')) {
      const steps = verdict.steps;
      const places = steps.map(({ node }) => rangeIn(code, node.site));
      const product = rangeIn(code, nodeOf(attention).site);
      for (const [i, at] of places.entries()) {
        const step = steps[i];
        if (at === undefined || step === undefined) continue;
        const edits = withoutScale(code, step);
        report({
          at,
          message: verdict.called ? 'called' : 'twice',
          data: { width: sizeText(verdict.width) },
          fixes: edits.length === 0 ? [] : [{ title: 'Leave out this scale', safe: false, edits }],
          related: [
            ...places.filter((_, j) => j !== i).map((range) => ({ range, message: 'The other scale is here.' })),
            { range: product, message: verdict.called ? 'The function is called here.' : 'Queries and keys are multiplied here.' },
          ],
        });
      }
    }
  },
});
