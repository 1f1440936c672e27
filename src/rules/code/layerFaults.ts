/** A layer that gets another width than it takes: its constructor is wrong, or that of the layer before, or the call. */
import type { Dim } from '../../dims/dim.ts';
import { formatDim } from '../../dims/format.ts';
import { symbolsOf } from '../../dims/visit.ts';
import { isDropout, isLayout } from '../../interpreter/graph.ts';
import { dimOf } from '../../interpreter/make.ts';
import { lengthScope } from '../../interpreter/samples.ts';
import type { Study } from '../../interpreter/study.ts';
import type { TensorValue } from '../../interpreter/value.ts';
import type { Range } from '../../text/range.ts';
import { toldTo } from './deciders.ts';
import { type Find, joinedFor, normOps, plainFact, productOps, read, shapeIn, tensorOf } from './failing.ts';
import { at, type Fault, type FaultKind, named } from './fault.ts';
import { joinedLayer, type Layer, layerOfWeight, layersOf, ownedBy, popularity, roleOf, widthSource } from './layers.ts';
import { isLength } from './layouts.ts';
import { rangeIn, textAt } from './places.ts';
import { fedAlike, isMisgiven, miswired } from './wiring.ts';

export function layerFault(find: Find): Fault | undefined {
  const { study, op } = find;
  const input = tensorOf(find, 'input');
  const weight = tensorOf(find, 'weight');
  if (input === undefined || input.shape.dims.length === 0) return undefined;
  const own = layerOfWeight(study, weight);
  const joined = op === 'linear' && own?.inputs === undefined ? joinedLayer(study, weight) : undefined;
  const layer = joined ?? own;
  if (op !== 'linear') {
    if (op === 'embedding') return undefined;
    if (/^conv[123]d$/.test(op) && layer !== undefined) return convolutionFault(find, layer, input);
    return at(find, 'layerInput', undefined, plainFact(find));
  }
  const width = shapeIn(find, input).dims.at(-1);
  const bias = biasFault(find, layer);
  if (bias !== undefined) return bias;
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
  const merged = isAttended ? mergedTokens(find, crossed) : undefined;
  if (merged !== undefined) {
    const fault = at(find, 'view', undefined, fact);
    return { ...fault, at: merged, related: [{ range: find.use, message: 'It fails here.' }] };
  }
  // No layer is made for as many features as there are tokens: other axes than meant are left.
  if (isLength(width)) {
    const [, call] = find.failure.sites;
    const given = call !== undefined && input.trace?.site !== call ? rangeIn(find.code, call) : undefined;
    const fault = at(find, kind, undefined, fact);
    // Weights of attention that another function made were handed over.
    const isHanded = given !== undefined && /^(?:softmax|dropout)$/.test(input.op);
    return isHanded ? { ...fault, at: given, related: [{ range: find.use, message: 'It fails here.' }] } : fault;
  }
  const uncut = source === undefined || isAttended ? undefined : uncutFor(find, source, crossed, takes);
  if (uncut !== undefined) return at(find, kind, uncut, fact, takes);
  // Made for one of those that are put together for it.
  if (joinedFor(find)?.width.key === takes.key) return at(find, kind, layer, fact, width);
  const feeding = { layer, input, takes, width, source };
  const wiring = miswired(find, feeding);
  if (wiring !== undefined) {
    const fault = at(find, kind, undefined, `${fact}. ${wiring.hint}`.replace(/\.$/, ''));
    const call = rangeIn(find.code, wiring.site);
    if (call === undefined) return { ...fault, isHere: true };
    return { ...fault, at: call, related: [{ range: find.use, message: 'It fails here.' }] };
  }
  if (joined !== undefined) return at(find, kind, isMisgiven(find, feeding) ? undefined : joined, fact, width);
  const alike = isAttended ? undefined : fedAlike(find, feeding);
  if (alike === 'layer') return at(find, kind, layer, fact, width);
  if (alike === 'call') return at(find, kind, undefined, fact);
  if (alike === 'owner' && rangeIn(find.code, layer.owner.site) !== undefined && layer.owner !== study.instance)
    return at(find, kind, { ...layer, site: layer.owner.site }, fact);
  // The class was told how wide the input is, and not to take it for another width: it is the layer that is made otherwise.
  if (wasTold(find, layer, width)) return at(find, kind, layer, fact);
  const beside = ownedBy(study, layer.owner).filter(
    (each) => each.instance !== undefined && !/Norm|Embedding/.test(each.instance.class.name),
  );
  const all = [...layersOf(study).values()];
  if (isChain && source.outputs !== undefined) {
    // d -> f -> d: the width inside differs from that of the model, so the side that has the model's is the odd one.
    const made = read(find, source.outputs).key === width.key ? source : undefined;
    if (made !== undefined) {
      const siblings = beside.filter((each) => each !== source && each !== layer && each.inputs?.key === source.inputs?.key);
      const agrees = (dim: Dim): boolean => siblings.some(({ outputs }) => outputs?.key === dim.key);
      if (agrees(takes) && !agrees(width)) return at(find, kind, source, fact, takes);
      if (agrees(width) && !agrees(takes)) return at(find, kind, layer, fact, width);
      const model = [source.inputs?.key, layer.outputs?.key];
      if (model.includes(width.key) && !model.includes(takes.key)) return at(find, kind, source, fact, takes);
      return at(find, kind, layer, fact, width);
    }
  }
  if (isAttended && source?.owner !== layer.owner) return at(find, kind, layer, fact, width);
  if (source !== undefined && isAttended) {
    const score = (size: Dim, except: Layer): number =>
      beside.filter((each) => each !== except && roleOf(each.name) === 'query' && each.outputs?.key === size.key).length * 2 +
      beside.filter((each) => each !== except && each.outputs?.key === size.key).length;
    const isMade = source.outputs?.key === width.key;
    if (isMade && score(takes, source) > score(width, source)) return at(find, kind, source, fact, takes);
    return at(find, kind, layer, fact, width);
  }
  const norm = source === undefined ? crossedNorm(study, crossed) : undefined;
  if (norm?.outputs !== undefined && read(find, norm.outputs).key === width.key) {
    if (popularity(all, takes, undefined) > popularity(all, width, { layer: norm, side: 'outputs' })) {
      const fact = `The norm is made for ${formatDim(width)} features, and what follows takes ${formatDim(takes)}`;
      return at(find, 'norm', norm, fact);
    }
  }
  // What else the class does with this width says who is odd.
  const inside = (size: Dim): number => popularity(beside, size, { layer, side: 'inputs' });
  const isWithin = source !== undefined && crossed.some((each) => /^(?:chunk|split|getitem)$/.test(each.op)) && isActivated;
  if (!isWithin && inside(takes) > inside(width) && layer.owner !== study.instance && rangeIn(find.code, layer.owner.site) !== undefined) {
    const around = (size: Dim): number =>
      popularity(
        all.filter(({ owner }) => owner !== layer.owner),
        size,
        undefined,
      );
    if (source !== undefined && around(width) < around(takes)) return at(find, kind, source, fact, takes);
    const { site } = layer.owner;
    return at(find, kind, { ...layer, site }, fact);
  }
  if (source?.outputs !== undefined && read(find, source.outputs).key === width.key) {
    const score = (size: Dim): number => popularity(all, size, { layer, side: 'inputs' });
    if (score(takes) > score(width) + 1) return at(find, kind, source, fact, takes);
  }
  return at(find, kind, layer, fact, width);
}

/** Whether the constructor of the layer's owner was given the width under a name that none of its layers takes it by. */
function wasTold(find: Find, { owner, weight }: Layer, width: Dim): boolean {
  return (
    toldTo(find.code, owner).some((value) => dimOf(value)?.key === width.key) &&
    !ownedBy(find.study, owner).some((each) => each.weight !== weight && [each.inputs, each.outputs].some((dim) => dim?.key === width.key))
  );
}

/** A bias of another length than the weight has rows: what the class makes of the result says which of the two is meant. */
function biasFault(find: Find, layer: Layer | undefined): Fault | undefined {
  const { study } = find;
  const [input, weight, bias] = [tensorOf(find, 'input'), tensorOf(find, 'weight'), tensorOf(find, 'bias')];
  if (input === undefined || weight === undefined || bias === undefined) return undefined;
  const [rows, columns] = shapeIn(find, weight).dims;
  const [length] = shapeIn(find, bias).dims;
  const width = shapeIn(find, input).dims.at(-1);
  if (rows === undefined || length === undefined || rows.key === length.key || columns?.key !== width?.key) return undefined;
  const fact = `The weight has ${formatDim(rows)} rows, and its bias is ${formatDim(length)} long`;
  const made = rangeIn(find.code, (layer ?? layerOfWeight(study, bias))?.site);
  const fault = at(find, 'layerInput', undefined, fact);
  return made === undefined ? fault : { ...fault, at: made, related: [{ range: find.use, message: 'It fails here.' }] };
}

/** Of the channels that come in and those that are taken, what other layers have too is meant. */
function convolutionFault(find: Find, layer: Layer, input: TensorValue): Fault {
  const all = [...layersOf(find.study).values()];
  const channels = shapeIn(find, input).dims.at(-1 - Number(find.op.at(4)));
  const fact = plainFact(find);
  if (channels === undefined || layer.inputs === undefined) return at(find, 'layerInput', undefined, fact);
  const takes = read(find, layer.inputs);
  const { layer: source } = widthSource(find.study, input);
  const made = source?.outputs === undefined || read(find, source.outputs).key !== channels.key ? undefined : source;
  const [given, taken] = [
    popularity(all, channels, made === undefined ? undefined : { layer: made, side: 'outputs' }),
    popularity(all, takes, { layer, side: 'inputs' }),
  ];
  return at(find, 'layerInput', given > taken ? layer : given < taken ? made : undefined, fact);
}

/** A layer of the library that is a product with its weight. */
export function projectedFault(find: Find, input: TensorValue, weight: TensorValue): Fault {
  const layer = layerOfWeight(find.study, weight);
  const [width, takes] = [shapeIn(find, input).dims.at(-1), shapeIn(find, weight).dims.at(-2)];
  const fact = plainFact(find);
  if (layer === undefined || width === undefined || takes === undefined) return at(find, 'product', undefined, fact);
  const all = [...layersOf(find.study).values()];
  const isMeant = popularity(all, width, undefined) >= popularity(all, takes, { layer, side: 'inputs' });
  return at(find, 'layerInput', isMeant ? layer : undefined, fact, width);
}

/** Where heads were merged with the tokens, and not with what each of them gives. */
function mergedTokens(find: Find, crossed: readonly TensorValue[]): Range | undefined {
  const mixes = (dim: Dim): boolean => {
    const symbols = symbolsOf(dim);
    const isLength = symbols.map(({ scope, name }) => scope === lengthScope && name !== 'B');
    return dim.terms.length === 1 && isLength.includes(true) && symbols.some(({ scope }) => scope !== lengthScope);
  };
  const merge = crossed.find(
    (each) =>
      /^(?:flatten|reshape|view|rearrange)$/.test(each.op) &&
      each.shape.dims.some(mixes) &&
      each.inputs[0]?.shape.dims.some(mixes) === false &&
      each.shape.dims.length < (each.inputs[0]?.shape.dims.length ?? 0),
  );
  return merge === undefined ? undefined : rangeIn(find.code, merge.site);
}

/** Of a width that is cut in between and what follows takes whole: the layer that lacks the other parts, unless it was made for several. */
function uncutFor(find: Find, source: Layer, crossed: readonly TensorValue[], takes: Dim): Layer | undefined {
  if (source.outputs === undefined || read(find, source.outputs).key !== takes.key) return undefined;
  const isCut = crossed.some((each) => /^(?:chunk|split)$/.test(each.op) && each.inputs[0]?.shape.dims.at(-1)?.key === source.outputs?.key);
  const written = textAt(find.code, rangeIn(find.code, source.site));
  return isCut && written !== '' && !/\b[2-9]\s*\*|\*\s*[2-9]\b/.test(written) ? source : undefined;
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
