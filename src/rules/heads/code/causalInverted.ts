import type { CodeReading } from '../../../interpreter/study.ts';
import type { Range } from '../../../text/range.ts';
import { defineRule } from '../../rule.ts';
import { causalVerdicts } from './causalMask.ts';
import { attentionExample } from './examples.ts';

export const causalInverted = defineRule({
  code: 'HW158',
  name: 'causal-mask-inverted',
  category: 'heads',
  severity: 'error',
  since: '0.2.0',
  docs: {
    what: 'A causal mask hides the past and shows the future.',
    why: 'The lower triangle holds the keys up to the query. Scores are to be filled where the mask of `torch.tril` is 0, or where that of `torch.triu(diagonal=1)` is 1. The other way round each token sees only what comes after it: the model learns to copy its target, and generates nonsense.',
    bad: [
      attentionExample({ mask: 'scores = scores.masked_fill(self.causal[:T, :T] == 1, float("-inf"))' }),
      attentionExample({ causal: 'torch.triu(torch.ones(max_length, max_length))' }),
      attentionExample({
        mask: 'mask = torch.tril(torch.full((T, T), float("-inf"), device=x.device), diagonal=-1)\nscores = scores + mask',
      }),
    ],
    good: [
      attentionExample(),
      attentionExample({
        mask: 'mask = torch.triu(torch.full((T, T), float("-inf"), device=x.device), diagonal=1)\nscores = scores + mask',
      }),
    ],
    references: ['https://arxiv.org/abs/1706.03762'],
  },
  messages: {
    inverted: 'The past is hidden here, and the future is seen: the causal mask is the wrong way round.',
    made: 'This mask hides the past and shows the future where it is used.',
  },
  checkCode({ code, report }) {
    for (const { kind, used, made, use } of causalVerdicts(code)) {
      if (kind !== 'inverted' || (use.by !== 'fill' && use.by !== 'add')) continue;
      const at = used ?? made;
      if (at === undefined) continue;
      report({ at, message: used === undefined ? 'made' : 'inverted', related: [{ range: made, message: 'The mask is made here.' }] });
      if (used !== undefined && made !== undefined && distance(code, used, made) > 3)
        report({ at: made, message: 'made', related: [{ range: used, message: 'The mask is used here.' }] });
    }
  },
});

const distance = (code: CodeReading, a: Range, b: Range): number =>
  code.file.module.text.slice(Math.min(a.start, b.start), Math.max(a.start, b.start)).split('\n').length - 1;
