import type { ComputeResult } from './compute.ts';

/** What is done with first and special tokens: nothing, not drawn, or left out and the rest made to sum to 1. */
export const specialKinds = ['shown', 'hidden', 'renormalised'] as const;

/** How weights are looked at. The picture, its numbers and what is exported all follow it. */
export interface Lens {
  readonly special: (typeof specialKinds)[number];
  /** Of each row only the heaviest keys that hold this much of its weight; 1: all. */
  readonly mass: number;
  /** Weights times the length of the key's value (Kobayashi et al. 2020). */
  readonly valueNorm: boolean;
}

export const plainLens: Lens = { special: 'shown', mass: 1, valueNorm: false };

export const isPlain = ({ special, mass, valueNorm }: Lens): boolean => special === 'shown' && mass >= 1 && !valueNorm;

/** Signs that tokenizers add: [CLS], <s>, <|endoftext|>, ... */
const special = /^(\[[A-Z]+\]|<\/?[a-z]+>|<\|[^|]*\|>)$/;

/** Keys that the first-token filter leaves out: the first, and tokens that a tokenizer added. */
export function specialTokens(tokens: readonly string[]): readonly number[] {
  return tokens.flatMap((token, index) => (index === 0 || special.test(token) ? [index] : []));
}

/** What a result says of weights, seen through a lens; each head's map is made when it is first asked for. */
export class Weights {
  readonly result: ComputeResult;
  readonly lens: Lens;
  readonly #made = new Map<number, Float32Array>();
  #room: number;

  constructor(result: ComputeResult, lens: Lens) {
    this.result = result;
    // Tiles do not say which key in them a weight is of.
    this.lens = result.pooled ? plainLens : lens;
    // Seen maps are kept up to 64 MiB.
    this.#room = Math.max(4, Math.floor(2 ** 24 / (result.size * result.size)));
  }

  get heads(): number {
    return this.result.statistics.length;
  }

  /** [size, size] of a head. */
  map(head: number): Float32Array {
    const { maps, size } = this.result;
    const plain = maps.subarray(head * size * size, (head + 1) * size * size);
    if (isPlain(this.lens)) return plain;
    const known = this.#made.get(head);
    if (known !== undefined) return known;
    const made = throughLens(plain, this.result, head, this.lens);
    if (this.#made.size >= this.#room) this.#made.delete(this.#made.keys().next().value as number);
    this.#made.set(head, made);
    return made;
  }

  at(head: number, row: number, column: number): number {
    return this.map(head)[row * this.result.size + column] ?? 0;
  }

  row(head: number, row: number): Float32Array {
    const { size } = this.result;
    return this.map(head).subarray(row * size, (row + 1) * size);
  }

  /** Mean of the rows of several heads. */
  meanRow(heads: readonly number[], row: number): Float32Array {
    const mean = new Float32Array(this.result.size);
    for (const head of heads)
      for (const [j, weight] of this.row(head, row).entries()) mean[j] = (mean[j] as number) + weight / heads.length;
    return mean;
  }
}

/** The plain weights of one head [size, size] as the lens shows them. */
export function throughLens(plain: Float32Array, result: ComputeResult, head: number, lens: Lens): Float32Array {
  const { size, design, valueNorms, tokens } = result;
  const seen = plain.slice();
  if (lens.valueNorm) {
    const { queryHeads, keyValueHeads } = design;
    const layer = Math.floor(head / queryHeads);
    const shared = layer * keyValueHeads + Math.floor((head % queryHeads) / (queryHeads / keyValueHeads));
    for (let i = 0; i < seen.length; i++) seen[i] = (seen[i] as number) * (valueNorms[shared * tokens.length + (i % size)] as number);
  }
  if (lens.special !== 'shown') {
    const out = specialTokens(tokens);
    for (let row = 0; row < size; row++) {
      let left = 0;
      let whole = 0;
      for (let j = 0; j < size; j++) whole += seen[row * size + j] as number;
      for (const j of out) {
        left += seen[row * size + j] as number;
        seen[row * size + j] = 0;
      }
      // A row that looks at nothing else has no shape of its own to show.
      if (lens.special !== 'renormalised' || whole - left < 1e-6 * whole) continue;
      for (let j = 0; j < size; j++) seen[row * size + j] = ((seen[row * size + j] as number) * whole) / (whole - left);
    }
  }
  if (lens.mass < 1) {
    const order = new Float32Array(size);
    for (let row = 0; row < size; row++) {
      const line = seen.subarray(row * size, (row + 1) * size);
      order.set(line);
      order.sort();
      const whole = line.reduce((sum, weight) => sum + weight, 0);
      let mass = 0;
      let at = size;
      while (at > 0 && mass < lens.mass * whole) mass += order[--at] as number;
      const least = order[at] ?? 0;
      for (let j = 0; j < size; j++) if ((line[j] as number) < least) line[j] = 0;
    }
  }
  return seen;
}

/** Where a weight stands in its row. */
export interface Place {
  /** 1 for the heaviest. */
  readonly rank: number;
  /** Weight of the keys up to this rank, as a part of the row's. */
  readonly cumulative: number;
}

export function placeInRow(row: Float32Array, column: number): Place {
  const weight = row[column] as number;
  let rank = 1;
  let heavier = 0;
  let whole = 0;
  for (const [j, other] of row.entries()) {
    whole += other;
    if (other > weight || (other === weight && j < column)) {
      rank++;
      heavier += other;
    }
  }
  return { rank, cumulative: whole === 0 ? 0 : (heavier + weight) / whole };
}

/** Cosine of two heads' maps, from about a million cells at most. */
export function similarity(a: Float32Array, b: Float32Array): number {
  // A stride without a common factor with the rows' length reaches every column.
  let stride = Math.max(1, Math.floor(a.length / 2 ** 18));
  if (stride > 1 && stride % 2 === 0) stride++;
  let dot = 0;
  let left = 0;
  let right = 0;
  for (let i = 0; i < a.length; i += stride) {
    const [x, y] = [a[i] as number, b[i] as number];
    dot += x * y;
    left += x * x;
    right += y * y;
  }
  return left === 0 || right === 0 ? 0 : dot / Math.sqrt(left * right);
}
