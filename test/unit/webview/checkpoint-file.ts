import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CheckpointFile, type CheckpointFolder, findLayers, type LayerOptions } from '../../../src/checkpoint/layers.ts';
import { checkpointNames, toPreviewDesign } from '../../../src/extension/previewDesign.ts';
import { attentionTraits } from '../../../src/server/attentionTraits.ts';
import { analyse } from '../../../src/workspace/analyse.ts';
import { defaultSettings } from '../../../src/workspace/settings.ts';
import { Checkpoint } from '../../../webview/preview/checkpoint.ts';
import type { PreviewDesign } from '../../../webview/protocol.ts';
import { repositoryRoot } from '../kernel/load-kernels.ts';

export interface Packed {
  readonly shape: readonly number[];
  readonly f32: string;
}
/** A small model's layer as test/golden/make_checkpoints.py wrote it. */
export interface Case {
  readonly name: string;
  readonly layer: number;
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: Readonly<Record<string, { readonly dtype: string; readonly shape: readonly number[]; readonly bytes: string }>>;
  readonly input: Packed;
  readonly weights: Packed;
  readonly output?: Packed;
}

const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));
export const numbersOf = ({ f32 }: Packed): Float32Array => new Float32Array(bytesOf(f32).buffer);

/** A safetensors file as the format says: u64 length, JSON header, then the data. */
export function safetensors(tensors: Case['tensors']): Uint8Array {
  const parts = Object.values(tensors).map(({ bytes }) => bytesOf(bytes));
  let at = 0;
  const header = Object.fromEntries(
    Object.entries(tensors).map(([name, { dtype, shape }], i) => {
      const begin = at;
      at += parts[i]?.length ?? 0;
      return [name, { dtype, shape, data_offsets: [begin, at] }];
    }),
  );
  const json = new TextEncoder().encode(JSON.stringify({ __metadata__: { format: 'pt' }, ...header }));
  const file = new Uint8Array(8 + json.length + at);
  new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
  file.set(json, 8);
  let next = 8 + json.length;
  for (const part of parts) {
    file.set(part, next);
    next += part.length;
  }
  return file;
}

/** A folder in memory. */
export const folderWith = (files: Readonly<Record<string, Uint8Array>>): CheckpointFolder => ({
  names: async () => Object.keys(files),
  open: async (name): Promise<CheckpointFile | undefined> => {
    const bytes = files[name];
    return bytes === undefined ? undefined : { name, size: bytes.length, read: async (first, end) => bytes.slice(first, end) };
  },
});

/** The design of a config as the language server tells it and the panel hands it on. */
export function readConfig(config: Readonly<Record<string, unknown>>): {
  readonly design: PreviewDesign;
  readonly names: ReturnType<typeof checkpointNames>;
} {
  const found = analyse({ text: JSON.stringify(config), path: 'config.json' }, defaultSettings).reading?.designs[0];
  assert.ok(found !== undefined);
  const { fields, role, family, name } = found;
  const stack = {
    name,
    role,
    ...(family === undefined ? {} : { family }),
    summary: '',
    ...Object.fromEntries(
      (
        [
          'queryHeads',
          'keyValueHeads',
          'headDim',
          'valueDim',
          'layers',
          'causal',
          'slidingWindow',
          'positions',
          'rotaryDim',
          'ropeTheta',
        ] as const
      ).map((field) => [field, fields[field]?.value]),
    ),
    ...attentionTraits(found),
    places: {},
    warnings: [],
  };
  const design = toPreviewDesign(stack);
  assert.ok(design !== undefined);
  return { design, names: checkpointNames(stack) };
}

/** The checkpoint of a folder as the page's worker holds it, its numbers sent in pieces of so many bytes. */
export async function loadCheckpoint(
  folder: CheckpointFolder,
  config: Case['config'],
  layer: number,
  layers: number,
  piece: number,
  more: LayerOptions = {},
): Promise<Checkpoint> {
  const { design, names } = readConfig(config);
  const found = await findLayers(folder, layer, layers, design, { ...names, ...more });
  assert.ok(typeof found !== 'string', String(found));
  const checkpoint = new Checkpoint({
    kind: 'checkpoint',
    request: 1,
    name: found.name,
    reason: '',
    width: found.layers[0]?.width ?? 0,
    interleaved: found.layers.some(({ interleaved }) => interleaved),
    gainOffset: names.gainOffset,
    without: '',
    tensors: found.tensors,
    layers: found.layers,
  });
  for (const [tensor, { file, first, length }] of found.tensors.entries())
    for (let at = 0; at < length; at += piece)
      checkpoint.take({ tensor, at, bytes: await file.read(first + at, first + Math.min(length, at + piece)) });
  return checkpoint;
}

/** A small model as test/golden/make_streams.py wrote it. */
export interface StreamCase extends Pick<Case, 'name' | 'config' | 'tensors' | 'input'> {
  /** Of every layer. */
  readonly weights: readonly Packed[];
  /** Tokens of its vocabulary, and the last layer's weights over them. */
  readonly ids: readonly number[];
  readonly idWeights: Packed;
  /** Before every layer. */
  readonly streams: readonly Packed[];
}

export const goldenStreams = (): readonly StreamCase[] =>
  (
    JSON.parse(readFileSync(join(repositoryRoot(), 'test/golden/streams.generated.json'), 'utf8')) as {
      readonly cases: readonly StreamCase[];
    }
  ).cases;

export const goldenCheckpoints = (): readonly Case[] =>
  (
    JSON.parse(readFileSync(join(repositoryRoot(), 'test/golden/checkpoints.generated.json'), 'utf8')) as {
      readonly cases: readonly Case[];
    }
  ).cases;
