// Packing of operands into the panels that multiplyTile reads.

import { multiplyAdd, ROW_TILE } from './tile';

// @ts-ignore: decorator
@inline
function at(base: usize, row: i32, stride: i32): usize {
  return base + (<usize>row * <usize>stride) * 4;
}

/**
 * Packs `rows` rows of `depth` numbers (stride in numbers) into row panels [ceil(rows / ROW_TILE)][depth][ROW_TILE],
 * each number multiplied by `factor`.
 */
export function packRows(source: usize, rows: i32, depth: i32, stride: i32, target: usize, factor: f32): void {
  const scale = f32x4.splat(factor);
  for (let first = 0; first < rows; first += ROW_TILE) {
    if (rows - first >= ROW_TILE) {
      const r0 = at(source, first, stride);
      const r1 = at(source, first + 1, stride);
      const r2 = at(source, first + 2, stride);
      const r3 = at(source, first + 3, stride);
      const r4 = at(source, first + 4, stride);
      let k: usize = 0;
      const whole = <usize>(depth & ~3) * 4;
      for (; k < whole; k += 16) {
        const a = f32x4.mul(v128.load(r0 + k), scale);
        const b = f32x4.mul(v128.load(r1 + k), scale);
        const c = f32x4.mul(v128.load(r2 + k), scale);
        const d = f32x4.mul(v128.load(r3 + k), scale);
        const e = f32x4.mul(v128.load(r4 + k), scale);
        const ab0 = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
        const ab1 = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
        const cd0 = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
        const cd1 = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
        const row: usize = <usize>ROW_TILE * 4;
        v128.store(target, v128.shuffle<f32>(ab0, cd0, 0, 1, 4, 5));
        v128.store(target + row, v128.shuffle<f32>(ab0, cd0, 2, 3, 6, 7));
        v128.store(target + row * 2, v128.shuffle<f32>(ab1, cd1, 0, 1, 4, 5));
        v128.store(target + row * 3, v128.shuffle<f32>(ab1, cd1, 2, 3, 6, 7));
        v128.store_lane<u32>(target, e, 0, 16);
        v128.store_lane<u32>(target + row, e, 1, 16);
        v128.store_lane<u32>(target + row * 2, e, 2, 16);
        v128.store_lane<u32>(target + row * 3, e, 3, 16);
        target += row * 4;
      }
      const end = <usize>depth * 4;
      for (; k < end; k += 4) {
        store<f32>(target, load<f32>(r0 + k) * factor);
        store<f32>(target, load<f32>(r1 + k) * factor, 4);
        store<f32>(target, load<f32>(r2 + k) * factor, 8);
        store<f32>(target, load<f32>(r3 + k) * factor, 12);
        store<f32>(target, load<f32>(r4 + k) * factor, 16);
        target += <usize>ROW_TILE * 4;
      }
    } else {
      const left = rows - first;
      for (let k = 0; k < depth; k++) {
        for (let row = 0; row < ROW_TILE; row++) {
          store<f32>(target, row < left ? load<f32>(at(source, first + row, stride) + <usize>k * 4) * factor : 0);
          target += 4;
        }
      }
    }
  }
}

/** Packs the transpose of `rows` rows of `depth` numbers into column panels [ceil(rows / 8)][depth][8]: the keys of Q K^T. */
export function packTransposed(source: usize, rows: i32, depth: i32, target: usize): void {
  for (let first = 0; first < rows; first += 8) {
    if (rows - first >= 8) {
      const stride = <usize>depth * 4;
      let row = at(source, first, depth);
      const whole = <usize>(depth & ~3) * 4;
      let k: usize = 0;
      for (; k < whole; k += 16) {
        transpose4(row + k, stride, target);
        transpose4(row + k + stride * 4, stride, target + 16);
        target += 128;
      }
      for (; k < stride; k += 4) {
        row = at(source, first, depth) + k;
        for (let column = 0; column < 8; column++) {
          store<f32>(target, load<f32>(row));
          target += 4;
          row += stride;
        }
      }
    } else {
      const left = rows - first;
      for (let k = 0; k < depth; k++) {
        for (let column = 0; column < 8; column++) {
          store<f32>(target, column < left ? load<f32>(at(source, first + column, depth) + <usize>k * 4) : 0);
          target += 4;
        }
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function transpose4(from: usize, stride: usize, to: usize): void {
  const a = v128.load(from);
  const b = v128.load(from + stride);
  const c = v128.load(from + stride * 2);
  const d = v128.load(from + stride * 3);
  const ab0 = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
  const ab1 = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
  const cd0 = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
  const cd1 = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<f32>(ab0, cd0, 0, 1, 4, 5));
  v128.store(to, v128.shuffle<f32>(ab0, cd0, 2, 3, 6, 7), 32);
  v128.store(to, v128.shuffle<f32>(ab1, cd1, 0, 1, 4, 5), 64);
  v128.store(to, v128.shuffle<f32>(ab1, cd1, 2, 3, 6, 7), 96);
}

/** Packs a [depth][columns] matrix into column panels [ceil(columns / 8)][depth][8]: values, and projection matrices. */
export function packColumns(source: usize, depth: i32, columns: i32, target: usize): void {
  const stride = <usize>columns * 4;
  for (let first = 0; first < columns; first += 8) {
    let row = source + <usize>first * 4;
    if (columns - first >= 8) {
      for (let k = 0; k < depth; k++) {
        v128.store(target, v128.load(row));
        v128.store(target, v128.load(row, 16), 16);
        target += 32;
        row += stride;
      }
    } else {
      const left = columns - first;
      for (let k = 0; k < depth; k++) {
        for (let column = 0; column < 8; column++) {
          store<f32>(target, column < left ? load<f32>(row + <usize>column * 4) : 0);
          target += 4;
        }
        row += stride;
      }
    }
  }
}

/**
 * Packs a [depth][columns] matrix into panels [ceil(columns / ROW_TILE)][depth][ROW_TILE], rows of the product with its
 * transpose: the values, each of whose columns becomes a row.
 */
export function packValues(source: usize, depth: i32, columns: i32, target: usize): void {
  const stride = <usize>columns * 4;
  for (let first = 0; first < columns; first += ROW_TILE) {
    let row = source + <usize>first * 4;
    const left = columns - first;
    if (left >= ROW_TILE) {
      for (let k = 0; k < depth; k++) {
        v128.store(target, v128.load(row));
        store<u32>(target, load<u32>(row, 16), 16);
        target += <usize>ROW_TILE * 4;
        row += stride;
      }
    } else {
      for (let k = 0; k < depth; k++) {
        for (let column = 0; column < ROW_TILE; column++) {
          store<f32>(target, column < left ? load<f32>(row + <usize>column * 4) : 0);
          target += 4;
        }
        row += stride;
      }
    }
  }
}

/** The largest norm of `rows` rows of `depth` numbers; NaN when one of them is. */
export function largestNorm(source: usize, rows: i32, depth: i32): f32 {
  let most: f32 = 0;
  for (let row = 0; row < rows; row++) {
    const end = source + <usize>depth * 4;
    const whole = source + <usize>(depth & ~3) * 4;
    let squares = f32x4.splat(0);
    for (; source < whole; source += 16) {
      const x = v128.load(source);
      squares = multiplyAdd(x, x, squares);
    }
    let sum: f32 = f32x4.extract_lane(squares, 0) + f32x4.extract_lane(squares, 1) + f32x4.extract_lane(squares, 2) + f32x4.extract_lane(squares, 3);
    for (; source < end; source += 4) sum += load<f32>(source) * load<f32>(source);
    most = max(most, sum);
  }
  return sqrt(most);
}

/** True when every one of `count` numbers is finite, and so far from the largest that a sum of them stays finite, too. */
export function allModest(source: usize, count: i32): bool {
  const factor = f32x4.splat(1e8);
  // x * 1e8 is infinite for a number above 3e30; y - y is 0 for a finite number and NaN otherwise; NaN survives the sum.
  let sum = f32x4.splat(0);
  const end = source + <usize>count * 4;
  const whole = source + <usize>(count & ~3) * 4;
  for (; source < whole; source += 16) {
    const x = f32x4.mul(v128.load(source), factor);
    sum = f32x4.add(sum, f32x4.sub(x, x));
  }
  let rest: f32 = f32x4.extract_lane(sum, 0) + f32x4.extract_lane(sum, 1) + f32x4.extract_lane(sum, 2) + f32x4.extract_lane(sum, 3);
  for (; source < end; source += 4) {
    const x = load<f32>(source) * 1e8;
    rest += x - x;
  }
  return rest == 0;
}
