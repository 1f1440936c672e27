import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CheckpointFile, type CheckpointFolder, findLayers } from '../../../src/checkpoint/layers.ts';
import { layerProjections } from '../../../src/checkpoint/projections.ts';
import { checkpointNames, toPreviewDesign } from '../../../src/extension/previewDesign.ts';
import { createReferenceKernel } from '../../../src/kernel/reference.ts';
import { attentionTraits } from '../../../src/server/attentionTraits.ts';
import { analyse } from '../../../src/workspace/analyse.ts';
import { defaultSettings } from '../../../src/workspace/settings.ts';
import { Checkpoint, checkpointBytes } from '../../../webview/preview/checkpoint.ts';
import { runSample } from '../../../webview/preview/run.ts';
import { makeSample } from '../../../webview/preview/sample.ts';
import { freshSettings } from '../../../webview/preview/settings.ts';
import type { CheckpointMessage, PreviewDesign } from '../../../webview/protocol.ts';
import { repositoryRoot } from '../kernel/load-kernels.ts';

interface Packed {
  readonly shape: readonly number[];
  readonly f32: string;
}
interface Case {
  readonly name: string;
  readonly layer: number;
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: Readonly<Record<string, { readonly dtype: string; readonly shape: readonly number[]; readonly bytes: string }>>;
  readonly input: Packed;
  readonly weights: Packed;
  readonly output?: Packed;
}

const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));
const numbersOf = ({ f32 }: Packed): Float32Array => new Float32Array(bytesOf(f32).buffer);

/** A safetensors file as the format says: u64 length, JSON header, then the data. */
function safetensors(tensors: Case['tensors']): Uint8Array {
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

const folderWith = (files: Readonly<Record<string, Uint8Array>>): CheckpointFolder => ({
  names: async () => Object.keys(files),
  open: async (name): Promise<CheckpointFile | undefined> => {
    const bytes = files[name];
    return bytes === undefined ? undefined : { name, size: bytes.length, read: async (first, end) => bytes.slice(first, end) };
  },
});

/** The design of a config as the language server tells it and the panel hands it on. */
function read(config: Readonly<Record<string, unknown>>): {
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
async function load(folder: CheckpointFolder, config: Case['config'], layer: number, layers: number, piece: number): Promise<Checkpoint> {
  const { design, names } = read(config);
  const found = await findLayers(folder, layer, layers, design, names);
  assert.ok(typeof found !== 'string', String(found));
  const checkpoint = new Checkpoint({
    kind: 'checkpoint',
    request: 1,
    name: found.name,
    reason: '',
    width: found.layers[0]?.width ?? 0,
    interleaved: found.layers.some(({ interleaved }) => interleaved),
    gainOffset: names.gainOffset,
    tensors: found.tensors,
    layers: found.layers,
  });
  for (const [tensor, { file, first, length }] of found.tensors.entries())
    for (let at = 0; at < length; at += piece)
      checkpoint.take({ tensor, at, bytes: await file.read(first + at, first + Math.min(length, at + piece)) });
  return checkpoint;
}

const near = (what: string, actual: Float32Array, wanted: Float32Array, tolerance: number): void => {
  assert.equal(actual.length, wanted.length, what);
  const extent = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  for (const [i, value] of wanted.entries())
    assert.ok(Math.abs((actual[i] as number) - value) <= tolerance * extent, `${what} ${i} is ${actual[i]}, Transformers has ${value}`);
};

describe('preview of a checkpoint against Transformers', () => {
  const golden = JSON.parse(readFileSync(join(repositoryRoot(), 'test/golden/checkpoints.generated.json'), 'utf8')) as {
    readonly cases: readonly Case[];
  };

  for (const one of golden.cases) {
    it(`computes the layer's weights and output: ${one.name}`, async () => {
      const folder = folderWith({ 'model.safetensors': safetensors(one.tensors) });
      const checkpoint = await load(folder, one.config, one.layer, 1, 64);
      const { design } = read(one.config);
      const [tokens, width] = one.input.shape as [number, number];
      const settings = { ...freshSettings, model: 'checkpoint', source: 'file', layer: one.layer } as const;
      const sample = makeSample(design, settings, {
        rows: { tokens, width, data: numbersOf(one.input) },
        trained: { width: checkpoint.width, layers: (count) => checkpoint.layers(design, settings, count) },
      });
      const run = runSample(createReferenceKernel(), sample);
      near('weight', run.maps, numbersOf(one.weights), 2e-6);
      if (one.output !== undefined) near('output', run.output, numbersOf(one.output), 5e-6);
    });
  }

  const llama = golden.cases[0] as Case;
  const { design } = read(llama.config);

  it('reads the parts that an index names, and refuses names of other folders', async () => {
    const names = Object.keys(llama.tensors);
    const of = (wanted: readonly string[]): Uint8Array =>
      safetensors(Object.fromEntries(Object.entries(llama.tensors).filter(([name]) => wanted.includes(name))));
    const map = Object.fromEntries(names.map((name, i) => [name, i === 0 ? 'model-1.safetensors' : 'model-2.safetensors']));
    const index = (weights: object): Uint8Array => new TextEncoder().encode(JSON.stringify({ weight_map: weights }));
    const files = { 'model-1.safetensors': of(names.slice(0, 1)), 'model-2.safetensors': of(names.slice(1)) };
    const whole = folderWith({ ...files, 'model.safetensors.index.json': index(map) });
    assert.equal((await load(whole, llama.config, 1, 1, 2 ** 20)).width, 24);
    const away = folderWith({ 'model.safetensors.index.json': index({ [names[0] as string]: '../secret.safetensors' }) });
    assert.equal(await findLayers(away, 1, 1, design, {}), 'model.safetensors.index.json names nothing of layer 1.');
  });

  it('says what does not fit', async () => {
    const file = safetensors(llama.tensors);
    const folder = folderWith({ 'model.safetensors': file });
    assert.match(
      String(await findLayers(folder, 1, 1, { ...design, keyValueHeads: 4 }, {})),
      /k_proj\.weight is \[16, 24\], where the design has 32 outputs/,
    );
    assert.equal(await findLayers(folder, 7, 1, design, {}), 'The checkpoint has no attention in layer 7.');
    assert.equal(await findLayers(folderWith({}), 0, 1, design, {}), 'There is no safetensors checkpoint beside the file.');
    // A file that ends early, and one whose header is longer than itself.
    const cut = folderWith({ 'model.safetensors': file.slice(0, file.length - 8) });
    assert.match(String(await findLayers(cut, 1, 1, design, {})), /no projections|no output projection/);
    const wrong = folderWith({ 'model.safetensors': Uint8Array.of(255, 255, 255, 255, 0, 0, 0, 0, 123) });
    assert.equal(await findLayers(wrong, 1, 1, design, {}), 'model.safetensors is no safetensors file.');
  });

  it('takes a joined matrix only in an order that it knows', () => {
    const tensors = new Map([
      ['transformer.h.0.self_attention.query_key_value.weight', { shape: [96, 32] }],
      ['transformer.h.0.self_attention.dense.weight', { shape: [32, 32] }],
    ]);
    const sizes = { queryHeads: 4, keyValueHeads: 4, headDim: 8, valueDim: 8 };
    assert.match(String(layerProjections(tensors, 0, sizes)), /in an order that is not known here/);
    assert.equal(typeof layerProjections(tensors, 0, sizes, { byHead: true }), 'object');
  });

  it('takes of several stacks the one that is asked for, and never attention to another sequence', () => {
    const tensors = new Map(
      ['encoder.layers.0.self_attn', 'decoder.layers.0.self_attn', 'decoder.layers.0.encoder_attn'].flatMap((path) =>
        ['q_proj', 'k_proj', 'v_proj', 'out_proj'].map((name) => [`model.${path}.${name}.weight`, { shape: [32, 32] }] as const),
      ),
    );
    const sizes = { queryHeads: 4, keyValueHeads: 4, headDim: 8, valueDim: 8 };
    for (const [stack, path] of [
      [/encoder/, 'encoder.layers.0.self_attn'],
      [/decoder/, 'decoder.layers.0.self_attn'],
    ] as const) {
      const found = layerProjections(tensors, 0, sizes, { stacks: stack });
      assert.ok(typeof found !== 'string');
      assert.ok(found.parts.every(({ tensor }) => tensor.startsWith(`model.${path}.`)));
    }
  });

  it('refuses what is too large and types it cannot read', () => {
    const message = (dtype: string, rows: number): CheckpointMessage => ({
      kind: 'checkpoint',
      request: 1,
      name: '',
      reason: '',
      width: 8,
      interleaved: false,
      gainOffset: 0,
      tensors: [{ name: 'q', dtype, shape: [rows, 8192] }],
      layers: [],
    });
    assert.equal(checkpointBytes(message('BF16', 8192)), 2 ** 27);
    assert.match(String(checkpointBytes(message('BF16', 8193))), /67,117,056 numbers; at most 67,108,864/);
    assert.match(String(checkpointBytes(message('F8_E4M3', 8))), /F8_E4M3/);
  });
});
