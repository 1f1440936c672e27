import type { ConfigReading, FieldName, TransformerDesign } from '../design/design.ts';
import { readDesign } from '../design/read.ts';
import { runRules } from '../rules/run.ts';
import type { ConfigNode, EntryNode, MappingNode, ParsedConfig, ScalarNode } from '../syntax/node.ts';
import { parseConfig } from '../syntax/read.ts';
import type { Finding } from '../text/finding.ts';
import type { Range } from '../text/range.ts';
import { familyOf, filterFindings } from '../workspace/filter.ts';
import type { Settings } from '../workspace/settings.ts';

/** Sizes by the names of the design's fields. */
export type Sizes = Readonly<Partial<Record<FieldName, number>>>;

/** Keys of Transformers, for sizes that the file does not write. */
const usualKeys: Readonly<Partial<Record<FieldName, string>>> = {
  hiddenSize: 'hidden_size',
  queryHeads: 'num_attention_heads',
  keyValueHeads: 'num_key_value_heads',
  headDim: 'head_dim',
  valueDim: 'v_head_dim',
  queryLoraRank: 'q_lora_rank',
  keyValueLoraRank: 'kv_lora_rank',
  nopeHeadDim: 'qk_nope_head_dim',
  ropeHeadDim: 'qk_rope_head_dim',
};

/**
 * What the rules would say of a file if one of its designs had other sizes: messages of errors and warnings that they do not give of it
 * as it is. Every rule about configurations runs, on the whole file.
 *
 * @param base one of the reading's designs
 */
export function findingsOfSizes(reading: ConfigReading, base: TransformerDesign, sizes: Sizes, path: string, settings: Settings): string[] {
  const { parsed } = reading;
  if (parsed.root === undefined) return [];
  // What is added stands behind the text, each entry at a place of its own.
  let next = parsed.text.length + 1;
  const place = (): Range => ({ start: next++, end: next++ });
  const values = new Map<ConfigNode, ScalarNode>();
  const added: EntryNode[] = [];
  for (const [name, value] of Object.entries(sizes) as [FieldName, number][]) {
    const field = base.fields[name];
    const key = field?.key ?? usualKeys[name];
    const written = field?.source === 'written' ? field.range : undefined;
    const found = written === undefined ? undefined : scalarAt(parsed.root, written);
    if (found !== undefined) values.set(found, { ...found, value, raw: String(value), quoted: false });
    else if (key !== undefined && !base.section.has(key)) {
      const range = place();
      added.push({ key, keyRange: place(), range, value: { kind: 'scalar', range, value, raw: String(value), quoted: false } });
    }
  }
  const target = base.section.affix === '' ? base.section.mapping : undefined;
  const root = replaced(parsed.root, values, target, added);
  const changed: ParsedConfig = { ...parsed, root };
  const read = readDesign(changed, { family: familyOf(path, settings) });
  if (read === undefined) return [];
  const other = reading.checkpoint === undefined ? read : { ...read, checkpoint: reading.checkpoint };
  const before = new Set(judged(runRules(reading, settings), parsed, path, settings).map(({ message }) => message));
  // A key that the page added is no one's mistake.
  const keys = new Set(added.map(({ keyRange }) => keyRange.start));
  const found = judged(runRules(other, settings), changed, path, settings).filter(({ range }) => !keys.has(range.start));
  return [...new Set(found.map(({ message }) => message))].filter((message) => !before.has(message));
}

/** What the rules say of sizes alone, or of those of a design that no file writes. */
export function findingsOfSizesAlone(base: TransformerDesign | undefined, sizes: Sizes, settings: Settings): string[] {
  const values: Record<string, number> = {};
  for (const [name, key] of Object.entries(usualKeys) as [FieldName, string][]) {
    const value = sizes[name] ?? base?.fields[name]?.value;
    if (typeof value === 'number') values[key] = value;
  }
  const { num_attention_heads: heads, head_dim: headDim } = values;
  if (values.hidden_size === undefined && heads !== undefined && headDim !== undefined) values.hidden_size = heads * headDim;
  const text = JSON.stringify(values);
  const parsed = parseConfig(text, { path: 'config.json' });
  const reading = readDesign(parsed, {});
  return reading === undefined
    ? []
    : [...new Set(judged(runRules(reading, settings), parsed, 'config.json', settings).map(({ message }) => message))];
}

const judged = (findings: readonly Finding[], parsed: ParsedConfig, path: string, settings: Settings): Finding[] =>
  filterFindings(findings, parsed, path, settings).filter(({ severity }) => severity === 'error' || severity === 'warning');

/** The scalar that stands exactly here. */
function scalarAt(node: ConfigNode, range: Range): ScalarNode | undefined {
  if (node.kind === 'scalar') return node.range.start === range.start && node.range.end === range.end ? node : undefined;
  const children = node.kind === 'sequence' ? node.items : node.entries.map(({ value }) => value);
  for (const child of children) {
    const found = child === undefined ? undefined : scalarAt(child, range);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The tree with other scalars, and with entries added to one of its mappings. */
function replaced<Node extends ConfigNode>(
  node: Node,
  values: ReadonlyMap<ConfigNode, ScalarNode>,
  target: MappingNode | undefined,
  added: readonly EntryNode[],
): ConfigNode {
  if (node.kind === 'scalar') return values.get(node) ?? node;
  if (node.kind === 'sequence') return { ...node, items: node.items.map((item) => replaced(item, values, target, added)) };
  const entries = node.entries.map((entry) =>
    entry.value === undefined ? entry : { ...entry, value: replaced(entry.value, values, target, added) },
  );
  return { ...node, entries: node === (target as ConfigNode | undefined) ? [...entries, ...added] : entries };
}
