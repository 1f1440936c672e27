import { serveKernel } from '../../src/kernel/pool.ts';
import { type ComputeRequest, Computer } from './compute.ts';
import { channelPort } from './parallel.ts';

// Runs in a worker started from a blob by the page, which is the only sender: one answers the page, others take heads over from it.
const scope = self as unknown as DedicatedWorkerGlobalScope;
const computer = new Computer((reply, transfer) => scope.postMessage(reply, [...transfer] as ArrayBuffer[]));
scope.addEventListener('message', (event: MessageEvent<ComputeRequest | { readonly kind: 'serve'; readonly port: MessagePort }>) => {
  if (event.data.kind === 'serve') serveKernel(channelPort(event.data.port));
  else void computer.handle(event.data);
});
