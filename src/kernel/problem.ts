import type { AttentionInput, AttentionMask, AttentionProblem, MatrixProblem } from './interface.ts';

/** An attention problem with every default filled in and its mask taken apart. */
export interface ResolvedProblem {
  readonly queryHeads: number;
  readonly keyValueHeads: number;
  /** Query heads per key/value head. */
  readonly group: number;
  readonly queryLength: number;
  readonly keyLength: number;
  readonly headDim: number;
  readonly valueDim: number;
  readonly scale: number;
  readonly softcap: number | undefined;
  readonly sinks: Float32Array | undefined;
  readonly relativeBias: Float32Array | undefined;
  /** Row i may see keys lows[i] <= j < highs[i] at most. [queryLength] */
  readonly lows: Int32Array;
  readonly highs: Int32Array;
  /** Masks that no range expresses. Each [queryLength, keyLength], or per head. */
  readonly boolean: readonly Uint8Array[];
  readonly additive: readonly Float32Array[];
  /** Position of query 0 among the keys. */
  readonly offset: number;
}

export function positiveInteger(name: string, value: number): number {
  if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`${name} must be a positive integer, got ${value}.`);
  return value;
}

function integer(name: string, value: number): number {
  if (!Number.isSafeInteger(value)) throw new RangeError(`${name} must be an integer, got ${value}.`);
  return value;
}

/** Throws unless `tensor` holds exactly the product of `shape`, given as name and size. */
export function checkShape(name: string, tensor: { readonly length: number }, shape: Readonly<Record<string, number>>): void {
  const sizes = Object.values(shape);
  const expected = sizes.reduce((product, size) => product * size, 1);
  if (tensor.length !== expected) {
    const product = sizes.length > 1 ? ` = ${sizes.join(' * ')}` : '';
    throw new RangeError(`${name} holds ${tensor.length} numbers, expected ${Object.keys(shape).join(' * ')}${product} = ${expected}.`);
  }
}

/** Checks heads that share key/value heads; throws with the remainder when they cannot. */
export function checkHeads(queryHeads: number, keyValueHeads: number): void {
  positiveInteger('queryHeads', queryHeads);
  positiveInteger('keyValueHeads', keyValueHeads);
  const remainder = queryHeads % keyValueHeads;
  if (remainder !== 0) {
    throw new RangeError(
      `${queryHeads} query heads cannot share ${keyValueHeads} key/value heads: ${queryHeads} % ${keyValueHeads} = ${remainder}.`,
    );
  }
}

/** The position of query 0 among the keys that a mask implies. */
export function maskOffset(mask: AttentionMask | undefined): number {
  if (mask === undefined) return 0;
  if (mask.kind === 'all') {
    for (const part of mask.masks) {
      const offset = maskOffset(part);
      if (offset !== 0) return offset;
    }
    return 0;
  }
  return 'offset' in mask ? (mask.offset ?? 0) : 0;
}

/** Fills in defaults and checks every size. Throws RangeError. */
export function resolveProblem(problem: AttentionProblem): ResolvedProblem {
  const queryHeads = problem.queryHeads;
  const keyValueHeads = problem.keyValueHeads ?? queryHeads;
  checkHeads(queryHeads, keyValueHeads);
  const queryLength = positiveInteger('queryLength', problem.queryLength);
  const keyLength = positiveInteger('keyLength', problem.keyLength ?? queryLength);
  const headDim = positiveInteger('headDim', problem.headDim);
  const valueDim = positiveInteger('valueDim', problem.valueDim ?? headDim);
  const scale = problem.scale ?? 1 / Math.sqrt(headDim);
  if (!Number.isFinite(scale)) throw new RangeError(`scale must be a finite number, got ${scale}.`);
  const { softcap, sinks, relativeBias } = problem;
  if (softcap !== undefined && !(softcap > 0 && Number.isFinite(softcap))) {
    throw new RangeError(`softcap must be a positive number, got ${softcap}.`);
  }
  if (sinks !== undefined) checkShape('sinks', sinks, { queryHeads });
  if (relativeBias !== undefined) {
    checkShape('relativeBias', relativeBias, { queryHeads, 'queryLength + keyLength - 1': queryLength + keyLength - 1 });
  }

  const lows = new Int32Array(queryLength);
  const highs = new Int32Array(queryLength).fill(keyLength);
  const booleans: Uint8Array[] = [];
  const additive: Float32Array[] = [];
  const limit = (low: (row: number) => number, high: (row: number) => number): void => {
    for (let row = 0; row < queryLength; row++) {
      lows[row] = Math.max(lows[row] as number, Math.min(low(row), keyLength));
      highs[row] = Math.min(highs[row] as number, Math.max(high(row), 0));
    }
  };
  const apply = (mask: AttentionMask): void => {
    switch (mask.kind) {
      case 'none':
        return;
      case 'causal': {
        const offset = integer('mask.offset', mask.offset ?? 0);
        limit(
          () => 0,
          (row) => row + offset + 1,
        );
        return;
      }
      case 'slidingWindow': {
        const offset = integer('mask.offset', mask.offset ?? 0);
        const window = positiveInteger('mask.window', mask.window);
        const ahead = integer('mask.ahead', mask.ahead ?? 0);
        if (ahead < 0) throw new RangeError(`mask.ahead must not be negative, got ${ahead}.`);
        limit(
          (row) => row + offset - window + 1,
          (row) => row + offset + ahead + 1,
        );
        return;
      }
      case 'prefix': {
        const offset = integer('mask.offset', mask.offset ?? 0);
        const length = integer('mask.length', mask.length);
        limit(
          () => 0,
          (row) => Math.max(length, row + offset + 1),
        );
        return;
      }
      case 'padding': {
        const start = integer('mask.start', mask.start ?? 0);
        const end = integer('mask.end', mask.end);
        limit(
          () => start,
          () => end,
        );
        return;
      }
      case 'boolean':
        checkMask('mask.visible', mask.visible);
        booleans.push(mask.visible);
        return;
      case 'additive':
        checkMask('mask.bias', mask.bias);
        additive.push(mask.bias);
        return;
      case 'all':
        for (const part of mask.masks) apply(part);
        return;
      default:
        throw new RangeError(`Unknown mask ${JSON.stringify((mask as { kind: unknown }).kind)}.`);
    }
  };
  const checkMask = (name: string, mask: { readonly length: number }): void => {
    const plane = queryLength * keyLength;
    if (mask.length !== plane && mask.length !== queryHeads * plane) {
      throw new RangeError(
        `${name} holds ${mask.length} numbers, expected queryLength * keyLength = ${plane}, or queryHeads times that = ${queryHeads * plane}.`,
      );
    }
  };
  if (problem.mask !== undefined) apply(problem.mask);

  return {
    queryHeads,
    keyValueHeads,
    group: queryHeads / keyValueHeads,
    queryLength,
    keyLength,
    headDim,
    valueDim,
    scale,
    softcap,
    sinks,
    relativeBias,
    lows,
    highs,
    boolean: booleans,
    additive,
    offset: maskOffset(problem.mask),
  };
}

/** Throws unless the tensors have the problem's shapes. */
export function checkInput(resolved: ResolvedProblem, input: AttentionInput): void {
  const { queryHeads, keyValueHeads, queryLength, keyLength, headDim, valueDim } = resolved;
  checkShape('query', input.query, { queryHeads, queryLength, headDim });
  checkShape('key', input.key, { keyValueHeads, keyLength, headDim });
  checkShape('value', input.value, { keyValueHeads, keyLength, valueDim });
}

export function checkMatrix(problem: MatrixProblem, left: Float32Array, right: Float32Array, bias: Float32Array | undefined): void {
  const rows = positiveInteger('rows', problem.rows);
  const depth = positiveInteger('depth', problem.depth);
  const columns = positiveInteger('columns', problem.columns);
  if (problem.headWidth !== undefined && columns % positiveInteger('headWidth', problem.headWidth) !== 0) {
    throw new RangeError(`${columns} columns cannot be split into heads of ${problem.headWidth}.`);
  }
  checkShape('left', left, { rows, depth });
  checkShape('right', right, { depth, columns });
  if (bias !== undefined) checkShape('bias', bias, { columns });
}

/** Where a mask of one plane, or of one plane per head, starts for a head. */
export function planeOffset(resolved: ResolvedProblem, mask: { readonly length: number }, head: number): number {
  const plane = resolved.queryLength * resolved.keyLength;
  return mask.length === plane ? 0 : head * plane;
}
