/** Quantities that a query can set; counts, exact. */
export type QuantityName =
  | 'hiddenSize'
  | 'queryHeads'
  | 'keyValueHeads'
  | 'headDim'
  | 'valueDim'
  | 'layers'
  | 'sequenceLength'
  | 'sourceLength'
  | 'batch'
  | 'queryLoraRank'
  | 'keyValueLoraRank'
  | 'ropeHeadDim'
  | 'nopeHeadDim'
  | 'intermediateSize'
  | 'vocabularySize'
  | 'experts'
  | 'expertsPerToken'
  | 'expertIntermediateSize'
  | 'sharedExperts'
  | 'slidingWindow';

export interface QuantityInfo {
  /** Letter in formulas. */
  readonly symbol: string;
  readonly label: string;
  /** Names that a query may use, the shortest first; case does not matter. */
  readonly names: readonly string[];
}

/** Short names are those of papers and of common code; long ones those of config files. */
export const quantities: Readonly<Record<QuantityName, QuantityInfo>> = {
  hiddenSize: {
    symbol: 'd',
    label: 'width',
    names: ['d', 'd_model', 'hidden_size', 'width', 'hidden', 'n_embd', 'dim', 'embed_dim', 'hiddenSize'],
  },
  queryHeads: {
    symbol: 'h',
    label: 'query heads',
    names: ['h', 'heads', 'num_attention_heads', 'n_heads', 'n_head', 'num_heads', 'nhead', 'queryHeads'],
  },
  keyValueHeads: {
    symbol: 'kv',
    label: 'KV heads',
    names: [
      'kv',
      'kv_heads',
      'num_key_value_heads',
      'n_kv_heads',
      'num_kv_heads',
      'n_kv_head',
      'num_query_groups',
      'n_query_groups',
      'keyValueHeads',
    ],
  },
  headDim: { symbol: 'd_h', label: 'head dim', names: ['hd', 'head_dim', 'd_head', 'dh', 'd_h', 'd_k', 'dk', 'kv_channels', 'headDim'] },
  valueDim: { symbol: 'd_v', label: 'value dim', names: ['dv', 'd_v', 'v_head_dim', 'value_dim', 'valueDim'] },
  layers: { symbol: 'L', label: 'layers', names: ['L', 'layers', 'num_hidden_layers', 'n_layers', 'n_layer', 'num_layers', 'depth'] },
  sequenceLength: {
    symbol: 'T',
    label: 'tokens',
    names: ['T', 'seq', 'seq_len', 'context', 'ctx', 'n_ctx', 'tokens', 'length', 'seq_length', 'sequenceLength'],
  },
  sourceLength: { symbol: 'S', label: "encoder's positions", names: ['S', 'src', 'src_len', 'source_length', 'sourceLength'] },
  batch: { symbol: 'B', label: 'sequences', names: ['B', 'batch', 'batch_size', 'bs'] },
  queryLoraRank: { symbol: 'r_q', label: 'query rank', names: ['rq', 'q_rank', 'q_lora_rank', 'r_q', 'queryLoraRank'] },
  keyValueLoraRank: { symbol: 'r_kv', label: 'KV rank', names: ['rkv', 'kv_rank', 'kv_lora_rank', 'r_kv', 'keyValueLoraRank'] },
  ropeHeadDim: {
    symbol: 'd_rope',
    label: 'rotary part of a head',
    names: ['rope', 'rope_dim', 'qk_rope_head_dim', 'd_rope', 'ropeHeadDim'],
  },
  nopeHeadDim: {
    symbol: 'd_nope',
    label: 'unrotated part of a head',
    names: ['nope', 'nope_dim', 'qk_nope_head_dim', 'd_nope', 'nopeHeadDim'],
  },
  intermediateSize: { symbol: 'd_ff', label: 'FFN width', names: ['ff', 'd_ff', 'ffn', 'intermediate_size', 'intermediateSize'] },
  vocabularySize: { symbol: 'V', label: 'vocabulary', names: ['V', 'vocab', 'vocab_size', 'vocabularySize'] },
  experts: { symbol: 'E', label: 'experts', names: ['E', 'experts', 'num_experts', 'num_local_experts', 'n_routed_experts'] },
  expertsPerToken: {
    symbol: 'k',
    label: 'experts per token',
    names: ['topk', 'top_k', 'experts_per_token', 'num_experts_per_tok', 'expertsPerToken'],
  },
  expertIntermediateSize: {
    symbol: 'd_e',
    label: 'width of an expert',
    names: ['eff', 'expert_ff', 'moe_intermediate_size', 'expertIntermediateSize'],
  },
  sharedExperts: { symbol: 's', label: 'shared experts', names: ['shared', 'n_shared_experts', 'sharedExperts'] },
  slidingWindow: { symbol: 'W', label: 'sliding window', names: ['W', 'window', 'sliding_window', 'slidingWindow'] },
};

/** Bits of one stored element. */
export const dtypes: Readonly<Record<string, { readonly name: string; readonly bits: bigint }>> = {
  bf16: { name: 'bfloat16', bits: 16n },
  bfloat16: { name: 'bfloat16', bits: 16n },
  fp16: { name: 'float16', bits: 16n },
  f16: { name: 'float16', bits: 16n },
  float16: { name: 'float16', bits: 16n },
  half: { name: 'float16', bits: 16n },
  fp32: { name: 'float32', bits: 32n },
  f32: { name: 'float32', bits: 32n },
  float32: { name: 'float32', bits: 32n },
  float: { name: 'float32', bits: 32n },
  fp64: { name: 'float64', bits: 64n },
  float64: { name: 'float64', bits: 64n },
  fp8: { name: 'float8', bits: 8n },
  float8: { name: 'float8', bits: 8n },
  float8_e4m3fn: { name: 'float8', bits: 8n },
  float8_e5m2: { name: 'float8', bits: 8n },
  int8: { name: 'int8', bits: 8n },
  int4: { name: 'int4', bits: 4n },
  fp4: { name: 'float4', bits: 4n },
};

/** The dtype of a name as configs write it (`torch.bfloat16`); undefined for one that is not known. */
export const dtypeOf = (name: string): { readonly name: string; readonly bits: bigint } | undefined => {
  const key = name.toLowerCase().replace(/^torch\./, '');
  return Object.hasOwn(dtypes, key) ? dtypes[key] : undefined;
};

/** Ways to split a model over devices; each word stands for a number of devices. */
export type DegreeName = 'tensor' | 'sequence' | 'context' | 'pipeline' | 'expert' | 'data';

export const degreeNames: Readonly<Record<string, DegreeName>> = {
  tp: 'tensor',
  tensor_parallel_size: 'tensor',
  tensor_model_parallel_size: 'tensor',
  sp: 'sequence',
  cp: 'context',
  context_parallel_size: 'context',
  pp: 'pipeline',
  pipeline_parallel_size: 'pipeline',
  pipeline_model_parallel_size: 'pipeline',
  ep: 'expert',
  expert_parallel_size: 'expert',
  expert_model_parallel_size: 'expert',
  dp: 'data',
  data_parallel_size: 'data',
};

export const optimizers = ['adamw', 'adam', 'adam8bit', 'adafactor', 'lion', 'momentum', 'sgd'] as const;
export type Optimizer = (typeof optimizers)[number];

export const recomputations = ['none', 'selective', 'full'] as const;
export type Recomputation = (typeof recomputations)[number];
