/**
 * Operations that cannot work, each as one fault of a kind that a user would name, with the place where the mistake most likely is:
 * the constructor of the layer whose declared width disagrees with everything around it, or the expression.
 */

import { addAll, type Dim, divideExactly, loneAtom, multiply } from '../../dims/dim.ts';
import { formatDim } from '../../dims/format.ts';
import { applyToShape, formatShape } from '../../dims/shape.ts';
import { symbolsOf } from '../../dims/visit.ts';
import { alternatives, ancestors, isLayout, plain } from '../../interpreter/graph.ts';
import { dimOf } from '../../interpreter/make.ts';
import type { Failure } from '../../interpreter/recording.ts';
import { conceptOf, isRows, lengthScope } from '../../interpreter/samples.ts';
import type { CodeReading, Study } from '../../interpreter/study.ts';
import type { TensorValue, Value } from '../../interpreter/value.ts';
import type { Range } from '../../text/range.ts';
import { isAdditiveScore } from './additive.ts';
import { attentionsOf } from './attention.ts';
import { axisPath } from './axes.ts';
import { blameOf, callOf } from './blame.ts';
import { checkFault } from './checkFault.ts';
import { clashesOf, swapsThatFit } from './clashes.ts';
import { storeDecidedAt } from './deciders.ts';
import { isBehindComparison } from './exclusive.ts';
import {
  axisOps,
  collect,
  dimsOf,
  elementwiseOps,
  expression,
  type Find,
  inputsOf,
  layerOps,
  normOps,
  opOf,
  pieceOps,
  plainFact,
  productOps,
  read,
  sentence,
  shapeIn,
  splitOps,
  tensorOf,
  viewOps,
} from './failing.ts';
import { at, type Fault, type FaultKind } from './fault.ts';
import { layerFault, projectedFault } from './layerFaults.ts';
import { isWithin, type Layer, layerOfWeight, layersOf, ownedBy, partners, popularity, roleOf, studyOf, widthSource } from './layers.ts';
import { isLength, isView, mentionsLength } from './layouts.ts';
import { isExchanged } from './oddParts.ts';
import { aliasOf, placeAt, placeOf, rangeIn, shown } from './places.ts';
import { compareSizes } from './sizes.ts';
import { isAccepted } from './witnesses.ts';

const found = new WeakMap<CodeReading, readonly Fault[]>();

/** The faults of one study, each place once. */
export function faultsOf(code: CodeReading): readonly Fault[] {
  const before = found.get(code);
  if (before !== undefined) return before;
  const study = studyOf(code);
  const faults: Fault[] = [];
  const seen = new Set<string>();
  if (study !== undefined) {
    const failed = new Set<string>();
    for (const failure of study.failures) {
      // What follows from a mistake is not another one.
      const isConsequence =
        failed.size > 0 &&
        inputsOf(failure).some((input) => ancestors(input).some((each) => failed.has(`${placeOf(each)} ${inputShapes(each.inputs)}`)));
      const { site } = failure.call;
      const fault = isConsequence ? undefined : faultOf(code, study, failure);
      // What a layer gives is as wide as the layer says, whatever it is fed.
      const isBounded = opOf(failure) === 'linear' && fault?.isDoubtful === true;
      if (site !== undefined && failure.problem.basis !== 'widths' && !isBounded)
        failed.add(`${placeAt(site)} ${inputShapes(inputsOf(failure))}`);
      if (fault === undefined) continue;
      const keys = [`${fault.use.start}`, `${fault.at.start}`];
      if (keys.some((key) => seen.has(key))) {
        // The same place again, in a call of which more is known.
        const i = faults.findIndex(({ use }) => use.start === fault.use.start);
        const known = faults[i];
        if (known !== undefined && isBetter(fault, known)) faults[i] = fault;
        continue;
      }
      for (const key of keys) seen.add(key);
      faults.push(fault);
    }
  }
  found.set(code, faults);
  return faults;
}

/** Called from the same place too, and surer or better placed. */
const isBetter = (fault: Fault, known: Fault): boolean =>
  callOfFailure(fault) === callOfFailure(known) &&
  ((known.isDoubtful && !fault.isDoubtful) ||
    (known.at.start === known.use.start && fault.at.start !== fault.use.start && known.isDoubtful === fault.isDoubtful));

function callOfFailure({ failure }: Fault): string {
  const [, call] = failure.sites;
  return call === undefined ? '' : placeAt(call);
}

const inputShapes = (inputs: readonly TensorValue[]): string => inputs.map(({ shape }) => formatShape(shape)).join(' ');

function faultOf(code: CodeReading, study: Study, failure: Failure): Fault | undefined {
  const op = opOf(failure);
  const site = failure.sites.find(({ file }) => file === code.file);
  // Channels of convolutions change from stage to stage in ways that defaults alone do not tell.
  if (failure.problem.basis === 'defaults' && /^(?:group_norm|batch_norm|conv[123]d)$/.test(op)) return undefined;
  const use = rangeIn(code, site);
  if (isOfOthers(code, failure)) return undefined;
  if (use === undefined || restsOnFactor(code, failure) || isAskedFor(op, failure) || areOneSetting(code, failure)) return undefined;
  const find: Find = { code, study, failure, op, use };
  if (restsOnSetting(find)) return undefined;
  const behind = normBehindHead(find);
  if (behind !== undefined) return behind;
  const fault = kindOf(find);
  if (fault === undefined) return undefined;
  // Where only one of two branches does not fit, it is what is wrong.
  const branch = failure.problem.ofBranch === undefined ? undefined : rangeIn(code, failure.problem.ofBranch.site);
  if (branch !== undefined) return { ...fault, at: branch, related: [{ range: use, message: 'It fails here.' }] };
  if (failure.problem.isOfOneLength === true) {
    const fact = `\`${expression(find)}\` fits one length alone: ${failure.problem.message}.`;
    return { ...fault, at: callOf(find) ?? use, fact, related: [] };
  }
  const store = op === 'setitem' ? rangeIn(code, storeDecidedAt(find)) : undefined;
  if (store !== undefined) return { ...fault, at: store, related: [{ range: use, message: 'It fails here.' }] };
  const blame = blameOf(find);
  if (blame === undefined) {
    const isMoved = fault.isHere !== true && fault.at.start === use.start && fault.at.end === use.end;
    const call = isMoved ? (callOf(find) ?? sizesGivenAt(find)) : undefined;
    const alias = call === undefined ? undefined : namedHere(find);
    if (alias !== undefined) return { ...fault, at: alias, related: [{ range: use, message: 'It fails here.' }] };
    const made = call === undefined ? undefined : (oddMaker(find) ?? call);
    return made === undefined ? fault : { ...fault, at: made, related: [{ range: use, message: 'It fails here.' }] };
  }
  const isElsewhere = blame.at.end < use.start || blame.at.start > use.end;
  // A function that serves another call well is not what is wrong.
  const call = isElsewhere || fault.isHere === true ? undefined : callOf(find);
  const place = isElsewhere ? blame.at : (call ?? use);
  const related = place === use ? [] : [{ range: use, message: 'It fails here.' }];
  const isDoubtful = blame.isSure !== true && fault.isDoubtful;
  return { ...fault, kind: blame.kind ?? fault.kind, at: place, fact: `${fault.fact} ${blame.hint}`, related, isDoubtful };
}

/** It happens in another file's code that runs for some sizes or on some devices only: this file is not known to get there. */
function isOfOthers(code: CodeReading, { depth, sites: [site] }: Failure): boolean {
  return depth > 0 && site !== undefined && site.file !== code.file && isBehindComparison(site);
}

/** The projection that gives a view another width than those beside it give the same view elsewhere. */
function oddMaker(find: Find): Range | undefined {
  const input = viewOps.test(find.op) ? tensorOf(find, 'input') : undefined;
  const layer = input === undefined ? undefined : widthSource(find.study, input).layer;
  if (layer?.owner === undefined || layer.outputs === undefined) return undefined;
  const others = ownedBy(find.study, layer.owner).filter((each) => each !== layer && /^(?:query|key|value)$/.test(roleOf(each.name) ?? ''));
  const widths = new Set(others.map(({ outputs }) => outputs?.key));
  return others.length > 1 && widths.size === 1 && !widths.has(layer.outputs.key) ? rangeIn(find.code, layer.site) : undefined;
}

/** Where what is given to a layer got, in the function itself, the name under which it is given. */
function namedHere(find: Find): Range | undefined {
  const input = layerOps.test(find.op) ? tensorOf(find, 'input') : undefined;
  const alias = input === undefined ? undefined : aliasOf(find.code, input);
  const between = alias === undefined ? '' : find.code.file.module.text.slice(alias.at.end, find.use.start);
  const isGiven = alias !== undefined && new RegExp(`\\(\\s*${alias.name}\\b`).test(shown(find.code, find.use));
  return isGiven && alias.at.end < find.use.start && !/^\s*(?:def|class)\s/m.test(between) ? alias.at : undefined;
}

/** The call that hands a function the sizes of the view that fails in it. */
function sizesGivenAt({ code, failure, op }: Find): Range | undefined {
  const [site, call] = failure.sites;
  if (!viewOps.test(op) || site === undefined || call === undefined) return undefined;
  const sizes = new Set(dimsOf(failure.call.arguments.get('shape')).flatMap((dim) => symbolsOf(dim).map(({ key }) => key)));
  const has = new Set(inputsOf(failure).flatMap(({ shape }) => shape.dims.map(({ key }) => key)));
  const isGiven = code.variables.some(({ isArgument, frame, value }) => {
    const dim = isArgument && frame.function?.unit === site.unit && frame.function.name !== 'forward' ? dimOf(value) : undefined;
    const { start, end } = frame.function?.definition ?? { start: 0, end: 0 };
    return (
      dim !== undefined &&
      dim.constant === undefined &&
      !has.has(dim.key) &&
      start <= site.node.start &&
      site.node.end <= end &&
      symbolsOf(dim).every(({ key }) => sizes.has(key))
    );
  });
  return isGiven ? rangeIn(code, call) : undefined;
}

function kindOf(find: Find): Fault | undefined {
  const { op, failure } = find;
  if (layerOps.test(op)) return layerFault(find);
  if (viewOps.test(op)) return viewFault(find);
  if (productOps.test(op)) return productFault(find);
  if (splitOps.test(op)) return splitFault(find);
  if (normOps.test(op)) return normFault(find);
  if (elementwiseOps.test(op)) return isAdditiveScore(find) ? undefined : elementwiseFault(find);
  if (pieceOps.test(op)) return at(find, 'pieces', undefined, plainFact(find));
  if (op === 'check') return checkFault(find);
  if (op === 'arguments') return at(find, 'arguments', undefined, sentence(failure.problem.message));
  if (op === 'item_number') return at(find, 'split', undefined, sentence(failure.problem.message));
  if (op === 'axis_number') return at(find, 'axis', undefined, sentence(failure.problem.message));
  if ((axisOps.test(op) || op === 'unpack_size') && failure.depth > 0) return undefined;
  if (axisOps.test(op) || op === 'unpack_size') return at(find, 'axis', undefined, plainFact(find));
  return undefined;
}

/** A size holds a factor that the code itself takes to be 1, groups of heads of one head each: without it the sizes may fit. */
const restsOnFactor = (code: CodeReading, failure: Failure): boolean =>
  inputsOf(failure).some(({ shape }) =>
    applyToShape(shape, failure.context.substitution).dims.some((dim) =>
      dim.terms.some(
        ({ monomial: { factors } }) =>
          factors.length > 1 && factors.some(({ atom }) => atom.kind === 'symbol' && code.defaults.get(atom.key) === 1),
      ),
    ),
  );

/**
 * A number that the code writes against a setting whose number stands in a configuration: the same, as far as can be told, since code
 * that writes 768 runs with what has 768 there.
 */
function restsOnSetting(find: Find): boolean {
  const { basis } = find.failure.problem;
  if (basis !== 'samples' && basis !== 'widths') return false;
  const isSetting = (dim: Dim): boolean => {
    const atom = loneAtom(dim);
    return atom?.kind === 'symbol' && atom.name.includes('.') && !find.code.defaults.has(atom.key);
  };
  const clashes = clashesOf(find);
  return clashes.length > 0 && clashes.every(({ x, y }) => (isNumber(x) && isSetting(y)) || (isNumber(y) && isSetting(x)));
}

const isNumber = ({ constant = 0 }: Dim): boolean => constant > 1;

/**
 * A size that only a view asks for, of one of several tensors, one of which has in its place the very size that the operand meets: the
 * view works where the two are the same.
 */
function isAskedFor(op: string, failure: Failure): boolean {
  if (!productOps.test(op)) return false;
  const inputs = inputsOf(failure);
  const lacks = (dims: readonly Dim[], of: readonly Dim[]): readonly Dim[] => of.filter(({ key }) => !dims.some((dim) => dim.key === key));
  return inputs.some((input) => {
    const view = ancestors(input, (each) => !viewOps.test(each.op) && !layerOps.test(each.op), 60).find(({ op: made }) =>
      viewOps.test(made),
    );
    const joined =
      view === undefined
        ? undefined
        : ancestors(view, (each) => each === view || /^(?:transpose|permute|swapaxes|contiguous)$/.test(each.op), 12).find(
            (each) => each.op === 'join',
          );
    if (view === undefined || joined === undefined) return false;
    return alternatives(joined).some(({ shape }) => {
      const [asked, given] = [lacks(shape.dims, view.shape.dims), lacks(view.shape.dims, shape.dims)];
      const [size] = given;
      return (
        asked.length === 1 &&
        given.length === 1 &&
        inputs.some((other) => other !== input && other.shape.dims.some((dim) => dim.key === size?.key))
      );
    });
  });
}

/** Two names of one setting, by the `attribute_map` of a configuration that the file names. */
function areOneSetting(code: CodeReading, failure: Failure): boolean {
  const inputs = inputsOf(failure);
  const names = inputs.map(({ shape }) => new Set(shape.dims.flatMap((dim) => symbolsOf(dim).map(({ name }) => name))));
  const pairs = names.flatMap((some, i) =>
    names.flatMap((others, j) => (i === j ? [] : [...some].flatMap((a) => [...others].map((b) => [a, b] as const)))),
  );
  const split = (name: string): readonly [string, string] => [name.slice(0, name.lastIndexOf('.')), name.slice(name.lastIndexOf('.') + 1)];
  const candidates = pairs.filter(([a, b]) => a !== b && a.includes('.') && split(a)[0] === split(b)[0]);
  if (candidates.length === 0) return false;
  const { interpreter, file } = code;
  const globals = interpreter.names.globalsOf(file);
  const written = new Set(file.module.text.match(/\b[A-Z]\w*Config\b/g) ?? []);
  return [...written].some((name) => {
    const of = interpreter.guard(() => interpreter.names.global(globals, name));
    const map = of?.kind === 'class' ? of.members.get('attribute_map') : undefined;
    const entries = map?.kind === 'dict' ? [...map.entries.values()] : [];
    return entries.some(
      ({ key, value }) =>
        key.kind === 'string' &&
        value.kind === 'string' &&
        candidates.some(([a, b]) => split(a)[1] === key.value && split(b)[1] === value.value),
    );
  });
}

// ---------------------------------------------------------------------------------------------------------------------
// Views

function viewFault(find: Find): Fault | undefined {
  const { study } = find;
  const input = tensorOf(find, 'input', 'tensor');
  if (input === undefined || input.shape.dims.length === 0) return undefined;
  const { layer: source, crossed } = widthSource(study, input);
  const isProjected =
    source?.outputs !== undefined &&
    crossed.every(
      (each) => isLayout(each) || /^(?:getitem|split|chunk|unbind|contiguous|to|mul|div)$/.test(each.op) || isWithin(study, source, each),
    );
  const fact = plainFact(find);
  if (!isProjected || source === undefined) {
    const isOwn = input.call?.instance.class.file?.isPrelude !== true;
    const held = isOwn && isAccepted(find) === true ? heldAxis(study, input) : undefined;
    return at(find, 'view', held, fact);
  }
  const kind: FaultKind = roleOf(source.name) === undefined ? 'view' : 'projection';
  const cut = crossed.find((each) => splitOps.test(each.op));
  const isCutWrongly = cut !== undefined && (isUncut(cut, source) || fitsWhole(find, cut, source) || isExchanged(find, cut));
  const cutAt = isCutWrongly ? rangeIn(find.code, cut.site) : undefined;
  if (cutAt !== undefined)
    return { ...at(find, 'split', undefined, fact), at: cutAt, related: [{ range: find.use, message: 'It fails here.' }] };
  if (countsOther(find, input)) return at(find, 'view', undefined, fact);
  if (failsInParts(find, source)) return at(find, kind, source, fact);
  // A size that is left open says nothing of what is meant.
  const isOpen = dimsOf(find.failure.call.arguments.get('shape')).some(({ constant }) => constant === -1);
  const isFine = isOpen ? undefined : isAccepted(find);
  if (isFine !== undefined) return at(find, kind, isFine ? source : undefined, fact);
  const own = ownedBy(study, source.owner).filter((each) => each.instance !== undefined);
  const peers = partners(own, source) ?? own.filter((each) => each !== source);
  const target = sizesOf(find);
  // Views of the other projections into the same sizes worked: then it is the layer that differs.
  const alike = study.tensors.filter(
    (tensor) => (tensor.op === 'view' || tensor.op === 'reshape') && sizeKeys(tensor.arguments.get('shape')) === target && target !== '',
  );
  const viewed = alike.filter((tensor) => {
    const other = tensor.inputs[0] === undefined ? undefined : widthSource(study, tensor.inputs[0]).layer;
    return other !== undefined && other !== source && other.owner === source.owner && peers.includes(other);
  });
  const sizes = dimsOf(find.failure.call.arguments.get('shape')).filter((dim) => dim.constant === undefined || dim.constant > 1);
  const product = sizes.slice(-2);
  const heads = product.length === 2 ? read(find, product[0] as Dim) : undefined;
  const each = product.length === 2 ? read(find, product[1] as Dim) : undefined;
  const wanted = heads !== undefined && each !== undefined ? multiplied(find, heads, each) : undefined;
  const output = source.outputs;
  const layerVotes = peers.filter(
    ({ outputs, inputs, name }) => (roleOf(name) === 'output' ? inputs : outputs)?.key === output?.key,
  ).length;
  const useVotes =
    viewed.length +
    (wanted === undefined
      ? 0
      : peers.filter(({ outputs, inputs, name }) => (roleOf(name) === 'output' ? inputs : outputs)?.key === wanted).length);
  // `view(B, T, 3, h, d)`: queries, keys and values, or keys and values, lie in one projection.
  const isFused = sizes.some(({ constant }) => constant === 2 || constant === 3) && roleOf(source.name) === undefined;
  return at(find, kind, useVotes > layerVotes || (isFused && useVotes === layerVotes) ? source : undefined, fact);
}

/** The view counts the tokens of another input than the one that it is of: whatever the layer gives, it does not fit. */
function countsOther(find: Find, input: TensorValue): boolean {
  const lengthsOf = (dims: readonly Dim[]): ReadonlySet<string> =>
    new Set(
      dims.flatMap((dim) =>
        symbolsOf(read(find, dim)).flatMap(({ scope, name, key }) => (scope === lengthScope && name !== 'B' ? [key] : [])),
      ),
    );
  const [own, asked] = [lengthsOf(input.shape.dims), lengthsOf(dimsOf(find.failure.call.arguments.get('shape')))];
  return own.size > 0 && asked.size > 0 && [...own].every((key) => !asked.has(key));
}

/** The parameter of a class of the file from which the axis has its size. */
function heldBehind(study: Study, node: TensorValue, axis: number): Layer | undefined {
  const layers = layersOf(study);
  const last = axisPath({ node, axis }).findLast((place) => layers.has(place.node))?.node;
  const layer = last === undefined ? undefined : layers.get(last);
  return layer?.instance === undefined && layer?.weight.shape.dims.length !== 1 ? layer : undefined;
}

/** The parameter of a class of the file from which one of the axes has its size. */
function heldAxis(study: Study, node: TensorValue): Layer | undefined {
  for (let axis = -node.shape.dims.length; axis < 0; axis++) {
    const layer = heldBehind(study, node, axis);
    if (layer !== undefined) return layer;
  }
  return undefined;
}

/** Views at several places of parts of what the layer gives fail, and none works. */
function failsInParts(find: Find, { weight }: Layer): boolean {
  const partOf = (input: TensorValue | undefined): boolean => {
    const { layer, crossed } = input === undefined ? { layer: undefined, crossed: [] } : widthSource(find.study, input);
    const isProduct = crossed.some(({ op }) => productOps.test(op));
    return layer?.weight === weight && !isProduct && crossed.some(({ op }) => /^(?:split|chunk|unbind|getitem)$/.test(op));
  };
  const failing = new Set<string>();
  for (const failure of find.study.failures) {
    const input = failure.call.arguments.get('input');
    if (viewOps.test(opOf(failure)) && input?.kind === 'tensor' && failure.call.site !== undefined && partOf(input))
      failing.add(placeAt(failure.call.site));
  }
  return failing.size > 1 && !find.study.tensors.some((node) => isView(node) && !failing.has(placeOf(node)) && partOf(node.inputs[0]));
}

/** Cut along another axis than the one that the layer made. */
const isUncut = ({ shape }: TensorValue, { outputs }: Layer): boolean => shape.dims.at(-1)?.key === outputs?.key;

/** Whether the parts would be as wide as the views of them ask, were the layer's width cut otherwise. */
function fitsWhole(find: Find, cut: TensorValue, source: Layer): boolean {
  const place = placeOf(cut);
  const isPart = (tensor: TensorValue): boolean => placeOf(tensor) === place && tensor.op === cut.op;
  const wanted = new Map<number, Dim>();
  for (const failure of find.study.failures) {
    const input = failure.call.arguments.get('input');
    if (!viewOps.test(opOf(failure)) || input?.kind !== 'tensor') continue;
    const part = widthSource(find.study, input).crossed.find(isPart);
    const [heads, width] = dimsOf(failure.call.arguments.get('shape')).slice(-2);
    if (part?.index !== undefined && heads !== undefined && width !== undefined) wanted.set(part.index, multiply(heads, width));
  }
  if (wanted.size < 2 || source.outputs === undefined) return false;
  const parts = new Map(
    find.study.tensors.flatMap((tensor) => (isPart(tensor) && tensor.index !== undefined ? [[tensor.index, tensor] as const] : [])),
  );
  const widths = [...parts].map(([index, { shape }]) => wanted.get(index) ?? shape.dims.at(-1));
  if (widths.some((width) => width === undefined)) return false;
  return compareSizes(find.code, addAll(widths as readonly Dim[]), source.outputs) === 'same';
}

function multiplied(find: Find, a: Dim, b: Dim): string | undefined {
  const product = find.code.interpreter.binary('*', { kind: 'int', dim: a }, { kind: 'int', dim: b });
  return product.kind === 'int' ? product.dim.key : undefined;
}

const sizeKeys = (value: Value | undefined): string =>
  dimsOf(value)
    .slice(-2)
    .map(({ key }) => key)
    .join(' ');
const sizesOf = ({ failure }: Find): string => sizeKeys(failure.call.arguments.get('shape'));

// ---------------------------------------------------------------------------------------------------------------------
// Products

function productFault(find: Find): Fault | undefined {
  const { study, op, code } = find;
  const tensors: TensorValue[] = [];
  for (const value of find.failure.call.arguments.values()) collect(value, (tensor) => tensors.push(tensor));
  const [left, right] = op === 'baddbmm' || op === 'addmm' ? tensors.slice(1) : tensors;
  if (left === undefined || right === undefined || left.shape.dims.length === 0 || right.shape.dims.length === 0) return undefined;
  const fact = plainFact(find);
  const isOver = [...attentionsOf(code)].some(({ node }) => node === plain(left));
  const [a, b] = [widthSource(study, left).layer, widthSource(study, right).layer];
  const held = [left, right].map((tensor) => heldParameter(study, tensor)).find((each) => each !== undefined);
  if (held !== undefined && isFineElsewhere(find, held)) return at(find, 'product', undefined, fact);
  if (held !== undefined) return at(find, 'product', held, fact);
  if (op === 'addmm') return projectedFault(find, left, right);
  if (op !== 'matmul' && op !== 'bmm') return at(find, 'product', undefined, fact);
  const [x, y] = [shapeIn(find, left), shapeIn(find, right)];
  const inner = [x.dims.at(-1), y.dims.at(-2)] as const;
  const isInner = inner[0] !== undefined && inner[1] !== undefined && compareSizes(code, inner[0], inner[1]) !== 'same';
  const isSoftmax = isOver || underSoftmax(left);
  if (isSoftmax && isInner) return at(find, 'keyValueLength', undefined, fact);
  const isLength = inner.some((dim) => dim !== undefined && symbolsOf(dim).some(({ scope }) => scope === lengthScope));
  if (
    !isSoftmax &&
    isInner &&
    !isLength &&
    a !== undefined &&
    b !== undefined &&
    a !== b &&
    a.owner === b.owner &&
    a.outputs?.key !== b.outputs?.key
  ) {
    const own = ownedBy(study, a.owner).filter((each) => each.instance !== undefined);
    const votes = (layer: Layer): number =>
      (partners(own, layer) ?? own.filter((each) => each !== a && each !== b)).filter(
        ({ outputs, inputs, name }) => (roleOf(name) === 'output' ? inputs : outputs)?.key === layer.outputs?.key,
      ).length;
    return at(find, 'queryKey', votes(a) < votes(b) ? a : b, fact);
  }
  const heads = [x.dims.at(-3), y.dims.at(-3)] as const;
  const odd = isInner ? undefined : oddProjection(study, b);
  if (!isInner && x.dims.length === 4 && y.dims.length === 4 && heads[0] !== undefined && heads[1] !== undefined)
    if (compareSizes(code, heads[0], heads[1]) !== 'same') {
      const met = `\`${expression(find)}\` multiplies ${formatShape(x)} with ${formatShape(y)}: ${formatDim(heads[0])} heads meet ${formatDim(heads[1])}`;
      const found = at(find, 'heads', odd, met);
      const turned = heads.findIndex((dim) => dim !== undefined && mentionsLength(dim));
      const alias = odd === undefined && turned >= 0 ? nameOfUnturned(find, turned) : undefined;
      return alias === undefined ? found : { ...found, at: alias, related: [{ range: find.use, message: 'It fails here.' }] };
    }
  return at(find, 'product', undefined, fact);
}

/** Where the operand that has tokens in the place of heads got its name, as it was. */
function nameOfUnturned({ code, failure }: Find, operand: number): Range | undefined {
  let node = inputsOf(failure)[operand];
  for (let i = 0; node !== undefined && i < 4; i++) {
    const alias = aliasOf(code, node);
    if (alias !== undefined) return alias.at;
    node = node.inputs.length === 1 ? node.inputs[0] : undefined;
  }
  return undefined;
}

/** Whether the weight is used in another place too, or fits when the letters for its axes are exchanged. */
function isFineElsewhere(find: Find, { weight }: Layer): boolean {
  const { study, op, failure } = find;
  if (op === 'einsum') return swapsThatFit(find, clashesOf(find)).some(({ node }) => heldParameter(study, node)?.weight === weight);
  const place = failure.call.site === undefined ? '' : placeAt(failure.call.site);
  return study.tensors.some(
    (node) =>
      placeOf(node) !== place &&
      (productOps.test(node.op) || layerOps.test(node.op) || normOps.test(node.op) || (node.op === 'getitem' && node.inputs.length > 1)) &&
      node.inputs.includes(weight),
  );
}

/** The projection of queries, keys or values that is not as wide as its partners. */
function oddProjection(study: Study, layer: Layer | undefined): Layer | undefined {
  if (layer?.outputs === undefined) return undefined;
  const own = ownedBy(study, layer.owner).filter((each) => each.instance !== undefined);
  const [query, key, value, output] = (['query', 'key', 'value', 'output'] as const).map((role) =>
    own.find(({ name }) => roleOf(name) === role),
  );
  if (query === undefined || key === undefined || value === undefined) return undefined;
  const goal = output?.inputs?.key;
  if (key.outputs?.key !== value.outputs?.key) {
    // One of them is as wide as the queries: with fewer heads, that is the odd one.
    if (key.outputs?.key === query.outputs?.key) return key;
    if (value.outputs?.key === query.outputs?.key) return value;
    return layer === key || layer === value ? layer : undefined;
  }
  return goal !== undefined && query.outputs?.key !== goal ? query : undefined;
}

function underSoftmax(tensor: TensorValue): boolean {
  let each: TensorValue | undefined = tensor;
  for (let i = 0; each !== undefined && i < 24; i++) {
    if (each.op === 'softmax') return true;
    if (productOps.test(each.op) || each.op === 'linear') return false;
    each = each.inputs[0];
  }
  return false;
}

// ---------------------------------------------------------------------------------------------------------------------
// Splits

function splitFault(find: Find): Fault | undefined {
  const { study } = find;
  const input = tensorOf(find, 'input', 'tensor');
  if (input === undefined) return at(find, 'split', undefined, sentence(find.failure.problem.message));
  if (input.shape.dims.length === 0 || find.failure.problem.message.endsWith('add up to 0')) return undefined;
  const { layer: source, crossed } = widthSource(study, input);
  const fact = find.op === 'take_parts' ? partsFact(find) : plainFact(find);
  const [count] = dimsOf(find.failure.call.arguments.get('parts'));
  // No layer is made for as many parts as there are rows or tokens: another axis than meant comes first.
  if (count !== undefined && (isRows(count) || isLength(count))) return at(find, 'split', undefined, fact);
  if (source?.instance === undefined || crossed.some((each) => !isLayout(each))) {
    const first = find.op === 'unpack' ? heldBehind(study, input, -input.shape.dims.length) : undefined;
    return at(find, 'split', first ?? heldBehind(study, input, -1), fact);
  }
  const all = [...layersOf(study).values()];
  if (find.op === 'take_parts') {
    // As many parts as there are names, of a width that others have too, are meant: they are cut otherwise than they should be.
    const [names] = dimsOf(find.failure.call.arguments.get('names'));
    const part = source.outputs === undefined || names === undefined ? undefined : divideExactly(source.outputs, names);
    const isWhole = input.shape.dims.at(-1)?.key !== source.outputs?.key || popularity(all, part, { layer: source, side: 'outputs' }) > 0;
    return at(find, 'split', isWhole ? undefined : source, fact);
  }
  // Of what is cut into so many parts on the very line that gives them names, that line is wrong.
  const isCounted = study.tensors.some((node) => {
    const cut = node.op === 'chunk' && node.index !== undefined ? rangeIn(find.code, node.site) : undefined;
    return find.op === 'unpack' && cut !== undefined && lineOf(find, cut) === lineOf(find, find.use);
  });
  if (isCounted) return at(find, 'split', undefined, fact);
  const isFine = isAccepted(find);
  if (isFine !== undefined) return at(find, 'split', isFine ? source : undefined, fact);
  // Parts as wide as other layers are meant: then the layer does not give enough of them, or too many.
  const parts = dimsOf(find.failure.call.arguments.get('split_size_or_sections'));
  const isWide = (part: Dim | undefined): boolean => popularity(all, part, { layer: source, side: 'outputs' }) > 0;
  const isGrouped = parts.length === 3 && isWide(parts[0]) && parts[1]?.key === parts[2]?.key;
  const isMeant = isGrouped || parts.length === 0 || parts.every(isWide);
  return at(find, 'split', isMeant ? source : undefined, fact);
}

const lineOf = ({ code }: Find, { start }: Range): number => code.file.module.text.lastIndexOf('\n', start - 1);

function partsFact(find: Find): string {
  const [parts, names] = ['parts', 'names'].map((each) => dimsOf(find.failure.call.arguments.get(each))[0]);
  if (parts === undefined || names === undefined) return sentence(find.failure.problem.message);
  return `There are ${formatDim(read(find, parts))} parts, and ${formatDim(names)} names take them`;
}

// ---------------------------------------------------------------------------------------------------------------------
// Norms and element-wise operations

function normFault(find: Find): Fault | undefined {
  const { study, failure } = find;
  const input = tensorOf(find, 'input');
  if (input === undefined || input.shape.dims.length === 0) return undefined;
  const weight = tensorOf(find, 'weight');
  const layer = weight === undefined ? undefined : (layerOfWeight(study, weight) ?? heldParameter(study, weight));
  const width = shapeIn(find, input).dims.at(-1);
  const made = layer?.inputs ?? dimsOf(failure.call.arguments.get('normalized_shape')).at(-1);
  if (width === undefined || made === undefined) return at(find, 'norm', undefined, plainFact(find));
  const fact = `The norm is made for ${formatDim(read(find, made))} features, and its input is ${formatDim(width)} wide`;
  return at(find, 'norm', layer !== undefined && isFineElsewhere(find, layer) ? undefined : layer, fact, width);
}

/** What a model tells apart, words or classes: nothing norms scores for these. */
const isCount = (dim: Dim): boolean => {
  const [only, ...others] = symbolsOf(dim);
  return only !== undefined && others.length === 0 && (conceptOf(only.name) === 'vocabularySize' || /(?:classes|labels)$/.test(only.name));
};

/** A norm of the head's scores that is as wide as what the head takes: it belongs in front of the head. */
function normBehindHead(find: Find): Fault | undefined {
  const { study, code } = find;
  const [input, weight] = [tensorOf(find, 'input'), tensorOf(find, 'weight')];
  if (!normOps.test(find.op) || input === undefined || weight === undefined) return undefined;
  const norm = layerOfWeight(study, weight);
  const made = norm?.inputs;
  const { layer: head } = widthSource(study, input);
  if (made === undefined || head?.inputs === undefined || head.outputs === undefined || !isCount(head.outputs)) return undefined;
  if (compareSizes(code, head.inputs, made) !== 'same') return undefined;
  const fact = `The norm is made for ${formatDim(read(find, made))} features, and \`${head.name}\` gives ${formatDim(read(find, head.outputs))}`;
  const sites = [rangeIn(code, head.site), rangeIn(code, norm?.site)].map((range) => range?.start ?? 0).sort((a, b) => a - b);
  // In a chain of layers the order is that in which they are made.
  const isChain = !/\n\s*[\w.]+\s*=(?!=)/.test(code.file.module.text.slice(sites[0], sites[1]));
  const found = at(find, 'norm', isChain ? norm : undefined, fact);
  return { ...found, fact: `${found.fact} In front of \`${head.name}\` it fits.` };
}

function elementwiseFault(find: Find): Fault | undefined {
  const { study, op } = find;
  const tensors: TensorValue[] = [];
  for (const value of find.failure.call.arguments.values()) collect(value, (tensor) => tensors.push(tensor));
  const [left, right] = tensors;
  if (left === undefined || right === undefined || left.shape.dims.length === 0 || right.shape.dims.length === 0) return undefined;
  const fact = plainFact(find);
  const all = [...layersOf(study).values()];
  const [x, y] = [shapeIn(find, left).dims.at(-1), shapeIn(find, right).dims.at(-1)];
  const differs = x !== undefined && y !== undefined && x.key !== y.key && x.constant !== 1 && y.constant !== 1;
  const weights = [left, right].map((tensor) => heldParameter(study, tensor));
  const [first, second] = weights;
  if ((op === 'mul' || op === 'add') && (first !== undefined) !== (second !== undefined) && differs) {
    const held = (first ?? second) as Layer;
    const width = (first !== undefined ? y : x) as Dim;
    // A norm that a class of the file describes: the place that made the object says its width.
    const isNorm = op === 'mul' && held.weight.shape.dims.length === 1;
    const layer =
      popularity(all, read(find, width), undefined) >= popularity(all, held.outputs, { layer: held, side: 'outputs' }) ? held : undefined;
    return at(find, isNorm ? 'norm' : 'broadcast', layer, fact, width);
  }
  const table = [left, right].map(madeTable);
  if (isSum(op) && differs && (table[0] === undefined) !== (table[1] === undefined)) {
    const [width, narrow] = table[0] === undefined ? [x, y] : [y, x];
    const root = table[0] ?? table[1];
    const site = root === undefined ? undefined : rangeIn(find.code, root.site);
    if (site !== undefined && popularity(all, width, undefined) > popularity(all, narrow, undefined))
      return { ...at(find, 'residual', undefined, fact), at: site, related: [{ range: find.use, message: 'It fails here.' }] };
  }
  const [a, b] = [widthSource(study, left).layer, widthSource(study, right).layer];
  if (!differs || x === undefined || y === undefined) return at(find, isSum(op) ? 'residual' : 'broadcast', undefined, fact);
  const isPlain = [left, right].every((tensor) => widthSource(study, tensor).crossed.every((each) => !isLayout(each)));
  if (op === 'mul' && isPlain && a !== undefined && b !== undefined && a !== b && a.owner === b.owner) {
    const own = ownedBy(study, a.owner).filter((each) => each.instance !== undefined && each !== a && each !== b);
    const votes = (layer: Layer): number => popularity(own, layer.outputs, undefined);
    const model = a.inputs?.key;
    const odd = votes(a) === votes(b) ? (a.outputs?.key === model ? a : b) : votes(a) < votes(b) ? a : b;
    return at(find, 'gate', odd, fact);
  }
  if (isSum(op)) {
    const score = (size: Dim, layer: Layer | undefined): number =>
      popularity(all, size, layer === undefined ? undefined : { layer, side: 'outputs' });
    const odd = score(x, a) < score(y, b) ? a : b;
    return at(find, 'residual', odd, fact);
  }
  return at(find, 'broadcast', undefined, fact);
}

const isSum = (op: string): boolean => op === 'add' || op === 'sub';

/** The tensor of zeros or the like that a buffer began as. */
function madeTable(tensor: TensorValue): TensorValue | undefined {
  let each: TensorValue | undefined = tensor;
  for (let i = 0; each !== undefined && i < 24; i++) {
    if (/^(?:zeros|ones|empty|full|randn|rand)$/.test(each.op)) return each;
    if (each.op === 'linear' || each.op === 'input' || each.op === 'matmul' || each.op === 'embedding') return undefined;
    each = each.inputs[0];
  }
  return undefined;
}

/** The parameter that the tensor is, or a part of. */
function heldParameter(study: Study, tensor: TensorValue): Layer | undefined {
  const layers = layersOf(study);
  let each: TensorValue | undefined = tensor;
  for (let i = 0; each !== undefined && i < 12; i++) {
    const layer = layers.get(each);
    if (layer !== undefined) return layer.instance === undefined ? layer : undefined;
    if (each.inputs.length !== 1) return undefined;
    each = each.inputs[0];
  }
  return undefined;
}
