import { defineRule } from '../rule.ts';
import { insertAfter, writeFix } from '../suggest.ts';

/** Classes whose router does not take the top k of all experts: built with 4 experts and top 6, they ran (transformers 5.18). */
const otherRouters = new Set(['doge', 'phimoe', 'deepseek_v4', 'longcat_flash', 'inkling_text']);

export const expertsPerTokenExceedExperts = defineRule({
  code: 'HW203',
  name: 'experts-per-token-exceed-experts',
  category: 'projections',
  severity: 'error',
  since: '0.1.0',
  docs: {
    what: 'The router picks more experts per token than there are.',
    why: 'The router takes the top k of the experts\' scores; with k larger than their number `topk` fails ("selected index k out of range") in the first forward pass.',
    bad: [
      {
        language: 'json',
        code: '{"model_type": "mixtral", "hidden_size": 4096, "num_attention_heads": 32, "num_key_value_heads": 8, "num_hidden_layers": 32, "num_local_experts": 8, "num_experts_per_tok": 12}',
      },
      {
        language: 'json',
        code: '{"model_type": "qwen3_moe", "hidden_size": 1024, "num_attention_heads": 16, "num_key_value_heads": 4, "head_dim": 64, "num_hidden_layers": 12, "num_experts": 4}',
      },
      {
        language: 'yaml',
        code: 'hidden_size: 1024\nnum_attention_heads: 16\nnum_layers: 12\nnum_moe_experts: 4\nmoe_router_topk: 6\nmicro_batch_size: 1\n',
      },
      {
        language: 'json',
        code: '{"dim": 1024, "n_layers": 12, "n_heads": 16, "head_dim": 64, "hidden_dim": 4096, "n_kv_heads": 4, "moe": {"num_experts": 4, "num_experts_per_tok": 8}}',
      },
    ],
    good: [
      {
        language: 'json',
        code: '{"model_type": "mixtral", "hidden_size": 4096, "num_attention_heads": 32, "num_key_value_heads": 8, "num_hidden_layers": 32, "num_local_experts": 8, "num_experts_per_tok": 8}',
      },
      {
        language: 'json',
        code: '{"hidden_size": 1024, "num_attention_heads": 16, "num_hidden_layers": 12, "num_experts": 0, "num_experts_per_tok": 2}',
      },
    ],
    fixSafety: 'Unsafe: another number of active experts is another model.',
    references: ['https://arxiv.org/abs/1701.06538', 'https://arxiv.org/abs/2401.04088'],
  },
  messages: {
    exceeds: '{topK} experts per token, but there are {experts}.',
    default: '{topK} experts per token, the default of {origin}, but there are {experts}: set {key}.',
  },
  checkDesign(design, { reading, report }) {
    const { experts, expertsPerToken } = design.fields;
    if (experts === undefined || expertsPerToken === undefined) return;
    // One expert or none is how many configs write a dense model.
    if (!Number.isInteger(experts.value) || !Number.isInteger(expertsPerToken.value) || experts.value < 2) return;
    if (expertsPerToken.value <= experts.value || (design.family !== undefined && otherRouters.has(design.family))) return;
    const isDefault = expertsPerToken.source === 'default';
    const at = isDefault ? experts.range : expertsPerToken.range;
    if (at === undefined) return;
    const key = expertsPerToken.key ?? '';
    const wanted = Math.max(1, Math.min(2, experts.value));
    const insertion = isDefault ? insertAfter(reading, experts, key, wanted) : [];
    report({
      at,
      message: isDefault ? 'default' : 'exceeds',
      data: { topK: expertsPerToken.value, experts: experts.value, key, origin: expertsPerToken.origin ?? '' },
      related: [{ range: isDefault ? undefined : experts.keyRange, message: `${experts.value} experts are set here.` }],
      fixes: [
        ...writeFix(reading, `Use ${wanted} experts per token`, [[expertsPerToken, wanted]]),
        ...(wanted === experts.value ? [] : writeFix(reading, `Use all ${experts.value} experts`, [[expertsPerToken, experts.value]])),
        ...(insertion.length === 0 ? [] : [{ title: `Set ${key} ${wanted}`, safe: false, edits: insertion }]),
      ],
    });
  },
});
