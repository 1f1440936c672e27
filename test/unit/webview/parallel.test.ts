import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { AttentionOptions, AttentionProblem, AttentionResult, Kernel } from '../../../src/kernel/interface.ts';
import { createKernelPool, type KernelPool } from '../../../src/kernel/pool.ts';
import { run } from '../../../src/kernel/steps.ts';
import { type Spare, spreadOver } from '../../../webview/preview/parallel.ts';
import { builtKernel, repositoryRoot, wasmKernels } from '../kernel/load-kernels.ts';

const wave = (count: number, step: number): Float32Array => Float32Array.from({ length: count }, (_, i) => Math.sin((i + 1) * step));

/** Enough work to be spread over workers. */
const problem = (length: number, mask: 'none' | 'causal'): AttentionProblem => ({
  queryHeads: 4,
  keyValueHeads: 2,
  queryLength: length,
  headDim: 40,
  mask: { kind: mask },
});
const input = (length: number, step: number) => ({
  query: wave(4 * length * 40, step),
  key: wave(2 * length * 40, step + 0.1),
  value: wave(2 * length * 40, step + 0.2),
});

describe("preview's workers", function () {
  this.timeout(120_000);
  let folder = '';
  let pool: KernelPool;
  let alone: Kernel;
  /** Bytes of weights that each order brought along to be written over. */
  const handed: number[] = [];
  const spare: Spare = {};

  before(async () => {
    alone = (await wasmKernels()).at(-1) as Kernel;
    folder = mkdtempSync(join(tmpdir(), 'headwise-parallel-'));
    const { build } = await import('esbuild');
    const entryPoints = [join(repositoryRoot(), 'test/unit/kernel/pool-worker.ts')];
    await build({ entryPoints, bundle: true, platform: 'node', format: 'cjs', outfile: join(folder, 'worker.cjs'), logLevel: 'silent' });
    const binaries = await builtKernel();
    const connect = () => {
      const worker = new Worker(join(folder, 'worker.cjs'));
      return {
        post: (message: unknown, transfer: readonly ArrayBuffer[]) => {
          const { kind, reuse } = message as { kind: string; reuse?: AttentionResult };
          if (kind === 'attend') handed.push(reuse?.weights?.byteLength ?? 0);
          worker.postMessage(message, [...transfer]);
        },
        listen: (receive: (message: unknown) => void) => void worker.on('message', receive),
        close: () => void worker.terminate(),
      };
    };
    pool = createKernelPool(connect, 2, {
      simd: readFileSync(join(binaries, 'attention.wasm')),
      relaxed: readFileSync(join(binaries, 'attention-relaxed.wasm')),
    });
  });
  after(() => {
    pool.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const attend = (of: AttentionProblem, given: ReturnType<typeof input>, options: AttentionOptions = {}, signal?: AbortSignal) => {
    const spread = spreadOver(alone, pool, signal ?? new AbortController().signal, spare);
    return run(spread.attentionSteps(of, given, options), {
      waiting: spread.waiting,
      ...(signal === undefined ? {} : { signal }),
    });
  };

  it('write over what an earlier run left, and never over a result', async () => {
    const half = (length: number): number => 2 * length * length * 4;
    const seen: { readonly result: AttentionResult; readonly weights: Float32Array; readonly output: Float32Array }[] = [];
    // The same size twice, another, another mask, the first again.
    const runs = [
      [640, 'none', 0.3],
      [640, 'none', 0.7],
      [900, 'causal', 0.3],
      [900, 'none', 0.9],
      [640, 'none', 0.3],
    ] as const;
    for (const [length, mask, step] of runs) {
      const of = problem(length, mask);
      const given = input(length, step);
      const target = { weights: new Float32Array(4 * length * length) };
      const result = await attend(of, given, { statistics: true, ...(seen.length === 1 ? { reuse: target } : {}) });
      if (seen.length === 1) assert.equal(result.weights, target.weights, 'written where it was asked for');
      const expected = alone.attention(of, given, { statistics: true });
      assert.deepEqual(result.weights, expected.weights);
      assert.deepEqual(result.output, expected.output);
      assert.deepEqual(result.statistics, expected.statistics);
      seen.push({ result, weights: expected.weights as Float32Array, output: expected.output });
    }
    assert.deepEqual(
      handed,
      [0, 640, 640, 900, 900].flatMap((length) => [half(length), half(length)]),
    );
    for (const { result, weights, output } of seen) {
      assert.deepEqual(result.weights, weights, 'an earlier result stays');
      assert.deepEqual(result.output, output);
    }
  });

  it('go on after a run that was cancelled with its arrays', async () => {
    const large = problem(3000, 'none');
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error('enough')), 30);
    await assert.rejects(attend(large, input(3000, 0.2), { weights: false }, controller.signal), /enough/);
    assert.equal(spare.result, undefined, 'what went along is not used again');
    const of = problem(640, 'none');
    const given = input(640, 0.5);
    assert.deepEqual((await attend(of, given)).weights, alone.attention(of, given).weights);
  });

  it('leave the arrays of a single part alone', async () => {
    const single: AttentionProblem = { queryHeads: 1, queryLength: 1400, headDim: 40 };
    const given = { query: wave(1400 * 40, 0.3), key: wave(1400 * 40, 0.4), value: wave(1400 * 40, 0.5) };
    const expected = alone.attention(single, given).weights;
    const first = await attend(single, given);
    const second = await attend(single, given);
    assert.deepEqual(first.weights, expected);
    assert.deepEqual(second.weights, expected);
    assert.notEqual(first.weights, second.weights);
  });
});
