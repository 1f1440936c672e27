import { familyPlacement } from '../../design/traits.ts';
import { booleanKey, numberKey } from '../keys.ts';
import { defineRule } from '../rule.ts';
import { writeFix } from '../suggest.ts';
import { placementFlags } from './placement.ts';

export const placementContradicts = defineRule({
  code: 'HW301',
  name: 'norm-placement-contradicts',
  category: 'norm',
  severity: 'warning',
  since: '0.1.0',
  docs: {
    what: 'Flags for the place of the norms contradict each other, or the only place that this family has.',
    why: "Before or after the sublayer changes what is learned and how deep a model trains (Xiong et al. 2020), and weights for one do not work in the other. Where two flags disagree the code reads one of them; where the family has no such switch the flag does nothing. Falcon's new decoder normalises for parallel attention only, and fails without it (an error).",
    bad: [
      { language: 'yaml', code: 'd_model: 512\nnhead: 8\nnum_layers: 6\ndim_feedforward: 2048\nnorm_first: true\npre_norm: false\n' },
      {
        language: 'json',
        code: '{"model_type": "bart", "d_model": 768, "encoder_layers": 6, "decoder_layers": 6, "encoder_attention_heads": 12, "decoder_attention_heads": 12, "normalize_before": true}',
      },
      {
        language: 'json',
        code: '{"model_type": "falcon", "hidden_size": 8192, "num_attention_heads": 128, "num_hidden_layers": 60, "num_kv_heads": 8, "new_decoder_architecture": true, "parallel_attn": false}',
      },
    ],
    good: [
      { language: 'yaml', code: 'd_model: 512\nnhead: 8\nnum_layers: 6\ndim_feedforward: 2048\nnorm_first: true\npre_norm: true\n' },
      {
        language: 'json',
        code: '{"model_type": "mbart", "d_model": 1024, "encoder_layers": 12, "decoder_layers": 12, "encoder_attention_heads": 16, "decoder_attention_heads": 16, "normalize_before": true}',
      },
      {
        language: 'json',
        code: '{"model_type": "opt", "hidden_size": 1024, "word_embed_proj_dim": 512, "num_attention_heads": 16, "ffn_dim": 4096, "num_hidden_layers": 24, "do_layer_norm_before": false}',
      },
    ],
    fixSafety: 'Unsafe: which of the flags is meant cannot be known.',
    references: [
      'https://arxiv.org/abs/2002.04745',
      'https://github.com/huggingface/transformers/blob/main/src/transformers/models/falcon/modeling_falcon.py',
    ],
  },
  messages: {
    flags: '{key} {value} puts the norms {place} the sublayers, {other} {otherValue} {otherPlace} them.',
    family: '{key} {value} asks for norms {place} the sublayers, but {family} always has them {otherPlace}: the flag does nothing.',
    falcon: 'new_decoder_architecture without parallel_attn does not run: the norm before the FFN is not made.',
  },
  checkDesign(design, { reading, report }) {
    const { section, knowledge } = design;
    const flags = placementFlags(section);
    const [first] = flags;
    const other = flags.find(({ places }) => first !== undefined && places !== first.places);
    const word = { pre: 'before', post: 'after' };
    if (first !== undefined && other?.field.range !== undefined) {
      report({
        at: other.field.range,
        message: 'flags',
        data: {
          key: other.key,
          value: String(other.field.value),
          place: word[other.places],
          other: first.key,
          otherValue: String(first.field.value),
          otherPlace: word[first.places],
        },
        related: [{ range: first.field.keyRange, message: `${first.key} ${String(first.field.value)} is set here.` }],
        fixes:
          typeof other.field.value === 'boolean'
            ? writeFix(reading, `Set ${other.key} ${!other.field.value}`, [[other.field, !other.field.value]])
            : [],
      });
    } else if (first?.field.range !== undefined && knowledge !== undefined && !design.custom) {
      const fixed = familyPlacement(knowledge.modelType);
      if ((fixed === 'pre' || fixed === 'post') && fixed !== first.places && !knowledge.fields.has(first.key))
        report({
          at: first.field.range,
          message: 'family',
          data: {
            key: first.key,
            value: String(first.field.value),
            place: word[first.places],
            otherPlace: word[fixed],
            family: knowledge.modelType,
          },
          fixes:
            typeof first.field.value === 'boolean'
              ? writeFix(reading, `Set ${first.key} ${!first.field.value}`, [[first.field, !first.field.value]])
              : [],
        });
    }
    if (design.family !== 'falcon' || design.custom) return;
    const decoder = booleanKey(design, 'new_decoder_architecture');
    const parallel = booleanKey(design, 'parallel_attn');
    const at = parallel?.range ?? decoder?.range;
    if (decoder?.value !== true || parallel?.value !== false || at === undefined || numberKey(design, 'hidden_size') === undefined) return;
    report({
      at,
      message: 'falcon',
      severity: 'error',
      related: [{ range: decoder.keyRange, message: 'new_decoder_architecture is true here.' }],
      fixes: writeFix(reading, 'Set parallel_attn true', [[parallel, true]]),
    });
  },
});
