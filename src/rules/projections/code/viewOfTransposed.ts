import { viewsOfTransposed } from '../../code/layouts.ts';
import { rangeIn, shown, textAt } from '../../code/places.ts';
import { defineRule } from '../../rule.ts';
import { fusedAttention, groupedAttention } from './examples.ts';

export const viewOfTransposed = defineRule({
  code: 'HW226',
  name: 'view-of-transposed-tensor',
  category: 'projections',
  severity: 'error',
  since: '0.2.0',
  docs: {
    what: 'A view joins axes that a transpose took apart, with no copy in between.',
    why: 'A transpose changes how a tensor is read, not how it lies in memory, and a view never copies: joining heads and features after the transpose stops with "view size is not compatible with input tensor\'s size and stride". `reshape` copies where it has to.',
    bad: [groupedAttention({ merge: 'y.transpose(1, 2).view(B, T, self.num_heads * self.head_dim)' })],
    good: [
      groupedAttention(),
      groupedAttention({ merge: 'y.transpose(1, 2).contiguous().view(B, T, self.num_heads * self.head_dim)' }),
      fusedAttention(),
    ],
    fixSafety: 'Safe: reshape gives what the view would, with a copy.',
    references: ['https://pytorch.org/docs/stable/generated/torch.Tensor.view.html'],
  },
  messages: {
    view: '`{text}` joins axes that `{by}` took apart in memory: torch refuses this view.',
  },
  checkCode({ code, report }) {
    for (const { node, by } of viewsOfTransposed(code)) {
      const at = rangeIn(code, node.site);
      if (at === undefined) continue;
      const found = [...textAt(code, at).matchAll(/\.\s*view(?=\()/g)].at(-1);
      const start = at.start + (found?.index ?? 0);
      report({
        at,
        message: 'view',
        data: { text: shown(code, at, 50), by: by.op },
        related: [{ range: rangeIn(code, by.site), message: 'The axes are swapped here.' }],
        fixes:
          found === undefined
            ? []
            : [{ title: 'Use reshape', safe: true, edits: [{ range: { start, end: start + found[0].length }, newText: '.reshape' }] }],
      });
    }
  },
});
