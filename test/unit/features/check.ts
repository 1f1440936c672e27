import { type Analysis, analyse } from '../../../src/workspace/analyse.ts';
import { defaultSettings, type Settings } from '../../../src/workspace/settings.ts';

export interface Marked {
  readonly analysis: Analysis;
  /** Offset of the `¦` that was taken out of the text; -1 without one. */
  readonly offset: number;
  readonly text: string;
}

/** Analyses a text whose cursor is written as `¦`. */
export function at(path: string, marked: string, settings: Partial<Settings> = {}): Marked {
  const offset = marked.indexOf('¦');
  const text = marked.replace('¦', '');
  return { analysis: analyse({ text, path }, { ...defaultSettings, ...settings }), offset, text };
}

export const lines = (...text: readonly string[]): string => `${text.join('\n')}\n`;
