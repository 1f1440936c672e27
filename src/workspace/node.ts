import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { provideLayouts } from '../calculator/derived/index.ts';
import { readParserFiles } from '../syntax/python/node.ts';
import { type PythonReader, pythonReader } from './python.ts';

let started: Promise<PythonReader | undefined> | undefined;

/**
 * The Python reader of this process, loaded the first time that it is asked for from `dist/python`, beside the bundle that runs.
 * Undefined when it cannot be loaded; `note` is told why, once. `keep`: see pythonReader.
 */
export function loadPython(note: (problem: string) => void, keep = 0): Promise<PythonReader | undefined> {
  started ??= (async () => {
    try {
      const { createPythonParser } = await import('../syntax/python/parse.ts');
      return pythonReader(await createPythonParser(await readParserFiles(join(__dirname, '..', 'python'))), keep);
    } catch (error) {
      note(`Python files are not read: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
  })();
  return started;
}

/** Reads derived layouts from `dist/data`, beside the bundle that runs, when the first is asked for. */
export function useLayouts(): void {
  provideLayouts(() => {
    try {
      return readFileSync(join(__dirname, '..', 'data', 'layouts.txt'), 'utf8');
    } catch {
      return undefined;
    }
  });
}
