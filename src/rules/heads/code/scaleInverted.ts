import { givenAt, rangeIn, textAt } from '../../code/places.ts';
import { defineRule } from '../../rule.ts';
import { attentionExample, calledExample } from './examples.ts';
import { judgedScales, nodeOf, placeOfStep, sizeText } from './scale.ts';

export const scaleInverted = defineRule({
  code: 'HW152',
  name: 'attention-scale-inverted',
  category: 'heads',
  severity: 'error',
  since: '0.2.0',
  docs: {
    what: 'Attention scores are multiplied by the root of the head dim instead of divided by it.',
    why: 'The scale is to take the size of a dot product over d dims down to that of one dim. Multiplied by sqrt(d) the scores are d times too large, the softmax gives all weight to one key, and its gradient is zero nearly everywhere. The code runs.',
    bad: [
      attentionExample({ scores: 'scores = (q @ k.transpose(-2, -1)) * math.sqrt(self.head_dim)' }),
      attentionExample({ scale: 'self.head_dim ** 0.5', scores: 'scores = (q @ k.transpose(-2, -1)) * self.scale' }),
      attentionExample({ scale: 'self.head_dim ** -0.5', scores: 'scores = (q @ k.transpose(-2, -1)) / self.scale' }),
      calledExample('F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=self.head_dim ** 0.5)'),
      attentionExample({
        scale: 'self.head_dim ** 0.5 if max_length > 512 else max_length ** -0.5',
        scores: 'scores = (q @ k.transpose(-2, -1)) * self.scale',
      }),
    ],
    good: [
      attentionExample({ scale: 'self.head_dim ** 0.5', scores: 'scores = (q @ k.transpose(-2, -1)) / self.scale' }),
      calledExample('F.scaled_dot_product_attention(q, k, v, is_causal=True)', 'q = q * self.head_dim ** 0.5'),
    ],
    fixSafety: 'The fix turns the operator round. It changes what the model computes, which is the point.',
    references: ['https://arxiv.org/abs/1706.03762'],
  },
  messages: {
    inverted: 'The scores are multiplied by sqrt({width}): they are to be divided by it.',
  },
  checkCode({ code, report }) {
    for (const { attention, verdict } of judgedScales(code, 'inverted')) {
      const { step } = verdict;
      // `scale = d ** 0.5` is wrong where it is set; `scores / scale` with `scale = d ** -0.5` where it is used.
      const used = rangeIn(code, step?.node.site);
      const isDivision = step?.node.op === 'div' && used !== undefined && givenAt(code, step.operand) === undefined;
      const set = placeOfStep(code, step, attention, true);
      const at = isDivision ? used : set;
      if (at === undefined) continue;
      const text = textAt(code, at);
      const edits = isDivision ? swapLast(text, at.start, '/', '*') : swapLast(text, at.start, '*', '/');
      report({
        at,
        message: 'inverted',
        data: { width: sizeText(verdict.width) },
        related: [
          { range: at === used ? undefined : used, message: 'The scores are multiplied by it here.' },
          { range: rangeIn(code, nodeOf(attention).site), message: 'Queries and keys are multiplied here.' },
        ],
        fixes:
          edits === undefined || step?.node.site === undefined || at !== used
            ? []
            : [{ title: isDivision ? 'Multiply instead of dividing' : 'Divide instead of multiplying', safe: false, edits }],
      });
    }
  },
});

/** Replaces the operator before the last operand, where that is a lone name or call. */
function swapLast(text: string, start: number, from: string, to: string) {
  const operator = from === '*' ? '\\*' : from;
  const match = new RegExp(`^([\\s\\S]*[\\w)\\]]\\s*)${operator}(\\s*[\\w.]+(?:\\([\\w.\\-, ]*\\))?\\s*)$`).exec(text);
  if (match === null) return undefined;
  const at = start + (match[1] ?? '').length;
  return [{ range: { start: at, end: at + 1 }, newText: to }];
}
