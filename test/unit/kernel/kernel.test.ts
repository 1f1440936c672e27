import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { AttentionInput, AttentionMask, AttentionProblem, Kernel, MultiHeadProblem } from '../../../src/kernel/interface.ts';
import { loadKernel } from '../../../src/kernel/load.ts';
import { createReferenceKernel } from '../../../src/kernel/reference.ts';
import { wasmKernels } from './load-kernels.ts';

/** Random problems in an ordinary run; `HEADWISE_KERNEL_RUNS=10000 npm test -- unit` for the long one. */
const RUNS = Number(process.env.HEADWISE_KERNEL_RUNS ?? 300);

const reference = createReferenceKernel();
let kernels: readonly Kernel[] = [];

before(async function () {
  this.timeout(60_000);
  kernels = await wasmKernels();
  assert.ok(kernels.length > 0, 'this engine runs no WebAssembly kernel');
});

/** Uniform numbers in [-1, 1) times `spread`, from a seed (mulberry32). */
function numbers(count: number, seed: number, spread = 1): Float32Array {
  let state = seed | 0;
  return Float32Array.from({ length: count }, () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1) * spread;
  });
}

/** Asserts equality within `tolerance` (absolute), with NaN and infinities in the same places. */
function assertNear(what: string, actual: Float32Array | undefined, expected: Float32Array | undefined, tolerance: number): void {
  assert.ok(actual !== undefined && expected !== undefined);
  assert.equal(actual.length, expected.length, `${what}: length`);
  for (let i = 0; i < expected.length; i++) {
    const a = actual[i] as number;
    const e = expected[i] as number;
    if (Object.is(a, e) || Math.abs(a - e) <= tolerance) continue;
    assert.fail(`${what}[${i}] is ${a}, expected ${e} (tolerance ${tolerance})`);
  }
}

/** Bound on the largest score's magnitude: f32 rounding of scores is relative to it, and moves weights by as much. */
function scoreScale(problem: AttentionProblem, input: AttentionInput): number {
  const norm = (tensor: Float32Array): number => {
    let largest = 0;
    for (let from = 0; from < tensor.length; from += problem.headDim) {
      let squares = 0;
      for (let k = 0; k < problem.headDim; k++) squares += (tensor[from + k] as number) ** 2;
      if (Number.isFinite(squares)) largest = Math.max(largest, squares);
    }
    return Math.sqrt(largest);
  };
  return Math.max(1, norm(input.query) * norm(input.key) * Math.abs(problem.scale ?? 1 / Math.sqrt(problem.headDim)));
}

function compare(problem: AttentionProblem, input: AttentionInput): void {
  const expected = reference.attention(problem, input);
  const tolerance = 1e-5 * scoreScale(problem, input);
  for (const kernel of kernels) {
    const actual = kernel.attention(problem, input);
    assertNear(`${kernel.name} weights`, actual.weights, expected.weights, tolerance);
    assertNear(`${kernel.name} output`, actual.output, expected.output, tolerance);
  }
}

function inputFor(problem: AttentionProblem, seed: number, spread = 1): AttentionInput {
  const { queryHeads, keyValueHeads = queryHeads, queryLength, keyLength = queryLength, headDim, valueDim = headDim } = problem;
  return {
    query: numbers(queryHeads * queryLength * headDim, seed, spread),
    key: numbers(keyValueHeads * keyLength * headDim, seed + 1, spread),
    value: numbers(keyValueHeads * keyLength * valueDim, seed + 2),
  };
}

const sizes = fc.record({
  keyValueHeads: fc.integer({ min: 1, max: 3 }),
  group: fc.integer({ min: 1, max: 3 }),
  queryLength: fc.integer({ min: 1, max: 75 }),
  keyLength: fc.oneof(
    { weight: 9, arbitrary: fc.integer({ min: 1, max: 75 }) },
    { weight: 1, arbitrary: fc.integer({ min: 250, max: 530 }) },
  ),
  headDim: fc.integer({ min: 1, max: 40 }),
  valueDim: fc.integer({ min: 1, max: 40 }),
});

function maskArbitrary(queryHeads: number, queryLength: number, keyLength: number, depth = 0): fc.Arbitrary<AttentionMask> {
  const offset = fc.integer({ min: -queryLength - 2, max: keyLength + 2 });
  const plane = fc.boolean().map((perHead) => (perHead ? queryHeads : 1) * queryLength * keyLength);
  const simple: fc.Arbitrary<AttentionMask>[] = [
    fc.constant({ kind: 'none' }),
    offset.map((value) => ({ kind: 'causal', offset: value })),
    fc.record({
      kind: fc.constant('slidingWindow' as const),
      window: fc.integer({ min: 1, max: 20 }),
      ahead: fc.integer({ min: 0, max: 5 }),
      offset,
    }),
    fc.record({ kind: fc.constant('prefix' as const), length: fc.integer({ min: 0, max: keyLength + 1 }), offset }),
    fc.record({
      kind: fc.constant('padding' as const),
      start: fc.integer({ min: -1, max: keyLength }),
      end: fc.integer({ min: 0, max: keyLength + 2 }),
    }),
    fc
      .tuple(plane, fc.integer(), fc.constantFrom(-0.8, 0, 0.9))
      .map(([count, seed, limit]) => ({ kind: 'boolean', visible: Uint8Array.from(numbers(count, seed), (x) => (x > limit ? 1 : 0)) })),
    fc.tuple(plane, fc.integer(), fc.constantFrom(0.5, 1)).map(([count, seed, limit]) => ({
      kind: 'additive',
      bias: numbers(count, seed).map((x) => (x > limit ? Number.NEGATIVE_INFINITY : 4 * x)),
    })),
  ];
  if (depth === 0) {
    simple.push(fc.array(maskArbitrary(queryHeads, queryLength, keyLength, 1), { maxLength: 3 }).map((masks) => ({ kind: 'all', masks })));
  }
  return fc.oneof(...simple);
}

const problems: fc.Arbitrary<AttentionProblem> = sizes.chain(({ keyValueHeads, group, queryLength, keyLength, headDim, valueDim }) => {
  const queryHeads = keyValueHeads * group;
  return fc
    .record({
      mask: maskArbitrary(queryHeads, queryLength, keyLength),
      scale: fc.option(fc.constantFrom(0.1, 1, -0.5), { nil: undefined }),
      softcap: fc.option(fc.constantFrom(0.7, 5, 50), { nil: undefined }),
      sinks: fc.option(
        fc.constantFrom(-3, 0, 6).map((sink) => new Float32Array(queryHeads).fill(sink)),
        { nil: undefined },
      ),
      relativeBias: fc.option(
        fc.integer().map((seed) => numbers(queryHeads * (queryLength + keyLength - 1), seed, 3)),
        { nil: undefined },
      ),
    })
    .map((rules) => ({ queryHeads, keyValueHeads, queryLength, keyLength, headDim, valueDim, ...rules }));
});

describe('kernel against the reference', function () {
  this.timeout(Math.max(20_000, RUNS * 60));

  it(`agrees on ${RUNS} random problems`, () => {
    fc.assert(
      fc.property(problems, fc.integer(), fc.constantFrom(0, 0.3, 1, 8), (problem, seed, spread) => {
        compare(problem, inputFor(problem, seed, spread));
      }),
      { numRuns: RUNS },
    );
  });

  it('agrees where nothing is added to the scores, whether or not their maximum is known in advance', () => {
    const plain = problems.map(({ softcap: _softcap, sinks: _sinks, relativeBias: _relativeBias, ...rest }) => rest);
    fc.assert(
      fc.property(plain, fc.integer(), fc.constantFrom(0.3, 1, 2, 8), (problem, seed, spread) => {
        compare(problem, inputFor(problem, seed, spread));
      }),
      { numRuns: Math.ceil(RUNS / 2) },
    );
  });

  it('agrees where queries and keys are parallel or opposed, and the scores as large as their norms allow', () => {
    for (const logit of [1, 6, 6.9, 7, 13.8, 13.9, 40, 80]) {
      for (const length of [1, 8, 13, 300]) {
        const problem: AttentionProblem = { queryHeads: 1, queryLength: length, headDim: 4, mask: { kind: 'causal' } };
        // Every norm is the same, so that scale |q| |k| is the logit.
        const size = Math.sqrt(logit * 2) / 2;
        const opposed = new Float32Array(length * 4).fill(-size);
        const query = new Float32Array(length * 4).fill(size);
        const value = numbers(length * 4, length);
        compare(problem, { query, key: opposed, value });
        compare(problem, { query, key: opposed.map((x, i) => ((i >> 2) % 3 === 0 ? -x : x)), value });
        compare(problem, { query, key: opposed, value: value.map((x) => x * 1e-20) });
        const tiny = { query, key: opposed, value: new Float32Array(length * 4).fill(3e-25) };
        for (const kernel of kernels) assertNear(`${kernel.name} mean`, kernel.attention(problem, tiny).output, tiny.value, 3e-30);
      }
    }
  });

  it('agrees when numbers are NaN or infinite', () => {
    const special = fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY);
    const spots = fc.array(fc.tuple(fc.constantFrom('query', 'key', 'value'), fc.nat(), special), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(problems, fc.integer(), spots, (problem, seed, places) => {
        const input = inputFor(problem, seed);
        for (const [name, index, value] of places) {
          const tensor = input[name as keyof AttentionInput];
          tensor[index % tensor.length] = value;
        }
        compare(problem, input);
      }),
      { numRuns: RUNS },
    );
  });

  it('agrees at every remainder of the tiles', () => {
    for (let length = 1; length <= 17; length++) {
      for (const width of [1, 2, 3, 4, 5, 7, 8, 9]) {
        const problem: AttentionProblem = {
          queryHeads: 2,
          keyValueHeads: 1,
          queryLength: length,
          keyLength: 18 - length,
          headDim: width,
          valueDim: 10 - width,
          mask: { kind: 'causal', offset: 3 },
        };
        compare(problem, inputFor(problem, length * 31 + width));
      }
    }
  });

  it('multiplies matrices of any size', () => {
    const size = fc.oneof(
      { weight: 8, arbitrary: fc.integer({ min: 1, max: 40 }) },
      { weight: 1, arbitrary: fc.integer({ min: 240, max: 530 }) },
    );
    fc.assert(
      fc.property(size, size, size, fc.boolean(), fc.integer(), (rows, depth, columns, biased, seed) => {
        const left = numbers(rows * depth, seed);
        const right = numbers(depth * columns, seed + 1);
        const bias = biased ? numbers(columns, seed + 2) : undefined;
        const expected = reference.matrixMultiply({ rows, depth, columns }, left, right, bias);
        for (const kernel of kernels) {
          assertNear(kernel.name, kernel.matrixMultiply({ rows, depth, columns }, left, right, bias), expected, 1e-6 * (depth + 10));
        }
      }),
      { numRuns: Math.ceil(RUNS / 6) },
    );
  });

  it('computes the same multi-head function with rotary positions and ALiBi', () => {
    for (const positions of [{ kind: 'none' }, { kind: 'rotary' }, { kind: 'alibi' }] as const) {
      const problem: MultiHeadProblem = {
        queryHeads: 6,
        keyValueHeads: 2,
        queryLength: 21,
        inputDim: 30,
        headDim: 10,
        valueDim: 7,
        outputDim: 13,
        positions,
        mask: { kind: 'causal' },
      };
      const input = {
        input: numbers(21 * 30, 1),
        queryWeight: numbers(30 * 60, 2, 0.3),
        keyWeight: numbers(30 * 20, 3, 0.3),
        valueWeight: numbers(30 * 14, 4, 0.3),
        outputWeight: numbers(42 * 13, 5, 0.3),
        outputBias: numbers(13, 6),
      };
      const expected = reference.multiHeadAttention(problem, input, { statistics: true });
      for (const kernel of kernels) {
        const actual = kernel.multiHeadAttention(problem, input, { statistics: true });
        for (const stage of ['query', 'key', 'value', 'weights', 'heads', 'concatenated', 'output'] as const) {
          assertNear(`${kernel.name} ${stage}`, actual[stage], expected[stage], 2e-5);
        }
      }
    }
  });

  it('holds its exponential to 2 units in the last place of itself and of its argument, down to e^-80', () => {
    // Relative to the first key, of score 0, a key of score x weighs e^x. Below -80 the weights here are no longer normal numbers.
    // A score's own rounding is 6e-8 |x|, which moves the weight by as much: its unit in the last place counts, too.
    const count = 4000;
    const key = Float32Array.from({ length: count }, (_, i) => (i === 0 ? 0 : (-80 * i) / count));
    const problem: AttentionProblem = { queryHeads: 1, queryLength: 1, keyLength: count, headDim: 1, scale: 1 };
    const input = { query: Float32Array.of(1), key, value: new Float32Array(count) };
    for (const kernel of kernels) {
      const { weights } = kernel.attention(problem, input);
      assert.ok(weights !== undefined);
      for (let i = 0; i < count; i++) {
        const exact = Math.exp(key[i] as number);
        const relative = Math.abs((weights[i] as number) / (weights[0] as number) / exact - 1);
        assert.ok(relative < 2.4e-7 + 1.2e-7 * Math.abs(key[i] as number), `${kernel.name}: e^${key[i]} is off by ${relative}`);
      }
    }
  });
});

describe('kernel at the edges', () => {
  const each = (check: (kernel: Kernel) => void): void => {
    for (const kernel of [reference, ...kernels]) check(kernel);
  };

  it('gives zeros for a row that sees nothing, and rows that sum to 1 otherwise', () => {
    const problem: AttentionProblem = { queryHeads: 1, queryLength: 9, keyLength: 9, headDim: 4, mask: { kind: 'causal', offset: -2 } };
    each((kernel) => {
      const { weights, output } = kernel.attention(problem, inputFor(problem, 5));
      assert.ok(weights !== undefined);
      assert.deepEqual([...weights.subarray(0, 18)], new Array(18).fill(0));
      assert.deepEqual([...output.subarray(0, 8)], new Array(8).fill(0));
      for (let row = 2; row < 9; row++) {
        const sum = weights.subarray(row * 9, row * 9 + 9).reduce((total, weight) => total + weight, 0);
        assert.ok(Math.abs(sum - 1) < 1e-6);
        for (let j = row - 1; j < 9; j++) assert.equal(weights[row * 9 + j], 0);
      }
    });
  });

  it('keeps a hidden NaN out of the output', () => {
    const problem: AttentionProblem = { queryHeads: 1, queryLength: 4, headDim: 3, mask: { kind: 'causal' } };
    const input = inputFor(problem, 8);
    input.value.fill(Number.NaN, 9);
    each((kernel) => {
      const { output } = kernel.attention(problem, input);
      assert.ok(output.subarray(0, 9).every(Number.isFinite));
      assert.ok(output.subarray(9).every(Number.isNaN));
    });
  });

  it('stays exact at extreme logits', () => {
    const problem: AttentionProblem = { queryHeads: 1, queryLength: 1, keyLength: 3, headDim: 1, scale: 1 };
    each((kernel) => {
      const run = (key: readonly number[]): number[] => [
        ...(kernel.attention(problem, { query: Float32Array.of(1), key: Float32Array.from(key), value: new Float32Array(3) }).weights ??
          []),
      ];
      assert.deepEqual(run([1e30, -1e30, 0]), [1, 0, 0]);
      assert.deepEqual(run([-1e30, -1e30, -1e38]), [0.5, 0.5, 0]);
      assert.deepEqual(run([-Infinity, 2, -Infinity]), [0, 1, 0]);
      assert.deepEqual(run([-Infinity, -Infinity, -Infinity]), [0, 0, 0]);
      assert.deepEqual(run([Infinity, 0, 0]), [Number.NaN, Number.NaN, Number.NaN]);
    });
  });

  it('computes without weights, in memory that does not grow with the square of the length', () => {
    const problem: AttentionProblem = { queryHeads: 2, queryLength: 100, headDim: 8, mask: { kind: 'causal' } };
    const input = inputFor(problem, 3);
    each((kernel) => {
      const full = kernel.attention(problem, input);
      const bare = kernel.attention(problem, input, { weights: false });
      assert.equal(bare.weights, undefined);
      assert.deepEqual(bare.output, full.output);
    });
  });

  it('reports progress head by head', () => {
    const problem: AttentionProblem = { queryHeads: 4, keyValueHeads: 2, queryLength: 3, headDim: 2 };
    each((kernel) => {
      const seen: string[] = [];
      kernel.attention(problem, inputFor(problem, 1), { progress: (done, heads) => seen.push(`${done}/${heads}`) });
      assert.deepEqual(seen, ['1/4', '2/4', '3/4', '4/4']);
    });
  });

  it('gives the same numbers when run again after a large and a failed run', () => {
    const problem: AttentionProblem = { queryHeads: 2, queryLength: 20, headDim: 8 };
    const input = inputFor(problem, 4);
    const large: AttentionProblem = { queryHeads: 1, queryLength: 61, keyLength: 30_000, headDim: 64 };
    each((kernel) => {
      const before = kernel.attention(problem, input);
      if (kernel !== reference) kernel.attention(large, inputFor(large, 9), { weights: false });
      assert.throws(() => kernel.attention(problem, { ...input, query: new Float32Array(3) }), RangeError);
      assert.deepEqual(kernel.attention(problem, input), before);
    });
  });

  it('names what is wrong with a problem', () => {
    const good: AttentionProblem = { queryHeads: 8, queryLength: 2, headDim: 4 };
    const input = inputFor(good, 1);
    const cases: readonly (readonly [Partial<AttentionProblem>, RegExp])[] = [
      [{ keyValueHeads: 3 }, /^8 query heads cannot share 3 key\/value heads: 8 % 3 = 2\.$/],
      [{ keyValueHeads: 16 }, /8 % 16 = 8/],
      [{ queryHeads: 0 }, /^queryHeads must be a positive integer, got 0\.$/],
      [{ queryLength: 1.5 }, /^queryLength must be a positive integer, got 1\.5\.$/],
      [{ headDim: 8 }, /^query holds 64 numbers, expected queryHeads \* queryLength \* headDim = 8 \* 2 \* 8 = 128\.$/],
      [{ scale: Number.NaN }, /^scale must be a finite number, got NaN\.$/],
      [{ softcap: -1 }, /^softcap must be a positive number, got -1\.$/],
      [{ sinks: new Float32Array(3) }, /^sinks holds 3 numbers/],
      [{ mask: { kind: 'slidingWindow', window: 0 } }, /^mask\.window must be a positive integer, got 0\.$/],
      [{ mask: { kind: 'boolean', visible: new Uint8Array(5) } }, /^mask\.visible holds 5 numbers, expected queryLength \* keyLength = 4/],
      [{ mask: { kind: 'diagonal' } as unknown as AttentionMask }, /^Unknown mask "diagonal"\.$/],
    ];
    each((kernel) => {
      for (const [change, message] of cases) {
        assert.throws(
          () => kernel.attention({ ...good, ...change }, input),
          (error) => error instanceof RangeError && message.test(error.message),
        );
      }
    });
  });

  it('falls back to the reference when no binary can run', async () => {
    assert.equal((await loadKernel({})).name, 'typescript');
    assert.equal((await loadKernel({ simd: new Uint8Array([0, 97, 115, 109, 9, 9, 9, 9]) })).name, 'typescript');
  });
});

describe('head statistics and pooled maps', function () {
  this.timeout(Math.max(20_000, RUNS * 60));
  /** Scores are chosen by hand: with a scale of 1 and width 1, score = query * key. */
  const attend = (kernel: Kernel, bias: readonly number[], length: number) =>
    kernel.attention(
      { queryHeads: 1, queryLength: length, headDim: 1, mask: { kind: 'additive', bias: Float32Array.from(bias) } },
      { query: new Float32Array(length), key: new Float32Array(length), value: new Float32Array(length) },
      { statistics: true, pooled: { rows: 2, columns: 2 } },
    );
  const n = Number.NEGATIVE_INFINITY;

  it('names a previous-token head', () => {
    for (const kernel of [reference, ...kernels]) {
      const { statistics } = attend(kernel, [n, n, n, n, 0, n, n, n, n, 0, n, n, n, n, 0, n], 4);
      // Row 0 sees nothing and is left out of every mean.
      assert.deepEqual(statistics, [{ entropy: 0, maximum: 1, distance: 1, first: 1 / 3, previous: 1, self: 0, span: 1 }]);
    }
  });

  it('measures uniform rows', () => {
    for (const kernel of [reference, ...kernels]) {
      const { statistics, pooled } = attend(kernel, new Array(16).fill(0), 4);
      assert.deepEqual(statistics, [{ entropy: 2, maximum: 0.25, distance: 1.25, first: 0.25, previous: 0.25, self: 0.25, span: 4 }]);
      assert.deepEqual(pooled, {
        rows: 2,
        columns: 2,
        maximum: new Float32Array(4).fill(0.25),
        mean: new Float32Array(4).fill(0.25),
        columnSums: new Float32Array(4).fill(1),
        rowSums: new Float32Array(4).fill(1),
      });
    }
  });

  it('agrees with the reference on random problems', () => {
    fc.assert(
      fc.property(problems, fc.integer(), (problem, seed) => {
        const input = inputFor(problem, seed, 3);
        const expected = reference.attention(problem, input, { statistics: true }).statistics ?? [];
        // A weight that decides whether the span is one key longer may be rounded either way, in any row.
        const slack = { span: 0.5 } as Readonly<Record<string, number>>;
        for (const kernel of kernels) {
          const actual = kernel.attention(problem, input, { statistics: true }).statistics ?? [];
          assert.equal(actual.length, expected.length);
          for (const [head, statistics] of expected.entries()) {
            for (const [name, value] of Object.entries(statistics)) {
              const got = (actual[head] as unknown as Record<string, number>)[name] as number;
              const tolerance = slack[name] ?? 1e-4 * scoreScale(problem, input) * Math.max(1, Math.abs(value));
              assert.ok(Math.abs(got - value) <= tolerance, `${kernel.name} head ${head}: ${name} is ${got}, expected ${value}`);
            }
          }
        }
      }),
      { numRuns: Math.ceil(RUNS / 3) },
    );
  });

  it('counts the keys of a span exactly', () => {
    // Weights 1/2, 1/4, 1/8, ... of which four hold 0.9375: the first three hold 0.875.
    const bias = Float32Array.from({ length: 40 }, (_, j) => -j * Math.LN2);
    for (const kernel of [reference, ...kernels]) {
      const { statistics } = kernel.attention(
        { queryHeads: 1, queryLength: 1, keyLength: 40, headDim: 1, mask: { kind: 'additive', bias } },
        { query: new Float32Array(1), key: new Float32Array(40), value: new Float32Array(40) },
        { statistics: true },
      );
      assert.equal(statistics?.[0]?.span, 4);
      assert.ok(Math.abs((statistics?.[0]?.entropy as number) - 2) < 1e-5);
    }
  });

  it('pools exactly what the full weights hold', () => {
    const tiles = fc.integer({ min: 1, max: 20 });
    fc.assert(
      fc.property(problems, fc.integer(), tiles, tiles, (problem, seed, rows, columns) => {
        const { queryHeads, queryLength, keyLength = queryLength } = problem;
        for (const kernel of [reference, ...kernels]) {
          const { weights, pooled } = kernel.attention(problem, inputFor(problem, seed, 3), { pooled: { rows, columns } });
          assert.ok(weights !== undefined && pooled !== undefined);
          assert.equal(pooled.rows, Math.min(rows, queryLength));
          assert.equal(pooled.columns, Math.min(columns, keyLength));
          const size = queryHeads * pooled.rows * pooled.columns;
          const maximum = new Float32Array(size);
          const sum = new Float64Array(size);
          const counts = new Float64Array(size);
          const columnSums = new Float64Array(queryHeads * keyLength);
          const rowSums = new Float64Array(queryHeads * queryLength);
          for (let head = 0; head < queryHeads; head++) {
            for (let i = 0; i < queryLength; i++) {
              for (let j = 0; j < keyLength; j++) {
                const weight = weights[(head * queryLength + i) * keyLength + j] as number;
                const row = Math.floor(((2 * i + 1) * pooled.rows) / (2 * queryLength));
                const cell = (head * pooled.rows + row) * pooled.columns + Math.floor(((2 * j + 1) * pooled.columns) / (2 * keyLength));
                maximum[cell] = Math.max(maximum[cell] as number, weight);
                sum[cell] = (sum[cell] as number) + weight;
                counts[cell] = (counts[cell] as number) + 1;
                rowSums[head * queryLength + i] = (rowSums[head * queryLength + i] as number) + weight;
                columnSums[head * keyLength + j] = (columnSums[head * keyLength + j] as number) + weight;
              }
            }
          }
          assert.deepEqual(pooled.maximum, maximum);
          const mean = Float32Array.from(sum, (total, cell) => total / (counts[cell] as number));
          assertNear(`${kernel.name} mean`, pooled.mean, mean, 1e-6);
          assertNear(`${kernel.name} row sums`, pooled.rowSums, Float32Array.from(rowSums), 1e-5);
          assertNear(`${kernel.name} column sums`, pooled.columnSums, Float32Array.from(columnSums), 1e-4);
        }
      }),
      { numRuns: Math.ceil(RUNS / 4) },
    );
  });
});
