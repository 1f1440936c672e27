import type { Field, TransformerDesign } from '../design/design.ts';
import { booleanOf, numberOf, type Section } from '../design/section.ts';
import { isScalar } from '../syntax/node.ts';

function written<T>(section: Section, name: string, read: (node: Parameters<typeof numberOf>[0]) => T | undefined): Field<T> | undefined {
  const found = section.lookup(name);
  if (found.state !== 'value') return undefined;
  const value = read(found.node);
  if (value === undefined) return undefined;
  const range = isScalar(found.node) && found.node.origin !== undefined ? found.node.origin : found.node.range;
  return { value, source: 'written', range, keyRange: found.entry.keyRange, key: found.entry.key };
}

/** The number written under a key; undefined where there is none that can be read. */
export const writtenNumber = (section: Section, name: string): Field<number> | undefined => written(section, name, numberOf);

export const writtenBoolean = (section: Section, name: string): Field<boolean> | undefined => written(section, name, booleanOf);

/** The number under a key, else the default of the class that reads the stack. Undefined when the key is there but not a number. */
export function numberKey(design: TransformerDesign, name: string): Field<number> | undefined {
  const own = writtenNumber(design.section, name);
  if (own !== undefined) return own;
  const value = defaultOf(design, name);
  return typeof value === 'number' ? { value, source: 'default', key: name, origin: design.knowledge?.className } : undefined;
}

export function booleanKey(design: TransformerDesign, name: string): Field<boolean> | undefined {
  const own = writtenBoolean(design.section, name);
  if (own !== undefined) return own;
  const value = defaultOf(design, name);
  return typeof value === 'boolean' ? { value, source: 'default', key: name, origin: design.knowledge?.className } : undefined;
}

const defaultOf = (design: TransformerDesign, name: string): unknown =>
  design.custom || design.section.lookup(name).state !== 'absent' ? undefined : design.knowledge?.fields.get(name);
