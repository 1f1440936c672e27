import type { Settings } from './settings.ts';
import type { Scope } from './sheet.ts';

/** Lays out one module's tensors for a config. */
export type Layout = (s: Scope, c: Settings) => void;

/**
 * How the tensors of a model type's classes are laid out. `body` is the base class (`LlamaModel`); `heads` are the classes built on
 * it by the end of their names (`ForCausalLM`), the usual one first. Classes that are not listed are not modelled.
 */
export interface Architecture {
  readonly body: Layout;
  readonly heads: Readonly<Record<string, Layout>>;
  /** The class that is usual for this type: a key of `heads`, or `Model`. */
  readonly usual: string;
  /** Beginnings of class names where they are not the config class's own: `LlamaConfig` -> `Llama`. */
  readonly stems?: readonly string[];
}

export type Architectures = Readonly<Record<string, Architecture>>;

/** Number of classes of a classification head: the config's labels, `fallback` where it names none. */
export function labels(c: Settings, fallback = 2): number {
  c.read.add('num_labels');
  c.read.add('id2label');
  c.read.add('label2id');
  const named = c.section?.lookup('id2label');
  const count = c.section?.number('num_labels');
  if (named?.state === 'value' && named.node.kind === 'mapping') return named.node.entries.length;
  return count ?? fallback;
}

export const tied = (c: Settings): boolean => c.flag('tie_word_embeddings');
