import type { ConfigReading, TransformerDesign } from '../design/design.ts';
import { combine } from './combine.ts';
import { largest, sequenceCache } from './devices.ts';
import { isEncoderDecoder } from './encoderDecoder.ts';
import { bfloat16, type Model, modelOf } from './model.ts';
import { sharesOf } from './modelRows.ts';
import { type Asked, askedInfo, type Constraint, isDegree, type Query, type QueryProblem } from './query.ts';
import { type AttentionInput, attentionWeights, bytesOf, byteText, cacheElementsPerLayer, grouped, type Row } from './shapes.ts';
import { type Candidate, isSolvable, solve } from './solve.ts';

/** The answers to `?`, a row each. */
export function solutionRows(
  { quantity: asked, range: at }: NonNullable<Query['wanted']>,
  query: Query,
  base: TransformerDesign | undefined,
  reading: ConfigReading | undefined,
  problems: QueryProblem[],
): Row[] {
  const { label, symbol } = askedInfo(asked);
  if (!isSolvable(asked)) {
    problems.push({ range: at, message: `The ${label} cannot be asked for; d, h, kv, hd, L, T, B, ff, V, E, tp, cp, pp, ep and dp can.` });
    return [];
  }
  const { constraints = [], parameters } = query;
  // Its sizes decide two stacks' tensors, which take too long to lay out anew for each value tried.
  const cached = constraints.find((constraint) => constraint.quantity === 'cache');
  if (cached !== undefined && isEncoderDecoder(reading) && !keepsSizes(asked)) {
    problems.push({ range: cached.range, message: 'The cache of an encoder-decoder bounds T and B, and none of its sizes.' });
    return [];
  }
  const { answers, kind, more } = solve({
    asked,
    constraints,
    ...(parameters === undefined ? {} : { parameters }),
    multiple: multipleOf(asked, query),
    start: startOf(asked, base),
    make: candidates(asked, query, base, reading, at),
    note: (candidate) =>
      noteOf(
        asked,
        candidate,
        parameters !== undefined,
        constraints.some(({ quantity }) => quantity === 'memory'),
      ),
  });
  if (answers.length === 0) {
    const isBare = constraints.length === 0 && parameters === undefined && !isDegree(asked) && !/[hH]eads|[dD]im|hidden/.test(asked);
    problems.push({
      range: at,
      message: isBare
        ? `Give a limit for the ${label}, as in cache<2GiB or memory<80GB.`
        : `No ${label} is known that satisfies all of this.`,
    });
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

/** Whether the model's tensors are the same for every value. */
const keepsSizes = (asked: Asked): boolean => isDegree(asked) || asked === 'sequenceLength' || asked === 'batch';

/** Where a search begins: at the design's own value. */
const startOf = (asked: Asked, base: TransformerDesign | undefined): bigint => {
  const value = (base?.fields as Readonly<Record<string, { readonly value: unknown } | undefined>> | undefined)?.[asked]?.value;
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? BigInt(value) : 1n;
};

/** What a quantity has to be a multiple of, that devices can share it evenly. */
function multipleOf(asked: Asked, { degrees = {}, sequenceParallel }: Query): bigint {
  const tensor = degrees.tensor?.value ?? 1n;
  if (asked === 'layers') return degrees.pipeline?.value ?? 1n;
  if (asked === 'intermediateSize') return tensor;
  if (asked === 'experts') return degrees.expert?.value ?? 1n;
  if (asked !== 'sequenceLength') return 1n;
  const context = degrees.context?.value ?? 1n;
  const isSplit = sequenceParallel !== undefined || (degrees.sequence?.value ?? 1n) > 1n;
  return isSplit ? context * tensor : context;
}

/** The design with a value in the place of `?`; undefined where its sizes contradict each other, the devices, or what positions ask of a head. */
function candidates(
  asked: Asked,
  query: Query,
  base: TransformerDesign | undefined,
  reading: ConfigReading | undefined,
  at: QueryProblem['range'],
): (value: bigint) => Candidate | undefined {
  const { wanted: _, constraints: _constraints, parameters: _parameters, ...rest } = query;
  const { input } = combine(rest, base, 0);
  const rotated = base?.fields.positions?.value === 'rope' && base.fields.rotaryDim === undefined && input.latent === undefined;
  const devices = query.degrees?.tensor?.value;
  // What devices, tokens and sequences do not change is counted once.
  const isAlike = keepsSizes(asked);
  let alike: Model | undefined;
  const modelAlike = (): Model => {
    alike ??= modelOf(rest, input, reading);
    return alike;
  };
  const isCheap = asked !== 'hiddenSize' || query.parameters !== undefined;
  const made = new Map<bigint, Candidate | undefined>();
  const whole = (value: bigint): Query =>
    isDegree(asked)
      ? { ...rest, degrees: { ...rest.degrees, [asked]: { value, range: at } }, ...(asked === 'tensor' ? { tensorParallel: value } : {}) }
      : { ...rest, values: { ...rest.values, [asked]: { value, range: at } } };
  // Devices change no size; nor does the width where heads do not follow from it.
  const hasFreeHeads = query.values.headDim !== undefined || input.latent !== undefined || base?.fields.headDim?.source === 'written';
  const isLikeOthers = isDegree(asked) || (asked === 'hiddenSize' && hasFreeHeads);
  let groupsFit: boolean | undefined;
  let others: ReturnType<typeof combine> | undefined;
  const make = (value: bigint): Candidate | undefined => {
    // Most values fail at the first division; only the others are worth the whole answer.
    const d = asked === 'hiddenSize' ? value : input.hiddenSize;
    const h = asked === 'queryHeads' ? value : input.queryHeads;
    const kv = asked === 'keyValueHeads' ? value : query.values.keyValueHeads?.value;
    const tp = asked === 'tensor' ? value : devices;
    if (d !== undefined && h !== undefined && asked !== 'headDim' && !hasFreeHeads && d % h !== 0n) return undefined;
    if (h !== undefined && kv !== undefined && h % kv !== 0n) return undefined;
    if (tp !== undefined && h !== undefined && h % tp !== 0n) return undefined;
    if (asked === 'context' && (input.sequenceLength ?? value) % value !== 0n) return undefined;
    if (isDegree(asked)) {
      const { stack } = modelAlike();
      if (asked === 'pipeline' && stack !== undefined && stack.layers % value !== 0n) return undefined;
      const experts = stack?.kinds.find((kind) => kind.input.experts !== undefined)?.input.experts;
      if (asked === 'expert' && (experts === undefined || experts.count % value !== 0n)) return undefined;
    }
    const combined = (isLikeOthers ? others : undefined) ?? combine(whole(value), base, 0, false);
    others = combined;
    const sizes = asked === 'hiddenSize' ? { ...combined.input, hiddenSize: value } : combined.input;
    if (combined.problems.length > 0 || !splits(sizes, tp)) return undefined;
    // Latent attention has no heads to share.
    if (sizes.latent !== undefined && sizes.keyValueHeads !== sizes.queryHeads) return undefined;
    if (rotated && sizes.headDim !== undefined && sizes.headDim % 2n !== 0n) return undefined;
    const candidate = new Design(() => whole(value), sizes, reading, isAlike ? modelAlike : undefined);
    if (asked === 'data') {
      // Groups that hold the same fit or do not, all alike, but for the experts that they spread.
      if ((value * (query.degrees?.context?.value ?? 1n)) % (query.degrees?.expert?.value ?? 1n) !== 0n) return undefined;
      groupsFit ??= candidate.fits;
      return groupsFit ? candidate : undefined;
    }
    return isDegree(asked) && !candidate.fits ? undefined : candidate;
  };
  if (!isCheap) return make;
  return (value) => {
    if (!made.has(value)) made.set(value, make(value));
    return made.get(value);
  };
}

class Design implements Candidate {
  readonly input: AttentionInput;
  readonly #query: () => Query;
  readonly #reading: ConfigReading | undefined;
  readonly #alike: (() => Model) | undefined;
  #model: Model | undefined;

  constructor(query: () => Query, input: AttentionInput, reading: ConfigReading | undefined, alike: (() => Model) | undefined) {
    this.#query = query;
    this.input = input;
    this.#reading = reading;
    this.#alike = alike;
  }

  get #whole(): Model {
    this.#model ??= modelOf(this.#query(), this.input, this.#reading, this.#alike?.());
    return this.#model;
  }

  /** The devices can share it. */
  get fits(): boolean {
    return this.#whole.problems.length === 0;
  }

  sizeOf(quantity: Constraint['quantity']): bigint | undefined {
    if (quantity in this.input) {
      const size = this.input[quantity as keyof AttentionInput];
      return typeof size === 'bigint' ? size : undefined;
    }
    return quantity === 'cache' || quantity === 'memory' || quantity === 'parameters' ? undefined : this.#query().values[quantity]?.value;
  }

  isWhole(): boolean {
    return this.#whole.totals !== undefined || this.#whole.stack?.vocabulary !== undefined;
  }

  parameters(): bigint | undefined {
    return parametersOfModel(this.#whole, this.input);
  }

  cache(): bigint | undefined {
    const { sequenceLength: tokens, batch = 1n, dtype } = this.input;
    if (!isEncoderDecoder(this.#reading)) return cacheBytes(this.input);
    const { stack } = this.#whole;
    const cache = stack === undefined || tokens === undefined ? undefined : sequenceCache(stack, tokens, dtype ?? bfloat16);
    return cache === undefined ? undefined : batch * (cache.ofTokens + cache.ofSource);
  }

  memory(): bigint | undefined {
    return this.fits ? memoryOf(this.#whole) : undefined;
  }
}

/** Bytes of the keys and values of all layers, tokens and sequences; 16-bit elements unless the query says otherwise. */
function cacheBytes(input: AttentionInput): bigint | undefined {
  const perLayer = cacheElementsPerLayer(input)?.elements;
  if (perLayer === undefined || input.sequenceLength === undefined) return undefined;
  return bytesOf(perLayer * (input.layers ?? 1n) * input.sequenceLength * (input.batch ?? 1n), input.dtype ?? bfloat16);
}

/**
 * Parameters of the whole model where they are known; else those of the layers without embeddings: 12 d^2 each, of which 8 d^2 in the
 * feed-forward (Kaplan et al. 2020, arXiv:2001.08361, section 2.1), unless the query says more.
 */
function parametersOfModel(model: Model, input: AttentionInput): bigint | undefined {
  const { totals, weights, stack } = model;
  if (totals !== undefined) return totals.totals.parameters;
  if (weights !== undefined && stack?.vocabulary !== undefined) return weights.total;
  const { hiddenSize: d, layers } = input;
  if (layers === undefined || d === undefined) return undefined;
  return weights?.total ?? layers * ((attentionWeights(input)?.value ?? 4n * d * d) + 8n * d * d);
}

/** Bytes of the fullest device: weights and cache, or in training weights, gradients, states and activations. */
function memoryOf(model: Model): bigint | undefined {
  const { stack, weights, training } = model;
  if (stack === undefined || weights === undefined) return undefined;
  const ids = training.isAsked
    ? [
        'weights',
        'gradients',
        'optimizer',
        ...(stack.layers % model.layout.pipeline === 0n && model.layout.pipeline > 1n ? ['activationsInFlight'] : ['activations']),
      ]
    : ['weights', 'cache'];
  const shares = sharesOf(model).filter(({ id }) => ids.includes(id));
  if (training.isAsked && !shares.some(({ id }) => id === 'optimizer')) return undefined;
  const stages = shares[0]?.stages.map((_, stage) => shares.reduce((sum, share) => sum + (share.stages[stage] ?? 0n), 0n));
  return stages === undefined ? undefined : largest(stages);
}

/** Tensor parallelism gives each device whole heads (Shoeybi et al. 2019, arXiv:1909.08053, section 3); fewer KV heads than devices are copied. */
function splits({ queryHeads: h, keyValueHeads: kv, latent }: AttentionInput, devices: bigint | undefined): boolean {
  if (devices === undefined) return true;
  return h !== undefined && h % devices === 0n && (latent !== undefined || kv === undefined || kv % devices === 0n || devices % kv === 0n);
}

function noteOf(asked: Asked, candidate: Candidate, nearest: boolean, memory: boolean): string {
  const { headDim, queryHeads, keyValueHeads } = candidate.input;
  if (memory) {
    const bytes = candidate.memory();
    return bytes === undefined ? '' : `${byteText(bytes)} on the fullest device`;
  }
  if (nearest) {
    const count = candidate.parameters();
    return count === undefined ? '' : `${grouped(count)} parameters${candidate.isWhole() ? '' : ' without embeddings'}`;
  }
  if (asked === 'queryHeads' || asked === 'hiddenSize') return headDim === undefined ? '' : `head dim ${headDim}`;
  if (asked === 'headDim') return queryHeads === undefined ? '' : `concatenation ${grouped(queryHeads * (headDim ?? 0n))}`;
  if (asked === 'keyValueHeads' && queryHeads !== undefined && keyValueHeads !== undefined)
    return `${queryHeads / keyValueHeads} query heads each`;
  return '';
}
