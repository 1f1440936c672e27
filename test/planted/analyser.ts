import type { Finding } from '../../src/text/finding.ts';
import { analyse } from '../../src/workspace/analyse.ts';
import { folderLoaders } from '../../src/workspace/code/node.ts';
import { pythonReader } from '../../src/workspace/python.ts';
import { defaultSettings } from '../../src/workspace/settings.ts';
import { pythonParser } from '../unit/python/parser.ts';

/** What the analyser says of one Python file by itself, as the command line would with default settings. */
export type AnalyseCode = (text: string, path: string) => readonly Finding[];

export async function openAnalyser(): Promise<AnalyseCode> {
  const python = pythonReader(await pythonParser());
  return (text, path) => analyse({ text, path, python }, defaultSettings).findings;
}

/** The same for files in packages on disk: `path` is absolute, and what the file imports beside it is read too, as the command line does. */
export async function openPackageAnalyser(): Promise<AnalyseCode> {
  const python = pythonReader(await pythonParser());
  const loaders = folderLoaders(python.parse);
  return (text, path) => {
    const loader = loaders.of(path);
    const imports = { name: loader.nameOf(path), loader };
    return analyse({ text, path, python, imports }, defaultSettings).findings;
  };
}
