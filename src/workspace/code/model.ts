/** A whole model evaluated from its source: every parameter's name and shape, every local tensor's shape. Nothing is executed. */
import { type Dim, number, rigid } from '../../dims/dim.ts';
import { formatDim } from '../../dims/format.ts';
import { applyToShape, type Shape, shapeOf } from '../../dims/shape.ts';
import { classMember, setPlain } from '../../interpreter/attributes.ts';
import {
  type ConfigObject,
  type ConfigValue,
  configurationClassOf,
  isLibraryConfiguration,
  makeConfiguration,
  makeNamespace,
  pythonValue,
  readConfiguration,
} from '../../interpreter/configs.ts';
import { makeCall } from '../../interpreter/define.ts';
import { classNamed, evaluateCall } from '../../interpreter/entry.ts';
import type { Frame } from '../../interpreter/frame.ts';
import { Interpreter } from '../../interpreter/interpreter.ts';
import { bool, named, unknown } from '../../interpreter/make.ts';
import { parametersOf } from '../../interpreter/modules.ts';
import type { SourceLoader } from '../../interpreter/program.ts';
import type { Failure, Variable } from '../../interpreter/recording.ts';
import type { ClassValue, Dtype, FunctionValue, InstanceValue, SourceFile, TensorValue, Value } from '../../interpreter/value.ts';
import type { PythonModule, Span, Statement, Unit } from '../../syntax/python/ast.ts';
import { eachChildStatement } from '../../syntax/python/walk.ts';
import { LineIndex } from '../../text/lineIndex.ts';

export type { ConfigObject, ConfigValue };
export { readConfiguration };

/** A number where the configuration decides it, otherwise an expression; undefined where it is not known. */
export type Size = number | string | undefined;

export interface ModelParameter {
  readonly name: string;
  /** Undefined when its number of axes is not known. */
  readonly shape: readonly Size[] | undefined;
  /** It is the parameter that stands under another name before. */
  readonly tied?: true;
}

export interface ModelVariable {
  readonly file: string;
  /** As Python's `__qualname__`. */
  readonly function: string;
  /** One-based first line of the assigning statement; for an argument that of the function, its decorators included. */
  readonly line: number;
  /** One-based last line of the statement. */
  readonly lastLine: number;
  readonly name: string;
  readonly shape: readonly Size[] | undefined;
}

export interface ModelQuestion {
  readonly loader: SourceLoader;
  readonly parse: (text: string) => PythonModule;
  readonly file: SourceFile;
  readonly className: string;
  readonly config: ConfigObject;
  /** Sizes of the inputs, symbols where undefined; without them `forward` is not evaluated. */
  readonly inputs?: { readonly batch: number | undefined; readonly sequence: number | undefined; readonly decoderSequence?: number };
  readonly budget?: number;
}

export interface ModelAnswer {
  /** Under every name that a parameter has: tied weights appear more than once. */
  readonly parameters: readonly ModelParameter[];
  /** Names that may hold other parameters, which could not be evaluated. */
  readonly unknown: readonly string[];
  readonly variables: readonly ModelVariable[];
  readonly failures: readonly Failure[];
  /** Why nothing could be said. */
  readonly problem?: string;
}

const nothing = (problem: string): ModelAnswer => ({ parameters: [], unknown: ['*'], variables: [], failures: [], problem });

/** Builds the class with the configuration, and follows `forward` where inputs are given. Never throws. */
export function evaluateModel(question: ModelQuestion): ModelAnswer {
  const variables: Variable[] = [];
  /** The tensor that each name of a frame holds: naming it again, or changing it in place, makes no other. */
  const held = new WeakMap<Frame, Map<string, TensorValue>>();
  const failures: Failure[] = [];
  const shapes = new Map<Variable, Shape>();
  let isRunning = false;
  const interpreter = new Interpreter({
    loader: question.loader,
    parse: question.parse,
    budget: question.budget ?? 20_000_000,
    recorder: {
      variable: (variable) => {
        if (!isRunning || variable.value.kind !== 'tensor') return;
        const names = held.get(variable.frame) ?? new Map<string, TensorValue>();
        if (names.size === 0) held.set(variable.frame, names);
        const before = names.get(variable.name);
        names.set(variable.name, variable.value);
        if (before !== undefined && (before === variable.value || isInPlace(variable, before))) return;
        variables.push(variable);
        shapes.set(variable, applyToShape(variable.value.shape, interpreter.substitution));
      },
      failure: (failure) => {
        failures.push(failure);
      },
    },
  });
  const of = classNamed(interpreter, question.file, question.className);
  if (of === undefined) return nothing(`there is no class ${question.className}`);
  interpreter.renew();
  const given = argumentsFor(interpreter, of, question.config);
  if (given === undefined) return nothing(`the configuration of ${question.className} could not be built`);
  const { configuration } = given;
  const model = evaluateCall(interpreter, of, given.positional, given.keywords);
  if (model?.kind !== 'instance') return nothing(`${question.className} could not be built`);
  const found = parametersOf(interpreter, model);
  const seen = new Set<TensorValue>();
  const parameters: readonly ModelParameter[] = found.parameters.map(({ name, tensor }) => {
    const isTied = seen.has(tensor);
    seen.add(tensor);
    return { name, shape: sizesOf(applyToShape(tensor.shape, interpreter.substitution)), ...(isTied ? { tied: true } : {}) };
  });
  if (question.inputs !== undefined) {
    isRunning = true;
    stopTraining(interpreter, model);
    runForward(interpreter, of, model, configuration, question.inputs);
  }
  const lines = new Places();
  return {
    parameters,
    unknown: found.unknown,
    variables: variables.flatMap((variable, i) => {
      const place = lines.placeOf(variable);
      const next = variables[i + 1];
      // `a, _, _ = ...`: the name holds the last of them.
      const isReplaced = next?.frame === variable.frame && next.name === variable.name && next.site.node !== variable.site.node;
      if (place === undefined || (isReplaced && lines.placeOf(next)?.line === place.line)) return [];
      return [{ ...place, name: variable.name, shape: sizesOf(shapes.get(variable) as Shape) }];
    }),
    failures,
  };
}

/** `x += y` on a tensor, and layers that write into what they are given: the name keeps its tensor. */
function isInPlace({ value, site }: Variable, before: TensorValue): boolean {
  if (value.kind !== 'tensor' || value.inputs[0] !== before) return false;
  const inplace = value.arguments.get('inplace');
  if (inplace?.kind === 'bool' && inplace.value === true) return true;
  return value.op.endsWith('_') || isAugmented(site);
}

const augmented = new WeakMap<Unit['body'], ReadonlySet<number>>();

/** Whether the target is that of an assignment such as `+=`. */
function isAugmented({ unit, node }: Variable['site']): boolean {
  let starts = augmented.get(unit.body);
  if (starts === undefined) {
    const found = new Set<number>();
    const visit = (statement: Statement): void => {
      if (statement.kind === 'augmentedAssign') found.add(statement.target.start);
      eachChildStatement(statement, visit);
    };
    visit(unit.body.statement);
    starts = found;
    augmented.set(unit.body, starts);
  }
  return starts.has(node.start);
}

/** `model.eval()`: every module inside it too. */
function stopTraining(interpreter: Interpreter, model: InstanceValue): void {
  const seen = new Set<InstanceValue>();
  const visit = (value: Value): void => {
    if (!interpreter.isModule(value) || seen.has(value)) return;
    seen.add(value);
    for (const inner of value.attributes.values()) {
      if (inner.kind === 'union') inner.options.forEach(visit);
      else visit(inner);
    }
    setPlain(interpreter, value, 'training', bool(false));
  };
  visit(model);
}

/** Names under which a constructor takes all of its settings. */
const settings = /^(?:config|cfg|conf|args|hparams|params|opt|options)$/;

/** What the constructor is given, and the configuration that `forward` may ask for sizes. */
function argumentsFor(
  interpreter: Interpreter,
  model: ClassValue,
  config: ConfigObject,
): { readonly configuration: Value; readonly positional: readonly Value[]; readonly keywords: ReadonlyMap<string, Value> } | undefined {
  const of = configurationClassOf(interpreter, model) ?? namesakeOf(interpreter, model);
  const parameters = functionOf(classMember(model, '__init__'))?.definition.parameters.slice(1) ?? [];
  const [first] = parameters;
  const takesSettings = of !== undefined && isLibraryConfiguration(of);
  if (takesSettings || (first?.name !== undefined && settings.test(first.name.name))) {
    const configuration =
      of === undefined ? makeNamespace(interpreter, first?.name?.name ?? 'config', config) : makeConfiguration(interpreter, of, config);
    return configuration === undefined ? undefined : { configuration, positional: [configuration], keywords: new Map() };
  }
  // Settings one by one: those that the file does not hold, and that have no default, stand under their names.
  const keywords = new Map<string, Value>();
  for (const { kind, name, default: written } of parameters) {
    if (kind !== 'plain' || name === undefined) continue;
    const value = config[name.name];
    if (value !== undefined) keywords.set(name.name, pythonValue(value));
    else if (written === undefined) keywords.set(name.name, named(name.name, model.name));
  }
  return { configuration: pythonValue(config), positional: [], keywords };
}

/** The class of the same file that is called like the model's settings: `GPTConfig` of `GPT`, or the only one of its kind. */
function namesakeOf(interpreter: Interpreter, model: ClassValue): ClassValue | undefined {
  const { file } = model;
  if (file === undefined) return undefined;
  const candidates = file.module.units.flatMap(({ body: { statement } }) =>
    statement.kind === 'class' && /(?:Config|Args|Params|Hparams)$/.test(statement.name.name) ? [statement.name.name] : [],
  );
  const own = candidates.find((name) => name.replace(/(?:Config|Args|Params|Hparams)$/, '') === model.name);
  const chosen = own ?? (candidates.length === 1 ? candidates[0] : undefined);
  return chosen === undefined ? undefined : classNamed(interpreter, file, chosen);
}

const sizeOf = (dim: Dim): Size =>
  dim.constant !== undefined
    ? dim.constant
    : dim.terms.some(({ monomial }) => monomial.factors.some(({ atom }) => atom.unknown))
      ? undefined
      : formatDim(dim);
const sizesOf = ({ dims, ellipsis }: Shape): readonly Size[] | undefined => (ellipsis === undefined ? dims.map(sizeOf) : undefined);

// ---------------------------------------------------------------------------------------------------------------------
// Inputs

const functionOf = (value: Value | undefined): FunctionValue | undefined =>
  value?.kind === 'bound' ? functionOf(value.callee) : value?.kind === 'function' ? value : undefined;

function runForward(
  interpreter: Interpreter,
  of: ClassValue,
  model: InstanceValue,
  config: Value,
  sizes: NonNullable<ModelQuestion['inputs']>,
): void {
  const forward = functionOf(classMember(of, 'forward'));
  if (forward === undefined) return;
  const names = forward.definition.parameters.flatMap(({ kind, name }) => (kind === 'plain' && name !== undefined ? [name.name] : []));
  const input = (name: string, dims: readonly Dim[], dtype: Dtype): TensorValue =>
    interpreter.tensor('input', makeCall(name, new Map(), new Set(), undefined), shapeOf(...dims), { dtype, inputs: [] });
  const batch = sizes.batch === undefined ? rigid('batch') : number(sizes.batch);
  const sequence = sizes.sequence === undefined ? rigid('sequence') : number(sizes.sequence);
  const keywords = new Map<string, Value>();
  const read = (name: string): number | undefined => firstNumber(interpreter, config, name);
  const size = read('image_size') ?? read('img_size');
  // Token models take tokens alone; pictures and sound come in where there are none.
  const tokens = names.find((name) => /^(?:input_ids|idx|tokens|input_tokens|ids)$/.test(name));
  const pictures = names.find((name) => name === 'pixel_values' || (/^(?:x|img|imgs|image|images)$/.test(name) && size !== undefined));
  if (tokens !== undefined) {
    keywords.set(tokens, input(tokens, [batch, sequence], 'int64'));
    // A decoder of another length tells its axis apart from the encoder's.
    const decoder = sizes.sequence === undefined ? rigid('target') : number(sizes.decoderSequence ?? Math.max(1, sizes.sequence - 2));
    if (names.includes('decoder_input_ids')) keywords.set('decoder_input_ids', input('decoder_input_ids', [batch, decoder], 'int64'));
  } else if (pictures !== undefined) {
    const side = size ?? 224;
    const channels = read('num_channels') ?? read('in_channels') ?? read('in_chans') ?? 3;
    const frames = read('num_frames');
    const picture = [number(channels), number(side), number(side)];
    keywords.set(pictures, input(pictures, frames === undefined ? [batch, ...picture] : [batch, number(frames), ...picture], 'float32'));
  } else {
    const [, first] = names;
    // A model that embeds is given tokens, whatever it calls them.
    const embeds = [...model.attributes.values()].some(
      (value) => isEmbedding(value) || (interpreter.isModule(value) && [...value.attributes.values()].some(isEmbedding)),
    );
    if (first !== undefined) keywords.set(first, embeds ? input(first, [batch, sequence], 'int64') : unknown('the first input'));
  }
  // One step without a cache, as a model is tried out.
  if (names.includes('use_cache')) keywords.set('use_cache', bool(false));
  for (const { kind, name, annotation, default: written } of forward.definition.parameters.slice(1)) {
    if (kind !== 'plain' || name === undefined || written !== undefined || keywords.has(name.name)) continue;
    const isSize = annotation?.kind === 'name' && annotation.name === 'int';
    keywords.set(name.name, isSize ? named(name.name, forward.name) : unknown(name.name));
  }
  evaluateCall(interpreter, model, [], keywords);
}

const isEmbedding = (value: Value): boolean =>
  value.kind === 'instance' &&
  value.class.mro.some(({ qualifiedName }) => /^torch\.nn\.(?:modules\.sparse\.)?Embedding$/.test(qualifiedName));

/** A number of the configuration; the first where there are several. */
function firstNumber(interpreter: Interpreter, config: Value, name: string): number | undefined {
  let value = config.kind === 'dict' ? config.entries.get(name)?.value : interpreter.guard(() => interpreter.attribute(config, name));
  if (value?.kind === 'list' || value?.kind === 'tuple') value = value.items[0];
  return value?.kind === 'int' ? value.dim.constant : undefined;
}

// ---------------------------------------------------------------------------------------------------------------------
// Places

interface Place {
  readonly file: string;
  readonly function: string;
  readonly line: number;
  readonly lastLine: number;
}

/** Lines of variables, with what is worked out once per file and statement. */
class Places {
  readonly #lines = new Map<SourceFile, LineIndex>();
  readonly #statements = new Map<Unit['body'], readonly Span[]>();

  placeOf({ frame, site, isArgument }: Variable): Place | undefined {
    const { file, unit } = site;
    const callee = frame.function;
    if (callee === undefined || callee.definition.kind !== 'function') return undefined;
    let lines = this.#lines.get(file);
    if (lines === undefined) {
      lines = new LineIndex(file.module.text);
      this.#lines.set(file, lines);
    }
    const lineAt = (offset: number): number => (lines as LineIndex).positionAt(unit.start + offset).line + 1;
    const name = callee.owner === undefined ? callee.name : `${callee.owner.name}.${callee.name}`;
    const place = { file: file.path, function: name };
    if (isArgument) {
      const line = lineAt(callee.definition.start);
      return { ...place, line, lastLine: line };
    }
    const statement = this.#statementAt(unit, site.node);
    return { ...place, line: lineAt(statement.start), lastLine: lineAt(Math.max(statement.start, statement.end - 1)) };
  }

  /** The innermost statement around a node; of one with a body only what stands before it. */
  #statementAt(unit: Unit, node: Span): Span {
    let spans = this.#statements.get(unit.body);
    if (spans === undefined) {
      spans = headsOf(unit.body.statement);
      this.#statements.set(unit.body, spans);
    }
    let low = 0;
    let high = spans.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((spans[middle] as Span).start <= node.start) low = middle;
      else high = middle - 1;
    }
    return spans[low] ?? node;
  }
}

function headsOf(statement: Statement): readonly Span[] {
  const spans: Span[] = [];
  const visit = (each: Statement): void => {
    let first = Number.POSITIVE_INFINITY;
    eachChildStatement(each, (child) => {
      first = Math.min(first, child.start);
    });
    spans.push({ start: each.start, end: first === Number.POSITIVE_INFINITY ? each.end : first });
    eachChildStatement(each, visit);
  };
  visit(statement);
  return spans.sort((a, b) => a.start - b.start);
}
