/**
 * How an operation of a library is described: a signature in Python's own notation and a function from the bound arguments to a value.
 *
 * ```ts
 * export const shapeOperations = operations({
 *   'torch.cat torch.concat torch.concatenate': ['tensors, dim=0', (call, machine) => {
 *     const shapes = call.tensors('tensors')?.map(({ shape }) => shape);
 *     const axis = call.number('dim');
 *     if (shapes === undefined || axis === undefined) return machine.tensor('cat', call, unknownShape);
 *     return machine.settle('cat', call, concatenate(shapes, axis, machine.context));
 *   }],
 * });
 * ```
 *
 * A method of tensors is `Tensor.view`; its tensor is the first parameter. A method that is not listed but whose function
 * `torch.NAME` is, is that function. What an operation does not understand it answers with an unknown shape, never with a guess.
 */

import type { Dim } from '../dims/dim.ts';
import type { ViewDim } from '../dims/reshape.ts';
import type { Context, Shape, ShapeResult, ShapesResult } from '../dims/shape.ts';
import type { Dtype, InstanceValue, ListValue, Site, TensorValue, Value } from './value.ts';

/** The arguments of one call, bound to the names of the signature; defaults are filled in. */
export interface Call {
  /** Name under which it was called. */
  readonly name: string;
  readonly arguments: ReadonlyMap<string, Value>;
  /** The place in the user's code. */
  readonly site: Site | undefined;
  /** The argument; None's value when the signature has no such name. */
  value(name: string): Value;
  /** True when the caller gave it. */
  given(name: string): boolean;
  /** The argument as a tensor; an unknown value is undefined. */
  tensor(name: string): TensorValue | undefined;
  /** The argument as a size, a symbol where it is only named; undefined when it is no whole number. */
  dim(name: string): Dim | undefined;
  /** A number that is known. */
  number(name: string): number | undefined;
  boolean(name: string): boolean | undefined;
  text(name: string): string | undefined;
  isNone(name: string): boolean;
  /** The items of a tuple, list or `*args`; a lone tuple or list in `*args` is taken for them. Undefined when not all are known. */
  list(name: string): readonly Value[] | undefined;
  tensors(name: string): readonly TensorValue[] | undefined;
  /** A list of sizes, where -1 is 'infer'. An item that is not known is an unknown size; undefined when their number is not known. */
  sizes(name: string): readonly ViewDim[] | undefined;
  /** Whole numbers that are all known, from a number or a list of them: axes, kernel sizes. */
  numbers(name: string): readonly number[] | undefined;
}

export interface TensorOptions {
  readonly dtype?: Dtype | undefined;
  readonly content?: string;
  readonly index?: number;
  readonly isParameter?: boolean;
  readonly isBuffer?: boolean;
  /** Where it differs from the tensors among the arguments. */
  readonly inputs?: readonly TensorValue[];
}

/** Something that fails when the code runs, with the reason in words. */
export interface Problem {
  readonly kind: string;
  readonly message: string;
  /** What shows it: algebra unless said; what a config or a comment gives; the defaults in the code; or numbers in which sizes of different meaning differ, lengths too; 'widths': numbers in which heads times head dim is not the width. */
  readonly basis?: 'given' | 'defaults' | 'samples' | 'lengths' | 'widths';
  /** It fails with the numbers that the code itself gives, too. */
  readonly failsByDefaults?: true;
  /** The lengths of what comes in, by their keys, on which it rests. */
  readonly lengths?: readonly string[];
  /** It goes wrong by the number of axes that something has. */
  readonly isOfAxes?: true;
  /** It works for one length of what comes in, though a table of that size is cut to what comes in elsewhere. */
  readonly isOfOneLength?: true;
  /** What one of two branches gave, where it goes wrong with that alone. */
  readonly ofBranch?: TensorValue;
  /** Named parts of the message, for rules that phrase it themselves. */
  readonly data?: Readonly<Record<string, string | number>>;
}

/** What operations may ask of the interpreter. */
export interface Machine {
  /** Facts and bindings at this point. */
  readonly context: Context;
  /** Optional inputs are not known, and taken to have shapes that fit: for linting. */
  readonly assumesShapes: boolean;
  /** A tensor of this shape, as the result of the call. The dtype is that of the first input unless given. */
  tensor(op: string, call: Call, shape: Shape, options?: TensorOptions): TensorValue;
  /** The same from a judged shape: sizes that were unified stay so; a mismatch is a problem at the call. */
  settle(op: string, call: Call, result: ShapeResult, options?: TensorOptions): TensorValue;
  /** The same for several results, as a tuple. */
  settleAll(op: string, call: Call, result: ShapesResult, options?: TensorOptions): Value;
  /** Takes over what was found of sizes, and notes a mismatch as a problem at the call. */
  judge(op: string, call: Call, result: Omit<ShapeResult, 'shape'>): void;
  /** Notes a problem at the call. */
  report(call: Call, problem: Problem): void;
  /** Calls any value. */
  call(callee: Value, positional: readonly Value[], keywords?: ReadonlyMap<string, Value>): Value;
  /** The attribute, or undefined where there is surely none. */
  attribute(object: Value, name: string): Value | undefined;
  setAttribute(object: Value, name: string, value: Value): void;
  /** The items that iterating gives, once for a list that repeats; undefined when they are not known. */
  items(value: Value): readonly Value[] | undefined;
  truth(value: Value): boolean | undefined;
  /** `isinstance(value, class)` by the class's qualified name; undefined when not known. */
  isInstance(value: Value, qualifiedName: string): boolean | undefined;
  /** A class or function of a library, by its qualified name. */
  library(qualifiedName: string): Value;
  /** Takes a size to be a multiple of another from here on. */
  assumeDivides(divisor: Dim, dividend: Dim): void;
  /** The size with known bindings put in. */
  read(dim: Dim): Dim;
  /** An identity that no value has, for a copy of an instance. */
  freshId(): number;
  /** Whether the instance is an `nn.Module` (or a module of another library). */
  isModule(value: Value): value is InstanceValue;
  /** Ends this path as Python's `raise` does. */
  raise(type: string, message: string): never;
  /** Operators of Python on any two values, as the code would apply them. */
  binary(operator: string, left: Value, right: Value): Value;
  compare(operator: string, left: Value, right: Value): Value;
  subscript(object: Value, index: Value): Value;
  /** Adds an item at the end of a list. */
  append(list: ListValue, item: Value): void;
  /** Changes lists, dicts, sets and instances so that a branch can be taken back. */
  write<Owner extends object, Key extends keyof Owner>(owner: Owner, key: Key, value: Owner[Key]): void;
  writeEntry<Key, Entry>(map: Map<Key, Entry>, key: Key, value: Entry | undefined): void;
}

export interface Operation {
  readonly signature: Signature;
  readonly run: (call: Call, machine: Machine) => Value;
}

export interface SignatureParameter {
  readonly name: string;
  /** Other keywords for it, such as NumPy's `axis` for `dim`. */
  readonly aliases?: readonly string[];
  readonly kind: 'positional' | 'keyword' | 'args' | 'kwargs';
  /** Undefined for a parameter that must be given. */
  readonly default: Value | undefined;
}

export type Signature = readonly SignatureParameter[];

/** Qualified name to operation. */
export type OperationTable = ReadonlyMap<string, Operation>;
