/**
 * What shape the inputs of a class under study have, where nothing but the code tells: which layer an input is fed to, how its
 * shape is taken apart, what an einops pattern says of it, and what it is called. An assumption, to be dropped where the code
 * does not work under it.
 *
 * The number of rows and the lengths are rigid symbols of the scope `lengths`: the code must work whatever they are, so they
 * never become equal to a width. Widths are flexible.
 */
import { type Dim, flexible, loneAtom, mod, number, rigid } from '../dims/dim.ts';
import { openShape, type Shape, shapeOf, unknownShape } from '../dims/shape.ts';
import { parseEinops } from '../syntax/einops.ts';
import type { Argument, Call, Expression, FunctionDefinition, Statement, Subscript } from '../syntax/python/ast.ts';
import { eachChildExpression, eachChildStatement, statementExpressions, targetNames } from '../syntax/python/walk.ts';
import { classMember } from './attributes.ts';
import type { Interpreter } from './interpreter.ts';
import { iterate } from './iteration.ts';
import { dimOf } from './make.ts';
import { mayTell } from './mentioning.ts';
import { forwardMember, isModuleBase } from './roots.ts';
import { isRows, lengthScope } from './samples.ts';
import type { ClassValue, FunctionValue, InstanceValue, Value } from './value.ts';

/** Numbers of tokens, (B, T); states, (B, T, width); images, (B, C, H, W); sequences with their channels first, (B, C, T); masks, (B, T). */
type Kind = 'tokens' | 'states' | 'image' | 'channels' | 'mask';

/** One axis as the code names it; undefined where it does not. */
type AxisName = string | undefined;

interface Evidence {
  kind?: Kind;
  axes?: readonly AxisName[];
  /** It is indexed with so many. */
  leastRank?: number;
  /** It is run through or taken apart like a list, or may be one as the code asks. */
  isSequence?: boolean;
  /** All axes but the last are joined: there may be any number of them. */
  isFlattened?: boolean;
  /** What another input is made from: of a length of its own. */
  isSource?: boolean;
  /** Where its axes are read off. */
  axesOf?: FunctionDefinition;
  /** Something longer is cut where it ends: what is before, what is after, or both are taken. */
  cut?: { isBefore?: boolean; isAfter?: boolean };
  /** One branch takes it apart into more axes than another. */
  isOfSeveralRanks?: boolean;
  /** It has methods that tensors alone have. */
  isTensor?: boolean;
  /** Queries, keys or values, multiplied as they come in; their rank where the code tells it. */
  attended?: { readonly rank: number | undefined; readonly isHeaded?: true };
  /** The function itself multiplies it as it comes in, whatever those do that it hands it on to. */
  isMultiplied?: boolean;
  /** How many axes it has where the code puts new ones between them, as in `mask[:, None, None, :]`; 'several' where that is done to other ones. */
  spread?: number | 'several';
  /** It is given to attention as a mask. */
  isMask?: boolean;
  /** Something is looked up by it. */
  isIndex?: boolean;
}

/** What is written of a parameter: its axes by name, undefined for one without a name. */
export interface Stated {
  readonly axes: readonly AxisName[];
  /** Types are meant to be checked, comments may be out of date, and docstrings are copied from function to function. */
  readonly by: 'type' | 'comment' | 'docstring';
}

/** What is written of a parameter; undefined where nothing is. */
export type StatedAxes = (definition: FunctionDefinition, parameter: string) => Stated | undefined;

/** The shapes that an input may have, the most plausible first. */
export interface InputShapes {
  readonly shapes: readonly Shape[];
  /** It says which tokens count. */
  readonly isMask: boolean;
  /** Its sizes where nothing ties them to those of other inputs; undefined where what it is called, or what is written of it, does. */
  readonly apart: Shape | undefined;
  /** Any number of axes, where neither the code nor what is written of it counts them; undefined where they are counted. */
  readonly uncounted: Shape | undefined;
  /** It has the name that states are given everywhere. */
  readonly isUsual: boolean;
}

const maximumDepth = 5;

/** Shapes for the inputs; an input about which nothing is known is left out. */
export function inputShapes(
  interpreter: Interpreter,
  /** Undefined for a function that stands by itself. */
  instance: InstanceValue | undefined,
  { definition, globals }: FunctionValue,
  names: readonly string[],
  stated?: StatedAxes,
  /** Leave out what rests on the name of an input alone. */
  onlySure = false,
  /** A model made the instance: its parameters' names stand for no sizes. */
  isPart = false,
): ReadonlyMap<string, InputShapes> {
  const found = new Map<string, InputShapes>();
  if (definition.kind !== 'function') return found;
  const hasTarget = names.some((name) => producedNames.test(name));
  const hasKeys = names.some((name) => /^(?:k|keys?)$/.test(name));
  const assumed = new Set<string>();
  const lengths = new Map<string, Dim>();
  const writtenAxes = new Set<string>();
  /** The name of the length of what came first, and where it is called so. */
  let measured: { readonly axis: string; readonly of: FunctionDefinition } | undefined;
  /** What stands beside another in something longer. */
  let part: string | undefined;
  for (const name of names) {
    const isOfKeys = hasKeys && /^keys?_(?:padding_)?mask$/.test(name);
    const evidence: Evidence = { isSource: isOfKeys || (hasTarget && sourceNames.test(name)) };
    gather(interpreter, instance, definition, name, evidence, 0, globals);
    // What one function reads off two inputs under two names are two lengths.
    const axis = evidence.axes?.length === 3 ? evidence.axes[1] : undefined;
    if (axis !== undefined && evidence.axesOf !== undefined && lengthAxes.test(axis)) {
      measured ??= { axis, of: evidence.axesOf };
      if (measured.of === evidence.axesOf && measured.axis !== axis) evidence.isSource = true;
    }
    if (evidence.cut?.isBefore === true && evidence.cut.isAfter === true && names.length > 1) {
      evidence.isSource = true;
      part = name;
    }
    const isMask = evidence.kind === undefined && (evidence.isMask === true || maskNames.test(name));
    // What the code does with an input comes first, then what is written of it; the rest are the other ways it may be.
    const spoken = stated?.(definition, name);
    const said = evidence.axes === undefined ? spoken : undefined;
    // Docstrings that put something else first are often those of code that put the batch second once.
    const written = said?.by === 'docstring' && !batchAxes.test(said.axes[0] ?? '') ? undefined : said;
    const readAs = (scope: string, isLoose = false): readonly Shape[] =>
      written === undefined
        ? []
        : shapesOf(
            name,
            { ...evidence, axes: written.axes },
            lengths,
            (axis) => (instance === undefined || isPart || isLoose ? undefined : sizeNamed(instance, axis)) ?? flexible(axis, { scope }),
          );
    // What is written of several inputs under one name is one size; where the code fails under that, the comment may be loose.
    const together = readAs(`${definition.name.name}.shape`);
    const isShared = written?.axes.some((axis) => axis !== undefined && writtenAxes.has(axis)) === true;
    const asShared = isShared && written?.by !== 'type' ? [...together, ...readAs(`${name}.shape`)] : together;
    // A docstring may call a width by that of another input: the keys of a layer with a width of their own are no less wide for that.
    const isCopied = written?.by === 'docstring' && writtenAxes.has(written.axes.at(-1) ?? '');
    const asWritten = isCopied ? [...asShared, ...readAs(`${name}.shape`, true)] : asShared;
    for (const axis of written?.axes ?? []) if (axis !== undefined) writtenAxes.add(axis);
    const other = shapesOf(
      name,
      isMask && evidence.axes === undefined ? { kind: 'mask', isSource: isOfKeys, spread: evidence.spread } : evidence,
    );
    // Where the code tells the axes, what is written tells what their lengths are called.
    const [taken] = said === undefined ? other : [];
    if (spoken !== undefined && taken?.ellipsis === undefined && taken?.dims.length === spoken.axes.length)
      for (const [i, axis] of spoken.axes.entries()) {
        const dim = taken.dims[i];
        if (axis !== undefined && dim !== undefined && (dim === length || dim === otherLength) && !lengths.has(lengthKey(axis)))
          lengths.set(lengthKey(axis), dim);
      }
    // Of what is written the number of axes is doubted alone, and not where all else says the same.
    const [first] = asWritten;
    const isAgreed =
      written?.by === 'type' || (first !== undefined && other[0]?.ellipsis === undefined && other[0]?.dims.length === first.dims.length);
    const others = isAgreed || (isMask && asWritten.length > 0) ? [] : other.filter(({ dims }) => dims.length !== first?.dims.length);
    // Where the code fails under what is written, that may be what is wrong.
    const last = asWritten.length > 0 && others.length === 0 && !isAgreed ? [unknownShape] : [];
    const isSure =
      evidence.attended !== undefined ||
      (isMask && (/pad/.test(name) || evidence.spread === 2)) ||
      (evidence.isIndex === true && placeNames.test(name)) ||
      evidence.kind !== undefined ||
      evidence.axes !== undefined ||
      asWritten.length > 0;
    const shapes = [...asWritten, ...others, ...last];
    const isTied =
      found.size === 0 ||
      asWritten.length > 0 ||
      evidence.isSource === true ||
      /^(?:(?:decoder_)?input_ids|idx|tokens|(?:input_)?token_ids|token_type_ids|segment_ids)$/.test(name) ||
      memoryNames.test(name) ||
      placeNames.test(name) ||
      producedNames.test(name);
    const apart = isTied ? undefined : apartFrom(name, shapes[0]);
    if (evidence.isSequence === true) continue;
    if (shapes.length === 0 && evidence.isTensor === true)
      found.set(name, { shapes: [unknownShape], isMask: false, apart: undefined, uncounted: undefined, isUsual: false });
    const isCounted =
      (evidence.axes !== undefined && evidence.isOfSeveralRanks !== true) ||
      asWritten.length > 0 ||
      evidence.attended !== undefined ||
      tokenNames.test(name) ||
      placeNames.test(name) ||
      isMask;
    const uncounted =
      isCounted || evidence.kind === 'image' || evidence.kind === 'channels' ? undefined : uncountedOf(shapes[0], evidence.kind);
    if (evidence.axes === undefined && asWritten.length === 0) assumed.add(name);
    if (shapes.length > 0 && (isSure || !onlySure))
      found.set(name, {
        shapes,
        isMask,
        apart,
        uncounted,
        isUsual: [usualNames, stateNames, memoryNames, imageNames].some((names) => names.test(name)),
      });
  }
  // Where two sequences stand one behind the other, nothing makes them one length.
  const states = [...found].filter(
    ([
      ,
      {
        shapes: [first],
      },
    ]) => isStates(first),
  );
  if (part !== undefined && states.length === 2)
    for (const [name, each] of states) found.set(name, { ...each, apart: undefined, uncounted: undefined });
  // Beside states of which the code says that their lengths come first, others that nothing is said of have them first, too.
  if ([...found.values()].some(({ shapes: [first] }) => isLengthFirst(first)))
    for (const [name, each] of found)
      if (assumed.has(name)) found.set(name, { ...each, shapes: [...each.shapes.flatMap(lengthFirst), ...each.shapes] });
  return found;
}

const isStates = (shape: Shape | undefined): shape is Shape =>
  shape !== undefined && shape.ellipsis === undefined && shape.dims.length === 3;

const isLengthFirst = (shape: Shape | undefined): boolean => isStates(shape) && !isRows(shape.dims[0]) && isRows(shape.dims[1]);

function lengthFirst(shape: Shape): readonly Shape[] {
  const [rows, length, width] = shape.dims;
  const isTurned = isStates(shape) && isRows(rows) && rows !== undefined && length !== undefined && width !== undefined;
  return isTurned ? [shapeOf(length, rows, width)] : [];
}

/** A layer of widths takes any number of axes before the last. */
function uncountedOf(shape: Shape | undefined, kind: Kind | undefined): Shape | undefined {
  const last = shape?.dims.at(-1);
  return last === undefined || kind === 'tokens' ? unknownShape : openShape([], [last]);
}

const apartFrom = (name: string, shape: Shape | undefined): Shape | undefined =>
  shape === undefined || shape.ellipsis !== undefined
    ? undefined
    : shapeOf(...shape.dims.map((dim, i) => (isOwn(dim, name) ? dim : flexible(`axis${i}`, { scope: ownScope(name) }))));

const ownScope = (name: string): string => `${name}.shape`;

/** A size that no other input has. */
const isOwn = (dim: Dim, name: string): boolean => {
  const atom = loneAtom(dim);
  return atom?.kind === 'symbol' && atom.flexible && atom.scope === ownScope(name);
};

/** What the class is made with under this name. */
function sizeNamed({ class: of }: InstanceValue, name: string): Dim | undefined {
  const initializer = of.mro.map(({ members }) => members.get('__init__')).find((member) => member !== undefined);
  const isParameter =
    initializer?.kind === 'function' && initializer.definition.parameters.some((parameter) => parameter.name?.name === name);
  return isParameter ? rigid(name, { scope: of.qualifiedName }) : undefined;
}

/** Masks of one row for each sequence. */
const maskNames = /^(?:(?:\w+_)?(?:padding|pad)_mask|(?:(?:en|de)coder_)?attention_mask)$/;

const tokenNames = /^(?:input_ids|idx|tokens|(?:input_)?token_ids|src_tokens|ids|decoder_input_ids)$/;
const stateNames =
  /^(?:hidden_states?|inputs_embeds|hidden|src|tgt|encoder_hidden_states|encoder_outputs?|enc_output|memory|context|residual|x_norm)$/;
/** Places of what comes in among what is cached: one row for all. */
const placeNames = /^(?:input_pos|cache_pos(?:ition)?s?)$/;
const usualNames = /^(?:x|h|inputs?|q|quer(?:y|ies)|tgt|trg|target|texts?|captions?|(?:\w+_)?(?:states|embeds))$/i;
const imageNames = /^(?:pixel_values|images?|img|pixels)$/;
/** What a decoder looks at beside its own states: of another length. */
const memoryNames =
  /^(?:encoder_hidden_states|encoder_outputs?|enc_output|memory|context|xa|kv|key_value_states|cross_\w+|keys?|values?|k|v|source)$/;

function kindByName(name: string): Kind | undefined {
  if (tokenNames.test(name) || placeNames.test(name)) return 'tokens';
  if (stateNames.test(name)) return 'states';
  return imageNames.test(name) ? 'image' : undefined;
}

const attendedNames = /^(?:q|query|queries|k|keys?|v|values?)(?:_states|_layer)?$/;
const tensorMethods =
  /^(?:flatten|permute|unsqueeze|squeeze|transpose|masked_fill|contiguous|chunk|unbind|softmax|repeat_interleave|new_zeros|new_ones)$/;

const batchAxes = /^(?:b_?|bs|bsz|batch\w*|n_batch|nb|num_seqs?|batch_?size)$/i;
const lengthAxes =
  /^(?:t|l|n|s|seq\w*|length|len|[qst]_?len|tgt_len\w*|src_len\w*|\w*_?seq_?len\w*|n_?ctx|ctx|time\w*|num_tokens|n_tokens|tokens)$/i;

const batch = rigid('B', { scope: lengthScope });
const length = rigid('T', { scope: lengthScope });
const otherLength = rigid('S', { scope: lengthScope });
/** Of tokens that stand in rows and columns. */
const mapSides = ['H', 'W'].map((side) => rigid(side, { scope: lengthScope }));

const maskEnding = /_?(?:key_)?(?:padding|pad|attention|attn)?_mask$/;

const producedNames = /^(?:tgt|trg|target|decoder_\w+|dec_\w+|y|captions?)$/;
const sourceNames = /^(?:src|source|encoder_\w+|enc_\w+|src_\w+)$/;

/** Under what name a length is known: a few names mean the one length there is. */
const lengthKey = (axis: string): string =>
  /^(?:t|n|l|len|length|seq\w*|time\w*|n_?tokens|num_tokens)$/i.test(axis) ? 'length' : axis.toLowerCase();

function shapesOf(
  name: string,
  { kind, axes, leastRank = 0, spread, isSource = false, isFlattened = false, attended, isMultiplied = false }: Evidence,
  /** Lengths by the names that are written for them: another name is another length. */
  lengthsByName?: Map<string, Dim>,
  sizeBy?: (axis: string) => Dim | undefined,
): readonly Shape[] {
  const isMemory = isSource || memoryNames.test(name.replace(maskEnding, ''));
  const long: Dim = isMemory ? otherLength : length;
  const lengthNamed = (axis: string): Dim => {
    const key = lengthKey(axis);
    const known = lengthsByName?.get(key);
    if (known !== undefined || lengthsByName === undefined) return known ?? long;
    // A sequence's length by the usual names is the one there is.
    const dim = key !== 'length' && [...lengthsByName.values()].includes(long) ? rigid(axis, { scope: lengthScope }) : long;
    lengthsByName.set(key, dim);
    return dim;
  };
  const free = (axis: string): Dim => flexible(axis, { scope: ownScope(name) });
  const by = leastRank > 2 && kind !== 'image' ? undefined : (kind ?? kindByName(name));
  if (axes?.some((axis) => axis !== undefined) === true) {
    // `N` is the batch where another axis is the length, and the length beside a batch.
    const hasBatch = axes.some((axis) => axis !== undefined && batchAxes.test(axis));
    const rows = hasBatch ? -1 : axes.findIndex((axis) => axis === 'N' || axis === 'n');
    let lengths = 0;
    const isBatchUnnamed = !hasBatch && rows < 0 && axes[0] === undefined && axes.slice(1).some((axis) => axis !== undefined);
    const dims = axes.map((axis, i) => {
      if (axis !== undefined && /^\d+$/.test(axis)) return number(Number(axis));
      if (axis === undefined ? i === 0 && isBatchUnnamed : batchAxes.test(axis) || i === rows) return batch;
      // In an image, `t` and `n` count something else.
      const isBetween = kind === 'states' && i === 1 && axes.length === 3 && hasBatch;
      const isLength = axis !== undefined && (isBetween || lengthAxes.test(axis) || lengthsByName?.has(axis.toLowerCase()) === true);
      if (isLength && axes.length <= 3 && lengths++ === 0) return lengthNamed(axis);
      return (axis === undefined ? undefined : sizeBy?.(axis)) ?? free(axis ?? `axis${i}`);
    });
    return [shapeOf(...dims)];
  }
  if (attended !== undefined && by === undefined && axes === undefined && attendedNames.test(name)) {
    // Queries and keys are as wide as each other, and no length is.
    const [heads, width] = [free('h'), rigid(/^v/.test(name) ? 'Dv' : 'D', { scope: 'attended' })];
    const byLength = (rows: Dim): readonly Shape[] => {
      if (attended.rank !== undefined) return [attended.rank === 4 ? shapeOf(batch, heads, rows, width) : shapeOf(batch, rows, width)];
      // What torch's own function is given has its heads beside its rows, where nothing tells otherwise.
      return [...(attended.isHeaded === true ? [shapeOf(batch, heads, rows, width)] : []), openShape([], [rows, width])];
    };
    // Code that builds a mask as square as the queries are long attends to as many keys.
    return long === length ? byLength(length) : [...byLength(long), ...byLength(length)];
  }
  const rank = axes?.length;
  const unnamed = axes === undefined ? [] : [shapeOf(...axes.map((_, i) => free(`axis${i}`)))];
  switch (by) {
    case 'tokens':
      if (placeNames.test(name) && (rank ?? 1) === 1) return [shapeOf(long), ...(rank === undefined ? [shapeOf(batch, long)] : [])];
      if (rank !== undefined && rank !== 2) return [];
      // Looked up in one branch and multiplied in another, it is tokens here and states there.
      if (isMultiplied) return [];
      if (rank !== undefined) return [shapeOf(batch, long)];
      return [shapeOf(batch, long), ...(isFlattened ? [shapeOf(batch, free('N'), long)] : [])];
    case 'states':
      if (rank !== undefined && rank !== 3) return unnamed;
      return [
        shapeOf(batch, long, free('C')),
        // A name alone does not say which of three axes is which.
        ...(kind === undefined ? unnamed : []),
        ...(rank === undefined ? [shapeOf(long, free('C')), shapeOf(batch, ...mapSides, free('C')), shapeOf(long, batch, free('C'))] : []),
      ];
    case 'image':
      if (rank !== undefined && rank !== 4) return unnamed;
      return [
        shapeOf(batch, free('C'), free('H'), free('W')),
        // What is called an image may be its patches; what a convolution takes is none.
        ...(rank === undefined && kind === undefined ? [shapeOf(batch, long, free('C')), shapeOf(long, free('C'))] : []),
      ];
    case 'mask':
      // Padding is told for each row; what is called a mask of attention may be told for each query, too.
      if (spread === 2) return [shapeOf(batch, long)];
      return [shapeOf(batch, long), /pad/.test(name) ? shapeOf(batch, number(1), number(1), long) : unknownShape];
    case 'channels':
      if (rank !== undefined && rank !== 3) return [];
      return [shapeOf(batch, free('C'), free('T'))];
    default:
      return unnamed;
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// How the code uses an input

function gather(
  interpreter: Interpreter,
  self: Value | undefined,
  definition: FunctionDefinition,
  name: string,
  evidence: Evidence,
  depth: number,
  globals: Map<string, Value> | undefined = classGlobals(interpreter, self),
): void {
  if (depth > maximumDepth) return;
  const selfName = definition.parameters[0]?.name?.name;
  const held = new Set([name]);
  const locals = new Map<string, Value>();
  const isHeld = (expression: Expression): boolean => expression.kind === 'name' && held.has(expression.name);
  const resolve = (expression: Expression): Value | undefined => {
    if (expression.kind === 'name') {
      if (expression.name === selfName) return self;
      const local = locals.get(expression.name);
      if (local !== undefined || globals === undefined) return local;
      const value = interpreter.guard(() => interpreter.names.global(globals, expression.name));
      return value?.kind === 'function' && !value.file.isPrelude ? value : undefined;
    }
    if (expression.kind === 'attribute') {
      const object = resolve(expression.object);
      if (object?.kind === 'instance') {
        const own = object.attributes.get(expression.name.name);
        if (own !== undefined) return own;
        const member = classMember(object.class, expression.name.name);
        return member?.kind === 'function' && member.wraps === 'plain' ? { kind: 'bound', self: object, callee: member } : undefined;
      }
      return undefined;
    }
    if (expression.kind === 'subscript') {
      const object = resolve(expression.object);
      return object?.kind === 'instance' ? firstOf(interpreter, object) : undefined;
    }
    return undefined;
  };
  const classNamed = (expression: Expression): Value | undefined => {
    const [root, member] = expression.kind === 'attribute' ? [expression.object, expression.name.name] : [expression, undefined];
    if (root.kind !== 'name' || locals.has(root.name) || globals === undefined) return undefined;
    const value = interpreter.guard(() => {
      const of = interpreter.names.global(globals, root.name);
      return of === undefined || member === undefined ? of : interpreter.attribute(of, member);
    });
    return value?.kind === 'class' ? value : undefined;
  };
  /** `self.modulation(c).chunk(6, dim=1)`, where the layer makes several widths: they are on axis 1, so there is one row for each sample. */
  const isSplitOfWidth = ({ callee, arguments: given }: Call): boolean => {
    if (callee.kind !== 'attribute' || callee.name.name !== 'chunk' || callee.object.kind !== 'call') return false;
    const [fedWith] = callee.object.arguments;
    const count = wholeNumber(given[0]?.value);
    const axis = given.find(({ name }, i) => (name === undefined ? i === 1 : name.name === 'dim'));
    if (fedWith === undefined || !isHeld(fedWith.value) || count === undefined || count < 2 || wholeNumber(axis?.value) !== 1) return false;
    const layer = resolve(callee.object.callee);
    const width = layer?.kind === 'instance' ? widthOf(interpreter, layer) : undefined;
    // One that makes four widths where six are taken from it makes several, too.
    return width !== undefined && [count, 2, 3, 5].some((each) => (each === count || count > 2) && mod(width, number(each)).constant === 0);
  };
  /** `self.lin(silu(vec))[:, None, :]`: what a layer makes of it has two axes, and between them one for the tokens is put. */
  const isWidthSpread = ({ object, indices }: Subscript): boolean => {
    const [rows, row, width] = indices;
    const isAll = (index: Expression | undefined): boolean =>
      index?.kind === 'slice' && index.lower === undefined && index.upper === undefined && index.step === undefined;
    const isSpread = indices.length === 3 && isAll(rows) && row?.kind === 'constant' && row.value === null && isAll(width);
    if (!isSpread || object.kind !== 'call' || object.arguments.length !== 1) return false;
    const value = object.arguments[0]?.value;
    const inner = value?.kind === 'call' && value.arguments.length === 1 ? value.arguments[0]?.value : value;
    const layer = inner !== undefined && isHeld(inner) ? resolve(object.callee) : undefined;
    return layer?.kind === 'instance' && widthOf(interpreter, layer) !== undefined;
  };
  /** `checkpoint(self._forward, (x, context), ...)` calls `self._forward(x, context)`. */
  const handedOn = (call: Call): void => {
    const [through, first, ...others] = call.arguments;
    if (through === undefined || first === undefined || !/checkpoint/i.test(calledName(call))) return;
    const given =
      first.value.kind === 'tuple' || first.value.kind === 'list' ? first.value.items : [first, ...others].map(({ value }) => value);
    const place = given.findIndex(isHeld);
    const target = place < 0 ? undefined : resolve(through.value);
    if (target !== undefined) fed(interpreter, target, place, evidence, depth);
  };
  const isNormed = (value: Expression): boolean => {
    const [only] = value.kind === 'call' && value.arguments.length === 1 ? value.arguments : [];
    if (value.kind !== 'call' || only === undefined || !(isHeld(only.value) || isNormed(only.value))) return false;
    const layer = resolve(value.callee);
    return layer?.kind === 'instance' && keepsAxes(layer);
  };
  /** `self.attention(self.norm(x))`: how many axes it has where the code counts them there. */
  const handNormed = (call: Call): void => {
    const at = call.arguments.findIndex(({ value, kind }) => (kind === 'positional' || kind === 'keyword') && isNormed(value));
    const argument = call.arguments[at];
    const target = argument === undefined ? undefined : resolve(call.callee);
    if (argument === undefined || target === undefined) return;
    const inside: Evidence = {};
    fed(interpreter, target, argument.kind === 'keyword' ? (argument.name?.name ?? '') : at, inside, depth);
    if (evidence.axes !== undefined || inside.axes === undefined) return;
    evidence.axes = inside.axes;
    if (inside.axesOf !== undefined) evidence.axesOf = inside.axesOf;
    if (inside.isOfSeveralRanks === true) evidence.isOfSeveralRanks = true;
    if (inside.kind !== undefined) evidence.kind ??= inside.kind;
  };
  const called = (call: Call): void => {
    const { callee } = call;
    if (callee.kind === 'attribute' && isHeld(callee.object)) {
      const first = call.arguments[0]?.value;
      if (tensorMethods.test(callee.name.name)) evidence.isTensor = true;
      // It serves any number of axes: any will do to read it.
      if (depth === 0 && callee.name.name === 'mean' && isOfFeatures(call) && isNormalizer(self)) {
        evidence.kind ??= 'states';
        evidence.axes ??= [undefined, undefined, undefined];
      }
      if (/^(?:view|reshape)$/.test(callee.name.name) && call.arguments.length === 2 && first?.kind === 'unary')
        evidence.isFlattened = true;
      if (callee.name.name === 'permute') {
        const count = call.arguments.length === 1 ? itemCount(call.arguments[0]?.value) : call.arguments.length;
        if (count !== undefined && count > 1) evidence.axes ??= Array.from({ length: count }, () => undefined);
      }
      return;
    }
    if (isSplitOfWidth(call)) evidence.axes ??= ['B', undefined];
    const [asked, types] = call.arguments;
    if (callee.kind === 'name' && callee.name === 'isinstance' && asked !== undefined && isHeld(asked.value) && types !== undefined)
      if (!isTensorType(types.value)) evidence.isSequence = true;
    // Layers take one of several inputs, not a row of one.
    const isItem = ({ value }: Argument): boolean =>
      value.kind === 'subscript' && isHeld(value.object) && value.indices.length === 1 && value.indices[0]?.kind !== 'slice';
    if (call.arguments.some(isItem) && resolve(callee)?.kind === 'instance') evidence.isSequence = true;
    handedOn(call);
    const at = call.arguments.findIndex(({ value, kind }) => (kind === 'positional' || kind === 'keyword') && isHeld(value));
    const argument = call.arguments[at];
    if (argument === undefined) {
      handNormed(call);
      return;
    }
    const functionName = callee.kind === 'name' ? callee.name : callee.kind === 'attribute' ? callee.name.name : '';
    if (/^(?:rearrange|repeat|reduce)$/.test(functionName)) {
      const pattern = call.arguments.find(({ value }) => value.kind === 'string')?.value;
      evidence.axes ??= pattern?.kind === 'string' ? axesIn(pattern.value) : undefined;
      return;
    }
    const isFunction =
      callee.kind === 'attribute' && callee.object.kind === 'name' && /^(?:F|functional)$/.test(callee.object.name) && at === 0;
    if (/^conv2d$/.test(functionName)) evidence.kind ??= 'image';
    else if (isFunction && functionName === 'conv1d') evidence.kind ??= 'channels';
    else if (isFunction && functionName === 'linear') evidence.kind ??= 'states';
    else if (isFunction && functionName === 'embedding') evidence.kind ??= 'tokens';
    if (callee.kind === 'attribute' && callee.name.name === 'forward' && isSuper(callee.object)) {
      const base = self?.kind === 'instance' ? libraryClass(self.class) : undefined;
      if (base !== undefined) fedLibrary(base.name, argument.kind === 'keyword' ? (argument.name?.name ?? '') : at, evidence);
      return;
    }
    const target = callee.kind === 'call' ? classNamed(callee.callee) : resolve(callee);
    if (target === undefined) return;
    fed(interpreter, target, argument.kind === 'keyword' ? (argument.name?.name ?? '') : at, evidence, depth);
  };
  /** The factor is the input itself, its keys turned or what it is divided by to scale it. */
  const attend = (factor: Expression | undefined): void => {
    if (factor === undefined) return;
    if (depth === 0 && isHeld(factor)) evidence.isMultiplied = true;
    if (isHeld(factor)) evidence.attended ??= { rank: undefined };
    else if (factor.kind === 'binary' && /^[*/]$/.test(factor.operator)) attend(factor.left);
    else if (factor.kind === 'attribute' && /^(?:mT|T)$/.test(factor.name.name) && isHeld(factor.object))
      evidence.attended ??= { rank: undefined };
    else if (
      factor.kind === 'call' &&
      factor.callee.kind === 'attribute' &&
      factor.callee.name.name === 'transpose' &&
      isHeld(factor.callee.object)
    ) {
      const turned = factor.arguments.map(({ value }) => wholeNumber(value)).sort((a, b) => (a ?? 0) - (b ?? 0));
      const [a, b] = turned;
      if (turned.length === 2 && (a === -2 ? b === -1 : a !== undefined && a > 0 && b === a + 1))
        evidence.attended = { rank: a === -2 ? undefined : a === 2 ? 4 : 3 };
    }
  };
  /** `for layer, x in zip(self.layers, (query, key))`: the names that stand for the input, and for the layers. */
  const alias = (target: Expression, iterable: Expression): void => {
    if (target.kind !== 'tuple' || iterable.kind !== 'call' || iterable.callee.kind !== 'name' || iterable.callee.name !== 'zip') return;
    iterable.arguments.forEach(({ value }, i) => {
      const item = target.items[i];
      if (item?.kind !== 'name') return;
      if ((value.kind === 'tuple' || value.kind === 'list') && value.items.some(isHeld)) held.add(item.name);
      const over = resolve(value);
      const layer = over?.kind === 'instance' ? firstOf(interpreter, over) : undefined;
      if (layer !== undefined) locals.set(item.name, layer);
    });
  };
  const isRun = (iterable: Expression): boolean =>
    isHeld(iterable) ||
    (iterable.kind === 'call' &&
      iterable.callee.kind === 'name' &&
      /^(?:enumerate|zip)$/.test(iterable.callee.name) &&
      iterable.arguments.some(({ value }) => isHeld(value)));
  const visitExpression = (expression: Expression): void => {
    if (expression.kind === 'comprehension') for (const { target, iterable } of expression.clauses) alias(target, iterable);
    if (expression.kind === 'binary' && expression.operator === '@')
      for (const factor of [expression.left, expression.right]) attend(factor);
    if (expression.kind === 'call' && /^(?:matmul|bmm)$/.test(calledName(expression)))
      for (const { value } of expression.arguments) attend(value);
    if (expression.kind === 'call' && self === undefined && calledName(expression) === 'scaled_dot_product_attention')
      for (const { value } of expression.arguments) if (isHeld(value)) evidence.attended ??= { rank: undefined, isHeaded: true };
    // Innermost first: what is called first decides.
    eachChildExpression(expression, visitExpression);
    if (expression.kind === 'call') called(expression);
    if (expression.kind === 'comprehension' && expression.clauses.some(({ iterable }) => isRun(iterable))) evidence.isSequence = true;
    if (expression.kind === 'subscript' && expression.indices.some(isHeld)) evidence.isIndex = true;
    if (expression.kind === 'subscript' && isWidthSpread(expression)) evidence.axes ??= ['B', undefined];
    if (expression.kind === 'subscript' && expression.object.kind === 'name' && !isHeld(expression.object)) noteCut(expression);
    const [index] = expression.kind === 'subscript' && expression.indices.length === 1 ? expression.indices : [];
    if (expression.kind === 'subscript' && index !== undefined && isHeld(index)) {
      const table = resolve(expression.object);
      // Rows of a table are looked up by numbers of tokens.
      if (table?.kind === 'tensor' && table.isParameter === true && table.shape.dims.length === 2) evidence.kind ??= 'tokens';
    }
    if (expression.kind === 'subscript' && isHeld(expression.object)) {
      const isCounted = ({ kind, ...each }: Expression): boolean => kind !== 'constant' || !('value' in each) || each.value === true;
      evidence.leastRank = Math.max(evidence.leastRank ?? 0, expression.indices.filter(isCounted).length);
      const own = expression.indices.filter((each) => !isNone(each));
      if (own.length > 1 && own.length < expression.indices.length && own.every(({ kind }) => kind === 'slice'))
        evidence.spread = (evidence.spread ?? own.length) === own.length ? own.length : 'several';
    }
  };
  const isShape = (expression: Expression): boolean =>
    (expression.kind === 'attribute' && expression.name.name === 'shape' && isHeld(expression.object)) ||
    (expression.kind === 'call' &&
      expression.arguments.length === 0 &&
      expression.callee.kind === 'attribute' &&
      expression.callee.name.name === 'size' &&
      isHeld(expression.callee.object));
  /** `joined[:, :text.shape[1]]`, `joined[:, text.shape[1]:]`. */
  const noteCut = ({ indices }: Subscript): void => {
    const index = indices[1];
    if (index?.kind !== 'slice' || (index.lower === undefined) === (index.upper === undefined)) return;
    const bound = index.lower ?? index.upper;
    const sizes = bound?.kind === 'subscript' && bound.indices.length === 1 ? bound.object : bound;
    const axis = bound?.kind === 'subscript' ? bound.indices[0] : bound?.kind === 'call' ? bound.arguments[0]?.value : undefined;
    const isSize =
      sizes?.kind === 'call' && sizes.callee.kind === 'attribute' && sizes.callee.name.name === 'size' && isHeld(sizes.callee.object);
    if (sizes === undefined || !(isSize || isShape(sizes)) || wholeNumber(axis) !== 1) return;
    evidence.cut = { ...evidence.cut, ...(index.upper === undefined ? { isAfter: true } : { isBefore: true }) };
  };
  /** The input, the input where it is given, or the input normed: it has the axes of the input. */
  const isSameAxes = (value: Expression): boolean => {
    // A residual sum.
    if (value.kind === 'binary' && value.operator === '+') return isHeld(value.left) || isHeld(value.right);
    if (value.kind !== 'call') return isHeld(value);
    if (value.arguments[0] !== undefined && isHeld(value.arguments[0].value) && givesBackFirst(resolve(value.callee))) return true;
    const layer =
      value.arguments.length === 1 && value.arguments[0] !== undefined && isHeld(value.arguments[0].value)
        ? resolve(value.callee)
        : undefined;
    return layer?.kind === 'instance' && layer.class.file?.isPrelude === true && keepsAxes(layer);
  };
  /** `q, k = rotate(q, k, angles)`: each of several comes out in its place. */
  const isTurned = (value: Expression, bound: readonly string[]): boolean =>
    value.kind === 'call' &&
    bound.length > 1 &&
    bound.every((each, i) => value.arguments[i]?.value.kind === 'name' && value.arguments[i].value.name === each);
  const visit = (statement: Statement): boolean => {
    for (const expression of statementExpressions(statement)) if (mayTell(expression, held)) visitExpression(expression);
    if (statement.kind === 'assign') {
      const [target] = statement.targets;
      if (target !== undefined && (target.kind === 'tuple' || target.kind === 'list') && isShape(statement.value)) {
        const axes = target.items.map((item) => (item.kind === 'name' ? item.name.replace(/^_+/, '') || undefined : undefined));
        if (target.items.every((item) => item.kind !== 'starred')) {
          if (evidence.axes !== undefined && evidence.axes.length !== axes.length) evidence.isOfSeveralRanks = true;
          if (evidence.axes === undefined) evidence.axesOf = definition;
          evidence.axes ??= axes;
        }
      }
      if (isHeld(statement.value) && (target?.kind === 'tuple' || target?.kind === 'list')) evidence.isSequence = true;
      const bound = statement.targets.flatMap((each) => [...targetNames(each)]);
      if (isSameAxes(statement.value)) for (const each of bound) held.add(each);
      else if (!isTurned(statement.value, bound)) for (const each of bound) held.delete(each);
      for (const each of bound) {
        const { value: made } = statement;
        const value = resolve(made) ?? (made.kind === 'call' ? classNamed(made.callee) : undefined);
        if (value !== undefined) locals.set(each, value);
      }
    }
    if (statement.kind === 'for' && isRun(statement.iterable)) evidence.isSequence = true;
    if (statement.kind === 'for' && statement.target.kind === 'name') {
      const over = resolve(statement.iterable);
      const item = over?.kind === 'instance' ? firstOf(interpreter, over) : undefined;
      if (item !== undefined) locals.set(statement.target.name, item);
    }
    if (held.size === 0 || (evidence.kind !== undefined && evidence.axes !== undefined)) return false;
    let goesOn = true;
    if (statement.kind !== 'function' && statement.kind !== 'class')
      eachChildStatement(statement, (child) => {
        goesOn = goesOn && visit(child);
      });
    return goesOn;
  };
  for (const statement of definition.body) if (!visit(statement)) break;
}

function classGlobals(interpreter: Interpreter, self: Value | undefined): Map<string, Value> | undefined {
  const file = self?.kind === 'instance' ? self.class.file : undefined;
  return file === undefined ? undefined : interpreter.names.globalsOf(file);
}

/** What it says about an input that it is given to this callee, as its first or named argument. */
function fed(interpreter: Interpreter, target: Value, argument: number | string, evidence: Evidence, depth: number): void {
  if (target.kind === 'function' && target.definition.kind === 'function') {
    const name = typeof argument === 'string' ? argument : target.definition.parameters[argument]?.name?.name;
    if (name !== undefined) gather(interpreter, undefined, target.definition, name, evidence, depth + 1, target.globals);
    return;
  }
  if (target.kind === 'bound') {
    if (target.callee.kind !== 'function' || target.callee.definition.kind !== 'function') return;
    const { definition } = target.callee;
    const name = typeof argument === 'string' ? argument : definition.parameters[argument + 1]?.name?.name;
    if (name !== undefined) gather(interpreter, target.self, definition, name, evidence, depth + 1);
    return;
  }
  // A class stands for what is made where it is called, as in Flax: `nn.Dense(width)(x)`.
  const of = target.kind === 'class' ? target : target.kind === 'instance' ? target.class : undefined;
  if (of === undefined) return;
  const made = target.kind === 'instance' ? target : undefined;
  const forward = forwardMember(of);
  // A class that changes less than what runs when it is called takes what the library's takes.
  const library = forward === undefined ? libraryClass(of) : undefined;
  if (library !== undefined) {
    if (made !== undefined && (library.name === 'ModuleList' || library.name === 'Sequential')) {
      for (const item of itemsOf(interpreter, made)) {
        fed(interpreter, item, argument, evidence, depth + 1);
        // What keeps the shape says nothing, and the next takes the same.
        const isPassing = item.kind === 'instance' && passing.test(libraryClass(item.class)?.name ?? '');
        if (library.name === 'ModuleList' || evidence.kind !== undefined || !isPassing) break;
      }
    } else if (made !== undefined && /^(?:Rearrange|Reduce)$/.test(library.name)) {
      const pattern = made.attributes.get('pattern');
      evidence.axes ??= pattern?.kind === 'string' ? axesIn(pattern.value) : undefined;
    } else fedLibrary(library.name, argument, evidence);
    return;
  }
  if (forward?.definition.kind !== 'function') return;
  const { definition } = forward;
  const name = typeof argument === 'string' ? argument : definition.parameters[argument + 1]?.name?.name;
  if (name !== undefined)
    gather(interpreter, made, definition, name, evidence, depth + 1, made === undefined ? forward.globals : undefined);
}

/** The axes that an einops pattern takes, by name; undefined where it takes any number of them. */
function axesIn(pattern: string | undefined): readonly AxisName[] | undefined {
  const side = pattern === undefined ? undefined : parseEinops(pattern)?.inputs[0];
  const isOpen = side?.some(({ axes }) => axes.some(({ kind }) => kind === 'ellipsis'));
  if (side === undefined || isOpen === true) return undefined;
  // An image that is cut into patches along both sides.
  const cut = side.filter(({ composed }) => composed);
  const sides = side.length === 4 && cut.length === 2 ? ['H', 'W'] : [];
  return side.map((group) => (group.composed ? sides[cut.indexOf(group)] : group.axes[0]?.text));
}

/** What it says about an input that it is given to this layer of a library. */
function fedLibrary(name: string, argument: number | string, evidence: Evidence): void {
  if (/^(?:MultiheadAttention|Transformer)/.test(name) && !isState(name, argument)) evidence.isMask = true;
  else if (name === 'Embedding' || name === 'Embed') evidence.kind ??= 'tokens';
  else if (name === 'Conv2d') evidence.kind ??= 'image';
  else if (name === 'Conv1d') {
    if (evidence.kind === 'states') evidence.axes ??= [undefined, undefined, undefined];
    evidence.kind ??= 'channels';
  } else if (
    /^(?:Linear|Dense|LayerNorm|LayerNormalization|RMSNorm|RMSNormalization|MultiheadAttention|Conv1D|Transformer(?:Encoder|Decoder)?(?:Layer)?)$/.test(
      name,
    )
  )
    evidence.kind ??= 'states';
}

/** `x.mean(-1, keepdim=True)`: over the last axis. */
const isOfFeatures = ({ arguments: given }: Call): boolean =>
  given.some(({ name, value }, i) => (name === undefined ? i === 0 : name.name === 'dim') && wholeNumber(value) === -1) &&
  given.some(({ name, value }) => name?.name === 'keepdim' && value.kind === 'constant' && value.value === true);

/** A norm that is written out: it holds no layers, and a weight for each feature. */
function isNormalizer(self: Value | undefined): boolean {
  if (self?.kind !== 'instance') return false;
  const held = [...self.attributes.values()];
  return (
    held.every(({ kind }) => kind !== 'instance' && kind !== 'list') &&
    held.some((value) => value.kind === 'tensor' && value.isParameter === true && value.shape.dims.length === 1)
  );
}

/** `def default(value, other)`: a function that gives back what it is given, and something else where that is None. */
function givesBackFirst(target: Value | undefined): boolean {
  if (target?.kind !== 'function' || target.definition.kind !== 'function') return false;
  const { parameters, body } = target.definition;
  const first = parameters[0]?.name?.name;
  const isFirst = (expression: Expression | undefined): boolean => expression?.kind === 'name' && expression.name === first;
  const [last] = body.slice(-1);
  const given = last?.kind === 'return' && last.value?.kind === 'conditional' ? last.value : undefined;
  if (given !== undefined) return isFirst(given.value);
  const returned = body.flatMap((each) => (each.kind === 'if' ? each.branches.flatMap((branch) => branch.body) : []));
  return returned.some((each) => each.kind === 'return' && isFirst(each.value));
}

const passing =
  /^(?:ReLU6?|GELU|SiLU|Mish|Tanh|Sigmoid|ELU|LeakyReLU|Hardswish|Softplus|Identity|Dropout|GroupNorm|(?:Sync)?(?:Batch|Instance)Norm(?:[123]d)?)$/;

/** A norm or a dropout: what comes out of it has the axes of what comes in. */
function keepsAxes(layer: InstanceValue): boolean {
  const library = libraryClass(layer.class);
  if (library !== undefined && /^(?:LayerNorm|LayerNormalization|RMSNorm|RMSNormalization|Dropout)$/.test(library.name)) return true;
  return library !== undefined && isModuleBase(library) && /Norm/.test(layer.class.name) && isNormalizer(layer);
}

/** The first class of a library among those that a class is made of. */
const libraryClass = (of: ClassValue): ClassValue | undefined => of.mro.find(({ file }) => file?.isPrelude === true);

const isNone = (expression: Expression): boolean => expression.kind === 'constant' && expression.value === null;

const isSuper = (expression: Expression): boolean =>
  expression.kind === 'call' && expression.callee.kind === 'name' && expression.callee.name === 'super';

/** Whether an argument of torch's layers of attention holds states, and not a mask or a flag. */
const isState = (layer: string, argument: number | string): boolean =>
  typeof argument === 'string'
    ? /^(?:query|key|value|src|tgt|memory)$/.test(argument)
    : argument < (layer === 'MultiheadAttention' ? 3 : layer.startsWith('TransformerEncoder') ? 1 : 2);

/** The modules that a list of a library holds. */
function itemsOf(interpreter: Interpreter, instance: InstanceValue): readonly Value[] {
  if (instance.class.file?.isPrelude !== true) return [];
  const items = interpreter.guard(() => iterate(interpreter, instance))?.items ?? [];
  return items.filter(({ kind }) => kind === 'instance');
}

const firstOf = (interpreter: Interpreter, instance: InstanceValue): Value | undefined => itemsOf(interpreter, instance)[0];

/** How wide a linear layer makes what comes in, or the last one of a row. */
function widthOf(interpreter: Interpreter, layer: InstanceValue): Dim | undefined {
  const library = libraryClass(layer.class)?.name;
  const last = library === 'Sequential' ? itemsOf(interpreter, layer).at(-1) : layer;
  if (last?.kind !== 'instance' || libraryClass(last.class)?.name !== 'Linear') return undefined;
  const width = last.attributes.get('out_features');
  return width === undefined ? undefined : dimOf(width);
}

/** Whether tensors are among the types that are asked for. */
const isTensorType = (types: Expression): boolean =>
  types.kind === 'tuple'
    ? types.items.some(isTensorType)
    : /(?:^|\.)(?:Tensor|Array|ndarray|Parameter)$/.test(
        types.kind === 'attribute' ? types.name.name : types.kind === 'name' ? types.name : '',
      );

const calledName = ({ callee }: Call): string =>
  callee.kind === 'name' ? callee.name : callee.kind === 'attribute' ? callee.name.name : '';

function wholeNumber(expression: Expression | undefined): number | undefined {
  if (expression === undefined) return undefined;
  if (expression.kind === 'unary' && expression.operator === '-') {
    const value = wholeNumber(expression.operand);
    return value === undefined ? undefined : -value;
  }
  return expression.kind === 'number' && Number.isInteger(expression.value) ? (expression.value as number) : undefined;
}

const itemCount = (expression: Expression | undefined): number | undefined =>
  expression?.kind === 'tuple' || expression?.kind === 'list' ? expression.items.length : undefined;
