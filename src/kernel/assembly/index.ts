// What the kernel exports.

import { ROW_TILE } from './tile';

export { attendBlock } from './attention';
export { closeRows, finishProduct, multiplyBlock } from './matrix';
export { allModest, largestNorm, packColumns, packRows, packValues } from './pack';
export { poolRows } from './pool';
export { measureRows } from './statistics';

/** Rows of a register tile: packed rows are padded to a multiple of it. */
export function rowTile(): i32 {
  return ROW_TILE;
}
