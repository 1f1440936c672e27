import type { PreviewDesign } from '../protocol.ts';

export const models = ['design', 'trained'] as const;
export const sources = ['words', 'repeated', 'text', 'positions', 'file'] as const;
export const masks = ['design', 'causal', 'none', 'window', 'prefix'] as const;
export const positionKinds = ['design', 'rope', 'alibi', 'sinusoidal', 'none'] as const;

/** Sizes of the design set by hand; absent: the design's. */
export type Overrides = Partial<Pick<PreviewDesign, 'queryHeads' | 'keyValueHeads' | 'headDim'>>;

/** What the person at the page chose: with the design, all that a computation follows from. */
export interface SampleSettings {
  /** Whose projections: random ones of the design's sizes, or the trained sample model. */
  readonly model: (typeof models)[number];
  /** What the tokens are: seeded words, seeded words said twice or more, a typed text, one and the same token, rows of a file. */
  readonly source: (typeof sources)[number];
  /** Tokens, where no text or file is given. */
  readonly length: number;
  readonly seed: number;
  readonly text: string;
  /** How a text becomes tokens where the model has no tokenizer of its own. */
  readonly tokenizer: 'words' | 'workspace';
  readonly mask: (typeof masks)[number];
  /** Keys that a window shows, or tokens of a prefix. */
  readonly extent: number;
  readonly positions: (typeof positionKinds)[number];
  /** Divides the scores. */
  readonly temperature: number;
  /** In place of 1 / sqrt(headDim); 0: not set. */
  readonly scale: number;
  /** Part of the weights that are dropped, as in training; 0: off, as when a model is used. */
  readonly dropout: number;
  /** The layer whose random projections are drawn. */
  readonly layer: number;
  readonly overrides: Overrides;
}

export const freshSettings: SampleSettings = {
  model: 'design',
  source: 'words',
  length: 48,
  seed: 1,
  text: '',
  tokenizer: 'words',
  mask: 'design',
  extent: 8,
  positions: 'design',
  temperature: 1,
  scale: 0,
  dropout: 0,
  layer: 0,
  overrides: {},
};

/** Tokens that a sample may have. */
export const MAX_LENGTH = 16_384;

/** The design with what was set by hand. */
export function effectiveDesign(design: PreviewDesign, settings: SampleSettings): PreviewDesign {
  const { overrides, positions } = settings;
  const { valueDim, headDim, rotaryDim } = design;
  const own = overrides.headDim === undefined || overrides.headDim === headDim;
  return {
    ...design,
    ...overrides,
    valueDim: own || valueDim !== headDim ? valueDim : (overrides.headDim ?? valueDim),
    ...(own || rotaryDim === undefined ? {} : { rotaryDim: Math.min(rotaryDim, overrides.headDim ?? rotaryDim) }),
    ...(positions === 'design' ? {} : { positions }),
  };
}
