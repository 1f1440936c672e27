import type { Field } from '../../design/design.ts';
import { defineRule } from '../rule.ts';

export const latentAttentionWidths = defineRule({
  code: 'HW105',
  name: 'latent-attention-widths',
  category: 'heads',
  severity: 'error',
  since: '0.1.0',
  docs: {
    what: 'A rank or a head width of multi-head latent attention is not positive, or a latent is no smaller than what it stands for.',
    why: 'Latent attention projects the input down to a small latent and up again for every head (DeepSeek-V2, section 2.1). A negative width cannot be built; with a rank of zero library classes run, but queries or values are all zero (a warning). A latent as wide as what it replaces costs more parameters and cache than it saves (information).',
    bad: [
      {
        language: 'json',
        code: '{"model_type": "deepseek_v3", "hidden_size": 2048, "num_attention_heads": 16, "num_key_value_heads": 16, "kv_lora_rank": 0, "q_lora_rank": null, "num_hidden_layers": 27}',
      },
      {
        language: 'json',
        code: '{"dim": 2048, "n_layers": 27, "n_heads": 16, "kv_lora_rank": -1, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128}',
      },
      {
        language: 'json',
        code: '{"dim": 1024, "n_layers": 12, "n_heads": 4, "kv_lora_rank": 1024, "qk_nope_head_dim": 64, "qk_rope_head_dim": 64, "v_head_dim": 64}',
      },
    ],
    good: [
      {
        language: 'json',
        code: '{"model_type": "deepseek_v2", "hidden_size": 2048, "num_attention_heads": 16, "num_key_value_heads": 16, "kv_lora_rank": 512, "q_lora_rank": null, "num_hidden_layers": 27}',
      },
      {
        language: 'json',
        code: '{"dim": 2048, "n_layers": 27, "n_heads": 16, "q_lora_rank": 0, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128}',
      },
    ],
    references: ['https://arxiv.org/abs/2405.04434'],
  },
  messages: {
    notPositive: '{key} {value} leaves latent attention nothing to work with: it must be positive.',
    keyValueCache:
      'The latent saves no cache: {rank} + {rope} values per token (kv_lora_rank + qk_rope_head_dim), where {heads} full heads need {full}.',
    queryRank:
      'The query latent saves nothing: rank {rank} needs {latent} weights (rank x (width + heads x head dim)), one {width} x {inner} matrix {full}.',
  },
  checkDesign(design, { report }) {
    const { hiddenSize, queryHeads, headDim, valueDim, queryLoraRank, keyValueLoraRank, ropeHeadDim, nopeHeadDim } = design.fields;
    if (keyValueLoraRank === undefined || nopeHeadDim === undefined || ropeHeadDim === undefined) return;
    const fromLibrary = design.knowledge?.latentAttention === true && !design.custom;
    // Elsewhere a zero rank means that the part is left out (DeepSeek's own inference code, q_lora_rank 0).
    const parts: readonly (readonly [Field<number> | undefined, number])[] = [
      [keyValueLoraRank, fromLibrary ? 1 : 0],
      [valueDim, fromLibrary ? 1 : 0],
      [queryLoraRank, fromLibrary ? 1 : 0],
    ];
    let broken = false;
    for (const [field, least] of parts) {
      if (field?.source !== 'written' || field.range === undefined || field.value >= least) continue;
      broken = true;
      report({
        at: field.range,
        message: 'notPositive',
        severity: field.value < 0 ? 'error' : 'warning',
        data: { key: field.key ?? 'width', value: field.value },
      });
    }
    if (broken || queryHeads === undefined || valueDim === undefined || headDim === undefined || queryHeads.value < 1) return;
    const heads = queryHeads.value;
    const rank = keyValueLoraRank.value;
    const full = heads * (headDim.value + valueDim.value);
    if (rank > 0 && keyValueLoraRank.source === 'written' && keyValueLoraRank.range !== undefined && rank + ropeHeadDim.value >= full)
      report({
        at: keyValueLoraRank.range,
        message: 'keyValueCache',
        severity: 'information',
        data: { rank, rope: ropeHeadDim.value, heads, full },
        related: [{ range: queryHeads.keyRange, message: `${heads} heads are set here.` }],
      });
    if (queryLoraRank?.source !== 'written' || queryLoraRank.range === undefined || hiddenSize === undefined || queryLoraRank.value < 1)
      return;
    const width = hiddenSize.value;
    const inner = heads * headDim.value;
    const latent = queryLoraRank.value * (width + inner);
    if (latent >= width * inner)
      report({
        at: queryLoraRank.range,
        message: 'queryRank',
        severity: 'information',
        data: { rank: queryLoraRank.value, latent, width, inner, full: width * inner },
        related: [{ range: hiddenSize.keyRange, message: `The width ${width} is set here.` }],
      });
  },
});
