import { type ColorMap, colorMap, currentTheme, differenceMap } from './colors.ts';
import type { MapView } from './heatmap.ts';
import type { Weights } from './lens.ts';
import type { Display } from './state.ts';

/** What every view draws: weights, and how the page shows them. */
export interface Shown {
  readonly weights: Weights;
  /** Weights of the design that is compared, where there is one. */
  readonly other: Weights | undefined;
  readonly display: Display;
}

export const shownColors = ({ display }: Shown): ColorMap => colorMap(currentTheme(), display.palette);

/** A head's map with the page's colours. */
export function viewOf(shown: Shown, weights: Weights, head: number): MapView {
  const { size, tokens, lows, highs, means } = weights.result;
  const { scale, norm, tile } = shown.display;
  const data = tile === 'mean' && means !== undefined ? means.subarray(head * size * size, (head + 1) * size * size) : weights.map(head);
  return { data, size, tokens: tokens.length, lows, highs, scale, norm, colors: shownColors(shown) };
}

/** What one map has more than another of the same size. */
export function differenceOf(shown: Shown, one: MapView, two: MapView): MapView {
  const wider = (a: Int32Array, b: Int32Array, choose: (x: number, y: number) => number): Int32Array =>
    a.map((value, i) => choose(value, b[i] as number));
  return {
    ...one,
    data: one.data.map((value, i) => value - (two.data[i] as number)),
    lows: wider(one.lows, two.lows, Math.min),
    highs: wider(one.highs, two.highs, Math.max),
    colors: differenceMap(currentTheme()),
    norm: shown.display.norm,
    signed: true,
  };
}

/** Whether the same sample can be drawn with other KV heads: only where projections are random and heads have keys of their own. */
export const canShare = ({ result }: Weights): boolean => result.settings.model === 'design' && result.design.latent === undefined;
