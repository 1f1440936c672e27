/** The layers of a studied class, where they were made, and which of them a tensor's width comes from. */
import type { Dim } from '../../dims/dim.ts';
import { alternatives, isLayout, plain } from '../../interpreter/graph.ts';
import { isModuleBase } from '../../interpreter/roots.ts';
import type { CodeReading, Study } from '../../interpreter/study.ts';
import type { ClassValue, InstanceValue, Site, TensorValue, Value } from '../../interpreter/value.ts';
import type { Call, Expression } from '../../syntax/python/ast.ts';
import { traceSites } from './chains.ts';
import { placeAt } from './places.ts';

/** A library layer with weights, or a parameter that a class holds itself. */
export interface Layer {
  readonly instance: InstanceValue | undefined;
  readonly weight: TensorValue;
  /** The object that holds it, and under which name. */
  readonly owner: InstanceValue;
  readonly name: string;
  /** Where it was made. */
  readonly site: Site | undefined;
  /** Width that it takes and gives, where it has them. */
  readonly inputs: Dim | undefined;
  readonly outputs: Dim | undefined;
}

const known = new WeakMap<Study['tensors'], ReadonlyMap<TensorValue, Layer>>();

/** Every layer that the study's instance holds, by its weight. */
export function layersOf(study: Study): ReadonlyMap<TensorValue, Layer> {
  const before = known.get(study.tensors);
  if (before !== undefined) return before;
  const found = new Map<TensorValue, Layer>();
  const seen = new Set<InstanceValue>();
  const visit = (value: Value, owner: InstanceValue, name: string, depth: number): void => {
    if (depth > 12 || seen.size > 4000) return;
    if (value.kind === 'list' || value.kind === 'tuple') {
      for (const item of value.items) visit(item, owner, name, depth + 1);
      return;
    }
    if (value.kind === 'union') {
      for (const option of value.options) visit(option, owner, name, depth + 1);
      return;
    }
    if (value.kind === 'dict') {
      for (const { value: item } of value.entries.values()) visit(item, owner, name, depth + 1);
      return;
    }
    // One that is made in either of two branches.
    if (value.kind === 'tensor' && value.op === 'join') {
      for (const option of alternatives(value)) visit(option, owner, name, depth + 1);
      return;
    }
    if (value.kind === 'tensor' && (value.isParameter === true || value.op === 'parameter') && !found.has(value)) {
      found.set(value, {
        instance: undefined,
        weight: value,
        owner,
        name,
        site: value.site,
        inputs: undefined,
        outputs: value.shape.dims.at(-1),
      });
      return;
    }
    if (value.kind !== 'instance' || seen.has(value)) return;
    seen.add(value);
    const weight = weightOf(value);
    const library = weight === undefined ? undefined : libraryLayer(value);
    if (library !== undefined && weight !== undefined) {
      found.set(weight, { instance: value, weight, owner, name, site: value.site, ...widthsOf(library, weight) });
      return;
    }
    const isContainer = value.class.file?.isPrelude === true;
    for (const [key, each] of value.attributes) visit(each, isContainer ? owner : value, isContainer ? name : key, depth + 1);
  };
  visit(study.instance, study.instance, '', 0);
  known.set(study.tensors, found);
  return found;
}

/** The library's layer that the object is, or that its class of the user's own computes otherwise: one that casts the weights first. */
const libraryLayer = ({ class: of }: InstanceValue): ClassValue | undefined =>
  of.mro.find((each) => each.file?.isPrelude === true && !isModuleBase(each));

/** What PyTorch and MLX, Flax and Keras call the one matrix or row that a layer is learned in. */
const weightNames = ['weight', 'kernel', 'embedding', 'embeddings', 'scale', 'gamma'];

function weightOf({ attributes }: InstanceValue): TensorValue | undefined {
  for (const name of weightNames) {
    const weight = attributes.get(name);
    if (weight?.kind === 'tensor') return weight;
  }
  return undefined;
}

function widthsOf(
  { name, file }: ClassValue,
  weight: TensorValue,
): { readonly inputs: Dim | undefined; readonly outputs: Dim | undefined } {
  const { dims, ellipsis } = weight.shape;
  if (ellipsis !== undefined) return { inputs: undefined, outputs: undefined };
  if (/^Embed/.test(name)) return { inputs: undefined, outputs: dims[1] };
  if (/Norm/.test(name)) return { inputs: dims.at(-1), outputs: dims.at(-1) };
  // The one of transformers holds its weight the other way round, and so do Flax and Keras.
  if (name === 'Conv1D' || /^(?:flax|keras)\b/.test(file?.name ?? '')) return { inputs: dims[0], outputs: dims[1] };
  return { inputs: dims[1], outputs: dims[0] };
}

/** The layer whose weight the tensor is, or is made of by a cast. */
export const layerOfWeight = (study: Study, weight: TensorValue | undefined): Layer | undefined => {
  const layers = layersOf(study);
  if (weight === undefined) return undefined;
  const [turned] = weight.op === 't' ? weight.inputs : [];
  return layers.get(weight) ?? layers.get(plain(weight)) ?? (turned === undefined ? undefined : layers.get(turned));
};

/** The layer of the library's attention whose joined weights the weight is a part of, as wide as what it takes. */
export function joinedLayer(study: Study, weight: TensorValue | undefined): Layer | undefined {
  const layers = layersOf(study);
  let at = weight;
  for (let i = 0; at !== undefined && i < 6; i++) {
    const layer = layers.get(at);
    if (layer !== undefined)
      return layer.instance === undefined ? { ...layer, inputs: weight?.shape.dims.at(-1), outputs: undefined } : undefined;
    const takes = weight?.shape.dims.at(-1)?.key;
    const from: readonly TensorValue[] = at.op === 'join' ? alternatives(at) : at.inputs;
    at = at.op === 'join' ? from.find(({ shape }) => shape.dims.at(-1)?.key === takes) : from.length === 1 ? from[0] : undefined;
  }
  return undefined;
}

const firstOperand: ReadonlySet<string> = new Set(['linear', 'conv1d', 'conv2d', 'conv3d']);
const products: ReadonlySet<string> = new Set(['matmul', 'bmm', 'einsum', 'mm', 'baddbmm']);

/** The layer whose output the tensor is, behind everything that keeps its width or only rearranges it; `crossed`: the operations between. */
export function widthSource(
  study: Study,
  tensor: TensorValue,
): { readonly layer: Layer | undefined; readonly crossed: readonly TensorValue[] } {
  const layers = layersOf(study);
  const crossed: TensorValue[] = [];
  let at: TensorValue | undefined = tensor;
  for (let i = 0; at !== undefined && i < 96; i++) {
    const own = layers.get(at);
    if (own !== undefined) return { layer: own, crossed };
    if (firstOperand.has(at.op) || at.op === 'embedding') {
      const weight: Value | undefined = at.arguments.get('weight');
      const held: TensorValue | undefined = weight?.kind === 'tensor' ? weight : at.inputs.find((input) => layers.has(input));
      const layer: Layer | undefined = layerOfWeight(study, held) ?? layerOf(layers, at.layer);
      return { layer, crossed };
    }
    crossed.push(at);
    at = next(at);
  }
  return { layer: undefined, crossed };
}

function layerOf(layers: ReadonlyMap<TensorValue, Layer>, instance: InstanceValue | undefined): Layer | undefined {
  const weight = instance === undefined ? undefined : weightOf(instance);
  return weight === undefined ? undefined : layers.get(weight);
}

function next(tensor: TensorValue): TensorValue | undefined {
  const { op, inputs } = tensor;
  if (products.has(op)) return inputs.at(-1);
  if (op === 'scaled_dot_product_attention') {
    const value = tensor.arguments.get('value');
    return value?.kind === 'tensor' ? value : inputs.at(-1);
  }
  if (isLayout(tensor) || inputs.length === 1) return inputs[0];
  const last = tensor.shape.dims.at(-1)?.key;
  const isWeight = (input: TensorValue): boolean => input.isParameter === true || input.isBuffer === true;
  return (
    inputs.find((input) => !isWeight(input) && input.shape.dims.at(-1)?.key === last) ??
    inputs.find((input) => !isWeight(input)) ??
    inputs[0]
  );
}

/** How often the size stands among the widths of the layers, but for the one place that is in question. */
export function popularity(
  layers: Iterable<Layer>,
  size: Dim | undefined,
  except: { readonly layer: Layer; readonly side: 'inputs' | 'outputs' } | undefined,
): number {
  if (size === undefined) return 0;
  let count = 0;
  for (const layer of layers) {
    for (const side of ['inputs', 'outputs'] as const) {
      if (layer === except?.layer && side === except.side) continue;
      if (layer[side]?.key === size.key) count += 1;
    }
  }
  return count;
}

export const ownedBy = (study: Study, owner: InstanceValue): readonly Layer[] =>
  [...layersOf(study).values()].filter((layer) => layer.owner === owner);

/** The layers that do for keys what this one does for values, and so on, by what they are called; undefined where names tell nothing. */
export function partners(layers: readonly Layer[], { name }: Layer): readonly Layer[] | undefined {
  const role = roleOf(name);
  if (role === undefined) return undefined;
  const wanted = role === 'query' ? 'output' : role === 'key' ? 'value' : role === 'value' ? 'key' : 'query';
  return layers.filter((layer) => roleOf(layer.name) === wanted);
}

export function roleOf(name: string): 'query' | 'key' | 'value' | 'output' | undefined {
  if (/^(?:w_?)?q(?:uery|_proj|_lin|_linear|_a_proj|_b_proj|ueries)?\d?$|^(?:to_q|query_\w+|linear_q|fc_q|wq|W_q|w_qs|q_\w+)$/i.test(name))
    return 'query';
  if (/^(?:w_?)?k(?:ey|_proj|_lin|_linear|eys)?\d?$|^(?:to_k|key_\w+|linear_k|fc_k|wk|W_k|w_ks|k_\w+)$/i.test(name)) return 'key';
  if (/^(?:w_?)?v(?:alue|_proj|_lin|_linear|alues)?\d?$|^(?:to_v|value_\w+|linear_v|fc_v|wv|W_v|w_vs|v_\w+)$/i.test(name)) return 'value';
  if (/^(?:w_?)?o(?:ut|utput|_proj|ut_proj|_lin|ut_lin)?$|^(?:to_out|c_proj|proj|linear_out|dense|fc_o|wo|W_o|out_\w+|o_\w+)$/i.test(name))
    return 'output';
  return undefined;
}

/**
 * Where the layer's sizes are written: for a parameter or two that a class wraps, as norms do, or for the one layer that a class
 * makes as wide as it is told, the place that makes the object.
 */
export function madeAt(study: Study, layer: Layer): Site | undefined {
  const { owner } = layer;
  const handed = handedAt(study, layer);
  if (handed !== undefined) return handed;
  if (owner === study.instance || owner.site === undefined) return layer.site;
  if (layer.instance !== undefined) return isWrapped(study, layer) ? owner.site : layer.site;
  const wraps =
    new Set(ownedBy(study, owner).map(({ name }) => name)).size <= 2 &&
    ![...owner.attributes.values()].some(({ kind }) => kind === 'instance');
  return wraps ? owner.site : layer.site;
}

/**
 * The call of a function that makes layers for others, as `conv(3, width, 2 * width)`, with the sizes that it is given; undefined where
 * the layer is made otherwise.
 */
function handedAt(study: Study, { owner, site, instance, weight }: Layer): Site | undefined {
  if (site === undefined || instance === undefined || (owner !== study.instance && owner.site === undefined)) return undefined;
  const sites = traceSites(weight.trace);
  const own =
    owner === study.instance ? sites.length : sites.findIndex((each) => owner.site !== undefined && placeAt(each) === placeAt(owner.site));
  const by = sites[own - 1];
  const [call, maker] = [by?.node as Partial<Call> | undefined, site.node as Partial<Call>];
  if (by === undefined || call?.kind !== 'call' || call.callee?.kind !== 'name' || maker.kind !== 'call') return undefined;
  const isTold = maker.arguments?.slice(0, 2).every(({ kind, value }) => kind !== 'positional' || value.kind === 'name');
  const place = placeAt(site);
  // A function that is called once may as well be wrong in itself.
  const isShared = study.instances.some((other) => other !== instance && other.site !== undefined && placeAt(other.site) === place);
  return isTold === true && isShared ? by : undefined;
}

/** What classes are called that stand for one layer, whatever they hold besides. */
const layerNames = /(?:Linear|Dense)$/;

/** The one layer of a class, made as wide as the class is told: `Linear(width, 4 * width)`, which holds a `nn.Linear`. */
function isWrapped(study: Study, { owner, site }: Layer): boolean {
  const initializer = owner.class.members.get('__init__');
  if (site === undefined || initializer?.kind !== 'function') return false;
  if (ownedBy(study, owner).length !== 1 && !layerNames.test(owner.class.name)) return false;
  const told = new Set(initializer.definition.parameters.flatMap(({ name }) => name?.name ?? []));
  const call = site.node as Partial<Call>;
  const nameOf = (value: Expression): string =>
    value.kind === 'name' ? value.name : value.kind === 'attribute' && value.object.kind === 'name' ? value.name.name : '';
  const isTold = call.kind === 'call' && call.arguments?.slice(0, 2).every(({ value }) => told.has(nameOf(value)));
  // One that is made once may as well be wrong in itself.
  return isTold === true && study.instances.some((other) => other !== owner && other.class === owner.class && other.site !== owner.site);
}

/** Whether it happens in a class that stands for one layer, as one that adds what another gives to it. */
export const isWithin = (study: Study, layer: Layer, { op, call }: TensorValue): boolean =>
  /^(?:add|mul)$/.test(op) && call?.instance === layer.owner && layer.owner.site !== undefined && madeAt(study, layer) === layer.owner.site;

/** The study that a reading is about: rules see one at a time. */
export const studyOf = ({ studies }: CodeReading): Study | undefined => studies[0];
