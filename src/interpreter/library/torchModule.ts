/** `torch.nn.Module` and the containers. An item of a container is an attribute under its number or key, as checkpoints name it. */
export const torchModule = `
import torch
import torch.nn.functional as F
import headwise
from torch.nn.parameter import Parameter, Buffer


class Module:
    training = headwise.either()
    dump_patches = False
    call_super_init = False

    def __call__(self, *args, **kwargs):
        return self.forward(*args, **kwargs)

    def register_buffer(self, name, tensor, persistent=True):
        if tensor is None:
            setattr(self, name, None)
        else:
            setattr(self, name, Buffer(tensor, persistent=persistent))

    def register_parameter(self, name, param):
        setattr(self, name, param)

    def add_module(self, name, module):
        setattr(self, name, module)

    def register_module(self, name, module):
        setattr(self, name, module)

    def get_submodule(self, target):
        module = self
        if target == '':
            return module
        for name in target.split('.'):
            module = getattr(module, name)
        return module

    def get_parameter(self, target):
        path, _, name = target.rpartition('.')
        return getattr(self.get_submodule(path), name)

    def get_buffer(self, target):
        path, _, name = target.rpartition('.')
        return getattr(self.get_submodule(path), name)

    def set_submodule(self, target, module, strict=False):
        path, _, name = target.rpartition('.')
        setattr(self.get_submodule(path), name, module)

    def named_children(self):
        return headwise.children(self)

    def children(self):
        return headwise.child_list(self)

    def modules(self):
        return headwise.open_list()

    def named_modules(self, memo=None, prefix='', remove_duplicate=True):
        return headwise.open_list()

    def parameters(self, recurse=True):
        return headwise.open_list()

    def named_parameters(self, prefix='', recurse=True, remove_duplicate=True):
        return headwise.open_list()

    def buffers(self, recurse=True):
        return headwise.open_list()

    def named_buffers(self, prefix='', recurse=True, remove_duplicate=True):
        return headwise.open_list()

    @property
    def _modules(self):
        return headwise.child_dict(self)

    @property
    def _parameters(self):
        return headwise.open_dict()

    @property
    def _buffers(self):
        return headwise.open_dict()

    def apply(self, fn):
        return self

    def _apply(self, fn, recurse=True):
        return self

    def state_dict(self, *args, **kwargs):
        return headwise.open_dict()

    def load_state_dict(self, state_dict, strict=True, assign=False):
        return headwise.unknown('missing and unexpected keys')

    def train(self, mode=True):
        return self

    def eval(self):
        return self

    def requires_grad_(self, requires_grad=True):
        return self

    def zero_grad(self, set_to_none=True):
        return None

    def to(self, *args, **kwargs):
        return self

    def to_empty(self, *args, **kwargs):
        return self

    def cuda(self, device=None):
        return self

    def cpu(self):
        return self

    def xpu(self, device=None):
        return self

    def type(self, dst_type):
        return self

    def float(self):
        return self

    def double(self):
        return self

    def half(self):
        return self

    def bfloat16(self):
        return self

    def share_memory(self):
        return self

    def compile(self, *args, **kwargs):
        return None

    def extra_repr(self):
        return ''

    def register_forward_hook(self, *args, **kwargs):
        return headwise.unknown('the handle of a hook')

    def register_forward_pre_hook(self, *args, **kwargs):
        return headwise.unknown('the handle of a hook')

    def register_backward_hook(self, *args, **kwargs):
        return headwise.unknown('the handle of a hook')

    def register_full_backward_hook(self, *args, **kwargs):
        return headwise.unknown('the handle of a hook')

    def _register_state_dict_hook(self, *args, **kwargs):
        return headwise.unknown('the handle of a hook')

    def _register_load_state_dict_pre_hook(self, *args, **kwargs):
        return headwise.unknown('the handle of a hook')

    def register_load_state_dict_post_hook(self, *args, **kwargs):
        return headwise.unknown('the handle of a hook')


class Container(Module):
    pass


class Identity(Module):
    def __init__(self, *args, **kwargs):
        pass

    def forward(self, input):
        return input


class Sequential(Module):
    def __init__(self, *args):
        if len(args) == 1 and isinstance(args[0], dict):
            for key, module in args[0].items():
                self.add_module(key, module)
        else:
            self._items = headwise.list(args)
            headwise.number_items(self, self._items)

    def __len__(self):
        return len(headwise.child_list(self))

    def __iter__(self):
        return headwise.child_list(self)

    def __getitem__(self, idx):
        found = headwise.child_list(self)[idx]
        if isinstance(idx, slice):
            return Sequential(*found)
        return found

    def __setitem__(self, idx, module):
        name, _ = headwise.children(self)[idx]
        setattr(self, name, module)

    def __delitem__(self, idx):
        items = headwise.child_list(self)
        del items[idx]
        headwise.number_items(self, items)

    def __add__(self, other):
        return Sequential(*headwise.child_list(self), *headwise.child_list(other))

    def append(self, module):
        self.add_module(str(len(self)), module)
        return self

    def insert(self, index, module):
        items = headwise.child_list(self)
        items.insert(index, module)
        headwise.number_items(self, items)
        return self

    def extend(self, sequential):
        for module in sequential:
            self.append(module)
        return self

    def pop(self, key):
        items = headwise.child_list(self)
        found = items.pop(key)
        headwise.number_items(self, items)
        return found

    def forward(self, input):
        for module in headwise.child_list(self):
            input = module(input)
        return input


class ModuleList(Module):
    def __init__(self, modules=None):
        self._items = []
        if modules is not None:
            self._items = headwise.list(modules)
            headwise.number_items(self, self._items)

    def add_module(self, name, module):
        self.append(module)

    def register_module(self, name, module):
        self.append(module)

    def __len__(self):
        return len(self._items)

    def __iter__(self):
        return self._items

    def __contains__(self, module):
        return module in self._items

    def __getitem__(self, idx):
        if isinstance(idx, slice):
            return ModuleList(self._items[idx])
        return self._items[idx]

    def __setitem__(self, idx, module):
        self._items[idx] = module
        headwise.number_items(self, self._items)

    def __delitem__(self, idx):
        del self._items[idx]
        headwise.number_items(self, self._items)

    def __add__(self, other):
        return ModuleList(self._items + headwise.list(other))

    def __iadd__(self, modules):
        return self.extend(modules)

    def append(self, module):
        self._items.append(module)
        headwise.number_items(self, self._items)
        return self

    def extend(self, modules):
        self._items.extend(headwise.list(modules))
        headwise.number_items(self, self._items)
        return self

    def insert(self, index, module):
        self._items.insert(index, module)
        headwise.number_items(self, self._items)

    def pop(self, key):
        found = self._items.pop(key)
        headwise.number_items(self, self._items)
        return found


class _Dictionary(Module):
    def __init__(self, entries=None):
        self._entries = {}
        if entries is not None:
            self.update(entries)

    def _entry(self, value):
        return value

    def __len__(self):
        return len(self._entries)

    def __iter__(self):
        return self._entries.keys()

    def __contains__(self, key):
        return key in self._entries

    def __getitem__(self, key):
        return self._entries[key]

    def __setitem__(self, key, value):
        value = self._entry(value)
        self._entries[key] = value
        if headwise.is_unknown(key):
            headwise.open(self)
        else:
            setattr(self, key, value)

    def __delitem__(self, key):
        del self._entries[key]
        delattr(self, key)

    def keys(self):
        return self._entries.keys()

    def values(self):
        return self._entries.values()

    def items(self):
        return self._entries.items()

    def get(self, key, default=None):
        return self._entries.get(key, default)

    def pop(self, key):
        delattr(self, key)
        return self._entries.pop(key)

    def clear(self):
        for key in self._entries.keys():
            delattr(self, key)
        self._entries.clear()

    def update(self, entries):
        entries = dict(entries)
        for key, value in entries.items():
            self[key] = value
        if headwise.is_open(entries):
            headwise.open(self)
            self._entries = headwise.open_dict()


class ModuleDict(_Dictionary):
    def __init__(self, modules=None):
        super().__init__(modules)

    def add_module(self, name, module):
        self[name] = module


class ParameterList(Module):
    def __init__(self, values=None):
        self._items = []
        if values is not None:
            self.extend(values)

    def __len__(self):
        return len(self._items)

    def __iter__(self):
        return self._items

    def __getitem__(self, idx):
        if isinstance(idx, slice):
            return ParameterList(self._items[idx])
        return self._items[idx]

    def __setitem__(self, idx, value):
        self._items[idx] = headwise.as_parameter(value)
        headwise.number_items(self, self._items)

    def __iadd__(self, values):
        return self.extend(values)

    def append(self, value):
        self._items.append(headwise.as_parameter(value))
        headwise.number_items(self, self._items)
        return self

    def extend(self, values):
        self._items.extend(headwise.as_parameters(values))
        headwise.number_items(self, self._items)
        return self


class ParameterDict(_Dictionary):
    def __init__(self, parameters=None):
        super().__init__(parameters)

    def _entry(self, value):
        return headwise.as_parameter(value)


class DataParallel(Module):
    def __init__(self, module, *args, **kwargs):
        self.module = module

    def forward(self, *inputs, **kwargs):
        return self.module(*inputs, **kwargs)
`;
