import type { ConfigReading, TransformerDesign } from '../../design/design.ts';
import { notAttention } from '../../design/lexicon.ts';
import { Section } from '../../design/section.ts';
import { type EntryNode, isMapping } from '../../syntax/node.ts';
import { defineRule } from '../rule.ts';

/** flash_attn_interface.py: heads up to this width, padded to a multiple of `step`. */
const widest = 256;
const step = 8;

export const flashHeadDim = defineRule({
  code: 'HW501',
  name: 'head-dim-off-flash-attention',
  category: 'kernels',
  severity: 'information',
  since: '0.1.0',
  docs: {
    what: 'A head dimension that FlashAttention does not take as it is.',
    why: 'FlashAttention keeps whole heads in fast memory: it takes at most 256 features and works in steps of 8. A wider head fails or falls back to a kernel that writes the whole score matrix; one between two steps is padded by the Python interface and refused by callers that use the kernel directly, as vLLM does. It is a warning where the file itself asks for FlashAttention.',
    bad: [
      { language: 'json', code: '{"model_type": "llama", "hidden_size": 3200, "num_attention_heads": 32, "num_hidden_layers": 26}' },
      {
        language: 'json',
        code: '{"model_type": "llama", "hidden_size": 4096, "num_attention_heads": 8, "num_hidden_layers": 26, "_attn_implementation": "flash_attention_2"}',
      },
    ],
    good: [{ language: 'json', code: '{"model_type": "llama", "hidden_size": 3072, "num_attention_heads": 32, "num_hidden_layers": 26}' }],
    references: [
      'https://github.com/Dao-AILab/flash-attention',
      'https://arxiv.org/abs/2307.08691',
      'https://github.com/vllm-project/vllm/issues/336',
      'https://github.com/Dao-AILab/flash-attention/issues/1645',
    ],
  },
  messages: {
    wide: 'FlashAttention takes heads of at most {widest} features; these have {headDim}.',
    step: 'FlashAttention works in steps of {step} features: heads of {headDim} are padded to {padded}, or refused by code that does not pad.',
  },
  checkDesign(design, { reading, report }) {
    const { headDim, ropeHeadDim, queryHeads, hiddenSize } = design.fields;
    // Latent attention has kernels of its own, and the windows of hierarchical vision models and recurrent layers use none.
    if (headDim === undefined || ropeHeadDim !== undefined || !Number.isInteger(headDim.value) || headDim.value <= 0) return;
    if (/(^|\.)stage \d/.test(design.name) || notAttention.test(design.family ?? '')) return;
    const at = headDim.range ?? queryHeads?.range ?? hiddenSize?.range;
    if (at === undefined) return;
    const wide = headDim.value > widest;
    if (!wide && headDim.value % step === 0) return;
    const asked = asksForFlash(design, reading);
    report({
      at,
      message: wide ? 'wide' : 'step',
      data: { headDim: headDim.value, widest, step, padded: Math.ceil(headDim.value / step) * step },
      severity: wide && asked !== undefined ? 'warning' : 'information',
      related: [
        { range: asked?.range, message: 'FlashAttention is asked for here.' },
        {
          range: headDim.source === 'derived' ? hiddenSize?.keyRange : undefined,
          message: `${hiddenSize?.value ?? 0} features over ${queryHeads?.value ?? 0} heads are ${headDim.value} each.`,
        },
      ],
    });
  },
});

const names = [
  '_attn_implementation',
  'attn_implementation',
  '_attn_implementation_internal',
  'attn_impl',
  'attention_backend',
  'attention_impl',
];
const switches = [
  'use_flash_attention',
  'use_flash_attn',
  'flash_attention',
  'use_flash_attention_2',
  'use_flash_attn_2',
  '_flash_attn_2_enabled',
];

function asksForFlash(design: TransformerDesign, reading: ConfigReading): EntryNode | undefined {
  const attention = design.section.entry('attn_config')?.value;
  for (const section of [design.section, reading.root, ...(isMapping(attention) ? [new Section(attention, 'attn_config')] : [])]) {
    for (const name of names) if (/^flash/i.test(section.string(name) ?? '')) return section.entry(name);
    for (const name of switches) if (section.boolean(name) === true) return section.entry(name);
  }
  return undefined;
}
