import { formatShape } from '../../../dims/shape.ts';
import type { Study } from '../../../interpreter/study.ts';
import type { InstanceValue, ModuleCall, Site, Value } from '../../../interpreter/value.ts';
import { type Statement, spanIn } from '../../../syntax/python/ast.ts';
import { eachChildStatement } from '../../../syntax/python/walk.ts';
import { type Block, blocksOf } from '../../code/blocks.ts';
import { loopAround } from '../../code/callSites.ts';
import { areExclusive } from '../../code/exclusive.ts';
import type { Flow } from '../../code/flow.ts';
import type { Norm } from '../../code/norms.ts';
import { type UnusedNorm, unusedNormsOf } from '../../code/unused.ts';
import { defineRule, type RuleExample } from '../../rule.ts';
import { blockExample } from './examples.ts';
import { normSiteIn, ownBlocks, sharedCall } from './findings.ts';
import { ownNorm } from './fixes.ts';

/** Two streams that look at each other; the second is normed so. */
const twoStreams = (second: string): RuleExample => ({
  language: 'python',
  code: `import torch.nn as nn


class Exchange(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.to_a = nn.Linear(dim, dim)
        self.to_b = nn.Linear(dim, dim)
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)

    def forward(self, a, b):
        a = self.norm1(a + self.to_a(b))
        b = ${second}
        return a, b
`,
});

export const sharedNorm = defineRule({
  code: 'HW325',
  name: 'norm-shared-by-sublayers',
  category: 'norm',
  severity: 'warning',
  since: '0.2.0',
  docs: {
    what: 'One norm is applied at two places of a block, to different tensors.',
    why: 'Each sublayer has its own norm: their inputs differ in scale, and the weights of a norm are fitted to one of them. `self.norm1` used a second time where `self.norm2` was meant runs, keeps every shape, and leaves a norm of the checkpoint unused. One norm for sublayers that read the same tensor, as in GPT-J, is not reported.',
    bad: [
      blockExample('x = x + self.attn(self.norm1(x))\nx = x + self.mlp(self.norm1(x))\nreturn x'),
      blockExample(
        'x = x + self.attn(self.norm1(x))\nx = x + self.mlp(self.norm2(x))\nreturn x',
        'self.norm1 = nn.LayerNorm(dim)\nself.norm2 = self.norm1',
      ),
      twoStreams('self.norm1(b + self.to_b(a))'),
    ],
    good: [
      blockExample('x = x + self.attn(self.norm1(x))\nx = x + self.mlp(self.norm2(x))\nreturn x'),
      twoStreams('self.norm2(b + self.to_b(a))'),
      blockExample('h = self.norm1(x)\nreturn x + self.attn(h) + self.mlp(h)', 'self.norm1 = nn.LayerNorm(dim)'),
      blockExample('return x + self.attn(self.norm1(x)) + self.mlp(self.norm1(x))', 'self.norm1 = nn.LayerNorm(dim)'),
    ],
    fixSafety:
      'The fix changes what the model computes, which is the point: weights that were trained with the code as it is no longer fit.',
    references: ['https://arxiv.org/abs/2002.04745'],
  },
  messages: {
    shared: 'The same norm is applied to two different tensors of one block; each sublayer has its own.',
    instead: 'The same norm is applied to two different tensors here, and `{name}` to none.',
    alias: 'Both names stand for one norm, which is then applied to two different tensors of a block.',
  },
  checkCode({ code, rangeOf, report }) {
    const reported = new Set<number>();
    for (const { study, block, flow } of ownBlocks(code)) {
      const uses: { readonly norm: Norm; readonly instance: InstanceValue }[] = [];
      const seen = new Set<Norm>();
      for (const { before, entries, exits, after } of block.sublayers) {
        for (const norm of [...before, ...entries, ...exits, ...after]) {
          if (norm.instance === undefined || seen.has(norm)) continue;
          seen.add(norm);
          uses.push({ norm, instance: norm.instance });
        }
      }
      for (const [i, { norm, instance }] of uses.entries()) {
        const first = uses.slice(0, i).find((other) => other.instance === instance);
        if (first === undefined || sameInput(flow, first.norm, norm)) continue;
        const shared = sharedCall(first.norm.call, norm.call);
        if (shared === undefined) continue;
        const [here, there] = placesIn(shared, norm, first.norm, block);
        // The same code run twice: layers that share their weights.
        if (here === undefined || there === undefined || (here.node.start === there.node.start && here.unit.body === there.unit.body))
          continue;
        if (areExclusive(here, there) || areItems(here, there) || areOfTwoLoops(here, there)) continue;
        const alias = aliasOf(shared.instance, instance);
        const at = rangeOf(alias) ?? rangeOf(here);
        if (at === undefined) continue;
        reported.add(at.start);
        report({
          at,
          message: alias === undefined ? 'shared' : 'alias',
          related: [{ range: rangeOf(there), message: 'It is applied here first.' }],
          fixes:
            alias === undefined ? ownNorm(code, at, unusedNormsOf(code, study).find(({ owner }) => owner === shared.instance)?.name) : [],
        });
      }
    }
    for (const study of code.studies) {
      for (const unused of unusedNormsOf(code, study)) {
        const taken = inPlaceOf(study, unused);
        const at = rangeOf(taken?.site);
        if (taken === undefined || at === undefined || reported.has(at.start)) continue;
        reported.add(at.start);
        report({
          at,
          message: 'instead',
          data: { name: unused.name },
          related: [{ range: rangeOf(taken.other), message: 'The same norm is applied here.' }],
          fixes: ownNorm(code, at, unused.name),
        });
      }
    }
  },
});

/** `self.norms[2 * i](x)` and `self.norms[2 * i + 1](x)`: one of a list stands for all of them, and it is not the same one. */
function areItems(one: Site, other: Site): boolean {
  const [a, b] = [one, other].map(({ file, unit, node }) => {
    const { start, end } = spanIn(unit, node);
    return /^[\w.]+\[[^\]]*\](?=\()/.exec(file.module.text.slice(start, end))?.[0];
  });
  return a !== undefined && b !== undefined && a !== b;
}

/** Each stands in a loop of its own: layers that are gone through twice, with the weights they have. */
function areOfTwoLoops(one: Site, other: Site): boolean {
  const [a, b] = [loopAround(one), loopAround(other)];
  return a !== undefined && b !== undefined && a !== b;
}

/** Where two uses of a norm stand in the code of a call: each in its own function, or where that is one, where that is called. */
function placesIn(shared: ModuleCall, one: Norm, other: Norm, block: Block): readonly [Site | undefined, Site | undefined] {
  const [a, b] = [one, other].map(({ call }) => (call?.parent === shared ? call.site : undefined));
  if (a !== undefined && b !== undefined && a.file === b.file && a.node.start !== b.node.start) return [a, b];
  return [normSiteIn(shared, one, block), normSiteIn(shared, other, block)];
}

/** Where another norm of the module is applied a second time, which is where the unused one belongs; undefined where that is not sure. */
function inPlaceOf(study: Study, { owner, name, norm }: UnusedNorm): { readonly site: Site; readonly other: Site } | undefined {
  const { flow } = blocksOf(study);
  const names = [...owner.attributes].flatMap(([key, value]) => (value === norm || isLike(value, norm) ? [key] : []));
  const uses = new Map<InstanceValue, Norm[]>();
  for (const use of flow.norms.values()) {
    if (use.instance === undefined || use.call?.parent?.instance !== owner || !isLike(use.instance, norm)) continue;
    uses.set(use.instance, [...(uses.get(use.instance) ?? []), use]);
  }
  const found = [...uses].flatMap(([instance, each]) => {
    const key = names.find((other) => owner.attributes.get(other) === instance);
    // In the order of the code, each place once: a block that runs again, or on both branches, applies it no more often.
    const places = new Map(each.flatMap((use) => (use.call?.site === undefined ? [] : [[use.call.site.node.start, use] as const])));
    const [first, second, ...others] = [...places].sort(([a], [b]) => a - b).map(([, use]) => use);
    if (key === undefined || first === undefined || second === undefined || others.length > 0) return [];
    if (first.call?.parent !== second.call?.parent || sameInput(flow, first, second)) return [];
    const isBefore = names.indexOf(name) < names.indexOf(key);
    const [site, other] = isBefore ? [first.call?.site, second.call?.site] : [second.call?.site, first.call?.site];
    return site === undefined || other === undefined || site.file !== other.file ? [] : [{ site, other }];
  });
  return found.length === 1 ? found[0] : undefined;
}

/** Whether the value is a norm made as the other is: of one class, over the same axes. */
const isLike = (value: Value, norm: InstanceValue): boolean =>
  value.kind === 'instance' && value.class === norm.class && widthOf(value) === widthOf(norm);

const widthOf = ({ attributes }: InstanceValue): string =>
  [...attributes.values()].flatMap((value) => (value.kind === 'tensor' ? [formatShape(value.shape)] : [])).join(' ');

const sameInput = (flow: Flow, a: Norm, b: Norm): boolean => a.input === b.input || flow.base(a.input) === flow.base(b.input);

/** The statement \`self.norm2 = self.norm1\`, where the module holds one norm under two names. */
function aliasOf(owner: InstanceValue, norm: InstanceValue): Site | undefined {
  const names = [...owner.attributes].filter(([, value]) => value === norm).map(([name]) => name);
  const { definition, file, unit } = owner.class;
  if (names.length < 2 || definition === undefined || file === undefined || unit === undefined) return undefined;
  let found: Site | undefined;
  const visit = (statement: Statement): void => {
    if (
      statement.kind === 'assign' &&
      statement.value.kind === 'attribute' &&
      names.includes(statement.value.name.name) &&
      statement.targets.some((target) => target.kind === 'attribute' && names.includes(target.name.name))
    )
      found = { file, unit, node: statement };
    eachChildStatement(statement, visit);
  };
  definition.body.forEach(visit);
  return found;
}
