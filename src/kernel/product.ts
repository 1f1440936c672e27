import type { MatrixProblem } from './interface.ts';
import { type Machine, roundUp } from './machine.ts';
import { type Steps, takeArray } from './steps.ts';

/** Rows of a product held at once, a multiple of the height of a tile. */
const ROWS = 1020;
/** Rows that go in and out of the machine at once. */
const STRIP_ROWS = 60;
/** Columns of a product held at once. */
const COLUMNS = 4096;
/** Columns computed in a step. */
const STEP_COLUMNS = 512;
/** Depth walked at once, so that a column panel of 8 stays in the first-level cache. */
const DEPTH = 256;

/** A matrix product on a machine, a few milliseconds a step. */
export function* multiply(
  machine: Machine,
  problem: MatrixProblem,
  left: Float32Array,
  right: Float32Array,
  bias?: Float32Array,
  reuse?: Float32Array,
): Steps<Float32Array> {
  const { rows, depth, columns, headWidth } = problem;
  const { exports, rowTile } = machine;
  const splits = headWidth !== undefined && headWidth % 8 === 0;
  const height = roundUp(Math.min(rows, ROWS), rowTile);
  const stripRows = Math.min(rows, STRIP_ROWS);
  // Whole heads at a time, where the result is split into heads.
  const most = headWidth === undefined ? COLUMNS : Math.max(1, Math.floor(COLUMNS / headWidth)) * headWidth;
  const width = Math.min(columns, most);
  const strip = machine.take(Math.max(stripRows * depth, stripRows * width, Math.min(depth, DEPTH) * width));
  const packedLeft = machine.take(height * depth);
  const packedRight = machine.take(roundUp(width, 8) * Math.min(depth, DEPTH));
  const productAt = machine.take(height * roundUp(width, 8));
  const biasAt = bias === undefined ? 0 : machine.take(columns);
  machine.commit();
  if (bias !== undefined) machine.write(biasAt, bias);
  const product = takeArray(reuse, rows * columns);
  for (let row = 0; row < rows; row += height) {
    const chunk = Math.min(height, rows - row);
    for (let first = 0; first < chunk; first += stripRows) {
      const count = Math.min(stripRows, chunk - first);
      machine.write(strip, left.subarray((row + first) * depth, (row + first + count) * depth));
      for (let from = 0; from < depth; from += DEPTH) {
        const block = Math.min(DEPTH, depth - from);
        exports.packRows(strip + from * 4, count, block, depth, packedLeft + (from * height + first * block) * 4, 1);
      }
    }
    for (let column = 0; column < columns; column += width) {
      const across = Math.min(width, columns - column);
      for (let from = 0; from < depth; from += DEPTH) {
        const block = Math.min(DEPTH, depth - from);
        copyBlock(machine, right, columns, from, block, column, across, strip);
        exports.packColumns(strip, block, across, packedRight);
        for (let step = 0; step < across; step += STEP_COLUMNS) {
          const wide = Math.min(STEP_COLUMNS, across - step);
          exports.multiplyBlock(
            packedLeft + from * height * 4,
            chunk,
            block,
            packedRight + step * block * 4,
            wide,
            productAt + step * height * 4,
            height,
            from > 0 ? 1 : 0,
          );
          const done = (across * from + block * (step + wide)) / depth;
          yield (row + (chunk * (column + done)) / columns) / rows;
        }
      }
      for (let first = 0; first < chunk; first += stripRows) {
        const count = Math.min(stripRows, chunk - first);
        exports.finishProduct(
          productAt,
          height,
          first,
          count,
          across,
          biasAt === 0 ? 0 : biasAt + column * 4,
          strip,
          splits ? headWidth : 0,
        );
        placeRows(machine.view(strip, count * across), product, problem, row + first, count, column, across);
      }
    }
  }
  return product;
}

/** matrix[from .. from + rows, column .. column + width] to an address. */
function copyBlock(
  machine: Machine,
  matrix: Float32Array,
  columns: number,
  from: number,
  rows: number,
  column: number,
  width: number,
  target: number,
): void {
  if (width === columns) {
    machine.write(target, matrix.subarray(from * columns, (from + rows) * columns));
    return;
  }
  const view = machine.view(target, rows * width);
  for (let row = 0; row < rows; row++) {
    const start = (from + row) * columns + column;
    view.set(matrix.subarray(start, start + width), row * width);
  }
}

/** Puts finished rows where they belong in the product. Heads of a multiple of 8 come one after the other. */
function placeRows(
  strip: Float32Array,
  product: Float32Array,
  { rows, columns, headWidth }: MatrixProblem,
  row: number,
  count: number,
  column: number,
  width: number,
): void {
  if (headWidth !== undefined) {
    for (let head = 0; head < width / headWidth; head++) {
      const target = ((column / headWidth + head) * rows + row) * headWidth;
      if (headWidth % 8 === 0) {
        product.set(strip.subarray(head * count * headWidth, (head + 1) * count * headWidth), target);
        continue;
      }
      for (let i = 0; i < count; i++) {
        const from = i * width + head * headWidth;
        product.set(strip.subarray(from, from + headWidth), target + i * headWidth);
      }
    }
  } else if (width === columns) {
    product.set(strip, row * columns);
  } else {
    for (let i = 0; i < count; i++) product.set(strip.subarray(i * width, (i + 1) * width), (row + i) * columns + column);
  }
}
