import { booleanKey, writtenBoolean } from '../keys.ts';
import { defineRule } from '../rule.ts';
import { writeFix } from '../suggest.ts';
import { placementFlags } from './placement.ts';

/** Keys of other code that drop the last norm when false. */
const finalNorms = ['use_final_layer_norm', 'final_layer_norm', 'final_layernorm', 'final_norm', 'add_final_layer_norm'];

export const finalNormRemoved = defineRule({
  code: 'HW302',
  name: 'pre-norm-without-final-norm',
  category: 'norm',
  severity: 'warning',
  since: '0.1.0',
  docs: {
    what: 'A pre-norm model has its final norm removed.',
    why: 'In a pre-norm model nothing normalises the residual stream itself, whose size grows with depth, so a final norm stands before the output (Xiong et al. 2020; GPT-2). Without it the logits scale with depth. OPT keeps `_remove_final_layer_norm` only for checkpoints fine-tuned before transformers 4.20.1.',
    bad: [
      {
        language: 'json',
        code: '{"model_type": "opt", "hidden_size": 768, "word_embed_proj_dim": 768, "num_attention_heads": 12, "ffn_dim": 3072, "num_hidden_layers": 12, "do_layer_norm_before": true, "_remove_final_layer_norm": true}',
      },
      {
        language: 'yaml',
        code: 'hidden_size: 1024\nnum_heads: 16\nnum_hidden_layers: 24\nfilter_size: 4096\nnorm_first: true\nuse_final_layer_norm: false\n',
      },
      { language: 'json', code: '{"d_model": 512, "n_heads": 8, "n_layers": 6, "d_ff": 2048, "pre_norm": true, "final_norm": false}' },
    ],
    good: [
      {
        language: 'json',
        code: '{"model_type": "opt", "hidden_size": 1024, "word_embed_proj_dim": 512, "num_attention_heads": 16, "ffn_dim": 4096, "num_hidden_layers": 24, "do_layer_norm_before": false, "_remove_final_layer_norm": true}',
      },
      {
        language: 'json',
        code: '{"model_type": "bart", "d_model": 768, "encoder_layers": 6, "decoder_layers": 6, "encoder_attention_heads": 12, "decoder_attention_heads": 12, "normalize_before": false, "add_final_layer_norm": false}',
      },
    ],
    fixSafety: 'Unsafe: a checkpoint trained without the norm needs it removed.',
    references: [
      'https://arxiv.org/abs/2002.04745',
      'https://github.com/huggingface/transformers/blob/main/src/transformers/models/opt/modeling_opt.py',
    ],
  },
  messages: {
    removed: '{key} {value} leaves the output of {layers}pre-norm layers without a norm.',
  },
  checkDesign(design, { reading, report }) {
    const { section, knowledge } = design;
    const layers = design.fields.layers?.value;
    const data = { layers: layers === undefined ? '' : `${layers} ` };
    if (design.family === 'opt') {
      const removed = writtenBoolean(section, '_remove_final_layer_norm');
      const before = booleanKey(design, 'do_layer_norm_before');
      if (removed?.value !== true || removed.range === undefined || before?.value !== true) return;
      report({
        at: removed.range,
        message: 'removed',
        data: { key: '_remove_final_layer_norm', value: 'true', ...data },
        related: [{ range: before.keyRange, message: 'The norms come before the sublayers.' }],
        fixes: writeFix(reading, 'Set _remove_final_layer_norm false', [[removed, false]]),
      });
      return;
    }
    // The library's other classes have no such switch: mBART keeps its final norm whatever add_final_layer_norm says.
    if (knowledge !== undefined) return;
    const flags = placementFlags(section);
    const before = flags.find(({ places }) => places === 'pre');
    if (before === undefined || flags.some(({ places }) => places === 'post')) return;
    for (const name of finalNorms) {
      const final = writtenBoolean(section, name);
      if (final?.value !== false || final.range === undefined) continue;
      report({
        at: final.range,
        message: 'removed',
        data: { key: final.key ?? name, value: 'false', ...data },
        related: [{ range: before.field.keyRange, message: 'The norms come before the sublayers.' }],
        fixes: writeFix(reading, `Set ${final.key} true`, [[final, true]]),
      });
      return;
    }
  },
});
