/** A tensor as a checkpoint's header names it. */
export interface TensorInfo {
  /** `F32`, `BF16`, `F8_E4M3`, `I8`, ... */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Where its values lie: first byte, and the one after its last, after the header. Absent where the header does not say. */
  readonly bytes?: readonly [first: number, end: number];
}

/** Names and shapes of what a checkpoint holds; its values are never read. */
export interface CheckpointShapes {
  /** File name, for messages. */
  readonly file: string;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** Whether every part that the index names was there: only then is a missing tensor really missing. */
  readonly complete: boolean;
}

/** The format's own bound on the header's length, in bytes. */
export const maximumHeaderBytes = 100_000_000;

/**
 * Length of the JSON header that follows the first 8 bytes (u64, little endian); undefined when it is out of bounds.
 * https://github.com/huggingface/safetensors#format
 */
export function headerLength(first: Uint8Array, fileSize: number): number | undefined {
  if (first.length < 8) return undefined;
  const length = Number(new DataView(first.buffer, first.byteOffset, 8).getBigUint64(0, true));
  return length >= 2 && length <= maximumHeaderBytes && length + 8 <= fileSize ? length : undefined;
}

/** Reads a header's JSON; undefined when it is not one. Entries that are malformed are left out. */
export function parseHeader(header: Uint8Array): Map<string, TensorInfo> | undefined {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(header));
  } catch {
    return undefined;
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return undefined;
  const tensors = new Map<string, TensorInfo>();
  for (const [name, value] of Object.entries(json)) {
    if (name === '__metadata__' || typeof value !== 'object' || value === null) continue;
    const { dtype, shape, data_offsets: bytes } = value as { dtype?: unknown; shape?: unknown; data_offsets?: unknown };
    if (typeof dtype !== 'string' || !Array.isArray(shape)) continue;
    if (shape.every(isSize)) tensors.set(name, { dtype, shape, ...(isRange(bytes) ? { bytes } : {}) });
  }
  return tensors;
}

const isSize = (value: unknown): value is number => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;

const isRange = (value: unknown): value is readonly [number, number] =>
  Array.isArray(value) && value.length === 2 && value.every(isSize) && (value[0] as number) <= (value[1] as number);
