import { defineRule } from '../rule.ts';
import { insertAfter, writeFix } from '../suggest.ts';

/** Classes that repeat K and V by heads // KV heads after rebuilding them for every head: built with 4 and 2 heads they fail (transformers 5.18). */
const repeating = new Set(
  'axk1 axk2 deepseek_v2 deepseek_v3 deepseek_v32 glm4_moe_lite glm_moe_dsa longcat_flash minicpm3 mistral4 youtu'.split(' '),
);

export const latentAttentionWithSharedHeads = defineRule({
  code: 'HW106',
  name: 'latent-attention-with-shared-heads',
  category: 'heads',
  severity: 'error',
  since: '0.1.0',
  docs: {
    what: 'Multi-head latent attention is mixed with grouped-query attention: the number of KV heads is not the number of query heads.',
    why: 'Latent attention rebuilds keys and values for every query head from the latent (`kv_b_proj` gives num_attention_heads x (nope + value) features), so there are no shared KV heads. Code made from grouped-query attention still repeats K and V heads / KV heads times and fails with a size mismatch; other code ignores the number.',
    bad: [
      { language: 'json', code: '{"model_type": "deepseek_v3", "num_attention_heads": 4, "num_key_value_heads": 2}' },
      {
        language: 'json',
        code: '{"model_type": "deepseek_v3", "hidden_size": 2048, "num_attention_heads": 16, "num_hidden_layers": 27, "q_lora_rank": null}',
      },
    ],
    good: [
      { language: 'json', code: '{"model_type": "deepseek_v3", "num_attention_heads": 4, "num_key_value_heads": 4}' },
      {
        language: 'json',
        code: '{"model_type": "llama", "hidden_size": 4096, "num_attention_heads": 32, "num_key_value_heads": 8, "num_hidden_layers": 32}',
      },
    ],
    fixSafety: 'Unsafe where the code ignores the number; there the model stays the same.',
    references: ['https://arxiv.org/abs/2405.04434', 'https://github.com/huggingface/trl/pull/6268'],
  },
  messages: {
    mismatch:
      '{kv} KV heads with latent attention: K and V are rebuilt for all {heads} heads and then repeated {repeats} times, {repeated} for {heads} query heads.',
    default:
      '{kv} KV heads, the default of {origin}, with latent attention: K and V are rebuilt for all {heads} heads and then repeated {repeats} times, {repeated} for {heads} query heads.',
    ignored: '{kv} KV heads have no effect with latent attention: K and V are rebuilt for all {heads} heads.',
  },
  checkDesign(design, { reading, report }) {
    const { queryHeads, keyValueHeads, keyValueLoraRank } = design.fields;
    if (queryHeads === undefined || keyValueHeads === undefined || keyValueHeads.source === 'derived') return;
    if (keyValueLoraRank === undefined || keyValueLoraRank.value < 1) return;
    const heads = queryHeads.value;
    const kv = keyValueHeads.value;
    if (!Number.isInteger(heads) || !Number.isInteger(kv) || heads < 1 || kv < 1 || kv === heads) return;
    const type = design.knowledge?.modelType;
    const breaks = type !== undefined && repeating.has(type) && !design.custom;
    const isDefault = keyValueHeads.source === 'default';
    const at = isDefault ? queryHeads.range : keyValueHeads.range;
    if (at === undefined || (isDefault && !breaks)) return;
    // A single KV head is how serving code describes the shared latent itself.
    if (!breaks && (kv === 1 || type === 'deepseek_v4' || type === 'hy_v4')) return;
    const repeats = Math.floor(heads / kv);
    const runs = !breaks || repeats === 1;
    const key = keyValueHeads.key ?? 'num_key_value_heads';
    const insertion = isDefault ? insertAfter(reading, queryHeads, key, heads) : [];
    report({
      at,
      message: runs ? 'ignored' : isDefault ? 'default' : 'mismatch',
      severity: runs ? 'information' : 'error',
      data: { heads, kv, repeats, repeated: heads * repeats, origin: keyValueHeads.origin ?? '' },
      related: [{ range: isDefault ? undefined : queryHeads.keyRange, message: `${heads} query heads are set here.` }],
      fixes: [
        ...writeFix(reading, `Use ${heads} KV heads`, [[keyValueHeads, heads]]),
        ...(insertion.length === 0 ? [] : [{ title: `Set ${key} ${heads}`, safe: false, edits: insertion }]),
      ],
    });
  },
});
