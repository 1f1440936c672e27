/** Checks of data that comes from outside: messages, kept state, links. */
export type Guard<T> = (value: unknown) => value is T;
export type Shape<T> = { readonly [K in keyof T]-?: Guard<T[K]> };

export const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
export const isInteger = (value: unknown): value is number => Number.isSafeInteger(value);
/** A count or place. */
export const isIndex = (value: unknown): value is number => isInteger(value) && value >= 0 && value < 2 ** 31;
export const isBoolean = (value: unknown): value is boolean => typeof value === 'boolean';
export const isString = (value: unknown): value is string => typeof value === 'string' && value.length <= 10_000;
export const isLongString = (value: unknown): value is string => typeof value === 'string' && value.length <= 2 ** 26;
export const isStrings = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.length <= 100 && value.every(isString);
export const isBytes = (value: unknown): value is Uint8Array => value instanceof Uint8Array && value.byteLength <= 2 ** 29;

export function isOptional<T>(guard: Guard<T>): Guard<T | undefined> {
  return (value): value is T | undefined => value === undefined || guard(value);
}

export function isExactly<T extends string>(...values: readonly T[]): Guard<T> {
  return (value): value is T => values.includes(value as T);
}

export function isListOf<T>(guard: Guard<T>, most = 1000): Guard<readonly T[]> {
  return (value): value is readonly T[] => Array.isArray(value) && value.length <= most && value.every(guard);
}

export function isBetween(low: number, high: number): Guard<number> {
  return (value): value is number => isNumber(value) && value >= low && value <= high;
}

/** Every field fits its guard, and there are no others. */
export function isShape<T>(shape: Shape<T>): Guard<T> {
  return (value): value is T => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
    const record = value as Readonly<Record<string, unknown>>;
    const guards = shape as Readonly<Record<string, Guard<unknown>>>;
    return (
      Object.keys(record).every((key) => Object.hasOwn(guards, key)) && Object.entries(guards).every(([key, guard]) => guard(record[key]))
    );
  };
}

/** A message of one of the kinds that `guards` know. */
export function isOneOf<T>(guards: Readonly<Record<string, (value: unknown) => boolean>>, value: unknown): value is T {
  const kind: unknown = typeof value === 'object' && value !== null ? (value as { kind?: unknown }).kind : undefined;
  return typeof kind === 'string' && Object.hasOwn(guards, kind) && guards[kind]?.(value) === true;
}
