// A worker of the kernel's benchmark in a page: attention for a pool, and the loop of multiply-adds on registers alone.
import { ownerPort, serveKernel } from '../../src/kernel/pool.ts';

type Scope = Parameters<typeof ownerPort>[0];

const scope = globalThis as unknown as Scope;
let peak: ((rounds: number) => number) | undefined;

scope.addEventListener('message', ({ data }) => {
  const message = data as { readonly peak?: WebAssembly.Module; readonly rounds?: number };
  if (message.peak !== undefined) peak = new WebAssembly.Instance(message.peak).exports.run as (rounds: number) => number;
  if (message.rounds !== undefined) scope.postMessage({ peak: peak?.(message.rounds) }, []);
});

serveKernel({
  ...ownerPort(scope),
  listen: (receive) =>
    scope.addEventListener('message', ({ data }) => {
      if ('kind' in (data as object)) receive(data);
    }),
});
