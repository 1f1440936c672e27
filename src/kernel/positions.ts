import type { RotaryPositions } from './interface.ts';
import { checkShape, positiveInteger } from './problem.ts';
import { finish, inPieces, type Steps } from './steps.ts';

/** Sinusoidal position vectors (Vaswani et al. 2017, section 3.5): sine and cosine side by side. [length, width] */
export function sinusoidalPositions(length: number, width: number, offset = 0): Float32Array {
  const table = new Float32Array(length * width);
  for (let token = 0; token < length; token++) {
    for (let k = 0; k < width; k++) {
      const angle = (token + offset) / 10000 ** ((k - (k % 2)) / width);
      table[token * width + k] = k % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
    }
  }
  return table;
}

/** Radians per position of each rotated pair: theta^(-2i / rotaryDim) (Su et al. 2021). [rotaryDim / 2] */
export function rotaryFrequencies(rotaryDim: number, theta = 10000): Float32Array {
  return Float32Array.from({ length: rotaryDim / 2 }, (_, i) => theta ** ((-2 * i) / rotaryDim));
}

/** How a model reaches beyond the length it was trained on, as `rope_scaling` in a config says it; `factor` is how many times. */
export type RotaryScaling =
  /** All frequencies divided by the factor (position interpolation, Chen et al. 2023). */
  | { readonly kind: 'linear'; readonly factor: number }
  /** A larger base, by the length in use (dynamic NTK scaling); up to trainedLength nothing changes. */
  | { readonly kind: 'ntk'; readonly factor: number; readonly trainedLength: number; readonly length: number }
  /** Low frequencies divided, high ones kept, a ramp between them (Peng et al. 2023). */
  | {
      readonly kind: 'yarn';
      readonly factor: number;
      readonly trainedLength: number;
      /** Turns within trainedLength from which on a frequency is kept, default 32, and up to which it is divided, default 1. */
      readonly betaFast?: number;
      readonly betaSlow?: number;
      /** Multiplies cosine and sine. Default 0.1 ln(factor) + 1, or what the two scales of DeepSeek make of it. */
      readonly attentionFactor?: number;
      readonly mscale?: number;
      readonly mscaleAllDim?: number;
      /** Whether the ramp begins and ends at whole pairs. Default true. */
      readonly truncate?: boolean;
    }
  /** Long waves divided, short ones kept, a smooth change between them (Llama 3.1). */
  | {
      readonly kind: 'llama3';
      readonly factor: number;
      readonly trainedLength: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
    }
  /** Each frequency divided by a factor of its own, by whether the length in use exceeds trainedLength (Ding et al. 2024, Phi-3). */
  | {
      readonly kind: 'longrope';
      readonly factor: number;
      readonly trainedLength: number;
      readonly length: number;
      /** [rotaryDim / 2] each */
      readonly shortFactors: ArrayLike<number>;
      readonly longFactors: ArrayLike<number>;
      /** Multiplies cosine and sine. Default sqrt(1 + ln(factor) / ln(trainedLength)), 1 where the factor is at most 1. */
      readonly attentionFactor?: number;
    };

/**
 * Frequencies and factor of scaled rotary positions, as Transformers computes them (modeling_rope_utils.py): spread them into
 * RotaryPositions.
 */
export function scaledRotary(
  rotaryDim: number,
  theta: number,
  scaling: RotaryScaling,
): { readonly frequencies: Float32Array; readonly factor: number } {
  const plain = rotaryFrequencies(rotaryDim, theta);
  const { factor } = scaling;
  switch (scaling.kind) {
    case 'linear':
      return { frequencies: plain.map((frequency) => frequency / factor), factor: 1 };
    case 'ntk': {
      const length = Math.max(scaling.length, scaling.trainedLength);
      const base = theta * ((factor * length) / scaling.trainedLength - (factor - 1)) ** (rotaryDim / (rotaryDim - 2));
      return { frequencies: rotaryFrequencies(rotaryDim, base), factor: 1 };
    }
    case 'llama3': {
      const { trainedLength, lowFrequencyFactor: low, highFrequencyFactor: high } = scaling;
      const frequencies = plain.map((frequency) => {
        const turns = (trainedLength * frequency) / (2 * Math.PI);
        if (turns < low) return frequency / factor;
        if (turns > high) return frequency;
        const kept = (turns - low) / (high - low);
        return ((1 - kept) * frequency) / factor + kept * frequency;
      });
      return { frequencies, factor: 1 };
    }
    case 'longrope': {
      const { trainedLength, length, shortFactors, longFactors } = scaling;
      const factors = length > trainedLength ? longFactors : shortFactors;
      checkShape('factors', factors, { 'rotaryDim / 2': rotaryDim / 2 });
      const attention = scaling.attentionFactor ?? (factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(trainedLength)));
      return { frequencies: plain.map((frequency, pair) => frequency / (factors[pair] as number)), factor: attention };
    }
    case 'yarn': {
      const { trainedLength, mscale, mscaleAllDim } = scaling;
      /** The pair, as a fraction, that turns this often within the trained length. */
      const pairOf = (turns: number): number => (rotaryDim * Math.log(trainedLength / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
      const whole = (value: number, round: (value: number) => number): number => (scaling.truncate === false ? value : round(value));
      const low = Math.max(whole(pairOf(scaling.betaFast ?? 32), Math.floor), 0);
      let high = Math.min(whole(pairOf(scaling.betaSlow ?? 1), Math.ceil), rotaryDim - 1);
      if (high === low) high += 0.001;
      const frequencies = plain.map((frequency, pair) => {
        const divided = Math.min(Math.max((pair - low) / (high - low), 0), 1);
        return (divided * frequency) / factor + (1 - divided) * frequency;
      });
      const sharpened = (scale: number): number => (factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1);
      const given = mscale !== undefined && mscaleAllDim !== undefined && mscale !== 0 && mscaleAllDim !== 0;
      const attention = scaling.attentionFactor ?? (given ? sharpened(mscale) / sharpened(mscaleAllDim) : sharpened(1));
      return { frequencies, factor: attention };
    }
  }
}

/** Rotates `heads` [heads, length, headDim] in place; token t stands at position t + offset. */
export function* rotateSteps(
  tensor: Float32Array,
  heads: number,
  length: number,
  headDim: number,
  positions: RotaryPositions,
  offset: number,
): Steps<void> {
  const rotaryDim = positiveInteger('positions.rotaryDim', positions.rotaryDim ?? headDim - (positions.start ?? 0));
  const start = positions.start ?? 0;
  if (rotaryDim % 2 !== 0 || rotaryDim > headDim) {
    throw new RangeError(`positions.rotaryDim must be even and at most headDim = ${headDim}, got ${rotaryDim}.`);
  }
  if (!Number.isSafeInteger(start) || start < 0 || start + rotaryDim > headDim) {
    throw new RangeError(`positions.start must leave room for ${rotaryDim} of ${headDim} features, got ${start}.`);
  }
  const pairs = rotaryDim / 2;
  const frequencies = positions.frequencies ?? rotaryFrequencies(rotaryDim, positions.theta);
  checkShape('positions.frequencies', frequencies, { 'rotaryDim / 2': pairs });
  const factor = positions.factor ?? 1;
  const turn = (token: number): void => {
    for (let pair = 0; pair < pairs; pair++) {
      const angle = (token + offset) * (frequencies[pair] as number);
      const cosine = Math.cos(angle) * factor;
      const sine = Math.sin(angle) * factor;
      for (let head = 0; head < heads; head++) {
        const base = (head * length + token) * headDim + start;
        const first = base + (positions.interleaved === true ? 2 * pair : pair);
        const second = positions.interleaved === true ? first + 1 : first + pairs;
        const x = tensor[first] as number;
        const y = tensor[second] as number;
        tensor[first] = x * cosine - y * sine;
        tensor[second] = x * sine + y * cosine;
      }
    }
  };
  yield* inPieces(length, heads * rotaryDim, (first, end) => {
    for (let token = first; token < end; token++) turn(token);
  });
}

/** All of it at once. */
export const rotate = (...call: Parameters<typeof rotateSteps>): void => finish(rotateSteps(...call));

/**
 * ALiBi's slopes (Press et al. 2022): a geometric sequence from 2^(-8/n) for n heads; for n not a power of two, those of the
 * power of two below and every other one of the next. [heads]
 */
export function alibiSlopes(heads: number): Float32Array {
  const sequence = (count: number): number[] => Array.from({ length: count }, (_, i) => 2 ** ((-8 * (i + 1)) / count));
  const below = 2 ** Math.floor(Math.log2(positiveInteger('heads', heads)));
  const slopes = sequence(below);
  if (below < heads) {
    const odd = sequence(2 * below).filter((_, i) => i % 2 === 0);
    slopes.push(...odd.slice(0, heads - below));
  }
  return Float32Array.from(slopes);
}

/** ALiBi as a relative bias: -slope * |i + offset - j|. [heads, queryLength + keyLength - 1] */
export function alibiBias(slopes: Float32Array, queryLength: number, keyLength: number, offset = 0): Float32Array {
  const distances = queryLength + keyLength - 1;
  const bias = new Float32Array(slopes.length * distances);
  for (let head = 0; head < slopes.length; head++) {
    for (let index = 0; index < distances; index++) {
      bias[head * distances + index] = -(slopes[head] as number) * Math.abs(index - (queryLength - 1) - offset);
    }
  }
  return bias;
}

/** T5's bucket of a relative position key - query (Raffel et al. 2020, as in Transformers' T5Attention). */
export function t5Bucket(relative: number, bidirectional: boolean, buckets = 32, maxDistance = 128): number {
  let count = buckets;
  let bucket = 0;
  let distance: number;
  if (bidirectional) {
    count = Math.floor(count / 2);
    if (relative > 0) bucket = count;
    distance = Math.abs(relative);
  } else {
    distance = Math.max(-relative, 0);
  }
  const exact = Math.floor(count / 2);
  if (distance < exact) return bucket + distance;
  // In f32 as PyTorch computes it: at bucket edges the rounding decides.
  const far = Math.fround(
    Math.fround(Math.fround(Math.log(Math.fround(distance / exact))) / Math.fround(Math.log(maxDistance / exact))) * (count - exact),
  );
  return bucket + Math.min(exact + Math.trunc(far), count - 1);
}

/**
 * T5's learned bias as a relative bias.
 * @param table [buckets, heads], as `relative_attention_bias.weight`
 * @returns [heads, queryLength + keyLength - 1]
 */
export function t5Bias(
  table: Float32Array,
  heads: number,
  queryLength: number,
  keyLength: number,
  options: { readonly bidirectional: boolean; readonly buckets?: number; readonly maxDistance?: number; readonly offset?: number },
): Float32Array {
  const buckets = options.buckets ?? 32;
  checkShape('table', table, { buckets, heads });
  const distances = queryLength + keyLength - 1;
  const bias = new Float32Array(heads * distances);
  for (let index = 0; index < distances; index++) {
    const relative = index - (queryLength - 1) - (options.offset ?? 0);
    const bucket = t5Bucket(relative, options.bidirectional, buckets, options.maxDistance);
    for (let head = 0; head < heads; head++) bias[head * distances + index] = table[bucket * heads + head] as number;
  }
  return bias;
}
