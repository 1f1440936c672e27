import type { Section } from '../design/section.ts';
import { NotModelled, type Scope } from './architectures/sheet.ts';
import { flagOf, isOnly, maybeSize, type NativeLayout, namesOf, sizeOf, wordOf } from './nativeSizes.ts';

const modelKeys = namesOf(
  `d_model n_heads n_kv_heads clip_qkv n_layers mlp_ratio mlp_hidden_size activation_type block_type block_group_size alibi alibi_bias_max rope
  rope_full_precision rope_theta flash_attention attention_dropout multi_query_attention attention_layer_norm residual_dropout
  embedding_dropout embedding_layer_norm layer_norm_type layer_norm_with_affine layer_norm_eps attention_layer_norm_with_affine
  max_sequence_length include_bias bias_for_layer_norm scale_logits vocab_size embedding_size weight_tying eos_token_id pad_token_id
  init_device init_fn init_std init_cutoff_factor precision scale_emb_init emb_init_std norm_after`,
);

/** OLMo's training configs, olmo/model.py: `OLMo` with the defaults of `ModelConfig`. Undefined for every other file. */
export function olmo(root: Section): NativeLayout | undefined {
  const model = root.child('model');
  if (model === undefined || !isOnly(model, modelKeys, ['d_model', 'n_heads', 'n_layers'])) return undefined;
  if (!model.has('weight_tying') || !model.has('activation_type')) return undefined;
  return { className: 'OLMo', layout: (scope) => layOut(scope.at('transformer'), model) };
}

function layOut(scope: Scope, c: Section): void {
  const d = sizeOf(c, 'd_model');
  const bias = flagOf(c, 'include_bias', true);
  const affine = flagOf(c, 'layer_norm_with_affine', true);
  const normBias = flagOf(c, 'bias_for_layer_norm', bias);
  wordOf(c, 'layer_norm_type', ['default', 'low_precision', 'rms'], 'default');
  if (sizeOf(c, 'block_group_size', 1) !== 1) throw new NotModelled('Groups of blocks are not described.');
  const norm = (at: Scope, name: string, width: number, isAffine = affine): void => {
    if (isAffine) at.norm(name, width, normBias);
  };
  const rows = maybeSize(c, 'embedding_size', 50304) || sizeOf(c, 'vocab_size', 50257);
  if (rows < sizeOf(c, 'vocab_size', 50257)) throw new NotModelled('The embedding has fewer rows than the vocabulary has words.');
  scope.embedding('wte', rows, d);
  norm(scope, 'ln_f', d);
  const heads = sizeOf(c, 'n_heads');
  const keyValue = keyValueHeads(c, heads) * Math.floor(d / heads);
  const hidden = maybeSize(c, 'mlp_hidden_size') ?? sizeOf(c, 'mlp_ratio', 4) * d;
  const activation = wordOf(c, 'activation_type', ['gelu', 'relu', 'swiglu'], 'swiglu');
  if (activation === 'swiglu' && hidden % 2 !== 0) throw new NotModelled('Half of the feed-forward is no whole number.');
  const block = wordOf(c, 'block_type', ['sequential', 'llama'], 'sequential');
  const attentionAffine = flagOf(c, 'attention_layer_norm_with_affine', true);
  scope.each('blocks', sizeOf(c, 'n_layers'), (layer) => {
    if (flagOf(c, 'attention_layer_norm', false)) {
      norm(layer, 'k_norm', keyValue, attentionAffine);
      norm(layer, 'q_norm', d, attentionAffine);
    }
    layer.linear('attn_out', d, d, bias);
    // SwiGLU multiplies one half of the feed-forward with the other.
    layer.linear('ff_out', d, activation === 'swiglu' ? hidden / 2 : hidden, bias);
    norm(layer, 'attn_norm', d);
    norm(layer, 'ff_norm', d);
    if (block === 'sequential') layer.linear('att_proj', d + 2 * keyValue, d, bias);
    else {
      layer.linear('q_proj', d, d, bias);
      layer.linear('k_proj', keyValue, d, bias);
      layer.linear('v_proj', keyValue, d, bias);
    }
    layer.linear('ff_proj', hidden, d, bias);
  });
  if (!flagOf(c, 'alibi', false) && !flagOf(c, 'rope', false)) scope.embedding('wpe', sizeOf(c, 'max_sequence_length', 1024), d);
  if (!flagOf(c, 'weight_tying', true)) scope.linear('ff_out', rows, d, bias);
  if (flagOf(c, 'embedding_layer_norm', false)) norm(scope, 'emb_norm', d);
}

/** `effective_n_kv_heads`: both keys have to say the same. */
function keyValueHeads(c: Section, heads: number): number {
  const given = maybeSize(c, 'n_kv_heads');
  const isNull = c.lookup('multi_query_attention').state !== 'value';
  const one = flagOf(c, 'multi_query_attention', false) ? 1 : heads;
  if (given === undefined) return one;
  if (!isNull && given !== one) throw new NotModelled('n_kv_heads and multi_query_attention contradict each other.');
  return given;
}
