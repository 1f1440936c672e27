/** By what a tensor is multiplied: numbers, powers of sizes, scalars made as tensors, settings and what is learned. */
import type { Dim } from '../../dims/dim.ts';
import { underneath } from '../../interpreter/graph.ts';
import { numberOf } from '../../interpreter/make.ts';
import type { Powers, TensorValue, Value } from '../../interpreter/value.ts';

/** A factor: a product of powers of sizes, a value that training finds, one that depends on the data, or one that is not known. */
export type Factor =
  | { readonly kind: 'powers'; readonly powers: Powers /** The code may be given another value instead. */; readonly isDefault?: boolean }
  /** Branches of the code decide which. */
  | { readonly kind: 'ways'; readonly ways: readonly { readonly value: Value; readonly factor: Factor }[] }
  | { readonly kind: 'learned' }
  | { readonly kind: 'data' }
  | { readonly kind: 'unknown' };

const unknown: Factor = { kind: 'unknown' };
const one: Powers = { coefficient: 1, factors: [] };

export const constantFactor = (coefficient: number): Factor => ({ kind: 'powers', powers: { coefficient, factors: [] } });

export function multiplyFactors(a: Factor, b: Factor): Factor {
  if (a.kind !== 'powers') return a;
  if (b.kind !== 'powers') return b;
  const factors: { base: Dim; exponent: number }[] = a.powers.factors.map((each) => ({ ...each }));
  for (const { base, exponent } of b.powers.factors) {
    const at = factors.find((factor) => factor.base.key === base.key);
    if (at === undefined) factors.push({ base, exponent });
    else at.exponent += exponent;
  }
  const powers = { coefficient: a.powers.coefficient * b.powers.coefficient, factors: factors.filter(({ exponent }) => exponent !== 0) };
  return { kind: 'powers', powers, ...(a.isDefault === true || b.isDefault === true ? { isDefault: true } : {}) };
}

export function raiseFactor(factor: Factor, exponent: number): Factor {
  if (factor.kind === 'ways')
    return { kind: 'ways', ways: factor.ways.map(({ value, factor: each }) => ({ value, factor: raiseFactor(each, exponent) })) };
  if (factor.kind !== 'powers') return factor;
  const { coefficient, factors } = factor.powers;
  if (coefficient <= 0 && !Number.isInteger(exponent)) return unknown;
  return {
    ...factor,
    powers: {
      coefficient: coefficient ** exponent,
      factors: factors.map((each) => ({ base: each.base, exponent: each.exponent * exponent })),
    },
  };
}

export const invertFactor = (factor: Factor): Factor => raiseFactor(factor, -1);

/** What multiplying by the value multiplies by. */
export function factorOf(value: Value | undefined, depth = 0): Factor {
  if (value === undefined || depth > 12) return unknown;
  switch (value.kind) {
    case 'int':
      return value.dim.constant === undefined
        ? { kind: 'powers', powers: { coefficient: 1, factors: [{ base: value.dim, exponent: 1 }] } }
        : constantFactor(value.dim.constant);
    case 'float': {
      if (value.powers !== undefined) return { kind: 'powers', powers: value.powers };
      if (value.ways !== undefined)
        return { kind: 'ways', ways: value.ways.map((way) => ({ value: way, factor: factorOf(way, depth + 1) })) };
      return value.value === undefined ? unknown : constantFactor(value.value);
    }
    case 'union': {
      // `scale or head_dim ** -0.5`: where nothing is given, the number of the code holds.
      const known = value.options.filter(({ kind }) => kind === 'float' || kind === 'int');
      const others = value.options.filter((option) => !known.includes(option));
      const isFallback = others.every((option) => option.kind === 'none' || (option.kind === 'unknown' && option.path !== undefined));
      const factor = known.length === 1 ? factorOf(known[0], depth + 1) : unknown;
      if (factor.kind !== 'powers') return unknown;
      if (isFallback) return { ...factor, isDefault: true };
      // `scale = scale * mscale` under a setting: without it the scale is what it was.
      return { kind: 'ways', ways: value.options.map((each) => ({ value: each, factor: each === known[0] ? factor : unknown })) };
    }
    case 'tensor':
      return factorOfTensor(value, depth + 1);
    default:
      return unknown;
  }
}

function factorOfTensor(tensor: TensorValue, depth: number): Factor {
  if (depth > 12) return unknown;
  const at = underneath(tensor);
  const [first, second] = [at.arguments.get('input'), at.arguments.get('other')];
  const of = (value: Value | undefined): Factor => factorOf(value, depth + 1);
  switch (at.op) {
    case 'parameter': {
      // A flag that freezes it, or may: what it holds is the scale.
      const learns = at.arguments.get('requires_grad');
      const isFixed = learns !== undefined && (learns.kind !== 'bool' || !learns.value);
      return isFixed ? of(at.arguments.get('data')) : { kind: 'learned' };
    }
    case 'buffer':
      return of(at.arguments.get('data'));
    case 'tensor':
    case 'as_tensor':
    case 'new_tensor': {
      const data = at.arguments.get('data');
      const only = data?.kind === 'list' || data?.kind === 'tuple' ? (data.items.length === 1 ? data.items[0] : undefined) : data;
      return only?.kind === 'tensor' || only === undefined ? unknown : of(only);
    }
    case 'full':
    case 'full_like':
      return of(at.arguments.get('fill_value'));
    case 'ones':
    case 'ones_like':
      return constantFactor(1);
    case 'sqrt':
      return raiseFactor(of(first), 0.5);
    case 'rsqrt':
      return raiseFactor(of(first), -0.5);
    case 'reciprocal':
      return raiseFactor(of(first), -1);
    case 'pow': {
      const exponent = at.arguments.get('exponent');
      const known = exponent === undefined ? undefined : numberOf(exponent);
      return known === undefined ? unknown : raiseFactor(of(first), known);
    }
    case 'mul':
      return multiplyFactors(of(first), of(second));
    case 'div':
      return multiplyFactors(of(first), invertFactor(of(second)));
    case 'getitem':
    case 'float':
    case 'clamp':
    case 'exp':
    case 'softplus':
    case 'sigmoid': {
      const [inner] = at.inputs;
      const found = inner === undefined ? unknown : factorOfTensor(inner, depth + 1);
      return found.kind === 'powers' && at.op !== 'getitem' && at.op !== 'float' ? unknown : found;
    }
    default:
      return at.inputs.some((input) => dependsOnParameter(input)) ? { kind: 'learned' } : at.inputs.length > 0 ? { kind: 'data' } : unknown;
  }
}

function dependsOnParameter(tensor: TensorValue, depth = 0): boolean {
  if (tensor.isParameter === true || tensor.op === 'parameter') return true;
  return depth < 8 && tensor.inputs.some((input) => dependsOnParameter(input, depth + 1));
}

/** The same product with each base read anew. */
export function readPowers(powers: Powers, read: (dim: Dim) => Dim): Powers {
  let result: Factor = { kind: 'powers', powers: { coefficient: powers.coefficient, factors: [] } };
  for (const { base, exponent } of powers.factors) {
    result = multiplyFactors(result, { kind: 'powers', powers: { coefficient: 1, factors: [{ base: read(base), exponent }] } });
  }
  return result.kind === 'powers' ? result.powers : one;
}
