import type { Amount, Unit } from './amounts.ts';
import type { Report } from './report.ts';

/** One thing of two results, side by side. */
export interface Difference {
  /** `design`, `shapes`, `totals`, `parts`, `layers`, `trainingMemory`, ..., `parameters`. */
  readonly section: string;
  /** Stable name within its section. */
  readonly id: string;
  readonly label: string;
  readonly unit: Unit | null;
  /** What each result has; null where it has none. */
  readonly first: unknown;
  readonly second: unknown;
  readonly same: boolean;
  /** `second - first`, exact, where both are whole numbers. */
  readonly difference?: Amount;
}

interface Entry {
  readonly section: string;
  readonly id: string;
  readonly label: string;
  readonly unit: Unit | null;
  readonly value: unknown;
}

/** Everything that two results have, row by row and field by field, in the order of the first; what only the second has comes after it. */
export function compare(first: Report, second: Report): readonly Difference[] {
  const ones = entriesOf(first);
  const others = new Map(entriesOf(second).map((entry) => [`${entry.section} ${entry.id}`, entry]));
  const pairs: Difference[] = ones.map((entry) => {
    const key = `${entry.section} ${entry.id}`;
    const other = others.get(key);
    others.delete(key);
    return difference(entry, entry.value, other?.value);
  });
  for (const entry of others.values()) pairs.push(difference(entry, undefined, entry.value));
  return pairs;
}

function difference({ section, id, label, unit }: Entry, first: unknown, second: unknown): Difference {
  const [a, b] = [wholeOf(first), wholeOf(second)];
  const change = a === undefined || b === undefined ? undefined : b - a;
  return {
    section,
    id,
    label,
    unit,
    first: first ?? null,
    second: second ?? null,
    same: JSON.stringify(first ?? null) === JSON.stringify(second ?? null),
    ...(change === undefined ? {} : { difference: Number.isSafeInteger(Number(change)) ? Number(change) : String(change) }),
  };
}

const wholeOf = (value: unknown): bigint | undefined => {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : undefined;
  return typeof value === 'string' && /^-?\d+$/.test(value) ? BigInt(value) : undefined;
};

function entriesOf(report: Report): readonly Entry[] {
  const entries: Entry[] = [];
  const add = (section: string, id: string, label: string, unit: Unit | null, value: unknown): void => {
    entries.push({ section, id, label, unit, value });
  };
  for (const [name, { value }] of Object.entries(report.design)) add('design', name, name, null, value);
  // What is asked for with `?` has other answers in each.
  for (const { id, label, value } of report.rows) if (!/^(?:solution\d+|moreSolutions)$/.test(id)) add('shapes', id, label, null, value);
  for (const [name, value] of Object.entries(report.totals)) add('totals', name, name, null, value);
  const { training, serving, devices } = report;
  const groups = {
    parts: report.parts,
    trainingMemory: training?.memory,
    activations: training?.activations,
    trainingFlops: training?.flops,
    servingMemory: serving?.memory,
    prefill: serving?.prefill,
    decode: serving?.decode,
  };
  for (const [section, quantities] of Object.entries(groups))
    for (const { id, label, unit, value } of quantities ?? []) add(section, id, label, unit, value);
  for (const { id, label, perDevice } of devices?.rows ?? []) add('devices', id, label, 'bytes', perDevice);
  for (const { gpu, phase, nanoseconds } of serving?.rooflines ?? [])
    add('rooflines', `${gpu} ${phase}`, `${gpu}, ${phase}`, 'nanoseconds', nanoseconds);
  for (const { label, count, sum } of report.layers) {
    add('layers', `${label} count`, label, 'count', count);
    add('layers', `${label} parameters`, `${label}: weights of one`, 'parameters', sum.parameters);
    add('layers', `${label} forwardFlops`, `${label}: FLOPs forward of one`, 'FLOPs', sum.forwardFlops);
    add('layers', `${label} activationBytes`, `${label}: activations of one`, 'bytes', sum.activationBytes);
  }
  for (const { name, count, shapes } of report.parameters) add('parameters', name, name, null, { count, shapes });
  return entries;
}
