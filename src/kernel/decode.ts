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

/** Rows of `width` numbers per head, one more per token; room doubles when it runs out. */
class Cache {
  #rows: Float32Array;
  #capacity = 16;
  readonly #heads: number;
  readonly #width: number;

  constructor(heads: number, width: number) {
    this.#heads = heads;
    this.#width = width;
    this.#rows = new Float32Array(heads * this.#capacity * width);
  }

  /** Adds a row per head. @param rows [heads, width] */
  push(rows: Float32Array, length: number): void {
    const width = this.#width;
    if (length === this.#capacity) {
      const old = this.#rows;
      const from = this.#capacity * width;
      this.#capacity *= 2;
      this.#rows = new Float32Array(this.#heads * this.#capacity * width);
      for (let head = 0; head < this.#heads; head++) {
        this.#rows.set(old.subarray(head * from, (head + 1) * from), head * this.#capacity * width);
      }
    }
    for (let head = 0; head < this.#heads; head++) {
      this.#rows.set(rows.subarray(head * width, (head + 1) * width), (head * this.#capacity + length) * width);
    }
  }

  /** [heads, length, width] */
  read(length: number): Float32Array {
    const tight = new Float32Array(this.#heads * length * this.#width);
    for (let head = 0; head < this.#heads; head++) {
      const from = head * this.#capacity * this.#width;
      tight.set(this.#rows.subarray(from, from + length * this.#width), head * length * this.#width);
    }
    return tight;
  }
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
  const { positions, scale, softcap, sinks, mask = { kind: 'causal' } } = problem;
  if (mask.kind === 'slidingWindow') positiveInteger('mask.window', mask.window);
  const keys = new Cache(keyValueHeads, headDim);
  const values = new Cache(keyValueHeads, valueDim);
  let length = 0;
  return {
    get length() {
      return length;
    },
    key: () => keys.read(length),
    value: () => values.read(length),
    step(token, options) {
      checkShape('token', token, { inputDim });
      const position = length;
      const input = { ...weights, input: token };
      const query = finish(projectQueries(kernel, sizes, positions, input, 1, position));
      const made = finish(projectKeysAndValues(kernel, sizes, positions, input, 1, position));
      keys.push(made.key, length);
      values.push(made.value, length);
      length++;
      const key = keys.read(length);
      const value = values.read(length);
      const here: AttentionMask = mask.kind === 'none' ? mask : { ...mask, offset: position };
      const relativeBias = positionBias({ queryHeads, positions }, 1, length, position);
      const { output: heads, ...rest } = kernel.attention(
        {
          queryHeads,
          keyValueHeads,
          queryLength: 1,
          keyLength: length,
          headDim,
          valueDim,
          scale,
          mask: here,
          softcap,
          sinks,
          relativeBias,
        },
        { query, key, value },
        options,
      );
      return { query, key, value, heads, ...finish(projectOutput(kernel, sizes, input, heads, 1)), ...rest };
    },
  };
}
