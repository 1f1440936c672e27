import type { TransformerDesign } from '../../design/design.ts';

/**
 * Model types that read a number of KV heads but do not give whole groups of query heads to them in the usual way: built with 4 query
 * and 3 KV heads, or with 4 and 8, they ran (transformers 5.18).
 */
const unusual = new Set(['recurrent_gemma', 'sapiens2', 'inkling_text', 'deepseek_v4', 'hy_v4']);

/** Whether this stack's KV heads are shared among its query heads: not latent attention, which rebuilds K and V for every head (HW106). */
export const sharesHeads = (design: TransformerDesign): boolean =>
  design.fields.keyValueLoraRank === undefined &&
  design.knowledge?.latentAttention !== true &&
  !(design.family !== undefined && unusual.has(design.family));
