import type { HeadStatistics, Kernel, KernelName } from '../../src/kernel/interface.ts';
import { type KernelBinaries, loadKernel } from '../../src/kernel/load.ts';
import { rmsNorm } from '../../src/kernel/multi-head.ts';
import { createKernelPool, type KernelPool } from '../../src/kernel/pool.ts';
import { resolveProblem } from '../../src/kernel/problem.ts';
import { finish, inPieces, run as runSteps, type Steps } from '../../src/kernel/steps.ts';
import type { CheckpointMessage, PreviewDesign } from '../protocol.ts';
import { asTokens, readArrays } from './arrays.ts';
import { Checkpoint, type CheckpointPart } from './checkpoint.ts';
import { decoderOf, type LayerDecoder } from './decoding.ts';
import { makeModelSample, readModel, type TrainedModel } from './model.ts';
import { channelPort, joined, type Spare, type Spread, spreadOver } from './parallel.ts';
import type { RandomWeights } from './projections.ts';
import { layerInput, layerOutput, type Products, runSampleSteps, type SampleRun } from './run.ts';
import { makeSampleSteps, type Sample, type TokenRows } from './sample.ts';
import { effectiveDesign, MAX_LENGTH, type SampleSettings } from './settings.ts';
import { type StepNumbers, stepThrough } from './step.ts';
import { tileSteps } from './tile.ts';
import { loadTokenizer, type TextTokenizer } from './tokenizer.ts';

/** What a picture follows from. */
export interface Job {
  readonly design: PreviewDesign;
  readonly settings: SampleSettings;
  /** Keep maps at display resolution only. */
  readonly pooled: boolean;
}

/** What the page has to give before a job can be computed; given again to every new worker. */
export type Context =
  | { readonly kind: 'load'; readonly binaries: KernelBinaries }
  | { readonly kind: 'model'; readonly bytes: Uint8Array }
  | { readonly kind: 'tokenizer'; readonly json: string }
  | { readonly kind: 'file'; readonly name: string; readonly bytes: Uint8Array }
  /** Ends of channels to workers that take heads over. */
  | { readonly kind: 'helpers'; readonly ports: readonly MessagePort[]; readonly binaries: KernelBinaries }
  /** What a checkpoint's layers are made of; their numbers follow. */
  | { readonly kind: 'checkpoint'; readonly message: CheckpointMessage }
  | ({ readonly kind: 'part' } & CheckpointPart);

/** From the page to what computes: a worker, or the page itself where no worker can start. */
export type Question =
  | { readonly kind: 'compute'; readonly job: Job }
  /** Another design, to be compared. */
  | { readonly kind: 'compare'; readonly job: Job }
  | { readonly kind: 'step'; readonly job: Job; readonly layer: number; readonly head: number; readonly row: number }
  | { readonly kind: 'decode'; readonly job: Job; readonly length: number }
  /** Exact weights of some rows of heads, which are numbered among those of all layers. */
  | { readonly kind: 'tile'; readonly job: Job; readonly heads: readonly number[]; readonly row: number; readonly rows: number };
export type ComputeRequest = Context | { readonly kind: 'cancel'; readonly id: number } | (Question & { readonly id: number });

export interface ComputeResult {
  readonly kind: 'result';
  readonly id: number;
  readonly kernel: KernelName;
  /** Workers that computed it. */
  readonly workers: number;
  /** Time of the multi-head functions alone. */
  readonly milliseconds: number;
  /** As computed, with what was set by hand. */
  readonly design: PreviewDesign;
  readonly settings: SampleSettings;
  readonly tokens: readonly string[];
  readonly ids: Int32Array;
  /** Layers in the maps, one after the other. */
  readonly layers: number;
  /** The first one's number in the model. */
  readonly firstLayer: number;
  /** Rows and columns of a map: the number of tokens, or fewer where weights are pooled. */
  readonly size: number;
  /** The weights, or their maxima over tiles. [layers * queryHeads, size, size] */
  readonly maps: Float32Array;
  /** Mean weights of tiles, where pooled. [layers * queryHeads, size, size] */
  readonly means?: Float32Array;
  readonly pooled: boolean;
  /** Token i may see tokens lows[i] <= j < highs[i]. [tokens] */
  readonly lows: Int32Array;
  readonly highs: Int32Array;
  /** Of each layer's heads. */
  readonly statistics: readonly HeadStatistics[];
  /** Length of each value vector. [layers * keyValueHeads, tokens] */
  readonly valueNorms: Float32Array;
  /** [tokens, width] */
  readonly output: Float32Array;
  readonly width: number;
  /** The trained model's likeliest next tokens after each token. */
  readonly predictions?: readonly (readonly Prediction[])[];
}

export interface Prediction {
  readonly token: string;
  readonly probability: number;
}

export interface StepReply extends StepNumbers {
  readonly kind: 'step';
  readonly id: number;
}

export interface DecodeReply {
  readonly kind: 'decode';
  readonly id: number;
  /** Tokens so far. */
  readonly length: number;
  /** The newest token's row of every head. [layers * queryHeads, length] */
  readonly weights: Float32Array;
  /** Numbers in the caches of keys and values of all layers. */
  readonly cached: number;
  /** Of the newest token alone. */
  readonly milliseconds: number;
  /** Largest difference of its result from that row of the whole computation. */
  readonly difference: number;
  /** Largest number of that row. */
  readonly extent: number;
}

/** Rows of heads' weights, exact. */
export interface TileReply {
  readonly kind: 'tile';
  readonly id: number;
  readonly heads: readonly number[];
  /** The first row. */
  readonly row: number;
  readonly rows: number;
  /** [heads, rows, tokens] */
  readonly weights: Float32Array;
}

export type ComputeReply =
  | { readonly kind: 'progress'; readonly id: number; readonly done: number; readonly heads: number }
  | { readonly kind: 'failed'; readonly id: number; readonly message: string }
  | ComputeResult
  | StepReply
  | DecodeReply
  | TileReply;

/** Rows and columns of a pooled map. */
export const POOLED_SIZE = 512;

interface Done {
  readonly key: string;
  readonly design: PreviewDesign;
  readonly sample: Sample;
  readonly run: SampleRun;
  /** Time of the layers' functions, without making the sample. */
  readonly milliseconds: number;
  decoding?: { readonly decoders: readonly LayerDecoder[]; length: number };
}

/** Answers requests one after the other, in slices: what arrives in between can cancel. The last computation is kept, for questions about it. */
export class Computer {
  readonly #reply: (reply: ComputeReply, transfer: readonly ArrayBufferLike[]) => void;
  readonly #kept = new Map<string, RandomWeights>();
  #kernel: Promise<Kernel> = loadKernel({});
  #pool: KernelPool | undefined;
  readonly #spare: Spare = {};
  #model: TrainedModel | undefined;
  #checkpoint: Checkpoint | undefined;
  #tokenizer: { readonly json: string; made?: TextTokenizer } | undefined;
  #rows: { readonly read: () => TokenRows; rows?: TokenRows } | undefined;
  #done: Done | undefined;
  #running: { readonly id: number; readonly controller: AbortController } | undefined;
  /** Ends with the request before. */
  #turn: Promise<void> = Promise.resolve();

  constructor(reply: (reply: ComputeReply, transfer: readonly ArrayBufferLike[]) => void) {
    this.#reply = reply;
  }

  handle(request: ComputeRequest): Promise<void> {
    if (request.kind === 'cancel') {
      if (this.#running?.id === request.id) this.#running.controller.abort();
      return Promise.resolve();
    }
    this.#turn = this.#turn.then(() => ('id' in request ? this.#answer(request) : this.#take(request)));
    return this.#turn;
  }

  #take(context: Context): void {
    switch (context.kind) {
      case 'load':
        this.#kernel = loadKernel(context.binaries);
        return;
      case 'helpers': {
        const ports = [...context.ports];
        this.#pool = createKernelPool(() => channelPort(ports.pop() as MessagePort), ports.length, context.binaries);
        return;
      }
      case 'model':
        this.#model = readModel(context.bytes);
        return;
      case 'checkpoint':
        this.#checkpoint = new Checkpoint(context.message);
        this.#done = undefined;
        return;
      case 'part':
        this.#checkpoint?.take(context);
        return;
      case 'tokenizer':
        this.#tokenizer = { json: context.json };
        this.#done = undefined;
        return;
      case 'file':
        this.#rows = { read: () => firstRows(context.name, context.bytes) };
        this.#done = undefined;
        return;
    }
  }

  async #answer(request: Question & { readonly id: number }): Promise<void> {
    const { id } = request;
    const controller = new AbortController();
    this.#running = { id, controller };
    const on = (kernel: Kernel): On => {
      const spread = this.#pool === undefined ? undefined : spreadOver(kernel, this.#pool, controller.signal, this.#spare);
      return { id, kernel, spread, products: spread ?? kernel, signal: controller.signal };
    };
    try {
      const all = on(await this.#kernel);
      const { kernel } = all;
      if (request.kind === 'compute' || request.kind === 'compare') {
        const result = await this.#compute(all, request.job, request.kind === 'compute');
        this.#reply(result, [result.maps.buffer, ...(result.means === undefined ? [] : [result.means.buffer])]);
      } else if (request.kind === 'step') {
        const { layer, head, row } = request;
        const done = await this.#known(all, request.job);
        this.#reply({ kind: 'step', id, ...stepThrough(kernel, done.sample, done.run, layer, head, row) }, []);
      } else if (request.kind === 'tile') {
        const { heads, row, rows } = request;
        const done = await this.#known(all, request.job);
        const parts: Float32Array[] = [];
        for (const head of heads) parts.push(await this.#go(all, tileSteps(all.products, done.sample, done.run, head, row, rows)));
        const weights = joined(parts);
        this.#reply({ kind: 'tile', id, heads, row, rows, weights }, [weights.buffer]);
      } else this.#reply({ kind: 'decode', id, ...(await this.#decode(all, await this.#known(all, request.job), request.length)) }, []);
    } catch (error) {
      // Nobody waits for what was cancelled.
      if (!controller.signal.aborted)
        this.#reply({ kind: 'failed', id, message: error instanceof Error ? error.message : String(error) }, []);
    }
    this.#running = undefined;
  }

  /** Runs steps to their end with messages heard in between. */
  #go<T>({ signal, spread }: On, steps: Steps<T>, progress?: (part: number) => void): Promise<T> {
    return runSteps(steps, {
      signal,
      ...(spread === undefined ? {} : { waiting: spread.waiting }),
      ...(progress === undefined ? {} : { progress }),
    });
  }

  *#sample(job: Job): Steps<{ readonly design: PreviewDesign; readonly sample: Sample }> {
    const { settings } = job;
    if (settings.model === 'trained') {
      if (this.#model === undefined) throw new Error('The sample model could not be loaded.');
      const design = effectiveDesign(this.#model.design, { ...settings, overrides: {}, scaling: 'design' });
      return { design, sample: makeModelSample(this.#model, design, settings) };
    }
    const design = effectiveDesign(job.design, settings);
    const given = { kept: this.#kept, ...(settings.model === 'checkpoint' ? { trained: this.#layers(design, settings) } : {}) };
    if (settings.source === 'file') {
      if (this.#rows === undefined) throw new Error('No file was picked yet.');
      this.#rows.rows ??= this.#rows.read();
      return { design, sample: yield* makeSampleSteps(design, settings, { ...given, rows: this.#rows.rows }) };
    }
    if (settings.source === 'text' && settings.tokenizer === 'workspace' && settings.text.trim() !== '') {
      if (this.#tokenizer === undefined) throw new Error('There is no tokenizer.');
      this.#tokenizer.made ??= loadTokenizer(this.#tokenizer.json);
      const { tokens, ids } = this.#tokenizer.made(settings.text);
      const text = { tokens: tokens.slice(0, MAX_LENGTH), ids: ids.slice(0, MAX_LENGTH) };
      return { design, sample: yield* makeSampleSteps(design, settings, { ...given, ...text }) };
    }
    return { design, sample: yield* makeSampleSteps(design, settings, given) };
  }

  #layers(design: PreviewDesign, settings: SampleSettings): NonNullable<Parameters<typeof makeSampleSteps>[2]>['trained'] {
    const checkpoint = this.#checkpoint;
    if (checkpoint === undefined) throw new Error('The checkpoint is not read yet.');
    return {
      width: checkpoint.width,
      layers: (tokens) => checkpoint.layers(design, settings, tokens),
      enter: (input, ids) => checkpoint.enter(design, input, ids),
    };
  }

  async #run(on: On, job: Job): Promise<Done> {
    const { design, sample } = await this.#go(on, this.#sample(job));
    const heads = sample.layers.reduce((sum, { problem }) => sum + problem.queryHeads, 0);
    const begin = performance.now();
    let told = begin;
    const steps = runSampleSteps(
      on.products,
      sample,
      {
        ...(job.pooled ? { pooled: POOLED_SIZE } : {}),
        ...(job.settings.dropout > 0 ? { dropout: { rate: job.settings.dropout, seed: job.settings.seed } } : {}),
      },
      this.#model?.epsilon,
    );
    const done = await this.#go(on, steps, (part) => {
      if (performance.now() - told < 100) return;
      told = performance.now();
      this.#reply({ kind: 'progress', id: on.id, done: Math.floor(part * heads), heads }, []);
    });
    return { key: JSON.stringify(job), design, sample, run: done, milliseconds: performance.now() - begin };
  }

  /** The computation of a job, from memory where it was the last. */
  async #known(on: On, job: Job): Promise<Done> {
    if (this.#done?.key !== JSON.stringify(job)) this.#done = withoutMaps(await this.#run(on, job));
    return this.#done;
  }

  async #compute(on: On, job: Job, keep: boolean): Promise<ComputeResult> {
    const done = await this.#run(on, job);
    const { design, sample, run, milliseconds } = done;
    if (keep) this.#done = withoutMaps(done);
    const length = sample.tokens.length;
    const mask = sample.layers[0]?.problem.mask ?? { kind: 'none' };
    const { lows, highs } = resolveProblem({ queryHeads: 1, queryLength: length, headDim: 1, mask });
    return {
      kind: 'result',
      id: on.id,
      kernel: on.kernel.name,
      workers: on.spread?.workers() ?? 1,
      milliseconds,
      design,
      settings: job.settings,
      tokens: sample.tokens,
      ids: sample.ids,
      layers: sample.layers.length,
      firstLayer: sample.layers[0]?.index ?? 0,
      size: run.size,
      maps: run.maps,
      ...(run.pooled === undefined ? {} : { means: run.pooled.mean }),
      pooled: run.pooled !== undefined,
      lows,
      highs,
      statistics: run.statistics,
      valueNorms: await this.#go(on, valueNorms(done)),
      output: run.output,
      width: sample.width,
      ...(job.settings.model === 'trained' && this.#model !== undefined && length <= 2048
        ? { predictions: predict(on.kernel, this.#model, run.output) }
        : {}),
    };
  }

  #decode(on: On, done: Done, length: number): Promise<Omit<DecodeReply, 'kind' | 'id'>> {
    return this.#go(on, decodeSteps(on.kernel, done, length, this.#model?.epsilon ?? 1e-6));
  }
}

/** What a request computes with. */
interface On {
  readonly id: number;
  readonly kernel: Kernel;
  readonly spread: Spread | undefined;
  readonly products: Products;
  readonly signal: AbortSignal;
}

function* decodeSteps(kernel: Kernel, done: Done, length: number, epsilon: number): Steps<Omit<DecodeReply, 'kind' | 'id'>> {
  const { sample, run } = done;
  if (done.decoding === undefined || done.decoding.length >= length) {
    const decoders = sample.layers.map((layer) => decoderOf(kernel, layer, sample.tokens.length));
    done.decoding = { decoders, length: 0 };
  }
  const { decoding } = done;
  const heads = sample.layers[0]?.problem.queryHeads ?? 0;
  const weights = new Float32Array(sample.layers.length * heads * length);
  let milliseconds = 0;
  let y: Float32Array = new Float32Array(0);
  while (decoding.length < length) {
    const begin = performance.now();
    const t = decoding.length++;
    let x: Float32Array = run.start.slice(t * sample.width, (t + 1) * sample.width);
    for (const [index, decoder] of decoding.decoders.entries()) {
      const layer = sample.layers[index] as Sample['layers'][number];
      const read = finish(layerInput(layer, sample.width, x, epsilon));
      const result = decoder.step(read);
      y = result.output;
      const stream = finish(layerOutput(kernel, layer, sample.width, x, read, y));
      if (stream !== undefined) {
        x = stream;
        y = x;
      }
      if (decoding.length === length) weights.set(result.weights, index * heads * length);
    }
    milliseconds = performance.now() - begin;
    yield decoding.length / length;
  }
  const width = y.length;
  const whole = run.output.subarray((length - 1) * width, length * width);
  return {
    length,
    weights,
    cached: decoding.decoders.reduce((total, decoder) => total + decoder.cached, 0),
    milliseconds,
    difference: y.reduce((most, value, i) => Math.max(most, Math.abs(value - (whole[i] as number))), 0),
    extent: whole.reduce((most, value) => Math.max(most, Math.abs(value)), 0),
  };
}

/** Maps go to the page; what is kept for questions does without them. */
function withoutMaps(done: Done): Done {
  const { pooled: _, ...run } = done.run;
  return { ...done, run: { ...run, maps: new Float32Array(0) } };
}

function firstRows(name: string, bytes: Uint8Array): TokenRows {
  const arrays = readArrays(name, bytes);
  let reason: unknown = new RangeError(`${name} holds no array of numbers.`);
  for (const array of arrays) {
    try {
      return asTokens(array, MAX_LENGTH);
    } catch (error) {
      reason = error;
    }
  }
  throw reason;
}

function* valueNorms({ sample, run }: Done): Steps<Float32Array> {
  const parts: Float32Array[] = [];
  for (const [index, { result }] of run.layers.entries()) {
    const { value } = result;
    const { kind, problem } = sample.layers[index] as Sample['layers'][number];
    const valueDim = kind === 'latent' ? problem.valueDim : (problem.valueDim ?? problem.headDim);
    const norms = new Float32Array(value.length / valueDim);
    yield* inPieces(norms.length, valueDim, (first, end) => {
      for (let row = first; row < end; row++) {
        let squares = 0;
        for (let k = row * valueDim; k < (row + 1) * valueDim; k++) squares += (value[k] as number) ** 2;
        norms[row] = Math.sqrt(squares);
      }
    });
    parts.push(norms);
  }
  return joined(parts);
}

/** The likeliest three next tokens after every token. */
function predict(kernel: Kernel, model: TrainedModel, stream: Float32Array): readonly (readonly Prediction[])[] {
  const { width, vocabulary, epsilon } = model;
  const normed = stream.slice();
  rmsNorm(normed, width, model.norm, epsilon);
  const rows = normed.length / width;
  const columns = vocabulary.length;
  const logits = kernel.matrixMultiply({ rows, depth: width, columns }, normed, model.unembedding);
  return Array.from({ length: rows }, (_, row) => {
    const line = logits.subarray(row * columns, (row + 1) * columns);
    const largest = line.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
    const total = line.reduce((sumSoFar, value) => sumSoFar + Math.exp(value - largest), 0);
    return Array.from(line, (logit, id) => ({ token: vocabulary[id] ?? '', probability: Math.exp(logit - largest) / total }))
      .sort((a, b) => b.probability - a.probability)
      .slice(0, 3);
  });
}
