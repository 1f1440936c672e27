/**
 * Finds the blocks of a model in its dataflow: the calls whose stream runs through attention and more, with where their norms stand.
 * Only meaning counts, not how classes are called or what is written where.
 */

import { alternatives } from '../../interpreter/graph.ts';
import type { Study } from '../../interpreter/study.ts';
import type { ClassValue, ModuleCall, Site, TensorValue, Trace } from '../../interpreter/value.ts';
import { directIn, loopAround, siteIn } from './callSites.ts';
import { Flow } from './flow.ts';
import { tensorsOf } from './norms.ts';
import { chainOf, type Sublayer, sublayersOf } from './sublayers.ts';

export type BlockPlacement =
  | 'pre-norm'
  | 'post-norm'
  | 'sandwich'
  | 'output-norm'
  | 'parallel'
  | 'residual-free'
  | 'norm-free'
  | 'mixed'
  | 'unknown';

export interface Block {
  /** The call in which all of its sublayers run. */
  readonly call: ModuleCall;
  readonly class: ClassValue;
  /** The innermost of the user's functions in which all of its sublayers run; undefined where it is \`forward\`. */
  readonly frame: Trace | undefined;
  readonly sublayers: readonly Sublayer[];
  readonly placement: BlockPlacement;
  readonly hasQueryKeyNorm: boolean;
  /** The stream where it leaves the block, under norms. */
  readonly end: TensorValue;
  /** The value that leaves the block. */
  readonly output: TensorValue;
  /** The whole way from the block's input to its output is known. */
  readonly isComplete: boolean;
}

const isMain = ({ kind }: Sublayer): boolean => kind === 'attention' || kind === 'crossAttention' || kind === 'feedForward';

export const isAttention = ({ kind }: Sublayer): boolean => kind === 'attention' || kind === 'crossAttention';

function placementOf(sublayers: readonly Sublayer[]): BlockPlacement {
  const main = sublayers.filter(isMain);
  if (main.length === 0) return 'unknown';
  if (main.every(({ isResidual }) => !isResidual)) return 'residual-free';
  if (main.length === 1 || main.some(({ isParallel }) => isParallel)) return 'parallel';
  const places = new Set(main.filter(({ isResidual }) => isResidual).map(({ place }) => place));
  if (places.has('unknown')) return 'unknown';
  const [only] = places;
  if (places.size !== 1 || only === undefined) return 'mixed';
  switch (only) {
    case 'pre':
      return 'pre-norm';
    case 'post':
      return 'post-norm';
    case 'sandwich':
      return 'sandwich';
    case 'both':
      return 'sandwich';
    case 'output':
      return 'output-norm';
    case 'none':
      return 'norm-free';
    default:
      return 'mixed';
  }
}

/** The blocks of a study: the innermost calls whose stream runs through attention and at least one sublayer more. */
export interface Blocks {
  readonly flow: Flow;
  readonly blocks: readonly Block[];
}

const known = new WeakMap<Study['tensors'], Blocks>();

export function blocksOf(study: Study): Blocks {
  const found = known.get(study.tensors) ?? findBlocks(study);
  known.set(study.tensors, found);
  return found;
}

function findBlocks(study: Study): Blocks {
  const flow = new Flow(study);
  const holdsAttention = new Set<ModuleCall>();
  for (const tensor of study.tensors) {
    if (!flow.isAttention(tensor)) continue;
    for (let at = tensor.call; at !== undefined && !holdsAttention.has(at); at = at.parent) holdsAttention.add(at);
  }
  const blocks: Block[] = [];
  const holdsBlock = new Set<ModuleCall>();
  // Inner calls begin after outer ones.
  for (const call of [...study.calls].reverse()) {
    if (!holdsAttention.has(call) || holdsBlock.has(call)) continue;
    const block = blockAt(flow, call);
    if (block === undefined) continue;
    blocks.push(block);
    for (let at: ModuleCall | undefined = call; at !== undefined; at = at.parent) holdsBlock.add(at);
  }
  return { flow, blocks: blocks.reverse() };
}

/** `x + (attention(norm(x)) + mlp(norm(x)))`: one sum of two sublayers. */
function isParallelSum(flow: Flow, [only, ...others]: readonly Sublayer[]): boolean {
  if (only === undefined || others.length > 0 || !only.isResidual) return false;
  const sum = flow.base(only.branch);
  if (sum.op !== 'add') return false;
  const kinds = sum.inputs.map((input) => flow.kindOf(only.base, flow.between(only.base, input)));
  return kinds.includes('attention') && kinds.includes('feedForward');
}

function blockAt(flow: Flow, call: ModuleCall): Block | undefined {
  let best: Block | undefined;
  const found = new Set<BlockPlacement>();
  for (const [place, output] of tensorsOf(call.result).slice(0, 3).entries()) {
    const variants = output.op === 'join' && !flow.norms.has(output) ? alternatives(output) : [output];
    for (const variant of variants.slice(0, 4)) {
      const chain = chainOf(flow, call, variant);
      const whole = sublayersOf(flow, chain);
      const sublayers = withoutEnds(call, whole);
      const [last, past] = [sublayers.at(-1), whole.at(-1)];
      if (!(sublayers.filter(isMain).length > 1 || isParallelSum(flow, sublayers)) || !sublayers.some(isAttention)) continue;
      // What is answered beside the stream need not be one.
      if (place > 0 && !sublayers.every(({ isResidual }) => isResidual)) continue;
      found.add(placementOf(sublayers));
      if (best !== undefined && best.sublayers.length >= sublayers.length) continue;
      best = {
        call,
        class: call.instance.class,
        frame: frameOf(call, sublayers),
        sublayers,
        placement: placementOf(sublayers),
        hasQueryKeyNorm: hasQueryKeyNorm(flow, sublayers),
        end: last === undefined || last === past ? flow.withoutNorms(variant).base : last.output,
        output: last === undefined || last === past ? variant : (last.after[0]?.output ?? last.output),
        isComplete: chain.isComplete,
      };
    }
    // Branches of the code that end in different placements: a flag decides.
    if (best !== undefined) return found.size > 1 ? { ...best, placement: 'unknown' } : best;
  }
  return best;
}

/** Where a model runs its blocks in a loop of its own: the sublayers in the loop, without the embedding in front and the head behind. */
function withoutEnds(call: ModuleCall, sublayers: readonly Sublayer[]): readonly Sublayer[] {
  const from = sublayers.findIndex(isMain);
  const to = sublayers.findLastIndex(isMain) + 1;
  const frame = frameOf(call, sublayers.slice(from, to));
  const placeOf = ({ output }: Sublayer): Site | undefined => siteIn(call, output, frame);
  const last = sublayers[to - 1];
  const loop = last === undefined ? undefined : loopAround(placeOf(last));
  if (loop === undefined) return sublayers;
  const isOutside = (sublayer: Sublayer): boolean => {
    const site = placeOf(sublayer);
    return !sublayer.isResidual && site !== undefined && !(site.node.start >= loop.start && site.node.end <= loop.end);
  };
  const ends = [...sublayers.slice(0, from), ...sublayers.slice(to)];
  return ends.every(isOutside) ? sublayers.slice(from, to) : sublayers;
}

/** Norms of what goes into the product of queries and keys. */
function hasQueryKeyNorm(flow: Flow, sublayers: readonly Sublayer[]): boolean {
  return sublayers.filter(isAttention).some(({ base, branch, entries, exits }) => {
    for (const each of flow.between(base, branch)) {
      const norm = each === base ? undefined : flow.norms.get(each);
      if (norm !== undefined && !entries.includes(norm) && !exits.includes(norm)) return true;
    }
    return false;
  });
}

/** The function within a call in which all of its sublayers run. */
function frameOf(call: ModuleCall, sublayers: readonly Sublayer[]): Trace | undefined {
  const chains = sublayers.map(({ output }) => {
    const chain: Trace[] = [];
    for (let { trace } = directIn(call, output); trace !== undefined && trace !== call.trace; trace = trace.parent) chain.push(trace);
    return chain;
  });
  const [first, ...others] = chains;
  return first?.find((trace) => others.every((chain) => chain.includes(trace)));
}
