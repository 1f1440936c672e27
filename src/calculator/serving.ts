import { amountOf, decimal, type Quantity, quantity } from './amounts.ts';
import { devicesOf, type Layout, sequenceCache } from './devices.ts';
import { type Gpu, gpus } from './gpus.ts';
import { isOfSource, layerCost } from './layer.ts';
import type { Roofline, ServingReport } from './report.ts';
import { bytesOf, cacheElementsPerLayer, type Dtype } from './shapes.ts';
import type { LayerKind, Stack } from './stack.ts';
import { flopsOf } from './training.ts';
import { countText, type Weights } from './weights.ts';

export interface ServingOptions {
  /** In which weights are stored. */
  readonly weightDtype: Dtype;
  /** In which keys and values are stored. */
  readonly cacheDtype: Dtype;
  readonly tokens?: bigint;
  readonly batch: bigint;
  readonly layout: Layout;
  /** Names of the GPUs asked for; none means all known. */
  readonly gpus: readonly string[];
}

/** One pass over the model: what it computes and what it has to move at least. */
interface Phase {
  readonly id: 'prefill' | 'decode';
  readonly flops: bigint;
  readonly bytes: bigint;
}

/** Pairs of a token and one that it sees in `tokens`: itself and those before it, as far as the window reaches. */
export function seenPairs(tokens: bigint, window: bigint | undefined): bigint {
  const reach = window !== undefined && window < tokens ? window : tokens;
  return (reach * (reach + 1n)) / 2n + (tokens - reach) * reach;
}

/** FLOPs of the layers' matrices for one token: two for each weight that it meets, of the experts those that it reaches. */
function matrixFlops({ input }: LayerKind): bigint {
  const cost = layerCost({ ...input, sequenceLength: 1n, batch: 1n });
  if ('reason' in cost) return 0n;
  return cost.steps.reduce((sum, { id, parameters, forwardFlops }) => sum + (parameters > 0n && !isOfSource(id) ? forwardFlops : 0n), 0n);
}

/** FLOPs of reading the input of an encoder-decoder: the encoder, and the keys and values that each layer of the decoder makes of its output. */
function sourceFlops({ encoder, kinds }: Stack, tokens: bigint, batch: bigint): bigint | undefined {
  const encoded = encoder === undefined ? undefined : flopsOf(encoder, encoder.positions ?? tokens, batch);
  if (encoded === undefined) return undefined;
  let flops = encoded.forward;
  for (const { input, count } of kinds) {
    const cost = layerCost({ ...input, sequenceLength: tokens, batch });
    if ('reason' in cost) return undefined;
    for (const { id, forwardFlops } of cost.steps) if (isOfSource(id)) flops += count * forwardFlops;
  }
  return flops;
}

/** FLOPs of the two products with the sequence, for one query and one key. */
const pairFlops = ({ input: { queryHeads: h = 0n, headDim = 0n, valueDim = 0n } }: LayerKind): bigint => 2n * h * (headDim + valueDim);

/** The same for one new token whose keys and values are latent: the expansion is folded into query and output (DeepSeek-V2, arXiv:2405.04434, section 2.1.2). */
function decodePairFlops(kind: LayerKind): bigint {
  const { latent, queryHeads: h = 0n } = kind.input;
  return latent === undefined ? pairFlops(kind) : 2n * h * (2n * latent.keyValueRank + latent.ropeDim);
}

/** Weights that a pass has to read at least: everything but tables of which rows are looked up, and of the experts those of one token. */
function readElements(stack: Stack, weights: Weights): bigint {
  if (weights.reads !== undefined) return weights.reads.further;
  let total = weights.total;
  for (const { elements, place, lookup } of weights.items)
    if (lookup === true && typeof place !== 'number' && !(weights.sharedTable > 0n && elements === weights.sharedTable)) total -= elements;
  for (const { elements, place, spread } of weights.items) {
    const kind = typeof place === 'number' ? stack.kinds[place] : undefined;
    const experts = kind?.input.experts;
    if (kind === undefined || experts === undefined || (spread !== 'experts' && spread !== 'expertCopies')) continue;
    total -= (kind.count * elements * (experts.count - experts.perToken)) / experts.count;
  }
  return total;
}

export function servingReport(
  stack: Stack | undefined,
  weights: Weights,
  options: ServingOptions,
): { readonly report: ServingReport; readonly notes: readonly string[] } {
  const { weightDtype, cacheDtype, tokens, batch } = options;
  const notes: string[] = [];
  const weightBytes = bytesOf(weights.total, weightDtype);
  const memory: Quantity[] = [
    quantity(
      'weights',
      `Weights in ${weightDtype.name}, ${countText(weights)} parameters`,
      `N * ${weightDtype.bits}/8 B`,
      'bytes',
      weightBytes,
    ),
  ];
  if (stack === undefined) return { report: { memory, prefill: [], decode: [], rooflines: [] }, notes };
  const decodes = stack.causal !== false && stack.kinds.every(({ input }) => cacheElementsPerLayer(input) !== undefined);
  const perToken = stack.kinds.reduce((sum, { input, count }) => sum + count * (cacheElementsPerLayer(input)?.elements ?? 0n), 0n);
  if (decodes)
    memory.push(
      quantity(
        'cachePerToken',
        `KV cache per token in ${cacheDtype.name}`,
        'L * elements of a layer',
        'bytes',
        bytesOf(perToken, cacheDtype),
      ),
    );
  const prefill: Quantity[] = [];
  const decode: Quantity[] = [];
  const rooflines: Roofline[] = [];
  if (tokens === undefined) return { report: { memory, prefill, decode, rooflines }, notes };

  const cacheKnown = decodes && stack.windowsKnown;
  if (decodes && !stack.windowsKnown) notes.push('KV cache of a sequence: which layers slide their window is not known.');
  const { encoder } = stack;
  const kept = cacheKnown ? sequenceCache(stack, tokens, cacheDtype) : undefined;
  const source = kept?.ofSource ?? 0n;
  const perSequence = kept === undefined ? undefined : kept.ofTokens + source;
  const cache = perSequence === undefined ? undefined : perSequence * batch;
  if (perSequence !== undefined && cache !== undefined) {
    if (encoder !== undefined)
      memory.push(
        quantity('crossCachePerSequence', "KV cache of the encoder's output, a sequence", 'S * cache per token', 'bytes', source),
      );
    memory.push(
      quantity(
        'cachePerSequence',
        'KV cache of a sequence',
        encoder === undefined ? 'T * cache per token; windows where they are shorter' : '(T + S) * cache per token',
        'bytes',
        perSequence,
      ),
    );
    if (batch > 1n) memory.push(quantity('cache', 'KV cache of all sequences', 'B * cache of a sequence', 'bytes', cache));
    memory.push(quantity('servingMemory', 'Weights and cache', 'without activations and buffers', 'bytes', weightBytes + cache));
  }
  const phases: Phase[] = [];
  const read = bytesOf(readElements(stack, weights), weightDtype);
  const head = stack.head ? 2n * stack.hiddenSize * (stack.vocabulary ?? 0n) : 0n;
  const sourced = sourceFlops(stack, tokens, batch);
  if (sourced !== undefined) {
    const phase: Phase = { id: 'prefill', flops: sourced, bytes: bytesOf(weights.reads?.once ?? 0n, weightDtype) + source * batch };
    phases.push(phase);
    prefill.push(...phaseQuantities(phase, false, 'encoder; keys and values of its output', 'their weights and the cache of them once'));
  } else if (encoder === undefined && stack.windowsKnown) {
    const causal = stack.causal !== false;
    const flops = stack.kinds.reduce((sum, kind) => {
      const pairs = causal ? seenPairs(tokens, kind.window) : tokens * tokens;
      return sum + kind.count * batch * (tokens * matrixFlops(kind) + pairs * pairFlops(kind));
    }, 0n);
    // Only the last token's logits are needed.
    const phase: Phase = { id: 'prefill', flops: flops + batch * head, bytes: read + (cache ?? 0n) };
    phases.push(phase);
    prefill.push(...phaseQuantities(phase, stack.head, causal ? 'pairs that the mask leaves' : 'all pairs', 'weights and cache once'));
  }
  if (cache !== undefined) {
    const flops = stack.kinds.reduce((sum, kind) => {
      const seen = kind.window !== undefined && kind.window < tokens ? kind.window : tokens;
      const pairs = seen + (encoder === undefined ? 0n : (encoder.positions ?? tokens));
      return sum + kind.count * batch * (matrixFlops(kind) + pairs * decodePairFlops(kind));
    }, 0n);
    const phase: Phase = { id: 'decode', flops: flops + batch * head, bytes: read + cache };
    phases.push(phase);
    decode.push(...phaseQuantities(phase, stack.head, 'one token of each sequence', 'weights and cache once'));
  }
  if (stack.kinds.some(({ input }) => input.experts !== undefined))
    notes.push('Bytes moved count the experts of one token: other tokens may reach others, up to all of them.');
  const held = weightBytes + (cache ?? 0n);
  const wanted = options.gpus.length === 0 ? gpus : gpus.filter(({ name }) => options.gpus.includes(name));
  for (const gpu of wanted)
    for (const phase of phases) {
      const line = roofline(gpu, phase, devicesOf({ ...options.layout, data: 1n }), weightDtype, held);
      if (line !== undefined) rooflines.push(line);
    }
  return { report: { memory, prefill, decode, rooflines }, notes };
}

const phaseQuantities = ({ id, flops, bytes }: Phase, head: boolean, how: string, moved: string): Quantity[] => [
  quantity(`${id}Flops`, head ? 'FLOPs, layers and head' : 'FLOPs, layers', how, 'FLOPs', flops),
  quantity(`${id}Bytes`, 'Bytes moved, at least', moved, 'bytes', bytes),
  quantity(`${id}Intensity`, 'Arithmetic intensity, at most', 'FLOPs / bytes', 'FLOPs per byte', flops / bytes, decimal(flops, bytes, 2)),
];

/** The type in which products are computed: weights of fewer bits than the GPU multiplies are widened to 16. */
function peakOf({ gigaflops }: Gpu, dtype: Dtype): readonly [string, number] | undefined {
  const name = dtype.name === 'float64' ? 'float32' : dtype.name;
  const own = (gigaflops as Readonly<Record<string, number | undefined>>)[name];
  if (own !== undefined && name !== 'int8') return [name, own];
  const wide = gigaflops.bfloat16;
  return wide === undefined ? undefined : ['bfloat16', wide];
}

/**
 * No faster than the peak computes nor than the memory delivers (Williams et al. 2009, doi:10.1145/1498765.1498785): `10^9 FLOPs a second`
 * is one a nanosecond.
 */
function roofline(gpu: Gpu, { id, flops, bytes }: Phase, count: bigint, dtype: Dtype, held: bigint): Roofline | undefined {
  const peak = peakOf(gpu, dtype);
  if (peak === undefined) return undefined;
  const compute = flops / (BigInt(peak[1]) * count);
  const bandwidth = bytes / (BigInt(gpu.gigabytesPerSecond) * count);
  const time = compute > bandwidth ? compute : bandwidth;
  return {
    gpu: gpu.label,
    count: amountOf(count),
    dtype: peak[0],
    phase: id,
    bound: compute > bandwidth ? 'compute' : 'bandwidth',
    nanoseconds: amountOf(time),
    text: timeText(time),
    fits: held <= BigInt(gpu.memoryGigabytes) * 10n ** 9n * count,
  };
}

/** `1.23 ms`: three digits or more, rounded to the nearest. */
function timeText(nanoseconds: bigint): string {
  const units: readonly (readonly [string, bigint])[] = [
    ['s', 10n ** 9n],
    ['ms', 10n ** 6n],
    ['µs', 1000n],
  ];
  const found = units.find(([, size]) => nanoseconds >= size);
  return found === undefined ? `${nanoseconds} ns` : `${decimal(nanoseconds, found[1], 2)} ${found[0]}`;
}
