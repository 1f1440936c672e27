"""Parameters of models that their own programs build, for files in those programs' formats: native.generated.json.

python make_native.py LLAMA OPEN_CLIP OLMO

Each argument is a checkout: github.com/meta-llama/llama, github.com/mlfoundations/open_clip, github.com/allenai/OLMo. PyTorch's meta device
holds no numbers. Packages that the programs import for other ends and that are not installed are replaced by empty ones; fairscale's
parallel layers are, on one device, the layers that they split.
"""
import enum
import importlib.abc
import importlib.machinery
import json
import os
import re
import sys
import types

import torch
from torch import nn

llama_root, clip_root, olmo_root = sys.argv[1:4]


class Empty(types.ModuleType):
    __path__: list = []

    def __getattr__(self, name):
        if name.startswith('__'):
            raise AttributeError(name)
        # A class that is made with anything; as a decorator it leaves what it decorates.
        methods = {'__init__': lambda self, *_, **__: None, '__call__': lambda self, *given, **_: given[0] if given else None}
        made = type(name, (Exception,), {}) if name.endswith(('Error', 'Exception')) else type(name, (), methods)
        setattr(self, name, made)
        return made


class EmptyPackages(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    names = {'omegaconf', 'torchvision', 'timm', 'fairscale', 'ftfy', 'cached_path', 'rich', 'flash_attn'}

    def find_spec(self, name, path=None, target=None):
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if name.split('.')[0] in self.names else None

    def create_module(self, spec):
        return Empty(spec.name)

    def exec_module(self, module):
        pass


sys.meta_path.append(EmptyPackages())


def linear(into, out, bias=True, **_):
    return nn.Linear(into, out, bias=bias)


layers = importlib.import_module('fairscale.nn.model_parallel.layers')
layers.ColumnParallelLinear = layers.RowParallelLinear = linear
layers.ParallelEmbedding = lambda rows, width, **_: nn.Embedding(rows, width)
importlib.import_module('fairscale.nn.model_parallel.initialize').get_model_parallel_world_size = lambda: 1
importlib.import_module('fairscale.nn.model_parallel').initialize = sys.modules['fairscale.nn.model_parallel.initialize']


def bare(name, root):
    """A package without what its __init__ imports."""
    package = types.ModuleType(name)
    package.__path__ = [os.path.join(root, name)]
    sys.modules[name] = package


def parameters(model):
    folded = {}
    for name, value in model.named_parameters():
        row = folded.setdefault(re.sub(r'(?<![^.])\d+(?![^.])', '{i}', name), [0, list(value.shape)])
        assert row[1] == list(value.shape), name
        row[0] += 1
    return folded


found = []


def keep(path, text, model):
    total = sum(value.numel() for value in model.parameters())
    found.append({'path': path, 'text': text, 'class': type(model).__name__, 'total': str(total), 'parameters': parameters(model)})


with torch.device('meta'):
    bare('llama', llama_root)
    llama = importlib.import_module('llama.model')
    llama.precompute_freqs_cis = lambda *_, **__: None
    # The attention's caches are put on a GPU at once.
    torch.Tensor.cuda = lambda self, *_, **__: self
    for config in (
        {'dim': 4096, 'multiple_of': 256, 'n_heads': 32, 'n_layers': 32, 'norm_eps': 1e-05, 'vocab_size': 32000},
        {'dim': 8192, 'ffn_dim_multiplier': 1.3, 'multiple_of': 4096, 'n_heads': 64, 'n_kv_heads': 8, 'n_layers': 80, 'norm_eps': 1e-05, 'vocab_size': 32000},
        {'dim': 4096, 'ffn_dim_multiplier': 1.3, 'multiple_of': 1024, 'n_heads': 32, 'n_kv_heads': 8, 'n_layers': 32, 'norm_eps': 1e-05, 'vocab_size': 128256, 'rope_theta': 500000.0},
        {'dim': 96, 'multiple_of': 32, 'n_heads': 6, 'n_kv_heads': 2, 'n_layers': 3, 'norm_eps': 1e-06, 'vocab_size': 1000, 'ffn_dim_multiplier': 0.7},
    ):
        known = {key: value for key, value in config.items() if key != 'rope_theta'}
        keep('params.json', json.dumps(config), llama.Transformer(llama.ModelArgs(max_batch_size=1, max_seq_len=8, **known)))

    bare('open_clip', os.path.join(clip_root, 'src'))
    clip = importlib.import_module('open_clip.model')
    made = [
        (f'{width}-{patch}.json', {
            'embed_dim': out,
            'vision_cfg': {'image_size': 336 if width == 1024 else 224, 'layers': depth, 'width': width, **more, 'patch_size': patch},
            'text_cfg': {'context_length': 77, 'vocab_size': 49408, 'width': wide, 'heads': wide // 64, 'layers': deep},
        })
        for out, width, depth, patch, more, wide, deep in (
            (512, 768, 12, 16, {}, 512, 12),
            (768, 1024, 24, 14, {}, 768, 12),
            (1024, 1280, 32, 14, {'head_width': 80}, 1024, 24),
            (1280, 1792, 56, 14, {'head_width': 112, 'mlp_ratio': 8.5715}, 1280, 36),
        )
    ]
    text = {'context_length': 20, 'vocab_size': 99, 'width': 24, 'heads': 3, 'layers': 2}
    made += [
        ('small.json', {'embed_dim': 16, 'quick_gelu': True, 'init_logit_bias': -10, 'vision_cfg': {'image_size': [32, 48], 'layers': 3, 'width': 128, 'patch_size': 16, 'ls_init_value': 1e-4, 'no_ln_pre': True, 'pool_type': 'avg', 'mlp_ratio': 2.7}, 'text_cfg': {**text, 'embed_cls': True, 'proj_bias': True, 'mlp_ratio': 3, 'ls_init_value': 0.1, 'no_causal_mask': True, 'pool_type': 'last'}}),
        ('custom.json', {'embed_dim': 16, 'custom_text': True, 'vision_cfg': {'image_size': 32, 'layers': 1, 'width': 64, 'patch_size': 16}, 'text_cfg': {**text, 'proj_type': 'none', 'embed_cls': True}}),
    ]
    for name, config in made:
        known = {key: value for key, value in config.items() if key not in ('custom_text',)}
        keep(name, json.dumps(config), (clip.CustomTextCLIP if config.get('custom_text') else clip.CLIP)(**known))

    bare('olmo', olmo_root)
    # Talks to object stores; of it only names of choices are needed.
    sys.modules['olmo.util'] = Empty('olmo.util')
    sys.modules['olmo.util'].StrEnum = enum.StrEnum
    config_module, model_module = importlib.import_module('olmo.config'), importlib.import_module('olmo.model')
    base = {'d_model': 2048, 'n_heads': 16, 'n_layers': 16, 'mlp_ratio': 8, 'weight_tying': True, 'alibi': False, 'rope': True, 'include_bias': False, 'block_type': 'sequential', 'layer_norm_type': 'default', 'layer_norm_with_affine': False, 'bias_for_layer_norm': False, 'attention_layer_norm': False, 'attention_layer_norm_with_affine': False, 'activation_type': 'swiglu', 'multi_query_attention': False, 'max_sequence_length': 2048, 'vocab_size': 50280, 'embedding_size': 50304, 'init_device': 'meta', 'init_fn': 'mitchell'}
    small = {**base, 'd_model': 64, 'n_heads': 8, 'n_layers': 3, 'vocab_size': 1000, 'embedding_size': 1024}
    for changes in (
        base,
        {**base, 'd_model': 4096, 'n_heads': 32, 'n_layers': 32, 'mlp_hidden_size': 22016, 'weight_tying': False},
        {**small, 'multi_query_attention': True, 'include_bias': True, 'bias_for_layer_norm': None, 'layer_norm_with_affine': True, 'weight_tying': False},
        {**small, 'rope': False, 'attention_layer_norm': True, 'attention_layer_norm_with_affine': True, 'layer_norm_with_affine': True, 'layer_norm_type': 'rms', 'activation_type': 'gelu', 'embedding_layer_norm': True},
        {**small, 'block_type': 'llama', 'n_kv_heads': None, 'attention_layer_norm': True, 'attention_layer_norm_with_affine': True, 'embedding_size': None, 'layer_norm_with_affine': True, 'bias_for_layer_norm': True},
        {**{key: value for key, value in small.items() if key != 'multi_query_attention'}, 'n_kv_heads': 2, 'attention_layer_norm': True, 'attention_layer_norm_with_affine': True, 'norm_after': True, 'layer_norm_type': 'rms', 'layer_norm_with_affine': True},
    ):
        lines = ['run_name: a-run', 'seed: 6198', 'model:', *(f'  {key}: {json.dumps(value)}' for key, value in changes.items()), 'optimizer:', '  name: adamw']
        keep('olmo.yaml', '\n'.join(lines) + '\n', model_module.OLMo(config_module.ModelConfig(**changes), init_params=False))

with open(os.path.join(os.path.dirname(__file__), 'native.generated.json'), 'w') as file:
    file.write('[\n' + ',\n'.join(json.dumps(each) for each in found) + '\n]\n')
