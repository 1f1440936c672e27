import type { Dim, SymbolAtom } from './dim.ts';
import { Facts } from './facts.ts';
import { evaluate, symbolsOf } from './visit.ts';

/** Values under which two sizes differ. */
export interface Witness {
  readonly values: ReadonlyMap<SymbolAtom, number>;
  readonly left: number;
  readonly right: number;
}

const trials = 96;
// Widths, head counts and lengths as people choose them, and a few primes that divide nothing else.
const sizes: readonly number[] = [12, 4, 8, 3, 6, 2, 16, 24, 1, 48, 64, 32, 5, 7, 96, 11, 128, 13, 768, 256];

/**
 * Values of the symbols that satisfy every stated fact and give `a` and `b` different sizes; undefined when none was found
 * in a bounded number of trials (which proves nothing) or when an unknown is involved.
 *
 * This answers "could they differ, as far as anyone has said?". It is no ground for a finding by itself: a config may obey
 * facts that the code does not state, such as `n_embd % n_head == 0`. It is a ground for asking for an assert, and the
 * values make the question concrete. Use `compare` for findings.
 */
export function differsForSomeValues(a: Dim, b: Dim, facts: Facts = Facts.none): Witness | undefined {
  if (a.unknown || b.unknown || facts.contradictory || a.key === b.key) return undefined;
  const symbols = new Map<string, SymbolAtom>();
  const gather = (dim: Dim): void => {
    for (const symbol of symbolsOf(dim)) symbols.set(symbol.key, symbol);
  };
  gather(a);
  gather(b);
  // Only facts that are connected to the question through shared symbols need to hold.
  const relevant = new Set<number>();
  const statements = facts.statements;
  for (let grown = true; grown; ) {
    grown = false;
    for (const [i, { left, right }] of statements.entries()) {
      if (relevant.has(i)) continue;
      const touched = [...symbolsOf(left), ...symbolsOf(right)];
      if (!touched.some((symbol) => symbols.has(symbol.key))) continue;
      relevant.add(i);
      for (const symbol of touched) symbols.set(symbol.key, symbol);
      grown = true;
    }
  }
  const list = [...symbols.values()];
  let state = 1;
  for (let trial = 0; trial < trials; trial++) {
    const values = new Map<string, number>();
    for (const symbol of list) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      const size = sizes[(state >>> 8) % sizes.length] ?? 1;
      values.set(symbol.key, Math.max(symbol.min === -Infinity ? size : symbol.min, Math.min(size, symbol.max)));
    }
    // Solved symbols take the value that the facts give them.
    for (const symbol of list) {
      const value = facts.solver.solvedSymbol(symbol, (other) => values.get(other.key));
      if (value !== undefined) values.set(symbol.key, value);
    }
    const sizeOf = (symbol: SymbolAtom): number | undefined => values.get(symbol.key);
    if (list.some((symbol) => (sizeOf(symbol) ?? 0) < symbol.min || (sizeOf(symbol) ?? 0) > symbol.max)) continue;
    const holds = [...relevant].every((i) => {
      const statement = statements[i];
      const left = statement && evaluate(statement.left, sizeOf);
      const right = statement && evaluate(statement.right, sizeOf);
      if (left === undefined || right === undefined) return false;
      return statement?.kind === 'equal' ? left === right : left >= right;
    });
    if (!holds) continue;
    const left = evaluate(a, sizeOf);
    const right = evaluate(b, sizeOf);
    if (left === undefined || right === undefined || left === right) continue;
    return { values: new Map(list.map((symbol) => [symbol, sizeOf(symbol) ?? 0])), left, right };
  }
  return undefined;
}
