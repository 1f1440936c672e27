import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ParserFiles } from './parse.ts';

/** The parser's modules from the folder that the build puts them in. Rejects where they are not there. */
export async function readParserFiles(folder: string): Promise<ParserFiles> {
  const [runtime, grammar] = await Promise.all(
    ['web-tree-sitter.wasm', 'tree-sitter-python.wasm'].map((name) => readFile(join(folder, name))),
  );
  if (runtime === undefined || grammar === undefined) throw new Error('the parser is incomplete');
  return { runtime, grammar };
}
