import type { ColorMap, Scale } from './colors.ts';

/** One head's map and which part of it is visible. */
export interface MapView {
  /** [size, size] at `start` of `data`. */
  readonly data: Float32Array;
  readonly start: number;
  readonly size: number;
  readonly tokens: number;
  readonly lows: Int32Array;
  readonly highs: Int32Array;
}

/** Place of a weight on the colour scale, 0 to 255. `largest` is the row's largest weight. */
function place(weight: number, scale: Scale, largest: number): number {
  const share = scale === 'sqrt' ? Math.sqrt(weight) : scale === 'linear' ? weight : largest === 0 ? 0 : weight / largest;
  return Math.min(255, Math.round(share * 255));
}

/**
 * Paints a map into a canvas of one pixel per cell, or, where that exceeds `pixels`, per tile of cells (their largest weight). CSS
 * scales it up without smoothing. Cells that the mask hides stay transparent.
 */
export function paint(canvas: HTMLCanvasElement, view: MapView, pixels: number, scale: Scale, colors: ColorMap): void {
  const { data, start, size, tokens, lows, highs } = view;
  const side = Math.max(1, Math.min(size, pixels));
  if (canvas.width !== side || canvas.height !== side) {
    canvas.width = side;
    canvas.height = side;
  }
  const context = canvas.getContext('2d');
  if (context === null) return;
  const image = context.createImageData(side, side);
  const target = new Uint32Array(image.data.buffer);
  const ratio = size / side;
  const perCell = tokens / size;
  for (let y = 0; y < side; y++) {
    const firstRow = Math.floor(y * ratio);
    const lastRow = Math.max(firstRow + 1, Math.floor((y + 1) * ratio));
    let low = tokens;
    let high = 0;
    for (let t = Math.floor(firstRow * perCell); t < Math.min(tokens, Math.ceil(lastRow * perCell)); t++) {
      low = Math.min(low, lows[t] as number);
      high = Math.max(high, highs[t] as number);
    }
    let largest = 0;
    if (scale === 'row') {
      for (let row = firstRow; row < lastRow; row++) {
        for (let j = 0; j < size; j++) largest = Math.max(largest, data[start + row * size + j] as number);
      }
    }
    for (let x = 0; x < side; x++) {
      const firstColumn = Math.floor(x * ratio);
      const lastColumn = Math.max(firstColumn + 1, Math.floor((x + 1) * ratio));
      if (lastColumn * perCell <= low || firstColumn * perCell >= high) continue;
      let weight = 0;
      for (let row = firstRow; row < lastRow; row++) {
        for (let column = firstColumn; column < lastColumn; column++) {
          const one = data[start + row * size + column] as number;
          if (one > weight) weight = one;
        }
      }
      target[y * side + x] = colors[place(weight, scale, largest)] as number;
    }
  }
  context.putImageData(image, 0, 0);
}
