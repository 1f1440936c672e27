import { formatDim } from '../../../dims/format.ts';
import { tiledHeads } from '../../code/headOrder.ts';
import { rangeIn, shown } from '../../code/places.ts';
import { defineRule } from '../../rule.ts';
import { groupedAttention } from './examples.ts';

const repeated = (keys: string, values: string): string => `k = ${keys}\nv = ${values}`;
const interleaved = (name: string): string => `${name}.repeat_interleave(self.num_heads // self.num_kv_heads, dim=1)`;
const tiled = (name: string): string => `${name}.repeat(1, self.num_heads // self.num_kv_heads, 1, 1)`;

export const keyValueHeadsTiled = defineRule({
  code: 'HW234',
  name: 'key-value-heads-tiled',
  category: 'projections',
  severity: 'error',
  since: '0.2.0',
  docs: {
    what: 'Key-value heads are repeated as a whole, one set behind the other, where each is to be repeated for the query heads of its group.',
    why: 'In grouped-query attention query head i uses key-value head i // group. `repeat` and an axis put in front give it head i modulo their number: a checkpoint trained in the usual order gives other outputs, and where only keys or only values are repeated so, weights meet the values of another head. Every size fits.',
    bad: [
      groupedAttention({ before: repeated(interleaved('k'), tiled('v')) }),
      groupedAttention({ before: repeated(tiled('k'), tiled('v')) }),
    ],
    good: [
      groupedAttention(),
      groupedAttention({
        before: repeated(
          'k[:, :, None].expand(B, self.num_kv_heads, self.num_heads // self.num_kv_heads, T, self.head_dim).reshape(B, self.num_heads, T, self.head_dim)',
          'v[:, :, None].expand(B, self.num_kv_heads, self.num_heads // self.num_kv_heads, T, self.head_dim).reshape(B, self.num_heads, T, self.head_dim)',
        ),
      }),
    ],
    fixSafety:
      'The fix writes `repeat_interleave`. It changes what the model computes, and weights that were trained with the other order need that.',
    references: ['https://arxiv.org/abs/2305.13245', 'https://pytorch.org/docs/stable/generated/torch.repeat_interleave.html'],
  },
  messages: {
    differs:
      '`{text}` puts all {heads} heads behind each other, and the other operand repeats each head {times} times: heads get the values of others.',
    tiled:
      '`{text}` puts all {heads} heads behind each other {times} times: query head i meets KV head i modulo {heads}, and not that of its group.',
  },
  checkCode({ code, report }) {
    for (const { node, heads, times, differs } of tiledHeads(code)) {
      const at = rangeIn(code, node.site);
      if (at === undefined) continue;
      const text = shown(code, at);
      const written = /^(\w+)\.repeat\(1, ([^(),]+), 1, 1\)$/.exec(text);
      report({
        at,
        message: differs ? 'differs' : 'tiled',
        // Trained from the start any grouping does, and JetMoE is made so.
        ...(differs ? {} : { severity: 'information' as const }),
        data: { text, heads: formatDim(heads), times: formatDim(times) },
        fixes:
          written === null
            ? []
            : [
                {
                  title: 'Repeat each head with repeat_interleave',
                  safe: false,
                  edits: [{ range: at, newText: `${written[1]}.repeat_interleave(${written[2]}, dim=1)` }],
                },
              ],
      });
    }
  },
});
