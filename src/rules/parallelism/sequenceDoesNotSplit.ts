import { numberOf, Section } from '../../design/section.ts';
import { isMapping } from '../../syntax/node.ts';
import { defineRule } from '../rule.ts';
import { splitSize, stackOf } from './sizes.ts';

const lengthKeys = ['seq_length', 'encoder_seq_length', 'sequence_length', 'seq_len', 'max_context_length'];

export const sequenceDoesNotSplit = defineRule({
  code: 'HW608',
  name: 'sequence-does-not-split',
  category: 'parallelism',
  severity: 'warning',
  since: '0.1.0',
  docs: {
    what: 'The training sequence does not divide into twice as many pieces as there are context-parallel ranks.',
    why: 'Causal attention does more work for late tokens, so context parallelism cuts the sequence into 2 * ranks pieces and gives each rank one early and one late piece. Megatron-LM refuses a sequence length that is not a multiple; torchtitan needs it times the tensor-parallel size as well.',
    bad: [
      {
        language: 'yaml',
        code: 'num_layers: 32\nhidden_size: 4096\nnum_attention_heads: 32\nffn_hidden_size: 16384\nseq_length: 8200\ncontext_parallel_size: 8\ntensor_model_parallel_size: 2\n',
      },
    ],
    good: [
      {
        language: 'yaml',
        code: 'num_layers: 32\nhidden_size: 4096\nnum_attention_heads: 32\nffn_hidden_size: 16384\nseq_length: 8192\ncontext_parallel_size: 8\ntensor_model_parallel_size: 2\n',
      },
    ],
    references: [
      'https://github.com/NVIDIA/Megatron-LM/blob/main/megatron/training/arguments.py',
      'https://github.com/pytorch/torchtitan/blob/main/torchtitan/distributed/parallel_dims.py',
    ],
  },
  messages: {
    uneven: 'A sequence of {length} tokens does not split into {pieces} pieces ({how}): {length} % {pieces} = {remainder}.',
  },
  checkFile({ reading, settings, report }) {
    const size = splitSize(reading, settings, 'context');
    const stack = stackOf(reading, settings);
    if (size === undefined) return;
    const tensor = stack === 'torchtitan' ? (splitSize(reading, settings, 'tensor')?.value ?? 1) : 1;
    // Whatever the code, each rank holds at least one piece.
    const perRank = stack === 'megatron' || stack === 'torchtitan' ? 2 : 1;
    const pieces = perRank * size.value * tensor;
    const sections = [
      reading.root,
      ...reading.designs.map((design) => design.section),
      ...reading.root.mapping.entries.flatMap((entry) => (isMapping(entry.value) ? [new Section(entry.value, entry.key)] : [])),
    ];
    for (const section of sections)
      for (const key of lengthKeys) {
        const node = section.entry(key)?.value;
        const length = node === undefined ? undefined : numberOf(node);
        if (node === undefined || length === undefined || !Number.isInteger(length) || length <= 0) continue;
        if (length % pieces === 0) return;
        const nearest = Math.max(1, Math.round(length / pieces)) * pieces;
        report({
          at: node.range,
          message: 'uneven',
          data: {
            length,
            pieces,
            how: `${perRank > 1 ? `${perRank} * ` : ''}${size.value} ${tensor > 1 ? `context * ${tensor} tensor ranks` : 'context-parallel ranks'}`,
            remainder: length % pieces,
          },
          severity: 'warning',
          related: [{ range: size.keyRange, message: `There are ${size.value} context-parallel ranks.` }],
          fixes: [{ title: `Use ${nearest} tokens`, safe: false, edits: [{ range: node.range, newText: String(nearest) }] }],
        });
        return;
      }
  },
});
