import { numberOf, type Section } from '../design/section.ts';
import { NotModelled, type Scope } from './architectures/sheet.ts';
import { flagOf, isOnly, type NativeLayout, namesOf, sizeOf, wordOf } from './nativeSizes.ts';

const rootKeys = namesOf('embed_dim vision_cfg text_cfg quick_gelu custom_text init_logit_scale init_logit_bias preprocess_cfg');
const visionKeys = namesOf(
  `layers width head_width mlp_ratio patch_size image_size image_seq_len ls_init_value patch_dropout no_ln_pre pos_embed_type pool_type
  final_ln_after_pool output_tokens act_kwargs norm_kwargs`,
);
const textKeys = namesOf(
  `context_length vocab_size width heads layers mlp_ratio ls_init_value embed_cls pad_id bos_id eos_id hf_tokenizer_name tokenizer_mode
  tokenizer_kwargs no_causal_mask final_ln_after_pool pool_type proj_bias proj_type output_tokens act_kwargs norm_kwargs`,
);

/**
 * OpenCLIP's model configs, src/open_clip/model.py: `CLIP` of a vision transformer and a text transformer of its own. Undefined for towers
 * that come from elsewhere and for convolutional ones.
 */
export function openClip(root: Section): NativeLayout | undefined {
  const [vision, text] = [root.child('vision_cfg'), root.child('text_cfg')];
  if (vision === undefined || text === undefined || !isOnly(root, rootKeys, ['embed_dim'])) return undefined;
  if (!isOnly(vision, visionKeys, ['layers', 'width']) || !isOnly(text, textKeys, ['layers', 'width'])) return undefined;
  const out = sizeOf(root, 'embed_dim');
  const isCustom = flagOf(root, 'custom_text', false);
  return {
    className: isCustom ? 'CustomTextCLIP' : 'CLIP',
    layout: (scope) => {
      textTower(isCustom ? scope.at('text') : scope, text, out, isCustom);
      visionTower(scope.at('visual'), vision, out);
      scope.weight('logit_scale', []);
      if (root.lookup('init_logit_bias').state === 'value') scope.weight('logit_bias', []);
    },
  };
}

function visionTower(scope: Scope, section: Section, out: number): void {
  const width = sizeOf(section, 'width');
  const patch = sidesOf(section, 'patch_size', 16);
  const image = sidesOf(section, 'image_size', 224);
  wordOf(section, 'pos_embed_type', ['learnable'], 'learnable');
  const [rows, columns] = [Math.floor(image[0] / patch[0]), Math.floor(image[1] / patch[1])];
  scope.weight('class_embedding', [width]);
  scope.weight('positional_embedding', [rows * columns + 1, width]);
  scope.convolution('conv1', width, 3, patch, false);
  if (!flagOf(section, 'no_ln_pre', false)) norm(scope, 'ln_pre', section);
  blocks(scope, section);
  norm(scope, 'ln_post', section);
  scope.weight('proj', [width, out]);
}

function textTower(scope: Scope, section: Section, out: number, isCustom: boolean): void {
  const width = sizeOf(section, 'width');
  const positions = sizeOf(section, 'context_length', 77);
  const hasClass = flagOf(section, 'embed_cls', false);
  scope.embedding('token_embedding', sizeOf(section, 'vocab_size', 49408), width);
  // `CLIP` takes the tower apart and leaves the class embedding behind, though not its position.
  if (hasClass && isCustom) scope.weight('cls_emb', [width]);
  scope.weight('positional_embedding', [hasClass ? positions + 1 : positions, width]);
  blocks(scope, section);
  norm(scope, 'ln_final', section);
  if (wordOf(section, 'proj_type', ['linear', 'none'], 'linear') === 'none') return;
  if (flagOf(section, 'proj_bias', false)) scope.linear('text_projection', out, width, true);
  else scope.weight('text_projection', [width, out]);
}

/** `ResidualAttentionBlock`: norms with biases, a fused projection, a feed-forward of two matrices, scales where they are asked for. */
function blocks(scope: Scope, section: Section): void {
  const width = sizeOf(section, 'width');
  const ratio = section.has('mlp_ratio') ? section.number('mlp_ratio') : 4;
  if (ratio === undefined || ratio <= 0) throw new NotModelled('mlp_ratio is no number.');
  // As Python's int(), which cuts off.
  const inner = Math.trunc(width * ratio);
  const isScaled = section.lookup('ls_init_value').state === 'value';
  scope.each('transformer.resblocks', sizeOf(section, 'layers'), (block) => {
    norm(block, 'ln_1', section);
    block.weight('attn.in_proj_weight', [3 * width, width]);
    block.weight('attn.in_proj_bias', [3 * width]);
    block.linear('attn.out_proj', width, width, true);
    if (isScaled) block.weight('ls_1.gamma', [width]);
    norm(block, 'ln_2', section);
    block.linear('mlp.c_fc', inner, width, true);
    block.linear('mlp.c_proj', width, inner, true);
    if (isScaled) block.weight('ls_2.gamma', [width]);
  });
}

function norm(scope: Scope, name: string, section: Section): void {
  const options = section.child('norm_kwargs');
  if (options !== undefined && [...options.names].some((key) => key !== 'eps'))
    throw new NotModelled('What norm_kwargs does is not known.');
  scope.layerNorm(name, sizeOf(section, 'width'));
}

/** Height and width: one number for both, or two. */
function sidesOf(section: Section, name: string, fallback: number): readonly [number, number] {
  const found = section.lookup(name);
  if (found.state !== 'value' || found.node.kind !== 'sequence') return [sizeOf(section, name, fallback), sizeOf(section, name, fallback)];
  const [height, width, ...rest] = found.node.items.map(numberOf);
  if (height === undefined || width === undefined || rest.length > 0) throw new NotModelled(`${name} is no pair.`);
  return [height, width];
}
