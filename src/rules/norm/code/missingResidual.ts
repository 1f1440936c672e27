import { compare, Facts } from '../../../dims/facts.ts';
import { alternatives } from '../../../interpreter/graph.ts';
import type { ModuleCall, Site, TensorValue } from '../../../interpreter/value.ts';
import { type Range, range } from '../../../text/range.ts';
import type { Block } from '../../code/blocks.ts';
import { blocksOf } from '../../code/blocks.ts';
import { siteIn } from '../../code/callSites.ts';
import { droppedStreams } from '../../code/droppedStream.ts';
import type { Flow } from '../../code/flow.ts';
import { idleResiduals } from '../../code/idleResidual.ts';
import { argumentTensors } from '../../code/norms.ts';
import { variablesOf } from '../../code/places.ts';
import type { Sublayer } from '../../code/sublayers.ts';
import { lostResiduals } from '../../code/twinBranches.ts';
import { lastDim } from '../../code/widths.ts';
import { defineRule } from '../../rule.ts';
import { blockExample } from './examples.ts';
import { allAlike, isMain, leaves, nameOf, ownBlocks, staleResiduals } from './findings.ts';
import { addedStream, carriedOn } from './fixes.ts';

const products: ReadonlySet<string> = new Set(['linear', 'addmm', 'matmul', 'einsum', 'bmm', 'mul']);

/** Attention with its norm before or behind it. */
const placed = (behind: string) =>
  blockExample(
    `if self.pre_norm:\n    x = x + self.attn(self.norm1(x))\nelse:\n    x = ${behind}\nreturn x`,
    'self.norm1 = nn.LayerNorm(dim)\nself.pre_norm = pre_norm',
    'dim, heads, pre_norm',
  );

export const missingResidual = defineRule({
  code: 'HW322',
  name: 'missing-residual',
  category: 'norm',
  severity: 'warning',
  since: '0.2.0',
  docs: {
    what: 'A sublayer of a block takes the place of the residual stream, or its output is left out of it.',
    why: 'Every sublayer of a transformer block adds to the stream. Where one replaces it (`x = self.mlp(self.norm2(x))`), what the layers before have written is lost at each block; where a sum takes the stream from before the sublayer in front (`x + mlp(norm(h))` instead of `h + ...`), that sublayer only reaches the output through the next one. The model still trains, badly.',
    bad: [
      blockExample('x = x + self.attn(self.norm1(x))\nx = self.mlp(self.norm2(x))\nreturn x'),
      blockExample('x = self.attn(self.norm1(x))\nx = x + self.mlp(self.norm2(x))\nreturn x'),
      blockExample('h = x + self.attn(self.norm1(x))\nreturn x + self.mlp(self.norm2(h))'),
      placed('self.norm1(self.attn(x))'),
    ],
    good: [
      placed('self.norm1(x + self.attn(x))'),
      blockExample('h = x + self.attn(self.norm1(x))\nreturn h + self.mlp(self.norm2(h))'),
      blockExample('return x + self.attn(self.norm1(x)) + self.mlp(self.norm2(x))'),
      blockExample('residual = x + self.attn(self.norm1(x))\nreturn self.mlp(self.norm2(residual)), residual'),
    ],
    fixSafety:
      'The fix changes what the model computes, which is the point: weights that were trained with the code as it is no longer fit.',
    references: ['https://arxiv.org/abs/1512.03385', 'https://arxiv.org/abs/2103.03404'],
  },
  messages: {
    replaced: 'The output of the {sublayer} takes the place of the residual stream: nothing adds the stream back.',
    idle: '`{name}` is kept for the sum behind this step, and nothing reads it: the residual stream is not added back.',
    beside: 'This takes the place of the residual stream `{stream}`, which the sublayer beside it adds back.',
    wrapper: 'The class is called a residual connection, and nothing adds `{stream}` back.',
    branch: 'This branch normalises what the sublayer computes without adding the stream back, which the other branch does.',
    stale: 'This sum takes the stream from before the {sublayer}: the output of the {sublayer} is left out of the residual stream.',
  },
  checkCode({ code, rangeOf, report }) {
    const reported: Range[] = [];
    for (const { block, flow, all } of ownBlocks(code)) {
      const main = block.sublayers.filter(isMain);
      if (!main.some(({ entries, after, before, exits }) => entries.length + after.length + before.length + exits.length > 0)) continue;
      for (const [i, sublayer] of main.entries()) {
        // Where the way to the block's input is not known, a sum in front and a sublayer behind say that it is the stream.
        if (!block.isComplete && !(flow.residuals.has(sublayer.base) && main[i + 1]?.isResidual === true)) continue;
        if (sublayer.isResidual || !isReplaced(flow, block, sublayer)) continue;
        // A first layer may do without by intent: `skip_first_layer_pe`.
        const isAlike = (other: Block): boolean => {
          const same = other.sublayers.filter(({ kind }) => kind === sublayer.kind);
          return same.length === 0 || same.some(({ isResidual }) => !isResidual);
        };
        if (!allAlike(all, block, isAlike)) continue;
        const place = replacedSite(flow, block, sublayer);
        const whole = rangeOf(place);
        if (whole === undefined) continue;
        const at = lastLine(code.file.module.text, whole);
        reported.push(at);
        report({ at, message: 'replaced', data: { sublayer: nameOf(sublayer) }, fixes: addedStream(code, at) });
      }
    }
    for (const { stream, site, sum } of droppedStreams(code)) {
      const at = rangeOf(site);
      if (at === undefined || reported.some(({ start, end }) => start < at.end && at.start < end)) continue;
      report({
        at,
        message: sum === undefined ? 'wrapper' : 'beside',
        severity: 'information',
        data: { stream },
        related: sum === undefined ? [] : [{ range: rangeOf(sum), message: 'Here the stream is added back.' }],
      });
    }
    for (const { name, site, kept } of idleResiduals(code)) {
      const at = rangeOf(site);
      if (at === undefined) continue;
      report({
        at: lastLine(code.file.module.text, at),
        message: 'idle',
        severity: 'information',
        data: { name },
        related: [{ range: rangeOf(kept), message: 'The stream is kept here.' }],
      });
    }
    for (const study of code.studies) {
      const { flow } = blocksOf(study);
      for (const { norm, residual } of lostResiduals(flow)) {
        const at = rangeOf(norm.call?.site ?? norm.site);
        if (at === undefined) continue;
        const other = { range: rangeOf(residual.sum.site), message: 'The other branch adds the stream here.' };
        report({ at, message: 'branch', related: [other] });
      }
      for (const { dropped, site } of staleResiduals(flow)) {
        const at = rangeOf(site);
        if (at === undefined) continue;
        const kind = flow.kindOf(dropped.base, flow.between(dropped.base, dropped.branch));
        report({
          at,
          message: 'stale',
          data: { sublayer: kind === 'crossAttention' ? 'cross-attention' : 'attention' },
          related: [{ range: rangeOf(dropped.sum.site), message: 'The sum that is left out is here.' }],
          fixes: carriedOn(code, at, variablesOf(code, dropped.sum).at(-1)?.name),
        });
      }
    }
  },
});

/** Whether the stream ends at the sublayer: its own norm says that it is one, its output is as wide as the stream, and nothing keeps the stream. */
function isReplaced(flow: Flow, block: Block, sublayer: Sublayer): boolean {
  const { output, base, entries, raw, after, branch } = sublayer;
  // Products of what is computed mix streams: hyper-connections, gates.
  const isProjection = ({ op, inputs }: TensorValue): boolean =>
    (products.has(op) || /^conv\d/.test(op)) && (op === 'linear' || inputs.some((input) => input.isParameter === true));
  // An output projection that one setting leaves out.
  const made = alternatives(output).map((each) => flow.base(each));
  if (!made.some(isProjection) || !made.every((each) => flow.passesWeights(base, each)) || addsPart(flow, sublayer)) return false;
  const replaced = block.sublayers.filter(({ isResidual }) => !isResidual);
  if (replaced.length > 1 && replaced.length < block.sublayers.length) return false;
  const isPre = entries.length > 0 && raw.length === 0 && after.length === 0;
  const isPost = entries.length === 0 && after.length > 0;
  const [width, other] = [lastDim(output), lastDim(base)];
  const isPlain =
    entries.length === 0 &&
    (width === undefined || width.unknown || other === undefined || other.unknown
      ? block.sublayers.some((each) => each.isResidual && each.isSure && each.place !== 'none')
      : width.key === other.key);
  // Behind a norm of the sum, or with norms on both sides, as the attention before it. Attention may take another stream's place, where
  // it is not between two sums.
  const at = block.sublayers.indexOf(sublayer);
  const isBetween = at > 0 && [at - 1, at + 1].every((i) => block.sublayers[i]?.isResidual === true);
  const isNormed =
    entries.length > 0 &&
    after.length > 0 &&
    (sublayer.kind === 'feedForward' || isBetween) &&
    block.sublayers.some((each) => each !== sublayer && each.isResidual && (isBare(each) || each.place === 'sandwich'));
  if (!(isPre || isPost || isPlain || isNormed)) return false;
  if (width !== undefined && other !== undefined && compare(width, other, Facts.none) === 'different') return false;
  const main = block.sublayers.filter(isMain);
  const others = main.filter((each) => each !== sublayer);
  const isLone = others.some(({ isResidual }) => isResidual);
  // The last one may hand its branch to a caller that adds it.
  if (leaves(flow, block.call, base) && flow.residuals.has(base)) return false;
  if (addedOutside(flow, block)) return false;
  // What a part hands on may be added by the model around it.
  if (!isLone) return block.call.parent !== undefined && flow.study.isPart !== true && main.every(({ isResidual }) => !isResidual);
  // The stream is not read by anything else that would carry it on.
  const path = flow.between(base, branch);
  // No round of a loop leaves the stream as it was.
  const isSkipped = (user: TensorValue): boolean => user.op === 'join' && user.inputs.some((each) => flow.passesWeights(output, each));
  return flow.usersOf(base).every((user) => path.has(user) || flow.isPart(user) || !flow.carries(user) || isSkipped(user));
}

/** A sum without norms, as far as can be told: the norm behind it is what the next sublayer reads. */
const isBare = ({ place, entries, after, exits }: Sublayer): boolean =>
  place === 'none' || (place === 'unknown' && entries.length + after.length + exits.length === 0);

/** What goes in was put together, `cat((class_token, x))`, and one of its parts is what is added to the output. */
function addsPart(flow: Flow, { entries, output }: Sublayer): boolean {
  const parts = new Set(entries.flatMap(({ input }) => (input.op === 'cat' ? input.inputs.map((each) => flow.base(each)) : [])));
  return (
    parts.size > 0 &&
    flow.study.tensors.some(
      ({ op, inputs }) =>
        op === 'add' &&
        inputs.some((each) => parts.has(flow.base(each))) &&
        inputs.some((each) => each === output || flow.between(output, each).size > 0),
    )
  );
}

/** A caller adds the block's output to its input. */
function addedOutside(flow: Flow, block: Block): boolean {
  const [first] = block.sublayers;
  const stream = argumentTensors(block.call).filter((tensor) => first === undefined || flow.withoutNorms(tensor).base === first.base);
  const given = new Set(stream.flatMap((tensor) => [tensor, flow.base(tensor), flow.withoutNorms(tensor).base]));
  for (const residual of flow.residuals.values()) {
    if (flow.withoutNorms(residual.branch).base === block.end && (given.has(residual.base) || given.has(flow.base(residual.carried))))
      return true;
  }
  return false;
}

/**
 * Where the stream should have been added: in the helper that adds it for the other sublayers or that was given the stream to do so,
 * otherwise where the block calls the sublayer.
 */
function replacedSite(flow: Flow, block: Block, sublayer: Sublayer): Site | undefined {
  const made = sublayer.after[0]?.output ?? sublayer.output;
  const [last = made] = alternatives(made);
  const outer = siteIn(block.call, last, block.frame);
  const siblings = block.sublayers.filter(({ isResidual }) => isResidual);
  if (siblings.some(({ output }) => childOf(block, output) === undefined)) return outer;
  const norm = sublayer.after[0]?.call;
  for (let helper = last.call; helper !== undefined && helper !== block.call; helper = helper.parent) {
    const given = argumentTensors(helper);
    // Of two sublayers without a sum, the second's stream is what the first made.
    const streams = given.map((tensor) => flow.base(tensor)).filter((each) => flow.between(sublayer.base, each).size > 0);
    const getsBranch = streams.some((stream) => given.some((each) => flow.base(each) !== stream && flow.between(stream, each).size > 0));
    if (!getsBranch && !streams.includes(sublayer.base)) continue;
    const norms = [...sublayer.entries, ...sublayer.after].some(({ call }) => call !== undefined && call.parent === helper);
    if (getsBranch || norms) return siteIn(helper, norm ?? last) ?? outer;
  }
  return outer;
}

/** The call in the block's own code in which a tensor was made. */
function childOf(block: Block, tensor: TensorValue): ModuleCall | undefined {
  let at = tensor.call;
  while (at !== undefined && at !== block.call && at.parent !== block.call) at = at.parent;
  return at === block.call ? undefined : at;
}

/** The last line of a call that runs over several: the sum belongs behind it. */
function lastLine(text: string, { start, end }: Range): Range {
  const lines = text.slice(start, end).split('\n');
  const last = lines[lines.length - 1] ?? '';
  return lines.length < 4 ? range(start, end) : range(end - last.trimStart().length, end);
}
