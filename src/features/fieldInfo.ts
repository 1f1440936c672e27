import type { FieldName } from '../design/design.ts';

export interface FieldInfo {
  /** What it is called in a sentence, lower case. */
  readonly title: string;
  /** One or two plain sentences. */
  readonly doc: string;
  /** Accepted or usual values, where they can be listed. */
  readonly values?: readonly string[];
}

const info = (title: string, doc: string, values?: readonly string[]): FieldInfo => ({ title, doc, values });

/** What each quantity of a design means, in the field's own words. */
export const fieldInfo: Readonly<Record<FieldName, FieldInfo>> = {
  hiddenSize: info('model width', 'Width of the residual stream (d_model): the features of one token between layers.'),
  queryHeads: info('query heads', 'Attention heads of each layer. Each query head attends on its own.'),
  keyValueHeads: info(
    'KV heads',
    'Heads that have their own keys and values. Fewer than the query heads means grouped-query attention: each KV head serves a group of query heads, so the query heads must be a multiple of them. 1 is multi-query attention.',
  ),
  headDim: info(
    'head dimension',
    'Features of one query and key head (d_k). Scores are scaled by 1 / sqrt(d_k) unless the model says otherwise.',
  ),
  valueDim: info('value head dimension', 'Features of one value head (d_v), where it differs from the key head.'),
  layers: info('layers', 'Transformer blocks of this stack.'),
  intermediateSize: info('FFN width', 'Features between the two (gated: three) matrices of the feed-forward network.'),
  vocabularySize: info('vocabulary', 'Rows of the token embedding; every token id must be smaller.'),
  embeddingSize: info('embedding width', 'Width of the token embedding where it differs from the model width; a projection joins the two.'),
  maxPositions: info(
    'context length',
    'Tokens in the longest sequence the model was made for. With learned positions it is the size of a table and a hard limit.',
  ),
  gatedFfn: info('gated FFN', 'Whether the FFN multiplies a gate into the up projection (SwiGLU, GeGLU): three matrices instead of two.', [
    'true',
    'false',
  ]),
  activation: info('activation', 'Non-linearity of the FFN.', [
    'silu',
    'gelu',
    'gelu_new',
    'gelu_pytorch_tanh',
    'gelu_fast',
    'quick_gelu',
    'relu',
    'relu2',
    'swish',
    'tanh',
  ]),
  normPlacement: info(
    'norm placement',
    'Where the layer norms stand: pre (before attention and FFN), post (after the residual sum), sandwich (both), parallel (one norm feeds attention and FFN side by side).',
  ),
  normEpsilon: info(
    'norm epsilon',
    'Added to the variance before the square root. Must not vanish in the dtype that the norm computes in.',
  ),
  finalNorm: info(
    'final norm',
    'Norm after the last layer. A pre-norm stack needs one, its residual stream is never normalised otherwise.',
    ['true', 'false'],
  ),
  positions: info('positions', 'How the model knows the order of tokens.', ['rope', 'learned', 'sinusoidal', 'alibi', 'relative', 'none']),
  rotaryDim: info(
    'rotary width',
    'Features of each head that rotary embeddings turn, in pairs: it must be even and at most the head dimension.',
  ),
  rotaryFactor: info('rotary factor', 'Share of each head that rotary embeddings turn.'),
  ropeTheta: info('rotary base', 'Base of the rotary frequencies (theta). Larger bases reach longer contexts.'),
  slidingWindow: info('sliding window', 'Tokens that a query sees at most, itself included, in layers with local attention.'),
  layerTypes: info('layer types', 'Kind of attention of each layer; one entry per layer.'),
  queryLoraRank: info('query rank', 'Width to which multi-head latent attention compresses queries. Absent: queries are not compressed.'),
  keyValueLoraRank: info(
    'KV rank',
    'Width of the latent that multi-head latent attention caches instead of keys and values, without its rotary part.',
  ),
  ropeHeadDim: info('rotary head part', 'Features of each query and key head that carry position in multi-head latent attention.'),
  nopeHeadDim: info('position-free head part', 'Features of each query and key head without position in multi-head latent attention.'),
  experts: info('experts', 'Feed-forward networks among which a router chooses in each mixture-of-experts layer.'),
  expertsPerToken: info('experts per token', 'Experts that each token is sent to (top-k); at most the number of experts.'),
  sharedExperts: info('shared experts', 'Experts that every token passes besides the routed ones.'),
  expertIntermediateSize: info('expert FFN width', 'FFN width of one expert.'),
  tieEmbeddings: info('tied embeddings', 'Whether the output layer reuses the token embedding matrix.', ['true', 'false']),
  attentionBias: info('attention bias', 'Whether the q, k, v (and o) projections have a bias.', ['true', 'false']),
  causal: info('causal', 'Whether a token sees only itself and what came before.', ['true', 'false']),
  dtype: info('dtype', 'Type in which the weights are stored.', ['bfloat16', 'float16', 'float32']),
  crossAttentionSize: info('cross-attention width', 'Width of the states that cross-attention reads its keys and values from.'),
};

/** Bytes of one element; undefined for types whose size is not a whole number of bytes or unknown. */
export function bytesOf(dtype: string | undefined): number | undefined {
  switch (dtype?.replace(/^torch\./, '')) {
    case 'float64':
      return 8;
    case 'float32':
    case 'float':
    case 'fp32':
    case 'tf32':
      return 4;
    case 'float16':
    case 'bfloat16':
    case 'half':
    case 'fp16':
    case 'bf16':
      return 2;
    case 'float8_e4m3fn':
    case 'float8_e5m2':
    case 'fp8':
    case 'int8':
      return 1;
    default:
      return undefined;
  }
}
