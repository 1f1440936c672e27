// Attention kernel against the TypeScript reference: node dist/... or `npm run bench:kernel`. Medians, one thread.
import type { Kernel } from '../../src/kernel/interface.ts';
import { createReferenceKernel } from '../../src/kernel/reference.ts';
import { wasmKernels } from '../unit/kernel/load-kernels.ts';

interface Row {
  readonly shape: string;
  readonly causal: boolean;
  readonly engine: string;
  readonly medianMs: number;
  readonly gflops: number;
}

function random(count: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

function median(run: () => void, budgetMs: number): number {
  const times: number[] = [];
  const until = performance.now() + budgetMs;
  run();
  do {
    const start = performance.now();
    run();
    times.push(performance.now() - start);
  } while (performance.now() < until || times.length < 3);
  times.sort((a, b) => a - b);
  return times[times.length >> 1] as number;
}

async function main(): Promise<void> {
  const kernels: readonly Kernel[] = [...(await wasmKernels()), createReferenceKernel()];
  const rows: Row[] = [];
  const budget = Number(process.env.HEADWISE_BENCH_MS ?? 500);
  const shapes: readonly (readonly [number, number, number])[] = [
    [16, 4, 32],
    [128, 12, 64],
    [512, 12, 64],
    [1024, 16, 64],
    [2048, 32, 128],
  ];
  for (const [length, heads, headDim] of shapes) {
    const tensor = (seed: number): Float32Array => random(heads * length * headDim, seed);
    const input = { query: tensor(1), key: tensor(2), value: tensor(3) };
    for (const causal of [false, true]) {
      for (const kernel of kernels) {
        if (kernel.name === 'typescript' && length > 128) continue;
        const problem = { queryHeads: heads, queryLength: length, headDim, ...(causal ? { mask: { kind: 'causal' } as const } : {}) };
        const medianMs = median(() => kernel.attention(problem, input), budget);
        rows.push({
          shape: `${length}x${heads}x${headDim}`,
          causal,
          engine: kernel.name,
          medianMs,
          gflops: (4 * heads * length * length * headDim) / medianMs / 1e6,
        });
      }
    }
  }
  for (const size of [64, 1024]) {
    const left = random(size * size, 4);
    const right = random(size * size, 5);
    for (const kernel of kernels) {
      if (kernel.name === 'typescript' && size > 64) continue;
      const medianMs = median(() => kernel.matrixMultiply({ rows: size, depth: size, columns: size }, left, right), budget);
      rows.push({ shape: `gemm ${size}`, causal: false, engine: kernel.name, medianMs, gflops: (2 * size ** 3) / medianMs / 1e6 });
    }
  }
  if (process.argv.includes('--json')) console.log(JSON.stringify(rows, undefined, 2));
  else
    console.table(
      rows.map((row) => ({ ...row, medianMs: Number(row.medianMs.toPrecision(4)), gflops: Number(row.gflops.toPrecision(3)) })),
    );
}

await main();
