/** A layer that gets another width than it takes: its constructor is wrong, or that of the layer before, or the call. */
import type { Dim } from '../../dims/dim.ts';
import { formatDim } from '../../dims/format.ts';
import { isDropout, isLayout } from '../../interpreter/graph.ts';
import type { Study } from '../../interpreter/study.ts';
import type { TensorValue } from '../../interpreter/value.ts';
import { type Find, normOps, plainFact, productOps, read, shapeIn, tensorOf } from './failing.ts';
import { at, type Fault, type FaultKind, named } from './fault.ts';
import { type Layer, layerOfWeight, layersOf, ownedBy, popularity, roleOf, widthSource } from './layers.ts';
import { rangeIn } from './places.ts';
import { fedAlike, miswired } from './wiring.ts';

export function layerFault(find: Find): Fault | undefined {
  const { study, op } = find;
  const input = tensorOf(find, 'input');
  const weight = tensorOf(find, 'weight');
  if (input === undefined || input.shape.dims.length === 0) return undefined;
  const layer = layerOfWeight(study, weight);
  if (op !== 'linear') {
    if (op === 'embedding') return undefined;
    return at(find, 'layerInput', undefined, plainFact(find));
  }
  const width = shapeIn(find, input).dims.at(-1);
  if (width === undefined || layer?.inputs === undefined) return at(find, 'layerInput', undefined, plainFact(find));
  const takes = read(find, layer.inputs);
  const { layer: source, crossed } = widthSource(study, input);
  const isAttended = crossed.some(({ op: each }) => productOps.test(each));
  const isActivated = crossed.some((each) => !isLayout(each) && !isDropout(each) && each.op !== 'contiguous');
  const isBare = crossed.every((each) => each.op !== 'add' && !normOps.test(each.op));
  const isChain =
    !isAttended &&
    isActivated &&
    (source?.owner === layer.owner || isBare) &&
    source?.instance !== undefined &&
    source.inputs !== undefined;
  const kind: FaultKind = isAttended ? 'output' : isChain ? 'ffn' : 'layerInput';
  const fact = `${named(layer)} takes ${formatDim(takes)} features, and ${kind === 'output' ? 'what attention gives' : 'its input'} is ${formatDim(width)} wide`;
  const feeding = { layer, input, takes, width, source };
  const wiring = miswired(find, feeding);
  if (wiring !== undefined) {
    const fault = at(find, kind, undefined, `${fact}. ${wiring.hint}`.replace(/\.$/, ''));
    const call = rangeIn(find.code, wiring.site);
    return call === undefined ? fault : { ...fault, at: call, related: [{ range: find.use, message: 'It fails here.' }] };
  }
  const alike = isAttended ? undefined : fedAlike(find, feeding);
  if (alike === 'layer') return at(find, kind, layer, fact);
  if (alike === 'call') return at(find, kind, undefined, fact);
  if (alike === 'owner' && rangeIn(find.code, layer.owner.site) !== undefined && layer.owner !== study.instance)
    return at(find, kind, { ...layer, site: layer.owner.site }, fact);
  const own = ownedBy(study, layer.owner).filter((each) => each.instance !== undefined && !/Norm|Embedding/.test(each.instance.class.name));
  const all = [...layersOf(study).values()];
  if (isChain && source.outputs !== undefined) {
    // d -> f -> d: the width inside differs from that of the model, so the side that has the model's is the odd one.
    const made = read(find, source.outputs).key === width.key ? source : undefined;
    if (made !== undefined) {
      const siblings = own.filter((each) => each !== source && each !== layer && each.inputs?.key === source.inputs?.key);
      const agrees = (dim: Dim): boolean => siblings.some(({ outputs }) => outputs?.key === dim.key);
      if (agrees(takes) && !agrees(width)) return at(find, kind, source, fact);
      if (agrees(width) && !agrees(takes)) return at(find, kind, layer, fact);
      const model = [source.inputs?.key, layer.outputs?.key];
      if (model.includes(width.key) && !model.includes(takes.key)) return at(find, kind, source, fact);
      return at(find, kind, layer, fact);
    }
  }
  if (isAttended && source?.owner !== layer.owner) return at(find, kind, layer, fact);
  if (source !== undefined && isAttended) {
    const score = (size: Dim, except: Layer): number =>
      own.filter((each) => each !== except && roleOf(each.name) === 'query' && each.outputs?.key === size.key).length * 2 +
      own.filter((each) => each !== except && each.outputs?.key === size.key).length;
    const isMade = source.outputs?.key === width.key;
    if (isMade && score(takes, source) > score(width, source)) return at(find, kind, source, fact);
    return at(find, kind, layer, fact);
  }
  const norm = source === undefined ? crossedNorm(study, crossed) : undefined;
  if (norm?.outputs !== undefined && read(find, norm.outputs).key === width.key) {
    if (popularity(all, takes, undefined) > popularity(all, width, { layer: norm, side: 'outputs' })) {
      const fact = `The norm is made for ${formatDim(width)} features, and what follows takes ${formatDim(takes)}`;
      return at(find, 'norm', norm, fact);
    }
  }
  // What else the class does with this width says who is odd.
  const inside = (size: Dim): number => popularity(own, size, { layer, side: 'inputs' });
  const isWithin = source !== undefined && crossed.some((each) => /^(?:chunk|split|getitem)$/.test(each.op)) && isActivated;
  if (!isWithin && inside(takes) > inside(width) && layer.owner !== study.instance && rangeIn(find.code, layer.owner.site) !== undefined) {
    const around = (size: Dim): number =>
      popularity(
        all.filter(({ owner }) => owner !== layer.owner),
        size,
        undefined,
      );
    if (source !== undefined && around(width) < around(takes)) return at(find, kind, source, fact);
    const { site } = layer.owner;
    return at(find, kind, { ...layer, site }, fact);
  }
  if (source?.outputs !== undefined && read(find, source.outputs).key === width.key) {
    const score = (size: Dim): number => popularity(all, size, { layer, side: 'inputs' });
    if (score(takes) > score(width) + 1) return at(find, kind, source, fact);
  }
  return at(find, kind, layer, fact);
}

/** The norm among the operations, by its weight. */
function crossedNorm(study: Study, crossed: readonly TensorValue[]): Layer | undefined {
  const layers = layersOf(study);
  for (const { op, inputs } of crossed) {
    if (op !== 'mul' && !normOps.test(op)) continue;
    for (const input of inputs) {
      const layer = layers.get(input);
      if (layer !== undefined) return layer;
    }
  }
  return undefined;
}
