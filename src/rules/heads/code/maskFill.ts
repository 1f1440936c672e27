import { sameElements } from '../../../interpreter/graph.ts';
import type { CodeReading } from '../../../interpreter/study.ts';
import type { TensorValue, Value } from '../../../interpreter/value.ts';
import { attentionsOf, type SoftmaxAttention } from '../../code/attention.ts';
import { fillOf, meaningOf } from '../../code/masks.ts';
import { byPlace, definitionOf, rangeIn } from '../../code/places.ts';
import type { Step } from '../../code/scores.ts';
import { asTensor } from '../../code/tensors.ts';
import { defineRule } from '../../rule.ts';
import { attentionExample } from './examples.ts';

export const maskFill = defineRule({
  code: 'HW161',
  name: 'mask-fill-does-not-hide',
  category: 'heads',
  severity: 'error',
  since: '0.2.0',
  docs: {
    what: 'Masked scores are filled with a number that does not hide them: 0, a positive or a small negative number, or one that half precision cannot hold.',
    why: 'A hidden score must come out of the softmax as 0. exp(0) is 1, exp(-10) still leaks where other scores are as low, and a large positive fill gives the hidden keys all the weight. In float16 the smallest number is -65504: -1e9 becomes minus infinity or an error; where it is not certain that the code runs in float16 this is information. Fill with `float("-inf")`, or with `torch.finfo(scores.dtype).min` where whole rows may be hidden.',
    bad: [
      attentionExample({ mask: 'scores = scores.masked_fill(self.causal[:T, :T] == 0, 0.0)' }),
      attentionExample({ mask: 'scores = scores.masked_fill(self.causal[:T, :T] == 0, 1e9)' }),
      attentionExample({ mask: 'scores = scores.masked_fill(self.causal[:T, :T] == 0, -10.0)' }),
      attentionExample({ mask: 'scores = scores.half().masked_fill(self.causal[:T, :T] == 0, -1e9)' }),
    ],
    good: [
      attentionExample(),
      attentionExample({ mask: 'scores = scores.masked_fill(self.causal[:T, :T] == 0, -1e4)' }),
      attentionExample({ mask: 'scores = scores.masked_fill(self.causal[:T, :T] == 0, torch.finfo(scores.dtype).min)' }),
    ],
    fixSafety: 'The fix fills with minus infinity. Rows in which all is hidden then give NaN.',
    references: ['https://docs.pytorch.org/docs/stable/type_info.html'],
  },
  messages: {
    zero: 'Filled with {fill}, a hidden score still counts as exp({fill}) in the softmax: fill with minus infinity.',
    positive: 'Filled with {fill}, hidden scores are the largest: the softmax gives them all the weight. Fill with minus infinity.',
    weak: 'A fill of {fill} does not hide for sure: scores may be as low. Fill with minus infinity.',
    half: '{fill} does not fit into float16, whose smallest number is -65504: fill with torch.finfo(dtype).min or minus infinity.',
    added: 'The mask adds {fill} where it is to hide: {fill} does not hide. Use minus infinity.',
  },
  checkCode({ code, report }) {
    const all = attentionsOf(code).filter((each): each is SoftmaxAttention => each.kind === 'softmax' && each.sums.length > 0);
    for (const [attention] of byPlace(all, ({ node }) => node)) {
      if (attention === undefined) continue;
      const seen = new Set<TensorValue>();
      for (const path of attention.paths) {
        for (const step of path) {
          if (seen.has(step.node)) continue;
          seen.add(step.node);
          const found = wrongFill(step);
          const at = found === undefined ? undefined : (definitionAt(code, step, found.fill) ?? rangeIn(code, step.node.site));
          if (found === undefined || at === undefined) continue;
          const fill =
            Math.abs(found.fill) >= 1e6 || (found.fill !== 0 && Math.abs(found.fill) < 1e-3)
              ? found.fill.toExponential().replace('e+', 'e')
              : String(found.fill);
          report({
            at,
            message: found.message,
            // In float32, and in bfloat16, it does.
            ...(found.isCertain === false ? { severity: 'information' as const } : {}),
            data: { fill },
            related: [{ range: rangeIn(code, attention.node.site), message: 'The softmax is here.' }],
          });
        }
      }
    }
  },
});

/** Finite, lower than float16 goes, and no limit of a wider type that the code asked for. */
const isTooLow = (fill: number): boolean => fill < -65504 && fill > -3e38;

function wrongFill(
  step: Step,
): { readonly message: 'zero' | 'positive' | 'weak' | 'half' | 'added'; readonly fill: number; readonly isCertain?: boolean } | undefined {
  if (step.kind === 'fill') {
    const fill = fillOf(step.fill);
    if (fill === undefined || Number.isNaN(fill)) return undefined;
    if (Math.abs(fill) < 1e-6) return { message: 'zero', fill };
    if (fill > 0) return { message: 'positive', fill };
    if (fill >= -20) return { message: 'weak', fill };
    return isTooLow(fill) ? { message: 'half', fill, isCertain: isHalf(step.node.inputs[0]) } : undefined;
  }
  if (step.kind !== 'add') return undefined;
  const meaning = meaningOf(step.operand);
  const sign = step.sign ?? 1;
  for (const { seen, unseen, kind } of meaning?.regions ?? []) {
    if (kind !== 'causal' || seen === undefined || unseen === undefined) continue;
    const [a, b] = [seen * sign, unseen * sign];
    if (a === 0 && isTooLow(b)) return { message: 'half', fill: b, isCertain: false };
    if (a === 0 && b < 0 && b >= -20) return { message: 'added', fill: b };
    if (a === 0 && b > 0 && b < 1000) return { message: 'added', fill: b };
  }
  return undefined;
}

/** Where a fill was set, when it is not written at the place. */
function definitionAt(code: CodeReading, step: Step, fill: number) {
  if (step.kind === 'fill') return undefined;
  const made = meaningOf(step.operand)?.regions[0]?.made;
  for (let at: TensorValue | undefined = made; at !== undefined; at = at.inputs[0]) {
    const value: Value | undefined = at.arguments.get('fill_value') ?? at.arguments.get('value');
    if (value !== undefined && fillOf(value) === fill) return rangeIn(code, at.site) ?? definitionOf(code, asTensor(value))?.at;
  }
  return rangeIn(code, made?.site);
}

/** Half precision for sure: cast, and not cast back. */
function isHalf(tensor: TensorValue | undefined): boolean {
  let at = tensor;
  for (let i = 0; i < 12 && at !== undefined; i++) {
    if (at.op === 'half' || at.dtype === 'float16') return true;
    if (at.dtype !== undefined && at.dtype !== 'float' && sameElements.has(at.op)) return false;
    at = ['mul', 'div', 'add', 'masked_fill'].includes(at.op) || sameElements.has(at.op) ? at.inputs[0] : undefined;
  }
  return false;
}
