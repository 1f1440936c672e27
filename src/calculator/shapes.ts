/** Data type of stored elements. */
export interface Dtype {
  readonly name: string;
  readonly bits: bigint;
}

/**
 * One attention layer's sizes, as far as they are known, and how many layers, tokens and sequences there are.
 * `latent` is present for multi-head latent attention; `headDim` is then its rotary and unrotated part together.
 */
export interface AttentionInput {
  readonly hiddenSize?: bigint;
  readonly queryHeads?: bigint;
  readonly keyValueHeads?: bigint;
  readonly headDim?: bigint;
  readonly valueDim?: bigint;
  readonly layers?: bigint;
  readonly sequenceLength?: bigint;
  readonly batch?: bigint;
  readonly dtype?: Dtype;
  /** Whether the four projections add a bias; unknown counts none and says so. */
  readonly bias?: boolean;
  readonly latent?: LatentInput;
}

export interface LatentInput {
  /** Absent where queries are projected directly. */
  readonly queryRank?: bigint;
  readonly keyValueRank: bigint;
  readonly ropeDim: bigint;
  readonly nopeDim: bigint;
}

/** One line of the answer. */
export interface Row {
  /** Stable name: `headDim`, `queryProjection`, `cachePerToken`, ... */
  readonly id: string;
  readonly label: string;
  /** The formula in symbols: `h * d_h x d`. */
  readonly symbolic: string;
  /** Exact: decimal digits, or a shape's sizes. Shapes of weights are [out, in], as PyTorch's Linear stores them. */
  readonly value: string | readonly string[];
  /** The value for people: `[4096, 4096]`, `131,072 bytes (128 KiB)`. */
  readonly text: string;
}

/**
 * Elements that one token leaves in the cache of one layer.
 * Keys and values of every KV head (Shazeer 2019, arXiv:1911.02150; grouped: Ainslie et al. 2023, arXiv:2305.13245); for latent
 * attention the compressed vector and the shared rotary key (DeepSeek-V2, arXiv:2405.04434, section 2.1 and table 1).
 */
export function cacheElementsPerLayer(input: AttentionInput): { readonly elements: bigint; readonly symbolic: string } | undefined {
  const { latent, keyValueHeads, headDim, valueDim } = input;
  if (latent !== undefined) return { elements: latent.keyValueRank + latent.ropeDim, symbolic: 'r_kv + d_rope' };
  if (keyValueHeads === undefined || headDim === undefined || valueDim === undefined) return undefined;
  return {
    elements: keyValueHeads * (headDim + valueDim),
    symbolic: headDim === valueDim ? '2 * kv * d_h' : 'kv * (d_h + d_v)',
  };
}

/** Whole bytes that hold `elements` of a type. */
export const bytesOf = (elements: bigint, dtype: Dtype): bigint => (elements * dtype.bits + 7n) / 8n;

/** Every row that the known sizes decide, in the order in which data passes through a layer. */
export function attentionRows(input: AttentionInput): Row[] {
  const { hiddenSize: d, queryHeads: h, keyValueHeads: kv, headDim, valueDim, layers, sequenceLength: tokens, latent } = input;
  const batch = input.batch ?? 1n;
  const rows: Row[] = [];
  const shape = (id: string, label: string, symbolic: string, ...sizes: bigint[]): void => {
    rows.push({ id, label, symbolic: `[${symbolic}]`, value: sizes.map(String), text: `[${sizes.join(', ')}]` });
  };
  const number = (id: string, label: string, symbolic: string, value: bigint, text = grouped(value)): void => {
    rows.push({ id, label, symbolic, value: String(value), text });
  };
  const dv = valueDim === headDim ? 'd_h' : 'd_v';
  if (headDim !== undefined) {
    const derived = d !== undefined && h !== undefined && h * headDim === d && latent === undefined;
    number('headDim', 'Head dim', latent !== undefined ? 'd_nope + d_rope' : derived ? 'd / h' : 'd_h', headDim);
  }
  if (valueDim !== undefined && valueDim !== headDim) number('valueDim', 'Value dim', 'd_v', valueDim);
  if (latent !== undefined) latentShapes(input, latent, shape);
  else {
    if (d !== undefined && h !== undefined && headDim !== undefined) shape('queryProjection', 'Q projection', 'h * d_h, d', h * headDim, d);
    if (d !== undefined && kv !== undefined && headDim !== undefined)
      shape('keyProjection', 'K projection', 'kv * d_h, d', kv * headDim, d);
    if (d !== undefined && kv !== undefined && valueDim !== undefined) {
      shape('valueProjection', 'V projection', `kv * ${dv}, d`, kv * valueDim, d);
    }
  }
  if (h !== undefined && kv !== undefined && latent === undefined && kv > 0n) {
    const sharing = kv === h ? 'MHA: each query head has its own' : kv === 1n ? 'MQA: one for all' : 'GQA';
    number('queriesPerKeyValueHead', 'Query heads per KV head', 'h / kv', h / kv, `${h / kv} (${sharing})`);
  }
  if (tokens !== undefined && h !== undefined && headDim !== undefined) {
    shape('queries', 'Queries', 'B, h, T, d_h', batch, h, tokens, headDim);
    if (kv !== undefined && latent === undefined) shape('keys', 'Keys', 'B, kv, T, d_h', batch, kv, tokens, headDim);
  }
  if (tokens !== undefined) {
    shape('scoresPerHead', 'Scores per head', 'T, T', tokens, tokens);
    if (h !== undefined) number('scores', 'Scores of a layer', 'B * h * T^2', batch * h * tokens * tokens);
  }
  if (h !== undefined && valueDim !== undefined) {
    number('concatenation', 'Concatenation width', `h * ${dv}`, h * valueDim);
    if (d !== undefined) shape('outputProjection', 'O projection', `d, h * ${dv}`, d, h * valueDim);
  }
  cacheRows(input, batch, number);
  const weights = attentionWeights(input);
  if (weights !== undefined) {
    const note = input.bias === undefined ? 'without biases' : input.bias ? 'with biases' : 'no biases';
    number('attentionParameters', 'Attention parameters per layer', weights.symbolic, weights.value, `${grouped(weights.value)} (${note})`);
    if (layers !== undefined) {
      number(
        'attentionParametersTotal',
        'Attention parameters',
        `L * (${weights.symbolic})`,
        layers * weights.value,
        `${grouped(layers * weights.value)} (${note})`,
      );
    }
  }
  return rows;
}

/** Projections of latent attention: DeepSeek-V2, arXiv:2405.04434, equations 9 to 19, in the names of its published code. */
function latentShapes(
  { hiddenSize: d, queryHeads: h, valueDim }: AttentionInput,
  latent: LatentInput,
  shape: (id: string, label: string, symbolic: string, ...sizes: bigint[]) => void,
): void {
  const { queryRank, keyValueRank, ropeDim, nopeDim } = latent;
  const head = ropeDim + nopeDim;
  if (d !== undefined && queryRank !== undefined) shape('queryDown', 'Q down projection', 'r_q, d', queryRank, d);
  if (h !== undefined && queryRank !== undefined) shape('queryProjection', 'Q up projection', 'h * d_h, r_q', h * head, queryRank);
  else if (h !== undefined && d !== undefined) shape('queryProjection', 'Q projection', 'h * d_h, d', h * head, d);
  if (d !== undefined) shape('keyValueDown', 'KV down projection', 'r_kv + d_rope, d', keyValueRank + ropeDim, d);
  if (h !== undefined && valueDim !== undefined) {
    shape('keyValueUp', 'KV up projection', 'h * (d_nope + d_v), r_kv', h * (nopeDim + valueDim), keyValueRank);
  }
}

function cacheRows(
  input: AttentionInput,
  batch: bigint,
  number: (id: string, label: string, symbolic: string, value: bigint, text?: string) => void,
): void {
  const cache = cacheElementsPerLayer(input);
  if (cache === undefined) return;
  const { layers, sequenceLength: tokens, dtype } = input;
  const factor = layers === undefined ? '' : 'L * ';
  const formula = `${factor}${cache.symbolic.includes('+') && factor !== '' && !cache.symbolic.includes('(') ? `(${cache.symbolic})` : cache.symbolic}`;
  const elements = cache.elements * (layers ?? 1n);
  const scope = layers === undefined ? ' of a layer' : '';
  if (dtype === undefined) {
    number('cacheElementsPerToken', `KV cache${scope} per token, elements`, formula, elements);
    if (tokens !== undefined)
      number('cacheElementsPerSequence', `KV cache${scope} per sequence, elements`, `T * ${formula}`, tokens * elements);
    return;
  }
  const width = `${dtype.bits % 8n === 0n ? dtype.bits / 8n : `${dtype.bits}/8`} B`;
  const bytes = (id: string, label: string, symbolic: string, total: bigint): void => {
    const value = bytesOf(total, dtype);
    number(id, label, `${symbolic} * ${width}`, value, byteText(value));
  };
  bytes('cachePerToken', `KV cache${scope} per token`, formula, elements);
  if (tokens === undefined) return;
  bytes('cachePerSequence', `KV cache${scope} per sequence`, `T * ${formula}`, tokens * elements);
  if (input.batch !== undefined) bytes('cachePerBatch', `KV cache${scope} per batch`, `B * T * ${formula}`, batch * tokens * elements);
}

/**
 * Weights of one attention layer's projections (Vaswani et al. 2017, arXiv:1706.03762, section 3.2.2), with one bias per output
 * feature where `bias` is set. Norms inside attention (QK norm, MLA's rank norms) are not projections and not counted.
 */
export function attentionWeights(input: AttentionInput): { readonly value: bigint; readonly symbolic: string } | undefined {
  const { hiddenSize: d, queryHeads: h, keyValueHeads: kv, headDim, valueDim, latent } = input;
  if (d === undefined || h === undefined || valueDim === undefined) return undefined;
  const outputs = d * h * valueDim;
  if (latent !== undefined) {
    // Published latent-attention models have no bias on these projections; with one the count is not known.
    if (input.bias === true) return undefined;
    const { queryRank, keyValueRank, ropeDim, nopeDim } = latent;
    const head = ropeDim + nopeDim;
    const queries = queryRank === undefined ? d * h * head : d * queryRank + queryRank * h * head;
    const keysAndValues = d * (keyValueRank + ropeDim) + keyValueRank * h * (nopeDim + valueDim);
    return {
      value: queries + keysAndValues + outputs,
      symbolic: `${queryRank === undefined ? 'd*h*d_h' : 'd*r_q + r_q*h*d_h'} + d*(r_kv + d_rope) + r_kv*h*(d_nope + d_v) + d*h*d_v`,
    };
  }
  if (kv === undefined || headDim === undefined) return undefined;
  const biases = input.bias === true ? h * headDim + kv * headDim + kv * valueDim + d : 0n;
  const same = headDim === valueDim;
  return {
    value: d * h * headDim + d * kv * headDim + d * kv * valueDim + outputs + biases,
    symbolic: `${same ? '2*d*h*d_h + 2*d*kv*d_h' : 'd*(h + kv)*(d_h + d_v)'}${biases > 0n ? ' + biases' : ''}`,
  };
}

/** `1,048,576`. */
export const grouped = (value: bigint): string => String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ',');

/** `131,072 bytes (128 KiB)`: the exact count, and binary units rounded to two places. */
export function byteText(bytes: bigint): string {
  const names = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];
  let unit = 1024n;
  let name: string | undefined;
  for (const candidate of names) {
    if (bytes < unit) break;
    name = candidate;
    unit *= 1024n;
  }
  if (name === undefined) return `${bytes} bytes`;
  unit /= 1024n;
  const hundredths = (bytes * 100n + unit / 2n) / unit;
  const fraction = String(hundredths % 100n)
    .padStart(2, '0')
    .replace(/0+$/, '');
  return `${grouped(bytes)} bytes (${grouped(hundredths / 100n)}${fraction === '' ? '' : `.${fraction}`} ${name})`;
}
