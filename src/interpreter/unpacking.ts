/** Taking tuples, tensors and sizes apart into names. */
import type { Dim } from '../dims/dim.ts';
import type { Expression } from '../syntax/python/ast.ts';
import { makeCall } from './define.ts';
import { at } from './expressions.ts';
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
    spread(targets.map((_, i) => (i === 0 ? each : pieceLike(interpreter, each, i))));
  } else if (iteration.open || iteration.repeat !== undefined) spread(undefined);
  else {
    checkCount(interpreter, frame, targets, star, value, iteration.items);
    spread(iteration.items);
  }
}

/** Another of like pieces: a tensor of its own, so that keys are not taken for values. */
function pieceLike(interpreter: Interpreter, first: Value, index: number): Value {
  if (first.kind !== 'tensor') return first;
  const piece = { ...first, id: interpreter.nextTensor(), index };
  interpreter.recording.note(piece);
  return piece;
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
