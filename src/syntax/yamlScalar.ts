import type { ScalarValue } from './node.ts';

const words: ReadonlyMap<string, ScalarValue> = new Map<string, ScalarValue>([
  ...['', '~', 'null', 'Null', 'NULL'].map((word) => [word, null] as const),
  ...['true', 'True', 'TRUE', 'yes', 'Yes', 'YES', 'on', 'On', 'ON'].map((word) => [word, true] as const),
  ...['false', 'False', 'FALSE', 'no', 'No', 'NO', 'off', 'Off', 'OFF'].map((word) => [word, false] as const),
  ...['.inf', '.Inf', '.INF', '+.inf', '+.Inf', '+.INF'].map((word) => [word, Number.POSITIVE_INFINITY] as const),
  ...['-.inf', '-.Inf', '-.INF'].map((word) => [word, Number.NEGATIVE_INFINITY] as const),
  ...['.nan', '.NaN', '.NAN'].map((word) => [word, Number.NaN] as const),
]);

const radixInteger = /^([-+]?)0([bxo]?)([0-9a-fA-F_]+)$/;
const sexagesimal = /^[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+$/;
/** Also `1e-05`, which PyYAML leaves a string but OmegaConf, ruamel and every later `float(...)` read as a number. */
const decimal = /^[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?$/;

/**
 * Value of an unquoted YAML scalar as the Python loaders that read model configs take it: YAML 1.1 as in PyYAML
 * (`yes`, `010` octal, `1_000`, `1:30` base sixty) with the 1.2 forms that it lacks (`0o10`, `1e-05`).
 */
export function plainScalarValue(source: string): ScalarValue {
  const word = words.get(source);
  if (word !== undefined) return word;
  const first = source.charCodeAt(0);
  // Digits, sign or dot: nothing else begins a number.
  if (!((first >= 48 && first <= 57) || first === 43 || first === 45 || first === 46)) return source;
  return radixValue(source) ?? decimalValue(source) ?? source;
}

function radixValue(source: string): number | undefined {
  const match = radixInteger.exec(source);
  if (match === null) return undefined;
  const [, sign, letter, rest = ''] = match;
  const digits = rest.replaceAll('_', '');
  const radix = letter === 'x' ? 16 : letter === 'b' ? 2 : 8;
  const allowed = radix === 16 ? /^[0-9a-fA-F]+$/ : radix === 2 ? /^[01]+$/ : /^[0-7]+$/;
  if (!allowed.test(digits)) return undefined;
  const value = Number.parseInt(digits, radix);
  return sign === '-' ? -value : value;
}

function decimalValue(source: string): number | undefined {
  if (decimal.test(source)) {
    // `08` is no octal number, and PyYAML's integers have no leading zero: it stays a string there.
    if (/^[-+]?0[0-9_]+$/.test(source)) return undefined;
    return Number(source.replaceAll('_', ''));
  }
  if (!sexagesimal.test(source)) return undefined;
  const negative = source.startsWith('-');
  let value = 0;
  for (const part of source.replace(/^[-+]/, '').replaceAll('_', '').split(':')) value = value * 60 + Number(part);
  return negative ? -value : value;
}
