import { isMapping, type ParsedConfig } from '../syntax/node.ts';
import type { ConfigReading, DesignRole, TransformerDesign } from './design.ts';
import { affixes, collectSections, evidence, familyFor, isOtherKindOfFile, type ReadOptions } from './detect.ts';
import { declaredType, dialectOf } from './dialects.ts';
import { type Family, familyOf } from './families.ts';
import { joinPath } from './fields.ts';
import { type LexiconConcept, lexicon } from './lexicon.ts';
import { readParallelism } from './parallelism.ts';
import { Section } from './section.ts';
import { type FileContext, StackReader } from './stack.ts';
import { readStages } from './stages.ts';

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
  const taken: Section[] = [];
  for (const section of sections) {
    // A layer's mapping inside a stack that was read belongs to it.
    const isInside = (other: Section): boolean => other !== section && (other.path === '' || section.path.startsWith(`${other.path}.`));
    if (/(^|\.)layers?\.|blocks?\./.test(section.path) && taken.some(isInside)) continue;
    const found = readStacks(section, familyFor(section, rootSection, sections, options), file);
    if (found.length === 0) continue;
    taken.push(section);
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
