import type { PythonModule } from '../syntax/python/ast.ts';
import { type FolderLoaders, type SourceFiles, sourceLoaders } from '../workspace/code/loader.ts';
import type { Imports, PythonReader } from '../workspace/python.ts';
import { type Edited, FollowedImports } from './imports.ts';
import { baseName, parentUri } from './uris.ts';

/** Beyond this many files and folders held the client is asked for nothing more. */
const maximumHeld = 4000;
/** Requests to the client that are under way at a time. */
const atOnce = 16;

/** What the client can say about the folders that it has open. */
export interface RemoteClient {
  readonly readFile: (uri: string) => Promise<string | undefined>;
  /** Names of what lies in a folder; undefined where there is none. */
  readonly readFolder: (uri: string) => Promise<readonly string[] | undefined>;
  /** Whether a file lies in a folder that is open. */
  readonly isOpen: (uri: string) => boolean;
}

/**
 * Follows imports where files can only be asked for: in a browser, and in folders that lie on no disk. What is not known yet is missing
 * at first and noted; `fetch` asks for it, after which a document can be read again. Only modules that an analysis looks for are asked for.
 */
export class RemoteImports {
  readonly #client: RemoteClient;
  readonly #texts = new Map<string, string | undefined>();
  readonly #folders = new Map<string, ReadonlySet<string> | undefined>();
  readonly #wanted = new Map<string, 'file' | 'folder'>();
  /** By text. */
  readonly #modules = new Map<string, PythonModule>();
  readonly #followed: FollowedImports;

  constructor(client: RemoteClient) {
    this.#client = client;
    this.#followed = new FollowedImports({
      pathOf: (uri) => (client.isOpen(uri) ? uri : undefined),
      uriOf: (path) => path,
      loaders: (parse, edited) => this.loaders(parse, edited),
    });
  }

  /** Where the imports of a document come from, as far as that is known; undefined outside the open folders. */
  of(uri: string, parse: PythonReader['parse'], edited: Edited): Imports | undefined {
    return this.#followed.of(uri, parse, edited);
  }

  /** Whether a file lies where the client can be asked. */
  isOpen(uri: string): boolean {
    return this.#client.isOpen(uri);
  }

  /** Loaders over what the client has handed over so far; what they miss is noted. */
  loaders(parse: PythonReader['parse'], edited: Edited): FolderLoaders {
    return sourceLoaders(this.#files(edited), (text) => this.#parsed(text, parse));
  }

  /** Asks for what was missing since the last time; undefined when nothing was. */
  fetch(): Promise<void> | undefined {
    const wanted = [...this.#wanted].slice(0, Math.max(0, maximumHeld - this.#texts.size - this.#folders.size));
    this.#wanted.clear();
    return wanted.length === 0 ? undefined : this.#fetch(wanted);
  }

  async #fetch(wanted: [string, 'file' | 'folder'][]): Promise<void> {
    const worker = async (): Promise<void> => {
      for (let next = wanted.pop(); next !== undefined; next = wanted.pop()) {
        const [uri, kind] = next;
        if (kind === 'file') this.#texts.set(uri, await this.#client.readFile(uri).catch(() => undefined));
        else {
          const names = await this.#client.readFolder(uri).catch(() => undefined);
          this.#folders.set(uri, names === undefined ? undefined : new Set(names));
        }
      }
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
    // Where packages begin may be seen differently now.
    this.#followed.renew();
  }

  /** A file holds another text, this one where it is open. Returns the documents that import it. */
  forget(uri: string, text: string | undefined): readonly string[] {
    const affected = this.#followed.forget(uri, text);
    if (text === undefined) {
      this.#modules.delete(this.#texts.get(uri) ?? '');
      this.#texts.delete(uri);
      // Folders that were made for it are not in the lists either.
      let each = uri;
      for (let folder = parentUri(each); folder !== undefined && this.#client.isOpen(each); folder = parentUri(each)) {
        if (this.#folders.get(folder)?.has(baseName(each)) === true) break;
        this.#folders.delete(folder);
        each = folder;
      }
    }
    return affected;
  }

  close(uri: string): void {
    this.#followed.close(uri);
  }

  #parsed(text: string, parse: PythonReader['parse']): PythonModule {
    let module = this.#modules.get(text);
    if (module === undefined) {
      module = parse(text);
      this.#modules.set(text, module);
    }
    return module;
  }

  #files(edited: Edited): SourceFiles {
    const folder = (uri: string): ReadonlySet<string> | undefined => {
      if (!this.#folders.has(uri)) this.#wanted.set(uri, 'folder');
      return this.#folders.get(uri);
    };
    const has = (uri: string): boolean => {
      if (!this.#client.isOpen(uri)) return false;
      const above = parentUri(uri);
      // A folder is listed only where the one above it names it.
      return above !== undefined && (!this.#client.isOpen(above) || has(above)) && folder(above)?.has(baseName(uri)) === true;
    };
    return {
      has,
      isTop: (uri) => !this.#client.isOpen(uri),
      text: (uri) => {
        const text = edited(uri);
        if (text !== undefined || !has(uri)) return text;
        if (!this.#texts.has(uri)) this.#wanted.set(uri, 'file');
        return this.#texts.get(uri);
      },
    };
  }
}
