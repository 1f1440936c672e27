import { Worker } from 'node:worker_threads';
import { optimiseLate } from '../workspace/node.ts';

/** What a worker is started with. */
export interface WorkerStart {
  readonly headwise: 'check';
  readonly values: readonly (readonly [string, readonly string[]])[];
}

/** Hands one file after another to workers of this program; answers in the order of the files. Rejects when a worker dies. */
export async function inWorkers<File, Outcome>(
  files: readonly File[],
  values: WorkerStart['values'],
  jobs: number,
): Promise<readonly Outcome[]> {
  optimiseLate();
  const outcomes: Outcome[] = [];
  let next = 0;
  const run = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const start: WorkerStart = { headwise: 'check', values };
      // Most of what is made for a file is of no use after it: with room for all of it, little is copied.
      const worker = new Worker(__filename, { workerData: start, resourceLimits: { maxYoungGenerationSizeMb: 64 } });
      let current = -1;
      const give = (): void => {
        current = next++;
        if (current < files.length) worker.postMessage(files[current]);
        else worker.terminate().then(() => resolve(), reject);
      };
      worker.on('error', reject);
      worker.on('message', (outcome: Outcome) => {
        outcomes[current] = outcome;
        give();
      });
      give();
    });
  await Promise.all(Array.from({ length: Math.min(jobs, files.length) }, run));
  return outcomes;
}
