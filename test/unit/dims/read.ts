import { type Dim, flexible, rigid } from '../../../src/dims/dim.ts';
import { Facts } from '../../../src/dims/facts.ts';
import { parseDim } from '../../../src/dims/parse.ts';

/** Reads an expression for a test; names of capitals are flexible, all others rigid. */
export function dim(text: string): Dim {
  const parsed = parseDim(text, (name) => (name === name.toUpperCase() ? flexible(name) : rigid(name)));
  if (!parsed.ok) throw new Error(`${text}: ${parsed.message} at ${parsed.offset}`);
  return parsed.dim;
}

/** Facts written as `a == b` or `a >= b`. */
export const facts = (...texts: readonly string[]): Facts =>
  Facts.none.assume(
    texts.map((text) => {
      const [left = '', right = ''] = text.split(/==|>=/);
      return { kind: text.includes('==') ? 'equal' : 'atLeast', left: dim(left), right: dim(right) };
    }),
  );
