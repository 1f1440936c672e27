/** Key-value heads that are repeated in one operand and not in the other, or by another number, or along another axis. */

import { type Dim, divideExactly, floorDiv, loneAtom, multiply } from '../../dims/dim.ts';
import { formatDim } from '../../dims/format.ts';
import { symbolsOf } from '../../dims/visit.ts';
import { dimOf } from '../../interpreter/make.ts';
import { lengthScope } from '../../interpreter/samples.ts';
import type { TensorValue, Value } from '../../interpreter/value.ts';
import type { Range } from '../../text/range.ts';
import { axisPath, isMatrixProduct } from './axes.ts';
import type { Blame } from './blame.ts';
import { chainOf, isProductOp, keysOf, rangeOfNode, sameSize, textOf, traceSites } from './chains.ts';
import type { Clash } from './clashes.ts';
import { type Find, firstOf, inputsOf } from './failing.ts';
import { isLength, roleOfAxis } from './layouts.ts';
import { aliasOf, definitionOf, isCopy, rangeIn } from './places.ts';
import { ratioOf } from './sizes.ts';
import { dimFromEnd } from './tensors.ts';

/** Key-value heads that are repeated in one of keys and values and not in the other. */
export function notRepeated(find: Find, clash: Clash): Blame | undefined {
  if (roleOfAxis(clash.x) !== 'heads' && roleOfAxis(clash.y) !== 'heads') return undefined;
  if (isLength(clash.x) || isLength(clash.y) || !isProductOp(find.op)) return undefined;
  // What is summed over is no axis of heads.
  if (isMatrixProduct(find.op) && clash.left.axis !== clash.right.axis) return undefined;
  for (const [own, size] of [
    [clash.left, clash.x],
    [clash.right, clash.y],
  ] as const) {
    // Queries and weights are not repeated.
    if (own.node === inputsOf(find.failure)[0]) continue;
    const repeat = repeatOf(find, size, own.node);
    if (repeat === undefined) continue;
    // What was repeated lies there, and is not used.
    if (chainOf(repeat).some((each) => isCopy(each, own.node)))
      return { at: find.use, hint: `The repeated heads are made, and not used here.`, kind: 'heads' };
    const alias = firstOf(chainOf(own.node).slice(0, 3), (each) => aliasOf(find.code, each));
    const near = [repeat.site, ...traceSites(repeat.trace)]
      .flatMap((site) => rangeIn(find.code, site) ?? [])
      .sort((a, b) => Math.abs(a.start - find.use.start) - Math.abs(b.start - find.use.start))[0];
    const at = alias?.at ?? near;
    if (at === undefined) continue;
    const hint =
      alias === undefined
        ? `\`${textOf(find, at)}\` repeats the heads of one operand, and those of the other are not.`
        : `The heads of \`${alias.name}\` are not repeated, as those beside it are.`;
    return { at, hint, kind: 'heads' };
  }
  return undefined;
}

/** An operation that makes more heads out of the few. */
function repeatOf(find: Find, few: Dim, operand: TensorValue): TensorValue | undefined {
  const repeats = find.study.tensors.filter((node) => {
    const [input] = node.inputs;
    if (input === undefined || !/^(?:repeat|repeat_interleave|reshape|view|flatten|rearrange)$/.test(node.op)) return false;
    if (/^(?:reshape|view|flatten)$/.test(node.op) && input.op !== 'expand') return false;
    const [before, after] = [keysOf(input), keysOf(node)];
    const made = node.shape.dims.filter(({ key }) => !before.includes(key));
    return (
      before.includes(few.key) &&
      !after.includes(few.key) &&
      made.length === 1 &&
      symbolsOf(made[0] as Dim).every(({ scope }) => scope !== lengthScope)
    );
  });
  return repeats.find((repeat) => chainOf(repeat).some((each) => isCopy(each, operand))) ?? repeats[0];
}

/** Heads that are repeated by another number than the groups: the number, or the call that hands it over. */
export function overRepeated(find: Find, clashes: readonly Clash[]): Blame | undefined {
  for (const { left, right, x, y } of clashes) {
    if (!isProductOp(find.op) || left.axis !== right.axis) continue;
    const [place, own, wanted] = left.node === inputsOf(find.failure)[0] ? [right, y, x] : [left, x, y];
    if (roleOfAxis(wanted) !== 'heads' || isLength(own)) continue;
    const { node: repeat, axis } =
      axisPath(place).find(({ node }) => node.op === 'repeat_interleave' || node.op === 'expand' || node.inputs[0]?.op === 'expand') ??
      place;
    const maker = repeat?.inputs[0]?.op === 'expand' ? repeat.inputs[0] : repeat;
    const input = maker?.inputs[0];
    if (maker === undefined || input === undefined || repeat.inputs.length !== 1) continue;
    const numbers = numbersOf(maker);
    const few = maker.op === 'repeat_interleave' ? dimFromEnd(input, axis) : input.shape.dims.find((dim) => roleOfAxis(dim) === 'heads');
    // Heads that are enough already are no matter of the repetition.
    if (few === undefined || loneAtom(few)?.kind !== 'symbol' || sameSize(find, few, wanted)) continue;
    const count = repeatsOf(numbers, input);
    if (count !== undefined && !sameSize(find, own, multiply(few, count.dim))) continue;
    // With the right number of repetitions it would not clash here.
    const rest = count === undefined ? undefined : divideExactly(wanted, count.dim);
    if (count === undefined || ratioOf(find.code, own, count.dim) === undefined || (rest !== undefined && rest.constant !== 1)) continue;
    const here = rangeOfNode(find, repeat);
    // What stands beside it is repeated by another number: it is this use that is wrong, and else the number.
    const beside = find.study.tensors.flatMap((each) => {
      const [from] = each.op === maker.op && !isCopy(each, maker) ? each.inputs : [];
      return from?.shape.dims.length === input.shape.dims.length ? (repeatsOf(numbersOf(each), from)?.dim.key ?? []) : [];
    });
    const isAlone = beside.length > 0 && !beside.includes(count.dim.key);
    const at = isAlone ? here : (numberAt(find, count.value) ?? here);
    if (at !== undefined) return { at, hint: `The heads are repeated ${formatDim(count.dim)} times.` };
  }
  return undefined;
}

/** As many repetitions as there are queries to a key-value head, along another axis than that of the heads. */
export function repeatedAlong(find: Find, { left, right, x, y }: Clash): Blame | undefined {
  const [first] = inputsOf(find.failure);
  const [place, few, wanted] = left.node === first ? [right, y, x] : [left, x, y];
  if (roleOfAxis(few) !== 'heads' || roleOfAxis(wanted) !== 'heads') return undefined;
  const times = floorDiv(wanted, few);
  for (const { node, axis } of axisPath(place)) {
    const input = node.inputs[0];
    if (!/^(?:repeat|repeat_interleave|tile)$/.test(node.op) || input === undefined) continue;
    const rank = node.shape.dims.length;
    if (input.shape.dims.length !== rank) continue;
    for (let other = -rank; other < 0; other++) {
      const [before, after] = [dimFromEnd(input, other), dimFromEnd(node, other)];
      if (other === axis || before === undefined || after === undefined || after.key !== multiply(before, times).key) continue;
      const at = rangeOfNode(find, node);
      if (at === undefined) continue;
      return { at, hint: `\`${textOf(find, at)}\` repeats along axis ${other}; the heads are along axis ${axis}.` };
    }
  }
  return undefined;
}

/** The numbers by which a tensor is repeated, or the sizes that it is expanded to. */
function numbersOf(maker: TensorValue): readonly Value[] {
  const value = maker.arguments.get(maker.op === 'repeat_interleave' ? 'repeats' : 'size');
  if (value?.kind !== 'tuple') return value === undefined ? [] : [value];
  return value.items.flatMap((item) => (item.kind === 'tuple' ? item.items : [item]));
}

/** How many of each there are afterwards: along an axis of one, where axes are expanded. */
function repeatsOf(numbers: readonly Value[], input: TensorValue): { readonly value: Value; readonly dim: Dim } | undefined {
  for (const [i, value] of numbers.entries()) {
    const dim = dimOf(value);
    const isNew = numbers.length === 1 || (numbers.length === input.shape.dims.length && input.shape.dims[i]?.constant === 1);
    if (isNew && dim !== undefined && dim.constant === undefined) return { value, dim };
  }
  return undefined;
}

/** Where the number of repetitions is worked out. */
function numberAt(find: Find, value: Value): Range | undefined {
  const { code } = find;
  const given = code.variables.find(
    (each) => !each.isArgument && each.value === value && /(?:group|rep)/.test(each.name ?? '') && each.site.file === code.file,
  );
  return rangeIn(code, given?.site) ?? definitionOf(code, value)?.at;
}
