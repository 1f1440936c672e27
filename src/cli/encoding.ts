import { decodeBytes } from '../syntax/read.ts';

/** The text of a file, or why it has none. A byte order mark is no part of it. */
export function decode(bytes: Uint8Array, limit?: number): { readonly text: string } | { readonly reason: string } {
  const decoded = decodeBytes(bytes, limit);
  return 'text' in decoded ? { text: decoded.text } : { reason: decoded.unreadable };
}

type Encoder = (text: string) => Buffer;

/** Encodes a text as `bytes` are encoded, byte order mark included; undefined where that would not give these bytes for their own text. */
export function encoderOf(bytes: Uint8Array): Encoder | undefined {
  const decoded = decodeBytes(bytes, Number.POSITIVE_INFINITY);
  if (!('text' in decoded)) return undefined;
  const mark = decoded.bom ? '\ufeff' : '';
  const encode: Encoder = (text) => {
    if (decoded.encoding === 'utf-8') return Buffer.from(mark + text, 'utf8');
    const little = Buffer.from(mark + text, 'utf16le');
    return decoded.encoding === 'utf-16le' ? little : little.swap16();
  };
  return encode(decoded.text).equals(bytes) ? encode : undefined;
}
