/**
 * The attention kernel's interface: one typed problem in, tensors out.
 *
 * Every tensor is a row-major Float32Array; shapes are written outermost first. Sizes are counts of tokens, heads or features.
 *
 * For head h with key/value head g = floor(h / (queryHeads / keyValueHeads)) (grouped-query attention, Ainslie et al. 2023; one
 * group per head is multi-head attention, Vaswani et al. 2017; one group in all is multi-query attention, Shazeer 2019):
 *
 *   score[i, j]  = scale * dot(Q[h, i], K[g, j])
 *   score[i, j]  = softcap * tanh(score / softcap)                  where softcap is set (Gemma 2)
 *   score[i, j] += relativeBias[h, j - i + queryLength - 1]         where set (ALiBi, T5)
 *   score[i, j] += additive masks;  hidden keys do not take part
 *   weights[i]   = softmax over the visible keys (and the head's sink, a score without a key)
 *   output[i]    = sum over j of weights[i, j] * V[g, j]
 *
 * What happens at the edges, the same for every implementation:
 * - A row with no visible key, or whose visible scores are all -infinity, has weights 0 and output 0.
 * - A row with a visible score of NaN or +infinity has weights NaN at its visible keys and 0 at its hidden ones, and output NaN.
 * - An exponential below 2^-126 (relative to the row's maximum) may count as 0.
 * - Scores beyond 2e38 may count as infinite.
 * - A key of weight 0 adds nothing to the output, even when its value row holds NaN or infinities.
 *
 * Wrong sizes and options throw a RangeError that states the numbers.
 */

/** Which keys a query may see. Query i stands at key position i + offset (default 0, as `is_causal` in PyTorch). */
export type AttentionMask =
  | { readonly kind: 'none' }
  /** Keys j <= i + offset. With cached keys offset = keyLength - queryLength. */
  | { readonly kind: 'causal'; readonly offset?: number }
  /** Keys i + offset - window < j <= i + offset + ahead: `window` keys up to its own, and `ahead` (default 0) after it. */
  | { readonly kind: 'slidingWindow'; readonly window: number; readonly ahead?: number; readonly offset?: number }
  /** Causal, and keys j < length are visible to all (prefix language model). */
  | { readonly kind: 'prefix'; readonly length: number; readonly offset?: number }
  /** Keys start <= j < end only; the rest is padding. */
  | { readonly kind: 'padding'; readonly start?: number; readonly end: number }
  /** 1 = visible, 0 = hidden. [queryLength, keyLength], or [queryHeads, queryLength, keyLength]. */
  | { readonly kind: 'boolean'; readonly visible: Uint8Array }
  /** Added to the scores; -infinity hides. [queryLength, keyLength], or [queryHeads, queryLength, keyLength]. */
  | { readonly kind: 'additive'; readonly bias: Float32Array }
  /** Keys that every one of the masks lets through; additive ones add up. */
  | { readonly kind: 'all'; readonly masks: readonly AttentionMask[] };

/** Sizes and rules of one attention call over all heads. */
export interface AttentionProblem {
  readonly queryHeads: number;
  /** Divides queryHeads. Default queryHeads. */
  readonly keyValueHeads?: number;
  readonly queryLength: number;
  /** Default queryLength. */
  readonly keyLength?: number;
  /** Width of a query and of a key, d_k. */
  readonly headDim: number;
  /** Width of a value, d_v. Default headDim. */
  readonly valueDim?: number;
  /** Default 1 / sqrt(headDim). */
  readonly scale?: number;
  /** Default none. */
  readonly mask?: AttentionMask;
  /** Positive; soft limit of the scores. */
  readonly softcap?: number;
  /** One score per query head that takes part in the softmax and has no key. [queryHeads] */
  readonly sinks?: Float32Array;
  /** Added to the score at distance j - i, index j - i + queryLength - 1. [queryHeads, queryLength + keyLength - 1] */
  readonly relativeBias?: Float32Array;
}

export interface AttentionInput {
  /** [queryHeads, queryLength, headDim] */
  readonly query: Float32Array;
  /** [keyValueHeads, keyLength, headDim] */
  readonly key: Float32Array;
  /** [keyValueHeads, keyLength, valueDim] */
  readonly value: Float32Array;
}

export interface AttentionOptions {
  /** Return the full weights. Default true; without them memory does not grow with queryLength * keyLength. */
  readonly weights?: boolean;
  /** Return per-head statistics of the weights. Default false. */
  readonly statistics?: boolean;
  /** Which token stands at each key, for the statistics: numbers that are equal where tokens are. [keyLength] */
  readonly tokens?: ArrayLike<number>;
  /** Return the weights reduced to at most this many rows and columns per head. */
  readonly pooled?: { readonly rows: number; readonly columns: number };
  /**
   * An earlier result that nobody reads any more: its arrays are written over and returned again where their lengths fit. A fresh
   * array costs the system more than filling it (measured: half of the whole time at 512 tokens).
   */
  readonly reuse?: Partial<AttentionResult>;
  /** Called after each head with the heads done and the number of heads. */
  readonly progress?: (done: number, heads: number) => void;
}

export interface AttentionResult {
  /** [queryHeads, queryLength, valueDim] */
  readonly output: Float32Array;
  /** [queryHeads, queryLength, keyLength]; each row sums to 1, to less with a sink, to 0 without visible keys. */
  readonly weights?: Float32Array;
  readonly statistics?: readonly HeadStatistics[];
  readonly pooled?: PooledWeights;
}

/** What one head's weights look like. Means are over the query rows that see at least one key. */
export interface HeadStatistics {
  /** Mean entropy of a row in bits: 0 looks at one key, log2(n) at n keys alike. */
  readonly entropy: number;
  /** Largest weight of all. */
  readonly maximum: number;
  /** Mean distance |i + offset - j| in tokens, weighted by the weights. */
  readonly distance: number;
  /** Mean weight on the first key: high for a sink head. */
  readonly first: number;
  /** Mean weight on the key before the query's own: high for a previous-token head. Over rows that have one. */
  readonly previous: number;
  /** Mean weight on the query's own position. */
  readonly self: number;
  /** Mean number of keys, heaviest first, that hold 90 % of a row's weight. */
  readonly span: number;
  /**
   * Mean weight on the keys that come right after an earlier occurrence of the query's token (the prefix-matching score of Olsson et
   * al. 2022), over the queries that have such keys: high for an induction head. Only with `tokens`, and where a token comes again.
   */
  readonly induction?: number;
}

/** Weights at display resolution. Row i belongs to tile floor((i + 1/2) * rows / queryLength), columns alike. */
export interface PooledWeights {
  readonly rows: number;
  readonly columns: number;
  /** Largest weight of each tile. [queryHeads, rows, columns] */
  readonly maximum: Float32Array;
  /** Mean weight of each tile. [queryHeads, rows, columns] */
  readonly mean: Float32Array;
  /** Weight that each key receives from all rows, exact. [queryHeads, keyLength] */
  readonly columnSums: Float32Array;
  /** Weight that each row gives to all keys: 1, less with a sink, 0 where it sees none. [queryHeads, queryLength] */
  readonly rowSums: Float32Array;
}

/** Rotary positions (Su et al. 2021) applied to queries and keys. */
export interface RotaryPositions {
  readonly kind: 'rotary';
  /** Base of the frequencies. Default 10000. */
  readonly theta?: number;
  /** Features of each head that rotate, even. Default all from `start` on. */
  readonly rotaryDim?: number;
  /** Pairs are neighbours (GPT-J, the paper) instead of halves apart (GPT-NeoX, Llama in Transformers). Default false. */
  readonly interleaved?: boolean;
  /** Radians per position of each pair, in place of theta^(-2i / rotaryDim). [rotaryDim / 2] */
  readonly frequencies?: Float32Array;
  /** Multiplies cosine and sine (YaRN's attention factor). Default 1. */
  readonly factor?: number;
  /** The first feature of a head that rotates. Default 0; in multi-head latent attention those before it have no position. */
  readonly start?: number;
}

/** Sizes and rules of a whole multi-head attention function. Input widths are in features. */
export interface MultiHeadProblem extends Omit<AttentionProblem, 'queryLength' | 'keyLength' | 'relativeBias'> {
  readonly queryLength: number;
  /** Tokens of the key and value input. Default queryLength. */
  readonly keyLength?: number;
  /** Width of a token of the query input, d_model. */
  readonly inputDim: number;
  /** Width of a token of the key and value input. Default inputDim. */
  readonly keyValueInputDim?: number;
  /** Width of the result. Default inputDim. */
  readonly outputDim?: number;
  /** Rotary positions, or ALiBi's linear bias with its slopes (default the paper's) [queryHeads]. */
  readonly positions?: { readonly kind: 'none' } | RotaryPositions | { readonly kind: 'alibi'; readonly slopes?: Float32Array };
  /** Position of query 0 among the keys, for positions. Default the mask's offset, else 0. */
  readonly queryOffset?: number;
  readonly relativeBias?: Float32Array;
}

/** Projections are [in, out], applied as x W + b; a `torch.nn.Linear` weight is the transpose. */
export interface MultiHeadInput {
  /** [queryLength, inputDim] */
  readonly input: Float32Array;
  /** [keyLength, keyValueInputDim]: what keys and values are made from. Default `input` (self-attention). */
  readonly keyValueInput?: Float32Array;
  /** [inputDim, queryHeads * headDim], head after head */
  readonly queryWeight: Float32Array;
  /** [keyValueInputDim, keyValueHeads * headDim] */
  readonly keyWeight: Float32Array;
  /** [keyValueInputDim, keyValueHeads * valueDim] */
  readonly valueWeight: Float32Array;
  /** [queryHeads * valueDim, outputDim] */
  readonly outputWeight: Float32Array;
  /** [queryHeads * headDim] */
  readonly queryBias?: Float32Array;
  /** [keyValueHeads * headDim] */
  readonly keyBias?: Float32Array;
  /** [keyValueHeads * valueDim] */
  readonly valueBias?: Float32Array;
  /** [outputDim] */
  readonly outputBias?: Float32Array;
  /** RMS norm of each query and key head before positions: gains [headDim] and epsilon (default 1e-6). */
  readonly queryKeyNorm?: { readonly query: Float32Array; readonly key: Float32Array; readonly epsilon?: number };
}

export interface MultiHeadOptions extends Omit<AttentionOptions, 'reuse'> {
  /** An earlier result that nobody reads any more, as of AttentionOptions. */
  readonly reuse?: Partial<MultiHeadResult>;
}

/** Every stage of MultiHead(Q, K, V) = Concat(head_1, ..., head_h) W^O. */
export interface MultiHeadResult extends Omit<AttentionResult, 'output'> {
  /** After norm and positions. [queryHeads, queryLength, headDim] */
  readonly query: Float32Array;
  /** After norm and positions. [keyValueHeads, keyLength, headDim] */
  readonly key: Float32Array;
  /** [keyValueHeads, keyLength, valueDim] */
  readonly value: Float32Array;
  /** [queryHeads, queryLength, valueDim] */
  readonly heads: Float32Array;
  /** [queryLength, queryHeads * valueDim] */
  readonly concatenated: Float32Array;
  /** [queryLength, outputDim] */
  readonly output: Float32Array;
}

/** Sizes and rules of multi-head latent attention (DeepSeek-V2). A head's query and key are plainDim + rotaryDim wide. */
export interface LatentProblem extends Pick<AttentionProblem, 'queryHeads' | 'queryLength' | 'scale' | 'mask' | 'softcap' | 'sinks'> {
  readonly inputDim: number;
  /** Width of the queries' latent. Default none: queries are projected from the input. */
  readonly queryRank?: number;
  /** Width of the latent that keys and values are made from, kv_lora_rank. */
  readonly keyValueRank: number;
  /** Features of a query and a key without position, qk_nope_head_dim. */
  readonly plainDim: number;
  /** Features of a query and a key that rotate, qk_rope_head_dim; all heads share them in the key. Even. */
  readonly rotaryDim: number;
  readonly valueDim: number;
  /** Default inputDim. */
  readonly outputDim?: number;
  readonly positions?: Omit<RotaryPositions, 'kind' | 'rotaryDim' | 'start'>;
  /** Of the RMS norms of the latents. Default 1e-6. */
  readonly epsilon?: number;
  readonly queryOffset?: number;
}

/** Projections are [in, out], without biases. */
export interface LatentInput {
  /** [queryLength, inputDim] */
  readonly input: Float32Array;
  /** [inputDim, queryRank], where there is one */
  readonly queryDown?: Float32Array;
  /** Gains. [queryRank], where there is one */
  readonly queryNorm?: Float32Array;
  /** [queryRank or inputDim, queryHeads * (plainDim + rotaryDim)], per head the plain features first */
  readonly queryUp: Float32Array;
  /** [inputDim, keyValueRank + rotaryDim] */
  readonly keyValueDown: Float32Array;
  /** Gains. [keyValueRank] */
  readonly keyValueNorm: Float32Array;
  /** [keyValueRank, queryHeads * (plainDim + valueDim)], per head the key first */
  readonly keyValueUp: Float32Array;
  /** [queryHeads * valueDim, outputDim] */
  readonly outputWeight: Float32Array;
}

export interface LatentResult extends MultiHeadResult {
  /** What a cache holds: the latent after its norm [queryLength, keyValueRank] ... */
  readonly latent: Float32Array;
  /** ... and the rotated part of the keys. [queryLength, rotaryDim] */
  readonly sharedKey: Float32Array;
}

export interface MatrixProblem {
  readonly rows: number;
  readonly depth: number;
  readonly columns: number;
  /** Divides columns: the product is split into heads this wide, [columns / headWidth, rows, headWidth]. Default: not split. */
  readonly headWidth?: number;
}

/** Which implementation computes. */
export type KernelName = 'wasm-relaxed-simd' | 'wasm-simd' | 'typescript';

/** What stays the same for all that a cache is asked. */
export type CacheProblem = Pick<AttentionProblem, 'queryHeads' | 'keyValueHeads' | 'headDim' | 'valueDim' | 'scale'>;

/** Keys and values that grow by a token at a time (a KV cache). */
export interface AttentionCache {
  /** Tokens so far. */
  readonly length: number;
  /** Adds a token. @param key [keyValueHeads, headDim] @param value [keyValueHeads, valueDim] */
  append(key: Float32Array, value: Float32Array): void;
  /** Keys of the first `tokens` tokens, default all. [keyValueHeads, tokens, headDim] */
  key(tokens?: number): Float32Array;
  /** Values alike. [keyValueHeads, tokens, valueDim] */
  value(tokens?: number): Float32Array;
  /** Attention of queries [queryHeads, queryLength, headDim] to all tokens so far. */
  attention(
    rules: Omit<AttentionProblem, keyof CacheProblem | 'keyLength'>,
    query: Float32Array,
    options?: AttentionOptions,
  ): AttentionResult;
}

/**
 * A computation that stops every few milliseconds and says which part of it is done, from 0 to 1; going on continues it, and leaving
 * it cancels it. `run` of steps.ts does so between other work.
 */
export type Steps<T> = Generator<number, T, void>;

export interface Kernel {
  readonly name: KernelName;
  attention(problem: AttentionProblem, input: AttentionInput, options?: AttentionOptions): AttentionResult;
  /**
   * left [rows, depth] times right [depth, columns] plus bias [columns] on each row: [rows, columns], or split into heads. `reuse` is
   * an earlier product that nobody reads any more.
   */
  matrixMultiply(problem: MatrixProblem, left: Float32Array, right: Float32Array, bias?: Float32Array, reuse?: Float32Array): Float32Array;
  multiHeadAttention(problem: MultiHeadProblem, input: MultiHeadInput, options?: MultiHeadOptions): MultiHeadResult;
  /** An empty cache. Throws RangeError on sizes that cannot be. */
  createCache(problem: CacheProblem): AttentionCache;
  /** The same three, a few milliseconds at a time. */
  attentionSteps(...call: Parameters<Kernel['attention']>): Steps<AttentionResult>;
  matrixMultiplySteps(...call: Parameters<Kernel['matrixMultiply']>): Steps<Float32Array>;
  multiHeadAttentionSteps(...call: Parameters<Kernel['multiHeadAttention']>): Steps<MultiHeadResult>;
}
