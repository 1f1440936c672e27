import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { combine } from '../../../src/calculator/combine.ts';
import { layerCost } from '../../../src/calculator/layer.ts';
import { parametersOf } from '../../../src/calculator/parameters.ts';
import { presetReading, presets } from '../../../src/calculator/presets.ts';
import { parseQuery } from '../../../src/calculator/query.ts';
import { report } from '../../../src/calculator/report.ts';
import { type Stack, stackOf } from '../../../src/calculator/stack.ts';
import { flopsOf } from '../../../src/calculator/training.ts';
import type { ConfigReading } from '../../../src/design/design.ts';
import { readDesign } from '../../../src/design/read.ts';
import { parseJson } from '../../../src/syntax/json.ts';
import { useLayoutsOfSource } from './layouts.ts';

interface Golden {
  readonly presets: Readonly<Record<string, { readonly config: unknown; readonly parameters: number }>>;
  readonly flops: readonly {
    readonly config: Readonly<Record<string, unknown>>;
    readonly batch: number;
    readonly tokens: number;
    readonly forward: number;
    readonly backward: number;
  }[];
}

const golden = JSON.parse(readFileSync(join(process.cwd(), 'test', 'golden', 'presets.generated.json'), 'utf8')) as Golden;

function stackOfReading(reading: ConfigReading): Stack {
  const query = parseQuery('');
  const parameters = parametersOf(reading);
  assert.ok(parameters.known, parameters.known ? '' : parameters.reason);
  const stack = stackOf(query, combine(query, reading.designs[0], 0).input, reading, parameters.tensors);
  assert.ok(!('reason' in stack), 'reason' in stack ? stack.reason : '');
  return stack;
}

describe('presets', () => {
  before(useLayoutsOfSource);

  it('are what the golden values were made of', () => {
    assert.deepEqual(
      Object.fromEntries(Object.entries(golden.presets).map(([name, { config }]) => [name, config])),
      JSON.parse(JSON.stringify(presets)),
    );
  });

  for (const [name, { parameters }] of Object.entries(golden.presets))
    it(`${name} has the real model's parameters`, () => {
      const { totals, problems, title } = report(name);
      assert.deepEqual(problems, []);
      assert.equal(title, name);
      assert.equal(totals.parameters, parameters);
    });

  it('have the totals that their authors publish', () => {
    // The number of parameters on each model's page at the hub.
    const published: Readonly<Record<string, number>> = {
      gpt2: 124_439_808,
      'gpt2-xl': 1_557_611_200,
      'llama2-7b': 6_738_415_616,
      'llama3-8b': 8_030_261_248,
      'llama3-70b': 70_553_706_496,
      'llama3.1-405b': 405_853_388_800,
      'mistral-7b': 7_241_732_096,
      'mixtral-8x7b': 46_702_792_704,
      'qwen2.5-7b': 7_615_616_512,
      'qwen3-8b': 8_190_735_360,
      'qwen3-30b-a3b': 30_532_122_624,
      'gemma2-2b': 2_614_341_888,
      'gemma3-1b': 999_885_952,
      'gpt-oss-20b': 20_914_757_184,
      'deepseek-v2-lite': 15_706_484_224,
      'phi3-mini': 3_821_079_552,
      't5-small': 60_506_624,
      'vit-base': 86_389_248,
      'whisper-large-v3': 1_543_490_560,
    };
    for (const [name, parameters] of Object.entries(published)) assert.equal(report(name).totals.parameters, parameters, name);
  });

  it('take other sizes as the file would', () => {
    // A file written with these sizes has the same tensors.
    const written = { ...presets['llama3-8b'], num_hidden_layers: 40, num_key_value_heads: 4, intermediate_size: 10000 };
    const reading = readDesign(parseJson(JSON.stringify(written)));
    assert.ok(reading !== undefined);
    const parameters = parametersOf(reading);
    assert.ok(parameters.known);
    const changed = report('llama3-8b L=40 kv=4 ff=10000');
    assert.equal(changed.totals.parameters, Number(parameters.total));
    assert.deepEqual(changed.design.layers, { value: 40, source: 'written', range: { start: 12, end: 14 }, of: 'query' });
    assert.notEqual(report('llama3-8b').totals.parameters, changed.totals.parameters);
  });

  it('say why there is no total where the query sets what the family does not have', () => {
    const { totals, notModelled } = report('gpt2 kv=4');
    assert.equal(totals.parameters, undefined);
    assert.ok(
      notModelled.some((reason) => /no key for keyValueHeads/.test(reason)),
      notModelled.join(),
    );
  });
});

describe("files of a model's own code", () => {
  before(useLayoutsOfSource);

  const deepSeek = {
    vocab_size: 102400,
    dim: 5120,
    inter_dim: 12288,
    moe_inter_dim: 1536,
    n_layers: 60,
    n_dense_layers: 1,
    n_heads: 128,
    n_routed_experts: 160,
    n_shared_experts: 2,
    n_activated_experts: 6,
    q_lora_rank: 1536,
    kv_lora_rank: 512,
    qk_nope_head_dim: 128,
    qk_rope_head_dim: 64,
    v_head_dim: 128,
  };
  const mistral = {
    dim: 5120,
    n_layers: 40,
    head_dim: 128,
    hidden_dim: 32768,
    n_heads: 32,
    n_kv_heads: 8,
    norm_eps: 1e-5,
    vocab_size: 131072,
  };
  const of = (config: object, query = '') => report(query, readDesign(parseJson(JSON.stringify(config))));

  it('have the parameters of the same designs in the library', () => {
    assert.equal(of(deepSeek).totals.parameters, golden.presets['deepseek-v2']?.parameters);
    assert.equal(of(mistral).totals.parameters, golden.presets['mistral-small-24b']?.parameters);
    // DeepSeek-V3's own code learns the router's biases too: 256 in each of 58 layers.
    const larger = {
      dim: 7168,
      vocab_size: 129280,
      inter_dim: 18432,
      moe_inter_dim: 2048,
      n_layers: 61,
      n_dense_layers: 3,
      n_routed_experts: 256,
      n_shared_experts: 1,
      n_activated_experts: 8,
    };
    assert.equal(of({ ...deepSeek, ...larger }).totals.parameters, (golden.presets['deepseek-v3']?.parameters ?? 0) + 58 * 256);
  });

  it('take the same FLOPs', () => {
    const forward = (made: ReturnType<typeof report>) => made.training?.flops.find(({ id }) => id === 'forwardFlops')?.value;
    assert.equal(forward(of(deepSeek, 'T=1k')), forward(report('deepseek-v2 T=1k')));
    assert.equal(forward(of(mistral, 'T=1k')), forward(report('mistral-small-24b T=1k')));
    assert.notEqual(forward(of(mistral, 'T=1k')), undefined);
  });

  it('have no total with a key that the code does not know, or without a size that it needs', () => {
    for (const config of [
      { ...mistral, ffn_dim_multiplier: 1 },
      { ...mistral, moe: { num_experts: 8 } },
      { ...deepSeek, n_mtp_layers: 1 },
      { ...mistral, vocab_size: -1 },
    ]) {
      const { totals, notModelled } = of(config);
      assert.equal(totals.parameters, undefined, JSON.stringify(config));
      assert.ok(notModelled.some((reason) => /^Parameters: /.test(reason)));
    }
  });
});

describe('FLOPs', () => {
  before(useLayoutsOfSource);

  for (const { config, batch, tokens, forward, backward } of golden.flops)
    it(`of ${config.model_type} are those that PyTorch counts while the model runs`, () => {
      const reading = readDesign(parseJson(JSON.stringify(config)));
      assert.ok(reading !== undefined);
      const flops = flopsOf(stackOfReading(reading), BigInt(tokens), BigInt(batch));
      assert.equal(flops?.forward, BigInt(forward));
      assert.equal(flops?.backward, BigInt(backward));
    });

  it('are absent, with the reason, for a class whose layers hold more than the steps explain', () => {
    const reading = readDesign(
      parseJson(JSON.stringify({ ...golden.flops[1]?.config, model_type: 'jamba', architectures: ['JambaForCausalLM'] })),
    );
    const { training, serving, notModelled } = report('T=1k', reading);
    assert.deepEqual([training?.flops, training?.activations, serving?.prefill, serving?.decode], [[], [], [], []]);
    // What it weighs is known all the same.
    assert.ok((training?.memory.length ?? 0) > 0);
    assert.ok(notModelled.some((reason) => /^FLOPs, activations and devices: /.test(reason)));
  });

  it('of every kind of layer add up to the stack', () => {
    const reading = presetReading('deepseek-v3');
    assert.ok(reading !== undefined);
    const stack = stackOfReading(reading);
    assert.deepEqual(
      stack.kinds.map(({ label, count }) => [label, count]),
      [
        ['Layers, dense', 3n],
        ['Layers, with experts', 58n],
      ],
    );
    let layers = 0n;
    for (const { input, count } of stack.kinds) {
      const cost = layerCost({ ...input, sequenceLength: 64n, batch: 2n });
      assert.ok('steps' in cost);
      layers += count * cost.forwardFlops;
    }
    assert.equal(flopsOf(stack, 64n, 2n)?.layersForward, layers);
  });
});
