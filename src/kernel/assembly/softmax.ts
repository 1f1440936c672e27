// Softmax of one row of scores: maximum, exponentials with their sum, normalisation.

import { multiplyAdd } from './tile';

/** ln(2^-126): below it an exponential is no longer a normal f32 and counts as 0. */
const LOWEST: f32 = -87.33654;

// e^x = 2^n e^t, n = round(x / ln 2), |t| <= ln 2 / 2, with ln 2 in two parts (Cody and Waite) and a degree-5 minimax
// polynomial for e^t (the coefficients XNNPACK uses for the same range). MAGIC rounds to an integer by its magnitude, and its
// low bits hold the exponent bias, so that shifting n's bits left by 23 gives 2^n.
const LOG2E: f32 = 1.442695;
const MAGIC: f32 = 12583039.0;
const MINUS_LN2_HIGH: f32 = -0.693359375;
const MINUS_LN2_LOW: f32 = 2.12194440e-4;
const C5: f32 = 0.008289290592074394;
const C4: f32 = 0.04189782217144966;
const C3: f32 = 0.16667652130126953;
const C2: f32 = 0.4999915063381195;
const C1: f32 = 0.9999997019767761;

/** e^x for x <= 0, within 2 units in the last place; 0 below LOWEST; NaN stays NaN. */
// @ts-ignore: decorator
@inline
export function exponential(x: v128): v128 {
  const lowest = f32x4.splat(LOWEST);
  const gone = f32x4.lt(x, lowest);
  x = f32x4.pmax(x, lowest);
  const magic = f32x4.splat(MAGIC);
  let n = multiplyAdd(x, f32x4.splat(LOG2E), magic);
  const power = i32x4.shl(n, 23);
  n = f32x4.sub(n, magic);
  let t = multiplyAdd(n, f32x4.splat(MINUS_LN2_HIGH), x);
  t = multiplyAdd(n, f32x4.splat(MINUS_LN2_LOW), t);
  let p = multiplyAdd(t, f32x4.splat(C5), f32x4.splat(C4));
  p = multiplyAdd(p, t, f32x4.splat(C3));
  p = multiplyAdd(p, t, f32x4.splat(C2));
  p = multiplyAdd(p, t, f32x4.splat(C1));
  return v128.andnot(multiplyAdd(f32x4.mul(power, t), p, power), gone);
}

/** cap * tanh(x / cap) for every number of a row: logit soft-capping (Gemma 2). */
export function softCap(row: usize, bytes: usize, cap: f32): void {
  const inverse = f32x4.splat(1 / cap);
  const size = f32x4.splat(cap);
  const one = f32x4.splat(1);
  const signs = f32x4.splat(-0.0);
  for (const end = row + bytes; row < end; row += 16) {
    const x = f32x4.mul(v128.load(row), inverse);
    const magnitude = f32x4.abs(x);
    // tanh|x| = (1 - e) / (1 + e) with e = exp(-2|x|); near 0, where 1 - e cancels, x - x^3/3 + 2x^5/15.
    const e = exponential(f32x4.mul(magnitude, f32x4.splat(-2)));
    const large = f32x4.div(f32x4.sub(one, e), f32x4.add(one, e));
    const square = f32x4.mul(x, x);
    const series = f32x4.add(f32x4.mul(square, f32x4.splat(0.13333333)), f32x4.splat(-0.33333334));
    const small = multiplyAdd(f32x4.mul(magnitude, square), series, magnitude);
    const tanh = v128.bitselect(small, large, f32x4.lt(magnitude, f32x4.splat(0.1)));
    v128.store(row, f32x4.mul(size, v128.or(tanh, v128.and(x, signs))));
  }
}

/** Adds a bias to a row of scores. A bias of -infinity hides its key, whatever the score. */
export function addBias(row: usize, bias: usize, count: i32): void {
  const hidden = f32x4.splat(-Infinity);
  const whole = row + <usize>(count & ~3) * 4;
  const end = row + <usize>count * 4;
  for (; row < whole; row += 16) {
    const b = v128.load(bias);
    v128.store(row, v128.bitselect(hidden, f32x4.add(v128.load(row), b), f32x4.eq(b, hidden)));
    bias += 16;
  }
  for (; row < end; row += 4) {
    const b = load<f32>(bias);
    store<f32>(row, b == -Infinity ? -Infinity : load<f32>(row) + b);
    bias += 4;
  }
}

/**
 * Softmax in place over the scores [low, high) of a row `padded` numbers wide (a multiple of 8); everything else becomes 0.
 * `sink` is a score that takes part in the sum and has no key (-infinity: none).
 * A row without a visible score above -infinity becomes all zeros; one with a NaN or +infinity score becomes NaN where visible.
 */
export function softmaxRow(row: usize, padded: i32, low: i32, high: i32, sink: f32, bias: usize): void {
  if (high <= low) {
    memory.fill(row, 0, <usize>padded * 4);
    return;
  }
  const first = low & ~3;
  const last = (high + 3) & ~3;
  memory.fill(row, 0, <usize>first * 4);
  memory.fill(row + <usize>last * 4, 0, <usize>(padded - last) * 4);
  for (let j = first; j < low; j++) store<f32>(row + <usize>j * 4, -Infinity);
  for (let j = high; j < last; j++) store<f32>(row + <usize>j * 4, -Infinity);
  const begin = row + <usize>first * 4;
  const end = row + <usize>last * 4;

  // pmax(a, b) is a < b ? b : a, so a NaN score never becomes the maximum; it shows in the sum.
  let most = f32x4.splat(sink);
  for (let p = begin; p < end; p += 16) most = f32x4.pmax(most, v128.load(p));
  let m0 = f32x4.extract_lane(most, 0);
  const m1 = f32x4.extract_lane(most, 1);
  const m2 = f32x4.extract_lane(most, 2);
  const m3 = f32x4.extract_lane(most, 3);
  if (m1 > m0) m0 = m1;
  if (m2 > m0) m0 = m2;
  if (m3 > m0) m0 = m3;
  if (m0 == -Infinity) m0 = 0; // every exponential below is then 0, or NaN for a NaN score

  const maximum = f32x4.splat(m0);
  let sums = f32x4.splat(0);
  for (let p = begin; p < end; p += 16) {
    const e = exponential(f32x4.sub(v128.load(p), maximum));
    v128.store(p, e);
    sums = f32x4.add(sums, e);
  }
  let sum = f32x4.extract_lane(sums, 0) + f32x4.extract_lane(sums, 1) + (f32x4.extract_lane(sums, 2) + f32x4.extract_lane(sums, 3));
  if (sink != -Infinity) sum += f32x4.extract_lane(exponential(f32x4.splat(sink - m0)), 0);
  if (sum == 0) return; // all hidden: the exponentials are the zeros wanted
  const inverse = f32x4.splat(1 / sum);
  for (let p = begin; p < end; p += 16) v128.store(p, f32x4.mul(v128.load(p), inverse));
  if (sum != sum) {
    for (let j = first; j < last; j++) {
      const hidden = j < low || j >= high || (bias != 0 && load<f32>(bias + <usize>j * 4) == -Infinity);
      store<f32>(row + <usize>j * 4, hidden ? 0 : NaN);
    }
  }
}
