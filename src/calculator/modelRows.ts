import { flopText } from './amounts.ts';
import { devicesOf, type Layout, largest, overDevices, stageActivations, stageBytes, stageCache } from './devices.ts';
import type { Model } from './model.ts';
import { bytesOf, byteText, grouped, type Row } from './shapes.ts';
import type { Stack } from './stack.ts';
import { flopsOf, inFlight, optimizerBits } from './training.ts';
import type { Weights } from './weights.ts';

const row = (id: string, label: string, symbolic: string, value: bigint, text: string): Row => ({
  id,
  label,
  symbolic,
  value: String(value),
  text,
});

/** The model's totals for the palette. */
export function modelRows({ stack, weights, totals, training, weightDtype }: Model): readonly Row[] {
  const rows: Row[] = [];
  const total = totals?.totals.parameters ?? weights?.total;
  if (total !== undefined && (totals?.totals.parameters !== undefined || weights !== undefined)) {
    const complete = totals?.totals.parameters !== undefined || weights?.complete === true;
    rows.push(
      row(
        'parameters',
        complete ? 'Parameters' : 'Weights in matrices',
        complete ? 'every tensor once' : 'without biases and norms',
        total,
        grouped(total),
      ),
    );
    const bytes = bytesOf(total, weightDtype);
    rows.push(row('weightBytes', `Weights in ${weightDtype.name}`, `N * ${weightDtype.bits}/8 B`, bytes, byteText(bytes)));
  }
  const { tokens, batch } = training;
  const flops = stack === undefined || tokens === undefined ? undefined : flopsOf(stack, tokens, batch);
  if (stack !== undefined && flops !== undefined)
    rows.push(
      row('forwardFlops', `FLOPs forward, layers${stack.head ? ' and head' : ''}`, 'every token', flops.forward, flopText(flops.forward)),
    );
  return rows;
}

/** One thing that devices hold: the whole of it, each pipeline stage's share, and what stands on more devices than one. */
export interface Share {
  readonly id: 'weights' | 'gradients' | 'optimizer' | 'activations' | 'activationsInFlight' | 'cache';
  readonly label: string;
  readonly total: bigint;
  readonly stages: readonly bigint[];
  readonly replicated: bigint;
  readonly note: string;
}

/** Bytes of each device; empty where the model is not known. */
export function sharesOf(model: Model): readonly Share[] {
  const { stack, weights, layout, training, cacheDtype, weightDtype } = model;
  if (stack === undefined || stack.encoder !== undefined || weights === undefined || weights.items.length === 0) return [];
  const shares: Share[] = [];
  const add = (id: Share['id'], label: string, total: bigint, stages: readonly bigint[] | undefined, note: string): void => {
    if (stages !== undefined) shares.push({ id, label, total, stages, replicated: overDevices(stages, layout) - total, note });
  };
  const ofWeights = (bits: bigint, stage: 1 | 2 | 3) => stageBytes(stack, weights, layout, bits, layout.zero >= stage);
  const whole = (bits: bigint): bigint => (weights.total * bits + 7n) / 8n;
  const copies = weightNote(layout, stack, weights);
  add('weights', `Weights in ${weightDtype.name}`, whole(weightDtype.bits), ofWeights(weightDtype.bits, 3), copies(3));
  add('gradients', 'Gradients', whole(training.gradientBits), ofWeights(training.gradientBits, 2), copies(2));
  const bits = optimizerBits(training);
  // Scales of 8-bit states depend on how the shares are cut.
  if (bits !== undefined && training.optimizer !== 'adam8bit')
    add('optimizer', `States of ${training.optimizer}, 32-bit copy included`, whole(bits), ofWeights(bits, 1), copies(1));
  const { tokens, batch, recomputation } = training;
  if (tokens === undefined) return shares;
  const choice = { recomputation, fused: false };
  const single = stageActivations(stack, { ...layout, tensor: 1n, context: 1n, pipeline: 1n, sequence: false }, tokens, batch, choice)?.[0];
  const stages = stageActivations(stack, layout, tokens, batch, choice);
  if (single !== undefined && stages !== undefined) {
    const kept = layout.tensor > 1n && !layout.sequence ? 'what tensor parallelism leaves whole' : '';
    add('activations', `Activations of a micro-batch, recomputation ${recomputation}`, single * layout.data, stages, kept);
    if (layout.pipeline > 1n) {
      const flying = stages.map((bytes, stage) => bytes * inFlight(layout, stage));
      shares.push({
        id: 'activationsInFlight',
        label: 'Activations of the micro-batches in flight',
        total: overDevices(flying, layout),
        stages: flying,
        replicated: 0n,
        note: '',
      });
    }
  }
  if (stack.causal !== false && stack.windowsKnown) {
    const all = stageCache(stack, { ...layout, tensor: 1n, context: 1n, pipeline: 1n }, tokens, batch, cacheDtype)?.[0];
    const held = stageCache(stack, layout, tokens, batch, cacheDtype);
    const kv = stack.kinds[0]?.input;
    const note = kv?.latent !== undefined ? 'latents, on every tensor device' : (kv?.keyValueHeads ?? 1n) < layout.tensor ? 'KV heads' : '';
    if (all !== undefined) add('cache', `KV cache in ${cacheDtype.name}`, all * layout.data, held, layout.tensor > 1n ? note : '');
  }
  return shares;
}

/** What stands on several devices, in words, for something that ZeRO shares from a stage on. */
function weightNote(layout: Layout, stack: Stack, weights: Weights): (stage: 1 | 2 | 3) => string {
  const kv = stack.kinds[0]?.input.keyValueHeads ?? 1n;
  return (stage) => {
    const parts: string[] = [];
    if (layout.tensor > 1n) {
      parts.push(stack.kinds.some(({ input }) => input.latent !== undefined) ? 'norms, ranks and routers' : 'norms and biases of outputs');
      if (kv < layout.tensor && stack.kinds[0]?.input.latent === undefined) parts.push('KV heads');
    }
    if (layout.pipeline > 1n && weights.sharedTable > 0n) parts.push('the embedding that the head shares');
    if (layout.data * layout.context > 1n) parts.push(layout.zero >= stage ? 'padding' : 'all of it for each data-parallel group');
    return parts.join(', ');
  };
}

/** The fullest device's share, for the palette. */
export function deviceRows(model: Model): readonly Row[] {
  if (devicesOf(model.layout) === 1n) return [];
  return sharesOf(model)
    .filter(({ id }) => id === 'weights' || id === 'cache')
    .map(({ id, label, stages }) => {
      const bytes = largest(stages);
      return row(`device.${id}`, `${label}, each device`, 'fullest device', bytes, byteText(bytes));
    });
}
