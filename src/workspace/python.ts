import { readPythonConfigs } from '../design/python/configs.ts';
import type { ParsedConfig } from '../syntax/node.ts';
import type { PythonDocument, PythonParser } from '../syntax/python/parse.ts';

/** Reads Python code for configurations; never throws. Texts of one `path` are taken for versions of one file. */
export type PythonReader = (text: string, path: string) => ParsedConfig;

/** `keep` files' trees are kept, so that the next version of one of them costs less; 0 where each file is read once. */
export function pythonReader(parser: PythonParser, keep = 0): PythonReader {
  /** Least recently read first. */
  const open = new Map<string, PythonDocument>();
  const parse = (text: string, path: string): PythonDocument['module'] => {
    if (keep === 0) return parser.parse(text);
    const known = open.get(path);
    open.delete(path);
    const document = known === undefined ? parser.open(text) : known.update(text);
    open.set(path, document);
    for (const [oldest, spent] of open) {
      if (open.size <= keep) break;
      spent.dispose();
      open.delete(oldest);
    }
    return document.module;
  };
  return (text, path) => {
    try {
      return readPythonConfigs(parse(text, path));
    } catch {
      // A parser that ran out of memory, say: the next file may fit again.
      return { format: 'python', text, root: undefined, problems: [], comments: [] };
    }
  };
}
