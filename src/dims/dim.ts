/**
 * Symbolic sizes: integer polynomials over symbols, floor divisions, remainders, minima and maxima.
 *
 * A `Dim` is canonical when it is built: sums and products are expanded, like terms are gathered, and
 * `b * (a // b)` is held as `a - a % b`, so that a fact `a % b == 0` turns it into `a`. Equal canonical forms have
 * equal keys (`sameDim`); whether two different forms have the same value under facts is the question `compare` answers.
 *
 * Coefficients are exact safe integers. Whatever would overflow them, or grow past `maxTerms`, `maxDegree` or `maxSize`,
 * becomes an unknown, so every operation is bounded: at most `maxTerms` squared term products.
 */

/** A name with a value that does not change while the code runs (rigid), or the size of an input, which unification may fix (flexible). */
export interface SymbolAtom {
  readonly kind: 'symbol';
  readonly id: number;
  readonly key: string;
  readonly min: number;
  readonly max: number;
  readonly size: number;
  readonly unknown: false;
  readonly flexible: boolean;
  readonly name: string;
  readonly scope: string;
  readonly anonymous: boolean;
}

/** `dividend // divisor` or `dividend % divisor`, as Python rounds: the quotient down, the remainder with the divisor's sign. */
interface Division<Kind> {
  readonly kind: Kind;
  readonly id: number;
  readonly key: string;
  readonly min: number;
  readonly max: number;
  readonly size: number;
  readonly unknown: boolean;
  readonly flexible: boolean;
  readonly dividend: Dim;
  readonly divisor: Dim;
}

export type DivisionAtom = Division<'quotient'> | Division<'remainder'>;

/** The least or greatest of two or more sizes, none of which is known to be covered by another. */
export interface ExtremumAtom {
  readonly kind: 'minimum' | 'maximum';
  readonly id: number;
  readonly key: string;
  readonly min: number;
  readonly max: number;
  readonly size: number;
  readonly unknown: boolean;
  readonly flexible: boolean;
  readonly operands: readonly Dim[];
}

/** A size nobody knows. It equals itself and is neither equal to nor different from anything else. */
export interface UnknownAtom {
  readonly kind: 'unknown';
  readonly id: number;
  readonly key: string;
  readonly min: number;
  readonly max: number;
  readonly size: number;
  readonly unknown: true;
  readonly flexible: false;
  readonly reason: string;
}

export type Atom = SymbolAtom | DivisionAtom | ExtremumAtom | UnknownAtom;

export interface Factor {
  readonly atom: Atom;
  /** At least 1. */
  readonly exponent: number;
}

/** A product of atoms; `factors` in the order of the atoms' keys. Without factors it is 1. */
export interface Monomial {
  /** The atoms' ids and exponents; equal codes are equal monomials, but not the other way round. */
  readonly code: string;
  readonly degree: number;
  readonly factors: readonly Factor[];
  /** True when a factor is a floor division. */
  readonly quotient: boolean;
}

export interface Term {
  /** A safe integer, never 0. */
  readonly coefficient: number;
  readonly monomial: Monomial;
}

export interface Dim {
  /** Distinct for every object; nothing may be ordered by it, since it depends on the order of the work. */
  readonly id: number;
  /** Equal exactly where the canonical forms are equal; also orders dims, the same way in every run. */
  readonly key: string;
  /** Highest degree first, then by the atoms' keys; the constant last. Empty for 0. */
  readonly terms: readonly Term[];
  /** The integer this is, or undefined when it is not a plain number. */
  readonly constant: number | undefined;
  /** Bounds that hold whatever the facts, from the symbols' own bounds; infinite when there is none. */
  readonly min: number;
  readonly max: number;
  /** Number of names, numbers and divisions in it. */
  readonly size: number;
  /** True when an unknown occurs anywhere in it. */
  readonly unknown: boolean;
  /** True when a flexible symbol occurs anywhere in it. */
  readonly flexible: boolean;
  /** True when anything but symbols and numbers occurs in it. */
  readonly compound: boolean;
}

export interface SymbolOptions {
  /** Tells apart equal names of different classes or functions. */
  readonly scope?: string;
  /** Least value, 1 unless said: tensor sizes and widths are positive. `-Infinity` for any integer. */
  readonly min?: number;
  readonly max?: number;
}

export const maxTerms = 32;
export const maxDegree = 12;
export const maxSize = 120;
const maxRewrites = 64;

/** Two generations of canonical values: what is not asked for between two fillings is forgotten, so memory stays bounded. */
class Interner<Value> {
  #young = new Map<string, Value>();
  #old = new Map<string, Value>();

  get(key: string): Value | undefined {
    const value = this.#young.get(key);
    if (value !== undefined) return value;
    const survivor = this.#old.get(key);
    if (survivor !== undefined) this.set(key, survivor);
    return survivor;
  }

  set(key: string, value: Value): Value {
    if (this.#young.size >= 1 << 12) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
    return value;
  }
}

/** The latest results of the binary operations, one per slot: a repeated operation costs a lookup of numbers. */
class Recent {
  readonly #left = new Int32Array(1 << 11);
  readonly #right = new Int32Array(1 << 11);
  readonly #values: (Dim | undefined)[] = new Array(1 << 11).fill(undefined);

  get(slot: number, a: Dim, b: Dim): Dim | undefined {
    return this.#left[slot] === a.id && this.#right[slot] === b.id ? this.#values[slot] : undefined;
  }

  set(slot: number, a: Dim, b: Dim, value: Dim): Dim {
    this.#left[slot] = a.id;
    this.#right[slot] = b.id;
    this.#values[slot] = value;
    return value;
  }

  static slot(a: Dim, b: Dim): number {
    return (Math.imul(a.id, 0x9e3779b1) ^ Math.imul(b.id, 0x85ebca6b)) >>> 21;
  }
}

const recentSums = new Recent();
const recentDifferences = new Recent();
const recentProducts = new Recent();
const recentQuotients = new Recent();
const recentRemainders = new Recent();
const dims = new Interner<Dim>();
const atoms = new Interner<Dim>();
let ids = 0;
let atomIds = 0;
const small = new Map<number, Dim>();
let unknowns = 0;

// Keys use the control characters below \t as brackets and separators; names are freed of them, so keys are unambiguous.
const power = '\u0001';
const times = '\u0002';
const of = '\u0003';
const plus = '\u0004';
const open = '\u0005';
const comma = '\u0006';
const close = '\u0007';

const emptyMonomial: Monomial = { code: '', degree: 0, factors: [], quotient: false };

// Bounds are doubles: past the safe integers they are rounded outwards.
const downwards = (value: number): number =>
  value > Number.MAX_SAFE_INTEGER ? Number.MAX_SAFE_INTEGER : value < -Number.MAX_SAFE_INTEGER ? -Infinity : value;
const upwards = (value: number): number => -downwards(-value);
const product = (a: number, b: number): number => (a === 0 || b === 0 ? 0 : a * b);

function makeMonomial(factors: readonly Factor[]): Monomial {
  let code = '';
  let degree = 0;
  let quotient = false;
  for (const { atom, exponent } of factors) {
    code += exponent === 1 ? `.${atom.id}` : `.${atom.id}^${exponent}`;
    degree += exponent;
    if (atom.kind === 'quotient') quotient = true;
  }
  return { code, degree, factors, quotient };
}

/** Graded lexicographic order, the greatest first; it survives multiplication, which polynomial division relies on. */
function compareMonomials(a: Monomial, b: Monomial): number {
  if (a === b || a.code === b.code) return 0;
  if (a.degree !== b.degree) return b.degree - a.degree;
  const length = Math.min(a.factors.length, b.factors.length);
  for (let i = 0; i < length; i++) {
    const x = a.factors[i] as Factor;
    const y = b.factors[i] as Factor;
    if (x.atom !== y.atom && x.atom.key !== y.atom.key) return x.atom.key < y.atom.key ? -1 : 1;
    if (x.exponent !== y.exponent) return y.exponent - x.exponent;
  }
  return 0;
}

function multiplyMonomials(a: Monomial, b: Monomial): Monomial {
  if (a.degree === 0) return b;
  if (b.degree === 0) return a;
  const factors: Factor[] = [];
  let i = 0;
  let j = 0;
  while (i < a.factors.length || j < b.factors.length) {
    const x = a.factors[i];
    const y = b.factors[j];
    if (x === undefined) {
      factors.push(y as Factor);
      j++;
    } else if (y === undefined) {
      factors.push(x);
      i++;
    } else if (x.atom === y.atom || x.atom.key === y.atom.key) {
      factors.push({ atom: x.atom, exponent: x.exponent + y.exponent });
      i++;
      j++;
    } else if (x.atom.key < y.atom.key) {
      factors.push(x);
      i++;
    } else {
      factors.push(y);
      j++;
    }
  }
  return makeMonomial(factors);
}

/** `a / b`, or undefined when `b` does not divide `a`. */
function divideMonomials(a: Monomial, b: Monomial): Monomial | undefined {
  if (b.degree === 0) return a;
  if (b.degree > a.degree) return undefined;
  const factors: Factor[] = [];
  let j = 0;
  for (const x of a.factors) {
    const y = b.factors[j];
    if (y !== undefined && (x.atom === y.atom || x.atom.key === y.atom.key)) {
      if (y.exponent > x.exponent) return undefined;
      if (y.exponent < x.exponent) factors.push({ atom: x.atom, exponent: x.exponent - y.exponent });
      j++;
    } else factors.push(x);
  }
  return j < b.factors.length ? undefined : makeMonomial(factors);
}

/** `a + scale * b`; undefined on overflow. */
function mergeTerms(a: readonly Term[], b: readonly Term[], scale: number): Term[] | undefined {
  const merged: Term[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    const x = a[i];
    const y = b[j];
    const order = x === undefined ? 1 : y === undefined ? -1 : compareMonomials(x.monomial, y.monomial);
    if (order < 0) {
      merged.push(x as Term);
      i++;
      continue;
    }
    const { coefficient, monomial } = y as Term;
    let sum = coefficient * scale;
    if (!Number.isSafeInteger(sum)) return undefined;
    if (order === 0) {
      sum += (x as Term).coefficient;
      if (!Number.isSafeInteger(sum)) return undefined;
      i++;
    }
    j++;
    if (sum !== 0) merged.push({ coefficient: sum, monomial });
  }
  return merged;
}

function scaleTerms(terms: readonly Term[], coefficient: number, monomial: Monomial): Term[] | undefined {
  const scaled: Term[] = [];
  if (coefficient === 0) return scaled;
  for (const term of terms) {
    const value = term.coefficient * coefficient;
    if (!Number.isSafeInteger(value)) return undefined;
    scaled.push({ coefficient: value, monomial: multiplyMonomials(term.monomial, monomial) });
  }
  return scaled;
}

function multiplyTerms(a: readonly Term[], b: readonly Term[]): Term[] | undefined {
  let sum: Term[] | undefined = [];
  for (const { coefficient, monomial } of a) {
    const row = scaleTerms(b, coefficient, monomial);
    sum = row && (sum.length === 0 ? row : mergeTerms(sum, row, 1));
    if (sum === undefined) return undefined;
  }
  return sum;
}

/**
 * Rewrites `b * (a // b)` to `a - a % b` wherever the leading term of `b` stands beside `a // b`.
 * For a number `b` the coefficient of `a // b` ends between 0 and `b - 1`. Undefined on overflow or past the budget.
 */
function reduceQuotients(terms: readonly Term[]): readonly Term[] | undefined {
  let current = terms;
  for (let step = 0; step < maxRewrites; step++) {
    const rewritten = reduceOnce(current);
    if (rewritten === 'done') return current;
    if (rewritten === undefined || rewritten.length > maxTerms) return undefined;
    current = rewritten;
  }
  return undefined;
}

function reduceOnce(terms: readonly Term[]): readonly Term[] | undefined | 'done' {
  for (const { coefficient, monomial } of terms) {
    if (!monomial.quotient) continue;
    for (const { atom } of monomial.factors) {
      if (atom.kind !== 'quotient') continue;
      const lead = atom.divisor.terms[0] as Term;
      const count = Math.floor(coefficient / lead.coefficient);
      if (count === 0) continue;
      const self = monomialOf(atom);
      const rest = divideMonomials(monomial, self);
      const cofactor = rest && divideMonomials(rest, lead.monomial);
      if (cofactor === undefined) continue;
      // count * cofactor * (a - a % b - (a // b) * (b - lead)) in place of count * cofactor * (a // b) * lead
      const tail = scaleTerms(atom.divisor.terms.slice(1), 1, self);
      const remainder = mod(atom.dividend, atom.divisor);
      let value = mergeTerms(atom.dividend.terms, remainder.terms, -1);
      value = value && tail && mergeTerms(value, tail, -1);
      value = value && scaleTerms(value, count, cofactor);
      const removed = mergeTerms(terms, [{ coefficient: count * lead.coefficient, monomial }], -1);
      return value && removed && mergeTerms(removed, value, 1);
    }
  }
  return 'done';
}

function build(terms: readonly Term[] | undefined): Dim {
  if (terms === undefined) return unknownDim('the numbers grow too large');
  if (terms.length === 0) return number(0);
  const first = terms[0] as Term;
  if (terms.length === 1 && first.monomial.degree === 0) return number(first.coefficient);
  for (const term of terms) {
    if (!term.monomial.quotient) continue;
    const reduced = reduceQuotients(terms);
    if (reduced === undefined) return unknownDim('the expression grows too large');
    return reduced === terms ? intern(terms) : reduced.length === 0 ? number(0) : intern(reduced);
  }
  return intern(terms);
}

function intern(terms: readonly Term[]): Dim {
  let code = '';
  for (const { coefficient, monomial } of terms) code += `+${coefficient}${monomial.code}`;
  return dims.get(code) ?? dims.set(code, describe(terms));
}

/** A dim; its key is written only when somebody asks. */
class CanonicalDim implements Dim {
  readonly id: number;
  readonly terms: readonly Term[];
  readonly constant: number | undefined;
  readonly min: number;
  readonly max: number;
  readonly size: number;
  readonly unknown: boolean;
  readonly flexible: boolean;
  readonly compound: boolean;
  #key: string | undefined;

  constructor(terms: readonly Term[], min: number, max: number, size: number, unknown: boolean, isFlexible: boolean, compound: boolean) {
    // 31 bits, which the tables of recent results compare; by the time they come round again the slots were rewritten.
    ids = (ids + 1) & 0x7fffffff;
    this.id = ids;
    this.terms = terms;
    const [first] = terms;
    this.constant = first === undefined ? 0 : terms.length === 1 && first.monomial.degree === 0 ? first.coefficient : undefined;
    this.min = min;
    this.max = max;
    this.size = size;
    this.unknown = unknown;
    this.flexible = isFlexible;
    this.compound = compound;
  }

  get key(): string {
    this.#key ??= this.terms.map(writeKey).join(plus) || '0';
    return this.#key;
  }
}

function writeKey({ coefficient, monomial }: Term): string {
  const factors = monomial.factors.map(({ atom, exponent }) => (exponent === 1 ? atom.key : atom.key + power + exponent));
  return monomial.degree === 0 ? String(coefficient) : `${coefficient === 1 ? '' : coefficient}${of}${factors.join(times)}`;
}

function describe(terms: readonly Term[]): Dim {
  let min = 0;
  let max = 0;
  let size = 0;
  let unknown = false;
  let flexible = false;
  let compound = false;
  for (const { coefficient, monomial } of terms) {
    let low = coefficient;
    let high = coefficient;
    if (monomial.degree > maxDegree) return unknownDim('the expression grows too large');
    if (monomial.degree === 0 || Math.abs(coefficient) !== 1) size++;
    for (const { atom, exponent } of monomial.factors) {
      size += atom.size + (exponent > 1 ? 1 : 0);
      unknown ||= atom.unknown;
      flexible ||= atom.flexible;
      compound ||= atom.kind !== 'symbol';
      for (let i = 0; i < exponent; i++) {
        const a = product(low, atom.min);
        const b = product(low, atom.max);
        const c = product(high, atom.min);
        const d = product(high, atom.max);
        low = downwards(Math.min(a, b, c, d));
        high = upwards(Math.max(a, b, c, d));
      }
    }
    min = downwards(min + low);
    max = upwards(max + high);
  }
  if (terms.length > maxTerms || size > maxSize) return unknownDim('the expression grows too large');
  return new CanonicalDim(terms, min, max, size, unknown, flexible, compound);
}

const atomDims = new WeakMap<Atom, Dim>();

/** The dim that is this one atom. Constant time. */
export function atomDim(atom: Atom): Dim {
  let dim = atomDims.get(atom);
  if (dim === undefined) {
    dim = intern([{ coefficient: 1, monomial: makeMonomial([{ atom, exponent: 1 }]) }]);
    atomDims.set(atom, dim);
  }
  return dim;
}

const monomialOf = (atom: Atom): Monomial => (atomDim(atom).terms[0] as Term).monomial;

/** The dim of one term. */
export const termDim = (term: Term): Dim => build([term]);

/** An exact integer; a number that is not a safe integer becomes an unknown. Constant time. */
export function number(value: number): Dim {
  const known = small.get(value);
  if (known !== undefined) return known;
  if (!Number.isSafeInteger(value)) return unknownDim('not a whole number');
  const plain = value === 0 ? 0 : value;
  const dim = describe(plain === 0 ? [] : [{ coefficient: plain, monomial: emptyMonomial }]);
  if (Math.abs(plain) <= 1024) small.set(plain, dim);
  return dim;
}

const controls = /\p{Cc}/u;
const withoutControls = (text: string): string => (controls.test(text) ? text.replace(/\p{Cc}/gu, ' ') : text);

function symbol(name: string, options: SymbolOptions, flexible: boolean, anonymous: boolean): Dim {
  const { scope = '', min = 1, max = Infinity } = options;
  const plain = withoutControls(name);
  const place = withoutControls(scope);
  const bounds = min === 1 && max === Infinity ? '' : `${min}..${max}`;
  const key = plain + open + (flexible ? (anonymous ? 'a' : 'f') : 'r') + place + comma + bounds + close;
  const found = atoms.get(key);
  if (found !== undefined) return found;
  return atoms.set(
    key,
    atomDim({ kind: 'symbol', id: ++atomIds, key, min, max, size: 1, unknown: false, flexible, name: plain, scope: place, anonymous }),
  );
}

/** The name and scope of the symbol that has this key. */
export function symbolOfKey(key: string): { readonly name: string; readonly scope: string } {
  const [name = '', rest = ''] = key.split(/\p{Cc}/u, 2);
  return { name, scope: rest.slice(1) };
}

/** A constructor parameter or config value. The same name, scope and bounds give the same dim. Constant time. */
export const rigid = (name: string, options: SymbolOptions = {}): Dim => symbol(name, options, false, false);

/** The size of an input, which `unify` may bind. The same name, scope and bounds give the same dim. Constant time. */
export const flexible = (name: string, options: SymbolOptions = {}): Dim => symbol(name, options, true, false);

/** A flexible symbol nobody named, as for a parameter's axis: `unify` binds it before a named one, so that the written name survives. */
export const anonymous = (name: string, options: SymbolOptions = {}): Dim => symbol(name, options, true, true);

/** A new unknown, distinct from every other. Constant time. */
export function unknownDim(reason = 'not known'): Dim {
  const key = `~?${++unknowns}`;
  return atomDim({ kind: 'unknown', id: ++atomIds, key, min: -Infinity, max: Infinity, size: 1, unknown: true, flexible: false, reason });
}

/** True when both have the same canonical form, hence the same value everywhere. False says nothing. Usually one pointer comparison. */
export const sameDim = (a: Dim, b: Dim): boolean =>
  a === b || (a.size === b.size && a.terms.length === b.terms.length && a.min === b.min && a.max === b.max && a.key === b.key);

/** `a + b`. Unknown past the budget. */
export function add(a: Dim, b: Dim): Dim {
  if (a.constant === 0) return b;
  if (b.constant === 0) return a;
  if (a.constant !== undefined && b.constant !== undefined) return number(a.constant + b.constant);
  const slot = Recent.slot(a, b);
  return recentSums.get(slot, a, b) ?? recentSums.set(slot, a, b, build(mergeTerms(a.terms, b.terms, 1)));
}

/** `a - b`. Unknown past the budget. */
export function subtract(a: Dim, b: Dim): Dim {
  if (b.constant === 0) return a;
  if (sameDim(a, b)) return number(0);
  if (a.constant !== undefined && b.constant !== undefined) return number(a.constant - b.constant);
  const slot = Recent.slot(a, b);
  return recentDifferences.get(slot, a, b) ?? recentDifferences.set(slot, a, b, build(mergeTerms(a.terms, b.terms, -1)));
}

/** `-a`. */
export const negate = (a: Dim): Dim => subtract(number(0), a);

/** `a * b`. Unknown past the budget. */
export function multiply(a: Dim, b: Dim): Dim {
  if (a.constant === 1) return b;
  if (b.constant === 1) return a;
  if (a.constant !== undefined && b.constant !== undefined) return number(a.constant * b.constant);
  if (a.terms.length * b.terms.length > maxTerms * 4) return unknownDim('the expression grows too large');
  const slot = Recent.slot(a, b);
  const known = recentProducts.get(slot, a, b);
  if (known !== undefined) return known;
  const [short, long] = a.terms.length <= b.terms.length ? [a, b] : [b, a];
  return recentProducts.set(slot, a, b, build(multiplyTerms(short.terms, long.terms)));
}

/** The product of all; 1 of none. */
export const multiplyAll = (all: readonly Dim[]): Dim => all.reduce(multiply, number(1));

/** The sum of all; 0 of none. */
export const addAll = (all: readonly Dim[]): Dim => all.reduce(add, number(0));

/** `a ** exponent`. Unknown for an exponent that is not a number from 0 to `maxDegree`. */
export function raise(a: Dim, exponent: Dim): Dim {
  const count = exponent.constant;
  if (count === undefined || count < 0) return unknownDim('an exponent that is not a known whole number');
  if (a.constant !== undefined) return number(a.constant ** count);
  if (count > maxDegree) return unknownDim('the expression grows too large');
  let result = number(1);
  for (let i = 0; i < count; i++) result = multiply(result, a);
  return result;
}

const gcd = (a: number, b: number): number => {
  let x = Math.abs(a);
  let y = Math.abs(b);
  while (y !== 0) [x, y] = [y, x % y];
  return x;
};

/** Greatest common divisor of the coefficients; 0 of the zero dim. */
export const contentOf = (dim: Dim): number => dim.terms.reduce((value, { coefficient }) => gcd(value, coefficient), 0);

/** Greatest monomial that divides every term of `a` and of `b`. */
function commonMonomial(terms: readonly Term[]): Monomial {
  const first = terms[0];
  if (first === undefined || terms[terms.length - 1]?.monomial.degree === 0) return emptyMonomial;
  let factors = first.monomial.factors;
  for (const { monomial } of terms) {
    if (factors.length === 0) return emptyMonomial;
    if (monomial === first.monomial) continue;
    factors = factors.flatMap(({ atom, exponent }) => {
      const other = monomial.factors.find((factor) => factor.atom === atom || factor.atom.key === atom.key);
      return other === undefined ? [] : [{ atom, exponent: Math.min(exponent, other.exponent) }];
    });
  }
  return makeMonomial(factors);
}

/** `a` and `b` freed of the number and the monomial that divide both, and that common factor. */
export function cancelCommon(a: Dim, b: Dim): { readonly a: Dim; readonly b: Dim; readonly common: Dim } {
  const number = gcd(contentOf(a), contentOf(b));
  // A constant term anywhere leaves no monomial in common.
  const ends = a.terms[a.terms.length - 1]?.monomial.degree === 0 || b.terms[b.terms.length - 1]?.monomial.degree === 0;
  const monomial = ends ? emptyMonomial : commonMonomial([...a.terms, ...b.terms]);
  if (number <= 1 && monomial.degree === 0) return { a, b, common: one };
  return { a: divideBy(a, number, monomial), b: divideBy(b, number, monomial), common: termDim({ coefficient: number, monomial }) };
}

/** The common factor of all terms for which `mayCancel` holds of each atom, with the number that divides all coefficients removed too. */
export function primitivePart(dim: Dim, mayCancel: (atom: Atom) => boolean): Dim {
  const content = contentOf(dim);
  const monomial = makeMonomial(commonMonomial(dim.terms).factors.filter(({ atom }) => mayCancel(atom)));
  return content <= 1 && monomial.degree === 0 ? dim : divideBy(dim, content, monomial);
}

/** Division that is known to be exact, term by term. */
function divideBy(dim: Dim, by: number, monomial: Monomial): Dim {
  return build(
    dim.terms.map((term) => ({
      coefficient: term.coefficient / by,
      monomial: divideMonomials(term.monomial, monomial) ?? emptyMonomial,
    })),
  );
}

/** The polynomial `a / b`, or undefined when `b` does not divide `a` as a polynomial (or `b` is 0). At most `maxRewrites` steps. */
export function divideExactly(a: Dim, b: Dim): Dim | undefined {
  const lead = b.terms[0];
  if (lead === undefined) return undefined;
  if (b.constant === 1 || a.constant === 0) return a;
  if (b.terms.length === 1) {
    const terms: Term[] = [];
    for (const { coefficient, monomial } of a.terms) {
      const rest = coefficient % lead.coefficient === 0 ? divideMonomials(monomial, lead.monomial) : undefined;
      if (rest === undefined) return undefined;
      terms.push({ coefficient: coefficient / lead.coefficient, monomial: rest });
    }
    return build(terms);
  }
  let rest = a;
  let quotient = zero;
  for (let step = 0; step < maxRewrites; step++) {
    const top = rest.terms[0];
    if (top === undefined) return quotient;
    const monomial = top.coefficient % lead.coefficient === 0 ? divideMonomials(top.monomial, lead.monomial) : undefined;
    if (monomial === undefined) return undefined;
    const part = termDim({ coefficient: top.coefficient / lead.coefficient, monomial });
    if (part.terms.length !== 1) return undefined;
    quotient = add(quotient, part);
    rest = subtract(rest, multiply(part, b));
    if (rest.unknown !== a.unknown && rest.unknown) return undefined;
  }
  return undefined;
}

/** `a = b * quotient + remainder`, where the remainder keeps no multiple of `b` that is visible in its terms. */
function divideTerms(a: Dim, b: Dim): { readonly quotient: Dim; readonly remainder: Dim } {
  const lead = b.terms[0] as Term;
  if (b.terms.length > 1) return divideByPolynomial(a, b);
  const quotient: Term[] = [];
  const remainder: Term[] = [];
  for (const term of a.terms) {
    const monomial = divideMonomials(term.monomial, lead.monomial);
    const count = monomial === undefined ? 0 : Math.floor(term.coefficient / lead.coefficient);
    if (monomial === undefined || count === 0) {
      remainder.push(term);
      continue;
    }
    quotient.push({ coefficient: count, monomial });
    const left = term.coefficient - count * lead.coefficient;
    if (left !== 0) remainder.push({ coefficient: left, monomial: term.monomial });
  }
  return quotient.length === 0 ? { quotient: zero, remainder: a } : { quotient: build(quotient), remainder: build(remainder) };
}

/** Polynomial division; only where it leaves fewer terms than there were, so that `x // (x + y)` stays as it is written. */
function divideByPolynomial(a: Dim, b: Dim): { readonly quotient: Dim; readonly remainder: Dim } {
  const lead = b.terms[0] as Term;
  let rest = a;
  let quotient = zero;
  let skipped = 0;
  for (let step = 0; step < maxRewrites; step++) {
    const top = rest.terms[skipped];
    if (top === undefined) break;
    const monomial = divideMonomials(top.monomial, lead.monomial);
    const coefficient = monomial === undefined ? 0 : Math.trunc(top.coefficient / lead.coefficient);
    if (monomial === undefined || coefficient === 0) {
      skipped++;
      continue;
    }
    const part = termDim({ coefficient, monomial });
    quotient = add(quotient, part);
    rest = subtract(rest, multiply(part, b));
  }
  const isSimpler = rest.terms.length < a.terms.length && rest.unknown === a.unknown && quotient.unknown === a.unknown;
  return isSimpler || rest.constant === 0 ? { quotient, remainder: rest } : { quotient: zero, remainder: a };
}

/**
 * Python's `a // b`, rounding down. What is visibly a multiple of `b` is taken out, common factors are cancelled and
 * `a // b // c` becomes `a // (b * c)` for positive `c`. A division by 0 is unknown; otherwise `b` is taken not to be 0,
 * since the code would have stopped.
 */
export function floorDiv(a: Dim, b: Dim): Dim {
  if (b.constant !== undefined) {
    if (b.constant === 0) return unknownDim('a division by zero');
    if (b.constant === 1) return a;
    if (a.constant !== undefined) return number(Math.floor(a.constant / b.constant));
  }
  if (a.constant === 0) return a;
  const slot = Recent.slot(a, b);
  return recentQuotients.get(slot, a, b) ?? recentQuotients.set(slot, a, b, divideDown(a, b));
}

function divideDown(a: Dim, b: Dim): Dim {
  if (isNegatable(b)) return floorDiv(negate(a), negate(b));
  const { quotient, remainder } = divideTerms(a, b);
  if (remainder.constant === 0 || fitsBelow(remainder, b)) return quotient;
  const reduced = cancelCommon(remainder, b);
  if (reduced.b.constant === 1) return add(quotient, reduced.a);
  if (fitsBelow(reduced.a, reduced.b)) return quotient;
  const mirrored = mirror(reduced.a, reduced.b);
  // floor(a / b) = -1 - floor((-a - 1) / b) for a positive integer b, so that both ways to round up meet in one form
  if (mirrored !== undefined) return subtract(subtract(quotient, one), floorDiv(mirrored, reduced.b));
  const inner = loneQuotient(reduced.a);
  if (inner !== undefined && reduced.b.min >= 1) {
    // floor((floor(x / y) + rest) / c) = floor((x + rest * y) / (y * c)) for a positive integer c
    const dividend = add(inner.atom.dividend, multiply(inner.rest, inner.atom.divisor));
    return add(quotient, floorDiv(dividend, multiply(inner.atom.divisor, reduced.b)));
  }
  return add(quotient, division('quotient', reduced.a, reduced.b));
}

/** Python's `a % b`, which has the sign of `b`. A remainder by 0 is unknown. */
export function mod(a: Dim, b: Dim): Dim {
  if (b.constant === 0) return unknownDim('a division by zero');
  if (a.constant === 0 || b.constant === 1) return zero;
  const slot = Recent.slot(a, b);
  return recentRemainders.get(slot, a, b) ?? recentRemainders.set(slot, a, b, remainderOf(a, b));
}

function remainderOf(a: Dim, b: Dim): Dim {
  if (isNegatable(b)) return negate(mod(negate(a), negate(b)));
  const { remainder } = divideTerms(a, b);
  if (remainder.constant === 0 || fitsBelow(remainder, b)) return remainder;
  const reduced = cancelCommon(remainder, b);
  if (reduced.b.constant === 1) return zero;
  if (fitsBelow(reduced.a, reduced.b)) return remainder;
  const mirrored = mirror(reduced.a, reduced.b);
  if (mirrored !== undefined) return multiply(reduced.common, subtract(subtract(reduced.b, one), mod(mirrored, reduced.b)));
  const only = loneAtom(reduced.a);
  const isReduced = only?.kind === 'remainder' && sameDim(only.divisor, reduced.b) && reduced.b.min >= 1;
  return multiply(reduced.common, isReduced ? reduced.a : division('remainder', reduced.a, reduced.b));
}

const leadOf = (dim: Dim): number => dim.terms[0]?.coefficient ?? 0;

/** A negative leading coefficient that negation makes positive; it need not, since `-(a // 2)` is held as `a // 2 - a + a % 2`. */
const isNegatable = (dim: Dim): boolean => leadOf(dim) < 0 && leadOf(negate(dim)) > 0;

/** `-a - 1` where it is the simpler dividend for the positive divisor `b`. */
function mirror(a: Dim, b: Dim): Dim | undefined {
  const limit = b.constant === undefined ? 0 : b.constant / 2;
  const runsBackwards = (dim: Dim): boolean => (b.constant === undefined ? leadOf(dim) < limit : leadOf(dim) > limit);
  if (b.min < 1 || !runsBackwards(a)) return undefined;
  const mirrored = subtract(negate(a), one);
  return runsBackwards(divideTerms(mirrored, b).remainder) ? undefined : mirrored;
}

/** `-(-a // b)`: the division that rounds up. */
export const ceilDiv = (a: Dim, b: Dim): Dim => negate(floorDiv(negate(a), b));

/** Surely `0 <= a < b`, judged by the bounds alone. */
const fitsBelow = (a: Dim, b: Dim): boolean => a.min >= 0 && a.max < b.min;

/** The atom that this dim is, if it is one. */
export function loneAtom(dim: Dim): Atom | undefined {
  const term = dim.terms[0];
  if (dim.terms.length !== 1 || term === undefined || term.coefficient !== 1 || term.monomial.degree !== 1) return undefined;
  return term.monomial.factors[0]?.atom;
}

/** `x // y + rest`, where the rest holds no floor division. */
function loneQuotient(dim: Dim): { readonly atom: DivisionAtom; readonly rest: Dim } | undefined {
  const found = dim.terms.filter(({ monomial }) => monomial.quotient);
  const [term] = found;
  if (found.length !== 1 || term === undefined || term.coefficient !== 1 || term.monomial.degree !== 1) return undefined;
  const atom = term.monomial.factors[0]?.atom;
  if (atom?.kind !== 'quotient') return undefined;
  return { atom, rest: subtract(dim, atomDim(atom)) };
}

function division(kind: 'quotient' | 'remainder', dividend: Dim, divisor: Dim): Dim {
  const size = 1 + dividend.size + divisor.size;
  if (size > maxSize) return unknownDim('the expression grows too large');
  const sign = kind === 'quotient' ? '/' : '%';
  const code = `${sign}${dividend.id},${divisor.id}`;
  const found = atoms.get(code);
  if (found !== undefined) return found;
  const key = `~${sign}${open}${dividend.key}${comma}${divisor.key}${close}`;
  const [min, max] = kind === 'quotient' ? quotientBounds(dividend, divisor) : remainderBounds(dividend, divisor);
  const unknown = dividend.unknown || divisor.unknown;
  const isFlexible = dividend.flexible || divisor.flexible;
  return atoms.set(code, atomDim({ kind, id: ++atomIds, key, min, max, size, unknown, flexible: isFlexible, dividend, divisor }));
}

function quotientBounds(a: Dim, b: Dim): readonly [number, number] {
  if (b.min < 1) return [-Infinity, Infinity];
  const low = a.min >= 0 ? (b.max === Infinity ? 0 : Math.floor(a.min / b.max)) : Math.floor(a.min / b.min);
  const high = a.max >= 0 ? Math.floor(a.max / b.min) : b.max === Infinity ? -1 : Math.floor(a.max / b.max);
  return [downwards(low), upwards(high)];
}

const remainderBounds = (a: Dim, b: Dim): readonly [number, number] =>
  b.min < 1 ? [-Infinity, Infinity] : [0, a.min >= 0 ? Math.min(a.max, upwards(b.max - 1)) : upwards(b.max - 1)];

/** The least of the operands, dropping those that another never exceeds. Of none: unknown. Quadratic in the operands. */
export const minimum = (...operands: readonly Dim[]): Dim => extremum('minimum', operands);

/** The greatest of the operands, dropping those that never exceed another. Of none: unknown. Quadratic in the operands. */
export const maximum = (...operands: readonly Dim[]): Dim => extremum('maximum', operands);

function extremum(kind: 'minimum' | 'maximum', operands: readonly Dim[]): Dim {
  const direction = kind === 'minimum' ? 1 : -1;
  const kept: Dim[] = [];
  for (const operand of flatten(kind, operands)) {
    if (kept.some((other) => isAtMost(other, operand, direction))) continue;
    for (let i = kept.length - 1; i >= 0; i--) if (isAtMost(operand, kept[i] as Dim, direction)) kept.splice(i, 1);
    kept.push(operand);
  }
  const [first] = kept;
  if (first === undefined) return unknownDim('the extreme of nothing');
  if (kept.length === 1) return first;
  const size = kept.reduce((sum, operand) => sum + operand.size, 1);
  if (size > maxSize) return unknownDim('the expression grows too large');
  kept.sort((a, b) => (a.key < b.key ? -1 : 1));
  const sign = kind === 'minimum' ? '<' : '>';
  const code = sign + kept.map((operand) => operand.id).join();
  const found = atoms.get(code);
  if (found !== undefined) return found;
  const bound = kind === 'minimum' ? Math.min : Math.max;
  const atom: ExtremumAtom = {
    kind,
    id: ++atomIds,
    key: `~${sign}${open}${kept.map((operand) => operand.key).join(comma)}${close}`,
    min: bound(...kept.map((operand) => operand.min)),
    max: bound(...kept.map((operand) => operand.max)),
    size,
    unknown: kept.some((operand) => operand.unknown),
    flexible: kept.some((operand) => operand.flexible),
    operands: kept,
  };
  return atoms.set(code, atomDim(atom));
}

function flatten(kind: 'minimum' | 'maximum', operands: readonly Dim[]): readonly Dim[] {
  return operands.flatMap((operand) => {
    const atom = loneAtom(operand);
    return atom !== undefined && atom.kind === kind ? atom.operands : [operand];
  });
}

/** Surely `a <= b` (sign 1) or `a >= b` (sign -1), judged by bounds and by the operands of a nested extremum. */
function isAtMost(a: Dim, b: Dim, sign: 1 | -1): boolean {
  const difference = sign === 1 ? subtract(b, a) : subtract(a, b);
  if (difference.min >= 0) return true;
  const inner = loneAtom(a);
  if (inner?.kind === (sign === 1 ? 'minimum' : 'maximum')) return inner.operands.some((operand) => sameDim(operand, b));
  const outer = loneAtom(b);
  return outer?.kind === (sign === 1 ? 'maximum' : 'minimum') && outer.operands.some((operand) => sameDim(operand, a));
}

export const zero: Dim = number(0);
export const one: Dim = number(1);

/** The dim with its outermost atoms replaced where `replace` answers a dim; itself when nothing is. */
export function mapAtoms(dim: Dim, replace: (atom: Atom) => Dim | undefined): Dim {
  const { terms } = dim;
  const [only] = terms;
  if (terms.length === 1 && only !== undefined && only.coefficient === 1 && only.monomial.factors.length === 1) {
    const factor = only.monomial.factors[0] as Factor;
    if (factor.exponent === 1) return replace(factor.atom) ?? dim;
  }
  let result: Dim | undefined;
  for (let i = 0; i < terms.length; i++) {
    const term = terms[i] as Term;
    const { factors } = term.monomial;
    let value: Dim | undefined;
    for (let j = 0; j < factors.length; j++) {
      const { atom, exponent } = factors[j] as Factor;
      const replaced = replace(atom);
      if (replaced !== undefined && value === undefined) {
        value = termDim({ coefficient: term.coefficient, monomial: makeMonomial(factors.slice(0, j)) });
      }
      if (value !== undefined) value = multiply(value, raise(replaced ?? atomDim(atom), number(exponent)));
    }
    if (value !== undefined && result === undefined) result = build(terms.slice(0, i));
    if (result !== undefined) result = add(result, value ?? termDim(term));
  }
  return result ?? dim;
}
