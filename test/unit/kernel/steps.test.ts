import assert from 'node:assert/strict';
import type { AttentionProblem, Kernel, MultiHeadProblem } from '../../../src/kernel/interface.ts';
import { createReferenceKernel } from '../../../src/kernel/reference.ts';
import { run } from '../../../src/kernel/steps.ts';
import { wasmKernels } from './load-kernels.ts';

const kernels: Kernel[] = [];
before(async function () {
  this.timeout(60_000);
  kernels.push(createReferenceKernel(), ...(await wasmKernels()));
});

const wave = (count: number, step: number): Float32Array => Float32Array.from({ length: count }, (_, i) => Math.sin((i + 1) * step) * 0.5);

const problem: MultiHeadProblem = {
  queryHeads: 4,
  keyValueHeads: 2,
  queryLength: 70,
  inputDim: 20,
  headDim: 7,
  valueDim: 16,
  outputDim: 11,
  mask: { kind: 'causal' },
};
const input = {
  input: wave(70 * 20, 0.31),
  queryWeight: wave(20 * 28, 1.1),
  keyWeight: wave(20 * 14, 0.7),
  valueWeight: wave(20 * 32, 0.9),
  outputWeight: wave(64 * 11, 1.7),
  queryBias: wave(28, 2),
  valueBias: wave(32, 3),
  outputBias: wave(11, 1),
};

describe('kernel step by step', () => {
  it('gives what it gives at once, and says how far it is', async () => {
    for (const kernel of kernels) {
      const parts: number[] = [];
      const steps = kernel.multiHeadAttentionSteps(problem, input, { statistics: true });
      const result = await run(steps, { slice: 0, progress: (part) => parts.push(part) });
      assert.deepEqual(result, kernel.multiHeadAttention(problem, input, { statistics: true }));
      assert.ok(parts.length > 5, `${kernel.name}: ${parts.length} steps`);
      for (let i = 1; i < parts.length; i++) assert.ok((parts[i] as number) >= (parts[i - 1] as number));
      assert.ok((parts[0] as number) > 0 && (parts.at(-1) as number) <= 1 + 1e-9);
    }
  });

  it('keeps two computations apart that take turns', () => {
    for (const kernel of kernels) {
      const other: AttentionProblem = { queryHeads: 2, queryLength: 90, headDim: 8 };
      const tensors = { query: wave(1440, 0.2), key: wave(1440, 0.3), value: wave(1440, 0.4) };
      const first = kernel.multiHeadAttentionSteps(problem, input);
      const second = kernel.attentionSteps(other, tensors);
      let a = first.next();
      let b = second.next();
      while (a.done !== true || b.done !== true) {
        if (a.done !== true) a = first.next();
        if (b.done !== true) b = second.next();
      }
      assert.deepEqual(a.value, kernel.multiHeadAttention(problem, input));
      assert.deepEqual(b.value, kernel.attention(other, tensors));
    }
  });

  it('stops within 50 ms of processor time when it is told to, and computes on afterwards', async function () {
    this.timeout(60_000);
    for (const kernel of kernels) {
      const large: AttentionProblem = { queryHeads: 8, queryLength: 3000, headDim: 64 };
      const tensor = wave(8 * 3000 * 64, 0.1);
      const controller = new AbortController();
      const running = run(kernel.attentionSteps(large, { query: tensor, key: tensor, value: tensor }, { weights: false }), {
        signal: controller.signal,
      });
      await new Promise((resolve) => setTimeout(resolve, 30));
      const told = process.cpuUsage();
      controller.abort(new Error('enough'));
      await assert.rejects(running, /enough/);
      const { user, system } = process.cpuUsage(told);
      assert.ok(user + system < 50_000, `${kernel.name} went on for ${(user + system) / 1000} ms`);
      assert.equal(kernel.matrixMultiply({ rows: 1, depth: 1, columns: 1 }, Float32Array.of(3), Float32Array.of(4))[0], 12);
    }
  }).retries(2);

  it('writes over the arrays of a result that is given back, where they fit', () => {
    for (const kernel of kernels) {
      const fresh = kernel.multiHeadAttention(problem, input);
      const old = kernel.multiHeadAttention(problem, { ...input, input: wave(70 * 20, 0.77) });
      const buffers = { weights: old.weights, output: old.output, heads: old.heads, query: old.query, concatenated: old.concatenated };
      const again = kernel.multiHeadAttention(problem, input, { reuse: old });
      for (const [name, array] of Object.entries(buffers)) assert.equal(again[name as keyof typeof buffers], array, name);
      assert.deepEqual(again, fresh);
      const shorter = kernel.multiHeadAttention(
        { ...problem, queryLength: 69 },
        { ...input, input: input.input.subarray(0, 69 * 20) },
        { reuse: again },
      );
      assert.notEqual(shorter.output, again.output);
      assert.deepEqual(again.output.subarray(0, 68 * 11).length, 68 * 11);
    }
  });

  it('splits products into heads of any width, beyond the rows and columns held at once', () => {
    const reference = kernels[0] as Kernel;
    for (const [rows, depth, columns, headWidth] of [
      [13, 5, 24, 8],
      [13, 5, 21, 7],
      [1030, 3, 10, 5],
      [3, 2, 4200, 60],
      [2, 2, 4200, 7],
      [5, 300, 48, 48],
    ] as const) {
      const left = wave(rows * depth, 0.3);
      const right = wave(depth * columns, 0.7);
      const bias = wave(columns, 1.3);
      const plain = reference.matrixMultiply({ rows, depth, columns }, left, right, bias);
      for (const kernel of kernels) {
        const split = kernel.matrixMultiply({ rows, depth, columns, headWidth }, left, right, bias);
        for (let row = 0; row < rows; row++) {
          for (let column = 0; column < columns; column++) {
            const head = Math.floor(column / headWidth);
            const found = split[(head * rows + row) * headWidth + (column % headWidth)] as number;
            const expected = plain[row * columns + column] as number;
            assert.ok(
              Math.abs(found - expected) < 1e-5 * Math.sqrt(depth),
              `${kernel.name} ${rows}x${depth}x${columns} / ${headWidth} at ${row}, ${column}`,
            );
          }
        }
      }
    }
    for (const kernel of kernels) {
      assert.throws(
        () => kernel.matrixMultiply({ rows: 1, depth: 1, columns: 5, headWidth: 2 }, wave(1, 1), wave(5, 1)),
        /5 columns cannot be split into heads of 2/,
      );
    }
  });
});
