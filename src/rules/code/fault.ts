/** One fault of model code, and the place where it is reported. */
import { type Dim, divideExactly, loneAtom, one } from '../../dims/dim.ts';
import { divides, type Facts } from '../../dims/facts.ts';
import type { Shape } from '../../dims/shape.ts';
import { someAtom, substitute, symbolsOf } from '../../dims/visit.ts';
import type { Failure } from '../../interpreter/recording.ts';
import { isUsed } from '../../interpreter/roots.ts';
import { conceptOf, isRows, lengthScope, sampled } from '../../interpreter/samples.ts';
import type { CodeReading, Study } from '../../interpreter/study.ts';
import type { TensorValue } from '../../interpreter/value.ts';
import type { Expression } from '../../syntax/python/ast.ts';
import type { Range } from '../../text/range.ts';
import { clashesOf } from './clashes.ts';
import { decidedAt } from './deciders.ts';
import { dimsOf, elementwiseOps, type Find, inputsOf, shapeIn, tensorOf } from './failing.ts';
import type { Layer } from './layers.ts';
import { mentionsLength } from './layouts.ts';
import { rangeIn, settingsOf } from './places.ts';

export type FaultKind =
  | 'product'
  | 'layerInput'
  | 'view'
  | 'pieces'
  | 'split'
  | 'norm'
  | 'broadcast'
  | 'residual'
  | 'queryKey'
  | 'keyValueLength'
  | 'heads'
  | 'output'
  | 'projection'
  | 'ffn'
  | 'gate'
  | 'axis'
  | 'arguments'
  | 'check';

export interface Fault {
  readonly kind: FaultKind;
  readonly failure: Failure;
  readonly at: Range;
  /** The failing expression, where it is another place. */
  readonly use: Range;
  /** The fact, as a sentence. */
  readonly fact: string;
  readonly related: readonly { readonly range: Range | undefined; readonly message: string }[];
  /** It rests on numbers that code need not be run with, or on sizes that are not fully known. */
  readonly isDoubtful: boolean;
  /** It is the expression that is wrong, and not a call of the function around it. */
  readonly isHere?: boolean;
}

/** The fault at the constructor of the layer, which fits with the wanted size, or at the expression. */
export function at(find: Find, kind: FaultKind, layer: Layer | undefined, fact: string, wanted?: Dim): Fault {
  const { code, failure, use } = find;
  const made = layer === undefined ? undefined : rangeIn(code, decidedAt(find, layer, wanted));
  const related: { range: Range | undefined; message: string }[] = [];
  if (made !== undefined) related.push({ range: use, message: 'It fails here.' });
  return { kind, failure, at: made ?? use, use, fact: `${fact}.`, related, isDoubtful: isDoubtful(find) };
}

/** A class that the file builds elsewhere, and maybe of other parts than those that stand as its defaults. */
function isApart({ code, study }: Find): boolean {
  const { class: of, maker } = study;
  const initializer = of.members.get('__init__');
  if (maker !== undefined || initializer?.kind !== 'function' || !isUsed(code.file, of)) return false;
  return initializer.definition.parameters.some((each) => each.default?.kind === 'name' || each.default?.kind === 'attribute');
}

/** A width and what comes on top, none unless it is given: it is given where the input is that brings it. */
const isWidened = ({ study }: Find, dim: Dim): boolean =>
  dim.terms.length > 1 &&
  symbolsOf(dim).some(({ name, scope }) => defaultsOf(study, name, scope).some((value) => value?.kind === 'number' && value.value === 0));

const isNumber = ({ constant = 0 }: Dim): boolean => constant > 1;

/** A table that is cut to what is taken for the number of rows: as well may the length come first. */
const isTableOfRows = ({ op, inputs: [table], shape }: TensorValue): boolean =>
  op === 'getitem' &&
  (table?.isBuffer === true || table?.isParameter === true) &&
  isRows(shape.dims[0]) &&
  // A cache is cut to rows and to a length.
  !shape.dims.some(mentionsLength);

function isDoubtful(find: Find): boolean {
  const { failure } = find;
  if (isApart(find)) return true;
  // Whether another file's branch is taken may hang on settings that rule each other out.
  if (failure.depth > 0 && failure.sites[0] !== undefined && failure.sites[0].file !== find.code.file) return true;
  // What a model hands its part is assumed: names of settings, lengths and numbers of axes say too little of what is.
  const { basis, isOfAxes, isOfOneLength } = failure.problem;
  // All that comes in may be of that length.
  if (isOfOneLength === true) return true;
  if (find.study.isPart === true && (basis === 'samples' || basis === 'lengths' || isOfAxes === true)) return true;
  if (basis === 'widths' || (basis === 'defaults' && !isOfOneSetUp(find))) return true;
  // Inputs with their rows behind their length are assumed for want of anything better.
  if (basis === 'lengths' && inputsOf(failure).some(({ op, shape }) => op === 'input' && !isRows(shape.dims[0]))) return true;
  if (basis === 'lengths' && find.study.tensors.some(isTableOfRows)) return true;
  // A branch may be there for what is not cached.
  if (basis === 'lengths' && failure.depth > 0 && elementwiseOps.test(find.op)) return true;
  const shapes = inputsOf(failure).map((tensor) => shapeIn(find, tensor));
  if (elementwiseOps.test(find.op) && fitOneRow(shapes)) return true;
  // Where two known sizes clash that nobody makes alike, the others need not be known; numbers are of one way to build it.
  const isOwn = (dim: Dim): boolean => symbolsOf(dim).every(({ scope }) => scope === find.study.class.qualifiedName);
  const isKnown = ({ unknown, constant }: Dim): boolean => !unknown && constant === undefined;
  const isClash =
    isOfAxes !== true && clashesOf(find).some(({ x, y }) => isKnown(x) && isKnown(y) && (basis !== 'samples' || (isOwn(x) && isOwn(y))));
  if (
    shapes.some(({ dims }) =>
      dims.some(
        (dim) =>
          (dim.unknown && !isClash) ||
          isRatio(dim, failure.context.facts) ||
          someAtom(dim, ({ kind }) => kind === 'minimum' || kind === 'maximum'),
      ),
    )
  )
    return true;
  const sizes = [...shapes.flatMap(({ dims }) => dims), ...[...failure.call.arguments.values()].flatMap(dimsOf)];
  // One of a list of settings, as of widths of stages: which one goes with which other size is not known.
  if (basis !== undefined && sizes.some((dim) => symbolsOf(dim).some(({ name }) => name.includes('[')))) return true;
  if (basis === 'samples' && areNamesakes(sizes)) return true;
  if (basis === 'lengths' && clashesOf(find).some(({ x, y }) => areNamesakes([x, y]))) return true;
  if (sizes.some((dim) => isWidened(find, dim))) return true;
  // `x: (b, 80, t)` tells what the code is run with, which the settings say as well.
  if (basis === 'samples' && inputsOf(failure).some(({ op, shape }) => op === 'input' && shape.dims.some(isNumber))) return true;
  // It works with the numbers that the code gives itself, and the others are guesses for names that say little.
  const isGuessed = sizes.some((dim) =>
    symbolsOf(dim).some(({ key, name, scope }) => scope !== lengthScope && conceptOf(name) === undefined && find.code.defaults.has(key)),
  );
  if (basis === 'samples' && isGuessed && !(failure.problem.failsByDefaults === true && isOfOneSetUp(find))) return true;
  if (basis === 'samples') {
    const clashes = /^conv\d/.test(find.op) ? channelsOf(find) : clashesOf(find);
    if (clashes.length > 0 && clashes.every(({ x, y }) => mayBeNumber(find, x, y) || mayBeNumber(find, y, x))) return true;
  }
  // A layer that takes what it gets in the other branch: which of them runs hangs on what it was made for.
  const weight = failure.call.arguments.get('weight');
  const works = (tensor: TensorValue): boolean =>
    tensor.op === 'linear' && tensor.arguments.get('weight') === weight && tensor.arguments !== failure.call.arguments;
  if (failure.depth > 0 && weight !== undefined && find.study.tensors.some(works)) return true;
  const [x, y] = shapes.map(({ dims }) => dims.at(-3));
  if (x === undefined || y === undefined) return false;
  // Heads that are all there already, repeated by groups: with latent attention there is one group.
  const over = divideExactly(y, x) ?? divideExactly(x, y);
  const atom = over === undefined ? undefined : loneAtom(over);
  return basis === 'samples' && atom?.kind === 'quotient';
}

/** Whether tokens of all rows stand in one axis, and fit where one row comes in: code for generation may be run with no more. */
function fitOneRow([first, ...others]: readonly Shape[]): boolean {
  if (first === undefined || others.length === 0 || [first, ...others].some(({ ellipsis }) => ellipsis !== undefined)) return false;
  if (![first, ...others].some(({ dims: [rows] }) => rows !== undefined && !isRows(rows) && ofOneRow(rows).key !== rows.key)) return false;
  const [dims, ...rest] = [first, ...others].map((shape) => shape.dims.map(ofOneRow).reverse());
  return rest.every((other) =>
    other.every((dim, i) => {
      const beside = dims?.[i];
      return beside === undefined || beside.key === dim.key || beside.constant === 1 || dim.constant === 1;
    }),
  );
}

const ofOneRow = (dim: Dim): Dim =>
  substitute(dim, (atom) => (atom.kind === 'symbol' && atom.scope === lengthScope && atom.name === 'B' ? one : undefined));

/** The channels that come in, and those that the kernel of a convolution is made for. */
function channelsOf(find: Find): readonly { readonly x: Dim; readonly y: Dim }[] {
  const [input, weight] = [tensorOf(find, 'input'), tensorOf(find, 'weight')];
  const y = weight === undefined ? undefined : shapeIn(find, weight).dims;
  const x = input === undefined || y === undefined ? undefined : shapeIn(find, input).dims.at(1 - y.length);
  return x === undefined || y?.[1] === undefined ? [] : [{ x, y: y[1] }];
}

/** A number in the code that another size comes to by the code's own defaults, or by settings of which nothing tells what they are. */
function mayBeNumber({ code: { defaults }, study }: Find, { constant }: Dim, size: Dim): boolean {
  if (constant === undefined || constant < 2 || size.constant !== undefined || size.unknown) return false;
  const open = symbolsOf(size).filter(({ key }) => !defaults.has(key));
  if (open.length > 0) return open.every(({ name, scope }) => name.includes('.') || isOptional(study, name, scope));
  return sampled(size, ({ key }) => defaults.get(key)).constant === constant;
}

/** Whether a parameter of a constructor is None unless it is given. */
const isOptional = (study: Study, name: string, scope: string): boolean =>
  defaultsOf(study, name, scope).some((value) => value?.kind === 'constant' && value.value === null);

/** What stands as the default of a constructor's parameter. */
const defaultsOf = (study: Study, name: string, scope: string): readonly (Expression | undefined)[] =>
  study.instances.flatMap(({ class: of }) => {
    const initializer = of.qualifiedName === scope ? of.members.get('__init__') : undefined;
    const parameters = initializer?.kind === 'function' ? initializer.definition.parameters : [];
    return parameters.filter((each) => each.name?.name === name).map((each) => each.default);
  });

/**
 * Whether all sizes are settings of one constructor, or of one plain class of settings of the file, with the numbers that it gives them
 * itself. Classes of libraries' configurations work some of theirs out.
 */
function isOfOneSetUp({ code, study, failure }: Find): boolean {
  if (failure.depth > 0) return false;
  const sizes = [...inputsOf(failure).flatMap(({ shape }) => shape.dims), ...[...failure.call.arguments.values()].flatMap(dimsOf)];
  const scopes = new Set<string>();
  for (const { key, scope, flexible } of sizes.flatMap(symbolsOf)) {
    if (scope === lengthScope) continue;
    // A number that is no size stands for another one.
    if (flexible || (code.defaults.get(key) ?? 0) < 1) return false;
    scopes.add(scope);
  }
  const [scope] = scopes;
  return scope !== undefined && scopes.size === 1 && (scope === study.class.qualifiedName || isPlainClass(code, scope));
}

const isPlainClass = (code: CodeReading, scope: string): boolean =>
  settingsOf(code, scope)?.definition.body.every((each) => each.kind !== 'function' || !/^__(?:post_)?init__$/.test(each.name.name)) ===
  true;

const sides = /(?:^|(?<=_))(?:audio|text|vision|visual|image|video|speech|encoder|decoder|enc|dec|src|tgt)_/g;

/** The same size of two sides, as `n_audio_state` and `n_text_state`: models may be made with both alike, and code may rest on that. */
function areNamesakes(sizes: readonly Dim[]): boolean {
  const stems = new Map<string, string>();
  for (const { name } of sizes.flatMap(symbolsOf)) {
    const last = name.slice(name.lastIndexOf('.') + 1);
    const stem = last.replace(sides, '');
    const other = stems.get(stem);
    if (other !== undefined && other !== last) return true;
    stems.set(stem, last);
  }
  // Of a configuration, `true_hidden_size` is often worked out from `hidden_size`.
  const settings = sizes.flatMap(symbolsOf).flatMap(({ name }) => (name.includes('.') ? [name.slice(name.lastIndexOf('.') + 1)] : []));
  return settings.some((name) => settings.some((other) => name.endsWith(`_${other}`)));
}

/** A length divided by widths that nothing beside it is a multiple of: something before did not come out as meant. */
function isRatio(dim: Dim, facts: Facts): boolean {
  return dim.terms.some(({ monomial }) =>
    monomial.factors.some(
      ({ atom }) =>
        atom.kind === 'quotient' &&
        symbolsOf(atom.divisor).length > 0 &&
        !divides(atom.divisor, withoutLengths(atom.dividend), facts) &&
        (symbolsOf(atom.dividend).some(({ scope, flexible }) => scope === lengthScope || flexible) ||
          atom.dividend.terms.some(({ monomial: { factors } }) => factors.some(({ exponent }) => exponent > 1))),
    ),
  );
}

const withoutLengths = (dim: Dim): Dim =>
  substitute(dim, (atom) => (atom.kind === 'symbol' && atom.scope === lengthScope ? one : undefined));

export const named = (layer: Layer): string => `\`${layer.name}\``;
