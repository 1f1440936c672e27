import { type Architecture, type Architectures, type Layout, tied } from './architecture.ts';
import { gatedFfn, plainFfn } from './blocks.ts';
import { bert, bertLayer, both, classifier, encoder, hiddenOf, roberta, spans, tables, vocabularyOf } from './encoders.ts';
import type { Settings } from './settings.ts';
import { NotModelled, type Scope } from './sheet.ts';

/*
 * Text models with a layout of their own. The source of an entry `x` is the class it describes: transformers 5.18.0,
 * src/transformers/models/x/modeling_x.py.
 */

const headed = (usual: string, body: Layout, base: string, head: Layout): Architecture => ({
  body,
  usual,
  heads: {
    [usual]: (s, c) => {
      body(s.at(base), c);
      head(s, c);
    },
  },
});

/** LUKE (Yamada et al. 2020): entities beside words, and queries for each pair of the two. */
function luke(): Architecture {
  return encoder({
    base: 'luke',
    embeddings: (s, c) => {
      tables()(s, c);
      const hidden = hiddenOf(c);
      const width = c.int('entity_emb_size');
      const at = s.at('entity_embeddings');
      at.embedding('entity_embeddings', c.int('entity_vocab_size'), width);
      if (width !== hidden) at.linear('entity_embedding_dense', hidden, width);
      at.embedding('position_embeddings', c.int('max_position_embeddings'), hidden);
      at.embedding('token_type_embeddings', c.int('type_vocab_size'), hidden);
      at.layerNorm('LayerNorm', hidden);
    },
    layer: bertLayer({
      self: (s, c) => {
        if (c.flag('use_entity_aware_attention'))
          for (const name of ['w2e_query', 'e2w_query', 'e2e_query']) s.linear(name, hiddenOf(c), hiddenOf(c), true);
      },
    }),
    maskedPooler: true,
    masked: (root, c) => {
      // Its words' output table is its own; only the bias is shared.
      const head = root.at('lm_head');
      head.weight('bias', [vocabularyOf(c)]);
      head.linear('dense', hiddenOf(c), hiddenOf(c), true);
      head.layerNorm('layer_norm', hiddenOf(c));
      head.embedding('decoder', vocabularyOf(c), hiddenOf(c));
      head.weight('decoder.bias', [vocabularyOf(c)], { tied: tied(c) });
      const s = root.at('entity_predictions');
      const width = c.int('entity_emb_size');
      s.weight('bias', [c.int('entity_vocab_size')]);
      s.linear('transform.dense', width, hiddenOf(c), true);
      s.layerNorm('transform.LayerNorm', width);
      s.embedding('decoder', c.int('entity_vocab_size'), width, tied(c));
    },
  });
}

/** MobileBERT (Sun et al. 2020): layers narrower inside than between; norms are a scale and a shift. */
function mobileBert(): Architecture {
  return encoder({
    base: 'mobilebert',
    embeddings: (s, c) => {
      const hidden = hiddenOf(c);
      const width = c.int('embedding_size');
      const at = s.at('embeddings');
      if (
        !c.flag('trigram_input') ||
        !c.flag('use_bottleneck') ||
        c.flag('use_bottleneck_attention') ||
        !c.flag('key_query_shared_bottleneck')
      )
        throw new NotModelled('MobileBERT without its bottlenecks.');
      if ((c.text('normalization_type') ?? 'no_norm') !== 'no_norm' && c.text('normalization_type') !== 'layer_norm')
        throw new NotModelled('normalization_type.');
      c.read.add('classifier_activation');
      const inside = c.maybe('true_hidden_size');
      if (inside !== undefined && inside !== c.int('intra_bottleneck_size')) throw new NotModelled('true_hidden_size.');
      at.embedding('word_embeddings', vocabularyOf(c), width);
      at.embedding('position_embeddings', c.int('max_position_embeddings'), hidden);
      at.embedding('token_type_embeddings', c.int('type_vocab_size'), hidden);
      at.linear('embedding_transformation', hidden, 3 * width, true);
      at.layerNorm('LayerNorm', hidden);
    },
    layer: (s, c) => {
      const hidden = hiddenOf(c);
      const width = c.int('intra_bottleneck_size');
      const inner = c.int('intermediate_size');
      s.linear('attention.self.query', width, width, true);
      s.linear('attention.self.key', width, width, true);
      s.linear('attention.self.value', width, hidden, true);
      s.linear('attention.output.dense', width, width, true);
      s.layerNorm('attention.output.LayerNorm', width);
      s.linear('intermediate.dense', inner, width, true);
      s.linear('output.dense', width, inner, true);
      s.layerNorm('output.LayerNorm', width);
      s.linear('output.bottleneck.dense', hidden, width, true);
      s.layerNorm('output.bottleneck.LayerNorm', hidden);
      for (const name of ['input', 'attention']) {
        s.linear(`bottleneck.${name}.dense`, width, hidden, true);
        s.layerNorm(`bottleneck.${name}.LayerNorm`, width);
      }
      s.each('ffn', c.int('num_feedforward_networks') - 1, (ffn) => {
        ffn.linear('intermediate.dense', inner, width, true);
        ffn.linear('output.dense', width, inner, true);
        ffn.layerNorm('output.LayerNorm', width);
      });
    },
    pooler: (_, c) => {
      if (c.flag('classifier_activation')) throw new NotModelled('The pooler of MobileBERT.');
    },
    masked: (root, c) => {
      const s = root.at('cls.predictions');
      s.weight('bias', [vocabularyOf(c)]);
      s.linear('transform.dense', hiddenOf(c), hiddenOf(c), true);
      s.layerNorm('transform.LayerNorm', hiddenOf(c));
      s.linear('dense', hiddenOf(c) - c.int('embedding_size'), vocabularyOf(c));
      s.embedding('decoder', vocabularyOf(c), c.int('embedding_size'), tied(c));
      s.weight('decoder.bias', [vocabularyOf(c)], { tied: tied(c) });
    },
  });
}

/** XLM (Lample and Conneau 2019): lists of attentions, norms and FFNs beside each other. */
function xlm(): Architecture {
  const width = (c: Settings): number => c.int('emb_dim');
  const body: Layout = (s, c) => {
    const hidden = width(c);
    const layers = c.int('n_layers');
    if (c.int('n_langs') > 1 && c.flag('use_lang_emb')) s.embedding('lang_embeddings', c.int('n_langs'), hidden);
    c.read.add('use_lang_emb');
    c.read.add('sinusoidal_embeddings');
    if (!c.flag('is_encoder', true)) throw new NotModelled('XLM as a decoder.');
    s.embedding('position_embeddings', c.int('max_position_embeddings'), hidden);
    s.embedding('embeddings', vocabularyOf(c), hidden);
    s.layerNorm('layer_norm_emb', hidden);
    s.each('attentions', layers, (layer) => {
      for (const name of ['q_lin', 'k_lin', 'v_lin', 'out_lin']) layer.linear(name, hidden, hidden, true);
    });
    s.each('ffns', layers, (layer) => plainFfn(layer, ['lin1', 'lin2'], hidden, 4 * hidden));
    for (const name of ['layer_norm1', 'layer_norm2']) s.at(`${name}.0`, layers).weight('weight', [hidden]);
    for (const name of ['layer_norm1', 'layer_norm2']) s.at(`${name}.0`, layers).weight('bias', [hidden]);
    for (const key of ['causal', 'gelu_activation', 'start_n_top', 'end_n_top', 'lang_id']) c.read.add(key);
  };
  return headed('WithLMHeadModel', body, 'transformer', (s, c) => {
    if (c.flag('asm')) throw new NotModelled('Adaptive softmax.');
    s.head('pred_layer.proj', vocabularyOf(c), width(c), tied(c), true);
  });
}

/** FlauBERT is XLM for one language. */
function flaubert(): Architecture {
  const base = xlm();
  const refuse =
    (layout: Layout | undefined): Layout =>
    (s, c) => {
      c.read.add('pre_norm');
      if (layout === undefined) throw new NotModelled('The class is not described yet.');
      layout(s, c);
    };
  return { ...base, body: refuse(base.body), heads: { WithLMHeadModel: refuse(base.heads.WithLMHeadModel) } };
}

/** XLNet (Yang et al. 2019): projections kept as [width, heads, head dim], with relative positions. */
function xlnet(): Architecture {
  const width = (c: Settings): number => c.int('d_model');
  const body: Layout = (s, c) => {
    const hidden = width(c);
    const heads = c.int('n_head');
    const headDim = Math.floor(hidden / heads);
    c.read.add('d_head');
    for (const key of [
      'bi_data',
      'clamp_len',
      'mem_len',
      'reuse_len',
      'same_length',
      'use_mems_eval',
      'use_mems_train',
      'attn_type',
      'untie_r',
      'ff_activation',
      'start_n_top',
      'end_n_top',
    ])
      c.read.add(key);
    s.weight('mask_emb', [1, 1, hidden]);
    s.embedding('word_embedding', vocabularyOf(c), hidden);
    s.each('layer', c.int('n_layer'), (layer) => {
      for (const name of ['q', 'k', 'v', 'o', 'r']) layer.weight(`rel_attn.${name}`, [hidden, heads, headDim]);
      for (const name of ['r_r_bias', 'r_s_bias', 'r_w_bias']) layer.weight(`rel_attn.${name}`, [heads, headDim]);
      layer.weight('rel_attn.seg_embed', [2, heads, headDim]);
      layer.layerNorm('rel_attn.layer_norm', hidden);
      layer.layerNorm('ff.layer_norm', hidden);
      plainFfn(layer.at('ff'), ['layer_1', 'layer_2'], hidden, c.int('d_inner'));
    });
  };
  return headed('LMHeadModel', body, 'transformer', (s, c) => s.head('lm_loss', vocabularyOf(c), width(c), tied(c), true));
}

/** CPM-Ant: relative positions over segments, prompts in front. */
function cpmAnt(): Architecture {
  const words = (c: Settings): number => vocabularyOf(c) + c.int('prompt_types') * c.int('prompt_length');
  const body: Layout = (s, c) => {
    const hidden = hiddenOf(c);
    const heads = c.int('num_attention_heads');
    const width = heads * c.int('dim_head');
    s.each('encoder.layers', c.int('num_hidden_layers'), (layer) => {
      layer.norm('self_att.layernorm_before_attention', hidden);
      for (const name of ['project_q', 'project_k', 'project_v']) layer.linear(`self_att.self_attention.${name}`, width, hidden);
      layer.linear('self_att.self_attention.attention_out', hidden, width);
      layer.norm('ffn.layernorm_before_ffn', hidden);
      layer.linear('ffn.ffn.w_in.w_0', c.int('dim_ff'), hidden);
      layer.linear('ffn.ffn.w_in.w_1', c.int('dim_ff'), hidden);
      layer.linear('ffn.ffn.w_out', hidden, c.int('dim_ff'));
    });
    const segments = c.int('segment_types');
    s.norm('encoder.output_layernorm', hidden);
    s.embedding('segment_embedding', segments, hidden);
    s.embedding('input_embedding', words(c), hidden);
    s.weight('position_bias.relative_attention_bias', [segments * segments + c.int('position_bias_num_buckets'), heads]);
    c.read.add('position_bias_max_distance');
  };
  // The input's table has rows for prompts as well, so the output has its own.
  return headed('ForCausalLM', body, 'cpmant', (s, c) => s.linear('lm_head', vocabularyOf(c), hiddenOf(c)));
}

/** T5Gemma (Zhang et al. 2025): two Gemma 2 stacks, the decoder with cross-attention. */
function t5Gemma(): Architecture {
  const stack = (s: Scope, c: Settings, cross: number | undefined, shared: boolean): void => {
    const hidden = hiddenOf(c);
    const heads = c.int('num_attention_heads');
    const width = heads * c.int('head_dim');
    const narrow = (c.maybe('num_key_value_heads') ?? heads) * c.int('head_dim');
    const bias = c.flag('attention_bias');
    const attention = (at: Scope, memory: number): void => {
      at.linear('q_proj', width, hidden, bias);
      at.linear('k_proj', narrow, memory, bias);
      at.linear('v_proj', narrow, memory, bias);
      at.linear('o_proj', hidden, width, bias);
    };
    s.embedding('embed_tokens', vocabularyOf(c), hidden, shared);
    s.norm('norm', hidden);
    s.each('layers', c.int('num_hidden_layers'), (layer) => {
      attention(layer.at('self_attn'), hidden);
      if (cross !== undefined) attention(layer.at('cross_attn'), cross);
      gatedFfn(layer.at('mlp'), hidden, c.int('intermediate_size'));
      for (const name of ['self_attn', 'feedforward', ...(cross === undefined ? [] : ['cross_attn'])]) {
        layer.norm(`pre_${name}_layernorm`, hidden);
        layer.norm(`post_${name}_layernorm`, hidden);
      }
    });
    c.read.add('cross_attention_hidden_size');
  };
  const body: Layout = (s, c) => {
    const first = c.child('encoder', 't5_gemma_module');
    const second = c.child('decoder', 't5_gemma_module');
    if (first.section === undefined || second.section === undefined) throw new NotModelled('encoder and decoder are not given.');
    c.read.add('vocab_size');
    stack(s.at('encoder'), first, undefined, false);
    stack(s.at('decoder'), second, hiddenOf(first), false);
  };
  return headed('ForConditionalGeneration', body, 'model', (s, c) => {
    const second = c.children.at(-1);
    if (second === undefined) throw new NotModelled('decoder is not given.');
    s.head('lm_head.out_proj', vocabularyOf(second), hiddenOf(second), tied(c));
  });
}

export const olderText: Architectures = {
  luke: luke(),
  tapas: bert({
    base: 'tapas',
    embeddings: (s, c) => {
      const at = s.at('embeddings');
      const hidden = hiddenOf(c);
      at.embedding('word_embeddings', vocabularyOf(c), hidden);
      at.embedding('position_embeddings', c.int('max_position_embeddings'), hidden);
      (c.numbers('type_vocab_sizes') ?? [3, 256, 256, 2, 256, 256, 10]).forEach((rows, index) => {
        at.embedding(`token_type_embeddings_${index}`, rows, hidden);
      });
      at.layerNorm('LayerNorm', hidden);
      for (const key of [
        'max_num_rows',
        'max_num_columns',
        'num_aggregation_labels',
        'select_one_column',
        'reset_position_index_per_cell',
        'positive_label_weight',
        'aggregation_loss_weight',
        'aggregation_temperature',
      ])
        c.read.add(key);
    },
    heads: () => ({}),
  }),
  ibert: roberta({
    base: 'ibert',
    embeddings: (s, c) => {
      if (c.flag('quant_mode')) throw new NotModelled('I-BERT quantised.');
      c.read.add('force_dequant');
      tables()(s, c);
    },
  }),
  mobilebert: mobileBert(),
  xlm: xlm(),
  longformer: roberta({
    base: 'longformer',
    // Projections of their own for the tokens that attend everywhere (Beltagy et al. 2020, section 3.1).
    layer: bertLayer({
      self: (s, c) => {
        for (const name of ['query_global', 'key_global', 'value_global']) s.linear(name, hiddenOf(c), hiddenOf(c), true);
        for (const key of ['attention_window', 'onnx_export', 'attention_mode', 'ignore_attention_mask']) c.read.add(key);
      },
    }),
    heads: () => ({}),
  }),
  flaubert: flaubert(),
  xlnet: xlnet(),
  cpmant: cpmAnt(),
  t5gemma: t5Gemma(),
  markuplm: bert({
    base: 'markuplm',
    usual: 'Model',
    masked: () => {
      throw new NotModelled('MarkupLMForMaskedLM does not exist.');
    },
    embeddings: (s, c) => {
      tables()(s, c);
      const at = s.at('embeddings.xpath_embeddings');
      const hidden = hiddenOf(c);
      const depth = c.int('max_depth');
      const unit = c.int('xpath_unit_hidden_size');
      at.linear('xpath_unitseq2_embeddings', hidden, depth * unit, true);
      at.linear('xpath_unitseq2_inner', 4 * hidden, depth * unit, true);
      at.linear('inner2emb', hidden, 4 * hidden, true);
      at.each('xpath_tag_sub_embeddings', depth, (table) => table.weight('weight', [c.int('max_xpath_tag_unit_embeddings'), unit]));
      at.each('xpath_subs_sub_embeddings', depth, (table) => table.weight('weight', [c.int('max_xpath_subs_unit_embeddings'), unit]));
      for (const key of ['tag_pad_id', 'subs_pad_id']) c.read.add(key);
    },
    heads: (base) => ({
      ForSequenceClassification: both(base(true), classifier),
      ForTokenClassification: both(base(false), classifier),
      ForQuestionAnswering: both(base(false), spans),
    }),
  }),
  roformer: bert({
    base: 'roformer',
    embeddings: (s, c) => {
      const width = c.maybe('embedding_size') ?? hiddenOf(c);
      const at = s.at('embeddings');
      at.embedding('word_embeddings', vocabularyOf(c), width);
      at.embedding('token_type_embeddings', c.int('type_vocab_size'), width);
      at.layerNorm('LayerNorm', width);
      if (width !== hiddenOf(c)) s.linear('embeddings_project', hiddenOf(c), width, true);
      s.embedding('encoder.embed_positions', c.int('max_position_embeddings'), Math.floor(hiddenOf(c) / c.int('num_attention_heads')));
      // Whether values are rotated too.
      c.read.add('rotary_value');
    },
    pooler: null,
    masked: (root, c) => {
      const s = root.at('cls.predictions');
      const width = c.maybe('embedding_size') ?? hiddenOf(c);
      s.weight('bias', [vocabularyOf(c)]);
      s.linear('transform.dense', width, hiddenOf(c), true);
      s.layerNorm('transform.LayerNorm', width);
      s.embedding('decoder', vocabularyOf(c), width, tied(c));
      s.weight('decoder.bias', [vocabularyOf(c)], { tied: tied(c) });
    },
    heads: () => ({}),
  }),
};
