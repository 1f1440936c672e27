import { type Guard, isBetween, isBoolean, isExactly, isIndex, isInteger, isOptional, isShape, isString, type Shape } from '../guards.ts';
import { type DesignMessage, isDesignOrUnavailable, type UnavailableMessage } from '../protocol.ts';
import { type Norm, norms, type Palette, palettes, type Scale, scales } from './colors.ts';
import { type Lens, plainLens, specialKinds } from './lens.ts';
import {
  freshSettings,
  MAX_LAYERS,
  MAX_LENGTH,
  masks,
  models,
  type Overrides,
  positionKinds,
  type SampleSettings,
  type SizeName,
  scalings,
  sizeNames,
  sources,
} from './settings.ts';
import { type StatisticName, statisticNames } from './words.ts';

export const views = ['heads', 'tokens', 'steps', 'decode'] as const;
export type View = (typeof views)[number];

/** Stages of the function, in order: what the formula's parts open. */
export const stages = ['input', 'query', 'score', 'mask', 'softmax', 'value', 'concat', 'output'] as const;
export type Stage = (typeof stages)[number];

/** What a head is held against. */
export const comparisons = ['none', 'head', 'before', 'mask', 'sharing'] as const;
export type Comparison = (typeof comparisons)[number];

export interface Display {
  readonly view: View;
  readonly order: 'head' | StatisticName;
  readonly ascending: boolean;
  readonly filter: 'all' | StatisticName;
  readonly least: number;
  readonly scale: Scale;
  readonly norm: Norm;
  readonly palette: Palette;
  readonly lens: Lens;
  /** What a tile of a pooled map shows. */
  readonly tile: 'largest' | 'mean';
  /** Head that is shown large, among those of all layers. */
  readonly opened: number | undefined;
  readonly pinned: { readonly row: number; readonly column: number } | undefined;
  /** Layers stand one below the other, or side by side. */
  readonly columns: boolean;
  readonly compare: Comparison;
  readonly compareHead: number;
  readonly difference: boolean;
  /** The token that is followed; beyond the text: its last. */
  readonly token: number;
  /** Head of the token and step views; -1: the mean of all, -2 - layer: the mean of a layer, where a view has one. */
  readonly head: number;
  readonly lines: boolean;
  /** Which way the token view looks: to what is attended, or from where. */
  readonly towards: boolean;
  readonly stage: Stage;
  readonly decoded: number;
}

/** All that survives hiding and reloading the panel. */
export interface PageState {
  settings: SampleSettings;
  display: Display;
  message: DesignMessage | UnavailableMessage | undefined;
}

export const freshDisplay: Display = {
  view: 'heads',
  order: 'head',
  ascending: false,
  filter: 'all',
  least: 0.4,
  scale: 'sqrt',
  norm: 'one',
  palette: 'theme',
  lens: plainLens,
  tile: 'largest',
  opened: undefined,
  pinned: undefined,
  columns: false,
  compare: 'none',
  compareHead: 0,
  difference: false,
  // The last there is: it sees the most.
  token: MAX_LENGTH - 1,
  head: 0,
  lines: false,
  towards: true,
  stage: 'query',
  decoded: 1,
};

type Guards<T> = { readonly [K in keyof T]-?: Guard<T[K]> };

const settingGuards: Guards<SampleSettings> = {
  model: isExactly(...models),
  source: isExactly(...sources),
  length: (value): value is number => isIndex(value) && value >= 1 && value <= MAX_LENGTH,
  seed: isInteger,
  text: isString,
  tokenizer: isExactly('words', 'workspace'),
  file: isString,
  mask: isExactly(...masks),
  extent: (value): value is number => isIndex(value) && value >= 1,
  positions: isExactly(...positionKinds),
  scaling: isExactly(...scalings),
  scalingFactor: isBetween(1, 1e4),
  temperature: isBetween(1e-3, 1e3),
  scale: isBetween(-1e3, 1e3),
  dropout: isBetween(0, 0.95),
  layer: isIndex,
  layers: (value): value is number => isIndex(value) && value >= 1 && value <= MAX_LAYERS,
  before: isBoolean,
  overrides: isShape<Overrides>(
    Object.fromEntries(sizeNames.map((name) => [name, isOptional(isIndex)])) as Shape<Record<SizeName, number>>,
  ),
};

const displayGuards: Guards<Display> = {
  view: isExactly(...views),
  order: isExactly('head', ...statisticNames),
  ascending: isBoolean,
  filter: isExactly('all', ...statisticNames),
  least: isBetween(0, 1e9),
  scale: isExactly(...scales),
  norm: isExactly(...norms),
  palette: isExactly(...palettes),
  lens: isShape<Lens>({ special: isExactly(...specialKinds), mass: isBetween(0, 1), valueNorm: isBoolean }),
  tile: isExactly('largest', 'mean'),
  opened: isOptional(isIndex),
  pinned: isOptional(isShape<{ readonly row: number; readonly column: number }>({ row: isIndex, column: isIndex })),
  columns: isBoolean,
  compare: isExactly(...comparisons),
  compareHead: isIndex,
  difference: isBoolean,
  token: isIndex,
  head: (value): value is number => isInteger(value) && value >= -4096,
  lines: isBoolean,
  towards: isBoolean,
  stage: isExactly(...stages),
  decoded: (value): value is number => isIndex(value) && value >= 1,
};

/** The fields of `found` that fit, the rest as in `fresh`. */
function readFields<T extends object>(found: unknown, fresh: T, guards: Guards<T>): T {
  if (typeof found !== 'object' || found === null) return fresh;
  const read = { ...fresh };
  for (const key of Object.keys(guards) as (keyof T)[]) {
    const value: unknown = Object.hasOwn(found, key) ? (found as T)[key] : undefined;
    if (Object.hasOwn(found, key) && guards[key](value)) read[key] = value;
  }
  return read;
}

/** What was kept, or came in a link; whatever does not fit is as at first. */
export function readState(found: unknown): PageState {
  const parts: Partial<Record<keyof PageState, unknown>> = typeof found === 'object' && found !== null ? found : {};
  return {
    settings: readFields(parts.settings, freshSettings, settingGuards),
    display: readFields(parts.display, freshDisplay, displayGuards),
    message: isDesignOrUnavailable(parts.message) ? parts.message : undefined,
  };
}

/** The part of a state that a link holds: what differs from a fresh one. */
export function linkState({ settings, display }: Pick<PageState, 'settings' | 'display'>): string {
  const changed = <T extends object>(value: T, fresh: T): Partial<T> =>
    Object.fromEntries(
      Object.entries(value).filter(([key, each]) => JSON.stringify(each) !== JSON.stringify(fresh[key as keyof T])),
    ) as Partial<T>;
  return JSON.stringify({ settings: changed(settings, freshSettings), display: changed(display, freshDisplay) });
}
