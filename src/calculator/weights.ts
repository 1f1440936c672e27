import { isReadOnce } from './encoderDecoder.ts';
import { layerCost } from './layer.ts';
import type { Parameter } from './parameters.ts';
import { grouped } from './shapes.ts';
import { isHead, isLayerMatrix, type Stack } from './stack.ts';

/**
 * How the numbers of a tensor lie on the devices of tensor and expert parallelism (Shoeybi et al. 2019, arXiv:1909.08053, section 3): split
 * over all, by whole KV heads, by rows of the vocabulary, over expert and tensor devices, over expert devices only, or a copy on each.
 */
export type Spread = 'split' | 'keyValue' | 'vocabulary' | 'experts' | 'expertCopies' | 'copies';

export type Part = 'embedding' | 'attention' | 'feedForward' | 'experts' | 'norms' | 'head' | 'other';

export const partLabels: Readonly<Record<Part, string>> = {
  embedding: 'Embeddings',
  attention: 'Attention',
  feedForward: 'Feed-forward',
  experts: 'Experts',
  norms: 'Norms',
  head: 'Head',
  other: 'Other',
};

export interface WeightItem {
  readonly name: string;
  readonly part: Part;
  /** Numbers in one layer of the kind, or in all outside the layers. */
  readonly elements: bigint;
  readonly spread: Spread;
  /** Index of the kind of layer that holds them, or the end of the pipeline that does. */
  readonly place: number | 'first' | 'last';
  /** Rows are looked up, not multiplied: nothing reads the whole tensor. */
  readonly lookup?: boolean;
}

/** Everything that is learned, by where it lies. */
export interface Weights {
  readonly items: readonly WeightItem[];
  readonly total: bigint;
  /** Every tensor is counted; else only matrices that the sizes decide. */
  readonly complete: boolean;
  /** The head reads the embedding's table, which the last pipeline stage then holds as well. */
  readonly sharedTable: bigint;
  /**
   * Of an encoder-decoder, how many its input alone needs (an encoder's, and what makes keys and values of its output), and how many a
   * further token does; without tables of which rows are looked up.
   */
  readonly reads?: { readonly once: bigint; readonly further: bigint };
  /** What is not counted. */
  readonly notes: readonly string[];
}

export function weightsOf(stack: Stack, tensors: readonly Parameter[]): Weights | { readonly reason: string } {
  const items = stack.kinds.flatMap((_, kind) => matrixItems(stack, kind));
  const table = stack.hiddenSize * (stack.vocabulary ?? 0n);
  if (tensors.length === 0) {
    const notes = ['Weights: biases and norms are not counted.'];
    if (stack.vocabulary === undefined) notes.push('Weights: give V, the vocabulary, to count the embedding and the head.');
    else {
      const tied = stack.tied;
      if (tied === undefined) notes.push('Weights: say tied or untied to count the head; the embedding is counted.');
      items.push({
        name: 'embedding',
        part: 'embedding',
        elements: table,
        spread: 'vocabulary',
        place: 'first',
        ...(tied === true ? {} : { lookup: true }),
      });
      if (tied === false) items.push({ name: 'head', part: 'head', elements: table, spread: 'vocabulary', place: 'last' });
    }
    return { items, total: totalOf(stack, items), complete: false, sharedTable: stack.tied === true ? table : 0n, notes };
  }
  if (stack.encoder !== undefined) return encoderDecoderWeights(stack, tensors);
  const kindCounts = stack.kinds.map(({ count }) => count);
  let total = 0n;
  for (const tensor of tensors) {
    total += tensor.own;
    if (tensor.tied || isLayerMatrix(tensor)) continue;
    if (tensor.name.includes('{i}')) {
      const kinds = kindsWith(tensor, stack, kindCounts);
      if (kinds === undefined) return { reason: `Which layers hold ${tensor.name} is not known.` };
      const holders = kinds.reduce((sum, kind) => sum + (kindCounts[kind] ?? 0n), 0n);
      if (tensor.elements % holders !== 0n) return { reason: `The layers hold different ${tensor.name}.` };
      const spreads = spreadOf(tensor, stack);
      if (spreads === undefined) return { reason: `How ${tensor.name} is split over devices is not known.` };
      for (const place of kinds)
        for (const { spread, elements } of spreads)
          items.push({ name: tensor.name, part: partOf(tensor.name), elements: elements / holders, spread, place });
    } else {
      items.push(outsideItem(tensor, stack));
    }
  }
  if (totalOf(stack, items) !== total) return { reason: 'The tensors of the layers do not add up to the model.' };
  const shares = (stack.head && stack.tied === true) || tensors.some((each) => isHead(each) && each.tied);
  return { items, total, complete: true, sharedTable: shares ? table : 0n, notes: [] };
}

/** An encoder-decoder's: it is not split over devices. */
function encoderDecoderWeights(stack: Stack, tensors: readonly Parameter[]): Weights {
  const sharedTable = stack.head && stack.tied === true ? stack.hiddenSize * (stack.vocabulary ?? 0n) : 0n;
  let [total, once, further] = [0n, 0n, 0n];
  for (const { name, own } of tensors) {
    total += own;
    if (own === 0n) continue;
    const isOnce = isReadOnce(name);
    const isTable = isLookup(name) || name.includes('relative_attention_bias');
    if (isTable && (isOnce || own !== sharedTable)) continue;
    if (isOnce) once += own;
    else further += own;
  }
  return { items: [], total, complete: true, sharedTable, reads: { once, further }, notes: [] };
}

/** Products outside the layers that no FLOPs are counted for, one sentence each. */
export const uncountedProducts = (tensors: readonly Parameter[], { encoder }: Pick<Stack, 'encoder'>): readonly string[] =>
  tensors
    .filter(({ name }) => encoder?.convolutions?.some((each) => each.name === name) !== true)
    .filter((each) => !each.name.includes('{i}') && (each.shapes[0]?.length ?? 0) >= 2 && !isHead(each) && !isLookup(each.name))
    .map(({ name }) => `FLOPs: what ${name} computes outside the layers is not counted.`);

function matrixItems(stack: Stack, kind: number): WeightItem[] {
  const input = stack.kinds[kind]?.input;
  const cost = input === undefined ? undefined : layerCost({ ...input, sequenceLength: 1n, batch: 1n });
  if (cost === undefined || !('steps' in cost)) return [];
  return cost.steps
    .filter(({ parameters }) => parameters > 0n)
    .map(({ id, parameters, spread }) => ({
      name: id,
      part: spread === 'experts' ? 'experts' : /^(up|down|router|shared.*)$/.test(id) ? 'feedForward' : 'attention',
      elements: parameters,
      spread,
      place: kind,
    }));
}

const totalOf = ({ kinds }: Stack, items: readonly WeightItem[]): bigint =>
  items.reduce((sum, { elements, place }) => sum + elements * (typeof place === 'number' ? (kinds[place]?.count ?? 0n) : 1n), 0n);

/** Kinds of layers that hold a tensor: all of them, or those with or without experts, by how many there are. */
function kindsWith({ name, count }: Parameter, { kinds }: Stack, counts: readonly bigint[]): readonly number[] | undefined {
  const indices = counts.map((_, index) => index);
  const choices = [
    indices,
    indices.filter((index) => kinds[index]?.input.experts !== undefined),
    indices.filter((index) => kinds[index]?.input.experts === undefined),
  ];
  const perLayer = /\.experts\.\{i\}/.test(name)
    ? (kinds.find(({ input }) => input.experts !== undefined)?.input.experts?.count ?? 1n)
    : 1n;
  return choices.find(
    (choice) => choice.length > 0 && choice.reduce((sum, index) => sum + (counts[index] ?? 0n), 0n) * perLayer === BigInt(count),
  );
}

/** Norms, biases and the like: biases lie as the rows of their matrices do. Undefined where that is not known. */
function spreadOf({ name, elements, count }: Parameter, { kinds }: Stack): readonly { spread: Spread; elements: bigint }[] | undefined {
  const whole = (spread: Spread) => [{ spread, elements }];
  if (/\.experts\..*gate_up_proj_bias$|\.experts\..*(w1|w3|gate_proj|up_proj)\.bias$/.test(name)) return whole('experts');
  if (/\.experts\./.test(name)) return whole('expertCopies');
  if (/sinks$/.test(name)) return whole('split');
  if (!/bias$/.test(name) || /norm|(^|\.)ln_/i.test(name)) return whole('copies');
  if (
    /(^|[._])(q_proj|query|q_lin|wq|gate_proj|up_proj|gate_up_proj|c_fc|fc1|fc_in|dense_h_to_4h|intermediate\.dense|lin1)\.bias$/.test(name)
  )
    return whole('split');
  if (/(^|[._])(k_proj|key|k_lin|wk|v_proj|value|v_lin|wv)\.bias$/.test(name)) return whole('keyValue');
  if (/(^|[._])(c_attn|query_key_value|qkv|qkv_proj|Wqkv)\.bias$/.test(name)) {
    const { queryHeads = 0n, headDim = 0n, keyValueHeads = 0n, valueDim = 0n } = kinds[0]?.input ?? {};
    const queries = queryHeads * headDim * BigInt(count);
    const others = keyValueHeads * (headDim + valueDim) * BigInt(count);
    if (queries + others !== elements) return undefined;
    return [
      { spread: 'split', elements: queries },
      { spread: 'keyValue', elements: others },
    ];
  }
  if (/(^|[._])(o_proj|out_proj|out_lin|c_proj|dense|down_proj|fc2|fc_out|lin2|dense_4h_to_h|router|gate)\.bias$/.test(name))
    return whole('copies');
  // A bias that corrects the router's choice is one of the router's.
  return /(^|\.)e_score_correction_bias$/.test(name) ? whole('copies') : undefined;
}

function outsideItem({ name, own, shapes }: Parameter, { vocabulary }: Stack): WeightItem {
  const rows = BigInt(shapes[0]?.[0] ?? 0);
  const isMatrix = (shapes[0]?.length ?? 0) >= 2;
  const head = isHead({ name });
  const isEmbedding = !head && /embed|wte|wpe|shared|word|position|token|patch/i.test(name);
  const isTable = isMatrix && rows === vocabulary && (head || isEmbedding);
  return {
    name,
    part: head ? 'head' : partOf(name) === 'norms' ? 'norms' : isEmbedding ? 'embedding' : 'other',
    elements: own,
    spread: isTable ? 'vocabulary' : 'copies',
    place: isEmbedding ? 'first' : 'last',
    ...(isMatrix && isLookup(name) ? { lookup: true } : {}),
  };
}

/** A table: the module that holds it is called an embedding. */
const isLookup = (name: string): boolean => {
  const module =
    name
      .replace(/\.weight$/, '')
      .split('.')
      .at(-1) ?? '';
  return /embed|wte|wpe|^shared$|position/i.test(module) && !/proj|patch/i.test(module);
};

/** The part of a model that a tensor belongs to, by its name. */
export function partOf(name: string): Part {
  if (/norm|(^|\.)ln_/i.test(name)) return 'norms';
  if (/(^|\.)experts\./.test(name)) return 'experts';
  if (/(^|\.)(lm_head|embed_out|output_projection)\b/.test(name)) return 'head';
  if (!name.includes('{i}') && /embed|wte|wpe|(^|\.)shared|word|position/i.test(name)) return 'embedding';
  if (/attn|attention|(^|\.)(q|k|v|o)(_proj)?\./i.test(name) && !/(^|\.)(mlp|ffn|intermediate)\./.test(name)) return 'attention';
  if (
    /mlp|ffn|feed_forward|feedforward|fc\d|intermediate|DenseReluDense|output\.dense|shared_expert|gate_proj|up_proj|down_proj|router|(^|\.)gate\./i.test(
      name,
    )
  )
    return 'feedForward';
  return 'other';
}

/** Parameters by part; they add up to the total. */
export function partsOf(stack: Stack | undefined, weights: Weights | undefined, tensors: readonly Parameter[]): ReadonlyMap<Part, bigint> {
  const sums = new Map<Part, bigint>();
  const add = (part: Part, elements: bigint): void => {
    if (elements > 0n) sums.set(part, (sums.get(part) ?? 0n) + elements);
  };
  if (tensors.length > 0) for (const { name, own } of tensors) add(partOf(name), own);
  else if (stack !== undefined && weights !== undefined)
    for (const { part, elements, place } of weights.items)
      add(part, elements * (typeof place === 'number' ? (stack.kinds[place]?.count ?? 0n) : 1n));
  return sums;
}

export const countText = (weights: Weights): string => `${grouped(weights.total)}${weights.complete ? '' : ' (matrices only)'}`;
