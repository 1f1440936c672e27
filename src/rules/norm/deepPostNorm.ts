import { defineRule } from '../rule.ts';

/** BERT-large, BART's two sides together and most published post-norm models end here. */
const usualDepth = 24;

export const deepPostNorm = defineRule({
  code: 'HW303',
  name: 'deep-post-norm',
  category: 'norm',
  severity: 'information',
  since: '0.1.0',
  docs: {
    what: 'A post-norm stack is deeper than published ones that train with warm-up alone.',
    why: 'With the norm after the residual sum gradients near the output are large and shrink towards the input, so deep post-norm models need care: warm-up (Xiong et al. 2020), Admin (Liu et al. 2020), residual scaling as in DeepNet (Wang et al. 2022), or norms moved before the sublayers. None of them shows in a config, so this is information only.',
    bad: [
      {
        language: 'json',
        code: '{"model_type": "bert", "hidden_size": 1024, "num_attention_heads": 16, "num_hidden_layers": 48, "intermediate_size": 4096}',
      },
      { language: 'yaml', code: 'd_model: 512\nnhead: 8\nnum_layers: 36\ndim_feedforward: 2048\nnorm_first: false\n' },
    ],
    good: [
      {
        language: 'json',
        code: '{"model_type": "bert", "hidden_size": 1024, "num_attention_heads": 16, "num_hidden_layers": 24, "intermediate_size": 4096}',
      },
      { language: 'json', code: '{"model_type": "gpt2", "n_embd": 1600, "n_head": 25, "n_layer": 48}' },
    ],
    references: ['https://arxiv.org/abs/2002.04745', 'https://arxiv.org/abs/2004.08249', 'https://arxiv.org/abs/2203.00555'],
  },
  messages: {
    deep: "{layers} post-norm layers: beyond about {usual}, training needs a remedy such as long warm-up, Admin or DeepNet's residual scaling.",
  },
  checkDesign(design, { report }) {
    const { layers, normPlacement } = design.fields;
    if (normPlacement?.value !== 'post' || layers?.source !== 'written' || layers.range === undefined || layers.value <= usualDepth) return;
    // ALBERT's layers share one set of weights.
    if (design.section.has('num_hidden_groups') || design.section.boolean('parameter_sharing') === true) return;
    report({
      at: layers.range,
      message: 'deep',
      data: { layers: layers.value, usual: usualDepth },
      related: [{ range: normPlacement.keyRange, message: 'The norms come after the residual sum.' }],
    });
  },
});
