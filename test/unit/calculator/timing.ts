/** Milliseconds of processor time that the yardstick takes on the machine for which bounds are written (AMD EPYC, Node 20). */
const usual = 0.8;

/** A fixed amount of what the calculator does: whole numbers of any size, small objects, texts as keys. */
function yardstick(): bigint {
  const known = new Map<string, { readonly value: bigint; readonly next: number }>();
  let sum = 1n;
  for (let i = 0; i < 3000; i++) {
    sum = (sum * 2862933555777941757n + BigInt(i)) % 18446744073709551557n;
    const { value, next } = known.get(`key ${i % 1000}`) ?? { value: sum, next: i };
    known.set(`key ${i % 700}`, { value: value + BigInt(next), next: i });
  }
  return sum;
}

function processorTime(work: () => unknown): number {
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

/**
 * Milliseconds of processor time of the fastest of some runs: what else the machine does only ever adds. On a machine that is slow or shared,
 * and so takes longer than usual for a fixed amount of work between the runs, less in proportion.
 */
export function fastest(work: () => unknown, runs = 10): number {
  let [best, bestYardstick] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let i = 0; i < runs; i++) {
    bestYardstick = Math.min(bestYardstick, processorTime(yardstick));
    best = Math.min(best, processorTime(work));
  }
  return best / Math.max(1, bestYardstick / usual);
}
