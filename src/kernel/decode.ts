import type { AttentionMask, AttentionOptions, Kernel, MultiHeadInput, MultiHeadProblem, MultiHeadResult } from './interface.ts';
import { multiHeadSizes, positionBias, projectKeysAndValues, projectOutput, projectQueries } from './multi-head.ts';
import { checkShape, positiveInteger } from './problem.ts';
import { finish } from './steps.ts';

/** Masks that say what a token sees of the tokens before it, however many there are. */
export type DecodeMask = Extract<AttentionMask, { kind: 'none' | 'causal' | 'slidingWindow' | 'prefix' }>;

/** A multi-head problem whose tokens come one after the other. */
export interface DecodeProblem extends Omit<MultiHeadProblem, 'queryLength' | 'keyLength' | 'queryOffset' | 'relativeBias' | 'mask'> {
  /** Default causal: a token sees itself and all before it. An offset is not needed: token t stands at position t. */
  readonly mask?: DecodeMask;
  /** Added to the scores of the newest token when there are `length` tokens. [queryHeads, length] */
  readonly bias?: (length: number) => Float32Array;
}

/** Autoregressive decoding with a cache of keys and values. */
export interface Decoder {
  /** Tokens whose keys and values are cached. */
  readonly length: number;
  /** Keys so far. [keyValueHeads, length, headDim] */
  key(): Float32Array;
  /** Values so far. [keyValueHeads, length, valueDim] */
  value(): Float32Array;
  /**
   * Computes one more token and caches its key and value. The result's shapes are those of one query over all tokens so far;
   * weights are its row of every head: [queryHeads, 1, length], the same numbers as that row of the whole computation.
   *
   * @param token [inputDim]
   */
  step(token: Float32Array, options?: AttentionOptions): MultiHeadResult;
}

/** Starts with an empty cache. Throws RangeError on sizes that cannot be. */
export function createDecoder(kernel: Kernel, problem: DecodeProblem, weights: Omit<MultiHeadInput, 'input' | 'keyValueInput'>): Decoder {
  const sizes = multiHeadSizes(problem, weights);
  const { queryHeads, keyValueHeads, headDim, valueDim, inputDim } = sizes;
  if (sizes.keyValueInputDim !== inputDim) {
    throw new RangeError(
      `Decoding makes keys from the same tokens as queries: keyValueInputDim ${sizes.keyValueInputDim} must be inputDim ${inputDim}.`,
    );
  }
  const { positions, scale, softcap, sinks, bias, mask = { kind: 'causal' } } = problem;
  if (mask.kind === 'slidingWindow') positiveInteger('mask.window', mask.window);
  const cache = kernel.createCache({ queryHeads, keyValueHeads, headDim, valueDim, scale });
  return {
    get length() {
      return cache.length;
    },
    key: () => cache.key(),
    value: () => cache.value(),
    step(token, options) {
      checkShape('token', token, { inputDim });
      const position = cache.length;
      const input = { ...weights, input: token };
      const query = finish(projectQueries(kernel, sizes, positions, input, 1, position));
      const made = finish(projectKeysAndValues(kernel, sizes, positions, input, 1, position));
      cache.append(made.key, made.value);
      const length = position + 1;
      const rules = {
        queryLength: 1,
        mask: mask.kind === 'none' ? mask : { ...mask, offset: position },
        softcap,
        sinks,
        relativeBias: positionBias({ queryHeads, positions, relativeBias: bias?.(length) }, 1, length, position),
      };
      const { output: heads, ...rest } = cache.attention(rules, query, options);
      return {
        query,
        // Copied out of the cache only where somebody looks.
        get key() {
          return cache.key(length);
        },
        get value() {
          return cache.value(length);
        },
        heads,
        ...finish(projectOutput(kernel, sizes, input, heads, 1)),
        ...rest,
      };
    },
  };
}
