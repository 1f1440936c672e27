import type { Flow } from '../../code/flow.ts';
import type { Norm } from '../../code/norms.ts';
import { defineRule } from '../../rule.ts';
import { blockExample } from './examples.ts';
import { normSite, ownBlocks } from './findings.ts';
import { normedOnce } from './fixes.ts';

export const normOfNorm = defineRule({
  code: 'HW326',
  name: 'norm-of-norm',
  category: 'norm',
  severity: 'warning',
  since: '0.2.0',
  docs: {
    what: 'A norm is applied to the output of another norm, with nothing between them.',
    why: 'The second norm undoes what the weights of the first have learned, up to its own: one of the two is there by mistake, and a sublayer further on may lack it. A norm of what was embedded before the first block is not reported.',
    bad: [
      blockExample('x = x + self.attn(self.norm1(x))\nx = x + self.mlp(self.norm2(self.norm1(x)))\nreturn x'),
      blockExample('y = self.norm1(x)\ny = self.norm1(y)\nx = x + self.attn(y)\nx = x + self.mlp(self.norm2(x))\nreturn x'),
    ],
    good: [blockExample('x = x + self.attn(self.norm1(x))\nx = x + self.mlp(self.norm2(x))\nreturn x')],
    fixSafety:
      'The fix changes what the model computes, which is the point: weights that were trained with the code as it is no longer fit.',
    references: ['https://arxiv.org/abs/1607.06450'],
  },
  messages: {
    doubled: 'This norms what has just been normed: nothing stands between the two norms.',
  },
  checkCode({ code, rangeOf, report }) {
    for (const { block, flow } of ownBlocks(code)) {
      const pairs: (readonly [Norm, Norm])[] = [];
      for (const { doubled, after, before } of block.sublayers) {
        pairs.push(...doubled);
        for (const stream of [before, after])
          for (const [i, norm] of stream.entries()) {
            const inner = stream[i - 1];
            if (inner !== undefined) pairs.push([inner, norm]);
          }
      }
      for (const [inner, outer] of pairs) {
        if (!isOnly(flow, inner, outer)) continue;
        const at = rangeOf(normSite(outer, block));
        if (at === undefined) continue;
        report({
          at,
          message: 'doubled',
          related: [{ range: rangeOf(normSite(inner, block)), message: 'The first norm is here.' }],
          fixes: normedOnce(code, at, rangeOf(normSite(inner, block))),
        });
      }
    }
  },
});

/** The first norm goes into the second alone. */
function isOnly(flow: Flow, inner: Norm, outer: Norm): boolean {
  const waiting = [inner.output];
  const seen = new Set(waiting);
  for (let i = 0; i < waiting.length && i < 40; i++) {
    for (const user of flow.usersOf(waiting[i] as Norm['output'])) {
      if (seen.has(user) || !flow.carries(user)) continue;
      seen.add(user);
      if (user === outer.output || outer.parts.has(user) || flow.isPart(user)) continue;
      if (flow.base(user) !== flow.base(inner.output)) return false;
      waiting.push(user);
    }
  }
  return true;
}
