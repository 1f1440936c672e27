/** Exports of the AssemblyScript module (assembly/index.ts; each is described where it stands). Addresses in bytes. */
interface Exports {
  readonly memory: WebAssembly.Memory;
  rowTile(): number;
  packRows(source: number, rows: number, depth: number, stride: number, target: number, factor: number): void;
  packColumns(source: number, depth: number, columns: number, target: number): void;
  packValues(source: number, depth: number, columns: number, target: number): void;
  largestNorm(source: number, rows: number, depth: number): number;
  allModest(source: number, count: number): number;
  attendBlock(
    query: number,
    rows: number,
    keys: number,
    values: number,
    valueRoom: number,
    keyLength: number,
    headDim: number,
    valueDim: number,
    reach: number,
    cap: number,
    sink: number,
    lows: number,
    highs: number,
    bias: number,
    biasStride: number,
    ranges: number,
    packed: number,
    scores: number,
    columns: number,
    inverses: number,
    weights: number,
    output: number,
    plainValues: number,
  ): void;
  measureRows(
    weights: number,
    rows: number,
    padded: number,
    keyLength: number,
    lows: number,
    highs: number,
    position: number,
    sums: number,
  ): void;
  poolRows(
    weights: number,
    rows: number,
    padded: number,
    lows: number,
    highs: number,
    bounds: number,
    columns: number,
    tiles: number,
    maximum: number,
    sum: number,
    columnSums: number,
    rowSums: number,
  ): void;
  multiplyBlock(
    left: number,
    rows: number,
    depth: number,
    right: number,
    columns: number,
    product: number,
    height: number,
    accumulate: number,
  ): void;
  finishProduct(
    product: number,
    height: number,
    row: number,
    rows: number,
    columns: number,
    bias: number,
    target: number,
    headWidth: number,
  ): void;
  closeRows(matrix: number, rows: number, width: number, padded: number): void;
}

const PAGE = 65536;

export const roundUp = (value: number, step: number): number => Math.ceil(value / step) * step;

/** One instance of the kernel and the layout of its memory for one run. */
export class Machine {
  readonly exports: Exports;
  readonly rowTile: number;
  #first = 1024;
  #next = 0;

  constructor(module: WebAssembly.Module) {
    this.exports = new WebAssembly.Instance(module, {}).exports as unknown as Exports;
    this.rowTile = this.exports.rowTile();
  }

  /** Starts a run: everything taken before is free again. The first 1 KiB stays unused so that no tensor has address 0. */
  reset(): void {
    this.#next = this.#first;
  }

  /** What was taken so far stays for good. */
  keep(): void {
    this.#first = this.#next;
  }

  /** Reserves room for `count` numbers of 4 bytes and returns its address, a multiple of 64. */
  take(count: number): number {
    const address = this.#next;
    this.#next = roundUp(address + count * 4, 64);
    return address;
  }

  /** Makes the memory large enough for all that was taken. Call before touching it. */
  commit(): void {
    const { memory } = this.exports;
    // Panels are read a register at a time, so the last one may be read a little past its end.
    const missing = this.#next + 64 - memory.buffer.byteLength;
    if (missing <= 0) return;
    try {
      memory.grow(Math.ceil(missing / PAGE));
    } catch {
      throw new RangeError(`This problem needs ${Math.ceil(this.#next / 2 ** 20)} MiB at once, more than WebAssembly can have here.`);
    }
  }

  write(address: number, numbers: Float32Array | Int32Array): void {
    const { buffer } = this.exports.memory;
    if (numbers instanceof Int32Array) new Int32Array(buffer, address, numbers.length).set(numbers);
    else new Float32Array(buffer, address, numbers.length).set(numbers);
  }

  view(address: number, count: number): Float32Array {
    return new Float32Array(this.exports.memory.buffer, address, count);
  }

  doubles(address: number, count: number): Float64Array {
    return new Float64Array(this.exports.memory.buffer, address, count);
  }

  get bytes(): number {
    return this.exports.memory.buffer.byteLength;
  }
}
