import type { TransformerDesign } from '../../src/design/design.ts';

/** `{ name: [count, shape] }`, or a list of shapes where layers differ. */
export type FoldedShapes = Readonly<Record<string, readonly [number, readonly number[] | readonly (readonly number[])[]]>>;

/** What the parameters of one repeated layer say about its stack. Absent where the names do not tell. */
export interface LayerFacts {
  readonly prefix: string;
  layers?: number;
  /** Input width of the query projection. */
  hiddenSize?: number;
  /** queryHeads * headDim. */
  queryWidth?: number;
  /** keyValueHeads * headDim. */
  keyWidth?: number;
  intermediateSize?: number;
}

const is = (...names: string[]): RegExp => new RegExp(`(^|\\.)(${names.join('|')})\\.weight$`);
const query = is('q_proj', 'query', 'q_lin', 'wq', 'linear_q', 'SelfAttention\\.q', 'self_attn\\.q', 'query_proj');
const key = is('k_proj', 'key', 'k_lin', 'wk', 'linear_k', 'SelfAttention\\.k', 'key_proj');
const up = is(
  'up_proj',
  'intermediate\\.dense',
  'wi',
  'wi_0',
  'lin1',
  'dense_h_to_4h',
  'fc1',
  'fc_in',
  'c_fc',
  'linear1',
  'intermediate_dense',
);
const fused = is('c_attn', 'query_key_value', 'qkv', 'qkv_proj', 'Wqkv');
/** Hugging Face's Conv1D keeps weights as [in, out]. */
const transposed = /\.(attn\.c_attn|mlp\.c_fc)\.weight$/;

/** Facts of every group of repeated layers in a model's parameters. */
export function layerFacts(shapes: FoldedShapes, modelType: string): LayerFacts[] {
  const groups = new Map<string, LayerFacts>();
  for (const [name, entry] of Object.entries(shapes)) {
    const match = /^(.*?)\{i\}\.(.*)$/.exec(name);
    if (
      match === null ||
      /\{i\}/.test(match[2] ?? '') ||
      /cross|encoder_attn|crossattention|EncDecAttention|experts|lora|vision_tower.*\.deepstack/.test(match[2] ?? '')
    )
      continue;
    const prefix = match[1] ?? '';
    const rest = match[2] ?? '';
    const first = entry[1][0];
    const shape = (Array.isArray(first) ? undefined : entry[1]) as readonly number[] | undefined;
    if (shape === undefined) continue;
    let facts = groups.get(prefix);
    if (facts === undefined) {
      facts = { prefix };
      groups.set(prefix, facts);
    }
    facts.layers = Math.max(facts.layers ?? 0, entry[0]);
    if (shape.length !== 2) continue;
    const gpt2 = transposed.test(`.${rest}`) && /^(gpt2|openai-gpt|imagegpt|decision_transformer|clvp|gpt_neo_conv)/.test(modelType);
    const [out, into] = gpt2 ? [shape[1], shape[0]] : [shape[0], shape[1]];
    if (query.test(rest)) {
      facts.hiddenSize ??= into;
      facts.queryWidth ??= out;
    } else if (key.test(rest)) facts.keyWidth ??= out;
    else if (up.test(rest)) facts.intermediateSize ??= out;
    else if (fused.test(rest)) facts.hiddenSize ??= into;
  }
  return [...groups.values()].filter((facts) => facts.hiddenSize !== undefined);
}

/** The group of layers that a stack's parameters form, by role and place in the name; undefined when it cannot be told which. */
export function factsFor(design: TransformerDesign, groups: readonly LayerFacts[], alone: boolean): LayerFacts | undefined {
  if (groups.length === 1 && alone) return groups[0];
  const part = /(^|\.)(encoder|decoder)$/.exec(design.name)?.[2];
  const vision = /vision|visual|image|vit|pixel/;
  const audio = /audio|speech|acoustic/;
  if (design.role === 'other') return undefined;
  const matching = groups.filter(({ prefix }) => {
    if (
      /connector|projector|adaptor|adapter|cross_modal|qformer|stages|semantic|acoustic|backbone|token/.test(prefix) &&
      !prefix.startsWith('semantic_model')
    )
      return false;
    if (part !== undefined) return new RegExp(`(^|\\.)${part}\\.`).test(prefix) && !vision.test(prefix);
    if (design.role === 'vision') return vision.test(prefix) || (alone && groups.length === 1);
    if (design.role === 'audio') return audio.test(prefix);
    if (design.role === 'encoder') return /encoder/.test(prefix) && !vision.test(prefix) && !audio.test(prefix);
    if (design.role === 'decoder' && design.name !== '') return /decoder/.test(prefix) && !vision.test(prefix);
    return !vision.test(prefix) && !audio.test(prefix) && !/encoder/.test(prefix);
  });
  return matching.length === 1 ? matching[0] : undefined;
}

export interface Comparison {
  readonly field: string;
  readonly expected: number;
  readonly actual: number | undefined;
}

/** Field by field: what the parameters decide against what was read. */
export function compare(design: TransformerDesign, facts: LayerFacts): Comparison[] {
  const { hiddenSize, queryHeads, keyValueHeads, headDim, layers, intermediateSize, nopeHeadDim } = design.fields;
  const rows: Comparison[] = [];
  const row = (field: string, expected: number | undefined, actual: number | undefined): void => {
    if (expected !== undefined) rows.push({ field, expected, actual });
  };
  row('hiddenSize', facts.hiddenSize, hiddenSize?.value);
  if (nopeHeadDim === undefined) {
    row(
      'queryHeads * headDim',
      facts.queryWidth,
      queryHeads === undefined || headDim === undefined ? undefined : queryHeads.value * headDim.value,
    );
    row(
      'keyValueHeads * headDim',
      facts.keyWidth,
      keyValueHeads === undefined || headDim === undefined ? undefined : keyValueHeads.value * headDim.value,
    );
  }
  row('layers', facts.layers, layers?.value);
  row('intermediateSize', facts.intermediateSize, intermediateSize?.value);
  return rows;
}
