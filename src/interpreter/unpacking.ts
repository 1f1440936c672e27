/** Taking tuples, tensors and sizes apart into names. */
import { anonymous, type Dim, flexible } from '../dims/dim.ts';
import { shapeOf, withRank } from '../dims/shape.ts';
import type { Expression } from '../syntax/python/ast.ts';
import { makeCall } from './define.ts';
import { at, evaluate } from './expressions.ts';
import type { Frame } from './frame.ts';
import type { Interpreter } from './interpreter.ts';
import { iterate } from './iteration.ts';
import { int, list, none, unknown } from './make.ts';
import type { Problem } from './operation.ts';
import { bindTarget } from './statements.ts';
import type { TensorValue, Value } from './value.ts';

/** `a, *b = value`. */
export function unpack(interpreter: Interpreter, frame: Frame, targets: readonly Expression[], value: Value): void {
  const star = targets.findIndex(({ kind }) => kind === 'starred');
  const spread = (items: readonly Value[] | undefined): void => {
    for (const [i, target] of targets.entries()) {
      if (star < 0 || i < star) bindTarget(interpreter, frame, target, items?.[i] ?? unknown('an item of something'));
      else if (i === star) {
        const taken = items?.slice(star, items.length - (targets.length - star - 1));
        bindTarget(
          interpreter,
          frame,
          target,
          taken === undefined ? { kind: 'list', items: [], repeat: undefined, open: true } : list(taken),
        );
      } else {
        const at = items === undefined ? undefined : items.length - (targets.length - i);
        bindTarget(interpreter, frame, target, at === undefined ? unknown('an item of something') : (items?.[at] ?? unknown('an item')));
      }
    }
  };
  if (value.kind === 'tuple' && value.ellipsis !== undefined) {
    const hidden = value.ellipsis;
    const missing = targets.length - value.items.length;
    if (star < 0 && missing >= 0) {
      const filler = Array.from({ length: missing }, () => unknown('a size'));
      spread([...value.items.slice(0, hidden), ...filler, ...value.items.slice(hidden)]);
      return;
    }
    if (star >= 0 && star <= hidden) {
      const tail = value.items.slice(hidden);
      const after = targets.length - star - 1;
      if (tail.length >= after) {
        for (const [i, target] of targets.entries()) {
          if (i < star) bindTarget(interpreter, frame, target, value.items[i] ?? unknown('a size'));
          else if (i > star) bindTarget(interpreter, frame, target, tail[tail.length - (targets.length - i)] ?? unknown('a size'));
          else
            bindTarget(interpreter, frame, target, {
              kind: 'tuple',
              items: value.items.slice(star, value.items.length - after),
              ellipsis: hidden - star,
            });
        }
        return;
      }
    }
    spread(undefined);
    return;
  }
  if (value.kind === 'unknown' || value.kind === 'union') {
    if (value.kind === 'unknown' && value.path !== undefined && star < 0) {
      spread(targets.map((_, i) => interpreter.subscript(value, int(i))));
      return;
    }
    const options = value.kind === 'union' ? value.options.filter(({ kind }) => kind !== 'none') : [];
    const [only] = options;
    if (options.length === 1 && only !== undefined) unpack(interpreter, frame, targets, only);
    else spread(undefined);
    return;
  }
  if (value.kind === 'tensor') {
    const first = value.shape.ellipsis === 0 ? undefined : value.shape.dims[0];
    const isKnown = first !== undefined && star < 0;
    if (isKnown && isComputed(value)) checkParts(interpreter, frame, targets, interpreter.read(first), value);
    spread(isKnown ? targets.map((_, i) => interpreter.subscript(value, int(i))) : undefined);
    return;
  }
  const iteration = iterate(interpreter, value);
  const [each] = iteration.items;
  if (iteration.repeat !== undefined && each !== undefined && iteration.items.length === 1 && star < 0) {
    if (each.kind === 'tensor' && each.inputs[0] !== undefined) checkParts(interpreter, frame, targets, iteration.repeat, each.inputs[0]);
    spread(targets.map(() => each));
  } else if (iteration.open || iteration.repeat !== undefined) spread(undefined);
  else {
    checkCount(interpreter, frame, targets, star, value, iteration.items);
    spread(iteration.items);
  }
}

/** What a tensor is taken apart into must be as many as the names for it. */
function checkCount(
  interpreter: Interpreter,
  frame: Frame,
  targets: readonly Expression[],
  star: number,
  value: Value,
  items: readonly Value[],
): void {
  const [first] = targets;
  const fits = star < 0 ? items.length === targets.length : items.length >= targets.length - 1;
  if (fits || first === undefined) return;
  const [item] = items;
  const isSize = value.kind === 'tuple' && value.isSize === true;
  const isParts = item?.kind === 'tensor' && items.every((each) => each.kind === 'tensor' && each.op === item.op);
  const given = isParts && item?.kind === 'tensor' ? (item.inputs[0] ?? item) : undefined;
  const what = isSize
    ? `the tensor has ${items.length} axes`
    : isParts
      ? `there are ${items.length} parts`
      : `there are ${items.length} items`;
  at(interpreter, frame, first, () => {
    const kind = isSize ? 'unpack_size' : 'unpack';
    const message = `${what}, and ${targets.length} names take them`;
    const problem: Problem = isSize ? { kind, message, isOfAxes: true } : { kind, message };
    if (isSize || isParts) interpreter.report(makeCall('unpack', held(given), new Set(['input']), interpreter.site), problem);
    else if (value.kind === 'tuple') interpreter.complain(problem);
    return none;
  });
}

const held = (given: Value | undefined): ReadonlyMap<string, Value> => new Map(given === undefined ? [] : [['input', given]]);

/** The same where the number of parts is a size. */
function checkParts(interpreter: Interpreter, frame: Frame, targets: readonly Expression[], parts: Dim, given: Value): void {
  const [first] = targets;
  const operation = interpreter.names.builtin('headwise.take_parts');
  if (!interpreter.assumesShapes || !interpreter.isWhole || first === undefined || operation === undefined) return;
  at(interpreter, frame, first, () => interpreter.call(operation, [given, int(parts), int(targets.length)]));
}

/** Whether code made the tensor: what comes in may be something else than what is assumed. */
const isComputed = (tensor: TensorValue): boolean =>
  tensor.op === 'join' || tensor.op === 'getitem' ? tensor.inputs.every(isComputed) : tensor.op !== 'input';

/** `B, T, C = x.size()` says that x has three axes, and names them. */
export function refine(interpreter: Interpreter, frame: Frame, target: Expression, source: Expression): void {
  if (target.kind !== 'tuple' && target.kind !== 'list') return;
  if (target.items.some(({ kind }) => kind === 'starred')) return;
  const shape = shapeRead(source);
  if (shape === undefined) return;
  const tensor = evaluate(interpreter, frame, shape.tensor);
  if (tensor.kind !== 'tensor' || tensor.shape.ellipsis === undefined || shape.from > tensor.shape.ellipsis) return;
  const names = target.items.map((item) => (item.kind === 'name' ? item.name : '_'));
  const rank = names.length + shape.from + shape.to;
  const filled = withRank(tensor.shape, rank);
  if (filled === undefined) return;
  // The same line names other sizes when it runs for another tensor.
  const scope = `${frame.file.name}:${frame.unit?.start ?? 0}+${target.start}#${tensor.id}`;
  const dims = filled.dims.map((dim, i) => {
    if (!dim.unknown) return dim;
    const name = names[i - shape.from];
    return name === undefined || name.startsWith('_') ? anonymous(`axis ${i}`, { scope }) : flexible(name, { scope });
  });
  interpreter.write(tensor, 'shape', shapeOf(...dims));
}

/** The value that is assigned, read again where `refine` made it known. */
export function refined(interpreter: Interpreter, frame: Frame, source: Expression, value: Value, target: Expression): Value {
  if (target.kind !== 'tuple' && target.kind !== 'list') return value;
  return value.kind === 'tuple' && value.ellipsis !== undefined && shapeRead(source) !== undefined
    ? evaluate(interpreter, frame, source)
    : value;
}

/** The tensor whose shape an expression reads, and how many axes in front and behind are left out. */
function shapeRead(source: Expression): { readonly tensor: Expression; readonly from: number; readonly to: number } | undefined {
  if (source.kind === 'call' && source.callee.kind === 'attribute' && source.callee.name.name === 'size' && source.arguments.length === 0) {
    return { tensor: source.callee.object, from: 0, to: 0 };
  }
  if (source.kind === 'attribute' && source.name.name === 'shape') return { tensor: source.object, from: 0, to: 0 };
  if (source.kind !== 'subscript' || source.indices.length !== 1) return undefined;
  const inner = shapeRead(source.object);
  const [slice] = source.indices;
  if (inner === undefined || slice?.kind !== 'slice' || slice.step !== undefined) return undefined;
  const upper = slice.upper === undefined ? 0 : negativeNumber(slice.upper);
  return slice.lower === undefined && upper !== undefined ? { tensor: inner.tensor, from: 0, to: upper } : undefined;
}

const negativeNumber = (expression: Expression): number | undefined =>
  expression.kind === 'unary' && expression.operator === '-' && expression.operand.kind === 'number' ? expression.operand.value : undefined;
