import { type Atom, add, atomDim, type Dim, type DivisionAtom, multiply, negate, type Term, termDim } from './dim.ts';
import { linearIn } from './solver.ts';

/** How tightly the outermost operator of a text binds. */
type Level = 'sum' | 'division' | 'product' | 'power' | 'atom';

interface Written {
  readonly text: string;
  readonly level: Level;
}

interface Item {
  readonly negative: boolean;
  readonly written: Written;
}

/**
 * The dim as people write it in Python: `n_embd // n_head`, `2 * d + 1`, `B * T * 3 * d` as `3 * B * T * d`,
 * `min(T, block_size)`, `?` for an unknown. Names are printed as given, without their scope. `parseDim` reads the text back
 * to the same dim when each name is resolved to its symbol and there is no unknown. Linear in the size of the dim.
 */
export const formatDim = (dim: Dim): string => write(dim).text;

function write(dim: Dim): Written {
  if (dim.constant !== undefined) return { text: String(dim.constant), level: dim.constant < 0 ? 'product' : 'atom' };
  const items = itemsOf(dim);
  // Start with something positive where there is any: `a - b` rather than `-b + a`.
  const start = Math.max(
    0,
    items.findIndex(({ negative }) => !negative),
  );
  const ordered = [...items.slice(start, start + 1), ...items.slice(0, start), ...items.slice(start + 1)];
  const [first] = ordered as [Item];
  if (ordered.length === 1 && !first.negative) return first.written;
  let text = '';
  for (const { negative, written } of ordered) {
    if (text !== '') text += `${negative ? ' - ' : ' + '}${written.text}`;
    else if (negative) text = `-${written.level === 'division' ? `(${written.text})` : written.text}`;
    else text = written.text;
  }
  return { text, level: ordered.length === 1 ? 'product' : 'sum' };
}

function itemsOf(dim: Dim): readonly Item[] {
  const folded = foldQuotient(dim);
  if (folded !== undefined) return [...folded.items, ...(folded.rest.constant === 0 ? [] : itemsOf(folded.rest))];
  return dim.terms.map((term) => ({ negative: term.coefficient < 0, written: writeTerm(Math.abs(term.coefficient), term) }));
}

/** `c * a - c * (a % b)` is written `c * b * (a // b)`, which is what somebody wrote. */
function foldQuotient(dim: Dim): { readonly items: readonly Item[]; readonly rest: Dim } | undefined {
  for (const { coefficient, monomial } of dim.terms) {
    for (const { atom } of monomial.factors) {
      if (atom.kind !== 'remainder') continue;
      const parts = linearIn(dim, atom);
      if (parts === undefined || parts.coefficient.terms.length !== 1 || coefficient > 0 === atom.dividend.max > 0) continue;
      // A factor with `a // b` in it would be rewritten again.
      if (atom.divisor.terms.length === 1 && multiply(parts.coefficient, atom.divisor).terms.length !== 1) continue;
      const rest = add(parts.rest, multiply(parts.coefficient, atom.dividend));
      if (rest.unknown !== dim.unknown || rest.terms.length + 1 >= dim.terms.length) continue;
      return { items: [quotientItem(negate(parts.coefficient), atom)], rest };
    }
  }
  return undefined;
}

function quotientItem(factor: Dim, { dividend, divisor }: DivisionAtom): Item {
  const quotient = `(${writeDivision('//', dividend, divisor).text})`;
  if (divisor.terms.length > 1) {
    const outer = factor.constant === 1 || factor.constant === -1 ? '' : `${write(absolute(factor)).text} * `;
    return { negative: leadSign(factor) < 0, written: { text: `${outer}(${write(divisor).text}) * ${quotient}`, level: 'product' } };
  }
  const product = multiply(factor, divisor);
  return {
    negative: leadSign(product) < 0,
    written: { text: `${write(absolute(product)).text} * ${quotient}`, level: 'product' },
  };
}

const leadSign = (dim: Dim): number => Math.sign(dim.terms[0]?.coefficient ?? 0);
const absolute = (dim: Dim): Dim => (leadSign(dim) < 0 ? negate(dim) : dim);

function writeTerm(coefficient: number, { monomial }: Term): Written {
  const parts: Written[] = [];
  if (coefficient !== 1 || monomial.degree === 0) parts.push({ text: String(coefficient), level: 'atom' });
  for (const { atom, exponent } of monomial.factors) {
    const base = writeAtom(atom);
    if (exponent === 1) parts.push(base);
    else parts.push({ text: `${base.level === 'atom' ? base.text : `(${base.text})`} ** ${exponent}`, level: 'power' });
  }
  const [first] = parts as [Written];
  if (parts.length === 1) return first;
  return { text: parts.map(({ text, level }) => (level === 'division' ? `(${text})` : text)).join(' * '), level: 'product' };
}

function writeAtom(atom: Atom): Written {
  switch (atom.kind) {
    case 'symbol':
      return { text: atom.name, level: 'atom' };
    case 'unknown':
      return { text: '?', level: 'atom' };
    case 'quotient':
      return writeDivision('//', atom.dividend, atom.divisor);
    case 'remainder':
      return writeDivision('%', atom.dividend, atom.divisor);
    default:
      return { text: `${atom.kind === 'minimum' ? 'min' : 'max'}(${atom.operands.map(formatDim).join(', ')})`, level: 'atom' };
  }
}

function writeDivision(operator: '//' | '%', dividend: Dim, divisor: Dim): Written {
  const left = write(dividend);
  const right = write(divisor);
  const plain = left.level === 'atom' || left.level === 'power' || (left.level === 'product' && !left.text.startsWith('-'));
  return {
    text: `${plain ? left.text : `(${left.text})`} ${operator} ${right.level === 'atom' ? right.text : `(${right.text})`}`,
    level: 'division',
  };
}

/** The atom as `formatDim` prints it alone. */
export const formatAtom = (atom: Atom): string => formatDim(atomDim(atom));

/** The term as `formatDim` prints it alone. */
export const formatTerm = (term: Term): string => formatDim(termDim(term));
