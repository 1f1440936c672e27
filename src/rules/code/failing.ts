/** A failing operation: what it was given, and how findings tell it. */
import type { Dim } from '../../dims/dim.ts';
import { applyToShape, formatShape, type Shape } from '../../dims/shape.ts';
import { alternatives, plain } from '../../interpreter/graph.ts';
import type { Failure } from '../../interpreter/recording.ts';
import type { CodeReading, Study } from '../../interpreter/study.ts';
import type { TensorValue, Value } from '../../interpreter/value.ts';
import type { Range } from '../../text/range.ts';
import { shown } from './places.ts';

export const productOps = /^(?:matmul|bmm|mm|mv|baddbmm|addmm|einsum|scaled_dot_product_attention)$/;
export const layerOps = /^(?:linear|bilinear|conv[123]d|conv_transpose[123]d|embedding)$/;
export const viewOps = /^(?:view|reshape|unflatten|flatten|expand|expand_as|view_as|reshape_as|rearrange|reduce|fold|unfold)$/;
export const pieceOps = /^(?:cat|concat|stack|hstack|vstack)$/;
export const splitOps = /^(?:split|split_with_sizes|chunk|unbind|tensor_split|unpack|take_parts)$/;
export const normOps = /^(?:layer_norm|rms_norm|group_norm|batch_norm|instance_norm)$/;
export const elementwiseOps = /^(?:add|sub|mul|div|where|masked_fill|pow|lerp|addcmul|maximum|minimum|setitem|copy_?)$/;
export const axisOps = /^(?:transpose|permute|swapaxes|movedim|unsqueeze|squeeze|select|getitem|softmax|t|mT|repeat|repeat_interleave)$/;

/** A failing operation of a study, and its place in the file. */
export interface Find {
  readonly code: CodeReading;
  readonly study: Study;
  readonly failure: Failure;
  readonly op: string;
  readonly use: Range;
}

export const tensorOf = ({ failure }: Find, ...names: readonly string[]): TensorValue | undefined => {
  for (const name of names) {
    const value = failure.call.arguments.get(name);
    const options = value?.kind === 'union' ? value.options.filter(({ kind }) => kind !== 'none') : [value];
    const [only] = options;
    if (options.length === 1 && only?.kind === 'tensor') return only;
  }
  return undefined;
};

export const shapeIn = ({ failure }: Find, { shape }: TensorValue): Shape => applyToShape(shape, failure.context.substitution);
const text = (find: Find, tensor: TensorValue): string => formatShape(shapeIn(find, tensor));
export const read = ({ failure }: Find, dim: Dim): Dim => failure.context.substitution.apply(dim);
export const expression = ({ code, use }: Find): string => shown(code, use, 50);
export const sentence = (reason: string): string => `${reason[0]?.toUpperCase() ?? ''}${reason.slice(1)}`;

/** The shapes of what is given, with the reason in symbols; a reason found by numbers names numbers, and is left out. */
export function plainFact(find: Find): string {
  const { failure } = find;
  const shapes: string[] = [];
  for (const value of failure.call.arguments.values()) collect(value, (tensor) => shapes.push(text(find, tensor)));
  const reason = failure.problem.basis === undefined ? `: ${failure.problem.message}` : '';
  return `\`${expression(find)}\` cannot work on ${shapes.slice(0, 4).join(' and ') || 'what it is given'}${reason}`;
}

export function collect(value: Value, visit: (tensor: TensorValue) => void): void {
  if (value.kind === 'tensor') visit(value);
  else if (value.kind === 'tuple' || value.kind === 'list') for (const item of value.items) collect(item, visit);
}

export function inputsOf({ call }: Failure): readonly TensorValue[] {
  const inputs: TensorValue[] = [];
  for (const value of call.arguments.values()) collect(value, (tensor) => inputs.push(tensor));
  return inputs;
}

export const opOf = ({ problem: { kind } }: Failure): string =>
  kind
    .slice(kind.lastIndexOf('.') + 1)
    .replace(/^__(\w+)__$/, '$1')
    .replace(/(?<=\w)_$/, '');

export const dimsOf = (value: Value | undefined): readonly Dim[] => {
  if (value?.kind === 'int') return [value.dim];
  if (value?.kind !== 'tuple' && value?.kind !== 'list') return [];
  const [only] = value.items;
  if (value.items.length === 1 && (only?.kind === 'tuple' || only?.kind === 'list')) return dimsOf(only);
  return value.items.flatMap((item) => (item.kind === 'int' ? [item.dim] : []));
};

export const firstOf = <Item, Found>(items: readonly Item[], find: (item: Item) => Found | undefined): Found | undefined => {
  for (const item of items) {
    const found = find(item);
    if (found !== undefined) return found;
  }
  return undefined;
};

/** Of a layer that is given several tensors put together and nothing else: what joins them, and how wide each of them is, where all are. */
export function joinedFor(find: Find): { readonly node: TensorValue; readonly width: Dim } | undefined {
  const input = find.op === 'linear' ? tensorOf(find, 'input') : undefined;
  for (const option of input === undefined ? [] : alternatives(input)) {
    const node = plain(option);
    const widths = node.inputs.map(({ shape }) => shape.dims.at(-1));
    const [width] = widths;
    if (!/^(?:cat|concat)$/.test(node.op) || width === undefined || widths.some((each) => each?.key !== width.key)) continue;
    if (node.shape.dims.at(-1)?.key !== width.key) return { node, width };
  }
  return undefined;
}
