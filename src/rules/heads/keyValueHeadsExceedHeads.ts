import { defineRule } from '../rule.ts';
import { insertAfter, writeFix } from '../suggest.ts';
import { sharesHeads } from './sharing.ts';

export const keyValueHeadsExceedHeads = defineRule({
  code: 'HW103',
  name: 'kv-heads-exceed-heads',
  category: 'heads',
  severity: 'error',
  since: '0.1.0',
  docs: {
    what: 'There are more key/value heads than query heads.',
    why: 'Each KV head serves at least one query head. With more KV heads than query heads the group size heads / KV heads is zero, and repeating K and V gives an empty tensor or a shape error. The two numbers are usually swapped, or the KV heads are a default that was written for a larger model.',
    bad: [
      {
        language: 'json',
        code: '{"model_type": "llama", "hidden_size": 4096, "num_attention_heads": 8, "num_key_value_heads": 32, "num_hidden_layers": 32}',
      },
      { language: 'json', code: '{"model_type": "qwen2", "hidden_size": 896, "num_attention_heads": 14, "num_hidden_layers": 24}' },
      { language: 'json', code: '{"dim": 2048, "n_layers": 16, "n_heads": 8, "n_kv_heads": 16, "vocab_size": 32000}' },
      { language: 'toml', code: 'hidden_size = 1024\nnum_attention_heads = 4\nnum_key_value_heads = 16\nnum_hidden_layers = 8\n' },
    ],
    good: [
      {
        language: 'json',
        code: '{"model_type": "llama", "hidden_size": 4096, "num_attention_heads": 32, "num_key_value_heads": 32, "num_hidden_layers": 32}',
      },
      {
        language: 'json',
        code: '{"model_type": "qwen2", "hidden_size": 896, "num_attention_heads": 14, "num_key_value_heads": 2, "num_hidden_layers": 24}',
      },
    ],
    fixSafety: 'Unsafe: it changes the shapes of the projections.',
    references: ['https://arxiv.org/abs/2305.13245'],
  },
  messages: {
    exceeds: '{kv} KV heads exceed {heads} query heads: some would serve none.',
    default: '{kv} KV heads, the default of {origin}, exceed {heads} query heads: set {key}.',
  },
  checkDesign(design, { reading, report }) {
    const { queryHeads, keyValueHeads, hiddenSize } = design.fields;
    if (queryHeads === undefined || keyValueHeads === undefined || !sharesHeads(design)) return;
    const heads = queryHeads.value;
    const kv = keyValueHeads.value;
    if (!Number.isInteger(heads) || !Number.isInteger(kv) || heads < 1 || kv <= heads) return;
    const isDefault = keyValueHeads.source === 'default' && keyValueHeads.key !== undefined;
    const at = keyValueHeads.source === 'written' ? keyValueHeads.range : queryHeads.range;
    if (at === undefined) return;
    const key = keyValueHeads.key ?? '';
    const insertion = isDefault ? insertAfter(reading, queryHeads, key, heads) : [];
    const swaps = kv % heads === 0 && (!design.headDimIsQuotient || (hiddenSize !== undefined && hiddenSize.value % kv === 0));
    report({
      at,
      message: isDefault ? 'default' : 'exceeds',
      data: { heads, kv, key, origin: keyValueHeads.origin ?? '' },
      related: [{ range: isDefault ? undefined : queryHeads.keyRange, message: `${heads} query heads are set here.` }],
      fixes: [
        ...(swaps
          ? writeFix(reading, `Use ${kv} query heads over ${heads} KV heads`, [
              [queryHeads, kv],
              [keyValueHeads, heads],
            ])
          : []),
        ...writeFix(reading, `Use ${heads} KV head${heads === 1 ? '' : 's'}`, [[keyValueHeads, heads]]),
        ...(insertion.length === 0 ? [] : [{ title: `Set ${key} ${heads}`, safe: false, edits: insertion }]),
      ],
    });
  },
});
