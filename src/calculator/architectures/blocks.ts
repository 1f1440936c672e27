import type { Settings } from './settings.ts';
import { NotModelled, type Scope } from './sheet.ts';

/** Widths of one attention layer: residual stream, query heads, key and value heads, and a head's width. */
export interface Heads {
  readonly hidden: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headDim: number;
}

/** `a / b` where it must come out even. */
export function quotient(a: number, b: number, what: string): number {
  if (b === 0 || a % b !== 0) throw new NotModelled(`${what}: ${a} does not divide by ${b}.`);
  return a / b;
}

/** Width over heads. Most classes round down where it does not come out even; some refuse. */
const headDimOf = (c: Settings, hidden: number, heads: number): number =>
  c.family.requiresDivisible ? quotient(hidden, heads, 'head dim') : Math.floor(hidden / heads);

/** Grouped-query attention's sizes under the usual names; null KV heads are the query heads, a null head dim is the quotient. */
export function headsOf(c: Settings, names: { readonly headDim?: string | false } = {}): Heads {
  const hidden = c.int('hidden_size');
  const heads = c.int('num_attention_heads');
  const keyValueHeads = c.maybe('num_key_value_heads') ?? heads;
  const given = names.headDim === false ? undefined : c.maybe(names.headDim ?? 'head_dim');
  return { hidden, heads, keyValueHeads, headDim: given ?? headDimOf(c, hidden, heads) };
}

export interface AttentionOptions {
  readonly sizes?: Heads;
  readonly headDim?: string | false;
  /** Biases of the query, key and value projections. */
  readonly qkv?: boolean;
  /** Bias of the output projection. */
  readonly out?: boolean;
  readonly outName?: string;
  /** Norms of queries and keys: over each head's width, or over all heads together. */
  readonly norms?: 'head' | 'all';
  readonly normBias?: boolean;
  readonly normNames?: readonly [string, string];
  /** Queries twice as wide, the second half an output gate (Qwen3-Next). */
  readonly gatedQueries?: boolean;
  readonly valueDim?: number;
}

/** Separate projections: Vaswani et al. 2017, section 3.2.2; fewer KV heads: Ainslie et al. 2023; QK norms: Henry et al. 2020. */
export function attention(s: Scope, c: Settings, o: AttentionOptions = {}): void {
  const { hidden, heads, keyValueHeads, headDim } = o.sizes ?? headsOf(c, { headDim: o.headDim });
  const q = heads * headDim;
  const k = keyValueHeads * headDim;
  const valueDim = o.valueDim ?? headDim;
  s.linear('q_proj', o.gatedQueries === true ? 2 * q : q, hidden, o.qkv);
  s.linear('k_proj', k, hidden, o.qkv);
  s.linear('v_proj', keyValueHeads * valueDim, hidden, o.qkv);
  s.linear(o.outName ?? 'o_proj', hidden, heads * valueDim, o.out);
  if (o.norms !== undefined) {
    const [qName, kName] = o.normNames ?? ['q_norm', 'k_norm'];
    s.norm(qName, o.norms === 'head' ? headDim : q, o.normBias);
    s.norm(kName, o.norms === 'head' ? headDim : k, o.normBias);
  }
}

/** Queries, keys and values in one matrix, then the output projection. */
export function fusedAttention(
  s: Scope,
  sizes: Heads,
  names: readonly [string, string],
  o: { readonly qkv?: boolean; readonly out?: boolean } = {},
): void {
  const { hidden, heads, keyValueHeads, headDim } = sizes;
  s.linear(names[0], (heads + 2 * keyValueHeads) * headDim, hidden, o.qkv);
  s.linear(names[1], hidden, heads * headDim, o.out);
}

/** Multi-head latent attention: DeepSeek-V2, https://arxiv.org/abs/2405.04434, section 2.1. Without `q_lora_rank` queries are projected directly. */
export function latentAttention(s: Scope, c: Settings, o: { readonly bias?: boolean; readonly queryGate?: boolean } = {}): void {
  const hidden = c.int('hidden_size');
  const heads = c.int('num_attention_heads');
  const rank = c.int('kv_lora_rank');
  const rope = c.int('qk_rope_head_dim');
  const nope = c.int('qk_nope_head_dim');
  const value = c.maybe('v_head_dim') ?? quotient(hidden, heads, 'value head dim');
  const queryRank = c.maybe('q_lora_rank');
  const bias = o.bias ?? c.flag('attention_bias');
  // Derived by the class, or not used by this attention.
  for (const key of ['head_dim', 'qk_head_dim', 'num_key_value_heads']) c.read.add(key);
  if (queryRank === undefined) s.linear('q_proj', heads * (nope + rope), hidden);
  else {
    s.linear('q_a_proj', queryRank, hidden, bias);
    s.norm('q_a_layernorm', queryRank);
    s.linear('q_b_proj', heads * (nope + rope), queryRank);
  }
  s.linear('kv_a_proj_with_mqa', rank + rope, hidden, bias);
  s.norm('kv_a_layernorm', rank);
  s.linear('kv_b_proj', heads * (nope + value), rank);
  s.linear('o_proj', hidden, heads * value, bias);
}

/** The indexer of DeepSeek sparse attention (DeepSeek-V3.2, section 2.1): small heads that choose which keys are attended to. */
export function indexer(s: Scope, c: Settings): void {
  const heads = c.int('index_n_heads');
  const dim = c.int('index_head_dim');
  s.linear('wq_b', heads * dim, c.int('q_lora_rank'));
  s.linear('wk', dim, c.int('hidden_size'));
  s.layerNorm('k_norm', dim);
  s.linear('weights_proj', heads, c.int('hidden_size'));
}

/** Gate, up and down (Shazeer 2020, "GLU Variants Improve Transformer"). */
export function gatedFfn(s: Scope, hidden: number, inner: number, bias = false): void {
  s.linear('gate_proj', inner, hidden, bias);
  s.linear('up_proj', inner, hidden, bias);
  s.linear('down_proj', hidden, inner, bias);
}

/** Up and down under two names (Vaswani et al. 2017, section 3.3). */
export function plainFfn(s: Scope, names: readonly [string, string], hidden: number, inner: number, bias = true): void {
  s.linear(names[0], inner, hidden, bias);
  s.linear(names[1], hidden, inner, bias);
}

/** Gate and up in one matrix, then down. */
export function fusedGatedFfn(s: Scope, hidden: number, inner: number, bias = false): void {
  s.linear('gate_up_proj', 2 * inner, hidden, bias);
  s.linear('down_proj', hidden, inner, bias);
}

/** All experts of a layer in two stacked tensors: [experts, 2 inner, hidden] and [experts, hidden, inner]. */
export function experts(s: Scope, count: number, hidden: number, inner: number): void {
  s.weight('gate_up_proj', [count, 2 * inner, hidden]);
  s.weight('down_proj', [count, hidden, inner]);
}

/** Router and experts (Shazeer et al. 2017; Fedus et al. 2021), with shared experts as one wide FFN (DeepSeekMoE, Dai et al. 2024). */
export function mixture(
  s: Scope,
  o: {
    readonly experts: number;
    readonly hidden: number;
    readonly inner: number;
    readonly router?: string;
    readonly sharedInner?: number;
    readonly sharedName?: string;
    readonly sharedBias?: boolean;
  },
): void {
  s.linear(o.router ?? 'gate', o.experts, o.hidden);
  experts(s.at('experts'), o.experts, o.hidden, o.inner);
  if (o.sharedInner !== undefined && o.sharedInner > 0)
    gatedFfn(s.at(o.sharedName ?? 'shared_experts'), o.hidden, o.sharedInner, o.sharedBias);
}
