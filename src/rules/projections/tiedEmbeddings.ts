import { Section } from '../../design/section.ts';
import { booleanKey, numberKey, writtenBoolean, writtenNumber } from '../keys.ts';
import { defineRule } from '../rule.ts';
import { writeFix } from '../suggest.ts';

export const tiedEmbeddings = defineRule({
  code: 'HW205',
  name: 'tied-embeddings-cannot-tie',
  category: 'projections',
  severity: 'warning',
  since: '0.1.0',
  docs: {
    what: 'Embeddings that are to share one matrix have different vocabularies or widths.',
    why: "One matrix cannot have two shapes. Marian with shared embeddings gives logits over the encoder's vocabulary, and the loss over the decoder's fails; FSMT replaces the encoder's embedding by the decoder's, so tokens mean something else; fairseq refuses to share embeddings of different widths (an error).",
    bad: [
      {
        language: 'json',
        code: '{"model_type": "marian", "d_model": 512, "encoder_layers": 6, "decoder_layers": 6, "encoder_attention_heads": 8, "decoder_attention_heads": 8, "vocab_size": 58101, "decoder_vocab_size": 32001, "share_encoder_decoder_embeddings": true}',
      },
      {
        language: 'json',
        code: '{"model_type": "fsmt", "d_model": 1024, "encoder_layers": 6, "decoder_layers": 6, "encoder_attention_heads": 16, "decoder_attention_heads": 16, "src_vocab_size": 31640, "tgt_vocab_size": 31232, "tie_word_embeddings": true}',
      },
      {
        language: 'yaml',
        code: 'encoder_embed_dim: 512\ndecoder_embed_dim: 256\nencoder_attention_heads: 8\ndecoder_attention_heads: 4\nencoder_layers: 6\ndecoder_layers: 6\nshare_all_embeddings: true\n',
      },
    ],
    good: [
      {
        language: 'json',
        code: '{"model_type": "marian", "d_model": 512, "encoder_layers": 6, "decoder_layers": 6, "encoder_attention_heads": 8, "decoder_attention_heads": 8, "vocab_size": 58101, "decoder_vocab_size": 32001, "share_encoder_decoder_embeddings": false}',
      },
      {
        language: 'json',
        code: '{"model_type": "fsmt", "d_model": 1024, "encoder_layers": 6, "decoder_layers": 6, "encoder_attention_heads": 16, "decoder_attention_heads": 16, "src_vocab_size": 31640, "tgt_vocab_size": 31232, "tie_word_embeddings": false}',
      },
    ],
    fixSafety: 'Unsafe: untied embeddings are more parameters.',
    references: [
      'https://github.com/huggingface/transformers/blob/main/src/transformers/models/marian/modeling_marian.py',
      'https://github.com/facebookresearch/fairseq/blob/main/fairseq/models/transformer/transformer_base.py',
    ],
  },
  messages: {
    vocabularies: 'Embeddings of {a} and {b} tokens cannot share one matrix ({flag} is true).',
    widths: 'Embeddings {a} and {b} wide cannot share one matrix ({flag} is true).',
  },
  checkDesign(design, { reading, report }) {
    const { family } = design;
    // A stack read by its keys' prefix sees only those; the flag stands beside them.
    const section = design.section.affix === '' ? design.section : new Section(design.section.mapping, design.section.path);
    const vocabularies =
      family === 'marian'
        ? {
            first: numberKey(design, 'vocab_size'),
            second: numberKey(design, 'decoder_vocab_size'),
            flag: booleanKey(design, 'share_encoder_decoder_embeddings'),
          }
        : family === 'fsmt'
          ? {
              first: numberKey(design, 'src_vocab_size'),
              second: numberKey(design, 'tgt_vocab_size'),
              flag: booleanKey(design, 'tie_word_embeddings'),
            }
          : undefined;
    const widths =
      design.knowledge === undefined
        ? {
            first: writtenNumber(section, 'encoder_embed_dim'),
            second: writtenNumber(section, 'decoder_embed_dim'),
            flag: writtenBoolean(section, 'share_all_embeddings'),
          }
        : undefined;
    const pair = vocabularies ?? widths;
    if (pair?.first === undefined || pair.second === undefined || pair.flag?.value !== true) return;
    const { first, second, flag } = pair;
    const at = second.range ?? first.range;
    if (first.value === second.value || at === undefined) return;
    report({
      at,
      message: vocabularies !== undefined ? 'vocabularies' : 'widths',
      severity: vocabularies !== undefined ? 'warning' : 'error',
      data: { a: first.value, b: second.value, flag: flag.key ?? '' },
      related: [
        { range: second.range === undefined ? undefined : first.keyRange, message: `The other number, ${first.value}, is set here.` },
        { range: flag.keyRange, message: `${flag.key} is true here.` },
      ],
      fixes: [
        ...writeFix(reading, `Use ${first.value} for both`, [[second, first.value]]),
        ...writeFix(reading, `Set ${flag.key} false`, [[flag, false]]),
      ],
    });
  },
});
