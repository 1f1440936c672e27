/**
 * Where a length of what comes in meets a width that the model was built with: the operation works for one length at most, and code
 * has to work for all. What may be a fixed length is no width: constants, weights, and sizes that are called a length.
 */
import { type Dim, loneAtom } from '../dims/dim.ts';
import { formatDim } from '../dims/format.ts';
import type { Shape } from '../dims/shape.ts';
import { symbolsOf } from '../dims/visit.ts';
import { choiceScope } from './make.ts';
import { conceptOf, isHeads, isWidthName, lengthScope, withoutCuts } from './samples.ts';
import type { TensorValue, Value } from './value.ts';

const lengthNames =
  /len|ctx|context|pos|seq|size|patch|token|num_|window|block|time|frame|grid|chunk|max|points|queries|slots|latents|mem|^[ntls]$|height|width_|h_|w_/i;

function isLength(dim: Dim): boolean {
  if (dim.constant !== undefined || dim.unknown || dim.flexible) return false;
  const symbols = symbolsOf(dim);
  return symbols.length > 0 && symbols.every(({ scope, name }) => scope === lengthScope && name !== 'B');
}

/** Built of sizes of the model alone. */
function isWidth(dim: Dim, needsConcept: boolean): boolean {
  if (isHeadWidth(dim)) return true;
  if (dim.constant !== undefined || dim.unknown || dim.flexible) return false;
  // A table that is cut to a width is no longer than that.
  const atom = loneAtom(dim);
  if (atom?.kind === 'minimum') return atom.operands.some((operand) => isWidth(operand, needsConcept));
  const symbols = symbolsOf(dim);
  const concepts = symbols.map(({ name }) => conceptOf(name));
  if (symbols.length === 0 || symbols.some(({ scope }) => scope === lengthScope || scope.startsWith(choiceScope))) return false;
  if (concepts.includes('maxPositions') || concepts.includes('vocabularySize')) return false;
  if (needsConcept && symbols.every(({ name }, i) => concepts[i] === undefined && !isWidthName(name))) return false;
  return symbols.every(({ name }, i) => concepts[i] !== undefined || !lengthNames.test(name.slice(name.lastIndexOf('.') + 1)));
}

/** `C // heads`: what is split into heads is the width of what came in, whatever that is. */
function isHeadWidth(dim: Dim): boolean {
  const atom = loneAtom(dim);
  if (atom?.kind !== 'quotient') return false;
  const whole = symbolsOf(atom.dividend);
  return whole.length > 0 && whole.every(({ scope }) => scope !== lengthScope) && isHeads(loneAtom(atom.divisor));
}

/** What training finds, or is made with the model, and so may be of a fixed length. What tokens look up is not. */
export function isWeight(tensor: TensorValue): boolean {
  let at: TensorValue | undefined = tensor;
  for (let i = 0; at !== undefined && i < 12; i++) {
    if (at.op === 'embedding') return !isGiven(at.arguments.get('input'));
    if (at.isParameter === true || at.isBuffer === true || at.op === 'parameter' || at.op === 'buffer') return true;
    // A table that is trained, times the mask that goes with it.
    if (at.inputs.length === 2 && /^(?:add|sub|mul|div)$/.test(at.op)) return at.inputs.every(isWeight);
    if (at.inputs.length !== 1) return false;
    at = at.inputs[0];
  }
  return false;
}

/** What comes in, in another type or layout at most. */
function isGiven(value: Value | undefined): boolean {
  let at = value?.kind === 'tensor' ? value : undefined;
  for (let i = 0; at !== undefined && at.op !== 'input' && i < 6; i++) at = at.inputs.length === 1 ? at.inputs[0] : undefined;
  return at?.op === 'input';
}

/** What is wrong, in words; undefined where no length meets a width. */
export function lengthConflict(name: string, bound: ReadonlyMap<string, Value>, read: (dim: Dim) => Dim): string | undefined {
  const op = name.slice(name.lastIndexOf('.') + 1).replace(/(?<=\w)_$/, '');
  const operands = [...bound.values()].filter((value): value is TensorValue => value.kind === 'tensor');
  const [left, right] = operands;
  if (left === undefined || right === undefined) return undefined;
  const isProduct = op === 'matmul' || op === 'bmm';
  const [x, y] = [left, right].map((operand) => shapeOf(operand, read) ?? (isProduct ? lastOf(operand, read) : undefined));
  if (x === undefined || y === undefined) return undefined;
  // Channels come before the tokens.
  if (op === 'conv1d' && (x.length === 2 || x.length === 3)) return pairs([[x.at(-2), y.at(-2)]], true);
  const holdsWeight = operands.some(isWeight);
  if (isProduct) {
    if (x.length < 2 || y.length < 2 || holdsWeight) return undefined;
    return pairs([[x.at(-1), y.at(-2)], ...aligned(x.slice(0, -2), y.slice(0, -2))], false);
  }
  return /^(?:add|sub|mul|div|masked_fill|where)$/.test(op) ? pairs(aligned(x, y), true) : undefined;
}

type Pair = readonly [Dim | undefined, Dim | undefined];

function pairs(all: readonly Pair[], isSum: boolean): string | undefined {
  for (const [a, b] of all) {
    if (a === undefined || b === undefined) continue;
    const meets =
      (isLength(a) && isWidth(b, isSum)) ||
      (isLength(b) && isWidth(a, isSum)) ||
      (isSum && ((isRows(a) && isLength(b)) || (isRows(b) && isLength(a))));
    if (meets) return `${formatDim(a)} meets ${formatDim(b)}, which are equal for one length at most`;
  }
  return undefined;
}

/** As many as there are rows, or the part of a table that is cut to that. */
function isRows(dim: Dim): boolean {
  const symbols = symbolsOf(withoutCuts(dim));
  return symbols.length === 1 && symbols[0]?.scope === lengthScope && symbols[0].name === 'B';
}

const aligned = (x: readonly Dim[], y: readonly Dim[]): readonly Pair[] =>
  Array.from({ length: Math.min(x.length, y.length) }, (_, i) => [x.at(-1 - i), y.at(-1 - i)] as const);

const shapeOf = ({ shape }: { readonly shape: Shape }, read: (dim: Dim) => Dim): readonly Dim[] | undefined =>
  shape.ellipsis === undefined ? shape.dims.map(read) : undefined;

/** The last two sizes of a tensor of which the rest is not known. */
const lastOf = ({ shape: { dims, ellipsis } }: TensorValue, read: (dim: Dim) => Dim): readonly Dim[] | undefined =>
  ellipsis !== undefined && ellipsis <= dims.length - 2 ? dims.slice(-2).map(read) : undefined;

/** Code that lays all rows out in one, as in `x.reshape(1, -1)`, or in 8, is written for a number of rows: how wide that is depends on what comes in. */
export function isInOneRow({ dims, ellipsis }: Shape): boolean {
  const last = dims.at(-1);
  return (
    last !== undefined &&
    ellipsis === undefined &&
    dims.slice(0, -1).every(({ constant }) => constant !== undefined) &&
    symbolsOf(last).some(({ scope, name }) => scope === lengthScope && name === 'B')
  );
}
