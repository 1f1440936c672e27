import { transformersOperations } from '../library/transformersOperations.ts';
import type { Operation, OperationTable } from '../operation.ts';
import type { Value } from '../value.ts';
import { einopsOperations } from './einops.ts';
import { numpyOperations } from './numpy.ts';
import { pythonConstants, pythonTables } from './python/tables.ts';
import { torchConstants, torchTables } from './torch/tables.ts';

const tables: readonly OperationTable[] = [...torchTables, einopsOperations, numpyOperations, ...pythonTables, transformersOperations];
const constants: readonly ReadonlyMap<string, Value>[] = [torchConstants, pythonConstants];

/** The operation of this qualified name in any library's table. */
export const operationNamed = (name: string): Operation | undefined => operationTable().get(name);

/** The constant of this qualified name in any library: a dtype, `math.pi`. */
export const constantNamed = (name: string): Value | undefined => constantTable().get(name);

const operationTable = once(() => merged(tables));
const constantTable = once(() => merged(constants));

/** All tables as one; of equal names the first stands. */
function merged<Entry>(all: readonly ReadonlyMap<string, Entry>[]): ReadonlyMap<string, Entry> {
  const entries = new Map<string, Entry>();
  for (const table of all) for (const [name, entry] of table) if (!entries.has(name)) entries.set(name, entry);
  return entries;
}

function once<Result>(make: () => Result): () => Result {
  let result: { readonly value: Result } | undefined;
  return () => {
    result ??= { value: make() };
    return result.value;
  };
}

/** True when a table holds `prefix.something`: then `prefix` is a module. */
export const isNamespace = (prefix: string): boolean => namespaces().has(prefix);

const namespaces = once((): ReadonlySet<string> => {
  const found = new Set<string>();
  for (const table of [operationTable(), constantTable()]) {
    for (const name of table.keys()) {
      for (let at = name.lastIndexOf('.'); at > 0; at = name.lastIndexOf('.', at - 1)) found.add(name.slice(0, at));
    }
  }
  return found;
});
