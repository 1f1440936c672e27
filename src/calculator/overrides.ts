import type { ConfigReading, FieldName, TransformerDesign } from '../design/design.ts';
import { readDesign } from '../design/read.ts';
import type { QuantityName, Query } from './query.ts';

type ConfigNode = NonNullable<ConfigReading['parsed']['root']>;

/** Quantities that a configuration holds, by the field that a reader makes of them. */
const fieldOf = (name: QuantityName): FieldName | undefined =>
  name === 'sequenceLength' || name === 'sourceLength' || name === 'batch' ? undefined : name;

/**
 * The file as it would be with the query's sizes in it: each written value replaced, or its family's key added. The reader then derives
 * the rest anew. A reason where the file has no place for one of them, so that nothing is counted for a design that nobody wrote.
 */
export function withOverrides(query: Query, reading: ConfigReading): ConfigReading | { readonly reason: string } {
  const [design] = reading.designs;
  if (design === undefined) return reading;
  const values = { ...query.values };
  // Latent attention expands keys and values for every head: their number follows.
  if (design.fields.keyValueLoraRank !== undefined && values.queryHeads !== undefined && design.fields.keyValueHeads?.source === 'written')
    values.keyValueHeads ??= values.queryHeads;
  const changes: { readonly at?: { readonly start: number; readonly end: number }; readonly key?: string; readonly value: number }[] = [];
  for (const [name, assigned] of Object.entries(values)) {
    const field = fieldOf(name as QuantityName);
    if (field === undefined || assigned === undefined) continue;
    const value = Number(assigned.value);
    const known = design.fields[field];
    if (known?.value === value) continue;
    if (!Number.isSafeInteger(value)) return { reason: `${name} of ${assigned.value} fits no configuration.` };
    if (known?.source === 'written' && known.range !== undefined && known.formula === undefined) changes.push({ at: known.range, value });
    else {
      const key = known?.source === 'default' ? known.key : design.knowledge?.keys[field];
      if (key === undefined) return { reason: `The file has no key for ${name}.` };
      changes.push({ key, value });
    }
  }
  if (changes.length === 0) return reading;
  const root = reading.parsed.root;
  if (root === undefined) return reading;
  const changed = readDesign({ ...reading.parsed, root: replaced(root, changes, design) });
  const [made] = changed?.designs ?? [];
  if (changed === undefined || made === undefined) return { reason: 'The file with these sizes is no model configuration.' };
  for (const [name, assigned] of Object.entries(values)) {
    const field = fieldOf(name as QuantityName);
    if (field !== undefined && assigned !== undefined && made.fields[field]?.value !== Number(assigned.value))
      return { reason: `The file's keys do not decide ${name} alone.` };
  }
  return changed;
}

function replaced(
  node: ConfigNode,
  changes: readonly { readonly at?: { readonly start: number; readonly end: number }; readonly key?: string; readonly value: number }[],
  design: TransformerDesign,
): ConfigNode {
  if (node.kind === 'scalar') {
    const change = changes.find(({ at }) => at !== undefined && at.start === node.range.start && at.end === node.range.end);
    return change === undefined
      ? node
      : { kind: 'scalar', range: node.range, value: change.value, raw: String(change.value), quoted: false };
  }
  if (node.kind === 'sequence') return { ...node, items: node.items.map((item) => replaced(item, changes, design)) };
  const added = node === design.section.mapping ? changes.filter(({ key }) => key !== undefined) : [];
  return {
    ...node,
    entries: [
      ...node.entries
        .filter(({ key }) => !added.some((change) => change.key === key))
        .map((entry) => (entry.value === undefined ? entry : { ...entry, value: replaced(entry.value, changes, design) })),
      ...added.map(({ key = '', value }) => ({
        key,
        keyRange: node.range,
        range: node.range,
        value: { kind: 'scalar' as const, range: node.range, value, raw: String(value), quoted: false },
      })),
    ],
  };
}
