import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { oneDevice, stageBytes } from '../../../src/calculator/devices.ts';
import { type LayerCost, layerCost } from '../../../src/calculator/layer.ts';
import { parametersOf } from '../../../src/calculator/parameters.ts';
import { report } from '../../../src/calculator/report.ts';
import type { Stack } from '../../../src/calculator/stack.ts';
import { adafactorElements } from '../../../src/calculator/training.ts';
import type { Weights } from '../../../src/calculator/weights.ts';
import { readDesign } from '../../../src/design/read.ts';
import { parseJson } from '../../../src/syntax/json.ts';
import { useLayoutsOfSource } from './layouts.ts';

interface Golden {
  readonly activations: readonly {
    readonly b: number;
    readonly s: number;
    readonly d: number;
    readonly h: number;
    readonly kv: number;
    readonly f: number;
    readonly p: number;
    readonly gated: boolean;
    readonly saved: number;
  }[];
  readonly states: readonly {
    readonly config: { readonly model_type: string };
    readonly optimizer: string;
    readonly elements: number;
  }[];
}

const golden = JSON.parse(readFileSync(join(process.cwd(), 'test', 'golden', 'training.generated.json'), 'utf8')) as Golden;
const bfloat16 = { name: 'bfloat16', bits: 16n };

function costOf(sizes: Golden['activations'][number]): LayerCost {
  const { b, s, d, h, kv, f, p, gated } = sizes;
  const headDim = BigInt(d / h);
  const cost = layerCost({
    hiddenSize: BigInt(d),
    queryHeads: BigInt(h),
    keyValueHeads: BigInt(kv),
    headDim,
    valueDim: headDim,
    intermediateSize: BigInt(f),
    gated,
    sequenceLength: BigInt(s),
    batch: BigInt(b),
    dropout: p > 0,
    dtype: bfloat16,
  });
  assert.ok('steps' in cost);
  return cost;
}

/** The number with an id. */
const numberOf = (quantities: readonly { readonly id: string; readonly value: unknown }[] | undefined, id: string): number => {
  const found = quantities?.find((each) => each.id === id);
  assert.ok(found !== undefined, id);
  return Number(found.value);
};

describe('training', () => {
  before(useLayoutsOfSource);

  for (const sizes of golden.activations)
    it(`keeps of a layer what autograd saves: ${JSON.stringify(sizes)}`, () => {
      // A gate's product saves the activated gate too, unless one kernel computes both: that one is not counted.
      const unfused = sizes.gated ? 2 * sizes.b * sizes.s * sizes.f : 0;
      assert.equal(costOf(sizes).activationBytes, BigInt(sizes.saved - unfused));
    });

  it('keeps as many elements as optimizers really hold', () => {
    for (const { config, optimizer, elements } of golden.states) {
      const reading = readDesign(parseJson(JSON.stringify(config)));
      assert.ok(reading !== undefined);
      const parameters = parametersOf(reading);
      assert.ok(parameters.known);
      // Without a copy of the weights every state has 32 bits.
      const { training } = report(`${optimizer} pure fp32`, reading);
      assert.equal(numberOf(training?.memory, 'optimizerStates'), 4 * elements, `${config.model_type} ${optimizer}`);
      if (optimizer === 'adafactor') assert.equal(adafactorElements(parameters.tensors), BigInt(elements));
    }
  });

  it('takes sixteen bytes a parameter in mixed precision with Adam', () => {
    // ZeRO, section 3.1: 2 + 2 + 12 bytes; "at least 24 GB" for the 1.5 billion of GPT-2.
    const { training } = report('gpt2-xl bf16');
    assert.equal(numberOf(training?.memory, 'modelStates'), 16 * 1_557_611_200);
  });

  it('shares states as in the table of ZeRO', () => {
    // Figure 1 of ZeRO: 7.5 billion parameters over 64 devices take 120, 31.4, 16.6 and 1.9 GB.
    const weights: Weights = {
      items: [{ name: 'all', part: 'other', elements: 7_500_000_000n, spread: 'copies', place: 'first' }],
      total: 7_500_000_000n,
      complete: true,
      sharedTable: 0n,
      notes: [],
    };
    const stack: Stack = { hiddenSize: 1n, layers: 1n, kinds: [], order: [0], head: false, windowsKnown: true };
    const gigabytes = (zero: 0 | 1 | 2 | 3): string => {
      const layout = { ...oneDevice, data: 64n, zero };
      const bytes = ([bits, stage]: readonly [bigint, number]): bigint => stageBytes(stack, weights, layout, bits, zero >= stage)[0] ?? 0n;
      const all = (
        [
          [16n, 3],
          [16n, 2],
          [96n, 1],
        ] as const
      ).reduce((sum, each) => sum + bytes(each), 0n);
      return (Number(all) / 1e9).toFixed(1);
    };
    assert.deepEqual(([0, 1, 2, 3] as const).map(gigabytes), ['120.0', '31.4', '16.6', '1.9']);
  });

  it('keeps under each recomputation what Korthikanti et al. count', () => {
    // GPT-3: 96 layers, 96 heads, s = 2048, b = 1, h = 12288; 34 s b h and 2 s b h a layer, tables 2 and 4 of the paper.
    const query = 'd=12288 h=96 L=96 ff=4*d ungated bf16 T=2048 B=1 dropout';
    const sbh = 2048 * 12288;
    const { training } = report(query);
    // Beside the layers stand the embedding's dropout mask, the final norm's input: 3 s b h.
    const ends = 3 * sbh;
    assert.equal(numberOf(training?.activations, 'activations.none'), 96 * (34 * sbh + 5 * 96 * 2048 ** 2) + ends);
    assert.equal(numberOf(training?.activations, 'activations.selective'), 96 * 34 * sbh + ends);
    assert.equal(numberOf(training?.activations, 'activations.full'), 96 * 2 * sbh + ends);
    assert.equal(numberOf(training?.activations, 'activations.none.fused'), 96 * (34 * sbh + 96 * 2048 * 4) + ends);
    // Recomputing the inside of attention costs its two products once more.
    const flops = training?.flops;
    assert.equal(numberOf(flops, 'recomputedFlops.selective'), 96 * 4 * 2048 ** 2 * 12288);
    assert.equal(numberOf(flops, 'recomputedFlops.full'), numberOf(flops, 'forwardFlops'));
  });

  it('counts the logits in 32 bits, and a step with what is computed again', () => {
    const [plain, full] = ['', 'recompute=full'].map((more) => report(`gpt2 T=1024 B=2 bf16 ${more}`).training);
    const layers = numberOf(plain?.flops, 'recomputedFlops.full');
    assert.equal(numberOf(full?.flops, 'stepFlops'), numberOf(plain?.flops, 'stepFlops') + layers);
    // The head's FLOPs are no part of what is computed again.
    assert.equal(numberOf(plain?.flops, 'forwardFlops') - layers, 2 * 2 * 1024 * 768 * 50257);
    const reading = readDesign(
      parseJson(JSON.stringify({ model_type: 'gpt2', architectures: ['GPT2Model'], n_embd: 768, n_layer: 12, n_head: 12 })),
    );
    const body = report('T=1024 B=2 bf16', reading).training;
    // With a head: its input, and logits of four bytes.
    const head = 2 * 1024 * (2 * 768 + 4 * 50257);
    assert.equal(numberOf(plain?.activations, 'activations.none') - numberOf(body?.activations, 'activations.none'), head);
  });

  it('marks the rule of thumb as one', () => {
    const row = report('gpt2 T=1024').training?.flops.find(({ id }) => id === 'sixNd');
    assert.match(row?.label ?? '', /rule of thumb/i);
    assert.equal(Number(row?.value), 6 * 124_439_808 * 1024);
  });

  it('splits the sequence and its weights over a ring', () => {
    const { devices } = report('llama3-8b T=8k cp=4 tp=2 sp bf16');
    const row = devices?.rows.find(({ id }) => id === 'activations');
    assert.ok(row !== undefined);
    // With the sequence split too nothing but the head's padding is kept twice: 128256 rows of logits divide by two.
    assert.equal(Number(row.replicated), 0);
    assert.equal(Number(row.perDevice) * 8, Number(row.total));
  });
});
