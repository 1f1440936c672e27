import { jax } from './arrays.ts';
import { einopsLayers } from './einopsLayers.ts';
import { fairscale } from './fairscale.ts';
import { flax } from './flax.ts';
import { keras } from './keras.ts';
import { mlx } from './mlx.ts';
import { numpyLists } from './numpyLists.ts';
import { pythonTypes } from './pythonTypes.ts';
import { standIns } from './standIns.ts';
import { torchAutograd } from './torchAutograd.ts';
import { torchNn } from './torchNn.ts';
import { transformersPrelude } from './transformers.ts';

/**
 * Descriptions of libraries in Python itself, by module name. They are read by the interpreter like any other code, and never run by
 * Python: classes of layers with their parameters and what they call. Written for Headwise from the libraries' documented behaviour.
 */
export const prelude: ReadonlyMap<string, string> = new Map<string, string>([
  ...pythonTypes,
  ...numpyLists,
  ...torchNn,
  ...einopsLayers,
  ...fairscale,
  ...standIns,
  ['torch.autograd', torchAutograd],
  ['torch.autograd.function', torchAutograd],
  ...transformersPrelude,
  ...jax,
  ...flax,
  ...keras,
  ...mlx,
]);
