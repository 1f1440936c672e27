import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createConnection, ProposedFeatures } from 'vscode-languageserver/node';
import { version } from '../../package.json';
import { createCheckpointReader } from '../checkpoint/node.ts';
import { folderLoaders, wholePath } from '../workspace/code/node.ts';
import { loadPython, optimiseLate, useLayouts } from '../workspace/node.ts';
import { keptTrees, serve } from './connection.ts';

/** Serves over what the command line says: `--stdio`, `--node-ipc`, `--socket=PORT` or `--pipe=NAME`. Returns at once; the process ends when the client leaves. */
export function startServer(): void {
  // An editor has many servers: memory is taken back early, for a few percent of time, and what can be is when nothing happens.
  setFlagsFromString('--heap-growing-percent=20');
  // What is young is collected in as little room as at the start: the 30 MB that it would grow to save no time here.
  setFlagsFromString('--semi-space-growth-factor=1');
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  const connection = createConnection(ProposedFeatures.all);
  process.on('uncaughtException', (error) => connection.console.error(`Uncaught: ${error.stack ?? error.message}`));
  process.on('unhandledRejection', (reason) => connection.console.error(`Unhandled: ${String(reason)}`));
  useLayouts();
  const readCheckpoint = createCheckpointReader();
  serve(connection, {
    version,
    python: (_options, note) => {
      optimiseLate();
      return loadPython(note, keptTrees);
    },
    imports: {
      pathOf: (uri) => {
        try {
          return uri.startsWith('file:') ? wholePath(fileURLToPath(uri)) : undefined;
        } catch {
          return undefined;
        }
      },
      uriOf: (path) => pathToFileURL(path).href,
      loaders: (parse, edited) => folderLoaders(parse, (path) => edited(pathToFileURL(path).href)),
    },
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
