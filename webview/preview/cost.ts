import type { PreviewDesign } from '../protocol.ts';
import type { ComputeResult } from './compute.ts';
import { sampleMask } from './projections.ts';
import type { SampleSettings } from './settings.ts';

/** Weights kept in full up to this many (128 MiB); beyond, maps are pooled. */
export const FULL_WEIGHTS = 2 ** 25;
/** Computations that may take longer are not begun unasked, in ms. */
export const UNASKED_MS = 4000;

/** Fewest operations that tell a rate: of less, starting and projections are the most. */
const TELLING = 2e8;
/** Products and sums a second, until a run has told: a slow machine with SIMD. */
const FIRST_RATE = 8e9;

export interface Cost {
  /** Of all weights. */
  readonly bytes: number;
  /** Whether the weights can only be had pooled. */
  readonly pooled: boolean;
  readonly milliseconds: number;
}

/** Multiplications and additions of scores and weighted values, and of the softmax as so many. */
function operations(design: PreviewDesign, settings: SampleSettings, tokens: number): number {
  const mask = sampleMask(design, settings);
  const seen = mask.kind === 'slidingWindow' ? Math.min(1, (mask.window + (mask.ahead ?? 0)) / tokens) : mask.kind === 'none' ? 1 : 0.5;
  return design.queryHeads * tokens * tokens * seen * (2 * (design.headDim + design.valueDim) + 40);
}

/** Whether layers that are not shown run first. */
const runsBefore = ({ model, before, layer }: SampleSettings): boolean => model === 'checkpoint' && before && layer > 0;

/**
 * What computing a design takes, told before it starts.
 *
 * @param rate operations a second, where a run has told
 * @param numbers of a checkpoint's matrices that every token is multiplied with
 */
export function estimate(design: PreviewDesign, settings: SampleSettings, tokens: number, rate = FIRST_RATE, numbers = 0): Cost {
  const weights = design.queryHeads * tokens * tokens;
  const streams = runsBefore(settings);
  const all = operations(design, settings, tokens) * (streams ? settings.layer + 1 : 1) + (streams ? 2 * tokens * numbers : 0);
  return {
    bytes: weights * 4,
    pooled: weights > FULL_WEIGHTS,
    milliseconds: (all / rate) * 1000,
  };
}

/** Operations a second of a run; undefined where it was too short to tell. */
export function rateOf({ design, settings, tokens, milliseconds, layers }: ComputeResult): number | undefined {
  const done = layers * operations(design, settings, tokens.length);
  return done < TELLING || runsBefore(settings) ? undefined : (done * 1000) / milliseconds;
}
