import { add, cancelCommon, type Dim, divideExactly, multiply, negate, number, one, zero } from './dim.ts';

/** A rational function of atoms in lowest visible terms. The denominator is never 0; its leading coefficient is positive. */
export interface Fraction {
  readonly numerator: Dim;
  readonly denominator: Dim;
}

export const whole = (numerator: Dim): Fraction => ({ numerator, denominator: one });

/** `numerator / denominator` with common numbers and monomials cancelled, and the polynomial quotient where there is one. */
export function fraction(numerator: Dim, denominator: Dim): Fraction {
  if (denominator.constant === 1) return { numerator, denominator };
  if (numerator.constant === 0) return whole(zero);
  if ((denominator.terms[0]?.coefficient ?? 0) < 0) return fraction(negate(numerator), negate(denominator));
  const { a, b } = cancelCommon(numerator, denominator);
  if (b.constant !== 1 && b.terms.length > 1) {
    const quotient = divideExactly(a, b);
    if (quotient !== undefined) return whole(quotient);
  }
  return { numerator: a, denominator: b };
}

export const isWhole = (value: Fraction): boolean => value.denominator.constant === 1;

export function addFractions(a: Fraction, b: Fraction): Fraction {
  if (isWhole(a) && isWhole(b)) return whole(add(a.numerator, b.numerator));
  if (a.denominator.key === b.denominator.key) return fraction(add(a.numerator, b.numerator), a.denominator);
  const numerator = add(multiply(a.numerator, b.denominator), multiply(b.numerator, a.denominator));
  return fraction(numerator, multiply(a.denominator, b.denominator));
}

export function multiplyFractions(a: Fraction, b: Fraction): Fraction {
  if (isWhole(a) && isWhole(b)) return whole(multiply(a.numerator, b.numerator));
  return fraction(multiply(a.numerator, b.numerator), multiply(a.denominator, b.denominator));
}

export const divideFractions = (a: Fraction, b: Fraction): Fraction =>
  fraction(multiply(a.numerator, b.denominator), multiply(b.numerator, a.denominator));

export const negateFraction = (a: Fraction): Fraction => ({ numerator: negate(a.numerator), denominator: a.denominator });

export function raiseFraction(a: Fraction, exponent: number): Fraction {
  let result = whole(number(1));
  for (let i = 0; i < exponent; i++) result = multiplyFractions(result, a);
  return result;
}
