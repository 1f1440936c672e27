/**
 * Products of powers of sizes: `head_dim ** -0.5`, `1 / math.sqrt(d)`, `hidden * 4.0`. A float keeps how it came about, so that a scale
 * can be compared with the head dimension and `int(hidden * 4.0)` is `4 * hidden`.
 */
import { type Dim, floorDiv, multiply, multiplyAll, negate, number, raise, sameDim } from '../dims/dim.ts';
import { dimOf, float, numberOf } from './make.ts';
import type { FloatValue, Powers, Value } from './value.ts';

type Factor = Powers['factors'][number];

/** `left * right`, at least one of them a float. */
export function multiplyPowers(left: Value, right: Value): FloatValue {
  const ways = eachWay(left, right, multiplyPowers);
  if (ways !== undefined) return ways;
  const [x, y] = [numberOf(left), numberOf(right)];
  return result(
    x === undefined || y === undefined ? undefined : x * y,
    product(powersOf(left, y !== undefined), powersOf(right, x !== undefined)),
  );
}

/** `left / right`: Python's true division. */
export function dividePowers(left: Value, right: Value): FloatValue {
  const ways = eachWay(left, right, dividePowers);
  if (ways !== undefined) return ways;
  const [x, y] = [numberOf(left), numberOf(right)];
  if (y === 0) return float(undefined);
  const [a, b] = [powersOf(left, true), powersOf(right, true)];
  // Of two numbers nothing but the number is worth keeping.
  const powers = a === undefined || b === undefined || a.factors.length + b.factors.length === 0 ? undefined : product(a, inverse(b));
  return result(x === undefined || y === undefined ? undefined : x / y, powers);
}

/** `base ** exponent` where the result is a float. */
export function raisePowers(base: Value, exponent: Value): FloatValue {
  const ways = eachWay(base, exponent, raisePowers);
  if (ways !== undefined) return ways;
  const [x, e] = [numberOf(base), numberOf(exponent)];
  if (e === undefined) return float(undefined);
  const value = x === undefined ? undefined : e === 0.5 ? Math.sqrt(x) : x ** e;
  return result(value, raised(base, e));
}

/** `math.sqrt(value)`. */
export const sqrtOf = (value: Value): FloatValue => raisePowers(value, float(0.5));

/**
 * The whole number to which a float is rounded: down, up or towards zero, as `math.floor`, `math.ceil` and `int` do. `exact` asks for
 * a value that is whole already. Undefined where the exact value is not known: `int(h * 0.1)` depends on how 0.1 is stored.
 */
export function wholeOf(value: Value, rounding: 'down' | 'up' | 'zero' | 'exact'): Dim | undefined {
  const known = numberOf(value);
  if (value.kind !== 'float') return value.kind === 'int' || value.kind === 'bool' ? dimOf(value) : undefined;
  if (known !== undefined) {
    if (!Number.isFinite(known) || Math.abs(known) > Number.MAX_SAFE_INTEGER) return undefined;
    if (rounding === 'exact') return Number.isInteger(known) ? number(known) : undefined;
    return number(rounding === 'down' ? Math.floor(known) : rounding === 'up' ? Math.ceil(known) : Math.trunc(known));
  }
  if (value.powers === undefined) return undefined;
  const { coefficient, factors } = value.powers;
  const fraction = dyadic(coefficient);
  if (fraction === undefined || !factors.every(({ exponent }) => Number.isInteger(exponent))) return undefined;
  const [above, below] = [1, -1].map((sign) => multiplyAll(factors.map((factor) => wholePower(factor, sign)))) as [Dim, Dim];
  const dividend = multiply(number(fraction.numerator), above);
  const divisor = multiply(number(fraction.denominator), below);
  if (divisor.constant === 1) return dividend;
  if (rounding === 'exact' || divisor.min < 1) return undefined;
  if (rounding === 'up') return negate(floorDiv(negate(dividend), divisor));
  return rounding === 'down' || dividend.min >= 0 ? floorDiv(dividend, divisor) : undefined;
}

const wholePower = ({ base, exponent }: Factor, sign: number): Dim =>
  exponent * sign > 0 ? raise(base, number(Math.abs(exponent))) : number(1);

const maximumWays = 4;

/** One of two numbers, where branches of the code that were joined give each its own. */
export function eitherFloat(a: FloatValue, b: FloatValue): FloatValue {
  if (a === b || (a.value !== undefined && a.value === b.value)) return a;
  const ways = [...(a.ways ?? [a])];
  for (const each of b.ways ?? [b]) if (!ways.some((way) => isSame(way, each))) ways.push(each);
  const [only] = ways;
  if (ways.length === 1 && only !== undefined) return only;
  return ways.length > maximumWays || !ways.some(({ powers }) => powers !== undefined) ? float(undefined) : { ...float(undefined), ways };
}

function isSame(a: FloatValue, b: FloatValue): boolean {
  const [p, q] = [a.powers, b.powers];
  if (p === undefined || q === undefined) return p === q && a.value !== undefined && a.value === b.value;
  return (
    p.coefficient === q.coefficient &&
    p.factors.length === q.factors.length &&
    p.factors.every(({ base, exponent }) => q.factors.some((other) => other.exponent === exponent && sameDim(other.base, base)))
  );
}

/** What comes of each number that an operand may be, where it may be one of several. */
function eachWay(left: Value, right: Value, follow: (left: Value, right: Value) => FloatValue): FloatValue | undefined {
  const [lefts, rights] = [waysOf(left), waysOf(right)];
  if (lefts === undefined && rights === undefined) return undefined;
  const all = (lefts ?? [left]).flatMap((a) => (rights ?? [right]).map((b) => follow(a, b)));
  return all.reduce(eitherFloat);
}

/** `scalar or head_dim` is one of two settings. */
function waysOf(value: Value): readonly Value[] | undefined {
  if (value.kind === 'float') return value.ways;
  if (value.kind !== 'union' || value.options.length > maximumWays) return undefined;
  const isOfNames = value.options.filter(({ kind }) => kind === 'unknown').length > 1;
  return isOfNames && value.options.every((option) => dimOf(option) !== undefined) ? value.options : undefined;
}

function result(value: number | undefined, powers: Powers | undefined): FloatValue {
  const kept = powers === undefined || powers.factors.length === 0 ? undefined : powers;
  return float(value !== undefined && Number.isFinite(value) ? value : undefined, kept);
}

/** A size is its own first power. A name alone may stand for a fraction; beside a number or in a division it is taken for a size. */
function powersOf(value: Value, takesNames = false): Powers | undefined {
  if (value.kind === 'float' && value.powers !== undefined) return value.powers;
  const known = numberOf(value);
  if (known !== undefined) return Number.isFinite(known) ? { coefficient: known, factors: [] } : undefined;
  // `scalar or head_dim`: one of two settings has no power of its own; a setting with a fallback goes by the setting's name.
  const isNamed = value.kind === 'unknown' || (value.kind === 'union' && value.options.filter(({ kind }) => kind === 'unknown').length < 2);
  if (value.kind !== 'int' && !(takesNames && isNamed)) return undefined;
  const dim = dimOf(value);
  return dim === undefined ? undefined : { coefficient: 1, factors: [{ base: dim, exponent: 1 }] };
}

function product(a: Powers | undefined, b: Powers | undefined): Powers | undefined {
  if (a === undefined || b === undefined) return undefined;
  const factors: Factor[] = [...a.factors];
  for (const { base, exponent } of b.factors) {
    const at = factors.findIndex((factor) => sameDim(factor.base, base));
    const sum = (factors[at]?.exponent ?? 0) + exponent;
    if (at < 0) factors.push({ base, exponent });
    else if (sum === 0) factors.splice(at, 1);
    else factors[at] = { base, exponent: sum };
  }
  const coefficient = a.coefficient * b.coefficient;
  return Number.isFinite(coefficient) ? { coefficient, factors } : undefined;
}

/** `1 / powers`. A whole coefficient whose inverse is not exact in binary becomes a factor, so that `2 * h / 3` stays exact. */
function inverse({ coefficient, factors }: Powers): Powers | undefined {
  if (coefficient === 0) return undefined;
  const inverted = factors.map(({ base, exponent }) => ({ base, exponent: -exponent }));
  if (dyadic(1 / coefficient) !== undefined || !Number.isSafeInteger(coefficient))
    return { coefficient: 1 / coefficient, factors: inverted };
  return product({ coefficient: 1, factors: inverted }, { coefficient: 1, factors: [{ base: number(coefficient), exponent: -1 }] });
}

function raised(base: Value, exponent: number): Powers | undefined {
  const known = numberOf(base);
  const whole = base.kind === 'float' && base.powers !== undefined ? undefined : known;
  if (whole !== undefined) {
    // The number stays visible as a base: 64 ** -0.5.
    if (!Number.isSafeInteger(whole) || whole < 2) return undefined;
    return { coefficient: 1, factors: [{ base: number(whole), exponent }] };
  }
  const powers = powersOf(base, true);
  if (powers === undefined || (powers.coefficient <= 0 && !Number.isInteger(exponent))) return undefined;
  const coefficient = powers.coefficient ** exponent;
  if (!Number.isFinite(coefficient) || exponent === 0) return undefined;
  return { coefficient, factors: powers.factors.map((factor) => ({ base: factor.base, exponent: factor.exponent * exponent })) };
}

/** The number as a fraction whose denominator is a power of two up to 2^20: what such a float is exactly. */
function dyadic(value: number): { readonly numerator: number; readonly denominator: number } | undefined {
  for (let denominator = 1; denominator <= 2 ** 20; denominator *= 2) {
    const numerator = value * denominator;
    if (Number.isInteger(numerator)) return Number.isSafeInteger(numerator) ? { numerator, denominator } : undefined;
  }
  return undefined;
}
