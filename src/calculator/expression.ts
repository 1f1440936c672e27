import { nearest } from '../text/nearest.ts';
import { type Range, range } from '../text/range.ts';
import { type QuantityName, quantities } from './vocabulary.ts';

export interface QueryProblem {
  /** Offsets in the query. */
  readonly range: Range;
  /** What is wrong, and what would work. */
  readonly message: string;
}

export interface Assigned {
  readonly value: bigint;
  /** Range of the value's text in the query. */
  readonly range: Range;
}

/** No size in use comes near; beyond it a product of four sizes would cost time and say nothing. */
const maximumValue = 10n ** 15n;

const maximumNesting = 100;

export const nameTable: ReadonlyMap<string, QuantityName> = new Map(
  (Object.keys(quantities) as QuantityName[]).flatMap((name) =>
    quantities[name].names.map((alias) => [alias.toLowerCase(), name] as const),
  ),
);

/** Factors after a number. Lengths and widths are counted in 1024s, as in "8k context"; decimal units only where they say so. */
const units: Readonly<Record<string, bigint>> = {
  k: 1024n,
  ki: 1024n,
  m: 1024n ** 2n,
  mi: 1024n ** 2n,
  g: 1024n ** 3n,
  gi: 1024n ** 3n,
  kib: 1024n,
  mib: 1024n ** 2n,
  gib: 1024n ** 3n,
  tib: 1024n ** 4n,
  kb: 1000n,
  mb: 1000n ** 2n,
  gb: 1000n ** 3n,
  tb: 1000n ** 4n,
};

/** Factors after a number of parameters, which are counted in thousands: `7b`. */
export const counts: Readonly<Record<string, bigint>> = { k: 10n ** 3n, m: 10n ** 6n, b: 10n ** 9n, g: 10n ** 9n, t: 10n ** 12n };

export interface Token {
  readonly kind: 'number' | 'word' | 'operator';
  readonly text: string;
  readonly range: Range;
  /** White space or a comma stands before it. */
  readonly spaced: boolean;
}

export type Expression =
  | { readonly kind: 'number'; readonly value: Fraction; readonly range: Range }
  | { readonly kind: 'name'; readonly name: string; readonly range: Range }
  | { readonly kind: 'binary'; readonly operator: string; readonly left: Expression; readonly right: Expression; readonly range: Range }
  | { readonly kind: 'negative'; readonly operand: Expression; readonly range: Range };

/** Exact; `denominator` is positive. */
interface Fraction {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

export class QueryError extends Error {
  readonly range: Range;
  constructor(at: Range, message: string) {
    super(message);
    this.range = at;
  }
}

export const endOf = (token: Token | undefined): Range => range(token?.range.end ?? 0, token?.range.end ?? 0);

export const nearestText = (word: string, names: readonly string[], otherwise: string): string => {
  const [near] = nearest(word, names, 1);
  return near === undefined ? otherwise : `Did you mean ${near}?`;
};

export const startsAssignment = (tokens: readonly Token[], at: number): boolean => {
  const next = tokens[at + 1]?.text;
  return tokens[at]?.kind === 'word' && next !== undefined && /^(?:[=:%]|[<>]=?)$/.test(next);
};

/** An assignment ends where the next begins, and before a bare word such as a data type. */
export function assignmentEnd(tokens: readonly Token[], from: number): number {
  for (let i = from; i < tokens.length; i++) if (startsAssignment(tokens, i)) return i;
  return tokens.length;
}

export function tokenize(text: string, problems: QueryProblem[]): Token[] {
  const tokens: Token[] = [];
  const pattern = /([\s,;]+)|(\d[\d_]*(?:\.\d+)?(?:e[+-]?\d+)?|\.\d+)|([\p{L}_][\p{L}\p{N}_.]*)|(\*\*|\/\/|[<>]=?|[-+*/^()=:?%])|(.)/gisuy;
  let spaced = true;
  for (const match of text.matchAll(pattern)) {
    const [whole, space, number, word, operator] = match;
    if (space !== undefined) {
      spaced = true;
      continue;
    }
    const at = range(match.index, match.index + whole.length);
    if (number !== undefined) tokens.push({ kind: 'number', text: number, range: at, spaced });
    else if (word !== undefined) tokens.push({ kind: 'word', text: word, range: at, spaced });
    else if (operator !== undefined) tokens.push({ kind: 'operator', text: operator, range: at, spaced });
    else problems.push({ range: at, message: `${JSON.stringify(whole)} means nothing here. Write name=value, as in d=4096 h=32.` });
    spaced = false;
  }
  return tokens;
}

interface Parser {
  readonly tokens: readonly Token[];
  /** Where the assignment ends. */
  readonly end: number;
  at: number;
  depth: number;
  /** Factors after a number where they are not those of sizes. */
  readonly units?: Readonly<Record<string, bigint>>;
}

const tokenAt = (parser: Parser): Token | undefined => (parser.at < parser.end ? parser.tokens[parser.at] : undefined);

export function parseSum(parser: Parser, here: Range): Expression {
  let left = parseProduct(parser, here);
  for (;;) {
    const token = tokenAt(parser);
    if (token === undefined || (token.text !== '+' && token.text !== '-')) return left;
    parser.at++;
    const right = parseProduct(parser, endOf(token));
    left = { kind: 'binary', operator: token.text, left, right, range: range(left.range.start, right.range.end) };
  }
}

function parseProduct(parser: Parser, here: Range): Expression {
  let left = parseUnary(parser, here);
  for (;;) {
    const token = tokenAt(parser);
    if (token === undefined || (token.text !== '*' && token.text !== '/' && token.text !== '//')) return left;
    parser.at++;
    const right = parseUnary(parser, endOf(token));
    left = { kind: 'binary', operator: token.text, left, right, range: range(left.range.start, right.range.end) };
  }
}

function parseUnary(parser: Parser, here: Range): Expression {
  const token = tokenAt(parser);
  if (++parser.depth > maximumNesting) throw new QueryError(token?.range ?? here, 'This is nested too deeply.');
  try {
    if (token?.text === '-') {
      parser.at++;
      const operand = parseUnary(parser, endOf(token));
      return { kind: 'negative', operand, range: range(token.range.start, operand.range.end) };
    }
    if (token?.text === '+') {
      parser.at++;
      return parseUnary(parser, endOf(token));
    }
    return parsePower(parser, here);
  } finally {
    parser.depth--;
  }
}

function parsePower(parser: Parser, here: Range): Expression {
  const left = parseAtom(parser, here);
  const token = tokenAt(parser);
  if (token === undefined || (token.text !== '^' && token.text !== '**')) return left;
  parser.at++;
  const right = parseUnary(parser, endOf(token));
  return { kind: 'binary', operator: '^', left, right, range: range(left.range.start, right.range.end) };
}

function parseAtom(parser: Parser, here: Range): Expression {
  const token = tokenAt(parser);
  if (token === undefined) throw new QueryError(here, 'A number belongs here.');
  parser.at++;
  if (token.kind === 'number') return parseNumber(parser, token);
  if (token.text === '(') {
    const inner = parseSum(parser, endOf(token));
    const close = tokenAt(parser);
    if (close?.text !== ')')
      throw new QueryError(close?.range ?? range(inner.range.end, inner.range.end), 'A closing parenthesis belongs here.');
    parser.at++;
    return { ...inner, range: range(token.range.start, close.range.end) };
  }
  if (token.kind === 'word') {
    const word = token.text.toLowerCase();
    if (nameTable.has(word)) return { kind: 'name', name: token.text, range: token.range };
    if (/^(nan|inf|infinity)$/.test(word)) throw new QueryError(token.range, `${token.text} is not a size. Give a whole number.`);
    throw new QueryError(
      token.range,
      `${token.text} is neither a number nor a quantity. ${nearestText(token.text, [...nameTable.keys()], 'Give a whole number, as in 4096 or 8k.')}`,
    );
  }
  throw new QueryError(token.range, 'A number belongs here.');
}

function parseNumber(parser: Parser, token: Token): Expression {
  const [mantissa = '', exponentText = '0'] = token.text.replaceAll('_', '').toLowerCase().split('e');
  const exponent = Number(exponentText);
  if (Math.abs(exponent) > 30) throw new QueryError(token.range, `${token.text} is beyond what can be meant; sizes go up to 10^15.`);
  const [whole = '', part = ''] = mantissa.split('.');
  if (whole.length + part.length > 40) throw new QueryError(token.range, 'This number is too long; sizes go up to 10^15.');
  let numerator = BigInt(`${whole}${part}` || '0');
  let denominator = 10n ** BigInt(part.length);
  if (exponent >= 0) numerator *= 10n ** BigInt(exponent);
  else denominator *= 10n ** BigInt(-exponent);
  let end = token.range.end;
  const unit = tokenAt(parser);
  // A unit touches its number: `8k`. `T=8 k=...` starts a new assignment.
  if (unit?.kind === 'word' && !unit.spaced) {
    const known = parser.units ?? units;
    const factor = known[unit.text.toLowerCase()];
    if (factor === undefined || !Object.hasOwn(known, unit.text.toLowerCase())) {
      const all = known === units ? 'k, m, g (1024, 1024^2, 1024^3), KiB, MiB, GiB, KB, MB and GB' : 'k, m, b and t (thousand to trillion)';
      throw new QueryError(unit.range, `${unit.text} is no unit. Units are ${all}.`);
    }
    numerator *= factor;
    end = unit.range.end;
    parser.at++;
  }
  return { kind: 'number', value: reduce(numerator, denominator), range: range(token.range.start, end) };
}

function reduce(numerator: bigint, denominator: bigint): Fraction {
  let a = numerator < 0n ? -numerator : numerator;
  let b = denominator < 0n ? -denominator : denominator;
  while (b !== 0n) [a, b] = [b, a % b];
  const divisor = (a === 0n ? 1n : a) * (denominator < 0n ? -1n : 1n);
  return { numerator: numerator / divisor, denominator: denominator / divisor };
}

export class Evaluation {
  readonly #expressions: ReadonlyMap<QuantityName, Expression>;
  readonly #problems: QueryProblem[];
  readonly #done = new Map<QuantityName, Fraction>();
  readonly #open = new Set<QuantityName>();

  constructor(expressions: ReadonlyMap<QuantityName, Expression>, problems: QueryProblem[]) {
    this.#expressions = expressions;
    this.#problems = problems;
  }

  values(): { readonly [K in QuantityName]?: Assigned } {
    const values: { -readonly [K in QuantityName]?: Assigned } = {};
    for (const [name, expression] of this.#expressions) {
      const value = this.#guarded(() => this.#whole(this.#resolve(name, expression.range), expression.range, quantities[name].label));
      if (value !== undefined) values[name] = { value, range: expression.range };
    }
    return values;
  }

  /** The expression as a whole number of at least 1; undefined, with the problem noted, where it is none. */
  positive(expression: Expression, label: string): bigint | undefined {
    return this.#guarded(() => this.#whole(this.#evaluate(expression), expression.range, label));
  }

  #guarded(work: () => bigint): bigint | undefined {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof QueryError)) throw error;
      if (!this.#problems.some(({ range: at, message }) => at.start === error.range.start && message === error.message)) {
        this.#problems.push({ range: error.range, message: error.message });
      }
      return undefined;
    }
  }

  #whole({ numerator, denominator }: Fraction, at: Range, label: string): bigint {
    if (denominator !== 1n) {
      const below = numerator / denominator;
      throw new QueryError(
        at,
        `This is the ${label}, a whole number, not ${numerator}/${denominator}: ${below > 0n ? `${below} or ` : ''}${below + 1n} would work.`,
      );
    }
    if (numerator <= 0n) throw new QueryError(at, `At least 1 is needed here (${label}), not ${numerator}.`);
    if (numerator > maximumValue) throw new QueryError(at, `At most 10^15 is understood here (${label}).`);
    return numerator;
  }

  #evaluate(expression: Expression): Fraction {
    const result = this.#step(expression);
    const limit = maximumValue ** 2n;
    if (result.numerator > limit || result.numerator < -limit || result.denominator > limit) {
      throw new QueryError(expression.range, 'This is beyond what can be meant; sizes go up to 10^15.');
    }
    return result;
  }

  #step(expression: Expression): Fraction {
    if (expression.kind === 'number') return expression.value;
    if (expression.kind === 'negative') {
      const { numerator, denominator } = this.#evaluate(expression.operand);
      return { numerator: -numerator, denominator };
    }
    if (expression.kind === 'name') {
      const name = nameTable.get(expression.name.toLowerCase());
      if (name === undefined || !this.#expressions.has(name))
        throw new QueryError(expression.range, `${expression.name} is not set in this query.`);
      return this.#resolve(name, expression.range);
    }
    const left = this.#evaluate(expression.left);
    const right = this.#evaluate(expression.right);
    switch (expression.operator) {
      case '+':
        return reduce(left.numerator * right.denominator + right.numerator * left.denominator, left.denominator * right.denominator);
      case '-':
        return reduce(left.numerator * right.denominator - right.numerator * left.denominator, left.denominator * right.denominator);
      case '*':
        return reduce(left.numerator * right.numerator, left.denominator * right.denominator);
      case '^': {
        if (right.denominator !== 1n || right.numerator < 0n || right.numerator > 64n) {
          throw new QueryError(expression.right.range, 'An exponent is a whole number from 0 to 64.');
        }
        return reduce(left.numerator ** right.numerator, left.denominator ** right.numerator);
      }
      default: {
        if (right.numerator === 0n) throw new QueryError(expression.right.range, 'Division by zero.');
        const quotient = reduce(left.numerator * right.denominator, left.denominator * right.numerator);
        if (expression.operator === '/') return quotient;
        const { numerator, denominator } = quotient;
        const floor = numerator / denominator - (numerator < 0n && numerator % denominator !== 0n ? 1n : 0n);
        return { numerator: floor, denominator: 1n };
      }
    }
  }

  #resolve(name: QuantityName, at: Range): Fraction {
    const known = this.#done.get(name);
    if (known !== undefined) return known;
    const expression = this.#expressions.get(name);
    if (expression === undefined || this.#open.has(name)) throw new QueryError(at, `The ${quantities[name].label} is defined by itself.`);
    this.#open.add(name);
    try {
      const value = this.#evaluate(expression);
      this.#done.set(name, value);
      return value;
    } finally {
      this.#open.delete(name);
    }
  }
}
