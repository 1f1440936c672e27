/**
 * Finds the blocks of a model in its dataflow: the residual stream, the sublayers that read it and write to it, and where norms stand.
 * Only meaning counts: a sum is residual when one operand was computed from the other through weights; helper modules, lambdas and
 * pipelines disappear in the graph.
 */
import type { Study } from '../../interpreter/study.ts';
import type { ClassValue, ModuleCall, Site, TensorValue, Trace } from '../../interpreter/value.ts';
import type { Statement } from '../../syntax/python/ast.ts';
import { eachChildStatement } from '../../syntax/python/walk.ts';
import { argumentTensors, isInside, isMove, isWithin, type Norm, normsOf, tensorsOf } from './norms.ts';

export type SublayerKind = 'attention' | 'crossAttention' | 'feedForward' | 'convolution' | 'other';

/**
 * Where the norm of one sublayer stands. `x` is the stream, `f` the sublayer:
 * - pre: `x + f(norm(x))`; post: `norm(x + f(x))`; output: `x + norm(f(x))`; sandwich: `x + norm(f(norm(x)))`
 * - both: `norm(x + f(norm(x)))`; carried: `n + f(n)` with `n = norm(x)`; none: `x + f(x)`
 * - unknown: branches of the code that were joined decide it
 */
export type NormPlace = 'pre' | 'post' | 'output' | 'sandwich' | 'both' | 'carried' | 'none' | 'unknown';

export interface Sublayer {
  readonly kind: SublayerKind;
  /** Whether its output is added to the stream; otherwise it takes the stream's place. */
  readonly isResidual: boolean;
  /** The sum, or what took the stream's place. */
  readonly output: TensorValue;
  /** The operand of the sum that carries the stream, and the one that the sublayer computed. */
  readonly carried: TensorValue | undefined;
  readonly branch: TensorValue;
  /** The stream before it, under norms. */
  readonly base: TensorValue;
  /** Norms on the stream between the sublayer before and this one, nearest last. */
  readonly before: readonly Norm[];
  /** Norms on the stream behind it, before the next sublayer reads it. */
  readonly after: readonly Norm[];
  /** Norms through which it reads the stream. */
  readonly entries: readonly Norm[];
  /** It reads the stream without a norm too, or only so: the first tensors computed from it. */
  readonly raw: readonly TensorValue[];
  /** Norms of its output before the sum. */
  readonly exits: readonly Norm[];
  /** A norm of a norm with nothing between, at its entry: the second of them. */
  readonly doubled: readonly (readonly [inner: Norm, outer: Norm])[];
  readonly place: NormPlace;
  /** No joined branches of the code are between the stream and what reads it. */
  readonly isSure: boolean;
  /** Added at once with others that read the same stream. */
  readonly isParallel: boolean;
  /** Sums with the same stream inside the branch: their own stream ends there. */
  readonly inner: readonly Residual[];
}

export type BlockPlacement =
  | 'pre-norm'
  | 'post-norm'
  | 'sandwich'
  | 'output-norm'
  | 'parallel'
  | 'residual-free'
  | 'norm-free'
  | 'mixed'
  | 'unknown';

export interface Block {
  /** The call in which all of its sublayers run. */
  readonly call: ModuleCall;
  readonly class: ClassValue;
  /** The innermost of the user's functions in which all of its sublayers run; undefined where it is \`forward\`. */
  readonly frame: Trace | undefined;
  readonly sublayers: readonly Sublayer[];
  readonly placement: BlockPlacement;
  readonly hasQueryKeyNorm: boolean;
  /** The stream where it leaves the block, under norms. */
  readonly end: TensorValue;
  /** The value that leaves the block. */
  readonly output: TensorValue;
  /** The whole way from the block's input to its output is known. */
  readonly isComplete: boolean;
}

export interface Residual {
  readonly sum: TensorValue;
  readonly carried: TensorValue;
  readonly branch: TensorValue;
  /** The stream under moves, scales and norms. */
  readonly base: TensorValue;
  readonly isParallel: boolean;
}

const weighted: ReadonlySet<string> = new Set([
  'linear',
  'matmul',
  'bmm',
  'baddbmm',
  'addmm',
  'einsum',
  'conv1d',
  'conv2d',
  'conv3d',
  'conv_transpose1d',
  'conv_transpose2d',
  'scaled_dot_product_attention',
  'flash_attention',
  'multi_head_attention',
  'embedding',
  'bilinear',
]);
const attentions: ReadonlySet<string> = new Set(['softmax', 'scaled_dot_product_attention', 'flash_attention', 'multi_head_attention']);
const convolutions: ReadonlySet<string> = new Set(['conv1d', 'conv2d', 'conv3d', 'conv_transpose1d', 'conv_transpose2d']);
/** Takes a part of a tensor, or puts something around it. */
const slices: ReadonlySet<string> = new Set([
  'clamp',
  'nan_to_num',
  'getitem',
  'narrow',
  'select',
  'roll',
  'pad',
  'flip',
  'index_select',
  'chunk',
  'split',
  'unbind',
  'slice',
]);
/** Uses a tensor's shape, device or dtype alone. */
const shapeOnly: ReadonlySet<string> = new Set([
  'zeros_like',
  'ones_like',
  'empty_like',
  'full_like',
  'rand_like',
  'randn_like',
  'new_zeros',
  'new_ones',
  'new_empty',
  'new_full',
  'arange',
  'bernoulli',
  'isinf',
  'isfinite',
  'isnan',
  'eq',
  'ne',
  'lt',
  'le',
  'gt',
  'ge',
]);
const firstOnly: ReadonlySet<string> = new Set(['type_as', 'view_as', 'reshape_as', 'expand_as']);

/** The inputs whose values enter the result. */
const valuesOf = (tensor: TensorValue): readonly TensorValue[] =>
  shapeOnly.has(tensor.op) ? [] : firstOnly.has(tensor.op) ? tensor.inputs.slice(0, 1) : tensor.inputs;

/** The dataflow of one study, with what was worked out about it. */
export class Flow {
  readonly study: Study;
  readonly norms: ReadonlyMap<TensorValue, Norm>;
  readonly residuals: ReadonlyMap<TensorValue, Residual>;
  readonly #carries = new Map<TensorValue, boolean>();
  readonly #users = new Map<TensorValue, TensorValue[]>();
  readonly #readers = new Map<TensorValue, Norm[]>();
  readonly #parts = new Set<TensorValue>();
  readonly #bases = new Map<TensorValue, TensorValue>();

  constructor(study: Study) {
    this.study = study;
    this.norms = normsOf(study.calls, study.tensors);
    const seen = new Set<TensorValue>();
    const note = (user: TensorValue, depth: number): void => {
      if (seen.has(user)) return;
      seen.add(user);
      for (const input of valuesOf(user)) {
        const known = this.#users.get(input);
        if (known === undefined) this.#users.set(input, [user]);
        else if (!known.includes(user)) known.push(user);
        if (depth < 40 && input.op === 'join') note(input, depth + 1);
      }
    };
    for (const tensor of study.tensors) note(tensor, 0);
    for (const norm of this.norms.values()) {
      const known = this.#readers.get(norm.input);
      if (known === undefined) this.#readers.set(norm.input, [norm]);
      else known.push(norm);
      for (const part of norm.parts) this.#parts.add(part);
    }
    // What a module with attention is given first is a stream, whatever it is made of: learned queries, zeros.
    const holders = new Set<ModuleCall>();
    for (const { op, call } of study.tensors) {
      if (!attentions.has(op)) continue;
      for (let at = call; at !== undefined && !holders.has(at); at = at.parent) holders.add(at);
    }
    for (const { instance, positional, keywords } of holders) {
      const [first] = [...positional, ...keywords.values()];
      if (instance.class.file?.isPrelude !== true && first?.kind === 'tensor' && first.isParameter !== true && !isSide(first))
        this.#carries.set(first, true);
    }
    const residuals = new Map<TensorValue, Residual>();
    this.residuals = residuals;
    for (const tensor of study.tensors) {
      const found = this.#residual(tensor, residuals);
      if (found !== undefined) residuals.set(tensor, found);
    }
  }

  usersOf(tensor: TensorValue): readonly TensorValue[] {
    return this.#users.get(tensor) ?? [];
  }

  /** Whether it is inside a norm. */
  isPart(tensor: TensorValue): boolean {
    return this.#parts.has(tensor) || this.norms.has(tensor);
  }

  /** Whether it depends on what the model is given, other than masks and positions. */
  carries(tensor: TensorValue, depth = 0): boolean {
    const known = this.#carries.get(tensor);
    if (known !== undefined) return known;
    if (depth > 400) return true;
    this.#carries.set(tensor, false);
    let result = false;
    if (tensor.op === 'input') result = !isSide(tensor);
    else if (tensor.op === 'embedding') {
      const indices = tensor.arguments.get('input');
      result = indices?.kind !== 'tensor' || this.carries(indices, depth + 1);
    } else if (tensor.isParameter !== true && tensor.isBuffer !== true && tensor.content === undefined)
      for (const input of tensor.op === 'getitem' ? lookedUp(tensor) : valuesOf(tensor)) if (this.carries(input, depth + 1)) result = true;
    this.#carries.set(tensor, result);
    return result;
  }

  /** The tensor that this one is, but for moves, slices, scales by numbers or weights, and what does not carry data. */
  #under(tensor: TensorValue): TensorValue | undefined {
    const [first, second] = tensor.inputs;
    if (first === undefined || this.norms.has(tensor)) return undefined;
    if (tensor.inputs.length === 1 && !this.carries(first)) return undefined;
    if (isMove(tensor) || slices.has(tensor.op) || tensor.op === 'masked_fill' || tensor.op === 'setitem')
      return this.carries(first) ? first : undefined;
    if (tensor.op === 'mul' || tensor.op === 'div' || tensor.op === 'add' || tensor.op === 'sub') {
      // With something that is not known it may be a sum of two streams.
      if (second === undefined) return tensor.inputs.length === 1 && hasNumbers(tensor) ? first : undefined;
      if (!this.carries(second)) return first;
      if (!this.carries(first)) return second;
      return undefined;
    }
    if (tensor.op === 'where') {
      const data = tensor.inputs.filter((input) => this.carries(input));
      return data.length === 1 ? data[0] : undefined;
    }
    if (tensor.op === 'join') {
      const bases = new Set(tensor.inputs.filter((input) => this.carries(input)).map((input) => this.base(input)));
      const [only] = bases;
      if (bases.size === 1) return only;
      // A sublayer that may be left out: the sum, or the stream before it.
      const list = [...bases];
      return list.find((each) => list.every((other) => other === each || this.#isBehind(each, other)));
    }
    return undefined;
  }

  /** Whether one is on the stream that leads to the other. */
  #isBehind(sum: TensorValue, earlier: TensorValue): boolean {
    const goal = this.withoutNorms(earlier).base;
    let at: TensorValue | undefined = this.withoutNorms(sum).base;
    for (let i = 0; i < 12 && at !== undefined; i++) {
      at = this.residuals.get(at)?.base;
      if (at === goal) return true;
    }
    return false;
  }

  base(tensor: TensorValue): TensorValue {
    const known = this.#bases.get(tensor);
    if (known !== undefined) return known;
    let at = tensor;
    for (let i = 0; i < 200; i++) {
      const next = this.#under(at);
      if (next === undefined) break;
      at = next;
    }
    this.#bases.set(tensor, at);
    return at;
  }

  /** The stream under norms, and those norms, nearest to the stream first. */
  withoutNorms(tensor: TensorValue, stops?: ReadonlySet<TensorValue>): { readonly base: TensorValue; readonly norms: readonly Norm[] } {
    const norms: Norm[] = [];
    let at = this.base(tensor);
    for (let i = 0; i < 8 && stops?.has(at) !== true; i++) {
      const norm = this.norms.get(at);
      if (norm === undefined) break;
      norms.unshift(norm);
      at = this.base(norm.input);
    }
    return { base: at, norms };
  }

  /** The tensors on the ways from one to another, both included; empty when there is none. */
  between(from: TensorValue, to: TensorValue): ReadonlySet<TensorValue> {
    const cone = new Set<TensorValue>([to]);
    const waiting = [to];
    for (let i = 0; i < waiting.length && waiting.length < 4000; i++) {
      const at = waiting[i] as TensorValue;
      if (at === from) continue;
      for (const input of valuesOf(at)) {
        if (cone.has(input) || (input !== from && input.id <= from.id)) continue;
        cone.add(input);
        waiting.push(input);
      }
    }
    if (!cone.has(from)) return new Set();
    const found = new Set<TensorValue>([from]);
    for (const at of [...cone].sort((a, b) => a.id - b.id)) {
      if (at !== from && valuesOf(at).some((input) => found.has(input))) found.add(at);
    }
    return found.has(to) ? found : new Set();
  }

  #residual(tensor: TensorValue, known: ReadonlyMap<TensorValue, Residual>): Residual | undefined {
    const isSum = tensor.op === 'add' || tensor.op === 'sub';
    if (!(isSum || tensor.op === 'addcmul')) return undefined;
    const [left, right] = tensor.op === 'addcmul' ? [tensor.inputs[0], tensor.inputs[2]] : tensor.inputs;
    if (left === undefined || right === undefined || left === right) return undefined;
    if (!this.carries(left) || !this.carries(right)) return undefined;
    for (const [carried, branch] of isSum
      ? ([
          [left, right],
          [right, left],
        ] as const)
      : ([[left, right]] as const)) {
      const { base } = this.withoutNorms(carried);
      if (this.#passesWeights(base, branch)) return { sum: tensor, carried, branch, base, isParallel: false };
      // A shortcut that is projected where the width changes.
      if (base.op === 'join')
        for (const option of base.inputs) {
          const other = this.withoutNorms(option).base;
          if (this.#passesWeights(other, branch)) return { sum: tensor, carried, branch, base: other, isParallel: false };
        }
      // `x + attention(norm(x)) + mlp(norm(x))`: the second reads the stream before the first sum.
      const sum = known.get(base);
      if (sum !== undefined && base === this.base(carried) && this.#passesWeights(sum.base, branch))
        return { sum: tensor, carried, branch, base: sum.base, isParallel: true };
    }
    return undefined;
  }

  #passesWeights(from: TensorValue, to: TensorValue): boolean {
    if (from.isParameter === true || from === to || !this.carries(from)) return false;
    for (const each of this.between(from, to)) if (each !== from && weighted.has(each.op)) return true;
    return false;
  }

  /** How a branch reads the tensor: through norms, or as it is. */
  reads(
    from: TensorValue,
    branch: ReadonlySet<TensorValue>,
  ): { entries: readonly Norm[]; raw: readonly TensorValue[]; doubled: readonly (readonly [Norm, Norm])[]; isSure: boolean } {
    const entries: Norm[] = [];
    const raw: TensorValue[] = [];
    const doubled: (readonly [Norm, Norm])[] = [];
    let isSure = true;
    const seen = new Set<TensorValue>([from]);
    const waiting: { readonly at: TensorValue; readonly norm: Norm | undefined }[] = [{ at: from, norm: undefined }];
    for (let i = 0; i < waiting.length && i < 400; i++) {
      const { at, norm } = waiting[i] as { at: TensorValue; norm: Norm | undefined };
      for (const found of this.#readers.get(at) ?? []) {
        if (!branch.has(found.output) || seen.has(found.output)) continue;
        seen.add(found.output);
        if (norm !== undefined) doubled.push([norm, found]);
        else {
          entries.push(found);
          waiting.push({ at: found.output, norm: found });
        }
      }
      for (const user of this.usersOf(at)) {
        if (!branch.has(user) || seen.has(user) || this.#parts.has(user) || this.norms.has(user)) continue;
        seen.add(user);
        if (user.op === 'join') {
          // A join of the stream with its norm: the code decides later which it is.
          if (norm === undefined && user.inputs.some((input) => this.#normsFrom(from, input) && this.base(input) !== from)) isSure = false;
          if (
            norm !== undefined &&
            user.inputs.some((input) => this.withoutNorms(input).base === from && !this.norms.has(this.base(input)))
          )
            isSure = false;
          waiting.push({ at: user, norm });
        } else if (
          this.#under(user) !== undefined ||
          user.op === 'cat' ||
          user.op === 'stack' ||
          (user.op === 'add' && !this.residuals.has(user))
        ) {
          waiting.push({ at: user, norm });
        } else if (norm === undefined && !this.residuals.has(user)) raw.push(user);
        else if (norm === undefined) raw.push(user);
      }
    }
    return { entries, raw, doubled, isSure };
  }

  /** Weights that are multiplied with values; those of a router only scale. */
  isAttention(tensor: TensorValue): boolean {
    if (!attentions.has(tensor.op)) return false;
    if (tensor.op !== 'softmax') return true;
    if (isRouted(tensor)) return false;
    const waiting = [tensor];
    for (let i = 0; i < waiting.length && i < 40; i++) {
      for (const user of this.usersOf(waiting[i] as TensorValue)) {
        if (user.op === 'matmul' || user.op === 'bmm' || user.op === 'einsum') return true;
        if (user.op === 'mul' && user.inputs.every((input) => this.carries(input))) continue;
        if (isMove(user) || user.op === 'mul' || user.op === 'join' || user.op === 'masked_fill' || user.op === 'where') waiting.push(user);
      }
    }
    return false;
  }

  /** Whether it is a norm of the tensor. */
  #normsFrom(from: TensorValue, tensor: TensorValue): boolean {
    const { base, norms } = this.withoutNorms(tensor, new Set([from]));
    return norms.length > 0 && base === from;
  }

  kindOf(from: TensorValue, branch: ReadonlySet<TensorValue>): SublayerKind {
    let linears = 0;
    let convolutional = 0;
    let attention = false;
    let isCross = false;
    let isPooling = false;
    for (const each of branch) {
      if (each === from) continue;
      if (this.isAttention(each)) attention = true;
      if (each.op === 'scaled_dot_product_attention' || each.op === 'multi_head_attention') {
        const [query, key] = each.inputs;
        if (key !== undefined && !branch.has(key)) isCross = true;
        else if (query !== undefined && !branch.has(query)) isPooling = true;
      } else if ((each.op === 'matmul' || each.op === 'einsum' || each.op === 'bmm') && !attention) {
        const [a, b] = each.inputs;
        if (a !== undefined && b !== undefined && branch.has(a) && !branch.has(b) && this.carries(b) && b.isParameter !== true)
          isCross = true;
        // Learned queries gather from the stream: what they find is another stream.
        if (a !== undefined && b !== undefined && !branch.has(a) && branch.has(b) && a.isParameter !== true) isPooling = true;
      }
      if (convolutions.has(each.op)) convolutional += 1;
      else if (weighted.has(each.op)) linears += 1;
    }
    if (attention && isPooling) return 'other';
    if (attention) return isCross ? 'crossAttention' : 'attention';
    if (convolutional > 0) return 'convolution';
    return linears >= 2 ? 'feedForward' : 'other';
  }
}

/** What a table is read with counts as much as the table. */
const lookedUp = (tensor: TensorValue): readonly TensorValue[] => [...tensor.arguments.values()].flatMap((value) => tensorsOf(value));

/** The softmax of a projection, not of a product: the weights of experts. */
function isRouted(softmax: TensorValue): boolean {
  const waiting = [...softmax.inputs];
  let isProjected = false;
  for (let i = 0; i < waiting.length && i < 24; i++) {
    const at = waiting[i] as TensorValue;
    if (at.op === 'matmul' || at.op === 'bmm' || at.op === 'baddbmm' || at.op === 'einsum')
      return at.inputs.some((input) => input.isParameter === true);
    if (at.op === 'linear') isProjected = true;
    else if (isMove(at) || ['add', 'sub', 'mul', 'div', 'join', 'where', 'masked_fill', 'tanh', 'getitem'].includes(at.op))
      waiting.push(...at.inputs);
  }
  return isProjected;
}

/** Whether all arguments but tensors are numbers. */
const hasNumbers = (tensor: TensorValue): boolean =>
  [...tensor.arguments.values()].every(
    ({ kind, ...value }) =>
      !(kind === 'union' || kind === 'instance' || (kind === 'unknown' && !('path' in value && value.path !== undefined))),
  );

/** Inputs that steer a model rather than being what it transforms. */
const isSide = (tensor: TensorValue): boolean => {
  const { site } = tensor;
  if (site === undefined) return false;
  const node = site.node as { readonly name?: unknown };
  return (
    typeof node.name === 'string' && /mask|position|cos|sin|freqs|rope|bias|padding|valid|causal|alibi|drop|gate_scale/i.test(node.name)
  );
};

interface Step {
  readonly residual: Residual | undefined;
  readonly output: TensorValue;
  readonly base: TensorValue;
  readonly after: readonly Norm[];
}

interface Chain {
  readonly steps: readonly Step[];
  /** Norms on the stream before the first sublayer. */
  readonly before: readonly Norm[];
  readonly output: TensorValue;
  readonly isComplete: boolean;
}

const maximumSteps = 64;

/** Follows the stream of a call back from what it answers. */
function chainOf(flow: Flow, call: ModuleCall, output: TensorValue): Chain {
  const given = argumentTensors(call);
  const starts = new Set<TensorValue>();
  for (const tensor of given) {
    starts.add(tensor);
    starts.add(flow.base(tensor));
  }
  const steps: Step[] = [];
  const end = (before: readonly Norm[], isComplete: boolean): Chain => ({ steps: steps.reverse(), before, output, isComplete });
  let at = output;
  for (let i = 0; i < maximumSteps; i++) {
    const { base, norms } = flow.withoutNorms(at, starts);
    const after = norms.filter((norm) => isNormWithin(norm, call));
    if (steps.length === 0 && after.length > 0 && !isMade(base, call)) return end(after, starts.has(base));
    // Behind the loop that runs the sublayers, a norm closes the stack.
    const loops = steps.length === 0 && after.length > 0 ? loopAround(siteIn(call, base)) : undefined;
    if (loops !== undefined) {
      for (let j = after.length - 1; j >= 0; j--) {
        const norm = after[j] as Norm;
        const site = siteIn(call, norm.call ?? norm.output);
        if (site !== undefined && !(site.node.start >= loops.start && site.node.end <= loops.end)) after.splice(j, 1);
      }
    }
    if (starts.has(base) || !isMade(base, call)) return end(after, starts.has(base));
    const residual = flow.residuals.get(base);
    if (residual !== undefined) {
      at = residual.carried;
      const sums: Residual[] = [residual];
      // A parallel sum carries the sum before it, which reads the same stream.
      for (let j = 0; residual.isParallel && j < 4; j++) {
        const inner = flow.residuals.get(flow.base(at));
        if (inner === undefined || inner.base !== residual.base) break;
        sums.push(inner);
        at = inner.carried;
      }
      const under = flow.withoutNorms(at, starts).base;
      for (const [j, each] of sums.entries())
        steps.push({ residual: { ...each, isParallel: sums.length > 1 }, output: each.sum, base: under, after: j === 0 ? after : [] });
      continue;
    }
    if (base.op === 'join') return end(after, false);
    const previous = sourceOf(flow, call, base, starts, given);
    if (previous === undefined) return end(after, false);
    steps.push({ residual: undefined, output: base, base: flow.withoutNorms(previous, starts).base, after });
    at = previous;
  }
  return end([], false);
}

/** The innermost loop around a place. */
export function loopAround(site: Site | undefined): Statement | undefined {
  let found: Statement | undefined;
  const visit = (statement: Statement): void => {
    if (site === undefined || site.node.start < statement.start || site.node.end > statement.end) return;
    if (statement.kind === 'for' || statement.kind === 'while') found = statement;
    eachChildStatement(statement, visit);
  };
  if (site !== undefined) visit(site.unit.body.statement);
  return found;
}

const isMade = (tensor: TensorValue, call: ModuleCall): boolean =>
  tensor.op === 'join' ? tensor.inputs.some((input) => isMade(input, call)) : isWithin(tensor, call);

const isNormWithin = (norm: Norm, call: ModuleCall): boolean =>
  norm.call === undefined ? isWithin(norm.output, call) : isInside(norm.call, call) && norm.call !== call;

/** The stream that a sublayer without a residual read: the last sum before it, or the call's input. */
function sourceOf(
  flow: Flow,
  call: ModuleCall,
  output: TensorValue,
  starts: ReadonlySet<TensorValue>,
  given: readonly TensorValue[],
): TensorValue | undefined {
  const seen = new Set<TensorValue>([output]);
  const waiting = [output];
  const sums: TensorValue[] = [];
  const inputs: TensorValue[] = [];
  const normed: TensorValue[] = [];
  for (let i = 0; i < waiting.length && waiting.length < 1500; i++) {
    for (const input of valuesOf(waiting[i] as TensorValue)) {
      if (seen.has(input) || !flow.carries(input)) continue;
      seen.add(input);
      if (starts.has(input)) inputs.push(input);
      else if (flow.residuals.has(input)) sums.push(input);
      else if (isMade(input, call)) {
        const norm = flow.norms.get(input);
        if (norm !== undefined && opensSublayer(flow, call, norm, starts)) normed.push(norm.input);
        else waiting.push(input);
      }
    }
  }
  const [sum, another] = sums;
  if (sum !== undefined) return another === undefined ? sum : undefined;
  const [inner] = normed;
  if (inner !== undefined) return inner;
  return given.find((tensor) => inputs.some((input) => input === tensor || flow.base(tensor) === input)) ?? inputs[0];
}

/** The norm with which a sublayer begins that reads what another has computed: called in the block, or first in a module that it calls. */
function opensSublayer(flow: Flow, call: ModuleCall, norm: Norm, starts: ReadonlySet<TensorValue>): boolean {
  const caller = norm.call?.parent;
  const source = flow.base(norm.input);
  if (caller === undefined || starts.has(source) || flow.residuals.has(source) || source.op !== 'linear') return false;
  if (caller === call) return true;
  return caller.parent === call && argumentTensors(caller).some((tensor) => flow.base(tensor) === source);
}

/** The sublayers of a chain, with where their norms stand. */
function sublayersOf(flow: Flow, chain: Chain): readonly Sublayer[] {
  const drafts = chain.steps.map((step, i) => {
    const before = i === 0 ? chain.before : (chain.steps[i - 1] as Step).after;
    const branch = step.residual?.branch ?? step.output;
    const start = before.length > 0 ? (before[before.length - 1] as Norm).output : step.base;
    let path = flow.between(start, branch);
    let isOther = false;
    if (path.size === 0) {
      // The branch reads the stream through another norm than the one that is carried on.
      path = flow.between(step.base, branch);
      isOther = before.length > 0;
    }
    const from = path.has(start) ? start : step.base;
    const { entries, raw, doubled, isSure } = flow.reads(from, path);
    const exits = step.residual === undefined ? [] : flow.withoutNorms(branch).norms.filter(({ output }) => path.has(output));
    const inner = [...path].flatMap((each) => {
      const residual = flow.residuals.get(each);
      return residual !== undefined && residual.base === step.residual?.base && each !== step.output ? [residual] : [];
    });
    const joins = step.residual !== undefined && (flow.base(branch).op === 'join' || flow.base(step.residual.carried).op === 'join');
    return {
      step,
      before,
      branch,
      entries,
      raw,
      doubled,
      exits,
      inner,
      isOther,
      kind: flow.kindOf(from, path),
      isSure: isSure && !joins && path.size > 0,
    };
  });
  const takenFromBefore = new Set<number>();
  const places: NormPlace[] = drafts.map(() => 'unknown');
  for (const [i, draft] of drafts.entries()) {
    const { entries, raw, exits, before, isOther } = draft;
    const after = draft.step.after.length > 0;
    const next = drafts[i + 1];
    const isNormed = entries.length > 0 && raw.length === 0;
    if (i === 0 && before.length > 0) takenFromBefore.add(0);
    if (!draft.isSure || (entries.length > 0 && raw.length > 0)) continue;
    if (isNormed) {
      // The norm behind a sublayer that normalises its input belongs to the next one, when that has no other.
      const belongsToNext =
        after &&
        next !== undefined &&
        next.step.after.length === 0 &&
        (next.isOther || (next.raw.length > 0 && next.entries.length === 0 && (next.exits.length === 0 || exits.length > 0)));
      if (belongsToNext) takenFromBefore.add(i + 1);
      // The norm at a block's end closes its stream, when no other sum is normalised.
      const closes = after && next === undefined && drafts.length > 1 && drafts.slice(0, -1).every(({ step }) => step.after.length === 0);
      if (isOther && takenFromBefore.has(i)) places[i] = 'carried';
      else if (closes) places[i] = exits.length > 0 ? 'sandwich' : 'pre';
      else places[i] = after && !belongsToNext ? 'both' : exits.length > 0 ? 'sandwich' : 'pre';
    } else if (exits.length > 0) places[i] = takenFromBefore.has(i) && i > 0 ? 'carried' : after ? 'both' : 'output';
    else if (takenFromBefore.has(i)) {
      if (after && next === undefined) places[i] = 'post';
      else if (after && next !== undefined && next.raw.length > 0 && next.entries.length === 0) {
        places[i] = next.step.after.length > 0 ? 'post' : 'carried';
        if (next.step.after.length === 0) takenFromBefore.add(i + 1);
      } else places[i] = after ? 'post' : 'carried';
    } else {
      // Behind sublayers without norms, one at the end closes the stream.
      const closes =
        next === undefined &&
        i > 0 &&
        drafts.slice(0, -1).every(({ step, entries, exits }) => step.after.length + entries.length + exits.length === 0);
      places[i] = after && !closes ? 'post' : 'none';
    }
  }
  return drafts.map(({ step, before, branch, entries, raw, doubled, exits, inner, kind, isSure }, i) => ({
    kind,
    isResidual: step.residual !== undefined,
    output: step.output,
    carried: step.residual?.carried,
    branch,
    base: step.base,
    before,
    after: step.after,
    entries,
    raw,
    exits,
    doubled,
    place: places[i] as NormPlace,
    isSure,
    isParallel: step.residual?.isParallel ?? false,
    inner,
  }));
}

const isMain = ({ kind }: Sublayer): boolean => kind === 'attention' || kind === 'crossAttention' || kind === 'feedForward';
export const isAttention = ({ kind }: Sublayer): boolean => kind === 'attention' || kind === 'crossAttention';

function placementOf(sublayers: readonly Sublayer[]): BlockPlacement {
  const main = sublayers.filter(isMain);
  if (main.length === 0) return 'unknown';
  if (main.every(({ isResidual }) => !isResidual)) return 'residual-free';
  if (main.length === 1 || main.some(({ isParallel }) => isParallel)) return 'parallel';
  const places = new Set(main.filter(({ isResidual }) => isResidual).map(({ place }) => place));
  if (places.has('unknown')) return 'unknown';
  const [only] = places;
  if (places.size !== 1 || only === undefined) return 'mixed';
  switch (only) {
    case 'pre':
      return 'pre-norm';
    case 'post':
      return 'post-norm';
    case 'sandwich':
      return 'sandwich';
    case 'both':
      return 'sandwich';
    case 'output':
      return 'output-norm';
    case 'none':
      return 'norm-free';
    default:
      return 'mixed';
  }
}

/** The blocks of a study: the innermost calls whose stream runs through attention and at least one sublayer more. */
export interface Blocks {
  readonly flow: Flow;
  readonly blocks: readonly Block[];
}

const known = new WeakMap<Study, Blocks>();

export function blocksOf(study: Study): Blocks {
  const found = known.get(study) ?? findBlocks(study);
  known.set(study, found);
  return found;
}

function findBlocks(study: Study): Blocks {
  const flow = new Flow(study);
  const holdsAttention = new Set<ModuleCall>();
  for (const tensor of study.tensors) {
    if (!flow.isAttention(tensor)) continue;
    for (let at = tensor.call; at !== undefined && !holdsAttention.has(at); at = at.parent) holdsAttention.add(at);
  }
  const blocks: Block[] = [];
  const holdsBlock = new Set<ModuleCall>();
  // Inner calls begin after outer ones.
  for (const call of [...study.calls].reverse()) {
    if (!holdsAttention.has(call) || holdsBlock.has(call)) continue;
    const block = blockAt(flow, call);
    if (block === undefined) continue;
    blocks.push(block);
    for (let at: ModuleCall | undefined = call; at !== undefined; at = at.parent) holdsBlock.add(at);
  }
  return { flow, blocks: blocks.reverse() };
}

/** `x + (attention(norm(x)) + mlp(norm(x)))`: one sum of two sublayers. */
function isParallelSum(flow: Flow, [only, ...others]: readonly Sublayer[]): boolean {
  if (only === undefined || others.length > 0 || !only.isResidual) return false;
  const sum = flow.base(only.branch);
  if (sum.op !== 'add') return false;
  const kinds = sum.inputs.map((input) => flow.kindOf(only.base, flow.between(only.base, input)));
  return kinds.includes('attention') && kinds.includes('feedForward');
}

function blockAt(flow: Flow, call: ModuleCall): Block | undefined {
  let best: Block | undefined;
  const found = new Set<BlockPlacement>();
  for (const [place, output] of tensorsOf(call.result).slice(0, 3).entries()) {
    const variants = output.op === 'join' ? output.inputs : [output];
    for (const variant of variants.slice(0, 4)) {
      const chain = chainOf(flow, call, variant);
      const sublayers = sublayersOf(flow, chain);
      if (!(sublayers.filter(isMain).length > 1 || isParallelSum(flow, sublayers)) || !sublayers.some(isAttention)) continue;
      // What is answered beside the stream need not be one.
      if (place > 0 && !sublayers.every(({ isResidual }) => isResidual)) continue;
      found.add(placementOf(sublayers));
      if (best !== undefined && best.sublayers.length >= sublayers.length) continue;
      best = {
        call,
        class: call.instance.class,
        frame: frameOf(call, sublayers),
        sublayers,
        placement: placementOf(sublayers),
        hasQueryKeyNorm: hasQueryKeyNorm(flow, sublayers),
        end: flow.withoutNorms(variant).base,
        output: variant,
        isComplete: chain.isComplete,
      };
    }
    // Branches of the code that end in different placements: a flag decides.
    if (best !== undefined) return found.size > 1 ? { ...best, placement: 'unknown' } : best;
  }
  return best;
}

/** Norms of what goes into the product of queries and keys. */
function hasQueryKeyNorm(flow: Flow, sublayers: readonly Sublayer[]): boolean {
  return sublayers.filter(isAttention).some(({ base, branch, entries, exits }) => {
    for (const each of flow.between(base, branch)) {
      const norm = each === base ? undefined : flow.norms.get(each);
      if (norm !== undefined && !entries.includes(norm) && !exits.includes(norm)) return true;
    }
    return false;
  });
}

/** The function within a call in which all of its sublayers run. */
function frameOf(call: ModuleCall, sublayers: readonly Sublayer[]): Trace | undefined {
  const chains = sublayers.map(({ output }) => {
    const chain: Trace[] = [];
    for (let { trace } = directIn(call, output); trace !== undefined && trace !== call.trace; trace = trace.parent) chain.push(trace);
    return chain;
  });
  const [first, ...others] = chains;
  return first?.find((trace) => others.every((chain) => chain.includes(trace)));
}

/** What is made in the code of a call itself: the tensor, or the call in which it is made. */
function directIn(call: ModuleCall, made: TensorValue | ModuleCall): TensorValue | ModuleCall {
  let item = made;
  let outer = 'kind' in made ? made.call : made.parent;
  while (outer !== undefined && outer !== call) {
    item = outer;
    outer = outer.parent;
  }
  return item;
}

/** The place in the code of `call` itself from which a tensor, or another call, came: in its `forward`, or in the function that is given. */
export function siteIn(call: ModuleCall, made: TensorValue | ModuleCall, frame?: Trace): Site | undefined {
  const item = directIn(call, made);
  let { site, trace } = item;
  // The function in which nothing is called yet is `forward`; of the call that starts a study no place is known.
  const isStart = call.site === undefined;
  while (trace !== undefined && trace !== call.trace) {
    if (trace === frame || (!isStart && trace.parent === call.trace)) return site;
    site = trace.site;
    trace = trace.parent;
  }
  return isStart || trace !== undefined ? site : item.site;
}
