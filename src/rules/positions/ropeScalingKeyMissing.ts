import { defineRule } from '../rule.ts';
import { canonicalType, isFirstOfMapping, isLibraryRope, originalLengthKey, ropeBlocks, ropeType } from './rope.ts';

/** What each type's function reads without a fallback. A missing original length is filled in from the maximum, see below. */
const required: Readonly<Record<string, readonly string[]>> = {
  linear: ['factor'],
  dynamic: ['factor'],
  yarn: ['factor'],
  longrope: ['short_factor', 'long_factor'],
  llama3: ['factor', 'low_freq_factor', 'high_freq_factor'],
};

export const ropeScalingKeyMissing = defineRule({
  code: 'HW404',
  name: 'rope-scaling-key-missing',
  category: 'positions',
  severity: 'error',
  since: '0.1.0',
  docs: {
    what: 'The rope scaling lacks a number that its type needs.',
    why: 'Each type has its own formula and each formula its own inputs. Loaders read them by name: a missing one is a KeyError while the model is built, or, for the original context length, a wrong length taken from somewhere else without a word.',
    bad: [
      {
        language: 'json',
        code: '{"model_type": "llama", "hidden_size": 4096, "num_attention_heads": 32, "num_hidden_layers": 32, "rope_scaling": {"type": "dynamic"}}',
      },
      {
        language: 'json',
        code: '{"model_type": "llama", "hidden_size": 4096, "num_attention_heads": 32, "num_hidden_layers": 32, "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 8192}}',
      },
    ],
    good: [
      {
        language: 'json',
        code: '{"model_type": "llama", "hidden_size": 4096, "num_attention_heads": 32, "num_hidden_layers": 32, "rope_scaling": {"type": "dynamic", "factor": 4.0}}',
      },
    ],
    references: [
      'https://github.com/huggingface/transformers/blob/main/src/transformers/modeling_rope_utils.py',
      'https://github.com/lm-sys/FastChat/pull/3907',
    ],
  },
  messages: {
    missing: 'Rope type "{type}" needs {keys}.',
    original: 'Rope type "llama3" needs original_max_position_embeddings: without it the scaling is computed from max_position_embeddings.',
    longFactor:
      'No factor is written: code that reads rope_scaling["factor"] fails here, the rest takes max_position_embeddings / original_max_position_embeddings{ratio}.',
    typeless: 'The rope scaling names no rope_type, so it is read as "default" and nothing of it is used.',
  },
  checkDesign(design, { reading, report }) {
    if (!isFirstOfMapping(design, reading)) return;
    for (const { section, entry } of ropeBlocks(design)) {
      const written = ropeType(section);
      const severity = isLibraryRope(design) ? 'error' : 'warning';
      if (written === undefined) {
        if (section.has('rope_type') || section.has('type') || reading.dialect !== 'huggingface') continue;
        // Code of one's own may take the factor without being told a type.
        if (design.knowledge === undefined) continue;
        if (section.number('factor') !== undefined && section.lookup('mrope_section').state === 'absent')
          report({ at: entry.keyRange, message: 'typeless', severity: 'warning' });
        continue;
      }
      const type = canonicalType(written);
      const absent = (required[type] ?? []).filter((key) => ['absent', 'null'].includes(section.lookup(key).state));
      // YaRN computes a null factor from the two lengths (modeling_rope_utils.py, _compute_yarn_parameters), but not a missing one.
      const missing = absent.filter((key) => !(type === 'yarn' && key === 'factor' && section.lookup(key).state === 'null'));
      if (missing.length > 0) {
        report({ at: entry.keyRange, message: 'missing', data: { type: written, keys: missing.join(' and ') }, severity });
        continue;
      }
      const originalKnown = section.has(originalLengthKey) || design.section.has(originalLengthKey);
      if (type === 'llama3' && !originalKnown) report({ at: entry.keyRange, message: 'original', severity: 'warning' });
      if (type === 'longrope' && section.lookup('factor').state === 'absent') {
        const original = section.number(originalLengthKey) ?? design.section.number(originalLengthKey);
        const maximum = design.fields.maxPositions?.value;
        const ratio = original !== undefined && maximum !== undefined && original > 0 ? ` = ${maximum / original}` : '';
        report({ at: entry.keyRange, message: 'longFactor', data: { ratio }, severity: 'information' });
      }
    }
  },
});
