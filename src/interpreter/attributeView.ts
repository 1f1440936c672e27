import { text } from './make.ts';
import type { DictValue, InstanceValue, Value } from './value.ts';

type Entry = { readonly key: Value; readonly value: Value };

/** The attributes of an instance as entries of a dict: what is set in one is set in the other. */
class AttributeEntries extends Map<string, Entry> {
  readonly #attributes: Map<string, Value>;

  constructor(attributes: Map<string, Value>) {
    super();
    this.#attributes = attributes;
  }

  override get size(): number {
    return this.#attributes.size;
  }

  override get(key: string): Entry | undefined {
    const value = this.#attributes.get(key);
    return value === undefined ? undefined : { key: text(key), value };
  }

  override has(key: string): boolean {
    return this.#attributes.has(key);
  }

  override set(key: string, entry: Entry): this {
    this.#attributes?.set(key, entry.value);
    return this;
  }

  override delete(key: string): boolean {
    return this.#attributes.delete(key);
  }

  override clear(): void {
    this.#attributes.clear();
  }

  override *entries(): MapIterator<[string, Entry]> {
    for (const [key, value] of this.#attributes) yield [key, { key: text(key), value }];
  }

  override *values(): MapIterator<Entry> {
    for (const [, entry] of this.entries()) yield entry;
  }

  override keys(): MapIterator<string> {
    return this.#attributes.keys();
  }

  override [Symbol.iterator](): MapIterator<[string, Entry]> {
    return this.entries();
  }

  override forEach(visit: (entry: Entry, key: string, map: Map<string, Entry>) => void): void {
    for (const [key, entry] of this.entries()) visit(entry, key, this);
  }
}

const views = new WeakMap<InstanceValue, DictValue>();

/** `instance.__dict__`: one dict for each instance. */
export function attributesAsDict(instance: InstanceValue): DictValue {
  const known = views.get(instance);
  if (known !== undefined) return known;
  const view: DictValue = {
    kind: 'dict',
    entries: new AttributeEntries(instance.attributes),
    get open() {
      return instance.open || instance.class.isOpen;
    },
    set open(value: boolean) {
      instance.open = value;
    },
  };
  views.set(instance, view);
  return view;
}
