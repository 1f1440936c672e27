/** Products of two tensors that both depend on the input: queries with keys, weights with values. */
import type { TensorValue } from '../../interpreter/value.ts';
import { parseEinops } from '../../syntax/einops.ts';
import { asTensor, isWeight } from './tensors.ts';

/** A product of two tensors that both depend on the input. */
export interface Contraction {
  readonly node: TensorValue;
  readonly operands: readonly [TensorValue, TensorValue];
  /** The axis of each operand that is summed over, from the end. */
  readonly summed: readonly [number, number];
  /** The axis of the result that is each operand's own, from the end. */
  readonly own: readonly [number | undefined, number | undefined];
  /** The same axis as it stands in the operand, from the end. */
  readonly kept: readonly [number | undefined, number | undefined];
}

export const products: ReadonlySet<string> = new Set(['matmul', 'bmm', 'mm', 'baddbmm', 'einsum']);

/** Axis labels of an einsum: one list per operand, and the result's. */
export function equationOf(
  node: Pick<TensorValue, 'op' | 'arguments'>,
): { readonly inputs: readonly (readonly string[])[]; readonly output: readonly string[] } | undefined {
  if (node.op !== 'einsum') return undefined;
  const given = node.arguments.get('equation');
  const pattern = node.arguments.get('pattern');
  const listed = node.arguments.get('tensors_and_pattern');
  const written =
    given?.kind === 'string'
      ? given.value
      : pattern?.kind === 'string'
        ? pattern.value
        : listed?.kind === 'tuple'
          ? listed.items.flatMap((item) => (item.kind === 'string' && item.value !== undefined ? [item.value] : []))[0]
          : undefined;
  if (written === undefined) return undefined;
  if (given?.kind !== 'string') {
    const parsed = parseEinops(written);
    if (parsed === undefined) return undefined;
    const labels = (side: (typeof parsed)['output']): readonly string[] =>
      side.map(({ axes }) => (axes[0]?.kind === 'ellipsis' ? '...' : (axes[0]?.text ?? '')));
    return { inputs: parsed.inputs.map(labels), output: labels(parsed.output) };
  }
  const [left, right] = written.replace(/\s/g, '').split('->');
  if (left === undefined || right === undefined) return undefined;
  const labels = (side: string): readonly string[] => side.match(/\.\.\.|[A-Za-z]/g) ?? [];
  return { inputs: left.split(',').map(labels), output: labels(right) };
}

/** The axis, from the end, of the one operand that is no weight which became this axis of the result: heads are mixed, keys stay. */
export function axisBeforeMix(node: TensorValue, axis: number): number | undefined {
  const equation = equationOf(node);
  const data = node.inputs.flatMap((input, i) => (isWeight(input) ? [] : [i]));
  const [only] = data;
  if (equation === undefined || only === undefined || data.length !== 1) return undefined;
  const label = equation.output[equation.output.length + axis];
  const labels = equation.inputs[only] ?? [];
  const at = label === undefined || label === '...' ? -1 : labels.indexOf(label);
  const isHidden = labels.slice(at).includes('...') || equation.output.slice(axis).includes('...');
  return at < 0 || isHidden ? undefined : at - labels.length;
}

const contractions = new WeakMap<TensorValue, Contraction | 'none'>();

/** The product, where it is one of two tensors that are no weights, over one axis. */
export function contractionOf(node: TensorValue): Contraction | undefined {
  if (!products.has(node.op)) return undefined;
  const known = contractions.get(node);
  if (known !== undefined) return known === 'none' ? undefined : known;
  const found = readContraction(node);
  contractions.set(node, found ?? 'none');
  return found;
}

function readContraction(node: TensorValue): Contraction | undefined {
  const names = node.op === 'baddbmm' ? ['batch1', 'batch2'] : ['input', 'other'];
  const [left, right] =
    node.op === 'einsum' ? node.inputs : names.map((name) => asTensor(node.arguments.get(name) ?? node.arguments.get('mat2')));
  if (left === undefined || right === undefined || isWeight(left, false) || isWeight(right, false)) return undefined;
  if (node.op !== 'einsum') {
    const rank = (tensor: TensorValue): number => tensor.shape.dims.length;
    if ([left, right].some((tensor) => tensor.shape.ellipsis === undefined && rank(tensor) < 2)) return undefined;
    return { node, operands: [left, right], summed: [-1, -2], own: [-2, -1], kept: [-2, -1] };
  }
  const equation = equationOf(node);
  if (equation === undefined || node.inputs.length !== 2 || equation.inputs.length !== 2) return undefined;
  const [a = [], b = []] = equation.inputs;
  const { output } = equation;
  const summed = a.filter((label) => label !== '...' && b.includes(label) && !output.includes(label));
  const [label] = summed;
  if (label === undefined || summed.length !== 1) return undefined;
  const own = (mine: readonly string[], others: readonly string[]): string | undefined => {
    const found = mine.filter((each) => each !== '...' && !others.includes(each) && output.includes(each));
    return found.length > 1 ? undefined : found[0];
  };
  const at = (axes: readonly string[], each: string | undefined): number | undefined =>
    each === undefined ? undefined : axes.indexOf(each) - axes.length;
  const [ofLeft, ofRight] = [own(a, b), own(b, a)];
  return {
    node,
    operands: [left, right],
    summed: [a.indexOf(label) - a.length, b.indexOf(label) - b.length],
    own: [at(output, ofLeft), at(output, ofRight)],
    kept: [at(a, ofLeft), at(b, ofRight)],
  };
}
