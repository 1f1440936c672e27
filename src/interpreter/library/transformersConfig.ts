/** `transformers.configuration_utils` as Python: what a configuration object is, and what every one of them answers. */
export const configurationPrelude: ReadonlyMap<string, string> = new Map([
  [
    'transformers.configuration_utils',
    `
import copy
import _headwise


def remap_legacy_layer_types(layer_types=None, config=None):
    renamed = {
        "mamba": "linear_attention",
        "attention": "full_attention",
        "deepseek_sparse_attention": "indexed_attention",
        "qwen_sparse_attention": "indexed_attention",
    }
    if layer_types is not None:
        return [renamed.get(each, each) for each in layer_types]
    for name in ("layer_types", "mtp_layer_types"):
        known = getattr(config, name, None)
        if known is not None:
            changed = [renamed.get(each, each) for each in known]
            if changed != known:
                setattr(config, name, changed)


def layer_type_validation(layer_types, num_hidden_layers=None, attention=True):
    pass


class _PerLayerConfig:
    def __init__(self, config, overrides):
        self.config = config
        self.overrides = overrides

    def __len__(self):
        return self.config.num_hidden_layers

    def __getitem__(self, layer):
        if not self.overrides:
            return self.config
        if isinstance(layer, str):
            layer = self.config.layer_types.index(layer)
        if layer < 0:
            layer = layer + len(self)
        changed = copy.copy(self.config)
        changed.skip = []
        for name, value in self.overrides.get(layer, {}).items():
            setattr(changed, name, value)
        return changed


class PreTrainedConfig:
    base_config_key = ""
    sub_configs = {}
    has_no_defaults_at_init = False
    keys_to_ignore_at_inference = []
    attribute_map = {}
    base_model_tp_plan = None
    base_model_pp_plan = None
    base_model_ep_plan = None
    _auto_class = None
    model_type = ""
    default_theta = 10000.0
    default_rope_type = "default"
    ignore_keys_at_rope_validation = set()
    is_heterogeneous = False

    transformers_version: str | None = None
    architectures: list | None = None
    output_hidden_states: bool | None = False
    return_dict: bool | None = True
    dtype: str | None = None
    chunk_size_feed_forward: int = 0
    is_encoder_decoder: bool = False
    id2label: dict | None = None
    label2id: dict | None = None
    problem_type: str | None = None

    def __init__(self, **kwargs):
        fields = _headwise.config_fields(type(self))
        for name, default in fields.items():
            if name in kwargs:
                setattr(self, name, kwargs.pop(name))
            else:
                setattr(self, name, default)
        self.__post_init__(**kwargs)

    def __post_init__(self, **kwargs):
        torch_dtype = kwargs.pop("torch_dtype", None)
        if torch_dtype is not None and self.dtype is None:
            self.dtype = torch_dtype
        if self.id2label is None:
            labels = kwargs.pop("num_labels", None)
            if labels is None:
                labels = 2
            self.id2label = {i: "LABEL" for i in range(labels)}
        else:
            kwargs.pop("num_labels", None)
            self.id2label = {int(key): value for key, value in self.id2label.items()}
        if hasattr(self, "rope_parameters"):
            kwargs = self.convert_rope_params_to_dict(**kwargs)
        elif kwargs.get("rope_scaling") and kwargs.get("rope_theta"):
            self.rope_parameters = None
            kwargs = self.convert_rope_params_to_dict(**kwargs)
        for name in ("max_length", "min_length", "do_sample", "early_stopping", "num_beams", "temperature", "top_k", "top_p",
                     "typical_p", "repetition_penalty", "length_penalty", "no_repeat_ngram_size", "encoder_no_repeat_ngram_size",
                     "bad_words_ids", "num_return_sequences", "forced_bos_token_id", "forced_eos_token_id", "remove_invalid_values",
                     "exponential_decay_length_penalty", "suppress_tokens", "begin_suppress_tokens", "num_beam_groups",
                     "diversity_penalty"):
            kwargs.pop(name, None)
        self._name_or_path = str(kwargs.pop("name_or_path", ""))
        kwargs.pop("_commit_hash", None)
        kwargs.pop("_attn_implementation_internal", None)
        kwargs.pop("_experts_implementation_internal", None)
        self._output_attentions = kwargs.pop("output_attentions", False)
        kwargs.pop("attn_implementation", None)
        kwargs.pop("experts_implementation", None)
        overrides = kwargs.pop("per_layer_config", None) or {}
        self.per_layer_config = _PerLayerConfig(self, {int(layer): values for layer, values in overrides.items()})
        self._attn_implementation = "eager"
        self._attn_implementation_internal = "eager"
        self._experts_implementation = "eager"
        self._experts_implementation_internal = "eager"
        for key, value in kwargs.items():
            setattr(self, key, value)
        remap_legacy_layer_types(config=self)

    def __getattr__(self, name):
        target = type(self).attribute_map.get(name)
        if target is None or target == name:
            raise AttributeError(name)
        return getattr(self, target)

    def __setattr__(self, name, value):
        _headwise.set_config_attribute(self, name, value)

    @property
    def name_or_path(self):
        return self._name_or_path

    @name_or_path.setter
    def name_or_path(self, value):
        self._name_or_path = str(value)

    @property
    def num_labels(self):
        return len(self.id2label) if self.id2label is not None else None

    @num_labels.setter
    def num_labels(self, value):
        self.id2label = {i: "LABEL" for i in range(value)}

    @property
    def output_attentions(self):
        return self._output_attentions

    @output_attentions.setter
    def output_attentions(self, value):
        self._output_attentions = value

    @property
    def torch_dtype(self):
        return self.dtype

    @property
    def use_return_dict(self):
        return self.return_dict

    @property
    def rope_scaling(self):
        return self.rope_parameters

    @rope_scaling.setter
    def rope_scaling(self, value):
        self.rope_parameters = value

    def nested_rope_parameter_keys(self, rope_parameters):
        labels = getattr(self, "_rope_type_labels", None) or getattr(self, "layer_types", None) or ()
        return [key for key in rope_parameters if key in labels]

    def convert_rope_params_to_dict(self, **kwargs):
        scaling = kwargs.pop("rope_scaling", None)
        parameters = scaling or self.rope_parameters
        if parameters is None:
            parameters = {}
        self.rope_parameters = parameters
        theta = kwargs.pop("rope_theta", getattr(self, "rope_theta", self.default_theta))
        partial = kwargs.get("partial_rotary_factor", getattr(self, "partial_rotary_factor", None))
        nested = [parameters[key] for key in self.nested_rope_parameter_keys(parameters)] or [parameters]
        for each in nested:
            if each is None:
                continue
            each.setdefault("rope_theta", theta)
            if partial is not None:
                each.setdefault("partial_rotary_factor", partial)
        self.standardize_rope_params()
        return kwargs

    def standardize_rope_params(self):
        theta = getattr(self, "rope_theta", None)
        partial = getattr(self, "partial_rotary_factor", None)
        parameters = getattr(self, "rope_parameters", None) or {}
        if not (parameters or theta):
            return
        keys = self.nested_rope_parameter_keys(parameters)
        nested = [parameters[key] for key in keys] or [parameters]
        for each in nested:
            if each is None:
                continue
            each.setdefault("rope_type", each.get("type", "default"))
            each.setdefault("rope_theta", theta)
            if partial is not None:
                each.setdefault("partial_rotary_factor", partial)
            if self.default_rope_type != "default" and each["rope_type"] == "default":
                each["rope_type"] = self.default_rope_type
            if each["rope_type"] in ["llama3", "yarn", "longrope"]:
                if not keys and hasattr(self, "original_max_position_embeddings"):
                    each["original_max_position_embeddings"] = self.original_max_position_embeddings
                else:
                    each.setdefault("original_max_position_embeddings", self.max_position_embeddings)
        self.rope_parameters = parameters

    def validate_rope(self, *args, **kwargs):
        pass

    def validate_architecture(self):
        pass

    def validate_layer_type(self):
        pass

    def validate_token_ids(self):
        pass

    def validate_output_attentions(self):
        pass

    def validate(self):
        pass

    def get_text_config(self, decoder=None, encoder=None):
        both = decoder == encoder
        names = ("text_encoder", "decoder", "generator", "text_config")
        if not both:
            names = ("decoder", "generator", "text_config") if decoder else ("text_encoder",)
        for name in names:
            found = getattr(self, name, None)
            if found is not None:
                return found
        if not both and self.is_encoder_decoder:
            side = "decoder" if decoder else "encoder"
            changed = copy.copy(self)
            layers = getattr(self, side + "_layers", None)
            if layers is not None:
                changed.num_hidden_layers = layers
            heads = getattr(self, side + "_attention_heads", None)
            if heads is not None:
                changed.num_attention_heads = heads
            width = getattr(self, side + "_ffn_dim", None)
            if width is not None:
                changed.ffn_dim = width
            return changed
        return self

    def to_dict(self):
        return _headwise.attributes(self)

    def to_diff_dict(self):
        return _headwise.attributes(self)

    def update(self, values):
        for key, value in values.items():
            setattr(self, key, value)

    def __iter__(self):
        return iter(_headwise.attributes(self))

    @classmethod
    def from_dict(cls, config_dict, **kwargs):
        return cls(**{**config_dict, **kwargs})

    @classmethod
    def get_config_dict(cls, name, **kwargs):
        return _headwise.unknown("a configuration that is not at hand"), kwargs

    @classmethod
    def from_pretrained(cls, name, **kwargs):
        return _headwise.published_config(cls)

    def save_pretrained(self, *args, **kwargs):
        pass


PretrainedConfig = PreTrainedConfig
`,
  ],
]);
