import type { Kernel, MultiHeadInput, MultiHeadOptions, MultiHeadProblem, MultiHeadResult } from './interface.ts';
import { alibiBias, alibiSlopes, rotateSteps } from './positions.ts';
import { checkHeads, checkShape, maskOffset, positiveInteger } from './problem.ts';
import { finish, inPieces, part, type Steps, takeArray } from './steps.ts';

/** [heads, tokens, width] -> [tokens, heads * width] */
export function* joinHeadsSteps(
  tensor: Float32Array,
  tokens: number,
  heads: number,
  width: number,
  reuse?: Float32Array,
): Steps<Float32Array> {
  const joined = takeArray(reuse, tensor.length);
  yield* inPieces(heads * tokens, width, (first, end) => {
    for (let row = first; row < end; row++) {
      const head = Math.floor(row / tokens);
      joined.set(tensor.subarray(row * width, (row + 1) * width), ((row - head * tokens) * heads + head) * width);
    }
  });
  return joined;
}

/** All of it at once. */
export const joinHeads = (...call: Parameters<typeof joinHeadsSteps>): Float32Array => finish(joinHeadsSteps(...call));

/** Each vector of `width` divided by its root mean square, times the gains (Zhang and Sennrich 2019), in place. */
export function* rmsNormSteps(tensor: Float32Array, width: number, gains: Float32Array, epsilon: number): Steps<void> {
  yield* inPieces(Math.ceil(tensor.length / width), width, (first, end) => {
    for (let from = first * width; from < end * width; from += width) {
      let squares = 0;
      for (let k = 0; k < width; k++) squares += (tensor[from + k] as number) ** 2;
      const inverse = 1 / Math.sqrt(squares / width + epsilon);
      for (let k = 0; k < width; k++) tensor[from + k] = (tensor[from + k] as number) * inverse * (gains[k] as number);
    }
  });
}

/** All of it at once. */
export const rmsNorm = (...call: Parameters<typeof rmsNormSteps>): void => finish(rmsNormSteps(...call));

/** A multi-head problem with its defaults filled in. Widths in features. */
export interface MultiHeadSizes {
  readonly queryHeads: number;
  readonly keyValueHeads: number;
  readonly headDim: number;
  readonly valueDim: number;
  readonly inputDim: number;
  readonly keyValueInputDim: number;
  readonly outputDim: number;
}

/** Fills in default widths. Throws RangeError on sizes that cannot be, and on projections that do not have them. */
export function multiHeadSizes(problem: Omit<MultiHeadProblem, 'queryLength'>, input: Omit<MultiHeadInput, 'input'>): MultiHeadSizes {
  const { queryHeads } = problem;
  const keyValueHeads = problem.keyValueHeads ?? queryHeads;
  checkHeads(queryHeads, keyValueHeads);
  const headDim = positiveInteger('headDim', problem.headDim);
  const valueDim = positiveInteger('valueDim', problem.valueDim ?? headDim);
  const inputDim = positiveInteger('inputDim', problem.inputDim);
  const keyValueInputDim = positiveInteger('keyValueInputDim', problem.keyValueInputDim ?? inputDim);
  const outputDim = positiveInteger('outputDim', problem.outputDim ?? inputDim);
  checkShape('queryWeight', input.queryWeight, { inputDim, queryHeads, headDim });
  checkShape('keyWeight', input.keyWeight, { keyValueInputDim, keyValueHeads, headDim });
  checkShape('valueWeight', input.valueWeight, { keyValueInputDim, keyValueHeads, valueDim });
  checkShape('outputWeight', input.outputWeight, { queryHeads, valueDim, outputDim });
  if (input.queryBias !== undefined) checkShape('queryBias', input.queryBias, { queryHeads, headDim });
  if (input.keyBias !== undefined) checkShape('keyBias', input.keyBias, { keyValueHeads, headDim });
  if (input.valueBias !== undefined) checkShape('valueBias', input.valueBias, { keyValueHeads, valueDim });
  if (input.outputBias !== undefined) checkShape('outputBias', input.outputBias, { outputDim });
  if (input.queryKeyNorm !== undefined) {
    checkShape('queryKeyNorm.query', input.queryKeyNorm.query, { headDim });
    checkShape('queryKeyNorm.key', input.queryKeyNorm.key, { headDim });
  }
  return { queryHeads, keyValueHeads, headDim, valueDim, inputDim, keyValueInputDim, outputDim };
}

type Products = Pick<Kernel, 'matrixMultiplySteps'>;

/** Queries of `tokens` tokens, after norm and rotation, the first at position `offset`. [queryHeads, tokens, headDim] */
export function* projectQueries(
  kernel: Products,
  sizes: MultiHeadSizes,
  positions: MultiHeadProblem['positions'],
  input: MultiHeadInput,
  tokens: number,
  offset: number,
  reuse?: Partial<MultiHeadResult>,
): Steps<Float32Array> {
  const { queryHeads, headDim, inputDim } = sizes;
  const product = { rows: tokens, depth: inputDim, columns: queryHeads * headDim, headWidth: headDim };
  const query = yield* part(kernel.matrixMultiplySteps(product, input.input, input.queryWeight, input.queryBias, reuse?.query), 0, 0.8);
  const { queryKeyNorm } = input;
  if (queryKeyNorm !== undefined) yield* part(rmsNormSteps(query, headDim, queryKeyNorm.query, queryKeyNorm.epsilon ?? 1e-6), 0.8, 0.9);
  if (positions?.kind === 'rotary') yield* part(rotateSteps(query, queryHeads, tokens, headDim, positions, offset), 0.9, 1);
  return query;
}

/** Keys, after norm and rotation, and values of `tokens` tokens, the first at position `offset`. */
export function* projectKeysAndValues(
  kernel: Products,
  sizes: MultiHeadSizes,
  positions: MultiHeadProblem['positions'],
  input: MultiHeadInput,
  tokens: number,
  offset: number,
  reuse?: Partial<MultiHeadResult>,
): Steps<{ readonly key: Float32Array; readonly value: Float32Array }> {
  const { keyValueHeads, headDim, valueDim, keyValueInputDim } = sizes;
  const from = input.keyValueInput ?? input.input;
  const product = (width: number) => ({ rows: tokens, depth: keyValueInputDim, columns: keyValueHeads * width, headWidth: width });
  const half = headDim / (headDim + valueDim);
  const { queryKeyNorm } = input;
  const key = yield* part(kernel.matrixMultiplySteps(product(headDim), from, input.keyWeight, input.keyBias, reuse?.key), 0, 0.8 * half);
  if (queryKeyNorm !== undefined)
    yield* part(rmsNormSteps(key, headDim, queryKeyNorm.key, queryKeyNorm.epsilon ?? 1e-6), 0.8 * half, 0.9 * half);
  if (positions?.kind === 'rotary') yield* part(rotateSteps(key, keyValueHeads, tokens, headDim, positions, offset), 0.9 * half, half);
  const value = yield* part(kernel.matrixMultiplySteps(product(valueDim), from, input.valueWeight, input.valueBias, reuse?.value), half, 1);
  return { key, value };
}

/** The bias of ALiBi where positions ask for it, else the one given. */
export function positionBias(
  problem: Pick<MultiHeadProblem, 'queryHeads' | 'positions' | 'relativeBias'>,
  queryLength: number,
  keyLength: number,
  offset: number,
): Float32Array | undefined {
  const { positions, relativeBias, queryHeads } = problem;
  if (positions?.kind !== 'alibi') return relativeBias;
  if (relativeBias !== undefined) throw new RangeError('positions alibi and relativeBias cannot be given together.');
  const slopes = positions.slopes ?? alibiSlopes(queryHeads);
  checkShape('positions.slopes', slopes, { queryHeads });
  return alibiBias(slopes, queryLength, keyLength, offset);
}

/** Concatenates heads and projects them. */
export function* projectOutput(
  kernel: Products,
  sizes: MultiHeadSizes,
  input: Pick<MultiHeadInput, 'outputWeight' | 'outputBias'>,
  heads: Float32Array,
  tokens: number,
  reuse?: Partial<MultiHeadResult>,
): Steps<{ readonly concatenated: Float32Array; readonly output: Float32Array }> {
  const { queryHeads, valueDim, outputDim } = sizes;
  const concatenated = yield* part(joinHeadsSteps(heads, tokens, queryHeads, valueDim, reuse?.concatenated), 0, 0.1);
  const product = { rows: tokens, depth: queryHeads * valueDim, columns: outputDim };
  const multiplied = kernel.matrixMultiplySteps(product, concatenated, input.outputWeight, input.outputBias, reuse?.output);
  const output = yield* part(multiplied, 0.1, 1);
  return { concatenated, output };
}

/** MultiHead(Q, K, V) = Concat(head_1, ..., head_h) W^O with the products and the attention of the given kernel. */
export function* multiHeadAttentionSteps(
  kernel: Pick<Kernel, 'attentionSteps' | 'matrixMultiplySteps'>,
  problem: MultiHeadProblem,
  input: MultiHeadInput,
  options: MultiHeadOptions = {},
): Steps<MultiHeadResult> {
  const queryLength = positiveInteger('queryLength', problem.queryLength);
  const keyLength = positiveInteger('keyLength', problem.keyLength ?? queryLength);
  const sizes = multiHeadSizes(problem, input);
  const { queryHeads, keyValueHeads, headDim, valueDim, inputDim, keyValueInputDim, outputDim } = sizes;
  checkShape('input', input.input, { queryLength, inputDim });
  checkShape('keyValueInput', input.keyValueInput ?? input.input, { keyLength, keyValueInputDim });

  const { positions, scale, mask, softcap, sinks } = problem;
  const { reuse, ...rest } = options;
  const offset = problem.queryOffset ?? maskOffset(mask);
  // Multiplications of each part, which is what its time goes with.
  const queryWork = queryLength * inputDim * queryHeads * headDim;
  const keyWork = keyLength * keyValueInputDim * keyValueHeads * (headDim + valueDim);
  const attentionWork = queryHeads * queryLength * keyLength * (headDim + valueDim);
  const work = queryWork + keyWork + attentionWork + queryLength * queryHeads * valueDim * outputDim;
  const projected = (queryWork + keyWork) / work;
  const attended = projected + attentionWork / work;
  const query = yield* part(projectQueries(kernel, sizes, positions, input, queryLength, offset, reuse), 0, queryWork / work);
  const { key, value } = yield* part(
    projectKeysAndValues(kernel, sizes, positions, input, keyLength, 0, reuse),
    queryWork / work,
    projected,
  );
  const relativeBias = positionBias(problem, queryLength, keyLength, offset);
  const attention = yield* part(
    kernel.attentionSteps(
      { queryHeads, keyValueHeads, queryLength, keyLength, headDim, valueDim, scale, mask, softcap, sinks, relativeBias },
      { query, key, value },
      { ...rest, ...(reuse === undefined ? {} : { reuse: { output: reuse.heads, weights: reuse.weights } }) },
    ),
    projected,
    attended,
  );
  const { output: heads, ...measured } = attention;
  const { concatenated, output } = yield* part(projectOutput(kernel, sizes, input, heads, queryLength, reuse), attended, 1);
  return { query, key, value, heads, concatenated, output, ...measured };
}
