const escapes: Readonly<Record<string, string>> = {
  '\\': '\\',
  "'": "'",
  '"': '"',
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\n': '',
};

/** What a string literal stands for; undefined for bytes, for an f-string that fills something in, and for a literal that does not end. */
export function stringValue(literal: string): string | undefined {
  const opening = /^([A-Za-z]*)("""|'''|"|')/.exec(literal);
  const prefix = opening?.[1]?.toLowerCase() ?? '';
  const quote = opening?.[2];
  if (opening === null || quote === undefined || prefix.includes('b')) return undefined;
  if (literal.length < opening[0].length + quote.length || !literal.endsWith(quote)) return undefined;
  const body = literal.slice(opening[0].length, literal.length - quote.length);
  if (/[ft]/.test(prefix) && /[{}]/.test(body)) return undefined;
  if (prefix.includes('r') || !body.includes('\\')) return body;
  return body.replace(/\\(?:\r\n|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|N\{[^}]*\}|[0-7]{1,3}|[\s\S])/g, (written) => {
    const kind = written.charAt(1);
    if (/[xuU]/.test(kind) && written.length > 2) {
      const code = Number.parseInt(written.slice(2), 16);
      return code <= 0x10ffff ? String.fromCodePoint(code) : written;
    }
    if (/[0-7]/.test(kind)) return String.fromCharCode(Number.parseInt(written.slice(1), 8));
    return written === '\\\r\n' ? '' : (escapes[kind] ?? written);
  });
}
