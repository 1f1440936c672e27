import { numberKey, writtenNumber } from '../keys.ts';
import { defineRule } from '../rule.ts';
import { writeFix } from '../suggest.ts';

const roundUp = (value: number, multiple: number): number => multiple * Math.ceil(value / multiple);

export const ffnWidth = defineRule({
  code: 'HW201',
  name: 'ffn-width-is-not-as-written',
  category: 'projections',
  severity: 'information',
  since: '0.1.0',
  docs: {
    what: 'The FFN gets another width than the file says, because the code computes it by a formula.',
    why: "GPT-NeoX keeps the parameter count of a gated FFN: it takes a third of the written width and rounds up to 256, so a width copied from another format gives an FFN a third as wide (a warning where it is then narrower than the model). Qwen 1 halves it. Meta's Llama code computes the width from multiple_of and ffn_dim_multiplier, code derived from it prefers an explicit hidden_dim.",
    bad: [
      {
        language: 'yaml',
        code: 'pipe_parallel_size: 1\nnum_layers: 32\nhidden_size: 4096\nnum_attention_heads: 32\nseq_length: 4096\nactivation: swiglu\nintermediate_size: 11008\n',
      },
      {
        language: 'json',
        code: '{"dim": 4096, "n_layers": 32, "n_heads": 32, "n_kv_heads": 8, "hidden_dim": 14336, "multiple_of": 256, "vocab_size": 32000}',
      },
      {
        language: 'json',
        code: '{"model_type": "qwen", "hidden_size": 2048, "num_attention_heads": 16, "num_hidden_layers": 24, "intermediate_size": 11007}',
      },
    ],
    good: [
      {
        language: 'yaml',
        code: 'pipe_parallel_size: 1\nnum_layers: 32\nhidden_size: 4096\nnum_attention_heads: 32\nseq_length: 4096\nactivation: swiglu\nintermediate_size: 33024\n',
      },
      {
        language: 'json',
        code: '{"dim": 4096, "n_layers": 32, "n_heads": 32, "n_kv_heads": 8, "multiple_of": 1024, "ffn_dim_multiplier": 1.3, "vocab_size": 128256}',
      },
      {
        language: 'json',
        code: '{"model_type": "qwen", "hidden_size": 4096, "num_attention_heads": 32, "num_hidden_layers": 32, "intermediate_size": 22016}',
      },
    ],
    fixSafety: 'Unsafe: it changes the width of the FFN.',
    references: [
      'https://github.com/EleutherAI/gpt-neox/blob/main/megatron/model/transformer.py',
      'https://github.com/meta-llama/llama/blob/main/llama/model.py',
      'https://arxiv.org/abs/2002.05202',
    ],
  },
  messages: {
    third: '{activation} makes the FFN {actual} wide: a third of {written}, rounded up to a multiple of 256.',
    narrow:
      '{activation} makes the FFN {actual} wide, narrower than the model ({width}): a third of {written}, rounded up to a multiple of 256.',
    formula: 'multiple_of {multiple}{multiplier} would give {formula}, not {written}: only one of them holds.',
    halved: 'The two halves of a gated FFN share {written}: each is {half} wide.',
  },
  checkDesign(design, { reading, report }) {
    const { section } = design;
    const width = design.fields.hiddenSize?.value;
    if (width === undefined || !(width > 0)) return;
    if (design.family === 'qwen') {
      const written = writtenNumber(section, 'intermediate_size');
      if (written?.range === undefined || !Number.isInteger(written.value) || written.value % 2 === 0) return;
      report({ at: written.range, message: 'halved', data: { written: written.value, half: Math.floor(written.value / 2) } });
      return;
    }
    if (reading.dialect === 'gpt-neox') {
      const activation = section.string('activation') ?? '';
      const written = writtenNumber(section, 'intermediate_size');
      if (!/^(geglu|reglu|swiglu|bilinear|glu)$/.test(activation) || written?.range === undefined || !(written.value > 0)) return;
      // ParallelMLP: int(ffn_dim * 2 / 3), of which one half goes on.
      const actual = roundUp(Math.floor(Math.trunc((written.value * 2) / 3) / 2), 256);
      if (actual * 3 === written.value) return;
      const narrow = actual < width && written.value >= width;
      report({
        at: written.range,
        message: narrow ? 'narrow' : 'third',
        severity: narrow ? 'warning' : 'information',
        data: { activation, actual, written: written.value, width },
        related: [{ range: section.entry('activation')?.keyRange, message: `The gated activation ${activation} is set here.` }],
        fixes: narrow
          ? writeFix(reading, `Use ${written.key} ${3 * roundUp(written.value, 256)}`, [[written, 3 * roundUp(written.value, 256)]])
          : [],
      });
      return;
    }
    if (design.knowledge !== undefined || writtenNumber(section, 'dim') === undefined) return;
    const multiple = writtenNumber(section, 'multiple_of');
    const written = writtenNumber(section, 'hidden_dim') ?? writtenNumber(section, 'intermediate_size');
    if (multiple === undefined || written?.range === undefined || !(multiple.value > 0)) return;
    const multiplier = numberKey(design, 'ffn_dim_multiplier');
    if (multiplier === undefined && section.lookup('ffn_dim_multiplier').state === 'unknown') return;
    const base = Math.trunc((8 * width) / 3);
    const formula = roundUp(multiplier === undefined ? base : Math.trunc(multiplier.value * base), multiple.value);
    if (formula === written.value) return;
    report({
      at: written.range,
      message: 'formula',
      data: {
        multiple: multiple.value,
        multiplier: multiplier === undefined ? '' : ` and ffn_dim_multiplier ${multiplier.value}`,
        formula,
        written: written.value,
      },
      related: [{ range: multiple.keyRange, message: `multiple_of ${multiple.value} is set here.` }],
    });
  },
});
