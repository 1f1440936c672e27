import type { Section } from '../design/section.ts';
import { NotModelled, type Scope } from './architectures/sheet.ts';

/** How a file of a model's own code, which names no model type, is laid out: the class there and its tensors. */
export interface NativeLayout {
  readonly className: string;
  readonly layout: (scope: Scope) => void;
}

/** The layout of a file whose keys are all those of one published program; undefined for every other. Throws NotModelled where a size is missing. */
export function nativeLayout(root: Section): NativeLayout | undefined {
  if (isOnly(root, deepSeekKeys, ['dim', 'moe_inter_dim', 'n_dense_layers', 'kv_lora_rank'])) return deepSeek(root);
  if (isOnly(root, mistralKeys, ['dim', 'n_layers', 'head_dim', 'hidden_dim', 'n_heads', 'n_kv_heads', 'vocab_size'])) return mistral(root);
  return undefined;
}

const isOnly = (root: Section, known: ReadonlySet<string>, needed: readonly string[]): boolean =>
  needed.every((name) => root.number(name) !== undefined) && [...root.names].every((name) => known.has(name));

function sizeOf(root: Section, name: string, fallback?: number): number {
  const value = root.number(name) ?? (root.has(name) ? undefined : fallback);
  if (value === undefined || !Number.isSafeInteger(value) || value < 0) throw new NotModelled(`${name} is no size.`);
  return value;
}

const deepSeekKeys: ReadonlySet<string> = new Set(
  (
    'max_batch_size max_seq_len dtype scale_fmt vocab_size dim inter_dim moe_inter_dim n_layers n_dense_layers n_heads n_routed_experts n_shared_experts ' +
    'n_activated_experts n_expert_groups n_limited_groups score_func route_scale q_lora_rank kv_lora_rank qk_nope_head_dim qk_rope_head_dim v_head_dim ' +
    'original_seq_len rope_theta rope_factor beta_fast beta_slow mscale'
  ).split(' '),
);

/** DeepSeek-V3, inference/model.py: `Transformer` with its defaults in `ModelArgs`. Scales of FP8 weights are no parameters of the design. */
function deepSeek(root: Section): NativeLayout {
  const d = sizeOf(root, 'dim');
  const heads = sizeOf(root, 'n_heads', 16);
  const [queryRank, rank] = [sizeOf(root, 'q_lora_rank', 0), sizeOf(root, 'kv_lora_rank')];
  const [nope, rope, value] = [
    sizeOf(root, 'qk_nope_head_dim', 128),
    sizeOf(root, 'qk_rope_head_dim', 64),
    sizeOf(root, 'v_head_dim', 128),
  ];
  const [inter, expertInter] = [sizeOf(root, 'inter_dim', 10944), sizeOf(root, 'moe_inter_dim')];
  const [experts, shared] = [sizeOf(root, 'n_routed_experts', 64), sizeOf(root, 'n_shared_experts', 2)];
  const dense = sizeOf(root, 'n_dense_layers');
  const vocabulary = sizeOf(root, 'vocab_size', 102400);
  const feedForward = (scope: Scope, width: number): void => {
    scope.linear('w1', width, d);
    scope.linear('w2', d, width);
    scope.linear('w3', width, d);
  };
  return {
    className: 'Transformer',
    layout: (scope) => {
      scope.embedding('embed', vocabulary, d);
      scope.each('layers', sizeOf(root, 'n_layers', 27), (layer, index) => {
        const attention = layer.at('attn');
        if (queryRank === 0) attention.linear('wq', heads * (nope + rope), d);
        else {
          attention.linear('wq_a', queryRank, d);
          attention.norm('q_norm', queryRank);
          attention.linear('wq_b', heads * (nope + rope), queryRank);
        }
        attention.linear('wkv_a', rank + rope, d);
        attention.norm('kv_norm', rank);
        attention.linear('wkv_b', heads * (nope + value), rank);
        attention.linear('wo', d, heads * value);
        layer.norm('attn_norm', d);
        layer.norm('ffn_norm', d);
        const ffn = layer.at('ffn');
        if (index < dense) feedForward(ffn, inter);
        else {
          ffn.at('gate').weight('weight', [experts, d]);
          // The bias that balances the load is a parameter at one width only.
          if (d === 7168) ffn.at('gate').weight('bias', [experts]);
          ffn.each('experts', experts, (expert) => feedForward(expert, expertInter));
          feedForward(ffn.at('shared_experts'), shared * expertInter);
        }
      });
      scope.norm('norm', d);
      scope.linear('head', vocabulary, d);
    },
  };
}

const mistralKeys: ReadonlySet<string> = new Set(
  'dim n_layers head_dim hidden_dim n_heads n_kv_heads norm_eps vocab_size rope_theta max_seq_len max_position_embeddings sliding_window tied_embeddings model_type'.split(
    ' ',
  ),
);

/** Mistral's params.json, mistral-inference's transformer.py: `Transformer`. */
function mistral(root: Section): NativeLayout {
  const d = sizeOf(root, 'dim');
  const [heads, keyValueHeads, headDim] = [sizeOf(root, 'n_heads'), sizeOf(root, 'n_kv_heads'), sizeOf(root, 'head_dim')];
  const [width, vocabulary] = [sizeOf(root, 'hidden_dim'), sizeOf(root, 'vocab_size')];
  return {
    className: 'Transformer',
    layout: (scope) => {
      scope.embedding('tok_embeddings', vocabulary, d);
      scope.each('layers', sizeOf(root, 'n_layers'), (layer) => {
        const attention = layer.at('attention');
        attention.linear('wq', heads * headDim, d);
        attention.linear('wk', keyValueHeads * headDim, d);
        attention.linear('wv', keyValueHeads * headDim, d);
        attention.linear('wo', d, heads * headDim);
        layer.norm('attention_norm', d);
        layer.norm('ffn_norm', d);
        const ffn = layer.at('feed_forward');
        ffn.linear('w1', width, d);
        ffn.linear('w2', d, width);
        ffn.linear('w3', width, d);
      });
      scope.norm('norm', d);
      scope.head('output', vocabulary, d, root.boolean('tied_embeddings') === true);
    },
  };
}
