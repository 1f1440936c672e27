import { range } from '../text/range.ts';
import type { WrittenName } from './contract.ts';

/** One `width=768` of a `# headwise:` comment. */
export interface Binding {
  readonly name: WrittenName;
  readonly value: number;
  readonly range: { readonly start: number; readonly end: number };
}

export interface Bindings {
  readonly bindings: readonly Binding[];
  /** What stands in the comment and binds nothing. */
  readonly problems: readonly WrittenName[];
}

const maxLength = 2000;

/**
 * `# headwise: width=768 heads=12`: whole numbers (with Python's underscores) bound to names, parted by spaces or commas.
 * Undefined where the comment is none of Headwise's, or a suppression. A name bound twice is a problem. Linear in the text.
 */
export function parseBindings(text: string, offset = 0): Bindings | undefined {
  if (text.length > maxLength) return undefined;
  const start = /^#\s*headwise:\s*/i.exec(text)?.[0].length;
  if (start === undefined || /^(?:file-)?ignore(?![\w=-])/i.test(text.slice(start))) return undefined;
  const bindings: Binding[] = [];
  const problems: WrittenName[] = [];
  const seen = new Set<string>();
  const body = text.slice(start);
  for (const found of body.matchAll(/([A-Za-z_][\w.]*)\s*=\s*([^\s,]+)|[^\s,]+/g)) {
    const at = offset + start + found.index;
    const place = range(at, at + found[0].length);
    const [whole, name, digits = ''] = found;
    const value = /^\d+(?:_\d+)*$/.test(digits) ? Number(digits.replaceAll('_', '')) : Number.NaN;
    if (name === undefined || !Number.isSafeInteger(value) || seen.has(name) || !/^\w+(?:\.\w+)*$/.test(name)) {
      problems.push({ text: whole, range: place });
      continue;
    }
    seen.add(name);
    bindings.push({ name: { text: name, range: range(at, at + name.length) }, value, range: place });
  }
  return { bindings, problems };
}
