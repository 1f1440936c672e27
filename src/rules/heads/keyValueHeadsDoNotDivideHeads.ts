import { defineRule } from '../rule.ts';
import { keyValueHeadsFor, writeFix } from '../suggest.ts';
import { sharesHeads } from './sharing.ts';

export const keyValueHeadsDoNotDivideHeads = defineRule({
  code: 'HW102',
  name: 'kv-heads-do-not-divide-heads',
  category: 'heads',
  severity: 'error',
  since: '0.1.0',
  docs: {
    what: 'The number of query heads is not a multiple of the number of key/value heads.',
    why: 'Grouped-query attention gives each KV head to heads / KV heads query heads (Ainslie et al. 2023). With a remainder some query heads have no KV head: repeating K and V rounds down and the scores fail with a size mismatch. Config classes rarely check it, so it shows in the first forward pass.',
    bad: [
      { language: 'json', code: '{"num_attention_heads": 7, "num_key_value_heads": 2}' },
      {
        language: 'json',
        code: '{"model_type": "llama", "hidden_size": 4096, "num_attention_heads": 32, "num_key_value_heads": 12, "num_hidden_layers": 32}',
      },
      { language: 'json', code: '{"dim": 1024, "n_layers": 8, "n_heads": 8, "n_kv_heads": 3, "vocab_size": 32000}' },
      { language: 'yaml', code: 'n_layer: 22\nn_head: 32\nn_embd: 2048\nn_query_groups: 6\nnorm_class_name: RMSNorm\n' },
    ],
    good: [
      {
        language: 'json',
        code: '{"model_type": "llama", "hidden_size": 3072, "num_attention_heads": 24, "num_key_value_heads": 3, "num_hidden_layers": 32}',
      },
      { language: 'json', code: '{"hidden_size": 896, "num_attention_heads": 14, "num_key_value_heads": 2, "num_hidden_layers": 24}' },
    ],
    fixSafety: 'Unsafe: it changes the shapes of the key and value projections.',
    references: ['https://arxiv.org/abs/2305.13245', 'https://github.com/huggingface/transformers/pull/48203'],
  },
  messages: {
    indivisible: '{heads} query heads cannot share {kv} KV heads: {heads} % {kv} = {remainder}.',
    default: '{heads} query heads cannot share {kv} KV heads, the default of {origin}: {heads} % {kv} = {remainder}.',
  },
  checkDesign(design, { reading, report }) {
    const { queryHeads, keyValueHeads } = design.fields;
    if (queryHeads === undefined || keyValueHeads === undefined || !sharesHeads(design)) return;
    const heads = queryHeads.value;
    const kv = keyValueHeads.value;
    if (!Number.isInteger(heads) || !Number.isInteger(kv) || kv < 1 || kv >= heads || heads % kv === 0) return;
    const at = keyValueHeads.source === 'written' ? keyValueHeads.range : queryHeads.range;
    if (at === undefined) return;
    report({
      at,
      message: keyValueHeads.source === 'default' && keyValueHeads.origin !== undefined ? 'default' : 'indivisible',
      data: { heads, kv, remainder: heads % kv, origin: keyValueHeads.origin ?? '' },
      related: [
        {
          range: at === keyValueHeads.range ? queryHeads.keyRange : undefined,
          message: `${heads} query heads are set here.`,
        },
      ],
      fixes: [
        ...keyValueHeadsFor(heads, kv, 3).flatMap((count) =>
          writeFix(reading, `Use ${count} KV head${count === 1 ? '' : 's'}`, [[keyValueHeads, count]]),
        ),
        ...queryHeadsFor(heads, kv, design.fields.hiddenSize?.value, design.headDimIsQuotient).flatMap((count) =>
          writeFix(reading, `Use ${count} query heads`, [[queryHeads, count]]),
        ),
      ],
    });
  },
});

/** The nearest multiple of the KV heads that the width allows. */
function queryHeadsFor(heads: number, kv: number, width: number | undefined, quotient: boolean): number[] {
  const below = Math.floor(heads / kv) * kv;
  return [below, below + kv]
    .filter((count) => count > 0 && (!quotient || (width !== undefined && width % count === 0)))
    .sort((a, b) => Math.abs(a - heads) - Math.abs(b - heads))
    .slice(0, 1);
}
