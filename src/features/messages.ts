import { fillTemplate } from '../rules/run.ts';

/** Translations by English text, as in `l10n/bundle.l10n.<language>.json`. */
export type Bundle = Readonly<Record<string, string>>;

/** Fills `{name}` of an English text, or of its translation. */
export type Translate = (text: string, data?: Readonly<Record<string, string | number>>) => string;

/** Every sentence that the features write goes through one of these; findings keep the rules' own texts. */
export const translator =
  (bundle: Bundle = {}): Translate =>
  (text, data) =>
    fillTemplate(bundle[text] ?? text, data ?? {});

export const english: Translate = translator();
