import { type Architecture, type Architectures, type Layout, tied } from './architecture.ts';
import { architectureIn } from './lookup.ts';
import type { Settings } from './settings.ts';
import { NotModelled, type Scope } from './sheet.ts';
import { refuseAbsent } from './vision.ts';

/*
 * A tower that sees or hears, a projector and a language model (LLaVA, Liu et al. 2023). The source of an entry `x` is the class it
 * describes: transformers 5.18.0, src/transformers/models/x/modeling_x.py.
 */

const hiddenOf = (c: Settings): number => c.int('hidden_size');

interface CompositeOptions {
  readonly towerKey?: string;
  readonly tower: string;
  readonly towerName?: string;
  readonly text: string;
  readonly projector: (s: Scope, c: Settings, tower: Settings, text: Settings) => void;
  readonly projectorName?: string;
  readonly also?: (s: Scope, c: Settings, text: Settings) => void;
  readonly tied?: (c: Settings) => boolean;
}

function composite(o: CompositeOptions, all: readonly Architectures[]): Architecture {
  const towerKey = o.towerKey ?? 'vision_config';
  const body: Layout = (s, c) => {
    const tower = c.child(towerKey, o.tower);
    const text = c.child('text_config', o.text);
    refuseAbsent(tower, towerKey);
    refuseAbsent(text, 'text_config');
    // Repeated from the language model by the files that were converted; no layer of the tower or around it has them.
    for (const key of ['vocab_size', 'projection_dim', 'num_image_tokens']) tower.read.add(key);
    text.read.add('num_image_tokens');
    for (const key of ['hidden_size', 'vocab_size', 'projection_dim']) c.read.add(key);
    layoutOf(tower, all)(s.at(o.towerName ?? 'vision_tower'), tower);
    o.projector(s.at(o.projectorName ?? 'multi_modal_projector'), c, tower, text);
    layoutOf(text, all)(s.at('language_model'), text);
    o.also?.(s, c, text);
  };
  return {
    body,
    usual: 'ForConditionalGeneration',
    heads: {
      ForConditionalGeneration: (s, c) => {
        body(s.at('model'), c);
        const text = c.children.find((child) => child.section?.path.endsWith('text_config') === true);
        if (text === undefined) throw new NotModelled('text_config is not given.');
        s.head('lm_head', text.int('vocab_size'), hiddenOf(text), (o.tied ?? tied)(c));
      },
    },
  };
}

function layoutOf(c: Settings, all: readonly Architectures[]): Layout {
  const architecture = architectureIn(all, c.family.modelType);
  if (architecture === undefined) throw new NotModelled(`The layers of ${c.family.modelType} are not described yet.`);
  return architecture.body;
}

/** How many layers' features are joined before the projector. */
const featureLayers = (c: Settings): number => (c.isList('vision_feature_layer') ? (c.numbers('vision_feature_layer')?.length ?? 1) : 1);

const twoLinear = (s: Scope, c: Settings, tower: Settings, text: Settings): void => {
  const bias = c.flag('multimodal_projector_bias', true);
  s.linear('linear_1', hiddenOf(text), hiddenOf(tower) * featureLayers(c), bias);
  s.linear('linear_2', hiddenOf(text), hiddenOf(text), bias);
};

/** The tower merges and projects by itself. */
const none = (): void => {};

const newline = (s: Scope, _: Settings, text: Settings): void => s.weight('image_newline', [hiddenOf(text)]);

const textSizes = [
  'vocab_size',
  'hidden_size',
  'intermediate_size',
  'num_hidden_layers',
  'num_attention_heads',
  'num_key_value_heads',
  'head_dim',
];

/** Described over the other groups, whose base classes they join. */
export const composites = (all: readonly Architectures[]): Architectures => ({
  llava: composite({ tower: 'clip_vision_model', text: 'llama', projector: twoLinear }, all),
  llava_next: composite({ tower: 'clip_vision_model', text: 'llama', projector: twoLinear, also: newline }, all),
  llava_next_video: composite({ tower: 'clip_vision_model', text: 'llama', projector: twoLinear, also: newline }, all),
  llava_onevision: composite({ tower: 'siglip_vision_model', text: 'qwen2', projector: twoLinear, also: newline }, all),
  vipllava: composite(
    {
      tower: 'clip_vision_model',
      text: 'llama',
      projector: (s, c, tower, text) => {
        // Five layers' features, joined.
        const joined = (c.isList('vision_feature_layers') ? (c.numbers('vision_feature_layers')?.length ?? 5) : 5) * hiddenOf(tower);
        s.layerNorm('projector_layernorm', joined);
        s.linear('linear_1', hiddenOf(text), joined, true);
        s.linear('linear_2', hiddenOf(text), hiddenOf(text), true);
      },
    },
    all,
  ),
  paligemma: composite(
    {
      tower: 'siglip_vision_model',
      text: 'gemma',
      projector: (s, c, tower) => s.linear('linear', c.int('projection_dim'), hiddenOf(tower), true),
    },
    all,
  ),
  gemma3: composite(
    {
      tower: 'siglip_vision_model',
      text: 'gemma3_text',
      projector: (s, c, tower, text) => {
        c.read.add('mm_tokens_per_image');
        s.weight('mm_input_projection_weight', [hiddenOf(tower), hiddenOf(text)]);
        s.norm('mm_soft_emb_norm', hiddenOf(tower));
      },
    },
    all,
  ),
  mistral3: composite({ tower: 'pixtral', text: 'mistral', projector: patchMerger }, all),
  lighton_ocr: composite(
    {
      tower: 'pixtral',
      text: 'qwen3',
      towerName: 'vision_encoder',
      projectorName: 'vision_projection',
      projector: patchMerger,
    },
    all,
  ),
  qwen2_vl: composite({ tower: 'qwen2_vl_vision', text: 'qwen2_vl_text', towerName: 'visual', projector: none }, all),
  qwen2_5_vl: composite({ tower: 'qwen2_5_vl_vision', text: 'qwen2_5_vl_text', towerName: 'visual', projector: none }, all),
  qwen3_vl: composite({ tower: 'qwen3_vl_vision', text: 'qwen3_vl_text', towerName: 'visual', projector: none }, all),
  qwen3_5: composite({ tower: 'qwen3_5_vision', text: 'qwen3_5_text', towerName: 'visual', projector: none }, all),
  qwen3_5_moe: composite({ tower: 'qwen3_5_moe_vision', text: 'qwen3_5_moe_text', towerName: 'visual', projector: none }, all),
  qwen2_audio: composite(
    {
      towerKey: 'audio_config',
      tower: 'qwen2_audio_encoder',
      text: 'qwen2',
      towerName: 'audio_tower',
      projector: (s, _, tower, text) => s.linear('linear', hiddenOf(text), tower.int('d_model'), true),
      tied: (c) => c.flag('tie_word_embeddings'),
    },
    all,
  ),
  voxtral: composite(
    {
      towerKey: 'audio_config',
      tower: 'voxtral_encoder',
      text: 'llama',
      towerName: 'audio_tower',
      projector: (s, _, tower, text) => {
        // The class fills gaps of the nested config with sizes of its own.
        for (const key of textSizes) if (text.section?.has(key) !== true) throw new NotModelled(`text_config.${key} is not given.`);
        s.linear('linear_1', hiddenOf(text), tower.int('intermediate_size'));
        s.linear('linear_2', hiddenOf(text), hiddenOf(text));
      },
    },
    all,
  ),
});

/** Mistral 3.1: neighbouring patches merged into one before the projection. */
function patchMerger(s: Scope, c: Settings, tower: Settings, text: Settings): void {
  const bias = c.flag('multimodal_projector_bias');
  const merge = c.int('spatial_merge_size');
  s.norm('norm', hiddenOf(tower));
  s.linear('patch_merger.merging_layer', hiddenOf(tower), hiddenOf(tower) * merge * merge);
  s.linear('linear_1', hiddenOf(text), hiddenOf(tower) * featureLayers(c), bias);
  s.linear('linear_2', hiddenOf(text), hiddenOf(text), bias);
}
