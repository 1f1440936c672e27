import { add, type Dim, floorDiv, maximum, minimum, mod, multiply, negate, number, raise, subtract, unknownDim } from './dim.ts';

export type ParsedDim =
  | { readonly ok: true; readonly dim: Dim }
  /** `offset` is the UTF-16 offset in the text at which reading stopped. */
  | { readonly ok: false; readonly offset: number; readonly message: string };

const token = /\s*(?:(\d+)|([\p{L}_][\p{L}\p{N}_]*(?:\.[\p{L}_][\p{L}\p{N}_]*)*)|(\*\*|\/\/|[-+*/%(),?]))/uy;
const maxLength = 2000;
const maxNesting = 64;

/**
 * Reads a size as it stands in a shape comment: integers, names with dots, `+ - * // % **`, `/` for a division that leaves no
 * rest, `min(...)`, `max(...)`, parentheses, and `?` for an unknown. Precedence is Python's. `resolve` says which dim a name
 * stands for; a name it does not know is an error. Linear in the text; texts over 2,000 characters or 64 parentheses deep are refused.
 */
export function parseDim(text: string, resolve: (name: string) => Dim | undefined): ParsedDim {
  if (text.length > maxLength) return { ok: false, offset: maxLength, message: 'the expression is too long' };
  let at = 0;
  let start = 0;
  let current = '';
  let kind: 'number' | 'name' | 'sign' | 'end' | 'bad' = 'end';
  let nesting = 0;
  let error: { readonly offset: number; readonly message: string } | undefined;

  const next = (): void => {
    token.lastIndex = at;
    const found = token.exec(text);
    if (found === null) {
      start = at + (/^\s*/.exec(text.slice(at))?.[0].length ?? 0);
      kind = start === text.length ? 'end' : 'bad';
      current = kind === 'bad' ? (text[start] ?? '') : '';
      return;
    }
    current = found[1] ?? found[2] ?? found[3] ?? '';
    kind = found[1] !== undefined ? 'number' : found[2] !== undefined ? 'name' : 'sign';
    at = token.lastIndex;
    start = at - current.length;
  };
  const fail = (message: string): Dim => {
    error ??= { offset: start, message };
    kind = 'end';
    current = '';
    at = text.length;
    return number(0);
  };
  const sees = (sign: string): boolean => kind === 'sign' && current === sign;
  const take = (sign: string): boolean => {
    if (!sees(sign)) return false;
    next();
    return true;
  };

  const sum = (): Dim => {
    let value = product();
    for (;;) {
      if (take('+')) value = add(value, product());
      else if (take('-')) value = subtract(value, product());
      else return value;
    }
  };
  const product = (): Dim => {
    let value = unary();
    for (;;) {
      if (take('*')) value = multiply(value, unary());
      else if (take('//') || take('/')) value = floorDiv(value, unary());
      else if (take('%')) value = mod(value, unary());
      else return value;
    }
  };
  const unary = (): Dim => {
    if (++nesting > maxNesting) return fail('the expression is nested too deeply');
    const value = take('-') ? negate(unary()) : take('+') ? unary() : exponentiation();
    nesting--;
    return value;
  };
  const exponentiation = (): Dim => {
    const base = primary();
    return take('**') ? raise(base, unary()) : base;
  };
  const primary = (): Dim => {
    const word = current;
    if (kind === 'number') {
      next();
      return number(Number(word));
    }
    if (kind === 'name') {
      const nameStart = start;
      next();
      if ((word === 'min' || word === 'max') && take('(')) return call(word === 'min' ? minimum : maximum);
      const dim = resolve(word);
      if (dim !== undefined) return dim;
      start = nameStart;
      return fail(`${word} is not known`);
    }
    if (take('?')) return unknownDim();
    if (take('(')) {
      const value = sum();
      return take(')') ? value : fail('a closing parenthesis is missing');
    }
    return fail(kind === 'end' ? 'a size is missing at the end' : `a size was expected before ${current}`);
  };
  const call = (operation: (...operands: readonly Dim[]) => Dim): Dim => {
    const operands = [sum()];
    while (take(',')) operands.push(sum());
    return take(')') ? operation(...operands) : fail('a closing parenthesis is missing');
  };

  next();
  const dim = sum();
  if (error === undefined && kind !== 'end') fail(`${current} was not expected here`);
  return error === undefined ? { ok: true, dim } : { ok: false, ...error };
}
