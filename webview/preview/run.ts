import type {
  AttentionProblem,
  HeadStatistics,
  Kernel,
  LatentResult,
  MultiHeadOptions,
  MultiHeadResult,
  Steps,
} from '../../src/kernel/interface.ts';
import { latentAttentionSteps } from '../../src/kernel/latent.ts';
import { joinHeads, multiHeadAttentionSteps, positionBias, rmsNormSteps } from '../../src/kernel/multi-head.ts';
import { finish, part } from '../../src/kernel/steps.ts';
import { afterBlock, normed } from './block.ts';
import { joined } from './parallel.ts';
import type { SampleLayer } from './projections.ts';
import { generator, hash } from './random.ts';
import type { Sample } from './sample.ts';

export type Products = Pick<Kernel, 'attentionSteps' | 'matrixMultiplySteps'>;

/** One layer as it was computed. */
export interface LayerRun {
  /** What the attention read. [tokens, width] */
  readonly input: Float32Array;
  readonly result: Omit<MultiHeadResult, 'weights' | 'statistics' | 'pooled'> & Partial<Pick<LatentResult, 'latent' | 'sharedKey'>>;
}

export interface SampleRun {
  readonly layers: readonly LayerRun[];
  /** What the first of them was given, before its norm. [tokens, width] */
  readonly start: Float32Array;
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
}

/** What a layer's attention reads of the stream `x`. [tokens, width] */
export function* layerInput({ norm, block }: SampleLayer, width: number, x: Float32Array, epsilon: number): Steps<Float32Array> {
  if (block !== undefined) return yield* normed(x, width, block.attentionNorm, block.traits);
  if (norm === undefined) return x;
  const result = x.slice();
  yield* rmsNormSteps(result, width, norm, epsilon);
  return result;
}

/** The stream after a layer whose attention read `read` and gave `attention`; undefined where there is no stream. [tokens, width] */
export function* layerOutput(
  kernel: Pick<Kernel, 'matrixMultiplySteps'>,
  { norm, block }: SampleLayer,
  width: number,
  x: Float32Array,
  read: Float32Array,
  attention: Float32Array,
): Steps<Float32Array | undefined> {
  if (block !== undefined) return yield* afterBlock(kernel, block, width, x, read, attention);
  return norm === undefined ? undefined : sum(x, attention);
}

/** The stream that the first layer shown reads: through the layers before it. [tokens, width] */
function* streamSteps(kernel: Products, { before, input, width }: Sample, epsilon: number): Steps<Float32Array> {
  let x = input;
  for (const [index, layer] of before.entries()) {
    const [from, to] = [index / before.length, (index + 1) / before.length];
    const read = yield* part(layerInput(layer, width, x, epsilon), from, from);
    const asked = { weights: false };
    const steps: Steps<MultiHeadResult | LatentResult> =
      layer.kind === 'latent'
        ? latentAttentionSteps(kernel, layer.problem, { ...layer.weights, input: read }, asked)
        : multiHeadAttentionSteps(kernel, layer.problem, { ...layer.weights, input: read }, asked);
    const { output } = yield* part(steps, from, (from + to) / 2);
    x = (yield* part(layerOutput(kernel, layer, width, x, read, output), (from + to) / 2, (from + to) / 2)) ?? x;
  }
  return x;
}

/** Adds two tensors of a size. */
export const sum = (a: Float32Array, b: Float32Array): Float32Array => a.map((value, i) => value + (b[i] as number));

/** The attention of a layer's heads, once their queries, keys and values are made. */
export function headsProblem(
  layer: SampleLayer,
  tokens: number,
): AttentionProblem & { readonly keyValueHeads: number; readonly valueDim: number } {
  const { queryHeads, scale, mask, softcap, sinks } = layer.problem;
  const common = { queryHeads, queryLength: tokens, scale, mask, softcap, sinks };
  if (layer.kind === 'latent') {
    const { plainDim, rotaryDim, valueDim } = layer.problem;
    return { ...common, keyValueHeads: queryHeads, headDim: plainDim + rotaryDim, valueDim };
  }
  const { keyValueHeads = queryHeads, headDim, valueDim = headDim } = layer.problem;
  return { ...common, keyValueHeads, headDim, valueDim, relativeBias: positionBias(layer.problem, tokens, tokens, 0) };
}

/** Computes every layer of a sample: each on the residual stream where the model has one, else all on the sample's input. */
export function* runSampleSteps(kernel: Products, sample: Sample, options: RunOptions = {}, epsilon = 1e-6): Steps<SampleRun> {
  const { layers, tokens } = sample;
  const runs: LayerRun[] = [];
  const pooledParts: Float32Array[] = [];
  const means: Float32Array[] = [];
  const statistics: HeadStatistics[] = [];
  // One token alone comes again everywhere, which tells nothing of what a head looks for.
  const told = new Set(sample.ids).size > 1;
  const heads = layers.map(({ problem }) => problem.queryHeads);
  const cells = options.pooled === undefined ? tokens.length ** 2 : 0;
  // Every layer writes its own part of one array, which saves a copy.
  const maps = new Float32Array(heads.reduce((total, each) => total + each, 0) * cells);
  let at = 0;
  let size = tokens.length;
  const all = sample.before.length + layers.length;
  /** The part of the work that is done before a layer. */
  const until = (index: number): number => (sample.before.length + index) / all;
  let x = yield* part(streamSteps(kernel, sample, epsilon), 0, until(0));
  const start = x;
  let output = x;
  for (const [index, layer] of layers.entries()) {
    const input = yield* part(layerInput(layer, sample.width, x, epsilon), until(index), until(index));
    const own = maps.subarray(at, at + (heads[index] as number) * cells);
    at += own.length;
    const asked: MultiHeadOptions = {
      weights: options.pooled === undefined,
      ...(own.length === 0 ? {} : { reuse: { weights: own } }),
      ...(options.pooled === undefined ? {} : { pooled: { rows: options.pooled, columns: options.pooled } }),
      statistics: true,
      ...(told ? { tokens: sample.ids } : {}),
    };
    const steps: Steps<MultiHeadResult | LatentResult> =
      layer.kind === 'latent'
        ? latentAttentionSteps(kernel, layer.problem, { ...layer.weights, input }, asked)
        : multiHeadAttentionSteps(kernel, layer.problem, { ...layer.weights, input }, asked);
    const { weights: full, statistics: found = [], pooled, ...result } = yield* part(steps, until(index), until(index + 1));
    let run: LayerRun = { input, result };
    if (full !== undefined && full !== own) own.set(full);
    if (full !== undefined && options.dropout !== undefined && options.dropout.rate > 0) {
      drop(own, options.dropout.rate, hash(`dropout ${index}`) ^ options.dropout.seed);
      run = { input, result: { ...result, ...(yield* attend(kernel, layer, own, result.value, tokens.length)) } };
    }
    runs.push(run);
    if (pooled !== undefined) {
      pooledParts.push(pooled.maximum);
      means.push(pooled.mean);
    }
    size = pooled?.rows ?? tokens.length;
    statistics.push(...found);
    output = run.result.output;
    const stream = yield* part(layerOutput(kernel, layer, sample.width, x, input, output), until(index + 1), until(index + 1));
    if (stream !== undefined) {
      x = stream;
      output = x;
    }
  }
  return {
    layers: runs,
    start,
    output,
    maps: pooledParts.length === 0 ? maps : joined(pooledParts),
    size,
    ...(means.length === 0 ? {} : { pooled: { mean: joined(means) } }),
    statistics,
  };
}

/** All of it at once. */
export const runSample = (...call: Parameters<typeof runSampleSteps>): SampleRun => finish(runSampleSteps(...call));

/** Drops weights at random and makes the rest larger for it (Srivastava et al. 2014), in place. */
function drop(weights: Float32Array, rate: number, seed: number): void {
  const next = generator(seed);
  for (let i = 0; i < weights.length; i++) weights[i] = next() < 2 * rate - 1 ? 0 : (weights[i] as number) / (1 - rate);
}

/** Values of given weights, concatenated and projected. */
function* attend(
  kernel: Products,
  layer: SampleLayer,
  weights: Float32Array,
  value: Float32Array,
  length: number,
): Steps<Pick<MultiHeadResult, 'heads' | 'concatenated' | 'output'>> {
  const { queryHeads, keyValueHeads, valueDim } = headsProblem(layer, length);
  const { outputWeight } = layer.weights;
  const heads = new Float32Array(queryHeads * length * valueDim);
  for (let head = 0; head < queryHeads; head++) {
    const shared = Math.floor(head / (queryHeads / keyValueHeads));
    const rows = weights.subarray(head * length * length, (head + 1) * length * length);
    const values = value.subarray(shared * length * valueDim, (shared + 1) * length * valueDim);
    const product = { rows: length, depth: length, columns: valueDim };
    heads.set(yield* kernel.matrixMultiplySteps(product, rows, values), head * length * valueDim);
  }
  const concatenated = joinHeads(heads, length, queryHeads, valueDim);
  const product = { rows: length, depth: queryHeads * valueDim, columns: outputWeight.length / (queryHeads * valueDim) };
  return { heads, concatenated, output: yield* kernel.matrixMultiplySteps(product, concatenated, outputWeight) };
}
