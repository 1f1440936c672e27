/** What models of transformers are made from, as Python: their base class, layers, decorators and dispatch tables. */
export const modelPrelude: ReadonlyMap<string, string> = new Map([
  [
    'transformers.modeling_utils',
    `
import torch
from torch import nn
import _headwise
from transformers.configuration_utils import PreTrainedConfig
# These stood here until version 4.27.
from transformers.pytorch_utils import Conv1D, apply_chunking_to_forward, find_pruneable_heads_and_indices
from transformers.pytorch_utils import prune_conv1d_layer, prune_layer, prune_linear_layer


class GeneralInterface:
    def __init__(self):
        self._local_mapping = {}

    def get_interface(self, implementation, default):
        return default

    def get(self, key, default=None):
        return default

    def register(self, key, value):
        pass

    def valid_keys(self):
        return []


class AttentionInterface(GeneralInterface):
    pass


ALL_ATTENTION_FUNCTIONS = AttentionInterface()


def get_torch_context_manager_or_global_device():
    return "cpu"


class ModuleUtilsMixin:
    @property
    def device(self):
        return torch.device("cpu")

    @property
    def dtype(self):
        return torch.float32

    def invert_attention_mask(self, encoder_attention_mask):
        if encoder_attention_mask.dim() == 3:
            mask = encoder_attention_mask[:, None, :, :]
        else:
            mask = encoder_attention_mask[:, None, None, :]
        return (1.0 - mask) * torch.finfo(self.dtype).min

    def get_extended_attention_mask(self, attention_mask, input_shape, device=None, dtype=None):
        if attention_mask.dim() == 3:
            mask = attention_mask[:, None, :, :]
        else:
            mask = attention_mask[:, None, None, :]
        return (1.0 - mask) * torch.finfo(self.dtype).min

    def get_head_mask(self, head_mask, num_hidden_layers, is_attention_chunked=False):
        return [None] * num_hidden_layers

    def num_parameters(self, only_trainable=False, exclude_embeddings=False):
        return sum(parameter.numel() for parameter in self.parameters())


class EmbeddingAccessMixin:
    _input_embed_layer = "embed_tokens"

    def get_input_embeddings(self):
        name = self._input_embed_layer
        for owner in (self, getattr(self, "embeddings", None), getattr(self, "model", None)):
            if owner is not None and getattr(owner, name, None) is not None:
                return getattr(owner, name)
        inner = getattr(self, "language_model", None)
        if inner is not None and hasattr(inner, "get_input_embeddings"):
            return inner.get_input_embeddings()
        base = self.base_model
        if base is not self and hasattr(base, "get_input_embeddings"):
            return base.get_input_embeddings()
        raise NotImplementedError("get_input_embeddings")

    def set_input_embeddings(self, value):
        name = self._input_embed_layer
        for owner in (self, getattr(self, "embeddings", None), getattr(self, "model", None)):
            if owner is not None and hasattr(owner, name):
                setattr(owner, name, value)
                return
        inner = getattr(self, "language_model", None)
        if inner is not None and hasattr(inner, "set_input_embeddings"):
            inner.set_input_embeddings(value)
            return
        base = self.base_model
        if base is not self and hasattr(base, "set_input_embeddings"):
            base.set_input_embeddings(value)

    def get_output_embeddings(self):
        return getattr(self, "lm_head", None)

    def set_output_embeddings(self, new_embeddings):
        if getattr(self, "lm_head", None) is not None:
            self.lm_head = new_embeddings


class PreTrainedModel(nn.Module, EmbeddingAccessMixin, ModuleUtilsMixin):
    config_class = None
    generation_config_class = None
    base_model_prefix = ""
    main_input_name = "input_ids"
    input_modalities = "text"
    model_tags = None
    _auto_class = None
    _is_stateful = False
    _no_split_modules = None
    _skip_keys_device_placement = None
    _keep_in_fp32_modules = None
    _keep_in_fp32_modules_strict = None
    _tied_weights_keys = None
    _keys_to_ignore_on_load_missing = None
    _keys_to_ignore_on_load_unexpected = None
    _keys_to_ignore_on_save = None
    _supports_sdpa = False
    _supports_flash_attn = False
    _supports_flex_attn = False
    _supports_attention_backend = False
    _can_compile_fullgraph = False
    _can_record_outputs = None
    _compatible_flash_implementations = None
    supports_gradient_checkpointing = False
    is_gradient_checkpointing = False
    gradient_checkpointing = False

    def __init__(self, config, *inputs, **kwargs):
        super().__init__()
        self.config = config
        self.name_or_path = ""
        self.loss_type = None
        self.generation_config = GenerationConfig()
        self.kernel_config = None

    def __call__(self, *args, **kwargs):
        kwargs = _headwise.with_config_defaults(self.forward, self.config, args, kwargs)
        gathering = _headwise.start_capture(self, self.forward, self.config, kwargs)
        outputs = self.forward(*args, **kwargs)
        if gathering is not None:
            _headwise.finish_capture(gathering, outputs, self.config)
        return outputs

    @classmethod
    def _from_config(cls, config, **kwargs):
        for name in ("dtype", "torch_dtype", "attn_implementation", "experts_implementation", "allow_all_kernels"):
            kwargs.pop(name, None)
        return cls(config, **kwargs)

    @classmethod
    def from_pretrained(cls, name=None, *args, **kwargs):
        return _headwise.unknown("a model with published weights")

    @property
    def base_model(self):
        return getattr(self, self.base_model_prefix, self)

    @property
    def loss_function(self):
        return _headwise.loss

    @property
    def can_record_outputs(self):
        return self._can_record_outputs or {}

    @property
    def dummy_inputs(self):
        return {"input_ids": torch.tensor([[7, 6, 0, 0, 1], [1, 2, 3, 0, 0], [0, 0, 0, 4, 5]])}

    def can_generate(self):
        return hasattr(self, "generate")

    def post_init(self):
        _headwise.tie_weights(self)

    def init_weights(self):
        _headwise.tie_weights(self)

    def tie_weights(self, *args, **kwargs):
        _headwise.tie_weights(self)

    def _tie_weights(self):
        pass

    def _init_weights(self, module):
        pass

    def _tie_or_clone_weights(self, output_embeddings, input_embeddings):
        output_embeddings.weight = input_embeddings.weight

    def get_encoder(self, modality=None):
        if modality in ("image", "video"):
            names = ("vision_tower", "visual", "vision_model", "vision_encoder", "image_tower")
        elif modality == "audio":
            names = ("audio_tower", "audio_encoder", "speech_encoder")
        else:
            names = ("text_encoder", "encoder")
        for name in names:
            if hasattr(self, name):
                return getattr(self, name)
        base = self.base_model
        if base is not self and hasattr(base, "get_encoder"):
            return base.get_encoder(modality=modality)
        return self

    def get_decoder(self):
        for name in ("language_model", "text_model", "decoder", "text_decoder"):
            if hasattr(self, name):
                return getattr(self, name)
        base = self.base_model
        if base is not self and hasattr(base, "get_decoder"):
            return base.get_decoder()
        return self

    def resize_token_embeddings(self, *args, **kwargs):
        return self.get_input_embeddings()

    def gradient_checkpointing_enable(self, *args, **kwargs):
        pass

    def gradient_checkpointing_disable(self):
        pass

    def enable_input_require_grads(self):
        pass

    def warn_if_padding_and_no_attention_mask(self, input_ids, attention_mask):
        pass

    def set_attn_implementation(self, *args, **kwargs):
        pass

    def _check_and_adjust_attn_implementation(self, *args, **kwargs):
        return "eager"

    def get_correct_attn_implementation(self, *args, **kwargs):
        return "eager"

    def prune_heads(self, heads_to_prune):
        pass

    def register_for_auto_class(self, *args, **kwargs):
        pass

    def save_pretrained(self, *args, **kwargs):
        pass


class PreTrainedAudioTokenizerBase(PreTrainedModel):
    def encode(self, input_values, *args, **kwargs):
        raise NotImplementedError()

    def decode(self, audio_codes, *args, **kwargs):
        raise NotImplementedError()


from transformers.generation import GenerationConfig

# Where versions before 4.20 keep them.
from transformers.pytorch_utils import (
    Conv1D,
    apply_chunking_to_forward,
    find_pruneable_heads_and_indices,
    prune_conv1d_layer,
    prune_layer,
    prune_linear_layer,
)
`,
  ],
  [
    'transformers.modeling_layers',
    `
from torch import nn


class GradientCheckpointingLayer(nn.Module):
    gradient_checkpointing = False
    _can_checkpoint_with_cache = False
`,
  ],
  [
    'transformers.pytorch_utils',
    `
import torch
from torch import nn
import _headwise
from _headwise import identity_factory as compile_compatible_method_lru_cache

is_torch_greater_or_equal_than_2_8 = True
is_torch_greater_or_equal_than_2_6 = True
is_torch_greater_or_equal_than_2_4 = True
is_torch_greater_or_equal_than_2_3 = True
is_torch_greater_or_equal_than_2_2 = True
is_torch_greater_or_equal_than_2_1 = True
is_torch_greater_or_equal_than_2_0 = True
is_torch_greater_or_equal_than_1_13 = True
is_torch_greater_or_equal_than_1_12 = True


class Conv1D(nn.Module):
    def __init__(self, nf, nx):
        super().__init__()
        self.nf = nf
        self.nx = nx
        self.weight = nn.Parameter(torch.empty(nx, nf))
        self.bias = nn.Parameter(torch.zeros(nf))

    def forward(self, x):
        size_out = x.size()[:-1] + (self.nf,)
        x = torch.addmm(self.bias, x.view(-1, x.size(-1)), self.weight)
        return x.view(size_out)


ALL_LAYERNORM_LAYERS = [nn.LayerNorm]


def apply_chunking_to_forward(forward_fn, chunk_size, chunk_dim, *input_tensors):
    return forward_fn(*input_tensors)


def find_pruneable_heads_and_indices(heads, n_heads, head_size, already_pruned_heads):
    return _headwise.unknown("pruned heads"), _headwise.unknown("pruned heads")


def prune_linear_layer(layer, index, dim=0):
    return _headwise.unknown("a pruned layer")


def prune_conv1d_layer(layer, index, dim=1):
    return _headwise.unknown("a pruned layer")


def prune_layer(layer, index, dim=None):
    return _headwise.unknown("a pruned layer")


def meshgrid(*tensors, indexing=None):
    return torch.meshgrid(*tensors, indexing=indexing)


def isin_mps_friendly(elements, test_elements):
    return torch.isin(elements, test_elements)
`,
  ],
  [
    'transformers.initialization',
    [
      'uniform_',
      'normal_',
      'constant_',
      'ones_',
      'zeros_',
      'eye_',
      'dirac_',
      'xavier_uniform_',
      'xavier_normal_',
      'kaiming_uniform_',
      'kaiming_normal_',
      'trunc_normal_',
      'orthogonal_',
      'sparse_',
      'copy_',
    ]
      .map((name) => `def ${name}(tensor, *args, **kwargs):\n    return tensor\n`)
      .join('\n'),
  ],
  [
    'transformers.generation',
    `
class GenerationMixin:
    def _get_cache(self, *args, **kwargs):
        return None

    def generate(self, *args, **kwargs):
        import _headwise
        return _headwise.unknown("generated tokens")

    def prepare_inputs_for_generation(self, *args, **kwargs):
        return kwargs


class GenerationConfig:
    def __init__(self, **kwargs):
        for key, value in kwargs.items():
            setattr(self, key, value)

    def __getattr__(self, name):
        import _headwise
        return _headwise.unknown("a setting of generation")

    @classmethod
    def from_model_config(cls, config):
        return cls()
`,
  ],
  [
    'transformers.generation.utils',
    `
from transformers.generation import GenerationMixin
`,
  ],
  [
    'transformers.integrations',
    `
from _headwise import identity_factory as use_kernel_forward_from_hub
from _headwise import identity_factory as use_kernelized_func
from _headwise import identity_factory as use_kernel_func_from_hub
from _headwise import identity_factory as use_kernel_func_from_hub_with_fallback
from _headwise import identity_or_factory as use_experts_implementation


def is_deepspeed_zero3_enabled():
    return False


def lazy_load_kernel(*args, **kwargs):
    return None


def get_kernel(*args, **kwargs):
    return None
`,
  ],
  [
    'transformers.integrations.hub_kernels',
    `
from transformers.integrations import use_kernel_forward_from_hub, use_kernelized_func, use_kernel_func_from_hub
from transformers.integrations import use_kernel_func_from_hub_with_fallback, lazy_load_kernel, get_kernel
`,
  ],
  [
    'transformers.integrations.moe',
    `
from transformers.integrations import use_experts_implementation
`,
  ],
  [
    'transformers.integrations.accelerate',
    `
from _headwise import identity_factory as force_accelerate_hooks
`,
  ],
  [
    'transformers.integrations.deepspeed',
    `
def is_deepspeed_zero3_enabled():
    return False


def is_deepspeed_available():
    return False
`,
  ],
  [
    'transformers.integrations.fsdp',
    `
def is_fsdp_managed_module(module):
    return False


def is_fsdp_enabled():
    return False
`,
  ],
  [
    'transformers.modeling_flash_attention_utils',
    `
class FlashAttentionKwargs(dict):
    pass


def is_flash_attn_available():
    return False


def flash_attn_supports_top_left_mask():
    return False
`,
  ],
  [
    'transformers.modeling_rope_utils',
    `
def dynamic_rope_update(rope_forward):
    return rope_forward


class RotaryEmbeddingConfigMixin:
    pass


def rope_config_validation(config, ignore_keys=None):
    pass
`,
  ],
  [
    'transformers.processing_utils',
    `
class Unpack:
    def __class_getitem__(cls, item):
        return item


class ProcessingKwargs(dict):
    pass


class ProcessorMixin:
    pass
`,
  ],
]);
