// Weights reduced to tiles (PooledWeights in ../interface.ts) while their rows are at hand.

/**
 * Adds `rows` rows of weights (`padded` numbers apart, zero outside their ranges) to one head's maps.
 *
 * bounds   [columns + 1] i32: tile c holds the keys bounds[c] <= j < bounds[c + 1]
 * tiles    [rows] i32: the tile row of each row
 * maximum, sum   [tile rows, columns] f32: largest weight and sum of each tile
 * columnSums     [keyLength] f32
 * rowSums        out: [rows] f32
 */
export function poolRows(
  weights: usize, rows: i32, padded: i32, lows: usize, highs: usize, bounds: usize, columns: i32, tiles: usize,
  maximum: usize, sum: usize, columnSums: usize, rowSums: usize,
): void {
  for (let row = 0; row < rows; row++) {
    const low = load<i32>(lows + <usize>row * 4);
    const high = load<i32>(highs + <usize>row * 4);
    const from = weights + <usize>row * <usize>padded * 4;
    let rowSum: f32 = 0;
    const base = load<i32>(tiles + <usize>row * 4) * columns;
    for (let column = 0; column < columns; column++) {
      const first = max(low, load<i32>(bounds + <usize>column * 4));
      const last = min(high, load<i32>(bounds + <usize>column * 4, 4));
      if (first >= last) continue;
      let most: f32 = 0;
      let total: f32 = 0;
      for (let j = first; j < last; j++) {
        const at = <usize>j * 4;
        const weight = load<f32>(from + at);
        most = max(most, weight);
        total += weight;
        store<f32>(columnSums + at, load<f32>(columnSums + at) + weight);
      }
      const cell = <usize>(base + column) * 4;
      store<f32>(maximum + cell, max(load<f32>(maximum + cell), most));
      store<f32>(sum + cell, load<f32>(sum + cell) + total);
      rowSum += total;
    }
    store<f32>(rowSums + <usize>row * 4, rowSum);
  }
}
