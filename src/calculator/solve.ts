import type { QuantityName, Solve } from './query.ts';
import { type AttentionInput, attentionWeights, bytesOf, cacheElementsPerLayer, grouped } from './shapes.ts';

/** One value that answers `?`, with what it makes of the rest. */
export interface Answer {
  readonly value: bigint;
  /** `head dim 128`; '' where there is nothing to add. */
  readonly note: string;
}

export interface Answers {
  readonly quantity: QuantityName;
  /** Ascending. All that there are up to the limit of the search, or, where only one is asked for, the largest or smallest. */
  readonly answers: readonly Answer[];
  /** `largest`: every smaller value works as well; `smallest`: every larger one does; `nearest`: none is exact. */
  readonly kind: 'all' | 'largest' | 'smallest' | 'nearest';
  /** Answers beyond those listed. */
  readonly more: number;
}

/** Beyond these nobody builds; each search ends here. */
const limits: Readonly<Partial<Record<QuantityName, bigint>>> = {
  hiddenSize: 32_768n,
  queryHeads: 1024n,
  keyValueHeads: 1024n,
  headDim: 2048n,
  valueDim: 2048n,
  layers: 1000n,
};
const scales: readonly QuantityName[] = ['sequenceLength', 'batch', 'layers'];

/** Whether a quantity can be asked for. */
export const isSolvable = (quantity: QuantityName): boolean => limits[quantity] !== undefined || scales.includes(quantity);

/** Widths are multiples of 8: what the matrix units of every accelerator ask for. */
const steps: Readonly<Partial<Record<QuantityName, bigint>>> = { hiddenSize: 8n };
const listedAnswers = 24;

/**
 * The values of one quantity with which everything that the query demands holds: width splits into heads, KV heads into query heads, heads
 * over devices, and the constraints. `make` gives the sizes for a value, or undefined where they contradict each other. Quantities that
 * only scale a total (tokens, sequences, layers) have a largest or smallest answer, found by bisection; the others are tried one by one,
 * smallest first, so none is skipped (widths: none of the multiples of 8). Bounded: at most 4,096 values.
 */
export function solve(
  quantity: QuantityName,
  { constraints, tensorParallel, parameters }: Solve,
  make: (value: bigint) => AttentionInput | undefined,
): Answers {
  const holds = (input: AttentionInput | undefined): input is AttentionInput =>
    input !== undefined && constraints.every((constraint) => satisfied(constraint, input)) && splits(input, tensorParallel);
  if (parameters !== undefined && quantity === 'hiddenSize') return widths(parameters, make, holds);
  if (scales.includes(quantity)) return bound(quantity, constraints, make, holds);
  const limit = limits[quantity] ?? 0n;
  const step = steps[quantity] ?? 1n;
  const answers: Answer[] = [];
  let more = 0;
  for (let value = step; value <= limit; value += step) {
    const input = make(value);
    if (!holds(input)) continue;
    if (answers.length < listedAnswers) answers.push({ value, note: noteOf(quantity, input) });
    else more++;
  }
  return { quantity, answers, kind: 'all', more };
}

/** A total that grows with the quantity and has a limit: the largest value within it, or the smallest beyond it. */
function bound(
  quantity: QuantityName,
  constraints: Solve['constraints'],
  make: (value: bigint) => AttentionInput | undefined,
  holds: (input: AttentionInput | undefined) => boolean,
): Answers {
  const none: Answers = { quantity, answers: [], kind: 'all', more: 0 };
  const most = quantity === 'layers' ? 1000n : 2n ** 40n;
  const isUpper = constraints.some(({ kind, relation }) => kind === 'relation' && (relation === '<' || relation === '<='));
  if (constraints.some(({ kind }) => kind === 'divisible') || constraints.length !== 1) return none;
  let [low, high] = [0n, most + 1n];
  // Upper limits hold up to some value, lower limits from some value on.
  while (high - low > 1n) {
    const middle = (low + high) / 2n;
    if (holds(make(middle)) === isUpper) low = middle;
    else high = middle;
  }
  const value = isUpper ? low : high;
  const input = value >= 1n && value <= most ? make(value) : undefined;
  if (input === undefined || !holds(input)) return none;
  return { quantity, answers: [{ value, note: noteOf(quantity, input) }], kind: isUpper ? 'largest' : 'smallest', more: 0 };
}

/**
 * Widths, multiples of 128, with which the layers come nearest to a number of parameters. Without embeddings a layer has 12 d^2: 4 d^2 in
 * attention and 8 d^2 in the feed-forward (Kaplan et al. 2020, arXiv:2001.08361, section 2.1), unless the query says more.
 */
function widths(
  wanted: bigint,
  make: (value: bigint) => AttentionInput | undefined,
  holds: (input: AttentionInput | undefined) => boolean,
): Answers {
  const found: { readonly answer: Answer; readonly distance: bigint }[] = [];
  for (let value = 128n; value <= (limits.hiddenSize ?? 0n); value += 128n) {
    const input = make(value);
    if (input?.layers === undefined || !holds(input)) continue;
    const count = layerParameters(input, value) * input.layers;
    const distance = count > wanted ? count - wanted : wanted - count;
    found.push({ answer: { value, note: `${grouped(count)} parameters without embeddings` }, distance });
  }
  found.sort((a, b) => (a.distance < b.distance ? -1 : a.distance > b.distance ? 1 : 0));
  const answers = found
    .slice(0, 3)
    .map(({ answer }) => answer)
    .sort((a, b) => (a.value < b.value ? -1 : 1));
  return { quantity: 'hiddenSize', answers, kind: 'nearest', more: 0 };
}

function layerParameters(input: AttentionInput, d: bigint): bigint {
  return (attentionWeights(input)?.value ?? 4n * d * d) + 8n * d * d;
}

/** Whether a constraint holds; what is not known does not. */
function satisfied(constraint: Solve['constraints'][number], input: AttentionInput): boolean {
  const value = constraint.quantity === 'cache' ? cacheBytes(input) : sizeOf(input, constraint.quantity);
  if (value === undefined) return false;
  if (constraint.kind === 'divisible') return value % constraint.value === 0n;
  switch (constraint.relation) {
    case '<':
      return value < constraint.value;
    case '<=':
      return value <= constraint.value;
    case '>':
      return value > constraint.value;
    default:
      return value >= constraint.value;
  }
}

/** Bytes of the keys and values of all layers, tokens and sequences; 16-bit elements unless the query says otherwise. */
function cacheBytes(input: AttentionInput): bigint | undefined {
  const perLayer = cacheElementsPerLayer(input)?.elements;
  if (perLayer === undefined || input.sequenceLength === undefined) return undefined;
  return bytesOf(
    perLayer * (input.layers ?? 1n) * input.sequenceLength * (input.batch ?? 1n),
    input.dtype ?? { name: 'bfloat16', bits: 16n },
  );
}

function sizeOf(input: AttentionInput, quantity: QuantityName): bigint | undefined {
  switch (quantity) {
    case 'hiddenSize':
    case 'queryHeads':
    case 'keyValueHeads':
    case 'headDim':
    case 'valueDim':
    case 'layers':
    case 'sequenceLength':
    case 'batch':
      return input[quantity];
    default:
      return undefined;
  }
}

/** Tensor parallelism gives each device whole heads (Shoeybi et al. 2019, arXiv:1909.08053, section 3); fewer KV heads than devices are copied. */
function splits({ queryHeads: h, keyValueHeads: kv }: AttentionInput, devices: bigint | undefined): boolean {
  if (devices === undefined) return true;
  return h !== undefined && h % devices === 0n && (kv === undefined || kv % devices === 0n || devices % kv === 0n);
}

function noteOf(quantity: QuantityName, input: AttentionInput): string {
  const { headDim, queryHeads, keyValueHeads } = input;
  if (quantity === 'queryHeads' || quantity === 'hiddenSize') return headDim === undefined ? '' : `head dim ${headDim}`;
  if (quantity === 'headDim') return queryHeads === undefined ? '' : `concatenation ${grouped(queryHeads * (headDim ?? 0n))}`;
  if (quantity === 'keyValueHeads' && queryHeads !== undefined && keyValueHeads !== undefined)
    return `${queryHeads / keyValueHeads} query heads each`;
  return '';
}
