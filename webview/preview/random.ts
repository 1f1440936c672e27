import { finish, inPieces, type Steps } from '../../src/kernel/steps.ts';

/** Uniform numbers in [-1, 1) from a 32-bit seed (mulberry32). */
export function generator(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}

/** FNV-1a of a string's UTF-16 units. */
export function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value;
}

/** `count` numbers of mean 0 and standard deviation `deviation`, uniformly distributed. */
export function* spreadSteps(count: number, seed: number, deviation: number): Steps<Float32Array> {
  const next = generator(seed);
  const width = Math.sqrt(3) * deviation;
  const numbers = new Float32Array(count);
  yield* inPieces(count, 1, (first, end) => {
    for (let i = first; i < end; i++) numbers[i] = next() * width;
  });
  return numbers;
}

/** All of them at once. */
export const spread = (...call: Parameters<typeof spreadSteps>): Float32Array => finish(spreadSteps(...call));
