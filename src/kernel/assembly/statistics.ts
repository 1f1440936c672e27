// Statistics of rows of weights (HeadStatistics in ../interface.ts), as sums in double precision that load.ts divides.

import { multiplyAdd } from './tile';

/** Part of a row's weight that the span covers. */
const SPAN_MASS: f32 = 0.9;

/** log2 of positive normal numbers, within a few units in the last place (the polynomial of Cephes logf). */
// @ts-ignore: decorator
@inline
function log2(x: v128): v128 {
  let exponent = f32x4.convert_i32x4_s(i32x4.sub(i32x4.shr_u(x, 23), i32x4.splat(127)));
  let mantissa = v128.or(v128.and(x, i32x4.splat(0x007fffff)), i32x4.splat(0x3f800000));
  // Into [sqrt(1/2), sqrt(2)), where the polynomial holds.
  const large = f32x4.gt(mantissa, f32x4.splat(1.4142135));
  mantissa = v128.bitselect(f32x4.mul(mantissa, f32x4.splat(0.5)), mantissa, large);
  exponent = f32x4.add(exponent, v128.and(large, f32x4.splat(1)));
  const t = f32x4.sub(mantissa, f32x4.splat(1));
  let p = f32x4.splat(0.070376836292);
  p = multiplyAdd(p, t, f32x4.splat(-0.1151461031));
  p = multiplyAdd(p, t, f32x4.splat(0.1167699874));
  p = multiplyAdd(p, t, f32x4.splat(-0.12420140846));
  p = multiplyAdd(p, t, f32x4.splat(0.14249322787));
  p = multiplyAdd(p, t, f32x4.splat(-0.16668057665));
  p = multiplyAdd(p, t, f32x4.splat(0.20000714765));
  p = multiplyAdd(p, t, f32x4.splat(-0.24999993993));
  p = multiplyAdd(p, t, f32x4.splat(0.33333331174));
  const square = f32x4.mul(t, t);
  const natural = f32x4.add(multiplyAdd(f32x4.mul(p, square), t, f32x4.mul(square, f32x4.splat(-0.5))), t);
  return multiplyAdd(natural, f32x4.splat(1.44269504), exponent);
}

// @ts-ignore: decorator
@inline
function sumOf(x: v128): f32 {
  return f32x4.extract_lane(x, 0) + f32x4.extract_lane(x, 1) + (f32x4.extract_lane(x, 2) + f32x4.extract_lane(x, 3));
}

// @ts-ignore: decorator
@inline
function countOf(x: v128): i32 {
  return i32x4.extract_lane(x, 0) + i32x4.extract_lane(x, 1) + (i32x4.extract_lane(x, 2) + i32x4.extract_lane(x, 3));
}

// @ts-ignore: decorator
@inline
function add(sums: usize, slot: usize, value: f64): void {
  store<f64>(sums + slot * 8, load<f64>(sums + slot * 8) + value);
}

/**
 * Adds `rows` rows of weights (`padded` numbers apart, zero outside their ranges) to the sums of their head: nine f64, in this
 * order: rows, rows with a previous token, entropy, largest weight, distance, first, previous, self, span. Row 0 stands at key
 * position `position`.
 */
export function measureRows(
  weights: usize, rows: i32, padded: i32, keyLength: i32, lows: usize, highs: usize, position: i32, sums: usize,
): void {
  for (let row = 0; row < rows; row++) {
    const low = load<i32>(lows + <usize>row * 4);
    const high = load<i32>(highs + <usize>row * 4);
    if (high > low) measureRow(weights + <usize>row * <usize>padded * 4, low, high, keyLength, position + row, sums);
  }
}

function measureRow(row: usize, low: i32, high: i32, keyLength: i32, position: i32, sums: usize): void {
  const begin = row + <usize>(low & ~3) * 4;
  const end = row + <usize>((high + 3) & ~3) * 4;
  const tiny = f32x4.splat(1.17549435e-38);
  let total = f32x4.splat(0);
  let entropy = f32x4.splat(0);
  let distance = f32x4.splat(0);
  let most = f32x4.splat(0);
  let offset = f32x4.add(f32x4.splat(<f32>((low & ~3) - position)), f32x4(0, 1, 2, 3));
  const four = f32x4.splat(4);
  for (let p = begin; p < end; p += 16) {
    const w = v128.load(p);
    total = f32x4.add(total, w);
    entropy = f32x4.sub(entropy, f32x4.mul(w, log2(f32x4.pmax(tiny, w))));
    distance = multiplyAdd(w, f32x4.abs(offset), distance);
    offset = f32x4.add(offset, four);
    most = f32x4.pmax(most, w);
  }
  const mass = sumOf(total);
  if (mass == 0) return;
  let maximum: f32 = f32x4.extract_lane(most, 0);
  maximum = max(maximum, f32x4.extract_lane(most, 1));
  maximum = max(maximum, f32x4.extract_lane(most, 2));
  maximum = max(maximum, f32x4.extract_lane(most, 3));
  add(sums, 0, 1);
  add(sums, 2, sumOf(entropy));
  if (mass != mass) store<f64>(sums, NaN, 24);
  else if (<f64>maximum > load<f64>(sums, 24)) store<f64>(sums, maximum, 24);
  add(sums, 4, sumOf(distance));
  add(sums, 5, load<f32>(row));
  if (position >= 1 && position <= keyLength) {
    add(sums, 1, 1);
    add(sums, 6, load<f32>(row + <usize>(position - 1) * 4));
  }
  if (position >= 0 && position < keyLength) add(sums, 7, load<f32>(row + <usize>position * 4));
  if (mass == mass) add(sums, 8, span(begin, end, SPAN_MASS * mass, maximum));
}

/**
 * The number of weights, heaviest first, whose sum reaches `mass`. Bisects over the bits of the threshold, since those of positive
 * numbers are in the numbers' order.
 */
function span(begin: usize, end: usize, mass: f32, maximum: f32): f64 {
  // Weights of these bits or more hold the mass: all that are smaller together are less than what it leaves out.
  let inside = reinterpret<i32>((mass / SPAN_MASS) * (1 - SPAN_MASS) * 0.5 / <f32>((end - begin) >> 2));
  let outside = reinterpret<i32>(maximum) + 1; // and of these do not
  let insideCount = i32.MAX_VALUE; // not counted yet
  let outsideCount = 0;
  while (outside - inside > 1) {
    const middle = inside + ((outside - inside) >> 1);
    const threshold = i32x4.splat(middle);
    let sum = f32x4.splat(0);
    let counts = i32x4.splat(0);
    for (let p = begin; p < end; p += 16) {
      const w = v128.load(p);
      const over = i32x4.ge_s(w, threshold);
      sum = f32x4.add(sum, v128.and(w, over));
      counts = i32x4.sub(counts, over);
    }
    if (sumOf(sum) >= mass) {
      inside = middle;
      insideCount = countOf(counts);
    } else {
      outside = middle;
      outsideCount = countOf(counts);
    }
    // One weight is left to be the last that is needed.
    if (insideCount - outsideCount == 1) return insideCount;
  }
  // All above the last weight taken, then as many of that one as it needs.
  const threshold = i32x4.splat(inside);
  let sum = f32x4.splat(0);
  let counts = i32x4.splat(0);
  for (let p = begin; p < end; p += 16) {
    const w = v128.load(p);
    const above = i32x4.gt_s(w, threshold);
    sum = f32x4.add(sum, v128.and(w, above));
    counts = i32x4.sub(counts, above);
  }
  const above = countOf(counts);
  const last = reinterpret<f32>(inside);
  return above + (last > 0 ? max<f64>(1, Math.ceil((mass - sumOf(sum)) / last)) : 0);
}
