/** What stands beside a part that does not fit, is made as it is, and does: of several that should be alike the odd one is blamed. */
import { type Dim, multiply, subtract } from '../../dims/dim.ts';
import { formatDim } from '../../dims/format.ts';
import { ancestors } from '../../interpreter/graph.ts';
import type { TensorValue } from '../../interpreter/value.ts';
import type { Blame } from './blame.ts';
import { callAt, chainOf, keysOf, rangeOfNode, sameSize, textOf } from './chains.ts';
import { equationOf } from './contractions.ts';
import { dimsOf, elementwiseOps, type Find, inputsOf, opOf, read, tensorOf } from './failing.ts';
import { isCopy, placeAt, placeOf, rangeIn, textAt } from './places.ts';

const layouts = /^(?:getitem|unsqueeze|transpose|permute|swapaxes|view|reshape)$/;

/** Of two tables that were made of one, as of cosines and sines, the one that has its axes in another order than the one that fits. */
export function oddTwin(find: Find): Blame | undefined {
  if (!elementwiseOps.test(find.op)) return undefined;
  const failing = find.study.failures.flatMap((failure) => (opOf(failure) === find.op ? inputsOf(failure).flatMap(chainOf) : []));
  const sorted = (node: TensorValue): string => [...keysOf(node)].sort().join(' ');
  for (const operand of inputsOf(find.failure)) {
    const chain = chainOf(operand);
    // The first step that differs is the one that made it so.
    for (const [i, node] of [...chain.entries()].reverse()) {
      const origins = chain.slice(i + 1);
      if (!layouts.test(node.op) || node.shape.dims.length < 2 || node.shape.ellipsis !== undefined) continue;
      const twin = find.study.tensors.find(
        (each) =>
          each.op === node.op &&
          each.index === undefined &&
          placeOf(each) !== placeOf(node) &&
          keysOf(each).join(' ') !== keysOf(node).join(' ') &&
          sorted(each) === sorted(node) &&
          !failing.some((other) => isCopy(other, each)) &&
          chainOf(each)
            .slice(1)
            .some((other) => origins.some((origin) => isCopy(origin, other))),
      );
      // Queries and keys of one stream are no tables.
      if (twin === undefined || chain.some(({ op }) => /^(?:linear|embedding|input)$/.test(op))) continue;
      const at = rangeOfNode(find, node);
      if (at !== undefined) return { at, hint: `\`${textOf(find, at)}\` orders the axes otherwise than what stands beside it.` };
    }
  }
  return undefined;
}

/** Of parts that are picked out of one tensor by their numbers the one that is picked along another axis. */
export function oddPick(find: Find): Blame | undefined {
  const isPick = (node: TensorValue): boolean =>
    (node.op === 'getitem' || node.op === 'select') &&
    node.inputs.length === 1 &&
    node.shape.ellipsis === undefined &&
    node.inputs[0]?.shape.ellipsis === undefined &&
    node.shape.dims.length === (node.inputs[0]?.shape.dims.length ?? 0) - 1;
  const before = inputsOf(find.failure).flatMap((input) => ancestors(input, ({ op }) => op !== 'linear', 80));
  for (const node of before) {
    const [whole] = isPick(node) ? node.inputs : [];
    if (whole === undefined) continue;
    const beside = find.study.tensors.filter(
      (each) => isPick(each) && each.inputs[0] !== undefined && isCopy(each.inputs[0], whole) && callAt(each, 0) === callAt(node, 0),
    );
    const shapes = new Map<string, Set<string>>();
    for (const each of beside) {
      const key = keysOf(each).join(' ');
      shapes.set(key, (shapes.get(key) ?? new Set()).add(placeOf(each)));
    }
    const own = shapes.get(keysOf(node).join(' '));
    if (shapes.size !== 2 || own?.size !== 1 || [...shapes.values()].every(({ size }) => size < 2)) continue;
    const at = rangeOfNode(find, node);
    if (at !== undefined)
      return { at, hint: `\`${textOf(find, at)}\` is picked along another axis than the parts beside it.`, isSure: true };
  }
  return undefined;
}

/** Of the sizes into which a width is cut those that what is made of the parts says otherwise, where that makes them add up. */
export function oddSizes(find: Find): Blame | undefined {
  const input = /^split/.test(find.op) ? tensorOf(find, 'input', 'tensor') : undefined;
  const sizes = dimsOf(find.failure.call.arguments.get('split_size_or_sections'));
  const whole = input?.shape.dims.at(-1);
  const place = find.failure.call.site;
  if (input === undefined || whole === undefined || place === undefined || sizes.length < 2) return undefined;
  const wanted = sizes.map((size, index) => {
    const view = find.study.tensors.find(
      ({ op, inputs: [from] }) =>
        (op === 'view' || op === 'reshape') &&
        from?.index === index &&
        /^split/.test(from.op) &&
        rangeIn(find.code, from.site)?.start === find.use.start,
    );
    const [heads, width] = dimsOf(view?.arguments.get('shape')).slice(-2);
    return heads === undefined || width === undefined || heads.constant !== undefined ? size : multiply(heads, width);
  });
  const rest = wanted.reduce((left: Dim, size) => subtract(left, size), whole);
  if (read(find, rest).constant !== 0) return undefined;
  const odd = sizes.findIndex((size, i) => !sameSize(find, size, wanted[i] as Dim));
  const [own, other] = [sizes[odd], wanted[odd]];
  if (own === undefined || other === undefined) return undefined;
  const names = textAt(find.code, find.use).match(/\bself\.\w+(?=\s*[,\])])/g) ?? [];
  const isWrongOne = names.some((each, i) => i !== odd && each === names[odd] && sameSize(find, sizes[i] as Dim, wanted[i] as Dim));
  // A name that is right for another part is not what is worked out wrongly.
  const name = names.length === sizes.length && !isWrongOne ? names[odd] : undefined;
  const given = find.code.variables.find(
    (each) => !each.isArgument && each.name === name && each.value.kind === 'int' && each.value.dim.key === own.key,
  );
  const at = rangeIn(find.code, given?.site);
  return { at: at ?? find.use, hint: `A part is ${formatDim(own)} wide, and used as one of ${formatDim(other)}.` };
}

/** A tensor that the class holds, of which the number of axes is not the one that any of several equations names: where it was made. */
export function heldOtherwise(find: Find): Blame | undefined {
  const [odd] = misranked(find);
  if (odd === undefined) return undefined;
  const failing = find.study.failures.filter((failure) =>
    misranked({ ...find, failure, op: opOf(failure) }).some(({ made }) => isCopy(made, odd.made)),
  );
  const places = new Set(failing.map(({ call }) => (call.site === undefined ? '' : placeAt(call.site))));
  const at = places.size > 1 ? rangeIn(find.code, odd.made.site) : undefined;
  return at === undefined ? undefined : { at, hint: `\`${textOf(find, at)}\` has ${odd.has} axes; with ${odd.wanted} it fits.` };
}

interface Misranked {
  readonly made: TensorValue;
  readonly has: number;
  readonly wanted: number;
}

/** Operands that have more or fewer axes than the equation names, with what they are copies or parts of. */
function misranked({ op, failure }: Find): readonly Misranked[] {
  const labels = op === 'einsum' ? equationOf({ op, arguments: failure.call.arguments })?.inputs : undefined;
  return inputsOf(failure).flatMap((operand, i) => {
    const names = labels?.[i];
    const has = operand.shape.dims.length;
    if (names === undefined || names.includes('...') || operand.shape.ellipsis !== undefined || has === names.length) return [];
    let made: TensorValue | undefined = operand;
    while (made !== undefined && isKept(made)) made = made.inputs[0];
    return made !== undefined && makers.test(made.op) ? [{ made, has, wanted: names.length }] : [];
  });
}

const makers = /^(?:zeros|ones|empty|full|randn|rand)$/;
const isKept = ({ op, shape, inputs: [from] }: TensorValue): boolean =>
  /^(?:getitem|setitem|buffer|parameter|join)$/.test(op) && from?.shape.dims.length === shape.dims.length;
