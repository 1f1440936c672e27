import type { ConfigReading } from '../design/design.ts';
import { type Family, familyOf, isFieldOfSomeFamily } from '../design/families.ts';
import { type Section, scalarsOf } from '../design/section.ts';
import type { Layout } from './architectures/architecture.ts';
import { isHarmless, isUnusedSize } from './architectures/harmless.ts';
import { architectureOf } from './architectures/index.ts';
import { Settings } from './architectures/settings.ts';
import { NotModelled, type Parameter, Scope, Sheet } from './architectures/sheet.ts';
import { derivedLayout } from './derived/index.ts';
import { nativeLayout } from './native.ts';

export type { Parameter } from './architectures/sheet.ts';

/** Every tensor of the model that a config describes, or why they are not known: never a guess. */
export type Parameters =
  | {
      readonly known: true;
      readonly className: string;
      readonly tensors: readonly Parameter[];
      readonly total: bigint;
      readonly notes: readonly string[];
    }
  | { readonly known: false; readonly reason: string };

/**
 * Lays out the class that the config names, or its type's usual one, as the library builds it. Exact integers; tensors that share
 * storage count once. O(number of tensors), bounded.
 */
export function parametersOf(reading: ConfigReading): Parameters {
  try {
    return layOut(reading);
  } catch (error) {
    if (error instanceof NotModelled) return { known: false, reason: error.message };
    throw error;
  }
}

/**
 * Two sources say how a class is laid out: descriptions by hand, and layouts derived from the library's code. Either is enough; where both
 * speak they must agree, or nothing is said.
 */
function layOut({ root, designs: [main] }: ConfigReading): Parameters {
  // Older files name the class only; the reader then knows the type from it.
  const type = root.string('model_type') ?? (main?.name === '' ? main.knowledge?.modelType : undefined);
  if (type === undefined) return layOutNative(root);
  const family = familyOf(type);
  if (family === undefined) throw new NotModelled(`The layers of ${type} are not described yet.`);
  refuseStored(root);
  const named = namedClass(root);
  const described = attempt(() => fill(root, family, ...classFor(named, family)));
  const derived = attempt(() => {
    const found = derivedLayout(family.modelType, named);
    if (found === undefined) throw new NotModelled(`The layers of ${named ?? type} are not described yet.`);
    return fill(root, family, found.className, found.layout);
  });
  if (described instanceof NotModelled) {
    if (!(derived instanceof NotModelled)) return derived;
    throw architectureOf(type) === undefined ? derived : described;
  }
  if (derived instanceof NotModelled || derived.className !== described.className) return described;
  if (derived.total !== described.total) throw new NotModelled('Two ways of counting the parameters do not agree.');
  return derived;
}

/** A file of a model's own code. */
function layOutNative(root: Section): Known {
  const native = nativeLayout(root);
  if (native === undefined) throw new NotModelled('The file names no model_type.');
  const sheet = new Sheet();
  native.layout(new Scope(sheet));
  const tensors = sheet.list();
  return { known: true, className: native.className, tensors, total: tensors.reduce((sum, { own }) => sum + own, 0n), notes: [] };
}

type Known = Extract<Parameters, { readonly known: true }>;

function attempt(work: () => Known): Known | NotModelled {
  try {
    return work();
  } catch (error) {
    if (error instanceof NotModelled) return error;
    throw error;
  }
}

function fill(root: Section, family: Family, className: string, layout: Layout): Known {
  const settings = new Settings(root, family);
  settings.read.add('model_type');
  const sheet = new Sheet();
  layout(new Scope(sheet), settings);
  // A class outside the library that bears the name of one inside may know more keys: none that is not understood is passed over.
  refuseUnread(settings, root.lookup('auto_map').state === 'value');
  const tensors = sheet.list();
  let total = 0n;
  for (const { own } of tensors) total += own;
  const notes =
    root.child('quantization_config') === undefined ? [] : ['Scales of the quantised weights are no parameters and are not counted.'];
  return { known: true, className, tensors, total, notes };
}

/** Weights that are stored in another form than the layers have. */
function refuseStored(root: Section): void {
  const set = (name: string): boolean => root.lookup(name).state === 'value';
  const quantized = root.child('quantization_config') ?? root.child('compression_config');
  // FP8 keeps each weight's shape and adds scales, which are no parameters of the design.
  if (quantized !== undefined && quantized.string('quant_method') !== 'fp8')
    throw new NotModelled('The weights are quantised, so their stored shapes differ.');
  if (set('quantization')) throw new NotModelled('The weights are quantised, so their stored shapes differ.');
  if (set('pruned_heads') && (root.child('pruned_heads')?.mapping.entries.length ?? 1) > 0) throw new NotModelled('Heads are pruned.');
}

/** The class that the file names. */
function namedClass(root: Section): string | undefined {
  const found = root.lookup('architectures');
  if (found.state !== 'value' || found.node.kind !== 'sequence') return undefined;
  if (found.node.items.length > 1) throw new NotModelled('The file names several classes.');
  const [first] = found.node.items;
  return first?.kind === 'scalar' && typeof first.value === 'string' ? first.value : undefined;
}

function classFor(named: string | undefined, family: Family): readonly [string, Layout] {
  const architecture = architectureOf(family.modelType);
  if (architecture === undefined) throw new NotModelled(`The layers of ${family.modelType} are not described yet.`);
  const own = family.className.replace(/Config$/, '');
  const layoutOf = (suffix: string): Layout | undefined => (suffix === 'Model' ? architecture.body : architecture.heads[suffix]);
  if (named === undefined) {
    const layout = layoutOf(architecture.usual);
    if (layout === undefined) throw new NotModelled('The file names no class.');
    return [`${architecture.stems?.[0] ?? own}${architecture.usual}`, layout];
  }
  for (const stem of [own, ...(architecture.stems ?? [])]) {
    if (!named.toLowerCase().startsWith(stem.toLowerCase())) continue;
    const suffix = named.slice(stem.length);
    // Another stem names the classes with heads only: `Gemma3Model` has a vision tower, `Gemma3ForCausalLM` has none.
    const layout = suffix === 'Model' && stem !== own ? undefined : layoutOf(suffix);
    if (layout !== undefined) return [named, layout];
  }
  throw new NotModelled(`The class ${named} is not described yet.`);
}

/** Kinds of attention that differ in which tokens are seen, not in weights; layouts read `layer_types` where weights differ. */
const masks: ReadonlySet<string> = new Set(['full_attention', 'sliding_attention', 'chunked_attention', 'indexed_attention']);

/** Stops where a key was written that the layout did not read, that is not known to be harmless and that is not at its default. */
function refuseUnread(settings: Settings, custom: boolean): void {
  const { section, family } = settings;
  for (const child of settings.children) refuseUnread(child, custom);
  if (section === undefined) return;
  const read = new Set([...settings.read].map((name) => name.toLowerCase()));
  for (const [target, alias] of Object.entries(family.aliases).map(([alias, target]) => [target, alias] as const))
    if (read.has(target.toLowerCase())) read.add(alias.toLowerCase());
  for (const name of section.names) {
    if (read.has(name) || isHarmless(name)) continue;
    const found = section.lookup(name);
    if (found.state !== 'value') continue;
    const { node } = found;
    const fallback = family.fields.get(found.entry.key) ?? family.fields.get(name);
    if (node.kind === 'scalar') {
      if (node.value === fallback) continue;
      if (node.value === false || node.value === 0 || isUnusedSize(name)) {
        // Off, or a size that this class has no tensor for.
        if (!family.fields.has(name) || isUnusedSize(name)) continue;
      } else if (!family.fields.has(name) && (!custom || (typeof node.value === 'string' && !isFieldOfSomeFamily(name)))) {
        // The class does not know the key and ignores it. Where another class takes it for a size or a switch it may be meant.
        if (!isFieldOfSomeFamily(name) || node.value === 1 || typeof node.value === 'string') continue;
      }
    } else if (name === 'layer_types' && scalarsOf(node).every(({ value }) => typeof value === 'string' && masks.has(value))) continue;
    else if (node.kind === 'sequence' ? node.items.length === 0 : node.entries.length === 0) continue;
    throw new NotModelled(`What ${section.path === '' ? '' : `${section.path}.`}${name} does to the layers is not known.`);
  }
}
