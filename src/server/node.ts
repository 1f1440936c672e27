import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createConnection, ProposedFeatures } from 'vscode-languageserver/node';
import { version } from '../../package.json';
import { createCheckpointReader } from '../checkpoint/node.ts';
import type { SourceFile } from '../interpreter/value.ts';
import { type FolderLoaders, folderLoaders } from '../workspace/code/node.ts';
import { loadPython, useLayouts } from '../workspace/node.ts';
import type { Imports } from '../workspace/python.ts';
import { keptTrees, serve } from './connection.ts';

/** Imports of one file, with the paths of the files that they led to, and the last parts of the names that led nowhere. */
interface TrackedImports extends Imports {
  readonly paths: ReadonlySet<string>;
  readonly missed: ReadonlySet<string>;
}

/** Serves over what the command line says: `--stdio`, `--node-ipc`, `--socket=PORT` or `--pipe=NAME`. Returns at once; the process ends when the client leaves. */
export function startServer(): void {
  // An editor has many servers: memory is taken back early, for a few percent of time, and what can be is when nothing happens.
  setFlagsFromString('--heap-growing-percent=20');
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  const connection = createConnection(ProposedFeatures.all);
  process.on('uncaughtException', (error) => connection.console.error(`Uncaught: ${error.stack ?? error.message}`));
  process.on('unhandledRejection', (reason) => connection.console.error(`Unhandled: ${String(reason)}`));
  useLayouts();
  const readCheckpoint = createCheckpointReader();
  let loaders: FolderLoaders | undefined;
  /** By the URI of the file that imports. */
  const importsOf = new Map<string, TrackedImports>();
  /** Paths of files being edited that nobody imports: a keystroke there costs nothing. */
  const alone = new Set<string>();
  const pathOf = (uri: string): string | undefined => {
    try {
      return uri.startsWith('file:') ? fileURLToPath(uri) : undefined;
    } catch {
      return undefined;
    }
  };
  serve(connection, {
    version,
    python: (_options, note) => loadPython(note, keptTrees),
    imports: (uri, parse, edited) => {
      const path = pathOf(uri);
      if (path === undefined) return undefined;
      const known = importsOf.get(uri);
      if (known !== undefined) return known;
      loaders ??= folderLoaders(parse, (each) => edited(pathToFileURL(each).href));
      const from = loaders.of(path);
      const paths = new Set<string>();
      const missed = new Set<string>();
      const load = (name: string): SourceFile | undefined => {
        const file = from.load(name);
        if (file === undefined) missed.add(name.slice(name.lastIndexOf('.') + 1));
        else {
          paths.add(file.path);
          alone.delete(file.path);
        }
        return file;
      };
      const mentions = (name: string, word: string): boolean => {
        const answer = from.mentions?.(name, word) ?? true;
        if (!answer) missed.add(name.slice(name.lastIndexOf('.') + 1));
        return answer;
      };
      const made = {
        name: from.nameOf(path),
        loader: { load, mentions },
        shown: (each: string) => pathToFileURL(each).href,
        paths,
        missed,
      };
      importsOf.set(uri, made);
      return made;
    },
    forgetImports: (uri, text) => {
      const path = pathOf(uri);
      if (path === undefined || loaders === undefined || (text !== undefined && alone.has(path))) return [];
      const was = new Set([...loaders.all()].map((loader) => loader.forget(path, text)));
      if (was.has('same') && !was.has('forgotten')) return [];
      if (!was.has('forgotten')) alone.add(path);
      const name = basename(path) === '__init__.py' ? basename(dirname(path)) : basename(path, '.py');
      const rest = [...importsOf]
        .filter(([importer, { paths, missed }]) => importer !== uri && (was.has('forgotten') ? paths.has(path) : missed.has(name)))
        .map(([importer]) => importer);
      for (const importer of rest) importsOf.delete(importer);
      return rest;
    },
    close: (uri) => importsOf.delete(uri),
    rest: () => {
      if (typeof collect === 'function') collect();
    },
    isRepository: (folder) => folder.startsWith('file:') && existsSync(join(fileURLToPath(folder), '.git')),
    readCheckpoint: (uri) => (uri.startsWith('file:') ? readCheckpoint(fileURLToPath(uri)) : undefined),
    readFile: async (uri) => {
      if (!uri.startsWith('file:')) return undefined;
      try {
        return await readFile(fileURLToPath(uri), 'utf8');
      } catch {
        return undefined;
      }
    },
  });
}
