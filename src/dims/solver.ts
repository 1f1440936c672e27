/**
 * Decides questions about dims under facts.
 *
 * Normal form: a rational function without floor divisions. `a // b` is `(a - a % b) / b`; a remainder that the facts make 0
 * vanishes, so exact divisions become fractions and `h * (d // h) - d` becomes 0. Equalities are solved for one atom each and
 * substituted. A difference is zero when its numerator is, and surely not zero when bounds, facts or divisibility of its
 * coefficients say so. Every search below is bounded, and what runs out of its bound is simply not proven.
 */
import {
  type Atom,
  add,
  atomDim,
  contentOf,
  type Dim,
  type DivisionAtom,
  divideExactly,
  floorDiv,
  loneAtom,
  mapAtoms,
  maximum,
  minimum,
  mod,
  multiply,
  negate,
  number,
  one,
  primitivePart,
  type SymbolAtom,
  sameDim,
  subtract,
  type Term,
  termDim,
  unknownDim,
  zero,
} from './dim.ts';
import {
  addFractions,
  divideFractions,
  type Fraction,
  fraction,
  isWhole,
  multiplyFractions,
  negateFraction,
  raiseFraction,
  whole,
} from './fraction.ts';
import { evaluate, mentions } from './visit.ts';

/** `left == right` or `left >= right`. */
export interface Statement {
  readonly kind: 'equal' | 'atLeast';
  readonly left: Dim;
  readonly right: Dim;
}

/** Equal or different wherever the facts hold, or not known to be either. */
export type Comparison = 'equal' | 'different' | 'unknown';

interface Bounds {
  readonly min: number;
  readonly max: number;
}

const maxPasses = 4;
const maxDepth = 5;
const maxSearch = 20;
const maxEquations = 128;
const maxSignTerms = 12;
const maxMemo = 4096;
// Steps (normal forms and sign searches) that one question, and the learning of one statement, may take.
const questionFuel = 100;
const statementFuel = 60;

export class Solver {
  /** What each eliminated atom equals, without eliminated atoms. */
  readonly #solved: Map<string, Fraction>;
  /** Fractions known to be integers though they do not look it. */
  #integral: Fraction[];
  readonly #bounds: Map<string, Bounds>;
  /** Dims known to be at least 0. */
  readonly #inequalities: Dim[];
  /** Dims known to be 0 that could not be solved for an atom. */
  readonly #vanishing: Dim[];
  /** Equalities that later ones may still sharpen. */
  readonly #open: Statement[];
  readonly #normalForms = new Map<Dim, Fraction>();
  readonly #answers = new Map<Dim, Comparison>();
  #contradictory: boolean;
  #changed = false;
  #depth = 0;
  #search = 0;
  #fuel = Infinity;

  constructor(base?: Solver) {
    const copied = base === undefined ? undefined : base.#state();
    this.#solved = new Map(copied?.solved);
    this.#bounds = new Map(copied?.bounds);
    this.#integral = [...(copied?.integral ?? [])];
    this.#inequalities = [...(copied?.inequalities ?? [])];
    this.#vanishing = [...(copied?.vanishing ?? [])];
    this.#open = [...(copied?.open ?? [])];
    this.#contradictory = copied?.contradictory ?? false;
  }

  #state() {
    return {
      solved: this.#solved,
      bounds: this.#bounds,
      integral: this.#integral,
      inequalities: this.#inequalities,
      vanishing: this.#vanishing,
      open: this.#open,
      contradictory: this.#contradictory,
    };
  }

  /** A solver that knows these statements too. Linear in what is known, with a few passes over the equalities. */
  extend(statements: readonly Statement[]): Solver {
    const solver = new Solver(this);
    solver.#fuel = statementFuel * (statements.length + 1);
    for (const statement of statements) solver.#take(statement);
    for (let pass = 0; pass < maxPasses && solver.#changed && !solver.#contradictory; pass++) {
      solver.#changed = false;
      for (const statement of solver.#open) solver.#take(statement, true);
    }
    solver.#normalForms.clear();
    solver.#fuel = Infinity;
    return solver;
  }

  /** True when no values satisfy all facts together, as in a branch that cannot be reached. */
  get contradictory(): boolean {
    return this.#contradictory;
  }

  /** Whether `a` and `b` are the same, surely not, or neither is known. */
  compare(a: Dim, b: Dim): Comparison {
    const difference = subtract(a, b);
    if (difference.constant === 0) return 'equal';
    const known = this.#answers.get(difference);
    let answer = known ?? this.#asking(() => this.#compareToZero(difference), 'unknown');
    if (known === undefined) {
      if (this.#answers.size >= maxMemo) this.#answers.clear();
      this.#answers.set(difference, answer);
    }
    // Nothing is said to differ from an unknown, even where the unknown falls out of the difference.
    if (answer === 'different' && (a.unknown || b.unknown)) answer = 'unknown';
    return answer;
  }

  /** Runs one question within its fuel; a question asked inside another shares it. `none` under contradictory facts. */
  #asking<Answer>(question: () => Answer, none: Answer): Answer {
    if (this.#contradictory) return none;
    const outer = this.#fuel;
    if (outer === Infinity) this.#fuel = questionFuel;
    const answer = question();
    if (outer === Infinity) this.#fuel = Infinity;
    return answer;
  }

  #compareToZero(difference: Dim): Comparison {
    const { numerator } = this.#normalDim(difference);
    if (this.#isZero(numerator)) return 'equal';
    return this.#isNonZero(numerator) ? 'different' : 'unknown';
  }

  /** True when `a >= b` wherever the facts hold. */
  isAtLeast(a: Dim, b: Dim): boolean {
    const difference = subtract(a, b);
    return this.#asking(() => {
      if (difference.min >= 0) return true;
      const { numerator, denominator } = this.#normalDim(difference);
      return this.#isPositive(denominator) && this.#isNonNegative(numerator);
    }, false);
  }

  /** True when `b` divides `a` wherever the facts hold (`b` is taken not to be 0). */
  divides(b: Dim, a: Dim): boolean {
    return this.#asking(() => {
      const x = this.#normalDim(a);
      const y = this.#normalDim(b);
      if (y.numerator.constant === 0) return false;
      const ratio = divideFractions(x, y);
      return this.#remainder(ratio.numerator, ratio.denominator).numerator.constant === 0;
    }, false);
  }

  /** The same value in the normal form: no floor divisions, no solved atoms. */
  normal(dim: Dim): Fraction {
    return this.#asking(() => this.#normalDim(dim), whole(dim));
  }

  #normalDim(dim: Dim): Fraction {
    if (!dim.compound && !this.#touches(dim)) return whole(dim);
    const known = this.#normalForms.get(dim);
    if (known !== undefined) return known;
    this.#fuel -= Math.ceil(dim.size / 8);
    if (this.#depth > 16 || this.#fuel < 0) return whole(unknownDim('the expression is too complex'));
    this.#depth++;
    let sum = whole(zero);
    for (const term of dim.terms)
      sum = addFractions(
        sum,
        this.#normalTerm(term, (atom) => this.#normalAtom(atom)),
      );
    this.#depth--;
    if (this.#fuel >= 0) {
      if (this.#normalForms.size >= maxMemo) this.#normalForms.clear();
      this.#normalForms.set(dim, sum);
    }
    return sum;
  }

  /** The fraction as a dim; exact when it is an integer, rounded down otherwise. */
  toDim(value: Fraction): Dim {
    let { numerator, denominator } = value;
    if (denominator.constant === 1) return numerator;
    let taken: Dim = zero;
    for (let round = 0; round < 4 && denominator.constant !== 1; round++) {
      const found = findTopAtom(numerator, (atom) => {
        if (atom.kind !== 'remainder') return false;
        const parts = linearIn(numerator, atom);
        return parts !== undefined && divideExactly(multiply(parts.coefficient, atom.divisor), denominator) !== undefined;
      });
      const parts = found && linearIn(numerator, found);
      if (found === undefined || parts === undefined) break;
      // c * (a % b) / d = c * a / d - (c * b / d) * (a // b)
      const { dividend, divisor } = found as DivisionAtom;
      const count = divideExactly(multiply(parts.coefficient, divisor), denominator) ?? zero;
      taken = subtract(taken, multiply(count, floorDiv(dividend, divisor)));
      const rest = fraction(add(parts.rest, multiply(parts.coefficient, dividend)), denominator);
      numerator = rest.numerator;
      denominator = rest.denominator;
    }
    return add(taken, floorDiv(numerator, denominator));
  }

  /** True when the value is an integer for every value of the symbols that the facts allow. */
  isInteger(value: Fraction): boolean {
    return isWhole(value) || this.#remainder(value.numerator, value.denominator).numerator.constant === 0;
  }

  /** The value of a symbol that the facts determine, from those of the other symbols; undefined when they do not, or it is not an integer. */
  solvedSymbol(symbol: SymbolAtom, sizeOf: (other: SymbolAtom) => number | undefined): number | undefined {
    const solved = this.#solved.get(symbol.key);
    const numerator = solved && evaluate(solved.numerator, sizeOf);
    const denominator = solved && evaluate(solved.denominator, sizeOf);
    if (numerator === undefined || denominator === undefined || denominator === 0) return undefined;
    return numerator % denominator === 0 ? numerator / denominator : undefined;
  }

  #touches(dim: Dim): boolean {
    if (this.#solved.size === 0) return false;
    for (const { monomial } of dim.terms) for (const { atom } of monomial.factors) if (this.#solved.has(atom.key)) return true;
    return false;
  }

  #normalTerm(term: Term, normalAtom: (atom: Atom) => Fraction): Fraction {
    let value = whole(number(term.coefficient));
    for (const { atom, exponent } of term.monomial.factors) {
      value = multiplyFractions(value, raiseFraction(normalAtom(atom), exponent));
    }
    return value;
  }

  #normalAtom(atom: Atom): Fraction {
    const solved = this.#solved.get(atom.key);
    if (solved !== undefined) return solved;
    switch (atom.kind) {
      case 'symbol':
      case 'unknown':
        return whole(atomDim(atom));
      case 'quotient':
      case 'remainder': {
        const divisor = this.#normalDim(atom.divisor);
        if (divisor.numerator.constant === 0) return whole(unknownDim('a division by zero'));
        const ratio = divideFractions(this.#normalDim(atom.dividend), divisor);
        const remainder = this.#remainder(ratio.numerator, ratio.denominator);
        if (atom.kind === 'quotient') {
          return divideFractions(addFractions(whole(ratio.numerator), negateFraction(remainder)), whole(ratio.denominator));
        }
        // a = k * x and b = k * y give a % b = k * (x % y)
        return multiplyFractions(remainder, divideFractions(divisor, whole(ratio.denominator)));
      }
      default:
        return this.#normalExtremum(atom.kind, atom.operands);
    }
  }

  #normalExtremum(kind: 'minimum' | 'maximum', operands: readonly Dim[]): Fraction {
    const kept: Fraction[] = [];
    for (const operand of operands) {
      const value = this.#normalDim(operand);
      if (kept.some((other) => this.#covers(kind, other, value))) continue;
      for (let i = kept.length - 1; i >= 0; i--) if (this.#covers(kind, value, kept[i] as Fraction)) kept.splice(i, 1);
      kept.push(value);
    }
    if (kept.length === 1) return kept[0] as Fraction;
    const dims = kept.map((value) => this.toDim(value));
    const dim = kind === 'minimum' ? minimum(...dims) : maximum(...dims);
    const atom = loneAtom(dim);
    if (atom?.kind === kind) return this.#solved.get(atom.key) ?? whole(dim);
    return this.#normalDim(dim);
  }

  /** True when `a` beats `b`: never above it for a minimum, never below it for a maximum. */
  #covers(kind: 'minimum' | 'maximum', a: Fraction, b: Fraction): boolean {
    const difference = kind === 'minimum' ? addFractions(b, negateFraction(a)) : addFractions(a, negateFraction(b));
    return this.#isPositive(difference.denominator) && this.#isNonNegative(difference.numerator);
  }

  /** `x % y` for normalised polynomials, without the terms that `y` is known to divide. */
  #remainder(x: Dim, y: Dim): Fraction {
    if (y.constant === 1 || this.#isIntegral(x, y)) return whole(zero);
    let rest = x;
    if (this.#integral.length > 0 && x.terms.length > 1) {
      for (const term of x.terms) {
        const value = termDim(term);
        if (this.#isIntegral(value, y)) rest = subtract(rest, value);
      }
    }
    const last = rest.terms[rest.terms.length - 1];
    if (y.constant === 2 && last?.monomial.degree === 0 && last.coefficient % 2 !== 0) {
      // (s + 1) % 2 = 1 - s % 2
      return addFractions(whole(one), negateFraction(this.#remainder(subtract(rest, number(last.coefficient)), y)));
    }
    const value = this.#resolve(mod(rest, y));
    if (isWhole(value) && this.#knowsBounds() && value.numerator.constant === undefined && !sameDim(value.numerator, rest)) {
      const below = subtract(subtract(y, one), rest);
      if (this.#isNonNegative(rest) && this.#isNonNegative(below)) return whole(rest);
    }
    return value;
  }

  /** Replaces atoms that were solved, and looks no further: what it is given is normal otherwise. */
  #resolve(dim: Dim): Fraction {
    if (!this.#touches(dim)) return whole(dim);
    let sum = whole(zero);
    for (const term of dim.terms) {
      sum = addFractions(
        sum,
        this.#normalTerm(term, (atom) => this.#solved.get(atom.key) ?? whole(atomDim(atom))),
      );
    }
    return sum;
  }

  #isIntegral(x: Dim, y: Dim): boolean {
    if (this.#integral.length === 0) return isWhole(fraction(x, y));
    let tries = maxSearch;
    const search = (value: Fraction, depth: number): boolean => {
      if (isWhole(value)) return true;
      if (depth === 0) return false;
      for (const known of this.#integral) {
        if (--tries < 0) return false;
        const factor = divideExactly(value.numerator, known.numerator);
        if (factor === undefined) continue;
        // value = known * (factor * known.denominator / value.denominator)
        const left = fraction(multiply(factor, known.denominator), value.denominator);
        if (left.denominator.key !== value.denominator.key && search(left, depth - 1)) return true;
        if (left.numerator.key !== value.numerator.key && left.numerator.size <= value.numerator.size && search(left, depth - 1)) {
          return true;
        }
      }
      return false;
    };
    return search(fraction(x, y), maxDepth);
  }

  // Learning

  #take(statement: Statement, again = false): void {
    if (this.#contradictory) return;
    const { kind, left, right } = statement;
    const value = this.#normalDim(subtract(left, right));
    if (value.numerator.unknown && !left.unknown && !right.unknown) return;
    if (kind === 'atLeast') {
      if (this.#isPositive(value.denominator)) this.#learnAtLeastZero(value.numerator);
      return;
    }
    if (!again) {
      if (this.#open.length >= maxEquations) return;
      if (right.constant === undefined || loneAtom(left)?.kind !== 'symbol') this.#open.push(statement);
    }
    this.#learnZero(value.numerator);
  }

  #forget(): void {
    this.#normalForms.clear();
    this.#answers.clear();
    this.#changed = true;
  }

  #learnAtLeastZero(value: Dim): void {
    if (value.constant !== undefined) {
      if (value.constant < 0) this.#contradictory = true;
      return;
    }
    if (this.#isNonNegative(value)) return;
    if (this.#isNonNegative(subtract(negate(value), one))) {
      this.#contradictory = true;
      return;
    }
    const [lead, last] = value.terms;
    const atom = lead?.monomial.degree === 1 ? lead.monomial.factors[0]?.atom : undefined;
    if (lead !== undefined && atom !== undefined && value.terms.length <= 2 && (last === undefined || last.monomial.degree === 0)) {
      const limit = -(last?.coefficient ?? 0) / lead.coefficient;
      const bounds = this.#boundsOf(atom);
      const narrowed =
        lead.coefficient > 0
          ? { min: Math.max(bounds.min, Math.ceil(limit)), max: bounds.max }
          : { min: bounds.min, max: Math.min(bounds.max, Math.floor(limit)) };
      this.#bounds.set(atom.key, narrowed);
      this.#forget();
      if (narrowed.min > narrowed.max) this.#contradictory = true;
      else if (narrowed.min === narrowed.max) this.#solve(atom, whole(number(narrowed.min)));
      return;
    }
    if (this.#inequalities.length < maxEquations) this.#inequalities.push(value);
    this.#forget();
  }

  #learnZero(equation: Dim): void {
    const value = primitivePart(equation, (atom) => this.#boundsOf(atom).min >= 1);
    if (value.constant === 0 || this.#isZero(value)) return;
    if (value.constant !== undefined || this.#isNonZero(value)) {
      this.#contradictory = true;
      return;
    }
    const pivot = this.#choosePivot(value);
    if (pivot === undefined) {
      if (this.#vanishing.length < maxEquations) this.#vanishing.push(value);
      this.#forget();
      return;
    }
    const { atom, coefficient, rest } = pivot;
    this.#solve(atom, fraction(negate(rest), coefficient));
  }

  #solve(atom: Atom, value: Fraction): void {
    const bounds = this.#boundsOf(atom);
    this.#solved.set(atom.key, value);
    this.#forget();
    for (const [key, known] of this.#solved) {
      if (key === atom.key) continue;
      if (mentions(known.numerator, atom.key) || mentions(known.denominator, atom.key)) {
        this.#solved.set(key, divideFractions(this.#normalDim(known.numerator), this.#normalDim(known.denominator)));
      }
    }
    if (!isWhole(value)) this.#integral.push(value);
    if (atom.kind === 'remainder') {
      const dividend = this.#normalDim(atom.dividend);
      this.#integral.push(divideFractions(addFractions(dividend, negateFraction(value)), this.#normalDim(atom.divisor)));
    }
    this.#integral = this.#integral
      .map((known) => divideFractions(this.#normalDim(known.numerator), this.#normalDim(known.denominator)))
      .filter((known) => !isWhole(known));
    this.#forget();
    this.#keepBounds(atom, bounds, value);
    for (const dim of this.#inequalities.splice(0)) this.#learnAtLeastZero(this.#normalDim(dim).numerator);
    for (const dim of this.#vanishing.splice(0)) this.#learnZero(this.#normalDim(dim).numerator);
  }

  /** What bounded the eliminated atom now bounds its value. */
  #keepBounds(atom: Atom, { min, max }: Bounds, value: Fraction): void {
    if (this.#contradictory || !this.#isPositive(value.denominator)) return;
    const { numerator, denominator } = value;
    if (min !== -Infinity) this.#learnAtLeastZero(subtract(numerator, multiply(number(min), denominator)));
    if (max !== Infinity) this.#learnAtLeastZero(subtract(multiply(number(max), denominator), numerator));
    if (atom.kind === 'remainder' && atom.divisor.min >= 1) {
      const divisor = this.#normalDim(atom.divisor);
      const below = addFractions(addFractions(divisor, whole(number(-1))), negateFraction(value));
      if (this.#isPositive(below.denominator)) this.#learnAtLeastZero(below.numerator);
    }
  }

  /** The atom to solve `value == 0` for: one that occurs once, alone if possible; remainders, then flexible symbols, then rigid ones. */
  #choosePivot(value: Dim): { readonly atom: Atom; readonly coefficient: Dim; readonly rest: Dim } | undefined {
    let best: { readonly atom: Atom; readonly coefficient: Dim; readonly rest: Dim } | undefined;
    let bestRank = Infinity;
    for (const { monomial } of value.terms) {
      for (const { atom, exponent } of monomial.factors) {
        if (exponent !== 1) continue;
        const parts = linearIn(value, atom);
        if (parts === undefined || mentions(parts.rest, atom.key) || mentions(parts.coefficient, atom.key)) continue;
        const { coefficient, rest } = parts;
        let rank = rankOf(atom, rest.constant !== undefined);
        if (coefficient.constant === undefined) {
          // Dividing by more than this makes everything it is put into grow.
          if (coefficient.terms.length > 1 || (coefficient.terms[0]?.monomial.degree ?? 0) > 2) continue;
          if (!this.#isPositive(coefficient)) continue;
          rank += 20;
        } else if (Math.abs(coefficient.constant) !== 1) rank += 10;
        if (rank < bestRank || (rank === bestRank && best !== undefined && atom.key > best.atom.key)) {
          best = { atom, coefficient, rest };
          bestRank = rank;
        }
      }
    }
    return best;
  }

  // Signs

  #isZero(value: Dim): boolean {
    return value.constant === 0 || this.#vanishing.some((dim) => divideExactly(value, dim) !== undefined);
  }

  #isNonZero(value: Dim): boolean {
    if (value.constant !== undefined) return value.constant !== 0;
    if (value.unknown) return false;
    const reduced = primitivePart(value, (atom) => this.#boundsOf(atom).min >= 1);
    const last = reduced.terms[reduced.terms.length - 1];
    if (last?.monomial.degree === 0) {
      // 2 * a is never 2 * b + 1
      const content = contentOf(subtract(reduced, number(last.coefficient)));
      if (content > 1 && last.coefficient % content !== 0) return true;
    }
    return this.#isPositive(reduced) || this.#isPositive(negate(reduced));
  }

  #isPositive(value: Dim): boolean {
    return value.min >= 1 || this.#isNonNegative(subtract(value, one));
  }

  #isNonNegative(value: Dim): boolean {
    const outer = this.#search;
    this.#search = maxSearch;
    const holds = this.#nonNegative(value, maxDepth);
    this.#search = outer;
    return holds;
  }

  #knowsBounds(): boolean {
    return this.#bounds.size > 0 || this.#inequalities.length > 0;
  }

  #boundsOf(atom: Atom): Bounds {
    return this.#bounds.get(atom.key) ?? atom;
  }

  #nonNegative(value: Dim, depth: number): boolean {
    if (value.min >= 0) return true;
    if (value.constant !== undefined || value.unknown || value.terms.length > maxSignTerms || depth < 0 || --this.#search < 0) return false;
    // A longer sum takes longer at every step.
    this.#fuel -= Math.ceil(value.terms.length / 2);
    if (this.#fuel < 0) return false;
    if (this.#boundedBelow(value)) return true;
    const compound = findTopAtom(value, (atom) => atom.kind !== 'symbol');
    if (compound !== undefined && this.#nonNegativeByParts(value, depth)) return true;
    if (value.terms.some(({ monomial }) => monomial.degree > 1) && this.#nonNegativeShifted(value)) return true;
    return this.#nonNegativeByFacts(value, depth);
  }

  /** Interval arithmetic under the facts' bounds; exact for sums of symbols. */
  #boundedBelow(value: Dim): boolean {
    if (this.#bounds.size === 0) return false;
    let sum = 0;
    for (const { coefficient, monomial } of value.terms) {
      let low = coefficient;
      let high = coefficient;
      for (const { atom, exponent } of monomial.factors) {
        const { min, max } = this.#boundsOf(atom);
        for (let i = 0; i < exponent; i++) {
          const ends = [low, high].flatMap((end) => [min, max].map((bound) => (end === 0 || bound === 0 ? 0 : end * bound)));
          low = Math.min(...ends);
          high = Math.max(...ends);
        }
      }
      if (Math.abs(low) > Number.MAX_SAFE_INTEGER) return false;
      sum += low;
    }
    return sum >= 0;
  }

  /** Puts the worst case in place of a remainder (0 or divisor - 1), a minimum or a maximum. */
  #nonNegativeByParts(value: Dim, depth: number): boolean {
    for (const { monomial } of value.terms) {
      for (const { atom } of monomial.factors) {
        if (atom.kind !== 'remainder' && atom.kind !== 'minimum' && atom.kind !== 'maximum') continue;
        const parts = linearIn(value, atom);
        if (parts === undefined) continue;
        const { coefficient, rest } = parts;
        const put = (bound: Dim): boolean => this.#nonNegative(add(rest, multiply(coefficient, bound)), depth - 1);
        const up = this.#nonNegative(coefficient, depth - 1);
        const down = !up && this.#nonNegative(negate(coefficient), depth - 1);
        if (atom.kind === 'remainder') {
          if (atom.divisor.min < 1) continue;
          if (up && put(zero)) return true;
          if (down && put(subtract(atom.divisor, one))) return true;
          if (down && atom.dividend.min >= 0 && put(atom.dividend)) return true;
        } else {
          const any = atom.kind === 'maximum' ? up : down;
          const { operands } = atom;
          const normal = operands.map((operand) => this.#normalDim(operand));
          if (!normal.every(isWhole)) continue;
          const holds = (operand: Fraction): boolean => put(operand.numerator);
          if (any ? normal.some(holds) || normal.every(holds) : normal.every(holds)) return true;
        }
      }
    }
    return false;
  }

  /** Counts every atom from its least value: with no negative coefficient left, nothing can be negative. */
  #nonNegativeShifted(value: Dim): boolean {
    let bounded = true;
    const shifted = mapAtoms(value, (atom) => {
      const { min, max } = this.#boundsOf(atom);
      if (min !== -Infinity) return min === 0 ? undefined : add(atomDim(atom), number(min));
      if (max !== Infinity) return subtract(number(max), atomDim(atom));
      bounded = false;
      return undefined;
    });
    return bounded && !shifted.unknown && shifted.terms.every(({ coefficient }) => coefficient > 0);
  }

  /** Takes away a multiple of something known to be at least 0. */
  #nonNegativeByFacts(value: Dim, depth: number): boolean {
    for (const known of this.#inequalities) {
      for (const term of known.terms) {
        if (term.monomial.degree === 0) continue;
        const match = value.terms.find(({ coefficient, monomial }) => {
          if (Math.sign(coefficient) !== Math.sign(term.coefficient) || coefficient % term.coefficient !== 0) return false;
          return divideExactly(termDim({ coefficient: 1, monomial }), termDim({ coefficient: 1, monomial: term.monomial })) !== undefined;
        });
        const multiplier = match && divideExactly(termDim(match), termDim(term));
        if (multiplier === undefined || multiplier.min < 0) continue;
        if (this.#nonNegative(subtract(value, multiply(multiplier, known)), depth - 1)) return true;
        break;
      }
    }
    return false;
  }
}

function rankOf(atom: Atom, alone: boolean): number {
  switch (atom.kind) {
    case 'remainder':
      return alone ? 0 : 7;
    case 'symbol':
      return atom.flexible ? (atom.anonymous ? 1 : 2) : 4;
    case 'unknown':
      return 3;
    default:
      return 6;
  }
}

/** The first outermost atom that satisfies the test. */
function findTopAtom(dim: Dim, test: (atom: Atom) => boolean): Atom | undefined {
  for (const { monomial } of dim.terms) for (const { atom } of monomial.factors) if (test(atom)) return atom;
  return undefined;
}

/** `dim = coefficient * atom + rest`, or undefined when a power of the atom occurs. Occurrences inside other atoms stay there. */
export function linearIn(dim: Dim, atom: Atom): { readonly coefficient: Dim; readonly rest: Dim } | undefined {
  const self = atomDim(atom);
  let coefficient: Dim = zero;
  let rest: Dim = dim;
  for (const term of dim.terms) {
    const factor = term.monomial.factors.find((candidate) => candidate.atom === atom || candidate.atom.key === atom.key);
    if (factor === undefined) continue;
    if (factor.exponent !== 1) return undefined;
    const value = termDim(term);
    coefficient = add(coefficient, divideExactly(value, self) ?? zero);
    rest = subtract(rest, value);
  }
  return { coefficient, rest };
}
