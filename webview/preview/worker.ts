import { type ComputeRequest, Computer } from './compute.ts';

// Runs in a worker started from a blob by the page, which is the only sender.
const scope = self as unknown as DedicatedWorkerGlobalScope;
const computer = new Computer((reply, transfer) => scope.postMessage(reply, [...transfer] as ArrayBuffer[]));
scope.addEventListener('message', (event: MessageEvent<ComputeRequest>) => void computer.handle(event.data));
