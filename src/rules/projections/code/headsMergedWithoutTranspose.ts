import { isDropout, sameElements } from '../../../interpreter/graph.ts';
import type { CodeReading } from '../../../interpreter/study.ts';
import type { TensorValue } from '../../../interpreter/value.ts';
import type { Range } from '../../../text/range.ts';
import type { Misaligned } from '../../code/pieces.ts';
import { rangeIn, shown } from '../../code/places.ts';
import { defineRule } from '../../rule.ts';
import { fusedAttention, groupedAttention } from './examples.ts';
import { allScrambles, mergeFix, shapesOf } from './scrambled.ts';

export const headsMergedWithoutTranspose = defineRule({
  code: 'HW230',
  name: 'heads-merged-without-transpose',
  category: 'projections',
  severity: 'error',
  since: '0.2.0',
  docs: {
    what: 'Heads are merged by a view straight from (batch, heads, tokens, head dim), without moving the heads behind the tokens first.',
    why: 'A view keeps the order of the elements. From (B, h, T, d) to (B, T, h * d) every size fits, but the new row of a token holds features of other tokens of one head: the model trains, and is much worse.',
    bad: [
      groupedAttention({ merge: 'y.reshape(B, T, self.num_heads * self.head_dim)' }),
      fusedAttention({ merge: 'y.contiguous().view(B, T, C)' }),
    ],
    good: [groupedAttention(), fusedAttention(), fusedAttention({ merge: 'y.permute(0, 2, 1, 3).flatten(2)' })],
    fixSafety: 'The fix inserts the transpose. It changes what the model computes, which is the point.',
    references: ['https://arxiv.org/abs/1706.03762', 'https://pytorch.org/docs/stable/generated/torch.Tensor.view.html'],
  },
  messages: {
    merged: '`{text}` merges {before} to {after} without a transpose: the rows of {after} mix different tokens.',
  },
  checkCode({ code, report }) {
    const reported = new Set<number>();
    for (const scramble of allScrambles(code)) {
      const merge = rangeIn(code, scramble.node.site);
      if (scramble.kind !== 'merge' || merge === undefined) continue;
      const at = copyBefore(code, scramble, merge);
      if (reported.has(at?.start ?? merge.start)) continue;
      reported.add(at?.start ?? merge.start);
      report({
        at: at ?? merge,
        message: 'merged',
        data: { text: shown(code, merge, 50), ...shapesOf(scramble) },
        ...(at === undefined
          ? { fixes: mergeFix(code, scramble) }
          : { related: [{ range: merge, message: 'The heads are merged here.' }] }),
      });
    }
  },
});

/** A copy before the merge that copies nothing new, or another exchange of axes: it stands where the transpose belongs. */
function copyBefore(code: CodeReading, { input }: Misaligned, merge: Range): Range | undefined {
  let node: TensorValue | undefined = input;
  for (let i = 0; node !== undefined && i < 6; i++) {
    if (/^(?:contiguous|transpose|permute|clone)$/.test(node.op)) {
      const at = rangeIn(code, node.site);
      return at === undefined || (at.start >= merge.start && at.end <= merge.end) ? undefined : at;
    }
    if (!sameElements.has(node.op) && !isDropout(node)) return undefined;
    node = node.inputs[0];
  }
  return undefined;
}
