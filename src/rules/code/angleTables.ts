/** Tables of angles whose width does not fit: where the width was given, or where the halves should have been joined. */
import { type Dim, zero } from '../../dims/dim.ts';
import { formatDim } from '../../dims/format.ts';
import { symbolsOf } from '../../dims/visit.ts';
import { dimOf, numberOf } from '../../interpreter/make.ts';
import type { FunctionValue, TensorValue } from '../../interpreter/value.ts';
import type { Range } from '../../text/range.ts';
import { axisPath, type Place, sizeAt } from './axes.ts';
import type { Clash } from './clashes.ts';
import { type Find, read } from './failing.ts';
import { aliasOf, definitionOf, rangeIn } from './places.ts';
import { ratioOf } from './sizes.ts';
import { projectedness } from './sources.ts';

/** Made of positions and numbers alone. */
export const isTable = (node: TensorValue): boolean => projectedness(node) === 0 && node.isParameter !== true && node.op !== 'input';

const joins = /^(?:cat|concat|repeat|repeat_interleave|tile)$/;
const crossings = /^(?:outer|einsum|matmul|mul|bmm)$/;

/** The place in the making of a table at which its last axis gets a width that does not fit what it meets. */
export function tableAt(find: Find, { left, right, x, y }: Clash): { readonly at: Range; readonly hint: string } | undefined {
  if (left.axis !== -1 || right.axis !== -1 || isTable(left.node) === isTable(right.node)) return undefined;
  const [place, own, wanted] = isTable(left.node) ? [left, x, y] : [right, y, x];
  const path = axisPath(place);
  const count = path.at(-1)?.node;
  if (count?.op !== 'arange') return undefined;
  const joined = path.find((each, i) => joins.test(each.node.op) && isLonger(each, path[i + 1]));
  const step = numberOf(count.arguments.get('step') ?? { kind: 'none' });
  const hint = `The table is ${formatDim(own)} wide; with ${formatDim(wanted)} it fits.`;
  if (numberOf({ kind: 'int', dim: ratioOf(find.code, wanted, own) ?? own }) === 2 && joined === undefined) {
    const from = path.findIndex(({ node }) => crossings.test(node.op));
    const alias = path.slice(0, from + 1).flatMap(({ node }) => aliasOf(find.code, node) ?? [])[0];
    const at = alias?.at ?? rangeIn(find.code, path[from]?.node.site);
    if (at !== undefined) return { at, hint: `${hint} The halves are not joined.` };
  }
  const isStepLeftOut = numberOf({ kind: 'int', dim: ratioOf(find.code, own, wanted) ?? own }) === 2 && step === 1;
  const at = isStepLeftOut ? rangeIn(find.code, count.site) : givenAt(find, count);
  return at === undefined ? undefined : { at, hint };
}

const isLonger = (place: Place, before: Place | undefined): boolean => before !== undefined && sizeAt(place)?.key !== sizeAt(before)?.key;

/** Where the number that the positions end at was handed over: a call, or an assignment. */
export function givenAt(find: Find, count: TensorValue): Range | undefined {
  // The one number of `arange(n)` stands where others begin.
  const last = count.arguments.get('end');
  const end = last === undefined || last.kind === 'none' ? count.arguments.get('start') : last;
  const { code } = find;
  const size = end === undefined ? undefined : dimOf(end);
  if (end === undefined || size === undefined) return rangeIn(code, count.site);
  const call = count.trace?.site;
  const isArgument = code.variables.some(
    ({ isArgument, value, frame }) =>
      isArgument &&
      isMadeOf(read(find, size), read(find, dimOf(value) ?? zero)) &&
      frame.function?.file === count.site?.file &&
      isIn(frame.function, count),
  );
  const range = isArgument && call !== undefined ? rangeIn(code, call) : undefined;
  return range ?? definitionOf(code, end)?.at ?? rangeIn(code, count.site);
}

/** Whether the size is the given one, or worked out from it. */
function isMadeOf(size: Dim, given: Dim): boolean {
  const symbols = new Set(symbolsOf(given).map(({ key }) => key));
  return size.key === given.key || (symbols.size > 0 && symbolsOf(size).length > 0 && symbolsOf(size).every(({ key }) => symbols.has(key)));
}

/** Whether the tensor is made in the body of the function. */
function isIn(of: FunctionValue | undefined, { site }: TensorValue): boolean {
  if (of === undefined || site === undefined) return false;
  const { start, end } = of.definition;
  return site.node.start >= start && site.node.end <= end;
}
