/**
 * Python source as Headwise's own tree: every statement and expression of Python 3, each with its range.
 *
 * Offsets of a node are relative to its top-level statement: `unit.start + node.start` is the place in the text. A unit that an edit
 * did not touch is therefore the same object before and after, and what was worked out about it still holds.
 * What the parser could not read is an `unknown` node that covers it.
 */
export interface PythonModule {
  readonly text: string;
  /** Top-level statements in source order. */
  readonly units: readonly Unit[];
  /** Comments between top-level statements; their offsets are those of the text. */
  readonly comments: readonly Span[];
}

/** One top-level statement. */
export interface Unit {
  /** Offset of the statement in the text, in its latest version: what is kept after an edit moves with it. */
  start: number;
  readonly body: UnitBody;
}

/** What does not depend on where the statement stands: the key for anything cached about it. */
export interface UnitBody {
  readonly statement: Statement;
  /** Comments inside the statement, in source order. */
  readonly comments: readonly Span[];
  /** Something in it could not be read: it holds an `unknown` node. */
  readonly hasErrors: boolean;
}

/** Half-open range of UTF-16 offsets. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface Unknown extends Span {
  readonly kind: 'unknown';
}

// ---------------------------------------------------------------------------------------------------------------------
// Statements

export type Statement =
  | ExpressionStatement
  | Assign
  | AnnotatedAssign
  | AugmentedAssign
  | Return
  | Raise
  | Assert
  | Delete
  | Simple
  | Scope
  | Import
  | ImportFrom
  | If
  | For
  | While
  | Try
  | With
  | FunctionDefinition
  | ClassDefinition
  | Match
  | TypeAlias
  | Unknown;

export interface ExpressionStatement extends Span {
  readonly kind: 'expression';
  readonly value: Expression;
}

/** `a = b = value`: every target takes the value. */
export interface Assign extends Span {
  readonly kind: 'assign';
  readonly targets: readonly Expression[];
  readonly value: Expression;
}

export interface AnnotatedAssign extends Span {
  readonly kind: 'annotatedAssign';
  readonly target: Expression;
  readonly annotation: Expression;
  readonly value: Expression | undefined;
}

export interface AugmentedAssign extends Span {
  readonly kind: 'augmentedAssign';
  readonly target: Expression;
  /** Without its `=`: `+`, `//`, `@`. */
  readonly operator: string;
  readonly value: Expression;
}

export interface Return extends Span {
  readonly kind: 'return';
  readonly value: Expression | undefined;
}

export interface Raise extends Span {
  readonly kind: 'raise';
  readonly value: Expression | undefined;
  readonly cause: Expression | undefined;
}

export interface Assert extends Span {
  readonly kind: 'assert';
  readonly test: Expression;
  readonly message: Expression | undefined;
}

export interface Delete extends Span {
  readonly kind: 'delete';
  readonly targets: readonly Expression[];
}

export interface Simple extends Span {
  readonly kind: 'pass' | 'break' | 'continue';
}

export interface Scope extends Span {
  readonly kind: 'global' | 'nonlocal';
  readonly names: readonly Name[];
}

export interface ImportedName extends Span {
  /** `torch.nn` of `import torch.nn as nn`; `*` for everything. */
  readonly name: string;
  readonly alias: Name | undefined;
}

export interface Import extends Span {
  readonly kind: 'import';
  readonly names: readonly ImportedName[];
}

export interface ImportFrom extends Span {
  readonly kind: 'importFrom';
  /** Dotted, without the leading dots; '' for `from . import x`. */
  readonly module: string;
  /** Number of leading dots. */
  readonly level: number;
  readonly names: readonly ImportedName[];
}

/** `elif` chains are the `branches` of one statement. */
export interface If extends Span {
  readonly kind: 'if';
  readonly branches: readonly { readonly test: Expression; readonly body: readonly Statement[] }[];
  readonly otherwise: readonly Statement[];
}

export interface For extends Span {
  readonly kind: 'for';
  readonly target: Expression;
  readonly iterable: Expression;
  readonly body: readonly Statement[];
  readonly otherwise: readonly Statement[];
  readonly isAsync: boolean;
}

export interface While extends Span {
  readonly kind: 'while';
  readonly test: Expression;
  readonly body: readonly Statement[];
  readonly otherwise: readonly Statement[];
}

export interface Handler extends Span {
  readonly type: Expression | undefined;
  readonly alias: Expression | undefined;
  /** `except*`. */
  readonly isGroup: boolean;
  readonly body: readonly Statement[];
}

export interface Try extends Span {
  readonly kind: 'try';
  readonly body: readonly Statement[];
  readonly handlers: readonly Handler[];
  readonly otherwise: readonly Statement[];
  readonly finally: readonly Statement[];
}

export interface WithItem extends Span {
  readonly value: Expression;
  readonly target: Expression | undefined;
}

export interface With extends Span {
  readonly kind: 'with';
  readonly items: readonly WithItem[];
  readonly body: readonly Statement[];
  readonly isAsync: boolean;
}

/** `/` and a bare `*` are parameters without a name that only separate. */
export interface Parameter extends Span {
  readonly kind: 'plain' | 'args' | 'kwargs' | 'slash' | 'star';
  readonly name: Name | undefined;
  readonly annotation: Expression | undefined;
  readonly default: Expression | undefined;
}

/** Range from the first decorator on. */
export interface FunctionDefinition extends Span {
  readonly kind: 'function';
  readonly name: Name;
  readonly parameters: readonly Parameter[];
  readonly returns: Expression | undefined;
  readonly decorators: readonly Expression[];
  readonly body: readonly Statement[];
  readonly isAsync: boolean;
}

/** Range from the first decorator on. */
export interface ClassDefinition extends Span {
  readonly kind: 'class';
  readonly name: Name;
  /** Bases, and keyword arguments such as `metaclass=`. */
  readonly arguments: readonly Argument[];
  readonly decorators: readonly Expression[];
  readonly body: readonly Statement[];
}

/** `case` patterns are kept as ranges: nothing that is analysed hangs on them, but the names that they bind. */
export interface Match extends Span {
  readonly kind: 'match';
  readonly subject: Expression;
  readonly cases: readonly {
    readonly pattern: Span;
    readonly binds: readonly Name[];
    readonly guard: Expression | undefined;
    readonly body: readonly Statement[];
  }[];
}

export interface TypeAlias extends Span {
  readonly kind: 'typeAlias';
  readonly name: Expression;
  readonly value: Expression;
}

// ---------------------------------------------------------------------------------------------------------------------
// Expressions

export type Expression =
  | Name
  | NumberLiteral
  | StringLiteral
  | Constant
  | Sequence
  | Dictionary
  | Unary
  | Binary
  | BooleanOperation
  | Comparison
  | Conditional
  | Lambda
  | Call
  | Attribute
  | Subscript
  | Slice
  | Starred
  | Await
  | Yield
  | NamedExpression
  | Comprehension
  | Unknown;

export interface Name extends Span {
  readonly kind: 'name';
  readonly name: string;
}

export interface NumberLiteral extends Span {
  readonly kind: 'number';
  /** NaN for an imaginary number. */
  readonly value: number;
  /** Written without point and exponent. Above 2^53 the value is not exact. */
  readonly isInteger: boolean;
}

export interface StringLiteral extends Span {
  readonly kind: 'string';
  /** Undefined for an f-string or template with something to fill in, and for bytes. Neighbouring literals are one. */
  readonly value: string | undefined;
  /** Of an f-string that fills values in as they are: its text and expressions in order. */
  readonly parts?: readonly (string | Expression)[];
}

export interface Constant extends Span {
  readonly kind: 'constant';
  readonly value: true | false | null | '...';
}

export interface Sequence extends Span {
  readonly kind: 'tuple' | 'list' | 'set';
  readonly items: readonly Expression[];
}

export interface DictionaryItem extends Span {
  /** Undefined for `**value`. */
  readonly key: Expression | undefined;
  readonly value: Expression;
}

export interface Dictionary extends Span {
  readonly kind: 'dict';
  readonly items: readonly DictionaryItem[];
}

export interface Unary extends Span {
  readonly kind: 'unary';
  readonly operator: '-' | '+' | '~' | 'not';
  readonly operand: Expression;
}

export interface Binary extends Span {
  readonly kind: 'binary';
  /** `+ - * / // % ** @ << >> & | ^` */
  readonly operator: string;
  readonly left: Expression;
  readonly right: Expression;
}

export interface BooleanOperation extends Span {
  readonly kind: 'boolean';
  readonly operator: 'and' | 'or';
  readonly left: Expression;
  readonly right: Expression;
}

/** `a < b <= c`: `operators[i]` stands between `operands[i]` and `operands[i + 1]`. */
export interface Comparison extends Span {
  readonly kind: 'compare';
  readonly operands: readonly Expression[];
  readonly operators: readonly string[];
}

export interface Conditional extends Span {
  readonly kind: 'conditional';
  readonly test: Expression;
  readonly value: Expression;
  readonly otherwise: Expression;
}

export interface Lambda extends Span {
  readonly kind: 'lambda';
  readonly parameters: readonly Parameter[];
  readonly body: Expression;
}

/** `name=value`, `*value`, `**value` or `value`. */
export interface Argument extends Span {
  readonly kind: 'positional' | 'keyword' | 'args' | 'kwargs';
  readonly name: Name | undefined;
  readonly value: Expression;
}

export interface Call extends Span {
  readonly kind: 'call';
  readonly callee: Expression;
  readonly arguments: readonly Argument[];
}

export interface Attribute extends Span {
  readonly kind: 'attribute';
  readonly object: Expression;
  readonly name: Name;
}

export interface Subscript extends Span {
  readonly kind: 'subscript';
  readonly object: Expression;
  /** The parts between commas. */
  readonly indices: readonly Expression[];
  /** `x[a,]` indexes with a tuple. */
  readonly isTuple: boolean;
}

export interface Slice extends Span {
  readonly kind: 'slice';
  readonly lower: Expression | undefined;
  readonly upper: Expression | undefined;
  readonly step: Expression | undefined;
}

export interface Starred extends Span {
  readonly kind: 'starred';
  readonly value: Expression;
}

export interface Await extends Span {
  readonly kind: 'await';
  readonly value: Expression;
}

export interface Yield extends Span {
  readonly kind: 'yield';
  readonly value: Expression | undefined;
  readonly isFrom: boolean;
}

export interface NamedExpression extends Span {
  readonly kind: 'named';
  readonly target: Expression;
  readonly value: Expression;
}

export interface Comprehension extends Span {
  readonly kind: 'comprehension';
  readonly type: 'list' | 'set' | 'dict' | 'generator';
  /** The key of a dict comprehension. */
  readonly key: Expression | undefined;
  readonly element: Expression;
  readonly clauses: readonly {
    readonly target: Expression;
    readonly iterable: Expression;
    readonly conditions: readonly Expression[];
    readonly isAsync: boolean;
  }[];
}

export type PythonNode = Statement | Expression;

/** Place of a node of a unit in the text. */
export const spanIn = (unit: Unit, node: Span): Span => ({ start: unit.start + node.start, end: unit.start + node.end });
