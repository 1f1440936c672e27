/** What is wrong with the scale of an attention's scores, if anything surely is. */
import { add as addDims, type Dim, loneAtom } from '../../dims/dim.ts';
import { rankOf } from '../../dims/shape.ts';
import { someAtom } from '../../dims/visit.ts';
import { alternatives, ancestors, isLayout, sameElements } from '../../interpreter/graph.ts';
import { dimOf } from '../../interpreter/make.ts';
import { conceptOf, lengthScope } from '../../interpreter/samples.ts';
import type { CodeReading } from '../../interpreter/study.ts';
import type { Powers, Site, TensorValue } from '../../interpreter/value.ts';
import type { Attention, Operand } from './attention.ts';
import { rangeIn, textAt } from './places.ts';
import { constantFactor, type Factor, factorOf, multiplyFactors, readPowers } from './scale.ts';
import { isArithmetic, type Step } from './scores.ts';
import { compareSizes, readDim, samplesOf } from './sizes.ts';
import { projectedness } from './sources.ts';
import { axisBefore, dimFromEnd, isWeight, numberArgument } from './tensors.ts';

export type ScaleVerdict =
  | { readonly kind: 'fine' }
  | { readonly kind: 'none'; readonly width: Dim; readonly step?: Step /** Who calls may scale the queries. */; readonly isGiven?: boolean }
  | { readonly kind: 'half'; readonly width: Dim; readonly step: Step }
  | { readonly kind: 'width'; readonly width: Dim; readonly base: Dim; readonly exponent: number; readonly step: Step | undefined }
  | { readonly kind: 'inverted'; readonly width: Dim; readonly step: Step | undefined }
  | { readonly kind: 'twice'; readonly width: Dim; readonly steps: readonly Step[]; readonly called: boolean };

/** Steps that carry a factor other than 1. */
const isScale = (step: Step): boolean => step.kind === 'scale';

/** The size over which queries and keys are multiplied, where it is made of the model's sizes; in each form that the code gives it. */
export function headWidths(code: CodeReading, attention: Attention): readonly Dim[] {
  const operands = [attention.query, attention.key];
  const found: Dim[] = [];
  let isFlexible = false;
  if (operands.some(({ tensor }) => (rankOf(tensor.shape) ?? 3) < 3)) return [];
  for (const { tensor, axis, source } of operands) {
    const dim = axis === undefined ? undefined : dimFromEnd(tensor, axis);
    const read = dim === undefined ? undefined : readDim(code, dim);
    if (read === undefined || read.unknown) continue;
    if (isLength(read)) isFlexible = true;
    else found.push(read);
    if (read.flexible && source !== undefined && isGiven(source.node)) found.push(read);
  }
  for (const operand of operands) {
    if (!isFlexible || rankOf(operand.tensor.shape) === undefined) found.push(...widthsBefore(code, operand));
  }
  return found.filter((dim, i) => !unsure(dim) && found.findIndex(({ key }) => key === dim.key) === i);
}

/** The same as it was before rotations, scales and repeats hid it. */
function widthsBefore(code: CodeReading, { source, axis }: Operand): readonly Dim[] {
  const found: Dim[] = [];
  let at = axis;
  // Parts that were put together again: what they were parts of is as wide.
  let isWhole = false;
  for (const node of source?.passed ?? []) {
    if (at === undefined) break;
    const dim = dimFromEnd(node, at);
    const read = dim === undefined ? undefined : readDim(code, dim);
    // Branches that differ: which of them runs is not known.
    if (node.op === 'join' && dim?.unknown === true && !agreeOn(code, node, at)) return [];
    if (read !== undefined && !read.unknown && !isLength(read)) found.push(read);
    if (node.op === 'view' || node.op === 'reshape') {
      const last = rankOf(node.shape) === undefined ? lastSize(code, node) : undefined;
      if (last !== undefined) found.push(last);
      break;
    }
    if (node.op === 'cat') isWhole = source?.isUncertain === false;
    else if (isLayout(node)) {
      const isHeadTranspose = node.op === 'transpose' && rankOf(node.shape) === undefined && at === -1;
      at = isHeadTranspose ? afterTranspose(node) : axisBefore(node, at);
    } else if (
      node.op === 'linear' ||
      (!isWhole && (node.op === 'split' || node.op === 'chunk' || node.op === 'getitem' || node.op === 'unbind'))
    )
      break;
  }
  return found;
}

/** Whether the joined branches have one size there, as far as their sizes are known. */
function agreeOn(code: CodeReading, node: TensorValue, axis: number): boolean {
  const sizes = alternatives(node).map((each) => dimFromEnd(each, axis));
  const keys = new Set(sizes.flatMap((dim) => (dim === undefined || dim.unknown ? [] : [readDim(code, dim).key])));
  return keys.size <= 1;
}

/** `transpose(1, 2)` of a tensor with heads leaves the last axis; of one without it would not be split into heads. */
const afterTranspose = (node: TensorValue): number | undefined => {
  const axes = [numberArgument(node, 'dim0'), numberArgument(node, 'dim1')];
  return axes.includes(1) && axes.includes(2) ? -1 : undefined;
};

/** The last size that a view asks for: the head dim in `(*lengths, -1, head_dim)`. */
function lastSize(code: CodeReading, node: TensorValue): Dim | undefined {
  let value = node.arguments.get('size') ?? node.arguments.get('shape');
  if (value?.kind === 'tuple' && value.items.length === 1) [value] = value.items;
  if (value?.kind !== 'tuple' && value?.kind !== 'list') return undefined;
  const last = value.items[value.items.length - 1];
  const before = value.items[value.items.length - 2];
  const dim = last === undefined ? undefined : dimOf(last);
  if (dim === undefined || before === undefined || dim.constant === -1 || (value.kind === 'tuple' && value.ellipsis === value.items.length))
    return undefined;
  const read = readDim(code, dim);
  return read.unknown || isLength(read) ? undefined : read;
}

/** A size of the input and not of the model. */
const isLength = (dim: Dim): boolean => dim.flexible || someAtom(dim, (atom) => atom.kind === 'symbol' && atom.scope === lengthScope);

/** Not known, or one of several sizes. */
export const unsure = (dim: Dim): boolean =>
  dim.unknown || someAtom(dim, (atom) => atom.kind === 'unknown' || atom.kind === 'minimum' || atom.kind === 'maximum');

/** The verdict; undefined where the scale is right, or where not everything about it is known. */
export function scaleVerdict(code: CodeReading, attention: Attention): ScaleVerdict | undefined {
  const widths = headWidths(code, attention);
  const sides = operandScales(attention);
  if (sides === undefined) return enlargedAnyway(code, attention, widths);
  if (attention.kind === 'called') return comesIn(attention) ? undefined : underNorm(attention, judgeCall(code, attention, widths, sides));
  // Scores that weigh no values are similarities.
  if (attention.sums.length === 0) return undefined;
  // Where a setting adds scores of another product, the scale of what is added to is the same without them.
  const plain = attention.paths.filter((path) => !path.some(({ kind, node }) => kind === 'other' && node.op === 'add'));
  const verdicts = (plain.length > 0 ? plain : attention.paths).map((path) => {
    const first = path.findIndex(isScale);
    // A scale of the sum of two products, of contents and of positions, is the same for both.
    const sum = path.findIndex(({ kind, node }) => kind === 'other' && node.op === 'add');
    const isOfSum = sum >= 0 && sum < first && sides.length === 0;
    // Heads that are mixed may be scaled by what mixes them, but not where the code speaks of a scale that it leaves out.
    const isLeftOut = path.some(({ kind }) => kind === 'mix') && hasIdleScale(code, attention);
    const scales = scoreScales(path.filter(({ kind }, i) => !(isOfSum && i === sum) && !(isLeftOut && kind === 'mix')));
    if (scales === undefined) return undefined;
    const verdict = judge(code, [...sides, ...scales], widths, wholeWidths(code, attention), 0, false);
    if (isOfSum) {
      const isWhole = verdict?.kind === 'width' && isWholeOrCount(verdict.base, verdict.width);
      return isWhole || verdict?.kind === 'inverted' || verdict?.kind === 'fine' ? verdict : undefined;
    }
    if (verdict?.kind === 'none' && path.some((step) => step.kind === 'add' && !isMaskStep(code, step)) && !hasIdleScale(code, attention))
      return undefined;
    return verdict;
  });
  const [first] = verdicts;
  if (first === undefined || verdicts.some((verdict) => verdict?.kind !== first.kind)) return undefined;
  if ((first.kind === 'none' || first.kind === 'half') && isInitialised(code)) return undefined;
  // A parameter that may be learned begins near the scale: of which width is its own affair.
  const scale = first.kind === 'width' ? first.step?.operand : undefined;
  if (scale?.kind === 'tensor' && scale.isParameter === true) return undefined;
  if (
    comesIn(attention) &&
    first.kind !== 'inverted' &&
    first.kind !== 'width' &&
    !(first.kind === 'none' && hasIdleScale(code, attention))
  )
    return undefined;
  return underNorm(attention, comesIn(attention) && first.kind === 'none' ? { ...first, isGiven: true } : first);
}

/** Scores that are multiplied by the root of a size on every way, wherever queries and keys come from: with a length of their own they may be. */
function enlargedAnyway(code: CodeReading, attention: Attention, widths: readonly Dim[]): ScaleVerdict | undefined {
  if (attention.kind !== 'softmax' || attention.sums.length === 0) return undefined;
  const isUnit = [attention.query, attention.key].some(({ tensor, source }) => source?.norm === 'unit' || mayBeUnit(tensor));
  if (isUnit) return undefined;
  const verdicts = attention.paths.map((path) => {
    const scales = scoreScales(path);
    return scales === undefined ? undefined : judge(code, scales, widths, [], 0, false);
  });
  return verdicts.every((verdict) => verdict?.kind === 'inverted') ? verdicts[0] : undefined;
}

/** Divided by a length of its own on some way back to where it is projected, or scaled on the way. */
const mayBeUnit = (tensor: TensorValue): boolean =>
  sinceProjected(tensor).some(
    ({ op, inputs: [first, second] }) =>
      (/norm$|^normalize$|^sum$|^div$/.test(op) && !/^(?:layer|rms)_norm$/.test(op)) ||
      (op === 'mul' && first !== undefined && second === undefined && sinceProjected(first).some(isProjection)),
  );

const sinceProjected = (tensor: TensorValue): readonly TensorValue[] => ancestors(tensor, (each) => !isProjection(each), 200);

/** Behind norms of queries and keys the scale may be left out or made smaller, but not be turned round or that of another width. */
function underNorm({ query, key }: Attention, verdict: ScaleVerdict | undefined): ScaleVerdict | undefined {
  const isNormed = query.source?.norm !== undefined || key.source?.norm !== undefined;
  return isNormed && (verdict?.kind === 'none' || verdict?.kind === 'half' || verdict?.kind === 'twice') ? undefined : verdict;
}

/** Weights that start small by a root of their own take the place of the scale, as in T5. Depth is another matter. */
function isInitialised(code: CodeReading): boolean {
  // T5 by the name of its field, where its weights are made elsewhere.
  if (/\brelative_attention_num_buckets\b/.test(code.file.module.text)) return true;
  const inits = code.file.module.text.match(/(?:normal_|uniform_|xavier_\w+|orthogonal_)\([^\n]*(?:\*\*\s*\(?\s*-|sqrt|gain)[^\n]*/g) ?? [];
  return inits.some((init) => !/layer|depth|n_block/i.test(init));
}

/** An additive mask, as far as can be told: what is learned, or may be a bias of positions, is none. */
export function isMaskStep(code: CodeReading, { node, operand }: Step): boolean {
  if (operand?.kind === 'tensor' && projectedness(operand) > 0) return false;
  if (operand?.kind === 'tensor' && dependsOnWeight(operand)) return false;
  const written = textAt(code, rangeIn(code, node.site));
  return operand?.kind === 'tensor'
    ? !/bias|alibi|slope|pos|rel/i.test(written)
    : /mask/i.test(written) && !/bias|alibi|pos_|rel/i.test(written);
}

export function dependsOnWeight(tensor: TensorValue, depth = 0): boolean {
  if (tensor.isParameter === true || tensor.op === 'parameter' || tensor.op === 'embedding') return true;
  if (/_like$|^new_/.test(tensor.op)) return false;
  const inputs = sameElements.has(tensor.op) || isLayout(tensor) ? tensor.inputs.slice(0, 1) : tensor.inputs;
  return depth < 12 && inputs.some((input) => dependsOnWeight(input, depth + 1));
}

/** A product of the input with weights: what came before it has no part in the scale. */
export const isProjection = (node: TensorValue): boolean =>
  node.op === 'linear' ||
  node.op === 'addmm' ||
  /^conv\d/.test(node.op) ||
  (['matmul', 'einsum', 'bmm', 'mm'].includes(node.op) && node.inputs.some((input) => isWeight(input, false)));

/** Made to be filled: a cache. */
const isEmptied = ({ op, isBuffer }: TensorValue): boolean => isBuffer === true || op === 'zeros' || op === 'empty' || op === 'new_zeros';

/**
 * Whether the code around the product speaks of a scale that it does not use: it takes or sets one and never reads it, or calls its
 * attention scaled. Who calls it may have scaled the queries, but then nothing of this would be there.
 */
function hasIdleScale(code: CodeReading, { product }: Extract<Attention, { readonly kind: 'softmax' }>): boolean {
  const { site } = product;
  if (site === undefined || site.file !== code.file) return false;
  const { statement } = site.unit.body;
  const text = code.file.module.text.slice(site.unit.start + statement.start, site.unit.start + statement.end);
  const isClass = statement.kind === 'class';
  if (!isClass && statement.kind !== 'function') return false;
  if (
    /^(?:class|(?:async\s+)?def)\s+\w*scaled_?dot/i.test(text) ||
    /^[^\n]*\n\s*[rR]?("""|''')(?:(?!\1)[\s\S])*?scaled[\s_-]+dot/i.test(text)
  )
    return true;
  if (isClass && hasIdleLocal(code, site)) return true;
  const owner = isClass ? 'self\\.' : '(?<![.\\w])';
  const names = new Set(
    [...text.matchAll(new RegExp(`${owner}(\\w*(?:scal(?:e|ing)|temperature))(?=\\s*[:=,)])`, 'g'))].map(([, name]) => name),
  );
  return [...names].some((name) => {
    const mentions = [...text.matchAll(new RegExp(`${owner}${name}\\b(?!\\s*(?::[^=,\\n]+)?(?:=(?!=)|,\\s*$)|:|\\s+is\\s)`, 'gm'))];
    return mentions.length === 0;
  });
}

/** `scale = self.scale or 1 / sqrt(E)` in the method around the place, which reads it nowhere. */
function hasIdleLocal(code: CodeReading, { unit, node }: Site): boolean {
  const { statement } = unit.body;
  const method =
    statement.kind === 'class'
      ? statement.body.find((each) => each.kind === 'function' && each.start <= node.start && node.end <= each.end)
      : undefined;
  if (method === undefined) return false;
  const text = code.file.module.text.slice(unit.start + method.start, unit.start + method.end);
  return [...text.matchAll(/^[ \t]+(\w*(?:scal(?:e|ing)|temperature))[ \t]*=(?!=)/gm)].some(
    ([, name]) => [...text.matchAll(new RegExp(`(?<![.\\w])${name}\\b(?!\\s*=(?!=))`, 'g'))].length === 0,
  );
}

/** Queries or keys come in as they are: whether they are scaled already is not seen. */
const isGiven = ({ op }: TensorValue): boolean => op === 'input';

const comesIn = ({ query, key }: Attention): boolean => [query, key].some(({ source }) => source !== undefined && isGiven(source.node));

/** Scales on queries and keys; undefined where something on the way is not known, or norms replace the scale. */
function operandScales({ query, key }: Attention): readonly Step[] | undefined {
  const scales: Step[] = [];
  for (const { source } of [query, key]) {
    if (source === undefined || source.norm === 'unit' || source.isUncertain) return undefined;
    if (!isProjection(source.node) && !isEmptied(source.node) && !isGiven(source.node)) return undefined;
    scales.push(...source.scales);
  }
  return scales;
}

/** Keep numbers from being too large or too small, and scale none. */
const limits: ReadonlySet<string> = new Set(['clamp', 'maximum', 'minimum']);

/** Scales on the scores; undefined where something else is done to them that may scale. */
function scoreScales(path: readonly Step[]): readonly Step[] | undefined {
  const cap = path.findIndex(({ kind }) => kind === 'cap');
  // `cap * tanh(scores / cap)` limits the scores and does not scale them.
  const kept = path.filter((step, i) => !(cap >= 0 && isScale(step) && Math.abs(i - cap) === 1));
  const relevant = kept.filter((step) => isArithmetic(step) && step.kind !== 'cap' && !limits.has(step.node.op));
  if (relevant.some(({ kind }) => kind === 'mix' || kind === 'other')) return undefined;
  if (cap >= 0 && kept.length === path.length) return undefined;
  return relevant.filter(isScale);
}

function judgeCall(
  code: CodeReading,
  attention: Extract<Attention, { readonly kind: 'called' }>,
  widths: readonly Dim[],
  sides: readonly Step[],
): ScaleVerdict | undefined {
  const { scale, node } = attention;
  if (scale === undefined || scale.kind === 'none') return judge(code, sides, widths, wholeWidths(code, attention), -0.5, true);
  const factor = factorOf(scale);
  return judge(code, [...sides, { kind: 'scale', node, factor, operand: scale }], widths, wholeWidths(code, attention), 0, false);
}

/** Each of the scales that branches of the code choose from is seen by itself. */
function judge(code: CodeReading, written: readonly Step[], ...rest: JudgeRest): ScaleVerdict | undefined {
  const at = written.findIndex(({ factor }) => factor?.kind === 'ways');
  const open = written[at];
  if (open?.factor?.kind !== 'ways') return judgeOne(code, written, ...rest);
  const verdicts = open.factor.ways.map(({ value, factor }) => judge(code, written.with(at, { ...open, factor, operand: value }), ...rest));
  // Where one of them is right the others may be right for other settings, but no setting asks for a scale turned round.
  const isRight = verdicts.some((verdict) => verdict?.kind === 'fine') || open.factor.ways.some(({ factor }) => factor.kind === 'unknown');
  return (
    verdicts.find((verdict) => verdict?.kind === 'inverted') ?? (isRight ? undefined : verdicts.find((each) => each?.kind === 'width'))
  );
}

type JudgeRest = [widths: readonly Dim[], wholes: readonly Dim[], already: number, called: boolean];

/** `already` is the power of the width by which the called function multiplies. */
function judgeOne(
  code: CodeReading,
  written: readonly Step[],
  widths: readonly Dim[],
  wholes: readonly Dim[],
  already: number,
  called: boolean,
): ScaleVerdict | undefined {
  // Each is seen by itself: the product of two roots that are numbers is the root of another size.
  const steps = written.map((step) => {
    if (step.factor?.kind !== 'powers') return step;
    const read = readPowers(step.factor.powers, (dim) => readDim(code, dim));
    return { ...step, factor: { ...step.factor, powers: visiblePowers(read, [...widths, ...wholes]) } };
  });
  let total: Factor = constantFactor(1);
  for (const { factor } of steps) total = multiplyFactors(total, factor ?? { kind: 'unknown' });
  if (total.kind !== 'powers') return undefined;
  const powers = visiblePowers(
    readPowers(total.powers, (dim) => readDim(code, dim)),
    [...widths, ...wholes],
  );
  const { coefficient } = powers;
  const isWidth = (dim: Dim): boolean => powers.factors.some(({ base }) => compareSizes(code, base, dim) === 'same');
  const width = widths.find(isWidth) ?? widths[0];
  const scaling = steps.filter(({ factor }) => !isOne(factor));
  if (width === undefined) return already === 0 ? enlarged(powers, scaling) : undefined;
  if (powers.factors.length === 0 && coefficient === 1 && already === 0) {
    const [only] = steps.filter(({ factor }) => isOne(factor));
    return { kind: 'none', width, ...(only === undefined ? {} : { step: only }) };
  }
  const exponent = exponentOf(code, powers, width);
  if (exponent === undefined) {
    const inverted = already === 0 ? enlarged(powers, scaling) : undefined;
    if (inverted !== undefined) return inverted;
    const wrong = wrongBase(code, powers, width);
    if (wrong === undefined || coefficient <= 0) return undefined;
    const step = scaling.find(
      ({ factor }) => factor?.kind === 'powers' && factor.powers.factors.some(({ base }) => readDim(code, base).key === wrong.base.key),
    );
    return called ? { kind: 'twice', width, steps: scaling, called } : { kind: 'width', width, ...wrong, step };
  }
  const sum = exponent + already;
  const near = (a: number, b: number): boolean => Math.abs(a - b) < 1e-6;
  const down = scaling.filter(({ factor }) => factor?.kind === 'powers' && factor.powers.factors.some((each) => each.exponent < 0));
  const up = scaling.filter(({ factor }) => factor?.kind === 'powers' && factor.powers.factors.some((each) => each.exponent > 0));
  if (coefficient <= 0) return undefined;
  if (near(sum, 0.5) || (near(sum, 1) && up.length > 1)) return { kind: 'inverted', width, step: up[0] };
  if (near(sum, -1) && down.length + (called ? 1 : 0) > 1) return { kind: 'twice', width, steps: down, called };
  const [only] = down;
  if (near(sum, -0.5) || near(sum, 0) || near(sum, -1)) return { kind: 'fine' };
  if (near(sum, -0.25) && down.length === 1 && only !== undefined) return { kind: 'half', width, step: only };
  return undefined;
}

/** A scale that is one number, as the root of one of the sizes that it is. */
function visiblePowers(powers: Powers, sizes: readonly Dim[]): Powers {
  const { coefficient, factors } = powers;
  if (factors.length > 0 || coefficient <= 0) return powers;
  for (const base of sizes) {
    if (base.constant === undefined || base.constant < 2) continue;
    for (const exponent of [-0.5, 0.5]) {
      if (Math.abs(base.constant ** exponent / coefficient - 1) < 1e-12) return { coefficient: 1, factors: [{ base, exponent }] };
    }
  }
  return powers;
}

/** The widths of the states that queries are projected from and to. */
function wholeWidths(code: CodeReading, { query }: Attention): readonly Dim[] {
  const node = query.source?.node;
  if (node === undefined) return [];
  return [node, ...node.inputs.slice(0, 1)].flatMap((tensor) => {
    const dim = dimFromEnd(tensor, -1);
    return dim === undefined ? [] : [readDim(code, dim)];
  });
}

/** Multiplied by the root of a size, whichever it is. */
function enlarged({ coefficient, factors }: Powers, scaling: readonly Step[]): ScaleVerdict | undefined {
  const [only, ...others] = factors;
  const steps = scaling.filter(({ factor }) => factor?.kind === 'powers' && factor.powers.factors.length > 0);
  if (only?.exponent !== 0.5 || others.length > 0 || coefficient !== 1 || steps.length !== 1 || !isSize(only.base)) return undefined;
  return { kind: 'inverted', width: only.base, step: steps[0] };
}

const isOne = (factor: Factor | undefined): boolean =>
  factor?.kind === 'powers' && factor.powers.coefficient === 1 && factor.powers.factors.length === 0;

/** The power of the width that the product is, apart from its coefficient; undefined where it is none, or that is not known. */
function exponentOf(code: CodeReading, { factors }: Powers, width: Dim): number | undefined {
  let sum = 0;
  let isAll = true;
  for (const { base, exponent } of factors) {
    if (compareSizes(code, base, width) === 'same') sum += exponent;
    else isAll = false;
  }
  if (isAll) return sum;
  // `width ** -0.5 * heads ** 0.5` is a power of the head dim in numbers.
  const widths = samplesOf(code, width);
  const sizes = factors.map(({ base, exponent }) => ({ values: samplesOf(code, base), exponent }));
  const found = new Set<string>();
  for (const [g, group] of widths.entries()) {
    for (const [s, n] of group.entries()) {
      let log = 0;
      for (const { values, exponent } of sizes) {
        const value = values[g]?.[s];
        if (value === undefined || value <= 0) return undefined;
        log += exponent * Math.log(value);
      }
      if (n === undefined || n <= 1) return undefined;
      found.add((log / Math.log(n)).toFixed(4));
    }
  }
  const [only] = found;
  // No power that anybody means: another size, whose numbers are known.
  return found.size === 1 && only !== undefined && Number.isInteger(Number(only) * 4) ? Number(only) : undefined;
}

/** The one size whose root divides, where it is surely another than the width. */
function wrongBase(code: CodeReading, { factors }: Powers, width: Dim): { readonly base: Dim; readonly exponent: number } | undefined {
  const [only] = factors;
  if (only === undefined || factors.length !== 1 || only.exponent >= 0 || only.base.unknown || unsure(only.base)) return undefined;
  const symbol = loneAtom(only.base);
  // What the code calls the head dim is what it means, whatever was made of the shapes.
  if (symbol?.kind === 'symbol' && conceptOf(symbol.name) === 'headDim') return undefined;
  const sameness = compareSizes(code, only.base, width);
  if (sameness !== 'different' && sameness !== 'differentInSamples' && !isWholeOrCount(only.base, width)) return undefined;
  // Twice or three times the width is a choice: parts of the scores are added.
  if (isNumericMultiple(code, only.base, width)) return undefined;
  return only;
}

/** Named, or made of named sizes. */
const isSize = (dim: Dim): boolean => !dim.unknown && !isLength(dim) && dim.constant === undefined;

/** The width that is split into heads, or the number of heads: `n` or `h` where the head dim is `n // h`. Equal with one head only. */
function isWholeOrCount(base: Dim, width: Dim): boolean {
  const atom = loneAtom(width);
  if (atom?.kind === 'quotient') return atom.dividend.key === base.key || atom.divisor.key === base.key;
  return (
    atom?.kind === 'symbol' &&
    base.terms.length === 1 &&
    base.terms[0]?.monomial.factors.length === 2 &&
    base.terms[0].monomial.factors.some((factor) => factor.atom.key === atom.key)
  );
}

function isNumericMultiple(code: CodeReading, base: Dim, width: Dim): boolean {
  const [a, b] = [readDim(code, base), readDim(code, width)];
  if (a.constant !== undefined && b.constant !== undefined) return false;
  for (let factor = 2; factor <= 4; factor++) {
    for (const [x, y] of [
      [a, b],
      [b, a],
    ] as const) {
      if (compareSizes(code, x, multiplied(y, factor)) === 'same') return true;
    }
  }
  return false;
}

const multiplied = (dim: Dim, factor: number): Dim => {
  let sum = dim;
  for (let i = 1; i < factor; i++) sum = addDims(sum, dim);
  return sum;
};
