import { readPythonConfigs } from '../design/python/configs.ts';
import type { ParsedConfig } from '../syntax/node.ts';
import type { PythonParser } from '../syntax/python/parse.ts';

/** Reads Python code for configurations; never throws. */
export type PythonReader = (text: string) => ParsedConfig;

export const pythonReader =
  (parser: PythonParser): PythonReader =>
  (text) => {
    try {
      return readPythonConfigs(parser.parse(text));
    } catch {
      // A parser that ran out of memory, say: the next file may fit again.
      return { format: 'python', text, root: undefined, problems: [], comments: [] };
    }
  };
