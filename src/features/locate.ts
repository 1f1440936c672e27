import type { ConfigReading, DesignFields, Field, FieldName, TransformerDesign } from '../design/design.ts';
import { type ConfigNode, type EntryNode, isMapping, type MappingNode } from '../syntax/node.ts';
import { contains, covers, type Range } from '../text/range.ts';

/** The key and value under an offset, with the mappings that lead to it, outermost first. */
export interface Location {
  readonly entry: EntryNode;
  readonly mappings: readonly MappingNode[];
  /** Dotted keys from the root, the entry's own last. */
  readonly path: readonly string[];
}

/** The innermost entry at an offset; undefined between entries. O(entries on the way). */
export function locate(root: ConfigNode | undefined, offset: number): Location | undefined {
  const mappings: MappingNode[] = [];
  const path: string[] = [];
  let found: Location | undefined;
  let node = root;
  for (let depth = 0; node !== undefined && depth < 400; depth++) {
    if (node.kind === 'sequence') {
      node = node.items.find((item) => contains(item.range, offset));
      continue;
    }
    if (!isMapping(node)) break;
    mappings.push(node);
    const entry: EntryNode | undefined = node.entries.find((candidate) => candidate.merged !== true && contains(candidate.range, offset));
    if (entry === undefined) break;
    path.push(entry.key);
    found = { entry, mappings: [...mappings], path: [...path] };
    node = entry.value !== undefined && contains(entry.value.range, offset) ? entry.value : undefined;
  }
  return found;
}

export interface OwnedField {
  readonly design: TransformerDesign;
  readonly name: FieldName;
  readonly field: Field<unknown>;
}

/** Every field of a design, known ones only, in the order of the interface's reader. */
export function* fieldsOf(design: TransformerDesign): Generator<readonly [FieldName, Field<unknown>]> {
  for (const [name, field] of Object.entries(design.fields) as [FieldName, DesignFields[FieldName] | undefined][])
    if (field !== undefined) yield [name, field];
}

/** Fields that this entry writes: usually one, several where stacks share a key or a key sets two quantities. */
export function fieldsWrittenAt(reading: ConfigReading, entry: EntryNode): OwnedField[] {
  const owned: OwnedField[] = [];
  for (const design of reading.designs)
    for (const [name, field] of fieldsOf(design))
      if (field.source === 'written' && sameRange(field.keyRange, entry.keyRange)) owned.push({ design, name, field });
  return owned;
}

export const sameRange = (a: Range | undefined, b: Range | undefined): boolean =>
  a !== undefined && b !== undefined && a.start === b.start && a.end === b.end;

/** The entry whose mapping a stack is read from (`text_config`); undefined for a stack at the top of the file. */
export function entryOfDesign(root: ConfigNode | undefined, design: TransformerDesign): EntryNode | undefined {
  const wanted = design.section.mapping;
  let node = root;
  let entry: EntryNode | undefined;
  for (let depth = 0; node !== undefined && node !== wanted && depth < 400; depth++) {
    const inner: readonly EntryNode[] = isMapping(node) ? node.entries : [];
    const next = inner.find(({ value }) => value !== undefined && covers(value.range, wanted.range));
    if (next === undefined) return undefined;
    entry = next;
    node = next.value;
  }
  return node === wanted ? entry : undefined;
}

/** The stack that is read from a mapping; where several share it, the first. */
export const designAround = (reading: ConfigReading, mapping: MappingNode): TransformerDesign | undefined =>
  reading.designs.find((design) => design.section.mapping === mapping);
