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
export function operationNamed(name: string): Operation | undefined {
  for (const table of tables) {
    const found = table.get(name);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The constant of this qualified name in any library: a dtype, `math.pi`. */
export function constantNamed(name: string): Value | undefined {
  for (const table of constants) {
    const found = table.get(name);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** True when a table holds `prefix.something`: then `prefix` is a module. */
export const isNamespace = (prefix: string): boolean => namespaces().has(prefix);

let known: ReadonlySet<string> | undefined;
function namespaces(): ReadonlySet<string> {
  if (known !== undefined) return known;
  const found = new Set<string>();
  for (const table of [...tables, ...constants]) {
    for (const name of table.keys()) {
      for (let at = name.lastIndexOf('.'); at > 0; at = name.lastIndexOf('.', at - 1)) found.add(name.slice(0, at));
    }
  }
  known = found;
  return known;
}
