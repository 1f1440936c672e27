import type { ConfigReading, TransformerDesign } from '../design/design.ts';
import { scalarsOf } from '../design/section.ts';
import type { ExpertsInput, LayerInput } from './layer.ts';
import type { Parameter } from './parameters.ts';
import type { Query } from './query.ts';
import { type AttentionInput, attentionWeights, grouped } from './shapes.ts';

/** Layers that are alike. */
export interface LayerKind {
  /** `Layers`, `Sliding-window layers`, `Layers with experts`, ... */
  readonly label: string;
  readonly count: bigint;
  readonly input: LayerInput;
  /** Tokens that attention looks back on; absent for all. */
  readonly window?: bigint;
}

/** A model as the calculator follows it: its layers in order, and what stands before and after them. */
export interface Stack {
  readonly hiddenSize: bigint;
  readonly layers: bigint;
  readonly kinds: readonly LayerKind[];
  /** Index into `kinds` of every layer, first to last. */
  readonly order: readonly number[];
  readonly vocabulary?: bigint;
  /** Whether logits over the vocabulary are computed for every token. */
  readonly head: boolean;
  readonly tied?: boolean;
  readonly causal?: boolean;
  /** Whether it is known how far each layer looks back. */
  readonly windowsKnown: boolean;
  /** The stack whose output the layers' cross-attention reads. */
  readonly encoder?: Stack;
  /** An encoder's positions, where they are not as many as the decoder's tokens. */
  readonly positions?: bigint;
  /** What an encoder's positions are computed by, in order. */
  readonly convolutions?: readonly Convolution[];
  /** Norms before and after all layers; one where absent. */
  readonly outsideNorms?: bigint;
}

export interface Convolution {
  /** The tensor's. */
  readonly name: string;
  readonly kernel: bigint;
  /** Channels, and positions for each of the encoder's, of what goes in and of what comes out. */
  readonly from: readonly [bigint, bigint];
  readonly to: readonly [bigint, bigint];
}

export type Reason = { readonly reason: string };

/** More layers than any model has. */
export const maximumLayers = 4096n;

/**
 * The stack of a query's sizes over a design. With the model's tensors at hand it is a stack only if its matrices are theirs to the last
 * number: what the layers have that is not described here shows, and is not counted by half.
 */
export function stackOf(
  query: Query,
  input: AttentionInput,
  reading: ConfigReading | undefined,
  tensors: readonly Parameter[],
): Stack | Reason {
  const [design, ...others] = reading?.designs ?? [];
  if (others.length > 0) return { reason: 'Models of several stacks are not followed step by step.' };
  const { hiddenSize, layers } = input;
  if (hiddenSize === undefined || layers === undefined) return { reason: 'Give the width and L, the number of layers.' };
  if (attentionWeights({ ...input, bias: false }) === undefined) return { reason: 'Give the width and the heads.' };
  if (layers > maximumLayers) return { reason: `${layers} layers are more than any model has.` };
  const fields = design?.fields ?? {};
  if (design !== undefined && isUncommon(design))
    return { reason: `The layers of ${design.family ?? 'this model'} are not followed step by step.` };
  const placement = fields.normPlacement?.value;
  const norms = placement === 'parallel' ? parallelNorms(tensors, layers) : placement === 'sandwich' ? 'sandwich' : undefined;
  if (placement === 'parallel' && norms === undefined) return { reason: 'Whether the parallel sublayers share a norm is not known.' };
  const intermediateSize = query.values.intermediateSize?.value ?? sizeOf(fields.intermediateSize?.value);
  const gated = query.gated ?? fields.gatedFfn?.value;
  const experts = expertsOf(query, design, intermediateSize);
  if (experts !== undefined && 'reason' in experts) return experts;
  const base: LayerInput = {
    ...input,
    ...(intermediateSize === undefined ? {} : { intermediateSize }),
    ...(fields.positions === undefined
      ? input.latent === undefined
        ? {}
        : { rotary: true }
      : { rotary: fields.positions.value === 'rope' }),
    ...(norms === undefined ? {} : { norms }),
    ...(query.dropout === true ? { dropout: true } : {}),
    ...(input.latent === undefined && tensors.some(isHeadNorm) ? { headNorms: true } : {}),
  };
  // Where nothing says so the matrices do: with one more in each feed-forward they are those of the model or they are not.
  const gates = gated !== undefined ? [gated] : tensors.length > 0 ? [true, false] : [];
  if (gates.length === 0 || (intermediateSize === undefined && experts === undefined))
    return { reason: 'Give ff, the width of the feed-forward, and whether it is gated.' };
  const windows = windowsOf(query, design, Number(layers));
  const written = tensors.length > 0 ? layerMatrices(tensors) : undefined;
  const choices = gates.map((gate) => {
    const made = kindsOf({ ...base, gated: gate }, experts, windows, design, Number(layers));
    return { ...made, matrices: made.kinds.reduce((sum, { count, input: each }) => sum + count * matricesOf(each), 0n) };
  });
  const chosen = choices.find(({ matrices }) => written === undefined || matrices === written);
  if (chosen === undefined)
    return {
      reason: `The layers have ${grouped(written ?? 0n)} weights in matrices, of which the steps known here explain ${grouped(choices[0]?.matrices ?? 0n)}.`,
    };
  const { kinds, order } = chosen;
  // A program's own class is a whole model: where it shares the embedding's weights its head has no tensor. Its table may be padded.
  const isNative = reading !== undefined && tensors.length > 0 && !reading.root.has('model_type') && !reading.root.has('architectures');
  const table = isNative ? tableRows(tensors, hiddenSize) : undefined;
  const vocabulary = table ?? query.values.vocabularySize?.value ?? sizeOf(fields.vocabularySize?.value);
  const sharesTable = table !== undefined && fields.tieEmbeddings?.value === true;
  const head = design === undefined ? vocabulary !== undefined : sharesTable || hasHead(tensors, hiddenSize, vocabulary);
  const tied =
    query.tied ?? (tensors.length > 0 ? sharesTable || tensors.some((each) => isHead(each) && each.tied) : fields.tieEmbeddings?.value);
  const odd = tensors.find((each) => !isUnderstood(each));
  if (odd !== undefined) return { reason: `What ${odd.name} does is not followed.` };
  if (tensors.length === 0 && experts !== undefined && design !== undefined) return { reason: 'Which layers have experts is not known.' };
  return {
    hiddenSize,
    layers,
    kinds,
    order,
    ...(vocabulary === undefined ? {} : { vocabulary }),
    head,
    ...(tied === undefined ? {} : { tied }),
    ...(fields.causal === undefined ? {} : { causal: fields.causal.value }),
    windowsKnown: windows !== undefined,
  };
}

export const sizeOf = (value: number | undefined): bigint | undefined =>
  value !== undefined && Number.isSafeInteger(value) && value > 0 ? BigInt(value) : undefined;

/** Layers that hold something else than attention over everything and a feed-forward, or share weights. */
const isUncommon = ({ family, section, fields }: TransformerDesign): boolean =>
  /^(albert|mamba.*|rwkv|jamba|zamba.*|bamba|gemma3n.*|gemma4.*|deberta.*|diffllama|big_?bird.*|longformer|led|reformer|xlnet|nystromformer|fnet|mra|yoso|vitdet|swin.*|cpmant)$/.test(
    family ?? '',
  ) ||
  section.has('num_kv_shared_layers') ||
  (fields.layerTypes?.value ?? []).some((type) => !/^(full|sliding)_attention$/.test(type));

function expertsOf(
  query: Query,
  design: TransformerDesign | undefined,
  intermediateSize: bigint | undefined,
): ExpertsInput | Reason | undefined {
  const fields = design?.fields ?? {};
  const count = query.values.experts?.value ?? sizeOf(fields.experts?.value);
  if (count === undefined) return undefined;
  const perToken = query.values.expertsPerToken?.value ?? sizeOf(fields.expertsPerToken?.value);
  const width = query.values.expertIntermediateSize?.value ?? sizeOf(fields.expertIntermediateSize?.value) ?? intermediateSize;
  if (perToken === undefined) return { reason: 'Give topk, the number of experts that each token reaches.' };
  if (width === undefined) return { reason: 'Give eff, the width of an expert.' };
  if (perToken > count) return { reason: `A token cannot reach ${perToken} of ${count} experts.` };
  const shared = query.values.sharedExperts?.value ?? sizeOf(fields.sharedExperts?.value) ?? 0n;
  // Qwen 2 MoE names the shared expert's width, and scales its output by a number computed from each token.
  const named = sizeOf(design?.section.number('shared_expert_intermediate_size'));
  return {
    count,
    perToken,
    width,
    sharedWidth: named ?? shared * width,
    ...(named === undefined ? {} : { sharedGate: true }),
  };
}

/** How far each layer looks back; undefined where that is not known. An entry of undefined looks back on everything. */
function windowsOf(query: Query, design: TransformerDesign | undefined, layers: number): readonly (bigint | undefined)[] | undefined {
  const given = query.values.slidingWindow?.value;
  const all = (window: bigint | undefined) => Array.from({ length: layers }, () => window);
  if (design === undefined) return all(given);
  const { section, knowledge, family } = design;
  const looked = section.lookup('sliding_window');
  const fallback = knowledge?.fields.get('sliding_window');
  const written =
    looked.state === 'value'
      ? (design.fields.slidingWindow?.value ?? 0)
      : looked.state === 'null' || typeof fallback !== 'number'
        ? undefined
        : fallback;
  const window = given ?? sizeOf(written);
  if (window === undefined) return all(undefined);
  const pick = (slides: (layer: number) => boolean) => Array.from({ length: layers }, (_, i) => (slides(i) ? window : undefined));
  const types = design.fields.layerTypes?.value;
  if (types !== undefined) return types.length === layers ? pick((i) => types[i] === 'sliding_attention') : undefined;
  // As each family's configuration class lays its layers out.
  const pattern = section.number('sliding_window_pattern') ?? section.number('_sliding_window_pattern');
  switch (family) {
    case 'mistral':
    case 'mixtral':
    case 'phi3':
    case 'starcoder2':
      return all(window);
    case 'gemma2':
    case 'gpt_oss':
      return pick((i) => i % 2 === 0);
    case 'gemma3_text':
      return pick((i) => (i + 1) % (pattern ?? 6) !== 0);
    case 'cohere2':
      return pick((i) => (i + 1) % (pattern ?? 4) !== 0);
    case 'qwen2':
    case 'qwen3':
    case 'qwen2_moe':
    case 'qwen3_moe': {
      if ((section.boolean('use_sliding_window') ?? false) === false && given === undefined) return all(undefined);
      const from = section.number('max_window_layers');
      return from === undefined ? undefined : pick((i) => i >= from);
    }
    default:
      return given === undefined ? undefined : all(given);
  }
}

/** A number of the configuration, or the default of the class that reads it. */
export function numberIn({ section, knowledge }: TransformerDesign, name: string): number | undefined {
  const fallback = knowledge?.fields.get(name);
  return section.number(name) ?? (section.has(name) || typeof fallback !== 'number' ? undefined : fallback);
}

/** Which layers have experts, as families with dense layers in between say it. */
function hasExperts(design: TransformerDesign | undefined): (layer: number) => boolean {
  if (design === undefined) return () => true;
  const { section } = design;
  const numberOf = (name: string): number | undefined => numberIn(design, name);
  const leading = numberOf('first_k_dense_replace') ?? numberOf('n_dense_layers') ?? 0;
  const step = numberOf('decoder_sparse_step') ?? 1;
  const node = section.lookup('mlp_only_layers');
  const dense = new Set(node.state === 'value' ? scalarsOf(node.node).map(({ value }) => value) : []);
  return (layer) => layer >= leading && (layer + 1) % Math.max(1, step) === 0 && !dense.has(layer);
}

function kindsOf(
  base: LayerInput,
  experts: ExpertsInput | undefined,
  windows: readonly (bigint | undefined)[] | undefined,
  design: TransformerDesign | undefined,
  layers: number,
): { readonly kinds: readonly LayerKind[]; readonly order: readonly number[] } {
  const kinds: { label: string; count: bigint; input: LayerInput; window?: bigint }[] = [];
  const indices = new Map<string, number>();
  const order: number[] = [];
  const sparse = hasExperts(design);
  for (let i = 0; i < layers; i++) {
    const window = windows?.[i];
    const own = experts !== undefined && sparse(i) ? experts : undefined;
    const key = `${window ?? ''} ${own !== undefined}`;
    let index = indices.get(key);
    if (index === undefined) {
      index = kinds.length;
      indices.set(key, index);
      const mixed = experts === undefined ? '' : own === undefined ? ', dense' : ', with experts';
      kinds.push({
        label: `${window === undefined ? 'Layers' : 'Sliding-window layers'}${mixed}`,
        count: 0n,
        input: own === undefined ? base : { ...base, experts: own },
        ...(window === undefined ? {} : { window }),
      });
    }
    const kind = kinds[index];
    if (kind !== undefined) kind.count++;
    order.push(index);
  }
  return { kinds, order };
}

/** Weights in a layer's matrices. */
export function matricesOf(input: LayerInput): bigint {
  const { hiddenSize: d = 0n, intermediateSize: f = 0n, experts } = input;
  const ways = input.gated === true ? 3n : 2n;
  const attention = attentionWeights({ ...input, bias: false })?.value ?? 0n;
  if (experts === undefined) return attention + ways * d * f;
  const { count, width, sharedWidth, sharedGate } = experts;
  return attention + d * count + count * ways * d * width + ways * d * sharedWidth + (sharedGate === true ? d : 0n);
}

/**
 * Whether it is known what a tensor does to the products that are counted: in the layers matrices, biases, norms, scales and tables that are
 * added to scores; no tables of relative positions that queries or keys are multiplied with, no numbers of an attention of its own kind.
 */
export const isUnderstood = (tensor: Parameter): boolean => {
  const { name } = tensor;
  if (/distance_embedding|rel_embeddings|rel_pos|r_[rws]_bias|relative_key|pos_(q|k)_proj|linear_pos/i.test(name)) return false;
  if (!name.includes('{i}') || isLayerMatrix(tensor)) return true;
  return /bias$|norm|(^|[._])ln(_|\d|\.|$)|layer_?scale|sinks$|relative_(attention|position)_bias/i.test(name);
};

/** Parallel sublayers have a norm each, or one that both read: as many as a layer has. */
function parallelNorms(tensors: readonly Parameter[], layers: bigint): 'parallel' | 'shared' | undefined {
  const count = tensors.filter(
    (each) =>
      !isHeadNorm(each) && each.name.includes('{i}') && /(norm|(^|\.)ln)[^.]*\.weight$/i.test(each.name) && BigInt(each.count) === layers,
  ).length;
  return count === 2 ? 'parallel' : count === 1 ? 'shared' : undefined;
}

/** A norm of queries or keys, before their product. */
const isHeadNorm = ({ name }: Parameter): boolean =>
  name.includes('{i}') && /(^|\.)(q|k|query|key|qk)_?(norm|layernorm|layer_norm|ln)\b/i.test(name);

/** A tensor of the layers whose weights are factors of products, and not looked up. */
export const isLayerMatrix = ({ name, shapes }: Parameter): boolean =>
  name.includes('{i}') && shapes.every((shape) => shape.length >= 2) && !/bias$|embed|position|relative_attention_bias|sinks/i.test(name);

const layerMatrices = (tensors: readonly Parameter[]): bigint =>
  tensors.filter(isLayerMatrix).reduce((sum, { elements }) => sum + elements, 0n);

/** The matrix that gives logits, by the names that libraries have for it. */
export const isHead = ({ name }: Pick<Parameter, 'name'>): boolean =>
  /^(decoder|head|transformer\.ff_out)\.weight$|(^|\.)(lm_head(\.decoder)?|embed_out|output|output_projection|(cls|lm)\.predictions\.decoder|predictions\.decoder|generator_lm_head|pred_layer\.proj|proj_out)\.weight$/.test(
    name,
  );

/** Rows of the table of tokens. */
function tableRows(tensors: readonly Parameter[], d: bigint): bigint | undefined {
  const table = tensors.find(({ name }) => /(^|\.)(wte|tok_embeddings|embed)\.weight$/.test(name));
  return table === undefined || table.elements % d !== 0n ? undefined : table.elements / d;
}

const hasHead = (tensors: readonly Parameter[], d: bigint, vocabulary: bigint | undefined): boolean =>
  tensors.some((each) => isHead(each) && each.elements === d * (vocabulary ?? 0n));
