import { defineRule } from '../rule.ts';

/** csrc/attention/paged_attention_v1.cu of vLLM, CALL_V1_LAUNCHER_BLOCK_SIZE: one kernel for each width. */
const widths = [32, 64, 80, 96, 112, 120, 128, 192, 256];

export const pagedHeadDim = defineRule({
  code: 'HW502',
  name: 'head-dim-off-paged-attention',
  category: 'kernels',
  severity: 'information',
  since: '0.1.0',
  docs: {
    what: 'A decoder has a head dimension for which vLLM has no PagedAttention kernel.',
    why: 'PagedAttention is compiled for a list of head widths (Kwon et al. 2023). Where the FlashAttention backend, which takes any multiple of 8 up to 256, cannot be used, other widths are refused when the engine starts.',
    bad: [{ language: 'json', code: '{"model_type": "llama", "hidden_size": 640, "num_attention_heads": 16, "num_hidden_layers": 12}' }],
    good: [{ language: 'json', code: '{"model_type": "llama", "hidden_size": 1024, "num_attention_heads": 16, "num_hidden_layers": 12}' }],
    references: ['https://arxiv.org/abs/2309.06180', 'https://github.com/vllm-project/vllm/issues/7490'],
  },
  messages: {
    unlisted: 'vLLM has PagedAttention kernels for heads of {widths} features, none for {headDim}.',
  },
  checkDesign(design, { report }) {
    const { headDim, ropeHeadDim, queryHeads, hiddenSize, causal } = design.fields;
    if (headDim === undefined || ropeHeadDim !== undefined || (design.role !== 'decoder' && design.role !== 'text')) return;
    // Only what surely decodes keeps a cache of keys and values.
    const decodes = causal?.value === true || (causal === undefined && design.family === undefined && design.name === '');
    if (!decodes || !Number.isInteger(headDim.value) || headDim.value <= 0) return;
    // Steps of 8 and the limit of 256 are the matter of head-dim-off-flash-attention.
    if (headDim.value > 256 || headDim.value % 8 !== 0 || widths.includes(headDim.value)) return;
    const at = headDim.range ?? queryHeads?.range ?? hiddenSize?.range;
    if (at === undefined) return;
    report({
      at,
      message: 'unlisted',
      data: { widths: widths.join(', '), headDim: headDim.value },
      related: [
        {
          range: headDim.source === 'derived' ? hiddenSize?.keyRange : undefined,
          message: `${hiddenSize?.value ?? 0} features over ${queryHeads?.value ?? 0} heads are ${headDim.value} each.`,
        },
      ],
    });
  },
});
