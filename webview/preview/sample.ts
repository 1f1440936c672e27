import type { AttentionMask, MultiHeadInput, MultiHeadProblem } from '../../src/kernel/interface.ts';
import { checkHeads, maskOffset, positiveInteger } from '../../src/kernel/problem.ts';
import type { PreviewDesign } from '../protocol.ts';

/** What the person at the page chose. */
export interface SampleSettings {
  /** Tokens, where no text is given. */
  readonly length: number;
  readonly seed: number;
  /** Words to use as tokens, split at white space; empty: seeded words. */
  readonly text: string;
  readonly causal: boolean;
}

/**
 * Width of a sample token. Attention depends on a design through its heads and their widths; the width of the residual stream only
 * feeds the projections, which are random here, so a small one serves.
 */
export const SAMPLE_WIDTH = 64;
/** Standard deviation of the scores before positions: enough for the softmax to choose. */
const SCORE_SPREAD = 2.2;
/** Tokens that a text may have. */
export const MAX_LENGTH = 4096;

const words =
  'the a of and to in is it that was for on as with his they at be this from have or by one had not but what all were when we there can an your which their said if do will each about how up out them then she many some so these would other into has more her two like him see time could no make than first been its who now people my made over did down only way find use may water long little very after words called just where most know'.split(
    ' ',
  );

/** Uniform numbers in [-1, 1) from a 32-bit seed (mulberry32). */
function generator(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}

/** FNV-1a of a string's UTF-16 units. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value;
}

/** `count` numbers of mean 0 and standard deviation `deviation`, uniformly distributed. */
function spread(count: number, seed: number, deviation: number): Float32Array {
  const next = generator(seed);
  const width = Math.sqrt(3) * deviation;
  return Float32Array.from({ length: count }, () => next() * width);
}

/** The tokens that are shown and embedded. Seeded words follow Zipf's law, so that some come again. */
export function sampleTokens(settings: SampleSettings): readonly string[] {
  const text = settings.text.trim();
  if (text !== '') return text.split(/\s+/).slice(0, MAX_LENGTH);
  const next = generator(hash('tokens') ^ settings.seed);
  return Array.from({ length: settings.length }, () => words[Math.floor(words.length ** ((next() + 1) / 2)) - 1] as string);
}

/** The mask that a design and the page's causal switch ask for. */
export function sampleMask(design: PreviewDesign, causal: boolean): AttentionMask {
  const { slidingWindow: window } = design;
  if (window === undefined) return { kind: causal ? 'causal' : 'none' };
  return { kind: 'slidingWindow', window, ahead: causal ? 0 : window - 1 };
}

/** Why this design has no picture, or undefined. */
export function designProblem(design: PreviewDesign): string | undefined {
  try {
    checkHeads(design.queryHeads, design.keyValueHeads);
    positiveInteger('headDim', design.headDim);
    positiveInteger('valueDim', design.valueDim);
    if (design.slidingWindow !== undefined) positiveInteger('slidingWindow', design.slidingWindow);
    if (design.positions === 'rope') {
      const rotaryDim = positiveInteger('rotaryDim', design.rotaryDim ?? design.headDim);
      if (rotaryDim % 2 !== 0) throw new RangeError(`A rotary width of ${rotaryDim} cannot be split into pairs: it is odd.`);
      if (rotaryDim > design.headDim) throw new RangeError(`A rotary width of ${rotaryDim} exceeds the head dim ${design.headDim}.`);
    }
    if (design.queryHeads > 1024 || design.headDim > 4096 || design.valueDim > 4096) {
      throw new RangeError(`${design.queryHeads} heads of ${design.headDim} are more than this preview computes (1024 heads of 4096).`);
    }
    return undefined;
  } catch (error) {
    return error instanceof RangeError ? error.message : String(error);
  }
}

export interface Sample {
  readonly tokens: readonly string[];
  readonly problem: MultiHeadProblem;
  readonly input: MultiHeadInput;
}

/**
 * A sample input for a design: each word has a random embedding of SAMPLE_WIDTH numbers (the same word the same one), and every
 * projection is random with the variance that keeps its result's. All of it follows from the seed. Positions enter as the design
 * says: rotation of queries and keys (rope), a bias (alibi), not at all (none), else sinusoidal vectors added to the embeddings.
 */
export function makeSample(design: PreviewDesign, settings: SampleSettings): Sample {
  const { queryHeads, keyValueHeads, headDim, valueDim } = design;
  const tokens = sampleTokens(settings);
  const length = tokens.length;
  const positions = design.positions ?? 'sinusoidal';
  const input = new Float32Array(length * SAMPLE_WIDTH);
  for (const [t, token] of tokens.entries()) {
    input.set(spread(SAMPLE_WIDTH, hash(token) ^ Math.imul(settings.seed + 1, 0x9e3779b1), 1), t * SAMPLE_WIDTH);
    if (positions === 'rope' || positions === 'alibi' || positions === 'none') continue;
    for (let k = 0; k < SAMPLE_WIDTH; k++) {
      // Vaswani et al. 2017, section 3.5.
      const angle = t / 10000 ** ((k - (k % 2)) / SAMPLE_WIDTH);
      input[t * SAMPLE_WIDTH + k] = (input[t * SAMPLE_WIDTH + k] as number) + (k % 2 === 0 ? Math.sin(angle) : Math.cos(angle));
    }
  }
  const weight = (name: string, rows: number, columns: number, gain = 1): Float32Array =>
    spread(rows * columns, hash(name) ^ Math.imul(settings.seed + 1, 0x85ebca6b), gain / Math.sqrt(rows));
  const mask = sampleMask(design, settings.causal);
  return {
    tokens,
    problem: {
      queryHeads,
      keyValueHeads,
      queryLength: length,
      inputDim: SAMPLE_WIDTH,
      headDim,
      valueDim,
      mask,
      queryOffset: maskOffset(mask),
      softcap: design.softcap,
      positions:
        positions === 'rope'
          ? { kind: 'rotary', rotaryDim: design.rotaryDim ?? headDim, theta: design.ropeTheta ?? 10000 }
          : { kind: positions === 'alibi' ? 'alibi' : 'none' },
    },
    input: {
      input,
      queryWeight: weight('query', SAMPLE_WIDTH, queryHeads * headDim, SCORE_SPREAD),
      keyWeight: weight('key', SAMPLE_WIDTH, keyValueHeads * headDim),
      valueWeight: weight('value', SAMPLE_WIDTH, keyValueHeads * valueDim),
      outputWeight: weight('output', queryHeads * valueDim, SAMPLE_WIDTH),
    },
  };
}
