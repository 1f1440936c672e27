import { atomDim, type Dim, divideExactly, negate, type SymbolAtom, subtract, zero } from './dim.ts';
import { alwaysEqual, compare, Facts } from './facts.ts';
import { formatDim } from './format.ts';
import { linearIn } from './solver.ts';
import { mentions, substitute, symbolsOf } from './visit.ts';

const maximumApplied = 256;

/** What flexible symbols stand for. Immutable; no bound symbol occurs in a value. */
export class Substitution {
  static readonly empty: Substitution = new Substitution(new Map());

  readonly #values: ReadonlyMap<string, { readonly symbol: SymbolAtom; readonly value: Dim }>;

  /** The latest answers of `apply`: the same sizes are asked for with every operation. */
  #applied: Map<Dim, Dim> | undefined;

  private constructor(values: ReadonlyMap<string, { readonly symbol: SymbolAtom; readonly value: Dim }>) {
    this.#values = values;
  }

  get size(): number {
    return this.#values.size;
  }

  /** The bound symbols with their values, the oldest binding first. */
  get bindings(): readonly { readonly symbol: SymbolAtom; readonly value: Dim }[] {
    return [...this.#values.values()];
  }

  /** What the symbol is bound to, or undefined. */
  valueOf(symbol: SymbolAtom): Dim | undefined {
    return this.#values.get(symbol.key)?.value;
  }

  /** The dim with every bound symbol replaced. The dim itself, in constant time, when it holds no flexible symbol. */
  apply(dim: Dim): Dim {
    if (!dim.flexible || this.#values.size === 0) return dim;
    const known = this.#applied?.get(dim);
    if (known !== undefined) return known;
    const applied = substitute(dim, (atom) => (atom.kind === 'symbol' && atom.flexible ? this.#values.get(atom.key)?.value : undefined));
    if (this.#applied === undefined || this.#applied.size >= maximumApplied) this.#applied = new Map();
    this.#applied.set(dim, applied);
    return applied;
  }

  /** This and `symbol := value`; the value must not hold the symbol. Linear in the number of bindings. */
  bind(symbol: SymbolAtom, value: Dim): Substitution {
    const resolved = this.apply(value);
    const values = new Map<string, { readonly symbol: SymbolAtom; readonly value: Dim }>();
    for (const [key, bound] of this.#values) {
      values.set(key, {
        symbol: bound.symbol,
        value: bound.value.flexible ? substitute(bound.value, (atom) => (atom.key === symbol.key ? resolved : undefined)) : bound.value,
      });
    }
    values.set(symbol.key, { symbol, value: resolved });
    return new Substitution(values);
  }
}

/**
 * 'unified': under `substitution` both sides are equal wherever the facts hold.
 * 'conflict': no values make them equal; `reason` says which sides differ.
 * 'unknown': they may be equal, but no binding makes it certain; `substitution` is the one that was given.
 */
export type Unification =
  | { readonly status: 'unified'; readonly substitution: Substitution }
  | { readonly status: 'conflict' | 'unknown'; readonly substitution: Substitution; readonly reason: string };

/**
 * Makes `a` and `b` equal by binding flexible symbols: `C` and `config.n_embd` bind `C`; `B * T * C` and `B * T * h * d`
 * bind `C` to `h * d`; anonymous symbols are bound before named ones. A symbol is never bound to something that holds it
 * (`T` and `T + 1` conflict, `T` and `T * h` are unknown). Tries each flexible symbol of the difference once.
 */
export function unify(a: Dim, b: Dim, substitution: Substitution = Substitution.empty, facts: Facts = Facts.none): Unification {
  const left = substitution.apply(a);
  const right = substitution.apply(b);
  const comparison = compare(left, right, facts);
  if (comparison === 'equal') return { status: 'unified', substitution };
  if (comparison === 'different') {
    return { status: 'conflict', substitution, reason: `${formatDim(left)} is never ${formatDim(right)}` };
  }
  for (const { symbol, value } of candidates(left, right, facts)) {
    const bound = substitution.bind(symbol, value);
    const [x, y] = [bound.apply(left), bound.apply(right)];
    // A binding may clash with a fact about the symbol; then nothing is certain.
    if (alwaysEqual(x, y, facts) && compare(atomDim(symbol), value, facts) !== 'different') {
      return { status: 'unified', substitution: bound };
    }
  }
  const reason = left.unknown || right.unknown ? 'a size is not known' : `nothing says that ${formatDim(left)} is ${formatDim(right)}`;
  return { status: 'unknown', substitution, reason };
}

interface Candidate {
  readonly symbol: SymbolAtom;
  readonly value: Dim;
}

/** Ways to solve `left == right` for a flexible symbol: the sides as written first, then their difference. */
function candidates(left: Dim, right: Dim, facts: Facts): readonly Candidate[] {
  const found: Candidate[] = [];
  const offer = (symbol: SymbolAtom, value: Dim): void => {
    if (!value.unknown && !mentions(value, symbol.key)) found.push({ symbol, value });
  };
  for (const [side, other] of [
    [right, left],
    [left, right],
  ] as const) {
    const symbol = symbolsOf(side)[0];
    if (symbol?.flexible && atomDim(symbol).key === side.key) offer(symbol, other);
  }
  const forms = [subtract(left, right)];
  const { numerator } = facts.solver.normal(forms[0] as Dim);
  if (numerator.key !== forms[0]?.key) forms.push(numerator);
  for (const form of forms) {
    if (!form.flexible) continue;
    for (const symbol of symbolsOf(form)) {
      if (!symbol.flexible) continue;
      const parts = linearIn(form, symbol);
      // The binding must follow from the equation: a factor that may be 0 would satisfy it too.
      if (parts === undefined || parts.rest.constant === 0 || compare(parts.coefficient, zero, facts) !== 'different') continue;
      const value = divideExactly(negate(parts.rest), parts.coefficient);
      if (value !== undefined) offer(symbol, value);
    }
  }
  return found.sort((x, y) => Number(y.symbol.anonymous) - Number(x.symbol.anonymous));
}
