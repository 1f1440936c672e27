import type { ConfigReading, Field } from '../design/design.ts';
import { type Amount, amountOf, type Quantity, quantity } from './amounts.ts';
import { type Calculation, calculate } from './calculate.ts';
import { cacheCurves } from './curves.ts';
import { devicesOf, type Layout, largest } from './devices.ts';
import { type LayerCost, type LayerInput, layerCost, type Step } from './layer.ts';
import type { Model } from './model.ts';
import { sharesOf } from './modelRows.ts';
import type { Parameter } from './parameters.ts';
import { servingReport } from './serving.ts';
import { bytesOf, type Row } from './shapes.ts';
import type { Stack } from './stack.ts';
import { convolutionFlops, trainingReport } from './training.ts';
import { partLabels, partsOf } from './weights.ts';

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
  /** Offsets in the query or in the file, as `of` says. Null where no text sets it. */
  readonly range: { readonly start: number; readonly end: number } | null;
  readonly of: 'query' | 'file' | 'preset';
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
  /** `weights`, `gradients`, `optimizer`, `activations`, `activationsInFlight`, `cache`. */
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

/**
 * The whole answer to a query, over a file's first design where there is one; a preset that the query names comes before it. Never throws;
 * exact or absent throughout.
 */
export function report(query: string, file?: ConfigReading): Report {
  return reportOf(query, calculate(query, undefined, file));
}

/** The same of what was calculated already. */
export function reportOf(query: string, calculation: Calculation): Report {
  const { rows, problems, hint, base, model, query: parsed } = calculation;
  const totals = model?.totals;
  const notModelled = [...(totals?.notModelled ?? []), ...(model?.notes ?? [])];
  const { stack, weights } = model ?? {};
  const made: { -readonly [K in 'training' | 'serving' | 'devices']?: Report[K] } = {};
  if (model !== undefined && weights !== undefined) {
    const training = trainingReport(stack, weights, model.tensors, model.training);
    made.training = training.report;
    const serving = servingReport(stack, weights, {
      weightDtype: model.weightDtype,
      cacheDtype: model.cacheDtype,
      layout: model.layout,
      gpus: parsed.gpus ?? [],
      batch: model.training.batch,
      ...(model.training.tokens === undefined ? {} : { tokens: model.training.tokens }),
    });
    made.serving = serving.report;
    notModelled.push(...training.notes, ...serving.notes);
    const devices = devicesReport(model);
    if (devices !== undefined) made.devices = devices;
  }
  return {
    version: 1,
    query,
    title: parsed.preset?.name ?? totals?.className ?? base?.family ?? '',
    family: base?.family ?? null,
    class: totals?.className ?? null,
    design: designOf(calculation),
    rows,
    layers: layersOf(calculation),
    outside: stack === undefined || model === undefined ? [] : outsideSteps(stack, model),
    parameters: (totals?.parameters ?? []).map(parameterReport),
    parts: [...partsOf(stack, weights, model?.tensors ?? [])].map(([part, count]) =>
      quantity(part, partLabels[part], '', 'parameters', count),
    ),
    totals: totalsReport(model),
    ...made,
    cacheCurves: cacheCurves(calculation.input, stack, model?.cacheDtype),
    notModelled: [...new Set(notModelled)],
    problems: problems.map(({ range: { start, end }, message }) => ({ start, end, message })),
    hint: hint ?? null,
  };
}

function totalsReport(model: Model | undefined): TotalsReport {
  const totals = model?.totals?.totals;
  if (totals !== undefined)
    return Object.fromEntries(Object.entries(totals).map(([name, value]) => [name, typeof value === 'bigint' ? amountOf(value) : value]));
  return {};
}

function designOf({ query, base, input }: Calculation): Record<string, DesignEntry> {
  const design: Record<string, DesignEntry> = {};
  for (const [name, field] of Object.entries(base?.fields ?? {}))
    if (field !== undefined) design[name] = entryOf(field as Field<unknown>, query.preset !== undefined);
  for (const [name, value] of Object.entries(input))
    if (typeof value === 'bigint' && design[name]?.value !== Number(value))
      design[name] = { value: amountOf(value), source: 'derived', range: null, of: 'query' };
  for (const [name, assigned] of Object.entries(query.values))
    if (assigned !== undefined)
      design[name] = {
        value: amountOf(assigned.value),
        source: 'written',
        range: { start: assigned.range.start, end: assigned.range.end },
        of: 'query',
      };
  return design;
}

/** A preset's values stand in no text. */
const entryOf = ({ value, source, range }: Field<unknown>, isPreset: boolean): DesignEntry => ({
  value,
  source,
  range: range === undefined || isPreset ? null : { start: range.start, end: range.end },
  of: isPreset ? 'preset' : 'file',
});

const parameterReport = ({ name, count, shapes, elements, tied }: Parameter): ParameterReport => ({
  name,
  count,
  shapes,
  elements: amountOf(elements),
  tied,
});

const amountsOf = (step: Pick<Step, Exclude<keyof LayerCost, 'steps'>>) => ({
  parameters: amountOf(step.parameters),
  forwardFlops: amountOf(step.forwardFlops),
  backwardFlops: amountOf(step.backwardFlops),
  activationBytes: amountOf(step.activationBytes),
  fusedActivationBytes: amountOf(step.fusedActivationBytes),
});

/** Each kind of layer, on one device of the layout. */
function layersOf({ model, cost, input }: Calculation): readonly LayerReport[] {
  const { stack, layout, training } = model ?? {};
  if (stack === undefined || layout === undefined || training?.tokens === undefined)
    return cost === undefined ? [] : [layerReport(cost, input.layers ?? 1n, 'Layers')];
  const sizes: Pick<LayerInput, 'batch' | 'tensorParallel' | 'sequenceParallel' | 'contextParallel'> = {
    batch: training.batch,
    tensorParallel: layout.tensor,
    sequenceParallel: layout.sequence,
    contextParallel: layout.context,
  };
  const { encoder } = stack;
  const layersIn = ({ kinds }: Stack, tokens: bigint): readonly LayerReport[] =>
    kinds.flatMap(({ input: each, count, label }) => {
      const found = layerCost({ ...each, ...sizes, sequenceLength: tokens });
      return 'reason' in found ? [] : [layerReport(found, count, label, model === undefined ? undefined : { model, layout })];
    });
  const tokens = training.tokens;
  return [...(encoder === undefined ? [] : layersIn(encoder, encoder.positions ?? tokens).map(ofPositions)), ...layersIn(stack, tokens)];
}

/** An encoder's positions are not the tokens of the decoder. */
const ofPositions = (layer: LayerReport): LayerReport => ({
  ...layer,
  steps: layer.steps.map((step) => ({ ...step, symbolic: step.symbolic.replaceAll(/\bT\b/g, 'S') })),
});

function layerReport(
  cost: LayerCost,
  count: bigint,
  label: string,
  split?: { readonly model: Model; readonly layout: Layout },
): LayerReport {
  const isSplit = split !== undefined && devicesOf(split.layout) > 1n;
  const held = (step: Step): bigint => (split === undefined ? 0n : bytesOf(step.parameters / waysOf(step, split), split.model.weightDtype));
  return {
    label,
    count: amountOf(count),
    steps: cost.steps.map((step) => ({
      id: step.id,
      label: step.label,
      symbolic: step.symbolic,
      shape: step.shape.map(amountOf),
      ...amountsOf(step),
      ...(isSplit ? { deviceWeightBytes: amountOf(held(step)) } : {}),
    })),
    sum: {
      ...amountsOf(cost),
      ...(isSplit ? { deviceWeightBytes: amountOf(cost.steps.reduce((sum, step) => sum + held(step), 0n)) } : {}),
    },
  };
}

/** Over how many devices a step's weights are spread, before data-parallel devices share any. */
function waysOf({ spread }: Step, { model, layout }: { readonly model: Model; readonly layout: Layout }): bigint {
  const kv = model.stack?.kinds[0]?.input.keyValueHeads ?? layout.tensor;
  switch (spread) {
    case 'split':
      return layout.tensor;
    case 'keyValue':
      return kv < layout.tensor ? kv : layout.tensor;
    case 'experts':
      return layout.tensor * layout.expert;
    default:
      return 1n;
  }
}

function outsideSteps(stack: Stack, { training, tensors }: Model): readonly StepReport[] {
  const { tokens, batch } = training;
  if (tokens === undefined) return [];
  const { hiddenSize: d, vocabulary } = stack;
  const step = (id: string, label: string, symbolic: string, shape: readonly bigint[], parameters: bigint, flops = 0n): StepReport => ({
    id,
    label,
    symbolic,
    shape: shape.map(amountOf),
    parameters: amountOf(parameters),
    forwardFlops: amountOf(flops),
    backwardFlops: amountOf(2n * flops),
    activationBytes: 0,
    fusedActivationBytes: 0,
  });
  const steps: StepReport[] = [];
  const { encoder } = stack;
  if (encoder !== undefined) {
    const positions = encoder.positions ?? tokens;
    const convolutions = encoder.convolutions ?? [];
    // None where it looks up the decoder's.
    const ownTable = tensors.find(({ name }) => /(^|\.)encoder\.embed_tokens\.weight$/.test(name))?.own ?? 0n;
    convolutions.forEach((each, index) => {
      const [channels, perPosition] = each.to;
      const { forward, backward } = convolutionFlops([each], positions, batch);
      steps.push({
        ...step(
          each.name,
          `Encoder: convolution ${index + 1}`,
          perPosition === 1n ? '[B, S, d]' : `[B, ${perPosition} * S, d]`,
          [batch, perPosition * positions, channels],
          each.from[0] * each.kernel * channels,
          forward,
        ),
        // Only the first reads what nothing asks the gradient of.
        backwardFlops: amountOf(index === 0 ? backward : 2n * forward),
      });
    });
    if (convolutions.length === 0)
      steps.push(step('encoder.input', 'Encoder: token embedding', '[B, S, d]', [batch, positions, d], ownTable));
    if ((encoder.outsideNorms ?? 0n) > 0n) steps.push(step('encoder.norm', 'Encoder: norm', '[B, S, d]', [batch, positions, d], 0n));
  }
  if (vocabulary !== undefined) steps.push(step('input', 'Token embedding', '[B, T, d]', [batch, tokens, d], d * vocabulary));
  else steps.push(step('input', 'Input', '[B, T, d]', [batch, tokens, d], 0n));
  const norm = tensors.find(
    ({ name, shapes }) => !name.includes('{i}') && /norm|ln_f/i.test(name) && !/embed/i.test(name) && shapes[0]?.length === 1,
  );
  if (norm !== undefined) steps.push(step('finalNorm', 'Final norm', '[B, T, d]', [batch, tokens, d], 0n));
  if (stack.head && vocabulary !== undefined)
    steps.push(
      step(
        'head',
        'Head',
        '[B, T, V]',
        [batch, tokens, vocabulary],
        stack.tied === true ? 0n : d * vocabulary,
        2n * batch * tokens * d * vocabulary,
      ),
    );
  return steps;
}

function devicesReport(model: Model): DevicesReport | undefined {
  const { layout } = model;
  const shares = devicesOf(layout) === 1n ? [] : sharesOf(model);
  if (shares.length === 0) return undefined;
  return {
    degrees: {
      tensor: amountOf(layout.tensor),
      sequence: layout.sequence,
      context: amountOf(layout.context),
      pipeline: amountOf(layout.pipeline),
      expert: amountOf(layout.expert),
      data: amountOf(layout.data),
      zero: layout.zero,
    },
    devices: amountOf(devicesOf(layout)),
    rows: shares.map(({ id, label, total, stages, replicated, note }) => ({
      id,
      label,
      total: amountOf(total),
      perDevice: amountOf(largest(stages)),
      stages: stages.map(amountOf),
      replicated: amountOf(replicated),
      note,
    })),
  };
}
