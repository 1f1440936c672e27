import type { AttentionInput, AttentionOptions, AttentionResult, HeadStatistics, PooledWeights } from './interface.ts';
import { type Machine, roundUp } from './machine.ts';
import { planeOffset, type ResolvedProblem } from './problem.ts';
import { averagePool, emptyPool, Induction, tileOf } from './statistics.ts';
import { type Steps, takeArray } from './steps.ts';

/** Queries side by side in a panel (assembly/attention.ts). */
const PANEL = 8;
/** Bytes that the scores and weights of one block of queries may take: they are to stay in the second-level cache. */
const BLOCK_BYTES = 384 * 1024;
/** Most panels of a block: beyond, keys are read often enough from nearby. */
const BLOCK_PANELS = 8;
/** Numbers of a page of memory, where pages are small. */
const PAGE_NUMBERS = 1024;
/** Sums that measureRows keeps (assembly/statistics.ts). */
const STATISTIC_SUMS = 9;

/** Keys and values of every head, packed, in the memory of the machine that attends to them; the values without NaN or extremes. */
export interface PackedCache {
  /** Addresses for a key/value head. */
  keys(head: number): number;
  values(head: number): number;
  /** The largest norm of a key. */
  norm(head: number): number;
  /** Tokens that there is room for. */
  readonly room: number;
}

/** Attention on a machine, one block of queries a step. With a cache the input's keys and values are not looked at. */
export function* attend(
  machine: Machine,
  resolved: ResolvedProblem,
  input: AttentionInput,
  options: AttentionOptions,
  cache?: PackedCache,
): Steps<AttentionResult> {
  const pooled = emptyPool(resolved, options);
  const statistics: HeadStatistics[] = [];
  const { queryHeads, keyValueHeads, group, queryLength, keyLength, headDim, valueDim, relativeBias } = resolved;
  const { exports } = machine;
  const wantWeights = options.weights !== false;
  const wantStatistics = options.statistics === true;
  const induction = wantStatistics && options.tokens !== undefined ? new Induction(resolved, options.tokens) : undefined;
  const paddedKeys = roundUp(keyLength, 8);
  const paddedValues = roundUp(valueDim, 8);
  const panels = Math.max(
    1,
    Math.min(BLOCK_PANELS, Math.floor(BLOCK_BYTES / (2 * PANEL * 4 * paddedKeys)), Math.ceil(queryLength / PANEL)),
  );
  const blockRows = panels * PANEL;
  const masked = resolved.boolean.length + resolved.additive.length > 0;
  const distances = queryLength + keyLength - 1;

  const query = machine.take(blockRows * headDim);
  const own = cache === undefined ? takeKeysAndValues(machine, resolved) : undefined;
  const lows = machine.take(queryLength + PANEL);
  const highs = machine.take(queryLength + PANEL);
  const ranges = machine.take(2 * panels);
  const packed = machine.take(blockRows * headDim);
  const scores = machine.take(blockRows * (paddedKeys + 8));
  const columns = machine.take(blockRows * roundUp(valueDim, 20));
  const inverses = machine.take(blockRows);
  const weights = wantWeights || wantStatistics || pooled !== undefined ? machine.take(blockRows * paddedKeys) : 0;
  const output = machine.take(blockRows * paddedValues);
  const bias = masked ? machine.take(blockRows * keyLength) : relativeBias === undefined ? 0 : machine.take(distances + PANEL);
  const sums = machine.take(2 * STATISTIC_SUMS);
  const pool = pooled === undefined ? undefined : takePool(machine, resolved, pooled);
  machine.commit();
  if (pool !== undefined) machine.write(pool.bounds, pool.boundaries);
  if (pool !== undefined) machine.write(pool.tiles, pool.rowTiles);
  machine.write(lows, resolved.lows);
  machine.write(highs, resolved.highs);
  machine.view(lows + queryLength * 4, PANEL).fill(0);
  machine.view(highs + queryLength * 4, PANEL).fill(0);

  const allOutput = takeArray(options.reuse?.output, queryHeads * queryLength * valueDim);
  const allWeights = wantWeights ? takeArray(options.reuse?.weights, queryHeads * queryLength * keyLength) : undefined;
  for (let shared = 0; shared < keyValueHeads; shared++) {
    const packedKeys = cache?.keys(shared) ?? (own?.packedKeys as number);
    const packedValues = cache?.values(shared) ?? (own?.packedValues as number);
    const { plainValues, norm } =
      own === undefined
        ? { plainValues: 0, norm: cache?.norm(shared) as number }
        : packKeysAndValues(machine, resolved, input, shared, own);
    // How far a query of norm 1 can score, in the kernel's units.
    const reach = norm * Math.abs(resolved.scale) * Math.LOG2E;
    for (let head = shared * group; head < (shared + 1) * group; head++) {
      machine.view(sums, 2 * STATISTIC_SUMS).fill(0);
      if (pool !== undefined) machine.view(pool.maximum, pool.numbers).fill(0);
      if (!masked && relativeBias !== undefined) {
        machine.write(bias, relativeBias.subarray(head * distances, (head + 1) * distances));
        machine.view(bias, distances).reverse();
      }
      for (let row = 0; row < queryLength; row += blockRows) {
        const rows = Math.min(blockRows, queryLength - row);
        const from = head * queryLength + row;
        machine.write(query, input.query.subarray(from * headDim, (from + rows) * headDim));
        let blockBias = 0;
        let biasStride = 0;
        if (masked) {
          fillBias(resolved, head, row, rows, machine.view(bias, rows * keyLength));
          blockBias = bias;
          biasStride = keyLength;
        } else if (relativeBias !== undefined) {
          // The table read backwards: its number for query i and key j is at i + keyLength - 1 - j.
          blockBias = bias + row * 4;
          biasStride = -1;
        }
        exports.attendBlock(
          query,
          rows,
          packedKeys,
          packedValues,
          cache?.room ?? keyLength,
          keyLength,
          headDim,
          valueDim,
          reach,
          (resolved.softcap ?? 0) * Math.LOG2E,
          (resolved.sinks?.[head] ?? Number.NEGATIVE_INFINITY) * Math.LOG2E,
          lows + row * 4,
          highs + row * 4,
          blockBias,
          biasStride,
          ranges,
          packed,
          scores,
          columns,
          inverses,
          weights,
          output,
          plainValues,
        );
        if (paddedValues !== valueDim) exports.closeRows(output, rows, valueDim, paddedValues);
        allOutput.set(machine.view(output, rows * valueDim), from * valueDim);
        if (wantStatistics) {
          exports.measureRows(weights, rows, paddedKeys, keyLength, lows + row * 4, highs + row * 4, row + resolved.offset, sums);
        }
        if (induction !== undefined) {
          const view = machine.view(weights, rows * paddedKeys);
          for (let i = 0; i < rows; i++) induction.row(row + i, view, i * paddedKeys);
        }
        if (pool !== undefined) {
          exports.poolRows(
            weights,
            rows,
            paddedKeys,
            lows + row * 4,
            highs + row * 4,
            pool.bounds,
            pool.columns,
            pool.tiles + row * 4,
            pool.maximum,
            pool.sum,
            pool.columnSums,
            pool.rowSums + row * 4,
          );
        }
        if (allWeights !== undefined) {
          if (paddedKeys !== keyLength) exports.closeRows(weights, rows, keyLength, paddedKeys);
          touchPages(allWeights, from * keyLength, (from + rows) * keyLength);
          allWeights.set(machine.view(weights, rows * keyLength), from * keyLength);
        }
        yield (from + rows) / (queryHeads * queryLength);
      }
      if (pool !== undefined && pooled !== undefined) {
        pooled.maximum.set(machine.view(pool.maximum, pool.cells), head * pool.cells);
        pooled.mean.set(machine.view(pool.sum, pool.cells), head * pool.cells);
        pooled.columnSums.set(machine.view(pool.columnSums, keyLength), head * keyLength);
        pooled.rowSums.set(machine.view(pool.rowSums, queryLength), head * queryLength);
      }
      if (options.statistics === true) statistics.push({ ...headStatistics(machine.doubles(sums, STATISTIC_SUMS)), ...induction?.take() });
      options.progress?.(head + 1, queryHeads);
    }
  }
  if (pooled !== undefined) averagePool(resolved, pooled);
  return {
    output: allOutput,
    ...(allWeights === undefined ? {} : { weights: allWeights }),
    ...(pooled === undefined ? {} : { pooled }),
    ...(options.statistics === true ? { statistics } : {}),
  };
}

/** Room for one head's keys and values, as given and packed. */
function takeKeysAndValues(machine: Machine, { keyLength, headDim, valueDim }: ResolvedProblem) {
  return {
    keys: machine.take(keyLength * headDim),
    values: machine.take(keyLength * valueDim),
    packedKeys: machine.take(roundUp(keyLength, machine.rowTile) * headDim),
    packedValues: machine.take(roundUp(valueDim, machine.rowTile) * keyLength),
  };
}

/**
 * Packs one head's keys and values. Returns where the values stand as given when they cannot be summed up in any order, else 0, and the
 * largest norm of a key.
 */
function packKeysAndValues(
  machine: Machine,
  { keyLength, headDim, valueDim, scale }: ResolvedProblem,
  input: AttentionInput,
  head: number,
  own: ReturnType<typeof takeKeysAndValues>,
): { readonly plainValues: number; readonly norm: number } {
  machine.write(own.keys, input.key.subarray(head * keyLength * headDim, (head + 1) * keyLength * headDim));
  machine.write(own.values, input.value.subarray(head * keyLength * valueDim, (head + 1) * keyLength * valueDim));
  const { exports } = machine;
  exports.packRows(own.keys, keyLength, headDim, headDim, own.packedKeys, scale * Math.LOG2E);
  exports.packValues(own.values, keyLength, valueDim, own.packedValues);
  return {
    plainValues: exports.allModest(own.values, keyLength * valueDim) !== 0 ? 0 : own.values,
    norm: exports.largestNorm(own.keys, keyLength, headDim),
  };
}

/**
 * A fresh array has no memory until it is written to, a page at a time. A block copy that stops at each page is slow, so that pages
 * are asked for first (measured: a tenth of the whole time at 1024 tokens).
 */
function touchPages(array: Float32Array, from: number, to: number): void {
  for (let i = from; i < to; i += PAGE_NUMBERS) array[i] = 0;
}

/** Room for one head's pooled maps, and which tile every row and key belongs to. */
function takePool(machine: Machine, resolved: ResolvedProblem, pooled: PooledWeights) {
  const { queryLength, keyLength } = resolved;
  const { rows, columns } = pooled;
  const cells = rows * columns;
  const boundaries = new Int32Array(columns + 1).fill(keyLength);
  for (let key = keyLength - 1; key >= 0; key--) boundaries[tileOf(key, columns, keyLength)] = key;
  const rowTiles = Int32Array.from({ length: queryLength }, (_, row) => tileOf(row, rows, queryLength));
  const bounds = machine.take(columns + 1);
  const tiles = machine.take(queryLength);
  const numbers = 2 * cells + keyLength + queryLength;
  const maximum = machine.take(numbers);
  return {
    columns,
    cells,
    boundaries,
    rowTiles,
    bounds,
    tiles,
    numbers,
    maximum,
    sum: maximum + cells * 4,
    columnSums: maximum + 2 * cells * 4,
    rowSums: maximum + (2 * cells + keyLength) * 4,
  };
}

function headStatistics(sums: Float64Array): HeadStatistics {
  const [rows = 0, previousRows = 0, entropy = 0, maximum = 0, distance = 0, first = 0, previous = 0, self = 0, span = 0] = sums;
  const mean = (sum: number, count: number): number => (count === 0 ? 0 : sum / count);
  return {
    entropy: mean(entropy, rows),
    maximum,
    distance: mean(distance, rows),
    first: mean(first, rows),
    previous: mean(previous, previousRows),
    self: mean(self, rows),
    span: mean(span, rows),
  };
}

/** The sum of all masks that are no ranges, and of the relative bias, for a block of rows: -infinity hides. */
function fillBias(resolved: ResolvedProblem, head: number, row: number, rows: number, target: Float32Array): void {
  const { queryLength, keyLength, relativeBias } = resolved;
  const count = rows * keyLength;
  target.fill(0);
  if (relativeBias !== undefined) {
    const distances = queryLength + keyLength - 1;
    for (let i = 0; i < rows; i++) {
      const from = head * distances + queryLength - 1 - (row + i);
      target.set(relativeBias.subarray(from, from + keyLength), i * keyLength);
    }
  }
  for (const mask of resolved.additive) {
    const from = planeOffset(resolved, mask, head) + row * keyLength;
    for (let cell = 0; cell < count; cell++) {
      const bias = mask[from + cell] as number;
      // Once hidden stays hidden, whatever another mask adds.
      target[cell] =
        bias === Number.NEGATIVE_INFINITY || target[cell] === Number.NEGATIVE_INFINITY
          ? Number.NEGATIVE_INFINITY
          : (target[cell] as number) + bias;
    }
  }
  for (const mask of resolved.boolean) {
    const from = planeOffset(resolved, mask, head) + row * keyLength;
    for (let cell = 0; cell < count; cell++) if (mask[from + cell] === 0) target[cell] = Number.NEGATIVE_INFINITY;
  }
}
