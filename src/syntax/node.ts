import type { Range } from '../text/range.ts';
import type { LogicalLine } from './python/logicalLines.ts';

/**
 * One tree for every config format: what a tolerant reader could make of the text, each node with its range.
 * Readers never throw; what they could not read is in `problems`.
 */
export type ConfigNode = MappingNode | SequenceNode | ScalarNode;

export interface MappingNode {
  readonly kind: 'mapping';
  readonly range: Range;
  /** In source order, duplicates kept. */
  readonly entries: readonly EntryNode[];
  /** Python: full name of the class or function that takes these values, `torch.nn.MultiheadAttention`. */
  readonly className?: string;
  /** Python: the Transformers model type whose own configuration class takes these values; what is not given has its default. */
  readonly modelType?: string;
  /** Python: what is not seen may add entries (an unknown base class, `**` of something unknown), so that an absent key says nothing. */
  readonly partial?: boolean;
}

export interface EntryNode {
  /** Decoded key. For command-line arguments the option without its dashes (`num-layers`); for gin the parameter. */
  readonly key: string;
  /** Range of the key as written, quotes excluded. */
  readonly keyRange: Range;
  /** Key through value. */
  readonly range: Range;
  /** Absent while the value is still to be typed. */
  readonly value: ConfigNode | undefined;
  /** True where a merge (`<<: *defaults`) or an alias brought the entry here; it has no text of its own in this mapping. */
  readonly merged?: boolean;
}

export interface SequenceNode {
  readonly kind: 'sequence';
  readonly range: Range;
  readonly items: readonly ConfigNode[];
}

export type ScalarValue = string | number | boolean | null;

export interface ScalarNode {
  readonly kind: 'scalar';
  readonly range: Range;
  /** Numbers keep JavaScript's value: `1e999` is Infinity, `NaN` is NaN. An interpolation `${...}` that resolves inside the file holds the resolved value. */
  readonly value: ScalarValue;
  /** The text as written, quotes included. */
  readonly raw: string;
  /** True for `"12"`; false for `12`. */
  readonly quoted: boolean;
  /** Where the value really is when this scalar is an interpolation or alias of another. */
  readonly origin?: Range;
  /** True for an interpolation that cannot be resolved in this file: the value is unknown, not the string. */
  readonly unresolved?: boolean;
}

export type ConfigFormat = 'json' | 'yaml' | 'toml' | 'shell' | 'gin' | 'python';

export interface SyntaxProblem {
  readonly range: Range;
  readonly message: string;
}

export interface Comment {
  /** Range of the whole comment, its marker included. */
  readonly range: Range;
  /** Text after the marker, not trimmed. */
  readonly text: string;
}

export interface ParsedConfig {
  readonly format: ConfigFormat;
  readonly text: string;
  readonly root: ConfigNode | undefined;
  readonly problems: readonly SyntaxProblem[];
  readonly comments: readonly Comment[];
  /** Python: what stands on several lines. Worked out when it is asked for. */
  readonly logicalLines?: () => readonly LogicalLine[];
}

export const isMapping = (node: ConfigNode | undefined): node is MappingNode => node?.kind === 'mapping';
export const isSequence = (node: ConfigNode | undefined): node is SequenceNode => node?.kind === 'sequence';
export const isScalar = (node: ConfigNode | undefined): node is ScalarNode => node?.kind === 'scalar';

/** The entry that a loader would use: the last one of that name. */
export function entryOf(mapping: MappingNode, key: string): EntryNode | undefined {
  for (let i = mapping.entries.length - 1; i >= 0; i--) {
    const entry = mapping.entries[i];
    if (entry?.key === key) return entry;
  }
  return undefined;
}
