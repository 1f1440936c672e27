/** From an operand of attention back to the projection that it was: through layouts, norms, scales, rotations, caches and repeats. */
import { alternatives, ancestors, isDropout, isLayout, sameElements } from '../../interpreter/graph.ts';
import type { TensorValue, Value } from '../../interpreter/value.ts';
import { products } from './contractions.ts';
import { factorOf, invertFactor } from './scale.ts';
import type { Step } from './scores.ts';
import { asTensor, isWeight, operandsOf, optional, picks, splits } from './tensors.ts';

/** What a tensor was before it was rearranged, scaled, rotated and repeated: a projection, or a part of one. */
export interface Source {
  readonly node: TensorValue;
  /** Which part of the node: the picks on the way, as text. The same node and part are the same numbers. */
  readonly part: string;
  readonly scales: readonly Step[];
  /**
   * Normed after the projection: QK-norm. 'mean': each number has size 1 then, and a head the length sqrt(d), which asks for the same
   * scale as before; 'unit': the head has length 1, and the scale is another one.
   */
  readonly norm: 'mean' | 'unit' | undefined;
  /** Turned by position, as rotary embeddings do, on one of the ways at least: a setting may turn neither queries nor keys. */
  readonly isRotated: boolean;
  /** Something was met that may change what was found. */
  readonly isUncertain: boolean;
  /** All tensors on the way, the operand first. */
  readonly passed: readonly TensorValue[];
}

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

/** A root mean square or a deviation rather than a length. */
const isMean = (statistic: TensorValue): boolean => {
  const reduction = ancestors(statistic, ({ op }) => !reductions.has(op)).find(({ op }) => reductions.has(op));
  return reduction?.op === 'mean' || reduction?.op === 'var' || reduction?.op === 'std';
};

/** Two of one text take the same part. `otherwise` stands for what is not known, which may be the same as nothing else. */
const indexText = (value: Value | undefined, otherwise: string): string => {
  const inner = (each: Value | undefined): string => indexText(each, otherwise);
  switch (value?.kind) {
    case undefined:
    case 'none':
      return '';
    case 'int':
      return value.dim.key;
    case 'slice':
      return [value.lower, value.upper, value.step].map(inner).join(':');
    case 'tuple':
      return value.items.map(inner).join(',');
    case 'list':
      return value.open === true || value.repeat !== undefined ? otherwise : `[${value.items.map(inner).join(',')}]`;
    case 'ellipsis':
      return '...';
    case 'tensor':
      return `tensor ${value.id}`;
    default:
      return otherwise;
  }
};

/** What is stored in tensors that were made empty: a cache's keys. */
type Writes = ReadonlyMap<TensorValue, readonly TensorValue[]>;

export function writesOf(tensors: readonly TensorValue[]): Writes {
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

/**
 * One layer that is called in each of two branches, on its own states or on those of an encoder, makes the same of them; so does one of
 * two layers that a setting chooses from.
 */
const isSameProjection = (a: TensorValue, b: TensorValue): boolean =>
  a === b ||
  (a.op === 'linear' &&
    b.op === 'linear' &&
    ((a.layer !== undefined && a.layer === b.layer) ||
      (a.site?.node === b.site?.node && a.arguments.get('input') === b.arguments.get('input'))));

const known = new WeakMap<Writes, WeakMap<TensorValue, { readonly source: Source | undefined }>>();
/** Joins and concatenations within one another; deeper ones are loops written out. */
const maximumDepth = 24;

/** Follows an operand back to its projection. Each tensor once: what branches join has many ways through it. */
export function sourceOf(tensor: TensorValue, writes: Writes = noWrites, depth = 0): Source | undefined {
  const found = known.get(writes) ?? new WeakMap<TensorValue, { readonly source: Source | undefined }>();
  known.set(writes, found);
  const before = found.get(tensor);
  if (before !== undefined) return before.source;
  if (depth > maximumDepth) return undefined;
  const source = followed(tensor, writes, depth);
  found.set(tensor, { source });
  return source;
}

function followed(tensor: TensorValue, writes: Writes, depth: number): Source | undefined {
  const scales: Step[] = [];
  const passed: TensorValue[] = [];
  const parts: string[] = [];
  let norm: Source['norm'];
  let [isRotated, isUncertain] = [false, false];
  // The weight with which a norm ends starts as 1 and is no scale.
  const normedBy = (kind: 'mean' | 'unit'): void => {
    norm = norm === 'unit' ? norm : kind;
    if (kind === 'mean') for (let i = scales.length - 1; i >= 0; i--) if (scales[i]?.factor?.kind === 'learned') scales.splice(i, 1);
  };
  let at = tensor;
  const finish = (): Source => ({
    node: at,
    part: [...parts].reverse().join(' '),
    scales: [...scales].reverse(),
    norm,
    isRotated,
    isUncertain,
    passed,
  });
  for (let i = 0; i < 200; i++) {
    passed.push(at);
    const [first] = at.inputs;
    if (at.op === 'join') {
      const options = alternatives(at);
      const sources = options.map((option) => sourceOf(option, writes, depth + 1));
      // The way that is turned shows where.
      const one = sources.find((each) => each?.isRotated === true) ?? sources[0];
      if (one === undefined || options.length > 8) return undefined;
      const isSame = sources.every((each) => each !== undefined && isSameProjection(each.node, one.node) && each.part === one.part);
      if (!isSame) return undefined;
      // Where only some branches normalise, the others are judged; a unit length on some of them is another scale on those.
      const kinds = new Set(sources.map((each) => each?.norm));
      if (kinds.has('unit')) norm = 'unit';
      else if (kinds.size === 1) norm ??= one.norm;
      const sameScales = sources.every((each) => each?.scales.length === one.scales.length);
      return {
        ...one,
        part: [one.part, ...[...parts].reverse()].filter((part) => part !== '').join(' '),
        scales: [...one.scales, ...[...scales].reverse()],
        norm,
        isRotated: isRotated || sources.some((each) => each?.isRotated === true),
        isUncertain: isUncertain || !sameScales || sources.some((each) => each?.isUncertain === true),
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
    if (at.op === 'index_copy') {
      const source = asTensor(at.arguments.get('source'));
      if (source === undefined) return finish();
      at = source;
      continue;
    }
    if (norms.has(at.op)) {
      normedBy(at.op === 'layer_norm' || at.op === 'rms_norm' ? 'mean' : 'unit');
      at = first;
      continue;
    }
    if (splits.has(at.op)) {
      parts.push(`${at.op}#${at.index ?? ''}`);
      at = first;
      continue;
    }
    if (picks.has(at.op)) {
      const index = at.op === 'getitem' ? indexText(at.arguments.get('index'), `of ${at.id}`) : '';
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
      const own = sourceOf(one, writes, depth + 1);
      if (others.some((other) => sourceOf(other, writes, depth + 1)?.node !== own?.node)) isUncertain = true;
      else if (others.some((other) => sourceOf(other, writes, depth + 1)?.isRotated === true)) isRotated = true;
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
        normedBy(isMean(right) ? 'mean' : 'unit');
        at = left;
        continue;
      }
      if (isLinear && isStatistic(left)) {
        normedBy(isMean(left) ? 'mean' : 'unit');
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
