import type { Section } from '../design/section.ts';
import { NotModelled, type Scope } from './architectures/sheet.ts';

/** How a file of a model's own code, which names no model type, is laid out: the class there and its tensors. */
export interface NativeLayout {
  readonly className: string;
  readonly layout: (scope: Scope) => void;
}

/** Names separated by blanks. */
export const namesOf = (text: string): ReadonlySet<string> => new Set(text.split(/\s+/));

/** Whether a section has nothing but known keys, and numbers under the needed ones. */
export const isOnly = (section: Section, known: ReadonlySet<string>, needed: readonly string[]): boolean =>
  needed.every((name) => section.number(name) !== undefined) && [...section.names].every((name) => known.has(name));

/** A size; the program's default where the file does not have the key. */
export function sizeOf(section: Section, name: string, fallback?: number): number {
  const value = section.number(name) ?? (section.has(name) ? undefined : fallback);
  if (value === undefined || !Number.isSafeInteger(value) || value < 0) throw new NotModelled(`${name} is no size.`);
  return value;
}

/** A size that may be null; `fallback` where the file does not have the key. */
export const maybeSize = (section: Section, name: string, fallback?: number): number | undefined =>
  section.lookup(name).state === 'null'
    ? undefined
    : fallback === undefined && !section.has(name)
      ? undefined
      : sizeOf(section, name, fallback);

/** A switch; the program's default where the file does not have the key or says null. */
export function flagOf(section: Section, name: string, fallback: boolean): boolean {
  const { state } = section.lookup(name);
  if (state === 'absent' || state === 'null') return fallback;
  const value = section.boolean(name);
  if (value === undefined) throw new NotModelled(`${name} is neither true nor false.`);
  return value;
}

/** One of some words; the program's default where the file does not have the key. */
export function wordOf(section: Section, name: string, words: readonly string[], fallback: string): string {
  // The node itself: to a section 'none' is no word.
  const node = section.entry(name)?.value;
  const value = !section.has(name) ? fallback : node?.kind === 'scalar' && typeof node.value === 'string' ? node.value : undefined;
  if (value === undefined || !words.includes(value)) throw new NotModelled(`What ${name} does to the layers is not known.`);
  return value;
}
