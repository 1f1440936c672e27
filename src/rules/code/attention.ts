/**
 * Finds the attention computations in the dataflow of model code, whatever style they are written in: a product of queries and keys,
 * what is done to the scores, the softmax, what is done to the weights, and their product with the values; and the calls of functions
 * that do all of this. Nothing rests on names: what a product sums over says which operand holds the keys.
 */
import type { CodeReading, Study } from '../../interpreter/study.ts';
import type { TensorValue, Value } from '../../interpreter/value.ts';
import { axisBeforeMix, contractionOf } from './contractions.ts';
import { Backwards, type Step } from './scores.ts';
import { type Source, sourceOf, writesOf } from './sources.ts';
import { asTensor, axisBefore, numberArgument, withCopies } from './tensors.ts';

export interface Operand {
  readonly tensor: TensorValue;
  /** The axis that is summed over, counted from the end. */
  readonly axis: number | undefined;
  /** The source; undefined where branches or unknown code hide it. */
  readonly source: Source | undefined;
}

/** Where the weights meet the values. */
export interface WeightedSum {
  readonly node: TensorValue;
  readonly value: Operand;
  /** The axis of the softmax's result that is summed over; undefined where rearranging hides it. */
  readonly axis: number | undefined;
  readonly steps: readonly Step[];
}

export interface SoftmaxAttention {
  readonly kind: 'softmax';
  readonly study: Study;
  readonly node: TensorValue;
  readonly product: TensorValue;
  readonly query: Operand;
  readonly key: Operand;
  /** Each way from the product to the softmax, first step first. */
  readonly paths: readonly (readonly Step[])[];
  readonly sums: readonly WeightedSum[];
}

/** A call of `scaled_dot_product_attention`, or of a function like it. */
export interface CalledAttention {
  readonly kind: 'called';
  readonly study: Study;
  readonly node: TensorValue;
  readonly query: Operand;
  readonly key: Operand;
  readonly value: Operand;
  readonly mask: Value | undefined;
  readonly isCausal: Value | undefined;
  readonly scale: Value | undefined;
}

export type Attention = SoftmaxAttention | CalledAttention;

const found = new WeakMap<CodeReading, readonly Attention[]>();

/** Every attention in the code, each place once per study in which it was met. */
export function attentionsOf(code: CodeReading): readonly Attention[] {
  const known = found.get(code);
  if (known !== undefined) return known;
  const all = code.studies.flatMap(attentionsOfStudy);
  found.set(code, all);
  return all;
}

const isSoftmax = ({ op, index }: TensorValue): boolean => op === 'softmax' && index === undefined;

/** The axis over which a softmax goes, as the code says it. */
export function softmaxAxis(node: TensorValue): number | undefined {
  return numberArgument(node, 'dim');
}

/** Inside the layers of the library, which are right. */
export const isLibrary = ({ layer }: TensorValue): boolean => layer !== undefined && /Attention|Transformer/.test(layer.class.name);

function attentionsOfStudy(study: Study): readonly Attention[] {
  const all = withCopies(study);
  const writes = writesOf(all);
  const back = new Backwards((node) => contractionOf(node) !== undefined);
  const toSoftmax = new Backwards(isSoftmax);
  const sums = new Map<TensorValue, WeightedSum[]>();
  const results: Attention[] = [];
  const operand = (tensor: TensorValue, axis: number | undefined): Operand => ({ tensor, axis, source: sourceOf(tensor, writes) });
  for (const node of all) {
    if (isLibrary(node)) continue;
    const contraction = contractionOf(node);
    if (contraction === undefined) continue;
    for (const [i, weights] of contraction.operands.entries()) {
      if (!toSoftmax.leads(weights)) continue;
      for (const { goal, steps } of toSoftmax.paths(weights, 8)) {
        let axis: number | undefined = contraction.summed[i];
        axis = axisBeforeSteps(steps, axis);
        const sum: WeightedSum = {
          node,
          axis,
          steps,
          value: operand(contraction.operands[1 - i] as TensorValue, contraction.summed[1 - i]),
        };
        sums.set(goal, [...(sums.get(goal) ?? []), sum]);
      }
    }
  }
  for (const node of all) {
    if (isLibrary(node)) continue;
    if (isSoftmax(node)) {
      const [input] = node.inputs;
      if (input === undefined || !back.leads(input)) continue;
      const paths = back.paths(input);
      for (const product of new Set(paths.map(({ goal }) => goal))) {
        const contraction = contractionOf(product);
        if (contraction === undefined || toSoftmax.leads(contraction.operands[0]) || toSoftmax.leads(contraction.operands[1])) continue;
        const own = paths.filter(({ goal }) => goal === product).map(({ steps }) => steps);
        const met = sums.get(node) ?? [];
        // What was made of the values already is multiplied on.
        const used = met.filter(({ steps }) => !steps.some((step) => met.some((other) => other.node === step.node)));
        const keys = keysAxis(used, own);
        const isSwapped = keys !== undefined && contraction.own[0] === keys && contraction.own[1] !== keys;
        const [q, k] = isSwapped ? [1, 0] : [0, 1];
        results.push({
          kind: 'softmax',
          study,
          node,
          product,
          query: operand(contraction.operands[q] as TensorValue, contraction.summed[q]),
          key: operand(contraction.operands[k] as TensorValue, contraction.summed[k]),
          paths: own,
          sums: used,
        });
      }
    } else if (node.op === 'scaled_dot_product_attention') {
      const [query, key, value] = ['query', 'key', 'value'].map((name) => asTensor(node.arguments.get(name)));
      if (query === undefined || key === undefined || value === undefined) continue;
      results.push({
        kind: 'called',
        study,
        node,
        query: operand(query, -1),
        key: operand(key, -1),
        value: operand(value, -2),
        mask: node.arguments.get('attn_mask'),
        isCausal: node.arguments.get('is_causal'),
        scale: node.arguments.get('scale'),
      });
    }
  }
  return results;
}

/** The axis of the product's result that holds keys: the one that meets the values, as it was before the scores were rearranged. */
function keysAxis(sums: readonly WeightedSum[], paths: readonly (readonly Step[])[]): number | undefined {
  const axes = new Set(sums.map(({ axis }) => axis));
  const [axis] = axes;
  if (axes.size !== 1 || axis === undefined) return undefined;
  return axisBeforeSteps(paths[0] ?? [], axis);
}

/** The axis as it was before the steps. */
function axisBeforeSteps(steps: readonly Step[], behind: number | undefined): number | undefined {
  let axis = behind;
  for (const { kind, node } of [...steps].reverse()) {
    if (axis === undefined) return undefined;
    axis = kind === 'mix' ? axisBeforeMix(node, axis) : axisBefore(node, axis);
  }
  return axis;
}
