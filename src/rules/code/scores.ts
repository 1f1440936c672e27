/** What is done to scores between the product of queries and keys and the softmax, and to weights between the softmax and the values. */
import { alternatives, isDropout, isLayout, sameElements } from '../../interpreter/graph.ts';
import { numberOf } from '../../interpreter/make.ts';
import type { TensorValue, Value } from '../../interpreter/value.ts';
import { products } from './contractions.ts';
import { constantFactor, type Factor, factorOf, invertFactor } from './scale.ts';
import { asTensor, isWeight, operandsOf, optional, picks } from './tensors.ts';

/** One thing that is done between the product and the softmax, to an operand, or to the weights. */
export interface Step {
  readonly kind: 'scale' | 'fill' | 'add' | 'dropout' | 'cap' | 'mix' | 'other';
  readonly node: TensorValue;
  /** For 'scale'. */
  readonly factor?: Factor;
  /** For 'fill': the condition, and whether the fill goes where it holds (`masked_fill`) or where not. */
  readonly mask?: Value;
  readonly fillsWhere?: boolean;
  readonly fill?: Value;
  /** For 'add' and tensor 'scale': the other operand; `sign` -1 where it is taken off. */
  readonly operand?: Value;
  readonly sign?: 1 | -1;
}

const throughUnary: ReadonlySet<string> = new Set([
  'clamp',
  'relu',
  'sigmoid',
  'exp',
  'log',
  'softplus',
  'abs',
  'pow',
  'square',
  'elu',
  'silu',
  'maximum',
  'minimum',
]);

const maximumDepth = 60;

/** Follows scores (or weights) back to where `isGoal` holds. Each step answers the tensor before it. */
export class Backwards {
  readonly #isGoal: (node: TensorValue) => boolean;
  readonly #leads = new Map<TensorValue, boolean>();

  constructor(isGoal: (node: TensorValue) => boolean) {
    this.#isGoal = isGoal;
  }

  leads(value: Value | undefined, depth = 0): boolean {
    const tensor = asTensor(value);
    if (tensor === undefined || depth > maximumDepth) return false;
    const known = this.#leads.get(tensor);
    if (known !== undefined) return known;
    this.#leads.set(tensor, false);
    const answer = this.#isGoal(tensor) || this.#before(tensor).some((each) => this.leads(each, depth + 1));
    this.#leads.set(tensor, answer);
    return answer;
  }

  /** The tensors of which one may be the scores before this operation. */
  #before(node: TensorValue): readonly TensorValue[] {
    const [a, b] = operandsOf(node);
    const both = [asTensor(a), asTensor(b)].flatMap((each) => each ?? []);
    const [first] = node.inputs;
    const one = first === undefined ? [] : [first];
    if (node.op === 'join') return node.inputs;
    if (node.op === 'mul' || node.op === 'div' || node.op === 'add' || node.op === 'sub') return both;
    if (node.op === 'where') return both;
    if (node.op === 'cat' || node.op === 'stack') return node.inputs;
    if (this.#isMix(node)) return node.inputs.filter((input) => !isWeight(input));
    if (
      sameElements.has(node.op) ||
      isDropout(node) ||
      isLayout(node) ||
      picks.has(node.op) ||
      throughUnary.has(node.op) ||
      node.op === 'masked_fill' ||
      node.op === 'setitem' ||
      node.op === 'tanh' ||
      node.op === 'neg'
    )
      return one;
    return [];
  }

  /** A product with weights over heads: talking heads. */
  #isMix(node: TensorValue): boolean {
    if (node.op === 'conv2d') return true;
    return (products.has(node.op) || node.op === 'linear') && node.inputs.some((input) => isWeight(input));
  }

  /** Every way back, at most `limit`; steps come in the order in which the code runs. */
  paths(start: TensorValue, limit = 24): readonly { readonly goal: TensorValue; readonly steps: readonly Step[] }[] {
    const found: { goal: TensorValue; steps: Step[] }[] = [];
    const walk = (node: TensorValue, steps: readonly Step[], depth: number): void => {
      if (found.length >= limit || depth > maximumDepth) return;
      if (this.#isGoal(node)) {
        found.push({ goal: node, steps: [...inherent(node), ...[...steps].reverse()] });
        return;
      }
      if (node.op === 'join') {
        for (const each of alternatives(node)) if (this.leads(each)) walk(each, steps, depth + 1);
        return;
      }
      const next = this.#step(node);
      if (next !== undefined) walk(next.before, next.step === undefined ? steps : [...steps, next.step], depth + 1);
    };
    walk(start, [], 0);
    return found;
  }

  #step(node: TensorValue): { readonly before: TensorValue; readonly step?: Step } | undefined {
    const [first] = node.inputs;
    if (sameElements.has(node.op) && first !== undefined) return { before: first };
    if (isDropout(node) && first !== undefined) return { before: first, step: { kind: 'dropout', node } };
    const [a, b] = operandsOf(node);
    const [left, right] = [asTensor(a), asTensor(b)];
    switch (node.op) {
      case 'mul':
      case 'div': {
        const isLeft = this.leads(left);
        if (isLeft && this.leads(right))
          return left === undefined ? undefined : { before: left, step: { kind: 'other', node, ...optional('operand', b) } };
        const [before, other] = isLeft ? [left, b] : [right, a];
        if (before === undefined) return undefined;
        if (node.op === 'div' && !isLeft) return { before, step: { kind: 'other', node } };
        const factor = node.op === 'div' ? invertFactor(factorOf(other)) : factorOf(other);
        return { before, step: { kind: 'scale', node, factor, ...optional('operand', other) } };
      }
      case 'add':
      case 'sub': {
        const isLeft = this.leads(left);
        const [before, other] = isLeft ? [left, b] : [right, a];
        if (before === undefined) return undefined;
        if (node.op === 'sub' && !isLeft) return { before, step: { kind: 'other', node } };
        // Scores of two products: content and position, parts of a head.
        if (isLeft && this.leads(right)) return { before, step: { kind: 'other', node } };
        return { before, step: { kind: 'add', node, sign: node.op === 'sub' ? -1 : 1, ...optional('operand', other) } };
      }
      case 'masked_fill': {
        const mask = node.arguments.get('mask');
        return first === undefined
          ? undefined
          : {
              before: first,
              step: { kind: 'fill', node, fillsWhere: true, ...optional('mask', mask), ...optional('fill', node.arguments.get('value')) },
            };
      }
      case 'where': {
        const isLeft = this.leads(left);
        const [before, fill] = isLeft ? [left, b] : [right, a];
        if (before === undefined) return undefined;
        return {
          before,
          step: {
            kind: 'fill',
            node,
            fillsWhere: !isLeft,
            ...optional('mask', node.arguments.get('condition')),
            ...optional('fill', fill),
          },
        };
      }
      case 'neg':
        return first === undefined ? undefined : { before: first, step: { kind: 'scale', node, factor: constantFactor(-1) } };
      case 'tanh':
        return first === undefined ? undefined : { before: first, step: { kind: 'cap', node } };
      default: {
        const before = node.inputs.find((input) => this.leads(input));
        if (before === undefined) return undefined;
        return { before, step: { kind: this.#isMix(node) ? 'mix' : 'other', node } };
      }
    }
  }
}

/** `baddbmm` adds to the product, and scales it. */
function inherent(node: TensorValue): readonly Step[] {
  if (node.op !== 'baddbmm') return [];
  const [alpha, beta] = [node.arguments.get('alpha'), node.arguments.get('beta')];
  const isNothing = beta !== undefined && numberOf(beta) === 0;
  const scale: Step = { kind: 'scale', node, factor: factorOf(alpha), ...optional('operand', alpha) };
  return isNothing ? [scale] : [scale, { kind: 'add', node, sign: 1, ...optional('operand', node.arguments.get('input')) }];
}

/** Layout changes are steps too, since they move axes; rules about numbers pass over them. */
export const isArithmetic = ({ kind, node }: Step): boolean => !(kind === 'other' && (isLayout(node) || sameElements.has(node.op)));
