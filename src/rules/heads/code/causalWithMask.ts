import type { CodeReading } from '../../../interpreter/study.ts';
import type { Value } from '../../../interpreter/value.ts';
import type { Range } from '../../../text/range.ts';
import { attentionsOf, type CalledAttention } from '../../code/attention.ts';
import { byPlace, rangeIn, textAt } from '../../code/places.ts';
import { defineRule } from '../../rule.ts';
import { calledExample } from './examples.ts';

const mask = 'mask = torch.ones(T, T, dtype=torch.bool, device=x.device).tril()';

/** The mask comes from whoever calls, who may give none. */
const handingOn = (isCausal: string) => ({
  language: 'python' as const,
  code: `import torch.nn.functional as F


def attend(q, k, v, mask=None):
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=${isCausal})
`,
});

export const causalWithMask = defineRule({
  code: 'HW160',
  name: 'causal-flag-with-mask',
  category: 'heads',
  severity: 'error',
  since: '0.2.0',
  docs: {
    what: '`scaled_dot_product_attention` is given a mask and `is_causal=True`.',
    why: 'The two are exclusive: the call raises an error when both are set (some CPU kernels ignore one of them instead). A causal mask with something more, such as padding, is one mask with both in it.',
    bad: [calledExample('F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=True)', mask), handingOn('True')],
    good: [
      handingOn('True if mask is None else False'),
      handingOn('False'),
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
      const at = rangeIn(code, group[0]?.node.site);
      const isBoth = group.every(
        ({ mask, isCausal }) =>
          isCausal?.kind === 'bool' &&
          isCausal.value === true &&
          (mask?.kind === 'tensor' || (at !== undefined && isHandedOn(code, mask, at))),
      );
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

/** A mask that comes in and is handed on as it is, while `is_causal=True` is written beside it whether one came in or not. */
function isHandedOn(code: CodeReading, mask: Value | undefined, at: Range): boolean {
  const { text } = code.file.module;
  if (mask?.kind !== 'unknown' || !/\bis_causal\s*=\s*True\s*[,)#]/.test(text.slice(at.start, at.end))) return false;
  const name = /\battn_mask\s*=\s*(\w+)\s*[,)]/.exec(text.slice(at.start, at.end))?.[1];
  if (name === undefined) return false;
  const before = text.slice(text.lastIndexOf('def ', at.start), at.start);
  // Whoever asks whether there is one knows here that there is none.
  return (
    new RegExp(`^def\\s+\\w+\\([^)]*\\b${name}\\b`).test(before) &&
    !new RegExp(`\\bif\\b[^\\n]*\\b${name}\\b|\\b${name}\\s*=[^=]`).test(bodyOf(before))
  );
}

/** What follows a function's parameters. */
const bodyOf = (text: string): string => text.slice(text.search(/\)\s*(?:->[^:\n]+)?:\s*\n/) + 1);
