import type { CheckpointShapes } from '../checkpoint/safetensors.ts';
import type { ConfigReading } from '../design/design.ts';
import { readDesign } from '../design/read.ts';
import { runRules } from '../rules/run.ts';
import type { ParsedConfig } from '../syntax/node.ts';
import { formatOf, parseConfig } from '../syntax/read.ts';
import type { Finding } from '../text/finding.ts';
import { familyOf, filterFindings, isExcluded } from './filter.ts';
import type { Settings } from './settings.ts';

export interface AnalysisInput {
  readonly text: string;
  /** Path relative to the workspace root with forward slashes: chooses the format and matches globs, never decides what is a model config. */
  readonly path: string;
  readonly languageId?: string;
  /** Reads the checkpoint beside the file; called only for a model config that holds dimensions. */
  readonly checkpoint?: () => CheckpointShapes | undefined;
}

/** Everything known about one file. `reading` is undefined when the file is not a model config; then there are no findings. */
export interface Analysis {
  readonly parsed: ParsedConfig;
  readonly reading: ConfigReading | undefined;
  readonly findings: readonly Finding[];
}

/** Never throws; O(size of the text). */
export function analyse(input: AnalysisInput, settings: Settings): Analysis {
  if (isExcluded(input.path, settings)) return notRead(input);
  const parsed = parseConfig(input.text, input);
  const read = readDesign(parsed, { family: familyOf(input.path, settings) });
  const checkpoint = read !== undefined && read.designs.length > 0 ? input.checkpoint?.() : undefined;
  const reading = read === undefined || checkpoint === undefined ? read : { ...read, checkpoint };
  const findings = reading === undefined ? [] : filterFindings(runRules(reading, settings), parsed, input.path, settings);
  return { parsed, reading, findings };
}

const notRead = (input: AnalysisInput): Analysis => ({
  parsed: { format: formatOf(input.text, input), text: input.text, root: undefined, problems: [], comments: [] },
  reading: undefined,
  findings: [],
});
