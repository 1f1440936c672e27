import { attentionStep, type LayerCost, type LayerInput, layerCost, sizesOf } from './layer.ts';
import { bytesOf, cacheElementsPerLayer, type Dtype } from './shapes.ts';
import type { Stack } from './stack.ts';
import type { Recomputation } from './vocabulary.ts';
import type { Spread, Weights } from './weights.ts';

/** Into how many parts each way of parallelism splits the model; 1 is not at all. */
export interface Layout {
  /** Whole heads and columns of every matrix (Shoeybi et al. 2019, arXiv:1909.08053). */
  readonly tensor: bigint;
  /** What that leaves whole is split along the sequence (Korthikanti et al. 2022, arXiv:2205.05198, section 4.2.2). */
  readonly sequence: boolean;
  /** The sequence itself, keys and values passed around in a ring (Liu et al. 2023, arXiv:2310.01889). */
  readonly context: bigint;
  /** Layers in stages of equally many (Narayanan et al. 2021, arXiv:2104.04473, section 2.2). */
  readonly pipeline: bigint;
  /** Experts, over devices of the data-parallel groups (Lepikhin et al. 2020, arXiv:2006.16668). */
  readonly expert: bigint;
  readonly data: bigint;
  /** What data-parallel devices share instead of each holding it: optimizer states, gradients, weights (Rajbhandari et al. 2019, arXiv:1910.02054). */
  readonly zero: 0 | 1 | 2 | 3;
}

export const oneDevice: Layout = { tensor: 1n, sequence: false, context: 1n, pipeline: 1n, expert: 1n, data: 1n, zero: 0 };

export const devicesOf = ({ tensor, context, pipeline, data }: Layout): bigint => tensor * context * pipeline * data;

/** Why the model cannot be laid out so; undefined where it can. `name` says which degree is at fault. */
export function whyNotLaidOut(
  stack: Stack,
  layout: Layout,
  tokens: bigint | undefined,
): { readonly name: 'tensor' | 'context' | 'pipeline' | 'expert' | 'data'; readonly message: string } | undefined {
  for (const { input } of stack.kinds) {
    const sizes = sizesOf({ ...input, sequenceLength: 1n, batch: 1n, tensorParallel: layout.tensor });
    if ('reason' in sizes) return { name: 'tensor', message: sizes.reason };
  }
  if (stack.layers % layout.pipeline !== 0n)
    return { name: 'pipeline', message: `${stack.layers} layers do not make ${layout.pipeline} equal stages.` };
  if (tokens !== undefined && tokens % layout.context !== 0n)
    return { name: 'context', message: `${layout.context} devices cannot share ${tokens} tokens evenly.` };
  if (tokens !== undefined && layout.sequence && (tokens / layout.context) % layout.tensor !== 0n)
    return { name: 'tensor', message: `${layout.tensor} devices cannot share ${tokens / layout.context} tokens evenly.` };
  if (layout.expert > 1n) {
    const experts = stack.kinds.find(({ input }) => input.experts !== undefined)?.input.experts;
    if (experts === undefined) return { name: 'expert', message: 'There are no experts to spread.' };
    if (experts.count % layout.expert !== 0n)
      return { name: 'expert', message: `${layout.expert} devices cannot share ${experts.count} experts evenly.` };
    if ((layout.data * layout.context) % layout.expert !== 0n)
      return {
        name: 'data',
        message: `Experts are spread over devices that share no layer: dp * cp = ${layout.data * layout.context} has to be a multiple of ep = ${layout.expert}.`,
      };
  }
  return undefined;
}

const ceil = (a: bigint, b: bigint): bigint => (a + b - 1n) / b;

/** Elements of one device of a stage: what all ranks of data parallelism hold alike, and what expert ranks split. */
interface Held {
  readonly dense: bigint;
  readonly experts: bigint;
}

/** Numbers of the model's weights on one device of each stage, before data-parallel devices share any. */
function heldWeights(stack: Stack, weights: Weights, layout: Layout): readonly Held[] {
  const { tensor: tp, expert: ep, pipeline } = layout;
  const perStage = Number(stack.layers / pipeline);
  const kv = stack.kinds[0]?.input.keyValueHeads ?? tp;
  const share = (elements: bigint, spread: Spread): bigint => {
    switch (spread) {
      case 'split':
        return elements / tp;
      case 'keyValue':
        // Fewer KV heads than devices: each has a copy of one.
        return elements / (kv < tp ? kv : tp);
      case 'vocabulary': {
        const rows = stack.vocabulary ?? 1n;
        return (elements / rows) * ceil(rows, tp);
      }
      case 'experts':
        return elements / (tp * ep);
      case 'expertCopies':
        return elements / ep;
      default:
        return elements;
    }
  };
  return Array.from({ length: Number(pipeline) }, (_, stage) => {
    let dense = 0n;
    let experts = 0n;
    const layersOf = new Map<number, bigint>();
    for (const kind of stack.order.slice(stage * perStage, (stage + 1) * perStage)) layersOf.set(kind, (layersOf.get(kind) ?? 0n) + 1n);
    const isLast = stage === Number(pipeline) - 1;
    for (const { elements, spread, place } of weights.items) {
      const times = typeof place === 'number' ? (layersOf.get(place) ?? 0n) : (place === 'first' ? stage === 0 : isLast) ? 1n : 0n;
      if (times === 0n) continue;
      const held = share(elements, spread) * times;
      if (spread === 'experts' || spread === 'expertCopies') experts += held;
      else dense += held;
    }
    // A head that shares the embedding's table has a copy of it at the other end.
    if (isLast && stage > 0) dense += share(weights.sharedTable, 'vocabulary');
    return { dense, experts };
  });
}

/** Bytes on one device of each stage, of something of so many bits a weight; `shared` where data-parallel devices share it. */
export function stageBytes(stack: Stack, weights: Weights, layout: Layout, bits: bigint, shared: boolean): readonly bigint[] {
  const ranks = layout.data * layout.context;
  return heldWeights(stack, weights, layout).map(({ dense, experts }) => {
    const elements = shared ? ceil(dense, ranks) + ceil(experts, ranks / layout.expert) : dense + experts;
    return (elements * bits + 7n) / 8n;
  });
}

/** Bytes of the keys and values that one device of each stage keeps for `tokens` of `batch` sequences; whole windows where they are shorter. */
export function stageCache(stack: Stack, layout: Layout, tokens: bigint, batch: bigint, dtype: Dtype): readonly bigint[] | undefined {
  const perKind = stack.kinds.map(({ input, window }) => {
    const cache = cacheElementsPerLayer(input);
    if (cache === undefined) return undefined;
    const kept = ceil(window !== undefined && window < tokens ? window : tokens, layout.context);
    // A latent has no heads: every device of tensor parallelism keeps all of it.
    const ways =
      input.latent !== undefined ? 1n : (input.keyValueHeads ?? 1n) < layout.tensor ? (input.keyValueHeads ?? 1n) : layout.tensor;
    return bytesOf((cache.elements / ways) * kept * batch, dtype);
  });
  if (perKind.some((bytes) => bytes === undefined)) return undefined;
  return stagesOf(stack, layout).map((kinds) => kinds.reduce((sum, kind) => sum + (perKind[kind] ?? 0n), 0n));
}

/** Bytes that a sequence leaves in the cache: of its own tokens, and of an encoder's output, which do not grow with them. */
export function sequenceCache(
  stack: Stack,
  tokens: bigint,
  dtype: Dtype,
): { readonly ofTokens: bigint; readonly ofSource: bigint } | undefined {
  const of = (length: bigint): bigint | undefined => stageCache(stack, oneDevice, length, 1n, dtype)?.[0];
  const { encoder } = stack;
  const ofTokens = of(tokens);
  const ofSource = encoder === undefined ? 0n : of(encoder.positions ?? tokens);
  return ofTokens === undefined || ofSource === undefined ? undefined : { ofTokens, ofSource };
}

function stagesOf(stack: Stack, { pipeline }: Layout): readonly (readonly number[])[] {
  const perStage = Number(stack.layers / pipeline);
  return Array.from({ length: Number(pipeline) }, (_, stage) => stack.order.slice(stage * perStage, (stage + 1) * perStage));
}

export interface ActivationChoice {
  readonly recomputation: Recomputation;
  /** A fused kernel never writes the attention weights. */
  readonly fused: boolean;
}

/**
 * Bytes that one layer keeps for the backward pass (Korthikanti et al. 2022, arXiv:2205.05198): everything; all but the inside of
 * attention, which is computed again (section 5, "selective"); or its input alone (section 5, "full").
 */
export function keptByLayer(cost: LayerCost, { recomputation, fused }: ActivationChoice): bigint {
  if (recomputation === 'full') return cost.steps[0]?.activationBytes ?? 0n;
  const all = fused ? cost.fusedActivationBytes : cost.activationBytes;
  if (recomputation === 'none') return all;
  return cost.steps
    .filter(({ id }) => attentionStep(id) === 'weights')
    .reduce((left, inside) => left - (fused ? inside.fusedActivationBytes : inside.activationBytes), all);
}

/** Bytes of one micro-batch on one device of each stage, an encoder's on the first; undefined where a layer's are not known. */
export function stageActivations(
  stack: Stack,
  layout: Layout,
  tokens: bigint,
  batch: bigint,
  choice: ActivationChoice,
): readonly bigint[] | undefined {
  const inputs = stack.kinds.map(
    ({ input }): LayerInput => ({
      ...input,
      sequenceLength: tokens,
      batch,
      tensorParallel: layout.tensor,
      sequenceParallel: layout.sequence,
      contextParallel: layout.context,
    }),
  );
  const kept: bigint[] = [];
  for (const input of inputs) {
    const cost = layerCost(input);
    if ('reason' in cost) return undefined;
    kept.push(keptByLayer(cost, choice));
  }
  const stages = stagesOf(stack, layout);
  const encoded = encoderActivations(stack, tokens, batch, choice);
  if (encoded === undefined) return undefined;
  return stages.map((kinds, stage) => {
    const layers = kinds.reduce((sum, kind) => sum + (kept[kind] ?? 0n), 0n);
    const ends = endActivations(stack, layout, tokens, batch);
    return layers + (stage === 0 ? ends.first + encoded : 0n) + (stage === stages.length - 1 ? ends.last : 0n);
  });
}

/**
 * What an encoder keeps, with its output, of which every layer of the decoder makes keys and values. A convolution keeps what it reads, and
 * its activation what it reads of it.
 */
function encoderActivations({ encoder }: Stack, tokens: bigint, batch: bigint, choice: ActivationChoice): bigint | undefined {
  if (encoder === undefined) return 0n;
  const positions = encoder.positions ?? tokens;
  const layers = stageActivations(encoder, oneDevice, positions, batch, choice)?.[0];
  if (layers === undefined) return undefined;
  const around = (encoder.convolutions ?? []).reduce((sum, { from, to }) => sum + from[0] * from[1] + to[0] * to[1], encoder.hiddenSize);
  return layers + (batch * positions * around * computedBits(encoder)) / 8n;
}

/** Bits of what is computed: weights of fewer are widened. */
function computedBits({ kinds: [kind] }: Stack): bigint {
  const dtype = kind?.input.dtype;
  return dtype === undefined || dtype.bits < 16n ? 16n : dtype.bits;
}

/**
 * What the ends of the stack keep (Korthikanti et al. 2022, section 4.3): the mask of the embedding's dropout; the final norm's input, the
 * head's, and logits in 32 bits.
 */
function endActivations(stack: Stack, layout: Layout, tokens: bigint, batch: bigint): { readonly first: bigint; readonly last: bigint } {
  const input = stack.kinds[0]?.input;
  const rows = batch * (tokens / layout.context);
  const whole = (bytes: bigint): bigint => (layout.sequence ? bytes / layout.tensor : bytes);
  const wide = (rows * stack.hiddenSize * computedBits(stack)) / 8n;
  const logits = stack.vocabulary === undefined || !stack.head ? 0n : 4n * rows * ceil(stack.vocabulary, layout.tensor);
  return {
    first: input?.dropout === true ? whole(rows * stack.hiddenSize) : 0n,
    last: whole(wide) * (stack.outsideNorms ?? 1n) + (stack.head ? whole(wide) + logits : 0n),
  };
}

/** The most that one stage's device holds. */
export const largest = (values: readonly bigint[]): bigint => values.reduce((most, value) => (value > most ? value : most), 0n);

/** Over all devices: each stage's share times its devices. */
export const overDevices = (values: readonly bigint[], layout: Layout): bigint =>
  values.reduce((sum, value) => sum + value, 0n) * layout.tensor * layout.context * layout.data;
