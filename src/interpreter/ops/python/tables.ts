import { opaque } from '../../make.ts';
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

/** Kinds of containers that are only asked about. */
const containers = [
  'Iterable',
  'Sequence',
  'MutableSequence',
  'Mapping',
  'MutableMapping',
  'Collection',
  'Callable',
  'Iterator',
  'Sized',
  'Hashable',
];

export const pythonConstants: ReadonlyMap<string, Value> = new Map<string, Value>([
  ...mathConstants,
  ...containers.flatMap((name) =>
    ['collections.abc', 'collections', 'typing'].map((module) => [`${module}.${name}`, opaque(name)] as const),
  ),
  ['typing.TYPE_CHECKING', { kind: 'bool', value: false }],
]);
