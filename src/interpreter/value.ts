/**
 * What an expression of model code may stand for. Values are immutable but for those that Python can change in place (lists, dicts,
 * sets, instances, a tensor whose rank becomes known); they are changed through `Heap` only, so that what a branch did can be taken
 * back and joined.
 */
import type { Dim } from '../dims/dim.ts';
import type { ViewDim } from '../dims/reshape.ts';
import type { Shape } from '../dims/shape.ts';
import type { Argument, ClassDefinition, Expression, FunctionDefinition, Lambda, PythonModule, Span, Unit } from '../syntax/python/ast.ts';
import type { Frame } from './frame.ts';
import type { Operation } from './operation.ts';

export type { ViewDim };

/** A Python file that is being interpreted. */
export interface SourceFile {
  /** Path as findings name it. */
  readonly path: string;
  /** Dotted name by which other files import it: `transformers.models.gpt2.modeling_gpt2`. */
  readonly name: string;
  /** True for `__init__.py`, whose relative imports start one level deeper. */
  readonly isPackage: boolean;
  readonly module: PythonModule;
  /** Headwise's own description of a library: problems inside it are those of the code that calls it. */
  readonly isPrelude: boolean;
}

/** A place in a file: `unit.start + node.start` is its offset in the text. */
export interface Site {
  readonly file: SourceFile;
  readonly unit: Unit;
  readonly node: Span;
}

/** Nothing is known, or only where it came from. */
export interface UnknownValue {
  readonly kind: 'unknown';
  /** Why it is not known, or the qualified name of what it is (`torch.foo`). For people who read traces. */
  readonly reason: string;
  /** A name under which it may stand as a number: `config.n_embd`, a constructor's parameter. Used as a size it becomes that symbol. */
  readonly path?: string;
  /** The class or function that `path` belongs to. */
  readonly scope?: string;
  /** The code has made sure that it is not None. */
  readonly isGiven?: boolean;
  /** Whoever calls the constructor has to give it. */
  readonly isRequired?: boolean;
}

export interface NoneValue {
  readonly kind: 'none';
}

/** Something that is so or not, whatever asks for it. */
export interface Question {
  readonly what: string;
  /** The answer for which a condition is true. */
  readonly is: boolean;
}

/** Facts that hold where a condition is true or false. */
export interface Condition {
  readonly whenTrue: readonly { readonly kind: 'equal' | 'atLeast'; readonly left: Dim; readonly right: Dim }[];
  readonly whenFalse: readonly { readonly kind: 'equal' | 'atLeast'; readonly left: Dim; readonly right: Dim }[];
  /** Present where it is the answer to one question. */
  readonly asks?: Question;
}

export interface BoolValue {
  readonly kind: 'bool';
  /** Undefined when it may be either. */
  readonly value: boolean | undefined;
  readonly condition?: Condition;
}

export interface IntValue {
  readonly kind: 'int';
  readonly dim: Dim;
}

/** `coefficient * product of base ** exponent`: how a scale such as `head_dim ** -0.5` came about. */
export interface Powers {
  readonly coefficient: number;
  readonly factors: readonly { readonly base: Dim; readonly exponent: number }[];
}

export interface FloatValue {
  readonly kind: 'float';
  readonly value: number | undefined;
  /** Present when the number is a product of powers of sizes. */
  readonly powers?: Powers;
  /** Branches of the code decide which of these it is. */
  readonly ways?: readonly FloatValue[];
}

export interface StringValue {
  readonly kind: 'string';
  readonly value: string | undefined;
  /** Of a setting whose value is not known, its default: what it chooses from a table is one of the things that it may choose. */
  readonly likely?: string;
}

/** `items` in order; where `ellipsis` is set, any number of unknown items stand before that index. */
export interface TupleValue {
  readonly kind: 'tuple';
  readonly items: readonly Value[];
  readonly ellipsis: number | undefined;
  /** `torch.Size`: joins and slices stay one. */
  readonly isSize?: boolean;
  /** Names of a namedtuple or a model output, by position. */
  readonly names?: readonly string[];
}

/**
 * A list. With `repeat`, it holds that many values all like `items[0]`, as `[Block() for _ in range(n_layer)]` makes it with a number
 * that is not known. With `open`, other items may stand anywhere but among those of `head`, as long as these are its first ones; what
 * `head` has more than `items` is there or nothing is.
 */
export interface ListValue {
  readonly kind: 'list';
  items: readonly Value[];
  repeat: Dim | undefined;
  open: boolean;
  head?: readonly Value[] | undefined;
}

export interface SetValue {
  readonly kind: 'set';
  items: readonly Value[];
  open: boolean;
}

/** Keys are strings, whole numbers (by their text after `#`) or other constants; see `keyOf`. `open`: other keys may be there. */
export interface DictValue {
  readonly kind: 'dict';
  readonly entries: Map<string, { readonly key: Value; readonly value: Value }>;
  open: boolean;
}

export interface SliceValue {
  readonly kind: 'slice';
  readonly lower: Value;
  readonly upper: Value;
  readonly step: Value;
}

export interface EllipsisValue {
  readonly kind: 'ellipsis';
}

export interface RangeValue {
  readonly kind: 'range';
  readonly start: Dim;
  readonly stop: Dim;
  readonly step: Dim;
}

/** A constant of a library that is only compared: `torch.float16`, a device. */
export interface OpaqueValue {
  readonly kind: 'opaque';
  readonly name: string;
}

/** `float16` and the like where the width matters; `float` where only the kind is known. */
export type Dtype = string;

/** A call of a function of the user's that is being evaluated, and the calls around it. */
export interface Trace {
  /** Where the function is called. */
  readonly site: Site;
  readonly parent: Trace | undefined;
}

/** One call of a module's `forward`, and the call it stands in. */
export interface ModuleCall {
  readonly instance: InstanceValue;
  /** Where in the user's code it is called; undefined for the call that starts a study. */
  readonly site: Site | undefined;
  readonly parent: ModuleCall | undefined;
  /** The functions in which it is called, innermost first. */
  readonly trace: Trace | undefined;
  readonly positional: readonly Value[];
  readonly keywords: ReadonlyMap<string, Value>;
  /** What it answered; undefined while it runs, or when it raised. */
  result: Value | undefined;
}

/**
 * A tensor, and the node of the dataflow graph that says how it was computed. A parameter of a module has `op` 'parameter',
 * an input of the code under study 'input'.
 */
export interface TensorValue {
  readonly kind: 'tensor';
  /** Distinct and increasing in the order of evaluation. */
  readonly id: number;
  shape: Shape;
  readonly dtype: Dtype | undefined;
  /** Name of the operation in torch's words, without its module: `softmax`, `linear`, `matmul`, `view`. */
  readonly op: string;
  /** The arguments by the names of the operation's signature; methods call their tensor `input`. */
  readonly arguments: ReadonlyMap<string, Value>;
  /** The tensors it was computed from, in the order of the arguments. */
  readonly inputs: readonly TensorValue[];
  /** Where in the user's code; undefined for what no code made. */
  readonly site: Site | undefined;
  /** For one of several results (split, chunk, unbind): which one. */
  readonly index?: number | undefined;
  /** The library layer in whose call it was made: the `nn.Linear` or `nn.LayerNorm`. */
  readonly layer?: InstanceValue | undefined;
  /** The innermost call of a module, a library's or the user's own, in which it was made. */
  readonly call?: ModuleCall | undefined;
  /** The user's functions in which it was made, innermost first. */
  readonly trace?: Trace | undefined;
  /** True for an array of NumPy, JAX or MLX, whose methods are not all torch's. */
  readonly isArray?: boolean | undefined;
  /** True for `nn.Parameter`. */
  readonly isParameter?: boolean | undefined;
  /** True for a registered buffer. */
  readonly isBuffer?: boolean | undefined;
  /** True for what comes in with a number of axes that nothing counts. */
  readonly isUncounted?: boolean;
  /** True where two branches of the code, of which one runs, gave it. */
  readonly isOfBranches?: true;
  /** What is known about its values, by those who make masks and scales: 'causal', 'zeros', 'ones', 'arange'. */
  readonly content?: string | undefined;
}

export interface FunctionValue {
  readonly kind: 'function';
  readonly name: string;
  readonly definition: FunctionDefinition | Lambda;
  readonly file: SourceFile;
  readonly unit: Unit;
  /** Frames whose names it sees: the function around it. Module globals come after. */
  readonly closure: Frame | undefined;
  readonly globals: Map<string, Value>;
  /** Values of the parameters' defaults by name, worked out where the function was defined. */
  readonly defaults: ReadonlyMap<string, Value>;
  /** The class whose body it stands in: `super()` starts from there. */
  readonly owner: ClassValue | undefined;
  readonly wraps: 'plain' | 'static' | 'class' | 'property' | 'context' | 'generator';
}

/** An operation of a table. */
export interface BuiltinValue {
  readonly kind: 'builtin';
  /** `torch.nn.functional.softmax`. */
  readonly name: string;
  readonly operation: Operation;
}

export interface BoundValue {
  readonly kind: 'bound';
  readonly self: Value;
  readonly callee: FunctionValue | BuiltinValue;
}

export interface PartialValue {
  readonly kind: 'partial';
  readonly callee: Value;
  readonly positional: readonly Value[];
  readonly keywords: ReadonlyMap<string, Value>;
}

export interface ClassValue {
  readonly kind: 'class';
  readonly name: string;
  /** `torch.nn.Linear`; for users' classes the module's name and theirs. */
  readonly qualifiedName: string;
  readonly definition: ClassDefinition | undefined;
  readonly file: SourceFile | undefined;
  readonly unit: Unit | undefined;
  readonly bases: readonly Value[];
  /** The class itself first; classes that are not known are left out and make `isOpen` true. */
  readonly mro: readonly ClassValue[];
  /** A base is not known: what is not found here may be there. */
  readonly isOpen: boolean;
  readonly members: Map<string, Value>;
  /** Annotated names of the body in order: the fields of a dataclass. */
  readonly fields: readonly { readonly name: string; readonly annotation: Expression; readonly hasDefault: boolean }[];
  readonly decorators: readonly string[];
  readonly keywords: readonly Argument[];
}

export interface InstanceValue {
  readonly kind: 'instance';
  readonly id: number;
  readonly class: ClassValue;
  readonly attributes: Map<string, Value>;
  /** Other attributes may have been set by code that was not seen. */
  open: boolean;
  /** The place that made it. */
  readonly site: Site | undefined;
  /** It was made where it is not certain that the code is reached. */
  readonly isUncertain: boolean;
}

/** A module or package as a value. */
export interface NamespaceValue {
  readonly kind: 'namespace';
  readonly name: string;
  /** Undefined where only the tables of operations know the module. */
  readonly globals: Map<string, Value> | undefined;
}

export interface SuperValue {
  readonly kind: 'super';
  readonly self: Value;
  /** Lookup starts after this class in the MRO of `self`. */
  readonly after: ClassValue;
}

/** One of a few values, where branches joined. Never nested, at least two options. */
export interface UnionValue {
  readonly kind: 'union';
  readonly options: readonly Value[];
}

export type Value =
  | UnknownValue
  | NoneValue
  | BoolValue
  | IntValue
  | FloatValue
  | StringValue
  | TupleValue
  | ListValue
  | SetValue
  | DictValue
  | SliceValue
  | EllipsisValue
  | RangeValue
  | OpaqueValue
  | TensorValue
  | FunctionValue
  | BuiltinValue
  | BoundValue
  | PartialValue
  | ClassValue
  | InstanceValue
  | NamespaceValue
  | SuperValue
  | UnionValue;
