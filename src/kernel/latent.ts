import type { Kernel, LatentInput, LatentProblem, LatentResult, MultiHeadOptions, RotaryPositions, Steps } from './interface.ts';
import { projectOutput, rmsNormSteps } from './multi-head.ts';
import { rotateSteps } from './positions.ts';
import { checkShape, maskOffset, positiveInteger } from './problem.ts';
import { inPieces, part } from './steps.ts';

/** Takes `width` features from `start` on out of each row. [rows, width] */
function* slice(tensor: Float32Array, rows: number, rowWidth: number, start: number, width: number): Steps<Float32Array> {
  const taken = new Float32Array(rows * width);
  yield* inPieces(rows, width, (first, end) => {
    for (let row = first; row < end; row++) taken.set(tensor.subarray(row * rowWidth + start, row * rowWidth + start + width), row * width);
  });
  return taken;
}

/**
 * Multi-head latent attention (DeepSeek-V2, 2024): keys and values are made from one narrow latent per token; each key has a part of
 * its own without position and a rotated part that all heads share.
 */
export function* latentAttentionSteps(
  kernel: Pick<Kernel, 'attentionSteps' | 'matrixMultiplySteps'>,
  problem: LatentProblem,
  input: LatentInput,
  options: MultiHeadOptions = {},
): Steps<LatentResult> {
  const tokens = positiveInteger('queryLength', problem.queryLength);
  const queryHeads = positiveInteger('queryHeads', problem.queryHeads);
  const inputDim = positiveInteger('inputDim', problem.inputDim);
  const keyValueRank = positiveInteger('keyValueRank', problem.keyValueRank);
  const plainDim = positiveInteger('plainDim', problem.plainDim);
  const rotaryDim = positiveInteger('rotaryDim', problem.rotaryDim);
  const valueDim = positiveInteger('valueDim', problem.valueDim);
  const headDim = plainDim + rotaryDim;
  const outputDim = positiveInteger('outputDim', problem.outputDim ?? inputDim);
  const epsilon = problem.epsilon ?? 1e-6;
  checkShape('input', input.input, { queryLength: tokens, inputDim });
  checkShape('keyValueDown', input.keyValueDown, { inputDim, 'keyValueRank + rotaryDim': keyValueRank + rotaryDim });
  checkShape('keyValueNorm', input.keyValueNorm, { keyValueRank });
  checkShape('keyValueUp', input.keyValueUp, { keyValueRank, queryHeads, 'plainDim + valueDim': plainDim + valueDim });
  checkShape('outputWeight', input.outputWeight, { queryHeads, valueDim, outputDim });
  const positions: RotaryPositions = { kind: 'rotary', ...problem.positions, rotaryDim };
  const offset = problem.queryOffset ?? maskOffset(problem.mask);

  let narrow = input.input;
  let narrowDim = inputDim;
  if (problem.queryRank !== undefined) {
    narrowDim = positiveInteger('queryRank', problem.queryRank);
    if (input.queryDown === undefined || input.queryNorm === undefined) throw new RangeError('queryRank needs queryDown and queryNorm.');
    checkShape('queryDown', input.queryDown, { inputDim, queryRank: narrowDim });
    checkShape('queryNorm', input.queryNorm, { queryRank: narrowDim });
    const product = { rows: tokens, depth: inputDim, columns: narrowDim };
    narrow = yield* part(kernel.matrixMultiplySteps(product, narrow, input.queryDown), 0, 0.08);
    yield* part(rmsNormSteps(narrow, narrowDim, input.queryNorm, epsilon), 0.08, 0.1);
  }
  checkShape('queryUp', input.queryUp, { 'queryRank or inputDim': narrowDim, queryHeads, 'plainDim + rotaryDim': headDim });
  const upward = { rows: tokens, depth: narrowDim, columns: queryHeads * headDim, headWidth: headDim };
  const query = yield* part(kernel.matrixMultiplySteps(upward, narrow, input.queryUp), 0.1, 0.18);
  yield* part(rotateSteps(query, queryHeads, tokens, headDim, { ...positions, start: plainDim }, offset), 0.18, 0.2);

  const downDim = keyValueRank + rotaryDim;
  const downward = { rows: tokens, depth: inputDim, columns: downDim };
  const down = yield* part(kernel.matrixMultiplySteps(downward, input.input, input.keyValueDown), 0.2, 0.25);
  const latent = yield* part(slice(down, tokens, downDim, 0, keyValueRank), 0.25, 0.26);
  yield* part(rmsNormSteps(latent, keyValueRank, input.keyValueNorm, epsilon), 0.26, 0.27);
  const sharedKey = yield* part(slice(down, tokens, downDim, keyValueRank, rotaryDim), 0.27, 0.28);
  yield* part(rotateSteps(sharedKey, 1, tokens, rotaryDim, positions, 0), 0.28, 0.29);
  const upDim = plainDim + valueDim;
  const expand = { rows: tokens, depth: keyValueRank, columns: queryHeads * upDim, headWidth: upDim };
  const up = yield* part(kernel.matrixMultiplySteps(expand, latent, input.keyValueUp), 0.3, 0.36);
  const rows = queryHeads * tokens;
  const value = yield* part(slice(up, rows, upDim, plainDim, valueDim), 0.36, 0.38);
  const key = new Float32Array(rows * headDim);
  const keys = inPieces(rows, headDim, (first, end) => {
    for (let row = first; row < end; row++) {
      key.set(up.subarray(row * upDim, row * upDim + plainDim), row * headDim);
      const token = row % tokens;
      key.set(sharedKey.subarray(token * rotaryDim, (token + 1) * rotaryDim), row * headDim + plainDim);
    }
  });
  yield* part(keys, 0.38, 0.4);

  const { scale, mask, softcap, sinks } = problem;
  const { reuse, ...rest } = options;
  const { output: heads, ...measured } = yield* part(
    kernel.attentionSteps(
      { queryHeads, queryLength: tokens, headDim, valueDim, scale, mask, softcap, sinks },
      { query, key, value },
      { ...rest, ...(reuse === undefined ? {} : { reuse: { output: reuse.heads, weights: reuse.weights } }) },
    ),
    0.4,
    0.9,
  );
  const sizes = { queryHeads, keyValueHeads: queryHeads, headDim, valueDim, inputDim, keyValueInputDim: inputDim, outputDim };
  const projected = yield* part(projectOutput(kernel, sizes, input, heads, tokens, reuse), 0.9, 1);
  return { query, key, value, heads, ...projected, ...measured, latent, sharedKey };
}
