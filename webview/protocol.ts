/**
 * Messages between the extension and the attention preview, both ways. Every message is checked with these guards at both
 * ends: whatever does not fit is dropped, and strings in it are only ever shown as text.
 */

import { type ProjectionPart, projectionRoles } from '../src/checkpoint/projections.ts';
import type { AttentionTraits, BlockTraits, LatentWidths, LintSizes, RotaryScale } from '../src/protocol/languageServer.ts';
import {
  isBoolean,
  isBytes,
  isExactly,
  isIndex,
  isListOf,
  isLongString,
  isNumber,
  isOneOf,
  isOptional,
  isShape,
  isString,
  isStrings,
} from './guards.ts';

/** What the preview needs of a design. Numbers may be wrong (8 heads over 3 KV heads): the page then says what is wrong. */
export interface PreviewDesign extends AttentionTraits {
  readonly queryHeads: number;
  readonly keyValueHeads: number;
  /** Width of one query and key head, d_k. */
  readonly headDim: number;
  /** Width of one value head, d_v. */
  readonly valueDim: number;
  readonly causal: boolean;
  readonly layers?: number;
  /** Keys that a query sees, its own included; absent: all. */
  readonly slidingWindow?: number;
  /** 'rope', 'alibi', 'relative' with buckets, 'learned', 'sinusoidal', 'none'; anything else is shown with sinusoidal positions. */
  readonly positions?: string;
  readonly rotaryDim?: number;
  readonly ropeTheta?: number;
}

/** Fields of the design that the page can ask to be shown in the file. */
export const revealFields = ['queryHeads', 'keyValueHeads', 'headDim', 'valueDim', 'layers', 'slidingWindow', 'positions'] as const;
export type RevealField = (typeof revealFields)[number];

/** A design to compute. Sent on opening, and again after every edit. */
export interface DesignMessage {
  readonly kind: 'design';
  /** Where it is from, in a few words: a file name, a model's name. */
  readonly title: string;
  /** URI of the document; shown, and handed back with 'reveal'. */
  readonly source: string;
  readonly design: PreviewDesign;
  /** Messages of the linter about these fields, shown above the picture. */
  readonly warnings: readonly string[];
}

/** The document holds no design that can be drawn (any more). */
export interface UnavailableMessage {
  readonly kind: 'unavailable';
  readonly title: string;
  readonly source: string;
  /** One sentence. */
  readonly reason: string;
}

/** The tokenizer.json beside the design, or why there is none. */
export interface TokenizerMessage {
  readonly kind: 'tokenizer';
  /** Path of the file, shown; '' where there is none. */
  readonly name: string;
  /** The file's text. */
  readonly json: string;
}

/** A file that was picked as input. */
export interface FileMessage {
  readonly kind: 'file';
  readonly name: string;
  /** By which the page asks for it again. */
  readonly uri: string;
  readonly bytes: Uint8Array;
}

/** Why a file that was picked before is not given again. */
export interface NoFileMessage {
  readonly kind: 'noFile';
  readonly uri: string;
  readonly reason: string;
}

/** Numbers that random projections, or those of a file, may have: 256 MiB. */
export const MOST_NUMBERS = 2 ** 26;

/** A tensor whose bytes follow in order, little-endian. */
export interface CheckpointTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
}

export interface CheckpointLayer {
  readonly layer: number;
  readonly parts: readonly ProjectionPart[];
}

/** Layers of the checkpoint beside the design: what they are made of, or why there are none. Their bytes follow. */
export interface CheckpointMessage {
  readonly kind: 'checkpoint';
  /** That of 'findWeights'. */
  readonly request: number;
  /** Path of the file, shown. */
  readonly name: string;
  /** One sentence; '' where the numbers follow. */
  readonly reason: string;
  /** Features that the projections read. */
  readonly width: number;
  readonly interleaved: boolean;
  /** Added to the gains of the norms of queries and keys (Gemma's are stored less 1). */
  readonly gainOffset: number;
  /** Why the layers before the first are not among these with their norms and MLPs; '' where they are, or were not asked for. */
  readonly without: string;
  readonly tensors: readonly CheckpointTensor[];
  readonly layers: readonly CheckpointLayer[];
}

/** A piece of a tensor: pieces are small, so that the page goes on answering. */
export interface WeightsMessage {
  readonly kind: 'weights';
  readonly request: number;
  /** Among those of 'checkpoint'. */
  readonly tensor: number;
  /** Of the first byte. */
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** A state that a link holds, as JSON; the page reads what it knows of it. */
export interface RestoreMessage {
  readonly kind: 'restore';
  readonly state: string;
}

/** What the linter says of the sizes that were set by hand. */
export interface FindingsMessage {
  readonly kind: 'findings';
  /** That of 'lint'. */
  readonly query: number;
  readonly findings: readonly string[];
}

export type ToPreview =
  | DesignMessage
  | UnavailableMessage
  | TokenizerMessage
  | FileMessage
  | NoFileMessage
  | CheckpointMessage
  | WeightsMessage
  | RestoreMessage
  | FindingsMessage;

export type FromPreview =
  /** The page listens; the extension answers with 'design' or 'unavailable'. */
  | { readonly kind: 'ready' }
  /** Show where the document sets a field. */
  | { readonly kind: 'reveal'; readonly source: string; readonly field: RevealField }
  /** Offer to save a file. */
  | { readonly kind: 'export'; readonly name: string; readonly bytes: Uint8Array }
  /** Let a file with an array be picked; answered with 'file'. */
  | { readonly kind: 'pickFile' }
  /** Give a file again that was picked before; answered with 'file' or 'noFile'. */
  | { readonly kind: 'readFile'; readonly uri: string }
  /** Read the projections of so many layers from the checkpoint beside the design; answered with 'checkpoint' and 'weights'. */
  | {
      readonly kind: 'findWeights';
      readonly request: number;
      readonly layer: number;
      readonly layers: number;
      readonly before: boolean;
      readonly embedded: boolean;
    }
  /** Read the workspace's tokenizer.json; answered with 'tokenizer'. */
  | { readonly kind: 'findTokenizer' }
  /** Put a link, or a command, that opens this state into the clipboard. */
  | { readonly kind: 'copyLink'; readonly form: 'link' | 'command'; readonly state: string }
  /** Lint the design with sizes that were set by hand; answered with 'findings'. */
  | { readonly kind: 'lint'; readonly query: number; readonly sizes: LintSizes }
  /** Something failed that a log should hold. */
  | { readonly kind: 'error'; readonly message: string };

const isLintSizes = isShape<LintSizes>({
  queryHeads: isOptional(isIndex),
  keyValueHeads: isOptional(isIndex),
  headDim: isOptional(isIndex),
  valueDim: isOptional(isIndex),
  queryLoraRank: isOptional(isIndex),
  keyValueLoraRank: isOptional(isIndex),
  nopeHeadDim: isOptional(isIndex),
  ropeHeadDim: isOptional(isIndex),
});

const isLatent = isShape<LatentWidths>({
  queryRank: isOptional(isNumber),
  keyValueRank: isNumber,
  plainDim: isNumber,
  rotaryDim: isNumber,
});

/** Pairs of a head that rotate, at most: half of the widest head that is computed. */
const MOST_PAIRS = 2048;

const isScaling = isShape<RotaryScale>({
  kind: isExactly('linear', 'ntk', 'yarn', 'llama3', 'longrope', 'other'),
  name: isString,
  factor: isNumber,
  trainedLength: isOptional(isNumber),
  betaFast: isOptional(isNumber),
  betaSlow: isOptional(isNumber),
  attentionFactor: isOptional(isNumber),
  mscale: isOptional(isNumber),
  mscaleAllDim: isOptional(isNumber),
  truncate: isOptional(isBoolean),
  lowFrequencyFactor: isOptional(isNumber),
  highFrequencyFactor: isOptional(isNumber),
  shortFactors: isOptional(isListOf(isNumber, MOST_PAIRS)),
  longFactors: isOptional(isListOf(isNumber, MOST_PAIRS)),
});

const isBlock = isShape<BlockTraits>({
  norm: isExactly('rms', 'layer'),
  epsilon: isNumber,
  activation: isExactly('silu', 'gelu', 'geluTanh', 'relu'),
  parallel: isBoolean,
  inputScale: isNumber,
  addedScale: isNumber,
});

const isDesign = isShape<PreviewDesign>({
  queryHeads: isNumber,
  keyValueHeads: isNumber,
  headDim: isNumber,
  valueDim: isNumber,
  causal: isBoolean,
  layers: isOptional(isNumber),
  slidingWindow: isOptional(isNumber),
  positions: isOptional(isString),
  rotaryDim: isOptional(isNumber),
  ropeTheta: isOptional(isNumber),
  latent: isOptional(isLatent),
  scaling: isOptional(isScaling),
  interleaved: isOptional(isBoolean),
  scale: isOptional(isNumber),
  softcap: isOptional(isNumber),
  buckets: isOptional(isNumber),
  maxDistance: isOptional(isNumber),
  block: isOptional(isBlock),
});

const isPart = isShape<ProjectionPart>({
  role: isExactly(...projectionRoles),
  tensor: isString,
  outputsFirst: isBoolean,
  outputs: isOptional(
    isListOf((value): value is readonly [number, number] => Array.isArray(value) && value.length === 2 && value.every(isIndex), 4096),
  ),
});

const isCheckpoint = isShape<CheckpointMessage>({
  kind: isExactly('checkpoint'),
  request: isIndex,
  name: isString,
  reason: isString,
  width: isIndex,
  interleaved: isBoolean,
  gainOffset: isNumber,
  without: isString,
  tensors: isListOf(isShape<CheckpointTensor>({ name: isString, dtype: isString, shape: isListOf(isIndex, 8) }), 10_000),
  layers: isListOf(isShape<CheckpointLayer>({ layer: isIndex, parts: isListOf(isPart, 32) }), 1000),
});

const isDesignMessage = isShape<DesignMessage>({
  kind: isExactly('design'),
  title: isString,
  source: isString,
  design: isDesign,
  warnings: isStrings,
});

const isUnavailable = isShape<UnavailableMessage>({ kind: isExactly('unavailable'), title: isString, source: isString, reason: isString });

const toPreview: { readonly [K in ToPreview['kind']]: (value: unknown) => value is Extract<ToPreview, { kind: K }> } = {
  design: isDesignMessage,
  unavailable: isUnavailable,
  tokenizer: isShape<TokenizerMessage>({ kind: isExactly('tokenizer'), name: isString, json: isLongString }),
  file: isShape<FileMessage>({ kind: isExactly('file'), name: isString, uri: isString, bytes: isBytes }),
  noFile: isShape<NoFileMessage>({ kind: isExactly('noFile'), uri: isString, reason: isString }),
  checkpoint: isCheckpoint,
  weights: isShape<WeightsMessage>({ kind: isExactly('weights'), request: isIndex, tensor: isIndex, at: isIndex, bytes: isBytes }),
  restore: isShape<RestoreMessage>({ kind: isExactly('restore'), state: isString }),
  findings: isShape<FindingsMessage>({ kind: isExactly('findings'), query: isIndex, findings: isStrings }),
};

const fromPreview: { readonly [K in FromPreview['kind']]: (value: unknown) => value is Extract<FromPreview, { kind: K }> } = {
  ready: isShape<Extract<FromPreview, { kind: 'ready' }>>({ kind: isExactly('ready') }),
  reveal: isShape<Extract<FromPreview, { kind: 'reveal' }>>({
    kind: isExactly('reveal'),
    source: isString,
    field: isExactly(...revealFields),
  }),
  export: isShape<Extract<FromPreview, { kind: 'export' }>>({ kind: isExactly('export'), name: isString, bytes: isBytes }),
  pickFile: isShape<Extract<FromPreview, { kind: 'pickFile' }>>({ kind: isExactly('pickFile') }),
  findTokenizer: isShape<Extract<FromPreview, { kind: 'findTokenizer' }>>({ kind: isExactly('findTokenizer') }),
  copyLink: isShape<Extract<FromPreview, { kind: 'copyLink' }>>({
    kind: isExactly('copyLink'),
    form: isExactly('link', 'command'),
    state: isString,
  }),
  readFile: isShape<Extract<FromPreview, { kind: 'readFile' }>>({ kind: isExactly('readFile'), uri: isString }),
  findWeights: isShape<Extract<FromPreview, { kind: 'findWeights' }>>({
    kind: isExactly('findWeights'),
    request: isIndex,
    layer: isIndex,
    layers: isIndex,
    before: isBoolean,
    embedded: isBoolean,
  }),
  lint: isShape<Extract<FromPreview, { kind: 'lint' }>>({ kind: isExactly('lint'), query: isIndex, sizes: isLintSizes }),
  error: isShape<Extract<FromPreview, { kind: 'error' }>>({ kind: isExactly('error'), message: isString }),
};

/** Whether the extension may have sent this to the page. */
export function isToPreview(value: unknown): value is ToPreview {
  return isOneOf<ToPreview>(toPreview, value);
}

/** Whether the message says what is to be drawn. */
export function isDesignOrUnavailable(value: unknown): value is DesignMessage | UnavailableMessage {
  return isDesignMessage(value) || isUnavailable(value);
}

/** Whether the page may have sent this to the extension. */
export function isFromPreview(value: unknown): value is FromPreview {
  return isOneOf<FromPreview>(fromPreview, value);
}
