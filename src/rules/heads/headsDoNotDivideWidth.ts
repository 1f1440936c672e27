import { defineRule } from '../rule.ts';
import { headCountsFor, insertAfter, usualHeadDims, widthsFor, writeFix } from '../suggest.ts';
import { headDimKey, onRemainder } from './headDimReading.ts';

export const headsDoNotDivideWidth = defineRule({
  code: 'HW101',
  name: 'heads-do-not-divide-width',
  category: 'heads',
  severity: 'error',
  since: '0.1.0',
  docs: {
    what: 'The model width is not a multiple of the number of attention heads, and nothing sets the head dimension.',
    why: 'Without an explicit head dimension each head gets width / heads features (Vaswani et al. 2017, section 3.2.2). When that is not a whole number, most code fails at construction or in the first reshape. Code that divides with `//` runs, but with heads narrower than meant; there it is a warning.',
    bad: [
      { language: 'json', code: '{"hidden_size": 770, "num_attention_heads": 12, "num_hidden_layers": 12}' },
      { language: 'json', code: '{"model_type": "bert", "hidden_size": 512, "num_attention_heads": 6, "num_hidden_layers": 8}' },
      {
        language: 'yaml',
        code: 'hidden_size: 5120\nnum_attention_heads: 48\nnum_layers: 40\nffn_hidden_size: 20480\nmicro_batch_size: 4\n',
      },
      {
        language: 'json',
        code: '{"model_type": "mistral", "hidden_size": 4096, "num_attention_heads": 24, "num_key_value_heads": 8, "num_hidden_layers": 32}',
      },
    ],
    good: [
      { language: 'json', code: '{"hidden_size": 768, "num_attention_heads": 12, "num_hidden_layers": 12}' },
      { language: 'json', code: '{"hidden_size": 2560, "num_attention_heads": 24, "head_dim": 128, "num_hidden_layers": 36}' },
      { language: 'json', code: '{"dim": 1023, "heads": 8, "depth": 12, "dim_head": 25}' },
    ],
    fixSafety: 'Unsafe: another head count, width or head dim is another model, and a checkpoint of the old shape no longer fits.',
    references: ['https://arxiv.org/abs/1706.03762', 'https://github.com/huggingface/transformers/issues/61'],
  },
  messages: {
    indivisible: 'Width {width} does not split into {heads} heads: {width} % {heads} = {remainder}.',
    swapped:
      'Width {width} does not split into {heads} heads: {width} % {heads} = {remainder}. It does split into {layers}: are layers and heads swapped?',
    rounded:
      'Width {width} does not split into {heads} heads: {width} % {heads} = {remainder}. The head dim is rounded down to {headDim}, so attention is {inner} wide.',
  },
  checkDesign(design, { reading, report }) {
    const { hiddenSize, queryHeads, keyValueHeads, layers } = design.fields;
    if (!design.headDimIsQuotient || hiddenSize === undefined || queryHeads === undefined) return;
    const width = hiddenSize.value;
    const heads = queryHeads.value;
    if (!Number.isInteger(width) || !Number.isInteger(heads) || width < 1 || heads < 1 || width % heads === 0) return;
    const at = queryHeads.range ?? hiddenSize.range;
    if (at === undefined) return;
    const remainder = onRemainder(design);
    const depth = layers?.value ?? 0;
    const swapped =
      layers?.source === 'written' && depth > 1 && depth !== heads && width % depth === 0 && width / depth >= 32 && width / depth <= 256;
    const shared = keyValueHeads?.source === 'written' && keyValueHeads.value < heads ? keyValueHeads.value : 1;
    const sameKeyValueHeads = keyValueHeads?.source === 'written' && keyValueHeads.value === heads ? keyValueHeads : undefined;
    const key = headDimKey(design, reading);
    const headDims = [...usualHeadDims].sort((a, b) => Math.abs(a - width / heads) - Math.abs(b - width / heads)).slice(0, 1);
    const [size] = widthsFor(heads, width, 1);
    const widthFixes = size === undefined ? [] : writeFix(reading, `Use ${hiddenSize.key ?? 'width'} ${size}`, [[hiddenSize, size]]);
    // 770 for 768 is a slip of the width; the head count is as it was meant.
    const slip = size !== undefined && Math.abs(size - width) / width < 0.02;
    report({
      at,
      message: remainder !== 'fails' ? 'rounded' : swapped ? 'swapped' : 'indivisible',
      severity: remainder === 'fails' ? 'error' : remainder === 'library' || design.knowledge === undefined ? 'information' : 'warning',
      data: {
        width,
        heads,
        remainder: width % heads,
        layers: depth,
        headDim: Math.floor(width / heads),
        inner: Math.floor(width / heads) * heads,
      },
      related: [
        {
          range: queryHeads.range === undefined ? undefined : hiddenSize.keyRange,
          message: `The width ${width} is set here.`,
        },
        { range: swapped ? layers?.keyRange : undefined, message: `${depth} layers are set here.` },
      ],
      fixes: [
        ...(swapped && sameKeyValueHeads === undefined && depth % shared === 0
          ? writeFix(reading, `Swap ${depth} layers and ${heads} heads`, [
              [queryHeads, depth],
              [layers, heads],
            ])
          : []),
        ...(slip ? widthFixes : []),
        ...headCountsFor(width, heads, 2, shared).flatMap((count) =>
          writeFix(
            reading,
            `Use ${count} heads`,
            sameKeyValueHeads === undefined
              ? [[queryHeads, count]]
              : [
                  [queryHeads, count],
                  [sameKeyValueHeads, count],
                ],
          ),
        ),
        ...(slip ? [] : widthFixes),
        ...headDims.flatMap((headDim) => {
          const edits = key === undefined ? [] : insertAfter(reading, queryHeads, key, headDim);
          return edits.length === 0 ? [] : [{ title: `Set ${key} ${headDim}`, safe: false, edits }];
        }),
      ],
    });
  },
});
