import { parseJson } from '../syntax/json.ts';
import { mergeSettings, readProjectSettings } from '../workspace/projectSettings.ts';
import { defaultSettings, type Settings } from '../workspace/settings.ts';

/** Settings of one workspace folder, plus what only an editor shows. */
export interface EditorSettings {
  readonly settings: Settings;
  readonly inlayHints: boolean;
  readonly codeLens: boolean;
}

export const defaultEditorSettings: EditorSettings = { settings: defaultSettings, inlayHints: true, codeLens: true };

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** An unset number of VS Code's settings is null; to us it is not there. */
const withoutNulls = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.filter((item) => item !== null);
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).flatMap(([key, item]) => (item === null ? [] : [[key, withoutNulls(item)]])));
};

const enabled = (section: unknown): boolean => !isRecord(section) || section.enabled !== false;

/** Reads what a client sent for section `headwise`. What is not understood is left out: its editor marks that already. */
export function readClientSettings(value: unknown): EditorSettings {
  if (!isRecord(value)) return defaultEditorSettings;
  let text: string;
  try {
    text = JSON.stringify(withoutNulls(value)) ?? '{}';
  } catch {
    return defaultEditorSettings;
  }
  const read = readProjectSettings(parseJson(text));
  return {
    settings: mergeSettings(defaultSettings, read?.settings ?? {}),
    inlayHints: enabled(value.inlayHints),
    codeLens: enabled(value.codeLens),
  };
}
