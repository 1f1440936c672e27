import { booleanKey, numberKey, writtenNumber } from '../keys.ts';
import { defineRule } from '../rule.ts';
import { writeFix } from '../suggest.ts';

export const multiQueryFlagsDisagree = defineRule({
  code: 'HW107',
  name: 'multi-query-flags-disagree',
  category: 'heads',
  severity: 'warning',
  since: '0.1.0',
  docs: {
    what: 'A flag for multi-query or grouped attention overrides the written number of KV heads.',
    why: 'Falcon reads `num_kv_heads` only with `new_decoder_architecture`: otherwise `multi_query` means one KV head, and without it there is one for every query head (another number then fails in a reshape). GPT-BigCode knows one KV head or all. ChatGLM and Megatron read the number of groups only when the flag beside it is on. The number that is overridden looks effective and is not.',
    bad: [
      {
        language: 'json',
        code: '{"model_type": "falcon", "hidden_size": 4544, "num_attention_heads": 71, "num_hidden_layers": 32, "multi_query": true, "new_decoder_architecture": false, "num_kv_heads": 8}',
      },
      {
        language: 'json',
        code: '{"model_type": "falcon", "hidden_size": 4096, "num_attention_heads": 64, "num_hidden_layers": 32, "multi_query": false, "new_decoder_architecture": false, "num_kv_heads": 8}',
      },
      {
        language: 'json',
        code: '{"model_type": "gpt_bigcode", "n_embd": 2048, "n_head": 16, "n_layer": 24, "multi_query": true, "num_key_value_heads": 4}',
      },
      {
        language: 'json',
        code: '{"model_type": "chatglm", "hidden_size": 4096, "num_attention_heads": 32, "num_layers": 28, "multi_query_attention": false, "multi_query_group_num": 2}',
      },
      {
        language: 'shell',
        code: 'python pretrain_gpt.py \\\n  --num-layers 32 \\\n  --hidden-size 4096 \\\n  --num-attention-heads 32 \\\n  --num-query-groups 8 \\\n  --seq-length 4096\n',
      },
    ],
    good: [
      {
        language: 'json',
        code: '{"model_type": "falcon", "hidden_size": 8192, "num_attention_heads": 128, "num_hidden_layers": 60, "multi_query": true, "new_decoder_architecture": true, "num_kv_heads": 8}',
      },
      {
        language: 'json',
        code: '{"model_type": "falcon", "hidden_size": 4544, "num_attention_heads": 71, "num_hidden_layers": 32, "multi_query": true, "new_decoder_architecture": false, "num_kv_heads": 71}',
      },
      {
        language: 'shell',
        code: 'python pretrain_gpt.py \\\n  --num-layers 32 \\\n  --hidden-size 4096 \\\n  --num-attention-heads 32 \\\n  --group-query-attention \\\n  --num-query-groups 8 \\\n  --seq-length 4096\n',
      },
    ],
    fixSafety: 'Unsafe: whether the flag or the number is right cannot be known.',
    references: [
      'https://github.com/huggingface/transformers/blob/main/src/transformers/models/falcon/modeling_falcon.py',
      'https://github.com/NVIDIA/Megatron-LM/blob/main/megatron/training/argument_utils.py',
      'https://arxiv.org/abs/1911.02150',
    ],
  },
  messages: {
    overridden: '{key} {kv} has no effect: {flag} gives {effective}.',
    broken: '{key} {kv} with {flag}: K and V are made for all {heads} heads and then reshaped to {kv}, which fails.',
    needsFlag: '{key} {kv} has no effect without {flag}: all {heads} heads have keys and values of their own.',
  },
  checkDesign(design, { reading, report }) {
    const { section, fields } = design;
    const heads = fields.queryHeads?.value;
    if (heads === undefined) return;
    if (design.family === 'falcon') {
      const kv = writtenNumber(section, 'num_kv_heads');
      const decoder = booleanKey(design, 'new_decoder_architecture');
      const multi = booleanKey(design, 'multi_query');
      // FalconConfig saves the number of query heads where none was given.
      if (kv === undefined || kv.range === undefined || decoder?.value !== false || multi === undefined || kv.value === heads) return;
      if (multi.value && kv.value === 1) return;
      report({
        at: kv.range,
        message: multi.value ? 'overridden' : 'broken',
        severity: multi.value ? 'warning' : 'error',
        data: {
          key: 'num_kv_heads',
          kv: kv.value,
          heads,
          flag: multi.value ? 'multi_query without new_decoder_architecture' : 'neither multi_query nor new_decoder_architecture',
          effective: 'one KV head',
        },
        related: [
          { range: multi.keyRange, message: `multi_query is ${multi.value}.` },
          { range: decoder.keyRange, message: 'new_decoder_architecture is false.' },
        ],
        fixes: [
          ...(heads % kv.value === 0 ? writeFix(reading, 'Use new_decoder_architecture true', [[decoder, true]]) : []),
          ...writeFix(reading, multi.value ? 'Use 1 KV head' : `Use ${heads} KV heads`, [[kv, multi.value ? 1 : heads]]),
        ],
      });
      return;
    }
    if (design.family === 'gpt_bigcode') {
      const kv = writtenNumber(section, 'num_key_value_heads');
      const multi = booleanKey(design, 'multi_query');
      if (kv?.range === undefined || multi === undefined) return;
      const effective = multi.value ? 1 : heads;
      if (kv.value === effective) return;
      report({
        at: kv.range,
        message: 'overridden',
        data: {
          key: 'num_key_value_heads',
          kv: kv.value,
          flag: `multi_query ${multi.value}`,
          effective: effective === 1 ? 'one KV head' : `${heads} KV heads`,
        },
        related: [{ range: multi.keyRange, message: `multi_query is ${multi.value}.` }],
        fixes: writeFix(reading, `Use ${effective} KV head${effective === 1 ? '' : 's'}`, [[kv, effective]]),
      });
      return;
    }
    const flag = booleanKey(design, 'multi_query_attention');
    const groups = numberKey(design, 'multi_query_group_num');
    // One group is what the config class saves where nobody asked for any.
    if (flag?.value === false && groups?.source === 'written' && groups.range !== undefined && groups.value > 1 && groups.value !== heads) {
      report({
        at: groups.range,
        message: 'needsFlag',
        data: { key: 'multi_query_group_num', kv: groups.value, flag: 'multi_query_attention', heads },
        related: [{ range: flag.keyRange, message: 'multi_query_attention is false.' }],
        fixes: [...writeFix(reading, 'Use multi_query_attention true', [[flag, true]]), ...writeFix(reading, 'Use 1 group', [[groups, 1]])],
      });
      return;
    }
    if (reading.dialect !== 'megatron-arguments' || section.has('group_query_attention')) return;
    const queryGroups = writtenNumber(section, 'num_query_groups');
    if (queryGroups?.range === undefined || queryGroups.value === heads) return;
    report({
      at: queryGroups.range,
      message: 'needsFlag',
      data: { key: '--num-query-groups', kv: queryGroups.value, flag: '--group-query-attention', heads },
      related: [{ range: fields.queryHeads?.keyRange, message: `${heads} heads are set here.` }],
    });
  },
});
