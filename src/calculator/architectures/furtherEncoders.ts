import { type Architecture, type Architectures, type Layout, tied } from './architecture.ts';
import { gatedFfn } from './blocks.ts';
import {
  bert,
  bertLayer,
  both,
  choice,
  classifier,
  clsPredictions,
  denseClassifier,
  encoder,
  hiddenOf,
  roberta,
  spans,
  tables,
  vocabularyOf,
} from './encoders.ts';
import type { Settings } from './settings.ts';
import { NotModelled, type Scope } from './sheet.ts';

/*
 * Encoders that add something of their own to BERT's layout. The source of an entry `x` is the class it describes: transformers
 * 5.18.0, src/transformers/models/x/modeling_x.py.
 */

/** Everything but the head that BERT alone has. */
const commonHeads = (base: (pooled: boolean) => Layout): Architecture['heads'] => ({
  ForSequenceClassification: both(base(true), classifier),
  ForMultipleChoice: both(base(true), choice),
  ForTokenClassification: both(base(false), classifier),
  ForQuestionAnswering: both(base(false), spans),
});

const noPositions = tables({ positions: () => 0 });

export const furtherEncoders: Architectures = {
  'bert-generation': generation(),
  big_bird: bert({
    base: 'bert',
    layer: (s, c) => {
      const bias = c.flag('use_bias');
      bertLayer({ bias })(s, c);
    },
    pooler: (s, c) => s.linear('pooler', hiddenOf(c), hiddenOf(c), true),
    maskedPooler: true,
    heads: (base) => ({
      ForCausalLM: both(base(true), clsPredictions()),
      ForPreTraining: both(base(true), clsPredictions(), (s, c) => s.linear('cls.seq_relationship', 2, hiddenOf(c), true)),
      ForSequenceClassification: both(base(true), denseClassifier),
      ForMultipleChoice: both(base(true), choice),
      ForTokenClassification: both(base(true), classifier),
    }),
  }),
  fnet: bert({
    base: 'fnet',
    embeddings: (s, c) => {
      tables()(s, c);
      s.linear('embeddings.projection', hiddenOf(c), hiddenOf(c), true);
    },
    // No attention: a Fourier transform without weights (Lee-Thorp et al. 2021).
    layer: (s, c) => {
      const hidden = hiddenOf(c);
      s.layerNorm('fourier.output.LayerNorm', hidden);
      s.linear('intermediate.dense', c.int('intermediate_size'), hidden, true);
      s.linear('output.dense', hidden, c.int('intermediate_size'), true);
      s.layerNorm('output.LayerNorm', hidden);
    },
    maskedPooler: true,
    heads: () => ({}),
  }),
  jina_embeddings_v3: roberta({
    embeddings: noPositions,
    layersPath: 'layers',
    layer: (s, c) => {
      const hidden = hiddenOf(c);
      for (const name of ['q_proj', 'k_proj', 'v_proj', 'o_proj']) s.linear(`self_attn.${name}`, hidden, hidden, true);
      s.layerNorm('post_attention_layernorm', hidden);
      s.linear('mlp.fc1', c.int('intermediate_size'), hidden, true);
      s.linear('mlp.fc2', hidden, c.int('intermediate_size'), true);
      s.layerNorm('post_mlp_layernorm', hidden);
    },
    heads: () => ({}),
  }),
  roc_bert: bert({
    base: 'roc_bert',
    embeddings: (s, c) => {
      tables()(s, c);
      const at = s.at('embeddings');
      const pronunciation = c.int('pronunciation_embed_dim');
      const shape = c.int('shape_embed_dim');
      if (!c.flag('enable_pronunciation') || !c.flag('enable_shape') || !c.flag('concat_input'))
        throw new NotModelled('RoCBert without pronunciation or shape.');
      at.embedding('pronunciation_embed', c.int('pronunciation_vocab_size'), pronunciation);
      at.embedding('shape_embed', c.int('shape_vocab_size'), shape);
      at.linear('map_inputs_layer', hiddenOf(c), hiddenOf(c) + pronunciation + shape, true);
    },
    heads: (base) => ({ ForCausalLM: both(base(false), clsPredictions()), ...commonHeads(base) }),
  }),
  splinter: encoder({
    base: 'splinter',
    embeddings: tables(),
    layer: bertLayer(),
    pooler: null,
    masked: () => {
      throw new NotModelled('SplinterForMaskedLM does not exist.');
    },
    usual: 'Model',
  }),
  squeezebert: bert({
    base: 'transformer',
    embeddings: tables({ width: 'embedding_size' }),
    layersPath: 'encoder.layers',
    layer: (s, c) => {
      const hidden = hiddenOf(c);
      const inner = c.int('intermediate_size');
      const grouped = (name: string, out: number, into: number, groups: string): void =>
        s.convolution(name, out, into / c.int(groups), [1]);
      grouped('attention.query', hidden, hidden, 'q_groups');
      grouped('attention.key', hidden, hidden, 'k_groups');
      grouped('attention.value', hidden, hidden, 'v_groups');
      grouped('post_attention.conv1d', hidden, hidden, 'post_attention_groups');
      s.layerNorm('post_attention.layernorm', hidden);
      grouped('intermediate.conv1d', inner, hidden, 'intermediate_groups');
      grouped('output.conv1d', hidden, inner, 'output_groups');
      s.layerNorm('output.layernorm', hidden);
    },
    maskedPooler: true,
    heads: (base) => ({
      ForSequenceClassification: both(base(true), classifier),
      ForMultipleChoice: both(base(true), choice),
      ForTokenClassification: both(base(true), classifier),
      ForQuestionAnswering: both(base(true), spans),
    }),
  }),
  xmod: roberta({
    layer: (s, c) => {
      const hidden = hiddenOf(c);
      const languages = c.texts('languages') ?? ['en_XX'];
      if (c.flag('pre_norm') || c.flag('adapter_layer_norm')) throw new NotModelled('X-MOD with other norms.');
      for (const key of ['adapter_reuse_layer_norm', 'ln_before_adapter', 'default_language']) c.read.add(key);
      bertLayer()(s, c);
      const factor = c.real('adapter_reduction_factor') ?? 2;
      const inner = Math.trunc(hidden / factor);
      for (const language of languages) {
        s.linear(`output.adapter_modules.${language}.dense1`, inner, hidden, true);
        s.linear(`output.adapter_modules.${language}.dense2`, hidden, inner, true);
      }
    },
  }),
  lilt: lilt(),
  esmc: esmc(),
};

function generation(): Architecture {
  const body: Layout = (s, c) => {
    if (c.flag('add_cross_attention')) throw new NotModelled('An encoder with cross-attention.');
    tables({ types: false })(s, c);
    s.each('encoder.layer', c.int('num_hidden_layers'), (layer) => bertLayer()(layer, c));
  };
  return {
    body,
    usual: 'Decoder',
    heads: {
      Encoder: body,
      Decoder: (s, c) => {
        body(s.at('bert'), c);
        s.weight('lm_head.bias', [vocabularyOf(c)]);
        s.embedding('lm_head.decoder', vocabularyOf(c), hiddenOf(c), tied(c));
        s.weight('lm_head.decoder.bias', [vocabularyOf(c)], { tied: tied(c) });
      },
    },
  };
}

/** LiLT (Wang et al. 2022): a narrower stream for the layout beside the text's. */
function lilt(): Architecture {
  const narrow = (c: Settings): number => Math.floor(hiddenOf(c) / c.int('channel_shrink_ratio'));
  return encoder({
    base: 'lilt',
    embeddings: (s, c) => {
      tables()(s, c);
      const layout = s.at('layout_embeddings');
      for (const axis of ['x', 'y', 'h', 'w'])
        layout.embedding(`${axis}_position_embeddings`, c.int('max_2d_position_embeddings'), Math.floor(hiddenOf(c) / 6));
      layout.embedding('box_position_embeddings', c.int('max_position_embeddings'), narrow(c));
      layout.linear('box_linear_embeddings', narrow(c), hiddenOf(c), true);
      layout.layerNorm('LayerNorm', narrow(c));
    },
    layer: (s, c) => {
      bertLayer()(s, c);
      const width = narrow(c);
      const inner = Math.floor(c.int('intermediate_size') / c.int('channel_shrink_ratio'));
      for (const name of ['layout_query', 'layout_key', 'layout_value']) s.linear(`attention.self.${name}`, width, width, true);
      s.linear('attention.layout_output.dense', width, width, true);
      s.layerNorm('attention.layout_output.LayerNorm', width);
      s.linear('layout_intermediate.dense', inner, width, true);
      s.linear('layout_output.dense', width, inner, true);
      s.layerNorm('layout_output.LayerNorm', width);
    },
    masked: () => {
      throw new NotModelled('LiltForMaskedLM does not exist.');
    },
    usual: 'Model',
    heads: (base) => ({
      ForSequenceClassification: both(base(false), denseClassifier),
      ForTokenClassification: both(base(false), classifier),
      ForQuestionAnswering: both(base(false), spans),
    }),
  });
}

/** ESM C: Llama's FFN, norms of queries and keys over all heads, LayerNorms in the layers. */
function esmc(): Architecture {
  const body: Layout = (s: Scope, c) => {
    const hidden = hiddenOf(c);
    const heads = c.int('num_attention_heads');
    const headDim = c.maybe('head_dim') ?? Math.floor(hidden / heads);
    const keyValueHeads = c.maybe('num_key_value_heads') ?? heads;
    const bias = c.flag('attention_bias');
    s.embedding('embed_tokens', vocabularyOf(c), hidden);
    s.each('layers', c.int('num_hidden_layers'), (layer) => {
      layer.linear('self_attn.q_proj', heads * headDim, hidden, bias);
      layer.linear('self_attn.k_proj', keyValueHeads * headDim, hidden, bias);
      layer.linear('self_attn.v_proj', keyValueHeads * headDim, hidden, bias);
      layer.linear('self_attn.o_proj', hidden, heads * headDim, bias);
      layer.norm('self_attn.q_norm', hidden);
      layer.norm('self_attn.k_norm', hidden);
      gatedFfn(layer.at('mlp'), hidden, c.int('intermediate_size'), c.flag('mlp_bias'));
      layer.layerNorm('input_layernorm', hidden);
      layer.layerNorm('post_attention_layernorm', hidden);
    });
    s.norm('norm', hidden);
  };
  return {
    body,
    usual: 'ForMaskedLM',
    heads: {
      ForMaskedLM: (s, c) => {
        body(s.at('esmc'), c);
        s.linear('lm_head.dense', hiddenOf(c), hiddenOf(c), true);
        s.layerNorm('lm_head.layer_norm', hiddenOf(c));
        s.linear('lm_head.decoder', vocabularyOf(c), hiddenOf(c), true);
      },
    },
  };
}
