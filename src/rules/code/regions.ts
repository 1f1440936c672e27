/** Which values a mask holds at keys that a query may see (the past, real tokens) and at keys that it may not (the future, padding). */
import type { Dim } from '../../dims/dim.ts';
import type { TensorValue } from '../../interpreter/value.ts';

/** A value of the mask; undefined where it is not known, or differs. Truth is 1, falsehood 0. */
export type Cell = number | undefined;

export interface Region {
  /** 'causal': `seen` holds where key <= query + boundary. 'padding': `seen` holds at real tokens. */
  readonly kind: 'causal' | 'padding';
  readonly boundary: Dim | undefined;
  readonly seen: Cell;
  readonly unseen: Cell;
  /** Queries and keys, where the mask's own size says so. */
  readonly rows: Dim | undefined;
  readonly columns: Dim | undefined;
  /** Where the triangle or the comparison was made. */
  readonly made: TensorValue;
  /** Rows are those of some positions: the boundary counts from the position. */
  readonly isPicked?: boolean;
  /** Only a name says what it is. */
  readonly isNamed: boolean;
}

export interface Meaning {
  readonly regions: readonly Region[];
  /** The same value everywhere. */
  readonly constant: Cell;
}

export const constant = (value: Cell): Meaning | undefined => (value === undefined ? undefined : { regions: [], constant: value });

export const truth = (cell: Cell): Cell => (cell === undefined ? undefined : cell !== 0 ? 1 : 0);

export const mapMeaning = (meaning: Meaning | undefined, follow: (cell: Cell) => Cell): Meaning | undefined =>
  meaning === undefined
    ? undefined
    : {
        regions: meaning.regions.map((region) => ({ ...region, seen: follow(region.seen), unseen: follow(region.unseen) })),
        constant: meaning.constant === undefined ? undefined : follow(meaning.constant),
      };

/** Two operands; what is not known of one is any value. */
export function combine(a: Meaning | undefined, b: Meaning | undefined, follow: (x: Cell, y: Cell) => Cell): Meaning | undefined {
  if (a === undefined && b === undefined) return undefined;
  const one = (meaning: Meaning | undefined): Cell => meaning?.constant;
  if ((a?.regions.length ?? 0) === 0) return mapMeaning(b, (cell) => follow(one(a), cell));
  if ((b?.regions.length ?? 0) === 0) return mapMeaning(a, (cell) => follow(cell, one(b)));
  const regions: Region[] = [];
  for (const region of a?.regions ?? []) {
    const other = b?.regions.find(({ kind }) => kind === region.kind);
    if (other === undefined) {
      regions.push({ ...region, seen: follow(region.seen, undefined), unseen: follow(region.unseen, undefined) });
    } else if (region.kind === 'causal') {
      // Two triangles make a band or a block unless they have the same boundary.
      if (region.boundary === undefined || other.boundary?.key !== region.boundary.key) return undefined;
      regions.push({ ...region, seen: follow(region.seen, other.seen), unseen: follow(region.unseen, other.unseen) });
    } else regions.push({ ...region, seen: follow(region.seen, undefined), unseen: follow(region.unseen, undefined) });
  }
  for (const region of b?.regions ?? []) {
    if (a?.regions.some(({ kind }) => kind === region.kind) === true) continue;
    regions.push({ ...region, seen: follow(undefined, region.seen), unseen: follow(undefined, region.unseen) });
  }
  return { regions, constant: undefined };
}

const isHuge = (cell: Cell): boolean => cell !== undefined && Math.abs(cell) >= 1000;

export const addition = (x: Cell, y: Cell): Cell => {
  if (isHuge(x)) return x;
  if (isHuge(y)) return y;
  return x === undefined || y === undefined ? undefined : x + y;
};

export const multiplication = (x: Cell, y: Cell): Cell => {
  // 0 * -inf is not a number, and torch says so; what was meant is 0.
  if (x === 0 || y === 0) return 0;
  return x === undefined || y === undefined ? undefined : x * y;
};

export const conjunction = (x: Cell, y: Cell): Cell => (x === 0 || y === 0 ? 0 : x === undefined || y === undefined ? undefined : 1);

export const disjunction = (x: Cell, y: Cell): Cell =>
  truth(x) === 1 || truth(y) === 1 ? 1 : x === undefined || y === undefined ? undefined : 0;

export const same = (a: Meaning, b: Meaning): boolean =>
  a.constant === b.constant &&
  a.regions.length === b.regions.length &&
  a.regions.every((region, i) => {
    const other = b.regions[i];
    return (
      other?.kind === region.kind &&
      other.boundary?.key === region.boundary?.key &&
      other.seen === region.seen &&
      other.unseen === region.unseen
    );
  });
