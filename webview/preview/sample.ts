import type { AttentionMask, MultiHeadInput, MultiHeadProblem } from '../../src/kernel/interface.ts';
import { checkHeads, positiveInteger } from '../../src/kernel/problem.ts';
import type { PreviewDesign } from '../protocol.ts';
import { MAX_LENGTH, type SampleSettings } from './settings.ts';

/**
 * Width of a sample token. Attention depends on a design through its heads and their widths; the width of the residual stream only
 * feeds the projections, which are random here, so a small one serves.
 */
export const SAMPLE_WIDTH = 64;
/** Standard deviation of the scores before positions: enough for the softmax to choose. */
const SCORE_SPREAD = 2.2;

const words =
  'the a of and to in is it that was for on as with his they at be this from have or by one had not but what all were when we there can an your which their said if do will each about how up out them then she many some so these would other into has more her two like him see time could no make than first been its who now people my made over did down only way find use may water long little very after words called just where most know'.split(
    ' ',
  );

/** Uniform numbers in [-1, 1) from a 32-bit seed (mulberry32). */
export function generator(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}

/** FNV-1a of a string's UTF-16 units. */
export function hash(text: string): number {
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

/** Rows from outside that stand for tokens. [tokens, width] */
export interface TokenRows {
  readonly tokens: number;
  readonly width: number;
  readonly data: Float32Array;
}

/** `length` words by a seed. They follow Zipf's law, so that some come again; `repeated`: half of them, said twice. */
export function seededWords(
  settings: Pick<SampleSettings, 'seed' | 'length' | 'source'>,
  from: readonly string[] = words,
): readonly string[] {
  const next = generator(hash('tokens') ^ settings.seed);
  if (settings.source !== 'repeated')
    return Array.from({ length: settings.length }, () => from[Math.floor(from.length ** ((next() + 1) / 2)) - 1] as string);
  // All different, so that each has one place to look back to.
  const left = [...from];
  const period = Math.max(1, Math.min(left.length, Math.ceil(settings.length / 2)));
  const said = Array.from({ length: period }, () => left.splice(Math.floor(((next() + 1) / 2) * left.length), 1)[0] as string);
  return Array.from({ length: settings.length }, (_, i) => said[i % period] as string);
}

/** The tokens that are shown and embedded, where no tokenizer makes them. */
export function sampleTokens(settings: SampleSettings): readonly string[] {
  if (settings.source === 'positions') return Array.from({ length: settings.length }, () => '·');
  const text = settings.text.trim();
  if (settings.source === 'text' && text !== '') return text.split(/\s+/).slice(0, MAX_LENGTH);
  return seededWords(settings);
}

/** The mask that a design and the page's controls ask for. */
export function sampleMask(design: Pick<PreviewDesign, 'causal' | 'slidingWindow'>, { mask, extent }: SampleSettings): AttentionMask {
  const { causal, slidingWindow: window } = design;
  switch (mask) {
    case 'causal':
      return { kind: 'causal' };
    case 'none':
      return { kind: 'none' };
    case 'window':
      return { kind: 'slidingWindow', window: extent, ahead: causal ? 0 : extent - 1 };
    case 'prefix':
      return { kind: 'prefix', length: extent };
    default:
      if (window === undefined) return { kind: causal ? 'causal' : 'none' };
      return { kind: 'slidingWindow', window, ahead: causal ? 0 : window - 1 };
  }
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

/** One attention function over the tokens. */
export interface SampleLayer {
  readonly problem: MultiHeadProblem;
  readonly weights: Omit<MultiHeadInput, 'input'>;
  /** Gains of an RMS norm before it, in whose result it adds to the residual stream; absent: it reads the embeddings. */
  readonly norm?: Float32Array;
}

export interface Sample {
  readonly tokens: readonly string[];
  /** [tokens, width] */
  readonly input: Float32Array;
  readonly width: number;
  readonly layers: readonly SampleLayer[];
  /** What the tokens are the same as: equal numbers are the same token. [tokens] */
  readonly ids: Int32Array;
}

/** A problem's parts that the page's controls set, for any model. */
export function controlled(
  design: PreviewDesign,
  settings: SampleSettings,
): Pick<MultiHeadProblem, 'mask' | 'scale' | 'softcap' | 'positions'> {
  const { headDim } = design;
  const positions = design.positions ?? 'sinusoidal';
  return {
    mask: sampleMask(design, settings),
    scale: (settings.scale === 0 ? 1 / Math.sqrt(headDim) : settings.scale) / settings.temperature,
    softcap: design.softcap,
    positions:
      positions === 'rope'
        ? { kind: 'rotary', rotaryDim: design.rotaryDim ?? headDim, theta: design.ropeTheta ?? 10000 }
        : { kind: positions === 'alibi' ? 'alibi' : 'none' },
  };
}

/** Equal tokens get equal numbers. */
export function numbered(tokens: readonly string[]): Int32Array {
  const known = new Map<string, number>();
  return Int32Array.from(tokens, (token) => {
    const id = known.get(token) ?? known.size;
    known.set(token, id);
    return id;
  });
}

/**
 * A sample input for a design: each token has a random embedding of SAMPLE_WIDTH numbers (the same token the same one), or a row of
 * a file, and every projection is random with the variance that keeps its result's. All of it follows from the seed. Positions enter
 * as the design says: rotation of queries and keys (rope), a bias (alibi), not at all (none), else sinusoidal vectors added to the
 * embeddings.
 *
 * KV head g has the projections that the first query head of its group would have with KV heads of its own, so that designs that
 * differ in sharing alone can be compared head by head.
 */
export function makeSample(
  design: PreviewDesign,
  settings: SampleSettings,
  given: { readonly tokens?: readonly string[]; readonly rows?: TokenRows } = {},
): Sample {
  const { queryHeads, keyValueHeads, headDim, valueDim } = design;
  const rows = settings.source === 'file' ? given.rows : undefined;
  const tokens =
    rows === undefined ? (given.tokens ?? sampleTokens(settings)) : Array.from({ length: rows.tokens }, (_, row) => String(row));
  const length = tokens.length;
  const width = rows?.width ?? SAMPLE_WIDTH;
  const seed = Math.imul(settings.seed + 1, 0x9e3779b1);
  const positions = design.positions ?? 'sinusoidal';
  const input = new Float32Array(length * width);
  if (rows !== undefined) input.set(rows.data);
  else for (const [t, token] of tokens.entries()) input.set(spread(width, hash(token) ^ seed, 1), t * width);
  if (positions !== 'rope' && positions !== 'alibi' && positions !== 'none') {
    for (let t = 0; t < length; t++) {
      for (let k = 0; k < width; k++) {
        // Vaswani et al. 2017, section 3.5.
        const angle = t / 10000 ** ((k - (k % 2)) / width);
        input[t * width + k] = (input[t * width + k] as number) + (k % 2 === 0 ? Math.sin(angle) : Math.cos(angle));
      }
    }
  }
  const layerSeed = Math.imul(settings.seed + 1, 0x85ebca6b) ^ Math.imul(settings.layer, 0x27d4eb2f);
  const weight = (name: string, rowCount: number, columns: number, gain = 1): Float32Array =>
    spread(rowCount * columns, hash(name) ^ layerSeed, gain / Math.sqrt(rowCount));
  const group = queryHeads / keyValueHeads;
  const perHead = (name: string, heads: number, of: (head: number) => number, each: number, gain: number): Float32Array => {
    const whole = new Float32Array(width * heads * each);
    for (let head = 0; head < heads; head++) {
      const part = weight(`${name} ${of(head)}`, width, each, gain);
      for (let row = 0; row < width; row++) whole.set(part.subarray(row * each, (row + 1) * each), (row * heads + head) * each);
    }
    return whole;
  };
  // Rows of a file may have any size: scores of the same spread need projections of its inverse.
  const size = rows === undefined ? 1 : Math.sqrt(input.reduce((sum, value) => sum + value * value, 0) / input.length) || 1;
  return {
    tokens,
    input,
    width,
    ids: numbered(tokens),
    layers: [
      {
        problem: { queryHeads, keyValueHeads, queryLength: length, inputDim: width, headDim, valueDim, ...controlled(design, settings) },
        weights: {
          queryWeight: perHead('query', queryHeads, (head) => head, headDim, SCORE_SPREAD / size),
          keyWeight: perHead('key', keyValueHeads, (head) => head * group, headDim, 1 / size),
          valueWeight: perHead('value', keyValueHeads, (head) => head * group, valueDim, 1),
          outputWeight: weight('output', queryHeads * valueDim, width),
        },
      },
    ],
  };
}
