import { type Dim, loneAtom, type SymbolAtom, unknownDim } from '../dims/dim.ts';
import { Facts } from '../dims/facts.ts';
import { formatDim } from '../dims/format.ts';
import { applyToShape } from '../dims/shape.ts';
import type { Substitution } from '../dims/unify.ts';
import { symbolsOf } from '../dims/visit.ts';
import type { Answers } from './answers.ts';
import { makeCall } from './define.ts';
import { factorTrials } from './factors.ts';
import { alternatives, ancestors } from './graph.ts';
import type { Interpreter } from './interpreter.ts';
import { isInOneRow, isWeight, lengthConflict } from './lengths.ts';
import { choiceScope, dimOf, none } from './make.ts';
import type { Call, Problem } from './operation.ts';
import type { Fixing } from './recording.ts';
import {
  isBegin,
  isContext,
  isFreeSide,
  isModelSide,
  isOpen,
  isReached,
  isRows,
  lengthScope,
  type Sample,
  type SampleGroup,
  type Samples,
  sampled,
  sampleGroups,
  separateWidths,
  usualSizes,
  withContext,
  withoutSides,
} from './samples.ts';
import type { BuiltinValue, TensorValue, Value } from './value.ts';

/** Tries operations on numbers where symbols leave open whether they fit. */
export class Trials {
  readonly #interpreter: Interpreter;
  /** The last operation left open whether it fits. */
  isDoubtful = false;
  /** What the operation that is being tried first fails of. */
  mismatch: Problem | undefined;

  constructor(interpreter: Interpreter) {
    this.#interpreter = interpreter;
  }

  /** Runs an operation about which the symbols say nothing on numbers; reports it when it fails on them. */
  attempt(callee: BuiltinValue, call: Call, bound: ReadonlyMap<string, Value>, given: ReadonlySet<string>, samples: Samples): void {
    const interpreter = this.#interpreter;
    const { recording } = interpreter;
    const { facts, substitution } = interpreter;
    const input = callee.name === 'torch.nn.functional.linear' ? bound.get('input') : undefined;
    if (input?.kind === 'tensor' && isInOneRow(applyToShape(input.shape, substitution))) return;
    let isGiven = false;
    const asked = samples.given;
    const noting =
      asked === undefined
        ? samples
        : {
            ...samples,
            given: (symbol: SymbolAtom): number | undefined => {
              const value = asked(symbol);
              isGiven ||= value !== undefined;
              return value;
            },
          };
    recording.isPaused = true;
    const run: Run = (sample, basis, values = bound, under = facts) => {
      if (!isReached(under, sample)) return 'unreached';
      const numbers = new Map<string, Value>();
      let changed = false;
      for (const [name, value] of values) {
        const tried = valued(value, (dim) => {
          const size = sampled(substitution.apply(dim), sample);
          changed ||= size !== dim;
          // Beside the number of a length, a size without a number may be any.
          return basis === 'lengths' && size.constant === undefined && !size.flexible ? unknownDim('a size') : size;
        });
        numbers.set(name, tried);
      }
      if (!changed) return 'unchanged';
      this.mismatch = undefined;
      interpreter.facts = Facts.none;
      interpreter.countTry();
      const result = interpreter.guard(() =>
        interpreter.heap.attempt(() => callee.operation.run(makeCall(call.name, numbers, given, call.site), interpreter)),
      );
      interpreter.facts = facts;
      interpreter.substitution = substitution;
      return (result === undefined ? undefined : this.mismatch) ?? 'works';
    };
    try {
      let byDefaults: Problem | undefined;
      // Channels of convolutions change from stage to stage in ways that defaults tell best.
      const isStaged = /\.(?:group_norm|batch_norm|conv[123]d)$/.test(callee.name);
      const groups: (SampleGroup & { readonly hasFreeSides?: true })[] = [...sampleGroups(noting), separateWidths];
      for (const [i, { basis, members, hasFreeSides }] of groups.entries()) {
        if (byDefaults !== undefined && (isStaged || basis === 'widths')) break;
        const problems: Problem[] = [];
        // A number of an axis that the constructor is given is no size, whatever it is called.
        if (basis !== 'defaults' && basis !== 'given' && isAxisOpen(bound)) continue;
        const fixesLength = basis === 'lengths' && mayFixLength(callee.name, bound, interpreter.uncertain);
        if (fixesLength && !isAddedTable(callee.name, bound) && !mixesPlaces(callee.name, bound)) continue;
        const isCut = basis === 'lengths' && [...bound.values()].some(isPartlyCut);
        for (const member of members) {
          const tried = run(isCut ? withContext(member) : member, basis);
          if (tried === 'unreached') continue;
          if (typeof tried === 'string') break;
          problems.push(tried);
        }
        const [problem] = problems;
        if (problem === undefined || problems.length < members.length) continue;
        if (fixesLength) {
          recording.isPaused = false;
          const lengths = lengthsIn(bound, substitution);
          const fixing = this.#wholeTable(call, bound) ?? {};
          recording.note({ happened: 'fixed', fixing: { ...fixing, lengths } });
          recording.isPaused = true;
          continue;
        }
        if (basis === 'samples' && hasFreeSides === undefined && sidesAreFree(bound, substitution)) {
          // Nothing says how large images are: any size that fits will do.
          groups.splice(i + 1, 0, { basis, members: members.map(withoutSides), hasFreeSides: true });
          continue;
        }
        // Which branch runs under what is given is not known: there it shows no more than defaults do.
        if (basis === 'defaults' || (basis === 'given' && (!isGiven || interpreter.uncertain > 0))) {
          byDefaults = problem;
          continue;
        }
        recording.isPaused = false;
        interpreter.report(call, {
          kind: callee.name,
          message: problem.message,
          ...ofAxes(problem),
          basis,
          ...(byDefaults === undefined ? {} : { failsByDefaults: true as const }),
          ...(basis === 'lengths' ? { lengths: lengthsIn(bound, substitution) } : {}),
        });
        return;
      }
      if (byDefaults !== undefined) {
        recording.isPaused = false;
        interpreter.report(call, { kind: callee.name, message: byDefaults.message, ...ofAxes(byDefaults), basis: 'defaults' });
        return;
      }
      const forgotten = this.#factor(bound, samples, run);
      if (forgotten !== undefined) {
        recording.isPaused = false;
        interpreter.report(call, { kind: callee.name, message: forgotten.message, ...ofAxes(forgotten), basis: 'samples' });
        return;
      }
      const oneBranch = this.#oneBranch(callee.name, bound, samples, run);
      if (oneBranch !== undefined) {
        recording.isPaused = false;
        const { values, leaf, message } = oneBranch;
        interpreter.report(makeCall(call.name, values, given, call.site), {
          kind: callee.name,
          message,
          basis: 'lengths',
          lengths: lengthsIn(values, substitution),
          ofBranch: leaf,
        });
        return;
      }
      const conflict = lengthConflict(callee.name, bound, (dim) => substitution.apply(dim));
      if (conflict === undefined || (interpreter.uncertain > 0 && !products.test(callee.name))) {
        const fixing = this.#wholeTable(call, bound);
        recording.isPaused = false;
        if (fixing !== undefined) recording.note({ happened: 'fixed', fixing });
        return;
      }
      recording.isPaused = false;
      interpreter.report(call, { kind: callee.name, message: conflict, basis: 'lengths', lengths: lengthsIn(bound, substitution) });
    } finally {
      recording.isPaused = false;
      interpreter.facts = facts;
      interpreter.substitution = substitution;
    }
  }

  /** A table of one size that stands uncut where a length of what comes in does. */
  #wholeTable(call: Call, bound: ReadonlyMap<string, Value>): Fixing | undefined {
    const interpreter = this.#interpreter;
    const found = sums.test(call.name) && interpreter.uncertain === 0 ? tableSize(bound, interpreter.substitution) : undefined;
    if (found === undefined) return undefined;
    const { length, size } = found;
    const problem: Problem = {
      kind: call.name,
      message: `${formatDim(length)} is to be ${formatDim(size)} here, and elsewhere a table of that length is cut to what comes in`,
      basis: 'lengths',
      lengths: lengthsIn(bound, interpreter.substitution),
      isOfOneLength: true,
    };
    return { lengths: [], size: size.key, failure: interpreter.failureOf(call, problem) };
  }

  /**
   * What fails with what one of two branches gives and works with what the other does, whatever the widths are: where the tensor that
   * comes of either is used, the code does not ask again which branch ran.
   */
  #oneBranch(name: string, bound: ReadonlyMap<string, Value>, samples: Samples, run: Run): OfBranch | undefined {
    const interpreter = this.#interpreter;
    const given = [...bound].flatMap(([key, value]) => (value.kind === 'tensor' ? [[key, value] as const] : []));
    const open = given.filter(([, value]) => isOpenByBranches(value));
    const [only] = open;
    if (only === undefined || open.length > 1 || isAxisOpen(bound)) return undefined;
    const [key, joined] = only;
    // What else differs between branches may differ between the same ones.
    if (given.some(([, value]) => value !== joined && ancestors(value, undefined, 200).some(isOpenByBranches))) return undefined;
    const failing: OfBranch[] = [];
    let works = 0;
    for (const leaf of alternatives(joined)) {
      const under = interpreter.madeUnder(leaf);
      if (under === undefined || under.depth <= interpreter.branches || contradicts(under.answers, interpreter.answers)) continue;
      if (!isWhollyKnown(leaf) || leaf.shape.dims.length !== joined.shape.dims.length) continue;
      const values = new Map(bound).set(key, leaf);
      const tried = (basis: SampleGroup['basis']): readonly ReturnType<Run>[] =>
        sampleGroups(samples).flatMap((group) =>
          group.basis === basis ? group.members.map((member) => run(member, basis, values, under.facts)) : [],
        );
      const lengths = tried('lengths');
      const problems = lengths.flatMap((each) => (typeof each === 'object' ? [each] : []));
      const [problem] = problems;
      if (problem === undefined) works += lengths.includes('unreached') ? 0 : 1;
      // Widths that differ in one branch alone may be settings that go with it.
      else if (problems.length === lengths.length && !tried('samples').some((each) => typeof each === 'object'))
        if (!mayFixLength(name, values, interpreter.uncertain)) failing.push({ values, leaf, message: problem.message });
    }
    return works > 0 && failing.length === 1 ? failing[0] : undefined;
  }

  /** What fails unless a size that stands as a factor before others is 1. */
  #factor(bound: ReadonlyMap<string, Value>, samples: Samples, run: Run): Problem | undefined {
    if (isAxisOpen(bound)) return undefined;
    const dims: Dim[] = [];
    for (const value of bound.values())
      valued(value, (dim) => {
        dims.push(this.#interpreter.substitution.apply(dim));
        return dim;
      });
    const [usual] = usualSizes(samples);
    for (const { members, works } of usual === undefined ? [] : factorTrials(dims, usual, samples.defaults)) {
      const [two, three] = members.map((sample) => run(sample, 'samples'));
      if (typeof two === 'object' && typeof three === 'object' && run(works, 'samples') === 'works') return two;
    }
    return undefined;
  }
}

/** Tries an operation with a sample's numbers, in place of the arguments and facts that are given to it, or of others. */
type Run = (
  sample: Sample,
  basis: SampleGroup['basis'],
  values?: ReadonlyMap<string, Value>,
  under?: Facts,
) => Problem | 'unreached' | 'unchanged' | 'works';

/** The size of a table that stands uncut where a length of what comes in does. */
function tableSize(
  bound: ReadonlyMap<string, Value>,
  substitution: Substitution,
): { readonly length: Dim; readonly size: Dim } | undefined {
  const [left, right, ...others] = [...bound.values()].filter((value): value is TensorValue => value.kind === 'tensor');
  if (left === undefined || right === undefined || others.length > 0) return undefined;
  const [x, y] = [left, right].map(({ shape }) => applyToShape(shape, substitution));
  if (x === undefined || y === undefined || x.ellipsis !== undefined || y.ellipsis !== undefined) return undefined;
  for (let i = 1; i <= Math.min(x.dims.length, y.dims.length); i++) {
    const [a, b] = [x.dims.at(-i) as Dim, y.dims.at(-i) as Dim];
    const [length, size, table] = isInputLength(a) ? [a, b, right] : [b, a, left];
    const atom = loneAtom(size);
    if (isInputLength(length) && atom?.kind === 'symbol' && !atom.flexible && atom.scope !== lengthScope && isHeld(table))
      return { length, size };
  }
  return undefined;
}

/** Held by the model as it is: no rows of it are looked up. */
function isHeld(tensor: TensorValue): boolean {
  let at: TensorValue | undefined = tensor;
  for (let i = 0; at !== undefined && i < 6; i++) {
    if (at.isParameter === true || at.isBuffer === true) return true;
    at = at.inputs.length === 1 && at.op !== 'embedding' ? at.inputs[0] : undefined;
  }
  return false;
}

/** What one of two branches gave, the arguments with it, and what goes wrong. */
interface OfBranch {
  readonly leaf: TensorValue;
  readonly values: ReadonlyMap<string, Value>;
  readonly message: string;
}

/** Its number of axes is known, and a size is not that differs between branches. */
const isOpenByBranches = ({ isOfBranches, shape }: TensorValue): boolean =>
  isOfBranches === true && shape.ellipsis === undefined && shape.dims.some(({ unknown }) => unknown);

/** What is known of each size does not hang on what was chosen somewhere else. */
const isWhollyKnown = ({ shape }: TensorValue): boolean =>
  shape.ellipsis === undefined &&
  shape.dims.every((dim) => !dim.unknown && symbolsOf(dim).every(({ scope, flexible }) => !flexible && !scope.startsWith(choiceScope)));

const contradicts = (some: Answers, others: Answers): boolean =>
  [...some].some(([what, answer]) => others.has(what) && others.get(what) !== answer);

const ofAxes = ({ isOfAxes }: Problem): Pick<Problem, 'isOfAxes'> => (isOfAxes === true ? { isOfAxes } : {});

/** Keys of the lengths of what comes in, but not of the number of rows. */
function lengthsIn(bound: ReadonlyMap<string, Value>, substitution: Substitution): readonly string[] {
  const found: string[] = [];
  for (const value of bound.values()) {
    valued(value, (dim) => {
      for (const symbol of symbolsOf(substitution.apply(dim)))
        if (symbol.scope === lengthScope && symbol.name !== 'B') found.push(symbol.key);
      return dim;
    });
  }
  return found;
}

/** Whether what is added has a number of the code for the length of what comes in: a table of positions, of biases between them. */
const isAddedTable = (name: string, bound: ReadonlyMap<string, Value>): boolean =>
  name.endsWith('.add') &&
  [...bound.values()].some(
    (value) =>
      value.kind === 'tensor' &&
      value.shape.dims.filter(({ constant }) => constant !== undefined && constant > 8).length > 1 &&
      !value.shape.dims.some((dim) => symbolsOf(dim).some(({ scope }) => scope === lengthScope)),
  );

/** Whether which axis is meant depends on a symbol. */
const isAxisOpen = (bound: ReadonlyMap<string, Value>): boolean =>
  ['dim', 'dim0', 'dim1'].some((name) => {
    const value = bound.get(name);
    return value?.kind === 'unknown' || (value?.kind === 'int' && value.dim.constant === undefined);
  });

/** Whether a size rests on an image's height or width, and none on what the model is made for. */
function sidesAreFree(bound: ReadonlyMap<string, Value>, substitution: Substitution): boolean {
  let areFree = false;
  let areTied = false;
  for (const value of bound.values()) {
    valued(value, (dim) => {
      for (const symbol of symbolsOf(substitution.apply(dim))) {
        areFree ||= isFreeSide(symbol);
        areTied ||= isModelSide(symbol);
      }
      return dim;
    });
  }
  return areFree && !areTied;
}

function valued(value: Value, replace: (dim: Dim) => Dim): Value {
  switch (value.kind) {
    case 'int': {
      const dim = replace(value.dim);
      return dim === value.dim ? value : { kind: 'int', dim };
    }
    // One of several sizes stands under the name of the one that is given.
    case 'union':
    case 'unknown': {
      const named = dimOf(value);
      const dim = named === undefined ? undefined : replace(named);
      return dim === undefined || dim === named ? value : { kind: 'int', dim };
    }
    case 'tensor': {
      const dims = value.shape.dims.map(replace);
      return dims.every((dim, i) => dim === value.shape.dims[i]) ? value : { ...value, shape: { dims, ellipsis: value.shape.ellipsis } };
    }
    case 'tuple':
    case 'list': {
      const items = value.items.map((item) => valued(item, replace));
      return items.every((item, i) => item === value.items[i]) ? value : { ...value, items };
    }
    default:
      return value;
  }
}

const views = /\.(?:view|reshape|unflatten)$/;

/** Operations whose operands have the same axes. */
const sums = /\.(?:add|sub|mul|div|masked_fill_?|where|cat|concat|stack)$/;

const products = /\.(?:matmul|bmm|mm|baddbmm|einsum|scaled_dot_product_attention)$/;

/**
 * Whether a number in the code, or the size of a weight, may be the length of all that comes in. Where it is not certain that the code is
 * reached, it may be meant for one token at a time.
 */
function mayFixLength(name: string, bound: ReadonlyMap<string, Value>, uncertain: number): boolean {
  const isProduct = products.test(name);
  const isView = views.test(name);
  if (name === 'headwise.take_parts') return uncertain > 0;
  const input = name.endsWith('.linear') ? bound.get('input') : undefined;
  if (input?.kind === 'tensor')
    return (
      uncertain > 0 ||
      isWeight(input) ||
      mixesPlaces(name, bound) ||
      input.shape.dims.some(({ constant }) => constant !== undefined && constant > 8)
    );
  if (!isProduct && !(isView || sums.test(name))) return true;
  // All tokens of all rows together are as many as no number in the code.
  if (uncertain > 0 && sums.test(name) && isOfAllTokens(bound)) return false;
  if (!isProduct && uncertain > 0 && (isView || ![...bound.values()].some((value) => isCached(value) || isPartlyCut(value)))) return true;
  // A number of tokens that what was added to the scores fixed.
  const [left, right] = /matmul$|bmm$/.test(name) ? [...bound.values()].filter((value) => value.kind === 'tensor') : [];
  // A transpose is missing between two of one shape: of queries and keys, no number makes the length what a head's width is.
  if (left?.shape.dims.at(-1)?.key === right?.shape.dims.at(-1)?.key && left?.shape.dims.at(-2)?.key === right?.shape.dims.at(-2)?.key)
    if (left !== undefined && right !== undefined && !isWeight(left) && !isWeight(right)) return false;
  const summed = new Map<Value, Dim | undefined>();
  if (left !== undefined) summed.set(left, left.shape.dims.at(-1));
  if (right !== undefined) summed.set(right, right.shape.dims.at(-2));
  // A row that every sequence begins with is there once: the rows of what comes in are as many as they are.
  if (name.endsWith('.cat') && isOneRowAmong(bound)) return false;
  const fixes = (value: Value): boolean => {
    if (value.kind === 'tensor') {
      if (isProduct)
        return value.isParameter === true || value.isBuffer === true || (summed.get(value)?.constant ?? 0) > 8 || mixesTokens(value);
      if (!isView && isWeight(value) && !isCut(value)) return true;
      return value.shape.dims.some(({ constant }) => constant !== undefined && constant > 8);
    }
    if (value.kind === 'tuple' || value.kind === 'list') return value.items.some(fixes);
    return isView && value.kind === 'int' && value.dim.constant !== undefined && value.dim.constant > 8;
  };
  return [...bound.values()].some(fixes);
}

/** Tokens that were turned to the last axis, for a layer made for a number of them: no other axis is what it takes. */
function mixesPlaces(name: string, bound: ReadonlyMap<string, Value>): boolean {
  const [input, weight] = [bound.get('input'), bound.get('weight')];
  if (!name.endsWith('.linear') || input?.kind !== 'tensor') return false;
  const takes = weight?.kind === 'tensor' && weight.shape.dims.length === 2 ? weight.shape.dims[1] : undefined;
  const { dims, ellipsis } = input.shape;
  const isTurned = /^(?:transpose|permute|rearrange)$/.test(input.op) && ellipsis === undefined && dims.length === 3;
  const [rows, width, tokens] = dims;
  return (
    isTurned &&
    takes !== undefined &&
    isRows(rows) &&
    tokens !== undefined &&
    isInputLength(tokens) &&
    width !== undefined &&
    !isInputLength(width) &&
    symbolsOf(takes).every(({ key }) => !symbolsOf(width).some((each) => each.key === key))
  );
}

/** A trained matrix of places by places, cut to what comes in: queries and keys are of that one length. */
const mixesTokens = (value: TensorValue): boolean => isWeight(value) && value.shape.dims.filter(isInputLength).length > 1;

/** A table that is cut to what came in along an axis. */
const isCut = (value: Value): value is TensorValue => value.kind === 'tensor' && value.shape.dims.some(isInputLength);

const isInputLength = (dim: Dim): boolean => {
  const atom = loneAtom(dim);
  return atom?.kind === 'symbol' && atom.scope === lengthScope && atom.name !== 'B';
};

/** Of what is joined along another axis than the first, a weight has one row there and something else those that come in. */
function isOneRowAmong(bound: ReadonlyMap<string, Value>): boolean {
  const tensors = bound.get('tensors');
  const axis = dimOf(bound.get('dim') ?? none)?.constant;
  const items = tensors?.kind === 'tuple' || tensors?.kind === 'list' ? tensors.items.filter((item) => item.kind === 'tensor') : [];
  const [first] = items;
  if (first === undefined || axis === undefined || axis === 0 || axis === -first.shape.dims.length) return false;
  const begins = (item: TensorValue): Dim | undefined => (item.shape.ellipsis === undefined ? item.shape.dims[0] : undefined);
  return items.some((item) => begins(item)?.constant === 1 && isWeight(item)) && items.some((item) => isRows(begins(item)));
}

/** Each length stands there times the number of rows. */
function isOfAllTokens(bound: ReadonlyMap<string, Value>): boolean {
  const lengths = [...bound.values()]
    .flatMap((value) => (value.kind === 'tensor' ? value.shape.dims : []))
    .map((dim) => symbolsOf(dim).filter(({ scope }) => scope === lengthScope))
    .filter((symbols) => symbols.length > 0);
  return lengths.length > 0 && lengths.every((symbols) => symbols.length > 1 && symbols.some(({ name }) => name === 'B'));
}

/** A table, as of a mask, that is cut to what came in along one axis, and is as long as it may ever be along another; or one that is cut at its beginning alone. */
const isPartlyCut = (value: Value): boolean =>
  isCutAtBeginning(value) || (isCut(value) && value.shape.dims.some((dim) => symbolsOf(dim).some(({ name }) => isContext(name))));

/** What is left of a table from where what comes in begins. */
const isCutAtBeginning = (value: Value): boolean => value.kind === 'tensor' && value.shape.dims.some(isOpen);

/** Along one of its axes stands what came in now behind what came in before. */
const isCached = (value: Value): boolean => value.kind === 'tensor' && value.shape.dims.some((dim) => symbolsOf(dim).some(isBegin));
