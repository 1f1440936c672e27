/** What other code says of a size that two operands disagree about: what comes after them, and the layers beside them. */
import { type Dim, multiplyAll } from '../../dims/dim.ts';
import { formatShape } from '../../dims/shape.ts';
import { someAtom } from '../../dims/visit.ts';
import { isDropout, sameElements, usersOf } from '../../interpreter/graph.ts';
import type { Study } from '../../interpreter/study.ts';
import type { Site, TensorValue } from '../../interpreter/value.ts';
import { axisPath, isMatrixProduct, type Place, productOperands, sizeAt } from './axes.ts';
import { equationOf } from './contractions.ts';
import { dimsOf, type Find, inputsOf, normOps } from './failing.ts';
import { type Layer, layersOf, madeAt } from './layers.ts';
import { placeAt, placeOf } from './places.ts';
import { dimFromEnd } from './tensors.ts';

const users = new WeakMap<Study['tensors'], ReadonlyMap<TensorValue, readonly TensorValue[]>>();

function usersIn(study: Study): ReadonlyMap<TensorValue, readonly TensorValue[]> {
  const known = users.get(study.tensors);
  if (known !== undefined) return known;
  const found = usersOf(study.tensors);
  users.set(study.tensors, found);
  return found;
}

/** What the failing operation is taken to give; where calls were taken over from an earlier run, what stands in its place. */
function resultsOf(find: Find): readonly TensorValue[] {
  const { study, failure } = find;
  const own = study.tensors.filter((node) => node.arguments === failure.call.arguments);
  const uses = usersIn(study);
  if (own.some((node) => uses.has(node)) || failure.call.site === undefined) return own;
  const place = placeAt(failure.call.site);
  const shapes = inputsOf(failure).map(({ shape }) => formatShape(shape));
  return study.tensors.filter(
    (node) =>
      placeOf(node) === place &&
      node.inputs.length === shapes.length &&
      node.inputs.every(({ shape }, i) => formatShape(shape) === shapes[i]),
  );
}

/** Whether what follows gets on with the sizes that the failing operation states. */
export function isAccepted(find: Find): boolean | undefined {
  const uses = usersIn(find.study);
  const after = new Set(resultsOf(find));
  let isUsed = false;
  for (const node of after) {
    for (const user of uses.get(node) ?? []) {
      if (after.size < 600) after.add(user);
      if (isMatrixProduct(user.op) || user.op === 'einsum' || user.op === 'scaled_dot_product_attention')
        isUsed ||= user.inputs.every(({ shape }) => shape.dims.length > 1 && shape.dims.slice(-2).every((dim) => !dim.unknown));
      else if (user.op === 'linear' || user.op === 'split' || user.op === 'mul' || user.op === 'add') isUsed = true;
    }
  }
  // Failures know the tensors of the first run.
  const places = new Set([...after].map((node) => `${placeOf(node)} ${formatShape(node.shape)}`));
  const isAfter = (input: TensorValue): boolean => places.has(`${placeOf(input)} ${formatShape(input.shape)}`);
  // Functions that were called with what follows.
  const callKey = (site: Site | undefined): string => (site === undefined ? '' : placeAt(site));
  const own = new Set(find.failure.sites.map(callKey));
  const calls = new Set([...after].map(({ trace }) => callKey(trace?.site)).filter((key) => !own.has(key)));
  // The same again in the next block is no other failure.
  const others = find.study.failures.filter(({ call }) => callKey(call.site) !== callKey(find.failure.call.site));
  if (others.some(({ sites }) => calls.has(callKey(sites[1])))) return false;
  if (others.some((other) => inputsOf(other).some((input) => after.has(input) || isAfter(input)))) return false;
  return isUsed ? true : undefined;
}

const activations = /^(?:relu|gelu|silu|sigmoid|tanh|softplus|relu6|mish|swish|leaky_relu|elu|pow|sqrt|exp|neg|softmax|where)$/;

/** The widths that what follows takes the last axis of the result to have. */
export function demandsOn(find: Find): readonly Dim[] {
  const uses = usersIn(find.study);
  const seen = new Set(resultsOf(find));
  const layers = layersOf(find.study);
  const owners = new Set(inputsOf(find.failure).flatMap((input) => layers.get(input)?.owner ?? []));
  const isOwn = (tensor: TensorValue): boolean => {
    const owner = layers.get(tensor)?.owner;
    return owner !== undefined && owners.has(owner);
  };
  const found: Dim[] = [];
  const ask = (dim: Dim | undefined): void => {
    // One of two sizes is what a sum that failed has.
    if (dim !== undefined && !dim.unknown && dim.constant !== 1 && !someAtom(dim, ({ kind }) => kind === 'maximum')) found.push(dim);
  };
  for (const node of seen) {
    for (const user of uses.get(node) ?? []) {
      const { op } = user;
      const others = user.inputs.filter((input) => input !== node && !seen.has(input));
      const [left, right] = isMatrixProduct(op) ? (productOperands(user) ?? []) : [];
      const weight = user.arguments.get('weight');
      if (op === 'linear') ask(weight?.kind === 'tensor' && weight !== node ? dimFromEnd(weight, -1) : undefined);
      else if (normOps.test(op)) ask(weight?.kind === 'tensor' ? dimFromEnd(weight, -1) : undefined);
      else if (op === 'einsum') einsumSizes(node, user).forEach(ask);
      else if (left === node && right !== undefined && right !== node) ask(dimFromEnd(right, -2));
      else if (op === 'add' || op === 'sub' || op === 'mul' || op === 'div' || op === 'cat') {
        // A norm's weight and its bias are made by one constructor, and say the same.
        const wide = others.filter((other) => (dimFromEnd(other, -1)?.constant ?? 2) !== 1 && !isOwn(other));
        for (const other of wide) ask(dimFromEnd(other, -1));
        if (wide.length === 0 && seen.size < 60) seen.add(user);
      } else if (op === 'view' || op === 'reshape') ask(splitWidth(node, user));
      else if ((op === 'join' || sameElements.has(op) || isDropout(user) || activations.test(op)) && seen.size < 60) seen.add(user);
    }
  }
  return found;
}

/** What the other operands have along the axis that is the tensor's last. */
function einsumSizes(node: TensorValue, user: TensorValue): readonly (Dim | undefined)[] {
  const labels = equationOf(user)?.inputs;
  const label = labels?.[user.inputs.indexOf(node)]?.at(-1);
  if (labels === undefined || label === undefined || label === '...') return [];
  return user.inputs.map((other, i) => {
    const place = other === node ? -1 : (labels[i]?.lastIndexOf(label) ?? -1);
    return place < 0 ? undefined : dimFromEnd(other, place - (labels[i]?.length ?? 0));
  });
}

/** The product of the axes that a view cuts the last one into. */
function splitWidth(node: TensorValue, view: TensorValue): Dim | undefined {
  const { dims } = view.shape;
  const rank = node.shape.dims.length;
  const sizes = dimsOf(view.arguments.get('shape'));
  if (dims.length <= rank || sizes.some(({ constant }) => constant === -1) || sizes.length !== dims.length) return undefined;
  for (let i = 0; i < rank - 1; i++) if (dims[i]?.key !== node.shape.dims[i]?.key) return undefined;
  return multiplyAll(dims.slice(rank - 1));
}

// ---------------------------------------------------------------------------------------------------------------------
// Origins

export interface Origin {
  /** The tensor that got the size first: a weight, or what an operation made. */
  readonly node: TensorValue;
  readonly layer: Layer | undefined;
  readonly site: Site | undefined;
  /** A weight that was put in the place of the layer's own. */
  readonly isReplaced: boolean;
}

/** What gave the axis its size. */
export function originOf(study: Study, place: Place): Origin | undefined {
  const path = axisPath(place);
  const size = sizeAt(place);
  // Parts of a width have theirs from the layer that gave the whole.
  const from = path.findIndex((each, i) => {
    const next = path[i + 1];
    return next !== undefined && sizeAt(next)?.key !== size?.key && !/^(?:chunk|split|getitem|unbind)$/.test(each.node.op);
  });
  const same = from < 0 ? path : path.slice(0, from + 1);
  const layers = layersOf(study);
  const held = [...path.slice(0, same.length + 1)].reverse().find(({ node }) => layers.has(node));
  const last = same.at(-1);
  if (last === undefined) return undefined;
  const layer = held === undefined ? undefined : layers.get(held.node);
  if (layer === undefined) return { node: last.node, layer, site: last.node.site, isReplaced: false };
  // Keras and Flax make a layer's weight where it is first called.
  const isBuiltLate = study.calls.some(({ instance, site }) => instance === layer.instance && isSameSite(site, layer.weight.site));
  const isReplaced = layer.instance !== undefined && !isSameSite(layer.weight.site, layer.instance.site) && !isBuiltLate;
  return { node: layer.weight, layer, site: isReplaced ? layer.weight.site : madeAt(study, layer), isReplaced };
}

const isSameSite = (left: Site | undefined, right: Site | undefined): boolean =>
  left === undefined ||
  right === undefined ||
  (left.file === right.file && left.node.start === right.node.start && left.unit === right.unit);
