import assert from 'node:assert/strict';
import { findLayers } from '../../../src/checkpoint/layers.ts';
import { layerProjections } from '../../../src/checkpoint/projections.ts';
import { createReferenceKernel } from '../../../src/kernel/reference.ts';
import { checkpointBytes } from '../../../webview/preview/checkpoint.ts';
import { runSample } from '../../../webview/preview/run.ts';
import { makeSample } from '../../../webview/preview/sample.ts';
import { freshSettings } from '../../../webview/preview/settings.ts';
import type { CheckpointMessage } from '../../../webview/protocol.ts';
import { type Case, folderWith, goldenCheckpoints, loadCheckpoint, numbersOf, readConfig, safetensors } from './checkpoint-file.ts';

const near = (what: string, actual: Float32Array, wanted: Float32Array, tolerance: number): void => {
  assert.equal(actual.length, wanted.length, what);
  const extent = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  for (const [i, value] of wanted.entries())
    assert.ok(Math.abs((actual[i] as number) - value) <= tolerance * extent, `${what} ${i} is ${actual[i]}, Transformers has ${value}`);
};

describe('preview of a checkpoint against Transformers', () => {
  const cases = goldenCheckpoints();

  for (const one of cases) {
    it(`computes the layer's weights and output: ${one.name}`, async () => {
      const folder = folderWith({ 'model.safetensors': safetensors(one.tensors) });
      const checkpoint = await loadCheckpoint(folder, one.config, one.layer, 1, 64);
      const { design } = readConfig(one.config);
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

  const llama = cases[0] as Case;
  const { design } = readConfig(llama.config);

  it('reads the parts that an index names, and refuses names of other folders', async () => {
    const names = Object.keys(llama.tensors);
    const of = (wanted: readonly string[]): Uint8Array =>
      safetensors(Object.fromEntries(Object.entries(llama.tensors).filter(([name]) => wanted.includes(name))));
    const map = Object.fromEntries(names.map((name, i) => [name, i === 0 ? 'model-1.safetensors' : 'model-2.safetensors']));
    const index = (weights: object): Uint8Array => new TextEncoder().encode(JSON.stringify({ weight_map: weights }));
    const files = { 'model-1.safetensors': of(names.slice(0, 1)), 'model-2.safetensors': of(names.slice(1)) };
    const whole = folderWith({ ...files, 'model.safetensors.index.json': index(map) });
    assert.equal((await loadCheckpoint(whole, llama.config, 1, 1, 2 ** 20)).width, 24);
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
      without: '',
      tensors: [{ name: 'q', dtype, shape: [rows, 8192] }],
      layers: [],
    });
    assert.equal(checkpointBytes(message('BF16', 8192)), 2 ** 27);
    assert.match(String(checkpointBytes(message('BF16', 8193))), /67,117,056 numbers; at most 67,108,864/);
    assert.match(String(checkpointBytes(message('F8_E4M3', 8))), /F8_E4M3/);
  });
});
