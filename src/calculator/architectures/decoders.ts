import { type Architecture, type Architectures, type Layout, labels, tied } from './architecture.ts';
import {
  type AttentionOptions,
  attention,
  fusedAttention,
  fusedGatedFfn,
  gatedFfn,
  headsOf,
  indexer,
  latentAttention,
  mixture,
  plainFfn,
  quotient,
} from './blocks.ts';
import type { Settings } from './settings.ts';
import { NotModelled, type Scope } from './sheet.ts';

/*
 * Text decoders. The source of an entry `x` is the class it describes: transformers 5.18.0,
 * src/transformers/models/x/modeling_x.py; papers are cited at the blocks.
 */

export type LayerLayout = (s: Scope, c: Settings, index: number) => void;

/** A Llama-like stack: embedding, pre-norm layers with attention and FFN, final norm, output projection. */
interface DecoderOptions {
  readonly attention?: LayerLayout;
  readonly attentionName?: string;
  readonly ffn?: LayerLayout;
  readonly ffnName?: string;
  readonly norms?: readonly string[] | ((c: Settings, index: number) => readonly string[]);
  readonly normBias?: boolean | ((c: Settings) => boolean);
  /** Null where the model ends without one. */
  readonly finalNorm?: string | null;
  readonly layers?: (c: Settings) => number;
  /** What a layer has besides. */
  readonly also?: LayerLayout;
  /** What the base model has besides. */
  readonly root?: Layout;
  readonly headBias?: boolean | ((c: Settings) => boolean);
  readonly embeddings?: Layout;
  readonly tied?: (c: Settings) => boolean;
  readonly base?: string;
  readonly layersName?: string;
  readonly headName?: string;
  /** Whether the library's generic classification heads exist for this type. */
  readonly stems?: readonly string[];
  /** Where the question answering class keeps the base model; `transformer` in most. */
  readonly questionsBase?: string;
}

export const hiddenOf = (c: Settings): number => c.int('hidden_size');
export const vocabularyOf = (c: Settings): number => c.int('vocab_size');
export const layersOf = (c: Settings): number => c.int('num_hidden_layers');

/** Heads on a base model that lies at `base`: transformers/modeling_layers.py, Generic classes; `score` is their name of the classifier. */
export function headsFor(
  base: string,
  body: Layout,
  hidden: (c: Settings) => number,
  head: Layout,
  usual = 'ForCausalLM',
  questionsBase = 'transformer',
): Architecture['heads'] {
  const on = (s: Scope, c: Settings): void => body(s.at(base), c);
  return {
    [usual]: (s, c) => {
      on(s, c);
      head(s, c);
    },
    ForSequenceClassification: (s, c) => {
      on(s, c);
      s.linear('score', labels(c), hidden(c));
    },
    ForTokenClassification: (s, c) => {
      on(s, c);
      s.linear('score', labels(c), hidden(c), true);
    },
    ForQuestionAnswering: (s, c) => {
      body(s.at(questionsBase), c);
      s.linear('qa_outputs', 2, hidden(c), true);
    },
  };
}

export function decoder(o: DecoderOptions = {}): Architecture {
  const of = (value: boolean | ((c: Settings) => boolean) | undefined, c: Settings): boolean =>
    typeof value === 'function' ? value(c) : value === true;
  const body: Layout = (s, c) => {
    const hidden = hiddenOf(c);
    const bias = of(o.normBias, c);
    (o.embeddings ?? ((scope) => scope.embedding('embed_tokens', vocabularyOf(c), hidden)))(s, c);
    s.each(o.layersName ?? 'layers', (o.layers ?? layersOf)(c), (layer, index) => {
      (o.attention ?? biased)(layer.at(o.attentionName ?? 'self_attn'), c, index);
      (o.ffn ?? mlp)(layer.at(o.ffnName ?? 'mlp'), c, index);
      const norms = typeof o.norms === 'function' ? o.norms(c, index) : (o.norms ?? preNorms);
      for (const name of norms) layer.norm(name, hidden, bias);
      o.also?.(layer, c, index);
    });
    if (o.finalNorm !== null) s.norm(o.finalNorm ?? 'norm', hidden, bias);
    o.root?.(s, c);
  };
  return {
    body,
    usual: 'ForCausalLM',
    stems: o.stems,
    heads: headsFor(
      o.base ?? 'model',
      body,
      hiddenOf,
      (s, c) => s.head(o.headName ?? 'lm_head', vocabularyOf(c), hiddenOf(c), (o.tied ?? tied)(c), of(o.headBias, c)),
      'ForCausalLM',
      o.questionsBase,
    ),
  };
}

const preNorms = ['input_layernorm', 'post_attention_layernorm'];
const onlyInput = ['input_layernorm'];
/** Norms on the outputs of both sublayers (OLMo 2, Walsh et al. 2024, section 3.2). */
export const outputNorms = ['post_attention_layernorm', 'post_feedforward_layernorm'];
/** Norms before and after both sublayers (Gemma 2, https://arxiv.org/abs/2408.00118, section 2). */
export const sandwich = ['input_layernorm', 'post_attention_layernorm', 'pre_feedforward_layernorm', 'post_feedforward_layernorm'];

/** One bias key for all four projections, as Llama has it. */
export const biased: LayerLayout = (s, c) => {
  const bias = c.flag('attention_bias');
  attention(s, c, { qkv: bias, out: bias });
};
const attend =
  (o: AttentionOptions | ((c: Settings) => AttentionOptions)): LayerLayout =>
  (s, c) =>
    attention(s, c, typeof o === 'function' ? o(c) : o);
/** `attention_bias` on all projections and a norm of queries and keys. */
export const normed = (norms: 'head' | 'all'): LayerLayout =>
  attend((c) => ({ qkv: c.flag('attention_bias'), out: c.flag('attention_bias'), norms }));
const mla: LayerLayout = (s, c) => latentAttention(s, c);

const mlp: LayerLayout = (s, c) => gatedFfn(s, hiddenOf(c), c.int('intermediate_size'), c.flag('mlp_bias'));
export const plainMlp: LayerLayout = (s, c) => gatedFfn(s, hiddenOf(c), c.int('intermediate_size'));
const upDown =
  (names: readonly [string, string], bias: boolean | ((c: Settings) => boolean)): LayerLayout =>
  (s, c) =>
    plainFfn(s, names, hiddenOf(c), c.int('intermediate_size'), typeof bias === 'function' ? bias(c) : bias);
const fusedMlp: LayerLayout = (s, c) => fusedGatedFfn(s, hiddenOf(c), c.int('intermediate_size'));

/** Experts of the usual width under Mixtral's names. */
export const localExperts = (o: { readonly key?: string; readonly inner?: string; readonly router?: string } = {}): LayerLayout => {
  return (s, c) =>
    mixture(s, {
      experts: c.int(o.key ?? 'num_local_experts'),
      hidden: hiddenOf(c),
      inner: c.int(o.inner ?? 'intermediate_size'),
      router: o.router,
    });
};

/** Experts with shared ones beside them, DeepSeek's names. */
const deepseekExperts =
  (o: { readonly key?: string; readonly shared?: string; readonly bias?: boolean } = {}): LayerLayout =>
  (s, c) => {
    const inner = c.int('moe_intermediate_size');
    const shared = c.maybe(o.shared ?? 'n_shared_experts') ?? 0;
    mixture(s, {
      experts: c.int(o.key ?? 'n_routed_experts'),
      hidden: hiddenOf(c),
      inner,
      sharedInner: shared * inner,
      sharedBias: o.bias === true && c.flag('mlp_bias'),
    });
  };

const expertKeys = [
  'n_routed_experts',
  'n_shared_experts',
  'moe_intermediate_size',
  'num_experts',
  'num_local_experts',
  'num_shared_experts',
  'shared_expert_intermediate_size',
];

/** Dense FFN in some layers, experts in the others. */
const sparseWhere =
  (isSparse: (c: Settings, index: number) => boolean, sparse: LayerLayout, dense: LayerLayout = plainMlp): LayerLayout =>
  (s, c, index) => {
    // Where every layer is of one kind, the other kind's sizes still belong to it.
    for (const key of expertKeys) c.read.add(key);
    (isSparse(c, index) ? sparse : dense)(s, c, index);
  };

const afterDense =
  (key = 'first_k_dense_replace') =>
  (c: Settings, index: number): boolean =>
    index >= c.int(key);

/** `mlp_layer_types` where it is written, else the first layers dense as the class makes them. */
const byMlpTypes =
  (dense: (c: Settings) => number) =>
  (c: Settings, index: number): boolean => {
    const types = c.texts('mlp_layer_types');
    if (types === undefined) return index >= dense(c);
    const type = types[index];
    if (type !== 'dense' && type !== 'sparse') throw new NotModelled(`mlp_layer_types: ${type} in layer ${index}.`);
    return type === 'sparse';
  };

/** Qwen's rule: every `decoder_sparse_step`-th layer that is not listed in `mlp_only_layers`. */
const qwenSparse =
  (key = 'num_experts') =>
  (c: Settings, index: number): boolean => {
    const only = c.numbers('mlp_only_layers') ?? [];
    const step = c.int('decoder_sparse_step');
    return !only.includes(index) && c.int(key) > 0 && step > 0 && (index + 1) % step === 0;
  };

export const qwenSharedExperts: LayerLayout = (s, c) => {
  mixture(s, {
    experts: c.int('num_experts'),
    hidden: hiddenOf(c),
    inner: c.int('moe_intermediate_size'),
    sharedInner: c.int('shared_expert_intermediate_size'),
    sharedName: 'shared_expert',
  });
  s.linear('shared_expert_gate', 1, hiddenOf(c));
};

export const layerType = (c: Settings, index: number, fallback: (index: number) => string): string => {
  const types = c.texts('layer_types');
  if (types === undefined) return fallback(index);
  const type = types[index];
  if (type === undefined) throw new NotModelled(`layer_types names ${types.length} layers.`);
  return type;
};

/** Gated delta net (Yang et al. 2024, https://arxiv.org/abs/2412.06464) as in Qwen3-Next. */
export function deltaNet(s: Scope, c: Settings, fused: boolean): void {
  const keys = c.int('linear_num_key_heads') * c.int('linear_key_head_dim');
  const valueHeads = c.int('linear_num_value_heads');
  const valueDim = c.int('linear_value_head_dim');
  const values = valueHeads * valueDim;
  const hidden = hiddenOf(c);
  s.weight('dt_bias', [valueHeads]);
  s.weight('A_log', [valueHeads]);
  s.convolution('conv1d', 2 * keys + values, 1, [c.int('linear_conv_kernel_dim')], false);
  if (fused) {
    s.linear('in_proj_qkvz', 2 * keys + 2 * values, hidden);
    s.linear('in_proj_ba', 2 * valueHeads, hidden);
  } else {
    s.linear('in_proj_qkv', 2 * keys + values, hidden);
    s.linear('in_proj_z', values, hidden);
    s.linear('in_proj_b', valueHeads, hidden);
    s.linear('in_proj_a', valueHeads, hidden);
  }
  s.norm('norm', valueDim);
  s.linear('out_proj', hidden, values);
}

/** Every fourth layer attends in full; the others keep a state. */
const everyFourth =
  (c: Settings) =>
  (index: number): string =>
    (index + 1) % (c.maybe('full_attention_interval') ?? 4) === 0 ? 'full_attention' : 'linear_attention';

export const qwenHybrid = (fused: boolean, ffn: LayerLayout): Architecture =>
  decoder({
    attentionName: '',
    attention: (s, c, index) => {
      for (const key of ['num_key_value_heads', 'attention_bias', 'head_dim']) c.read.add(key);
      if (layerType(c, index, everyFourth(c)) === 'linear_attention') deltaNet(s.at('linear_attn'), c, fused);
      else
        attention(s.at('self_attn'), c, {
          qkv: c.flag('attention_bias'),
          out: c.flag('attention_bias'),
          norms: 'head',
          gatedQueries: true,
        });
    },
    ffn,
  });

const qwen3MoeFfn = sparseWhere(qwenSparse('num_local_experts'), localExperts({ inner: 'moe_intermediate_size' }));

/** GPT-2's block (Radford et al. 2019): fused attention, four-fold FFN. `Conv1D` keeps weights as [in, out]. */
function gpt2Block(s: Scope, hidden: number, inner: number, normBias = true): void {
  s.norm('ln_1', hidden, normBias);
  s.conv1D('attn.c_attn', hidden, 3 * hidden);
  s.conv1D('attn.c_proj', hidden, hidden);
  s.norm('ln_2', hidden, normBias);
  s.conv1D('mlp.c_fc', hidden, inner);
  s.conv1D('mlp.c_proj', inner, hidden);
}

const width = (key: string) => (c: Settings) => c.int(key);

/** Stacks under `transformer` with their own block. */
function transformer(o: {
  readonly hidden: string;
  readonly layers: string;
  readonly layersName?: string;
  readonly embeddings: Layout;
  readonly block: LayerLayout;
  readonly finalNorm: string | null;
  readonly normBias?: (c: Settings) => boolean;
  readonly base?: string;
  readonly head?: Layout;
  readonly usual?: string;
  readonly heads?: Architecture['heads'];
}): Architecture {
  const hidden = width(o.hidden);
  const body: Layout = (s, c) => {
    o.embeddings(s, c);
    s.each(o.layersName ?? 'h', c.int(o.layers), (layer, index) => o.block(layer, c, index));
    if (o.finalNorm !== null) s.norm(o.finalNorm, hidden(c), o.normBias?.(c) ?? true);
  };
  const head: Layout = o.head ?? ((s, c) => s.head('lm_head', vocabularyOf(c), hidden(c), tied(c)));
  const usual = o.usual ?? 'ForCausalLM';
  const heads = headsFor(o.base ?? 'transformer', body, hidden, head, usual, o.base);
  // These classes are older than the generic ones and name the token classifier themselves.
  const ForTokenClassification: Layout = (s, c) => {
    body(s.at(o.base ?? 'transformer'), c);
    s.linear('classifier', labels(c), hidden(c), true);
  };
  return { body, usual, heads: { ...heads, ForTokenClassification, ...o.heads } };
}

/** GPT-J and CodeGen: one norm before attention and FFN that run side by side, and a biased head. They differ in the projections. */
const parallelNorm = (projections: (s: Scope, hidden: number) => void): Architecture =>
  transformer({
    hidden: 'n_embd',
    layers: 'n_layer',
    embeddings: (s, c) => s.embedding('wte', vocabularyOf(c), c.int('n_embd')),
    block: (s, c) => {
      const hidden = c.int('n_embd');
      s.layerNorm('ln_1', hidden);
      projections(s, hidden);
      plainFfn(s.at('mlp'), ['fc_in', 'fc_out'], hidden, c.maybe('n_inner') ?? 4 * hidden);
    },
    finalNorm: 'ln_f',
    head: (s, c) => s.head('lm_head', vocabularyOf(c), c.int('n_embd'), tied(c), true),
  });

const wordsAndPositions =
  (positions: string): Layout =>
  (s, c) => {
    s.embedding('wte', vocabularyOf(c), c.int('n_embd'));
    s.embedding('wpe', c.int(positions), c.int('n_embd'));
  };

/** Fairseq's positions start behind the padding index: two rows more than positions. */
const positionOffset = 2;

export const decoders: Architectures = {
  // Llama's layout (Touvron et al. 2023) with each family's biases, norms and FFN.
  llama: decoder(),
  granite: decoder(),
  helium: decoder({
    // The output projection is square and has no bias, whatever the heads are.
    attention: (s, c) => {
      const { hidden, heads, keyValueHeads, headDim } = headsOf(c);
      const bias = c.flag('attention_bias');
      s.linear('q_proj', heads * headDim, hidden, bias);
      s.linear('k_proj', keyValueHeads * headDim, hidden, bias);
      s.linear('v_proj', keyValueHeads * headDim, hidden, bias);
      s.linear('o_proj', hidden, hidden);
    },
  }),
  ernie4_5: decoder({
    attention: attend((c) => ({ qkv: c.flag('use_bias'), out: c.flag('use_bias') })),
    ffn: (s, c) => gatedFfn(s, hiddenOf(c), c.int('intermediate_size'), c.flag('use_bias')),
  }),
  cwm: decoder({ attention: attend({}), ffn: plainMlp }),
  mistral: decoder({ questionsBase: 'model', attention: attend({}), ffn: plainMlp }),
  ministral: decoder({ attention: attend({}), ffn: plainMlp }),
  ministral3: decoder({ questionsBase: 'model', attention: attend({}), ffn: plainMlp }),
  qwen2: decoder({ attention: attend({ qkv: true }), ffn: plainMlp }),
  qwen3: decoder({ attention: normed('head'), ffn: plainMlp }),
  smollm3: decoder({ attention: attend((c) => ({ qkv: c.flag('attention_bias'), out: c.flag('attention_bias'), headDim: false })) }),
  seed_oss: decoder({ attention: attend((c) => ({ qkv: c.flag('attention_bias'), out: c.flag('attention_out_bias') })) }),
  arcee: decoder({ ffn: upDown(['up_proj', 'down_proj'], (c) => c.flag('mlp_bias')) }),
  jais2: decoder({ ffn: upDown(['up_proj', 'down_proj'], (c) => c.flag('mlp_bias')), normBias: true }),
  nemotron: decoder({ ffn: upDown(['up_proj', 'down_proj'], (c) => c.flag('mlp_bias')), normBias: true }),
  gemma: decoder({ ffn: plainMlp }),
  gemma2: decoder({ ffn: plainMlp, norms: sandwich }),
  gemma3_text: decoder({ attention: normed('head'), ffn: plainMlp, norms: sandwich, stems: ['Gemma3'] }),
  vaultgemma: decoder({ ffn: plainMlp, norms: ['input_layernorm', 'pre_feedforward_layernorm'] }),
  olmo: decoder({
    attention: attend((c) => ({ qkv: c.flag('attention_bias'), out: c.flag('attention_bias') })),
    ffn: plainMlp,
    norms: [],
    finalNorm: null,
  }),
  olmo2: decoder({ attention: normed('all'), ffn: plainMlp, norms: outputNorms }),
  olmo3: decoder({ attention: normed('all'), ffn: plainMlp, norms: outputNorms }),
  exaone4: decoder({ attention: attend({ norms: 'head' }), ffn: plainMlp, norms: outputNorms }),
  glm: decoder({ attention: attend((c) => ({ qkv: c.flag('attention_bias') })), ffn: fusedMlp }),
  glm4: decoder({
    attention: attend((c) => ({ qkv: c.flag('attention_bias') })),
    ffn: fusedMlp,
    norms: [...preNorms, 'post_self_attn_layernorm', 'post_mlp_layernorm'],
  }),
  hyperclovax: decoder({ norms: (c) => (c.flag('use_post_norm') ? [...preNorms, 'post_norm1', 'post_norm2'] : preNorms) }),
  cohere: decoder({ ffn: plainMlp, norms: onlyInput, attention: cohereAttention }),
  cohere2: decoder({ ffn: plainMlp, norms: onlyInput }),
  cohere2_moe: decoder({ norms: onlyInput, ffn: cohereMoe }),
  bitnet: decoder({
    attention: (s, c, index) => {
      biased(s, c, index);
      s.norm('attn_sub_norm', hiddenOf(c));
    },
    ffn: (s, c) => {
      gatedFfn(s, hiddenOf(c), c.int('intermediate_size'));
      s.norm('ffn_sub_norm', c.int('intermediate_size'));
    },
  }),
  stablelm: decoder({
    attention: (s, c) => {
      attention(s, c, { qkv: c.flag('use_qkv_bias'), headDim: false });
      if (!c.flag('qk_layernorm')) return;
      const { heads, keyValueHeads, headDim } = headsOf(c, { headDim: false });
      s.at('q_layernorm.norms.0', heads).weight('weight', [headDim]);
      s.at('k_layernorm.norms.0', keyValueHeads).weight('weight', [headDim]);
    },
    ffn: plainMlp,
    normBias: true,
    norms: (c) => (c.flag('use_parallel_residual') ? onlyInput : preNorms),
  }),
  starcoder2: decoder({
    attention: attend((c) => ({ qkv: c.flag('use_bias'), out: c.flag('use_bias') })),
    ffn: upDown(['c_fc', 'c_proj'], (c) => c.flag('use_bias')),
    normBias: true,
  }),
  phi: decoder({
    attention: (s, c) => {
      attention(s, c, { qkv: true, out: true, outName: 'dense' });
      if (!c.flag('qk_layernorm')) return;
      const { headDim } = headsOf(c);
      s.layerNorm('q_layernorm', headDim);
      s.layerNorm('k_layernorm', headDim);
    },
    ffn: upDown(['fc1', 'fc2'], true),
    norms: onlyInput,
    normBias: true,
    finalNorm: 'final_layernorm',
    headBias: true,
  }),
  phi3: decoder({ attention: (s, c) => fusedAttention(s, headsOf(c), ['qkv_proj', 'o_proj']), ffn: fusedMlp }),
  persimmon: decoder({
    attention: (s, c) => {
      const sizes = headsOf(c, { headDim: false });
      fusedAttention(s, { ...sizes, keyValueHeads: sizes.heads }, ['query_key_value', 'dense'], { qkv: true, out: true });
      if (!c.flag('qk_layernorm')) return;
      s.layerNorm('q_layernorm', sizes.headDim);
      s.layerNorm('k_layernorm', sizes.headDim);
    },
    ffn: upDown(['dense_h_to_4h', 'dense_4h_to_h'], true),
    normBias: true,
    finalNorm: 'final_layernorm',
  }),
  nanochat: decoder({ ffn: upDown(['fc1', 'fc2'], false), norms: [], finalNorm: null }),
  apertus: decoder({
    attention: normed('head'),
    ffn: (s, c) => {
      plainFfn(s, ['up_proj', 'down_proj'], hiddenOf(c), c.int('intermediate_size'), false);
      if (c.text('hidden_act') !== 'xielu') return;
      s.weight('act_fn.alpha_p', [1]);
      s.weight('act_fn.alpha_n', [1]);
    },
    norms: ['attention_layernorm', 'feedforward_layernorm'],
  }),
  hunyuan_v1_dense: decoder({
    attention: attend((c) => ({
      qkv: c.flag('attention_bias'),
      out: c.flag('attention_bias'),
      norms: 'head',
      normNames: ['query_layernorm', 'key_layernorm'],
    })),
    ffn: plainMlp,
  }),
  diffllama: decoder({
    attention: (s, c) => {
      const sizes = headsOf(c);
      attention(s, c, { sizes, qkv: c.flag('attention_bias'), out: c.flag('attention_bias') });
      for (const name of ['lambda_q1', 'lambda_k1', 'lambda_q2', 'lambda_k2']) s.weight(name, [sizes.headDim]);
    },
    ffn: plainMlp,
  }),
  granite_swa: decoder({
    attention: (s, c, index) => {
      biased(s, c, index);
      s.weight('sinks', [c.int('num_attention_heads')]);
    },
  }),
  hrm_text: hrmText(),

  // Latent attention, dense or with experts.
  minicpm3: decoder({ attention: mla }),
  youtu: decoder({ attention: mla, ffn: plainMlp }),
  deepseek_v2: decoder({ attention: mla, ffn: sparseWhere(afterDense(), deepseekExperts({ bias: true }), mlp) }),
  deepseek_v3: decoder({ attention: mla, ffn: sparseWhere(afterDense(), deepseekExperts()) }),
  deepseek_v32: decoder({
    attention: sparseLatent,
    ffn: sparseWhere(
      byMlpTypes((c) => Math.min(3, layersOf(c))),
      deepseekExperts(),
    ),
  }),
  glm_moe_dsa: decoder({
    attention: sparseLatent,
    ffn: sparseWhere(
      byMlpTypes((c) => Math.min(3, layersOf(c))),
      deepseekExperts(),
    ),
  }),
  glm4_moe_lite: decoder({
    attention: mla,
    ffn: sparseWhere(
      byMlpTypes((c) => Math.min(1, layersOf(c))),
      deepseekExperts(),
    ),
  }),
  mistral4: decoder({ attention: mla, ffn: sparseWhere(afterDense(), deepseekExperts()) }),
  axk1: decoder({
    attention: mla,
    ffn: sparseWhere(afterDense(), (s, c, index) => {
      deepseekExperts()(s, c, index);
      s.norm('post_mlp_layernorm', hiddenOf(c));
    }),
  }),
  longcat_flash: longcat(),

  // Experts.
  mixtral: decoder({ questionsBase: 'model', attention: attend({}), ffn: localExperts() }),
  minimax_m2: decoder({ attention: attend({ norms: 'all' }), ffn: localExperts() }),
  phimoe: decoder({
    attention: biased,
    ffn: localExperts({ router: 'router' }),
    normBias: true,
    headBias: (c) => c.flag('lm_head_bias'),
  }),
  olmoe: decoder({ attention: normed('all'), ffn: localExperts({ key: 'num_experts' }) }),
  flex_olmo: decoder({ attention: normed('all'), ffn: localExperts({ key: 'num_experts' }), norms: outputNorms }),
  qwen2_moe: decoder({
    questionsBase: 'model',
    attention: attend((c) => ({ qkv: c.flag('qkv_bias') })),
    ffn: sparseWhere(qwenSparse(), qwenSharedExperts),
  }),
  qwen3_moe: decoder({ attention: normed('head'), ffn: qwen3MoeFfn }),
  mellum: decoder({
    attention: normed('head'),
    ffn: sparseWhere(
      byMlpTypes(() => 0),
      localExperts({ inner: 'moe_intermediate_size' }),
    ),
  }),
  glm4_moe: decoder({
    attention: (s, c) => {
      attention(s, c, { qkv: c.flag('attention_bias'), norms: c.flag('use_qk_norm') ? 'head' : undefined });
    },
    ffn: sparseWhere(afterDense(), deepseekExperts()),
  }),
  dots1: decoder({ attention: normed('head'), ffn: sparseWhere(afterDense(), deepseekExperts()) }),
  solar_open: decoder({ attention: attend((c) => ({ qkv: c.flag('attention_bias') })), ffn: deepseekExperts() }),
  exaone_moe: decoder({
    attention: attend({ norms: 'head' }),
    ffn: sparseWhere(
      byMlpTypes((c) => c.int('first_k_dense_replace')),
      deepseekExperts({ key: 'num_experts', shared: 'num_shared_experts' }),
    ),
  }),
  hy_v3: decoder({
    attention: normed('head'),
    ffn: sparseWhere(
      byMlpTypes(() => 1),
      deepseekExperts({ key: 'num_experts', shared: 'num_shared_experts', bias: true }),
      mlp,
    ),
  }),
  ernie4_5_moe: decoder({
    attention: attend((c) => ({ qkv: c.flag('use_bias'), out: c.flag('use_bias') })),
    ffn: ernieMoe,
    headBias: (c) => c.flag('use_bias'),
  }),
  hunyuan_v1_moe: decoder({
    attention: attend((c) => ({
      qkv: c.flag('attention_bias'),
      out: c.flag('attention_bias'),
      norms: 'head',
      normNames: ['query_layernorm', 'key_layernorm'],
    })),
    ffn: (s, c) =>
      mixture(s, {
        experts: c.int('num_experts'),
        hidden: hiddenOf(c),
        inner: c.int('intermediate_size'),
        router: 'gate.wg',
        sharedInner: c.int('intermediate_size'),
        sharedName: 'shared_mlp',
      }),
  }),
  gpt_oss: decoder({
    attention: (s, c, index) => {
      biased(s, c, index);
      s.weight('sinks', [c.int('num_attention_heads')]);
    },
    ffn: biasedExperts,
  }),
  granitemoe: decoder({ ffnName: 'block_sparse_moe', ffn: localExperts({ router: 'router' }) }),
  granitemoeshared: decoder({ ffnName: '', ffn: graniteShared }),
  llama4_text: decoder({
    attention: biased,
    ffnName: 'feed_forward',
    ffn: (s, c, index) => {
      if (!llama4Sparse(c, index)) {
        gatedFfn(s, hiddenOf(c), c.int('intermediate_size_mlp'));
        return;
      }
      const experts = c.int('num_local_experts');
      const inner = c.int('intermediate_size');
      s.weight('experts.gate_up_proj', [experts, hiddenOf(c), 2 * inner]);
      s.weight('experts.down_proj', [experts, inner, hiddenOf(c)]);
      s.linear('router', experts, hiddenOf(c));
      gatedFfn(s.at('shared_expert'), hiddenOf(c), inner);
    },
    stems: ['Llama4'],
  }),
  jetmoe: decoder({ attentionName: 'self_attention', attention: jetmoeAttention, ffn: jetmoeFfn }),
  afmoe: decoder({
    attention: (s, c) => {
      const sizes = headsOf(c);
      attention(s, c, { sizes, qkv: c.flag('attention_bias'), out: c.flag('attention_bias'), norms: 'head' });
      s.linear('gate_proj', sizes.heads * sizes.headDim, sizes.hidden);
    },
    ffn: sparseWhere(afterDense('num_dense_layers'), (s, c) => {
      const count = c.int('num_experts');
      s.weight('expert_bias', [count]);
      mixture(s, {
        experts: count,
        hidden: hiddenOf(c),
        inner: c.int('moe_intermediate_size'),
        router: 'router.gate',
        sharedInner: c.int('num_shared_experts') * c.int('moe_intermediate_size'),
      });
    }),
    norms: [...preNorms, 'pre_mlp_layernorm', 'post_mlp_layernorm'],
  }),
  mimo_v2_flash: mimo(),
  laguna: laguna(),
  minimax: minimax(),
  qwen3_next: qwenHybrid(true, sparseWhere(qwenSparse(), qwenSharedExperts)),
  qwen3_5_text: { ...qwenHybrid(false, plainMlp), stems: ['Qwen3_5'] },
  doge: doge(),

  // GPT-2's layout and its relatives.
  gpt2: transformer({
    usual: 'LMHeadModel',
    hidden: 'n_embd',
    layers: 'n_layer',
    embeddings: wordsAndPositions('n_positions'),
    block: (s, c) => {
      const hidden = c.int('n_embd');
      gpt2Block(s, hidden, c.maybe('n_inner') ?? 4 * hidden);
      if (!c.flag('add_cross_attention')) return;
      s.layerNorm('ln_cross_attn', hidden);
      s.conv1D('crossattention.c_attn', hidden, 2 * hidden);
      s.conv1D('crossattention.q_attn', hidden, hidden);
      s.conv1D('crossattention.c_proj', hidden, hidden);
    },
    finalNorm: 'ln_f',
  }),
  'openai-gpt': transformer({
    usual: 'LMHeadModel',
    hidden: 'n_embd',
    layers: 'n_layer',
    embeddings: (s, c) => {
      s.embedding('tokens_embed', vocabularyOf(c), c.int('n_embd'));
      s.embedding('positions_embed', c.int('n_positions'), c.int('n_embd'));
    },
    block: (s, c) => gpt2Block(s, c.int('n_embd'), 4 * c.int('n_embd')),
    finalNorm: null,
  }),
  gpt_bigcode: transformer({
    hidden: 'n_embd',
    layers: 'n_layer',
    embeddings: wordsAndPositions('n_positions'),
    block: (s, c) => {
      const hidden = c.int('n_embd');
      const heads = c.int('n_head');
      const inner = c.maybe('n_inner') ?? 4 * hidden;
      const headDim = quotient(hidden, heads, 'head dim');
      s.layerNorm('ln_1', hidden);
      // Multi-query attention shares one key and value head (Shazeer 2019).
      // The class sets it from `multi_query`.
      c.read.add('num_key_value_heads');
      s.linear('attn.c_attn', c.flag('multi_query') ? hidden + 2 * headDim : 3 * hidden, hidden, true);
      s.linear('attn.c_proj', hidden, hidden, true);
      s.layerNorm('ln_2', hidden);
      plainFfn(s.at('mlp'), ['c_fc', 'c_proj'], hidden, inner);
    },
    finalNorm: 'ln_f',
  }),
  gpt_neo: transformer({
    hidden: 'hidden_size',
    layers: 'num_layers',
    embeddings: (s, c) => {
      s.embedding('wte', vocabularyOf(c), hiddenOf(c));
      s.embedding('wpe', c.int('max_position_embeddings'), hiddenOf(c));
    },
    block: (s, c) => {
      const hidden = hiddenOf(c);
      s.layerNorm('ln_1', hidden);
      for (const name of ['k_proj', 'v_proj', 'q_proj']) s.linear(`attn.attention.${name}`, hidden, hidden);
      s.linear('attn.attention.out_proj', hidden, hidden, true);
      s.layerNorm('ln_2', hidden);
      plainFfn(s.at('mlp'), ['c_fc', 'c_proj'], hidden, c.maybe('intermediate_size') ?? 4 * hidden);
    },
    finalNorm: 'ln_f',
  }),
  gptj: parallelNorm((s, hidden) => {
    for (const name of ['k_proj', 'v_proj', 'q_proj', 'out_proj']) s.linear(`attn.${name}`, hidden, hidden);
  }),
  codegen: parallelNorm((s, hidden) => {
    s.linear('attn.qkv_proj', 3 * hidden, hidden);
    s.linear('attn.out_proj', hidden, hidden);
  }),
  bloom: transformer({
    hidden: 'hidden_size',
    layers: 'n_layer',
    embeddings: (s, c) => {
      s.embedding('word_embeddings', vocabularyOf(c), hiddenOf(c));
      s.layerNorm('word_embeddings_layernorm', hiddenOf(c));
    },
    block: (s, c) => {
      const hidden = hiddenOf(c);
      s.layerNorm('input_layernorm', hidden);
      s.linear('self_attention.query_key_value', 3 * hidden, hidden, true);
      s.linear('self_attention.dense', hidden, hidden, true);
      s.layerNorm('post_attention_layernorm', hidden);
      plainFfn(s.at('mlp'), ['dense_h_to_4h', 'dense_4h_to_h'], hidden, 4 * hidden);
    },
    finalNorm: 'ln_f',
  }),
  falcon: transformer({
    hidden: 'hidden_size',
    layers: 'num_hidden_layers',
    embeddings: (s, c) => s.embedding('word_embeddings', vocabularyOf(c), hiddenOf(c)),
    block: falconBlock,
    finalNorm: 'ln_f',
  }),
  mpt: transformer({
    hidden: 'd_model',
    layers: 'n_layers',
    layersName: 'blocks',
    embeddings: (s, c) => s.embedding('wte', vocabularyOf(c), c.int('d_model')),
    block: (s, c) => {
      const hidden = c.int('d_model');
      c.read.add('attn_config');
      const attn = c.section?.child('attn_config');
      if (attn?.has('kv_n_heads') === true || !['multihead_attention', undefined].includes(attn?.string('attn_type')))
        throw new NotModelled('attn_config shares key and value heads.');
      s.norm('norm_1', hidden);
      s.linear('attn.Wqkv', 3 * hidden, hidden);
      s.linear('attn.out_proj', hidden, hidden);
      s.norm('norm_2', hidden);
      plainFfn(s.at('ffn'), ['up_proj', 'down_proj'], hidden, 4 * hidden, false);
    },
    finalNorm: 'norm_f',
    normBias: () => false,
  }),
  gpt_neox: transformer({
    base: 'gpt_neox',
    hidden: 'hidden_size',
    layers: 'num_hidden_layers',
    layersName: 'layers',
    embeddings: (s, c) => s.embedding('embed_in', vocabularyOf(c), hiddenOf(c)),
    block: (s, c) => {
      const hidden = hiddenOf(c);
      const bias = c.flag('attention_bias');
      s.layerNorm('input_layernorm', hidden);
      s.layerNorm('post_attention_layernorm', hidden);
      s.linear('attention.query_key_value', 3 * hidden, hidden, bias);
      s.linear('attention.dense', hidden, hidden, bias);
      plainFfn(s.at('mlp'), ['dense_h_to_4h', 'dense_4h_to_h'], hidden, c.int('intermediate_size'));
    },
    finalNorm: 'final_layer_norm',
  }),
  gpt_neox_japanese: transformer({
    base: 'gpt_neox_japanese',
    hidden: 'hidden_size',
    layers: 'num_hidden_layers',
    layersName: 'layers',
    embeddings: (s, c) => s.embedding('embed_in', vocabularyOf(c), hiddenOf(c)),
    block: (s, c, index) => {
      const hidden = hiddenOf(c);
      s.layerNorm('input_layernorm', hidden);
      s.layerNorm('post_attention_layernorm', hidden);
      s.linear('attention.query_key_value', 3 * hidden, hidden);
      s.linear('attention.dense', hidden, hidden);
      if (index === layersOf(c) - 1) s.weight('attention.dense_bias', [hidden]);
      plainFfn(s.at('mlp'), ['dense_h_to_4h', 'dense_4h_to_h'], hidden, c.int('intermediate_multiple_size') * hidden, false);
    },
    finalNorm: 'final_layer_norm',
    head: (s, c) => s.head('embed_out', vocabularyOf(c), hiddenOf(c), tied(c)),
  }),
  ctrl: transformer({
    usual: 'LMHeadModel',
    hidden: 'n_embd',
    layers: 'n_layer',
    embeddings: (s, c) => s.embedding('w', vocabularyOf(c), c.int('n_embd')),
    block: (s, c) => {
      const hidden = c.int('n_embd');
      for (const name of ['Wq', 'Wk', 'Wv', 'dense']) s.linear(`multi_head_attention.${name}`, hidden, hidden, true);
      plainFfn(s.at('ffn'), ['0', '2'], hidden, c.int('dff'));
      s.layerNorm('layernorm1', hidden);
      s.layerNorm('layernorm2', hidden);
    },
    finalNorm: 'layernorm',
    head: (s, c) => s.head('lm_head', vocabularyOf(c), c.int('n_embd'), tied(c), true),
    heads: {
      ForSequenceClassification: (s, c) => {
        decoders.ctrl?.body(s.at('transformer'), c);
        s.linear('classifier', labels(c), c.int('n_embd'));
      },
    },
  }),
  imagegpt: imageGpt(),
  opt: opt(),
  xglm: fairseqDecoder({
    base: 'model',
    hidden: 'd_model',
    heads: 'attention_heads',
    layers: 'num_layers',
    ffn: 'ffn_dim',
    learned: false,
    head: 'lm_head',
  }),
  biogpt: fairseqDecoder({
    base: 'biogpt',
    hidden: 'hidden_size',
    heads: 'num_attention_heads',
    layers: 'num_hidden_layers',
    ffn: 'intermediate_size',
    learned: true,
    head: 'output_projection',
  }),
  'modernbert-decoder': modernBertDecoder(),
};

/** The language part of a composite alone: no class of its own has a head. */
const withoutHead = ({ body }: Architecture): Architecture => ({ body, usual: 'Model', heads: {} });
const glmText = withoutHead(
  decoder({
    attention: attend((c) => ({ qkv: c.flag('attention_bias', true) })),
    ffn: fusedMlp,
    norms: [...preNorms, 'post_self_attn_layernorm', 'post_mlp_layernorm'],
  }),
);

/** Language parts of models that also see. */
export const nestedDecoders: Architectures = {
  qwen2_vl_text: withoutHead(decoder({ attention: attend({ qkv: true, headDim: false }), ffn: plainMlp })),
  qwen2_5_vl_text: withoutHead(decoder({ attention: attend({ qkv: true, headDim: false }), ffn: plainMlp })),
  qwen3_vl_text: withoutHead(decoder({ attention: normed('head'), ffn: plainMlp })),
  glm4v_text: glmText,
  glm_image_text: glmText,
  glm_ocr_text: withoutHead(
    decoder({
      attention: attend({}),
      ffn: fusedMlp,
      norms: [...preNorms, 'post_self_attn_layernorm', 'post_mlp_layernorm'],
    }),
  ),
  cosmos3_edge_text: withoutHead(decoder({ ffn: upDown(['fc1', 'fc2'], (c) => c.flag('mlp_bias')) })),
  // Short convolutions in most layers (LFM2, https://arxiv.org/abs/2511.23404, section 3).
  lfm2: decoder({
    attentionName: '',
    attention: (s, c, index) => {
      const hidden = hiddenOf(c);
      const listed = c.numbers('full_attn_idxs');
      const type = layerType(c, index, (at) => (listed === undefined || listed.includes(at) ? 'full_attention' : 'conv'));
      const bias = c.flag('conv_bias');
      for (const key of ['num_key_value_heads', 'conv_l_cache', 'conv_L_cache']) c.read.add(key);
      if (type === 'full_attention') {
        attention(s.at('self_attn'), c, { outName: 'out_proj', norms: 'head', normNames: ['q_layernorm', 'k_layernorm'], headDim: false });
        return;
      }
      s.convolution('conv.conv', hidden, 1, [c.int('conv_L_cache')], bias);
      s.linear('conv.in_proj', 3 * hidden, hidden, bias);
      s.linear('conv.out_proj', hidden, hidden, bias);
    },
    ffnName: 'feed_forward',
    ffn: (s, c) => {
      const hidden = hiddenOf(c);
      let inner = c.maybe('block_ff_dim') ?? c.int('intermediate_size');
      const factor = c.real('block_ffn_dim_multiplier');
      const multiple = c.int('block_multiple_of');
      c.read.add('intermediate_size');
      if (c.flag('block_auto_adjust_ff_dim')) {
        inner = Math.trunc((2 * inner) / 3);
        if (factor !== undefined) inner = multiple * Math.floor((Math.trunc(factor * inner) + multiple - 1) / multiple);
      }
      s.linear('w1', inner, hidden);
      s.linear('w3', inner, hidden);
      s.linear('w2', hidden, inner);
    },
    norms: ['operator_norm', 'ffn_norm'],
    finalNorm: 'embedding_norm',
    tied: (c) => c.flag('tie_embedding', tied(c)),
  }),
};

/** Cohere normalises each head with its own weights: [heads, head dim]. */
function cohereAttention(s: Scope, c: Settings): void {
  const bias = c.flag('attention_bias');
  const sizes = headsOf(c);
  attention(s, c, { sizes, qkv: bias, out: bias });
  if (!c.flag('use_qk_norm')) return;
  s.weight('q_norm.weight', [sizes.heads, sizes.headDim]);
  s.weight('k_norm.weight', [sizes.keyValueHeads, sizes.headDim]);
}

function cohereMoe(s: Scope, c: Settings, index: number): void {
  if (!byMlpTypes((settings) => settings.maybe('first_k_dense_replace') ?? 0)(c, index)) {
    gatedFfn(s, hiddenOf(c), c.maybe('prefix_dense_intermediate_size') ?? c.int('intermediate_size'));
    return;
  }
  const inner = c.int('intermediate_size');
  mixture(s, { experts: c.int('num_experts'), hidden: hiddenOf(c), inner, sharedInner: (c.maybe('num_shared_experts') ?? 0) * inner });
}

function sparseLatent(s: Scope, c: Settings): void {
  latentAttention(s, c);
  indexer(s.at('indexer'), c);
}

/** GPT-OSS's experts: weights as [experts, in, out], with biases (modeling_gpt_oss.py, GptOssExperts). */
export function biasedExperts(s: Scope, c: Settings): void {
  const experts = c.int('num_local_experts');
  const inner = c.int('intermediate_size');
  s.linear('router', experts, hiddenOf(c), true);
  s.weight('experts.gate_up_proj', [experts, hiddenOf(c), 2 * inner]);
  s.weight('experts.gate_up_proj_bias', [experts, 2 * inner]);
  s.weight('experts.down_proj', [experts, inner, hiddenOf(c)]);
  s.weight('experts.down_proj_bias', [experts, hiddenOf(c)]);
}

function ernieMoe(s: Scope, c: Settings, index: number): void {
  const start = c.int('moe_layer_start_index');
  const written = c.real('moe_layer_end_index') ?? -1;
  const end = written === -1 ? layersOf(c) - 1 : written;
  const bias = c.flag('use_bias');
  if (!((index + 1) % c.int('moe_layer_interval') === 0 && index >= start && index <= end)) {
    gatedFfn(s, hiddenOf(c), c.int('intermediate_size'), bias);
    return;
  }
  const experts = c.int('moe_num_experts');
  const inner = c.int('moe_intermediate_size');
  s.weight('gate.moe_statics.e_score_correction_bias', [1, experts]);
  mixture(s, { experts, hidden: hiddenOf(c), inner, sharedInner: (c.maybe('moe_num_shared_experts') ?? 0) * inner, sharedBias: bias });
}

export function graniteShared(s: Scope, c: Settings): void {
  localExperts({ router: 'router' })(s.at('block_sparse_moe'), c, 0);
  const shared = c.int('shared_intermediate_size');
  if (shared === 0) return;
  s.linear('shared_mlp.input_linear', 2 * shared, hiddenOf(c));
  s.linear('shared_mlp.output_linear', hiddenOf(c), shared);
}

function llama4Sparse(c: Settings, index: number): boolean {
  const listed = c.numbers('moe_layers');
  if (listed !== undefined) return listed.includes(index);
  const step = c.int('interleave_moe_layer_step');
  return step > 0 && (index + 1) % step === 0;
}

/** JetMoE (Shen et al. 2024): experts in attention's query and output projections too. */
function jetmoeAttention(s: Scope, c: Settings): void {
  const hidden = hiddenOf(c);
  // The class sets the number of query heads itself: experts per token times KV heads.
  c.read.add('num_attention_heads');
  const experts = c.int('num_local_experts');
  const width = c.int('kv_channels') * c.int('num_key_value_heads');
  s.weight('experts.bias', [hidden]);
  s.weight('experts.input_linear.weight', [experts, width, hidden]);
  s.weight('experts.output_linear.weight', [experts, hidden, width]);
  s.linear('experts.router.layer', experts, hidden);
  s.linear('kv_proj', 2 * width, hidden);
}

function jetmoeFfn(s: Scope, c: Settings): void {
  const hidden = hiddenOf(c);
  const experts = c.int('num_local_experts');
  const inner = c.int('intermediate_size');
  s.weight('bias', [hidden]);
  s.weight('input_linear.weight', [experts, 2 * inner, hidden]);
  s.weight('output_linear.weight', [experts, hidden, inner]);
  s.linear('router.layer', experts, hidden);
}

function falconBlock(s: Scope, c: Settings): void {
  const hidden = hiddenOf(c);
  const heads = c.int('num_attention_heads');
  const bias = c.flag('bias');
  const headDim = quotient(hidden, heads, 'head dim');
  const grouped = c.flag('new_decoder_architecture');
  const keyValueHeads = grouped ? (c.maybe('num_kv_heads') ?? heads) : c.flag('multi_query') ? 1 : heads;
  c.read.add('num_kv_heads');
  s.linear('self_attention.query_key_value', (heads + 2 * keyValueHeads) * headDim, hidden, bias);
  s.linear('self_attention.dense', hidden, hidden, bias);
  plainFfn(s.at('mlp'), ['dense_h_to_4h', 'dense_4h_to_h'], hidden, c.maybe('ffn_hidden_size') ?? 4 * hidden, bias);
  const norms = c.maybe('num_ln_in_parallel_attn') ?? (grouped ? 2 : undefined);
  const parallel = c.flag('parallel_attn');
  if (parallel && norms === 2) {
    s.layerNorm('ln_attn', hidden);
    s.layerNorm('ln_mlp', hidden);
  } else {
    s.layerNorm('input_layernorm', hidden);
    if (!parallel) s.layerNorm('post_attention_layernorm', hidden);
  }
}

/** Written by the class beside the number of layers run in total; before that `num_hidden_layers` is the stack's. */
function layersPerStack(c: Settings): number {
  c.read.add('num_hidden_layers');
  return c.maybe('num_layers_per_stack') ?? layersOf(c);
}

/** Two stacks run in turn (Hierarchical Reasoning Model, Wang et al. 2025); norms have no weights. */
function hrmText(): Architecture {
  const stack: Layout = (s, c) =>
    s.each('layers', layersPerStack(c), (layer) => {
      const sizes = headsOf(c);
      const bias = c.flag('attention_bias');
      attention(layer.at('self_attn'), c, { sizes, qkv: bias, out: bias });
      layer.linear('self_attn.gate_proj', sizes.heads * sizes.headDim, sizes.hidden, bias);
      gatedFfn(layer.at('mlp'), sizes.hidden, c.int('intermediate_size'), c.flag('mlp_bias'));
    });
  const body: Layout = (s, c) => {
    s.weight('z_L_init', [hiddenOf(c)]);
    s.embedding('embed_tokens', vocabularyOf(c), hiddenOf(c));
    stack(s.at('L_module'), c);
    stack(s.at('H_module'), c);
  };
  const { ForCausalLM } = headsFor('model', body, hiddenOf, (s, c) => s.head('lm_head', vocabularyOf(c), hiddenOf(c), tied(c)));
  return { body, usual: 'ForCausalLM', heads: ForCausalLM === undefined ? {} : { ForCausalLM } };
}

/** Two attentions and two dense FFNs beside one mixture per layer; some experts are the identity (LongCat-Flash, section 2). */
function longcat(): Architecture {
  return decoder({
    layers: (c) => c.int('num_layers'),
    attentionName: '',
    attention: (s, c) => {
      const sum = c.int('qk_nope_head_dim') + c.int('qk_rope_head_dim');
      if ((c.maybe('qk_head_dim') ?? sum) !== sum) throw new NotModelled('qk_head_dim is not the sum of its parts.');
      latentAttention(s.at('self_attn.0', 2), c);
    },
    ffn: (s, c) => {
      const routed = c.int('n_routed_experts');
      const all = routed + c.int('zero_expert_num');
      const inner = c.int('expert_ffn_hidden_size');
      s.weight('experts.gate_up_proj', [all, 2 * inner, hiddenOf(c)]);
      s.weight('experts.down_proj', [routed, hiddenOf(c), inner]);
      s.linear('router.classifier', all, hiddenOf(c), c.flag('router_bias'));
    },
    norms: [],
    also: (s, c) => {
      gatedFfn(s.at('mlps.0', 2), hiddenOf(c), c.int('ffn_hidden_size'));
      for (const name of preNorms) s.at(`${name}.0`, 2).weight('weight', [hiddenOf(c)]);
    },
  });
}

/** Layers with a sliding window have twice the KV heads and a sink per query head. */
function mimo(): Architecture {
  return decoder({
    attention: (s, c, index) => {
      const type = layerType(c, index, (at) => (at === 0 || (at + 1) % 6 === 0 ? 'full_attention' : 'sliding_attention'));
      const sliding = type === 'sliding_attention';
      const sizes = headsOf(c);
      const keyValueHeads = sliding ? 2 * sizes.keyValueHeads : sizes.keyValueHeads;
      attention(s, c, { sizes: { ...sizes, keyValueHeads }, qkv: c.flag('attention_bias'), valueDim: c.int('v_head_dim') });
      if (sliding) s.weight('sinks', [sizes.heads]);
    },
    ffn: sparseWhere(
      byMlpTypes(() => 1),
      localExperts({ key: 'n_routed_experts', inner: 'moe_intermediate_size' }),
    ),
  });
}

function laguna(): Architecture {
  return decoder({
    attention: (s, c, index) => {
      const heads = c.numbers('num_attention_heads_per_layer')?.[index] ?? c.int('num_attention_heads');
      const sizes = { ...headsOf(c), heads };
      const bias = c.flag('attention_bias');
      attention(s, c, { sizes, qkv: bias, out: bias, norms: 'head' });
      // One gate a head, or one a channel.
      c.read.add('gating');
      const perHead = c.section?.boolean('gating') ?? (c.section?.string('gating') ?? 'per-head') === 'per-head';
      s.linear('g_proj', perHead ? heads : heads * sizes.headDim, sizes.hidden);
    },
    ffn: sparseWhere(
      byMlpTypes(() => 1),
      (s, c) => {
        const count = c.int('num_experts');
        s.weight('gate.e_score_correction_bias', [count]);
        mixture(s, {
          experts: count,
          hidden: hiddenOf(c),
          inner: c.int('moe_intermediate_size'),
          sharedInner: c.int('shared_expert_intermediate_size'),
        });
      },
    ),
  });
}

/** Lightning attention in every second layer (MiniMax-01, https://arxiv.org/abs/2501.08313, section 2.2). */
function minimax(): Architecture {
  return decoder({
    questionsBase: 'model',
    attention: (s, c, index) => {
      const type = layerType(c, index, (at) => ((at + 1) % 2 === 0 ? 'linear_attention' : 'full_attention'));
      if (type !== 'linear_attention') {
        attention(s, c);
        return;
      }
      const { hidden, heads, headDim } = headsOf(c);
      s.norm('norm', heads * headDim);
      s.linear('qkv_proj', 3 * heads * headDim, hidden);
      s.linear('out_proj', hidden, heads * headDim);
      s.linear('output_gate', heads * headDim, hidden);
    },
    ffn: localExperts(),
  });
}

/** Dynamic mask attention (Doge): a decay per KV head and learned residual weights. */
function doge(): Architecture {
  return decoder({
    attention: (s, c) => {
      const sizes = headsOf(c);
      const bias = c.flag('attention_bias');
      attention(s, c, { sizes, qkv: bias, out: bias, norms: 'head' });
      s.weight('A', [sizes.keyValueHeads]);
      s.linear('dt_proj', sizes.keyValueHeads, sizes.keyValueHeads * sizes.headDim, bias);
    },
    ffn: (s, c) => {
      if (c.flag('is_moe')) throw new NotModelled('Doge with experts.');
      gatedFfn(s, hiddenOf(c), c.int('intermediate_size'), c.flag('mlp_bias'));
    },
    also: (s, c) => {
      s.weight('input_residual', [hiddenOf(c)]);
      s.weight('post_attention_residual', [hiddenOf(c)]);
    },
  });
}

/** GPT-2 over colours (Chen et al. 2020): norms without bias, one more token to start with. */
function imageGpt(): Architecture {
  const hidden = (c: Settings): number => c.int('n_embd');
  const body: Layout = (s, c) => {
    wordsAndPositions('n_positions')(s, c);
    s.each('h', c.int('n_layer'), (layer) => gpt2Block(layer, hidden(c), c.maybe('n_inner') ?? 4 * hidden(c), false));
    s.norm('ln_f', hidden(c));
  };
  return {
    body,
    usual: 'Model',
    heads: {
      ForCausalImageModeling: (s, c) => {
        body(s.at('transformer'), c);
        s.head('lm_head', vocabularyOf(c) - 1, hidden(c), false);
      },
      ForImageClassification: (s, c) => {
        body(s.at('transformer'), c);
        s.linear('score', labels(c), hidden(c));
      },
    },
  };
}

/** OPT (Zhang et al. 2022): learned positions with an offset; the word embedding may be narrower than the stream. */
function opt(): Architecture {
  const wordWidth = (c: Settings): number => c.maybe('word_embed_proj_dim') ?? hiddenOf(c);
  const body: Layout = (s, c) => {
    const d = s.at('decoder');
    const hidden = hiddenOf(c);
    const word = wordWidth(c);
    const bias = c.flag('enable_bias');
    const affine = c.flag('layer_norm_elementwise_affine');
    const norm = (scope: Scope, name: string): void => {
      if (affine) scope.layerNorm(name, hidden);
    };
    d.embedding('embed_tokens', vocabularyOf(c), word);
    d.embedding('embed_positions', c.int('max_position_embeddings') + positionOffset, hidden);
    if (word !== hidden) {
      d.linear('project_out', word, hidden);
      d.linear('project_in', hidden, word);
    }
    if (c.flag('do_layer_norm_before') && !c.flag('_remove_final_layer_norm')) norm(d, 'final_layer_norm');
    d.each('layers', layersOf(c), (layer) => {
      for (const name of ['k_proj', 'v_proj', 'q_proj', 'out_proj']) layer.linear(`self_attn.${name}`, hidden, hidden, bias);
      norm(layer, 'self_attn_layer_norm');
      plainFfn(layer, ['fc1', 'fc2'], hidden, c.int('ffn_dim'), bias);
      norm(layer, 'final_layer_norm');
    });
  };
  const heads = headsFor('model', body, wordWidth, (s, c) => s.head('lm_head', vocabularyOf(c), wordWidth(c), tied(c)));
  const { ForCausalLM, ForSequenceClassification } = heads;
  return {
    body,
    usual: 'ForCausalLM',
    heads: { ...(ForCausalLM && { ForCausalLM }), ...(ForSequenceClassification && { ForSequenceClassification }) },
  };
}

/** Decoders in Fairseq's naming: biased attention and FFN with LayerNorms before them. */
function fairseqDecoder(o: {
  readonly base: string;
  readonly hidden: string;
  readonly heads: string;
  readonly layers: string;
  readonly ffn: string;
  /** Learned positions with Fairseq's offset, or sinusoids that are no parameters. */
  readonly learned: boolean;
  readonly head: string;
}): Architecture {
  const hidden = width(o.hidden);
  const body: Layout = (s, c) => {
    quotient(hidden(c), c.int(o.heads), 'head dim');
    if (c.flag('add_cross_attention')) throw new NotModelled('cross-attention.');
    s.embedding('embed_tokens', vocabularyOf(c), hidden(c));
    if (o.learned) s.embedding('embed_positions', c.int('max_position_embeddings') + positionOffset, hidden(c));
    s.each('layers', c.int(o.layers), (layer) => {
      for (const name of ['k_proj', 'v_proj', 'q_proj', 'out_proj']) layer.linear(`self_attn.${name}`, hidden(c), hidden(c), true);
      layer.layerNorm('self_attn_layer_norm', hidden(c));
      plainFfn(layer, ['fc1', 'fc2'], hidden(c), c.int(o.ffn));
      layer.layerNorm('final_layer_norm', hidden(c));
    });
    s.layerNorm('layer_norm', hidden(c));
  };
  return {
    body,
    usual: 'ForCausalLM',
    heads: {
      ForCausalLM: (s, c) => {
        body(s.at(o.base), c);
        s.head(o.head, vocabularyOf(c), hidden(c), tied(c));
      },
    },
  };
}

/** ModernBERT's layers (Warner et al. 2024) with causal attention and separate projections. */
function modernBertDecoder(): Architecture {
  const body: Layout = (s, c) => {
    const hidden = hiddenOf(c);
    const bias = c.flag('norm_bias');
    s.embedding('embeddings.tok_embeddings', vocabularyOf(c), hidden);
    s.norm('embeddings.norm', hidden, bias);
    s.each('layers', layersOf(c), (layer, index) => {
      const inner = c.int('intermediate_size');
      quotient(hidden, c.int('num_attention_heads'), 'head dim');
      for (const name of ['q_proj', 'k_proj', 'v_proj', 'Wo']) layer.linear(`attn.${name}`, hidden, hidden, c.flag('attention_bias'));
      layer.norm('mlp_norm', hidden, bias);
      layer.linear('mlp.Wi', 2 * inner, hidden, c.flag('mlp_bias'));
      layer.linear('mlp.Wo', hidden, inner, c.flag('mlp_bias'));
      if (index > 0) layer.norm('attn_norm', hidden, bias);
    });
    s.norm('final_norm', hidden, bias);
  };
  const head = (s: Scope, c: Settings): void => {
    s.linear('dense', hiddenOf(c), hiddenOf(c), c.flag('classifier_bias'));
    s.norm('norm', hiddenOf(c), c.flag('norm_bias'));
  };
  return {
    body,
    usual: 'ForCausalLM',
    heads: {
      ForCausalLM: (s, c) => {
        body(s.at('model'), c);
        head(s.at('lm_head'), c);
        s.head('decoder', vocabularyOf(c), hiddenOf(c), tied(c), c.flag('decoder_bias'));
      },
      ForSequenceClassification: (s, c) => {
        body(s.at('model'), c);
        head(s.at('head'), c);
        s.linear('classifier', labels(c), hiddenOf(c), c.flag('classifier_bias'));
      },
    },
  };
}
