import type { Section } from '../../design/section.ts';
import type { Range } from '../../text/range.ts';
import { defineRule } from '../rule.ts';
import { canonicalType, isFirstOfMapping, originalLengthKey, ropeBlocks, ropeType } from './rope.ts';

const scaled = new Set(['linear', 'dynamic', 'yarn', 'longrope', 'llama3']);

export const ropeScalingOutOfOrder = defineRule({
  code: 'HW405',
  name: 'rope-scaling-out-of-order',
  category: 'positions',
  severity: 'warning',
  since: '0.1.0',
  docs: {
    what: 'Numbers of the rope scaling contradict each other: a factor below 1, bounds in the wrong order, or an original length that is not shorter than the extended one.',
    why: 'A factor below 1 shrinks the context it should extend. YaRN and Llama 3 blend between two frequency bounds; swapped bounds turn the blend around, so that high frequencies are stretched and low ones are not. The model runs and is wrong at every length.',
    bad: [
      {
        language: 'json',
        code: '{"model_type": "llama", "hidden_size": 4096, "num_attention_heads": 32, "num_hidden_layers": 32, "max_position_embeddings": 131072, "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 4.0, "high_freq_factor": 1.0, "original_max_position_embeddings": 8192}}',
      },
      {
        language: 'json',
        code: '{"model_type": "llama", "hidden_size": 4096, "num_attention_heads": 32, "num_hidden_layers": 32, "rope_scaling": {"type": "linear", "factor": 0.25}}',
      },
    ],
    good: [
      {
        language: 'json',
        code: '{"model_type": "llama", "hidden_size": 4096, "num_attention_heads": 32, "num_hidden_layers": 32, "max_position_embeddings": 131072, "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}}',
      },
    ],
    references: [
      'https://arxiv.org/abs/2309.00071',
      'https://github.com/huggingface/transformers/blob/main/src/transformers/modeling_rope_utils.py',
    ],
  },
  messages: {
    factor: 'A rope scaling factor of {factor} shrinks the context: it must be at least 1.',
    zero: 'A rope scaling factor of {factor} divides every frequency by it: it must be at least 1.',
    yarn: 'beta_fast {fast} must be larger than beta_slow {slow}: the ramp between them runs backwards.',
    llama3: 'high_freq_factor {high} must be larger than low_freq_factor {low}: the blend between them runs backwards.',
    original: 'original_max_position_embeddings {original} must be smaller than max_position_embeddings {maximum}.',
  },
  checkDesign(design, { reading, report }) {
    if (!isFirstOfMapping(design, reading)) return;
    for (const { section } of ropeBlocks(design)) {
      const type = canonicalType(ropeType(section) ?? 'default');
      const factor = section.number('factor');
      if (scaled.has(type) && factor !== undefined && factor < 1) {
        const inverse = factor > 0 ? 1 / factor : undefined;
        const at = valueRange(section, 'factor');
        report({
          at,
          message: factor > 0 ? 'factor' : 'zero',
          data: { factor },
          fixes:
            inverse !== undefined && Number.isInteger(inverse)
              ? [{ title: `Use ${inverse}`, safe: false, edits: [{ range: at, newText: `${inverse}.0` }] }]
              : [],
        });
      }
      const swap = (first: string, second: string) => {
        const a = section.entry(first)?.value?.range;
        const b = section.entry(second)?.value?.range;
        if (a === undefined || b === undefined) return [];
        const text = reading.parsed.text;
        return [
          {
            title: `Swap ${first} and ${second}`,
            safe: false,
            edits: [
              { range: a, newText: text.slice(b.start, b.end) },
              { range: b, newText: text.slice(a.start, a.end) },
            ],
          },
        ];
      };
      if (type === 'yarn') {
        const fast = section.number('beta_fast') ?? (section.has('beta_fast') ? undefined : 32);
        const slow = section.number('beta_slow') ?? (section.has('beta_slow') ? undefined : 1);
        if (fast !== undefined && slow !== undefined && fast < slow)
          report({
            at: valueRange(section, section.has('beta_fast') ? 'beta_fast' : 'beta_slow'),
            message: 'yarn',
            data: { fast, slow },
            related: [{ range: section.entry('beta_slow')?.value?.range, message: `beta_slow is ${slow}.` }],
            fixes: swap('beta_fast', 'beta_slow'),
          });
      }
      if (type === 'llama3') {
        const low = section.number('low_freq_factor');
        const high = section.number('high_freq_factor');
        if (low !== undefined && high !== undefined && high <= low)
          report({
            at: valueRange(section, 'high_freq_factor'),
            message: 'llama3',
            data: { low, high },
            related: [{ range: section.entry('low_freq_factor')?.value?.range, message: `low_freq_factor is ${low}.` }],
            fixes: high < low ? swap('low_freq_factor', 'high_freq_factor') : [],
          });
        const original = section.number(originalLengthKey);
        const maximum = design.fields.maxPositions;
        if (original !== undefined && maximum?.source === 'written' && original >= maximum.value)
          report({
            at: valueRange(section, originalLengthKey),
            message: 'original',
            data: { original, maximum: maximum.value },
            related: [{ range: maximum.keyRange, message: `The extended length ${maximum.value} is set here.` }],
          });
      }
    }
  },
});

const valueRange = (section: Section, key: string): Range => section.entry(key)?.value?.range ?? section.rangeOf(key);
