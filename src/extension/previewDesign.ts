import type { PreviewDesign } from '../../webview/protocol.ts';
import type { StackSummary } from '../protocol/languageServer.ts';

/** A stack in the preview's words; undefined where it does not say how many heads there are, or how wide they are. */
export function toPreviewDesign(stack: StackSummary): PreviewDesign | undefined {
  const { queryHeads, headDim, keyValueHeads, valueDim, causal, layers, slidingWindow, positions, rotaryDim, ropeTheta } = stack;
  const { latent, scaling, interleaved, scale, softcap, buckets, maxDistance, block } = stack;
  if (queryHeads === undefined || headDim === undefined) return undefined;
  const optional = {
    layers,
    slidingWindow,
    positions,
    rotaryDim,
    ropeTheta,
    latent,
    scaling,
    interleaved,
    scale,
    softcap,
    buckets,
    maxDistance,
    block,
  };
  return {
    queryHeads,
    // A latent holds the keys and values of all heads.
    keyValueHeads: latent === undefined ? (keyValueHeads ?? queryHeads) : queryHeads,
    headDim,
    valueDim: valueDim ?? headDim,
    causal: causal ?? (stack.role === 'decoder' || stack.role === 'text'),
    ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)),
  };
}

export /** What tensors' names begin with where a checkpoint holds several stacks. */
const stackNames: Readonly<Record<string, RegExp>> = {
  encoder: /encoder/,
  decoder: /decoder/,
  text: /text|language/,
  vision: /vis/,
  audio: /audio/,
};

/** How a stack's checkpoint names and stores its projections, where the names alone do not tell. */
export function checkpointNames({ family = '', role }: Pick<StackSummary, 'family' | 'role'>): {
  readonly byHead: boolean;
  readonly stacks?: RegExp;
  /** Added to the gains of norms of queries and keys. */
  readonly gainOffset: number;
} {
  const stacks = stackNames[role];
  return {
    byHead: /^(gpt_neox|bloom)/.test(family),
    ...(stacks === undefined ? {} : { stacks }),
    gainOffset: family.startsWith('gemma') ? 1 : 0,
  };
}
