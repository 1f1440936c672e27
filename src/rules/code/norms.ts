/** Which tensors of a computation are normalised: by a layer of a library, by a module of the user's own, or written out. */
import { alternatives, isDropout, isLayout, sameElements } from '../../interpreter/graph.ts';
import type { ClassValue, InstanceValue, ModuleCall, Site, TensorValue, Value } from '../../interpreter/value.ts';

/** One norm in the dataflow. */
export interface Norm {
  readonly output: TensorValue;
  readonly input: TensorValue;
  /** The module that was called for it; undefined where it is written out or a function. */
  readonly call: ModuleCall | undefined;
  readonly instance: InstanceValue | undefined;
  readonly site: Site | undefined;
  /** What it consists of, its output left out. */
  readonly parts: ReadonlySet<TensorValue>;
}

/** Everything between a norm's input and its output. */
function partsOf(input: TensorValue, output: TensorValue): ReadonlySet<TensorValue> {
  const parts = new Set<TensorValue>();
  const waiting = [output];
  for (let i = 0; i < waiting.length && i < 80; i++) {
    for (const each of (waiting[i] as TensorValue).inputs) {
      if (each === input || parts.has(each) || each.isParameter === true || (each.op !== 'join' && each.id < input.id)) continue;
      parts.add(each);
      waiting.push(each);
    }
  }
  return parts;
}

const normOperations: ReadonlySet<string> = new Set([
  'layer_norm',
  'rms_norm',
  'group_norm',
  'batch_norm',
  'instance_norm',
  'local_response_norm',
]);

/** What a norm that is written out consists of. */
const elementwise: ReadonlySet<string> = new Set([
  'add',
  'sub',
  'mul',
  'div',
  'true_divide',
  'neg',
  'pow',
  'square',
  'sqrt',
  'rsqrt',
  'reciprocal',
  'mean',
  'var',
  'std',
  'var_mean',
  'std_mean',
  'sum',
  'norm',
  'vector_norm',
  'normalize',
  'clamp',
  'clamp_min',
  'maximum',
  'max',
  'abs',
  'join',
  'where',
]);
const reductions: ReadonlySet<string> = new Set(['mean', 'var', 'std', 'var_mean', 'std_mean', 'sum', 'norm', 'vector_norm']);
const roots: ReadonlySet<string> = new Set(['rsqrt', 'sqrt', 'pow', 'std', 'std_mean', 'norm', 'vector_norm', 'reciprocal']);

export const isCopy = (tensor: TensorValue): boolean => sameElements.has(tensor.op) || isDropout(tensor);
/** Leaves the elements as they are, or only moves them. */
export const isMove = (tensor: TensorValue): boolean => isCopy(tensor) || isLayout(tensor);

export const isWithin = (tensor: TensorValue, call: ModuleCall): boolean => isInside(tensor.call, call);

export function isInside(call: ModuleCall | undefined, outer: ModuleCall): boolean {
  for (let at = call; at !== undefined; at = at.parent) if (at === outer) return true;
  return false;
}

/** The tensors of a value, those in tuples and lists too. */
export function tensorsOf(value: Value | undefined, depth = 0): readonly TensorValue[] {
  if (value === undefined || depth > 3) return [];
  if (value.kind === 'tensor') return [value];
  if (value.kind === 'tuple' || value.kind === 'list') return value.items.flatMap((item) => tensorsOf(item, depth + 1));
  if (value.kind === 'dict') return [...value.entries.values()].flatMap((entry) => tensorsOf(entry.value, depth + 1));
  if (value.kind === 'union') return value.options.flatMap((option) => tensorsOf(option, depth + 1));
  return [];
}

export const argumentTensors = (call: ModuleCall): readonly TensorValue[] =>
  [...call.positional, ...call.keywords.values()].flatMap((value) => tensorsOf(value));

/** Every norm by the tensor it gives. A user's norm module counts once, by its result, however it computes it. */
export function normsOf(calls: readonly ModuleCall[], tensors: readonly TensorValue[]): ReadonlyMap<TensorValue, Norm> {
  const found = new Map<TensorValue, Norm>();
  const covered = new Set<ModuleCall>();
  for (const call of calls) {
    if (isCovered(call.parent, covered)) continue;
    const input = normalises(call);
    if (input === undefined || call.result?.kind !== 'tensor') continue;
    covered.add(call);
    found.set(call.result, {
      output: call.result,
      input,
      call,
      instance: call.instance,
      site: call.site,
      parts: partsOf(input, call.result),
    });
  }
  for (const tensor of tensors) {
    if (isCovered(tensor.call, covered) || found.has(tensor)) continue;
    const [input] = tensor.inputs;
    if (normOperations.has(tensor.op) && input !== undefined)
      found.set(tensor, { output: tensor, input, call: undefined, instance: undefined, site: tensor.site, parts: new Set() });
    else if (tensor.op === 'mul' || tensor.op === 'div') {
      const source = writtenOut(tensor);
      if (source !== undefined)
        found.set(tensor, {
          output: tensor,
          input: source,
          call: undefined,
          instance: undefined,
          site: tensor.site,
          parts: partsOf(source, tensor),
        });
    }
  }
  for (const norm of chosenNorms(calls, tensors, found)) found.set(norm.output, norm);
  return found;
}

/**
 * Norms of one of several classes, or of `nn.Identity`, that a setting chose when the module was made: one call gives what each of
 * them would.
 */
function chosenNorms(calls: readonly ModuleCall[], tensors: readonly TensorValue[], found: Map<TensorValue, Norm>): readonly Norm[] {
  const chosen: Norm[] = [];
  const classes = new Map<unknown, Set<ClassValue>>();
  for (const { site, instance } of calls) {
    if (site === undefined) continue;
    const known = classes.get(site.node);
    if (known === undefined) classes.set(site.node, new Set([instance.class]));
    else known.add(instance.class);
  }
  const seen = new Set<TensorValue>();
  // What one of them gives may itself be one of several tensors: with or without a weight.
  const made = new Map(found);
  for (const norm of found.values()) if (norm.output.op === 'join') for (const each of alternatives(norm.output)) made.set(each, norm);
  const joinsIn = ({ inputs }: TensorValue): readonly TensorValue[] => inputs.filter(({ op }) => op === 'join');
  const waiting = tensors.flatMap(joinsIn);
  for (let join = waiting.pop(); join !== undefined; join = waiting.pop()) {
    if (seen.has(join)) continue;
    seen.add(join);
    const norm = chosenAt(join, made);
    const called = norm === undefined ? undefined : classes.get(norm.call?.site?.node);
    // Where no class gives back what it is given, the norm is left out on one of the ways here.
    const isWhole = norm !== undefined && (!holdsInput(join, norm) || [...(called ?? [])].some(({ name }) => name === 'Identity'));
    if (norm === undefined || (called?.size ?? 0) < 2 || !isWhole) waiting.push(...joinsIn(join));
    else chosen.push(norm);
  }
  for (const { parts } of chosen) for (const part of parts) found.delete(part);
  return chosen;
}

function holdsInput(join: TensorValue, { input }: Norm): boolean {
  const plain = new Set(alternatives(input));
  return alternatives(join).some((option) => option === input || plain.has(option));
}

function chosenAt(join: TensorValue, made: ReadonlyMap<TensorValue, Norm>): Norm | undefined {
  const options = alternatives(join);
  const norms = options.flatMap((option) => made.get(option) ?? []);
  const [first] = norms;
  if (first?.call === undefined || norms.some(({ call, input }) => input !== first.input || call?.site?.node !== first.call?.site?.node))
    return undefined;
  const plain = new Set(alternatives(first.input));
  if (options.some((option) => option !== first.input && !plain.has(option) && !made.has(option))) return undefined;
  return { ...first, output: join, parts: new Set(norms.flatMap(({ output, parts }) => [output, ...parts])) };
}

function isCovered(call: ModuleCall | undefined, covered: ReadonlySet<ModuleCall>): boolean {
  for (let at = call; at !== undefined; at = at.parent) if (covered.has(at)) return true;
  return false;
}

/** The tensor that a module normalises, when that is all it does. */
function normalises(call: ModuleCall): TensorValue | undefined {
  const { result } = call;
  if (result?.kind !== 'tensor' || !isOwn(result, call)) return undefined;
  const given = argumentTensors(call);
  if (given.length === 0) return undefined;
  const seen = new Set<TensorValue>([result]);
  const waiting = [result];
  const sources = new Set<TensorValue>();
  let reduces = false;
  let roots_ = false;
  let isNorm = false;
  // Of length 1, and stretched by a weight: RMSNorm but for a constant.
  let isUnit = false;
  let isWeighted = false;
  for (let i = 0; i < waiting.length; i++) {
    if (waiting.length > 60) return undefined;
    const at = waiting[i] as TensorValue;
    if (normOperations.has(at.op)) isNorm = true;
    else if (!(elementwise.has(at.op) || isMove(at) || at.op === 'chunk' || at.op === 'getitem')) return undefined;
    if (reductions.has(at.op)) reduces = true;
    if (roots.has(at.op)) roots_ = true;
    if (at.op === 'normalize') isUnit = true;
    for (const input of at.inputs) {
      if (seen.has(input)) continue;
      seen.add(input);
      if (input.isParameter === true) isWeighted = true;
      if (given.includes(input)) sources.add(input);
      else if (isOwn(input, call)) waiting.push(input);
      else if (!(input.isParameter === true || input.isBuffer === true || isConstant(input))) return undefined;
    }
  }
  const [source] = sources;
  return sources.size === 1 && source !== undefined && (isNorm || (reduces && roots_) || (isUnit && isWeighted)) ? source : undefined;
}

/** Made in the call; joins of branches are made by no one. */
function isOwn(tensor: TensorValue, call: ModuleCall): boolean {
  if (tensor.isParameter === true) return false;
  return tensor.op === 'join' ? tensor.inputs.some((input) => isOwn(input, call)) : isWithin(tensor, call);
}

const isConstant = (tensor: TensorValue, depth = 0): boolean =>
  tensor.isParameter === true ||
  tensor.isBuffer === true ||
  (tensor.op !== 'input' && depth < 6 && tensor.inputs.every((input) => isConstant(input, depth + 1)));

function below(tensor: TensorValue): TensorValue {
  let at = tensor;
  for (let i = 0; i < 16; i++) {
    const [first] = at.inputs;
    if (first === undefined || !isMove(at)) return at;
    at = first;
  }
  return at;
}

/** The source of `x * rsqrt(mean(x ** 2) + eps)` and `(x - mean) / std`. */
function writtenOut(tensor: TensorValue): TensorValue | undefined {
  const [left, right] = tensor.inputs;
  if (left === undefined || right === undefined || tensor.inputs.length !== 2) return undefined;
  for (const [value, statistic] of tensor.op === 'mul' ? [[left, right] as const, [right, left] as const] : [[left, right] as const]) {
    const source = statisticOf(statistic);
    if (source === undefined) continue;
    const centred = below(value);
    const base = centred.op === 'sub' && centred.inputs[0] !== undefined ? below(centred.inputs[0]) : centred;
    if (base === below(source) || centred === below(source)) return base;
  }
  return undefined;
}

/** What a root of a mean was taken over. */
function statisticOf(tensor: TensorValue): TensorValue | undefined {
  let at = below(tensor);
  let hasRoot = false;
  let hasReduction = false;
  for (let i = 0; i < 12; i++) {
    const [first, second] = at.inputs;
    if (first === undefined) return undefined;
    if (roots.has(at.op)) hasRoot = true;
    if (reductions.has(at.op)) hasReduction = true;
    if (hasReduction && hasRoot && !['pow', 'square', 'mul', 'sub', 'abs'].includes(at.op) && !reductions.has(at.op) && !isMove(at)) {
      return at;
    }
    if (hasReduction && at.op === 'mul' && below(second ?? first) !== below(first)) return hasRoot ? at : undefined;
    if (hasReduction && at.op === 'sub') return hasRoot ? below(first) : undefined;
    if (!(elementwise.has(at.op) || isMove(at)) || at.op === 'join' || at.op === 'where') return hasReduction && hasRoot ? at : undefined;
    at = below(first);
    if (hasReduction && hasRoot && at.inputs.length === 0) return at;
  }
  return undefined;
}
