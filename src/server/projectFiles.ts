import { maximumLength } from '../syntax/read.ts';
import { analyse } from '../workspace/analyse.ts';
import { type ProjectSettings, projectSettingsFiles, readProjectSettings } from '../workspace/projectSettings.ts';
import { defaultSettings, type Settings } from '../workspace/settings.ts';
import { baseName, childUri, parentUri } from './uris.ts';

/** Settings of a project with the folder that their globs are relative to, as a URI. */
export interface LocatedSettings {
  readonly folder: string;
  readonly settings: Partial<Settings>;
}

export interface ProjectFilesHost {
  /** Text of a file by URI; undefined where there is none. */
  readonly readFile: (uri: string) => Promise<string | undefined>;
  /** Whether the search goes no higher than this folder. */
  readonly isTop: (folder: string) => boolean;
  readonly note: (problem: string) => void;
}

/**
 * Finds the settings that hold for a file, as the command line does: those of the nearest `headwise.json`, or `pyproject.toml` with a
 * `[tool.headwise]` table, in its folder or above. Answers are kept until `forget`.
 */
export class ProjectFiles {
  readonly #host: ProjectFilesHost;
  readonly #known = new Map<string, Promise<LocatedSettings | undefined>>();

  constructor(host: ProjectFilesHost) {
    this.#host = host;
  }

  /** The settings for the files of a folder. */
  of(folder: string): Promise<LocatedSettings | undefined> {
    let found = this.#known.get(folder);
    if (found === undefined) {
      found = this.#search(folder);
      this.#known.set(folder, found);
    }
    return found;
  }

  forget(): void {
    this.#known.clear();
  }

  async #search(folder: string): Promise<LocatedSettings | undefined> {
    const here = await this.#load(folder);
    if (here !== undefined || this.#host.isTop(folder)) return here;
    const above = parentUri(folder);
    return above === undefined ? undefined : this.of(above);
  }

  /** The file that wins in this folder, if it has one. */
  async #load(folder: string): Promise<LocatedSettings | undefined> {
    for (const name of projectSettingsFiles) {
      const text = await this.#host.readFile(childUri(folder, name)).catch(() => undefined);
      const read = text === undefined || text.length > maximumLength ? undefined : readSettingsText(text, name);
      if (read === undefined) continue;
      for (const { message } of read.problems) this.#host.note(`${childUri(folder, name)}: ${message}`);
      return { folder, settings: read.settings };
    }
    return undefined;
  }
}

/** Undefined for a pyproject.toml that says nothing about Headwise. */
const readSettingsText = (text: string, path: string): ProjectSettings | undefined =>
  readProjectSettings(analyse({ text, path }, defaultSettings).parsed);

export const isSettingsFile = (uri: string): boolean => (projectSettingsFiles as readonly string[]).includes(baseName(uri));
