/** `torch.nn.utils`, checkpointing and wrappers for parallel runs. */

export const torchUtils = `
import torch
import headwise
from torch.nn.parameter import Parameter


def weight_norm(module, name='weight', dim=0):
    weight = getattr(module, name)
    delattr(module, name)
    setattr(module, name + '_g', Parameter(headwise.result('norm', headwise.norm_shape(weight, dim), weight)))
    setattr(module, name + '_v', Parameter(weight))
    setattr(module, name, headwise.result('weight_norm', weight.shape, getattr(module, name + '_g'), getattr(module, name + '_v')))
    return module


def remove_weight_norm(module, name='weight'):
    weight = getattr(module, name + '_v')
    delattr(module, name + '_g')
    delattr(module, name + '_v')
    setattr(module, name, Parameter(weight))
    return module


def spectral_norm(module, name='weight', n_power_iterations=1, eps=1e-12, dim=None):
    weight = getattr(module, name)
    if dim is None:
        dim = 1 if isinstance(module, (torch.nn.ConvTranspose1d, torch.nn.ConvTranspose2d, torch.nn.ConvTranspose3d)) else 0
    delattr(module, name)
    height = weight.shape[dim]
    setattr(module, name + '_orig', Parameter(weight))
    setattr(module, name, headwise.result('spectral_norm', weight.shape, weight))
    module.register_buffer(name + '_u', torch.empty(height))
    module.register_buffer(name + '_v', torch.empty(weight.numel() // height))
    return module


def remove_spectral_norm(module, name='weight'):
    weight = getattr(module, name + '_orig')
    delattr(module, name + '_orig')
    delattr(module, name + '_u')
    delattr(module, name + '_v')
    setattr(module, name, Parameter(weight))
    return module


def skip_init(module_cls, *args, **kwargs):
    return module_cls(*args, **kwargs)


def clip_grad_norm_(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    return headwise.result('clip_grad_norm', ())


def clip_grad_value_(parameters, clip_value, foreach=None):
    return None


def parameters_to_vector(parameters):
    return headwise.unknown('all parameters')


def vector_to_parameters(vec, parameters):
    return None


def fuse_conv_bn_eval(conv, bn, transpose=False):
    return conv
`;

export const torchParametrizations = `
import torch
import headwise
from torch.nn import Module, ModuleDict, ModuleList
from torch.nn.parameter import Parameter


class ParametrizationList(ModuleList):
    pass


class _WeightNorm(Module):
    pass


class _SpectralNorm(Module):
    pass


class _Orthogonal(Module):
    pass


def _list_for(module, name, parametrization):
    if not hasattr(module, 'parametrizations'):
        module.parametrizations = ModuleDict()
    found = ParametrizationList([parametrization])
    module.parametrizations[name] = found
    return found


def weight_norm(module, name='weight', dim=0):
    weight = getattr(module, name)
    delattr(module, name)
    found = _list_for(module, name, _WeightNorm())
    found.original0 = Parameter(headwise.result('norm', headwise.norm_shape(weight, dim), weight))
    found.original1 = Parameter(weight)
    setattr(module, name, headwise.result('weight_norm', weight.shape, found.original0, found.original1))
    return module


def spectral_norm(module, name='weight', n_power_iterations=1, eps=1e-12, dim=None):
    weight = getattr(module, name)
    if dim is None:
        dim = 1 if isinstance(module, (torch.nn.ConvTranspose1d, torch.nn.ConvTranspose2d, torch.nn.ConvTranspose3d)) else 0
    delattr(module, name)
    norm = _SpectralNorm()
    if weight.dim() > 1:
        height = weight.shape[dim]
        norm.register_buffer('_u', torch.empty(height))
        norm.register_buffer('_v', torch.empty(weight.numel() // height))
    found = _list_for(module, name, norm)
    found.original = Parameter(weight)
    setattr(module, name, headwise.result('spectral_norm', weight.shape, found.original))
    return module


def orthogonal(module, name='weight', orthogonal_map=None, *, use_trivialization=True):
    weight = getattr(module, name)
    delattr(module, name)
    norm = _Orthogonal()
    found = _list_for(module, name, norm)
    if use_trivialization:
        norm.register_buffer('base', torch.empty_like(weight))
    found.original = Parameter(weight)
    setattr(module, name, headwise.result('orthogonal', weight.shape, found.original))
    return module
`;

export const torchParametrize = `
import headwise
from torch.nn.parameter import Parameter
from torch.nn.utils.parametrizations import ParametrizationList, _list_for


def register_parametrization(module, tensor_name, parametrization, *, unsafe=False):
    weight = getattr(module, tensor_name)
    delattr(module, tensor_name)
    found = _list_for(module, tensor_name, parametrization)
    found.original = Parameter(weight)
    setattr(module, tensor_name, parametrization(found.original))
    return module


def is_parametrized(module, tensor_name=None):
    return hasattr(module, 'parametrizations')


def remove_parametrizations(module, tensor_name, leave_parametrized=True):
    weight = getattr(module, tensor_name)
    delattr(module, 'parametrizations')
    setattr(module, tensor_name, Parameter(weight))
    return module


def cached():
    return headwise.unknown('a context')
`;

export const torchCheckpoint = `
def checkpoint(function, *args, use_reentrant=None, context_fn=None, determinism_check='default', debug=False, early_stop=True, preserve_rng_state=True, **kwargs):
    return function(*args, **kwargs)


def checkpoint_sequential(functions, segments, input, use_reentrant=None, **kwargs):
    for function in functions:
        input = function(input)
    return input
`;

export const torchParallel = `
import headwise
from torch.nn import DataParallel, Module


class DistributedDataParallel(Module):
    def __init__(self, module, *args, **kwargs):
        self.module = module

    def no_sync(self):
        return headwise.unknown('a context')

    def forward(self, *inputs, **kwargs):
        return self.module(*inputs, **kwargs)
`;

export const torchShardedParallel = `
import headwise
from torch.nn import Module


class FullyShardedDataParallel(Module):
    def __init__(self, module, *args, **kwargs):
        self._fsdp_wrapped_module = module
        self.module = module

    def forward(self, *inputs, **kwargs):
        return self.module(*inputs, **kwargs)
`;
