import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { parseConfig } from '../syntax/read.ts';
import { LineIndex } from '../text/lineIndex.ts';
import { mergeSettings, projectSettingsFiles, readProjectSettings } from '../workspace/projectSettings.ts';
import { defaultSettings, type Settings } from '../workspace/settings.ts';
import { reasonOf, slashes } from './files.ts';
import { UsageError } from './options.ts';

/** Settings as they hold for one directory, with the directory that their globs are relative to. */
export interface LocatedSettings {
  readonly settings: Settings;
  readonly root: string;
}

export interface SettingsSource {
  readonly forFile: (path: string) => LocatedSettings;
  /** Problems of the settings files read so far, as `file:line:column: message`. */
  readonly problems: readonly string[];
}

/**
 * Finds the settings that hold for a file: those of the nearest headwise.json, or pyproject.toml with a `[tool.headwise]` table, in
 * its directory or above, up to the root of the repository. Without one the globs are relative to the current directory.
 * Throws UsageError when the file given as `config` cannot be read.
 */
export function settingsSource(
  options: { readonly config?: string; readonly isolated: boolean },
  extra: Partial<Settings>,
): SettingsSource {
  const problems: string[] = [];
  const base = { settings: mergeSettings(defaultSettings, extra), root: process.cwd() };
  const load = (file: string, text: string): LocatedSettings | undefined => {
    const parsed = parseConfig(text, { path: basename(file) });
    const read = readProjectSettings(parsed);
    if (read === undefined) return undefined;
    const lines = new LineIndex(text);
    for (const { range, message } of read.problems) {
      const at = lines.positionAt(range.start);
      problems.push(`${slashes(relative(process.cwd(), file))}:${at.line + 1}:${at.character + 1}: ${message}`);
    }
    return { settings: mergeSettings(mergeSettings(defaultSettings, read.settings), extra), root: dirname(file) };
  };
  if (options.config !== undefined) {
    const file = resolve(options.config);
    let text: string;
    try {
      text = readFileSync(file, 'utf8');
    } catch (error) {
      throw new UsageError(`--config ${options.config}: ${reasonOf(error)}`);
    }
    const located = load(file, text);
    if (located === undefined) throw new UsageError(`--config ${options.config}: there is no [tool.headwise] table in it.`);
    return { forFile: () => located, problems };
  }
  if (options.isolated) return { forFile: () => base, problems };
  const known = new Map<string, LocatedSettings>();
  const forDirectory = (directory: string): LocatedSettings => {
    const seen = known.get(directory);
    if (seen !== undefined) return seen;
    let found: LocatedSettings | undefined;
    for (const name of projectSettingsFiles) {
      const file = join(directory, name);
      if (!existsSync(file)) continue;
      try {
        found = load(file, readFileSync(file, 'utf8'));
      } catch (error) {
        problems.push(`${slashes(relative(process.cwd(), file))}: ${reasonOf(error)}`);
      }
      if (found !== undefined) break;
    }
    const above = dirname(directory);
    found ??= above === directory || existsSync(join(directory, '.git')) ? base : forDirectory(above);
    known.set(directory, found);
    return found;
  };
  return { forFile: (path) => forDirectory(dirname(path)), problems };
}
