import { type Architecture, type Architectures, type Layout, labels } from './architecture.ts';
import { gatedFfn, plainFfn, quotient } from './blocks.ts';
import { whisperEncoder } from './encoderDecoders.ts';
import { bertLayer, tables } from './encoders.ts';
import { isHarmless } from './harmless.ts';
import type { Settings } from './settings.ts';
import { NotModelled, type Scope } from './sheet.ts';

/*
 * Vision and audio encoders (Dosovitskiy et al. 2021) and pairs of towers (CLIP, Radford et al. 2021). The source of an entry `x` is
 * the class it describes: transformers 5.18.0, src/transformers/models/x/modeling_x.py.
 */

const hiddenOf = (c: Settings): number => c.int('hidden_size');

/** Patches of an image, as many as fit whole. */
function patches(c: Settings): number {
  const [height, width] = c.pair('image_size');
  const [down, across] = c.pair('patch_size');
  return Math.floor(height / down) * Math.floor(width / across);
}

const patchKernel = (c: Settings): readonly number[] => c.pair('patch_size');

/** ViT's layer under the names of this library: `attention.q_proj`, `layernorm_before`. */
function vitLayer(s: Scope, c: Settings, o: { readonly bias: boolean; readonly keyBias?: boolean }): void {
  const hidden = hiddenOf(c);
  quotient(hidden, c.int('num_attention_heads'), 'head dim');
  s.linear('attention.q_proj', hidden, hidden, o.bias);
  s.linear('attention.k_proj', hidden, hidden, o.keyBias ?? o.bias);
  s.linear('attention.v_proj', hidden, hidden, o.bias);
  s.linear('attention.o_proj', hidden, hidden, true);
  s.layerNorm('layernorm_before', hidden);
  s.layerNorm('layernorm_after', hidden);
  plainFfn(s.at('mlp'), ['fc1', 'fc2'], hidden, c.int('intermediate_size'));
}

interface VitOptions {
  readonly stem: string;
  /** Tokens beside the patches, each with a position. */
  readonly tokens: readonly string[];
  readonly pooler: boolean;
  readonly channels?: (c: Settings) => number;
  readonly patches?: (c: Settings) => number;
  readonly kernel?: (c: Settings) => readonly number[];
  readonly classify?: string;
}

function vit(o: VitOptions): Architecture {
  const plain =
    (pooled: boolean): Layout =>
    (s, c) => {
      const hidden = hiddenOf(c);
      for (const token of o.tokens) s.weight(`embeddings.${token}`, [1, 1, hidden]);
      s.weight('embeddings.position_embeddings', [1, (o.patches ?? patches)(c) + o.tokens.length, hidden]);
      s.convolution(
        'embeddings.patch_embeddings.projection',
        hidden,
        o.channels?.(c) ?? c.int('num_channels'),
        (o.kernel ?? patchKernel)(c),
      );
      s.each('layers', c.int('num_hidden_layers'), (layer) => vitLayer(layer, c, { bias: c.flag('qkv_bias', true) }));
      s.layerNorm('layernorm', hidden);
      if (pooled && o.pooler) s.linear('pooler.dense', c.maybe('pooler_output_size') ?? hidden, hidden, true);
      c.read.add('pooler_output_size');
      for (const key of ['encoder_stride', 'mask_ratio', 'norm_pix_loss']) c.read.add(key);
    };
  const classify = o.classify;
  return {
    body: plain(true),
    usual: 'Model',
    heads:
      classify === undefined
        ? {}
        : {
            ForImageClassification: (s, c) => {
              plain(false)(s.at(classify), c);
              if (labels(c) > 0) s.linear('classifier', labels(c), hiddenOf(c), true);
            },
          },
  };
}

/** Steps of a window over a length. */
const windows = (length: number, size: number, stride: number): number => Math.floor((length - size) / stride) + 1;

/** CLIP's layer: LayerNorms before attention and FFN, all projections biased. */
function clipLayer(s: Scope, c: Settings): void {
  const hidden = hiddenOf(c);
  quotient(hidden, c.int('num_attention_heads'), 'head dim');
  for (const name of ['k_proj', 'v_proj', 'q_proj', 'out_proj']) s.linear(`self_attn.${name}`, hidden, hidden, true);
  s.layerNorm('layer_norm1', hidden);
  s.layerNorm('layer_norm2', hidden);
  plainFfn(s.at('mlp'), ['fc1', 'fc2'], hidden, c.int('intermediate_size'));
}

const clipText: Layout = (s, c) => {
  const hidden = hiddenOf(c);
  s.embedding('embeddings.token_embedding', c.int('vocab_size'), hidden);
  s.embedding('embeddings.position_embedding', c.int('max_position_embeddings'), hidden);
  s.each('encoder.layers', c.int('num_hidden_layers'), (layer) => clipLayer(layer, c));
  s.layerNorm('final_layer_norm', hidden);
  c.read.add('projection_dim');
};

const clipVision =
  (preNorm = 'pre_layrnorm'): Layout =>
  (s, c) => {
    const hidden = hiddenOf(c);
    s.weight('embeddings.class_embedding', [hidden]);
    s.convolution('embeddings.patch_embedding', hidden, c.int('num_channels'), patchKernel(c), false);
    s.embedding('embeddings.position_embedding', patches(c) + 1, hidden);
    s.layerNorm(preNorm, hidden);
    s.each('encoder.layers', c.int('num_hidden_layers'), (layer) => clipLayer(layer, c));
    s.layerNorm('post_layernorm', hidden);
    c.read.add('projection_dim');
  };

/** Two towers and their projections into one space; the scale is a scalar. */
function clip(text: Layout, textType: string, visionType: string, vision: Layout = clipVision()): Architecture {
  return {
    usual: 'Model',
    heads: {},
    body: (s, c) => {
      const words = c.child('text_config', textType);
      const images = c.child('vision_config', visionType);
      refuseAbsent(words, 'text_config');
      refuseAbsent(images, 'vision_config');
      const width = c.int('projection_dim');
      refuseOverride(c, 'text_config_dict', words);
      refuseOverride(c, 'vision_config_dict', images);
      s.weight('logit_scale', []);
      text(s.at('text_model'), words);
      vision(s.at('vision_model'), images);
      s.linear('visual_projection', width, hiddenOf(images));
      s.linear('text_projection', width, hiddenOf(words));
    },
  };
}

/** CLIP's first files wrote nested configs twice, and the class lets the second win: it must say the same. */
function refuseOverride(c: Settings, key: string, child: Settings): void {
  c.read.add(key);
  for (const { key: name, value } of c.section?.child(key)?.mapping.entries ?? []) {
    if (value?.kind !== 'scalar' || isHarmless(name)) continue;
    const found = child.section?.lookup(name);
    const other =
      found?.state === 'value' && found.node.kind === 'scalar'
        ? found.node.value
        : found?.state === 'null'
          ? null
          : child.family.fields.get(name);
    if (other !== value.value && (child.family.fields.has(name) || value.value !== null))
      throw new NotModelled(`${key}.${name} overrides another value.`);
  }
}

/** A class may give an absent nested config other defaults than its type has: then nothing is known. */
export function refuseAbsent(c: Settings, key: string): void {
  if (c.section === undefined) throw new NotModelled(`${key} is not given.`);
}

const siglipText: Layout = (s, c) => {
  clipText(s, c);
  s.linear('head', c.maybe('projection_size') ?? hiddenOf(c), hiddenOf(c), true);
};

/** SigLIP (Zhai et al. 2023): no class token; a head that attends with one learned query. */
const siglipVision =
  (o: { readonly patchEmbedding: (s: Scope, c: Settings) => void; readonly positions: (c: Settings) => number }): Layout =>
  (s, c) => {
    const hidden = hiddenOf(c);
    o.patchEmbedding(s, c);
    s.embedding('embeddings.position_embedding', o.positions(c), hidden);
    s.each('encoder.layers', c.int('num_hidden_layers'), (layer) => clipLayer(layer, c));
    s.layerNorm('post_layernorm', hidden);
    if (!c.flag('vision_use_head', true)) return;
    const head = s.at('head');
    head.weight('probe', [1, 1, hidden]);
    head.weight('attention.in_proj_weight', [3 * hidden, hidden]);
    head.weight('attention.in_proj_bias', [3 * hidden]);
    head.linear('attention.out_proj', hidden, hidden, true);
    head.layerNorm('layernorm', hidden);
    plainFfn(head.at('mlp'), ['fc1', 'fc2'], hidden, c.int('intermediate_size'));
  };

const siglipImages = siglipVision({
  patchEmbedding: (s, c) => s.convolution('embeddings.patch_embedding', hiddenOf(c), c.int('num_channels'), patchKernel(c)),
  positions: patches,
});

/** SigLIP 2 (Tschannen et al. 2025): patches come flattened, so their embedding is a linear layer. */
const siglip2Images = siglipVision({
  patchEmbedding: (s, c) => {
    const [height, width] = c.pair('patch_size');
    s.linear('embeddings.patch_embedding', hiddenOf(c), c.int('num_channels') * height * width, true);
  },
  positions: (c) => c.int('num_patches'),
});

function siglip(text: Layout, vision: Layout, textType: string, visionType: string): Architecture {
  return {
    usual: 'Model',
    heads: {},
    body: (s, c) => {
      const words = c.child('text_config', textType);
      const images = c.child('vision_config', visionType);
      refuseAbsent(words, 'text_config');
      refuseAbsent(images, 'vision_config');
      s.weight('logit_scale', [1]);
      s.weight('logit_bias', [1]);
      text(s.at('text_model'), words);
      vision(s.at('vision_model'), images);
    },
  };
}

/** DINOv2 (Oquab et al. 2023): a scale on every branch's output, gated FFN in the largest. */
const dinov2 = (registers: boolean, stem: string): Architecture => {
  const body: Layout = (s, c) => {
    const hidden = hiddenOf(c);
    const bias = c.flag('qkv_bias', true);
    s.weight('embeddings.cls_token', [1, 1, hidden]);
    if (registers || c.flag('use_mask_token', true)) s.weight('embeddings.mask_token', [1, hidden]);
    s.weight('embeddings.position_embeddings', [1, patches(c) + 1, hidden]);
    if (registers) s.weight('embeddings.register_tokens', [1, c.int('num_register_tokens'), hidden]);
    s.convolution('embeddings.patch_embeddings.projection', hidden, c.int('num_channels'), patchKernel(c));
    const inner = Math.trunc(hidden * (c.real('mlp_ratio') ?? 4));
    s.each('encoder.layer', c.int('num_hidden_layers'), (layer) => {
      quotient(hidden, c.int('num_attention_heads'), 'head dim');
      layer.layerNorm('norm1', hidden);
      for (const name of ['q_proj', 'k_proj', 'v_proj']) layer.linear(`attention.${name}`, hidden, hidden, bias);
      layer.linear('attention.o_proj', hidden, hidden, true);
      layer.weight('layer_scale1.lambda1', [hidden]);
      layer.layerNorm('norm2', hidden);
      if (c.flag('use_swiglu_ffn')) {
        // Two thirds of the width, rounded up to a multiple of eight.
        const gated = Math.floor((Math.trunc((inner * 2) / 3) + 7) / 8) * 8;
        gatedFfn(layer.at('mlp'), hidden, gated, true);
      } else plainFfn(layer.at('mlp'), ['fc1', 'fc2'], hidden, inner);
      layer.weight('layer_scale2.lambda1', [hidden]);
    });
    s.layerNorm('layernorm', hidden);
    for (const key of ['out_features', 'out_indices', 'stage_names', 'apply_layernorm', 'reshape_hidden_states']) c.read.add(key);
  };
  return {
    body,
    usual: 'Model',
    heads: {
      ForImageClassification: (s, c) => {
        body(s.at(stem), c);
        if (labels(c) > 0) s.linear('classifier', labels(c), 2 * hiddenOf(c), true);
      },
    },
  };
};

const only = (body: Layout): Architecture => ({ body, usual: 'Model', heads: {} });

/** A class that has no `Model` behind its name. */
const bare = (body: Layout): Architecture => ({ body, usual: '', heads: { '': body } });

export const vision: Architectures = {
  vit: vit({ stem: 'vit', tokens: ['cls_token'], pooler: true, classify: 'vit' }),
  deit: vit({ stem: 'deit', tokens: ['cls_token', 'distillation_token'], pooler: true, classify: 'deit' }),
  ijepa: vit({ stem: 'ijepa', tokens: [], pooler: false }),
  'audio-spectrogram-transformer': {
    ...vit({
      stem: 'audio_spectrogram_transformer',
      tokens: ['cls_token', 'distillation_token'],
      pooler: false,
      channels: () => 1,
      patches: (c) =>
        windows(c.int('num_mel_bins'), c.int('patch_size'), c.int('frequency_stride')) *
        windows(c.int('max_length'), c.int('patch_size'), c.int('time_stride')),
    }),
  },
  vivit: vit({
    stem: 'vivit',
    tokens: ['cls_token'],
    pooler: true,
    kernel: (c) => c.numbers('tubelet_size') ?? [2, 16, 16],
    patches: (c) => {
      const [frames = 0, height = 0, width = 0] = c.numbers('tubelet_size') ?? [2, 16, 16];
      const size = c.int('image_size');
      return Math.floor(c.int('num_frames') / frames) * Math.floor(size / height) * Math.floor(size / width);
    },
  }),
  dinov2: dinov2(false, 'dinov2'),
  dinov2_with_registers: dinov2(true, 'dinov2_with_registers'),
  clip: clip(clipText, 'clip_text_model', 'clip_vision_model'),
  clip_text_model: only(clipText),
  clip_vision_model: only(clipVision()),
  metaclip_2: clip(clipText, 'metaclip_2_text_model', 'metaclip_2_vision_model'),
  chinese_clip_vision_model: only(clipVision()),
  chinese_clip: clip(
    (s, c) => {
      tables()(s, c);
      s.each('encoder.layer', c.int('num_hidden_layers'), (layer) => bertLayer()(layer, c));
    },
    'chinese_clip_text_model',
    'chinese_clip_vision_model',
  ),
  owlvit: clip(clipText, 'owlvit_text_model', 'owlvit_vision_model', clipVision('pre_layernorm')),
  owlv2: clip(clipText, 'owlv2_text_model', 'owlv2_vision_model', clipVision('pre_layernorm')),
  siglip: siglip(siglipText, siglipImages, 'siglip_text_model', 'siglip_vision_model'),
  siglip_text_model: only(siglipText),
  siglip_vision_model: only(siglipImages),
  siglip2: siglip(siglipText, siglip2Images, 'siglip2_text_model', 'siglip2_vision_model'),
  siglip2_vision_model: only(siglip2Images),
  mlcd_vision_model: {
    ...only((s, c) => {
      const hidden = hiddenOf(c);
      c.read.add('num_key_value_groups');
      // Rotary positions need half a head's width for the class token.
      s.weight('class_pos_emb', [1, Math.floor(Math.floor(hidden / c.int('num_attention_heads')) / 2)]);
      s.weight('embeddings.class_embedding', [hidden]);
      s.convolution('embeddings.patch_embedding', hidden, c.int('num_channels'), patchKernel(c), false);
      s.layerNorm('pre_layrnorm', hidden);
      s.each('encoder.layers', c.int('num_hidden_layers'), (layer) => clipLayer(layer, c));
      s.layerNorm('post_layernorm', hidden);
      c.read.add('image_size');
    }),
    stems: ['MLCD'],
  },
  aimv2_vision_model: only((s, c) => {
    const hidden = hiddenOf(c);
    const bias = c.flag('qkv_bias');
    if (c.flag('is_native')) throw new NotModelled('AIMv2 at native resolution.');
    s.convolution('embeddings.patch_embed', hidden, c.int('num_channels'), patchKernel(c));
    s.norm('embeddings.rms_norm', hidden);
    s.embedding('embeddings.position_embedding', patches(c), hidden);
    s.each('encoder.layers', c.int('num_hidden_layers'), (layer) => {
      for (const name of ['k_proj', 'v_proj', 'q_proj', 'out_proj']) layer.linear(`attention.${name}`, hidden, hidden, bias);
      gatedFfn(layer.at('ffn'), hidden, c.int('intermediate_size'), c.flag('mlp_bias'));
      layer.norm('rms_norm1', hidden);
      layer.norm('rms_norm2', hidden);
    });
    s.norm('rms_norm', hidden);
    if (!c.flag('use_head', true)) return;
    s.weight('head.cls_token', [1, 1, hidden]);
    s.linear('head.k_proj', hidden, hidden, bias);
    s.linear('head.v_proj', hidden, hidden, bias);
    s.linear('head.output_proj', hidden, hidden, true);
  }),
  qwen2_audio_encoder: bare(whisperEncoder),
  audioflamingo3_encoder: bare(whisperEncoder),
  voxtral_encoder: bare(whisperEncoder),
  pixtral: {
    ...only((s, c) => {
      const hidden = hiddenOf(c);
      const headDim = c.maybe('head_dim') ?? Math.floor(hidden / c.int('num_attention_heads'));
      if (headDim * c.int('num_attention_heads') !== hidden) throw new NotModelled('head_dim of Pixtral.');
      s.convolution('patch_conv', hidden, c.int('num_channels'), patchKernel(c), false);
      s.norm('ln_pre', hidden);
      s.each('transformer.layers', c.int('num_hidden_layers'), (layer) => {
        layer.norm('attention_norm', hidden);
        layer.norm('ffn_norm', hidden);
        gatedFfn(layer.at('feed_forward'), hidden, c.int('intermediate_size'));
        for (const name of ['k_proj', 'v_proj', 'q_proj', 'o_proj']) layer.linear(`attention.${name}`, hidden, hidden);
      });
      c.read.add('image_size');
    }),
    stems: ['PixtralVision'],
  },
};
