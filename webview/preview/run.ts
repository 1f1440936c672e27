import type {
  AttentionOptions,
  HeadStatistics,
  Kernel,
  MultiHeadProblem,
  MultiHeadResult,
  PooledWeights,
} from '../../src/kernel/interface.ts';
import { joinHeads, rmsNorm } from '../../src/kernel/multi-head.ts';
import { generator, hash, type Sample } from './sample.ts';

/** One layer as it was computed. */
export interface LayerRun {
  /** What the attention read. [tokens, width] */
  readonly input: Float32Array;
  readonly result: Omit<MultiHeadResult, 'weights' | 'statistics' | 'pooled'>;
}

export interface SampleRun {
  readonly layers: readonly LayerRun[];
  /** The residual stream after the last layer, or its output where there is none. [tokens, width] */
  readonly output: Float32Array;
  /** Weights [layers * heads, tokens, tokens], or their largest over tiles. */
  readonly maps: Float32Array;
  readonly size: number;
  /** Largest and mean of tiles, where pooled. */
  readonly pooled?: { readonly mean: Float32Array };
  readonly statistics: readonly HeadStatistics[];
}

export interface RunOptions {
  /** Rows and columns of pooled maps; absent: all weights. */
  readonly pooled?: number;
  readonly dropout?: { readonly rate: number; readonly seed: number };
  readonly progress?: (done: number, heads: number) => void;
}

/** What layer `index` reads of the stream `x`. */
export function layerInput({ layers, width }: Sample, index: number, x: Float32Array, epsilon: number): Float32Array {
  const norm = layers[index]?.norm;
  if (norm === undefined) return x;
  const normed = x.slice();
  rmsNorm(normed, width, norm, epsilon);
  return normed;
}

/** Adds two tensors of a size. */
export const sum = (a: Float32Array, b: Float32Array): Float32Array => a.map((value, i) => value + (b[i] as number));

/** Computes every layer of a sample, one after the other, each on the residual stream where the model has one. */
export function runSample(kernel: Kernel, sample: Sample, options: RunOptions = {}, epsilon = 1e-6): SampleRun {
  const { layers, tokens } = sample;
  const heads = layers[0]?.problem.queryHeads ?? 0;
  const runs: LayerRun[] = [];
  const parts: Float32Array[] = [];
  const means: Float32Array[] = [];
  const statistics: HeadStatistics[] = [];
  // One token alone comes again everywhere, which tells nothing of what a head looks for.
  const told = new Set(sample.ids).size > 1;
  let size = tokens.length;
  let x = sample.input;
  for (const [index, { problem, weights, norm }] of layers.entries()) {
    const input = layerInput(sample, index, x, epsilon);
    const asked: AttentionOptions = {
      weights: options.pooled === undefined,
      ...(options.pooled === undefined ? {} : { pooled: { rows: options.pooled, columns: options.pooled } }),
      statistics: true,
      ...(told ? { tokens: sample.ids } : {}),
      progress: (done) => options.progress?.(index * heads + done, layers.length * heads),
    };
    const { weights: full, statistics: found = [], pooled, ...result } = kernel.multiHeadAttention(problem, { ...weights, input }, asked);
    let run: LayerRun = { input, result };
    if (full !== undefined && options.dropout !== undefined && options.dropout.rate > 0) {
      drop(full, options.dropout.rate, hash(`dropout ${index}`) ^ options.dropout.seed);
      run = { input, result: { ...result, ...attend(kernel, problem, weights.outputWeight, full, result.value, tokens.length) } };
    }
    runs.push(run);
    parts.push((full ?? (pooled as PooledWeights).maximum) as Float32Array);
    if (pooled !== undefined) means.push(pooled.mean);
    size = pooled?.rows ?? tokens.length;
    statistics.push(...found);
    x = norm === undefined ? run.result.output : sum(x, run.result.output);
  }
  return {
    layers: runs,
    output: x,
    maps: joined(parts),
    size,
    ...(means.length === 0 ? {} : { pooled: { mean: joined(means) } }),
    statistics,
  };
}

function joined(parts: readonly Float32Array[]): Float32Array {
  if (parts.length === 1) return parts[0] as Float32Array;
  const whole = new Float32Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Drops weights at random and makes the rest larger for it (Srivastava et al. 2014), in place. */
function drop(weights: Float32Array, rate: number, seed: number): void {
  const next = generator(seed);
  for (let i = 0; i < weights.length; i++) weights[i] = next() < 2 * rate - 1 ? 0 : (weights[i] as number) / (1 - rate);
}

/** Values of given weights, concatenated and projected. */
function attend(
  kernel: Kernel,
  problem: MultiHeadProblem,
  outputWeight: Float32Array,
  weights: Float32Array,
  value: Float32Array,
  length: number,
): Pick<MultiHeadResult, 'heads' | 'concatenated' | 'output'> {
  const { queryHeads, keyValueHeads = queryHeads, headDim, valueDim = headDim, inputDim } = problem;
  const heads = new Float32Array(queryHeads * length * valueDim);
  for (let head = 0; head < queryHeads; head++) {
    const shared = Math.floor(head / (queryHeads / keyValueHeads));
    const rows = weights.subarray(head * length * length, (head + 1) * length * length);
    const values = value.subarray(shared * length * valueDim, (shared + 1) * length * valueDim);
    heads.set(kernel.matrixMultiply({ rows: length, depth: length, columns: valueDim }, rows, values), head * length * valueDim);
  }
  const concatenated = joinHeads(heads, length, queryHeads, valueDim);
  const product = { rows: length, depth: queryHeads * valueDim, columns: inputDim };
  return { heads, concatenated, output: kernel.matrixMultiply(product, concatenated, outputWeight) };
}
