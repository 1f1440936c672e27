import type { ConfigReading, TransformerDesign } from '../../design/design.ts';
import { Section } from '../../design/section.ts';
import { type EntryNode, isMapping } from '../../syntax/node.ts';

/** One set of rotary parameters: `rope_scaling` or `rope_parameters`, or one layer type's part of it. */
export interface RopeBlock {
  readonly section: Section;
  /** The entry whose value the block is. */
  readonly entry: EntryNode;
  readonly key: 'rope_scaling' | 'rope_parameters';
  readonly layerType: string | undefined;
}

/** Every rotary block of a stack. A mapping of mappings holds one block per layer type. */
export function ropeBlocks(design: TransformerDesign): RopeBlock[] {
  const blocks: RopeBlock[] = [];
  for (const key of ['rope_scaling', 'rope_parameters'] as const) {
    const entry = design.section.entry(key);
    if (entry === undefined || !isMapping(entry.value)) continue;
    const nested = entry.value.entries.filter((inner) => isMapping(inner.value));
    if (nested.length === 0) {
      blocks.push({ section: new Section(entry.value, key), entry, key, layerType: undefined });
      continue;
    }
    for (const inner of nested)
      if (isMapping(inner.value))
        blocks.push({ section: new Section(inner.value, `${key}.${inner.key}`), entry: inner, key, layerType: inner.key });
  }
  return blocks;
}

/** `su` is Phi-3's first name for longrope, `mrope` is Qwen2-VL's for the default with sections. */
export const canonicalType = (type: string): string => (type === 'su' ? 'longrope' : type === 'mrope' ? 'default' : type);

/** `rope_type`, or `type` as it was called first; undefined where neither is text. */
export const ropeType = (section: Section): string | undefined => section.string('rope_type') ?? section.string('type');

/** Whether the transformers library's own class reads the block, so that its validators hold. */
export const isLibraryRope = (design: TransformerDesign): boolean =>
  design.knowledge !== undefined && !design.custom && design.knowledge.fields.has('rope_parameters');

/** Keys whose presence says that a stack rotates. */
const rotaryKeys = [
  'rope_theta',
  'rope_scaling',
  'rope_parameters',
  'rotary_emb_base',
  'rotary_base',
  'rotary_pct',
  'rotary_percent',
  'rotary_percentage',
  'partial_rotary_factor',
  'rotary_dim',
];

/** Whether the stack surely uses rotary positions. */
export function usesRope(design: TransformerDesign): boolean {
  const positions = design.fields.positions?.value;
  if (positions !== undefined) return positions === 'rope';
  const { section } = design;
  const declared = section.string('position_embedding_type') ?? section.string('pos_emb') ?? section.string('positional_embedding');
  if (declared !== undefined) return /^(rope|rotary)$/.test(declared);
  return rotaryKeys.some((key) => section.lookup(key).state === 'value');
}

/** Two stacks may be read from one mapping; what is said of the mapping itself is said once. */
export const isFirstOfMapping = (design: TransformerDesign, reading: ConfigReading): boolean =>
  reading.designs.find((other) => other.section.mapping === design.section.mapping) === design;

/** Context length before scaling: in the block, or beside it as Phi-3 writes it. */
export const originalLengthKey = 'original_max_position_embeddings';
