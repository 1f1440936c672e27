import type {
  AttentionInput,
  AttentionOptions,
  AttentionProblem,
  AttentionResult,
  HeadStatistics,
  Kernel,
  KernelName,
  MatrixProblem,
  PooledWeights,
} from './interface.ts';
import { multiHeadAttention } from './multi-head.ts';
import { checkInput, checkMatrix, planeOffset, type ResolvedProblem, resolveProblem } from './problem.ts';
import { createReferenceKernel } from './reference.ts';
import { averagePool, emptyPool, tileOf } from './statistics.ts';

/** Bytes of the compiled kernels (dist/kernel); what is absent or cannot run here is passed over. */
export interface KernelBinaries {
  /** attention-relaxed.wasm */
  readonly relaxed?: BufferSource;
  /** attention.wasm */
  readonly simd?: BufferSource;
}

/** Exports of the AssemblyScript module (assembly/attention.ts, where each is described). Addresses in bytes. */
interface Exports {
  readonly memory: WebAssembly.Memory;
  rowTile(): number;
  packTransposed(source: number, rows: number, depth: number, target: number): void;
  packColumns(source: number, depth: number, columns: number, target: number): void;
  allFinite(source: number, count: number): number;
  attendRows(
    query: number,
    rows: number,
    keys: number,
    values: number,
    keyLength: number,
    headDim: number,
    valueDim: number,
    scale: number,
    cap: number,
    sink: number,
    lows: number,
    highs: number,
    bias: number,
    biasStride: number,
    packed: number,
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
  ): void;
  multiplyRows(left: number, rows: number, depth: number, right: number, columns: number, packed: number, product: number): void;
  finishRows(matrix: number, rows: number, width: number, padded: number, bias: number): void;
}

const PAGE = 65536;
/** Rows computed per call: a multiple of both tile heights (5 and 6), small enough for the block's scores to stay in cache. */
const ATTENTION_ROWS = 60;
const MATRIX_ROWS = 240;
/** Must equal DEPTH_BLOCK in assembly/attention.ts. */
const DEPTH_BLOCK = 256;
/** Sums that measureRows keeps (assembly/statistics.ts). */
const STATISTIC_SUMS = 9;
/** A memory grown beyond this is given up after the run: WebAssembly memory never shrinks. */
const KEPT_BYTES = 16 * 1024 * 1024;

const roundUp = (value: number, step: number): number => Math.ceil(value / step) * step;

/** One instance of the kernel and the layout of its memory for one run. */
class Machine {
  readonly exports: Exports;
  readonly rowTile: number;
  #next = 0;

  constructor(module: WebAssembly.Module) {
    this.exports = new WebAssembly.Instance(module, {}).exports as unknown as Exports;
    this.rowTile = this.exports.rowTile();
  }

  /** Starts a run: everything taken before is free again. The first 1 KiB stays unused so that no tensor has address 0. */
  reset(): void {
    this.#next = 1024;
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

/** Kernel on a compiled module. Instances are made when needed and dropped when they grew large. */
class WasmKernel implements Kernel {
  readonly name: KernelName;
  readonly #module: WebAssembly.Module;
  #machine: Machine | undefined;

  constructor(name: KernelName, module: WebAssembly.Module) {
    this.name = name;
    this.#module = module;
  }

  #run<T>(compute: (machine: Machine) => T): T {
    this.#machine ??= new Machine(this.#module);
    const machine = this.#machine;
    machine.reset();
    try {
      return compute(machine);
    } catch (error) {
      this.#machine = undefined;
      throw error;
    } finally {
      if (machine.bytes > KEPT_BYTES) this.#machine = undefined;
    }
  }

  attention(problem: AttentionProblem, input: AttentionInput, options: AttentionOptions = {}): AttentionResult {
    const resolved = resolveProblem(problem);
    checkInput(resolved, input);
    return this.#run((machine) => attend(machine, resolved, input, options));
  }

  matrixMultiply(problem: MatrixProblem, left: Float32Array, right: Float32Array, bias?: Float32Array): Float32Array {
    checkMatrix(problem, left, right, bias);
    return this.#run((machine) => multiply(machine, problem, left, right, bias));
  }

  multiHeadAttention(...[problem, input, options]: Parameters<Kernel['multiHeadAttention']>): ReturnType<Kernel['multiHeadAttention']> {
    return multiHeadAttention(this, problem, input, options);
  }
}

function attend(machine: Machine, resolved: ResolvedProblem, input: AttentionInput, options: AttentionOptions): AttentionResult {
  const pooled = emptyPool(resolved, options);
  const statistics: HeadStatistics[] = [];
  const { queryHeads, keyValueHeads, group, queryLength, keyLength, headDim, valueDim } = resolved;
  const { exports, rowTile } = machine;
  const wantWeights = options.weights !== false;
  const blockRows = Math.min(queryLength, ATTENTION_ROWS);
  const tileRows = roundUp(blockRows, rowTile);
  const paddedKeys = roundUp(keyLength, 8);
  const paddedValues = roundUp(valueDim, 8);
  const masked = resolved.boolean.length + resolved.additive.length > 0;
  const distances = queryLength + keyLength - 1;

  const query = machine.take(queryLength * headDim);
  const keys = machine.take(keyLength * headDim);
  const values = machine.take(keyLength * valueDim);
  const packedKeys = machine.take(paddedKeys * headDim);
  const packedValues = machine.take(paddedValues * keyLength);
  const lows = machine.take(queryLength);
  const highs = machine.take(queryLength);
  const packed = machine.take(tileRows * Math.max(headDim, DEPTH_BLOCK));
  const weights = machine.take(tileRows * paddedKeys);
  const output = machine.take(tileRows * paddedValues);
  const bias = masked ? machine.take(blockRows * keyLength) : resolved.relativeBias === undefined ? 0 : machine.take(distances);
  const sums = machine.take(2 * STATISTIC_SUMS);
  const pool = pooled === undefined ? undefined : takePool(machine, resolved, pooled);
  machine.commit();
  if (pool !== undefined) machine.write(pool.bounds, pool.boundaries);
  if (pool !== undefined) machine.write(pool.tiles, pool.rowTiles);
  machine.write(lows, resolved.lows);
  machine.write(highs, resolved.highs);

  const allOutput = new Float32Array(queryHeads * queryLength * valueDim);
  const allWeights = wantWeights ? new Float32Array(queryHeads * queryLength * keyLength) : undefined;
  for (let shared = 0; shared < keyValueHeads; shared++) {
    machine.write(keys, input.key.subarray(shared * keyLength * headDim, (shared + 1) * keyLength * headDim));
    machine.write(values, input.value.subarray(shared * keyLength * valueDim, (shared + 1) * keyLength * valueDim));
    exports.packTransposed(keys, keyLength, headDim, packedKeys);
    exports.packColumns(values, keyLength, valueDim, packedValues);
    const finite = exports.allFinite(values, keyLength * valueDim) !== 0;
    for (let head = shared * group; head < (shared + 1) * group; head++) {
      machine.write(query, input.query.subarray(head * queryLength * headDim, (head + 1) * queryLength * headDim));
      machine.view(sums, 2 * STATISTIC_SUMS).fill(0);
      if (pool !== undefined) machine.view(pool.maximum, pool.numbers).fill(0);
      if (!masked && resolved.relativeBias !== undefined) {
        machine.write(bias, resolved.relativeBias.subarray(head * distances, (head + 1) * distances));
      }
      for (let row = 0; row < queryLength; row += blockRows) {
        const rows = Math.min(blockRows, queryLength - row);
        let blockBias = 0;
        let biasStride = 0;
        if (masked) {
          fillBias(resolved, head, row, rows, machine.view(bias, rows * keyLength));
          blockBias = bias;
          biasStride = keyLength;
        } else if (resolved.relativeBias !== undefined) {
          // Row i reads the table from index queryLength - 1 - i: each next row one number earlier.
          blockBias = bias + (queryLength - 1 - row) * 4;
          biasStride = -1;
        }
        exports.attendRows(
          query + row * headDim * 4,
          rows,
          packedKeys,
          packedValues,
          keyLength,
          headDim,
          valueDim,
          resolved.scale,
          resolved.softcap ?? 0,
          resolved.sinks?.[head] ?? Number.NEGATIVE_INFINITY,
          lows + row * 4,
          highs + row * 4,
          blockBias,
          biasStride,
          packed,
          weights,
          output,
          finite ? 0 : values,
        );
        if (paddedValues !== valueDim) exports.finishRows(output, rows, valueDim, paddedValues, 0);
        allOutput.set(machine.view(output, rows * valueDim), (head * queryLength + row) * valueDim);
        if (options.statistics === true) {
          exports.measureRows(weights, rows, paddedKeys, keyLength, lows + row * 4, highs + row * 4, row + resolved.offset, sums);
        }
        if (pool !== undefined) {
          exports.poolRows(
            weights,
            rows,
            paddedKeys,
            lows + row * 4,
            highs + row * 4,
            pool.bounds,
            pool.columns,
            pool.tiles + row * 4,
            pool.maximum,
            pool.sum,
            pool.columnSums,
          );
        }
        if (allWeights === undefined) continue;
        if (paddedKeys !== keyLength) exports.finishRows(weights, rows, keyLength, paddedKeys, 0);
        allWeights.set(machine.view(weights, rows * keyLength), (head * queryLength + row) * keyLength);
      }
      if (pool !== undefined && pooled !== undefined) {
        pooled.maximum.set(machine.view(pool.maximum, pool.cells), head * pool.cells);
        pooled.mean.set(machine.view(pool.sum, pool.cells), head * pool.cells);
        pooled.columnSums.set(machine.view(pool.columnSums, keyLength), head * keyLength);
      }
      if (options.statistics === true) statistics.push(headStatistics(machine.doubles(sums, STATISTIC_SUMS)));
      options.progress?.(head + 1, queryHeads);
    }
  }
  if (pooled !== undefined) averagePool(resolved, pooled);
  return {
    output: allOutput,
    ...(allWeights === undefined ? {} : { weights: allWeights }),
    ...(pooled === undefined ? {} : { pooled }),
    ...(options.statistics === true ? { statistics } : {}),
  };
}

/** Room for one head's pooled maps, and which tile every row and key belongs to. */
function takePool(machine: Machine, resolved: ResolvedProblem, pooled: PooledWeights) {
  const { queryLength, keyLength } = resolved;
  const { rows, columns } = pooled;
  const cells = rows * columns;
  const boundaries = new Int32Array(columns + 1).fill(keyLength);
  for (let key = keyLength - 1; key >= 0; key--) boundaries[tileOf(key, columns, keyLength)] = key;
  const rowTiles = Int32Array.from({ length: queryLength }, (_, row) => tileOf(row, rows, queryLength));
  const bounds = machine.take(columns + 1);
  const tiles = machine.take(queryLength);
  const numbers = 2 * cells + keyLength;
  const maximum = machine.take(numbers);
  return {
    columns,
    cells,
    boundaries,
    rowTiles,
    bounds,
    tiles,
    numbers,
    maximum,
    sum: maximum + cells * 4,
    columnSums: maximum + 2 * cells * 4,
  };
}

function headStatistics(sums: Float64Array): HeadStatistics {
  const [rows = 0, previousRows = 0, entropy = 0, maximum = 0, distance = 0, first = 0, previous = 0, self = 0, span = 0] = sums;
  const mean = (sum: number, count: number): number => (count === 0 ? 0 : sum / count);
  return {
    entropy: mean(entropy, rows),
    maximum,
    distance: mean(distance, rows),
    first: mean(first, rows),
    previous: mean(previous, previousRows),
    self: mean(self, rows),
    span: mean(span, rows),
  };
}

/** The sum of all masks that are no ranges, and of the relative bias, for a block of rows: -infinity hides. */
function fillBias(resolved: ResolvedProblem, head: number, row: number, rows: number, target: Float32Array): void {
  const { queryLength, keyLength, relativeBias } = resolved;
  const count = rows * keyLength;
  target.fill(0);
  if (relativeBias !== undefined) {
    const distances = queryLength + keyLength - 1;
    for (let i = 0; i < rows; i++) {
      const from = head * distances + queryLength - 1 - (row + i);
      target.set(relativeBias.subarray(from, from + keyLength), i * keyLength);
    }
  }
  for (const mask of resolved.additive) {
    const from = planeOffset(resolved, mask, head) + row * keyLength;
    for (let cell = 0; cell < count; cell++) {
      const bias = mask[from + cell] as number;
      // Once hidden stays hidden, whatever another mask adds.
      target[cell] =
        bias === Number.NEGATIVE_INFINITY || target[cell] === Number.NEGATIVE_INFINITY
          ? Number.NEGATIVE_INFINITY
          : (target[cell] as number) + bias;
    }
  }
  for (const mask of resolved.boolean) {
    const from = planeOffset(resolved, mask, head) + row * keyLength;
    for (let cell = 0; cell < count; cell++) if (mask[from + cell] === 0) target[cell] = Number.NEGATIVE_INFINITY;
  }
}

function multiply(machine: Machine, problem: MatrixProblem, left: Float32Array, right: Float32Array, bias?: Float32Array): Float32Array {
  const { rows, depth, columns } = problem;
  const { exports, rowTile } = machine;
  const blockRows = Math.min(rows, MATRIX_ROWS);
  const tileRows = roundUp(blockRows, rowTile);
  const padded = roundUp(columns, 8);
  const leftAt = machine.take(blockRows * depth);
  const rightAt = machine.take(depth * columns);
  const packedRight = machine.take(padded * depth);
  const packed = machine.take(tileRows * DEPTH_BLOCK);
  const productAt = machine.take(tileRows * padded);
  const biasAt = bias === undefined ? 0 : machine.take(columns);
  machine.commit();
  machine.write(rightAt, right);
  if (bias !== undefined) machine.write(biasAt, bias);
  exports.packColumns(rightAt, depth, columns, packedRight);
  const product = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row += blockRows) {
    const count = Math.min(blockRows, rows - row);
    machine.write(leftAt, left.subarray(row * depth, (row + count) * depth));
    exports.multiplyRows(leftAt, count, depth, packedRight, columns, packed, productAt);
    if (padded !== columns || bias !== undefined) exports.finishRows(productAt, count, columns, padded, biasAt);
    product.set(machine.view(productAt, count * columns), row * columns);
  }
  return product;
}

/** The fastest kernel that runs here: relaxed SIMD, SIMD128, else the TypeScript reference. Never rejects. */
export async function loadKernel(binaries: KernelBinaries): Promise<Kernel> {
  const candidates: readonly (readonly [KernelName, BufferSource | undefined])[] = [
    ['wasm-relaxed-simd', binaries.relaxed],
    ['wasm-simd', binaries.simd],
  ];
  for (const [name, bytes] of candidates) {
    try {
      if (bytes === undefined || typeof WebAssembly === 'undefined' || !WebAssembly.validate(bytes)) continue;
      return new WasmKernel(name, await WebAssembly.compile(bytes));
    } catch {
      // Compiling can be forbidden (a content security policy without wasm-unsafe-eval): the next one, in the end the reference.
    }
  }
  return createReferenceKernel();
}
