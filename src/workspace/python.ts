import { readPythonConfigs } from '../design/python/configs.ts';
import type { ParsedConfig } from '../syntax/node.ts';
import type { PythonParser } from '../syntax/python/parse.ts';

/** Reads Python code for configurations; never throws. */
export type PythonReader = (text: string) => ParsedConfig;

export const pythonReader =
  (parser: PythonParser): PythonReader =>
  (text) =>
    readPythonConfigs(parser.parse(text));
