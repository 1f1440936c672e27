import type { AttentionOptions, AttentionResult, HeadStatistics, Kernel, PooledWeights } from './interface.ts';
import { checkShape, type ResolvedProblem } from './problem.ts';

/** Part of a row's weight that `span` covers. */
const SPAN_MASS = 0.9;
/** Numbers of each map multiplied at once. */
const SIMILARITY_CHUNK = 4096;

interface Sums {
  rows: number;
  previousRows: number;
  entropy: number;
  maximum: number;
  distance: number;
  first: number;
  previous: number;
  self: number;
  span: number;
  induction?: number | undefined;
}

/** For each query, the keys that follow an earlier occurrence of its token. */
export class Induction {
  /** Keys of all queries one after the other; those of query i from #starts[i] on. */
  readonly #keys: Int32Array;
  readonly #starts: Int32Array;
  #rows = 0;
  #total = 0;

  constructor({ queryLength, keyLength, offset }: ResolvedProblem, tokens: ArrayLike<number>) {
    checkShape('tokens', tokens, { keyLength });
    const seen = new Map<number, number[]>();
    const keys: number[] = [];
    this.#starts = new Int32Array(queryLength + 1);
    let next = 0;
    for (let row = 0; row < queryLength; row++) {
      const position = row + offset;
      // What follows the token right before is the query itself: that is no looking back.
      for (; next < Math.min(position - 1, keyLength); next++) {
        const token = tokens[next] as number;
        const list = seen.get(token);
        if (list === undefined) seen.set(token, [next + 1]);
        else list.push(next + 1);
      }
      if (position >= 0 && position < keyLength) for (const key of seen.get(tokens[position] as number) ?? []) keys.push(key);
      this.#starts[row + 1] = keys.length;
    }
    this.#keys = Int32Array.from(keys);
  }

  /** Takes the weights of a row: keyLength numbers of `data` from `start`. */
  row(row: number, data: Float32Array, start: number): void {
    const end = this.#starts[row + 1] as number;
    const from = this.#starts[row] as number;
    if (from === end) return;
    this.#rows++;
    for (let at = from; at < end; at++) this.#total += data[start + (this.#keys[at] as number)] as number;
  }

  /** The score of the head whose rows were taken; what comes is another head. */
  take(): Pick<HeadStatistics, 'induction'> {
    const score = this.#rows === 0 ? {} : { induction: this.#total / this.#rows };
    this.#rows = 0;
    this.#total = 0;
    return score;
  }
}

/**
 * How alike heads look: the cosine of their maps, 0 for a map without weight.
 *
 * @param maps [heads, numbers]: weights, or pooled means
 * @returns [heads, heads]
 */
export function headSimilarity(kernel: Pick<Kernel, 'matrixMultiply'>, maps: Float32Array, heads: number): Float32Array {
  const numbers = maps.length / heads;
  if (!Number.isInteger(numbers)) throw new RangeError(`maps holds ${maps.length} numbers, which ${heads} heads cannot share.`);
  const products = new Float64Array(heads * heads);
  for (let from = 0; from < numbers; from += SIMILARITY_CHUNK) {
    const depth = Math.min(SIMILARITY_CHUNK, numbers - from);
    const left = new Float32Array(heads * depth);
    const right = new Float32Array(depth * heads);
    for (let head = 0; head < heads; head++) {
      const row = maps.subarray(head * numbers + from, head * numbers + from + depth);
      left.set(row, head * depth);
      for (let k = 0; k < depth; k++) right[k * heads + head] = row[k] as number;
    }
    const chunk = kernel.matrixMultiply({ rows: heads, depth, columns: heads }, left, right);
    for (const [cell, product] of chunk.entries()) products[cell] = (products[cell] as number) + product;
  }
  return Float32Array.from(products, (product, cell) => {
    const row = Math.floor(cell / heads);
    const norms = Math.sqrt((products[row * (heads + 1)] as number) * (products[(cell % heads) * (heads + 1)] as number));
    return norms === 0 ? 0 : product / norms;
  });
}

/** Reads each row of weights once, as it is computed, and keeps the statistics and pooled maps that were asked for. */
export class WeightReader {
  readonly #resolved: ResolvedProblem;
  readonly #sums: Sums[] | undefined;
  readonly #pooled: PooledWeights | undefined;
  readonly #sorted: Float32Array;
  readonly #induction: Induction | undefined;

  constructor(resolved: ResolvedProblem, options: AttentionOptions) {
    this.#resolved = resolved;
    const { queryHeads, keyLength } = resolved;
    this.#sorted = new Float32Array(options.statistics === true ? keyLength : 0);
    if (options.statistics === true) {
      this.#sums = Array.from({ length: queryHeads }, () => ({
        rows: 0,
        previousRows: 0,
        entropy: 0,
        maximum: 0,
        distance: 0,
        first: 0,
        previous: 0,
        self: 0,
        span: 0,
      }));
    }
    this.#pooled = emptyPool(resolved, options);
    if (options.statistics === true && options.tokens !== undefined) this.#induction = new Induction(resolved, options.tokens);
  }

  /** Takes row `row` of head `head`: keyLength weights of `data` from `start`. */
  row(head: number, row: number, data: Float32Array, start: number): void {
    if (this.#sums !== undefined) this.#count(this.#sums[head] as Sums, row, data, start);
    this.#induction?.row(row, data, start);
    if (row === this.#resolved.queryLength - 1 && this.#sums !== undefined) {
      (this.#sums[head] as Sums).induction = this.#induction?.take().induction;
    }
    if (this.#pooled !== undefined) this.#pool(this.#pooled, head, row, data, start);
  }

  #count(sums: Sums, row: number, data: Float32Array, start: number): void {
    const { keyLength, offset, lows, highs } = this.#resolved;
    const low = lows[row] as number;
    const high = highs[row] as number;
    const position = row + offset;
    let total = 0;
    let entropy = 0;
    let distance = 0;
    let maximum = 0;
    for (let j = low; j < high; j++) {
      const weight = data[start + j] as number;
      if (weight === 0) continue;
      total += weight;
      entropy -= weight * Math.log2(weight);
      distance += weight * Math.abs(position - j);
      if (weight > maximum || Number.isNaN(weight)) maximum = weight;
    }
    if (total === 0) return;
    sums.rows++;
    sums.entropy += entropy;
    sums.distance += distance;
    if (maximum > sums.maximum || Number.isNaN(maximum)) sums.maximum = maximum;
    sums.first += data[start] as number;
    if (position >= 0 && position < keyLength) sums.self += data[start + position] as number;
    if (position >= 1 && position <= keyLength) {
      sums.previousRows++;
      sums.previous += data[start + position - 1] as number;
    }
    const sorted = this.#sorted.subarray(0, high - low);
    sorted.set(data.subarray(start + low, start + high));
    sorted.sort();
    let mass = 0;
    let span = 0;
    while (span < sorted.length && mass < SPAN_MASS * total) mass += sorted[sorted.length - ++span] as number;
    sums.span += span;
  }

  #pool(pooled: PooledWeights, head: number, row: number, data: Float32Array, start: number): void {
    const { queryLength, keyLength } = this.#resolved;
    const tile = tileOf(row, pooled.rows, queryLength);
    const base = (head * pooled.rows + tile) * pooled.columns;
    let sum = 0;
    for (let j = 0; j < keyLength; j++) {
      const weight = data[start + j] as number;
      if (weight === 0) continue;
      sum += weight;
      const cell = base + tileOf(j, pooled.columns, keyLength);
      pooled.maximum[cell] = Math.max(pooled.maximum[cell] as number, weight);
      pooled.mean[cell] = (pooled.mean[cell] as number) + weight;
      pooled.columnSums[head * keyLength + j] = (pooled.columnSums[head * keyLength + j] as number) + weight;
    }
    pooled.rowSums[head * queryLength + row] = sum;
  }

  result(): Pick<AttentionResult, 'statistics' | 'pooled'> {
    const statistics = this.#sums?.map(
      (sums): HeadStatistics => ({
        entropy: ratio(sums.entropy, sums.rows),
        maximum: sums.maximum,
        distance: ratio(sums.distance, sums.rows),
        first: ratio(sums.first, sums.rows),
        previous: ratio(sums.previous, sums.previousRows),
        self: ratio(sums.self, sums.rows),
        span: ratio(sums.span, sums.rows),
        ...(sums.induction === undefined ? {} : { induction: sums.induction }),
      }),
    );
    const pooled = this.#pooled;
    if (pooled !== undefined) averagePool(this.#resolved, pooled);
    return { ...(statistics === undefined ? {} : { statistics }), ...(pooled === undefined ? {} : { pooled }) };
  }
}

/** Maps of zeros of the size asked for, at most one tile per token; undefined where none are. Means hold sums until averaged. */
export function emptyPool(resolved: ResolvedProblem, options: AttentionOptions): PooledWeights | undefined {
  if (options.pooled === undefined) return undefined;
  const { queryHeads, queryLength, keyLength } = resolved;
  const rows = Math.min(tileCount('pooled.rows', options.pooled.rows), queryLength);
  const columns = Math.min(tileCount('pooled.columns', options.pooled.columns), keyLength);
  const size = queryHeads * rows * columns;
  return {
    rows,
    columns,
    maximum: new Float32Array(size),
    mean: new Float32Array(size),
    columnSums: new Float32Array(queryHeads * keyLength),
    rowSums: new Float32Array(queryHeads * queryLength),
  };
}

/** Turns the sums of tiles into means, in place. */
export function averagePool(resolved: ResolvedProblem, pooled: PooledWeights): void {
  const heights = tileSizes(resolved.queryLength, pooled.rows);
  const widths = tileSizes(resolved.keyLength, pooled.columns);
  let cell = 0;
  for (let head = 0; head < resolved.queryHeads; head++) {
    for (const height of heights) {
      for (const width of widths) {
        pooled.mean[cell] = (pooled.mean[cell] as number) / (height * width);
        cell++;
      }
    }
  }
}

/** The tile, of `tiles` over `length` items, that an item falls into. */
export function tileOf(item: number, tiles: number, length: number): number {
  return Math.floor(((item + 0.5) * tiles) / length);
}

function tileCount(name: string, value: number): number {
  if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`${name} must be a positive integer, got ${value}.`);
  return value;
}

/** How many of `length` items fall into each of `tiles` tiles. */
function tileSizes(length: number, tiles: number): number[] {
  const sizes = new Array<number>(tiles).fill(0);
  for (let item = 0; item < length; item++) {
    const tile = tileOf(item, tiles, length);
    sizes[tile] = (sizes[tile] as number) + 1;
  }
  return sizes;
}

function ratio(sum: number, count: number): number {
  return count === 0 ? 0 : sum / count;
}
