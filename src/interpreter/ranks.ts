/** What code says of the number of a tensor's axes by the sizes that it reads. */
import { anonymous, type Dim, flexible, unknownDim } from '../dims/dim.ts';
import { openShape, type Shape, unknownShape, withRank } from '../dims/shape.ts';
import type { Expression } from '../syntax/python/ast.ts';
import { evaluate } from './expressions.ts';
import type { Frame } from './frame.ts';
import type { Interpreter } from './interpreter.ts';
import type { TensorValue, Value } from './value.ts';

/**
 * `B, T, C = x.size()` says that x has three axes, and names them; `B, T = x.shape[:2]` and `B, *sides, C = x.shape` that it has two or
 * more.
 */
export function refine(interpreter: Interpreter, frame: Frame, target: Expression, source: Expression): void {
  if (target.kind !== 'tuple' && target.kind !== 'list') return;
  const read = sizesRead(source);
  if (read === undefined) return;
  const items = target.items.slice(0, target.items.length - read.beside);
  const star = items.findIndex(({ kind }) => kind === 'starred');
  if (target.items.slice(items.length).some(({ kind }) => kind === 'starred') || (star >= 0 && (read.isCut || read.from + read.to > 0)))
    return;
  const tensor = sized(interpreter, frame, read.tensor);
  if (tensor === undefined || tensor.shape.ellipsis === undefined) return;
  const names = items.map((item) => (item.kind === 'name' ? item.name : '_'));
  // The same line names other sizes when it runs for another tensor.
  const scope = `${frame.file.name}:${frame.unit?.start ?? 0}+${target.start}#${tensor.id}`;
  const named = (dim: Dim, name: string | undefined, i: number): Dim => {
    if (!dim.unknown) return dim;
    return name === undefined || name.startsWith('_') ? anonymous(`axis ${i}`, { scope }) : flexible(name, { scope });
  };
  if (star >= 0) {
    const open = withEnds(tensor.shape, star, names.length - star - 1);
    if (open === undefined) return;
    const dims = open.dims.map((dim, i) => named(dim, names[i < star ? i : i + 1], i));
    interpreter.write(tensor, 'shape', { ...open, dims });
    return;
  }
  if (read.from > tensor.shape.ellipsis) return;
  const filled = read.isCut === true ? withFront(tensor.shape, names.length) : withRank(tensor.shape, names.length + read.from + read.to);
  if (filled === undefined) return;
  const dims = filled.dims.map((dim, i) => named(dim, names[i - read.from], i));
  interpreter.write(tensor, 'shape', { ...filled, dims });
}

/** The value that is assigned, read again where `refine` made it known. */
export function refined(interpreter: Interpreter, frame: Frame, source: Expression, value: Value, target: Expression): Value {
  if (target.kind !== 'tuple' && target.kind !== 'list') return value;
  const isHidden = value.kind === 'unknown' || (value.kind === 'tuple' && value.ellipsis !== undefined);
  return isHidden && sizesRead(source) !== undefined ? evaluate(interpreter, frame, source) : value;
}

/** `x.shape[1]` and `x.size(1)` say that x has two axes or more, `x.shape[-1]` that it has one. */
export function refineAxis(interpreter: Interpreter, frame: Frame, source: Expression, index: Expression | undefined): void {
  if (!interpreter.assumesShapes || source.kind !== 'name' || index === undefined) return;
  const at = index.kind === 'number' ? index.value : negativeNumber(index);
  if (at === undefined || Math.abs(at) > 8) return;
  const tensor = sized(interpreter, frame, source);
  if (tensor === undefined || tensor.shape.ellipsis === undefined) return;
  const { shape } = tensor;
  // Behind sizes that are known from the front, the last axis may be one of these.
  const filled = at >= 0 ? withFront(shape, at + 1) : shape.dims.length === 0 ? { ...withRank(shape, -at), ellipsis: 0 } : undefined;
  if (filled?.dims === undefined) return;
  // One size may be read to ask whether there is anything at all, as of a cache.
  const dims = filled.dims.map((dim, i) => (dim.unknown ? anonymous(`axis ${i}`, { scope: `axes of #${tensor.id}`, min: 0 }) : dim));
  interpreter.write(tensor, 'shape', { ellipsis: filled.ellipsis, dims });
}

/** The shape with at least this many axes known to be there from the front; undefined where it has them, or where its end is known. */
function withFront(shape: Shape, count: number): Shape | undefined {
  const known = shape.dims.length;
  if (shape.ellipsis !== known || known >= count) return undefined;
  return { dims: withRank(shape, count)?.dims ?? [], ellipsis: count };
}

/** The shape with so many axes known to be there at each end, as far as it has no more of them; undefined where it has. */
function withEnds({ dims, ellipsis = dims.length }: Shape, before: number, after: number): Shape | undefined {
  const [front, back] = [dims.slice(0, ellipsis), dims.slice(ellipsis)];
  if (front.length > before || back.length > after) return undefined;
  const more = (count: number): readonly Dim[] => Array.from({ length: count }, () => unknownDim('the axis is not known'));
  return openShape([...front, ...more(before - front.length)], [...more(after - back.length), ...back]);
}

/** The tensor whose sizes are read: a local variable of which nothing is known is one by that. */
function sized(interpreter: Interpreter, frame: Frame, written: Expression): TensorValue | undefined {
  const value = evaluate(interpreter, frame, written);
  if (value.kind === 'tensor') return value;
  if (value.kind !== 'unknown' || value.path !== undefined || written.kind !== 'name' || !interpreter.assumesShapes) return undefined;
  if (frame.unit === undefined || frame.locals.get(written.name) !== value) return undefined;
  const tensor: TensorValue = {
    kind: 'tensor',
    id: interpreter.nextTensor(),
    shape: unknownShape,
    dtype: undefined,
    op: 'input',
    arguments: new Map(),
    inputs: [],
    site: { file: frame.file, unit: frame.unit, node: written },
  };
  interpreter.names.assign(frame, written.name, tensor);
  return tensor;
}

interface Read {
  readonly tensor: Expression;
  /** Axes in front and behind that are left out. */
  readonly from: number;
  readonly to: number;
  /** Only so many sizes are taken as there are names. */
  readonly isCut?: true;
}

/** The same of `*x.shape, x.device`, where other things stand beside the sizes. */
function sizesRead(source: Expression): (Read & { readonly beside: number }) | undefined {
  if (source.kind !== 'tuple') {
    const read = shapeRead(source);
    return read === undefined ? undefined : { ...read, beside: 0 };
  }
  const [first, ...others] = source.items;
  const read = first?.kind === 'starred' && others.every(({ kind }) => kind !== 'starred') ? shapeRead(first.value) : undefined;
  return read === undefined ? undefined : { ...read, beside: others.length };
}

/** The tensor whose shape an expression reads. */
function shapeRead(source: Expression): Read | undefined {
  if (source.kind === 'call' && source.callee.kind === 'attribute' && source.callee.name.name === 'size' && source.arguments.length === 0) {
    return { tensor: source.callee.object, from: 0, to: 0 };
  }
  if (source.kind === 'attribute' && source.name.name === 'shape') return { tensor: source.object, from: 0, to: 0 };
  if (source.kind !== 'subscript' || source.indices.length !== 1) return undefined;
  const inner = shapeRead(source.object);
  const [slice] = source.indices;
  if (inner === undefined || slice?.kind !== 'slice' || slice.step !== undefined || slice.lower !== undefined) return undefined;
  const { upper } = slice;
  if (upper?.kind === 'number') return { tensor: inner.tensor, from: 0, to: 0, isCut: true };
  const to = upper === undefined ? 0 : negativeNumber(upper);
  return to === undefined ? undefined : { tensor: inner.tensor, from: 0, to };
}

const negativeNumber = (expression: Expression): number | undefined =>
  expression.kind === 'unary' && expression.operator === '-' && expression.operand.kind === 'number' ? expression.operand.value : undefined;
