import type { RotaryScale } from '../../src/protocol/languageServer.ts';
import type { PreviewDesign } from '../protocol.ts';

/** Whose projections: random ones of the design's sizes, those of the checkpoint beside the file, or the trained sample model. */
export const models = ['design', 'checkpoint', 'trained'] as const;
export const sources = ['words', 'repeated', 'text', 'positions', 'file'] as const;
export const masks = ['design', 'causal', 'none', 'window', 'prefix'] as const;
export const positionKinds = ['design', 'rope', 'alibi', 'relative', 'sinusoidal', 'none'] as const;
export const scalings = ['design', 'none', 'linear', 'ntk', 'yarn', 'llama3'] as const;

/** Sizes that can be set by hand. */
export const sizeNames = [
  'queryHeads',
  'keyValueHeads',
  'headDim',
  'valueDim',
  'queryRank',
  'keyValueRank',
  'plainDim',
  'ropeDim',
] as const;
export type SizeName = (typeof sizeNames)[number];

/** Sizes of the design set by hand; absent: the design's. */
export type Overrides = Partial<Readonly<Record<SizeName, number>>>;

/** What the person at the page chose: with the design, all that a computation follows from. */
export interface SampleSettings {
  readonly model: (typeof models)[number];
  /** What the tokens are: seeded words, seeded words said twice or more, a typed text, one and the same token, rows of a file. */
  readonly source: (typeof sources)[number];
  /** Tokens, where no text or file is given. */
  readonly length: number;
  readonly seed: number;
  readonly text: string;
  /** How a text becomes tokens where the model has no tokenizer of its own. */
  readonly tokenizer: 'words' | 'workspace';
  /** URI of the picked file whose rows are the tokens; '' for none. */
  readonly file: string;
  readonly mask: (typeof masks)[number];
  /** Keys that a window shows, or tokens of a prefix. */
  readonly extent: number;
  readonly positions: (typeof positionKinds)[number];
  readonly scaling: (typeof scalings)[number];
  /** How many times the trained length a scaling set by hand reaches. */
  readonly scalingFactor: number;
  /** Divides the scores. */
  readonly temperature: number;
  /** In place of the design's scale of the scores; 0: not set. */
  readonly scale: number;
  /** Part of the weights that are dropped, as in training; 0: off, as when a model is used. */
  readonly dropout: number;
  /** The first layer that is drawn, and how many from it on. */
  readonly layer: number;
  readonly layers: number;
  /** Of a checkpoint: run the layers before the first one, so that it reads what it reads in the model. */
  readonly before: boolean;
  readonly overrides: Overrides;
}

export const freshSettings: SampleSettings = {
  model: 'design',
  source: 'words',
  length: 48,
  seed: 1,
  text: '',
  tokenizer: 'words',
  file: '',
  mask: 'design',
  extent: 8,
  positions: 'design',
  scaling: 'design',
  scalingFactor: 4,
  temperature: 1,
  scale: 0,
  dropout: 0,
  layer: 0,
  layers: 1,
  before: true,
  overrides: {},
};

/** Tokens that a sample may have. */
export const MAX_LENGTH = 16_384;
/** Layers that are drawn at once. */
export const MAX_LAYERS = 16;

/** T5's own. */
const BUCKETS = 32;

/** Trained length of a scaling set by hand where the design has none, in tokens. */
const TRAINED_LENGTH = 4096;

/** The design with what was set by hand. */
export function effectiveDesign(design: PreviewDesign, settings: SampleSettings): PreviewDesign {
  const { overrides, positions } = settings;
  const { queryRank, keyValueRank, plainDim, ropeDim, ...sizes } = overrides;
  const scaled = withScaling(design, settings);
  if (design.latent !== undefined) {
    // Of the sizes set by hand, a head's width is not one: it follows from its two parts.
    const queries = queryRank ?? design.latent.queryRank;
    const latent = {
      ...(queries === undefined ? {} : { queryRank: queries }),
      keyValueRank: keyValueRank ?? design.latent.keyValueRank,
      plainDim: plainDim ?? design.latent.plainDim,
      rotaryDim: ropeDim ?? design.latent.rotaryDim,
    };
    const queryHeads = sizes.queryHeads ?? design.queryHeads;
    const headDim = latent.plainDim + latent.rotaryDim;
    return { ...scaled, queryHeads, keyValueHeads: queryHeads, headDim, valueDim: sizes.valueDim ?? design.valueDim, latent };
  }
  const { valueDim, headDim, rotaryDim } = design;
  const own = sizes.headDim === undefined || sizes.headDim === headDim;
  return {
    ...scaled,
    ...sizes,
    valueDim: sizes.valueDim ?? (own || valueDim !== headDim ? valueDim : (sizes.headDim ?? valueDim)),
    ...(own || rotaryDim === undefined ? {} : { rotaryDim: Math.min(rotaryDim, sizes.headDim ?? rotaryDim) }),
    ...(positions === 'design' ? {} : { positions }),
    ...(positions === 'relative' ? { buckets: design.buckets ?? BUCKETS } : {}),
  };
}

function withScaling(design: PreviewDesign, { scaling: kind, scalingFactor: factor }: SampleSettings): PreviewDesign {
  if (kind === 'design') return design;
  const { scaling, ...rest } = design;
  if (kind === 'none') return rest;
  const set: RotaryScale = {
    kind,
    name: kind === 'ntk' ? 'dynamic' : kind,
    factor,
    trainedLength: scaling?.trainedLength ?? TRAINED_LENGTH,
    // Llama 3.1's.
    ...(kind === 'llama3' ? { lowFrequencyFactor: 1, highFrequencyFactor: 4 } : {}),
  };
  return { ...rest, scaling: set };
}
