import { joinCells, type Preference, type ReadShape } from './join.ts';
import type { ListValue, Value } from './value.ts';

interface Change {
  readonly owner: object;
  readonly key: unknown;
  readonly isEntry: boolean;
  readonly before: unknown;
}

/** What a branch changed: for each place, the value before it and after it. */
export type Changes = ReadonlyMap<
  object,
  ReadonlyMap<unknown, { readonly isEntry: boolean; readonly before: unknown; readonly after: unknown }>
>;

type Fields = Record<PropertyKey, unknown>;

const growing = new WeakMap<ListValue, { items: Value[]; view: readonly Value[] | undefined }>();

/**
 * Everything that Python changes in place is changed through here. Each change is remembered, so that one branch can be run, taken
 * back, the other run, and both joined.
 */
export class Heap {
  readonly #trail: Change[] = [];
  #depth = 0;

  write<Owner extends object, Key extends keyof Owner>(owner: Owner, key: Key, value: Owner[Key]): void {
    if (this.#depth > 0) this.#trail.push({ owner, key, isEntry: false, before: owner[key] });
    owner[key] = value;
  }

  /** `undefined` removes the entry. */
  writeEntry<Key, Entry>(map: Map<Key, Entry>, key: Key, value: Entry | undefined): void {
    if (this.#depth > 0) this.#trail.push({ owner: map, key, isEntry: true, before: map.get(key) });
    if (value === undefined) map.delete(key);
    else map.set(key, value);
  }

  /**
   * Adds an item at the end of a list. Outside of branches a long list grows in place: its `items` become a view that is copied
   * when it is read, so that loops which only append stay linear.
   */
  append(list: ListValue, item: Value): void {
    const buffered = growing.get(list);
    if (this.#depth > 0 || (buffered === undefined && list.items.length < 64)) {
      this.write(list, 'items', [...list.items, item]);
      return;
    }
    let buffer = buffered;
    if (buffer === undefined) {
      buffer = { items: [...list.items], view: undefined };
      growing.set(list, buffer);
      const held = buffer;
      Object.defineProperty(list, 'items', {
        configurable: true,
        enumerable: true,
        get: () => {
          held.view ??= held.items.slice();
          return held.view;
        },
        set: (items: readonly Value[]) => {
          held.items = [...items];
          held.view = undefined;
        },
      });
    }
    buffer.items.push(item);
    buffer.view = undefined;
  }

  /** Runs a branch and takes back what it changed; answers the result and the changes. */
  attempt<Result>(branch: () => Result): { readonly result: Result; readonly changes: Changes } {
    const base = this.#trail.length;
    this.#depth += 1;
    try {
      const result = branch();
      return { result, changes: this.#gather(base) };
    } finally {
      this.#undo(base);
      this.#depth -= 1;
    }
  }

  /** Runs work whose changes outlast every branch around it: the statements of a module, which run once. */
  lasting<Result>(work: () => Result): Result {
    const depth = this.#depth;
    this.#depth = 0;
    try {
      return work();
    } finally {
      this.#depth = depth;
    }
  }

  /** Applies what one branch changed. */
  apply(changes: Changes): void {
    for (const [owner, cells] of changes) {
      for (const [key, { isEntry, after }] of cells) this.#set(owner, key, isEntry, after);
    }
  }

  /** Applies what holds whichever branch ran. */
  join(branches: readonly Changes[], prefer: Preference = 'none', read?: ReadShape): void {
    const places = new Map<object, Map<unknown, { readonly isEntry: boolean; readonly before: unknown }>>();
    for (const changes of branches) {
      for (const [owner, cells] of changes) {
        const known = places.get(owner) ?? new Map<unknown, { readonly isEntry: boolean; readonly before: unknown }>();
        for (const [key, cell] of cells) if (!known.has(key)) known.set(key, cell);
        places.set(owner, known);
      }
    }
    for (const [owner, cells] of places) {
      for (const [key, { isEntry, before }] of cells) {
        const values = branches.map((changes) => {
          const cell = changes.get(owner)?.get(key);
          return cell === undefined ? before : cell.after;
        });
        const joined = joinCells(owner, key, values, prefer, read);
        if (joined.open) this.#set(owner, 'open', false, true);
        if (joined.head !== undefined) this.#set(owner, 'head', false, joined.head);
        this.#set(owner, key, isEntry, joined.value);
      }
    }
  }

  /** Takes in what may have been changed on the way out: each place holds that or what it holds now. `except` is left as it is. */
  admit(changes: Changes, except: object, prefer: Preference = 'none'): void {
    for (const [owner, cells] of changes) {
      if (owner === except) continue;
      for (const [key, { isEntry, after }] of cells) {
        const now = isEntry ? (owner as Map<unknown, unknown>).get(key) : (owner as Fields)[key as PropertyKey];
        if (now === after) continue;
        const joined = joinCells(owner, key, [now, after], prefer);
        if (joined.open) this.#set(owner, 'open', false, true);
        if (joined.head !== undefined) this.#set(owner, 'head', false, joined.head);
        this.#set(owner, key, isEntry, joined.value);
      }
    }
  }

  #set(owner: object, key: unknown, isEntry: boolean, value: unknown): void {
    if (isEntry) this.writeEntry(owner as Map<unknown, unknown>, key, value);
    else this.write(owner as Fields, key as PropertyKey, value);
  }

  #gather(base: number): Changes {
    const changes = new Map<object, Map<unknown, { isEntry: boolean; before: unknown; after: unknown }>>();
    for (let i = base; i < this.#trail.length; i++) {
      const { owner, key, isEntry, before } = this.#trail[i] as Change;
      let cells = changes.get(owner);
      if (cells === undefined) {
        cells = new Map();
        changes.set(owner, cells);
      }
      if (cells.has(key)) continue;
      const after = isEntry ? (owner as Map<unknown, unknown>).get(key) : (owner as Fields)[key as PropertyKey];
      cells.set(key, { isEntry, before, after });
    }
    return changes;
  }

  #undo(base: number): void {
    while (this.#trail.length > base) {
      const { owner, key, isEntry, before } = this.#trail.pop() as Change;
      if (!isEntry) (owner as Fields)[key as PropertyKey] = before;
      else if (before === undefined) (owner as Map<unknown, unknown>).delete(key);
      else (owner as Map<unknown, unknown>).set(key, before);
    }
  }
}
