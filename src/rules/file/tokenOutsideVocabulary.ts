import type { ConfigNode } from '../../syntax/node.ts';
import { isScalar, isSequence } from '../../syntax/node.ts';
import { isFirstOfMapping } from '../positions/rope.ts';
import { defineRule } from '../rule.ts';

const tokens = [
  'bos_token_id',
  'eos_token_id',
  'pad_token_id',
  'sep_token_id',
  'cls_token_id',
  'mask_token_id',
  'decoder_start_token_id',
  'forced_bos_token_id',
  'forced_eos_token_id',
];

export const tokenOutsideVocabulary = defineRule({
  code: 'HW806',
  name: 'token-outside-vocabulary',
  category: 'file',
  severity: 'warning',
  since: '0.1.0',
  docs: {
    what: 'The number of a special token is not one of the vocabulary.',
    why: 'Token ids are row numbers of the embedding table, 0 to vocabulary - 1. Looking up one beyond it is an index error on a CPU and an assertion in the middle of a kernel on a GPU. It happens when a token was added and the table was not enlarged.',
    bad: [
      {
        language: 'json',
        code: '{"model_type": "llama", "hidden_size": 4096, "num_attention_heads": 32, "num_hidden_layers": 32, "vocab_size": 32000, "pad_token_id": 32000}',
      },
    ],
    good: [
      {
        language: 'json',
        code: '{"model_type": "llama", "hidden_size": 4096, "num_attention_heads": 32, "num_hidden_layers": 32, "vocab_size": 32000, "pad_token_id": -1}',
      },
      {
        language: 'json',
        code: '{"model_type": "llama", "hidden_size": 4096, "num_attention_heads": 32, "num_hidden_layers": 32, "vocab_size": 32001, "pad_token_id": 32000}',
      },
    ],
    references: ['https://github.com/huggingface/transformers/blob/main/src/transformers/configuration_utils.py'],
  },
  messages: {
    beyond: '{key} {id} lies outside the vocabulary of {vocabulary}: its last token is {last}.',
    negative: '{key} {id} is no token: tokens are counted from 0.',
  },
  checkDesign(design, { reading, report }) {
    // The defaults of a class are its authors' choice: its embedding may have rows beyond the vocabulary.
    if (reading.format === 'python' || !isFirstOfMapping(design, reading)) return;
    const { section, knowledge } = design;
    const vocabulary = design.fields.vocabularySize;
    if (vocabulary?.source !== 'written' || vocabulary.value <= 1 || section.affix !== '') return;
    for (const key of tokens) {
      const entry = section.entry(key);
      if (entry?.value === undefined || entry.merged === true) continue;
      for (const node of isSequence(entry.value) ? entry.value.items : [entry.value]) {
        const id = idOf(node);
        // -1 is the usual way to say that there is none, and a class's own default is its authors' choice.
        if (id === undefined || id === -1 || (id >= 0 && id < vocabulary.value) || knowledge?.fields.get(key) === id) continue;
        report({
          at: node.range,
          message: id < 0 ? 'negative' : 'beyond',
          data: { key, id, vocabulary: vocabulary.value, last: vocabulary.value - 1 },
          related: [{ range: vocabulary.keyRange, message: `The vocabulary of ${vocabulary.value} is set here.` }],
          fixes:
            id >= vocabulary.value && id < vocabulary.value + 64 && vocabulary.range !== undefined
              ? [
                  {
                    title: `Enlarge the vocabulary to ${enough(id)}`,
                    safe: false,
                    edits: [{ range: vocabulary.range, newText: String(enough(id)) }],
                  },
                ]
              : [],
        });
      }
    }
  },
});

/** Rows for the token, a multiple of 64 as the output layer likes it. */
const enough = (id: number): number => Math.ceil((id + 1) / 64) * 64;

const idOf = (node: ConfigNode): number | undefined =>
  isScalar(node) && node.unresolved !== true && typeof node.value === 'number' && Number.isInteger(node.value) ? node.value : undefined;
