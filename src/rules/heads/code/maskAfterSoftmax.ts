import { dimAt } from '../../../dims/shape.ts';
import { ancestors } from '../../../interpreter/graph.ts';
import type { CodeReading } from '../../../interpreter/study.ts';
import type { TensorValue } from '../../../interpreter/value.ts';
import { attentionsOf, isLibrary, type SoftmaxAttention } from '../../code/attention.ts';
import { contractionOf } from '../../code/contractions.ts';
import { fillOf, meaningOf } from '../../code/masks.ts';
import { byPlace, rangeIn, textAt } from '../../code/places.ts';
import { dependsOnWeight, isMaskStep } from '../../code/scaling.ts';
import type { Step } from '../../code/scores.ts';
import { asTensor, withCopies } from '../../code/tensors.ts';
import { defineRule } from '../../rule.ts';
import { attentionExample } from './examples.ts';

export const maskAfterSoftmax = defineRule({
  code: 'HW155',
  name: 'mask-after-softmax',
  category: 'heads',
  severity: 'error',
  since: '0.2.0',
  docs: {
    what: 'Weights are masked after the softmax while the scores were not masked before it, or scores meet the values without the softmax.',
    why: 'A mask works by making scores minus infinity, so that the softmax shares all weight among the keys that are seen. Set to 0 afterwards, the weights of a query no longer add up to 1, and every hidden key has already taken its part of the sum: what later tokens are still decides how much is left. Masking again after a mask before, for rows in which all is hidden, is right and is not reported; nor are weights that are divided by their sum once they are masked.',
    bad: [
      attentionExample({
        mask: '',
        weights: 'weights = F.softmax(scores, dim=-1)\nweights = weights.masked_fill(self.causal[:T, :T] == 0, 0.0)',
      }),
      attentionExample({ sum: 'y = scores @ v' }),
    ],
    good: [attentionExample(), attentionExample({ drop: 'weights = weights.masked_fill(self.causal[:T, :T] == 0, 0.0)' })],
    references: ['https://arxiv.org/abs/1706.03762'],
  },
  messages: {
    mask: 'The mask comes after the softmax: hidden keys have already taken part in it. Mask the scores before.',
    added: 'This is added to the weights, after the softmax: masks and biases go on the scores, before it.',
    scores: 'The values are multiplied with the scores; the weights that the softmax makes of them are not used.',
  },
  checkCode({ code, report }) {
    const all = attentionsOf(code).filter((each): each is SoftmaxAttention => each.kind === 'softmax');
    for (const group of byPlace(all, ({ node }) => node)) {
      if (group.some(({ paths }) => paths.flat().some((step) => isMask(code, step)))) continue;
      for (const { node, sums } of group) {
        for (const step of sums.flatMap(({ steps }) => withoutRenormalised(steps))) {
          const at = rangeIn(code, step.node.site);
          const message = at === undefined ? undefined : lateMask(code, step);
          if (at === undefined || message === undefined) continue;
          report({ at, message, related: [{ range: rangeIn(code, node.site), message: 'The softmax is here.' }] });
        }
      }
    }
    for (const { node, softmax } of unsoftened(all)) {
      const at = rangeIn(code, node.site);
      if (at !== undefined)
        report({ at, message: 'scores', related: [{ range: rangeIn(code, softmax.site), message: 'The softmax is here.' }] });
    }
  },
});

/** A mask, or a sum that may hold one: a bias that nothing trains, too, may be one that hides keys. */
const isMask = (code: CodeReading, step: Step): boolean =>
  step.kind === 'fill' ||
  (step.kind === 'add' && (isMaskStep(code, step) || !isLearned(step.operand))) ||
  (step.kind === 'other' && /^(?:add|sub|setitem|cat)$/.test(step.node.op));

const isLearned = (operand: Step['operand']): boolean => operand?.kind === 'tensor' && dependsOnWeight(operand);

/** Weights that lose hidden keys and are divided by what is left are those of a softmax over the seen keys alone. */
const withoutRenormalised = (steps: readonly Step[]): readonly Step[] =>
  steps.filter((step, i) => {
    const isCut = step.kind === 'scale' || (step.kind === 'fill' && fillOf(step.fill) === 0);
    return !isCut || !steps.slice(i + 1).some((later) => dividesBySumOf(later, step.node));
  });

function dividesBySumOf({ node, operand }: Step, weights: TensorValue): boolean {
  const divisor = node.op === 'div' ? asTensor(operand) : undefined;
  if (divisor === undefined) return false;
  const sums = ancestors(divisor, ({ op }) => op !== 'sum').filter(({ op }) => op === 'sum');
  return sums.some((sum) => ancestors(sum, (each) => each !== weights).includes(weights));
}

/** What is done to weights that is done to scores. */
function lateMask(code: CodeReading, step: Step): 'mask' | 'added' | undefined {
  if (step.kind === 'fill') {
    const fill = fillOf(step.fill);
    return fill !== undefined && (fill === 0 || fill < -1000) && mayHideKeys(step.mask) ? 'mask' : undefined;
  }
  const meaning = meaningOf(step.operand);
  const isTriangle = meaning?.regions.some(({ kind }) => kind === 'causal') === true;
  // A mask of tokens that takes weights away leaves rows that do not sum to 1.
  const isOfTokens =
    meaning?.regions.some(({ kind, seen, unseen }) => kind === 'padding' && seen !== undefined && unseen !== undefined) === true;
  if (step.kind === 'scale') return isTriangle || isOfTokens ? 'mask' : undefined;
  if (step.kind !== 'add') return undefined;
  const operand = asTensor(step.operand);
  if (isTriangle) return 'added';
  const isNamed = /mask/i.test(textAt(code, rangeIn(code, step.node.site)));
  return (operand === undefined || isNamed) && isMaskStep(code, step) ? 'added' : undefined;
}

/** A mask that is alike for all keys takes whole rows away, as those of queries that are padding; of what cannot be read nobody knows. */
function mayHideKeys(mask: Step['mask']): boolean {
  const tensor = asTensor(mask);
  return tensor === undefined ? mask?.kind !== 'unknown' || mask.path !== undefined : dimAt(tensor.shape, -1).constant !== 1;
}

/** Products of bare scores with values, where a softmax of the same scores comes to nothing. */
function unsoftened(all: readonly SoftmaxAttention[]) {
  const found: { readonly node: TensorValue; readonly softmax: TensorValue }[] = [];
  for (const { study, product, node: softmax, sums, paths } of all) {
    if (sums.length > 0) continue;
    const scores = new Set<TensorValue>([product, ...paths.flat().map(({ node }) => node)]);
    if (softmax.inputs[0] !== undefined) scores.add(softmax.inputs[0]);
    const isUsed = withCopies(study).some(
      ({ inputs, op }) => inputs.some(({ id }) => id === softmax.id) && op !== 'to' && op !== 'type_as' && op !== 'dropout',
    );
    if (isUsed) continue;
    for (const node of withCopies(study)) {
      const contraction = isLibrary(node) ? undefined : contractionOf(node);
      if (
        contraction?.operands.some((operand) => operand !== product && scores.has(operand)) === true ||
        contraction?.operands.some((operand) => operand === product) === true
      )
        found.push({ node, softmax });
    }
  }
  return found;
}
