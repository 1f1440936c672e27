import type { CodeReading } from '../../../interpreter/study.ts';
import type { TensorValue } from '../../../interpreter/value.ts';
import type { Range } from '../../../text/range.ts';
import { rangeIn } from '../../code/places.ts';
import { defineRule } from '../../rule.ts';
import { attentionExample, calledExample } from './examples.ts';
import { judgedScales, nodeOf, sizeText, withoutScale } from './scale.ts';

/** Where the code gives a name to the one number that scales at all the places. */
function madeOnce(code: CodeReading, steps: readonly { readonly node: TensorValue }[]): Range | undefined {
  const scales = steps.map(({ node }) => [...node.arguments.values()].find(({ kind }) => kind === 'float'));
  const [scale] = scales;
  if (scale === undefined || scales.length < 2 || scales.some((each) => each !== scale)) return undefined;
  const named = code.variables.find(({ isArgument, name, value }) => !isArgument && value === scale && /^\w+$/.test(name));
  return named === undefined ? undefined : rangeIn(code, named.site);
}

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
    both: 'The scores are scaled by this at more than one place: in all by more than 1/sqrt({width}).',
    twice: 'The scores are scaled by 1/sqrt({width}) more than once: here and in another place.',
  },
  checkCode({ code, report }) {
    for (const { attention, verdict } of judgedScales(code, 'twice')) {
      const steps = verdict.steps;
      const places = steps.map(({ node }) => rangeIn(code, node.site));
      const product = rangeIn(code, nodeOf(attention).site);
      const made = madeOnce(code, steps);
      if (made !== undefined && !verdict.called) {
        report({
          at: made,
          message: 'both',
          data: { width: sizeText(verdict.width) },
          related: places.flatMap((range) => (range === undefined ? [] : [{ range, message: 'It scales here.' }])),
        });
        continue;
      }
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
