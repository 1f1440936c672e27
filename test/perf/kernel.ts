// The attention kernel against onnxruntime-web and the TypeScript reference, one thread, medians of interleaved runs. Times are CPU
// time of the process, which other work on the machine stretches least.
//   npx esbuild test/perf/kernel.ts --bundle --platform=node --format=esm --packages=external --outfile=dist/kernel-bench.mjs
//   node dist/kernel-bench.mjs [--json] [--quick]
// onnxruntime-web is no dependency: `npm install --no-save onnxruntime-web`, or HEADWISE_ONNXRUNTIME = path of its module.
import type { AttentionProblem, Kernel } from '../../src/kernel/interface.ts';
import { createReferenceKernel } from '../../src/kernel/reference.ts';
import { wasmKernels } from '../unit/kernel/load-kernels.ts';
import { attentionModel, matrixModel } from './onnx.ts';

interface Row {
  readonly shape: string;
  readonly causal: boolean;
  readonly engine: string;
  readonly medianMs: number;
  /** Of the full square, also where a causal mask hides half of it. */
  readonly gflops: number;
  readonly ratioToOnnxruntimeWeb: number | undefined;
}

/** The part of onnxruntime-web's interface in use. */
interface Runtime {
  readonly env: { readonly wasm: { numThreads: number } };
  readonly Tensor: new (type: 'float32', data: Float32Array, dims: readonly number[]) => unknown;
  readonly InferenceSession: {
    create(
      model: Uint8Array,
      options: object,
    ): Promise<{ run(feeds: object): Promise<Record<string, { data: Float32Array; dispose(): void }>> }>;
  };
}

interface Contender {
  readonly engine: string;
  readonly run: () => unknown;
}

function random(count: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** Times the contenders in turn, so that whatever else the machine does meets them all alike. */
async function race(contenders: readonly Contender[], budgetMs: number): Promise<ReadonlyMap<string, number>> {
  const times = new Map(contenders.map(({ engine }) => [engine, [] as number[]]));
  // Enough repeats for a few milliseconds each, as the clock is coarse.
  const repeats = new Map<string, number>();
  for (const { engine, run } of contenders) {
    await run();
    const start = performance.now();
    await run();
    repeats.set(engine, Math.max(1, Math.ceil(4 / (performance.now() - start))));
  }
  const until = performance.now() + budgetMs;
  for (let round = 0; round < 5 || performance.now() < until; round++) {
    for (const { engine, run } of contenders) {
      const before = process.cpuUsage();
      for (let i = 0; i < (repeats.get(engine) as number); i++) await run();
      const { user, system } = process.cpuUsage(before);
      times.get(engine)?.push((user + system) / 1000 / (repeats.get(engine) as number));
    }
  }
  return new Map([...times].map(([engine, list]) => [engine, list.sort((a, b) => a - b)[list.length >> 1] as number]));
}

async function loadRuntime(): Promise<Runtime | undefined> {
  try {
    const runtime = (await import(process.env.HEADWISE_ONNXRUNTIME ?? 'onnxruntime-web')) as Runtime;
    runtime.env.wasm.numThreads = 1;
    return runtime;
  } catch {
    console.error('onnxruntime-web is not installed: no comparison with it.');
    return undefined;
  }
}

const session = { executionProviders: ['wasm'], graphOptimizationLevel: 'all', intraOpNumThreads: 1 };

async function main(): Promise<void> {
  const quick = process.argv.includes('--quick');
  const budget = quick ? 300 : 3000;
  const runtime = await loadRuntime();
  const kernels: readonly Kernel[] = await wasmKernels();
  const reference = createReferenceKernel();
  const rows: Row[] = [];
  const record = async (shape: string, causal: boolean, flops: number, contenders: readonly Contender[]): Promise<void> => {
    const medians = await race(contenders, budget);
    const base = medians.get('onnxruntime-web');
    for (const [engine, medianMs] of medians) {
      rows.push({
        shape,
        causal,
        engine,
        medianMs,
        gflops: flops / medianMs / 1e6,
        ratioToOnnxruntimeWeb: base === undefined ? undefined : base / medianMs,
      });
    }
  };

  const shapes: readonly (readonly [number, number, number])[] = [
    [16, 4, 32],
    [128, 12, 64],
    [512, 12, 64],
    [1024, 16, 64],
    ...(quick ? [] : [[2048, 32, 128] as const]),
  ];
  for (const [length, heads, headDim] of shapes) {
    const [query, key, value] = [1, 2, 3].map((seed) => random(heads * length * headDim, seed)) as [
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    for (const causal of [false, true]) {
      const problem: AttentionProblem = { queryHeads: heads, queryLength: length, headDim, mask: { kind: causal ? 'causal' : 'none' } };
      const contenders: Contender[] = kernels.map((kernel) => ({
        engine: kernel.name,
        run: () => kernel.attention(problem, { query, key, value }),
      }));
      if (length <= 128) contenders.push({ engine: 'typescript', run: () => reference.attention(problem, { query, key, value }) });
      if (runtime !== undefined) {
        const model = await runtime.InferenceSession.create(attentionModel(heads, length, headDim, causal), session);
        const tensor = (data: Float32Array): unknown => new runtime.Tensor('float32', data, [heads, length, headDim]);
        const mask = new Float32Array(length * length);
        for (let row = 0; row < length; row++) mask.fill(Number.NEGATIVE_INFINITY, row * length + row + 1, (row + 1) * length);
        const feeds = {
          query: tensor(query),
          key: tensor(key),
          value: tensor(value),
          ...(causal ? { mask: new runtime.Tensor('float32', mask, [length, length]) } : {}),
        };
        contenders.push({ engine: 'onnxruntime-web', run: () => model.run(feeds) });
        // Both must compute the same before their times mean anything.
        const theirs = (await model.run(feeds)).weights?.data as Float32Array;
        const ours = (kernels[0] as Kernel).attention(problem, { query, key, value }).weights as Float32Array;
        for (let i = 0; i < ours.length; i += 97) {
          if (Math.abs((ours[i] as number) - (theirs[i] as number)) > 1e-5)
            throw new Error(`weights differ at ${i}: ${ours[i]} and ${theirs[i]}`);
        }
      }
      await record(`attention ${length} x ${heads} x ${headDim}`, causal, 4 * heads * length * length * headDim, contenders);
    }
  }
  for (const size of [64, 1024]) {
    const left = random(size * size, 4);
    const right = random(size * size, 5);
    const problem = { rows: size, depth: size, columns: size };
    const contenders: Contender[] = kernels.map((kernel) => ({
      engine: kernel.name,
      run: () => kernel.matrixMultiply(problem, left, right),
    }));
    if (runtime !== undefined) {
      const model = await runtime.InferenceSession.create(matrixModel(size, size, size), session);
      const feeds = { left: new runtime.Tensor('float32', left, [size, size]), right: new runtime.Tensor('float32', right, [size, size]) };
      contenders.push({ engine: 'onnxruntime-web', run: () => model.run(feeds) });
    }
    await record(`product ${size}`, false, 2 * size ** 3, contenders);
  }
  if (process.argv.includes('--json')) {
    console.log(JSON.stringify(rows, undefined, 2));
    return;
  }
  const short = (value: number | undefined): number | undefined => (value === undefined ? undefined : Number(value.toPrecision(3)));
  console.table(
    rows.map((row) => ({
      ...row,
      medianMs: short(row.medianMs),
      gflops: short(row.gflops),
      ratioToOnnxruntimeWeb: short(row.ratioToOnnxruntimeWeb),
    })),
  );
}

await main();
