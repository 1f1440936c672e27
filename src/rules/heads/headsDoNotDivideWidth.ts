import { defineRule } from '../rule.ts';
import { divisorsNear, setValue } from '../suggest.ts';

export const headsDoNotDivideWidth = defineRule({
  code: 'HW101',
  name: 'heads-do-not-divide-width',
  category: 'heads',
  severity: 'error',
  since: '0.1.0',
  docs: {
    what: 'The model width is not a multiple of the number of attention heads, and nothing sets the head dimension.',
    why: 'Without an explicit head dimension each head gets width / heads features. When that is not a whole number the head split fails at the first forward pass with a reshape error, or silently loses features where the code uses integer division.',
    bad: [{ language: 'json', code: '{"hidden_size": 770, "num_attention_heads": 12, "num_hidden_layers": 12}' }],
    good: [
      { language: 'json', code: '{"hidden_size": 768, "num_attention_heads": 12, "num_hidden_layers": 12}' },
      { language: 'json', code: '{"hidden_size": 2560, "num_attention_heads": 24, "head_dim": 128, "num_hidden_layers": 36}' },
    ],
    references: ['https://arxiv.org/abs/1706.03762'],
  },
  messages: {
    indivisible: 'Width {width} does not split into {heads} heads: {width} / {heads} leaves {remainder}.',
    swapped:
      'Width {width} does not split into {heads} heads: {width} / {heads} leaves {remainder}. It does split into {layers}: are layers and heads swapped?',
  },
  checkDesign(design, { report }) {
    const { hiddenSize, queryHeads, layers } = design.fields;
    if (hiddenSize === undefined || queryHeads === undefined) return;
    if (!design.headDimIsQuotient) return;
    const width = hiddenSize.value;
    const heads = queryHeads.value;
    if (!(width > 0 && heads > 0) || width % heads === 0) return;
    const at = queryHeads.range ?? hiddenSize.range;
    if (at === undefined) return;
    const swapped = layers !== undefined && layers.source === 'written' && width % layers.value === 0 && layers.value > 1;
    report({
      at,
      message: swapped ? 'swapped' : 'indivisible',
      data: { width, heads, remainder: width % heads, layers: layers?.value ?? 0 },
      related: [{ range: hiddenSize.keyRange, message: `The width ${width} is set here.` }],
      fixes: divisorsNear(width, heads, 3).map((count) => ({
        title: `Use ${count} heads`,
        safe: false,
        edits: setValue(queryHeads, count),
      })),
    });
  },
});
