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
  type TileReply,
} from './compute.ts';

/** A run this long is given up for a newer one; a shorter one is waited for. */
const PATIENCE_MS = 40;

type Kind = Question['kind'];
/** Kinds of questions, the most urgent first. */
const kinds: readonly Kind[] = ['compute', 'tile', 'step', 'decode', 'compare'];
/** Workers that share heads, at most: beyond, memory limits them and not processors. */
const MOST_HELPERS = 8;

export interface EngineEvents {
  result(result: ComputeResult): void;
  compared(result: ComputeResult): void;
  step(reply: StepReply): void;
  decoded(reply: DecodeReply): void;
  tile(reply: TileReply): void;
  /** A worker ended: what was handed over to it has to be given again. */
  lost(): void;
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
 * cancelled for a newer computation. Where the machine has more than one processor, further workers take heads over. Where no worker
 * can start, the page computes itself, in slices.
 */
export class Engine {
  readonly #events: EngineEvents;
  readonly #context = new Map<Context['kind'], Context>();
  readonly #waiting = new Map<Kind, Question>();
  /** Given before there was anything to give it to. */
  #early: Context[] = [];
  #workerUri: string | undefined;
  #binaries: KernelBinaries = {};
  #post: ((request: ComputeRequest, transfer?: Transferable[]) => void) | undefined;
  #workers: readonly Worker[] = [];
  /** Workers that are wanted beside the one that answers. */
  #helpers: number;
  #running: { readonly id: number; readonly since: number; readonly question: Question } | undefined;
  #timer: number | undefined;
  #id = 0;

  constructor(events: EngineEvents, processors = navigator.hardwareConcurrency || 1) {
    this.#events = events;
    this.#helpers = processors > 1 ? Math.min(processors, MOST_HELPERS) : 0;
  }

  /** Fetches the worker, the kernels and the sample model, and starts. Whatever is missing is done without. */
  async start(sources: EngineSources): Promise<void> {
    const uris = [sources.worker, sources.wasm, sources.relaxedWasm, sources.model];
    const [worker, simd, relaxed, model] = await Promise.all(uris.map(fetchBytes));
    this.#binaries = { ...(simd === undefined ? {} : { simd }), ...(relaxed === undefined ? {} : { relaxed }) };
    this.#context.set('load', { kind: 'load', binaries: this.#binaries });
    if (model !== undefined) this.#context.set('model', { kind: 'model', bytes: new Uint8Array(model) });
    if (worker !== undefined) this.#workerUri = URL.createObjectURL(new Blob([worker], { type: 'text/javascript' }));
    this.#spawn();
    this.#next();
  }

  /** Gives what later questions stand on. Bytes are handed over: the page keeps none. */
  give(context: Context): void {
    if (this.#post === undefined) this.#early.push(context);
    else if ('bytes' in context) this.#post(context, [context.bytes.buffer as ArrayBuffer]);
    else {
      this.#context.set(context.kind, context);
      this.#post(context);
    }
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
    this.#stop();
  }

  #stop(): void {
    if (this.#running !== undefined) this.#post?.({ kind: 'cancel', id: this.#running.id });
    this.#running = undefined;
  }

  #next(): void {
    const kind = kinds.find((each) => this.#waiting.has(each));
    const question = kind === undefined ? undefined : this.#waiting.get(kind);
    if (this.#post === undefined || question === undefined) return;
    if (this.#running !== undefined) {
      if (question.kind !== 'compute') return;
      const left = PATIENCE_MS - (performance.now() - this.#running.since);
      if (left > 0) {
        clearTimeout(this.#timer);
        this.#timer = window.setTimeout(() => this.#next(), left);
        return;
      }
      this.#stop();
    }
    this.#waiting.delete(question.kind);
    this.#running = { id: ++this.#id, since: performance.now(), question };
    this.#post({ ...question, id: this.#id });
  }

  #spawn(): void {
    const started: Worker[] = [];
    const start = (uri: string): Worker => {
      const worker = new Worker(uri);
      started.push(worker);
      worker.addEventListener('error', (event) => {
        event.preventDefault();
        if (this.#workers.includes(worker)) this.#failed(worker === this.#workers[0]);
      });
      return worker;
    };
    try {
      if (this.#workerUri === undefined) throw new Error('no worker');
      const worker = start(this.#workerUri);
      worker.addEventListener('message', (event: MessageEvent<ComputeReply>) => this.#receive(event.data));
      const ports: MessagePort[] = [];
      for (let helper = 0; helper < this.#helpers; helper++) {
        const { port1, port2 } = new MessageChannel();
        start(this.#workerUri).postMessage({ kind: 'serve', port: port1 }, [port1]);
        ports.push(port2);
      }
      this.#workers = started;
      this.#begin((request, transfer = []) => worker.postMessage(request, transfer));
      if (ports.length > 0) worker.postMessage({ kind: 'helpers', ports, binaries: this.#binaries } satisfies Context, ports);
    } catch {
      for (const worker of started) worker.terminate();
      this.#here();
    }
  }

  /** A worker could not start, or ended: another try without helpers, and without workers after that. */
  #failed(first: boolean): void {
    for (const worker of this.#workers) worker.terminate();
    this.#workers = [];
    const running = this.#running;
    if (running !== undefined && !this.#waiting.has(running.question.kind)) this.#waiting.set(running.question.kind, running.question);
    this.#running = undefined;
    if (first) {
      this.#workerUri = undefined;
      this.#here();
    } else {
      this.#helpers = 0;
      this.#spawn();
    }
    this.#events.lost();
    this.#next();
  }

  /** Computes in the page. */
  #here(): void {
    const computer = new Computer((reply) => this.#receive(reply));
    this.#begin((request) => void computer.handle(request));
  }

  #begin(post: (request: ComputeRequest, transfer?: Transferable[]) => void): void {
    this.#post = post;
    for (const context of this.#context.values()) post(context);
    for (const context of this.#early.splice(0)) this.give(context);
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
    else if (reply.kind === 'tile') this.#events.tile(reply);
    else if (running.question.kind === 'compare') this.#events.compared(reply);
    else this.#events.result(reply);
    this.#next();
  }
}
