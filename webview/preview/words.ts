import type { HeadStatistics, KernelName } from '../../src/kernel/interface.ts';
import type { PreviewDesign } from '../protocol.ts';

/** A weight to four significant digits; 0 and 1 as they are. */
export function weightText(weight: number): string {
  if (weight === 0 || weight === 1) return String(weight);
  return weight >= 0.0001 ? weight.toPrecision(4) : weight.toExponential(3);
}

/** "8 query heads": a count with its noun. */
export function count(amount: number, noun: string): string {
  return `${amount.toLocaleString('en')} ${noun}${amount === 1 ? '' : 's'}`;
}

/** Which query heads read which KV head, in one line. */
export function sharing(design: PreviewDesign): string {
  const { queryHeads, keyValueHeads } = design;
  const group = queryHeads / keyValueHeads;
  if (group === 1) return 'Every head has keys and values of its own (multi-head attention).';
  if (keyValueHeads === 1) return `All ${queryHeads} query heads share one KV head (multi-query attention).`;
  const first = `query heads 0–${group - 1} share KV head 0, ${group}–${2 * group - 1} share KV head 1`;
  return `Grouped-query attention, ${group} to 1: ${first}${keyValueHeads > 2 ? ', and so on' : ''}.`;
}

/** What stands out about a head, shortest first; empty when nothing does. */
export function labels(statistics: HeadStatistics, tokens: number): readonly string[] {
  const found: string[] = [];
  const share = (value: number): string => value.toFixed(2);
  if (tokens > 4 && statistics.first >= 0.4) found.push(`first token ${share(statistics.first)}`);
  if (tokens > 4 && statistics.previous >= 0.4) found.push(`previous ${share(statistics.previous)}`);
  if (tokens > 4 && statistics.self >= 0.4) found.push(`self ${share(statistics.self)}`);
  return found;
}

/** A head in one sentence, for those who cannot see its map. */
export function summary(head: number, keyValueHead: number, statistics: HeadStatistics, tokens: number): string {
  const { entropy, maximum, distance } = statistics;
  return (
    `Head ${head}, KV head ${keyValueHead}: attention over ${count(tokens, 'token')}, ` +
    `mean entropy ${entropy.toFixed(2)} bits, largest weight ${maximum.toFixed(3)}, ` +
    `mean distance ${count(Number(distance.toFixed(1)), 'token')}.`
  );
}

export const kernelNames: Readonly<Record<KernelName, string>> = {
  'wasm-relaxed-simd': 'WebAssembly, relaxed SIMD',
  'wasm-simd': 'WebAssembly, SIMD',
  typescript: 'TypeScript reference, because WebAssembly cannot run here',
};
