import { attentionsOf, type CalledAttention } from '../../code/attention.ts';
import { byPlace, rangeIn, textAt } from '../../code/places.ts';
import { asTensor } from '../../code/tensors.ts';
import { defineRule } from '../../rule.ts';
import { calledExample } from './examples.ts';

const mask = 'mask = torch.ones(T, T, dtype=torch.bool, device=x.device).tril()';

export const causalWithMask = defineRule({
  code: 'HW160',
  name: 'causal-flag-with-mask',
  category: 'heads',
  severity: 'error',
  since: '0.2.0',
  docs: {
    what: '`scaled_dot_product_attention` is given a mask and `is_causal=True`.',
    why: 'The two are exclusive: the call raises an error when both are set (some CPU kernels ignore one of them instead). A causal mask with something more, such as padding, is one mask with both in it.',
    bad: [calledExample('F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=True)', mask)],
    good: [
      calledExample('F.scaled_dot_product_attention(q, k, v, attn_mask=mask)', mask),
      calledExample('F.scaled_dot_product_attention(q, k, v, attn_mask=None, is_causal=True)'),
    ],
    fixSafety: 'The fix leaves out `is_causal=True`; the mask must then be causal itself.',
    references: ['https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.scaled_dot_product_attention.html'],
  },
  messages: {
    both: '`attn_mask` and `is_causal=True` exclude each other: put the causal mask into the mask.',
  },
  checkCode({ code, report }) {
    const all = attentionsOf(code).filter((each): each is CalledAttention => each.kind === 'called');
    for (const group of byPlace(all, ({ node }) => node)) {
      const isBoth = group.every(
        ({ mask, isCausal }) =>
          asTensor(mask) !== undefined && mask?.kind === 'tensor' && isCausal?.kind === 'bool' && isCausal.value === true,
      );
      const at = rangeIn(code, group[0]?.node.site);
      if (!isBoth || at === undefined) continue;
      const written = /,\s*is_causal\s*=\s*True/.exec(textAt(code, at));
      const start = at.start + (written?.index ?? 0);
      report({
        at,
        message: 'both',
        fixes:
          written === null
            ? []
            : [
                {
                  title: 'Leave out is_causal=True',
                  safe: false,
                  edits: [{ range: { start, end: start + written[0].length }, newText: '' }],
                },
              ],
      });
    }
  },
});
