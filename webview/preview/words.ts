import type { HeadStatistics, KernelName } from '../../src/kernel/interface.ts';
import type { PreviewDesign } from '../protocol.ts';
import type { ComputeResult } from './compute.ts';
import { plural, t } from './text.ts';

export const statisticNames = ['entropy', 'maximum', 'distance', 'span', 'first', 'previous', 'self', 'induction'] as const;
export type StatisticName = (typeof statisticNames)[number];

/** What a statistic is called, and the sentence that says what it means. */
export function statisticText(name: StatisticName): { readonly label: string; readonly meaning: string } {
  switch (name) {
    case 'entropy':
      return { label: t('Entropy (bits)'), meaning: t('Mean entropy of a row: 0 looks at one key, log2(n) at n keys alike.') };
    case 'maximum':
      return { label: t('Largest weight'), meaning: t('The largest weight of all.') };
    case 'distance':
      return { label: t('Distance (tokens)'), meaning: t('Mean distance of what is attended to, by weight.') };
    case 'span':
      return { label: t('Keys for 90 %'), meaning: t('Mean number of keys, heaviest first, that hold 90 % of a row.') };
    case 'first':
      return { label: t('On first token'), meaning: t('Mean weight on the first token: high for a sink.') };
    case 'previous':
      return { label: t('On previous token'), meaning: t('Mean weight on the token before.') };
    case 'self':
      return { label: t('On itself'), meaning: t('Mean weight on the token itself.') };
    case 'induction':
      return { label: t('Induction'), meaning: t('Mean weight on what followed the same token before.') };
  }
}

/** A statistic's value as it is written; a dash where there is none. */
export function statisticValue(statistics: HeadStatistics, name: StatisticName): string {
  const value = statistics[name];
  if (value === undefined) return '–';
  return value.toFixed(name === 'distance' || name === 'span' ? 1 : name === 'entropy' ? 2 : 3);
}

/** A weight to four significant digits; 0 and 1 as they are. */
export function weightText(weight: number): string {
  if (weight === 0 || weight === 1) return String(weight);
  const size = Math.abs(weight);
  return size >= 0.0001 && size < 1e6 ? weight.toPrecision(4) : weight.toExponential(3);
}

/** Which query heads read which KV head, in one line. */
export function sharing(design: PreviewDesign): string {
  const { queryHeads, keyValueHeads, latent } = design;
  const group = queryHeads / keyValueHeads;
  if (latent !== undefined)
    return t(
      'Keys and values of all heads are made from one latent of {n} numbers per token, and {rope} rotated ones that all keys share (multi-head latent attention).',
      { n: latent.keyValueRank, rope: latent.rotaryDim },
    );
  if (group === 1) return t('Every head has keys and values of its own (multi-head attention).');
  if (keyValueHeads === 1) return t('All {n} query heads share one KV head (multi-query attention).', { n: queryHeads });
  const first = { n: group, last: group - 1, from: group, to: 2 * group - 1 };
  return keyValueHeads > 2
    ? t('Grouped-query attention, {n} to 1: query heads 0–{last} share KV head 0, {from}–{to} share KV head 1, and so on.', first)
    : t('Grouped-query attention, {n} to 1: query heads 0–{last} share KV head 0, {from}–{to} share KV head 1.', first);
}

/** A head among those of all layers: `3`, or `L1 H3` where there are layers. */
export function headName({ layers, firstLayer, design }: Pick<ComputeResult, 'layers' | 'firstLayer' | 'design'>, head: number): string {
  if (layers === 1) return t('Head {head}', { head });
  return t('L{layer} H{head}', { layer: firstLayer + Math.floor(head / design.queryHeads), head: head % design.queryHeads });
}

/** Least values that make a head stand out. */
const STANDS_OUT = 0.4;

/** What stands out about a head, most telling first; empty when nothing does. */
export function labels(statistics: HeadStatistics, tokens: number): readonly string[] {
  if (tokens <= 4) return [];
  const { induction = 0, previous, first, self, distance } = statistics;
  const found: (readonly [value: number, text: string])[] = [];
  const share = (value: number): string => value.toFixed(2);
  if (induction >= STANDS_OUT) found.push([induction, t('induction {value}', { value: share(induction) })]);
  if (previous >= STANDS_OUT) found.push([previous, t('prev-token {value}', { value: share(previous) })]);
  if (first >= STANDS_OUT) found.push([first, t('sink {value}', { value: share(first) })]);
  if (self >= STANDS_OUT) found.push([self, t('self {value}', { value: share(self) })]);
  // A mean over so few tokens that it cannot be but near says nothing.
  if (found.length === 0 && distance < Math.min(4, tokens / 8)) found.push([0, t('local')]);
  return found.sort((a, b) => b[0] - a[0]).map(([, text]) => text);
}

/** A head in one sentence, for those who cannot see its map. */
export function summary(
  result: Pick<ComputeResult, 'layers' | 'firstLayer' | 'design' | 'tokens'>,
  head: number,
  statistics: HeadStatistics,
): string {
  const { design, tokens } = result;
  const { entropy, maximum, distance } = statistics;
  const marked = labels(statistics, tokens.length);
  return (
    t(
      '{name}, KV head {shared}: attention over {tokens}, mean entropy {entropy} bits, largest weight {maximum}, mean distance {distance}.',
      {
        name: headName(result, head),
        shared: Math.floor((head % design.queryHeads) / (design.queryHeads / design.keyValueHeads)),
        tokens: plural(tokens.length, t('1 token'), t('{n} tokens')),
        entropy: entropy.toFixed(2),
        maximum: maximum.toFixed(3),
        distance: plural(Number(distance.toFixed(1)), t('1 token'), t('{n} tokens')),
      },
    ) + (marked.length === 0 ? '' : ` ${marked.join(', ')}.`)
  );
}

/** A token's number and word, or the range that a pooled cell stands for. */
export function tokenText({ size, tokens }: Pick<ComputeResult, 'size' | 'tokens'>, cell: number): string {
  if (size === tokens.length) return `${cell} “${tokens[cell] ?? ''}”`;
  const first = Math.ceil((cell * tokens.length) / size - 0.5);
  const last = Math.ceil(((cell + 1) * tokens.length) / size - 0.5) - 1;
  return `${first}–${Math.max(first, last)}`;
}

export function kernelText(kernel: KernelName): string {
  if (kernel === 'wasm-relaxed-simd') return t('WebAssembly, relaxed SIMD');
  if (kernel === 'wasm-simd') return t('WebAssembly, SIMD');
  return t('TypeScript reference, because WebAssembly cannot run here');
}

/** Bytes in the largest unit that keeps a digit before the point. */
export function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let at = 0;
  let value = bytes;
  while (value >= 1024 && at < units.length - 1) {
    value /= 1024;
    at++;
  }
  return `${value >= 100 || at === 0 ? Math.round(value).toLocaleString('en') : value.toPrecision(2)} ${units[at]}`;
}

/** A time as one would say it. */
export function timeText(milliseconds: number): string {
  if (milliseconds < 10) return `${milliseconds.toFixed(1)} ms`;
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  return milliseconds < 90_000
    ? `${(milliseconds / 1000).toFixed(milliseconds < 10_000 ? 1 : 0)} s`
    : `${Math.round(milliseconds / 60_000)} min`;
}
