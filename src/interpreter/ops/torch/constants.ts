/** Names of torch that stand for a value and not for a function. */
import { float, opaque } from '../../make.ts';
import type { Value } from '../../value.ts';
import { dtypeNames } from './support.ts';

function makeConstants(): ReadonlyMap<string, Value> {
  const constants = new Map<string, Value>();
  for (const name of dtypeNames) constants.set(`torch.${name}`, opaque(`torch.${name}`));
  for (const name of ['uint16', 'uint32', 'uint64', 'float8_e4m3fnuz', 'float8_e5m2fnuz', 'float8_e8m0fnu', 'qint8', 'quint8', 'qint32']) {
    constants.set(`torch.${name}`, opaque(`torch.${name}`));
  }
  const aliases = {
    float: 'float32',
    double: 'float64',
    half: 'float16',
    long: 'int64',
    int: 'int32',
    short: 'int16',
    cfloat: 'complex64',
    cdouble: 'complex128',
  };
  for (const [alias, name] of Object.entries(aliases)) constants.set(`torch.${alias}`, opaque(`torch.${name}`));
  for (const name of ['strided', 'sparse_coo', 'contiguous_format', 'preserve_format', 'channels_last', 'channels_last_3d']) {
    constants.set(`torch.${name}`, opaque(`torch.${name}`));
  }
  constants.set('torch.inf', float(Number.POSITIVE_INFINITY));
  constants.set('torch.nan', float(Number.NaN));
  constants.set('torch.pi', float(Math.PI));
  constants.set('torch.e', float(Math.E));
  for (const name of ['dtype', 'layout', 'memory_format', 'Generator']) constants.set(`torch.${name}`, opaque(`torch.${name}`));
  return constants;
}

/**
 * Constants by qualified name, as `constantNamed` finds them: dtypes (aliases are the same constant: `torch.half` is
 * `torch.float16`), memory formats, numbers. `torch.Tensor`, `torch.LongTensor` and `torch.device` are no constants but
 * operations of the tables, since they are called; `isinstance` knows an operation by its name.
 */
export const torchConstants: ReadonlyMap<string, Value> = makeConstants();
