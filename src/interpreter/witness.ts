/**
 * Numbers that symbols have for the time being, so that code is followed symbolically along the one path that these numbers take. Every
 * question that algebra leaves open is answered by the numbers, and the answer is remembered as a premise: what the code makes along the
 * path holds for all numbers that answer the same.
 */
import { type Dim, loneAtom, number, rigid, type SymbolAtom } from '../dims/dim.ts';
import { formatDim } from '../dims/format.ts';
import { evaluate } from '../dims/visit.ts';
import { bool, dimOf, float, int, list } from './make.ts';
import type { BoolValue, Value } from './value.ts';

type Relation = '==' | '!=' | '<' | '<=' | '>' | '>=';

/**
 * `left relation right` of two sizes as `formatDim` writes them; the value of a setting; the number of items in a list of settings.
 * Item `k` of the list `depths` is called `depths.__k`.
 */
export type Premise =
  | readonly [relation: Relation, left: string, right: string]
  | readonly [kind: 'is', path: string, value: string | number | boolean]
  | readonly [kind: 'length', path: string, length: number];

/** One round of a loop that runs as often as a symbol says. Inside, the index is the symbol `loop3_7`: round 7 of loop 3. */
export interface Round {
  readonly loop: number;
  readonly index: number;
  /** How many rounds there are, as `formatDim` writes it. */
  readonly count: string;
}

const maximumRounds = 512;
const relations: Readonly<Record<Relation, (a: number, b: number) => boolean>> = {
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
};
const isRelation = (operator: string): operator is Relation => Object.hasOwn(relations, operator);

/** A value of which operations say too little to go on. */
function isVague(value: Value): boolean {
  switch (value.kind) {
    case 'unknown':
    case 'union':
      return true;
    case 'bool':
      return value.value === undefined;
    case 'int':
      return value.dim.unknown;
    case 'float':
      return value.value === undefined && value.powers === undefined;
    case 'list':
      return value.open || value.repeat !== undefined;
    case 'tuple':
      return value.ellipsis !== undefined || value.items.some(isVague);
    case 'tensor':
      return value.shape.ellipsis !== undefined || value.shape.dims.some(({ unknown }) => unknown);
    default:
      return false;
  }
}

export class Witness {
  readonly #numbers = new Map<string, number>();
  readonly #premises = new Map<string, Premise>();
  readonly #rounds = new Map<Value, Round & { readonly times: Dim }>();
  /** Lists and dicts that hold as many items as a size says. */
  readonly #lengths = new WeakMap<Value, Dim>();
  readonly #lists = new Map<Value, { readonly path: string; readonly makers: readonly ((path: string) => Value)[] }>();
  #stack: Round[] = [];
  #loops = 0;

  /** What was decided, in order, each once. */
  get premises(): readonly Premise[] {
    return [...this.#premises.values()];
  }

  /** The loops around what is being evaluated, outermost first. */
  get rounds(): readonly Round[] {
    return this.#stack;
  }

  #assume(premise: Premise): void {
    this.#premises.set(premise.join(' '), premise);
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Settings

  /** A whole number, at least 0, that stands under the name of its setting. */
  size(path: string, value: number): Value {
    const dim = rigid(path, { scope: 'witness', min: value > 0 ? 1 : 0 });
    this.#numbers.set((loneAtom(dim) as SymbolAtom).key, value);
    return int(dim);
  }

  /** A text, truth value or fraction: it is a premise as soon as it is looked at. */
  constant(path: string, value: string | number | boolean): Value {
    const look = (): void => this.#assume(['is', path, value]);
    const made = { kind: typeof value === 'string' ? 'string' : typeof value === 'boolean' ? 'bool' : 'float' };
    Object.defineProperty(made, 'value', {
      enumerable: true,
      get: () => {
        look();
        return value;
      },
    });
    return made as Value;
  }

  /** A whole number that is taken as it is. */
  literal(path: string, value: number): Value {
    this.#assume(['is', path, value]);
    return int(value);
  }

  /** A list of settings; how many there are is a premise as soon as it is looked at. */
  list(path: string, makers: readonly ((path: string) => Value)[]): Value {
    const items = makers.map((make, i) => make(`${path}.__${i}`));
    const made = list(items);
    this.#lists.set(made, { path, makers });
    let held: readonly Value[] = items;
    Object.defineProperty(made, 'items', {
      enumerable: true,
      get: () => {
        if (held === items) this.#assume(['length', path, items.length]);
        return held;
      },
      set: (value: readonly Value[]) => {
        held = value;
      },
    });
    return made;
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Questions

  numberOf(dim: Dim): number | undefined {
    return evaluate(dim, (symbol) => this.#numbers.get(symbol.key));
  }

  /** The answer to a comparison that algebra leaves open. */
  compare(operator: string, left: Value, right: Value): BoolValue | undefined {
    if (!isRelation(operator)) return undefined;
    const [a, b] = [dimOf(left), dimOf(right)];
    if (a === undefined || b === undefined) {
      const fixed = this.#numbersOf([left, right]);
      if (fixed === undefined) return undefined;
      const [x, y] = fixed.map((value) => (value.kind === 'float' ? value.value : dimOf(value)?.constant));
      return x === undefined || y === undefined ? undefined : bool(relations[operator](x, y));
    }
    const [x, y] = [this.numberOf(a), this.numberOf(b)];
    if (x === undefined || y === undefined) return undefined;
    const holds = relations[operator](x, y);
    const opposite: Readonly<Record<Relation, Relation>> = { '==': '!=', '!=': '==', '<': '>=', '<=': '>', '>': '<=', '>=': '<' };
    this.#assume([holds ? operator : opposite[operator], formatDim(a), formatDim(b)]);
    return bool(holds);
  }

  /** Whether a size counts as true. */
  truth(dim: Dim): boolean | undefined {
    const answer = this.compare('!=', int(dim), int(0));
    return answer?.value;
  }

  /** The size as the number that it is; that it is this number becomes a premise. */
  fix(dim: Dim): Dim {
    if (dim.constant !== undefined) return dim;
    const value = this.numberOf(dim);
    if (value === undefined) return dim;
    this.#assume(['==', formatDim(dim), String(value)]);
    return number(value);
  }

  /** The rounds of a loop over `range(start, ..., step)`; undefined where their number is not known. */
  roundsOf(count: Dim, start: Dim, at: (index: Dim) => Dim): readonly Value[] | undefined {
    const times = this.numberOf(count);
    if (times === undefined || times > maximumRounds || this.numberOf(start) === undefined) return undefined;
    const loop = ++this.#loops;
    const written = formatDim(count);
    return Array.from({ length: times }, (_, index) => {
      const symbol = rigid(`loop${loop}_${index}`, { scope: 'witness', min: 0 });
      this.#numbers.set((loneAtom(symbol) as SymbolAtom).key, index);
      const value = int(at(symbol));
      this.#rounds.set(value, { loop, index, count: written, times: count });
      return value;
    });
  }

  /** A loop goes on with this item. */
  enter(item: Value): void {
    const round = this.#rounds.get(item);
    if (round === undefined) return;
    this.leave(item);
    this.#stack = [...this.#stack, round];
  }

  /** The loop over the item has ended. */
  leave(item: Value | undefined): void {
    const round = item === undefined ? undefined : this.#rounds.get(item);
    if (round === undefined) return;
    const at = this.#stack.findIndex(({ loop }) => loop === round.loop);
    if (at >= 0) this.#stack = this.#stack.slice(0, at);
  }

  /** A list or dict has an item for each round of the loop over `items`, or as many as a size says. */
  count(made: Value, by: Value | Dim | undefined): void {
    const times = by === undefined ? undefined : 'key' in by ? by : this.#rounds.get(by)?.times;
    if (times !== undefined) this.#lengths.set(made, times);
  }

  /** How many items a list or dict has where a size says so. */
  lengthOf(value: Value | undefined): Value | undefined {
    const times = value === undefined ? undefined : this.#lengths.get(value);
    return times === undefined ? undefined : int(times);
  }

  /** What such a list holds is gone through one by one: how many there are is then a premise. Modules are counted where they are listed. */
  look(value: Value): void {
    const times = this.#lengths.get(value);
    if (times !== undefined && !(value.kind === 'list' && value.items.every(({ kind }) => kind === 'instance'))) this.fix(times);
  }

  /** The item of a list of settings that a loop's index names; undefined where the list or the index is of another kind. */
  item(object: Value, index: Value): Value | undefined {
    if (index.kind !== 'int') return undefined;
    const settings = this.#lists.get(object);
    const symbol = loneAtom(index.dim);
    if (settings === undefined || symbol?.kind !== 'symbol' || !/^loop\d+_\d+$/.test(symbol.name)) return undefined;
    return settings.makers[this.numberOf(index.dim) ?? -1]?.(`${settings.path}.${symbol.name}`);
  }

  /** A size as it stands in a text: that of a round is part of a name such as `expert_3`, any other becomes a premise. */
  spelt(value: Value): Value {
    if (value.kind !== 'int') return value;
    const symbol = loneAtom(value.dim);
    const isRound = symbol?.kind === 'symbol' && /^loop\d+_\d+$/.test(symbol.name);
    const known = isRound ? this.numberOf(value.dim) : undefined;
    return known === undefined ? this.fixed(value) : int(known);
  }

  /** The value with numbers for symbols. */
  fixed(value: Value): Value {
    return this.#numbersOf([value])?.[0] ?? value;
  }

  /** The result of an operation, with numbers for sizes where symbols tell too little. */
  settle<Result extends Value>(result: Result, given: readonly Value[], again: (given: readonly Value[]) => Value): Value {
    if (!isVague(result)) return result;
    const before = new Map(this.#premises);
    const numbers = this.#numbersOf(given);
    if (numbers === undefined) return result;
    const second = again(numbers);
    if (!isVague(second)) return second;
    this.#premises.clear();
    for (const [key, premise] of before) this.#premises.set(key, premise);
    return result;
  }

  /** The values with numbers for symbols; undefined where there are no symbols. */
  #numbersOf(values: readonly Value[]): readonly Value[] | undefined {
    let changed = false;
    const visit = (value: Value): Value => {
      if (value.kind === 'int') {
        const dim = this.fix(value.dim);
        if (dim === value.dim) return value;
        changed = true;
        return int(dim);
      }
      if (value.kind === 'float' && value.value === undefined && value.powers !== undefined) {
        let product = value.powers.coefficient;
        for (const { base, exponent } of value.powers.factors) {
          const fixed = this.fix(base).constant;
          if (fixed === undefined) return value;
          product *= fixed ** exponent;
        }
        changed = true;
        return float(product);
      }
      if (value.kind === 'tuple' || (value.kind === 'list' && value.repeat === undefined)) {
        const items = value.items.map(visit);
        return items.some((item, i) => item !== value.items[i]) ? { ...value, items } : value;
      }
      if (value.kind === 'slice') {
        const [lower, upper, step] = [visit(value.lower), visit(value.upper), visit(value.step)];
        return lower === value.lower && upper === value.upper && step === value.step ? value : { kind: 'slice', lower, upper, step };
      }
      return value;
    };
    const fixed = values.map(visit);
    return changed ? fixed : undefined;
  }
}
