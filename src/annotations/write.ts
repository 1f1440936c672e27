/** The text of a shape comment for what was inferred, in the style and the names of the comments around it. */
import { atomDim, type Dim, rigid } from '../dims/dim.ts';
import { formatDim } from '../dims/format.ts';
import type { Shape } from '../dims/shape.ts';
import { substitute, symbolsOf } from '../dims/visit.ts';
import type { CodeReading } from '../interpreter/study.ts';
import type { PythonModule, Unit } from '../syntax/python/ast.ts';
import type { Range } from '../text/range.ts';
import { annotationsOf, statementAt } from './code.ts';
import type { Contract, WrittenShape } from './contract.ts';
import { namedSizesOf, shapeAfter } from './reading.ts';
import { resultsOf } from './targets.ts';

/** How a file writes shapes. */
export interface CommentStyle {
  readonly brackets: '()' | '[]' | '';
  readonly separator: string;
  /** `Shape: `, and the like; mostly nothing. */
  readonly lead: string;
}

const plain: CommentStyle = { brackets: '()', separator: ', ', lead: '' };

/** The style that most of the file's shape comments have; `(B, T, C)` where there are none. Linear in the file, once per statement. */
export function styleOf({ units, text }: PythonModule): CommentStyle {
  const counts = new Map<string, { readonly style: CommentStyle; count: number }>();
  for (const unit of units) {
    const seen = new Set<Contract>();
    for (const list of [...annotationsOf(unit, text).statements.values()]) {
      for (const { contract, place } of list) {
        if (place === 'type' || seen.has(contract) || contract.names.length > 0 || contract.from.length > 0) continue;
        seen.add(contract);
        const style = readStyle(contract, unit, text);
        if (style === undefined) continue;
        const key = JSON.stringify(style);
        const known = counts.get(key);
        if (known === undefined) counts.set(key, { style, count: 1 });
        else known.count++;
      }
    }
  }
  return [...counts.values()].sort((a, b) => b.count - a.count)[0]?.style ?? plain;
}

function readStyle({ to, range, stated }: Contract, { start }: Unit, text: string): CommentStyle | undefined {
  const written = text.slice(start + to.range.start, start + to.range.end);
  const open = written.charAt(0);
  const brackets = open === '(' && written.endsWith(')') ? '()' : open === '[' && written.endsWith(']') ? '[]' : '';
  const separator = separatorOf(to, start, text);
  if (separator === undefined) return undefined;
  const lead = stated === 'alone' ? text.slice(start + range.start, start + to.range.start) : '';
  return { brackets, separator, lead: /^(?:[Ss]hape|[Oo]utput shape|[Oo]utput)\s*:?\s+$/.test(lead) ? lead : '' };
}

/** What stands between the first two sizes, where it stands between all of them. */
function separatorOf({ dims }: WrittenShape, start: number, text: string): string | undefined {
  const parts = dims.slice(1).map((dim, i) => text.slice(start + (dims[i]?.range.end ?? 0), start + dim.range.start));
  const [first] = parts;
  return first !== undefined && /^(?:,\s?| x | × | )$/.test(first) && parts.every((part) => part === first) ? first : undefined;
}

/**
 * `(B, nh, T, hs)`: sizes under the names that the function's comments use (`names`, by key), else as the code calls them without
 * the object they belong to. Undefined where half of the axes or more are not known.
 */
export function writeShape(shape: Shape, names: ReadonlyMap<string, string>, style: CommentStyle = plain): string | undefined {
  const { dims, ellipsis } = shape;
  const unknown = dims.filter((dim) => dim.unknown).length;
  if (dims.length === 0 ? ellipsis !== undefined : unknown * 2 >= dims.length) return undefined;
  const parts = dims.map((dim) => writeDim(dim, dims, names));
  if (ellipsis !== undefined) parts.splice(ellipsis, 0, '...');
  const bare = style.brackets === '';
  // Without commas `2 * C` would be three sizes.
  const spaced = style.separator.trim() === '';
  const apart = style.separator.trim() !== ',';
  const written = parts.map((part) => (apart && /[\s*]/.test(part) ? `(${spaced ? part.replace(/\s+/g, '') : part})` : part));
  const enough = !bare || parts.length > (spaced ? 2 : 1);
  const [open = '', close = ''] = enough ? style.brackets : '()';
  const separator = enough ? style.separator : ', ';
  const single = parts.length === 1 && open === '(' ? ',' : '';
  return `${style.lead}${open}${written.join(separator)}${single}${close}`;
}

function writeDim(dim: Dim, all: readonly Dim[], names: ReadonlyMap<string, string>): string {
  if (dim.unknown) return '?';
  if (dim.constant !== undefined) return formatDim(dim);
  const whole = names.get(dim.key);
  if (whole !== undefined) return whole;
  const taken = new Map<string, string>();
  for (const symbol of all.flatMap(symbolsOf)) {
    const short = shortName(symbol.name);
    const key = atomDim(symbol).key;
    taken.set(short, taken.has(short) && taken.get(short) !== key ? '' : key);
  }
  const renamed = substitute(dim, (atom) => {
    if (atom.kind !== 'symbol') return undefined;
    const { key } = atomDim(atom);
    const named = names.get(key);
    if (named !== undefined) return rigid(named, { scope: 'comment' });
    const short = shortName(atom.name);
    return taken.get(short) === key ? rigid(short, { scope: 'comment' }) : undefined;
  });
  const text = formatDim(renamed);
  return /^[\w\s.()+*/%,-]+$/.test(text) && text.length <= 40 ? text : '?';
}

/** `n_head` of `config.n_head`. */
const shortName = (name: string): string => /^(?:[A-Za-z_]\w*\.)+([A-Za-z_]\w*)$/.exec(name)?.[1] ?? name;

export interface ShapeCompletion {
  /** What the comment is to say, from `range` on. */
  readonly text: string;
  /** What is typed of it, in the text of the file. */
  readonly range: Range;
}

/**
 * Completes a comment at the cursor with the shape of what the statement beside it assigns: behind the statement, else that of the
 * statement directly below or, where there is none, above. Undefined where the comment says something else already, or nothing is
 * known.
 */
export function shapeCommentAt(code: CodeReading, offset: number): ShapeCompletion | undefined {
  const { module } = code.file;
  const { text } = module;
  const unit = module.units.findLast(({ start }) => start <= offset);
  if (unit === undefined) return undefined;
  const comment = unit.body.comments.find(({ start, end }) => unit.start + start < offset && offset <= unit.start + end);
  if (comment === undefined) return undefined;
  const typed = text.slice(unit.start + comment.start, offset);
  const rest = text.slice(offset, unit.start + comment.end);
  // Words without brackets or signs between them are the beginning of a sentence.
  const begun = /^#+\s*((?:[Ss]hapes?\s*:?\s*)?(?:[([][\w\s,.*]*|\w*(?:\s+x\s+\w*)*))$/.exec(typed);
  // A closing bracket is what editors put behind an opening one.
  if (begun === null || !/^[)\]]?\s*$/.test(rest)) return undefined;
  const found = statementAt(unit, text, comment);
  if (found?.function === undefined) return undefined;
  const [first, ...others] = resultsOf(found.statement);
  const subject = first?.[0];
  if (subject?.kind !== 'variable' || subject.when !== 'after' || others.length > 0) return undefined;
  const shape = shapeAfter(code, subject);
  if (shape === undefined) return undefined;
  const written = writeShape(shape, namedSizesOf(code, unit, found.function), styleOf(module));
  if (written === undefined) return undefined;
  const start = offset - (begun[1] ?? '').length;
  const blank = /^#+$/.test(typed) ? ' ' : '';
  return { text: `${blank}${written}`, range: { start, end: offset + rest.trimEnd().length } };
}
