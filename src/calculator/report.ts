import type { ConfigReading, Field } from '../design/design.ts';
import { type Amount, amountOf, type Quantity } from './amounts.ts';
import { calculate } from './calculate.ts';
import type { LayerCost, Step } from './layer.ts';
import type { Parameter } from './parameters.ts';
import { grouped, type Row } from './shapes.ts';
import { modelTotals } from './totals.ts';

/**
 * One full result as plain data, ready for JSON or a message to a page. Everything in it is exact or absent; what is absent has its reason
 * in `notModelled`.
 */
export interface Report {
  readonly version: 1;
  readonly query: string;
  /** What the numbers are of: a class (`LlamaForCausalLM`), a family, a preset's name; '' for sizes that the query alone gives. */
  readonly title: string;
  readonly family: string | null;
  readonly class: string | null;
  /** The design's facts by field name, the query's values over the file's. */
  readonly design: Readonly<Record<string, DesignEntry>>;
  /** The quick answers, in the order of the palette; answers to `?` first (ids `solution0`, `solution1`, ...). */
  readonly rows: readonly Row[];
  /** Each kind of layer step by step; empty where the sizes do not decide it. */
  readonly layers: readonly LayerReport[];
  /** What stands before and after the layers: embedding, final norm, head. */
  readonly outside: readonly StepReport[];
  /** Every tensor by its name in a checkpoint; empty where they are not known. */
  readonly parameters: readonly ParameterReport[];
  /** Parameters by part (embedding, attention, feed-forward, experts, norms, head, other), for a chart. They add up to the total. */
  readonly parts: readonly Quantity[];
  readonly totals: TotalsReport;
  /** Bytes of each device; present where the query or the file splits the model. */
  readonly devices?: DevicesReport;
  readonly training?: TrainingReport;
  readonly serving?: ServingReport;
  /** Cache bytes of one sequence against its length, for a chart: the design's own attention and what the others would keep. */
  readonly cacheCurves: readonly Curve[];
  readonly notModelled: readonly string[];
  readonly problems: readonly ProblemReport[];
  /** What has to be given before more can be said. */
  readonly hint: string | null;
}

export interface DesignEntry {
  readonly value: unknown;
  readonly source: 'written' | 'default' | 'derived';
  /** Offsets: in the query where `of` says so, else in the file. Null where no text sets it. */
  readonly range: { readonly start: number; readonly end: number } | null;
  readonly of: 'query' | 'file';
}

/** One row of the table that follows the data through a layer. */
export interface StepReport {
  readonly id: string;
  readonly label: string;
  readonly symbolic: string;
  readonly shape: readonly Amount[];
  /** Weights of the step's matrices. */
  readonly parameters: Amount;
  readonly forwardFlops: Amount;
  readonly backwardFlops: Amount;
  /** Bytes kept for the backward pass on one device: attention weights written out, and with a fused kernel. */
  readonly activationBytes: Amount;
  readonly fusedActivationBytes: Amount;
  /** Bytes of the step's weights that one device holds; absent where nothing is split. */
  readonly deviceWeightBytes?: Amount;
}

export interface LayerReport {
  /** `Layers`, `Sliding-window layers, experts`, ... */
  readonly label: string;
  /** How many layers are of this kind. */
  readonly count: Amount;
  readonly steps: readonly StepReport[];
  /** Sums of the steps, of one layer. */
  readonly sum: Omit<StepReport, 'id' | 'label' | 'symbolic' | 'shape'>;
}

export interface ParameterReport {
  readonly name: string;
  readonly count: number;
  readonly shapes: readonly (readonly number[])[];
  /** Numbers in all of them together. */
  readonly elements: Amount;
  /** They share their storage with tensors listed before and do not count again. */
  readonly tied: boolean;
}

export interface TotalsReport {
  readonly parameters?: Amount;
  readonly cacheElementsPerToken?: Amount;
  readonly cacheBytesPerToken?: Amount;
  readonly cacheDtype?: string;
}

export interface DevicesReport {
  readonly degrees: Readonly<Record<'tensor' | 'context' | 'pipeline' | 'expert' | 'data' | 'zero', Amount>> & {
    readonly sequence: boolean;
  };
  readonly devices: Amount;
  /** `devices` times `perDevice`, summed over pipeline stages, is `total` plus `replicated`. */
  readonly rows: readonly DeviceRow[];
}

export interface DeviceRow {
  /** `weights`, `gradients`, `optimizer`, `activations`, `cache`. */
  readonly id: string;
  readonly label: string;
  readonly total: Amount;
  /** Bytes of the fullest device. */
  readonly perDevice: Amount;
  /** Bytes of a device of each pipeline stage, first to last. */
  readonly stages: readonly Amount[];
  /** Bytes that stand on more than one device, beyond their first copy, and padding. */
  readonly replicated: Amount;
  /** What is replicated, in words. */
  readonly note: string;
}

export interface TrainingReport {
  readonly optimizer: string;
  /** Weights, gradients, optimizer states, and their sum. */
  readonly memory: readonly Quantity[];
  /** Activations of the whole stack under each recomputation choice: none, selective, full; written out and fused. */
  readonly activations: readonly Quantity[];
  /** FLOPs of a step: forward, backward, recomputation, sums; `sixNd` is Kaplan's rule of thumb and named so. */
  readonly flops: readonly Quantity[];
}

export interface ServingReport {
  /** Weights, cache per token, per sequence, of all sequences. */
  readonly memory: readonly Quantity[];
  /** FLOPs, bytes moved and FLOPs per byte of reading the prompt and of one further token. */
  readonly prefill: readonly Quantity[];
  readonly decode: readonly Quantity[];
  /** Lower bounds of the time on named GPUs. */
  readonly rooflines: readonly Roofline[];
}

export interface Roofline {
  readonly gpu: string;
  /** How many of them share the work. */
  readonly count: Amount;
  readonly dtype: string;
  readonly phase: 'prefill' | 'decode';
  /** What the bound comes from. */
  readonly bound: 'compute' | 'bandwidth';
  readonly nanoseconds: Amount;
  /** `1.23 ms`. */
  readonly text: string;
  /** Whether weights and cache fit into the memory of so many. */
  readonly fits: boolean;
}

export interface Curve {
  /** `MHA`, `GQA (8)`, `MQA`, `MLA`. */
  readonly label: string;
  /** The design's own. */
  readonly own: boolean;
  /** Tokens and bytes. */
  readonly points: readonly (readonly [number, Amount])[];
}

export interface ProblemReport {
  /** Offsets in the query. */
  readonly start: number;
  readonly end: number;
  readonly message: string;
}

/** The whole answer to a query, over a file's design where there is one. Never throws; exact or absent throughout. */
export function report(query: string, reading?: ConfigReading): Report {
  const [main] = reading?.designs ?? [];
  const { rows, problems, hint, cost, input } = calculate(query, main);
  const model = reading === undefined ? undefined : modelTotals(reading);
  const design: Record<string, DesignEntry> = {};
  for (const [name, field] of Object.entries(main?.fields ?? {}))
    if (field !== undefined) design[name] = entryOf(field as Field<unknown>);
  for (const [name, value] of Object.entries(input))
    if (typeof value === 'bigint' && design[name]?.value !== Number(value))
      design[name] = { value: amountOf(value), source: 'written', range: null, of: 'query' };
  return {
    version: 1,
    query,
    title: model?.className ?? main?.family ?? '',
    family: main?.family ?? null,
    class: model?.className ?? null,
    design,
    rows,
    layers: cost === undefined ? [] : [layerReport(cost, input.layers ?? 1n)],
    outside: [],
    parameters: (model?.parameters ?? []).map(parameterReport),
    parts: [],
    totals: Object.fromEntries(
      Object.entries(model?.totals ?? {}).map(([name, value]) => [name, typeof value === 'bigint' ? amountOf(value) : value]),
    ),
    cacheCurves: [],
    notModelled: model?.notModelled ?? [],
    problems: problems.map(({ range: { start, end }, message }) => ({ start, end, message })),
    hint: hint ?? null,
  };
}

const entryOf = ({ value, source, range }: Field<unknown>): DesignEntry => ({
  value,
  source,
  range: range === undefined ? null : { start: range.start, end: range.end },
  of: 'file',
});

const parameterReport = ({ name, count, shapes, elements, tied }: Parameter): ParameterReport => ({
  name,
  count,
  shapes,
  elements: amountOf(elements),
  tied,
});

const amountsOf = (step: Omit<Step, 'id' | 'label' | 'symbolic' | 'shape'>) => ({
  parameters: amountOf(step.parameters),
  forwardFlops: amountOf(step.forwardFlops),
  backwardFlops: amountOf(step.backwardFlops),
  activationBytes: amountOf(step.activationBytes),
  fusedActivationBytes: amountOf(step.fusedActivationBytes),
});

function layerReport(cost: LayerCost, count: bigint): LayerReport {
  return {
    label: count === 1n ? 'Layer' : `${grouped(count)} layers`,
    count: amountOf(count),
    steps: cost.steps.map((step) => ({
      id: step.id,
      label: step.label,
      symbolic: step.symbolic,
      shape: step.shape.map(amountOf),
      ...amountsOf(step),
    })),
    sum: amountsOf(cost),
  };
}
