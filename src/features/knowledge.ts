import type { ConfigReading, FieldName, TransformerDesign } from '../design/design.ts';
import { fieldInfo } from './fieldInfo.ts';
import { fieldsOf } from './locate.ts';

/** A key that the stack's family reads. */
export interface KeyKnowledge {
  readonly key: string;
  /** The quantity it sets, where it sets one. */
  readonly concept?: FieldName;
  /** Value that holds where the key is absent. */
  readonly default?: string | number | boolean | null;
  /** Class or library whose default it is. */
  readonly origin?: string;
  readonly doc?: string;
  /** Accepted values, where they can be listed. */
  readonly values?: readonly string[];
}

/** Keys that may be written in this stack's mapping, those that set a quantity first. */
export function keysOf(_reading: ConfigReading, design: TransformerDesign): readonly KeyKnowledge[] {
  const keys = new Map<string, KeyKnowledge>();
  for (const [name, field] of fieldsOf(design)) {
    if (field.key === undefined || field.key.includes('.')) continue;
    const value = field.value;
    const simple = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
    keys.set(field.key, {
      key: field.key,
      concept: name,
      default: field.source === 'default' && simple ? value : undefined,
      origin: field.origin,
      values: fieldInfo[name].values,
    });
  }
  return [...keys.values()];
}
