import type { Field, TransformerDesign } from '../design/design.ts';
import { range } from '../text/range.ts';
import { dtypeOf, type QuantityName, type Query, type QueryProblem } from './query.ts';
import type { AttentionInput, Dtype, LatentInput } from './shapes.ts';

/**
 * The type of a design's cache: that of its weights, in which attention is computed. Weights of fewer than 16 bits are a storage
 * format; what is cached then depends on the server, so it is unknown.
 */
export function cacheDtypeOf(design: TransformerDesign): Dtype | undefined {
  const written = design.fields.dtype;
  const dtype = written === undefined ? undefined : dtypeOf(written.value);
  return dtype === undefined || dtype.bits < 16n ? undefined : { name: dtype.name, bits: dtype.bits };
}

/** The sizes that a design states, for `attentionRows` and `cacheElementsPerToken`. */
export const inputOf = (design: TransformerDesign): AttentionInput => combine({ values: {}, problems: [] }, design, 0).input;

/** The sizes of a query over those of a design, and where they contradict each other. */
export function combine(
  query: Query,
  base: TransformerDesign | undefined,
  length: number,
  /** Whether a problem names values that would work, which takes a search. */
  suggest = true,
): { input: AttentionInput; problems: QueryProblem[] } {
  const problems: QueryProblem[] = [];
  const fields = base?.fields ?? {};
  const given = (name: QuantityName): bigint | undefined => query.values[name]?.value;
  const whole = range(0, length);
  const at = (...names: QuantityName[]) => names.map((name) => query.values[name]?.range).find((found) => found !== undefined) ?? whole;
  /** What the design says for itself; a value derived from sizes that the query changes is derived anew. */
  const fromBase = (field: Field<number> | undefined, ...from: QuantityName[]): bigint | undefined => {
    if (field === undefined || !Number.isSafeInteger(field.value) || field.value <= 0) return undefined;
    if (field.source === 'derived' && from.some((name) => given(name) !== undefined)) return undefined;
    return BigInt(field.value);
  };
  const latent = latentOf(query, fields);
  const hiddenSize = given('hiddenSize') ?? fromBase(fields.hiddenSize);
  const queryHeads = given('queryHeads') ?? fromBase(fields.queryHeads);
  // Latent attention expands keys and values for every head.
  const isExpanded = latent !== undefined && given('queryHeads') !== undefined;
  let keyValueHeads = given('keyValueHeads') ?? (isExpanded ? undefined : fromBase(fields.keyValueHeads, 'queryHeads')) ?? queryHeads;
  let headDim =
    given('headDim') ?? (latent === undefined ? fromBase(fields.headDim, 'hiddenSize', 'queryHeads') : latent.ropeDim + latent.nopeDim);
  if (headDim === undefined && hiddenSize !== undefined && queryHeads !== undefined) {
    if (hiddenSize % queryHeads === 0n) headDim = hiddenSize / queryHeads;
    else {
      const near = suggest ? divisorsNear(hiddenSize, queryHeads) : [];
      problems.push({
        range: at('queryHeads', 'hiddenSize'),
        message: `Width ${hiddenSize} does not split into ${queryHeads} heads: ${hiddenSize} / ${queryHeads} leaves ${hiddenSize % queryHeads}.${near.length === 0 ? '' : ` ${list(near)} heads would work;`} or give the head dim (hd=...).`,
      });
    }
  }
  if (queryHeads !== undefined && keyValueHeads !== undefined && queryHeads % keyValueHeads !== 0n) {
    const near = suggest ? divisorsNear(queryHeads, keyValueHeads) : [];
    problems.push({
      range: at('keyValueHeads', 'queryHeads'),
      message: `${queryHeads} query heads cannot share ${keyValueHeads} KV heads: ${queryHeads} / ${keyValueHeads} leaves ${queryHeads % keyValueHeads}.${near.length === 0 ? '' : ` ${list(near)} KV heads would work.`}`,
    });
    keyValueHeads = undefined;
  }
  const valueDim =
    given('valueDim') ?? fromBase(fields.valueDim, 'hiddenSize', 'queryHeads', 'headDim') ?? (latent === undefined ? headDim : undefined);
  const dtype = query.dtype ?? (base === undefined ? undefined : cacheDtypeOf(base));
  return {
    input: {
      hiddenSize,
      queryHeads,
      keyValueHeads,
      headDim,
      valueDim,
      layers: given('layers') ?? fromBase(fields.layers),
      sequenceLength: given('sequenceLength'),
      batch: given('batch'),
      dtype: dtype === undefined ? undefined : { name: dtype.name, bits: dtype.bits },
      bias: query.bias?.value,
      latent,
    },
    problems,
  };
}

function latentOf(query: Query, fields: TransformerDesign['fields']): LatentInput | undefined {
  const size = (name: 'queryLoraRank' | 'keyValueLoraRank' | 'ropeHeadDim' | 'nopeHeadDim'): bigint | undefined => {
    const given = query.values[name]?.value;
    if (given !== undefined) return given;
    const value = fields[name]?.value;
    return value !== undefined && Number.isSafeInteger(value) && value > 0 ? BigInt(value) : undefined;
  };
  const keyValueRank = size('keyValueLoraRank');
  const ropeDim = size('ropeHeadDim');
  const nopeDim = size('nopeHeadDim');
  if (keyValueRank === undefined || ropeDim === undefined || nopeDim === undefined) return undefined;
  return { queryRank: size('queryLoraRank'), keyValueRank, ropeDim, nopeDim };
}

/** Divisors of `whole` nearest to `wanted`, nearest first, at most three; the search is bounded. */
function divisorsNear(whole: bigint, wanted: bigint): bigint[] {
  const found: bigint[] = [];
  for (let step = 0n; step <= 2048n && found.length < 3; step++) {
    const below = wanted - step;
    const above = wanted + step;
    if (below > 0n && whole % below === 0n) found.push(below);
    if (step > 0n && above <= whole && whole % above === 0n && found.length < 3) found.push(above);
  }
  return found;
}

const list = (values: readonly bigint[]): string =>
  values.length < 2 ? values.join('') : `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`;
