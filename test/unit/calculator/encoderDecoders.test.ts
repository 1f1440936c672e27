import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { layerCost } from '../../../src/calculator/layer.ts';
import { type Report, report } from '../../../src/calculator/report.ts';
import { readDesign } from '../../../src/design/read.ts';
import { parseJson } from '../../../src/syntax/json.ts';
import { useLayoutsOfSource } from './layouts.ts';

interface Golden {
  readonly models: readonly {
    readonly config: { readonly model_type: string; readonly architectures: readonly string[] };
    readonly batch: number;
    readonly tokens: number;
    readonly source: number;
    readonly forward: number;
    readonly backward: number;
    readonly encode: number;
    readonly decode: number;
    readonly selfCache: number;
    readonly crossCache: number;
  }[];
  readonly layers: readonly {
    readonly b: number;
    readonly t: number;
    readonly s: number;
    readonly d: number;
    readonly h: number;
    readonly f: number;
    readonly p: number;
    readonly saved: number;
  }[];
  readonly convolutions: number;
}

const golden = JSON.parse(readFileSync(join(process.cwd(), 'test', 'golden', 'encoder-decoders.generated.json'), 'utf8')) as Golden;

const numberOf = (quantities: readonly { readonly id: string; readonly value: unknown }[] | undefined, id: string): number => {
  const found = quantities?.find((each) => each.id === id);
  assert.ok(found !== undefined, id);
  return Number(found.value);
};

const of = (config: object, query: string): Report => report(query, readDesign(parseJson(JSON.stringify(config))));

describe('encoder-decoders', () => {
  before(useLayoutsOfSource);

  for (const { config, batch, tokens, source, ...counted } of golden.models) {
    const made = () => of(config, `T=${tokens} S=${source} B=${batch} fp32`);
    const name = config.architectures[0];

    it(`${name} takes the FLOPs that PyTorch counts while it runs`, () => {
      const { training, problems, notModelled } = made();
      assert.deepEqual(problems, [], notModelled.join());
      assert.equal(numberOf(training?.flops, 'forwardFlops'), counted.forward);
      assert.equal(numberOf(training?.flops, 'backwardFlops'), counted.backward);
    });

    it(`${name} serves with the FLOPs and caches of the real one`, () => {
      const { serving, layers, outside } = made();
      assert.equal(numberOf(serving?.prefill, 'prefillFlops'), counted.encode);
      assert.equal(numberOf(serving?.decode, 'decodeFlops'), counted.decode);
      assert.equal(numberOf(serving?.memory, 'crossCachePerSequence') * batch, counted.crossCache);
      assert.equal(numberOf(serving?.memory, 'cachePerToken') * batch * tokens, counted.selfCache);
      assert.equal(numberOf(serving?.memory, 'cachePerSequence') * batch, counted.selfCache + counted.crossCache);
      // What the tables show adds up to the same.
      const shown = layers.reduce((sum, { count, sum: { forwardFlops } }) => sum + Number(count) * Number(forwardFlops), 0);
      const around = outside.reduce((sum, { forwardFlops }) => sum + Number(forwardFlops), 0);
      assert.equal(shown + around, counted.forward);
      const shownBackward = layers.reduce((sum, { count, sum: { backwardFlops } }) => sum + Number(count) * Number(backwardFlops), 0);
      assert.equal(shownBackward + outside.reduce((sum, { backwardFlops }) => sum + Number(backwardFlops), 0), counted.backward);
    });
  }

  for (const { saved, b, t, s, d, h, f, p } of golden.layers)
    it(`keep of a decoder's layer what autograd saves: ${JSON.stringify({ b, t, s, d, h, f, p })}`, () => {
      const heads = BigInt(h);
      const headDim = BigInt(d / h);
      const cost = layerCost({
        hiddenSize: BigInt(d),
        queryHeads: heads,
        keyValueHeads: heads,
        headDim,
        valueDim: headDim,
        intermediateSize: BigInt(f),
        gated: false,
        sequenceLength: BigInt(t),
        batch: BigInt(b),
        dropout: p > 0,
        dtype: { name: 'bfloat16', bits: 16n },
        crossAttention: { keyLength: BigInt(s) },
      });
      assert.ok('steps' in cost);
      assert.equal(Number(cost.activationBytes), saved);
    });

  it('keep what the layers do, and what stands around them', () => {
    const whisper = golden.models.at(-1);
    assert.ok(whisper?.config.model_type === 'whisper');
    const { config, tokens, source, batch } = whisper;
    const { layers, training } = of(config, `T=${tokens} B=${batch} bf16`);
    const inLayers = layers.reduce((sum, { count, sum: { activationBytes } }) => sum + Number(count) * Number(activationBytes), 0);
    // The last norms' inputs, what the decoder reads of the encoder, what the head reads, logits in 32 bits.
    const { d_model: d, vocab_size: vocabulary } = config as unknown as { readonly d_model: number; readonly vocab_size: number };
    const ends = 2 * (2 * batch * source * d) + 2 * (2 * batch * tokens * d) + 4 * batch * tokens * vocabulary;
    assert.equal(numberOf(training?.activations, 'activations.none'), inLayers + golden.convolutions + ends);
  });

  it('read for a further token what the prompt alone does not need', () => {
    // The matrices and norms of T5 small: six layers of either kind, 512 wide, eight heads of 64, 2,048 in the feed-forward.
    const attention = 4 * 512 * 512;
    const feedForward = 2 * 512 * 2048;
    const once = 6 * (attention + feedForward + 2 * 512) + 512 + 6 * 2 * 512 * 512;
    const further = 6 * (2 * attention + feedForward + 3 * 512) + 512 - 6 * 2 * 512 * 512 + 32128 * 512;
    const { serving } = report('t5-small T=64 S=128 B=2 bf16');
    // Two bytes a number; keys and values of six layers.
    const cache = (positions: number): number => 2 * 2 * 6 * 2 * 512 * positions;
    assert.equal(numberOf(serving?.prefill, 'prefillBytes'), 2 * once + cache(128));
    assert.equal(numberOf(serving?.decode, 'decodeBytes'), 2 * further + cache(64 + 128));
  });

  it('have as many positions as tokens, or as the convolutions leave, unless said otherwise', () => {
    const forward = (query: string) => numberOf(report(query).training?.flops, 'forwardFlops');
    assert.equal(forward('t5-small T=64'), forward('t5-small T=64 S=64'));
    assert.notEqual(forward('t5-small T=64'), forward('t5-small T=64 S=128'));
    assert.ok(report('t5-small T=64').notModelled.some((note) => /S = T/.test(note)));
    assert.equal(
      report('t5-small T=64 S=64').notModelled.some((note) => /S = T/.test(note)),
      false,
    );
    assert.deepEqual(report('whisper-tiny T=64 S=1500').problems, []);
    for (const query of ['whisper-tiny T=64 S=100', 'gpt2 T=64 S=100'])
      assert.deepEqual(
        report(query).problems.map(({ start, end }) => query.slice(start, end)),
        ['100'],
      );
  });

  it('have room for as many tokens as the cache of the input leaves', () => {
    // T5 base: keys and values of 12 layers, 768 wide, two bytes: 36,864 a position.
    const { rows, problems } = report('t5-base cache<100MB T=? S=512');
    assert.deepEqual(problems, []);
    assert.equal(Number(rows[0]?.value), Math.ceil(100e6 / 36_864) - 1 - 512);
    // Of what the sizes themselves would have to be nothing is said.
    const query = 't5-base cache<1GB h=? T=512';
    const { rows: none, problems: why } = report(query);
    assert.equal(
      none.some(({ id }) => id.startsWith('solution')),
      false,
    );
    assert.deepEqual(
      why.map(({ start, end }) => query.slice(start, end)),
      ['1GB'],
    );
  });

  it('are shown with their own symbols, and are not split over devices', () => {
    const { layers, devices, notModelled } = report('t5-small T=64 S=128 tp=2');
    const shapes = layers.map(({ steps }) => steps.filter(({ id }) => /scores/.test(id)).map(({ symbolic, shape }) => [symbolic, shape]));
    assert.deepEqual(shapes, [
      [['[B, h, S, S]', [1, 8, 128, 128]]],
      [
        ['[B, h, T, T]', [1, 8, 64, 64]],
        ['[B, h, T, S]', [1, 8, 64, 128]],
      ],
    ]);
    assert.equal(devices, undefined);
    assert.ok(notModelled.some((note) => /^Devices: /.test(note)));
    assert.equal(
      report('t5-small T=64 S=128').notModelled.some((note) => /^Devices: /.test(note)),
      false,
    );
  });

  it('are followed only where their code is known to see all positions, and whole', () => {
    const config = (type: string): object => golden.models.find((each) => each.config.model_type === type)?.config ?? {};
    for (const [type, change] of [
      // Blocks of the input, with the tensors of T5 or Pegasus.
      ['t5', { model_type: 'longt5', architectures: ['LongT5ForConditionalGeneration'] }],
      ['pegasus', { model_type: 'pegasus_x', architectures: ['PegasusXForConditionalGeneration'] }],
      // One of the two stacks.
      ['t5', { architectures: ['T5EncoderModel'] }],
      ['bart', { architectures: ['BartForCausalLM'] }],
      ['whisper', { architectures: ['WhisperForAudioClassification'] }],
    ] as const) {
      const { training, serving, notModelled } = of({ ...config(type), ...change }, 'T=16 bf16');
      assert.deepEqual([training?.flops ?? [], serving?.prefill ?? [], serving?.decode ?? []], [[], [], []], JSON.stringify(change));
      assert.ok(
        notModelled.some((note) => /^(FLOPs, activations and devices|Parameters): /.test(note)),
        notModelled.join(),
      );
    }
  });
});
