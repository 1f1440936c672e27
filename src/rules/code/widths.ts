import type { Dim } from '../../dims/dim.ts';
import type { TensorValue } from '../../interpreter/value.ts';

/** The size of the last axis; undefined where it is not known. */
export function lastDim({ shape }: TensorValue): Dim | undefined {
  if (shape.ellipsis !== undefined && shape.ellipsis === shape.dims.length) return undefined;
  const dim = shape.dims[shape.dims.length - 1];
  return dim === undefined || dim.unknown ? undefined : dim;
}
