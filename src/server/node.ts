import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createConnection, ProposedFeatures } from 'vscode-languageserver/node';
import { version } from '../../package.json';
import { createCheckpointReader } from '../checkpoint/node.ts';
import { type FolderLoader, folderLoader } from '../workspace/code/node.ts';
import { loadPython } from '../workspace/node.ts';
import { keptTrees, serve } from './connection.ts';

/** Serves over what the command line says: `--stdio`, `--node-ipc`, `--socket=PORT` or `--pipe=NAME`. Returns at once; the process ends when the client leaves. */
export function startServer(): void {
  const connection = createConnection(ProposedFeatures.all);
  process.on('uncaughtException', (error) => connection.console.error(`Uncaught: ${error.stack ?? error.message}`));
  process.on('unhandledRejection', (reason) => connection.console.error(`Unhandled: ${String(reason)}`));
  const readCheckpoint = createCheckpointReader();
  let loader: FolderLoader | undefined;
  serve(connection, {
    version,
    python: (_options, note) => loadPython(note, keptTrees),
    imports: (uri, parse) => {
      if (!uri.startsWith('file:')) return undefined;
      loader ??= folderLoader(parse, new Map());
      return { name: loader.nameOf(fileURLToPath(uri)), loader };
    },
    forgetImports: () => {
      loader = undefined;
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

// The command line imports this module; as dist/server/node.js it is the server itself.
if (typeof __filename === 'string' && basename(__filename) === 'node.js' && basename(dirname(__filename)) === 'server') startServer();
