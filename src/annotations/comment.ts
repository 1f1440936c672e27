import { type Range, range } from '../text/range.ts';
import type { Contract, WrittenName, WrittenShape } from './contract.ts';
import { closingOf, isShape, type ReadShape, readList } from './sizes.ts';

const maxLength = 400;

const arrow = /^\s*(?:-+>|=+>|→|⇒|⟶)\s*/;
const product = /^\s*(?:x|X|×|@|·|\*|\+)\s*/;

/** Code that somebody commented out, tool directives, and addresses. */
const notProse =
  /(?<![=!<>.])=(?![=>])\s*(?!\s*[([]).|^\s*(?:if|for|while|def|class|return|import|from|print|assert|raise|elif|else|with|try|del|@\w)\b.*[(:)\]]\s*$|\breturn\s|\bself\.\w+\s*[(=]|\bself\.\w+\(|\blambda\b|\bprint\(|https?:|www\.|[=!]=(?!>)|&&|\|\||^(?:type|noqa|pragma|fmt|pylint|mypy|ruff|headwise|isort|yapf)\s*:/;

/** Words before the brackets that say that the shape is not that of what the comment stands beside. */
const doubtful =
  /\b(?:if|when|whether|unless|expects?|expected|assum\w+|should|must|needs?|requires?|before|from|was|were|instead|without|not|no|never|e\.g|i\.e|eg|ie|like|than|or|either|can|could|may|might|support\w*|allow\w*|todo|fixme|where|which|that|index\w*|loop\w*|given|because|since|broadcast\w*|order|ordering|layout|format|slices?|pairs?|tuples?|lists?|torch|flax|jax|numpy|tf|original|unlike|input|inputs|versus|vs|previously|old|kernel|stride|match\w*|same|becomes? one|\d+\.\d+)\b/i;
/** Words that name an axis or a purpose. They make brackets doubtful that follow at once, but not those behind a colon. */
const placing =
  /\b(?:over|per|each|every|along|across|axes|axis|between|and then|dims|last|first|both|only|using|with|by|in|at|for|grid)\b/i;
const alternatives = /\b(?:or|and|vs|either|if|when|instead|else|but|then|otherwise|for|before|depending|unless)\b/i;
const saysShape = /(?:^|[^\w.])(?:shapes?|shaped|tensor\.shape)(?:\s+(?:is|of|now|becomes|are|will be|should be))?\s*[:=]?\s*$/i;
const nameLead =
  /^([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)(\.shape|\.size\(\))?(?:\s*:(?=\s+(?:shape|tensor|size)\b))?(?:\s+((?:is|are|has|have|should be)(?: now)?(?: of)?(?: an?)?(?: shape)?|(?:of )?shape(?: is| should be)?|tensor(?: of shape)?))?\s*([:=]|==)?\s*$/;
const namesLead =
  /^([A-Za-z_]\w*(?:\s*(?:,|\/|&|\band\b)\s*[A-Za-z_]\w*){1,5})\s*(?:(?:shapes?|are|have)(?:\s+(?:of\s+)?shapes?)?\s*:?|:)\s*$/;
const labels =
  /^(?:shapes?|sizes?|dims?|dimensions?|tensor|outputs?|results?|returns?|out|now|becomes|reshape|transpose|permute|view|final|to|new|current|note|example|flatten|project|self-attend|attention|becomes|output shape|new shape|final shape|result shape|out shape|shape now|tensor shape|shape of output)$/i;

interface Lead {
  readonly names: readonly WrittenName[];
  /** The text itself says that a shape follows. */
  readonly said: boolean;
  readonly prose: boolean;
}

/** What stands before the shape; undefined when it makes the shape doubtful. */
function readLead(text: string, start: number): Lead | undefined {
  const trimmed = text.trim();
  if (trimmed === '') return { names: [], said: false, prose: false };
  // `3 x (B, T, C)` is three tensors.
  if (/\d\s*[x×*]\s*$/i.test(trimmed) || /\btimes$/.test(trimmed)) return undefined;
  const label = trimmed.replace(/\s*[:=]$/, '');
  if (labels.test(label)) return { names: [], said: /shape|size/i.test(label), prose: false };
  const single = nameLead.exec(trimmed);
  if (single?.[1] !== undefined) {
    const said = single[2] !== undefined || single[1].endsWith('.shape') || /shape/.test(single[3] ?? '');
    if (single[4] !== undefined && single[4] !== ':' && !said) return undefined;
    const plain = /^[A-Z][a-z]+$/.test(single[1]);
    if (placing.test(single[1])) return undefined;
    const name = single[1].replace(/\.shape$/, '');
    const at = start + text.indexOf(name);
    const bare = single[3] === undefined && single[4] === undefined && !said;
    if (bare && (doubtful.test(name) || plain || /^[a-z]+$/.test(name) === false)) {
      if (doubtful.test(name) || plain) return plain && !doubtful.test(name) ? { names: [], said, prose: true } : undefined;
    }
    if (
      /^(?:from|before|prior|original|Inputs?|e\.g|i\.e|range|interval|bbox|default|options?|args?|usage|see|coords?|box|kernel_size|stride|padding)$/i.test(
        name,
      )
    )
      return undefined;
    return { names: plain ? [] : [{ text: name, range: range(at, at + name.length) }], said, prose: false };
  }
  const several = namesLead.exec(trimmed);
  if (several?.[1] !== undefined) {
    const names: WrittenName[] = [];
    const base = start + text.indexOf(several[1]);
    for (const found of several[1].matchAll(/[A-Za-z_]\w*/g)) {
      if (found[0] !== 'and') names.push({ text: found[0], range: range(base + found.index, base + found.index + found[0].length) });
    }
    return { names, said: /shapes?\s*:?$/.test(trimmed), prose: false };
  }
  if (trimmed.split(/\s+/).length > 14) return undefined;
  const said = saysShape.test(text);
  const remark = said ? trimmed.replace(saysShape, '') : label;
  if (doubtful.test(remark) || (placing.test(remark) && !(trimmed.endsWith(':') && !/^\W*(?:for|in|with)\b/i.test(trimmed))))
    return undefined;
  return { names: [], said, prose: true };
}

interface Chain {
  readonly shapes: readonly ReadShape[];
  /** For each but the first: what stands before it. */
  readonly joins: readonly ('arrow' | 'product')[];
}

const isSound = ({ shapes, joins }: Chain, said: boolean): boolean => {
  if (!shapes.some((shape) => isShape(shape, said))) return false;
  // Beside a sure shape, another one may hold numbers; what holds words must still be one.
  if (!shapes.every((shape) => isShape(shape, true))) return false;
  return joins.every((join, i) => join === 'arrow' || joins.slice(i).includes('arrow'));
};

/** Whole text as sides of arrows, with or without brackets. */
function readWhole(text: string, start: number): Chain | undefined {
  const shapes: ReadShape[] = [];
  const joins: ('arrow' | 'product')[] = [];
  for (const found of text.matchAll(/((?:(?!-+>|=+>|→|⇒|⟶)[\s\S])+)(?:-+>|=+>|→|⇒|⟶|$)/g)) {
    const raw = found[1] ?? '';
    const side = raw.trim();
    const at = start + found.index + raw.indexOf(side);
    if (side === '') continue;
    if (shapes.length > 0) joins.push('arrow');
    const place = range(at, at + side.length);
    const open = /^[([]/.test(side) && closingOf(side, 0) === side.length;
    const read = open ? readList(side.slice(1, -1), at + 1, place, true) : readList(side, at, place, false);
    if (read === undefined) return undefined;
    shapes.push(read);
  }
  return shapes.length === 0 ? undefined : { shapes, joins };
}

interface Group {
  readonly start: number;
  readonly end: number;
  readonly called: boolean;
  readonly shape: ReadShape | undefined;
}

/** The outermost brackets of the text. `torch.Size([2, 3])` is the list inside it. */
function groupsOf(text: string, start: number): readonly Group[] {
  const groups: Group[] = [];
  for (let i = 0; i < text.length; i++) {
    if (text[i] !== '(' && text[i] !== '[') continue;
    const end = closingOf(text, i);
    if (end === undefined) continue;
    const before = /[\w.]*[\w)\]'"]$/.exec(text.slice(Math.max(0, i - 40), i))?.[0] ?? '';
    const size = /(?:^|\.)Size$/.test(before);
    const inner = text.slice(i + 1, end - 1);
    const nested = size && /^\s*\[.*\]\s*$/.test(inner);
    const from = nested ? i + 2 + inner.indexOf('[') : i + 1;
    const to = nested ? i + 1 + inner.lastIndexOf(']') : end - 1;
    const called = before !== '' && !size && !/(?:^|\W)shape$/i.test(before);
    groups.push({
      start: size ? i - before.length : i,
      end,
      called,
      shape: called ? undefined : readList(text.slice(from, to), start + from, range(start + i, start + end), true),
    });
    i = end - 1;
  }
  return groups;
}

function contractOf(chain: Chain, { names, prose }: Lead, place: Range): Contract | undefined {
  const shapes: readonly WrittenShape[] = chain.shapes.map(({ shape }) => shape);
  const to = shapes.at(-1);
  if (to === undefined) return undefined;
  const firstArrow = chain.joins.indexOf('arrow');
  const operands = firstArrow < 0 ? 0 : firstArrow + 1;
  // A product behind an arrow says what happens next, not what the result is.
  if (chain.joins.slice(operands).includes('product')) return undefined;
  return {
    provenance: 'comment',
    subject: 'value',
    names,
    from: shapes.slice(0, operands),
    via: shapes.slice(operands, -1),
    to,
    each: false,
    stated: names.length > 0 ? 'named' : prose ? 'prose' : 'alone',
    range: place,
  };
}

/**
 * The shapes a Python comment states: `# (B, T, C)`, `# x: [batch, seq, d_model]`, `# B x T x C`, `# (B, T, C) -> (B, nh, T, hs)`,
 * `# token embeddings of shape (b, t, n_embd)`. Undefined for everything else: prose in brackets, commented-out code, tuples of
 * values, calls, references, and wherever it is not sure that a shape is meant or whose it is.
 *
 * `text` starts with `#` or with what follows it; `offset` is where it stands in the file. Never throws; comments over 400
 * characters are no shape comments. Linear in the text.
 */
export function parseShapeComment(text: string, offset = 0): Contract | undefined {
  if (text.length > maxLength || /[\r\n]/.test(text)) return undefined;
  const marker = /^[#\s:]*/.exec(text)?.[0].length ?? 0;
  // Quotes of code are blanked, so that offsets stay.
  const body = text
    .slice(marker)
    .replace(/`/g, ' ')
    .trimEnd()
    .replace(/[.;,]$/, '');
  if (body.trim() === '' || !/[([]|\s[xX]\s|×|\S+,\s*\S+,|^\S+\s+\S+\s+\S+/.test(body)) return undefined;
  const start = offset + marker;
  const place = range(start, start + body.length);
  // Behind a shape that starts the comment, `; True = masked` is a remark and no code.
  const opened = /^[([]/.test(body) ? closingOf(body, 0) : undefined;
  if (notProse.test(opened !== undefined && /^\s*;/.test(body.slice(opened)) ? body.slice(0, opened) : body)) return undefined;

  const lead = /^\s*(?:(?:[A-Za-z_][\w.]*(?:\s+shape)?|output shape)\s*:(?!:)\s*)?(?:-+>|→|=+>)?\s*/.exec(body)?.[0] ?? '';
  const worded = /^\s*(?:[A-Za-z_]\w*\s+(?:has|is)\s+(?:of\s+)?)?shapes?\s*(?:is\s|:|=)?\s*/i.exec(body)?.[0] ?? '';
  for (const skip of new Set([lead.length, 0, worded.length])) {
    const whole = readWhole(body.slice(skip), start + skip);
    if (whole === undefined) continue;
    const head = readLead(body.slice(0, skip).replace(/(?:-+>|→|=+>)\s*$/, ''), start);
    if (head === undefined) return undefined;
    if (isSound(whole, head.said)) return contractOf(whole, head, place);
  }

  const groups = groupsOf(body, start);
  const first = groups.findIndex(
    ({ shape }) =>
      shape !== undefined && (isShape(shape, false) || (isShape(shape, true) && saysShape.test(leadBefore(body, shape, start)))),
  );
  if (first < 0) return undefined;
  const chain: { shapes: ReadShape[]; joins: ('arrow' | 'product')[] } = { shapes: [], joins: [] };
  let end = 0;
  let at = first;
  for (; at < groups.length; at++) {
    const group = groups[at] as Group;
    if (at > first) {
      const between = body.slice(end, group.start);
      const join = arrow.exec(between)?.[0] === between ? 'arrow' : product.exec(between)?.[0] === between ? 'product' : undefined;
      if (join === undefined || group.shape === undefined) break;
      chain.joins.push(join);
    }
    if (group.shape === undefined) break;
    chain.shapes.push(group.shape);
    end = group.end;
  }
  // Another shape elsewhere, or a call: whose shape this is remains open.
  if (groups.slice(at).some(({ shape, called }) => called || (shape !== undefined && isShape(shape, false)))) return undefined;
  const from = groups[first]?.start ?? 0;
  const tail = body.slice(end);
  if (!isTail(tail) && !(from === 0 && isRemark(tail))) return undefined;
  let before = body.slice(0, from);
  let only = false;
  const result = /(?:-+>|→|=+>)\s*$/.exec(before);
  if (result !== null) {
    before = before.slice(0, result.index);
    only = true;
    // Something stands on the left of the arrow that could not be read; what is on its right holds nevertheless.
    if (/[([]/.test(before) && doubtful.test(before)) return undefined;
  }
  const head = readLead(before, start);
  if (head === undefined || !isSound(chain, head.said)) return undefined;
  const called = groups.slice(0, first).some((group) => group.called);
  if (called && !head.said) return undefined;
  if (head.prose && !head.said && !only) {
    const shape = chain.shapes.at(-1) as ReadShape;
    const bare = chain.joins.length === 0 && (tail.trim() !== '' || groups.length > 1 || before.trim().split(/\s+/).length > 6);
    const sure = shape.dims.filter(({ strength }) => strength === 'sure').length;
    if (bare || sure < 2 || shape.dims.some(({ strength }) => strength === 'weak')) return undefined;
  }
  return contractOf(chain, head, range(start, start + end));
}

const leadBefore = (body: string, shape: ReadShape, start: number): string => body.slice(0, Math.max(0, shape.shape.range.start - start));

/** A few plain words behind a shape that starts the comment: `# (B, T) attention mask`. */
const isRemark = (tail: string): boolean =>
  /^(?:\s+[A-Za-z][a-z-]*){1,4}$/.test(tail) &&
  !doubtful.test(tail) &&
  !alternatives.test(tail) &&
  !/\b(?:to|into|are|do|does)\b/.test(tail);

/** Whether what follows the shape only comments on it. */
function isTail(tail: string): boolean {
  if (tail.trim() === '') return true;
  if (/^[\w.'"([{]/.test(tail) || /^\s*(?:[-+*/@%<>=&|^~]\s*[\w([]|[=<>!]=|\.\w)/.test(tail)) {
    if (!/^\s+-\s+[A-Za-z]/.test(tail)) return false;
  }
  if (alternatives.test(tail) || /->|→|=>/.test(tail)) return false;
  if (/^\s*,?\s*(?:float|int|bool|long|bf|fp)\w*\s*$/.test(tail)) return true;
  return /^\s*(?:[-–—:;,]|\(|(?:where|with|tensor|is|after|as|the|in|here|now)\b|←|<-)/.test(tail);
}
