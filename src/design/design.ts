import type { CheckpointShapes } from '../checkpoint/safetensors.ts';
import type { ConfigFormat, ParsedConfig } from '../syntax/node.ts';
import type { Range } from '../text/range.ts';
import type { Family } from './families.ts';
import type { Section } from './section.ts';

/** Where a number came from. */
export type Source = 'written' | 'default' | 'derived';

/** A fact of the design, with its provenance. Absent (`undefined`) means unknown, which is never a reason for a finding. */
export interface Field<T> {
  readonly value: T;
  readonly source: Source;
  /** Range of the value that sets it; for a derived field, of the value it mainly follows from. Absent for defaults. */
  readonly range?: Range;
  readonly keyRange?: Range;
  /** The key as written (`written`), or the family's key (`default`). */
  readonly key?: string;
  /** How a derived value was computed, in field names: `hiddenSize / queryHeads`. */
  readonly formula?: string;
  /** Whose default it is: `LlamaConfig`. */
  readonly origin?: string;
}

/**
 * Where a block's norms sit (Xiong et al. 2020): `pre` before each sublayer inside the residual branch, `post` after the residual
 * sum, `sandwich` before and after the sublayer inside the branch, `output` only after the sublayer inside the branch (OLMo 2),
 * `parallel` one norm before attention and FFN that run side by side.
 */
export type NormPlacement = 'pre' | 'post' | 'sandwich' | 'output' | 'parallel' | 'none';

/** Every quantity is per layer of this one stack; widths are in features, lengths in tokens. */
export interface DesignFields {
  /** Width of the residual stream, d_model. */
  readonly hiddenSize: Field<number>;
  readonly queryHeads: Field<number>;
  readonly keyValueHeads: Field<number>;
  /** Width of one query and key head, d_k. For MLA the sum of its rotary and non-rotary parts. */
  readonly headDim: Field<number>;
  /** Width of one value head, d_v. */
  readonly valueDim: Field<number>;
  readonly layers: Field<number>;
  /** FFN width as the matrices really have it (after multiple_of, halving, ...). */
  readonly intermediateSize: Field<number>;
  readonly vocabularySize: Field<number>;
  /** Width of the token embedding where it may differ from hiddenSize. */
  readonly embeddingSize: Field<number>;
  readonly maxPositions: Field<number>;
  readonly gatedFfn: Field<boolean>;
  readonly activation: Field<string>;
  readonly normPlacement: Field<NormPlacement>;
  readonly normEpsilon: Field<number>;
  readonly finalNorm: Field<boolean>;
  /** 'rope', 'learned', 'sinusoidal', 'alibi', 'relative', 'none'. */
  readonly positions: Field<string>;
  /** Width of a head's rotated part. */
  readonly rotaryDim: Field<number>;
  readonly rotaryFactor: Field<number>;
  readonly ropeTheta: Field<number>;
  readonly slidingWindow: Field<number>;
  readonly layerTypes: Field<readonly string[]>;
  readonly queryLoraRank: Field<number>;
  readonly keyValueLoraRank: Field<number>;
  readonly ropeHeadDim: Field<number>;
  readonly nopeHeadDim: Field<number>;
  readonly experts: Field<number>;
  readonly expertsPerToken: Field<number>;
  readonly sharedExperts: Field<number>;
  readonly expertIntermediateSize: Field<number>;
  readonly tieEmbeddings: Field<boolean>;
  readonly attentionBias: Field<boolean>;
  readonly causal: Field<boolean>;
  /** Storage type: `bfloat16`, `float16`, `float32`. */
  readonly dtype: Field<string>;
  /** Width of what cross-attention reads (keys and values). */
  readonly crossAttentionSize: Field<number>;
}

export type FieldName = keyof DesignFields;

export type DesignRole = 'decoder' | 'encoder' | 'text' | 'vision' | 'audio' | 'other';

/** One transformer stack: what a config says about it, plus what its family implies. */
export interface TransformerDesign {
  /** Path of the stack in the file: '' for the only one, else `text_config`, `encoder`, ... */
  readonly name: string;
  readonly role: DesignRole;
  /** Transformers model type or the dialect's name for it, when known. */
  readonly family: string | undefined;
  readonly fields: { readonly [K in FieldName]?: DesignFields[K] };
  /** The keys it was read from. */
  readonly section: Section;
  /** What the library knows of the family, where its key names are the ones in use here. */
  readonly knowledge: Family | undefined;
  /** The model's code lies outside the library (`auto_map`): its class may know more keys and other defaults. */
  readonly custom: boolean;
  /**
   * Each head gets hiddenSize / queryHeads features and nothing else sets the head dim: the heads must divide the width. False
   * wherever that is not sure (code that floors, layers that are not attention, keys that set the width in a way not known here).
   */
  readonly headDimIsQuotient: boolean;
}

/** Sizes over which a run splits the model, from the file or from settings. */
export interface Parallelism {
  readonly tensor?: Field<number>;
  readonly pipeline?: Field<number>;
  readonly context?: Field<number>;
  readonly expert?: Field<number>;
}

/** What one file says. */
export interface ConfigReading {
  readonly parsed: ParsedConfig;
  readonly format: ConfigFormat;
  /** Convention of key names: `huggingface`, `llama-params`, `gpt-neox`, ... */
  readonly dialect: string;
  /** Main stack first. Empty when the file is a model config that holds no dimensions (it names a checkpoint, say). */
  readonly designs: readonly TransformerDesign[];
  readonly parallelism: Parallelism;
  readonly root: Section;
  /** Shapes of the checkpoint beside the file, where there is one and the caller can read it. */
  readonly checkpoint?: CheckpointShapes;
}
