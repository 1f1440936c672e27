import { attend } from './attend.ts';
import type { AttentionCache, AttentionInput, CacheProblem, Kernel } from './interface.ts';
import { Machine, roundUp } from './machine.ts';
import { checkHeads, checkShape, positiveInteger, resolveProblem } from './problem.ts';
import { finish } from './steps.ts';

/** Tokens that a new cache has room for; it doubles when it is full. */
const FIRST_ROOM = 32;
/** Values beyond this may not be summed up before they are scaled (assembly/pack.ts, allModest). */
const MODEST = 3e30;
const nothing = new Float32Array(0);

interface CacheSizes {
  readonly queryHeads: number;
  readonly keyValueHeads: number;
  readonly headDim: number;
  readonly valueDim: number;
}

function cacheSizes(problem: CacheProblem): CacheSizes {
  const { queryHeads, keyValueHeads = queryHeads, headDim, valueDim = headDim } = problem;
  checkHeads(queryHeads, keyValueHeads);
  return { queryHeads, keyValueHeads, headDim: positiveInteger('headDim', headDim), valueDim: positiveInteger('valueDim', valueDim) };
}

/** Rows of `width` numbers per head, one more per token; room doubles when it runs out. */
class Rows {
  #rows: Float32Array;
  #room = FIRST_ROOM;
  readonly #heads: number;
  readonly #width: number;

  constructor(heads: number, width: number) {
    this.#heads = heads;
    this.#width = width;
    this.#rows = new Float32Array(heads * this.#room * width);
  }

  /** Adds a row per head. @param rows [heads, width] */
  push(rows: Float32Array, length: number): void {
    const width = this.#width;
    if (length === this.#room) {
      const old = this.#rows;
      const from = this.#room * width;
      this.#room *= 2;
      this.#rows = new Float32Array(this.#heads * this.#room * width);
      for (let head = 0; head < this.#heads; head++) {
        this.#rows.set(old.subarray(head * from, (head + 1) * from), head * this.#room * width);
      }
    }
    for (let head = 0; head < this.#heads; head++) {
      this.#rows.set(rows.subarray(head * width, (head + 1) * width), (head * this.#room + length) * width);
    }
  }

  /** [heads, length, width] */
  read(length: number): Float32Array {
    const tight = new Float32Array(this.#heads * length * this.#width);
    for (let head = 0; head < this.#heads; head++) {
      const from = head * this.#room * this.#width;
      tight.set(this.#rows.subarray(from, from + length * this.#width), head * length * this.#width);
    }
    return tight;
  }
}

/** A cache that hands its keys and values to a kernel as they are, each time. */
export function createPlainCache(kernel: Pick<Kernel, 'attention'>, problem: CacheProblem): AttentionCache {
  const { queryHeads, keyValueHeads, headDim, valueDim } = cacheSizes(problem);
  const keys = new Rows(keyValueHeads, headDim);
  const values = new Rows(keyValueHeads, valueDim);
  let length = 0;
  return {
    get length() {
      return length;
    },
    key: (tokens = length) => keys.read(tokens),
    value: (tokens = length) => values.read(tokens),
    append(key, value) {
      checkShape('key', key, { keyValueHeads, headDim });
      checkShape('value', value, { keyValueHeads, valueDim });
      keys.push(key, length);
      values.push(value, length);
      length++;
    },
    attention: (rules, query, options) =>
      kernel.attention(
        { ...rules, scale: problem.scale, queryHeads, keyValueHeads, headDim, valueDim, keyLength: length },
        { query, key: keys.read(length), value: values.read(length) },
        options,
      ),
  };
}

/** Where keys and values stand in a machine of their own. */
class Packed {
  readonly machine: Machine;
  readonly room: number;
  readonly #keys: number;
  readonly #values: number;
  readonly #token: number;
  readonly #norms: number[];
  readonly #keyNumbers: number;
  readonly #valueNumbers: number;
  readonly #sizes: CacheSizes;

  constructor(module: WebAssembly.Module, sizes: CacheSizes, room: number) {
    this.#sizes = sizes;
    this.machine = new Machine(module);
    this.room = roundUp(room, this.machine.rowTile);
    this.#keyNumbers = this.room * sizes.headDim;
    this.#valueNumbers = roundUp(sizes.valueDim, this.machine.rowTile) * this.room;
    this.machine.reset();
    this.#keys = this.machine.take(sizes.keyValueHeads * this.#keyNumbers);
    this.#values = this.machine.take(sizes.keyValueHeads * this.#valueNumbers);
    this.#token = this.machine.take(sizes.headDim);
    this.#norms = new Array(sizes.keyValueHeads).fill(0);
    this.machine.keep();
    this.machine.commit();
  }

  keys(head: number): number {
    return this.#keys + head * this.#keyNumbers * 4;
  }

  values(head: number): number {
    return this.#values + head * this.#valueNumbers * 4;
  }

  norm(head: number): number {
    return this.#norms[head] as number;
  }

  /** Puts one token's key and value of every head where packRows and packValues would have put them. */
  write(key: Float32Array, value: Float32Array, token: number, factor: number): void {
    const { keyValueHeads, headDim, valueDim } = this.#sizes;
    const tile = this.machine.rowTile;
    const lane = token % tile;
    for (let head = 0; head < keyValueHeads; head++) {
      this.machine.write(this.#token, key.subarray(head * headDim, (head + 1) * headDim));
      this.#norms[head] = Math.max(this.norm(head), this.machine.exports.largestNorm(this.#token, 1, headDim));
      const keys = this.machine.view(this.keys(head), this.#keyNumbers);
      const panel = (token - lane) * headDim + lane;
      for (let k = 0; k < headDim; k++) keys[panel + k * tile] = (key[head * headDim + k] as number) * factor;
      const values = this.machine.view(this.values(head), this.#valueNumbers);
      for (let k = 0; k < valueDim; k++) {
        const row = k % tile;
        values[((k - row) / tile) * this.room * tile + token * tile + row] = value[head * valueDim + k] as number;
      }
    }
  }

  /** Takes over what another holds. */
  copy(other: Packed, tokens: number): void {
    const { keyValueHeads, headDim, valueDim } = this.#sizes;
    const tile = this.machine.rowTile;
    for (let head = 0; head < keyValueHeads; head++) {
      this.#norms[head] = other.norm(head);
      this.machine.write(this.keys(head), other.machine.view(other.keys(head), roundUp(tokens, tile) * headDim));
      for (let panel = 0; panel * tile < valueDim; panel++) {
        const from = other.values(head) + panel * other.room * tile * 4;
        this.machine.write(this.values(head) + panel * this.room * tile * 4, other.machine.view(from, tokens * tile));
      }
    }
  }
}

/** A cache whose keys and values stay packed where the kernel reads them: a token more costs its own key and value only. */
export function createPackedCache(kernel: Pick<Kernel, 'attention'>, module: WebAssembly.Module, problem: CacheProblem): AttentionCache {
  const sizes = cacheSizes(problem);
  const plain = createPlainCache(kernel, problem);
  const scale = problem.scale ?? 1 / Math.sqrt(sizes.headDim);
  const factor = Math.fround(scale * Math.LOG2E);
  let packed = new Packed(module, sizes, FIRST_ROOM);
  let modest = true;
  return {
    get length() {
      return plain.length;
    },
    key: plain.key,
    value: plain.value,
    append(key, value) {
      const token = plain.length;
      plain.append(key, value);
      if (token === packed.room) {
        const larger = new Packed(module, sizes, 2 * token);
        larger.copy(packed, token);
        packed = larger;
      }
      packed.write(key, value, token, factor);
      modest &&= value.every((number) => Math.abs(number) < MODEST);
    },
    attention(rules, query, options = {}) {
      if (!modest) return plain.attention(rules, query, options);
      const resolved = resolveProblem({ ...rules, ...sizes, scale, keyLength: plain.length });
      checkShape('query', query, { queryHeads: sizes.queryHeads, queryLength: resolved.queryLength, headDim: sizes.headDim });
      const input: AttentionInput = { query, key: nothing, value: nothing };
      packed.machine.reset();
      return finish(attend(packed.machine, resolved, input, options, packed));
    },
  };
}
