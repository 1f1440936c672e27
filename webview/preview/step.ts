import type { Kernel } from '../../src/kernel/interface.ts';
import { positionBias } from '../../src/kernel/multi-head.ts';
import { resolveProblem } from '../../src/kernel/problem.ts';
import type { SampleRun } from './run.ts';
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
  const { problem, weights: given } = description;
  const { queryHeads, keyValueHeads = queryHeads, headDim, valueDim = headDim, inputDim } = problem;
  if (head < 0 || head >= queryHeads) throw new RangeError(`There is no head ${head}.`);
  const shared = Math.floor(head / (queryHeads / keyValueHeads));
  const { scale = 1 / Math.sqrt(headDim), softcap, mask } = problem;
  const { result, input } = computed;
  const slice = (tensor: Float32Array, at: number, width: number): Float32Array => tensor.slice(at * width, (at + 1) * width);
  const query = slice(result.query, head * length + row, headDim);
  const keys = slice(result.key, shared, length * headDim);
  const token = slice(input, row, inputDim);
  const all = kernel.matrixMultiply({ rows: 1, depth: inputDim, columns: queryHeads * headDim }, token, given.queryWeight, given.queryBias);
  const { lows, highs } = resolveProblem({ queryHeads: 1, queryLength: length, headDim: 1, ...(mask === undefined ? {} : { mask }) });
  const bias = positionBias(problem, length, length, 0);
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
    output: slice(result.output, row, problem.outputDim ?? inputDim),
    scale,
    ...(softcap === undefined ? {} : { softcap }),
  };
}
