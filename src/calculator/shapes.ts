import type { Field, TransformerDesign } from '../design/design.ts';
import { range } from '../text/range.ts';
import { type LayerCost, layerCost } from './layer.ts';
import { dtypeOf, parseQuery, type QuantityName, type Query, type QueryProblem, quantities } from './query.ts';

import { isSolvable, solve } from './solve.ts';

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

export interface Calculation {
  readonly rows: readonly Row[];
  /** Ranges are offsets in the query. */
  readonly problems: readonly QueryProblem[];
  readonly input: AttentionInput;
  /** The first stack's layer step by step, where tokens and the feed-forward are known. */
  readonly cost?: LayerCost;
  /** What has to be given before more can be said. */
  readonly hint?: string;
  readonly markdown: () => string;
}

/**
 * The type of a design's cache: that of its weights, in which attention is computed. Weights of fewer than 16 bits are a storage
 * format; what is cached then depends on the server, so it is unknown.
 */
export function cacheDtypeOf(design: TransformerDesign): Dtype | undefined {
  const written = design.fields.dtype;
  const dtype = written === undefined ? undefined : dtypeOf(written.value);
  return dtype === undefined || dtype.bits < 16n ? undefined : { name: dtype.name, bits: dtype.bits };
}

/**
 * Answers a query over a design, which the query's values override. Exact integers throughout; never throws.
 * O(query length): bounded well below a frame for any input.
 */
export function calculate(query: string, base?: TransformerDesign): Calculation {
  const parsed = parseQuery(query);
  const { input, problems } = combine(parsed, base, query.length);
  const { wanted } = parsed;
  const solutions = wanted === undefined ? [] : solutionRows(wanted, parsed, base, problems);
  if (wanted === undefined && (parsed.constraints !== undefined || parsed.parameters !== undefined))
    problems.push({ range: range(0, query.length), message: 'Nothing is asked for: put ? in place of a value, as in h=?.' });
  const cost = wanted === undefined ? costOf(parsed, input, base) : undefined;
  const rows = [...solutions, ...attentionRows(input), ...(cost === undefined ? [] : costRows(cost, parsed.tensorParallel ?? 1n))];
  const hint = solutions.length > 0 ? undefined : hintFor(input);
  return {
    rows,
    problems: [...parsed.problems, ...problems].sort((a, b) => a.range.start - b.range.start),
    input,
    ...(cost === undefined ? {} : { cost }),
    ...(hint === undefined ? {} : { hint }),
    markdown: () => `${renderMarkdown(rows)}${cost === undefined ? '' : `\n${renderSteps(cost)}`}`,
  };
}

function costOf(query: Query, input: AttentionInput, base: TransformerDesign | undefined): LayerCost | undefined {
  const written = base?.fields.intermediateSize?.value;
  const found = layerCost({
    ...input,
    intermediateSize:
      query.values.intermediateSize?.value ??
      (written !== undefined && Number.isSafeInteger(written) && written > 0 ? BigInt(written) : undefined),
    gated: query.gated ?? base?.fields.gatedFfn?.value,
    tensorParallel: query.tensorParallel,
  });
  // Layers with experts have other feed-forwards than one.
  return 'steps' in found && base?.fields.experts === undefined ? found : undefined;
}

function costRows({ parameters, forwardFlops, activationBytes, fusedActivationBytes }: LayerCost, devices: bigint): readonly Row[] {
  const share = devices > 1n ? ', each device' : '';
  const row = (id: string, label: string, symbolic: string, value: bigint, text = grouped(value)): Row => ({
    id,
    label,
    symbolic,
    value: String(value),
    text,
  });
  return [
    row(
      'layerParameters',
      'Weights of a layer',
      'attention + feed-forward',
      parameters,
      `${grouped(parameters)} (without biases and norms)`,
    ),
    row('layerFlops', 'FLOPs of a layer, forward', '2 B T weights + 2 B h T^2 (d_h + d_v)', forwardFlops),
    row('layerActivations', `Activations of a layer${share}`, 'kept for the backward pass', activationBytes, byteText(activationBytes)),
    row(
      'fusedLayerActivations',
      `with a fused attention kernel${share}`,
      'kept for the backward pass',
      fusedActivationBytes,
      byteText(fusedActivationBytes),
    ),
  ];
}

/** The layer's steps as a Markdown table. */
function renderSteps({ steps }: LayerCost): string {
  const lines = steps.map(({ label, symbolic, shape, parameters, forwardFlops, activationBytes }) =>
    [
      '',
      label,
      `\`${symbolic}\``,
      `[${shape.join(', ')}]`,
      ...[parameters, forwardFlops, activationBytes].map((value) => (value === 0n ? '' : grouped(value))),
      '',
    ]
      .join(' | ')
      .trim(),
  );
  return `| Step | Shape | | Weights | FLOPs forward | Bytes kept |\n| --- | --- | --- | ---: | ---: | ---: |\n${lines.join('\n')}\n`;
}

/** The answers to `?`, a row each. */
function solutionRows(
  { quantity, range: at }: NonNullable<Query['wanted']>,
  query: Query,
  base: TransformerDesign | undefined,
  problems: QueryProblem[],
): Row[] {
  const { label, symbol } = quantities[quantity];
  if (!isSolvable(quantity)) {
    problems.push({ range: at, message: `The ${label} cannot be asked for; d, h, kv, hd, L, T and B can.` });
    return [];
  }
  const { input } = combine(query, base, 0);
  const { answers, kind, more } = solve(quantity, { constraints: [], ...query }, (value) => {
    // Most values fail at the first division; only the others are worth the whole answer.
    const d = quantity === 'hiddenSize' ? value : input.hiddenSize;
    const h = quantity === 'queryHeads' ? value : input.queryHeads;
    const kv = quantity === 'keyValueHeads' ? value : query.values.keyValueHeads?.value;
    const isFree = query.values.headDim !== undefined || quantity === 'headDim' || input.latent !== undefined;
    if (d !== undefined && h !== undefined && !isFree && d % h !== 0n) return undefined;
    if (h !== undefined && kv !== undefined && h % kv !== 0n) return undefined;
    const made = combine({ ...query, values: { ...query.values, [quantity]: { value, range: at } } }, base, 0);
    return made.problems.length > 0 ? undefined : made.input;
  });
  if (answers.length === 0) {
    problems.push({ range: at, message: `No ${label} is known that satisfies all of this.` });
    return [];
  }
  const title = label.charAt(0).toUpperCase() + label.slice(1);
  const how = { all: '', largest: 'at most ', smallest: 'at least ', nearest: 'about ' }[kind];
  const rows = answers.map(
    ({ value, note }, i): Row => ({
      id: `solution${i}`,
      label: title,
      symbolic: `${symbol} = ?`,
      value: String(value),
      text: `${how}${grouped(value)}${note === '' ? '' : ` (${note})`}`,
    }),
  );
  if (more > 0)
    rows.push({ id: 'moreSolutions', label: title, symbolic: `${symbol} = ?`, value: String(more), text: `and ${more} larger ones` });
  return rows;
}

/** The sizes that a design states, for `attentionRows` and `cacheElementsPerToken`. */
export const inputOf = (design: TransformerDesign): AttentionInput => combine({ values: {}, problems: [] }, design, 0).input;

function combine(query: Query, base: TransformerDesign | undefined, length: number): { input: AttentionInput; problems: QueryProblem[] } {
  const problems: QueryProblem[] = [];
  const fields = base?.fields ?? {};
  const given = (name: QuantityName): bigint | undefined => query.values[name]?.value;
  const whole = range(0, length);
  const at = (...names: QuantityName[]) => names.map((name) => query.values[name]?.range).find((found) => found !== undefined) ?? whole;
  /** What the design says for itself; a value derived from sizes that the query changes is derived anew. */
  const fromBase = (field: Field<number> | undefined, ...from: QuantityName[]): bigint | undefined => {
    if (field === undefined || !Number.isSafeInteger(field.value) || field.value <= 0) return undefined;
    if (field.source === 'derived' && from.some((name) => given(name) !== undefined)) return undefined;
    return BigInt(field.value);
  };
  const latent = latentOf(query, fields);
  const hiddenSize = given('hiddenSize') ?? fromBase(fields.hiddenSize);
  const queryHeads = given('queryHeads') ?? fromBase(fields.queryHeads);
  let keyValueHeads = given('keyValueHeads') ?? fromBase(fields.keyValueHeads, 'queryHeads') ?? queryHeads;
  let headDim =
    given('headDim') ?? (latent === undefined ? fromBase(fields.headDim, 'hiddenSize', 'queryHeads') : latent.ropeDim + latent.nopeDim);
  if (headDim === undefined && hiddenSize !== undefined && queryHeads !== undefined) {
    if (hiddenSize % queryHeads === 0n) headDim = hiddenSize / queryHeads;
    else {
      const near = divisorsNear(hiddenSize, queryHeads);
      problems.push({
        range: at('queryHeads', 'hiddenSize'),
        message: `Width ${hiddenSize} does not split into ${queryHeads} heads: ${hiddenSize} / ${queryHeads} leaves ${hiddenSize % queryHeads}.${near.length === 0 ? '' : ` ${list(near)} heads would work;`} or give the head dim (hd=...).`,
      });
    }
  }
  if (queryHeads !== undefined && keyValueHeads !== undefined && queryHeads % keyValueHeads !== 0n) {
    const near = divisorsNear(queryHeads, keyValueHeads);
    problems.push({
      range: at('keyValueHeads', 'queryHeads'),
      message: `${queryHeads} query heads cannot share ${keyValueHeads} KV heads: ${queryHeads} / ${keyValueHeads} leaves ${queryHeads % keyValueHeads}.${near.length === 0 ? '' : ` ${list(near)} KV heads would work.`}`,
    });
    keyValueHeads = undefined;
  }
  const valueDim =
    given('valueDim') ?? fromBase(fields.valueDim, 'hiddenSize', 'queryHeads', 'headDim') ?? (latent === undefined ? headDim : undefined);
  const dtype = query.dtype ?? (base === undefined ? undefined : cacheDtypeOf(base));
  return {
    input: {
      hiddenSize,
      queryHeads,
      keyValueHeads,
      headDim,
      valueDim,
      layers: given('layers') ?? fromBase(fields.layers),
      sequenceLength: given('sequenceLength'),
      batch: given('batch'),
      dtype: dtype === undefined ? undefined : { name: dtype.name, bits: dtype.bits },
      bias: query.bias?.value,
      latent,
    },
    problems,
  };
}

function latentOf(query: Query, fields: TransformerDesign['fields']): LatentInput | undefined {
  const size = (name: 'queryLoraRank' | 'keyValueLoraRank' | 'ropeHeadDim' | 'nopeHeadDim'): bigint | undefined => {
    const given = query.values[name]?.value;
    if (given !== undefined) return given;
    const value = fields[name]?.value;
    return value !== undefined && Number.isSafeInteger(value) && value > 0 ? BigInt(value) : undefined;
  };
  const keyValueRank = size('keyValueLoraRank');
  const ropeDim = size('ropeHeadDim');
  const nopeDim = size('nopeHeadDim');
  if (keyValueRank === undefined || ropeDim === undefined || nopeDim === undefined) return undefined;
  return { queryRank: size('queryLoraRank'), keyValueRank, ropeDim, nopeDim };
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

function hintFor(input: AttentionInput): string | undefined {
  const missing: string[] = [];
  if (input.hiddenSize === undefined) missing.push('d (width)');
  if (input.queryHeads === undefined) missing.push('h (query heads)');
  if (missing.length > 0) return `Give ${missing.join(' and ')}, as in d=4096 h=32.`;
  if (input.latent !== undefined && input.valueDim === undefined) return 'Give dv (value dim), as in dv=128.';
  const more: string[] = [];
  if (input.layers === undefined) more.push('L (layers)');
  if (input.sequenceLength === undefined) more.push('T (tokens)');
  if (input.dtype === undefined) more.push('a data type (bf16)');
  return more.length === 0 ? undefined : `${more.join(', ')} would say more.`;
}

/** Divisors of `whole` nearest to `wanted`, nearest first, at most three; the search is bounded. */
function divisorsNear(whole: bigint, wanted: bigint): bigint[] {
  const found: bigint[] = [];
  for (let step = 0n; step <= 2048n && found.length < 3; step++) {
    const below = wanted - step;
    const above = wanted + step;
    if (below > 0n && whole % below === 0n) found.push(below);
    if (step > 0n && above <= whole && whole % above === 0n && found.length < 3) found.push(above);
  }
  return found;
}

const list = (values: readonly bigint[]): string =>
  values.length < 2 ? values.join('') : `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`;

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

function renderMarkdown(rows: readonly Row[]): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('*', '\\*');
  const lines = rows.map(({ label, symbolic, text }) => `| ${cell(label)} | \`${symbolic.replaceAll('|', '\\|')}\` | ${cell(text)} |`);
  return `| Quantity | Formula | Value |\n| --- | --- | --- |\n${lines.join('\n')}${lines.length > 0 ? '\n' : ''}`;
}

/** Letters of the formulas with their meaning. */
export const legend: readonly { readonly symbol: string; readonly label: string }[] = Object.values(quantities).map(
  ({ symbol, label }) => ({ symbol, label }),
);
