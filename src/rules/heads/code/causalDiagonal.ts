import { sameDim } from '../../../dims/dim.ts';
import type { TensorValue } from '../../../interpreter/value.ts';
import type { Call } from '../../../syntax/python/ast.ts';
import { partedFromThemselves } from '../../code/madeMasks.ts';
import { rangeIn, textAt } from '../../code/places.ts';
import { defineRule } from '../../rule.ts';
import { causalVerdicts } from './causalMask.ts';
import { attentionExample, layerExample } from './examples.ts';

/** A function that only makes the mask: who uses it is in another file. */
const maker = (mask: string) => ({
  language: 'python' as const,
  code: `import numpy as np
import torch


def subsequent_mask(length: int) -> torch.Tensor:
    mask = ${mask}
    return torch.from_numpy(mask) == 0
`,
});

export const causalDiagonal = defineRule({
  code: 'HW157',
  name: 'causal-mask-off-diagonal',
  category: 'heads',
  severity: 'error',
  since: '0.2.0',
  docs: {
    what: 'The boundary of a causal mask is not the diagonal: a token does not see itself, or it sees the next one.',
    why: '`torch.triu(mask)` without `diagonal=1` holds the diagonal as well, and `torch.tril(mask, diagonal=-1)` leaves it out. With the diagonal hidden the first token sees nothing, its row is all minus infinity, and the softmax gives NaN. With the boundary one too far a token sees the one it is to predict, and the training loss falls to nothing.',
    bad: [
      attentionExample({ causal: 'torch.tril(torch.ones(max_length, max_length), diagonal=-1)' }),
      attentionExample({ causal: 'torch.tril(torch.ones(max_length, max_length), diagonal=1)' }),
      layerExample({ mask: 'torch.triu(torch.ones(T, T, dtype=torch.bool))' }),
      maker('np.tril(np.ones((1, length, length)), k=-1)'),
    ],
    good: [attentionExample(), layerExample(), maker('np.triu(np.ones((1, length, length)), k=1)')],
    fixSafety: 'The fix moves the boundary to the diagonal. It changes what the model computes, which is the point.',
    references: [
      'https://docs.pytorch.org/docs/stable/generated/torch.triu.html',
      'https://docs.pytorch.org/docs/stable/generated/torch.tril.html',
    ],
  },
  messages: {
    diagonal: 'This causal mask hides the diagonal: a token does not see itself, and the first sees nothing.',
    own: 'This causal mask hides the token itself: with the keys in front counted in, the boundary is to be one key further.',
    ahead: 'This causal mask shows each token {count} to come: the boundary is to be the diagonal.',
    parted:
      'This causal mask puts the token itself on the side of what comes later: it hides either the diagonal, or the past instead of the future.',
    behind: 'This causal mask hides the token itself and {count} before it: the boundary is to be the diagonal.',
  },
  checkCode({ code, report }) {
    for (const { kind, off, made, used, region } of causalVerdicts(code)) {
      if (kind !== 'diagonal' && kind !== 'ahead' && kind !== 'behind') continue;
      const at = made ?? used;
      if (at === undefined) continue;
      // With more keys than queries, which key stands for the query itself is the code's affair, unless it counts them: `triu(j - i)`.
      const [rows, columns] = region.made.shape.dims.slice(-2);
      const isOblong = rows !== undefined && columns !== undefined && !sameDim(rows, columns);
      if (isOblong && !(kind === 'diagonal' && isCounted(region.made))) continue;
      const count = Math.abs(off) - (kind === 'behind' ? 1 : 0);
      report({
        at,
        message: isOblong ? 'own' : kind,
        ...(isOblong ? { severity: 'warning' as const } : {}),
        data: { count: count === 1 ? 'one token' : `${count} tokens` },
        related: [{ range: used === at ? undefined : used, message: 'The mask is used here.' }],
        fixes: isOblong ? [] : fixesOf(textAt(code, rangeIn(code, region.made.site)), at.start, region.made.op, at === made),
      });
    }
    const judged = new Set(causalVerdicts(code).map(({ region }) => region.made.site?.node));
    for (const { made } of partedFromThemselves(code)) {
      const at = judged.has(made.site?.node) ? undefined : rangeIn(code, made.site);
      if (at !== undefined) report({ at, message: 'parted' });
    }
  },
});

/** Whether the boundary is worked out, by a difference of sizes. */
function isCounted({ op, site }: TensorValue): boolean {
  const call = site?.node as Partial<Call> | undefined;
  return /^tri[ul]$/.test(op) && call?.kind === 'call' && call.arguments?.some(({ value }) => value.kind === 'binary') === true;
}

/** `triu(x)` gets `diagonal=1`; `tril(x, diagonal=-1)` and the like lose theirs. */
function fixesOf(text: string, start: number, op: string, isMade: boolean) {
  if (!isMade || (op !== 'triu' && op !== 'tril')) return [];
  const wanted = op === 'triu' ? '1' : '0';
  const written = /(diagonal\s*=\s*|,\s*)(-?\d+)(?=\s*\)$)/.exec(text) ?? /(tri[ul]_?\(\s*)(-?\d+)(?=\s*\)$)/.exec(text);
  if (written !== null) {
    const at = start + written.index + (written[1] ?? '').length;
    return [
      {
        title: `Use diagonal=${wanted}`,
        safe: false,
        edits: [{ range: { start: at, end: at + (written[2] ?? '').length }, newText: wanted }],
      },
    ];
  }
  if (op === 'tril' || !text.endsWith(')')) return [];
  const at = start + text.length - 1;
  const isEmpty = /\(\s*\)$/.test(text);
  return [
    { title: 'Add diagonal=1', safe: false, edits: [{ range: { start: at, end: at }, newText: `${isEmpty ? '' : ', '}diagonal=1` }] },
  ];
}
