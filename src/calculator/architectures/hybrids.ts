import { type Architecture, type Architectures, type Layout, tied } from './architecture.ts';
import { gatedFfn, mixture } from './blocks.ts';
import {
  biased,
  decoder,
  graniteShared,
  headsFor,
  hiddenOf,
  layersOf,
  layerType,
  qwenHybrid,
  qwenSharedExperts,
  vocabularyOf,
} from './decoders.ts';
import type { Settings } from './settings.ts';
import { NotModelled, type Scope } from './sheet.ts';

/*
 * State-space decoders and those that mix such layers with attention. The source of an entry `x` is the class it describes:
 * transformers 5.18.0, src/transformers/models/x/modeling_x.py.
 */

/** A rank that may be written `auto`: a sixteenth of the width, rounded up. */
function rankOf(c: Settings, key: string): number {
  const written = c.section?.string(key);
  c.read.add(key);
  return written === 'auto' || (written === undefined && typeof c.family.fields.get(key) === 'string' && !c.section?.has(key))
    ? Math.ceil(hiddenOf(c) / 16)
    : c.int(key);
}

/** Mamba's mixer (Gu and Dao 2023, https://arxiv.org/abs/2312.00752, section 3.4). */
function mamba1(
  s: Scope,
  o: {
    readonly hidden: number;
    readonly inner: number;
    readonly states: number;
    readonly rank: number;
    readonly kernel: number;
    readonly bias: boolean;
    readonly convBias: boolean;
  },
): void {
  s.weight('A_log', [o.inner, o.states]);
  s.weight('D', [o.inner]);
  s.convolution('conv1d', o.inner, 1, [o.kernel], o.convBias);
  s.linear('in_proj', 2 * o.inner, o.hidden, o.bias);
  s.linear('x_proj', o.rank + 2 * o.states, o.inner);
  s.linear('dt_proj', o.inner, o.rank, true);
  s.linear('out_proj', o.hidden, o.inner, o.bias);
}

/** Mamba 2's mixer (Dao and Gu 2024, https://arxiv.org/abs/2405.21060, section 7): heads, and groups that share B and C. */
function mamba2(
  s: Scope,
  o: {
    readonly hidden: number;
    readonly inner: number;
    readonly heads: number;
    readonly groups: number;
    readonly states: number;
    readonly kernel: number;
    readonly bias: boolean;
    readonly convBias: boolean;
  },
): void {
  const mixed = o.inner + 2 * o.groups * o.states;
  s.weight('dt_bias', [o.heads]);
  s.weight('A_log', [o.heads]);
  s.weight('D', [o.heads]);
  s.convolution('conv1d', mixed, 1, [o.kernel], o.convBias);
  s.linear('in_proj', o.inner + mixed + o.heads, o.hidden, o.bias);
  s.norm('norm', o.inner);
  s.linear('out_proj', o.hidden, o.inner, o.bias);
}

/** Mixers alone, one norm before each. */
function stateSpace(mixer: (s: Scope, c: Settings) => void): Architecture {
  const body: Layout = (s, c) => {
    s.embedding('embeddings', vocabularyOf(c), hiddenOf(c));
    s.each('layers', layersOf(c), (layer) => {
      layer.norm('norm', hiddenOf(c));
      mixer(layer.at('mixer'), c);
    });
    s.norm('norm_f', hiddenOf(c));
  };
  const { ForCausalLM } = headsFor('backbone', body, hiddenOf, (s, c) => s.head('lm_head', vocabularyOf(c), hiddenOf(c), tied(c)));
  return { body, usual: 'ForCausalLM', heads: ForCausalLM === undefined ? {} : { ForCausalLM } };
}

const plainMamba = (s: Scope, c: Settings): void => {
  const hidden = hiddenOf(c);
  mamba1(s, {
    hidden,
    // Saved files repeat what the class computes; it is then what counts.
    inner: c.maybe('intermediate_size') ?? Math.trunc((c.real('expand') ?? 2) * hidden),
    states: c.int('state_size'),
    rank: rankOf(c, 'time_step_rank'),
    kernel: c.int('conv_kernel'),
    bias: c.flag('use_bias'),
    convBias: c.flag('use_conv_bias'),
  });
};

/** Bamba's and Granite's names of Mamba 2's sizes. */
function mambaLayer(s: Scope, c: Settings): void {
  const hidden = hiddenOf(c);
  const inner = Math.trunc(c.int('mamba_expand') * hidden);
  const heads = c.int('mamba_n_heads');
  c.read.add('mamba_d_head');
  const headDim = c.section?.number('mamba_d_head') ?? Math.floor(inner / heads);
  if (headDim * heads !== inner) throw new NotModelled('mamba_n_heads * mamba_d_head is not the inner width.');
  mamba2(s, {
    hidden,
    inner,
    heads,
    groups: c.int('mamba_n_groups'),
    states: c.int('mamba_d_state'),
    kernel: c.int('mamba_d_conv'),
    bias: c.flag('mamba_proj_bias'),
    convBias: c.flag('mamba_conv_bias'),
  });
}

/** Sizes of the attention that a stack has none of still belong to it. */
const attentionKeys = (c: Settings): void => {
  for (const key of ['num_key_value_heads', 'attention_bias', 'head_dim']) c.read.add(key);
};

const isAttention = (type: string): boolean => type === 'attention' || type === 'full_attention';

export const hybrids: Architectures = {
  mamba: stateSpace(plainMamba),
  falcon_mamba: stateSpace(plainMamba),
  mamba2: stateSpace((s, c) => {
    const hidden = hiddenOf(c);
    mamba2(s, {
      hidden,
      inner: Math.trunc((c.real('expand') ?? 2) * hidden),
      heads: c.int('num_heads'),
      groups: c.int('n_groups'),
      states: c.int('state_size'),
      kernel: c.int('conv_kernel'),
      bias: c.flag('use_bias'),
      convBias: c.flag('use_conv_bias'),
    });
    for (const key of ['head_dim', 'time_step_rank']) c.read.add(key);
  }),
  bamba: decoder({
    attentionName: '',
    attention: (s, c, index) => {
      attentionKeys(c);
      const listed = c.numbers('attn_layer_indices') ?? [];
      c.read.add('layers_block_type');
      c.read.add('layer_types');
      if (listed.includes(index)) biased(s.at('self_attn'), c, index);
      else mambaLayer(s.at('mamba'), c);
    },
    ffnName: 'feed_forward',
    ffn: (s, c) => gatedFfn(s, hiddenOf(c), c.int('intermediate_size'), c.flag('mlp_bias')),
    norms: ['input_layernorm', 'pre_ff_layernorm'],
    finalNorm: 'final_layernorm',
  }),
  granitemoehybrid: decoder({
    attentionName: '',
    attention: (s, c, index) => {
      attentionKeys(c);
      if (isAttention(layerType(c, index, () => 'linear_attention'))) biased(s.at('self_attn'), c, index);
      else mambaLayer(s.at('mamba'), c);
    },
    ffnName: '',
    ffn: (s, c) => {
      if (c.int('num_local_experts') > 0) graniteShared(s, c);
      else {
        s.linear('shared_mlp.input_linear', 2 * c.int('shared_intermediate_size'), hiddenOf(c));
        s.linear('shared_mlp.output_linear', hiddenOf(c), c.int('shared_intermediate_size'));
      }
    },
  }),
  jamba: decoder({
    attentionName: '',
    attention: (s, c, index) => {
      attentionKeys(c);
      const hidden = hiddenOf(c);
      if (index % c.int('attn_layer_period') === c.int('attn_layer_offset')) {
        const heads = c.int('num_attention_heads');
        const headDim = Math.floor(hidden / heads);
        const width = (c.maybe('num_key_value_heads') ?? heads) * headDim;
        s.linear('self_attn.q_proj', heads * headDim, hidden);
        s.linear('self_attn.k_proj', width, hidden);
        s.linear('self_attn.v_proj', width, hidden);
        s.linear('self_attn.o_proj', hidden, heads * headDim);
        return;
      }
      const states = c.int('mamba_d_state');
      const rank = rankOf(c, 'mamba_dt_rank');
      const mamba = s.at('mamba');
      mamba1(mamba, {
        hidden,
        inner: c.int('mamba_expand') * hidden,
        states,
        rank,
        kernel: c.int('mamba_d_conv'),
        bias: c.flag('mamba_proj_bias'),
        convBias: c.flag('mamba_conv_bias'),
      });
      mamba.norm('dt_layernorm', rank);
      mamba.norm('b_layernorm', states);
      mamba.norm('c_layernorm', states);
    },
    ffnName: 'feed_forward',
    ffn: (s, c, index) => {
      const experts = index % c.int('expert_layer_period') === c.int('expert_layer_offset') ? c.int('num_experts') : 1;
      const inner = c.int('intermediate_size');
      if (experts > 1) mixture(s, { experts, hidden: hiddenOf(c), inner, router: 'router' });
      else gatedFfn(s, hiddenOf(c), inner);
    },
    norms: ['input_layernorm', 'pre_ff_layernorm'],
    finalNorm: 'final_layernorm',
  }),
  qwen3_5_moe_text: { ...qwenHybrid(false, qwenSharedExperts), stems: ['Qwen3_5Moe'] },
};
