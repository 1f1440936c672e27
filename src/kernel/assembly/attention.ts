// Entry points of the kernel. Every address is in bytes, every size in numbers (f32); load.ts owns the memory and its layout.

import { COLUMN_TILE, multiplyTile, ROW_TILE } from './tile';
import { allFinite, packColumns, packRows, packTransposed } from './pack';
import { addBias, softCap, softmaxRow } from './softmax';
import { poolRows } from './pool';
import { measureRows } from './statistics';

export { allFinite, measureRows, packColumns, packTransposed, poolRows };

/** Depth walked at once, so that a column panel of 8 stays in the first-level cache. */
const DEPTH_BLOCK: i32 = 256;

/** Rows of a register tile: packed rows are padded to a multiple of it. */
export function rowTile(): i32 {
  return ROW_TILE;
}

// @ts-ignore: decorator
@inline
function least(a: i32, b: i32): i32 {
  return a < b ? a : b;
}

// @ts-ignore: decorator
@inline
function most(a: i32, b: i32): i32 {
  return a > b ? a : b;
}

/**
 * Attention of one head for a block of query rows.
 *
 * query    [rows, headDim]             keys    packTransposed(K)        values   packColumns(V)
 * lows, highs: per row, the keys [low, high) it may see (i32)
 * bias     0, or the bias of the block's first row at its first key; biasStride numbers further for each next row
 * packed   scratch: ceil(rows / ROW_TILE) * ROW_TILE * max(headDim, DEPTH_BLOCK)
 * weights  out: [rows padded to ROW_TILE, keyLength padded to 8]
 * output   out: [rows padded to ROW_TILE, valueDim padded to 8]
 * plainValues: 0, or V as given [keyLength, valueDim] when it holds NaN or infinities: the product then skips zero weights
 */
export function attendRows(
  query: usize, rows: i32, keys: usize, values: usize, keyLength: i32, headDim: i32, valueDim: i32,
  scale: f32, cap: f32, sink: f32, lows: usize, highs: usize, bias: usize, biasStride: i32,
  packed: usize, weights: usize, output: usize, plainValues: usize,
): void {
  const padded = (keyLength + 7) & ~7;
  const stride = <usize>padded * 4;
  const outputWidth = (valueDim + 7) & ~7;
  const outputStride = <usize>outputWidth * 4;
  const panels = (rows + ROW_TILE - 1) / ROW_TILE;

  // The keys that any row of the block may see.
  let blockLow = keyLength;
  let blockHigh = 0;
  for (let row = 0; row < rows; row++) {
    const low = load<i32>(lows + <usize>row * 4);
    const high = load<i32>(highs + <usize>row * 4);
    if (high > low) {
      blockLow = least(blockLow, low);
      blockHigh = most(blockHigh, high);
    }
  }

  packRows(query, rows, headDim, headDim, packed, scale);
  const panelBytes = <usize>headDim * <usize>ROW_TILE * 4;
  for (let column = blockLow & ~7; column < blockHigh; column += COLUMN_TILE) {
    const columnPanel = keys + <usize>column * <usize>headDim * 4;
    for (let panel = 0; panel < panels; panel++) {
      const row = panel * ROW_TILE;
      if (visible(lows, highs, row, least(row + ROW_TILE, rows), column, column + COLUMN_TILE)) {
        multiplyTile(packed + <usize>panel * panelBytes, columnPanel, headDim, weights + <usize>row * stride + <usize>column * 4, stride, false);
      }
    }
  }

  for (let row = 0; row < rows; row++) {
    const low = load<i32>(lows + <usize>row * 4);
    const high = load<i32>(highs + <usize>row * 4);
    const scores = weights + <usize>row * stride;
    if (cap > 0 && high > low) softCap(scores + <usize>(low & ~3) * 4, <usize>(((high + 3) & ~3) - (low & ~3)) * 4, cap);
    let rowBias: usize = 0;
    if (bias != 0) {
      rowBias = bias + <usize>(row * biasStride) * 4;
      if (high > low) addBias(scores + <usize>low * 4, rowBias + <usize>low * 4, high - low);
    }
    softmaxRow(scores, padded, low, high, sink, rowBias);
  }

  if (plainValues != 0) {
    outputByRows(weights, rows, padded, lows, highs, plainValues, valueDim, output, outputWidth);
    return;
  }
  if (blockLow >= blockHigh) {
    memory.fill(output, 0, <usize>(panels * ROW_TILE) * outputStride);
    return;
  }
  let accumulate = false;
  for (let from = blockLow; from < blockHigh; from += DEPTH_BLOCK) {
    const depth = least(DEPTH_BLOCK, blockHigh - from);
    packRows(weights + <usize>from * 4, rows, depth, padded, packed, 1);
    const bytes = <usize>depth * <usize>ROW_TILE * 4;
    for (let column = 0; column < valueDim; column += COLUMN_TILE) {
      const columnPanel = values + (<usize>column * <usize>keyLength + <usize>from * 8) * 4;
      for (let panel = 0; panel < panels; panel++) {
        const row = panel * ROW_TILE;
        // Of this stretch of keys only those that the panel's rows may see carry weight.
        const end = least(depth, panelHigh(lows, highs, row, least(row + ROW_TILE, rows)) - from);
        if (end > 0 || !accumulate) {
          multiplyTile(packed + <usize>panel * bytes, columnPanel, most(end, 0), output + <usize>row * outputStride + <usize>column * 4, outputStride, accumulate);
        }
      }
    }
    accumulate = true;
  }
}

/** Whether a row of [row, end) may see a key of [from, to). */
// @ts-ignore: decorator
@inline
function visible(lows: usize, highs: usize, row: i32, end: i32, from: i32, to: i32): bool {
  for (; row < end; row++) {
    if (load<i32>(lows + <usize>row * 4) < to && load<i32>(highs + <usize>row * 4) > from) return true;
  }
  return false;
}

// @ts-ignore: decorator
@inline
function panelHigh(lows: usize, highs: usize, row: i32, end: i32): i32 {
  let high = 0;
  for (; row < end; row++) {
    if (load<i32>(highs + <usize>row * 4) > load<i32>(lows + <usize>row * 4)) high = most(high, load<i32>(highs + <usize>row * 4));
  }
  return high;
}

/** output = weights V one row at a time, leaving out keys of weight 0: a hidden NaN or infinity must not reach the output. */
function outputByRows(weights: usize, rows: i32, padded: i32, lows: usize, highs: usize, values: usize, valueDim: i32, output: usize, outputWidth: i32): void {
  for (let row = 0; row < rows; row++) {
    const target = output + <usize>row * <usize>outputWidth * 4;
    memory.fill(target, 0, <usize>outputWidth * 4);
    const low = load<i32>(lows + <usize>row * 4);
    const high = load<i32>(highs + <usize>row * 4);
    for (let j = low; j < high; j++) {
      const weight = load<f32>(weights + (<usize>row * <usize>padded + <usize>j) * 4);
      if (weight == 0) continue;
      const value = values + <usize>j * <usize>valueDim * 4;
      for (let column: usize = 0; column < <usize>valueDim * 4; column += 4) {
        store<f32>(target + column, load<f32>(target + column) + weight * load<f32>(value + column));
      }
    }
  }
}

/**
 * product = left right for a block of rows.
 *
 * left     [rows, depth]               right    packColumns(right), [ceil(columns / 8)][depth][8]
 * packed   scratch: ceil(rows / ROW_TILE) * ROW_TILE * DEPTH_BLOCK
 * product  out: [rows padded to ROW_TILE, columns padded to 8]
 */
export function multiplyRows(left: usize, rows: i32, depth: i32, right: usize, columns: i32, packed: usize, product: usize): void {
  const width = (columns + 7) & ~7;
  const stride = <usize>width * 4;
  const panels = (rows + ROW_TILE - 1) / ROW_TILE;
  for (let from = 0; from < depth; from += DEPTH_BLOCK) {
    const block = least(DEPTH_BLOCK, depth - from);
    packRows(left + <usize>from * 4, rows, block, depth, packed, 1);
    const bytes = <usize>block * <usize>ROW_TILE * 4;
    for (let column = 0; column < columns; column += COLUMN_TILE) {
      const columnPanel = right + (<usize>column * <usize>depth + <usize>from * 8) * 4;
      for (let panel = 0; panel < panels; panel++) {
        multiplyTile(packed + <usize>panel * bytes, columnPanel, block, product + <usize>(panel * ROW_TILE) * stride + <usize>column * 4, stride, from > 0);
      }
    }
  }
}

/** Moves rows `padded` numbers apart together, so that they are `width` apart, adding the vector `bias` (0: none) to each. */
export function finishRows(matrix: usize, rows: i32, width: i32, padded: i32, bias: usize): void {
  for (let row = 0; row < rows; row++) {
    const from = matrix + <usize>row * <usize>padded * 4;
    const to = matrix + <usize>row * <usize>width * 4;
    if (bias == 0) {
      if (row > 0) memory.copy(to, from, <usize>width * 4);
      continue;
    }
    let k: usize = 0;
    const whole = <usize>(width & ~3) * 4;
    for (; k < whole; k += 16) v128.store(to + k, f32x4.add(v128.load(from + k), v128.load(bias + k)));
    for (; k < <usize>width * 4; k += 4) store<f32>(to + k, load<f32>(from + k) + load<f32>(bias + k));
  }
}
