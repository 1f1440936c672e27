import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type DeviceRow, type Report, report } from '../../../src/calculator/report.ts';
import { useLayoutsOfSource } from './layouts.ts';

interface Sizes {
  readonly kv: number;
  readonly group: number;
  readonly headDim: number;
  readonly ff: number;
  readonly layers: number;
  readonly vocabulary: number;
  readonly tied: boolean;
  readonly experts: number;
  readonly window: number;
  readonly tp: number;
  readonly sp: boolean;
  readonly cp: number;
  readonly pp: number;
  readonly ep: number;
  readonly dp: number;
  readonly zero: number;
  readonly tokens: number;
  readonly batch: number;
}

/** Sizes that can be shared so. */
const sizes: fc.Arbitrary<Sizes> = fc
  .record({
    tp: fc.constantFrom(1, 2, 4),
    sp: fc.boolean(),
    cp: fc.constantFrom(1, 2),
    pp: fc.integer({ min: 1, max: 3 }),
    ep: fc.constantFrom(1, 2, 3),
    groups: fc.integer({ min: 1, max: 3 }),
    zero: fc.integer({ min: 0, max: 3 }),
    kv: fc.constantFrom(1, 2, 4, 8),
    group: fc.integer({ min: 1, max: 3 }),
    headDim: fc.integer({ min: 1, max: 4 }),
    ff: fc.integer({ min: 1, max: 3 }),
    layers: fc.integer({ min: 1, max: 3 }),
    vocabulary: fc.integer({ min: 1, max: 11 }),
    tied: fc.boolean(),
    isSparse: fc.boolean(),
    window: fc.integer({ min: 0, max: 9 }),
    tokens: fc.integer({ min: 1, max: 3 }),
    batch: fc.integer({ min: 1, max: 3 }),
  })
  .map(({ groups, isSparse, ...rest }) => {
    const ep = isSparse ? rest.ep : 1;
    return {
      ...rest,
      // Query heads have to be whole on every device.
      group: rest.group * rest.tp,
      ff: rest.ff * rest.tp,
      layers: rest.layers * rest.pp,
      experts: isSparse ? 2 * ep : 0,
      ep,
      dp: groups * ep,
      tokens: rest.tokens * rest.tp * rest.cp,
    };
  });

const queryOf = (s: Sizes): string => {
  const heads = s.kv * s.group;
  return [
    `d=${heads * s.headDim} h=${heads} kv=${s.kv} L=${s.layers} ff=${s.ff} gated V=${s.vocabulary} ${s.tied ? 'tied' : 'untied'} bf16`,
    `T=${s.tokens} B=${s.batch} tp=${s.tp} cp=${s.cp} pp=${s.pp} dp=${s.dp} zero=${s.zero} dropout`,
    ...(s.sp && s.tp > 1 ? [`sp=${s.tp}`] : []),
    ...(s.experts > 0 ? [`E=${s.experts} topk=1 eff=${s.ff} ep=${s.ep}`] : []),
    ...(s.window > 0 ? [`W=${s.window}`] : []),
  ].join(' ');
};

/** Weights as a list of names with how many numbers each has, as the devices of one layout hold them, one list a device. */
function held(s: Sizes): readonly (readonly (readonly [string, number])[])[] {
  const heads = s.kv * s.group;
  const d = heads * s.headDim;
  const devices: (readonly [string, number])[][] = [];
  for (let p = 0; p < s.pp; p++)
    for (let r = 0; r < s.dp * s.cp; r++)
      for (let t = 0; t < s.tp; t++) {
        const own: (readonly [string, number])[] = [];
        const perStage = s.layers / s.pp;
        for (let layer = p * perStage; layer < (p + 1) * perStage; layer++) {
          const mine = (head: number, all: number): boolean => Math.floor((head * s.tp) / all) === t;
          for (let head = 0; head < heads; head++)
            if (mine(head, heads)) own.push([`q${layer}.${head}`, d * s.headDim], [`o${layer}.${head}`, d * s.headDim]);
          // A device has the KV heads that its query heads read.
          const read = new Set<number>();
          for (let head = 0; head < heads; head++) if (mine(head, heads)) read.add(Math.floor(head / s.group));
          for (const head of read) own.push([`k${layer}.${head}`, d * s.headDim], [`v${layer}.${head}`, d * s.headDim]);
          if (s.experts === 0) {
            for (let column = 0; column < s.ff; column++) if (mine(column, s.ff)) own.push([`f${layer}.${column}`, 3 * d]);
          } else {
            own.push([`router${layer}`, d * s.experts]);
            for (let expert = 0; expert < s.experts; expert++)
              if (Math.floor((expert * s.ep) / s.experts) === r % s.ep)
                for (let column = 0; column < s.ff; column++) if (mine(column, s.ff)) own.push([`e${layer}.${expert}.${column}`, 3 * d]);
          }
        }
        // Rows of the vocabulary, padded so that each device has as many.
        const rows = Math.ceil(s.vocabulary / s.tp);
        const table = (name: string): void => {
          for (let row = t * rows; row < (t + 1) * rows; row++) own.push([row < s.vocabulary ? `${name}.${row}` : 'padding', d]);
        };
        if (p === 0) table('embedding');
        if (p === s.pp - 1 && (!s.tied || p > 0)) table(s.tied ? 'embedding' : 'head');
        devices.push(own);
      }
  return devices;
}

const rowOf = (made: Report, id: DeviceRow['id']): DeviceRow => {
  const row = made.devices?.rows.find((each) => each.id === id);
  assert.ok(row !== undefined, `${id}: ${JSON.stringify(made.problems)} ${made.notModelled.join()}`);
  return row;
};

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

describe('bytes of a device', () => {
  before(useLayoutsOfSource);

  it('are those of weights dealt out one by one', () => {
    fc.assert(
      fc.property(sizes, (s) => {
        fc.pre(s.tp * s.cp * s.pp * s.dp > 1);
        const made = report(queryOf(s));
        assert.deepEqual(made.problems, [], queryOf(s));
        const devices = held(s);
        const distinct = new Map(devices.flat().filter(([name]) => name !== 'padding'));
        const isShared = s.zero === 3;
        // Data-parallel devices that share weights have equal parts of what they would all hold.
        const bytes = devices.map((own) => {
          const [dense, experts] = [false, true].map((sparse) =>
            sum(own.filter(([name]) => /^e\d/.test(name) === sparse).map(([, size]) => size)),
          );
          const ranks = isShared ? s.dp * s.cp : 1;
          return 2 * (Math.ceil((dense ?? 0) / ranks) + Math.ceil((experts ?? 0) / Math.max(1, isShared ? ranks / s.ep : 1)));
        });
        const row = rowOf(made, 'weights');
        assert.equal(row.total, 2 * sum([...distinct.values()]), queryOf(s));
        assert.equal(row.perDevice, Math.max(...bytes), queryOf(s));
        // Bytes of all devices are the total and what is replicated.
        assert.equal(sum(bytes), Number(row.total) + Number(row.replicated), queryOf(s));
        assert.ok(Number(row.replicated) >= 0);
      }),
      { numRuns: 300 },
    );
  });

  it('times the devices are the total and what is replicated, for everything that they hold', () => {
    fc.assert(
      fc.property(sizes, (s) => {
        fc.pre(s.tp * s.cp * s.pp * s.dp > 1);
        const made = report(queryOf(s));
        const perStage = s.tp * s.cp * s.dp;
        for (const row of made.devices?.rows ?? []) {
          const all = sum(row.stages.map(Number)) * perStage;
          assert.equal(all, Number(row.total) + Number(row.replicated), `${row.id}: ${queryOf(s)}`);
          assert.equal(Number(row.perDevice), Math.max(...row.stages.map(Number)));
          assert.ok(Number(row.replicated) >= 0, row.id);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('of activations leave nothing twice where the sequence is split as well', () => {
    fc.assert(
      fc.property(sizes, (one) => {
        // A vocabulary that the devices share evenly, and KV heads for each, have nothing to copy or pad.
        const s = { ...one, sp: true, vocabulary: one.vocabulary * one.tp, kv: one.kv * one.tp, group: one.group, experts: 0, ep: 1 };
        fc.pre(s.tp * s.cp * s.pp * s.dp > 1);
        const row = rowOf(report(queryOf(s)), 'activations');
        assert.equal(row.replicated, 0, queryOf(s));
      }),
      { numRuns: 200 },
    );
  });

  it('of the cache are those of keys dealt out one by one', () => {
    fc.assert(
      fc.property(sizes, (s) => {
        fc.pre(s.tp * s.cp * s.pp * s.dp > 1);
        const row = rowOf(report(queryOf(s)), 'cache');
        const tokens = s.window > 0 ? Math.min(s.window, s.tokens) : s.tokens;
        const heads = s.kv * s.group;
        const read = new Set(Array.from({ length: heads / s.tp }, (_, head) => Math.floor(head / s.group)));
        const perDevice = 2 * 2 * read.size * s.headDim * Math.ceil(tokens / s.cp) * s.batch * (s.layers / s.pp);
        assert.equal(Number(row.perDevice), perDevice, queryOf(s));
        assert.equal(Number(row.total), 2 * 2 * s.kv * s.headDim * tokens * s.batch * s.layers * s.dp, queryOf(s));
      }),
      { numRuns: 200 },
    );
  });

  it('of every preset that is followed keep to the same, biases, norms and tables included', () => {
    for (const name of [
      'gpt2',
      'llama3-70b',
      'qwen2.5-7b',
      'gemma3-27b',
      'mixtral-8x7b',
      'gpt-oss-120b',
      'deepseek-v3',
      'bert-base',
      'llama3.2-1b',
    ]) {
      const tp = name === 'gpt2' || name === 'bert-base' ? 4 : name === 'qwen2.5-7b' ? 2 : 8;
      for (const more of ['', 'pp=2', 'dp=3 zero=1', 'dp=3 zero=3 cp=2']) {
        const even = !/gemma3-27b|deepseek/.test(name) || !more.includes('pp');
        if (!even) continue;
        const made = report(`${name} T=1k tp=${tp} ${more}`);
        assert.deepEqual(made.problems, [], name);
        const row = rowOf(made, 'weights');
        const perStage = tp * Number(made.devices?.degrees.data) * Number(made.devices?.degrees.context);
        assert.equal(sum(row.stages.map(Number)) * perStage, Number(row.total) + Number(row.replicated), `${name} ${more}`);
        assert.equal(Number(row.total), 2 * Number(made.totals.parameters));
      }
    }
  });

  it('of Llama 3 70B over eight devices are those of the split tensors', () => {
    // A device: 8 of 64 query heads, 1 of 8 KV heads, an eighth of the feed-forward and of both tables; the norms whole.
    const [d, ff, V] = [8192, 28672, 128256];
    const layer = (2 * d * d) / 8 + (2 * d * 1024) / 8 + (3 * d * ff) / 8 + 2 * d;
    const elements = 80 * layer + (2 * V * d) / 8 + d;
    assert.equal(rowOf(report('llama3-70b tp=8 bf16'), 'weights').perDevice, 2 * elements);
  });

  it('say at the character what cannot be shared', () => {
    const at = (query: string): readonly (readonly [string, string])[] =>
      report(query).problems.map(({ start, end, message }) => [query.slice(start, end), message] as const);
    assert.deepEqual(at('llama3-8b tp=3'), [['3', '3 devices cannot share 32 heads, 8 KV heads and a feed-forward of 14336.']]);
    assert.deepEqual(at('llama3-8b pp=5'), [['5', '32 layers do not make 5 equal stages.']]);
    assert.deepEqual(at('llama3-8b T=1000 cp=16'), [['16', '16 devices cannot share 1000 tokens evenly.']]);
    assert.deepEqual(at('llama3-8b ep=2'), [['2', 'There are no experts to spread.']]);
    assert.deepEqual(at('mixtral-8x7b ep=3'), [['3', '3 devices cannot share 8 experts evenly.']]);
    assert.match(at('mixtral-8x7b ep=4 dp=2')[0]?.[1] ?? '', /has to be a multiple of ep = 4/);
    assert.match(at('llama3-8b tp=4 sp=2')[0]?.[1] ?? '', /sp = 4 here, not 2/);
    assert.deepEqual(at('mixtral-8x7b ep=4'), []);
  });
});
