/** Contracts against what was inferred: which of them contradict the code. */
import type { Dim } from '../dims/dim.ts';
import { compare, type Facts } from '../dims/facts.ts';
import { formatDim } from '../dims/format.ts';
import { applyToShape, type Shape } from '../dims/shape.ts';
import type { Substitution } from '../dims/unify.ts';
import type { Value } from '../interpreter/value.ts';
import type { Range } from '../text/range.ts';
import { formatWritten, namesIn, toDim, type WrittenDim, type WrittenShape } from './contract.ts';
import type { PlacedContract, Subject } from './place.ts';

/** A shape that was inferred at one moment, with the sizes that the names of the contract stood for in the code then. */
export interface Reading {
  readonly shape: Shape;
  readonly facts: Facts;
  readonly names: ReadonlyMap<string, Dim>;
  /** Whose shape it is. */
  readonly value?: Value;
}

/** What one evaluation of a function says about one contract. */
export interface Observation {
  readonly placed: PlacedContract;
  /**
   * For each of the contract's subjects, what was read at the rounds of a loop or once: 'none' for a value that is surely no tensor, so
   * that no shape is its own; undefined where it is not known.
   */
  readonly readings: readonly (readonly Reading[] | 'none' | undefined)[];
}

export type ContradictionKind = 'rank' | 'number' | 'name' | 'order';

export interface Contradiction {
  readonly placed: PlacedContract;
  readonly kind: ContradictionKind;
  /**
   * False where a name that only comments use stands for two sizes: people use a letter twice. True where the code itself
   * says what a name is, or where ranks, numbers or the order of axes differ.
   */
  readonly sure: boolean;
  /** The shape or the one size that is contradicted, relative to the unit. */
  readonly range: Range;
  readonly subject: Subject;
  readonly shape: Shape;
  readonly value?: Value;
  /** `(B, T, C)`, as the contract says. */
  readonly written: string;
  /** `(B, n_head, T, head_dim)`, under the names that the comments of the function use. */
  readonly inferred: string;
  /** What differs: `T and nh are swapped`. */
  readonly reason: string;
}

/** What one evaluation of a function says. */
export interface ContractReport {
  /** Contracts that could be compared. */
  readonly seen: ReadonlySet<PlacedContract>;
  readonly contradictions: readonly Contradiction[];
  /** The names that the contracts use for sizes, by the sizes' keys. */
  readonly names: ReadonlyMap<string, string>;
}

/**
 * The size that a name in a comment stands for, by the code: a local number, else for longer names an attribute of `self` or a
 * field of the config, where they agree. A single letter is never looked up outside the function.
 */
export function sizeNamed(name: string, lookUp: (path: string) => Dim | undefined): Dim | undefined {
  const local = lookUp(name);
  if (local !== undefined || name.length < 3) return local;
  const found = [`self.${name}`, `self.config.${name}`, `config.${name}`].map(lookUp).filter((dim) => dim !== undefined);
  const [first] = found;
  return found.every((dim) => dim.key === first?.key) ? first : undefined;
}

const maxBindings = 64;

/** Whether the contract says whose shape it states. */
const isFirm = ({ contract }: PlacedContract): boolean => contract.stated !== 'prose' && !contract.each;

/** The names in a shape that may stand for sizes of the code. */
export const sizeNamesOf = (shape: WrittenShape): readonly string[] => [
  ...new Set([...namesIn(shape), ...shape.dims.flatMap(({ kind, label }) => (kind === 'size' && label !== undefined ? [label] : []))]),
];

/** What one name was taken for by the comments: each size with the contracts that say so. */
interface Use {
  readonly dim: Dim;
  readonly by: PlacedContract[];
}

interface Verdict {
  readonly kind: ContradictionKind;
  readonly sure: boolean;
  readonly range: Range;
  readonly reason: string;
}

/** A name that stands alone as a size, with the size it stands beside. */
interface Pair {
  readonly name: string;
  readonly dim: Dim;
  readonly written: WrittenDim;
}

interface Fit {
  readonly subject: Subject;
  readonly reading: Reading;
  readonly verdict: Verdict | undefined;
  readonly pairs: readonly Pair[];
}

/**
 * What contradicts the code in one evaluation of a function. `observations` are in the order of evaluation, `substitution` holds what
 * sizes were bound to at its end. A contract is compared where each of its subjects is known, and contradicted where all of them
 * contradict it; one that does not say whose shape it states is passed over. Names bind at their first use.
 */
export function judgeContracts(observations: readonly Observation[], substitution: Substitution): ContractReport {
  const uses = new Map<string, Use[]>();
  const printed = new Map<string, string>();
  const seen = new Set<PlacedContract>();
  const found: (Omit<Contradiction, 'inferred'> & { readonly pair?: Pair })[] = [];
  const bound = new Map<string, { readonly dim: Dim; readonly by: PlacedContract }>();
  const held = new Set<PlacedContract>();
  for (const { placed, readings } of observations) {
    if (!isFirm(placed) || !readings.every((list) => list !== undefined && list.length > 0)) continue;
    // Above what is no tensor, it may speak of anything near.
    if (placed.place === 'above' && readings.length > 1 && readings[0] === 'none') continue;
    const fits = placed.subjects.flatMap((subject, i): readonly Fit[] => {
      const list = readings[i];
      return list === undefined || list === 'none'
        ? []
        : list.map((reading) => compareWith(placed, subject, apply(reading, substitution), bound));
    });
    for (const { reading } of fits) for (const [name, dim] of reading.names) if (!printed.has(dim.key)) printed.set(dim.key, name);
    const possible = fits.filter(({ verdict }) => verdict === undefined);
    const [first] = fits;
    if (first === undefined) continue;
    seen.add(placed);
    if (possible.length > 0) held.add(placed);
    if (possible.length === 0 && first.verdict !== undefined) {
      const { verdict, subject, reading } = first;
      const { shape, value } = reading;
      found.push({ placed, ...verdict, subject, shape, ...(value === undefined ? {} : { value }), written: formatWritten(placed.shape) });
      continue;
    }
    // Docstrings are copied from function to function; what they call a size says nothing about the comments.
    if (placed.place === 'docstring') continue;
    const distinct = possible.filter((each, i) => possible.findIndex((other) => sameShape(other.reading.shape, each.reading.shape)) === i);
    const [only] = distinct;
    if (distinct.length !== 1 || only === undefined) continue;
    for (const pair of only.pairs) {
      if (only.reading.names.has(pair.name) || uses.size >= maxBindings) continue;
      if (!bound.has(pair.name)) bound.set(pair.name, { dim: pair.dim, by: placed });
      if (!printed.has(pair.dim.key)) printed.set(pair.dim.key, pair.name);
      const list = uses.get(pair.name) ?? [];
      uses.set(pair.name, list);
      const same = list.find(({ dim }) => dim.key === pair.dim.key);
      if (same !== undefined) same.by.push(placed);
      else {
        const clash = list.find(
          ({ dim }) => dim.terms.length === 1 && pair.dim.terms.length === 1 && compare(dim, pair.dim, only.reading.facts) === 'different',
        );
        list.push({ dim: pair.dim, by: [placed] });
        if (clash !== undefined) {
          found.push({
            placed,
            kind: 'name',
            sure: false,
            range: pair.written.range,
            subject: only.subject,
            shape: only.reading.shape,
            written: formatWritten(placed.shape),
            reason: `${pair.name} is ${formatDim(pair.dim)} here and ${formatDim(clash.dim)} before`,
            pair,
          });
        }
      }
    }
  }
  const contradictions = found
    // Of two comments on one value at one statement, that which holds speaks of it.
    .filter(({ placed }) => ![...held].some((other) => isOfSame(placed, other)))
    .filter(({ pair }) => pair === undefined || isAlone(uses.get(pair.name) ?? [], pair.dim))
    .map(({ pair: _, ...rest }) => ({ ...rest, inferred: formatNamed(rest.shape, printed) }));
  return { seen, contradictions, names: printed };
}

/** Whether one contract only takes the name for this size, and more than one for another: otherwise the letter is simply used twice. */
const isAlone = (uses: readonly Use[], dim: Dim): boolean =>
  uses.every((use) => (use.dim.key === dim.key ? use.by.length === 1 : true)) &&
  uses.some((use) => use.dim.key !== dim.key && use.by.length > 1);

/** Whether two comments above one statement speak of one variable there. */
const isOfSame = (one: PlacedContract, other: PlacedContract): boolean => {
  const [[a], [b]] = [one.subjects, other.subjects];
  const isAbove = one.place === 'above' && other.place === 'above' && one.statement !== undefined && one.statement === other.statement;
  return isAbove && a?.kind === 'variable' && b?.kind === 'variable' && a.name === b.name && a.when === b.when;
};

const apply = (reading: Reading, substitution: Substitution): Reading => ({
  ...reading,
  shape: applyToShape(reading.shape, substitution),
  names: new Map([...reading.names].map(([name, dim]) => [name, substitution.apply(dim)])),
});

const sameShape = (a: Shape, b: Shape): boolean =>
  a.ellipsis === b.ellipsis && a.dims.length === b.dims.length && a.dims.every((dim, i) => dim.key === b.dims[i]?.key);

/** `(B, nh, T, hs)`: sizes under the names that comments and code use for them. */
function formatNamed({ dims, ellipsis }: Shape, names: ReadonlyMap<string, string>): string {
  const parts = dims.map((dim) => (dim.constant === undefined ? names.get(dim.key) : undefined) ?? legible(formatDim(dim)));
  if (ellipsis !== undefined) parts.splice(ellipsis, 0, '...');
  return parts.length === 1 && ellipsis === undefined ? `(${parts[0]},)` : `(${parts.join(', ')})`;
}

/** What a slice between unknown places leaves takes a line to write, and says nothing. */
const longestSize = 60;
const legible = (size: string): string => (size.length > longestSize ? '?' : size);

/** The sizes that surely stand beside each other, or why the numbers of axes cannot be the same. */
function align(written: WrittenShape, { dims, ellipsis }: Shape): readonly (readonly [WrittenDim, Dim])[] | string {
  const rest = written.dims.findIndex(({ kind }) => kind === 'rest');
  const least = rest < 0 ? written.dims.length : written.dims.length - 1;
  const axes = (count: number): string => `${count} ${count === 1 ? 'axis' : 'axes'}`;
  if (ellipsis === undefined) {
    if (rest < 0 && dims.length !== least)
      return `${axes(least)} ${least === 1 ? 'is' : 'are'} written, and there ${dims.length === 1 ? 'is' : 'are'} ${dims.length}`;
    if (dims.length < least) return `at least ${axes(least)} are written, and there ${dims.length === 1 ? 'is' : 'are'} ${dims.length}`;
  } else if (rest < 0 && dims.length > least)
    return `${axes(least)} ${least === 1 ? 'is' : 'are'} written, and there are at least ${dims.length}`;
  const front = Math.min(rest < 0 ? written.dims.length : rest, ellipsis ?? dims.length);
  const pairs: (readonly [WrittenDim, Dim])[] = [];
  const add = (w: WrittenDim | undefined, dim: Dim | undefined): void => {
    if (w !== undefined && dim !== undefined) pairs.push([w, dim]);
  };
  for (let i = 0; i < front; i++) add(written.dims[i], dims[i]);
  if (rest < 0 && ellipsis === undefined) return pairs;
  const back = Math.min(
    rest < 0 ? written.dims.length : written.dims.length - rest - 1,
    ellipsis === undefined ? dims.length : dims.length - ellipsis,
  );
  for (let i = 1; i <= back; i++) add(written.dims.at(-i), dims.at(-i));
  return pairs;
}

const isName = (text: string): boolean => /^[A-Za-z_][\w.]*$/.test(text);

/** Compares one contract with one shape. `bound` holds what names stand for by the comments before. */
function compareWith(placed: PlacedContract, subject: Subject, reading: Reading, bound: ReadonlyMap<string, { readonly dim: Dim }>): Fit {
  const { shape, facts, names } = reading;
  const aligned = align(placed.shape, shape);
  const none: readonly Pair[] = [];
  if (typeof aligned === 'string') {
    return { subject, reading, verdict: { kind: 'rank', sure: true, range: placed.shape.range, reason: aligned }, pairs: none };
  }
  const pairs: Pair[] = [];
  let verdict = swapped(placed, aligned, reading, bound);
  for (const [written, dim] of aligned) {
    if (written.kind !== 'size' || dim.unknown) continue;
    if (isName(written.text)) pairs.push({ name: written.text, dim, written });
    if (written.label !== undefined) pairs.push({ name: written.label, dim, written });
    // A size of 1 broadcasts: masks are described by what they apply to.
    if (dim.constant === 1 && written.text !== '1' && !/^\d+$/.test(written.text)) continue;
    const meant = toDim(written, (name) => names.get(name));
    if (meant.unknown || compare(meant, dim, facts) !== 'different') continue;
    if (meant.constant !== undefined && /^[\d\s+*/()-]+$/.test(written.text)) {
      if (dim.constant === 1) continue;
      verdict ??= {
        kind: 'number',
        sure: true,
        range: written.range,
        reason: `${written.text} is written where the size is ${formatDim(dim)}`,
      };
    } else if (meant.terms.length === 1 && dim.terms.length === 1) {
      // Sums are left out: a length with what is cached, or with one token more, goes by the same name.
      const said = isName(written.text) ? `${written.text} is ${formatDim(meant)}` : `${written.text} is ${formatDim(meant)} in the code`;
      verdict ??= { kind: 'name', sure: true, range: written.range, reason: `${said}, and the size here is ${formatDim(dim)}` };
    }
  }
  const binding = pairs.filter(({ dim }) => dim.constant !== 1);
  return { subject, reading, verdict, pairs: verdict === undefined ? binding : none };
}

/**
 * Two names written in each other's place: both stand for known sizes, each size is where the other name is written, and every
 * other axis agrees. `(B, T, nh, hs)` for `(B, nh, T, hs)`.
 */
function swapped(
  placed: PlacedContract,
  aligned: readonly (readonly [WrittenDim, Dim])[],
  { facts, names, shape }: Reading,
  bound: ReadonlyMap<string, { readonly dim: Dim }>,
): Verdict | undefined {
  if (placed.place === 'docstring' || shape.ellipsis !== undefined || aligned.length !== placed.shape.dims.length) return undefined;
  const meaning = (written: WrittenDim): Dim | undefined =>
    written.kind === 'size' && isName(written.text) ? (names.get(written.text) ?? bound.get(written.text)?.dim) : undefined;
  const off: { readonly written: WrittenDim; readonly dim: Dim; readonly meant: Dim }[] = [];
  for (const [written, dim] of aligned) {
    if (dim.unknown) return undefined;
    const meant = meaning(written);
    if (meant === undefined) {
      const whole = toDim(written, (name) => names.get(name) ?? bound.get(name)?.dim);
      if (whole.unknown) return undefined;
      if (compare(whole, dim, facts) === 'equal') continue;
      if (whole.constant !== undefined) return undefined;
      off.push({ written, dim, meant: whole });
    } else if (meant.unknown) return undefined;
    else if (compare(meant, dim, facts) !== 'equal') off.push({ written, dim, meant });
  }
  const [first, second] = off;
  if (off.length !== 2 || first === undefined || second === undefined) return undefined;
  if (compare(first.meant, second.dim, facts) !== 'equal' || compare(second.meant, first.dim, facts) !== 'equal') return undefined;
  if (first.dim.constant === 1 || second.dim.constant === 1) return undefined;
  return {
    kind: 'order',
    sure: true,
    range: placed.shape.range,
    reason: `${first.written.text} and ${second.written.text} are swapped`,
  };
}

/**
 * What holds for every evaluation of a function: a helper that is called with different shapes is described for one of them, so a
 * contract is contradicted only where each evaluation that could compare it contradicts it.
 */
export function combineReports(reports: readonly ContractReport[]): readonly Contradiction[] {
  const count = new Map<PlacedContract, number>();
  for (const { seen } of reports) for (const placed of seen) count.set(placed, (count.get(placed) ?? 0) + 1);
  const byContract = new Map<PlacedContract, Contradiction[]>();
  for (const { contradictions } of reports) {
    const mine = new Set<PlacedContract>();
    for (const each of contradictions) {
      if (mine.has(each.placed)) continue;
      mine.add(each.placed);
      byContract.set(each.placed, [...(byContract.get(each.placed) ?? []), each]);
    }
  }
  return [...byContract].flatMap(([placed, found]) => (found.length === count.get(placed) ? found.slice(0, 1) : []));
}
