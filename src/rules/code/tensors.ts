/** What rules ask of one tensor: its axes, the numbers in its arguments, whether its numbers are a weight's. */
import { isDropout, isLayout, sameElements } from '../../interpreter/graph.ts';
import { numberOf } from '../../interpreter/make.ts';
import type { Study } from '../../interpreter/study.ts';
import type { TensorValue, Value } from '../../interpreter/value.ts';
import { parseEinops } from '../../syntax/einops.ts';

/** Operations that keep axes and pick or repeat along them. */
export const picks: ReadonlySet<string> = new Set([
  'getitem',
  'repeat',
  'repeat_interleave',
  'roll',
  'pad',
  'flip',
  'index_select',
  'gather',
  'narrow',
  'select',
  'tile',
  'take_along_dim',
]);

export const splits: ReadonlySet<string> = new Set(['split', 'chunk', 'unbind', 'tensor_split', 'unpack', 'hsplit']);

/** Whether the tensor's numbers are a parameter's, or a buffer's, however arranged. A buffer may be a cache of keys. */
export function isWeight(tensor: TensorValue, countsBuffers = true): boolean {
  let at = tensor;
  for (let i = 0; i < 16; i++) {
    if (at.isParameter === true || at.op === 'parameter') return true;
    if (at.isBuffer === true || at.op === 'buffer') return countsBuffers;
    const [first] = at.inputs;
    if (first === undefined || !(sameElements.has(at.op) || isLayout(at) || picks.has(at.op) || splits.has(at.op))) return false;
    at = first;
  }
  return false;
}

/** The tensor that a value is; one that may also be None is taken for it. */
export function asTensor(value: Value | undefined): TensorValue | undefined {
  if (value?.kind === 'tensor') return value;
  if (value?.kind !== 'union') return undefined;
  const options = value.options.filter(({ kind }) => kind !== 'none');
  return options.length === 1 && options[0]?.kind === 'tensor' ? options[0] : undefined;
}

export const operandsOf = (node: TensorValue): readonly [Value | undefined, Value | undefined] => [
  node.arguments.get('input'),
  node.arguments.get('other'),
];

export const optional = <Key extends string>(key: Key, value: Value | undefined): { readonly [K in Key]?: Value } =>
  (value === undefined ? {} : { [key]: value }) as { readonly [K in Key]?: Value };

/** The axis from the end; undefined where the rank must be known and is not. */
export function fromEnd(axis: number, { shape }: TensorValue): number | undefined {
  if (axis < 0) return axis;
  return shape.ellipsis === undefined ? axis - shape.dims.length : undefined;
}

/** At least so many axes does the tensor have. */
export function leastRank(tensor: TensorValue, depth = 0): number {
  let least = tensor.shape.dims.length;
  if (tensor.shape.ellipsis === undefined || depth > 12) return least;
  const [first] = tensor.inputs;
  for (const name of ['dim0', 'dim1']) {
    const axis = numberArgument(tensor, name);
    if (axis !== undefined) least = Math.max(least, axis < 0 ? -axis : axis + 1);
  }
  const keeps =
    sameElements.has(tensor.op) ||
    isDropout(tensor) ||
    ['transpose', 'add', 'sub', 'mul', 'div', 'masked_fill', 'where', 'softmax', 'matmul', 'swapaxes', 'repeat_interleave'].includes(
      tensor.op,
    );
  if (keeps && first !== undefined) for (const input of tensor.inputs) least = Math.max(least, leastRank(input, depth + 1));
  return least;
}

export function numberArgument(tensor: TensorValue, ...names: readonly string[]): number | undefined {
  for (const name of names) {
    const value = tensor.arguments.get(name);
    const known = value === undefined ? undefined : numberOf(value);
    if (known !== undefined) return known;
  }
  return undefined;
}

function listArgument(tensor: TensorValue, name: string): readonly number[] | undefined {
  let value = tensor.arguments.get(name);
  if (value?.kind === 'tuple' && value.items.length === 1 && (value.items[0]?.kind === 'tuple' || value.items[0]?.kind === 'list'))
    value = value.items[0];
  if (value?.kind !== 'tuple' && value?.kind !== 'list') return undefined;
  const numbers = value.items.map((item) => numberOf(item));
  return numbers.includes(undefined) ? undefined : (numbers as number[]);
}

/** The axis of the operation's input that became this axis of its result; both from the end. */
export function axisBefore(node: TensorValue, axis: number): number | undefined {
  const [first] = node.inputs;
  if (first === undefined) return undefined;
  switch (node.op) {
    case 'T':
    case 'mT':
    case 'transpose':
    case 'swapaxes':
    case 'swapdims': {
      const isLast = node.op === 'mT' || node.op === 'T';
      const [x, y] = isLast ? [-1, -2] : [numberArgument(node, 'dim0', 'axis0'), numberArgument(node, 'dim1', 'axis1')];
      if (x === undefined || y === undefined) return undefined;
      const [p, q] = [fromEnd(x, node), fromEnd(y, node)];
      if (p === undefined || q === undefined) return undefined;
      return axis === p ? q : axis === q ? p : axis;
    }
    case 'permute': {
      const order = listArgument(node, 'dims');
      if (order === undefined) return undefined;
      const from = order[axis + order.length];
      return from === undefined ? undefined : from < 0 ? from : from - order.length;
    }
    case 'unsqueeze': {
      const at = numberArgument(node, 'dim');
      const place = at === undefined ? undefined : at < 0 ? at : fromEnd(at, node);
      if (place === undefined || place === axis) return undefined;
      return axis < place ? axis + 1 : axis;
    }
    case 'rearrange': {
      const pattern = node.arguments.get('pattern');
      const parsed = pattern?.kind === 'string' && pattern.value !== undefined ? parseEinops(pattern.value) : undefined;
      const group = parsed?.output[axis + parsed.output.length];
      const [name] = group?.axes ?? [];
      if (parsed === undefined || name === undefined || group?.axes.length !== 1 || name.kind !== 'name') return undefined;
      const input = parsed.inputs[0] ?? [];
      const from = input.findIndex(({ axes }) => axes.length === 1 && axes[0]?.text === name.text);
      return from < 0 ? undefined : from - input.length;
    }
    case 'view':
    case 'reshape':
    case 'squeeze':
    case 'flatten':
    case 'unflatten': {
      // The axes behind it are as they were.
      for (let i = -1; i >= axis; i--) {
        const [a, b] = [dimFromEnd(first, i), dimFromEnd(node, i)];
        if (a === undefined || b === undefined || a.key !== b.key) return undefined;
      }
      return axis;
    }
    case 'getitem':
    case 'cat':
    case 'movedim':
    case 'moveaxis':
    case 'einsum':
    case 'linear':
    case 'setitem':
    case 'stack':
      return undefined;
    default:
      return axis;
  }
}

export function dimFromEnd({ shape }: TensorValue, axis: number) {
  const index = shape.dims.length + axis;
  if (index < 0 || (shape.ellipsis !== undefined && index < shape.ellipsis)) return undefined;
  return shape.dims[index];
}

const complete = new WeakMap<Study['tensors'], readonly TensorValue[]>();

/** The tensors of a study with what stands in their place after it was refined: some are known under a better shape to their users. */
export function withCopies(study: Study): readonly TensorValue[] {
  const known = complete.get(study.tensors);
  if (known !== undefined) return known;
  const byId = new Map<number, TensorValue>();
  for (const tensor of study.tensors) byId.set(tensor.id, tensor);
  const add = (tensor: TensorValue): void => {
    const before = byId.get(tensor.id);
    if (before !== undefined && before !== tensor) byId.set(tensor.id, tensor);
  };
  for (const tensor of study.tensors) for (const input of tensor.inputs) add(input);
  const all = [...byId.values()].sort((a, b) => a.id - b.id);
  complete.set(study.tensors, all);
  return all;
}
