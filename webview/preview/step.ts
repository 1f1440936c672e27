import type { Kernel } from '../../src/kernel/interface.ts';
import { rmsNorm } from '../../src/kernel/multi-head.ts';
import { resolveProblem } from '../../src/kernel/problem.ts';
import type { SampleLayer } from './projections.ts';
import { headsProblem, type SampleRun } from './run.ts';
import type { Sample } from './sample.ts';

/** One token's way through one head, stage by stage, and through what follows the heads. */
export interface StepNumbers {
  readonly layer: number;
  readonly head: number;
  readonly row: number;
  /** What the layer reads of the token. [width] */
  readonly input: Float32Array;
  /** Its product with the head's query projection, before positions. [headDim] */
  readonly projected: Float32Array;
  /** As it meets the keys. [headDim] */
  readonly query: Float32Array;
  /** The head's keys. [tokens, headDim] */
  readonly keys: Float32Array;
  /** [tokens, valueDim] */
  readonly values: Float32Array;
  /** q · k times the scale, of every key. [tokens] */
  readonly scores: Float32Array;
  /** With soft limit and bias of positions; -infinity where the mask hides the key. [tokens] */
  readonly masked: Float32Array;
  /** [tokens] */
  readonly weights: Float32Array;
  /** The head's result. [valueDim] */
  readonly result: Float32Array;
  /** Of all heads. [queryHeads * valueDim] */
  readonly concatenated: Float32Array;
  /** [width] */
  readonly output: Float32Array;
  readonly scale: number;
  readonly softcap?: number;
}

/** Takes the tensors of a computation apart for one token. Scores and weights are computed again, in double precision. */
export function stepThrough(kernel: Kernel, sample: Sample, run: SampleRun, layer: number, head: number, row: number): StepNumbers {
  const description = sample.layers[layer];
  const computed = run.layers[layer];
  const length = sample.tokens.length;
  if (description === undefined || computed === undefined || row < 0 || row >= length) {
    throw new RangeError(`There is no token ${row} in layer ${layer}.`);
  }
  const problem = headsProblem(description, length);
  const { queryHeads, keyValueHeads, headDim, valueDim, scale = 1 / Math.sqrt(headDim), softcap, mask, relativeBias: bias } = problem;
  const { inputDim } = description.problem;
  if (head < 0 || head >= queryHeads) throw new RangeError(`There is no head ${head}.`);
  const shared = Math.floor(head / (queryHeads / keyValueHeads));
  const { result, input } = computed;
  const slice = (tensor: Float32Array, at: number, width: number): Float32Array => tensor.slice(at * width, (at + 1) * width);
  const query = slice(result.query, head * length + row, headDim);
  const keys = slice(result.key, shared, length * headDim);
  const token = slice(input, row, inputDim);
  const all = queriesOf(kernel, description, token);
  const { lows, highs } = resolveProblem({ queryHeads: 1, queryLength: length, headDim: 1, ...(mask === undefined ? {} : { mask }) });
  const scores = new Float32Array(length);
  const masked = new Float32Array(length).fill(Number.NEGATIVE_INFINITY);
  let largest = Number.NEGATIVE_INFINITY;
  for (let j = 0; j < length; j++) {
    let dot = 0;
    for (let k = 0; k < headDim; k++) dot += (query[k] as number) * (keys[j * headDim + k] as number);
    let score = dot * scale;
    scores[j] = score;
    if (softcap !== undefined) score = softcap * Math.tanh(score / softcap);
    if (bias !== undefined) score += bias[head * (2 * length - 1) + j - row + length - 1] as number;
    if (j < (lows[row] as number) || j >= (highs[row] as number)) continue;
    masked[j] = score;
    largest = Math.max(largest, score);
  }
  const exponentials = Array.from(masked, (score) => (score === Number.NEGATIVE_INFINITY ? 0 : Math.exp(score - largest)));
  const total = exponentials.reduce((a, b) => a + b, 0);
  return {
    layer,
    head,
    row,
    input: token,
    projected: slice(all, head, headDim),
    query,
    keys,
    values: slice(result.value, shared, length * valueDim),
    scores,
    masked,
    weights: Float32Array.from(exponentials, (value) => (total === 0 ? 0 : value / total)),
    result: slice(result.heads, head * length + row, valueDim),
    concatenated: slice(result.concatenated, row, queryHeads * valueDim),
    output: slice(result.output, row, description.problem.outputDim ?? inputDim),
    scale,
    ...(softcap === undefined ? {} : { softcap }),
  };
}

/** Queries of one token, before norm and rotation. [queryHeads * headDim] */
function queriesOf(kernel: Kernel, layer: SampleLayer, token: Float32Array): Float32Array {
  const { inputDim } = layer.problem;
  if (layer.kind === 'plain') {
    const { queryWeight, queryBias } = layer.weights;
    return kernel.matrixMultiply({ rows: 1, depth: inputDim, columns: queryWeight.length / inputDim }, token, queryWeight, queryBias);
  }
  const { queryRank, epsilon = 1e-6 } = layer.problem;
  const { queryDown, queryNorm, queryUp } = layer.weights;
  if (queryRank === undefined || queryDown === undefined || queryNorm === undefined)
    return kernel.matrixMultiply({ rows: 1, depth: inputDim, columns: queryUp.length / inputDim }, token, queryUp);
  const latent = kernel.matrixMultiply({ rows: 1, depth: inputDim, columns: queryRank }, token, queryDown);
  rmsNorm(latent, queryRank, queryNorm, epsilon);
  return kernel.matrixMultiply({ rows: 1, depth: queryRank, columns: queryUp.length / queryRank }, latent, queryUp);
}
