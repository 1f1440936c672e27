/**
 * The dataflow of one study as streams: what carries the input on, which sums are residual, what stands between two tensors. A sum is
 * residual when one operand was computed from the other through weights; helper modules, lambdas and pipelines disappear in the graph.
 */
import type { Study } from '../../interpreter/study.ts';
import type { ModuleCall, TensorValue } from '../../interpreter/value.ts';
import { isMove, type Norm, normsOf, tensorsOf } from './norms.ts';

export type SublayerKind = 'attention' | 'crossAttention' | 'feedForward' | 'convolution' | 'other';

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
export const valuesOf = (tensor: TensorValue): readonly TensorValue[] =>
  shapeOnly.has(tensor.op) ? [] : firstOnly.has(tensor.op) ? tensor.inputs.slice(0, 1) : tensor.inputs;

/** Made of what is not known, as of what a module given from outside answers. */
const isOfUnknown = ({ inputs, arguments: given, content }: TensorValue): boolean =>
  inputs.length === 0 && content === undefined && given.get('input')?.kind === 'unknown';

/** A sum with something that is not known: another sublayer may end in it. */
export const isOpenSum = ({ op, inputs, arguments: given }: TensorValue): boolean =>
  op === 'add' && (inputs.some(isOfUnknown) || [...given.values()].some(({ kind }) => kind === 'unknown'));

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
    } else if (isOfUnknown(tensor)) result = true;
    else if (tensor.isParameter !== true && tensor.isBuffer !== true && tensor.content === undefined)
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
    // A round of a loop in which one sublayer takes the stream's place.
    if (!this.passesWeights(goal, sum)) return false;
    if (this.residuals.has(this.withoutNorms(sum).base)) return true;
    return [...this.between(goal, sum)].some((each) => this.residuals.get(each)?.base === goal);
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
    if (!(isSum || tensor.op === 'addcmul') || this.#parts.has(tensor)) return undefined;
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
      if (this.passesWeights(base, branch)) return { sum: tensor, carried, branch, base, isParallel: false };
      // A shortcut that is projected where the width changes.
      if (base.op === 'join')
        for (const option of base.inputs) {
          const other = this.withoutNorms(option).base;
          if (this.passesWeights(other, branch)) return { sum: tensor, carried, branch, base: other, isParallel: false };
        }
      // `x + attention(norm(x)) + mlp(norm(x))`: the second reads the stream before the first sum.
      const sum = known.get(base);
      if (
        sum !== undefined &&
        base === this.base(carried) &&
        this.passesWeights(sum.base, branch) &&
        !this.between(sum.base, branch).has(sum.sum)
      )
        return { sum: tensor, carried, branch, base: sum.base, isParallel: true };
    }
    return undefined;
  }

  /** Whether one is computed from the other with weights. */
  passesWeights(from: TensorValue, to: TensorValue): boolean {
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
      if (convolutions.has(each.op) && !isPointwise(each)) convolutional += 1;
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
    if (at.op === 'matmul' || at.op === 'bmm' || at.op === 'baddbmm' || at.op === 'einsum') {
      const [data, ...others] = at.inputs.filter((input) => input.isParameter !== true);
      if (others.length > 0) return false;
      // Heads that are mixed before the softmax: what is mixed is a product of its own.
      return data === undefined || !isProductOfData(data);
    }
    if (at.op === 'linear') isProjected = true;
    else if (isMove(at) || ['add', 'sub', 'mul', 'div', 'join', 'where', 'masked_fill', 'tanh', 'getitem'].includes(at.op))
      waiting.push(...at.inputs);
  }
  return isProjected;
}

function isProductOfData(tensor: TensorValue): boolean {
  let at = tensor;
  for (let i = 0; i < 8; i++) {
    if (at.op === 'matmul' || at.op === 'bmm' || at.op === 'einsum') return at.inputs.every((input) => input.isParameter !== true);
    const [first] = at.inputs;
    if (first === undefined || !(isMove(at) || at.op === 'mul' || at.op === 'div' || at.op === 'masked_fill')) return false;
    at = first;
  }
  return false;
}

/** A convolution over single places is a linear layer. */
function isPointwise({ arguments: given }: TensorValue): boolean {
  const weight = given.get('weight');
  return (
    weight?.kind === 'tensor' && weight.shape.ellipsis === undefined && weight.shape.dims.slice(2).every(({ constant }) => constant === 1)
  );
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
    typeof node.name === 'string' &&
    /mask|position|(?:^|_)pos(?:_|$)|cos|sin|freqs|rope|bias|padding|valid|causal|alibi|drop|gate_scale/i.test(node.name)
  );
};
