import type { AttentionInput } from './shapes.ts';

/**
 * The cost of one pre-norm transformer layer, step by step as data passes through it. Exact integers.
 *
 * FLOPs count a multiplication and an addition as two; a product's backward pass is two products of the same size (Kaplan et al. 2020,
 * arXiv:2001.08361, section 2.1; Hoffmann et al. 2022, arXiv:2203.15556, appendix F). Work that is not a matrix product (norms, softmax,
 * rotary positions, activations) is left out, as there. Attention counts the full square, causal or not.
 *
 * Activations are what the backward pass needs again, after Korthikanti et al. 2022, arXiv:2205.05198, section 4: `s b h (34 + 5 a s / h)`
 * bytes for 16-bit elements with dropout. A fused kernel keeps one number a row instead of the weights (Dao et al. 2022,
 * arXiv:2205.14135, section 3.1: the softmax statistics, 32 bits each).
 */
export interface LayerInput extends AttentionInput {
  readonly intermediateSize?: bigint;
  /** Whether the feed-forward has a gate beside its up projection (Shazeer 2020, arXiv:2002.05202). */
  readonly gated?: boolean;
  /** Dropout after attention weights, attention and feed-forward: each keeps a mask of a byte an element. */
  readonly dropout?: boolean;
  /** Devices that share each layer's matrices (Shoeybi et al. 2019, arXiv:1909.08053). */
  readonly tensorParallel?: bigint;
  /** What tensor parallelism leaves whole is split along the sequence (Korthikanti et al. 2022, section 4.2.2). */
  readonly sequenceParallel?: boolean;
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
}

export interface LayerCost {
  readonly steps: readonly Step[];
  readonly parameters: bigint;
  readonly forwardFlops: bigint;
  readonly backwardFlops: bigint;
  readonly activationBytes: bigint;
  readonly fusedActivationBytes: bigint;
}

/** Why a layer's cost is not known, or the cost. Shapes are of the whole layer, bytes of one device. */
export function layerCost(input: LayerInput): LayerCost | { readonly reason: string } {
  const { hiddenSize: d, queryHeads: h, keyValueHeads: kv, headDim: e, valueDim: v, sequenceLength: t, intermediateSize: f } = input;
  if (input.latent !== undefined) return { reason: 'Latent attention is not modelled step by step.' };
  if (d === undefined || h === undefined || kv === undefined || e === undefined || v === undefined)
    return { reason: 'Give the width and the heads.' };
  if (t === undefined) return { reason: 'Give T, the number of tokens.' };
  if (f === undefined || input.gated === undefined) return { reason: 'Give ff, the width of the feed-forward, and whether it is gated.' };
  const devices = input.tensorParallel ?? 1n;
  if (h % devices !== 0n || f % devices !== 0n || (kv % devices !== 0n && devices % kv !== 0n))
    return { reason: `${devices} devices cannot share ${h} heads, ${kv} KV heads and a feed-forward of ${f}.` };
  const b = input.batch ?? 1n;
  const bits = input.dtype?.bits ?? 16n;
  const mask = input.dropout === true ? 1n : 0n;
  const ways = input.gated ? 2n : 1n;
  const rows = b * t;
  const weights = b * h * t * t;
  /** Bytes of elements that are split over the devices, and of those that each keeps whole unless the sequence is split. */
  const bytes = (elements: bigint): bigint => (elements * bits + 7n) / 8n;
  const split = (total: bigint): bigint => total / devices;
  const whole = (total: bigint): bigint => (input.sequenceParallel === true ? total / devices : total);
  /** Each device has whole KV heads: where there are fewer than devices, copies of them. */
  const keyValue = (total: bigint): bigint => (kv >= devices ? total / devices : total / kv);

  const steps: Step[] = [];
  const step = (
    id: string,
    label: string,
    symbolic: string,
    shape: readonly bigint[],
    { parameters = 0n, flops = 0n, kept = 0n, fused = kept }: { parameters?: bigint; flops?: bigint; kept?: bigint; fused?: bigint },
  ): void => {
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
    });
  };
  const product = (into: bigint, out: bigint): { parameters: bigint; flops: bigint } => ({
    parameters: into * out,
    flops: 2n * rows * into * out,
  });
  const dv = v === e ? 'd_h' : 'd_v';

  step('attentionNorm', 'Norm before attention', 'B, T, d', [b, t, d], { kept: whole(bytes(rows * d)) });
  // The three projections share one input.
  step('queries', 'Queries', 'B, h, T, d_h', [b, h, t, e], { ...product(d, h * e), kept: whole(bytes(rows * d)) });
  step('keys', 'Keys', 'B, kv, T, d_h', [b, kv, t, e], product(d, kv * e));
  step('values', 'Values', `B, kv, T, ${dv}`, [b, kv, t, v], product(d, kv * v));
  step('scores', 'Scores', 'B, h, T, T', [b, h, t, t], {
    flops: 2n * weights * e,
    kept: split(bytes(rows * h * e)) + keyValue(bytes(rows * kv * e)),
  });
  // Written out: the weights, and with dropout its mask and what it leaves of them.
  step('weights', 'Softmax', 'B, h, T, T', [b, h, t, t], {
    kept: split(bytes(weights) * (1n + mask) + weights * mask),
    fused: split(b * h * t * 4n),
  });
  step('weightedValues', 'Weighted values', `B, h, T, ${dv}`, [b, h, t, v], {
    flops: 2n * weights * v,
    kept: keyValue(bytes(rows * kv * v)),
  });
  step('concatenation', 'Concatenation', `B, T, h * ${dv}`, [b, t, h * v], {});
  step('outputProjection', 'Output projection', 'B, T, d', [b, t, d], {
    ...product(h * v, d),
    kept: split(bytes(rows * h * v)) + whole(rows * d * mask),
  });
  step('feedForwardNorm', 'Norm before the feed-forward', 'B, T, d', [b, t, d], { kept: whole(bytes(rows * d)) });
  step('up', input.gated ? 'Up and gate projections' : 'Up projection', 'B, T, d_ff', [b, t, f], {
    parameters: ways * d * f,
    flops: ways * 2n * rows * d * f,
    kept: whole(bytes(rows * d)),
  });
  step('activation', 'Activation', 'B, T, d_ff', [b, t, f], { kept: split(bytes(rows * f) * ways) });
  step('down', 'Down projection', 'B, T, d', [b, t, d], { ...product(f, d), kept: split(bytes(rows * f)) + whole(rows * d * mask) });

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
