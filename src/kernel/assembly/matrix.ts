// Products of matrices. Every address is in bytes, every size in numbers (f32).

import { least } from './attention';
import { multiplyTile, multiplyTile4, ROW_TILE, ZEROS } from './tile';

/** Row panels walked per column panel: packed, 40 of them stay in the second-level cache. */
const PANELS: i32 = 40;

/**
 * product = or += left right for one stretch of the shared dimension and `columns` columns.
 *
 * left     packRows(left), [ceil(rows / ROW_TILE)][depth][ROW_TILE]
 * right    packColumns(right), [ceil(columns / 8)][depth][8]
 * product  [ceil(columns / 8)][height][8], height at least rows padded to ROW_TILE: a tile is one piece of memory
 */
export function multiplyBlock(left: usize, rows: i32, depth: i32, right: usize, columns: i32, product: usize, height: i32, accumulate: bool): void {
  const leftBytes = <usize>(depth * ROW_TILE) * 4;
  const rightBytes = <usize>depth * 32;
  for (let first = 0; first < rows; first += PANELS * ROW_TILE) {
    const end = least(rows, first + PANELS * ROW_TILE);
    for (let column = 0; column < columns; column += 8) {
      const panel = right + <usize>(column >> 3) * rightBytes;
      const target = product + <usize>(column >> 3) * <usize>height * 32;
      for (let row = first; row < end; row += ROW_TILE) {
        const source = left + <usize>(row / ROW_TILE) * leftBytes;
        if (end - row <= 4) multiplyTile4(source, panel, depth, target + <usize>row * 32, 32, accumulate);
        else multiplyTile(source, panel, depth, ZEROS, target + <usize>row * 32, 32, accumulate);
      }
    }
  }
}

/**
 * Takes `rows` rows from `row` on out of a product, adding the vector `bias` (0: none) to each. With headWidth 0 to
 * target [rows, columns], else, headWidth being a multiple of 8, to target [columns / headWidth, rows, headWidth].
 */
export function finishProduct(product: usize, height: i32, row: i32, rows: i32, columns: i32, bias: usize, target: usize, headWidth: i32): void {
  const width = headWidth == 0 ? columns : headWidth;
  const stride = <usize>width * 4;
  for (let column = 0; column < columns; column += 8) {
    let from = product + <usize>((column >> 3) * height + row) * 32;
    const end = from + <usize>rows * 32;
    let to = target + <usize>(column / width * rows * width + column % width) * 4;
    const left = columns - column;
    if (left >= 8) {
      const bias0 = bias == 0 ? f32x4.splat(0) : v128.load(bias + <usize>column * 4);
      const bias1 = bias == 0 ? f32x4.splat(0) : v128.load(bias + <usize>column * 4, 16);
      for (; from < end; from += 32) {
        v128.store(to, f32x4.add(v128.load(from), bias0));
        v128.store(to, f32x4.add(v128.load(from, 16), bias1), 16);
        to += stride;
      }
    } else {
      for (; from < end; from += 32) {
        for (let k: usize = 0; k < <usize>left * 4; k += 4) {
          store<f32>(to + k, load<f32>(from + k) + (bias == 0 ? 0 : load<f32>(bias + <usize>column * 4 + k)));
        }
        to += stride;
      }
    }
  }
}

/** Moves rows `padded` numbers apart together, so that they are `width` apart. */
export function closeRows(matrix: usize, rows: i32, width: i32, padded: i32): void {
  for (let row = 1; row < rows; row++) {
    memory.copy(matrix + <usize>row * <usize>width * 4, matrix + <usize>row * <usize>padded * 4, <usize>width * 4);
  }
}
