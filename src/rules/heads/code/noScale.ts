import type { CodeReading } from '../../../interpreter/study.ts';
import type { Range } from '../../../text/range.ts';
import type { Attention } from '../../code/attention.ts';
import { rangeIn, shown } from '../../code/places.ts';
import { defineRule } from '../../rule.ts';
import { attentionExample, calledExample } from './examples.ts';
import { judgedScales, nodeOf, placeOfStep, sizeText, widthExpression } from './scale.ts';

/** Whether the lines around say that the scale is left out. */
function isMeant({ file }: CodeReading, product: Range | undefined): boolean {
  if (product === undefined) return false;
  const { text } = file.module;
  const end = text.indexOf('\n', product.end);
  const near = text.slice(Math.max(0, product.start - 240), end < 0 ? undefined : end);
  return near.split('\n').some((line) => /#.*\b(?:no|not|without|un)[ -]?scal(?:e|ed|ing)\b/i.test(line));
}

const isConvolved = ({ query, key }: Attention): boolean =>
  [query, key].every(({ source }) => source !== undefined && /^conv\d/.test(source.node.op));

export const noScale = defineRule({
  code: 'HW150',
  name: 'attention-scores-not-scaled',
  category: 'heads',
  severity: 'warning',
  since: '0.2.0',
  docs: {
    what: 'Products of queries and keys go into the softmax without the scale by the root of the head dim, or with half of it.',
    why: 'A dot product over d dims of unit variance has variance d. Without 1/sqrt(d) the softmax saturates: one key takes nearly all the weight and gradients vanish. Nothing fails, the model only trains badly, and weights trained with the scale give other outputs. T5 leaves the scale out and makes up for it in the initialisation; attention with relative position biases, normed queries and keys, or a learned temperature is not reported.',
    bad: [
      attentionExample({ scores: 'scores = q @ k.transpose(-2, -1)' }),
      attentionExample({ project: 'q = q * self.head_dim ** -0.25', scores: 'scores = q @ k.transpose(-2, -1)' }),
      calledExample('F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=1.0)'),
    ],
    good: [
      attentionExample(),
      attentionExample({
        project: 'q = q * self.head_dim ** -0.25\nk = k * self.head_dim ** -0.25',
        scores: 'scores = q @ k.transpose(-2, -1)',
      }),
      attentionExample({
        project: 'q = F.normalize(q, dim=-1)\nk = F.normalize(k, dim=-1)',
        scores: 'scores = 10 * q @ k.transpose(-2, -1)',
      }),
      calledExample('F.scaled_dot_product_attention(q, k, v, is_causal=True)'),
    ],
    fixSafety:
      'The fix multiplies the product by the head dim to the power of -1/2. Weights that were trained without the scale need it left out.',
    references: ['https://arxiv.org/abs/1706.03762', 'https://arxiv.org/abs/1910.10683'],
  },
  messages: {
    none: '`{code}` goes into the softmax unscaled: a dot product over {width} dims is to be divided by sqrt({width}).',
    one: 'The scale of the attention scores is 1: a dot product over {width} dims is to be divided by sqrt({width}).',
    half: 'Only the fourth root of {width} divides the scores, on one side: queries and keys both need it, or one of them the square root.',
  },
  checkCode({ code, report }) {
    for (const { attention, verdict } of judgedScales(code, 'none')) {
      const { step } = verdict;
      const product = rangeIn(code, nodeOf(attention).site);
      const at = step === undefined ? product : placeOfStep(code, step, attention, true);
      if (at === undefined) continue;
      const width = sizeText(verdict.width);
      const expression = widthExpression(code, attention, verdict.width);
      const canWrap = product !== undefined && expression !== undefined && attention.kind === 'softmax' && step === undefined;
      report({
        at,
        message: step === undefined ? 'none' : 'one',
        // A factor of 1 that is written down is more often meant: Dia scales by 1. So is what a comment says, and attention over images
        // whose queries are convolved has no scale, as in SAGAN.
        ...(step === undefined && verdict.isGiven !== true && !isMeant(code, product) && !isConvolved(attention)
          ? {}
          : { severity: 'information' as const }),
        data: { code: shown(code, product), width },
        related: step === undefined ? [] : [{ range: product, message: 'Queries and keys are multiplied here.' }],
        fixes: canWrap
          ? [
              {
                title: `Multiply by ${expression} ** -0.5`,
                safe: false,
                edits: [
                  { range: { start: product.start, end: product.start }, newText: '(' },
                  { range: { start: product.end, end: product.end }, newText: `) * ${expression} ** -0.5` },
                ],
              },
            ]
          : [],
      });
    }
    for (const { attention, verdict } of judgedScales(code, 'half')) {
      const product = rangeIn(code, nodeOf(attention).site);
      const at = rangeIn(code, verdict.step.node.site) ?? product;
      if (at === undefined) continue;
      report({
        at,
        message: 'half',
        data: { width: sizeText(verdict.width) },
        related: [{ range: product, message: 'Queries and keys are multiplied here.' }],
      });
    }
  },
});
