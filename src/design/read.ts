import { type ConfigNode, type EntryNode, isMapping, isScalar, isSequence, type MappingNode, type ParsedConfig } from '../syntax/node.ts';
import type { ConfigReading, DesignFields, DesignRole, Field, Parallelism, TransformerDesign } from './design.ts';
import { type Family, familyOf, familyOfArchitecture } from './families.ts';
import { type SizeFormula, sizeFormulas } from './formulas.ts';
import { evidenceOf, type LexiconConcept, lexicon, notAttention, parallelNames } from './lexicon.ts';
import { booleanOf, normaliseName, numberOf, Section } from './section.ts';
import { gatedByFamily, traitsOf } from './traits.ts';

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
  /^(attn_config|ffn_config|attention|attn|mlp|moe|ffn|feed_forward|rope|rope_scaling|rope_parameters|rotary|quantization|quantization_config|latent_attention|extra_attention_params|extra_ffn_params|ssm_cfg|norm_kwargs|init_config|generation_config|tokenizer|task_specific_params|id2label|label2id|optim|optimizer|scheduler|data|dataset|callbacks|loggers?|criterion|loss|lora|lora_config|peft_config|auto_map|compression_config|hydra|exp_manager|checkpoint|training_args|eval|vocab|added_tokens_decoder|\w+_config_dict)$/;

/** What a stack's reading needs to know of its file. */
interface FileContext {
  readonly sections: readonly Section[];
  /** The file builds on others that are not read (gin's `include`): what it leaves out may be set there. */
  readonly partial: boolean;
  /** Whether a library class reads the file, so that what it leaves out has the class's defaults. */
  readonly hasDefaults: boolean;
}

type Fields = { -readonly [K in keyof DesignFields]?: DesignFields[K] };

/** What a parsed file says about a model; undefined when it is not a model config. O(number of nodes), bounded. */
export function readDesign(parsed: ParsedConfig, options: ReadOptions = {}): ConfigReading | undefined {
  const root = parsed.root;
  if (!isMapping(root)) return undefined;
  const rootSection = new Section(root, '');
  if (isOtherKindOfFile(rootSection)) return undefined;
  const sections = collectSections(root);
  const declaresModel =
    declaredType(rootSection) !== undefined &&
    (rootSection.has('architectures') ||
      rootSection.has('transformers_version') ||
      familyOf(declaredType(rootSection) ?? '') !== undefined);
  if (!declaresModel && !sections.some((section) => evidence(section) >= 3)) return undefined;

  const file: FileContext = {
    sections,
    partial: parsed.format === 'gin' && /^\s*include\b/m.test(parsed.text),
    hasDefaults: parsed.format === 'json' || rootSection.has('architectures') || rootSection.has('transformers_version'),
  };
  const designs: TransformerDesign[] = [];
  const taken: MappingNode[] = [];
  for (const section of sections) {
    // What lies inside a stack that was read belongs to it, except nested configs of other towers.
    const parent = sections.find(
      (other) => other !== section && taken.includes(other.mapping) && section.path.startsWith(other.path === '' ? '' : `${other.path}.`),
    );
    if (parent !== undefined && /(^|\.)layers?\.|blocks?\./.test(section.path)) continue;
    const found = readStacks(section, familyFor(section, rootSection, sections, options), file);
    if (found.length === 0) continue;
    taken.push(section.mapping);
    designs.push(...found);
  }
  // A joint embedding's width beside the towers is no stack.
  if (designs.length > 1)
    for (let i = designs.length - 1; i >= 0; i--) {
      const fields = designs[i]?.fields;
      if (fields !== undefined && fields.queryHeads === undefined && fields.layers === undefined && fields.keyValueHeads === undefined)
        designs.splice(i, 1);
    }
  designs.sort((a, b) => priority(a) - priority(b));
  return {
    parsed,
    format: parsed.format,
    dialect: dialectOf(rootSection, designs[0]?.section ?? rootSection, parsed),
    designs: designs.slice(0, parsed.format === 'python' ? 200 : 24),
    parallelism: readParallelism(sections),
    root: rootSection,
  };
}

const priority = (design: TransformerDesign): number => {
  const size = design.fields.hiddenSize !== undefined && design.fields.queryHeads !== undefined ? 0 : 10;
  const role =
    design.role === 'text' || design.role === 'decoder' || /(^|\.)encoder(_conf|_config)?$/.test(design.name) || design.name === ''
      ? 0
      : design.role === 'other'
        ? 1
        : 2;
  return size + role;
};

/** Files that live beside model configs and share some of their keys. */
function isOtherKindOfFile(root: Section): boolean {
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
function collectSections(root: MappingNode): Section[] {
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
function evidence(section: Section): number {
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

const declaredType = (section: Section): string | undefined => section.string('model_type');

function familyFor(section: Section, root: Section, sections: readonly Section[], options: ReadOptions): Family | undefined {
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

// ---------------------------------------------------------------------------------------------------------------------
// One mapping -> its stacks

const affixes: readonly { readonly prefix?: string; readonly suffix?: string; readonly name: string; readonly role: DesignRole }[] = [
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

function readStacks(section: Section, family: Family | undefined, file: FileContext): TransformerDesign[] {
  const stages = readStages(section, family);
  if (stages.length > 0) return stages;
  const reader = new StackReader(section, family, file);
  if (
    reader.usesFamily &&
    family !== undefined &&
    (family.keys['encoder.layers'] !== undefined || family.keys['decoder.layers'] !== undefined)
  ) {
    const encoder = reader.read('encoder', 'encoder', 'encoder');
    const decoder = reader.read('decoder', 'decoder', 'decoder');
    return [encoder, decoder].filter((design): design is TransformerDesign => design !== undefined);
  }
  const designs: TransformerDesign[] = [];
  const hasOwn = ['queryHeads', 'keyValueHeads'].some((concept) =>
    lexicon[concept as LexiconConcept].some((name) => !/^(encoder|decoder)_/.test(name) && section.number(name) !== undefined),
  );
  for (const { name, role, ...affix } of reader.usesFamily ? [] : affixes) {
    if (hasOwn && (name === 'encoder' || name === 'decoder')) continue;
    if (!section.hasAffix(affix)) continue;
    const part = new Section(section.mapping, section.path, affix);
    const has = (concept: LexiconConcept): boolean =>
      lexicon[concept].some((word) => part.number(word) !== undefined) ||
      (name === 'audio' || name === 'text' ? ['state', 'head', 'layer'].some((word) => part.number(word) !== undefined) : false);
    if (!has('layers') || !(has('queryHeads') || has('hiddenSize'))) continue;
    if (!has('queryHeads') && part.number('head_width') === undefined && name !== 'vision') continue;
    const design = new StackReader(part, undefined, file, section).read(undefined, name, role);
    if (design !== undefined && !designs.some((other) => other.name === design.name)) designs.push(design);
  }
  const own = reader.read(undefined, section.path, roleOf(section, family));
  if (own !== undefined && (designs.length === 0 || hasOwn)) {
    designs.unshift(own);
    // T5-like formats without a model type: one width, two stacks.
    const decoderLayers = reader.decoderLayers();
    if (decoderLayers !== undefined && !designs.some((other) => other.name === 'decoder')) {
      designs[0] = { ...own, name: joinPath(section.path, 'encoder'), role: 'encoder' };
      designs.push({ ...own, name: joinPath(section.path, 'decoder'), role: 'decoder', fields: { ...own.fields, layers: decoderLayers } });
    }
  }
  return designs;
}

const joinPath = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`);

function roleOf(section: Section, family: Family | undefined): DesignRole {
  const name = `${section.path} ${family?.modelType ?? ''}`.toLowerCase();
  if (/vision|visual|image|vit\b|pixel|swin|siglip|clip_v|sam\b|dino|beit|deit/.test(name)) return 'vision';
  if (/audio|speech|whisper|wav|acoustic|conformer|hubert/.test(name)) return 'audio';
  if (/generator|talker|depth|mask|prompt|qformer|projector|perceiver|resampler/.test(name)) return 'other';
  if (section.string('mask') === 'fully_visible') return 'encoder';
  if (/text|language|llm|thinker/.test(name)) return 'text';
  if (/(^|\.)(\w*encoder\w*)( |$)/.test(section.path)) return 'encoder';
  if (/bert|electra|xlm|mpnet|deberta|longformer|ernie/.test(name) || section.has('type_vocab_size') || section.has('directionality'))
    return 'encoder';
  return 'decoder';
}

/** Hierarchical vision transformers: lists of depths and heads, one stack per stage. Swin doubles its width per stage (Liu et al. 2021, section 3.1). */
function readStages(section: Section, family: Family | undefined): TransformerDesign[] {
  const list = (
    ...names: string[]
  ): { readonly values: readonly number[]; readonly entry: EntryNode; readonly nodes: readonly ConfigNode[] } | undefined => {
    for (const name of names) {
      const found = section.lookup(name);
      if (found.state !== 'value' || !isSequence(found.node)) continue;
      const values = found.node.items.map(numberOf);
      if (values.length > 1 && values.every((value): value is number => value !== undefined))
        return { values, entry: found.entry, nodes: found.node.items };
    }
    return undefined;
  };
  const heads = list('num_heads', 'num_attention_heads', 'n_heads', 'heads');
  const depths = list('depths', 'num_layers', 'num_blocks', 'depth', 'layers');
  if (heads === undefined || depths === undefined || heads.values.length !== depths.values.length || heads.values.length > 8) return [];
  const widths = list('hidden_sizes', 'embed_dims', 'hidden_size', 'embed_dim', 'dims');
  const base = section.number('embed_dim');
  // Swin's heads grow with its width; where they stay (Swin2SR) the width stays too.
  const growth = heads.values.map((count) => count / (heads.values[0] ?? 1));
  const grows = growth.every((factor, i) => factor === 2 ** i) || growth.every((factor) => factor === 1);
  const isSwin =
    base !== undefined && grows && (section.has('window_size') || /swin/.test(family?.modelType ?? section.path.toLowerCase()));
  const stages: TransformerDesign[] = [];
  heads.values.forEach((count, i) => {
    const written = (values: readonly number[], entry: EntryNode, nodes: readonly ConfigNode[]): Field<number> | undefined => {
      const value = values[i];
      return value === undefined
        ? undefined
        : { value, source: 'written', range: nodes[i]?.range, keyRange: entry.keyRange, key: entry.key };
    };
    const fields: Fields = {
      queryHeads: written(heads.values, heads.entry, heads.nodes),
      layers: written(depths.values, depths.entry, depths.nodes),
    };
    fields.keyValueHeads = { value: count, source: 'derived', range: fields.queryHeads?.range, formula: 'queryHeads' };
    if (widths !== undefined && widths.values.length === heads.values.length)
      fields.hiddenSize = written(widths.values, widths.entry, widths.nodes);
    else if (isSwin) {
      const entry = section.entry('embed_dim');
      fields.hiddenSize = {
        value: base * (growth[i] ?? 1),
        source: i === 0 ? 'written' : 'derived',
        range: entry?.value?.range,
        keyRange: entry?.keyRange,
        key: entry?.key,
        formula: i === 0 ? undefined : `embed_dim * ${growth[i]}`,
      };
    }
    deriveHeadDim(fields);
    stages.push({
      name: joinPath(section.path, `stage ${i + 1}`),
      role: 'vision',
      family: family?.modelType,
      fields,
      section,
      knowledge: family,
      custom: false,
      // LeViT gives its heads `key_dim` features whatever the width.
      headDimIsQuotient:
        fields.hiddenSize !== undefined && section.mapping.partial !== true && !lexicon.headDim.some((name) => section.has(name)),
    });
  });
  return stages;
}

function deriveHeadDim(fields: Fields): void {
  const { hiddenSize, queryHeads } = fields;
  if (
    fields.headDim === undefined &&
    hiddenSize !== undefined &&
    queryHeads !== undefined &&
    queryHeads.value > 0 &&
    hiddenSize.value % queryHeads.value === 0
  )
    fields.headDim = {
      value: hiddenSize.value / queryHeads.value,
      source: 'derived',
      range: queryHeads.range,
      formula: 'hiddenSize / queryHeads',
    };
  if (fields.valueDim === undefined && fields.headDim !== undefined)
    fields.valueDim = { ...fields.headDim, source: 'derived', formula: fields.headDim.formula ?? 'headDim' };
}

/** Whether the library's own class reads this mapping, so that its defaults hold: the root, or a nested config that its parent's class names. */
function isLibraryConfig(section: Section, all: readonly Section[]): boolean {
  if (section.path === '') return true;
  const dot = section.path.lastIndexOf('.');
  const parent = all.find((other) => other.path === (dot < 0 ? '' : section.path.slice(0, dot)));
  const type = parent === undefined ? undefined : declaredType(parent);
  const family = type === undefined ? undefined : familyOf(type);
  return family !== undefined && section.path.slice(dot + 1) in family.subConfigs && parent !== undefined && isLibraryConfig(parent, all);
}

type Part = 'encoder' | 'decoder' | undefined;

class StackReader {
  readonly #section: Section;
  readonly #family: Family | undefined;
  readonly #file: FileContext;
  /** Where names without the section's affix are found. */
  readonly #shared: Section | undefined;
  readonly #custom: boolean;
  #isQuotient = false;
  /** Whether the family's own key names are used here (else the lexicon's). */
  readonly usesFamily: boolean;

  constructor(section: Section, family: Family | undefined, file: FileContext, shared?: Section) {
    this.#section = section;
    this.#family = family;
    this.#file = file;
    this.#shared = shared;
    // In Python a call of the library's own class says which defaults hold.
    const isLibraryCall = section.mapping.modelType !== undefined && section.mapping.className !== undefined;
    this.#custom =
      (!isLibraryCall && !file.hasDefaults) ||
      section.has('auto_map') ||
      (file.sections[0]?.has('auto_map') ?? false) ||
      (!isLibraryCall && !isLibraryConfig(section, file.sections));
    this.usesFamily = family !== undefined && this.#familyKeysPresent(family);
  }

  #familyKeysPresent(family: Family): boolean {
    const main = ['hiddenSize', 'queryHeads', 'layers', 'intermediateSize', 'encoder.layers', 'decoder.layers', 'keyValueHeads', 'headDim'];
    const keys = main.map((concept) => family.keys[concept]).filter((key): key is string => key !== undefined);
    if (keys.length === 0) return false;
    const aliases = Object.entries(family.aliases)
      .filter(([, target]) => keys.includes(target))
      .map(([alias]) => alias);
    const present = [...keys, ...aliases].filter((key) => this.#section.has(key)).length;
    if (present > 0) return true;
    if (this.#custom) return false;
    // Nothing of its sizes is written: all are the family's defaults, unless other names hold them.
    return !(['hiddenSize', 'queryHeads', 'layers'] as const).some((concept) =>
      lexicon[concept].some((name) => this.#section.number(name) !== undefined),
    );
  }

  decoderLayers(): Field<number> | undefined {
    for (const name of ['num_decoder_layers', 'decoder_layers', 'decoder_layers_num', 'n_decoder_layers', 'decoder_num_layers']) {
      const field = this.#written(name);
      if (field !== undefined && !lexiconHit(this.#section, 'layers', name)) return field;
    }
    return undefined;
  }

  #written(name: string): Field<number> | undefined {
    for (const section of this.#shared === undefined ? [this.#section] : [this.#section, this.#shared]) {
      const found = section.lookup(name);
      if (found.state !== 'value') continue;
      let node: ConfigNode | undefined = found.node;
      // A list that says the same for every layer is one number.
      if (isSequence(node)) {
        const values = node.items.map(numberOf);
        if (values.length === 0 || values.some((value) => value !== values[0])) return undefined;
        node = node.items[0];
      }
      const value = node === undefined ? undefined : numberOf(node);
      if (value !== undefined)
        return {
          value,
          source: 'written',
          range: isScalar(node) && node.origin !== undefined ? node.origin : found.node.range,
          keyRange: found.entry.keyRange,
          key: found.entry.key,
        };
    }
    return undefined;
  }

  /** The lexicon's first name that holds a number; undefined also when an earlier name is there but unreadable. */
  #byLexicon(concept: LexiconConcept, except: ReadonlySet<string> = none): Field<number> | 'unknown' | undefined {
    for (const name of lexicon[concept]) {
      if (except.has(name)) continue;
      const found = this.#section.lookup(name);
      if (found.state === 'absent' || found.state === 'null') continue;
      const field = this.#written(name);
      return field ?? 'unknown';
    }
    return undefined;
  }

  /** By the family's key, its aliases, then its default. */
  #byFamily(concept: string, family: Family): Field<number> | 'unknown' | undefined {
    const key = family.keys[concept];
    if (key === undefined) return undefined;
    const names = [
      key,
      ...Object.entries(family.aliases)
        .filter(([, target]) => target === key)
        .map(([alias]) => alias),
    ];
    for (const name of names) {
      const found = this.#section.lookup(name);
      if (found.state === 'absent' || found.state === 'null') continue;
      return this.#written(name) ?? 'unknown';
    }
    if (this.#custom) return undefined;
    const value = family.fields.get(key);
    return typeof value === 'number' ? { value, source: 'default', key, origin: family.className } : undefined;
  }

  #take(concept: LexiconConcept, part: Part, except?: ReadonlySet<string>): Field<number> | 'unknown' | undefined {
    const family = this.#family;
    if (this.usesFamily && family !== undefined) {
      if (part !== undefined && family.keys[`${part}.${concept}`] !== undefined) {
        const own = this.#byFamily(`${part}.${concept}`, family);
        if (own !== undefined) return own;
      }
      return this.#byFamily(concept, family);
    }
    return this.#byLexicon(concept, except);
  }

  read(part: Part, name: string, role: DesignRole): TransformerDesign | undefined {
    const section = this.#section;
    const family = this.#family;
    const fields: Fields = {};
    this.#isQuotient = false;
    const set = <K extends keyof Fields>(key: K, value: Fields[K] | 'unknown' | undefined): void => {
      if (value !== undefined && value !== 'unknown') fields[key] = value;
    };
    // `hidden_dim` is the FFN's width beside `dim`, the model's alone.
    const otherWidth = [
      'dim',
      'd_model',
      'hidden_size',
      'n_embd',
      'emb_dim',
      'dim_model',
      'base_emb_dim',
      'embed_dim',
      'width',
      'model_dim',
    ].some((word) => section.has(word));
    const whisper = section.number('state') !== undefined ? { hiddenSize: 'state', queryHeads: 'head', layers: 'layer' } : undefined;
    set('hiddenSize', whisper !== undefined ? this.#written(whisper.hiddenSize) : this.#take('hiddenSize', part));
    set('queryHeads', whisper !== undefined ? this.#written(whisper.queryHeads) : this.#take('queryHeads', part));
    set('layers', whisper !== undefined ? this.#written(whisper.layers) : this.#take('layers', part));
    if (this.#shared !== undefined && fields.hiddenSize === undefined) {
      const shared = new StackReader(this.#shared, undefined, this.#file).#byLexicon('hiddenSize');
      set('hiddenSize', shared);
    }
    if (fields.hiddenSize === undefined && /(^|\.)decoder_conf$/.test(section.path)) {
      // WeNet and ESPnet: the decoder is as wide as the encoder's output.
      const encoder = this.#file.sections.find((other) => other.path === section.path.replace(/decoder_conf$/, 'encoder_conf'));
      const width = encoder?.number('output_size');
      const entry = encoder?.entry('output_size');
      if (width !== undefined)
        fields.hiddenSize = {
          value: width,
          source: 'derived',
          range: entry?.value?.range,
          keyRange: entry?.keyRange,
          formula: 'encoder_conf.output_size',
        };
    }
    const keyValueHeads = this.#keyValueHeads(fields);
    set('keyValueHeads', keyValueHeads);
    const enough = [fields.hiddenSize, fields.queryHeads, fields.layers, fields.keyValueHeads].filter(
      (field) => field !== undefined && field.source !== 'derived',
    ).length;
    const ffn = this.#intermediate(fields, part, otherWidth && !this.usesFamily ? undefined : new Set(['hidden_dim']));
    set('intermediateSize', ffn);
    set('vocabularySize', this.#take('vocabularySize', undefined));
    this.#headDims(fields, keyValueHeads === 'unknown');
    if (enough === 0 && fields.headDim?.source !== 'written' && !(section.path === '' && section.affix === '' && evidence(section) >= 3))
      return undefined;
    if (enough < 2 && section.path !== '' && fields.headDim?.source !== 'written') return undefined;
    if (section.path !== '' && fields.hiddenSize === undefined && fields.queryHeads === undefined) return undefined;
    set('maxPositions', this.#take('maxPositions', undefined));
    this.#experts(fields);
    this.#qualities(fields, part);
    return {
      name: part === undefined ? (section.affix === '' ? section.path : joinPath(section.path, name)) : joinPath(section.path, name),
      role,
      family: family?.modelType ?? declaredType(section),
      fields,
      section,
      knowledge: this.usesFamily ? family : undefined,
      custom: this.#custom,
      headDimIsQuotient: this.#isQuotient,
    };
  }

  #keyValueHeads(fields: Fields): Field<number> | 'unknown' | undefined {
    const section = this.#section;
    const family = this.#family;
    const heads = fields.queryHeads;
    const derived = (value: number, formula: string, by?: string): Field<number> => ({
      value,
      source: 'derived',
      range: (by === undefined ? undefined : section.entry(by)?.value?.range) ?? heads?.range,
      keyRange: by === undefined ? heads?.keyRange : section.entry(by)?.keyRange,
      formula,
    });
    // Falcon: new_decoder_architecture uses num_kv_heads, otherwise multi_query means one.
    if (
      section.boolean('new_decoder_architecture') !== true &&
      section.boolean('multi_query') === true &&
      section.number('n_head_kv') === undefined
    )
      return derived(1, '1 (multi_query)', 'multi_query');
    if (this.usesFamily && family?.modelType === 'falcon' && section.boolean('new_decoder_architecture') !== true) {
      if (section.boolean('multi_query') === false) return heads === undefined ? undefined : derived(heads.value, 'queryHeads');
      return this.#custom ? undefined : { value: 1, source: 'default', key: 'multi_query', origin: family.className };
    }
    if (this.usesFamily && family?.keys.keyValueHeads === 'multi_query') {
      if (section.boolean('multi_query') === false) return heads === undefined ? undefined : derived(heads.value, 'queryHeads');
      return this.#custom ? undefined : { value: 1, source: 'default', key: 'multi_query', origin: family.className };
    }
    if (
      section.boolean('multi_query_attention') === true &&
      section.number('multi_query_group_num') === undefined &&
      section.number('n_kv_heads') === undefined
    )
      return derived(1, '1 (multi_query_attention)', 'multi_query_attention');
    if (section.boolean('multi_query_attention') === false && section.number('multi_query_group_num') !== undefined && heads !== undefined)
      return derived(heads.value, 'queryHeads');
    if (section.boolean('group_query_attention') === false && heads !== undefined) return derived(heads.value, 'queryHeads');
    for (const child of ['attn_config', 'extra_attention_params', 'attention', 'attention_config']) {
      const nested = section.child(child);
      if (nested === undefined) continue;
      if (nested.string('attn_type') === 'multiquery_attention') return derived(1, '1 (attn_type)', child);
      const field = new StackReader(nested, undefined, this.#file).#byLexicon('keyValueHeads');
      if (field !== undefined) return field;
    }
    if (this.usesFamily && family?.multiHead === true) return heads === undefined ? undefined : derived(heads.value, 'queryHeads');
    const found = this.#take('keyValueHeads', undefined);
    if (found !== undefined) return found;
    if (this.usesFamily && family !== undefined && family.keys.keyValueHeads === undefined) {
      // Code outside the library may share heads where the library's class does not.
      const written = this.#byLexicon('keyValueHeads');
      if (written !== undefined) return written;
    }
    if (heads === undefined) return undefined;
    return derived(heads.value, 'queryHeads');
  }

  #headDims(fields: Fields, keyValueUnknown: boolean): void {
    const section = this.#section;
    const family = this.usesFamily ? this.#family : undefined;
    const latent = section.child('latent_attention') ?? section;
    const part = (name: string): Field<number> | undefined => {
      const holder = latent === section ? this : new StackReader(latent, undefined, this.#file);
      const written = holder.#written(name);
      if (written !== undefined) return written;
      const value = latent.lookup(name).state === 'absent' && !this.#custom ? family?.fields.get(name) : undefined;
      return typeof value === 'number' && family !== undefined
        ? { value, source: 'default', key: name, origin: family.className }
        : undefined;
    };
    const nope = part('qk_nope_head_dim') ?? (section.boolean('multi_latent_attention') === true ? part('qk_head_dim') : undefined);
    const rope = part('qk_rope_head_dim') ?? part('qk_pos_emb_head_dim');
    const rank = part('kv_lora_rank');
    if (nope !== undefined && rope !== undefined && rank !== undefined && nope.value > 0) {
      fields.nopeHeadDim = nope;
      fields.ropeHeadDim = rope;
      fields.keyValueLoraRank = rank;
      const queryRank = part('q_lora_rank');
      if (queryRank !== undefined) fields.queryLoraRank = queryRank;
      const value = part('v_head_dim');
      if (value !== undefined) fields.valueDim = value;
      fields.headDim = {
        value: nope.value + rope.value,
        source: 'derived',
        range: nope.range ?? rope.range,
        keyRange: nope.keyRange ?? rope.keyRange,
        formula: 'nopeHeadDim + ropeHeadDim',
      };
      fields.rotaryDim = rope;
      return;
    }
    // DeepSeek code written for latent attention that switches it off with zeros and nulls.
    const switchedOff = section.lookup('kv_lora_rank').state === 'null' || section.number('qk_nope_head_dim') === 0;
    if (family?.latentAttention === true && !switchedOff) return;
    const explicit = this.#explicitHeadDim(family);
    if (explicit === 'unknown') return;
    const formula = family === undefined ? undefined : sizeFormulas.get(family.modelType)?.headDim;
    if (explicit !== undefined) fields.headDim = explicit;
    else if (formula !== undefined) {
      const value = this.#byFormula(formula);
      if (value === undefined) return;
      fields.headDim = value;
    } else if (
      (family?.floorsHeadDim === true || (family === undefined && isOpenLm(section))) &&
      fields.hiddenSize !== undefined &&
      fields.queryHeads !== undefined &&
      fields.queryHeads.value > 0
    ) {
      fields.headDim = {
        value: Math.floor(fields.hiddenSize.value / fields.queryHeads.value),
        source: 'derived',
        range: fields.queryHeads.range,
        formula: 'hiddenSize // queryHeads',
      };
    }
    if (fields.headDim === undefined && (section.path !== '' || section.affix !== '')) {
      const width = section.number('head_width');
      if (width === undefined && fields.queryHeads === undefined && fields.hiddenSize !== undefined && isClipTower(section)) {
        // CLIP's vision tower: heads = width // head_width, 64 unless set (open_clip, CLIPVisionCfg).
        fields.headDim = { value: 64, source: 'default', key: 'head_width', origin: 'CLIPVisionCfg' };
      }
    }
    if (
      fields.queryHeads === undefined &&
      fields.headDim !== undefined &&
      fields.hiddenSize !== undefined &&
      isClipTower(section) &&
      fields.hiddenSize.value % fields.headDim.value === 0
    ) {
      fields.queryHeads = {
        value: fields.hiddenSize.value / fields.headDim.value,
        source: 'derived',
        range: fields.hiddenSize.range,
        formula: 'hiddenSize / headDim',
      };
      if (fields.keyValueHeads === undefined) fields.keyValueHeads = { ...fields.queryHeads, formula: 'queryHeads' };
    }
    if (fields.headDim === undefined && !(switchedOff && family?.latentAttention === true) && !this.#dividesByDefault(family)) return;
    if (keyValueUnknown && fields.headDim === undefined && fields.queryHeads === undefined) return;
    if (!this.#attends()) return;
    if (fields.headDim === undefined) this.#isQuotient = true;
    deriveHeadDim(fields);
    const value = switchedOff ? undefined : part('v_head_dim');
    if (value !== undefined && value.value > 0 && fields.headDim !== undefined) fields.valueDim = value;
    else if (family === undefined) {
      const written = this.#byLexicon('valueDim');
      if (written !== undefined && written !== 'unknown') fields.valueDim = written;
    }
  }

  /** Whether every layer of the stack may be something else than softmax attention over these heads. */
  #attends(): boolean {
    for (const name of this.#section.names) if (notAttention.test(name)) return this.usesFamily;
    const layers = this.#section.entry('attention_config')?.value;
    if (layers !== undefined && isSequence(layers) && /^\W*(mamba|rwkv|gmlp|amlp)\W/.test(this.#textOf(layers))) return false;
    const type = `${declaredType(this.#section) ?? ''} ${this.#file.sections[0]?.string('model_type') ?? ''}`;
    return this.usesFamily || (!notAttention.test(type) && !/hawk|griffin|mamba|rwkv|mingru|minlstm|xlstm/.test(type));
  }

  #textOf(node: ConfigNode): string {
    if (isScalar(node)) return ` ${String(node.value)} `;
    if (isSequence(node))
      return node.items
        .slice(0, 4)
        .map((item) => this.#textOf(item))
        .join('');
    return '';
  }

  /** False where the family computes its head dim in another way than width / heads. */
  #dividesByDefault(family: Family | undefined): boolean {
    if (family === undefined) {
      const section = this.#section;
      if (this.#file.partial || section.mapping.partial === true) return false;
      // lucidrains' libraries give each head 64 features whatever the width.
      const lucidrains =
        section.has('dim') && section.has('heads') && (section.has('depth') || section.has('max_seq_len') || section.has('num_tokens'));
      // Any other key that speaks of a head's width sets it in a way not known here.
      const other = [...section.names].some(
        (name) =>
          section.lookup(name).state !== 'null' &&
          section.number(name) !== 0 &&
          /head/.test(name) &&
          /(dim|size|width|channels)/.test(name) &&
          !lexicon.headDim.includes(name) &&
          !/hidden|num|linear|value|rope|nope|index|pooler|class|mlp|proj/.test(name),
      );
      return !lucidrains && !other;
    }
    const hidden = family.fields.get(family.keys.hiddenSize ?? '');
    const heads = family.fields.get(family.keys.queryHeads ?? '') ?? family.fields.get(family.keys['encoder.queryHeads'] ?? '');
    const resolved = family.resolved.headDim;
    if (resolved === undefined) return true;
    return typeof hidden === 'number' && typeof heads === 'number' && resolved === Math.floor(hidden / heads);
  }

  #explicitHeadDim(family: Family | undefined): Field<number> | 'unknown' | undefined {
    const section = this.#section;
    if (family !== undefined) {
      const own = this.#byFamily('headDim', family);
      if (own !== undefined) return own;
      // Most modeling code reads `head_dim` even where the config class does not list it.
      const found = section.lookup('head_dim');
      if (found.state === 'value') return this.#written('head_dim') ?? 'unknown';
      return undefined;
    }
    // Cerebras and others give the width of all heads together.
    const inner = this.#written('attention_inner_dim');
    const heads = this.#take('queryHeads', undefined);
    if (inner !== undefined && heads !== undefined && heads !== 'unknown')
      return inner.value % heads.value === 0
        ? { ...inner, value: inner.value / heads.value, source: 'derived', formula: 'attention_inner_dim / queryHeads' }
        : 'unknown';
    for (const holder of [section, section.child('attn_config'), section.child('extra_attention_params'), section.child('attention')]) {
      if (holder === undefined) continue;
      const found = (holder === section ? this : new StackReader(holder, undefined, this.#file)).#byLexicon('headDim');
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** A family's own formula over its keys, written or default. */
  #byFormula(formula: SizeFormula): Field<number> | undefined {
    let by: Field<number> | undefined;
    const value = formula.of((key) => {
      const written = this.#written(key);
      by ??= written;
      if (written !== undefined) return written.value;
      const alias = Object.entries(this.#family?.aliases ?? {}).find(([name, target]) => target === key && this.#section.has(name))?.[0];
      if (alias !== undefined) return this.#section.number(alias);
      const fallback = this.#custom || this.#section.lookup(key).state === 'unknown' ? undefined : this.#family?.fields.get(key);
      return typeof fallback === 'number' ? fallback : undefined;
    });
    return value === undefined
      ? undefined
      : { value, source: 'derived', range: by?.range, keyRange: by?.keyRange, formula: formula.formula };
  }

  #intermediate(fields: Fields, part: Part, except: ReadonlySet<string> | undefined): Field<number> | 'unknown' | undefined {
    const section = this.#section;
    const family = this.usesFamily ? this.#family : undefined;
    const width = fields.hiddenSize?.value;
    const scaled = (value: number, by: string, formula: string): Field<number> => ({
      value,
      source: 'derived',
      range: section.entry(by)?.value?.range ?? fields.hiddenSize?.range,
      keyRange: section.entry(by)?.keyRange,
      key: section.entry(by)?.key,
      formula,
    });
    const key =
      family === undefined
        ? undefined
        : (family.keys[part === undefined ? 'intermediateSize' : `${part}.intermediateSize`] ?? family.keys.intermediateSize);
    const formula = family === undefined ? undefined : sizeFormulas.get(family.modelType)?.intermediateSize;
    if (formula !== undefined && (key === undefined || section.lookup(key).state !== 'value' || family?.modelType !== 'gpt_neo'))
      return this.#byFormula(formula);
    if (key !== undefined && /ratio/.test(key) && family !== undefined) {
      const ratio = section.number(key) ?? (this.#custom ? undefined : family.fields.get(key));
      if (typeof ratio !== 'number' || width === undefined || section.lookup(key).state === 'unknown') return undefined;
      return scaled(Math.trunc(width * ratio), key, `hiddenSize * ${key}`);
    }
    for (const child of ['ffn_config', 'extra_ffn_params']) {
      const nested = section.child(child);
      const written = nested === undefined ? undefined : new StackReader(nested, undefined, this.#file).#byLexicon('intermediateSize');
      if (written !== undefined) return written;
    }
    // A family's list of widths (one per layer) that are not all the same has no single answer.
    const own = this.#take('intermediateSize', part, except);
    if (own === 'unknown') return own;
    const type = declaredType(section);
    if (own !== undefined && own.source === 'written') {
      // Qwen 1 halves it: its two gate matrices share the written width.
      if (type === 'qwen') return scaled(own.value / 2, own.key ?? '', 'intermediate_size / 2');
      // GPT-NeoX scales a gated FFN so that three matrices share the written width (megatron/model/transformer.py, ParallelMLP).
      if (isGptNeoX(section) && isGatedName(section.string('activation')) && own.value % 3 === 0)
        return scaled(own.value / 3, own.key ?? '', 'intermediate_size / 3');
      // OLMo's SwiGLU splits the written width into gate and value (olmo/model.py, output_multiplier 0.5).
      if (own.key === 'mlp_hidden_size' && section.string('activation_type') === 'swiglu')
        return scaled(own.value / 2, own.key, 'mlp_hidden_size / 2');
      if (section.has('gating') && (own.key === 'dim_feedforward' || own.key?.endsWith('dim_feedforward') === true))
        return width === undefined ? undefined : scaled(moshiGate(width, own.value), own.key, 'gated dim_feedforward');
      return own;
    }
    if (own !== undefined) return own;
    if (width === undefined) return undefined;
    if (family !== undefined) {
      if (this.#custom) return undefined;
      const resolved = family.resolved.intermediateSize;
      const defaultWidth = family.fields.get(family.keys.hiddenSize ?? '');
      const fourfold = key === 'n_inner' || (resolved !== undefined && typeof defaultWidth === 'number' && resolved === 4 * defaultWidth);
      return fourfold && key !== undefined ? scaled(4 * width, key, '4 * hiddenSize') : undefined;
    }
    if (isOpenLm(section)) {
      // open_lm/model.py Block: SwiGLU two thirds of 4d, rounded up to 256, unless ffn_type says otherwise.
      const type = section.string('ffn_type') ?? 'swiglu';
      if (type === 'gelu') return scaled(4 * width, 'ffn_type', '4 * hiddenSize');
      return /^(swiglu|swiglu_torch|gemma_geglu)$/.test(type)
        ? scaled(256 * Math.ceil(Math.trunc((8 * width) / 3) / 256), 'ffn_type', '256 * ceil((8 * hiddenSize / 3) / 256)')
        : undefined;
    }
    const multiple = section.number('multiple_of');
    if (multiple !== undefined && multiple > 0 && section.number('dim') !== undefined && !section.has('mlp_structure')) {
      // Touvron et al. 2023; llama/model.py FeedForward: two thirds of 4d, scaled, rounded up to multiple_of.
      const multiplier = section.number('ffn_dim_multiplier');
      const base = Math.trunc((2 * 4 * width) / 3);
      const wide = multiplier === undefined ? base : Math.trunc(multiplier * base);
      return scaled(
        multiple * Math.ceil(wide / multiple),
        'multiple_of',
        'multiple_of * ceil(ffn_dim_multiplier * (8 * hiddenSize / 3) / multiple_of)',
      );
    }
    for (const name of lexicon.ffnRatio) {
      const ratio = section.number(name);
      if (ratio === undefined) continue;
      if (section.has('gating') && section.lookup('gating').state === 'value' && section.string('gating') !== 'none')
        return scaled(moshiGate(width, Math.trunc(width * ratio)), name, `gated hiddenSize * ${name}`);
      // OLMo's SwiGLU splits the written width into gate and value (olmo/model.py, output_multiplier 0.5).
      const halves = section.string('activation_type') === 'swiglu' && section.has('d_model') && name === 'mlp_ratio';
      return scaled(Math.trunc((width * ratio) / (halves ? 2 : 1)), name, `hiddenSize * ${name}${halves ? ' / 2' : ''}`);
    }
    if (isClipTower(section)) return scaled(4 * width, 'mlp_ratio', '4 * hiddenSize');
    const gated =
      isGatedName(section.string('activation') ?? section.string('hidden_act') ?? section.string('activation_type')) ||
      section.boolean('swiglu') === true;
    if (!gated && section.string('mlp_type') !== 'llama' && isFourfold(section)) return scaled(4 * width, '', '4 * hiddenSize');
    return undefined;
  }

  #experts(fields: Fields): void {
    const moe = this.#section.child('moe') ?? this.#section.child('ffn_config');
    const nested = moe === undefined ? undefined : new StackReader(moe, undefined, this.#file);
    for (const concept of ['experts', 'expertsPerToken', 'expertIntermediateSize', 'sharedExperts'] as const) {
      const found =
        (nested === undefined ? undefined : nested.#byLexicon(concept)) ??
        this.#take(concept, undefined) ??
        (this.usesFamily ? this.#byLexicon(concept) : undefined);
      if (found !== undefined && found !== 'unknown') fields[concept] = found;
    }
  }

  #qualities(fields: Fields, part: Part): void {
    const section = this.#section;
    const family = this.usesFamily ? this.#family : undefined;
    const epsilon = this.#take('normEpsilon', undefined) ?? (family !== undefined ? this.#byLexicon('normEpsilon') : undefined);
    if (epsilon !== undefined && epsilon !== 'unknown') fields.normEpsilon = epsilon;
    const activationKey = family?.keys.activation;
    for (const name of activationKey !== undefined ? [activationKey] : lexicon.activation) {
      const found = section.lookup(name);
      if (found.state !== 'value' || !isScalar(found.node) || typeof found.node.value !== 'string') continue;
      fields.activation = {
        value: found.node.value,
        source: 'written',
        range: found.node.range,
        keyRange: found.entry.keyRange,
        key: found.entry.key,
      };
      break;
    }
    if (fields.activation === undefined && family !== undefined && activationKey !== undefined && !this.#custom) {
      const value = family.fields.get(activationKey);
      if (typeof value === 'string') fields.activation = { value, source: 'default', key: activationKey, origin: family.className };
    }
    for (const [field, names] of booleanFields) {
      for (const name of names) {
        const found = section.lookup(name);
        const value = found.state === 'value' ? booleanOf(found.node) : undefined;
        if (value === undefined || found.state !== 'value') continue;
        fields[field] = { value, source: 'written', range: found.node.range, keyRange: found.entry.keyRange, key: found.entry.key };
        break;
      }
      if (fields[field] !== undefined || family === undefined || this.#custom) continue;
      for (const name of names) {
        const value = family.fields.get(name);
        if (typeof value !== 'boolean' || section.has(name)) continue;
        fields[field] = { value, source: 'default', key: name, origin: family.className };
        break;
      }
    }
    for (const name of ['torch_dtype', 'dtype', 'params_dtype', 'precision', 'model_dtype', 'weight_dtype']) {
      const found = section.lookup(name);
      if (found.state !== 'value' || !isScalar(found.node) || typeof found.node.value !== 'string') continue;
      fields.dtype = {
        value: found.node.value.replace(/^torch\./, ''),
        source: 'written',
        range: found.node.range,
        keyRange: found.entry.keyRange,
        key: found.entry.key,
      };
      break;
    }
    const window = this.#written('sliding_window') ?? this.#written('sliding_window_size') ?? this.#written('sliding_window_width');
    if (window !== undefined) fields.slidingWindow = window;
    const theta =
      this.#written('rope_theta') ??
      this.#written('rotary_emb_base') ??
      this.#written('rope_max_timescale') ??
      this.#written('rotary_base');
    if (theta !== undefined) fields.ropeTheta = theta;
    const types = section.lookup('layer_types');
    if (types.state === 'value' && isSequence(types.node)) {
      const values = types.node.items.map((item) => (isScalar(item) && typeof item.value === 'string' ? item.value : undefined));
      if (values.every((value): value is string => value !== undefined))
        fields.layerTypes = {
          value: values,
          source: 'written',
          range: types.node.range,
          keyRange: types.entry.keyRange,
          key: types.entry.key,
        };
    }
    for (const name of ['embedding_size', 'emb_size', 'word_embed_proj_dim']) {
      const written = this.#written(name);
      // In OLMo `embedding_size` is the padded vocabulary.
      if (written !== undefined && !section.has('d_model')) {
        fields.embeddingSize = written;
        break;
      }
    }
    const factor = this.#rotaryFactor();
    if (factor !== undefined) {
      fields.rotaryFactor = factor;
      if (fields.headDim !== undefined && fields.rotaryDim === undefined)
        fields.rotaryDim = {
          value: Math.trunc(fields.headDim.value * factor.value),
          source: 'derived',
          range: factor.range,
          keyRange: factor.keyRange,
          formula: 'headDim * rotaryFactor',
        };
    }
    const rotary = this.#written('rotary_dim') ?? this.#written('pe_rotary_dims') ?? this.#written('rotary_ndims');
    if (rotary !== undefined && rotary.value > 0) fields.rotaryDim = rotary;
    const traits = traitsOf(
      this.#family?.modelType ?? declaredType(section),
      this.#shared === undefined ? [section] : [section, this.#shared],
      part,
      family !== undefined,
    );
    if (traits.normPlacement !== undefined) fields.normPlacement = traits.normPlacement;
    if (traits.causal !== undefined) fields.causal = traits.causal;
    if (traits.positions !== undefined) fields.positions = traits.positions;
    const byFamily = family?.gated ?? gatedByFamily(this.#family?.modelType ?? declaredType(section));
    const gated = gatedOf(section, fields.activation?.value, byFamily);
    if (gated !== undefined)
      fields.gatedFfn = {
        value: gated,
        source: byFamily === gated ? 'default' : 'derived',
        origin: family?.className,
        formula: byFamily === gated ? undefined : 'activation',
      };
  }

  #rotaryFactor(): Field<number> | undefined {
    for (const holder of [this.#section, this.#section.child('rope_parameters'), this.#section.child('rope_scaling')]) {
      if (holder === undefined) continue;
      const reader = holder === this.#section ? this : new StackReader(holder, undefined, this.#file);
      for (const name of ['partial_rotary_factor', 'rotary_pct', 'rotary_percentage', 'rotary_percent', 'rope_pct']) {
        const written = reader.#written(name);
        if (written !== undefined) return written;
      }
    }
    return undefined;
  }
}

const none: ReadonlySet<string> = new Set();

const booleanFields = [
  [
    'tieEmbeddings',
    ['tie_word_embeddings', 'weight_tying', 'tie_weights', 'share_embeddings_and_output_weights', 'logits_via_embedding', 'tie_embeddings'],
  ],
  ['attentionBias', ['attention_bias', 'qkv_bias', 'attn_bias', 'use_qkv_bias', 'attention_qkv_bias', 'add_qkv_bias', 'bias_attn']],
] as const;

const lexiconHit = (section: Section, concept: LexiconConcept, name: string): boolean =>
  lexicon[concept].find((word) => section.number(word) !== undefined) === name;

/** open_lm's model configs: `hidden_dim` is the model's width, heads get `dim // n_heads` features. */
const isOpenLm = (section: Section): boolean =>
  section.has('hidden_dim') &&
  section.has('n_heads') &&
  section.has('n_layers') &&
  (section.has('seq_len') || section.has('post_embed_norm'));

const isClipTower = (section: Section): boolean =>
  section.has('width') &&
  section.has('layers') &&
  (section.has('patch_size') || section.has('image_size') || section.has('head_width') || section.has('context_length'));

const isGptNeoX = (section: Section): boolean =>
  section.has('num_layers') &&
  section.has('hidden_size') &&
  ['pipe_parallel_size', 'pos_emb', 'gpt_j_residual', 'no_weight_tying', 'output_layer_parallelism', 'rotary_pct', 'attention_config'].some(
    (name) => section.has(name),
  );

/** Formats whose FFN is four times the width unless they say otherwise. */
const isFourfold = (section: Section): boolean =>
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
const moshiGate = (width: number, feedForward: number): number =>
  feedForward === 4 * width ? Math.floor((21 * width) / 8) : Math.floor((2 * feedForward) / 3);

const isGatedName = (activation: string | undefined): boolean => activation !== undefined && /glu|gated/i.test(activation);

function gatedOf(section: Section, activation: string | undefined, byFamily: boolean | undefined): boolean | undefined {
  if (isGatedName(activation)) return true;
  const list = section.lookup('mlp_activations');
  if (list.state === 'value' && isSequence(list.node)) return list.node.items.some((item) => isScalar(item) && item.value === 'linear');
  if (section.boolean('swiglu') === true || section.string('feed_forward') === 'gated' || section.string('mlp_type') === 'swiglu')
    return true;
  return byFamily;
}

function dialectOf(root: Section, main: Section, parsed: ParsedConfig): string {
  if (parsed.format === 'shell') return 'megatron-arguments';
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

function readParallelism(sections: readonly Section[]): Parallelism {
  const found: { -readonly [K in keyof Parallelism]?: Parallelism[K] } = {};
  for (const kind of ['tensor', 'pipeline', 'context', 'expert'] as const) {
    search: for (const section of sections)
      for (const name of parallelNames[kind]) {
        const value = section.number(name);
        const entry = section.entry(name);
        if (value === undefined || entry === undefined || !Number.isInteger(value) || value < 1) continue;
        found[kind] = { value, source: 'written', range: entry.value?.range, keyRange: entry.keyRange, key: entry.key };
        break search;
      }
  }
  return found;
}
