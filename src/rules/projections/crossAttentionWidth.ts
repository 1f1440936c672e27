import type { Section } from '../../design/section.ts';
import { writtenNumber } from '../keys.ts';
import { defineRule } from '../rule.ts';
import { writeFix } from '../suggest.ts';

/** Classes that join an encoder and a decoder and refuse another `cross_attention_hidden_size` (transformers 5.18), with the encoder's key. */
const encoders: Readonly<Record<string, string>> = {
  'encoder-decoder': 'encoder',
  'vision-encoder-decoder': 'encoder',
  'speech-encoder-decoder': 'encoder',
  musicgen: 'text_encoder',
};

export const crossAttentionWidth = defineRule({
  code: 'HW206',
  name: 'cross-attention-width-is-not-encoder-width',
  category: 'projections',
  severity: 'error',
  since: '0.1.0',
  docs: {
    what: 'The width that cross-attention reads is not the width that the encoder gives.',
    why: "Cross-attention projects keys and values from the encoder's output. With `cross_attention_hidden_size` set no projection is put between encoder and decoder, and another width than the encoder's is refused when the model is built.",
    bad: [
      {
        language: 'json',
        code: '{"model_type": "vision-encoder-decoder", "encoder": {"model_type": "deit", "hidden_size": 768, "num_attention_heads": 12, "num_hidden_layers": 12}, "decoder": {"model_type": "trocr", "d_model": 1024, "decoder_attention_heads": 16, "decoder_layers": 12, "cross_attention_hidden_size": 1024}}',
      },
      {
        language: 'json',
        code: '{"model_type": "encoder-decoder", "encoder": {"model_type": "bert", "hidden_size": 1024, "num_attention_heads": 16, "num_hidden_layers": 24}, "decoder": {"model_type": "bert", "hidden_size": 768, "num_attention_heads": 12, "num_hidden_layers": 12, "is_decoder": true, "cross_attention_hidden_size": 768}}',
      },
    ],
    good: [
      {
        language: 'json',
        code: '{"model_type": "vision-encoder-decoder", "encoder": {"model_type": "deit", "hidden_size": 768, "num_attention_heads": 12, "num_hidden_layers": 12}, "decoder": {"model_type": "trocr", "d_model": 1024, "decoder_attention_heads": 16, "decoder_layers": 12, "cross_attention_hidden_size": 768}}',
      },
      {
        language: 'json',
        code: '{"model_type": "encoder-decoder", "encoder": {"model_type": "bert", "hidden_size": 1024, "num_attention_heads": 16, "num_hidden_layers": 24}, "decoder": {"model_type": "bert", "hidden_size": 768, "num_attention_heads": 12, "num_hidden_layers": 12, "is_decoder": true}}',
      },
    ],
    fixSafety: 'Unsafe: it changes the shapes of the cross-attention projections.',
    references: [
      'https://github.com/huggingface/transformers/blob/main/src/transformers/models/vision_encoder_decoder/modeling_vision_encoder_decoder.py',
    ],
  },
  messages: {
    mismatch: 'Cross-attention reads {cross} features, the encoder gives {width}.',
  },
  checkFile({ reading, report }) {
    const name = encoders[reading.root.string('model_type') ?? ''];
    const decoder = reading.root.child('decoder');
    if (name === undefined || decoder === undefined) return;
    const cross = writtenNumber(decoder, 'cross_attention_hidden_size');
    const encoder = reading.designs.find((design) => design.section.path === name)?.fields.hiddenSize ?? widthOf(reading.root.child(name));
    if (cross?.range === undefined || encoder === undefined || encoder.value === cross.value) return;
    report({
      at: cross.range,
      message: 'mismatch',
      data: { cross: cross.value, width: encoder.value },
      related: [{ range: encoder.keyRange, message: `The encoder's width ${encoder.value} is set here.` }],
      fixes: writeFix(reading, `Use ${cross.key} ${encoder.value}`, [[cross, encoder.value]]),
    });
  },
});

const widthOf = (section: Section | undefined) => (section === undefined ? undefined : writtenNumber(section, 'hidden_size'));
