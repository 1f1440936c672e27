import { numberOf } from '../../design/section.ts';
import { isScalar, isSequence } from '../../syntax/node.ts';
import { booleanKey, numberKey, writtenNumber } from '../keys.ts';
import { defineRule } from '../rule.ts';
import { writeFix } from '../suggest.ts';

export const embeddingWidth = defineRule({
  code: 'HW202',
  name: 'embedding-width-differs-from-width',
  category: 'projections',
  severity: 'error',
  since: '0.1.0',
  docs: {
    what: 'The token or position embedding has another width than the model, and this model has no projection between them.',
    why: 'ALBERT, ELECTRA, DeBERTa-v2 and OPT project a narrow embedding to the model width; SqueezeBERT refuses it, and TencentPretrain projects only with `factorized_embedding_parameterization`. Reformer concatenates its axial position embeddings, so their widths must sum to the model width.',
    bad: [
      {
        language: 'json',
        code: '{"model_type": "squeezebert", "hidden_size": 768, "embedding_size": 128, "num_attention_heads": 12, "num_hidden_layers": 12}',
      },
      {
        language: 'json',
        code: '{"emb_size": 128, "feedforward_size": 3072, "hidden_size": 768, "hidden_act": "gelu", "heads_num": 12, "layers_num": 12, "dropout": 0.1, "embedding": ["word", "pos", "seg"], "encoder": "transformer"}',
      },
      {
        language: 'json',
        code: '{"model_type": "reformer", "hidden_size": 512, "num_attention_heads": 8, "attention_head_size": 64, "axial_pos_embds_dim": [64, 192]}',
      },
    ],
    good: [
      {
        language: 'json',
        code: '{"model_type": "albert", "hidden_size": 768, "embedding_size": 128, "num_attention_heads": 12, "num_hidden_layers": 12}',
      },
      {
        language: 'json',
        code: '{"emb_size": 128, "feedforward_size": 3072, "hidden_size": 768, "hidden_act": "gelu", "heads_num": 12, "layers_num": 12, "dropout": 0.1, "factorized_embedding_parameterization": true, "embedding": ["word", "pos", "seg"], "encoder": "transformer"}',
      },
    ],
    fixSafety: 'Unsafe: it changes the size of the embedding.',
    references: [
      'https://github.com/huggingface/transformers/blob/main/src/transformers/models/squeezebert/modeling_squeezebert.py',
      'https://github.com/Tencent/TencentPretrain/blob/main/tencentpretrain/encoders/transformer_encoder.py',
      'https://arxiv.org/abs/2001.04451',
    ],
  },
  messages: {
    narrow: 'The embedding is {embedding} wide, the model {width}, and nothing projects one to the other.',
    factorized:
      'The embedding is {embedding} wide, the model {width}; without factorized_embedding_parameterization nothing projects one to the other.',
    axial: 'The axial position embeddings are {parts} = {sum} wide together, the model {width}.',
  },
  checkDesign(design, { reading, report }) {
    const { section } = design;
    const width = design.fields.hiddenSize;
    if (width === undefined || !(width.value > 0)) return;
    if (design.family === 'squeezebert') {
      const embedding = numberKey(design, 'embedding_size');
      const at = embedding?.range ?? width.range;
      if (embedding === undefined || embedding.value === width.value || at === undefined) return;
      report({
        at,
        message: 'narrow',
        data: { embedding: embedding.value, width: width.value },
        related: [{ range: at === width.range ? undefined : width.keyRange, message: `The model width ${width.value} is set here.` }],
        fixes: writeFix(reading, `Use embedding_size ${width.value}`, [[embedding, width.value]]),
      });
      return;
    }
    if (design.family === 'reformer') {
      const found = section.lookup('axial_pos_embds_dim');
      if (found.state !== 'value' || !isSequence(found.node) || booleanKey(design, 'axial_pos_embds')?.value !== true) return;
      const parts = found.node.items.map((item) => (isScalar(item) ? numberOf(item) : undefined));
      let sum = 0;
      for (const part of parts) {
        if (part === undefined) return;
        sum += part;
      }
      if (parts.length < 2 || sum === width.value) return;
      report({
        at: found.node.range,
        message: 'axial',
        data: { parts: parts.join(' + '), sum, width: width.value },
        related: [{ range: width.keyRange, message: `The model width ${width.value} is set here.` }],
        fixes: writeFix(reading, `Use ${width.key ?? 'hidden_size'} ${sum}`, [[width, sum]]),
      });
      return;
    }
    // TencentPretrain (UER); the flag may also be given on the command line.
    if (design.knowledge !== undefined || !section.has('heads_num') || !section.has('layers_num')) return;
    const embedding = writtenNumber(section, 'emb_size');
    if (embedding?.range === undefined || embedding.value === width.value) return;
    if (section.has('factorized_embedding_parameterization') || section.string('encoder') !== 'transformer') return;
    report({
      at: embedding.range,
      message: 'factorized',
      severity: 'warning',
      data: { embedding: embedding.value, width: width.value },
      related: [{ range: width.keyRange, message: `The model width ${width.value} is set here.` }],
      fixes: writeFix(reading, `Use emb_size ${width.value}`, [[embedding, width.value]]),
    });
  },
});
