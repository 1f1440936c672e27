import type { FieldName } from '../design/design.ts';

/** A key of a format outside the Transformers library: its name with underscores, the quantity it sets, or what it means. */
export type DialectKey = readonly [key: string, concept: FieldName | undefined, doc?: string];

/** NVIDIA Megatron-LM, megatron/training/arguments.py and core/transformer/transformer_config.py */
const megatron: readonly DialectKey[] = [
  ['num_layers', 'layers'],
  ['hidden_size', 'hiddenSize'],
  [
    'ffn_hidden_size',
    'intermediateSize',
    'FFN width. Absent: 4 x the model width, or with swiglu 8/3 of it rounded down to a multiple of 64.',
  ],
  ['num_attention_heads', 'queryHeads'],
  ['kv_channels', 'headDim', 'Width of one head. Absent: model width / heads.'],
  ['group_query_attention', undefined, 'Switches grouped-query attention on; without it num_query_groups is not read.'],
  ['num_query_groups', 'keyValueHeads', 'Heads that have their own keys and values. Read only with group_query_attention.'],
  ['max_position_embeddings', 'maxPositions'],
  ['seq_length', undefined, 'Tokens of one training sequence; at most the context length.'],
  ['position_embedding_type', 'positions', 'How positions are encoded: learned_absolute, rope, yarn, mrope, relative or none.'],
  ['rotary_percent', 'rotaryFactor'],
  ['rotary_base', 'ropeTheta'],
  ['normalization', undefined, 'LayerNorm or RMSNorm.'],
  ['norm_epsilon', 'normEpsilon'],
  ['apply_residual_connection_post_layernorm', undefined, 'Takes the residual from after the norm instead of before it.'],
  ['qk_layernorm', undefined, 'Normalises queries and keys of each head.'],
  ['swiglu', undefined, 'Gated FFN with SiLU.'],
  ['untie_embeddings_and_output_weights', undefined, 'Gives the output layer a matrix of its own.'],
  ['make_vocab_size_divisible_by', undefined, 'Pads the vocabulary to a multiple of this times the tensor-parallel size. Default 128.'],
  ['multi_latent_attention', undefined, 'Switches multi-head latent attention on.'],
  ['q_lora_rank', 'queryLoraRank'],
  ['kv_lora_rank', 'keyValueLoraRank'],
  ['qk_head_dim', 'nopeHeadDim'],
  ['qk_pos_emb_head_dim', 'ropeHeadDim'],
  ['v_head_dim', 'valueDim'],
  ['num_experts', 'experts'],
  ['moe_router_topk', 'expertsPerToken'],
  ['moe_ffn_hidden_size', 'expertIntermediateSize'],
  [
    'tensor_model_parallel_size',
    undefined,
    'Ranks over which each layer is split: heads, KV heads, FFN width and vocabulary are divided by it.',
  ],
  ['pipeline_model_parallel_size', undefined, 'Ranks over which the layers are split.'],
  ['context_parallel_size', undefined, 'Ranks over which each sequence is split.'],
  ['expert_model_parallel_size', undefined, 'Ranks over which the experts are split.'],
];

/** EleutherAI/gpt-neox, megatron/neox_arguments/neox_args.py */
const gptNeox: readonly DialectKey[] = [
  ['num_layers', 'layers'],
  ['hidden_size', 'hiddenSize'],
  ['num_attention_heads', 'queryHeads'],
  ['num_kv_heads', 'keyValueHeads'],
  ['intermediate_size', 'intermediateSize'],
  ['seq_length', undefined, 'Tokens of one training sequence; at most the context length.'],
  ['max_position_embeddings', 'maxPositions'],
  ['pos_emb', 'positions', 'How positions are encoded: learned, rotary, sinusoidal, rpe, alibi or none.'],
  ['rotary_pct', 'rotaryFactor'],
  ['rotary_emb_base', 'ropeTheta'],
  ['norm', undefined, 'layernorm, rmsnorm, scalenorm or one of their fused kinds.'],
  ['gpt_j_residual', undefined, 'Attention and FFN side by side, both added to the residual.'],
  ['no_weight_tying', undefined, 'Gives the output layer a matrix of its own.'],
  ['activation', 'activation'],
  ['make_vocab_size_divisible_by', undefined, 'Pads the vocabulary to a multiple of this times the tensor-parallel size.'],
  ['model_parallel_size', undefined, 'Ranks over which each layer is split.'],
  ['pipe_parallel_size', undefined, 'Ranks over which the layers are split.'],
];

/** meta-llama/llama3 llama/model.py ModelArgs; mistralai/mistral-inference args.py TransformerArgs */
const params: readonly DialectKey[] = [
  ['dim', 'hiddenSize'],
  ['n_layers', 'layers'],
  ['n_heads', 'queryHeads'],
  ['n_kv_heads', 'keyValueHeads'],
  ['head_dim', 'headDim'],
  ['hidden_dim', 'intermediateSize'],
  ['vocab_size', 'vocabularySize'],
  ['multiple_of', undefined, 'The FFN width is rounded up to a multiple of this.'],
  ['ffn_dim_multiplier', undefined, 'Scales the FFN width before it is rounded.'],
  ['norm_eps', 'normEpsilon'],
  ['rope_theta', 'ropeTheta'],
  ['max_seq_len', 'maxPositions'],
];

/** Lightning-AI/litgpt litgpt/config.py */
const litgpt: readonly DialectKey[] = [
  ['n_embd', 'hiddenSize'],
  ['n_layer', 'layers'],
  ['n_head', 'queryHeads'],
  ['n_query_groups', 'keyValueHeads'],
  ['head_size', 'headDim', 'Width of one head. Absent: n_embd / n_head.'],
  ['intermediate_size', 'intermediateSize'],
  ['vocab_size', undefined, 'Token ids in use, before padding.'],
  ['padded_vocab_size', 'vocabularySize'],
  ['padding_multiple', undefined, 'The vocabulary is padded to a multiple of this.'],
  ['block_size', 'maxPositions'],
  ['rotary_percentage', 'rotaryFactor'],
  ['rope_base', 'ropeTheta'],
  ['norm_class_name', undefined, 'LayerNorm or RMSNorm.'],
  ['norm_eps', 'normEpsilon'],
  ['parallel_residual', undefined, 'Attention and FFN side by side, both added to the residual.'],
  ['shared_attention_norm', undefined, 'One norm feeds attention and FFN.'],
  ['mlp_class_name', undefined, 'Kind of FFN: GptNeoxMLP, LLaMAMLP (gated), GemmaMLP (gated), LLaMAMoE.'],
  ['n_expert', 'experts'],
  ['n_expert_per_token', 'expertsPerToken'],
  ['sliding_window_size', 'slidingWindow'],
  ['attention_scores_scalar', undefined, 'Scores are divided by its square root instead of that of the head dimension.'],
];

/** NVIDIA/NeMo examples/nlp/language_modeling/conf/megatron_gpt_config.yaml, under `model` */
const nemo: readonly DialectKey[] = [
  ...megatron.filter(([key]) =>
    [
      'num_layers',
      'hidden_size',
      'ffn_hidden_size',
      'num_attention_heads',
      'kv_channels',
      'num_query_groups',
      'max_position_embeddings',
    ].includes(key),
  ),
  ['encoder_seq_length', undefined, 'Tokens of one training sequence.'],
  ['layernorm_epsilon', 'normEpsilon'],
  ['normalization', undefined, 'layernorm, layernorm1p or rmsnorm.'],
  ['transformer_block_type', 'normPlacement', 'pre_ln, post_ln or normformer.'],
  ['position_embedding_type', 'positions', 'learned_absolute, rope, alibi, kerple or none.'],
  ['rotary_percentage', 'rotaryFactor'],
  ['apply_query_key_layer_scaling', undefined, 'Divides scores by the layer number, for half precision.'],
  ['tensor_model_parallel_size', undefined, 'Ranks over which each layer is split.'],
  ['pipeline_model_parallel_size', undefined, 'Ranks over which the layers are split.'],
];

/** By `ConfigReading.dialect`. */
export const dialectKeys: Readonly<Record<string, readonly DialectKey[]>> = {
  'megatron-arguments': megatron,
  'gpt-neox': gptNeox,
  params,
  litgpt,
  nemo,
};
