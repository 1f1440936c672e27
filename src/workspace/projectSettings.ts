import { rules } from '../rules/registry.ts';
import { type ConfigNode, type EntryNode, entryOf, isMapping, isScalar, isSequence, type ParsedConfig } from '../syntax/node.ts';
import type { Severity } from '../text/finding.ts';
import { nearest } from '../text/nearest.ts';
import type { Range } from '../text/range.ts';
import { isKnownSelector } from './levels.ts';
import type { ParallelSettings, Settings } from './settings.ts';

/** Settings files that a project may hold, the one that wins first. */
export const projectSettingsFiles = ['headwise.json', 'pyproject.toml'] as const;

export interface SettingsProblem {
  readonly range: Range;
  readonly message: string;
  /** What was probably meant, to be written over `range`. */
  readonly suggestion?: string;
}

export interface ProjectSettings {
  /** Only what the file sets. */
  readonly settings: Partial<Settings>;
  /** A wrong part is left out of `settings` and named here. */
  readonly problems: readonly SettingsProblem[];
}

export const levels = ['error', 'warning', 'information', 'hint', 'off'] as const satisfies readonly (Severity | 'off')[];
export const parallelStacks = ['megatron', 'torchtitan', 'vllm'] as const satisfies readonly NonNullable<ParallelSettings['stack']>[];
const parallelSizes = ['tensor', 'pipeline', 'context', 'expert'] as const;
const settingNames = [
  'rules',
  'parallel',
  'perFileIgnores',
  'families',
  'configs',
  'exclude',
] as const satisfies readonly (keyof Settings)[];

/**
 * Settings of `headwise.json` (the whole file) or pyproject.toml (its `[tool.headwise]` table).
 * Undefined for a pyproject.toml without that table. Keys may be written in camelCase or kebab-case.
 */
export function readProjectSettings(parsed: ParsedConfig): ProjectSettings | undefined {
  const problems: SettingsProblem[] = parsed.problems.map(({ range, message }) => ({ range, message }));
  let root = parsed.root;
  if (parsed.format === 'toml') {
    const tool = isMapping(root) ? entryOf(root, 'tool')?.value : undefined;
    root = isMapping(tool) ? entryOf(tool, 'headwise')?.value : undefined;
    if (root === undefined) return undefined;
  }
  const settings: { -readonly [K in keyof Settings]?: Settings[K] } = {};
  if (root === undefined) return { settings, problems };
  const problem = (range: Range, message: string, suggestion?: string): void => {
    problems.push(suggestion === undefined ? { range, message } : { range, message, suggestion });
  };
  if (!isMapping(root)) {
    problem(root.range, 'Settings are an object with the properties rules, parallel, perFileIgnores, families, configs and exclude.');
    return { settings, problems };
  }
  const read = reader(problem);
  for (const entry of root.entries) {
    if (entry.key === '$schema') continue;
    const name = settingNames.find((candidate) => candidate === camelCase(entry.key));
    if (name === undefined) {
      read.unknownKey(entry, parsed.format === 'toml' ? settingNames.map(kebabCase) : settingNames);
      continue;
    }
    if (entry.value === undefined) continue;
    if (name === 'rules') settings.rules = read.rules(entry.value);
    else if (name === 'parallel') settings.parallel = read.parallel(entry.value);
    else if (name === 'perFileIgnores') settings.perFileIgnores = read.perFileIgnores(entry.value);
    else if (name === 'families') settings.families = read.families(entry.value);
    else if (name === 'configs') settings.configs = read.configs(entry.value);
    else settings.exclude = read.strings(entry.value, 'exclude') ?? [];
  }
  return { settings, problems };
}

/** `over` wins, key by key within `rules`, `parallel`, `perFileIgnores`, `families` and `configs`; both exclude. */
export function mergeSettings(base: Settings, over: Partial<Settings>): Settings {
  return {
    rules: { ...base.rules, ...over.rules },
    parallel: { ...base.parallel, ...over.parallel },
    perFileIgnores: { ...base.perFileIgnores, ...over.perFileIgnores },
    families: { ...base.families, ...over.families },
    configs: { ...base.configs, ...over.configs },
    exclude: [...base.exclude, ...(over.exclude ?? [])],
  };
}

/** The settings of a folder as they read from one above it: `prefix` is the path between them, with forward slashes. */
export function rebaseSettings(settings: Partial<Settings>, prefix: string): Partial<Settings> {
  if (prefix === '') return settings;
  const folder = prefix.replace(/[[\]{}()*?!+@\\]/g, '\\$&');
  const glob = (written: string): string => {
    const plain = written.replace(/^\.?\//, '');
    // One without a slash matches at any depth.
    return plain !== written || plain.replace(/\/+$/, '').includes('/') ? `${folder}/${plain}` : `${folder}/**/${plain}`;
  };
  const keys = <Value>(record: Readonly<Record<string, Value>>): Readonly<Record<string, Value>> =>
    Object.fromEntries(Object.entries(record).map(([key, value]) => [glob(key), value]));
  const moved = (path: string): string => (path === '' || /^(?:[A-Za-z]:)?[\\/]/.test(path) ? path : `${prefix}/${path}`);
  const { perFileIgnores, families, configs, exclude } = settings;
  return {
    ...settings,
    ...(perFileIgnores === undefined ? {} : { perFileIgnores: keys(perFileIgnores) }),
    ...(families === undefined ? {} : { families: keys(families) }),
    ...(configs === undefined
      ? {}
      : { configs: keys(Object.fromEntries(Object.entries(configs).map(([key, path]) => [key, moved(path)] as const))) }),
    ...(exclude === undefined ? {} : { exclude: exclude.map(glob) }),
  };
}

/** What is wrong with a rule selector, in a sentence, and what may have been meant; undefined for one that names a rule. */
export function selectorProblem(selector: string): { readonly message: string; readonly suggestion?: string } | undefined {
  if (isKnownSelector(selector, rules)) return undefined;
  const names = rules.flatMap((rule): string[] => [rule.code, rule.name, rule.category]);
  const [suggestion] = nearest(selector, names, 1);
  const message = `No rule, code prefix or category is called ${JSON.stringify(selector)}.`;
  return suggestion === undefined ? { message } : { message: `${message} Did you mean ${suggestion}?`, suggestion };
}

const camelCase = (key: string): string => key.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
const kebabCase = (key: string): string => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

const kindOf = (node: ConfigNode): string => {
  if (isMapping(node)) return 'an object';
  if (isSequence(node)) return 'a list';
  return node.value === null ? 'null' : `the ${typeof node.value} ${node.raw.length > 40 ? `${node.raw.slice(0, 39)}…` : node.raw}`;
};

function reader(problem: (range: Range, message: string, suggestion?: string) => void) {
  const unknownKey = (entry: EntryNode, known: readonly string[]): void => {
    const [near] = nearest(entry.key, known, 1);
    const hint = near === undefined ? `Known here: ${known.join(', ')}.` : `Did you mean ${near}?`;
    problem(entry.keyRange, `There is no setting ${JSON.stringify(entry.key)}. ${hint}`, near);
  };
  const entriesOf = (node: ConfigNode, name: string): readonly EntryNode[] => {
    if (isMapping(node)) return node.entries;
    problem(node.range, `${name} is an object, not ${kindOf(node)}.`);
    return [];
  };
  const stringOf = (node: ConfigNode | undefined): string | undefined =>
    isScalar(node) && typeof node.value === 'string' ? node.value : undefined;

  const selector = (text: string, range: Range): void => {
    const wrong = selectorProblem(text);
    if (wrong !== undefined) problem(range, wrong.message, wrong.suggestion);
  };
  const strings = (node: ConfigNode, name: string): string[] | undefined => {
    if (!isSequence(node)) {
      problem(node.range, `${name} is a list of strings, not ${kindOf(node)}.`);
      return undefined;
    }
    const list: string[] = [];
    for (const item of node.items) {
      const text = stringOf(item);
      if (text === undefined) problem(item.range, `${name} holds strings, not ${kindOf(item)}.`);
      else list.push(text);
    }
    return list;
  };

  return {
    unknownKey,
    strings,
    rules(node: ConfigNode): Record<string, Severity | 'off'> {
      const found: Record<string, Severity | 'off'> = {};
      for (const { key, keyRange, value } of entriesOf(node, 'rules')) {
        selector(key, keyRange);
        if (value === undefined) continue;
        const text = stringOf(value);
        const level = levels.find((candidate) => candidate === text);
        if (level !== undefined) {
          found[key] = level;
          continue;
        }
        const [near] = nearest(text ?? '', levels, 1);
        problem(
          value.range,
          `A level is one of ${levels.join(', ')}, not ${kindOf(value)}.${near === undefined ? '' : ` Did you mean ${near}?`}`,
        );
      }
      return found;
    },
    parallel(node: ConfigNode): ParallelSettings {
      const found: { -readonly [K in keyof ParallelSettings]: ParallelSettings[K] } = {};
      for (const entry of entriesOf(node, 'parallel')) {
        const { key, value } = entry;
        const size = parallelSizes.find((candidate) => candidate === key);
        if (size === undefined && key !== 'stack') {
          unknownKey(entry, [...parallelSizes, 'stack']);
          continue;
        }
        if (value === undefined) continue;
        if (size === undefined) {
          const stack = parallelStacks.find((candidate) => candidate === stringOf(value));
          if (stack === undefined) problem(value.range, `stack is one of ${parallelStacks.join(', ')}, not ${kindOf(value)}.`);
          else found.stack = stack;
        } else if (isScalar(value) && typeof value.value === 'number' && Number.isSafeInteger(value.value) && value.value >= 1) {
          found[size] = value.value;
        } else problem(value.range, `${size} is a whole number of devices, at least 1, not ${kindOf(value)}.`);
      }
      return found;
    },
    perFileIgnores(node: ConfigNode): Record<string, readonly string[]> {
      const found: Record<string, readonly string[]> = {};
      for (const { key, value } of entriesOf(node, 'perFileIgnores')) {
        if (value === undefined) continue;
        const list = strings(value, `perFileIgnores of ${JSON.stringify(key)}`);
        if (list === undefined || !isSequence(value)) continue;
        for (const item of value.items) {
          const text = stringOf(item);
          if (text !== undefined) selector(text, item.range);
        }
        found[key] = list;
      }
      return found;
    },
    families(node: ConfigNode): Record<string, string> {
      const found: Record<string, string> = {};
      for (const { key, value } of entriesOf(node, 'families')) {
        if (value === undefined) continue;
        const family = stringOf(value);
        if (family === undefined || family === '') problem(value.range, `A family is a model type such as "llama", not ${kindOf(value)}.`);
        else found[key] = family;
      }
      return found;
    },
    configs(node: ConfigNode): Record<string, string> {
      const found: Record<string, string> = {};
      for (const { key, value } of entriesOf(node, 'configs')) {
        if (value === undefined) continue;
        const path = stringOf(value);
        if (path === undefined) problem(value.range, `A config is the path of a file, or "" for none, not ${kindOf(value)}.`);
        else found[key] = path;
      }
      return found;
    },
  };
}
