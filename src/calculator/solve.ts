import type { Asked, Constraint } from './query.ts';
import type { AttentionInput } from './shapes.ts';

/** One value that answers `?`, with what it makes of the rest. */
export interface Answer {
  readonly value: bigint;
  /** `head dim 128`; '' where there is nothing to add. */
  readonly note: string;
}

export interface Answers {
  /** Ascending. All that there are up to the limit of the search, or, where only one is asked for, the largest or smallest. */
  readonly answers: readonly Answer[];
  /** `largest`: every smaller value works as well; `smallest`: every larger one does; `nearest`: none is exact. */
  readonly kind: 'all' | 'largest' | 'smallest' | 'nearest';
  /** Answers beyond those listed. */
  readonly more: number;
}

/** A design with one value in the place of `?`. */
export interface Candidate {
  readonly input: AttentionInput;
  /** Sizes that the query or the design gives besides those of attention. */
  readonly sizeOf: (quantity: Constraint['quantity']) => bigint | undefined;
  /** Parameters of the model, and bytes of the fullest device. Costly: asked for only where a limit needs them. */
  readonly parameters: () => bigint | undefined;
  readonly memory: () => bigint | undefined;
  /** Bytes of the whole KV cache. */
  readonly cache: () => bigint | undefined;
  /** Embeddings are among the parameters. */
  readonly isWhole: () => boolean;
}

export interface Search {
  readonly asked: Asked;
  readonly constraints: readonly Constraint[];
  /** Parameters that the model should come near to. */
  readonly parameters?: bigint;
  /** Values have to be multiples of it: stages of layers, shares of tokens. */
  readonly multiple: bigint;
  /** A value near which the answer may be. */
  readonly start: bigint;
  /** The candidate of a value, or undefined where its sizes contradict each other or the devices. */
  readonly make: (value: bigint) => Candidate | undefined;
  readonly note: (candidate: Candidate) => string;
}

interface Range {
  readonly limit: bigint;
  /** Tried in steps of it. */
  readonly step: bigint;
  /** Every value is tried; else only totals grow with it, and bisection finds where a limit ends. */
  readonly each: boolean;
}

/** Beyond these nobody builds; each search ends here. Widths are multiples of 8: what the matrix units of every accelerator ask for. */
const ranges: Readonly<Partial<Record<Asked, Range>>> = {
  hiddenSize: { limit: 32_768n, step: 8n, each: true },
  queryHeads: { limit: 1024n, step: 1n, each: true },
  keyValueHeads: { limit: 1024n, step: 1n, each: true },
  headDim: { limit: 2048n, step: 1n, each: true },
  valueDim: { limit: 2048n, step: 1n, each: true },
  tensor: { limit: 1024n, step: 1n, each: true },
  context: { limit: 1024n, step: 1n, each: true },
  pipeline: { limit: 1024n, step: 1n, each: true },
  expert: { limit: 1024n, step: 1n, each: true },
  data: { limit: 512n, step: 1n, each: true },
  layers: { limit: 1000n, step: 1n, each: false },
  sequenceLength: { limit: 2n ** 40n, step: 1n, each: false },
  batch: { limit: 2n ** 40n, step: 1n, each: false },
  intermediateSize: { limit: 262_144n, step: 8n, each: false },
  vocabularySize: { limit: 4_194_304n, step: 8n, each: false },
  experts: { limit: 4096n, step: 1n, each: false },
};

/** Whether a quantity can be asked for. */
export const isSolvable = (asked: Asked): boolean => ranges[asked] !== undefined;

const listedAnswers = 24;
const degrees: readonly Asked[] = ['tensor', 'context', 'pipeline', 'expert', 'data'];

/**
 * The values of one quantity with which everything that the query demands holds: width splits into heads, KV heads into query heads, heads
 * over devices, and the constraints. Quantities that only scale a total (tokens, sequences, layers, ...) have a largest or smallest answer,
 * found by bisection; the others are tried one by one, smallest first, so none is skipped (widths: none of the multiples of 8). Parameters
 * and memory never fall as a size grows, so that their limits cut the list at two places, found by bisection as well. Bounded: at most
 * 4,096 cheap trials and some dozens of costly ones.
 */
export function solve(search: Search): Answers {
  const { asked, constraints, parameters } = search;
  const found = ranges[asked];
  if (found === undefined) return none;
  if (parameters !== undefined) return nearest(search, found, parameters);
  return found.each ? list(search, found) : bound(search, found, constraints);
}

const none: Answers = { answers: [], kind: 'all', more: 0 };

const isCostly = ({ quantity }: Constraint): boolean => quantity === 'parameters' || quantity === 'memory';
const isUpper = ({ kind, relation }: Constraint): boolean => kind === 'relation' && (relation === '<' || relation === '<=');

function list({ asked, constraints, make, note, start }: Search, { limit, step }: Range): Answers {
  const cheap = constraints.filter((constraint) => !isCostly(constraint));
  const costly = constraints.filter(isCostly);
  const candidates: { readonly value: bigint; readonly candidate: Candidate }[] = [];
  for (let value = step; value <= limit; value += step) {
    const candidate = make(value);
    if (candidate !== undefined && cheap.every((constraint) => satisfied(constraint, candidate))) candidates.push({ value, candidate });
  }
  let kept = candidates;
  if (asked === 'data' && costly.every(isUpper) && costly.length > 0) {
    // With more groups each holds less, or as much.
    const from = boundary({
      size: candidates.length,
      at: (index) => Number(candidates[index]?.value ?? 0n),
      probe: (index) => ({ before: !probe(costly, candidates[index]?.candidate, true).before }),
      start,
    });
    kept = candidates.slice(from);
  } else if (degrees.includes(asked) || costly.some(({ kind }) => kind === 'divisible')) {
    // More devices need not mean less for each: every one is tried, and there are few that the heads or layers allow.
    kept = candidates.filter(({ candidate }) => costly.every((constraint) => satisfied(constraint, candidate)));
  } else if (costly.length > 0) {
    const cut = (limits: readonly Constraint[], upper: boolean): number =>
      limits.length === 0
        ? upper
          ? candidates.length
          : 0
        : boundary({
            size: candidates.length,
            at: (index) => Number(candidates[index]?.value ?? 0n),
            probe: (index) => probe(limits, candidates[index]?.candidate, upper),
            start,
          });
    const end = cut(costly.filter(isUpper), true);
    kept = candidates.slice(
      Math.min(
        end,
        cut(
          costly.filter((constraint) => !isUpper(constraint)),
          false,
        ),
      ),
      end,
    );
  }
  return {
    answers: kept.slice(0, listedAnswers).map(({ value, candidate }) => ({ value, note: note(candidate) })),
    kind: 'all',
    more: Math.max(0, kept.length - listedAnswers),
  };
}

interface Probe {
  /** Whether the boundary lies behind this value. */
  readonly before: boolean;
  /** The measure as a part of its limit, for the next guess. */
  readonly part?: number;
}

/** Upper limits hold before the boundary, lower limits from it on. */
function probe(limits: readonly Constraint[], candidate: Candidate | undefined, upper: boolean): Probe {
  const holds = candidate !== undefined && limits.every((constraint) => satisfied(constraint, candidate));
  const [first] = limits;
  const measure = candidate === undefined || first === undefined ? undefined : measureOf(first.quantity, candidate);
  return {
    before: holds === upper,
    ...(measure === undefined || first === undefined ? {} : { part: Number(measure) / Number(first.value) }),
  };
}

/**
 * How many of `size` values lie before the boundary. What is measured grows almost in proportion to the value: each next guess follows the
 * line through the last two, which finds the boundary in four or five trials; halving takes over where it does not.
 */
function boundary(search: {
  readonly size: number;
  readonly at: (index: number) => number;
  readonly probe: (index: number) => Probe;
  readonly start: bigint;
}): number {
  const { size, at } = search;
  /** The last index whose value is no more than this. */
  const indexOf = (value: number): number => {
    let [low, high] = [0, size];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (at(middle) <= value) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  };
  let [low, high] = [-1, size];
  let guess = indexOf(Number(search.start));
  let last: { readonly x: number; readonly y: number } | undefined;
  for (let round = 0; high - low > 1; round++) {
    const index = Math.min(Math.max(guess, low + 1), high - 1);
    const { before, part } = search.probe(index);
    if (before) low = index;
    else high = index;
    guess = Math.floor((low + high) / 2);
    if (part === undefined || round > 8) continue;
    const point = { x: at(index), y: part };
    const slope = last === undefined || last.x === point.x ? point.y / point.x : (point.y - last.y) / (point.x - last.x);
    const next = point.x + (1 - point.y) / slope;
    if (Number.isFinite(next)) guess = indexOf(next);
    last = point;
  }
  return high;
}

const leastCommonMultiple = (a: bigint, b: bigint): bigint => {
  let [x, y] = [a, b];
  while (y !== 0n) [x, y] = [y, x % y];
  return (a / x) * b;
};

/** Totals that grow with the quantity and have limits: the largest value within the upper ones, or the smallest beyond the lower ones. */
function bound({ asked, make, note, multiple, start }: Search, { limit }: Range, constraints: readonly Constraint[]): Answers {
  let step = multiple;
  const limits: Constraint[] = [];
  for (const constraint of constraints) {
    // What the quantity does not change is divisible or not, whatever its value.
    if (constraint.kind === 'divisible' && constraint.quantity === asked) step = leastCommonMultiple(step, constraint.value);
    else limits.push(constraint);
  }
  if (limits.length === 0) return none;
  const uppers = limits.filter(isUpper);
  const upper = uppers.length > 0;
  const valueAt = (index: number): bigint => BigInt(index + 1) * step;
  const size = Number(limit / step);
  const cut = boundary({
    size,
    at: (index) => Number(valueAt(index)),
    probe: (index) => probe(upper ? uppers : limits, make(valueAt(index)), upper),
    start,
  });
  const index = upper ? cut - 1 : cut;
  const candidate = index >= 0 && index < size ? make(valueAt(index)) : undefined;
  if (candidate === undefined || !limits.every((constraint) => satisfied(constraint, candidate))) return none;
  return { answers: [{ value: valueAt(index), note: note(candidate) }], kind: upper ? 'largest' : 'smallest', more: 0 };
}

/** Values, widths in multiples of 128, with which the model comes nearest to a number of parameters. At most three. */
function nearest({ asked, constraints, make, note, multiple, start }: Search, { limit, step, each }: Range, wanted: bigint): Answers {
  const by = leastCommonMultiple(asked === 'hiddenSize' || asked === 'intermediateSize' ? 128n : step, multiple);
  const at = (value: bigint): Candidate | undefined => {
    const candidate = make(value);
    return candidate !== undefined && constraints.every((constraint) => satisfied(constraint, candidate)) ? candidate : undefined;
  };
  // Where most values contradict the rest the search goes over those that do not.
  const values: bigint[] = [];
  if (each) for (let value = by; value <= limit; value += by) if (at(value) !== undefined) values.push(value);
  const size = each ? values.length : Number(limit / by);
  const valueAt = (index: number): bigint => (each ? (values[index] ?? 0n) : BigInt(index + 1) * by);
  const countAt = (index: number): bigint | undefined => (index < 0 || index >= size ? undefined : at(valueAt(index))?.parameters());
  const cut = boundary({
    size,
    at: (index) => Number(valueAt(index)),
    probe: (index) => {
      const count = countAt(index);
      return { before: count !== undefined && count < wanted, ...(count === undefined ? {} : { part: Number(count) / Number(wanted) }) };
    },
    start,
  });
  const distance = (index: number): bigint | undefined => {
    const count = countAt(index);
    return count === undefined ? undefined : count > wanted ? count - wanted : wanted - count;
  };
  let [below, above] = [cut - 1, cut];
  const chosen: number[] = [];
  while (chosen.length < 3) {
    const [down, up] = [distance(below), distance(above)];
    if (down === undefined && up === undefined) break;
    if (up === undefined || (down !== undefined && down <= up)) chosen.push(below--);
    else chosen.push(above++);
  }
  const answers = chosen
    .sort((a, b) => a - b)
    .flatMap((index) => {
      const candidate = make(valueAt(index));
      return candidate === undefined ? [] : [{ value: valueAt(index), note: note(candidate) }];
    });
  return { answers, kind: 'nearest', more: 0 };
}

/** Whether a constraint holds; what is not known does not. */
function satisfied({ quantity, kind, relation, value: limit }: Constraint, candidate: Candidate): boolean {
  const value = measureOf(quantity, candidate);
  if (value === undefined) return false;
  if (kind === 'divisible') return value % limit === 0n;
  switch (relation) {
    case '<':
      return value < limit;
    case '<=':
      return value <= limit;
    case '>':
      return value > limit;
    default:
      return value >= limit;
  }
}

function measureOf(quantity: Constraint['quantity'], candidate: Candidate): bigint | undefined {
  switch (quantity) {
    case 'cache':
      return candidate.cache();
    case 'parameters':
      return candidate.parameters();
    case 'memory':
      return candidate.memory();
    default:
      return candidate.sizeOf(quantity);
  }
}
