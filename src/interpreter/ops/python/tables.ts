import type { OperationTable } from '../../operation.ts';
import type { Value } from '../../value.ts';
import { builtinOperations } from './builtins.ts';
import { headwiseOperations } from './headwise.ts';
import { mathConstants, mathOperations } from './math.ts';
import { methodOperations } from './methods.ts';
import { standardOperations } from './standard.ts';

/** Python itself and its standard library. */
export const pythonTables: readonly OperationTable[] = [
  builtinOperations,
  methodOperations,
  mathOperations,
  standardOperations,
  headwiseOperations,
];

export const pythonConstants: ReadonlyMap<string, Value> = new Map<string, Value>([
  ...mathConstants,
  ['typing.TYPE_CHECKING', { kind: 'bool', value: false }],
]);
