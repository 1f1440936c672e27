/** How the tensors of a class follow from its settings, as derived from the code that builds them. Sizes are texts that `parseDim` reads. */

/**
 * What must be so for a layout to hold: a relation of two sizes, the value of a setting, or the number of items in a list of settings.
 * Item `k` of the list `depths` is `depths.__k`; `depths.i0` that of the round of the outermost loop.
 */
export type Premise =
  | readonly [relation: '==' | '!=' | '<' | '<=' | '>' | '>=', left: string, right: string]
  | readonly [kind: 'is', path: string, value: string | number | boolean]
  | readonly [kind: 'length', path: string, length: number];

/** `[name, sizes]`, and 1 where the storage is that of a tensor listed before. */
export type Tensor = readonly [name: string, shape: readonly string[], tied?: 1];

/**
 * A module by its name, or the rounds of a loop: as many modules as `count` says, each by the first variant whose premises hold. Their
 * names are numbers from `offset` on, behind `prefix`.
 */
export type Member =
  | { readonly t: Tensor }
  | { readonly m: string; readonly n: Node }
  | { readonly count: string; readonly offset: number; readonly prefix?: string; readonly v: readonly Variant[] };

export interface Variant {
  readonly w: readonly Premise[];
  readonly n: Node;
}

/** What a module holds, in order. */
export type Node = readonly Member[];

/** A value as JSON holds it. */
export type Plain = null | boolean | number | string | readonly Plain[] | { readonly [key: string]: Plain };

/** One way in which a class is built. */
export interface Leaf {
  /** Settings that are null by default and were given. */
  readonly given: readonly string[];
  /** Sizes that may be 0; all others are at least 1. */
  readonly zero: readonly string[];
  /** Nested configurations and their types; '' for one that has none. */
  readonly types: Readonly<Record<string, string>>;
  /** Defaults that the families do not hold: lists, mappings, settings of nested configurations without a type. */
  readonly defaults: Readonly<Record<string, Plain>>;
  /** Settings that are taken to be at their default, since their values are none that is understood. */
  readonly fixed: readonly string[];
  readonly premises: readonly Premise[];
  readonly node: Node;
}
