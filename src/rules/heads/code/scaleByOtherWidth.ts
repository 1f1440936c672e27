import { rangeIn } from '../../code/places.ts';
import { defineRule } from '../../rule.ts';
import { attentionExample, calledExample } from './examples.ts';
import { judgedScales, nodeOf, placeOfStep, rootOf, sizeText } from './scale.ts';

export const scaleByOtherWidth = defineRule({
  code: 'HW151',
  name: 'attention-scaled-by-another-width',
  category: 'heads',
  severity: 'error',
  since: '0.2.0',
  docs: {
    what: 'Attention scores are divided by the root of another size than the one over which queries and keys are multiplied.',
    why: 'The variance of a dot product grows with the number of dims it sums over, which is the head dim. Divided by the root of the model width the scores are smaller by the root of the number of heads, and attention is close to uniform; divided by the root of a length or a count of heads they have no fixed size at all. The code runs all the same.',
    bad: [
      attentionExample({ scores: 'scores = (q @ k.transpose(-2, -1)) / math.sqrt(C)' }),
      attentionExample({ scale: 'd_model ** -0.5', scores: 'scores = (q @ k.transpose(-2, -1)) * self.scale' }),
      calledExample('F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=C ** -0.5)'),
      attentionExample({
        scale: 'd_model',
        scores: 'scores = torch.clamp((q @ k.transpose(-2, -1)) / float(self.scale) ** 0.5, min=-1000)',
      }),
      attentionExample({ scores: 'scores = (q @ k.transpose(-2, -1) + q.roll(1, 2) @ k.transpose(-2, -1)) / math.sqrt(C)' }),
    ],
    good: [
      attentionExample({
        scale: 'self.head_dim ** -0.5 if max_length > 512 else d_model ** -0.5',
        scores: 'scores = (q @ k.transpose(-2, -1)) * self.scale',
      }),
      attentionExample({
        scores: 'scores = (q @ k.transpose(-2, -1) + q.roll(1, 2) @ k.transpose(-2, -1)) / math.sqrt(2 * self.head_dim)',
      }),
      attentionExample({ scores: 'scores = (q @ k.transpose(-2, -1)) / math.sqrt(C // self.n_heads)' }),
      attentionExample({ scores: 'scores = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))' }),
      attentionExample({ scores: 'scores = q @ k.transpose(-2, -1) / self.head_dim' }),
    ],
    fixSafety:
      'The fix changes what the model computes, which is the point: weights that were trained with the code as it is no longer fit.',
    references: ['https://arxiv.org/abs/1706.03762'],
  },
  messages: {
    other:
      'The scores are scaled by {base} to the power of {exponent}, but queries and keys are multiplied over {width} dims: the scale is 1/sqrt({width}).',
  },
  checkCode({ code, report }) {
    for (const { attention, verdict } of judgedScales(code, 'width')) {
      const at = placeOfStep(code, verdict.step, attention, true);
      if (at === undefined) continue;
      const product = rangeIn(code, nodeOf(attention).site);
      const edits = rootOf(code, attention, verdict.width, at);
      report({
        at,
        message: 'other',
        data: { base: sizeText(verdict.base), width: sizeText(verdict.width), exponent: verdict.exponent },
        related: [{ range: product, message: 'Queries and keys are multiplied here.' }],
        fixes: edits.length === 0 ? [] : [{ title: 'Take the root of the head dim', safe: false, edits }],
      });
    }
  },
});
