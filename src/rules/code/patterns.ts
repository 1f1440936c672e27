/** Products by a pattern, with a weight that a module holds: whether the pattern is wrong, the weight, or what is fed. */
import { formatDim } from '../../dims/format.ts';
import type { Site, TensorValue } from '../../interpreter/value.ts';
import type { Expression } from '../../syntax/python/ast.ts';
import type { Blame } from './blame.ts';
import { callAt, chainOf, rangeOfNode, sameSize, textOf } from './chains.ts';
import { clashesOf, swapsThatFit } from './clashes.ts';
import { equationOf } from './contractions.ts';
import { type Find, inputsOf } from './failing.ts';
import { layersOf, madeAt } from './layers.ts';
import { placeAt, placeOf, rangeIn } from './places.ts';
import { dimFromEnd } from './tensors.ts';

const reshapes = /^(?:view|reshape|flatten|unflatten|rearrange|squeeze|unsqueeze|getitem|select|sum|mean)$/;

export function wrongPattern(find: Find): Blame | undefined {
  if (find.op !== 'einsum') return undefined;
  const equation = equationOf({ op: 'einsum', arguments: find.failure.call.arguments });
  const operands = inputsOf(find.failure);
  if (equation === undefined || operands.length !== 2) return undefined;
  const ranked = /operand (\d) has \d+ axes/.exec(find.failure.problem.message)?.[1];
  const layers = layersOf(find.study);
  const held = operands.findIndex((operand) => layers.get(operand)?.instance === undefined && layers.has(operand));
  if (ranked !== undefined) return wrongRank(find, operands[Number(ranked)], Number(ranked) === held);
  const weight = operands[held];
  const layer = weight === undefined ? undefined : layers.get(weight);
  const fed = equation.inputs[1 - held];
  const labels = equation.inputs[held];
  if (weight === undefined || layer === undefined || fed === undefined || labels === undefined) return undefined;
  if (!swapsThatFit(find, clashesOf(find)).some(({ node }) => node === weight)) return undefined;
  // Weights take before they give: one that has what is fed last, where the pattern has it earlier, is made the wrong way round.
  const summed = fed.findIndex((label) => labels.includes(label) && !equation.output.includes(label));
  const size = summed < 0 ? undefined : dimFromEnd(operands[1 - held] as TensorValue, summed - fed.length);
  const last = dimFromEnd(weight, -1);
  if (size === undefined || last === undefined) return undefined;
  const hint = `With the axes of the weight, (${weight.shape.dims.map(formatDim).join(', ')}), in another order it fits.`;
  if (fed[summed] === labels.at(-1)) {
    const written = takesFirst(find, held) ? rangeIn(find.code, calledAt(find)) : undefined;
    return written === undefined ? undefined : { at: written, hint };
  }
  const isTurned = sameSize(find, size, last) && !isUsedElsewhere(find, weight);
  const site = isTurned ? madeAt(find.study, layer) : calledAt(find);
  const at = rangeIn(find.code, site);
  return at === undefined ? undefined : { at, hint };
}

/** Elsewhere the same product takes patterns of weights that give along their last axis. */
function takesFirst({ study, failure }: Find, held: number): boolean {
  const [own, call] = failure.sites.map(placeAt);
  const others = study.tensors.filter((node) => node.op === 'einsum' && placeOf(node) === own && callAt(node, 0) !== call);
  const patterns = others.map((node) => equationOf({ op: 'einsum', arguments: node.arguments }));
  return (
    patterns.length > 0 &&
    patterns.every((pattern) => {
      const last = pattern?.inputs[held]?.at(-1);
      return pattern !== undefined && last !== undefined && !pattern.inputs[1 - held]?.includes(last) && pattern.output.includes(last);
    })
  );
}

/** An operand with more or fewer axes than the pattern names. */
function wrongRank(find: Find, operand: TensorValue | undefined, isHeld: boolean): Blame | undefined {
  const changed = operand === undefined || isHeld ? undefined : chainOf(operand).find(({ op }) => reshapes.test(op));
  const at = changed === undefined ? rangeIn(find.code, calledAt(find)) : rangeOfNode(find, changed);
  if (at === undefined) return undefined;
  return { at, hint: changed === undefined ? 'The pattern is for other axes.' : `\`${textOf(find, at)}\` makes them.` };
}

/** Where the pattern is written: at the product, or where a function that takes patterns is called. */
function calledAt({ failure }: Find): Site | undefined {
  const node = failure.call.site?.node as Expression | undefined;
  const [pattern] = node?.kind === 'call' ? node.arguments : [];
  return pattern?.value.kind === 'string' ? failure.sites[0] : (failure.sites[1] ?? failure.sites[0]);
}

function isUsedElsewhere({ study, failure }: Find, weight: TensorValue): boolean {
  const own = failure.call.site === undefined ? '' : placeAt(failure.call.site);
  return study.tensors.some((node) => placeOf(node) !== own && node.inputs.includes(weight));
}
