import type { ConfigNode, EntryNode, MappingNode, ScalarNode } from '../syntax/node.ts';
import type { Range } from '../text/range.ts';

/** `numLayers`, `num-layers`, `--num-layers`, `NUM_LAYERS` and `num_layers` are one name. */
export const normaliseName = (key: string): string =>
  (/[a-z][A-Z]/.test(key) ? key.replace(/([a-z0-9])([A-Z])/g, '$1_$2') : key).replace(/^--/, '').replace(/-/g, '_').toLowerCase();

/** What a lookup found: a written value, an explicit null, something that cannot be known from the file, or nothing. */
export type Lookup =
  | { readonly state: 'absent' }
  | { readonly state: 'null' | 'unknown'; readonly entry: EntryNode }
  | { readonly state: 'value'; readonly entry: EntryNode; readonly node: ConfigNode };

const absent: Lookup = { state: 'absent' };

/**
 * One stack's part of a file: a mapping, or those of its keys that share a prefix or suffix (`vision_layers`, `hidden_size_for_vit`).
 * Names are looked up without it, normalised.
 */
export class Section {
  readonly mapping: MappingNode;
  /** Path from the root, `model.text_config`; '' for the root. */
  readonly path: string;
  /** Keys' common affix, stripped from the names; '' for none. */
  readonly affix: string;
  readonly #entries = new Map<string, EntryNode>();

  constructor(mapping: MappingNode, path: string, affix: { readonly prefix?: string; readonly suffix?: string } = {}) {
    this.mapping = mapping;
    this.path = path;
    const { prefix = '', suffix = '' } = affix;
    this.affix = prefix !== '' ? prefix : suffix;
    for (const entry of mapping.entries) {
      const name = normaliseName(entry.key);
      if (!name.startsWith(prefix) || !name.endsWith(suffix)) continue;
      this.#entries.set(name.slice(prefix.length, name.length - suffix.length), entry);
    }
  }

  get names(): IterableIterator<string> {
    return this.#entries.keys();
  }

  hasAffix({ prefix = '', suffix = '' }: { readonly prefix?: string; readonly suffix?: string }): boolean {
    for (const name of this.#entries.keys()) if (name.startsWith(prefix) && name.endsWith(suffix)) return true;
    return false;
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  entry(name: string): EntryNode | undefined {
    return this.#entries.get(name);
  }

  lookup(name: string): Lookup {
    const entry = this.#entries.get(name);
    if (entry === undefined) return absent;
    const node = entry.value;
    if (node === undefined) return { state: 'unknown', entry };
    if (node.kind === 'scalar') {
      if (node.unresolved === true) return { state: 'unknown', entry };
      if (node.value === null || node.value === 'None' || node.value === 'none' || node.value === 'null') return { state: 'null', entry };
    }
    return { state: 'value', entry, node };
  }

  /** A number, also one written in quotes; NaN, infinities and other types are no number. */
  number(name: string): number | undefined {
    const found = this.lookup(name);
    return found.state === 'value' ? numberOf(found.node) : undefined;
  }

  /** A list of nothing but numbers. */
  numbers(name: string): readonly number[] | undefined {
    const found = this.lookup(name);
    if (found.state !== 'value' || found.node.kind !== 'sequence') return undefined;
    const numbers = found.node.items.map(numberOf);
    return numbers.every((each) => each !== undefined) ? numbers : undefined;
  }

  string(name: string): string | undefined {
    const found = this.lookup(name);
    return found.state === 'value' && found.node.kind === 'scalar' && typeof found.node.value === 'string' ? found.node.value : undefined;
  }

  boolean(name: string): boolean | undefined {
    const found = this.lookup(name);
    return found.state === 'value' ? booleanOf(found.node) : undefined;
  }

  /** The named mapping as a section of its own. */
  child(name: string): Section | undefined {
    const node = this.#entries.get(name)?.value;
    return node?.kind === 'mapping' ? new Section(node, this.path === '' ? name : `${this.path}.${name}`) : undefined;
  }

  /** Range of the key, for a finding about its absence of meaning; the mapping's own range otherwise. */
  rangeOf(name: string): Range {
    return this.#entries.get(name)?.keyRange ?? this.mapping.range;
  }
}

export function numberOf(node: ConfigNode): number | undefined {
  if (node.kind !== 'scalar' || node.unresolved === true) return undefined;
  const value = typeof node.value === 'string' ? numericString(node.value) : node.value;
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

export const numericString = (text: string): number | undefined =>
  /^\s*[-+]?(\d[\d_]*\.?\d*|\.\d+)(e[-+]?\d+)?\s*$/i.test(text) ? Number(text.replace(/_/g, '')) : undefined;

export function booleanOf(node: ConfigNode): boolean | undefined {
  if (node.kind !== 'scalar' || node.unresolved === true) return undefined;
  if (typeof node.value === 'boolean') return node.value;
  if (typeof node.value !== 'string') return undefined;
  const text = node.value.toLowerCase();
  return text === 'true' ? true : text === 'false' ? false : undefined;
}

export const scalarsOf = (node: ConfigNode | undefined): readonly ScalarNode[] =>
  node?.kind === 'sequence' ? node.items.filter((item): item is ScalarNode => item.kind === 'scalar') : [];
