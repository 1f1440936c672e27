import { type ColorMap, type Norm, type Scale, shade } from './colors.ts';

/** The part of a map that is drawn, in cells; whole cells need not fit. */
export interface Window {
  readonly row: number;
  readonly column: number;
  /** Cells across and down. */
  readonly cells: number;
}

/** One head's map, and how it is coloured. */
export interface MapView {
  /** [size, size] */
  readonly data: Float32Array;
  readonly size: number;
  /** Tokens that the rows and columns stand for. */
  readonly tokens: number;
  readonly lows: Int32Array;
  readonly highs: Int32Array;
  readonly scale: Scale;
  readonly norm: Norm;
  readonly colors: ColorMap;
  /** Values run from -1 to 1 with the middle colour at 0, instead of from 0. */
  readonly signed?: boolean;
  /** What a row's weights are measured against, where the data does not say it. */
  readonly against?: (row: number) => number;
}

/** What the weights of each row are measured against. */
function measures({ data, size, norm, signed, against }: MapView): (row: number) => number {
  if (against !== undefined) return against;
  const largest = (from: number, to: number): number => {
    let most = 0;
    for (let i = from; i < to; i++) {
      const value = signed === true ? Math.abs(data[i] as number) : (data[i] as number);
      if (value > most) most = value;
    }
    return most;
  };
  if (norm === 'one') return () => 1;
  if (norm === 'row') return (row) => largest(row * size, (row + 1) * size);
  const most = largest(0, data.length);
  return () => most;
}

/** Place on the colour scale, 0 to 255, of each cell; undefined where the mask hides it. */
export function place(view: MapView): (row: number, column: number) => number | undefined {
  const { data, size, tokens, lows, highs, scale, signed } = view;
  const measure = measures(view);
  const perCell = tokens / size;
  let known = -1;
  let against = 0;
  return (row, column) => {
    if (row !== known) {
      known = row;
      against = measure(row);
    }
    const [first, last] = [Math.floor(row * perCell), Math.max(Math.floor(row * perCell), Math.ceil((row + 1) * perCell) - 1)];
    if ((column + 1) * perCell <= (lows[first] as number) || column * perCell >= (highs[last] as number)) return undefined;
    const share = against === 0 ? 0 : (data[row * size + column] as number) / against;
    return Math.round((signed === true ? (1 + Math.sign(share) * shade(Math.abs(share), scale)) / 2 : shade(share, scale)) * 255);
  };
}

/**
 * Paints a part of a map into a canvas of `pixels` pixels a side at most: one pixel per cell, or, where there are more cells than
 * pixels, per tile of cells (the heaviest of them). CSS scales it up without smoothing. Cells that the mask hides stay transparent.
 */
export function paint(canvas: HTMLCanvasElement, view: MapView, pixels: number, window?: Window): void {
  const { data, size, tokens, lows, highs, scale, colors, signed } = view;
  const { row: top, column: left, cells } = window ?? { row: 0, column: 0, cells: size };
  // Parts of cells at the edges need pixels of their own.
  const whole = Number.isInteger(top) && Number.isInteger(left) && Number.isInteger(cells);
  const side = Math.max(1, Math.min(whole ? Math.min(cells, pixels) : pixels, pixels));
  if (canvas.width !== side || canvas.height !== side) {
    canvas.width = side;
    canvas.height = side;
  }
  const context = canvas.getContext('2d');
  if (context === null) return;
  const image = context.createImageData(side, side);
  const target = new Uint32Array(image.data.buffer);
  const measure = measures(view);
  const ratio = cells / side;
  const perCell = tokens / size;
  const bound = (at: number): number => Math.max(0, Math.min(size, at));
  for (let y = 0; y < side; y++) {
    const firstRow = bound(Math.floor(top + y * ratio));
    const lastRow = Math.max(firstRow + 1, bound(Math.floor(top + (y + 1) * ratio)));
    if (firstRow >= size) break;
    let low = tokens;
    let high = 0;
    for (let t = Math.floor(firstRow * perCell); t < Math.min(tokens, Math.ceil(lastRow * perCell)); t++) {
      low = Math.min(low, lows[t] as number);
      high = Math.max(high, highs[t] as number);
    }
    let against = 0;
    for (let row = firstRow; row < lastRow; row++) against = Math.max(against, measure(row));
    for (let x = 0; x < side; x++) {
      const firstColumn = bound(Math.floor(left + x * ratio));
      const lastColumn = Math.max(firstColumn + 1, bound(Math.floor(left + (x + 1) * ratio)));
      if (firstColumn >= size) break;
      if (lastColumn * perCell <= low || firstColumn * perCell >= high) continue;
      let weight = 0;
      for (let row = firstRow; row < lastRow; row++) {
        for (let column = firstColumn; column < lastColumn; column++) {
          const one = data[row * size + column] as number;
          if (signed === true ? Math.abs(one) > Math.abs(weight) : one > weight) weight = one;
        }
      }
      const share = against === 0 ? 0 : weight / against;
      const place = signed === true ? (1 + Math.sign(share) * shade(Math.abs(share), scale)) / 2 : shade(share, scale);
      target[y * side + x] = colors[Math.round(place * 255)] as number;
    }
  }
  context.putImageData(image, 0, 0);
}

/** Paints one row of numbers as a strip, the middle colour at 0. Values are measured against `largest`. */
export function paintStrip(canvas: HTMLCanvasElement, data: Float32Array, largest: number, colors: ColorMap): void {
  canvas.width = data.length;
  canvas.height = 1;
  const context = canvas.getContext('2d');
  if (context === null) return;
  const image = context.createImageData(data.length, 1);
  const target = new Uint32Array(image.data.buffer);
  for (const [i, value] of data.entries()) {
    const share = largest === 0 ? 0 : Math.max(-1, Math.min(1, value / largest));
    target[i] = colors[Math.round(((1 + share) / 2) * 255)] as number;
  }
  context.putImageData(image, 0, 0);
}
