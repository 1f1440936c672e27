/**
 * Finds the attention computations in the dataflow of model code, whatever style they are written in: a product of queries and keys,
 * what is done to the scores, the softmax, what is done to the weights, and their product with the values; and the calls of functions
 * that do all of this. Nothing rests on names: what a product sums over says which operand holds the keys.
 */
import { alternatives, isDropout, isLayout, sameElements } from '../../interpreter/graph.ts';
import { numberOf } from '../../interpreter/make.ts';
import type { CodeReading, Study } from '../../interpreter/study.ts';
import type { TensorValue, Value } from '../../interpreter/value.ts';
import { parseEinops } from '../../syntax/einops.ts';
import { constantFactor, type Factor, factorOf, invertFactor } from './scale.ts';

/** One thing that is done between the product and the softmax, to an operand, or to the weights. */
export interface Step {
  readonly kind: 'scale' | 'fill' | 'add' | 'dropout' | 'cap' | 'mix' | 'other';
  readonly node: TensorValue;
  /** For 'scale'. */
  readonly factor?: Factor;
  /** For 'fill': the condition, and whether the fill goes where it holds (`masked_fill`) or where not. */
  readonly mask?: Value;
  readonly fillsWhere?: boolean;
  readonly fill?: Value;
  /** For 'add' and tensor 'scale': the other operand; `sign` -1 where it is taken off. */
  readonly operand?: Value;
  readonly sign?: 1 | -1;
}

/** What a tensor was before it was rearranged, scaled, rotated and repeated: a projection, or a part of one. */
export interface Source {
  readonly node: TensorValue;
  /** Which part of the node: the picks on the way, as text. The same node and part are the same numbers. */
  readonly part: string;
  readonly scales: readonly Step[];
  /** Normed after the projection: QK-norm. */
  readonly isNormed: boolean;
  /** Turned by position, as rotary embeddings do. */
  readonly isRotated: boolean;
  /** Something was met that may change what was found. */
  readonly isUncertain: boolean;
  /** All tensors on the way, the operand first. */
  readonly passed: readonly TensorValue[];
}

export interface Operand {
  readonly tensor: TensorValue;
  /** The axis that is summed over, counted from the end. */
  readonly axis: number | undefined;
  /** The source; undefined where branches or unknown code hide it. */
  readonly source: Source | undefined;
}

/** A product of two tensors that both depend on the input. */
export interface Contraction {
  readonly node: TensorValue;
  readonly operands: readonly [TensorValue, TensorValue];
  /** The axis of each operand that is summed over, from the end. */
  readonly summed: readonly [number, number];
  /** The axis of the result that is each operand's own, from the end. */
  readonly own: readonly [number | undefined, number | undefined];
}

/** Where the weights meet the values. */
export interface WeightedSum {
  readonly node: TensorValue;
  readonly value: Operand;
  /** The axis of the softmax's result that is summed over; undefined where rearranging hides it. */
  readonly axis: number | undefined;
  readonly steps: readonly Step[];
}

export interface SoftmaxAttention {
  readonly kind: 'softmax';
  readonly study: Study;
  readonly node: TensorValue;
  readonly product: TensorValue;
  readonly query: Operand;
  readonly key: Operand;
  /** Each way from the product to the softmax, first step first. */
  readonly paths: readonly (readonly Step[])[];
  readonly sums: readonly WeightedSum[];
}

/** A call of `scaled_dot_product_attention`, or of a function like it. */
export interface CalledAttention {
  readonly kind: 'called';
  readonly study: Study;
  readonly node: TensorValue;
  readonly query: Operand;
  readonly key: Operand;
  readonly value: Operand;
  readonly mask: Value | undefined;
  readonly isCausal: Value | undefined;
  readonly scale: Value | undefined;
}

export type Attention = SoftmaxAttention | CalledAttention;

const products: ReadonlySet<string> = new Set(['matmul', 'bmm', 'mm', 'baddbmm', 'einsum']);
const norms: ReadonlySet<string> = new Set([
  'layer_norm',
  'rms_norm',
  'group_norm',
  'normalize',
  'batch_norm',
  'instance_norm',
  'local_response_norm',
]);
const reductions: ReadonlySet<string> = new Set([
  'mean',
  'sum',
  'var',
  'std',
  'norm',
  'amax',
  'amin',
  'max',
  'min',
  'vector_norm',
  'logsumexp',
  'var_mean',
  'reduce',
]);
const elementwise: ReadonlySet<string> = new Set([
  'rsqrt',
  'sqrt',
  'pow',
  'add',
  'sub',
  'mul',
  'div',
  'clamp',
  'reciprocal',
  'exp',
  'square',
  'abs',
  'neg',
  'log',
]);

/** Operations that keep axes and pick or repeat along them. */
const picks: ReadonlySet<string> = new Set([
  'getitem',
  'repeat',
  'repeat_interleave',
  'roll',
  'pad',
  'flip',
  'index_select',
  'gather',
  'narrow',
  'select',
  'tile',
  'take_along_dim',
]);
const splits: ReadonlySet<string> = new Set(['split', 'chunk', 'unbind', 'tensor_split', 'unpack', 'hsplit']);

/** Whether the tensor's numbers are a parameter's, or a buffer's, however arranged. A buffer may be a cache of keys. */
export function isWeight(tensor: TensorValue, countsBuffers = true): boolean {
  let at = tensor;
  for (let i = 0; i < 16; i++) {
    if (at.isParameter === true || at.op === 'parameter') return true;
    if (at.isBuffer === true || at.op === 'buffer') return countsBuffers;
    const [first] = at.inputs;
    if (first === undefined || !(sameElements.has(at.op) || isLayout(at) || picks.has(at.op) || splits.has(at.op))) return false;
    at = first;
  }
  return false;
}

/** Axis labels of an einsum: one list per operand, and the result's. */
export function equationOf(
  node: Pick<TensorValue, 'op' | 'arguments'>,
): { readonly inputs: readonly (readonly string[])[]; readonly output: readonly string[] } | undefined {
  if (node.op !== 'einsum') return undefined;
  const given = node.arguments.get('equation');
  const pattern = node.arguments.get('pattern');
  const listed = node.arguments.get('tensors_and_pattern');
  const written =
    given?.kind === 'string'
      ? given.value
      : pattern?.kind === 'string'
        ? pattern.value
        : listed?.kind === 'tuple'
          ? listed.items.flatMap((item) => (item.kind === 'string' && item.value !== undefined ? [item.value] : []))[0]
          : undefined;
  if (written === undefined) return undefined;
  if (given?.kind !== 'string') {
    const parsed = parseEinops(written);
    if (parsed === undefined) return undefined;
    const labels = (side: (typeof parsed)['output']): readonly string[] =>
      side.map(({ axes }) => (axes[0]?.kind === 'ellipsis' ? '...' : (axes[0]?.text ?? '')));
    return { inputs: parsed.inputs.map(labels), output: labels(parsed.output) };
  }
  const [left, right] = written.replace(/\s/g, '').split('->');
  if (left === undefined || right === undefined) return undefined;
  const labels = (side: string): readonly string[] => side.match(/\.\.\.|[A-Za-z]/g) ?? [];
  return { inputs: left.split(',').map(labels), output: labels(right) };
}

const contractions = new WeakMap<TensorValue, Contraction | 'none'>();

/** The product, where it is one of two tensors that are no weights, over one axis. */
export function contractionOf(node: TensorValue): Contraction | undefined {
  if (!products.has(node.op)) return undefined;
  const known = contractions.get(node);
  if (known !== undefined) return known === 'none' ? undefined : known;
  const found = readContraction(node);
  contractions.set(node, found ?? 'none');
  return found;
}

function readContraction(node: TensorValue): Contraction | undefined {
  const names = node.op === 'baddbmm' ? ['batch1', 'batch2'] : ['input', 'other'];
  const [left, right] =
    node.op === 'einsum' ? node.inputs : names.map((name) => asTensor(node.arguments.get(name) ?? node.arguments.get('mat2')));
  if (left === undefined || right === undefined || isWeight(left, false) || isWeight(right, false)) return undefined;
  if (node.op !== 'einsum') {
    const rank = (tensor: TensorValue): number => tensor.shape.dims.length;
    if ([left, right].some((tensor) => tensor.shape.ellipsis === undefined && rank(tensor) < 2)) return undefined;
    return { node, operands: [left, right], summed: [-1, -2], own: [-2, -1] };
  }
  const equation = equationOf(node);
  if (equation === undefined || node.inputs.length !== 2 || equation.inputs.length !== 2) return undefined;
  const [a = [], b = []] = equation.inputs;
  const { output } = equation;
  const summed = a.filter((label) => label !== '...' && b.includes(label) && !output.includes(label));
  const [label] = summed;
  if (label === undefined || summed.length !== 1) return undefined;
  const own = (mine: readonly string[], others: readonly string[]): number | undefined => {
    const found = mine.filter((each) => each !== '...' && !others.includes(each) && output.includes(each));
    const [only] = found;
    return only === undefined || found.length > 1 ? undefined : output.indexOf(only) - output.length;
  };
  return {
    node,
    operands: [left, right],
    summed: [a.indexOf(label) - a.length, b.indexOf(label) - b.length],
    own: [own(a, b), own(b, a)],
  };
}

/** The tensor that a value is; one that may also be None is taken for it. */
export function asTensor(value: Value | undefined): TensorValue | undefined {
  if (value?.kind === 'tensor') return value;
  if (value?.kind !== 'union') return undefined;
  const options = value.options.filter(({ kind }) => kind !== 'none');
  return options.length === 1 && options[0]?.kind === 'tensor' ? options[0] : undefined;
}

// ---------------------------------------------------------------------------------------------------------------------
// From the softmax back to the product

const operandsOf = (node: TensorValue): readonly [Value | undefined, Value | undefined] => [
  node.arguments.get('input'),
  node.arguments.get('other'),
];

const throughUnary: ReadonlySet<string> = new Set([
  'clamp',
  'relu',
  'sigmoid',
  'exp',
  'log',
  'softplus',
  'abs',
  'pow',
  'square',
  'elu',
  'silu',
  'maximum',
  'minimum',
]);

const maximumDepth = 60;

/** Follows scores (or weights) back to where `isGoal` holds. Each step answers the tensor before it. */
class Backwards {
  readonly #isGoal: (node: TensorValue) => boolean;
  readonly #leads = new Map<TensorValue, boolean>();

  constructor(isGoal: (node: TensorValue) => boolean) {
    this.#isGoal = isGoal;
  }

  leads(value: Value | undefined, depth = 0): boolean {
    const tensor = asTensor(value);
    if (tensor === undefined || depth > maximumDepth) return false;
    const known = this.#leads.get(tensor);
    if (known !== undefined) return known;
    this.#leads.set(tensor, false);
    const answer = this.#isGoal(tensor) || this.#before(tensor).some((each) => this.leads(each, depth + 1));
    this.#leads.set(tensor, answer);
    return answer;
  }

  /** The tensors of which one may be the scores before this operation. */
  #before(node: TensorValue): readonly TensorValue[] {
    const [a, b] = operandsOf(node);
    const both = [asTensor(a), asTensor(b)].flatMap((each) => each ?? []);
    const [first] = node.inputs;
    const one = first === undefined ? [] : [first];
    if (node.op === 'join') return node.inputs;
    if (node.op === 'mul' || node.op === 'div' || node.op === 'add' || node.op === 'sub') return both;
    if (node.op === 'where') return both;
    if (node.op === 'cat' || node.op === 'stack') return node.inputs;
    if (this.#isMix(node)) return node.inputs.filter((input) => !isWeight(input));
    if (
      sameElements.has(node.op) ||
      isDropout(node) ||
      isLayout(node) ||
      picks.has(node.op) ||
      throughUnary.has(node.op) ||
      node.op === 'masked_fill' ||
      node.op === 'setitem' ||
      node.op === 'tanh' ||
      node.op === 'neg'
    )
      return one;
    return [];
  }

  /** A product with weights over heads: talking heads. */
  #isMix(node: TensorValue): boolean {
    if (node.op === 'conv2d') return true;
    return (products.has(node.op) || node.op === 'linear') && node.inputs.some((input) => isWeight(input));
  }

  /** Every way back, at most `limit`; steps come in the order in which the code runs. */
  paths(start: TensorValue, limit = 24): readonly { readonly goal: TensorValue; readonly steps: readonly Step[] }[] {
    const found: { goal: TensorValue; steps: Step[] }[] = [];
    const walk = (node: TensorValue, steps: readonly Step[], depth: number): void => {
      if (found.length >= limit || depth > maximumDepth) return;
      if (this.#isGoal(node)) {
        found.push({ goal: node, steps: [...inherent(node), ...[...steps].reverse()] });
        return;
      }
      if (node.op === 'join') {
        for (const each of alternatives(node)) if (this.leads(each)) walk(each, steps, depth + 1);
        return;
      }
      const next = this.#step(node);
      if (next !== undefined) walk(next.before, next.step === undefined ? steps : [...steps, next.step], depth + 1);
    };
    walk(start, [], 0);
    return found;
  }

  #step(node: TensorValue): { readonly before: TensorValue; readonly step?: Step } | undefined {
    const [first] = node.inputs;
    if (sameElements.has(node.op) && first !== undefined) return { before: first };
    if (isDropout(node) && first !== undefined) return { before: first, step: { kind: 'dropout', node } };
    const [a, b] = operandsOf(node);
    const [left, right] = [asTensor(a), asTensor(b)];
    switch (node.op) {
      case 'mul':
      case 'div': {
        const isLeft = this.leads(left);
        if (isLeft && this.leads(right))
          return left === undefined ? undefined : { before: left, step: { kind: 'other', node, ...optional('operand', b) } };
        const [before, other] = isLeft ? [left, b] : [right, a];
        if (before === undefined) return undefined;
        if (node.op === 'div' && !isLeft) return { before, step: { kind: 'other', node } };
        const factor = node.op === 'div' ? invertFactor(factorOf(other)) : factorOf(other);
        return { before, step: { kind: 'scale', node, factor, ...optional('operand', other) } };
      }
      case 'add':
      case 'sub': {
        const isLeft = this.leads(left);
        const [before, other] = isLeft ? [left, b] : [right, a];
        if (before === undefined) return undefined;
        if (node.op === 'sub' && !isLeft) return { before, step: { kind: 'other', node } };
        // Scores of two products: content and position, parts of a head.
        if (isLeft && this.leads(right)) return { before, step: { kind: 'other', node } };
        return { before, step: { kind: 'add', node, sign: node.op === 'sub' ? -1 : 1, ...optional('operand', other) } };
      }
      case 'masked_fill': {
        const mask = node.arguments.get('mask');
        return first === undefined
          ? undefined
          : {
              before: first,
              step: { kind: 'fill', node, fillsWhere: true, ...optional('mask', mask), ...optional('fill', node.arguments.get('value')) },
            };
      }
      case 'where': {
        const isLeft = this.leads(left);
        const [before, fill] = isLeft ? [left, b] : [right, a];
        if (before === undefined) return undefined;
        return {
          before,
          step: {
            kind: 'fill',
            node,
            fillsWhere: !isLeft,
            ...optional('mask', node.arguments.get('condition')),
            ...optional('fill', fill),
          },
        };
      }
      case 'neg':
        return first === undefined ? undefined : { before: first, step: { kind: 'scale', node, factor: constantFactor(-1) } };
      case 'tanh':
        return first === undefined ? undefined : { before: first, step: { kind: 'cap', node } };
      default: {
        const before = node.inputs.find((input) => this.leads(input));
        if (before === undefined) return undefined;
        return { before, step: { kind: this.#isMix(node) ? 'mix' : 'other', node } };
      }
    }
  }
}

/** `baddbmm` adds to the product, and scales it. */
function inherent(node: TensorValue): readonly Step[] {
  if (node.op !== 'baddbmm') return [];
  const [alpha, beta] = [node.arguments.get('alpha'), node.arguments.get('beta')];
  const isNothing = beta !== undefined && numberOf(beta) === 0;
  const scale: Step = { kind: 'scale', node, factor: factorOf(alpha), ...optional('operand', alpha) };
  return isNothing ? [scale] : [scale, { kind: 'add', node, sign: 1, ...optional('operand', node.arguments.get('input')) }];
}

const optional = <Key extends string>(key: Key, value: Value | undefined): { readonly [K in Key]?: Value } =>
  (value === undefined ? {} : { [key]: value }) as { readonly [K in Key]?: Value };

/** Layout changes are steps too, since they move axes; rules about numbers pass over them. */
export const isArithmetic = ({ kind, node }: Step): boolean => !(kind === 'other' && (isLayout(node) || sameElements.has(node.op)));

// ---------------------------------------------------------------------------------------------------------------------
// Axes

/** The axis from the end; undefined where the rank must be known and is not. */
export function fromEnd(axis: number, { shape }: TensorValue): number | undefined {
  if (axis < 0) return axis;
  return shape.ellipsis === undefined ? axis - shape.dims.length : undefined;
}

/** At least so many axes does the tensor have. */
export function leastRank(tensor: TensorValue, depth = 0): number {
  let least = tensor.shape.dims.length;
  if (tensor.shape.ellipsis === undefined || depth > 12) return least;
  const [first] = tensor.inputs;
  for (const name of ['dim0', 'dim1']) {
    const axis = numberArgument(tensor, name);
    if (axis !== undefined) least = Math.max(least, axis < 0 ? -axis : axis + 1);
  }
  const keeps =
    sameElements.has(tensor.op) ||
    isDropout(tensor) ||
    ['transpose', 'add', 'sub', 'mul', 'div', 'masked_fill', 'where', 'softmax', 'matmul', 'swapaxes', 'repeat_interleave'].includes(
      tensor.op,
    );
  if (keeps && first !== undefined) for (const input of tensor.inputs) least = Math.max(least, leastRank(input, depth + 1));
  return least;
}

export function numberArgument(tensor: TensorValue, ...names: readonly string[]): number | undefined {
  for (const name of names) {
    const value = tensor.arguments.get(name);
    const known = value === undefined ? undefined : numberOf(value);
    if (known !== undefined) return known;
  }
  return undefined;
}

function listArgument(tensor: TensorValue, name: string): readonly number[] | undefined {
  let value = tensor.arguments.get(name);
  if (value?.kind === 'tuple' && value.items.length === 1 && (value.items[0]?.kind === 'tuple' || value.items[0]?.kind === 'list'))
    value = value.items[0];
  if (value?.kind !== 'tuple' && value?.kind !== 'list') return undefined;
  const numbers = value.items.map((item) => numberOf(item));
  return numbers.includes(undefined) ? undefined : (numbers as number[]);
}

/** The axis of the operation's input that became this axis of its result; both from the end. */
export function axisBefore(node: TensorValue, axis: number): number | undefined {
  const [first] = node.inputs;
  if (first === undefined) return undefined;
  switch (node.op) {
    case 'T':
    case 'mT':
    case 'transpose':
    case 'swapaxes':
    case 'swapdims': {
      const isLast = node.op === 'mT' || node.op === 'T';
      const [x, y] = isLast ? [-1, -2] : [numberArgument(node, 'dim0', 'axis0'), numberArgument(node, 'dim1', 'axis1')];
      if (x === undefined || y === undefined) return undefined;
      const [p, q] = [fromEnd(x, node), fromEnd(y, node)];
      if (p === undefined || q === undefined) return undefined;
      return axis === p ? q : axis === q ? p : axis;
    }
    case 'permute': {
      const order = listArgument(node, 'dims');
      if (order === undefined) return undefined;
      const from = order[axis + order.length];
      return from === undefined ? undefined : from < 0 ? from : from - order.length;
    }
    case 'unsqueeze': {
      const at = numberArgument(node, 'dim');
      const place = at === undefined ? undefined : at < 0 ? at : fromEnd(at, node);
      if (place === undefined || place === axis) return undefined;
      return axis < place ? axis + 1 : axis;
    }
    case 'rearrange': {
      const pattern = node.arguments.get('pattern');
      const parsed = pattern?.kind === 'string' && pattern.value !== undefined ? parseEinops(pattern.value) : undefined;
      const group = parsed?.output[axis + parsed.output.length];
      const [name] = group?.axes ?? [];
      if (parsed === undefined || name === undefined || group?.axes.length !== 1 || name.kind !== 'name') return undefined;
      const input = parsed.inputs[0] ?? [];
      const from = input.findIndex(({ axes }) => axes.length === 1 && axes[0]?.text === name.text);
      return from < 0 ? undefined : from - input.length;
    }
    case 'view':
    case 'reshape':
    case 'squeeze':
    case 'flatten':
    case 'unflatten': {
      // The axes behind it are as they were.
      for (let i = -1; i >= axis; i--) {
        const [a, b] = [dimFromEnd(first, i), dimFromEnd(node, i)];
        if (a === undefined || b === undefined || a.key !== b.key) return undefined;
      }
      return axis;
    }
    case 'getitem':
    case 'cat':
    case 'movedim':
    case 'moveaxis':
    case 'einsum':
    case 'linear':
    case 'setitem':
    case 'stack':
      return undefined;
    default:
      return axis;
  }
}

export function dimFromEnd({ shape }: TensorValue, axis: number) {
  const index = shape.dims.length + axis;
  if (index < 0 || (shape.ellipsis !== undefined && index < shape.ellipsis)) return undefined;
  return shape.dims[index];
}

// ---------------------------------------------------------------------------------------------------------------------
// Sources

/** How surely a tensor depends on a projection of the input: 2 on a layer, 1 on an input, 0 on positions and weights alone. */
const depths = new WeakMap<TensorValue, number>();
export function projectedness(tensor: TensorValue, depth = 0): number {
  const known = depths.get(tensor);
  if (known !== undefined) return known;
  if (tensor.op === 'linear' || /^conv\d/.test(tensor.op)) return 2;
  if (tensor.op === 'embedding') return 2;
  // A table of vectors that is looked up by tokens.
  if (tensor.op === 'getitem' && tensor.inputs.length > 1 && tensor.inputs[0]?.isParameter === true) return 2;
  if (tensor.op === 'input') return /int|bool/.test(tensor.dtype ?? '') || isMaskInput(tensor) ? 0 : 1;
  if (/_like$|^new_/.test(tensor.op)) return 0;
  if (tensor.isParameter === true || tensor.isBuffer === true) return 0;
  if (depth > 1500) return 0;
  depths.set(tensor, 0);
  let best = 0;
  // `x.type_as(y)` holds the numbers of x.
  const inputs = sameElements.has(tensor.op) || isLayout(tensor) ? tensor.inputs.slice(0, 1) : tensor.inputs;
  for (const input of inputs) {
    best = Math.max(best, projectedness(input, depth + 1));
    if (best === 2) break;
  }
  if (best === 1 && products.has(tensor.op) && tensor.inputs.some((input) => isWeight(input, false))) best = 2;
  depths.set(tensor, best);
  return best;
}

/** What comes in under the name of a mask. */
function isMaskInput({ site }: TensorValue): boolean {
  const node = site?.node as { readonly kind?: string; readonly name?: unknown } | undefined;
  return node?.kind === 'name' && typeof node.name === 'string' && /mask|^valid$|^keep$|padding/.test(node.name);
}

/** A number that a reduction over the tensor gave, as in a norm. */
function isStatistic(tensor: TensorValue, depth = 0): boolean {
  if (reductions.has(tensor.op)) return true;
  if (depth > 8) return false;
  const [first] = tensor.inputs;
  const goesOn = elementwise.has(tensor.op) || sameElements.has(tensor.op) || isLayout(tensor) || tensor.op === 'getitem';
  return goesOn && first !== undefined && tensor.inputs.every((input) => isStatistic(input, depth + 1));
}

const indexText = (value: Value | undefined): string => {
  switch (value?.kind) {
    case 'int':
      return value.dim.key;
    case 'slice': {
      const [lower, upper, step] = [value.lower, value.upper, value.step].map(indexText);
      return `${lower}:${upper}:${step}`;
    }
    case 'tuple':
      return value.items.map(indexText).join(',');
    case 'none':
      return '';
    case 'ellipsis':
      return '...';
    default:
      return value?.kind ?? '';
  }
};

/** What is stored in tensors that were made empty: a cache's keys. */
type Writes = ReadonlyMap<TensorValue, readonly TensorValue[]>;

function writesOf(tensors: readonly TensorValue[]): Writes {
  const writes = new Map<TensorValue, TensorValue[]>();
  for (const node of tensors) {
    if (node.op !== 'setitem' || asTensor(node.arguments.get('value')) === undefined) continue;
    let at = asTensor(node.arguments.get('input'));
    for (let i = 0; i < 12 && at !== undefined && (sameElements.has(at.op) || at.op === 'getitem'); i++) at = at.inputs[0];
    if (at === undefined) continue;
    const known = writes.get(at);
    if (known === undefined) writes.set(at, [node]);
    else known.push(node);
  }
  return writes;
}

const noWrites: Writes = new Map();

/** Follows an operand back to its projection. */
export function sourceOf(tensor: TensorValue, writes: Writes = noWrites): Source | undefined {
  const scales: Step[] = [];
  const passed: TensorValue[] = [];
  const parts: string[] = [];
  let [isNormed, isRotated, isUncertain] = [false, false, false];
  let at = tensor;
  const finish = (): Source => ({
    node: at,
    part: [...parts].reverse().join(' '),
    scales: [...scales].reverse(),
    isNormed,
    isRotated,
    isUncertain,
    passed,
  });
  for (let i = 0; i < 200; i++) {
    passed.push(at);
    const [first] = at.inputs;
    if (at.op === 'join') {
      const options = alternatives(at);
      const sources = options.map((option) => sourceOf(option, writes));
      const [one] = sources;
      if (one === undefined || options.length > 8) return undefined;
      const isSame = sources.every((each) => each !== undefined && each.node === one.node && each.part === one.part);
      if (!isSame) return undefined;
      const agreed = sources.every((each) => each?.isRotated === one.isRotated && each.isNormed === one.isNormed);
      const sameScales = sources.every((each) => each?.scales.length === one.scales.length);
      return {
        ...one,
        part: [one.part, ...[...parts].reverse()].filter((part) => part !== '').join(' '),
        scales: [...one.scales, ...[...scales].reverse()],
        isNormed: isNormed || sources.some((each) => each?.isNormed === true),
        isRotated: isRotated || sources.every((each) => each?.isRotated === true),
        isUncertain: isUncertain || !agreed || !sameScales || sources.some((each) => each?.isUncertain === true),
        passed: [...passed, ...one.passed],
      };
    }
    const [written, ...rest] = writes.get(at) ?? [];
    if (written !== undefined && rest.length === 0) {
      const value = asTensor(written.arguments.get('value'));
      passed.push(written);
      if (value === undefined) return finish();
      at = value;
      continue;
    }
    if (first === undefined || at.isParameter === true || at.isBuffer === true) return finish();
    if (sameElements.has(at.op) || isLayout(at) || isDropout(at) || at.op === 'view_as_complex' || at.op === 'view_as_real') {
      at = first;
      continue;
    }
    if (norms.has(at.op)) {
      isNormed = true;
      at = first;
      continue;
    }
    if (splits.has(at.op)) {
      parts.push(`${at.op}#${at.index ?? ''}`);
      at = first;
      continue;
    }
    if (picks.has(at.op)) {
      const index = at.op === 'getitem' ? indexText(at.arguments.get('index')) : '';
      if (/[^:,.]/.test(index)) parts.push(`[${index}]`);
      at = first;
      continue;
    }
    if (at.op === 'cache_update' || at.op === 'neg') {
      at = first;
      continue;
    }
    if (at.op === 'cat' || at.op === 'stack') {
      const moving = at.inputs.filter((input) => projectedness(input) === 2);
      const [one, ...others] = moving.length > 0 ? moving : at.inputs;
      if (one === undefined) return finish();
      const own = sourceOf(one, writes);
      if (others.some((other) => sourceOf(other, writes)?.node !== own?.node)) isUncertain = true;
      else if (others.some((other) => sourceOf(other, writes)?.isRotated === true)) isRotated = true;
      at = others.length > 0 && isUncertain ? (moving[moving.length - 1] ?? one) : one;
      continue;
    }
    if (at.op === 'mul' || at.op === 'div' || at.op === 'add' || at.op === 'sub') {
      const [a, b] = operandsOf(at);
      const [left, right] = [asTensor(a), asTensor(b)];
      const isLinear = at.op === 'mul' || at.op === 'div';
      if (left === undefined || right === undefined) {
        const main = left ?? right;
        if (main === undefined || (at.op === 'div' && left === undefined)) return finish();
        const other = main === left ? b : a;
        if (isLinear)
          scales.push({
            kind: 'scale',
            node: at,
            factor: at.op === 'div' ? invertFactor(factorOf(other)) : factorOf(other),
            ...optional('operand', other),
          });
        at = main;
        continue;
      }
      if (isLinear && isStatistic(right)) {
        isNormed = true;
        at = left;
        continue;
      }
      if (isLinear && isStatistic(left)) {
        isNormed = true;
        at = right;
        continue;
      }
      const [p, q] = [projectedness(left), projectedness(right)];
      if (!isLinear && p > 0 && q > 0) {
        const rotation = rotationOf(at);
        if (rotation !== undefined) {
          isRotated = true;
          at = rotation;
          continue;
        }
        return finish();
      }
      if (p === q && p > 0 && isLinear) return finish();
      const main = q > p ? right : left;
      const other = main === left ? right : left;
      if (isLinear) {
        const isTurned =
          at.op === 'mul' && (main.op === 'view_as_complex' || at.inputs.some(({ op }) => op === 'view_as_complex' || op === 'polar'));
        if (isTurned || main.inputs.some(({ op }) => op === 'view_as_complex')) isRotated = true;
        else
          scales.push({
            kind: 'scale',
            node: at,
            factor: at.op === 'div' ? invertFactor(factorOf(other)) : factorOf(other),
            operand: other,
          });
      }
      at = main;
      continue;
    }
    return finish();
  }
  return undefined;
}

/** `x * cos + rotate(x) * sin`: the tensor that is turned, where the sum is of that form. */
export function rotationOf(sum: TensorValue): TensorValue | undefined {
  if (sum.op !== 'add' && sum.op !== 'sub') return undefined;
  const turned = operandsOf(sum).map((value) => {
    const product = asTensor(value);
    if (product?.op !== 'mul') return undefined;
    const [left, right] = operandsOf(product).map(asTensor);
    if (left === undefined || right === undefined) return undefined;
    const [p, q] = [projectedness(left), projectedness(right)];
    return p === q ? undefined : p > q ? left : right;
  });
  const [a, b] = turned;
  if (a === undefined || b === undefined) return undefined;
  const root = (tensor: TensorValue): TensorValue => {
    let at = tensor;
    for (let i = 0; i < 24; i++) {
      const [first] = at.inputs;
      const goesOn =
        sameElements.has(at.op) ||
        isLayout(at) ||
        ['cat', 'stack', 'neg', 'getitem', 'chunk', 'split', 'unbind', 'roll', 'flip'].includes(at.op);
      if (first === undefined || !goesOn) return at;
      at = first;
    }
    return at;
  };
  if (root(a) !== root(b)) return undefined;
  return a;
}

// ---------------------------------------------------------------------------------------------------------------------

const found = new WeakMap<CodeReading, readonly Attention[]>();

/** Every attention in the code, each place once per study in which it was met. */
export function attentionsOf(code: CodeReading): readonly Attention[] {
  const known = found.get(code);
  if (known !== undefined) return known;
  const all = code.studies.flatMap(attentionsOfStudy);
  found.set(code, all);
  return all;
}

const isSoftmax = ({ op, index }: TensorValue): boolean => op === 'softmax' && index === undefined;

/** The axis over which a softmax goes, as the code says it. */
export function softmaxAxis(node: TensorValue): number | undefined {
  return numberArgument(node, 'dim');
}

/** Inside the layers of the library, which are right. */
export const isLibrary = ({ layer }: TensorValue): boolean => layer !== undefined && /Attention|Transformer/.test(layer.class.name);

function attentionsOfStudy(study: Study): readonly Attention[] {
  const all = withCopies(study);
  const writes = writesOf(all);
  const back = new Backwards((node) => contractionOf(node) !== undefined);
  const toSoftmax = new Backwards(isSoftmax);
  const sums = new Map<TensorValue, WeightedSum[]>();
  const results: Attention[] = [];
  const operand = (tensor: TensorValue, axis: number | undefined): Operand => ({ tensor, axis, source: sourceOf(tensor, writes) });
  for (const node of all) {
    if (isLibrary(node)) continue;
    const contraction = contractionOf(node);
    if (contraction === undefined) continue;
    for (const [i, weights] of contraction.operands.entries()) {
      if (!toSoftmax.leads(weights)) continue;
      for (const { goal, steps } of toSoftmax.paths(weights, 8)) {
        let axis: number | undefined = contraction.summed[i];
        for (const step of [...steps].reverse()) axis = axis === undefined ? undefined : axisBefore(step.node, axis);
        const sum: WeightedSum = {
          node,
          axis,
          steps,
          value: operand(contraction.operands[1 - i] as TensorValue, contraction.summed[1 - i]),
        };
        sums.set(goal, [...(sums.get(goal) ?? []), sum]);
      }
    }
  }
  for (const node of all) {
    if (isLibrary(node)) continue;
    if (isSoftmax(node)) {
      const [input] = node.inputs;
      if (input === undefined || !back.leads(input)) continue;
      const paths = back.paths(input);
      for (const product of new Set(paths.map(({ goal }) => goal))) {
        const contraction = contractionOf(product);
        if (contraction === undefined || toSoftmax.leads(contraction.operands[0]) || toSoftmax.leads(contraction.operands[1])) continue;
        const own = paths.filter(({ goal }) => goal === product).map(({ steps }) => steps);
        const used = sums.get(node) ?? [];
        const keys = keysAxis(used, own);
        const isSwapped = keys !== undefined && contraction.own[0] === keys && contraction.own[1] !== keys;
        const [q, k] = isSwapped ? [1, 0] : [0, 1];
        results.push({
          kind: 'softmax',
          study,
          node,
          product,
          query: operand(contraction.operands[q] as TensorValue, contraction.summed[q]),
          key: operand(contraction.operands[k] as TensorValue, contraction.summed[k]),
          paths: own,
          sums: used,
        });
      }
    } else if (node.op === 'scaled_dot_product_attention') {
      const [query, key, value] = ['query', 'key', 'value'].map((name) => asTensor(node.arguments.get(name)));
      if (query === undefined || key === undefined || value === undefined) continue;
      results.push({
        kind: 'called',
        study,
        node,
        query: operand(query, -1),
        key: operand(key, -1),
        value: operand(value, -2),
        mask: node.arguments.get('attn_mask'),
        isCausal: node.arguments.get('is_causal'),
        scale: node.arguments.get('scale'),
      });
    }
  }
  return results;
}

/** The axis of the product's result that holds keys: the one that meets the values, as it was before the scores were rearranged. */
function keysAxis(sums: readonly WeightedSum[], paths: readonly (readonly Step[])[]): number | undefined {
  const axes = new Set(sums.map(({ axis }) => axis));
  let [axis] = axes;
  if (axes.size !== 1 || axis === undefined) return undefined;
  for (const step of [...(paths[0] ?? [])].reverse()) axis = axis === undefined ? undefined : axisBefore(step.node, axis);
  return axis;
}

const complete = new WeakMap<Study, readonly TensorValue[]>();

/** The tensors of a study with what stands in their place after it was refined: some are known under a better shape to their users. */
export function withCopies(study: Study): readonly TensorValue[] {
  const known = complete.get(study);
  if (known !== undefined) return known;
  const byId = new Map<number, TensorValue>();
  for (const tensor of study.tensors) byId.set(tensor.id, tensor);
  const add = (tensor: TensorValue): void => {
    const before = byId.get(tensor.id);
    if (before !== undefined && before !== tensor) byId.set(tensor.id, tensor);
  };
  for (const tensor of study.tensors) for (const input of tensor.inputs) add(input);
  const all = [...byId.values()].sort((a, b) => a.id - b.id);
  complete.set(study, all);
  return all;
}
