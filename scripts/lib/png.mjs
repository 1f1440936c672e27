// @ts-check
// Makes PNG files of screens smaller without changing a pixel.
import { constants, crc32, deflateSync, inflateSync } from 'node:zlib';

const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/** Bytes that a filter's guess is taken from: left, above, above left. */
function guess(/** @type {number} */ filter, /** @type {number} */ a, /** @type {number} */ b, /** @type {number} */ c) {
  if (filter === 1) return a;
  if (filter === 2) return b;
  if (filter === 3) return (a + b) >> 1;
  if (filter !== 4) return 0;
  const [pa, pb, pc] = [Math.abs(b - c), Math.abs(a - c), Math.abs(a + b - 2 * c)];
  return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
}

/** Rows of bytes by the filters of the format's section 9. */
function filtered(/** @type {Uint8Array[]} */ rows, /** @type {number} */ step, /** @type {number} */ filter) {
  const width = rows[0]?.length ?? 0;
  const out = Buffer.alloc(rows.length * (width + 1));
  for (const [y, row] of rows.entries()) {
    const above = rows[y - 1];
    let best = filter;
    if (filter === 5) {
      // The one whose differences are least, as the format recommends.
      let least = Number.POSITIVE_INFINITY;
      for (let each = 0; each < 5; each++) {
        let sum = 0;
        for (let i = 0; i < width; i++) {
          const [a, b, c] = [row[i - step] ?? 0, above?.[i] ?? 0, i < step ? 0 : (above?.[i - step] ?? 0)];
          const value = ((row[i] ?? 0) - guess(each, a, b, c)) & 255;
          sum += value < 128 ? value : 256 - value;
        }
        if (sum < least) [least, best] = [sum, each];
      }
    }
    out[y * (width + 1)] = best;
    for (let i = 0; i < width; i++) {
      const [a, b, c] = [row[i - step] ?? 0, above?.[i] ?? 0, i < step ? 0 : (above?.[i - step] ?? 0)];
      out[y * (width + 1) + 1 + i] = (row[i] ?? 0) - guess(best, a, b, c);
    }
  }
  return out;
}

function chunk(/** @type {string} */ name, /** @type {Uint8Array} */ data) {
  const body = Buffer.concat([Buffer.from(name, 'latin1'), data]);
  const head = Buffer.alloc(4);
  head.writeUInt32BE(data.length);
  const tail = Buffer.alloc(4);
  tail.writeUInt32BE(crc32(body) >>> 0);
  return Buffer.concat([head, body, tail]);
}

/** The pixels of a PNG of 8 bits a channel that is not interlaced; undefined for another. */
export function pixels(/** @type {Buffer} */ file) {
  if (!file.subarray(0, 8).equals(signature)) return undefined;
  /** @type {Buffer} */
  let header = Buffer.alloc(0);
  const data = [];
  for (let at = 8; at < file.length; at += 12 + file.readUInt32BE(at)) {
    const name = file.toString('latin1', at + 4, at + 8);
    const body = file.subarray(at + 8, at + 8 + file.readUInt32BE(at));
    if (name === 'IHDR') header = body;
    if (name === 'IDAT') data.push(body);
  }
  const channels = { 2: 3, 6: 4 }[header[9] ?? 0];
  if (channels === undefined || header[8] !== 8 || header[12] !== 0) return undefined;
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  const raw = inflateSync(Buffer.concat(data));
  const bytes = width * channels;
  /** @type {Uint8Array[]} */
  const rows = [];
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (bytes + 1)] ?? 0;
    const row = Uint8Array.from(raw.subarray(y * (bytes + 1) + 1, (y + 1) * (bytes + 1)));
    const above = rows[y - 1];
    for (let i = 0; i < bytes; i++) {
      const [a, b, c] = [row[i - channels] ?? 0, above?.[i] ?? 0, i < channels ? 0 : (above?.[i - channels] ?? 0)];
      row[i] = (row[i] ?? 0) + guess(filter, a, b, c);
    }
    rows.push(row);
  }
  return { width, height, channels, rows };
}

/** The same picture in fewer bytes, where that can be. */
export function squeezed(/** @type {Buffer} */ file) {
  const found = pixels(file);
  if (found === undefined) return file;
  const { width, height, channels, rows } = found;
  const opaque = channels === 4 && rows.every((row) => row.every((value, i) => i % 4 !== 3 || value === 255));
  const plain = opaque ? rows.map((row) => row.filter((_, i) => i % 4 !== 3)) : rows;
  const step = opaque ? 3 : channels;
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 8;
  header[9] = step === 3 ? 2 : 6;
  let best = file;
  for (const filter of [0, 1, 2, 4, 5])
    for (const strategy of [constants.Z_DEFAULT_STRATEGY, constants.Z_FILTERED]) {
      const data = deflateSync(filtered(plain, step, filter), { level: 9, memLevel: 9, strategy });
      const made = Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', data), chunk('IEND', Buffer.alloc(0))]);
      if (made.length < best.length) best = made;
    }
  return best;
}
