import type { Amount } from '../../src/protocol/calculator.ts';

/** Between a number and its unit, and between groups of digits: a narrow blank that no line breaks at. */
export const thin = '\u202f';

const decimalPrefixes = ['', 'K', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y', 'R', 'Q'];
/** Parameters are counted in billions. */
const counts = ['', 'K', 'M', 'B', 'T', 'Q'];
const binaryUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB', 'ZiB', 'YiB'];

/** `1 048 576`, with thin blanks. Four digits stay together. */
export function groupedDigits(digits: string): string {
  return digits.replace(/^-?\d{1,4}$|\B(?=(\d{3})+(?!\d))/g, (found) => found || thin);
}

/** `numerator / denominator` in decimal digits, at least `significant` of them right, without trailing zeros. */
function divided(numerator: bigint, denominator: bigint, significant: number): string {
  const whole = String(numerator / denominator).length;
  const places = Math.max(0, significant - whole);
  const scale = 10n ** BigInt(places);
  const rounded = (numerator * scale + denominator / 2n) / denominator;
  const fraction = String(rounded % scale)
    .padStart(places, '0')
    .replace(/0+$/, '');
  return `${rounded / scale}${places === 0 || fraction === '' ? '' : `.${fraction}`}`;
}

/** A number of a unit in few digits: `16.8 M`, `8.03 B`, `128 KiB`. Exact below 10,000. */
export function shortText({ unit, digits }: Amount): string {
  const value = BigInt(digits);
  const size = value < 0n ? -value : value;
  const sign = value < 0n ? '−' : '';
  const isBytes = unit === 'bytes';
  const base = isBytes ? 1024n : 1000n;
  const names = isBytes ? binaryUnits : unit === 'FLOPs' ? decimalPrefixes : counts;
  let step = 0;
  let factor = 1n;
  // What would round up to the next unit is written in it.
  while (step < names.length - 1 && (size >= factor * base || Number(divided(size, factor, 3)) >= Number(base))) {
    factor *= base;
    step++;
  }
  if (!isBytes && size < 10_000n) return `${sign}${size}`;
  return `${sign}${divided(size, factor, isBytes && size / factor >= 100n ? 4 : 3)}${thin}${names[step]}`.trimEnd();
}

/** The whole number with its unit: `131 072 B`. */
export const exactText = ({ unit, digits }: Amount): string => `${groupedDigits(digits)}${unit === 'bytes' ? `${thin}B` : ''}`;

/** How a number changed: `×1.5`, `+12 %`; '' where it did not, undefined where there is no telling. */
export function changeText(from: Amount, to: Amount): string | undefined {
  if (from.unit !== to.unit) return undefined;
  const [before, after] = [BigInt(from.digits), BigInt(to.digits)];
  if (before === after) return '';
  if (before <= 0n || after < 0n) return undefined;
  if (after >= before * 2n || after * 2n <= before) return after === 0n ? '×0' : `×${ratio(after, before)}`;
  const percent = divided((after > before ? after - before : before - after) * 100n, before, 2);
  return `${after > before ? '+' : '−'}${percent === '0' ? '<0.1' : percent}${thin}%`;
}

/** `4`, `0.25`, `1/12`: what divides evenly is written as a fraction. */
function ratio(after: bigint, before: bigint): string {
  if (after < before && before % after === 0n && before / after > 8n) return `1/${before / after}`;
  return divided(after, before, after < before ? 4 : 3);
}
