import { numberKey } from '../keys.ts';
import { defineRule } from '../rule.ts';
import { headCountsFor, writeFix } from '../suggest.ts';

export const linearAttentionHeads = defineRule({
  code: 'HW109',
  name: 'linear-attention-heads-do-not-divide',
  category: 'heads',
  severity: 'error',
  since: '0.1.0',
  docs: {
    what: 'The value heads of the linear-attention layers are not a multiple of their key heads.',
    why: 'A gated delta-net layer repeats each query and key head value heads / key heads times (Qwen3-Next, `repeat_interleave`). With a remainder, or with fewer value than key heads, the fused projection is split into the wrong sizes and the first forward pass fails.',
    bad: [
      {
        language: 'json',
        code: '{"model_type": "qwen3_next", "hidden_size": 2048, "num_attention_heads": 16, "num_key_value_heads": 2, "num_hidden_layers": 48, "linear_num_key_heads": 12, "linear_num_value_heads": 32}',
      },
      {
        language: 'json',
        code: '{"model_type": "qwen3_5_text", "hidden_size": 2048, "num_attention_heads": 16, "num_key_value_heads": 2, "num_hidden_layers": 24, "linear_num_key_heads": 32, "linear_num_value_heads": 16}',
      },
    ],
    good: [
      {
        language: 'json',
        code: '{"model_type": "qwen3_next", "hidden_size": 2048, "num_attention_heads": 16, "num_key_value_heads": 2, "num_hidden_layers": 48, "linear_num_key_heads": 16, "linear_num_value_heads": 32}',
      },
    ],
    fixSafety: 'Unsafe: it changes the shapes of the layers.',
    references: [
      'https://arxiv.org/abs/2412.06464',
      'https://github.com/huggingface/transformers/blob/main/src/transformers/models/qwen3_next/modeling_qwen3_next.py',
    ],
  },
  messages: {
    indivisible: '{values} linear-attention value heads cannot share {keys} key heads: {values} % {keys} = {remainder}.',
  },
  checkDesign(design, { reading, report }) {
    const keys = numberKey(design, 'linear_num_key_heads');
    const values = numberKey(design, 'linear_num_value_heads');
    if (keys === undefined || values === undefined || !(keys.value > 0) || !(values.value > 0) || values.value % keys.value === 0) return;
    const at = keys.range ?? values.range;
    if (at === undefined) return;
    report({
      at,
      message: 'indivisible',
      data: { keys: keys.value, values: values.value, remainder: values.value % keys.value },
      related: [{ range: keys.range === undefined ? undefined : values.keyRange, message: `${values.value} value heads are set here.` }],
      fixes: [
        ...headCountsFor(values.value, keys.value, 2).flatMap((count) => writeFix(reading, `Use ${count} key heads`, [[keys, count]])),
        ...writeFix(reading, `Use ${keys.value * Math.max(1, Math.round(values.value / keys.value))} value heads`, [
          [values, keys.value * Math.max(1, Math.round(values.value / keys.value))],
        ]),
      ],
    });
  },
});
