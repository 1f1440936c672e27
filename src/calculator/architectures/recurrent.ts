import { normaliseName } from '../../design/section.ts';
import { type Architecture, type Architectures, type Layout, tied } from './architecture.ts';
import { attention, gatedFfn, type Heads, headsOf, latentAttention, mixture } from './blocks.ts';
import { biasedExperts, decoder, headsFor, hiddenOf, layersOf, layerType, plainMlp, vocabularyOf } from './decoders.ts';
import { bertLayer, encoder, tables } from './encoders.ts';
import type { Settings } from './settings.ts';
import { NotModelled, type Scope } from './sheet.ts';

/*
 * Decoders whose layers mix attention with recurrences, and some that differ from Llama in a table or two. The source of an entry `x`
 * is the class it describes: transformers 5.18.0, src/transformers/models/x/modeling_x.py.
 */

const causal = (body: Layout, base: string, head: string): Architecture => {
  const { ForCausalLM } = headsFor(base, body, hiddenOf, (s, c) => s.head(head, vocabularyOf(c), hiddenOf(c), tied(c)));
  return { body, usual: 'ForCausalLM', heads: ForCausalLM === undefined ? {} : { ForCausalLM } };
};

/** RWKV-4 (Peng et al. 2023, section 3). */
const rwkv: Layout = (s, c) => {
  const hidden = hiddenOf(c);
  const width = c.maybe('attention_hidden_size') ?? hidden;
  const inner = c.maybe('intermediate_size') ?? 4 * hidden;
  c.read.add('context_length');
  s.embedding('embeddings', vocabularyOf(c), hidden);
  s.each('blocks', layersOf(c), (block, index) => {
    if (index === 0) block.layerNorm('pre_ln', hidden);
    block.layerNorm('ln1', hidden);
    block.layerNorm('ln2', hidden);
    const time = block.at('attention');
    time.weight('time_decay', [width]);
    time.weight('time_first', [width]);
    for (const name of ['time_mix_key', 'time_mix_value', 'time_mix_receptance']) time.weight(name, [1, 1, hidden]);
    for (const name of ['key', 'value', 'receptance']) time.linear(name, width, hidden);
    time.linear('output', hidden, width);
    const channel = block.at('feed_forward');
    for (const name of ['time_mix_key', 'time_mix_receptance']) channel.weight(name, [1, 1, hidden]);
    channel.linear('key', inner, hidden);
    channel.linear('receptance', hidden, hidden);
    channel.linear('value', hidden, inner);
  });
  s.layerNorm('ln_out', hidden);
};

/** RecurrentGemma (Botev et al. 2024): a gated linear recurrence, its gates block-diagonal over heads. */
const recurrentGemma: Layout = (s, c) => {
  const hidden = hiddenOf(c);
  const heads = c.int('num_attention_heads');
  const keyValueHeads = c.maybe('num_key_value_heads') ?? heads;
  const headDim = c.maybe('head_dim') ?? Math.floor(hidden / heads);
  const width = c.maybe('lru_width') ?? hidden;
  const block = Math.floor(width / heads);
  const inner = Math.floor(c.int('intermediate_size') / 2);
  const kinds = c.texts('block_types') ?? ['recurrent', 'recurrent', 'attention'];
  const bias = c.flag('attention_bias');
  for (const key of ['attention_window_size', 'w_init_variance_scale', 'final_w_init_variance_scale']) c.read.add(key);
  s.embedding('embed_tokens', vocabularyOf(c), hidden);
  s.each('layers', layersOf(c), (layer, index) => {
    layer.norm('temporal_pre_norm', hidden);
    layer.norm('channel_pre_norm', hidden);
    for (const name of ['gate_proj', 'up_proj']) layer.linear(`mlp_block.${name}`, inner, hidden, true);
    layer.linear('mlp_block.down_proj', hidden, inner, true);
    const mixer = layer.at('temporal_block');
    if (kinds[index % kinds.length] === 'attention') {
      mixer.linear('q_proj', heads * headDim, hidden, bias);
      mixer.linear('k_proj', keyValueHeads * headDim, hidden, bias);
      mixer.linear('v_proj', keyValueHeads * headDim, hidden, bias);
      mixer.linear('o_proj', hidden, heads * headDim, true);
      return;
    }
    mixer.linear('linear_y', width, hidden, true);
    mixer.linear('linear_x', width, hidden, true);
    mixer.linear('linear_out', hidden, width, true);
    mixer.convolution('conv_1d', width, 1, [c.int('conv1d_width')]);
    mixer.weight('rg_lru.recurrent_param', [width]);
    for (const gate of ['input_gate', 'recurrent_gate']) {
      mixer.weight(`rg_lru.${gate}_weight`, [heads, block, block]);
      mixer.weight(`rg_lru.${gate}_bias`, [heads, block]);
    }
  });
  c.read.add('conv1d_width');
  s.norm('final_norm', hidden);
};

/** OLMo Hybrid: delta nets with norms before the sublayers, attention with norms after them. */
const olmoHybrid = decoder({
  attentionName: '',
  attention: (s, c, index) => {
    const hidden = hiddenOf(c);
    const bias = c.flag('attention_bias');
    const heads = c.int('num_attention_heads');
    const keyHeads = c.maybe('linear_num_key_heads') ?? heads;
    const valueHeads = c.maybe('linear_num_value_heads') ?? heads;
    const keyDim = c.maybe('linear_key_head_dim') ?? Math.trunc((0.75 * hidden) / keyHeads);
    const valueDim = c.maybe('linear_value_head_dim') ?? 2 * keyDim;
    const sizes = headsOf(c, { headDim: false });
    if (isAttention(c, index)) {
      attention(s.at('self_attn'), c, { sizes, qkv: bias, out: bias, norms: 'all' });
      s.norm('post_feedforward_layernorm', hidden);
      return;
    }
    const net = s.at('linear_attn');
    const keys = keyHeads * keyDim;
    const values = valueHeads * valueDim;
    net.weight('A_log', [valueHeads]);
    net.weight('dt_bias', [valueHeads]);
    net.linear('q_proj', keys, hidden);
    net.linear('k_proj', keys, hidden);
    net.linear('v_proj', values, hidden);
    net.linear('a_proj', valueHeads, hidden);
    net.linear('b_proj', valueHeads, hidden);
    net.linear('g_proj', values, hidden);
    net.linear('o_proj', hidden, values);
    net.convolution('conv1d', 2 * keys + values, 1, [c.int('linear_conv_kernel_dim')], false);
    net.norm('o_norm', valueDim);
    s.norm('input_layernorm', hidden);
    c.read.add('linear_allow_neg_eigval');
  },
  ffn: plainMlp,
  norms: ['post_attention_layernorm'],
});

/** Every fourth layer attends, or the last where there is none. */
function isAttention(c: Settings, index: number): boolean {
  const count = layersOf(c);
  return (
    layerType(c, index, (at) => (at % 4 === 3 || (count < 4 && at === count - 1) ? 'full_attention' : 'linear_attention')) ===
    'full_attention'
  );
}

/** Kimi Linear (https://arxiv.org/abs/2510.26692): Kimi delta attention three times, latent attention once. */
const kimiLinear = decoder({
  attention: (s, c, index) => {
    const hidden = hiddenOf(c);
    const types = c.texts('layer_types');
    if (types === undefined) throw new NotModelled('layer_types is not given.');
    const heads = c.int('linear_num_heads');
    const dim = c.int('linear_head_dim');
    const width = heads * dim;
    if (types[index] !== 'linear_attention') {
      latentAttention(s, c);
      return;
    }
    for (const name of ['q_proj', 'k_proj', 'v_proj']) s.linear(name, width, hidden);
    s.convolution('conv1d', 3 * width, 1, [c.int('linear_conv_kernel_dim')], false);
    s.weight('forget_gate.dt_bias', [width]);
    s.weight('forget_gate.A_log', [1, 1, heads, 1]);
    s.linear('forget_gate.f_a_proj', dim, hidden);
    s.linear('forget_gate.f_b_proj', width, dim);
    s.linear('b_proj', heads, hidden);
    s.linear('g_a_proj', dim, hidden);
    s.linear('g_b_proj', width, dim);
    s.norm('o_norm', dim);
    s.linear('o_proj', hidden, width);
  },
  ffn: (s, c, index) => {
    const types = c.texts('mlp_layer_types');
    if (types === undefined) throw new NotModelled('mlp_layer_types is not given.');
    if (types[index] === 'dense') {
      gatedFfn(s, hiddenOf(c), c.int('intermediate_size'));
      return;
    }
    const inner = c.int('moe_intermediate_size');
    mixture(s, { experts: c.int('num_experts'), hidden: hiddenOf(c), inner, sharedInner: c.int('num_shared_experts') * inner });
  },
  also: (_, c) => {
    for (const key of ['moe_renormalize', 'num_expert_group', 'num_experts_per_token', 'moe_router_activation_func']) c.read.add(key);
  },
});

/** Sizes that `per_layer_config` sets for a layer, as saved files have them; undefined where the file has none. */
function overridden(c: Settings, index: number): Heads | undefined {
  c.read.add('per_layer_config');
  const layers = c.section?.child('per_layer_config');
  if (layers === undefined) return undefined;
  const written = headsOf(c);
  const entry = layers.mapping.entries.find(({ key }) => Number(key) === index);
  if (entry === undefined) return written;
  const own = layers.child(normaliseName(entry.key));
  if (own === undefined) throw new NotModelled('per_layer_config holds something unexpected.');
  for (const name of own.names)
    if (!['head_dim', 'num_key_value_heads'].includes(name)) throw new NotModelled(`per_layer_config sets ${name}.`);
  return {
    ...written,
    headDim: own.number('head_dim') ?? written.headDim,
    keyValueHeads: own.number('num_key_value_heads') ?? written.keyValueHeads,
  };
}

/** Gemma 4's text model: wider heads where attention is global, and a second table of embeddings read by every layer. */
const gemma4Text: Architecture = {
  ...decoder({
    attention: (s, c, index) => {
      if (c.flag('enable_moe_block') || c.flag('attention_k_eq_v') || c.int('num_kv_shared_layers') > 0 || c.flag('use_double_wide_mlp'))
        throw new NotModelled('Gemma 4 with experts, or with shared keys and values.');
      if (c.has('num_global_key_value_heads')) throw new NotModelled('num_global_key_value_heads of Gemma 4.');
      const last = index === layersOf(c) - 1;
      const global =
        last || layerType(c, index, (at) => ((at + 1) % 6 === 0 ? 'full_attention' : 'sliding_attention')) === 'full_attention';
      const written = headsOf(c);
      const sizes = overridden(c, index) ?? (global ? { ...written, headDim: c.maybe('global_head_dim') ?? 512 } : written);
      const bias = c.flag('attention_bias');
      attention(s, c, { sizes, qkv: bias, out: bias, norms: 'head' });
      for (const key of ['moe_intermediate_size', 'num_experts', 'top_k_experts']) c.read.add(key);
    },
    ffn: plainMlp,
    norms: ['input_layernorm', 'post_attention_layernorm', 'pre_feedforward_layernorm', 'post_feedforward_layernorm'],
    also: (s, c) => {
      const width = c.int('hidden_size_per_layer_input');
      if (width === 0) return;
      s.linear('per_layer_input_gate', width, hiddenOf(c));
      s.linear('per_layer_projection', hiddenOf(c), width);
      s.norm('post_per_layer_input_norm', hiddenOf(c));
    },
    root: (s, c) => {
      const width = c.int('hidden_size_per_layer_input');
      if (width === 0) return;
      const all = layersOf(c) * width;
      s.embedding('embed_tokens_per_layer', c.int('vocab_size_per_layer_input'), all);
      s.linear('per_layer_model_projection', all, hiddenOf(c));
      s.norm('per_layer_projection_norm', width);
    },
  }),
  stems: ['Gemma4'],
};

/** GPT-OSS's layers without an output projection. */
const privacyFilter = decoder({
  attention: (s, c) => {
    const bias = c.flag('attention_bias');
    attention(s, c, { qkv: bias, out: bias });
    s.weight('sinks', [c.int('num_attention_heads')]);
  },
  ffn: biasedExperts,
});

/** FSMT (Ng et al. 2019): two vocabularies, learned nothing of positions but a table that is kept. */
const fsmtBody: Layout = (s, c) => {
  const hidden = c.int('d_model');
  const stack = (at: Scope, part: 'encoder' | 'decoder', vocabulary: number): void => {
    at.embedding('embed_tokens', vocabulary, hidden);
    at.weight('embed_positions.weight', [c.int('max_position_embeddings') + 2, hidden]);
    at.each('layers', c.int(`${part}_layers`), (layer) => {
      for (const own of part === 'encoder' ? ['self_attn'] : ['self_attn', 'encoder_attn']) {
        for (const name of ['k_proj', 'v_proj', 'q_proj', 'out_proj']) layer.linear(`${own}.${name}`, hidden, hidden, true);
        layer.layerNorm(`${own}_layer_norm`, hidden);
      }
      layer.linear('fc1', c.int(`${part}_ffn_dim`), hidden, true);
      layer.linear('fc2', hidden, c.int(`${part}_ffn_dim`), true);
      layer.layerNorm('final_layer_norm', hidden);
    });
  };
  stack(s.at('encoder'), 'encoder', c.int('src_vocab_size'));
  stack(s.at('decoder'), 'decoder', c.int('tgt_vocab_size'));
  if (tied(c)) throw new NotModelled('Tied tables of FSMT.');
  // Untied, the output projection is a table of its own.
  s.weight('decoder.output_projection.weight', [c.int('tgt_vocab_size'), hidden]);
  for (const key of ['langs', 'vocab_size']) c.read.add(key);
};

const bros = encoder({
  base: 'bros',
  usual: 'Model',
  masked: () => {
    throw new NotModelled('BrosForMaskedLM does not exist.');
  },
  embeddings: (s, c) => {
    tables()(s, c);
    // Sines and cosines of each side of a box.
    const sides = c.int('dim_bbox');
    for (const key of ['dim_bbox_sinusoid_emb_1d', 'n_relations']) c.read.add(key);
    if (sides !== 8) throw new NotModelled('dim_bbox.');
    // Saved files repeat what the class computes; it is then what counts.
    s.linear(
      'bbox_embeddings.bbox_projection',
      c.maybe('dim_bbox_projection') ?? Math.floor(hiddenOf(c) / c.int('num_attention_heads')),
      c.maybe('dim_bbox_sinusoid_emb_2d') ?? Math.floor(hiddenOf(c) / 4),
    );
  },
  layer: bertLayer(),
});

export const recurrent: Architectures = {
  rwkv: causal(rwkv, 'rwkv', 'head'),
  recurrent_gemma: causal(recurrentGemma, 'model', 'lm_head'),
  olmo_hybrid: olmoHybrid,
  kimi_linear: kimiLinear,
  gemma4_text: gemma4Text,
  openai_privacy_filter: { body: privacyFilter.body, usual: 'Model', heads: {} },
  fsmt: {
    body: fsmtBody,
    usual: 'ForConditionalGeneration',
    heads: { ForConditionalGeneration: (s, c) => fsmtBody(s.at('model'), c) },
  },
  bros,
  dpr: {
    usual: 'QuestionEncoder',
    heads: {
      QuestionEncoder: (s, c) => dprEncoder(s.at('question_encoder'), c),
      ContextEncoder: (s, c) => dprEncoder(s.at('ctx_encoder'), c),
    },
    body: () => {
      throw new NotModelled('DPRModel does not exist.');
    },
  },
};

function dprEncoder(s: Scope, c: Settings): void {
  const bert = s.at('bert_model');
  tables()(bert, c);
  bert.each('encoder.layer', layersOf(c), (layer) => bertLayer()(layer, c));
  if (c.int('projection_dim') > 0) s.linear('encode_proj', c.int('projection_dim'), hiddenOf(c), true);
}
