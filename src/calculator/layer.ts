import type { AttentionInput, LatentInput } from './shapes.ts';

/**
 * The cost of one transformer layer, step by step as data passes through it. Exact integers.
 *
 * FLOPs count a multiplication and an addition as two; a product's backward pass is two products of the same size (Kaplan et al. 2020,
 * arXiv:2001.08361, section 2.1; Hoffmann et al. 2022, arXiv:2203.15556, appendix F). Work that is not a matrix product (norms, softmax,
 * rotary positions, activations) is left out, as there. Attention counts the full square, causal or not, windows or not.
 *
 * Activations are what the backward pass needs again, after Korthikanti et al. 2022, arXiv:2205.05198, section 4: `s b h (34 + 5 a s / h)`
 * bytes for 16-bit elements with dropout. A fused kernel keeps one number a row instead of the weights (Dao et al. 2022,
 * arXiv:2205.14135, section 3.1: the softmax statistics, 32 bits each). For experts the same rule holds of every token that reaches one,
 * and the tokens are taken to be spread evenly.
 */
export interface LayerInput extends AttentionInput {
  readonly intermediateSize?: bigint;
  /** Whether the feed-forward has a gate beside its up projection (Shazeer 2020, arXiv:2002.05202). */
  readonly gated?: boolean;
  /** Experts in place of the feed-forward (Shazeer et al. 2017, arXiv:1701.06538; shared: DeepSeekMoE, arXiv:2401.06066). */
  readonly experts?: ExpertsInput;
  /** Whether queries and keys are rotated; unknown says so in the step's name. */
  readonly rotary?: boolean;
  /** Queries and keys pass a norm each before their product (Henry et al. 2020, arXiv:2010.04245), which keeps its input. */
  readonly headNorms?: boolean;
  /**
   * Norms of a layer: one for each sublayer unless said otherwise; before and after each; side by side one each of the same input, or one that
   * both sublayers read (Wang & Komatsuzaki 2021, GPT-J).
   */
  readonly norms?: 'sandwich' | 'parallel' | 'shared';
  /** Dropout after attention weights, attention and feed-forward: each keeps a mask of a byte an element. */
  readonly dropout?: boolean;
  /** A decoder's second attention, to the output of an encoder as wide as itself (Vaswani et al. 2017, arXiv:1706.03762, section 3.2.3). */
  readonly crossAttention?: CrossAttentionInput;
  /** Devices that share each layer's matrices (Shoeybi et al. 2019, arXiv:1909.08053). */
  readonly tensorParallel?: bigint;
  /** What tensor parallelism leaves whole is split along the sequence (Korthikanti et al. 2022, section 4.2.2). */
  readonly sequenceParallel?: boolean;
  /** Devices that share the sequence, keys and values passed around in a ring (Liu et al. 2023, arXiv:2310.01889). */
  readonly contextParallel?: bigint;
}

export interface CrossAttentionInput {
  /** Positions of the encoder's output; as many as there are tokens where absent. */
  readonly keyLength?: bigint;
}

export interface ExpertsInput {
  readonly count: bigint;
  readonly perToken: bigint;
  readonly width: bigint;
  /** Width of what every token passes as well; 0 for none. */
  readonly sharedWidth: bigint;
  /** The shared expert's output is scaled by a number computed from the token (Qwen 2 MoE): a product of its own. */
  readonly sharedGate?: boolean;
}

export interface Step {
  /** Stable name: `queries`, `scores`, `outputProjection`, ... */
  readonly id: string;
  readonly label: string;
  /** Shape of what the step gives: in symbols and in numbers. */
  readonly symbolic: string;
  readonly shape: readonly bigint[];
  /** Weights of the step, without biases and norms. */
  readonly parameters: bigint;
  readonly forwardFlops: bigint;
  readonly backwardFlops: bigint;
  /** Bytes that a device keeps for the backward pass, with attention weights written out and with a fused kernel. */
  readonly activationBytes: bigint;
  readonly fusedActivationBytes: bigint;
  /** How tensor parallelism spreads the weights: over the devices, over the KV heads, over experts and devices, or a copy on each. */
  readonly spread: 'split' | 'keyValue' | 'experts' | 'copies';
}

export interface LayerCost {
  readonly steps: readonly Step[];
  readonly parameters: bigint;
  readonly forwardFlops: bigint;
  readonly backwardFlops: bigint;
  readonly activationBytes: bigint;
  readonly fusedActivationBytes: bigint;
}

interface Amounts {
  readonly parameters?: bigint;
  readonly flops?: bigint;
  readonly kept?: bigint;
  readonly fused?: bigint;
  readonly spread?: Step['spread'];
}

type AddStep = (id: string, label: string, symbolic: string, shape: readonly bigint[], amounts?: Amounts) => void;

/** Sizes of a layer that are all known: width, heads, KV heads, head and value dims, tokens, sequences. */
interface Known {
  readonly d: bigint;
  readonly h: bigint;
  readonly kv: bigint;
  readonly e: bigint;
  readonly v: bigint;
  readonly t: bigint;
  readonly b: bigint;
}

/** Why a layer's cost is not known, or the cost. Shapes are of the whole layer, bytes of one device. */
export function layerCost(input: LayerInput): LayerCost | { readonly reason: string } {
  const known = sizesOf(input);
  if ('reason' in known) return known;
  const { d, t } = known;
  const { intermediateSize: f, experts } = input;
  const steps: Step[] = [];
  const step: AddStep = (id, label, symbolic, shape, { parameters = 0n, flops = 0n, kept = 0n, fused = kept, spread = 'split' } = {}) => {
    steps.push({
      id,
      label,
      symbolic: `[${symbolic}]`,
      shape,
      parameters,
      forwardFlops: flops,
      backwardFlops: 2n * flops,
      activationBytes: kept,
      fusedActivationBytes: fused,
      spread,
    });
  };
  const kept = keeper(input, known);
  attentionSteps(input, known, kept, step);
  if (input.crossAttention !== undefined) crossAttentionSteps(input.crossAttention, input, known, kept, step);
  const sharesInput = input.norms === 'parallel';
  if (input.norms !== 'shared')
    step('feedForwardNorm', 'Norm before the feed-forward', 'B, T, d', [known.b, t, d], {
      // Side by side, both sublayers' norms read the same tensor.
      kept: sharesInput ? 0n : kept.whole(kept.bytes(kept.rows * d)),
    });
  if (experts !== undefined) expertSteps(experts, input, known, kept, step);
  else if (f !== undefined) feedForwardSteps(f, input, known, kept, step);
  if (input.norms === 'sandwich')
    step('feedForwardOutputNorm', 'Norm after the feed-forward', 'B, T, d', [known.b, t, d], {
      kept: kept.whole(kept.bytes(kept.rows * d)),
    });

  const sum = (of: (each: Step) => bigint): bigint => steps.reduce((total, each) => total + of(each), 0n);
  return {
    steps,
    parameters: sum(({ parameters }) => parameters),
    forwardFlops: sum(({ forwardFlops }) => forwardFlops),
    backwardFlops: sum(({ backwardFlops }) => backwardFlops),
    activationBytes: sum(({ activationBytes }) => activationBytes),
    fusedActivationBytes: sum(({ fusedActivationBytes }) => fusedActivationBytes),
  };
}

/** The sizes that a layer's steps follow from, or what is missing or does not fit the devices. */
export function sizesOf(input: LayerInput): Known | { readonly reason: string } {
  const { hiddenSize: d, queryHeads: h, headDim: e, valueDim: v, sequenceLength: t, intermediateSize: f, latent, experts } = input;
  const kv = latent === undefined ? input.keyValueHeads : h;
  if (d === undefined || h === undefined || kv === undefined || e === undefined || v === undefined)
    return { reason: 'Give the width and the heads.' };
  if (t === undefined) return { reason: 'Give T, the number of tokens.' };
  if ((f === undefined && experts === undefined) || input.gated === undefined)
    return { reason: 'Give ff, the width of the feed-forward, and whether it is gated.' };
  const unfit = whyNotShared(input, { h, kv, t });
  return unfit === undefined ? { d, h, kv, e, v, t, b: input.batch ?? 1n } : { reason: unfit };
}

/** Whole heads and whole columns on each device; whole tokens where the sequence is split. */
function whyNotShared(
  input: LayerInput,
  { h, kv, t }: { readonly h: bigint; readonly kv: bigint; readonly t: bigint },
): string | undefined {
  const devices = input.tensorParallel ?? 1n;
  const widths = [input.experts === undefined ? input.intermediateSize : undefined, input.experts?.width, input.experts?.sharedWidth];
  const isUneven = h % devices !== 0n || widths.some((width) => width !== undefined && width % devices !== 0n);
  if (isUneven || (kv % devices !== 0n && devices % kv !== 0n))
    return `${devices} devices cannot share ${h} heads, ${kv} KV heads and a feed-forward of ${input.experts?.width ?? input.intermediateSize}.`;
  const context = input.contextParallel ?? 1n;
  if (t % context !== 0n) return `${context} devices cannot share ${t} tokens evenly.`;
  if (input.sequenceParallel === true && (t / context) % devices !== 0n)
    return `${devices} devices cannot share ${t / context} tokens evenly.`;
  return undefined;
}

interface Keeper {
  /** Tokens of one device, of all sequences. */
  readonly rows: bigint;
  /** A byte for each element where there is dropout. */
  readonly mask: bigint;
  readonly bytes: (elements: bigint) => bigint;
  /** Split over the devices of tensor parallelism; whole on each unless the sequence is split; by KV heads. */
  readonly split: (total: bigint) => bigint;
  readonly whole: (total: bigint) => bigint;
  readonly keyValue: (total: bigint) => bigint;
}

function keeper(input: LayerInput, { kv, b, t }: Known): Keeper {
  const devices = input.tensorParallel ?? 1n;
  // Weights of fewer bits are stored so; what is computed with them has 16 at least.
  const bits = input.dtype === undefined || input.dtype.bits < 16n ? 16n : input.dtype.bits;
  return {
    rows: b * (t / (input.contextParallel ?? 1n)),
    mask: input.dropout === true ? 1n : 0n,
    bytes: (elements) => (elements * bits) / 8n,
    split: (total) => total / devices,
    whole: (total) => (input.sequenceParallel === true ? total / devices : total),
    // Each device has whole KV heads: where there are fewer than devices, copies of them.
    keyValue: (total) => (kv >= devices ? total / devices : total / kv),
  };
}

function attentionSteps(input: LayerInput, known: Known, kept: Keeper, step: AddStep): void {
  const { d, h, kv, e, v, t, b } = known;
  const { bytes, split, whole, keyValue, rows } = kept;
  const tokens = b * t;
  const dv = v === e ? 'd_h' : 'd_v';
  step('attentionNorm', 'Norm before attention', 'B, T, d', [b, t, d], { kept: whole(bytes(rows * d)) });
  if (input.latent !== undefined) latentSteps(input.latent, known, kept, step);
  else {
    // The three projections share one input.
    step('queries', 'Query projection', 'B, T, h * d_h', [b, t, h * e], { ...product(tokens, d, h * e), kept: whole(bytes(rows * d)) });
    step('keys', 'Key projection', 'B, T, kv * d_h', [b, t, kv * e], { ...product(tokens, d, kv * e), spread: 'keyValue' });
    step('values', 'Value projection', `B, T, kv * ${dv}`, [b, t, kv * v], { ...product(tokens, d, kv * v), spread: 'keyValue' });
  }
  step('headSplit', 'Head split', 'B, h, T, d_h', [b, h, t, e]);
  if (input.headNorms === true)
    step('headNorms', 'Norms of queries and keys', 'B, h, T, d_h', [b, h, t, e], {
      kept: split(bytes(rows * h * e)) + keyValue(bytes(rows * kv * e)),
    });
  if (input.rotary !== false)
    step('rotary', input.rotary === true ? 'Rotary positions' : 'Rotary positions, where used', 'B, h, T, d_h', [b, h, t, e]);
  weightingSteps(known, kept, { length: t, rows, symbol: 'T' }, step);
  if (input.norms === 'sandwich')
    step('attentionOutputNorm', 'Norm after attention', 'B, T, d', [b, t, d], { kept: whole(bytes(rows * d)) });
}

/** What queries do with the keys and values: of the tokens themselves, or of an encoder's output. */
function weightingSteps(
  { d, h, kv, e, v, t, b }: Known,
  { bytes, split, whole, keyValue, rows, mask }: Keeper,
  /** Rows are those that a device has keys and values of. */
  keys: { readonly length: bigint; readonly rows: bigint; readonly symbol: 'T' | 'S' },
  step: AddStep,
): void {
  const square = b * h * t * keys.length;
  const ownSquare = rows * h * keys.length;
  const dv = v === e ? 'd_h' : 'd_v';
  step('scores', 'Scores', `B, h, T, ${keys.symbol}`, [b, h, t, keys.length], {
    flops: 2n * square * e,
    kept: split(bytes(rows * h * e)) + keyValue(bytes(keys.rows * kv * e)),
  });
  // Written out: the weights, and with dropout its mask and what it leaves of them.
  step('weights', 'Softmax', `B, h, T, ${keys.symbol}`, [b, h, t, keys.length], {
    kept: split(bytes(ownSquare) * (1n + mask) + ownSquare * mask),
    fused: split(rows * h * 4n),
  });
  step('weightedValues', 'Weighted values', `B, h, T, ${dv}`, [b, h, t, v], {
    flops: 2n * square * v,
    kept: keyValue(bytes(keys.rows * kv * v)),
  });
  step('concatenation', 'Concatenation', `B, T, h * ${dv}`, [b, t, h * v], {});
  step('outputProjection', 'Output projection', 'B, T, d', [b, t, d], {
    ...product(b * t, h * v, d),
    kept: split(bytes(rows * h * v)) + whole(rows * d * mask),
  });
}

/** Steps of a decoder's second attention have the names of the first's with this before them: `cross.scores`. */
const crossPrefix = 'cross.';

/** The step's name among those of one attention. */
export const attentionStep = (id: string): string => (id.startsWith(crossPrefix) ? id.slice(crossPrefix.length) : id);

/** Whether a step is one of an encoder's output: done once for a sequence, and cached. */
export const isOfSource = (id: string): boolean => id === `${crossPrefix}keys` || id === `${crossPrefix}values`;

/**
 * Queries of the tokens, keys and values of an encoder's output (Vaswani et al. 2017, arXiv:1706.03762, section 3.2.3). That output is kept
 * for the backward pass once for all layers, and counted where the encoder ends.
 */
function crossAttentionSteps({ keyLength }: CrossAttentionInput, input: LayerInput, known: Known, kept: Keeper, add: AddStep): void {
  const { d, h, kv, e, v, t, b } = known;
  const { bytes, whole, rows } = kept;
  const length = keyLength ?? t;
  const dv = v === e ? 'd_h' : 'd_v';
  const step: AddStep = (id, label, ...rest) => add(`${crossPrefix}${id}`, `Cross-attention: ${label}`, ...rest);
  step('attentionNorm', 'norm', 'B, T, d', [b, t, d], { kept: whole(bytes(rows * d)) });
  step('queries', 'query projection', 'B, T, h * d_h', [b, t, h * e], { ...product(b * t, d, h * e), kept: whole(bytes(rows * d)) });
  step('keys', "key projection of the encoder's output", 'B, S, kv * d_h', [b, length, kv * e], {
    ...product(b * length, d, kv * e),
    spread: 'keyValue',
  });
  step('values', "value projection of the encoder's output", `B, S, kv * ${dv}`, [b, length, kv * v], {
    ...product(b * length, d, kv * v),
    spread: 'keyValue',
  });
  const lower: AddStep = (id, label, ...rest) => step(id, `${label.charAt(0).toLowerCase()}${label.slice(1)}`, ...rest);
  weightingSteps(known, kept, { length, rows: b * (length / (input.contextParallel ?? 1n)), symbol: 'S' }, lower);
}

/**
 * Projections of latent attention (DeepSeek-V2, arXiv:2405.04434, equations 9 to 19), trained as written there: keys and values are
 * expanded for every head. The projections to the ranks have no heads to split: each device has them whole.
 */
function latentSteps(latent: LatentInput, { d, h, v, t, b }: Known, { bytes, whole, rows }: Keeper, step: AddStep): void {
  const { queryRank, keyValueRank, ropeDim, nopeDim } = latent;
  const tokens = b * t;
  const head = ropeDim + nopeDim;
  const input = whole(bytes(rows * d));
  if (queryRank === undefined)
    step('queries', 'Query projection', 'B, T, h * d_h', [b, t, h * head], { ...product(tokens, d, h * head), kept: input });
  else {
    step('queryDown', 'Query down projection', 'B, T, r_q', [b, t, queryRank], {
      ...product(tokens, d, queryRank),
      kept: input,
      spread: 'copies',
    });
    step('queryNorm', 'Norm of the query rank', 'B, T, r_q', [b, t, queryRank], { kept: whole(bytes(rows * queryRank)) });
    step('queries', 'Query up projection', 'B, T, h * d_h', [b, t, h * head], {
      ...product(tokens, queryRank, h * head),
      kept: whole(bytes(rows * queryRank)),
    });
  }
  step('keyValueDown', 'KV down projection', 'B, T, r_kv + d_rope', [b, t, keyValueRank + ropeDim], {
    ...product(tokens, d, keyValueRank + ropeDim),
    spread: 'copies',
  });
  step('keyValueNorm', 'Norm of the KV rank', 'B, T, r_kv', [b, t, keyValueRank], { kept: whole(bytes(rows * keyValueRank)) });
  step('keyValueUp', 'KV up projection', 'B, T, h * (d_nope + d_v)', [b, t, h * (nopeDim + v)], {
    ...product(tokens, keyValueRank, h * (nopeDim + v)),
    kept: whole(bytes(rows * keyValueRank)),
  });
}

function feedForwardSteps(f: bigint, input: LayerInput, { d, t, b }: Known, kept: Keeper, step: AddStep): void {
  const { bytes, split, whole, rows, mask } = kept;
  const gated = input.gated === true;
  const ways = gated ? 2n : 1n;
  step('up', gated ? 'Up and gate projections' : 'Up projection', 'B, T, d_ff', [b, t, f], {
    ...product(b * t, d, ways * f),
    // A norm that attention reads too is kept once.
    kept: input.norms === 'shared' ? 0n : whole(bytes(rows * d)),
  });
  step('activation', 'Activation', 'B, T, d_ff', [b, t, f], { kept: split(bytes(rows * f) * ways) });
  step('down', 'Down projection', 'B, T, d', [b, t, d], { ...product(b * t, f, d), kept: split(bytes(rows * f)) + whole(rows * d * mask) });
}

function expertSteps(experts: ExpertsInput, input: LayerInput, { d, t, b }: Known, kept: Keeper, step: AddStep): void {
  const { bytes, split, whole, rows, mask } = kept;
  const { count, perToken: k, width: f, sharedWidth } = experts;
  const gated = input.gated === true;
  const ways = gated ? 2n : 1n;
  const tokens = b * t;
  // The router's input is kept, and its weights, by which the experts' outputs are scaled.
  step('router', 'Router', 'B, T, E', [b, t, count], {
    ...product(tokens, d, count),
    kept: whole((input.norms === 'shared' ? 0n : bytes(rows * d)) + bytes(rows * count)),
    spread: 'copies',
  });
  step('expertUp', gated ? 'Experts, up and gate projections' : 'Experts, up projection', 'k * B * T, d_e', [k * tokens, f], {
    parameters: count * d * ways * f,
    flops: 2n * k * tokens * d * ways * f,
    kept: whole(bytes(k * rows * d)),
    spread: 'experts',
  });
  step('expertActivation', 'Experts, activation', 'k * B * T, d_e', [k * tokens, f], { kept: split(bytes(k * rows * f) * ways) });
  step('expertDown', 'Experts, down projection', 'k * B * T, d', [k * tokens, d], {
    parameters: count * f * d,
    flops: 2n * k * tokens * f * d,
    kept: split(bytes(k * rows * f)),
    spread: 'experts',
  });
  if (sharedWidth > 0n) {
    step('sharedUp', 'Shared expert, up projections', 'B, T, d_s', [b, t, sharedWidth], product(tokens, d, ways * sharedWidth));
    step('sharedActivation', 'Shared expert, activation', 'B, T, d_s', [b, t, sharedWidth], {
      kept: split(bytes(rows * sharedWidth) * ways),
    });
    step('sharedDown', 'Shared expert, down projection', 'B, T, d', [b, t, d], {
      ...product(tokens, sharedWidth, d),
      kept: split(bytes(rows * sharedWidth)),
    });
    if (experts.sharedGate === true)
      step('sharedGate', 'Gate of the shared expert', 'B, T, 1', [b, t, 1n], {
        ...product(tokens, d, 1n),
        kept: whole(bytes(rows * d) + bytes(rows)),
        spread: 'copies',
      });
  }
  step('combination', 'Combination', 'B, T, d', [b, t, d], { kept: whole(bytes(k * rows * d) + rows * d * mask) });
}

const product = (rows: bigint, into: bigint, out: bigint): { readonly parameters: bigint; readonly flops: bigint } => ({
  parameters: into * out,
  flops: 2n * rows * into * out,
});
