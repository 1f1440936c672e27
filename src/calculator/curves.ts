import { amountOf } from './amounts.ts';
import { oneDevice, stageCache } from './devices.ts';
import type { Curve } from './report.ts';
import { type AttentionInput, bytesOf, cacheElementsPerLayer, type Dtype } from './shapes.ts';
import type { Stack } from './stack.ts';

/** Contexts of the chart: powers of two from 1,024 tokens to 131,072. */
const contexts: readonly bigint[] = Array.from({ length: 8 }, (_, i) => 1024n << BigInt(i));

/**
 * Cache bytes of one sequence against its length, as all layers would keep it with as many KV heads as query heads, with groups of them, with
 * one for all (Shazeer 2019, arXiv:1911.02150; Ainslie et al. 2023, arXiv:2305.13245) and with a latent of DeepSeek-V2's sizes, four heads
 * and a half of a rotated part (arXiv:2405.04434, section 2.1.2). The design's own line counts its windows.
 */
export function cacheCurves(given: AttentionInput, stack: Stack | undefined, dtype: Dtype | undefined): readonly Curve[] {
  const input = (stack?.encoder === undefined ? undefined : stack.kinds[0]?.input) ?? given;
  const { queryHeads: h, keyValueHeads: kv, headDim, layers, latent } = input;
  const bits = dtype ?? input.dtype ?? { name: 'bfloat16', bits: 16n };
  if (h === undefined || headDim === undefined || layers === undefined || stack?.causal === false) return [];
  const line = (label: string, own: boolean, bytesAt: (tokens: bigint) => bigint | undefined): Curve => ({
    label,
    own,
    points: contexts.flatMap((tokens) => {
      const bytes = bytesAt(tokens);
      return bytes === undefined ? [] : [[Number(tokens), amountOf(bytes)] as const];
    }),
  });
  // A decoder keeps the keys and values of its encoder's output beside those of its tokens.
  const kept = (tokens: bigint): bigint => tokens + (stack?.encoder === undefined ? 0n : (stack.encoder.positions ?? tokens));
  const all = (elements: bigint) => (tokens: bigint) => bytesOf(layers * elements * kept(tokens), bits);
  const own = cacheElementsPerLayer(input);
  const ownLine = (label: string): Curve =>
    line(label, true, (tokens) => {
      if (stack !== undefined && stack.encoder === undefined)
        return stack.windowsKnown ? stageCache(stack, oneDevice, tokens, 1n, bits)?.[0] : undefined;
      return own === undefined ? undefined : all(own.elements)(tokens);
    });
  const windows = stack?.kinds.some(({ window }) => window !== undefined) === true ? ', with its windows' : '';
  // A latent design's values may be narrower than its keys; the others' are as wide.
  const width = latent === undefined ? headDim : (input.valueDim ?? headDim);
  const isGrouped = latent === undefined && kv !== undefined && kv > 1n && kv < h;
  const groups = isGrouped ? kv : h % 4n === 0n && h > 4n ? h / 4n : undefined;
  const curves: Curve[] = [];
  const isOwn = (heads: bigint): boolean => latent === undefined && kv === heads;
  curves.push(isOwn(h) ? ownLine(`MHA (${h})${windows}`) : line(`MHA (${h})`, false, all(h * 2n * width)));
  if (groups !== undefined && groups !== h && groups !== 1n)
    curves.push(isOwn(groups) ? ownLine(`GQA (${groups})${windows}`) : line(`GQA (${groups})`, false, all(groups * 2n * width)));
  if (h > 1n) curves.push(isOwn(1n) ? ownLine(`MQA (1)${windows}`) : line('MQA (1)', false, all(2n * width)));
  if (latent !== undefined) curves.push(ownLine(`MLA (${latent.keyValueRank} + ${latent.ropeDim})`));
  else if (headDim % 2n === 0n) curves.push(line(`MLA (${4n * headDim} + ${headDim / 2n})`, false, all((9n * headDim) / 2n)));
  return curves.filter(({ points }) => points.length > 0);
}
