/** What a mask hides where it is used: by being added, or as a condition; and how far its boundary is from that of a causal mask. */
import { type Dim, number, subtract } from '../../dims/dim.ts';
import type { TensorValue } from '../../interpreter/value.ts';
import type { Cell, Meaning, Region } from './regions.ts';

/** Whether keys are hidden at a region's two sides; undefined where that is not known. */
export interface Hiding {
  readonly region: Region;
  readonly hidesSeen: boolean | undefined;
  readonly hidesUnseen: boolean | undefined;
}

/** What is added hides where it is a large negative number. */
export const hiddenByAdding = (meaning: Meaning, sign: 1 | -1): readonly Hiding[] => {
  const hides = (cell: Cell): boolean | undefined => (cell === undefined ? undefined : cell * sign <= -1000);
  // What is raised takes all weight, so that the rest is hidden.
  const isRaised = (cell: Cell): boolean => cell !== undefined && cell * sign >= 1000;
  return meaning.regions.map((region) => ({
    region,
    hidesSeen: isRaised(region.unseen) ? true : hides(region.seen),
    hidesUnseen: isRaised(region.seen) ? true : hides(region.unseen),
  }));
};

/** A condition hides where it holds, or where it does not. */
export const hiddenByCondition = (meaning: Meaning, hidesWhere: boolean): readonly Hiding[] => {
  const hides = (cell: Cell): boolean | undefined => (cell === undefined ? undefined : (cell !== 0) === hidesWhere);
  return meaning.regions.map((region) => ({ region, hidesSeen: hides(region.seen), hidesUnseen: hides(region.unseen) }));
};

/** How far the mask's boundary is from that of a causal mask: 0 is right, -1 hides the token itself, 1 shows the next. */
export function boundaryError({ boundary, rows, columns }: Region, read: (dim: Dim) => Dim): number | 'cached' | undefined {
  if (boundary === undefined) return undefined;
  const at = read(boundary);
  if (rows === undefined || columns === undefined) return at.constant === 0 || at.constant === -1 ? at.constant : undefined;
  const [queries, keys] = [read(rows), read(columns)];
  if (queries.constant === 1) return undefined;
  const expected = queries.key === keys.key ? number(0) : subtract(keys, queries);
  const off = subtract(at, expected);
  if (off.constant !== undefined) return off.constant;
  // A mask for as many keys as queries, used on more keys than queries.
  const more = subtract(keys, queries);
  const isExtended = more.terms.every(({ coefficient }) => coefficient > 0) && !mentionsAny(more, queries);
  return at.constant === 0 && isExtended && !more.unknown ? 'cached' : undefined;
}

const mentionsAny = (dim: Dim, other: Dim): boolean => {
  const keys = new Set(other.terms.flatMap(({ monomial }) => monomial.factors.map(({ atom }) => atom.key)));
  return dim.terms.some(({ monomial }) => monomial.factors.some(({ atom }) => keys.has(atom.key)));
};

const takesType = ({ arguments: given }: TensorValue): boolean =>
  [...given.values()].some((value) =>
    (value.kind === 'tuple' ? value.items : [value]).some((each) => each.kind === 'unknown' && /dtype/.test(each.reason)),
  );

/** The type of a mask, where the code says it: that of an input is only known when it is annotated as whole or boolean. */
export function maskType(tensor: TensorValue, depth = 0): string | undefined {
  if (depth > 20) return undefined;
  if (tensor.op === 'input') return /int|bool/.test(tensor.dtype ?? '') ? tensor.dtype : undefined;
  if (/^logical_|^(?:eq|ne|lt|le|gt|ge)$/.test(tensor.op)) return 'bool';
  // And, or and not are for whole numbers and booleans: one boolean makes the other one.
  if (/^bitwise_/.test(tensor.op)) return tensor.inputs.some((input) => maskType(input, depth + 1) === 'bool') ? 'bool' : undefined;
  // One operand of fractions makes the product one.
  if (tensor.op === 'mul' && tensor.dtype === undefined)
    return tensor.inputs.some((input) => /^(?:b?float|half)/.test(maskType(input, depth + 1) ?? '')) ? 'float' : undefined;
  const [first] = tensor.inputs;
  // `mask.to(x.dtype)`: the type of a tensor that the code computes with.
  if (tensor.op === 'to' && tensor.dtype === undefined && first !== undefined && maskType(first, depth + 1) === 'bool')
    return takesType(tensor) ? 'float' : undefined;
  const keeps = ['getitem', 'unsqueeze', 'expand', 'view', 'reshape', 'transpose', 'repeat', 'contiguous', 'squeeze'].includes(tensor.op);
  return keeps && first !== undefined ? maskType(first, depth + 1) : tensor.dtype;
}
