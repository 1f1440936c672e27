// The register tile: ROW_TILE x 8 products kept in registers while walking the shared dimension once.
//
// Both operands are packed so that the inner loop reads straight through memory:
//   row panel     [depth][ROW_TILE]   ROW_TILE rows of the left matrix, interleaved
//   column panel  [depth][8]          8 columns of the right matrix, interleaved
// Remainders are packed as zeros, so the loop has one form only.
//
// The tile is 5 x 8: 10 accumulators, 2 columns and a row value. V8 has 15 registers to give and puts the loads of a round
// first, so that 6 x 8 spills accumulators into memory on x64: free where the processor renames memory (Zen), a fifth of the
// speed where it does not (Skylake and its successors).
//
// The loop is a do-while behind a test, with the choice between adding and storing after it: in V8 11 other forms of the
// same loop spill registers and run at half the speed.

export const ROW_TILE: i32 = 5;
export const COLUMN_TILE: i32 = 8;

// @ts-ignore: decorator
@inline
export function multiplyAdd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) {
    return f32x4.relaxed_madd(a, b, c);
  } else {
    return f32x4.add(f32x4.mul(a, b), c);
  }
}

/** Where zeros stand: the first bytes of the memory, which nothing is written to. */
export const ZEROS: usize = 0;

/** product[ROW_TILE][8] (row stride in bytes) = or += row panel x column panel, plus the 8 numbers at `start` on each row. */
export function multiplyTile(
  rowPanel: usize, columnPanel: usize, depth: i32, start: usize, product: usize, stride: usize, accumulate: bool,
): void {
  let c00 = v128.load(start), c01 = v128.load(start, 16), c10 = c00, c11 = c01, c20 = c00, c21 = c01;
  let c30 = c00, c31 = c01, c40 = c00, c41 = c01;
  if (depth > 0) {
    do {
      const b0 = v128.load(columnPanel);
      const b1 = v128.load(columnPanel, 16);
      let a = v128.load_splat<f32>(rowPanel);
      c00 = multiplyAdd(a, b0, c00);
      c01 = multiplyAdd(a, b1, c01);
      a = v128.load_splat<f32>(rowPanel, 4);
      c10 = multiplyAdd(a, b0, c10);
      c11 = multiplyAdd(a, b1, c11);
      a = v128.load_splat<f32>(rowPanel, 8);
      c20 = multiplyAdd(a, b0, c20);
      c21 = multiplyAdd(a, b1, c21);
      a = v128.load_splat<f32>(rowPanel, 12);
      c30 = multiplyAdd(a, b0, c30);
      c31 = multiplyAdd(a, b1, c31);
      a = v128.load_splat<f32>(rowPanel, 16);
      c40 = multiplyAdd(a, b0, c40);
      c41 = multiplyAdd(a, b1, c41);
      rowPanel += <usize>ROW_TILE * 4;
      columnPanel += 32;
      depth--;
    } while (depth > 0);
  }
  if (accumulate) {
    addTo(product, c00, c01);
    product += stride;
    addTo(product, c10, c11);
    product += stride;
    addTo(product, c20, c21);
    product += stride;
    addTo(product, c30, c31);
    addTo(product + stride, c40, c41);
  } else {
    v128.store(product, c00);
    v128.store(product, c01, 16);
    product += stride;
    v128.store(product, c10);
    v128.store(product, c11, 16);
    product += stride;
    v128.store(product, c20);
    v128.store(product, c21, 16);
    product += stride;
    v128.store(product, c30);
    v128.store(product, c31, 16);
    product += stride;
    v128.store(product, c40);
    v128.store(product, c41, 16);
  }
}

/** multiplyTile for the first four rows of a row panel only. */
export function multiplyTile4(rowPanel: usize, columnPanel: usize, depth: i32, product: usize, stride: usize, accumulate: bool): void {
  let c00 = f32x4.splat(0), c01 = c00, c10 = c00, c11 = c00, c20 = c00, c21 = c00, c30 = c00, c31 = c00;
  if (depth > 0) {
    do {
      const b0 = v128.load(columnPanel);
      const b1 = v128.load(columnPanel, 16);
      let a = v128.load_splat<f32>(rowPanel);
      c00 = multiplyAdd(a, b0, c00);
      c01 = multiplyAdd(a, b1, c01);
      a = v128.load_splat<f32>(rowPanel, 4);
      c10 = multiplyAdd(a, b0, c10);
      c11 = multiplyAdd(a, b1, c11);
      a = v128.load_splat<f32>(rowPanel, 8);
      c20 = multiplyAdd(a, b0, c20);
      c21 = multiplyAdd(a, b1, c21);
      a = v128.load_splat<f32>(rowPanel, 12);
      c30 = multiplyAdd(a, b0, c30);
      c31 = multiplyAdd(a, b1, c31);
      rowPanel += <usize>ROW_TILE * 4;
      columnPanel += 32;
      depth--;
    } while (depth > 0);
  }
  if (accumulate) {
    addTo(product, c00, c01);
    product += stride;
    addTo(product, c10, c11);
    product += stride;
    addTo(product, c20, c21);
    addTo(product + stride, c30, c31);
  } else {
    v128.store(product, c00);
    v128.store(product, c01, 16);
    product += stride;
    v128.store(product, c10);
    v128.store(product, c11, 16);
    product += stride;
    v128.store(product, c20);
    v128.store(product, c21, 16);
    product += stride;
    v128.store(product, c30);
    v128.store(product, c31, 16);
  }
}

// @ts-ignore: decorator
@inline
function addTo(at: usize, left: v128, right: v128): void {
  v128.store(at, f32x4.add(v128.load(at), left));
  v128.store(at, f32x4.add(v128.load(at, 16), right), 16);
}
