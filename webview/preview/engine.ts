import type { KernelBinaries } from '../../src/kernel/load.ts';
import type { PreviewDesign } from '../protocol.ts';
import { type ComputeReply, type ComputeRequest, type ComputeResult, Computer } from './compute.ts';
import type { SampleSettings } from './sample.ts';

/** A run this long is given up for a newer one; a shorter one is waited for. */
const PATIENCE_MS = 40;

interface Job {
  readonly design: PreviewDesign;
  readonly settings: SampleSettings;
}

export interface EngineEvents {
  result(result: ComputeResult): void;
  progress(done: number, heads: number): void;
  failed(message: string): void;
}

/** Addresses of what the engine fetches. */
export interface EngineSources {
  readonly worker: string;
  readonly wasm: string;
  readonly relaxedWasm?: string;
}

async function fetchBytes(uri: string | undefined): Promise<ArrayBuffer | undefined> {
  if (uri === undefined) return undefined;
  try {
    const response = await fetch(uri);
    return response.ok ? await response.arrayBuffer() : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Computes in a worker, one run at a time, the newest request always. A run that takes long is stopped by ending its worker. Where
 * no worker can start, the page computes itself.
 */
export class Engine {
  readonly #events: EngineEvents;
  #binaries: KernelBinaries = {};
  #workerUri: string | undefined;
  #post: ((request: ComputeRequest) => void) | undefined;
  #worker: Worker | undefined;
  #running: (Job & { readonly id: number; readonly since: number }) | undefined;
  #waiting: Job | undefined;
  #timer: number | undefined;
  #id = 0;

  constructor(events: EngineEvents) {
    this.#events = events;
  }

  /** Fetches the worker and the kernels and starts. Whatever is missing is done without. */
  async start(sources: EngineSources): Promise<void> {
    const [worker, simd, relaxed] = await Promise.all([sources.worker, sources.wasm, sources.relaxedWasm].map(fetchBytes));
    this.#binaries = { ...(simd === undefined ? {} : { simd }), ...(relaxed === undefined ? {} : { relaxed }) };
    if (worker !== undefined) this.#workerUri = URL.createObjectURL(new Blob([worker], { type: 'text/javascript' }));
    this.#spawn();
    this.#next();
  }

  /** Asks for a result; a newer request replaces one that waits. */
  request(design: PreviewDesign, settings: SampleSettings): void {
    this.#waiting = { design, settings };
    this.#next();
  }

  #next(): void {
    if (this.#post === undefined || this.#waiting === undefined) return;
    if (this.#running !== undefined) {
      const left = PATIENCE_MS - (performance.now() - this.#running.since);
      if (this.#worker === undefined) return;
      if (left > 0) {
        clearTimeout(this.#timer);
        this.#timer = window.setTimeout(() => this.#next(), left);
        return;
      }
      this.#worker.terminate();
      this.#running = undefined;
      this.#spawn();
    }
    const { design, settings } = this.#waiting;
    this.#waiting = undefined;
    this.#running = { id: ++this.#id, since: performance.now(), design, settings };
    this.#post({ kind: 'compute', id: this.#id, design, settings });
  }

  #spawn(): void {
    try {
      if (this.#workerUri === undefined) throw new Error('no worker');
      const worker = new Worker(this.#workerUri);
      worker.addEventListener('message', (event: MessageEvent<ComputeReply>) => this.#receive(event.data));
      worker.addEventListener('error', (event) => {
        event.preventDefault();
        if (this.#worker !== worker) return;
        this.#worker = undefined;
        this.#workerUri = undefined;
        this.#waiting ??= this.#running;
        this.#running = undefined;
        this.#here();
        this.#next();
      });
      this.#worker = worker;
      this.#post = (request) => worker.postMessage(request);
      this.#post({ kind: 'load', binaries: this.#binaries });
    } catch {
      this.#here();
    }
  }

  /** Computes in the page. */
  #here(): void {
    this.#worker = undefined;
    const computer = new Computer((reply) => this.#receive(reply));
    this.#post = (request) => void computer.handle(request);
    this.#post({ kind: 'load', binaries: this.#binaries });
  }

  #receive(reply: ComputeReply): void {
    if (reply.id !== this.#running?.id) return;
    if (reply.kind === 'progress') {
      this.#events.progress(reply.done, reply.heads);
      return;
    }
    this.#running = undefined;
    clearTimeout(this.#timer);
    if (reply.kind === 'result') this.#events.result(reply);
    else this.#events.failed(reply.message);
    this.#next();
  }
}
