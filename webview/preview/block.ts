import type { Kernel, Steps } from '../../src/kernel/interface.ts';
import { rmsNormSteps } from '../../src/kernel/multi-head.ts';
import { inPieces, part } from '../../src/kernel/steps.ts';
import type { BlockTraits } from '../../src/protocol/languageServer.ts';

/** A norm's gains, and what it adds. [width] each */
export interface Norm {
  readonly gains: Float32Array;
  readonly bias?: Float32Array | undefined;
}

/** What stands around a layer's attention. Matrices are [in, out]. */
export interface Block {
  readonly traits: BlockTraits;
  readonly attentionNorm: Norm;
  /** Absent: the MLP reads what the attention reads (GPT-J). */
  readonly mlpNorm?: Norm | undefined;
  /** [width, inner]; absent: the MLP has no gate. */
  readonly gate?: Float32Array | undefined;
  readonly gateBias?: Float32Array | undefined;
  /** [width, inner] */
  readonly up: Float32Array;
  readonly upBias?: Float32Array | undefined;
  /** [inner, width] */
  readonly down: Float32Array;
  readonly downBias?: Float32Array | undefined;
}

/** The stream, normed. [tokens, width] */
export function* normed(x: Float32Array, width: number, { gains, bias }: Norm, { norm, epsilon }: BlockTraits): Steps<Float32Array> {
  const result = x.slice();
  if (norm === 'rms') yield* rmsNormSteps(result, width, gains, epsilon);
  else
    yield* inPieces(x.length / width, width, (first, end) => {
      for (let from = first * width; from < end * width; from += width) {
        let mean = 0;
        for (let k = 0; k < width; k++) mean += x[from + k] as number;
        mean /= width;
        let squares = 0;
        for (let k = 0; k < width; k++) squares += ((x[from + k] as number) - mean) ** 2;
        const inverse = 1 / Math.sqrt(squares / width + epsilon);
        for (let k = 0; k < width; k++)
          result[from + k] = ((x[from + k] as number) - mean) * inverse * (gains[k] as number) + (bias?.[k] ?? 0);
      }
    });
  return result;
}

/** The error function, to 1.2e-7 relative (Numerical Recipes, erfc by Chebyshev fitting). */
function erf(x: number): number {
  const t = 1 / (1 + 0.5 * Math.abs(x));
  const fit =
    -1.26551223 +
    t *
      (1.00002368 +
        t *
          (0.37409196 +
            t *
              (0.09678418 +
                t * (-0.18628806 + t * (0.27886807 + t * (-1.13520398 + t * (1.48851587 + t * (-0.82215223 + t * 0.17087277))))))));
  const complement = t * Math.exp(-x * x + fit);
  return x >= 0 ? 1 - complement : complement - 1;
}

const functions: Readonly<Record<BlockTraits['activation'], (x: number) => number>> = {
  silu: (x) => x / (1 + Math.exp(-x)),
  gelu: (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)),
  geluTanh: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  relu: (x) => Math.max(0, x),
};

function* mlp(kernel: Pick<Kernel, 'matrixMultiplySteps'>, x: Float32Array, width: number, block: Block): Steps<Float32Array> {
  const rows = x.length / width;
  const inner = block.up.length / width;
  const wide = { rows, depth: width, columns: inner };
  const half = block.gate === undefined ? 0 : 0.3;
  const up = yield* part(kernel.matrixMultiplySteps(wide, x, block.up, block.upBias), 0, 0.6 - half);
  const gate =
    block.gate === undefined ? up : yield* part(kernel.matrixMultiplySteps(wide, x, block.gate, block.gateBias), 0.6 - half, 0.6);
  const activate = functions[block.traits.activation];
  const activated = inPieces(up.length, 8, (first, end) => {
    if (gate === up) for (let i = first; i < end; i++) up[i] = activate(up[i] as number);
    else for (let i = first; i < end; i++) up[i] = activate(gate[i] as number) * (up[i] as number);
  });
  yield* part(activated, 0.6, 0.7);
  return yield* part(kernel.matrixMultiplySteps({ rows, depth: inner, columns: width }, up, block.down, block.downBias), 0.7, 1);
}

/** The stream after a layer, from the stream before it, what its attention read and what it gave. [tokens, width] */
export function* afterBlock(
  kernel: Pick<Kernel, 'matrixMultiplySteps'>,
  block: Block,
  width: number,
  x: Float32Array,
  read: Float32Array,
  attention: Float32Array,
): Steps<Float32Array> {
  const { traits, mlpNorm } = block;
  const { addedScale: scale, parallel } = traits;
  const between = parallel ? x : yield* added(x, attention, scale);
  const input = mlpNorm === undefined ? read : yield* normed(between, width, mlpNorm, traits);
  const given = yield* mlp(kernel, input, width, block);
  const after = yield* added(between, given, scale);
  return parallel ? yield* added(after, attention, scale) : after;
}

function* added(x: Float32Array, more: Float32Array, scale: number): Steps<Float32Array> {
  const result = new Float32Array(x.length);
  yield* inPieces(x.length, 1, (first, end) => {
    for (let i = first; i < end; i++) result[i] = (x[i] as number) + scale * (more[i] as number);
  });
  return result;
}
