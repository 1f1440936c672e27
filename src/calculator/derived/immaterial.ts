/**
 * Settings that no class makes a tensor of: how often units are dropped, how weights start, which activation is used, what is returned,
 * which number a token has, how positions rotate.
 */
const immaterial =
  /dropout|pdrop$|_drop$|drop_?path|drop_rate|layerdrop|initializer_(?:range|factor|std)$|init_(?:std|range|value|scale)$|_eps$|epsilon|^afn$|hidden_act|activation$|act(?:ivation)?_(?:fn|function|func|dim_fn)$|^use_cache$|^output_(?:hidden_states|attentions|router_logits)$|^return_dict$|gradient_checkpointing|_token_ids?$|_token_index$|^(?:torch_)?dtype$|rope_theta$|rotary_(?:emb_)?base$|softcapping$|attn_implementation$|router_(?:aux|z)_loss_coef$|router_jitter_noise$|^max_length$|^transformers_version$|^rope_(?:parameters|scaling)$|^scale_embedding$|_multiplier$|^chunk_size_feed_forward$|^problem_type$/;

/** `path` is that of a setting: `text_config.hidden_dropout`. */
export const isImmaterial = (path: string): boolean =>
  path.split('.').some((part, i, parts) => (i === parts.length - 1 || part.startsWith('rope_')) && immaterial.test(part));
