import type { ConfigReading, FieldName, TransformerDesign } from '../design/design.ts';
import type { Family } from '../design/families.ts';
import { dialectKeys } from './dialectKeys.ts';
import { fieldInfo } from './fieldInfo.ts';
import { fieldsOf } from './locate.ts';

/** A key that the stack's family reads. */
export interface KeyKnowledge {
  readonly key: string;
  /** The quantity it sets, where it sets one. */
  readonly concept?: FieldName;
  /** Value that holds where the key is absent. */
  readonly default?: string | number | boolean | null;
  /** Class or library whose default it is. */
  readonly origin?: string;
  readonly doc?: string;
  /** Accepted values, where they can be listed. */
  readonly values?: readonly string[];
}

const isField = (concept: string): concept is FieldName => concept in fieldInfo;

const cache = new WeakMap<Family, readonly KeyKnowledge[]>();

/** Keys that may be written in this stack's mapping, those that set a quantity first. */
export function keysOf(reading: ConfigReading, design: TransformerDesign): readonly KeyKnowledge[] {
  if (design.knowledge === undefined) return keysOfDialect(reading, design);
  let keys = cache.get(design.knowledge);
  if (keys === undefined) {
    keys = familyKeys(design.knowledge);
    cache.set(design.knowledge, keys);
  }
  return keys;
}

/** Every field of the family's config class. A part of a two-part model (`encoder.layers`) names its concept after the dot. */
function familyKeys(family: Family): readonly KeyKnowledge[] {
  const concepts = new Map<string, FieldName>();
  for (const [concept, key] of Object.entries(family.keys)) {
    const name = concept.split('.').at(-1) ?? '';
    if (isField(name) && !concepts.has(key)) concepts.set(key, name);
  }
  const order = Object.keys(fieldInfo);
  const rank = (key: KeyKnowledge): number => (key.concept === undefined ? order.length : order.indexOf(key.concept));
  const keys = [...family.fields].map(([key, value]): KeyKnowledge => {
    const concept = concepts.get(key) ?? commonConcepts[key];
    return {
      key,
      concept,
      default: value,
      origin: family.className,
      doc: commonDocs[key],
      values: concept === undefined ? undefined : fieldInfo[concept].values,
    };
  });
  for (const key of modelKeys) if (!family.fields.has(key)) keys.push({ key, doc: commonDocs[key], concept: commonConcepts[key] });
  return keys.sort((a, b) => rank(a) - rank(b));
}

/** Without a family: what the format's code reads, else what is written here. Keys are spelled as the file spells its own. */
function keysOfDialect(reading: ConfigReading, design: TransformerDesign): readonly KeyKnowledge[] {
  const keys = new Map<string, KeyKnowledge>();
  const dashes = reading.format === 'shell' || design.section.mapping.entries.some(({ key }) => /^[a-z]+-[a-z]/.test(key));
  for (const [name, concept, doc] of dialectKeys[reading.dialect] ?? []) {
    const key = dashes ? name.replaceAll('_', '-') : name;
    keys.set(key, { key, concept, doc, values: doc === undefined && concept !== undefined ? fieldInfo[concept].values : undefined });
  }
  for (const [name, field] of fieldsOf(design)) {
    if (field.key === undefined || field.key.includes('.') || keys.has(field.key)) continue;
    keys.set(field.key, { key: field.key, concept: name, origin: field.origin, values: fieldInfo[name].values });
  }
  return [...keys.values()];
}

/** Fields of the library's base class, valid in every config. */
const modelKeys = ['model_type', 'architectures', 'torch_dtype', 'dtype', 'transformers_version', 'auto_map'];

/** Keys whose meaning is the same in every family of the library, where the family data does not name it. */
const commonConcepts: Readonly<Record<string, FieldName>> = {
  hidden_act: 'activation',
  activation_function: 'activation',
  rms_norm_eps: 'normEpsilon',
  layer_norm_eps: 'normEpsilon',
  layer_norm_epsilon: 'normEpsilon',
  tie_word_embeddings: 'tieEmbeddings',
  attention_bias: 'attentionBias',
  torch_dtype: 'dtype',
  dtype: 'dtype',
  sliding_window: 'slidingWindow',
  layer_types: 'layerTypes',
  rope_theta: 'ropeTheta',
};

/** https://huggingface.co/docs/transformers/main_classes/configuration */
const commonDocs: Readonly<Record<string, string>> = {
  model_type: 'Family of the model: chooses the config class, and with it the meaning and default of every other key.',
  architectures: 'Model classes that the weights were saved from.',
  torch_dtype: 'Type in which the weights are stored.',
  dtype: 'Type in which the weights are stored.',
  transformers_version: 'Library version that wrote the file.',
  auto_map: 'Code of its own that the checkpoint brings. Its class may know other keys and defaults than the library.',
  rope_parameters: 'Rotary embedding: `rope_type`, `rope_theta` and what that type needs.',
  rope_scaling: 'Rotary scaling for longer contexts: `rope_type` and what that type needs. Newer files say `rope_parameters`.',
  initializer_range: 'Standard deviation of the initial weights.',
  use_cache: 'Whether generation keeps keys and values of earlier tokens.',
  bos_token_id: 'Token id that begins a sequence; smaller than the vocabulary.',
  eos_token_id: 'Token id (or ids) that ends a sequence; smaller than the vocabulary.',
  pad_token_id: 'Token id that fills shorter sequences of a batch; smaller than the vocabulary.',
  attention_dropout: 'Share of attention weights dropped in training.',
  mlp_bias: 'Whether the FFN matrices have a bias.',
  text_config: 'The text stack.',
  vision_config: 'The vision stack.',
  audio_config: 'The audio stack.',
};
