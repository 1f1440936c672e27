import type { Expression, FunctionDefinition, Parameter, Span, Statement } from '../syntax/python/ast.ts';
import type { Binding } from './bindings.ts';
import type { Contract, WrittenName, WrittenShape } from './contract.ts';

/** A value that a contract may speak of. Every node and range is relative to the unit. */
export type Subject =
  | { readonly kind: 'parameter'; readonly name: string; readonly parameter: Parameter }
  /** What the function returns; with `item`, that item of the returned tuple. */
  | { readonly kind: 'return'; readonly item?: number }
  /** A name or dotted path as it stands before or after the statement. */
  | {
      readonly kind: 'variable';
      readonly name: string;
      readonly node: Expression | undefined;
      readonly when: 'before' | 'after';
      readonly statement: Statement;
    }
  /** What the expression gives while the statement runs. */
  | { readonly kind: 'expression'; readonly node: Expression; readonly statement: Statement };

/** A contract with what it speaks of. */
export interface PlacedContract {
  /** Its ranges are relative to the unit. */
  readonly contract: Contract;
  /** Which of the contract's shapes is meant: `to` for a result, one of `from` for an input. */
  readonly shape: WrittenShape;
  /** What it may speak of: one of these, the likeliest first. It is contradicted only where all of them contradict it. */
  readonly subjects: readonly Subject[];
  /** The innermost function it stands in. */
  readonly function: FunctionDefinition | undefined;
  /** The statement it stands at; undefined for parameters and results of functions. */
  readonly statement: Statement | undefined;
  /** Where it stands: at the end of a line of code, on a line of its own, in a docstring or in an annotation. */
  readonly place: 'trailing' | 'above' | 'docstring' | 'type';
}

/** A `# headwise: width=768` comment and what it holds for. */
export interface PlacedBindings {
  readonly scope: 'file' | 'class' | 'function';
  /** The class or function; undefined for a file. */
  readonly node: Statement | undefined;
  readonly comment: Span;
  readonly bindings: readonly Binding[];
  readonly problems: readonly WrittenName[];
}

/** What one top-level statement says about shapes. Offsets are relative to it. */
export interface UnitAnnotations {
  /** Contracts on parameters and results, by function. */
  readonly functions: ReadonlyMap<FunctionDefinition, readonly PlacedContract[]>;
  /** Contracts on what a statement makes or reads, by the statement they stand at; their subjects may belong to others near it. */
  readonly statements: ReadonlyMap<Statement, readonly PlacedContract[]>;
  readonly bindings: readonly PlacedBindings[];
}
