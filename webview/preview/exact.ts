import type { TileReply } from './compute.ts';
import type { MapView, Window } from './heatmap.ts';
import type { Weights } from './lens.ts';
import { type Shown, viewOf } from './shown.ts';
import { tokenText } from './words.ts';

/** Tokens across a window up to which its weights are computed one by one. */
const EXACT_TOKENS = 512;
/** Numbers of a tile: rows are whole, so that ranks and sums are those of the row. 32 MiB. */
const TILE_NUMBERS = 2 ** 23;

/** Exact rows of some heads of a pooled result. */
export interface Tile extends TileReply {
  /** Of the result that it is a part of. */
  readonly of: number;
}

/** The tile's part of a head, where it has this row. [rows, tokens] */
function part(weights: Weights, head: number, row: number, tile: Tile | undefined): Float32Array | undefined {
  const { id, tokens } = weights.result;
  const at = tile?.of === id ? tile.heads.indexOf(head) : -1;
  if (tile === undefined || at < 0 || row < tile.row || row >= tile.row + tile.rows) return undefined;
  const each = tile.rows * tokens.length;
  return tile.weights.subarray(at * each, (at + 1) * each);
}

/** Tokens that a cell of the result's maps stands for. */
export const grainOf = ({ result }: Weights): number => result.tokens.length / result.size;

/** A row or a column of a head's weights. */
export interface Line {
  readonly values: Float32Array;
  /** One value per token, not the largest of a tile of them. */
  readonly exact: boolean;
  /** The value of a token. */
  index(token: number): number;
  /** A value's token, or tokens, in words. */
  name(index: number): string;
  /** The tokens that the values are of, where they are not of all. */
  readonly only?: readonly [first: number, last: number];
}

const whole = (weights: Weights, values: Float32Array): Line => {
  const { result } = weights;
  const grain = grainOf(weights);
  return {
    values,
    exact: !result.pooled,
    index: (token) => Math.min(result.size - 1, Math.floor(token / grain)),
    name: (index) => tokenText(result, index),
  };
};

const one = ({ result }: Weights, values: Float32Array, first: number): Line => ({
  values,
  exact: true,
  index: (token) => token - first,
  name: (index) => `${first + index} “${result.tokens[first + index] ?? ''}”`,
});

/** What a query gives to the keys. */
export function rowOf(weights: Weights, head: number, row: number, tile: Tile | undefined): Line {
  const { size, tokens } = weights.result;
  const rows = part(weights, head, row, tile);
  if (rows === undefined || tile === undefined)
    return whole(weights, weights.row(head, Math.min(size - 1, Math.floor(row / grainOf(weights)))));
  const at = (row - tile.row) * tokens.length;
  return one(weights, rows.subarray(at, at + tokens.length), 0);
}

/** What a key gets from the queries; of those of a tile alone where there is one. */
export function columnOf(weights: Weights, head: number, row: number, column: number, tile: Tile | undefined): Line {
  const { size, tokens } = weights.result;
  const rows = part(weights, head, row, tile);
  if (rows === undefined || tile === undefined) {
    const cell = Math.min(size - 1, Math.floor(column / grainOf(weights)));
    return whole(
      weights,
      Float32Array.from({ length: size }, (_, query) => weights.at(head, query, cell)),
    );
  }
  const values = Float32Array.from({ length: tile.rows }, (_, query) => rows[query * tokens.length + column] as number);
  return { ...one(weights, values, tile.row), only: [tile.row, tile.row + tile.rows - 1] };
}

/** What a window in tokens shows of a head, and where in it. */
export function drawn(
  shown: Shown,
  weights: Weights,
  head: number,
  window: Window,
  tile: Tile | undefined,
): { readonly view: MapView; readonly window: Window } {
  const view = viewOf(shown, weights, head);
  const { row, column, cells } = window;
  const rows = part(weights, head, row, tile);
  const grain = grainOf(weights);
  if (rows === undefined || part(weights, head, row + cells - 1, tile) === undefined || tile === undefined || cells > EXACT_TOKENS)
    return { view, window: { row: row / grain, column: column / grain, cells: cells / grain } };
  const { tokens, lows, highs, statistics } = weights.result;
  const data = new Float32Array(cells * cells);
  const largest = new Float32Array(cells);
  for (let i = 0; i < cells; i++) {
    const at = (row - tile.row + i) * tokens.length;
    data.set(rows.subarray(at + column, at + column + cells), i * cells);
    if (view.norm === 'row') for (let j = 0; j < tokens.length; j++) largest[i] = Math.max(largest[i] as number, rows[at + j] as number);
  }
  const most = statistics[head]?.maximum ?? 1;
  const clip = (bounds: Int32Array): Int32Array =>
    Int32Array.from({ length: cells }, (_, i) => Math.max(0, Math.min(cells, (bounds[row + i] as number) - column)));
  return {
    view: {
      ...view,
      data,
      size: cells,
      tokens: cells,
      lows: clip(lows),
      highs: clip(highs),
      ...(view.norm === 'one' ? {} : { against: (i: number) => (view.norm === 'row' ? (largest[i] as number) : most) }),
    },
    window: { row: 0, column: 0, cells },
  };
}

/** Rows that have to be computed for what a window shows, or for the row that is pinned; undefined where there are enough. */
export function wantedRows(
  weights: Weights,
  heads: readonly number[],
  window: Window,
  pinned: number | undefined,
  tile: Tile | undefined,
): { readonly row: number; readonly rows: number } | undefined {
  const { pooled, tokens } = weights.result;
  if (!pooled) return undefined;
  const has = (row: number): boolean => heads.every((head) => part(weights, head, row, tile) !== undefined);
  if (window.cells > EXACT_TOKENS) return pinned === undefined || has(pinned) ? undefined : { row: pinned, rows: 1 };
  if (has(window.row) && has(window.row + window.cells - 1)) return undefined;
  // A little more than is seen, so that a small move needs nothing new.
  const room = Math.floor(TILE_NUMBERS / (tokens.length * heads.length));
  const rows = Math.min(tokens.length, Math.max(window.cells, Math.min(room, 2 * window.cells)));
  const row = Math.max(0, Math.min(tokens.length - rows, Math.round(window.row - (rows - window.cells) / 2)));
  return { row, rows };
}
