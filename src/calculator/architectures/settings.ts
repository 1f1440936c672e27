import { type Family, familyOf } from '../../design/families.ts';
import { booleanOf, normaliseName, numberOf, type Section } from '../../design/section.ts';
import type { Plain } from '../derived/record.ts';
import { NotModelled } from './sheet.ts';

type Node = NonNullable<ReturnType<Section['lookup']> & { readonly state: 'value' }>['node'];

/**
 * What a config says, as the class that reads it would see it: the key as written, or another name of it that the class accepts, or
 * the class's default. It remembers which keys were asked for, so that one that might change shapes is never passed over.
 * Every reader throws NotModelled where the value is none that the class could work with.
 */
export class Settings {
  readonly section: Section | undefined;
  readonly family: Family;
  readonly read = new Set<string>();
  readonly children: Settings[] = [];
  readonly #aliases = new Map<string, string[]>();
  /** Every layer asks for the same keys. */
  readonly #values = new Map<string, Node | string | number | boolean | null | undefined>();

  constructor(section: Section | undefined, family: Family) {
    this.section = section;
    this.family = family;
    for (const [alias, field] of Object.entries(family.aliases)) {
      const list = this.#aliases.get(field);
      if (list === undefined) this.#aliases.set(field, [alias]);
      else list.push(alias);
    }
  }

  /** Takes over what others over the same section have read. */
  adopt(other: Settings): void {
    for (const key of other.read) this.read.add(key);
    this.children.push(...other.children);
  }

  /** The written value; null where it is written or defaults to null; undefined where nothing is known. */
  #value(key: string): Node | string | number | boolean | null | undefined {
    const known = this.#values.get(key);
    if (known !== undefined || this.#values.has(key)) return known;
    const value = this.#find(key);
    this.#values.set(key, value);
    return value;
  }

  #find(key: string): Node | string | number | boolean | null | undefined {
    this.read.add(key);
    const names = [key, ...(this.#aliases.get(key) ?? [])];
    const target = this.family.aliases[key];
    if (target !== undefined && target !== key) names.push(target);
    let found: Node | null | undefined;
    for (const name of names) {
      this.read.add(name);
      const lookup = this.section?.lookup(normaliseName(name)) ?? { state: 'absent' as const };
      if (lookup.state === 'absent') continue;
      if (lookup.state === 'unknown') throw new NotModelled(`${name} is not known from the file.`);
      const value = lookup.state === 'value' ? lookup.node : null;
      if (found !== undefined && !same(found, value)) throw new NotModelled(`${key} is written under two names that differ.`);
      found = value;
    }
    if (found !== undefined) return found;
    for (const name of names) if (this.family.fields.has(name)) return this.family.fields.get(name);
    return undefined;
  }

  /** The value as JSON would hold it; undefined where nothing is known. */
  plain(key: string): Plain | undefined {
    const value = this.#value(key);
    return typeof value === 'object' && value !== null ? plainOf(value) : value;
  }

  has(key: string): boolean {
    const value = this.#value(key);
    return value !== undefined && value !== null;
  }

  /** A size: a whole number of at least 0. Throws where there is none. */
  int(key: string): number {
    const value = this.maybe(key);
    if (value === undefined) throw new NotModelled(`${key} is not given.`);
    return value;
  }

  /** A size that may be null or left out. */
  maybe(key: string): number | undefined {
    const value = this.#value(key);
    if (value === undefined || value === null) return undefined;
    const number = typeof value === 'object' ? numberOf(value) : value;
    if (typeof number !== 'number' || !Number.isSafeInteger(number) || number < 0) throw new NotModelled(`${key} is no whole number.`);
    return number;
  }

  /** A number of any kind. */
  real(key: string): number | undefined {
    const value = this.#value(key);
    if (value === undefined || value === null) return undefined;
    const number = typeof value === 'object' ? numberOf(value) : value;
    if (typeof number !== 'number') throw new NotModelled(`${key} is no number.`);
    return number;
  }

  flag(key: string, fallback = false): boolean {
    const value = this.#value(key);
    if (value === undefined || value === null) return fallback;
    const flag = typeof value === 'object' ? booleanOf(value) : value;
    if (typeof flag !== 'boolean') throw new NotModelled(`${key} is neither true nor false.`);
    return flag;
  }

  text(key: string): string | undefined {
    const value = this.#value(key);
    if (value === undefined || value === null) return undefined;
    const text = typeof value === 'object' ? (value.kind === 'scalar' ? value.value : undefined) : value;
    if (typeof text !== 'string') throw new NotModelled(`${key} is no text.`);
    return text;
  }

  texts(key: string): readonly string[] | undefined {
    return this.#items(key, (item) => (item.kind === 'scalar' && typeof item.value === 'string' ? item.value : undefined));
  }

  /** Numbers of a list; booleans count as 1 and 0, as in Python. */
  numbers(key: string): readonly number[] | undefined {
    return this.#items(key, (item) => numberOf(item) ?? (booleanOf(item) === undefined ? undefined : Number(booleanOf(item))));
  }

  #items<T>(key: string, read: (item: Node) => T | undefined): readonly T[] | undefined {
    const value = this.#value(key);
    if (value === undefined || value === null) return undefined;
    if (typeof value !== 'object' || value.kind !== 'sequence') throw new NotModelled(`${key} is no list.`);
    return value.items.map((item) => {
      const found = read(item);
      if (found === undefined) throw new NotModelled(`${key} holds something unexpected.`);
      return found;
    });
  }

  /** Height and width: one number for both, or a list of two. */
  pair(key: string): readonly [number, number] {
    if (!this.isList(key)) return [this.int(key), this.int(key)];
    const [height, width, ...rest] = this.numbers(key) ?? [];
    if (height === undefined || width === undefined || rest.length > 0) throw new NotModelled(`${key} is no pair.`);
    return [height, width];
  }

  /** Whether a list is written under this key. */
  isList(key: string): boolean {
    const value = this.#value(key);
    return typeof value === 'object' && value !== null && value.kind === 'sequence';
  }

  /** A nested config with its own type's defaults; `type` is what it is where neither it nor its parent's class says. */
  child(key: string, type?: string): Settings {
    this.read.add(key);
    const section = this.section?.child(normaliseName(key));
    const written = section?.string('model_type');
    const name = written !== undefined && written !== '' ? written : (type ?? this.family.subConfigs[key] ?? '');
    const family = familyOf(name);
    if (family === undefined) throw new NotModelled(`${key} is of no known type.`);
    const child = new Settings(section, family);
    child.read.add('model_type');
    this.children.push(child);
    return child;
  }
}

function plainOf(node: Node): Plain {
  if (node.kind === 'scalar') {
    if (node.unresolved === true) throw new NotModelled('A value is not known from the file.');
    return node.value;
  }
  if (node.kind === 'sequence') return node.items.map(plainOf);
  return Object.fromEntries(node.entries.flatMap(({ key, value }) => (value === undefined ? [] : [[key, plainOf(value)] as const])));
}

function same(a: Node | null, b: Node | null): boolean {
  if (a === null || b === null) return a === b;
  return a.kind === 'scalar' && b.kind === 'scalar' && a.value === b.value;
}
