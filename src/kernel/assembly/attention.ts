// Attention of one head. Every address is in bytes, every size in numbers (f32); load.ts owns the memory and its layout.
//
// Scores are computed transposed: a panel holds 8 queries, one key after the other, [key][8]. The softmax then runs down the
// columns with no sum across lanes, and a panel of weights is, as it stands, the column panel of the product with the values:
// each weight is written once as a score and once as an exponential, and only what is handed out is turned into rows.

import { multiplyTile, multiplyTile4, ROW_TILE, ZEROS } from './tile';
import { packTransposed } from './pack';
import { addBias, addRelativeBias, breakRows, hideOutside, LOWEST, softCap, softmaxPanel, softmaxStarted, startScores } from './softmax';

/** Depth walked at once, so that a column panel of 8 stays in the first-level cache. */
const DEPTH_BLOCK: i32 = 256;

// @ts-ignore: decorator
@inline
export function least(a: i32, b: i32): i32 {
  return a < b ? a : b;
}

// @ts-ignore: decorator
@inline
export function most(a: i32, b: i32): i32 {
  return a > b ? a : b;
}

/**
 * Attention of one head for a block of query rows, in panels of 8.
 *
 * query    [rows, headDim]
 * keys     packRows(K) with scale * log2(e) as its factor; cap and sink are multiplied by log2(e), too
 * values   packValues(V), in panels of valueRoom keys, of which keyLength are used
 * reach    the largest norm of a key, times |scale| * log2(e)
 * lows, highs: per row, the keys [low, high) it may see (i32), 0 and 0 for the rows that fill up the last panel
 * bias     0; or with biasStride >= 0 the bias of the block's first row at its first key, biasStride numbers further for each
 *          next row; or with biasStride < 0 where the bias of the block's first row at the last key stands, one number further
 *          for each next row, and for each key before
 * ranges   scratch: 2 i32 per panel
 * packed   scratch: [panels][headDim][8]
 * scores   scratch: [panels][keyLength padded to 8, and 8 more][8]
 * columns  scratch: [panels][valueDim padded to 20][8]
 * inverses scratch: [panels][8]
 * weights  out: [panels * 8, keyLength padded to 8], or 0: none wanted
 * output   out: [panels * 8, valueDim padded to 8]
 * plainValues: 0, or V as given [keyLength, valueDim] when it holds numbers that cannot be summed up before they are scaled: the
 *          product then goes weight by weight and leaves out keys of weight 0
 */
export function attendBlock(
  query: usize, rows: i32, keys: usize, values: usize, valueRoom: i32, keyLength: i32, headDim: i32, valueDim: i32,
  reach: f32, cap: f32, sink: f32, lows: usize, highs: usize, bias: usize, biasStride: i32,
  ranges: usize, packed: usize, scores: usize, columns: usize, inverses: usize, weights: usize, output: usize, plainValues: usize,
): void {
  const panels = (rows + 7) >> 3;
  const padded = (keyLength + 7) & ~7;
  const scoreBytes = <usize>(padded + 8) * 32;
  const queryBytes = <usize>headDim * 32;
  const keyBytes = <usize>(headDim * ROW_TILE) * 4;
  const outputWidth = (valueDim + 7) & ~7;
  const columnBytes = <usize>((valueDim + 19) / 20 * 20) * 32;

  // The keys that any row of a panel may see, and of the block.
  let blockLow = keyLength;
  let blockHigh = 0;
  for (let panel = 0; panel < panels; panel++) {
    let panelLow = keyLength;
    let panelHigh = 0;
    for (let row = panel * 8; row < panel * 8 + 8; row++) {
      const low = load<i32>(lows + <usize>row * 4);
      const high = load<i32>(highs + <usize>row * 4);
      if (high > low) {
        panelLow = least(panelLow, low);
        panelHigh = most(panelHigh, high);
      }
    }
    store<i32>(ranges + <usize>panel * 8, panelLow);
    store<i32>(ranges + <usize>panel * 8, panelHigh, 4);
    blockLow = least(blockLow, panelLow);
    blockHigh = most(blockHigh, panelHigh);
  }

  packTransposed(query, rows, headDim, packed);
  // Until they are known the inverses' room holds what scores start from.
  const plain = cap == 0 && sink == -Infinity && bias == 0;
  for (let panel = 0; panel < panels; panel++) {
    startScores(packed + <usize>panel * queryBytes, headDim, plain ? reach : Infinity, inverses + <usize>panel * 32);
  }
  for (let key = blockLow / ROW_TILE * ROW_TILE; key < blockHigh; key += ROW_TILE) {
    const keyPanel = keys + <usize>(key / ROW_TILE) * keyBytes;
    for (let panel = 0; panel < panels; panel++) {
      if (key + ROW_TILE > load<i32>(ranges + <usize>panel * 8) && key < load<i32>(ranges + <usize>panel * 8, 4)) {
        multiplyTile(
          keyPanel, packed + <usize>panel * queryBytes, headDim, inverses + <usize>panel * 32,
          scores + <usize>panel * scoreBytes + <usize>key * 32, 32, false,
        );
      }
    }
  }

  for (let panel = 0; panel < panels; panel++) {
    const low = load<i32>(ranges + <usize>panel * 8);
    const high = load<i32>(ranges + <usize>panel * 8, 4);
    const tile = scores + <usize>panel * scoreBytes;
    const started = v128.any_true(v128.or(v128.load(inverses + <usize>panel * 32), v128.load(inverses + <usize>panel * 32, 16)));
    if (low < high && started) {
      hideOutside(tile, low, high, lows + <usize>panel * 32, highs + <usize>panel * 32, LOWEST);
      softmaxStarted(tile, low, high, inverses + <usize>panel * 32);
    } else if (low < high) {
      if (cap > 0) softCap(tile + <usize>low * 32, <usize>(high - low) * 32, cap);
      let rowBias: usize = 0;
      let lastBias: usize = 0;
      if (bias != 0 && biasStride < 0) {
        lastBias = bias + <usize>(panel * 8 + keyLength - 1) * 4;
        addRelativeBias(tile, low, high, lastBias);
      } else if (bias != 0) {
        rowBias = bias + <usize>(panel * 8 * biasStride) * 4;
        addBias(tile, low, high, rowBias, biasStride);
      }
      const panelLows = lows + <usize>panel * 32;
      const panelHighs = highs + <usize>panel * 32;
      const panelInverses = inverses + <usize>panel * 32;
      hideOutside(tile, low, high, panelLows, panelHighs, -Infinity);
      softmaxPanel(tile, low, high, sink, panelInverses);
      const sum = f32x4.add(v128.load(panelInverses), v128.load(panelInverses, 16));
      if (v128.any_true(f32x4.ne(sum, sum))) {
        breakRows(tile, low, high, panelInverses, panelLows, panelHighs, rowBias, biasStride, lastBias);
      }
    } else {
      memory.fill(inverses + <usize>panel * 32, 0, 32);
    }
    if (weights != 0) writeRows(tile, low, high, padded, inverses + <usize>panel * 32, weights + <usize>(panel * 8 * padded) * 4);
  }

  if (plainValues != 0) {
    for (let row = 0; row < rows; row++) {
      const panel = row >> 3;
      outputRow(
        scores + <usize>panel * scoreBytes + <usize>(row & 7) * 4, load<i32>(ranges + <usize>panel * 8), load<i32>(ranges + <usize>panel * 8, 4),
        load<f32>(inverses + <usize>row * 4), plainValues, valueDim, output + <usize>(row * outputWidth) * 4,
      );
    }
    return;
  }

  for (let from = blockLow; from < blockHigh; from += DEPTH_BLOCK) {
    for (let panel = 0; panel < panels; panel++) {
      const low = load<i32>(ranges + <usize>panel * 8);
      const start = most(from, low);
      const depth = least(from + DEPTH_BLOCK, load<i32>(ranges + <usize>panel * 8, 4)) - start;
      if (depth <= 0) continue;
      const tile = scores + <usize>panel * scoreBytes + <usize>start * 32;
      let column = 0;
      let target = columns + <usize>panel * columnBytes;
      let source = values + <usize>(start * ROW_TILE) * 4;
      const step = <usize>(valueRoom * ROW_TILE) * 4;
      for (; column + 4 < valueDim; column += ROW_TILE) {
        multiplyTile(source, tile, depth, ZEROS, target, 32, start > low);
        target += ROW_TILE * 32;
        source += step;
      }
      if (column < valueDim) multiplyTile4(source, tile, depth, target, 32, start > low);
    }
  }
  for (let panel = 0; panel < panels; panel++) {
    const target = output + <usize>(panel * 8 * outputWidth) * 4;
    if (load<i32>(ranges + <usize>panel * 8) < load<i32>(ranges + <usize>panel * 8, 4)) {
      writeRows(columns + <usize>panel * columnBytes, 0, valueDim, outputWidth, inverses + <usize>panel * 32, target);
    } else {
      memory.fill(target, 0, <usize>(8 * outputWidth) * 4);
    }
  }
}

/**
 * rows[r][j] = panel[j][r] * factors[r] for low <= j < high, and 0 for the other j up to `width` (a multiple of 8, also the
 * distance of rows). Whatever the panel holds beside low and high within a group of 4 is taken to be finite or cleared.
 */
function writeRows(panel: usize, low: i32, high: i32, width: i32, factors: usize, rows: usize): void {
  const stride = <usize>width * 4;
  if (low >= high) {
    memory.fill(rows, 0, stride * 8);
    return;
  }
  const first = low & ~3;
  const last = (high + 3) & ~3;
  for (let j = first; j < low; j++) memory.fill(panel + <usize>j * 32, 0, 32);
  for (let j = high; j < last; j++) memory.fill(panel + <usize>j * 32, 0, 32);
  if (first > 0 || last < width) {
    for (let row: usize = 0; row < 8; row++) {
      memory.fill(rows + row * stride, 0, <usize>first * 4);
      memory.fill(rows + row * stride + <usize>last * 4, 0, <usize>(width - last) * 4);
    }
  }
  const end = panel + <usize>last * 32;
  turn(panel + <usize>first * 32, end, v128.load(factors), rows + <usize>first * 4, stride);
  turn(panel + <usize>first * 32 + 16, end, v128.load(factors, 16), rows + stride * 4 + <usize>first * 4, stride);
}

/** Four lanes of a panel into four rows, times their factors. */
function turn(from: usize, end: usize, factors: v128, to: usize, stride: usize): void {
  const to1 = to + stride;
  const to2 = to1 + stride;
  const to3 = to2 + stride;
  let at: usize = 0;
  for (; from < end; from += 128) {
    const a = f32x4.mul(v128.load(from), factors);
    const b = f32x4.mul(v128.load(from, 32), factors);
    const c = f32x4.mul(v128.load(from, 64), factors);
    const d = f32x4.mul(v128.load(from, 96), factors);
    const ab0 = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
    const ab1 = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
    const cd0 = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
    const cd1 = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
    v128.store(to + at, v128.shuffle<f32>(ab0, cd0, 0, 1, 4, 5));
    v128.store(to1 + at, v128.shuffle<f32>(ab0, cd0, 2, 3, 6, 7));
    v128.store(to2 + at, v128.shuffle<f32>(ab1, cd1, 0, 1, 4, 5));
    v128.store(to3 + at, v128.shuffle<f32>(ab1, cd1, 2, 3, 6, 7));
    at += 16;
  }
}

/** One row of weights V, leaving out keys of weight 0: a hidden NaN or infinity must not reach the output. */
function outputRow(lane: usize, low: i32, high: i32, factor: f32, values: usize, valueDim: i32, target: usize): void {
  const bytes = <usize>valueDim * 4;
  memory.fill(target, 0, bytes);
  for (let j = low; j < high; j++) {
    const weight = load<f32>(lane + <usize>j * 32) * factor;
    if (weight == 0) continue;
    const value = values + <usize>(j * valueDim) * 4;
    for (let column: usize = 0; column < bytes; column += 4) {
      store<f32>(target + column, load<f32>(target + column) + weight * load<f32>(value + column));
    }
  }
}
