import type { CheckpointShapes } from '../checkpoint/safetensors.ts';
import type { ConfigReading } from '../design/design.ts';
import { mentionsHeads } from '../design/python/mention.ts';
import { readDesign } from '../design/read.ts';
import type { IsOver } from '../interpreter/student.ts';
import type { CodeReading } from '../interpreter/study.ts';
import { runCodeRules, runRules } from '../rules/run.ts';
import type { ParsedConfig } from '../syntax/node.ts';
import { formatOf, parseConfig } from '../syntax/read.ts';
import type { Finding } from '../text/finding.ts';
import type { ValuesFile } from './code/given.ts';
import { withOrigins } from './code/origins.ts';
import { familyOf, filterFindings, isExcluded } from './filter.ts';
import type { Imports, PythonReader } from './python.ts';
import type { Settings } from './settings.ts';

export interface AnalysisInput {
  readonly text: string;
  /** Path relative to the workspace root with forward slashes: chooses the format and matches globs, never decides what is a model config. */
  readonly path: string;
  readonly languageId?: string;
  /** Reads Python, once its parser is loaded; without it Python files say nothing. */
  readonly python?: PythonReader;
  /** Finds the files that Python code imports; `name` is the file's own dotted name. */
  readonly imports?: Imports;
  /** The configuration that gives Python code its numbers; asked for only where there is code. */
  readonly values?: () => ValuesFile | undefined;
  /** True once an answer is wanted, be it partial: code that an edit touched and that was not followed again yet waits for the next call. */
  readonly isOver?: IsOver;
  /** Reads the checkpoint beside the file; called only for a model config that holds dimensions. */
  readonly checkpoint?: () => CheckpointShapes | undefined;
}

/** Everything known about one file. `reading` is undefined when the file is not a model config; then there are no findings. */
export interface Analysis {
  readonly parsed: ParsedConfig;
  readonly reading: ConfigReading | undefined;
  /** The model code in the file; undefined where there is none. */
  readonly code: CodeReading | undefined;
  readonly findings: readonly Finding[];
}

/** Code units beyond which Python code is not read for configurations: it is generated. */
const maximumPythonLength = 2_000_000;

/** Whether a file needs the Python parser: it is Python, and mentions a number of heads. O(length). */
export const needsPython = (input: Pick<AnalysisInput, 'text' | 'path' | 'languageId'>): boolean =>
  isPython(input) && input.text.length <= maximumPythonLength && (mentionsHeads(input.text) || mentionsModules(input.text));

/** Whether Python code defines a module of a library for neural networks, a function that attends, or a causal mask. O(length). */
const mentionsModules = (text: string): boolean =>
  (/^(?:def|class)\s+\w*(?:causal|triangular|subsequent|look_?ahead|future)/im.test(text) &&
    /\btri[ul]_?\(|\barange\(/.test(text) &&
    /^(?:import|from) torch\b/m.test(text)) ||
  (/\bdef (?:forward|__call__|call|setup)\s*\(/.test(text) && /\bclass\s+\w+\s*\(/.test(text)) ||
  ((/\bscaled_dot_product_attention\s*\(/.test(text) || (/\bsoftmax\s*\(/.test(text) && /matmul|bmm|einsum|\s@\s/.test(text))) &&
    /^def /m.test(text) &&
    /^(?:import|from) torch\b/m.test(text));

const isPython = ({ text, path, languageId }: Pick<AnalysisInput, 'text' | 'path' | 'languageId'>): boolean =>
  formatOf(text, { path, languageId }) === 'python';

/** Never throws; O(size of the text). */
export function analyse(input: AnalysisInput, settings: Settings): Analysis {
  if (isExcluded(input.path, settings)) return notRead(input);
  const isPythonRead = needsPython(input);
  const parsed = input.python !== undefined && isPythonRead ? input.python.config(input.text, input.path) : parseConfig(input.text, input);
  const read = readDesign(parsed, { family: familyOf(input.path, settings) });
  const checkpoint = read !== undefined && read.designs.length > 0 ? input.checkpoint?.() : undefined;
  const reading = read === undefined || checkpoint === undefined ? read : { ...read, checkpoint };
  const isCode = isPythonRead && mentionsModules(input.text);
  const code = isCode ? input.python?.code(input.text, input.path, input.imports, input.values?.(), input.isOver) : undefined;
  const found = [
    ...(reading === undefined ? [] : runRules(reading, settings)),
    ...(code === undefined ? [] : withOrigins(runCodeRules(code, settings), code, input.imports)),
  ];
  const findings = reading === undefined && code === undefined ? [] : filterFindings(found, parsed, input.path, settings);
  return { parsed, reading, code, findings };
}

const notRead = (input: AnalysisInput): Analysis => ({
  parsed: { format: formatOf(input.text, input), text: input.text, root: undefined, problems: [], comments: [] },
  reading: undefined,
  code: undefined,
  findings: [],
});
