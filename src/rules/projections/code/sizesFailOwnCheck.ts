import type { RuleExample } from '../../rule.ts';
import { faultRule } from './fault.ts';

const attention = (settings: string): RuleExample => ({
  language: 'python',
  code: `import torch.nn as nn
import torch.nn.functional as F


class Attention(nn.Module):
    def __init__(self, ${settings}):
        super().__init__()
        if d_model % n_head != 0:
            raise ValueError('heads must divide the width')
        self.n_head = n_head
        self.qkv = nn.Linear(d_model, 3 * d_model)
        self.proj = nn.Linear(d_model, d_model)

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = self.qkv(x).view(B, T, 3, self.n_head, C // self.n_head).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.proj(y.transpose(1, 2).reshape(B, T, C))
`,
});

export const sizesFailOwnCheck = faultRule('check', 'HW238', 'sizes-fail-own-check', {
  what: 'Sizes that the code itself gives do not pass the check that the code makes of them: an `assert` or a `raise` about what divides what.',
  why: 'The constructor stops with an AssertionError or a ValueError as soon as the class is made with its own defaults, or with the numbers written in the call.',
  bad: [attention('d_model=512, n_head=12')],
  good: [attention('d_model=512, n_head=8'), attention('d_model, n_head')],
  references: ['https://docs.python.org/3/reference/simple_stmts.html#the-assert-statement'],
});
