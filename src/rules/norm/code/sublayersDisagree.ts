import type { ModuleCall, Site, TensorValue } from '../../../interpreter/value.ts';
import type { Block, Blocks } from '../../code/blocks.ts';
import { siteIn } from '../../code/callSites.ts';
import { isWithin } from '../../code/norms.ts';
import type { NormPlace, Sublayer } from '../../code/sublayers.ts';
import { unusedNormsOf } from '../../code/unused.ts';
import { defineRule } from '../../rule.ts';
import { blockExample } from './examples.ts';
import { allAlike, isMain, nameOf, normSite, ownBlocks, sumSite } from './findings.ts';

const words: Readonly<Partial<Record<NormPlace, string>>> = {
  pre: 'normalises its input',
  post: 'normalises the sum',
  output: 'normalises its output before the sum',
  none: 'has no norm',
  sandwich: 'normalises its input and its output',
  both: 'normalises its input and the sum',
};

export const sublayersDisagree = defineRule({
  code: 'HW320',
  name: 'sublayers-disagree-on-norm',
  category: 'norm',
  severity: 'warning',
  since: '0.2.0',
  docs: {
    what: 'The sublayers of one block place their norms differently: one normalises its input, another the sum, its output, or nothing.',
    why: 'Pre-norm keeps the residual stream free of norms; post-norm normalises every sum. A block that does one in its attention and the other in its feed-forward has neither property: the stream is cut by a norm in each block, and what initialisation, warm-up and the final norm rely on does not hold. It is nearly always a slip.',
    bad: [
      blockExample('x = x + self.attn(self.norm1(x))\nx = self.norm2(x + self.mlp(x))\nreturn x'),
      blockExample('x = self.norm1(x + self.attn(x))\nx = x + self.norm2(self.mlp(x))\nreturn x'),
      blockExample('x = x + self.attn(self.norm1(x))\nx = x + self.mlp(x)\nreturn x', 'self.norm1 = nn.LayerNorm(dim)'),
    ],
    good: [
      blockExample('x = x + self.attn(self.norm1(x))\nx = x + self.mlp(self.norm2(x))\nreturn x'),
      blockExample('x = self.norm1(x + self.attn(x))\nx = self.norm2(x + self.mlp(x))\nreturn x'),
      blockExample('x = x + self.norm1(self.attn(x))\nx = x + self.norm2(self.mlp(x))\nreturn x'),
      blockExample('x = x + self.attn(x)\nx = x + self.mlp(x)\nreturn self.norm1(x)', 'self.norm1 = nn.LayerNorm(dim)'),
    ],
    references: ['https://arxiv.org/abs/2002.04745', 'https://arxiv.org/abs/2501.00656'],
  },
  messages: {
    disagree: 'The {sublayer} {here}, the {other} {there}: the sublayers of one block place their norms differently.',
    partly: 'The {sublayer} reads the stream both through a norm and as it is.',
  },
  checkCode({ code, rangeOf, report }) {
    for (const { study, block, all } of ownBlocks(code)) {
      const main = block.sublayers.filter((each) => isMain(each) && each.isResidual);
      if (main.length < 2 || main.length !== block.sublayers.filter(isMain).length) continue;
      const odd = oddOne(block, main, all);
      if (odd !== undefined) {
        const { sublayer, other } = odd;
        if (!allAlike(all, block, (each) => oddOne(each, each.sublayers.filter(isMain), all) !== undefined)) continue;
        // The norm that was forgotten is named by the rule for unused norms.
        if (sublayer.place === 'none' && (unusedNormsOf(code, study).length > 0 || readsNorm(block, sublayer, all))) continue;
        const at = rangeOf(siteOf(block, sublayer, other));
        if (at === undefined) continue;
        report({
          at,
          message: 'disagree',
          // A sublayer may do without a norm by intent, unless the others are wrapped in one.
          severity: sublayer.place === 'none' && main.length < 3 && !isWrapped(block, other) ? 'information' : 'warning',
          data: { sublayer: nameOf(sublayer), here: words[sublayer.place] ?? '', other: nameOf(other), there: words[other.place] ?? '' },
          related: [{ range: rangeOf(siteOf(block, other, sublayer)), message: `The ${nameOf(other)} ${words[other.place] ?? ''} here.` }],
        });
        continue;
      }
      for (const sublayer of main) {
        const [raw] = sublayer.raw;
        if (sublayer.kind !== 'attention' || sublayer.entries.length === 0 || raw?.op !== 'linear' || !sublayer.isSure) continue;
        if (!main.every((each) => each === sublayer || each.place === 'pre')) continue;
        const at = rangeOf(siteIn(block.call, raw, block.frame));
        if (at !== undefined) report({ at, message: 'partly', severity: 'information', data: { sublayer: nameOf(sublayer) } });
      }
    }
  },
});

const plain: ReadonlySet<NormPlace> = new Set(['pre', 'post', 'output', 'none', 'sandwich', 'both']);

/** The sublayer that differs from the others. */
function oddOne(
  block: Block,
  main: readonly Sublayer[],
  all: Blocks,
): { readonly sublayer: Sublayer; readonly other: Sublayer } | undefined {
  if (main.length < 2 || main.some(({ place, isParallel, inner }) => !plain.has(place) || isParallel || inner.length > 0)) return undefined;
  const places = [...new Set(main.map(({ place }) => place))];
  if (places.length !== 2) return undefined;
  const [a, b] = places as [NormPlace, NormPlace];
  // NormFormer and others normalise one sublayer on both sides; on both sides of one, and of the sum in the other, is a slip.
  const isSandwich = places.includes('sandwich') || places.includes('both');
  if (isSandwich && !(places.includes('sandwich') && places.includes('both'))) return undefined;
  const count = (place: NormPlace): number => main.filter((each) => each.place === place).length;
  const pick = (place: NormPlace): { sublayer: Sublayer; other: Sublayer } | undefined => {
    const odd = main.filter((each) => each.place === place);
    const sublayer = odd[odd.length - 1];
    const other = main.find((each) => each.place !== place);
    return sublayer === undefined || other === undefined ? undefined : { sublayer, other };
  };
  if (isSandwich) return count('both') === 1 ? pick('both') : undefined;
  if (a === 'none' || b === 'none') return count('none') === 1 ? pick('none') : undefined;
  if (count(a) !== count(b)) return pick(count(a) < count(b) ? a : b);
  if (a === 'output' || b === 'output') return pick('output');
  // A norm behind the stack goes with pre-norm, a stack that ends in its own norm with post-norm.
  return pick(endsNormed(block, all) === false ? 'pre' : 'post');
}

/** Whether another norm follows the stack; undefined where nothing follows in sight. */
function endsNormed(block: Block, all: Blocks): boolean | undefined {
  const waiting = [block.output];
  const seen = new Set(waiting);
  let isRead = false;
  for (let i = 0; i < waiting.length && i < 60; i++) {
    const at = waiting[i] as (typeof waiting)[number];
    for (const norm of all.flow.norms.values())
      if (norm.input === at && !all.blocks.some(({ call }) => call === norm.call?.parent)) return true;
    for (const user of all.flow.usersOf(at)) {
      if (seen.has(user) || all.flow.isPart(user)) continue;
      seen.add(user);
      if (all.flow.base(user) === all.flow.base(at)) waiting.push(user);
      else if (user.op === 'linear') isRead = true;
    }
  }
  return isRead ? false : undefined;
}

/** The place of what makes a sublayer what it is. */
function siteOf(block: Block, sublayer: Sublayer, other: Sublayer): Site | undefined {
  const [exit] = sublayer.exits;
  const [entry] = sublayer.entries;
  const after = sublayer.after[0];
  if ((sublayer.place === 'post' || sublayer.place === 'both') && after !== undefined) return normSite(after, block);
  if (sublayer.place === 'output' && exit !== undefined) return normSite(exit, block);
  if (sublayer.place === 'pre' && entry !== undefined) return normSite(entry, block);
  const [raw] = sublayer.raw;
  if (raw === undefined) return sumSite(block, sublayer);
  // Where the others are wrapped in a module that normalises, the wrapper is missing where the sublayer is made.
  const wrapper = other.entries[0]?.call?.parent;
  const own = calledBy(block, raw);
  if (wrapper !== undefined && isWrapped(block, other) && own !== undefined && own.instance.class !== wrapper.instance.class)
    return own.instance.site ?? siteIn(block.call, raw, block.frame);
  return siteIn(block.call, raw, block.frame);
}

/** The block hands the sublayer something normed, if only not what its result is added to: a memory, or all there is where values are added. */
function readsNorm(block: Block, { raw: [raw] }: Sublayer, { flow }: Blocks): boolean {
  const own = raw === undefined ? undefined : calledBy(block, raw);
  return (
    own !== undefined &&
    [...flow.norms.values()].some(
      ({ call, output }) => call?.parent === block.call && flow.usersOf(output).some((user) => isWithin(user, own)),
    )
  );
}

/** The module called by the block in which a tensor is made. */
function calledBy(block: Block, { call }: TensorValue): ModuleCall | undefined {
  let own = call;
  while (own !== undefined && own.parent !== block.call) own = own.parent;
  return own;
}

/** The norm of the sublayer stands in a module around it. */
function isWrapped(block: Block, { entries }: Sublayer): boolean {
  const wrapper = entries[0]?.call?.parent;
  return wrapper !== undefined && wrapper !== block.call && wrapper.parent === block.call;
}
