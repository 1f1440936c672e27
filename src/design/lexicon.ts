/**
 * Names that config formats use for each concept, most specific first, normalised (see normaliseName).
 * Read from the formats' own documentation and code; the same name in two lists is settled by context in read.ts.
 */
export type LexiconConcept =
  | 'hiddenSize'
  | 'queryHeads'
  | 'keyValueHeads'
  | 'headDim'
  | 'valueDim'
  | 'layers'
  | 'intermediateSize'
  | 'ffnRatio'
  | 'vocabularySize'
  | 'maxPositions'
  | 'normEpsilon'
  | 'activation'
  | 'experts'
  | 'expertsPerToken'
  | 'expertIntermediateSize'
  | 'sharedExperts';

export const lexicon: Readonly<Record<LexiconConcept, readonly string[]>> = {
  hiddenSize: [
    'base_emb_dim', // maxtext
    'hidden_size',
    'd_model',
    'n_embd',
    'dim_model', // CPM
    'model_dim', // OpenELM, fairseq2
    'encoder_embed_dim', // fairseq
    'emb_dim', // T5X
    'n_embed',
    'dim', // Meta, lucidrains, audiocraft
    'output_size', // WeNet, ESPnet encoders
    'model_dimension',
    'n_state', // Whisper's own dims
    'attn_layers_dim', // x-transformers kwargs
    'width', // CLIP
    'embed_dim',
    'hidden_dim', // open_lm, levanter; FFN width where another width is given
    'embedding_dim',
    'd_embed',
    'embed_size',
    'transformer_dim',
  ],
  queryHeads: [
    'base_num_query_heads',
    'num_attention_heads',
    'num_query_heads',
    'n_head',
    'n_heads',
    'num_heads',
    'heads_num', // UER
    'nhead', // torch.nn.Transformer
    'nheads',
    'encoder_attention_heads',
    'attention_heads', // WeNet, ESPnet
    'num_attn_heads',
    'n_attention_heads',
    'attn_layers_heads',
    'num_q_heads',
    'n_attn_heads',
    'heads',
  ],
  keyValueHeads: [
    'base_num_kv_heads',
    'num_key_value_heads',
    'num_kv_heads',
    'n_kv_heads',
    'n_kv_head',
    'n_head_kv', // RefinedWeb
    'kv_n_heads', // MPT, DBRX
    'multi_query_group_num', // ChatGLM
    'num_query_groups', // Megatron
    'n_query_groups', // litgpt
    'local_kv_heads_num', // UER
    'n_local_heads', // gpt-fast
    'n_local_kv_heads',
    'num_kv_groups', // Cerebras: groups of the KV projections
    'kv_heads',
    'num_key_value_attention_heads',
    'kv_heads_num',
    'attn_kv_heads',
    'attn_layers_kv_heads',
  ],
  headDim: [
    'head_dim',
    'kv_channels', // Megatron
    'd_kv', // T5
    'head_size', // litgpt
    'attention_head_size', // DeBERTa, UER
    'attention_head_dim', // diffusers
    'dim_head', // lucidrains, CPM
    'attn_dim_head',
    'head_width', // CLIP
    'd_head',
    'size_per_head',
    'head_dimension',
    'attn_layers_dim_head',
    'dim_per_head',
    'head_dims',
    'key_dim',
    'qk_head_dim',
    'd_keys', // Informer
    'd_queries',
  ],
  valueDim: ['v_head_dim', 'value_dim_head', 'attn_value_dim_head', 'd_values'],
  layers: [
    'base_num_decoder_layers',
    'num_hidden_layers',
    'num_layers',
    'n_layer',
    'n_layers',
    'layers_num',
    'num_transformer_layers',
    'num_encoder_layers',
    'encoder_layers',
    'attn_layers_depth',
    'num_blocks', // WeNet
    'n_blocks',
    'depth',
    'layers',
    'num_decoder_layers',
    'nlayers',
    'nlayer',
  ],
  intermediateSize: [
    'base_mlp_dim',
    'intermediate_size',
    'ffn_hidden_size',
    'encoder_ffn_embed_dim',
    'ffn_embed_dim',
    'encoder_ffn_dim',
    'feedforward_size',
    'd_ff',
    'dim_ff',
    'dff',
    'ffn_dim',
    'filter_size', // Cerebras, tensor2tensor
    'linear_units', // WeNet
    'dim_feedforward', // torch.nn.Transformer
    'feed_forward_dim',
    'inter_dim', // DeepSeek
    'mlp_dim',
    'inner_hidden_size', // ChatGLM
    'intermediate_dim', // levanter
    'mlp_hidden_size', // OLMo
    'n_inner',
    'd_inner',
    'hidden_dim', // Mistral: the FFN width beside `dim`
    'ffn_size',
    'ff_dim',
    'mlp_hidden_dim',
    'feedforward_dim',
  ],
  ffnRatio: [
    'mlp_ratio',
    'expansion_ratio',
    'hidden_scale',
    'ff_mult',
    'mlp_expansion_ratio',
    'ff_expansion_factor',
    'ffn_expansion_ratio',
    'mlp_expand_ratio',
    'expansion_factor',
    'attn_layers_ff_mult',
  ],
  vocabularySize: [
    'vocab_size',
    'n_vocab',
    'num_tokens',
    'text_card',
    'vocabulary_size',
    'padded_vocab_size',
    'n_tokens',
    'n_token', // XLNet
    'text_out_vocab_size',
    'vocab_dim',
    'd_vocab',
  ],
  maxPositions: [
    'max_position_embeddings',
    'n_positions',
    'n_ctx',
    'block_size',
    'max_seq_len',
    'max_sequence_length',
    'max_seq_length',
    'context_length',
    'seq_length',
    'seq_len',
    'max_target_positions',
    'max_target_length',
    'trainable_position_size',
    'context',
    'seq',
    'encoder_seq_length',
    'max_len',
  ],
  normEpsilon: [
    'rms_norm_eps',
    'layer_norm_eps',
    'layer_norm_epsilon',
    'norm_eps',
    'layernorm_epsilon',
    'normalization_layer_epsilon',
    'rms_norm_epsilon',
    'norm_epsilon',
    'rmsnorm_eps',
    'layernorm_eps',
    'ln_eps',
  ],
  activation: [
    'hidden_act',
    'hidden_activation',
    'activation_function',
    'activation',
    'nonlinearity',
    'act_fn',
    'activation_type',
    'ffn_act_fn',
    'mlp_activations',
    'mlp_type',
    'feed_forward_proj',
    'gating',
  ],
  experts: [
    'num_local_experts',
    'num_experts',
    'n_routed_experts',
    'moe_num_experts',
    'num_moe_experts',
    'n_experts',
    'n_expert',
    'n_local_experts',
    'num_routed_experts',
  ],
  expertsPerToken: [
    'num_experts_per_tok',
    'num_experts_per_token',
    'moe_top_k',
    'moe_topk',
    'n_activated_experts',
    'n_expert_per_token',
    'moe_router_topk',
    'n_experts_per_token',
    'num_selected_experts',
    'num_activated_experts',
    'topk',
  ],
  expertIntermediateSize: [
    'moe_intermediate_size',
    'base_moe_mlp_dim',
    'moe_inter_dim',
    'moe_ffn_hidden_size',
    'expert_ffn_hidden_size',
    'moe_intermediate_dim',
  ],
  sharedExperts: ['n_shared_experts', 'num_shared_experts', 'shared_experts', 'moe_num_shared_experts', 'num_shared_expert'],
};

/** Names that only a transformer's config uses: one of them is evidence enough that a file describes a model. */
const strongNames = new Set([
  ...[
    'base_emb_dim',
    'n_embd',
    'dim_model',
    'encoder_embed_dim',
    'attn_layers_dim',
    'base_num_query_heads',
    'num_attention_heads',
    'num_query_heads',
  ],
  ...[
    'n_head',
    'n_heads',
    'num_heads',
    'heads_num',
    'nhead',
    'encoder_attention_heads',
    'decoder_attention_heads',
    'attention_heads',
    'num_attn_heads',
    'n_attention_heads',
  ],
  ...[
    'attn_layers_heads',
    'base_num_kv_heads',
    'num_key_value_heads',
    'num_kv_heads',
    'n_kv_heads',
    'n_head_kv',
    'kv_n_heads',
    'multi_query_group_num',
    'num_query_groups',
  ],
  ...[
    'n_query_groups',
    'local_kv_heads_num',
    'n_local_heads',
    'head_dim',
    'kv_channels',
    'attention_head_size',
    'd_kv',
    'dim_head',
    'd_head',
    'intermediate_size',
    'ffn_hidden_size',
  ],
  ...[
    'encoder_ffn_embed_dim',
    'feedforward_size',
    'base_mlp_dim',
    'num_hidden_layers',
    'hidden_size',
    'd_model',
    'rms_norm_eps',
    'max_position_embeddings',
    'rope_theta',
    'rope_scaling',
  ],
  ...[
    'rope_parameters',
    'q_lora_rank',
    'kv_lora_rank',
    'num_experts_per_tok',
    'n_routed_experts',
    'num_local_experts',
    'ffn_dim_multiplier',
    'attn_config',
    'layer_norm_eps',
    'layer_norm_epsilon',
  ],
]);

/** Names that other files use too; two of them of different concepts weigh as much as one strong name. */
const weakNames = new Set([
  ...[
    'dim',
    'depth',
    'heads',
    'layers',
    'num_layers',
    'n_layer',
    'n_layers',
    'vocab_size',
    'n_vocab',
    'num_tokens',
    'embed_dim',
    'hidden_dim',
    'width',
    'd_ff',
    'mlp_ratio',
    'block_size',
    'emb_dim',
  ],
  ...[
    'n_positions',
    'n_ctx',
    'max_seq_len',
    'seq_length',
    'mlp_dim',
    'ffn_dim',
    'num_blocks',
    'filter_size',
    'num_experts',
    'multiple_of',
    'norm_eps',
    'hidden_act',
    'tie_word_embeddings',
    'head_size',
  ],
  ...[
    'tensor_parallel_size',
    'tensor_model_parallel_size',
    'pipeline_model_parallel_size',
    'pipeline_parallel_size',
    'model_parallel_size',
    'pipe_parallel_size',
    'tp_size',
    'pipeline_ranks',
    'pp_size',
  ],
]);

/** Weight of a name as evidence of a model config: 3 strong, 1.5 weak, 0 none. 3 in sum are enough. */
export const evidenceOf = (name: string): number => (strongNames.has(name) ? 3 : weakNames.has(name) ? 1.5 : 0);

export const parallelNames = {
  tensor: [
    'tensor_model_parallel_size',
    'tensor_parallel_size',
    'tensor_parallel_degree',
    'model_parallel_size',
    'tp_size',
    'tensor_parallel',
    'tp',
    'tp_degree',
    'mp_size',
    'tensor_parallelism_degree',
    'tensor_parallel_degree_max',
    'ici_tensor_parallelism',
    'tensor_parallelism',
  ],
  pipeline: [
    'pipeline_model_parallel_size',
    'pipeline_parallel_size',
    'pipeline_parallel_degree',
    'pipe_parallel_size',
    'pp_size',
    'pp',
    'pp_degree',
    'pipeline_parallelism_degree',
    'pipeline_ranks',
    'pipeline_parallel',
  ],
  context: ['context_parallel_size', 'context_parallel_degree', 'cp_size', 'cp', 'context_model_parallel_size'],
  expert: ['expert_model_parallel_size', 'expert_parallel_size', 'expert_parallel_degree', 'ep_size', 'ep', 'moe_expert_parallel_size'],
} as const satisfies Record<string, readonly string[]>;

/** Markers of layers that are not softmax attention; head counts beside them follow other rules. */
export const notAttention =
  /(^|_)(mamba|ssm|lru|rwkv|retention|hyena|gmlp|d_state|state_size|d_conv|conv_size|linear_attn|gla|delta_net|xlstm|retnet|hgrn|deltanet|time_mix|ssm_cfg)(_|$)/;
