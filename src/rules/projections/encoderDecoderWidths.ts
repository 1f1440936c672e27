import { writtenNumber } from '../keys.ts';
import { defineRule } from '../rule.ts';
import { writeFix } from '../suggest.ts';

export const encoderDecoderWidths = defineRule({
  code: 'HW207',
  name: 'encoder-and-decoder-widths-differ',
  category: 'projections',
  severity: 'error',
  since: '0.1.0',
  docs: {
    what: 'Encoder and decoder have different widths in a model whose cross-attention has one.',
    why: "Whisper's decoder projects the encoder's output with matrices of its own width, so `n_audio_state` and `n_text_state` must agree; T5Gemma 2 merges self- and cross-attention and its config class refuses different widths.",
    bad: [
      {
        language: 'json',
        code: '{"n_mels": 80, "n_audio_ctx": 1500, "n_audio_state": 768, "n_audio_head": 12, "n_audio_layer": 12, "n_vocab": 51865, "n_text_ctx": 448, "n_text_state": 512, "n_text_head": 8, "n_text_layer": 6}',
      },
      {
        language: 'json',
        code: '{"model_type": "t5gemma2", "encoder": {"text_config": {"hidden_size": 640, "num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 256, "num_hidden_layers": 18}}, "decoder": {"hidden_size": 1152, "num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 256, "num_hidden_layers": 26}}',
      },
    ],
    good: [
      {
        language: 'json',
        code: '{"n_mels": 80, "n_audio_ctx": 1500, "n_audio_state": 512, "n_audio_head": 8, "n_audio_layer": 6, "n_vocab": 51865, "n_text_ctx": 448, "n_text_state": 512, "n_text_head": 8, "n_text_layer": 6}',
      },
    ],
    fixSafety: 'Unsafe: it changes every matrix of one side.',
    references: ['https://github.com/openai/whisper/blob/main/whisper/model.py', 'https://arxiv.org/abs/2212.04356'],
  },
  messages: {
    mismatch: 'The decoder is {decoder} wide, the encoder {encoder}: cross-attention needs one width.',
  },
  checkFile({ reading, report }) {
    const { root } = reading;
    const isT5Gemma2 = root.string('model_type') === 't5gemma2';
    const audio = isT5Gemma2 ? undefined : writtenNumber(root, 'n_audio_state');
    const encoderText = root.child('encoder')?.child('text_config');
    const decoderConfig = root.child('decoder');
    const encoder = isT5Gemma2 ? (encoderText === undefined ? undefined : writtenNumber(encoderText, 'hidden_size')) : audio;
    const decoder = isT5Gemma2
      ? decoderConfig === undefined
        ? undefined
        : writtenNumber(decoderConfig, 'hidden_size')
      : writtenNumber(root, 'n_text_state');
    if (encoder?.range === undefined || decoder?.range === undefined || encoder.value === decoder.value) return;
    report({
      at: decoder.range,
      message: 'mismatch',
      data: { encoder: encoder.value, decoder: decoder.value },
      related: [{ range: encoder.keyRange, message: `The encoder's width ${encoder.value} is set here.` }],
      fixes: writeFix(reading, `Use ${decoder.key} ${encoder.value}`, [[decoder, encoder.value]]),
    });
  },
});
