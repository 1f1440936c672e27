/**
 * Keys that any Hugging Face config may hold whatever its class declares: those of the base class (configuration_utils.py, version 5)
 * and of earlier versions, which published files still carry, and the generation settings that were kept beside them.
 */
const names = `
  _name_or_path name_or_path _commit_hash model_type architectures auto_map transformers_version dtype torch_dtype adapters base_model_name
  return_dict return_dict_in_generate use_return_dict output_hidden_states output_attentions output_scores output_logits output_past use_cache
  chunk_size_feed_forward is_encoder_decoder is_decoder add_cross_attention cross_attention_hidden_size tie_encoder_decoder tie_word_embeddings
  tie_last_hidden_states per_layer_config pruned_heads torchscript use_bfloat16 tf_legacy_loss gradient_checkpointing loss_type
  problem_type num_labels _num_labels id2label label2id finetuning_task task_specific_params
  tokenizer_class processor_class prefix bos_token_id pad_token_id eos_token_id sep_token_id cls_token_id mask_token_id unk_token_id
  decoder_start_token_id bos_token eos_token pad_token unk_token sep_token cls_token mask_token
  attn_implementation _attn_implementation _attn_implementation_internal _attn_implementation_autoset experts_implementation
  _experts_implementation _experts_implementation_internal _flash_attn_2_enabled attention_implementation
  max_length max_new_tokens min_length min_new_tokens do_sample early_stopping num_beams num_beam_groups diversity_penalty temperature top_k
  top_p min_p top_h typical_p epsilon_cutoff eta_cutoff repetition_penalty encoder_repetition_penalty length_penalty no_repeat_ngram_size
  encoder_no_repeat_ngram_size bad_words_ids force_words_ids renormalize_logits constraints forced_bos_token_id forced_eos_token_id
  remove_invalid_values exponential_decay_length_penalty suppress_tokens begin_suppress_tokens forced_decoder_ids sequence_bias guidance_scale
  num_return_sequences penalty_alpha low_memory max_time stop_strings token_healing watermarking_config cache_implementation cache_config
  max_cache_len prompt_lookup_num_tokens max_matching_ngram_size assistant_confidence_threshold assistant_early_exit assistant_lookbehind
  target_lookbehind assistant_ensemble_weight num_assistant_tokens num_assistant_tokens_schedule is_assistant dola_layers prefill_chunk_size
  use_mtp speculation_type compile_config disable_compile continuous_batching_config generation_config
  quantization_config quantization compression_config sparsity_config pretraining_tp
  rope_theta rope_scaling rope_parameters partial_rotary_factor original_max_position_embeddings rope_type
  model_max_length max_sequence_length max_seq_len max_seq_length seq_length sequence_length n_ctx ep_size tp_size
  pooler_type pooler_fc_size pooler_num_attention_heads pooler_num_fc_layers pooler_size_per_head directionality position_embedding_type
  classifier_dropout summary_type summary_use_proj summary_activation summary_proj_to_labels summary_first_dropout
  unsloth_version unsloth_fixed language languages license sentence_transformers is_causal classifier_activation classifier_pooling
  transformers.js_config head_dim sliding_window use_sliding_window max_window_layers layer_types attention_bias mlp_bias
`;

let set: ReadonlySet<string> | undefined;

/** Whether a key may stand in a config of any class. */
export function isBaseField(name: string): boolean {
  set ??= new Set(names.trim().split(/\s+/));
  return set.has(name);
}
