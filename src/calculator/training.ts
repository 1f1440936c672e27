import { type Quantity, quantity } from './amounts.ts';
import { type ActivationChoice, type Layout, largest, oneDevice, stageActivations } from './devices.ts';
import { attentionStep, type LayerCost, layerCost } from './layer.ts';
import type { Parameter } from './parameters.ts';
import type { TrainingReport } from './report.ts';
import { type Dtype, grouped } from './shapes.ts';
import type { Convolution, Stack } from './stack.ts';
import { type Optimizer, type Recomputation, recomputations } from './vocabulary.ts';
import { countText, type Weights } from './weights.ts';

export interface TrainingOptions {
  readonly dtype: Dtype;
  readonly optimizer: Optimizer;
  readonly recomputation: Recomputation;
  /** Bits of a gradient's elements; those of the weights unless said otherwise. */
  readonly gradientBits: bigint;
  /** No 32-bit copy of weights of fewer bits. */
  readonly pure: boolean;
  /** Absent: nothing that depends on it is said. */
  readonly tokens?: bigint;
  readonly batch: bigint;
  /** The query speaks of training. */
  readonly isAsked: boolean;
}

/**
 * Bits that an optimizer keeps for each weight, besides the 32-bit copy of the weights in mixed precision: two moments (Adam: Kingma & Ba
 * 2014, arXiv:1412.6980; 12 bytes with the copy, 16 with weights and gradients: Rajbhandari et al. 2019, arXiv:1910.02054, section 3.1), one
 * (momentum; Lion: Chen et al. 2023, arXiv:2302.06675), none. Two of 8 bits (Dettmers et al. 2021, arXiv:2110.02861). Adafactor keeps rows
 * and columns instead: see `adafactorElements`.
 */
const stateBits: Readonly<Record<Exclude<Optimizer, 'adafactor'>, bigint>> = {
  adamw: 64n,
  adam: 64n,
  adam8bit: 16n,
  lion: 32n,
  momentum: 32n,
  sgd: 0n,
};

/** Elements that share one 32-bit scale in 8-bit states (Dettmers et al. 2021, section 2.1). */
const quantisationBlock = 2048n;

/** Bits of the optimizer for each weight, with the 32-bit copy; undefined where they are not so many for each. */
export function optimizerBits({ optimizer, dtype, pure }: TrainingOptions): bigint | undefined {
  if (optimizer === 'adafactor') return undefined;
  return stateBits[optimizer] + masterBits({ dtype, pure });
}

/** Mixed precision keeps a 32-bit copy that the optimizer updates (Micikevicius et al. 2017, arXiv:1710.03740, section 3.1). */
const masterBits = ({ dtype, pure }: Pick<TrainingOptions, 'dtype' | 'pure'>): bigint => (dtype.bits < 32n && !pure ? 32n : 0n);

/**
 * Second moments of a matrix as its row and column sums, of a vector as they are (Shazeer & Stern 2018, arXiv:1804.04235, section 3; without
 * momentum, its default). Of a tensor of more sides the last two are factored, as the published implementations do.
 */
export function adafactorElements(tensors: readonly Parameter[]): bigint | undefined {
  let total = 0n;
  for (const { shapes, count, tied } of tensors) {
    if (tied) continue;
    const [shape] = shapes;
    if (shape === undefined || shapes.length > 1) return undefined;
    const product = (sides: readonly number[]): bigint => sides.reduce((sum, side) => sum * BigInt(side), 1n);
    const each = shape.length < 2 ? product(shape) : product(shape.slice(0, -1)) + product([...shape.slice(0, -2), shape.at(-1) ?? 1]);
    total += BigInt(count) * each;
  }
  return total;
}

export interface Flops {
  readonly forward: bigint;
  readonly backward: bigint;
  /** Of the forward pass, the two products with the sequence. */
  readonly attention: bigint;
  readonly layersForward: bigint;
}

/** FLOPs of all layers and the head for `batch` sequences of `tokens`; undefined where a layer's are not known. */
export function flopsOf(stack: Stack, tokens: bigint, batch: bigint): Flops | undefined {
  const { encoder } = stack;
  const encoded = encoder === undefined ? noFlops : flopsOf(encoder, encoder.positions ?? tokens, batch);
  if (encoded === undefined) return undefined;
  let layers = 0n;
  let attention = 0n;
  for (const { input, count } of stack.kinds) {
    const cost = layerCost({ ...input, sequenceLength: tokens, batch });
    if ('reason' in cost) return undefined;
    layers += count * cost.forwardFlops;
    attention += count * insideAttention(cost);
  }
  const head = stack.head ? 2n * batch * tokens * stack.hiddenSize * (stack.vocabulary ?? 0n) : 0n;
  const input = convolutionFlops(stack.convolutions ?? [], tokens, batch);
  return {
    forward: layers + head + input.forward + encoded.forward,
    backward: 2n * (layers + head) + input.backward + encoded.backward,
    attention: attention + encoded.attention,
    layersForward: layers + encoded.layersForward,
  };
}

const noFlops: Flops = { forward: 0n, backward: 0n, attention: 0n, layersForward: 0n };

/** A multiplication and an addition for each weight and position that comes out. Nothing asks for the gradient of what goes into the first. */
export function convolutionFlops(
  convolutions: readonly Convolution[],
  positions: bigint,
  batch: bigint,
): { readonly forward: bigint; readonly backward: bigint } {
  const each = convolutions.map(({ kernel, from, to }) => 2n * from[0] * kernel * to[0] * to[1] * positions * batch);
  const forward = each.reduce((sum, flops) => sum + flops, 0n);
  return { forward, backward: 2n * forward - (each[0] ?? 0n) };
}

const insideAttention = (cost: LayerCost): bigint =>
  cost.steps.reduce((sum, { id, forwardFlops }) => sum + (/^(scores|weightedValues)$/.test(attentionStep(id)) ? forwardFlops : 0n), 0n);

/** FLOPs spent again in the backward pass: nothing, attention's two products, or the layers' whole forward pass. */
const recomputedFlops = ({ attention, layersForward }: Flops, choice: Recomputation): bigint =>
  choice === 'none' ? 0n : choice === 'selective' ? attention : layersForward;

/** What forward FLOPs are the sum of. */
const partsText = ({ encoder, head }: Stack): string =>
  `${encoder === undefined ? '' : encoder.convolutions === undefined ? 'encoder + ' : 'convolutions + encoder + '}${encoder === undefined ? 'layers' : 'decoder'}${head ? ' + head' : ''}`;

const recomputationText: Readonly<Record<Recomputation, string>> = {
  none: 'everything kept',
  selective: 'inside of attention computed again',
  full: 'layers computed again',
};

/** What a step of training takes as a whole; what one device takes of it is in the devices' table. */
export function trainingReport(
  stack: Stack | undefined,
  weights: Weights,
  tensors: readonly Parameter[],
  options: TrainingOptions,
): { readonly report: TrainingReport; readonly notes: readonly string[] } {
  const { dtype, optimizer, tokens, batch, recomputation } = options;
  const n = weights.total;
  const bytes = (bits: bigint): bigint => (n * bits) / 8n;
  const notes: string[] = [];
  const memory: Quantity[] = [
    quantity('weights', `Weights in ${dtype.name}`, `N * ${dtype.bits}/8 B`, 'bytes', bytes(dtype.bits)),
    quantity('gradients', 'Gradients', `N * ${options.gradientBits}/8 B`, 'bytes', bytes(options.gradientBits)),
  ];
  const master = masterBits(options);
  if (master > 0n) memory.push(quantity('masterWeights', '32-bit copy of the weights', 'N * 4 B', 'bytes', bytes(master)));
  const states = optimizerStates(n, tensors, weights, optimizer);
  if (states === undefined)
    notes.push(`Optimizer: the states of ${optimizer} follow from the shape of every tensor, and they are not all known.`);
  else {
    memory.push(quantity('optimizerStates', `States of ${optimizer}`, states.symbolic, 'bytes', states.bytes));
    const fixed = bytes(dtype.bits) + bytes(options.gradientBits) + bytes(master) + states.bytes;
    memory.push(quantity('modelStates', `Together, for ${countText(weights)} parameters`, 'without activations', 'bytes', fixed));
  }
  const activations: Quantity[] = [];
  const flops: Quantity[] = [];
  const counted = tokens === undefined || stack === undefined ? undefined : flopsOf(stack, tokens, batch);
  if (stack !== undefined && tokens !== undefined && counted !== undefined) {
    for (const choice of recomputations)
      for (const fused of choice === 'none' ? [false, true] : [false]) {
        const kept = wholeActivations(stack, tokens, batch, { recomputation: choice, fused });
        if (kept !== undefined)
          activations.push(
            quantity(
              `activations.${choice}${fused ? '.fused' : ''}`,
              `Activations, ${recomputationText[choice]}${fused ? ', fused kernel' : ''}`,
              choice,
              'bytes',
              kept,
            ),
          );
      }
    const again = recomputedFlops(counted, recomputation);
    flops.push(
      quantity('forwardFlops', 'FLOPs forward', partsText(stack), 'FLOPs', counted.forward),
      quantity(
        'backwardFlops',
        'FLOPs backward',
        stack.encoder?.convolutions === undefined ? '2 * forward' : '2 * forward, without the gradient of the input',
        'FLOPs',
        counted.backward,
      ),
      ...recomputations
        .slice(1)
        .map((choice) =>
          quantity(
            `recomputedFlops.${choice}`,
            `FLOPs computed again, ${choice}`,
            recomputationText[choice],
            'FLOPs',
            recomputedFlops(counted, choice),
          ),
        ),
      quantity(
        'stepFlops',
        `FLOPs of a step${again > 0n ? `, recomputation ${recomputation}` : ''}`,
        'forward + backward + computed again',
        'FLOPs',
        counted.forward + counted.backward + again,
      ),
      quantity('sixNd', 'Rule of thumb 6 N D, for comparison only', '6 * N * B * T (Kaplan et al. 2020)', 'FLOPs', 6n * n * batch * tokens),
    );
  }
  return { report: { optimizer, memory, activations, flops }, notes };
}

function optimizerStates(
  n: bigint,
  tensors: readonly Parameter[],
  weights: Weights,
  optimizer: Optimizer,
): { readonly bytes: bigint; readonly symbolic: string } | undefined {
  if (optimizer === 'adafactor') {
    const elements = weights.complete ? adafactorElements(tensors) : undefined;
    return elements === undefined ? undefined : { bytes: 4n * elements, symbolic: 'rows and columns * 4 B' };
  }
  const bits = stateBits[optimizer];
  if (optimizer !== 'adam8bit') return { bytes: (n * bits) / 8n, symbolic: `N * ${bits / 8n} B` };
  const scales = 2n * 4n * ((n + quantisationBlock - 1n) / quantisationBlock);
  return { bytes: 2n * n + scales, symbolic: `N * 2 B + 8 B / ${grouped(quantisationBlock)}` };
}

const wholeActivations = (stack: Stack, tokens: bigint, batch: bigint, choice: ActivationChoice): bigint | undefined => {
  const stages = stageActivations(stack, oneDevice, tokens, batch, choice);
  return stages === undefined ? undefined : largest(stages);
};

/** Micro-batches that a stage holds at once when backward passes start as early as they can (Narayanan et al. 2021, arXiv:2104.04473, section 2.2.1). */
export const inFlight = ({ pipeline }: Layout, stage: number): bigint => pipeline - BigInt(stage);
