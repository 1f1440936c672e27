import { isMapping } from '../../syntax/node.ts';
import { defineRule } from '../rule.ts';
import { canonicalType, isFirstOfMapping, ropeBlocks } from './rope.ts';

export const conflictingRopeSettings = defineRule({
  code: 'HW408',
  name: 'conflicting-rope-settings',
  category: 'positions',
  severity: 'warning',
  since: '0.1.0',
  docs: {
    what: 'Rotary settings are written twice with different values: the old keys beside `rope_parameters`, or `type` beside `rope_type`.',
    why: 'Libraries moved rope_theta and rope_scaling into rope_parameters, and type became rope_type. Versions before and after the move read different keys, so one file describes two models, and which one is built depends on the installed version.',
    bad: [
      {
        language: 'json',
        code: '{"model_type": "llama", "hidden_size": 4096, "num_attention_heads": 32, "num_hidden_layers": 32, "rope_theta": 10000.0, "rope_parameters": {"rope_type": "default", "rope_theta": 500000.0}}',
      },
      {
        language: 'json',
        code: '{"model_type": "llama", "hidden_size": 4096, "num_attention_heads": 32, "num_hidden_layers": 32, "rope_scaling": {"type": "linear", "rope_type": "dynamic", "factor": 2.0}}',
      },
    ],
    good: [
      {
        language: 'json',
        code: '{"model_type": "llama", "hidden_size": 4096, "num_attention_heads": 32, "num_hidden_layers": 32, "rope_theta": 500000.0, "rope_parameters": {"rope_type": "default", "rope_theta": 500000.0}}',
      },
    ],
    references: ['https://github.com/huggingface/transformers/blob/main/src/transformers/modeling_rope_utils.py'],
  },
  messages: {
    value: '{key} is {outer} here and {inner} in rope_parameters: old code takes this one, new code the other.',
    types: 'type is "{type}" and rope_type is "{ropeType}": old code takes type, new code rope_type.',
    blocks: '{key} is {old} in rope_scaling and {new} in rope_parameters: new code takes rope_scaling where both are written.',
  },
  checkDesign(design, { reading, report }) {
    if (!isFirstOfMapping(design, reading)) return;
    const { section } = design;
    const blocks = ropeBlocks(design);
    for (const block of blocks) {
      const type = block.section.string('type');
      const ropeType = block.section.string('rope_type');
      if (type !== undefined && ropeType !== undefined && canonicalType(type) !== canonicalType(ropeType)) {
        const at = block.section.entry('type')?.value?.range;
        const other = block.section.entry('rope_type')?.value?.range;
        if (at !== undefined && other !== undefined)
          report({
            at,
            message: 'types',
            data: { type, ropeType },
            related: [{ range: other, message: 'rope_type is set here.' }],
            fixes: [
              {
                title: `Set type to "${ropeType}"`,
                safe: false,
                edits: [{ range: at, newText: reading.parsed.text.slice(other.start, other.end) }],
              },
            ],
          });
      }
    }
    const parameters = blocks.find((block) => block.key === 'rope_parameters' && block.layerType === undefined);
    if (parameters !== undefined)
      for (const key of ['rope_theta', 'partial_rotary_factor']) {
        const outer = section.number(key);
        const inner = parameters.section.number(key);
        const at = section.entry(key)?.value?.range;
        const innerRange = parameters.section.entry(key)?.value?.range;
        if (outer === undefined || inner === undefined || outer === inner || at === undefined || innerRange === undefined) continue;
        report({
          at,
          message: 'value',
          data: { key, outer, inner },
          related: [{ range: innerRange, message: `${key} is ${inner} here.` }],
          fixes: [
            {
              title: `Set ${key} to ${inner} here too`,
              safe: false,
              edits: [{ range: at, newText: reading.parsed.text.slice(innerRange.start, innerRange.end) }],
            },
          ],
        });
      }
    const scaling = blocks.find((block) => block.key === 'rope_scaling' && block.layerType === undefined);
    if (scaling === undefined || parameters === undefined || !isMapping(scaling.entry.value)) return;
    for (const key of ['rope_type', 'factor', 'original_max_position_embeddings', 'rope_theta']) {
      const old = scalar(scaling.section, key);
      const current = scalar(parameters.section, key);
      const at = (scaling.section.entry(key) ?? (key === 'rope_type' ? scaling.section.entry('type') : undefined))?.value?.range;
      if (old === undefined || current === undefined || old === current || at === undefined) continue;
      report({
        at,
        message: 'blocks',
        data: { key, old, new: current },
        related: [{ range: parameters.section.entry(key)?.value?.range, message: `${key} is ${current} here.` }],
      });
      return;
    }
  },
});

const scalar = (section: { number(name: string): number | undefined; string(name: string): string | undefined }, key: string) => {
  if (key !== 'rope_type') return section.number(key);
  const type = section.string('rope_type') ?? section.string('type');
  return type === undefined ? undefined : canonicalType(type);
};
