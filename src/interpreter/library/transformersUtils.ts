/** `transformers.utils` as Python: outputs, decorators that leave a function as it is, and what is installed. */

/** Packages that transformers asks for. Torch alone is there: the code that a plain installation without a GPU runs. */
const installed: Readonly<Record<string, boolean>> = {
  torch: true,
  vision: false,
  scipy: false,
  numpy: true,
  safetensors: true,
  tokenizers: true,
};

const availability = (names: readonly string[]): string =>
  names.map((name) => `def is_${name}_available(*args, **kwargs):\n    return ${installed[name] === true ? 'True' : 'False'}\n`).join('\n');

const packages = [
  'accelerate',
  'apex',
  'aqlm',
  'bitsandbytes',
  'causal_conv1d',
  'cv2',
  'datasets',
  'deepspeed',
  'detectron2',
  'einops',
  'faiss',
  'flash_attn_2',
  'flash_attn_3',
  'flash_attn_4',
  'flash_linear_attention',
  'flax',
  'g2p_en',
  'gguf',
  'grouped_gemm',
  'habana_gaudi1',
  'hqq',
  'kernels',
  'keras_nlp',
  'librosa',
  'liger_kernel',
  'mamba_2_ssm',
  'mamba_ssm',
  'mambapy',
  'mlx',
  'natten',
  'ninja',
  'numba',
  'numpy',
  'onnx',
  'optimum_quanto',
  'pandas',
  'peft',
  'phonemizer',
  'pretty_midi',
  'protobuf',
  'pytesseract',
  'quark',
  'rjieba',
  'rocm_platform',
  'safetensors',
  'scipy',
  'sentencepiece',
  'sklearn',
  'speech',
  'spacy',
  'tensorflow_probability',
  'tf',
  'tiktoken',
  'timm',
  'tokenizers',
  'torch',
  'torch_accelerator',
  'torch_bf16',
  'torch_bf16_cpu',
  'torch_bf16_gpu',
  'torch_cuda',
  'torch_flex_attn',
  'torch_fp16_available_on_device',
  'torch_hpu',
  'torch_mlu',
  'torch_mps',
  'torch_musa',
  'torch_npu',
  'torch_sdpa',
  'torch_tensorrt_fx',
  'torch_tf32',
  'torch_xla',
  'torch_xpu',
  'torchao',
  'torchaudio',
  'torchcodec',
  'torchvision',
  'torchvision_v2',
  'triton',
  'vision',
  'vptq',
  'xlstm',
  'yt_dlp',
]; // prettier-ignore

const common = `
import _headwise
from _headwise import identity_or_factory as auto_docstring
from _headwise import identity as can_return_tuple
from _headwise import identity as merge_with_config_defaults
from _headwise import identity as check_model_inputs
from _headwise import identity as no_inherit_decorator
from _headwise import identity_factory as accepts_precomputed_kwargs
from _headwise import identity_factory as add_start_docstrings
from _headwise import identity_factory as add_start_docstrings_to_model_forward
from _headwise import identity_factory as add_code_sample_docstrings
from _headwise import identity_factory as add_end_docstrings
from _headwise import identity_factory as replace_return_docstrings
from _headwise import identity_factory as filter_out_non_signature_kwargs
from _headwise import identity_factory as requires
from _headwise import identity_factory as deprecate_kwarg
from _headwise import model_output_tuple


class TransformersKwargs(dict):
    pass


class LossKwargs(dict):
    pass


class ModelOutput:
    def to_tuple(self):
        return model_output_tuple(self)

    def __getitem__(self, key):
        if isinstance(key, str):
            return getattr(self, key)
        return model_output_tuple(self)[key]

    def __setitem__(self, key, value):
        setattr(self, key, value)

    def keys(self):
        return _headwise.model_output_dict(self).keys()

    def values(self):
        return model_output_tuple(self)

    def items(self):
        return _headwise.model_output_dict(self).items()

    def get(self, key, default=None):
        value = getattr(self, key, None)
        return default if value is None else value

    def __contains__(self, key):
        return getattr(self, key, None) is not None

    def __len__(self):
        return len(model_output_tuple(self))

    def __iter__(self):
        return iter(_headwise.model_output_dict(self).keys())


class ContextManagers:
    def __init__(self, context_managers):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *args, **kwargs):
        pass


class maybe_autocast(ContextManagers):
    def __init__(self, *args, **kwargs):
        pass


def torch_int(x):
    return int(x)


def torch_float(x):
    return float(x)


def torch_compilable_check(condition, message=None, *args, **kwargs):
    pass


def is_torchdynamo_compiling():
    return False


def is_torchdynamo_exporting():
    return False


def is_torch_fx_proxy(x):
    return False


def is_tracing(tensor=None):
    return False


def is_flash_attention_requested(*args, **kwargs):
    return False


def is_cuda_platform():
    return False


def is_torch_greater_or_equal(version, *args, **kwargs):
    return True


def is_torch_less_or_equal(version, *args, **kwargs):
    return False


def is_timm_config_dict(config_dict):
    return "pretrained_cfg" in config_dict


def is_timm_local_checkpoint(path):
    return False


def requires_backends(obj, backends):
    pass


def check_torch_load_is_safe():
    pass


def get_torch_version():
    return "2.13.0"


DUMMY_INPUTS = [[7, 6, 0, 0, 1], [1, 2, 3, 0, 0], [0, 0, 0, 4, 5]]
DUMMY_MASK = [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [0, 0, 0, 1, 1]]


class OptionalDependencyNotAvailable(Exception):
    pass

`;

const everything = `import transformers.utils.logging as logging\n${common}${availability(packages)}`;

export const utilsPrelude: ReadonlyMap<string, string> = new Map([
  // Submodules are named, so that they are not looked for in what the package would import.
  [
    'transformers',
    ['__version__ = "5.18.0"', ...['initialization', 'utils', 'models'].map((name) => `import transformers.${name} as ${name}`), ''].join(
      '\n',
    ),
  ],
  ['transformers.utils', everything],
  // What it was called until version 4.16.
  ['transformers.file_utils', everything],
  ['transformers.utils.generic', everything],
  // Its name before version 4.16.
  ['transformers.file_utils', everything],
  ['transformers.utils.import_utils', everything],
  ['transformers.utils.deprecation', 'from _headwise import identity_factory as deprecate_kwarg\n'],
  ['transformers.utils.doc', common],
  [
    'transformers.utils.logging',
    `
class Logger:
    def info(self, *args, **kwargs):
        pass

    def debug(self, *args, **kwargs):
        pass

    def warning(self, *args, **kwargs):
        pass

    def warning_once(self, *args, **kwargs):
        pass

    def warning_advice(self, *args, **kwargs):
        pass

    def info_once(self, *args, **kwargs):
        pass

    def error(self, *args, **kwargs):
        pass


_logger = Logger()


def get_logger(name=None):
    return _logger
`,
  ],
  [
    'transformers.utils.output_capturing',
    `
from _headwise import identity_or_factory as capture_outputs


class OutputRecorder:
    def __init__(self, target_class=None, index=0, layer_name=None, class_name=None, capture_initial_hidden_state=True):
        self.target_class = target_class
        self.index = index
        self.layer_name = layer_name
        self.class_name = class_name
        self.capture_initial_hidden_state = capture_initial_hidden_state


def maybe_install_capturing_hooks(model):
    pass
`,
  ],
]);
