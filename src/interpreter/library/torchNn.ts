import { torchAttention, torchAttentionFunction } from './torchAttention.ts';
import { torchLayers } from './torchLayers.ts';
import { torchModule } from './torchModule.ts';
import { torchPacking, torchRecurrent } from './torchRecurrent.ts';
import { torchCheckpoint, torchParallel, torchParametrizations, torchParametrize, torchShardedParallel, torchUtils } from './torchUtils.ts';

const everything = 'from torch.nn import *\nfrom torch.nn.parameter import Parameter\nfrom torch import Tensor\n';

/** The modules of `torch.nn.modules`, whose classes are those of `torch.nn`. */
const submodules = [
  'activation',
  'adaptive',
  'batchnorm',
  'container',
  'conv',
  'distance',
  'dropout',
  'flatten',
  'fold',
  'instancenorm',
  'linear',
  'loss',
  'module',
  'normalization',
  'padding',
  'pixelshuffle',
  'pooling',
  'rnn',
  'sparse',
  'transformer',
  'upsampling',
];

const wrapperNames = `
class CheckpointImpl:
    REENTRANT = 'reentrant'
    NO_REENTRANT = 'no_reentrant'


def checkpoint_wrapper(module, *args, **kwargs):
    return module


def ptd_checkpoint_wrapper(module, *args, **kwargs):
    return module


def apply_activation_checkpointing(model, *args, **kwargs):
    return None
`;

/** `torch.nn` and what belongs to it, by module name. */
export const torchNn: readonly (readonly [string, string])[] = [
  ['torch.nn', ['import copy', torchModule, torchLayers, torchAttention, torchRecurrent].join('\n\n')],
  ['torch.nn.functional', torchAttentionFunction],
  ['torch.nn.modules', everything],
  ...submodules.map((name) => [`torch.nn.modules.${name}`, everything] as const),
  [
    'torch.nn.modules.utils',
    'import headwise\n\n\ndef _single(x):\n    return headwise.ntuple(x, 1)\n\n\ndef _pair(x):\n    return headwise.ntuple(x, 2)\n\n\ndef _triple(x):\n    return headwise.ntuple(x, 3)\n',
  ],
  ['torch.nn.utils', torchUtils],
  ['torch.nn.utils.rnn', torchPacking],
  ['torch.nn.utils.parametrizations', torchParametrizations],
  ['torch.nn.utils.parametrize', torchParametrize],
  ['torch.nn.utils.weight_norm', 'from torch.nn.utils import weight_norm, remove_weight_norm\n'],
  ['torch.nn.utils.spectral_norm', 'from torch.nn.utils import spectral_norm, remove_spectral_norm\n'],
  ['torch.nn.utils.init', 'from torch.nn.utils import skip_init\n'],
  ['torch.utils.checkpoint', torchCheckpoint],
  // Of versions before 1.13.
  ['torch._six', 'import collections.abc as container_abcs\nfrom math import inf, nan\n\nstring_classes = (str, bytes)\n'],
  ['torch.nn.parallel', torchParallel],
  ['torch.nn.parallel.distributed', 'from torch.nn.parallel import DistributedDataParallel\n'],
  ['torch.distributed.fsdp', torchShardedParallel],
  ['torch.distributed.algorithms._checkpoint.checkpoint_wrapper', wrapperNames],
];
