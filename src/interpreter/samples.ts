/**
 * Numbers under which code is tried where symbols alone decide nothing: `d_ff` and `d_model` may be equal as far as algebra goes, but
 * code that works only then is broken.
 *
 * The defaults that the code itself gives are one sample. Names that say what they are in a transformer make two more, in which sizes
 * of different meaning differ. What fails under the defaults, or under both others, fails.
 */
import { type LexiconConcept, lexicon } from '../design/lexicon.ts';
import { normaliseName } from '../design/section.ts';
import { type Atom, type Dim, loneAtom, mapAtoms, minimum, number, type SymbolAtom } from '../dims/dim.ts';
import { compare, Facts } from '../dims/facts.ts';
import { substitute, symbolsOf } from '../dims/visit.ts';
import { shareScope } from './make.ts';

/** Numbers of the symbols that have one, by the symbol's key. */
export type Sample = (symbol: SymbolAtom) => number | undefined;

const concepts: ReadonlyMap<string, LexiconConcept> = new Map(
  (Object.entries(lexicon) as [LexiconConcept, readonly string[]][]).flatMap(([concept, names]) =>
    names.map((name) => [name, concept] as const),
  ),
);

/** Heads times head dim is the width in the first, and not in the second. */
const typical: readonly Readonly<Partial<Record<LexiconConcept, number>>>[] = [
  {
    hiddenSize: 768,
    queryHeads: 12,
    keyValueHeads: 4,
    headDim: 64,
    intermediateSize: 2816,
    vocabularySize: 10007,
    maxPositions: 2038,
    layers: 5,
    experts: 8,
    expertsPerToken: 2,
    valueDim: 40,
    expertIntermediateSize: 1056,
    sharedExperts: 3,
  },
  {
    hiddenSize: 1280,
    queryHeads: 16,
    keyValueHeads: 2,
    headDim: 128,
    intermediateSize: 4864,
    vocabularySize: 20011,
    maxPositions: 4094,
    layers: 7,
    experts: 16,
    expertsPerToken: 4,
    valueDim: 72,
    expertIntermediateSize: 1824,
    sharedExperts: 5,
  },
];

/** The scope of the symbols for the number of rows and the lengths of what comes in: code must work whatever they are. */
export const lengthScope = 'lengths';

/** The number of rows that come in, and nothing else. */
export const isRows = (dim: Dim | undefined): boolean => {
  const atom = dim === undefined ? undefined : loneAtom(dim);
  return atom?.kind === 'symbol' && atom.scope === lengthScope && atom.name === 'B';
};

/**
 * Different from every size above, and no multiple of a number of heads: code must work for all. What is no batch and no length is where
 * the input begins. Usual windows divide the sides of a map of tokens.
 */
const lengths: readonly (Readonly<Record<string, number>> & { readonly begin: number })[] = [
  { B: 14, T: 472, S: 536, H: 392, W: 616, begin: 18 },
  { B: 22, T: 488, S: 568, H: 728, W: 952, begin: 26 },
];
const otherLengths: readonly (readonly number[])[] = [
  [584, 632, 664, 712, 776, 808, 824, 856],
  [872, 904, 1016, 1048, 1096, 1112, 1192, 1208],
];

/** The number for a length of what comes in. */
function lengthOf(name: string, sample: number): number | undefined {
  const choices = otherLengths[sample] ?? [];
  return lengths[sample]?.[beginNames.test(name) ? 'begin' : name] ?? choices[hashOf(name) % choices.length];
}

function hashOf(name: string): number {
  let hash = 7;
  for (let i = 0; i < name.length; i++) hash = (Math.imul(hash, 31) + name.charCodeAt(i)) >>> 1;
  return hash;
}

/** A table that is cut to the length of what comes in is long enough. */
export function withoutCuts(dim: Dim): Dim {
  return mapAtoms(dim, (atom) => {
    if (atom.kind !== 'minimum') return undefined;
    const lengths = atom.operands.filter((operand) => isAll(operand, ({ scope }) => scope === lengthScope));
    const tables = atom.operands.filter((operand) => isAll(operand, ({ name }) => conceptOf(name) === 'maxPositions'));
    return lengths.length > 0 && lengths.length + tables.length === atom.operands.length ? minimum(...lengths) : undefined;
  });
}

const isAll = (dim: Dim, test: (symbol: SymbolAtom) => boolean): boolean => {
  const symbols = symbolsOf(dim);
  return symbols.length > 0 && symbols.every(test);
};

/** Whole numbers given to a call that say where what is given stands among what was given before. */
export const beginNames =
  /^(?:start(?:_?(?:pos|position|idx|index))?|begin|(?:pos|position|seq)_offset|offset|(?:past|prev|prefix|cache)_(?:key_values?_)?len(?:gth)?)$/;

/** Where what comes in now begins, behind what came in before. */
export const isBegin = ({ scope, name }: Pick<SymbolAtom, 'scope' | 'name'>): boolean => scope === lengthScope && beginNames.test(name);

/** Names that constructors give their parameters, and configs do not: those of MLX, of PyTorch's tutorials and of d2l among them. */
const codeNames: readonly (readonly [names: RegExp, concept: LexiconConcept])[] = [
  [/^(?:model_)?dims$|^model_dimension$|^n_?inp$|^num_hiddens$|^emb$/, 'hiddenSize'],
  [/^(?:ffn|ff|mlp|pf)_(?:num_)?(?:hiddens|dims)$|^nhid$/, 'intermediateSize'],
  [
    /^(?:attn|attention)_head_dims?$|^head_dims$|^(?:n_)?(?:emb|embd|dim|dims|width|hidden_size|features|channels)_per_(?:attention_)?head$/,
    'headDim',
  ],
  [/^(?:n|nb|num)_?heads?$|^heads?_num$/, 'queryHeads'],
  [/^(?:\w+_)?(?:n|nb|num)_?(?:kv|key_value)_?heads?$|^n_local_heads$/, 'keyValueHeads'],
];

/** The concept that a parameter's or config field's name stands for in every format. */
export function conceptOf(path: string): LexiconConcept | undefined {
  const known = conceptsByPath.get(path);
  if (known !== undefined) return known === 'none' ? undefined : known;
  const name = normaliseName(path.slice(path.lastIndexOf('.') + 1));
  const concept = concepts.get(name) ?? codeNames.find(([names]) => names.test(name))?.[1];
  if (conceptsByPath.size > 5000) conceptsByPath.clear();
  conceptsByPath.set(path, concept ?? 'none');
  return concept;
}

const conceptsByPath = new Map<string, LexiconConcept | 'none'>();

export interface Samples {
  /** The defaults in the code, by symbol key. */
  readonly defaults: ReadonlyMap<string, number>;
  /** Numbers that a config or a comment gives: they stand before the defaults. */
  readonly given?: Sample;
}

/** Samples of which all must fail. */
export interface SampleGroup {
  readonly basis: 'given' | 'defaults' | 'samples' | 'lengths' | 'widths';
  readonly members: readonly Sample[];
}

/** Defaults that tell when they change, so that what was worked out under them can be kept until then. */
export class Defaults extends Map<string, number> {
  groups: readonly SampleGroup[] | undefined;

  override set(key: string, value: number): this {
    if (this.get(key) !== value) this.groups = undefined;
    return super.set(key, value);
  }
}

/** The samples in the groups in which they count. */
export function sampleGroups(samples: Samples): readonly SampleGroup[] {
  const { defaults, given } = samples;
  if (given !== undefined || !(defaults instanceof Defaults)) return makeGroups(samples);
  if (defaults.groups === undefined) {
    defaults.groups = makeGroups(samples);
    for (const { members } of defaults.groups) for (const sample of members) memories.set(sample, new Memory());
  }
  return defaults.groups;
}

type SizeOf = (numbers: Numbers, symbol: SymbolAtom) => number | undefined;

/** Sides of images and of patches; every usual patch and window divides the side. */
const images: readonly { readonly side: number; readonly patch: number; readonly window: number }[] = [
  { side: 224, patch: 4, window: 7 },
  { side: 384, patch: 8, window: 12 },
];
const sideNames = /^(?:img|image|input)_?(?:size|resolution|height|width)$/;

/** Height or width of an image that comes in. */
export const isFreeSide = ({ flexible, name, scope }: SymbolAtom): boolean =>
  flexible && /(?:^|\.)[HW]$/.test(name) && scope.endsWith('.shape');

/** The side of the images for which a model is made. */
export const isModelSide = ({ flexible, name }: SymbolAtom): boolean => !flexible && sideNames.test(name.slice(name.lastIndexOf('.') + 1));

/** The sample where images have any size. */
export const withoutSides =
  (sample: Sample): Sample =>
  (symbol) =>
    isFreeSide(symbol) ? undefined : sample(symbol);

/** Of images: an input's height and width are those that the model is made for. */
function imageSize(symbol: SymbolAtom, sample: number): number | undefined {
  const size = images[sample];
  const name = symbol.name.slice(symbol.name.lastIndexOf('.') + 1);
  if (symbol.flexible) return isFreeSide(symbol) ? size?.side : undefined;
  if (isModelSide(symbol)) return size?.side;
  return name === 'patch_size' ? size?.patch : name === 'window_size' ? size?.window : undefined;
}

/** What sizes are usually, by their names. */
function typicalSizes({ defaults }: Samples): SizeOf {
  const isGrouped = hasGroupedHeads(defaults);
  return (numbers, symbol) => {
    if (symbol.scope.startsWith(shareScope)) return defaults.get(symbol.key) ?? (partNames.test(symbol.name) ? 250 : undefined);
    const concept = conceptOf(symbol.name);
    if (concept === undefined && classNames.test(symbol.name)) return numbers === typical[0] ? 1013 : 2027;
    if (concept === undefined && choiceNames.test(symbol.name)) return numbers.expertsPerToken;
    if (concept === undefined && groupNames.test(symbol.name)) return numbers.keyValueHeads;
    if (concept === undefined && contextNames.test(symbol.name)) return numbers.maxPositions;
    if (concept === undefined && headNames.test(symbol.name)) return numbers.queryHeads;
    if (concept === undefined && throughNames.test(symbol.name)) return numbers.hiddenSize;
    if (concept === undefined) return ownWidth(symbol.name, numbers === typical[0] ? 0 : 1);
    return numbers[concept === 'keyValueHeads' && !isGrouped ? 'queryHeads' : concept];
  };
}

/** Sizes of models and of their inputs, in two ways. */
export function usualSizes(samples: Samples): readonly Sample[] {
  const typicalSize = typicalSizes(samples);
  return typical.map((numbers, i) => (symbol) => {
    if (symbol.flexible) return undefined;
    return symbol.scope === lengthScope ? lengthOf(symbol.name, i) : typicalSize(numbers, symbol);
  });
}

const makeGroups = (samples: Samples): readonly SampleGroup[] => {
  const { defaults, given } = samples;
  const typicalSize = typicalSizes(samples);
  return [
    {
      basis: given === undefined ? 'defaults' : 'given',
      members: [(symbol) => (symbol.flexible ? undefined : (given?.(symbol) ?? defaults.get(symbol.key)))],
    },
    {
      basis: 'samples',
      members: typical.map(
        (numbers, i) => (symbol) => imageSize(symbol, i) ?? (symbol.flexible ? undefined : typicalSize(numbers, symbol)),
      ),
    },
    {
      basis: 'lengths',
      members: typical.map((numbers, i) => (symbol) => {
        if (symbol.flexible) return undefined;
        if (symbol.scope === lengthScope) return lengthOf(symbol.name, i);
        // A length that is fixed when the model is made may be the length of all that comes in.
        return isContext(symbol.name) ? undefined : typicalSize(numbers, symbol);
      }),
    },
  ];
};

/** The sample where what a model is made for is longer than what comes in. */
export const withContext =
  (sample: Sample): Sample =>
  (symbol) =>
    sample(symbol) ?? (isContext(symbol.name) ? 4094 : undefined);

const widthNames =
  /(?:dim|dimension|width|features|channels|hidden|embed|embd|state|model|ff|ffn|mlp|rank|vocab|classes|units|mels)(?:_size|_dim|_width)?$|_(?:dim|size)$|^d_/;
/** Names of counts and lengths, and of widths that callers may have to make the same. */
const notWidths =
  /^[^dec]_size$|patch(?!_dim$)|img|image|conv|kernel|window|batch|block|max|min|len|num_|n_layer|stride|pad|pool|step|context|ctx|seq|position|layer|depth|group|grid|tile|chunk|bucket|expert|heads?$|head_|_head|^in_|^out_|_in$|_out$|input|output|query|key|value|cross|cond|time|frame|sample|crop|scale|factor|ratio|mult|coord|shape/;

/** Lengths for which a model is made, by names that no format has. */
const contextNames =
  /(?:^|[._])(?:max_len(?:gth)?|n_\w+_ctx|\w+_(?:n_ctx|context_length|context_len|max_len|max_length|max_positions|seq_len|block_size))$/;
export const isContext = (path: string): boolean =>
  conceptOf(path) === 'maxPositions' || (conceptOf(path) === undefined && contextNames.test(path));

/** What is left of a table from where what comes in begins. */
export function isOpen(dim: Dim): boolean {
  const symbols = symbolsOf(dim);
  return symbols.some(isBegin) && symbols.some(({ name }) => isContext(name));
}

/** Settings that are less than 1 wherever they are set. */
const partNames = /pct|percent|fraction|partial/;

/** Widths of what goes into a part of a model and comes out of it: mostly the model's, on both sides. */
const throughNames = /(?:^|[._])(?:(?:d|dim)_(?:in|out)|(?:in|out|input|output)_(?:dim|features))$/;

/** Heads of one part of a model, as `n_text_head`, `vision_heads`. */
const headNames = /(?:^|[._])(?!\w*(?:kv|key|value|group|dim|size|per|index|token))(?:n_(?:\w+_)?heads?|\w+_heads)$/;

/** Whether the size is called a number of heads. */
export const isHeads = (atom: Atom | undefined): boolean =>
  atom?.kind === 'symbol' &&
  !atom.flexible &&
  (/^(?:queryHeads|keyValueHeads)$/.test(conceptOf(atom.name) ?? '') || headNames.test(atom.name));

/** What a model tells apart: their number is no width. */
const classNames = /(?:^|[._])(?:num|n)_classes$/;

/** How many of several are chosen, as experts for a token. */
const choiceNames = /(?:^|[._])top_?k$/;

/** Groups of heads, or heads to a group: both divide the heads. */
const groupNames = /(?:kv|key_value|query)_?groups?$/;
/** Whether the name is that of a width for which no format has a name. */
export function isWidthName(path: string): boolean {
  const name = normaliseName(path.slice(path.lastIndexOf('.') + 1));
  return widthNames.test(name) && !notWidths.test(name);
}

/** A number of its own for a width that no format has a name for: it is not another width. */
function ownWidth(path: string, sample: 0 | 1): number | undefined {
  // Settings of a configuration may hold how wide a patch is laid out flat, which its side and channels say.
  if (!isWidthName(path) || /\..*patch/.test(path)) return undefined;
  const name = normaliseName(path.slice(path.lastIndexOf('.') + 1));
  const hash = hashOf(name);
  // Even parts for the samples' numbers of heads, and different from every other size.
  return 96 * (sample === 0 ? 9 + (hash % 37) : 47 + (hash % 41));
}

/** One sample more, in which heads times head dim is not the width: what fails only here is worth no more than a remark. */
export const separateWidths: SampleGroup = {
  basis: 'widths',
  members: [
    (symbol) => {
      if (symbol.flexible || symbol.scope === lengthScope) return undefined;
      const concept = conceptOf(symbol.name);
      return concept === undefined ? undefined : typical[1]?.[concept];
    },
  ],
};

type Numbers = Readonly<Partial<Record<LexiconConcept, number>>>;

/** The name that a symbol's key begins with; a control character ends it. */
function nameOfKey(key: string): string {
  for (let i = 0; i < key.length; i++) if (key.charCodeAt(i) < 32) return key.slice(0, i);
  return key;
}

/** False where all that the code says is that there are as many key-value heads as query heads: latent attention is given it so. */
function hasGroupedHeads(defaults: ReadonlyMap<string, number>): boolean {
  const of = (wanted: LexiconConcept): Set<number> => {
    const found = new Set<number>();
    for (const [key, value] of defaults) if (conceptOf(nameOfKey(key)) === wanted) found.add(value);
    return found;
  };
  const [query, keyValue] = [of('queryHeads'), of('keyValueHeads')];
  return keyValue.size === 0 || [...keyValue].some((count) => !query.has(count));
}

/** What sizes are and which code is reached under a sample that lasts. */
class Memory {
  readonly sizes = new Map<Dim, Dim>();
  readonly reached = new WeakMap<Facts, boolean>();
}

const memories = new WeakMap<Sample, Memory>(separateWidths.members.map((sample) => [sample, new Memory()]));
const maximumSizes = 4096;

/** The size with the sample's numbers put in. */
export function sampled(dim: Dim, sample: Sample): Dim {
  if (dim.constant !== undefined) return dim;
  const sizes = memories.get(sample)?.sizes;
  const known = sizes?.get(dim);
  if (known !== undefined) return known;
  const result = substitute(withoutCuts(dim), (atom) => {
    const value = atom.kind === 'symbol' ? sample(atom) : undefined;
    return value === undefined ? undefined : number(value);
  });
  if (sizes !== undefined) {
    if (sizes.size >= maximumSizes) sizes.clear();
    sizes.set(dim, result);
  }
  return result;
}

/** Whether the code is reached at all under the sample: no fact around it is false there. */
export function isReached(facts: Facts, sample: Sample): boolean {
  const reached = memories.get(sample)?.reached;
  const known = reached?.get(facts);
  if (known !== undefined) return known;
  const result = facts.statements.every(({ kind, left, right }) => {
    const [a, b] = [sampled(left, sample), sampled(right, sample)];
    if (kind === 'equal') return compare(a, b, Facts.none) !== 'different';
    return a.constant === undefined || b.constant === undefined || a.constant >= b.constant;
  });
  reached?.set(facts, result);
  return result;
}
