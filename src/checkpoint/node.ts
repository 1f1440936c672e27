import { closeSync, existsSync, fstatSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type CheckpointShapes, headerLength, parseHeader, type TensorInfo } from './safetensors.ts';

/** Parts read for one checkpoint, and bytes of their headers together: enough for the largest published models. */
const maximumParts = 300;
const maximumBytes = 64_000_000;

/**
 * Shapes of the safetensors checkpoint beside a config file: `model.safetensors`, the parts that its index names, or the only
 * safetensors file there. Reads headers alone. Undefined when there is none or it cannot be read.
 */
export function readCheckpointBeside(configPath: string): CheckpointShapes | undefined {
  const folder = dirname(configPath);
  try {
    for (const name of ['model.safetensors', 'diffusion_pytorch_model.safetensors', 'consolidated.safetensors'])
      if (existsSync(join(folder, name))) return readParts(folder, name, [name]);
    for (const name of ['model.safetensors.index.json', 'consolidated.safetensors.index.json']) {
      const index = join(folder, name);
      if (!existsSync(index) || statSync(index).size > maximumBytes) continue;
      const map = (JSON.parse(readFileSync(index, 'utf8')) as { weight_map?: unknown }).weight_map;
      if (typeof map !== 'object' || map === null) return undefined;
      const parts = [...new Set(Object.values(map).filter((part): part is string => typeof part === 'string' && basename(part) === part))];
      return readParts(folder, name, parts);
    }
    const only = readdirSync(folder).filter((name) => name.endsWith('.safetensors') && !/adapter|lora|optimizer/.test(name));
    return only.length === 1 && only[0] !== undefined ? readParts(folder, only[0], only) : undefined;
  } catch {
    return undefined;
  }
}

function readParts(folder: string, file: string, parts: readonly string[]): CheckpointShapes | undefined {
  const tensors = new Map<string, TensorInfo>();
  let complete = parts.length <= maximumParts;
  let bytes = 0;
  for (const part of parts.slice(0, maximumParts)) {
    const header = existsSync(join(folder, part)) ? readHeader(join(folder, part), maximumBytes - bytes) : undefined;
    if (header === undefined) {
      complete = false;
      continue;
    }
    bytes += header.bytes;
    for (const [name, info] of header.tensors) tensors.set(name, info);
  }
  return tensors.size === 0 ? undefined : { file, tensors, complete };
}

function readHeader(path: string, bound: number): { readonly tensors: Map<string, TensorInfo>; readonly bytes: number } | undefined {
  const descriptor = openSync(path, 'r');
  try {
    const first = new Uint8Array(8);
    if (readSync(descriptor, first, 0, 8, 0) < 8) return undefined;
    const length = headerLength(first, fstatSync(descriptor).size);
    if (length === undefined || length > bound) return undefined;
    const header = new Uint8Array(length);
    if (readSync(descriptor, header, 0, length, 8) < length) return undefined;
    const tensors = parseHeader(header);
    return tensors === undefined ? undefined : { tensors, bytes: length };
  } finally {
    closeSync(descriptor);
  }
}

/** A reader that keeps what it read until the files' names, sizes or times change: reading again at every keystroke would be felt. */
export function createCheckpointReader(): (configPath: string) => CheckpointShapes | undefined {
  const kept = new Map<string, { readonly signature: string; readonly shapes: CheckpointShapes | undefined }>();
  return (configPath) => {
    const folder = dirname(configPath);
    let signature = '';
    try {
      for (const name of readdirSync(folder)) {
        if (!/safetensors(\.index\.json)?$/.test(name)) continue;
        const { size, mtimeMs } = statSync(join(folder, name));
        signature += `${name} ${size} ${mtimeMs};`;
      }
    } catch {
      return undefined;
    }
    if (signature === '') return undefined;
    const known = kept.get(folder);
    if (known?.signature === signature) return known.shapes;
    const shapes = readCheckpointBeside(configPath);
    if (kept.size > 16) kept.clear();
    kept.set(folder, { signature, shapes });
    return shapes;
  };
}
