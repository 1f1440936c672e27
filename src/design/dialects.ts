import { isScalar, isSequence, type ParsedConfig } from '../syntax/node.ts';
import { familyOf } from './families.ts';
import type { Section } from './section.ts';

/** Recognising formats by their keys, and what they compute in their own way. */

export const declaredType = (section: Section): string | undefined => section.string('model_type');

/** open_lm's model configs: `hidden_dim` is the model's width, heads get `dim // n_heads` features. */
export const isOpenLm = (section: Section): boolean =>
  section.has('hidden_dim') &&
  section.has('n_heads') &&
  section.has('n_layers') &&
  (section.has('seq_len') || section.has('post_embed_norm'));

export const isClipTower = (section: Section): boolean =>
  section.has('width') &&
  section.has('layers') &&
  (section.has('patch_size') || section.has('image_size') || section.has('head_width') || section.has('context_length'));

export const isGptNeoX = (section: Section): boolean =>
  section.has('num_layers') &&
  section.has('hidden_size') &&
  ['pipe_parallel_size', 'pos_emb', 'gpt_j_residual', 'no_weight_tying', 'output_layer_parallelism', 'rotary_pct', 'attention_config'].some(
    (name) => section.has(name),
  );

/** Formats whose FFN is four times the width unless they say otherwise. */
export const isFourfold = (section: Section): boolean =>
  /^(RefinedWeb|RefinedWebModel)$/.test(declaredType(section) ?? '') ||
  isGptNeoX(section) ||
  (section.has('n_embd') && !section.has('n_query_groups') && !section.has('norm_class_name')) || // GPT-2, nanoGPT, GPT-Neo
  section.has('pe_rotary_dims') ||
  (section.has('layers') && section.has('n_vocab')) || // mesh-transformer-jax
  (section.has('d_model') && section.has('n_heads') && section.has('attn_config')) || // MPT
  (section.has('num_attention_heads') &&
    section.has('num_layers') &&
    (section.has('kv_channels') ||
      section.has('make_vocab_size_divisible_by') ||
      section.has('tensor_model_parallel_size') ||
      section.has('micro_batch_size')) &&
    section.lookup('ffn_hidden_size').state !== 'unknown') || // Megatron
  (section.has('num_heads') &&
    section.has('hidden_dim') &&
    section.has('num_layers') &&
    section.has('seq_len') &&
    section.string('type') === 'gpt2') || // levanter
  (section.has('dim') && section.has('num_heads') && section.has('num_layers') && !section.has('n_heads')); // audiocraft

/** Moshi's gating keeps the parameter count of an ungated FFN of this width (moshi/modules/gating.py). */
export const moshiGate = (width: number, feedForward: number): number =>
  feedForward === 4 * width ? Math.floor((21 * width) / 8) : Math.floor((2 * feedForward) / 3);

export const isGatedName = (activation: string | undefined): boolean => activation !== undefined && /glu|gated/i.test(activation);

export function gatedOf(section: Section, activation: string | undefined, byFamily: boolean | undefined): boolean | undefined {
  if (isGatedName(activation)) return true;
  const list = section.lookup('mlp_activations');
  if (list.state === 'value' && isSequence(list.node)) return list.node.items.some((item) => isScalar(item) && item.value === 'linear');
  if (section.boolean('swiglu') === true || section.string('feed_forward') === 'gated' || section.string('mlp_type') === 'swiglu')
    return true;
  return byFamily;
}

export function dialectOf(root: Section, main: Section, parsed: ParsedConfig): string {
  // Arguments of Megatron's training scripts, in a script or as keys of a test's YAML.
  if (parsed.format === 'shell' || main.mapping.entries.some(({ key }) => key.startsWith('--'))) return 'megatron-arguments';
  if (parsed.format === 'gin') return 'gin';
  if (
    root.has('architectures') ||
    root.has('transformers_version') ||
    (root.has('model_type') && familyOf(declaredType(root) ?? '') !== undefined)
  )
    return 'huggingface';
  if (main.has('base_emb_dim')) return 'maxtext';
  if (root.child('text_cfg') !== undefined || root.child('vision_cfg') !== undefined) return 'open_clip';
  if (isGptNeoX(root)) return 'gpt-neox';
  if (main.has('heads_num')) return 'uer';
  if (main.has('dim') && main.has('n_heads')) return 'params';
  if (main.has('n_query_groups') || main.has('norm_class_name')) return 'litgpt';
  if (main.has('filter_size')) return 'cerebras';
  if (main.has('micro_batch_size') || main.has('tensor_model_parallel_size')) return 'nemo';
  if (main.has('attn_config')) return 'llm-foundry';
  if ((main.has('hidden_size') && main.has('num_attention_heads')) || main.has('rope_scaling')) return 'huggingface';
  return 'generic';
}
