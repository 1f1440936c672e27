import type { RotaryPositions } from './interface.ts';
import { checkShape, positiveInteger } from './problem.ts';

/** Radians per position of each rotated pair: theta^(-2i / rotaryDim) (Su et al. 2021). [rotaryDim / 2] */
export function rotaryFrequencies(rotaryDim: number, theta = 10000): Float32Array {
  return Float32Array.from({ length: rotaryDim / 2 }, (_, i) => theta ** ((-2 * i) / rotaryDim));
}

/** Rotates `heads` [heads, length, headDim] in place; token t stands at position t + offset. */
export function rotate(
  tensor: Float32Array,
  heads: number,
  length: number,
  headDim: number,
  positions: RotaryPositions,
  offset: number,
): void {
  const rotaryDim = positiveInteger('positions.rotaryDim', positions.rotaryDim ?? headDim);
  if (rotaryDim % 2 !== 0 || rotaryDim > headDim) {
    throw new RangeError(`positions.rotaryDim must be even and at most headDim = ${headDim}, got ${rotaryDim}.`);
  }
  const pairs = rotaryDim / 2;
  const frequencies = positions.frequencies ?? rotaryFrequencies(rotaryDim, positions.theta);
  checkShape('positions.frequencies', frequencies, { 'rotaryDim / 2': pairs });
  const factor = positions.factor ?? 1;
  for (let token = 0; token < length; token++) {
    for (let pair = 0; pair < pairs; pair++) {
      const angle = (token + offset) * (frequencies[pair] as number);
      const cosine = Math.cos(angle) * factor;
      const sine = Math.sin(angle) * factor;
      for (let head = 0; head < heads; head++) {
        const base = (head * length + token) * headDim;
        const first = base + (positions.interleaved === true ? 2 * pair : pair);
        const second = positions.interleaved === true ? first + 1 : first + pairs;
        const x = tensor[first] as number;
        const y = tensor[second] as number;
        tensor[first] = x * cosine - y * sine;
        tensor[second] = x * sine + y * cosine;
      }
    }
  }
}

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
