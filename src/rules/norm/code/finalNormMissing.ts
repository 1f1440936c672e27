import { statementBehind } from '../../code/callSites.ts';
import { lastDim } from '../../code/widths.ts';
import { defineRule } from '../../rule.ts';
import { stackExample } from './examples.ts';
import { normedFirst } from './fixes.ts';
import { openStacksOf } from './stacks.ts';

export const finalNormMissing = defineRule({
  code: 'HW323',
  name: 'final-norm-missing',
  category: 'norm',
  severity: 'warning',
  since: '0.2.0',
  docs: {
    what: 'The output of a stack of pre-norm blocks goes to the head without a norm.',
    why: 'In a pre-norm block the stream itself is never normalised: it grows with every layer. The final norm brings it back before the head reads it. Without one, logits have the scale of the deepest layers, and a checkpoint trained with a final norm gives other outputs.',
    bad: [stackExample('return self.head(x)'), stackExample('logits = self.head(x)\nreturn logits', 'pass')],
    good: [
      stackExample('return self.head(self.norm(x))'),
      stackExample('return x', 'pass'),
      stackExample('return self.head(x)', 'pass', 'x = self.norm1(x + self.attn(x))\nx = self.norm2(x + self.mlp(x))\nreturn x'),
    ],
    fixSafety:
      'The fix changes what the model computes, which is the point: weights that were trained with the code as it is no longer fit.',
    references: ['https://arxiv.org/abs/2002.04745'],
  },
  messages: {
    unused: '`{name}` is created but not applied: the stream of the pre-norm blocks leaves un-normed here.',
    identity: '`nn.Identity` stands where the stream of the pre-norm blocks needs its final norm.',
    missing: 'The stream of the pre-norm blocks is used here without a final norm.',
    library:
      'These layers have `norm_first=True` and no norm follows them: `nn.TransformerEncoder` and `nn.TransformerDecoder` take one as `norm`.',
  },
  checkCode({ code, rangeOf, report }) {
    for (const study of code.studies) {
      for (const { stack, site, runs, unused, head, identity, block, isMemory, isLanguageModel } of openStacksOf(code, study)) {
        const isLibrary = stack.instance.class.file?.isPrelude === true;
        if (identity !== undefined && unused === undefined) {
          const at = rangeOf(identity.instance.site);
          if (at !== undefined && head !== undefined)
            report({ at, message: 'identity', related: [{ range: rangeOf(head.site), message: 'The head reads the stream here.' }] });
          continue;
        }
        const at = rangeOf(site);
        if (at === undefined) continue;
        if (unused !== undefined) {
          // Behind other work the place of the norm is where the blocks end, not where the stream is read at last.
          const ran = rangeOf(runs);
          const isFar = ran !== undefined && ran.end < at.start && code.file.module.text.slice(ran.end, at.start).split('\n').length > 4;
          const behind = runs === undefined ? undefined : rangeOf(statementBehind(runs));
          report({
            at: isFar ? (behind ?? ran) : at,
            message: 'unused',
            data: { name: unused.name },
            related: [
              { range: rangeOf(unused.norm.site), message: 'The norm is created here.' },
              { range: isFar ? at : undefined, message: 'The un-normed stream is read here.' },
            ],
            fixes: normedFirst(code, at, unused.name),
          });
          continue;
        }
        if (head === undefined || block.sublayers.some(({ place }) => place === 'sandwich' || place === 'output')) continue;
        // A projection to as many numbers as the stream has may belong to something that normalises later.
        const [from, to] = [lastDim(block.end), lastDim(head)];
        if (!isLibrary && !isMemory && from !== undefined && to !== undefined && from.key === to.key) continue;
        report({
          at,
          message: isLibrary ? 'library' : 'missing',
          severity: isLibrary || isMemory || isLanguageModel ? 'warning' : 'information',
          related: [{ range: rangeOf(head.site), message: 'The un-normed stream is projected here.' }],
        });
      }
    }
  },
});
