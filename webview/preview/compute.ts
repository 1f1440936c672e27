import type { HeadStatistics, Kernel, KernelName } from '../../src/kernel/interface.ts';
import { type KernelBinaries, loadKernel } from '../../src/kernel/load.ts';
import { resolveProblem } from '../../src/kernel/problem.ts';
import type { PreviewDesign } from '../protocol.ts';
import { makeSample, type Sample, type SampleSettings } from './sample.ts';

/** From the page to what computes: a worker, or the page itself where no worker can start. */
export type ComputeRequest =
  | { readonly kind: 'load'; readonly binaries: KernelBinaries }
  | { readonly kind: 'compute'; readonly id: number; readonly design: PreviewDesign; readonly settings: SampleSettings };

export interface ComputeResult {
  readonly kind: 'result';
  readonly id: number;
  readonly kernel: KernelName;
  /** Time of the multi-head function alone. */
  readonly milliseconds: number;
  readonly design: PreviewDesign;
  readonly settings: SampleSettings;
  readonly tokens: readonly string[];
  /** Rows and columns of a map: the number of tokens, or fewer where weights are pooled. */
  readonly size: number;
  /** The weights, or their maxima over tiles. [queryHeads, size, size] */
  readonly maps: Float32Array;
  readonly pooled: boolean;
  /** Token i may see tokens lows[i] <= j < highs[i]. [tokens] */
  readonly lows: Int32Array;
  readonly highs: Int32Array;
  readonly statistics: readonly HeadStatistics[];
  /** [tokens, SAMPLE_WIDTH] */
  readonly output: Float32Array;
}

export type ComputeReply =
  | { readonly kind: 'progress'; readonly id: number; readonly done: number; readonly heads: number }
  | { readonly kind: 'failed'; readonly id: number; readonly message: string }
  | ComputeResult;

/** Weights kept in full up to this many (128 MiB); beyond, maps are pooled. */
export const FULL_WEIGHTS = 2 ** 25;
/** Rows and columns of a pooled map. */
export const POOLED_SIZE = 512;

/** Answers requests one after the other. The last sample is kept, as most changes leave its projections alone. */
export class Computer {
  readonly #reply: (reply: ComputeReply, transfer: readonly ArrayBufferLike[]) => void;
  #kernel: Promise<Kernel> = loadKernel({});
  #sample: { readonly key: string; readonly sample: Sample } | undefined;

  constructor(reply: (reply: ComputeReply, transfer: readonly ArrayBufferLike[]) => void) {
    this.#reply = reply;
  }

  async handle(request: ComputeRequest): Promise<void> {
    if (request.kind === 'load') {
      this.#kernel = loadKernel(request.binaries);
      return;
    }
    const { id, design, settings } = request;
    try {
      const result = this.#compute(await this.#kernel, id, design, settings);
      this.#reply(result, [result.maps.buffer, result.lows.buffer, result.highs.buffer, result.output.buffer]);
    } catch (error) {
      this.#reply({ kind: 'failed', id, message: error instanceof Error ? error.message : String(error) }, []);
    }
  }

  #compute(kernel: Kernel, id: number, design: PreviewDesign, settings: SampleSettings): ComputeResult {
    const key = JSON.stringify([design, settings]);
    if (this.#sample?.key !== key) this.#sample = { key, sample: makeSample(design, settings) };
    const { tokens, problem, input } = this.#sample.sample;
    const length = tokens.length;
    const pooled = problem.queryHeads * length * length > FULL_WEIGHTS;
    const begin = performance.now();
    let told = begin;
    const result = kernel.multiHeadAttention(problem, input, {
      weights: !pooled,
      ...(pooled ? { pooled: { rows: POOLED_SIZE, columns: POOLED_SIZE } } : {}),
      statistics: true,
      progress: (done, heads) => {
        if (performance.now() - told < 100) return;
        told = performance.now();
        this.#reply({ kind: 'progress', id, done, heads }, []);
      },
    });
    const milliseconds = performance.now() - begin;
    const { lows, highs } = resolveProblem({ queryHeads: 1, queryLength: length, headDim: 1, mask: problem.mask ?? { kind: 'none' } });
    return {
      kind: 'result',
      id,
      kernel: kernel.name,
      milliseconds,
      design,
      settings,
      tokens,
      size: result.pooled?.rows ?? length,
      maps: (result.pooled?.maximum ?? result.weights) as Float32Array,
      pooled,
      lows,
      highs,
      statistics: result.statistics ?? [],
      output: result.output,
    };
  }
}
