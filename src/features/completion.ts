import { shapeCommentAt } from '../annotations/write.ts';
import type { ConfigReading, TransformerDesign } from '../design/design.ts';
import { normaliseName } from '../design/section.ts';
import { type ConfigNode, isMapping, type MappingNode } from '../syntax/node.ts';
import { LineIndex } from '../text/lineIndex.ts';
import type { Range } from '../text/range.ts';
import type { Analysis } from '../workspace/analyse.ts';
import { fieldInfo } from './fieldInfo.ts';
import { type KeyKnowledge, keysOf } from './knowledge.ts';
import { designAround, fieldsOf, locate } from './locate.ts';
import { english, type Translate } from './messages.ts';

export interface Completion {
  readonly label: string;
  /** What the key sets, in few words. */
  readonly detail: string;
  readonly kind: 'key' | 'value';
  readonly range: Range;
  readonly newText: string;
  /** What the editor filters by: the text that `range` covers must be able to lead to it. */
  readonly filterText: string;
  readonly sortText: string;
  /** For `completionDoc`. */
  readonly key: string;
  readonly design: string;
}

/** Where in the file a key or a value may be typed, and what is typed of it already. */
interface Place {
  readonly kind: 'key' | 'value';
  readonly range: Range;
  readonly design: TransformerDesign;
  /** Keys that stand in the mapping already. */
  readonly present: ReadonlySet<string>;
  /** For values: whose. */
  readonly key?: string;
  readonly render: (text: string, standsFor: unknown) => string;
}

/** Keys of the detected family at a key's place, known values at a value's; nothing where neither is due. */
export function completions(analysis: Analysis, offset: number, t: Translate = english): Completion[] {
  const { reading, parsed } = analysis;
  if (reading === undefined || reading.designs.length === 0) return [];
  const braces = enclosingBraces(parsed.root, parsed.text, offset);
  const place = braces === undefined ? linePlace(reading, offset) : bracePlace(reading, braces, offset);
  if (place === undefined) return [];
  const known = keysOf(reading, place.design);
  if (place.kind === 'value') {
    const key = known.find((one) => one.key === place.key);
    const values = key?.values ?? (key?.concept === undefined ? undefined : fieldInfo[key.concept].values) ?? [];
    return values.map((value, at) => item(place, value, key?.key ?? '', at, place.render(value, literal(value)), ''));
  }
  const present = new Set([...place.present].map(normaliseName));
  const free = known.filter((key) => !present.has(normaliseName(key.key)));
  return free.map((key, at) => item(place, key.key, key.key, at, place.render(key.key, key.default), detailOf(key, t)));
}

const literal = (value: string): unknown => (value === 'true' ? true : value === 'false' ? false : value);

function item(place: Place, label: string, key: string, at: number, newText: string, detail: string): Completion {
  const sortText = String(at).padStart(4, '0');
  const { range, kind } = place;
  return {
    label,
    detail,
    kind,
    range,
    newText,
    filterText: newText.startsWith('"') ? `"${label}"` : label,
    sortText,
    key,
    design: place.design.name,
  };
}

const detailOf = (key: KeyKnowledge, t: Translate): string =>
  [key.concept === undefined ? '' : t(fieldInfo[key.concept].title), key.default === undefined ? '' : `= ${String(key.default)}`]
    .filter((part) => part !== '')
    .join(' ');

/** In model code the comment at the cursor, completed with the shape of what the statement beside it assigns. */
export function shapeComments({ code, parsed }: Analysis, offset: number, t: Translate = english): Completion[] {
  const found = code === undefined ? undefined : shapeCommentAt(code, offset);
  if (found === undefined) return [];
  const { text: newText, range } = found;
  const typed = parsed.text.slice(range.start, offset);
  // Whichever bracket was typed leads to the file's own style.
  const filterText = newText.startsWith(typed) ? newText : `${typed}${newText}`;
  const detail = t('shape of this tensor');
  return [{ label: newText.trim(), detail, kind: 'value', range, newText, filterText, sortText: '0', key: '', design: '' }];
}

/** What a key means in this stack's family, as Markdown; empty when nothing is known of it. */
export function completionDoc(reading: ConfigReading, designName: string, key: string, t: Translate = english): string {
  const design = reading.designs.find((one) => one.name === designName);
  const known = design === undefined ? undefined : keysOf(reading, design).find((one) => one.key === key);
  if (design === undefined || known === undefined) return '';
  const lines = [known.doc ?? (known.concept === undefined ? '' : t(fieldInfo[known.concept].doc))];
  if (known.default !== undefined) {
    lines.push(
      known.origin === undefined
        ? t('Default: `{value}`', { value: String(known.default) })
        : t('Default: `{value}` (`{origin}`)', { value: String(known.default), origin: known.origin }),
    );
  }
  const held = known.concept === undefined ? undefined : design.fields[known.concept];
  if (held?.source === 'derived') lines.push(t('Here it follows from the other values: {value}', { value: String(held.value) }));
  return lines.filter((line) => line !== '').join('\n\n');
}

/** The innermost `{...}` mapping around an offset; undefined where the innermost mapping is not written in braces. */
function enclosingBraces(root: ConfigNode | undefined, text: string, offset: number): MappingNode | undefined {
  let inner: MappingNode | undefined;
  const visit = (candidate: ConfigNode | undefined, depth: number): void => {
    if (candidate === undefined || depth > 400 || candidate.range.start > offset || candidate.range.end < offset) return;
    if (candidate.kind === 'sequence') for (const child of candidate.items) visit(child, depth + 1);
    if (!isMapping(candidate)) return;
    const open = text[candidate.range.start] === '{';
    const closed = text[candidate.range.end - 1] === '}';
    // On the braces themselves the cursor is outside.
    if (open && (candidate.range.start === offset || (closed && candidate.range.end === offset))) return;
    inner = candidate;
    for (const entry of candidate.entries) visit(entry.value, depth + 1);
  };
  visit(root, 0);
  return inner !== undefined && text[inner.range.start] === '{' ? inner : undefined;
}

const isWord = (unit: string | undefined): boolean => unit !== undefined && /[\w.+-]/.test(unit);

function bracePlace(reading: ConfigReading, mapping: MappingNode, offset: number): Place | undefined {
  const design = designAround(reading, mapping);
  if (design === undefined) return undefined;
  const { text, comments } = reading.parsed;
  if (comments.some((comment) => offset > comment.range.start && offset < comment.range.end)) return undefined;
  let start = offset;
  while (isWord(text[start - 1])) start--;
  const quoted = text[start - 1] === '"';
  if (quoted) start--;
  let end = offset;
  while (isWord(text[end])) end++;
  if (quoted && text[end] === '"') end++;
  const before = text.slice(mapping.range.start, start).trimEnd();
  const after = text.slice(end).trimStart();
  const range = { start, end };
  if (before.endsWith(':')) {
    const key = /"([^"\n]*)"\s*:$/.exec(before)?.[1] ?? /(\w+)\s*:$/.exec(before)?.[1];
    if (key === undefined) return undefined;
    const render = (_: string, value: unknown): string => JSON.stringify(value);
    return { kind: 'value', range, design, present: new Set(), key, render };
  }
  // Inside an array or after a bare value nothing of ours is due.
  const inSequence = mapping.entries.some(
    ({ value }) => value?.kind === 'sequence' && offset > value.range.start && offset < value.range.end,
  );
  if (inSequence || (!/[{,]$/.test(before) && !/\n\s*$/.test(text.slice(0, start)))) return undefined;
  const present = new Set(
    mapping.entries.filter((entry) => entry.keyRange.end < start || entry.keyRange.start > end).map(({ key }) => key),
  );
  const render = (key: string, value: unknown): string => {
    if (after.startsWith(':')) return JSON.stringify(key);
    const written = value === undefined ? '' : JSON.stringify(value);
    return `${JSON.stringify(key)}: ${written}${after.startsWith('"') && written !== '' ? ',' : ''}`;
  };
  return { kind: 'key', range, design, present, render };
}

/** Formats that go by lines: block YAML, TOML, gin, shell arguments. */
function linePlace(reading: ConfigReading, offset: number): Place | undefined {
  const { format, parsed } = reading;
  // What is typed in code is mostly code.
  if (format === 'python') return undefined;
  const index = new LineIndex(parsed.text);
  const { line } = index.positionAt(offset);
  const head = parsed.text.slice(index.lineStart(line), offset);
  const tail = /^[^\r\n]*/.exec(parsed.text.slice(offset))?.[0] ?? '';
  if (format === 'shell') return shellPlace(reading, head, offset);
  const separator = format === 'yaml' ? ':' : '=';
  const value =
    format === 'yaml' ? /^\s*(?:- +)?([\w.-]+):\s+(['"]?[\w.-]*)$/.exec(head) : /^\s*([\w.-]+)\s*=\s*(['"]?[\w.-]*)$/.exec(head);
  const key = /^(\s*(?:- +)?)([\w.-]*)$/.exec(head);
  if (value === null && key === null) return undefined;
  const column = format === 'yaml' ? (key?.[1] ?? /^\s*(?:- +)?/.exec(head)?.[0] ?? '').length : undefined;
  const owner = designNear(reading, index, line, column);
  if (owner === undefined) return undefined;
  const typed = (value === null ? key?.[2] : value[2]) ?? '';
  const rest = /^[\w.-]*['"]?/.exec(tail)?.[0] ?? '';
  const range = { start: offset - typed.length, end: offset + rest.length };
  if (value !== null) {
    const render = (text: string, meant: unknown): string => (format === 'yaml' || typeof meant !== 'string' ? text : JSON.stringify(text));
    return { kind: 'value', range, design: owner.design, present: new Set(), key: value[1], render };
  }
  const hasValue = tail.slice(rest.length).trimStart().startsWith(separator);
  const present = new Set(
    owner.mapping.entries.filter((entry) => index.positionAt(entry.keyRange.start).line !== line).map((entry) => entry.key),
  );
  const render = (name: string, standsFor: unknown): string => {
    if (hasValue) return name;
    const written = standsFor === undefined ? '' : format === 'yaml' ? String(standsFor) : JSON.stringify(standsFor);
    return `${name}${format === 'yaml' ? ': ' : ' = '}${written}`;
  };
  return { kind: 'key', range, design: owner.design, present, render };
}

function shellPlace(reading: ConfigReading, head: string, offset: number): Place | undefined {
  const option = /(?:^|[\s"'(])--([\w-]*)$/.exec(head);
  const design = reading.designs[0];
  const root = reading.parsed.root;
  if (option === null || design === undefined) return undefined;
  const typed = option[1] ?? '';
  const present = new Set(isMapping(root) ? root.entries.map((entry) => entry.key).filter((key) => key !== typed) : []);
  const render = (key: string): string => key;
  return { kind: 'key', range: { start: offset - typed.length, end: offset }, design, present, render };
}

/** The stack whose written keys stand nearest above (else below) the line, in YAML only at the same column. */
function designNear(
  reading: ConfigReading,
  index: LineIndex,
  line: number,
  column: number | undefined,
): { readonly design: TransformerDesign; readonly mapping: MappingNode } | undefined {
  let best: { readonly design: TransformerDesign; readonly mapping: MappingNode } | undefined;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const design of reading.designs) {
    for (const [, field] of fieldsOf(design)) {
      if (field.source !== 'written' || field.keyRange === undefined) continue;
      const at = index.positionAt(field.keyRange.start);
      if (at.line === line || (column !== undefined && at.character !== column)) continue;
      // A key below the line is worth less than one above: new keys are mostly typed after others.
      const distance = at.line < line ? line - at.line : (at.line - line) * 4;
      if (distance >= bestDistance) continue;
      const mapping = locate(reading.parsed.root, field.keyRange.start)?.mappings.at(-1);
      if (mapping === undefined) continue;
      best = { design, mapping };
      bestDistance = distance;
    }
  }
  return best;
}
