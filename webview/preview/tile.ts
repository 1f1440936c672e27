import type { Steps } from '../../src/kernel/interface.ts';
import { resolveProblem } from '../../src/kernel/problem.ts';
import { headsProblem, type Products, type SampleRun } from './run.ts';
import type { Sample } from './sample.ts';

/**
 * Exact weights of `rows` rows of one head from `row` on, from the queries and keys of a computation that kept none.
 *
 * @param head among those of all layers
 * @returns [rows, tokens]
 */
export function* tileSteps(kernel: Products, sample: Sample, run: SampleRun, head: number, row: number, rows: number): Steps<Float32Array> {
  const tokens = sample.tokens.length;
  const heads = sample.layers[0]?.problem.queryHeads ?? 1;
  const index = Math.floor(head / heads);
  const layer = sample.layers[index];
  const computed = run.layers[index];
  if (layer === undefined || computed === undefined || row < 0 || rows < 1 || row + rows > tokens) {
    throw new RangeError(`Head ${head} has no rows ${row} to ${row + rows - 1}.`);
  }
  const { queryHeads, keyValueHeads, headDim, valueDim, scale, softcap, sinks, mask, relativeBias } = headsProblem(layer, tokens);
  const own = head % heads;
  const shared = Math.floor(own / (queryHeads / keyValueHeads));
  const { query, key, value } = computed.result;
  const { lows, highs } = resolveProblem({ queryHeads: 1, queryLength: tokens, headDim: 1, ...(mask === undefined ? {} : { mask }) });
  // Whatever the mask, its rows show keys from one place to another.
  const visible = new Uint8Array(rows * tokens);
  for (let i = 0; i < rows; i++) visible.fill(1, i * tokens + (lows[row + i] as number), i * tokens + (highs[row + i] as number));
  const distances = 2 * tokens - 1;
  const from = own * distances + tokens - row - rows;
  const { weights } = yield* kernel.attentionSteps(
    {
      queryHeads: 1,
      queryLength: rows,
      keyLength: tokens,
      headDim,
      valueDim,
      scale,
      softcap,
      mask: { kind: 'boolean', visible },
      ...(sinks === undefined ? {} : { sinks: sinks.subarray(own, own + 1) }),
      ...(relativeBias === undefined ? {} : { relativeBias: relativeBias.slice(from, from + rows + tokens - 1) }),
    },
    {
      query: query.slice((own * tokens + row) * headDim, (own * tokens + row + rows) * headDim),
      key: key.slice(shared * tokens * headDim, (shared + 1) * tokens * headDim),
      value: value.slice(shared * tokens * valueDim, (shared + 1) * tokens * valueDim),
    },
    {},
  );
  return weights as Float32Array;
}
