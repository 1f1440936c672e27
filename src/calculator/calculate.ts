import type { ConfigReading, TransformerDesign } from '../design/design.ts';
import { range } from '../text/range.ts';
import { combine } from './combine.ts';
import type { Layout } from './devices.ts';
import { type LayerCost, layerCost } from './layer.ts';
import { type Model, modelOf } from './model.ts';
import { deviceRows, modelRows } from './modelRows.ts';
import { presetReading } from './presets.ts';
import { parseQuery, type Query, type QueryProblem } from './query.ts';
import { type AttentionInput, attentionRows, byteText, grouped, type Row } from './shapes.ts';
import { solutionRows } from './solutions.ts';

export interface Calculation {
  readonly rows: readonly Row[];
  /** Ranges are offsets in the query. */
  readonly problems: readonly QueryProblem[];
  readonly input: AttentionInput;
  readonly query: Query;
  /** The design that the query's values override: the caller's, or the preset that the query names. */
  readonly base?: TransformerDesign;
  readonly reading?: ConfigReading;
  /** The first stack's layer step by step, where tokens and the feed-forward are known. */
  readonly cost?: LayerCost;
  /** The model as a whole; absent while something is asked for. */
  readonly model?: Model;
  /** What has to be given before more can be said. */
  readonly hint?: string;
}

/**
 * Answers a query over a design, which the query's values override. With the file that the design is the first of, the model as a whole is
 * counted too. Exact integers throughout; never throws. Bounded well below a frame for any input.
 */
export function calculate(query: string, given?: TransformerDesign, file?: ConfigReading): Calculation {
  const parsed = parseQuery(query);
  const reading = parsed.preset === undefined ? file : presetReading(parsed.preset.name);
  const base = parsed.preset === undefined ? (given ?? file?.designs[0]) : reading?.designs[0];
  const { input, problems } = combine(parsed, base, query.length);
  const { wanted } = parsed;
  const own = reading?.designs[0] === base ? reading : undefined;
  const solutions = wanted === undefined ? [] : solutionRows(wanted, parsed, base, own, problems);
  if (wanted === undefined && (parsed.constraints !== undefined || parsed.parameters !== undefined))
    problems.push({ range: range(0, query.length), message: 'Nothing is asked for: put ? in place of a value, as in h=?.' });
  // Another stack of a file than its first has no totals of its own. Sizes that contradict each other make no model; a file's own tensors say
  // what there is all the same.
  const isCounted = wanted === undefined && (own === undefined ? base === undefined && problems.length === 0 : true);
  const model = isCounted ? modelOf(parsed, input, own) : undefined;
  if (model !== undefined) problems.push(...model.problems);
  const cost =
    wanted !== undefined
      ? undefined
      : model?.stack?.encoder === undefined
        ? costOf(parsed, input, base, model?.stack === undefined ? undefined : model.layout)
        : decoderCost(model);
  const rows = [
    ...solutions,
    ...attentionRows(input).filter(({ id }) => !id.startsWith('cache') || mayCache(base)),
    ...(cost === undefined
      ? []
      : costRows(
          cost,
          model?.stack?.encoder !== undefined,
          model?.stack === undefined ? (parsed.tensorParallel ?? 1n) : model.layout.tensor * model.layout.context,
        )),
    ...(model === undefined ? [] : [...modelRows(model), ...deviceRows(model)]),
  ];
  const hint = solutions.length > 0 ? undefined : hintFor(input);
  return {
    rows,
    problems: [...parsed.problems, ...problems].sort((a, b) => a.range.start - b.range.start),
    input,
    query: parsed,
    ...(base === undefined ? {} : { base }),
    ...(own === undefined ? {} : { reading: own }),
    ...(cost === undefined ? {} : { cost }),
    ...(model === undefined ? {} : { model }),
    ...(hint === undefined ? {} : { hint }),
  };
}

/** Encoders and stacks that see everything at once keep nothing between tokens. */
const mayCache = (base: TransformerDesign | undefined): boolean =>
  base === undefined ||
  !(base.role === 'encoder' || base.role === 'vision' || base.role === 'audio' || base.fields.causal?.value === false);

function costOf(
  query: Query,
  input: AttentionInput,
  base: TransformerDesign | undefined,
  layout: Layout | undefined,
): LayerCost | undefined {
  const written = base?.fields.intermediateSize?.value;
  const found = layerCost({
    ...input,
    intermediateSize:
      query.values.intermediateSize?.value ??
      (written !== undefined && Number.isSafeInteger(written) && written > 0 ? BigInt(written) : undefined),
    gated: query.gated ?? base?.fields.gatedFfn?.value,
    tensorParallel: layout?.tensor ?? query.tensorParallel,
    sequenceParallel: layout?.sequence,
    contextParallel: layout?.context,
    dropout: query.dropout,
  });
  // Layers with experts have other feed-forwards than one.
  return 'steps' in found && base?.fields.experts === undefined ? found : undefined;
}

/** Of an encoder-decoder the layer with two attentions. */
function decoderCost({ stack, training: { tokens, batch } }: Model): LayerCost | undefined {
  const input = stack?.kinds[0]?.input;
  const found = input === undefined || tokens === undefined ? undefined : layerCost({ ...input, sequenceLength: tokens, batch });
  return found !== undefined && 'steps' in found ? found : undefined;
}

function costRows(
  { parameters, forwardFlops, activationBytes, fusedActivationBytes }: LayerCost,
  isDecoder: boolean,
  devices: bigint,
): readonly Row[] {
  const layer = isDecoder ? "a decoder's layer" : 'a layer';
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
      `Weights of ${layer}`,
      isDecoder ? 'both attentions + feed-forward' : 'attention + feed-forward',
      parameters,
      `${grouped(parameters)} (without biases and norms)`,
    ),
    row(
      'layerFlops',
      `FLOPs of ${layer}, forward`,
      isDecoder ? 'every step, with cross-attention to S positions' : '2 B T weights + 2 B h T^2 (d_h + d_v)',
      forwardFlops,
    ),
    row('layerActivations', `Activations of ${layer}${share}`, 'kept for the backward pass', activationBytes, byteText(activationBytes)),
    row(
      'fusedLayerActivations',
      `with a fused attention kernel${share}`,
      'kept for the backward pass',
      fusedActivationBytes,
      byteText(fusedActivationBytes),
    ),
  ];
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
