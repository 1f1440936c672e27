import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
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

/**
 * Bytes of bytecode that a function runs before V8 looks whether to optimise it, some seven times what it takes by itself: the work is
 * spread over thousands of functions that meet values of every kind, so that what is optimised early is soon given up and made again.
 */
const interruptBudget = 1_000_000;

/** Has V8 optimise less of what runs from now on in this process and in its workers: following code takes less time and memory so. */
export function optimiseLate(): void {
  setFlagsFromString(`--interrupt-budget=${interruptBudget}`);
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
