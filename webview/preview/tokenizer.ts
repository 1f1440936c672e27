import { Tokenizer } from '@huggingface/tokenizers';

/** A text's tokens, each as it is to be shown, and their numbers in the vocabulary. */
export type TextTokenizer = (text: string) => { readonly tokens: readonly string[]; readonly ids: readonly number[] };

/** Reads a tokenizer.json. Throws where it is none. */
export function loadTokenizer(json: string): TextTokenizer {
  const parsed: unknown = JSON.parse(json);
  if (typeof parsed !== 'object' || parsed === null || !('model' in parsed)) throw new RangeError('The tokenizer.json describes no model.');
  const tokenizer = new Tokenizer(parsed, {});
  // Byte-level and SentencePiece tokens write a space as a sign of their own.
  return (text) => {
    const { tokens, ids } = tokenizer.encode(text);
    return { tokens: tokens.map((token) => token.replace(/[Ġ▁]/g, '␣').replace(/Ċ/g, '⏎')), ids };
  };
}
