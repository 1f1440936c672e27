/**
 * Messages between the extension and the attention preview, both ways. Every message is checked with these guards at both
 * ends: whatever does not fit is dropped, and strings in it are only ever shown as text.
 */

import { isBoolean, isBytes, isExactly, isLongString, isNumber, isOneOf, isOptional, isShape, isString, isStrings } from './guards.ts';

/** What the preview needs of a design. Numbers may be wrong (8 heads over 3 KV heads): the page then says what is wrong. */
export interface PreviewDesign {
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
  /** 'rope', 'alibi', 'learned', 'sinusoidal', 'none'; anything else is shown with sinusoidal positions. */
  readonly positions?: string;
  readonly rotaryDim?: number;
  readonly ropeTheta?: number;
  /** Soft limit of the scores (Gemma 2). */
  readonly softcap?: number;
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
  readonly query: string;
  readonly findings: readonly string[];
}

export type ToPreview = DesignMessage | UnavailableMessage | TokenizerMessage | FileMessage | RestoreMessage | FindingsMessage;

export type FromPreview =
  /** The page listens; the extension answers with 'design' or 'unavailable'. */
  | { readonly kind: 'ready' }
  /** Show where the document sets a field. */
  | { readonly kind: 'reveal'; readonly source: string; readonly field: RevealField }
  /** Offer to save a file. */
  | { readonly kind: 'export'; readonly name: string; readonly bytes: Uint8Array }
  /** Let a file with an array be picked; answered with 'file'. */
  | { readonly kind: 'pickFile' }
  /** Read the workspace's tokenizer.json; answered with 'tokenizer'. */
  | { readonly kind: 'findTokenizer' }
  /** Put a link, or a command, that opens this state into the clipboard. */
  | { readonly kind: 'copyLink'; readonly form: 'link' | 'command'; readonly state: string }
  /** Lint sizes in the words of the shape calculator (`h=8 kv=3`); answered with 'findings'. */
  | { readonly kind: 'lint'; readonly query: string }
  /** Something failed that a log should hold. */
  | { readonly kind: 'error'; readonly message: string };

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
  softcap: isOptional(isNumber),
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
  file: isShape<FileMessage>({ kind: isExactly('file'), name: isString, bytes: isBytes }),
  restore: isShape<RestoreMessage>({ kind: isExactly('restore'), state: isString }),
  findings: isShape<FindingsMessage>({ kind: isExactly('findings'), query: isString, findings: isStrings }),
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
  lint: isShape<Extract<FromPreview, { kind: 'lint' }>>({ kind: isExactly('lint'), query: isString }),
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
