import { type Range, range } from '../text/range.ts';
import {
  type Assigned,
  assignmentEnd,
  counts,
  Evaluation,
  type Expression,
  endOf,
  nameTable,
  nearestText,
  parseSum,
  QueryError,
  type QueryProblem,
  startsAssignment,
  type Token,
  tokenize,
} from './expression.ts';
import { gpuNames } from './gpus.ts';
import { presetNames } from './presets.ts';
import {
  type DegreeName,
  degreeNames,
  dtypeOf,
  dtypes,
  type Optimizer,
  optimizers,
  type QuantityInfo,
  type QuantityName,
  quantities,
  type Recomputation,
  recomputations,
} from './vocabulary.ts';

export type { QueryProblem } from './expression.ts';
export { dtypeOf, type QuantityName, quantities } from './vocabulary.ts';

/** What can stand before `=?`: a size, or a number of devices. */
export type Asked = QuantityName | Exclude<DegreeName, 'sequence'>;

const degreeLabels: Readonly<Record<Exclude<DegreeName, 'sequence'>, QuantityInfo>> = {
  tensor: { symbol: 'tp', label: 'tensor-parallel devices', names: ['tp'] },
  context: { symbol: 'cp', label: 'context-parallel devices', names: ['cp'] },
  pipeline: { symbol: 'pp', label: 'pipeline stages', names: ['pp'] },
  expert: { symbol: 'ep', label: 'expert-parallel devices', names: ['ep'] },
  data: { symbol: 'dp', label: 'data-parallel groups', names: ['dp'] },
};

export const isDegree = (asked: Asked): asked is Exclude<DegreeName, 'sequence'> => Object.hasOwn(degreeLabels, asked);

export const askedInfo = (asked: Asked): QuantityInfo => (isDegree(asked) ? degreeLabels[asked] : quantities[asked]);

/** What a value that is asked for has to satisfy. */
export interface Constraint {
  readonly kind: 'relation' | 'divisible';
  readonly quantity: Bounded;
  readonly relation?: '<' | '<=' | '>' | '>=';
  readonly value: bigint;
  /** Where the limit stands. */
  readonly range: Range;
}

/** `cache` are the bytes of the whole KV cache, `memory` those of the fullest device, `parameters` those of the model. */
export type Bounded = QuantityName | 'cache' | 'memory' | 'parameters';

export interface Solve {
  readonly constraints: readonly Constraint[];
  /** Devices over which heads are split. */
  readonly tensorParallel?: bigint;
  /** Parameters that the model should come near to. */
  readonly parameters?: bigint;
}

/** Devices over which the model is split, as far as the query says. `sequence` of 1 is off; the bare word means as many as `tensor`. */
export type Degrees = { readonly [K in DegreeName]?: Assigned };

export interface Query extends Partial<Solve> {
  readonly values: { readonly [K in QuantityName]?: Assigned };
  readonly dtype?: { readonly name: string; readonly bits: bigint; readonly range: Range };
  readonly bias?: { readonly value: boolean; readonly range: Range };
  /** Whether the feed-forward has a gate: `gated`, `ungated`. */
  readonly gated?: boolean;
  /** Whether the head shares the embedding's weights: `tied`, `untied`. */
  readonly tied?: boolean;
  readonly dropout?: boolean;
  readonly degrees?: Degrees;
  /** Megatron's sequence parallelism, given as a bare word. */
  readonly sequenceParallel?: Range;
  /** Stage of ZeRO; 3 is what FSDP does. */
  readonly zero?: 0 | 1 | 2 | 3;
  readonly optimizer?: Optimizer;
  readonly recomputation?: Recomputation;
  /** In which weights are stored, where that is not the type of the rest. */
  readonly weightDtype?: { readonly name: string; readonly bits: bigint };
  /** Bits of a gradient's elements. */
  readonly gradientBits?: bigint;
  /** No 32-bit copy of 16-bit weights: `pure`. */
  readonly pure?: boolean;
  /** Names of GPUs. */
  readonly gpus?: readonly string[];
  /** A published design that the query's values override. */
  readonly preset?: { readonly name: string; readonly range: Range };
  /** The quantity that is asked for, `h=?`; a bare `?` asks for the width. */
  readonly wanted?: { readonly quantity: Asked; readonly range: Range };
  readonly problems: readonly QueryProblem[];
}

const maximumLength = 4000;
/** Nobody reads more; a text that is no query at all would have one for each word. */
const maximumProblems = 50;

const bounded: Readonly<Record<string, Bounded>> = {
  cache: 'cache',
  memory: 'memory',
  mem: 'memory',
  params: 'parameters',
  parameters: 'parameters',
};

/** Words that stand alone, or after `key=`. */
const settings: Readonly<Record<string, readonly string[]>> = {
  optimizer: optimizers,
  opt: optimizers,
  recompute: recomputations,
  recomputation: recomputations,
  grads: ['fp32', 'bf16', 'fp16'],
  weights: Object.keys(dtypes),
  zero: ['0', '1', '2', '3'],
};

/** Everything that a query may say besides sizes, while it is read. */
type Words = {
  -readonly [K in
    | 'dtype'
    | 'bias'
    | 'gated'
    | 'tied'
    | 'dropout'
    | 'sequenceParallel'
    | 'zero'
    | 'optimizer'
    | 'recomputation'
    | 'gradientBits'
    | 'weightDtype'
    | 'pure'
    | 'wanted']?: Query[K];
};

/**
 * Reads `d=4096 h=32 kv=8 T=8k bf16`: assignments with short or long names, whole-number arithmetic over numbers and other names
 * (`ff=8*d/3` is an error where it is not whole), units (`8k`, `2GiB`), data types, names of published designs and of GPUs
 * (`llama3-8b T=32k h100`), devices (`tp=8 pp=2`) and words such as `bias`, `gated`, `adamw`. Never throws; each problem stands at the
 * characters that cause it and takes out only its own assignment. O(length).
 */
export function parseQuery(text: string): Query {
  if (text.length > maximumLength) {
    return {
      values: {},
      problems: [{ range: range(maximumLength, text.length), message: `A query has at most ${maximumLength} characters.` }],
    };
  }
  return new Reader(text).read();
}

class Reader {
  readonly #problems: QueryProblem[] = [];
  readonly #expressions = new Map<QuantityName, Expression>();
  readonly #degrees = new Map<DegreeName, Expression>();
  readonly #demands: (Omit<Constraint, 'value' | 'range'> & { readonly expression: Expression })[] = [];
  readonly #words: Words = {};
  readonly #gpus: string[] = [];
  readonly #tokens: readonly Token[];
  #preset: Query['preset'];
  #parameters: Expression | undefined;
  #at = 0;

  constructor(text: string) {
    this.#tokens = tokenize(this.#takeNames(text), this.#problems);
  }

  read(): Query {
    const tokens = this.#tokens;
    while (this.#at < tokens.length && this.#problems.length < maximumProblems) {
      try {
        this.#item();
      } catch (error) {
        if (!(error instanceof QueryError)) throw error;
        this.#problems.push({ range: error.range, message: error.message });
        // The next assignment starts where a word is followed by an equals sign.
        while (this.#at < tokens.length && !startsAssignment(tokens, this.#at)) this.#at++;
      }
    }
    const evaluation = new Evaluation(this.#expressions, this.#problems);
    const values = evaluation.values();
    const constraints = this.#demands.flatMap(({ expression, ...demand }): Constraint[] => {
      const value = evaluation.positive(expression, 'a limit');
      return value === undefined ? [] : [{ ...demand, value, range: expression.range }];
    });
    const parameters = this.#parameters === undefined ? undefined : evaluation.positive(this.#parameters, 'a number of parameters');
    const degrees: { -readonly [K in DegreeName]?: Assigned } = {};
    for (const [name, expression] of this.#degrees) {
      const value = evaluation.positive(expression, 'a number of devices');
      if (value !== undefined) degrees[name] = { value, range: expression.range };
    }
    this.#problems.sort((a, b) => a.range.start - b.range.start);
    return {
      values,
      ...this.#words,
      ...(this.#preset === undefined ? {} : { preset: this.#preset }),
      ...(this.#gpus.length === 0 ? {} : { gpus: this.#gpus }),
      ...(this.#degrees.size === 0 ? {} : { degrees }),
      ...(degrees.tensor === undefined ? {} : { tensorParallel: degrees.tensor.value }),
      ...(constraints.length === 0 ? {} : { constraints }),
      ...(parameters === undefined ? {} : { parameters }),
      problems: this.#problems,
    };
  }

  /** Names of designs and GPUs hold dashes, which elsewhere subtract: they are taken out first, spaces in their place. */
  #takeNames(text: string): string {
    return text.replace(/(?<![^\s,;])(?:gpu=)?[a-z][\w.]*(?:-[\w.]+)*(?![^\s,;])/gi, (whole: string, at: number) => {
      const before = text.slice(0, at).trimEnd().at(-1) ?? '';
      if ('=:<>+-*/^(%'.includes(before) && before !== '') return whole;
      if (/^\s*(?:[=:<>%+*/^)]|-)/.test(text.slice(at + whole.length))) return whole;
      const isGpu = /^gpu=/i.test(whole);
      const name = whole.slice(isGpu ? 4 : 0).toLowerCase();
      const where = range(at + whole.length - name.length, at + whole.length);
      if (gpuNames.includes(name)) this.#gpus.push(name);
      else if (presetNames.includes(name) && !isGpu) {
        if (this.#preset === undefined) this.#preset = { name, range: where };
        else this.#problems.push({ range: where, message: `Only one design can be the base: ${this.#preset.name} already is.` });
      } else if (isGpu) {
        this.#problems.push({
          range: where,
          message: `No GPU is called ${name}. ${nearestText(name, gpuNames, `Known: ${gpuNames.join(', ')}.`)}`,
        });
      } else if (name.includes('-') && !name.split('-').every((part) => nameTable.has(part))) {
        const known = [...presetNames, ...gpuNames];
        this.#problems.push({
          range: where,
          message: `No design or GPU is called ${name}. ${nearestText(name, known, 'Known: llama3-8b, mistral-7b, gpt2, ...')}`,
        });
      } else return whole;
      return ' '.repeat(whole.length);
    });
  }

  #item(): void {
    const token = this.#tokens[this.#at];
    if (token === undefined) return;
    if (token.text === '?') {
      this.#at++;
      this.#ask('hiddenSize', token.range);
      return;
    }
    if (token.kind !== 'word') {
      this.#at++;
      throw new QueryError(token.range, `A quantity's name belongs here, as in d=4096 or heads=32.`);
    }
    const assignment = startsAssignment(this.#tokens, this.#at);
    this.#at++;
    const word = token.text.toLowerCase();
    const sign = this.#tokens[this.#at];
    if (!assignment || sign === undefined) this.#bare(token, word);
    else if (sign.text === '=' || sign.text === ':') this.#assign(token, word);
    else this.#demand(token, word, sign);
  }

  #demand(token: Token, word: string, sign: Token): void {
    this.#at++;
    const quantity = Object.hasOwn(bounded, word) ? bounded[word] : nameTable.get(word);
    if (quantity === undefined)
      throw new QueryError(
        token.range,
        `No quantity is called ${token.text}. ${nearestText(token.text, [...nameTable.keys(), ...Object.keys(bounded)], 'Known: d, h, kv, hd, L, T, B, cache, memory.')}`,
      );
    const expression = this.#expression(endOf(sign), quantity === 'parameters' ? counts : undefined);
    this.#demands.push(
      sign.text === '%'
        ? { kind: 'divisible', quantity, expression }
        : { kind: 'relation', quantity, relation: sign.text as '<' | '<=' | '>' | '>=', expression },
    );
  }

  #bare(token: Token, word: string): void {
    const words = this.#words;
    if (word === 'bias' || word === 'nobias' || word === 'no_bias') words.bias = { value: word === 'bias', range: token.range };
    else if (word === 'gated' || word === 'ungated') words.gated = word === 'gated';
    else if (word === 'tied' || word === 'untied') words.tied = word === 'tied';
    else if (word === 'dropout') words.dropout = true;
    else if (word === 'sp') words.sequenceParallel = token.range;
    else if (word === 'fsdp') words.zero = 3;
    else if (word === 'pure') words.pure = true;
    else if (isOneOf(optimizers, word)) words.optimizer = word;
    else if (nameTable.has(word) || Object.hasOwn(degreeNames, word))
      throw new QueryError(token.range, `${token.text} needs a value: ${token.text}=...`);
    else this.#setDtype(token);
  }

  #assign(token: Token, word: string): void {
    const equals = this.#tokens[this.#at++];
    if (word === 'dtype' || word === 'type') {
      const value = this.#tokens[this.#at];
      if (value === undefined || value.kind !== 'word')
        throw new QueryError(value?.range ?? endOf(equals), 'A data type belongs here: bf16, fp16, fp32, fp8, int8 or int4.');
      this.#at++;
      this.#setDtype(value);
      return;
    }
    if (Object.hasOwn(settings, word)) {
      this.#setting(word, equals);
      return;
    }
    if (word === 'params' || word === 'parameters') {
      const expression = this.#expression(endOf(equals), counts);
      if (this.#parameters !== undefined) throw new QueryError(token.range, `${token.text} is set twice.`);
      this.#parameters = expression;
      return;
    }
    const degree = Object.hasOwn(degreeNames, word) ? degreeNames[word] : undefined;
    if (degree !== undefined) {
      const asked = this.#tokens[this.#at];
      if (asked?.text === '?' && degree !== 'sequence') {
        this.#at++;
        if (this.#degrees.has(degree)) throw new QueryError(asked.range, `${token.text} is already set.`);
        this.#ask(degree, asked.range);
        return;
      }
      const expression = this.#expression(endOf(equals));
      if (this.#degrees.has(degree)) throw new QueryError(token.range, `${token.text} is set twice.`);
      this.#degrees.set(degree, expression);
      return;
    }
    const name = nameTable.get(word);
    if (name === undefined) {
      throw new QueryError(
        token.range,
        `No quantity is called ${token.text}. ${nearestText(token.text, [...nameTable.keys(), ...Object.keys(degreeNames), ...Object.keys(settings)], 'Known: d, h, kv, hd, L, T, B, ff, vocab.')}`,
      );
    }
    const mark = this.#tokens[this.#at];
    if (mark?.text === '?') {
      this.#at++;
      if (this.#expressions.has(name)) throw new QueryError(mark.range, `The ${quantities[name].label} is already set.`);
      this.#ask(name, mark.range);
      return;
    }
    const expression = this.#expression(endOf(equals));
    if (this.#expressions.has(name))
      throw new QueryError(token.range, `The ${quantities[name].label} (${quantities[name].names[0]}) is set twice.`);
    this.#expressions.set(name, expression);
  }

  #setting(key: string, equals: Token | undefined): void {
    const value = this.#tokens[this.#at];
    const known = settings[key] ?? [];
    const word = value?.text.toLowerCase() ?? '';
    if (value === undefined || startsAssignment(this.#tokens, this.#at) || !known.includes(word)) {
      const hint = value === undefined ? '' : ` ${nearestText(word, known, '')}`.trimEnd();
      if (value !== undefined && !startsAssignment(this.#tokens, this.#at)) this.#at++;
      throw new QueryError(value?.range ?? endOf(equals), `${key} is one of ${known.join(', ')}.${hint}`);
    }
    this.#at++;
    const words = this.#words;
    if (isOneOf(optimizers, word)) words.optimizer = word;
    else if (isOneOf(recomputations, word)) words.recomputation = word;
    else if (key === 'weights') words.weightDtype = dtypeOf(word);
    else if (key === 'grads') words.gradientBits = word === 'fp32' ? 32n : 16n;
    else if (word === '0' || word === '1' || word === '2' || word === '3') words.zero = Number(word) as 0 | 1 | 2 | 3;
  }

  #expression(here: Range, units?: Readonly<Record<string, bigint>>): Expression {
    const parser = {
      tokens: this.#tokens,
      at: this.#at,
      end: assignmentEnd(this.#tokens, this.#at),
      depth: 0,
      ...(units === undefined ? {} : { units }),
    };
    const expression = parseSum(parser, here);
    this.#at = parser.at;
    return expression;
  }

  #ask(quantity: Asked, at: Range): void {
    const { wanted } = this.#words;
    if (wanted !== undefined)
      throw new QueryError(at, `Only one value can be asked for: the ${askedInfo(wanted.quantity).label} is already.`);
    this.#words.wanted = { quantity, range: at };
  }

  #setDtype(token: Token): void {
    const found = dtypeOf(token.text);
    if (found === undefined) {
      const [near] = [...Object.keys(dtypes)].filter((name) => nearestText(token.text, [name], '') !== '');
      const others = near === undefined ? nearestText(token.text, [...presetNames, ...gpuNames, ...optimizers], '') : '';
      throw new QueryError(
        token.range,
        others !== ''
          ? `${token.text} is no design, GPU or data type. ${others}`
          : `${token.text} is no data type. ${nearestText(token.text, Object.keys(dtypes), 'Known: bf16, fp16, fp32, fp8, int8, int4.')}`,
      );
    }
    if (this.#words.dtype !== undefined) throw new QueryError(token.range, `The data type is already set to ${this.#words.dtype.name}.`);
    this.#words.dtype = { ...found, range: token.range };
  }
}

const isOneOf = <T extends string>(values: readonly T[], word: string): word is T => (values as readonly string[]).includes(word);
