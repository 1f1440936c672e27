import { defineRule } from '../rule.ts';
import { writeFix } from '../suggest.ts';

/** Half of float16's smallest subnormal, 2^-24: what lies below rounds to zero (IEEE 754). */
const float16Zero = 2 ** -25;

export const normEpsilon = defineRule({
  code: 'HW304',
  name: 'norm-epsilon-does-not-work',
  category: 'norm',
  severity: 'warning',
  since: '0.1.0',
  docs: {
    what: 'The epsilon of a norm is zero or negative, as large as the variance itself, or zero in the stated precision.',
    why: 'A norm divides by sqrt(variance + epsilon). Zero gives NaN for a constant row, such as padding; a negative one for any small variance. One of 1 or more, usually a lost minus sign in the exponent, outweighs the variance and flattens the layer. In float16 anything below 3e-8 is zero: that matters only where the norm itself computes in float16 (exported or hand-written kernels), so it is information, and silent for code known to compute norms in float32.',
    bad: [
      {
        language: 'json',
        code: '{"model_type": "llama", "hidden_size": 768, "num_attention_heads": 12, "num_hidden_layers": 12, "rms_norm_eps": 100000.0}',
      },
      {
        language: 'json',
        code: '{"model_type": "bert", "hidden_size": 768, "num_attention_heads": 12, "num_hidden_layers": 12, "layer_norm_eps": 0}',
      },
      { language: 'json', code: '{"dim": 768, "n_layers": 12, "n_heads": 12, "norm_eps": 1e-12, "dtype": "float16"}' },
    ],
    good: [
      {
        language: 'json',
        code: '{"model_type": "bert", "hidden_size": 768, "num_attention_heads": 12, "num_hidden_layers": 12, "layer_norm_eps": 1e-12, "torch_dtype": "float16"}',
      },
      { language: 'json', code: '{"dim": 768, "n_layers": 12, "n_heads": 12, "norm_eps": 1e-12, "dtype": "bfloat16"}' },
    ],
    fixSafety: 'Unsafe: it changes what the model computes.',
    references: ['https://arxiv.org/abs/1607.06450', 'https://docs.pytorch.org/docs/stable/generated/torch.nn.LayerNorm.html'],
  },
  messages: {
    notPositive: 'Epsilon {value} does not keep the norm from dividing by zero: a constant row gives NaN.',
    large: 'Epsilon {value} outweighs the variance, which is about 1, and flattens the norm. A lost minus sign?',
    vanishes: 'Epsilon {value} is zero in float16, whose smallest number is 5.96e-8: safe only where the norm computes in float32.',
  },
  checkDesign(design, { reading, report }) {
    const { normEpsilon: epsilon, dtype } = design.fields;
    if (epsilon?.source !== 'written' || epsilon.range === undefined) return;
    // ProphetNet's `eps` smooths labels.
    if (!/norm|ln/i.test(epsilon.key ?? '')) return;
    const { value } = epsilon;
    // YAML 1.1 readers such as PyYAML take 1e-05 for a string.
    const digits = reading.parsed.format === 'yaml' ? '1.0' : '1';
    const usual = ['5', '6'].flatMap((power) => {
      const text = `${digits}e-0${power}`;
      return writeFix(reading, `Use ${epsilon.key} ${text}`, [[epsilon, text]]);
    });
    if (value <= 0) report({ at: epsilon.range, message: 'notPositive', data: { value }, fixes: usual });
    else if (value >= 1) report({ at: epsilon.range, message: 'large', data: { value }, fixes: usual });
    else if (
      value < float16Zero &&
      design.knowledge === undefined &&
      dtype?.source === 'written' &&
      /^(float16|fp16|half|16|f16)$/i.test(dtype.value)
    )
      report({
        at: epsilon.range,
        message: 'vanishes',
        severity: 'information',
        data: { value },
        related: [{ range: dtype.keyRange, message: `${dtype.value} is set here.` }],
        fixes: usual,
      });
  },
});
