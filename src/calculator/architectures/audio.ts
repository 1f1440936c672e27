import { type Architecture, type Architectures, type Layout, labels } from './architecture.ts';
import { plainFfn, quotient } from './blocks.ts';
import type { Settings } from './settings.ts';
import { NotModelled, type Scope } from './sheet.ts';

/*
 * Speech encoders in wav2vec 2.0's manner (Baevski et al. 2020): convolutions over the wave, a convolution for positions, layers. The
 * source of an entry `x` is the class it describes: transformers 5.18.0, src/transformers/models/x/modeling_x.py.
 */

const hiddenOf = (c: Settings): number => c.int('hidden_size');

interface SpeechOptions {
  readonly base: string;
  readonly defaults?: { readonly dims: readonly number[]; readonly kernels: readonly number[] };
  /** What the feature extractor's output passes through. */
  readonly projection?: Layout;
  readonly positions?: Layout;
  readonly attention?: (s: Scope, c: Settings, index: number) => void;
  /** Every convolution of the extractor normalised. */
  readonly everyNorm?: boolean;
  readonly after?: Layout;
}

const usualDims = [512, 512, 512, 512, 512, 512, 512];
const usualKernels = [10, 3, 3, 3, 3, 2, 2];

/** A convolution with weight normalisation over the kernel (Salimans and Kingma 2016): a length per tap and a direction. */
function weightNormed(s: Scope, width: number, groups: number, kernel: number): void {
  s.weight('bias', [width]);
  s.weight('parametrizations.weight.original0', [1, 1, kernel]);
  s.weight('parametrizations.weight.original1', [width, quotient(width, groups, 'groups'), kernel]);
}

const usualPositions: Layout = (s, c) => {
  if (c.flag('conv_pos_batch_norm')) throw new NotModelled('Batch norm before the convolution of positions.');
  weightNormed(s.at('conv'), hiddenOf(c), c.int('num_conv_pos_embedding_groups'), c.int('num_conv_pos_embeddings'));
};

const lastDim = (c: Settings, o: SpeechOptions): number => (c.numbers('conv_dim') ?? o.defaults?.dims ?? usualDims).at(-1) ?? 0;

/** Keys that shape what only training has. */
const trainingKeys =
  /^(num_codevectors_per_group|num_codevector_groups|codevector_dim|proj_codevector_dim|num_negatives|contrastive_logits_temperature|diversity_loss_weight|ctc_|tdnn_|xvector_|classifier_proj_size|use_weighted_layer_sum|do_stable_layer_norm|num_feat_extract_layers|conv_stride|apply_spec_augment|feat_|mask_|adapter_|output_hidden_size|num_adapter_layers|replace_prob|max_bucket_distance|num_ctc_classes|vocab_size|freeze_feat)/;

function speech(o: SpeechOptions): Architecture {
  const body: Layout = (s, c) => {
    const hidden = hiddenOf(c);
    if (c.flag('add_adapter') || c.maybe('adapter_attn_dim') !== undefined) throw new NotModelled('Adapters.');
    const dims = c.numbers('conv_dim') ?? o.defaults?.dims ?? usualDims;
    const kernels = c.numbers('conv_kernel') ?? o.defaults?.kernels ?? usualKernels;
    if (dims.length !== kernels.length) throw new NotModelled('conv_dim and conv_kernel differ in length.');
    const norm = c.text('feat_extract_norm') ?? 'group';
    const maskTime = c.real('mask_time_prob') ?? 0;
    const maskFeature = c.real('mask_feature_prob') ?? 0;
    if (maskTime > 0 || maskFeature > 0) s.weight('masked_spec_embed', [hidden]);
    dims.forEach((out, index) => {
      const layer = s.at(`feature_extractor.conv_layers.${index}`);
      layer.convolution('conv', out, index === 0 ? 1 : (dims[index - 1] ?? 0), [kernels[index] ?? 0], c.flag('conv_bias'));
      if (o.everyNorm === true || norm === 'layer' || index === 0) layer.layerNorm('layer_norm', out);
    });
    (o.projection ?? ((at, settings) => usualProjection(at, settings, lastDim(settings, o))))(s, c);
    const encoder = s.at('encoder');
    (o.positions ?? usualPositions)(encoder.at('pos_conv_embed'), c);
    encoder.layerNorm('layer_norm', hidden);
    encoder.each('layers', c.int('num_hidden_layers'), (layer, index) => {
      quotient(hidden, c.int('num_attention_heads'), 'head dim');
      for (const name of ['k_proj', 'v_proj', 'q_proj', 'out_proj']) layer.linear(`attention.${name}`, hidden, hidden, true);
      o.attention?.(layer.at('attention'), c, index);
      layer.layerNorm('layer_norm', hidden);
      plainFfn(layer.at('feed_forward'), ['intermediate_dense', 'output_dense'], hidden, c.int('intermediate_size'));
      layer.layerNorm('final_layer_norm', hidden);
    });
    o.after?.(s, c);
    for (const name of c.section?.names ?? []) if (trainingKeys.test(name)) c.read.add(name);
  };
  return {
    body,
    usual: 'Model',
    heads: {
      ForCTC: (s, c) => {
        body(s.at(o.base), c);
        s.linear('lm_head', c.int('vocab_size'), hiddenOf(c), true);
      },
      ForSequenceClassification: (s, c) => {
        body(s.at(o.base), c);
        const width = c.int('classifier_proj_size');
        if (c.flag('use_weighted_layer_sum')) s.weight('layer_weights', [c.int('num_hidden_layers') + 1]);
        s.linear('projector', width, hiddenOf(c), true);
        s.linear('classifier', labels(c), width, true);
      },
    },
  };
}

function usualProjection(s: Scope, c: Settings, features: number): void {
  if (c.flag('feat_proj_layer_norm', true)) s.layerNorm('feature_projection.layer_norm', features);
  s.linear('feature_projection.projection', hiddenOf(c), features, true);
}

export const audio: Architectures = {
  wav2vec2: speech({ base: 'wav2vec2' }),
  hubert: speech({ base: 'hubert' }),
  unispeech: speech({ base: 'unispeech' }),
  'unispeech-sat': speech({ base: 'unispeech_sat' }),
  wavlm: speech({
    base: 'wavlm',
    // Gated relative positions (Chen et al. 2022, section 3.2); the first layer's table serves all.
    attention: (s, c, index) => {
      const heads = c.int('num_attention_heads');
      s.weight('gru_rel_pos_const', [1, heads, 1, 1]);
      s.linear('gru_rel_pos_linear', 8, Math.floor(hiddenOf(c) / heads), true);
      if (index === 0) s.embedding('rel_attn_embed', c.int('num_buckets'), heads);
    },
  }),
  'data2vec-audio': speech({
    base: 'data2vec_audio',
    everyNorm: true,
    projection: (s, c) => usualProjection(s, c, (c.numbers('conv_dim') ?? usualDims).at(-1) ?? 0),
    positions: (s, c) => {
      const width = hiddenOf(c);
      const groups = c.int('num_conv_pos_embedding_groups');
      s.each('layers', c.int('num_conv_pos_embeddings'), (layer) =>
        layer.convolution('conv', width, quotient(width, groups, 'groups'), [c.int('conv_pos_kernel_size')]),
      );
    },
  }),
  sew: speech({
    base: 'sew',
    defaults: {
      dims: [64, 128, 128, 128, 128, 256, 256, 256, 256, 512, 512, 512, 512],
      kernels: [10, 3, 1, 3, 1, 3, 1, 3, 1, 2, 1, 2, 1],
    },
    projection: (s, c) => {
      const features = (c.numbers('conv_dim') ?? [512]).at(-1) ?? 0;
      s.layerNorm('layer_norm', features);
      if (features !== hiddenOf(c)) s.linear('feature_projection', hiddenOf(c), features, true);
    },
    after: (s, c) => s.linear('encoder.upsample.projection', hiddenOf(c) * c.int('squeeze_factor'), hiddenOf(c), true),
  }),
};
