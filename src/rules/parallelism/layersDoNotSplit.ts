import { defineRule } from '../rule.ts';
import { otherNumber, placeOf, smallerSizes, splitSize, stackOf } from './sizes.ts';

/** Keys with which Megatron is told how many layers the first and the last stage have. */
const firstKeys = ['num_layers_in_first_pipeline_stage', 'decoder_first_pipeline_num_layers', 'first_pipeline_num_layers'];
const lastKeys = ['num_layers_in_last_pipeline_stage', 'decoder_last_pipeline_num_layers', 'last_pipeline_num_layers'];

/** Keys with which it is told the whole layout. */
const layoutKeys = [
  'pipeline_model_parallel_layout',
  'pipeline_layout',
  'hybrid_layer_pattern',
  'hybrid_override_pattern',
  'standalone_embedding_stage',
  'pipeline_model_parallel_split_rank',
  'custom_pipeline_layers',
];

export const layersDoNotSplit = defineRule({
  code: 'HW606',
  name: 'layers-do-not-split',
  category: 'parallelism',
  severity: 'warning',
  since: '0.1.0',
  docs: {
    what: 'The layers do not divide over the pipeline stages.',
    why: 'Megatron builds layers / stages on every stage and refuses a remainder unless told how long the first or last stage is; older versions built too few layers without a word, and so does code that rounds down. vLLM, torchtitan and GPT-NeoX split unevenly by themselves.',
    bad: [
      {
        language: 'yaml',
        code: 'num_layers: 60\nhidden_size: 4096\nnum_attention_heads: 32\nffn_hidden_size: 16384\npipeline_model_parallel_size: 8\n',
      },
    ],
    good: [
      {
        language: 'yaml',
        code: 'num_layers: 60\nhidden_size: 4096\nnum_attention_heads: 32\nffn_hidden_size: 16384\npipeline_model_parallel_size: 6\n',
      },
      {
        language: 'yaml',
        code: 'num_layers: 60\nhidden_size: 4096\nnum_attention_heads: 32\nffn_hidden_size: 16384\npipeline_model_parallel_size: 8\nnum_layers_in_first_pipeline_stage: 4\n',
      },
    ],
    references: [
      'https://github.com/NVIDIA-NeMo/Megatron-Bridge/pull/5884',
      'https://github.com/NVIDIA/Megatron-LM/issues/1304',
      'https://github.com/ml-explore/mlx-lm/issues/1688',
    ],
  },
  messages: {
    uneven: '{layers} layers do not split over {stages} pipeline stages: {layers} % {stages} = {remainder}.',
    fewer: '{layers} layers are fewer than {stages} pipeline stages: some stages would be empty.',
    left: 'The other {left} layers do not split over the other {leftStages} pipeline stages: {left} % {leftStages} = {remainder}.',
    chunks: '{perStage} layers per pipeline stage do not split into {chunks} virtual stages: {perStage} % {chunks} = {remainder}.',
  },
  checkDesign(design, { reading, settings, report }) {
    if (design !== reading.designs[0] || reading.designs.length > 1) return;
    const size = splitSize(reading, settings, 'pipeline');
    const { layers } = design.fields;
    if (size === undefined || layers === undefined) return;
    const at = placeOf(size, layers);
    const count = layers.value;
    if (at === undefined || !Number.isInteger(count) || count <= 0) return;
    const related = otherNumber(size, layers, `The ${count} layers are set here.`);
    const stages = size.value;
    const { section } = design;
    const isSet = (key: string): boolean => !['absent', 'null'].includes(section.lookup(key).state) && section.number(key) !== 0;
    const ends = [...firstKeys, ...lastKeys].filter(isSet);
    const told = ends.length > 0 || layoutKeys.some(isSet);
    if (count < stages) {
      if (!told)
        report({
          at,
          message: 'fewer',
          severity: 'warning',
          data: { layers: count, stages },
          related,
          fixes: smallerSizes(size, count, () => true),
        });
      return;
    }
    const stack = stackOf(reading, settings);
    if (stack === 'megatron' && ends.length > 0 && !layoutKeys.some(isSet)) {
      const own = ends.map((key) => section.number(key));
      if (!own.every((value): value is number => value !== undefined && Number.isInteger(value))) return;
      const left = count - own.reduce((sum, value) => sum + value, 0);
      const leftStages = stages - own.length;
      const endAt = section.entry(ends[0] ?? '')?.value?.range;
      if (left < 0 || leftStages <= 0 || left % leftStages === 0 || endAt === undefined) return;
      report({
        at: endAt,
        message: 'left',
        data: { left, leftStages, remainder: left % leftStages },
        related: [{ range: layers.keyRange, message: `The ${count} layers are set here.` }],
      });
      return;
    }
    if (told || stack === 'vllm' || stack === 'neuron' || stack === 'torchtitan' || stack === 'gpt-neox') return;
    const extra = ['account_for_embedding_in_pipeline_split', 'account_for_loss_in_pipeline_split'].filter(
      (key) => section.boolean(key) === true || section.number(key) === 1,
    ).length;
    const total = count + extra;
    if (total % stages !== 0) {
      report({
        at,
        message: 'uneven',
        data: { layers: total, stages, remainder: total % stages },
        severity: size.field === undefined && stack === undefined ? 'information' : 'warning',
        related,
        fixes: extra > 0 ? [] : smallerSizes(size, count, () => true),
      });
      return;
    }
    const chunks = section.number('virtual_pipeline_model_parallel_size');
    const chunksAt = section.entry('virtual_pipeline_model_parallel_size')?.value?.range;
    const perStage = total / stages;
    if (chunks === undefined || chunksAt === undefined || !Number.isInteger(chunks) || chunks < 2 || perStage % chunks === 0) return;
    report({
      at: chunksAt,
      message: 'chunks',
      data: { perStage, chunks, remainder: perStage % chunks },
      related: [{ range: layers.keyRange, message: `${total} layers over ${stages} stages are ${perStage} each.` }],
    });
  },
});
