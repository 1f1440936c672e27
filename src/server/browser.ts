import { BrowserMessageReader, BrowserMessageWriter, createConnection } from 'vscode-languageserver/browser';
import { version } from '../../package.json';
import { provideLayouts } from '../calculator/derived/index.ts';
import { createPythonParser } from '../syntax/python/parse.ts';
import { type PythonReader, pythonReader } from '../workspace/python.ts';
import { keptTrees, serve } from './connection.ts';

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

/** How classes of models are laid out comes from there too. */
async function loadLayouts(folder: string | undefined): Promise<void> {
  if (folder === undefined) return;
  const answer = await fetch(`${folder}/../data/layouts.txt`).catch(() => undefined);
  const text = answer?.ok === true ? await answer.text() : undefined;
  provideLayouts(() => text);
}

/** Serves the client that started this worker. It reads no files itself: the client answers `headwise/readFile`. */
export function startServer(): void {
  const scope = self as unknown as DedicatedWorkerGlobalScope;
  const connection = createConnection(new BrowserMessageReader(scope), new BrowserMessageWriter(scope));
  serve(connection, {
    version,
    readFile: async () => undefined,
    layouts: ({ pythonParser }) => loadLayouts(pythonParser),
    python: ({ pythonParser }, note) => {
      started ??= loadPython(pythonParser, note);
      return started;
    },
  });
}
