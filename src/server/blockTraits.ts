import type { TransformerDesign } from '../design/design.ts';
import type { BlockTraits } from '../protocol/languageServer.ts';

/** Blocks of modeling_<type>.py: RMS norms before attention and before a gated MLP, each added to the stream. */
const gated: ReadonlySet<string> = new Set(['llama', 'mistral', 'qwen2', 'qwen3', 'phi3', 'granite']);
/** Layer norms and an MLP of two projections. */
const plain: ReadonlySet<string> = new Set(['gpt2', 'gptj', 'gpt_neox']);

/** Names of ACT2FN (activations.py) whose functions are known here. */
const activations: Readonly<Record<string, BlockTraits['activation']>> = {
  silu: 'silu',
  swish: 'silu',
  gelu: 'gelu',
  gelu_new: 'geluTanh',
  gelu_pytorch_tanh: 'geluTanh',
  relu: 'relu',
};

/** The class's own defaults (configuration_<type>.py). */
const epsilons: Readonly<Record<string, number>> = { phi3: 1e-5, gpt2: 1e-5, gptj: 1e-5, gpt_neox: 1e-5 };
const activationDefaults: Readonly<Record<string, string>> = { gpt2: 'gelu_new', gptj: 'gelu_new', gpt_neox: 'gelu' };

/**
 * What stands around a layer's attention, for families whose code is known by heart; undefined where anything of it is not sure: code of
 * the checkpoint's own, values that cannot be read, settings under which layers differ.
 */
export function blockTraits({ section, family, custom }: TransformerDesign): BlockTraits | undefined {
  if (family === undefined || custom || !(gated.has(family) || plain.has(family))) return undefined;
  // Layers differ, or their scores do.
  const odd = ['use_sliding_window', 'scale_attn_by_inverse_layer_idx'].some((key) => section.has(key) && section.boolean(key) !== false);
  if (odd || (section.has('scale_attn_weights') && section.boolean('scale_attn_weights') !== true)) return undefined;
  const layerTypes = section.entry('layer_types')?.value;
  if (layerTypes?.kind === 'sequence') {
    const kinds = new Set(layerTypes.items.map((item) => (item.kind === 'scalar' ? item.value : undefined)));
    if (kinds.size > 1) return undefined;
  }
  const number = (key: string, otherwise: number): number | undefined =>
    section.lookup(key).state === 'absent' ? otherwise : section.number(key);
  const isGated = gated.has(family);
  const epsilonKey = isGated ? 'rms_norm_eps' : family === 'gpt_neox' ? 'layer_norm_eps' : 'layer_norm_epsilon';
  const epsilon = number(epsilonKey, epsilons[family] ?? 1e-6);
  const activationKey = isGated || family === 'gpt_neox' ? 'hidden_act' : 'activation_function';
  const name =
    section.lookup(activationKey).state === 'absent' ? (activationDefaults[family] ?? 'silu') : (section.string(activationKey) ?? '');
  const activation = activations[name];
  const inputScale = family === 'granite' ? number('embedding_multiplier', 1) : 1;
  const addedScale = family === 'granite' ? number('residual_multiplier', 1) : 1;
  const side = section.lookup('use_parallel_residual').state === 'absent' ? true : section.boolean('use_parallel_residual');
  const parallel = family === 'gptj' || (family === 'gpt_neox' && side === true);
  if (epsilon === undefined || activation === undefined || inputScale === undefined || addedScale === undefined || side === undefined)
    return undefined;
  return { norm: isGated ? 'rms' : 'layer', epsilon, activation, parallel, inputScale, addedScale };
}
