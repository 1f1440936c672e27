// What the kernel's benchmark times, wherever it runs: groups of contenders that compute the same, and the race between them.
// scripts/bench-kernel.mjs runs it, in Node and in Chromium.
import type { AttentionProblem, Kernel, MultiHeadProblem } from '../../src/kernel/interface.ts';
import type { KernelPool, PoolResult } from '../../src/kernel/pool.ts';
import { attentionModel, blockModel, matrixModel, multiHeadModel } from './onnx.ts';

export interface Row {
  readonly where: string;
  readonly shape: string;
  readonly causal: boolean;
  readonly engine: string;
  readonly medianMs: number;
  /** Of the full square, also where a causal mask hides half of it. */
  readonly gflops: number;
  /** How many times faster than onnxruntime-web computing the same. */
  readonly ratioToOnnxruntimeWeb: number | undefined;
  /** How many times faster than the same work in one worker. Only of groups that race workers, whose times are elapsed ones. */
  readonly ratioToOneWorker?: number;
}

/** The part of onnxruntime's interface in use, alike for onnxruntime-web and onnxruntime-node. */
export interface OnnxRuntime {
  readonly env: { readonly wasm: { numThreads: number; wasmPaths?: string } };
  readonly Tensor: new (type: 'float32', data: Float32Array, dims: readonly number[]) => unknown;
  readonly InferenceSession: { create(model: Uint8Array, options: object): Promise<OnnxSession> };
}

interface OnnxSession {
  run(feeds: object): Promise<Record<string, { readonly data: Float32Array; dispose(): void }>>;
  release(): Promise<void>;
}

/** The part of TensorFlow.js's interface in use. */
export interface TensorFlow {
  tensor3d(data: Float32Array, shape: readonly [number, number, number]): TensorFlowTensor;
  tensor2d(data: Float32Array, shape: readonly [number, number]): TensorFlowTensor;
  matMul(left: TensorFlowTensor, right: TensorFlowTensor, transposeLeft?: boolean, transposeRight?: boolean): TensorFlowTensor;
  mul(left: TensorFlowTensor, right: number): TensorFlowTensor;
  add(left: TensorFlowTensor, right: TensorFlowTensor): TensorFlowTensor;
  softmax(scores: TensorFlowTensor): TensorFlowTensor;
  tidy<T>(compute: () => T): T;
}

interface TensorFlowTensor {
  dataSync(): Float32Array;
  dispose(): void;
}

/** Exports of the module that scripts/bench-kernel.mjs makes: multiply-adds on registers alone, 96 operations a round. */
export interface Peak {
  readonly name: 'multiply and add' | 'fused multiply-add';
  run(rounds: number): number;
}

export interface Engines {
  /** Only what the targets are about. */
  readonly brief?: boolean;
  readonly kernels: readonly Kernel[];
  readonly peaks: readonly Peak[];
  readonly onnxruntimeWeb?: OnnxRuntime | undefined;
  readonly onnxruntimeNode?: OnnxRuntime | undefined;
  readonly tensorFlow?: TensorFlow | undefined;
  /** Several kernels and the heads over them, where workers can be had. */
  readonly pools?: readonly (KernelPool & { peak(rounds: number): Promise<unknown> })[];
}

export interface Contender {
  readonly engine: string;
  readonly run: () => unknown;
  /** Times the work that it does, where that is less than all: the peak. */
  readonly factor?: number;
}

export interface Group {
  readonly shape: string;
  readonly causal: boolean;
  readonly flops: number;
  readonly contenders: readonly Contender[];
  /** What rows of this group are compared with. */
  readonly base: string;
  readonly release: () => Promise<unknown>;
  /** Workers are raced by the time that passes, all else by the CPU's. */
  readonly elapsed?: boolean;
}

function random(count: number, seed: number): Float32Array {
  const numbers = new Float32Array(count);
  let state = seed;
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    numbers[i] = state / 2 ** 31 - 1;
  }
  return numbers;
}

const webOptions = { executionProviders: ['wasm'], graphOptimizationLevel: 'all', intraOpNumThreads: 1 };
const nodeOptions = { executionProviders: ['cpu'], graphOptimizationLevel: 'all', intraOpNumThreads: 1, interOpNumThreads: 1 };

/** Both must compute the same before their times mean anything. */
function mustAgree(engine: string, theirs: Float32Array | undefined, ours: Float32Array, tolerance: number): void {
  for (let i = 0; i < ours.length; i += 97) {
    if (!(Math.abs((ours[i] as number) - (theirs?.[i] as number)) <= tolerance)) {
      throw new Error(`${engine} computes something else: ${theirs?.[i]} in place of ${ours[i]} at ${i}.`);
    }
  }
}

function peakContenders(engines: Engines, flops: number): Contender[] {
  // An eighth of the work: its speed does not depend on how much it does.
  return engines.peaks.map((peak) => ({ engine: `peak, ${peak.name}`, run: () => peak.run(Math.ceil(flops / 96 / 8)), factor: 8 }));
}

/** Both runtimes on one model, each checked against what the kernel computes. */
async function onnxContenders(
  engines: Pick<Engines, 'onnxruntimeWeb' | 'onnxruntimeNode'>,
  suffix: string,
  model: () => Uint8Array,
  feeds: Readonly<Record<string, readonly [Float32Array, readonly number[]]>>,
  check: (engine: string, result: Record<string, { readonly data: Float32Array }>) => void,
): Promise<{ readonly contenders: Contender[]; readonly release: () => Promise<unknown> }> {
  const contenders: Contender[] = [];
  const sessions: OnnxSession[] = [];
  for (const [name, runtime, options] of [
    ['onnxruntime-web', engines.onnxruntimeWeb, webOptions],
    ['onnxruntime-node', engines.onnxruntimeNode, nodeOptions],
  ] as const) {
    if (runtime === undefined) continue;
    const session = await runtime.InferenceSession.create(model(), options);
    sessions.push(session);
    const given = Object.fromEntries(
      Object.entries(feeds).map(([key, [data, shape]]) => [key, new runtime.Tensor('float32', data, shape)] as const),
    );
    check(name, await session.run(given));
    contenders.push({ engine: `${name}${suffix}`, run: () => session.run(given) });
  }
  return { contenders, release: () => Promise.all(sessions.map((session) => session.release())) };
}

const attentionShape = (heads: number, length: number, headDim: number): string => `attention ${length} x ${heads} x ${headDim}`;
const blockShape = (length: number, heads: number, headDim: number): string => `block ${length} x ${heads * headDim}, ${heads} heads`;

async function attentionGroup(engines: Engines, heads: number, length: number, headDim: number, causal: boolean): Promise<Group> {
  const shape = [heads, length, headDim] as const;
  const size = heads * length * headDim;
  const input = { query: random(size, 1), key: random(size, 2), value: random(size, 3) };
  const problem: AttentionProblem = { queryHeads: heads, queryLength: length, headDim, mask: { kind: causal ? 'causal' : 'none' } };
  const flops = 4 * heads * length * length * headDim;
  const contenders: Contender[] = [];
  for (const kernel of engines.kernels) {
    let reuse: ReturnType<Kernel['attention']> | undefined;
    contenders.push({
      engine: kernel.name,
      run: () => {
        reuse = kernel.attention(problem, input, { reuse });
      },
    });
    contenders.push({ engine: `${kernel.name}, new arrays`, run: () => kernel.attention(problem, input) });
    let bare: ReturnType<Kernel['attention']> | undefined;
    if (engines.brief) continue;
    contenders.push({
      engine: `${kernel.name}, no weights`,
      run: () => {
        bare = kernel.attention(problem, input, { weights: false, reuse: bare });
      },
    });
  }
  const ours = (engines.kernels[0] as Kernel).attention(problem, input);
  const mask = new Float32Array(length * length);
  if (causal) for (let row = 0; row < length; row++) mask.fill(Number.NEGATIVE_INFINITY, row * length + row + 1, (row + 1) * length);
  const onnx = await onnxContenders(
    engines,
    '',
    () => attentionModel(heads, length, headDim, causal),
    {
      query: [input.query, shape],
      key: [input.key, shape],
      value: [input.value, shape],
      ...(causal ? { mask: [mask, [length, length]] as const } : {}),
    },
    (engine, result) => {
      mustAgree(engine, result.weights?.data, ours.weights as Float32Array, 1e-5);
      mustAgree(engine, result.output?.data, ours.output, 1e-5);
    },
  );
  // The operator takes heads side by side in a token, which only orders the same numbers in another way.
  const flat = [1, length, heads * headDim] as const;
  const operator = await onnxContenders(
    engines.brief ? {} : engines,
    ' MultiHeadAttention, no weights',
    () => multiHeadModel(heads, length, headDim, causal),
    { query: [input.query, flat], key: [input.key, flat], value: [input.value, flat] },
    () => undefined,
  );
  const tensorFlow = tensorFlowContender(engines.tensorFlow, input, shape, causal ? mask : undefined, ours.weights as Float32Array);
  return {
    shape: attentionShape(heads, length, headDim),
    causal,
    flops,
    contenders: [
      ...contenders,
      ...onnx.contenders,
      ...operator.contenders,
      ...(tensorFlow === undefined ? [] : [tensorFlow.contender]),
      ...peakContenders(engines, flops),
    ],
    base: 'onnxruntime-web',
    release: () => {
      tensorFlow?.release();
      return Promise.all([onnx.release(), operator.release()]);
    },
  };
}

function tensorFlowContender(
  tf: TensorFlow | undefined,
  input: { readonly query: Float32Array; readonly key: Float32Array; readonly value: Float32Array },
  shape: readonly [number, number, number],
  mask: Float32Array | undefined,
  weights: Float32Array,
): { readonly contender: Contender; readonly release: () => void } | undefined {
  // It takes seconds there already, and minutes beyond.
  if (tf === undefined || shape[0] * shape[1] * shape[1] > 2 ** 22) return undefined;
  const [query, key, value] = [input.query, input.key, input.value].map((data) => tf.tensor3d(data, shape)) as [
    TensorFlowTensor,
    TensorFlowTensor,
    TensorFlowTensor,
  ];
  // Its softmax makes NaN of infinities.
  const hidden =
    mask === undefined
      ? undefined
      : tf.tensor2d(
          mask.map((bias) => (bias === 0 ? 0 : -1e30)),
          [shape[1], shape[1]],
        );
  const run = (): Float32Array =>
    tf.tidy(() => {
      const scores = tf.matMul(tf.mul(query, 1 / Math.sqrt(shape[2])), key, false, true);
      const found = tf.softmax(hidden === undefined ? scores : tf.add(scores, hidden));
      tf.matMul(found, value).dataSync();
      return found.dataSync();
    });
  mustAgree('tfjs-backend-wasm', run(), weights, 1e-5);
  return {
    contender: { engine: 'tfjs-backend-wasm', run },
    release: () => {
      for (const tensor of [query, key, value, hidden]) tensor?.dispose();
    },
  };
}

/** One worker against two, copies included; and the loop of registers alone, which is what the machine has to give. */
async function workersGroup(engines: Engines, heads: number, length: number, headDim: number, causal: boolean): Promise<Group> {
  const size = heads * length * headDim;
  const input = { query: random(size, 1), key: random(size, 2), value: random(size, 3) };
  const problem: AttentionProblem = { queryHeads: heads, queryLength: length, headDim, mask: { kind: causal ? 'causal' : 'none' } };
  const flops = 4 * heads * length * length * headDim;
  const named = (engines.pools ?? []).map((pool) => ({ pool, name: pool.workers === 1 ? ONE_WORKER : `${pool.workers} workers` }));
  return {
    shape: `workers, ${attentionShape(heads, length, headDim)}`,
    causal,
    flops,
    contenders: [
      ...named.map(({ pool, name }) => {
        let reuse: PoolResult | undefined;
        return {
          engine: name,
          run: async () => {
            reuse = await pool.attention(problem, input, { reuse });
          },
        };
      }),
      ...named.map(({ pool, name }) => ({ engine: `peak, ${name}`, run: () => pool.peak(Math.ceil(flops / 96 / pool.workers)) })),
    ],
    base: ONE_WORKER,
    release: async () => undefined,
    elapsed: true,
  };
}

async function blockGroup(engines: Engines, length: number, heads: number, headDim: number): Promise<Group> {
  const width = heads * headDim;
  const spread = 1 / Math.sqrt(width);
  const projection = (seed: number): Float32Array => random(width * width, seed).map((x) => x * spread);
  const projections = { queryWeight: projection(1), keyWeight: projection(2), valueWeight: projection(3), outputWeight: projection(4) };
  const input = { ...projections, input: random(length * width, 5) };
  const problem: MultiHeadProblem = { queryHeads: heads, queryLength: length, inputDim: width, headDim };
  const flops = 8 * length * width * width + 4 * heads * length * length * headDim;
  const ours = (engines.kernels[0] as Kernel).multiHeadAttention(problem, input, { weights: false }).output;
  const onnx = await onnxContenders(
    engines,
    '',
    () => blockModel(heads, length, headDim, projections),
    { input: [input.input, [length, width]] },
    (engine, result) => mustAgree(engine, result.output?.data, ours, 1e-4),
  );
  return {
    shape: blockShape(length, heads, headDim),
    causal: false,
    flops,
    contenders: [
      ...engines.kernels.map((kernel) => {
        let reuse: ReturnType<Kernel['multiHeadAttention']> | undefined;
        return {
          engine: kernel.name,
          run: () => {
            reuse = kernel.multiHeadAttention(problem, input, { weights: false, reuse });
          },
        };
      }),
      ...onnx.contenders,
      ...peakContenders(engines, flops),
    ],
    base: 'onnxruntime-web',
    release: onnx.release,
  };
}

async function productGroup(engines: Engines, size: number): Promise<Group> {
  const left = random(size * size, 4);
  const right = random(size * size, 5);
  const problem = { rows: size, depth: size, columns: size };
  const flops = 2 * size ** 3;
  const ours = (engines.kernels[0] as Kernel).matrixMultiply(problem, left, right);
  const shape = [size, size] as const;
  const onnx = await onnxContenders(
    engines,
    '',
    () => matrixModel(size, size, size),
    { left: [left, shape], right: [right, shape] },
    (engine, result) => mustAgree(engine, result.product?.data, ours, 1e-5 * size),
  );
  return {
    shape: `product ${size}`,
    causal: false,
    flops,
    contenders: [
      ...engines.kernels.map((kernel) => {
        let reuse: Float32Array | undefined;
        return {
          engine: kernel.name,
          run: () => {
            reuse = kernel.matrixMultiply(problem, left, right, undefined, reuse);
          },
        };
      }),
      ...onnx.contenders,
      ...peakContenders(engines, flops),
    ],
    base: 'onnxruntime-web',
    release: onnx.release,
  };
}

/** A group that is made when its turn comes: the largest hold a gigabyte. */
export interface GroupMaker {
  readonly shape: string;
  readonly make: () => Promise<Group>;
}

/** Everything that is timed. */
export function groups(engines: Engines, quick: boolean): readonly GroupMaker[] {
  const shapes: readonly (readonly [number, number, number])[] = [
    [1, 1, 8],
    [16, 4, 32],
    [128, 12, 64],
    [512, 12, 64],
    ...(quick
      ? []
      : ([
          [1024, 16, 64],
          [2048, 32, 128],
        ] as const)),
  ];
  const blocks: readonly (readonly [number, number, number])[] = [
    [1, 1, 8],
    [16, 4, 32],
    [512, 12, 64],
    ...(quick
      ? []
      : ([
          [1024, 16, 64],
          [512, 32, 128],
        ] as const)),
  ];
  return [
    ...shapes.flatMap(([length, heads, headDim]) =>
      [false, true].map((causal) => ({
        shape: attentionShape(heads, length, headDim),
        make: () => attentionGroup(engines, heads, length, headDim, causal),
      })),
    ),
    ...blocks.map(([length, heads, headDim]) => ({
      shape: blockShape(length, heads, headDim),
      make: () => blockGroup(engines, length, heads, headDim),
    })),
    ...[64, 1024].map((size) => ({ shape: `product ${size}`, make: () => productGroup(engines, size) })),
    ...(engines.pools === undefined ? [] : shapes.slice(3, 5)).flatMap(([length, heads, headDim]) =>
      [false, true].map((causal) => ({
        shape: `workers, ${attentionShape(heads, length, headDim)}`,
        make: () => workersGroup(engines, heads, length, headDim, causal),
      })),
    ),
  ];
}

/** Milliseconds of CPU time of `repeats` runs of a contender; what asking itself costs is taken off. */
export type Stopwatch = (contender: number, repeats: number) => Promise<number>;

/** What a race is about: a Group without what cannot leave a page. */
export interface Card {
  readonly shape: string;
  readonly causal: boolean;
  readonly flops: number;
  readonly base: string;
  readonly contenders: readonly Pick<Contender, 'engine' | 'factor'>[];
  readonly elapsed?: boolean | undefined;
}

const ONE_WORKER = '1 worker';
const WARM_MS = 60;
/** What takes longer once is not run again only to warm up. */
const SLOW_MS = 500;
const RUN_MS = 8;
const MOST_REPEATS = 32768;

/** A race in a line: how its contenders compare with the base. */
export function summary(rows: readonly Row[]): string {
  const ratios = rows.flatMap(({ engine, ratioToOnnxruntimeWeb, ratioToOneWorker }) => {
    const ratio = ratioToOnnxruntimeWeb ?? ratioToOneWorker;
    return ratio === undefined || ratio === 1 ? [] : [`${engine} ${ratio.toFixed(2)}x`];
  });
  const [first] = rows;
  return `${first?.where}: ${first?.shape}${first?.causal ? ', causal' : ''}: ${ratios.join(', ')}`;
}

/** Times the contenders in turn, so that whatever else the machine does meets them all alike. */
export async function race(where: string, card: Card, stopwatch: Stopwatch, budgetMs: number): Promise<readonly Row[]> {
  const times: number[][] = card.contenders.map(() => []);
  const repeats: number[] = [];
  const spent = card.contenders.map(() => 0);
  for (const index of card.contenders.keys()) {
    // Until engines have compiled it for good, but no slow one for long.
    const warm = performance.now() + WARM_MS;
    let slow = false;
    for (let runs = 0; !slow && (runs < 2 || performance.now() < warm); runs++) {
      const start = performance.now();
      await stopwatch(index, 1);
      slow = performance.now() - start > SLOW_MS;
    }
    // Enough repeats for some milliseconds each, as the clock is coarse and asking costs some of them.
    let count = 1;
    while (!slow && count < MOST_REPEATS && (await stopwatch(index, count)) < RUN_MS) count *= 2;
    repeats.push(count);
  }
  const until = performance.now() + budgetMs;
  for (let round = 0; round < 3 || performance.now() < until; round++) {
    for (const [index, count] of repeats.entries()) {
      // One that takes seconds is not asked more often than it needs for a median.
      if (round > 2 && (spent[index] as number) > budgetMs) continue;
      const milliseconds = await stopwatch(index, count);
      spent[index] = (spent[index] as number) + milliseconds;
      times[index]?.push((milliseconds / count) * (card.contenders[index]?.factor ?? 1));
    }
  }
  const medians = times.map((list) => list.sort((a, b) => a - b)[list.length >> 1] as number);
  const base = medians[card.contenders.findIndex(({ engine }) => engine === card.base)];
  return card.contenders.map(({ engine }, index) => {
    const medianMs = medians[index] as number;
    const { shape, causal, flops } = card;
    const row = { where, shape, causal, engine, medianMs, gflops: flops / medianMs / 1e6 };
    if (card.elapsed) {
      const one =
        medians[card.contenders.findIndex((each) => each.engine === (engine.startsWith('peak') ? `peak, ${card.base}` : card.base))];
      return { ...row, ratioToOnnxruntimeWeb: undefined, ratioToOneWorker: (one as number) / medianMs };
    }
    return { ...row, ratioToOnnxruntimeWeb: base === undefined ? undefined : base / medianMs };
  });
}
