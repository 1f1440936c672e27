import { byteText, grouped } from './shapes.ts';

/** A whole number as plain data: a number where it is exact, else decimal digits. */
export type Amount = number | string;

export const amountOf = (value: bigint): Amount =>
  value <= BigInt(Number.MAX_SAFE_INTEGER) && value >= -BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : String(value);

export type Unit = 'bytes' | 'FLOPs' | 'parameters' | 'elements' | 'count' | 'FLOPs per byte' | 'nanoseconds';

/** One named number of a result. */
export interface Quantity {
  /** Stable name: `weights`, `gradients`, `decodeFlops`, ... */
  readonly id: string;
  readonly label: string;
  /** The formula in symbols; '' where there is none. */
  readonly symbolic: string;
  readonly unit: Unit;
  /** Exact, but for ratios and times: those are rounded, down and to the nearest, to what `text` shows. */
  readonly value: Amount;
  /** The value for people: `131,072 bytes (128 KiB)`. */
  readonly text: string;
}

export const quantity = (id: string, label: string, symbolic: string, unit: Unit, value: bigint, text?: string): Quantity => ({
  id,
  label,
  symbolic,
  unit,
  value: amountOf(value),
  text: text ?? (unit === 'bytes' ? byteText(value) : unit === 'FLOPs' ? flopText(value) : grouped(value)),
});

/** `1,099,511,627,776 (1.1 T)`: the exact count, and decimal units rounded to two places. */
export function flopText(flops: bigint): string {
  const names = ['K', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y'];
  let unit = 1n;
  let name: string | undefined;
  for (const candidate of names) {
    if (flops < unit * 1000n) break;
    unit *= 1000n;
    name = candidate;
  }
  return name === undefined ? grouped(flops) : `${grouped(flops)} (${decimal(flops, unit, 2)} ${name})`;
}

/** `numerator / denominator` to so many places, rounded to the nearest, without trailing zeros. Exact arithmetic. */
export function decimal(numerator: bigint, denominator: bigint, places: number): string {
  const scale = 10n ** BigInt(places);
  const scaled = (numerator * scale + denominator / 2n) / denominator;
  const fraction = String(scaled % scale)
    .padStart(places, '0')
    .replace(/0+$/, '');
  return `${grouped(scaled / scale)}${places === 0 || fraction === '' ? '' : `.${fraction}`}`;
}
