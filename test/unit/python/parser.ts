import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createPythonParser, type PythonParser } from '../../../src/syntax/python/parse.ts';

const module = (name: string): Buffer => readFileSync(join(process.cwd(), 'node_modules', name));

let parser: Promise<PythonParser> | undefined;

/** The parser over the modules that npm brings: those that the build copies. */
export function pythonParser(): Promise<PythonParser> {
  parser ??= createPythonParser({
    runtime: module('web-tree-sitter/web-tree-sitter.wasm'),
    grammar: module('tree-sitter-python/tree-sitter-python.wasm'),
  });
  return parser;
}

/** Every `unknown` node below one. */
export function unknownNodes(node: unknown): number {
  let count = 0;
  const waiting: unknown[] = [node];
  for (let next = waiting.pop(); waiting.length > 0 || next !== undefined; next = waiting.pop()) {
    if (Array.isArray(next)) for (const item of next) waiting.push(item);
    else if (typeof next === 'object' && next !== null) {
      if ('kind' in next && next.kind === 'unknown') count++;
      waiting.push(...Object.values(next));
    }
    if (waiting.length === 0) break;
  }
  return count;
}
