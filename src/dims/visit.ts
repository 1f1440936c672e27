import { type Atom, type Dim, floorDiv, mapAtoms, maximum, minimum, mod, type SymbolAtom, type UnknownAtom } from './dim.ts';

/** Calls `visit` with every atom in the dim, nested ones included; stops and answers true as soon as it does. */
export function someAtom(dim: Dim, visit: (atom: Atom) => boolean): boolean {
  for (const { monomial } of dim.terms) {
    for (const { atom } of monomial.factors) {
      if (visit(atom)) return true;
      if (atom.kind === 'quotient' || atom.kind === 'remainder') {
        if (someAtom(atom.dividend, visit) || someAtom(atom.divisor, visit)) return true;
      } else if (atom.kind === 'minimum' || atom.kind === 'maximum') {
        if (atom.operands.some((operand) => someAtom(operand, visit))) return true;
      }
    }
  }
  return false;
}

/** True when the atom with this key occurs anywhere in the dim. Linear in its size. */
export const mentions = (dim: Dim, key: string): boolean => someAtom(dim, (atom) => atom.key === key);

/** The distinct symbols of the dim, in the order of their first occurrence. Linear in its size. */
export function symbolsOf(dim: Dim): readonly SymbolAtom[] {
  if (dim.constant !== undefined) return [];
  const found: SymbolAtom[] = [];
  someAtom(dim, (atom) => {
    if (atom.kind === 'symbol' && found.every(({ key }) => key !== atom.key)) found.push(atom);
    return false;
  });
  return found;
}

/**
 * The dim with symbols (and unknowns) replaced where `replace` answers a dim; everything above them is rebuilt, so it
 * simplifies again. Linear in the size of the dim apart from the arithmetic.
 */
export function substitute(dim: Dim, replace: (atom: SymbolAtom | UnknownAtom) => Dim | undefined): Dim {
  return mapAtoms(dim, (atom) => {
    switch (atom.kind) {
      case 'symbol':
      case 'unknown':
        return replace(atom);
      case 'quotient':
      case 'remainder': {
        const dividend = substitute(atom.dividend, replace);
        const divisor = substitute(atom.divisor, replace);
        if (dividend === atom.dividend && divisor === atom.divisor) return undefined;
        return atom.kind === 'quotient' ? floorDiv(dividend, divisor) : mod(dividend, divisor);
      }
      default: {
        const operands = atom.operands.map((operand) => substitute(operand, replace));
        if (operands.every((operand, i) => operand === atom.operands[i])) return undefined;
        return atom.kind === 'minimum' ? minimum(...operands) : maximum(...operands);
      }
    }
  });
}

/**
 * The integer value under `sizeOf`, or undefined when a symbol has none, an unknown occurs, a divisor is 0 or an
 * intermediate number is not exact. Linear in the size of the dim.
 */
export function evaluate(dim: Dim, sizeOf: (symbol: SymbolAtom) => number | undefined): number | undefined {
  let sum = 0;
  for (const { coefficient, monomial } of dim.terms) {
    let value = coefficient;
    for (const { atom, exponent } of monomial.factors) {
      const base = evaluateAtom(atom, sizeOf);
      if (base === undefined) return undefined;
      value *= base ** exponent;
      if (!Number.isSafeInteger(value)) return undefined;
    }
    sum += value;
    if (!Number.isSafeInteger(sum)) return undefined;
  }
  return sum;
}

function evaluateAtom(atom: Atom, sizeOf: (symbol: SymbolAtom) => number | undefined): number | undefined {
  switch (atom.kind) {
    case 'symbol':
      return sizeOf(atom);
    case 'unknown':
      return undefined;
    case 'quotient':
    case 'remainder': {
      const dividend = evaluate(atom.dividend, sizeOf);
      const divisor = evaluate(atom.divisor, sizeOf);
      if (dividend === undefined || divisor === undefined || divisor === 0) return undefined;
      const quotient = Math.floor(dividend / divisor);
      return atom.kind === 'quotient' ? quotient : dividend - quotient * divisor;
    }
    default: {
      const values: number[] = [];
      for (const operand of atom.operands) {
        const value = evaluate(operand, sizeOf);
        if (value === undefined) return undefined;
        values.push(value);
      }
      return atom.kind === 'minimum' ? Math.min(...values) : Math.max(...values);
    }
  }
}
