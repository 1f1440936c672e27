import type { Field, TransformerDesign } from '../../design/design.ts';
import { numberOf } from '../../design/section.ts';
import { type ConfigNode, isScalar, isSequence } from '../../syntax/node.ts';
import { editDistance } from '../../text/nearest.ts';
import { defineRule } from '../rule.ts';
import { isFirstOfMapping } from './rope.ts';

/** transformers/configuration_utils.py, ALLOWED_ATTN_LAYER_TYPES and the older names it still takes. */
const attentionTypes = [
  'full_attention',
  'sliding_attention',
  'chunked_attention',
  'window_attention',
  'indexed_attention',
  'compressed_sparse_attention',
  'heavily_compressed_attention',
  'minimax_m3_sparse',
  'conv',
  'moe',
  'hybrid',
  'hybrid_sliding',
  'linear_attention',
  'mamba',
  'attention',
  'deepseek_sparse_attention',
  'qwen_sparse_attention',
];
const feedForwardTypes = ['sparse', 'dense'];

/** Families that write their own kinds of layers under this key and check them themselves. */
const ownTypes = /deepseek_v4|nemotron_h|neomme|resnet/;

/** Lists with one entry per layer, read by layer index, in the library and in code beside it. */
const perLayer = ['layer_types', 'mlp_layer_types', 'no_rope_layers', 'layers_block_type', 'num_key_value_heads_per_layer'];

export const layerTypes = defineRule({
  code: 'HW412',
  name: 'layer-list-length',
  category: 'positions',
  severity: 'error',
  since: '0.1.0',
  docs: {
    what: 'A list that says something of each layer has another length than there are layers, or names a kind of layer that does not exist.',
    why: 'The list is read by layer index. Loaders compare the two lengths and refuse, or fail with an index error at the first layer that the list does not reach. It is what remains when layers were cut from a larger model.',
    bad: [
      {
        language: 'json',
        code: '{"model_type": "qwen3", "hidden_size": 1024, "num_attention_heads": 16, "num_key_value_heads": 8, "num_hidden_layers": 4, "layer_types": ["full_attention", "full_attention", "sliding_attention"]}',
      },
      {
        language: 'json',
        code: '{"model_type": "qwen3", "hidden_size": 1024, "num_attention_heads": 16, "num_key_value_heads": 8, "num_hidden_layers": 2, "layer_types": ["full_attention", "slidding_attention"]}',
      },
    ],
    good: [
      {
        language: 'json',
        code: '{"model_type": "qwen3", "hidden_size": 1024, "num_attention_heads": 16, "num_key_value_heads": 8, "num_hidden_layers": 3, "layer_types": ["full_attention", "full_attention", "sliding_attention"]}',
      },
    ],
    references: ['https://github.com/huggingface/transformers/blob/main/src/transformers/configuration_utils.py'],
  },
  messages: {
    length: '{key} lists {count} layers, but there are {layers}.',
    pattern: '{key} expands to {count} layers, but there are {layers}.',
    near: 'No kind of layer is called "{type}". Did you mean "{near}"?',
  },
  checkDesign(design, { reading, report }) {
    if (!isFirstOfMapping(design, reading) || design.knowledge === undefined) return;
    const library = !design.custom;
    const layers = layersOf(design);
    for (const key of perLayer) {
      const found = design.section.lookup(key);
      if (found.state !== 'value' || !isSequence(found.node) || !design.knowledge.fields.has(key)) continue;
      const { items } = found.node;
      const fixed = key === 'layer_types' || key === 'mlp_layer_types';
      // A list that is indexed may be longer than it need be; one that is compared may not.
      if (layers !== undefined && items.length > 0 && (fixed ? items.length !== layers.value : items.length < layers.value))
        report({
          at: found.entry.keyRange,
          message: 'length',
          data: { key, count: items.length, layers: layers.value },
          severity: library ? 'error' : 'warning',
          related: [{ range: layers.keyRange, message: `The ${layers.value} layers are set here.` }],
          fixes:
            layers.range === undefined || layers.source !== 'written'
              ? []
              : [{ title: `Use ${items.length} layers`, safe: false, edits: [{ range: layers.range, newText: String(items.length) }] }],
        });
      if (!fixed || !library || ownTypes.test(design.family ?? '')) continue;
      const known = key === 'layer_types' ? attentionTypes : feedForwardTypes;
      const wrong = items.find((item) => isScalar(item) && typeof item.value === 'string' && !known.includes(item.value));
      if (wrong === undefined || !isScalar(wrong)) continue;
      const typed = String(wrong.value);
      const near = known.find((name) => editDistance(typed.toLowerCase(), name, 2) <= (typed.length < 12 ? 1 : 2));
      // A kind of layer that a later version of the library may know is no reason; a misspelling is.
      if (near === undefined) continue;
      report({
        at: wrong.range,
        message: 'near',
        data: { type: typed, near },
        fixes: [
          {
            title: `Use "${near}"`,
            safe: false,
            edits: items
              .filter((item) => isScalar(item) && item.value === wrong.value)
              .map((item) => ({ range: item.range, newText: isScalar(item) && item.quoted ? `"${near}"` : near })),
          },
        ],
      });
    }
    const attention = design.section.lookup('attention_types');
    if (design.family === 'gpt_neo' && attention.state === 'value' && layers !== undefined) {
      const count = expandedLength(attention.node);
      if (count !== undefined && count !== layers.value)
        report({
          at: attention.entry.keyRange,
          message: 'pattern',
          data: { key: 'attention_types', count, layers: layers.value },
          related: [{ range: layers.keyRange, message: `The ${layers.value} layers are set here.` }],
          fixes:
            layers.range === undefined || layers.source !== 'written'
              ? []
              : [{ title: `Use ${count} layers`, safe: false, edits: [{ range: layers.range, newText: String(count) }] }],
        });
    }
  },
});

/** The layer count of a stack that has only one; encoder and decoder in one mapping have two. */
const layersOf = (design: TransformerDesign): Field<number> | undefined =>
  design.knowledge?.keys.layers === undefined ? undefined : design.fields.layers;

/** GPT-Neo: `[[["global", "local"], 12]]` is 24 layers (configuration_gpt_neo.py, expand_attention_types_params). */
function expandedLength(node: ConfigNode): number | undefined {
  if (!isSequence(node)) return undefined;
  let total = 0;
  for (const item of node.items) {
    if (!isSequence(item)) return undefined;
    const [pattern, times] = item.items;
    if (pattern === undefined || times === undefined || !isSequence(pattern)) return undefined;
    const count = numberOf(times);
    if (count === undefined) return undefined;
    total += pattern.items.length * count;
  }
  return total;
}
