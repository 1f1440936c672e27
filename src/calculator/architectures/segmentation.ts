import type { Architecture, Architectures, Layout } from './architecture.ts';
import type { Settings } from './settings.ts';
import { NotModelled, type Scope } from './sheet.ts';
import { refuseAbsent } from './vision.ts';

/*
 * Segment Anything (Kirillov et al. 2023, appendix A). The source of an entry `x` is the class it describes: transformers 5.18.0,
 * src/transformers/models/x/modeling_x.py.
 */

const hiddenOf = (c: Settings): number => c.int('hidden_size');

const square = (c: Settings, key: string): number => {
  const [height, width] = c.pair(key);
  if (height !== width) throw new NotModelled(`${key} is not square.`);
  return height;
};

/** A ViT with relative positions per axis, most layers within windows, and a neck of two convolutions. */
const samVision: Layout = (s, c) => {
  const hidden = hiddenOf(c);
  const patch = square(c, 'patch_size');
  const side = Math.floor(square(c, 'image_size') / patch);
  const out = c.int('output_channels');
  const window = c.int('window_size');
  const global = c.numbers('global_attn_indexes') ?? [2, 5, 8, 11];
  const inner = c.maybe('mlp_dim') ?? Math.trunc(hidden * (c.real('mlp_ratio') ?? 4));
  c.read.add('mlp_ratio');
  for (const key of ['num_pos_feats', 'scale', 'projection_dim']) c.read.add(key);
  if (c.flag('use_abs_pos')) s.weight('pos_embed', [1, side, side, hidden]);
  s.convolution('patch_embed.projection', hidden, c.int('num_channels'), [patch, patch]);
  s.each('layers', c.int('num_hidden_layers'), (layer, index) => {
    layer.layerNorm('layer_norm1', hidden);
    layer.linear('attn.qkv', 3 * hidden, hidden, c.flag('qkv_bias'));
    layer.linear('attn.proj', hidden, hidden, true);
    if (c.flag('use_rel_pos')) {
      const seen = global.includes(index) || window === 0 ? side : window;
      const headDim = Math.floor(hidden / c.int('num_attention_heads'));
      layer.weight('attn.rel_pos_h', [2 * seen - 1, headDim]);
      layer.weight('attn.rel_pos_w', [2 * seen - 1, headDim]);
    }
    layer.layerNorm('layer_norm2', hidden);
    layer.linear('mlp.lin1', inner, hidden, true);
    layer.linear('mlp.lin2', hidden, inner, true);
  });
  s.convolution('neck.conv1', out, hidden, [1, 1], false);
  s.layerNorm('neck.layer_norm1', out);
  s.convolution('neck.conv2', out, out, [3, 3], false);
  s.layerNorm('neck.layer_norm2', out);
};

function promptEncoder(s: Scope, c: Settings, features: number, shared: boolean): void {
  const hidden = hiddenOf(c);
  const channels = c.int('mask_input_channels');
  s.weight('shared_embedding.positional_embedding', [2, features], { tied: shared });
  s.convolution('mask_embed.conv1', Math.floor(channels / 4), 1, [2, 2]);
  s.convolution('mask_embed.conv2', channels, Math.floor(channels / 4), [2, 2]);
  s.convolution('mask_embed.conv3', hidden, channels, [1, 1]);
  s.layerNorm('mask_embed.layer_norm1', Math.floor(channels / 4));
  s.layerNorm('mask_embed.layer_norm2', 4 * Math.floor(channels / 4));
  s.embedding('no_mask_embed', 1, hidden);
  s.embedding('not_a_point_embed', 1, hidden);
  s.each('point_embed', c.int('num_point_embeddings'), (point) => point.weight('weight', [1, hidden]));
  for (const key of ['image_size', 'patch_size', 'image_embedding_size']) c.read.add(key);
}

function feedForward(s: Scope, into: number, hidden: number, out: number, depth: number): void {
  s.linear('proj_in', hidden, into, true);
  s.linear('proj_out', out, hidden, true);
  s.each('layers', Math.max(0, depth - 2), (layer) => {
    layer.weight('weight', [hidden, hidden]);
    layer.weight('bias', [hidden]);
  });
}

/** Two-way attention between tokens and image, two upscaling convolutions, one small network per mask. */
function maskDecoder(s: Scope, c: Settings): void {
  const hidden = hiddenOf(c);
  const masks = c.int('num_multimask_outputs') + 1;
  const narrow = Math.floor(hidden / c.int('attention_downsample_rate'));
  const attention = (at: Scope, width: number): void => {
    for (const name of ['q_proj', 'k_proj', 'v_proj']) at.linear(name, width, hidden, true);
    at.linear('out_proj', hidden, width, true);
  };
  s.embedding('iou_token', 1, hidden);
  s.embedding('mask_tokens', masks, hidden);
  s.each('transformer.layers', c.int('num_hidden_layers'), (layer) => {
    attention(layer.at('self_attn'), hidden);
    // The layers always halve the width; only the last attention takes the rate.
    attention(layer.at('cross_attn_token_to_image'), Math.floor(hidden / 2));
    attention(layer.at('cross_attn_image_to_token'), Math.floor(hidden / 2));
    for (const index of [1, 2, 3, 4]) layer.layerNorm(`layer_norm${index}`, hidden);
    layer.linear('mlp.lin1', c.int('mlp_dim'), hidden, true);
    layer.linear('mlp.lin2', hidden, c.int('mlp_dim'), true);
  });
  attention(s.at('transformer.final_attn_token_to_image'), narrow);
  s.layerNorm('transformer.layer_norm_final_attn', hidden);
  // Transposed convolutions keep weights as [in, out, kernel].
  const quarter = Math.floor(hidden / 4);
  const eighth = Math.floor(hidden / 8);
  s.weight('upscale_conv1.weight', [hidden, quarter, 2, 2]);
  s.weight('upscale_conv1.bias', [quarter]);
  s.weight('upscale_conv2.weight', [quarter, eighth, 2, 2]);
  s.weight('upscale_conv2.bias', [eighth]);
  s.layerNorm('upscale_layer_norm', quarter);
  s.each('output_hypernetworks_mlps', masks, (network) => feedForward(network, hidden, hidden, eighth, 3));
  feedForward(s.at('iou_prediction_head'), hidden, c.int('iou_head_hidden_dim'), masks, c.int('iou_head_depth'));
}

const sam: Architecture = {
  usual: 'Model',
  heads: {},
  body: (s, c) => {
    const vision = c.child('vision_config', 'sam_vision_model');
    const prompt = c.child('prompt_encoder_config', 'class:SamPromptEncoderConfig');
    const decoder = c.child('mask_decoder_config', 'class:SamMaskDecoderConfig');
    for (const [child, key] of [
      [vision, 'vision_config'],
      [prompt, 'prompt_encoder_config'],
      [decoder, 'mask_decoder_config'],
    ] as const)
      refuseAbsent(child, key);
    const features = vision.int('num_pos_feats');
    // The prompt encoder's table is the model's own.
    s.weight('shared_image_embedding.positional_embedding', [2, features]);
    samVision(s.at('vision_encoder'), vision);
    promptEncoder(s.at('prompt_encoder'), prompt, features, c.flag('tie_word_embeddings', true));
    maskDecoder(s.at('mask_decoder'), decoder);
  },
};

export const segmentation: Architectures = { sam };
