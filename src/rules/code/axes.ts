/** Where an axis of a tensor comes from: through the operations that made the tensor, back to the one that set its size. */
import { type Dim, multiplyAll, number } from '../../dims/dim.ts';
import { alternatives } from '../../interpreter/graph.ts';
import type { TensorValue, Value } from '../../interpreter/value.ts';
import { type EinopsGroup, parseEinops } from '../../syntax/einops.ts';
import { equationOf } from './contractions.ts';
import { axisBefore, dimFromEnd, fromEnd, numberArgument } from './tensors.ts';

/** An axis of a tensor, counted from the end. */
export interface Place {
  readonly node: TensorValue;
  readonly axis: number;
}

export const sizeAt = ({ node, axis }: Place): Dim | undefined => dimFromEnd(node, axis);

const longest = 96;

/** The axis and what it was in each tensor before, nearest first; operations that change its size are passed too. */
export function axisPath(place: Place): readonly Place[] {
  const path: Place[] = [];
  let at: Place | undefined = place;
  while (at !== undefined && path.length < longest) {
    path.push(at);
    at = placeBefore(at);
  }
  return path;
}

const tensorArgument = ({ arguments: given }: Pick<TensorValue, 'arguments'>, ...names: readonly string[]): TensorValue | undefined => {
  for (const name of names) {
    const value = given.get(name);
    if (value?.kind === 'tensor') return value;
  }
  return undefined;
};

/** The operands of a product of matrices. */
export function productOperands(node: Pick<TensorValue, 'arguments'>): readonly [TensorValue, TensorValue] | undefined {
  const left = tensorArgument(node, 'batch1', 'mat1') ?? tensorArgument(node, 'input', 'self');
  const right = tensorArgument(node, 'batch2', 'other', 'mat2', 'vec2', 'vec');
  return left === undefined || right === undefined ? undefined : [left, right];
}

export const isMatrixProduct = (op: string): boolean => /^(?:matmul|bmm|mm|baddbmm|addmm)$/.test(op);

/** The axis of an operand that became this axis of the result, or that it was cut out of, or put together from. */
export function placeBefore({ node, axis }: Place): Place | undefined {
  const { op, inputs } = node;
  const [first] = inputs;
  if (first === undefined) return undefined;
  const at = (tensor: TensorValue | undefined, place: number | undefined): Place | undefined =>
    tensor === undefined || place === undefined || dimFromEnd(tensor, place) === undefined ? undefined : { node: tensor, axis: place };
  if (op === 'join') {
    const size = dimFromEnd(node, axis)?.key;
    const options = alternatives(node);
    return at(options.find((option) => dimFromEnd(option, axis)?.key === size) ?? options[0], axis);
  }
  if (isMatrixProduct(op)) {
    const [left, right] = productOperands(node) ?? [];
    if (axis === -1) return at(right, -1);
    if (axis === -2) return at(left, -2);
    return likest(node, axis, [left, right]);
  }
  switch (op) {
    case 'linear':
      return axis === -1 ? at(tensorArgument(node, 'weight'), -2) : at(first, axis);
    case 'embedding':
      return axis === -1 ? at(tensorArgument(node, 'weight'), -1) : at(tensorArgument(node, 'input', 'indices'), axis + 1);
    case 'einsum':
      return einsumBefore(node, axis);
    case 'scaled_dot_product_attention':
      return axis === -1 ? at(tensorArgument(node, 'value'), -1) : at(tensorArgument(node, 'query'), axis);
    case 'conv1d':
      return at(axis === -2 ? tensorArgument(node, 'weight') : first, axis === -2 ? -3 : axis);
    case 'conv2d':
      return at(axis === -3 ? tensorArgument(node, 'weight') : first, axis === -3 ? -4 : axis);
    case 'view_as_real':
      return axis === -1 ? undefined : at(first, axis + 1);
    case 'view_as_complex':
      return at(first, axis - 1);
    case 'outer':
      return at(axis === -1 ? inputs[1] : first, -1);
    case 'view':
    case 'reshape':
    case 'flatten':
    case 'unflatten':
    case 'view_as':
    case 'reshape_as':
      return at(first, viewBefore(node, first, axis));
    case 'rearrange':
    case 'repeat':
    case 'reduce':
      if (node.arguments.get('pattern')?.kind === 'string') return at(first, patternBefore(node, axis));
      return at(first, axis);
    case 'getitem':
      return at(first, indexBefore(node, first, axis));
    case 'squeeze':
    case 'unbind':
    case 'select':
      return at(first, behindDropped(node, first, axis));
    case 'stack': {
      const dim = numberArgument(node, 'dim');
      const place = dim === undefined ? undefined : fromEnd(dim, node);
      return place === undefined || place === axis ? undefined : at(first, axis < place ? axis + 1 : axis);
    }
    case 'cat':
    case 'concat':
      return likest(node, axis, inputs);
    case 'layer_norm':
    case 'rms_norm':
    case 'group_norm':
    case 'softmax':
    case 'expand':
    case 'expand_as':
    case 'repeat_interleave':
    case 'setitem':
    case 'split':
    case 'chunk':
    case 'tensor_split':
      return at(first, axis);
    case 'transpose':
    case 'swapaxes':
    case 'swapdims':
    case 'T':
    case 'mT':
    case 'permute':
    case 'unsqueeze':
      return at(first, axisBefore(node, axis));
    default:
  }
  if (reductions.test(op)) {
    const keeps = node.arguments.get('keepdim');
    if (keeps?.kind === 'bool' && keeps.value === true) return at(first, axis);
    return at(first, behindDropped(node, first, axis));
  }
  return likest(node, axis, inputs);
}

export const reductions = /^(?:sum|mean|amax|amin|max|min|prod|logsumexp|norm|std|var|argmax|argmin|all|any|nansum|median)$/;

/** The operand that has the axis at this size: an activation before a weight. */
function likest(node: TensorValue, axis: number, operands: readonly (TensorValue | undefined)[]): Place | undefined {
  const size = dimFromEnd(node, axis)?.key;
  const held = operands.filter((operand) => operand !== undefined && dimFromEnd(operand, axis) !== undefined) as readonly TensorValue[];
  const alike = held.filter((operand) => dimFromEnd(operand, axis)?.key === size);
  const found =
    alike.find(({ isParameter, isBuffer }) => isParameter !== true && isBuffer !== true) ??
    alike[0] ??
    held.find((operand) => dimFromEnd(operand, axis)?.constant !== 1);
  return found === undefined ? undefined : { node: found, axis };
}

/** The axis of the input behind an operation that takes one axis away. */
function behindDropped(node: TensorValue, input: TensorValue, axis: number): number | undefined {
  const dim = numberArgument(node, 'dim');
  if (dim === undefined) return undefined;
  const dropped = fromEnd(dim, input);
  if (dropped === undefined) return undefined;
  return axis > dropped ? axis : axis - 1;
}

function einsumBefore(node: TensorValue, axis: number): Place | undefined {
  const equation = equationOf(node);
  const label = equation?.output.at(axis);
  if (equation === undefined || label === undefined || label === '...') return undefined;
  if (equation.output.indexOf('...') > equation.output.length + axis) return undefined;
  const size = dimFromEnd(node, axis)?.key;
  const found = equation.inputs.flatMap((labels, i) => {
    const place = labels.lastIndexOf(label);
    const operand = node.inputs[i];
    if (place < 0 || operand === undefined || labels.indexOf('...') > place) return [];
    return [{ node: operand, axis: place - labels.length }];
  });
  const isWeight = ({ node: { isParameter } }: Place): boolean => isParameter === true;
  return found.find((each) => !isWeight(each) && sizeAt(each)?.key === size) ?? found.find((each) => !isWeight(each)) ?? found[0];
}

function patternBefore(node: TensorValue, axis: number): number | undefined {
  const pattern = node.arguments.get('pattern');
  const parsed = pattern?.kind === 'string' && pattern.value !== undefined ? parseEinops(pattern.value) : undefined;
  const input = parsed?.inputs[0];
  const group = parsed?.output.at(axis);
  if (input === undefined || group === undefined) return undefined;
  const name = namesIn(group).at(-1);
  const from = name === undefined ? -1 : input.findIndex((each) => namesIn(each).includes(name));
  return from < 0 ? undefined : from - input.length;
}

const namesIn = ({ axes }: EinopsGroup): readonly string[] => axes.flatMap(({ kind, text }) => (kind === 'name' ? [text] : []));

/** For a view: the axis that it was, the one that it is cut out of, or the last of those that were joined. */
function viewBefore(node: TensorValue, input: TensorValue, axis: number): number | undefined {
  const groups = viewGroups(input, node);
  const [before, after] = [input.shape.dims.length, node.shape.dims.length];
  const group = groups?.find(({ to }) => to.includes(axis + after));
  if (group === undefined) return undefined;
  const last = group.from.findLast((each) => input.shape.dims[each]?.constant !== 1) ?? group.from.at(-1);
  return last === undefined ? undefined : last - before;
}

export interface ViewGroup {
  readonly from: readonly number[];
  readonly to: readonly number[];
}

/** Which axes of the input became which of the view: the shortest runs with the same number of elements. */
export function viewGroups(input: TensorValue, view: TensorValue): readonly ViewGroup[] | undefined {
  const [before, after] = [input.shape, view.shape];
  if (before.ellipsis !== undefined || after.ellipsis !== undefined) return undefined;
  const groups: ViewGroup[] = [];
  let [i, j] = [0, 0];
  // Axes that stay at the front and at the end; what is left between them is one group.
  while (i < before.dims.length && j < after.dims.length && before.dims[i]?.key === after.dims[j]?.key)
    groups.push({ from: [i++], to: [j++] });
  let [m, n] = [before.dims.length, after.dims.length];
  const behind: ViewGroup[] = [];
  while (m > i && n > j && before.dims[m - 1]?.key === after.dims[n - 1]?.key) behind.push({ from: [--m], to: [--n] });
  const split = splitMiddle(before.dims.slice(i, m), after.dims.slice(j, n));
  for (const { from, to } of split) groups.push({ from: from.map((each) => each + i), to: to.map((each) => each + j) });
  return [...groups, ...behind.reverse()];
}

function splitMiddle(before: readonly Dim[], after: readonly Dim[]): readonly ViewGroup[] {
  const groups: ViewGroup[] = [];
  let [from, to]: [number[], number[]] = [[], []];
  let [left, right] = [number(1), number(1)];
  let [i, j] = [0, 0];
  while (i < before.length || j < after.length) {
    if (i < before.length && (from.length <= to.length || j >= after.length)) {
      from.push(i);
      left = multiplyAll([left, before[i++] as Dim]);
    } else {
      to.push(j);
      right = multiplyAll([right, after[j++] as Dim]);
    }
    if (from.length > 0 && to.length > 0 && left.key === right.key) {
      groups.push({ from, to });
      [from, to, left, right] = [[], [], number(1), number(1)];
    }
  }
  if (from.length > 0 || to.length > 0) groups.push({ from, to });
  return groups;
}

/** The axis of the input that an indexed axis was. */
function indexBefore(node: TensorValue, input: TensorValue, axis: number): number | undefined {
  const index = node.arguments.get('index');
  if (index === undefined) return undefined;
  const items: readonly Value[] = index.kind === 'tuple' ? index.items : [index];
  const rank = input.shape.ellipsis === undefined ? input.shape.dims.length : undefined;
  const ellipsis = items.findIndex(({ kind }) => kind === 'ellipsis');
  const consumed = items.filter(({ kind }) => kind !== 'none' && kind !== 'ellipsis').length;
  // From the end: what no item names comes last, unless an ellipsis takes its place.
  if (ellipsis < 0 && rank === undefined) return undefined;
  let rest = rank === undefined ? 0 : rank - consumed;
  let [out, from] = [-1, -1];
  const pending = ellipsis < 0 ? [...items, 'rest' as const] : items;
  for (const item of [...pending].reverse()) {
    if (item === 'rest' || item.kind === 'ellipsis') {
      if (rank === undefined) return axis <= out ? axis - out + from : undefined;
      if (axis > out - rest) return from + (axis - out);
      out -= rest;
      from -= rest;
      rest = 0;
    } else if (item.kind === 'none') {
      if (axis === out) return undefined;
      out -= 1;
    } else if (item.kind === 'slice') {
      if (axis === out) return from;
      out -= 1;
      from -= 1;
    } else if (item.kind === 'int') from -= 1;
    else return undefined;
  }
  return undefined;
}
