import type { TransformerDesign } from '../../design/design.ts';
import { defineRule } from '../rule.ts';
import { insertAfter } from '../suggest.ts';
import { headDimKey } from './headDimReading.ts';

/** Further from the width than published models go without saying so: GLM-4.5-Air has 96 heads x 128 in a width of 4096, threefold. */
const farthest = 3;

export const attentionWidthIsNotModelWidth = defineRule({
  code: 'HW104',
  name: 'attention-width-is-not-model-width',
  category: 'heads',
  severity: 'information',
  since: '0.1.0',
  docs: {
    what: 'Heads times head dim is another width than the model has.',
    why: 'That is a legitimate choice: Qwen3, Gemma and T5 set the head dim on purpose, and the output projection maps back to the model width. It is information, with the shapes that result, because tools that compute head dim as width / heads get such models wrong. It is a warning where a default head dim, not written in the file, leaves attention more than three times wider or narrower than the model: then the default was probably forgotten when the sizes were changed.',
    bad: [
      {
        language: 'json',
        code: '{"hidden_size": 2560, "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128, "num_hidden_layers": 36}',
      },
      {
        language: 'json',
        code: '{"model_type": "qwen3", "hidden_size": 1024, "num_attention_heads": 32, "num_key_value_heads": 8, "num_hidden_layers": 28}',
      },
    ],
    good: [
      {
        language: 'json',
        code: '{"hidden_size": 5120, "num_attention_heads": 40, "num_key_value_heads": 8, "head_dim": 128, "num_hidden_layers": 40}',
      },
      { language: 'json', code: '{"hidden_size": 768, "num_attention_heads": 12, "num_hidden_layers": 12}' },
    ],
    fixSafety: 'Unsafe: another head dim is another model.',
    references: ['https://arxiv.org/abs/2505.09388', 'https://arxiv.org/abs/2403.08295', 'https://arxiv.org/abs/1910.10683'],
  },
  messages: {
    chosen: 'Attention is {inner} wide ({heads} heads x {headDim}) in a model {width} wide: {shapes}.',
    forgotten:
      'Attention is {inner} wide ({heads} heads x {headDim}, the default of {origin}) in a model {width} wide: {shapes}. Width / heads would be {quotient}.',
  },
  checkDesign(design, { reading, report }) {
    const { hiddenSize, queryHeads, keyValueHeads, headDim } = design.fields;
    if (hiddenSize === undefined || queryHeads === undefined || headDim === undefined || headDim.source === 'derived') return;
    if (design.fields.keyValueLoraRank !== undefined || design.knowledge?.fields.has('state_size') === true) return;
    const width = hiddenSize.value;
    const heads = queryHeads.value;
    const inner = heads * headDim.value;
    if (![width, heads, headDim.value].every((value) => Number.isInteger(value) && value > 0) || inner === width) return;
    const isWritten = headDim.source === 'written';
    if (!isWritten && (hiddenSize.source !== 'written' || queryHeads.source !== 'written')) return;
    const at = isWritten ? headDim.range : queryHeads.range;
    if (at === undefined) return;
    const quotient = width / heads;
    const forgotten =
      !isWritten &&
      // T5 leaves the inner width free by design (Raffel et al. 2020): ByT5-small has 6 heads x 64 in a width of 1472.
      headDim.key !== 'd_kv' &&
      (inner > farthest * width || inner * farthest < width) &&
      Number.isInteger(quotient) &&
      quotient >= 16 &&
      quotient <= 256;
    const key = headDimKey(design, reading);
    const insertion = forgotten && key !== undefined ? insertAfter(reading, queryHeads, key, quotient) : [];
    report({
      at,
      message: forgotten ? 'forgotten' : 'chosen',
      severity: forgotten ? 'warning' : 'information',
      data: {
        inner,
        heads,
        headDim: headDim.value,
        width,
        quotient,
        origin: headDim.origin ?? '',
        shapes: shapesOf(design, width, inner, keyValueHeads?.value),
      },
      related: [
        { range: hiddenSize.keyRange, message: `The width ${width} is set here.` },
        { range: isWritten ? queryHeads.keyRange : undefined, message: `${heads} query heads are set here.` },
      ],
      fixes: insertion.length === 0 ? [] : [{ title: `Set ${key} ${quotient}`, safe: false, edits: insertion }],
    });
  },
});

/** Weight shapes as [out x in]. */
function shapesOf(design: TransformerDesign, width: number, inner: number, keyValueHeads: number | undefined): string {
  const { headDim, valueDim, queryHeads } = design.fields;
  const q = `q ${inner} x ${width}`;
  if (headDim === undefined || queryHeads === undefined) return q;
  const valueWidth = valueDim?.value ?? headDim.value;
  const o = `o ${width} x ${queryHeads.value * valueWidth}`;
  if (keyValueHeads === undefined) return `${q}, ${o}`;
  const k = keyValueHeads * headDim.value;
  const v = keyValueHeads * valueWidth;
  return k === v ? `${q}, k and v ${k} x ${width}, ${o}` : `${q}, k ${k} x ${width}, v ${v} x ${width}, ${o}`;
}
