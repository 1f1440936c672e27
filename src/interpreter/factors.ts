/**
 * Sizes that stand as a factor before another one and have no number, as `mult` in `dim * mult`, or as a divisor. Code that works for one of them alone,
 * which is 1, has forgotten it somewhere.
 */
import { type Atom, type Dim, loneAtom, type SymbolAtom } from '../dims/dim.ts';
import { isContext, lengthScope, type Sample } from './samples.ts';

/** A factor, tried with numbers. */
export interface FactorTrial {
  readonly members: readonly Sample[];
  /** What it must work with. */
  readonly works: Sample;
}

const maximumTrials = 3;

/** Numbers for each factor among the sizes that neither the code nor its name gives one; the other sizes are those of the sample. */
export function factorTrials(dims: readonly Dim[], others: Sample, defaults: ReadonlyMap<string, number>): readonly FactorTrial[] {
  const factors = new Map<string, SymbolAtom>();
  const note = (atom: Atom): void => {
    if (atom.kind !== 'symbol' || atom.flexible || atom.scope === lengthScope || atom.scope.endsWith('.shape')) return;
    // `len(names)`, `(2 or 1)`: the code says more of it than that it is a size.
    if (!/^[\w.]+$/.test(atom.name)) return;
    if (defaults.has(atom.key) || others(atom) !== undefined || isContext(atom.name)) return;
    factors.set(atom.key, atom);
  };
  const alone = new Set<string>();
  for (const { terms } of dims)
    for (const { monomial } of terms) {
      const sizes = monomial.factors.filter(({ atom }) => atom.kind === 'symbol' || atom.kind === 'quotient');
      for (const { atom } of sizes) {
        // What stands by itself too is a size of its own.
        if (sizes.length > 1) note(atom);
        else if (monomial.factors.length === 1) alone.add(atom.key);
        const divisor = atom.kind === 'quotient' ? loneAtom(atom.divisor) : undefined;
        if (divisor !== undefined) note(divisor);
      }
    }
  return [...factors.values()]
    .filter(({ key }) => !alone.has(key))
    .slice(0, maximumTrials)
    .map(({ key }) => {
      const as =
        (value: number): Sample =>
        (symbol) =>
          symbol.key === key ? value : others(symbol);
      return { members: [as(2), as(3)], works: as(1) };
    });
}
