import type { Kernel, Steps } from './interface.ts';

export type { Steps };

/** Runs a computation to its end. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** The three calls of a kernel that run to their end at once, from those that go step by step. */
export function atOnce(
  kernel: Pick<Kernel, 'attentionSteps' | 'matrixMultiplySteps' | 'multiHeadAttentionSteps'>,
): Pick<Kernel, 'attention' | 'matrixMultiply' | 'multiHeadAttention'> {
  return {
    attention: (...call) => finish(kernel.attentionSteps(...call)),
    matrixMultiply: (...call) => finish(kernel.matrixMultiplySteps(...call)),
    multiHeadAttention: (...call) => finish(kernel.multiHeadAttentionSteps(...call)),
  };
}

/** A part of a computation, from `from` to `to` of the whole. */
export function* part<T>(steps: Steps<T>, from: number, to: number): Steps<T> {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    yield from + step.value * (to - from);
  }
}

/** Numbers that a loop in JavaScript goes through in a step: a few milliseconds. */
const PIECE_NUMBERS = 2 ** 18;

/** Work on `count` things of `each` numbers, some of them a step: from `first` up to but without `end`. */
export function* inPieces(count: number, each: number, work: (first: number, end: number) => void): Steps<void> {
  const piece = Math.max(1, Math.floor(PIECE_NUMBERS / Math.max(1, each)));
  for (let first = 0; first < count; first += piece) {
    const end = Math.min(count, first + piece);
    work(first, end);
    // Small work is done within what comes before or after it.
    if (count > piece) yield end / count;
  }
}

/** The array of an earlier result where its length is right, else a new one. A new one is zeros, the other anything. */
export function takeArray(reused: Float32Array | undefined, length: number): Float32Array {
  return reused !== undefined && reused.length === length ? reused : new Float32Array(length);
}

export interface RunOptions {
  /** Rejects with its reason, within a step of some milliseconds. */
  readonly signal?: AbortSignal;
  /** Milliseconds of computing between two looks at other work. Default 12. */
  readonly slice?: number;
  /** Called at each such look with the part that is done, from 0 to 1. */
  readonly progress?: (part: number) => void;
  /** What the computation waits for elsewhere after a step, if anything: it goes on when that is there. */
  readonly waiting?: () => Promise<unknown> | undefined;
}

/**
 * Lets whatever waits run. In browsers by a message to oneself, since timers wait longer the more often they are asked; Node handles
 * a thousand messages in a row before it looks at anything else, but has setImmediate.
 */
function otherWork(channel: MessageChannel | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (channel === undefined) {
      setImmediate(resolve);
      return;
    }
    channel.port1.onmessage = () => resolve();
    channel.port2.postMessage(undefined);
  });
}

/** Runs a computation in slices with other work in between: messages, input, cancelling. */
export async function run<T>(steps: Steps<T>, options: RunOptions = {}): Promise<T> {
  const { signal, slice = 12, progress, waiting } = options;
  const channel = typeof setImmediate === 'function' ? undefined : new MessageChannel();
  try {
    for (;;) {
      signal?.throwIfAborted();
      const until = performance.now() + slice;
      do {
        const step = steps.next();
        if (step.done === true) return step.value;
        const other = waiting?.();
        if (other !== undefined || performance.now() >= until) progress?.(step.value);
        if (other !== undefined) await other;
      } while (performance.now() < until);
      await otherWork(channel);
    }
  } finally {
    steps.return(undefined as never);
    channel?.port1.close();
  }
}
