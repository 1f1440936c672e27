// The kernel's benchmark inside a page: scripts/bench-kernel.mjs serves it, asks for one group after the other and times it.
import { loadKernel } from '../../src/kernel/load.ts';
import { createKernelPool, workerPort } from '../../src/kernel/pool.ts';
import { type Card, type Engines, type Group, type GroupMaker, groups, type OnnxRuntime, type Peak, type TensorFlow } from './kernel.ts';

interface PageGlobals {
  readonly ort?: OnnxRuntime;
  readonly tf?: TensorFlow & {
    setBackend(name: string): Promise<boolean>;
    readonly wasm?: { setWasmPaths(path: string): void; setThreadsCount(count: number): void };
  };
  bench?: unknown;
}

async function fetchBytes(path: string): Promise<ArrayBuffer> {
  return (await fetch(path)).arrayBuffer();
}

/** A pool whose workers can run the peak's loop, too. */
async function poolOf(count: number): Promise<NonNullable<Engines['pools']>[number]> {
  const workers: Worker[] = [];
  const connect = (): ReturnType<typeof workerPort> => {
    const worker = new Worker('/binaries/worker.js');
    workers.push(worker);
    const port = workerPort(worker);
    return {
      ...port,
      listen: (receive) =>
        worker.addEventListener('message', ({ data }) => {
          if ('kind' in data) receive(data);
        }),
    };
  };
  const pool = createKernelPool(connect, count, { relaxed: await fetchBytes('/binaries/attention-relaxed.wasm') });
  const module = await WebAssembly.compile(await fetchBytes('/binaries/peak-relaxed.wasm'));
  for (const worker of workers) worker.postMessage({ peak: module });
  const peak = (rounds: number): Promise<unknown> =>
    Promise.all(
      workers.map(
        (worker) =>
          new Promise<void>((resolve) => {
            const hear = ({ data }: MessageEvent): void => {
              if (!('peak' in data)) return;
              worker.removeEventListener('message', hear);
              resolve();
            };
            worker.addEventListener('message', hear);
            worker.postMessage({ rounds });
          }),
      ),
    );
  return { ...pool, peak };
}

async function start(quick: boolean, brief: boolean): Promise<readonly string[]> {
  const { ort, tf } = globalThis as unknown as PageGlobals;
  if (ort !== undefined) {
    ort.env.wasm.numThreads = 1;
    ort.env.wasm.wasmPaths = '/engines/onnxruntime-web/dist/';
  }
  if (tf?.wasm !== undefined) {
    tf.wasm.setWasmPaths('/engines/@tensorflow/tfjs-backend-wasm/dist/');
    tf.wasm.setThreadsCount(1);
    await tf.setBackend('wasm');
  }
  const peaks: Peak[] = [];
  for (const [path, name] of [
    ['/binaries/peak-relaxed.wasm', 'fused multiply-add'],
    ['/binaries/peak.wasm', 'multiply and add'],
  ] as const) {
    const { instance } = await WebAssembly.instantiate(await fetchBytes(path));
    peaks.push({ name, run: instance.exports.run as (rounds: number) => number });
  }
  const relaxed = await loadKernel({ relaxed: await fetchBytes('/binaries/attention-relaxed.wasm') });
  made = groups(
    {
      brief,
      kernels: brief ? [relaxed] : [relaxed, await loadKernel({ simd: await fetchBytes('/binaries/attention.wasm') })],
      peaks: brief ? peaks.slice(0, 1) : peaks,
      onnxruntimeWeb: ort,
      tensorFlow: tf?.wasm === undefined || brief ? undefined : tf,
      pools: [await poolOf(1), await poolOf(2)],
    },
    quick,
  );
  return made.map(({ shape }) => shape);
}

let made: readonly GroupMaker[] = [];
let group: Group | undefined;

async function take(index: number): Promise<Card> {
  await group?.release();
  group = await (made[index] as GroupMaker).make();
  const { shape, causal, flops, base, elapsed } = group;
  return { shape, causal, flops, base, elapsed, contenders: group.contenders.map(({ engine, factor }) => ({ engine, factor })) };
}

/** Returns the milliseconds that passed. */
async function repeat(index: number, times: number): Promise<number> {
  const begin = performance.now();
  for (let i = 0; i < times; i++) await group?.contenders[index]?.run();
  return performance.now() - begin;
}

(globalThis as unknown as PageGlobals).bench = { start, take, repeat };
