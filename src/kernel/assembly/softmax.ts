// Softmax down the columns of a panel of scores [key][8]: eight queries at once, two registers a key.

import { multiplyAdd } from './tile';

// Scores come in units of log2(e): exponentials are powers of 2, and their whole part needs no division.
const LOG2E: f32 = 1.44269504;

// 2^y = 2^n 2^t, n = round(y), |t| <= 1/2, with 2^t = 1 + t P(t), P of degree 4 with the least largest relative error (1.1e-7, by
// Lawson's iteration). MAGIC rounds to an integer by its magnitude, and its low bits hold the exponent bias, so that shifting n's
// bits left by 23 gives 2^n.
const MAGIC: f32 = 12583039.0;
const C5: f32 = 0.001326472731307149;
const C4: f32 = 0.009671512991189957;
const C3: f32 = 0.05550733581185341;
const C2: f32 = 0.24022242426872253;
const C1: f32 = 0.6931470036506653;
/** Here the exponent's bits are 0: the power is 0, too. */
export const LOWEST: f32 = -127;

/** 2^y for y <= 0, within 2 units in the last place; 0 below -126.5; NaN stays NaN. */
// @ts-ignore: decorator
@inline
function power2(y: v128): v128 {
  // pmax(a, b) is a < b ? b : a: a NaN passes.
  return power2Above(f32x4.pmax(y, f32x4.splat(LOWEST)));
}

/** 2^y for LOWEST <= y <= 1, with 0 at LOWEST. */
// @ts-ignore: decorator
@inline
function power2Above(y: v128): v128 {
  const magic = f32x4.splat(MAGIC);
  let n = f32x4.add(y, magic);
  const power = i32x4.shl(n, 23);
  n = f32x4.sub(n, magic);
  const t = f32x4.sub(y, n);
  let p = multiplyAdd(t, f32x4.splat(C5), f32x4.splat(C4));
  p = multiplyAdd(p, t, f32x4.splat(C3));
  p = multiplyAdd(p, t, f32x4.splat(C2));
  p = multiplyAdd(p, t, f32x4.splat(C1));
  return multiplyAdd(f32x4.mul(power, t), p, power);
}

/** cap * tanh(x / cap) for every score of a stretch: logit soft-capping (Gemma 2). The cap is in the scores' units. */
export function softCap(scores: usize, bytes: usize, cap: f32): void {
  const inverse = f32x4.splat(1 / cap);
  const size = f32x4.splat(cap);
  const one = f32x4.splat(1);
  const signs = f32x4.splat(-0.0);
  for (const end = scores + bytes; scores < end; scores += 16) {
    const x = f32x4.mul(v128.load(scores), inverse);
    const magnitude = f32x4.abs(x);
    // tanh|x| = (1 - e) / (1 + e) with e = exp(-2|x|); near 0, where 1 - e cancels, x - x^3/3 + 2x^5/15.
    const e = power2(f32x4.mul(magnitude, f32x4.splat(-2 * LOG2E)));
    const large = f32x4.div(f32x4.sub(one, e), f32x4.add(one, e));
    const square = f32x4.mul(x, x);
    const series = f32x4.add(f32x4.mul(square, f32x4.splat(0.13333333)), f32x4.splat(-0.33333334));
    const small = multiplyAdd(f32x4.mul(magnitude, square), series, magnitude);
    const tanh = v128.bitselect(small, large, f32x4.lt(magnitude, f32x4.splat(0.1)));
    v128.store(scores, f32x4.mul(size, v128.or(tanh, v128.and(x, signs))));
  }
}

/** A score with its bias, which is not yet in the score's units. A bias of -infinity hides its key, whatever the score. */
// @ts-ignore: decorator
@inline
function biased(score: v128, bias: v128): v128 {
  const hidden = f32x4.splat(-Infinity);
  return v128.bitselect(hidden, multiplyAdd(bias, f32x4.splat(LOG2E), score), f32x4.eq(bias, hidden));
}

/** Adds a bias that depends on the distance of query and key: at key j the panel's first query finds its own at last - 4 j. */
export function addRelativeBias(panel: usize, low: i32, high: i32, last: usize): void {
  for (let j = low; j < high; j++) {
    const at = panel + <usize>j * 32;
    const bias = last - <usize>j * 4;
    v128.store(at, biased(v128.load(at), v128.load(bias)));
    v128.store(at, biased(v128.load(at, 16), v128.load(bias, 16)), 16);
  }
}

/** Adds a bias of its own to each score; rows of bias are `stride` numbers apart. */
export function addBias(panel: usize, low: i32, high: i32, bias: usize, stride: i32): void {
  const step = <usize>stride * 4;
  for (let j = low; j < high; j++) {
    const at = panel + <usize>j * 32;
    const b = bias + <usize>j * 4;
    const left = f32x4(load<f32>(b), load<f32>(b + step), load<f32>(b + step * 2), load<f32>(b + step * 3));
    const right = f32x4(load<f32>(b + step * 4), load<f32>(b + step * 5), load<f32>(b + step * 6), load<f32>(b + step * 7));
    v128.store(at, biased(v128.load(at), left));
    v128.store(at, biased(v128.load(at, 16), right), 16);
  }
}

/** Scores of keys that a query does not see become `score`. Most keys of a panel are seen by all its queries or by none. */
export function hideOutside(panel: usize, low: i32, high: i32, lows: usize, highs: usize, score: f32): void {
  const lows0 = v128.load(lows);
  const lows1 = v128.load(lows, 16);
  const highs0 = v128.load(highs);
  const highs1 = v128.load(highs, 16);
  let l = i32x4.max_s(lows0, lows1);
  l = i32x4.max_s(l, v128.shuffle<i32>(l, l, 2, 3, 0, 1));
  const allFrom = min(high, max(i32x4.extract_lane(l, 0), i32x4.extract_lane(l, 1)));
  let h = i32x4.min_s(highs0, highs1);
  h = i32x4.min_s(h, v128.shuffle<i32>(h, h, 2, 3, 0, 1));
  const allTo = max(allFrom, min(i32x4.extract_lane(h, 0), i32x4.extract_lane(h, 1)));
  for (let j = low; j < high; j++) {
    if (j == allFrom) j = allTo;
    if (j >= high) break;
    const at = panel + <usize>j * 32;
    const key = i32x4.splat(j);
    const hidden = f32x4.splat(score);
    v128.store(at, v128.bitselect(v128.load(at), hidden, v128.and(i32x4.le_s(lows0, key), i32x4.gt_s(highs0, key))));
    v128.store(at, v128.bitselect(v128.load(at, 16), hidden, v128.and(i32x4.le_s(lows1, key), i32x4.gt_s(highs1, key))), 16);
  }
}

/**
 * Exponentials, in place, of the scores [low, high) of a panel, relative to each query's maximum, and the inverses of their sums
 * to `inverses` [8]. `sink` is a score that takes part in the sum and has no key (-infinity: none).
 * Where no score is above -infinity all is 0, the inverse too. A NaN or +infinity score makes its query's inverse NaN.
 */
export function softmaxPanel(panel: usize, low: i32, high: i32, sink: f32, inverses: usize): void {
  const begin = panel + <usize>low * 32;
  const end = panel + <usize>high * 32;
  // A NaN score never becomes the maximum; it shows in the sum.
  let most0 = f32x4.splat(sink);
  let most1 = most0;
  for (let p = begin; p < end; p += 32) {
    most0 = f32x4.pmax(most0, v128.load(p));
    most1 = f32x4.pmax(most1, v128.load(p, 16));
  }
  exponentials(begin, end, most0, sink, inverses);
  exponentials(begin + 16, end, most1, sink, inverses + 16);
}

function exponentials(begin: usize, end: usize, most: v128, sink: f32, inverses: usize): void {
  // Where all is hidden every exponential is then 0, or NaN for a NaN score.
  most = v128.andnot(most, f32x4.eq(most, f32x4.splat(-Infinity)));
  let sum = f32x4.splat(0);
  for (let p = begin; p < end; p += 32) {
    const e = power2(f32x4.sub(v128.load(p), most));
    sum = f32x4.add(sum, e);
    v128.store(p, e);
  }
  if (sink != -Infinity) sum = f32x4.add(sum, power2(f32x4.sub(f32x4.splat(sink), most)));
  storeInverse(sum, inverses);
}

/**
 * Largest score in magnitude for which exponentials need no maximum taken off: down to 2^-40, they and their products with values stay
 * far from where numbers lose digits.
 */
const REACH: f32 = 20;

/**
 * By Cauchy and Schwarz no score of a query is further from 0 than its norm times the largest norm of a key. Where that is at most
 * REACH for all eight queries [depth][8] of a panel, it is a maximum known in advance: its negative goes to `starts` [8], else 0.
 *
 * reach    the largest norm of a key in the scores' units
 */
export function startScores(queries: usize, depth: i32, reach: f32, starts: usize): void {
  let squares0 = f32x4.splat(0);
  let squares1 = squares0;
  for (const end = queries + <usize>depth * 32; queries < end; queries += 32) {
    const x0 = v128.load(queries);
    const x1 = v128.load(queries, 16);
    squares0 = multiplyAdd(x0, x0, squares0);
    squares1 = multiplyAdd(x1, x1, squares1);
  }
  const factor = f32x4.splat(reach);
  const limit = f32x4.splat(REACH);
  const bound0 = f32x4.mul(f32x4.sqrt(squares0), factor);
  const bound1 = f32x4.mul(f32x4.sqrt(squares1), factor);
  // Not so where one is NaN.
  const within = i32x4.all_true(v128.and(f32x4.le(bound0, limit), f32x4.le(bound1, limit)));
  v128.store(starts, within ? f32x4.neg(bound0) : f32x4.splat(0));
  v128.store(starts, within ? f32x4.neg(bound1) : f32x4.splat(0), 16);
}

/** softmaxPanel for scores that are finite, from LOWEST to 0 but for rounding, and have no sink: their maximum need not be known. */
export function softmaxStarted(panel: usize, low: i32, high: i32, inverses: usize): void {
  let sum0 = f32x4.splat(0);
  let sum1 = sum0;
  const end = panel + <usize>high * 32;
  let p = panel + <usize>low * 32;
  if (p < end) {
    do {
      const e0 = power2Above(v128.load(p));
      const e1 = power2Above(v128.load(p, 16));
      sum0 = f32x4.add(sum0, e0);
      sum1 = f32x4.add(sum1, e1);
      v128.store(p, e0);
      v128.store(p, e1, 16);
      p += 32;
    } while (p < end);
  }
  storeInverse(sum0, inverses);
  storeInverse(sum1, inverses + 16);
}

// @ts-ignore: decorator
@inline
function storeInverse(sum: v128, inverse: usize): void {
  const empty = f32x4.eq(sum, f32x4.splat(0));
  v128.store(inverse, v128.andnot(f32x4.div(f32x4.splat(1), sum), empty));
}

/**
 * Makes the weights of queries whose inverse is NaN what they are to be: NaN at every key they see, 0 at the others, the inverse
 * 1. Arguments as of softmaxPanel and, for what the queries see, hideOutside and one of the biases or 0.
 */
export function breakRows(panel: usize, low: i32, high: i32, inverses: usize, lows: usize, highs: usize, bias: usize, stride: i32, last: usize): void {
  for (let lane: usize = 0; lane < 8; lane++) {
    if (load<f32>(inverses + lane * 4) == load<f32>(inverses + lane * 4)) continue;
    store<f32>(inverses + lane * 4, 1);
    for (let j = low; j < high; j++) {
      let hidden = j < load<i32>(lows + lane * 4) || j >= load<i32>(highs + lane * 4);
      if (bias != 0) hidden = hidden || load<f32>(bias + (lane * <usize>stride + <usize>j) * 4) == -Infinity;
      if (last != 0) hidden = hidden || load<f32>(last + (lane - <usize>j) * 4) == -Infinity;
      store<f32>(panel + <usize>j * 32 + lane * 4, hidden ? 0 : NaN);
    }
  }
}
