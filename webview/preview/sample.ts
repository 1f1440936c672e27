import { sinusoidalPositions } from '../../src/kernel/positions.ts';
import { checkHeads, positiveInteger } from '../../src/kernel/problem.ts';
import { finish, type Steps } from '../../src/kernel/steps.ts';
import { MOST_NUMBERS, type PreviewDesign } from '../protocol.ts';
import {
  isBucketed,
  isInScores,
  latentNumbers,
  MAX_DISTANCE,
  type RandomWeights,
  randomLayer,
  SAMPLE_WIDTH,
  type SampleLayer,
} from './projections.ts';
import { generator, hash, spread } from './random.ts';
import { MAX_LENGTH, type SampleSettings } from './settings.ts';

const words =
  'the a of and to in is it that was for on as with his they at be this from have or by one had not but what all were when we there can an your which their said if do will each about how up out them then she many some so these would other into has more her two like him see time could no make than first been its who now people my made over did down only way find use may water long little very after words called just where most know'.split(
    ' ',
  );

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

/** Why this design has no picture, or undefined. */
export function designProblem(design: PreviewDesign): string | undefined {
  try {
    checkHeads(design.queryHeads, design.keyValueHeads);
    positiveInteger('headDim', design.headDim);
    positiveInteger('valueDim', design.valueDim);
    if (design.slidingWindow !== undefined) positiveInteger('slidingWindow', design.slidingWindow);
    const { latent } = design;
    if (latent !== undefined) {
      positiveInteger('kv_lora_rank', latent.keyValueRank);
      positiveInteger('qk_nope_head_dim', latent.plainDim);
      const rotated = positiveInteger('qk_rope_head_dim', latent.rotaryDim);
      if (rotated % 2 !== 0) throw new RangeError(`A rotary width of ${rotated} cannot be split into pairs: it is odd.`);
      if (latent.queryRank !== undefined) positiveInteger('q_lora_rank', latent.queryRank);
      const numbers = latentNumbers(design);
      if (numbers > MOST_NUMBERS)
        throw new RangeError(
          `Its projections up from the latents have ${numbers.toLocaleString('en')} numbers, more than this preview makes (${MOST_NUMBERS.toLocaleString('en')}).`,
        );
    } else if (design.positions === 'rope') {
      const rotaryDim = positiveInteger('rotaryDim', design.rotaryDim ?? design.headDim);
      if (rotaryDim % 2 !== 0) throw new RangeError(`A rotary width of ${rotaryDim} cannot be split into pairs: it is odd.`);
      if (rotaryDim > design.headDim) throw new RangeError(`A rotary width of ${rotaryDim} exceeds the head dim ${design.headDim}.`);
    } else if (isBucketed(design)) {
      positiveInteger('buckets', design.buckets as number);
      positiveInteger('maxDistance', design.maxDistance ?? MAX_DISTANCE);
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
  /** [tokens, width] */
  readonly input: Float32Array;
  readonly width: number;
  readonly layers: readonly SampleLayer[];
  /** Layers that are run before these, so that these read the stream that they read in the model. */
  readonly before: readonly SampleLayer[];
  /** What the tokens are the same as: equal numbers are the same token. [tokens] */
  readonly ids: Int32Array;
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

/** What a sample is made from beside its design and settings. */
export interface Given {
  readonly tokens?: readonly string[];
  /** Numbers of the tokens in a model's vocabulary. */
  readonly ids?: readonly number[];
  readonly rows?: TokenRows;
  /** Layers of a checkpoint in place of random ones, and the width of what they read. */
  readonly trained?: {
    readonly width: number;
    layers(tokens: number): Steps<readonly SampleLayer[]>;
    /** What the model's first layer reads, in place of the sample's, where tokens have numbers in its vocabulary. [tokens, width] */
    enter?(input: Float32Array, ids: readonly number[] | undefined): void;
  };
  /** Random layers of an earlier sample, by what they follow from: making large ones takes long. */
  readonly kept?: Map<string, RandomWeights>;
}

/**
 * A sample input for a design: each token has a random embedding of SAMPLE_WIDTH numbers (the same token the same one), or a row of
 * a file, and every projection is random with the variance that keeps its result's. All of it follows from the seed. Positions enter
 * as the design says: rotation of queries and keys (rope), a bias (alibi; relative, whose table is random too), not at all (none),
 * else sinusoidal vectors added to the embeddings.
 *
 * KV head g has the projections that the first query head of its group would have with KV heads of its own, so that designs that
 * differ in sharing alone can be compared head by head.
 */
export function* makeSampleSteps(design: PreviewDesign, settings: SampleSettings, given: Given = {}): Steps<Sample> {
  const rows = settings.source === 'file' ? given.rows : undefined;
  const { trained } = given;
  if (rows !== undefined && trained !== undefined && rows.width !== trained.width)
    throw new RangeError(`The file's rows have ${rows.width} numbers; the checkpoint's projections take ${trained.width}.`);
  const tokens =
    rows === undefined ? (given.tokens ?? sampleTokens(settings)) : Array.from({ length: rows.tokens }, (_, row) => String(row));
  const length = tokens.length;
  const width = rows?.width ?? trained?.width ?? SAMPLE_WIDTH;
  const seed = Math.imul(settings.seed + 1, 0x9e3779b1);
  const input = new Float32Array(length * width);
  if (rows !== undefined) input.set(rows.data);
  else {
    const made = new Map<string, Float32Array>();
    for (const [t, token] of tokens.entries()) {
      const embedding = made.get(token) ?? spread(width, hash(token) ^ seed, 1);
      made.set(token, embedding);
      input.set(embedding, t * width);
    }
  }
  // A checkpoint's layers read what they were trained to read, positions and all, or nothing of the kind.
  if (!isInScores(design) && trained === undefined)
    for (const [i, value] of sinusoidalPositions(length, width).entries()) input[i] = (input[i] as number) + value;
  // Rows of a file may have any size: scores of the same spread need projections of its inverse.
  const size = rows === undefined ? 1 : Math.sqrt(input.reduce((sum, value) => sum + value * value, 0) / input.length) || 1;
  const random: SampleLayer[] = [];
  if (trained === undefined)
    for (let i = 0; i < Math.max(1, settings.layers); i++)
      random.push(yield* randomLayer(design, settings, settings.layer + i, length, width, size, given.kept));
  const all = trained === undefined ? random : yield* trained.layers(length);
  trained?.enter?.(input, given.ids);
  const before = all.filter(({ index }) => index < settings.layer);
  return { tokens, input, width, ids: numbered(tokens), layers: all.slice(before.length), before };
}

/** All of it at once. */
export const makeSample = (...call: Parameters<typeof makeSampleSteps>): Sample => finish(makeSampleSteps(...call));
