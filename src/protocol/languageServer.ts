import type { Severity } from '../text/finding.ts';

/** What Headwise adds to the Language Server Protocol: plain JSON both ways, no part of it needed by other editors. */

/** Sent by a client as `initializationOptions`; every part may be missing. */
export interface InitializationOptions {
  /** Commands that the client carries out itself: only these appear in code lenses and code actions. */
  readonly commands?: readonly string[];
  /** The client answers `headwise/readFile`: settings files are read through it, so that virtual workspaces work. */
  readonly readFile?: boolean;
  /** The client answers `headwise/readFolder`: imports are followed where the server has no files at hand. */
  readonly readFolder?: boolean;
  /** The client wants `headwise/designChanged`. */
  readonly designChanged?: boolean;
  /** Address of the folder with the Python parser's modules, for a server that cannot read files itself. */
  readonly pythonParser?: string;
  /** Settings for clients without `workspace/configuration`. */
  readonly settings?: unknown;
  /** Translations of the server's own sentences, by English text. */
  readonly bundle?: Readonly<Record<string, string>>;
}

/** Request, client to server: what a document says about a model. */
export const designRequest = 'headwise/design';

export interface DesignParams {
  readonly uri: string;
}

/** How a stack's attention differs from the plain formula, as far as its file or its family says so. */
export interface AttentionTraits {
  /** Multi-head latent attention (DeepSeek-V2). */
  readonly latent?: LatentWidths;
  /** How rotary positions reach beyond the length they were trained on. */
  readonly scaling?: RotaryScale;
  /** Rotated pairs are neighbours instead of halves apart. */
  readonly interleaved?: boolean;
  /** Multiplies the scores, in place of 1 / sqrt(headDim). */
  readonly scale?: number;
  /** Soft limit of the scores. */
  readonly softcap?: number;
  /** Buckets of T5's relative bias, and the distance in tokens from which on all share the last. */
  readonly buckets?: number;
  readonly maxDistance?: number;
  /** Where the family's code is known by heart. */
  readonly block?: BlockTraits;
}

/** What stands around a layer's attention: x + Attention(norm(x)), then x + MLP(norm(x)), or both at once. */
export interface BlockTraits {
  readonly norm: 'rms' | 'layer';
  readonly epsilon: number;
  readonly activation: 'silu' | 'gelu' | 'geluTanh' | 'relu';
  /** Attention and MLP read the same stream, and both are added to it (GPT-J, GPT-NeoX). */
  readonly parallel: boolean;
  /** Multiplies the embeddings, and what is added to the stream (Granite). */
  readonly inputScale: number;
  readonly addedScale: number;
}

/** Widths of multi-head latent attention, in features. */
export interface LatentWidths {
  /** Of the queries' latent, q_lora_rank; absent: queries are projected from the input. */
  readonly queryRank?: number;
  /** Of the latent of keys and values, kv_lora_rank. */
  readonly keyValueRank: number;
  /** Of a query and a key without position, qk_nope_head_dim. */
  readonly plainDim: number;
  /** Of their rotated part, qk_rope_head_dim. */
  readonly rotaryDim: number;
}

/** What a config says of scaled rotary positions, in the words of the papers; lengths in tokens. */
export interface RotaryScale {
  /** 'other': a kind that is not computed. */
  readonly kind: 'linear' | 'ntk' | 'yarn' | 'llama3' | 'longrope' | 'other';
  /** As written. */
  readonly name: string;
  readonly factor: number;
  readonly trainedLength?: number;
  readonly betaFast?: number;
  readonly betaSlow?: number;
  readonly attentionFactor?: number;
  readonly mscale?: number;
  readonly mscaleAllDim?: number;
  readonly truncate?: boolean;
  readonly lowFrequencyFactor?: number;
  readonly highFrequencyFactor?: number;
  /** What each pair's frequency is divided by: up to the trained length, and beyond it. */
  readonly shortFactors?: readonly number[];
  readonly longFactors?: readonly number[];
}

/** One stack, as far as it is known: what a status line, a picker or the attention preview shows of it. */
export interface StackSummary extends AttentionTraits {
  /** Path of the stack in the file: '' for the only one, else `text_config`, ... */
  readonly name: string;
  readonly role: string;
  readonly family?: string;
  /** The design in one line; '' when nothing is known. */
  readonly summary: string;
  readonly hiddenSize?: number;
  readonly queryHeads?: number;
  readonly keyValueHeads?: number;
  /** Width of one query and key head, in features. */
  readonly headDim?: number;
  /** Width of one value head, in features. */
  readonly valueDim?: number;
  readonly layers?: number;
  readonly causal?: boolean;
  /** In tokens. */
  readonly slidingWindow?: number;
  /** 'rope', 'learned', ... */
  readonly positions?: string;
  /** In features of one head. */
  readonly rotaryDim?: number;
  readonly ropeTheta?: number;
  /** Where the file writes what is above, zero-based lines and UTF-16 columns. */
  readonly places: Readonly<Record<string, Place>>;
  /** Messages of errors and warnings about what is above. */
  readonly warnings: readonly string[];
}

export interface Place {
  readonly line: number;
  readonly character: number;
  readonly length: number;
}

/** Null where the document is not a model config or not open. */
export interface DesignResult {
  readonly uri: string;
  readonly version: number;
  /** The main stack in one line, with a word on how many more there are. */
  readonly summary: string;
  readonly dialect: string;
  /** Main stack first. */
  readonly stacks: readonly StackSummary[];
  /** How many findings of each severity the document has. */
  readonly findings: Readonly<Record<Severity, number>>;
}

/** Notification, server to client: the answer to `headwise/design` may be another one now. */
export const designChangedNotification = 'headwise/designChanged';

export interface DesignChangedParams {
  readonly uri: string;
  readonly version: number;
}

/** Request, client to server: shapes for what was typed, on top of a stack of an open document where one is named. */
export const calculateRequest = 'headwise/calculate';

export interface CalculateParams {
  /** `d=4096 h=32 kv=8 T=4096 bf16` */
  readonly query: string;
  readonly base?: CommandTarget;
}

/** What a query comes to. Every text is ready to show. */
export interface CalculateResult {
  /** The design that was understood, in one line; '' when the query says nothing yet. */
  readonly title: string;
  readonly rows: readonly CalculateRow[];
  /** What was not understood or does not fit, in sentences. */
  readonly problems: readonly string[];
  /** Where each problem stands, UTF-16 offsets in the query. */
  readonly ranges: readonly { readonly start: number; readonly end: number }[];
  /** What else would have to be given to say more. */
  readonly hint?: string;
}

export interface CalculateRow {
  readonly label: string;
  readonly value: string;
  /** How the value comes about. */
  readonly detail: string;
}

/** Request, client to server: what the linter would say of a design with other sizes. */
export const lintSizesRequest = 'headwise/lintSizes';

/** Sizes in place of a design's, by the names of its fields. */
export interface LintSizes {
  readonly queryHeads?: number;
  readonly keyValueHeads?: number;
  readonly headDim?: number;
  readonly valueDim?: number;
  readonly queryLoraRank?: number;
  readonly keyValueLoraRank?: number;
  readonly nopeHeadDim?: number;
  readonly ropeHeadDim?: number;
}

export interface LintSizesParams {
  readonly sizes: LintSizes;
  /** Whose other settings hold; absent: none, the sizes are all there is. */
  readonly base?: CommandTarget;
}

export interface LintSizesResult {
  /** Messages of the findings that are not there without the change. */
  readonly findings: readonly string[];
}

/** Request, server to client: the text of a file in the workspace, null where it cannot be read. */
export const readFileRequest = 'headwise/readFile';

export interface ReadFileParams {
  readonly uri: string;
}

/** Request, server to client: names of the Python files and folders in a folder of the workspace, null where there is none. */
export const readFolderRequest = 'headwise/readFolder';

/** Argument of the client's commands in code lenses. */
export interface CommandTarget {
  readonly uri: string;
  /** Path of the stack in the file, as `StackSummary.name`. */
  readonly design: string;
}

/** Argument of `headwise.ignoreInFile`. */
export interface IgnoreTarget {
  readonly uri: string;
  /** Path relative to the workspace folder. */
  readonly path: string;
  readonly code: string;
}
