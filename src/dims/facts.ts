import { add, type Dim, floorDiv, mod, type SymbolAtom, termDim, type UnknownAtom, zero } from './dim.ts';
import { type Comparison, Solver, type Statement } from './solver.ts';
import { substitute } from './visit.ts';

export type { Comparison, Statement } from './solver.ts';

const maxFacts = 1024;
const manyFacts = 8;
const root = new Solver();

/**
 * What is known to hold at a place in the code: asserts, conditions whose other branch raises, known config values.
 * Immutable: `assume*` answers new facts in constant time that share the old ones; the consequences are worked out at the
 * first question. Facts past `maxFacts` are dropped, which only makes answers less certain.
 */
export class Facts {
  /** No facts but the symbols' own bounds. */
  static readonly none: Facts = new Facts(undefined, [], 0);

  readonly #parent: Facts | undefined;
  readonly #statements: readonly Statement[];
  readonly #count: number;
  #solver: Solver | undefined;

  private constructor(parent: Facts | undefined, statements: readonly Statement[], count: number) {
    this.#parent = parent;
    this.#statements = statements;
    this.#count = count;
  }

  /** These facts and `statements`. Constant time. */
  assume(statements: readonly Statement[]): Facts {
    const count = this.#count + statements.length;
    return statements.length === 0 || count > maxFacts ? this : new Facts(this, statements, count);
  }

  /** `left == right`, for example `embed_dim == num_heads * head_dim`, or `n_head == 12` from a config. */
  assumeEqual(left: Dim, right: Dim): Facts {
    return this.assume([{ kind: 'equal', left, right }]);
  }

  /** `dividend % divisor == 0`. */
  assumeDivides(divisor: Dim, dividend: Dim): Facts {
    return this.assume([{ kind: 'equal', left: mod(dividend, divisor), right: zero }]);
  }

  /** `left >= right`. */
  assumeAtLeast(left: Dim, right: Dim): Facts {
    return this.assume([{ kind: 'atLeast', left, right }]);
  }

  /** All facts, the oldest first. */
  get statements(): readonly Statement[] {
    const lists: (readonly Statement[])[] = [];
    for (let at: Facts | undefined = this; at !== undefined; at = at.#parent) lists.push(at.#statements);
    return lists.reverse().flat();
  }

  /** True when the facts exclude each other, so that the code under them does not run; nothing is then said to be different. */
  get contradictory(): boolean {
    return this.solver.contradictory;
  }

  /** True when the statement follows from these facts. False says nothing. */
  implies({ kind, left, right }: Statement): boolean {
    return kind === 'equal' ? this.solver.compare(left, right) === 'equal' : this.solver.isAtLeast(left, right);
  }

  /**
   * What holds whichever of two branches ran: the facts they share, and those of each that follow from the other.
   * Facts of a branch that cannot run are left out. Linear in what was learned since the branches parted.
   */
  join(other: Facts): Facts {
    if (this === other || other.contradictory) return this;
    if (this.contradictory) return other;
    const [shared, mine, theirs] = Facts.#part(this, other);
    const kept = [...mine.filter((fact) => other.implies(fact)), ...theirs.filter((fact) => this.implies(fact))];
    return shared.assume(kept);
  }

  /** The same facts with symbols replaced, as after a unification. */
  substitute(replace: (atom: SymbolAtom | UnknownAtom) => Dim | undefined): Facts {
    return Facts.none.assume(
      this.statements.map(({ kind, left, right }) => ({ kind, left: substitute(left, replace), right: substitute(right, replace) })),
    );
  }

  /** What the facts amount to. Worked out once, from the nearest facts for which it was worked out before. */
  get solver(): Solver {
    if (this.#solver !== undefined) return this.#solver;
    const chain: Facts[] = [];
    let at: Facts | undefined = this;
    while (at !== undefined && at.#solver === undefined) {
      chain.push(at);
      at = at.#parent;
    }
    let solver = (at === undefined ? undefined : at.#solver) ?? root;
    let pending: Statement[] = [];
    for (const facts of chain.reverse()) {
      pending.push(...facts.#statements);
      // Many facts at once are a config's values: others will build on them too.
      if (facts !== this && facts.#statements.length < manyFacts) continue;
      if (pending.length > 0) solver = solver.extend(pending);
      pending = [];
      facts.#solver = solver;
    }
    return solver;
  }

  /** The facts from which both grew, and what each learned since. */
  static #part(a: Facts, b: Facts): readonly [Facts, readonly Statement[], readonly Statement[]] {
    const mine: (readonly Statement[])[] = [];
    const theirs: (readonly Statement[])[] = [];
    let x = a;
    let y = b;
    while (x !== y) {
      // The one with more facts cannot be the other's ancestor: step back there first.
      if (x.#count >= y.#count && x.#parent !== undefined) {
        mine.push(x.#statements);
        x = x.#parent;
      } else if (y.#parent !== undefined) {
        theirs.push(y.#statements);
        y = y.#parent;
      } else break;
    }
    return [x, mine.reverse().flat(), theirs.reverse().flat()];
  }
}

/**
 * Whether `a` and `b` have the same value wherever the facts hold ('equal'), nowhere ('different'), or neither is known.
 *
 * 'different' is the answer a finding may rest on: every config and input that satisfies the facts gives two different
 * numbers, as with `d` and `d + 1`, `d` and `2 * d` (d is at least 1), `2 * a` and `2 * b + 1`, or `768` and `d` where
 * `d == 512` is known. Two unrelated symbols are 'unknown', since nobody has said that they may not be equal; so is
 * anything that holds an unknown, and anything under contradictory facts.
 *
 * Nanoseconds for the same canonical form; otherwise one normal form and a bounded sign search, remembered per facts.
 */
export function compare(a: Dim, b: Dim, facts: Facts = Facts.none): Comparison {
  return a === b || a.key === b.key ? 'equal' : facts.solver.compare(a, b);
}

/** True when `a == b` for every value of the symbols that the facts allow. False says nothing. */
export const alwaysEqual = (a: Dim, b: Dim, facts: Facts = Facts.none): boolean => compare(a, b, facts) === 'equal';

/** True when `a >= b` for every value of the symbols that the facts allow. False says nothing. */
export const atLeast = (a: Dim, b: Dim, facts: Facts = Facts.none): boolean => facts.solver.isAtLeast(a, b);

/** True when `divisor` divides `dividend` for every value of the symbols that the facts allow. False says nothing. */
export const divides = (divisor: Dim, dividend: Dim, facts: Facts = Facts.none): boolean => facts.solver.divides(divisor, dividend);

/**
 * The shortest form known of the same value: known numbers put in, `h * (d // h)` and `(d // h) * kv * (h // kv)` as `d`
 * where the facts say that the divisions are exact, `d // h` as `head_dim` where they say that it is. One normal form.
 */
export function simplify(dim: Dim, facts: Facts = Facts.none): Dim {
  if (dim.constant !== undefined || facts.contradictory) return dim;
  const { solver } = facts;
  const simplest = (part: Dim): Dim => {
    const simple = solver.toDim(solver.normal(part));
    return simple.size <= part.size && (part.unknown || !simple.unknown) ? simple : part;
  };
  const whole = simplest(dim);
  if (dim.terms.length === 1 || !dim.compound) return whole;
  // Fractions with different denominators are better left apart.
  const parts = dim.terms.map((term) => simplest(termDim(term))).reduce(add);
  return parts.size < whole.size ? parts : whole;
}

/** `a / b` where the facts prove that it is a whole number, else undefined. */
export function divideWhole(a: Dim, b: Dim, facts: Facts = Facts.none): Dim | undefined {
  if (b.constant === 0 || facts.contradictory || !divides(b, a, facts)) return undefined;
  return simplify(floorDiv(a, b), facts);
}
