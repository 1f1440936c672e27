// The kernel's benchmark inside a page: scripts/bench-kernel.mjs serves it, asks for one group after the other and times it.
import { loadKernel } from '../../src/kernel/load.ts';
import { type Card, type Group, type GroupMaker, groups, type OnnxRuntime, type Peak, type TensorFlow } from './kernel.ts';

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

async function start(quick: boolean): Promise<readonly string[]> {
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
  made = groups(
    {
      kernels: [
        await loadKernel({ relaxed: await fetchBytes('/binaries/attention-relaxed.wasm') }),
        await loadKernel({ simd: await fetchBytes('/binaries/attention.wasm') }),
      ],
      peaks,
      onnxruntimeWeb: ort,
      tensorFlow: tf?.wasm === undefined ? undefined : tf,
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
  const { shape, causal, flops, base } = group;
  return { shape, causal, flops, base, contenders: group.contenders.map(({ engine, factor }) => ({ engine, factor })) };
}

async function repeat(index: number, times: number): Promise<void> {
  for (let i = 0; i < times; i++) await group?.contenders[index]?.run();
}

(globalThis as unknown as PageGlobals).bench = { start, take, repeat };
