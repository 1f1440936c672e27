import type {
  AttentionMask,
  LatentInput,
  LatentProblem,
  MultiHeadInput,
  MultiHeadProblem,
  RotaryPositions,
  Steps,
} from '../../src/kernel/interface.ts';
import { type RotaryScaling, scaledRotary, t5Bias } from '../../src/kernel/positions.ts';
import type { RotaryScale } from '../../src/protocol/languageServer.ts';
import type { PreviewDesign } from '../protocol.ts';
import type { Block } from './block.ts';
import { hash, spread, spreadSteps } from './random.ts';
import type { SampleSettings } from './settings.ts';

/**
 * Width of a sample token. Attention depends on a design through its heads and their widths; the width of the residual stream only
 * feeds the projections, which are random here, so a small one serves.
 */
export const SAMPLE_WIDTH = 64;
/** Standard deviation of the scores before positions: enough for the softmax to choose. */
const SCORE_SPREAD = 2.2;

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

/** One attention function over the tokens, and its weights. */
export type SampleLayer = {
  /** Gains of an RMS norm before it, in whose result it adds to the residual stream; absent: it reads the embeddings. */
  readonly norm?: Float32Array;
  /** What stands around it in a model whose layers are run one after the other on the residual stream; absent: not known, or not run. */
  readonly block?: Block;
  /** Its number among the model's layers. */
  readonly index: number;
} & (
  | { readonly kind: 'plain'; readonly problem: MultiHeadProblem; readonly weights: Omit<MultiHeadInput, 'input'> }
  | { readonly kind: 'latent'; readonly problem: LatentProblem; readonly weights: Omit<LatentInput, 'input'> }
);

/** Numbers of the two projections up from the latents, the largest there are. */
export function latentNumbers({ queryHeads, valueDim, latent }: PreviewDesign): number {
  if (latent === undefined) return 0;
  const { queryRank = SAMPLE_WIDTH, keyValueRank, plainDim, rotaryDim } = latent;
  return queryHeads * (queryRank * (plainDim + rotaryDim) + keyValueRank * (plainDim + valueDim));
}

/** A config's scaling in the kernel's words, for this many features and tokens; undefined for one that is not computed. */
export function scalingOf(scale: RotaryScale | undefined, rotaryDim: number, tokens: number): RotaryScaling | undefined {
  if (scale === undefined) return undefined;
  const {
    kind,
    factor,
    trainedLength = 1,
    name: _,
    lowFrequencyFactor = 1,
    highFrequencyFactor = 4,
    shortFactors,
    longFactors,
    ...yarn
  } = scale;
  switch (kind) {
    case 'other':
      return undefined;
    case 'linear':
      return { kind, factor };
    case 'ntk':
      return { kind, factor, trainedLength, length: tokens };
    case 'llama3':
      return { kind, factor, trainedLength, lowFrequencyFactor, highFrequencyFactor };
    case 'longrope':
      if (shortFactors?.length !== rotaryDim / 2 || longFactors?.length !== rotaryDim / 2) return undefined;
      return { kind, factor, trainedLength, length: tokens, shortFactors, longFactors, attentionFactor: yarn.attentionFactor };
    case 'yarn':
      return { kind, factor, trainedLength, ...yarn };
  }
}

/** Whether a design scales its rotary positions in a way that is not computed here. */
export const isOddlyScaled = ({ scaling, latent, rotaryDim, headDim }: PreviewDesign): boolean =>
  scaling !== undefined && scalingOf(scaling, latent?.rotaryDim ?? rotaryDim ?? headDim, 1) === undefined;

/** Rotation of so many features of a head as the design has it. */
function rotation(design: PreviewDesign, rotaryDim: number, tokens: number): RotaryPositions {
  const { ropeTheta: theta = 10000, interleaved, scaling } = design;
  const scaled = scalingOf(scaling, rotaryDim, tokens);
  return {
    kind: 'rotary',
    rotaryDim,
    theta,
    ...(interleaved === undefined ? {} : { interleaved }),
    ...(scaled === undefined ? {} : scaledRotary(rotaryDim, theta, scaled)),
  };
}

/** Rotation of the part of a head that multi-head latent attention rotates. */
export function latentPositions(design: PreviewDesign, tokens: number): NonNullable<LatentProblem['positions']> {
  const { kind: _, rotaryDim: __, ...rotated } = rotation(design, design.latent?.rotaryDim ?? 0, tokens);
  return rotated;
}

/** The scale of the scores, without temperature. */
export const scoreScale = ({ headDim, scale }: PreviewDesign, settings: SampleSettings): number =>
  settings.scale === 0 ? (scale ?? 1 / Math.sqrt(headDim)) : settings.scale;

/** A problem's parts that the page's controls set, for any model. */
export function controlled(
  design: PreviewDesign,
  settings: SampleSettings,
  tokens: number,
): Pick<MultiHeadProblem, 'mask' | 'scale' | 'softcap' | 'positions'> {
  const { headDim, positions, softcap } = design;
  return {
    mask: sampleMask(design, settings),
    scale: scoreScale(design, settings) / settings.temperature,
    softcap,
    positions:
      positions === 'rope' ? rotation(design, design.rotaryDim ?? headDim, tokens) : { kind: positions === 'alibi' ? 'alibi' : 'none' },
  };
}

/** Whether positions are T5's: a bias of the scores by buckets of distance. */
export const isBucketed = ({ positions, buckets, latent }: PreviewDesign): boolean =>
  latent === undefined && positions === 'relative' && buckets !== undefined;

/** Positions that are part of the projections or the scores, and not added to the embeddings. */
export const isInScores = (design: PreviewDesign): boolean =>
  design.latent !== undefined || isBucketed(design) || ['rope', 'alibi', 'none'].includes(design.positions ?? '');

/** T5's distance in tokens from which on all share the last bucket, where nothing else is said. */
export const MAX_DISTANCE = 128;

/** T5's bias of a table [buckets, queryHeads] as the kernel takes it. */
export const bucketBias = (design: PreviewDesign, table: Float32Array, tokens: number): Float32Array =>
  t5Bias(table, design.queryHeads, tokens, tokens, {
    bidirectional: !design.causal,
    buckets: design.buckets as number,
    maxDistance: design.maxDistance ?? MAX_DISTANCE,
  });

/** Projections drawn at random, and T5's table [buckets, queryHeads]. */
export interface RandomWeights {
  readonly plain?: Omit<MultiHeadInput, 'input'>;
  readonly latent?: Omit<LatentInput, 'input'>;
  readonly table?: Float32Array;
}

export function* randomLayer(
  design: PreviewDesign,
  settings: SampleSettings,
  index: number,
  length: number,
  width: number,
  size: number,
  kept: Map<string, RandomWeights> | undefined,
): Steps<SampleLayer> {
  const { queryHeads, keyValueHeads, headDim, valueDim, latent } = design;
  // Scores spread the same whatever they are multiplied with.
  const spreading = (SCORE_SPREAD * scoreScale(design, { ...settings, scale: 0 }) ** -1) / Math.sqrt(headDim);
  const key = JSON.stringify([
    queryHeads,
    keyValueHeads,
    headDim,
    valueDim,
    latent,
    isBucketed(design) ? design.buckets : 0,
    settings.seed,
    index,
    width,
    size,
    spreading,
  ]);
  let weights = kept?.get(key);
  if (weights === undefined) {
    weights = yield* randomWeights(design, Math.imul(settings.seed + 1, 0x85ebca6b) ^ Math.imul(index, 0x27d4eb2f), width, size, spreading);
    // Those of one sample are enough.
    if (kept !== undefined && kept.size >= settings.layers) kept.clear();
    kept?.set(key, weights);
  }
  const common = { queryHeads, queryLength: length, inputDim: width, valueDim };
  const { positions, ...set } = controlled(design, settings, length);
  if (latent !== undefined && weights.latent !== undefined) {
    const problem = { ...common, ...latent, ...set, positions: latentPositions(design, length) };
    return { kind: 'latent', index, problem, weights: weights.latent };
  }
  const { table } = weights;
  const relative = table === undefined ? {} : { relativeBias: bucketBias(design, table, length) };
  return {
    kind: 'plain',
    index,
    problem: { ...common, keyValueHeads, headDim, ...set, positions, ...relative },
    weights: weights.plain as Omit<MultiHeadInput, 'input'>,
  };
}

function* randomWeights(design: PreviewDesign, seed: number, width: number, size: number, spreading: number): Steps<RandomWeights> {
  const { queryHeads, keyValueHeads, headDim, valueDim, latent } = design;
  const weight = (name: string, rowCount: number, columns: number, gain = 1): Steps<Float32Array> =>
    spreadSteps(rowCount * columns, hash(name) ^ seed, gain / Math.sqrt(rowCount));
  const outputWeight = yield* weight('output', queryHeads * valueDim, width);
  if (latent !== undefined) {
    const { queryRank, keyValueRank, plainDim, rotaryDim } = latent;
    const ones = (count: number): Float32Array => new Float32Array(count).fill(1);
    return {
      latent: {
        ...(queryRank === undefined
          ? {}
          : { queryDown: yield* weight('query down', width, queryRank, 1 / size), queryNorm: ones(queryRank) }),
        // A norm takes the input's size away.
        queryUp: yield* weight(
          'query up',
          queryRank ?? width,
          queryHeads * headDim,
          queryRank === undefined ? spreading / size : spreading,
        ),
        keyValueDown: yield* weight('key and value down', width, keyValueRank + rotaryDim, 1 / size),
        keyValueNorm: ones(keyValueRank),
        keyValueUp: yield* weight('key and value up', keyValueRank, queryHeads * (plainDim + valueDim)),
        outputWeight,
      },
    };
  }
  const group = queryHeads / keyValueHeads;
  function* perHead(name: string, heads: number, of: (head: number) => number, each: number, gain: number): Steps<Float32Array> {
    const whole = new Float32Array(width * heads * each);
    for (let head = 0; head < heads; head++) {
      const part = yield* weight(`${name} ${of(head)}`, width, each, gain);
      for (let row = 0; row < width; row++) whole.set(part.subarray(row * each, (row + 1) * each), (row * heads + head) * each);
    }
    return whole;
  }
  return {
    plain: {
      queryWeight: yield* perHead('query', queryHeads, (head) => head, headDim, spreading / size),
      keyWeight: yield* perHead('key', keyValueHeads, (head) => head * group, headDim, 1 / size),
      valueWeight: yield* perHead('value', keyValueHeads, (head) => head * group, valueDim, 1),
      outputWeight,
    },
    // Of the scores' own order, so that neither drowns the other.
    ...(isBucketed(design) ? { table: spread((design.buckets as number) * queryHeads, hash('relative') ^ seed, 1) } : {}),
  };
}
