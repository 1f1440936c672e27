/** What is wrong with the norms and residuals of blocks; each rule reports its own kind. */

import type { CodeReading, Study } from '../../../interpreter/study.ts';
import type { InstanceValue, ModuleCall, Site, TensorValue } from '../../../interpreter/value.ts';
import { type Block, type Blocks, blocksOf, isAttention } from '../../code/blocks.ts';
import { siteIn } from '../../code/callSites.ts';
import type { Flow, Residual } from '../../code/flow.ts';
import { isInside, type Norm, tensorsOf } from '../../code/norms.ts';
import type { Sublayer } from '../../code/sublayers.ts';

/** Blocks that the file itself defines. */
export function ownBlocks(
  code: CodeReading,
): readonly { readonly study: Study; readonly flow: Flow; readonly block: Block; readonly all: Blocks }[] {
  return code.studies.flatMap((study) => {
    const all = blocksOf(study);
    return all.blocks.flatMap((block) => (block.class.file === code.file ? [{ study, flow: all.flow, block, all }] : []));
  });
}

export const isMain = ({ kind }: Sublayer): boolean => kind === 'attention' || kind === 'crossAttention' || kind === 'feedForward';

export const nameOf = (sublayer: Sublayer): string =>
  sublayer.kind === 'crossAttention' ? 'cross-attention' : isAttention(sublayer) ? 'attention' : 'feed-forward';

/** Where a norm is called, in the code of the module that calls it. */
export function normSite(norm: Norm, block?: Block): Site | undefined {
  const made = norm.call ?? norm.output;
  const caller = norm.call === undefined ? norm.output.call : norm.call.parent;
  return caller === undefined ? norm.site : siteIn(caller, made, caller === block?.call ? block?.frame : undefined);
}

/** Where a norm comes from in the code of a call around it. */
export const normSiteIn = (call: ModuleCall, norm: Norm, block?: Block): Site | undefined =>
  siteIn(call, norm.call ?? norm.output, call === block?.call ? block?.frame : undefined);

/** Where the sum of a sublayer, or what takes its place, comes from in the block's code. */
export const sumSite = (block: Block, { output }: Sublayer): Site | undefined => siteIn(block.call, output, block.frame);

/** The innermost call in which both were made. */
export function sharedCall(a: ModuleCall | undefined, b: ModuleCall | undefined): ModuleCall | undefined {
  for (let at = a; at !== undefined; at = at.parent) if (isInside(b, at)) return at;
  return undefined;
}

/** The name under which an instance holds another: `norm1`, `layers.0`. */
export function attributeOf(owner: InstanceValue, value: InstanceValue): string | undefined {
  for (const [name, held] of owner.attributes) if (held === value) return name;
  return undefined;
}

/** Whether every block of the same class in the study has what one of them has. */
export const allAlike = (all: Blocks, block: Block, has: (other: Block) => boolean): boolean =>
  all.blocks.every((other) => other.class !== block.class || has(other));

/** A sublayer whose sum takes the stream from before the sublayer in front of it. */
export interface Stale {
  readonly residual: Residual;
  /** The sum that is left out of the stream. */
  readonly dropped: Residual;
  readonly site: Site | undefined;
}

export function staleResiduals(flow: Flow): readonly Stale[] {
  const found: Stale[] = [];
  for (const residual of flow.residuals.values()) {
    if (residual.isParallel) continue;
    const path = flow.between(residual.base, residual.branch);
    const inner = [...path].flatMap((each) => {
      const other = flow.residuals.get(each);
      return other !== undefined && each !== residual.sum ? [other] : [];
    });
    const dropped = inner.find((other) => other.base === residual.base);
    if (dropped === undefined || inner.length !== 1) continue;
    const outside = flow.between(dropped.sum, residual.branch);
    const before = flow.kindOf(residual.base, flow.between(residual.base, dropped.branch));
    const after = flow.kindOf(dropped.sum, outside);
    if (!(before === 'attention' || before === 'crossAttention') || after !== 'feedForward') continue;
    // The sum is read by the branch alone: nothing else carries it on.
    if (flow.usersOf(dropped.sum).some((user) => !outside.has(user) && flow.carries(user) && !flow.isPart(user))) continue;
    const { entries, raw, isSure } = flow.reads(dropped.sum, outside);
    if (!isSure || entries.length + raw.length === 0) continue;
    const shared = sharedCall(residual.sum.call, dropped.sum.call);
    if (shared === undefined || leaves(flow, shared, dropped.sum)) continue;
    found.push({ residual, dropped, site: siteIn(shared, residual.sum) });
  }
  return found;
}

/** Whether a call hands the tensor out beside its other results. */
export const leaves = (flow: Flow, call: ModuleCall, tensor: TensorValue): boolean =>
  tensorsOf(call.result).some((result) => result === tensor || flow.base(result) === tensor || flow.withoutNorms(result).base === tensor);
