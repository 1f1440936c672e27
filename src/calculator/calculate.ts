import type { Field, TransformerDesign } from '../design/design.ts';
import { range } from '../text/range.ts';
import { type LayerCost, layerCost } from './layer.ts';
import { dtypeOf, parseQuery, type QuantityName, type Query, type QueryProblem, quantities } from './query.ts';
import { type AttentionInput, attentionRows, byteText, type Dtype, grouped, type LatentInput, type Row } from './shapes.ts';
import { isSolvable, solve } from './solve.ts';

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

function renderMarkdown(rows: readonly Row[]): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('*', '\\*');
  const lines = rows.map(({ label, symbolic, text }) => `| ${cell(label)} | \`${symbolic.replaceAll('|', '\\|')}\` | ${cell(text)} |`);
  return `| Quantity | Formula | Value |\n| --- | --- | --- |\n${lines.join('\n')}${lines.length > 0 ? '\n' : ''}`;
}
