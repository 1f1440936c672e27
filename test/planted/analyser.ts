import type { Finding } from '../../src/text/finding.ts';
import { analyse } from '../../src/workspace/analyse.ts';
import { pythonReader } from '../../src/workspace/python.ts';
import { defaultSettings } from '../../src/workspace/settings.ts';
import { pythonParser } from '../unit/python/parser.ts';

/** What the analyser says of one Python file by itself, as the command line would with default settings. */
export type AnalyseCode = (text: string, path: string) => readonly Finding[];

export async function openAnalyser(): Promise<AnalyseCode> {
  const python = pythonReader(await pythonParser());
  return (text, path) => analyse({ text, path, python }, defaultSettings).findings;
}
