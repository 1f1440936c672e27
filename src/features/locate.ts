import type { ConfigReading, DesignFields, Field, FieldName, TransformerDesign } from '../design/design.ts';
import { locate as locateNode } from '../syntax/locate.ts';
import { type ConfigNode, type EntryNode, isMapping, type MappingNode } from '../syntax/node.ts';
import { covers, type Range } from '../text/range.ts';

/** The key and value under an offset, with the mappings that lead to it, outermost first. */
export interface Location {
  readonly entry: EntryNode;
  readonly mappings: readonly MappingNode[];
  /** Dotted keys from the root, the entry's own last. */
  readonly path: readonly string[];
}

/** The innermost entry at an offset; undefined outside every entry. O(entries on the way). */
export function locate(root: ConfigNode | undefined, offset: number): Location | undefined {
  const steps = locateNode(root, offset).path.filter((step) => step.kind === 'entry');
  const last = steps.at(-1);
  if (last === undefined) return undefined;
  return { entry: last.entry, mappings: steps.map(({ mapping }) => mapping), path: steps.map(({ entry }) => entry.key) };
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
