import type { CodeReading, Study } from '../../../interpreter/study.ts';
import type { ModuleCall, Site, Value } from '../../../interpreter/value.ts';
import type { Expression, Statement } from '../../../syntax/python/ast.ts';
import { childExpressions, eachChildStatement, statementExpressions } from '../../../syntax/python/walk.ts';
import { blocksOf } from '../../code/blocks.ts';
import { siteIn, statementBehind } from '../../code/callSites.ts';
import { isInside } from '../../code/norms.ts';
import { type UnusedNorm, unusedNormsOf } from '../../code/unused.ts';
import { defineRule } from '../../rule.ts';
import { blockExample } from './examples.ts';
import { isMain, leaves, nameOf, normSite, sumSite } from './findings.ts';
import { keptResult, normedFirst } from './fixes.ts';
import { openStacksOf } from './stacks.ts';

export const normNeverUsed = defineRule({
  code: 'HW324',
  name: 'norm-never-used',
  category: 'norm',
  severity: 'warning',
  restates: 'HW325',
  since: '0.2.0',
  docs: {
    what: 'A norm is created and never applied, or applied and its result thrown away.',
    why: 'The norm is in the checkpoint and in the parameter count, but the sublayer that it was made for reads the stream as it is. Nothing fails; activations grow with depth and training becomes unstable.',
    bad: [
      blockExample('x = x + self.attn(self.norm1(x))\nx = x + self.mlp(x)\nreturn x'),
      blockExample('self.norm1(x)\nx = x + self.attn(x)\nx = x + self.mlp(self.norm2(x))\nreturn x'),
    ],
    good: [
      blockExample('x = x + self.attn(self.norm1(x))\nx = x + self.mlp(self.norm2(x))\nreturn x'),
      blockExample('for norm, f in ((self.norm1, self.attn), (self.norm2, self.mlp)):\n    x = x + f(norm(x))\nreturn x'),
    ],
    fixSafety:
      'The fix changes what the model computes, which is the point: weights that were trained with the code as it is no longer fit.',
    references: ['https://arxiv.org/abs/2002.04745'],
  },
  messages: {
    sublayer: '`{name}` is created but never applied: the {sublayer} reads the stream as it is.',
    sum: '`{name}` is created but never applied: the sum of the {sublayer} is not normalised.',
    output: '`{name}` is created but never applied: the output of the {sublayer} is added as it is.',
    twice: '`{name}` is created but never applied, while `{sublayer}` beside it is applied twice.',
    beside: '`{name}` is created but never applied: `{sublayer}`, which is made after it, runs without it.',
    behind: '`{name}` is created but never applied: it is made for what `{sublayer}` computes.',
    sibling: '`{name}` is created but never applied, while the norm beside it is.',
    created: '`{name}` is created but never applied.',
    dropped: 'The result of this norm is thrown away: a norm does not change its input.',
  },
  checkCode({ code, rangeOf, report }) {
    // A norm is told of once, where most is known of it.
    const told = new Map<
      number | undefined,
      { readonly unused: UnusedNorm; readonly place: Place | undefined; readonly isSure: boolean }
    >();
    for (const study of code.studies) {
      const stacks = openStacksOf(code, study);
      for (const unused of unusedNormsOf(code, study)) {
        // The rule for the final norm says it where the norm is missing.
        if (stacks.some(({ unused: other }) => other?.norm === unused.norm)) continue;
        const place = placeOf(study, unused);
        const key = rangeOf(unused.norm.site)?.start;
        const known = told.get(key);
        if (known !== undefined && (known.isSure || place === undefined)) continue;
        told.set(key, { unused, place: place ?? placeBeside(study, unused), isSure: place !== undefined });
      }
    }
    for (const { unused, place } of told.values()) {
      const created = rangeOf(unused.norm.site);
      const at = rangeOf(place?.site) ?? created;
      if (at === undefined) continue;
      report({
        at,
        message: place?.message ?? 'created',
        // What follows the last of its modules may be normed by who calls it.
        severity: place === undefined || place.message === 'behind' ? 'information' : 'warning',
        data: { name: unused.name, sublayer: place?.sublayer ?? '' },
        related: at === created ? [] : [{ range: created, message: 'The norm is created here.' }],
        fixes: normedFirst(code, at, unused.name),
      });
    }
    for (const study of code.studies) {
      for (const site of droppedNorms(code, study)) {
        const at = rangeOf(site);
        if (at !== undefined) report({ at, message: 'dropped', fixes: keptResult(code, at) });
      }
    }
  },
});

interface Place {
  readonly site: Site | undefined;
  readonly message: 'sublayer' | 'sum' | 'output' | 'sibling' | 'twice' | 'beside' | 'behind';
  readonly sublayer: string;
}

/**
 * Where the norm would be applied, by what its module makes before and behind it: modules are made in the order in which they are
 * applied. Undefined where neither of its neighbours is applied.
 */
function placeBeside(study: Study, { owner, call, order, name: own, norm }: UnusedNorm): Place | undefined {
  // What is inherited may be of no use to a `forward` of one's own.
  const runs = owner.class.mro.find(({ definition }) =>
    definition?.body.some((each) => each.kind === 'function' && each.name.name === 'forward'),
  );
  if (runs?.definition === undefined || norm.site?.unit.body.statement !== runs.definition) return undefined;
  const at = order.findIndex(([name]) => name === own);
  const callsOf = (value: Value | undefined): readonly ModuleCall[] => {
    const held = value?.kind === 'union' ? value.options : value === undefined ? [] : [value];
    const wanted = new Set(held.flatMap((each) => (each.kind === 'instance' ? [each, ...each.attributes.values()] : [])));
    return study.calls.filter(({ instance, parent }) => parent === call && wanted.has(instance));
  };
  for (const [name, value] of [...order.slice(Math.max(0, at - 1), at), ...order.slice(at + 1, at + 2)]) {
    const [first, second] = value.kind === 'instance' && value.class === norm.class ? callsOf(value) : [];
    if (first !== undefined && second !== undefined) return { site: second.site, message: 'twice', sublayer: name };
  }
  const last = order.slice(0, at).findLast(([, value]) => callsOf(value).length > 0 && hasWeights(value));
  const ran = last === undefined ? undefined : callsOf(last[1]).at(-1)?.site;
  const behind = last === undefined || ran === undefined ? undefined : { at: statementBehind(ran) ?? ran, name: last[0] };
  for (const [name, value] of order.slice(at + 1)) {
    const [next] = callsOf(value);
    const reader = value.kind === 'tensor' ? study.tensors.find((each) => each.call === call && each.inputs.includes(value)) : next;
    if (reader === undefined || !hasWeights(value)) continue;
    // `encoder_norm` between `encoder_blocks` and `decoder_embed` closes what is called as it is.
    const closes = behind !== undefined && isNamedLike(own, behind.name) && !isNamedLike(own, name);
    return { site: closes ? behind.at : reader.site, message: 'beside', sublayer: name };
  }
  return behind === undefined ? undefined : { site: behind.at, message: 'behind', sublayer: behind.name };
}

/** Whether two names begin with the same word. */
const isNamedLike = (left: string, right: string): boolean => left.split('_')[0] === right.split('_')[0];

/** Something to train, which dropout and activations have not. */
function hasWeights(value: Value, depth = 0): boolean {
  if (value.kind === 'tensor') return value.isParameter === true;
  if (value.kind === 'union') return value.options.some((each) => hasWeights(each, depth));
  return value.kind === 'instance' && depth < 6 && [...value.attributes.values()].some((each) => hasWeights(each, depth + 1));
}

/** The sublayer that lacks the norm. */
function placeOf(study: Study, { owner, call, norm }: UnusedNorm): Place | undefined {
  const { blocks, flow } = blocksOf(study);
  const block = blocks.find((each) => isInside(call, each.call) || each.call.instance === owner);
  if (block === undefined) return undefined;
  const main = block.sublayers.filter(isMain);
  const hasPost = main.some(({ place }) => place === 'post');
  const isOwn = block.call.instance === owner;
  if (isOwn && main.some(({ exits }) => exits.length > 0)) {
    // Where no sublayer normalises what it reads, the one without a norm lacks that of its output.
    const isOutput = main.every(({ place }) => place === 'output' || place === 'none');
    const bare = main.filter(({ exits, entries }) => exits.length === 0 && (entries.length > 0 || isOutput));
    const [only] = bare;
    if (bare.length === 1 && only !== undefined) return { site: sumSite(block, only), message: 'output', sublayer: nameOf(only) };
  }
  for (const sublayer of main) {
    if (sublayer.place === 'post' || (sublayer.entries.length > 0 && sublayer.raw.length === 0)) continue;
    const [raw] = sublayer.raw;
    if (hasPost) {
      if (sublayer.place !== 'none' || !(isOwn || isInside(sublayer.output.call, call))) continue;
      return {
        site: isOwn ? sumSite(block, sublayer) : siteIn(call, sublayer.output),
        message: 'sum',
        sublayer: nameOf(sublayer),
      };
    }
    if (raw === undefined || !(isOwn || isInside(raw.call, call))) continue;
    return { site: siteIn(isOwn ? block.call : call, raw), message: 'sublayer', sublayer: nameOf(sublayer) };
  }
  if (isOwn) return undefined;
  // Norms of queries and keys come in pairs.
  const beside = [...flow.norms.values()].filter((other) => other.call?.parent === call && other.instance?.class === norm.class);
  const [sibling] = beside;
  return beside.length === 1 && sibling !== undefined ? { site: normSite(sibling, block), message: 'sibling', sublayer: '' } : undefined;
}

/** Norms that are called as a statement. */
function droppedNorms(code: CodeReading, study: Study): readonly Site[] {
  const { flow } = blocksOf(study);
  const found: Site[] = [];
  for (const norm of flow.norms.values()) {
    const site = norm.call?.site ?? norm.site;
    if (site === undefined || site.file !== code.file || found.includes(site)) continue;
    if (norm.call?.instance.class.definition?.name.name !== undefined && flow.usersOf(norm.output).length > 0) continue;
    if (isStatement(site)) found.push(site);
  }
  // A norm of the stream whose result nothing reads, in a block where a sublayer has no norm.
  for (const block of blocksOf(study).blocks) {
    if (!block.sublayers.some(({ place, raw, entries }) => place === 'none' || (raw.length > 0 && entries.length > 0))) continue;
    for (const norm of flow.norms.values()) {
      if (norm.call === undefined || !isInside(norm.call, block.call) || flow.usersOf(norm.output).length > 0) continue;
      if (leaves(flow, block.call, norm.output) || (norm.call.parent !== undefined && leaves(flow, norm.call.parent, norm.output)))
        continue;
      const site = normSite(norm, block);
      if (site !== undefined && site.file === code.file && !found.includes(site) && isWhole(site) && !isReadLater(site)) found.push(site);
    }
  }
  return found;
}

/** The result is given a name that is read before it is given away again: by code that could not be followed. */
function isReadLater(site: Site): boolean {
  let name: string | undefined;
  let rebound = Number.POSITIVE_INFINITY;
  const reads: number[] = [];
  const read = (expression: Expression): void => {
    if (expression.kind === 'name' && expression.name === name && expression.start > site.node.end) reads.push(expression.start);
    for (const child of childExpressions(expression)) read(child);
  };
  const visit = (statement: Statement): void => {
    const [target] = statement.kind === 'assign' ? statement.targets : [];
    if (statement.kind === 'assign' && target?.kind === 'name' && isCallAt(statement.value, site)) name = target.name;
    else if (name !== undefined) {
      if (statement.kind === 'assign') read(statement.value);
      else for (const expression of statementExpressions(statement)) read(expression);
      if (target?.kind === 'name' && target.name === name) rebound = Math.min(rebound, statement.end);
    }
    eachChildStatement(statement, visit);
  };
  visit(site.unit.body.statement);
  return reads.some((at) => at < rebound);
}

/** It is called for what it computes. Before a graph is captured layers are run to warm up, their results of no use. */
/** `weight.mul_(1.5 / norm)` changes what it is called on. */
const isInPlace = (expression: Expression): boolean =>
  expression.kind === 'call' && expression.callee.kind === 'attribute' && expression.callee.name.name.endsWith('_');

function isStatement(site: Site): boolean {
  let found = false;
  const visit = (statement: Statement): void => {
    if (site.node.start < statement.start || site.node.end > statement.end) return;
    if (isRepeated(statement)) return;
    if (statement.kind === 'expression' && isCallAt(statement.value, site) && !isInPlace(statement.value)) found = true;
    eachChildStatement(statement, visit);
  };
  visit(site.unit.body.statement);
  return found;
}

/** `for _ in range(3)`: the same again. */
const isRepeated = (statement: Statement): boolean =>
  statement.kind === 'for' && statement.target.kind === 'name' && statement.target.name === '_';

/** The call is all that a statement evaluates: what a call is given may be used by code that could not be followed. */
function isWhole(site: Site): boolean {
  let found = false;
  const visit = (statement: Statement): void => {
    if (site.node.start < statement.start || site.node.end > statement.end) return;
    if ((statement.kind === 'expression' || statement.kind === 'assign') && isCallAt(statement.value, site)) found = true;
    eachChildStatement(statement, visit);
  };
  visit(site.unit.body.statement);
  return found;
}

const isCallAt = (expression: Expression, { node }: Site): boolean =>
  expression.kind === 'call' && expression.start === node.start && expression.end === node.end;
