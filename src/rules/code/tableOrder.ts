/** Tables that a class makes itself, with their axes in another order than what is written into them, or what they meet, takes. */
import { symbolsOf } from '../../dims/visit.ts';
import { sameElements } from '../../interpreter/graph.ts';
import type { TensorValue } from '../../interpreter/value.ts';
import type { Call } from '../../syntax/python/ast.ts';
import type { Blame } from './blame.ts';
import { keysOf, rangeOfNode, sameSize, textOf } from './chains.ts';
import { type Clash, swapsThatFit } from './clashes.ts';
import { type Find, tensorOf } from './failing.ts';
import { placeOf } from './places.ts';
import { isWeight } from './tensors.ts';

/** The place that made the table, where with two axes exchanged all fits. */
export function madeTurned(find: Find, clashes: readonly Clash[]): Blame | undefined {
  const made = find.op === 'setitem' ? filledOtherwise(find) : metOtherwise(find, clashes);
  const at = made === undefined ? undefined : rangeOfNode(find, made);
  return at === undefined ? undefined : { at, hint: `With the axes of \`${textOf(find, at)}\` exchanged it fits.` };
}

/** `table[:, 0::2] = angles`, where the table is (width, length) and the angles are (length, width // 2). */
function filledOtherwise(find: Find): TensorValue | undefined {
  const [table, value] = [tensorOf(find, 'input'), tensorOf(find, 'value')];
  if (table === undefined || value === undefined) return undefined;
  const [rows, columns] = table.shape.dims;
  const [first, last] = value.shape.dims;
  if ([table, value].some(({ shape }) => shape.ellipsis !== undefined || shape.dims.length !== 2)) return undefined;
  if (rows === undefined || columns === undefined || first === undefined || last === undefined) return undefined;
  if ([rows, columns, first, last].some(({ unknown }) => unknown)) return undefined;
  const parts = symbolsOf(last);
  const [isOfRows, isOfColumns] = [rows, columns].map((dim) => {
    const own = new Set(symbolsOf(dim).map(({ key }) => key));
    return parts.length > 0 && parts.every(({ key }) => own.has(key));
  });
  const isTurned = isOfRows === true && isOfColumns !== true && sameSize(find, first, columns) && !sameSize(find, first, rows);
  return isTurned ? madeFor(table) : undefined;
}

/** A weight that fits with its last two axes exchanged, as nothing else would, made like one beside it. */
function metOtherwise(find: Find, clashes: readonly Clash[]): TensorValue | undefined {
  // A product may as well lack a transposition.
  if (!/^(?:einsum|mul|add)$/.test(find.op)) return undefined;
  const [swap, ...others] = swapsThatFit(find, clashes);
  if (swap === undefined || others.length > 0 || !isWeight(swap.node, false) || swap.axes[0] !== -2 || swap.axes[1] !== -1)
    return undefined;
  const made = madeFor(swap.node);
  // What turned them on the way is no matter of how they were made.
  const isWhole = [-2, -1].every((axis) => {
    const [own, first] = [swap.node, made].map((node) => (node === undefined ? undefined : node.shape.dims.at(axis)));
    return own !== undefined && own.key === first?.key;
  });
  if (made === undefined || !isWhole) return undefined;
  // One that is made like another, which is used the other way round; else the equation may as well be wrong.
  const keys = keysOf(made).join(' ');
  const isLike = (other: TensorValue): boolean =>
    makers.test(other.op) && isWritten(other) && placeOf(other) !== placeOf(made) && keysOf(other).join(' ') === keys;
  return find.study.tensors.some(isLike) ? made : undefined;
}

const makers = /^(?:zeros|ones|empty|full|randn|rand|normal)$/;
const passes = /^(?:getitem|setitem|buffer|parameter|index_select)$/;

/** Whether the code itself calls what makes it. */
function isWritten({ op, site }: TensorValue): boolean {
  const call = site?.node as Partial<Call> | undefined;
  const callee = call?.kind === 'call' ? call.callee : undefined;
  return (callee?.kind === 'attribute' ? callee.name.name : callee?.kind === 'name' ? callee.name : '') === op;
}

/** What made the numbers, behind what keeps them or picks some. */
function madeFor(tensor: TensorValue): TensorValue | undefined {
  let at: TensorValue | undefined = tensor;
  for (let i = 0; at !== undefined && i < 12; i++) {
    // What a layer of a library makes is not written here.
    if (makers.test(at.op)) return at.layer === undefined && isWritten(at) ? at : undefined;
    at = passes.test(at.op) || sameElements.has(at.op) || at.isParameter === true ? at.inputs[0] : undefined;
  }
  return undefined;
}
