/** Reads lists of sizes: `(B, T, C)`, `[b h (n d)]`, `B x T x C`, and says how surely they are sizes. */
import { rigid } from '../dims/dim.ts';
import { parseDim } from '../dims/parse.ts';
import { type Range, range } from '../text/range.ts';
import type { WrittenDim, WrittenShape } from './contract.ts';
import { isSizePhrase, isValueTuple, type Strength, strengthOf } from './words.ts';

export interface ReadDim {
  readonly dim: WrittenDim;
  readonly strength: Strength | 'number' | 'open';
}

export interface ReadShape {
  readonly shape: WrittenShape;
  readonly dims: readonly ReadDim[];
  readonly separator: 'comma' | 'times' | 'space' | 'single';
  readonly bracketed: boolean;
}

const maxRank = 12;
const order: readonly Strength[] = ['weak', 'other', 'letter', 'sure'];

/** One size, or undefined when the text is none. `start` is the offset of its first character. */
export function readDim(raw: string, start: number): ReadDim | undefined {
  const text = raw.trim();
  if (text === '' || text.length > 80) return undefined;
  const from = start + raw.indexOf(text);
  const place: Range = range(from, from + text.length);
  const make = (kind: WrittenDim['kind'], written: string, strength: ReadDim['strength'], label?: string): ReadDim => ({
    dim: label === undefined ? { kind, text: written, range: place } : { kind, text: written, range: place, label },
    strength,
  });
  // `XX` is Transformers' sign for axes that may be there.
  if (text === '...' || text === '…' || text === '*' || /^X{2,3}$/.test(text)) return make('rest', text, 'open');
  if (text === '-1' || text === '_' || text === '?' || text === 'None') return make('unknown', text, 'open');
  // `[L, L-1, ..., -R]` counts down; no size is negative.
  if (text.startsWith('-')) return undefined;
  const rest = /^\*([A-Za-z_]\w*)(?:\.\.\.)?$/.exec(text);
  if (rest?.[1] !== undefined) return strengthOf(rest[1]) === 'never' ? undefined : make('rest', text, 'open', rest[1]);
  if (/^\d+$/.test(text)) return /^0\d/.test(text) || text.length > 12 ? undefined : make('size', text, 'number');
  if (/^[A-Za-z]{2,}(?:-[A-Za-z]{2,})+$/.test(text)) return make('unknown', text, isSizePhrase(text.split('-')) ? 'sure' : 'weak');
  const words = text.split(/\s+/);
  if (words.length > 1 && isSizePhrase(words)) return make('unknown', text, 'sure');
  const labelled = /^([A-Z]\w?)\s*=\s*(\d+)$/.exec(text);
  if (labelled?.[1] !== undefined && labelled[2] !== undefined) return make('size', labelled[2], 'sure', labelled[1]);
  const written = text.replace(/(?<=[\w)]\s+)[xX](?=\s+[\w(])|×/g, '*');
  let worst: Strength = 'weak';
  let never = false;
  let named = 0;
  const parsed = parseDim(written, (name) => {
    const strength = strengthOf(name);
    if (strength === 'never') never = true;
    else if (named++ === 0 || order.indexOf(strength) > order.indexOf(worst)) worst = strength;
    return rigid(name);
  });
  if (!parsed.ok || never || written.includes('?')) return undefined;
  const { constant } = parsed.dim;
  if (named === 0) return constant === undefined || constant < 0 || /[%-]/.test(written) ? undefined : make('size', written, 'number');
  return make('size', written, worst);
}

/** Splits at a separator outside brackets; undefined where brackets do not match. `at` is each part's offset in the text. */
function splitTop(text: string, separator: RegExp): readonly { readonly text: string; readonly at: number }[] | undefined {
  const parts: { text: string; at: number }[] = [];
  const sticky = new RegExp(separator.source, 'y');
  let depth = 0;
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    const char = text.charAt(i);
    if (char === '(' || char === '[' || char === '{') depth++;
    else if (char === ')' || char === ']' || char === '}') depth--;
    if (depth < 0) return undefined;
    if (depth > 0) continue;
    sticky.lastIndex = i;
    const found = sticky.exec(text);
    if (found === null || found[0] === '') continue;
    parts.push({ text: text.slice(from, i), at: from });
    from = i + found[0].length;
    i = from - 1;
  }
  if (depth !== 0) return undefined;
  parts.push({ text: text.slice(from), at: from });
  return parts;
}

const brackets = /[()[\]{}]/g;
const closers: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };

/** The end of the bracket that opens at `open`, past it; undefined when it is not closed before `limit`. */
export function closingOf(text: string, open: number, limit = text.length): number | undefined {
  const stack: string[] = [];
  brackets.lastIndex = open;
  for (let found = brackets.exec(text); found !== null && found.index < limit; found = brackets.exec(text)) {
    const [char] = found;
    const closer = closers[char];
    if (closer !== undefined) stack.push(closer);
    else {
      if (stack.pop() !== char) return undefined;
      if (stack.length === 0) return found.index + 1;
    }
    if (stack.length > 16) return undefined;
  }
  return undefined;
}

/** What stands between brackets, or a whole list without. Undefined when any part of it is not a size. Linear in the text. */
export function readList(text: string, start: number, place: Range, bracketed: boolean): ReadShape | undefined {
  if (text.length > 300) return undefined;
  const commas = splitTop(text, /,/);
  if (commas === undefined) return undefined;
  let separator: ReadShape['separator'] = 'comma';
  let parts = commas;
  if (commas.length === 1) {
    const times = splitTop(text, /(?:(?<=\s)[xX](?=\s)|×)/);
    if (times !== undefined && times.length > 1) {
      separator = 'times';
      parts = times;
    } else {
      const trimmed = text.trim();
      const spaced = splitTop(trimmed, /\s+/)?.map((part) => ({ text: part.text, at: part.at + text.indexOf(trimmed) }));
      if (spaced !== undefined && spaced.length > 1 && !/[-+*/%]\s|\s[-+/%]/.test(trimmed)) {
        separator = 'space';
        parts = spaced;
      } else separator = 'single';
    }
  } else if (commas.at(-1)?.text.trim() === '') parts = commas.slice(0, -1);
  if (parts.length === 0 || parts.length > maxRank) return undefined;
  const dims: ReadDim[] = [];
  for (const part of parts) {
    const inner = separator === 'space' && /^\(.*\s.*\)$/.test(part.text) ? part.text.replace(/(?<=[\w)]) +(?=[\w(])/g, '*') : undefined;
    if (inner !== undefined && inner.length !== part.text.length) return undefined;
    // `[(T), (H), W]`: brackets round a name mark an axis that may be missing.
    if (/^\s*\(\s*\w+\s*\)\s*$/.test(part.text)) return undefined;
    const dim = readDim(inner ?? part.text, start + part.at);
    if (dim === undefined) return undefined;
    dims.push(dim);
  }
  const rests = dims.flatMap(({ dim }, i) => (dim.kind === 'rest' ? [i] : []));
  if (rests.length > 1) return undefined;
  // `B_1 x ... x B_K` counts its axes on; how many there are at least is not said.
  const [rest = -1] = rests;
  const stem = /^([A-Za-z]+)_?\d$/.exec(dims[rest - 1]?.dim.text ?? '')?.[1];
  if (stem !== undefined && new RegExp(`^${stem}_?\\w$`).test(dims[rest + 1]?.dim.text ?? '')) return undefined;
  return { shape: { dims: dims.map(({ dim }) => dim), range: place }, dims, separator, bracketed };
}

/** What is put before and behind each axis. */
const sides = /(?:^|_)(?:left|right|top|bottom|front|back)$/i;

/** `[0, 1, ..., T-1]`: numbers of places, which are no sizes. */
const isCount = (texts: readonly string[]): boolean => {
  const rest = texts.findIndex((text) => /^(?:\.\.\.|…)$/.test(text));
  return (
    texts[0] === '0' || (rest > 1 && texts.slice(0, rest).every((text, i) => /^\d+$/.test(text) && Number(text) === Number(texts[0]) + i))
  );
};

/**
 * Whether the list is one of sizes. With `said`, the text calls it a shape, so that numbers and any name will do; without it,
 * the names alone must say so.
 */
export function isShape(read: ReadShape, said: boolean): boolean {
  const count = (strength: ReadDim['strength']): number => read.dims.filter((dim) => dim.strength === strength).length;
  const rank = read.dims.length;
  const sure = count('sure');
  const letters = count('letter');
  const weak = count('weak');
  const others = count('other');
  const texts = read.dims.map(({ dim }) => dim.text);
  const sized = sure + letters + others;
  if (isCount(texts) || texts.filter((text) => sides.test(text)).length > 1) return false;
  if (said) {
    if (read.separator === 'single') return sure + letters > 0;
    if (read.separator === 'space') return weak === 0 && sized > 0;
    return weak === 0 || sized + count('number') + count('open') > 0;
  }
  if (isValueTuple(texts)) return false;
  // Letters in alphabetical order are examples: `[A, B, C, D]`.
  if (texts.includes('A') && texts.includes('B')) return false;
  if (read.separator === 'single') return false;
  if (rank === 1) return sure === 1 && read.bracketed && texts[0] !== 'K';
  const first = texts[0] ?? '';
  const batchFirst = /^(?:b|B|bs|bsz|batch|batch_size|n|N)$/.test(first);
  if (!read.bracketed || read.separator === 'space') {
    if (weak > 0) return false;
    if (read.separator === 'times') return sure >= 1 && sure + letters + count('number') >= others + 1;
    const distinct = new Set(texts.filter((text) => !/^\d+$/.test(text))).size + count('number') === rank;
    if (read.separator === 'comma') return rank >= 3 && sure >= 2 && others === 0 && batchFirst && distinct;
    return (
      (rank >= 3 || (read.bracketed && batchFirst)) &&
      others <= 1 &&
      sure + letters >= 2 &&
      (batchFirst || sure >= 2 || read.bracketed) &&
      distinct
    );
  }
  if (weak > 0)
    return (sure >= 2 && sure > weak) || (weak === 1 && sure === 1 && rank >= 3 && /^(?:B|bs|bsz|batch|batch_size)$/.test(first));
  if (sure >= 2) return true;
  if (sure === 1 && rank >= 4 && read.dims[0]?.strength === 'sure') return true;
  if (sure === 1)
    return (
      rank >= 2 &&
      (letters + count('open') > 0 || others <= 1) &&
      (batchFirst || rank >= 3 || letters + count('number') + count('open') > 0)
    );
  return letters >= 2 && letters >= others && (batchFirst || rank >= 3) && !texts.every((text) => /^[kn]$/.test(text));
}
