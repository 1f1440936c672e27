import { isMapping, isScalar, isSequence, type MappingNode } from '../syntax/node.ts';
import type { DesignRole } from './design.ts';
import { declaredType, isClipTower } from './dialects.ts';
import { type Family, familyOf, familyOfArchitecture } from './families.ts';
import { evidenceOf } from './lexicon.ts';
import { normaliseName, numberOf, Section } from './section.ts';

export interface ReadOptions {
  /** Model type to assume where the file names none. */
  readonly family?: string;
}

/** A config's mapping has far fewer keys than this; a tokenizer's vocabulary has far more. */
const maximumKeys = 400;
const maximumMappings = 3000;
const maximumDepth = 9;

/** Mappings that describe a part of their parent's layers, or nothing of the model at all. */
const notStacks =
  /^(attn_config|ffn_config|attention|attn|mlp|moe|ffn|feed_forward|rope|rope_scaling|rope_parameters|rotary|quantization|quantization_config|latent_attention|extra_attention_params|extra_ffn_params|ssm_cfg|norm_kwargs|init_config|generation_config|tokenizer|task_specific_params|id2label|label2id|optim|optimizer|scheduler|data|dataset|callbacks|loggers?|criterion|loss|lora|lora_config|peft_config|auto_map|compression_config|hydra|exp_manager|checkpoint|training_args|eval|vocab|search_?space|search|sweep|choices|candidates|hparam_space|added_tokens_decoder|\w+_config_dict)$/;

/** Files that live beside model configs and share some of their keys. */
export function isOtherKindOfFile(root: Section): boolean {
  const tells = [
    'tokenizer_class',
    'added_tokens_decoder',
    'feature_extractor_type',
    'image_processor_type',
    'processor_class',
    'compilerOptions',
    'peft_type',
    'weight_map',
    'do_sample',
    'dependencies',
    'devDependencies',
  ];
  if (!tells.some((name) => root.has(name) || root.has(normaliseName(name)))) return false;
  return ![
    'hidden_size',
    'num_attention_heads',
    'n_embd',
    'd_model',
    'num_hidden_layers',
    'text_config',
    'n_layer',
    'n_heads',
    'architectures',
  ].some((name) => root.has(name) && root.lookup(name).state === 'value');
}

/** Every mapping that may describe a stack, outermost first. */
export function collectSections(root: MappingNode): Section[] {
  const found: Section[] = [];
  const queue: { readonly node: MappingNode; readonly path: string; readonly depth: number }[] = [{ node: root, path: '', depth: 0 }];
  for (let at = 0; at < queue.length && found.length < maximumMappings; at++) {
    const item = queue[at];
    if (item === undefined) break;
    if (item.node.entries.length > maximumKeys) continue;
    found.push(new Section(item.node, item.path));
    if (item.depth >= maximumDepth) continue;
    for (const entry of item.node.entries) {
      const name = normaliseName(entry.key);
      if (notStacks.test(name)) continue;
      const path = item.path === '' ? entry.key : `${item.path}.${entry.key}`;
      if (isMapping(entry.value)) queue.push({ node: entry.value, path, depth: item.depth + 1 });
    }
  }
  return found;
}

/** How much speaks for a model config in one mapping; 3 is enough. */
export function evidence(section: Section): number {
  let sum = 0;
  let weakOnly = true;
  let hasModelWord = false;
  for (const name of section.names) {
    const weight = evidenceOf(name);
    if (weight === 0) continue;
    const found = section.lookup(name);
    if (found.state !== 'value') continue;
    const isSize = !isScalar(found.node) || numberOf(found.node) !== undefined || typeof found.node.value === 'boolean';
    if (!isSize && !name.startsWith('rope_')) continue;
    // `heads`, `width` and `layers` are words of many trades; `dim`, `depth` and `heads` together are lucidrains' own.
    if (/^(width|depth|layers|dim|heads)$/.test(name) && !(section.has('dim') && section.has('heads') && section.has('depth'))) continue;
    if (weight >= 3) weakOnly = false;
    if (/head|vocab|layer|n_ctx|n_positions|ff|mlp|parallel|pipeline|expert|hidden|embd/.test(name)) hasModelWord = true;
    sum += weight;
  }
  if (isClipTower(section)) return 3;
  if (weakOnly)
    for (const { prefix = '', suffix = '' } of affixes) {
      const has = (name: string): boolean => section.number(prefix + name + suffix) !== undefined;
      if (has('num_attention_heads') || has('attention_heads') || has('heads') || (has('layers') && has('width'))) return 3;
      // Whisper's own dimensions: n_audio_state, n_audio_head, n_audio_layer.
      if (has('state') && has('head') && has('layer')) return 3;
    }
  return weakOnly && !hasModelWord ? 0 : sum;
}

export const affixes: readonly { readonly prefix?: string; readonly suffix?: string; readonly name: string; readonly role: DesignRole }[] =
  [
    { prefix: 'encoder_', name: 'encoder', role: 'encoder' },
    { prefix: 'decoder_', name: 'decoder', role: 'decoder' },
    { prefix: 'enc_', name: 'encoder', role: 'encoder' },
    { prefix: 'dec_', name: 'decoder', role: 'decoder' },
    { prefix: 'text_', name: 'text', role: 'text' },
    { prefix: 'vision_', name: 'vision', role: 'vision' },
    { prefix: 'visual_', name: 'visual', role: 'vision' },
    { prefix: 'image_', name: 'image', role: 'vision' },
    { prefix: 'n_text_', name: 'text', role: 'text' },
    { prefix: 'n_audio_', name: 'audio', role: 'audio' },
    { prefix: 'audio_', name: 'audio', role: 'audio' },
    { prefix: 'depformer_', name: 'depformer', role: 'decoder' },
    { suffix: '_for_vit', name: 'vit', role: 'vision' },
    { suffix: '_for_audio', name: 'audio', role: 'audio' },
  ];

export function familyFor(section: Section, root: Section, sections: readonly Section[], options: ReadOptions): Family | undefined {
  if (section.mapping.modelType !== undefined) return familyOf(section.mapping.modelType);
  const declared = declaredType(section);
  if (declared !== undefined && declared !== '') return familyOf(declared);
  const architecture = architectureOf(section);
  if (architecture !== undefined) {
    const family = familyOfArchitecture(architecture);
    if (family !== undefined && Object.keys(family.keys).length > 0) return family;
  }
  // A nested config takes the type that its parent's class gives it.
  const dot = section.path.lastIndexOf('.');
  if (section.path !== '') {
    const parentPath = dot < 0 ? '' : section.path.slice(0, dot);
    const key = dot < 0 ? section.path : section.path.slice(dot + 1);
    const parent = sections.find((other) => other.path === parentPath);
    const parentType = parent === undefined ? undefined : declaredType(parent);
    const subType = parentType === undefined ? undefined : familyOf(parentType)?.subConfigs[key];
    if (subType !== undefined && subType !== '') return familyOf(subType);
    return undefined;
  }
  return section === root || section.path === root.path ? (options.family === undefined ? undefined : familyOf(options.family)) : undefined;
}

function architectureOf(section: Section): string | undefined {
  const found = section.lookup('architectures');
  if (found.state !== 'value' || !isSequence(found.node)) return undefined;
  const first = found.node.items[0];
  return isScalar(first) && typeof first.value === 'string' ? first.value : undefined;
}

/** Whether the library's own class reads this mapping, so that its defaults hold: the root, or a nested config that its parent's class names. */
export function isLibraryConfig(section: Section, all: readonly Section[]): boolean {
  if (section.path === '') return true;
  const dot = section.path.lastIndexOf('.');
  const parent = all.find((other) => other.path === (dot < 0 ? '' : section.path.slice(0, dot)));
  const type = parent === undefined ? undefined : declaredType(parent);
  const family = type === undefined ? undefined : familyOf(type);
  return family !== undefined && section.path.slice(dot + 1) in family.subConfigs && parent !== undefined && isLibraryConfig(parent, all);
}
