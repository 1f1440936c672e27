import { type Dim, loneAtom } from '../dims/dim.ts';
import { arithmetic, comparison } from './arithmetic.ts';
import { classMember } from './attributes.ts';
import type { Interpreter } from './interpreter.ts';
import { bool, dimOf, float, isFraction, shareOf, unknown } from './make.ts';
import { isOfWeight, stretchable } from './ops/torch/support.ts';
import { conceptOf, isHeads, lengthScope } from './samples.ts';
import type { Value } from './value.ts';

/** A number of the code, or a setting. */
const isSetting = (value: Value): boolean =>
  value.kind === 'int' || value.kind === 'float' || (value.kind === 'unknown' && value.path !== undefined);

export function applyOperator(interpreter: Interpreter, operator: string, left: Value, right: Value): Value {
  if (left.kind === 'tensor' || right.kind === 'tensor') return tensorOperator(interpreter, operator, left, right);
  if (left.kind === 'instance' || right.kind === 'instance') {
    const method = left.kind === 'instance' ? classMember(left.class, operatorMethods[operator]?.[0] ?? '') : undefined;
    if (method !== undefined) return interpreter.call(method, [left, right]);
    const reflected = right.kind === 'instance' ? classMember(right.class, operatorMethods[operator]?.[1] ?? '') : undefined;
    return reflected === undefined ? unknown(`${left.kind} ${operator} ${right.kind}`) : interpreter.call(reflected, [right, left]);
  }
  if (left.kind === 'class' || right.kind === 'class' || left.kind === 'none' || right.kind === 'none') return unknown('a type');
  if (left.kind === 'dict' && right.kind === 'dict' && operator === '|') {
    return { kind: 'dict', entries: new Map([...left.entries, ...right.entries]), open: left.open || right.open };
  }
  if (left.kind === 'set' && right.kind === 'set') return { kind: 'set', items: [...left.items, ...right.items], open: true };
  if (operator === '//' && interpreter.assumesShapes) assumeExact(interpreter, dimOf(left), dimOf(right));
  // What is computed from two settings is a number, whatever they are.
  if (interpreter.assumesShapes && (isFraction(left) || isFraction(right))) {
    const [a, b] = [left, right].map((each) => (each.kind === 'unknown' ? (shareOf(each.path ?? '', each.scope ?? '') ?? each) : each));
    if (operator === '*' && a !== undefined && b !== undefined && (a !== left) !== (b !== right)) return arithmetic(operator, a, b);
    if (isSetting(left) && isSetting(right)) return float(undefined);
  }
  const result = arithmetic(operator, left, right);
  return (
    interpreter.options.witness?.settle(result, [left, right], (numbers) =>
      arithmetic(operator, numbers[0] as Value, numbers[1] as Value),
    ) ?? result
  );
}

/** In linting, a size that is divided by another is taken to be a multiple of it; one that is halved, to be even. */
function assumeExact(interpreter: Interpreter, dividend: Dim | undefined, divisor: Dim | undefined): void {
  if (dividend === undefined || divisor === undefined) return;
  const [over, under] = [loneAtom(dividend), loneAtom(divisor)];
  if (over?.kind !== 'symbol' || over.scope === lengthScope) return;
  if (over.flexible && !isHeads(under)) return;
  // There are never more key-value heads than query heads.
  if (conceptOf(over.name) === 'keyValueHeads' && under?.kind === 'symbol' && conceptOf(under.name) === 'queryHeads') return;
  const isSized = under?.kind === 'symbol' && !under.flexible && under.scope !== lengthScope;
  const isHalved = (divisor.constant === 2 || divisor.constant === 4) && wholeWidths.has(conceptOf(over.name) ?? '');
  if (isSized || isHalved) interpreter.assumeDivides(divisor, dividend);
}

function tensorOperator(interpreter: Interpreter, operator: string, left: Value, right: Value): Value {
  const name = tensorOperators[operator];
  const operation = name === undefined ? undefined : interpreter.names.builtin(name);
  if (operation === undefined) return unknown(`the operator ${operator} of tensors`);
  const known = left.kind === 'tensor' ? left : right.kind === 'tensor' ? right : undefined;
  const other = known === left ? right : left;
  const isDoubtful = other.kind === 'unknown' || other.kind === 'union' || other.kind === 'instance' || isOfNothingKnown(other);
  const result = interpreter.call(operation, [left, right]);
  if (!isDoubtful || known === undefined || operator === '@' || result.kind !== 'tensor') return result;
  const isNumber = other.kind === 'unknown' && other.path !== undefined;
  if (interpreter.options.assumesShapes !== true && !isNumber) return result;
  // An optional input that is added has, where it is given, a shape that stretches to interpreter one; a table or scale stretches to the input.
  const isTable =
    known.shape.ellipsis === undefined && (known.shape.dims.length < 3 || isOfWeight(known)) && !isNumber && !isOfNothingKnown(other);
  interpreter.heap.write(
    result,
    'shape',
    isNumber ? known.shape : stretchable(isTable ? { dims: known.shape.dims, ellipsis: 0 } : known.shape),
  );
  return result;
}

/** `dropout(result)` where nothing is known of the result. */
const isOfNothingKnown = (value: Value): boolean =>
  value.kind === 'tensor' &&
  value.inputs.length === 0 &&
  value.shape.dims.length === 0 &&
  value.shape.ellipsis !== undefined &&
  /^(?:dropout|to|type_as|float|contiguous)$/.test(value.op);

export function applyComparison(interpreter: Interpreter, operator: string, left: Value, right: Value): Value {
  if (left.kind === 'tensor' || right.kind === 'tensor') {
    const name = tensorComparisons[operator];
    const operation = name === undefined ? undefined : interpreter.names.builtin(name);
    return operation === undefined ? bool(undefined) : interpreter.call(operation, [left, right]);
  }
  if (left.kind === 'instance') {
    const method = classMember(left.class, comparisonMethods[operator] ?? '');
    if (method !== undefined && method.kind === 'function' && !method.file.isPrelude) return interpreter.call(method, [left, right]);
    if (left === right && operator === '==') return bool(true);
    return bool(undefined);
  }
  if ((left.kind === 'class' || left.kind === 'function') && (operator === '==' || operator === '!=')) {
    if (right.kind === 'unknown' || right.kind === 'union') return bool(undefined);
    return bool((left === right) === (operator === '=='));
  }
  const result = comparison(operator, left, right, interpreter.facts);
  return result.value === undefined ? (interpreter.options.witness?.compare(operator, left, right) ?? result) : result;
}

/** Widths that nobody makes odd. */
const wholeWidths: ReadonlySet<string> = new Set(['hiddenSize', 'headDim', 'intermediateSize']);

const tensorOperators: Readonly<Record<string, string>> = {
  '+': 'torch.add',
  '-': 'torch.sub',
  '*': 'torch.mul',
  '/': 'torch.div',
  '//': 'torch.floor_divide',
  '%': 'torch.remainder',
  '**': 'torch.pow',
  '@': 'torch.matmul',
  '&': 'torch.bitwise_and',
  '|': 'torch.bitwise_or',
  '^': 'torch.bitwise_xor',
  '<<': 'torch.bitwise_left_shift',
  '>>': 'torch.bitwise_right_shift',
};

const tensorComparisons: Readonly<Record<string, string>> = {
  '==': 'torch.eq',
  '!=': 'torch.ne',
  '<': 'torch.lt',
  '<=': 'torch.le',
  '>': 'torch.gt',
  '>=': 'torch.ge',
};

const operatorMethods: Readonly<Record<string, readonly [string, string]>> = {
  '+': ['__add__', '__radd__'],
  '-': ['__sub__', '__rsub__'],
  '*': ['__mul__', '__rmul__'],
  '/': ['__truediv__', '__rtruediv__'],
  '//': ['__floordiv__', '__rfloordiv__'],
  '@': ['__matmul__', '__rmatmul__'],
  '%': ['__mod__', '__rmod__'],
  '**': ['__pow__', '__rpow__'],
  '|': ['__or__', '__ror__'],
};

const comparisonMethods: Readonly<Record<string, string>> = {
  '==': '__eq__',
  '!=': '__ne__',
  '<': '__lt__',
  '<=': '__le__',
  '>': '__gt__',
  '>=': '__ge__',
};
