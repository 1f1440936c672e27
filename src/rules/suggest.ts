import type { ConfigReading, Field } from '../design/design.ts';
import type { TextEdit } from '../text/edit.ts';

/** Divisors of `whole` nearest to `wanted`, nearest first, at most `count`. */
export function divisorsNear(whole: number, wanted: number, count: number): number[] {
  const divisors: number[] = [];
  // The search takes the root of the number; beyond any real size it would be felt, and its answers would help nobody.
  if (!(whole <= 1e9)) return divisors;
  for (let d = 1; d * d <= whole; d++) {
    if (whole % d !== 0) continue;
    divisors.push(d);
    if (d * d !== whole) divisors.push(whole / d);
  }
  return divisors.sort((a, b) => Math.abs(a - wanted) - Math.abs(b - wanted) || a - b).slice(0, count);
}

/** The edit that writes `value` where the field was written; none where it was not written in this file. */
export function setValue(field: Field<unknown>, value: number | string | boolean): TextEdit[] {
  return field.source === 'written' && field.range !== undefined ? [{ range: field.range, newText: String(value) }] : [];
}

/** Head widths that attention kernels are tuned for, most common first. */
export const usualHeadDims: readonly number[] = [128, 64, 256, 96, 80, 32];

const distance = (a: number, b: number): number => Math.abs(Math.log2(a / b));

const isPowerOfTwo = (n: number): boolean => n > 0 && (n & (n - 1)) === 0;

const divisorsOf = (whole: number): number[] => divisorsNear(whole, 1, Number.POSITIVE_INFINITY);

/**
 * Head counts that divide the width, the most sensible first: near what was written, with a usual head dim, a power of two.
 * `multiple`: counts must be multiples of it (the KV heads that share them).
 */
export function headCountsFor(width: number, wanted: number, count: number, multiple = 1): number[] {
  const cost = (heads: number): number => {
    const headDim = width / heads;
    const unusual = usualHeadDims.includes(headDim) ? 0 : headDim % 16 === 0 ? 0.4 : headDim % 8 === 0 ? 0.7 : 1.5;
    return distance(heads, wanted) + unusual + (isPowerOfTwo(heads) ? 0 : 0.2);
  };
  return divisorsOf(width)
    .filter((heads) => heads % multiple === 0)
    .sort((a, b) => cost(a) - cost(b) || a - b)
    .slice(0, count);
}

/** Widths that `heads` divide, near what was written, with head dims that kernels take; multiples of 64 where one is near enough. */
export function widthsFor(heads: number, wanted: number, count: number): number[] {
  const widths = new Set<number>();
  for (const headDim of [...usualHeadDims, 112, 192]) if (distance(heads * headDim, wanted) < 0.6) widths.add(heads * headDim);
  for (const step of [heads * 8, heads]) {
    if (widths.size > 0) break;
    const below = Math.floor(wanted / step) * step;
    for (const width of [below, below + step]) if (width > 0 && distance(width, wanted) < 0.6) widths.add(width);
  }
  const cost = (width: number): number =>
    distance(width, wanted) * 4 + (usualHeadDims.includes(width / heads) ? 0 : 0.5) + (width % 64 === 0 ? 0 : 0.5);
  return [...widths].sort((a, b) => cost(a) - cost(b) || a - b).slice(0, count);
}

/** Numbers of KV heads that `heads` query heads can share, near what was written, powers of two first. */
export function keyValueHeadsFor(heads: number, wanted: number, count: number): number[] {
  const cost = (kv: number): number =>
    distance(kv, wanted) + (isPowerOfTwo(kv) ? 0 : 0.6) + (kv === 1 && wanted > 2 ? 1 : 0) + (kv === heads ? 0.5 : 0);
  return divisorsOf(heads)
    .sort((a, b) => cost(a) - cost(b) || a - b)
    .slice(0, count);
}

/** Whether the number stands in the file by itself, so that writing another in its place changes just it. */
export const isWritten = (reading: ConfigReading, field: Field<unknown> | undefined): boolean =>
  field?.source === 'written' &&
  field.range !== undefined &&
  !/[[\]{}$]/.test(reading.parsed.text.slice(field.range.start, field.range.end));

/** A fix that sets fields already written; none where one of them is not written as a plain value. */
export function writeFix(
  reading: ConfigReading,
  title: string,
  values: readonly (readonly [Field<unknown> | undefined, number | string | boolean])[],
): readonly { readonly title: string; readonly safe: boolean; readonly edits: readonly TextEdit[] }[] {
  const edits: TextEdit[] = [];
  for (const [field, value] of values) {
    if (field === undefined || !isWritten(reading, field)) return [];
    edits.push(...setValue(field, reading.format === 'python' && typeof value === 'boolean' ? (value ? 'True' : 'False') : value));
  }
  return edits.length === 0 ? [] : [{ title, safe: false, edits }];
}

/**
 * The edit that adds `key` on a line of its own after the entry that sets `anchor`, in the file's format and indentation.
 * None where the entry's own text is not in sight (a merged or interpolated value) or the format has no place for it.
 */
export function insertAfter(
  reading: ConfigReading,
  anchor: Field<unknown> | undefined,
  key: string,
  value: number | string | boolean,
): TextEdit[] {
  const { text, format } = reading.parsed;
  if (anchor?.keyRange === undefined || anchor.range === undefined || !isWritten(reading, anchor)) return [];
  const { keyRange, range } = anchor;
  const between = text.slice(keyRange.end, range.start);
  if (range.start < keyRange.end || !/^["']?\s*[:= ]?\s*["']?$/.test(between)) return [];
  const quote = /["']/.exec(text.charAt(keyRange.start - 1))?.[0] ?? '';
  const lineStart = text.lastIndexOf('\n', keyRange.start - 1) + 1;
  const lead = text.slice(lineStart, keyRange.start - quote.length);
  const newline = text.includes('\r\n') ? '\r\n' : '\n';
  // A quoted number's range may or may not hold its quotes.
  const valueQuote = /["']$/.test(between) && !/^["']/.test(text.charAt(range.start)) ? 1 : 0;
  const end = range.end + valueQuote;
  const written = format === 'json' || typeof value !== 'string' ? JSON.stringify(value) : value;
  const at = (offset: number, newText: string): TextEdit[] => [{ range: { start: offset, end: offset }, newText }];
  const flow = /^\s*[,}]/.test(text.slice(end, end + 200).replace(/^(\s*(#|\/\/)[^\n]*\n)+/, ''));
  if (format === 'json' || (format === 'yaml' && (quote !== '' || flow))) {
    const entry = `${quote}${key}${quote}: ${written}`;
    return at(end, /^\s*$/.test(lead) && lineStart > 0 ? `,${newline}${lead}${entry}` : `, ${entry}`);
  }
  if (format === 'python') {
    // Behind an argument or a dict entry; a field of a class would need a type, and has none here.
    const literal = typeof value === 'boolean' ? (value ? 'True' : 'False') : JSON.stringify(value);
    if (quote !== '') return at(end, `, ${quote}${key}${quote}: ${literal}`);
    return /^\s*[,)]/.test(text.slice(end, end + 200)) ? at(end, `, ${key}=${literal}`) : [];
  }
  if (format === 'shell') return lead.endsWith('-') ? at(end, ` --${key.replace(/_/g, '-')} ${written}`) : [];
  if (flow || format === 'gin') return [];
  const lineEnd = text.indexOf('\n', end);
  const stop = lineEnd < 0 ? text.length : text.charAt(lineEnd - 1) === '\r' ? lineEnd - 1 : lineEnd;
  const assign = format === 'toml' ? ' = ' : ': ';
  return at(stop, `${newline}${lead.replace(/\S/g, ' ')}${key}${assign}${written}`);
}
