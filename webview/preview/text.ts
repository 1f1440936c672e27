let bundle: Readonly<Record<string, string>> = {};
let numbers = new Intl.NumberFormat('en', { maximumFractionDigits: 20 });

/** Takes translations by English text, as JSON, and the language that numbers are written in. What cannot be read is left out. */
export function setLanguage(json: string | undefined, locale: string): void {
  try {
    const read: unknown = JSON.parse(json ?? '{}');
    if (typeof read === 'object' && read !== null)
      bundle = Object.fromEntries(Object.entries(read).filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
    numbers = new Intl.NumberFormat(Intl.NumberFormat.supportedLocalesOf(locale)[0] ?? 'en', { maximumFractionDigits: 20 });
  } catch {
    // English.
  }
}

/** An English text, or its translation, with `{name}` filled in. Every sentence of the page goes through here. */
export function t(text: string, data: Readonly<Record<string, string | number>> = {}): string {
  return (bundle[text] ?? text).replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = data[name];
    return value === undefined ? whole : typeof value === 'number' ? written(value) : value;
  });
}

const written = (value: number): string => numbers.format(value);

/** One of two texts by a count, which fills `{n}`. */
export function plural(n: number, one: string, many: string): string {
  return (n === 1 ? one : many).replace('{n}', written(n));
}
