import { numberOf } from '../../design/section.ts';
import { isSequence } from '../../syntax/node.ts';
import { defineRule } from '../rule.ts';
import { isFirstOfMapping } from './rope.ts';

/** Lists of layer indices, counted from 0. */
const indexLists = [
  'attn_layer_indices',
  'full_attn_idxs',
  'mlp_only_layers',
  'cross_attention_layers',
  'fullatt_block_indexes',
  'deepstack_visual_indexes',
  'hybrid_layer_ids',
  'global_attn_indexes',
];

export const layerIndexOutOfRange = defineRule({
  code: 'HW413',
  name: 'layer-index-out-of-range',
  category: 'positions',
  severity: 'warning',
  since: '0.1.0',
  docs: {
    what: 'A list of layers names one that does not exist.',
    why: 'Layers are counted from 0, so the last one is the number of layers minus 1. Code asks whether its own index is in the list: one beyond the last layer is never found, and the layer it was meant for stays an ordinary one without a word.',
    bad: [
      {
        language: 'json',
        code: '{"model_type": "bamba", "hidden_size": 1024, "num_attention_heads": 16, "num_hidden_layers": 12, "attn_layer_indices": [3, 7, 12]}',
      },
    ],
    good: [
      {
        language: 'json',
        code: '{"model_type": "bamba", "hidden_size": 1024, "num_attention_heads": 16, "num_hidden_layers": 12, "attn_layer_indices": [3, 7, 11]}',
      },
    ],
    references: ['https://github.com/huggingface/transformers/blob/main/src/transformers/models/bamba/configuration_bamba.py'],
  },
  messages: {
    beyond: '{key} names layer {index}, but the {layers} layers are counted from 0 to {last}.',
  },
  checkDesign(design, { reading, report }) {
    if (!isFirstOfMapping(design, reading) || design.knowledge?.keys.layers === undefined) return;
    const { layers } = design.fields;
    if (layers?.source !== 'written') return;
    for (const key of indexLists) {
      const found = design.section.lookup(key);
      if (found.state !== 'value' || !isSequence(found.node) || !design.knowledge.fields.has(key)) continue;
      const wrong = found.node.items.find((item) => {
        const index = numberOf(item);
        return index !== undefined && index >= layers.value;
      });
      if (wrong === undefined) continue;
      report({
        at: wrong.range,
        message: 'beyond',
        data: { key, index: numberOf(wrong) ?? 0, layers: layers.value, last: layers.value - 1 },
        related: [{ range: layers.keyRange, message: `The ${layers.value} layers are set here.` }],
      });
    }
  },
});
