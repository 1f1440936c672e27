import type { Section } from '../../design/section.ts';
import { scalarsOf } from '../../design/section.ts';
import { isMapping, isSequence } from '../../syntax/node.ts';
import { defineRule } from '../rule.ts';
import { isSplit, otherNumber, placeOf, smallerSizes, splitSize, splitsEvenly, stackOf } from './sizes.ts';

export const quantisedWeightsDoNotSplit = defineRule({
  code: 'HW607',
  name: 'quantised-weights-do-not-split',
  category: 'parallelism',
  severity: 'warning',
  since: '0.1.0',
  docs: {
    what: 'A rank of a quantised model would hold part of a quantisation group or of a packed word.',
    why: 'AWQ and GPTQ keep one scale for each group of input features and pack several weights of neighbouring outputs into one 32-bit word. vLLM refuses to load a matrix whose inputs per rank are not whole groups or whose outputs are not whole words; it quantises the score head of a classifier too, unless the config names it as not converted.',
    bad: [
      {
        language: 'json',
        code: '{"model_type": "qwen2", "hidden_size": 8192, "intermediate_size": 29568, "num_attention_heads": 64, "num_key_value_heads": 8, "num_hidden_layers": 80, "vocab_size": 152064, "quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 128}, "tensor_parallel_size": 4}',
      },
      {
        language: 'json',
        code: '{"architectures": ["Qwen2ForSequenceClassification"], "model_type": "qwen2", "hidden_size": 5120, "intermediate_size": 27648, "num_attention_heads": 40, "num_key_value_heads": 8, "num_hidden_layers": 64, "quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 128}, "tensor_parallel_size": 2}',
      },
    ],
    good: [
      {
        language: 'json',
        code: '{"model_type": "qwen2", "hidden_size": 8192, "intermediate_size": 29696, "num_attention_heads": 64, "num_key_value_heads": 8, "num_hidden_layers": 80, "vocab_size": 152064, "quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 128}, "tensor_parallel_size": 4}',
      },
    ],
    references: [
      'https://github.com/vllm-project/vllm/issues/11671',
      'https://github.com/vllm-project/vllm/blob/main/vllm/model_executor/layers/quantization/awq.py',
      'https://github.com/QwenLM/Qwen3/issues/698',
    ],
  },
  messages: {
    groups:
      'The FFN width {width} is {groups} quantisation groups of {group}, which do not split over {ranks} tensor-parallel ranks: {width} / {ranks} = {share}.',
    attention:
      'The attention output width {width} is {groups} quantisation groups of {group}, which do not split over {ranks} tensor-parallel ranks: {width} / {ranks} = {share}.',
    head: 'The score head has {labels} outputs, and {bits}-bit weights are packed {pack} to a word: {labels} % {pack} = {remainder}. vLLM refuses it.',
  },
  checkDesign(design, { reading, settings, report }) {
    const size = splitSize(reading, settings, 'tensor');
    if (size === undefined || !isSplit(design, reading)) return;
    const stack = stackOf(reading, settings);
    if (stack !== undefined && stack !== 'vllm') return;
    const quantisation = reading.root.child('quantization_config');
    const method = quantisation?.string('quant_method') ?? '';
    const bits = quantisation?.number('bits') ?? quantisation?.number('w_bit');
    const group = quantisation?.number('group_size') ?? quantisation?.number('q_group_size');
    if (quantisation === undefined || bits === undefined || group === undefined || !/^(awq|gptq|)$/.test(method)) return;
    const ranks = size.value;
    const severity = stack === 'vllm' ? 'error' : 'warning';
    const { intermediateSize, queryHeads, valueDim, experts } = design.fields;
    const attention =
      queryHeads !== undefined && valueDim !== undefined ? { ...queryHeads, value: queryHeads.value * valueDim.value } : undefined;
    for (const [message, width] of [
      ['groups', experts === undefined ? intermediateSize : undefined],
      ['attention', attention],
    ] as const) {
      if (
        width === undefined ||
        group <= 0 ||
        width.value % group !== 0 ||
        width.value % ranks !== 0 ||
        (width.value / ranks) % group === 0
      )
        continue;
      const at = placeOf(size, width);
      if (at === undefined) continue;
      report({
        at,
        message,
        severity,
        data: { width: width.value, groups: width.value / group, group, ranks, share: width.value / ranks },
        related: [
          ...otherNumber(size, width, `The width ${width.value} ${message === 'groups' ? 'is set' : 'follows from'} here.`),
          { range: quantisation.rangeOf('group_size'), message: `A group has ${group} features.` },
        ],
        fixes: smallerSizes(size, width.value / group, (value) => splitsEvenly(design, value)),
      });
    }
    const labels = labelsOf(reading.root);
    if (labels === undefined || bits >= 32 || 32 % bits !== 0 || labels.count % (32 / bits) === 0 || keepsScore(quantisation)) return;
    const pack = 32 / bits;
    report({
      at: labels.section.rangeOf(labels.key),
      message: 'head',
      severity,
      data: { labels: labels.count, bits, pack, remainder: labels.count % pack },
      related: [{ range: quantisation.rangeOf('bits'), message: `Weights have ${bits} bits.` }],
    });
  },
});

/** Outputs of a sequence classifier's score head; two unless the file says otherwise (PreTrainedConfig). */
function labelsOf(root: Section): { readonly count: number; readonly section: Section; readonly key: string } | undefined {
  const architectures = root.lookup('architectures');
  if (architectures.state !== 'value' || !isSequence(architectures.node)) return undefined;
  if (!scalarsOf(architectures.node).some((item) => typeof item.value === 'string' && item.value.endsWith('ForSequenceClassification')))
    return undefined;
  const written = root.number('num_labels');
  if (written !== undefined) return { count: written, section: root, key: 'num_labels' };
  const names = root.entry('id2label')?.value;
  if (isMapping(names)) return { count: names.entries.length, section: root, key: 'id2label' };
  return { count: 2, section: root, key: 'architectures' };
}

const keepsScore = (quantisation: Section): boolean =>
  scalarsOf(quantisation.entry('modules_to_not_convert')?.value).some((item) => item.value === 'score');
