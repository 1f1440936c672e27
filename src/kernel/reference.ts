import { createPlainCache } from './cache.ts';
import type { AttentionInput, AttentionOptions, AttentionProblem, AttentionResult, Kernel, MatrixProblem } from './interface.ts';
import { multiHeadAttentionSteps } from './multi-head.ts';
import { checkInput, checkMatrix, planeOffset, type ResolvedProblem, resolveProblem } from './problem.ts';
import { WeightReader } from './statistics.ts';
import { atOnce, type Steps, takeArray } from './steps.ts';

/** Exponents below this give less than 2^-126, which counts as 0 (see interface.ts). */
const LOWEST = -126 * Math.LN2;

function isVisible(resolved: ResolvedProblem, head: number, row: number, key: number): boolean {
  if (key < (resolved.lows[row] as number) || key >= (resolved.highs[row] as number)) return false;
  const { queryLength, keyLength, relativeBias } = resolved;
  const cell = row * keyLength + key;
  return (
    relativeBias?.[relativeIndex(head, row, key, queryLength, keyLength)] !== Number.NEGATIVE_INFINITY &&
    resolved.boolean.every((mask) => mask[planeOffset(resolved, mask, head) + cell] !== 0) &&
    resolved.additive.every((mask) => mask[planeOffset(resolved, mask, head) + cell] !== -Infinity)
  );
}

function relativeIndex(head: number, row: number, key: number, queryLength: number, keyLength: number): number {
  return head * (queryLength + keyLength - 1) + key - row + queryLength - 1;
}

/** The formula of interface.ts, one number at a time in double precision: the oracle of the tests, and the fallback. */
function* attentionSteps(problem: AttentionProblem, input: AttentionInput, options: AttentionOptions = {}): Steps<AttentionResult> {
  const resolved = resolveProblem(problem);
  checkInput(resolved, input);
  const { queryHeads, group, queryLength, keyLength, headDim, valueDim, scale, softcap } = resolved;
  const output = takeArray(options.reuse?.output, queryHeads * queryLength * valueDim);
  const weights = options.weights === false ? undefined : takeArray(options.reuse?.weights, queryHeads * queryLength * keyLength);
  const reader = new WeightReader(resolved, options);
  const row = new Float64Array(keyLength);
  const row32 = new Float32Array(keyLength);
  const sums = new Float64Array(valueDim);
  for (let head = 0; head < queryHeads; head++) {
    const shared = Math.floor(head / group);
    const sink = resolved.sinks?.[head] ?? Number.NEGATIVE_INFINITY;
    for (let i = 0; i < queryLength; i++) {
      const query = (head * queryLength + i) * headDim;
      let maximum = sink;
      let broken = Number.isNaN(sink) || sink === Number.POSITIVE_INFINITY;
      for (let j = 0; j < keyLength; j++) {
        row[j] = Number.NEGATIVE_INFINITY;
        if (!isVisible(resolved, head, i, j)) continue;
        const key = (shared * keyLength + j) * headDim;
        let dot = 0;
        for (let k = 0; k < headDim; k++) dot += (input.query[query + k] as number) * (input.key[key + k] as number);
        let score = dot * scale;
        if (softcap !== undefined) score = softcap * Math.tanh(score / softcap);
        if (resolved.relativeBias !== undefined) {
          score += resolved.relativeBias[relativeIndex(head, i, j, queryLength, keyLength)] as number;
        }
        for (const mask of resolved.additive) score += mask[planeOffset(resolved, mask, head) + i * keyLength + j] as number;
        row[j] = score;
        if (Number.isNaN(score) || score === Number.POSITIVE_INFINITY) broken = true;
        if (score > maximum) maximum = score;
      }
      if (broken) {
        for (let j = 0; j < keyLength; j++) row32[j] = isVisible(resolved, head, i, j) ? Number.NaN : 0;
      } else {
        const exponential = (score: number): number => (score - maximum < LOWEST ? 0 : Math.exp(score - maximum));
        const empty = maximum === Number.NEGATIVE_INFINITY;
        let sum = empty ? 0 : exponential(sink);
        for (let j = 0; j < keyLength; j++) {
          row[j] = empty ? 0 : exponential(row[j] as number);
          sum += row[j] as number;
        }
        for (let j = 0; j < keyLength; j++) row32[j] = sum === 0 ? 0 : (row[j] as number) / sum;
      }
      sums.fill(0);
      for (let j = 0; j < keyLength; j++) {
        const weight = row32[j] as number;
        if (weight === 0) continue;
        const value = (shared * keyLength + j) * valueDim;
        for (let k = 0; k < valueDim; k++) sums[k] = (sums[k] as number) + weight * (input.value[value + k] as number);
      }
      output.set(sums, (head * queryLength + i) * valueDim);
      weights?.set(row32, (head * queryLength + i) * keyLength);
      reader.row(head, i, row32, 0);
      yield (head * queryLength + i + 1) / (queryHeads * queryLength);
    }
    options.progress?.(head + 1, queryHeads);
  }
  return { output, ...(weights === undefined ? {} : { weights }), ...reader.result() };
}

function* matrixMultiplySteps(
  problem: MatrixProblem,
  left: Float32Array,
  right: Float32Array,
  bias?: Float32Array,
  reuse?: Float32Array,
): Steps<Float32Array> {
  checkMatrix(problem, left, right, bias);
  const { rows, depth, columns, headWidth = columns } = problem;
  const product = takeArray(reuse, rows * columns);
  const sums = new Float64Array(columns);
  for (let i = 0; i < rows; i++) {
    if (bias === undefined) sums.fill(0);
    else sums.set(bias);
    for (let k = 0; k < depth; k++) {
      const factor = left[i * depth + k] as number;
      const from = k * columns;
      for (let j = 0; j < columns; j++) sums[j] = (sums[j] as number) + factor * (right[from + j] as number);
    }
    for (let j = 0; j < columns; j += headWidth) product.set(sums.subarray(j, j + headWidth), j * rows + i * headWidth);
    yield (i + 1) / rows;
  }
  return product;
}

/** The reference in TypeScript: sums in double precision, results rounded to f32. */
export function createReferenceKernel(): Kernel {
  const steps = {
    attentionSteps,
    matrixMultiplySteps,
    multiHeadAttentionSteps: (...[problem, input, options]: Parameters<Kernel['multiHeadAttention']>) =>
      multiHeadAttentionSteps({ attentionSteps, matrixMultiplySteps }, problem, input, options),
  };
  const calls = atOnce(steps);
  return { name: 'typescript', ...steps, ...calls, createCache: (problem) => createPlainCache(calls, problem) };
}
