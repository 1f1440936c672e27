import { ancestors } from '../../../interpreter/graph.ts';
/** Stacks of pre-norm blocks whose output is used without a norm. */
import type { CodeReading, Study } from '../../../interpreter/study.ts';
import type { InstanceValue, ModuleCall, Site, TensorValue } from '../../../interpreter/value.ts';
import type { FunctionDefinition, Statement } from '../../../syntax/python/ast.ts';
import { eachChildStatement } from '../../../syntax/python/walk.ts';
import { type Block, type Blocks, blocksOf } from '../../code/blocks.ts';
import { loopAround, siteIn } from '../../code/callSites.ts';
import { isInside } from '../../code/norms.ts';
import type { NormPlace } from '../../code/sublayers.ts';
import { type UnusedNorm, unusedNormsOf } from '../../code/unused.ts';
import { isMain } from './findings.ts';

export interface OpenStack {
  readonly block: Block;
  /** The call that runs the blocks. */
  readonly stack: ModuleCall;
  /** Where the un-normed stream is used first, or handed out. */
  readonly site: Site | undefined;
  /** Where the stack runs its blocks. */
  readonly runs: Site | undefined;
  /** The norm that was made for it. */
  readonly unused: UnusedNorm | undefined;
  /** The projection that reads the un-normed stream. */
  readonly head: TensorValue | undefined;
  /** `nn.Identity` stands where the norm would. */
  readonly identity: ModuleCall | undefined;
  /** Another block attends to the stream. */
  readonly isMemory: boolean;
  /** Token embeddings go in, and nothing is projected behind the head: others may leave the norm to what comes after. */
  readonly isLanguageModel: boolean;
}

const pools: ReadonlySet<string> = new Set([
  'mean',
  'sum',
  'max',
  'amax',
  'adaptive_avg_pool1d',
  'avg_pool1d',
  'cat',
  'stack',
  'div',
  'mul',
]);

/** Sublayers that leave the stream as it is. */
const open: ReadonlySet<NormPlace> = new Set(['pre', 'sandwich', 'output']);

const known = new WeakMap<Study['tensors'], readonly OpenStack[]>();

export function openStacksOf(code: CodeReading, study: Study): readonly OpenStack[] {
  const found = known.get(study.tensors) ?? find(code, study);
  known.set(study.tensors, found);
  return found;
}

function find(code: CodeReading, study: Study): readonly OpenStack[] {
  const all = blocksOf(study);
  const unused = unusedNormsOf(code, study);
  const found: OpenStack[] = [];
  for (const block of all.blocks) {
    const main = block.sublayers.filter(isMain);
    if (
      !block.isComplete ||
      !all.flow.residuals.has(block.end) ||
      !main.every(({ place, isResidual, after }) => open.has(place) && isResidual && after.length === 0)
    )
      continue;
    const stack = isFlat(block) ? block.call : stackOf(block);
    if (stack === undefined || found.some((other) => other.stack === stack)) continue;
    const uses = usesOf(all, block);
    if (uses === undefined) continue;
    const own = unused.find(({ owner }) => owner === stack.instance || holds(stack.instance, owner));
    const identity = identityIn(study, all, block, stack);
    const isLibrary = stack.instance.class.file?.isPrelude === true;
    const runs = stack === block.call ? siteIn(stack, block.end) : siteInFunction(stack, block.call);
    const maker = runs === undefined ? undefined : functionAround(runs);
    const places = uses.readers
      .flatMap((reader) => (isInside(reader.call, stack) ? [siteInFunction(stack, reader, maker)] : []))
      .filter((site) => site !== undefined && runs !== undefined && site.node.start > runs.node.start)
      .sort((a, b) => (a as Site).node.start - (b as Site).node.start);
    const site = isLibrary
      ? stack.instance.site
      : (places[0] ?? (runs === undefined || maker === undefined ? undefined : lastReturn(runs, maker)));
    found.push({
      block,
      stack,
      site,
      runs,
      unused: own,
      head: uses.head,
      identity,
      isLanguageModel: uses.head !== undefined && isLanguageModel(all, block, uses.head),
      // One class for both attends to other things than a memory: tokens of a class, a window's neighbours.
      isMemory: all.blocks.some((other) => other.class !== block.class && isInside(uses.head?.call, other.call)),
    });
  }
  return found;
}

function isLanguageModel({ flow }: Blocks, block: Block, head: TensorValue): boolean {
  const [first] = block.sublayers;
  const embeds = first !== undefined && ancestors(first.base, (each) => !flow.norms.has(each), 60).some(({ op }) => op === 'embedding');
  const seen = new Set<TensorValue>([head]);
  const waiting = [head];
  for (let i = 0; i < waiting.length && i < 60; i++) {
    for (const user of flow.usersOf(waiting[i] as TensorValue)) {
      if (seen.has(user)) continue;
      if (user.op === 'linear' || user.op.startsWith('conv')) return false;
      seen.add(user);
      waiting.push(user);
    }
  }
  return embeds;
}

/** The sums of the block stand in a loop of its own: it is the stack itself. */
const isFlat = (block: Block): boolean => loopAround(siteIn(block.call, block.end, block.frame)) !== undefined;

/** The call that runs a block: a module of the user's, or a stack of the library. */
function stackOf({ call, class: of }: Block): ModuleCall | undefined {
  let at = call.parent;
  const isLibrary = of.file?.isPrelude === true;
  while (at !== undefined && !isLibrary && at.instance.class.file?.isPrelude === true) at = at.parent;
  return at;
}

/** Who uses the stream behind the block; undefined when a norm or another sublayer does. */
function usesOf(
  all: Blocks,
  block: Block,
): { readonly readers: readonly TensorValue[]; readonly head: TensorValue | undefined } | undefined {
  const { flow } = all;
  const seen = new Set<TensorValue>([block.end]);
  const waiting = [block.end];
  const readers: TensorValue[] = [];
  const heads: TensorValue[] = [];
  for (let i = 0; i < waiting.length && i < 200; i++) {
    const at = waiting[i] as TensorValue;
    for (const norm of flow.norms.values()) if (norm.input === at) return undefined;
    for (const user of flow.usersOf(at)) {
      if (seen.has(user)) continue;
      seen.add(user);
      if (flow.isPart(user)) return undefined;
      if (user.op === 'join') {
        if (user.inputs.some((input) => flow.norms.has(flow.base(input)))) return undefined;
        waiting.push(user);
      } else if (flow.residuals.has(user)) return undefined;
      else {
        if (!isInside(user.call, block.call) || user.call === block.call) readers.push(user);
        if (flow.base(user) === flow.base(at) || pools.has(user.op)) waiting.push(user);
        else if (user.op === 'linear' || user.op === 'matmul' || user.op === 'einsum') heads.push(user);
        else return undefined;
      }
    }
  }
  const [head] = heads;
  // A head that normalises further on does the stack's work.
  if (head !== undefined && hasNormBehind(all, head)) return undefined;
  return { readers, head };
}

function hasNormBehind({ flow }: Blocks, from: TensorValue): boolean {
  const seen = new Set<TensorValue>([from]);
  const waiting = [from];
  for (let i = 0; i < waiting.length && i < 80; i++) {
    const at = waiting[i] as TensorValue;
    for (const user of flow.usersOf(at)) {
      if (seen.has(user)) continue;
      if (flow.isPart(user)) return true;
      if (flow.residuals.has(user) || user.op === 'softmax' || user.op === 'scaled_dot_product_attention') return false;
      seen.add(user);
      waiting.push(user);
    }
  }
  return false;
}

/** `nn.Identity` that the stack, or what runs it, puts behind the blocks. */
function identityIn(study: Study, { flow }: Blocks, block: Block, stack: ModuleCall): ModuleCall | undefined {
  return study.calls.find(
    ({ instance, parent, positional }) =>
      instance.class.qualifiedName === 'torch.nn.Identity' &&
      parent !== undefined &&
      [...parent.instance.attributes].some(([name, value]) => value === instance && /norm|ln/i.test(name)) &&
      (parent === stack || parent === stack.parent) &&
      positional[0]?.kind === 'tensor' &&
      flow.base(positional[0]) === block.end,
  );
}

const holds = (owner: InstanceValue, inner: InstanceValue): boolean => {
  for (const value of owner.attributes.values()) if (value === inner) return true;
  return false;
};

/**
 * The place of something made in the stack: in the function that runs the blocks where that is not `forward` itself.
 */
function siteInFunction(stack: ModuleCall, made: TensorValue | ModuleCall, around?: FunctionDefinition): Site | undefined {
  const fits = (site: Site | undefined): boolean => site !== undefined && (around === undefined || isIn(site, around));
  let item = made;
  let outer = 'kind' in made ? made.call : made.parent;
  while (outer !== undefined && outer !== stack) {
    item = outer;
    outer = outer.parent;
  }
  if (outer !== stack) return undefined;
  if (fits(item.site)) return item.site;
  for (let trace = item.trace; trace !== undefined && trace !== stack.trace; trace = trace.parent) if (fits(trace.site)) return trace.site;
  return undefined;
}

const isIn = ({ node }: Site, { start, end }: FunctionDefinition): boolean => node.start >= start && node.end <= end;

/** The innermost function whose code holds the place. */
function functionAround(site: Site): FunctionDefinition | undefined {
  let found: FunctionDefinition | undefined;
  const visit = (statement: Statement): void => {
    if (site.node.start < statement.start || site.node.end > statement.end) return;
    if (statement.kind === 'function') found = statement;
    eachChildStatement(statement, visit);
  };
  visit(site.unit.body.statement);
  return found;
}

/** The value that the function returns last. */
function lastReturn({ file, unit }: Site, around: FunctionDefinition): Site | undefined {
  let last: Site | undefined;
  const visit = (statement: Statement): void => {
    if (statement.kind === 'return') last = { file, unit, node: statement.value ?? statement };
    if (statement.kind !== 'function' && statement.kind !== 'class') eachChildStatement(statement, visit);
  };
  around.body.forEach(visit);
  return last;
}
