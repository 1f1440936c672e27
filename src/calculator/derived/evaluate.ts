/** Lays out a class from a derived record: premises are checked against the settings, then every size is worked out. */
import { type Dim, rigid } from '../../dims/dim.ts';
import { parseDim } from '../../dims/parse.ts';
import { evaluate } from '../../dims/visit.ts';
import { labels } from '../architectures/architecture.ts';
import { isHarmless } from '../architectures/harmless.ts';
import { Settings } from '../architectures/settings.ts';
import { NotModelled, type Scope } from '../architectures/sheet.ts';
import { isImmaterial } from './immaterial.ts';
import type { Leaf, Node, Plain, Premise } from './record.ts';

const parsed = new Map<string, Dim>();

function dimOf(text: string): Dim {
  const known = parsed.get(text);
  if (known !== undefined) return known;
  const result = parseDim(text, (name) => rigid(name, { min: 0 }));
  if (!result.ok) throw new NotModelled(`${text} is no size.`);
  if (parsed.size > 20_000) parsed.clear();
  parsed.set(text, result.dim);
  return result.dim;
}

const maximumRounds = 4096;

/** Lays out the first of the leaves whose premises hold. Throws NotModelled with the reason of the first where none does. */
export function layOutDerived(leaves: readonly Leaf[], scope: Scope, settings: Settings): void {
  let reason: NotModelled | undefined;
  for (const leaf of leaves) {
    // Only what the leaf that holds has read counts as read.
    const own = new Settings(settings.section, settings.family);
    const evaluation = new Evaluation(leaf, own);
    const found = evaluation.refusal();
    if (found === undefined) {
      evaluation.build(leaf.node, scope, noRounds);
      settings.adopt(own);
      return;
    }
    reason ??= found;
  }
  throw reason ?? new NotModelled('The class is not described.');
}

type Rounds = ReadonlyMap<string, number>;
const noRounds: Rounds = new Map();

class Evaluation {
  readonly #leaf: Leaf;
  readonly #settings: Settings;
  readonly #given: ReadonlySet<string>;
  readonly #zero: ReadonlySet<string>;
  readonly #fixed: ReadonlySet<string>;
  readonly #values = new Map<string, Plain | undefined>();
  readonly #children = new Map<string, Settings>();

  constructor(leaf: Leaf, settings: Settings) {
    this.#leaf = leaf;
    this.#settings = settings;
    this.#given = new Set(leaf.given);
    this.#zero = new Set(leaf.zero);
    this.#fixed = new Set(leaf.fixed);
  }

  /** Why the leaf does not hold; undefined where it does. */
  refusal(): NotModelled | undefined {
    try {
      this.#check(this.#settings, '');
      for (const premise of this.#leaf.premises) this.#demand(premise);
      return undefined;
    } catch (error) {
      if (error instanceof NotModelled) return error;
      throw error;
    }
  }

  /**
   * Settings that are null by default change what is built as soon as they are given: a leaf holds for those that it was derived with.
   * What the code was followed with and never looked at makes no difference.
   */
  #check(settings: Settings, prefix: string): void {
    for (const [name, fallback] of settings.family.fields) {
      const path = prefix + name;
      if (isImmaterial(path)) {
        settings.read.add(name);
        continue;
      }
      if (fallback === null && !isHarmless(name) && settings.has(name) !== this.#given.has(path))
        throw new NotModelled(`${path} is ${this.#given.has(path) ? 'not ' : ''}given.`);
      if (!this.#fixed.has(path) && (fallback !== null || this.#given.has(path))) settings.read.add(name);
    }
    // A mapping was followed with the keys that it has by default: others may be asked for, too.
    for (const [path, known] of Object.entries(this.#leaf.defaults)) {
      if (!isMapping(known) || !path.startsWith(prefix) || path.slice(prefix.length).includes('.')) continue;
      const written = this.#value(path, noRounds);
      const strange = isMapping(written)
        ? Object.keys(written).find((key) => !Object.hasOwn(known, key) && !isHarmless(key) && !isImmaterial(key))
        : undefined;
      if (strange !== undefined) throw new NotModelled(`What ${path}.${strange} does to the layers is not known.`);
    }
    // What a class keeps without declaring it was followed, too; names of stages are made from their number.
    for (const path of [...Object.keys(this.#leaf.defaults), `${prefix}stage_names`])
      if (path.startsWith(prefix) && !path.slice(prefix.length).includes('.') && !this.#fixed.has(path))
        settings.read.add(path.slice(prefix.length));
    for (const [path, type] of Object.entries(this.#leaf.types)) {
      if (!path.startsWith(prefix) || path.slice(prefix.length).includes('.')) continue;
      if (type === '') continue;
      const child = this.#child(path);
      if (child.family.modelType !== type) throw new NotModelled(`${path} is of type ${child.family.modelType}.`);
      this.#check(child, `${path}.`);
    }
  }

  build(node: Node, scope: Scope, rounds: Rounds): void {
    for (const member of node) {
      if ('t' in member) {
        const [name, shape, tied] = member.t;
        const sizes = shape.map((size) => this.#number(size, rounds));
        scope.weight(name, sizes, { tied: tied !== undefined, mayBeEmpty: true });
      } else if ('m' in member) this.build(member.n, scope.at(member.m), rounds);
      else {
        const count = this.#number(member.count, rounds);
        if (count < 0 || count > maximumRounds) throw new NotModelled(`${count} layers.`);
        const round = `i${rounds.size}`;
        const prefix = member.prefix ?? '';
        const chosen = Array.from({ length: count }, (_, i) => {
          const within = new Map(rounds).set(round, i);
          const variant = member.v.find(({ w }) => w.every((premise) => this.#holds(premise, within)));
          if (variant === undefined) throw new NotModelled(`What module ${i + member.offset} of a list is made of is not known.`);
          // Rounds of a variant that does not ask which one it is are alike, and a number that is a name of its own is folded.
          return { within, node: variant.n, varies: asksFor(variant.n, round) || !(prefix === '' || prefix.endsWith('.')) };
        });
        const times = new Map<Node, number>();
        for (const { node, varies } of chosen) if (!varies) times.set(node, (times.get(node) ?? 0) + 1);
        for (const [i, { within, node, varies }] of chosen.entries()) {
          const count = varies ? 1 : (times.get(node) ?? 0);
          times.set(node, 0);
          if (count > 0) this.build(node, scope.at(`${prefix}${i + member.offset}`, count), within);
        }
      }
    }
  }

  #demand(premise: Premise): void {
    if (this.#holds(premise, noRounds)) return;
    const [kind, left, right] = premise;
    throw new NotModelled(
      kind === 'is'
        ? `${left} is not ${String(right)}.`
        : kind === 'length'
          ? `${left} has not ${right} items.`
          : `${left} ${kind} ${right} does not hold.`,
    );
  }

  #holds(premise: Premise, rounds: Rounds): boolean {
    const [kind, left, right] = premise;
    if (kind === 'is') return left.endsWith('.model_type') || this.#value(left, rounds) === right;
    if (kind === 'length') {
      const value = this.#value(left, rounds);
      return isList(value) && value.length === right;
    }
    const [a, b] = [this.#number(left, rounds), this.#number(right, rounds)];
    switch (kind) {
      case '==':
        return a === b;
      case '!=':
        return a !== b;
      case '<':
        return a < b;
      case '<=':
        return a <= b;
      case '>':
        return a > b;
      default:
        return a >= b;
    }
  }

  #number(text: string, rounds: Rounds): number {
    if (/^\d+$/.test(text)) return Number(text);
    const value = evaluate(dimOf(text), ({ name }) => rounds.get(name) ?? this.#size(name, rounds));
    if (value === undefined) throw new NotModelled(`${text} is no whole number.`);
    return value;
  }

  #size(path: string, rounds: Rounds): number {
    const value = path === 'num_labels' ? labels(this.#settings) : this.#value(path, rounds);
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw new NotModelled(`${path} is no whole number.`);
    if (value < (this.#zero.has(path) ? 0 : 1)) throw new NotModelled(`${path} is ${value}.`);
    return value;
  }

  /** What a path names: a setting, one of a nested configuration, an item of a list. */
  #value(path: string, rounds: Rounds): Plain | undefined {
    const isVarying = /\.i\d+/.test(path);
    if (!isVarying && this.#values.has(path)) return this.#values.get(path);
    const value = this.#lookUp(path, rounds);
    if (!isVarying) this.#values.set(path, value);
    return value;
  }

  #lookUp(path: string, rounds: Rounds): Plain | undefined {
    const at = path.lastIndexOf('.');
    const [parent, name] = [path.slice(0, Math.max(at, 0)), path.slice(at + 1)];
    if (at < 0 || (this.#leaf.types[parent] ?? '') !== '')
      return (at < 0 ? this.#settings : this.#child(parent)).plain(name) ?? this.#leaf.defaults[path];
    const holder = this.#value(parent, rounds);
    const index = /^__(\d+)$/.exec(name)?.[1] ?? rounds.get(name);
    if (isList(holder)) return index === undefined ? undefined : holder[Number(index)];
    if (!isMapping(holder)) return undefined;
    const found = holder[name];
    const fallback = this.#leaf.types[parent] === '' ? this.#leaf.defaults[parent] : undefined;
    return found === undefined && isMapping(fallback) ? fallback[name] : found;
  }

  #child(path: string): Settings {
    const known = this.#children.get(path);
    if (known !== undefined) return known;
    const at = path.lastIndexOf('.');
    const child = (at < 0 ? this.#settings : this.#child(path.slice(0, at))).child(path.slice(at + 1), this.#leaf.types[path]);
    this.#children.set(path, child);
    return child;
  }
}

const asking = new WeakMap<Node, Map<string, boolean>>();

/** Whether a size or premise of a node names a loop's round. */
function asksFor(node: Node, round: string): boolean {
  let rounds = asking.get(node);
  if (rounds === undefined) {
    rounds = new Map();
    asking.set(node, rounds);
  }
  let found = rounds.get(round);
  if (found === undefined) {
    found = new RegExp(`\\b${round}\\b`).test(JSON.stringify(node));
    rounds.set(round, found);
  }
  return found;
}

const isList = (value: Plain | undefined): value is readonly Plain[] => Array.isArray(value);
const isMapping = (value: Plain | undefined): value is { readonly [key: string]: Plain } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
