import { createDecoder, type DecodeMask } from '../../src/kernel/decode.ts';
import type { Kernel, LatentInput, LatentProblem, RotaryPositions } from '../../src/kernel/interface.ts';
import { joinHeads, rmsNorm } from '../../src/kernel/multi-head.ts';
import { rotate } from '../../src/kernel/positions.ts';
import type { SampleLayer } from './projections.ts';

/** One layer that reads a token at a time. */
export interface LayerDecoder {
  /** Numbers in its cache. */
  readonly cached: number;
  /** @param token [inputDim] @returns the token's result [outputDim] and its row of every head [queryHeads, tokens so far] */
  step(token: Float32Array): { readonly output: Float32Array; readonly weights: Float32Array };
}

/** @param tokens of the whole text: a bias by distance is given for all of it */
export function decoderOf(kernel: Kernel, layer: SampleLayer, tokens: number): LayerDecoder {
  const mask = layer.problem.mask as DecodeMask | undefined;
  if (layer.kind === 'latent') return latentDecoder(kernel, layer.problem, layer.weights, mask ?? { kind: 'causal' });
  const { queryLength: _, relativeBias, ...problem } = layer.problem;
  const { queryHeads } = problem;
  // The newest token's distances to those before it, of all that there are.
  const bias =
    relativeBias === undefined
      ? undefined
      : (length: number): Float32Array => {
          const rows = new Float32Array(queryHeads * length);
          for (let head = 0; head < queryHeads; head++) {
            const from = head * (2 * tokens - 1) + tokens - length;
            rows.set(relativeBias.subarray(from, from + length), head * length);
          }
          return rows;
        };
  const decoder = createDecoder(
    kernel,
    { ...problem, mask: mask ?? { kind: 'causal' }, ...(bias === undefined ? {} : { bias }) },
    layer.weights,
  );
  return {
    get cached() {
      return decoder.key().length + decoder.value().length;
    },
    step(token) {
      const { output, weights } = decoder.step(token, { weights: true });
      return { output, weights: weights as Float32Array };
    },
  };
}

/** Multi-head latent attention with its narrow cache: a latent and a rotated key per token, from which keys and values are made anew. */
function latentDecoder(kernel: Kernel, problem: LatentProblem, weights: Omit<LatentInput, 'input'>, mask: DecodeMask): LayerDecoder {
  const { queryHeads, inputDim, queryRank, keyValueRank, plainDim, rotaryDim, valueDim, epsilon = 1e-6, scale, softcap, sinks } = problem;
  const headDim = plainDim + rotaryDim;
  const upDim = plainDim + valueDim;
  const positions: RotaryPositions = { kind: 'rotary', ...problem.positions, rotaryDim };
  const row = (depth: number, columns: number, left: Float32Array, right: Float32Array): Float32Array =>
    kernel.matrixMultiply({ rows: 1, depth, columns }, left, right);
  let latents = new Float32Array(0);
  let keys = new Float32Array(0);
  let length = 0;
  const grown = (cache: Float32Array<ArrayBuffer>, added: Float32Array): Float32Array<ArrayBuffer> => {
    const next = new Float32Array(cache.length + added.length);
    next.set(cache);
    next.set(added, cache.length);
    return next;
  };
  return {
    get cached() {
      return latents.length + keys.length;
    },
    step(token) {
      const position = length++;
      let narrow = token;
      if (queryRank !== undefined && weights.queryDown !== undefined && weights.queryNorm !== undefined) {
        narrow = row(inputDim, queryRank, token, weights.queryDown);
        rmsNorm(narrow, queryRank, weights.queryNorm, epsilon);
      }
      const query = row(queryRank ?? inputDim, queryHeads * headDim, narrow, weights.queryUp);
      rotate(query, queryHeads, 1, headDim, { ...positions, start: plainDim }, position);
      const down = row(inputDim, keyValueRank + rotaryDim, token, weights.keyValueDown);
      const latent = down.slice(0, keyValueRank);
      rmsNorm(latent, keyValueRank, weights.keyValueNorm, epsilon);
      const shared = down.slice(keyValueRank);
      rotate(shared, 1, 1, rotaryDim, positions, position);
      latents = grown(latents, latent);
      keys = grown(keys, shared);
      const product = { rows: length, depth: keyValueRank, columns: queryHeads * upDim, headWidth: upDim };
      const up = kernel.matrixMultiply(product, latents, weights.keyValueUp);
      const key = new Float32Array(queryHeads * length * headDim);
      const value = new Float32Array(queryHeads * length * valueDim);
      for (let at = 0; at < queryHeads * length; at++) {
        key.set(up.subarray(at * upDim, at * upDim + plainDim), at * headDim);
        key.set(keys.subarray((at % length) * rotaryDim, ((at % length) + 1) * rotaryDim), at * headDim + plainDim);
        value.set(up.subarray(at * upDim + plainDim, (at + 1) * upDim), at * valueDim);
      }
      const result = kernel.attention(
        {
          queryHeads,
          queryLength: 1,
          keyLength: length,
          headDim,
          valueDim,
          scale,
          softcap,
          sinks,
          mask: mask.kind === 'none' ? mask : { ...mask, offset: position },
        },
        { query, key, value },
      );
      const { outputWeight } = weights;
      const joined = joinHeads(result.output, 1, queryHeads, valueDim);
      const output = row(queryHeads * valueDim, outputWeight.length / (queryHeads * valueDim), joined, outputWeight);
      return { output, weights: result.weights as Float32Array };
    },
  };
}
