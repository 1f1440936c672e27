/**
 * Sizes that a model type's code computes in its own way, as its modeling file has them. Hand-checked; everything regular is
 * generated (families.generated.ts).
 */
export interface SizeFormula {
  /** Name in field names and keys, for the reader. */
  readonly formula: string;
  /** The formula only fills in for this key where it is not written. */
  readonly unless?: string;
  /** Undefined when a size that it needs is unknown. `size` reads a key's number, written or default. */
  readonly of: (size: (key: string) => number | undefined) => number | undefined;
}

interface TypeFormulas {
  readonly headDim?: SizeFormula;
  readonly intermediateSize?: SizeFormula;
}

const product = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? undefined : a * b;

const fourfold = (width: string): SizeFormula => ({ formula: '4 * hiddenSize', of: (size) => product(4, size(width)) });

/** An attention twice as wide as the residual stream: its input is the concatenation of two hidden states (Glorioso et al. 2024). */
const doubled: SizeFormula = {
  formula: '2 * hiddenSize / queryHeads',
  of: (size) => {
    const width = size('hidden_size');
    const heads = size('num_attention_heads');
    return width === undefined || heads === undefined || (2 * width) % heads !== 0 ? undefined : (2 * width) / heads;
  },
};

const outWidth: SizeFormula = { formula: 'out_hidden_size', of: (size) => size('out_hidden_size') };

export const sizeFormulas: ReadonlyMap<string, TypeFormulas> = new Map<string, TypeFormulas>([
  ['bloom', { intermediateSize: fourfold('hidden_size') }],
  ['gpt_neo', { intermediateSize: { ...fourfold('hidden_size'), unless: 'intermediate_size' } }],
  ['openai-gpt', { intermediateSize: fourfold('n_embd') }],
  ['xlm', { intermediateSize: fourfold('emb_dim') }],
  ['flaubert', { intermediateSize: fourfold('emb_dim') }],
  [
    'gpt_neox_japanese',
    {
      intermediateSize: {
        formula: 'hiddenSize * intermediate_multiple_size',
        of: (size) => product(size('hidden_size'), size('intermediate_multiple_size')),
      },
    },
  ],
  // The written width is that of gate and value together.
  ['recurrent_gemma', { intermediateSize: { formula: 'intermediate_size / 2', of: (size) => product(size('intermediate_size'), 0.5) } }],
  ['glm4v_vision', { intermediateSize: outWidth }],
  ['glm4v_moe_vision', { intermediateSize: outWidth }],
  ['zamba', { headDim: doubled }],
  ['zamba2', { headDim: doubled }],
  // Attention works inside the bottleneck (Sun et al. 2020, section 3.1).
  [
    'mobilebert',
    {
      headDim: {
        formula: 'intra_bottleneck_size / queryHeads',
        of: (size) => {
          const width = size('intra_bottleneck_size');
          const heads = size('num_attention_heads');
          return width === undefined || heads === undefined || width % heads !== 0 ? undefined : width / heads;
        },
      },
    },
  ],
]);
