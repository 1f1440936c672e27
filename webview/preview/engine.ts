import type { KernelBinaries } from '../../src/kernel/load.ts';
import {
  type ComputeReply,
  type ComputeRequest,
  type ComputeResult,
  Computer,
  type Context,
  type DecodeReply,
  type Question,
  type StepReply,
} from './compute.ts';

/** A run this long is given up for a newer one; a shorter one is waited for. */
const PATIENCE_MS = 40;

type Kind = Question['kind'];
/** Kinds of questions, the most urgent first. */
const kinds: readonly Kind[] = ['compute', 'step', 'decode', 'compare'];

export interface EngineEvents {
  result(result: ComputeResult): void;
  compared(result: ComputeResult): void;
  step(reply: StepReply): void;
  decoded(reply: DecodeReply): void;
  progress(done: number, heads: number): void;
  failed(message: string, kind: Kind): void;
}

/** Addresses of what the engine fetches. */
export interface EngineSources {
  readonly worker: string;
  readonly wasm: string;
  readonly relaxedWasm?: string;
  readonly model?: string;
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
 * Answers questions in a worker, one at a time: of each kind the newest alone, a computation before all. A run that takes long is
 * stopped for a newer computation by ending its worker. Where no worker can start, the page computes itself.
 */
export class Engine {
  readonly #events: EngineEvents;
  readonly #context = new Map<Context['kind'], Context>();
  readonly #waiting = new Map<Kind, Question>();
  #workerUri: string | undefined;
  #post: ((request: ComputeRequest) => void) | undefined;
  #worker: Worker | undefined;
  #running: { readonly id: number; readonly since: number; readonly question: Question } | undefined;
  #timer: number | undefined;
  #id = 0;

  constructor(events: EngineEvents) {
    this.#events = events;
  }

  /** Fetches the worker, the kernels and the sample model, and starts. Whatever is missing is done without. */
  async start(sources: EngineSources): Promise<void> {
    const uris = [sources.worker, sources.wasm, sources.relaxedWasm, sources.model];
    const [worker, simd, relaxed, model] = await Promise.all(uris.map(fetchBytes));
    const binaries: KernelBinaries = { ...(simd === undefined ? {} : { simd }), ...(relaxed === undefined ? {} : { relaxed }) };
    this.#context.set('load', { kind: 'load', binaries });
    if (model !== undefined) this.#context.set('model', { kind: 'model', bytes: new Uint8Array(model) });
    if (worker !== undefined) this.#workerUri = URL.createObjectURL(new Blob([worker], { type: 'text/javascript' }));
    this.#spawn();
    this.#next();
  }

  /** Gives what later questions stand on. */
  give(context: Context): void {
    this.#context.set(context.kind, context);
    this.#post?.(context);
  }

  /** Asks; a newer question replaces one of its kind that waits. A new computation makes questions about the last one void. */
  ask(question: Question): void {
    if (question.kind === 'compute') this.#waiting.clear();
    this.#waiting.set(question.kind, question);
    this.#next();
  }

  /** Gives up what runs and what waits. */
  cancel(): void {
    this.#waiting.clear();
    if (this.#running === undefined || this.#worker === undefined) return;
    this.#worker.terminate();
    this.#running = undefined;
    this.#spawn();
  }

  #next(): void {
    const kind = kinds.find((each) => this.#waiting.has(each));
    const question = kind === undefined ? undefined : this.#waiting.get(kind);
    if (this.#post === undefined || question === undefined) return;
    if (this.#running !== undefined) {
      if (this.#worker === undefined || question.kind !== 'compute') return;
      const left = PATIENCE_MS - (performance.now() - this.#running.since);
      if (left > 0) {
        clearTimeout(this.#timer);
        this.#timer = window.setTimeout(() => this.#next(), left);
        return;
      }
      this.#worker.terminate();
      this.#running = undefined;
      this.#spawn();
    }
    this.#waiting.delete(question.kind);
    this.#running = { id: ++this.#id, since: performance.now(), question };
    this.#post({ ...question, id: this.#id });
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
        const running = this.#running;
        if (running !== undefined && !this.#waiting.has(running.question.kind)) this.#waiting.set(running.question.kind, running.question);
        this.#running = undefined;
        this.#here();
        this.#next();
      });
      this.#worker = worker;
      this.#begin((request) => worker.postMessage(request));
    } catch {
      this.#here();
    }
  }

  /** Computes in the page. */
  #here(): void {
    this.#worker = undefined;
    const computer = new Computer((reply) => this.#receive(reply));
    this.#begin((request) => void computer.handle(request));
  }

  #begin(post: (request: ComputeRequest) => void): void {
    this.#post = post;
    for (const context of this.#context.values()) post(context);
  }

  #receive(reply: ComputeReply): void {
    const running = this.#running;
    if (running === undefined || reply.id !== running.id) return;
    if (reply.kind === 'progress') {
      this.#events.progress(reply.done, reply.heads);
      return;
    }
    this.#running = undefined;
    clearTimeout(this.#timer);
    if (reply.kind === 'failed') this.#events.failed(reply.message, running.question.kind);
    else if (reply.kind === 'step') this.#events.step(reply);
    else if (reply.kind === 'decode') this.#events.decoded(reply);
    else if (running.question.kind === 'compare') this.#events.compared(reply);
    else this.#events.result(reply);
    this.#next();
  }
}
