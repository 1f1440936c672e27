import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { AttentionMask, AttentionProblem, Kernel } from '../../../src/kernel/interface.ts';
import { createKernelPool, type KernelPool, type Port, splitHeads } from '../../../src/kernel/pool.ts';
import { builtKernel, repositoryRoot, wasmKernels } from './load-kernels.ts';

const wave = (count: number, step: number): Float32Array => Float32Array.from({ length: count }, (_, i) => Math.sin((i + 1) * step));

describe('heads over workers', function () {
  this.timeout(120_000);
  let folder = '';
  let pool: KernelPool;
  let alone: Kernel;

  const connect = (): Port => {
    const worker = new Worker(join(folder, 'worker.cjs'));
    return {
      post: (message, transfer) => worker.postMessage(message, [...transfer]),
      listen: (receive) => worker.on('message', receive),
      close: () => void worker.terminate(),
    };
  };

  before(async () => {
    alone = (await wasmKernels()).at(-1) as Kernel;
    folder = mkdtempSync(join(tmpdir(), 'headwise-pool-'));
    const { build } = await import('esbuild');
    const entryPoints = [join(repositoryRoot(), 'test/unit/kernel/pool-worker.ts')];
    await build({ entryPoints, bundle: true, platform: 'node', format: 'cjs', outfile: join(folder, 'worker.cjs'), logLevel: 'silent' });
    const binaries = await builtKernel();
    pool = createKernelPool(connect, 2, {
      simd: readFileSync(join(binaries, 'attention.wasm')),
      relaxed: readFileSync(join(binaries, 'attention-relaxed.wasm')),
    });
  });
  after(() => {
    pool.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('splits heads without taking shared keys apart, unless there are too few of them', () => {
    const sizes = (keyValueHeads: number, group: number, workers: number): string =>
      splitHeads({ keyValueHeads, group }, workers)
        .map(({ head, heads, shared, sharedHeads }) => `${head}+${heads}/${shared}+${sharedHeads}`)
        .join(' ');
    assert.equal(sizes(4, 3, 2), '0+6/0+2 6+6/2+2');
    assert.equal(sizes(3, 1, 2), '0+1/0+1 1+2/1+2');
    assert.equal(sizes(1, 7, 2), '0+3/0+1 3+4/0+1');
    assert.equal(sizes(2, 2, 4), '0+1/0+1 1+1/0+1 2+1/1+1 3+1/1+1');
    assert.equal(sizes(1, 1, 2), '0+1/0+1');
  });

  it('gives what one kernel gives, for every kind of problem', async () => {
    const length = 40;
    const perHead: AttentionMask = {
      kind: 'boolean',
      visible: Uint8Array.from({ length: 6 * length * length }, (_, i) => (i % 7 === 0 ? 0 : 1)),
    };
    const rules: readonly Partial<AttentionProblem>[] = [
      {},
      { mask: { kind: 'causal' } },
      { keyValueHeads: 1, mask: perHead },
      {
        keyValueHeads: 3,
        mask: { kind: 'all', masks: [perHead, { kind: 'additive', bias: wave(length * length, 0.2) }] },
        sinks: wave(6, 1),
      },
      { keyValueHeads: 2, relativeBias: wave(6 * (2 * length - 1), 0.9), softcap: 3 },
    ];
    for (const rule of rules) {
      const problem: AttentionProblem = { queryHeads: 6, queryLength: length, headDim: 8, valueDim: 5, ...rule };
      const shared = problem.keyValueHeads ?? 6;
      const input = { query: wave(6 * length * 8, 0.3), key: wave(shared * length * 8, 0.7), value: wave(shared * length * 5, 1.1) };
      const tokens = Array.from({ length }, (_, i) => i % 9);
      const options = { statistics: true, pooled: { rows: 4, columns: 4 }, tokens };
      const expected = alone.attention(problem, input, options);
      const result = await pool.attention(problem, input, options);
      const again = await pool.attention(problem, input, { ...options, reuse: result });
      assert.equal(result.parts[0]?.result.output.length, 0, 'what was given back is gone');
      for (let head = 0; head < 6; head++) {
        assert.deepEqual(again.weights(head), expected.weights?.subarray(head * length * length, (head + 1) * length * length));
        assert.deepEqual(again.output(head), expected.output.subarray(head * length * 5, (head + 1) * length * 5));
      }
      assert.deepEqual(again.statistics, expected.statistics);
      assert.ok(input.query.length > 0, 'what was given stays');
      assert.throws(() => again.weights(6), /no head 6/);
    }
  });

  it('says how far it is, and refuses what cannot be', async () => {
    const problem: AttentionProblem = { queryHeads: 4, queryLength: 1500, headDim: 64 };
    const tensor = wave(4 * 1500 * 64, 0.3);
    const seen: number[] = [];
    await pool.attention(problem, { query: tensor, key: tensor, value: tensor }, { weights: false, progress: (part) => seen.push(part) });
    assert.ok(seen.length > 2 && seen.every((part, i) => part > 0 && part <= 1 + 1e-9 && part >= (seen[i - 1] ?? 0)));
    await assert.rejects(pool.attention({ ...problem, keyValueHeads: 3 }, { query: tensor, key: tensor, value: tensor }), /cannot share/);
  });

  it('stops when it is told to, and computes on', async () => {
    const large: AttentionProblem = { queryHeads: 16, queryLength: 4096, headDim: 64 };
    const tensor = wave(16 * 4096 * 64, 0.1);
    const controller = new AbortController();
    const running = pool.attention(large, { query: tensor, key: tensor, value: tensor }, { weights: false, signal: controller.signal });
    setTimeout(() => controller.abort(new Error('enough')), 50);
    await assert.rejects(running, /enough/);
    // The workers stopped: a small problem does not wait for the minutes' worth of work that was left.
    const begin = process.cpuUsage();
    const small = { query: wave(8, 1), key: wave(8, 2), value: wave(8, 3) };
    const result = await pool.attention({ queryHeads: 2, queryLength: 2, headDim: 2 }, small);
    assert.deepEqual(result.output(1), alone.attention({ queryHeads: 2, queryLength: 2, headDim: 2 }, small).output.subarray(4));
    const { user, system } = process.cpuUsage(begin);
    assert.ok(user + system < 2 * 50_000, `the workers went on for ${(user + system) / 1000} ms`);
  }).retries(2);
});
