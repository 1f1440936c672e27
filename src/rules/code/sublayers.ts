/** The sublayers that one call chains on its stream, in order, and where the norm of each stands. */
import { alternatives } from '../../interpreter/graph.ts';
import type { ModuleCall, TensorValue } from '../../interpreter/value.ts';
import { loopAround, siteIn } from './callSites.ts';
import { type Flow, isOpenSum, type Residual, type SublayerKind, valuesOf } from './flow.ts';
import { argumentTensors, isInside, isWithin, type Norm } from './norms.ts';

/**
 * Where the norm of one sublayer stands. `x` is the stream, `f` the sublayer:
 * - pre: `x + f(norm(x))`; post: `norm(x + f(x))`; output: `x + norm(f(x))`; sandwich: `x + norm(f(norm(x)))`
 * - both: `norm(x + f(norm(x)))`; carried: `n + f(n)` with `n = norm(x)`; none: `x + f(x)`
 * - unknown: branches of the code that were joined decide it
 */
export type NormPlace = 'pre' | 'post' | 'output' | 'sandwich' | 'both' | 'carried' | 'none' | 'unknown';

export interface Sublayer {
  readonly kind: SublayerKind;
  /** Whether its output is added to the stream; otherwise it takes the stream's place. */
  readonly isResidual: boolean;
  /** The sum, or what took the stream's place. */
  readonly output: TensorValue;
  /** The operand of the sum that carries the stream, and the one that the sublayer computed. */
  readonly carried: TensorValue | undefined;
  readonly branch: TensorValue;
  /** The stream before it, under norms. */
  readonly base: TensorValue;
  /** Norms on the stream between the sublayer before and this one, nearest last. */
  readonly before: readonly Norm[];
  /** Norms on the stream behind it, before the next sublayer reads it. */
  readonly after: readonly Norm[];
  /** Norms through which it reads the stream. */
  readonly entries: readonly Norm[];
  /** It reads the stream without a norm too, or only so: the first tensors computed from it. */
  readonly raw: readonly TensorValue[];
  /** Norms of its output before the sum. */
  readonly exits: readonly Norm[];
  /** A norm of a norm with nothing between, at its entry: the second of them. */
  readonly doubled: readonly (readonly [inner: Norm, outer: Norm])[];
  readonly place: NormPlace;
  /** No joined branches of the code are between the stream and what reads it. */
  readonly isSure: boolean;
  /** Added at once with others that read the same stream. */
  readonly isParallel: boolean;
  /** Sums with the same stream inside the branch: their own stream ends there. */
  readonly inner: readonly Residual[];
}

interface Step {
  readonly residual: Residual | undefined;
  readonly output: TensorValue;
  readonly base: TensorValue;
  readonly after: readonly Norm[];
}

interface Chain {
  readonly steps: readonly Step[];
  /** Norms on the stream before the first sublayer. */
  readonly before: readonly Norm[];
  readonly output: TensorValue;
  readonly isComplete: boolean;
}

const maximumSteps = 64;

/** Follows the stream of a call back from what it answers. */
export function chainOf(flow: Flow, call: ModuleCall, output: TensorValue): Chain {
  const given = argumentTensors(call);
  const starts = new Set<TensorValue>();
  for (const tensor of given) {
    starts.add(tensor);
    starts.add(flow.base(tensor));
  }
  const steps: Step[] = [];
  const end = (before: readonly Norm[], isComplete: boolean): Chain => ({ steps: steps.reverse(), before, output, isComplete });
  let at = output;
  for (let i = 0; i < maximumSteps; i++) {
    const { base, norms } = flow.withoutNorms(at, starts);
    const after = norms.filter((norm) => isNormWithin(norm, call));
    if (steps.length === 0 && after.length > 0 && !isMade(base, call)) return end(after, starts.has(base));
    // Behind the loop that runs the sublayers, a norm closes the stack.
    const loops = steps.length === 0 && after.length > 0 ? loopAround(siteIn(call, base)) : undefined;
    if (loops !== undefined) {
      for (let j = after.length - 1; j >= 0; j--) {
        const norm = after[j] as Norm;
        const site = siteIn(call, norm.call ?? norm.output);
        if (site !== undefined && !(site.node.start >= loops.start && site.node.end <= loops.end)) after.splice(j, 1);
      }
    }
    if (starts.has(base) || !isMade(base, call)) return end(after, starts.has(base));
    const residual = flow.residuals.get(base);
    if (residual !== undefined) {
      at = residual.carried;
      const sums: Residual[] = [residual];
      // A parallel sum carries the sum before it, which reads the same stream.
      for (let j = 0; residual.isParallel && j < 4; j++) {
        const inner = flow.residuals.get(flow.base(at));
        if (inner === undefined || inner.base !== residual.base) break;
        sums.push(inner);
        at = inner.carried;
      }
      const under = flow.withoutNorms(at, starts).base;
      for (const [j, each] of sums.entries())
        steps.push({ residual: { ...each, isParallel: sums.length > 1 }, output: each.sum, base: under, after: j === 0 ? after : [] });
      continue;
    }
    const previous = sourceOf(flow, call, base, starts, given);
    if (previous === undefined) return end(after, false);
    const under = flow.withoutNorms(previous, starts).base;
    if (isOpen(flow, under, base)) return end(after, false);
    steps.push({ residual: undefined, output: base, base: under, after });
    at = previous;
  }
  return end([], false);
}

export const isMade = (tensor: TensorValue, call: ModuleCall): boolean =>
  tensor.op === 'join' ? tensor.inputs.some((input) => isMade(input, call)) : isWithin(tensor, call);

const isNormWithin = (norm: Norm, call: ModuleCall): boolean =>
  norm.call === undefined ? isWithin(norm.output, call) : isInside(norm.call, call) && norm.call !== call;

/** The stream that a sublayer without a residual read: the last sum before it, or the call's input. */
function sourceOf(
  flow: Flow,
  call: ModuleCall,
  output: TensorValue,
  starts: ReadonlySet<TensorValue>,
  given: readonly TensorValue[],
): TensorValue | undefined {
  const seen = new Set<TensorValue>([output]);
  const waiting = [output];
  const sums: TensorValue[] = [];
  const inputs: TensorValue[] = [];
  const normed: TensorValue[] = [];
  for (let i = 0; i < waiting.length && waiting.length < 1500; i++) {
    for (const input of valuesOf(waiting[i] as TensorValue)) {
      if (seen.has(input) || !flow.carries(input)) continue;
      seen.add(input);
      if (starts.has(input)) inputs.push(input);
      else if (flow.residuals.has(input)) sums.push(input);
      else if (isMade(input, call)) {
        const norm = flow.norms.get(input);
        if (norm !== undefined && opensSublayer(flow, call, norm, starts)) normed.push(norm.input);
        else waiting.push(input);
      }
    }
  }
  const [sum, another] = sums;
  if (sum !== undefined) return another === undefined ? sum : undefined;
  const [inner] = normed;
  if (inner !== undefined) return inner;
  return given.find((tensor) => inputs.some((input) => input === tensor || flow.base(tensor) === input)) ?? inputs[0];
}

/** The norm with which a sublayer begins that reads what another has computed: called in the block, or first in a module that it calls. */
function opensSublayer(flow: Flow, call: ModuleCall, norm: Norm, starts: ReadonlySet<TensorValue>): boolean {
  const caller = norm.call?.parent;
  const source = flow.base(norm.input);
  if (caller === undefined || starts.has(source) || flow.residuals.has(source) || (source.op !== 'linear' && !isEmbedded(flow, source)))
    return false;
  if (caller === call) return true;
  return caller.parent === call && argumentTensors(caller).some((tensor) => flow.base(tensor) === source);
}

/** Where the stream begins: rows of tables, summed. */
function isEmbedded(flow: Flow, tensor: TensorValue, depth = 3): boolean {
  const { op, inputs } = flow.base(tensor);
  if (op === 'embedding') return true;
  return depth > 0 && (op === 'add' || op === 'mul') && inputs.some((input) => isEmbedded(flow, input, depth - 1));
}

/** A sum with what is not known, or one of several tensors of which not all come from the stream through weights: a sublayer that may be left out. */
function isOpen(flow: Flow, base: TensorValue, branch: TensorValue): boolean {
  const { base: made } = flow.withoutNorms(branch);
  return isOpenSum(made) || (made.op === 'join' && !alternatives(made).every((each) => flow.passesWeights(base, each)));
}

/** One of several tensors where it is normed, or some of them are: whose the norm is depends on which it is. */
function mayBeNormed(flow: Flow, carried: TensorValue): boolean {
  const { base, norms } = flow.withoutNorms(carried);
  return base.op === 'join' && (norms.length > 0 || alternatives(base).some((each) => flow.withoutNorms(each).norms.length > 0));
}

/** The norms of what a sublayer answers, on each of the ways of which the code takes one: the same or others. */
function exitsOf(flow: Flow, branch: TensorValue, path: ReadonlySet<TensorValue>): readonly (readonly Norm[])[] {
  const { base, norms } = flow.withoutNorms(branch);
  const ways = base.op === 'join' ? alternatives(base).map((each) => [...flow.withoutNorms(each).norms, ...norms]) : [norms];
  return ways.map((way) => way.filter(({ output }) => path.has(output)));
}

/** The sublayers of a chain, with where their norms stand. */
export function sublayersOf(flow: Flow, chain: Chain): readonly Sublayer[] {
  const drafts = chain.steps.map((step, i) => {
    const before = i === 0 ? chain.before : (chain.steps[i - 1] as Step).after;
    const branch = step.residual?.branch ?? step.output;
    const start = before.length > 0 ? (before[before.length - 1] as Norm).output : step.base;
    let path = flow.between(start, branch);
    let isOther = false;
    if (path.size === 0) {
      // The branch reads the stream through another norm than the one that is carried on.
      path = flow.between(step.base, branch);
      isOther = before.length > 0;
    }
    const from = path.has(start) ? start : step.base;
    const { entries, raw, doubled, isSure } = flow.reads(from, path);
    const ways = step.residual === undefined ? [] : exitsOf(flow, branch, path);
    const exits = ways.every(({ length }) => length > 0) ? (ways[0] ?? []) : [];
    const inner = [...path].flatMap((each) => {
      const residual = flow.residuals.get(each);
      return residual !== undefined && residual.base === step.residual?.base && each !== step.output ? [residual] : [];
    });
    const joins = step.residual !== undefined && (isOpen(flow, step.base, branch) || mayBeNormed(flow, step.residual.carried));
    return {
      step,
      before,
      branch,
      entries,
      raw,
      doubled,
      exits,
      inner,
      isOther,
      kind: flow.kindOf(from, path),
      isSure: isSure && !joins && path.size > 0 && (exits.length > 0 || ways.every(({ length }) => length === 0)),
    };
  });
  const takenFromBefore = new Set<number>();
  const places: NormPlace[] = drafts.map(() => 'unknown');
  for (const [i, draft] of drafts.entries()) {
    const { entries, raw, exits, before, isOther } = draft;
    const after = draft.step.after.length > 0;
    const next = drafts[i + 1];
    const isNormed = entries.length > 0 && raw.length === 0;
    if (i === 0 && before.length > 0) takenFromBefore.add(0);
    if (!draft.isSure || (entries.length > 0 && raw.length > 0)) continue;
    if (isNormed) {
      // The norm behind a sublayer that normalises its input belongs to the next one, when that has no other.
      const belongsToNext =
        after &&
        next !== undefined &&
        next.step.after.length === 0 &&
        (next.isOther || (next.raw.length > 0 && next.entries.length === 0 && (next.exits.length === 0 || exits.length > 0)));
      if (belongsToNext) takenFromBefore.add(i + 1);
      // The norm at a block's end closes its stream, when no other sum is normalised.
      const closes = after && next === undefined && drafts.length > 1 && drafts.slice(0, -1).every(({ step }) => step.after.length === 0);
      if (isOther && takenFromBefore.has(i)) places[i] = 'carried';
      else if (closes) places[i] = exits.length > 0 ? 'sandwich' : 'pre';
      else places[i] = after && !belongsToNext ? 'both' : exits.length > 0 ? 'sandwich' : 'pre';
    } else if (exits.length > 0) places[i] = takenFromBefore.has(i) && i > 0 ? 'carried' : after ? 'both' : 'output';
    else if (takenFromBefore.has(i)) {
      if (after && next === undefined) places[i] = 'post';
      else if (after && next !== undefined && next.raw.length > 0 && next.entries.length === 0) {
        places[i] = next.step.after.length > 0 ? 'post' : 'carried';
        if (next.step.after.length === 0) takenFromBefore.add(i + 1);
      } else places[i] = after ? 'post' : 'carried';
    } else {
      // Behind sublayers without norms, one at the end closes the stream.
      const closes =
        next === undefined &&
        i > 0 &&
        drafts.slice(0, -1).every(({ step, entries, exits }) => step.after.length + entries.length + exits.length === 0);
      places[i] = after && !closes ? 'post' : 'none';
    }
  }
  return drafts.map(({ step, before, branch, entries, raw, doubled, exits, inner, kind, isSure }, i) => ({
    kind,
    isResidual: step.residual !== undefined,
    output: step.output,
    carried: step.residual?.carried,
    branch,
    base: step.base,
    before,
    after: step.after,
    entries,
    raw,
    exits,
    doubled,
    place: places[i] as NormPlace,
    isSure,
    isParallel: step.residual?.isParallel ?? false,
    inner,
  }));
}
