/** Checks that code makes of its own sizes before it works: `assert width % heads == 0`, `if width % heads: raise ValueError`. */
import type { Dim } from '../dims/dim.ts';
import type { Binary, Expression, Statement } from '../syntax/python/ast.ts';
import { childExpressions } from '../syntax/python/walk.ts';
import { evaluate } from './expressions.ts';
import type { Frame } from './frame.ts';
import type { Interpreter } from './interpreter.ts';
import { dimOf, int } from './make.ts';
import { sampled, sampleGroups } from './samples.ts';
import type { Value } from './value.ts';

/** Notes a check of what divides what (`asksForParts`) that does not come out as wanted with the numbers that the code gives itself. */
export function noteCheck(interpreter: Interpreter, frame: Frame, test: Expression, wanted: boolean): void {
  const { samples } = interpreter.options;
  const [own] = samples === undefined ? [] : sampleGroups(samples);
  const [sample] = own?.members ?? [];
  if (own === undefined || sample === undefined) return;
  // Sizes are put in before anything is worked out: a division before the check was taken to come out even.
  const about = new Map<string, Value>();
  const outcome = outcomeOf(test, (leaf) => {
    const size = dimOf(evaluate(interpreter, frame, leaf));
    if (size === undefined || size.flexible) return undefined;
    const read: Dim = interpreter.read(size);
    if (read.constant === undefined) about.set(`size${about.size}`, int(read));
    return sampled(read, sample).constant;
  });
  if (outcome === undefined || (outcome !== 0) === wanted) return;
  interpreter.complain({ kind: 'check', message: 'the check fails', ...(about.size === 0 ? {} : { basis: own.basis }) }, about);
}

/** A branch that does nothing but raise: its condition is a check. */
export const isRefusal = ([first]: readonly Statement[]): boolean => first?.kind === 'raise';

/** `width % heads`, or `heads * head_dim == width`. */
export const asksForParts = (expression: Expression): boolean =>
  (isBinary(expression, '%') && expression.left.kind !== 'string') ||
  (expression.kind === 'compare' && expression.operands.some((operand) => isBinary(operand, '*'))) ||
  childExpressions(expression).some(asksForParts);

const isBinary = (expression: Expression, operator: string): expression is Binary =>
  expression.kind === 'binary' && expression.operator === operator;

/** What whole numbers make of an expression, as Python works it out; 0 for what is false. */
function outcomeOf(expression: Expression, sizeOf: (leaf: Expression) => number | undefined): number | undefined {
  const of = (part: Expression): number | undefined => outcomeOf(part, sizeOf);
  switch (expression.kind) {
    case 'boolean': {
      const left = of(expression.left);
      const decides = expression.operator === 'and' ? 0 : 1;
      if (left !== undefined && Number(left !== 0) === decides) return left;
      const right = of(expression.right);
      return left === undefined && (right === undefined || Number(right !== 0) !== decides) ? undefined : right;
    }
    case 'unary': {
      const operand = of(expression.operand);
      return operand === undefined || expression.operator !== 'not' ? undefined : Number(operand === 0);
    }
    case 'compare': {
      const [left, right] = expression.operands.map(of);
      if (left === undefined || right === undefined || expression.operands.length !== 2) return undefined;
      const truth = { '==': left === right, '!=': left !== right, '>': left > right, '<': left < right }[expression.operators[0] ?? ''];
      return truth === undefined ? undefined : Number(truth);
    }
    case 'binary': {
      const [left, right] = [of(expression.left), of(expression.right)];
      if (left === undefined || right === undefined) return undefined;
      if (expression.operator === '*') return left * right;
      if (right <= 0) return undefined;
      return expression.operator === '%' ? left % right : expression.operator === '//' ? Math.floor(left / right) : undefined;
    }
    default:
      return sizeOf(expression);
  }
}
