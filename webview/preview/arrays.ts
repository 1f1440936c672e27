import { headerLength } from '../../src/checkpoint/safetensors.ts';

/** Numbers in row-major order with their shape. */
export interface NumberArray {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Reads every floating-point array of a .npy, .json or .safetensors file. Throws RangeError with what is wrong. */
export function readArrays(name: string, bytes: Uint8Array): readonly NumberArray[] {
  const ending = name.slice(name.lastIndexOf('.') + 1).toLowerCase();
  if (ending === 'npy') return [readNpy(name, bytes)];
  if (ending === 'safetensors') return readSafetensors(bytes).tensors;
  if (ending === 'json') return [readJson(name, new TextDecoder().decode(bytes))];
  throw new RangeError(`${name} ends in none of .npy, .json and .safetensors.`);
}

const size = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1);

/** Half precision to single (IEEE 754 binary16). */
function fromHalf(bits: number): number {
  const sign = bits >> 15 === 0 ? 1 : -1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * 2 ** -24 * fraction;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * 2 ** (exponent - 15) * (1 + fraction / 1024);
}

type Read = (view: DataView, at: number) => number;
const bfloat = new DataView(new ArrayBuffer(4));
const little = true;
/** Width in bytes and how a number is read, by safetensors' names. */
const dtypes: Readonly<Record<string, readonly [width: number, read: Read]>> = {
  F64: [8, (view, at) => view.getFloat64(at, little)],
  F32: [4, (view, at) => view.getFloat32(at, little)],
  F16: [2, (view, at) => fromHalf(view.getUint16(at, little))],
  BF16: [
    2,
    (view, at) => {
      bfloat.setUint32(0, view.getUint16(at, little) << 16);
      return bfloat.getFloat32(0);
    },
  ],
  I64: [8, (view, at) => Number(view.getBigInt64(at, little))],
  I32: [4, (view, at) => view.getInt32(at, little)],
  I16: [2, (view, at) => view.getInt16(at, little)],
  I8: [1, (view, at) => view.getInt8(at)],
  U8: [1, (view, at) => view.getUint8(at)],
};
/** How numbers of a safetensors dtype are read; undefined for one that is not. */
export function dtypeOf(name: string): { readonly width: number; read(view: DataView, at: number): number } | undefined {
  const found = Object.hasOwn(dtypes, name) ? dtypes[name] : undefined;
  return found === undefined ? undefined : { width: found[0], read: found[1] };
}

const npyTypes: Readonly<Record<string, string>> = {
  f8: 'F64',
  f4: 'F32',
  f2: 'F16',
  i8: 'I64',
  i4: 'I32',
  i2: 'I16',
  i1: 'I8',
  u1: 'U8',
};

function readNumbers(bytes: Uint8Array, dtype: string, shape: readonly number[]): Float32Array {
  const [width, read] = dtypes[dtype] as (typeof dtypes)[string];
  const count = size(shape);
  if (bytes.byteLength < count * width) {
    throw new RangeError(`The file ends after ${bytes.byteLength} bytes of numbers, where [${shape.join(', ')}] takes ${count * width}.`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: count }, (_, i) => read(view, i * width));
}

/** https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
function readNpy(name: string, bytes: Uint8Array): NumberArray {
  const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
  if (bytes.length < 12 || !magic.every((byte, i) => bytes[i] === byte)) throw new RangeError(`${name} is no .npy file.`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wide = (bytes[6] as number) >= 2;
  const start = (wide ? 12 : 10) + (wide ? view.getUint32(8, little) : view.getUint16(8, little));
  const header = new TextDecoder().decode(bytes.subarray(wide ? 12 : 10, start));
  const descr = /'descr':\s*'([<>|=]?)(\w+)'/.exec(header);
  const dtype = descr === null || descr[1] === '>' ? undefined : npyTypes[descr[2] ?? ''];
  if (dtype === undefined) throw new RangeError(`${name} holds numbers of a kind that is not read here: ${descr?.[0] ?? header.trim()}.`);
  const shape = [...(/'shape':\s*\(([^)]*)\)/.exec(header)?.[1] ?? '').matchAll(/\d+/g)].map(([digits]) => Number(digits));
  const numbers = readNumbers(bytes.subarray(start), dtype, shape);
  if (!/'fortran_order':\s*True/.test(header) || shape.length < 2) return { name, shape, data: numbers };
  if (shape.length > 2) throw new RangeError(`${name} is in Fortran order with ${shape.length} axes.`);
  const [rows, columns] = shape as [number, number];
  return { name, shape, data: Float32Array.from(numbers, (_, i) => numbers[(i % columns) * rows + Math.floor(i / columns)] as number) };
}

/** Tensors of a safetensors file and its metadata. */
export function readSafetensors(bytes: Uint8Array): {
  readonly tensors: readonly NumberArray[];
  readonly metadata: Readonly<Record<string, unknown>>;
} {
  const length = headerLength(bytes, bytes.byteLength);
  if (length === undefined) throw new RangeError('The file is no safetensors file: its header is longer than the file.');
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(8, 8 + length)));
  } catch {
    throw new RangeError('The file is no safetensors file: its header is no JSON.');
  }
  if (typeof header !== 'object' || header === null) throw new RangeError('The header of the safetensors file is no object.');
  const body = bytes.subarray(8 + length);
  const tensors: NumberArray[] = [];
  let metadata: Readonly<Record<string, unknown>> = {};
  for (const [name, entry] of Object.entries(header as Readonly<Record<string, unknown>>)) {
    if (typeof entry !== 'object' || entry === null) continue;
    if (name === '__metadata__') {
      metadata = entry as Readonly<Record<string, unknown>>;
      continue;
    }
    const { dtype, shape, data_offsets: offsets } = entry as Readonly<Record<string, unknown>>;
    if (typeof dtype !== 'string' || !Object.hasOwn(dtypes, dtype) || !isSizes(shape) || !isSizes(offsets)) continue;
    tensors.push({ name, shape, data: readNumbers(body.subarray(offsets[0], offsets[1]), dtype, shape) });
  }
  return { tensors, metadata };
}

const isSizes = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.every((one) => Number.isSafeInteger(one) && one >= 0);

/** Nested lists of numbers, all of a length. */
function readJson(name: string, text: string): NumberArray {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new RangeError(`${name} is no JSON.`);
  }
  const shape: number[] = [];
  for (let at = json; Array.isArray(at); at = at[0]) shape.push(at.length);
  const data: number[] = [];
  const visit = (value: unknown, depth: number): void => {
    if (depth === shape.length) {
      if (typeof value !== 'number') throw new RangeError(`${name} holds something else than numbers.`);
      data.push(value);
    } else {
      if (!Array.isArray(value) || value.length !== shape[depth]) throw new RangeError(`${name} holds lists of different lengths.`);
      for (const one of value) visit(one, depth + 1);
    }
  };
  if (shape.length > 4) throw new RangeError(`${name} has ${shape.length} axes.`);
  visit(json, 0);
  return { name, shape, data: Float32Array.from(data) };
}

/** An array as one row per token: [tokens, width], leading axes of length 1 dropped. Throws RangeError where it is not one. */
export function asTokens(
  array: NumberArray,
  longest: number,
): { readonly tokens: number; readonly width: number; readonly data: Float32Array } {
  const shape = array.shape.slice(array.shape.findIndex((length, i) => length !== 1 || i >= array.shape.length - 2));
  const [tokens = 0, width = 0] = shape;
  if (shape.length !== 2 || tokens < 1 || width < 1 || width > 16_384) {
    throw new RangeError(`${array.name} has the shape [${array.shape.join(', ')}], where [tokens, width] is needed.`);
  }
  if (array.data.some((value) => !Number.isFinite(value))) throw new RangeError(`${array.name} holds NaN or infinities.`);
  const kept = Math.min(tokens, longest);
  return { tokens: kept, width, data: array.data.subarray(0, kept * width) };
}

/** A .npy file, version 1.0, little-endian f32 in C order. */
export function writeNpy(shape: readonly number[], data: Float32Array): Uint8Array {
  if (data.length !== size(shape)) throw new RangeError(`${data.length} numbers do not make [${shape.join(', ')}].`);
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': ${tuple}, }`;
  // The header ends in a line feed and fills a multiple of 64 bytes.
  const padded = `${text.padEnd(Math.ceil((text.length + 11) / 64) * 64 - 11)}\n`;
  const file = new Uint8Array(10 + padded.length + data.length * 4);
  file.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, padded.length & 255, padded.length >> 8]);
  file.set(new TextEncoder().encode(padded), 10);
  const view = new DataView(file.buffer, 10 + padded.length);
  for (let i = 0; i < data.length; i++) view.setFloat32(i * 4, data[i] as number, little);
  return file;
}
