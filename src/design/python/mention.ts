import { lexicon } from '../lexicon.ts';

/** Words that nobody writes about anything else come first; the rest of a name is part of it: `encoder_attention_heads`. */
const names = [...lexicon.queryHeads, ...lexicon.keyValueHeads].filter((name) => name !== 'heads');

const mention = new RegExp(
  `(?<![A-Za-z0-9])(?:${[...new Set(names)].sort((a, b) => b.length - a.length).join('|')})(?![A-Za-z0-9_])|\\bheads["']?\\s*[:=]|\\bMultiheadAttention\\b|\\bTransformer(?:En|De)coderLayer\\b|\\bnn\\.Transformer\\b`,
);

/** Whether Python code mentions a number of heads at all: without one nothing in it is read as a configuration. O(length), no parser. */
export const mentionsHeads = (text: string): boolean => mention.test(text);
