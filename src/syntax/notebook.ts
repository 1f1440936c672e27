/**
 * Jupyter notebooks as one Python text: the code cells one after the other, with what is IPython's own blanked out in place, and
 * the way back from each offset of the text to its cell and to the `.ipynb` file.
 */
import type { TextEdit } from '../text/edit.ts';
import { type Range, range } from '../text/range.ts';
import { parseJson } from './json.ts';
import { type ConfigNode, entryOf, isMapping, isScalar, isSequence, type ScalarNode, type SyntaxProblem } from './node.ts';

/** Code units beyond which a notebook is not read. */
const maximumLength = 100_000_000;
const maximumCells = 20_000;

/** One code cell as an editor presents it, or as a file holds it. */
export interface Cell {
  /** Which cell it is among all cells of the notebook, those of text included. */
  readonly index: number;
  readonly source: string;
}

export interface CellPlace {
  /** The cell's `index`. */
  readonly cell: number;
  /** UTF-16 offset in the cell's source. */
  readonly offset: number;
}

/** Code cells joined to one module. Every lookup is logarithmic. */
export interface NotebookText {
  /** As long as all sources and what parts them; offsets inside a cell are those of its source, moved. */
  readonly text: string;
  /** The cell that holds an offset of the text, its end included; undefined for what stands between cells. */
  placeOf(offset: number): CellPlace | undefined;
  /** The offset in the text of a place in a cell; undefined where there is no such code cell. */
  offsetOf(place: CellPlace): number | undefined;
  /** The cell that holds the whole range, with the range in its source. */
  rangeIn(range: Range): { readonly cell: number; readonly range: Range } | undefined;
  /** The source of a code cell as it is written; undefined where there is no such cell. */
  sourceOf(cell: number): string | undefined;
}

export interface NotebookFile extends NotebookText {
  /** What is no notebook, or no JSON. Cells that could be read are there nevertheless. */
  readonly problems: readonly SyntaxProblem[];
  /** False where the notebook says that its code is not Python; then there are no cells. */
  readonly isPython: boolean;
  /** The range in the file that a range of the text came from; undefined for what stands in no cell. */
  rangeInFile(range: Range): Range | undefined;
  /** The edit of the file that does to the text what `edit` says. The file stays JSON. */
  editOfFile(edit: TextEdit): TextEdit | undefined;
}

// ---------------------------------------------------------------------------------------------------------------------
// IPython

/** Cell magics behind whose first line the cell is Python of this notebook. */
const transparent = /^(?:time|timeit|capture|prun|memit|mprun|lprun|debug|wandb|notify|snakeviz|pyinstrument|scalene|heat|tb|trackio)$/;

const openers: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };

interface Masked {
  readonly text: string;
  /** What closes the brackets that the cell leaves open, so that the next cell is read for itself. */
  readonly closing: string;
}

/** Blanks text; its length and its line ends stay. */
const blanked = (text: string): string => text.replace(/[^\r\n]/g, ' ');

/** A block must not lose its only statement. */
const blankedLine = (line: string): string =>
  /^\S/.test(line) ? blanked(line) : line.replace(/^(\s+)\S(.*)/, (_, indent: string, rest: string) => `${indent}0${blanked(rest)}`);

/** The source with magics, shell commands and requests for help blanked out. Linear. */
function maskMagics(source: string): Masked {
  const lines = source.match(/[^\r\n]*(?:\r\n|\r|\n|$)/g) ?? [];
  const first = lines.find((line) => line.trim() !== '') ?? '';
  const magic = /^%%\s*(\w+)/.exec(first.trim());
  if (magic !== null && !transparent.test(magic[1] ?? '')) return { text: blanked(source), closing: '' };
  const reader = new BracketReader();
  let continued = false;
  let text = '';
  let statementStart = 0;
  for (const line of lines) {
    if (continued || (reader.isAtStatement && isMagic(line))) {
      const isFirst = !continued;
      continued = /\\\s*$/.test(line);
      if (isFirst && !continued && /^%time\s+[^-\s]/.test(line)) text += line.replace('%time', 'if 1:');
      else text += isFirst ? blankedLine(line) : blanked(line);
      continue;
    }
    if (reader.isAtStatement) statementStart = text.length;
    const masked = reader.isAtStatement ? maskAssigned(line) : line;
    reader.read(masked);
    text += masked;
  }
  // A string that is still to be closed would take the next cells.
  if (reader.isInString) return { text: text.slice(0, statementStart) + blanked(text.slice(statementStart)), closing: '' };
  // A last line that a backslash takes on must not take the next cell.
  return { text: text.replace(/\\(\s*)$/, ' $1'), closing: reader.closing };
}

const isMagic = (line: string): boolean => /^\s*(?:[%!?]|[\w.*]+\?{1,2}\s*$)/.test(line);

/** `files = !ls` and `x = %time f()` bind something nobody knows. */
const maskAssigned = (line: string): string =>
  line.replace(
    /^(\s*[A-Za-z_][\w., ]*=\s*)([!%](?![=])[^\r\n]*)/,
    (_, target: string, command: string) => `${target}_${' '.repeat(command.length - 1)}`,
  );

/** Knows whether a line starts a statement: no bracket, string of several lines or continued line is open before it. */
class BracketReader {
  readonly #open: string[] = [];
  #quote: string | undefined;
  #isContinued = false;

  get isAtStatement(): boolean {
    return this.#open.length === 0 && this.#quote === undefined && !this.#isContinued;
  }

  get isInString(): boolean {
    return this.#quote !== undefined;
  }

  /** What closes the brackets that are open. */
  get closing(): string {
    if (this.isAtStatement) return '';
    return `\n${this.#open.toReversed().join('')}`;
  }

  read(line: string): void {
    this.#isContinued = false;
    for (let i = 0; i < line.length; i++) {
      const char = line.charAt(i);
      if (this.#quote !== undefined) {
        if (char === '\\') i++;
        else if (line.startsWith(this.#quote, i)) {
          i += this.#quote.length - 1;
          this.#quote = undefined;
        }
      } else if (char === '#') break;
      else if (char === '"' || char === "'") {
        this.#quote = line.startsWith(char.repeat(3), i) ? char.repeat(3) : char;
        i += this.#quote.length - 1;
      } else if (openers[char] !== undefined) this.#open.push(openers[char] ?? '');
      else if (char === ')' || char === ']' || char === '}') this.#open.pop();
      else if (char === '\\' && line.slice(i + 1).trim() === '') this.#isContinued = true;
    }
    // A string of one line ends with it, but where a backslash takes it on.
    if (this.#quote?.length === 1 && !/\\[\r\n]*$/.test(line)) this.#quote = undefined;
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Joining

/** A run of the text that lies in one piece in a cell, and in the file where there is one. */
interface Run {
  /** Offset in the cell's source. */
  readonly start: number;
  readonly end: number;
  /** Offset in the file of the first character. An escape's run is one character long and longer in the file. */
  readonly file: number;
  readonly fileEnd: number;
}

interface Joined {
  readonly index: number;
  readonly start: number;
  readonly end: number;
  readonly source: string;
  readonly runs: readonly Run[];
}

/** The last item that starts at or before the offset. */
function findLast<Item extends { readonly start: number }>(items: readonly Item[], offset: number): Item | undefined {
  let low = 0;
  let high = items.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((items[middle]?.start ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  const found = items[low];
  return found !== undefined && found.start <= offset ? found : undefined;
}

class Notebook implements NotebookFile {
  readonly text: string;
  readonly problems: readonly SyntaxProblem[];
  readonly isPython: boolean;
  readonly #cells: readonly Joined[];
  readonly #byIndex: ReadonlyMap<number, Joined>;

  constructor(cells: readonly (Cell & { readonly runs: readonly Run[] })[], problems: readonly SyntaxProblem[], isPython: boolean) {
    const joined: Joined[] = [];
    const parts: string[] = [];
    let length = 0;
    for (const { index, source, runs } of cells) {
      const { text, closing } = maskMagics(source);
      joined.push({ index, start: length, end: length + source.length, source, runs });
      const separator = `${closing}\n`;
      parts.push(text, separator);
      length += source.length + separator.length;
    }
    this.text = parts.join('');
    this.problems = problems;
    this.isPython = isPython;
    this.#cells = joined;
    this.#byIndex = new Map(joined.map((cell) => [cell.index, cell]));
  }

  placeOf(offset: number): CellPlace | undefined {
    const cell = findLast(this.#cells, offset);
    return cell === undefined || offset > cell.end ? undefined : { cell: cell.index, offset: offset - cell.start };
  }

  offsetOf({ cell, offset }: CellPlace): number | undefined {
    const found = this.#byIndex.get(cell);
    return found === undefined || offset < 0 || found.start + offset > found.end ? undefined : found.start + offset;
  }

  rangeIn({ start, end }: Range): { readonly cell: number; readonly range: Range } | undefined {
    const cell = findLast(this.#cells, start);
    return cell === undefined || end > cell.end ? undefined : { cell: cell.index, range: range(start - cell.start, end - cell.start) };
  }

  sourceOf(cell: number): string | undefined {
    return this.#byIndex.get(cell)?.source;
  }

  rangeInFile({ start, end }: Range): Range | undefined {
    const cell = findLast(this.#cells, start);
    if (cell === undefined || end > cell.end) return undefined;
    const [from, to] = [start - cell.start, end - cell.start];
    const first = findLast(cell.runs, from);
    // An end lies behind the character before it: between two strings of a list it stays in the first.
    const last = to > from ? findLast(cell.runs, to - 1) : first;
    if (first === undefined || last === undefined) return undefined;
    const fileStart = place(first, from);
    return range(fileStart, to > from ? place(last, to) : fileStart);
  }

  editOfFile({ range: replaced, newText }: TextEdit): TextEdit | undefined {
    const place = this.rangeInFile(replaced);
    return place === undefined ? undefined : { range: place, newText: JSON.stringify(newText).slice(1, -1) };
  }
}

/** The offset in the file of an offset in a run, its end included. */
const place = ({ start, end, file, fileEnd }: Run, offset: number): number =>
  offset >= end ? fileEnd : end - start === 1 ? file : file + offset - start;

/** Cells that an editor holds as documents of their own, in the order of the notebook. Linear. */
export const joinCells = (cells: readonly Cell[]): NotebookText =>
  new Notebook(
    cells.map((cell) => ({ ...cell, runs: [] })),
    [],
    true,
  );

// ---------------------------------------------------------------------------------------------------------------------
// Files

/** Reads an `.ipynb` file, of format 4 or 3. Never throws; linear in the text. */
export function parseNotebook(text: string): NotebookFile {
  const fail = (message: string): NotebookFile => new Notebook([], [{ range: range(0, Math.min(text.length, 1)), message }], true);
  if (text.length > maximumLength) return fail('The notebook is too large to be read.');
  const { root, problems } = parseJson(text);
  if (root === undefined || !isMapping(root)) {
    return problems.length > 0 ? new Notebook([], problems, true) : fail('Expected a notebook: a JSON object with cells.');
  }
  const lists = cellLists(root);
  if (lists.length === 0)
    return new Notebook([], [...problems, { range: root.range, message: 'Expected a notebook: there are no cells.' }], true);
  const language = languageOf(root);
  const isPython = language === undefined || /^i?python/i.test(language);
  const cells: (Cell & { readonly runs: readonly Run[] })[] = [];
  if (isPython) {
    for (const [index, node] of lists.flat().slice(0, maximumCells).entries()) {
      if (!isMapping(node) || stringOf(entryOf(node, 'cell_type')?.value) !== 'code') continue;
      const source = entryOf(node, 'source')?.value ?? entryOf(node, 'input')?.value;
      if (source !== undefined) cells.push({ index, ...sourceOf(source, text) });
    }
  }
  return new Notebook(cells, problems, isPython);
}

/** The lists of cells: one, or in format 3 one for each worksheet. */
function cellLists(root: ConfigNode): readonly (readonly ConfigNode[])[] {
  if (!isMapping(root)) return [];
  const cells = entryOf(root, 'cells')?.value;
  if (isSequence(cells)) return [cells.items];
  const sheets = entryOf(root, 'worksheets')?.value;
  return isSequence(sheets) ? sheets.items.flatMap(cellLists) : [];
}

const stringOf = (node: ConfigNode | undefined): string | undefined =>
  isScalar(node) && typeof node.value === 'string' ? node.value : undefined;

function languageOf(root: ConfigNode): string | undefined {
  const at = (...path: readonly string[]): string | undefined => {
    let node: ConfigNode | undefined = root;
    for (const key of path) node = isMapping(node) ? entryOf(node, key)?.value : undefined;
    return stringOf(node);
  };
  return at('metadata', 'language_info', 'name') ?? at('metadata', 'kernelspec', 'language');
}

/** A source is one string, or a list of strings that follow each other. */
function sourceOf(node: ConfigNode, text: string): { readonly source: string; readonly runs: readonly Run[] } {
  const strings = isSequence(node) ? node.items : [node];
  const runs: Run[] = [];
  let source = '';
  for (const each of strings) {
    if (isScalar(each) && typeof each.value === 'string') source += decode(each, text, source.length, runs);
  }
  return { source, runs };
}

/** The string's text, with the runs that lead back to the file. */
function decode({ range: { start, end } }: ScalarNode, text: string, offset: number, runs: Run[]): string {
  let decoded = '';
  let at = start + 1;
  const last = text.charAt(end - 1) === '"' && end - start > 1 ? end - 1 : end;
  const add = (value: string, to: number): void => {
    if (value !== '') runs.push({ start: offset + decoded.length, end: offset + decoded.length + value.length, file: at, fileEnd: to });
    decoded += value;
    at = to;
  };
  const escaped = /\\(?:u[0-9a-fA-F]{4}|[\s\S])/g;
  escaped.lastIndex = at;
  for (let found = escaped.exec(text); found !== null && found.index < last; found = escaped.exec(text)) {
    add(text.slice(at, found.index), found.index);
    add(characterOf(found[0]), found.index + found[0].length);
  }
  add(text.slice(at, last), last);
  return decoded;
}

const controls: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f' };

const characterOf = (written: string): string =>
  written.length === 6 ? String.fromCharCode(Number.parseInt(written.slice(2), 16)) : (controls[written.charAt(1)] ?? written.charAt(1));
