import { createDecoder, type DecodeMask, type Decoder } from '../../src/kernel/decode.ts';
import type { HeadStatistics, Kernel, KernelName } from '../../src/kernel/interface.ts';
import { type KernelBinaries, loadKernel } from '../../src/kernel/load.ts';
import { rmsNorm } from '../../src/kernel/multi-head.ts';
import { resolveProblem } from '../../src/kernel/problem.ts';
import type { PreviewDesign } from '../protocol.ts';
import { asTokens, readArrays } from './arrays.ts';
import { makeModelSample, readModel, type TrainedModel } from './model.ts';
import { layerInput, runSample, type SampleRun, sum } from './run.ts';
import { makeSample, type Sample, type TokenRows } from './sample.ts';
import { effectiveDesign, MAX_LENGTH, type SampleSettings } from './settings.ts';
import { type StepNumbers, stepThrough } from './step.ts';
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
  | { readonly kind: 'file'; readonly name: string; readonly bytes: Uint8Array };

/** From the page to what computes: a worker, or the page itself where no worker can start. */
export type Question =
  | { readonly kind: 'compute'; readonly job: Job }
  /** Another design, to be compared. */
  | { readonly kind: 'compare'; readonly job: Job }
  | { readonly kind: 'step'; readonly job: Job; readonly layer: number; readonly head: number; readonly row: number }
  | { readonly kind: 'decode'; readonly job: Job; readonly length: number };
export type ComputeRequest = Context | (Question & { readonly id: number });

export interface ComputeResult {
  readonly kind: 'result';
  readonly id: number;
  readonly kernel: KernelName;
  /** Time of the multi-head functions alone. */
  readonly milliseconds: number;
  /** As computed, with what was set by hand. */
  readonly design: PreviewDesign;
  readonly settings: SampleSettings;
  readonly tokens: readonly string[];
  readonly ids: Int32Array;
  /** Layers in the maps, one after the other. */
  readonly layers: number;
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

export type ComputeReply =
  | { readonly kind: 'progress'; readonly id: number; readonly done: number; readonly heads: number }
  | { readonly kind: 'failed'; readonly id: number; readonly message: string }
  | ComputeResult
  | StepReply
  | DecodeReply;

/** Rows and columns of a pooled map. */
export const POOLED_SIZE = 512;

interface Done {
  readonly key: string;
  readonly design: PreviewDesign;
  readonly sample: Sample;
  readonly run: SampleRun;
  /** Time of the layers' functions, without making the sample. */
  readonly milliseconds: number;
  decoding?: { readonly decoders: readonly Decoder[]; length: number };
}

/** Answers requests one after the other. The last computation is kept, for questions about it. */
export class Computer {
  readonly #reply: (reply: ComputeReply, transfer: readonly ArrayBufferLike[]) => void;
  #kernel: Promise<Kernel> = loadKernel({});
  #model: TrainedModel | undefined;
  #tokenizer: { readonly json: string; made?: TextTokenizer } | undefined;
  #rows: { readonly read: () => TokenRows; rows?: TokenRows } | undefined;
  #done: Done | undefined;

  constructor(reply: (reply: ComputeReply, transfer: readonly ArrayBufferLike[]) => void) {
    this.#reply = reply;
  }

  async handle(request: ComputeRequest): Promise<void> {
    switch (request.kind) {
      case 'load':
        this.#kernel = loadKernel(request.binaries);
        return;
      case 'model':
        this.#model = readModel(request.bytes);
        return;
      case 'tokenizer':
        this.#tokenizer = { json: request.json };
        this.#done = undefined;
        return;
      case 'file':
        this.#rows = { read: () => firstRows(request.name, request.bytes) };
        this.#done = undefined;
        return;
    }
    const { id } = request;
    try {
      const kernel = await this.#kernel;
      if (request.kind === 'compute' || request.kind === 'compare') {
        const result = this.#compute(kernel, id, request.job, request.kind === 'compute');
        this.#reply(result, [result.maps.buffer, ...(result.means === undefined ? [] : [result.means.buffer])]);
      } else if (request.kind === 'step') {
        const { layer, head, row } = request;
        const done = this.#known(kernel, id, request.job);
        this.#reply({ kind: 'step', id, ...stepThrough(kernel, done.sample, done.run, layer, head, row) }, []);
      } else this.#reply({ kind: 'decode', id, ...this.#decode(kernel, this.#known(kernel, id, request.job), request.length) }, []);
    } catch (error) {
      this.#reply({ kind: 'failed', id, message: error instanceof Error ? error.message : String(error) }, []);
    }
  }

  #sample(job: Job): { readonly design: PreviewDesign; readonly sample: Sample } {
    const { settings } = job;
    if (settings.model === 'trained') {
      if (this.#model === undefined) throw new Error('The sample model could not be loaded.');
      const design = effectiveDesign(this.#model.design, { ...settings, overrides: {} });
      return { design, sample: makeModelSample(this.#model, design, settings) };
    }
    const design = effectiveDesign(job.design, settings);
    if (settings.source === 'file') {
      if (this.#rows === undefined) throw new Error('No file was picked yet.');
      this.#rows.rows ??= this.#rows.read();
      return { design, sample: makeSample(design, settings, { rows: this.#rows.rows }) };
    }
    if (settings.source === 'text' && settings.tokenizer === 'workspace' && settings.text.trim() !== '') {
      if (this.#tokenizer === undefined) throw new Error('There is no tokenizer.');
      this.#tokenizer.made ??= loadTokenizer(this.#tokenizer.json);
      return { design, sample: makeSample(design, settings, { tokens: this.#tokenizer.made(settings.text).slice(0, MAX_LENGTH) }) };
    }
    return { design, sample: makeSample(design, settings) };
  }

  #run(kernel: Kernel, id: number, job: Job): Done {
    const { design, sample } = this.#sample(job);
    const begin = performance.now();
    let told = begin;
    const run = runSample(
      kernel,
      sample,
      {
        ...(job.pooled ? { pooled: POOLED_SIZE } : {}),
        ...(job.settings.dropout > 0 ? { dropout: { rate: job.settings.dropout, seed: job.settings.seed } } : {}),
        progress: (done, heads) => {
          if (performance.now() - told < 100) return;
          told = performance.now();
          this.#reply({ kind: 'progress', id, done, heads }, []);
        },
      },
      this.#model?.epsilon,
    );
    return { key: JSON.stringify(job), design, sample, run, milliseconds: performance.now() - begin };
  }

  /** The computation of a job, from memory where it was the last. */
  #known(kernel: Kernel, id: number, job: Job): Done {
    if (this.#done?.key !== JSON.stringify(job)) this.#done = withoutMaps(this.#run(kernel, id, job));
    return this.#done;
  }

  #compute(kernel: Kernel, id: number, job: Job, keep: boolean): ComputeResult {
    const done = this.#run(kernel, id, job);
    const { design, sample, run, milliseconds } = done;
    if (keep) this.#done = withoutMaps(done);
    const length = sample.tokens.length;
    const mask = sample.layers[0]?.problem.mask ?? { kind: 'none' };
    const { lows, highs } = resolveProblem({ queryHeads: 1, queryLength: length, headDim: 1, mask });
    return {
      kind: 'result',
      id,
      kernel: kernel.name,
      milliseconds,
      design,
      settings: job.settings,
      tokens: sample.tokens,
      ids: sample.ids,
      layers: sample.layers.length,
      size: run.size,
      maps: run.maps,
      ...(run.pooled === undefined ? {} : { means: run.pooled.mean }),
      pooled: run.pooled !== undefined,
      lows,
      highs,
      statistics: run.statistics,
      valueNorms: valueNorms(done),
      output: run.output,
      width: sample.width,
      ...(job.settings.model === 'trained' && this.#model !== undefined && length <= 2048
        ? { predictions: predict(kernel, this.#model, run.output) }
        : {}),
    };
  }

  #decode(kernel: Kernel, done: Done, length: number): Omit<DecodeReply, 'kind' | 'id'> {
    const { sample, run } = done;
    const epsilon = this.#model?.epsilon ?? 1e-6;
    if (done.decoding === undefined || done.decoding.length >= length) {
      const decoders = sample.layers.map(({ problem, weights }) => {
        const { queryLength: _, mask, ...rest } = problem;
        return createDecoder(kernel, { ...rest, mask: mask as DecodeMask }, weights);
      });
      done.decoding = { decoders, length: 0 };
    }
    const { decoding } = done;
    const heads = sample.layers[0]?.problem.queryHeads ?? 0;
    const weights = new Float32Array(sample.layers.length * heads * length);
    let milliseconds = 0;
    let x: Float32Array = new Float32Array(0);
    while (decoding.length < length) {
      const begin = performance.now();
      const t = decoding.length++;
      x = sample.input.slice(t * sample.width, (t + 1) * sample.width);
      for (const [index, decoder] of decoding.decoders.entries()) {
        const result = decoder.step(layerInput(sample, index, x, epsilon), { weights: true });
        x = sample.layers[index]?.norm === undefined ? result.output : sum(x, result.output);
        if (decoding.length === length) weights.set(result.weights as Float32Array, index * heads * length);
      }
      milliseconds = performance.now() - begin;
    }
    const whole = run.output.subarray((length - 1) * sample.width, length * sample.width);
    return {
      length,
      weights,
      cached: decoding.decoders.reduce((total, decoder) => total + decoder.key().length + decoder.value().length, 0),
      milliseconds,
      difference: x.reduce((most, value, i) => Math.max(most, Math.abs(value - (whole[i] as number))), 0),
      extent: whole.reduce((most, value) => Math.max(most, Math.abs(value)), 0),
    };
  }
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

function valueNorms({ sample, run }: Done): Float32Array {
  const length = sample.tokens.length;
  const all = run.layers.map(({ result }, index) => {
    const { headDim, valueDim = headDim } = (sample.layers[index] as Sample['layers'][number]).problem;
    return Float32Array.from({ length: result.value.length / valueDim }, (_, row) => {
      let squares = 0;
      for (let k = 0; k < valueDim; k++) squares += (result.value[row * valueDim + k] as number) ** 2;
      return Math.sqrt(squares);
    });
  });
  const each = all[0]?.length ?? length;
  const joined = new Float32Array(each * all.length);
  for (const [index, norms] of all.entries()) joined.set(norms, index * each);
  return joined;
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
