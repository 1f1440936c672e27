import { isScalar } from '../../syntax/node.ts';
import { editDistance } from '../../text/nearest.ts';
import { defineRule } from '../rule.ts';
import { isFirstOfMapping, isLibraryRope, ropeBlocks } from './rope.ts';

/** The library's types (modeling_rope_utils.py, ROPE_INIT_FUNCTIONS) and those that serving stacks and custom code know. */
const knownTypes = [
  'default',
  'linear',
  'dynamic',
  'yarn',
  'longrope',
  'llama3',
  'proportional',
  'axial',
  'su',
  'mrope',
  'ntk',
  'xdrope',
  'deepseek_yarn',
  'deepseek_llama_scaling',
  'dynamic_alpha',
];

export const unknownRopeType = defineRule({
  code: 'HW403',
  name: 'unknown-rope-type',
  category: 'positions',
  severity: 'error',
  since: '0.1.0',
  docs: {
    what: 'The rope type is a misspelling of one that exists, or the scaling is no mapping at all.',
    why: 'The loader looks the type up in a table of functions; a name that is not there stops the model from being built with a KeyError, and a scaling that is plain text has no parameters to read.',
    bad: [
      {
        language: 'json',
        code: '{"model_type": "llama", "hidden_size": 4096, "num_attention_heads": 32, "num_hidden_layers": 32, "rope_scaling": {"rope_type": "lama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}, "max_position_embeddings": 131072}',
      },
      {
        language: 'json',
        code: '{"model_type": "llama", "hidden_size": 4096, "num_attention_heads": 32, "num_hidden_layers": 32, "rope_scaling": "linear"}',
      },
    ],
    good: [
      {
        language: 'json',
        code: '{"model_type": "llama", "hidden_size": 4096, "num_attention_heads": 32, "num_hidden_layers": 32, "rope_scaling": {"type": "linear", "factor": 2.0}}',
      },
    ],
    references: ['https://github.com/huggingface/transformers/blob/main/src/transformers/modeling_rope_utils.py'],
  },
  messages: {
    misspelled: 'No rope type is called "{type}". Did you mean "{near}"?',
    notMapping: 'The rope parameters must be a mapping with a rope_type and its numbers, not {value}.',
  },
  checkDesign(design, { reading, report }) {
    if (!isFirstOfMapping(design, reading)) return;
    for (const key of ['rope_scaling', 'rope_parameters'] as const) {
      const found = design.section.lookup(key);
      if (found.state !== 'value' || !isScalar(found.node) || reading.dialect !== 'huggingface') continue;
      if (found.node.value === false || found.node.value === '' || found.node.value === 0) continue;
      report({
        at: found.node.range,
        message: 'notMapping',
        data: { value: found.node.raw.length > 40 ? 'text' : found.node.raw },
        severity: isLibraryRope(design) ? 'error' : 'warning',
      });
    }
    for (const { section } of ropeBlocks(design)) {
      for (const key of ['rope_type', 'type']) {
        const found = section.lookup(key);
        if (found.state !== 'value' || !isScalar(found.node) || typeof found.node.value !== 'string') continue;
        const type = found.node.value;
        if (knownTypes.includes(type)) break;
        const near = knownTypes.find((name) => isSlip(type, name));
        if (near === undefined) break;
        report({
          at: found.node.range,
          message: 'misspelled',
          data: { type, near },
          severity: isLibraryRope(design) ? 'error' : 'warning',
          fixes: [
            { title: `Use "${near}"`, safe: false, edits: [{ range: found.node.range, newText: found.node.quoted ? `"${near}"` : near }] },
          ],
        });
        break;
      }
    }
  },
});

/** Short names are one letter apart by chance, so a slip of them keeps its first letter. */
function isSlip(type: string, name: string): boolean {
  const distance = editDistance(type.toLowerCase(), name, 2);
  if (name.length < 4 || distance > (name.length < 8 ? 1 : 2)) return false;
  return name.length >= 6 || type[0]?.toLowerCase() === name[0];
}
