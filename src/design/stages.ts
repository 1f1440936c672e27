import { type ConfigNode, type EntryNode, isSequence } from '../syntax/node.ts';
import type { Field, TransformerDesign } from './design.ts';
import type { Family } from './families.ts';
import { deriveHeadDim, type Fields, joinPath } from './fields.ts';
import { lexicon } from './lexicon.ts';
import { numberOf, type Section } from './section.ts';

/** Hierarchical vision transformers: lists of depths and heads, one stack per stage. Swin doubles its width per stage (Liu et al. 2021, section 3.1). */
export function readStages(section: Section, family: Family | undefined): TransformerDesign[] {
  const list = (
    ...names: string[]
  ): { readonly values: readonly number[]; readonly entry: EntryNode; readonly nodes: readonly ConfigNode[] } | undefined => {
    for (const name of names) {
      const found = section.lookup(name);
      if (found.state !== 'value' || !isSequence(found.node)) continue;
      const values = found.node.items.map(numberOf);
      if (values.length > 1 && values.every((value): value is number => value !== undefined))
        return { values, entry: found.entry, nodes: found.node.items };
    }
    return undefined;
  };
  const heads = list('num_heads', 'num_attention_heads', 'n_heads', 'heads');
  const depths = list('depths', 'num_layers', 'num_blocks', 'depth', 'layers');
  if (heads === undefined || depths === undefined || heads.values.length !== depths.values.length || heads.values.length > 8) return [];
  // Heads that are given widths of their own split no other width.
  if (['key_dim', 'key_dims', 'qk_dim', 'head_dim', 'head_dims', 'dim_head'].some((name) => section.has(name))) return [];
  const widths = list('hidden_sizes', 'embed_dims', 'hidden_size', 'embed_dim', 'dims');
  const base = section.number('embed_dim');
  // Swin's heads grow with its width; where they stay (Swin2SR) the width stays too.
  const growth = heads.values.map((count) => count / (heads.values[0] ?? 1));
  const grows = growth.every((factor, i) => factor === 2 ** i) || growth.every((factor) => factor === 1);
  const isSwin =
    base !== undefined && grows && (section.has('window_size') || /swin/.test(family?.modelType ?? section.path.toLowerCase()));
  const stages: TransformerDesign[] = [];
  heads.values.forEach((count, i) => {
    const written = (values: readonly number[], entry: EntryNode, nodes: readonly ConfigNode[]): Field<number> | undefined => {
      const value = values[i];
      return value === undefined
        ? undefined
        : { value, source: 'written', range: nodes[i]?.range, keyRange: entry.keyRange, key: entry.key };
    };
    const fields: Fields = {
      queryHeads: written(heads.values, heads.entry, heads.nodes),
      layers: written(depths.values, depths.entry, depths.nodes),
    };
    fields.keyValueHeads = { value: count, source: 'derived', range: fields.queryHeads?.range, formula: 'queryHeads' };
    if (widths !== undefined && widths.values.length === heads.values.length)
      fields.hiddenSize = written(widths.values, widths.entry, widths.nodes);
    else if (isSwin) {
      const entry = section.entry('embed_dim');
      fields.hiddenSize = {
        value: base * (growth[i] ?? 1),
        source: i === 0 ? 'written' : 'derived',
        range: entry?.value?.range,
        keyRange: entry?.keyRange,
        key: entry?.key,
        formula: i === 0 ? undefined : `embed_dim * ${growth[i]}`,
      };
    }
    deriveHeadDim(fields);
    stages.push({
      name: joinPath(section.path, `stage ${i + 1}`),
      role: 'vision',
      family: family?.modelType,
      fields,
      section,
      knowledge: family,
      custom: false,
      // LeViT gives its heads `key_dim` features whatever the width.
      headDimIsQuotient:
        fields.hiddenSize !== undefined && section.mapping.partial !== true && !lexicon.headDim.some((name) => section.has(name)),
    });
  });
  return stages;
}
