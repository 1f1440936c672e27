import { type Architecture, type Architectures, type Layout, labels, tied } from './architecture.ts';
import { plainFfn, quotient } from './blocks.ts';
import type { Settings } from './settings.ts';
import { NotModelled, type Scope } from './sheet.ts';

/*
 * Text encoder-decoders (Vaswani et al. 2017) in Fairseq's and T5's manners. The source of an entry `x` is the class it describes:
 * transformers 5.18.0, src/transformers/models/x/modeling_x.py.
 */

type Part = 'encoder' | 'decoder';

interface BartOptions {
  readonly base?: string;
  /** Rows of the table of positions beyond the positions themselves; null where positions are no parameters. */
  readonly offset: number | null;
  readonly positions?: Readonly<Record<Part, string>>;
  readonly embeddingNorm?: boolean;
  readonly finalNorm?: boolean;
  /** Bias of the attention projections. */
  readonly bias?: (c: Settings) => boolean;
  /** Self-attention of the encoder, where it is not the decoder's. */
  readonly encoderAttention?: (s: Scope, c: Settings) => void;
  readonly encoderAlso?: Layout;
  readonly encoderLayerAlso?: Layout;
  /** The feed-forward part of a layer and the norm after it. */
  readonly ffn?: (s: Scope, c: Settings, part: Part, index: number) => void;
  readonly head?: string;
  readonly usual?: string;
  readonly classify?: boolean;
  /** Classes of the classifier where the file names none. */
  readonly labels?: number;
  readonly causal?: boolean;
}

const hiddenOf = (c: Settings): number => c.int('d_model');
const vocabularyOf = (c: Settings): number => c.int('vocab_size');
const projections = ['k_proj', 'v_proj', 'q_proj', 'out_proj'];

function bart(o: BartOptions): Architecture {
  const base = o.base ?? 'model';
  const attention = (s: Scope, c: Settings): void => {
    for (const name of projections) s.linear(name, hiddenOf(c), hiddenOf(c), o.bias?.(c) ?? true);
  };
  const stack = (s: Scope, c: Settings, part: Part, words: boolean): void => {
    const hidden = hiddenOf(c);
    const positions = c.int(o.positions?.[part] ?? 'max_position_embeddings');
    quotient(hidden, c.int(`${part}_attention_heads`), 'head dim');
    s.embedding('embed_tokens', vocabularyOf(c), hidden, words && tied(c));
    if (o.offset !== null) s.embedding('embed_positions', positions + o.offset, hidden);
    if (part === 'encoder') o.encoderAlso?.(s, c);
    s.each('layers', c.int(`${part}_layers`), (layer, index) => {
      (part === 'encoder' ? (o.encoderAttention ?? attention) : attention)(layer.at('self_attn'), c);
      layer.layerNorm('self_attn_layer_norm', hidden);
      if (part === 'encoder') o.encoderLayerAlso?.(layer, c);
      if (part === 'decoder') {
        const cross = o.ffn === undefined ? 'encoder_attn' : 'cross_attention';
        attention(layer.at(cross), c);
        layer.layerNorm(`${cross}_layer_norm`, hidden);
      }
      if (o.ffn !== undefined) o.ffn(layer, c, part, index);
      else {
        plainFfn(layer, ['fc1', 'fc2'], hidden, c.int(`${part}_ffn_dim`));
        layer.layerNorm('final_layer_norm', hidden);
      }
    });
    if (o.embeddingNorm === true) s.layerNorm('layernorm_embedding', hidden);
    if (o.finalNorm === true) s.layerNorm('layer_norm', hidden);
  };
  const body: Layout = (s, c) => {
    s.embedding('shared', vocabularyOf(c), hiddenOf(c));
    stack(s.at('encoder'), c, 'encoder', true);
    stack(s.at('decoder'), c, 'decoder', true);
  };
  const head: Layout = (s, c) => s.head(o.head ?? 'lm_head', vocabularyOf(c), hiddenOf(c), tied(c));
  const usual = o.usual ?? 'ForConditionalGeneration';
  return {
    body,
    usual,
    heads: {
      [usual]: (s, c) => {
        body(s.at(base), c);
        head(s, c);
      },
      ...(o.causal !== false && {
        ForCausalLM: (s: Scope, c: Settings) => {
          stack(s.at(`${base}.decoder`), c, 'decoder', false);
          head(s, c);
          for (const key of ['encoder_layers', 'encoder_ffn_dim', 'encoder_attention_heads']) c.read.add(key);
        },
      }),
      ...(o.classify === true && {
        ForSequenceClassification: (s: Scope, c: Settings) => {
          body(s.at(base), c);
          s.linear('classification_head.dense', hiddenOf(c), hiddenOf(c), true);
          s.linear('classification_head.out_proj', labels(c, o.labels), hiddenOf(c), true);
        },
        ForQuestionAnswering: (s: Scope, c: Settings) => {
          body(s.at(base), c);
          s.linear('qa_outputs', 2, hiddenOf(c), true);
        },
      }),
    },
  };
}

/** Experts as separate modules; only names of list indices are folded, `expert_0` is a name. */
function numbered(s: Scope, count: number, build: (expert: Scope) => void): void {
  if (count > 1024) throw new NotModelled(`${count} experts.`);
  for (let i = 0; i < count; i++) build(s.at(`expert_${i}`));
}

/** NLLB-MoE (Costa-jussà et al. 2022): every `sparse_step`-th layer has experts. */
function nllbFfn(s: Scope, c: Settings, part: Part, index: number): void {
  const hidden = hiddenOf(c);
  const inner = c.int(`${part}_ffn_dim`);
  const step = c.int(`${part}_sparse_step`);
  const ffn = s.at('ffn');
  if (step > 0 && (index + 1) % step === 0) {
    ffn.linear('router.classifier', c.int('num_experts'), hidden, c.flag('router_bias'));
    numbered(ffn.at('experts'), c.int('num_experts'), (expert) => plainFfn(expert, ['fc1', 'fc2'], hidden, inner));
  } else plainFfn(ffn, ['fc1', 'fc2'], hidden, inner);
  s.layerNorm('ff_layer_norm', hidden);
}

// ---------------------------------------------------------------------------------------------------------------------

interface T5Options {
  /** Whether every layer has its own table of relative positions (UMT5), or the first one's serves all (T5). */
  readonly biasEverywhere?: boolean;
  readonly ffn?: (s: Scope, c: Settings, part: Part, index: number) => void;
  readonly root?: Layout;
  /** The encoder's self-attention module by another name. */
  readonly encoderName?: (c: Settings) => string;
  readonly encoderOnly?: boolean;
  readonly heads?: boolean;
  /** The output projection is not tied to the word table. */
  readonly ownHead?: boolean;
  /** Tied whatever the file says: the published files say false and mean the scale of the output. */
  readonly tied?: (c: Settings) => boolean;
}

/** T5 v1 has one up projection, v1.1 a gate and an up projection (Shazeer 2020). */
function t5Ffn(s: Scope, c: Settings): void {
  const hidden = hiddenOf(c);
  const inner = c.int('d_ff');
  const dense = s.at('DenseReluDense');
  const gated = (c.text('feed_forward_proj') ?? 'relu').startsWith('gated-');
  if (c.flag('is_gated_act', gated) !== gated) throw new NotModelled('is_gated_act contradicts feed_forward_proj.');
  if (gated) {
    dense.linear('wi_0', inner, hidden);
    dense.linear('wi_1', inner, hidden);
  } else dense.linear('wi', inner, hidden);
  dense.linear('wo', hidden, inner);
}

/** T5 (Raffel et al. 2020): RMSNorm, no biases, head dim apart from the width, relative positions. */
function t5(o: T5Options = {}): Architecture {
  const always = (): boolean => true;
  const shares = o.tied ?? always;
  const stack = (s: Scope, c: Settings, part: Part): void => {
    const hidden = hiddenOf(c);
    const heads = c.int('num_heads');
    const width = heads * c.int('d_kv');
    const layers = part === 'encoder' ? c.int('num_layers') : (c.maybe('num_decoder_layers') ?? c.int('num_layers'));
    const attention = (at: Scope): void => {
      for (const name of ['q', 'k', 'v']) at.linear(name, width, hidden);
      at.linear('o', hidden, width);
    };
    c.read.add('num_decoder_layers');
    s.embedding('embed_tokens', vocabularyOf(c), hidden, shares(c));
    s.each('block', layers, (block, index) => {
      const layer = block.at('layer.0');
      const own = layer.at(part === 'encoder' ? (o.encoderName?.(c) ?? 'SelfAttention') : 'SelfAttention');
      attention(own);
      if (index === 0 || o.biasEverywhere === true)
        own.embedding('relative_attention_bias', c.int('relative_attention_num_buckets'), heads);
      if (part === 'decoder') attention(layer.at('EncDecAttention'));
      (o.ffn ?? t5Ffn)(layer, c, part, index);
      layer.at('layer_norm', part === 'decoder' ? 3 : 2).weight('weight', [hidden]);
    });
    s.norm('final_layer_norm', hidden);
  };
  const body: Layout = (s, c) => {
    s.embedding('shared', vocabularyOf(c), hiddenOf(c));
    o.root?.(s, c);
    stack(s.at('encoder'), c, 'encoder');
    stack(s.at('decoder'), c, 'decoder');
  };
  return {
    body,
    usual: 'ForConditionalGeneration',
    heads: {
      ForConditionalGeneration: (s, c) => {
        body(s, c);
        s.head('lm_head', vocabularyOf(c), hiddenOf(c), o.ownHead !== true && shares(c));
      },
      ...(o.heads !== false && {
        EncoderModel: (s: Scope, c: Settings) => {
          s.embedding('shared', vocabularyOf(c), hiddenOf(c));
          stack(s.at('encoder'), c, 'encoder');
        },
        ForSequenceClassification: (s: Scope, c: Settings) => {
          body(s.at('transformer'), c);
          s.linear('classification_head.dense', hiddenOf(c), hiddenOf(c), true);
          s.linear('classification_head.out_proj', labels(c), hiddenOf(c), true);
        },
        ForTokenClassification: (s: Scope, c: Settings) => {
          const transformer = s.at('transformer');
          transformer.embedding('shared', vocabularyOf(c), hiddenOf(c));
          stack(transformer.at('encoder'), c, 'encoder');
          s.linear('classifier', labels(c), hiddenOf(c), true);
        },
        ForQuestionAnswering: (s: Scope, c: Settings) => {
          body(s, c);
          s.linear('qa_outputs', labels(c), hiddenOf(c), true);
        },
      }),
    },
  };
}

/** Switch Transformers (Fedus et al. 2021): every `sparse_step`-th layer has experts. */
function switchFfn(s: Scope, c: Settings, part: Part, index: number): void {
  const hidden = hiddenOf(c);
  const inner = c.int('d_ff');
  const layers = part === 'encoder' ? c.int('num_layers') : (c.maybe('num_decoder_layers') ?? c.int('num_layers'));
  const sparse = c.int(`num_sparse_${part}_layers`);
  // The class computes the step from the number of sparse layers; without any it never reaches one.
  const step = c.maybe(`${part}_sparse_step`) ?? (sparse > 0 ? Math.floor(layers / sparse) : layers);
  const mlp = s.at('mlp');
  const isSparse = step > 0 ? index % step === 1 || step === 1 : false;
  if (!isSparse) {
    plainFfn(mlp, ['wi', 'wo'], hidden, inner, false);
    return;
  }
  mlp.linear('router.classifier', c.int('num_experts'), hidden, c.flag('router_bias'));
  numbered(mlp.at('experts'), c.int('num_experts'), (expert) => plainFfn(expert, ['wi', 'wo'], hidden, inner, false));
}

/** Whisper (Radford et al. 2022): two convolutions, then BART's layers; keys have no bias. */
export function whisperEncoder(s: Scope, c: Settings): void {
  whisperParts.encoder(s, c);
}

const whisperParts = whisperLayouts();

function whisper(): Architecture {
  return whisperParts.architecture;
}

function whisperLayouts(): { readonly encoder: Layout; readonly architecture: Architecture } {
  const attention = (s: Scope, c: Settings): void => {
    const hidden = hiddenOf(c);
    s.linear('k_proj', hidden, hidden);
    for (const name of ['v_proj', 'q_proj', 'out_proj']) s.linear(name, hidden, hidden, true);
  };
  const layers = (s: Scope, c: Settings, part: Part): void => {
    const hidden = hiddenOf(c);
    quotient(hidden, c.int(`${part}_attention_heads`), 'head dim');
    s.each('layers', c.int(`${part}_layers`), (layer) => {
      attention(layer.at('self_attn'), c);
      layer.layerNorm('self_attn_layer_norm', hidden);
      if (part === 'decoder') {
        attention(layer.at('encoder_attn'), c);
        layer.layerNorm('encoder_attn_layer_norm', hidden);
      }
      plainFfn(layer, ['fc1', 'fc2'], hidden, c.int(`${part}_ffn_dim`));
      layer.layerNorm('final_layer_norm', hidden);
    });
    s.layerNorm('layer_norm', hidden);
  };
  const encoder: Layout = (s, c) => {
    s.convolution('conv1', hiddenOf(c), c.int('num_mel_bins'), [3]);
    s.convolution('conv2', hiddenOf(c), hiddenOf(c), [3]);
    s.embedding('embed_positions', c.int('max_source_positions'), hiddenOf(c));
    layers(s, c, 'encoder');
  };
  const decoder: Layout = (s, c) => {
    s.embedding('embed_tokens', vocabularyOf(c), hiddenOf(c));
    s.embedding('embed_positions', c.int('max_target_positions'), hiddenOf(c));
    layers(s, c, 'decoder');
  };
  const body: Layout = (s, c) => {
    encoder(s.at('encoder'), c);
    decoder(s.at('decoder'), c);
  };
  const architecture: Architecture = {
    body,
    usual: 'ForConditionalGeneration',
    heads: {
      ForConditionalGeneration: (s, c) => {
        body(s.at('model'), c);
        s.head('proj_out', vocabularyOf(c), hiddenOf(c), tied(c));
      },
    },
  };
  return { encoder, architecture };
}

export const encoderDecoders: Architectures = {
  bart: bart({ offset: 2, embeddingNorm: true, classify: true, labels: 3 }),
  mbart: bart({ offset: 2, embeddingNorm: true, finalNorm: true, classify: true }),
  mvp: bart({
    offset: 2,
    embeddingNorm: true,
    classify: true,
    encoderAlso: (_, c) => {
      if (c.flag('use_prompt')) throw new NotModelled('Prompts of MVP.');
      for (const key of ['prompt_length', 'prompt_mid_dim']) c.read.add(key);
    },
  }),
  plbart: bart({ offset: 2, embeddingNorm: true }),
  blenderbot: bart({ offset: 0, finalNorm: true }),
  'blenderbot-small': bart({ offset: 0, embeddingNorm: true }),
  pegasus: bart({ offset: 0, finalNorm: true }),
  marian: bart({
    offset: 0,
    usual: 'MTModel',
    encoderAlso: (_, c) => {
      if (!c.flag('share_encoder_decoder_embeddings', true)) throw new NotModelled('Word tables of encoder and decoder apart.');
      if ((c.maybe('decoder_vocab_size') ?? c.int('vocab_size')) !== c.int('vocab_size')) throw new NotModelled('Two vocabularies.');
    },
  }),
  m2m_100: bart({ offset: null, finalNorm: true, causal: false }),
  'nllb-moe': bart({ offset: null, finalNorm: true, causal: false, ffn: nllbFfn }),
  pegasus_x: bart({
    offset: null,
    finalNorm: true,
    causal: false,
    bias: () => false,
    encoderAlso: (s, c) => s.embedding('embed_global', c.int('num_global_tokens'), hiddenOf(c)),
    encoderLayerAlso: (s, c) => s.layerNorm('global_self_attn_layer_norm', hiddenOf(c)),
  }),
  bigbird_pegasus: bart({
    offset: 0,
    embeddingNorm: true,
    causal: false,
    bias: (c) => c.flag('use_bias'),
    encoderAttention: (s, c) => {
      for (const name of ['query', 'key', 'value']) s.linear(`self.${name}`, hiddenOf(c), hiddenOf(c), c.flag('use_bias'));
      s.linear('output', hiddenOf(c), hiddenOf(c), c.flag('use_bias'));
    },
  }),
  led: bart({
    base: 'led',
    offset: 0,
    positions: { encoder: 'max_encoder_position_embeddings', decoder: 'max_decoder_position_embeddings' },
    embeddingNorm: true,
    causal: false,
    encoderAttention: (s, c) => {
      c.read.add('attention_window');
      for (const name of ['query', 'key', 'value', 'query_global', 'key_global', 'value_global'])
        s.linear(`longformer_self_attn.${name}`, hiddenOf(c), hiddenOf(c), true);
      s.linear('output', hiddenOf(c), hiddenOf(c), true);
    },
  }),
  t5: t5(),
  mt5: t5(),
  umt5: t5({ biasEverywhere: true }),
  longt5: t5({
    heads: false,
    encoderName: (c) => {
      if ((c.text('encoder_attention_type') ?? 'local') !== 'local') throw new NotModelled('Global attention of LongT5.');
      return 'LocalSelfAttention';
    },
  }),
  pop2piano: t5({
    heads: false,
    ownHead: true,
    root: (s, c) => s.embedding('mel_conditioner.embedding', c.int('composer_vocab_size'), hiddenOf(c)),
  }),
  switch_transformers: t5({ heads: false, ffn: switchFfn, tied }),
  whisper: whisper(),
};
