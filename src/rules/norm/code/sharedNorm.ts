import type { InstanceValue, Site } from '../../../interpreter/value.ts';
import type { Statement } from '../../../syntax/python/ast.ts';
import { eachChildStatement } from '../../../syntax/python/walk.ts';
import type { Flow } from '../../code/flow.ts';
import type { Norm } from '../../code/norms.ts';
import { defineRule } from '../../rule.ts';
import { blockExample } from './examples.ts';
import { normSiteIn, ownBlocks, sharedCall } from './findings.ts';
import { ownNorm } from './fixes.ts';
import { unusedNormsOf } from './unused.ts';

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
    ],
    good: [
      blockExample('x = x + self.attn(self.norm1(x))\nx = x + self.mlp(self.norm2(x))\nreturn x'),
      blockExample('h = self.norm1(x)\nreturn x + self.attn(h) + self.mlp(h)', 'self.norm1 = nn.LayerNorm(dim)'),
      blockExample('return x + self.attn(self.norm1(x)) + self.mlp(self.norm1(x))', 'self.norm1 = nn.LayerNorm(dim)'),
    ],
    fixSafety:
      'The fix changes what the model computes, which is the point: weights that were trained with the code as it is no longer fit.',
    references: ['https://arxiv.org/abs/2002.04745'],
  },
  messages: {
    shared: 'The same norm is applied to two different tensors of one block; each sublayer has its own.',
    alias: 'Both names stand for one norm, which is then applied to two different tensors of a block.',
  },
  checkCode({ code, rangeOf, report }) {
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
        const [here, there] = [normSiteIn(shared, norm), normSiteIn(shared, first.norm)];
        // The same code run twice: layers that share their weights.
        if (here === undefined || there === undefined || (here.node.start === there.node.start && here.unit.body === there.unit.body))
          continue;
        const alias = aliasOf(shared.instance, instance);
        const at = rangeOf(alias) ?? rangeOf(here);
        if (at === undefined) continue;
        report({
          at,
          message: alias === undefined ? 'shared' : 'alias',
          related: [{ range: rangeOf(there), message: 'It is applied here first.' }],
          fixes:
            alias === undefined ? ownNorm(code, at, unusedNormsOf(code, study).find(({ owner }) => owner === shared.instance)?.name) : [],
        });
      }
    }
  },
});

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
