import assert from 'node:assert/strict';
import { findLayers } from '../../../src/checkpoint/layers.ts';
import type { Kernel } from '../../../src/kernel/interface.ts';
import { runSample } from '../../../webview/preview/run.ts';
import { makeSample } from '../../../webview/preview/sample.ts';
import { freshSettings } from '../../../webview/preview/settings.ts';
import { wasmKernels } from '../kernel/load-kernels.ts';
import { folderWith, goldenStreams, loadCheckpoint, numbersOf, readConfig, type StreamCase, safetensors } from './checkpoint-file.ts';

const near = (what: string, actual: Float32Array, wanted: Float32Array, tolerance: number): void => {
  assert.equal(actual.length, wanted.length, what);
  const extent = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  for (const [i, value] of wanted.entries())
    assert.ok(Math.abs((actual[i] as number) - value) <= tolerance * extent, `${what} ${i} is ${actual[i]}, Transformers has ${value}`);
};

describe("preview of a checkpoint's later layers against Transformers", function () {
  this.timeout(60_000);
  const cases = goldenStreams();
  let kernel: Kernel;
  before(async () => {
    kernel = (await wasmKernels())[0] as Kernel;
  });

  const runOf = async (one: StreamCase, layer: number, layers: number, embedded = false) => {
    const folder = folderWith({ 'model.safetensors': safetensors(one.tensors) });
    const checkpoint = await loadCheckpoint(folder, one.config, layer, layers, 1 << 16, { before: true, embedded });
    const { design } = readConfig(one.config);
    const [tokens, width] = one.input.shape as [number, number];
    const settings = { ...freshSettings, model: 'checkpoint', source: embedded ? 'text' : 'file', layer, layers } as const;
    const sample = makeSample(design, settings, {
      ...(embedded ? { tokens: one.ids.map(String), ids: one.ids } : { rows: { tokens, width, data: numbersOf(one.input) } }),
      trained: {
        width: checkpoint.width,
        layers: (count) => checkpoint.layers(design, settings, count),
        enter: (input, ids) => checkpoint.enter(design, input, ids),
      },
    });
    return runSample(kernel, sample);
  };

  for (const one of cases) {
    it(`runs the layers before: ${one.name}`, async () => {
      for (const layer of [0, 2]) {
        const run = await runOf(one, layer, 1);
        near('stream', run.start, numbersOf(one.streams[layer] as StreamCase['input']), 1e-5);
        near('weight', run.maps, numbersOf(one.weights[layer] as StreamCase['input']), 1e-5);
      }
      // Several layers at once: each reads the stream after the one before.
      const both = await runOf(one, 1, 2);
      const [first, second] = [1, 2].map((layer) => numbersOf(one.weights[layer] as StreamCase['input'])) as [Float32Array, Float32Array];
      near('weight', both.maps, Float32Array.of(...first, ...second), 1e-5);
      // Tokens of its vocabulary are embedded as it does.
      near('weight', (await runOf(one, 2, 1, true)).maps, numbersOf(one.idWeights), 1e-5);
    });
  }

  it('runs nothing where a layer holds what it does not know, or a setting makes layers differ', async () => {
    const llama = cases[0] as StreamCase;
    const { design, names } = readConfig(llama.config);
    const odd = { ...llama.tensors, 'model.layers.0.mlp.experts.0.up_proj.weight': llama.tensors['model.norm.weight'] as never };
    assert.match(
      String(await findLayers(folderWith({ 'model.safetensors': safetensors(odd) }), 1, 1, design, { ...names, before: true })),
      /experts\.0\.up_proj\.weight, whose part in a layer is not known/,
    );
    const { 'model.layers.0.mlp.down_proj.weight': _, ...less } = llama.tensors;
    assert.match(
      String(await findLayers(folderWith({ 'model.safetensors': safetensors(less) }), 1, 1, design, { ...names, before: true })),
      /no norm, or no MLP, in layer 0/,
    );
    const known = (config: object): boolean => readConfig({ ...llama.config, ...config }).design.block !== undefined;
    assert.ok(known({}));
    for (const change of [
      { model_type: 'olmo2' },
      { hidden_act: 'xielu' },
      { rms_norm_eps: 'small' },
      { auto_map: { AutoModelForCausalLM: 'modeling_own.OwnForCausalLM' } },
      { use_sliding_window: true },
      { layer_types: ['full_attention', 'sliding_attention', 'full_attention'] },
    ])
      assert.ok(!known(change), JSON.stringify(change));
  });
});
