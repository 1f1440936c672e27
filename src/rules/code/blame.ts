/**
 * Where a mistake is that shows elsewhere. An operation fails because two chains of evidence contradict each other about one size: the
 * one that deviates last, where a single change makes all fit, is blamed.
 */
import { add, addAll, type Dim, divideExactly, floorDiv, loneAtom, multiply, one, subtract } from '../../dims/dim.ts';
import { formatDim } from '../../dims/format.ts';
import { ancestors } from '../../interpreter/graph.ts';
import { dimOf, none } from '../../interpreter/make.ts';
import { isOpen, lengthScope } from '../../interpreter/samples.ts';
import type { TensorValue, Value } from '../../interpreter/value.ts';
import type { Range } from '../../text/range.ts';
import { givenAt, isTable, tableAt } from './angleTables.ts';
import { axisPath, isMatrixProduct, type Place, reductions, sizeAt } from './axes.ts';
import { isTrusted, moves, notTurnedBack, oddOne, swapped, turnedOtherwise, untransposed } from './axisOrder.ts';
import { callAt, chainOf, keysOf, mainInput, rangeOfNode, sameSize, textOf } from './chains.ts';
import { type Clash, clashesOf } from './clashes.ts';
import { decidedAt } from './deciders.ts';
import { dimsOf, elementwiseOps, type Find, firstOf, inputsOf, joinedFor, read, viewOps } from './failing.ts';
import type { FaultKind } from './fault.ts';
import { madeAt, ownedBy, partners, roleOf, widthSource } from './layers.ts';
import { isLength, roleOfAxis } from './layouts.ts';
import { oddLength } from './oddLength.ts';
import { cutTo, joinedAlong, madeOtherwise, misaligned, misnamed, otherPart, resized } from './oddParts.ts';
import { wrongPattern } from './patterns.ts';
import { aliasOf, isCopy, placeAt, placeOf, rangeIn } from './places.ts';
import { notRepeated, overRepeated, repeatedAlong } from './repetition.ts';
import { heldOtherwise, oddPick, oddSizes, oddTwin } from './siblings.ts';
import { compareSizes, ratioOf } from './sizes.ts';
import { madeTurned } from './tableOrder.ts';
import { dimFromEnd, fromEnd, isWeight } from './tensors.ts';
import { lengthFirst } from './wiring.ts';
import { demandsOn, originOf } from './witnesses.ts';

export interface Blame {
  readonly at: Range;
  /** What is wrong there, or what would fit, as a sentence. */
  readonly hint: string;
  /** What it is, where that is another fault than it seems. */
  readonly kind?: FaultKind;
  /** What stands beside it shows it, whatever the sizes are. */
  readonly isSure?: true;
}

/** The place where one change makes the failing operation work, where that is another than the operation. */
export function blameOf(find: Find): Blame | undefined {
  const turned = lengthFirst(find);
  if (turned !== undefined) return { at: turned, hint: 'Without `batch_first=True` the layer takes (length, batch, width).' };
  const clashes = clashesOf(find);
  return (
    emptied(find) ??
    untransposed(find) ??
    notTurnedBack(find, clashes) ??
    rankChanged(find) ??
    heldOtherwise(find) ??
    wrongPattern(find) ??
    notKept(find) ??
    misaligned(find, clashes) ??
    joinedAlong(find, clashes) ??
    firstOf(clashes, (clash) => wrongAxis(find, clash)) ??
    turnedOtherwise(find) ??
    oddPick(find) ??
    oddSizes(find) ??
    oddTwin(find) ??
    overRepeated(find, clashes) ??
    firstOf(clashes, (clash) => repeatedAlong(find, clash)) ??
    swapped(find, clashes) ??
    oddOne(find) ??
    firstOf(clashes, (clash) => oddLength(find, clash)) ??
    firstOf(clashes, (clash) =>
      isTrusted(find, (isTable(clash.left.node) ? clash.left : clash.right).node) ? undefined : tableAt(find, clash),
    ) ??
    (callOf(find) === undefined ? tableViewed(find) : undefined) ??
    openCut(find) ??
    firstOf(clashes, (clash) => notRepeated(find, clash)) ??
    firstOf(clashes, (clash) => oddSlice(find, clash)) ??
    firstOf(clashes, (clash) => otherPart(find, clash) ?? cutTo(find, clash) ?? misnamed(find, clash) ?? resized(find, clash)) ??
    firstOf(clashes, (clash) => dropped(find, clash)) ??
    madeTurned(find, clashes) ??
    firstOf(clashes, (clash) => oddWidth(find, clash) ?? oddProjection(find, clash)) ??
    firstOf(clashes, (clash) => madeOtherwise(find, clash))
  );
}

/** A part that holds nothing: the operation that cut it out. */
function emptied(find: Find): Blame | undefined {
  for (const node of inputsOf(find.failure)) {
    for (let axis = -1; axis >= -node.shape.dims.length; axis--) {
      if (dimFromEnd(node, axis)?.constant !== 0) continue;
      const empty = axisPath({ node, axis }).filter((place) => sizeAt(place)?.constant === 0);
      const cut = (empty.at(-1) as Place).node;
      const [whole] = cut.inputs;
      // Where several pieces are empty, the axis is not what it should be.
      const beside = find.study.tensors.filter(
        (each) =>
          each.op === 'getitem' &&
          placeOf(each) !== placeOf(cut) &&
          whole !== undefined &&
          each.inputs[0] !== undefined &&
          isCopy(each.inputs[0], whole),
      );
      const made = beside.some((each) => dimFromEnd(each, -1)?.constant === 0) ? whole : undefined;
      const wholeAt = made === undefined || !reshapes.test(made.op) ? undefined : rangeOfNode(find, made);
      if (wholeAt !== undefined) return { at: wholeAt, hint: `\`${textOf(find, wholeAt)}\` leaves nothing for some of the parts.` };
      const at = rangeOfNode(find, cut);
      if (at !== undefined) return { at, hint: `\`${textOf(find, at)}\` takes nothing: the axis ends before it.` };
    }
  }
  return undefined;
}

const reshapes = /^(?:view|reshape|flatten|unflatten|rearrange|squeeze|unsqueeze|getitem|select|unbind)$/;

/** Operands of different numbers of axes: the last operation that changed the number. */
function rankChanged(find: Find): Blame | undefined {
  if (find.failure.problem.isOfAxes !== true || !/^(?:cat|concat|bmm|baddbmm)$/.test(find.op)) return undefined;
  const operands = inputsOf(find.failure).filter(({ shape }) => shape.ellipsis === undefined);
  const wanted = find.op === 'cat' || find.op === 'concat' ? undefined : 3;
  const changes = operands.flatMap((operand) => {
    if (operand.shape.dims.length === wanted) return [];
    const changed = chainOf(operand).find(
      (node) =>
        /^(?:view|reshape|rearrange)$/.test(node.op) ||
        ((reshapes.test(node.op) || reductions.test(node.op)) && node.shape.dims.length !== (mainInput(node)?.shape.dims.length ?? 0)),
    );
    return changed === undefined ? [] : [changed];
  });
  const last = changes.sort((a, b) => b.id - a.id)[0];
  const at = last === undefined ? undefined : rangeOfNode(find, last);
  if (last === undefined || at === undefined) return undefined;
  return { at, hint: `\`${textOf(find, at)}\` leaves ${last.shape.dims.length} axes.` };
}

/** A statistic of the other operand that lost the axis it was taken over. */
function notKept(find: Find): Blame | undefined {
  const operands = inputsOf(find.failure);
  if (!elementwiseOps.test(find.op) || operands.length !== 2) return undefined;
  for (const [operand, other] of [operands, [...operands].reverse()] as readonly (readonly TensorValue[])[]) {
    if (operand === undefined || other === undefined || operand.shape.dims.length !== other.shape.dims.length - 1) continue;
    const reduced = chainOf(operand).find(({ op }) => reductions.test(op));
    const input = reduced?.inputs[0];
    if (reduced === undefined || input === undefined || keysOf(input).join(' ') !== keysOf(other).join(' ')) continue;
    if (keysOf(reduced).join(' ') !== keysOf(operand).join(' ')) continue;
    // In the function that fails, that is the place whatever calls it.
    const call = find.failure.sites[1];
    const isHere = call !== undefined && callAt(reduced, 0) === placeAt(call);
    const at = isHere ? rangeIn(find.code, reduced.site) : rangeOfNode(find, reduced);
    if (at !== undefined) return { at, hint: `\`${textOf(find, at)}\` takes an axis away: with keepdim=True it fits.` };
  }
  return undefined;
}

const resizes = /^(?:cat|concat|stack|repeat|repeat_interleave|tile|chunk|split|flatten|view|reshape|rearrange)$/;

/** A size that is a multiple of what it should be, where an operation on the way works on another axis, or should not have. */
function wrongAxis(find: Find, clash: Clash): Blame | undefined {
  const sides = [
    [clash.left, clash.x, clash.y],
    [clash.right, clash.y, clash.x],
  ] as const;
  for (const [place, own, wanted] of sides) {
    const [more, less] = [ratioOf(find.code, own, wanted), ratioOf(find.code, wanted, own)];
    const factor = more ?? less;
    if (factor === undefined) continue;
    for (const { node, axis } of axisPath(place)) {
      const input = node.inputs[0];
      if (!resizes.test(node.op) || input === undefined || input.shape.ellipsis !== undefined || node.shape.ellipsis !== undefined)
        continue;
      const change = resizedAxis(find, node, input, axis, factor, more !== undefined);
      if (change === undefined) continue;
      const at = rangeOfNode(find, node);
      if (at !== undefined) return { at, hint: change(textOf(find, at)) };
    }
  }
  return undefined;
}

function resizedAxis(
  find: Find,
  node: TensorValue,
  input: TensorValue,
  axis: number,
  factor: Dim,
  isTooLong: boolean,
): ((text: string) => string) | undefined {
  const [before, after] = [keysOf(input), keysOf(node)];
  const size = sizeAt({ node, axis });
  const isWhole = isLength(factor) || factor.constant !== undefined || roleOfAxis(factor) !== undefined;
  if (size === undefined) return undefined;
  // Along this axis: joined or repeated where it should not be.
  if (
    isTooLong &&
    /^(?:cat|concat|repeat|repeat_interleave)$/.test(node.op) &&
    !before.includes(size.key) &&
    !isRejoined(find, node, axis) &&
    // Pieces that differ along this axis could be joined along no other.
    (!/^(?:cat|concat)$/.test(node.op) || node.inputs.every((each) => dimFromEnd(each, axis)?.key === dimFromEnd(input, axis)?.key)) &&
    !(axis === -1 && joinedFor(find)?.node === node)
  ) {
    const was = divideExactly(size, factor);
    if (was !== undefined && before.includes(was.key)) return (text) => `\`${text}\` makes the axis ${formatDim(size)} long.`;
  }
  // Cut into parts along another axis, which are as wide as they would be along this one.
  if (isTooLong && /^split/.test(node.op)) {
    const part = dimOf(node.arguments.get('split_size_or_sections') ?? none);
    const [dim] = dimsOf(node.arguments.get('dim'));
    const at = dim?.constant === undefined ? undefined : fromEnd(dim.constant, node);
    const was = divideExactly(size, factor);
    if (part !== undefined && was !== undefined && at !== undefined && at !== axis && sameSize(find, part, was))
      return (text) => `\`${text}\` cuts along axis ${at}; along axis ${axis} it would fit.`;
  }
  if (!isTooLong && node.op === 'repeat_interleave') {
    const [dim, repeats] = [node.arguments.get('dim'), node.arguments.get('repeats')];
    const at = dim?.kind === 'int' && dim.dim.constant !== undefined ? fromEnd(dim.dim.constant, node) : undefined;
    if (at !== undefined && at !== axis && repeats?.kind === 'int' && sameSize(find, repeats.dim, factor))
      return (text) => `\`${text}\` repeats along axis ${at}; along axis ${axis} it would fit.`;
  }
  for (let other = -node.shape.dims.length; other < 0; other++) {
    const long = dimFromEnd(node, other);
    if (other === axis || long === undefined || before.includes(long.key)) continue;
    // Too short here, and as much too long there; or the other way round.
    const whole = isTooLong ? input.shape.dims.find((dim) => floorDiv(dim, factor).key === long.key) : undefined;
    const was = whole ?? (isTooLong ? multiply(long, factor) : divideExactly(long, factor));
    if (was === undefined || was.constant === 1 || !before.includes(was.key) || (after.includes(was.key) && node.op !== 'stack')) continue;
    if (isTooLong && !/^(?:chunk|split)$/.test(node.op)) continue;
    if (!isWhole && ratioOf(find.code, long, was) === undefined) continue;
    return (text) => `\`${text}\` makes ${formatDim(long)} of ${formatDim(was)} along axis ${other}; along axis ${axis} it would fit.`;
  }
  return undefined;
}

/** Halves of a width put together again, or of a table's angles: as they should be. */
function isRejoined(find: Find, node: TensorValue, axis: number): boolean {
  if (isTable(node)) return axis === -1;
  const size = sizeAt({ node, axis });
  return (
    size !== undefined &&
    axisPath({ node, axis })
      .slice(1)
      .some((place) => {
        const before = sizeAt(place);
        return (
          before !== undefined &&
          !before.unknown &&
          /^(?:same|unknown)$/.test(compareSizes(find.code, read(find, before), read(find, size)))
        );
      })
  );
}

/** An axis that should be there and was summed, indexed or merged away. */
function dropped(find: Find, clash: Clash): Blame | undefined {
  const sides = [
    [clash.left, clash.x, clash.y],
    [clash.right, clash.y, clash.x],
  ] as const;
  for (const [{ node }, own, wanted] of sides) {
    if (!isLength(wanted) || isLength(own)) continue;
    for (const each of chainOf(node)) {
      const input = mainInput(each);
      if (input === undefined || (!reductions.test(each.op) && !reshapes.test(each.op))) continue;
      const has = (tensor: TensorValue): boolean => tensor.shape.dims.some((dim) => read(find, dim).key === wanted.key);
      if (!has(input) || has(each)) continue;
      const misfed = misfedAt(find, each);
      if (misfed !== undefined) return misfed;
      const at = rangeOfNode(find, each);
      if (at !== undefined) return { at, hint: `\`${textOf(find, at)}\` takes the axis of ${formatDim(wanted)} away.` };
    }
  }
  return undefined;
}

/** A function gets the axes in another order than where else it is called: what was handed to it. */
function misfedAt(find: Find, node: TensorValue): Blame | undefined {
  const outside = chainOf(node).find((each) => callAt(each, 0) !== callAt(node, 0));
  const input = node.inputs[0];
  if (outside === undefined || input === undefined || node.trace === undefined) return undefined;
  const roles = ({ shape }: TensorValue): readonly string[] =>
    shape.dims.map((dim) => (isLength(dim) ? 'length' : (roleOfAxis(dim) ?? '')));
  const key = placeOf(node);
  const [own, sorted] = [roles(input), [...roles(input)].sort().join(' ')];
  const other = find.study.tensors.find(
    (each) =>
      each.op === node.op &&
      placeOf(each) === key &&
      callAt(each, 0) !== callAt(node, 0) &&
      each.inputs[0] !== undefined &&
      roles(each.inputs[0]).join(' ') !== own.join(' ') &&
      [...roles(each.inputs[0])].sort().join(' ') === sorted,
  );
  const alias = other === undefined ? undefined : aliasOf(find.code, outside);
  const moved = chainOf(outside).find((each) => moves.test(each.op));
  const at = other === undefined ? undefined : (alias?.at ?? (moved === undefined ? undefined : rangeOfNode(find, moved)));
  return at === undefined ? undefined : { at, hint: 'Its axes are in another order than those of what stands beside it.' };
}

/** Of two widths the one that what follows does not take. */
function oddWidth(find: Find, clash: Clash): Blame | undefined {
  const { left, right, x, y } = clash;
  if (isMatrixProduct(find.op) || find.op === 'linear') return undefined;
  if (left.axis !== -1 || right.axis !== -1) return learned(find, clash) ?? heldHeads(find, clash);
  const demands = demandsOn(find);
  const [isLeft, isRight] = [x, y].map((size) => demands.some((demand) => sameSize(find, demand, size)));
  const odd = isLeft === isRight ? (oddPartner(find, clash) ?? besideSplit(find, clash) ?? computedFrom(clash)) : isLeft ? right : left;
  if (odd === undefined) return undefined;
  const [own, wanted] = odd === left ? [x, y] : [y, x];
  const origin = originOf(find.study, odd);
  const at =
    origin?.layer === undefined
      ? origin === undefined
        ? undefined
        : rangeOfNode(find, origin.node)
      : rangeIn(find.code, origin.isReplaced ? origin.site : decidedAt(find, origin.layer, wanted));
  if (at === undefined) return undefined;
  const name = origin?.layer === undefined || origin.layer.name === '' ? 'It' : `\`${origin.layer.name}\``;
  return { at, hint: `${name} gives ${formatDim(own)}; with ${formatDim(wanted)} it fits.` };
}

/** Heads of a weight that a class holds itself or looks up, which meet others that were split on purpose. */
function heldHeads(find: Find, clash: Clash): Blame | undefined {
  const odd = besideSplit(find, clash);
  const layer = odd === undefined ? undefined : originOf(find.study, odd)?.layer;
  const isTableOf = layer?.instance === undefined || layer.instance.class.name === 'Embedding';
  const at = layer === undefined || !isTableOf ? undefined : rangeIn(find.code, madeAt(find.study, layer));
  if (at === undefined) return undefined;
  const [own, wanted] = odd === clash.left ? [clash.x, clash.y] : [clash.y, clash.x];
  return { at, hint: `It has ${formatDim(own)} there; with ${formatDim(wanted)} it fits.` };
}

/** A weight that meets what was split into heads on purpose. */
function besideSplit(find: Find, { left, right }: Clash): Place | undefined {
  const [a, b] = [originOf(find.study, left), originOf(find.study, right)];
  const isSplit = (op: string | undefined): boolean => op === 'view' || op === 'reshape' || op === 'unflatten' || op === 'rearrange';
  if (a?.layer !== undefined && b?.layer === undefined && isSplit(b?.node.op)) return left;
  return b?.layer !== undefined && a?.layer === undefined && isSplit(a?.node.op) ? right : undefined;
}

/** The projection that is not as wide as its partner is, where the other operand agrees with the partner. */
function oddPartner(find: Find, { left, right, x, y }: Clash): Place | undefined {
  for (const [place, wanted] of [
    [left, y],
    [right, x],
  ] as const) {
    const layer = originOf(find.study, place)?.layer;
    if (layer?.instance === undefined || layer.inputs?.key === layer.outputs?.key) continue;
    const others = partners(ownedBy(find.study, layer.owner), layer) ?? [];
    if (others.some(({ outputs, name }) => roleOf(name) !== 'output' && outputs !== undefined && sameSize(find, outputs, wanted)))
      return place;
  }
  return undefined;
}

/** Of a residual sum the branch: what it was computed from was as wide as it is before. */
function computedFrom({ left, right }: Clash): Place | undefined {
  const isFrom = (place: Place, other: Place): boolean =>
    ancestors(place.node, () => true, 400).some((each, i) => i > 0 && isCopy(each, other.node));
  const [isLeft, isRight] = [isFrom(left, right), isFrom(right, left)];
  return isLeft === isRight ? undefined : isLeft ? left : right;
}

/** A learned table, as of positions, of another length than what it is added to. */
function learned(find: Find, { left, right, x, y }: Clash): Blame | undefined {
  const [isLeft, isRight] = [isWeight(left.node, false), isWeight(right.node, false)];
  if (!/^(?:add|sub)$/.test(find.op) || isLeft === isRight) return undefined;
  const [rows, axis] = isLeft ? [x, left.axis] : [y, right.axis];
  // A table that is cut to another size than the length is cut wrongly, and not too short.
  const atom = loneAtom(rows);
  if (atom?.kind === 'minimum') return undefined;
  if (atom?.kind === 'symbol' && atom.scope === lengthScope) {
    const cut = rangeIn(find.code, (isLeft ? left : right).node.site);
    return cut === undefined
      ? undefined
      : { at: cut, hint: `The table is cut to ${formatDim(rows)} rows; cut to ${formatDim(isLeft ? y : x)} it fits.` };
  }
  // What is added too early is as long as the table later.
  const place = find.failure.call.site === undefined ? '' : placeAt(find.failure.call.site);
  const meets = isLeft ? y : x;
  const isEarly = find.study.tensors.some((node) => {
    if (!/^(?:cat|concat)$/.test(node.op)) return false;
    const [sum, ...more] = [...node.inputs].sort(
      (a, b) => Number(chainOf(b).some((each) => placeOf(each) === place)) - Number(chainOf(a).some((each) => placeOf(each) === place)),
    );
    if (sum === undefined || !chainOf(sum).some((each) => placeOf(each) === place)) return false;
    const rest = addAll(more.flatMap((each) => dimFromEnd(each, axis) ?? []));
    return more.length > 0 && sameSize(find, add(meets, rest), rows);
  });
  if (isEarly) return undefined;
  const origin = originOf(find.study, isLeft ? left : right);
  // Rows that are off by more than a token: where they were counted.
  // Where the right number is there too, the table takes the wrong one.
  const isCounted =
    subtract(rows, meets).constant === undefined &&
    [meets, subtract(meets, one)].every((size) => countedAt(find, read(find, size)) === undefined);
  const counted = isCounted ? [rows, subtract(rows, one)].flatMap((size) => countedAt(find, size) ?? [])[0] : undefined;
  const at = counted ?? rangeIn(find.code, origin?.site);
  return at === undefined
    ? undefined
    : { at, hint: `The table has ${formatDim(isLeft ? x : y)} rows; with ${formatDim(isLeft ? y : x)} it fits.` };
}

/** Where a module works out the size for others to use. */
function countedAt({ code }: Find, size: Dim): Range | undefined {
  const given = code.variables.find(
    ({ isArgument, name, value }) => !isArgument && /^self\.\w+$/.test(name) && value.kind === 'int' && value.dim.key === size.key,
  );
  return loneAtom(size)?.kind === 'symbol' ? undefined : rangeIn(code, given?.site);
}

/** A table that is viewed for a tensor of another width. */
function tableViewed(find: Find): Blame | undefined {
  const [input] = inputsOf(find.failure);
  if (input === undefined || !/^(?:view|reshape)$/.test(find.op) || !isTable(input)) return undefined;
  const [own, wanted] = [dimFromEnd(input, -1), dimsOf(find.failure.call.arguments.get('shape')).at(-1)];
  if (own === undefined || wanted === undefined || sameSize(find, own, wanted) || ratioOf(find.code, wanted, own) === undefined)
    return undefined;
  const count = axisPath({ node: input, axis: -1 }).at(-1)?.node;
  const at = count?.op === 'arange' ? givenAt(find, count) : undefined;
  return at === undefined ? undefined : { at, hint: `The table is ${formatDim(own)} wide; with ${formatDim(wanted)} it fits.` };
}

/** Of slices of one tensor the one that takes more or less than those beside it, which are as wide as what it meets. */
function oddSlice(find: Find, { left, right, x, y }: Clash): Blame | undefined {
  for (const [place, own, wanted] of [
    [left, x, y],
    [right, y, x],
  ] as const) {
    // What is rotated in part is put together again of what was sliced.
    for (const { node, axis } of [...axisPath(place), ...chainOf(place.node).map((each) => ({ node: each, axis: -1 }))]) {
      const [whole] = node.op === 'getitem' ? node.inputs : [];
      const size = sizeAt({ node, axis });
      if (whole === undefined || size === undefined || !sameSize(find, size, own)) continue;
      const beside = find.study.tensors.filter(
        (each) => each.op === 'getitem' && placeOf(each) !== placeOf(node) && each.inputs[0] !== undefined && isCopy(each.inputs[0], whole),
      );
      const widths = beside.flatMap((each) => dimFromEnd(each, axis) ?? []);
      const at = widths.length > 0 && widths.every((width) => sameSize(find, width, wanted)) ? rangeOfNode(find, node) : undefined;
      if (at !== undefined)
        return { at, hint: `\`${textOf(find, at)}\` takes ${formatDim(own)}, and those beside it ${formatDim(wanted)}.` };
    }
  }
  return undefined;
}

/** A table that is cut where what comes in begins, and not where it ends. */
function openCut(find: Find): Blame | undefined {
  const isOpenAt = (place: Place): boolean => {
    const size = sizeAt(place);
    return size !== undefined && isOpen(size);
  };
  for (const node of inputsOf(find.failure)) {
    for (let axis = -1; axis >= -node.shape.dims.length; axis--) {
      if (!isOpenAt({ node, axis })) continue;
      const cut = axisPath({ node, axis }).filter(isOpenAt).at(-1);
      const at = cut?.node.op === 'getitem' ? rangeOfNode(find, cut.node) : undefined;
      if (at !== undefined) return { at, hint: `\`${textOf(find, at)}\` goes on to the end of the table.` };
    }
  }
  return undefined;
}

/** The sizes of what is given to an operation: of tensors, and those that are asked for. */
function sizesIn(value: Value): string {
  if (value.kind === 'tensor') return keysOf(value).join(' ');
  if (value.kind === 'tuple' || value.kind === 'list') return value.items.map(sizesIn).join(' ');
  return value.kind === 'int' ? value.dim.key : '';
}

/** All that the operation is given is known, as far as it takes part. */
const isCounted = ({ inputs, arguments: given }: TensorValue): boolean =>
  inputs.every(({ shape: { dims, ellipsis } }) => ellipsis === undefined && dims.at(-1)?.unknown !== true) &&
  [...given.values()].every(({ kind }) => kind !== 'unknown');

/** Where a function is called that fails on this call and serves others well. */
export function callOf(find: Find): Range | undefined {
  const { code, study, failure } = find;
  const [site, ...calls] = failure.sites;
  if (site === undefined || calls.length === 0) return undefined;
  const place = placeAt(site);
  const given = (inputs: readonly TensorValue[], values: ReadonlyMap<string, Value>): string =>
    viewOps.test(find.op) ? [...values.values()].map(sizesIn).join(', ') : inputs.map(sizesIn).join(', ');
  // What a call answers that is taken over from before an edit names the place where the call stood: its shapes tell it, too.
  const failing = new Set<string>();
  for (const each of study.failures) {
    const [inner, by] = each.sites;
    if (inner === undefined || placeAt(inner) !== place) continue;
    failing.add(given(inputsOf(each), each.call.arguments));
    if (by !== undefined) failing.add(placeAt(by));
  }
  const [outer] = calls;
  const works = study.tensors.some((node) => {
    // What is not known does not fail, and serves nobody for that.
    const by = placeOf(node) === place && isCounted(node) ? callAt(node, 0) : '';
    return by !== '' && !failing.has(by) && !failing.has(given(node.inputs, node.arguments));
  });
  if (outer === undefined || !works) return undefined;
  return rangeIn(code, outer);
}

/** Of the projections of two operands the one whose width is not that of the heads together, as the output projection takes it. */
function oddProjection(find: Find, { left, right, x, y }: Clash): Blame | undefined {
  if (find.op !== 'einsum' || isLength(x) || isLength(y)) return undefined;
  const sides = [left, right].map((place) => {
    const part = axisPath(place).find(({ node }) => /^(?:linear|chunk|split|unbind)$/.test(node.op));
    return { width: part === undefined ? undefined : sizeAt(part), layer: widthSource(find.study, place.node).layer };
  });
  const [a, b] = sides;
  if (a?.layer?.owner === undefined || a.layer === b?.layer || a.layer.owner !== b?.layer?.owner) return undefined;
  const goal = ownedBy(find.study, a.layer.owner).find(({ name }) => roleOf(name) === 'output')?.inputs;
  const odd = sides.filter(({ width }) => goal !== undefined && width !== undefined && !sameSize(find, width, goal));
  const at = odd.length === 1 ? rangeIn(find.code, odd[0]?.layer?.site) : undefined;
  if (at === undefined || goal === undefined || odd[0]?.width === undefined) return undefined;
  return {
    at,
    hint: `\`${odd[0].layer?.name ?? ''}\` gives ${formatDim(odd[0].width)} for the heads; the output projection takes ${formatDim(goal)}.`,
  };
}
