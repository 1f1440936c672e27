/** Numbers that are given to model code from outside: by `# headwise: width=768` comments, and by a configuration. */
import { bindingsIn, namesWritten } from '../../annotations/bound.ts';
import { normaliseName } from '../../design/section.ts';
import type { SymbolAtom } from '../../dims/dim.ts';
import { conceptOf } from '../../interpreter/samples.ts';
import type { CodeReading, Settings } from '../../interpreter/study.ts';
import { type ConfigNode, entryOf, isMapping, isScalar, isSequence, type MappingNode, type ScalarNode } from '../../syntax/node.ts';
import type { PythonModule } from '../../syntax/python/ast.ts';
import { parseConfig } from '../../syntax/read.ts';
import type { Range } from '../../text/range.ts';

/** A configuration whose numbers hold for model code. */
export interface ValuesFile {
  /** How findings call it: a URI, or a path as the user would write it. Its end says the format. */
  readonly uri: string;
  readonly text: string;
}

/** A number with the place that gives it, in the code or in the configuration. */
export interface GivenNumber {
  readonly value: number;
  /** As it is written there. */
  readonly name: string;
  readonly range: Range;
  readonly file: ValuesFile | undefined;
}

export interface Given {
  /** Two of one key give the same. */
  readonly key: string;
  readonly numberOf: (symbol: Pick<SymbolAtom, 'name' | 'scope'>) => GivenNumber | undefined;
  /** What the configuration sets that is no number; undefined without a configuration. */
  readonly settings: Settings | undefined;
  /** What was asked for and is given, by the names in the code. */
  readonly used: () => ReadonlyMap<string, GivenNumber>;
}

/** What is given to the code of a module; undefined where nothing is. Linear in the comments and in the configuration. */
export function givenTo(module: PythonModule, values: ValuesFile | undefined): Given | undefined {
  const bound = boundIn(module);
  const root = values === undefined ? undefined : rootOf(values);
  if (bound.length === 0 && root === undefined) return undefined;
  const known = new Map<string, GivenNumber | undefined>();
  const used = new Map<string, GivenNumber>();
  return {
    key: JSON.stringify([
      bound.map(({ name, value, owner }) => [name, value, owner]),
      root === undefined ? undefined : [values?.uri, values?.text],
    ]),
    numberOf: ({ name, scope }) => {
      const id = `${scope} ${name}`;
      if (!known.has(id)) {
        const fromConfig = values === undefined || root === undefined ? undefined : inConfig(root, values, name, scope);
        known.set(id, inComments(bound, name, scope) ?? fromConfig);
      }
      const number = known.get(id);
      if (number !== undefined) used.set(name, number);
      return number;
    },
    settings: root === undefined || values === undefined ? undefined : settingsOf(root, values),
    used: () => used,
  };
}

const given = new WeakMap<CodeReading, Given>();

/** Remembers under what numbers code was read. */
export function noteGiven(reading: CodeReading, numbers: Given | undefined): CodeReading {
  if (numbers !== undefined) given.set(reading, numbers);
  return reading;
}

export const givenOf = (reading: CodeReading): Given | undefined => given.get(reading);

// ---------------------------------------------------------------------------------------------------------------------
// Comments

interface Bound extends GivenNumber {
  readonly owner: string | undefined;
  /** Names of this concept that the code has stand for it: nothing is called like the binding itself. */
  readonly concept: ReturnType<typeof conceptOf>;
}

function boundIn(module: PythonModule): readonly Bound[] {
  return bindingsIn(module).bindings.flatMap(({ name, value, range, owner }) => {
    const concept = namesWritten(module).has(lastOf(name)) ? undefined : conceptOf(name);
    return value < 1 ? [] : [{ name, value, range, owner, concept, file: undefined }];
  });
}

const lastOf = (path: string): string => path.slice(path.lastIndexOf('.') + 1);

function inComments(bound: readonly Bound[], path: string, scope: string): GivenNumber | undefined {
  const fits = ({ name, concept }: Bound): boolean =>
    name === path || path.endsWith(`.${name}`) || (concept !== undefined && conceptOf(path) === concept);
  const candidates = bound.filter(fits);
  const owned = candidates.filter(({ owner }) => owner !== undefined);
  // The sizes of a config belong to no class; those of a constructor to its own. A class that others build has sizes of theirs.
  return (
    owned.find(({ owner }) => lastOf(scope) === owner) ??
    candidates.find(({ owner }) => owner === undefined) ??
    (new Set(owned.map(({ value }) => value)).size === 1 ? owned[0] : undefined)
  );
}

// ---------------------------------------------------------------------------------------------------------------------
// Configurations

/** The one that was read last: every keystroke in the code asks for it again. */
let read: { readonly file: ValuesFile; readonly root: MappingNode | undefined } | undefined;

function rootOf(file: ValuesFile): MappingNode | undefined {
  if (read?.file.text !== file.text || read.file.uri !== file.uri) {
    const { root } = parseConfig(file.text, { path: file.uri });
    read = { file, root: root !== undefined && isMapping(root) ? root : undefined };
  }
  return read.root;
}

/** Names under which code takes all of its settings. */
const settings = /^(?:\w+_)?(?:config|cfg|conf|args|hparams|params|opts?|options)$|^hps$/;
/** Words by which the classes for the parts of a model differ. */
const parts = /Vision|Image|Audio|Speech|Text|Language|Qformer|Encoder|Decoder|Thinker|Talker|Semantic|Coarse|Fine/gi;
/** Those that a model is not called by as a whole. */
const foreign = /^(?:vision|image|audio|speech|text|qformer|thinker|talker)$/i;

/** What the configuration says of `config.hidden_size`, or of a parameter of the class that it names. */
function inConfig(root: MappingNode, file: ValuesFile, path: string, scope: string): GivenNumber | undefined {
  const found = scalarFor(root, path, scope);
  if (found === undefined || found.node.quoted) return undefined;
  const { value, range } = found.node;
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? { value, name: found.name, range, file } : undefined;
}

/** What it sets besides numbers. */
function settingsOf(root: MappingNode, file: ValuesFile): Settings {
  return {
    file,
    valueOf: (path, scope) => {
      const value = scalarFor(root, path, scope)?.node.value;
      return typeof value === 'boolean' || typeof value === 'string' ? value : undefined;
    },
    names: root.entries.flatMap(({ key }) => (/^[a-zA-Z_]\w*$/.test(key) ? [key] : [])),
    switches: root.entries.flatMap(({ key, value: node }) => {
      if (node === undefined || !isScalar(node) || typeof node.value !== 'boolean') return [];
      return [{ name: key, value: node.value, range: node.range }];
    }),
  };
}

function scalarFor(root: MappingNode, path: string, scope: string): NamedScalar | undefined {
  const of = lastOf(scope);
  const [first = '', ...rest] = path.split('.').filter((part) => part !== 'self');
  if (rest.length === 0) return namesClass(root, of) ? scalarAt(root, [first]) : undefined;
  if (!settings.test(first)) return undefined;
  const own = entryOf(root, first)?.value;
  const section = isMapping(own) ? own : sectionFor(root, of);
  return section === undefined ? undefined : scalarAt(section, rest);
}

/** The mapping that describes what a class holds: for `CLIPVisionConfig` that under `vision_config`. Undefined where none does. */
function sectionFor(root: MappingNode, of: string): MappingNode | undefined {
  const words = of.replace(/^[A-Z][a-z0-9]*(?=[A-Z])/, '').match(parts) ?? [];
  for (const word of words) {
    const part = word.toLowerCase();
    for (const { key, value } of root.entries) if (isMapping(value) && key.toLowerCase().split('_').includes(part)) return value;
  }
  // A part of the model of which it says nothing, unless it is the configuration of that part alone.
  const modelType = entryOf(root, 'model_type')?.value;
  const model = isScalar(modelType) ? String(modelType.value).toLowerCase() : '';
  return words.some((word) => foreign.test(word) && !model.includes(word.toLowerCase())) ? undefined : root;
}

function namesClass(root: MappingNode, of: string): boolean {
  const names = entryOf(root, 'architectures')?.value;
  return isSequence(names) && names.items.some((item) => isScalar(item) && item.value === of);
}

interface NamedScalar {
  readonly name: string;
  readonly node: ScalarNode;
}

function scalarAt(section: MappingNode, path: readonly string[]): NamedScalar | undefined {
  let node: ConfigNode | undefined = section;
  let name = '';
  for (const part of path) {
    if (node === undefined || !isMapping(node)) return undefined;
    const wanted = normaliseName(part);
    const entry: MappingNode['entries'][number] | undefined =
      entryOf(node, part) ?? node.entries.find(({ key }) => normaliseName(key) === wanted);
    name = entry?.key ?? '';
    node = entry?.value;
  }
  return node === undefined || !isScalar(node) || node.unresolved === true ? undefined : { name, node };
}
