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
}

/** Lets whatever waits run: a message to oneself, since timers wait longer the more often they are asked. */
function otherWork(channel: MessageChannel): Promise<void> {
  return new Promise((resolve) => {
    channel.port1.onmessage = () => resolve();
    channel.port2.postMessage(undefined);
  });
}

/** Runs a computation in slices with other work in between: messages, input, cancelling. */
export async function run<T>(steps: Steps<T>, options: RunOptions = {}): Promise<T> {
  const { signal, slice = 12, progress } = options;
  const channel = new MessageChannel();
  try {
    for (;;) {
      signal?.throwIfAborted();
      const until = performance.now() + slice;
      do {
        const step = steps.next();
        if (step.done === true) return step.value;
        if (performance.now() >= until) progress?.(step.value);
      } while (performance.now() < until);
      await otherWork(channel);
    }
  } finally {
    steps.return(undefined as never);
    channel.port1.close();
  }
}
