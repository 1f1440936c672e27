import type { TensorValue } from '../../../interpreter/value.ts';
import { attentionsOf } from '../../code/attention.ts';
import type { Norm } from '../../code/norms.ts';
import { isCopy } from '../../code/places.ts';
import { defineRule } from '../../rule.ts';
import { blockExample } from './examples.ts';
import { attributeOf, isMain, nameOf, normSite, ownBlocks, sumSite } from './findings.ts';
import { unnormedResidual } from './fixes.ts';

export const residualCarriesNormed = defineRule({
  code: 'HW321',
  name: 'residual-carries-normed',
  category: 'norm',
  severity: 'warning',
  since: '0.2.0',
  docs: {
    what: 'A residual sum adds a sublayer to the normed stream instead of the stream itself.',
    why: 'In `x = norm(x); x = x + f(x)` the stream is normalised anew in every block: what earlier blocks wrote is rescaled, the identity path from the loss to the first layer is gone, and a checkpoint trained with the real pre-norm form gives other outputs. Shapes and losses look normal.',
    bad: [
      blockExample('x = self.norm1(x)\nx = x + self.attn(x)\nx = x + self.mlp(self.norm2(x))\nreturn x'),
      blockExample('x = x + self.attn(self.norm1(x))\nx = self.norm2(x) + self.mlp(self.norm2(x))\nreturn x'),
      blockExample(
        'residual = x\nx = self.attn(self.norm1(x))\nx = residual + x\nx = self.norm2(x)\nresidual = x\nx = self.mlp(x)\nreturn residual + x',
      ),
    ],
    good: [
      blockExample('x = x + self.attn(self.norm1(x))\nx = x + self.mlp(self.norm2(x))\nreturn x'),
      blockExample('x = self.norm1(x + self.attn(x))\nx = self.norm2(x + self.mlp(x))\nreturn x'),
      blockExample('x = self.norm1(x)\nx = x + self.attn(x) + self.mlp(x)\nreturn self.norm2(x)'),
    ],
    fixSafety:
      'The fix changes what the model computes, which is the point: weights that were trained with the code as it is no longer fit.',
    references: ['https://arxiv.org/abs/2002.04745'],
  },
  messages: {
    carried: 'The {sublayer} is added to the normed stream: the residual carries the output of {norm} instead of its input.',
  },
  checkCode({ code, rangeOf, report }) {
    const attentions = attentionsOf(code);
    // Queries that are normed are added to what attention gives where it pools: they are no stream.
    const isOfOperand = ({ output }: Norm): boolean =>
      attentions.some(({ query, key }) => [query, key].some(({ source }) => source?.passed.some((each) => isCopy(each, output)) === true));
    for (const { block } of ownBlocks(code)) {
      const main = block.sublayers.filter(isMain);
      // Beside sublayers whose sums are normalised, the first norm may be that of the sum before.
      if (!main.every(({ place }) => place === 'pre' || place === 'carried' || place === 'sandwich')) continue;
      // Where every sublayer does it, it is how the block is meant: CCT, PatchTST with `pre_norm`.
      const isMeant = main.length > 1 && main.every(({ place, isParallel }) => place === 'carried' && !isParallel);
      for (const sublayer of block.sublayers) {
        const norm = sublayer.before[sublayer.before.length - 1];
        if (
          sublayer.place !== 'carried' ||
          sublayer.isParallel ||
          sublayer.carried === undefined ||
          norm === undefined ||
          isOfOperand(norm) ||
          isScaled(sublayer.carried, norm)
        )
          continue;
        const at = rangeOf(normSite(norm, block));
        const sum = rangeOf(sublayer.output.site) ?? rangeOf(sumSite(block, sublayer));
        const place = at ?? sum;
        if (place === undefined) continue;
        const name = norm.instance === undefined ? undefined : attributeOf(block.call.instance, norm.instance);
        report({
          at: place,
          message: 'carried',
          ...(isMeant ? { severity: 'information' } : {}),
          data: { sublayer: nameOf(sublayer), norm: name === undefined ? 'the norm' : `\`${name}\`` },
          related: [{ range: sum, message: 'The sum is here.' }],
          fixes: unnormedResidual(code, place),
        });
      }
    }
  },
});

/** The residual has a scale of its own, as DeepNorm gives it: the norm before it is part of the design. */
function isScaled(carried: TensorValue, { output }: Norm): boolean {
  let at = carried;
  for (let i = 0; i < 12 && at !== output; i++) {
    if (at.op === 'mul' || at.op === 'div') return true;
    const [first] = at.inputs;
    if (first === undefined) return false;
    at = first;
  }
  return false;
}
