/** `transformers.cache_utils` and `transformers.masking_utils` as Python, as eager attention uses them. */
export const cachePrelude: ReadonlyMap<string, string> = new Map([
  [
    'transformers.cache_utils',
    `
import torch
import _headwise


class CacheLayerMixin:
    is_compileable = False
    is_croppable = False
    supports_early_init = True
    is_sliding = False

    def __init__(self, **kwargs):
        self.keys = None
        self.values = None
        self.is_initialized = False

    def get_max_length(self):
        return -1

    def get_max_cache_shape(self):
        return -1


class DynamicLayer(CacheLayerMixin):
    def lazy_initialization(self, key_states, value_states):
        self.is_initialized = True

    def update(self, key_states, value_states, *args, **kwargs):
        held = [] if self.keys is None else [self.keys]
        self.keys = torch.cat([*held, key_states], dim=-2)
        held = [] if self.values is None else [self.values]
        self.values = torch.cat([*held, value_states], dim=-2)
        self.is_initialized = True
        return self.keys, self.values

    def get_seq_length(self):
        return 0 if self.keys is None else self.keys.shape[-2]

    def get_mask_sizes(self, query_length):
        return self.get_seq_length() + query_length, 0


class DynamicSlidingWindowLayer(DynamicLayer):
    is_sliding = True

    def __init__(self, sliding_window=None, **kwargs):
        super().__init__()
        self.sliding_window = sliding_window
        self.cumulative_length = 0

    def update(self, key_states, value_states, *args, **kwargs):
        self.is_initialized = True
        self.cumulative_length = self.cumulative_length + key_states.shape[-2]
        held = [] if self.keys is None else [self.keys]
        keys = torch.cat([*held, key_states], dim=-2)
        held = [] if self.values is None else [self.values]
        values = torch.cat([*held, value_states], dim=-2)
        self.keys = keys[:, :, -self.sliding_window + 1 :, :]
        self.values = values[:, :, -self.sliding_window + 1 :, :]
        return keys, values

    def get_seq_length(self):
        return self.cumulative_length

    def get_mask_sizes(self, query_length):
        offset = max(self.cumulative_length - self.sliding_window + 1, 0)
        if self.cumulative_length >= self.sliding_window:
            return self.sliding_window - 1 + query_length, offset
        return self.cumulative_length + query_length, offset

    def get_max_length(self):
        return self.sliding_window


class DynamicIndexedLayer(DynamicLayer):
    def __init__(self, **kwargs):
        super().__init__()
        self.indexer_keys = None

    def update_indexer(self, indexer_key_states):
        if self.indexer_keys is None:
            self.indexer_keys = indexer_key_states
        else:
            self.indexer_keys = torch.cat([self.indexer_keys, indexer_key_states], dim=1)
        return self.indexer_keys


class LinearAttentionCacheLayerMixin:
    is_compileable = True
    supports_early_init = False
    is_sliding = False

    def __init__(self, number_of_states=1, **kwargs):
        self.number_of_states = number_of_states
        self.conv_states = {i: None for i in range(number_of_states)}
        self.recurrent_states = {i: None for i in range(number_of_states)}
        self.is_conv_states_initialized = {i: False for i in range(number_of_states)}
        self.is_recurrent_states_initialized = {i: False for i in range(number_of_states)}
        self.has_previous_state = {i: False for i in range(number_of_states)}
        self.conv_kernel_size = {i: None for i in range(number_of_states)}
        self.record_past = False
        self.device = None
        self.dtype = None

    def update_conv_state(self, conv_states, state_idx=0, conv_kernel_size=None, **kwargs):
        if self.conv_kernel_size[state_idx] is None:
            self.conv_kernel_size[state_idx] = conv_states.shape[-1] if conv_kernel_size is None else conv_kernel_size
        self.is_conv_states_initialized[state_idx] = True
        size = self.conv_kernel_size[state_idx]
        full = conv_states
        if not self.has_previous_state[state_idx]:
            self.has_previous_state[state_idx] = True
            if full.shape[-1] < size:
                full = torch.nn.functional.pad(full, (size - full.shape[-1], 0), value=0)
        else:
            full = torch.cat([self.conv_states[state_idx], conv_states], dim=-1)
        self.conv_states[state_idx] = full[..., -size:]
        return full

    def update_recurrent_state(self, recurrent_states, state_idx=0, **kwargs):
        self.is_recurrent_states_initialized[state_idx] = True
        self.recurrent_states[state_idx] = recurrent_states
        return recurrent_states

    def get_max_length(self):
        return -1


class LinearAttentionLayer(LinearAttentionCacheLayerMixin):
    pass


class LinearAttentionAndFullAttentionLayer(LinearAttentionLayer, DynamicLayer):
    def __init__(self, number_of_states=1, **kwargs):
        DynamicLayer.__init__(self)
        LinearAttentionLayer.__init__(self, number_of_states=number_of_states)


class LinearAttentionAndSlidingWindowAttentionLayer(LinearAttentionLayer, DynamicSlidingWindowLayer):
    is_sliding = True

    def __init__(self, sliding_window=None, number_of_states=1, **kwargs):
        DynamicSlidingWindowLayer.__init__(self, sliding_window=sliding_window)
        LinearAttentionLayer.__init__(self, number_of_states=number_of_states)


DYNAMIC_LAYER_TYPE_MAPPING = {
    "full_attention": DynamicLayer,
    "sliding_attention": DynamicSlidingWindowLayer,
    "chunked_attention": DynamicSlidingWindowLayer,
    "indexed_attention": DynamicIndexedLayer,
    "conv": LinearAttentionLayer,
    "linear_attention": LinearAttentionLayer,
    "hybrid": LinearAttentionAndFullAttentionLayer,
    "hybrid_sliding": LinearAttentionAndSlidingWindowAttentionLayer,
    "moe": LinearAttentionLayer,
    "mlp": LinearAttentionLayer,
}


class Cache:
    is_compileable = False

    def __init__(self, layers=None, layer_class_to_replicate=None, offloading=False, offload_only_non_sliding=True):
        self.layers = layers if layers is not None else []
        self.layer_class_to_replicate = layer_class_to_replicate
        self.offloading = False

    def __len__(self):
        return len(self.layers)

    def update(self, key_states, value_states, layer_idx=None, *args, **kwargs):
        if not _headwise.is_known(layer_idx):
            return _headwise.grown(key_states), _headwise.grown(value_states)
        if self.layer_class_to_replicate is not None:
            while len(self.layers) <= layer_idx:
                self.layers.append(self.layer_class_to_replicate())
        return self.layers[layer_idx].update(key_states, value_states, *args, **kwargs)

    def update_conv_state(self, conv_states, layer_idx, state_idx=0, **kwargs):
        return self.layers[layer_idx].update_conv_state(conv_states, state_idx, **kwargs)

    def update_recurrent_state(self, recurrent_states, layer_idx, state_idx=0, **kwargs):
        return self.layers[layer_idx].update_recurrent_state(recurrent_states, state_idx, **kwargs)

    def update_indexer(self, indexer_key_states, layer_idx):
        return self.layers[layer_idx].update_indexer(indexer_key_states)

    def _attention_layer(self, layer_idx):
        if isinstance(self.layers[layer_idx], CacheLayerMixin):
            return self.layers[layer_idx]
        for layer in self.layers:
            if isinstance(layer, CacheLayerMixin):
                return layer
        raise ValueError("no attention layer")

    def get_seq_length(self, layer_idx=0):
        if layer_idx >= len(self.layers):
            return 0
        return self._attention_layer(layer_idx).get_seq_length()

    def get_query_offset(self, layer_idx=0):
        return self.get_seq_length(layer_idx)

    def get_mask_sizes(self, query_length, layer_idx):
        if layer_idx >= len(self.layers):
            return query_length, 0
        return self._attention_layer(layer_idx).get_mask_sizes(query_length)

    def get_max_length(self, layer_idx=None):
        return -1

    def get_max_cache_shape(self, layer_idx=0):
        return -1

    def has_previous_state(self, layer_idx=None, state_idx=None):
        if layer_idx is not None:
            if layer_idx >= len(self.layers):
                return False
            layer = self.layers[layer_idx]
        else:
            layer = None
            for each in self.layers:
                if isinstance(each, LinearAttentionCacheLayerMixin):
                    layer = each
            if layer is None:
                raise ValueError("no linear attention layer")
        if state_idx is None:
            return all(layer.has_previous_state.values())
        return layer.has_previous_state[state_idx]

    def reset(self):
        pass

    def reorder_cache(self, beam_idx):
        pass

    @property
    def is_initialized(self):
        return len(self.layers) > 0 and all([layer.is_initialized for layer in self.layers if layer.supports_early_init])

    @property
    def is_sliding(self):
        return [layer.is_sliding for layer in self.layers]

    @property
    def is_linear(self):
        return [isinstance(layer, LinearAttentionCacheLayerMixin) and not isinstance(layer, CacheLayerMixin) for layer in self.layers]


def get_layer_types_and_kwargs(config):
    layer_types = getattr(config, "layer_types", None)
    if layer_types is None:
        if getattr(config, "sliding_window", None) is not None:
            layer_types = ["sliding_attention"] * config.num_hidden_layers
        elif getattr(config, "attention_chunk_size", None) is not None:
            layer_types = ["chunked_attention"] * config.num_hidden_layers
        else:
            layer_types = ["full_attention"] * config.num_hidden_layers
    shared = getattr(config, "num_kv_shared_layers", None)
    if shared is not None and shared > 0:
        layer_types = layer_types[:-shared]
    options = {}
    if "sliding_attention" in layer_types or "hybrid_sliding" in layer_types:
        options["sliding_window"] = config.sliding_window
    if "chunked_attention" in layer_types:
        options["sliding_window"] = config.attention_chunk_size
    if "heavily_compressed_attention" in layer_types or "compressed_sparse_attention" in layer_types:
        options["config"] = config
    for name in ("conv", "linear_attention", "hybrid", "hybrid_sliding"):
        if name in layer_types:
            options["number_of_states"] = getattr(config, "number_of_conv_states", 1)
    return layer_types, options


class DynamicCache(Cache):
    def __init__(self, ddp_cache_data=None, config=None, offloading=False, offload_only_non_sliding=False):
        layers = None
        if config is not None:
            layer_types, options = get_layer_types_and_kwargs(config.get_text_config(decoder=True))
            layers = [DYNAMIC_LAYER_TYPE_MAPPING[each](**options) for each in layer_types]
        if layers is None:
            super().__init__(layer_class_to_replicate=DynamicLayer)
        else:
            super().__init__(layers=layers)

    @classmethod
    def from_legacy_cache(cls, past_key_values=None):
        return cls()


class StaticCache(Cache):
    def __init__(self, *args, **kwargs):
        super().__init__(layer_class_to_replicate=_headwise.unknown("a static cache"))

    def update(self, key_states, value_states, layer_idx=None, *args, **kwargs):
        return _headwise.grown(key_states), _headwise.grown(value_states)


class EncoderDecoderCache(Cache):
    def __init__(self, *caches):
        self.self_attention_cache = caches[0]
        self.cross_attention_cache = caches[1]
        self.is_updated = {}
        for i in range(len(self.cross_attention_cache)):
            self.is_updated[i] = self.cross_attention_cache.get_seq_length(i) > 0

    def __len__(self):
        return len(self.self_attention_cache)

    def update(self, key_states, value_states, layer_idx=None, *args, **kwargs):
        return self.self_attention_cache.update(key_states, value_states, layer_idx, *args, **kwargs)

    def get_seq_length(self, layer_idx=0):
        return self.self_attention_cache.get_seq_length(layer_idx)

    def get_mask_sizes(self, query_length, layer_idx):
        return self.self_attention_cache.get_mask_sizes(query_length, layer_idx)

    @property
    def is_sliding(self):
        return self.self_attention_cache.is_sliding
`,
  ],
  [
    'transformers.masking_utils',
    `
import torch
import _headwise


def _mask(config, inputs_embeds, attention_mask, past_key_values=None, encoder_hidden_states=None, sliding=False, layer_idx=None, content=None):
    if attention_mask is not None and isinstance(attention_mask, torch.Tensor) and attention_mask.dim() == 4:
        return attention_mask
    embeds = inputs_embeds if encoder_hidden_states is None else encoder_hidden_states
    query_length = inputs_embeds.shape[1]
    if past_key_values is not None:
        if layer_idx is None:
            layer_idx = 0
            kinds = past_key_values.is_sliding
            if sliding in kinds:
                layer_idx = kinds.index(sliding)
        key_length, _ = past_key_values.get_mask_sizes(query_length, layer_idx)
    elif attention_mask is not None:
        key_length = attention_mask.shape[-1]
    elif encoder_hidden_states is not None:
        key_length = encoder_hidden_states.shape[1]
    else:
        key_length = query_length
    return _headwise.attention_mask(embeds.shape[0], query_length, key_length, content)


def create_causal_mask(config, inputs_embeds, attention_mask=None, past_key_values=None, position_ids=None, or_mask_function=None,
                       and_mask_function=None, block_sequence_ids=None, layer_idx=None, allow_is_causal_skip=True, **kwargs):
    if not getattr(config, "is_causal", True):
        return create_bidirectional_mask(config, inputs_embeds, attention_mask, past_key_values=past_key_values,
                                         or_mask_function=or_mask_function, and_mask_function=and_mask_function,
                                         allow_is_bidirectional_skip=allow_is_causal_skip)
    return _mask(config, inputs_embeds, attention_mask, past_key_values, layer_idx=layer_idx, content="causal")


def create_sliding_window_causal_mask(config, inputs_embeds, attention_mask=None, past_key_values=None, position_ids=None,
                                      or_mask_function=None, and_mask_function=None, block_sequence_ids=None, layer_idx=None,
                                      allow_is_causal_skip=True, **kwargs):
    if not getattr(config, "is_causal", True):
        return create_bidirectional_sliding_window_mask(config, inputs_embeds, attention_mask, past_key_values=past_key_values,
                                                        or_mask_function=or_mask_function, and_mask_function=and_mask_function,
                                                        allow_is_bidirectional_skip=allow_is_causal_skip)
    return _mask(config, inputs_embeds, attention_mask, past_key_values, sliding=True, layer_idx=layer_idx, content="causal")


def create_chunked_causal_mask(config, inputs_embeds, attention_mask=None, past_key_values=None, position_ids=None, **kwargs):
    return _mask(config, inputs_embeds, attention_mask, past_key_values, sliding=True, content="causal")


def create_bidirectional_mask(config, inputs_embeds, attention_mask=None, encoder_hidden_states=None, past_key_values=None,
                              or_mask_function=None, and_mask_function=None, allow_is_bidirectional_skip=True, **kwargs):
    if attention_mask is None or _headwise.is_all_ones(attention_mask):
        if or_mask_function is None and and_mask_function is None and allow_is_bidirectional_skip:
            return None
    return _mask(config, inputs_embeds, attention_mask, past_key_values, encoder_hidden_states=encoder_hidden_states)


def create_bidirectional_sliding_window_mask(config, inputs_embeds, attention_mask=None, past_key_values=None, or_mask_function=None,
                                             and_mask_function=None, allow_is_bidirectional_skip=True, **kwargs):
    return _mask(config, inputs_embeds, attention_mask, past_key_values, sliding=True)


def create_recurrent_attention_mask(config, inputs_embeds, attention_mask=None, past_key_values=None, **kwargs):
    if attention_mask is None or _headwise.is_all_ones(attention_mask) or attention_mask.dim() != 2:
        return None
    return attention_mask[:, -inputs_embeds.shape[1] :]


def _full(config, inputs_embeds, attention_mask, past_key_values, **kwargs):
    return create_causal_mask(config, inputs_embeds, attention_mask, past_key_values, **kwargs)


LAYER_PATTERN_TO_MASK_FUNCTION_MAPPING = {
    "full_attention": create_causal_mask,
    "sliding_attention": create_sliding_window_causal_mask,
    "chunked_attention": create_chunked_causal_mask,
    "compressed_sparse_attention": create_sliding_window_causal_mask,
    "heavily_compressed_attention": create_sliding_window_causal_mask,
    "minimax_m3_sparse": create_causal_mask,
    "indexed_attention": create_causal_mask,
    "linear_attention": create_recurrent_attention_mask,
    "conv": create_recurrent_attention_mask,
    "hybrid": {"full_attention": create_causal_mask, "linear_attention": create_recurrent_attention_mask},
    "hybrid_sliding": {"sliding_attention": create_causal_mask, "linear_attention": create_recurrent_attention_mask},
}


def create_masks_for_generate(config, inputs_embeds, attention_mask=None, past_key_values=None, **kwargs):
    config = config.get_text_config()
    if hasattr(config, "layer_types"):
        masks = {}
        for each in config.layer_types:
            if each not in LAYER_PATTERN_TO_MASK_FUNCTION_MAPPING:
                return attention_mask
            function = LAYER_PATTERN_TO_MASK_FUNCTION_MAPPING[each]
            if isinstance(function, dict):
                for name, inner in function.items():
                    masks[name] = inner(config, inputs_embeds, attention_mask, past_key_values)
            else:
                masks[each] = function(config, inputs_embeds, attention_mask, past_key_values)
        return masks
    if getattr(config, "sliding_window", None) is not None:
        return create_sliding_window_causal_mask(config, inputs_embeds, attention_mask, past_key_values)
    if getattr(config, "attention_chunk_size", None) is not None:
        return create_chunked_causal_mask(config, inputs_embeds, attention_mask, past_key_values)
    return create_causal_mask(config, inputs_embeds, attention_mask, past_key_values)
`,
  ],
  [
    'transformers.modeling_attn_mask_utils',
    `
import torch
import _headwise


def _prepare_4d_causal_attention_mask(attention_mask, input_shape, inputs_embeds, past_key_values_length=0, sliding_window=None):
    return _headwise.attention_mask(input_shape[0], input_shape[1], input_shape[1] + past_key_values_length, "causal")


def _prepare_4d_causal_attention_mask_for_sdpa(attention_mask, input_shape, inputs_embeds, past_key_values_length=0, sliding_window=None):
    return _prepare_4d_causal_attention_mask(attention_mask, input_shape, inputs_embeds, past_key_values_length)


def _create_4d_causal_attention_mask(input_shape, dtype, device=None, past_key_values_length=0, sliding_window=None):
    return _headwise.attention_mask(input_shape[0], input_shape[1], input_shape[1] + past_key_values_length, "causal")


def _prepare_4d_attention_mask(mask, dtype, tgt_len=None):
    return _headwise.attention_mask(mask.shape[0], mask.shape[1] if tgt_len is None else tgt_len, mask.shape[1], None)


def _prepare_4d_attention_mask_for_sdpa(mask, dtype, tgt_len=None):
    return _prepare_4d_attention_mask(mask, dtype, tgt_len)
`,
  ],
]);
