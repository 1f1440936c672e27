import type { Field } from '../design/design.ts';
import type { TextEdit } from '../text/edit.ts';

/** Divisors of `whole` nearest to `wanted`, nearest first, at most `count`. */
export function divisorsNear(whole: number, wanted: number, count: number): number[] {
  const divisors: number[] = [];
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
