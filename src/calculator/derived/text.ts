/**
 * Records as lines of text: modules and premises that occur more than once are written once, and read when they are asked for.
 *
 * Numbers are written so that what is built alike reads alike, for the text is packed: a node that stands not far before the one that
 * holds it by its distance, below 0, and of a list of premises each number after the first by what it is more than the one before.
 */
import type { Leaf, Member, Node, Premise } from './record.ts';

/** `[name, 'size|size', 1 if tied]`, `[name, node]` or `[count, offset, [[premises, node], ...], prefix]`; nodes and premises by number. */
type Written =
  | readonly [string, string]
  | readonly [string, string, 1]
  | readonly [string, number]
  | readonly [string, number, readonly WrittenVariant[], string?];

type WrittenVariant = readonly [premises: readonly number[], node: number];

type WrittenLeaf = Partial<Omit<Leaf, 'node' | 'premises'>> & { readonly p: readonly number[]; readonly n: number };

/** How many lines back a node may stand that is written by its distance. */
const near = 200;

const toSteps = (numbers: readonly number[]): readonly number[] => numbers.map((number, i) => number - (numbers[i - 1] ?? 0));

function fromSteps(steps: readonly number[]): readonly number[] {
  let sum = 0;
  return steps.map((step) => {
    sum += step;
    return sum;
  });
}

/** Distinct lines, each by its number. */
class Lines<T> {
  readonly all: string[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #write: (value: T, number: number) => unknown;

  /** @param write what is put down for a value, at the number it gets */
  constructor(write: (value: T, number: number) => unknown = (value) => value) {
    this.#write = write;
  }

  numberOf(value: T): number {
    const key = JSON.stringify(value);
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const number = this.all.length;
    this.#numbers.set(key, number);
    this.all.push(JSON.stringify(this.#write(value, number)));
    return number;
  }
}

/** A node's members as they are written at a number. */
function placed(members: readonly Written[], at: number): readonly Written[] {
  const from = (node: number): number => (at - node < near ? node - at : node);
  return members.map((written): Written => {
    if (typeof written[1] === 'string') return written;
    if (written.length === 2) return [written[0], from(written[1])];
    const [count, offset, variants, ...prefix] = written as readonly [string, number, readonly WrittenVariant[], string?];
    return [count, offset, variants.map(([premises, node]): WrittenVariant => [toSteps(premises), from(node)]), ...prefix];
  });
}

/** Collects nodes and premises; equal ones get the same number. */
export class NodeWriter {
  readonly #nodes = new Lines(placed);
  readonly #premises = new Lines<Premise>();

  get lines(): readonly string[] {
    return this.#nodes.all;
  }

  get premises(): readonly string[] {
    return this.#premises.all;
  }

  #premise(premise: Premise): number {
    return this.#premises.numberOf(premise);
  }

  add(node: Node): number {
    const written: readonly Written[] = node.map((member): Written => {
      if ('t' in member) {
        const [name, shape, tied] = member.t;
        return tied === undefined ? [name, shape.join('|')] : [name, shape.join('|'), 1];
      }
      if ('m' in member) return [member.m, this.add(member.n)];
      const variants = member.v.map(({ w, n }): WrittenVariant => [w.map((each) => this.#premise(each)), this.add(n)]);
      return member.prefix === undefined ? [member.count, member.offset, variants] : [member.count, member.offset, variants, member.prefix];
    });
    return this.#nodes.numberOf(written);
  }

  leaf(leaf: Leaf): string {
    const { node, given, zero, types, defaults, fixed, premises } = leaf;
    const written: WrittenLeaf = {
      ...(given.length > 0 ? { given } : {}),
      ...(zero.length > 0 ? { zero } : {}),
      ...(Object.keys(types).length > 0 ? { types } : {}),
      ...(Object.keys(defaults).length > 0 ? { defaults } : {}),
      ...(fixed.length > 0 ? { fixed } : {}),
      p: toSteps(premises.map((each) => this.#premise(each))),
      n: this.add(node),
    };
    return JSON.stringify(written);
  }
}

/** Reads what a `NodeWriter` wrote; each node once. */
export class NodeReader {
  readonly #lines: readonly string[];
  readonly #premises: readonly string[];
  readonly #nodes = new Map<number, Node>();

  constructor(lines: readonly string[], premises: readonly string[]) {
    this.#lines = lines;
    this.#premises = premises;
  }

  #premise(number: number): Premise {
    return JSON.parse(this.#premises[number] ?? '') as Premise;
  }

  node(number: number): Node {
    const known = this.#nodes.get(number);
    if (known !== undefined) return known;
    const held = (written: number): Node => this.node(written < 0 ? number + written : written);
    const node = (JSON.parse(this.#lines[number] ?? '[]') as readonly Written[]).map((written): Member => {
      if (typeof written[1] === 'string') {
        const [name, shape, tied] = written as readonly [string, string, 1?];
        const sizes = shape === '' ? [] : shape.split('|');
        return { t: tied === undefined ? [name, sizes] : [name, sizes, tied] };
      }
      if (written.length === 2) return { m: written[0], n: held(written[1]) };
      const [count, offset, variants, prefix] = written as readonly [string, number, readonly WrittenVariant[], string?];
      const v = variants.map(([w, n]) => ({ w: fromSteps(w).map((each) => this.#premise(each)), n: held(n) }));
      return prefix === undefined ? { count, offset, v } : { count, offset, v, prefix };
    });
    this.#nodes.set(number, node);
    return node;
  }

  leaf(text: string): Leaf {
    const { n, p, ...written } = JSON.parse(text) as WrittenLeaf;
    const premises = fromSteps(p).map((each) => this.#premise(each));
    return { given: [], zero: [], types: {}, defaults: {}, fixed: [], ...written, premises, node: this.node(n) };
  }
}
