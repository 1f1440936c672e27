/**
 * Messages between the extension and the attention preview, both ways. Every message is checked with these guards at both
 * ends: whatever does not fit is dropped, and strings in it are only ever shown as text.
 */

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

export type ToPreview = DesignMessage | UnavailableMessage;

export type FromPreview =
  /** The page listens; the extension answers with 'design' or 'unavailable'. */
  | { readonly kind: 'ready' }
  /** Show where the document sets a field. */
  | { readonly kind: 'reveal'; readonly source: string; readonly field: RevealField }
  /** Something failed that a log should hold. */
  | { readonly kind: 'error'; readonly message: string };

type Guard<T> = (value: unknown) => value is T;
type Shape<T> = { readonly [K in keyof T]-?: Guard<T[K]> };

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
const isBoolean = (value: unknown): value is boolean => typeof value === 'boolean';
const isString = (value: unknown): value is string => typeof value === 'string' && value.length <= 10_000;
const isStrings = (value: unknown): value is readonly string[] => Array.isArray(value) && value.length <= 100 && value.every(isString);

function isOptional<T>(guard: Guard<T>): Guard<T | undefined> {
  return (value): value is T | undefined => value === undefined || guard(value);
}

function isExactly<T extends string>(...values: readonly T[]): Guard<T> {
  return (value): value is T => values.includes(value as T);
}

/** Every field fits its guard, and there are no others. */
function isShape<T>(shape: Shape<T>): Guard<T> {
  return (value): value is T => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
    const record = value as Readonly<Record<string, unknown>>;
    const guards = shape as Readonly<Record<string, Guard<unknown>>>;
    return (
      Object.keys(record).every((key) => Object.hasOwn(guards, key)) && Object.entries(guards).every(([key, guard]) => guard(record[key]))
    );
  };
}

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

/** Whether the extension may have sent this to the page. */
export function isToPreview(value: unknown): value is ToPreview {
  return isDesignMessage(value) || isUnavailable(value);
}

const isReady = isShape<Extract<FromPreview, { kind: 'ready' }>>({ kind: isExactly('ready') });
const isReveal = isShape<Extract<FromPreview, { kind: 'reveal' }>>({
  kind: isExactly('reveal'),
  source: isString,
  field: isExactly(...revealFields),
});
const isError = isShape<Extract<FromPreview, { kind: 'error' }>>({ kind: isExactly('error'), message: isString });

/** Whether the page may have sent this to the extension. */
export function isFromPreview(value: unknown): value is FromPreview {
  return isReady(value) || isReveal(value) || isError(value);
}
