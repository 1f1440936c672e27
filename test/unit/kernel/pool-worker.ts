// A worker of Node that serves a kernel pool, in place of a page's.
import { parentPort } from 'node:worker_threads';
import { serveKernel } from '../../../src/kernel/pool.ts';

const port = parentPort;
if (port !== null) {
  serveKernel({
    post: (message, transfer) => port.postMessage(message, [...transfer]),
    listen: (receive) => port.on('message', receive),
    close: () => port.close(),
  });
}
