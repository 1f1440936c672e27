import type { Section } from '../design/section.ts';
import { NotModelled, type Scope } from './architectures/sheet.ts';
import { openClip } from './nativeClip.ts';
import { olmo } from './nativeOlmo.ts';
import { isOnly, maybeSize, type NativeLayout, namesOf, sizeOf } from './nativeSizes.ts';

/** The layout of a file whose keys are all those of one published program; undefined for every other. Throws NotModelled where a size is missing. */
export function nativeLayout(root: Section): NativeLayout | undefined {
  if (isOnly(root, deepSeekKeys, ['dim', 'moe_inter_dim', 'n_dense_layers', 'kv_lora_rank'])) return deepSeek(root);
  if (isOnly(root, mistralKeys, ['dim', 'n_layers', 'head_dim', 'hidden_dim', 'n_heads', 'n_kv_heads', 'vocab_size'])) return mistral(root);
  if (isOnly(root, llamaKeys, ['dim', 'n_layers', 'n_heads', 'multiple_of', 'vocab_size', 'norm_eps'])) return llama(root);
  return openClip(root) ?? olmo(root);
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
  const headDim = sizeOf(root, 'head_dim');
  const sizes = {
    d: sizeOf(root, 'dim'),
    vocabulary: sizeOf(root, 'vocab_size'),
    layers: sizeOf(root, 'n_layers'),
    query: sizeOf(root, 'n_heads') * headDim,
    keyValue: sizeOf(root, 'n_kv_heads') * headDim,
    width: sizeOf(root, 'hidden_dim'),
    tied: root.boolean('tied_embeddings') === true,
  };
  return { className: 'Transformer', layout: (scope) => decoder(scope, sizes) };
}

interface DecoderSizes {
  readonly d: number;
  readonly vocabulary: number;
  readonly layers: number;
  /** Rows of the projections. */
  readonly query: number;
  readonly keyValue: number;
  readonly width: number;
  readonly tied?: boolean;
}

/** The decoder of Llama and Mistral, by the names of their own code. */
function decoder(scope: Scope, { d, vocabulary, layers, query, keyValue, width, tied = false }: DecoderSizes): void {
  scope.embedding('tok_embeddings', vocabulary, d);
  scope.each('layers', layers, (layer) => {
    const attention = layer.at('attention');
    attention.linear('wq', query, d);
    attention.linear('wk', keyValue, d);
    attention.linear('wv', keyValue, d);
    attention.linear('wo', d, query);
    layer.norm('attention_norm', d);
    layer.norm('ffn_norm', d);
    const ffn = layer.at('feed_forward');
    ffn.linear('w1', width, d);
    ffn.linear('w2', d, width);
    ffn.linear('w3', width, d);
  });
  scope.norm('norm', d);
  scope.head('output', vocabulary, d, tied);
}

const llamaKeys = namesOf(
  'dim n_layers n_heads n_kv_heads vocab_size multiple_of ffn_dim_multiplier norm_eps rope_theta use_scaled_rope max_batch_size max_seq_len',
);

/** Llama's params.json, llama/model.py: `Transformer`. */
function llama(root: Section): NativeLayout {
  // Releases of one and the same format have a head of their own (3.1) or the embedding's (the small ones of 3.2).
  if (root.has('use_scaled_rope')) throw new NotModelled('The file does not say whether the head has weights of its own.');
  if ((root.number('vocab_size') ?? 0) < 1) throw new NotModelled('The tokenizer decides the vocabulary, not the file.');
  const [d, heads] = [sizeOf(root, 'dim'), sizeOf(root, 'n_heads')];
  if (heads === 0 || d % heads !== 0) throw new NotModelled(`${d} does not split into ${heads} heads.`);
  const headDim = d / heads;
  const keyValue = (maybeSize(root, 'n_kv_heads') ?? heads) * headDim;
  const multiple = sizeOf(root, 'multiple_of');
  // As Python's int(), which cuts off: two thirds of four times the width, scaled, and up to the next multiple.
  const twoThirds = Math.trunc((2 * 4 * d) / 3);
  const isScaled = root.lookup('ffn_dim_multiplier').state === 'value';
  const factor = root.number('ffn_dim_multiplier');
  if (multiple === 0 || (isScaled && factor === undefined)) throw new NotModelled('ffn_dim_multiplier is no number.');
  const width = multiple * Math.ceil((factor === undefined ? twoThirds : Math.trunc(factor * twoThirds)) / multiple);
  return {
    className: 'Transformer',
    layout: (scope) =>
      decoder(scope, { d, vocabulary: sizeOf(root, 'vocab_size'), layers: sizeOf(root, 'n_layers'), query: d, keyValue, width }),
  };
}
