import type { AttentionInput, AttentionMask, AttentionOptions, AttentionProblem, AttentionResult, HeadStatistics } from './interface.ts';
import { type KernelBinaries, loadKernel } from './load.ts';
import { checkInput, type ResolvedProblem, resolveProblem } from './problem.ts';
import { run } from './steps.ts';

// Heads spread over workers. Pages of editors have no shared memory, so each worker has its own instance of the kernel; heads go to
// it and results come back as buffers that change hands without a copy.

/** One end of a line to a worker, or to its owner. */
export interface Port {
  post(message: unknown, transfer: readonly ArrayBuffer[]): void;
  listen(receive: (message: unknown) => void): void;
  close(): void;
}

type PartOptions = Pick<AttentionOptions, 'weights' | 'statistics' | 'pooled'> & { readonly tokens?: Float64Array };

type Order =
  | { readonly kind: 'load'; readonly binaries: KernelBinaries }
  | { readonly kind: 'cancel'; readonly id: number }
  | {
      readonly kind: 'attend';
      readonly id: number;
      readonly problem: AttentionProblem;
      readonly input: AttentionInput;
      readonly options: PartOptions;
      readonly reuse?: Partial<AttentionResult> | undefined;
    };

type Answer =
  | { readonly kind: 'progress'; readonly id: number; readonly part: number }
  | { readonly kind: 'failed'; readonly id: number; readonly message: string; readonly cancelled: boolean }
  /** The input comes back with the result: its buffers serve again. */
  | { readonly kind: 'done'; readonly id: number; readonly result: AttentionResult; readonly input: AttentionInput };

function buffersOf(...things: readonly (Partial<AttentionResult> | AttentionInput | undefined)[]): ArrayBuffer[] {
  const arrays = things.flatMap((thing) => {
    if (thing === undefined) return [];
    if ('query' in thing) return [thing.query, thing.key, thing.value];
    return [thing.output, thing.weights, thing.pooled?.maximum, thing.pooled?.mean, thing.pooled?.columnSums, thing.pooled?.rowSums];
  });
  return arrays.flatMap((array) => (array === undefined || array.byteLength === 0 ? [] : [array.buffer as ArrayBuffer]));
}

/** What runs in a worker: answers the orders of a pool, one at a time. */
export function serveKernel(port: Port): void {
  let kernel = loadKernel({});
  const running = new Map<number, AbortController>();
  const attend = async (order: Extract<Order, { kind: 'attend' }>): Promise<void> => {
    const { id, problem, input, options, reuse } = order;
    const controller = new AbortController();
    running.set(id, controller);
    try {
      const steps = (await kernel).attentionSteps(problem, input, { ...options, reuse });
      const progress = (part: number): void => port.post({ kind: 'progress', id, part } satisfies Answer, []);
      const result = await run(steps, { signal: controller.signal, progress });
      port.post({ kind: 'done', id, result, input } satisfies Answer, buffersOf(result, input));
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      port.post({ kind: 'failed', id, message, cancelled: controller.signal.aborted } satisfies Answer, []);
    }
    running.delete(id);
  };
  port.listen((message) => {
    const order = message as Order;
    if (order.kind === 'load') kernel = loadKernel(order.binaries);
    else if (order.kind === 'cancel') running.get(order.id)?.abort();
    else void attend(order);
  });
}

/** Heads that one worker computed: `heads` from `head` on. */
export interface PoolPart {
  readonly head: number;
  readonly heads: number;
  readonly result: AttentionResult;
}

/** Parts in the order of their heads. Each keeps the arrays in which it came: to put them together would cost a copy. */
export interface PoolResult {
  readonly parts: readonly PoolPart[];
  readonly statistics?: readonly HeadStatistics[];
  /** The weights of a head. [queryLength, keyLength] */
  weights(head: number): Float32Array | undefined;
  /** The output of a head. [queryLength, valueDim] */
  output(head: number): Float32Array;
}

export interface PoolOptions extends Omit<AttentionOptions, 'reuse' | 'progress'> {
  /** Cancels: the promise rejects with its reason at once, the workers stop within a step. */
  readonly signal?: AbortSignal;
  /** Called with the part that is done, from 0 to 1. */
  readonly progress?: (part: number) => void;
  /** A result that nobody reads any more: its arrays go back to the workers, to be written over. */
  readonly reuse?: PoolResult;
}

export interface KernelPool {
  readonly workers: number;
  attention(problem: AttentionProblem, input: AttentionInput, options?: PoolOptions): Promise<PoolResult>;
  /** Ends the workers; what runs is never answered. */
  close(): void;
}

/** Which heads go to which worker: key/value groups stay together while there are enough of them. */
export function splitHeads(
  { keyValueHeads, group }: Pick<ResolvedProblem, 'keyValueHeads' | 'group'>,
  workers: number,
): readonly {
  readonly head: number;
  readonly heads: number;
  readonly shared: number;
  readonly sharedHeads: number;
}[] {
  const parts = [];
  if (keyValueHeads >= workers) {
    for (let worker = 0; worker < workers; worker++) {
      const shared = Math.floor((worker * keyValueHeads) / workers);
      const sharedHeads = Math.floor(((worker + 1) * keyValueHeads) / workers) - shared;
      parts.push({ head: shared * group, heads: sharedHeads * group, shared, sharedHeads });
    }
    return parts;
  }
  const pieces = Math.min(group, Math.ceil(workers / keyValueHeads));
  for (let shared = 0; shared < keyValueHeads; shared++) {
    for (let piece = 0; piece < pieces; piece++) {
      const from = Math.floor((piece * group) / pieces);
      parts.push({ head: shared * group + from, heads: Math.floor(((piece + 1) * group) / pieces) - from, shared, sharedHeads: 1 });
    }
  }
  return parts;
}

/** The rows of a mask that belong to some heads, where it has rows of its own for each. */
function maskOf(mask: AttentionMask | undefined, plane: number, head: number, heads: number): AttentionMask | undefined {
  const cut = <T extends Uint8Array | Float32Array>(numbers: T): T =>
    (numbers.length === plane ? numbers.slice() : numbers.slice(head * plane, (head + heads) * plane)) as T;
  if (mask?.kind === 'boolean') return { kind: 'boolean', visible: cut(mask.visible) };
  if (mask?.kind === 'additive') return { kind: 'additive', bias: cut(mask.bias) };
  if (mask?.kind === 'all') return { kind: 'all', masks: mask.masks.map((each) => maskOf(each, plane, head, heads) as AttentionMask) };
  return mask;
}

/**
 * @param connect starts a worker that calls serveKernel
 * @param count workers, at least 1
 */
export function createKernelPool(connect: () => Port, count: number, binaries: KernelBinaries): KernelPool {
  interface Job {
    readonly progress: (part: number) => void;
    readonly done: (answer: Extract<Answer, { kind: 'done' }>) => void;
    readonly failed: (message: string) => void;
  }
  const jobs = new Map<number, Job>();
  let next = 0;
  /** Input buffers that came back, by their length. */
  const spare: Float32Array[] = [];
  const copy = (tensor: Float32Array, from: number, to: number): Float32Array => {
    const at = spare.findIndex((each) => each.length === to - from);
    const target = at < 0 ? new Float32Array(to - from) : (spare.splice(at, 1)[0] as Float32Array);
    target.set(tensor.subarray(from, to));
    return target;
  };
  const ports = Array.from({ length: Math.max(1, count) }, () => {
    const port = connect();
    port.listen((message) => {
      const answer = message as Answer;
      const job = jobs.get(answer.id);
      if (answer.kind === 'progress') {
        job?.progress(answer.part);
        return;
      }
      jobs.delete(answer.id);
      if (answer.kind === 'failed') job?.failed(answer.message);
      else {
        // A few runs' worth of inputs is kept.
        spare.push(answer.input.query, answer.input.key, answer.input.value);
        spare.splice(0, Math.max(0, spare.length - 6 * ports.length));
        job?.done(answer);
      }
    });
    port.post({ kind: 'load', binaries } satisfies Order, []);
    return port;
  });

  return {
    workers: ports.length,
    close: () => {
      for (const port of ports) port.close();
    },
    async attention(problem, input, options = {}) {
      const { signal, progress, reuse, weights, statistics, pooled, tokens } = options;
      signal?.throwIfAborted();
      const resolved = resolveProblem(problem);
      checkInput(resolved, input);
      const { queryHeads, queryLength, keyLength, headDim, valueDim } = resolved;
      const split = splitHeads(resolved, ports.length);
      const done = split.map(() => 0);
      const ids: { readonly id: number; readonly port: Port }[] = [];
      const cancel = (): void => {
        for (const { id, port } of ids) {
          jobs.delete(id);
          port.post({ kind: 'cancel', id } satisfies Order, []);
        }
      };
      const parts = split.map(({ head, heads, shared, sharedHeads }, index) => {
        const distances = queryLength + keyLength - 1;
        const order: Extract<Order, { kind: 'attend' }> = {
          kind: 'attend',
          id: next++,
          problem: {
            ...problem,
            queryHeads: heads,
            keyValueHeads: sharedHeads,
            mask: maskOf(problem.mask, queryLength * keyLength, head, heads),
            sinks: problem.sinks?.slice(head, head + heads),
            relativeBias: problem.relativeBias?.slice(head * distances, (head + heads) * distances),
          },
          input: {
            query: copy(input.query, head * queryLength * headDim, (head + heads) * queryLength * headDim),
            key: copy(input.key, shared * keyLength * headDim, (shared + sharedHeads) * keyLength * headDim),
            value: copy(input.value, shared * keyLength * valueDim, (shared + sharedHeads) * keyLength * valueDim),
          },
          options: { weights, statistics, pooled, ...(tokens === undefined ? {} : { tokens: Float64Array.from(tokens) }) },
          reuse: reuse?.parts[index]?.result,
        };
        const port = ports[index % ports.length] as Port;
        ids.push({ id: order.id, port });
        return new Promise<PoolPart>((resolve, reject) => {
          jobs.set(order.id, {
            progress: (part) => {
              done[index] = (part * heads) / queryHeads;
              progress?.(done.reduce((sum, each) => sum + each, 0));
            },
            done: ({ result }) => resolve({ head, heads, result }),
            failed: (message) => reject(new RangeError(message)),
          });
          port.post(order, buffersOf(order.input, order.reuse));
        });
      });
      const aborted = new Promise<never>((_, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
      });
      try {
        return poolResult(resolved, await Promise.race([Promise.all(parts), aborted]));
      } catch (error) {
        cancel();
        throw error;
      }
    },
  };
}

function poolResult({ queryLength, keyLength, valueDim }: ResolvedProblem, parts: readonly PoolPart[]): PoolResult {
  const of = (head: number, tensor: (result: AttentionResult) => Float32Array | undefined, size: number): Float32Array | undefined => {
    const part = parts.find((each) => head >= each.head && head < each.head + each.heads);
    if (part === undefined) throw new RangeError(`There is no head ${head}.`);
    return tensor(part.result)?.subarray((head - part.head) * size, (head - part.head + 1) * size);
  };
  const statistics = parts.flatMap(({ result }) => result.statistics ?? []);
  return {
    parts,
    ...(statistics.length === 0 ? {} : { statistics }),
    weights: (head) => of(head, (result) => result.weights, queryLength * keyLength),
    output: (head) => of(head, (result) => result.output, queryLength * valueDim) as Float32Array,
  };
}

/** The line to a Web Worker. */
export function workerPort(worker: Worker): Port {
  return {
    post: (message, transfer) => worker.postMessage(message, [...transfer]),
    listen: (receive) => worker.addEventListener('message', (event: MessageEvent<unknown>) => receive(event.data)),
    close: () => worker.terminate(),
  };
}

/** The line from inside a Web Worker to its owner. */
export function ownerPort(scope: {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  addEventListener(type: 'message', listener: (event: MessageEvent<unknown>) => void): void;
  close(): void;
}): Port {
  return {
    post: (message, transfer) => scope.postMessage(message, [...transfer]),
    listen: (receive) => scope.addEventListener('message', (event) => receive(event.data)),
    close: () => scope.close(),
  };
}
