import { defineRule } from '../rule.ts';
import { isFirstOfMapping } from './rope.ts';

const lengthKeys = ['seq_length', 'encoder_seq_length', 'sequence_length'];

export const sequenceExceedsPositions = defineRule({
  code: 'HW410',
  name: 'sequence-exceeds-positions',
  category: 'positions',
  severity: 'error',
  since: '0.1.0',
  docs: {
    what: 'The training sequence is longer than the table of positions.',
    why: 'A learned table has one row per position; a longer sequence reads past its end, which on a GPU is an illegal memory access. Megatron-LM and GPT-NeoX refuse to start when seq_length exceeds max_position_embeddings.',
    bad: [
      {
        language: 'yaml',
        code: '"num_layers": 12\n"hidden_size": 768\n"num_attention_heads": 12\n"seq_length": 4096\n"max_position_embeddings": 2048\n"pos_emb": "learned"\n"pipe_parallel_size": 1\n',
      },
    ],
    good: [
      {
        language: 'yaml',
        code: '"num_layers": 12\n"hidden_size": 768\n"num_attention_heads": 12\n"seq_length": 2048\n"max_position_embeddings": 2048\n"pos_emb": "rotary"\n"pipe_parallel_size": 1\n',
      },
    ],
    references: [
      'https://github.com/EleutherAI/gpt-neox/blob/main/megatron/neox_arguments/arguments.py',
      'https://github.com/NVIDIA/Megatron-LM/blob/main/megatron/training/arguments.py',
    ],
  },
  messages: {
    longer: '{key} {length} is longer than max_position_embeddings {positions}.',
  },
  checkDesign(design, { reading, report }) {
    if (!isFirstOfMapping(design, reading)) return;
    const { section } = design;
    const positions = section.number('max_position_embeddings');
    const bound = section.entry('max_position_embeddings')?.value?.range;
    if (positions === undefined || bound === undefined) return;
    // These two check it whatever the kind of positions; elsewhere only a learned table has an end.
    const refuses = reading.dialect === 'gpt-neox' || reading.dialect === 'megatron-arguments';
    const learned = /^learned/.test(
      section.string('position_embedding_type') ?? section.string('pos_emb') ?? design.fields.positions?.value ?? '',
    );
    if (!refuses && !learned) return;
    for (const key of lengthKeys) {
      const length = section.number(key);
      const at = section.entry(key)?.value?.range;
      if (length === undefined || at === undefined || length <= positions) continue;
      report({
        at,
        message: 'longer',
        data: { key, length, positions },
        severity: refuses ? 'error' : 'warning',
        related: [{ range: bound, message: `There are ${positions} positions.` }],
        fixes: [
          { title: `Set ${key} to ${positions}`, safe: false, edits: [{ range: at, newText: String(positions) }] },
          { title: `Set max_position_embeddings to ${length}`, safe: false, edits: [{ range: bound, newText: String(length) }] },
        ],
      });
      return;
    }
  },
});
