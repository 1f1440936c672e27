// The kernel's benchmark in Node: see scripts/bench-kernel.mjs.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { loadKernel } from '../../src/kernel/load.ts';
import { type Engines, groups, type OnnxRuntime, type Peak, type Row, race, summary, type TensorFlow } from './kernel.ts';

export interface BenchOptions {
  /** Folder of attention.wasm, attention-relaxed.wasm, peak.wasm and peak-relaxed.wasm. */
  readonly binaries: string;
  /** Folder with a node_modules that holds the other engines. */
  readonly engines: string;
  readonly quick: boolean;
  readonly brief: boolean;
  readonly only?: string | undefined;
  readonly budgetMs: number;
  readonly log: (line: string) => void;
}

async function optional<T>(name: string, log: (line: string) => void, load: () => Promise<T>): Promise<T | undefined> {
  try {
    return await load();
  } catch (error) {
    log(`${name} is not there, so there is no comparison with it (${error instanceof Error ? error.message.split('\n')[0] : error}).`);
    return undefined;
  }
}

async function loadEngines({ binaries, engines, brief, log }: BenchOptions): Promise<Engines> {
  const read = (name: string): Uint8Array<ArrayBuffer> => readFileSync(join(binaries, name));
  const kernels = await Promise.all([
    loadKernel({ relaxed: read('attention-relaxed.wasm') }),
    loadKernel({ simd: read('attention.wasm') }),
  ]);
  const peaks: Peak[] = [];
  for (const [file, name] of [
    ['peak-relaxed.wasm', 'fused multiply-add'],
    ['peak.wasm', 'multiply and add'],
  ] as const) {
    if (!WebAssembly.validate(read(file))) continue;
    const { exports } = await WebAssembly.instantiate(await WebAssembly.compile(read(file)));
    peaks.push({ name, run: exports.run as (rounds: number) => number });
  }
  const require = createRequire(join(engines, 'package.json'));
  const from = (path: string): Promise<unknown> => import(pathToFileURL(path).href);
  const onnxruntimeWeb = await optional('onnxruntime-web', log, async () => {
    const folder = join(engines, 'node_modules/onnxruntime-web/dist');
    const runtime = (await from(join(folder, 'ort.node.min.mjs'))) as OnnxRuntime;
    runtime.env.wasm.numThreads = 1;
    return runtime;
  });
  if (brief)
    return { brief, kernels: kernels.filter(({ name }) => name !== 'typescript').slice(0, 1), peaks: peaks.slice(0, 1), onnxruntimeWeb };
  const onnxruntimeNode = await optional('onnxruntime-node', log, async () => require('onnxruntime-node') as OnnxRuntime);
  const tensorFlow = await optional('tfjs-backend-wasm', log, async () => {
    const tf = require('@tensorflow/tfjs-core');
    const wasm = require('@tensorflow/tfjs-backend-wasm');
    wasm.setWasmPaths(`${join(engines, 'node_modules/@tensorflow/tfjs-backend-wasm/dist')}/`);
    wasm.setThreadsCount(1);
    await tf.setBackend('wasm');
    return tf as TensorFlow;
  });
  return { kernels: kernels.filter(({ name }) => name !== 'typescript'), peaks, onnxruntimeWeb, onnxruntimeNode, tensorFlow };
}

export async function benchInNode(options: BenchOptions): Promise<readonly Row[]> {
  const rows: Row[] = [];
  const engines = await loadEngines(options);
  for (const { shape, make } of groups(engines, options.quick)) {
    if (options.only !== undefined && !shape.includes(options.only)) continue;
    const group = await make();
    const stopwatch = async (index: number, repeats: number): Promise<number> => {
      const { run } = group.contenders[index] as { run: () => unknown };
      const before = process.cpuUsage();
      for (let i = 0; i < repeats; i++) await run();
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1000;
    };
    const raced = await race('node', group, stopwatch, options.budgetMs);
    rows.push(...raced);
    options.log(summary(raced));
    await group.release();
  }
  return rows;
}
