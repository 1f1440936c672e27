import { CST, Lexer, Parser } from 'yaml';
import { covers, type Range, range } from '../text/range.ts';
import { Expansion, mergedEntry, unresolvedScalar } from './expansion.ts';
import { resolveInterpolations } from './interpolation.ts';
import { parseJson } from './json.ts';
import type { Comment, ConfigNode, EntryNode, MappingNode, ParsedConfig, ScalarValue } from './node.ts';
import { lineEnd, maximumDepth, Problems } from './problems.ts';
import { beginsWithBrace, readPlainYaml } from './yamlPlain.ts';
import { plainScalarValue } from './yamlScalar.ts';

/** Times a file is read again after an unclosed quote that swallowed other keys. */
const quoteRepairs = 3;

/**
 * Reads YAML: the common kind by a reader of its own, everything else by `parseAnyYaml`. The first document that is a
 * mapping is the root; interpolations and aliases share a node budget. O(length).
 */
export function parseYaml(text: string): ParsedConfig {
  const plain = readPlainYaml(text);
  if (plain === undefined) return parseAnyYaml(text);
  const root = text.includes('${') ? resolveInterpolations(plain.root, plain.expansion) : plain.root;
  return { format: 'yaml', text, root, problems: [], comments: plain.comments };
}

/**
 * Reads any YAML from the library's concrete syntax, which takes any text; composing documents would be slower, recurse
 * without bound and lose duplicates. Nesting beyond 200 levels ends the reading.
 */
export function parseAnyYaml(text: string): ParsedConfig {
  let source = text;
  const quotes: number[] = [];
  for (;;) {
    const reader = new YamlReader(text, source, quotes, []);
    const result = reader.read();
    if (result.problems.length === 0) return result;
    if (quotes.length === 0 && reader.openFlows.length > 0) {
      const joined = joinFlows(text, reader.openFlows);
      const again = new YamlReader(text, joined.source, quotes, joined.comments).read();
      if (again.problems.length < result.problems.length) return again;
    }
    const quote = quotes.length < quoteRepairs ? reader.runawayQuote() : undefined;
    if (quote === undefined) return betterAsJson(result);
    quotes.push(quote);
    // The rest of the line is read plain; everything after it is readable again.
    const lineStop = lineEnd(source, quote);
    source = `${source.slice(0, quote)} ${source.slice(quote + 1, lineStop).replace(/["'`@{}[\]]/g, ' ')}${source.slice(lineStop)}`;
  }
}

/** Characters looked at for the ends of brackets in one file. */
const joinBudget = 100_000;

/**
 * The library ends a bracket at the first line that is indented no deeper than its key; PyYAML reads on to the closing
 * one. Here the lines of such brackets are joined, offsets kept, unless a line in between looks like a key of its own:
 * then the bracket is still to be closed.
 */
function joinFlows(text: string, opens: readonly number[]): { readonly source: string; readonly comments: readonly Comment[] } {
  const comments: Comment[] = [];
  let source = '';
  let from = 0;
  let left = joinBudget;
  for (const open of opens) {
    if (open < from || left <= 0) continue;
    const { end, seen } = flowEnd(text, open, Math.min(text.length, open + left));
    left -= seen;
    if (end === undefined) continue;
    source += text.slice(from, open);
    for (let at = open; at < end; at++) {
      const char = text.charAt(at);
      if (char === '#' && /\s/.test(text.charAt(at - 1))) {
        const stop = lineEnd(text, at);
        comments.push({ range: range(at, stop), text: text.slice(at + 1, stop) });
        source += ' '.repeat(stop - at);
        at = stop - 1;
      } else if (char === '"' || char === "'") {
        const stop = text.indexOf(char, at + 1);
        source += text.slice(at, stop + 1);
        at = stop;
      } else source += char === '\n' || char === '\r' ? ' ' : char;
    }
    from = end;
  }
  return { source: source + text.slice(from), comments };
}

/** Past the bracket that closes the one at `open`; undefined where none does or the text between is not of one value. */
function flowEnd(text: string, open: number, limit: number): { readonly end: number | undefined; readonly seen: number } {
  let level = 0;
  let last = '';
  let at = open;
  for (; at < limit; at++) {
    const char = text.charAt(at);
    if (char === '#' && /\s/.test(text.charAt(at - 1))) at = lineEnd(text, at) - 1;
    else if (char === '"' || char === "'") {
      const stop = text.indexOf(char, at + 1);
      if (stop < 0 || text.slice(at, stop).includes('\n')) break;
      at = stop;
      last = char;
    } else if (char === '\n') {
      const key = /[ \t]*[\w.-]+[ \t]*:(?:\s|$)|[ \t]*- /y;
      key.lastIndex = at + 1;
      if (key.test(text) && !'[{,'.includes(last)) break;
    } else if (char.trim() !== '') {
      if (char === '[' || char === '{') level++;
      else if ((char === ']' || char === '}') && --level === 0) return { end: at + 1, seen: at + 1 - open };
      last = char;
    }
  }
  return { end: undefined, seen: Math.max(1, at - open) };
}

/** A half-typed file that is JSON with `#` comments, as GPT-NeoX has them, is better recovered by the JSON reader. */
function betterAsJson(read: ParsedConfig): ParsedConfig {
  const { text, comments } = read;
  // A comment is taken to its line's end at once: `#.*` would split a row of `#` in exponentially many ways.
  if (!beginsWithBrace(text)) return read;
  let blanked = '';
  let from = 0;
  for (const { range: at } of comments) {
    blanked += text.slice(from, at.start) + ' '.repeat(at.end - at.start);
    from = at.end;
  }
  blanked += text.slice(from);
  const json = parseJson(blanked);
  return json.problems.length > read.problems.length ? read : { ...json, format: 'yaml', text, comments };
}

interface Properties {
  readonly anchor: string | undefined;
  readonly tag: string | undefined;
}

const noProperties: Properties = { anchor: undefined, tag: undefined };

class YamlReader {
  readonly #text: string;
  readonly #source: string;
  readonly #problems = new Problems();
  readonly #comments: Comment[];
  readonly #expansion = new Expansion();
  #anchors = new Map<string, ConfigNode | 'open'>();
  /** Quoted scalars of several lines, in which a later key may have been caught. */
  readonly #longQuotes: Range[] = [];
  #quoteUnclosed = false;
  /** Offsets of quotes that were taken away to read the rest. */
  readonly #quotes: readonly number[];
  /** Where brackets open that nothing closes. */
  readonly openFlows: number[] = [];

  constructor(text: string, source: string, quotes: readonly number[], comments: readonly Comment[]) {
    this.#text = text;
    this.#source = source;
    this.#quotes = quotes;
    this.#comments = [...comments];
  }

  read(): ParsedConfig {
    let root: ConfigNode | undefined;
    let found: ConfigNode | undefined;
    for (const token of this.#tokens()) {
      if (token.type === 'error') this.#unexpected(token.offset, token.source);
      else if (token.type === 'document') {
        this.#anchors = new Map();
        const node = this.#document(token);
        if (node?.kind === 'mapping') root ??= node;
        found ??= node?.kind === 'scalar' && node.raw === '' ? undefined : node;
      }
    }
    root ??= found;
    if (root !== undefined && this.#text.includes('${')) root = resolveInterpolations(root, this.#expansion);
    for (const quote of this.#quotes) this.#problems.add(quote, lineEnd(this.#text, quote), 'The quoted string is not closed.');
    this.#comments.sort((a, b) => a.range.start - b.range.start);
    return { format: 'yaml', text: this.#text, root, problems: this.#problems.sorted(), comments: this.#comments };
  }

  /** Where the quote opened that ran over what looks like further keys; undefined when all quotes are closed. */
  runawayQuote(): number | undefined {
    if (!this.#quoteUnclosed) return undefined;
    for (const { start, end } of this.#longQuotes) {
      if (/\n[ \t]*(?:[\w.-]+[ \t]*:(?:\s|$)|"[\w.-]+"[ \t]*:|- )/.test(this.#source.slice(start, end))) return start;
    }
    return undefined;
  }

  /** Runs lexer and parser side by side: takes the comments on the way and stops before nesting gets too deep. */
  *#tokens(): Generator<CST.Token, void> {
    const parser = new Parser();
    let offset = 0;
    let inScalar = false;
    for (const lexeme of new Lexer().lex(this.#source)) {
      if (!inScalar && lexeme === CST.SCALAR) inScalar = true;
      else if (!inScalar && (lexeme === CST.DOCUMENT || lexeme === CST.FLOW_END)) {
        // Marks of the lexer that stand for no text.
      } else {
        if (!inScalar && lexeme.charCodeAt(0) === 35) {
          this.#comments.push({ range: range(offset, offset + lexeme.length), text: lexeme.slice(1) });
        }
        inScalar = false;
        offset += lexeme.length;
      }
      yield* parser.next(lexeme);
      if (parser.stack.length > maximumDepth) {
        this.#problems.add(offset, offset, `Nested deeper than ${maximumDepth} levels; what follows is not read.`);
        break;
      }
    }
    yield* parser.end();
  }

  #unexpected(offset: number, written: string): void {
    // The lexer's own marks stand for no text.
    const source = written === CST.FLOW_END || written === CST.DOCUMENT || written === CST.SCALAR ? '' : written;
    const shown = source.length > 20 ? `${source.slice(0, 20)}...` : source;
    this.#problems.add(offset, offset + source.length, shown.trim() === '' ? 'Unexpected text.' : `Unexpected \`${shown}\` here.`);
  }

  /** Tokens that have no business where only space, properties and punctuation are due. */
  #reportStray(tokens: readonly CST.SourceToken[] | undefined): void {
    const stray = tokens?.find((token) => !usual.has(token.type));
    if (stray !== undefined) this.#unexpected(stray.offset, stray.source);
  }

  #document(document: CST.Document): ConfigNode | undefined {
    for (const token of document.end ?? []) {
      if (!isTrivia(token)) {
        this.#problems.add(token.offset, lineEnd(this.#text, token.offset), 'Text after the end of the value.');
        break;
      }
    }
    const token = document.value;
    if (token === undefined || token === null) return undefined;
    return this.#value(token, this.#properties(document.start), 1);
  }

  #properties(tokens: readonly CST.SourceToken[] | undefined): Properties {
    let anchor: string | undefined;
    let tag: string | undefined;
    for (const token of tokens ?? []) {
      if (token.type === 'anchor') anchor = token.source.slice(1);
      else if (token.type === 'tag') tag = token.source;
    }
    return anchor === undefined && tag === undefined ? noProperties : { anchor, tag };
  }

  #value(token: CST.Token, properties: Properties, depth: number): ConfigNode {
    const { anchor } = properties;
    if (anchor !== undefined) this.#anchors.set(anchor, 'open');
    const node = this.#bare(token, properties.tag, depth);
    if (anchor !== undefined) this.#anchors.set(anchor, node);
    return node;
  }

  #bare(token: CST.Token, tag: string | undefined, depth: number): ConfigNode {
    if ('end' in token) this.#reportStray(token.end);
    switch (token.type) {
      case 'alias':
        return this.#alias(token, depth);
      case 'scalar':
      case 'single-quoted-scalar':
      case 'double-quoted-scalar':
      case 'block-scalar':
        return this.#scalar(token, tag);
      case 'block-map':
        return this.#blockMap(token, depth);
      case 'block-seq':
        return this.#blockSequence(token, depth);
      case 'flow-collection':
        return this.#flow(token, depth);
      default: {
        const source = 'source' in token ? token.source : '';
        this.#unexpected(token.offset, source);
        return unresolvedScalar(range(token.offset, token.offset + source.length), source);
      }
    }
  }

  #alias(token: CST.FlowScalar, depth: number): ConfigNode {
    const at = range(token.offset, token.offset + token.source.length);
    const target = this.#anchors.get(token.source.slice(1));
    if (target === undefined) this.#problems.add(at.start, at.end, 'No anchor of this name comes before it.');
    else if (target === 'open') this.#problems.add(at.start, at.end, 'The alias lies inside its own anchor.');
    else return this.#expansion.place(target, at, token.source, depth);
    return unresolvedScalar(at, token.source);
  }

  #scalar(token: CST.FlowScalar | CST.BlockScalar, tag: string | undefined): ConfigNode {
    const read = this.#decoded(token);
    const at = range(token.offset, Math.min(this.#text.length, Math.max(token.offset, read.end)));
    const raw = this.#text.slice(at.start, at.end);
    const plain = token.type === 'scalar';
    const base = { kind: 'scalar', range: at, raw } as const;
    if (tag === undefined) return { ...base, value: plain ? plainScalarValue(read.value) : read.value, quoted: !plain };
    const tagged = taggedValue(tag, read.value);
    if (tagged === undefined) return { ...base, value: raw, quoted: !plain, unresolved: true };
    return { ...base, value: tagged, quoted: typeof tagged === 'string' && (!plain || tag === '!!str' || tag === '!') };
  }

  /** Decoded text of a scalar and the offset where it ends. */
  #decoded(token: CST.FlowScalar | CST.BlockScalar): { readonly value: string; readonly end: number } {
    if (token.type === 'scalar' && !token.source.includes('\n')) {
      if (/^[@`]/.test(token.source))
        this.#problems.add(token.offset, token.offset + 1, 'An unquoted value cannot begin with this character.');
      return { value: token.source, end: token.offset + token.source.length };
    }
    if ((token.type === 'single-quoted-scalar' || token.type === 'double-quoted-scalar') && !isClosed(token)) {
      // What the line holds is the best guess while the quote is still to be typed.
      this.#quoteUnclosed = true;
      this.#problems.add(token.offset, lineEnd(this.#text, token.offset), 'The quoted string is not closed.');
      if (token.source.includes('\n')) this.#longQuotes.push(range(token.offset, token.offset + token.source.length));
      const written = token.source.slice(1, lineEnd(token.source, 0)).trimEnd();
      return { value: written, end: token.offset + 1 + written.length };
    }
    let reported = false;
    const resolved = CST.resolveAsScalar(token, false, (offset, _code, message) => {
      if (reported) return;
      reported = true;
      const at = token.offset + (token.type === 'block-scalar' ? 0 : offset);
      this.#problems.add(Math.min(at, this.#text.length), Math.min(at + 1, this.#text.length), `${message.replace(/\.$/, '')}.`);
    });
    const end = Math.min(resolved.range[1], this.#text.length);
    if (token.type !== 'block-scalar' && token.type !== 'scalar' && token.source.includes('\n')) {
      this.#longQuotes.push(range(token.offset, end));
    }
    return { value: resolved.value, end };
  }

  #blockMap(token: CST.BlockMap, depth: number): MappingNode {
    const entries: EntryNode[] = [];
    const merges: ConfigNode[] = [];
    this.#blockEntries(token, depth, entries, merges);
    return this.#mapping(hull(entries, token.offset), entries, merges, depth);
  }

  #blockEntries(token: CST.BlockMap, depth: number, entries: EntryNode[], merges: ConfigNode[]): void {
    const items: readonly CST.CollectionItem[] = token.items;
    for (const item of items) {
      if (item.sep === undefined && (item.key === undefined || item.key === null)) continue;
      this.#reportTabs(item.start);
      this.#reportTabs(item.sep);
      if (!isExplicit(item.start) && item.key && 'indent' in item.key && item.key.indent !== token.indent) {
        this.#problems.add(item.key.offset, lineEnd(this.#text, item.key.offset), 'The indentation fits no mapping above.');
      }
      if (!this.#spill(item, depth, entries, merges)) this.#entry(item, depth, false, entries, merges);
    }
  }

  /**
   * `a: 1` above an indented `b: 2` parses as `a: {"1\n  b": 2}`, an error in YAML. The value is what stands on the
   * line of its key; the rest are taken for keys of this mapping.
   */
  #spill(item: CST.CollectionItem, depth: number, entries: EntryNode[], merges: ConfigNode[]): boolean {
    const inner = item.value;
    if (inner?.type !== 'block-map' || item.key === undefined || item.key === null) return false;
    if (item.sep?.some((token) => token.type === 'newline') || isExplicit(item.start) || isExplicit(item.sep)) return false;
    const key = firstKey(inner.items);
    const stop = key?.type === 'scalar' ? key.source.search(/[ \t]*\r?\n/) : -1;
    if (key?.type !== 'scalar' || stop < 0) {
      this.#problems.add(inner.offset, lineEnd(this.#text, inner.offset), 'A mapping cannot begin on the line of its key.');
      return false;
    }
    this.#problems.add(key.offset + stop, inner.offset + key.source.length, 'The indentation fits no mapping above.');
    this.#entry({ ...item, value: { ...key, source: key.source.slice(0, stop) } }, depth, false, entries, merges);
    this.#blockEntries(withFirstKey(inner, key, stop), depth, entries, merges);
    return true;
  }

  /** The same inside braces, where a comma is missing: `{x: 1 y: 2}` parses as `{x: {"1 y": 2}}`. */
  #spillFlow(item: CST.CollectionItem, depth: number, entries: EntryNode[], merges: ConfigNode[]): boolean {
    const inner = item.value;
    if (inner?.type !== 'block-map') return false;
    const key = firstKey(inner.items);
    const stop = key?.type === 'scalar' ? key.source.search(/\s+\S+$/) : -1;
    const at = key?.type === 'scalar' && stop >= 0 ? key.offset + stop : inner.offset;
    this.#problems.add(at, lineEnd(this.#text, at), 'Expected a comma.');
    if (key?.type !== 'scalar' || stop < 0) return false;
    this.#entry({ ...item, value: { ...key, source: key.source.slice(0, stop) } }, depth, true, entries, merges);
    const rest: readonly CST.CollectionItem[] = withFirstKey(inner, key, stop).items;
    for (const other of rest) this.#entry(other, depth, true, entries, merges);
    return true;
  }

  #blockSequence(token: CST.BlockSequence, depth: number): ConfigNode {
    const items: ConfigNode[] = [];
    let end = token.offset;
    for (const item of token.items) {
      this.#reportTabs(item.start);
      const dash = item.start.find((part) => part.type === 'seq-item-ind');
      if (dash === undefined && item.value === undefined) continue;
      const after = dash === undefined ? token.offset : dash.offset + 1;
      const node =
        item.value === undefined || item.value === null
          ? emptyScalar(after)
          : this.#value(item.value, this.#properties(item.start), depth + 1);
      items.push(node);
      end = Math.max(end, node.range.end, after);
    }
    return { kind: 'sequence', range: range(token.offset, end), items };
  }

  #flow(token: CST.FlowCollection, depth: number): ConfigNode {
    const closing = token.end.find((part) => part.type === 'flow-map-end' || part.type === 'flow-seq-end');
    const isMap = token.start.type === 'flow-map-start';
    if (closing === undefined) {
      this.openFlows.push(token.offset);
      this.#problems.add(token.offset, token.offset + 1, isMap ? 'This `{` is not closed.' : 'This `[` is not closed.');
    }
    const entries: EntryNode[] = [];
    const merges: ConfigNode[] = [];
    const items: ConfigNode[] = [];
    let end = token.offset + 1;
    let first = true;
    for (const item of token.items) {
      const empty = item.sep === undefined && !item.key && !item.value;
      const commas = item.start.filter((part) => part.type === 'comma');
      const extra = first ? commas[0] : commas[1];
      if (extra !== undefined && token.end !== undefined) this.#problems.add(extra.offset, extra.offset + 1, 'Unexpected comma.');
      else if (!first && commas.length === 0 && !empty) {
        const at = item.key?.offset ?? item.value?.offset ?? token.offset;
        this.#problems.add(at, at + 1, 'Expected a comma before this.');
      }
      for (const comma of commas) end = Math.max(end, comma.offset + 1);
      if (empty && commas.length === 0 && this.#properties(item.start) === noProperties) continue;
      first = false;
      if (empty) continue;
      if (isMap) {
        if (!this.#spillFlow(item, depth, entries, merges)) this.#entry(item, depth, true, entries, merges);
        end = Math.max(end, entries.at(-1)?.range.end ?? end);
      } else if (item.sep === undefined) {
        const value = item.value ?? item.key;
        if (value === undefined || value === null) continue;
        const node = this.#value(value, this.#properties(item.start), depth + 1);
        items.push(node);
        end = Math.max(end, node.range.end);
      } else {
        const single: EntryNode[] = [];
        const none: ConfigNode[] = [];
        this.#entry(item, depth + 1, true, single, none);
        const node = this.#mapping(hull(single, token.offset), single, none, depth + 1);
        items.push(node);
        end = Math.max(end, node.range.end);
      }
    }
    if (closing !== undefined) end = Math.max(end, closing.offset + 1);
    for (const merge of merges) end = Math.max(end, merge.range.end);
    const at = range(token.offset, Math.min(end, this.#text.length));
    return isMap ? this.#mapping(at, entries, merges, depth) : { kind: 'sequence', range: at, items };
  }

  #entry(item: CST.CollectionItem, depth: number, inFlow: boolean, entries: EntryNode[], merges: ConfigNode[]): void {
    const sep = item.sep ?? [];
    const colon = sep.find((part) => part.type === 'map-value-ind');
    const keyToken = item.key ?? undefined;
    const { key, keyRange, whole, plain } = this.#key(item, keyToken, colon?.offset ?? item.start.at(-1)?.offset ?? 0, entries, depth);
    this.#reportStray(sep);
    if (colon === undefined && item.value) {
      this.#problems.add(item.value.offset, lineEnd(this.#text, item.value.offset), 'Expected a comma or a colon before this.');
    }
    if (colon === undefined && !item.value) {
      if (!inFlow && !isExplicit(item.start)) this.#problems.add(keyRange.start, keyRange.end, 'Expected a colon after this key.');
      entries.push({ key, keyRange, range: whole, value: undefined });
      return;
    }
    let value: ConfigNode;
    if (item.value === undefined || item.value === null) {
      const properties = sep.findLast((part) => part.type === 'anchor' || part.type === 'tag' || part.type === 'map-value-ind');
      value = emptyScalar(properties === undefined ? whole.end : properties.offset + properties.source.length);
      const { anchor } = this.#properties(sep);
      if (anchor !== undefined) this.#anchors.set(anchor, value);
    } else value = this.#value(item.value, this.#properties(sep), depth + 1);
    if (plain && key === '<<' && (value.kind !== 'scalar' || value.unresolved)) {
      merges.push(value);
      if (value.kind !== 'scalar') return;
    }
    entries.push({ key, keyRange, range: range(whole.start, Math.max(whole.end, value.range.end)), value });
  }

  #key(
    item: CST.CollectionItem,
    token: CST.Token | undefined,
    fallback: number,
    entries: EntryNode[],
    depth: number,
  ): { readonly key: string; readonly keyRange: Range; readonly whole: Range; readonly plain: boolean } {
    if (token === undefined) return { key: '', keyRange: range(fallback, fallback), whole: range(fallback, fallback), plain: false };
    if (token.type === 'scalar') {
      let start = token.offset;
      let source = token.source;
      if (source.includes('\n') && !isExplicit(item.start)) {
        // Lines without a colon of their own ran into the key below them.
        const last = source.lastIndexOf('\n') + 1;
        this.#strayLines(start, source.slice(0, last), entries);
        const skip = last + source.slice(last).search(/\S|$/);
        start += skip;
        source = source.slice(skip);
      }
      const at = range(start, start + source.length);
      const { anchor } = this.#properties(item.start);
      if (anchor !== undefined) {
        this.#anchors.set(anchor, { kind: 'scalar', range: at, value: plainScalarValue(source), raw: source, quoted: false });
      }
      return { key: source, keyRange: at, whole: at, plain: true };
    }
    const node = this.#value(token, this.#properties(item.start), depth + 1);
    const whole = node.range;
    const raw = this.#text.slice(whole.start, whole.end);
    if (token.type === 'single-quoted-scalar' || token.type === 'double-quoted-scalar') {
      const closed = raw.length > 1 && raw.charAt(0) === raw.charAt(raw.length - 1);
      const keyRange = range(whole.start + 1, closed ? whole.end - 1 : Math.max(whole.start + 1, whole.end));
      return {
        key: node.kind === 'scalar' ? String(node.value) : raw,
        keyRange,
        whole: range(whole.start, Math.max(whole.end, keyRange.end)),
        plain: false,
      };
    }
    const key = node.kind === 'scalar' && !node.unresolved ? String(node.value) : raw;
    return { key, keyRange: whole, whole, plain: false };
  }

  #strayLines(start: number, source: string, entries: EntryNode[]): void {
    let at = start;
    for (const line of source.split('\n')) {
      const lead = line.length - line.trimStart().length;
      const content = line.trim();
      const from = at + lead;
      at += line.length + 1;
      if (content === '') continue;
      const match = /^([\w.-]+)\s*:/.exec(content);
      const key = match?.[1] ?? content;
      const keyRange = range(from, from + key.length);
      this.#problems.add(
        from,
        from + content.length,
        match === null ? 'Expected a colon after this key.' : 'Expected a space after the colon.',
      );
      entries.push({ key, keyRange, range: match === null ? keyRange : range(from, from + content.length), value: undefined });
    }
  }

  /** Merged entries come first and only where the mapping has no such key: a loader lets the mapping's own win. */
  #mapping(at: Range, own: readonly EntryNode[], merges: readonly ConfigNode[], depth: number): MappingNode {
    if (merges.length === 0) return { kind: 'mapping', range: at, entries: own };
    const names = new Set(own.map((entry) => entry.key));
    const merged: EntryNode[] = [];
    let whole = at;
    for (const merge of merges) {
      whole = range(Math.min(whole.start, merge.range.start), Math.max(whole.end, merge.range.end));
      const sources = merge.kind === 'sequence' ? merge.items : [merge];
      for (const source of sources) {
        if (source.kind !== 'mapping' || !this.#expansion.afford(source, depth)) continue;
        // Inside one source the last of a name wins.
        const last = new Map(source.entries.map((entry) => [entry.key, entry]));
        for (const [key, entry] of last) {
          if (names.has(key)) continue;
          names.add(key);
          merged.push(covers(at, entry.range) && !entry.merged ? entry : mergedEntry(entry));
        }
      }
    }
    return { kind: 'mapping', range: whole, entries: [...merged, ...own] };
  }

  #reportTabs(tokens: readonly CST.SourceToken[] | undefined): void {
    for (const token of tokens ?? []) {
      if (token.type !== 'space' || !token.source.includes('\t')) continue;
      const before = token.offset === 0 ? 10 : this.#source.charCodeAt(token.offset - 1);
      const after = this.#source.charAt(token.offset + token.source.length);
      if ((before === 10 || before === 13) && after !== '#' && after !== '\n' && after !== '\r' && after !== '') {
        this.#problems.add(token.offset, token.offset + token.source.length, 'Tabs cannot indent YAML; use spaces.');
      }
    }
  }
}

const isExplicit = (tokens: readonly CST.SourceToken[] | undefined): boolean =>
  tokens?.some((token) => token.type === 'explicit-key-ind') ?? false;

/** The mapping with the first `stop` characters and the white space after them taken off its first key. */
function withFirstKey(map: CST.BlockMap, key: CST.FlowScalar, stop: number): CST.BlockMap {
  const skip = stop + key.source.slice(stop).search(/\S|$/);
  const rest: CST.FlowScalar = { ...key, offset: key.offset + skip, source: key.source.slice(skip) };
  const items: readonly CST.CollectionItem[] = map.items;
  return { ...map, items: items.map((item, index) => (index === 0 ? { ...item, key: rest } : item)) as CST.BlockMap['items'] };
}

/** A quote of its own ends the scalar: not the opening one, not one that is escaped. */
function isClosed({ type, source }: CST.FlowScalar): boolean {
  const quote = source.charAt(0);
  if (source.length < 2 || !source.endsWith(quote)) return false;
  let run = 0;
  const mark = type === 'single-quoted-scalar' ? quote : '\\';
  for (let i = source.length - 2; i > 0 && source.charAt(i) === mark; i--) run++;
  return run % 2 === 0;
}

const firstKey = (items: readonly CST.CollectionItem[]): CST.Token | null | undefined => items[0]?.key;

const usual: ReadonlySet<string> = new Set(
  'space comment newline comma anchor tag map-value-ind explicit-key-ind seq-item-ind flow-map-end flow-seq-end flow-error-end'.split(' '),
);

const isTrivia = (token: CST.SourceToken): boolean => token.type === 'space' || token.type === 'comment' || token.type === 'newline';

const emptyScalar = (at: number): ConfigNode => ({ kind: 'scalar', range: range(at, at), value: null, raw: '', quoted: false });

function hull(entries: readonly EntryNode[], fallback: number): Range {
  let start = Number.POSITIVE_INFINITY;
  let end = fallback;
  for (const entry of entries) {
    if (entry.merged) continue;
    start = Math.min(start, entry.range.start);
    end = Math.max(end, entry.range.end);
  }
  return range(Math.min(start, end), end);
}

/** Value of a scalar with a tag; undefined where only the program that defines the tag knows it. */
function taggedValue(tag: string, text: string): ScalarValue | undefined {
  switch (tag.replace(/^!<tag:yaml\.org,2002:(.*)>$/, '!!$1')) {
    case '!':
    case '!!str':
    case '!!binary':
    case '!!timestamp':
    case '!!python/str':
    case '!!python/unicode':
      return text;
    case '!!null':
    case '!!python/none':
      return null;
    case '!!bool':
    case '!!python/bool':
    case '!!int':
    case '!!python/int':
    case '!!python/long': {
      const value = plainScalarValue(text);
      return typeof value === 'string' ? undefined : value;
    }
    case '!!float':
    case '!!python/float': {
      const value = plainScalarValue(text);
      return typeof value === 'number' ? value : undefined;
    }
    default:
      return undefined;
  }
}
