import fc from 'fast-check';
import {
  add,
  type Dim,
  flexible,
  floorDiv,
  maximum,
  minimum,
  mod,
  multiply,
  number,
  rigid,
  type SymbolAtom,
  subtract,
} from '../../../src/dims/dim.ts';
import { evaluate } from '../../../src/dims/visit.ts';

/** An expression as somebody would write it, before anything is simplified. */
export type Expression =
  | { readonly op: 'number'; readonly value: number }
  | { readonly op: 'symbol'; readonly name: string }
  | { readonly op: '+' | '-' | '*' | '//' | '%' | 'min' | 'max'; readonly left: Expression; readonly right: Expression };

export type Values = Readonly<Record<string, number>>;

/** Lower case is rigid, upper case flexible. */
export const names = ['d', 'h', 'k', 'n', 'B', 'T'] as const;

export const symbolOf = (name: string): Dim => (name === name.toUpperCase() ? flexible(name) : rigid(name));

export const values: fc.Arbitrary<Values> = fc.record(
  Object.fromEntries(names.map((name) => [name, fc.oneof(fc.integer({ min: 1, max: 12 }), fc.constantFrom(1, 2, 16, 24, 36, 64, 97))])),
) as fc.Arbitrary<Values>;

const leaf: fc.Arbitrary<Expression> = fc.oneof(
  { weight: 2, arbitrary: fc.integer({ min: -3, max: 12 }).map((value) => ({ op: 'number', value }) as const) },
  { weight: 5, arbitrary: fc.constantFrom(...names).map((name) => ({ op: 'symbol', name }) as const) },
);

const tree = (depth: number): fc.Arbitrary<Expression> =>
  depth === 0
    ? leaf
    : fc.oneof(
        { weight: 2, arbitrary: leaf },
        {
          weight: 5,
          arbitrary: fc.record({
            op: fc.constantFrom('+', '-', '*', '*', '//', '//', '%', 'min', 'max'),
            left: tree(depth - 1),
            right: tree(depth - 1),
          }),
        },
      );

export const expression: fc.Arbitrary<Expression> = tree(3);
export const smallExpression: fc.Arbitrary<Expression> = tree(2);
/** What asserts are made of, mostly. */
export const plainExpression: fc.Arbitrary<Expression> = fc.oneof({ weight: 4, arbitrary: tree(1) }, { weight: 1, arbitrary: tree(2) });

export function toDim(expression: Expression): Dim {
  if (expression.op === 'number') return number(expression.value);
  if (expression.op === 'symbol') return symbolOf(expression.name);
  const left = toDim(expression.left);
  const right = toDim(expression.right);
  switch (expression.op) {
    case '+':
      return add(left, right);
    case '-':
      return subtract(left, right);
    case '*':
      return multiply(left, right);
    case '//':
      return floorDiv(left, right);
    case '%':
      return mod(left, right);
    case 'min':
      return minimum(left, right);
    case 'max':
      return maximum(left, right);
  }
}

/** The same value written another way, steered by `choices`: operands swapped, sums moved, products multiplied out, `x * y // y`. */
export function disguise(written: Expression, choices: readonly number[], at = { step: 0 }): Expression {
  const choice = choices[at.step++ % choices.length] ?? 0;
  if (written.op === 'number' || written.op === 'symbol') {
    if (choice % 4 !== 0) return written;
    const symbol: Expression = { op: 'symbol', name: names[choice % names.length] ?? 'd' };
    return { op: '//', left: { op: '*', left: written, right: symbol }, right: symbol };
  }
  const left = disguise(written.left, choices, at);
  const right = disguise(written.right, choices, at);
  const { op } = written;
  if (op === '*' && (left.op === '+' || left.op === '-') && choice % 2 === 0) {
    return { op: left.op, left: { op: '*', left: left.left, right }, right: { op: '*', left: left.right, right } };
  }
  if (op === '%' && choice % 2 === 0) return { op: '%', left: { op: '+', left, right }, right };
  if (op === '//' && choice % 2 === 0)
    return { op: '-', left: { op: '//', left: { op: '+', left, right }, right }, right: { op: 'number', value: 1 } };
  if (op === '-') {
    return choice % 2 === 0 ? { op: '+', left: { op: '*', left: { op: 'number', value: -1 }, right }, right: left } : { op, left, right };
  }
  return op === '//' || op === '%' ? { op, left, right } : { op, left: right, right: left };
}

/** The value by Python's rules in exact arithmetic; undefined where Python would raise. Knows nothing of dims. */
export function reference(expression: Expression, values: Values): bigint | undefined {
  if (expression.op === 'number') return BigInt(expression.value);
  if (expression.op === 'symbol') return BigInt(values[expression.name] ?? 0);
  const left = reference(expression.left, values);
  const right = reference(expression.right, values);
  if (left === undefined || right === undefined) return undefined;
  switch (expression.op) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case 'min':
      return left < right ? left : right;
    case 'max':
      return left > right ? left : right;
  }
  if (right === 0n) return undefined;
  const truncated = left / right;
  const quotient = truncated * right !== left && left < 0n !== right < 0n ? truncated - 1n : truncated;
  return expression.op === '//' ? quotient : left - quotient * right;
}

export const valueOfDim = (dim: Dim, values: Values): number | undefined => evaluate(dim, (symbol: SymbolAtom) => values[symbol.name]);
