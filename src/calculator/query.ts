import { nearest } from '../text/nearest.ts';
import { type Range, range } from '../text/range.ts';

/** Quantities that a query can set; counts, exact. */
export type QuantityName =
  | 'hiddenSize'
  | 'queryHeads'
  | 'keyValueHeads'
  | 'headDim'
  | 'valueDim'
  | 'layers'
  | 'sequenceLength'
  | 'batch'
  | 'queryLoraRank'
  | 'keyValueLoraRank'
  | 'ropeHeadDim'
  | 'nopeHeadDim'
  | 'intermediateSize'
  | 'vocabularySize';

export interface QuantityInfo {
  /** Letter in formulas. */
  readonly symbol: string;
  readonly label: string;
  /** Names that a query may use, the shortest first; case does not matter. */
  readonly names: readonly string[];
}

/** Short names are those of papers and of common code; long ones those of config files. */
export const quantities: Readonly<Record<QuantityName, QuantityInfo>> = {
  hiddenSize: {
    symbol: 'd',
    label: 'width',
    names: ['d', 'd_model', 'hidden_size', 'width', 'hidden', 'n_embd', 'dim', 'embed_dim', 'hiddenSize'],
  },
  queryHeads: {
    symbol: 'h',
    label: 'query heads',
    names: ['h', 'heads', 'num_attention_heads', 'n_heads', 'n_head', 'num_heads', 'nhead', 'queryHeads'],
  },
  keyValueHeads: {
    symbol: 'kv',
    label: 'KV heads',
    names: [
      'kv',
      'kv_heads',
      'num_key_value_heads',
      'n_kv_heads',
      'num_kv_heads',
      'n_kv_head',
      'num_query_groups',
      'n_query_groups',
      'keyValueHeads',
    ],
  },
  headDim: { symbol: 'd_h', label: 'head dim', names: ['hd', 'head_dim', 'd_head', 'dh', 'd_h', 'd_k', 'dk', 'kv_channels', 'headDim'] },
  valueDim: { symbol: 'd_v', label: 'value dim', names: ['dv', 'd_v', 'v_head_dim', 'value_dim', 'valueDim'] },
  layers: { symbol: 'L', label: 'layers', names: ['L', 'layers', 'num_hidden_layers', 'n_layers', 'n_layer', 'num_layers', 'depth'] },
  sequenceLength: {
    symbol: 'T',
    label: 'tokens',
    names: ['T', 'seq', 'seq_len', 'context', 'ctx', 'n_ctx', 'tokens', 'length', 'seq_length', 'sequenceLength'],
  },
  batch: { symbol: 'B', label: 'sequences', names: ['B', 'batch', 'batch_size', 'bs'] },
  queryLoraRank: { symbol: 'r_q', label: 'query rank', names: ['rq', 'q_rank', 'q_lora_rank', 'r_q', 'queryLoraRank'] },
  keyValueLoraRank: { symbol: 'r_kv', label: 'KV rank', names: ['rkv', 'kv_rank', 'kv_lora_rank', 'r_kv', 'keyValueLoraRank'] },
  ropeHeadDim: {
    symbol: 'd_rope',
    label: 'rotary part of a head',
    names: ['rope', 'rope_dim', 'qk_rope_head_dim', 'd_rope', 'ropeHeadDim'],
  },
  nopeHeadDim: {
    symbol: 'd_nope',
    label: 'unrotated part of a head',
    names: ['nope', 'nope_dim', 'qk_nope_head_dim', 'd_nope', 'nopeHeadDim'],
  },
  intermediateSize: { symbol: 'd_ff', label: 'FFN width', names: ['ff', 'd_ff', 'ffn', 'intermediate_size', 'intermediateSize'] },
  vocabularySize: { symbol: 'V', label: 'vocabulary', names: ['V', 'vocab', 'vocab_size', 'vocabularySize'] },
};

/** Bits of one stored element. */
export const dtypes: Readonly<Record<string, { readonly name: string; readonly bits: bigint }>> = {
  bf16: { name: 'bfloat16', bits: 16n },
  bfloat16: { name: 'bfloat16', bits: 16n },
  fp16: { name: 'float16', bits: 16n },
  f16: { name: 'float16', bits: 16n },
  float16: { name: 'float16', bits: 16n },
  half: { name: 'float16', bits: 16n },
  fp32: { name: 'float32', bits: 32n },
  f32: { name: 'float32', bits: 32n },
  float32: { name: 'float32', bits: 32n },
  float: { name: 'float32', bits: 32n },
  fp64: { name: 'float64', bits: 64n },
  float64: { name: 'float64', bits: 64n },
  fp8: { name: 'float8', bits: 8n },
  float8: { name: 'float8', bits: 8n },
  float8_e4m3fn: { name: 'float8', bits: 8n },
  float8_e5m2: { name: 'float8', bits: 8n },
  int8: { name: 'int8', bits: 8n },
  int4: { name: 'int4', bits: 4n },
  fp4: { name: 'float4', bits: 4n },
};

/** The dtype of a name as configs write it (`torch.bfloat16`); undefined for one that is not known. */
export const dtypeOf = (name: string): { readonly name: string; readonly bits: bigint } | undefined => {
  const key = name.toLowerCase().replace(/^torch\./, '');
  return Object.hasOwn(dtypes, key) ? dtypes[key] : undefined;
};

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

/** What a value that is asked for has to satisfy. */
export interface Constraint {
  readonly kind: 'relation' | 'divisible';
  /** `cache` stands for the bytes of the whole KV cache. */
  readonly quantity: QuantityName | 'cache';
  readonly relation?: '<' | '<=' | '>' | '>=';
  readonly value: bigint;
}

export interface Solve {
  readonly constraints: readonly Constraint[];
  /** Devices over which heads are split. */
  readonly tensorParallel?: bigint;
  /** Parameters that the layers should come near to. */
  readonly parameters?: bigint;
}

export interface Query extends Partial<Solve> {
  readonly values: { readonly [K in QuantityName]?: Assigned };
  readonly dtype?: { readonly name: string; readonly bits: bigint; readonly range: Range };
  readonly bias?: { readonly value: boolean; readonly range: Range };
  /** Whether the feed-forward has a gate: `gated`, `ungated`. */
  readonly gated?: boolean;
  /** The quantity that is asked for, `h=?`; a bare `?` asks for the width. */
  readonly wanted?: { readonly quantity: QuantityName; readonly range: Range };
  readonly problems: readonly QueryProblem[];
}

/** No size in use comes near; beyond it a product of four sizes would cost time and say nothing. */
export const maximumValue = 10n ** 15n;

const maximumLength = 4000;
const maximumNesting = 100;
/** Nobody reads more; a text that is no query at all would have one for each word. */
const maximumProblems = 50;

const nameTable: ReadonlyMap<string, QuantityName> = new Map(
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
const counts: Readonly<Record<string, bigint>> = { k: 10n ** 3n, m: 10n ** 6n, b: 10n ** 9n, g: 10n ** 9n, t: 10n ** 12n };

interface Token {
  readonly kind: 'number' | 'word' | 'operator';
  readonly text: string;
  readonly range: Range;
  /** White space or a comma stands before it. */
  readonly spaced: boolean;
}

type Expression =
  | { readonly kind: 'number'; readonly value: Fraction; readonly range: Range }
  | { readonly kind: 'name'; readonly name: string; readonly range: Range }
  | { readonly kind: 'binary'; readonly operator: string; readonly left: Expression; readonly right: Expression; readonly range: Range }
  | { readonly kind: 'negative'; readonly operand: Expression; readonly range: Range };

/** Exact; `denominator` is positive. */
interface Fraction {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

class QueryError extends Error {
  readonly range: Range;
  constructor(at: Range, message: string) {
    super(message);
    this.range = at;
  }
}

/**
 * Reads `d=4096 h=32 kv=8 T=8k bf16`: assignments with short or long names, whole-number arithmetic over numbers and other names
 * (`ff=8*d/3` is an error where it is not whole), units (`8k`, `2GiB`), data types and `bias` / `nobias`. Never throws; each problem
 * stands at the characters that cause it and takes out only its own assignment. O(length).
 */
export function parseQuery(text: string): Query {
  const problems: QueryProblem[] = [];
  if (text.length > maximumLength) {
    return {
      values: {},
      problems: [{ range: range(maximumLength, text.length), message: `A query has at most ${maximumLength} characters.` }],
    };
  }
  const tokens = tokenize(text, problems);
  const expressions = new Map<QuantityName, Expression>();
  let dtype: Query['dtype'];
  let bias: Query['bias'];
  let at = 0;
  let gated: boolean | undefined;
  let wanted: Query['wanted'];
  const demands: {
    readonly kind: Constraint['kind'];
    readonly quantity: Constraint['quantity'];
    readonly relation?: Constraint['relation'];
    readonly expression: Expression;
  }[] = [];
  const extras = new Map<'tensorParallel' | 'parameters', Expression>();
  const ask = (quantity: QuantityName, at: Range): void => {
    if (wanted !== undefined)
      throw new QueryError(at, `Only one value can be asked for: the ${quantities[wanted.quantity].label} is already.`);
    wanted = { quantity, range: at };
  };
  const guarded = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      if (!(error instanceof QueryError)) throw error;
      problems.push({ range: error.range, message: error.message });
      // The next assignment starts where a word is followed by an equals sign.
      while (at < tokens.length && !startsAssignment(tokens, at)) at++;
    }
  };
  const setDtype = (token: Token): void => {
    const found = dtypeOf(token.text);
    if (found === undefined)
      throw new QueryError(
        token.range,
        `${token.text} is no data type. ${nearestText(token.text, Object.keys(dtypes), 'Known: bf16, fp16, fp32, fp8, int8, int4.')}`,
      );
    if (dtype !== undefined) throw new QueryError(token.range, `The data type is already set to ${dtype.name}.`);
    dtype = { ...found, range: token.range };
  };
  while (at < tokens.length && problems.length < maximumProblems) {
    guarded(() => {
      const token = tokens[at];
      if (token === undefined) return;
      if (token.text === '?') {
        at++;
        ask('hiddenSize', token.range);
        return;
      }
      if (token.kind !== 'word') {
        at++;
        throw new QueryError(token.range, `A quantity's name belongs here, as in d=4096 or heads=32.`);
      }
      const assignment = startsAssignment(tokens, at);
      at++;
      const word = token.text.toLowerCase();
      const sign = tokens[at];
      if (assignment && sign !== undefined && sign.text !== '=' && sign.text !== ':') {
        at++;
        const quantity = word === 'cache' ? 'cache' : nameTable.get(word);
        if (quantity === undefined)
          throw new QueryError(
            token.range,
            `No quantity is called ${token.text}. ${nearestText(token.text, [...nameTable.keys(), 'cache'], 'Known: d, h, kv, hd, L, T, B, cache.')}`,
          );
        const parser = { tokens, at, end: assignmentEnd(tokens, at), depth: 0 };
        const expression = parseSum(parser, endOf(sign));
        at = parser.at;
        demands.push(
          sign.text === '%'
            ? { kind: 'divisible', quantity, expression }
            : { kind: 'relation', quantity, relation: sign.text as '<', expression },
        );
        return;
      }
      if (!assignment) {
        if (word === 'bias' || word === 'nobias' || word === 'no_bias') bias = { value: word === 'bias', range: token.range };
        else if (word === 'gated' || word === 'ungated') gated = word === 'gated';
        else if (nameTable.has(word)) throw new QueryError(token.range, `${token.text} needs a value: ${token.text}=...`);
        else setDtype(token);
        return;
      }
      const equals = tokens[at++];
      if (word === 'dtype' || word === 'type') {
        const value = tokens[at];
        if (value === undefined || value.kind !== 'word')
          throw new QueryError(value?.range ?? endOf(equals), 'A data type belongs here: bf16, fp16, fp32, fp8, int8 or int4.');
        at++;
        setDtype(value);
        return;
      }
      const extra = word === 'tp' ? 'tensorParallel' : word === 'params' || word === 'parameters' ? 'parameters' : undefined;
      if (extra !== undefined) {
        const parser = { tokens, at, end: assignmentEnd(tokens, at), depth: 0, ...(extra === 'parameters' ? { units: counts } : {}) };
        const expression = parseSum(parser, endOf(equals));
        at = parser.at;
        if (extras.has(extra)) throw new QueryError(token.range, `${token.text} is set twice.`);
        extras.set(extra, expression);
        return;
      }
      const name = nameTable.get(word);
      if (name === undefined) {
        const error = new QueryError(
          token.range,
          `No quantity is called ${token.text}. ${nearestText(token.text, [...nameTable.keys()], 'Known: d, h, kv, hd, L, T, B, ff, vocab.')}`,
        );
        throw error;
      }
      const mark = tokens[at];
      if (mark?.text === '?') {
        at++;
        if (expressions.has(name)) throw new QueryError(mark.range, `The ${quantities[name].label} is already set.`);
        ask(name, mark.range);
        return;
      }
      const parser = { tokens, at, end: assignmentEnd(tokens, at), depth: 0 };
      const expression = parseSum(parser, endOf(equals));
      at = parser.at;
      if (expressions.has(name))
        throw new QueryError(token.range, `The ${quantities[name].label} (${quantities[name].names[0]}) is set twice.`);
      expressions.set(name, expression);
    });
  }
  const evaluation = new Evaluation(expressions, problems);
  const values = evaluation.values();
  const constraints = demands.flatMap(({ expression, ...demand }): Constraint[] => {
    const value = evaluation.positive(expression, 'a limit');
    return value === undefined ? [] : [{ ...demand, value }];
  });
  const numbers = [...extras].flatMap(([name, expression]) => {
    const value = evaluation.positive(expression, name === 'parameters' ? 'a number of parameters' : 'a number of devices');
    return value === undefined ? [] : [[name, value] as const];
  });
  problems.sort((a, b) => a.range.start - b.range.start);
  return {
    values,
    ...(dtype === undefined ? {} : { dtype }),
    ...(bias === undefined ? {} : { bias }),
    ...(gated === undefined ? {} : { gated }),
    ...(wanted === undefined ? {} : { wanted }),
    ...(constraints.length === 0 ? {} : { constraints }),
    ...Object.fromEntries(numbers),
    problems,
  };
}

const endOf = (token: Token | undefined): Range => range(token?.range.end ?? 0, token?.range.end ?? 0);

const nearestText = (word: string, names: readonly string[], otherwise: string): string => {
  const [near] = nearest(word, names, 1);
  return near === undefined ? otherwise : `Did you mean ${near}?`;
};

const startsAssignment = (tokens: readonly Token[], at: number): boolean => {
  const next = tokens[at + 1]?.text;
  return tokens[at]?.kind === 'word' && next !== undefined && /^(?:[=:%]|[<>]=?)$/.test(next);
};

/** An assignment ends where the next begins, and before a bare word such as a data type. */
function assignmentEnd(tokens: readonly Token[], from: number): number {
  for (let i = from; i < tokens.length; i++) if (startsAssignment(tokens, i)) return i;
  return tokens.length;
}

function tokenize(text: string, problems: QueryProblem[]): Token[] {
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

function parseSum(parser: Parser, here: Range): Expression {
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

class Evaluation {
  readonly #expressions: ReadonlyMap<QuantityName, Expression>;
  readonly #problems: QueryProblem[];
  readonly #done = new Map<QuantityName, Fraction>();
  readonly #open = new Set<QuantityName>();

  constructor(expressions: ReadonlyMap<QuantityName, Expression>, problems: QueryProblem[]) {
    this.#expressions = expressions;
    this.#problems = problems;
  }

  values(): Query['values'] {
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
