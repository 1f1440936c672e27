import { type Range, range } from '../text/range.ts';
import type { Contract, WrittenName } from './contract.ts';
import { closingOf, isShape, type ReadShape, readList } from './sizes.ts';

const maxLength = 200_000;
const maxEntries = 500;

const argumentHeader = /^(?:args?|arguments?|parameters?|params?|inputs?|keyword args|keyword arguments|other parameters)\s*:?$/i;
const returnHeader = /^(?:returns?|yields?|outputs?)\s*:?$/i;
const otherHeader =
  /^(?:raises?|examples?|notes?|references?|see also|warnings?|attributes?|usage|todo|shape|shapes|warns?|methods|tip|properties)\s*:{0,2}$/i;
const field = /^:(param|parameter|arg|return|returns|rtype|type)\b\s*([^:]*):\s*/;
/** `x (Tensor): ...`, `x: ...`, `- x (...)`, `**x** (...) -- ...`, and NumPy's `x : Tensor`. */
const entry = /^(?:[-*•]\s+)?(?:\*\*|`{1,2})?(\*{0,2}[A-Za-z_]\w*(?:\s*,\s*[A-Za-z_]\w*)*)(?:\*\*|`{1,2})?\s*(?=:(?!:)|\(|--\s)/;
const alternatives = /(?:^|[\s)\]`])(?:or|if|when|either|else|otherwise|depending|unless|and)(?=[\s,:([`]|$)/i;
const cue = /(?:^|[^\w.])shapes?(?:\s+(?:is|of|are|will be))?\s*[:=]?\s*(?::math:)?[`"'*]*\s*(?=[([])/gi;
const members = /\b(?:tuple|list|one for|dict)\b/i;

interface Entry {
  readonly subject: 'parameter' | 'return';
  readonly names: readonly WrittenName[];
  /** Offset of the text after the name, in the docstring. */
  readonly start: number;
  end: number;
}

interface Line {
  readonly text: string;
  readonly start: number;
  readonly indent: number;
}

function linesOf(text: string): readonly Line[] {
  const lines: Line[] = [];
  for (const found of text.matchAll(/[^\r\n]+/g)) {
    const indent = found[0].length - found[0].trimStart().length;
    // `x: (B, T); y: (B, S)` is two lines.
    for (const part of found[0].matchAll(/(?:[^;]|;(?!\s+[a-z_]\w*\s*:\s*[([]))+/g)) {
      const trimmed = part[0].trimStart();
      lines.push({ text: trimmed.trimEnd(), start: found.index + part.index + part[0].length - trimmed.length, indent });
    }
  }
  return lines;
}

function namesOf(text: string, start: number): readonly WrittenName[] {
  return [...text.matchAll(/[A-Za-z_]\w*/g)].map((found) => ({
    text: found[0],
    range: range(start + found.index, start + found.index + found[0].length),
  }));
}

/** Splits a docstring into the entries of its Args, Parameters and Returns blocks, `:param:` fields and bare `x: ...` lines. */
function entriesOf(text: string): readonly Entry[] {
  const entries: Entry[] = [];
  let section: 'parameter' | 'return' | 'other' | undefined;
  let sectionIndent = 0;
  let entryIndent: number | undefined;
  let open: Entry | undefined;
  const begin = (made: Entry): void => {
    open = made;
    entries.push(made);
  };
  for (const { text: line, start, indent } of linesOf(text)) {
    if (entries.length >= maxEntries) break;
    if (line === '') continue;
    if (/^[-=~]{3,}$/.test(line)) {
      // NumPy underlines its headers; entries stand at the same indent.
      sectionIndent = indent - 1;
      continue;
    }
    if (/^(?:>>>|\.\.\.\s|```)/.test(line)) {
      open = undefined;
      section = 'other';
      sectionIndent = indent;
      continue;
    }
    const header = argumentHeader.test(line)
      ? 'parameter'
      : returnHeader.test(line)
        ? 'return'
        : otherHeader.test(line)
          ? 'other'
          : undefined;
    if (header !== undefined && line.length < 40) {
      section = header;
      sectionIndent = indent;
      entryIndent = undefined;
      open = undefined;
      continue;
    }
    const tagged = field.exec(line);
    if (tagged !== null) {
      const [whole, tag = '', argument = ''] = tagged;
      open = undefined;
      section = undefined;
      const name = /[A-Za-z_]\w*\s*$/.exec(argument);
      if (tag.startsWith('return') || tag === 'rtype')
        begin({ subject: 'return', names: [], start: start + whole.length, end: start + line.length });
      else if (name !== null) {
        const at = start + whole.indexOf(argument) + name.index;
        begin({ subject: 'parameter', names: namesOf(name[0], at), start: start + whole.length, end: start + line.length });
      }
      entryIndent = indent;
      continue;
    }
    const inlineReturn = /^(?:returns?|outputs?)\s*:\s+(?=\S)/i.exec(line);
    if (inlineReturn !== null && section !== 'parameter') {
      begin({ subject: 'return', names: [], start: start + inlineReturn[0].length, end: start + line.length });
      entryIndent = indent;
      section = undefined;
      continue;
    }
    if (section !== undefined && indent <= sectionIndent && entryIndent !== undefined) {
      section = undefined;
      open = undefined;
      entryIndent = undefined;
    }
    const deeper = entryIndent !== undefined && indent > entryIndent;
    if (deeper && open !== undefined) {
      open.end = start + line.length;
      continue;
    }
    if (section === 'other') continue;
    entryIndent = indent;
    open = undefined;
    const found = entry.exec(line);
    const names = found?.[1] === undefined ? [] : namesOf(found[1], start + found[0].indexOf(found[1]));
    if (section === 'return') {
      const named =
        found !== null && /^[a-z_]\w*$/.test(found[1] ?? '') && !/^(?:tuple|list|dict|torch|tensor|shape|of|the)$/.test(found[1] ?? '');
      begin({ subject: 'return', names: named ? names : [], start: start + (named ? found[0].length : 0), end: start + line.length });
    } else if (found !== null && (section === 'parameter' || /^[a-z_]\w*$/.test(found[1] ?? ''))) {
      if (section === 'parameter' || !/^(?:shape|note|where|warning|example|see|default)$/i.test(found[1] ?? '')) {
        begin({ subject: 'parameter', names, start: start + found[0].length, end: start + line.length });
      }
    }
  }
  return entries;
}

interface Found {
  readonly read: ReadShape;
  readonly at: number;
  readonly end: number;
  readonly said: boolean;
}

/** Whether brackets elsewhere in the text hold another shape, as in a list of what a tuple holds. */
function hasOther(text: string, first: Found): boolean {
  for (const { index } of text.matchAll(/[([]/g)) {
    if (index >= first.at && index < first.end) continue;
    if (/\w/.test(text.charAt(index - 1))) continue;
    const end = closingOf(text, index, index + 300);
    if (end === undefined) continue;
    const read = readList(text.slice(index + 1, end - 1), 0, range(0, 0), true);
    if (read !== undefined && read.separator !== 'single' && isShape(read, false) && !sameText(read, first.read)) return true;
  }
  return false;
}

function shapesIn(text: string, start: number): readonly Found[] {
  const found: Found[] = [];
  const add = (open: number, said: boolean): void => {
    const end = closingOf(text, open);
    if (end === undefined || found.some((other) => other.at === open)) return;
    const read = readList(text.slice(open + 1, end - 1).replace(/[\r\n`]/g, ' '), start + open + 1, range(start + open, start + end), true);
    if (read !== undefined && isShape(read, said)) found.push({ read, at: open, end, said });
  };
  for (const match of text.matchAll(cue)) add(match.index + match[0].length, true);
  // `x: [batch, length, d_model] hidden states`, or in the place of the type: `x (B, T, C): ...`
  const direct = /^\s*:?\s*(?:(?:torch\.)?\w*Tensor\s*)?[`*]*(?=[([])/.exec(text);
  if (direct !== null) add(direct[0].length, false);
  return found.sort((a, b) => a.at - b.at);
}

/** The shape an entry states, where it states just one. */
function contractOf(text: string, { subject, names, start, end }: Entry, offset: number): Contract | undefined {
  const body = text.slice(start, end);
  const found = shapesIn(body, offset + start);
  const [first] = found;
  if (first === undefined || names.length > 4) return undefined;
  const others = found.slice(1).filter(({ read }) => !sameText(read, first.read));
  if (others.length > 0) return undefined;
  const tail = body.slice(first.end, first.end + 60).split(/[.;\n]/)[0] ?? '';
  if (/^[`\s,]*(?:if|when|unless|depending|for (?:un)?batched|with (?:un)?batched)\b/i.test(tail)) return undefined;
  // What comes before the shape may choose between shapes too; "optional" does not.
  const lead = body.slice(0, first.at).replace(/\(.*?\)/gs, ' ');
  if (alternatives.test(tail) && /[([]|scalar|none|shape/i.test(body.slice(first.end, first.end + 120))) return undefined;
  if (/\b(?:if|when|either|not|instead|before|batch_first|original|same)\b/i.test(lead.split(/[.;]\s/).at(-1) ?? '')) return undefined;
  if (
    subject === 'return' &&
    (hasOther(body, first) || /\b(?:if|when)\b/i.test(lead) || /^[`\s]*,[^.;\n]*[([]/.test(body.slice(first.end)))
  )
    return undefined;
  if (/^\s*[`"'*]*\s*(?:->|[-+*/@]\s*[\w([]|\.\w)/.test(body.slice(first.end))) return undefined;
  const place: Range = range(names[0] === undefined ? offset + start : offset + names[0].range.start, offset + start + first.end);
  return {
    provenance: 'docstring',
    subject,
    names: names.map((name) => ({ text: name.text, range: range(name.range.start + offset, name.range.end + offset) })),
    from: [],
    via: [],
    to: first.read.shape,
    each: members.test(body.slice(0, first.at)),
    stated: names.length > 0 ? 'named' : 'alone',
    range: place,
  };
}

const sameText = (a: ReadShape, b: ReadShape): boolean =>
  a.shape.dims.length === b.shape.dims.length && a.shape.dims.every(({ text }, i) => text === b.shape.dims[i]?.text);

/**
 * The shapes a docstring states for parameters and results: Sphinx fields (`:param x: [batch, length, d_model]`), Google's and
 * NumPy's blocks (`x (Tensor): of shape (b, s, d)`), and Hugging Face's "`torch.FloatTensor` of shape `(batch_size, ...)`".
 * Entries that name several shapes, or say when each holds, are left out. `text` is what stands between the quotes, `offset`
 * where it stands in the file. Never throws; texts over 200,000 characters are passed over.
 */
export function parseDocstring(text: string, offset = 0): readonly Contract[] {
  if (text.length > maxLength || !/[([]/.test(text)) return [];
  const entries = entriesOf(text);
  const results = entries.filter(({ subject }) => subject === 'return').length;
  return entries.flatMap((each) => {
    // Of several results without names it is not said which is which.
    if (each.end - each.start > 4000 || (each.subject === 'return' && each.names.length === 0 && results > 1)) return [];
    return contractOf(text, each, offset) ?? [];
  });
}
