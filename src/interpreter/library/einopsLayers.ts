/** `einops.layers.torch`, and helpers for einops that other libraries build on. */

const layers = `
import torch
import einops
import headwise
from torch.nn import Module
from torch.nn.parameter import Parameter


class Rearrange(Module):
    def __init__(self, pattern, **axes_lengths):
        self.pattern = pattern
        self.axes_lengths = axes_lengths

    def forward(self, input):
        return einops.rearrange(input, self.pattern, **self.axes_lengths)


class Reduce(Module):
    def __init__(self, pattern, reduction, **axes_lengths):
        self.pattern = pattern
        self.reduction = reduction
        self.axes_lengths = axes_lengths

    def forward(self, input):
        return einops.reduce(input, self.pattern, self.reduction, **self.axes_lengths)


class EinMix(Module):
    def __init__(self, pattern, weight_shape, bias_shape=None, **axes_lengths):
        self.pattern = pattern
        self.weight = Parameter(torch.empty([axes_lengths[name] for name in weight_shape.split()]))
        if bias_shape is None:
            self.bias = None
        else:
            self.bias = Parameter(headwise.unknown('a bias that broadcasts'))

    def forward(self, input):
        return headwise.unknown('the result of EinMix')
`;

const utilities = `
from torch.nn import Module, Sequential as _Sequential


def Sequential(*modules):
    return _Sequential(*[module for module in modules if module is not None])


class Identity(Module):
    def forward(self, t, *args, **kwargs):
        return t


class Lambda(Module):
    def __init__(self, fn):
        self.fn = fn

    def forward(self, t, *args, **kwargs):
        return self.fn(t, *args, **kwargs)
`;

export const einopsLayers: readonly (readonly [string, string])[] = [
  ['einops.layers.torch', layers],
  ['torch_einops_utils.nn', utilities],
];
