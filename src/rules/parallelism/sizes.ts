import type { ConfigReading, Field, Parallelism, TransformerDesign } from '../../design/design.ts';
import { normaliseName } from '../../design/section.ts';
import { isMapping, type MappingNode } from '../../syntax/node.ts';
import type { TextEdit } from '../../text/edit.ts';
import type { Range } from '../../text/range.ts';
import type { RuleSettings } from '../rule.ts';
import { divisorsNear, setValue } from '../suggest.ts';

/** A size over which a run splits the model. */
export interface SplitSize {
  readonly value: number;
  /** Where the file says it; absent when settings do. */
  readonly range?: Range;
  readonly keyRange?: Range;
  /** As written, or the setting's name. */
  readonly key: string;
  readonly field?: Field<number>;
}

export type Stack = 'megatron' | 'torchtitan' | 'vllm' | 'gpt-neox' | 'neuron';

export type SplitKind = keyof Parallelism;

/** The file's size, else the settings'; undefined where nothing is split. */
export function splitSize(reading: ConfigReading, settings: RuleSettings, kind: SplitKind): SplitSize | undefined {
  const field = reading.parallelism[kind];
  if (field !== undefined) {
    // DeepSeek's published configs carry an `ep_size` of their own that no run reads.
    if (field.key === 'ep_size' && reading.root.has('architectures')) return undefined;
    return field.value > 1
      ? { value: field.value, range: field.range, keyRange: field.keyRange, key: field.key ?? kind, field }
      : undefined;
  }
  const value = settings.parallel[kind];
  return value !== undefined && Number.isInteger(value) && value > 1 ? { value, key: `headwise.parallel.${kind}` } : undefined;
}

/** Which training or serving code the sizes are for, where that is sure; their rules for uneven splits differ. */
export function stackOf(reading: ConfigReading, settings: RuleSettings): Stack | undefined {
  if (reading.dialect === 'gpt-neox') return 'gpt-neox';
  // NeuronX Distributed uses Megatron's names, splits layers unevenly and replicates KV heads itself.
  if (reading.root.child('distributed_strategy') !== undefined) return 'neuron';
  if (reading.dialect === 'megatron-arguments' || reading.dialect === 'nemo') return 'megatron';
  const keys = (['tensor', 'pipeline', 'context', 'expert'] as const).map((kind) => reading.parallelism[kind]?.key ?? '');
  if (keys.some((key) => /model[_-]parallel[_-]size$/.test(key) && key !== 'model_parallel_size')) return 'megatron';
  if (reading.format === 'toml' && keys.some((key) => /_parallel_degree$/.test(key))) return 'torchtitan';
  return settings.parallel.stack;
}

/** The stacks that a run splits: the main one and its kind, not the towers beside it. */
export function isSplit(design: TransformerDesign, reading: ConfigReading): boolean {
  const [main] = reading.designs;
  if (design === main) return true;
  const model = (role: string): boolean => role === 'decoder' || role === 'encoder' || role === 'text';
  return main !== undefined && model(main.role) && design.role === 'text';
}

/** Place of a finding: the size where the file says it, else the number that it must divide. */
export const placeOf = (size: SplitSize, field: Field<unknown>): Range | undefined => size.range ?? field.range;

/** Related information that points at the other number. */
export const otherNumber = (size: SplitSize, field: Field<unknown>, what: string) => [
  { range: size.range === undefined ? undefined : (field.keyRange ?? field.range), message: what },
];

/** Whether heads, KV heads and FFN of the stack all split over `tensor` ranks in every training and serving code. */
export function splitsEvenly(design: TransformerDesign, tensor: number): boolean {
  const { queryHeads, keyValueHeads, intermediateSize, ropeHeadDim, experts } = design.fields;
  if (queryHeads !== undefined && queryHeads.value % tensor !== 0) return false;
  if (keyValueHeads !== undefined && ropeHeadDim === undefined && keyValueHeads.value % tensor !== 0 && tensor % keyValueHeads.value !== 0)
    return false;
  return experts !== undefined || intermediateSize === undefined || intermediateSize.value % tensor === 0;
}

/** Smaller sizes for the same split that work: those that divide it first, since they fit the same machines; then the nearest. */
export function smallerSizes(
  size: SplitSize,
  whole: number,
  works: (size: number) => boolean,
): { readonly title: string; readonly safe: boolean; readonly edits: readonly TextEdit[] }[] {
  const { field } = size;
  if (field === undefined) return [];
  const candidates = divisorsNear(whole, size.value, 40).filter((value) => value < size.value && works(value));
  const sameMachines = (value: number): boolean => size.value % value === 0;
  return [...candidates.filter(sameMachines), ...candidates.filter((value) => !sameMachines(value))]
    .slice(0, 2)
    .map((value) => ({ title: `Use ${size.key} ${value}`, safe: false, edits: setValue(field, value) }));
}

/** Whether a key is written anywhere in the file, at any depth; O(entries). */
export function isWritten(mapping: MappingNode, names: readonly string[], depth = 0): boolean {
  if (depth > 12) return false;
  return mapping.entries.some(
    (entry) =>
      names.includes(normaliseName(entry.key)) ||
      (isMapping(entry.value) && entry.merged !== true && isWritten(entry.value, names, depth + 1)),
  );
}
