import { defineRule } from '../rule.ts';
import { setValue } from '../suggest.ts';
import { isFirstOfMapping } from './rope.ts';

export const slidingWindow = defineRule({
  code: 'HW411',
  name: 'sliding-window-without-effect',
  category: 'positions',
  severity: 'information',
  since: '0.1.0',
  docs: {
    what: 'A sliding window that is not positive, is longer than the context, or begins only after the last layer.',
    why: 'A window longer than the context masks nothing, so every layer attends to everything and the key-value cache is not shortened. Where max_window_layers counts the layers before the window, a value of at least the number of layers leaves none that uses it.',
    bad: [
      {
        language: 'json',
        code: '{"model_type": "mistral", "hidden_size": 4096, "num_attention_heads": 32, "num_hidden_layers": 32, "max_position_embeddings": 32768, "sliding_window": 65536}',
      },
      {
        language: 'json',
        code: '{"model_type": "qwen2", "hidden_size": 4096, "num_attention_heads": 32, "num_hidden_layers": 24, "use_sliding_window": true, "sliding_window": 4096, "max_window_layers": 28}',
      },
    ],
    good: [
      {
        language: 'json',
        code: '{"model_type": "mistral", "hidden_size": 4096, "num_attention_heads": 32, "num_hidden_layers": 32, "max_position_embeddings": 32768, "sliding_window": 4096}',
      },
      {
        language: 'json',
        code: '{"model_type": "qwen2", "hidden_size": 4096, "num_attention_heads": 32, "num_hidden_layers": 24, "use_sliding_window": false, "sliding_window": 4096, "max_window_layers": 28}',
      },
    ],
    references: ['https://arxiv.org/abs/2310.06825'],
  },
  messages: {
    notPositive: 'A sliding window of {window} tokens attends to nothing; null switches it off.',
    longer: 'The sliding window of {window} tokens is longer than the context of {context}: it masks nothing.',
    layers: 'max_window_layers {first} counts the layers without a window, and there are {layers}: none uses it.',
  },
  checkDesign(design, { reading, report }) {
    if (!isFirstOfMapping(design, reading)) return;
    const { slidingWindow: window, maxPositions, layers } = design.fields;
    if (window?.source !== 'written' || window.range === undefined || window.key !== 'sliding_window') return;
    const { section } = design;
    if (section.boolean('use_sliding_window') === false) return;
    if (window.value <= 0) {
      report({ at: window.range, message: 'notPositive', data: { window: window.value } });
      return;
    }
    if (maxPositions?.source === 'written' && window.value > maxPositions.value) {
      report({
        at: window.range,
        message: 'longer',
        data: { window: window.value, context: maxPositions.value },
        related: [{ range: maxPositions.keyRange, message: `The context of ${maxPositions.value} tokens is set here.` }],
      });
      return;
    }
    const first = section.number('max_window_layers');
    const at = section.entry('max_window_layers')?.value?.range;
    if (section.boolean('use_sliding_window') !== true || first === undefined || at === undefined || layers === undefined) return;
    if (first < layers.value || section.lookup('layer_types').state === 'value') return;
    report({
      at,
      message: 'layers',
      data: { first, layers: layers.value },
      related: [{ range: layers.keyRange, message: `The ${layers.value} layers are set here.` }],
      fixes:
        layers.source === 'written'
          ? [{ title: 'Use the window in every layer: 0', safe: false, edits: setValue({ value: first, source: 'written', range: at }, 0) }]
          : [],
    });
  },
});
