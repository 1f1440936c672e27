import type { AttentionOptions, Kernel, MultiHeadInput, MultiHeadProblem, MultiHeadResult } from './interface.ts';
import { alibiBias, alibiSlopes, rotate } from './positions.ts';
import { checkHeads, checkShape, maskOffset, positiveInteger } from './problem.ts';

/** [tokens, heads * width] -> [heads, tokens, width] */
export function splitHeads(tensor: Float32Array, tokens: number, heads: number, width: number): Float32Array {
  const split = new Float32Array(tensor.length);
  for (let token = 0; token < tokens; token++) {
    for (let head = 0; head < heads; head++) {
      const from = (token * heads + head) * width;
      split.set(tensor.subarray(from, from + width), (head * tokens + token) * width);
    }
  }
  return split;
}

/** [heads, tokens, width] -> [tokens, heads * width] */
export function joinHeads(tensor: Float32Array, tokens: number, heads: number, width: number): Float32Array {
  const joined = new Float32Array(tensor.length);
  for (let head = 0; head < heads; head++) {
    for (let token = 0; token < tokens; token++) {
      const from = (head * tokens + token) * width;
      joined.set(tensor.subarray(from, from + width), (token * heads + head) * width);
    }
  }
  return joined;
}

/** Each vector of `width` divided by its root mean square, times the gains (Zhang and Sennrich 2019), in place. */
export function rmsNorm(tensor: Float32Array, width: number, gains: Float32Array, epsilon: number): void {
  for (let from = 0; from < tensor.length; from += width) {
    let squares = 0;
    for (let k = 0; k < width; k++) squares += (tensor[from + k] as number) ** 2;
    const inverse = 1 / Math.sqrt(squares / width + epsilon);
    for (let k = 0; k < width; k++) tensor[from + k] = (tensor[from + k] as number) * inverse * (gains[k] as number);
  }
}

/** MultiHead(Q, K, V) = Concat(head_1, ..., head_h) W^O with the products and the attention of the given kernel. */
export function multiHeadAttention(
  kernel: Pick<Kernel, 'attention' | 'matrixMultiply'>,
  problem: MultiHeadProblem,
  input: MultiHeadInput,
  options?: AttentionOptions,
): MultiHeadResult {
  const { queryHeads, headDim } = problem;
  const keyValueHeads = problem.keyValueHeads ?? queryHeads;
  checkHeads(queryHeads, keyValueHeads);
  const queryLength = positiveInteger('queryLength', problem.queryLength);
  const keyLength = positiveInteger('keyLength', problem.keyLength ?? queryLength);
  positiveInteger('headDim', headDim);
  const valueDim = positiveInteger('valueDim', problem.valueDim ?? headDim);
  const inputDim = positiveInteger('inputDim', problem.inputDim);
  const keyValueInputDim = positiveInteger('keyValueInputDim', problem.keyValueInputDim ?? inputDim);
  const outputDim = positiveInteger('outputDim', problem.outputDim ?? inputDim);
  const keyValueInput = input.keyValueInput ?? input.input;
  const queryWidth = queryHeads * headDim;
  const keyWidth = keyValueHeads * headDim;
  const valueWidth = keyValueHeads * valueDim;
  const joinedWidth = queryHeads * valueDim;
  checkShape('input', input.input, { queryLength, inputDim });
  checkShape('keyValueInput', keyValueInput, { keyLength, keyValueInputDim });
  checkShape('queryWeight', input.queryWeight, { inputDim, queryHeads, headDim });
  checkShape('keyWeight', input.keyWeight, { keyValueInputDim, keyValueHeads, headDim });
  checkShape('valueWeight', input.valueWeight, { keyValueInputDim, keyValueHeads, valueDim });
  checkShape('outputWeight', input.outputWeight, { queryHeads, valueDim, outputDim });
  if (input.queryBias !== undefined) checkShape('queryBias', input.queryBias, { queryHeads, headDim });
  if (input.keyBias !== undefined) checkShape('keyBias', input.keyBias, { keyValueHeads, headDim });
  if (input.valueBias !== undefined) checkShape('valueBias', input.valueBias, { keyValueHeads, valueDim });
  if (input.outputBias !== undefined) checkShape('outputBias', input.outputBias, { outputDim });

  const project = (tensor: Float32Array, rows: number, depth: number, weight: Float32Array, columns: number, bias?: Float32Array) =>
    kernel.matrixMultiply({ rows, depth, columns }, tensor, weight, bias);
  const query = splitHeads(
    project(input.input, queryLength, inputDim, input.queryWeight, queryWidth, input.queryBias),
    queryLength,
    queryHeads,
    headDim,
  );
  const key = splitHeads(
    project(keyValueInput, keyLength, keyValueInputDim, input.keyWeight, keyWidth, input.keyBias),
    keyLength,
    keyValueHeads,
    headDim,
  );
  const value = splitHeads(
    project(keyValueInput, keyLength, keyValueInputDim, input.valueWeight, valueWidth, input.valueBias),
    keyLength,
    keyValueHeads,
    valueDim,
  );

  const norm = input.queryKeyNorm;
  if (norm !== undefined) {
    checkShape('queryKeyNorm.query', norm.query, { headDim });
    checkShape('queryKeyNorm.key', norm.key, { headDim });
    rmsNorm(query, headDim, norm.query, norm.epsilon ?? 1e-6);
    rmsNorm(key, headDim, norm.key, norm.epsilon ?? 1e-6);
  }
  const offset = problem.queryOffset ?? maskOffset(problem.mask);
  const positions = problem.positions ?? { kind: 'none' };
  let relativeBias = problem.relativeBias;
  if (positions.kind === 'rotary') {
    rotate(query, queryHeads, queryLength, headDim, positions, offset);
    rotate(key, keyValueHeads, keyLength, headDim, positions, 0);
  } else if (positions.kind === 'alibi') {
    if (relativeBias !== undefined) throw new RangeError('positions alibi and relativeBias cannot be given together.');
    const slopes = positions.slopes ?? alibiSlopes(queryHeads);
    checkShape('positions.slopes', slopes, { queryHeads });
    relativeBias = alibiBias(slopes, queryLength, keyLength, offset);
  }

  const { scale, mask, softcap, sinks } = problem;
  const { output: heads, ...rest } = kernel.attention(
    { queryHeads, keyValueHeads, queryLength, keyLength, headDim, valueDim, scale, mask, softcap, sinks, relativeBias },
    { query, key, value },
    options,
  );
  const concatenated = joinHeads(heads, queryLength, queryHeads, valueDim);
  const output = project(concatenated, queryLength, joinedWidth, input.outputWeight, outputDim, input.outputBias);
  return { query, key, value, heads, concatenated, output, ...rest };
}
