import { type Architecture, type Architectures, type Layout, labels, tied } from './architecture.ts';
import { gatedFfn, plainFfn, quotient } from './blocks.ts';
import type { Settings } from './settings.ts';
import { NotModelled, type Scope } from './sheet.ts';

/*
 * Text encoders in BERT's manner (Devlin et al. 2019). The source of an entry `x` is the class it describes: transformers 5.18.0,
 * src/transformers/models/x/modeling_x.py.
 */

export const hiddenOf = (c: Settings): number => c.int('hidden_size');
export const vocabularyOf = (c: Settings): number => c.int('vocab_size');

export interface EncoderOptions {
  /** What the heads call the base model. */
  readonly base: string;
  /** Token, position and type tables, and the norm after them. */
  readonly embeddings: Layout;
  /** One layer, at `encoder.layer.{i}`. */
  readonly layer: (s: Scope, c: Settings, index: number) => void;
  readonly layersPath?: string;
  readonly layers?: (c: Settings) => number;
  /** What the base model has besides. */
  readonly also?: Layout;
  /** Whether the base class pools the first token, and what with. */
  readonly pooler?: Layout | null;
  /** The masked language model's head, from the root. */
  readonly masked: Layout;
  /** Whether the masked language model keeps the pooler. */
  readonly maskedPooler?: boolean;
  readonly usual?: string;
  readonly heads?: (base: (pooled: boolean) => Layout) => Architecture['heads'];
}

const densePooler: Layout = (s, c) => s.linear('pooler.dense', hiddenOf(c), hiddenOf(c), true);

export function encoder(o: EncoderOptions): Architecture {
  const plain =
    (pooled: boolean): Layout =>
    (s, c) => {
      if (c.flag('add_cross_attention')) throw new NotModelled('An encoder with cross-attention.');
      o.embeddings(s, c);
      s.each(o.layersPath ?? 'encoder.layer', (o.layers ?? ((settings) => settings.int('num_hidden_layers')))(c), (layer, index) =>
        o.layer(layer, c, index),
      );
      o.also?.(s, c);
      if (pooled && o.pooler !== null) (o.pooler ?? densePooler)(s, c);
    };
  const base =
    (pooled: boolean): Layout =>
    (s, c) =>
      plain(pooled)(s.at(o.base), c);
  const masked: Layout = (s, c) => {
    base(o.maskedPooler === true)(s, c);
    o.masked(s, c);
  };
  return { body: plain(true), usual: o.usual ?? 'ForMaskedLM', heads: { ForMaskedLM: masked, ...o.heads?.(base) } };
}

/** Tables of words, positions and segments under BERT's names. */
export const tables =
  (
    o: {
      readonly width?: string;
      readonly positions?: (c: Settings) => number;
      readonly types?: boolean;
      readonly norm?: string | null;
      readonly at?: string;
    } = {},
  ): Layout =>
  (root, c) => {
    const s = root.at(o.at ?? 'embeddings');
    const width = c.int(o.width ?? 'hidden_size');
    s.embedding('word_embeddings', vocabularyOf(c), width);
    const positions = o.positions?.(c) ?? c.int('max_position_embeddings');
    if (positions > 0) s.embedding('position_embeddings', positions, width);
    if (o.types !== false && c.int('type_vocab_size') > 0) s.embedding('token_type_embeddings', c.int('type_vocab_size'), width);
    if (o.norm !== null) s.layerNorm(o.norm ?? 'LayerNorm', width);
  };

interface BertLayerOptions {
  readonly names?: readonly string[];
  readonly bias?: boolean;
  readonly attentionNorm?: string | null;
  readonly outputNorm?: string | null;
  /** More in the self-attention. */
  readonly self?: Layout;
}

/** Post-norm layer: attention, output, intermediate, output (BERT's modules). */
export const bertLayer =
  (o: BertLayerOptions = {}) =>
  (s: Scope, c: Settings): void => {
    const hidden = hiddenOf(c);
    quotient(hidden, c.int('num_attention_heads'), 'head dim');
    for (const name of o.names ?? ['query', 'key', 'value']) s.linear(`attention.self.${name}`, hidden, hidden, o.bias ?? true);
    o.self?.(s.at('attention.self'), c);
    s.linear('attention.output.dense', hidden, hidden, true);
    if (o.attentionNorm !== null) s.layerNorm(o.attentionNorm ?? 'attention.output.LayerNorm', hidden);
    s.linear('intermediate.dense', c.int('intermediate_size'), hidden, true);
    s.linear('output.dense', hidden, c.int('intermediate_size'), true);
    if (o.outputNorm !== null) s.layerNorm(o.outputNorm ?? 'output.LayerNorm', hidden);
  };

/** BERT's `cls.predictions`: a transform and a decoder tied to the word table; its bias exists twice and is tied as well. */
export const clsPredictions =
  (o: { readonly width?: string } = {}): Layout =>
  (root, c) => {
    const s = root.at('cls.predictions');
    const width = c.int(o.width ?? 'hidden_size');
    s.weight('bias', [vocabularyOf(c)]);
    s.linear('transform.dense', width, hiddenOf(c), true);
    s.layerNorm('transform.LayerNorm', width);
    s.embedding('decoder', vocabularyOf(c), width, tied(c));
    s.weight('decoder.bias', [vocabularyOf(c)], { tied: tied(c) });
  };

/** RoBERTa's `lm_head` (Liu et al. 2019). */
export const robertaHead: Layout = (root, c) => {
  const s = root.at('lm_head');
  s.weight('bias', [vocabularyOf(c)]);
  s.linear('dense', hiddenOf(c), hiddenOf(c), true);
  s.layerNorm('layer_norm', hiddenOf(c));
  s.embedding('decoder', vocabularyOf(c), hiddenOf(c), tied(c));
  s.weight('decoder.bias', [vocabularyOf(c)], { tied: tied(c) });
};

export type Base = (pooled: boolean) => Layout;
export const both =
  (...layouts: readonly Layout[]): Layout =>
  (s, c) => {
    for (const layout of layouts) layout(s, c);
  };
export const classifier: Layout = (s, c) => s.linear('classifier', labels(c), hiddenOf(c), true);
export const choice: Layout = (s, c) => s.linear('classifier', 1, hiddenOf(c), true);
export const spans: Layout = (s, c) => s.linear('qa_outputs', labels(c), hiddenOf(c), true);

/** The heads of BERT's family: classification from the pooled token. */
export const bertHeads =
  (masked: Layout = clsPredictions()) =>
  (base: Base): Architecture['heads'] => {
    const next: Layout = (s, c) => s.linear('cls.seq_relationship', 2, hiddenOf(c), true);
    return {
      LMHeadModel: both(base(false), masked),
      ForCausalLM: both(base(false), masked),
      ForPreTraining: both(base(true), masked, next),
      ForNextSentencePrediction: both(base(true), next),
      ForSequenceClassification: both(base(true), classifier),
      ForMultipleChoice: both(base(true), choice),
      ForTokenClassification: both(base(false), classifier),
      ForQuestionAnswering: both(base(false), spans),
    };
  };

/** A dense layer and a projection on the first token, unpooled. */
export const denseClassifier: Layout = (s, c) => {
  s.linear('classifier.dense', hiddenOf(c), hiddenOf(c), true);
  s.linear('classifier.out_proj', labels(c), hiddenOf(c), true);
};

export const robertaHeads = (base: Base): Architecture['heads'] => ({
  ForCausalLM: both(base(false), robertaHead),
  ForSequenceClassification: both(base(false), denseClassifier),
  ForMultipleChoice: both(base(true), choice),
  ForTokenClassification: both(base(false), classifier),
  ForQuestionAnswering: both(base(false), spans),
});

export const bert = (o: Partial<EncoderOptions> & { readonly base: string }): Architecture =>
  encoder({ embeddings: tables(), layer: bertLayer(), masked: clsPredictions(), heads: bertHeads(), ...o });
export const roberta = (o: Partial<EncoderOptions> = {}): Architecture =>
  encoder({ base: 'roberta', embeddings: tables(), layer: bertLayer(), masked: robertaHead, heads: robertaHeads, ...o });

/** LayerNorms before the sublayers: Megatron-BERT, XLM-RoBERTa-XL. */
const preNormLayer =
  (attentionNorm: string, outputNorm: string) =>
  (s: Scope, c: Settings): void =>
    bertLayer({ attentionNorm, outputNorm })(s, c);

export const encoders: Architectures = {
  bert: bert({ base: 'bert', usual: 'ForMaskedLM' }),
  roberta: roberta(),
  camembert: roberta(),
  'xlm-roberta': roberta(),
  'data2vec-text': roberta({ base: 'data2vec_text' }),
  ernie: bert({
    base: 'ernie',
    embeddings: (s, c) => {
      tables()(s, c);
      if (c.flag('use_task_id')) s.embedding('embeddings.task_type_embeddings', c.int('task_type_vocab_size'), hiddenOf(c));
    },
  }),
  layoutlm: bert({
    base: 'layoutlm',
    embeddings: (s, c) => {
      tables()(s, c);
      for (const axis of ['x', 'y', 'h', 'w'])
        s.embedding(`embeddings.${axis}_position_embeddings`, c.int('max_2d_position_embeddings'), hiddenOf(c));
    },
    maskedPooler: true,
    heads: (base) => ({
      ForSequenceClassification: both(base(true), classifier),
      ForTokenClassification: both(base(true), classifier),
    }),
  }),
  nystromformer: bert({
    base: 'nystromformer',
    // Two rows more than positions.
    embeddings: tables({ positions: (c) => c.int('max_position_embeddings') + 2 }),
    layer: bertLayer({
      self: (s, c) => {
        const kernel = c.maybe('conv_kernel_size');
        if (kernel !== undefined) s.convolution('conv', c.int('num_attention_heads'), 1, [kernel, 1], false);
      },
    }),
    pooler: null,
    heads: (base) => ({
      ForSequenceClassification: both(base(false), denseClassifier),
      ForTokenClassification: both(base(false), classifier),
      ForQuestionAnswering: both(base(false), spans),
    }),
  }),
  electra: electra(),
  albert: albert(),
  distilbert: distilBert(),
  mpnet: encoder({
    base: 'mpnet',
    embeddings: tables({ types: false }),
    layer: (s, c) => {
      const hidden = hiddenOf(c);
      for (const name of ['q', 'k', 'v', 'o']) s.linear(`attention.attn.${name}`, hidden, hidden, true);
      s.layerNorm('attention.LayerNorm', hidden);
      s.linear('intermediate.dense', c.int('intermediate_size'), hidden, true);
      s.linear('output.dense', hidden, c.int('intermediate_size'), true);
      s.layerNorm('output.LayerNorm', hidden);
    },
    also: (s, c) => s.embedding('encoder.relative_attention_bias', c.int('relative_attention_num_buckets'), c.int('num_attention_heads')),
    masked: robertaHead,
    heads: (base) => ({ ...robertaHeads(base) }),
  }),
  rembert: encoder({
    base: 'rembert',
    embeddings: (s, c) => {
      tables({ width: 'input_embedding_size' })(s, c);
      s.linear('encoder.embedding_hidden_mapping_in', hiddenOf(c), c.int('input_embedding_size'), true);
    },
    layer: bertLayer(),
    masked: remBertHead,
    heads: (base) => {
      const { ForPreTraining: _pretraining, ForNextSentencePrediction: _next, LMHeadModel: _head, ...heads } = bertHeads(remBertHead)(base);
      return heads;
    },
  }),
  'roberta-prelayernorm': roberta({
    base: 'roberta_prelayernorm',
    layer: bertLayer({ attentionNorm: 'attention.LayerNorm', outputNorm: 'intermediate.LayerNorm' }),
    also: (s, c) => s.layerNorm('LayerNorm', hiddenOf(c)),
  }),
  'xlm-roberta-xl': roberta({
    embeddings: tables({ norm: null }),
    layer: preNormLayer('attention.self_attn_layer_norm', 'LayerNorm'),
    also: (s, c) => s.layerNorm('encoder.LayerNorm', hiddenOf(c)),
  }),
  'megatron-bert': bert({
    base: 'bert',
    embeddings: tables({ norm: null }),
    layer: preNormLayer('attention.ln', 'ln'),
    also: (s, c) => s.layerNorm('encoder.ln', hiddenOf(c)),
  }),
  modernbert: modernBert(),
  eurobert: euroBert(),
  nomic_bert: nomicBert(),
  deberta: deberta(1),
  'deberta-v2': deberta(2),
};

function remBertHead(root: Scope, c: Settings): void {
  const s = root.at('cls.predictions');
  const width = c.int('output_embedding_size');
  s.linear('dense', width, hiddenOf(c), true);
  s.linear('decoder', vocabularyOf(c), width, true);
  s.layerNorm('LayerNorm', width);
}

/** ELECTRA (Clark et al. 2020): word tables may be narrower than the layers. */
function electra(): Architecture {
  const generator: Layout = (s, c) => {
    const width = c.int('embedding_size');
    s.layerNorm('generator_predictions.LayerNorm', width);
    s.linear('generator_predictions.dense', width, hiddenOf(c), true);
    s.head('generator_lm_head', vocabularyOf(c), width, tied(c), true);
  };
  return encoder({
    base: 'electra',
    embeddings: (s, c) => {
      tables({ width: 'embedding_size' })(s, c);
      if (c.int('embedding_size') !== hiddenOf(c)) s.linear('embeddings_project', hiddenOf(c), c.int('embedding_size'), true);
    },
    layer: bertLayer(),
    pooler: null,
    masked: generator,
    heads: (base) => ({
      ForCausalLM: both(base(false), generator),
      ForPreTraining: both(base(false), (s, c) => {
        s.linear('discriminator_predictions.dense', hiddenOf(c), hiddenOf(c), true);
        s.linear('discriminator_predictions.dense_prediction', 1, hiddenOf(c), true);
      }),
      ForSequenceClassification: both(base(false), denseClassifier),
      ForTokenClassification: both(base(false), classifier),
      ForQuestionAnswering: both(base(false), spans),
    }),
  });
}

/** ALBERT (Lan et al. 2020): layers of a group share their weights, so each group's tensors exist once. */
function albert(): Architecture {
  const body =
    (pooled: boolean): Layout =>
    (s, c) => {
      const hidden = hiddenOf(c);
      tables({ width: 'embedding_size' })(s, c);
      s.linear('encoder.embedding_hidden_mapping_in', hidden, c.int('embedding_size'), true);
      c.read.add('num_hidden_layers');
      s.each('encoder.albert_layer_groups', c.int('num_hidden_groups'), (group) =>
        group.each('albert_layers', c.int('inner_group_num'), (layer) => {
          layer.layerNorm('full_layer_layer_norm', hidden);
          for (const name of ['query', 'key', 'value', 'dense']) layer.linear(`attention.${name}`, hidden, hidden, true);
          layer.layerNorm('attention.LayerNorm', hidden);
          plainFfn(layer, ['ffn', 'ffn_output'], hidden, c.int('intermediate_size'));
        }),
      );
      if (pooled) s.linear('pooler', hidden, hidden, true);
    };
  const base: Base = (pooled) => (s, c) => body(pooled)(s.at('albert'), c);
  const masked: Layout = (root, c) => {
    const s = root.at('predictions');
    const width = c.int('embedding_size');
    s.weight('bias', [vocabularyOf(c)]);
    s.layerNorm('LayerNorm', width);
    s.linear('dense', width, hiddenOf(c), true);
    s.embedding('decoder', vocabularyOf(c), width, tied(c));
    s.weight('decoder.bias', [vocabularyOf(c)], { tied: tied(c) });
  };
  return {
    body: body(true),
    usual: 'ForMaskedLM',
    heads: {
      ForMaskedLM: both(base(false), masked),
      ForPreTraining: both(base(true), masked, (s, c) => s.linear('sop_classifier.classifier', labels(c), hiddenOf(c), true)),
      ForSequenceClassification: both(base(true), classifier),
      ForTokenClassification: both(base(false), classifier),
      ForQuestionAnswering: both(base(false), spans),
      ForMultipleChoice: both(base(true), choice),
    },
  };
}

/** DistilBERT (Sanh et al. 2019). */
function distilBert(): Architecture {
  const width = (c: Settings): number => c.int('dim');
  const body: Layout = (s, c) => {
    s.embedding('embeddings.word_embeddings', vocabularyOf(c), width(c));
    s.embedding('embeddings.position_embeddings', c.int('max_position_embeddings'), width(c));
    s.layerNorm('embeddings.LayerNorm', width(c));
    c.read.add('sinusoidal_pos_embds');
    s.each('transformer.layer', c.int('n_layers'), (layer) => {
      for (const name of ['q_lin', 'k_lin', 'v_lin', 'out_lin']) layer.linear(`attention.${name}`, width(c), width(c), true);
      layer.layerNorm('sa_layer_norm', width(c));
      plainFfn(layer.at('ffn'), ['lin1', 'lin2'], width(c), c.int('hidden_dim'));
      layer.layerNorm('output_layer_norm', width(c));
    });
  };
  const base: Layout = (s, c) => body(s.at('distilbert'), c);
  const dense =
    (name: string): Layout =>
    (s, c) =>
      s.linear(name, width(c), width(c), true);
  return {
    body,
    usual: 'ForMaskedLM',
    heads: {
      ForMaskedLM: both(base, dense('vocab_transform'), (s, c) => {
        s.layerNorm('vocab_layer_norm', width(c));
        s.head('vocab_projector', vocabularyOf(c), width(c), tied(c), true);
      }),
      ForSequenceClassification: both(base, dense('pre_classifier'), (s, c) => s.linear('classifier', labels(c), width(c), true)),
      ForTokenClassification: both(base, (s, c) => s.linear('classifier', labels(c), width(c), true)),
      ForQuestionAnswering: both(base, (s, c) => s.linear('qa_outputs', labels(c), width(c), true)),
      ForMultipleChoice: both(base, dense('pre_classifier'), (s, c) => s.linear('classifier', 1, width(c), true)),
    },
  };
}

/** ModernBERT (Warner et al. 2024): fused projections, gated FFN, no norm before the first attention. */
function modernBert(): Architecture {
  const body: Layout = (s, c) => {
    const hidden = hiddenOf(c);
    const inner = c.int('intermediate_size');
    const bias = c.flag('norm_bias');
    quotient(hidden, c.int('num_attention_heads'), 'head dim');
    s.embedding('embeddings.tok_embeddings', vocabularyOf(c), hidden);
    s.norm('embeddings.norm', hidden, bias);
    s.each('layers', c.int('num_hidden_layers'), (layer, index) => {
      layer.linear('attn.Wqkv', 3 * hidden, hidden, c.flag('attention_bias'));
      layer.linear('attn.Wo', hidden, hidden, c.flag('attention_bias'));
      layer.norm('mlp_norm', hidden, bias);
      layer.linear('mlp.Wi', 2 * inner, hidden, c.flag('mlp_bias'));
      layer.linear('mlp.Wo', hidden, inner, c.flag('mlp_bias'));
      if (index > 0) layer.norm('attn_norm', hidden, bias);
    });
    s.norm('final_norm', hidden, bias);
  };
  const base: Layout = (s, c) => {
    body(s.at('model'), c);
    s.linear('head.dense', hiddenOf(c), hiddenOf(c), c.flag('classifier_bias'));
    s.norm('head.norm', hiddenOf(c), c.flag('norm_bias'));
  };
  return {
    body,
    usual: 'ForMaskedLM',
    heads: {
      ForMaskedLM: both(base, (s, c) => s.head('decoder', vocabularyOf(c), hiddenOf(c), tied(c), c.flag('decoder_bias'))),
      ForSequenceClassification: both(base, classifier),
      ForTokenClassification: both(base, classifier),
      ForQuestionAnswering: both(base, (s, c) => s.linear('classifier', labels(c), hiddenOf(c), true)),
      ForMultipleChoice: both(base, choice),
    },
  };
}

/** EuroBERT (Boizard et al. 2025): Llama's layers, attending both ways. */
function euroBert(): Architecture {
  const body: Layout = (s, c) => {
    const hidden = hiddenOf(c);
    const heads = c.int('num_attention_heads');
    const keyValueHeads = c.maybe('num_key_value_heads') ?? heads;
    const headDim = c.maybe('head_dim') ?? quotient(hidden, heads, 'head dim');
    const bias = c.flag('attention_bias');
    s.embedding('embed_tokens', vocabularyOf(c), hidden);
    s.each('layers', c.int('num_hidden_layers'), (layer) => {
      layer.linear('self_attn.q_proj', heads * headDim, hidden, bias);
      layer.linear('self_attn.k_proj', keyValueHeads * headDim, hidden, bias);
      layer.linear('self_attn.v_proj', keyValueHeads * headDim, hidden, bias);
      layer.linear('self_attn.o_proj', hidden, heads * headDim, bias);
      gatedFfn(layer.at('mlp'), hidden, c.int('intermediate_size'), c.flag('mlp_bias'));
      layer.norm('input_layernorm', hidden);
      layer.norm('post_attention_layernorm', hidden);
    });
    s.norm('norm', hidden);
  };
  const base: Layout = (s, c) => body(s.at('model'), c);
  return {
    body,
    usual: 'ForMaskedLM',
    heads: {
      ForMaskedLM: both(base, (s, c) => s.head('lm_head', vocabularyOf(c), hiddenOf(c), tied(c), c.flag('mlp_bias'))),
      ForSequenceClassification: both(base, (s, c) => {
        s.linear('dense', hiddenOf(c), hiddenOf(c), true);
        s.linear('classifier', labels(c), hiddenOf(c), true);
      }),
      ForTokenClassification: both(base, classifier),
    },
  };
}

/** Nomic BERT (Nussbaum et al. 2024): rotary positions, gated FFN, post-norm. */
function nomicBert(): Architecture {
  return encoder({
    base: 'nomic_bert',
    embeddings: tables({ positions: () => 0 }),
    layersPath: 'layers',
    layer: (s, c) => {
      const hidden = hiddenOf(c);
      const heads = c.int('num_attention_heads');
      const width = heads * (c.maybe('head_dim') ?? quotient(hidden, heads, 'head dim'));
      for (const name of ['q_proj', 'k_proj', 'v_proj']) s.linear(`self_attn.${name}`, width, hidden);
      s.linear('self_attn.o_proj', hidden, width);
      gatedFfn(s.at('mlp'), hidden, c.int('intermediate_size'));
      s.layerNorm('post_attention_layernorm', hidden);
      s.layerNorm('post_mlp_layernorm', hidden);
    },
    pooler: null,
    masked: (root, c) => {
      const s = root.at('cls.predictions');
      s.weight('bias', [vocabularyOf(c)]);
      s.linear('transform.dense', hiddenOf(c), hiddenOf(c), true);
      s.layerNorm('transform.layer_norm', hiddenOf(c));
      // The class has no switch: tied unless the file says otherwise.
      const shared = c.flag('tie_word_embeddings', true);
      s.embedding('decoder', vocabularyOf(c), hiddenOf(c), shared);
      s.weight('decoder.bias', [vocabularyOf(c)], { tied: shared });
    },
    heads: () => ({}),
  });
}

/** DeBERTa (He et al. 2021): content and position attended apart; v1 fuses the three projections. */
function deberta(version: 1 | 2): Architecture {
  const relative = (c: Settings): boolean => c.flag('relative_attention');
  const refuse = (c: Settings): void => {
    if (relative(c)) throw new NotModelled('Relative attention of DeBERTa.');
    if (c.has('embedding_size') && c.int('embedding_size') !== hiddenOf(c)) throw new NotModelled('embedding_size of DeBERTa.');
    if (!c.flag('legacy', true)) throw new NotModelled('The newer head of DeBERTa.');
    if ((c.maybe('conv_kernel_size') ?? 0) > 0) throw new NotModelled('The convolution of DeBERTa.');
  };
  return encoder({
    base: 'deberta',
    embeddings: (s, c) => {
      refuse(c);
      tables({ positions: (settings) => (settings.flag('position_biased_input', true) ? settings.int('max_position_embeddings') : 0) })(
        s,
        c,
      );
    },
    layer:
      version === 2
        ? bertLayer({ names: ['query_proj', 'key_proj', 'value_proj'] })
        : bertLayer({
            names: [],
            self: (s, c) => {
              s.weight('q_bias', [hiddenOf(c)]);
              s.weight('v_bias', [hiddenOf(c)]);
              s.linear('in_proj', 3 * hiddenOf(c), hiddenOf(c));
            },
          }),
    pooler: null,
    masked: clsPredictions(),
    heads: (base) => ({
      ForTokenClassification: both(base(false), classifier),
      ForQuestionAnswering: both(base(false), spans),
    }),
  });
}
