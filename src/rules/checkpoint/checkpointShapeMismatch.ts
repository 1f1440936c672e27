import { defineRule } from '../rule.ts';
import { setValue } from '../suggest.ts';
import { compareCheckpoint } from './compare.ts';

export const checkpointShapeMismatch = defineRule({
  code: 'HW701',
  name: 'checkpoint-shape-mismatch',
  category: 'checkpoint',
  severity: 'error',
  since: '0.1.0',
  docs: {
    what: 'A tensor of the safetensors checkpoint beside the config has another shape than the config gives it.',
    why: 'Loading such a checkpoint fails with "size mismatch for ...: copying a param with shape ... from checkpoint", after everything has been downloaded and built; with `ignore_mismatched_sizes` the tensor is left at random values. Only the header of the file is read, never its values.',
    bad: [
      {
        language: 'json',
        code: '{"model_type": "llama", "hidden_size": 8192, "num_attention_heads": 64, "num_key_value_heads": 64, "num_hidden_layers": 80}',
        tensors: { 'model.layers.0.self_attn.q_proj.weight': [8192, 8192], 'model.layers.0.self_attn.k_proj.weight': [1024, 8192] },
      },
      {
        language: 'json',
        code: '{"model_type": "roberta", "hidden_size": 768, "num_attention_heads": 12, "max_position_embeddings": 2048, "vocab_size": 50265}',
        tensors: { 'roberta.embeddings.position_embeddings.weight': [514, 768] },
      },
    ],
    good: [
      {
        language: 'json',
        code: '{"model_type": "llama", "hidden_size": 8192, "num_attention_heads": 64, "num_key_value_heads": 8, "num_hidden_layers": 80}',
        tensors: { 'model.layers.0.self_attn.q_proj.weight': [8192, 8192], 'model.layers.0.self_attn.k_proj.weight': [1024, 8192] },
      },
    ],
    fixSafety: 'The fix writes the size that the checkpoint has. It is unsafe: the checkpoint may be the wrong one.',
    references: ['https://github.com/huggingface/safetensors#format', 'https://github.com/huggingface/transformers/issues/24716'],
  },
  messages: {
    mismatch: '{tensor} is {shape} in {file}; this config makes it {expected}.',
  },
  checkDesign(design, { reading, report }) {
    const { checkpoint } = reading;
    if (
      checkpoint === undefined ||
      (reading.designs.length > 1 && design !== reading.designs[0] && !/(^|\.)(encoder|decoder)$/.test(design.name))
    )
      return;
    for (const { tensor, shape, expected, field, fitting } of compareCheckpoint(design, checkpoint)) {
      const at = field.range ?? design.section.mapping.range;
      report({
        at,
        message: 'mismatch',
        data: { tensor, shape: `[${shape.join(', ')}]`, file: checkpoint.file, expected: `[${expected.join(', ')}]` },
        fixes:
          fitting === undefined || field.source !== 'written'
            ? []
            : [{ title: `Set ${field.key} ${fitting}, as in the checkpoint`, safe: false, edits: setValue(field, fitting) }],
      });
    }
  },
});
