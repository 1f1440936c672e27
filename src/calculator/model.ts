import type { ConfigReading } from '../design/design.ts';
import { cacheDtypeOf } from './combine.ts';
import { type Layout, oneDevice, whyNotLaidOut } from './devices.ts';
import { encoderDecoderOf, isEncoderDecoder } from './encoderDecoder.ts';
import type { Assigned } from './expression.ts';
import { withOverrides } from './overrides.ts';
import type { Parameter } from './parameters.ts';
import { dtypeOf, type Query, type QueryProblem } from './query.ts';
import { type AttentionInput, type Dtype, grouped } from './shapes.ts';
import { type Stack, stackOf } from './stack.ts';
import { type ModelTotals, modelTotals } from './totals.ts';
import type { TrainingOptions } from './training.ts';
import { uncountedProducts, type Weights, weightsOf } from './weights.ts';

/** A query's model as a whole, as far as it is known: what is not has its reason. */
export interface Model {
  /** Totals of the file with the query's sizes in it; absent for sizes that the query alone gives. */
  readonly totals?: ModelTotals;
  readonly tensors: readonly Parameter[];
  readonly stack?: Stack;
  readonly weights?: Weights;
  readonly layout: Layout;
  /** In which it is trained, and is computed. */
  readonly dtype: Dtype;
  readonly weightDtype: Dtype;
  readonly cacheDtype: Dtype;
  readonly training: TrainingOptions;
  /** Ranges are offsets in the query. */
  readonly problems: readonly QueryProblem[];
  /** What is not counted and why, one sentence each. */
  readonly notes: readonly string[];
}

export const bfloat16: Dtype = { name: 'bfloat16', bits: 16n };

const counted = new WeakMap<ConfigReading, ModelTotals>();

/** Laying out a big model takes a while: once a reading. */
function totalsOf(reading: ConfigReading): ModelTotals {
  let totals = counted.get(reading);
  if (totals === undefined) {
    totals = modelTotals(reading);
    counted.set(reading, totals);
  }
  return totals;
}

/**
 * The model of a query over a file's design, which the query's sizes replace. `alike` is a model of the same sizes: only tokens, sequences and
 * devices differ, so that what it weighs need not be counted anew. Never throws.
 */
export function modelOf(query: Query, input: AttentionInput, given: ConfigReading | undefined, alike?: Model): Model {
  const notes: string[] = [];
  if (alike?.stack !== undefined && alike.weights !== undefined) {
    const problems: QueryProblem[] = [];
    if (alike.stack.encoder !== undefined) return { ...alike, training: trainingOf(query, input, alike.dtype), problems };
    const layout = layoutOf(query, alike.stack, given, input.sequenceLength, problems, notes);
    return { ...alike, layout, training: trainingOf(query, input, alike.dtype), problems, notes };
  }
  const changed = given === undefined ? undefined : withOverrides(query, given);
  const isUnread = changed !== undefined && 'reason' in changed;
  const reading = changed === undefined || isUnread ? undefined : changed;
  if (isUnread) notes.push(`Parameters: ${changed.reason}`);
  const totals = reading === undefined ? undefined : totalsOf(reading);
  const tensors = totals?.parameters ?? [];
  const problems: QueryProblem[] = [];
  const dtypes = dtypesOf(query, given);
  const training = trainingOf(query, input, dtypes.dtype);
  const common = { tensors, ...dtypes, training, problems, notes, ...(totals === undefined ? {} : { totals }) };
  // A file whose tensors are not known may have layers of any kind.
  if (given !== undefined && tensors.length === 0) return { ...common, layout: oneDevice };
  const stack = isEncoderDecoder(reading) ? encoderDecoderOf(query, reading, tensors) : stackOf(query, input, reading, tensors);
  const source = query.values.sourceLength;
  if ('reason' in stack) {
    // Sizes that were not given are asked for in the hint.
    if (given !== undefined || !stack.reason.startsWith('Give ')) notes.push(`FLOPs, activations and devices: ${stack.reason}`);
    return { ...common, ...countedOnly(totals), layout: oneDevice };
  }
  if (source !== undefined && stack.encoder === undefined)
    problems.push({ range: source.range, message: 'S is the length of what an encoder reads for a decoder, which this model has not.' });
  notes.push(...uncountedProducts(tensors, stack));
  const weights = weightsOf(stack, tensors);
  if ('reason' in weights) {
    notes.push(`Devices: ${weights.reason}`);
    return { ...common, stack, ...countedOnly(totals), layout: oneDevice };
  }
  notes.push(...weights.notes);
  if (stack.encoder !== undefined) {
    notes.push(...encoderNotes(stack.encoder, source, input.sequenceLength, problems));
    if (Object.values({ ...query.degrees, ...reading?.parallelism }).some((degree) => degree !== undefined))
      notes.push('Devices: how an encoder and a decoder are split over them together is not followed.');
    return { ...common, stack, weights, layout: oneDevice };
  }
  return { ...common, stack, weights, layout: layoutOf(query, stack, given, input.sequenceLength, problems, notes) };
}

/** How long the encoder's input is taken to be, where the query does not say. */
function encoderNotes(
  { positions }: Stack,
  source: Assigned | undefined,
  tokens: bigint | undefined,
  problems: QueryProblem[],
): readonly string[] {
  if (source === undefined)
    return tokens === undefined || positions !== undefined
      ? []
      : ['Encoder: taken to read as many tokens as the decoder, S = T; S=... says otherwise.'];
  if (positions !== source.value)
    problems.push({ range: source.range, message: `This encoder always has ${grouped(positions ?? 0n)} positions.` });
  return [];
}

const trainingOf = (query: Query, input: AttentionInput, dtype: Dtype): TrainingOptions => ({
  dtype,
  optimizer: query.optimizer ?? 'adamw',
  recomputation: query.recomputation ?? 'none',
  gradientBits: query.gradientBits ?? dtype.bits,
  pure: query.pure === true,
  batch: input.batch ?? 1n,
  isAsked:
    query.optimizer !== undefined || query.recomputation !== undefined || query.gradientBits !== undefined || query.zero !== undefined,
  ...(input.sequenceLength === undefined ? {} : { tokens: input.sequenceLength }),
});

/** Weights of which only the number is known: enough for what is held of each. */
function countedOnly(totals: ModelTotals | undefined): Pick<Model, 'weights'> {
  const total = totals?.totals.parameters;
  return total === undefined ? {} : { weights: { items: [], total, complete: true, sharedTable: 0n, notes: [] } };
}

/** Types of weights, cache and computation; 16-bit where neither the query nor the file says one. */
function dtypesOf(query: Query, reading: ConfigReading | undefined): Pick<Model, 'dtype' | 'weightDtype' | 'cacheDtype'> {
  const [design] = reading?.designs ?? [];
  const written = design?.fields.dtype === undefined ? undefined : dtypeOf(design.fields.dtype.value);
  const plain = ({ name, bits }: Dtype): Dtype => ({ name, bits });
  const cacheDtype = plain(query.dtype ?? (design === undefined ? undefined : cacheDtypeOf(design)) ?? bfloat16);
  return {
    dtype: cacheDtype.bits < 16n ? bfloat16 : cacheDtype,
    weightDtype: plain(query.weightDtype ?? query.dtype ?? written ?? bfloat16),
    cacheDtype,
  };
}

/** How the query, or else the file, splits the model. What does not fit is a problem where it stands, and is left out. */
function layoutOf(
  query: Query,
  stack: Stack,
  reading: ConfigReading | undefined,
  tokens: bigint | undefined,
  problems: QueryProblem[],
  notes: string[],
): Layout {
  const { degrees = {} } = query;
  const file = reading?.parallelism;
  const ofFile = (value: number | undefined): bigint | undefined =>
    value !== undefined && Number.isSafeInteger(value) && value > 0 ? BigInt(value) : undefined;
  const isAsked = Object.keys(degrees).length > 0;
  const from = (own: bigint | undefined, written: number | undefined): bigint => own ?? (isAsked ? undefined : ofFile(written)) ?? 1n;
  const tensor = from(degrees.tensor?.value, file?.tensor?.value);
  const context = from(degrees.context?.value, file?.context?.value);
  const expert = from(degrees.expert?.value, file?.expert?.value);
  const sequence = degrees.sequence;
  if (sequence !== undefined && sequence.value !== 1n && sequence.value !== tensor)
    problems.push({
      range: sequence.range,
      message: `Sequence parallelism splits over the devices of tensor parallelism: sp = ${tensor} here, not ${sequence.value}. To split the sequence itself give cp.`,
    });
  const layout: Layout = {
    tensor,
    sequence: tensor > 1n && (query.sequenceParallel !== undefined || (sequence !== undefined && sequence.value === tensor)),
    context,
    pipeline: from(degrees.pipeline?.value, file?.pipeline?.value),
    expert,
    // As many groups as the experts need, where nothing says how many there are.
    data: degrees.data?.value ?? leastData(expert, context),
    zero: query.zero ?? 0,
  };
  const misfit = whyNotLaidOut(stack, layout, tokens);
  if (misfit === undefined) return layout;
  const at = degrees[misfit.name]?.range ?? (misfit.name === 'data' ? degrees.expert?.range : undefined) ?? query.sequenceParallel;
  if (at === undefined) notes.push(`Devices: ${misfit.message}`);
  else problems.push({ range: at, message: misfit.message });
  return oneDevice;
}

function leastData(expert: bigint, context: bigint): bigint {
  let [a, b] = [expert, context];
  while (b !== 0n) [a, b] = [b, a % b];
  return expert / a;
}
