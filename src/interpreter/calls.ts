import type { Shape } from '../dims/shape.ts';
import { unknownShape } from '../dims/shape.ts';
import type { Statement } from '../syntax/python/ast.ts';
import { classMember } from './attributes.ts';
import { bindFunction } from './binding.ts';
import { either } from './choices.ts';
import { decoratorName, instantiate } from './classes.ts';
import { bindArguments, makeCall } from './define.ts';
import { Raised } from './errors.ts';
import { evaluate } from './expressions.ts';
import { type Frame, nothingYet } from './frame.ts';
import type { Interpreter } from './interpreter.ts';
import { join } from './join.ts';
import { standInFor, standInModule } from './library/standIns.ts';
import { list, named as namedValue, none, nothingReturned, unknown } from './make.ts';
import { registerSettings } from './registered.ts';
import { type Completion, runBody, yields } from './statements.ts';
import type { BuiltinValue, FunctionValue, InstanceValue, ModuleCall, Value } from './value.ts';

const maximumDepth = 120;

const maximumRecursion = 12;

export function callValue(
  interpreter: Interpreter,
  callee: Value,
  positional: readonly Value[],
  keywords: ReadonlyMap<string, Value> = new Map(),
  openArguments = false,
): Value {
  switch (callee.kind) {
    case 'builtin':
      return callOperation(interpreter, callee, positional, keywords, openArguments);
    case 'function':
      return callFunction(interpreter, callee, positional, keywords, openArguments);
    case 'bound':
      return interpreter.call(callee.callee, [callee.self, ...positional], keywords, openArguments);
    case 'partial': {
      const merged = new Map([...callee.keywords, ...keywords]);
      return interpreter.call(callee.callee, [...callee.positional, ...positional], merged, openArguments);
    }
    case 'class':
      return openArguments || interpreter.options.shares !== true || callee.file?.isPrelude !== false || interpreter.uncertain > 0
        ? instantiate(interpreter, callee, positional, keywords, openArguments)
        : interpreter.memory.made(callee, positional, keywords, () =>
            instantiate(interpreter, callee, positional, keywords, openArguments),
          );
    case 'instance': {
      const method = classMember(callee.class, '__call__');
      if (method === undefined) {
        // A module whose base is not known is called as modules are.
        const forward = callee.class.isOpen ? classMember(callee.class, 'forward') : undefined;
        return forward === undefined
          ? unknown(`a call of ${callee.class.name}`)
          : callModule(interpreter, callee, forward, positional, keywords, openArguments);
      }
      if (!interpreter.isModule(callee)) return interpreter.call(method, [callee, ...positional], keywords, openArguments);
      const isLayer = callee.class.file?.isPrelude === true;
      interpreter.layers.push(isLayer ? callee : undefined);
      const follow = (): Value => callModule(interpreter, callee, method, positional, keywords, openArguments);
      const isShared = interpreter.options.shares === true && !openArguments && callee.class.file?.isPrelude === false;
      const result = isShared ? interpreter.memory.called(callee, positional, keywords, follow) : follow();
      interpreter.layers.pop();
      return result;
    }
    case 'union':
      return either(
        interpreter,
        callee.options.filter(({ kind }) => kind !== 'none'),
        (option) => interpreter.call(option, positional, keywords, openArguments),
      );
    case 'unknown':
      // The number of cached tokens stands under its own name.
      if (callee.path !== undefined && /\.get_(?:seq|usable)_length$/.test(callee.path))
        return namedValue(`${callee.path}()`, callee.scope ?? '');
      return standIn(interpreter, callee.path ?? callee.reason, positional, keywords) ?? unknown(`a call of ${callee.reason}`);
    case 'opaque':
      return standIn(interpreter, callee.name, positional, keywords) ?? unknown(`a call of ${callee.name}`);
    default:
      return unknown(`a call of ${callee.kind}`);
  }
}

/** In linting, what is usually meant by the name of something that cannot be read. */
function standIn(
  interpreter: Interpreter,
  name: string,
  positional: readonly Value[],
  keywords: ReadonlyMap<string, Value>,
): Value | undefined {
  const described = interpreter.assumesShapes ? standInFor(name) : undefined;
  return described === undefined
    ? undefined
    : interpreter.call(interpreter.names.library(`${standInModule}.${described}`), positional, keywords);
}

function callModule(
  interpreter: Interpreter,
  instance: InstanceValue,
  method: Value,
  positional: readonly Value[],
  keywords: ReadonlyMap<string, Value>,
  openArguments: boolean,
): Value {
  const parent = interpreter.within;
  const call: ModuleCall = { instance, site: interpreter.site, parent, trace: interpreter.trace, positional, keywords, result: undefined };
  interpreter.recording.note(call);
  interpreter.within = call;
  try {
    call.result = interpreter.call(method, [instance, ...positional], keywords, openArguments);
    return call.result;
  } finally {
    interpreter.within = parent;
  }
}

function callOperation(
  interpreter: Interpreter,
  callee: BuiltinValue,
  positional: readonly Value[],
  keywords: ReadonlyMap<string, Value>,
  openArguments: boolean,
): Value {
  const plain = positional.some(isUnion) ? positional.map(withoutNone) : positional;
  let named = keywords;
  for (const [key, value] of keywords) {
    if (!isUnion(value)) continue;
    if (named === keywords) named = new Map(keywords);
    (named as Map<string, Value>).set(key, withoutNone(value));
  }
  const { bound, given } = bindArguments(callee.operation.signature, plain, named, openArguments);
  const call = makeCall(callee.name, bound, given, interpreter.site);
  interpreter.trials.isDoubtful = false;
  const { isWritten } = interpreter;
  interpreter.isWritten = false;
  const wereArrays = interpreter.makesArrays;
  interpreter.makesArrays ||= callee.name.startsWith('numpy.');
  let value: Value;
  try {
    value = callee.operation.run(call, interpreter);
  } finally {
    interpreter.makesArrays = wereArrays;
  }
  interpreter.isWritten = isWritten;
  const out = named.get('out');
  // What is written into takes the result's shape.
  if (out?.kind === 'tensor') interpreter.write(out, 'shape', value.kind === 'tensor' ? value.shape : unknownShape);
  const { witness } = interpreter.options;
  if (witness !== undefined) {
    const length = callee.name === 'builtins.len' ? witness.lengthOf(bound.get('obj')) : undefined;
    if (length !== undefined) return length;
    value = witness.settle(value, [...bound.values()], (numbers) => {
      const names = [...bound.keys()];
      const again = new Map(numbers.map((each, i) => [names[i] as string, each]));
      return callee.operation.run(makeCall(callee.name, again, given, interpreter.site), interpreter);
    });
  }
  if (interpreter.trials.isDoubtful && interpreter.options.samples !== undefined && !interpreter.recording.isPaused)
    interpreter.trials.attempt(callee, call, bound, given, interpreter.options.samples);
  return value;
}

function callFunction(
  interpreter: Interpreter,
  callee: FunctionValue,
  positional: readonly Value[],
  keywords: ReadonlyMap<string, Value>,
  openArguments: boolean,
): Value {
  if (interpreter.running.length >= maximumDepth) return unknown('calls go too deep');
  let recursion = 0;
  for (const running of interpreter.running) if (running === callee.definition) recursion += 1;
  if (recursion >= maximumRecursion) return unknown('a recursion');
  const bound = bindFunction(callee, positional, keywords, openArguments);
  if (typeof bound === 'string') {
    if (interpreter.isWritten && !callee.file.isPrelude && mayBeCalledAsWritten(callee))
      interpreter.complain({ kind: 'arguments', message: `\`${callee.name}\`: ${bound}` });
    return unknown(`arguments that do not fit ${callee.name}`);
  }
  const { definition } = callee;
  const frame: Frame = {
    locals: new Map(bound),
    function: callee,
    owner: callee.owner,
    file: callee.file,
    unit: callee.unit,
    globals: callee.globals,
    parent: callee.closure,
    ...nothingYet(),
    self: callee.owner === undefined ? undefined : positional[0],
  };
  interpreter.recording.note({ happened: 'called', callee });
  interpreter.running.push(definition);
  const { site, isWritten, answers, facts } = interpreter;
  const isUser = !callee.file.isPrelude;
  if (interpreter.names.isStudied(callee.file)) interpreter.memory.rest(callee.unit.body);
  const trace = interpreter.trace;
  if (isUser && site !== undefined) {
    interpreter.sites.push(site);
    interpreter.trace = { site, parent: trace };
  }
  try {
    if (definition.kind === 'lambda') return evaluate(interpreter, frame, definition.body);
    if (isUser) {
      recordArguments(interpreter, frame, definition.parameters);
      registerSettings(interpreter, callee, frame.self, bound);
    }
    const completion = runFunction(interpreter, frame, definition.body);
    const value = resultOf(interpreter, frame, completion, callee);
    for (const changes of frame.exits) interpreter.heap.admit(changes, frame.locals, interpreter.preference);
    interpreter.recording.note({ happened: 'returned', frame, value });
    return value;
  } finally {
    interpreter.running.pop();
    // What an early return left behind holds on one of the ways out.
    interpreter.answers = answers;
    if (frame.returned.length > 0) interpreter.facts = facts;
    interpreter.isWritten = isWritten;
    if (isUser && site !== undefined) interpreter.sites.pop();
    interpreter.trace = trace;
    interpreter.site = site;
  }
}

/** Undefined where the path to the end raises and only an earlier return is left. */
function runFunction(interpreter: Interpreter, frame: Frame, body: readonly Statement[]): Completion | undefined {
  const [sites, layers] = [interpreter.sites.length, interpreter.layers.length];
  try {
    return runBody(interpreter, frame, body);
  } catch (error) {
    if (!(error instanceof Raised) || frame.returned.length === 0) throw error;
    interpreter.sites.length = sites;
    interpreter.layers.length = layers;
    return undefined;
  }
}

function recordArguments(
  interpreter: Interpreter,
  frame: Frame,
  parameters: readonly { readonly name: { readonly name: string; readonly start: number; readonly end: number } | undefined }[],
): void {
  const { recorder } = interpreter.options;
  if (recorder?.variable === undefined || frame.unit === undefined) return;
  for (const { name } of parameters) {
    const value = name === undefined ? undefined : frame.locals.get(name.name);
    if (name === undefined || value === undefined) continue;
    const site = { file: frame.file, unit: frame.unit, node: name };
    interpreter.recording.note({ happened: 'variable', variable: { frame, site, name: name.name, value, isArgument: true } });
  }
}

function resultOf(interpreter: Interpreter, frame: Frame, completion: Completion | undefined, callee: FunctionValue): Value {
  const isGenerator = callee.definition.kind === 'function' && yields(callee.definition);
  if (isGenerator) return list(frame.yielded);
  const last = completion?.kind === 'return' ? completion.value : completion?.kind === 'normal' ? none : undefined;
  const values = last === undefined ? frame.returned : [...frame.returned, last];
  if (values.length === 0) return none;
  if (completion?.kind === 'normal' && values.length === 1 && endsWithAssignment(callee)) return nothingReturned;
  return values.reduceRight((general, value) => {
    // A result under an equality of sizes is a special case of what comes after: `if n_rep == 1: return x`.
    const isSpecial = interpreter.assumesShapes && frame.special.has(value) && general.kind === 'tensor' && value.kind === 'tensor';
    return isSpecial && sameRank(general.shape, value.shape) ? general : join(value, general, interpreter.preference);
  });
}

/** What the function computes last is lost, as where `return` was forgotten. */
const endsWithAssignment = ({ definition }: FunctionValue): boolean =>
  definition.kind === 'function' && definition.body.at(-1)?.kind === 'assign';

const plainDecorators = /^(?:staticmethod|classmethod|(?:cached_)?property|(?:torch\.)?(?:no_grad|inference_mode|enable_grad))$/;

/** No decorator, and no class that is not known, may change what the function takes. */
const mayBeCalledAsWritten = ({ definition, owner }: FunctionValue): boolean =>
  (definition.kind === 'lambda' || definition.decorators.every((each) => plainDecorators.test(decoratorName(each)))) &&
  (owner === undefined || (!owner.isOpen && owner.decorators.length === 0 && owner.keywords.length === 0));

const sameRank = (a: Shape, b: Shape): boolean => a.ellipsis === undefined && b.ellipsis === undefined && a.dims.length === b.dims.length;

const isUnion = (value: Value): boolean => value.kind === 'union';

/** An operation that gets something or None works on the something. */
function withoutNone(value: Value): Value {
  if (value.kind !== 'union') return value;
  const options = value.options.filter(({ kind }) => kind !== 'none');
  const [only] = options;
  return options.length === 1 && only !== undefined ? only : value;
}
