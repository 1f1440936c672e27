import type { SourceFile } from '../interpreter/value.ts';
import type { FolderLoaders } from '../workspace/code/loader.ts';
import type { Imports, PythonReader } from '../workspace/python.ts';

/** The text of an open document, by its URI. */
export type Edited = (uri: string) => string | undefined;

/** Where the files of one kind of URI lie. */
export interface ImportSource {
  /** The path of a document as loaders write it; undefined where its imports cannot be followed. */
  readonly pathOf: (uri: string) => string | undefined;
  readonly uriOf: (path: string) => string;
  readonly loaders: (parse: PythonReader['parse'], edited: Edited) => FolderLoaders;
}

/** Imports of one file, with the paths of the files that they led to, and the last parts of the names that led nowhere. */
interface TrackedImports extends Imports {
  readonly from: FolderLoaders;
  readonly paths: ReadonlySet<string>;
  readonly missed: ReadonlySet<string>;
}

const lastPart = (name: string): string => name.slice(name.lastIndexOf('.') + 1);

/** Follows the imports of open documents, and knows which documents a file's text matters to. */
export class FollowedImports {
  readonly #source: ImportSource;
  #loaders: FolderLoaders | undefined;
  /** By the URI of the file that imports. */
  readonly #of = new Map<string, TrackedImports>();
  /** Paths of files being edited that nobody imports: a keystroke there costs nothing. */
  readonly #alone = new Set<string>();

  constructor(source: ImportSource) {
    this.#source = source;
  }

  /** Where the imports of a document come from; undefined where they cannot be followed. */
  of(uri: string, parse: PythonReader['parse'], edited: Edited): Imports | undefined {
    const path = this.#source.pathOf(uri);
    if (path === undefined) return undefined;
    this.#loaders ??= this.#source.loaders(parse, edited);
    const known = this.#of.get(uri);
    if (known?.from === this.#loaders) return known;
    const from = this.#loaders.of(path);
    const paths = new Set<string>();
    const missed = new Set<string>();
    const load = (name: string): SourceFile | undefined => {
      const file = from.load(name);
      if (file === undefined) missed.add(lastPart(name));
      else {
        paths.add(file.path);
        this.#alone.delete(file.path);
      }
      return file;
    };
    const mentions = (name: string, word: string): boolean => {
      const answer = from.mentions?.(name, word) ?? true;
      if (!answer) missed.add(lastPart(name));
      return answer;
    };
    const made = { name: from.nameOf(path), loader: { load, mentions }, shown: this.#source.uriOf, from: this.#loaders, paths, missed };
    this.#of.set(uri, made);
    return made;
  }

  /** A file holds another text, this one where it is open. Returns the documents that import it, whose imports are other ones now. */
  forget(uri: string, text: string | undefined): readonly string[] {
    const path = this.#source.pathOf(uri);
    if (path === undefined || this.#loaders === undefined || (text !== undefined && this.#alone.has(path))) return [];
    const was = new Set([...this.#loaders.all()].map((loader) => loader.forget(path, text)));
    const isKnown = was.has('forgotten') || (!was.has('same') && [...this.#of.values()].some(({ paths }) => paths.has(path)));
    if (was.has('same') && !isKnown) return [];
    if (!isKnown) this.#alone.add(path);
    const [, folder, stem] = /([^/]*)\/([^/]*?)(?:\.py)?$/.exec(path) ?? [];
    const name = stem === '__init__' ? folder : stem;
    const rest = [...this.#of]
      .filter(([importer, { paths, missed }]) => importer !== uri && (isKnown ? paths.has(path) : missed.has(name ?? '')))
      .map(([importer]) => importer);
    for (const importer of rest) this.#of.delete(importer);
    return rest;
  }

  /** Files may be found now where none were: they are looked for again. */
  renew(): void {
    this.#loaders = undefined;
    this.#alone.clear();
  }

  close(uri: string): void {
    this.#of.delete(uri);
  }
}
