import type { AttentionOptions, AttentionProblem, AttentionResult, Kernel, PooledWeights, Steps } from '../../src/kernel/interface.ts';
import type { KernelPool, PoolResult, Port } from '../../src/kernel/pool.ts';
import type { Products } from './run.ts';

/** Multiplications from which on the way to other workers and back is worth it: some milliseconds of computing. */
const WORTH_SPREADING = 1e8;

/** A kernel whose attention is spread over a pool's workers, and what its steps wait for in between. */
export interface Spread extends Products {
  waiting(): Promise<unknown> | undefined;
  /** Workers that took part so far. */
  workers(): number;
}

/** Arrays of an earlier answer that were copied out of: the workers may write over them. */
export interface Spare {
  result?: PoolResult | undefined;
}

/**
 * @param signal cancels what the pool computes
 * @param spare kept from one run to the next
 */
export function spreadOver(kernel: Kernel, pool: KernelPool, signal: AbortSignal, spare: Spare): Spread {
  let waiting: Promise<unknown> | undefined;
  let workers = 1;
  return {
    waiting: () => waiting,
    workers: () => workers,
    matrixMultiplySteps: kernel.matrixMultiplySteps,
    *attentionSteps(...[problem, input, options = {}]: Parameters<Kernel['attentionSteps']>): Steps<AttentionResult> {
      if (multiplications(problem) < WORTH_SPREADING) return yield* kernel.attentionSteps(problem, input, options);
      let part = 0;
      let wake: () => void = () => undefined;
      const sleep = (): void => {
        waiting = new Promise<void>((resolve) => {
          wake = resolve;
        });
      };
      let done: PoolResult | undefined;
      let failure: { readonly reason: unknown } | undefined;
      const { weights, statistics, pooled, tokens } = options;
      // Handed over, and gone whatever becomes of this run.
      const { result: reuse } = spare;
      spare.result = undefined;
      const progress = (value: number): void => {
        part = value;
        wake();
      };
      sleep();
      workers = pool.workers;
      pool
        .attention(problem, input, { weights, statistics, pooled, tokens, signal, progress, ...(reuse === undefined ? {} : { reuse }) })
        .then(
          (result) => {
            done = result;
            wake();
          },
          (reason: unknown) => {
            failure = { reason };
            wake();
          },
        );
      try {
        for (;;) {
          // Set by the answer, between two steps.
          const ended = done as PoolResult | undefined;
          if (ended !== undefined) {
            const result = whole(ended, options.reuse);
            // One part alone is the result itself.
            if (ended.parts.length > 1) spare.result = ended;
            return result;
          }
          const failed = failure as { readonly reason: unknown } | undefined;
          if (failed !== undefined) throw failed.reason;
          sleep();
          yield part;
        }
      } finally {
        waiting = undefined;
      }
    },
  };
}

function multiplications({
  queryHeads,
  queryLength,
  keyLength = queryLength,
  headDim,
  valueDim = headDim,
  mask,
}: AttentionProblem): number {
  const seen = mask === undefined || mask.kind === 'none' ? 1 : 0.5;
  return queryHeads * queryLength * keyLength * (headDim + valueDim) * seen;
}

/** The parts of all workers in one, as the kernel itself returns it. */
function whole({ parts, statistics }: PoolResult, reuse: AttentionOptions['reuse']): AttentionResult {
  const joinOf = (of: (result: AttentionResult) => Float32Array | undefined, target?: Float32Array): Float32Array | undefined => {
    const found = parts.flatMap(({ result }) => of(result) ?? []);
    return found.length === 0 ? undefined : joined(found, target);
  };
  const weights = joinOf((result) => result.weights, reuse?.weights);
  const pooled = (name: 'maximum' | 'mean' | 'columnSums' | 'rowSums'): Float32Array =>
    joinOf((result) => result.pooled?.[name]) ?? new Float32Array(0);
  const size: PooledWeights | undefined = parts[0]?.result.pooled;
  return {
    output: joinOf((result) => result.output) ?? new Float32Array(0),
    ...(weights === undefined ? {} : { weights }),
    ...(statistics === undefined ? {} : { statistics }),
    ...(size === undefined
      ? {}
      : {
          pooled: {
            rows: size.rows,
            columns: size.columns,
            maximum: pooled('maximum'),
            mean: pooled('mean'),
            columnSums: pooled('columnSums'),
            rowSums: pooled('rowSums'),
          },
        }),
  };
}

/** Tensors one after the other, in `target` where that has their length. */
export function joined(parts: readonly Float32Array[], target?: Float32Array): Float32Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const fits = target?.length === length;
  if (parts.length === 1 && !fits) return parts[0] as Float32Array;
  const all = fits ? target : new Float32Array(length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** One end of a channel between two workers. */
export function channelPort(port: MessagePort): Port {
  return {
    post: (message, transfer) => port.postMessage(message, [...transfer]),
    listen(receive) {
      port.onmessage = (event: MessageEvent<unknown>) => receive(event.data);
    },
    close: () => port.close(),
  };
}
