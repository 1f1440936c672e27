/** Layers that are made as they should be and called with the wrong tensor, or in the wrong order. */
import type { Dim } from '../../dims/dim.ts';
import { formatDim } from '../../dims/format.ts';
import { plain } from '../../interpreter/graph.ts';
import { isRows } from '../../interpreter/samples.ts';
import type { Study } from '../../interpreter/study.ts';
import type { ModuleCall, Site, TensorValue, Value } from '../../interpreter/value.ts';
import type { Range } from '../../text/range.ts';
import { type Find, inputsOf, normOps, read } from './failing.ts';
import { type Layer, layerOfWeight, layersOf, ownedBy, partners, roleOf } from './layers.ts';
import { isCopy, placeAt, rangeIn, textAt } from './places.ts';
import { compareSizes } from './sizes.ts';
import { dimFromEnd } from './tensors.ts';

/** A layer that fails on what it is fed. */
export interface Feeding {
  readonly layer: Layer;
  readonly input: TensorValue;
  readonly takes: Dim;
  readonly width: Dim;
  /** The layer that gave the input its width. */
  readonly source: Layer | undefined;
}

export interface Wiring {
  /** The call to blame; undefined for the one that fails. */
  readonly site: Site | undefined;
  readonly hint: string;
}

const isSame = (find: Find, left: Dim | undefined, right: Dim | undefined): boolean =>
  left !== undefined && right !== undefined && compareSizes(find.code, read(find, left), read(find, right)) === 'same';

/** The same tensor; calls that are taken over from an earlier run have tensors of their own. */
const isOne = (left: TensorValue, right: TensorValue): boolean => isCopy(plain(left), plain(right));

const isWeightOf = (value: Value | undefined, { weight }: Layer): boolean =>
  value?.kind === 'tensor' && (value === weight || plain(value) === weight);

interface Use {
  readonly layer: Layer;
  readonly node: TensorValue;
  readonly input: TensorValue;
  readonly works: boolean;
}

/** What the layers of one object are fed. */
function usesIn(study: Study, layers: ReadonlySet<Layer>): readonly Use[] {
  const found: Use[] = [];
  for (const node of study.tensors) {
    const weight = node.op === 'linear' ? node.arguments.get('weight') : undefined;
    const layer = weight?.kind === 'tensor' ? layerOfWeight(study, weight) : undefined;
    const input = node.inputs[0];
    if (layer === undefined || input === undefined || !layers.has(layer)) continue;
    const [takes, width] = [layer.inputs, dimFromEnd(input, -1)];
    found.push({ layer, node, input, works: takes !== undefined && width !== undefined && takes.key === width.key });
  }
  return found;
}

/** The call, where it is what is wrong and not the layer. */
export function miswired(find: Find, feeding: Feeding): Wiring | undefined {
  const { study } = find;
  const { layer, input, takes, width, source } = feeding;
  const siblings = ownedBy(study, layer.owner).filter((each) => each.instance !== undefined && !isNorm(each));
  const uses = usesIn(study, new Set([...siblings, layer]));
  const name = `\`${layer.name}\``;
  if (uses.some((use) => use.layer === layer && use.works)) return { site: undefined, hint: `Elsewhere ${name} gets ${formatDim(takes)}.` };
  const swapped = argumentsSwapped(find, feeding);
  if (swapped !== undefined) return swapped;
  // Two of a kind stand side by side, not one behind the other, where a third leads back.
  const leadsBack = siblings.some(
    (each) => each !== layer && isSame(find, each.inputs, layer.outputs) && isSame(find, each.outputs, layer.inputs),
  );
  if (leadsBack && source !== undefined && source !== layer && source.owner === layer.owner && isSame(find, source.inputs, layer.inputs)) {
    if (isSame(find, source.outputs, layer.outputs) && !isSame(find, layer.inputs, layer.outputs))
      return { site: undefined, hint: `\`${source.name}\` is made like ${name}: one cannot follow the other.` };
  }
  for (const other of siblings) {
    // Parts of one container run in the order in which they are written.
    if (other === layer || other.name === layer.name || !isSame(find, other.inputs, width)) continue;
    const fed = uses.filter((use) => use.layer === other);
    // What follows would fit here, and this there.
    const isInverse = isSame(find, other.outputs, takes);
    const isBackwards = startOf(other) < startOf(layer) && followsFrom(fed[0]?.input, layer);
    if (fed.length > 0 && isInverse && (isBackwards || fed.every((use) => !use.works && !followsFrom(use.input, layer))))
      return { site: undefined, hint: `\`${other.name}\` takes ${formatDim(width)}: the two have changed places.` };
  }
  const role = roleOf(layer.name);
  const partner =
    role === 'key' || role === 'value' ? partners(siblings, layer)?.find((each) => isSame(find, each.inputs, layer.inputs)) : undefined;
  const fed = uses.find((use) => use.layer === partner && use.works && !isOne(use.input, input));
  if (partner !== undefined && fed !== undefined)
    return { site: undefined, hint: `\`${partner.name}\`, which is made alike, is fed another tensor, ${formatDim(takes)} wide.` };
  return undefined;
}

const startOf = ({ site }: Layer): number => (site === undefined ? 0 : site.unit.start + site.node.start);

const isNorm = ({ instance }: Layer): boolean => instance !== undefined && /Norm|Embedding/.test(instance.class.name);

/** Whether the tensor is what the layer gives, behind activations. */
function followsFrom(tensor: TensorValue | undefined, layer: Layer): boolean {
  let at = tensor;
  for (let i = 0; at !== undefined && i < 12; i++) {
    if (isWeightOf(at.arguments.get('weight'), layer)) return true;
    if (at.op === 'linear' || at.op === 'matmul' || normOps.test(at.op)) return false;
    at = at.inputs[0];
  }
  return false;
}

/** Whether the tensor fails too, where something else than this layer takes it. */
const fails = ({ study }: Find, tensor: TensorValue, layer: Layer): boolean =>
  study.failures.some(
    (failure) => !isWeightOf(failure.call.arguments.get('weight'), layer) && inputsOf(failure).some((input) => isOne(input, tensor)),
  );

/** Two arguments of the call of the object that holds the layer, of which the other would fit. */
function argumentsSwapped(find: Find, { layer, input, takes }: Feeding): Wiring | undefined {
  for (const call of find.study.calls) {
    if (call.instance !== layer.owner || call.site === undefined) continue;
    const tensors = call.positional.flatMap((value) => (value.kind === 'tensor' ? [value] : []));
    const fed = tensors.find((tensor) => isOne(tensor, input));
    const fit = tensors.find((tensor) => tensor !== fed && isSame(find, dimFromEnd(tensor, -1), takes));
    if (fed !== undefined && fit !== undefined && fails(find, fit, layer))
      return { site: call.site, hint: `Another argument of the call is ${formatDim(takes)} wide.` };
  }
  return undefined;
}

/** Whether the constructor of the layer is wrong, by what else is fed the same tensor: 'owner' where all of one object disagree. */
export function fedAlike(find: Find, { layer, input, takes }: Feeding): 'layer' | 'owner' | 'call' | undefined {
  const { study } = find;
  const siblings = ownedBy(study, layer.owner).filter((each) => each.instance !== undefined && !isNorm(each));
  const alike = usesIn(study, new Set(siblings)).filter((use) => isOne(use.input, input) && use.layer !== layer);
  const [works, fails] = [alike.filter((use) => use.works), alike.filter((use) => !use.works && isSame(find, use.layer.inputs, takes))];
  if (works.length > 0 && fails.length === 0) return 'layer';
  if (works.length > 0) return 'call';
  return fails.length > 0 ? 'owner' : undefined;
}

/** A layer of the library that gets, in place of what it is made for, what is still to be projected, or what another argument is for. */
export function isMisgiven(find: Find, { input, takes }: Pick<Feeding, 'input' | 'takes'>): boolean {
  const { study, failure } = find;
  const call = study.tensors.find((node) => node.arguments === failure.call.arguments)?.call ?? input.call;
  const { inputs } = input;
  const isInput = (value: Value | undefined): boolean =>
    value?.kind === 'tensor' &&
    value.shape.dims.at(-1)?.key === input.shape.dims.at(-1)?.key &&
    (isOne(value, input) || (input.op === 'transpose' && inputs[0] !== undefined && isOne(value, inputs[0])));
  const query = call?.positional[0] ?? call?.keywords.get('query');
  const others = [...(call?.positional ?? []), ...(call?.keywords.values() ?? [])];
  const isTaken = (value: Value): boolean =>
    value.kind === 'tensor' && value.shape.dims.length > 2 && isSame(find, value.shape.dims.at(-1), takes);
  if (isInput(query) && others.some((value) => !isInput(value) && isTaken(value))) return true;
  return study.tensors.some((node) => {
    const weight = node.op === 'linear' && isInput(node.inputs[0]) ? node.arguments.get('weight') : undefined;
    const own = weight?.kind === 'tensor' ? layerOfWeight(study, weight)?.instance : undefined;
    return own !== undefined && isSame(find, node.shape.dims.at(-1), takes);
  });
}

/**
 * Where the attention of the library is made without `batch_first`, and fails on data with the batch in front. Given as an argument, that
 * is the place.
 */
export function lengthFirst(find: Find): Range | undefined {
  const { code, study, failure } = find;
  const [inside] = failure.sites;
  if (inside === undefined || failure.problem.basis !== 'lengths') return undefined;
  const isWithin = (each: ModuleCall | undefined): boolean =>
    each !== undefined && ((each.site !== undefined && placeAt(each.site) === placeAt(inside)) || isWithin(each.parent));
  const call = study.tensors.find(
    ({ call: made }) => made?.instance.class.qualifiedName.endsWith('.MultiheadAttention') === true && isWithin(made),
  )?.call;
  const flag = call?.instance.attributes.get('batch_first');
  const query = call?.positional[0] ?? call?.keywords.get('query');
  if (call === undefined) return undefined;
  if (flag?.kind !== 'bool' || flag.value || query?.kind !== 'tensor') return undefined;
  const [batch, length] = query.shape.dims;
  if (query.shape.dims.length !== 3 || batch === undefined || length === undefined || !isRows(batch) || isRows(length)) return undefined;
  const weight = call.instance.attributes.get('in_proj_weight');
  const site = weight?.kind === 'tensor' ? layersOf(study).get(weight)?.site : undefined;
  const made = rangeIn(code, call.instance.site) ?? rangeIn(code, site);
  const given = /batch_first\s*=\s*False/.exec(textAt(code, made));
  return made === undefined || given === null ? made : { start: made.start + given.index, end: made.start + given.index + given[0].length };
}
