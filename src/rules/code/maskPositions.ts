/** Numbers that count queries and keys, and comparisons of them: `rows >= columns` is a triangle. */
import { add, type Dim, number, subtract } from '../../dims/dim.ts';
import { sameElements } from '../../interpreter/graph.ts';
import { dimOf, numberOf } from '../../interpreter/make.ts';
import type { TensorValue, Value } from '../../interpreter/value.ts';
import type { Meaning, Region } from './regions.ts';
import { asTensor } from './tensors.ts';

/** Numbers that are places along one axis, from an offset on. */
interface Position {
  readonly axis: 'row' | 'column';
  readonly offset: Dim;
  readonly length: Dim | undefined;
}

export function positionOf(value: Value | undefined, depth = 0): Position | undefined {
  const tensor = asTensor(value);
  if (tensor === undefined || depth > 12) return undefined;
  const [first] = tensor.inputs;
  const argument = (name: string): Value | undefined => tensor.arguments.get(name);
  switch (tensor.op) {
    case 'arange': {
      const [start, end, step] = [argument('start'), argument('end'), argument('step')];
      if (step !== undefined && numberOf(step) !== 1) return undefined;
      const offset = end === undefined || end.kind === 'none' ? number(0) : start === undefined ? number(0) : dimOf(start);
      return offset === undefined ? undefined : { axis: 'column', offset, length: tensor.shape.dims[0] };
    }
    case 'getitem': {
      const inner = positionOf(first, depth + 1);
      const index = argument('index');
      if (inner === undefined || index?.kind !== 'tuple') return undefined;
      const kinds = index.items.map((item) =>
        item.kind === 'slice' && [item.lower, item.upper, item.step].every(({ kind }) => kind === 'none') ? 'all' : item.kind,
      );
      if (!kinds.every((kind) => kind === 'all' || kind === 'none' || kind === 'ellipsis')) return undefined;
      const last = kinds[kinds.length - 1];
      if (inner.axis === 'row') return last === 'none' ? undefined : inner;
      return last === 'none' ? { ...inner, axis: 'row' } : inner;
    }
    case 'unsqueeze': {
      const inner = positionOf(first, depth + 1);
      const dim = argument('dim');
      const place = dim === undefined ? undefined : numberOf(dim);
      if (inner === undefined || place === undefined) return undefined;
      if (inner.axis === 'row') return place === 0 ? inner : undefined;
      const isLast = place === -1 || (tensor.shape.ellipsis === undefined && place === tensor.shape.dims.length - 1);
      return isLast ? { ...inner, axis: 'row' } : inner;
    }
    case 'view':
    case 'reshape': {
      const inner = positionOf(first, depth + 1);
      const { dims, ellipsis } = tensor.shape;
      if (inner === undefined || ellipsis !== undefined || dims.length !== 2) return undefined;
      return dims[1]?.constant === 1 ? { ...inner, axis: 'row' } : { ...inner, axis: 'column' };
    }
    case 'add':
    case 'sub': {
      const [a, b] = [argument('input'), argument('other')];
      const inner = positionOf(a, depth + 1);
      const shift = b === undefined ? undefined : b.kind === 'tensor' ? undefined : dimOf(b);
      if (inner === undefined || shift === undefined) return undefined;
      return { ...inner, offset: tensor.op === 'add' ? add(inner.offset, shift) : subtract(inner.offset, shift) };
    }
    case 'expand':
    case 'T':
    case 't':
    case 'transpose': {
      const inner = positionOf(first, depth + 1);
      if (inner === undefined || tensor.op === 'expand') return inner;
      return { ...inner, axis: inner.axis === 'row' ? 'column' : 'row' };
    }
    default:
      return sameElements.has(tensor.op) || tensor.op === 'long' || tensor.op === 'int' ? positionOf(first, depth + 1) : undefined;
  }
}

/** `rows >= columns` and the like as a triangle. */
export function ordered(tensor: TensorValue, left: Position, right: Position): Meaning | undefined {
  const isRowFirst = left.axis === 'row';
  const [row, column] = isRowFirst ? [left, right] : [right, left];
  const mirrored: Readonly<Record<string, string>> = { lt: 'gt', le: 'ge', gt: 'lt', ge: 'le' };
  const op = isRowFirst ? tensor.op : (mirrored[tensor.op] ?? tensor.op);
  // i + a >= j + b, where i counts queries and j keys.
  const reach = subtract(row.offset, column.offset);
  const boundary = op === 'ge' || op === 'lt' ? reach : subtract(reach, number(1));
  const isSeen = op === 'ge' || op === 'gt';
  if (op === 'eq' || op === 'ne') return undefined;
  // `i < j` is false on and under the diagonal; `i <= j` is true on it.
  const region: Region = {
    kind: 'causal',
    boundary: op === 'lt' ? reach : op === 'le' ? subtract(reach, number(1)) : boundary,
    seen: isSeen ? 1 : 0,
    unseen: isSeen ? 0 : 1,
    rows: row.length,
    columns: column.length,
    made: tensor,
    isNamed: false,
  };
  return { regions: [region], constant: undefined };
}
