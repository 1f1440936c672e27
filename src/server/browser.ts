import { BrowserMessageReader, BrowserMessageWriter, createConnection } from 'vscode-languageserver/browser';
import { version } from '../../package.json';
import { createPythonParser } from '../syntax/python/parse.ts';
import { type PythonReader, pythonReader } from '../workspace/python.ts';
import { keptTrees, serve } from './connection.ts';

const scope = self as unknown as DedicatedWorkerGlobalScope;
const connection = createConnection(new BrowserMessageReader(scope), new BrowserMessageWriter(scope));

let started: Promise<PythonReader | undefined> | undefined;

/** The parser comes from the extension's own folder, and from nowhere else. */
async function loadPython(folder: string | undefined, note: (problem: string) => void): Promise<PythonReader | undefined> {
  if (folder === undefined) return undefined;
  try {
    const [runtime, grammar] = await Promise.all(
      ['web-tree-sitter.wasm', 'tree-sitter-python.wasm'].map(async (name) => {
        const answer = await fetch(`${folder}/${name}`);
        if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
        return new Uint8Array(await answer.arrayBuffer());
      }),
    );
    return runtime === undefined || grammar === undefined
      ? undefined
      : pythonReader(await createPythonParser({ runtime, grammar }), keptTrees);
  } catch (error) {
    note(`Python files are not read: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

// A worker reads no files itself: the client answers `headwise/readFile`.
serve(connection, {
  version,
  readFile: async () => undefined,
  python: ({ pythonParser }, note) => {
    started ??= loadPython(pythonParser, note);
    return started;
  },
});
