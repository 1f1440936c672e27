/** Follows a class or function on inputs of assumed shapes. */
import { rigid } from '../dims/dim.ts';
import { Facts } from '../dims/facts.ts';
import { type Shape, unknownShape } from '../dims/shape.ts';
import type { Expression, Parameter, Span } from '../syntax/python/ast.ts';
import { flag } from './answers.ts';
import { classMember } from './attributes.ts';
import { fieldsOf } from './classes.ts';
import { addHandedOn } from './handedOn.ts';
import { type InputShapes, inputShapes, type StatedAxes } from './inputs.ts';
import type { Interpreter } from './interpreter.ts';
import { unite } from './join.ts';
import { int, named, none, numberOf, unknown } from './make.ts';
import { argumentsFor, callsOf, commonArgument, type Part } from './parts.ts';
import { attentionFunctions, entriesOf, forwardMember, maskMakers } from './roots.ts';
import { beginNames, lengthScope } from './samples.ts';
import type { Symbols } from './symbols.ts';
import type { ClassValue, FunctionValue, InstanceValue, ModuleCall, TensorValue, Value } from './value.ts';

/** Which of the shapes that inputs may have. */
export interface Choice {
  /** The most plausible, or another. */
  readonly at: number;
  /** Those that code tells alone. */
  readonly onlySure?: boolean;
  /** Inputs that nothing ties together have sizes of their own. */
  readonly isApart?: boolean;
  /** Inputs whose axes nothing counts have any number of them. */
  readonly uncounted?: 'unusual' | 'all';
  /** The same for masks. */
  readonly masksAt?: number;
}

/** What is followed. */
export type Root = ClassValue | FunctionValue | Part;

/** What came of following it. */
export interface Followed {
  readonly instance: InstanceValue;
  /** What making it says of sizes. */
  readonly facts: Facts;
  /** What it answered; undefined when the end was not reached, or it raised. */
  readonly output: Value | undefined;
  readonly inputs: readonly TensorValue[];
  /** How many ways there are to choose the inputs' shapes. */
  readonly choices: number;
  readonly hasMasks: boolean;
  /** An input's number of axes is assumed, and its name is none that says it. */
  readonly isUnusual: boolean;
}

/** The module that a function makes when it is called with symbols; undefined where it makes none. */
function makerResult(interpreter: Interpreter, maker: FunctionValue, symbols: Symbols): InstanceValue | undefined {
  const keywords = new Map<string, Value>();
  for (const { name, kind } of maker.definition.parameters) {
    if (name !== undefined && kind === 'plain') keywords.set(name.name, symbols.like(maker.defaults.get(name.name), name.name, maker.name));
  }
  const result = interpreter.guard(() => interpreter.call(maker, [], keywords));
  return interpreter.isModule(result ?? none) && result?.kind === 'instance' && !result.class.file?.isPrelude ? result : undefined;
}

export function studyClass(
  interpreter: Interpreter,
  root: Root,
  symbols: Symbols,
  choice: Choice | undefined,
  stated: StatedAxes | undefined,
): Followed | undefined {
  interpreter.renew();
  if (root.kind === 'function' && [...attentionFunctions(root.file), ...maskMakers(root.file)].some((each) => each === root.definition))
    return studyFunction(interpreter, root, choice, stated);
  const made = root.kind === 'part' ? root.instance : root.kind === 'function' ? makerResult(interpreter, root, symbols) : undefined;
  if (root.kind === 'function' && made === undefined) return undefined;
  const of = root.kind === 'class' ? root : (made as InstanceValue).class;
  const initializer = made === undefined ? classMember(of, '__init__') : undefined;
  const positional: Value[] = [];
  const keywords = new Map<string, Value>();
  if (initializer?.kind === 'function') {
    for (const [at, parameter] of initializer.definition.parameters.slice(1).entries()) {
      if (parameter.name === undefined) continue;
      const fallback = initializer.defaults.get(parameter.name.name);
      if (parameter.kind === 'plain') keywords.set(parameter.name.name, symbols.argument(of, parameter, at - 1, fallback));
    }
    addHandedOn(interpreter, of, initializer, symbols, keywords);
  } else if (made === undefined) {
    // A record of settings, as modules of Flax are.
    for (const { name, owner, annotation } of fieldsOf(of)) keywords.set(name, symbols.field(owner, name, annotation));
  }
  const instance = made ?? interpreter.guard(() => interpreter.call(of, positional, keywords));
  if (instance?.kind !== 'instance') return undefined;
  const { facts } = interpreter;
  const calls = root.kind === 'part' ? callsOf(root) : undefined;
  const inputs: TensorValue[] = [];
  let output: Value | undefined;
  let choices = 0;
  let hasMasks = false;
  let isUnusual = false;
  for (const entry of entriesOf(of)) {
    const run = follow(interpreter, instance, entry, choice, stated, calls);
    output = run.output;
    inputs.push(...run.inputs);
    choices = Math.max(choices, run.choices);
    hasMasks ||= run.hasMasks;
    isUnusual ||= run.isUnusual;
    // What fails is followed no further.
    if (output === undefined) break;
  }
  return { instance, facts, output, inputs, choices, hasMasks, isUnusual };
}

/** Follows a function that attends, or makes a mask, as if it were a module without layers. */
function studyFunction(
  interpreter: Interpreter,
  root: FunctionValue,
  choice: Choice | undefined,
  stated: StatedAxes | undefined,
): Followed | undefined {
  const { globals } = interpreter.names.module('torch.nn') ?? {};
  const holder = globals === undefined ? undefined : interpreter.guard(() => interpreter.names.global(globals, 'Module'));
  if (holder?.kind !== 'class') return undefined;
  const instance = interpreter.instance(holder);
  return { instance, facts: Facts.none, ...follow(interpreter, instance, root, choice, stated) };
}

/** Calls one method of an instance, or a function, with inputs of the shapes that they have by the choice. */
function follow(
  interpreter: Interpreter,
  instance: InstanceValue,
  entry: FunctionValue,
  choice: Choice | undefined,
  stated: StatedAxes | undefined,
  /** How a model calls what is a part of it. */
  calls?: readonly ModuleCall[],
): Omit<Followed, 'instance' | 'facts'> {
  const of = instance.class;
  const isAlone = entry.owner === undefined && of.file?.isPrelude === true;
  const inputs: TensorValue[] = [];
  const given = new Map<string, Value>();
  const parameters = isAlone ? entry.definition.parameters : entry.definition.parameters.slice(1);
  const names = parameters.flatMap(({ name, kind }) => (name === undefined || kind !== 'plain' ? [] : [name.name]));
  const shapes =
    choice === undefined || entry.definition.kind !== 'function'
      ? new Map<string, InputShapes>()
      : inputShapes(interpreter, isAlone ? undefined : instance, entry, names, stated, choice.onlySure, calls !== undefined);
  let hasMasks = false;
  /** What the model gives the parameters before, and the tensors that stand for it. */
  const before: (readonly [readonly (Value | undefined)[], TensorValue])[] = [];
  for (const parameter of parameters) {
    if (parameter.name === undefined || parameter.kind !== 'plain') continue;
    const fallback = entry.defaults.get(parameter.name.name);
    const known = shapes.get(parameter.name.name);
    const { shapes: likely, isMask } = known ?? { shapes: [], isMask: false };
    const values = calls === undefined ? [] : argumentsFor(calls, parameters, parameter);
    const shown = commonArgument(values);
    const assumed =
      (choice?.uncounted === 'all' || (choice?.uncounted === 'unusual' && known?.isUsual === false) ? known?.uncounted : undefined) ??
      (choice?.isApart === true ? known?.apart : undefined) ??
      likely[(isMask ? choice?.masksAt : choice?.at) ?? 0] ??
      likely.at(-1);
    // Where its number of axes is seen, none is assumed; a model may have spread the mask that it was given.
    const rank = shown?.kind === 'tensor' && shown.shape.ellipsis === undefined ? shown.shape.dims.length : undefined;
    const isOther = rank === undefined ? isMask && calls !== undefined : assumed !== undefined && assumed.dims.length !== rank;
    // What is one tensor in the model has one shape.
    const twin = before.find(([others]) => others.every((other, i) => other === values[i]))?.[1];
    const shape = twin?.shape ?? (isOther ? (likely.find(({ dims }) => dims.length === rank) ?? unknownShape) : assumed);
    const isOptional = fallback?.kind === 'none';
    if (isMask && shape !== undefined) {
      hasMasks = true;
      const mask: TensorValue = { ...inputTensor(parameter.name, isAlone ? entry : of, shape, undefined), content: 'mask' };
      given.set(parameter.name.name, isOptional ? unite([mask, none]) : mask);
      continue;
    }
    const isStated =
      (fallback === undefined && parameter.annotation === undefined && likely.length > 0) ||
      (entry.definition.kind === 'function' && stated?.(entry.definition, parameter.name.name) !== undefined);
    if (shown !== undefined && shown.kind !== 'tensor') {
      given.set(parameter.name.name, shown);
      continue;
    }
    const plain =
      shown === undefined
        ? forwardArgument(parameter, fallback, isAlone ? entry : of, shape, isStated)
        : inputTensor(parameter.name, of, shape ?? unknownShape, shown.dtype);
    const argument = plain.kind === 'tensor' && known?.uncounted !== undefined ? { ...plain, isUncounted: true } : plain;
    // Of inputs that need not be given, one stands for all: some exclude each other.
    const value =
      argument.kind === 'tensor' && isOptional && inputs.length > 0 && shown === undefined ? unknown(parameter.name.name) : argument;
    if (value.kind === 'tensor') inputs.push(value);
    if (value.kind === 'tensor' && shown !== undefined) before.push([values, value]);
    given.set(parameter.name.name, value);
  }
  const isForward = forwardMember(of) === entry;
  // How many inputs `*inputs` collects is not known.
  const takesMore = parameters.some(({ kind }) => kind === 'args');
  const output = interpreter.guard(() =>
    interpreter.call(isAlone ? entry : isForward ? instance : { kind: 'bound', self: instance, callee: entry }, [], given, takesMore),
  );
  const choices = inputs.reduce((most, { site }) => {
    const name = parameters.find((parameter) => parameter.name === site?.node)?.name?.name ?? '';
    return Math.max(most, shapes.get(name)?.shapes.length ?? 0);
  }, 0);
  const isUnusual = [...shapes.values()].some((known) => known.uncounted !== undefined && !known.isUsual);
  return { output, inputs, choices, hasMasks, isUnusual };
}

/** Inputs that are tensors by their name, and what they hold. */
const tensorNames =
  /^(?:x\d?|y|q|k|v|h|z|src|tgt|inp|inputs?|input_ids|ids|idx|tokens|targets|labels|query|queries|keys?|values?|context|memory|hidden|hidden_states?|inputs_embeds|embeds?|embeddings|pixel_values|images?|img|pixels|patches|features?|residual|encoder_hidden_states|encoder_outputs?|enc_output|dec_input|enc_input|feats|xs|cond|latents?|x_\w+|token_ids|position_ids|residual_\w+|attn_output|hidden_state)$/;

const countNames =
  /^(?:n|t|h|w|b|H|W|idx|i|step|pos|start|end)$|(?:_pos|_?len(?:gth)?|_?size|^num_\w+|^n_\w+|offset|start_\w+|_idx|_index|height|width|_step|timestep)$/;

const scaleNames = /^(?:\w+_)?(?:scale|scaling|sm_scale)$/;

const wholeNumberNames = /^(?:input_pos|cache_pos(?:ition)?s?)$|(?:_ids|^ids|^idx|^tokens|^targets|^labels|^src_tokens|token_ids)$/;

function forwardArgument(
  parameter: Parameter,
  fallback: Value | undefined,
  of: ClassValue | FunctionValue,
  shape: Shape = unknownShape,
  isStated = false,
): Value {
  const name = parameter.name?.name ?? '';
  const scope = of.kind === 'class' ? of.qualifiedName : of.name;
  const type = annotationText(parameter.annotation);
  const isTensor =
    isStated ||
    (type === undefined
      ? tensorNames.test(name)
      : /Tensor|(?:Nd|nd)?[Aa]rray\b|Float\[|Int\[/.test(type) && !/(?:tuple|list|dict|Tuple|List|Dict)\b/.test(type));
  const isOptional = fallback !== undefined;
  if (!isTensor || (isOptional && !tensorNames.test(name))) {
    // A name under which it may stand as a number, where it may be one.
    if (beginNames.test(name) && (/\bint\b/.test(type ?? '') || (fallback?.kind === 'int' && numberOf(fallback) === 0)))
      return int(rigid(name, { scope: lengthScope, min: 0 }));
    if (scaleNames.test(name) && (fallback === undefined || fallback.kind === 'none' || fallback.kind === 'float'))
      return named(name, scope);
    if (fallback === undefined || fallback.kind === 'none')
      return /\bint\b/.test(type ?? '') || (type === undefined && countNames.test(name)) ? named(name, scope) : unknown(name);
    return fallback.kind === 'bool' ? flag(name, scope) : fallback.kind === 'int' ? named(name, scope) : fallback;
  }
  // A mask may be of any kind; what is known for a tensor by its use alone, too.
  const dtype = wholeNumberNames.test(name) ? 'int64' : type === undefined && !tensorNames.test(name) ? undefined : 'float';
  return parameter.name === undefined ? unknown(name) : inputTensor(parameter.name, of, shape, dtype);
}

/** What comes in for a parameter. */
const inputTensor = (node: Span, of: ClassValue | FunctionValue, shape: Shape, dtype: string | undefined): TensorValue => ({
  kind: 'tensor',
  id: 0,
  shape,
  dtype,
  op: 'input',
  arguments: new Map(),
  inputs: [],
  site: of.file === undefined || of.unit === undefined ? undefined : { file: of.file, unit: of.unit, node },
});

function annotationText(annotation: Expression | undefined): string | undefined {
  if (annotation === undefined) return undefined;
  switch (annotation.kind) {
    case 'name':
      return annotation.name;
    case 'attribute':
      return `${annotationText(annotation.object) ?? ''}.${annotation.name.name}`;
    case 'string':
      return annotation.value;
    case 'subscript':
      return `${annotationText(annotation.object) ?? ''}[${annotation.indices.map((index) => annotationText(index) ?? '').join(', ')}]`;
    case 'binary':
      return `${annotationText(annotation.left) ?? ''} | ${annotationText(annotation.right) ?? ''}`;
    default:
      return '';
  }
}
